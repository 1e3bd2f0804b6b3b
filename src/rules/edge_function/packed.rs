//! Exact redirects in a short form: sorted, each path without what it shares with the one before, each target without what it
//! shares with its path and with other targets.
//!
//! A group is for paths that get one ending for another, such as `/` for `.html`. It is a list of words with spaces between them,
//! two for each redirect. The first is how many bytes of the path before are kept at its beginning and at its end, one character each,
//! and what stands between them. The second is the number of a head that many targets begin with, the number of bytes of the
//! path that the target does not go on with, one character each, and what stands between head and path.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::object::key::file_name;

/// The character that stands for 0; a count is at most [`MAX_COUNT`].
const ZERO: u8 = b'#';
/// No `\`, which a literal would double.
const MAX_COUNT: usize = 56;
/// Instead of a count: the target does not end as its path does.
const NO_END: u8 = b']';

/// Fewer redirects than this have no group of their own.
const MIN_GROUP: usize = 4;

/// Where exact redirects stand: their status, and how many of the listed ones go before them.
pub(super) type ExactGroup = (u16, usize);

/// Redirects that get one ending for another, with the heads of their targets. As JSON the fields are a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct PackedRedirects {
    pub status: u16,
    /// How many of the listed redirects go before them.
    pub before: usize,
    /// How many bytes of a path's end are put off.
    pub cut: usize,
    /// What is put there instead.
    pub tail: String,
    /// The first is empty.
    pub heads: Vec<String>,
    pub words: String,
}

/// Packs normal paths with their targets.
pub(super) fn pack(
    place: ExactGroup,
    redirects: &BTreeMap<String, String>,
) -> Vec<PackedRedirects> {
    let mut groups: BTreeMap<(&str, &str), BTreeMap<&str, &str>> = BTreeMap::new();
    for (from, to) in redirects {
        groups
            .entry(endings(from, to))
            .or_default()
            .insert(from, to);
    }
    let few = groups.extract_if(.., |_, group| group.len() < MIN_GROUP);
    for (_, group) in few.collect::<Vec<_>>() {
        groups.entry(("", "")).or_default().extend(group);
    }
    groups
        .into_iter()
        .map(|(endings, group)| pack_group(place, endings, &group))
        .collect()
}

fn pack_group(
    (status, before): ExactGroup,
    (cut, tail): (&str, &str),
    redirects: &BTreeMap<&str, &str>,
) -> PackedRedirects {
    let stems = redirects.iter().map(|(from, to)| {
        let stem = from.strip_suffix(cut).unwrap_or(from);
        (stem, to.strip_suffix(tail).unwrap_or(to))
    });
    let stems: Vec<(&str, &str)> = stems.collect();
    let heads = common_heads(&stems);
    let mut words = Vec::new();
    let mut last = "";
    for (from, (stem, to)) in redirects.keys().zip(&stems) {
        words.push(packed_path(last, from));
        words.push(packed_target(stem, to, &heads));
        last = from;
    }
    PackedRedirects {
        status,
        before,
        cut: cut.len(),
        tail: tail.to_owned(),
        heads,
        words: words.join(" "),
    }
}

/// Returns what a path and its target end with that differs, where what stands before that is alike for longer than without.
fn endings<'t>(from: &'t str, to: &'t str) -> (&'t str, &'t str) {
    let shared = |cut: &str, tail: &str| {
        let pairs = from.strip_suffix(cut).zip(to.strip_suffix(tail));
        let (stem, start) = pairs.unwrap_or_default();
        let pairs = stem.bytes().rev().zip(start.bytes().rev());
        pairs.take_while(|(left, right)| left == right).count()
    };
    let pairs = usual_ends(from)
        .into_iter()
        .flat_map(|cut| usual_ends(to).map(|tail| (cut, tail)));
    // The first of those that are as good.
    let best = pairs.rev().max_by_key(|(cut, tail)| shared(cut, tail));
    best.unwrap_or_default()
}

/// Returns endings that URLs change: none, a slash, an extension.
fn usual_ends(path: &str) -> [&str; 3] {
    let slash = if path.ends_with('/') { "/" } else { "" };
    let name = file_name(path);
    let extension = name.rfind('.').map_or("", |dot| name.split_at(dot).1);
    ["", slash, extension]
}

/// Reads what [`pack`] wrote.
pub(super) fn unpack(packed: &PackedRedirects) -> Option<BTreeMap<String, String>> {
    let mut redirects = BTreeMap::new();
    let mut words = packed.words.split(' ').filter(|word| !word.is_empty());
    let mut from = String::new();
    while let Some(word) = words.next() {
        let (begun, word) = count(word)?;
        let (ended, middle) = count(word)?;
        let end = from.get(from.len().checked_sub(ended)?..)?;
        from = format!("{}{middle}{end}", from.get(..begun)?);
        let stem = from.get(..from.len().checked_sub(packed.cut)?)?;
        let (head, target) = count(words.next()?)?;
        let (skipped, middle) = count(target)?;
        let end = if skipped > MAX_COUNT {
            ""
        } else {
            stem.get(skipped..)?
        };
        let to = format!("{}{middle}{end}{}", packed.heads.get(head)?, packed.tail);
        redirects.insert(from.clone(), to);
    }
    Some(redirects)
}

