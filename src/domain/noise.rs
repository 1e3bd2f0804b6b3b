//! Noise: what a generator writes anew into every page at every build, and what a page is without it.

use std::collections::BTreeSet;
use std::ops::Range;

use md5::{Digest as _, Md5 as Hasher};
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::Md5;
use super::globs::{BadGlob, Globs};
use super::links::html_links;

/// The most bytes that a compiled expression may take.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// One `[[noise]]` table of deploy.toml.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NoiseRule {
    /// Globs on keys, as in header rules.
    #[serde(rename = "match", deserialize_with = "super::rules::one_or_many")]
    pub patterns: Vec<String>,
    /// What may differ without being a change: all that it matches, or its groups where it has any.
    pub regex: String,
}

/// A rule that cannot be followed. The caller knows the file and the line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct NoiseError {
    /// The rule's index, from 0.
    pub rule: usize,
    /// The key of its table.
    pub field: &'static str,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

/// What a page is without its noise, and by which rules: digests of different rules cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseDigest {
    pub digest: Md5,
    pub rules: Md5,
}

/// Rules ready to be asked about many pages.
pub struct NoiseRules {
    rules: Vec<Compiled>,
}

struct Compiled {
    globs: Globs,
    regex: Regex,
    /// Of its globs and its expression.
    hash: Md5,
    /// As people wrote them.
    written: String,
}

