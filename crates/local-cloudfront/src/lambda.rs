//! Lambda@Edge: what functions do to requests and answers on their way, told by closures. Nothing here runs their code.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::distribution::Behavior;

/// A Lambda function that a behavior is associated with.
#[derive(Clone, Debug)]
pub struct Lambda {
    /// Its name, which its ARN has.
    pub name: String,
    /// When it runs.
    pub event: LambdaEvent,
    /// What it does then.
    pub does: LambdaKind,
}

/// When a Lambda function runs (Developer Guide, "CloudFront events that can trigger a Lambda@Edge function").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LambdaEvent {
    /// For each viewer: what it makes of the URI is what the answer is kept under.
    ViewerRequest,
    /// Before the origin is asked: the answer is kept under the URI of before.
    OriginRequest,
    /// When the origin answered, with an error too, and before that is kept.
    OriginResponse,
    /// Before each viewer is answered, unless the origin's answer was an error.
    ViewerResponse,
}

/// What a Lambda function does.
#[derive(Clone)]
pub enum LambdaKind {
    /// Makes another URI of a request's; of use with the two request events.
    Uri(Arc<dyn Fn(&str) -> String + Send + Sync>),
    /// Changes an answer; of use with the two response events.
    Response(Arc<dyn Fn(&mut LambdaResponse) + Send + Sync>),
    /// Passes everything.
    Nothing,
}

/// An answer as a Lambda function has it in hand.
#[derive(Clone, Debug, Default)]
pub struct LambdaResponse {
    /// HTTP's. A 200 made of an error is kept like any other.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole of it, though AWS shows it to no function: it can only be replaced there.
    pub body: Bytes,
}

impl fmt::Debug for LambdaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uri(_) => "Uri(..)",
            Self::Response(_) => "Response(..)",
            Self::Nothing => "Nothing",
        })
    }
}

impl LambdaEvent {
    /// Its name in LambdaFunctionAssociations.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ViewerRequest => "viewer-request",
            Self::OriginRequest => "origin-request",
            Self::OriginResponse => "origin-response",
            Self::ViewerResponse => "viewer-response",
        }
    }
}

impl Lambda {
    /// The ARN of its first version: Lambda@Edge takes numbered ones only.
    pub(crate) fn arn(&self) -> String {
        format!(
            "arn:aws:lambda:us-east-1:111122223333:function:{}:1",
            self.name
        )
    }
}

impl Behavior {
    fn lambdas_at(&self, event: LambdaEvent) -> impl Iterator<Item = &LambdaKind> {
        let lambdas = self.lambdas.iter();
        let lambdas = lambdas.filter(move |lambda| lambda.event == event);
        lambdas.map(|lambda| &lambda.does)
    }

    /// Returns what the functions of a request event make of a URI.
    pub(crate) fn rewritten(&self, event: LambdaEvent, uri: String) -> String {
        self.lambdas_at(event).fold(uri, |uri, does| match does {
            LambdaKind::Uri(rewrite) => rewrite(&uri),
            _ => uri,
        })
    }

    /// Returns what the functions of a response event make of an answer.
    pub(crate) fn changed(
        &self,
        event: LambdaEvent,
        mut response: LambdaResponse,
    ) -> LambdaResponse {
        for does in self.lambdas_at(event) {
            if let LambdaKind::Response(change) = does {
                change(&mut response);
            }
        }
        response
    }
}
