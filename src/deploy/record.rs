//! What a deploy leaves for the next: the journal beforehand, manifest and history afterwards.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::job::Job;
use super::scene::Scene;
use super::source::Source;
use super::steps::{DeployProgress, PurgeOutcome};
use super::wants::Wants;
use crate::aws::s3::Written as Uploaded;
use crate::domain::entries::Entries;
use crate::domain::journal::{Journal, JournaledPurge, OwedPaths, TouchAction, TouchedKey};
use crate::domain::manifest::{
    Delta, DeployId, DeployNo, DeployRef, Entry, Life, Manifest, Served, Told,
};
use crate::domain::{ETag, Headers, Key, Md5};
use crate::edge::{Mode, Money, Purge, ttl};
use crate::plan::{Action, ClaimedObject, Plan, TargetPurge};
use crate::state::history::{HistoryRecord, KeyChange, PastObject, PastOutcome, PastPurge};
use crate::state::{EndOfDeploy, ManifestFiles, ManifestUpdate, ProcessOwner, RecentDeploy};

/// Seconds for which the keys of a dead deploy are suspects.
const SUSPECT_FOR: i64 = 86_400;
/// Ids of invalidations that the state remembers of a deploy, for each target: its size is bounded.
const MAX_IDS: usize = 1;

/// The journal of a plan, without the batches of its purge.
pub fn journal(scene: &Scene, job: &Job, plan: &Plan) -> Journal {
    let wants = Wants::new(job, &scene.source, &scene.targets);
    let put = plan.changes.iter().map(|change| {
        let etag = match &change.action {
            Action::Upload => wants
                .expected(change.key.as_str())
                .or(Some(ETag::Md5(change.md5))),
            Action::CopyFrom { .. } => Some(ETag::Md5(change.md5)),
            Action::Restore { etag, .. } => Some(etag.clone()),
            Action::SetHeaders => change
                .before
                .clone()
                .filter(|etag| matches!(etag, ETag::Md5(_))),
        };
        TouchedKey {
            key: change.key.clone(),
            digest: (etag != Some(ETag::Md5(change.md5))).then_some(change.md5),
            etag,
            size: change.size,
            headers: Some(change.fingerprint),
            action: match change.action {
                Action::Upload => TouchAction::Put,
                _ => TouchAction::Copy,
            },
            failed: false,
        }
    });
    let plain = |key: &Key, action: TouchAction| TouchedKey {
        key: key.clone(),
        action,
        etag: None,
        digest: None,
        size: 0,
        headers: None,
        failed: false,
    };
    let deleted = plan.deletions.iter().map(|deletion| {
        let action = match deletion.page {
            true => TouchAction::Delete,
            false => TouchAction::DeleteLate,
        };
        plain(&deletion.key, action)
    });
    // The purge speaks for what others did, too.
    let adopted = plan.adopted.iter().map(|one| TouchedKey {
        etag: Some(one.etag.clone()),
        digest: (one.etag != ETag::Md5(one.md5)).then_some(one.md5),
        headers: Some(one.headers.fingerprint()),
        ..plain(&one.key, TouchAction::Keep)
    });
    let gone = plan.gone().map(|key| plain(key, TouchAction::Keep));
    let purges = scene.targets.found.iter().map(|found| {
        let function = scene.targets.function.iter();
        let owed = JournaledPurge {
            paths: function
                .flat_map(|function| function.owed(found.id()))
                .cloned()
                .collect(),
            batches: Vec::new(),
        };
        (found.id().to_owned(), owed)
    });
    Journal {
        keys: put.chain(deleted).chain(adopted).chain(gone).collect(),
        purges: purges.collect(),
    }
}

/// The request paths that a purge is for.
fn paths(purge: &Purge) -> impl Iterator<Item = String> {
    let owed = purge.stale.owed.keys().map(String::as_str);
    let texts = purge.cover.texts().filter(|_| purge.stale.owed.is_empty());
    owed.chain(texts)
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter()
}

