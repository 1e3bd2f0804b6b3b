//! Makes one object what the plan says: by an upload, in parts where it is large, or by a copy in the bucket.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use md5::{Digest, Md5 as Hasher};
use tokio::task::{JoinSet, spawn_blocking};

use super::Teller;
use super::event::Event;
use super::job::Job;
use super::room::Room;
use super::survey::Place;
use crate::aws::multipart::{Part, Upload};
use crate::aws::s3::{CheckedBody, CopySource, Written};
use crate::aws::{AwsError, Condition, Kind};
use crate::domain::encoding;
use crate::domain::{ETag, Md5};
use crate::plan::{Action, Change, MAX_COPY};
use crate::scan::{FileStamp, LocalFile, MULTIPART_FROM, Made, part_size};
use crate::state::StateError;

/// Bytes of a part of a copy past 5 GB.
const COPY_PART: u64 = 1 << 30;

/// What every upload needs.
#[derive(Debug)]
pub struct Tools {
    place: Place,
    root: PathBuf,
    tell: Teller,
    room: Room,
    /// Parts of one file at once.
    parts: usize,
    /// Whether the endpoint knows conditional writes.
    guarded: bool,
}

/// Why one object is not as it should be.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PutError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("{0}: the file changed after it was read for the plan")]
    Changed(String),
    #[error("{0}: {1}")]
    Unreadable(String, String),
    /// It was dropped with the lease.
    #[error(transparent)]
    Lost(#[from] StateError),
}

impl PutError {
    /// Whether somebody else wrote the object since the listing.
    pub fn is_race(&self) -> bool {
        // A condition on an object that is gone is answered with 404.
        matches!(self, Self::Aws(error) if matches!(error.kind, Kind::Precondition | Kind::Conflict | Kind::NotFound))
    }

    /// Whether the object may have become what it should all the same, or may yet.
    pub fn leaves_open(&self) -> bool {
        matches!(self, Self::Aws(error) if error.leaves_open())
    }

    /// Whether the same may go well as an upload.
    fn forbids_copy(&self) -> bool {
        self.is_race() || matches!(self, Self::Aws(error) if error.is(&Kind::NotImplemented))
    }
}

impl Tools {
    pub fn new(place: Place, root: &Path, tell: Teller, job: &Job, guarded: bool) -> Self {
        Self {
            place,
            root: root.to_owned(),
            tell,
            room: Room::new(job.max_memory),
            parts: job.concurrency.clamp(1, 8),
            guarded,
        }
    }

    /// Carries out one change. `kept` is the file's content, where it is in memory still. What is rare is boxed: hundreds of
    /// these wait at once.
    pub async fn put(
        self: &Arc<Self>,
        change: &Change,
        file: Option<&LocalFile>,
        kept: Option<Bytes>,
    ) -> Result<Written, PutError> {
        let key = change.key.as_str();
        let from = match (&change.action, &change.before) {
            (Action::SetHeaders, Some(etag)) => Some((key, None, etag)),
            (Action::CopyFrom { key, etag }, _) => Some((key.as_str(), None, etag)),
            (Action::Restore { version, etag }, _) => Some((key, Some(version.as_str()), etag)),
            (Action::Upload | Action::SetHeaders, _) => None,
        };
        if let Some(from) = from {
            let copied = Box::pin(self.copy(change, from)).await;
            match (&change.action, copied) {
                // What was to be copied is no longer there: the file still is.
                (Action::CopyFrom { .. }, Err(error)) if error.forbids_copy() => {}
                (_, copied) => return copied,
            }
        }
        self.upload(change, file, kept).await
    }

    /// What must still hold when the object is written.
    fn condition(&self, change: &Change) -> Condition {
        match &change.before {
            _ if !self.guarded => Condition::Always,
            Some(etag) => Condition::Is(etag.clone()),
            None => Condition::Absent,
        }
    }

