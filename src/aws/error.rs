//! What S3 or CloudFront answered when it did not do as asked, sorted by what can be done about it.

use std::fmt;

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::metadata::ErrorMetadata;

/// How one signs in where no profile is named.
pub const SIGN_IN: &str = "`aws sso login`";

/// A request that failed for good, retries included.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{action} on {resource} failed: {message}")]
pub struct AwsError {
    /// As IAM names it: `s3:PutObject`.
    pub action: &'static str,
    /// What it was asked of: `s3://bucket/key` or a distribution's id.
    pub resource: String,
    pub kind: AwsErrorKind,
    /// The HTTP status, 0 where there was no answer.
    pub status: u16,
    /// The error's code and message as the service or the SDK says them.
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwsErrorKind {
    AccessDenied,
    NoSuchBucket,
    NoSuchDistribution,
    /// The bucket lives in another region, if the answer said which.
    WrongRegion(Option<String>),
    NoCredentials,
    /// Credentials that are expired or that the service does not know.
    BadCredentials,
    /// Nobody signed in by SSO, or too long ago.
    SignedOut,
    /// Our clock less the service's, in seconds, where the answer told its own.
    ClockSkewed(Option<i64>),
    NotFound,
    /// 412: a condition did not hold.
    Precondition,
    /// 409: lost a race with another writer.
    Conflict,
    NotImplemented,
    /// 503, 429 and CloudFront's own words for it.
    Throttled,
    /// What was sent was not what arrived.
    BadDigest,
    TooManyInvalidations,
    BatchTooLarge,
    /// The reference was used with other paths before.
    InvalidationExists,
    InvalidArgument,
    /// The object lies in an archive (S3 Glacier), which answers nobody before it is restored.
    Archived,
    /// A change would lose what is configured there: this version does not know it.
    UnknownField,
    /// No connection, or none that lasted.
    Unreachable,
    TimedOut,
    /// The answer was no S3's or CloudFront's: a page of HTML, say.
    NotTheService,
    Other,
}

impl AwsError {
    /// Sorts an SDK's error.
    pub(super) fn new<E>(
        action: &'static str,
        resource: String,
        error: SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let answer = error.raw_response();
        let status = answer.map_or(0, |answer| answer.status().as_u16());
        let region = answer
            .and_then(|answer| answer.headers().get("x-amz-bucket-region"))
            .map(str::to_owned);
        let nothing_said = ErrorMetadata::builder().build();
        let meta = match &error {
            SdkError::ServiceError(service) => service.err().meta(),
            _ => &nothing_said,
        };
        let code = meta.code().unwrap_or_default();
        let date = answer.and_then(|answer| answer.headers().get("date"));
        let skewed = is_skewed(code, meta.message().unwrap_or_default());
        let skewed = skewed.then(|| AwsErrorKind::ClockSkewed(skew(date)));
        let kind = skewed
            .or_else(|| kind_of_code(code, &region))
            .or_else(|| kind_of_failure(&error))
            .unwrap_or_else(|| kind_of_status(status, code, region));
        let message = match (meta.code(), meta.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            (None, _) => message_of(&error, status, &kind),
        };
        Self {
            action,
            resource,
            kind,
            status,
            message,
        }
    }

    /// Says that an answer is none that the service gives.
    pub(super) fn nonsense(
        action: &'static str,
        resource: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self {
            action,
            resource: resource.into(),
            kind: AwsErrorKind::NotTheService,
            status: 200,
            message: what.into(),
        }
    }

    /// Says that an answer ended before its body did.
    pub(super) fn broke_off(
        action: &'static str,
        resource: String,
        error: impl fmt::Display,
    ) -> Self {
        Self {
            action,
            resource,
            kind: AwsErrorKind::Unreachable,
            status: 0,
            message: format!("the answer broke off: {error}"),
        }
    }

    /// Returns the code that the service gave; what was said where it gave none.
    pub fn code(&self) -> &str {
        let (code, _) = self.message.split_once(": ").unwrap_or((&self.message, ""));
        code
    }

    pub fn is(&self, kind: &AwsErrorKind) -> bool {
        self.kind == *kind
    }

    /// Tells whether it is asked for in vain: there is no right to it, or the server does not know it.
    pub fn is_denied(&self) -> bool {
        matches!(
            self.kind,
            AwsErrorKind::AccessDenied | AwsErrorKind::NotImplemented
        )
    }

    /// Tells whether the server answered that it does not do this, whatever the reason.
    pub fn is_refused(&self) -> bool {
        let is_known = self.is_ours()
            || matches!(
                self.kind,
                AwsErrorKind::WrongRegion(_) | AwsErrorKind::ClockSkewed(_)
            );
        self.is_denied() || (400..500).contains(&self.status) && !is_known && !self.is_passing()
    }

