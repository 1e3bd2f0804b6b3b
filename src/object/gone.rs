//! Pages that left the site: readers' bookmarks, and links, may ask for them yet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Key, Md5};

/// How many pages are remembered.
const MAX_PAGES: usize = 5_000;

/// A page that left the site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GonePage {
    /// Unix seconds of the deploy that put it there first, where that is known.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Unix seconds of the deploy that removed it.
    #[serde(rename = "g")]
    pub at: i64,
    /// Of what was stored, where that is known and not empty.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Md5>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Box<str>>,
}

/// The pages that are remembered to have left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GonePages {
    /// The counter of the first deploy whose pages are all here: those that left before it, history alone may tell.
    pub from: u64,
    pub pages: BTreeMap<Key, GonePage>,
}

impl GonePages {
    /// Adds pages that left since; where there are too many, those that left first are forgotten.
    pub fn add(&mut self, pages: impl IntoIterator<Item = (Key, GonePage)>) {
        self.pages.extend(pages);
        let excess = self.pages.len().saturating_sub(MAX_PAGES);
        if excess > 0 {
            let by_time = self.pages.iter().map(|(key, page)| (page.at, key.clone()));
            let mut by_time: Vec<(i64, Key)> = by_time.collect();
            by_time.sort_unstable();
            for (_, key) in by_time.into_iter().take(excess) {
                self.pages.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_that_left_first_are_forgotten_first() {
        let page = |number: usize| {
            let page = GonePage {
                // The keys sort the other way round.
                at: (2 * MAX_PAGES - number) as i64,
                ..GonePage::default()
            };
            (Key::new(format!("{number:05}.html")), page)
        };
        let mut gone = GonePages::default();
        gone.add((0..MAX_PAGES).map(page));
        assert_eq!(gone.pages.len(), MAX_PAGES);
        gone.add([page(1), page(7_000)]);
        assert_eq!(gone.pages.len(), MAX_PAGES);
        assert!(!gone.pages.contains_key("07000.html"));
        assert!(gone.pages.contains_key("00000.html"));
    }

    #[test]
    fn what_is_written_reads_back() {
        let page = GonePage {
            since: Some(1),
            at: 2,
            digest: Some(Md5([3; 16])),
            title: Some("Über".into()),
        };
        let mut gone = GonePages {
            from: 4,
            ..GonePages::default()
        };
        gone.add([(Key::new("a"), page), (Key::new("b"), GonePage::default())]);
        let text = serde_json::to_string(&gone).unwrap();
        assert_eq!(serde_json::from_str::<GonePages>(&text).unwrap(), gone);
    }
}
