//! The S3 operations that deal with one object or bucket at a time, over our own store.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::content::{self, Claims};
use super::store::{BucketOptions, Expect, Object, Store, StoreError, Version, Versioning};
use super::uploads::Uploads;
use crate::domain;

/// The most bytes that one CopyObject or PutObject takes (S3 User Guide, "Copying objects").
const MOST_AT_ONCE: u64 = 5 * 1024 * 1024 * 1024;

/// The S3 service over a store.
#[derive(Clone)]
pub struct Api {
    pub store: Arc<Store>,
    pub uploads: Arc<Uploads>,
}

impl From<StoreError> for s3s::S3Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchBucket => s3_error!(NoSuchBucket, "{error}"),
            StoreError::NoSuchKey => s3_error!(NoSuchKey, "{error}"),
            StoreError::NoSuchVersion => s3_error!(NoSuchVersion, "{error}"),
            StoreError::PreconditionFailed => s3_error!(PreconditionFailed, "{error}"),
            StoreError::Disk(error) => content::disk_error(error),
        }
    }
}

macro_rules! operations {
    ($($name:ident($input:ident) -> $output:ident;)*) => {
        impl S3 for Api {
            $(fn $name<'a, 'f>(
                &'a self,
                request: S3Request<$input>,
            ) -> Pin<Box<dyn Future<Output = S3Result<S3Response<$output>>> + Send + 'f>>
            where
                'a: 'f,
                Self: 'f,
            {
                Box::pin(async move { self.$name(request).await.map(S3Response::new) })
            })*

            fn get_object<'a, 'f>(
                &'a self,
                request: S3Request<GetObjectInput>,
            ) -> Pin<Box<dyn Future<Output = S3Result<S3Response<GetObjectOutput>>> + Send + 'f>>
            where
                'a: 'f,
                Self: 'f,
            {
                Box::pin(async move { self.get_object(request).await })
            }
        }
    };
}

operations! {
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    list_objects(ListObjectsInput) -> ListObjectsOutput;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput;
    head_object(HeadObjectInput) -> HeadObjectOutput;
    put_object(PutObjectInput) -> PutObjectOutput;
    copy_object(CopyObjectInput) -> CopyObjectOutput;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    upload_part(UploadPartInput) -> UploadPartOutput;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
    list_parts(ListPartsInput) -> ListPartsOutput;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput;
    head_bucket(HeadBucketInput) -> HeadBucketOutput;
    create_bucket(CreateBucketInput) -> CreateBucketOutput;
    list_buckets(ListBucketsInput) -> ListBucketsOutput;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput;
}

/// What S3 keeps beside a body, as several inputs name it alike.
macro_rules! headers_of {
    ($input:expr) => {{
        let input = &$input;
        domain::Headers {
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
            tags: crate::local::s3::tags_of(input.tagging.as_deref())?,
        }
    }};
}
pub(super) use headers_of;

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
pub(super) use checksums;

pub fn checksum_type(composite: bool) -> ChecksumType {
    let name = if composite {
        "COMPOSITE"
    } else {
        "FULL_OBJECT"
    };
    ChecksumType::from(name.to_owned())
}

pub fn etag(object: &Object) -> ETag {
    ETag::Strong(object.etag.to_string())
}

pub fn timestamp(millis: i64) -> Timestamp {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    Timestamp::from(SystemTime::UNIX_EPOCH + since)
}

fn expires(object: &Object) -> Option<Timestamp> {
    Timestamp::parse(TimestampFormat::HttpDate, object.expires.as_deref()?).ok()
}

