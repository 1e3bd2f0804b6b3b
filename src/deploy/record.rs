//! What a deploy leaves for the next: the journal beforehand, manifest and history afterwards.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::job::Job;
use super::scene::Scene;
use super::source::Source;
use super::wants::Wants;
use crate::aws::s3::Written;
use crate::domain::entries::Entries;
use crate::domain::manifest::{
    Delta, DeployId, DeployNo, DeployRef, Entry, Life, Manifest, Served, Told,
};
use crate::domain::{ETag, Headers, Key, Md5};
use crate::edge::{Mode, Purge, ttl};
use crate::plan::{Action, Change, Plan, TargetPurge};
use crate::state::debt::{self, Debt, Owed, Touched};
use crate::state::history;

/// What of a plan was carried out.
#[derive(Debug, Default)]
pub struct Done {
    /// By the place of the change in the plan.
    pub written: HashMap<usize, Written>,
    /// By the place of the deletion in the plan.
    pub deleted: Vec<usize>,
}

/// The journal of a plan.
pub fn journal(deploy: &DeployId, scene: &Scene, job: &Job, plan: &Plan) -> Debt {
    let wants = Wants::new(job, &scene.source, &scene.targets);
    let put = plan.changes.iter().map(|change| Touched {
        key: change.key.clone(),
        etag: match &change.action {
            Action::Upload => wants
                .expected(change.key.as_str())
                .or(Some(ETag::Md5(change.md5))),
            Action::CopyFrom { .. } => Some(ETag::Md5(change.md5)),
            Action::Restore { etag, .. } => Some(etag.clone()),
            Action::SetHeaders => change
                .before
                .clone()
                .filter(|etag| matches!(etag, ETag::Md5(_))),
        },
        headers: Some(change.fingerprint),
        action: match change.action {
            Action::Upload => debt::Action::Put,
            _ => debt::Action::Copy,
        },
        failed: false,
    });
    let deleted = plan.deletions.iter().map(|deletion| Touched {
        key: deletion.key.clone(),
        etag: Some(deletion.etag.clone()),
        headers: None,
        action: match deletion.page {
            true => debt::Action::Delete,
            false => debt::Action::DeleteLate,
        },
        failed: false,
    });
    Debt {
        id: deploy.clone(),
        at: scene.now,
        source: job.dir.display().to_string(),
        targets: owed(plan),
        keys: put.chain(deleted).collect(),
    }
}

/// What a plan makes owed, by target.
pub fn owed(plan: &Plan) -> BTreeMap<String, Owed> {
    let owed = plan.purges.iter().filter_map(|one| {
        let mut paths = paths(&one.purge);
        paths.extend(self::paths(&one.after));
        paths.sort();
        paths.dedup();
        (!paths.is_empty()).then(|| {
            (
                one.target.clone(),
                Owed {
                    paths,
                    ..Owed::default()
                },
            )
        })
    });
    owed.collect()
}

/// The request paths that a purge is for.
fn paths(purge: &Purge) -> Vec<String> {
    if purge.stale.owed.is_empty() {
        return purge.cover.texts().map(str::to_owned).collect();
    }
    purge.stale.owed.keys().cloned().collect()
}

