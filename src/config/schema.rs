//! deploy.toml as serde reads it, and its errors with line and column.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::layer::Layer;
use super::values::{Price, PurgeMode};
use crate::error::Error;

/// `[purge]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PurgeTable {
    pub mode: Option<PurgeMode>,
    pub free_paths: Option<u64>,
    pub path_price: Option<Price>,
    pub refetch_price: Option<Price>,
    pub wait_price: Option<Price>,
    pub opaque_weight: Option<u64>,
    pub paced: Option<bool>,
}

/// One value, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct One<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for One<T> {
            type Value = List<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string or a list of strings")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<List<T>, E> {
                T::deserialize(text.into_deserializer()).map(|one| List(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<List<T>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(List)
            }
        }
        input.deserialize_any(One(PhantomData))
    }
}

/// Parses a settings file.
pub fn parse(path: &Path, text: &str) -> Result<Layer, Error> {
    toml::from_str(text).map_err(|error| {
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        Error::usage(format!(
            "{}:{line}:{column}: {}",
            path.display(),
            reword(error.message())
        ))
    })
}

/// Line and column of a byte, both from 1.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default();
    (line, column.chars().count() + 1)
}

/// The line of a byte, from 1.
pub fn line(text: &str, byte: usize) -> usize {
    position(text, byte).0
}

/// serde's words for names that it does not know, with the one that was meant.
fn reword(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (kind, many) = match message {
        _ if message.starts_with("unknown field ") => ("key", false),
        _ if message.starts_with("unknown variant ") => ("value", true),
        _ => return plain(message.trim()).replace('\n', ": "),
    };
    let name = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.collect();
    let begin = format!("unknown {kind} `{name}`");
    match (closest(name, &known), many) {
        (Some(meant), _) => format!("{begin}: did you mean `{meant}`?"),
        (None, true) => format!("{begin}: {}", known.join(", ")),
        (None, false) => begin,
    }
}

/// serde's words for what was expected, without Rust's names of types.
fn plain(message: &str) -> String {
    let Some((found, expected)) = message.rsplit_once(", expected ") else {
        return message.to_owned();
    };
    let wanted = match expected {
        "nonzero usize" | "a nonzero usize" | "nonzero u64" => "a whole number from 1",
        "usize" | "u64" | "u32" | "u16" => "a whole number from 0",
        "f64" => "a number",
        "path string" => "a string",
        "a boolean" => "true or false",
        "a sequence" if found.ends_with("map") => "a list of tables: [[NAME]] for each",
        "a sequence" => "a list",
        "a map" => "a table",
        other => other,
    };
    let found = match found.split_once(" as i128") {
        Some((number, _)) => number,
        None => found,
    };
    let found = found
        .replace("invalid type: ", "")
        .replace("invalid value: ", "");
    let found = match found.as_str() {
        "sequence" => "a list",
        "map" => "a table",
        other => other,
    };
    format!("expected {wanted}, found {found}")
}

/// The name that was likely meant: at most a third of it differs.
pub fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let fold = |name: &str| name.to_lowercase().replace('_', "-");
    let name = fold(name);
    let scored = (known.iter()).map(|other| (distance(&name, &fold(other)), *other));
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
