//! The panel and its stream, as a browser has them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;

const PANEL: &str = "/.edges/";

/// A served edge, and how to ask it.
struct Served {
    world: World,
    site: Distribution,
    url: String,
}

async fn served(options: EdgeOptions) -> Served {
    let (world, site) = site().await;
    put(&world, "index.html", "<p>home</body>", "").await;
    put(&world, "a", "a", "").await;
    let options = EdgeOptions {
        panel: Some(PANEL.to_owned()),
        ..options
    };
    let url = world.serve_edge_with(&site.id, 0, options).await.unwrap();
    Served { world, site, url }
}

impl Served {
    async fn get(&self, path: &str) -> Reply {
        let reply = try_send(&self.url, &format!("GET {path}"), b"").await;
        reply.expect("an answer")
    }

    async fn stream(&self, query: &str) -> EventReader {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {PANEL}events{query} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reader = EventReader {
            stream,
            text: String::new(),
        };
        let head = reader.until("\r\n\r\n").await.unwrap().to_lowercase();
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        reader
    }

    async fn watchers(&self, expected: usize) {
        for _ in 0..100 {
            if self.world.shared.cloud.feed.watchers() == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} watch", self.world.shared.cloud.feed.watchers());
    }
}

/// The messages of a stream, whose pieces come in chunks.
struct EventReader {
    stream: TcpStream,
    text: String,
}

