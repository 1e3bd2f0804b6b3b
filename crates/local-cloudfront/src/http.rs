//! The HTTP front of a world: accepts connections, applies faults, keeps the log, and hands requests to S3 or CloudFront.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::Body;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::bucket::{BucketOptions, Conditions};
use super::chunked;
use super::clock::http_date;
use super::request::{RequestInfo, Service};
use super::routes;
use super::world::Shared;
use super::xml::{leaf, node};

/// Why a connection ends without an answer: nothing but a fault makes it.
#[cfg(feature = "faults")]
pub(crate) use super::faults::Cut;
#[cfg(not(feature = "faults"))]
pub(crate) type Cut = std::convert::Infallible;

/// Accepts connections until the world ends.
pub(super) async fn accept<H, F>(listener: TcpListener, stop: watch::Receiver<bool>, handle: H)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Body>, Cut>> + Send + 'static,
{
    let mut stopped = stop.clone();
    loop {
        let stream = tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // Out of file handles: some will come back.
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let (handle, mut stopped) = (handle.clone(), stop.clone());
        tokio::spawn(async move {
            let service = service_fn(handle);
            let connection = hyper::server::conn::http1::Builder::new()
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                _ = stopped.changed() => {}
                // What goes wrong on a connection is its client's affair.
                _ = connection => {}
            }
        });
    }
}

/// Answers one request to the S3 or CloudFront endpoint.
pub(super) async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let mut body = Body::from(body);
    if parts.uri.path() == super::share::STATUS_PATH {
        return Ok(super::share::status(
            &shared,
            &parts.method,
            parts.uri.query(),
        ));
    }
    let number = shared.next_number();
    let mut form = Bytes::new();
    if routes::has_form(&parts) {
        // The operation is named in there.
        form = body
            .collect()
            .await
            .map(|all| all.to_bytes())
            .unwrap_or_default();
        body = Body::from(form.clone());
    }
    let info = routes::describe(&parts, number, &form);
    let length = header(&parts.headers, "content-length").and_then(|text| text.parse().ok());
    shared.log_begin(&info, length.unwrap_or(0));
    #[cfg(feature = "faults")]
    let mut answer = super::faults::answer(&shared, &info, parts, body).await?;
    #[cfg(not(feature = "faults"))]
    let mut answer = effect(&shared, &info, parts, body).await;
    stamp(&shared, &mut answer, info.service);
    let sent = answer.body().size_hint().lower();
    shared.log_end(number, answer.status().as_u16(), sent);
    Ok(answer)
}

/// Reads a body to its end, so that the client sees the answer rather than a broken pipe.
pub(crate) async fn drain(body: Body) {
    let _ = body.collect().await;
}

/// Carries a request out, without faults.
pub(crate) async fn effect(
    shared: &Arc<Shared>,
    info: &RequestInfo,
    parts: Parts,
    body: Body,
) -> Response<Body> {
    let has_moved = shared.advance();
    let changes = has_moved || (info.service != Service::S3 && info.writes());
    let answer = match info.service {
        Service::S3 => s3(shared, info, parts, body).await,
        service => {
            let body = body.collect().await.map(|all| all.to_bytes());
            let text = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
            let headers = &parts.headers;
            match service {
                Service::KeyValueStore => super::keys::answer(shared, info, headers, &text),
                Service::CloudFormation => super::cloudformation::answer(shared, info, &text),
                Service::Sts => super::identity::answer(info),
                Service::Acm | Service::CloudControl => super::json::answer(shared, info, &text),
                _ => super::cloudfront::answer(shared, info, headers, &text),
            }
        }
    };
    if let Some(kept) = shared.kept.as_ref().filter(|_| changes) {
        kept.write(|| shared.kept_now());
    }
    answer
}

async fn s3(
    shared: &Arc<Shared>,
    info: &RequestInfo,
    mut parts: Parts,
    body: Body,
) -> Response<Body> {
    let head = parts.method == Method::HEAD;
    if let Some(refused) = refuse(shared, info, &mut parts) {
        drain(body).await;
        return refused;
    }
    if super::documents::is_setting(info.operation) {
        let body = body.collect().await.map(|all| all.to_bytes());
        let text = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
        return super::documents::answer(shared, info, &text);
    }
    // Signatures are taken as they come: a world has no secrets.
    parts.headers.remove("authorization");
    parts.uri = without_signature(&parts.uri);
    join_repeated(&mut parts.headers);
    let body = chunked::decode(&mut parts, body);
    match shared.s3.call(Request::from_parts(parts, body)).await {
        Ok(answer) => answer,
        Err(error) => failure(
            Service::S3,
            500,
            "InternalError",
            &format!("{error:?}"),
            head,
        ),
    }
}

