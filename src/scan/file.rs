//! A file of the build as it was when it was hashed, kept small: sites have a million of them.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::domain::{ETag, Key, Md5};

/// A file of the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Its path relative to the build's root, which is its key below the site's prefix.
    pub key: Key,
    /// In bytes.
    pub size: u64,
    /// Of the whole content.
    pub md5: Md5,
    /// From [`super::MULTIPART_FROM`] on: the ETag that an upload in parts of [`super::part_size`] will get.
    pub parts: Option<ETag>,
    /// What the file system said of it while it was read.
    pub stamp: FileStamp,
}

/// Enough to notice a later change without reading: times in nanoseconds since 1970, of the file itself where a link
/// leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    pub size: u64,
    pub mtime_ns: i64,
    pub inode: u64,
    pub ctime_ns: i64,
}

impl LocalFile {
    /// Where it lies.
    pub fn path(&self, root: &Path) -> PathBuf {
        root.join(self.key.as_str())
    }

    /// When it was last modified.
    pub fn mtime(&self) -> SystemTime {
        let distance = Duration::from_nanos(self.stamp.mtime_ns.unsigned_abs());
        match self.stamp.mtime_ns < 0 {
            true => SystemTime::UNIX_EPOCH - distance,
            false => SystemTime::UNIX_EPOCH + distance,
        }
    }

    /// Whether the file is still the one that was hashed, as far as the file system tells. One stat.
    ///
    /// # Errors
    /// When it cannot be asked for; a file that is gone is an error too.
    pub fn is_unchanged(&self, root: &Path) -> io::Result<bool> {
        let now = std::fs::metadata(self.path(root))?;
        Ok(now.is_file() && FileStamp::of(&now) == self.stamp)
    }
}

impl FileStamp {
    pub fn of(file: &Metadata) -> Self {
        Self {
            size: file.len(),
            mtime_ns: nanoseconds(file.mtime(), file.mtime_nsec()),
            inode: file.ino(),
            ctime_ns: nanoseconds(file.ctime(), file.ctime_nsec()),
        }
    }
}

fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}
