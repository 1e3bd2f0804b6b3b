//! What can go wrong with a request, by rules that tests set.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Method, Response};
use s3s::Body;
use tokio::sync::Semaphore;

use super::http::{drain, effect, failure, xml};
use super::request::RequestInfo;
use super::world::Shared;
use super::xml::{Element, leaf, node};

/// What becomes of a request. "After" means that it took effect before its answer was lost.
#[derive(Clone, Default)]
pub enum Fault {
    /// It takes its course.
    #[default]
    None,
    /// An error answer, and no effect: HTTP status and AWS code.
    Fail(u16, &'static str),
    /// Takes effect, and answers an error all the same.
    FailAfter(u16, &'static str),
    /// The connection is cut without an answer and without effect.
    Reset,
    /// Takes effect; then the connection is cut.
    ResetAfter,
    /// No effect and no answer, as long as the client waits.
    Stall,
    /// Takes effect; no answer, as long as the client waits.
    StallAfter,
    /// Takes effect; half of the answer's body, then the connection is cut.
    TruncateAnswer,
    /// No effect; status 200 with an error in its body (CopyObject, CompleteMultipartUpload), or one error for each key
    /// (DeleteObjects).
    ErrorIn200(&'static str),
    /// Waits, then goes on.
    Delay(Duration),
    /// Stands at the gate before it takes effect. It has none if the client goes away meanwhile.
    HoldBefore(Gate),
    /// Stands at the gate and takes effect when that opens, even if the client is long gone: a request that the network
    /// delivers late.
    Late(Gate),
    /// Takes effect and stands at the gate before it answers.
    HoldAfter(Gate),
}

/// Where requests wait until a test lets them go.
#[derive(Clone)]
pub struct Gate(Arc<Doors>);

struct Doors {
    arrived: Semaphore,
    open: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// Makes a gate that is closed.
    pub fn new() -> Self {
        Self(Arc::new(Doors {
            arrived: Semaphore::new(0),
            open: Semaphore::new(0),
        }))
    }

    /// Returns once one more request stands at the gate.
    pub async fn arrived(&self) {
        if let Ok(permit) = self.0.arrived.acquire().await {
            permit.forget();
        }
    }

    /// Lets everything go that stands or will come here.
    pub fn open(&self) {
        self.0.open.close();
    }

    pub(super) async fn pass(&self) {
        self.0.arrived.add_permits(1);
        // Never granted: it ends when the gate is opened for good.
        let _ = self.0.open.acquire().await;
    }
}

/// Decides for each request. It must not block.
pub(crate) type Rule = Arc<dyn Fn(&RequestInfo) -> Fault + Send + Sync>;

/// The connection is to be cut without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut by a fault")]
pub(crate) struct Cut;

/// Answers a request as the rule wants it.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    info: &RequestInfo,
    parts: Parts,
    body: Body,
) -> Result<Response<Body>, Cut> {
    let head = parts.method == Method::HEAD;
    let refused = |status, code| failure(info.service, status, code, "as a test wants it", head);
    match shared.fault(info) {
        Fault::None => Ok(effect(shared, info, parts, body).await),
        Fault::Delay(time) => {
            tokio::time::sleep(time).await;
            Ok(effect(shared, info, parts, body).await)
        }
        Fault::Fail(status, code) => {
            drain(body).await;
            Ok(refused(status, code))
        }
        Fault::FailAfter(status, code) => {
            effect(shared, info, parts, body).await;
            Ok(refused(status, code))
        }
        Fault::Reset => Err(Cut),
        Fault::ResetAfter => {
            effect(shared, info, parts, body).await;
            Err(Cut)
        }
        Fault::Stall => {
            drain(body).await;
            std::future::pending().await
        }
        Fault::StallAfter => {
            effect(shared, info, parts, body).await;
            std::future::pending().await
        }
        Fault::TruncateAnswer => Ok(truncate(effect(shared, info, parts, body).await).await),
        Fault::ErrorIn200(code) => Ok(error_in_200(info, code, body).await),
        Fault::HoldBefore(gate) => {
            // First the body, so that all that can still come is the end of the client.
            let body = whole(body).await;
            gate.pass().await;
            Ok(effect(shared, info, parts, body).await)
        }
        Fault::Late(gate) => late(shared, gate, info, parts, body).await,
        Fault::HoldAfter(gate) => {
            let answer = effect(shared, info, parts, body).await;
            gate.pass().await;
            Ok(answer)
        }
    }
}

/// Takes effect when the gate opens, whether or not somebody still waits for the answer.
async fn late(
    shared: &Arc<Shared>,
    gate: Gate,
    info: &RequestInfo,
    parts: Parts,
    body: Body,
) -> Result<Response<Body>, Cut> {
    let body = whole(body).await;
    let (shared, info) = (shared.clone(), info.clone());
    let task = tokio::spawn(async move {
        gate.pass().await;
        effect(&shared, &info, parts, body).await
    });
    task.await.map_err(|_| Cut)
}

/// The body, read to its end.
async fn whole(body: Body) -> Body {
    let all = body.collect().await.map(|all| all.to_bytes());
    Body::from(all.unwrap_or_default())
}

/// Half of the body, then the connection ends.
async fn truncate(answer: Response<Body>) -> Response<Body> {
    let (mut parts, body) = answer.into_parts();
    let all = match body.collect().await {
        Ok(all) => all.to_bytes(),
        Err(_) => Bytes::new(),
    };
    parts
        .headers
        .insert("content-length", HeaderValue::from(all.len().max(1)));
    parts.headers.remove("transfer-encoding");
    let half = all.slice(..all.len() / 2);
    let pieces = [Ok(half), Err(std::io::Error::other("cut by a fault"))];
    let stream = s3s::dto::StreamingBlob::wrap(futures_util::stream::iter(pieces));
    Response::from_parts(parts, Body::from(stream))
}

async fn error_in_200(info: &RequestInfo, code: &str, body: Body) -> Response<Body> {
    let bytes = body.collect().await.map(|all| all.to_bytes());
    let error = |extra: Vec<Element>| {
        let said = [leaf("Code", code), leaf("Message", "as a test wants it")];
        node("Error", extra.into_iter().chain(said))
    };
    let asked = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
    let document = match Element::parse(&asked) {
        Some(asked) if info.operation == "DeleteObjects" => {
            let objects = asked.children.iter().filter(|child| child.name == "Object");
            let errors = objects.map(|one| error(vec![leaf("Key", one.text_at("Key"))]));
            node("DeleteResult", errors)
        }
        _ => error(Vec::new()),
    };
    xml(200, document.document(""))
}
