//! Regular expressions and globs of other tools as globs of deploy.toml, wherever those name the same keys. Pure.

use std::iter::Peekable;
use std::str::Chars;

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq)]
enum PatternPiece {
    Text(String),
    AnyLetter,
    WithinFolder,
    Anything,
}

use PatternPiece::{AnyLetter, Anything, Text, WithinFolder};

/// Alternatives of a group multiply: more than these are somebody's riddle.
const MOST: usize = 64;
/// Letters of a pattern.
const LONGEST: usize = 1000;

/// Returns the globs for the keys that a regular expression finds; `None` where no globs name the same.
pub(super) fn of_regex(regex: &str) -> Option<Vec<String>> {
    if regex.len() > LONGEST {
        return None;
    }
    let (start, rest) = match regex.strip_prefix('^') {
        Some(rest) => (None, rest),
        None => (Some(Anything), regex),
    };
    let (end, rest) = match rest.strip_suffix('$') {
        Some(rest) if !rest.ends_with('\\') => (None, rest),
        _ => (Some(Anything), rest),
    };
    let mut letters = rest.chars().peekable();
    let patterns = sequences(&mut letters)?;
    if letters.next().is_some() {
        return None;
    }
    let globs = patterns.into_iter().map(|pieces| {
        let pieces = start.iter().cloned().chain(pieces).chain(end.clone());
        glob(pieces.collect())
    });
    globs.collect()
}

/// Returns the glob for a pattern of whole keys whose `*` stands for anything, as `aws s3` and s3_website mean it.
pub(super) fn of_flat_glob(pattern: &str) -> Option<String> {
    let pieces = pattern.chars().map(|letter| match letter {
        '*' => Some(Anything),
        '?' => Some(AnyLetter),
        '[' | ']' | '!' => None,
        letter => Some(Text(letter.to_string())),
    });
    glob(pieces.collect::<Option<_>>()?)
}

/// Returns the globs for a pattern of whole keys whose `*` stays in its folder, with `**` and `{a,b}`.
pub(super) fn of_path_glob(pattern: &str) -> Option<Vec<String>> {
    if pattern.matches('{').count() > 3 {
        return None;
    }
    if let Some((before, rest)) = pattern.split_once('{') {
        let (inner, after) = rest.split_once('}')?;
        let options = inner.split(',');
        let globs = options.map(|option| of_path_glob(&format!("{before}{option}{after}")));
        return Some(globs.collect::<Option<Vec<_>>>()?.concat());
    }
    if pattern.contains(['(', '[', '}', '\\']) {
        return None;
    }
    let mut pattern = pattern.trim_start_matches('/').to_owned();
    if pattern.starts_with("**") && !pattern.starts_with("**/") {
        pattern.insert_str(2, "/*");
    }
    let pattern = pattern.replace("/**.", "/*.").replace("**/**", "**");
    let glob = match pattern.strip_prefix("**/") {
        Some(name) if !name.contains('/') => name.to_owned(),
        _ => format!("/{pattern}"),
    };
    Some(vec![glob])
}

/// Tells whether no key is named by both of two globs, as far as that is plain.
pub(super) fn are_apart(one: &str, other: &str) -> bool {
    let ending = |glob: &str| Some(glob.strip_prefix('*')?.to_owned()).filter(|end| is_plain(end));
    let ends = |key: &str, end: &str| key.ends_with(end);
    match (ending(one), ending(other)) {
        (Some(one), Some(other)) => !ends(&one, &other) && !ends(&other, &one),
        (Some(end), None) => is_plain(other) && !ends(other, &end),
        (None, Some(end)) => is_plain(one) && !ends(one, &end),
        (None, None) => is_plain(one) && is_plain(other) && one != other,
    }
}

fn is_plain(glob: &str) -> bool {
    !glob.contains(['*', '?', '\\']) && !glob.ends_with('/')
}

