//! Tries rights to a bucket and its objects by requests that change nothing where S3 answers, whatever it answers. Other servers may
//! look past what is wrong with them: see [`is_read`].

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Tag, Tagging};

use super::connect::AwsClients;
use super::error::AwsError;
use super::multipart::MultipartUpload;
use super::s3::Bucket;
use crate::object::ETag;

/// A name that nobody gives an object or an upload.
const NOBODY: &str = "unstale-doctor-asks-for-nothing";
/// The version that every object without versions has: its name is always valid.
const NO_VERSION: &str = "null";
/// An ETag of the right form that no object has, since it is the MD5 of nothing that anybody knows.
const NO_ETAG: &str = "\"00000000000000000000000000000000\"";

/// What S3 says of objects and uploads that are not there only to those who may ask for them (Amazon S3 API Reference, "Error responses").
const LEAVE: [&str; 4] = [
    "NoSuchKey",
    "NoSuchUpload",
    "NoSuchVersion",
    "PreconditionFailed",
];

/// What came of trying an action; `None`: nothing that is harmless tells.
pub type TriedAction = Option<Result<(), AwsError>>;

/// Tells whether an action changes nothing on any server, whatever it overlooks of the request.
pub fn is_read(action: &str) -> bool {
    let (_, verb) = action.split_once(':').unwrap_or_default();
    let reads = ["Abort", "Describe", "Get", "List", "Test"];
    reads.iter().any(|read| verb.starts_with(read))
}

impl AwsClients {
    /// Tells whether both services are AWS's own, which refuse what is amiss with a trial.
    pub fn are_official(&self) -> bool {
        let cloudfront = std::env::var("AWS_ENDPOINT_URL_CLOUDFRONT").ok();
        let cloudfront = cloudfront.filter(|url| !url.is_empty());
        let mut endpoints = self.s3_endpoint().into_iter().chain(cloudfront);
        endpoints.all(|url| url.contains(".amazonaws.com"))
    }
}

impl Bucket {
    /// Tries an action, as IAM names it, on an object of this folder that does not exist, or on the bucket.
    pub async fn try_action(&self, action: &str, folder: &str) -> TriedAction {
        let key = format!("{folder}{NOBODY}");
        let tried = match action {
            "s3:ListBucket" => self.list_page(folder, None, None).await.map(drop),
            "s3:GetBucketVersioning" => self.is_versioned().await.map(drop),
            "s3:GetBucketWebsite" => self.website().await.map(drop),
            "s3:ListBucketMultipartUploads" => self.uploads(&key).await.map(drop),
            "s3:GetObject" => self.get(&key).await.map(drop),
            "s3:GetObjectVersion" => self.try_version(&key).await,
            "s3:PutObject" => self.try_put(&key).await,
            "s3:DeleteObject" => self.delete(&key, Some(&ETag::parse(NO_ETAG))).await,
            "s3:AbortMultipartUpload" => self.abort_upload(&nobodys_upload(&key)).await,
            "s3:GetObjectTagging" => self.tags(&key, None).await.map(drop),
            "s3:GetObjectVersionTagging" => {
                let tags = self.tags(&key, Some(NO_VERSION)).await;
                tags.map(drop)
            }
            "s3:PutObjectTagging" => self.try_tagging(&key).await,
            _ => return None,
        };
        Some(allowed(tried, &LEAVE))
    }

    /// Asks with a body in the answer: that of a HEAD has no code to tell a refusal by.
    async fn try_version(&self, key: &str) -> Result<(), AwsError> {
        let request = self.client.get_object().bucket(&self.name).key(key);
        let request = request.version_id(NO_VERSION);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await.map(drop);
        answer.map_err(self.failed("s3:GetObjectVersion", key))
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

/// Returns an upload that nobody began.
fn nobodys_upload(key: &str) -> MultipartUpload {
    MultipartUpload {
        key: key.to_owned(),
        id: NOBODY.to_owned(),
    }
}

/// Takes a refusal by one of these codes for leave to ask. Other codes, such as those of KMS or of a request that nobody reads, may
/// come before rights are looked at.
pub(super) fn allowed(answer: Result<(), AwsError>, codes: &[&str]) -> Result<(), AwsError> {
    match answer {
        Err(error) if codes.contains(&error.code()) => Ok(()),
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::AwsErrorKind;
    use super::*;

    #[test]
    fn only_what_is_said_of_the_thing_asked_for_is_leave() {
        for (message, is_leave) in [
            ("NoSuchUpload: The specified upload does not exist", true),
            ("NoSuchKey", true),
            ("PreconditionFailed: no", true),
            ("AccessDenied: Access Denied", false),
            ("KMS.DisabledException: the key is disabled", false),
            ("KMS.AccessDeniedException: no", false),
            ("InvalidRequest: no", false),
            ("InvalidArgument: Invalid version id specified", false),
            ("MethodNotAllowed", false),
            ("NoSuchBucket", false),
            ("MalformedXML", false),
            ("status 403", false),
            ("", false),
        ] {
            let error = AwsError {
                action: "s3:PutObject",
                resource: String::new(),
                kind: AwsErrorKind::Other,
                status: 400,
                message: message.to_owned(),
            };
            let answer = allowed(Err(error), &LEAVE);
            assert_eq!(answer.is_ok(), is_leave, "{message}");
        }
        assert!(allowed(Ok(()), &[]).is_ok());
    }
}
