//! Suspected noise: expressions that would make two versions of a text equal, to be proposed to a person.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::{Regex, escape};

/// The most places at which two versions may differ by noise.
const MAX_PLACES: usize = 16;

/// Stamps of several words: a date or a time as ISO 8601 and as mail has it, which feeds have.
const STAMPS: [&str; 2] = [
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?",
    r"[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9:]+ (?:[A-Z]+|[+-][0-9]{4})",
];

/// A stamp, a run of letters and digits with `-` and `_`, or one other character.
static WORD: LazyLock<Regex> = LazyLock::new(|| {
    let [date, mail] = STAMPS;
    let words = format!(r"{date}\b|{mail}\b|[\p{{Alphabetic}}\p{{N}}_-]+|.");
    Regex::new(&words).expect("constant")
});

/// Returns the expressions that would make two versions of a text equal, or `None` where they differ by more than a few
/// words. Each has one group, the noise, between what stands around it in its line.
pub fn suspect(live: &[u8], built: &[u8]) -> Option<BTreeSet<String>> {
    let (live, built) = (
        std::str::from_utf8(live).ok()?,
        std::str::from_utf8(built).ok()?,
    );
    if live.lines().count() != built.lines().count() {
        return None;
    }
    let mut expressions = BTreeSet::new();
    let lines = live.lines().zip(built.lines());
    for (live, built) in lines.filter(|(live, built)| live != built) {
        let (live, built) = (words(live), words(built));
        if live.len() != built.len() {
            return None;
        }
        let pairs: Vec<_> = live.into_iter().zip(built).collect();
        for (index, (old, new)) in pairs.iter().enumerate() {
            if old == new {
                continue;
            }
            let before = pairs.get(index.saturating_sub(3)..index)?;
            let after = pairs.get(index + 1)?;
            let around = || before.iter().chain([after]);
            let (class, kept) = class(old, new)?;
            let prefix: String = before.iter().map(|(word, _)| *word).collect();
            if prefix.is_empty()
                || around().any(|(old, new)| old != new)
                || expressions.len() >= MAX_PLACES
            {
                return None;
            }
            // What `escape` does to `-` is needed within brackets alone.
            let prefix = escape(&(prefix + kept)).replace(r"\-", "-");
            expressions.insert(format!("{prefix}({class}){}", escape(after.0)));
        }
    }
    (!expressions.is_empty()).then_some(expressions)
}

/// Splits a line into words. It begins and ends with an empty word, so that every other has neighbours.
fn words(line: &str) -> Vec<&str> {
    let words = WORD.find_iter(line).map(|word| word.as_str());
    [""].into_iter().chain(words).chain([""]).collect()
}

/// Returns what both words are made of, after what of them stays, or `None` where they are an edit rather than noise, as letters
/// alone are.
fn class<'a>(old: &'a str, new: &str) -> Option<(&'static str, &'a str)> {
    static STAMP: LazyLock<[Regex; 2]> =
        LazyLock::new(|| STAMPS.map(|stamp| Regex::new(&format!("^{stamp}$")).expect("constant")));
    let stamps = STAMP.iter().zip(STAMPS);
    for (is_stamp, stamp) in stamps {
        if is_stamp.is_match(old) && is_stamp.is_match(new) {
            return Some((stamp, ""));
        }
    }
    // The `post-` of `post-17` is no noise.
    let same = old
        .bytes()
        .zip(new.bytes())
        .take_while(|(old, new)| old == new);
    let kept = old[..old.floor_char_boundary(same.count())].rfind(['-', '_']);
    let (kept, old) = old.split_at(kept.map_or(0, |at| at + 1));
    let new = &new[kept.len()..];
    let letters = || old.chars().chain(new.chars());
    let class = if old.is_empty() || new.is_empty() {
        return None;
    } else if letters().all(|letter| letter.is_ascii_digit()) {
        "[0-9]+"
    } else if !letters().any(|letter| letter.is_ascii_digit()) {
        return None;
    } else if letters().all(|letter| letter.is_ascii_alphanumeric()) {
        "[0-9A-Za-z]+"
    } else if letters().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter)) {
        "[0-9A-Za-z_-]+"
    } else {
        return None;
    };
    Some((class, kept))
}

#[cfg(test)]
mod tests {
    use super::super::noise::{NoiseRule, NoiseRules};
    use super::*;

    #[test]
    fn noise_is_suspected_where_numbers_differ() {
        for (live, built, expected) in [
            (
                "<a data-id=\"cm1x\">\nx",
                "<a data-id=\"cm2y9\">\nx",
                Some(vec![r#"data-id="([0-9A-Za-z]+)""#]),
            ),
            (
                "s.css?v=123\n",
                "s.css?v=4567\n",
                Some(vec![r"\?v=([0-9]+)"]),
            ),
            (
                "<updated>2026-01-02T03:04:05.678Z</updated>",
                "<updated>2026-01-02T03:04:09.1Z</updated>",
                Some(vec![&*format!("<updated>({})<", STAMPS[0])]),
            ),
            (
                "<pubDate>Fri, 02 Jan 2026 03:04:05 GMT</pubDate>",
                "<pubDate>Sat, 03 Jan 2026 03:04:05 GMT</pubDate>",
                Some(vec![&*format!("<pubDate>({})<", STAMPS[1])]),
            ),
            (
                "<p id=\"post-17\">",
                "<p id=\"post-18\">",
                Some(vec![r#"id="post-([0-9]+)""#]),
            ),
            (
                "nonce=\"V1S-tG_xR8\"",
                "nonce=\"iJdRzrfuf_4-\"",
                Some(vec![r#"nonce="([0-9A-Za-z_-]+)""#]),
            ),
            ("a word", "a name", None),
            ("<p>éa-1", "<p>èa-1", None),
            ("same", "same", None),
            ("a\nb", "a", None),
        ] {
            let suspected = suspect(live.as_bytes(), built.as_bytes());
            let suspected: Option<Vec<_>> = suspected
                .as_ref()
                .map(|set| set.iter().map(String::as_str).collect());
            assert_eq!(suspected, expected, "{live}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_suspected_makes_the_pages_equal(
            lines in proptest::collection::vec("[a-z =\"?.<>]{1,10}", 1..4), old in "[0-9]{1,6}", new in "[0-9]{1,6}",
        ) {
            let page = |number: &str| lines.join(&format!("x=\"{number}\"")) + &format!(" v={number};");
            let (live, built) = (page(&old), page(&new));
            if let Some(suspected) = suspect(live.as_bytes(), built.as_bytes()) {
                let rule = |regex: String| NoiseRule { patterns: vec!["*".to_owned()], regex };
                let rules: Vec<_> = suspected.into_iter().map(rule).collect();
                let rules = NoiseRules::compile(&rules).unwrap();
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
        fn nothing_is_too_odd(live: Vec<u8>, built: Vec<u8>) {
            suspect(&live, &built);
        }
    }
}