/// Reads a sequence up to the end of its group, and returns each way to go through its alternatives.
fn sequences(letters: &mut Peekable<Chars<'_>>) -> Option<Vec<Vec<PatternPiece>>> {
    let mut ways = vec![Vec::new()];
    while let Some(letter) = letters.next_if(|letter| !matches!(letter, '|' | ')')) {
        let mut atoms = atoms(letter, letters)?;
        match letters.peek() {
            Some('*' | '+') => {
                letters.next();
                atoms = match atoms.as_slice() {
                    [piece] if *piece == [AnyLetter] && letter == '.' => vec![vec![Anything]],
                    [piece] if *piece == [AnyLetter] => vec![vec![WithinFolder]],
                    _ => return None,
                };
                letters.next_if_eq(&'?');
            }
            Some('?') => {
                letters.next();
                atoms.insert(0, Vec::new());
            }
            _ => {}
        }
        let longer = ways.iter().flat_map(|way| {
            let longer = atoms.iter().map(|atom| [way.as_slice(), atom].concat());
            longer.collect::<Vec<_>>()
        });
        ways = longer.collect();
        if ways.len() > MOST {
            return None;
        }
    }
    Some(ways)
}

/// Reads what one letter begins: itself, an escape, a group.
fn atoms(letter: char, letters: &mut Peekable<Chars<'_>>) -> Option<Vec<Vec<PatternPiece>>> {
    let piece = match letter {
        '.' => AnyLetter,
        '\\' => {
            let escaped = letters.next().filter(|letter| !letter.is_alphanumeric())?;
            Text(escaped.to_string())
        }
        '[' => {
            let class: String = letters
                .by_ref()
                .take_while(|letter| *letter != ']')
                .collect();
            return (class == "^/").then(|| vec![vec![AnyLetter]]);
        }
        '(' => {
            if letters.next_if_eq(&'?').is_some() {
                letters.next_if_eq(&':')?;
            }
            let mut ways = Vec::new();
            loop {
                ways.extend(sequences(letters)?);
                match letters.next()? {
                    '|' => {}
                    _ => return Some(ways),
                }
            }
        }
        '^' | '$' | '*' | '+' | '?' | '{' => return None,
        letter => Text(letter.to_string()),
    };
    Some(vec![vec![piece]])
}

