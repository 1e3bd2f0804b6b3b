//! Listing a bucket.

use aws_sdk_s3::types::EncodingType;
use percent_encoding::percent_decode_str;

use super::connect::AwsClients;
use super::error::{AwsError, failed};
use super::s3::{Bucket, attempt_timeout, within};
use crate::object::ETag;

/// An object as ListObjectsV2 shows it. Its key is whole, prefix included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    pub key: Box<str>,
    pub size: u64,
    pub etag: ETag,
    /// When it was last written, in seconds since 1970 by the server's clock.
    pub modified: Option<i64>,
}

/// A part of a listing, sorted by key as S3 sorts them.
#[derive(Debug, Default)]
pub struct ListingPage {
    pub objects: Vec<ListedObject>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// The keys under `prefix` that come after `after`, up to and with `last`.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyRange<'a> {
    pub prefix: &'a str,
    pub after: Option<&'a str>,
    pub last: Option<&'a str>,
}

const ACTION: &str = "s3:ListBucket";

impl AwsClients {
    /// Lists the names of the account's buckets.
    pub async fn bucket_names(&self) -> Result<Vec<String>, AwsError> {
        let client = self.bucket("", None).client;
        let mut pages = client.list_buckets().into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed("s3:ListAllMyBuckets", "*"))?;
            let buckets = page.buckets.unwrap_or_default().into_iter();
            names.extend(buckets.filter_map(|bucket| bucket.name));
        }
        Ok(names)
    }
}

impl Bucket {
    /// Lists one page of what lies under `prefix`: the one that `next` names, or else the first after the key `after`.
    pub async fn list_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        next: Option<String>,
    ) -> Result<ListingPage, AwsError> {
        let after = after.filter(|_| next.is_none()).map(str::to_owned);
        let answer = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(prefix)
            .set_start_after(after)
            .set_continuation_token(next)
            .set_expected_bucket_owner(self.owner.clone())
            // Without it one control character in a key makes the whole page unreadable.
            .encoding_type(EncodingType::Url)
            .customize()
            .config_override(within(attempt_timeout(1 << 20)))
            .send()
            .await
            .map_err(|error| AwsError::new(ACTION, format!("s3://{}", self.name), error))?;
        let nonsense = |what| AwsError::nonsense(ACTION, self.url(prefix), what);
        let next = if answer.is_truncated.unwrap_or_default() {
            let next = answer.next_continuation_token;
            let lost = || nonsense("the listing breaks off without saying where to go on");
            Some(next.ok_or_else(lost)?)
        } else {
            None
        };
        let contents = answer.contents.unwrap_or_default().into_iter();
        let objects = contents.map(|object| {
            let key = decoded(object.key, answer.encoding_type.as_ref());
            Ok(ListedObject {
                key: key
                    .ok_or_else(|| nonsense("a listed key is not UTF-8"))?
                    .into(),
                size: object.size.unwrap_or_default().max(0) as u64,
                etag: ETag::parse(&object.e_tag.unwrap_or_default()),
                modified: object.last_modified.map(|time| time.secs()),
            })
        });
        Ok(ListingPage {
            objects: objects.collect::<Result<_, AwsError>>()?,
            next,
        })
    }

    /// Lists a range of keys, sorted by their bytes, and tells whether that is all: no more than so many `pages` are asked for.
    pub async fn list_range(
        &self,
        range: KeyRange<'_>,
        pages: usize,
        seen: impl Fn(usize),
    ) -> Result<(Vec<ListedObject>, bool), AwsError> {
        let past = |object: &ListedObject| range.last.is_some_and(|last| *object.key > *last);
        let mut objects = Vec::new();
        let (mut next, mut whole) = (None, false);
        for _ in 0..pages {
            let page = self.list_page(range.prefix, range.after, next).await?;
            seen(page.objects.len());
            whole = page.next.is_none() || page.objects.last().is_some_and(past);
            objects.extend(page.objects.into_iter().filter(|object| !past(object)));
            next = page.next;
            if whole {
                break;
            }
        }
        // Not every server sorts by bytes once the keys are encoded.
        if !objects.is_sorted_by(|first, second| first.key <= second.key) {
            objects.sort_by(|first, second| first.key.cmp(&second.key));
        }
        Ok((objects, whole))
    }
}

/// Returns a key as it is, whether it was encoded or not; `None`: it is not UTF-8.
pub(super) fn decoded(key: Option<String>, encoding: Option<&EncodingType>) -> Option<String> {
    let key = key.unwrap_or_default();
    if encoding == Some(&EncodingType::Url) {
        decode(&key)
    } else {
        Some(key)
    }
}

/// Undoes EncodingType=url, which the SDK leaves to its caller; a plus is a space.
fn decode(encoded: &str) -> Option<String> {
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
