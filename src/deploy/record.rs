//! What the state becomes at the end of a deploy: what was told, and what is left over for the next.

use std::collections::{BTreeMap, HashSet};

use super::progress::PurgeOutcome;
use super::steps::RunningDeploy;
use crate::edge::{Distribution, PurgeChoice, PurgeMode};
use crate::object::Key;
use crate::object::journal::{Journal, OwedPaths, PurgeBatch, TouchedKey};
use crate::object::manifest::{DeployRef, ToldDistribution};
use crate::plan::DistributionPurge;
use crate::state::history::PastOutcome;
use crate::state::{EndOfDeploy, ManifestFiles, RecentDeploy, WarningDigest};

/// Seconds for which the keys of a dead deploy are suspects.
const SUSPECT_FOR: i64 = 86_400;
/// Ids of invalidations that the state remembers of a deploy, for each target: its size is bounded.
const MAX_IDS: usize = 1;
/// Warnings that it remembers to have been given.
const MAX_WARNINGS: usize = 100;

impl RunningDeploy<'_> {
    /// Makes what the state becomes. `manifest` and `counter`: what was written for it, and what the record of history is named by.
    pub(super) fn end(
        &self,
        deploy: DeployRef,
        (manifest, counter): (ManifestFiles, u64),
    ) -> EndOfDeploy {
        let (scene, job, progress) = (&self.scene, self.context.job, &self.progress);
        let unpaid = self.unpaid();
        let mut invalidations: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pending in &progress.sent.pending {
            let target = pending.target.id().to_owned();
            let ids = invalidations.entry(target).or_default();
            ids.extend((ids.len() < MAX_IDS).then(|| pending.id.clone()));
        }
        let outcome = if progress.has_failed() {
            PastOutcome::Incomplete
        } else if !unpaid.is_empty() || matches!(progress.purge, PurgeOutcome::Unlisted(_)) {
            PastOutcome::Owing
        } else {
            PastOutcome::Done
        };
        let warnings = self.plan.warnings.iter().take(MAX_WARNINGS);
        let told = self.told(deploy.at, &unpaid);
        let kept = scene.open.kept.iter().cloned();
        let source = job.dir.display().to_string();
        let own = (!unpaid.is_empty()).then(|| (deploy.id.clone(), source, unpaid));
        let struck = scene.remote.open.journals.iter();
        let is_free = job.settings.purge.plan.includes_paths();
        EndOfDeploy {
            told,
            warned: warnings.map(|text| WarningDigest::of(text)).collect(),
            recent: RecentDeploy {
                id: deploy.id,
                at: deploy.at,
                paths: if is_free { 0 } else { progress.sent.paths },
                counter,
                outcome,
                invalidations,
            },
            manifest,
            struck: struck.map(|open| open.id.clone()).collect(),
            left: self.left_open(),
            unpaid: kept.chain(own).collect(),
            suspects: self.suspects(),
            kept: scene.kept_after(job, counter, &progress.kept),
            gone: scene.gone_after(counter, &progress.deleted, &self.plan.vanished),
        }
    }

    /// Returns the paths that were not purged, by target: purging is off, CloudFront did not take them, or not all edges knew the
    /// configuration by then.
    fn unpaid(&self) -> OwedPaths {
        let (open, progress) = (&self.scene.open, &self.progress);
        let off = self.context.job.prices.mode == PurgeMode::None;
        let removed = !progress.deleted.is_empty();
        let is_taken = |batch: &PurgeBatch| progress.sent.accepted.contains(&batch.reference);
        let mut unpaid = OwedPaths::new();
        if matches!(progress.purge, PurgeOutcome::Refused(_)) {
            // Those of dead deploys that did not go.
            for (target, batches) in &open.resend {
                let due = (batches.iter())
                    .filter(|resent| !progress.sent.resent.contains(&resent.batch.reference));
                let paths = due.flat_map(|resent| &resent.batch.paths);
                unpaid.insert(target.clone(), paths.cloned().collect());
            }
        }
        for purge in &progress.purges {
            let owed = self.journal.purges.get(&purge.target);
            let batches = owed.map_or(&[][..], |owed| &owed.batches);
            // Late batches are for removed assets: where those stay nothing is owed for them.
            let mut due = batches.iter().filter(|batch| removed || !batch.late);
            if !off && due.all(is_taken) {
                continue;
            }
            let sent = |late: bool| {
                let taken = batches.iter().filter(|batch| is_taken(batch));
                let taken = taken.filter(|batch| batch.late == late);
                taken.flat_map(|batch| &batch.paths).collect()
            };
            let (now, late) = (sent(false), sent(true));
            let owed = unpaid.entry(purge.target.clone()).or_default();
            let earlier = open.owed.get(&purge.target).into_iter().flatten();
            let earlier = earlier.filter(|path| !is_sent(&purge.purge, &now, path));
            owed.extend(paths(&purge.purge, &now).chain(earlier.cloned()));
            if removed {
                owed.extend(paths(&purge.after, &late));
            }
        }
        for target in &progress.undeployed {
            let owed = unpaid.entry(target.clone()).or_default();
            owed.push("/*".to_owned());
        }
        for paths in unpaid.values_mut() {
            paths.sort();
            paths.dedup();
        }
        unpaid.retain(|_, paths| !paths.is_empty());
        unpaid
    }

    /// Returns the changes that nobody knows the outcome of.
    fn left_open(&self) -> Option<Journal> {
        let failures = self.progress.failures.iter();
        let open = failures.filter(|(_, error)| error.leaves_open());
        let open: HashSet<&Key> = open.map(|(key, _)| key).collect();
        let mut keys = self.journal.keys.clone();
        keys.retain(|touched| open.contains(&touched.key));
        (!keys.is_empty()).then(|| Journal {
            keys,
            ..Journal::default()
        })
    }

    /// Returns the keys that dead deploys, or given up attempts of this one, may change yet, whatever is done to them meanwhile: a
    /// condition that fails now may hold again later.
    fn suspects(&self) -> Vec<(i64, Vec<TouchedKey>)> {
        let scene = &self.scene;
        let mut suspects = scene.remote.open.suspects.clone();
        let dead = scene.unchanged_keys().into_iter();
        let own = self.journal.keys.iter();
        let slow = own.filter(|touched| self.progress.slow.contains(&touched.key));
        let keys = dead.chain(slow).cloned().collect();
        suspects.push((scene.now.saturating_add(SUSPECT_FOR), keys));
        suspects.retain(|(until, keys)| *until > scene.now && !keys.is_empty());
        suspects
    }

    /// Returns what each distribution is known to have been told. One that was told before but is not purged now is forgotten, so
    /// that it is purged whole when it is next seen; one whose purge is unpaid is known by what it was told before.
    fn told(&self, at: i64, unpaid: &OwedPaths) -> BTreeMap<String, ToldDistribution> {
        let (scene, settings) = (&self.scene, &self.context.job.settings);
        let before = &scene.remote.loaded.manifest.distributions;
        let off = self.context.job.prices.mode == PurgeMode::None;
        let is_whole =
            |purge: &DistributionPurge| purge.purge.cover.texts().any(|path| path == "/*");
        let mut told = if off { before.clone() } else { BTreeMap::new() };
        for target in &scene.targets.found {
            let id = target.id().to_owned();
            let mut now = before.get(&id).cloned();
            if !off && !unpaid.contains_key(&id) {
                let config = target.readable().map_or(0, Distribution::fingerprint);
                let earlier = now.filter(|told| told.config == config);
                let mut purges = self.progress.purges.iter();
                let anew = purges.any(|purge| purge.target == id && is_whole(purge));
                let tags_since = earlier.as_ref().and_then(|told| told.tags_since);
                now = Some(ToldDistribution {
                    config,
                    since: earlier.map_or(at, |told| told.since),
                    tags_since: tags_since.or(anew.then_some(scene.now)),
                });
            }
            if let Some(mut now) = now {
                // From now on objects may be served without tags.
                now.tags_since
                    .take_if(|_| !target.takes_tags(settings.tags));
                told.insert(id, now);
            }
        }
        told
    }
}

/// Returns the request paths that a purge is for, or else its patterns, but for what was sent.
fn paths<'p>(
    purge: &'p PurgeChoice,
    sent: &'p HashSet<&String>,
) -> impl Iterator<Item = String> + 'p {
    let owed = purge.stale.owed.keys().map(String::as_str);
    let texts = purge.cover.texts().filter(|_| purge.stale.owed.is_empty());
    let paths = owed.chain(texts).map(str::to_owned);
    paths.filter(|path| !is_sent(purge, sent, path))
}

/// Tells whether a path is taken by what CloudFront took of a purge.
fn is_sent(purge: &PurgeChoice, sent: &HashSet<&String>, path: &str) -> bool {
    let mut patterns = purge.cover.patterns.iter();
    patterns.any(|pattern| sent.contains(&pattern.text) && pattern.takes(path))
}
