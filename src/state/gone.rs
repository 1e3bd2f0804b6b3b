//! Pages that left the site: those that the state remembers, and those that history tells of.

use std::collections::BTreeMap;

use super::history::{HistoryRecord, KeyChange, RecentDeploy};
use super::object::StateObject;
use super::{StateError, StateStore};
use crate::object::gone::{GonePage, GonePages};
use crate::object::{Key, Md5};
use crate::rules::content_type::content_type;
use crate::rules::page::is_bookmarked;

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
        let recent = state.recent.iter();
        let unread = recent.filter(|deploy| deploy.counter < gone.from);
        let names = unread.map(RecentDeploy::history_name).collect();
        // What is damaged is not told: it would be damaged the next time, too.
        let records = self.read_records(names, &mut Vec::new()).await?;
        let mut left = left(&records);
        // What is remembered came later.
        left.append(&mut gone.pages);
        *gone = GonePages::default();
        gone.add(left);
        Ok(())
    }
}

/// Returns the pages that were gone after the last of these records, which stand in their order.
fn left(records: &[HistoryRecord]) -> BTreeMap<Key, GonePage> {
    let mut left = BTreeMap::new();
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
                    // What was empty was a redirect.
                    if digest != Some(Md5::EMPTY) {
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

#[cfg(test)]
mod tests {
    use super::super::history::{PastObject, PastOutcome};
    use super::*;
    use crate::object::entry::EntryLife;
    use crate::object::manifest::DeployId;
    use crate::object::{ETag, HeaderFingerprint};

    fn object(content: u8) -> PastObject {
        PastObject {
            etag: match content {
                0 => ETag::Md5(Md5::EMPTY),
                content => ETag::Md5(Md5([content; 16])),
            },
            version_id: None,
            digest: None,
            fingerprint: HeaderFingerprint(0),
            headers: None,
            life: EntryLife::Live,
        }
    }

    /// A record of changes from one content to another.
    fn record(at: i64, changes: &[(&str, Option<u8>, Option<u8>)]) -> HistoryRecord {
        let changes = changes.iter().map(|(key, before, after)| KeyChange {
            key: Key::new(key),
            before: before.map(object),
            after: after.map(object),
        });
        HistoryRecord {
            id: DeployId::new(format!("d{at}")),
            at,
            who: String::new(),
            host: String::new(),
            commit: None,
            dir: String::new(),
            rollback_of: None,
            changes: changes.collect(),
            purges: Vec::new(),
            outcome: PastOutcome::Done,
        }
    }

    #[test]
    fn what_left_and_did_not_come_back_is_gone() {
        let records = [
            record(
                1,
                &[
                    ("a.html", None, Some(1)),
                    ("back.html", None, Some(2)),
                    ("redirect.html", None, Some(0)),
                    ("app.js", None, Some(3)),
                ],
            ),
            record(
                2,
                &[("a.html", Some(1), Some(4)), ("back.html", Some(2), None)],
            ),
            record(
                3,
                &[
                    ("a.html", Some(4), None),
                    ("back.html", None, Some(2)),
                    ("older.html", Some(5), None),
                    ("redirect.html", Some(0), None),
                    ("app.js", Some(3), None),
                ],
            ),
        ];
        let page = |since, content| GonePage {
            since,
            at: 3,
            digest: Some(Md5([content; 16])),
            title: None,
        };
        let expected = [
            (Key::new("a.html"), page(Some(1), 4)),
            (Key::new("older.html"), page(None, 5)),
        ];
        assert_eq!(left(&records), expected.into());
    }
}
