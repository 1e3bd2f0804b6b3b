//! Reading one object of a bucket.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use aws_smithy_checksums::ChecksumAlgorithm;
use bytes::Bytes;
use md5::{Digest, Md5 as Hasher};

use super::checksum::FullChecksum;
use super::error::{AwsError, AwsErrorKind};
use super::s3::{Bucket, within};
use crate::object::{ETag, Headers, Md5};

/// What HeadObject tells.
#[derive(Debug, Clone)]
pub struct ObjectHead {
    pub etag: ETag,
    pub size: u64,
    pub headers: Headers,
    pub checksum: Option<FullChecksum>,
    pub version_id: Option<String>,
}

/// An object's whole content.
#[derive(Debug, Clone)]
pub struct FetchedObject {
    pub body: Bytes,
    pub etag: ETag,
}

/// What IAM calls both GetObject and HeadObject.
const READ: &str = "s3:GetObject";

impl Bucket {
    /// Reads the whole object; `None` where there is none.
    pub async fn get(&self, key: &str) -> Result<Option<FetchedObject>, AwsError> {
        let request = self.client.get_object().bucket(&self.name).key(key);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await.map_err(self.failed(READ, key));
        let Some(answer) = AwsError::if_there(answer)? else {
            return Ok(None);
        };
        let broke_off = |error| AwsError::broke_off(READ, self.url(key), error);
        let body = answer.body.collect().await.map_err(broke_off)?;
        Ok(Some(FetchedObject {
            body: body.into_bytes(),
            etag: ETag::parse(&self.answered(READ, key, "ETag", answer.e_tag)?),
        }))
    }

    /// Reads the first `most` bytes of an object, at least one, and the Content-Encoding that they are in.
    pub async fn start(&self, key: &str, most: u64) -> Result<(Bytes, Option<String>), AwsError> {
        let request = self.client.get_object().bucket(&self.name).key(key);
        let answer = request
            .range(format!("bytes=0-{}", most.saturating_sub(1)))
            .set_expected_bucket_owner(self.owner.clone())
            .send()
            .await
            .map_err(self.failed(READ, key))?;
        let broke_off = |error| AwsError::broke_off(READ, self.url(key), error);
        let body = answer.body.collect().await.map_err(broke_off)?;
        Ok((body.into_bytes(), answer.content_encoding))
    }

    /// Computes the MD5 of the object of this ETag without keeping its content; `None`: there is no such object.
    pub async fn digest(&self, key: &str, etag: &ETag) -> Result<Option<Md5>, AwsError> {
        let request = self.client.get_object().bucket(&self.name).key(key);
        let answer = request
            .if_match(etag.quoted())
            .set_expected_bucket_owner(self.owner.clone())
            .customize()
            .config_override(within(Duration::from_secs(3600)))
            .send()
            .await;
        let mut body = match answer.map_err(self.failed(READ, key)) {
            Ok(answer) => answer.body,
            Err(error)
                if matches!(
                    error.kind,
                    AwsErrorKind::NotFound | AwsErrorKind::Precondition
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let mut hasher = Hasher::new();
        while let Some(bytes) = body.next().await {
            hasher.update(bytes.map_err(|error| AwsError::broke_off(READ, self.url(key), error))?);
        }
        Ok(Some(Md5(hasher.finalize().into())))
    }

    /// Reads an object's headers and full checksum; `None` where there is none.
    pub async fn head(
        &self,
        key: &str,
        version: Option<&str>,
    ) -> Result<Option<ObjectHead>, AwsError> {
        // IAM has a right of its own for a version.
        let action = version.map_or(READ, |_| "s3:GetObjectVersion");
        let request = self.client.head_object().bucket(&self.name).key(key);
        let answer = request
            .set_version_id(version.map(str::to_owned))
            .set_expected_bucket_owner(self.owner.clone())
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        let answer = answer.map_err(self.failed(action, key));
        let Some(answer) = AwsError::if_there(answer)? else {
            return Ok(None);
        };
        let checksum = [
            (ChecksumAlgorithm::Crc64Nvme, answer.checksum_crc64_nvme),
            (ChecksumAlgorithm::Sha256, answer.checksum_sha256),
            (ChecksumAlgorithm::Crc32c, answer.checksum_crc32_c),
            (ChecksumAlgorithm::Sha1, answer.checksum_sha1),
            (ChecksumAlgorithm::Crc32, answer.checksum_crc32),
        ]
        .into_iter()
        .find_map(|(algorithm, value)| value.map(|value| FullChecksum { algorithm, value }));
        let is_of_parts = answer.checksum_type == Some(ChecksumType::Composite);
        Ok(Some(ObjectHead {
            etag: ETag::parse(&self.answered(action, key, "ETag", answer.e_tag)?),
            size: answer.content_length.unwrap_or_default().max(0) as u64,
            checksum: checksum.filter(|_| !is_of_parts),
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
                tags: BTreeMap::new(),
            },
        }))
    }

    /// Reads the object's tags, which HeadObject does not tell.
    pub async fn tags(
        &self,
        key: &str,
        version: Option<&str>,
    ) -> Result<BTreeMap<String, String>, AwsError> {
        let action = match version {
            Some(_) => "s3:GetObjectVersionTagging",
            None => "s3:GetObjectTagging",
        };
        let request = self.client.get_object_tagging().bucket(&self.name).key(key);
        let request = request.set_version_id(version.map(str::to_owned));
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await;
        let answer = answer.map_err(self.failed(action, key))?;
        let tags = answer.tag_set.into_iter();
        Ok(tags.map(|tag| (tag.key, tag.value)).collect())
    }
}
