//! Reads a function back from its code.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::code::{BARE_FOLDER, FOLDER, owner};
use super::packed::{PackedRedirects, unpack};
use super::{EdgeFunction, PathRewrite};
use crate::rules::redirect::Redirect;

/// A line of `rules`, which is a list; what is left out at its end is as usual.
#[derive(Deserialize)]
struct ListedRow {
    path: String,
    to: String,
    status: u16,
    #[serde(default)]
    host: String,
    #[serde(default)]
    query: BTreeMap<String, String>,
    #[serde(default)]
    force: u8,
}

impl From<ListedRow> for Redirect {
    fn from(row: ListedRow) -> Self {
        let from = match row.host.as_str() {
            "" => row.path,
            host => format!("https://{host}{}", row.path),
        };
        Self {
            status: row.status,
            query: row.query,
            force: row.force != 0,
            ..Self::new(from, row.to)
        }
    }
}

impl EdgeFunction {
    /// Reads what [`code`](Self::code) wrote, with paths in their normal form; what lies in a store alone is not there. `None` for any
    /// other code, and where somebody changed it.
    pub fn read(code: &str) -> Option<Self> {
        let (first, _) = code.split_once('\n')?;
        let constants = CodeConstants(code);
        let index: Option<String> = constants.after(&format!("  if {FOLDER}"));
        let mut function = Self {
            site: owner(first)?,
            password: constants.named("password"),
            redirects: Vec::new(),
            stored: code.contains("\nconst store = "),
            canonical_host: constants.named("canonical"),
            rewrite: PathRewrite {
                bare_folders: index.is_some() && code.contains(BARE_FOLDER),
                index,
                endings: constants.named("endings").unwrap_or_default(),
                kept: constants.named("kept").unwrap_or_default(),
            },
            headers: constants.named("headers").unwrap_or_default(),
        };
        function.redirects = constants.redirects()?;
        (function.written() == code).then_some(function)
    }
}

/// The tables of a function's code.
struct CodeConstants<'a>(&'a str);

impl CodeConstants<'_> {
    /// Reads the JSON that follows these words.
    fn after<T: DeserializeOwned>(&self, words: &str) -> Option<T> {
        let (_, rest) = self.0.split_once(words)?;
        serde_json::from_str(rest.lines().next()?.strip_suffix(';')?).ok()
    }

    fn named<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.after(&format!("\nconst {name} = "))
    }

    /// Reads the redirects back into one list: exact ones as early as they may stand.
    fn redirects(&self) -> Option<Vec<Redirect>> {
        let rows: Vec<ListedRow> = self.named("rules").unwrap_or_default();
        let groups: Vec<PackedRedirects> = self.named("exact").unwrap_or_default();
        let mut redirects = Vec::new();
        let mut rows = rows.into_iter();
        for at in 0..=rows.len() {
            for group in groups.iter().filter(|group| group.before == at) {
                let exact = unpack(group)?.into_iter();
                redirects.extend(exact.map(|(from, to)| Redirect {
                    status: group.status,
                    ..Redirect::new(from, to)
                }));
            }
            redirects.extend(rows.next().map(Redirect::from));
        }
        Some(redirects)
    }
}
