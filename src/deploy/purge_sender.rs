//! Sends a deploy's purge: the recorded batches of deploys that died, then its own, each recorded before it is sent.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::invalidator;
use super::invalidator::{BatchOutcome, Invalidator, PendingInvalidation};
use crate::aws::cloudfront::{AcceptedInvalidation, PurgeTarget};
use crate::aws::{AwsError, AwsErrorKind};
use crate::job::event::DeployEvent;
use crate::object::journal::{Journal, PurgeBatch};
use crate::object::manifest::DeployId;
use crate::plan::DistributionPurge;
use crate::plan::open::ResentBatch;
use crate::state::{Lease, StateError};

/// Rounds of halving that a purge may need.
const ROUNDS: usize = 12;
/// Batches that may go at once: CloudFront's rates hold over time, and it says when it wants a pause.
const BURST: u64 = 2;

/// Invalidation paths by the ids of targets; a target may come more than once.
pub(super) type TargetPaths = Vec<(String, Vec<String>)>;

/// A batch and where it goes.
type TargetBatch = (PurgeTarget, PurgeBatch);

/// Sends the purge of one deploy.
pub(super) struct PurgeSender {
    pub(super) invalidator: Invalidator,
    pub(super) lease: Lease,
    pub(super) numbers: BatchNumbers,
    /// By their ids.
    pub(super) targets: BTreeMap<String, PurgeTarget>,
    /// Those of them that need not be purged where that is denied: what they are owed stays owed.
    pub(super) staging: BTreeSet<String>,
    /// What deploys that died recorded, by target: sent again under its own references, so that what CloudFront took
    /// already it does not take, or charge, twice.
    pub(super) resend: BTreeMap<String, Vec<ResentBatch>>,
    /// What to send instead should CloudFront refuse the apostrophe or a tag.
    pub(super) otherwise: Option<Vec<DistributionPurge>>,
    /// Keep to the rates that CloudFront documents.
    pub(super) paced: bool,
}

/// Gives a deploy's batches their numbers: no reference is ever used for two.
pub(super) struct BatchNumbers {
    pub(super) deploy: DeployId,
    /// Batches noted so far.
    pub(super) noted: usize,
}

impl BatchNumbers {
    /// Notes batches for these paths in the journal, which the caller writes. `late` ones are for what is removed once the others
    /// have completed.
    pub(super) fn note(&mut self, journal: &mut Journal, paths: TargetPaths, late: bool) {
        for (target, paths) in paths {
            let batches = invalidator::batches(&self.deploy, self.noted, &paths);
            self.noted += batches.len();
            let owed = journal.purges.entry(target).or_default();
            let batches = batches.into_iter();
            owed.batches
                .extend(batches.map(|batch| PurgeBatch { late, ..batch }));
        }
    }
}

/// What was sent so far.
#[derive(Debug, Default)]
pub(super) struct SentPurge {
    pub(super) pending: Vec<PendingInvalidation>,
    /// References of own batches that CloudFront took.
    pub(super) accepted: HashSet<String>,
    /// References of batches of deploys that died which it took again.
    pub(super) resent: HashSet<String>,
    /// Paths of all batches.
    pub(super) paths: u64,
    /// Something was refused, and what is sent is the other choice.
    pub(super) otherwise: bool,
}

impl SentPurge {
    /// Notes that CloudFront took a batch.
    fn note(&mut self, target: PurgeTarget, accepted: AcceptedInvalidation, batch: &PurgeBatch) {
        let paths = batch.paths.len() as u64;
        self.paths += paths;
        let pending = PendingInvalidation::new(target, accepted, paths);
        self.pending.push(pending);
    }
}

/// Why a purge was not sent whole.
#[derive(Debug)]
pub(super) enum SendFailure {
    Stopped,
    Refused(AwsError),
    State(StateError),
}