impl EventReader {
    /// What comes before `end`; `None` where the connection has ended.
    async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some((before, after)) = self.text.split_once(end) {
                let (before, after) = (before.to_owned(), after.to_owned());
                self.text = after;
                return Some(before);
            }
            let mut piece = [0; 65536];
            let read = self.stream.read(&mut piece);
            let read = tokio::time::timeout(Duration::from_secs(10), read).await;
            let length = read
                .expect("a message in time")
                .ok()
                .filter(|got| *got > 0)?;
            self.text
                .push_str(&String::from_utf8_lossy(&piece[..length]));
        }
    }

    /// The next message: its name and its data.
    async fn next(&mut self) -> Option<(String, Value)> {
        self.until("event: ").await?;
        let name = self.until("\ndata: ").await?;
        let data = self.until("\n\n").await?;
        Some((name, serde_json::from_str(&data).unwrap()))
    }

    /// Passes over what is there at first.
    async fn shown(&mut self) {
        for expected in ["snapshot", "past"] {
            assert_eq!(self.next().await.unwrap().0, expected);
        }
    }

    /// The events that come next.
    async fn events(&mut self) -> Vec<Value> {
        let (name, data) = self.next().await.unwrap();
        assert_eq!(name, "events", "{data}");
        data["events"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn a_panel_tells_what_happens_at_every_edge() {
    let served = served(EdgeOptions::default()).await;
    let (world, id) = (&served.world, served.site.id.as_str());
    served.get("/a").await;
    later(world, 5);
    let mut stream = served.stream("").await;
    let (name, snapshot) = stream.next().await.unwrap();
    assert_eq!(
        (name.as_str(), &snapshot["here"]),
        ("snapshot", &json!([id, 0]))
    );
    assert_eq!(snapshot["edges"].as_array().unwrap().len(), 3);
    let first = &snapshot["edges"][0];
    assert_eq!(
        first["counts"],
        json!({"hits": 0, "misses": 1, "refreshes": 0, "errors": 0})
    );
    let entry = json!({
        "path": "/a", "status": 200, "size": 1, "type": "binary/octet-stream", "stored": 1_000_000_000_u64,
        "fresh": 86_400, "stale": 0, "failed": false
    });
    assert_eq!(first["entries"], json!([entry]));
    assert_eq!(snapshot["now"], 1_000_005_000_u64);
    let (name, past) = stream.next().await.unwrap();
    assert_eq!(
        (name.as_str(), &past["events"][0]["path"]),
        ("past", &json!("/a"))
    );

    // Another edge, a hit, an error.
    world.edge(id, 2).get("/").await;
    assert_eq!(stream.events().await[0]["edge"], json!([id, 2]));
    served.get("/a").await;
    let hit = stream.events().await;
    assert_eq!(
        (hit.len(), &hit[0]["said"]),
        (1, &json!("Hit from cloudfront"))
    );
    assert_eq!(hit[0]["counts"]["hits"], 1);
    served.get("/none").await;
    let error = &stream.events().await[0];
    assert_eq!(
        (&error["status"], &error["entry"]["failed"]),
        (&json!(404), &json!(true))
    );
}

#[tokio::test]
async fn a_purge_tells_exactly_what_it_took() {
    let served = served(EdgeOptions::default()).await;
    let (world, id) = (&served.world, served.site.id.as_str());
    let mut stream = served.stream("").await;
    for path in ["/a", "/index.html", "/"] {
        served.get(path).await;
    }
    world.edge(id, 1).get("/a").await;
    while stream.next().await.unwrap().1["events"]
        .as_array()
        .is_none_or(|events| {
            events
                .last()
                .is_none_or(|event| event["edge"] != json!([id, 1]))
        })
    {}
    invalidate(world, id, "1", &["/a", "/index*", "/other"]).await;
    // Nobody asks the edges: they forget all the same.
    let mut told = stream.events().await;
    if told.len() < 3 {
        told.extend(stream.events().await);
    }
    let invalidation = &world.invalidations(id)[0];
    assert_eq!(told[0]["kind"], "invalidated");
    assert_eq!(told[0]["items"], json!(["/a", "/index*", "/other"]));
    let taken: Vec<Value> = told[1..]
        .iter()
        .map(|event| {
            json!([
                event["kind"],
                event["invalidation"],
                event["edge"][1],
                event["paths"]
            ])
        })
        .collect();
    let purge = |edge: usize, paths: &[&str]| json!(["purged", invalidation.id, edge, paths]);
    assert_eq!(taken, [purge(0, &["/a", "/index.html"]), purge(1, &["/a"])]);
    assert_eq!(world.edge(id, 0).entries(), ["/"]);
}

#[tokio::test]
async fn a_purge_that_takes_effect_later_is_told_then() {
    let served = served(EdgeOptions::default()).await;
    let (world, id) = (&served.world, served.site.id.as_str());
    world.cloud_options(|options| {
        options.takes_effect = TakesEffect::WhenCompleted;
        options.invalidation_time = Duration::from_secs(60);
    });
    served.get("/a").await;
    let mut stream = served.stream("").await;
    stream.shown().await;
    invalidate(world, id, "1", &["/*"]).await;
    assert_eq!(stream.events().await.len(), 1);
    assert_eq!(world.edge(id, 0).entries(), ["/a"]);
    later(world, 60);
    assert_eq!(stream.events().await[0]["kind"], "purged");
}

#[tokio::test]
async fn a_viewer_who_goes_frees_the_stream_and_a_world_that_ends_ends_it() {
    let served = served(EdgeOptions::default()).await;
    served.watchers(0).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(served.stream("").await);
    }
    served.watchers(20).await;
    let mut last = streams.pop().unwrap();
    drop(streams);
    served.watchers(1).await;
    served.world.stop();
    while last.next().await.is_some() {}
    served.watchers(0).await;
}

#[tokio::test]
async fn who_comes_late_or_falls_behind_is_shown_all() {
    let served = served(EdgeOptions::default()).await;
    let edge = served.world.edge(&served.site.id, 0);
    let mut stream = served.stream("").await;
    stream.shown().await;
    for number in 0..5000 {
        edge.get(&format!("/{number}")).await;
    }
    let mut snapshot = stream.next().await.unwrap();
    while snapshot.0 != "snapshot" {
        snapshot = stream.next().await.unwrap();
    }
    assert_eq!(snapshot.1["edges"][0]["counts"]["errors"], 5000);
}

#[tokio::test]
async fn nothing_beneath_a_panel_is_asked_of_the_edge() {
    let served = served(EdgeOptions::default()).await;
    put(&served.world, ".edges/own", "own", "").await;
    for (path, status, content_type) in [
        ("/.edges/", 200, "text/html; charset=utf-8"),
        ("/.edges/?a=b", 200, "text/html; charset=utf-8"),
        ("/.edges", 302, "text/plain"),
        ("/.edges/panel.js", 200, "text/javascript; charset=utf-8"),
        ("/.edges/panel.css", 200, "text/css; charset=utf-8"),
        ("/.edges/own", 404, "text/plain"),
        ("/.edges/../.edges/x", 404, "text/plain"),
    ] {
        let reply = served.get(path).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (status, Some(content_type)),
            "{path}"
        );
        let policy = reply.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'"),
            "{path}"
        );
        assert_eq!(reply.header("x-cache"), None, "{path}");
    }
    let head = try_send(&served.url, "HEAD /.edges/", b"").await.unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
    let post = try_send(&served.url, "POST /.edges/events", b"").await;
    assert_eq!(post.unwrap().status, 405);
    assert_eq!(served.get("/.edgesy").await.status, 404);
    assert_eq!(
        served.world.edge(&served.site.id, 0).entries(),
        ["/.edgesy"]
    );
    // An edge that is served plainly knows of no panel.
    let plain = served
        .world
        .serve_edge(&served.site.id, 1, 0)
        .await
        .unwrap();
    let own = try_send(&plain, "GET /.edges/own", b"").await.unwrap();
    assert_eq!(own.text(), "own");
    assert_eq!(
        try_send(&plain, "GET /.edges/", b"").await.unwrap().status,
        404
    );
}

