//! Finds the files of the build and hands their keys on as it goes.

use std::io;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::error::{PrivateEntry, ScanError};
use super::filter::PathFilter;
use super::hash::ScanShared;
use super::private::PrivacyCheck;
use super::queue::{BATCH, StopOnDrop};
use super::{PART, ScanOptions, ScanProgress, SymlinkPolicy};
use crate::object::Key;
use crate::object::key::STATE_FOLDER;
use crate::system::{is_link_loop, slashed, special_kind};

pub(super) struct FolderWalk<'a> {
    shared: &'a ScanShared,
    /// The root with all links resolved.
    canonical: PathBuf,
    rules: WalkRules,
    symlinks: SymlinkPolicy,
    max_key_bytes: usize,
    max_without_index: Option<u64>,
    /// Whether the folders that lead to the entry at hand are left out; the root comes first.
    folders: Vec<bool>,
    batch: Vec<Key>,
    files: u64,
    /// Every [`STRIDE`]th key.
    sample: Vec<Key>,
    left_out: Vec<String>,
    private: Vec<PrivateEntry>,
}

/// What is taken and what is not.
pub(super) struct WalkRules {
    filter: PathFilter,
    privacy: PrivacyCheck,
}

impl WalkRules {
    pub(super) fn new(options: &ScanOptions) -> Result<Self, ScanError> {
        Ok(Self {
            filter: PathFilter::new(&options.exclude, &options.include)?,
            privacy: PrivacyCheck::new(&options.allow)?,
        })
    }
}

const INDEX: &str = "index.html";
const STRIDE: usize = 10;

impl<'a> FolderWalk<'a> {
    pub(super) fn new(
        shared: &'a ScanShared,
        canonical: PathBuf,
        rules: WalkRules,
        options: &ScanOptions,
    ) -> Self {
        Self {
            shared,
            canonical,
            rules,
            symlinks: options.symlinks,
            max_key_bytes: options.max_key_bytes,
            max_without_index: options.max_without_index,
            folders: vec![false],
            batch: Vec::with_capacity(BATCH),
            files: 0,
            sample: Vec::new(),
            left_out: Vec::new(),
            private: Vec::new(),
        }
    }

    /// Walks the whole build. Returns what is left out without having been asked for: paths in the build, sorted, a folder's
    /// with a final slash.
    pub(super) fn run(mut self) -> Result<Vec<String>, ScanError> {
        let stop = StopOnDrop(&self.shared.queue);
        let mut entries = WalkDir::new(&self.shared.root)
            .min_depth(1)
            .follow_links(self.symlinks != SymlinkPolicy::Skip)
            .into_iter();
        while let Some(entry) = entries.next() {
            if !self.step(entry)? {
                entries.skip_current_dir();
            }
        }
        if !self.private.is_empty() {
            let root = self.shared.root.clone();
            let mut entries = self.private;
            entries.sort_by(|entry, other| entry.path.cmp(&other.path));
            return Err(ScanError::Private { root, entries });
        }
        self.shared.queue.add(self.batch);
        (self.shared.progress)(ScanProgress::Walked(self.files));
        self.sample.sort_unstable();
        let splits = self.sample.into_iter().skip(1).step_by(PART / STRIDE);
        (self.shared.progress)(ScanProgress::Found(splits.skip(1).collect()));
        self.shared.queue.walked();
        std::mem::forget(stop); // the readers are to go on
        self.left_out.sort_unstable();
        Ok(self.left_out)
    }