/// What came of one round of batches.
enum RoundOutcome {
    Done,
    /// These batches are too large: they have to be sent in halves.
    Halve(Vec<TargetBatch>),
    /// CloudFront refuses the apostrophe or a tag.
    Quote(AwsError),
}

/// Returns the invalidation paths of purges, by target.
pub(super) fn texts(purges: &[DistributionPurge], late: bool) -> TargetPaths {
    let paths = |target: &DistributionPurge| {
        let purge = if late { &target.after } else { &target.purge };
        let texts = purge.cover.texts().map(str::to_owned).collect();
        (target.target.clone(), texts)
    };
    purges.iter().map(paths).collect()
}

impl PurgeSender {
    /// Sends what deploys that died recorded, and then every noted batch, late or not, that CloudFront has not taken yet.
    pub(super) async fn send(
        &mut self,
        journal: &mut Journal,
        late: bool,
        sent: &mut SentPurge,
    ) -> Result<(), SendFailure> {
        self.resend(journal, late, sent).await?;
        // Once for what goes now, once for what goes late.
        let mut otherwise = self.otherwise.as_ref().map(|purges| texts(purges, late));
        for _ in 0..ROUNDS {
            let batches = self.due(journal, late, sent);
            if batches.is_empty() {
                return Ok(());
            }
            match self.round(batches, sent).await? {
                RoundOutcome::Done => return Ok(()),
                RoundOutcome::Halve(large) => {
                    forget(journal, &large);
                    self.numbers.note(journal, halves(large), late);
                }
                RoundOutcome::Quote(error) => {
                    let Some(paths) = otherwise.take() else {
                        return Err(SendFailure::Refused(error));
                    };
                    sent.otherwise = true;
                    forget(journal, &self.due(journal, late, sent));
                    self.numbers.note(journal, paths, late);
                }
            }
            self.write(journal).await?;
        }
        Err(SendFailure::Stopped)
    }

    async fn write(&self, journal: &Journal) -> Result<(), SendFailure> {
        let noted = self.lease.note(&self.numbers.deploy, journal).await;
        noted.map_err(SendFailure::State)
    }

    /// Sends recorded batches under their own references. What CloudFront refuses, or purged before what it is for was live, goes
    /// again under new ones.
    async fn resend(
        &mut self,
        journal: &mut Journal,
        late: bool,
        sent: &mut SentPurge,
    ) -> Result<(), SendFailure> {
        let mut recorded = std::mem::take(&mut self.resend);
        let (mut batches, mut newest) = (Vec::new(), Vec::new());
        for (id, target) in &self.targets {
            for resent in recorded.remove(id).into_iter().flatten() {
                batches.push((target.clone(), resent.batch));
                newest.push(resent.newest);
            }
        }
        let mut anew: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let answers = self.send_all(batches).await;
        for ((target, batch, answer), newest) in answers.into_iter().zip(newest) {
            let id = target.id().to_owned();
            match answer {
                BatchOutcome::Accepted(accepted) if accepted.at < newest => {
                    anew.entry(id).or_default().extend(batch.paths);
                }
                BatchOutcome::Accepted(accepted) => {
                    // The deploy that died had no end to count them in.
                    sent.note(target, accepted, &batch);
                    sent.resent.insert(batch.reference);
                }
                // Sent once more, to be told.
                BatchOutcome::Failed(error) if self.is_spared(&target, &error) => {
                    anew.entry(id).or_default().extend(batch.paths);
                }
                BatchOutcome::TooLarge | BatchOutcome::Refused(_) => {
                    anew.entry(id).or_default().insert("/*".to_owned());
                }
                BatchOutcome::Failed(error) => return Err(SendFailure::Refused(error)),
                BatchOutcome::Stopped => return Err(SendFailure::Stopped),
            }
        }
        if anew.is_empty() {
            return Ok(());
        }
        let anew = anew.into_iter();
        let anew = anew.map(|(target, paths)| (target, paths.into_iter().collect()));
        self.numbers.note(journal, anew.collect(), late);
        self.write(journal).await
    }