/// What the manifest becomes.
pub fn update(
    scene: &mut Scene,
    plan: &Plan,
    id: &DeployId,
    progress: &DeployProgress,
) -> ManifestUpdate {
    let deploy = DeployRef {
        id: id.clone(),
        // Later than all that it wrote, so that what is written later was not written by it.
        at: scene.place.store.bucket.clock.server_now(),
    };
    let delta = delta(scene, &deploy, plan, progress);
    ManifestUpdate { deploy, delta }
}

/// What deploys that died put and this one did not get round to: it stays ours.
fn claims<'a>(
    plan: &'a Plan,
    put: &HashMap<Key, Uploaded>,
    deleted: &HashSet<Key>,
) -> Vec<&'a ClaimedObject> {
    let adopted: HashSet<&Key> = plan.adopted.iter().map(|one| &one.key).collect();
    let claimed = plan.claimed.iter();
    let open = claimed.filter(|one| !put.contains_key(&one.key) && !deleted.contains(&one.key));
    open.filter(|one| !adopted.contains(&one.key)).collect()
}

fn delta(scene: &mut Scene, deploy: &DeployRef, plan: &Plan, progress: &DeployProgress) -> Delta {
    let now = scene.now;
    let (source, manifest) = (&scene.source, &mut scene.remote.loaded.manifest);
    let number = manifest.tables.deploy(deploy.clone());
    let mut delta = Delta::default();
    for file in source.files().iter().filter(|file| file.is_kept()) {
        // What is live was looked at by another rule: the next deploy need not look again.
        if let Some(entry) = manifest.entries.get(&file.key) {
            let seen = remembering(&file.key, entry.clone(), source);
            if seen != *entry {
                delta.upsert(file.key.clone(), seen);
            }
        }
    }
    for (key, entry) in &manifest.entries {
        if matches!(entry.life, Life::Tombstone { until } if until <= now) {
            delta.remove(key.clone());
        }
    }
    for key in &plan.vanished {
        delta.remove(key.clone());
    }
    for key in &plan.retained {
        if let Some(entry) = manifest.entries.get(key) {
            delta.upsert(
                key.clone(),
                entry.clone().with_life(Life::Retained { since: now }),
            );
        }
    }
    for key in &plan.returned {
        if let Some(entry) = manifest.entries.get(key) {
            delta.upsert(key.clone(), entry.clone().with_life(Life::Live));
        }
    }
    let deleted = plan.deletions.iter();
    for deletion in deleted.filter(|deletion| progress.deleted.contains(&deletion.key)) {
        let grave = manifest
            .entries
            .get(&deletion.key)
            .filter(|_| deletion.fingerprinted)
            .map(|entry| {
                let served = manifest.tables.served(entry.served);
                let kept =
                    ttl::stated_ttl(served.and_then(|served| served.cache_control.as_deref()))
                        .max(86_400);
                let until = now.saturating_add(i64::try_from(kept).unwrap_or(i64::MAX));
                entry.clone().with_life(Life::Tombstone { until })
            });
        match grave {
            Some(grave) => delta.upsert(deletion.key.clone(), grave),
            None => delta.remove(deletion.key.clone()),
        }
    }
    let retained: HashSet<&Key> = plan.retained.iter().collect();
    for claimed in claims(plan, &progress.put, &progress.deleted) {
        let served = manifest.tables.serve(Served::default());
        let entry = Entry::new(claimed.etag.clone(), claimed.headers, served, [number; 2]);
        let entry = entry.with(|rare| {
            rare.digest = claimed.digest;
            rare.life = life_of(&claimed.key, &retained, now);
        });
        delta.upsert(claimed.key.clone(), entry);
    }
    for one in &plan.adopted {
        let written = Uploaded {
            etag: one.etag.clone(),
            version_id: one.version_id.clone(),
        };
        let entry = entry(manifest, number, &one.key, &written, one.md5, &one.headers);
        let entry = remembering(&one.key, entry, source);
        delta.upsert(one.key.clone(), entry);
    }
    for change in &plan.changes {
        let Some(written) = progress.put.get(&change.key) else {
            continue;
        };
        let entry = entry(
            manifest,
            number,
            &change.key,
            written,
            change.md5,
            &change.headers,
        );
        let entry = remembering(&change.key, entry, source);
        delta.upsert(change.key.clone(), entry);
    }
    delta
}

