//! Request paths: which of them headers are asked for, as a regular expression that means the same in JavaScript (ES 5.1) and
//! in the crate regex.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

use super::edge_function::PathRewrite;
use super::headers_file;
use super::key_glob::{self, ByteCount, ByteSet, PathToken, TokenSequence, before, is_unreserved};
use super::unserved::HeaderScope;

/// The document that stands for a folder where nothing else is said.
const INDEX: &str = "index.html";

/// A set of request paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathPattern(BTreeSet<TokenSequence>);

impl PathPattern {
    /// Returns the paths that show the keys of a scope, as viewers ask for them and as they are rewritten. `None`: it is for a
    /// host, or what it says cannot be written so: globs that exclude some, letters beyond ASCII in a `[ ]`.
    pub(super) fn of_scope(scope: &HeaderScope, rewrite: &PathRewrite) -> Option<Self> {
        let keys = match scope {
            HeaderScope::Path(_) if scope.has_host() => return None,
            HeaderScope::Path(path) => {
                // One path names a page, and nothing below it; what says so excludes, and is left out here.
                let globs = headers_file::globs(path).ok()?;
                let named = globs.iter().filter(|glob| !glob.starts_with('!'));
                let read = if path.contains('*') {
                    key_glob::taken
                } else {
                    key_glob::named
                };
                named.map(|glob| read(glob)).collect::<Option<Vec<_>>>()?
            }
            HeaderScope::Globs(globs) => {
                let taken = globs.iter().map(|glob| key_glob::taken(glob));
                taken.collect::<Option<Vec<_>>>()?
            }
        };
        let mut paths = BTreeSet::new();
        for key in keys.concat() {
            add_forms(key, rewrite, &mut paths);
        }
        Some(Self::least(paths))
    }

    /// Returns the paths of a behavior's path pattern (CloudFront Developer Guide, "Path pattern").
    pub(super) fn of_behavior(pattern: &str) -> Self {
        let path = format!("/{}", pattern.trim_start_matches('/'));
        let token = |byte| match byte {
            b'*' => PathToken::anything(),
            b'?' => PathToken::one(ByteSet::all()),
            byte => PathToken::byte(byte),
        };
        let decoded = percent_decode_str(&path);
        let tokens: TokenSequence = match path.as_str() {
            "/*" => vec![PathToken::anything()],
            _ => decoded.map(token).collect(),
        };
        Self(BTreeSet::from([tokens]))
    }

