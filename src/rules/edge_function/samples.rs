//! Requests that show what a function does, for CloudFront's own test of the code before viewers meet it.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value, json};

use super::{EdgeFunction, FunctionAnswer, LEFT_ALONE, ViewerRequest};
use crate::rules::redirect::{ANY, Redirect, normal_path, sampled};

/// The most samples: each is a request to AWS.
const MAX_SAMPLES: usize = 12;
/// Of those, the ones that show redirects.
const MAX_REDIRECTS: usize = 8;
/// `any:` and a password that is none: the right one is known by its digest alone.
const WRONG: &str = "Basic YW55Og==";

impl EdgeFunction {
    /// Returns requests that show each kind of thing that it does. What lies behind a password they cannot show: the code is tested as
    /// it will be published, and asks each of them for it.
    pub fn samples(&self) -> Vec<ViewerRequest> {
        let host = self.canonical_host.as_deref();
        let host = host.map_or_else(|| format!("{ANY}.example"), str::to_ascii_lowercase);
        let plain = |uri: &str| ViewerRequest {
            uri: uri.to_owned(),
            host: host.clone(),
            ..ViewerRequest::default()
        };
        if self.password.is_some() {
            let wrong = ViewerRequest {
                authorization: Some(WRONG.to_owned()),
                ..plain("/")
            };
            return vec![plain("/"), wrong];
        }
        let mut samples = Vec::new();
        let mut shown = BTreeSet::new();
        for redirect in self.redirects.iter().filter(|own| is_testable(own)) {
            let kinds = kinds(redirect);
            if samples.len() < MAX_REDIRECTS && !shown.is_superset(&kinds) {
                shown.extend(kinds);
                samples.push(sample(redirect, plain("/")));
            }
        }
        if self.canonical_host.is_some() {
            samples.push(ViewerRequest {
                host: format!("other.{ANY}.example"),
                query: vec![("a".to_owned(), "b".to_owned())],
                ..plain(&format!("/{ANY}"))
            });
        }
        let ending = self.rewrite.endings.first();
        samples.extend(ending.map(|ending| plain(&format!("/{ANY}{ending}"))));
        samples.extend([plain(&format!("/{ANY}/")), plain(&format!("/{ANY}"))]);
        samples.truncate(MAX_SAMPLES);
        samples
    }
}

/// Tells whether a test can ask for it: CloudFront wants the names in a test's query in lower case.
fn is_testable(redirect: &Redirect) -> bool {
    let mut names = redirect.query.keys();
    redirect.status != LEFT_ALONE
        && !names.any(|name| name.contains(|letter: char| letter.is_ascii_uppercase()))
}

/// Returns what a sample of a redirect shows.
fn kinds(redirect: &Redirect) -> BTreeSet<String> {
    let segments = || redirect.path().split('/');
    let is_wild = segments().any(|segment| segment == "*");
    let kinds = [
        (redirect.is_plain(), "plain"),
        (redirect.host().is_some(), "host"),
        (!redirect.query.is_empty(), "query"),
        (is_wild, "wildcard"),
        (segments().any(|segment| segment.starts_with(':')), "name"),
    ];
    let kinds = kinds.into_iter().filter(|(is_shown, _)| *is_shown);
    let kinds = kinds.map(|(_, kind)| kind.to_owned());
    kinds.chain([redirect.status.to_string()]).collect()
}

/// Returns a request that a redirect is for, like the given one otherwise.
fn sample(redirect: &Redirect, like: ViewerRequest) -> ViewerRequest {
    let query = redirect.query.iter();
    ViewerRequest {
        uri: normal_path(&redirect.sample()),
        host: redirect.host().map_or(like.host, str::to_ascii_lowercase),
        query: query
            .map(|(name, value)| (name.clone(), sampled(value)))
            .collect(),
        authorization: None,
    }
}

impl ViewerRequest {
    /// Writes the event that a function sees (CloudFront Developer Guide, "CloudFront Functions event structure"), in JSON.
    pub fn event(&self) -> String {
        let value = |text: &str| json!({ "value": text });
        let query = self.query.iter();
        let query: Map<String, Value> = query
            .map(|(name, text)| (name.clone(), value(text)))
            .collect();
        let mut headers = json!({ "host": value(&self.host) });
        if let Some(authorization) = &self.authorization {
            headers["authorization"] = value(authorization);
        }
        let event = json!({
            "version": "1.0",
            "context": { "eventType": "viewer-request" },
            "viewer": { "ip": "198.51.100.7" },
            "request": {
                "method": "GET", "uri": self.uri, "querystring": query, "headers": headers, "cookies": {},
            },
        });
        event.to_string()
    }
}

