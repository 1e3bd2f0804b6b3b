//! Reads and hashes files on blocking threads that share one queue.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use md5::{Digest, Md5 as Hasher};

use super::Progress;
use super::cache::Cache;
use super::digest::{BUFFER, MULTIPART_FROM, Parts, fill, part_size};
use super::error::ScanError;
use super::file::{FileStamp, LocalFile};
use crate::domain::{ETag, Key, Md5};

/// Files handed to a reader at once: one by one they cost more in locks than in reading.
pub(super) const BATCH: usize = 64;
/// A file this large leaves the rest of its batch to other readers.
const LARGE: u64 = 4 * 1024 * 1024;
/// The largest content that is kept.
const KEEP: u64 = 64 * 1024;

/// What the walk and the readers share.
pub(super) struct Shared {
    pub(super) root: PathBuf,
    pub(super) queue: Queue,
    pub(super) progress: Box<dyn Fn(Progress) + Send + Sync>,
    /// How many more bytes of content may be kept.
    pub(super) keep: AtomicU64,
    pub(super) files: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// What one reader did.
#[derive(Default)]
pub(super) struct Done {
    pub(super) files: Vec<LocalFile>,
    pub(super) kept: Vec<(Key, Bytes)>,
    /// How many files had to be read since the cache did not know them.
    pub(super) read: u64,
}

/// Files to be hashed, in batches.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    batches: VecDeque<Vec<Key>>,
    /// Batches in the hands of readers, who may give some back.
    busy: usize,
    walked: bool,
    stopped: bool,
}

impl Queue {
    pub(super) fn add(&self, batch: Vec<Key>) {
        self.state().batches.push_back(batch);
        self.changed.notify_one();
    }

    /// No more will be added.
    pub(super) fn walked(&self) {
        self.state().walked = true;
        self.changed.notify_all();
    }

    /// Nothing more shall be done.
    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Waits for the next batch; `None` when all is done or stopped. Each batch is to be [`Self::finish`]ed.
    fn take(&self) -> Option<Vec<Key>> {
        let mut state = self.state();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(batch) = state.batches.pop_front() {
                state.busy += 1;
                return Some(batch);
            }
            if state.walked && state.busy == 0 {
                return None;
            }
            state = (self.changed.wait(state)).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finish(&self) {
        let mut state = self.state();
        state.busy -= 1;
        if state.walked && state.busy == 0 {
            self.changed.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops everything when it is dropped: on an error, on a panic, and when nobody waits for the scan any more.
pub(super) struct StopOnDrop<'a>(pub(super) &'a Queue);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Hashes what the queue hands out, until there is no more.
pub(super) fn read(shared: &Shared, cache: &Cache) -> Result<Done, ScanError> {
    let _stop = StopOnDrop(&shared.queue); // harmless at the end: then there is nothing left for anybody
    let mut done = Done::default();
    let mut buffer = vec![0; BUFFER];
    while let Some(mut batch) = shared.queue.take() {
        let mut bytes = 0;
        let before = done.files.len();
        while let Some(key) = batch.pop() {
            let file = one(shared, cache, key, &mut batch, &mut buffer, &mut done)?;
            bytes += file.size;
            done.files.push(file);
        }
        shared.queue.finish();
        shared.report((done.files.len() - before) as u64, bytes);
    }
    Ok(done)
}

fn one(
    shared: &Shared,
    cache: &Cache,
    key: Key,
    batch: &mut Vec<Key>,
    buffer: &mut [u8],
    done: &mut Done,
) -> Result<LocalFile, ScanError> {
    let path = shared.root.join(key.as_str());
    let unreadable = |source| ScanError::Unreadable {
        path: path.clone(),
        source,
    };
    if cache.len() > 0 {
        let stamp = FileStamp::of(&fs::metadata(&path).map_err(unreadable)?);
        if let Some((md5, parts)) = cache.find(key.as_str(), &stamp) {
            return Ok(LocalFile {
                key,
                size: stamp.size,
                md5,
                parts,
                stamp,
            });
        }
    }
    done.read += 1;
    for _ in 0..2 {
        let (mut file, stamp) = open(&path)?;
        if stamp.size >= LARGE && !batch.is_empty() {
            shared.queue.add(std::mem::take(batch));
        }
        let Some(digest) = hash(&mut file, &stamp, buffer).map_err(unreadable)? else {
            continue;
        };
        if FileStamp::of(&file.metadata().map_err(unreadable)?) != stamp {
            continue;
        }
        if let Some(content) = shared.keep(&stamp, buffer) {
            done.kept.push((key.clone(), content));
        }
        return Ok(LocalFile {
            key,
            size: stamp.size,
            md5: digest.0,
            parts: digest.1,
            stamp,
        });
    }
    Err(ScanError::KeepsChanging { path })
}

fn open(path: &Path) -> Result<(File, FileStamp), ScanError> {
    // A pipe that took the file's place must not hold the reader up.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    match opened {
        Ok((file, metadata)) if metadata.is_file() => Ok((file, FileStamp::of(&metadata))),
        Ok(_) => Err(ScanError::KeepsChanging {
            path: path.to_owned(),
        }),
        Err(source) => Err(ScanError::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The digests of exactly as many bytes as the stamp says; `None` where the file has more or fewer.
fn hash(
    file: &mut File,
    stamp: &FileStamp,
    buffer: &mut [u8],
) -> io::Result<Option<(Md5, Option<ETag>)>> {
    let mut whole = Hasher::new();
    let mut parts = (stamp.size >= MULTIPART_FROM).then(|| Parts::new(part_size(stamp.size)));
    let mut left = stamp.size;
    loop {
        // One byte more than is left: that shows a file that has grown, or one of the kernel's that says it is empty.
        let wanted = usize::try_from(left.saturating_add(1))
            .map_or(buffer.len(), |left| left.min(buffer.len()));
        let (window, _) = buffer.split_at_mut(wanted);
        let chunk = fill(file, window)?;
        let Some(rest) = left.checked_sub(chunk.len() as u64) else {
            return Ok(None);
        };
        whole.update(chunk);
        if let Some(parts) = &mut parts {
            parts.update(chunk);
        }
        left = rest;
        if chunk.len() < wanted {
            break;
        }
    }
    let digest = Md5(whole.finalize().into());
    Ok((left == 0).then(|| (digest, parts.map(Parts::finish))))
}

impl Shared {
    fn report(&self, files: u64, bytes: u64) {
        let files = files + self.files.fetch_add(files, Ordering::Relaxed);
        let bytes = bytes + self.bytes.fetch_add(bytes, Ordering::Relaxed);
        (self.progress)(Progress::Hashed { files, bytes });
    }

    /// The content of a small file, which the buffer still holds, as long as there is room for it.
    fn keep(&self, stamp: &FileStamp, buffer: &[u8]) -> Option<Bytes> {
        if stamp.size > KEEP {
            return None;
        }
        let content = buffer.get(..usize::try_from(stamp.size).ok()?)?;
        let take = |left: u64| left.checked_sub(stamp.size);
        (self.keep)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .ok()?;
        Some(Bytes::copy_from_slice(content))
    }
}
