//! Suspected noise: expressions that would make two versions of a page equal, to be proposed to a person.

use std::collections::BTreeSet;

/// The most places at which two versions may differ by noise.
const MAX_PLACES: usize = 16;

/// Returns the expressions that would make two versions of a page equal, or `None` where they differ by more than a few
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
            let prefix: String = before.iter().map(|(word, _)| *word).collect();
            if prefix.is_empty()
                || around().any(|(old, new)| old != new)
                || expressions.len() >= MAX_PLACES
            {
                return None;
            }
            expressions.insert(format!(
                "{}({}){}",
                regex::escape(&prefix),
                class(old, new)?,
                regex::escape(after.0)
            ));
        }
    }
    (!expressions.is_empty()).then_some(expressions)
}

/// Splits a line into runs of letters and digits, and each other character by itself. It begins and ends with an empty word,
/// so that every other has neighbours.
fn words(line: &str) -> Vec<&str> {
    let mut words = vec![""];
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = if first.is_alphanumeric() {
            rest.find(|letter: char| !letter.is_alphanumeric())
                .unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, left) = rest.split_at(end);
        words.push(word);
        rest = left;
    }
    words.push("");
    words
}

/// Returns what both words are made of, or `None` where they are an edit rather than noise, as letters alone are.
fn class(old: &str, new: &str) -> Option<&'static str> {
    if old.is_empty() || new.is_empty() {
        return None;
    }
    let letters = || old.chars().chain(new.chars());
    if letters().all(|letter| letter.is_ascii_digit()) {
        Some("[0-9]+")
    } else if letters().all(|letter| letter.is_ascii_alphanumeric())
        && letters().any(|letter| letter.is_ascii_digit())
    {
        Some("[0-9A-Za-z]+")
    } else {
        None
    }
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
