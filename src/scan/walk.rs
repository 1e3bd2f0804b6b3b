//! Finds the files of the build and hands their keys on as it goes.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::error::ScanError;
use super::filter::{Filter, LeftOut, Rule};
use super::hash::{BATCH, Shared, StopOnDrop};
use super::{Progress, Symlinks};
use crate::domain::Key;

/// Names this holds belong to the deploy's own state in the bucket, whichever folder's site it is.
const RESERVED: &str = ".unstale";

pub(super) struct Walk<'a> {
    pub(super) shared: &'a Shared,
    /// The root with all links resolved.
    pub(super) canonical: PathBuf,
    pub(super) filter: Filter,
    pub(super) symlinks: Symlinks,
    pub(super) max_key_bytes: usize,
}

impl Walk<'_> {
    /// Walks it all.
    pub(super) fn run(mut self) -> Result<Vec<LeftOut>, ScanError> {
        let guard = StopOnDrop(&self.shared.queue);
        let mut found = 0;
        let mut batch = Vec::with_capacity(BATCH);
        // What became of the folders that lead to the entry at hand; the root comes first.
        let mut folders: Vec<Option<Rule>> = vec![None];
        let mut entries = WalkDir::new(&self.shared.root)
            .min_depth(1)
            .follow_links(self.symlinks != Symlinks::Skip)
            .into_iter();
        while let Some(entry) = entries.next() {
            let (depth, is_dir) = match &entry {
                Ok(entry) => (entry.depth(), entry.file_type().is_dir()),
                Err(error) => (error.depth(), error.loop_ancestor().is_some()),
            };
            folders.truncate(depth.max(1));
            let folder = folders.last().copied().flatten();
            let path = match &entry {
                Ok(entry) => Some(entry.path()),
                Err(error) => error.path(),
            };
            let relative = path
                .and_then(|path| path.strip_prefix(&self.shared.root).ok())
                .unwrap_or(Path::new(""));
            let verdict = self.filter.judge(relative, is_dir, folder);
            if let Some(rule) = verdict {
                let look_inside =
                    is_dir && entry.is_ok() && self.filter.may_include_below(relative);
                if look_inside {
                    folders.push(verdict);
                } else {
                    self.filter.count(rule);
                }
                if is_dir && entry.is_ok() && !look_inside {
                    entries.skip_current_dir();
                }
                continue;
            }
            let entry = entry.map_err(|error| self.failed(error))?;
            if let Some(key) = self.take(&entry, relative_of(&entry, &self.shared.root))? {
                batch.push(key);
                found += 1;
            }
            if is_dir {
                folders.push(None);
            }
            if batch.len() == BATCH {
                (self.shared.queue).add(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)));
                if found % (16 * BATCH as u64) == 0 {
                    (self.shared.progress)(Progress::Walked(found));
                }
                if self.shared.queue.is_stopped() {
                    return Err(ScanError::Stopped);
                }
            }
        }
        self.shared.queue.add(batch);
        (self.shared.progress)(Progress::Walked(found));
        self.shared.queue.walked();
        std::mem::forget(guard);
        Ok(self.filter.left_out())
    }

    /// The key of an entry that is not left out, if it is a file.
    fn take(&self, entry: &DirEntry, relative: &Path) -> Result<Option<Key>, ScanError> {
        let path = || entry.path().to_owned();
        if entry.file_name() == RESERVED {
            return Err(ScanError::Reserved { path: path() });
        }
        if entry.path_is_symlink() {
            match self.symlinks {
                Symlinks::Skip => return Ok(None),
                Symlinks::Follow => {}
                Symlinks::InsideOnly => self.check_inside(entry.path())?,
            }
        }
        let kind = entry.file_type();
        let Some(text) = relative.to_str() else {
            return Err(ScanError::NotUtf8 { path: path() });
        };
        if kind.is_dir() {
            return Ok(None);
        }
        let special = match () {
            () if kind.is_fifo() => "named pipe",
            () if kind.is_socket() => "socket",
            () if kind.is_block_device() || kind.is_char_device() => "device",
            () => "",
        };
        if self.symlinks == Symlinks::Skip && !special.is_empty() {
            return Ok(None);
        }
        if !kind.is_file() {
            let kind = if special.is_empty() {
                "special file"
            } else {
                special
            };
            return Err(ScanError::NotAFile { path: path(), kind });
        }
        if text.len() > self.max_key_bytes {
            return Err(ScanError::KeyTooLong {
                path: path(),
                bytes: text.len(),
                max: self.max_key_bytes,
            });
        }
        Ok(Some(Key::new(text)))
    }

    fn check_inside(&self, path: &Path) -> Result<(), ScanError> {
        let target = path
            .canonicalize()
            .map_err(|source| ScanError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
        match target.starts_with(&self.canonical) {
            true => Ok(()),
            false => Err(ScanError::LeavesBuild {
                path: path.to_owned(),
                target,
            }),
        }
    }

    /// Says what walkdir ran into.
    fn failed(&self, error: walkdir::Error) -> ScanError {
        let path = error.path().unwrap_or(&self.shared.root).to_owned();
        let target = std::fs::read_link(&path).ok();
        if let Some(ancestor) = error.loop_ancestor() {
            let target = target.unwrap_or_else(|| ancestor.to_owned());
            // A link to what lies above the build is one that leaves it.
            if self.symlinks == Symlinks::InsideOnly
                && let Err(error) = self.check_inside(&path)
            {
                return error;
            }
            return ScanError::Loop { path, target };
        }
        let source = error
            .into_io_error()
            .unwrap_or_else(|| io::ErrorKind::Other.into());
        match (target, source.kind()) {
            (Some(target), io::ErrorKind::NotFound) => ScanError::Dangling { path, target },
            // ELOOP: links that lead to each other. The kind of its own is not stable yet.
            (Some(target), _)
                if source.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) =>
            {
                ScanError::Loop { path, target }
            }
            _ => ScanError::Unreadable { path, source },
        }
    }
}

fn relative_of<'a>(entry: &'a DirEntry, root: &Path) -> &'a Path {
    entry.path().strip_prefix(root).unwrap_or(entry.path())
}
