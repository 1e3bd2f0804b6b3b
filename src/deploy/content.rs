//! Reads what is uploaded, and sees that it still is what the plan is about.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use md5::{Digest, Md5 as Hasher};
use tokio::task::spawn_blocking;

use super::put_error::PutError;
use crate::aws::s3::CheckedBody;
use crate::object::encoding::{self, Encoding};
use crate::object::{Key, Md5};
use crate::plan::Change;
use crate::scan::LocalFile;
use crate::system::FileStamp;

/// Returns the content of a small object: from memory where it is `kept`, or from its file.
pub(super) async fn read(
    change: &Change,
    path: &Path,
    file: Option<&LocalFile>,
    kept: Option<Bytes>,
) -> Result<Bytes, PutError> {
    let made = file.and_then(|file| file.made.as_deref());
    if let Some((made, encoding)) = made.and_then(|made| Some((made, made.encoding?))) {
        return match &made.body {
            Some(body) => Ok(body.clone()),
            None => encode(path, change, encoding).await,
        };
    }
    if let Some(kept) = kept.filter(|kept| kept.len() as u64 == change.size) {
        return Ok(kept);
    }
    if change.size == 0 && change.headers.redirect.is_some() {
        return Ok(Bytes::new());
    }
    let stamp = file.filter(|_| made.is_none()).map(|file| file.stamp);
    read_whole(path, change, stamp).await
}

/// Reads a small file and sees that it is the same: by its stamp, or else by its digest.
async fn read_whole(
    path: &Path,
    change: &Change,
    stamp: Option<FileStamp>,
) -> Result<Bytes, PutError> {
    let (path, size, md5) = (path.to_owned(), change.size, change.md5);
    // Allocated here: there each thread would keep room of its own for what it once read.
    let mut bytes = Vec::with_capacity(size as usize + 1);
    let reading = move || -> std::io::Result<(Vec<u8>, bool)> {
        let mut file = std::fs::File::open(path)?;
        (&mut file).take(size + 1).read_to_end(&mut bytes)?;
        let is_stamped = |stamp| {
            let now = file.metadata();
            now.is_ok_and(|now| FileStamp::of(&now) == stamp)
        };
        let same = bytes.len() as u64 == size && stamp.is_some_and(is_stamped);
        let same = same || Md5(Hasher::digest(&bytes).into()) == md5;
        Ok((bytes, same))
    };
    let (bytes, same) = in_thread(reading).await?;
    same.then(|| Bytes::from(bytes)).ok_or(PutError::Changed)
}

/// Returns a file in the encoding that the plan is about.
async fn encode(path: &Path, change: &Change, encoding: Encoding) -> Result<Bytes, PutError> {
    let path = path.to_owned();
    let encoding = move || encoding::compress(&std::fs::read(path)?, encoding);
    let bytes = in_thread(encoding).await?;
    let same = Md5(Hasher::digest(&bytes).into()) == change.md5;
    same.then(|| Bytes::from(bytes)).ok_or(PutError::Changed)
}

/// A part of a large file.
pub(super) struct FilePart {
    /// What it becomes a part of.
    pub(super) key: Key,
    pub(super) path: PathBuf,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

impl FilePart {
    pub(super) async fn read(self) -> Result<CheckedBody, PutError> {
        let reading = move || {
            let mut file = std::fs::File::open(self.path)?;
            file.seek(SeekFrom::Start(self.offset))?;
            let mut buffer = vec![0; self.bytes as usize];
            file.read_exact(&mut buffer)?;
            Ok(CheckedBody {
                md5: Md5(Hasher::digest(&buffer).into()),
                bytes: Bytes::from(buffer),
            })
        };
        in_thread(reading).await
    }
}

async fn in_thread<T: Send + 'static>(
    reading: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, PutError> {
    let joined = spawn_blocking(reading).await;
    let read = joined.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    read.map_err(|error| match error.kind() {
        // It has become shorter.
        std::io::ErrorKind::UnexpectedEof => PutError::Changed,
        _ => PutError::Unreadable(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_shorter_by_now_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "short").unwrap();
        let part = |path: &Path, bytes| FilePart {
            key: Key::new("a"),
            path: path.to_owned(),
            offset: 0,
            bytes,
        };
        let whole = part(&path, 5).read().await.unwrap();
        assert_eq!(whole.bytes, "short");
        let longer = part(&path, 6).read().await;
        assert!(matches!(longer, Err(PutError::Changed)));
        let gone = part(&dir.path().join("b"), 5).read().await;
        assert!(matches!(gone, Err(PutError::Unreadable(_))));
    }
}