    /// Sends batches at CloudFront's pace.
    async fn send_all(
        &self,
        batches: Vec<TargetBatch>,
    ) -> Vec<(PurgeTarget, PurgeBatch, BatchOutcome)> {
        let begun = Instant::now();
        let numbered = (1..).zip(batches);
        let sending = numbered.map(|(number, (target, batch))| async move {
            let pause = u64::saturating_sub(number, BURST) * u64::from(self.paced);
            let due = begun + Duration::from_secs(pause);
            let pause = due.saturating_duration_since(Instant::now());
            self.invalidator.stop.sleep(pause).await;
            let sending = self.invalidator.send(&target, &batch);
            let sent = self.lease.within(sending).await;
            (target, batch, sent.unwrap_or(BatchOutcome::Stopped))
        });
        join_all(sending).await
    }

    /// Returns whether a target need not be purged, since that is denied.
    fn is_spared(&self, target: &PurgeTarget, error: &AwsError) -> bool {
        error.is(&AwsErrorKind::AccessDenied) && self.staging.contains(target.id())
    }

    async fn round(
        &self,
        batches: Vec<TargetBatch>,
        sent: &mut SentPurge,
    ) -> Result<RoundOutcome, SendFailure> {
        let (mut outcome, mut large) = (Ok(RoundOutcome::Done), Vec::new());
        for (target, batch, answer) in self.send_all(batches).await {
            let mut paths = batch.paths.iter();
            match answer {
                BatchOutcome::Accepted(accepted) => {
                    sent.note(target, accepted, &batch);
                    sent.accepted.insert(batch.reference);
                }
                BatchOutcome::TooLarge => large.push((target, batch)),
                BatchOutcome::Refused(error)
                    if paths.any(|path| invalidator::may_be_refused(path)) =>
                {
                    outcome = Ok(RoundOutcome::Quote(error));
                }
                BatchOutcome::Failed(error) if self.is_spared(&target, &error) => {
                    self.invalidator.tell.tell(DeployEvent::Warned(format!(
                        "{}: {error}: viewers that continuous deployment sends there may see what was; allow {} on it",
                        target.id(),
                        error.action
                    )));
                }
                BatchOutcome::Refused(error) | BatchOutcome::Failed(error) => {
                    outcome = Err(SendFailure::Refused(error));
                }
                BatchOutcome::Stopped => outcome = Err(SendFailure::Stopped),
            }
        }
        match outcome {
            Ok(RoundOutcome::Done) if !large.is_empty() => Ok(RoundOutcome::Halve(large)),
            outcome => outcome,
        }
    }

    /// Returns the batches that are noted and not taken.
    fn due(&self, journal: &Journal, late: bool, sent: &SentPurge) -> Vec<TargetBatch> {
        let mut due = Vec::new();
        for (id, target) in &self.targets {
            let owed = journal.purges.get(id).into_iter();
            let mut batches: Vec<&PurgeBatch> = owed.flat_map(|owed| &owed.batches).collect();
            batches.retain(|batch| batch.late == late && !sent.accepted.contains(&batch.reference));
            let batches = batches.into_iter().cloned();
            due.extend(batches.map(|batch| (target.clone(), batch)));
        }
        due
    }
}

fn halves(batches: Vec<TargetBatch>) -> TargetPaths {
    let halves = batches.into_iter().flat_map(|(target, batch)| {
        let (head, tail) = batch.paths.split_at(batch.paths.len() / 2);
        [head, tail].map(|half| (target.id().to_owned(), half.to_vec()))
    });
    halves.collect()
}

/// Strikes batches that are to be said otherwise.
fn forget(journal: &mut Journal, batches: &[TargetBatch]) {
    for owed in journal.purges.values_mut() {
        owed.batches.retain(|batch| {
            let mut struck = batches.iter();
            !struck.any(|(_, old)| old.reference == batch.reference)
        });
    }
}
