//! What is asked of one bucket, object by object.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ChecksumMode, ChecksumType, Delete, MetadataDirective,
    ObjectIdentifier, StorageClass, TaggingDirective,
};
use aws_smithy_types::base64;
use bytes::Bytes;
use md5::{Digest, Md5 as Hasher};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::{AwsError, Kind};
use super::watch::{ServerClock, Watch};
use crate::domain::{ETag, Headers, Md5};

/// The most keys in one DeleteObjects request (Amazon S3 API Reference, "DeleteObjects").
pub const MAX_DELETES: usize = 1000;

/// One bucket. Keys here are whole, prefix included. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
    pub(super) owner: Option<String>,
    pub watch: Watch,
    /// What time it is by this bucket's answers.
    pub clock: ServerClock,
}

/// What must hold for a write to take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Always,
    /// No object of that key.
    Absent,
    /// The object has this ETag.
    Is(ETag),
}

/// What S3 says of an object that it has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub etag: ETag,
    pub version_id: Option<String>,
}

/// An object's checksum over its whole content, in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FullChecksum {
    Crc64Nvme(String),
    Crc32(String),
    Crc32C(String),
    Sha1(String),
    Sha256(String),
}

/// What HeadObject tells.
#[derive(Debug, Clone)]
pub struct Head {
    pub etag: ETag,
    pub size: u64,
    pub headers: Headers,
    pub checksum: Option<FullChecksum>,
    pub version_id: Option<String>,
}

/// An object's whole content.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub body: Bytes,
    pub etag: ETag,
}

/// Pauses before keys of a DeleteObjects are asked for again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(7);

/// A body of so many bytes at most has no time limit of its own, but its client's.
pub const SMALL: u64 = 64 << 10;

/// Bytes a second of the slowest line that deploys end over.
pub const SLOWEST: u64 = 64 << 10;

/// Longest time that one attempt may take: a moment to answer, and a slow line's time for the bytes.
pub fn attempt_timeout(bytes: u64) -> Duration {
    Duration::from_secs(10) + Duration::from_secs(bytes / SLOWEST)
}

/// For a request of whose attempts each may take so long.
pub(super) fn within(limit: Duration) -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::Config::builder().timeout_config(
        TimeoutConfig::builder()
            .operation_attempt_timeout(limit)
            .build(),
    )
}

