//! Tries rights to a bucket and its objects by requests that change nothing, whatever the answer is.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Tag, Tagging};

use super::error::{AwsError, AwsErrorKind};
use super::s3::Bucket;

/// A name that nobody gives an object or an upload.
const NOBODY: &str = "unstale-doctor-asks-for-nothing";
/// The version that every object without versions has: its name is always valid.
const NO_VERSION: &str = "null";
/// An ETag of the right form that no object has, since it is the MD5 of nothing that anybody knows.
const NO_ETAG: &str = "\"00000000000000000000000000000000\"";

/// What came of trying an action; `None`: nothing that is harmless tells.
pub type TriedAction = Option<Result<(), AwsError>>;

impl Bucket {
    /// Tries an action, as IAM names it, on an object of this folder that does not exist, or on the bucket.
    pub async fn try_action(&self, action: &str, folder: &str) -> TriedAction {
        let key = format!("{folder}{NOBODY}");
        let tried = match action {
            "s3:ListBucket" => self.try_listing(folder).await,
            "s3:GetBucketVersioning" => self.is_versioned().await.map(drop),
            "s3:GetBucketWebsite" => self.website().await.map(drop),
            "s3:ListBucketMultipartUploads" => self.try_uploads(&key).await,
            "s3:GetObject" => self.get(&key).await.map(drop),
            "s3:GetObjectVersion" => self.try_version(&key).await,
            "s3:PutObject" => self.try_put(&key).await,
            "s3:DeleteObject" => self.try_delete(&key).await,
            "s3:AbortMultipartUpload" => self.try_abort(&key).await,
            "s3:GetObjectTagging" => self.try_tags(&key, "s3:GetObjectTagging", None).await,
            "s3:GetObjectVersionTagging" => {
                let action = "s3:GetObjectVersionTagging";
                self.try_tags(&key, action, Some(NO_VERSION)).await
            }
            "s3:PutObjectTagging" => self.try_tagging(&key).await,
            _ => return None,
        };
        Some(allowed(tried))
    }

    /// Asks with a body in the answer: that of a HEAD has no code to tell a refusal by.
    async fn try_version(&self, key: &str) -> Result<(), AwsError> {
        let request = self.client.get_object().bucket(&self.name).key(key);
        let request = request.version_id(NO_VERSION);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await.map(drop);
        answer.map_err(self.failed("s3:GetObjectVersion", key))
    }

    async fn try_listing(&self, folder: &str) -> Result<(), AwsError> {
        let request = self.client.list_objects_v2().bucket(&self.name);
        let request = request.prefix(folder).max_keys(1);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await;
        answer.map(drop).map_err(self.failed("s3:ListBucket", ""))
    }

    async fn try_uploads(&self, key: &str) -> Result<(), AwsError> {
        let request = self.client.list_multipart_uploads().bucket(&self.name);
        let request = request.prefix(key).max_uploads(1);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await.map(drop);
        answer.map_err(self.failed("s3:ListBucketMultipartUploads", ""))
    }

    /// Sends a part of an upload that nobody began: it is the same right, and stores nothing on any server.
    async fn try_put(&self, key: &str) -> Result<(), AwsError> {
        let request = self.client.upload_part().bucket(&self.name).key(key);
        let request = request.upload_id(NOBODY).part_number(1);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let request = request.body(ByteStream::from_static(b"-"));
        let answer = request.send().await.map(drop);
        answer.map_err(self.failed("s3:PutObject", key))
    }

    async fn try_delete(&self, key: &str) -> Result<(), AwsError> {
        let request = self.client.delete_object().bucket(&self.name).key(key);
        let request = request.if_match(NO_ETAG);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await.map(drop);
        answer.map_err(self.failed("s3:DeleteObject", key))
    }

    async fn try_abort(&self, key: &str) -> Result<(), AwsError> {
        let request = self.client.abort_multipart_upload().bucket(&self.name);
        let request = request.key(key).upload_id(NOBODY);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await.map(drop);
        answer.map_err(self.failed("s3:AbortMultipartUpload", key))
    }

    async fn try_tags(
        &self,
        key: &str,
        action: &'static str,
        version: Option<&str>,
    ) -> Result<(), AwsError> {
        let request = self.client.get_object_tagging().bucket(&self.name);
        let request = request.key(key).set_version_id(version.map(str::to_owned));
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await.map(drop);
        answer.map_err(self.failed(action, key))
    }

    async fn try_tagging(&self, key: &str) -> Result<(), AwsError> {
        const ACTION: &str = "s3:PutObjectTagging";
        let nonsense = |error: String| AwsError::nonsense(ACTION, self.url(key), error);
        let tag = Tag::builder().key(NOBODY).value("").build();
        let tags = tag.and_then(|tag| Tagging::builder().tag_set(tag).build());
        let tags = tags.map_err(|error| nonsense(error.to_string()))?;
        let request = self.client.put_object_tagging().bucket(&self.name);
        let request = request.key(key).tagging(tags);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await.map(drop);
        answer.map_err(self.failed(ACTION, key))
    }
}

/// Takes a refusal of what was asked for, such as that there is no such thing, for leave to ask: who has no right is told so first
/// (IAM User Guide, "Policy evaluation logic").
pub(super) fn allowed(answer: Result<(), AwsError>) -> Result<(), AwsError> {
    let is_leave = |error: &AwsError| {
        let about_request = matches!(
            error.kind,
            AwsErrorKind::NotFound
                | AwsErrorKind::Precondition
                | AwsErrorKind::InvalidArgument
                | AwsErrorKind::Other
        );
        about_request && (400..500).contains(&error.status)
    };
    match answer {
        Err(error) if is_leave(&error) => Ok(()),
        answer => answer,
    }
}
