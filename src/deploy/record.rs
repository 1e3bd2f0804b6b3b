//! What the state becomes at the end of a deploy: what was told, and what is left over for the next.

use std::collections::{BTreeMap, HashSet};

use super::plan_inputs::PlanInputs;
use super::progress::{DeployProgress, PurgeOutcome};
use crate::edge::{Distribution, PurgeChoice, PurgeMode};
use crate::job::request::Job;
use crate::object::Key;
use crate::object::journal::{Journal, OwedPaths, TouchedKey};
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

/// What was written for the end of a deploy.
pub(super) struct WrittenFiles<'a> {
    pub(super) deploy: DeployRef,
    pub(super) manifest: ManifestFiles,
    /// What the record of history is named by.
    pub(super) counter: u64,
    pub(super) journal: &'a Journal,
    pub(super) progress: &'a DeployProgress,
    /// That were given.
    pub(super) warnings: &'a [String],
}

/// Makes what the state becomes.
pub(super) fn end(scene: &PlanInputs, job: &Job, written: WrittenFiles) -> EndOfDeploy {
    let WrittenFiles {
        deploy,
        manifest,
        counter,
        journal,
        progress,
        warnings,
    } = written;
    let unpaid = unpaid(scene, job, journal, progress);
    let mut invalidations: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pending in &progress.sent.pending {
        let ids = invalidations
            .entry(pending.target.id().to_owned())
            .or_default();
        ids.extend((ids.len() < MAX_IDS).then(|| pending.id.clone()));
    }
    let outcome = if !progress.failures.is_empty() {
        PastOutcome::Incomplete
    } else if !unpaid.is_empty() || matches!(progress.purge, PurgeOutcome::Unlisted(_)) {
        PastOutcome::Owing
    } else {
        PastOutcome::Done
    };
    let source = job.dir.display().to_string();
    let kept = scene.open.kept.iter().cloned();
    let own = (!unpaid.is_empty()).then(|| (deploy.id.clone(), source, unpaid.clone()));
    let struck = scene.remote.open.journals.iter();
    EndOfDeploy {
        told: told(scene, job, progress, deploy.at, &unpaid),
        warned: (warnings.iter().take(MAX_WARNINGS))
            .map(|text| WarningDigest::of(text))
            .collect(),
        recent: RecentDeploy {
            id: deploy.id,
            at: deploy.at,
            paths: if job.settings.purge.plan.includes_paths() {
                0
            } else {
                progress.sent.paths
            },
            counter,
            outcome,
            invalidations,
        },
        manifest,
        struck: struck.map(|open| open.id.clone()).collect(),
        left: left_open(journal, progress),
        unpaid: kept.chain(own).collect(),
        suspects: suspects(scene, journal, progress),
        kept: scene.kept_after(job, counter, &progress.kept),
        gone: scene.gone_after(counter, &progress.deleted),
    }
}

/// Returns the paths that were not purged, by target: purging is off, CloudFront did not take them, or not all edges knew the
/// configuration by then.
fn unpaid(
    scene: &PlanInputs,
    job: &Job,
    journal: &Journal,
    progress: &DeployProgress,
) -> OwedPaths {
    let off = job.prices.mode == PurgeMode::None;
    let removed = !progress.deleted.is_empty();
    let mut unpaid = OwedPaths::new();
    if matches!(progress.purge, PurgeOutcome::Refused(_)) {
        // Those of dead deploys that did not go.
        for (target, batches) in &scene.open.resend {
            let due = (batches.iter())
                .filter(|resent| !progress.sent.resent.contains(&resent.batch.reference));
            let paths = due.flat_map(|resent| &resent.batch.paths);
            unpaid.insert(target.clone(), paths.cloned().collect());
        }
    }
    for purge in &progress.purges {
        let owed = journal.purges.get(&purge.target);
        let mut batches = owed.into_iter().flat_map(|owed| &owed.batches);
        // Late batches are for removed assets: where those stay nothing is owed for them.
        let refused = batches.any(|batch| {
            let due = removed || !batch.late;
            due && !progress.sent.accepted.contains_key(&batch.reference)
        });
        if !off && !refused {
            continue;
        }
        let sent = |late: bool| {
            let batches = owed.into_iter().flat_map(|owed| &owed.batches);
            let batches = batches.filter(move |batch| batch.late == late);
            let taken =
                batches.filter(|batch| progress.sent.accepted.contains_key(&batch.reference));
            taken.flat_map(|batch| &batch.paths).collect()
        };
        let (now, late) = (sent(false), sent(true));
        let owed = unpaid.entry(purge.target.clone()).or_default();
        let earlier = scene.open.owed.get(&purge.target).into_iter().flatten();
        let earlier = earlier
            .filter(|path| !is_sent(&purge.purge, &now, path))
            .cloned();
        owed.extend(paths(&purge.purge, &now).chain(earlier));
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

/// Returns the changes that nobody knows the outcome of.
fn left_open(journal: &Journal, progress: &DeployProgress) -> Option<Journal> {
    let mut failures = progress.failures.iter().collect::<Vec<_>>();
    failures.retain(|(_, error)| error.leaves_open());
    let open: HashSet<&Key> = failures.into_iter().map(|(key, _)| key).collect();
    let mut keys = journal.keys.clone();
    keys.retain(|touched| open.contains(&touched.key));
    (!keys.is_empty()).then(|| Journal {
        keys,
        ..Journal::default()
    })
}

/// Returns the keys that dead deploys, or given up attempts of this one, may change yet, whatever is done to them meanwhile: a
/// condition that fails now may hold again later.
fn suspects(
    scene: &PlanInputs,
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

/// Returns what each distribution is known to have been told. One that was told before but is not purged now is forgotten, so that
/// it is purged whole when it is next seen; one whose purge is unpaid is known by what it was told before.
fn told(
    scene: &PlanInputs,
    job: &Job,
    progress: &DeployProgress,
    at: i64,
    unpaid: &OwedPaths,
) -> BTreeMap<String, ToldDistribution> {
    let before = &scene.remote.loaded.manifest.distributions;
    let off = job.prices.mode == PurgeMode::None;
    let is_whole = |purge: &DistributionPurge| purge.purge.cover.texts().any(|path| path == "/*");
    let mut told = if off { before.clone() } else { BTreeMap::new() };
    for target in &scene.targets.found {
        let id = target.id().to_owned();
        let mut now = before.get(&id).cloned();
        if !off && !unpaid.contains_key(&id) {
            let config = target.readable().map_or(0, Distribution::fingerprint);
            let earlier = now.filter(|told| told.config == config);
            let mut purges = progress.purges.iter();
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
                .take_if(|_| !target.takes_tags(job.settings.tags));
            told.insert(id, now);
        }
    }
    told
}