impl NoiseRules {
    /// Checks and compiles the rules.
    pub fn compile(rules: &[NoiseRule]) -> Result<Self, NoiseError> {
        let compiled = rules.iter().enumerate().map(|(at, rule)| {
            let wrong = |field, problem| NoiseError {
                rule: at,
                field,
                problem,
            };
            let meant = |letter: char| matches!(letter, '\n' | '\r' | '\t');
            let odd = rule.regex.chars().find(|it| it.is_control() && !meant(*it));
            if let Some(odd) = odd {
                let problem = format!(
                    "{:?} holds the control character {odd:?}; write it in single quotes, in which a backslash stays one",
                    rule.regex
                );
                return Err(wrong("regex", problem));
            }
            let regex = RegexBuilder::new(&rule.regex)
                .size_limit(MAX_REGEX_BYTES)
                .build()
                .map_err(|error| {
                    wrong(
                        "regex",
                        match error {
                            regex::Error::CompiledTooBig(_) => {
                                "it is too large; repeat less, or write two rules".to_owned()
                            }
                            error => format!(
                                "{error}; write a backslash before a character that is meant as itself"
                            ),
                        },
                    )
                })?;
            if regex.is_match(b"") {
                let problem = format!(
                    "\"{}\" matches the empty text; write what surrounds the noise as well",
                    rule.regex
                );
                return Err(wrong("regex", problem));
            }
            let globs = compile_globs(&rule.patterns).map_err(|problem| wrong("match", problem))?;
            Ok(Compiled {
                globs,
                regex,
                hash: hash_of(rule),
                written: rule.patterns.join(", "),
            })
        });
        Ok(Self {
            rules: compiled.collect::<Result<_, _>>()?,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The globs of rules that are for none of these files.
    pub fn idle<'a>(
        &'a self,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> impl Iterator<Item = &'a str> {
        let idle = move |rule: &&Compiled| !names.clone().any(|name| rule.globs.matches(name));
        self.rules
            .iter()
            .filter(idle)
            .map(|rule| rule.written.as_str())
    }

    /// The hash of the rules for a key, or `None` where there are none: what [`NoiseDigest::rules`] has to equal.
    pub fn rules_for(&self, key: &str) -> Option<Md5> {
        let mut hashes = self.matching(key).map(|rule| rule.hash).peekable();
        hashes.peek()?;
        let mut hasher = Hasher::new();
        hashes.for_each(|hash| hasher.update(hash.0));
        Some(Md5(hasher.finalize().into()))
    }

    /// The digest of a page without its noise, or `None` where no rule is for it.
    ///
    /// What the page refers to counts even within noise, queries aside: a page whose assets changed name is another page.
    pub fn digest(&self, key: &str, bytes: &[u8]) -> Option<NoiseDigest> {
        let rules = self.rules_for(key)?;
        let mut hasher = Hasher::new();
        let mut from = 0;
        let spans = self.spans(key, bytes);
        for span in &spans {
            field(&mut hasher, bytes.get(from..span.start).unwrap_or_default());
            from = span.end;
        }
        field(&mut hasher, bytes.get(from..).unwrap_or_default());
        // Scripts name files too, where no tag tells.
        let named = spans.into_iter().filter_map(|span| file_named(bytes, span));
        named.for_each(|name| field(&mut hasher, name));
        for link in html_links(key, bytes, &[]) {
            field(&mut hasher, link.as_bytes());
        }
        Some(NoiseDigest {
            digest: Md5(hasher.finalize().into()),
            rules,
        })
    }

    /// Where the noise is, in order and apart from each other.
    pub fn spans(&self, key: &str, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        for rule in self.matching(key) {
            for found in rule.regex.captures_iter(bytes) {
                let groups = found.iter().skip(usize::from(found.len() > 1)).flatten();
                spans.extend(
                    groups
                        .map(|group| group.range())
                        .filter(|range| !range.is_empty()),
                );
            }
        }
        spans.sort_by_key(|span| (span.start, span.end));
        spans.dedup_by(|next, kept| {
            let touches = next.start <= kept.end;
            if touches {
                kept.end = kept.end.max(next.end);
            }
            touches
        });
        spans
    }

    fn matching<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Compiled> {
        self.rules
            .iter()
            .filter(move |rule| rule.globs.matches(key))
    }
}

/// The file that a word names of which this is a part, without its query; none where it looks like none.
fn file_named(bytes: &[u8], part: Range<usize>) -> Option<&[u8]> {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`<>()=,;?#&".contains(byte);
    let start = bytes.get(..part.start)?.iter().rposition(ends);
    let start = start.map_or(0, |at| at + 1);
    let rest = bytes.get(start..)?;
    let word = rest.get(..rest.iter().position(ends).unwrap_or(rest.len()))?;
    let dot = word.iter().rposition(|byte| *byte == b'.')?;
    let extension = word.get(dot + 1..)?;
    let is_extension = (1..=11).contains(&extension.len())
        && extension.iter().all(u8::is_ascii_alphanumeric)
        // `12:30:00.123Z` is a time.
        && extension.first().is_some_and(u8::is_ascii_alphabetic);
    is_extension.then_some(word)
}

/// Lengths keep what stands on either side of noise apart.
fn field(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn hash_of(rule: &NoiseRule) -> Md5 {
    let mut hasher = Hasher::new();
    for text in rule.patterns.iter().chain([&rule.regex]) {
        field(&mut hasher, text.as_bytes());
    }
    Md5(hasher.finalize().into())
}

fn compile_globs(patterns: &[String]) -> Result<Globs, String> {
    if patterns.iter().all(|pattern| pattern.starts_with('!')) {
        return Err("no glob is given; write match = \"*.html\"".to_owned());
    }
    for pattern in patterns {
        if let Some(odd) = pattern.chars().find(|letter| letter.is_control()) {
            return Err(format!(
                "the glob {pattern:?} holds the control character {odd:?}; write it in single quotes, in which a backslash stays one"
            ));
        }
    }
    Globs::compile(patterns.iter().map(String::as_str))
        .map_err(|BadGlob { glob, why }| format!("the glob \"{glob}\" is not valid: {why}"))
}

/// The expressions that would make two versions of a page equal, or `None` where they differ by more than a few words.
/// Each has one group, the noise, between what stands around it in its line. To be proposed to a person, not applied.
pub fn suspect(live: &[u8], built: &[u8]) -> Option<BTreeSet<String>> {
    let (live, built) = (
        std::str::from_utf8(live).ok()?,
        std::str::from_utf8(built).ok()?,
    );
    if live.lines().count() != built.lines().count() {
        return None;
    }
    let mut found = BTreeSet::new();
    for (one, other) in live
        .lines()
        .zip(built.lines())
        .filter(|(one, other)| one != other)
    {
        let (mut one, mut other) = (words(one), words(other));
        if one.len() != other.len() {
            return None;
        }
        // Sentinels, so that a word at either end has a neighbour.
        for side in [&mut one, &mut other] {
            side.insert(0, "");
            side.push("");
        }
        for (at, (a, b)) in one
            .iter()
            .zip(&other)
            .enumerate()
            .filter(|(_, (a, b))| a != b)
        {
            let before: String = one.get(at.saturating_sub(3)..at)?.concat();
            let after = one.get(at + 1)?;
            let stays = other.get(at.saturating_sub(3)..at)?.concat() == before
                && other.get(at + 1) == Some(after);
            if before.is_empty() || !stays || found.len() >= 16 {
                return None;
            }
            found.insert(format!(
                "{}({}){}",
                regex::escape(&before),
                class(a, b)?,
                regex::escape(after)
            ));
        }
    }
    (!found.is_empty()).then_some(found)
}

/// Runs of letters and digits, and each other character by itself.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = match first.is_alphanumeric() {
            true => rest
                .find(|c: char| !c.is_alphanumeric())
                .unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (word, left) = rest.split_at(end);
        words.push(word);
        rest = left;
    }
    words
}

/// What both are made of; words alone are an edit, no noise.
fn class(one: &str, other: &str) -> Option<&'static str> {
    let both = |is: fn(char) -> bool| {
        !one.is_empty() && !other.is_empty() && one.chars().chain(other.chars()).all(is)
    };
    let digits = |text: &str| text.contains(|c: char| c.is_ascii_digit());
    if both(|c| c.is_ascii_digit()) {
        Some("[0-9]+")
    } else if both(|c| c.is_ascii_alphanumeric()) && (digits(one) || digits(other)) {
        Some("[0-9A-Za-z]+")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(pairs: &[(&str, &str)]) -> Result<NoiseRules, NoiseError> {
        let rule = |(glob, regex): &(&str, &str)| NoiseRule {
            patterns: vec![(*glob).to_owned()],
            regex: (*regex).to_owned(),
        };
        NoiseRules::compile(&pairs.iter().map(rule).collect::<Vec<_>>())
    }

    #[test]
    fn pages_that_differ_by_noise_are_equal() {
        let rules = rules(&[
            ("*.html", r#"data-id="[^"]*""#),
            ("*.html", r"\?v=([0-9]+)"),
            ("x/", "seed"),
        ])
        .unwrap();
        let of = |key: &str, page: &str| rules.digest(key, page.as_bytes());
        let page = |id: &str, version: &str, rest: &str| {
            of(
                "a.html",
                &format!("<a data-id=\"{id}\" href=\"s.css?v={version}\">{rest}"),
            )
        };
        assert_eq!(
            page("1", "1", "x"),
            page("22", "", "x").and(page("22", "333", "x"))
        );
        assert_ne!(page("1", "1", "x"), page("1", "1", "y"));
        // Not a number, so no noise.
        assert_ne!(page("1", "1", "x"), page("1", "a", "x"));
        assert_eq!(of("a.css", "x"), None);
        assert_ne!(rules.rules_for("a.html"), rules.rules_for("x/a.html"));
        assert_eq!(rules.rules_for("a.css"), None);
    }

    #[test]
    fn a_link_counts_even_within_noise() {
        let rules = rules(&[("*.html", r#"src="[^"]*""#)]).unwrap();
        let of = |link: &str| rules.digest("a.html", format!("<script src=\"{link}\">").as_bytes());
        assert_ne!(of("/main.1.js"), of("/main.2.js"));
        assert_eq!(of("/main.js?1"), of("/main.js?2"));
    }

    #[test]
    fn noise_keeps_its_sides_apart() {
        let rules = rules(&[("*", "#[0-9]#")]).unwrap();
        let of = |text: &str| rules.digest("a", text.as_bytes());
        assert_ne!(of("a#1#b"), of("ab"));
        assert_ne!(of("a#1#bc"), of("ab#1#c"));
        assert_eq!(of("a#1#b"), of("a#2#b"));
        assert_eq!(
            rules.spans("a", b"x#1##2#y"),
            vec![Range { start: 1, end: 7 }]
        );
    }

    #[test]
    fn a_bad_rule_is_told() {
        for (pair, field, told) in [
            (("*", "("), "regex", "unclosed group"),
            (("*", "[0-9]*"), "regex", "empty text"),
            (("*", "(a{1000}){1000}"), "regex", "too large; repeat less"),
            (("[a", "x"), "match", "[a"),
            (("!a", "x"), "match", "*.html"),
            (("*", "\u{8}id=\u{8}"), "regex", "single quotes"),
            (("\u{8}*", "x"), "match", "single quotes"),
        ] {
            let error = rules(&[("*", "x"), pair]).err().unwrap();
            assert_eq!((error.rule, error.field), (1, field), "{error}");
            assert!(error.to_string().contains(told), "{error}");
        }
        assert!(rules(&[("*", "x\n\ty")]).is_ok());
    }

    #[test]
    fn noise_is_suspected_where_numbers_differ() {
        for (live, built, expected) in [
            (
                "<a data-id=\"cm1x\">\nx",
                "<a data-id=\"cm2y9\">\nx",
                Some(vec![r#"id="([0-9A-Za-z]+)""#]),
            ),
            (
                "s.css?v=123\n",
                "s.css?v=4567\n",
                Some(vec![r"\?v=([0-9]+)"]),
            ),
            ("a word", "a name", None),
            ("same", "same", None),
            ("a\nb", "a", None),
        ] {
            let found = suspect(live.as_bytes(), built.as_bytes());
            let found: Option<Vec<_>> = found
                .as_ref()
                .map(|set| set.iter().map(String::as_str).collect());
            assert_eq!(found, expected, "{live}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_suspected_makes_the_pages_equal(
            lines in proptest::collection::vec("[a-z =\"?.<>]{1,10}", 1..4), one in "[0-9]{1,6}", other in "[0-9]{1,6}",
        ) {
            let page = |number: &str| lines.join(&format!("x=\"{number}\"")) + &format!(" v={number};");
            let (live, built) = (page(&one), page(&other));
            if let Some(found) = suspect(live.as_bytes(), built.as_bytes()) {
                let pairs: Vec<_> = found.iter().map(|regex| ("*", regex.as_str())).collect();
                let rules = rules(&pairs).unwrap();
                let blank = |text: &str| {
                    let mut left = text.to_owned();
                    for span in rules.spans("a", text.as_bytes()).into_iter().rev() {
                        left.replace_range(span, "");
                    }
                    left
                };
                proptest::prop_assert_eq!(blank(&live), blank(&built));
            }
        }

        #[test]
        fn nothing_is_too_odd(regex in "[a-z.*+?()|\\[\\]{}0-9^$]{0,10}", bytes: Vec<u8>, other: Vec<u8>) {
            if let Ok(rules) = rules(&[("*", &regex)]) {
                rules.digest("a", &bytes);
            }
            suspect(&bytes, &other);
        }
    }
}
