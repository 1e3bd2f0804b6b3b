//! What a page or a style sheet refers to within its own site. Quick and forgiving: for the order of uploads and for
//! tests, not for browsers.

use std::collections::BTreeSet;

use percent_encoding::percent_decode;

/// The most references that are gathered from one file: beyond, order is no longer worth its price.
pub const MAX_LINKS: usize = 20_000;

/// What `html`, the page of this key, refers to, as request paths without their leading `/`: decoded, without query and
/// fragment; `""` is the root, `posts/` a folder. `hosts` are the site's own names in absolute URLs; `*` is any.
pub fn html_links(key: &str, html: &[u8], hosts: &[&str]) -> BTreeSet<String> {
    let mut found = Found {
        base: key.to_owned(),
        hosts,
        links: BTreeSet::new(),
    };
    let mut rest = html;
    while let Some(at) = find(rest, b"<") {
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some(comment) = rest.strip_prefix(b"!--") {
            rest = after(comment, b"-->");
            continue;
        }
        let length = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count();
        let name = rest.get(..length).unwrap_or_default().to_ascii_lowercase();
        if name.is_empty() {
            continue;
        }
        rest = found.tag(&name, rest.get(length..).unwrap_or_default());
        match name.as_slice() {
            b"script" => rest = skip_to_end(rest, b"</script"),
            b"style" => {
                let end = rest.len() - skip_to_end(rest, b"</style").len();
                found.css(rest.get(..end).unwrap_or_default());
                rest = rest.get(end..).unwrap_or_default();
            }
            _ => {}
        }
    }
    found.links
}

/// What the style sheet of this key refers to; as [`html_links`].
pub fn css_links(key: &str, css: &[u8], hosts: &[&str]) -> BTreeSet<String> {
    let mut found = Found {
        base: key.to_owned(),
        hosts,
        links: BTreeSet::new(),
    };
    found.css(css);
    found.links
}

/// The path that `reference` leads to from the file of key `base`, or `None` where it leaves the site or is none.
pub fn resolve(base: &str, reference: &str, hosts: &[&str]) -> Option<String> {
    let reference = reference.trim_matches(|c: char| c.is_ascii_whitespace());
    let reference = reference.split(['?', '#']).next().unwrap_or_default();
    if reference.is_empty() {
        return None;
    }
    let scheme = reference
        .split(['/', '?'])
        .next()
        .unwrap_or_default()
        .split_once(':')
        .map(|(scheme, _)| scheme);
    let rest = match scheme {
        Some(scheme)
            if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") =>
        {
            reference
                .get(scheme.len() + 1..)?
                .strip_prefix("//")
                .map(|after| (true, after))?
        }
        Some(_) => return None,
        None => match reference.strip_prefix("//") {
            Some(after) => (true, after),
            None => (false, reference),
        },
    };
    let path = match rest {
        (true, after) => {
            let (host, path) = after.split_once('/').unwrap_or((after, ""));
            let ours = hosts
                .iter()
                .any(|own| *own == "*" || own.eq_ignore_ascii_case(host));
            ours.then(|| format!("/{path}"))?
        }
        (false, path) => path.to_owned(),
    };
    let absolute = path.starts_with('/');
    let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
    let joined = if absolute {
        path
    } else {
        format!("{folder}/{path}")
    };
    let decoded = percent_decode(normal(&joined).as_bytes())
        .decode_utf8()
        .ok()?
        .into_owned();
    Some(decoded)
}

/// Without `.`, `..` and doubled slashes at its start; RFC 3986, section 5.2.4.
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
            other => parts.push(other),
        }
    }
    let mut joined = parts.join("/");
    if open && !joined.is_empty() && !joined.ends_with('/') {
        joined.push('/');
    }
    joined
}

struct Found<'a> {
    /// The key that relative references start from.
    base: String,
    hosts: &'a [&'a str],
    links: BTreeSet<String>,
}

