//! Requests as the log and rules see them.

use std::time::SystemTime;

/// Which of the services a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Objects and buckets.
    S3,
    /// Distributions, functions, invalidations and KeyValueStores.
    CloudFront,
    /// What is in a KeyValueStore.
    KeyValueStore,
    /// Stacks.
    CloudFormation,
    /// Who one is.
    Sts,
    /// Certificates.
    Acm,
    /// What the account has of a type of CloudFormation's.
    CloudControl,
}

impl Service {
    /// Of its XML.
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::CloudFormation => "http://cloudformation.amazonaws.com/doc/2010-05-15/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            _ => "http://cloudfront.amazonaws.com/doc/2020-05-31/",
        }
    }
}

/// A request as rules and the log see it.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// Counts from 1 over both services and never starts again.
    pub number: u64,
    /// Which it is for.
    pub service: Service,
    /// That it is signed for; empty for one that is not signed.
    pub region: String,
    /// As AWS names it (`PutObject`, `CreateInvalidation`), or empty where it is none that is known.
    pub operation: &'static str,
    /// HTTP's, in capitals.
    pub method: String,
    /// As sent, percent-encoded.
    pub path: String,
    /// As sent, without the `?`.
    pub query: String,
    /// Of S3; empty for the others.
    pub bucket: String,
    /// Of S3, decoded; empty for a request about the bucket.
    pub key: String,
}

impl RequestInfo {
    /// True for what changes a bucket or a stack, or begins an invalidation.
    pub fn writes(&self) -> bool {
        let reads = ["Describe", "Detect", "Get", "List", "Validate"];
        let is_read = || reads.iter().any(|verb| self.operation.starts_with(verb));
        match self.service {
            Service::S3 | Service::CloudFront | Service::KeyValueStore => {
                self.method != "GET" && self.method != "HEAD"
            }
            _ => !is_read(),
        }
    }
}

/// One line of the request log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// What was asked.
    pub request: RequestInfo,
    /// When it came, by the world's clock.
    pub at: SystemTime,
    /// `None` while it runs, and for one that was never answered.
    pub status: Option<u16>,
    /// Content-Length of the request, 0 without one.
    pub bytes_in: u64,
    /// Length of the answer's body, as far as it was known beforehand.
    pub bytes_out: u64,
}
