//! The `_headers` file of Netlify and Cloudflare Pages, read into header rules.
//!
//! One difference remains: where several blocks set a header for one path, those services join the values; here the
//! later block wins, as among all rules.

use super::header_rule::HeaderRule;
use super::rule_check::is_header_name;
use super::unserved::{HeaderScope, UnkeptHeader};
use crate::object::key::file_name;

/// A fault in a line of `_headers` or `_redirects`, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LineError {
    /// From 1.
    pub line: usize,
    pub problem: String,
}

/// What a `_headers` file says, with the lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadersFile {
    /// With the line of the path.
    pub rules: Vec<(usize, HeaderRule)>,
    /// With the line of the header.
    pub unkept: Vec<(usize, UnkeptHeader)>,
}

/// Reads a file line by line. All that is wrong is told at once.
pub(super) fn read_lines<'a>(
    text: &'a str,
    mut read: impl FnMut(usize, &'a str) -> Result<(), String>,
) -> Result<(), Vec<LineError>> {
    let lines = (1..).zip(text.trim_start_matches('\u{feff}').lines());
    let errors = lines.filter_map(|(line, content)| {
        let problem = read(line, content).err()?;
        Some(LineError { line, problem })
    });
    let errors: Vec<LineError> = errors.collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

/// Reads the file.
pub fn parse(text: &str) -> Result<HeadersFile, Vec<LineError>> {
    let mut file = HeadersFile::default();
    let mut path = None;
    read_lines(text, |line, content| {
        let trimmed = content.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return Ok(());
        }
        if !content.starts_with([' ', '\t']) {
            path = Some(trimmed);
            return file.begin(line, trimmed);
        }
        let path = path.ok_or(
            "a header before any path; begin a line with the path that it is for, such as \"/*\"",
        )?;
        file.add(line, path, trimmed)
    })?;
    // A path without headers that S3 keeps sets nothing.
    file.rules.retain(|(_, rule)| !rule.is_empty());
    Ok(file)
}

impl HeadersFile {
    /// Begins the headers of a path, or of a URL, which no rule can be for.
    fn begin(&mut self, line: usize, path: &str) -> Result<(), String> {
        let is_url = path.starts_with("https://") || path.starts_with("http://");
        let patterns = if is_url { Vec::new() } else { globs(path)? };
        self.rules.push((line, HeaderRule::empty(patterns)));
        Ok(())
    }

    /// Adds `Name: value`, or `! Name`, which takes a header away that an earlier rule set.
    fn add(&mut self, line: usize, path: &str, text: &str) -> Result<(), String> {
        let (name, value) = header(text)?;
        if name.eq_ignore_ascii_case("basic-auth") {
            // To publish what was to be kept from most people cannot be taken back, so that a warning is not enough.
            return Err("S3 asks for no passwords, and everybody would see these pages; leave the line out, and write `password = \"env:NAME\"` in deploy.toml, which is for the whole site".to_owned());
        }
        let scope = HeaderScope::Path(path.to_owned());
        let rule = self.rules.last_mut().map(|(_, rule)| rule);
        let rule = rule.filter(|_| !scope.has_host());
        if !rule.is_some_and(|rule| set(rule, name, value)) {
            let (name, value) = (name.to_owned(), value.to_owned());
            self.unkept
                .push((line, UnkeptHeader { scope, name, value }));
        }
        Ok(())
    }
}

/// Returns the globs on keys that a path stands for: `*` is any text, `:name` one segment; `/about` and `/about/` are also the
/// pages that answer there.
pub(super) fn globs(path: &str) -> Result<Vec<String>, String> {
    let Some(relative) = path.strip_prefix('/') else {
        let hint = if path.contains(':') {
            "reads as a header, but is not indented; put two spaces before it".to_owned()
        } else {
            format!("has to begin with \"/\"; write {:?}", format!("/{path}"))
        };
        return Err(format!("{path:?} {hint}"));
    };
    if path.contains(char::is_whitespace) {
        return Err(format!("{path:?} has a space, which a path has as \"%20\""));
    }
    let decoded = percent_encoding::percent_decode_str(relative)
        .decode_utf8()
        .map_err(|_| {
            format!("{path:?} is not UTF-8 once decoded; write it as a browser shows it")
        })?;
    let mut parts = decoded.split('*');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(before), Some(after), None) => Ok(splat(&glob(before), &glob(after))),
        (_, None, _) => Ok(exact(&decoded)),
        _ => Err(format!(
            "{path:?} has more than one \"*\"; keep one, and write \":name\" for a single segment"
        )),
    }
}

