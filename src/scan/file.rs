//! A file of the build as it was when it was hashed, kept small: sites have a million of them.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::object::encoding::Encoding;
use crate::object::entry::NoiselessDigest;
use crate::object::{ETag, Key, Md5};
use crate::system::FileStamp;

/// A file of the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Its path relative to the build's root, which is its key below the site's prefix unless `made` says otherwise.
    pub key: Key,
    /// In bytes. This and the digests are of what is stored.
    pub size: u64,
    /// Of the whole content.
    pub md5: Md5,
    /// From [`super::MULTIPART_FROM`] on: the ETag that an upload in parts of [`super::part_size`] will get.
    pub parts: Option<Box<ETag>>,
    /// What the file system said of it while it was read.
    pub stamp: FileStamp,
    /// Where what is stored is not the file, byte for byte and under its own path.
    pub made: Option<Box<StoredForm>>,
}

/// What is stored of a file that is not stored as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredForm {
    /// The file's path relative to the build's root.
    pub name: Key,
    /// The file's own MD5, where an encoding was tried.
    pub source: Option<Md5>,
    /// The encoding that it is stored in.
    pub encoding: Option<Encoding>,
    /// What it is without its noise.
    pub noise: Option<NoiselessDigest>,
    /// What lies in the bucket stays: it differs by noise alone.
    pub kept: bool,
    /// The encoded body, as long as there was room for it.
    pub body: Option<Bytes>,
}

impl LocalFile {
    /// Returns its path relative to the build's root.
    pub fn name(&self) -> &Key {
        self.made.as_ref().map_or(&self.key, |made| &made.name)
    }

    /// Returns where it lies.
    pub fn path(&self, root: &Path) -> PathBuf {
        root.join(self.name().as_str())
    }

    /// Tells whether what lies in the bucket stays in its place.
    pub fn is_kept(&self) -> bool {
        self.made.as_ref().is_some_and(|made| made.kept)
    }

    /// Returns what is stored in place of the file, to be changed.
    pub fn made(&mut self) -> &mut StoredForm {
        let name = &self.key;
        self.made.get_or_insert_with(|| {
            Box::new(StoredForm {
                name: name.clone(),
                source: None,
                encoding: None,
                noise: None,
                kept: false,
                body: None,
            })
        })
    }
}