/// Writes a pattern of whole keys as a glob, where one names the same keys.
fn glob(pieces: Vec<PatternPiece>) -> Option<String> {
    let mut parts = vec![String::new()];
    for piece in pieces {
        if piece == Anything {
            // What stands between two of them in a row is nothing.
            if parts.len() == 1 || parts.last().is_some_and(|part| !part.is_empty()) {
                parts.push(String::new());
            }
            continue;
        }
        let part = parts.last_mut()?;
        match piece {
            Text(text) if text == "/" && part.ends_with('/') => return None,
            Text(text) => {
                if matches!(
                    text.as_str(),
                    "*" | "?" | "[" | "]" | "\\" | "{" | "}" | " "
                ) {
                    part.push('\\');
                }
                part.push_str(&text);
            }
            AnyLetter => part.push('?'),
            WithinFolder => part.push('*'),
            Anything => {}
        }
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let in_folder = |part: &str| part.contains('/');
    match parts[..] {
        // Without an ending it may be a folder, whose files a glob would take, too.
        [key]
            if !key
                .rsplit('/')
                .next()
                .is_some_and(|name| name.contains('.')) =>
        {
            None
        }
        [key] => Some(format!("/{key}")),
        ["", ""] => Some("*".to_owned()),
        ["", end] if end.starts_with('/') && !in_folder(&end[1..]) => Some(format!("/*/**{end}")),
        ["", end] if !in_folder(end) => Some(format!("*{end}")),
        [start, ""] if start.ends_with('/') => Some(format!("/{start}**")),
        [start, ""] => Some(format!("/{start}*")),
        [start, end] if start.ends_with('/') && !in_folder(end) => {
            Some(format!("/{start}**/*{end}"))
        }
        ["", inner, ""] if !in_folder(inner) => Some(format!("*{inner}*")),
        ["", folder, ""] if !in_folder(folder.trim_end_matches('/')) => Some(format!("*{folder}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::globs::Globs;

    const KEYS: [&str; 15] = [
        "index.html",
        "about/index.html",
        "a.htmlx",
        "xhtml",
        "main.js",
        "assets/main.js",
        "assets/a/b.css",
        "assets2/main.css",
        "assets-x/y/z.txt",
        "fonts/a.woff",
        "fonts/a.woff2",
        "sitemap.xml",
        "de/sitemap.xml",
        "photo.jpeg",
        "my-drafts/x.json",
    ];

    #[test]
    fn globs_name_what_the_expression_finds() {
        for (regex, expected) in [
            (r"^.+\.(js|css|svg|ttf)$", "*.js *.css *.svg *.ttf"),
            (r"^.+\.(?:html|xml|json)$", "*.html *.xml *.json"),
            (r".*\.html$", "*.html"),
            (r"\.html$", "*.html"),
            (r".html$", "*?html"),
            (r"\.(woff2?|jpe?g)$", "*.woff *.woff2 *.jpg *.jpeg"),
            (r"^sitemap\.xml$", "/sitemap.xml"),
            (r"^assets/", "/assets/**"),
            (r"^assets/.*$", "/assets/**"),
            (r"^assets", "/assets*"),
            (r"^assets/.+\.(js|css)$", "/assets/**/*.js /assets/**/*.css"),
            (r"^[^/]+\.html$", "/*.html"),
            (r".+/index\.html$", "/*/**/index.html"),
            (r"drafts", "*drafts*"),
            (r"drafts/", "*drafts/"),
            (r"^.*$", "*"),
        ] {
            let globs = of_regex(regex).expect(regex);
            assert_eq!(globs.join(" "), expected, "{regex}");
            let compiled = Globs::compile(globs.iter().map(String::as_str)).unwrap();
            let regex = regex::Regex::new(regex).unwrap();
            for key in KEYS {
                assert_eq!(compiled.matches(key), regex.is_match(key), "{regex} {key}");
            }
        }
    }

    #[test]
    fn what_no_glob_says_is_left() {
        for regex in [
            r"^.+-.+\.js$",
            r"\.[0-9a-f]{8}\.js$",
            r"(?i)\.jpg$",
            r"^a|b$",
            r"^(?!draft).*$",
            r"\d+\.html$",
            r"x{2}",
            r"(a",
            r"^releases$",
            r"^[^/]+$",
        ] {
            assert_eq!(of_regex(regex), None, "{regex}");
        }
    }

    #[test]
    fn globs_of_others_become_ours() {
        for (flat, ours) in [
            ("*", Some("*")),
            ("*.html", Some("*.html")),
            ("index.html", Some("/index.html")),
            ("assets/*", Some("/assets/**")),
            ("assets/*.js", Some("/assets/**/*.js")),
            ("*/index.html", Some("/*/**/index.html")),
            ("a*b*c", None),
            ("[ab]", None),
        ] {
            assert_eq!(of_flat_glob(flat).as_deref(), ours, "{flat}");
        }
        for (path, ours) in [
            ("**.{jpg,png}", "*.jpg *.png"),
            ("**/**.html", "*.html"),
            ("static/**", "/static/**"),
            ("*.webmanifest", "/*.webmanifest"),
            ("page-data/**/**.json", "/page-data/**/*.json"),
        ] {
            assert_eq!(of_path_glob(path).expect(path).join(" "), ours, "{path}");
        }
        assert_eq!(of_path_glob("**/!(sw).js"), None);
    }

    #[test]
    fn globs_are_apart_where_that_is_plain() {
        for (one, other, apart) in [
            ("*.js", "*.css", true),
            ("*.gz", "*.tar.gz", false),
            ("*.xml", "/sitemap.xml", false),
            ("/index.html", "*.xml", true),
            ("/a/**", "*.xml", false),
            ("/a", "/b", true),
        ] {
            assert_eq!(are_apart(one, other), apart, "{one} {other}");
            assert_eq!(are_apart(other, one), apart, "{other} {one}");
        }
    }
}
