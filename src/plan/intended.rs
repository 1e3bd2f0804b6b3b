//! What a deploy that did not end meant a key to become, and whether what lies in the bucket is that.

use std::collections::HashMap;

use super::object::{BucketObject, HeadAnswer};
use super::purge;
use crate::edge::ServedAnswer;
use crate::object::Key;
use crate::object::journal::{TouchAction, TouchedKey};

/// Seconds by which the server's clock, as it is reckoned from its answers, may be late.
pub(super) const CLOCK_SLACK: i64 = 2;

/// What a deploy meant a key to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IntendedKey {
    pub touched: TouchedKey,
    /// Unix seconds after which that deploy wrote nothing more.
    pub(super) until: i64,
    /// That deploy is struck already, but may have had a request under way.
    pub(super) suspect: bool,
}

impl IntendedKey {
    /// Returns what edges hold if they have it; `None`: that there is nothing.
    pub(super) fn served(&self) -> Option<ServedAnswer> {
        purge::intended(&self.touched)
    }

    /// Returns whether the object may be what was meant, by its ETag and the time at which it was written.
    pub(super) fn explains(&self, object: &BucketObject) -> bool {
        let etag = self.touched.etag.as_ref();
        !self.touched.is_absent() && etag == Some(object.etag) && self.in_time(object)
    }

    /// Returns whether the object was written while that deploy may have been writing.
    pub(super) fn in_time(&self, object: &BucketObject) -> bool {
        let until = self.until.saturating_add(CLOCK_SLACK);
        self.suspect || object.modified.is_none_or(|modified| modified <= until)
    }

    /// Returns whether the object may be what was meant though its ETag is another: one that the bucket's encryption made.
    pub(super) fn may_be(&self, object: &BucketObject) -> bool {
        let touched = &self.touched;
        !touched.is_absent() && touched.size == object.size && touched.content().is_some()
    }
}

/// Returns whether a key is as it was meant to be, headers included.
pub(super) fn is_as_meant(
    touched: &TouchedKey,
    object: Option<BucketObject>,
    answers: &HashMap<Key, HeadAnswer>,
) -> bool {
    let Some(object) = object else {
        return touched.is_absent();
    };
    let etag = touched.etag.as_ref();
    let answered = answers.get(&touched.key);
    // Other headers on the same bytes show in an answer alone.
    let headers = match answered {
        Some(answered) => Some(answered.headers.fingerprint()) == touched.headers,
        None => matches!(touched.action, TouchAction::Put | TouchAction::Keep),
    };
    !touched.is_absent() && etag == Some(object.etag) && headers
}
