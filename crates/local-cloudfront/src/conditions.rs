//! If-Match and its kin, of reads and of writes.

use s3s::dto::{ETagCondition, Timestamp};
use s3s::{S3Result, s3_error};

use super::bucket::{Object, Version};
use super::fields::{expires_text, quoted, timestamp};
use super::store::{Expect, StoreError};

/// The ETag that a condition names, without quotes; `*` is kept as such.
fn condition(given: Option<ETagCondition>) -> Option<String> {
    given.map(|given| match given {
        ETagCondition::Any => "*".to_owned(),
        ETagCondition::ETag(etag) => etag.value().to_owned(),
    })
}

/// If-Match and If-None-Match of a write. S3 takes no If-None-Match but `*`.
pub(crate) fn expectation(
    is: Option<ETagCondition>,
    not: Option<ETagCondition>,
) -> S3Result<Expect> {
    if matches!(not, Some(ETagCondition::ETag(_))) {
        return Err(s3_error!(
            NotImplemented,
            "A header you provided implies functionality that is not implemented"
        ));
    }
    Ok(Expect {
        is: condition(is),
        absent: not.is_some(),
    })
}

/// What a GET, a HEAD or a copy asks of its object.
pub(crate) struct ReadConditions {
    pub is: Option<ETagCondition>,
    pub not: Option<ETagCondition>,
    pub since: Option<Timestamp>,
    pub unless: Option<Timestamp>,
}

impl ReadConditions {
    /// The conditions of GET and HEAD (RFC 9110, 13.2.2). 304 is an error to the protocol layer.
    pub(crate) fn check(self, version: &Version, object: &Object) -> S3Result<()> {
        let matches = |wanted: &str| wanted == "*" || wanted == object.etag;
        // Headers have whole seconds.
        let modified = timestamp(version.modified / 1000 * 1000);
        let failed = match condition(self.is) {
            Some(wanted) => !matches(&wanted),
            None => self.unless.is_some_and(|unless| modified > unless),
        };
        if failed {
            return Err(StoreError::PreconditionFailed.into());
        }
        let unchanged = match condition(self.not) {
            Some(known) => matches(&known),
            None => self.since.is_some_and(|since| modified <= since),
        };
        if unchanged {
            return Err(not_modified(version, object));
        }
        Ok(())
    }
}

fn not_modified(version: &Version, object: &Object) -> s3s::S3Error {
    let mut error = s3_error!(NotModified);
    error.set_status_code(hyper::StatusCode::NOT_MODIFIED);
    let mut headers = hyper::HeaderMap::new();
    let mut set = |name: &'static str, value: Option<String>| {
        if let Some(value) = value.and_then(|value| value.parse().ok()) {
            headers.insert(name, value);
        }
    };
    set("etag", Some(quoted(&object.etag)));
    set("cache-control", object.headers.cache_control.clone());
    set(
        "last-modified",
        expires_text(Some(&timestamp(version.modified))),
    );
    error.set_headers(headers);
    error
}

/// CopyObject's own If-Match and If-None-Match, which the protocol layer does not read.
pub(crate) fn write_conditions(headers: &hyper::HeaderMap) -> S3Result<Expect> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Ok(Expect {
        is: text("if-match").map(|etag| etag.trim_matches('"').to_owned()),
        absent: text("if-none-match") == Some("*"),
    })
}
