//! Where the references of a page lead: to a path of its own site, or to another host.

use std::borrow::Cow;
use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

use super::page_facts::{LinkSort, PageLink};
use super::page_reader::read_page;

/// Returns what `html`, the page of this key, refers to, as request paths without their leading `/`: decoded, without query
/// and fragment; `""` is the root, `posts/` a folder. URLs with a host are left out.
pub fn html_links(key: &str, html: &[u8]) -> BTreeSet<String> {
    let facts = read_page(html);
    let own = key_path("/", key);
    let is_base = |link: &&PageLink| link.sort == LinkSort::Base;
    let base = facts.links.iter().find(is_base);
    let base = base
        .and_then(|link| own_path(&own, &link.to))
        .unwrap_or(own);
    let links = facts.links.iter().filter(|link| !is_base(link));
    let paths = links.filter_map(|link| own_path(&base, &link.to));
    paths.filter_map(|path| decoded_key(&path)).collect()
}

/// Returns the request path of a key below `mount`, where nothing but its `%` need be encoded to be decoded again.
pub fn key_path(mount: &str, key: &str) -> String {
    format!("{mount}{}", key.replace('%', "%25"))
}

/// Returns the request path that a reference leads to from the page at `base`; `None` where it leaves the site or stays on the page.
fn own_path(base: &str, text: &str) -> Option<String> {
    let text = plain(text);
    let reference = Reference::read(&text)?;
    let leads_on = reference.host.is_none() && !reference.stays();
    leads_on.then(|| joined(base, reference.path))
}

/// Returns what a request path stands for below the site's root, decoded; `None` where that is no text.
pub fn decoded_key(path: &str) -> Option<String> {
    let decoded = percent_decode_str(path.strip_prefix('/')?).decode_utf8();
    Some(decoded.ok()?.into_owned())
}

/// A reference as it stands in a page, taken apart (WHATWG URL, "URL parsing").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// The host that it names, with its port if it names one; `None`: the one that the page is on.
    pub host: Option<&'a str>,
    /// Whether it is asked for over `http:`.
    pub insecure: bool,
    pub path: &'a str,
    pub fragment: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Takes a reference apart; `None` for `mailto:`, `data:` and other things that no server is asked for.
    pub fn read(text: &'a str) -> Option<Self> {
        let (rest, fragment) = match text.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (text, None),
        };
        let (rest, _) = rest.split_once('?').unwrap_or((rest, ""));
        let (scheme, rest) = scheme(rest).unwrap_or(("", rest));
        let insecure = scheme.eq_ignore_ascii_case("http");
        if !insecure && !scheme.is_empty() && !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let (host, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
                (Some(host), path)
            }
            None if scheme.is_empty() => (None, rest),
            None => return None,
        };
        Some(Self {
            host,
            insecure,
            path,
            fragment,
        })
    }

    /// Tells whether it leads to the page that it stands in.
    pub fn stays(&self) -> bool {
        self.host.is_none() && self.path.is_empty()
    }

    /// Tells whether it depends on the page where it leads.
    pub fn is_relative(&self) -> bool {
        self.host.is_none() && !self.path.starts_with('/')
    }
}

/// Splits a URL after its scheme, where it has one.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let begins = scheme.starts_with(|letter: char| letter.is_ascii_alphabetic());
    (begins && scheme.bytes().all(is_part)).then_some((scheme, rest))
}

/// Returns a reference as browsers take it: without tabs and line breaks, with slashes for backslashes, and dots for `%2e`.
pub fn plain(reference: &str) -> Cow<'_, str> {
    if !reference.contains(['\t', '\n', '\r', '\\']) && !reference.contains("%2") {
        return Cow::Borrowed(reference);
    }
    let text = reference.replace(['\t', '\n', '\r'], "");
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let (path, rest) = text.split_at(end);
    let path = path.replace('\\', "/").replace("%2e", ".");
    Cow::Owned(path.replace("%2E", ".") + rest)
}