/// What the manifest becomes.
pub fn delta(scene: &mut Scene, deploy: &DeployRef, plan: &Plan, done: &Done) -> Delta {
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
    for at in &done.deleted {
        let Some(deletion) = plan.deletions.get(*at) else {
            continue;
        };
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
    for one in &plan.adopted {
        let written = Written {
            etag: one.etag.clone(),
            version_id: one.version_id.clone(),
        };
        let entry = entry(manifest, number, &one.key, &written, one.md5, &one.headers);
        let entry = remembering(&one.key, entry, source);
        delta.upsert(one.key.clone(), entry);
    }
    for (at, written) in &done.written {
        let Some(change) = plan.changes.get(*at) else {
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
    written: &Written,
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

/// What each distribution now is known to have been told. One that was told before but is not purged now is forgotten, so that
/// it is purged whole when it is next seen.
pub fn told(scene: &Scene, job: &Job, plan: &Plan) -> BTreeMap<String, Told> {
    let before = &scene.remote.loaded.manifest.distributions;
    if job.prices.mode == Mode::None {
        let mut told = before.clone();
        for found in &scene.targets.found {
            // From now on objects may be served without tags.
            if let (false, Some(told)) = (found.takes_tags(job.tags), told.get_mut(found.id())) {
                told.tags_since = None;
            }
        }
        return told;
    }
    let is_whole = |one: &TargetPurge| one.purge.cover.texts().any(|path| path == "/*");
    let now = scene.now;
    scene
        .targets
        .found
        .iter()
        .map(|found| {
            let config = found
                .distribution
                .as_ref()
                .map_or(0, |distribution| distribution.fingerprint());
            let earlier = before.get(found.id()).filter(|told| told.config == config);
            let known = earlier.and_then(|told| told.tags_since);
            let mut purges = plan.purges.iter();
            let purge = purges.find(|one| one.target == found.id());
            // One that is not purged whole when it is first seen held nothing.
            let anew = purge.is_some_and(is_whole) || !before.contains_key(found.id());
            let tags_since = known.or(anew.then_some(now));
            let told = Told {
                config,
                since: earlier.map_or(now, |told| told.since),
                tags_since: tags_since.filter(|_| found.takes_tags(job.tags)),
            };
            (found.id().to_owned(), told)
        })
        .collect()
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
pub struct Changes<'a> {
    pub before: &'a Entries,
    /// Seconds since 1970, by the server's clock.
    pub now: i64,
    pub plan: &'a Plan,
    pub done: &'a Done,
}

impl Serialize for Changes<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.all())
    }
}

impl Changes<'_> {
    fn all(&self) -> impl Iterator<Item = history::Change> {
        let (plan, done) = (self.plan, self.done);
        let changed = plan.changes.iter().enumerate();
        let changed = changed.filter_map(|(at, one): (usize, &Change)| {
            let written = done.written.get(&at)?;
            let version = written.version_id.as_deref();
            Some(self.put(&one.key, &written.etag, version, one.md5, &one.headers))
        });
        let adopted = plan.adopted.iter().map(|one| {
            let version = one.version_id.as_deref();
            self.put(&one.key, &one.etag, version, one.md5, &one.headers)
        });
        let deleted = done.deleted.iter().filter_map(|at| plan.deletions.get(*at));
        let deleted = deleted.map(|one| self.moved(&one.key, None));
        let (retained, live) = (Life::Retained { since: self.now }, Life::Live);
        let retained = (plan.retained.iter()).map(move |key| self.moved(key, Some(retained)));
        let returned = (plan.returned.iter()).map(move |key| self.moved(key, Some(live)));
        let uploaded: HashSet<&Key> = match plan.vanished.is_empty() {
            true => HashSet::new(),
            false => plan.changes.iter().map(|one| &one.key).collect(),
        };
        let vanished = (plan.vanished.iter()).filter(move |key| !uploaded.contains(key));
        let vanished = vanished.map(|key| self.moved(key, None));
        let kept = retained.chain(returned).chain(vanished);
        changed.chain(adopted).chain(deleted).chain(kept)
    }

    fn past(&self, key: &Key) -> Option<history::Past> {
        self.before.get(key).map(|entry| history::Past {
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
    ) -> history::Change {
        history::Change {
            key: key.clone(),
            before: self.past(key),
            after: Some(history::Past {
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
    fn moved(&self, key: &Key, life: Option<Life>) -> history::Change {
        let past = self.past(key);
        history::Change {
            key: key.clone(),
            after: life.and_then(|life| {
                Some(history::Past {
                    life,
                    ..past.clone()?
                })
            }),
            before: past,
        }
    }
}