/// Refuses what a bucket's options forbid, before the operation is looked at.
fn refuse(shared: &Shared, info: &RequestInfo, parts: &mut Parts) -> Option<Response<Body>> {
    let head = parts.method == Method::HEAD;
    let denied = || failure(Service::S3, 403, "AccessDenied", "Access Denied", head);
    let options = shared
        .store
        .read(&info.bucket, |bucket| bucket.options.clone())
        .ok()?;
    let expected = header(&parts.headers, "x-amz-expected-bucket-owner");
    if expected.is_some_and(|owner| owner != options.owner) {
        return Some(denied());
    }
    let acl = header(&parts.headers, "x-amz-acl");
    if acl.is_some_and(|acl| acl != "bucket-owner-full-control") {
        let said = "The bucket does not allow ACLs";
        return Some(failure(
            Service::S3,
            400,
            "AccessControlListNotSupported",
            said,
            head,
        ));
    }
    if let Some(moved) = wrong_region(&options, &parts.headers, head) {
        return Some(moved);
    }
    let writes = info.writes();
    let conditional = ["if-match", "if-none-match"]
        .iter()
        .any(|name| parts.headers.contains_key(*name));
    match options.conditions {
        Conditions::Refused if writes && conditional => {
            let said = "A header you provided implies functionality that is not implemented";
            Some(failure(Service::S3, 501, "NotImplemented", said, head))
        }
        Conditions::Ignored if writes => {
            parts.headers.remove("if-match");
            parts.headers.remove("if-none-match");
            None
        }
        _ => None,
    }
}

fn wrong_region(
    options: &BucketOptions,
    headers: &HeaderMap,
    head: bool,
) -> Option<Response<Body>> {
    let (region, _) = routes::scope(headers)?;
    if !options.strict_region || region == options.region {
        return None;
    }
    let said = "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.";
    let mut moved = failure(Service::S3, 301, "PermanentRedirect", said, head);
    if let Ok(region) = options.region.parse() {
        moved.headers_mut().insert("x-amz-bucket-region", region);
    }
    Some(moved)
}

fn without_signature(uri: &hyper::Uri) -> hyper::Uri {
    let signed = |pair: &&str| {
        !pair.to_ascii_lowercase().starts_with("x-amz-") || pair.starts_with("x-amz-checksum")
    };
    let query = uri.query().unwrap_or_default().split('&');
    let query: Vec<&str> = query
        .filter(|pair| !pair.is_empty())
        .filter(signed)
        .collect();
    let text = match query.as_slice() {
        [] => uri.path().to_owned(),
        _ => format!("{}?{}", uri.path(), query.join("&")),
    };
    text.parse().unwrap_or_else(|_| uri.clone())
}

/// The protocol layer refuses repeated headers, which the AWS SDKs send.
fn join_repeated(headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers.keys().cloned().collect();
    for name in names {
        let values: Vec<&[u8]> = headers
            .get_all(&name)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        if values.len() > 1
            && let Ok(joined) = HeaderValue::from_bytes(&values.join(&b","[..]))
        {
            headers.insert(name, joined);
        }
    }
}

/// An error as the service says it.
pub(super) fn failure(
    service: Service,
    status: u16,
    code: &str,
    message: &str,
    head: bool,
) -> Response<Body> {
    let said = [leaf("Code", code), leaf("Message", message)];
    let id = leaf("RequestId", request_id());
    let document = match service {
        Service::S3 => node("Error", said.into_iter().chain([id])).document(""),
        Service::KeyValueStore => return super::keys::failure(status, code, message),
        Service::Acm | Service::CloudControl => {
            return super::json::failure(service, status, (code, message));
        }
        _ => {
            let kind = if status < 500 { "Sender" } else { "Receiver" };
            let error = node("Error", [leaf("Type", kind)].into_iter().chain(said));
            let root = node("ErrorResponse", [error, id]);
            root.document(service.namespace())
        }
    };
    let body = if head { Vec::new() } else { document };
    xml(status, body)
}

pub(super) fn xml(status: u16, body: Vec<u8>) -> Response<Body> {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/xml"));
    answer
}

pub(super) fn request_id() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    id.chars().take(16).collect::<String>().to_uppercase()
}

/// The headers that every answer has. The date is the world's, not the machine's.
fn stamp(shared: &Shared, answer: &mut Response<Body>, service: Service) {
    let headers = answer.headers_mut();
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    set("date", http_date(shared.clock.now()));
    match service {
        Service::S3 => {
            set("server", "AmazonS3".to_owned());
            set("x-amz-request-id", request_id());
        }
        _ => set("x-amzn-requestid", request_id()),
    }
}

pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The decoded value of a parameter of a query string.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    Some(decode(&value.replace('+', " ")))
}

pub(super) fn decode(text: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(text);
    decoded.decode_utf8_lossy().into_owned()
}
