//! STS: who one is. Everybody is the same user of the account that owns the buckets.

use hyper::Response;
use s3s::Body;

use super::form::{Form, answered, unknown};
use super::request::{RequestInfo, Service};
use super::xml::leaf;

/// The account that everything here belongs to, unless a bucket's options say otherwise.
pub(crate) const ACCOUNT: &str = "111122223333";

/// The operation that a request is for; empty for an unknown one.
pub(super) fn operation(form: &Form) -> &'static str {
    match form.text("Action") {
        "GetCallerIdentity" => "GetCallerIdentity",
        _ => "",
    }
}

/// Answers one request of the API.
pub(super) fn answer(info: &RequestInfo) -> Response<Body> {
    if info.operation.is_empty() {
        return unknown(Service::Sts);
    }
    let said = vec![
        leaf("Arn", format!("arn:aws:iam::{ACCOUNT}:user/local")),
        leaf("UserId", "AIDACKCEVSQ6C2EXAMPLE"),
        leaf("Account", ACCOUNT),
    ];
    answered(info, said)
}