fn entry(
    manifest: &mut Manifest,
    deploy: DeployNo,
    key: &Key,
    written: &Uploaded,
    md5: Md5,
    headers: &Headers,
) -> Entry {
    let served = manifest.tables.serve(Served::of(key, headers));
    let before = manifest.entries.get(key.as_str());
    let etag = written.etag.clone();
    let first = before.map_or(deploy, |before| before.first);
    Entry::new(etag, headers.fingerprint(), served, [first, deploy]).with(|rare| {
        rare.digest = (written.etag != ETag::Md5(md5)).then_some(md5);
        rare.version_id = written.version_id.as_deref().map(Into::into);
    })
}

fn life_of(key: &Key, retained: &HashSet<&Key>, now: i64) -> Life {
    match retained.contains(key) {
        true => Life::Retained { since: now },
        false => Life::Live,
    }
}

/// With what spares the next deploy a look: the file that an encoding was made of, and the digest without noise.
fn remembering(key: &Key, entry: Entry, source: &Source) -> Entry {
    let made = source
        .file(key.as_str())
        .and_then(|file| file.made.as_deref());
    entry.with(|rare| {
        rare.noise = made.and_then(|made| made.noise).map(Box::new);
        rare.source = made.and_then(|made| made.source);
    })
}

/// What was written for the end of a deploy.
pub struct WrittenFiles<'a> {
    pub deploy: DeployRef,
    pub manifest: ManifestFiles,
    /// What the record of history is named by.
    pub counter: u64,
    pub journal: &'a Journal,
    pub progress: &'a DeployProgress,
}

/// What the state becomes.
pub fn end(scene: &Scene, job: &Job, written: WrittenFiles) -> EndOfDeploy {
    let WrittenFiles {
        deploy,
        manifest,
        counter,
        journal,
        progress,
    } = written;
    let unpaid = unpaid(scene, job, journal, progress);
    let left = left_open(journal, progress);
    let mut invalidations: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pending in &progress.sent.pending {
        let ids = invalidations
            .entry(pending.target.id().to_owned())
            .or_default();
        ids.extend((ids.len() < MAX_IDS).then(|| pending.id.clone()));
    }
    let outcome = match (progress.failures.is_empty(), unpaid.is_empty()) {
        (false, _) => PastOutcome::Incomplete,
        (true, false) => PastOutcome::Owing,
        (true, true) => PastOutcome::Done,
    };
    let source = job.dir.display().to_string();
    let kept = scene.open.kept.iter().cloned();
    let own = (!unpaid.is_empty()).then(|| (deploy.id.clone(), source, unpaid.clone()));
    EndOfDeploy {
        told: told(scene, job, &deploy, progress, &unpaid),
        recent: RecentDeploy {
            id: deploy.id,
            at: deploy.at,
            paths: progress.sent.paths,
            counter,
            outcome,
            invalidations,
        },
        manifest,
        struck: scene
            .remote
            .open
            .journals
            .iter()
            .map(|open| open.id.clone())
            .collect(),
        left,
        unpaid: kept.chain(own).collect(),
        suspects: suspects(scene, journal, progress),
    }
}

/// The paths that were not purged, by target: purging is off, or CloudFront did not take them.
fn unpaid(scene: &Scene, job: &Job, journal: &Journal, progress: &DeployProgress) -> OwedPaths {
    let off = job.prices.mode == Mode::None;
    let gone = |late: bool| !late || !progress.deleted.is_empty();
    let mut unpaid = OwedPaths::new();
    if matches!(progress.purge, PurgeOutcome::Refused(_)) {
        // Those of dead deploys, whichever of them went.
        for (target, batches) in &scene.open.resend {
            let paths = batches.iter().flat_map(|resent| &resent.batch.paths);
            unpaid.insert(target.clone(), paths.cloned().collect());
        }
    }
    for purge in &progress.purges {
        let owed = journal.purges.get(&purge.target);
        let mut batches = owed.into_iter().flat_map(|owed| &owed.batches);
        let refused = batches.any(|batch| {
            gone(batch.late) && !progress.sent.accepted.contains_key(&batch.reference)
        });
        if !off && !refused {
            continue;
        }
        let mut owed: Vec<String> = paths(&purge.purge).collect();
        owed.extend(paths(&purge.after).filter(|_| gone(true)));
        let earlier = scene.open.owed.get(&purge.target).into_iter().flatten();
        owed.extend(earlier.cloned());
        unpaid.entry(purge.target.clone()).or_default().extend(owed);
    }
    for paths in unpaid.values_mut() {
        paths.sort();
        paths.dedup();
    }
    unpaid.retain(|_, paths| !paths.is_empty());
    unpaid
}

