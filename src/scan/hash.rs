//! Reads and hashes files on blocking threads that share one queue.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use md5::{Digest, Md5 as Hasher};

use super::ScanProgress;
use super::cache::HashCache;
use super::digest::{BUFFER, MULTIPART_FROM, PartsHasher, fill, part_size};
use super::error::ScanError;
use super::file::LocalFile;
use super::queue::{FileQueue, StopOnDrop};
use crate::object::{ETag, Key, Md5};
use crate::system::{FileStamp, open_at_once};

/// A file this large leaves the rest of its batch to other readers.
const LARGE: u64 = 4 * 1024 * 1024;
/// So many bytes are reported at the latest.
const REPORT: u64 = 8 * 1024 * 1024;
/// The largest content that is kept.
const KEEP: u64 = 64 * 1024;

/// What the walk and the readers share.
pub(super) struct ScanShared {
    pub(super) root: PathBuf,
    pub(super) queue: FileQueue,
    pub(super) progress: Box<dyn Fn(ScanProgress) + Send + Sync>,
    /// How many more bytes of content may be kept.
    pub(super) keep: AtomicU64,
    pub(super) files: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// All that was hashed, in one piece of memory: a million files must not be in it twice.
    pub(super) hashed: Mutex<Vec<LocalFile>>,
}

/// What one reader did.
#[derive(Default)]
pub(super) struct ReaderResult {
    pub(super) kept: Vec<(Key, Bytes)>,
    /// How many files had to be read since the cache did not know them.
    pub(super) read: u64,
}

/// Hashes what the queue hands out.
pub(super) struct FileReader<'a> {
    shared: &'a ScanShared,
    cache: &'a HashCache,
    buffer: Vec<u8>,
    batch: Vec<Key>,
    /// Bytes not reported yet.
    bytes: u64,
    done: ReaderResult,
}

impl<'a> FileReader<'a> {
    pub(super) fn new(shared: &'a ScanShared, cache: &'a HashCache) -> Self {
        Self {
            shared,
            cache,
            buffer: vec![0; BUFFER],
            batch: Vec::new(),
            bytes: 0,
            done: ReaderResult::default(),
        }
    }

    /// Reads until there is no more.
    pub(super) fn run(mut self) -> Result<ReaderResult, ScanError> {
        // At a good end it stops nobody: then all is done.
        let _stop = StopOnDrop(&self.shared.queue);
        let mut files = Vec::new();
        while let Some(batch) = self.shared.queue.take() {
            self.batch = batch;
            while let Some(key) = self.batch.pop() {
                let file = self.file(key)?;
                files.push(file);
            }
            self.shared.queue.finish();
            (self.shared).report(files.len() as u64, std::mem::take(&mut self.bytes));
            self.shared.hashed().append(&mut files);
        }
        Ok(self.done)
    }

    fn file(&mut self, key: Key) -> Result<LocalFile, ScanError> {
        let path = self.shared.root.join(key.as_str());
        let unreadable = |source| ScanError::Unreadable {
            path: path.clone(),
            source,
        };
        if self.cache.len() > 0 {
            let stamp = FileStamp::of(&fs::metadata(&path).map_err(unreadable)?);
            if let Some(digests) = self.cache.find(key.as_str(), &stamp) {
                self.bytes += stamp.size;
                return Ok(local_file(key, stamp, digests));
            }
        }
        self.done.read += 1;
        for _ in 0..2 {
            let (mut file, stamp) = open(&path)?;
            if stamp.size >= LARGE && !self.batch.is_empty() {
                self.shared.queue.add(std::mem::take(&mut self.batch));
            }
            let digests = self.hash(&mut file, &stamp).map_err(unreadable)?;
            if self.shared.queue.is_stopped() {
                return Err(ScanError::Stopped);
            }
            let after = FileStamp::of(&file.metadata().map_err(unreadable)?);
            if let Some(digests) = digests.filter(|_| after == stamp) {
                if let Some(content) = self.shared.keep(&stamp, &self.buffer) {
                    self.done.kept.push((key.clone(), content));
                }
                return Ok(local_file(key, stamp, digests));
            }
        }
        Err(ScanError::KeepsChanging { path })
    }

    /// Computes the digests of exactly as many bytes as the stamp says; `None` where the file has more or fewer, or all was stopped.
    fn hash(&mut self, file: &mut File, stamp: &FileStamp) -> io::Result<Option<FileDigests>> {
        let mut whole = Hasher::new();
        let mut parts =
            (stamp.size >= MULTIPART_FROM).then(|| PartsHasher::new(part_size(stamp.size)));
        let mut left = stamp.size;
        loop {
            // One byte more than is left: that shows a file that has grown, or one of the kernel's that says it is empty.
            let wanted = usize::try_from(left.saturating_add(1)).unwrap_or(BUFFER);
            let (window, _) = self.buffer.split_at_mut(wanted.min(BUFFER));
            let wanted = window.len();
            let chunk = fill(file, window)?;
            let length = chunk.len();
            let Some(rest) = left.checked_sub(length as u64) else {
                return Ok(None);
            };
            whole.update(chunk);
            if let Some(parts) = &mut parts {
                parts.update(chunk);
            }
            left = rest;
            self.bytes += length as u64;
            if self.bytes >= REPORT {
                self.shared.report(0, std::mem::take(&mut self.bytes));
            }
            if length < wanted {
                break;
            }
            if self.shared.queue.is_stopped() {
                return Ok(None);
            }
        }
        let digest = Md5(whole.finalize().into());
        Ok((left == 0).then(|| (digest, parts.map(PartsHasher::finish))))
    }
}

/// The MD5 of a file, and its ETag where it is to be uploaded in parts.
type FileDigests = (Md5, Option<ETag>);

fn local_file(key: Key, stamp: FileStamp, (md5, parts): FileDigests) -> LocalFile {
    LocalFile {
        key,
        size: stamp.size,
        md5,
        parts: parts.map(Box::new),
        stamp,
        made: None,
    }
}

fn open(path: &Path) -> Result<(File, FileStamp), ScanError> {
    // A pipe that took the file's place must not hold the reader up.
    let opened = open_at_once(path);
    let opened = opened.and_then(|file| file.metadata().map(|metadata| (file, metadata)));
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

impl ScanShared {
    pub(super) fn hashed(&self) -> MutexGuard<'_, Vec<LocalFile>> {
        self.hashed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, files: u64, bytes: u64) {
        let files = files + self.files.fetch_add(files, Ordering::Relaxed);
        let bytes = bytes + self.bytes.fetch_add(bytes, Ordering::Relaxed);
        (self.progress)(ScanProgress::Hashed { files, bytes });
    }

    /// Returns the content of a small file, which the buffer still holds, as long as there is room for it.
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
