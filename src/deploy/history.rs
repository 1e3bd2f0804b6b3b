//! The record of a deploy in the history.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Serialize, Serializer};

use super::delta::{self, claims, life_of};
use super::plan_inputs::PlanInputs;
use crate::aws::s3::Written;
use crate::job::request::Job;
use crate::object::Key;
use crate::object::entries::ManifestEntries;
use crate::object::entry::EntryLife;
use crate::object::journal::Journal;
use crate::object::manifest::{DeployRef, ManifestDelta};
use crate::plan::{LiveObject, Plan};
use crate::state::ProcessOwner;
use crate::state::history::{HistoryRecord, KeyChange, PastObject, PastOutcome, PastPurge};

/// Makes the record of a deploy.
pub(super) fn record<C>(
    job: &Job,
    deploy: &DeployRef,
    journal: &Journal,
    changes: C,
) -> HistoryRecord<C> {
    let owner = ProcessOwner::here();
    let purges = journal.purges.iter().map(|(target, owed)| PastPurge {
        target: target.clone(),
        invalidations: Vec::new(),
        paths: (owed.batches.iter())
            .flat_map(|batch| &batch.paths)
            .cloned()
            .collect(),
    });
    HistoryRecord {
        id: deploy.id.clone(),
        at: deploy.at,
        who: owner.user,
        host: owner.host,
        commit: job.commit.clone(),
        dir: job.dir.display().to_string(),
        rollback_of: job.rollback.clone(),
        changes,
        purges: purges.filter(|purge| !purge.paths.is_empty()).collect(),
        outcome: PastOutcome::default(),
    }
}

/// Returns what the manifest says of what `delta` is about to change.
pub(super) fn before(scene: &PlanInputs, delta: &ManifestDelta) -> ManifestEntries {
    let entries = &scene.remote.loaded.manifest.entries;
    let keys = delta.changes.keys();
    keys.filter_map(|key| Some((key.clone(), entries.get(key)?.clone())))
        .collect()
}

/// The changes for the history, made as they are written: there may be a million of them.
pub(super) struct RecordedChanges<'a> {
    pub(super) before: &'a ManifestEntries,
    /// Seconds since 1970, by the server's clock.
    pub(super) now: i64,
    pub(super) plan: &'a Plan,
    pub(super) put: &'a HashMap<Key, Written>,
    pub(super) deleted: &'a HashSet<Key>,
}

impl Serialize for RecordedChanges<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.changes())
    }
}

impl RecordedChanges<'_> {
    fn changes(&self) -> impl Iterator<Item = KeyChange> {
        let plan = self.plan;
        let live = delta::live(plan, self.put).map(|object| self.live(object));
        let kept: HashSet<&Key> = plan.retained.iter().collect();
        let claimed = claims(plan, self.put, self.deleted).into_iter();
        let claimed = claimed.map(move |claimed| KeyChange {
            key: claimed.key.clone(),
            before: self.past(&claimed.key),
            after: Some(PastObject {
                etag: claimed.etag.clone(),
                version_id: None,
                digest: claimed.digest,
                fingerprint: claimed.headers,
                headers: None,
                life: life_of(&claimed.key, &kept, self.now),
            }),
        });
        let deleted = plan.deletions.iter().map(|deletion| &deletion.key);
        let deleted = deleted.filter(|key| self.deleted.contains(*key));
        let deleted = deleted.map(|key| self.moved(key, None));
        let retained = plan.retained.iter();
        let retained = retained.filter(|key| self.before.get(*key).is_some());
        let since = EntryLife::Retained { since: self.now };
        let retained = retained.map(move |key| self.moved(key, Some(since)));
        let returned = plan.returned.iter();
        let returned = returned.map(|key| self.moved(key, Some(EntryLife::Live)));
        // Those of them that are put again are told as such.
        let mut vanished: BTreeSet<&Key> = plan.vanished.iter().collect();
        for change in &plan.changes {
            vanished.remove(&change.key);
        }
        let vanished = vanished.into_iter().map(|key| self.moved(key, None));
        (live.chain(claimed).chain(deleted))
            .chain(retained)
            .chain(returned)
            .chain(vanished)
    }

    fn past(&self, key: &Key) -> Option<PastObject> {
        self.before.get(key).map(PastObject::from)
    }

    fn live(&self, object: LiveObject) -> KeyChange {
        KeyChange {
            before: self.past(&object.key),
            after: Some(PastObject {
                digest: object.digest(),
                etag: object.etag,
                version_id: object.version_id.map(Into::into),
                fingerprint: object.headers.fingerprint(),
                headers: Some(object.headers),
                life: EntryLife::Live,
            }),
            key: object.key,
        }
    }

    /// Describes a key that stays as it is, with a new `life`, or goes.
    fn moved(&self, key: &Key, life: Option<EntryLife>) -> KeyChange {
        let before = self.past(key);
        let after = before.clone().zip(life);
        KeyChange {
            key: key.clone(),
            after: after.map(|(past, life)| PastObject { life, ..past }),
            before,
        }
    }
}
