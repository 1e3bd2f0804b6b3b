//! Makes one object what the plan says: by an upload, in parts where it is large, or by a copy in the bucket.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use md5::{Digest, Md5 as Hasher};
use tokio::task::JoinSet;

use super::content;
use super::context::DeployContext;
use super::plan_inputs::PlanInputs;
use super::put_error::PutError;
use super::transfer_budget::TransferBudget;
use crate::aws::multipart::{MultipartUpload, UploadedPart};
use crate::aws::s3::{CheckedBody, CopySource, Written};
use crate::aws::{AwsError, AwsErrorKind, WriteCondition};
use crate::job::event::{DeployEvent, EventSink};
use crate::object::{ETag, Md5};
use crate::plan::{Change, ChangeAction, MAX_COPY, PastContent};
use crate::scan::{LocalFile, MULTIPART_FROM, part_size};
use crate::state::Lease;
use crate::survey::SiteLocation;

/// Bytes of a part of a copy past 5 GB.
const COPY_PART: u64 = 1 << 30;

/// Writes the objects of a site.
#[derive(Debug)]
pub(super) struct ObjectWriter {
    place: SiteLocation,
    root: PathBuf,
    tell: EventSink,
    room: TransferBudget,
    /// Parts of one file at once.
    parts: usize,
    /// The endpoint knows conditional writes.
    guarded: bool,
}

/// One change, with what its requests have in common.
struct PutRequest<'a> {
    change: &'a Change,
    /// The whole key.
    full: String,
    /// What must still hold when the object is written.
    condition: WriteCondition,
    path: PathBuf,
    /// The ETag that an upload comes to.
    expected: ETag,
}

impl ObjectWriter {
    pub(super) fn new(context: DeployContext<'_>, scene: &PlanInputs, lease: &Lease) -> Self {
        Self {
            place: scene.place.clone(),
            root: scene.source.root().to_owned(),
            tell: context.tell.clone(),
            room: TransferBudget::new(context.job.settings.max_memory.0),
            parts: context.job.concurrency.clamp(1, 8),
            guarded: lease.why_unguarded().is_none(),
        }
    }

    /// Carries out one change. `kept` is the file's content, where it is in memory still. What is rare is boxed: hundreds of
    /// these wait at once.
    pub(super) async fn put(
        self: &Arc<Self>,
        change: &Change,
        file: Option<&LocalFile>,
        kept: Option<Bytes>,
    ) -> Result<Written, PutError> {
        let key = change.key.as_str();
        let parts = file.and_then(|file| file.parts.as_deref().cloned());
        let request = PutRequest {
            change,
            full: self.place.full(key),
            condition: match &change.before {
                _ if !self.guarded => WriteCondition::Always,
                Some(etag) => WriteCondition::Is(etag.clone()),
                None => WriteCondition::Absent,
            },
            path: file.map_or_else(|| self.root.join(key), |file| file.path(&self.root)),
            expected: parts.unwrap_or(ETag::Md5(change.md5)),
        };
        let (site, store) = (self.place.bucket.name(), &self.place.store);
        let full = |key| self.place.full(key);
        let from = match (&change.action, &change.before) {
            (ChangeAction::SetHeaders, Some(etag)) => Some((site, full(key), None, etag)),
            (ChangeAction::CopyFrom { key, etag }, _) => {
                Some((site, full(key.as_str()), None, etag))
            }
            (ChangeAction::Restore { from, etag }, _) => Some(match from {
                PastContent::Version(id) => (site, full(key), Some(id.as_str()), etag),
                PastContent::Kept(name) => (store.bucket.name(), store.kept_key(name), None, etag),
            }),
            (ChangeAction::Upload | ChangeAction::SetHeaders, _) => None,
        };
        if let Some((bucket, source, version, etag)) = from {
            let from = CopySource {
                bucket,
                key: &source,
                version,
                etag,
            };
            let copied = Box::pin(self.copy(&request, from)).await;
            match (&change.action, copied) {
                // What was to be copied is no longer there: the file still is.
                (ChangeAction::CopyFrom { .. }, Err(error)) if error.forbids_copy() => {}
                (ChangeAction::SetHeaders, Err(error)) if error.is_archived() => {}
                (_, copied) => return copied,
            }
        }
        let made = file.and_then(|file| file.made.as_deref());
        let encoded = made.is_some_and(|made| made.encoding.is_some());
        if change.size >= MULTIPART_FROM && !encoded {
            return Box::pin(self.write_parts(&request, None)).await;
        }
        self.upload(&request, file, kept).await
    }

    async fn upload(
        &self,
        request: &PutRequest<'_>,
        file: Option<&LocalFile>,
        kept: Option<Bytes>,
    ) -> Result<Written, PutError> {
        let change = request.change;
        let _room = self.room.take(change.size).await;
        let body = CheckedBody {
            bytes: content::read(change, &request.path, file, kept).await?,
            md5: change.md5,
        };
        let result = (self.place.bucket)
            .put(&request.full, body, &change.headers, &request.condition)
            .await;
        match result {
            Err(error)
                if error.is(&AwsErrorKind::Precondition) || error.is(&AwsErrorKind::Conflict) =>
            {
                Box::pin(self.own_success(request, &request.expected, error)).await
            }
            Err(error) if error.is(&AwsErrorKind::BadDigest) => Err(PutError::Changed),
            Err(error) => Err(error.into()),
            Ok(written) => {
                self.room.arrived(change.size);
                Ok(written)
            }
        }
    }

