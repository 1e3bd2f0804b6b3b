//! Why CloudFront does not take a response headers policy: its quotas, and the headers that it lets nobody touch.

use thiserror::Error;

use crate::rules::rule_check::is_header_name;

/// Why a policy cannot be as it is wanted. Sorted from what one header does wrong to what all do together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unfit {
    #[error("`{0}` is not a name of a header")]
    HeaderName(String),
    #[error("CloudFront lets nobody send or remove {0}")]
    Untouchable(String),
    #[error("a response headers policy cannot send `{0}: {1}`")]
    Value(String, String),
    #[error("a response headers policy sends {0} with at most {LONGEST_VALUE} characters")]
    TooLong(String),
    #[error(
        "`{0}` is not a name of a response headers policy: letters, digits, - and _, at most {LONGEST_LABEL}"
    )]
    PolicyName(String),
    #[error("the comment of a response headers policy has at most {LONGEST_LABEL} characters")]
    Comment,
    #[error(
        "a response headers policy sends at most {MOST_HEADERS} headers besides those for security and CORS, and these are {0}"
    )]
    TooManySent(usize),
    #[error(
        "a response headers policy sends at most {MOST_CHARACTERS} characters of headers besides those for security and CORS"
    )]
    TooMuchSent,
    #[error("a response headers policy removes at most {MOST_HEADERS} headers, and these are {0}")]
    TooManyRemoved(usize),
    #[error("with access-control-allow-credentials, CloudFront takes no * in other CORS headers")]
    CredentialsForAll,
    #[error("a response headers policy has to send or remove something")]
    Empty,
}

/// Custom headers, and removed ones.
pub(super) const MOST_HEADERS: usize = 10;
/// Names and values of all custom headers together.
pub(super) const MOST_CHARACTERS: usize = 10_240;
pub(super) const LONGEST_NAME: usize = 256;
pub(super) const LONGEST_VALUE: usize = 1783;
/// A policy's name, and its comment.
pub(super) const LONGEST_LABEL: usize = 128;

/// Refuses what is no name of a header and what no policy may send or remove ("Headers that you can't remove"). `name` is in lower
/// case.
pub(super) fn touchable(name: &str) -> Result<(), Unfit> {
    const PREFIXES: [&str; 2] = ["x-amz-cf-", "x-edge-"];
    const NAMES: &[&str] = &[
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "warning",
        "x-accel-buffering",
        "x-accel-charset",
        "x-accel-limit-rate",
        "x-accel-redirect",
        "x-amzn-auth",
        "x-amzn-cf-billing",
        "x-amzn-cf-id",
        "x-amzn-cf-xff",
        "x-amzn-errortype",
        "x-amzn-fle-profile",
        "x-amzn-header-count",
        "x-amzn-header-order",
        "x-amzn-lambda-integration-tag",
        "x-amzn-requestid",
        "x-cache",
        "x-forwarded-proto",
        "x-real-ip",
    ];
    if !is_header_name(name) || name.len() > LONGEST_NAME {
        return Err(Unfit::HeaderName(name.to_owned()));
    }
    if NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(Unfit::Untouchable(name.to_owned()));
    }
    Ok(())
}
