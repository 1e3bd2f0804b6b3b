//! Why an object was not put.

use crate::aws::{AwsError, AwsErrorKind};
use crate::error::Error;

/// Why one object is not as it should be.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum PutError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("the file changed after it was read for the plan")]
    Changed,
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
}

impl PutError {
    /// Tells whether S3 answered with one of these.
    fn is_any(&self, kinds: &[AwsErrorKind]) -> bool {
        matches!(self, Self::Aws(error) if kinds.contains(&error.kind))
    }

    /// Tells whether somebody else wrote the object since the listing.
    pub(super) fn is_race(&self) -> bool {
        // A condition on an object that is gone is answered with 404.
        self.is_any(&[
            AwsErrorKind::Precondition,
            AwsErrorKind::Conflict,
            AwsErrorKind::NotFound,
        ])
    }

    /// Tells whether the object may have become what it should all the same, or may yet.
    pub(super) fn leaves_open(&self) -> bool {
        matches!(self, Self::Aws(error) if error.leaves_open())
    }

    /// Tells whether the same may go well as an upload.
    pub(super) fn forbids_copy(&self) -> bool {
        self.is_race() || self.is_archived() || self.is_any(&[AwsErrorKind::NotImplemented])
    }

    /// Tells whether what was to be copied is in an archive, which answers nobody.
    pub(super) fn is_archived(&self) -> bool {
        self.is_any(&[AwsErrorKind::Archived])
    }

    /// Returns what helps, where anything does.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Aws(error) => Error::from(error.clone()).hint,
            Self::Changed | Self::Unreadable(_) => None,
        }
    }
}
