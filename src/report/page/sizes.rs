//! How much changes of each type, and the largest objects.

use super::html::{code, table};
use crate::object::Key;
use crate::plan::Plan;
use crate::report::sizes::by_type;
use crate::report::text::bytes;

/// Objects named, at most.
const MAX_LARGEST: usize = 10;
/// Bytes of a table.
const BUDGET: usize = 12_000;

/// Writes both tables; nothing where nothing changes.
pub(super) fn html(plan: &Plan) -> String {
    if plan.changes.is_empty() && plan.deletions.is_empty() {
        return String::new();
    }
    format!("{}{}", types(plan), largest(plan))
}

fn types(plan: &Plan) -> String {
    let heads = ["Type", "New or changed", "Removed"];
    table(
        ("What changes, by type", &heads),
        by_type(plan),
        BUDGET,
        |(name, [changed, removed])| {
            vec![name.to_owned(), changed.to_string(), removed.to_string()]
        },
    )
}

fn largest(plan: &Plan) -> String {
    let changes = plan.changes.iter();
    let mut largest: Vec<(u64, &Key)> = changes.map(|change| (change.size, &change.key)).collect();
    largest.sort_by_key(|(size, key)| (std::cmp::Reverse(*size), *key));
    largest.truncate(MAX_LARGEST);
    if largest.is_empty() {
        return String::new();
    }
    let heads = ["Object", "Size"];
    table(
        ("The largest of what changes", &heads),
        largest,
        BUDGET,
        |(size, key)| vec![code(key.as_str()), bytes(size)],
    )
}
