//! What the site is to become: a build, or what it was after an earlier deploy.

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;

use super::job::Job;
use super::names;
use super::past::Past;
use super::survey::{Place, Remote};
use super::tailor::{self, Known};
use super::targets::Targets;
use super::wants::Wants;
use crate::domain::Key;
use crate::error::Error;
use crate::scan::{Build, LocalFile};

#[derive(Debug)]
pub enum Source {
    Build(Site),
    Past(Past),
}

/// A build, and what of it is stored.
#[derive(Debug)]
pub struct Site {
    build: Build,
    /// In place of the build's files, where settings make other objects of them.
    tailored: Option<Vec<LocalFile>>,
}

impl Source {
    /// A build, all of whose files are stored as they are until [`Source::look`] finds otherwise.
    pub fn of(build: Build) -> Self {
        Self::Build(Site {
            build,
            tailored: None,
        })
    }

    /// The files as they are stored, sorted by key.
    pub fn files(&self) -> &[LocalFile] {
        match self {
            Self::Build(site) => site.tailored.as_deref().unwrap_or(&site.build.files),
            Self::Past(_) => &[],
        }
    }

    /// The file that is stored under a key.
    pub fn file(&self, key: &str) -> Option<&LocalFile> {
        let files = self.files();
        let at = files.binary_search_by(|file| file.key.as_str().cmp(key));
        files.get(at.ok()?)
    }

    /// The content that is in memory still, as it was hashed, by the file's key.
    pub fn take_kept(&mut self) -> HashMap<Key, Bytes> {
        match self {
            Self::Build(site) => std::mem::take(&mut site.build.kept),
            Self::Past(_) => HashMap::new(),
        }
    }

    /// The build's folder.
    pub fn root(&self) -> &Path {
        match self {
            Self::Build(site) => &site.build.root,
            Self::Past(_) => Path::new(""),
        }
    }

    /// Finds out what is to be stored, given what the bucket is known to hold.
    pub(super) async fn look(
        &mut self,
        place: &Place,
        remote: &Remote,
        targets: &Targets,
        job: &Job,
    ) -> Result<(), Error> {
        match self {
            Self::Past(past) => past.look(place, remote, targets, job).await,
            Self::Build(_) => self.tailor(place, &Known::of(remote), targets, job).await,
        }
    }

    /// [`Source::look`] of a build: its keys, what stays but for noise, and what is compressed.
    pub async fn tailor(
        &mut self,
        place: &Place,
        known: &Known<'_>,
        targets: &Targets,
        job: &Job,
    ) -> Result<(), Error> {
        let Self::Build(site) = self else {
            return Ok(());
        };
        site.tailored = None;
        if names::are_given(job) {
            let named = names::named(&Wants::new(job, self, targets), job)?;
            self.replace(Some(named));
        }
        if !job.noise.is_empty() {
            let kept = tailor::keep(self, place, known, targets, job).await;
            self.change(kept);
        }
        if job.rules.compress() {
            let encoded = tailor::encode(self, place, known, targets, job).await;
            self.change(encoded);
        }
        Ok(())
    }

    fn replace(&mut self, files: Option<Vec<LocalFile>>) {
        if let Self::Build(site) = self {
            site.tailored = files;
        }
    }

    /// Puts these files in place of those at the same positions.
    fn change(&mut self, changed: Vec<(usize, LocalFile)>) {
        if changed.is_empty() {
            return;
        }
        let mut files = self.files().to_vec();
        for (at, file) in changed {
            if let Some(place) = files.get_mut(at) {
                *place = file;
            }
        }
        self.replace(Some(files));
    }
}