impl Bucket {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// Stores a whole body. Its MD5 goes with it, so that S3 refuses what arrives otherwise.
    pub async fn put(
        &self,
        key: &str,
        body: Bytes,
        md5: Md5,
        headers: &Headers,
        condition: &Condition,
    ) -> Result<Written, AwsError> {
        let size = body.len() as u64;
        let mut request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone())
            .content_md5(base64::encode(md5.0))
            .set_cache_control(headers.cache_control.clone())
            .set_content_type(headers.content_type.clone())
            .set_content_disposition(headers.content_disposition.clone())
            .set_content_language(headers.content_language.clone())
            .set_content_encoding(headers.content_encoding.clone())
            .set_website_redirect_location(headers.redirect.clone())
            .set_storage_class(headers.storage_class.as_deref().map(StorageClass::from))
            .set_tagging(tagging(headers))
            .body(ByteStream::from(body));
        for (name, value) in &headers.metadata {
            request = request.metadata(name, value);
        }
        match condition {
            Condition::Always => {}
            Condition::Absent => request = request.if_none_match("*"),
            Condition::Is(etag) => request = request.if_match(etag.quoted()),
        }
        // An override costs as much as signing does.
        let answer = match size > SMALL {
            true => {
                let limit = within(attempt_timeout(size));
                let request = request.customize().config_override(limit);
                Box::pin(request.send()).await
            }
            false => request.send().await,
        };
        let answer = answer.map_err(|error| AwsError::new("s3:PutObject", self.url(key), error))?;
        self.written("s3:PutObject", key, answer.e_tag, answer.version_id)
    }

    pub(super) fn written(
        &self,
        action: &'static str,
        key: &str,
        etag: Option<String>,
        version_id: Option<String>,
    ) -> Result<Written, AwsError> {
        let etag = etag.ok_or_else(|| self.nonsense(action, key, "the answer has no ETag"))?;
        Ok(Written {
            etag: ETag::parse(&etag),
            version_id: version_id.filter(|id| id != "null"),
        })
    }

    /// An answer that no S3 gives.
    pub(super) fn nonsense(&self, action: &'static str, key: &str, what: &str) -> AwsError {
        AwsError {
            action,
            resource: self.url(key),
            kind: Kind::NotTheService,
            status: 200,
            message: what.to_owned(),
        }
    }

    /// Copies an object within the bucket, onto itself too, giving it these headers: nothing is uploaded.
    /// Up to 5 GB; `source` is the ETag that it must have, `version` one of its versions.
    pub async fn copy(
        &self,
        from: &str,
        version: Option<&str>,
        source: Option<&ETag>,
        to: &str,
        headers: &Headers,
        condition: &Condition,
    ) -> Result<Written, AwsError> {
        let mut request = self
            .client
            .copy_object()
            .bucket(&self.name)
            .key(to)
            .copy_source(self.copy_source(from, version))
            .set_copy_source_if_match(source.map(ETag::quoted))
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
            .set_tagging(tagging(headers));
        for (name, value) in &headers.metadata {
            request = request.metadata(name, value);
        }
        match condition {
            Condition::Always => {}
            Condition::Absent => request = request.if_none_match("*"),
            // An object copied onto itself is guarded by `source`, which older servers know as well.
            Condition::Is(_) if from == to && source.is_some() => {}
            Condition::Is(etag) => request = request.if_match(etag.quoted()),
        }
        let answer = request
            .customize()
            .config_override(within(Duration::from_secs(120)))
            .send()
            .await
            .map_err(|error| AwsError::new("s3:PutObject", self.url(to), error))?;
        let etag = answer.copy_object_result.and_then(|result| result.e_tag);
        self.written("s3:PutObject", to, etag, answer.version_id)
    }

    /// `bucket/key?versionId=`, percent-encoded, which the SDK leaves to its caller.
    pub(super) fn copy_source(&self, key: &str, version: Option<&str>) -> String {
        const KEPT: &AsciiSet = &NON_ALPHANUMERIC
            .remove(b'/')
            .remove(b'-')
            .remove(b'_')
            .remove(b'.')
            .remove(b'~');
        let key = utf8_percent_encode(key, KEPT);
        match version {
            Some(version) => format!("{}/{key}?versionId={version}", self.name),
            None => format!("{}/{key}", self.name),
        }
    }

    /// The whole object, or `None` where there is none.
    pub async fn get(&self, key: &str) -> Result<Option<Fetched>, AwsError> {
        let answer = self
            .client
            .get_object()
            .bucket(&self.name)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone())
            .send()
            .await;
        let answer =
            match answer.map_err(|error| AwsError::new("s3:GetObject", self.url(key), error)) {
                Ok(answer) => answer,
                Err(error) if error.is(&Kind::NotFound) => return Ok(None),
                Err(error) => return Err(error),
            };
        let etag = answer.e_tag.as_deref().map(ETag::parse);
        let body = answer.body.collect().await.map_err(|error| AwsError {
            action: "s3:GetObject",
            resource: self.url(key),
            kind: Kind::Unreachable,
            status: 0,
            message: format!("the answer broke off: {error}"),
        })?;
        let etag =
            etag.ok_or_else(|| self.nonsense("s3:GetObject", key, "the answer has no ETag"))?;
        Ok(Some(Fetched {
            body: body.into_bytes(),
            etag,
        }))
    }

    /// MD5 of the content of the object of this ETag, read without keeping it; `None`: there is no such object.
    pub async fn digest(&self, key: &str, etag: &ETag) -> Result<Option<Md5>, AwsError> {
        const ACTION: &str = "s3:GetObject";
        let answer = self
            .client
            .get_object()
            .bucket(&self.name)
            .key(key)
            .if_match(etag.quoted())
            .set_expected_bucket_owner(self.owner.clone())
            .customize()
            .config_override(within(Duration::from_secs(3600)))
            .send()
            .await;
        let mut body = match answer.map_err(|error| AwsError::new(ACTION, self.url(key), error)) {
            Ok(answer) => answer.body,
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::Precondition) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let mut hasher = Hasher::new();
        while let Some(bytes) = body.next().await {
            hasher.update(bytes.map_err(|error| AwsError {
                action: ACTION,
                resource: self.url(key),
                kind: Kind::Unreachable,
                status: 0,
                message: format!("the answer broke off: {error}"),
            })?);
        }
        Ok(Some(Md5(hasher.finalize().into())))
    }

    /// An object's headers and full checksum, or `None` where there is none.
    pub async fn head(&self, key: &str, version: Option<&str>) -> Result<Option<Head>, AwsError> {
        let answer = self
            .client
            .head_object()
            .bucket(&self.name)
            .key(key)
            .set_version_id(version.map(str::to_owned))
            .set_expected_bucket_owner(self.owner.clone())
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        // A HEAD has no body, so its 404 is not NoSuchKey.
        let answer =
            match answer.map_err(|error| AwsError::new("s3:GetObject", self.url(key), error)) {
                Ok(answer) => answer,
                Err(error) if error.is(&Kind::NotFound) => return Ok(None),
                Err(error) => return Err(error),
            };
        let etag = answer.e_tag.as_deref().map(ETag::parse);
        let full = !matches!(answer.checksum_type, Some(ChecksumType::Composite));
        let checksum = [
            answer.checksum_crc64_nvme.map(FullChecksum::Crc64Nvme),
            answer.checksum_sha256.map(FullChecksum::Sha256),
            answer.checksum_crc32_c.map(FullChecksum::Crc32C),
            answer.checksum_sha1.map(FullChecksum::Sha1),
            answer.checksum_crc32.map(FullChecksum::Crc32),
        ]
        .into_iter()
        .flatten()
        .find(|_| full);
        Ok(Some(Head {
            etag: etag
                .ok_or_else(|| self.nonsense("s3:GetObject", key, "the answer has no ETag"))?,
            size: answer.content_length.unwrap_or_default().max(0) as u64,
            checksum,
            version_id: answer.version_id.filter(|id| id != "null"),
            headers: Headers {
                cache_control: answer.cache_control,
                content_type: answer.content_type,
                content_disposition: answer.content_disposition,
                content_language: answer.content_language,
                content_encoding: answer.content_encoding,
                redirect: answer.website_redirect_location,
                metadata: answer.metadata.unwrap_or_default().into_iter().collect(),
                storage_class: answer.storage_class.map(|class| class.as_str().to_owned()),
                tags: Default::default(),
            },
        }))
    }

    /// Deletes one object if the condition holds; one that is gone already is no error.
    pub async fn delete(&self, key: &str, condition: &Condition) -> Result<(), AwsError> {
        let mut request = self
            .client
            .delete_object()
            .bucket(&self.name)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone());
        if let Condition::Is(etag) = condition {
            request = request.if_match(etag.quoted());
        }
        let answer = request.send().await;
        match answer.map_err(|error| AwsError::new("s3:DeleteObject", self.url(key), error)) {
            Err(error) if !error.is(&Kind::NotFound) => Err(error),
            _ => Ok(()),
        }
    }

    /// Deletes up to [`MAX_DELETES`] objects that have these ETags still. Answers with those that were not deleted. What S3 asks to
    /// be asked again is; a key that XML cannot carry goes by itself.
    pub async fn delete_many(
        &self,
        objects: &[(String, Option<ETag>)],
    ) -> Result<Vec<(String, AwsError)>, AwsError> {
        let (alone, mut together): (Vec<_>, Vec<_>) = objects
            .iter()
            .cloned()
            .partition(|(key, _)| key.contains(char::is_control));
        let mut failed = Vec::new();
        for (key, etag) in alone {
            let condition = etag.map_or(Condition::Always, Condition::Is);
            if let Err(error) = self.delete(&key, &condition).await {
                failed.push((key, error));
            }
        }
        let mut pause = FIRST_PAUSE;
        while !together.is_empty() {
            let refused = self.delete_chunk(&together).await?;
            let (again, others): (Vec<_>, Vec<_>) = refused
                .into_iter()
                .partition(|(_, error)| error.is(&Kind::Throttled) && pause <= LAST_PAUSE);
            failed.extend(others);
            let again: HashSet<String> = again.into_iter().map(|(key, _)| key).collect();
            together.retain(|(key, _)| again.contains(key));
            if !together.is_empty() {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        Ok(failed)
    }

    async fn delete_chunk(
        &self,
        objects: &[(String, Option<ETag>)],
    ) -> Result<Vec<(String, AwsError)>, AwsError> {
        let identifiers = objects.iter().filter_map(|(key, etag)| {
            let etag = etag.as_ref().map(ETag::quoted);
            ObjectIdentifier::builder()
                .key(key)
                .set_e_tag(etag)
                .build()
                .ok()
        });
        let delete = Delete::builder()
            .set_objects(Some(identifiers.collect()))
            .quiet(true)
            .build();
        let delete =
            delete.map_err(|error| self.nonsense("s3:DeleteObject", "", &error.to_string()))?;
        let answer = self
            .client
            .delete_objects()
            .bucket(&self.name)
            .set_expected_bucket_owner(self.owner.clone())
            .delete(delete)
            .customize()
            .config_override(within(Duration::from_secs(60)))
            .send()
            .await
            .map_err(|error| AwsError::new("s3:DeleteObject", self.url(""), error))?;
        let failed = answer.errors.unwrap_or_default().into_iter().map(|error| {
            let key = error.key.unwrap_or_default();
            let code = error.code.unwrap_or_default();
            let kind = match code.as_str() {
                "PreconditionFailed" => Kind::Precondition,
                "AccessDenied" => Kind::AccessDenied,
                "SlowDown" | "ServiceUnavailable" | "InternalError" => Kind::Throttled,
                "NoSuchKey" => Kind::NotFound,
                "ConditionalRequestConflict" | "OperationAborted" => Kind::Conflict,
                _ => Kind::Other,
            };
            let message = format!("{code}: {}", error.message.unwrap_or_default());
            let resource = self.url(&key);
            (
                key,
                AwsError {
                    action: "s3:DeleteObject",
                    resource,
                    kind,
                    status: 200,
                    message,
                },
            )
        });
        Ok(failed
            .filter(|(_, error)| !error.is(&Kind::NotFound))
            .collect())
    }

    /// The object's tags, which HeadObject does not tell.
    pub async fn tags(
        &self,
        key: &str,
        version: Option<&str>,
    ) -> Result<std::collections::BTreeMap<String, String>, AwsError> {
        let answer = self
            .client
            .get_object_tagging()
            .bucket(&self.name)
            .key(key)
            .set_version_id(version.map(str::to_owned))
            .set_expected_bucket_owner(self.owner.clone())
            .send()
            .await
            .map_err(|error| AwsError::new("s3:GetObjectTagging", self.url(key), error))?;
        Ok(answer
            .tag_set
            .into_iter()
            .map(|tag| (tag.key, tag.value))
            .collect())
    }

    /// Whether the bucket keeps versions.
    pub async fn is_versioned(&self) -> Result<bool, AwsError> {
        let answer = self
            .client
            .get_bucket_versioning()
            .bucket(&self.name)
            .set_expected_bucket_owner(self.owner.clone())
            .send()
            .await
            .map_err(|error| AwsError::new("s3:GetBucketVersioning", self.url(""), error))?;
        Ok(answer.status == Some(BucketVersioningStatus::Enabled))
    }
}

/// As the x-amz-tagging header wants it: a query string.
pub(super) fn tagging(headers: &Headers) -> Option<String> {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<_> = headers
        .tags
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    (!pairs.is_empty()).then(|| pairs.join("&"))
}
