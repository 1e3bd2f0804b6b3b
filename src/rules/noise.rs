//! Noise: what a generator writes anew into every page at every build, and what a page is without it.

use std::ops::Range;

use md5::Digest as _;
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::globs::Globs;
use super::links::html_links;
use super::rule_check::{FieldProblem, RuleError, compile_globs};
use crate::object::Md5;

/// The most bytes that a compiled expression may take.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// One `[[noise]]` table of deploy.toml.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NoiseRule {
    /// Globs on keys, as in header rules.
    #[serde(rename = "match", deserialize_with = "super::globs::one_or_many")]
    pub patterns: Vec<String>,
    /// What may differ without being a change: all that it matches, or its groups where it has any.
    pub regex: String,
}

/// The digest of a page without its noise, and of the rules that say what that is: digests of different rules cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseDigest {
    pub digest: Md5,
    pub rules: Md5,
}

/// Rules ready to be asked about many pages.
pub struct NoiseRules {
    rules: Vec<CompiledNoise>,
}

struct CompiledNoise {
    globs: Globs,
    regex: Regex,
    /// Of its globs and its expression.
    hash: Md5,
    /// As people wrote them.
    written: String,
}

impl NoiseRules {
    /// Checks and compiles the rules.
    pub fn compile(rules: &[NoiseRule]) -> Result<Self, RuleError<String>> {
        let rules = rules.iter().enumerate();
        let rules =
            rules.map(|(index, rule)| CompiledNoise::compile(rule).map_err(RuleError::of(index)));
        let rules = rules.collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns the globs of rules that are for none of these files.
    pub fn idle<'a>(
        &'a self,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> impl Iterator<Item = &'a str> {
        let idle = move |rule: &&CompiledNoise| !names.clone().any(|name| rule.globs.matches(name));
        let idle = self.rules.iter().filter(idle);
        idle.map(|rule| rule.written.as_str())
    }

    /// Returns the hash of the rules for a key, or `None` where there are none: what [`NoiseDigest::rules`] has to equal.
    pub fn rules_for(&self, key: &str) -> Option<Md5> {
        let mut hashes = self.matching(key).map(|rule| rule.hash).peekable();
        hashes.peek()?;
        let mut hasher = md5::Md5::new();
        hashes.for_each(|hash| hasher.update(hash.0));
        Some(Md5(hasher.finalize().into()))
    }

    /// Returns the digest of a page without its noise, or `None` where no rule is for it.
    ///
    /// What the page refers to counts even within noise, queries aside: a page whose assets changed name is another page.
    pub fn digest(&self, key: &str, bytes: &[u8]) -> Option<NoiseDigest> {
        let rules = self.rules_for(key)?;
        let mut hasher = md5::Md5::new();
        let (mut rest, mut start) = (bytes, 0);
        let spans = self.spans(key, bytes);
        for span in &spans {
            let (kept, after) = rest.split_at(span.start - start);
            field(&mut hasher, kept);
            (rest, start) = (after.split_at(span.len()).1, span.end);
        }
        field(&mut hasher, rest);
        // Scripts name files too, where no tag tells.
        let names = spans.into_iter().filter_map(|span| file_named(bytes, span));
        names.for_each(|name| field(&mut hasher, name));
        for link in html_links(key, bytes) {
            field(&mut hasher, link.as_bytes());
        }
        Some(NoiseDigest {
            digest: Md5(hasher.finalize().into()),
            rules,
        })
    }

    /// Finds the noise, in order and apart from each other.
    pub(super) fn spans(&self, key: &str, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        for rule in self.matching(key) {
            for captures in rule.regex.captures_iter(bytes) {
                // The first group is all that matches.
                let groups = captures.iter().skip(usize::from(captures.len() > 1));
                let ranges = groups.flatten().map(|group| group.range());
                spans.extend(ranges.filter(|range| !range.is_empty()));
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

    fn matching<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a CompiledNoise> {
        self.rules
            .iter()
            .filter(move |rule| rule.globs.matches(key))
    }
}

impl CompiledNoise {
    fn compile(rule: &NoiseRule) -> Result<Self, FieldProblem<String>> {
        let mut hasher = md5::Md5::new();
        for text in rule.patterns.iter().chain([&rule.regex]) {
            field(&mut hasher, text.as_bytes());
        }
        Ok(Self {
            regex: compile_regex(&rule.regex).map_err(|problem| ("regex", problem))?,
            globs: compile_globs(&rule.patterns)
                .map_err(|problem| ("match", problem.to_string()))?,
            hash: Md5(hasher.finalize().into()),
            written: rule.patterns.join(", "),
        })
    }
}

/// Returns the file that a word names of which this is a part, without its query, or `None` where it looks like none.
fn file_named(bytes: &[u8], part: Range<usize>) -> Option<&[u8]> {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`<>()=,;?#&".contains(byte);
    let start = bytes.get(..part.start)?.iter().rposition(ends);
    let start = start.map_or(0, |end| end + 1);
    let word = bytes.get(start..)?.split(ends).next()?;
    let dot = word.iter().rposition(|byte| *byte == b'.')?;
    let extension = word.get(dot + 1..)?;
    let is_extension = (1..=11).contains(&extension.len())
        && extension.iter().all(u8::is_ascii_alphanumeric)
        // `12:30:00.123Z` is a time.
        && extension.first().is_some_and(u8::is_ascii_alphabetic);
    is_extension.then_some(word)
}

/// Hashes a text after its length, which keeps what stands on either side of noise apart.
fn field(hasher: &mut md5::Md5, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn compile_regex(text: &str) -> Result<Regex, String> {
    let is_meant = |letter: char| matches!(letter, '\n' | '\r' | '\t');
    if let Some(odd) = (text.chars()).find(|letter| letter.is_control() && !is_meant(*letter)) {
        return Err(format!(
            "{text:?} holds the control character {odd:?}; write it in single quotes, in which a backslash stays one"
        ));
    }
    let mut builder = RegexBuilder::new(text);
    let built = builder.size_limit(MAX_REGEX_BYTES).build();
    let regex = built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            "it is too large; repeat less, or write two rules".to_owned()
        }
        error => {
            format!("{error}; write a backslash before a character that is meant as itself")
        }
    })?;
    if regex.is_match(b"") {
        return Err(format!(
            "\"{text}\" matches the empty text; write what surrounds the noise as well"
        ));
    }
    Ok(regex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(pairs: &[(&str, &str)]) -> Result<NoiseRules, RuleError<String>> {
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
        let digest = |key: &str, page: &str| rules.digest(key, page.as_bytes());
        let page = |id: &str, version: &str, rest: &str| {
            digest(
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
        assert_eq!(digest("a.css", "x"), None);
        assert_ne!(rules.rules_for("a.html"), rules.rules_for("x/a.html"));
        assert_eq!(rules.rules_for("a.css"), None);
    }

    #[test]
    fn a_link_counts_even_within_noise() {
        let rules = rules(&[("*.html", r#"src="[^"]*""#)]).unwrap();
        let digest =
            |link: &str| rules.digest("a.html", format!("<script src=\"{link}\">").as_bytes());
        assert_ne!(digest("/main.1.js"), digest("/main.2.js"));
        assert_eq!(digest("/main.js?1"), digest("/main.js?2"));
    }

    #[test]
    fn noise_keeps_its_sides_apart() {
        let rules = rules(&[("*", "#[0-9]#")]).unwrap();
        let digest = |text: &str| rules.digest("a", text.as_bytes());
        assert_ne!(digest("a#1#b"), digest("ab"));
        assert_ne!(digest("a#1#bc"), digest("ab#1#c"));
        assert_eq!(digest("a#1#b"), digest("a#2#b"));
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

    proptest::proptest! {
        #[test]
        fn nothing_is_too_odd(regex in "[a-z.*+?()|\\[\\]{}0-9^$]{0,10}", bytes: Vec<u8>) {
            if let Ok(rules) = rules(&[("*", &regex)]) {
                rules.digest("a", &bytes);
            }
        }
    }
}
