//! Why a build folder cannot be deployed as it is: each error names the path at fault.

use std::io;
use std::path::PathBuf;

use crate::rules::globs::BadGlob;

/// Paths are shown quoted, with bytes that are no UTF-8 and control characters escaped.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("there is no folder {path:?}")]
    Missing { path: PathBuf },
    #[error("{path:?} is a file; the build must be a folder")]
    NotAFolder { path: PathBuf },
    #[error("cannot read {path:?}: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the name of {path:?} is not UTF-8, and keys must be")]
    NotUtf8 { path: PathBuf },
    #[error("the key of {path:?} would be {bytes} bytes long; at most {max} fit here")]
    KeyTooLong {
        path: PathBuf,
        bytes: usize,
        max: usize,
    },
    #[error("{path:?} is a link out of the build, to {target:?}")]
    LeavesBuild { path: PathBuf, target: PathBuf },
    #[error("{path:?} is a link to {target:?}, which does not exist")]
    Dangling { path: PathBuf, target: PathBuf },
    #[error("{path:?} is a link to {target:?}, which leads back to where it lies")]
    Loop { path: PathBuf, target: PathBuf },
    #[error("{path:?} is a {kind}, not a file")]
    NotAFile { path: PathBuf, kind: &'static str },
    #[error("the build holds {path:?}; that name is kept for unstale's own state in the bucket")]
    Reserved { path: PathBuf },
    #[error("{root:?} holds what looks private: nothing is deployed")]
    Private {
        root: PathBuf,
        entries: Vec<PrivateEntry>,
    },
    #[error("{path:?} holds more than {max} files and no index.html: that is no build")]
    TooManyFiles { path: PathBuf, max: u64 },
    #[error("the pattern {pattern:?} cannot be read: {why}")]
    Pattern { pattern: String, why: String },
    #[error("{path:?} keeps changing while it is read")]
    KeepsChanging { path: PathBuf },
    #[error("reading the build was stopped")]
    Stopped,
}

/// Something private in the build, and what it seems to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateEntry {
    /// Relative to the build, a folder's with a final slash.
    pub path: String,
    pub kind: &'static str,
}

impl From<BadGlob> for ScanError {
    fn from(BadGlob { glob, why }: BadGlob) -> Self {
        Self::Pattern { pattern: glob, why }
    }
}

/// Private entries that an error names.
const MAX_NAMED: usize = 10;

impl ScanError {
    /// Returns what it is about where that is several things, a line each: the first, and how many more there are.
    pub fn causes(&self) -> Vec<String> {
        let Self::Private { entries, .. } = self else {
            return Vec::new();
        };
        let named = entries.iter().take(MAX_NAMED);
        let named = named.map(|entry| format!("{}: {}", entry.path, entry.kind));
        let more = entries.len().saturating_sub(MAX_NAMED);
        let more = (more > 0).then(|| format!("and {more} more, {} in all", entries.len()));
        named.chain(more).collect()
    }

    /// Says what the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing { .. } => "run the build first, or name the folder that it writes",
            Self::NotAFolder { .. } => "name the folder that the build writes",
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "something removed it meanwhile: wait until the build has ended, then deploy again"
            }
            Self::Unreadable { .. } => {
                "make it readable to this user, or leave it out with --exclude"
            }
            Self::NotUtf8 { .. } => "rename it, or leave out its folder with --exclude",
            Self::KeyTooLong { .. } => {
                "S3 takes keys of at most 1024 bytes, the prefix included: shorten the name, or leave it out with --exclude"
            }
            Self::LeavesBuild { .. } => {
                "copy what it links to into the build, or set symlinks to \"follow\" or \"skip\""
            }
            Self::Dangling { .. } | Self::Loop { .. } => {
                "remove the link, leave it out with --exclude, or set symlinks to \"skip\""
            }
            Self::NotAFile { .. } => "remove it, or leave it out with --exclude",
            Self::Reserved { .. } => "remove it from the build, or leave it out with --exclude",
            Self::Private { .. } => {
                "take it out of the build, or leave it out with --exclude; `--allow PATTERN` deploys it all the same"
            }
            Self::TooManyFiles { .. } => {
                "name the folder that the build writes; `--allow-project-root` deploys it all the same"
            }
            Self::Pattern { .. } => "patterns are written as in a .gitignore file",
            Self::KeepsChanging { .. } => {
                "wait until the build has ended (is a dev server or watcher running?), then deploy again"
            }
            Self::Stopped => return None,
        };
        Some(hint.to_owned())
    }
}