    pub(super) fn takes_all(&self) -> bool {
        self.0.contains(&vec![PathToken::anything()])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells whether it has the paths of a behavior, written in the same way.
    pub(super) fn has(&self, behavior: &Self) -> bool {
        self.0.is_superset(&behavior.0)
    }

    /// Leaves out the paths of a behavior.
    pub(super) fn without(mut self, behavior: &Self) -> Self {
        self.0.retain(|paths| !behavior.0.contains(paths));
        self
    }

    /// Tells whether no path is in both, as far as their beginnings show it.
    pub(super) fn is_disjoint(&self, other: &Self) -> bool {
        let is_one = |token: &PathToken| token.count == ByteCount::One;
        let differ = |one: &TokenSequence, other: &TokenSequence| {
            let pairs = one.iter().zip(other);
            let mut fixed = pairs.take_while(|(one, other)| is_one(one) && is_one(other));
            fixed.any(|(one, other)| one.bytes.is_disjoint(&other.bytes))
        };
        let mut own = self.0.iter();
        own.all(|one| other.0.iter().all(|other| differ(one, other)))
    }

    /// Writes the regular expression, anchored at both ends. Only letters, digits and `-._~` look alike in all URLs: others
    /// match as themselves, where a URL may have them, and percent-encoded.
    pub(super) fn regex(&self) -> String {
        let sequences: Vec<&[PathToken]> = self.0.iter().map(Vec::as_slice).collect();
        format!("^{}$", written(&sequences))
    }

    /// Leaves out what another one ending in any text takes too.
    fn least(mut paths: BTreeSet<TokenSequence>) -> Self {
        let all = PathToken::anything();
        let open: Vec<TokenSequence> = paths
            .iter()
            .filter(|path| path.last() == Some(&all))
            .cloned()
            .collect();
        paths.retain(|path| {
            let mut wider = open.iter().filter(|open| *open != path);
            !wider.any(|open| path.starts_with(&open[..open.len() - 1]))
        });
        Self(paths)
    }
}

/// Adds the paths behind keys: a folder for its index document, a name without the ending that it lost.
fn add_forms(key: TokenSequence, rewrite: &PathRewrite, paths: &mut BTreeSet<TokenSequence>) {
    let index = rewrite.index.as_deref().unwrap_or(INDEX);
    for folder in before(&key, format!("/{index}").as_bytes()) {
        if rewrite.bare_folders {
            add_dotless(&folder, &[], paths);
        }
        paths.insert([folder, vec![PathToken::byte(b'/')]].concat());
    }
    for ending in &rewrite.endings {
        for bare in before(&key, ending.as_bytes()) {
            add_dotless(&bare, &[], paths);
        }
    }
    paths.insert(key);
}

/// Adds those of the paths whose last segment has letters and no dot; `behind` is what is known of it.
fn add_dotless(head: &[PathToken], behind: &[PathToken], paths: &mut BTreeSet<TokenSequence>) {
    let Some((token, rest)) = head.split_last() else {
        return;
    };
    let bytes = token.bytes.clone().without(b"/.");
    let count = token.count;
    let own = PathToken { bytes, count };
    let is_own = own.bytes.bytes().next().is_some();
    let segment = [&[own], behind].concat();
    if token.bytes.has(b'/') {
        // Whatever stands before a slash stays as it is.
        let (before, mut segment) = match count {
            ByteCount::One => (rest, behind.to_vec()),
            _ => (head, segment.clone()),
        };
        if segment.iter().all(PathToken::may_be_empty)
            && let Some(first) = segment.first_mut()
        {
            first.count = ByteCount::Some;
        }
        if !segment.is_empty() {
            paths.insert([before, &[PathToken::byte(b'/')], &segment].concat());
        }
    }
    if is_own {
        add_dotless(rest, &segment, paths);
    }
}

/// Writes sorted sequences, what they begin alike with once.
fn written(sequences: &[&[PathToken]]) -> String {
    if let &[mut rest] = sequences {
        let mut text = String::new();
        while let Some((first, tail)) = rest.split_first() {
            text += &text_before(first, &[tail]);
            rest = tail;
        }
        return text;
    }
    let (open, ended): (Vec<&[PathToken]>, Vec<&[PathToken]>) =
        sequences.iter().partition(|sequence| !sequence.is_empty());
    let groups = open.chunk_by(|one, other| one.first() == other.first());
    let groups = groups.map(|group| {
        let first = group.first().and_then(|sequence| sequence.first());
        let tails = group.iter().filter_map(|sequence| sequence.get(1..));
        let tails: Vec<&[PathToken]> = tails.collect();
        let first = first.map(|first| text_before(first, &tails));
        first.unwrap_or_default() + &written(&tails)
    });
    let groups: Vec<String> = groups.collect();
    match (groups.as_slice(), ended.is_empty()) {
        ([], _) => String::new(),
        ([group], true) => group.clone(),
        (groups, true) => format!("(?:{})", groups.join("|")),
        (groups, false) => format!("(?:{})?", groups.join("|")),
    }
}

/// Writes a token in front of others. Before what may be a digit, no gap ends amid the digits of an escape.
fn text_before(token: &PathToken, tails: &[&[PathToken]]) -> String {
    let is_digit = |token: &PathToken| token.bytes.bytes().any(|byte| byte.is_ascii_hexdigit());
    let mut next = tails.iter().filter_map(|tail| tail.first());
    if token.count == ByteCount::One || !next.any(is_digit) {
        return token_text(token);
    }
    let one = token_text(&PathToken::one(token.bytes.clone()));
    let repeat = if token.may_be_empty() { "*" } else { "+" };
    one + repeat
}

fn token_text(token: &PathToken) -> String {
    let excluded: Vec<u8> = (0..128).filter(|byte| !token.bytes.has(*byte)).collect();
    let class = match excluded.as_slice() {
        [] => ".".to_owned(),
        excluded => format!("[^{}]", class_text(excluded)),
    };
    match token.count {
        ByteCount::Any => return class + "*",
        ByteCount::Some => return class + "+",
        ByteCount::One => {}
    }
    if token.bytes.has(u8::MAX) && token.bytes.bytes().count() > 1 {
        return format!("(?:%[0-9A-Fa-f]{{2}}|[^{}%])", class_text(&excluded));
    }
    let mut raw = Vec::new();
    let mut ways = Vec::new();
    for byte in token.bytes.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            raw.push(byte);
        }
        if !is_unreserved(byte) && byte != b'/' {
            ways.push(encoded(byte));
        }
    }
    match raw.as_slice() {
        [] => {}
        [byte] => ways.insert(0, escaped(*byte, b"^$\\.*+?()[]{}|")),
        raw => ways.insert(0, format!("[{}]", class_text(raw))),
    }
    match ways.as_slice() {
        [way] => way.clone(),
        ways => format!("(?:{})", ways.join("|")),
    }
}

