//! A bucket, and writing one object of it.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, MetadataDirective, RoutingRule, StorageClass, TaggingDirective,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::base64;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::AwsError;
use super::watch::ServerClock;
use crate::edge::WebsiteConfiguration;
use crate::object::{ETag, Headers, Md5};

/// The most keys in one DeleteObjects request (Amazon S3 API Reference, "DeleteObjects").
pub const MAX_DELETES: usize = 1000;

/// A body of so many bytes at most has no time limit of its own, but its client's.
pub(super) const SMALL: u64 = 64 << 10;

/// Bytes a second of the slowest line that deploys end over.
pub const SLOWEST: u64 = 64 << 10;

/// Longest time that one attempt of a copy may take.
pub(super) const COPY_TIMEOUT: Duration = Duration::from_secs(120);

/// One bucket. Keys here are whole, prefix included. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
    pub(super) owner: Option<String>,
    /// What time it is by this bucket's answers.
    pub clock: ServerClock,
}

/// What must hold for a write to take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteCondition {
    Always,
    /// No object of that key.
    Absent,
    /// The object has this ETag.
    Is(ETag),
}

/// What is sent, and its MD5: S3 refuses what arrives otherwise.
#[derive(Debug, Clone)]
pub struct CheckedBody {
    pub bytes: Bytes,
    pub md5: Md5,
}

/// The object that is copied, and which of its versions. It must have this ETag.
#[derive(Debug, Clone, Copy)]
pub struct CopySource<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    pub version: Option<&'a str>,
    pub etag: &'a ETag,
}

/// What S3 says of an object that it has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub etag: ETag,
    pub version_id: Option<String>,
}

/// Returns the longest time that one attempt may take: a moment to answer, and a slow line's time for the bytes.
pub fn attempt_timeout(bytes: u64) -> Duration {
    Duration::from_secs(10) + Duration::from_secs(bytes / SLOWEST)
}

/// Limits each attempt at a request to so long.
pub(super) fn within(limit: Duration) -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::Config::builder().timeout_config(
        TimeoutConfig::builder()
            .operation_attempt_timeout(limit)
            .build(),
    )
}

impl WriteCondition {
    pub(super) fn if_match(&self) -> Option<String> {
        match self {
            Self::Is(etag) => Some(etag.quoted()),
            Self::Always | Self::Absent => None,
        }
    }

    pub(super) fn if_none_match(&self) -> Option<String> {
        (*self == Self::Absent).then(|| "*".to_owned())
    }
}

