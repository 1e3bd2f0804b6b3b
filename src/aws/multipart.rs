//! Uploads and copies in parts.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, EncodingType, StorageClass};
use aws_smithy_types::base64;

use super::error::{AwsError, AwsErrorKind};
use super::list::decoded;
use super::s3::{
    Bucket, COPY_TIMEOUT, CheckedBody, CopySource, WriteCondition, Written, attempt_timeout,
    copy_source, tagging, within,
};
use crate::object::{ETag, Headers};

/// An upload that is under way: bytes already sent are paid for until it is completed or aborted.
#[derive(Debug, Clone)]
pub struct MultipartUpload {
    pub key: String,
    pub(super) id: String,
}

/// A part that S3 has taken.
#[derive(Debug, Clone)]
pub struct UploadedPart {
    /// From 1.
    pub number: i32,
    pub etag: String,
}

/// What IAM calls all that writes an object.
const WRITE: &str = "s3:PutObject";

impl Bucket {
    /// Begins an upload in parts, of an object with these headers.
    pub async fn begin_upload(
        &self,
        key: &str,
        headers: &Headers,
    ) -> Result<MultipartUpload, AwsError> {
        let answer = self
            .client
            .create_multipart_upload()
            .bucket(&self.name)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone())
            .set_cache_control(headers.cache_control.clone())
            .set_content_type(headers.content_type.clone())
            .set_content_disposition(headers.content_disposition.clone())
            .set_content_language(headers.content_language.clone())
            .set_content_encoding(headers.content_encoding.clone())
            .set_website_redirect_location(headers.redirect.clone())
            .set_storage_class(headers.storage_class.as_deref().map(StorageClass::from))
            .set_tagging(tagging(headers))
            .set_metadata(Some(headers.metadata.clone().into_iter().collect()))
            .send()
            .await
            .map_err(self.failed(WRITE, key))?;
        Ok(MultipartUpload {
            key: key.to_owned(),
            id: self.answered(WRITE, key, "UploadId", answer.upload_id)?,
        })
    }

    /// Sends part `number`, from 1.
    pub async fn put_part(
        &self,
        upload: &MultipartUpload,
        number: i32,
        body: CheckedBody,
    ) -> Result<UploadedPart, AwsError> {
        let limit = attempt_timeout(body.bytes.len() as u64);
        let answer = self
            .client
            .upload_part()
            .bucket(&self.name)
            .key(&upload.key)
            .upload_id(&upload.id)
            .part_number(number)
            .set_expected_bucket_owner(self.owner.clone())
            .content_md5(base64::encode(body.md5.0))
            .body(ByteStream::from(body.bytes))
            .customize()
            .config_override(within(limit))
            .send()
            .await
            .map_err(self.failed(WRITE, &upload.key))?;
        let etag = self.answered(WRITE, &upload.key, "ETag", answer.e_tag)?;
        Ok(UploadedPart { number, etag })
    }

    /// Takes bytes `first..=last` of an object as part `number`.
    pub async fn copy_part(
        &self,
        upload: &MultipartUpload,
        number: i32,
        source: CopySource<'_>,
        (first, last): (u64, u64),
    ) -> Result<UploadedPart, AwsError> {
        let answer = self
            .client
            .upload_part_copy()
            .bucket(&self.name)
            .key(&upload.key)
            .upload_id(&upload.id)
            .part_number(number)
            .copy_source(copy_source(source))
            .copy_source_if_match(source.etag.quoted())
            .copy_source_range(format!("bytes={first}-{last}"))
            .set_expected_bucket_owner(self.owner.clone())
            .customize()
            .config_override(within(COPY_TIMEOUT))
            .send()
            .await
            .map_err(self.failed(WRITE, &upload.key))?;
        let etag = answer.copy_part_result.and_then(|result| result.e_tag);
        let etag = self.answered(WRITE, &upload.key, "ETag", etag)?;
        Ok(UploadedPart { number, etag })
    }

    /// Makes the object of its parts. `expected` is the ETag that it must come to where that is known.
    pub async fn complete_upload(
        &self,
        upload: &MultipartUpload,
        mut parts: Vec<UploadedPart>,
        condition: &WriteCondition,
        expected: Option<&ETag>,
    ) -> Result<Written, AwsError> {
        parts.sort_by_key(|part| part.number);
        let parts = parts.into_iter().map(|part| {
            CompletedPart::builder()
                .part_number(part.number)
                .e_tag(part.etag)
                .build()
        });
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.collect()))
            .build();
        let answer = self
            .client
            .complete_multipart_upload()
            .bucket(&self.name)
            .key(&upload.key)
            .upload_id(&upload.id)
            .multipart_upload(parts)
            .set_expected_bucket_owner(self.owner.clone())
            .set_if_match(condition.if_match())
            .set_if_none_match(condition.if_none_match())
            .customize()
            .config_override(within(Duration::from_secs(300)))
            .send()
            .await
            .map_err(self.failed(WRITE, &upload.key));
        let written =
            answer.and_then(|answer| self.written(&upload.key, answer.e_tag, answer.version_id));
        let error = match written {
            Ok(written) => return Ok(written),
            Err(error) => error,
        };
        // An upload that a first try completed is unknown to the second, and some servers answer what the SDK cannot read.
        let unclear = matches!(
            error.kind,
            AwsErrorKind::NotFound
                | AwsErrorKind::Precondition
                | AwsErrorKind::NotTheService
                | AwsErrorKind::Other
        );
        if unclear
            && let Some(expected) = expected
            && let Some(head) = self.head(&upload.key, None).await?
            && head.etag == *expected
        {
            return Ok(Written {
                etag: head.etag,
                version_id: head.version_id,
            });
        }
        Err(error)
    }

    /// Lists the uploads under way of keys that begin so, with the time at which each began, in unix seconds.
    pub async fn uploads(&self, prefix: &str) -> Result<Vec<(MultipartUpload, i64)>, AwsError> {
        let mut uploads = Vec::new();
        let (mut key, mut id) = (None, None);
        loop {
            let answer = self
                .client
                .list_multipart_uploads()
                .bucket(&self.name)
                .prefix(prefix)
                .set_key_marker(key)
                .set_upload_id_marker(id)
                .set_expected_bucket_owner(self.owner.clone())
                .encoding_type(EncodingType::Url)
                .send()
                .await
                .map_err(self.failed("s3:ListBucketMultipartUploads", ""))?;
            for upload in answer.uploads.unwrap_or_default() {
                let begun = upload.initiated.map_or(i64::MAX, |time| time.secs());
                let key = decoded(upload.key, answer.encoding_type.as_ref());
                // A key that is not UTF-8 is somebody else's.
                if let (Some(key), Some(id)) = (key, upload.upload_id) {
                    uploads.push((MultipartUpload { key, id }, begun));
                }
            }
            (key, id) = (answer.next_key_marker, answer.next_upload_id_marker);
            if !answer.is_truncated.unwrap_or_default() || key.is_none() {
                return Ok(uploads);
            }
        }
    }

    /// Gives up an upload, so that its parts are not paid for.
    pub async fn abort_upload(&self, upload: &MultipartUpload) -> Result<(), AwsError> {
        let answer = self
            .client
            .abort_multipart_upload()
            .bucket(&self.name)
            .key(&upload.key)
            .upload_id(&upload.id)
            .set_expected_bucket_owner(self.owner.clone())
            .send()
            .await
            .map_err(self.failed("s3:AbortMultipartUpload", &upload.key));
        AwsError::if_there(answer).map(drop)
    }
}
