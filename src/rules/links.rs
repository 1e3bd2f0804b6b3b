//! Finds what a page refers to within its own site. Quick and forgiving: for digests, renamed pages and tests, not for browsers.

use std::collections::BTreeSet;

use percent_encoding::percent_decode;

/// The most references that are gathered from one file: beyond, more of them tell no more.
const MAX_LINKS: usize = 20_000;
/// The most bytes of a URL in a style sheet: a longer one is a data URL, or no URL at all.
const MAX_URL_BYTES: usize = 4096;

/// Returns what `html`, the page of this key, refers to, as request paths without their leading `/`: decoded, without query
/// and fragment; `""` is the root, `posts/` a folder. URLs with a host are left out.
pub fn html_links(key: &str, html: &[u8]) -> BTreeSet<String> {
    let mut reader = LinkReader {
        base: key.to_owned(),
        links: BTreeSet::new(),
    };
    let mut rest = html;
    while let Some((_, after)) = split_once(rest, b"<") {
        if let Some(comment) = after.strip_prefix(b"!--") {
            rest = split_once(comment, b"-->").map_or(&[], |(_, after)| after);
            continue;
        }
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric();
        let (name, attributes) = after.split_at(after.iter().take_while(is_name).count());
        if name.is_empty() {
            rest = attributes;
            continue;
        }
        let name = name.to_ascii_lowercase();
        rest = reader.tag(&name, attributes);
        match name.as_slice() {
            b"script" => (_, rest) = split_at_end(rest, b"script"),
            b"style" => {
                let (css, left) = split_at_end(rest, b"style");
                reader.css(css);
                rest = left;
            }
            _ => {}
        }
    }
    reader.links
}

/// Returns the path that `reference` leads to from the file of key `base`, or `None` where it leaves the site or is none.
fn resolve(base: &str, reference: &str) -> Option<String> {
    let reference = reference.trim_matches(|c: char| c.is_ascii_whitespace());
    let end = reference.find(['?', '#']).unwrap_or(reference.len());
    let (path, _) = reference.split_at(end);
    let (head, _) = path.split_once('/').unwrap_or((path, ""));
    let has_scheme = head.contains(':');
    if path.is_empty() || has_scheme || path.starts_with("//") {
        return None;
    }
    let folder = match base.rsplit_once('/') {
        Some((folder, _)) if !path.starts_with('/') => folder,
        _ => "",
    };
    let normal = normal(&format!("{folder}/{path}"));
    let decoded = percent_decode(normal.as_bytes()).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// Writes a path without `.`, `..` and doubled slashes at its start; RFC 3986, section 5.2.4.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut open = false;
    for part in path.trim_start_matches('/').split('/') {
        open = matches!(part, "." | ".." | "");
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut joined = parts.join("/");
    if open && !joined.is_empty() && !joined.ends_with('/') {
        joined.push('/');
    }
    joined
}

/// Gathers the links of one file.
struct LinkReader {
    /// The key that relative references start from.
    base: String,
    links: BTreeSet<String>,
}

impl LinkReader {
    fn add(&mut self, reference: &str) {
        if self.links.len() < MAX_LINKS
            && let Some(path) = resolve(&self.base, reference)
        {
            self.links.insert(path);
        }
    }

    /// Reads a tag's attributes and returns what follows the tag.
    fn tag<'b>(&mut self, name: &[u8], mut rest: &'b [u8]) -> &'b [u8] {
        let is_space = |byte: &&u8| byte.is_ascii_whitespace() || **byte == b'/';
        let is_name = |byte: &&u8| !is_space(byte) && !matches!(**byte, b'=' | b'>');
        loop {
            (_, rest) = rest.split_at(rest.iter().take_while(is_space).count());
            if let Some(after) = rest.strip_prefix(b">") {
                return after;
            }
            let length = rest.iter().take_while(is_name).count().max(1);
            let Some((attribute, after_name)) = rest.split_at_checked(length) else {
                return rest;
            };
            let Some(value) = after_name.trim_ascii_start().strip_prefix(b"=") else {
                rest = after_name;
                continue;
            };
            let (value, after_value) = split_value(value.trim_ascii_start());
            self.attribute(name, &attribute.to_ascii_lowercase(), value);
            rest = after_value;
        }
    }

    fn attribute(&mut self, tag: &[u8], name: &[u8], value: &[u8]) {
        let value = || unescape(&String::from_utf8_lossy(value));
        match name {
            b"href" if tag == b"base" => {
                if let Some(path) = resolve(&self.base, &value()) {
                    self.base = path;
                }
            }
            b"href" | b"src" | b"poster" | b"data" | b"action" | b"xlink:href" => {
                self.add(&value())
            }
            b"srcset" | b"imagesrcset" => {
                for candidate in value().split(", ").flat_map(|part| part.split(",\n")) {
                    if let Some(url) = candidate.split_ascii_whitespace().next() {
                        self.add(url.trim_end_matches(','));
                    }
                }
            }
            b"style" => self.css(value().as_bytes()),
            b"content" if tag == b"meta" => {
                if let Some((_, url)) = value().split_once("url=") {
                    self.add(url.trim_matches(['\'', '"', ' ']));
                }
            }
            _ => {}
        }
    }

    fn css(&mut self, css: &[u8]) {
        for (mark, quoted_only) in [(b"url(".as_slice(), false), (b"@import".as_slice(), true)] {
            let mut rest = css;
            while let Some((_, after)) = split_once(rest, mark) {
                rest = after.trim_ascii_start();
                let (value, after_value) = match rest.first() {
                    Some(b'"' | b'\'') => split_value(rest),
                    _ if quoted_only => continue,
                    _ => split_once(rest, b")").unwrap_or((rest, &[])),
                };
                if value.len() <= MAX_URL_BYTES {
                    self.add(&String::from_utf8_lossy(value.trim_ascii()));
                }
                rest = after_value;
            }
        }
    }
}

