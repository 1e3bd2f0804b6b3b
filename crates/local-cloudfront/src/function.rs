//! Viewer-request functions: their code in its two stages, and what they make of a request. Nothing here runs JavaScript:
//! a function does what its [`FunctionKind`] says.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::written::WrittenFunction;

/// A viewer-request function: what it does here, and the source that GetFunction returns.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its source.
    pub code: String,
    /// What it does, whatever the source says.
    pub does: FunctionKind,
}

/// What a function does.
#[derive(Clone)]
pub enum FunctionKind {
    /// `/` at the end gets `index.html`, a last segment without a dot gets `/index.html`.
    Index,
    /// `/` at the end gets `index.html`.
    Folders,
    /// 301 by path; anything else passes.
    Redirects(BTreeMap<String, String>),
    /// What a function does that `unstale` writes, by the tables in its code.
    Written(WrittenFunction),
    /// Whatever a closure makes of a URI and its query string, which is without its `?`.
    Custom(Arc<CustomFunction>),
    /// Passes everything.
    Nothing,
}

impl fmt::Debug for FunctionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index => f.write_str("Index"),
            Self::Folders => f.write_str("Folders"),
            Self::Redirects(table) => f.debug_tuple("Redirects").field(table).finish(),
            Self::Written(written) => f.debug_tuple("Written").field(written).finish(),
            Self::Custom(_) => f.write_str("Custom(..)"),
            Self::Nothing => f.write_str("Nothing"),
        }
    }
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

/// The source of a function that does what [`FunctionKind::Folders`] does.
const FOLDERS_FUNCTION: &str = "function handler(event) {
  var request = event.request;
  if (request.uri.endsWith('/')) {
    request.uri += 'index.html';
  }
  return request;
}
";

type CustomFunction = dyn Fn(&str, &str) -> FunctionOutcome + Send + Sync;

/// The stages of one function. `live` is what edges run.
#[derive(Clone, Debug)]
pub(crate) struct Stages {
    pub development: Function,
    pub live: Option<Function>,
    pub comment: String,
}

/// What a function makes of a request: another URI, or an answer of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionOutcome {
    /// It goes on under this URI, which is also what the answer is kept under.
    Uri(String),
    /// Status and Location.
    Redirect(u16, String),
}

pub(crate) fn function_arn(name: &str) -> String {
    format!("arn:aws:cloudfront::111122223333:function/{name}")
}

impl Function {
    /// Understands the sources that are known here; any other passes everything.
    pub fn of(code: String) -> Self {
        let does = match WrittenFunction::read(&code) {
            Some(written) => FunctionKind::Written(written),
            None if code == INDEX_FUNCTION => FunctionKind::Index,
            None => FunctionKind::Nothing,
        };
        Self { code, does }
    }

    /// A function that answers `/dir/` with its index document, as most sites have one that are not at a website endpoint.
    pub(crate) fn folders() -> Self {
        Self {
            code: FOLDERS_FUNCTION.to_owned(),
            does: FunctionKind::Folders,
        }
    }

    pub(crate) fn run(&self, uri: &str, query: &str) -> FunctionOutcome {
        match &self.does {
            FunctionKind::Nothing => FunctionOutcome::Uri(uri.to_owned()),
            FunctionKind::Index => FunctionOutcome::Uri(indexed(uri, "index.html", true)),
            FunctionKind::Folders => FunctionOutcome::Uri(indexed(uri, "index.html", false)),
            FunctionKind::Redirects(table) => match table.get(uri) {
                None => FunctionOutcome::Uri(uri.to_owned()),
                Some(location) => FunctionOutcome::Redirect(301, location.clone()),
            },
            FunctionKind::Written(written) => written.run(uri, query),
            FunctionKind::Custom(run) => run(uri, query),
        }
    }
}

/// Appends the index document to a path that ends in a slash; if `bare`, to one whose last segment has no dot too.
pub(crate) fn indexed(uri: &str, index: &str, bare: bool) -> String {
    let last = uri.rsplit('/').next().unwrap_or_default();
    match last {
        "" => format!("{uri}{index}"),
        last if bare && !last.contains('.') => format!("{uri}/{index}"),
        _ => uri.to_owned(),
    }
}
