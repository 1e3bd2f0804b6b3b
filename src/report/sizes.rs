//! How much changes of each type. Pure.

use std::fmt;

use super::text::bytes;
use crate::object::Key;
use crate::object::plural::count;
use crate::plan::Plan;
use crate::rules::content_type::content_type;

/// What people call content types that contain one of these, in the order of the table; the first that fits. The last has all.
const TYPES: [(&str, &[&str]); 6] = [
    ("HTML", &["text/html", "application/xhtml"]),
    ("CSS", &["text/css"]),
    ("JavaScript", &["javascript"]),
    ("Images", &["image/"]),
    ("Fonts", &["font/", "application/font", "ms-fontobject"]),
    ("Other", &[""]),
];

/// How many objects, and how many bytes.
#[derive(Clone, Copy, Default)]
pub(super) struct SizeTotal {
    objects: u64,
    bytes: u64,
}

impl SizeTotal {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

impl fmt::Display for SizeTotal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.objects {
            0 => out.write_str("–"),
            objects => write!(out, "{} ({})", count(objects), bytes(self.bytes)),
        }
    }
}

/// Returns what is new or changed, and what is removed, of each type that has some.
pub(super) fn by_type(plan: &Plan) -> impl Iterator<Item = (&'static str, [SizeTotal; 2])> + use<> {
    let mut totals = [[SizeTotal::default(); 2]; TYPES.len()];
    for change in &plan.changes {
        let told = change.headers.content_type.as_deref();
        totals[place(&change.key, told)][0].add(change.size);
    }
    for deletion in &plan.deletions {
        totals[place(&deletion.key, None)][1].add(deletion.size);
    }
    let rows = TYPES.map(|(name, _)| name).into_iter().zip(totals);
    rows.filter(|(_, totals)| totals.iter().any(|total| total.objects > 0))
}

/// Returns the place among the types: by the content type that is known, or else by what the key's would be.
fn place(key: &Key, told: Option<&str>) -> usize {
    let guessed = content_type(key.as_str(), None, &[]);
    let name = told.unwrap_or(&guessed);
    let fits = |(_, parts): &(_, &[&str])| parts.iter().any(|part| name.contains(part));
    TYPES.iter().position(fits).unwrap_or(TYPES.len() - 1)
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
            assert_eq!(TYPES[place(&key.into(), told)].0, name, "{key}");
        }
    }
}