/// Returns the path that `path` leads to from the page at `base`, without `.` and `..` (RFC 3986, section 5.2.4).
pub fn joined(base: &str, path: &str) -> String {
    let folder = match base.rsplit_once('/') {
        Some((folder, _)) if !path.starts_with('/') => folder,
        _ => "",
    };
    // Without a final slash: each segment brings its own.
    let mut whole = String::with_capacity(folder.len() + path.len() + 1);
    let mut is_dotted = false;
    let own = path.strip_prefix('/').unwrap_or(path).split('/');
    for part in folder.split('/').skip(1).chain(own) {
        is_dotted = matches!(part, "." | "..");
        match part {
            "." => {}
            ".." => whole.truncate(whole.rfind('/').unwrap_or(0)),
            part => {
                whole.push('/');
                whole.push_str(part);
            }
        }
    }
    // A folder is left, not a file of its name.
    if is_dotted || whole.is_empty() {
        whole.push('/');
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(key: &str, html: &str) -> Vec<String> {
        html_links(key, html.as_bytes()).into_iter().collect()
    }

    #[test]
    fn references_are_found() {
        for (html, expected) in [
            (r#"<a href="/a.html">"#, vec!["a.html"]),
            (r#"<A HREF='b.html?x#y' class=z>"#, vec!["posts/b.html"]),
            (
                r#"<link rel=stylesheet href=/css/style.css>"#,
                vec!["css/style.css"],
            ),
            (
                r#"<img src="../i/a%20b.png" alt="a > b"/>"#,
                vec!["i/a b.png"],
            ),
            (
                r#"<img srcset="/a.png 1x, /b,c.png 2x">"#,
                vec!["a.png", "b,c.png"],
            ),
            (r#"<a href="/">"#, vec![""]),
            (r#"<a href="./">"#, vec!["posts/"]),
            (r#"<a href="..">"#, vec![""]),
            (r#"<a href="/x/">"#, vec!["x/"]),
            (
                r#"<a href="/a&amp;b&#39;&#x63;&nope;">"#,
                vec!["a&b'c&nope;"],
            ),
            (
                r#"<a href="https://other.example/q"><a href="mailto:a@b"><a href="data:x,y"><a href="//cdn/x">"#,
                vec![],
            ),
            (r##"<a href="#top"><a href=""><a href="?q=1">"##, vec![]),
            (r#"<!-- <a href="/no"> --><a href="/yes">"#, vec!["yes"]),
            (
                r#"<script src="/s.js">let a = '<a href="/no">';</SCRIPT><a href="/yes">"#,
                vec!["s.js", "yes"],
            ),
            (
                r#"<style>@import "a.css"; b { background: url( "/i.png" ) }</style>"#,
                vec!["i.png", "posts/a.css"],
            ),
            (
                r#"<style>url(/a.png</STYLE><a href="/b">"#,
                vec!["a.png", "b"],
            ),
            (r#"<p style="background:url('/i.png')">"#, vec!["i.png"]),
            (
                r#"<meta http-equiv=refresh content="0; url=/new/">"#,
                vec!["new/"],
            ),
            (r#"<base href="/docs/x"><a href="y">"#, vec!["docs/y"]),
            ("<a href", vec![]),
            ("<a href=\"/unclosed", vec![]),
            ("a < b <3 <", vec![]),
        ] {
            assert_eq!(links("posts/index.html", html), expected, "{html}");
        }
    }

    #[test]
    fn a_style_sheet_refers_to_its_images() {
        let css = "<style>@import url(x.css); a { src: url('../f.woff2?v=1') format('woff2'), url(data:abc) } b { c: url(";
        assert_eq!(links("css/style.html", css), ["css/x.css", "f.woff2"]);
    }

    #[test]
    fn a_reference_is_taken_apart() {
        let path = |path, fragment| {
            Some(Reference {
                host: None,
                insecure: false,
                path,
                fragment,
            })
        };
        let host = |insecure, host, path| {
            Some(Reference {
                host: Some(host),
                insecure,
                path,
                fragment: None,
            })
        };
        for (text, expected) in [
            ("", path("", None)),
            ("#a?b", path("", Some("a?b"))),
            ("a/b?c#d", path("a/b", Some("d"))),
            ("a/b:c", path("a/b:c", None)),
            ("//h/x", host(false, "h", "/x")),
            ("HTTPS://u:p@h:8443", host(false, "h:8443", "")),
            ("http://h/x?y", host(true, "h", "/x")),
            ("https:x", None),
            ("mailto:a@b", None),
            ("javascript:void(0)", None),
            ("x:y", None),
        ] {
            assert_eq!(Reference::read(text), expected, "{text}");
        }
        assert_eq!(plain("a\\b\n/c?d\\"), "a/b/c?d\\");
        assert_eq!(plain("%2e%2E/%2f#%2e"), "../%2f#%2e");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes: Vec<u8>, html in "[<>a-z=\"'/&;#!. -]{0,80}(<a href=|<style>url\\(|</|&#x|srcset=)?[<>a-z\"'/&,;é ]{0,20}") {
            html_links("a/b", &bytes);
            html_links("a/b", html.as_bytes());
        }

        #[test]
        fn a_path_never_leaves_the_site(base in "/[a-c/.]{0,8}", reference in "[a-c/.%2Ee]{0,12}") {
            let path = joined(&base, &reference);
            let mut parts = path.split('/');
            proptest::prop_assert_eq!(parts.next(), Some(""));
            proptest::prop_assert!(!parts.any(|part| matches!(part, "." | "..")), "{}", path);
        }
    }
}
