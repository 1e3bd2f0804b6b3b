//! What happens at the edges, for those who watch: the newest events, each with a number.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::{Serialize, Serializer};
use tokio::sync::watch;

use super::invalidation::Invalidation;

/// Events that are kept: whoever falls further behind is shown everything anew.
const MOST: usize = 4096;

/// Something that happened, as the panel's script reads it. Times are milliseconds since 1970.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum EdgeEvent {
    /// A viewer was answered. `entry` is what the edge holds under the path now.
    Asked {
        edge: EdgeName,
        path: String,
        status: u16,
        said: &'static str,
        at: Millis,
        counts: AnswerCounts,
        entry: Option<EntryView>,
    },
    /// An invalidation took these paths from an edge.
    Purged {
        edge: EdgeName,
        invalidation: String,
        paths: Vec<String>,
        at: Millis,
    },
    /// An edge forgot everything.
    Cleared { edge: EdgeName },
    /// The API took an invalidation.
    Invalidated(InvalidationView),
}

/// A distribution's or tenant's id, and the edge's number.
#[derive(Clone, Serialize)]
pub(super) struct EdgeName(pub String, pub usize);

/// How often an edge answered so, errors apart.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct AnswerCounts {
    pub hits: u64,
    pub misses: u64,
    pub refreshes: u64,
    pub errors: u64,
}

/// What an edge holds under a path. Sizes in bytes, `fresh` and `stale` in seconds since `stored`.
#[derive(Serialize)]
pub(super) struct EntryView {
    pub path: String,
    pub status: u16,
    pub size: usize,
    #[serde(rename = "type")]
    pub content_type: String,
    pub stored: Millis,
    pub fresh: u64,
    /// How long after that it may still be served.
    pub stale: u64,
    pub failed: bool,
}

/// An invalidation; of its items the first [`InvalidationView::MOST`].
#[derive(Serialize)]
pub(super) struct InvalidationView {
    id: String,
    distribution: String,
    items: Vec<String>,
    count: usize,
    accepted: Millis,
    completes: Millis,
}

impl InvalidationView {
    const MOST: usize = 200;

    pub(super) fn of(invalidation: &Invalidation, distribution: &str) -> Self {
        let items = invalidation.items.iter();
        Self {
            id: invalidation.id.clone(),
            distribution: distribution.to_owned(),
            items: items.take(Self::MOST).cloned().collect(),
            count: invalidation.items.len(),
            accepted: Millis(invalidation.accepted),
            completes: Millis(invalidation.completes),
        }
    }
}

/// A time that is written in milliseconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Millis(pub SystemTime);

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let since = self.0.duration_since(SystemTime::UNIX_EPOCH);
        serializer.serialize_u128(since.unwrap_or_default().as_millis())
    }
}

/// The newest events as JSON. Nothing is written down, or costs anything, until somebody may watch.
pub(super) struct Feed {
    is_on: AtomicBool,
    events: Mutex<KeptEvents>,
    /// How many there have been.
    count: watch::Sender<u64>,
    /// Another number whenever pages are to be loaded again.
    pages: watch::Sender<u64>,
}

#[derive(Default)]
struct KeptEvents {
    newest: VecDeque<Arc<str>>,
    count: u64,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            is_on: AtomicBool::new(false),
            events: Mutex::default(),
            count: watch::Sender::new(0),
            pages: watch::Sender::new(0),
        }
    }
}

impl Feed {
    fn events(&self) -> MutexGuard<'_, KeptEvents> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what happens from now on. `began` is a number of pages that no earlier process gave out.
    pub(super) fn turn_on(&self, began: u64) {
        if !self.is_on.swap(true, Ordering::Relaxed) {
            self.pages.send_replace(began);
        }
    }

    pub(super) fn tell(&self, event: impl FnOnce() -> EdgeEvent) {
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        let text = serde_json::to_string(&event()).unwrap_or_default();
        let mut events = self.events();
        if events.newest.len() == MOST {
            events.newest.pop_front();
        }
        events.newest.push_back(text.into());
        events.count += 1;
        self.count.send_replace(events.count);
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    #[cfg(test)]
    pub(super) fn watchers(&self) -> usize {
        self.count.receiver_count()
    }

    pub(super) fn pages(&self) -> u64 {
        *self.pages.borrow()
    }

    pub(super) fn watch_pages(&self) -> watch::Receiver<u64> {
        self.pages.subscribe()
    }

    /// Has every page loaded again that listens.
    pub(super) fn reload(&self) {
        self.pages.send_modify(|number| *number += 1);
    }

    /// Returns the events after the first `seen` and how many there have been; `None` where some of them are no longer kept.
    pub(super) fn since(&self, seen: u64) -> Option<(Vec<Arc<str>>, u64)> {
        let events = self.events();
        let missing = usize::try_from(events.count.checked_sub(seen)?).ok()?;
        let first = events.newest.len().checked_sub(missing)?;
        Some((
            events.newest.range(first..).cloned().collect(),
            events.count,
        ))
    }

    /// Returns at most so many of the newest events, oldest first, and how many there have been.
    pub(super) fn newest(&self, most: usize) -> (Vec<Arc<str>>, u64) {
        let events = self.events();
        let first = events.newest.len().saturating_sub(most);
        (
            events.newest.range(first..).cloned().collect(),
            events.count,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleared(number: usize) -> EdgeEvent {
        EdgeEvent::Cleared {
            edge: EdgeName("E".to_owned(), number),
        }
    }

    #[test]
    fn nothing_is_written_down_before_somebody_may_watch() {
        let feed = Feed::default();
        feed.tell(|| unreachable!("nobody watches"));
        feed.turn_on(7);
        feed.turn_on(8);
        assert_eq!(feed.pages(), 7);
        feed.tell(|| cleared(0));
        let (events, count) = feed.since(0).unwrap();
        assert_eq!(&*events[0], r#"{"kind":"cleared","edge":["E",0]}"#);
        assert_eq!((events.len(), count), (1, 1));
        assert!(feed.since(1).unwrap().0.is_empty());
    }

    #[test]
    fn who_falls_behind_is_told_so() {
        let feed = Feed::default();
        feed.turn_on(0);
        for number in 0..=MOST {
            feed.tell(|| cleared(number));
        }
        assert!(feed.since(0).is_none());
        let (events, count) = feed.since(1).unwrap();
        assert_eq!((events.len(), count as usize), (MOST, MOST + 1));
        let (newest, _) = feed.newest(2);
        assert!(newest[1].ends_with(&format!("{MOST}]}}")), "{newest:?}");
        assert!(feed.since(count + 1).is_none());
    }
}
