//! Walks and hashes a build folder. [`scan`] is the entry point: the walk feeds readers on blocking threads while it goes on.

mod cache;
mod digest;
mod error;
mod file;
mod filter;
mod hash;
mod queue;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, spawn_blocking};

use crate::domain::Key;
use crate::domain::key::MAX_KEY_BYTES;
use cache::{Cache, Store};
pub use digest::{
    Checksum, MULTIPART_FROM, candidate_part_sizes, full_checksum, multipart_etag, part_size,
};
pub use error::ScanError;
pub use file::{FileStamp, LocalFile, Made};
use filter::Filter;
pub use filter::{DEFAULT_EXCLUDES, LeftOut};
use hash::{Done, Reader, Shared};
use queue::{Queue, StopOnDrop};
use walk::Walk;

/// What to scan, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Left out, as in a .gitignore file, besides [`DEFAULT_EXCLUDES`].
    pub exclude: Vec<String>,
    /// Brought back, whatever `exclude` and the defaults say of it; see [`DEFAULT_EXCLUDES`].
    pub include: Vec<String>,
    pub symlinks: Symlinks,
    /// The most bytes that a key may have: 1,024 less the prefix.
    pub max_key_bytes: usize,
    /// The folder of the hash cache; `None` for no cache. It must not lie in the build.
    pub cache: Option<PathBuf>,
    /// Files read at once; 0 for 8 to 16, by the number of cores.
    pub readers: usize,
    /// Keeps the content of files of at most 64 KiB that had to be read, up to this many bytes in all.
    pub keep_small: Option<u64>,
}

// What stood at a variant, `--help` would show at length.
/// What becomes of symbolic links. `Inside`: followed where they lead to something in the build, errors elsewhere; `Follow`:
/// wherever they lead; `Skip`: left out, as sockets, pipes and devices are then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Symlinks {
    #[default]
    Inside,
    Follow,
    Skip,
}

/// A build folder as it is on disk.
#[derive(Debug)]
pub struct Build {
    pub root: PathBuf,
    /// Sorted by the keys' bytes, as S3 lists them.
    pub files: Vec<LocalFile>,
    /// Of all files together.
    pub bytes: u64,
    /// What was left out, by pattern.
    pub left_out: Vec<LeftOut>,
    /// Content kept as [`Options::keep_small`] asks: what was hashed, byte for byte.
    pub kept: HashMap<Key, Bytes>,
}

/// How far a scan is. Reports come from several threads, so that a later one may be lower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Files found so far.
    Walked(u64),
    /// All are found: about every [`PART`]th key, in order.
    Found(Vec<Key>),
    Hashed {
        files: u64,
        bytes: u64,
    },
}

/// Files between the keys of [`Progress::Found`]: a page of a listing has room for 1,000, and a bucket may hold a few more.
pub const PART: usize = 900;

impl Default for Options {
    fn default() -> Self {
        Self {
            exclude: Vec::new(),
            include: Vec::new(),
            symlinks: Symlinks::default(),
            max_key_bytes: MAX_KEY_BYTES,
            cache: None,
            readers: 0,
            keep_small: None,
        }
    }
}

/// Walks and hashes a build folder. An empty one is no error.
///
/// Two files never give one key: a key is the path as it is, and a file system that folds case or accents has one file
/// for both names.
///
/// # Errors
/// The first [`ScanError`] met.
pub async fn scan(
    root: &Path,
    options: &Options,
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<Build, ScanError> {
    let filter = Filter::new(&options.exclude, &options.include)?;
    let shared = Arc::new(Shared {
        root: root.to_owned(),
        queue: Queue::default(),
        progress: Box::new(progress),
        keep: AtomicU64::new(options.keep_small.unwrap_or(0)),
        files: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        hashed: Mutex::default(),
    });
    let _stop = StopOnDrop(&shared.queue);
    let canonical = {
        let root = root.to_owned();
        finished(spawn_blocking(move || check_root(&root)).await)?
    };
    let walk = {
        let (shared, options, canonical) = (shared.clone(), options.clone(), canonical.clone());
        spawn_blocking(move || Walk::new(&shared, canonical, filter, &options).run())
    };
    let (store, cache) = match options.cache.clone() {
        Some(folder) => {
            finished(spawn_blocking(move || Ok(open_cache(&folder, &canonical))).await)?
        }
        None => (None, Arc::default()),
    };
    let readers: Vec<_> = (0..readers(options.readers))
        .map(|_| {
            let (shared, cache) = (shared.clone(), cache.clone());
            spawn_blocking(move || Reader::new(&shared, &cache).run())
        })
        .collect();
    let walked = finished(walk.await);
    let mut results = Vec::with_capacity(readers.len());
    for reader in readers {
        results.push(finished(reader.await));
    }
    let (left_out, results) = sort_out(walked, results)?;
    let known = cache.len();
    drop(cache);
    let root = root.to_owned();
    let files = std::mem::take(&mut *shared.hashed());
    let join = move || Ok(join(root, left_out, files, results, store.as_ref(), known));
    finished(spawn_blocking(join).await)
}

/// The canonical path of a root that can be walked.
fn check_root(root: &Path) -> Result<PathBuf, ScanError> {
    let unreadable = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => ScanError::Missing {
            path: root.to_owned(),
        },
        _ => ScanError::Unreadable {
            path: root.to_owned(),
            source,
        },
    };
    if !std::fs::metadata(root).map_err(unreadable)?.is_dir() {
        return Err(ScanError::NotAFolder {
            path: root.to_owned(),
        });
    }
    root.canonicalize().map_err(unreadable)
}

fn open_cache(folder: &Path, root: &Path) -> (Option<Store>, Arc<Cache>) {
    match Store::begin(folder, root) {
        Ok(store) => {
            let cache = Cache::load(&store.path());
            (Some(store), Arc::new(cache))
        }
        Err(_) => (None, Arc::default()),
    }
}

fn readers(wanted: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    match wanted {
        0 => cores().clamp(8, 16),
        some => some,
    }
}

/// All results, or the error that stopped the others.
fn sort_out(
    walked: Result<Vec<LeftOut>, ScanError>,
    readers: Vec<Result<Done, ScanError>>,
) -> Result<(Vec<LeftOut>, Vec<Done>), ScanError> {
    let stopped = matches!(walked, Err(ScanError::Stopped));
    if !stopped {
        let left_out = walked?;
        let results = readers.into_iter().collect::<Result<_, _>>()?;
        return Ok((left_out, results));
    }
    let failed = readers.into_iter().find_map(Result::err);
    Err(failed.unwrap_or(ScanError::Stopped))
}

fn join(
    root: PathBuf,
    left_out: Vec<LeftOut>,
    mut files: Vec<LocalFile>,
    results: Vec<Done>,
    store: Option<&Store>,
    known: usize,
) -> Build {
    let mut kept = HashMap::new();
    let mut read = 0;
    for done in results {
        kept.extend(done.kept);
        read += done.read;
    }
    files.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    if let Some(store) = store
        && (read > 0 || cache::entries_of(&files) != known)
    {
        // Without a cache the next scan is slower, and nothing else.
        let _ = store.write(&files);
    }
    Build {
        root,
        bytes: files.iter().map(|file| file.size).sum(),
        files,
        left_out,
        kept,
    }
}

/// What a blocking task came to; its panic goes on here.
fn finished<T>(ended: Result<Result<T, ScanError>, JoinError>) -> Result<T, ScanError> {
    match ended {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ScanError::Stopped),
        },
    }
}
