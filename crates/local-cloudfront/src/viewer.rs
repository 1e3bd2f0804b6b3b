//! One edge as viewers have it, in process or over HTTP.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response};

use super::clock::http_date;
use super::edge::Answer;
use super::feed::{EdgeEvent, EdgeName};
use super::function::FunctionRequest;
use super::http;
use super::partial::PartialRequest;
use super::reload::PageScript;
use super::world::Shared;

/// One edge, asked in process.
#[derive(Clone)]
pub struct EdgeHandle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) distribution: String,
    /// Counted from 0.
    pub number: usize,
    /// What HTML is to load besides.
    pub(crate) script: Option<Arc<PageScript>>,
}

impl EdgeHandle {
    /// Answers a viewer who asks for a path with or without a query string, percent-encoded as a browser sends it.
    pub async fn get(&self, path_and_query: &str) -> Answer {
        self.request(path_and_query, &[]).await
    }

    /// Answers a viewer who sends these headers, names in any case. The host is the distribution's first alias, or else its domain,
    /// where there is no `host` among them.
    pub async fn request(&self, path_and_query: &str, headers: &[(&str, &str)]) -> Answer {
        let owned = |(name, value): &(&str, &str)| (name.to_lowercase(), (*value).to_owned());
        self.ask("GET", path_and_query, headers.iter().map(owned).collect())
    }

    fn ask(&self, method: &str, target: &str, mut headers: Vec<(String, String)>) -> Answer {
        let target = target.split('#').next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let hosts = headers.extract_if(.., |(name, _)| name == "host");
        let host = hosts.last().map(|(_, value)| value).unwrap_or_default();
        let partial = PartialRequest::of(method, &headers);
        let request = FunctionRequest {
            method: method.to_owned(),
            uri: path.to_owned(),
            query: query.to_owned(),
            host: host.clone(),
            headers,
        };
        let shared = &self.shared;
        let edge = (self.distribution.as_str(), self.number);
        let answer = shared.cloud.get(&shared.store, edge, request);
        partial.answered(match &self.script {
            Some(script) => script.added_to(answer, &host, shared.cloud.feed.pages()),
            None => answer,
        })
    }

    /// Lists what it keeps: paths with their query strings where those belong to the key.
    pub fn entries(&self) -> Vec<String> {
        let cache = self.shared.cloud.cache(&self.distribution, self.number);
        cache.map(|cache| cache.keys()).unwrap_or_default()
    }

    /// Counts how often it asked an origin.
    pub fn fetches(&self) -> u64 {
        let cache = self.shared.cloud.cache(&self.distribution, self.number);
        cache.map_or(0, |cache| cache.fetches())
    }

    /// Forgets everything, as an edge does that has not been asked for long.
    pub fn chill(&self) {
        if let Some(cache) = self.shared.cloud.cache(&self.distribution, self.number) {
            cache.clear();
            let edge = EdgeName(self.distribution.clone(), self.number);
            self.shared.cloud.feed.tell(|| EdgeEvent::Cleared { edge });
        }
    }

    pub(crate) fn answer(&self, request: &Request<Incoming>) -> Response<s3s::Body> {
        let head = request.method() == Method::HEAD;
        if !head && request.method() != Method::GET {
            return http::xml(403, Vec::new());
        }
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let headers = request.headers().iter();
        let headers = headers.filter_map(|(name, value)| {
            let value = value.to_str().ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        });
        let answer = self.ask(request.method().as_str(), target, headers.collect());
        let length = answer.body.len();
        let body = if head { Bytes::new() } else { answer.body };
        let mut response = Response::new(s3s::Body::from(body));
        *response.status_mut() = answer.status.try_into().unwrap_or_default();
        let headers = response.headers_mut();
        for (name, value) in &answer.headers {
            let name = hyper::header::HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
        if answer.status != 304 {
            headers.insert("content-length", HeaderValue::from(length));
        }
        if let Ok(date) = HeaderValue::from_str(&http_date(self.shared.clock.now())) {
            headers.insert("date", date);
        }
        response
    }
}