/// What nobody knows the outcome of.
fn left_open(journal: &Journal, progress: &DeployProgress) -> Option<Journal> {
    let failures = progress.failures.iter();
    let open: HashSet<&Key> = failures
        .filter(|(_, error)| error.leaves_open())
        .map(|(key, _)| key)
        .collect();
    let keys = journal
        .keys
        .iter()
        .filter(|touched| open.contains(&touched.key));
    let left = Journal {
        keys: keys.cloned().collect(),
        ..Journal::default()
    };
    (!left.keys.is_empty()).then_some(left)
}

/// The keys that dead deploys, or given up attempts of this one, may change yet, whatever is done to them meanwhile: a condition that fails now may hold again later.
fn suspects(
    scene: &Scene,
    journal: &Journal,
    progress: &DeployProgress,
) -> Vec<(i64, Vec<TouchedKey>)> {
    let mut suspects = scene.remote.open.suspects.clone();
    let dead = scene.unchanged_keys().into_iter();
    let own = journal.keys.iter();
    let slow = own.filter(|touched| progress.slow.contains(&touched.key));
    let keys = dead.chain(slow).cloned().collect();
    suspects.push((scene.now.saturating_add(SUSPECT_FOR), keys));
    suspects.retain(|(until, keys)| *until > scene.now && !keys.is_empty());
    suspects
}

/// What each distribution now is known to have been told. One that was told before but is not purged now is forgotten, so that
/// it is purged whole when it is next seen; one whose purge is unpaid is known by what it was told before.
fn told(
    scene: &Scene,
    job: &Job,
    deploy: &DeployRef,
    progress: &DeployProgress,
    unpaid: &OwedPaths,
) -> BTreeMap<String, Told> {
    let before = &scene.remote.loaded.manifest.distributions;
    let off = job.prices.mode == Mode::None;
    let is_whole = |one: &TargetPurge| one.purge.cover.texts().any(|path| path == "/*");
    let mut told: BTreeMap<String, Told> = match off {
        true => before.clone(),
        false => BTreeMap::new(),
    };
    for found in &scene.targets.found {
        let id = found.id().to_owned();
        let mut now = before.get(&id).cloned();
        if !off && !unpaid.contains_key(&id) {
            let config = found
                .distribution
                .as_ref()
                .map_or(0, |distribution| distribution.fingerprint());
            let earlier = now.filter(|told| told.config == config);
            let mut purges = progress.purges.iter();
            let anew = purges.any(|one| one.target == id && is_whole(one));
            let known = earlier.as_ref().and_then(|told| told.tags_since);
            now = Some(Told {
                config,
                since: earlier.map_or(deploy.at, |told| told.since),
                tags_since: known.or(anew.then_some(scene.now)),
            });
        }
        if let Some(mut now) = now {
            // From now on objects may be served without tags.
            now.tags_since.take_if(|_| !found.takes_tags(job.tags));
            told.insert(id, now);
        }
    }
    told
}

/// What the purge cost, where it was sent.
pub fn cost(progress: &DeployProgress) -> Money {
    if progress.sent.accepted.is_empty() {
        return Money::default();
    }
    let of = |one: &TargetPurge| one.purge.cover.path_cost + one.after.cover.path_cost;
    progress.purges.iter().map(of).sum()
}

