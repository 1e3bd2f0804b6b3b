//! What is wrong with a setting, in words: serde's errors with line and column, and the name that was meant.

use std::io;
use std::path::Path;

use crate::error::Error;

/// The error where a file cannot be read.
pub(super) fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::usage(format!("cannot read {}", path.display())).because(error)
}

/// Line and column of a byte, both from 1.
pub(super) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default();
    (line, column.chars().count() + 1)
}

/// The key that serde does not know, and those that it knows there.
pub(super) fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    message
        .starts_with("unknown field ")
        .then(|| unknown_name(message))
}

/// The first quoted name, and those after it.
fn unknown_name(message: &str) -> (&str, Vec<&str>) {
    let mut quoted = message.split('`').skip(1).step_by(2);
    (quoted.next().unwrap_or_default(), quoted.collect())
}

/// Words serde's error anew: unknown names with the one that was meant, types without Rust's names for them.
pub(super) fn reword(message: &str) -> String {
    if let Some((name, names)) = unknown_key(message) {
        return match closest(name, &names) {
            Some(meant) => format!("unknown key `{name}`: did you mean `{meant}`?"),
            None if names.contains(&"others") => {
                format!(
                    "unknown key `{name}`: other headers stand in `others = {{ {name} = \"...\" }}`"
                )
            }
            None => format!("unknown key `{name}`"),
        };
    }
    if message.starts_with("unknown variant ") {
        let (name, names) = unknown_name(message);
        return format!("`{name}` is none of {}", names.join(", "));
    }
    plain(message.trim()).replace('\n', ": ")
}

fn plain(message: &str) -> String {
    let Some((given, expected)) = message.rsplit_once(", expected ") else {
        return message.to_owned();
    };
    // What the parser of TOML says is about its grammar, not about a value of the wrong sort.
    let grammar = [
        (
            "values must be quoted",
            "a text stands in quotes: `key = \"text\"`",
        ),
        (
            "key with no value",
            "a key and its value have a `=` between them: `key = \"text\"`",
        ),
        (
            "unexpected key or value",
            "one key stands in a line, and its text in quotes",
        ),
    ];
    for (begin, meant) in grammar {
        if given.contains(begin) {
            return meant.to_owned();
        }
    }
    if !given.contains("type: ") && !given.contains("value: ") && !given.contains("length ") {
        return format!("{given}: expected {expected}");
    }
    let wanted = match expected {
        "nonzero usize" | "a nonzero usize" | "nonzero u64" => "a whole number from 1",
        "usize" | "u64" | "u32" | "u16" => "a whole number from 0",
        "f64" => "a number",
        "a string" | "path string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" if given.ends_with("map") => "a list of tables: [[NAME]] for each",
        "a sequence" => "a list",
        "a map" => "a table",
        other => other,
    };
    let given = match given.split_once(" as i128") {
        Some((number, _)) => number,
        None => given,
    };
    let given = given
        .replace("invalid type: ", "")
        .replace("invalid value: ", "");
    let given = match given.split_once(' ') {
        Some(("string", text)) => format!("`{}`", text.trim_matches('"')),
        Some((_, value)) if value.starts_with('`') => value.to_owned(),
        _ if given == "sequence" => "a list".to_owned(),
        _ if given == "map" => "a table".to_owned(),
        _ => given,
    };
    format!("{given} is not {wanted}")
}

/// The name that was likely meant: it begins with the words that were written, or at most a third of it differs.
pub(super) fn closest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let fold = |name: &str| name.to_lowercase().replace('_', "-");
    let name = fold(name);
    let begun = format!("{name}-");
    if let Some(longer) = names.iter().find(|other| fold(other).starts_with(&begun)) {
        return Some(longer);
    }
    let scored = (names.iter()).map(|other| (distance(&name, &fold(other)), *other));
    let (edits, best) = scored.min_by_key(|(edits, _)| *edits)?;
    (edits <= name.len().max(best.len()).div_ceil(3)).then_some(best)
}

/// Edits between two names: a character more, less or another, or two neighbours swapped.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    let mut before = None;
    for (i, x) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let changed = rows[i][j] + usize::from(x != *y);
            let mut least = changed.min(row[j] + 1).min(rows[i][j + 1] + 1);
            if before == Some(*y) && j > 0 && b[j - 1] == x {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
        before = Some(x);
    }
    rows[rows.len() - 1][b.len()]
}
