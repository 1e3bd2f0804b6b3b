//! What S3 or CloudFront answered when it did not do as asked, sorted by what can be done about it.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ErrorMetadata;

/// A request that failed for good, retries included.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{action} on {resource} failed: {message}")]
pub struct AwsError {
    /// As IAM names it: `s3:PutObject`.
    pub action: &'static str,
    /// What it was asked of: `s3://bucket/key` or a distribution's id.
    pub resource: String,
    pub kind: Kind,
    /// The HTTP status, 0 where there was no answer.
    pub status: u16,
    /// The error's code and message as the service or the SDK says them.
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    AccessDenied,
    NoSuchBucket,
    NoSuchDistribution,
    /// The bucket lives in another region, if the answer said which.
    WrongRegion(Option<String>),
    NoCredentials,
    /// Credentials that are expired or that the service does not know.
    BadCredentials,
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
    /// No connection, or none that lasted.
    Unreachable,
    TimedOut,
    /// The answer was no S3's or CloudFront's: a page of HTML, say.
    NotTheService,
    Other,
}

impl AwsError {
    /// Sorts an SDK's error.
    pub fn new<E>(
        action: &'static str,
        resource: impl Into<String>,
        error: SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error
            .raw_response()
            .map_or(0, |answer| answer.status().as_u16());
        let region = error
            .raw_response()
            .and_then(|answer| answer.headers().get("x-amz-bucket-region"))
            .map(str::to_owned);
        let meta = match &error {
            SdkError::ServiceError(service) => Some(service.err().meta()),
            _ => None,
        };
        let kind = kind_of(&error, meta, status, region);
        let message = message_of(&error, meta, status, &kind);
        Self {
            action,
            resource: resource.into(),
            kind,
            status,
            message,
        }
    }

    pub fn is(&self, kind: &Kind) -> bool {
        self.kind == *kind
    }

    /// Whether trying the same later may well succeed.
    pub fn is_passing(&self) -> bool {
        matches!(
            self.kind,
            Kind::Throttled | Kind::Unreachable | Kind::TimedOut | Kind::Conflict
        ) || self.status >= 500 && self.kind != Kind::NotImplemented
    }

    /// Whether what was asked may have been done, or may yet be: no answer came, or one that leaves it open.
    pub fn leaves_open(&self) -> bool {
        self.status == 0 && !matches!(self.kind, Kind::NoCredentials | Kind::BadCredentials)
            || self.status >= 500 && self.kind != Kind::NotImplemented
    }

    /// What to do about it, in a line, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        Some(match &self.kind {
            Kind::AccessDenied => format!(
                "allow {} on {}: `unstale policy` prints what is needed; with --expected-bucket-owner this also means that somebody else owns the bucket",
                self.action,
                self.arn(),
            ),
            Kind::NoSuchBucket => "check `bucket` in deploy.toml or --bucket, and whose profile is used".into(),
            Kind::NoSuchDistribution => {
                "check `distribution` in deploy.toml or --distribution: an id such as E1ABCDEF2GHIJK, an alias, auto or none".into()
            }
            Kind::WrongRegion(Some(region)) => format!("the bucket is in {region}: set `region = \"{region}\"` or --region"),
            Kind::WrongRegion(None) => "set `region` or --region to the bucket's region".into(),
            Kind::NoCredentials => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile (--profile, `aws configure sso`); to try without an account: --local".into()
            }
            Kind::BadCredentials => "sign in again (`aws sso login`, or new keys), and check --profile".into(),
            Kind::Unreachable => "check the network, the region and --endpoint-url".into(),
            Kind::NotTheService => "check --endpoint-url and AWS_ENDPOINT_URL: what answers there is not this service".into(),
            Kind::TimedOut => "check the network; a smaller --concurrency helps a slow line".into(),
            _ => return None,
        })
    }

    fn arn(&self) -> String {
        match self.resource.strip_prefix("s3://") {
            Some(rest) => format!("arn:aws:s3:::{rest}"),
            None => self.resource.clone(),
        }
    }
}

