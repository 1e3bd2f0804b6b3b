//! A redirect: which request paths it answers, and with which location.

use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// One `[[redirects]]` table of deploy.toml, or a line of `_redirects`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Redirect {
    /// A path as in a URL, with its leading `/`; `:name` stands for one segment, a last `*` for all that is left.
    pub from: String,
    /// A path or an `http(s)` URL; `:name` and `:splat` are filled in from `from`.
    pub to: String,
    /// 301, 302, 303, 307 or 308.
    #[serde(default = "moved_permanently")]
    pub status: u16,
    /// Even where the build has a file of that name.
    #[serde(default)]
    pub force: bool,
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
}

impl Redirect {
    /// Tells whether it stands for one path.
    pub fn is_exact(&self) -> bool {
        !segments(&self.from).any(is_open)
    }

    /// Returns what paths that it matches begin with, decoded: one that [is exact](Redirect::is_exact) is all of it.
    pub fn literal_prefix(&self) -> String {
        let fixed = segments(&self.from).take_while(|segment| !is_open(segment));
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
        let mut key = decoded(&self.from).trim_start_matches('/').to_owned();
        if key.is_empty() || key.ends_with('/') {
            key.push_str(index);
        }
        Ok((key, self.to.clone()))
    }

    /// Returns where it sends a request path, or `None` where it does not match.
    pub fn location(&self, path: &str) -> Option<String> {
        let mut values: Vec<(&str, &str)> = Vec::new();
        let mut rest = Some(path.strip_prefix('/')?);
        for pattern in segments(&self.from) {
            if pattern == "*" {
                // A slash at its start would make another host of "/:splat".
                let splat = rest.unwrap_or_default().trim_start_matches('/');
                values.push(("splat", splat));
                return Some(fill(&self.to, &values));
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
        rest.is_none().then(|| fill(&self.to, &values))
    }

    /// Returns a path that it matches.
    pub(super) fn sample(&self) -> String {
        let segments = segments(&self.from).map(|segment| match segment {
            "*" => "any",
            segment => segment.strip_prefix(':').unwrap_or(segment),
        });
        format!("/{}", segments.collect::<Vec<_>>().join("/"))
    }
}

/// Returns the segments of a path; `/` has one, which is empty.
pub(super) fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn is_open(segment: &str) -> bool {
    segment == "*" || segment.starts_with(':')
}

pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Puts values in place of `:name`; the longest name that fits.
fn fill(to: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = to;
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
            from,
            to,
            status: status.parse().unwrap_or(301),
            force: false,
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
    }
}
