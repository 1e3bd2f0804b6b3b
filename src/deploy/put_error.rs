//! Why an object was not put.

use crate::aws::{AwsError, AwsErrorKind};
use crate::error::Error;
use crate::state::StateError;

/// Why one object is not as it should be.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum PutError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("{0}: the file changed after it was read for the plan")]
    Changed(String),
    #[error("{0}: {1}")]
    Unreadable(String, String),
    /// It was dropped with the lease.
    #[error(transparent)]
    Lost(#[from] StateError),
}

impl PutError {
    /// Tells whether somebody else wrote the object since the listing.
    pub(super) fn is_race(&self) -> bool {
        // A condition on an object that is gone is answered with 404.
        matches!(self, Self::Aws(error) if matches!(error.kind, AwsErrorKind::Precondition | AwsErrorKind::Conflict | AwsErrorKind::NotFound))
    }

    /// Tells whether the object may have become what it should all the same, or may yet.
    pub(super) fn leaves_open(&self) -> bool {
        matches!(self, Self::Aws(error) if error.leaves_open())
    }

    /// Tells whether the same may go well as an upload.
    pub(super) fn forbids_copy(&self) -> bool {
        self.is_race()
            || self.is_archived()
            || matches!(self, Self::Aws(error) if error.is(&AwsErrorKind::NotImplemented))
    }

    /// Tells whether what was to be copied is in an archive, which answers nobody.
    pub(super) fn is_archived(&self) -> bool {
        matches!(self, Self::Aws(error) if error.is(&AwsErrorKind::Archived))
    }
}

impl From<PutError> for Error {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Aws(error) => error.into(),
            PutError::Lost(error) => error.into(),
            other => Error::failed(other.to_string()),
        }
    }
}
