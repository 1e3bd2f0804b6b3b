//! Functions as `unstale` writes them, known by the tables in their code: redirects first, then endings that names lost, then index
//! documents. Written after the JavaScript, and not after the Rust that generates it, so that the two can disagree.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::function::{FunctionOutcome, indexed};

/// What the tables of such a function say.
#[derive(Clone, Debug, Default)]
pub struct WrittenFunction {
    redirects: Vec<RedirectRow>,
    /// Names with these endings are redirected to those without.
    endings: Vec<String>,
    /// Request paths that keep theirs.
    kept: Vec<String>,
    index: Option<String>,
    /// Whether a last segment without a dot gets the index document too.
    bare: bool,
}

/// One line of `rules`.
#[derive(Clone, Debug)]
struct RedirectRow {
    from: String,
    to: String,
    status: u16,
}

impl WrittenFunction {
    /// Reads a source. `None` where it has no table of rules.
    pub(crate) fn read(code: &str) -> Option<Self> {
        let rules: Vec<Vec<Value>> = constant(code, "rules")?;
        let row = |row: &Vec<Value>| {
            let status = row.get(2).map_or(Some(301), Value::as_u64)?;
            Some(RedirectRow {
                from: row.first()?.as_str()?.to_owned(),
                to: row.get(1)?.as_str()?.to_owned(),
                status: status.try_into().ok()?,
            })
        };
        Some(Self {
            redirects: rules.iter().map(row).collect::<Option<_>>()?,
            endings: constant(code, "endings").unwrap_or_default(),
            kept: constant(code, "kept").unwrap_or_default(),
            index: value_after(code, "if (last === '') request.uri += "),
            bare: code.contains("if (last.indexOf('.') < 0) request.uri += "),
        })
    }

    pub(crate) fn run(&self, uri: &str, query: &str) -> FunctionOutcome {
        for row in &self.redirects {
            if let Some(to) = row.location(uri) {
                return redirect(row.status, to, query);
            }
        }
        let last = uri.rsplit('/').next().unwrap_or_default();
        let endings = self.endings.iter().map(String::as_str);
        for ending in endings.filter(|_| !self.kept.iter().any(|kept| kept == uri)) {
            let stem = last.strip_suffix(ending);
            if let (Some(stem), Some(bare)) = (stem, uri.strip_suffix(ending))
                && !["", "index"].contains(&stem)
            {
                return redirect(301, bare.to_owned(), query);
            }
        }
        FunctionOutcome::Uri(match &self.index {
            Some(index) => indexed(uri, index, self.bare),
            None => uri.to_owned(),
        })
    }
}

/// The query goes along unless the target has one, or a fragment.
fn redirect(status: u16, mut to: String, query: &str) -> FunctionOutcome {
    if !query.is_empty() && !to.contains(['?', '#']) {
        to = format!("{to}?{query}");
    }
    FunctionOutcome::Redirect(status, to)
}

/// The array that `const NAME = [...];` sets. JavaScript's literals are JSON but for a comma after the last.
fn constant<T: serde::de::DeserializeOwned>(code: &str, name: &str) -> Option<Vec<T>> {
    let (_, rest) = code.split_once(&format!("const {name} = ["))?;
    let (items, _) = rest.split_once("];\n")?;
    let items = items.trim_end().trim_end_matches(',');
    serde_json::from_str(&format!("[{items}]")).ok()
}

/// The string literal behind some words.
fn value_after(code: &str, words: &str) -> Option<String> {
    let (_, rest) = code.split_once(words)?;
    serde_json::from_str(rest.lines().next()?.trim_end_matches(';')).ok()
}

impl RedirectRow {
    /// Where it sends a path, or `None` where it does not match.
    fn location(&self, path: &str) -> Option<String> {
        let patterns: Vec<&str> = self.from.get(1..)?.split('/').collect();
        let segments: Vec<&str> = path.get(1..)?.split('/').collect();
        let mut filled: BTreeMap<&str, String> = BTreeMap::new();
        for (index, pattern) in patterns.iter().enumerate() {
            if *pattern == "*" {
                let rest = segments.get(index..).unwrap_or_default().join("/");
                filled.insert("splat", rest.trim_start_matches('/').to_owned());
                return Some(fill(&self.to, &filled));
            }
            let segment = *segments.get(index)?;
            match pattern.strip_prefix(':') {
                Some(_) if segment.is_empty() => return None,
                Some(name) => _ = filled.insert(name, segment.to_owned()),
                None if decoded(pattern) == decoded(segment) => {}
                None => return None,
            }
        }
        (patterns.len() == segments.len()).then(|| fill(&self.to, &filled))
    }
}

/// As `decodeURIComponent`, and as it was where that throws.
fn decoded(text: &str) -> String {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map_or_else(|_| text.to_owned(), |decoded| decoded.into_owned())
}

/// Puts values in the place of `:name`, where there is a value of that name.
fn fill(to: &str, filled: &BTreeMap<&str, String>) -> String {
    let mut pieces = to.split(':');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let is_named = piece.starts_with(|letter: char| letter.is_ascii_alphabetic());
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let end = piece.find(|letter| !is_part(letter));
        let (name, rest) = piece.split_at(end.unwrap_or(piece.len()));
        match filled.get(name).filter(|_| is_named) {
            Some(value) => text.extend([value, rest]),
            None => text.extend([":", piece]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = r#"// Redirects and folders.
const rules = [
["/old", "/new"],
["/o\u00e9", "/oe", 302],
["/news/:year/:slug/", "/blog/:year-:slug.html?a=:b"],
["/docs/*", "https://d.example:8443/:splat", 308],
];

  const last = request.uri.substring(request.uri.lastIndexOf('/') + 1);
  const endings = [".html"];
  const kept = ["/404.html"];
  if (last === '') request.uri += "index.html";
"#;

    #[test]
    fn a_request_meets_the_tables_in_their_order() {
        let function = WrittenFunction::read(CODE).unwrap();
        let to = |status, location: &str| FunctionOutcome::Redirect(status, location.to_owned());
        let uri = |uri: &str| FunctionOutcome::Uri(uri.to_owned());
        for (asked, expected) in [
            ("/old", to(301, "/new")),
            ("/old?a=b&c", to(301, "/new?a=b&c")),
            ("/old/", uri("/old/index.html")),
            ("/o%C3%A9", to(302, "/oe")),
            ("/news/2026/x/?q", to(301, "/blog/2026-x.html?a=:b")),
            ("/news//x/", uri("/news//x/index.html")),
            ("/docs//a/b", to(308, "https://d.example:8443/a/b")),
            ("/docs", to(308, "https://d.example:8443/")),
            ("/a/b.html?q", to(301, "/a/b?q")),
            ("/404.html", uri("/404.html")),
            ("/a/index.html", uri("/a/index.html")),
            ("/a", uri("/a")),
        ] {
            let (path, query) = asked.split_once('?').unwrap_or((asked, ""));
            assert_eq!(function.run(path, query), expected, "{asked}");
        }
        assert!(WrittenFunction::read("function handler(event) {}").is_none());
    }
}
