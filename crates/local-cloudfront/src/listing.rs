//! ListObjectsV2, its elder, and ListObjectVersions.

use std::ops::Bound;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::bucket::{self, NULL_VERSION, Version, Versioning};
use super::fields::{etag, timestamp};
use super::s3::Api;

/// What `encoding-type=url` leaves alone.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/');

#[derive(Default)]
struct PageRequest {
    prefix: String,
    delimiter: String,
    /// Exclusive.
    after: String,
    most: usize,
}

enum ListedName {
    Key(String),
    Prefix(String),
}

impl ListedName {
    fn name(&self) -> &str {
        match self {
            Self::Key(key) => key,
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// One page of keys and common prefixes in byte order, and whether there are more.
fn page(
    bucket: &bucket::Bucket,
    asked: &PageRequest,
    shown: impl Fn(&[Version]) -> bool,
) -> (Vec<ListedName>, bool) {
    let mut listed: Vec<ListedName> = Vec::new();
    let from = if asked.after.as_str() < asked.prefix.as_str() {
        Bound::Included(asked.prefix.as_str())
    } else {
        Bound::Excluded(asked.after.as_str())
    };
    for (key, versions) in bucket.keys.range::<str, _>((from, Bound::Unbounded)) {
        let Some(rest) = key.strip_prefix(asked.prefix.as_str()) else {
            break;
        };
        if !shown(versions) {
            continue;
        }
        let cut = match asked.delimiter.as_str() {
            "" => None,
            delimiter => rest.find(delimiter).map(|index| index + delimiter.len()),
        };
        let next = match cut {
            None => ListedName::Key(key.clone()),
            Some(cut) => {
                let prefix = &key[..asked.prefix.len() + cut];
                // A page that ended with this prefix, or this page's last.
                let is_shown = asked.after == prefix
                    || matches!(listed.last(), Some(ListedName::Prefix(last)) if last == prefix);
                if is_shown {
                    continue;
                }
                ListedName::Prefix(prefix.to_owned())
            }
        };
        if listed.len() == asked.most {
            return (listed, asked.most > 0);
        }
        listed.push(next);
    }
    (listed, false)
}

fn most(asked: Option<i32>) -> S3Result<usize> {
    let asked = usize::try_from(asked.unwrap_or(1000));
    let asked = asked.map_err(|_| s3_error!(InvalidArgument, "max-keys must be 0 or more"))?;
    Ok(asked.min(1000))
}

fn encoder(encoding: Option<&EncodingType>) -> impl Fn(&str) -> String + use<> {
    let url = encoding.is_some_and(|encoding| encoding.as_str() == "url");
    move |text| {
        if !url {
            return text.to_owned();
        }
        let encoded = utf8_percent_encode(text, PLAIN).to_string();
        encoded.replace("%20", "+")
    }
}

fn token_of(name: &str) -> String {
    name.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn name_of(token: &str) -> S3Result<String> {
    let refused = || {
        s3_error!(
            InvalidArgument,
            "The continuation token provided is incorrect"
        )
    };
    if token.is_empty() || !token.len().is_multiple_of(2) || !token.is_ascii() {
        return Err(refused());
    }
    let pairs = (0..token.len()).step_by(2);
    let bytes: Result<Vec<u8>, _> = pairs
        .map(|index| u8::from_str_radix(&token[index..index + 2], 16))
        .collect();
    String::from_utf8(bytes.map_err(|_| refused())?).map_err(|_| refused())
}

fn object(bucket: &bucket::Bucket, key: &str, encode: &impl Fn(&str) -> String) -> Option<Object> {
    let (version, object) = bucket.latest(key)?;
    let class = object
        .headers
        .storage_class
        .as_deref()
        .unwrap_or("STANDARD");
    Some(Object {
        key: Some(encode(key)),
        e_tag: Some(etag(object)),
        size: Some(object.content.size as i64),
        last_modified: Some(timestamp(version.modified)),
        storage_class: Some(ObjectStorageClass::from(class.to_owned())),
        ..Object::default()
    })
}

fn is_there(versions: &[Version]) -> bool {
    versions.last().is_some_and(|last| last.object.is_some())
}

/// Splits a page into objects and common prefixes.
fn shown(
    bucket: &bucket::Bucket,
    listed: &[ListedName],
    encode: &impl Fn(&str) -> String,
) -> (Vec<Object>, Vec<CommonPrefix>) {
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    for name in listed {
        match name {
            ListedName::Key(key) => objects.extend(object(bucket, key, encode)),
            ListedName::Prefix(prefix) => prefixes.push(CommonPrefix {
                prefix: Some(encode(prefix)),
            }),
        }
    }
    (objects, prefixes)
}

impl Api {
    pub(super) async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<ListObjectsV2Output> {
        let input = request.input;
        let after = match &input.continuation_token {
            Some(token) => name_of(token)?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let asked = PageRequest {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after,
            most: most(input.max_keys)?,
        };
        let encode = encoder(input.encoding_type.as_ref());
        let output = self.store.read(&input.bucket, |bucket| {
            let (listed, more) = page(bucket, &asked, is_there);
            let (objects, prefixes) = shown(bucket, &listed, &encode);
            let next = listed
                .last()
                .filter(|_| more)
                .map(|last| token_of(last.name()));
            ListObjectsV2Output {
                name: Some(input.bucket.clone()),
                prefix: Some(encode(&asked.prefix)),
                max_keys: Some(asked.most as i32),
                key_count: Some(listed.len() as i32),
                is_truncated: Some(more),
                next_continuation_token: next,
                contents: Some(objects),
                common_prefixes: Some(prefixes),
                delimiter: input.delimiter.as_deref().map(&encode),
                start_after: input.start_after.as_deref().map(&encode),
                continuation_token: input.continuation_token.clone(),
                encoding_type: input.encoding_type.clone(),
                ..ListObjectsV2Output::default()
            }
        });
        Ok(output?)
    }

    pub(super) async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<ListObjectsOutput> {
        let input = request.input;
        let asked = PageRequest {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.marker.clone().unwrap_or_default(),
            most: most(input.max_keys)?,
        };
        let encode = encoder(input.encoding_type.as_ref());
        let output = self.store.read(&input.bucket, |bucket| {
            let (listed, more) = page(bucket, &asked, is_there);
            let (objects, prefixes) = shown(bucket, &listed, &encode);
            ListObjectsOutput {
                name: Some(input.bucket.clone()),
                prefix: Some(encode(&asked.prefix)),
                marker: Some(encode(&asked.after)),
                next_marker: listed
                    .last()
                    .filter(|_| more)
                    .map(|last| encode(last.name())),
                max_keys: Some(asked.most as i32),
                is_truncated: Some(more),
                contents: Some(objects),
                common_prefixes: Some(prefixes),
                delimiter: input.delimiter.as_deref().map(&encode),
                encoding_type: input.encoding_type.clone(),
                ..ListObjectsOutput::default()
            }
        });
        Ok(output?)
    }

    /// Pages end between keys, never within the versions of one: a page may so hold more than was asked for.
    pub(super) async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<ListObjectVersionsOutput> {
        let input = request.input;
        let asked = PageRequest {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.key_marker.clone().unwrap_or_default(),
            most: most(input.max_keys)?,
        };
        let encode = encoder(input.encoding_type.as_ref());
        let output = self.store.read(&input.bucket, |bucket| {
            let (listed, more) = page(bucket, &asked, |versions| !versions.is_empty());
            let mut output = ListObjectVersionsOutput {
                name: Some(input.bucket.clone()),
                prefix: Some(encode(&asked.prefix)),
                key_marker: Some(encode(&asked.after)),
                next_key_marker: listed
                    .last()
                    .filter(|_| more)
                    .map(|last| encode(last.name())),
                max_keys: Some(asked.most as i32),
                is_truncated: Some(more),
                encoding_type: input.encoding_type.clone(),
                delimiter: input.delimiter.as_deref().map(&encode),
                common_prefixes: Some(shown(bucket, &listed, &encode).1),
                ..ListObjectVersionsOutput::default()
            };
            let (mut versions, mut markers) = (Vec::new(), Vec::new());
            for name in &listed {
                if let ListedName::Key(key) = name {
                    list_versions(bucket, key, &encode, &mut versions, &mut markers);
                }
            }
            output.versions = Some(versions);
            output.delete_markers = Some(markers);
            output
        });
        Ok(output?)
    }
}

fn list_versions(
    bucket: &bucket::Bucket,
    key: &str,
    encode: &impl Fn(&str) -> String,
    versions: &mut Vec<ObjectVersion>,
    markers: &mut Vec<DeleteMarkerEntry>,
) {
    let kept = bucket.keys.get(key).map_or(&[][..], Vec::as_slice);
    for (age, version) in kept.iter().rev().enumerate() {
        let id = match bucket.versioning {
            Versioning::Never => NULL_VERSION.to_owned(),
            _ => version.id.clone(),
        };
        match &version.object {
            Some(object) => versions.push(ObjectVersion {
                key: Some(encode(key)),
                version_id: Some(id),
                is_latest: Some(age == 0),
                e_tag: Some(etag(object)),
                size: Some(object.content.size as i64),
                last_modified: Some(timestamp(version.modified)),
                ..ObjectVersion::default()
            }),
            None => markers.push(DeleteMarkerEntry {
                key: Some(encode(key)),
                version_id: Some(id),
                is_latest: Some(age == 0),
                last_modified: Some(timestamp(version.modified)),
                ..DeleteMarkerEntry::default()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_and_others_are_refused() {
        assert_eq!(name_of(&token_of("a/é +")).unwrap(), "a/é +");
        for bad in ["", "6", "zz", "ff", "éé"] {
            assert!(name_of(bad).is_err(), "{bad}");
        }
    }
}
