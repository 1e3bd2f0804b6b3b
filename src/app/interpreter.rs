//! Runs the function that deploys write before `--local`'s edges, which have no engine for JavaScript: by its tables, in Rust.

use local_cloudfront::{FunctionCall, FunctionOutcome, FunctionRequest, FunctionResponse};
use regex::Regex;

use crate::rules::edge_function::{EdgeFunction, FunctionAnswer, ViewerRequest};
use crate::rules::redirect::{Redirect, normal_path};

/// Says what a function does to a request or to an answer; `None` for one that this tool did not write.
pub(super) fn interpret(call: &FunctionCall<'_>) -> Option<FunctionOutcome> {
    let mut function = EdgeFunction::read(call.code)?;
    if let Some(response) = call.response {
        let response = dressed(&function, call.request, response.clone());
        return Some(FunctionOutcome::Response(response));
    }
    if function.stored {
        add_stored(&mut function, call);
    }
    Some(match function.answer(&viewer_request(call.request)) {
        FunctionAnswer::Pass(uri) => FunctionOutcome::Uri(uri),
        FunctionAnswer::Redirect { status, location } => {
            FunctionOutcome::Redirect(status, location)
        }
        FunctionAnswer::AskPassword => FunctionOutcome::Response(FunctionResponse {
            status: 401,
            headers: [
                (
                    "www-authenticate",
                    "Basic realm=\"site\", charset=\"UTF-8\"",
                ),
                ("x-robots-tag", "noindex"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
            body: None,
        }),
    })
}

/// Adds the redirect that the store holds for the path, behind those that go before it.
fn add_stored(function: &mut EdgeFunction, call: &FunctionCall<'_>) {
    let path = normal_path(&call.request.uri);
    let value = (call.store)(&path).unwrap_or_default();
    let words: Vec<&str> = value.splitn(3, ' ').collect();
    if let [status, before, to] = words.as_slice()
        && let (Ok(status), Ok(before)) = (status.parse(), before.parse::<usize>())
    {
        let redirect = Redirect {
            status,
            ..Redirect::new(path, *to)
        };
        let at = before.min(function.redirects.len());
        function.redirects.insert(at, redirect);
    }
}

fn viewer_request(request: &FunctionRequest) -> ViewerRequest {
    let parts = request.query.split('&').filter(|part| !part.is_empty());
    let query = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
    let mut headers = request.headers.iter();
    let authorization = headers.find(|(name, _)| name == "authorization");
    ViewerRequest {
        uri: request.uri.clone(),
        query: query
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        host: request
            .host
            .split(':')
            .next()
            .unwrap_or_default()
            .to_owned(),
        authorization: authorization.map(|(_, value)| value.clone()),
    }
}

/// Adds the function's headers to an answer, and takes others away.
fn dressed(
    function: &EdgeFunction,
    request: &FunctionRequest,
    mut response: FunctionResponse,
) -> FunctionResponse {
    for header in &function.headers {
        let is_for =
            Regex::new(&header.pattern).is_ok_and(|pattern| pattern.is_match(&request.uri));
        if !is_for {
            continue;
        }
        response.headers.retain(|(name, _)| *name != header.name);
        if !header.value.is_empty() {
            response
                .headers
                .push((header.name.clone(), header.value.clone()));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::edge_function::{FunctionHeader, PasswordDigest};

    fn run(
        function: &EdgeFunction,
        uri: &str,
        response: Option<&FunctionResponse>,
    ) -> FunctionOutcome {
        let request = FunctionRequest {
            uri: uri.to_owned(),
            query: "a=b&c".to_owned(),
            host: "127.0.0.1:8080".to_owned(),
            ..FunctionRequest::default()
        };
        let stored = function.store();
        let store = |key: &str| stored.get(key).cloned();
        let code = function.code().unwrap();
        let call = FunctionCall {
            code: &code,
            request: &request,
            response,
            store: &store,
        };
        interpret(&call).unwrap()
    }

    #[test]
    fn what_deploys_write_is_understood() {
        let mut function = EdgeFunction {
            redirects: vec![
                Redirect::new("/old", "/new"),
                Redirect::new("/docs/*", "/guide/:splat"),
            ],
            ..EdgeFunction::default()
        };
        for stored in [false, true] {
            function.stored = stored;
            for (uri, outcome) in [
                (
                    "/old",
                    FunctionOutcome::Redirect(301, "/new?a=b&c".to_owned()),
                ),
                (
                    "/docs/a",
                    FunctionOutcome::Redirect(301, "/guide/a?a=b&c".to_owned()),
                ),
                ("/x", FunctionOutcome::Uri("/x".to_owned())),
            ] {
                assert_eq!(run(&function, uri, None), outcome, "{uri}");
            }
        }
        function.password = Some(PasswordDigest::of("secret", ""));
        let FunctionOutcome::Response(asked) = run(&function, "/x", None) else {
            panic!("nobody asks");
        };
        assert_eq!(asked.status, 401);
    }

    #[test]
    fn answers_get_their_headers() {
        let header = |pattern: &str, name: &str, value: &str| FunctionHeader {
            pattern: pattern.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let function = EdgeFunction {
            headers: vec![
                header("^/a", "x-a", "1"),
                header("^/a", "server", ""),
                header("^/b", "x-b", "1"),
            ],
            ..EdgeFunction::default()
        };
        let response = FunctionResponse {
            status: 200,
            headers: vec![("server".to_owned(), "s3".to_owned())],
            body: None,
        };
        let FunctionOutcome::Response(dressed) = run(&function, "/a", Some(&response)) else {
            panic!("no answer");
        };
        assert_eq!(dressed.headers, [("x-a".to_owned(), "1".to_owned())]);
    }
}
