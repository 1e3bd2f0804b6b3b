//! CloudFront KeyValueStore's own API: the keys of a store, in JSON. Its requests name the store by its ARN.

use std::time::SystemTime;

use hyper::header::HeaderValue;
use hyper::{HeaderMap, Response};
use s3s::Body;
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::{decode, header, parameter, xml};
use super::key_values::{KeyChange, KeyProblem, KeyValueStore};
use super::request::RequestInfo;
use super::world::Shared;

/// What all paths of this API begin with. A bucket may have that name, but hardly a key that is an ARN.
const ROOT: &str = "/key-value-stores/";

/// As many keys a page as the service lists, where a request does not say, and at most.
const PAGE: usize = 10;
const MOST_ON_PAGE: usize = 50;

/// The ARN and what follows it, still encoded. `None` for another API's path.
fn segments(path: &str) -> Option<(String, Vec<&str>)> {
    let mut parts = path.strip_prefix(ROOT)?.split('/');
    let arn = decode(parts.next()?);
    arn.starts_with("arn:").then(|| (arn, parts.collect()))
}

/// The operation that a request is for. `None` where it is none of this API.
pub(super) fn operation(method: &str, path: &str) -> Option<&'static str> {
    let (_, rest) = segments(path)?;
    Some(match (method, rest.as_slice()) {
        ("GET", []) => "DescribeKeyValueStore",
        ("GET", ["keys"]) => "ListKeys",
        ("POST", ["keys"]) => "UpdateKeys",
        ("GET", ["keys", _]) => "GetKey",
        ("PUT", ["keys", _]) => "PutKey",
        ("DELETE", ["keys", _]) => "DeleteKey",
        _ => "",
    })
}

/// An error as the service names it, with its status.
struct KeyFailure(u16, &'static str, String);

impl From<KeyProblem> for KeyFailure {
    fn from(problem: KeyProblem) -> Self {
        let (status, code) = match problem {
            KeyProblem::Invalid => (400, "ValidationException"),
            KeyProblem::TooMuch => (402, "ServiceQuotaExceededException"),
            KeyProblem::NotFound => (404, "ResourceNotFoundException"),
        };
        Self(status, code, problem.to_string())
    }
}

fn invalid(said: &str) -> KeyFailure {
    KeyFailure(400, "ValidationException", said.to_owned())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBody {
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateBody {
    #[serde(default)]
    puts: Vec<SentKey>,
    #[serde(default)]
    deletes: Vec<SentKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SentKey {
    key: String,
    value: Option<String>,
}

/// Answers one request of the API.
pub(super) fn answer(
    shared: &Shared,
    info: &RequestInfo,
    headers: &HeaderMap,
    body: &str,
) -> Response<Body> {
    let (arn, rest) = segments(&info.path).unwrap_or_default();
    let key = rest.get(1).map(|key| decode(key)).unwrap_or_default();
    let now = shared.clock.now();
    let answered = shared.cloud.key_values(|stores| {
        let store = stores.by_arn(&arn).ok_or_else(|| {
            let said = "The key value store does not exist.";
            KeyFailure(404, "ResourceNotFoundException", said.to_owned())
        })?;
        let changes = match info.operation {
            "DescribeKeyValueStore" => return Ok((describe(store), store.etag())),
            "ListKeys" => return Ok((list(store, &info.query)?, store.etag())),
            "GetKey" => return Ok((get(store, &key)?, store.etag())),
            operation => changes(operation, key, body)?,
        };
        expected(store, headers)?;
        store.change(changes, now)?;
        Ok((counted(store), store.etag()))
    });
    match answered {
        Ok((document, etag)) => said(200, document, ("etag", &etag)),
        Err(KeyFailure(status, code, message)) => failure(status, code, &message),
    }
}

/// An error as this service says it.
pub(super) fn failure(status: u16, code: &str, message: &str) -> Response<Body> {
    said(
        status,
        json!({ "Message": message }),
        ("x-amzn-errortype", code),
    )
}

fn said(status: u16, document: Value, (name, value): (&'static str, &str)) -> Response<Body> {
    let mut answer = xml(status, document.to_string().into_bytes());
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
    answer
}

fn counted(store: &KeyValueStore) -> Value {
    json!({ "ItemCount": store.values.len(), "TotalSizeInBytes": store.size() })
}

fn describe(store: &mut KeyValueStore) -> Value {
    store.ready = true;
    let seconds = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_secs()
    };
    let mut document = counted(store);
    document["KvsARN"] = store.arn().into();
    document["Status"] = "READY".into();
    document["Created"] = seconds(store.created).into();
    document["LastModified"] = seconds(store.modified).into();
    document
}

fn get(store: &KeyValueStore, key: &str) -> Result<Value, KeyFailure> {
    let value = store.values.get(key).ok_or(KeyProblem::NotFound)?;
    let mut document = counted(store);
    document["Key"] = key.into();
    document["Value"] = value.as_str().into();
    Ok(document)
}

/// A page; its token is the last key before it.
fn list(store: &KeyValueStore, query: &str) -> Result<Value, KeyFailure> {
    let most = match parameter(query, "MaxResults").map(|text| text.parse()) {
        None => PAGE,
        Some(Ok(most)) if (1..=MOST_ON_PAGE).contains(&most) => most,
        Some(_) => return Err(invalid("MaxResults is 1 to 50.")),
    };
    let token = parameter(query, "NextToken").unwrap_or_default();
    let after = |(key, _): &(&String, &String)| **key > token;
    let mut left = store
        .values
        .iter()
        .skip_while(|pair| !after(pair))
        .peekable();
    let page: Vec<_> = left.by_ref().take(most).collect();
    let item = |(key, value): &(&String, &String)| json!({ "Key": key, "Value": value });
    let mut document = json!({ "Items": page.iter().map(item).collect::<Vec<_>>() });
    if left.peek().is_some() {
        document["NextToken"] = page.last().map(|(key, _)| key.as_str()).into();
    }
    Ok(document)
}

/// What a request that writes asks for.
fn changes(operation: &str, key: String, body: &str) -> Result<Vec<KeyChange>, KeyFailure> {
    match operation {
        "DeleteKey" => Ok(vec![(key, None)]),
        "PutKey" => {
            let body: PutBody = read(body)?;
            Ok(vec![(key, Some(body.value))])
        }
        "UpdateKeys" => {
            let body: UpdateBody = read(body)?;
            if body.puts.iter().any(|put| put.value.is_none()) {
                return Err(invalid("A put has no value."));
            }
            let deletes = body.deletes.into_iter().map(|sent| (sent.key, None));
            let puts = body.puts.into_iter().map(|sent| (sent.key, sent.value));
            Ok(deletes.chain(puts).collect())
        }
        _ => Err(KeyFailure(404, "UnknownOperationException", String::new())),
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, KeyFailure> {
    serde_json::from_str(body).map_err(|error| invalid(&error.to_string()))
}

/// Checks that a store is there to be written to, and is what the request takes it for.
fn expected(store: &KeyValueStore, headers: &HeaderMap) -> Result<(), KeyFailure> {
    let conflict = |said: &str| Err(KeyFailure(409, "ConflictException", said.to_owned()));
    match header(headers, "if-match") {
        None => Err(invalid("The If-Match version is missing.")),
        Some(_) if !store.ready => conflict("The store is being made."),
        Some(tag) if tag != store.etag() => conflict("The store was changed."),
        Some(_) => Ok(()),
    }
}
