//! Reads what is uploaded, and sees that it still is what the plan is about.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use md5::{Digest, Md5 as Hasher};
use tokio::task::spawn_blocking;

use super::put_error::PutError;
use crate::object::Md5;
use crate::object::encoding;
use crate::plan::Change;
use crate::scan::{LocalFile, StoredForm};
use crate::system::FileStamp;

/// Returns the content of a small object: from memory where it is `kept`, or from its file.
pub(super) async fn read(
    change: &Change,
    path: &Path,
    file: Option<&LocalFile>,
    kept: Option<Bytes>,
) -> Result<Bytes, PutError> {
    let made = file.and_then(|file| file.made.as_deref());
    if let Some(made) = made.filter(|made| made.encoding.is_some()) {
        return encode(path, change, made).await;
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
    let name = change.key.to_string();
    match in_thread(reading).await {
        Ok((bytes, true)) => Ok(Bytes::from(bytes)),
        Ok(_) => Err(PutError::Changed(name)),
        Err(error) => Err(PutError::Unreadable(name, error.to_string())),
    }
}

/// Returns a file in the encoding that the plan is about.
async fn encode(path: &Path, change: &Change, made: &StoredForm) -> Result<Bytes, PutError> {
    if let Some(body) = &made.body {
        return Ok(body.clone());
    }
    let (path, encoding) = (path.to_owned(), made.encoding);
    let encoding = move || {
        let bytes = std::fs::read(path)?;
        encoding.map_or(Ok(bytes.clone()), |encoding| {
            encoding::compress(&bytes, encoding)
        })
    };
    let name = change.key.to_string();
    match in_thread(encoding).await {
        Ok(bytes) if Md5(Hasher::digest(&bytes).into()) == change.md5 => Ok(Bytes::from(bytes)),
        Ok(_) => Err(PutError::Changed(name)),
        Err(error) => Err(PutError::Unreadable(name, error.to_string())),
    }
}

/// A part of a large file.
pub(super) struct FilePart {
    /// For people: the key that it becomes a part of.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

impl FilePart {
    pub(super) async fn read(self) -> Result<(Bytes, Md5), PutError> {
        let reading = move || {
            let mut file = std::fs::File::open(self.path)?;
            file.seek(SeekFrom::Start(self.offset))?;
            let mut buffer = vec![0; self.bytes as usize];
            file.read_exact(&mut buffer)?;
            let digest = Md5(Hasher::digest(&buffer).into());
            Ok((Bytes::from(buffer), digest))
        };
        in_thread(reading).await.map_err(|error| {
            if error.kind() == std::io::ErrorKind::UnexpectedEof {
                PutError::Changed(self.name)
            } else {
                PutError::Unreadable(self.name, error.to_string())
            }
        })
    }
}

async fn in_thread<T: Send + 'static>(
    reading: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    let joined = spawn_blocking(reading).await;
    joined.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}