    /// Takes the answer that there is no such thing for `None`.
    pub(super) fn if_there<T>(answer: Result<T, Self>) -> Result<Option<T>, Self> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is(&AwsErrorKind::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Tells whether trying the same later may well succeed.
    pub fn is_passing(&self) -> bool {
        matches!(
            self.kind,
            AwsErrorKind::Throttled
                | AwsErrorKind::Unreachable
                | AwsErrorKind::TimedOut
                | AwsErrorKind::Conflict
        ) || self.status >= 500 && self.kind != AwsErrorKind::NotImplemented
    }

    /// Tells whether it is the fault of the credentials here.
    fn is_ours(&self) -> bool {
        matches!(
            self.kind,
            AwsErrorKind::NoCredentials | AwsErrorKind::BadCredentials | AwsErrorKind::SignedOut
        )
    }

    /// Tells whether what was asked may have been done, or may yet be: no answer came, or one that leaves it open.
    pub fn leaves_open(&self) -> bool {
        self.status == 0 && !self.is_ours()
            || self.status >= 500 && self.kind != AwsErrorKind::NotImplemented
    }

    /// Says in a line what to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        Some(match &self.kind {
            AwsErrorKind::AccessDenied => {
                format!(
                    "allow {} on {}: `unstale policy` prints what is needed",
                    self.action,
                    self.arn(),
                )
            }
            AwsErrorKind::NoSuchBucket => {
                "check `bucket` and `state` in deploy.toml, or --bucket, and whose profile is used; `unstale setup` makes a site's bucket".into()
            }
            AwsErrorKind::NoSuchDistribution => {
                "check `distribution` in deploy.toml or --distribution: an id such as E1ABCDEF2GHIJK, an alias, auto or none".into()
            }
            AwsErrorKind::WrongRegion(Some(region)) => format!("the bucket is in {region}: set `region = \"{region}\"` or --region"),
            AwsErrorKind::WrongRegion(None) => "set `region` or --region to the bucket's region".into(),
            AwsErrorKind::NoCredentials => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile (--profile, `aws configure sso`); to try without an account: --local".into()
            }
            AwsErrorKind::BadCredentials => format!("sign in again ({SIGN_IN}, or new keys), and check --profile"),
            AwsErrorKind::SignedOut => format!("sign in: {SIGN_IN}"),
            AwsErrorKind::ClockSkewed(Some(skew)) if skew.abs() >= 60 => format!(
                "set the clock of this machine: it is {:#} {}",
                // To the minute: the answer took its time.
                jiff::SignedDuration::from_mins((skew.abs() + 30) / 60),
                if *skew > 0 { "ahead" } else { "behind" }
            ),
            AwsErrorKind::ClockSkewed(_) => "set the clock of this machine".into(),
            AwsErrorKind::Unreachable => "check the network, the region and --endpoint-url".into(),
            AwsErrorKind::NotTheService => "check --endpoint-url and AWS_ENDPOINT_URL: what answers there is not this service".into(),
            AwsErrorKind::UnknownField => "nothing was changed: a newer unstale may know it; until then make this change in the AWS console".into(),
            AwsErrorKind::Archived => "it lies in an archive: restore it first (`aws s3api restore-object`), and keep lifecycle rules off the site".into(),
            AwsErrorKind::TimedOut => "check the network; a smaller --concurrency helps a slow line".into(),
            _ => return None,
        })
    }

    fn arn(&self) -> String {
        if let Some(path) = self.resource.strip_prefix("s3://") {
            return format!("arn:aws:s3:::{}", path.trim_end_matches('/'));
        }
        match self.action {
            "cloudfront:CreateInvalidation" | "cloudfront:GetInvalidation" => {
                format!("arn:aws:cloudfront::*:distribution/{}", self.resource)
            }
            _ => self.resource.clone(),
        }
    }
}

/// Makes an SDK's error of a request ours.
pub(super) fn failed<E>(
    action: &'static str,
    resource: &str,
) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    move |error| AwsError::new(action, resource.to_owned(), error)
}

/// Sorts by the code that the service gave.
pub(super) fn kind_of_code(code: &str, region: &Option<String>) -> Option<AwsErrorKind> {
    Some(match code {
        "AccessDenied" | "AllAccessDisabled" | "AccessDeniedException" | "Forbidden" => {
            AwsErrorKind::AccessDenied
        }
        "NoSuchBucket" | "InvalidBucketName" => AwsErrorKind::NoSuchBucket,
        "NoSuchDistribution" => AwsErrorKind::NoSuchDistribution,
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "TemporaryRedirect" => AwsErrorKind::WrongRegion(region.clone()),
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidClientTokenId"
        | "InvalidToken"
        | "RequestExpired"
        | "TokenRefreshRequired" => AwsErrorKind::BadCredentials,
        "PreconditionFailed" => AwsErrorKind::Precondition,
        "ConditionalRequestConflict" | "OperationAborted" => AwsErrorKind::Conflict,
        "NotImplemented" => AwsErrorKind::NotImplemented,
        "BadDigest" | "InvalidDigest" | "XAmzContentChecksumMismatch" => AwsErrorKind::BadDigest,
        "TooManyInvalidationsInProgress" => AwsErrorKind::TooManyInvalidations,
        "BatchTooLarge" => AwsErrorKind::BatchTooLarge,
        "InvalidationBatchAlreadyExists" => AwsErrorKind::InvalidationExists,
        "InvalidArgument" => AwsErrorKind::InvalidArgument,
        "InvalidObjectState" | "ObjectNotInActiveTierError" => AwsErrorKind::Archived,
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequests" => AwsErrorKind::Throttled,
        "NoSuchKey" | "NotFound" | "NoSuchVersion" | "NoSuchUpload" | "NoSuchInvalidation" => {
            AwsErrorKind::NotFound
        }
        _ => return None,
    })
}

