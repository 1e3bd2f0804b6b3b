//! Lists a bucket in ranges, side by side: between keys of the build at first, and wherever it turns out to hold more than the
//! build does, in ever smaller ranges. Exact whatever the bucket holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::SetOnce;
use tokio::task::JoinSet;

use crate::aws::list::{KeyRange, ListedObject};
use crate::aws::{AwsError, Bucket};
use crate::object::Key;

/// Ranges that are asked for at once, at most.
const AT_ONCE: usize = 64;
/// Pages of a range after which what is left of it is split.
const PAGES: usize = 2;
/// No key of printable ASCII lies beyond.
const LAST: &str = "\u{7f}";

/// The keys at which to split, once the walk of the build has told.
pub(crate) type ListingSplits = SetOnce<Vec<Key>>;

/// The keys after `after`, up to and with `end`; without limits where there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeySpan {
    after: Option<String>,
    end: Option<String>,
}

/// Returns all objects whose keys begin with `prefix`, sorted by key, for at most a page more a range than one by one. `seen` is
/// told how many were listed so far.
pub(crate) async fn list(
    bucket: &Bucket,
    prefix: &str,
    splits: &[Key],
    seen: impl Fn(u64) + Send + Sync + 'static,
) -> Result<Vec<ListedObject>, AwsError> {
    let (count, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(seen));
    let mut waiting = split(prefix, splits);
    // Tasks of their own, so that all cores read the answers.
    let mut tasks = JoinSet::new();
    let mut objects_by_start: BTreeMap<Option<String>, Vec<ListedObject>> = BTreeMap::new();
    loop {
        while tasks.len() < AT_ONCE
            && let Some(range) = waiting.pop()
        {
            let (bucket, prefix) = (bucket.clone(), prefix.to_owned());
            let (count, seen) = (count.clone(), seen.clone());
            tasks.spawn(async move {
                let told = |more: usize| {
                    let more = more as u64;
                    seen(count.fetch_add(more, Ordering::Relaxed) + more);
                };
                let keys = KeyRange {
                    prefix: &prefix,
                    after: range.after.as_deref(),
                    last: range.end.as_deref(),
                };
                let listed = bucket.list_range(keys, PAGES, told).await;
                (range, listed)
            });
        }
        let Some(joined) = tasks.join_next().await else {
            break;
        };
        // Nothing aborts a task here, so what failed to join has panicked.
        let (range, listed) =
            joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let (objects, whole) = listed?;
        if !whole && let Some(last) = objects.last() {
            waiting.extend(halves(prefix, &last.key, range.end));
        }
        objects_by_start.insert(range.after, objects);
    }
    // There may be millions: no more room than they take.
    let count = objects_by_start.values().map(Vec::len).sum();
    let mut listing = Vec::with_capacity(count);
    for objects in objects_by_start.into_values() {
        listing.extend(objects);
    }
    Ok(listing)
}

/// Returns the ranges between the splits, the first one last.
fn split(prefix: &str, splits: &[Key]) -> Vec<KeySpan> {
    let mut after = None;
    let mut ranges = Vec::with_capacity(splits.len() + 1);
    for key in splits {
        let end = Some(format!("{prefix}{key}"));
        let after = std::mem::replace(&mut after, end.clone());
        ranges.push(KeySpan { after, end });
    }
    ranges.push(KeySpan { after, end: None });
    ranges.reverse();
    ranges
}

/// Returns what is left of a range after a key, in two where there is a place to split it.
fn halves(prefix: &str, after: &str, end: Option<String>) -> Vec<KeySpan> {
    let beyond = format!("{prefix}{LAST}");
    let middle = middle(after, end.as_deref().unwrap_or(&beyond));
    let after = Some(after.to_owned());
    if middle.is_none() {
        return vec![KeySpan { after, end }];
    }
    let tail = KeySpan {
        after: middle.clone(),
        end,
    };
    vec![tail, KeySpan { after, end: middle }]
}

/// Returns a short key about halfway between two, as far as they are printable ASCII where they part.
fn middle(after: &str, end: &str) -> Option<String> {
    const DIGITS: std::ops::Range<u8> = b' '..0x7f;
    let pairs = after.bytes().zip(end.bytes());
    let common = pairs.take_while(|(low, high)| low == high).count();
    let mut key = after.get(..common)?.to_owned();
    // As long as the key is the end's own beginning, that is the limit; then any digit will do.
    let mut below = false;
    for index in common..=common + 8 {
        let low = after.as_bytes().get(index).copied();
        let low = low.unwrap_or(DIGITS.start);
        let high = if below {
            DIGITS.end
        } else {
            *end.as_bytes().get(index)?
        };
        if !DIGITS.contains(&low) || high > DIGITS.end {
            return None;
        }
        let between = low + high.saturating_sub(low) / 2;
        if between > low {
            key.push(between as char);
            return Some(key);
        }
        key.push(low as char);
        below |= low < high;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_meet_at_the_splits() {
        let range = |after: Option<&str>, end: Option<&str>| KeySpan {
            after: after.map(str::to_owned),
            end: end.map(str::to_owned),
        };
        assert_eq!(split("p/", &[]), [range(None, None)]);
        assert_eq!(
            split("p/", &[Key::new("a"), Key::new("b")]),
            [
                range(Some("p/b"), None),
                range(Some("p/a"), Some("p/b")),
                range(None, Some("p/a")),
            ]
        );
    }

    #[test]
    fn a_middle_lies_about_halfway() {
        for (after, end, expected) in [
            ("a", "z", Some("m")),
            ("posts/2012/05", "posts/2020/01", Some("posts/201X")),
            ("backup/0001", "backup/0002", Some("backup/0001O")),
            ("a", "b", Some("aO")),
            ("é", "z", None),
            ("x~~~~~~~~~~", "y", None),
        ] {
            assert_eq!(middle(after, end).as_deref(), expected, "{after} {end}");
        }
    }

    proptest! {
        #[test]
        fn a_middle_lies_between(one in "[ -~é]{0,12}", other in "[ -~é]{0,12}") {
            prop_assume!(one < other);
            if let Some(middle) = middle(&one, &other) {
                prop_assert!(one < middle && middle < other, "{one:?} {middle:?} {other:?}");
            }
        }
    }
}
