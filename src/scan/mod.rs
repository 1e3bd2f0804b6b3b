//! Walks and hashes a build folder. [`scan`] is the entry point: the walk feeds readers on blocking threads while it goes on.

mod cache;
mod digest;
mod error;
mod file;
mod filter;
mod hash;
mod pages;
mod private;
mod queue;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, spawn_blocking};

use crate::object::Key;
use crate::object::key::MAX_KEY_BYTES;
use cache::{CacheStore, HashCache};
pub use digest::{MULTIPART_FROM, candidate_part_sizes, multipart_etag, part_size};
pub use error::ScanError;
pub use file::{LocalFile, StoredForm};
use hash::{FileReader, ReaderResult, ScanShared};
pub use pages::{is_page_name, is_read_name, read_pages};
use queue::{FileQueue, StopOnDrop};
use walk::{FolderWalk, WalkRules};

/// What to scan, and how.
#[derive(Debug, Clone)]
pub struct ScanOptions {
    /// Left out, as in a .gitignore file, besides the defaults.
    pub exclude: Vec<String>,
    /// Brought back, whatever `exclude` and the defaults say of it.
    pub include: Vec<String>,
    /// Deployed though it looks private.
    pub allow: Vec<String>,
    /// The most files of a build that has no index.html at its root; `None`: any number.
    pub max_without_index: Option<u64>,
    pub symlinks: SymlinkPolicy,
    /// The most bytes that a key may have: 1,024 less the prefix.
    pub max_key_bytes: usize,
    /// The folder of the hash cache; `None` for no cache. It must not lie in the build.
    pub cache: Option<PathBuf>,
    /// Keeps the content of files of at most 64 KiB that had to be read, up to this many bytes in all.
    pub keep_small: Option<u64>,
}

// What stood at a variant, `--help` would show at length.
/// What becomes of symbolic links. `Inside`: followed where they lead to something in the build, errors elsewhere; `Follow`:
/// wherever they lead; `Skip`: left out, as sockets, pipes and devices are then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum SymlinkPolicy {
    #[default]
    Inside,
    Follow,
    Skip,
}

/// A build folder as it is on disk.
#[derive(Debug)]
pub struct ScannedBuild {
    pub root: PathBuf,
    /// Sorted by the keys' bytes, as S3 lists them.
    pub files: Vec<LocalFile>,
    /// Of all files together.
    pub bytes: u64,
    /// Content kept as [`ScanOptions::keep_small`] asks: what was hashed, byte for byte.
    pub kept: HashMap<Key, Bytes>,
    /// What was left out without having been asked for: paths, sorted, a folder's with a final slash.
    pub left_out: Vec<String>,
}

/// How far a scan is. Reports come from several threads, so that a later one may be lower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanProgress {
    /// Files found so far.
    Walked(u64),
    /// All are found: about every [`PART`]th key, in order.
    Found(Vec<Key>),
    Hashed {
        files: u64,
        bytes: u64,
    },
}

/// Files between the keys of [`ScanProgress::Found`]: a page of a listing has room for 1,000, and a bucket may hold a few more.
pub const PART: usize = 900;

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            exclude: Vec::new(),
            include: Vec::new(),
            allow: Vec::new(),
            max_without_index: None,
            symlinks: SymlinkPolicy::default(),
            max_key_bytes: MAX_KEY_BYTES,
            cache: None,
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
    options: &ScanOptions,
    progress: impl Fn(ScanProgress) + Send + Sync + 'static,
) -> Result<ScannedBuild, ScanError> {
    let rules = WalkRules::new(options)?;
    let shared = Arc::new(ScanShared {
        root: root.to_owned(),
        queue: FileQueue::default(),
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
        spawn_blocking(move || FolderWalk::new(&shared, canonical, rules, &options).run())
    };
    let (store, cache) = match options.cache.clone() {
        Some(folder) => {
            finished(spawn_blocking(move || Ok(open_cache(&folder, &canonical))).await)?
        }
        None => (None, Arc::default()),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let readers: Vec<_> = (0..cores.clamp(8, 16))
        .map(|_| {
            let (shared, cache) = (shared.clone(), cache.clone());
            spawn_blocking(move || FileReader::new(&shared, &cache).run())
        })
        .collect();
    let walked = finished(walk.await);
    let mut results = Vec::with_capacity(readers.len());
    for reader in readers {
        results.push(finished(reader.await));
    }
    // What stopped the walk is a reader's error, which says more.
    let (left_out, results) = match (walked, results.into_iter().collect::<Result<Vec<_>, _>>()) {
        (Ok(_) | Err(ScanError::Stopped), Err(error)) => return Err(error),
        (walked, results) => (walked?, results?),
    };
    let remembered = cache.len();
    drop(cache);
    let build = ScannedBuild {
        root: root.to_owned(),
        bytes: 0,
        files: std::mem::take(&mut *shared.hashed()),
        kept: HashMap::new(),
        left_out,
    };
    let join = move || Ok(join(build, results, store.as_ref(), remembered));
    finished(spawn_blocking(join).await)
}

/// Returns the canonical path of a root that can be walked.
fn check_root(root: &Path) -> Result<PathBuf, ScanError> {
    let path = root.to_owned();
    let unreadable = |source: io::Error| {
        let path = path.clone();
        if source.kind() == io::ErrorKind::NotFound {
            return ScanError::Missing { path };
        }
        ScanError::Unreadable { path, source }
    };
    if !std::fs::metadata(root).map_err(unreadable)?.is_dir() {
        return Err(ScanError::NotAFolder { path });
    }
    root.canonicalize().map_err(unreadable)
}

fn open_cache(folder: &Path, root: &Path) -> (Option<CacheStore>, Arc<HashCache>) {
    match CacheStore::begin(folder, root) {
        Ok(store) => {
            let cache = HashCache::load(&store.path());
            (Some(store), Arc::new(cache))
        }
        Err(_) => (None, Arc::default()),
    }
}

/// Sorts the files and remembers their digests, where some are not `remembered`.
fn join(
    mut build: ScannedBuild,
    results: Vec<ReaderResult>,
    store: Option<&CacheStore>,
    remembered: usize,
) -> ScannedBuild {
    let mut read = 0;
    for result in results {
        build.kept.extend(result.kept);
        read += result.read;
    }
    build.bytes = build.files.iter().map(|file| file.size).sum();
    (build.files).sort_unstable_by(|file, other| file.key.cmp(&other.key));
    if let Some(store) = store
        && (read > 0 || cache::entries_of(&build.files) != remembered)
    {
        // Without a cache the next scan is slower, and nothing else.
        let _ = store.write(&build.files);
    }
    build
}

/// Returns what a blocking task came to; its panic goes on here.
fn finished<T>(ended: Result<Result<T, ScanError>, JoinError>) -> Result<T, ScanError> {
    match ended {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ScanError::Stopped),
        },
    }
}
