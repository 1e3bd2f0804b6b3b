//! What changes, as a tree by folders: data for the script, and a table of the topmost folders where no script runs.

use std::ops::AddAssign;

use serde_json::json;

use super::html::{code, data, quoted, table};
use crate::object::plural::count;
use crate::plan::{ChangeAction, Plan, Reason};
use crate::report::changes::ChangeRow;
use crate::report::fitting::widest;
use crate::report::text::bytes;

/// Bytes of the tree.
const BUDGET: usize = 95_000;
/// Entries of one folder, at most.
const MAX_ENTRIES: usize = 8192;
/// Folders in each other, at most: what lies deeper is listed by its whole name.
const MAX_DEPTH: usize = 12;
/// Bytes of the table.
const TABLE_BUDGET: usize = 8_000;
/// In the order in which a folder tells its counts.
const REASONS: [Reason; 5] = [
    Reason::New,
    Reason::Content,
    Reason::Forced,
    Reason::Headers,
    Reason::Removed,
];
/// What is done, as the data counts it.
const ACTIONS: [&str; 5] = ["upload", "set headers", "copy", "restore", "delete"];

/// What the objects of a folder come to.
#[derive(Clone, Copy, Default)]
struct FolderTotal {
    counts: [u64; REASONS.len()],
    bytes: u64,
}

impl AddAssign<&ChangeRow<'_>> for FolderTotal {
    fn add_assign(&mut self, row: &ChangeRow<'_>) {
        self.counts[place(row.reason)] += 1;
        self.bytes += row.size;
    }
}

impl FolderTotal {
    fn of(rows: &[ChangeRow<'_>]) -> Self {
        let mut total = Self::default();
        rows.iter().for_each(|row| total += row);
        total
    }
}

/// All that changes, sorted by key.
pub(super) struct ChangeTree<'a>(Vec<ChangeRow<'a>>);

impl<'a> ChangeTree<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let mut rows: Vec<ChangeRow<'a>> = ChangeRow::all(plan).collect();
        rows.sort_by_key(|row| row.key);
        Self(rows)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the tree as JSON. A file is `[name, reason, bytes, action]`, with why if that is more than the reason's word; a folder is
    /// `[name, counts, bytes, entries, objects left out, their bytes]`, without the last two where all are there. A folder that
    /// holds nothing but one other is named with it.
    pub(super) fn json(&self) -> String {
        let tree = widest(MAX_ENTRIES, BUDGET, |most| {
            let mut out = String::new();
            write_folder(&mut out, FolderRows::root(&self.0), most);
            out
        });
        let reasons = data(&json!(REASONS.map(Reason::word)));
        let actions = data(&json!(ACTIONS));
        format!("{{\"reasons\":{reasons},\"actions\":{actions},\"tree\":{tree}}}")
    }

    /// Writes a table of the topmost folders and files, for where no script runs.
    pub(super) fn table(&self) -> String {
        let root = FolderRows::root(&self.0);
        let heads = ["Name", "Objects", "Size"];
        table(
            ("By folder", &heads),
            root.entries(),
            TABLE_BUDGET,
            |entry| {
                let total = FolderTotal::of(entry.rows);
                let objects: u64 = total.counts.iter().sum();
                vec![code(entry.name), count(objects), bytes(total.bytes)]
            },
        )
    }
}

fn place(reason: Reason) -> usize {
    let place = REASONS.iter().position(|other| *other == reason);
    place.unwrap_or_default()
}

/// Objects whose keys begin alike, or one object: `name` is what follows where the folder above ends, at byte `start`.
struct FolderRows<'t, 'a> {
    name: &'t str,
    start: usize,
    /// How many folders it lies in.
    depth: usize,
    rows: &'t [ChangeRow<'a>],
}

impl<'t, 'a> FolderRows<'t, 'a> {
    fn root(rows: &'t [ChangeRow<'a>]) -> Self {
        Self {
            name: "",
            start: 0,
            depth: 0,
            rows,
        }
    }

    /// Returns what lies in it: folders, then files.
    fn entries(&self) -> Vec<Self> {
        let start = self.start + self.name.len();
        let segment = |row: &ChangeRow<'a>| {
            let rest = row.key.get(start..).unwrap_or_default();
            rest.find('/').map(|end| start + end + 1)
        };
        let is_deep = self.depth >= MAX_DEPTH;
        let groups = self.rows.chunk_by(|one, other| {
            let end = segment(one).filter(|_| !is_deep);
            end.is_some_and(|end| {
                other.key.as_bytes().get(start..end) == one.key.as_bytes().get(start..end)
            })
        });
        let entry = |rows: &'t [ChangeRow<'a>]| {
            let (key, end) = match rows {
                [] => ("", 0),
                [row] => (row.key, row.key.len()),
                [first, .., last] => (first.key, agreed(first.key, last.key)),
            };
            Self {
                name: key.get(start..end).unwrap_or_default(),
                start,
                depth: self.depth + 1,
                rows,
            }
        };
        let mut entries: Vec<Self> = groups.map(entry).collect();
        entries.sort_by_key(|entry| entry.rows.len() == 1);
        entries
    }
}

/// Returns where the last slash of what two keys begin with ends.
fn agreed(one: &str, other: &str) -> usize {
    let same = one.bytes().zip(other.bytes());
    let same = same.take_while(|(one, other)| one == other).count();
    let same = one.as_bytes().get(..same).unwrap_or_default();
    let slash = same.iter().rposition(|byte| *byte == b'/');
    slash.map_or(0, |slash| slash + 1)
}

/// Writes a folder with `most` entries at most, and so does each folder in it. Past the budget it stops.
fn write_folder(out: &mut String, folder: FolderRows<'_, '_>, most: usize) {
    if out.len() > BUDGET {
        return;
    }
    let total = FolderTotal::of(folder.rows);
    let name = quoted(folder.name);
    out.push_str(&format!(
        "[{name},{},{},[",
        json!(total.counts),
        total.bytes
    ));
    let mut rest = FolderTotal::default();
    for (at, entry) in folder.entries().into_iter().enumerate() {
        if at >= most {
            entry.rows.iter().for_each(|row| rest += row);
            continue;
        }
        out.push_str(if at == 0 { "" } else { "," });
        match entry.rows {
            [row] => write_file(out, entry.name, row),
            _ => write_folder(out, entry, most),
        }
    }
    out.push(']');
    let left_out: u64 = rest.counts.iter().sum();
    if left_out > 0 {
        out.push_str(&format!(",{left_out},{}", rest.bytes));
    }
    out.push(']');
}

fn write_file(out: &mut String, name: &str, row: &ChangeRow<'_>) {
    let (name, reason) = (quoted(name), place(row.reason));
    let action = match row.action {
        Some(ChangeAction::Upload) => 0,
        Some(ChangeAction::SetHeaders) => 1,
        Some(ChangeAction::CopyFrom { .. }) => 2,
        Some(ChangeAction::Restore { .. }) => 3,
        None => 4,
    };
    out.push_str(&format!("[{name},{reason},{},{action}", row.size));
    if row.why != row.reason.word() {
        out.push_str(&format!(",{}", quoted(&row.why)));
    }
    out.push(']');
}
