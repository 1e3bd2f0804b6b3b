//! Multipart uploads. They live as long as the process: a restart has the effect of aborting them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use md5::Digest;
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::bucket::Object;
use super::conditions::expectation;
use super::content::{self, Claims};
use super::digest::Md5;
use super::fields::{checksum_type, checksums, etag, expires_text, headers_of, timestamp};
use super::headers::Headers;
use super::s3::{self, Api};
use super::store::{Expect, Staged};

/// The least size of every part but the last (S3 User Guide, "Amazon S3 multipart upload limits").
const SMALLEST_PART: u64 = 5 * 1024 * 1024;

#[derive(Default)]
pub(crate) struct Uploads(Mutex<BTreeMap<String, Upload>>);

struct Upload {
    bucket: String,
    key: String,
    headers: Headers,
    expires: Option<String>,
    kms: bool,
    algorithm: String,
    composite: bool,
    begun: i64,
    parts: BTreeMap<i32, Staged>,
}

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Upload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the uploads that were begun and neither completed nor aborted.
    pub(crate) fn open(&self) -> usize {
        self.lock().len()
    }

    fn with<T>(&self, id: &str, key: &str, work: impl FnOnce(&mut Upload) -> T) -> S3Result<T> {
        let mut uploads = self.lock();
        let upload = uploads.get_mut(id).filter(|upload| upload.key == key);
        Ok(work(upload.ok_or_else(|| s3_error!(NoSuchUpload))?))
    }
}

impl Api {
    pub(super) async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let input = request.input;
        self.store.read(&input.bucket, |_| ())?;
        let headers = headers_of!(input);
        s3::check_metadata(&headers)?;
        let algorithm = input.checksum_algorithm.as_ref();
        let algorithm = algorithm
            .map_or("CRC64NVME", ChecksumAlgorithm::as_str)
            .to_owned();
        let asked = input.checksum_type.as_ref().map(ChecksumType::as_str);
        let composite = asked.map_or(algorithm != "CRC64NVME", |kind| kind == "COMPOSITE");
        let id = uuid::Uuid::new_v4().simple().to_string();
        let upload = Upload {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            headers,
            expires: expires_text(input.expires.as_ref()),
            kms: s3::is_kms(input.server_side_encryption.as_ref()),
            algorithm,
            composite,
            begun: self.store.clock.millis(),
            parts: BTreeMap::new(),
        };
        self.uploads.lock().insert(id.clone(), upload);
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: input.checksum_algorithm,
            checksum_type: input.checksum_type,
            ..CreateMultipartUploadOutput::default()
        })
    }

    pub(super) async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<UploadPartOutput> {
        let claims = Claims::of(&request.headers, &request.extensions);
        let input = request.input;
        check_number(input.part_number)?;
        let (id, key) = (&input.upload_id, &input.key);
        let wanted = [self
            .uploads
            .with(id, key, |upload| upload.algorithm.clone())?];
        let staged = content::stage(&self.store, input.body, claims, &wanted).await?;
        let mut output = UploadPartOutput {
            e_tag: Some(ETag::Strong(staged.content.md5.to_string())),
            ..UploadPartOutput::default()
        };
        checksums!(&mut output, staged.checksums);
        self.uploads.with(id, key, |upload| {
            upload.parts.insert(input.part_number, staged);
        })?;
        Ok(output)
    }

    pub(super) async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<UploadPartCopyOutput> {
        let input = request.input;
        check_number(input.part_number)?;
        let (is, not) = (input.copy_source_if_match, input.copy_source_if_none_match);
        let (_, source) = self.source(&input.copy_source, is, not)?;
        let size = source.content.size;
        let range = input.copy_source_range.as_deref();
        let range = range.map(|text| {
            let range = Range::parse(text).map_err(|_| s3_error!(InvalidArgument))?;
            range.check(size).map_err(s3s::S3Error::from)
        });
        let range = range.transpose()?.unwrap_or(0..size);
        let body = content::serve(&self.store, &source, range.start, range.end)?;
        let (id, key) = (&input.upload_id, &input.key);
        let wanted = [self
            .uploads
            .with(id, key, |upload| upload.algorithm.clone())?];
        let staged = content::stage(&self.store, Some(body), Claims::default(), &wanted).await?;
        let mut result = CopyPartResult {
            e_tag: Some(ETag::Strong(staged.content.md5.to_string())),
            last_modified: Some(Timestamp::from(self.store.clock.now())),
            ..CopyPartResult::default()
        };
        checksums!(&mut result, staged.checksums);
        self.uploads.with(id, key, |upload| {
            upload.parts.insert(input.part_number, staged);
        })?;
        Ok(UploadPartCopyOutput {
            copy_part_result: Some(result),
            ..UploadPartCopyOutput::default()
        })
    }

    pub(super) async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let input = request.input;
        let expect = expectation(input.if_match, input.if_none_match)?;
        let named = input.multipart_upload.and_then(|named| named.parts);
        let named = named.unwrap_or_default();
        let (id, key) = (&input.upload_id, &input.key);
        let (object, staged) = self
            .uploads
            .with(id, key, |upload| self.assemble(upload, &named))??;
        check_expectation(self, &input.bucket, key, &expect)?;
        let version = self
            .store
            .put(&input.bucket, key, object, Some(staged.data), &expect)?;
        self.uploads.lock().remove(id);
        let mut output = CompleteMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            version_id: self.shown_id(&input.bucket, &version)?,
            ..CompleteMultipartUploadOutput::default()
        };
        if let Some(object) = &version.object {
            output.e_tag = Some(etag(object));
            checksums!(&mut output, object.checksums);
            output.checksum_type = Some(checksum_type(object.composite));
        }
        Ok(output)
    }

    fn assemble(&self, upload: &Upload, named: &[CompletedPart]) -> S3Result<(Object, Staged)> {
        let parts = pick_parts(upload, named)?;
        let mut hasher = md5::Md5::new();
        for part in &parts {
            hasher.update(part.content.md5.0);
        }
        let digest = Md5(hasher.finalize().into());
        let data = parts.iter().map(|part| &part.data);
        let joined = content::join(&self.store, data, &upload.algorithm)?;
        let mut checksums = joined.checksums.clone();
        checksums.retain(|name, _| *name == upload.algorithm);
        if upload.composite {
            checksums = composite(&parts, &upload.algorithm);
        }
        let object = Object {
            content: joined.content,
            memory: None,
            etag: format!("{digest}-{}", parts.len()),
            headers: upload.headers.clone(),
            expires: upload.expires.clone(),
            checksums,
            composite: upload.composite,
            kms: upload.kms,
        };
        Ok((object, joined))
    }

    pub(super) async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<AbortMultipartUploadOutput> {
        let gone = self.uploads.lock().remove(&request.input.upload_id);
        gone.ok_or_else(|| s3_error!(NoSuchUpload))?;
        Ok(AbortMultipartUploadOutput::default())
    }

    pub(super) async fn list_parts(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<ListPartsOutput> {
        let input = request.input;
        let after = input.part_number_marker.unwrap_or_default();
        let most = usize::try_from(input.max_parts.unwrap_or(1000)).unwrap_or_default();
        let (id, key) = (&input.upload_id, &input.key);
        self.uploads.with(id, key, |upload| {
            let mut parts: Vec<Part> = upload
                .parts
                .range(after + 1..)
                .map(|(number, part)| Part {
                    part_number: Some(*number),
                    e_tag: Some(ETag::Strong(part.content.md5.to_string())),
                    size: Some(part.content.size as i64),
                    last_modified: Some(timestamp(upload.begun)),
                    ..Part::default()
                })
                .collect();
            let truncated = parts.len() > most;
            parts.truncate(most);
            ListPartsOutput {
                bucket: Some(input.bucket.clone()),
                key: Some(key.clone()),
                upload_id: Some(id.clone()),
                is_truncated: Some(truncated),
                next_part_number_marker: parts.last().and_then(|part| part.part_number),
                parts: Some(parts),
                ..ListPartsOutput::default()
            }
        })
    }

    pub(super) async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<ListMultipartUploadsOutput> {
        let input = request.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        let open = self.uploads.lock();
        let ours = open
            .iter()
            .filter(|(_, upload)| upload.bucket == input.bucket && upload.key.starts_with(&prefix));
        let mut uploads: Vec<MultipartUpload> = ours
            .map(|(id, upload)| MultipartUpload {
                key: Some(upload.key.clone()),
                upload_id: Some(id.clone()),
                initiated: Some(timestamp(upload.begun)),
                ..MultipartUpload::default()
            })
            .collect();
        uploads.sort_by(|first, second| first.key.cmp(&second.key));
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix,
            is_truncated: Some(false),
            uploads: Some(uploads),
            ..ListMultipartUploadsOutput::default()
        })
    }
}