impl fmt::Display for ViewerRequest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.host, self.uri)?;
        for (number, (name, value)) in self.query.iter().enumerate() {
            let mark = if number == 0 { '?' } else { '&' };
            write!(out, "{mark}{name}={value}")?;
        }
        Ok(())
    }
}

impl FunctionAnswer {
    /// Reads what a function returned, in JSON. `None`: it is none of what ours return.
    pub fn read(output: &str) -> Option<Self> {
        let output: Value = serde_json::from_str(output).ok()?;
        if let Some(uri) = output.pointer("/request/uri") {
            return Some(Self::Pass(uri.as_str()?.to_owned()));
        }
        let status = output.pointer("/response/statusCode")?.as_u64()?;
        if status == 401 {
            return Some(Self::AskPassword);
        }
        let location = output.pointer("/response/headers/location/value")?;
        Some(Self::Redirect {
            status: status.try_into().ok()?,
            location: location.as_str()?.to_owned(),
        })
    }
}

impl fmt::Display for FunctionAnswer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass(uri) => write!(out, "{uri}"),
            Self::Redirect { status, location } => write!(out, "{status} to {location}"),
            Self::AskPassword => out.write_str("401"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PasswordDigest, PathRewrite};
    use super::*;

    fn asked(function: &EdgeFunction) -> Vec<String> {
        let samples = function.samples();
        let asked = samples
            .iter()
            .map(|request| format!("{request}: {}", function.answer(request)));
        asked.collect()
    }

    #[test]
    fn each_kind_of_thing_is_shown_once() {
        let redirect = |from: &str, to: &str, status| Redirect {
            status,
            ..Redirect::new(from, to)
        };
        let mut queried = redirect("/store", "/blog/:id", 301);
        queried.query.insert("id".to_owned(), ":id".to_owned());
        let mut shouted = queried.clone();
        shouted.query.insert("ID".to_owned(), "1".to_owned());
        let function = EdgeFunction {
            redirects: vec![
                redirect("/a", "/b", 301),
                redirect("/c", "/d", 301),
                redirect("/e é", "/f", 302),
                redirect("/docs/*", "/guide/:splat", 302),
                redirect("/news/:year", "/blog/:year", 301),
                redirect("https://Old.example/*", "https://new.example/:splat", 301),
                shouted,
                queried,
                redirect("/app/*", "/app/index.html", 200),
            ],
            canonical_host: Some("www.example.com".to_owned()),
            rewrite: PathRewrite {
                index: Some("index.html".to_owned()),
                bare_folders: true,
                endings: vec![".html".to_owned()],
                kept: Vec::new(),
            },
            ..EdgeFunction::default()
        };
        assert_eq!(
            asked(&function),
            [
                "www.example.com/a: 301 to /b",
                "www.example.com/e%20%C3%A9: 302 to /f",
                "www.example.com/docs/sample/page: 302 to /guide/sample/page",
                "www.example.com/news/sample: 301 to /blog/sample",
                "old.example/sample/page: 301 to https://new.example/sample/page",
                "www.example.com/store?id=sample: 301 to /blog/sample",
                "www.example.com/app/sample/page: /app/index.html",
                "other.sample.example/sample?a=b: 301 to https://www.example.com/sample?a=b",
                "www.example.com/sample.html: 301 to /sample",
                "www.example.com/sample/: /sample/index.html",
                "www.example.com/sample: /sample/index.html",
            ]
        );
    }

    #[test]
    fn a_password_is_asked_for_whoever_comes() {
        let function = EdgeFunction {
            password: Some(PasswordDigest::of("x", "s3://b/")),
            redirects: vec![Redirect::new("/a", "/b")],
            ..EdgeFunction::default()
        };
        assert_eq!(asked(&function), ["sample.example/: 401"; 2]);
        let wrong = function.samples().pop();
        assert!(
            wrong
                .unwrap()
                .event()
                .contains(r#""authorization":{"value":"Basic "#)
        );
    }

    #[test]
    fn answers_are_read_as_cloudfront_writes_them() {
        let redirect = |status, location: &str| FunctionAnswer::Redirect {
            status,
            location: location.to_owned(),
        };
        for (output, answer) in [
            (
                r#"{"request":{"headers":{},"uri":"/a"}}"#,
                Some(FunctionAnswer::Pass("/a".to_owned())),
            ),
            (
                r#"{"response":{"statusCode":308,"headers":{"location":{"value":"/b"}}}}"#,
                Some(redirect(308, "/b")),
            ),
            (
                r#"{"response":{"statusCode":401,"headers":{}}}"#,
                Some(FunctionAnswer::AskPassword),
            ),
            (r#"{"response":{"statusCode":200}}"#, None),
            ("", None),
        ] {
            assert_eq!(FunctionAnswer::read(output), answer, "{output}");
        }
    }
}
