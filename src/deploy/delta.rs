//! What a deploy changes in the manifest.

use std::collections::{HashMap, HashSet};

use super::plan_inputs::PlanInputs;
use super::progress::DeployProgress;
use crate::aws::s3::Written;
use crate::edge::reason::KEPT_LONGEST;
use crate::edge::ttl;
use crate::object::Key;
use crate::object::entry::{DeployNumber, EntryLife, ManifestEntry};
use crate::object::manifest::{DeployId, DeployRef, Manifest, ManifestDelta, ServedHeaders};
use crate::plan::{ClaimedObject, Deletion, LiveObject, Plan};
use crate::site::source::SiteSource;
use crate::state::ManifestUpdate;

/// Seconds for which an edge may hold a copy of what names no time of its own.
const GRAVE: u64 = 86_400;

/// Makes what the manifest becomes.
pub(super) fn update(
    scene: &mut PlanInputs,
    plan: &Plan,
    id: &DeployId,
    progress: &DeployProgress,
) -> ManifestUpdate {
    let deploy = DeployRef {
        id: id.clone(),
        // Later than all that it wrote, so that what is written later was not written by it.
        at: scene.place.store.bucket.clock.server_now(),
    };
    let now = scene.now;
    let (source, manifest) = (&scene.source, &mut scene.remote.loaded.manifest);
    let number = manifest.tables.deploy(deploy.clone());
    let mut delta = kept(manifest, source, plan, now);
    let deleted = plan.deletions.iter();
    for deletion in deleted.filter(|deletion| progress.deleted.contains(&deletion.key)) {
        match tombstone(manifest, deletion, now) {
            Some(tombstone) => delta.upsert(deletion.key.clone(), tombstone),
            None => delta.remove(deletion.key.clone()),
        }
    }
    let retained: HashSet<&Key> = plan.retained.iter().collect();
    for claimed in claims(plan, &progress.put, &progress.deleted) {
        // Its journal does not say how long edges keep it.
        let served = manifest.tables.serve(ServedHeaders {
            cache_control: Some(KEPT_LONGEST.into()),
            ..ServedHeaders::default()
        });
        let entry = ManifestEntry::new(claimed.etag.clone(), claimed.headers, served, [number; 2]);
        let entry = entry.with(|rare| {
            rare.digest = claimed.digest;
            rare.life = life_of(&claimed.key, &retained, now);
        });
        delta.upsert(claimed.key.clone(), entry);
    }
    for object in live(plan, &progress.put) {
        let entry = remembering(&object.key, entry(manifest, number, &object), source);
        delta.upsert(object.key, entry);
    }
    ManifestUpdate { deploy, delta }
}

/// Returns the objects that stand as the build has them by now.
pub(super) fn live(plan: &Plan, put: &HashMap<Key, Written>) -> impl Iterator<Item = LiveObject> {
    let written = plan.changes.iter().filter_map(|change| {
        let written = put.get(&change.key)?;
        Some(LiveObject {
            key: change.key.clone(),
            etag: written.etag.clone(),
            md5: change.md5,
            headers: change.headers.clone(),
            version_id: written.version_id.clone(),
        })
    });
    plan.adopted.iter().cloned().chain(written)
}

/// Makes the changes for objects that were neither written nor deleted.
fn kept(manifest: &Manifest, source: &SiteSource, plan: &Plan, now: i64) -> ManifestDelta {
    let mut delta = ManifestDelta::default();
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
        if matches!(entry.life, EntryLife::Tombstone { until } if until <= now) {
            delta.remove(key.clone());
        }
    }
    for key in &plan.vanished {
        delta.remove(key.clone());
    }
    let (retained, returned) = (plan.retained.iter(), plan.returned.iter());
    let retained = retained.map(|key| (key, EntryLife::Retained { since: now }));
    for (key, life) in retained.chain(returned.map(|key| (key, EntryLife::Live))) {
        // What a dead deploy put has no entry yet: it is claimed.
        if let Some(entry) = manifest.entries.get(key) {
            delta.upsert(key.clone(), entry.clone().with_life(life));
        }
    }
    delta
}

/// Returns what remains of a deleted fingerprinted asset while an edge may hold a copy.
fn tombstone(manifest: &Manifest, deletion: &Deletion, now: i64) -> Option<ManifestEntry> {
    let entry = manifest.entries.get(&deletion.key)?;
    if !deletion.fingerprinted {
        return None;
    }
    let served = manifest.tables.served(entry.served);
    let stated = served.and_then(|served| served.cache_control.as_deref());
    let kept = ttl::stated_ttl(stated).max(GRAVE);
    let until = now.saturating_add(i64::try_from(kept).unwrap_or(i64::MAX));
    Some(entry.clone().with_life(EntryLife::Tombstone { until }))
}

/// Returns what deploys that died put and this one did not get round to: it stays ours.
pub(super) fn claims<'a>(
    plan: &'a Plan,
    put: &HashMap<Key, Written>,
    deleted: &HashSet<Key>,
) -> Vec<&'a ClaimedObject> {
    let adopted: HashSet<&Key> = plan.adopted.iter().map(|adopted| &adopted.key).collect();
    let mut claimed: Vec<&ClaimedObject> = plan.claimed.iter().collect();
    claimed.retain(|ClaimedObject { key, .. }| {
        !put.contains_key(key) && !deleted.contains(key) && !adopted.contains(key)
    });
    claimed
}

fn entry(manifest: &mut Manifest, deploy: DeployNumber, object: &LiveObject) -> ManifestEntry {
    let headers = object.headers.fingerprint();
    let served = ServedHeaders::of(&object.key, &object.headers);
    let served = manifest.tables.serve(served);
    let before = manifest.entries.get(object.key.as_str());
    let first = before.map_or(deploy, |before| before.first);
    ManifestEntry::new(object.etag.clone(), headers, served, [first, deploy]).with(|rare| {
        rare.digest = object.digest();
        rare.version_id = object.version_id.as_deref().map(Into::into);
    })
}

pub(super) fn life_of(key: &Key, retained: &HashSet<&Key>, now: i64) -> EntryLife {
    if retained.contains(key) {
        EntryLife::Retained { since: now }
    } else {
        EntryLife::Live
    }
}

/// Adds what spares the next deploy a look: the file that an encoding was made of, and the digest without noise.
fn remembering(key: &Key, entry: ManifestEntry, source: &SiteSource) -> ManifestEntry {
    let made = source
        .file(key.as_str())
        .and_then(|file| file.made.as_deref());
    entry.with(|rare| {
        rare.noise = made.and_then(|made| made.noise).map(Box::new);
        rare.source = made.and_then(|made| made.source);
    })
}