    async fn upload(
        self: &Arc<Self>,
        change: &Change,
        file: Option<&LocalFile>,
        kept: Option<Bytes>,
    ) -> Result<Written, PutError> {
        let bucket = &self.place.bucket;
        let path = match file {
            Some(file) => file.path(&self.root),
            None => self.root.join(change.key.as_str()),
        };
        let made = file.and_then(|file| file.made.as_deref());
        let encoded = made.filter(|made| made.encoding.is_some());
        let condition = self.condition(change);
        let full = self.place.full(change.key.as_str());
        let expected = file
            .and_then(|file| file.parts.as_deref().cloned())
            .unwrap_or(ETag::Md5(change.md5));
        let result = if change.size < MULTIPART_FROM || encoded.is_some() {
            let _room = self.room.take(change.size).await;
            let body = match encoded {
                Some(made) => encode(&path, change, made).await?,
                None => match kept.filter(|kept| kept.len() as u64 == change.size) {
                    Some(kept) => kept,
                    None => self.read_whole(&path, change, file).await?,
                },
            };
            bucket
                .put(
                    &full,
                    CheckedBody {
                        bytes: body,
                        md5: change.md5,
                    },
                    &change.headers,
                    &condition,
                )
                .await
        } else {
            let parts = self.upload_parts(change, &path, &full, &condition, &expected);
            return Box::pin(parts).await;
        };
        match result {
            Err(error) if error.is(&Kind::Precondition) || error.is(&Kind::Conflict) => {
                Box::pin(self.own_success(change, &full, &expected, error)).await
            }
            Err(error) if error.is(&Kind::BadDigest) => {
                Err(PutError::Changed(change.key.to_string()))
            }
            Err(error) => Err(error.into()),
            Ok(written) => {
                self.room.arrived(change.size);
                Ok(written)
            }
        }
    }

    /// A condition that does not hold may be our own doing: a first try that took effect, but whose answer was lost.
    async fn own_success(
        &self,
        change: &Change,
        full: &str,
        expected: &ETag,
        error: AwsError,
    ) -> Result<Written, PutError> {
        let head = self.place.bucket.head(full, None).await?;
        match head {
            Some(head)
                if head.etag == *expected && change.before.as_ref() != Some(expected) && {
                    let mut wanted = (*change.headers).clone();
                    wanted.tags.clear();
                    wanted.storage_class.take_if(|class| class == "STANDARD");
                    head.headers == wanted
                } =>
            {
                Ok(Written {
                    etag: head.etag,
                    version_id: head.version_id,
                })
            }
            _ => Err(error.into()),
        }
    }

    /// Reads a small file and sees that it still is what the plan is about: by its stamp, or else by its digest.
    async fn read_whole(
        &self,
        path: &Path,
        change: &Change,
        file: Option<&LocalFile>,
    ) -> Result<Bytes, PutError> {
        let (path, size, md5) = (path.to_owned(), change.size, change.md5);
        let stamp = file
            .filter(|file| file.made.is_none())
            .map(|file| file.stamp);
        let name = change.key.to_string();
        if size == 0 && change.headers.redirect.is_some() {
            return Ok(Bytes::new());
        }
        // Allocated here: there each thread would keep room of its own for what it once read.
        let mut bytes = Vec::with_capacity(size as usize + 1);
        let read = spawn_blocking(move || -> std::io::Result<(Vec<u8>, bool)> {
            let mut file = std::fs::File::open(path)?;
            (&mut file).take(size + 1).read_to_end(&mut bytes)?;
            let same = bytes.len() as u64 == size
                && stamp.is_some_and(|stamp| {
                    let now = file.metadata();
                    now.is_ok_and(|now| FileStamp::of(&now) == stamp)
                });
            let same = same || Md5(Hasher::digest(&bytes).into()) == md5;
            Ok((bytes, same))
        });
        match flatten(read.await) {
            Ok((bytes, true)) => Ok(Bytes::from(bytes)),
            Ok(_) => Err(PutError::Changed(name)),
            Err(error) => Err(PutError::Unreadable(name, error.to_string())),
        }
    }

    async fn upload_parts(
        self: &Arc<Self>,
        change: &Change,
        path: &Path,
        full: &str,
        condition: &Condition,
        expected: &ETag,
    ) -> Result<Written, PutError> {
        let upload = self
            .place
            .bucket
            .begin_upload(full, &change.headers)
            .await?;
        let result = self
            .send_parts(change, path, &upload, condition, expected)
            .await;
        if result.is_err() {
            // What stays behind would be paid for; a bucket rule cleans up what cannot be aborted now.
            let _ = self.place.bucket.abort_upload(&upload).await;
        }
        result
    }

