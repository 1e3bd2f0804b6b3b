//! What the site is to become: a build, or what it was after an earlier deploy.

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;

use super::past::PastSite;
use crate::object::Key;
use crate::scan::{LocalFile, ScannedBuild};

#[derive(Debug)]
pub(crate) enum SiteSource {
    Build(BuiltSite),
    Past(PastSite),
}

/// A build, and what of it is stored.
#[derive(Debug)]
pub(crate) struct BuiltSite {
    build: ScannedBuild,
    /// In place of the build's files, where settings make other objects of them.
    tailored: Option<Vec<LocalFile>>,
}

impl SiteSource {
    /// Returns a build, all of whose files are stored as they are until [`SiteSource::look`] finds otherwise.
    pub(crate) fn of(build: ScannedBuild) -> Self {
        Self::Build(BuiltSite {
            build,
            tailored: None,
        })
    }

    fn built(&self) -> Option<&BuiltSite> {
        match self {
            Self::Build(site) => Some(site),
            Self::Past(_) => None,
        }
    }

    /// Returns the files as they are stored, sorted by key.
    pub(crate) fn files(&self) -> &[LocalFile] {
        self.built().map_or(&[], BuiltSite::files)
    }

    /// Returns the build's folder.
    pub(crate) fn root(&self) -> &Path {
        self.built().map_or(Path::new(""), BuiltSite::root)
    }

    /// Returns the file that is stored under a key.
    pub(crate) fn file(&self, key: &str) -> Option<&LocalFile> {
        let files = self.files();
        let position = files.binary_search_by(|file| file.key.as_str().cmp(key));
        files.get(position.ok()?)
    }

    /// Takes the content that is in memory still, as it was hashed, by the file's key.
    pub(crate) fn take_kept(&mut self) -> HashMap<Key, Bytes> {
        match self {
            Self::Build(site) => std::mem::take(&mut site.build.kept),
            Self::Past(_) => HashMap::new(),
        }
    }
}

impl BuiltSite {
    pub(crate) fn files(&self) -> &[LocalFile] {
        self.tailored.as_deref().unwrap_or(&self.build.files)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.build.root
    }

    /// Stores these files, sorted by key, instead of all others; without them the build's own as they are.
    pub(crate) fn store(&mut self, files: Option<Vec<LocalFile>>) {
        self.tailored = files;
    }

    /// Stores each of these files instead of the one that has its key.
    pub(crate) fn replace(&mut self, changed: Vec<LocalFile>) {
        if changed.is_empty() {
            return;
        }
        let files = self
            .tailored
            .get_or_insert_with(|| self.build.files.clone());
        let changed = changed.into_iter().map(|file| (file.key.clone(), file));
        let mut changed: HashMap<Key, LocalFile> = changed.collect();
        for file in files {
            if let Some(new) = changed.remove(&file.key) {
                *file = new;
            }
        }
    }
}
