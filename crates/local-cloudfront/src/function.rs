//! CloudFront Functions: their code in its two stages, and what they make of requests and answers. A function does what its
//! [`FunctionKind`] says; JavaScript is run where the feature `javascript` is on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::key_values::BoundStore;

/// A function: what it does here, and the source that GetFunction returns.
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
    /// What its source says, where there is an engine (feature `javascript`) or an interpreter ([`FunctionInterpreter`]) that can
    /// say so. Passes everything elsewhere.
    Code,
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
            Self::Code => f.write_str("Code"),
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

/// A function that is run, with all that it sees.
pub struct FunctionCall<'a> {
    /// Its source.
    pub code: &'a str,
    /// What the viewer asked for, and on an answer, as it went on.
    pub request: &'a FunctionRequest,
    /// `None`: it runs on the request.
    pub response: Option<&'a FunctionResponse>,
    /// What the key value store that it is associated with holds under a key.
    pub store: &'a dyn Fn(&str) -> Option<String>,
}

/// Says what a function does, by its source. `None` for a source that it does not understand: an engine runs that, if there is one.
pub type FunctionInterpreter = dyn Fn(&FunctionCall<'_>) -> Option<FunctionOutcome> + Send + Sync;

/// The stages of one function. `live` is what edges run.
#[derive(Clone, Debug)]
pub(crate) struct Stages {
    pub development: Function,
    pub live: Option<Function>,
    pub comment: String,
    /// The KeyValueStore's ARN that each stage is associated with.
    pub development_store: Option<String>,
    pub live_store: Option<String>,
}

/// A viewer's request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionRequest {
    /// HTTP's, in capitals.
    pub method: String,
    /// The path, percent-encoded, with its leading slash.
    pub uri: String,
    /// As sent, without its `?`.
    pub query: String,
    /// The value of the Host header.
    pub host: String,
    /// All headers but Host, names in lower case.
    pub headers: Vec<(String, String)>,
}

/// An answer that a function makes or changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionResponse {
    /// HTTP's.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole of it. `None`: a new answer has none, a changed one keeps its own.
    pub body: Option<Vec<u8>>,
}

/// What a function makes of a request or of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionOutcome {
    /// The request goes on under this URI, which is also what the answer is kept under.
    Uri(String),
    /// Status and Location.
    Redirect(u16, String),
    /// The request goes on as it is here.
    Request(FunctionRequest),
    /// The viewer is answered this.
    Response(FunctionResponse),
    /// It failed, and the viewer is answered 503. Why.
    Failed(String),
}

/// What a function has around it when it runs. An engine looks at some of it, and at the rest whoever is asked without one.
#[allow(dead_code)]
#[derive(Clone, Default)]
pub(crate) struct FunctionScope<'a> {
    pub distribution_id: &'a str,
    pub distribution_domain: &'a str,
    /// The KeyValueStore that it is associated with.
    pub store: Option<BoundStore>,
    pub interpreter: Option<&'a FunctionInterpreter>,
}

pub(crate) fn function_arn(name: &str) -> String {
    format!("arn:aws:cloudfront::111122223333:function/{name}")
}

impl Function {
    /// Knows the sources that this crate has; what any other does is for an engine to say.
    pub fn of(code: String) -> Self {
        let does = match code.as_str() {
            INDEX_FUNCTION => FunctionKind::Index,
            FOLDERS_FUNCTION => FunctionKind::Folders,
            _ => FunctionKind::Code,
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

    /// Runs it on a viewer's request.
    pub(crate) fn run(
        &self,
        request: &FunctionRequest,
        scope: &FunctionScope<'_>,
    ) -> FunctionOutcome {
        let uri = request.uri.as_str();
        match &self.does {
            FunctionKind::Nothing => FunctionOutcome::Uri(uri.to_owned()),
            FunctionKind::Index => FunctionOutcome::Uri(indexed(uri, "index.html", true)),
            FunctionKind::Folders => FunctionOutcome::Uri(indexed(uri, "index.html", false)),
            FunctionKind::Redirects(table) => match table.get(uri) {
                None => FunctionOutcome::Uri(uri.to_owned()),
                Some(location) => FunctionOutcome::Redirect(301, location.clone()),
            },
            FunctionKind::Code => {
                let interpreted = scope.interpret(&self.code, request, None);
                interpreted.unwrap_or_else(|| run(&self.code, request, scope))
            }
            FunctionKind::Custom(run) => run(uri, &request.query),
        }
    }

    /// Runs it on an answer, which passes where no engine can run it.
    pub(crate) fn respond(
        &self,
        request: &FunctionRequest,
        response: FunctionResponse,
        scope: &FunctionScope<'_>,
    ) -> FunctionOutcome {
        match &self.does {
            FunctionKind::Code => {
                let interpreted = scope.interpret(&self.code, request, Some(&response));
                interpreted.unwrap_or_else(|| change(&self.code, (request, response), scope))
            }
            _ => FunctionOutcome::Response(response),
        }
    }
}

impl FunctionScope<'_> {
    /// Asks the interpreter what a source does.
    fn interpret(
        &self,
        code: &str,
        request: &FunctionRequest,
        response: Option<&FunctionResponse>,
    ) -> Option<FunctionOutcome> {
        let store = |key: &str| self.store.as_ref()?.values.get(key).cloned();
        let call = FunctionCall {
            code,
            request,
            response,
            store: &store,
        };
        self.interpreter?(&call)
    }
}

#[cfg(feature = "javascript")]
fn run(code: &str, request: &FunctionRequest, scope: &FunctionScope<'_>) -> FunctionOutcome {
    super::javascript::run(code, request, scope)
}

/// Passes the request: nobody here understands the source.
#[cfg(not(feature = "javascript"))]
fn run(_: &str, request: &FunctionRequest, _: &FunctionScope<'_>) -> FunctionOutcome {
    FunctionOutcome::Uri(request.uri.clone())
}

#[cfg(feature = "javascript")]
fn change(
    code: &str,
    (request, response): (&FunctionRequest, FunctionResponse),
    scope: &FunctionScope<'_>,
) -> FunctionOutcome {
    super::javascript::change(code, request, &response, scope)
}

#[cfg(not(feature = "javascript"))]
fn change(
    _: &str,
    (_, response): (&FunctionRequest, FunctionResponse),
    _: &FunctionScope<'_>,
) -> FunctionOutcome {
    FunctionOutcome::Response(response)
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