impl Found<'_> {
    fn add(&mut self, reference: &str) {
        if self.links.len() < MAX_LINKS
            && let Some(path) = resolve(&self.base, reference, self.hosts)
        {
            self.links.insert(path);
        }
    }

    /// Reads a tag's attributes; what follows the tag comes back.
    fn tag<'b>(&mut self, name: &[u8], mut rest: &'b [u8]) -> &'b [u8] {
        loop {
            let space = |byte: &&u8| byte.is_ascii_whitespace() || **byte == b'/';
            rest = rest
                .get(rest.iter().take_while(space).count()..)
                .unwrap_or_default();
            match rest.first() {
                None => return rest,
                Some(b'>') => return rest.get(1..).unwrap_or_default(),
                Some(_) => {}
            }
            let in_name =
                |byte: &&u8| !byte.is_ascii_whitespace() && !matches!(**byte, b'=' | b'>' | b'/');
            let length = rest.iter().take_while(in_name).count().max(1);
            let (attribute, after_name) = rest.split_at(length.min(rest.len()));
            let trimmed = after_name.trim_ascii_start();
            let Some(value) = trimmed.strip_prefix(b"=") else {
                rest = after_name;
                continue;
            };
            let (value, after_value) = attribute_value(value.trim_ascii_start());
            self.attribute(name, &attribute.to_ascii_lowercase(), value);
            rest = after_value;
        }
    }

    fn attribute(&mut self, tag: &[u8], name: &[u8], value: &[u8]) {
        let value = || unescape(&String::from_utf8_lossy(value));
        match name {
            b"href" if tag == b"base" => {
                if let Some(path) = resolve(&self.base, &value(), self.hosts) {
                    self.base = path;
                }
            }
            b"href" | b"src" | b"poster" | b"data" | b"action" | b"xlink:href" => {
                self.add(&value())
            }
            b"srcset" | b"imagesrcset" => {
                for candidate in value().split(", ").flat_map(|part| part.split(",\n")) {
                    let url = candidate
                        .split_ascii_whitespace()
                        .next()
                        .unwrap_or_default();
                    self.add(url.trim_end_matches(','));
                }
            }
            b"style" => self.css(value().as_bytes()),
            b"content" if tag == b"meta" => {
                let value = value();
                if let Some((_, url)) = value.split_once("url=") {
                    self.add(url.trim_matches(['\'', '"', ' ']));
                }
            }
            _ => {}
        }
    }

    fn css(&mut self, css: &[u8]) {
        for (mark, quoted_only) in [(b"url(".as_slice(), false), (b"@import".as_slice(), true)] {
            let mut rest = css;
            while let Some(at) = find(rest, mark) {
                rest = rest
                    .get(at + mark.len()..)
                    .unwrap_or_default()
                    .trim_ascii_start();
                let (value, after_value) = match rest.first() {
                    Some(b'"' | b'\'') => attribute_value(rest),
                    _ if quoted_only => continue,
                    _ => rest.split_at(find(rest, b")").unwrap_or(rest.len())),
                };
                // A longer one is a data URL, or no URL at all.
                if value.len() <= 4096 {
                    self.add(&String::from_utf8_lossy(value.trim_ascii()));
                }
                rest = after_value;
            }
        }
    }
}

/// An attribute's value in quotes or without, and what follows it.
fn attribute_value(text: &[u8]) -> (&[u8], &[u8]) {
    match text.split_first() {
        Some((quote @ (b'"' | b'\''), inner)) => {
            let end = find(inner, &[*quote]).unwrap_or(inner.len());
            (
                inner.get(..end).unwrap_or_default(),
                inner.get(end + 1..).unwrap_or_default(),
            )
        }
        _ => {
            let end = text
                .iter()
                .take_while(|byte| !byte.is_ascii_whitespace() && **byte != b'>')
                .count();
            text.split_at(end)
        }
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    let first = *what.first()?;
    let mut from = 0;
    while let Some(at) = text.get(from..)?.iter().position(|byte| *byte == first) {
        if text.get(from + at..)?.starts_with(what) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

fn after<'a>(text: &'a [u8], what: &[u8]) -> &'a [u8] {
    find(text, what)
        .and_then(|at| text.get(at + what.len()..))
        .unwrap_or_default()
}

/// From the end tag on, in whichever case it is written.
fn skip_to_end<'a>(text: &'a [u8], tag: &[u8]) -> &'a [u8] {
    let mut rest = text;
    while let Some(at) = find(rest, b"</") {
        rest = rest.get(at..).unwrap_or_default();
        if rest
            .get(..tag.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(tag))
        {
            return rest;
        }
        rest = rest.get(2..).unwrap_or_default();
    }
    &[]
}

/// The character references that URLs in attributes are written with.
fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let end = from.bytes().take(10).position(|byte| byte == b';');
        let read = end.and_then(|end| Some((reference(from.get(1..end)?)?, end + 1)));
        let (character, length) = read.unwrap_or(('&', 1));
        plain.push(character);
        rest = from.get(length..).unwrap_or_default();
    }
    plain + rest
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

    fn of(key: &str, html: &str) -> Vec<String> {
        html_links(key, html.as_bytes(), &["www.example.com"])
            .into_iter()
            .collect()
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
            (r#"<a href="https://www.example.com/q">"#, vec!["q"]),
            (r#"<a href="//WWW.example.com">"#, vec![""]),
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
            assert_eq!(of("posts/index.html", html), expected, "{html}");
        }
    }

    #[test]
    fn a_style_sheet_refers_to_its_images() {
        let css = "@import url(x.css); a { src: url('../f.woff2?v=1') format('woff2'), url(data:abc) } b { c: url(";
        let found = css_links("css/style.css", css.as_bytes(), &[]);
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            ["css/x.css", "f.woff2"]
        );
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes: Vec<u8>, html in "[<>a-z=\"'/&;#!. -]{0,80}(<a href=|<style>url\\(|</|&#x|srcset=)?[<>a-z\"'/&,;é ]{0,20}") {
            html_links("a/b", &bytes, &[]);
            html_links("a/b", html.as_bytes(), &["h"]);
            css_links("", &bytes, &[]);
            css_links("", html.as_bytes(), &[]);
        }

        #[test]
        fn a_path_never_leaves_the_site(base in "[a-c/.]{0,8}", reference in "[a-c/.%2Ee]{0,12}") {
            if let Some(path) = resolve(&base, &reference, &[]) {
                proptest::prop_assert!(!path.starts_with('/') || reference.contains("//") || reference.contains('%') || base.contains("//"), "{}", path);
            }
        }
    }
}
