//! Which service and which operation a request is for.

use hyper::HeaderMap;
use hyper::http::request::Parts;

use super::form::Form;
use super::http::{decode, header};
use super::request::{RequestInfo, Service};

/// The region and the service that a request is signed for: `.../us-east-1/s3/aws4_request`.
pub(super) fn scope(headers: &HeaderMap) -> Option<(&str, &str)> {
    let authorization = header(headers, "authorization")?;
    let mut scope = authorization
        .split("Credential=")
        .nth(1)?
        .split('/')
        .skip(2);
    scope.next().zip(scope.next())
}

/// All that share the path `/` are told apart by their signature.
fn service(name: &str) -> Service {
    match name {
        "cloudformation" => Service::CloudFormation,
        "sts" => Service::Sts,
        "acm" => Service::Acm,
        "cloudcontrolapi" => Service::CloudControl,
        _ => Service::S3,
    }
}

/// Whether a request is of the query protocol, which names its operation in the body.
pub(super) fn has_form(parts: &Parts) -> bool {
    let service = scope(&parts.headers).map(|(_, name)| service(name));
    matches!(service, Some(Service::Sts | Service::CloudFormation))
}

pub(super) fn describe(parts: &Parts, number: u64, form: &[u8]) -> RequestInfo {
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let method = parts.method.as_str();
    let key_values = super::keys::operation(method, path);
    let scope = scope(&parts.headers);
    let service = match key_values {
        Some(_) => Service::KeyValueStore,
        None if path.starts_with("/2020-05-31/") => Service::CloudFront,
        None => scope.map_or(Service::S3, |(_, name)| service(name)),
    };
    let (bucket, key) = match path.trim_start_matches('/').split_once('/') {
        _ if service != Service::S3 => ("", ""),
        Some(both) => both,
        None => (path.trim_start_matches('/'), ""),
    };
    let has = |name: &str| parts.headers.contains_key(name);
    let operation = match service {
        Service::KeyValueStore => key_values.unwrap_or_default(),
        Service::CloudFront => super::cloudfront::operation(method, path),
        Service::CloudFormation => super::cloudformation::operation(&Form::parse(form)),
        Service::Acm | Service::CloudControl => super::json::operation(&parts.headers),
        Service::Sts => super::identity::operation(&Form::parse(form)),
        Service::S3 => s3_operation(method, query, bucket, key, has("x-amz-copy-source")),
    };
    RequestInfo {
        number,
        service,
        region: scope.map_or("", |(region, _)| region).to_owned(),
        operation,
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        bucket: decode(bucket),
        key: decode(key),
    }
}

fn s3_operation(method: &str, query: &str, bucket: &str, key: &str, copy: bool) -> &'static str {
    let asks = |name: &str| {
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(name))
    };
    let setting = super::documents::operation(method, query);
    if let Some(setting) = setting.filter(|_| key.is_empty() && !bucket.is_empty()) {
        return setting;
    }
    match (method, bucket.is_empty(), key.is_empty()) {
        ("GET", true, _) => "ListBuckets",
        ("GET", _, true) if asks("location") => "GetBucketLocation",
        ("GET", _, true) if asks("website") => "GetBucketWebsite",
        ("GET", _, true) if asks("versioning") => "GetBucketVersioning",
        ("GET", _, true) if asks("versions") => "ListObjectVersions",
        ("GET", _, true) if asks("uploads") => "ListMultipartUploads",
        ("GET", _, true) if asks("list-type") => "ListObjectsV2",
        ("GET", _, true) => "ListObjects",
        ("HEAD", _, true) => "HeadBucket",
        ("PUT", _, true) if asks("versioning") => "PutBucketVersioning",
        ("PUT", _, true) if asks("website") => "PutBucketWebsite",
        ("PUT", _, true) => "CreateBucket",
        ("DELETE", _, true) if asks("website") => "DeleteBucketWebsite",
        ("DELETE", _, true) => "DeleteBucket",
        ("POST", _, true) if asks("delete") => "DeleteObjects",
        ("GET", ..) if asks("tagging") => "GetObjectTagging",
        ("GET", ..) if asks("uploadId") => "ListParts",
        ("GET", ..) => "GetObject",
        ("HEAD", ..) => "HeadObject",
        ("PUT", ..) if asks("tagging") => "PutObjectTagging",
        ("PUT", ..) if asks("uploadId") && copy => "UploadPartCopy",
        ("PUT", ..) if asks("uploadId") => "UploadPart",
        ("PUT", ..) if copy => "CopyObject",
        ("PUT", ..) => "PutObject",
        ("POST", ..) if asks("uploads") => "CreateMultipartUpload",
        ("POST", ..) if asks("uploadId") => "CompleteMultipartUpload",
        ("DELETE", ..) if asks("tagging") => "DeleteObjectTagging",
        ("DELETE", ..) if asks("uploadId") => "AbortMultipartUpload",
        ("DELETE", _, false) => "DeleteObject",
        _ => "",
    }
}
