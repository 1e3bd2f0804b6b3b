//! Reads a function back from its code.

use serde_json::Value;

use super::code::{BARE_FOLDER, FOLDER, owner};
use super::packed::{PackedRedirects, unpack};
use super::{EdgeFunction, FunctionHeader, PasswordDigest, PathRewrite};
use crate::rules::redirect::Redirect;

/// A group of exact redirects: status, how many listed ones go before it, and what [`PackedRedirects`] holds.
type GroupRow = (u16, usize, usize, String, Vec<String>, String);

impl EdgeFunction {
    /// Reads what [`code`](Self::code) wrote, with paths in their normal form; what lies in a store alone is not there. `None` for any
    /// other code, and where somebody changed it.
    pub fn read(code: &str) -> Option<Self> {
        let (first, _) = code.split_once('\n')?;
        let constants = CodeConstants(code);
        let index: Option<String> = constants.after(&format!("  if {FOLDER}"));
        let mut function = Self {
            site: owner(first)?,
            password: constants
                .named("password")
                .map(|(salt, digest)| PasswordDigest { salt, digest }),
            redirects: Vec::new(),
            stored: code.contains("\nconst store = "),
            canonical_host: constants.named("canonical"),
            rewrite: PathRewrite {
                bare_folders: index.is_some() && code.contains(BARE_FOLDER),
                index,
                endings: constants.named("endings").unwrap_or_default(),
                kept: constants.named("kept").unwrap_or_default(),
            },
            headers: constants.headers(),
        };
        function.redirects = constants.redirects()?;
        (function.written() == code).then_some(function)
    }
}

/// The tables of a function's code.
struct CodeConstants<'a>(&'a str);

impl CodeConstants<'_> {
    /// Reads the JSON that follows these words.
    fn after<T: serde::de::DeserializeOwned>(&self, words: &str) -> Option<T> {
        let (_, rest) = self.0.split_once(words)?;
        serde_json::from_str(rest.lines().next()?.strip_suffix(';')?).ok()
    }

    fn named<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.after(&format!("\nconst {name} = "))
    }

    fn headers(&self) -> Vec<FunctionHeader> {
        let rows: Vec<(String, String, String)> = self.named("headers").unwrap_or_default();
        let header = |(pattern, name, value)| FunctionHeader {
            pattern,
            name,
            value,
        };
        rows.into_iter().map(header).collect()
    }

    /// Reads the redirects back into one list: exact ones as early as they may stand.
    fn redirects(&self) -> Option<Vec<Redirect>> {
        let rows: Vec<Vec<Value>> = self.named("rules").unwrap_or_default();
        let groups: Vec<GroupRow> = self.named("exact").unwrap_or_default();
        let mut redirects = Vec::new();
        for at in 0..=rows.len() {
            for (status, _, cut, tail, heads, words) in groups.iter().filter(|group| group.1 == at)
            {
                let packed = PackedRedirects {
                    cut: *cut,
                    tail: tail.clone(),
                    heads: heads.clone(),
                    words: words.clone(),
                };
                let exact = unpack(&packed)?.into_iter();
                redirects.extend(exact.map(|(from, to)| Redirect {
                    status: *status,
                    ..Redirect::new(from, to)
                }));
            }
            if let Some(row) = rows.get(at) {
                redirects.push(listed(row)?);
            }
        }
        Some(redirects)
    }
}

/// Reads a line of `rules`.
fn listed(row: &[Value]) -> Option<Redirect> {
    let host = row.get(3).and_then(Value::as_str).unwrap_or_default();
    let path = row.first()?.as_str()?;
    let from = if host.is_empty() {
        path.to_owned()
    } else {
        format!("https://{host}{path}")
    };
    let query = row
        .get(4)
        .map(|query| serde_json::from_value(query.clone()));
    Some(Redirect {
        status: row.get(2)?.as_u64()?.try_into().ok()?,
        query: query.transpose().ok()?.unwrap_or_default(),
        force: row.get(5).is_some(),
        ..Redirect::new(from, row.get(1)?.as_str()?.to_owned())
    })
}