pub fn expires_text(expires: Option<&Timestamp>) -> Option<String> {
    let mut text = Vec::new();
    expires?.format(TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}

/// `x-amz-tagging`: a query string.
pub fn tags_of(text: Option<&str>) -> S3Result<BTreeMap<String, String>> {
    let decode = |part: &str| {
        let spaced = part.replace('+', " ");
        let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8();
        decoded
            .map(|text| text.into_owned())
            .map_err(|_| s3_error!(InvalidTag))
    };
    let pairs = text.unwrap_or_default().split('&');
    let pairs = pairs.filter(|pair| !pair.is_empty());
    let tags: S3Result<BTreeMap<_, _>> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect();
    tags.and_then(|tags| match tags.len() {
        0..=10 => Ok(tags),
        _ => Err(s3_error!(
            InvalidTag,
            "Object tags cannot be greater than 10"
        )),
    })
}

/// A condition of the protocol layer in our words; `*` is kept as such.
pub fn condition(given: Option<ETagCondition>) -> Option<domain::ETag> {
    given.map(|given| match given {
        ETagCondition::Any => domain::ETag::parse("*"),
        ETagCondition::ETag(etag) => domain::ETag::parse(etag.value()),
    })
}

/// If-Match and If-None-Match of a write. S3 takes no If-None-Match but `*`.
pub fn expectation(is: Option<ETagCondition>, not: Option<ETagCondition>) -> S3Result<Expect> {
    if matches!(not, Some(ETagCondition::ETag(_))) {
        return Err(s3_error!(
            NotImplemented,
            "A header you provided implies functionality that is not implemented"
        ));
    }
    Ok(Expect {
        is: condition(is),
        absent: not.is_some(),
    })
}

struct Asked {
    is: Option<ETagCondition>,
    not: Option<ETagCondition>,
    since: Option<Timestamp>,
    unless: Option<Timestamp>,
}

impl Asked {
    /// The conditions of GET and HEAD (RFC 9110, 13.2.2). 304 is an error to the protocol layer.
    fn check(self, version: &Version, object: &Object) -> S3Result<()> {
        let matches = |wanted: &domain::ETag| {
            wanted.to_string() == "*" || wanted.to_string() == object.etag.to_string()
        };
        // Headers have whole seconds.
        let modified = timestamp(version.modified / 1000 * 1000);
        let failed = match condition(self.is) {
            Some(wanted) => !matches(&wanted),
            None => self.unless.is_some_and(|unless| modified > unless),
        };
        if failed {
            return Err(StoreError::PreconditionFailed.into());
        }
        let unchanged = match condition(self.not) {
            Some(known) => matches(&known),
            None => self.since.is_some_and(|since| modified <= since),
        };
        if unchanged {
            return Err(not_modified(version, object));
        }
        Ok(())
    }
}

fn not_modified(version: &Version, object: &Object) -> s3s::S3Error {
    let mut error = s3_error!(NotModified);
    error.set_status_code(hyper::StatusCode::NOT_MODIFIED);
    let mut headers = hyper::HeaderMap::new();
    let mut set = |name: &'static str, value: Option<String>| {
        if let Some(value) = value.and_then(|value| value.parse().ok()) {
            headers.insert(name, value);
        }
    };
    set("etag", Some(object.etag.quoted()));
    set("cache-control", object.headers.cache_control.clone());
    set(
        "last-modified",
        expires_text(Some(&timestamp(version.modified))),
    );
    error.set_headers(headers);
    error
}

