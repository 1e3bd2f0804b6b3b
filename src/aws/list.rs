//! Listing a bucket.

use percent_encoding::percent_decode_str;

use super::error::AwsError;
use super::s3::{Bucket, attempt_timeout};
use crate::domain::ETag;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::types::EncodingType;

/// An object as ListObjectsV2 shows it. Its key is whole, prefix included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: Box<str>,
    pub size: u64,
    pub etag: ETag,
    /// When it was last written, in seconds since 1970 by the server's clock.
    pub modified: Option<i64>,
}

/// A part of a listing, sorted by key as S3 sorts them.
#[derive(Debug, Default)]
pub struct Page {
    pub objects: Vec<Listed>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

impl Bucket {
    /// One page of what lies under `prefix`: the one that `next` names, or else the first after the key `after`.
    pub async fn list_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        next: Option<String>,
    ) -> Result<Page, AwsError> {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt_timeout(1 << 20));
        let first = next.is_none();
        let answer = self
            .client
            .list_objects_v2()
            .bucket(self.name())
            .prefix(prefix)
            .set_start_after(after.filter(|_| first).map(str::to_owned))
            .set_continuation_token(next)
            .set_expected_bucket_owner(self.owner.clone())
            // Without it one control character in a key makes the whole page unreadable.
            .encoding_type(EncodingType::Url)
            .customize()
            .config_override(aws_sdk_s3::Config::builder().timeout_config(timeouts.build()))
            .send()
            .await
            .map_err(|error| {
                AwsError::new("s3:ListBucket", format!("s3://{}", self.name()), error)
            })?;
        let encoded = answer.encoding_type == Some(EncodingType::Url);
        let truncated = answer.is_truncated.unwrap_or_default();
        let mut page = Page {
            objects: Vec::new(),
            next: answer.next_continuation_token.filter(|_| truncated),
        };
        if truncated && page.next.is_none() {
            return Err(self.nonsense(
                "s3:ListBucket",
                prefix,
                "the listing breaks off without saying where to go on",
            ));
        }
        for object in answer.contents.unwrap_or_default() {
            let key = object.key.unwrap_or_default();
            let key = if encoded { decode(&key) } else { Some(key) };
            let key = key.ok_or_else(|| {
                self.nonsense("s3:ListBucket", prefix, "a listed key is not UTF-8")
            })?;
            page.objects.push(Listed {
                key: key.into(),
                size: object.size.unwrap_or_default().max(0) as u64,
                etag: ETag::parse(&object.e_tag.unwrap_or_default()),
                modified: object.last_modified.map(|time| time.secs()),
            });
        }
        Ok(page)
    }

    /// What lies under `prefix` with keys after `after`, up to and with `last`, sorted by the bytes of the keys, and whether that
    /// is all: no more than so many `pages` are asked for.
    pub async fn list_range(
        &self,
        prefix: &str,
        after: Option<&str>,
        last: Option<&str>,
        pages: usize,
        seen: impl Fn(usize),
    ) -> Result<(Vec<Listed>, bool), AwsError> {
        let mut objects = Vec::new();
        let (mut next, mut whole) = (None, false);
        for _ in 0..pages {
            let page = self.list_page(prefix, after, next).await?;
            seen(page.objects.len());
            let past = |object: &Listed| last.is_some_and(|last| *object.key > *last);
            let ended = page.objects.last().is_some_and(past);
            objects.extend(page.objects.into_iter().filter(|object| !past(object)));
            next = page.next;
            whole = ended || next.is_none();
            if whole {
                break;
            }
        }
        // Not every server sorts by bytes once the keys are encoded.
        if !objects.is_sorted_by(|one, other| one.key <= other.key) {
            objects.sort_by(|one, other| one.key.cmp(&other.key));
        }
        Ok((objects, whole))
    }
}

/// Undoes EncodingType=url, which the SDK leaves to its caller; a plus is a space.
pub(super) fn decode(encoded: &str) -> Option<String> {
    if !encoded.contains(['%', '+']) {
        return Some(encoded.to_owned());
    }
    let spaced = encoded.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn listed_keys_are_decoded() {
        assert_eq!(super::decode("a+b%2Bc%20d").as_deref(), Some("a b+c d"));
        assert_eq!(super::decode("%ED%95%9C").as_deref(), Some("한"));
        assert_eq!(super::decode("%FF"), None);
    }
}
