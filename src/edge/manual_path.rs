//! Reads paths as people write and paste them into what CloudFront takes, and leaves out what it need not be told.

use super::path::{self, MAX_PATH};
use crate::object::tags::MAX_TAG;

/// A path or tag that was written by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualPath {
    /// As CloudFront takes it.
    pub item: String,
    /// The URL has a query string, and `item` does not.
    pub has_query: bool,
}

/// Why a path that was written by hand cannot be purged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    #[error("does not begin with a slash")]
    NoSlash,
    #[error("is a URL without a host: a variable in it may be empty")]
    NoHost,
    #[error(
        "has a `*` before its end: CloudFront takes `*` only as the last character, elsewhere it stands for itself and purges nothing but a URL with a star"
    )]
    InnerStar,
    #[error("has an escaped `*`, by which CloudFront purges nothing")]
    EscapedStar,
    #[error("has a `~`, which CloudFront takes in no path, escaped or not")]
    Tilde,
    #[error("has {0} characters when it is encoded, and CloudFront takes {MAX_PATH}")]
    TooLong(usize),
    #[error(
        "is not a cache tag: one has 1 to {MAX_TAG} characters of ASCII behind the `#`, without spaces, commas and stars"
    )]
    Tag,
}

/// A path that cannot be purged, with what would purge it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPath {
    pub problem: PathProblem,
    pub instead: Option<String>,
}

/// Paths without those that others take already, sorted.
#[derive(Debug, PartialEq, Eq)]
pub struct DistinctPaths {
    pub paths: Vec<String>,
    pub left_out: usize,
}

/// Reads a path, the URL of one, or a `#tag`. What is escaped in it stays so; a `?` begins a query string, and a final `*` makes
/// it a wildcard.
///
/// # Errors
/// Where CloudFront would refuse it, or take it and purge nothing. A wildcard that would purge more is never made of it.
pub fn read_path(text: &str) -> Result<ManualPath, RefusedPath> {
    if let Some(tag) = text.strip_prefix('#') {
        return read_tag(text, tag);
    }
    if let Some(url) = after_scheme(text) {
        return read_url(url);
    }
    if !text.starts_with('/') {
        let meant = if begins_with_host(text) {
            format!("https://{text}")
        } else {
            format!("/{text}")
        };
        let instead = match read_path(&meant) {
            Ok(_) => Some(meant),
            Err(refused) => refused.instead,
        };
        let problem = PathProblem::NoSlash;
        return Err(RefusedPath { problem, instead });
    }
    let parts: Vec<String> = text.split('?').map(encode_written).collect();
    let item = parts.join("?");
    match problem_of(&item) {
        None => Ok(ManualPath {
            item,
            has_query: false,
        }),
        Some(problem) => Err(RefusedPath {
            problem,
            instead: Some(wildcard_for(&item)),
        }),
    }
}

/// Leaves out what is there twice, and what a wildcard takes.
pub fn distinct_paths(mut items: Vec<String>) -> DistinctPaths {
    let written = items.len();
    // A wildcard comes right before all that it takes.
    items.sort_by(|left, right| order(left).cmp(&order(right)));
    let mut taken: Option<String> = None;
    items.retain(|item| {
        if taken
            .as_ref()
            .is_some_and(|prefix| item.starts_with(prefix))
        {
            return false;
        }
        taken = item.strip_suffix('*').map(str::to_owned);
        true
    });
    items.dedup();
    if items.iter().any(|item| item == "/*") {
        items = vec!["/*".to_owned()];
    }
    DistinctPaths {
        left_out: written - items.len(),
        paths: items,
    }
}

fn order(item: &str) -> (&str, bool) {
    match item.strip_suffix('*') {
        Some(prefix) => (prefix, false),
        None => (item, true),
    }
}

fn read_tag(text: &str, tag: &str) -> Result<ManualPath, RefusedPath> {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b'*');
    if (1..=MAX_TAG).contains(&tag.len()) && tag.bytes().all(is_allowed) {
        return Ok(ManualPath {
            item: text.to_owned(),
            has_query: false,
        });
    }
    Err(RefusedPath {
        problem: PathProblem::Tag,
        instead: None,
    })
}