    async fn send_parts(
        self: &Arc<Self>,
        change: &Change,
        path: &Path,
        upload: &Upload,
        condition: &Condition,
        expected: &ETag,
    ) -> Result<Written, PutError> {
        let size = part_size(change.size);
        let count = change.size.div_ceil(size).max(1);
        let mut offsets =
            (0..count).map(|at| (at as i32 + 1, at * size, size.min(change.size - at * size)));
        let mut tasks = JoinSet::new();
        let mut parts: Vec<(Part, Md5)> = Vec::with_capacity(count as usize);
        loop {
            while tasks.len() < self.parts
                && let Some((number, offset, bytes)) = offsets.next()
            {
                let (tools, upload, path) = (self.clone(), upload.clone(), path.to_owned());
                let name = change.key.to_string();
                tasks.spawn(async move {
                    tools
                        .send_part(&upload, path, name, number, offset, bytes)
                        .await
                });
            }
            match tasks.join_next().await {
                Some(Ok(part)) => parts.push(part?),
                Some(Err(error)) => {
                    return Err(PutError::Unreadable(
                        change.key.to_string(),
                        error.to_string(),
                    ));
                }
                None => break,
            }
        }
        parts.sort_by_key(|(part, _)| part.number);
        let mut hasher = Hasher::new();
        parts.iter().for_each(|(_, md5)| hasher.update(md5.0));
        let sent = ETag::Multipart(Md5(hasher.finalize().into()), count as u32);
        if sent != *expected {
            return Err(PutError::Changed(change.key.to_string()));
        }
        let parts = parts.into_iter().map(|(part, _)| part).collect();
        let done = self
            .place
            .bucket
            .complete_upload(upload, parts, condition, Some(expected))
            .await;
        Ok(done?)
    }

    async fn send_part(
        &self,
        upload: &Upload,
        path: PathBuf,
        name: String,
        number: i32,
        offset: u64,
        bytes: u64,
    ) -> Result<(Part, Md5), PutError> {
        let _room = self.room.take(bytes).await;
        let read = spawn_blocking(move || -> std::io::Result<(Bytes, Md5)> {
            let mut file = std::fs::File::open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut buffer = vec![0; bytes as usize];
            file.read_exact(&mut buffer)?;
            let digest = Md5(Hasher::digest(&buffer).into());
            Ok((Bytes::from(buffer), digest))
        });
        let (body, md5) = match flatten(read.await) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(PutError::Changed(name));
            }
            Err(error) => return Err(PutError::Unreadable(name, error.to_string())),
        };
        let part = self
            .place
            .bucket
            .put_part(upload, number, CheckedBody { bytes: body, md5 })
            .await?;
        self.room.arrived(bytes);
        self.tell.tell(Event::BytesSent(bytes));
        Ok((part, md5))
    }

    /// Copies within the bucket, in parts past what one copy takes.
    async fn copy(
        &self,
        change: &Change,
        from: (&str, Option<&str>, &ETag),
    ) -> Result<Written, PutError> {
        let bucket = &self.place.bucket;
        let (key, version, etag) = from;
        let (source, full) = (self.place.full(key), self.place.full(change.key.as_str()));
        let source = CopySource {
            key: &source,
            version,
            etag,
        };
        let condition = self.condition(change);
        if change.size <= MAX_COPY {
            let copied = bucket
                .copy(source, &full, &change.headers, &condition)
                .await;
            return match copied {
                Err(error) if error.is(&Kind::Precondition) && key != change.key.as_str() => {
                    let expected = ETag::Md5(change.md5);
                    self.own_success(change, &full, &expected, error).await
                }
                result => Ok(result?),
            };
        }
        let upload = bucket.begin_upload(&full, &change.headers).await?;
        let result = async {
            let mut parts = Vec::new();
            let count = change.size.div_ceil(COPY_PART);
            for at in 0..count {
                let (first, last) = (at * COPY_PART, ((at + 1) * COPY_PART).min(change.size) - 1);
                parts.push(
                    bucket
                        .copy_part(&upload, at as i32 + 1, source, (first, last))
                        .await?,
                );
            }
            bucket
                .complete_upload(&upload, parts, &condition, None)
                .await
        };
        match result.await {
            Ok(written) => Ok(written),
            Err(error) => {
                let _ = bucket.abort_upload(&upload).await;
                Err(error.into())
            }
        }
    }
}

/// A file in the encoding that the plan is about.
async fn encode(path: &Path, change: &Change, made: &Made) -> Result<Bytes, PutError> {
    if let Some(body) = &made.body {
        return Ok(body.clone());
    }
    let (path, encoding) = (path.to_owned(), made.encoding);
    let name = change.key.to_string();
    let read = spawn_blocking(move || -> std::io::Result<Vec<u8>> {
        let bytes = std::fs::read(path)?;
        encoding.map_or(Ok(bytes.clone()), |encoding| {
            encoding::compress(&bytes, encoding)
        })
    });
    match flatten(read.await) {
        Ok(bytes) if Md5(Hasher::digest(&bytes).into()) == change.md5 => Ok(Bytes::from(bytes)),
        Ok(_) => Err(PutError::Changed(name)),
        Err(error) => Err(PutError::Unreadable(name, error.to_string())),
    }
}

fn flatten<T>(joined: Result<std::io::Result<T>, tokio::task::JoinError>) -> std::io::Result<T> {
    joined.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}