    /// Looks whether a condition that does not hold is our own doing: a first try that took effect, but whose answer was lost.
    async fn own_success(
        &self,
        request: &PutRequest<'_>,
        expected: &ETag,
        error: AwsError,
    ) -> Result<Written, PutError> {
        let change = request.change;
        let mut wanted = (*change.headers).clone();
        wanted.tags.clear();
        wanted.storage_class.take_if(|class| class == "STANDARD");
        match self.place.bucket.head(&request.full, None).await? {
            Some(head)
                if head.etag == *expected
                    && change.before.as_ref() != Some(expected)
                    && head.headers == wanted =>
            {
                Ok(Written {
                    etag: head.etag,
                    version_id: head.version_id,
                })
            }
            _ => Err(error.into()),
        }
    }

    /// Copies within the bucket, in parts past what one copy takes.
    async fn copy(
        self: &Arc<Self>,
        request: &PutRequest<'_>,
        from: CopySource<'_>,
    ) -> Result<Written, PutError> {
        let change = request.change;
        if change.size > MAX_COPY {
            return self.write_parts(request, Some(from)).await;
        }
        let copied = (self.place.bucket)
            .copy(from, &request.full, &change.headers, &request.condition)
            .await;
        match copied {
            Err(error) if error.is(&AwsErrorKind::Precondition) && from.key != request.full => {
                let expected = ETag::Md5(change.md5);
                self.own_success(request, &expected, error).await
            }
            result => Ok(result?),
        }
    }

    /// Writes a large object in parts: of its file, or of the object that is copied.
    async fn write_parts(
        self: &Arc<Self>,
        request: &PutRequest<'_>,
        from: Option<CopySource<'_>>,
    ) -> Result<Written, PutError> {
        let (bucket, headers) = (&self.place.bucket, &request.change.headers);
        let upload = bucket.begin_upload(&request.full, headers).await?;
        let writing = async {
            let (parts, expected) = match from {
                Some(from) => (self.copy_parts(request, &upload, from).await?, None),
                None => {
                    let parts = self.send_parts(request, &upload).await?;
                    (parts, Some(&request.expected))
                }
            };
            let condition = &request.condition;
            let completed = bucket.complete_upload(&upload, parts, condition, expected);
            Ok(completed.await?)
        };
        let result = writing.await;
        if result.is_err() {
            // What stays behind would be paid for; a bucket rule cleans up what cannot be aborted now.
            let _ = bucket.abort_upload(&upload).await;
        }
        result
    }

    async fn copy_parts(
        &self,
        request: &PutRequest<'_>,
        upload: &MultipartUpload,
        from: CopySource<'_>,
    ) -> Result<Vec<UploadedPart>, PutError> {
        let size = request.change.size;
        let mut parts = Vec::new();
        let mut first = 0;
        while first < size {
            let last = (first + COPY_PART).min(size) - 1;
            let number = parts.len() as i32 + 1;
            let copying = (self.place.bucket).copy_part(upload, number, from, (first, last));
            parts.push(copying.await?);
            first = last + 1;
        }
        Ok(parts)
    }

    /// Sends a file in parts, several at once, and sees that together they are what the plan is about.
    async fn send_parts(
        self: &Arc<Self>,
        request: &PutRequest<'_>,
        upload: &MultipartUpload,
    ) -> Result<Vec<UploadedPart>, PutError> {
        let size = request.change.size;
        let part_size = part_size(size);
        let count = size.div_ceil(part_size).max(1);
        let mut numbers = 0..count;
        let mut tasks = JoinSet::new();
        let mut parts: Vec<(UploadedPart, Md5)> = Vec::with_capacity(count as usize);
        loop {
            while tasks.len() < self.parts
                && let Some(index) = numbers.next()
            {
                let offset = index * part_size;
                let part = content::FilePart {
                    key: request.change.key.clone(),
                    path: request.path.clone(),
                    offset,
                    bytes: part_size.min(size - offset),
                };
                let (writer, upload) = (self.clone(), upload.clone());
                tasks.spawn(async move { writer.send_part(&upload, index as i32 + 1, part).await });
            }
            match tasks.join_next().await {
                Some(Ok(part)) => parts.push(part?),
                Some(Err(error)) => return Err(PutError::Unreadable(error.to_string())),
                None => break,
            }
        }
        parts.sort_by_key(|(part, _)| part.number);
        let mut hasher = Hasher::new();
        parts.iter().for_each(|(_, md5)| hasher.update(md5.0));
        let sent = ETag::Multipart(Md5(hasher.finalize().into()), count as u32);
        if sent != request.expected {
            return Err(PutError::Changed);
        }
        Ok(parts.into_iter().map(|(part, _)| part).collect())
    }

    async fn send_part(
        &self,
        upload: &MultipartUpload,
        number: i32,
        part: content::FilePart,
    ) -> Result<(UploadedPart, Md5), PutError> {
        let (key, bytes) = (part.key.clone(), part.bytes);
        let _room = self.room.take(bytes).await;
        let body = part.read().await?;
        let md5 = body.md5;
        let sending = self.place.bucket.put_part(upload, number, body);
        let part = sending.await?;
        self.room.arrived(bytes);
        self.tell.tell(DeployEvent::BytesSent { key, bytes });
        Ok((part, md5))
    }
}