impl Api {
    /// The version that a GET or HEAD names, its object, and whether its id is shown.
    fn find(
        &self,
        bucket: &str,
        key: &str,
        id: Option<&str>,
    ) -> S3Result<(Version, Arc<Object>, bool)> {
        let versioned = self
            .store
            .read(bucket, |found| found.versioning != Versioning::Never)?;
        let version = self.store.version(bucket, key, id)?;
        match version.object.clone() {
            Some(object) => Ok((version, object, versioned)),
            None => {
                let mut error = match id {
                    Some(_) => s3_error!(MethodNotAllowed),
                    None => StoreError::NoSuchKey.into(),
                };
                let mut headers = hyper::HeaderMap::new();
                headers.insert(
                    "x-amz-delete-marker",
                    hyper::header::HeaderValue::from_static("true"),
                );
                if let Ok(id) = version.id.parse() {
                    headers.insert("x-amz-version-id", id);
                }
                error.set_headers(headers);
                Err(error)
            }
        }
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<HeadObjectOutput> {
        let input = request.input;
        let id = input.version_id.as_deref();
        let (version, object, versioned) = self.find(&input.bucket, &input.key, id)?;
        let asked = Asked {
            is: input.if_match,
            not: input.if_none_match,
            since: input.if_modified_since,
            unless: input.if_unmodified_since,
        };
        asked.check(&version, &object)?;
        let mut output = HeadObjectOutput::default();
        describe!(
            output,
            version,
            object,
            input.checksum_mode.is_some(),
            versioned
        );
        output.content_length = Some(object.content.size as i64);
        Ok(output)
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let id = input.version_id.as_deref();
        let (version, object, versioned) = self.find(&input.bucket, &input.key, id)?;
        let asked = Asked {
            is: input.if_match,
            not: input.if_none_match,
            since: input.if_modified_since,
            unless: input.if_unmodified_since,
        };
        asked.check(&version, &object)?;
        let size = object.content.size;
        let range = input.range.map(|range| range.check(size)).transpose()?;
        let (from, to) = range
            .as_ref()
            .map_or((0, size), |range| (range.start, range.end));
        let mut output = GetObjectOutput::default();
        let sums = input.checksum_mode.is_some() && range.is_none();
        describe!(output, version, object, sums, versioned);
        output.content_length = Some((to - from) as i64);
        output.tag_count = i32::try_from(object.headers.tags.len())
            .ok()
            .filter(|count| *count > 0);
        output.body = Some(content::serve(&self.store, &object, from, to)?);
        let mut response = S3Response::new(output);
        if range.is_some() {
            response.output.content_range = Some(format!("bytes {from}-{}/{size}", to - 1));
            response.status = Some(hyper::StatusCode::PARTIAL_CONTENT);
        }
        Ok(response)
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
        let claims = Claims::of(&request.headers, &request.extensions);
        let input = request.input;
        self.store.read(&input.bucket, |_| ())?;
        if claims.length.is_some_and(|length| length > MOST_AT_ONCE) {
            return Err(s3_error!(EntityTooLarge));
        }
        let expect = expectation(input.if_match.clone(), input.if_none_match.clone())?;
        let headers = headers_of!(input);
        check_metadata(&headers)?;
        let wanted = input.checksum_algorithm.as_ref();
        let wanted: Vec<String> = wanted.iter().map(|name| name.as_str().to_owned()).collect();
        let staged = content::stage(&self.store, input.body, claims, &wanted).await?;
        let object = Object {
            content: staged.content,
            memory: None,
            etag: domain::ETag::Md5(staged.content.md5),
            headers,
            expires: expires_text(input.expires.as_ref()),
            checksums: staged.checksums,
            composite: false,
            kms: is_kms(input.server_side_encryption.as_ref()),
        };
        let (bucket, key) = (&input.bucket, &input.key);
        let version = self
            .store
            .put(bucket, key, object, Some(staged.data), &expect)?;
        let mut output = PutObjectOutput::default();
        if let Some(object) = &version.object {
            output.e_tag = Some(etag(object));
            checksums!(&mut output, object.checksums);
            output.checksum_type = Some(checksum_type(false));
        }
        output.version_id = self.shown_id(bucket, &version)?;
        Ok(output)
    }

    /// A version's id where the bucket has versions.
    pub(super) fn shown_id(&self, bucket: &str, version: &Version) -> S3Result<Option<String>> {
        let versioning = self.store.read(bucket, |found| found.versioning)?;
        Ok((versioning != Versioning::Never).then(|| version.id.clone()))
    }

    /// What a copy source names, if it meets the request's conditions on it.
    pub(super) fn source(
        &self,
        source: &CopySource,
        is: Option<ETagCondition>,
        not: Option<ETagCondition>,
    ) -> S3Result<(Version, Arc<Object>)> {
        let CopySource::Bucket {
            bucket,
            key,
            version_id,
        } = source
        else {
            return Err(s3_error!(NotImplemented));
        };
        let (version, object, _) = self.find(bucket, key, version_id.as_deref())?;
        let asked = Asked {
            is,
            not,
            since: None,
            unless: None,
        };
        // A copy answers 412 where a GET would answer 304.
        asked
            .check(&version, &object)
            .map_err(|_| StoreError::PreconditionFailed)?;
        Ok((version, object))
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
        let conditions = write_conditions(&request.headers)?;
        let input = request.input;
        let (is, not) = (
            input.copy_source_if_match.clone(),
            input.copy_source_if_none_match.clone(),
        );
        let (from, source) = self.source(&input.copy_source, is, not)?;
        if source.content.size > MOST_AT_ONCE {
            return Err(s3_error!(
                InvalidRequest,
                "The specified copy source is larger than the maximum allowable size for a copy source: {MOST_AT_ONCE}"
            ));
        }
        let is = |directive: Option<&str>| directive == Some("REPLACE");
        let replace = is(input
            .metadata_directive
            .as_ref()
            .map(MetadataDirective::as_str));
        let retag = is(input
            .tagging_directive
            .as_ref()
            .map(TaggingDirective::as_str));
        let given = headers_of!(input);
        let latest = self.store.get(&input.bucket, &input.key).ok();
        let itself = matches!(&input.copy_source, CopySource::Bucket { bucket, key, .. }
            if **bucket == *input.bucket && **key == *input.key)
            && latest.is_some_and(|(now, _)| now.id == from.id);
        let same_class = given.storage_class == source.headers.storage_class;
        if itself && !replace && !retag && same_class && given.redirect.is_none() {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
            ));
        }
        let mut object = Object::clone(&source);
        let tags = if retag {
            given.tags.clone()
        } else {
            source.headers.tags.clone()
        };
        if replace {
            check_metadata(&given)?;
            object.headers = domain::Headers { tags, ..given };
            object.expires = expires_text(input.expires.as_ref());
        } else {
            object.headers.tags = tags;
            object.headers.storage_class = given.storage_class;
            // Never copied (Amazon S3 API Reference, "CopyObject").
            object.headers.redirect = given.redirect;
        }
        // A copy is written at once, so its ETag is that of the whole.
        object.etag = domain::ETag::Md5(object.content.md5);
        if object.composite {
            object.composite = false;
            let crc64 = content::base64(&object.content.crc64.to_be_bytes());
            object.checksums = BTreeMap::from([("CRC64NVME".to_owned(), crc64)]);
        }
        object.kms = is_kms(input.server_side_encryption.as_ref());
        let version = self
            .store
            .put(&input.bucket, &input.key, object, None, &conditions)?;
        let mut result = CopyObjectResult {
            last_modified: Some(timestamp(version.modified)),
            ..CopyObjectResult::default()
        };
        if let Some(object) = &version.object {
            result.e_tag = Some(etag(object));
            checksums!(&mut result, object.checksums);
            result.checksum_type = Some(checksum_type(false));
        }
        Ok(CopyObjectOutput {
            copy_object_result: Some(result),
            version_id: self.shown_id(&input.bucket, &version)?,
            ..CopyObjectOutput::default()
        })
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<DeleteObjectOutput> {
        let input = request.input;
        let expect = expectation(input.if_match, None)?;
        let id = input.version_id.as_deref();
        let done = self.store.delete(&input.bucket, &input.key, id, &expect)?;
        Ok(DeleteObjectOutput {
            delete_marker: done.marker.then_some(true),
            version_id: done.version,
            ..DeleteObjectOutput::default()
        })
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<DeleteObjectsOutput> {
        let input = request.input;
        self.store.read(&input.bucket, |_| ())?;
        if input.delete.objects.len() > 1000 {
            return Err(s3_error!(MalformedXML));
        }
        let quiet = input.delete.quiet.unwrap_or_default();
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in input.delete.objects {
            let expect = Expect {
                is: object.e_tag.map(|etag| domain::ETag::parse(etag.value())),
                absent: false,
            };
            let id = object.version_id.as_deref();
            match self.store.delete(&input.bucket, &object.key, id, &expect) {
                Ok(_) if quiet => {}
                Ok(done) => deleted.push(deleted_object(object.key, object.version_id, done)),
                Err(error) => {
                    let error = s3s::S3Error::from(error);
                    errors.push(Error {
                        code: Some(error.code().as_str().to_owned()),
                        key: Some(object.key),
                        message: error.message().map(str::to_owned),
                        version_id: object.version_id,
                    });
                }
            }
        }
        Ok(DeleteObjectsOutput {
            deleted: Some(deleted),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        })
    }

    async fn put_object_tagging(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<PutObjectTaggingOutput> {
        let input = request.input;
        let tags = input.tagging.tag_set.into_iter();
        let tags = tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
        let tags: BTreeMap<String, String> = tags.collect();
        let id = input.version_id.as_deref();
        self.store.amend(&input.bucket, &input.key, id, |object| {
            object.headers.tags = tags;
        })?;
        Ok(PutObjectTaggingOutput::default())
    }

    async fn delete_object_tagging(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<DeleteObjectTaggingOutput> {
        let input = request.input;
        let id = input.version_id.as_deref();
        self.store.amend(&input.bucket, &input.key, id, |object| {
            object.headers.tags.clear();
        })?;
        Ok(DeleteObjectTaggingOutput::default())
    }

    async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<GetObjectTaggingOutput> {
        let input = request.input;
        let id = input.version_id.as_deref();
        let (_, object, _) = self.find(&input.bucket, &input.key, id)?;
        let tags = object.headers.tags.iter().map(|(key, value)| Tag {
            key: Some(key.clone()),
            value: Some(value.clone()),
        });
        Ok(GetObjectTaggingOutput {
            tag_set: tags.collect(),
            version_id: input.version_id,
        })
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<HeadBucketOutput> {
        let bucket = &request.input.bucket;
        let region = self
            .store
            .read(bucket, |found| found.options.region.clone())?;
        Ok(HeadBucketOutput {
            bucket_region: Some(region),
            ..HeadBucketOutput::default()
        })
    }

    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<CreateBucketOutput> {
        let input = request.input;
        let mut options = BucketOptions::default();
        let region = input.create_bucket_configuration;
        if let Some(region) = region.and_then(|given| given.location_constraint) {
            options.region = region.as_str().to_owned();
        }
        if !self.store.create(&input.bucket, options)? {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        Ok(CreateBucketOutput {
            location: Some(format!("/{}", input.bucket)),
        })
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<ListBucketsOutput> {
        let names = self.store.bucket_names().into_iter();
        let buckets = names.map(|name| Bucket {
            name: Some(name),
            creation_date: Some(timestamp(0)),
            ..Bucket::default()
        });
        Ok(ListBucketsOutput {
            buckets: Some(buckets.collect()),
            ..ListBucketsOutput::default()
        })
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<GetBucketLocationOutput> {
        let bucket = &request.input.bucket;
        let region = self
            .store
            .read(bucket, |found| found.options.region.clone())?;
        let constraint = (region != "us-east-1").then(|| BucketLocationConstraint::from(region));
        Ok(GetBucketLocationOutput {
            location_constraint: constraint,
        })
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<GetBucketVersioningOutput> {
        let versioning = self
            .store
            .read(&request.input.bucket, |found| found.versioning)?;
        let status = match versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some("Enabled"),
            Versioning::Suspended => Some("Suspended"),
        };
        Ok(GetBucketVersioningOutput {
            status: status.map(|name| BucketVersioningStatus::from(name.to_owned())),
            ..GetBucketVersioningOutput::default()
        })
    }

    async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<PutBucketVersioningOutput> {
        let input = request.input;
        let status = input.versioning_configuration.status;
        let wanted = match status.as_ref().map(BucketVersioningStatus::as_str) {
            Some("Enabled") => Versioning::Enabled,
            Some("Suspended") => Versioning::Suspended,
            _ => return Err(s3_error!(IllegalVersioningConfigurationException)),
        };
        self.store
            .alter(&input.bucket, |_, versioning| *versioning = wanted)?;
        Ok(PutBucketVersioningOutput::default())
    }
}

pub fn is_kms(asked: Option<&ServerSideEncryption>) -> bool {
    asked.is_some_and(|asked| asked.as_str().starts_with("aws:kms"))
}

/// CopyObject's own If-Match and If-None-Match, which the protocol layer does not read.
fn write_conditions(headers: &hyper::HeaderMap) -> S3Result<Expect> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Ok(Expect {
        is: text("if-match").map(domain::ETag::parse),
        absent: text("if-none-match") == Some("*"),
    })
}

/// 2 KB of user metadata at most (S3 User Guide, "Working with object metadata").
pub fn check_metadata(headers: &domain::Headers) -> S3Result<()> {
    let size = |(name, value): (&String, &String)| name.len() + value.len();
    if headers.metadata.iter().map(size).sum::<usize>() > 2048 {
        return Err(s3_error!(MetadataTooLarge));
    }
    Ok(())
}

fn deleted_object(
    key: String,
    asked: Option<String>,
    done: super::store::Deleted,
) -> DeletedObject {
    let marker_id = done.version.filter(|_| done.marker);
    DeletedObject {
        key: Some(key),
        delete_marker: done.marker.then_some(true),
        delete_marker_version_id: marker_id,
        version_id: asked,
    }
}
