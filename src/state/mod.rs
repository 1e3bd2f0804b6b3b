//! What is kept in the bucket between deploys: the lock, the debts, the manifest and the history.
//!
//! All of it lies under one root, which is not part of the site. What is written is versioned: a newer version is refused, what
//! is damaged is told apart from what is missing.

mod codec;
pub mod debt;
pub mod head;
pub mod history;
pub mod lock;

use crate::aws::{AwsError, Bucket};
use crate::domain::manifest::DeployId;
use crate::error::Error;

pub use debt::Debt;
pub use head::{Head, HeadState, Loaded, Update};
pub use lock::{Held, Observed, Take, Timing};

/// The version of every format here. Older ones are read.
pub const VERSION: u64 = 1;

/// Where the state lies.
#[derive(Clone, Debug)]
pub struct Store {
    pub bucket: Bucket,
    /// `PREFIX/.unstale/` or another, with its final `/`.
    pub root: String,
    /// The endpoint is AWS's own, which heeds conditions: it is not probed.
    pub official: bool,
    pub timing: Timing,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum StateError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("{object} is damaged: {why}")]
    Corrupt { object: String, why: String },
    #[error("{object} was written by a newer unstale (format {version}, this one knows {VERSION})")]
    Newer { object: String, version: u64 },
    /// Somebody else wrote it meanwhile.
    #[error("{object} was changed by somebody else meanwhile")]
    Moved { object: String },
    #[error("the lock was lost to another deploy, or could not be renewed in time")]
    Lost,
}

impl Store {
    pub fn new(bucket: Bucket, root: impl Into<String>, official: bool) -> Self {
        Self {
            bucket,
            root: root.into(),
            official,
            timing: Timing::default(),
        }
    }
}

/// A new deploy's id: its time (unix seconds by the server's clock) and 60 random bits.
pub fn mint(now: i64) -> DeployId {
    todo!()
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        todo!()
    }
}