/// The record of a deploy.
pub fn history<C>(
    job: &Job,
    deploy: &DeployRef,
    journal: &Journal,
    changes: C,
) -> HistoryRecord<C> {
    let owner = ProcessOwner::here();
    let purges = journal.purges.iter().map(|(target, owed)| {
        let paths = owed.batches.iter().flat_map(|batch| batch.paths.iter());
        PastPurge {
            target: target.clone(),
            invalidations: Vec::new(),
            paths: paths.cloned().collect(),
        }
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

/// What the manifest says of what `delta` is about to change.
pub fn before(scene: &Scene, delta: &Delta) -> Entries {
    let entries = &scene.remote.loaded.manifest.entries;
    let known = delta.changes.keys();
    known
        .filter_map(|key| Some((key.clone(), entries.get(key)?.clone())))
        .collect()
}

/// The changes for the history, made as they are written: there may be a million of them.
pub struct RecordedChanges<'a> {
    pub before: &'a Entries,
    /// Seconds since 1970, by the server's clock.
    pub now: i64,
    pub plan: &'a Plan,
    pub put: &'a HashMap<Key, Uploaded>,
    pub deleted: &'a HashSet<Key>,
}

impl Serialize for RecordedChanges<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.all())
    }
}

impl RecordedChanges<'_> {
    fn all(&self) -> impl Iterator<Item = KeyChange> {
        let plan = self.plan;
        let changed = plan.changes.iter().filter_map(|one| {
            let written = self.put.get(&one.key)?;
            let version = written.version_id.as_deref();
            Some(self.put(&one.key, &written.etag, version, one.md5, &one.headers))
        });
        let adopted = plan.adopted.iter().map(|one| {
            let version = one.version_id.as_deref();
            self.put(&one.key, &one.etag, version, one.md5, &one.headers)
        });
        let deleted = plan.deletions.iter();
        let deleted = deleted.filter(|one| self.deleted.contains(&one.key));
        let deleted = deleted.map(|one| self.moved(&one.key, None));
        let (retained, live) = (Life::Retained { since: self.now }, Life::Live);
        let kept: HashSet<&Key> = plan.retained.iter().collect();
        let claimed = claims(plan, self.put, self.deleted).into_iter();
        let claimed = claimed.map(move |one| KeyChange {
            key: one.key.clone(),
            before: self.past(&one.key),
            after: Some(PastObject {
                etag: one.etag.clone(),
                version_id: None,
                digest: one.digest,
                fingerprint: one.headers,
                headers: None,
                life: life_of(&one.key, &kept, self.now),
            }),
        });
        let known = (plan.retained.iter()).filter(|key| self.before.get(*key).is_some());
        let retained = known.map(move |key| self.moved(key, Some(retained)));
        let returned = (plan.returned.iter()).map(move |key| self.moved(key, Some(live)));
        let uploaded: HashSet<&Key> = match plan.vanished.is_empty() {
            true => HashSet::new(),
            false => plan.changes.iter().map(|one| &one.key).collect(),
        };
        let vanished = (plan.vanished.iter()).filter(move |key| !uploaded.contains(key));
        let vanished = vanished.map(|key| self.moved(key, None));
        let kept = retained.chain(returned).chain(vanished);
        let all = changed.chain(adopted).chain(claimed);
        all.chain(deleted).chain(kept)
    }

    fn past(&self, key: &Key) -> Option<PastObject> {
        self.before.get(key).map(|entry| PastObject {
            etag: entry.etag.clone(),
            version_id: entry.version_id.clone(),
            digest: entry.digest,
            fingerprint: entry.headers,
            headers: None,
            life: entry.life,
        })
    }

    fn put(
        &self,
        key: &Key,
        etag: &ETag,
        version_id: Option<&str>,
        md5: Md5,
        headers: &Arc<Headers>,
    ) -> KeyChange {
        KeyChange {
            key: key.clone(),
            before: self.past(key),
            after: Some(PastObject {
                etag: etag.clone(),
                version_id: version_id.map(Into::into),
                digest: (*etag != ETag::Md5(md5)).then_some(md5),
                fingerprint: headers.fingerprint(),
                headers: Some(Arc::clone(headers)),
                life: Life::Live,
            }),
        }
    }

    /// A key that stays as it is or goes: what becomes of its life.
    fn moved(&self, key: &Key, life: Option<Life>) -> KeyChange {
        let past = self.past(key);
        KeyChange {
            key: key.clone(),
            after: life.and_then(|life| {
                Some(PastObject {
                    life,
                    ..past.clone()?
                })
            }),
            before: past,
        }
    }
}