/// Sorts a request that got no answer; `None` where there is one.
fn kind_of_failure<E>(error: &SdkError<E, HttpResponse>) -> Option<AwsErrorKind>
where
    E: std::error::Error + 'static,
{
    match error {
        SdkError::TimeoutError(_) => Some(AwsErrorKind::TimedOut),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Some(AwsErrorKind::TimedOut),
        SdkError::DispatchFailure(failure) if failure.is_io() => Some(AwsErrorKind::Unreachable),
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => {
            Some(credentials_kind(&DisplayErrorContext(error).to_string()))
        }
        _ => None,
    }
}

/// Sorts what fails before a request is sent: it is the credentials' fault, unless the network's.
fn credentials_kind(text: &str) -> AwsErrorKind {
    let has = |part: &str| text.contains(part);
    // The instance's metadata is asked last: when it has none, nothing had.
    if has("IMDS")
        || has("no providers in chain")
        || has("credential provider was not enabled")
        || has("CredentialsNotLoaded")
    {
        AwsErrorKind::NoCredentials
    } else if has("SSO token") {
        AwsErrorKind::SignedOut
    } else if has("redentials") || has("token") || has("profile") {
        AwsErrorKind::BadCredentials
    } else {
        AwsErrorKind::Unreachable
    }
}

/// Tells whether a request was refused for its time. S3 has a code for that; others call the signature wrong, and say why (Signature
/// Version 4, "Troubleshooting").
fn is_skewed(code: &str, message: &str) -> bool {
    let says = ["Signature expired", "Signature not yet current"];
    code == "RequestTimeTooSkewed"
        || code.contains("Signature") && says.iter().any(|begin| message.starts_with(begin))
}

/// Returns our clock less the service's, in seconds, by the Date of its answer.
fn skew(date: Option<&str>) -> Option<i64> {
    let server = DateTime::from_str(date?, Format::HttpDate).ok()?;
    Some(jiff::Timestamp::now().as_second() - server.secs())
}

/// Sorts an answer whose code, if it has one, says nothing.
fn kind_of_status(status: u16, code: &str, region: Option<String>) -> AwsErrorKind {
    match status {
        301 | 307 => AwsErrorKind::WrongRegion(region),
        403 => AwsErrorKind::AccessDenied,
        // The services give every 404 a code, and the SDK one to those of HEAD.
        404 if code.is_empty() => AwsErrorKind::NotTheService,
        404 => AwsErrorKind::NotFound,
        409 => AwsErrorKind::Conflict,
        412 => AwsErrorKind::Precondition,
        413 => AwsErrorKind::BatchTooLarge,
        429 | 503 => AwsErrorKind::Throttled,
        501 => AwsErrorKind::NotImplemented,
        500.. => AwsErrorKind::Other,
        _ if code.is_empty() => AwsErrorKind::NotTheService,
        _ => AwsErrorKind::Other,
    }
}

fn message_of(error: &dyn std::error::Error, status: u16, kind: &AwsErrorKind) -> String {
    match kind {
        AwsErrorKind::NoCredentials => "no AWS credentials were found".into(),
        AwsErrorKind::NotTheService => {
            format!("the answer (status {status}) is not one of this service")
        }
        AwsErrorKind::TimedOut => "it did not answer in time".into(),
        _ if status > 0 => format!("status {status}"),
        _ => root_cause(error),
    }
}

/// Returns the innermost cause, which says most in fewest words.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_known_by_what_services_say() {
        for (code, message, skewed) in [
            ("RequestTimeTooSkewed", "", true),
            (
                "SignatureDoesNotMatch",
                "Signature expired: 2026 is now earlier than 2027",
                true,
            ),
            (
                "InvalidSignatureException",
                "Signature not yet current: 2027",
                true,
            ),
            (
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match",
                false,
            ),
            ("ExpiredToken", "Signature expired", false),
        ] {
            assert_eq!(is_skewed(code, message), skewed, "{code}: {message}");
        }
    }
}
