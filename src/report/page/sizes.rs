//! How much changes of each type, and the largest objects.

use super::html::{code, table};
use crate::object::Key;
use crate::object::plural::count;
use crate::plan::Plan;
use crate::report::text::bytes;
use crate::rules::content_type::content_type;

/// Objects named, at most.
const MAX_LARGEST: usize = 10;
/// Bytes of a table.
const BUDGET: usize = 12_000;

/// What people call a content type, in the order of the table.
const TYPES: [&str; 6] = ["HTML", "CSS", "JavaScript", "Images", "Fonts", "Other"];

/// How many objects, and how many bytes.
#[derive(Clone, Copy, Default)]
struct SizeTotal {
    objects: u64,
    bytes: u64,
}

impl SizeTotal {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }

    fn cell(self) -> String {
        match self.objects {
            0 => "–".to_owned(),
            objects => format!("{} ({})", count(objects), bytes(self.bytes)),
        }
    }
}

/// Writes both tables; nothing where nothing changes.
pub(super) fn html(plan: &Plan) -> String {
    if plan.changes.is_empty() && plan.deletions.is_empty() {
        return String::new();
    }
    format!("{}{}", by_type(plan), largest(plan))
}

fn by_type(plan: &Plan) -> String {
    let mut totals = [[SizeTotal::default(); 2]; TYPES.len()];
    for change in &plan.changes {
        let told = change.headers.content_type.as_deref();
        totals[place(&change.key, told)][0].add(change.size);
    }
    for deletion in &plan.deletions {
        totals[place(&deletion.key, None)][1].add(deletion.size);
    }
    let rows = TYPES.iter().zip(totals);
    let rows = rows.filter(|(_, totals)| totals.iter().any(|total| total.objects > 0));
    let heads = ["Type", "New or changed", "Removed"];
    table(
        ("What changes, by type", &heads),
        rows,
        BUDGET,
        |(name, [changed, removed])| vec![(*name).to_owned(), changed.cell(), removed.cell()],
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

/// Returns the place among the types: by the content type that is known, or else by what the key's would be.
fn place(key: &Key, told: Option<&str>) -> usize {
    let guessed = content_type(key.as_str(), None, &[]);
    let name = told.unwrap_or(&guessed);
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if begins(&["text/html", "application/xhtml"]) {
        0
    } else if begins(&["text/css"]) {
        1
    } else if name.contains("javascript") {
        2
    } else if begins(&["image/"]) {
        3
    } else if begins(&["font/", "application/font", "application/vnd.ms-fontobject"]) {
        4
    } else {
        5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_by_type() {
        for (key, told, name) in [
            ("a/index.html", None, "HTML"),
            ("about", Some("text/html; charset=utf-8"), "HTML"),
            ("a.css", None, "CSS"),
            ("a.mjs", None, "JavaScript"),
            ("a.svg", None, "Images"),
            ("a.woff2", None, "Fonts"),
            ("a.pdf", None, "Other"),
        ] {
            assert_eq!(TYPES[place(&key.into(), told)], name, "{key}");
        }
    }
}
