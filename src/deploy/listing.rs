//! Lists a bucket in parts, side by side: between keys of the build at first, and wherever it turns out to hold more than the
//! build does, in ever smaller parts. Exact whatever the bucket holds.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;

use crate::aws::list::{KeyRange, Listed};
use crate::aws::{AwsError, Bucket};
use crate::domain::Key;

/// Parts that are asked for at once, at most.
const AT_ONCE: usize = 64;
/// Pages of a part after which what is left of it is split.
const PAGES: usize = 2;
/// No key of printable ASCII lies beyond.
const LAST: &str = "\u{7f}";

/// The keys at which to split, once the walk of the build has told.
#[derive(Debug)]
pub struct Splits(watch::Sender<Option<Arc<[Key]>>>);

impl Default for Splits {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Splits {
    pub fn set(&self, keys: Vec<Key>) {
        self.0.send_replace(Some(keys.into()));
    }

    pub async fn get(&self) -> Arc<[Key]> {
        let mut known = self.0.subscribe();
        let known = known.wait_for(Option::is_some).await;
        // The sender is `self`.
        known.ok().and_then(|keys| keys.clone()).unwrap_or_default()
    }
}

/// Keys after the first, up to and with the second; all where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part(Option<String>, Option<String>);

/// What a part's first pages show.
#[derive(Debug)]
struct Shown {
    part: Part,
    objects: Vec<Listed>,
    /// That is all of the part.
    whole: bool,
}

/// All objects whose keys begin with `prefix`, sorted by key: for at most a page more a part than one by one.
pub async fn list(
    bucket: &Bucket,
    prefix: &str,
    splits: &[Key],
    seen: impl Fn(u64) + Send + Sync + 'static,
) -> Result<Vec<Listed>, AwsError> {
    let (count, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(seen));
    let told = move |more: usize| {
        let more = more as u64;
        seen(count.fetch_add(more, Ordering::Relaxed) + more);
    };
    let mut waiting = parts(prefix, splits);
    let mut under_way = FuturesUnordered::new();
    let mut found: Vec<(Option<String>, Vec<Listed>)> = Vec::new();
    loop {
        while under_way.len() < AT_ONCE
            && let Some(part) = waiting.pop()
        {
            under_way.push(read(bucket, prefix, part, told.clone()));
        }
        let Some(page) = under_way.next().await else {
            break;
        };
        let page = page?;
        if !page.whole
            && let Some(last) = page.objects.last()
        {
            waiting.extend(halves(prefix, &last.key, page.part.1));
        }
        found.push((page.part.0, page.objects));
    }
    found.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    // There may be millions: no more room than they take.
    let count = found.iter().map(|(_, objects)| objects.len()).sum();
    let mut all = Vec::with_capacity(count);
    found
        .into_iter()
        .for_each(|(_, objects)| all.extend(objects));
    Ok(all)
}

/// So many pages of a part, in a task of its own, so that both cores read the answers.
async fn read(
    bucket: &Bucket,
    prefix: &str,
    part: Part,
    told: impl Fn(usize) + Send + Sync + 'static,
) -> Result<Shown, AwsError> {
    let (bucket, prefix) = (bucket.clone(), prefix.to_owned());
    let listed = async move {
        let (after, last) = (part.0.as_deref(), part.1.as_deref());
        let range = KeyRange {
            prefix: &prefix,
            after,
            last,
        };
        let listed = bucket.list_range(range, PAGES, told).await;
        listed.map(|(objects, whole)| Shown {
            part,
            objects,
            whole,
        })
    };
    own_task(listed).await
}

async fn own_task<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(task).await {
        Ok(result) => result,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// The parts between the splits, the first one last.
fn parts(prefix: &str, splits: &[Key]) -> Vec<Part> {
    let ends = splits.iter().map(|key| Some(format!("{prefix}{key}")));
    let mut after = None;
    let parts = ends.chain([None]);
    let mut parts: Vec<Part> = parts
        .map(|end| Part(std::mem::replace(&mut after, end.clone()), end))
        .collect();
    parts.reverse();
    parts
}

/// What is left of a part after a key, in two where there is a place to split it.
fn halves(prefix: &str, after: &str, end: Option<String>) -> Vec<Part> {
    let beyond = format!("{prefix}{LAST}");
    match middle(after, end.as_deref().unwrap_or(&beyond)) {
        Some(middle) => vec![
            Part(Some(middle.clone()), end),
            Part(Some(after.to_owned()), Some(middle)),
        ],
        None => vec![Part(Some(after.to_owned()), end)],
    }
}

/// A short key about halfway between two, as far as they are printable ASCII where they part.
fn middle(after: &str, end: &str) -> Option<String> {
    const DIGITS: std::ops::Range<u8> = b' '..0x7f;
    let common = after
        .bytes()
        .zip(end.bytes())
        .take_while(|(one, other)| one == other)
        .count();
    let mut key = after.get(..common)?.to_owned();
    // As long as the key is the end's own beginning, that is the limit; then any digit will do.
    let mut below = false;
    for at in common.. {
        let low = after.as_bytes().get(at).copied().unwrap_or(DIGITS.start);
        let high = match below {
            true => DIGITS.end,
            false => *end.as_bytes().get(at)?,
        };
        let ascii = DIGITS.contains(&low) && high <= DIGITS.end;
        if !ascii || key.len() > common + 8 {
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
    fn parts_meet_at_the_splits() {
        let part = |after: Option<&str>, end: Option<&str>| {
            Part(after.map(str::to_owned), end.map(str::to_owned))
        };
        assert_eq!(parts("p/", &[]), [part(None, None)]);
        assert_eq!(
            parts("p/", &[Key::new("a"), Key::new("b")]),
            [
                part(Some("p/b"), None),
                part(Some("p/a"), Some("p/b")),
                part(None, Some("p/a")),
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