#[tokio::test]
async fn pages_load_themselves_again() {
    let reversed = |encoding: &str, body: &[u8]| {
        (encoding == "reversed").then(|| body.iter().rev().copied().collect())
    };
    let served = served(EdgeOptions {
        reloads: true,
        decoder: Some(Arc::new(reversed)),
        ..EdgeOptions::default()
    })
    .await;
    let html = Headers {
        content_type: Some("text/html".to_owned()),
        ..Headers::default()
    };
    let world = &served.world;
    for (key, encoding) in [("page", None), ("egap", Some("reversed"))] {
        let headers = Headers {
            content_encoding: encoding.map(str::to_owned),
            ..html.clone()
        };
        let body = if encoding.is_some() {
            ">ydob/<x"
        } else {
            "x</body>"
        };
        world.put_object(BUCKET, key, body, headers).await.unwrap();
    }
    let mut stream = served.stream("?reload").await;
    let (name, number) = stream.next().await.unwrap();
    assert_eq!(name, "reload");
    let page = served.get("/page").await;
    let expected = format!("x</body><script src=\"//x/.edges/reload.js?{number}\"></script>");
    assert_eq!(page.text(), expected);
    assert_eq!(served.get("/egap").await.text(), expected);
    assert_eq!(served.get("/a").await.text(), "a");
    let length = expected.len().to_string();
    let head = try_send(&served.url, "HEAD /page", b"").await.unwrap();
    assert_eq!(head.header("content-length"), Some(length.as_str()));
    let known = format!("GET /page\nif-none-match: {}", page.header("etag").unwrap());
    assert_eq!(
        try_send(&served.url, &known, b"").await.unwrap().status,
        304
    );
    assert_eq!(
        world.edge(&served.site.id, 0).get("/page").await.text(),
        "x</body>"
    );

    world.reload_pages();
    let (_, next) = stream.next().await.unwrap();
    assert_ne!(next, number);
    // The page that the browser has listens for what has happened already.
    let changed = try_send(&served.url, &known, b"").await.unwrap();
    assert_eq!(changed.status, 200);
    assert!(changed.text().contains(&format!("reload.js?{next}\"")));
}
