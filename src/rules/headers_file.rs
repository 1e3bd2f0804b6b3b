//! The `_headers` file of Netlify and Cloudflare Pages, read into header rules.
//!
//! One difference remains: where several blocks set a header for one path, those services join the values; here the
//! later block wins, as among all rules.

use super::header_rule::HeaderRule;
use crate::object::key::file_name;

/// A fault in a line of `_headers` or `_redirects`, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LineError {
    /// From 1.
    pub line: usize,
    pub problem: String,
}

/// Reads the rules with the line that each begins at. All that is wrong is told at once.
pub fn parse(text: &str) -> Result<Vec<(usize, HeaderRule)>, Vec<LineError>> {
    let mut rules: Vec<(usize, HeaderRule)> = Vec::new();
    let mut errors = Vec::new();
    for (line, content) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let trimmed = content.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let read = if content.starts_with([' ', '\t']) {
            match rules.last_mut() {
                // Its path could not be read, which is told already.
                Some((_, rule)) if rule.patterns.is_empty() => Ok(()),
                Some((_, rule)) => header(rule, trimmed),
                None => Err("a header before any path; begin a line with the path that it is for, such as \"/*\"".to_owned()),
            }
        } else {
            let (patterns, read) = match globs(trimmed) {
                Ok(patterns) => (patterns, Ok(())),
                Err(problem) => (Vec::new(), Err(problem)),
            };
            rules.push((line, HeaderRule::empty(patterns)));
            read
        };
        errors.extend(read.err().map(|problem| LineError { line, problem }));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    // A path without headers sets nothing.
    rules.retain(|(_, rule)| !rule.is_empty());
    Ok(rules)
}

/// Returns the globs on keys that a path stands for: `*` is any text, `:name` one segment; `/about` and `/about/` are also the
/// pages that answer there.
fn globs(path: &str) -> Result<Vec<String>, String> {
    if path.contains("://") {
        return Err(format!(
            "{path:?} names a host, and one bucket cannot tell hosts apart; write the path alone"
        ));
    }
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

/// Reads `Name: value`, or `! Name`, which takes a header away that an earlier rule set.
fn header(rule: &mut HeaderRule, line: &str) -> Result<(), String> {
    if let Some(name) = line.strip_prefix('!') {
        return set(rule, name.trim(), None);
    }
    let Some((name, value)) = line.split_once(':') else {
        return Err(format!(
            "{line:?} is no header; write \"Name: value\", or \"! Name\" to take one away"
        ));
    };
    match value.trim() {
        "" => Err(format!(
            "{name:?} has no value; write \"! {name}\" to take the header away"
        )),
        value => set(rule, name.trim(), Some(value)),
    }
}

fn set(rule: &mut HeaderRule, name: &str, value: Option<&str>) -> Result<(), String> {
    let folded = name.to_ascii_lowercase();
    let field = match folded.as_str() {
        "cache-control" => &mut rule.cache_control,
        "content-type" => &mut rule.content_type,
        "content-disposition" => &mut rule.content_disposition,
        "content-language" => &mut rule.content_language,
        "content-encoding" => &mut rule.content_encoding,
        "basic-auth" => {
            return Err("S3 asks for no passwords; write a CloudFront Function that checks the Authorization header".to_owned());
        }
        _ => {
            let Some(meta) = folded.strip_prefix("x-amz-meta-") else {
                return Err(cannot_send(name));
            };
            let joined = join(rule.metadata.get(meta).cloned(), value);
            rule.metadata.insert(meta.to_owned(), joined);
            return Ok(());
        }
    };
    *field = Some(join(field.take(), value));
    Ok(())
}

/// Joins the values of a header given twice in a block (Cloudflare Pages, "Headers").
fn join(earlier: Option<String>, value: Option<&str>) -> String {
    match (earlier.filter(|text| !text.is_empty()), value) {
        (Some(earlier), Some(value)) => format!("{earlier}, {value}"),
        (_, value) => value.unwrap_or_default().to_owned(),
    }
}

fn cannot_send(name: &str) -> String {
    format!(
        "S3 cannot send {name}; it sends Cache-Control, Content-Type, Content-Disposition, Content-Language, \
         Content-Encoding and x-amz-meta-*. Put it into a CloudFront response headers policy and leave the line out"
    )
}

#[cfg(test)]
mod tests {
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
                .into_iter()
                .map(|(_, rule)| rule)
                .collect();
            let rules = HeaderRules::compile(parsed).unwrap();
            let facts = ObjectFacts {
                content_type: "text/plain",
                error_document: false,
                part: None,
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
        let rules = parse(text).unwrap();
        let lines: Vec<usize> = rules.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 9]);
        let all = &rules[0].1;
        assert_eq!(all.cache_control.as_deref(), Some("max-age=1, public"));
        assert_eq!(all.metadata.get("a").map(String::as_str), Some("b:c"));
        assert_eq!(rules[1].1.cache_control.as_deref(), Some(""));
        assert_eq!(rules[1].1.content_type.as_deref(), Some("text/css"));
        assert_eq!(parse(""), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, told) in [
            ("  Cache-Control: x", 1, "before any path"),
            ("/*\nCache-Control: x", 2, "not indented"),
            ("about\n  Cache-Control: x", 1, "\"/about\""),
            ("https://a.b/*\n  Cache-Control: x", 1, "path alone"),
            (
                "/*\n\n  X-Frame-Options: DENY",
                3,
                "response headers policy",
            ),
            ("/*\n  Basic-Auth: a:b", 2, "Authorization"),
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
            parse("/*\n  A: b\n  C: d").map_err(|errors| errors.len()),
            Err(2)
        );
    }

    proptest::proptest! {
        #[test]
        fn no_file_is_too_odd(text in "(?s).{0,80}", lines in "((/|  |\\t)?[a-z:*!\\[{\\\\/%]{0,8}(: [a-z])?\n){0,6}") {
            for text in [text, lines] {
                if let Ok(rules) = parse(&text) {
                    let _ = HeaderRules::compile(rules.into_iter().map(|(_, rule)| rule).collect());
                }
            }
        }
    }
}