fn digit(count: usize) -> char {
    let byte = u8::try_from(count).map_or(NO_END, |count| ZERO + count);
    char::from(byte)
}

/// Takes the count off that a word begins with.
fn count(word: &str) -> Option<(usize, &str)> {
    let (first, rest) = word.split_at_checked(1)?;
    let byte = first.bytes().next()?;
    Some((usize::from(byte.checked_sub(ZERO)?), rest))
}

fn packed_path(before: &str, path: &str) -> String {
    let shared = |pairs: &mut dyn Iterator<Item = (u8, u8)>| {
        let shared = pairs.take_while(|(left, right)| left == right).count();
        shared.min(MAX_COUNT)
    };
    let begun = shared(&mut before.bytes().zip(path.bytes()));
    let (_, left) = before.split_at(begun);
    let (_, rest) = path.split_at(begun);
    let ended = shared(&mut left.bytes().rev().zip(rest.bytes().rev()));
    let (middle, _) = rest.split_at(rest.len() - ended);
    format!("{}{}{middle}", digit(begun), digit(ended))
}

/// Splits a target into what stands before the end that it shares with its path, and how many bytes of the path come before that.
fn split_end<'t>(from: &str, to: &'t str) -> (&'t str, Option<usize>) {
    let pairs = from.bytes().rev().zip(to.bytes().rev());
    let shared = pairs.take_while(|(left, right)| left == right).count();
    let skipped = from.len() - shared;
    if shared == 0 || skipped > MAX_COUNT {
        return (to, None);
    }
    (to.split_at(to.len() - shared).0, Some(skipped))
}

fn packed_target(from: &str, to: &str, heads: &[String]) -> String {
    let (start, skipped) = split_end(from, to);
    let fitting = heads.iter().enumerate();
    let fitting = fitting.filter(|(_, head)| start.starts_with(head.as_str()));
    let longest = fitting.max_by_key(|(_, head)| head.len());
    let (number, head) = longest.map_or((0, ""), |(number, head)| (number, head.as_str()));
    let middle = start.strip_prefix(head).unwrap_or(start);
    let end = skipped.map_or(char::from(NO_END), digit);
    format!("{}{end}{middle}", digit(number))
}

/// Finds what so many targets begin with that naming it by a number is shorter; an empty one first.
fn common_heads(redirects: &[(&str, &str)]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (from, to) in redirects {
        let (start, _) = split_end(from, to);
        let folder = start
            .rfind('/')
            .map_or(start, |slash| start.split_at(slash + 1).0);
        *counts.entry(start).or_default() += 1;
        if folder != start {
            *counts.entry(folder).or_default() += 1;
        }
    }
    let saved = |(head, uses): &(&str, usize)| (uses - 1) * head.len();
    let mut heads: Vec<(&str, usize)> = counts.into_iter().collect();
    // What it is listed with costs a few bytes more.
    heads.retain(|head| saved(head) > 4);
    heads.sort_by_key(|head| std::cmp::Reverse(saved(head)));
    let named = heads.iter().map(|(head, _)| (*head).to_owned());
    std::iter::once(String::new())
        .chain(named.take(MAX_COUNT))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirects(pairs: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
        pairs.into_iter().collect()
    }

    fn read(packed: &[PackedRedirects]) -> BTreeMap<String, String> {
        let groups = packed.iter().map(|group| unpack(group).unwrap());
        groups.flatten().collect()
    }

    #[test]
    fn what_is_shared_is_written_once() {
        let numbered = |end: &str| {
            let path = |n: usize| format!("/old/posts/page-{n}{end}");
            redirects((100..500).map(|n| (path(n), format!("/new/articles/page-{n}/"))))
        };
        for end in ["/", ".html", ""] {
            let numbered = numbered(end);
            let packed = pack((301, 0), &numbered);
            let [group] = packed.as_slice() else {
                panic!("{packed:?}");
            };
            assert!(group.words.len() < 400 * 8, "{end} {}", group.words.len());
            assert_eq!(read(&packed), numbered);
        }
    }

    proptest::proptest! {
        #[test]
        fn they_read_back(pairs in proptest::collection::btree_map("/[ab/%.-]{0,70}", "(/|https://x\\.y/)[ab/?#&{|}~]{0,70}", 0..12)) {
            let packed = pack((301, 0), &pairs);
            proptest::prop_assert_eq!(read(&packed), pairs);
        }
    }
}