/// Writes a part of a path as a glob; a placeholder is any one segment.
fn glob(path: &str) -> String {
    let segments = path
        .split('/')
        .map(|segment| match segment.strip_prefix(':') {
            Some(name) if name.starts_with(|c: char| c.is_ascii_alphabetic()) => "*".to_owned(),
            _ => escape(segment),
        });
    segments.collect::<Vec<_>>().join("/")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\' | '!') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Returns globs for one path and the pages that answer there; not for what lies below it, which a glob on a folder would take.
fn exact(path: &str) -> Vec<String> {
    let glob = glob(path);
    let bare = glob.trim_end_matches('/');
    if bare.is_empty() {
        return vec!["/index.html".to_owned()];
    }
    if path.ends_with('/') {
        return vec![format!("/{bare}/index.html")];
    }
    let mut globs = vec![format!("/{bare}"), format!("!/{bare}/**")];
    if !file_name(path).contains('.') {
        globs.extend([format!("/{bare}.html"), format!("/{bare}/index.html")]);
    }
    globs
}

/// Returns globs for a path with a `*`, which takes any text, `/` too.
fn splat(before: &str, after: &str) -> Vec<String> {
    let folder = before.is_empty() || before.ends_with('/');
    let nested = if after.is_empty() || after.starts_with('/') {
        format!("**{after}")
    } else {
        format!("**/*{after}")
    };
    if folder {
        return vec![format!("/{before}{nested}")];
    }
    vec![format!("/{before}*{after}"), format!("/{before}*/{nested}")]
}

/// Reads a name and its value; that of `! Name` is empty.
fn header(line: &str) -> Result<(&str, &str), String> {
    let (name, value) = if let Some(name) = line.strip_prefix('!') {
        (name.trim(), "")
    } else {
        let (name, value) = line.split_once(':').ok_or_else(|| {
            format!(
                "{line:?} is not a header; write \"Name: value\", or \"! Name\" to take one away"
            )
        })?;
        let (name, value) = (name.trim(), value.trim());
        if value.is_empty() {
            return Err(format!(
                "{name:?} has no value; write \"! {name}\" to take the header away"
            ));
        }
        (name, value)
    };
    if !is_header_name(name) {
        return Err(format!(
            "{name:?} is not a header's name; write letters, digits and \"-\""
        ));
    }
    if value.contains(char::is_control) {
        return Err(format!(
            "the value of {name:?} holds a control character; leave it out"
        ));
    }
    Ok((name, value))
}

/// Sets a header that S3 keeps; false for another.
fn set(rule: &mut HeaderRule, name: &str, value: &str) -> bool {
    let folded = name.to_ascii_lowercase();
    let field = match folded.as_str() {
        "cache-control" => &mut rule.cache_control,
        "content-type" => &mut rule.content_type,
        "content-disposition" => &mut rule.content_disposition,
        "content-language" => &mut rule.content_language,
        "content-encoding" => &mut rule.content_encoding,
        _ => {
            let Some(meta) = folded.strip_prefix("x-amz-meta-") else {
                return false;
            };
            let own = rule.metadata.entry(meta.to_owned()).or_default();
            *own = join(own, value);
            return true;
        }
    };
    *field = Some(join(field.as_deref().unwrap_or_default(), value));
    true
}

/// Joins the values of a header given twice in a block (Cloudflare Pages, "Headers"); an empty one takes it away.
pub(super) fn join(earlier: &str, value: &str) -> String {
    if earlier.is_empty() || value.is_empty() {
        return value.to_owned();
    }
    format!("{earlier}, {value}")
}

#[cfg(test)]
mod tests {
    use super::super::fingerprinted::siblings::NameVerdict;
    use super::super::header_rules::{HeaderRules, MatchedRules, ObjectFacts};
    use super::*;

    #[test]
    fn a_path_matches_the_keys_that_answer_there() {
        for (path, hits, misses) in [
            ("/*", vec!["a", "x/y.html"], vec![]),
            ("/", vec!["index.html"], vec!["a/index.html"]),
            (
                "/about",
                vec!["about", "about.html", "about/index.html"],
                vec!["about/x.html", "x/about", "about.css"],
            ),
            (
                "/about/",
                vec!["about/index.html"],
                vec!["about.html", "about/x"],
            ),
            ("/a.txt", vec!["a.txt"], vec!["a.txt/b", "x/a.txt"]),
            (
                "/static/*",
                vec!["static/a", "static/b/c.css"],
                vec!["x/static/a", "statics/a"],
            ),
            ("/*.js", vec!["a.js", "x/y/b.js"], vec!["a.css"]),
            (
                "/img-*",
                vec!["img-a.png", "img-x/y.png"],
                vec!["x/img-a.png", "img/a"],
            ),
            (
                "/a/*/z.css",
                vec!["a/b/z.css", "a/b/c/z.css"],
                vec!["a/z.js", "z.css"],
            ),
            (
                "/movies/:title",
                vec!["movies/x", "movies/x.html", "movies/x/index.html"],
                vec!["movies/x/y.html"],
            ),
            ("/%EA%B8%80/a%20b.png", vec!["글/a b.png"], vec![]),
            ("/a[1]{b}?.txt", vec!["a[1]{b}?.txt"], vec!["a1bx.txt"]),
        ] {
            let text = format!("{path}\n  Cache-Control: x");
            let parsed: Vec<_> = parse(&text)
                .unwrap()
                .rules
                .into_iter()
                .map(|(_, rule)| rule)
                .collect();
            let rules = HeaderRules::compile(parsed).unwrap();
            let facts = ObjectFacts {
                content_type: "text/plain",
                error_document: false,
                part: None,
                name: NameVerdict::Plain,
            };
            let mut matched = MatchedRules::default();
            let mut hit = |key: &str| {
                rules
                    .headers_for(key, &facts, &mut matched)
                    .headers
                    .cache_control
                    .as_deref()
                    == Some("x")
            };
            for key in hits {
                assert!(hit(key), "{path} should match {key}");
            }
            for key in misses {
                assert!(!hit(key), "{path} should not match {key}");
            }
        }
    }

    #[test]
    fn a_block_is_a_rule() {
        let text = "\u{feff}# all\n/*\n\tCache-Control: max-age=1\n\tcache-control: public\n\n  # inside\n  X-Amz-Meta-A: b:c\r\n/a\n\
                    /b.css\n  ! Cache-Control\n  Content-Type: text/css\n";
        let rules = parse(text).unwrap().rules;
        let lines: Vec<usize> = rules.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 9]);
        let all = &rules[0].1;
        assert_eq!(all.cache_control.as_deref(), Some("max-age=1, public"));
        assert_eq!(all.metadata.get("a").map(String::as_str), Some("b:c"));
        assert_eq!(rules[1].1.cache_control.as_deref(), Some(""));
        assert_eq!(rules[1].1.content_type.as_deref(), Some("text/css"));
        assert_eq!(parse(""), Ok(HeadersFile::default()));
    }

    #[test]
    fn what_s3_does_not_keep_is_remembered() {
        let text = "/*\n  X-Frame-Options: DENY\n  Cache-Control: x\n  ! Server\n/a\n  Link: </b.css>; rel=preload\n  Link: </c.js>\n\
                    https://:project.example/*\n  Cache-Control: y\n  X-Robots-Tag: noindex\n";
        let file = parse(text).unwrap();
        let lines: Vec<usize> = file.rules.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1]);
        let shown = |(line, header): &(usize, UnkeptHeader)| {
            let HeaderScope::Path(path) = &header.scope else {
                panic!("{header:?}");
            };
            format!("{line} {path} {}={}", header.name, header.value)
        };
        assert_eq!(
            file.unkept.iter().map(shown).collect::<Vec<_>>(),
            [
                "2 /* X-Frame-Options=DENY",
                "4 /* Server=",
                "6 /a Link=</b.css>; rel=preload",
                "7 /a Link=</c.js>",
                "9 https://:project.example/* Cache-Control=y",
                "10 https://:project.example/* X-Robots-Tag=noindex",
            ]
        );
        assert!(file.unkept[4].1.scope.has_host() && !file.unkept[0].1.scope.has_host());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, told) in [
            ("  Cache-Control: x", 1, "before any path"),
            ("/*\nCache-Control: x", 2, "not indented"),
            ("about\n  Cache-Control: x", 1, "\"/about\""),
            ("ftp://a.b/*\n  Cache-Control: x", 1, "not indented"),
            ("/*\n\n  X Frame: DENY", 3, "not a header's name"),
            ("/*\n  X-A: b\u{1}c", 2, "control character"),
            ("https://a.b/*\n  Basic-Auth: a:b", 2, "`password"),
            ("/*\n  Basic-Auth: a:b", 2, "`password"),
            ("/*\n  Cache-Control", 2, "Name: value"),
            ("/*\n  Cache-Control:", 2, "! Cache-Control"),
            ("/a b\n  Cache-Control: x", 1, "%20"),
            ("/*/*\n  Cache-Control: x", 1, ":name"),
        ] {
            let errors = parse(text).expect_err(text);
            let [error] = errors.as_slice() else {
                panic!("{text}: {errors:?}");
            };
            assert_eq!(error.line, line, "{text}: {error}");
            assert!(error.to_string().contains(told), "{text}: {error}");
        }
        assert_eq!(
            parse("/*\n  A b\n  C:").map_err(|errors| errors.len()),
            Err(2)
        );
    }

    proptest::proptest! {
        #[test]
        fn no_file_is_too_odd(text in "(?s).{0,80}", lines in "((/|  |\\t)?[a-z:*!\\[{\\\\/%]{0,8}(: [a-z])?\n){0,6}") {
            for text in [text, lines] {
                if let Ok(file) = parse(&text) {
                    let _ = HeaderRules::compile(file.rules.into_iter().map(|(_, rule)| rule).collect());
                }
            }
        }
    }
}
