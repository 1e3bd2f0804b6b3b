//! Deleting objects of a bucket, by themselves and many at once.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_s3::types::{Delete, Error, ObjectIdentifier};

use super::error::{AwsError, AwsErrorKind, kind_of_code};
use super::s3::{Bucket, within};
use crate::object::ETag;

const ACTION: &str = "s3:DeleteObject";

/// Pauses before keys of a DeleteObjects are asked for again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(7);

impl Bucket {
    /// Deletes one object, of this ETag if there is one; an object that is gone already is no error.
    pub(super) async fn delete(&self, key: &str, etag: Option<&ETag>) -> Result<(), AwsError> {
        let request = self.client.delete_object().bucket(&self.name).key(key);
        let answer = request
            .set_expected_bucket_owner(self.owner.clone())
            .set_if_match(etag.map(ETag::quoted))
            .send()
            .await;
        AwsError::if_there(answer.map_err(self.failed(ACTION, key))).map(drop)
    }

    /// Deletes up to [`super::s3::MAX_DELETES`] objects that have these ETags still. Answers with those that were not deleted.
    /// What S3 asks to be asked again is; a key that XML cannot carry goes by itself.
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
            if let Err(error) = self.delete(&key, etag.as_ref()).await {
                failed.push((key, error));
            }
        }
        let mut pause = FIRST_PAUSE;
        while !together.is_empty() {
            let refused = self.delete_chunk(&together).await?;
            let (again, others): (Vec<_>, Vec<_>) = refused
                .into_iter()
                .partition(|(_, error)| error.is(&AwsErrorKind::Throttled) && pause <= LAST_PAUSE);
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
        let identifiers = objects.iter().map(|(key, etag)| {
            let etag = etag.as_ref().map(ETag::quoted);
            let identifier = ObjectIdentifier::builder().key(key).set_e_tag(etag);
            identifier.build()
        });
        let delete = identifiers.collect::<Result<_, _>>().and_then(|objects| {
            let delete = Delete::builder().set_objects(Some(objects));
            delete.quiet(true).build()
        });
        let delete =
            delete.map_err(|error| AwsError::nonsense(ACTION, self.url(""), error.to_string()))?;
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
            .map_err(self.failed(ACTION, ""))?;
        let refused = answer.errors.unwrap_or_default().into_iter();
        Ok(refused
            .map(|error| self.refused(error))
            .filter(|(_, error)| !error.is(&AwsErrorKind::NotFound))
            .collect())
    }

    /// Sorts what DeleteObjects says of one key.
    fn refused(&self, error: Error) -> (String, AwsError) {
        let key = error.key.unwrap_or_default();
        let code = error.code.unwrap_or_default();
        let kind = match code.as_str() {
            "ServiceUnavailable" | "InternalError" => AwsErrorKind::Throttled,
            code => kind_of_code(code, &None).unwrap_or(AwsErrorKind::Other),
        };
        let message = format!("{code}: {}", error.message.unwrap_or_default());
        let error = AwsError {
            action: ACTION,
            resource: self.url(&key),
            kind,
            status: 200,
            message,
        };
        (key, error)
    }
}