impl Bucket {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// Stores a whole body.
    pub async fn put(
        &self,
        key: &str,
        body: CheckedBody,
        headers: &Headers,
        condition: &WriteCondition,
    ) -> Result<Written, AwsError> {
        let size = body.bytes.len() as u64;
        let request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone())
            .content_md5(base64::encode(body.md5.0))
            .set_cache_control(headers.cache_control.clone())
            .set_content_type(headers.content_type.clone())
            .set_content_disposition(headers.content_disposition.clone())
            .set_content_language(headers.content_language.clone())
            .set_content_encoding(headers.content_encoding.clone())
            .set_website_redirect_location(headers.redirect.clone())
            .set_storage_class(headers.storage_class.as_deref().map(StorageClass::from))
            .set_tagging(tagging(headers))
            .set_metadata(Some(headers.metadata.clone().into_iter().collect()))
            .set_if_match(condition.if_match())
            .set_if_none_match(condition.if_none_match())
            .body(ByteStream::from(body.bytes));
        // An override costs as much as signing does.
        let answer = if size > SMALL {
            let request = request.customize();
            let limited = request.config_override(within(attempt_timeout(size)));
            Box::pin(limited.send()).await
        } else {
            request.send().await
        };
        let answer = answer.map_err(self.failed("s3:PutObject", key))?;
        self.written(key, answer.e_tag, answer.version_id)
    }

    /// Copies an object of up to 5 GB to this bucket, onto itself too, giving it these headers: nothing is uploaded.
    pub async fn copy(
        &self,
        source: CopySource<'_>,
        to: &str,
        headers: &Headers,
        condition: &WriteCondition,
    ) -> Result<Written, AwsError> {
        // An object copied onto itself is guarded by the source's condition, which older servers know as well.
        let itself = source.key == to && source.bucket == self.name;
        let if_match = condition.if_match().filter(|_| !itself);
        let answer = self
            .client
            .copy_object()
            .bucket(&self.name)
            .key(to)
            .copy_source(copy_source(source))
            .copy_source_if_match(source.etag.quoted())
            .set_expected_bucket_owner(self.owner.clone())
            .set_expected_source_bucket_owner(self.owner.clone())
            .metadata_directive(MetadataDirective::Replace)
            .tagging_directive(TaggingDirective::Replace)
            .set_cache_control(headers.cache_control.clone())
            .set_content_type(headers.content_type.clone())
            .set_content_disposition(headers.content_disposition.clone())
            .set_content_language(headers.content_language.clone())
            .set_content_encoding(headers.content_encoding.clone())
            .set_website_redirect_location(headers.redirect.clone())
            .set_storage_class(headers.storage_class.as_deref().map(StorageClass::from))
            .set_tagging(tagging(headers))
            .set_metadata(Some(headers.metadata.clone().into_iter().collect()))
            .set_if_match(if_match)
            .set_if_none_match(condition.if_none_match())
            .customize()
            .config_override(within(COPY_TIMEOUT))
            .send()
            .await
            .map_err(self.failed("s3:PutObject", to))?;
        let etag = answer.copy_object_result.and_then(|result| result.e_tag);
        self.written(to, etag, answer.version_id)
    }

    /// Copies an object of up to 5 GB to this bucket with the headers that it has, but for its storage class. Of these S3 never
    /// copies the redirect (Amazon S3 API Reference, "CopyObject").
    pub async fn copy_as_is(
        &self,
        source: CopySource<'_>,
        to: &str,
        redirect: Option<String>,
    ) -> Result<(), AwsError> {
        let request = self.client.copy_object().bucket(&self.name).key(to);
        request
            .copy_source(copy_source(source))
            .copy_source_if_match(source.etag.quoted())
            .set_expected_bucket_owner(self.owner.clone())
            .set_expected_source_bucket_owner(self.owner.clone())
            .set_website_redirect_location(redirect)
            .customize()
            .config_override(within(COPY_TIMEOUT))
            .send()
            .await
            .map_err(self.failed("s3:PutObject", to))?;
        Ok(())
    }

    /// Tells whether the bucket keeps versions.
    pub async fn is_versioned(&self) -> Result<bool, AwsError> {
        let request = self.client.get_bucket_versioning().bucket(&self.name);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await;
        let answer = answer.map_err(self.failed("s3:GetBucketVersioning", ""))?;
        Ok(answer.status == Some(BucketVersioningStatus::Enabled))
    }

    /// Reads how the bucket's website endpoint answers: without a configuration it answers nothing.
    pub async fn website(&self) -> Result<Option<WebsiteConfiguration>, AwsError> {
        let request = self.client.get_bucket_website().bucket(&self.name);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await;
        let answer = answer.map_err(self.failed("s3:GetBucketWebsite", ""));
        Ok(AwsError::if_there(answer)?.map(|answer| {
            let index = answer.index_document.map(|document| document.suffix);
            let rules = answer.routing_rules.unwrap_or_default();
            let for_errors = |rule: &RoutingRule| {
                let condition = rule.condition.as_ref();
                condition.is_some_and(|rule| rule.http_error_code_returned_equals.is_some())
            };
            let all = answer.redirect_all_requests_to;
            let all = all.map(|all| format!("{} {:?}", all.host_name, all.protocol));
            WebsiteConfiguration {
                index: index.unwrap_or_else(|| WebsiteConfiguration::default().index),
                error: answer.error_document.map(|document| document.key),
                redirects_errors: rules.iter().any(for_errors),
                rules: all.into_iter().chain(rules.iter().map(rule_text)).collect(),
            }
        }))
    }

    /// Makes an SDK's error of a request for a key ours.
    pub(super) fn failed<E>(
        &self,
        action: &'static str,
        key: &str,
    ) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        move |error| AwsError::new(action, self.url(key), error)
    }

    pub(super) fn written(
        &self,
        key: &str,
        etag: Option<String>,
        version_id: Option<String>,
    ) -> Result<Written, AwsError> {
        Ok(Written {
            etag: ETag::parse(&self.answered("s3:PutObject", key, "ETag", etag)?),
            version_id: version_id.filter(|id| id != "null"),
        })
    }

    /// Takes what every S3 answers. Fails where this one does not.
    pub(super) fn answered(
        &self,
        action: &'static str,
        key: &str,
        what: &str,
        value: Option<String>,
    ) -> Result<String, AwsError> {
        value.ok_or_else(|| {
            AwsError::nonsense(action, self.url(key), format!("the answer has no {what}"))
        })
    }
}

/// Returns `bucket/key?versionId=`, percent-encoded, which the SDK leaves to its caller.
pub(super) fn copy_source(source: CopySource<'_>) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    let key = utf8_percent_encode(source.key, KEPT);
    match source.version {
        Some(version) => format!("{}/{key}?versionId={version}", source.bucket),
        None => format!("{}/{key}", source.bucket),
    }
}

/// Returns S3's storage classes, as it names them.
pub fn storage_classes() -> impl Iterator<Item = &'static str> {
    StorageClass::values().iter().copied()
}

/// Writes a routing rule so that two of them are told apart.
fn rule_text(rule: &RoutingRule) -> String {
    let condition = rule.condition.as_ref().map(|rule| {
        let code = &rule.http_error_code_returned_equals;
        (code, &rule.key_prefix_equals)
    });
    let redirect = rule.redirect.as_ref().map(|to| {
        let key = (&to.replace_key_prefix_with, &to.replace_key_with);
        (&to.host_name, &to.http_redirect_code, &to.protocol, key)
    });
    format!("{condition:?} {redirect:?}")
}

/// Writes the tags as the x-amz-tagging header wants them: a query string.
pub(super) fn tagging(headers: &Headers) -> Option<String> {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<_> = headers
        .tags
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    (!pairs.is_empty()).then(|| pairs.join("&"))
}
