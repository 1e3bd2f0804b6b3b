//! Invalidations, and why they are refused.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::options::CloudOptions;

/// One invalidation. Items are paths and `#tag`s.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invalidation {
    /// `I` and 13 capitals or digits.
    pub id: String,
    /// What the caller named it.
    pub caller_reference: String,
    /// Paths as they were sent, and `#tag`s.
    pub items: Arc<Vec<String>>,
    /// When the API took it.
    pub accepted: SystemTime,
    /// When it is shown as Completed.
    pub completes: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("The specified distribution does not exist.")]
    NoSuchDistribution,
    #[error("Your request contains one or more invalid invalidation paths.")]
    InvalidArgument,
    #[error("The batch of objects to invalidate is too large.")]
    BatchTooLarge,
    #[error(
        "You have exceeded the maximum number of allowable InProgress invalidation batch requests."
    )]
    TooManyInProgress,
    #[error("Rate exceeded")]
    Throttling,
    #[error(
        "You have already sent another invalidation batch request with the same caller reference."
    )]
    BatchAlreadyExists,
}

/// Refuses what paths may not be (Developer Guide, "Specify files to invalidate").
pub(crate) fn check(items: &[String], options: &CloudOptions) -> Result<(), Refusal> {
    if items.is_empty() {
        return Err(Refusal::InvalidArgument);
    }
    if items.len() > options.most_paths {
        return Err(Refusal::BatchTooLarge);
    }
    let good = |item: &String| {
        if let Some(tag) = item.strip_prefix('#') {
            let fits = (1..=256).contains(&tag.len());
            return fits
                && tag
                    .bytes()
                    .all(|byte| (33..=126).contains(&byte) && byte != b',');
        }
        let refused = item.contains('~') || (options.refuses_apostrophe && item.contains('\''));
        item.starts_with('/')
            && item.len() <= 4000
            && !refused
            && item.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if items.iter().all(good) {
        Ok(())
    } else {
        Err(Refusal::InvalidArgument)
    }
}
