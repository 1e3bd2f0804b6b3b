//! Pages that left the site: those that the state remembers, and those that history tells of.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};

use super::history::{HistoryRecord, KeyChange, RecentDeploy};
use super::object::StateObject;
use super::{StateError, StateStore, md5_of};
use crate::object::Key;
use crate::object::gone::{GonePage, GonePages};
use crate::rules::content_type::content_type;
use crate::rules::page::is_bookmarked;

/// Records read at once.
const AT_ONCE: usize = 16;

impl StateStore {
    /// Reads which pages left. Where nothing is known yet, or what is known is damaged, history alone tells.
    pub async fn read_gone(&self, state: &StateObject) -> Result<GonePages, StateError> {
        let nothing = GonePages {
            from: u64::MAX,
            ..GonePages::default()
        };
        let Some(gone) = &state.gone else {
            return Ok(nothing);
        };
        Ok(self.read_document(gone).await?.unwrap_or(nothing))
    }

    /// Adds the pages that left with deploys from before any were remembered, as the records that there are of them tell.
    pub async fn add_from_history(
        &self,
        gone: &mut GonePages,
        state: &StateObject,
    ) -> Result<(), StateError> {
        let earlier = unread(gone, state);
        let read: Vec<Result<HistoryRecord, StateError>> = stream::iter(earlier)
            .map(|deploy| self.read_history(deploy))
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut records = Vec::new();
        for record in read {
            match record {
                // It would be damaged the next time, too.
                Err(StateError::Corrupt { .. }) => {}
                record => records.push(record?),
            }
        }
        let mut left = left(&records);
        // What is remembered came later.
        left.append(&mut gone.pages);
        *gone = GonePages::default();
        gone.add(left);
        Ok(())
    }
}

/// Returns the deploys whose removals are not remembered, oldest first.
pub fn unread<'s>(gone: &GonePages, state: &'s StateObject) -> Vec<&'s RecentDeploy> {
    let recent = state.recent.iter();
    recent.filter(|deploy| deploy.counter < gone.from).collect()
}

/// Returns the pages that were gone after the last of these records, which stand in their order.
fn left(records: &[HistoryRecord]) -> BTreeMap<Key, GonePage> {
    let mut left = BTreeMap::new();
    // What was empty was a redirect.
    let empty = md5_of(b"");
    let mut since: BTreeMap<&Key, i64> = BTreeMap::new();
    for record in records {
        for KeyChange { key, before, after } in &record.changes {
            match (before, after) {
                (None, Some(_)) => drop(since.insert(key, record.at)),
                (Some(before), None) if is_page(key) => {
                    let digest = before.digest.or_else(|| before.etag.md5());
                    let page = GonePage {
                        since: since.remove(key),
                        at: record.at,
                        digest,
                        title: None,
                    };
                    if digest != Some(empty) {
                        left.insert(key.clone(), page);
                    }
                    continue;
                }
                _ => {}
            }
            left.remove(key);
        }
    }
    left
}

/// Tells by its name whether readers keep a key's URL: records have no types.
fn is_page(key: &Key) -> bool {
    is_bookmarked(key.as_str(), &content_type(key.as_str(), None, &[]))
}
