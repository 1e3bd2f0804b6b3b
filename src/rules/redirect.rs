//! A redirect: which request paths it answers, and with which location.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;

use crate::object::key::{MAX_KEY_BYTES, is_state};

/// What `encodeURI` encodes (ECMAScript, "Encode").
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What stands for any segment, value or host where a redirect is tried.
pub(super) const ANY: &str = "sample";

/// One `[[redirects]]` table of deploy.toml, or a line of `_redirects`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Redirect {
    /// A path as in a URL, with its leading `/`, or a URL, which is for its host alone; `:name` stands for one segment, a last
    /// `*` for all that is left.
    pub from: String,
    /// A path or an `http(s)` URL; `:name` and `:splat` are filled in from `from`, `:name` from `query` too.
    pub to: String,
    /// 301, 302, 303, 307 or 308; 200 shows the page `to` of the site under the URL that was asked for.
    #[serde(default = "moved_permanently")]
    pub status: u16,
    /// Even where the build has a file of that name.
    #[serde(default)]
    pub force: bool,
    /// What the query string has to say, as it stands in a URL; `:name` stands for any value.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
}

fn moved_permanently() -> u16 {
    301
}

/// Why a redirect cannot be an object on a website endpoint; a function can answer all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnObject {
    #[error("it stands for many paths, and an object has one key")]
    Pattern,
    #[error("S3 answers every redirect with 301")]
    Status,
    #[error("S3 does not look at hosts and queries")]
    Condition,
    #[error("S3 takes keys of at most {MAX_KEY_BYTES} bytes")]
    Length,
    #[error("deploys keep their state there")]
    State,
}

impl Redirect {
    /// Makes one that is for good.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            status: moved_permanently(),
            force: false,
            query: BTreeMap::new(),
        }
    }

    /// Tells whether it stands for one path.
    pub fn is_exact(&self) -> bool {
        !segments(self.path()).any(is_open)
    }

    /// Tells whether it [is exact](Self::is_exact), and asks for nothing but the path.
    pub fn is_plain(&self) -> bool {
        self.is_exact() && !self.has_conditions()
    }

    /// Tells whether it asks for more than a path.
    pub fn has_conditions(&self) -> bool {
        self.host().is_some() || !self.query.is_empty()
    }

    /// Tells whether it shows a page under many URLs, but not in the place of files and pages.
    pub fn spares_pages(&self) -> bool {
        self.status == 200 && !self.force && !self.is_exact()
    }

    /// Returns the host that it is for; `None`: all.
    pub fn host(&self) -> Option<&str> {
        self.host_and_path().0
    }

    /// Returns `from` without its host.
    pub fn path(&self) -> &str {
        self.host_and_path().1
    }

    fn host_and_path(&self) -> (Option<&str>, &str) {
        let Some((_, rest)) = self.from.split_once("://") else {
            return (None, &self.from);
        };
        let slash = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(slash);
        (Some(host), if path.is_empty() { "/" } else { path })
    }

    /// Returns what paths that it matches begin with, decoded: one that [is exact](Redirect::is_exact) is all of it.
    pub fn literal_prefix(&self) -> String {
        let fixed = segments(self.path()).take_while(|segment| !is_open(segment));
        let fixed: Vec<&str> = fixed.collect();
        let ends = self.is_exact() || fixed.is_empty();
        let end = if ends { "" } else { "/" };
        format!("/{}{end}", decoded(&fixed.join("/")))
    }

    /// Returns the key of the object that answers with this redirect on a website endpoint, and its `redirect` header.
    /// `index` is the endpoint's index document, which answers for a folder.
    pub fn as_object(&self, index: &str) -> Result<(String, String), NotAnObject> {
        if !self.is_exact() {
            return Err(NotAnObject::Pattern);
        }
        if self.status != 301 {
            return Err(NotAnObject::Status);
        }
        if self.has_conditions() {
            return Err(NotAnObject::Condition);
        }
        let mut key = decoded(&self.from).trim_start_matches('/').to_owned();
        if key.is_empty() || key.ends_with('/') {
            key.push_str(index);
        }
        if key.len() > MAX_KEY_BYTES {
            return Err(NotAnObject::Length);
        }
        if is_state(&key) {
            return Err(NotAnObject::State);
        }
        Ok((key, self.to.clone()))
    }

    /// Returns where it sends a request path, whatever else it asks for; `None` where it does not match.
    pub fn location(&self, path: &str) -> Option<String> {
        Some(self.filled(&self.values(path)?))
    }

    /// Returns what `:name` and `:splat` stand for in a request path; `None` where it does not match.
    pub fn values<'a>(&'a self, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let mut values: Vec<(&str, &str)> = Vec::new();
        let mut rest = Some(path.strip_prefix('/')?);
        for pattern in segments(self.path()) {
            if pattern == "*" {
                // A slash at its start would make another host of "/:splat".
                let splat = rest.unwrap_or_default().trim_start_matches('/');
                values.push(("splat", splat));
                return Some(values);
            }
            let here = rest?;
            let (segment, left) = match here.split_once('/') {
                Some((segment, left)) => (segment, Some(left)),
                None => (here, None),
            };
            match pattern.strip_prefix(':') {
                Some(_) if segment.is_empty() => return None,
                Some(name) => values.push((name, segment)),
                None if decoded(pattern) == decoded(segment) => {}
                None => return None,
            }
            rest = left;
        }
        rest.is_none().then_some(values)
    }

    /// Returns `to` with values in place of `:name`; the longest name that fits.
    pub fn filled(&self, values: &[(&str, &str)]) -> String {
        let mut text = String::new();
        let mut rest = self.to.as_str();
        while let Some((before, after)) = rest.split_once(':') {
            text.push_str(before);
            let (name, left) = after.split_at(placeholder(after).len());
            match values.iter().find(|(filled, _)| *filled == name) {
                Some((_, value)) if !name.is_empty() => text.push_str(value),
                _ => text.extend([":", name]),
            }
            rest = left;
        }
        text + rest
    }

    /// Returns a path that it matches.
    pub(super) fn sample(&self) -> String {
        let segments: Vec<String> = segments(self.path()).map(sampled).collect();
        format!("/{}", segments.join("/"))
    }
}

