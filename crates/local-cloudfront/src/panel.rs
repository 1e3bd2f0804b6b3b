//! The panel: a page that shows the edges as they are, told by server-sent events (HTML Living Standard, 9.2).

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, StatusCode};
use s3s::Body;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::edge::pop;
use super::feed::{AnswerCounts, EdgeName, EntryView, InvalidationView, Millis};
use super::viewer::EdgeHandle;
use super::world::Shared;

/// From what is sent to what is sent next, so that a crawl of thousands of pages comes in a few pieces.
const PAUSE: Duration = Duration::from_millis(150);
/// How soon an invalidation is noticed that takes effect without anybody doing anything.
const TICK: Duration = Duration::from_secs(1);
/// After so long without a word a comment says that the stream is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events that a new page is shown, and invalidations of each distribution.
const SHOWN: usize = 200;

/// Nothing but its own files, and in nobody's frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where a panel is shown.
pub(super) struct Panel {
    /// Begins and ends with a slash.
    pub path: String,
    /// The edge that is served beside it.
    pub edge: EdgeHandle,
}

impl Panel {
    /// Answers what lies under the panel's path; `None` for all else.
    pub(super) fn answer(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        let path = request.uri().path();
        let Some(name) = path.strip_prefix(&self.path) else {
            let slash_is_missing = self.path.strip_suffix('/') == Some(path);
            return slash_is_missing.then(|| self.redirect());
        };
        Some(match (request.method(), name) {
            (&Method::GET, "events") if request.uri().query() == Some("reload") => {
                streamed(reloads(self.edge.shared.clone()))
            }
            (&Method::GET, "events") => streamed(PanelStream::of(&self.edge).messages()),
            (&Method::GET | &Method::HEAD, name) => file(name, request.method()),
            _ => text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", ""),
        })
    }

    fn redirect(&self) -> Response<Body> {
        let mut moved = text(StatusCode::FOUND, "text/plain", "");
        if let Ok(place) = HeaderValue::from_str(&self.path) {
            moved.headers_mut().insert("location", place);
        }
        moved
    }
}

fn file(name: &str, method: &Method) -> Response<Body> {
    let (content_type, content) = match name {
        "" => ("text/html; charset=utf-8", include_str!("panel/page.html")),
        "panel.css" => ("text/css; charset=utf-8", include_str!("panel/panel.css")),
        "panel.js" => (JAVASCRIPT, include_str!("panel/panel.js")),
        "reload.js" => (JAVASCRIPT, include_str!("panel/reload.js")),
        _ => {
            return text(
                StatusCode::NOT_FOUND,
                "text/plain",
                "There is nothing here.\n",
            );
        }
    };
    let content = if method == Method::HEAD { "" } else { content };
    text(StatusCode::OK, content_type, content)
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

fn text(status: StatusCode, content_type: &'static str, content: &'static str) -> Response<Body> {
    let body = Body::from(Bytes::from_static(content.as_bytes()));
    answered(status, content_type, body)
}

fn streamed(messages: impl Stream<Item = String> + Send + 'static) -> Response<Body> {
    let frames = messages.map(|text| Ok::<_, std::convert::Infallible>(Frame::data(text.into())));
    let body = Body::http_body_unsync(StreamBody::new(frames));
    answered(StatusCode::OK, "text/event-stream", body)
}

fn answered(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    for (name, value) in [
        ("content-type", content_type),
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        let value = HeaderValue::from_static(value);
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// A message that the browser knows by its name. JSON has no line breaks.
fn message(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// A comment, which no script sees.
fn heartbeat() -> String {
    ":\n\n".to_owned()
}

/// Tells the number of the pages, and every later one.
fn reloads(shared: Arc<Shared>) -> impl Stream<Item = String> {
    let mut pages = shared.cloud.feed.watch_pages();
    pages.mark_changed();
    stream::unfold(pages, |mut pages| async move {
        let text = match timeout(HEARTBEAT, pages.changed()).await {
            Ok(Ok(())) => message("reload", &pages.borrow_and_update().to_string()),
            Ok(Err(_)) => return None,
            Err(_) => heartbeat(),
        };
        Some((text, pages))
    })
}

/// What one open panel has been told.
struct PanelStream {
    shared: Arc<Shared>,
    /// The edge beside the panel.
    here: EdgeName,
    count: watch::Receiver<u64>,
    /// Of the last event that was sent; `None` where all has to be shown.
    seen: Option<u64>,
}

/// All edges as they are, for the panel's script.
#[derive(Serialize)]
struct Snapshot {
    now: Millis,
    here: EdgeName,
    edges: Vec<EdgeView>,
    invalidations: Vec<InvalidationView>,
}

#[derive(Serialize)]
struct EdgeView {
    edge: EdgeName,
    place: String,
    counts: AnswerCounts,
    entries: Vec<EntryView>,
}

impl PanelStream {
    fn of(edge: &EdgeHandle) -> Self {
        Self {
            shared: edge.shared.clone(),
            here: EdgeName(edge.distribution.clone(), edge.number),
            count: edge.shared.cloud.feed.watch(),
            seen: None,
        }
    }

    fn messages(self) -> impl Stream<Item = String> {
        stream::unfold(self, |mut watcher| async move {
            let text = watcher.next().await;
            Some((text, watcher))
        })
    }

    async fn next(&mut self) -> String {
        if self.seen.is_some() {
            sleep(PAUSE).await;
        }
        for _ in 0..HEARTBEAT.as_secs() / TICK.as_secs() {
            self.shared.cloud.settle(self.shared.clock.now());
            self.count.mark_unchanged();
            if let Some(text) = self.news() {
                return text;
            }
            let _ = timeout(TICK, self.count.changed()).await;
        }
        heartbeat()
    }

    /// Everything at first and to who fell behind, then what has happened since.
    fn news(&mut self) -> Option<String> {
        let feed = &self.shared.cloud.feed;
        let Some((events, count)) = self.seen.and_then(|seen| feed.since(seen)) else {
            // What happens meanwhile is told twice, which changes nothing.
            let (events, count) = feed.newest(SHOWN);
            self.seen = Some(count);
            let snapshot = serde_json::to_string(&self.snapshot()).unwrap_or_default();
            return Some(message("snapshot", &snapshot) + &self.events("past", &events));
        };
        self.seen = Some(count);
        (!events.is_empty()).then(|| self.events("events", &events))
    }

    fn snapshot(&self) -> Snapshot {
        let cloud = &self.shared.cloud;
        let now = self.shared.clock.now();
        let edges = cloud.caches(now).into_iter().map(|(edge, cache, _)| {
            let (counts, entries) = cache.view();
            EdgeView {
                place: pop(edge.1),
                edge,
                counts,
                entries,
            }
        });
        Snapshot {
            now: Millis(now),
            here: self.here.clone(),
            edges: edges.collect(),
            invalidations: cloud.newest_invalidations(SHOWN),
        }
    }

    fn events(&self, name: &str, events: &[Arc<str>]) -> String {
        let now = Millis(self.shared.clock.now());
        let now = serde_json::to_string(&now).unwrap_or_default();
        let mut data = format!("{{\"now\":{now},\"events\":[");
        for (number, event) in events.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            let _ = write!(data, "{comma}{event}");
        }
        message(name, &(data + "]}"))
    }
}