/// Returns what follows `http://` or `https://`.
fn after_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let is_web = ["http", "https"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web));
    is_web.then_some(rest)
}

/// Tells whether a text looks like a URL without its scheme; `index.html` by itself does not.
fn begins_with_host(text: &str) -> bool {
    let (host, has_path) = match text.split_once('/') {
        Some((host, _)) => (host, true),
        None => (text, false),
    };
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        !label.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_domain =
        |domain: &str| domain.len() > 1 && domain.bytes().all(|byte| byte.is_ascii_alphabetic());
    let last = host.rsplit_once('.').map(|(_, last)| last);
    (has_path || host.starts_with("www."))
        && last.is_some_and(is_domain)
        && host.split('.').all(is_label)
}

/// Takes the path of a URL, whatever its host; but one it has. The fragment never left the browser.
fn read_url(url: &str) -> Result<ManualPath, RefusedPath> {
    let (url, _) = url.split_once('#').unwrap_or((url, ""));
    let (url, has_query) = match url.split_once('?') {
        Some((url, _)) => (url, true),
        None => (url, false),
    };
    let (authority, path) = url.split_at(url.find('/').unwrap_or(url.len()));
    let host = authority.rsplit('@').next().unwrap_or_default().trim();
    if host.is_empty() || host.starts_with(':') {
        return Err(RefusedPath {
            problem: PathProblem::NoHost,
            instead: None,
        });
    }
    let read = read_path(if path.is_empty() { "/" } else { path })?;
    Ok(ManualPath { has_query, ..read })
}

/// Encodes what is not yet, with escapes in upper case.
fn encode_written(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = path::encode(parts.next().unwrap_or_default());
    for part in parts {
        let is_escape = |hex: &str| hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        match part.split_at_checked(2).filter(|(hex, _)| is_escape(hex)) {
            Some((hex, rest)) => {
                out += &format!("%{}{}", hex.to_ascii_uppercase(), path::encode(rest));
            }
            None => out += &format!("%25{}", path::encode(part)),
        }
    }
    out
}

fn problem_of(item: &str) -> Option<PathProblem> {
    let body = item.strip_suffix('*').unwrap_or(item);
    if body.contains('*') {
        Some(PathProblem::InnerStar)
    } else if item.contains("%2A") {
        Some(PathProblem::EscapedStar)
    } else if item.contains('~') || item.contains("%7E") {
        Some(PathProblem::Tilde)
    } else if item.len() > MAX_PATH {
        Some(PathProblem::TooLong(item.len()))
    } else {
        None
    }
}