fn kind_of<E>(
    error: &SdkError<E, HttpResponse>,
    meta: Option<&ErrorMetadata>,
    status: u16,
    region: Option<String>,
) -> Kind
where
    E: std::error::Error + 'static,
{
    let code = meta.and_then(ErrorMetadata::code).unwrap_or_default();
    match code {
        "AccessDenied" | "AllAccessDisabled" | "AccessDeniedException" | "Forbidden" => {
            return Kind::AccessDenied;
        }
        "NoSuchBucket" => return Kind::NoSuchBucket,
        "NoSuchDistribution" => return Kind::NoSuchDistribution,
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "TemporaryRedirect" => return Kind::WrongRegion(region),
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidClientTokenId"
        | "InvalidToken"
        | "RequestExpired"
        | "TokenRefreshRequired" => {
            return Kind::BadCredentials;
        }
        "PreconditionFailed" => return Kind::Precondition,
        "ConditionalRequestConflict" | "OperationAborted" => return Kind::Conflict,
        "NotImplemented" => return Kind::NotImplemented,
        "BadDigest" | "InvalidDigest" | "XAmzContentChecksumMismatch" => return Kind::BadDigest,
        "TooManyInvalidationsInProgress" => return Kind::TooManyInvalidations,
        "BatchTooLarge" => return Kind::BatchTooLarge,
        "InvalidationBatchAlreadyExists" => return Kind::InvalidationExists,
        "InvalidArgument" => return Kind::InvalidArgument,
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequests" => {
            return Kind::Throttled;
        }
        "NoSuchKey" | "NotFound" | "NoSuchVersion" | "NoSuchUpload" | "NoSuchInvalidation" => {
            return Kind::NotFound;
        }
        _ => {}
    }
    match error {
        SdkError::TimeoutError(_) => Kind::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Kind::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_io() => Kind::Unreachable,
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => credentials_kind(error),
        _ => match status {
            301 | 307 => Kind::WrongRegion(region),
            403 if region.is_some() && meta.is_none() => Kind::AccessDenied,
            403 => Kind::AccessDenied,
            // The services give every 404 a code, and the SDK one to those of HEAD.
            404 if code.is_empty() => Kind::NotTheService,
            404 => Kind::NotFound,
            409 => Kind::Conflict,
            412 => Kind::Precondition,
            413 => Kind::BatchTooLarge,
            429 | 503 => Kind::Throttled,
            501 => Kind::NotImplemented,
            status if status >= 500 => Kind::Other,
            _ if code.is_empty() => Kind::NotTheService,
            _ => Kind::Other,
        },
    }
}

/// What fails before a request is sent is the credentials' fault, unless the network's.
fn credentials_kind<E: std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> Kind {
    let text = DisplayErrorContext(error).to_string();
    let has = |part: &str| text.contains(part);
    // The instance's metadata is asked last: when it has none, nothing had.
    if has("IMDS")
        || has("no providers in chain")
        || has("credential provider was not enabled")
        || has("CredentialsNotLoaded")
    {
        Kind::NoCredentials
    } else if has("redentials") || has("token") || has("profile") {
        Kind::BadCredentials
    } else {
        Kind::Unreachable
    }
}

fn message_of<E>(
    error: &SdkError<E, HttpResponse>,
    meta: Option<&ErrorMetadata>,
    status: u16,
    kind: &Kind,
) -> String
where
    E: std::error::Error + 'static,
{
    if let Some(meta) = meta
        && let Some(code) = meta.code()
    {
        return match meta.message() {
            Some(message) => format!("{code}: {message}"),
            None => code.to_owned(),
        };
    }
    match kind {
        Kind::NoCredentials => "no AWS credentials were found".into(),
        Kind::NotTheService => format!("the answer (status {status}) is not one of this service"),
        Kind::TimedOut => "it did not answer in time".into(),
        _ if status > 0 => format!("status {status}"),
        _ => root_cause(error),
    }
}

/// The innermost cause, which says most in fewest words.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