/// Splits a text into the value that it begins with, in quotes or without, and what follows it.
fn split_value(text: &[u8]) -> (&[u8], &[u8]) {
    match text.split_first() {
        Some((quote @ (b'"' | b'\''), inner)) => {
            split_once(inner, &[*quote]).unwrap_or((inner, &[]))
        }
        _ => {
            let is_value = |byte: &&u8| !byte.is_ascii_whitespace() && **byte != b'>';
            text.split_at(text.iter().take_while(is_value).count())
        }
    }
}

/// Splits a text around the first place at which it holds `mark`.
fn split_once<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let first = mark.first()?;
    let mut start = 0;
    loop {
        start += (text.get(start..)?.iter()).position(|byte| byte == first)?;
        let (before, rest) = text.split_at(start);
        if let Some(after) = rest.strip_prefix(mark) {
            return Some((before, after));
        }
        start += 1;
    }
}

/// Splits a text before the end tag of this name, in whichever case that is written.
fn split_at_end<'a>(text: &'a [u8], name: &[u8]) -> (&'a [u8], &'a [u8]) {
    let mut length = 0;
    while let Some((before, after)) = split_once(text.split_at(length).1, b"</") {
        length += before.len();
        let head = after.get(..name.len());
        if head.is_some_and(|head| head.eq_ignore_ascii_case(name)) {
            return text.split_at(length);
        }
        length += 2;
    }
    (text, &[])
}

/// Reads the character references that URLs in attributes are written with.
fn unescape(text: &str) -> String {
    let Some((before, rest)) = text.split_once('&') else {
        return text.to_owned();
    };
    let mut plain = before.to_owned();
    for part in rest.split('&') {
        let named = part.split_once(';').filter(|(name, _)| name.len() <= 8);
        match named.and_then(|(name, after)| Some((reference(name)?, after))) {
            Some((character, after)) => {
                plain.push(character);
                plain.push_str(after);
            }
            None => plain.extend(["&", part]),
        }
    }
    plain
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "lt" => Some('<'),
        "gt" => Some('>'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
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
            ("<a href=\"/unclosed", vec!["unclosed"]),
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

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes: Vec<u8>, html in "[<>a-z=\"'/&;#!. -]{0,80}(<a href=|<style>url\\(|</|&#x|srcset=)?[<>a-z\"'/&,;é ]{0,20}") {
            html_links("a/b", &bytes);
            html_links("a/b", html.as_bytes());
        }

        #[test]
        fn a_path_never_leaves_the_site(base in "[a-c/.]{0,8}", reference in "[a-c/.%2Ee]{0,12}") {
            if let Some(path) = resolve(&base, &reference) {
                proptest::prop_assert!(!path.starts_with('/') || reference.contains("//") || reference.contains('%') || base.contains("//"), "{}", path);
            }
        }
    }
}
