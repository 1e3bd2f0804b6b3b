//! Requests and answers as functions have them (Developer Guide, "CloudFront Functions event structure").

use serde::{Deserialize, Serialize};

use super::execute;
use crate::content::unbase64;
use crate::function::{FunctionOutcome, FunctionRequest, FunctionResponse, FunctionScope};

type Pairs = Vec<(String, String)>;

/// What prelude.js makes an event of. Lists, since objects would lose the order.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct FunctionCall<'a> {
    context: EventContext<'a>,
    method: &'a str,
    uri: &'a str,
    host: &'a str,
    raw_query: &'a str,
    query: Pairs,
    headers: Pairs,
    cookies: Pairs,
    response: Option<CalledResponse>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventContext<'a> {
    distribution_domain_name: &'a str,
    distribution_id: &'a str,
    event_type: &'static str,
    request_id: String,
}

#[derive(Serialize)]
struct CalledResponse {
    status: u16,
    description: String,
    headers: Pairs,
    /// Names, values and attributes.
    cookies: Vec<(String, String, String)>,
}

/// What prelude.js makes of a function's result.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Returned {
    Request(ReturnedRequest),
    Response(ReturnedResponse),
}

#[derive(Deserialize)]
struct ReturnedRequest {
    uri: String,
    query: String,
    headers: Pairs,
}

#[derive(Deserialize)]
struct ReturnedResponse {
    status: u16,
    headers: Pairs,
    body: Option<String>,
    base64: bool,
}

/// Runs a viewer-request function.
pub(crate) fn run(
    code: &str,
    request: &FunctionRequest,
    scope: &FunctionScope<'_>,
) -> FunctionOutcome {
    read(code, &call(request, None, scope), scope).unwrap_or_else(FunctionOutcome::Failed)
}

/// Runs a viewer-response function on an answer.
pub(crate) fn change(
    code: &str,
    request: &FunctionRequest,
    response: &FunctionResponse,
    scope: &FunctionScope<'_>,
) -> FunctionOutcome {
    let call = call(request, Some(response), scope);
    read(code, &call, scope).unwrap_or_else(FunctionOutcome::Failed)
}

fn call<'a>(
    request: &'a FunctionRequest,
    response: Option<&FunctionResponse>,
    scope: &FunctionScope<'a>,
) -> FunctionCall<'a> {
    let is_cookie = |(name, _): &&(String, String)| name == "cookie";
    let cookies = request.headers.iter().filter(is_cookie);
    let cookies = cookies
        .flat_map(|(_, value)| value.split(';'))
        .map(str::trim);
    let query = request.query.split('&').filter(|pair| !pair.is_empty());
    FunctionCall {
        context: EventContext {
            distribution_domain_name: scope.distribution_domain,
            distribution_id: scope.distribution_id,
            event_type: match response {
                None => "viewer-request",
                Some(_) => "viewer-response",
            },
            request_id: uuid::Uuid::new_v4().simple().to_string(),
        },
        method: &request.method,
        uri: &request.uri,
        host: &request.host,
        raw_query: &request.query,
        query: query.map(pair).collect(),
        headers: without("cookie", &request.headers),
        cookies: cookies.map(pair).collect(),
        response: response.map(called),
    }
}

fn called(response: &FunctionResponse) -> CalledResponse {
    let cookies = response
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    let cookies = cookies.map(|(_, cookie)| {
        let (first, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
        let (name, value) = pair(first);
        (name, value, attributes.trim().to_owned())
    });
    let status = hyper::StatusCode::from_u16(response.status).ok();
    let description = status.and_then(|status| status.canonical_reason());
    CalledResponse {
        status: response.status,
        description: description.unwrap_or_default().to_owned(),
        headers: without("set-cookie", &response.headers),
        cookies: cookies.collect(),
    }
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.to_owned(), value.to_owned())
}

fn without(name: &str, headers: &Pairs) -> Pairs {
    let others = headers.iter().filter(|(known, _)| known != name);
    others.cloned().collect()
}

fn read(
    code: &str,
    call: &FunctionCall<'_>,
    scope: &FunctionScope<'_>,
) -> Result<FunctionOutcome, String> {
    let text = serde_json::to_string(call).map_err(|error| error.to_string())?;
    let result = execute(code, scope.store.clone(), &text).result?;
    match serde_json::from_str(&result).map_err(|error| error.to_string())? {
        Returned::Request(returned) => Ok(FunctionOutcome::Request(FunctionRequest {
            method: call.method.to_owned(),
            uri: returned.uri,
            query: returned.query,
            host: call.host.to_owned(),
            headers: returned.headers,
        })),
        Returned::Response(returned) => {
            let body = match returned.body {
                Some(text) if returned.base64 => {
                    Some(unbase64(&text).ok_or("The body is not base64.")?)
                }
                text => text.map(String::into_bytes),
            };
            Ok(FunctionOutcome::Response(FunctionResponse {
                status: returned.status,
                headers: returned.headers,
                body,
            }))
        }
    }
}