fn check_number(number: i32) -> S3Result<()> {
    match number {
        1..=10_000 => Ok(()),
        _ => Err(s3_error!(
            InvalidArgument,
            "Part number must be an integer between 1 and 10000, inclusive"
        )),
    }
}

/// Before the parts are gone: a failed condition leaves the upload as it was.
fn check_expectation(api: &Api, bucket: &str, key: &str, expect: &Expect) -> S3Result<()> {
    let there = api.store.get(bucket, key).ok();
    match (&expect.is, there) {
        (Some(_), None) => Err(s3_error!(NoSuchKey)),
        (None, Some(_)) if expect.absent => Err(s3_error!(PreconditionFailed)),
        _ => Ok(()),
    }
}

fn pick_parts<'a>(upload: &'a Upload, named: &[CompletedPart]) -> S3Result<Vec<&'a Staged>> {
    if named.is_empty() {
        return Err(s3_error!(MalformedXML));
    }
    let mut parts = Vec::new();
    let mut before = 0;
    for (index, part) in named.iter().enumerate() {
        let number = part.part_number.unwrap_or_default();
        if number <= before {
            return Err(s3_error!(InvalidPartOrder));
        }
        before = number;
        let staged = upload
            .parts
            .get(&number)
            .ok_or_else(|| s3_error!(InvalidPart))?;
        let etag = part.e_tag.as_ref().map(ETag::value);
        if etag.is_some_and(|etag| etag != staged.content.md5.to_string()) {
            return Err(s3_error!(InvalidPart));
        }
        if index + 1 < named.len() && staged.content.size < SMALLEST_PART {
            return Err(s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size"
            ));
        }
        parts.push(staged);
    }
    Ok(parts)
}

/// The checksum of the parts' checksums, then `-N`.
fn composite(parts: &[&Staged], algorithm: &str) -> BTreeMap<String, String> {
    let mut sums = Vec::new();
    for part in parts {
        let sum = part
            .checksums
            .get(algorithm)
            .map(|sum| content::unbase64(sum));
        sums.extend(sum.flatten().unwrap_or_default());
    }
    let sum = content::sum_of(&sums, algorithm);
    let text = format!("{sum}-{}", parts.len());
    BTreeMap::from([(algorithm.to_owned(), text)])
}
