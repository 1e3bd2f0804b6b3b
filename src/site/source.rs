//! What the site is to become: a build, or what it was after an earlier deploy.

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::past::PastSite;
use crate::job::request::Job;
use crate::object::{Key, Md5};
use crate::rules::page_table::PageTable;
use crate::scan::{LocalFile, ScannedBuild, read_pages};

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
    /// What its pages say, where that is asked for.
    pages: Option<PageTable>,
}

impl SiteSource {
    /// Returns a build, all of whose files are stored as they are until [`SiteSource::look`] finds otherwise.
    pub(crate) fn of(build: ScannedBuild) -> Self {
        Self::Build(BuiltSite {
            build,
            tailored: None,
            pages: None,
        })
    }

    /// Returns [`SiteSource::of`] a build, its pages read where the job asks for that.
    pub(crate) async fn read(build: ScannedBuild, job: &Job) -> Self {
        if !job.reads_pages() {
            return Self::of(build);
        }
        let cache = job.scan.cache.clone();
        let reading = spawn_blocking(move || {
            let pages = read_pages(&build, cache.as_deref());
            Self::Build(BuiltSite {
                build,
                tailored: None,
                pages: Some(pages),
            })
        });
        reading
            .await
            .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
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

    /// Returns what the pages say; `None` where that was not asked for, or there are none.
    pub(crate) fn pages(&self) -> Option<&PageTable> {
        self.built()?.pages.as_ref()
    }

    /// Returns the MD5 of a file as it lies in the build, whatever is stored of it.
    pub(crate) fn content(&self, file: &LocalFile) -> Md5 {
        let built = self.built().filter(|_| file.made.is_some());
        built
            .and_then(|site| site.source(file.name()))
            .map_or(file.md5, |source| source.md5)
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

    /// Returns the file of a name as it was scanned.
    fn source(&self, name: &Key) -> Option<&LocalFile> {
        let files = &self.build.files;
        let position = files.binary_search_by(|file| file.key.cmp(name));
        files.get(position.ok()?)
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
