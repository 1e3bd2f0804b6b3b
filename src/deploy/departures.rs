//! What one plan knows of pages that left.

use std::collections::HashSet;

use crate::object::Key;
use crate::object::gone::GonePages;
use crate::plan::lost::DepartedPages;

/// What is known of the pages that are not there any more.
#[derive(Debug, Default)]
pub(super) struct DepartureNotes {
    pub(super) pages: DepartedPages,
    /// Those of them that went without this plan.
    pub(super) vanished: HashSet<Key>,
    /// As the state remembers them; `None`: nobody asked, or nobody knows.
    pub(super) remembered: Option<GonePages>,
    /// History was asked too, which the state is to remember.
    pub(super) is_completed: bool,
}