/// Returns the narrowest wildcard that takes a path which cannot be purged by itself.
fn wildcard_for(item: &str) -> String {
    let obstacles = ["*", "%2A", "~", "%7E"];
    let first = obstacles.iter().filter_map(|text| item.find(text)).min();
    let end = first.unwrap_or(item.len()).min(MAX_PATH - 1);
    let end = path::cut_before(item.as_bytes(), end);
    format!("{}*", item.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_people_paste_them() {
        for (text, item) in [
            ("/", "/"),
            ("/a", "/a"),
            ("/b c.html", "/b%20c.html"),
            ("/é", "/%C3%A9"),
            ("/%c3%a9/%C3%a9", "/%C3%A9/%C3%A9"),
            ("/100%", "/100%25"),
            ("/100%zz%4", "/100%25zz%254"),
            ("/%é", "/%25%C3%A9"),
            ("/50%25", "/50%25"),
            ("/it's+(a)&b=@;,:$!", "/it's+(a)&b=@;,:$!"),
            ("/a#b", "/a%23b"),
            ("/a%3fb", "/a%3Fb"),
            ("/a?x=1&y=a b", "/a?x=1&y=a%20b"),
            ("/a?*", "/a?*"),
            ("/posts/*", "/posts/*"),
            ("/*", "/*"),
            ("https://www.example.com/a b.html#frag", "/a%20b.html"),
            ("HTTP://www.example.com:8080", "/"),
            ("https://example.com#top", "/"),
            ("https://example.com/posts/*", "/posts/*"),
            ("/https://example.com/a", "/https://example.com/a"),
            ("#k-1", "#k-1"),
        ] {
            let (item, has_query) = (item.to_owned(), false);
            assert_eq!(
                read_path(text),
                Ok(ManualPath { item, has_query }),
                "{text}"
            );
        }
    }

    #[test]
    fn the_query_of_a_url_is_told_apart() {
        for (url, item) in [
            ("https://e.org/a b.html?x=1#frag", "/a%20b.html"),
            ("https://e.org?x=/1", "/"),
            ("https://e.org/a?*~", "/a"),
        ] {
            let read = read_path(url).unwrap();
            assert_eq!((&*read.item, read.has_query), (item, true));
        }
    }

    #[test]
    fn what_would_purge_nothing_is_refused_with_what_would() {
        let long = format!("/{}", "x".repeat(MAX_PATH));
        let cut = format!("/{}*", "x".repeat(MAX_PATH - 2));
        for (text, problem, instead) in [
            ("a.html", PathProblem::NoSlash, Some("/a.html")),
            ("", PathProblem::NoSlash, Some("/")),
            (
                "www.example.com/a",
                PathProblem::NoSlash,
                Some("https://www.example.com/a"),
            ),
            (
                "www.example.com",
                PathProblem::NoSlash,
                Some("https://www.example.com"),
            ),
            ("e.org/a/*/b", PathProblem::NoSlash, Some("/a/*")),
            ("v1.2/a", PathProblem::NoSlash, Some("/v1.2/a")),
            ("../a", PathProblem::NoSlash, Some("/../a")),
            (".git/a", PathProblem::NoSlash, Some("/.git/a")),
            ("*.html", PathProblem::NoSlash, Some("/*")),
            (
                "ftp://e.org/a",
                PathProblem::NoSlash,
                Some("/ftp://e.org/a"),
            ),
            ("/a/*/b", PathProblem::InnerStar, Some("/a/*")),
            ("/a**", PathProblem::InnerStar, Some("/a*")),
            ("/a/*/*", PathProblem::InnerStar, Some("/a/*")),
            ("/a?*&b", PathProblem::InnerStar, Some("/a?*")),
            (
                "https://e.org/é*.html",
                PathProblem::InnerStar,
                Some("/%C3%A9*"),
            ),
            ("/a/%2a", PathProblem::EscapedStar, Some("/a/*")),
            ("/a/~b/c", PathProblem::Tilde, Some("/a/*")),
            ("/~b/*", PathProblem::Tilde, Some("/*")),
            ("/a%7eb", PathProblem::Tilde, Some("/a*")),
            ("/~a*b", PathProblem::InnerStar, Some("/*")),
            (&long, PathProblem::TooLong(MAX_PATH + 1), Some(&cut)),
            ("https://", PathProblem::NoHost, None),
            ("http:///x", PathProblem::NoHost, None),
            ("https://me@:8080/x", PathProblem::NoHost, None),
            ("https:// /x", PathProblem::NoHost, None),
            ("https://?/x", PathProblem::NoHost, None),
            ("#", PathProblem::Tag, None),
            ("#a b", PathProblem::Tag, None),
            ("#a,b", PathProblem::Tag, None),
            ("#a*", PathProblem::Tag, None),
            ("#é", PathProblem::Tag, None),
        ] {
            let instead = instead.map(str::to_owned);
            let refused = RefusedPath { problem, instead };
            assert_eq!(read_path(text), Err(refused), "{text:.20}");
        }
    }

    #[test]
    fn nothing_is_sent_twice() {
        for (written, sent) in [
            (&["/b", "/a", "/b"][..], &["/a", "/b"][..]),
            (
                &["/p/a", "/p/*", "/p", "/p/b/*", "/p/", "/q", "/p?x"],
                &["/p", "/p/*", "/p?x", "/q"],
            ),
            (&["/p*", "/p", "/p/*", "/pq?x"], &["/p*"]),
            (&["/a*", "/a", "/ab*", "/b", "/b"], &["/a*", "/b"]),
            (&["#t", "/a", "#t", "#u"], &["#t", "#u", "/a"]),
            (&["#t", "/a", "/*", "/*"], &["/*"]),
            (&["/a", "/a"], &["/a"]),
        ] {
            let distinct = distinct_paths(written.iter().map(|path| (*path).into()).collect());
            assert_eq!(distinct.paths, sent);
            assert_eq!(distinct.left_out, written.len() - sent.len());
        }
    }
}
