//! Viewer-request functions: their code in its two stages, what it does here, and what it makes of a request.

use std::collections::BTreeMap;

use crate::domain::function::{self, Rewrite};
use crate::domain::redirects::Redirect;

/// A viewer-request function: what it does here, and the source that GetFunction returns.
#[derive(Clone, Debug)]
pub struct Function {
    pub code: String,
    pub does: FunctionKind,
}

#[derive(Clone, Debug)]
pub enum FunctionKind {
    /// `/` at the end gets `index.html`, a last segment without a dot gets `/index.html`.
    Index,
    /// 301 by path; anything else passes.
    Redirects(BTreeMap<String, String>),
    /// What `unstale` writes, by the tables in its code.
    Written(Vec<Redirect>, Rewrite),
    /// Passes everything.
    Nothing,
}

/// The source of a function that does what [`FunctionKind::Index`] does.
pub const INDEX_FUNCTION: &str = "function handler(event) {
  var request = event.request;
  var uri = request.uri;
  if (uri.endsWith('/')) {
    request.uri += 'index.html';
  } else if (!uri.split('/').pop().includes('.')) {
    request.uri += '/index.html';
  }
  return request;
}
";

/// The stages of one function. `live` is what edges run.
#[derive(Clone, Debug)]
pub(super) struct Stages {
    pub development: Function,
    pub live: Option<Function>,
    pub comment: String,
}

/// What a function makes of a request: another URI, or an answer of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Uri(String),
    Redirect(u16, String),
}

pub fn function_arn(name: &str) -> String {
    format!("arn:aws:cloudfront::111122223333:function/{name}")
}

impl Function {
    /// Understands the sources that are known here; any other passes everything.
    pub fn of(code: String) -> Self {
        let does = match function::read(&code) {
            Some((redirects, rewrite)) => FunctionKind::Written(redirects, rewrite),
            None if code == INDEX_FUNCTION => FunctionKind::Index,
            None => FunctionKind::Nothing,
        };
        Self { code, does }
    }

    pub(super) fn run(&self, uri: &str, query: &str) -> Outcome {
        match &self.does {
            FunctionKind::Nothing => Outcome::Uri(uri.to_owned()),
            FunctionKind::Index => Outcome::Uri(indexed(uri, "index.html", true)),
            FunctionKind::Redirects(table) => match table.get(uri) {
                None => Outcome::Uri(uri.to_owned()),
                Some(place) => Outcome::Redirect(301, place.clone()),
            },
            FunctionKind::Written(redirects, rewrite) => written(redirects, rewrite, uri, query),
        }
    }
}

/// What the code does that `domain::function` writes.
fn written(redirects: &[Redirect], rewrite: &Rewrite, uri: &str, query: &str) -> Outcome {
    let leading = |status, mut to: String| {
        if !query.is_empty() && !to.contains(['?', '#']) {
            to = format!("{to}?{query}");
        }
        Outcome::Redirect(status, to)
    };
    let found = redirects
        .iter()
        .find_map(|one| Some((one.status, one.location(uri)?)));
    if let Some((status, to)) = found {
        return leading(status, to);
    }
    let last = uri.rsplit('/').next().unwrap_or_default();
    let is_kept = rewrite.kept.iter().any(|kept| kept == uri);
    for end in rewrite.endings.iter().filter(|_| !is_kept) {
        let stem = last.strip_suffix(end.as_str()).unwrap_or_default();
        if !stem.is_empty() && stem != "index" {
            return leading(
                301,
                uri.strip_suffix(end.as_str()).unwrap_or(uri).to_owned(),
            );
        }
    }
    Outcome::Uri(match &rewrite.index {
        Some(index) => indexed(uri, index, rewrite.bare_folders),
        None => uri.to_owned(),
    })
}

fn indexed(uri: &str, index: &str, bare: bool) -> String {
    let last = uri.rsplit('/').next().unwrap_or_default();
    match last {
        "" => format!("{uri}{index}"),
        last if bare && !last.contains('.') => format!("{uri}/{index}"),
        _ => uri.to_owned(),
    }
}