/// Returns the segments of a path; `/` has one, which is empty.
pub(super) fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

/// Returns a text that a segment, or a value of a query, stands for.
pub(super) fn sampled(pattern: &str) -> String {
    match pattern {
        "*" => format!("{ANY}/page"),
        name if name.starts_with(':') => ANY.to_owned(),
        text => text.to_owned(),
    }
}

fn is_open(segment: &str) -> bool {
    segment == "*" || segment.starts_with(':')
}

/// Returns the path as all spellings of it that mean the same have it: `encodeURI(decodeURIComponent(path))`, but that a slash in
/// a segment stays one. It has no spaces.
pub fn normal_path(path: &str) -> String {
    let path = path.replace("%2F", "%252F").replace("%2f", "%252F");
    utf8_percent_encode(&decoded(&path), ENCODED).to_string()
}

/// Decodes as `decodeURIComponent` does in JavaScript; what that refuses stays as it is.
pub fn decoded(text: &str) -> String {
    let mut rests = text.split('%').skip(1);
    let is_byte = |rest: &str| {
        let digits = rest.get(..2);
        digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let decoded = percent_decode_str(text).decode_utf8().ok();
    let decoded = decoded.filter(|_| rests.all(is_byte));
    decoded.map_or_else(|| text.to_owned(), |decoded| decoded.into_owned())
}

/// Returns the name that a text behind a `:` begins with; empty where it is none.
pub(super) fn placeholder(text: &str) -> &str {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return "";
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    end.map_or(text, |end| text.split_at(end).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(line: &str) -> Redirect {
        let mut parts = line.split(' ');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (from, to, status) = (next(), next(), next());
        Redirect {
            status: status.parse().unwrap_or(301),
            ..Redirect::new(from, to)
        }
    }

    #[test]
    fn what_a_redirect_is_for_begins_alike() {
        for (from, prefix) in [
            ("/a", "/a"),
            ("/a/", "/a/"),
            ("/", "/"),
            ("/*", "/"),
            ("/%C3%A9/*", "/é/"),
            ("/a/:b/c", "/a/"),
        ] {
            assert_eq!(redirect(from).literal_prefix(), prefix, "{from}");
        }
    }

    #[test]
    fn spellings_of_one_path_are_one() {
        for (path, normal) in [
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/café", "/caf%C3%A9"),
            ("/a%20b", "/a%20b"),
            ("/a b", "/a%20b"),
            ("/a%2Fb", "/a%252Fb"),
            ("/a%2fb", "/a%252Fb"),
            ("/%41'(b)", "/A'(b)"),
            ("/a%zz%20", "/a%25zz%2520"),
            ("/%ff", "/%25ff"),
        ] {
            assert_eq!(normal_path(path), normal, "{path}");
        }
    }

    #[test]
    fn an_exact_and_lasting_redirect_can_be_an_object() {
        let ok = |key: &str, to: &str| Ok((key.to_owned(), to.to_owned()));
        for (line, expected) in [
            ("/old /new", ok("old", "/new")),
            ("/old/ /new", ok("old/index.html", "/new")),
            ("/ /new", ok("index.html", "/new")),
            ("/a%20b https://x.example/", ok("a b", "https://x.example/")),
            ("/a/* /b", Err(NotAnObject::Pattern)),
            ("/:a /b", Err(NotAnObject::Pattern)),
            ("/a /b 302", Err(NotAnObject::Status)),
        ] {
            assert_eq!(redirect(line).as_object("index.html"), expected, "{line}");
        }
        let folders = |number| format!("/{} /b", "a/".repeat(number));
        for (line, why) in [
            (folders(508), NotAnObject::Length),
            ("/.unstale/state /b".to_owned(), NotAnObject::State),
            ("/docs/.unstale%2fstate /b".to_owned(), NotAnObject::State),
        ] {
            assert_eq!(redirect(&line).as_object("index.html"), Err(why), "{line}");
        }
        // With the index document these are 1,024 bytes.
        assert!(redirect(&folders(507)).as_object("index.html").is_ok());
    }
    proptest::proptest! {
        #[test]
        fn a_normal_path_has_no_spaces(path in "/(?s).{0,20}") {
            proptest::prop_assert!(!normal_path(&path).contains(|c: char| !c.is_ascii_graphic()));
        }
    }
}
