//! The fields that several inputs and outputs of S3 have alike.

use std::time::{Duration, SystemTime};

use s3s::dto::{ChecksumType, ETag, Timestamp, TimestampFormat};

use super::bucket::Object;

/// What S3 keeps beside a body, as several inputs name it alike.
macro_rules! headers_of {
    ($input:expr) => {{
        let input = &$input;
        Headers {
            cache_control: input.cache_control.clone(),
            content_type: input.content_type.clone(),
            content_disposition: input.content_disposition.clone(),
            content_language: input.content_language.clone(),
            content_encoding: input
                .content_encoding
                .clone()
                .filter(|text| !text.is_empty()),
            redirect: input.website_redirect_location.clone(),
            metadata: input
                .metadata
                .clone()
                .unwrap_or_default()
                .into_iter()
                .collect(),
            storage_class: input
                .storage_class
                .as_ref()
                .map(|class| class.as_str().to_owned())
                .filter(|class| class != "STANDARD"),
            tags: crate::tagging::tags_of(input.tagging.as_deref())?,
        }
    }};
}
pub(crate) use headers_of;

/// Sets what HEAD and GET answer alike.
macro_rules! describe {
    ($output:expr, $version:expr, $object:expr, $sums:expr, $versioned:expr) => {{
        let (output, version, object) = (&mut $output, &$version, &$object);
        let headers = &object.headers;
        output.accept_ranges = Some("bytes".to_owned());
        output.cache_control = headers.cache_control.clone();
        output.content_type = Some(
            headers
                .content_type
                .clone()
                .unwrap_or_else(|| "binary/octet-stream".to_owned()),
        );
        output.content_disposition = headers.content_disposition.clone();
        output.content_language = headers.content_language.clone();
        output.content_encoding = headers.content_encoding.clone();
        output.website_redirect_location = headers.redirect.clone();
        output.metadata = Some(headers.metadata.clone().into_iter().collect());
        output.storage_class = headers.storage_class.clone().map(StorageClass::from);
        output.e_tag = Some(etag(object));
        output.last_modified = Some(timestamp(version.modified));
        output.expires = expires(object);
        output.version_id = $versioned.then(|| version.id.clone());
        let sse = if object.kms { "aws:kms" } else { "AES256" };
        output.server_side_encryption = Some(ServerSideEncryption::from(sse.to_owned()));
        if $sums {
            checksums!(output, object.checksums);
            output.checksum_type = Some(checksum_type(object.composite));
        }
    }};
}

pub(crate) use describe;

/// Sets the five checksum fields that several outputs share.
macro_rules! checksums {
    ($output:expr, $sums:expr) => {{
        let (output, sums) = (&mut *$output, &$sums);
        output.checksum_crc32 = sums.get("CRC32").cloned();
        output.checksum_crc32c = sums.get("CRC32C").cloned();
        output.checksum_crc64nvme = sums.get("CRC64NVME").cloned();
        output.checksum_sha1 = sums.get("SHA1").cloned();
        output.checksum_sha256 = sums.get("SHA256").cloned();
    }};
}
pub(crate) use checksums;

pub(crate) fn checksum_type(composite: bool) -> ChecksumType {
    let name = if composite {
        "COMPOSITE"
    } else {
        "FULL_OBJECT"
    };
    ChecksumType::from(name.to_owned())
}

pub(crate) fn etag(object: &Object) -> ETag {
    ETag::Strong(object.etag.clone())
}

/// As headers write an ETag.
pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

pub(crate) fn timestamp(millis: i64) -> Timestamp {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    Timestamp::from(SystemTime::UNIX_EPOCH + since)
}

pub(crate) fn expires(object: &Object) -> Option<Timestamp> {
    Timestamp::parse(TimestampFormat::HttpDate, object.expires.as_deref()?).ok()
}

pub(crate) fn expires_text(expires: Option<&Timestamp>) -> Option<String> {
    let mut text = Vec::new();
    expires?.format(TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}