    /// Takes one entry; false for a folder that need not be looked into.
    fn step(&mut self, entry: walkdir::Result<DirEntry>) -> Result<bool, ScanError> {
        let (path, depth, is_dir) = match &entry {
            Ok(entry) => (
                Some(entry.path()),
                entry.depth(),
                entry.file_type().is_dir(),
            ),
            Err(error) => (error.path(), error.depth(), error.loop_ancestor().is_some()),
        };
        let relative = path
            .and_then(|path| path.strip_prefix(&self.shared.root).ok())
            .unwrap_or(Path::new(""));
        self.folders.truncate(depth.max(1));
        let folder = self.folders.last() == Some(&true);
        let filter = &self.rules.filter;
        if filter.leaves_out(relative, is_dir, folder) {
            if !folder && !filter.is_asked(relative, is_dir) {
                let slash = if is_dir { "/" } else { "" };
                self.left_out.push(format!("{}{slash}", relative.display()));
            }
            let is_walked = is_dir && entry.is_ok();
            let may_include = is_walked && filter.may_include_below(relative);
            if may_include {
                self.folders.push(true);
            }
            return Ok(may_include || !is_walked);
        }
        let key = match &entry {
            Ok(entry) => self.key_of(entry, relative)?,
            Err(_) => None,
        };
        let is_link = entry.as_ref().is_ok_and(DirEntry::path_is_symlink);
        let target = path
            .filter(|_| is_link)
            .and_then(|path| path.canonicalize().ok());
        if let Some(path) = path.filter(|_| key.is_some() || is_dir)
            && let full = target.as_deref().unwrap_or(path)
            && let Some(found) = self.rules.privacy.find(full, relative, is_dir)
        {
            self.private.push(found);
            return Ok(!is_dir);
        }
        entry.map_err(|error| self.failed(error))?;
        if is_dir {
            self.folders.push(false);
        }
        if let Some(key) = key {
            self.hand_on(key)?;
        }
        Ok(true)
    }

    fn hand_on(&mut self, key: Key) -> Result<(), ScanError> {
        if self.files.is_multiple_of(STRIDE as u64) {
            self.sample.push(key.clone());
        }
        self.batch.push(key);
        self.files += 1;
        if self.batch.len() < BATCH {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.shared.queue.add(full);
        (self.shared.progress)(ScanProgress::Walked(self.files));
        if self.shared.queue.is_stopped() {
            return Err(ScanError::Stopped);
        }
        self.check_size()
    }

    /// Fails where so many files and no page above them are some other folder, such as a home, rather than a build.
    fn check_size(&mut self) -> Result<(), ScanError> {
        let Some(max) = self.max_without_index.take_if(|max| self.files > *max) else {
            return Ok(());
        };
        let root = &self.shared.root;
        if root.join(INDEX).exists() {
            return Ok(());
        }
        let path = root.clone();
        Err(ScanError::TooManyFiles { path, max })
    }

    /// Returns the key of an entry that is not left out, if it is a file.
    fn key_of(&self, entry: &DirEntry, relative: &Path) -> Result<Option<Key>, ScanError> {
        let path = || entry.path().to_owned();
        if entry.file_name() == STATE_FOLDER {
            return Err(ScanError::Reserved { path: path() });
        }
        if entry.path_is_symlink() {
            match self.symlinks {
                SymlinkPolicy::Skip => return Ok(None),
                SymlinkPolicy::Follow => {}
                SymlinkPolicy::Inside => self.check_inside(entry.path())?,
            }
        }
        let kind = entry.file_type();
        let Some(text) = slashed(relative) else {
            return Err(ScanError::NotUtf8 { path: path() });
        };
        if kind.is_dir() {
            return Ok(None);
        }
        if !kind.is_file() {
            let special = special_kind(kind);
            if self.symlinks == SymlinkPolicy::Skip && special.is_some() {
                return Ok(None);
            }
            let kind = special.unwrap_or("special file");
            return Err(ScanError::NotAFile { path: path(), kind });
        }
        if text.len() > self.max_key_bytes {
            return Err(ScanError::KeyTooLong {
                path: path(),
                bytes: text.len(),
                max: self.max_key_bytes,
            });
        }
        Ok(Some(Key::new(&text)))
    }

    fn check_inside(&self, path: &Path) -> Result<(), ScanError> {
        let target = path
            .canonicalize()
            .map_err(|source| ScanError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
        if target.starts_with(&self.canonical) {
            return Ok(());
        }
        Err(ScanError::LeavesBuild {
            path: path.to_owned(),
            target,
        })
    }

    /// Says what walkdir ran into.
    fn failed(&self, error: walkdir::Error) -> ScanError {
        let path = error.path().unwrap_or(&self.shared.root).to_owned();
        let target = std::fs::read_link(&path).ok();
        if let Some(ancestor) = error.loop_ancestor() {
            let target = target.unwrap_or_else(|| ancestor.to_owned());
            // A link to what lies above the build is one that leaves it.
            if self.symlinks == SymlinkPolicy::Inside
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
            (Some(target), _) if is_link_loop(&source) => ScanError::Loop { path, target },
            _ => ScanError::Unreadable { path, source },
        }
    }
}
