//! What the site is to become: a build, or what it was after an earlier deploy.

use std::path::Path;

use super::past::Past;
use crate::scan::{Build, LocalFile};

#[derive(Debug)]
pub enum Source {
    Build(Build),
    Past(Past),
}

impl Source {
    /// The build's files, sorted by key.
    pub fn files(&self) -> &[LocalFile] {
        match self {
            Self::Build(build) => &build.files,
            Self::Past(_) => &[],
        }
    }

    /// The build's folder.
    pub fn root(&self) -> &Path {
        match self {
            Self::Build(build) => &build.root,
            Self::Past(_) => Path::new(""),
        }
    }
}
