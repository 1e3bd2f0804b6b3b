//! The S3 service over our own store, and its operations on one object at a time.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::bucket::{Object, Version, Versioning};
use super::conditions::{ReadConditions, expectation, write_conditions};
use super::content::{self, Claims};
use super::fields::{
    checksum_type, checksums, describe, etag, expires, expires_text, headers_of, timestamp,
};
use super::headers::Headers;
use super::store::{Deleted, Expect, Store, StoreError};
use super::uploads::Uploads;

/// The most bytes that one CopyObject or PutObject takes (S3 User Guide, "Copying objects").
const MOST_AT_ONCE: u64 = 5 * 1024 * 1024 * 1024;

/// The S3 service over a store.
#[derive(Clone)]
pub(crate) struct Api {
    pub store: Arc<Store>,
    pub uploads: Arc<Uploads>,
}

impl From<StoreError> for s3s::S3Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchBucket => s3_error!(NoSuchBucket, "{error}"),
            StoreError::BucketNotEmpty => s3_error!(BucketNotEmpty, "{error}"),
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
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput;
    list_buckets(ListBucketsInput) -> ListBucketsOutput;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput;
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput;
    put_bucket_website(PutBucketWebsiteInput) -> PutBucketWebsiteOutput;
    delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput;
}

impl Api {
    /// The version that a GET or HEAD names, its object, and whether its id is shown.
    pub(super) fn find(
        &self,
        bucket: &str,
        key: &str,
        id: Option<&str>,
    ) -> S3Result<(Version, Arc<Object>, bool)> {
        let versioned = self
            .store
            .read(bucket, |bucket| bucket.versioning != Versioning::Never)?;
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
        let asked = ReadConditions {
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
        let asked = ReadConditions {
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
            etag: staged.content.md5.to_string(),
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
        let versioning = self.store.read(bucket, |bucket| bucket.versioning)?;
        Ok((versioning != Versioning::Never).then(|| version.id.clone()))
    }

    /// Finds what a copy source names, if it meets the request's conditions on it.
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
        let asked = ReadConditions {
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
            object.headers = Headers { tags, ..given };
            object.expires = expires_text(input.expires.as_ref());
        } else {
            object.headers.tags = tags;
            object.headers.storage_class = given.storage_class;
            // Never copied (Amazon S3 API Reference, "CopyObject").
            object.headers.redirect = given.redirect;
        }
        // A copy is written at once, so its ETag is that of the whole.
        object.etag = object.content.md5.to_string();
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
                is: object.e_tag.map(|etag| etag.value().to_owned()),
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
}

pub(crate) fn is_kms(asked: Option<&ServerSideEncryption>) -> bool {
    asked.is_some_and(|asked| asked.as_str().starts_with("aws:kms"))
}

/// 2 KB of user metadata at most (S3 User Guide, "Working with object metadata").
pub(crate) fn check_metadata(headers: &Headers) -> S3Result<()> {
    let size = |(name, value): (&String, &String)| name.len() + value.len();
    if headers.metadata.iter().map(size).sum::<usize>() > 2048 {
        return Err(s3_error!(MetadataTooLarge));
    }
    Ok(())
}

fn deleted_object(key: String, asked: Option<String>, done: Deleted) -> DeletedObject {
    let marker_id = done.version.filter(|_| done.marker);
    DeletedObject {
        key: Some(key),
        delete_marker: done.marker.then_some(true),
        delete_marker_version_id: marker_id,
        version_id: asked,
    }
}