/// Writes a byte as a URL has it, its hexadecimal digits in either case.
fn encoded(byte: u8) -> String {
    let digits = format!("{byte:02X}");
    let either = digits.chars().map(|digit| match digit {
        'A'..='F' => format!("[{digit}{}]", digit.to_ascii_lowercase()),
        digit => digit.to_string(),
    });
    format!("%{}", either.collect::<String>())
}

fn class_text(bytes: &[u8]) -> String {
    let letters = bytes.iter().map(|byte| escaped(*byte, b"\\]^[-&~"));
    letters.collect()
}

fn escaped(byte: u8, special: &[u8]) -> String {
    let slash = if special.contains(&byte) { "\\" } else { "" };
    format!("{slash}{}", char::from(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::super::globs::Globs;
    use super::*;
    use crate::object::key::file_name;

    fn rewrite() -> PathRewrite {
        PathRewrite {
            index: Some(INDEX.to_owned()),
            bare_folders: true,
            endings: vec![".html".to_owned()],
            kept: Vec::new(),
        }
    }

    fn of_globs(globs: &[&str], rewrite: &PathRewrite) -> Option<String> {
        let globs = globs.iter().map(|glob| glob.to_string()).collect();
        Some(PathPattern::of_scope(&HeaderScope::Globs(globs), rewrite)?.regex())
    }

    #[test]
    fn a_scope_is_a_plain_expression() {
        let plain = PathRewrite::default();
        for (glob, expected) in [
            ("**", "^.*$"),
            ("/a/**", "^/a/.*$"),
            ("/a", "^/a(?:/.*)?$"),
            ("*.[jt]s", "^.*/[^/]*\\.[jt]s(?:/.*)?$"),
            (
                "/a/**/b.{c,d}/",
                "^/a/(?:b\\.(?:d/.*|c/.*)|.*/b\\.(?:d/.*|c/.*))$",
            ),
            (
                "/é (1).x/",
                "^/%[Cc]3%[Aa]9%20(?:\\(|%28)1(?:\\)|%29)\\.x/.*$",
            ),
            ("/index.html", "^/(?:index\\.html(?:/.*)?)?$"),
        ] {
            assert_eq!(
                of_globs(&[glob], &plain).as_deref(),
                Some(expected),
                "{glob}"
            );
        }
        for odd in [
            "!a",
            "/[é]",
            "/[!(]",
            "/{**/a,b}",
            "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}",
        ] {
            assert_eq!(of_globs(&["x", odd], &plain), None, "{odd}");
        }
        assert_eq!(of_globs(&[&"a".repeat(2000)], &plain), None);
        let host = HeaderScope::Path("https://a.b/*".to_owned());
        assert_eq!(PathPattern::of_scope(&host, &plain), None);
    }

    #[test]
    fn a_path_is_matched_in_all_its_forms() {
        for (path, hits, misses) in [
            ("/*", vec!["/", "/a", "/x/y.html"], vec![]),
            ("/", vec!["/", "/index.html"], vec!["/a", "/a/"]),
            (
                "/blog/",
                vec!["/blog/", "/blog", "/blog/index.html", "/blog/index"],
                vec!["/blog/x", "/x/blog/", "/blogs"],
            ),
            (
                "/about",
                vec!["/about", "/about/", "/about.html", "/about/index.html"],
                vec!["/about/x", "/x/about", "/about.css"],
            ),
            ("/a.html", vec!["/a.html", "/a"], vec!["/a/", "/a.htm"]),
            (
                "/*.js",
                vec!["/a.js", "/x/b.js"],
                vec!["/a.css", "/a.jsx", "/js"],
            ),
            (
                "/*.html",
                vec!["/", "/a/", "/a", "/a/b", "/a.html"],
                vec!["/a.css", "/a/b.js"],
            ),
            (
                "/movies/:title",
                vec!["/movies/x", "/movies/x/", "/movies/"],
                vec!["/movies/x/y", "/movie/x"],
            ),
            (
                "/a%20b/%C3%A9.x",
                vec!["/a%20b/%c3%A9.x"],
                vec!["/a+b/%C3%A9.x"],
            ),
            (
                "/a[1]{b}?.txt",
                vec!["/a[1]%7bb}%3F.txt", "/a%5B1%5d{b}?.txt"],
                vec!["/a1bx.txt"],
            ),
        ] {
            let scope = HeaderScope::Path(path.to_owned());
            let regex = PathPattern::of_scope(&scope, &rewrite()).unwrap().regex();
            let regex = Regex::new(&regex).unwrap();
            for hit in hits {
                assert!(regex.is_match(hit), "{path} should match {hit}: {regex}");
            }
            for miss in misses {
                assert!(
                    !regex.is_match(miss),
                    "{path} should not match {miss}: {regex}"
                );
            }
        }
    }

    #[test]
    fn behaviors_that_begin_otherwise_share_no_path() {
        for (one, other, is_disjoint) in [
            ("/a/*", "/b/*", true),
            ("a/*", "/a/*", false),
            ("/a?", "/b*", true),
            ("/?a", "/b*", false),
            ("*.js", "/b/*", false),
            ("*", "/b/*", false),
        ] {
            let [one, other] = [one, other].map(PathPattern::of_behavior);
            assert_eq!(one.is_disjoint(&other), is_disjoint, "{one:?}");
        }
    }

    fn glob() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            4 => "[ab.]",
            2 => Just("/".to_owned()),
            2 => Just("*".to_owned()),
            1 => Just("**/".to_owned()),
            1 => Just("/**".to_owned()),
            1 => "[?é+ ]|\\\\[*a(]|\\[[!^]?[ab.]\\]|\\[a-c\\]|[{](a,b|[*].a,/b?|,a)[}]",
            1 => Just("index.html".to_owned()),
            1 => Just(".html".to_owned()),
        ];
        let parts = proptest::collection::vec(part, 1..6);
        parts.prop_map(|parts| parts.concat())
    }

    fn keys() -> impl Strategy<Value = String> {
        let folders = proptest::collection::vec("[ab]{1,2}|\\.a|é", 0..3);
        let name = "[ab.]{1,3}|index\\.html|[ab]\\.html|[ab]é|b\\+|a [*(]";
        (folders, name).prop_filter_map("a name", |(mut folders, name)| {
            folders.push(name);
            let is_name = |name: &String| name.chars().any(|letter| letter != '.');
            folders.iter().all(is_name).then(|| folders.join("/"))
        })
    }

    /// The keys that a path may stand for, itself among them.
    fn candidates(path: &str, rewrite: &PathRewrite) -> Vec<String> {
        let key = path.trim_start_matches('/');
        if path.ends_with('/') {
            // A glob may end in a slash within braces, as the key of a folder does.
            return vec![format!("{key}{INDEX}"), key.to_owned()];
        }
        let mut keys = vec![key.to_owned()];
        if !file_name(key).contains('.') {
            keys.extend(rewrite.bare_folders.then(|| format!("{key}/{INDEX}")));
            keys.extend(
                rewrite
                    .endings
                    .iter()
                    .map(|ending| format!("{key}{ending}")),
            );
        }
        keys
    }

    fn encoded_path(path: &str, lower: bool) -> String {
        let encode = |byte: u8| match byte {
            byte if is_unreserved(byte) || b"/*".contains(&byte) => char::from(byte).to_string(),
            byte if lower => format!("%{byte:02x}"),
            byte => format!("%{byte:02X}"),
        };
        path.bytes().map(encode).collect()
    }

    proptest! {
        #[test]
        fn an_expression_takes_the_paths_of_the_keys_that_its_globs_take(
            globs in proptest::collection::vec(glob(), 1..3),
            keys in proptest::collection::vec(keys(), 1..6),
            is_rewritten in any::<bool>(),
            lower in any::<bool>(),
        ) {
            let rewrite = if is_rewritten { rewrite() } else { PathRewrite::default() };
            let texts: Vec<&str> = globs.iter().map(String::as_str).collect();
            let (Ok(matcher), Some(regex)) = (Globs::compile(texts.iter().copied()), of_globs(&texts, &rewrite)) else {
                return Ok(());
            };
            let regex = Regex::new(&regex).unwrap();
            for key in keys {
                let mut paths = vec![format!("/{key}")];
                if let Some(folder) = paths[0].strip_suffix(INDEX).filter(|folder| folder.ends_with('/')) {
                    let bare = folder.trim_end_matches('/');
                    paths.extend([folder, bare].map(str::to_owned));
                }
                paths.extend(paths[0].strip_suffix(".html").map(str::to_owned));
                for path in paths.iter().filter(|path| path.len() > 1 || *path == "/") {
                    let expected = candidates(path, &rewrite).iter().any(|key| matcher.matches(key));
                    let text = encoded_path(path, lower);
                    prop_assert_eq!(regex.is_match(&text), expected, "{:?} {} {}", globs, text, regex);
                }
            }
        }

        #[test]
        fn no_glob_is_too_odd(glob in "[ab/*?\\[\\]{},\\\\!^.é -]{0,12}") {
            let regex = of_globs(&[&glob], &rewrite());
            prop_assert!(regex.is_none_or(|regex| Regex::new(&regex).is_ok()));
        }
    }
}
