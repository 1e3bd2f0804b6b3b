//! Sends a deploy's purge: the recorded batches of deploys that died, then its own, each recorded before it is sent.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::Teller;
use super::send::{self, Pending, Sent};
use super::stop::Stop;
use crate::aws::cloudfront::PurgeTarget;
use crate::aws::{AwsError, CloudFront};
use crate::domain::journal::{Journal, JournaledPurge, PurgeBatch};
use crate::domain::manifest::DeployId;
use crate::plan::TargetPurge;
use crate::plan::open::ResentBatch;
use crate::state::{Lease, StateError};

/// Rounds of halving that a purge may need.
const ROUNDS: usize = 12;
/// Batches that may go at once: CloudFront's rates hold over time, and it says when it wants a pause.
const BURST: u64 = 2;

/// Invalidation paths by target; a target may come more than once.
pub(super) type TargetPaths = Vec<(String, Vec<String>)>;

/// What is needed to send.
pub(super) struct PurgeSender {
    pub(super) cloudfront: CloudFront,
    /// None before the deploy is noted.
    pub(super) lease: Option<Lease>,
    pub(super) deploy: DeployId,
    pub(super) targets: Vec<PurgeTarget>,
    /// What deploys that died recorded, by target: sent again under its own references, so that what CloudFront took
    /// already it does not take, or charge, twice.
    pub(super) resend: BTreeMap<String, Vec<ResentBatch>>,
    /// What to send instead should CloudFront refuse the apostrophe or a tag.
    pub(super) otherwise: Option<Vec<TargetPurge>>,
    /// Keep to the rates that CloudFront documents.
    pub(super) paced: bool,
    /// Batches noted so far: no reference is ever used for two.
    pub(super) noted: usize,
    pub(super) until: Instant,
    pub(super) stop: Stop,
    pub(super) tell: Teller,
}

/// What was sent so far.
#[derive(Debug, Default)]
pub(super) struct SentPurge {
    pub(super) pending: Vec<Pending>,
    /// Own batches that CloudFront took: its ids by their references.
    pub(super) accepted: HashMap<String, String>,
    /// Paths of own batches.
    pub(super) paths: u64,
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
    Failed(SendFailure),
    /// These batches are too large: they have to be sent in halves.
    Halve(Vec<(String, PurgeBatch)>),
    /// CloudFront refuses the apostrophe or a tag.
    Quote(AwsError),
}

/// The invalidation paths of purges, by target.
pub(super) fn texts(purges: &[TargetPurge], late: bool) -> TargetPaths {
    let of = |one: &TargetPurge| {
        let purge = if late { &one.after } else { &one.purge };
        let texts = purge.cover.texts().map(str::to_owned).collect();
        (one.target.clone(), texts)
    };
    purges.iter().map(of).collect()
}

impl PurgeSender {
    /// Notes batches for these paths in the journal, which the caller writes. `late` ones are for what is removed once the others
    /// have completed.
    pub(super) fn note(&mut self, journal: &mut Journal, paths: &TargetPaths, late: bool) {
        for (target, paths) in paths {
            let owed = journal.purges.entry(target.clone()).or_default();
            let batches = send::batches(&self.deploy, self.noted, paths);
            self.noted += batches.len();
            owed.batches.extend(
                batches
                    .into_iter()
                    .map(|batch| PurgeBatch { late, ..batch }),
            );
        }
    }

    /// Sends what deploys that died recorded, and then every noted batch, late or not, that CloudFront has not taken yet.
    pub(super) async fn send(
        &mut self,
        journal: &mut Journal,
        late: bool,
        sent: &mut SentPurge,
    ) -> Result<(), SendFailure> {
        self.resend(journal, late, sent).await?;
        // Once for what goes now, once for what goes late.
        let mut otherwise = self.otherwise.as_ref().map(|all| texts(all, late));
        for _ in 0..ROUNDS {
            let batches = due(journal, late, sent);
            if batches.is_empty() {
                return Ok(());
            }
            match self.round(&batches, sent).await {
                RoundOutcome::Done => return Ok(()),
                RoundOutcome::Failed(failure) => return Err(failure),
                RoundOutcome::Halve(large) => {
                    forget(journal, &large);
                    self.note(journal, &halves(&large), late);
                }
                RoundOutcome::Quote(error) => {
                    let Some(paths) = otherwise.take() else {
                        return Err(SendFailure::Refused(error));
                    };
                    forget(journal, &due(journal, late, sent));
                    self.note(journal, &paths, late);
                }
            }
            self.write(journal).await?;
        }
        Err(SendFailure::Stopped)
    }

    async fn write(&self, journal: &Journal) -> Result<(), SendFailure> {
        let Some(lease) = &self.lease else {
            return Err(SendFailure::State(StateError::Lost));
        };
        let noted = lease.note(&self.deploy, journal).await;
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
        let old = std::mem::take(&mut self.resend);
        let old: Vec<(String, ResentBatch)> = old
            .into_iter()
            .flat_map(|(target, batches)| batches.into_iter().map(move |one| (target.clone(), one)))
            .collect();
        if old.is_empty() {
            return Ok(());
        }
        let batches: Vec<_> = (old.iter())
            .map(|(target, resent)| (target.clone(), resent.batch.clone()))
            .collect();
        let mut anew: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let answers = self.send_all(&batches).await;
        for ((target, resent), answer) in old.iter().zip(answers) {
            let mut again = |paths: Vec<String>| {
                anew.entry(target.clone()).or_default().extend(paths);
            };
            match answer {
                Some(Sent::Accepted(accepted)) if accepted.at < resent.newest => {
                    again(resent.batch.paths.clone());
                }
                Some(Sent::Accepted(accepted)) => {
                    if let Some(target) = self.target(target) {
                        sent.pending.push(Pending::new(target, accepted, 0));
                    }
                }
                Some(Sent::TooLarge | Sent::Refused(_)) => again(vec!["/*".to_owned()]),
                Some(Sent::Failed(error)) => return Err(SendFailure::Refused(error)),
                Some(Sent::Stopped) => return Err(SendFailure::Stopped),
                None => {}
            }
        }
        if anew.is_empty() {
            return Ok(());
        }
        let anew = anew.into_iter();
        let anew = anew.map(|(target, paths)| (target, paths.into_iter().collect()));
        self.note(journal, &anew.collect(), late);
        self.write(journal).await
    }

    fn target(&self, id: &str) -> Option<PurgeTarget> {
        self.targets.iter().find(|one| one.id() == id).cloned()
    }

    /// Sends batches at CloudFront's pace; `None` for a target that there is not.
    async fn send_all(&self, batches: &[(String, PurgeBatch)]) -> Vec<Option<Sent>> {
        let begun = Instant::now();
        let sending = batches
            .iter()
            .enumerate()
            .map(|(at, (target, batch))| async move {
                let target = self.target(target)?;
                let pause = (at as u64 + 1).saturating_sub(BURST) * u64::from(self.paced);
                let due = begun + Duration::from_secs(pause);
                self.stop
                    .sleep(due.saturating_duration_since(Instant::now()))
                    .await;
                let sending = send::send(
                    &self.cloudfront,
                    &target,
                    batch,
                    self.until,
                    &self.stop,
                    &self.tell,
                );
                let lease = self.lease.as_ref()?;
                let sent = lease.within(sending).await;
                Some(sent.unwrap_or(Sent::Stopped))
            });
        join_all(sending).await
    }

    async fn round(&self, batches: &[(String, PurgeBatch)], sent: &mut SentPurge) -> RoundOutcome {
        let answers = self.send_all(batches).await;
        let (mut outcome, mut large) = (RoundOutcome::Done, Vec::new());
        for ((id, batch), answer) in batches.iter().zip(answers) {
            let (Some(answer), Some(target)) = (answer, self.target(id)) else {
                continue;
            };
            match answer {
                Sent::Accepted(accepted) => {
                    let paths = batch.paths.len() as u64;
                    sent.paths += paths;
                    let (reference, id) = (batch.reference.clone(), accepted.id.clone());
                    sent.accepted.insert(reference, id);
                    sent.pending.push(Pending::new(target, accepted, paths));
                }
                Sent::TooLarge => large.push((id.clone(), batch.clone())),
                Sent::Refused(error)
                    if batch.paths.iter().any(|path| send::may_be_refused(path)) =>
                {
                    outcome = RoundOutcome::Quote(error);
                }
                Sent::Refused(error) | Sent::Failed(error) => {
                    outcome = RoundOutcome::Failed(SendFailure::Refused(error));
                }
                Sent::Stopped => outcome = RoundOutcome::Failed(SendFailure::Stopped),
            }
        }
        match outcome {
            RoundOutcome::Done if !large.is_empty() => RoundOutcome::Halve(large),
            outcome => outcome,
        }
    }
}

/// Batches that are noted and not taken.
fn due(journal: &Journal, late: bool, sent: &SentPurge) -> Vec<(String, PurgeBatch)> {
    let of = |(target, owed): (&String, &JournaledPurge)| {
        let open = owed
            .batches
            .iter()
            .filter(|batch| batch.late == late && !sent.accepted.contains_key(&batch.reference));
        open.map(|batch| (target.clone(), batch.clone()))
            .collect::<Vec<_>>()
    };
    journal.purges.iter().flat_map(of).collect()
}

fn halves(batches: &[(String, PurgeBatch)]) -> TargetPaths {
    let halves = batches.iter().flat_map(|(target, batch)| {
        let (head, tail) = batch.paths.split_at(batch.paths.len() / 2);
        [head, tail].map(|half| (target.clone(), half.to_vec()))
    });
    halves.collect()
}

/// Strikes batches that are to be said otherwise.
fn forget(journal: &mut Journal, batches: &[(String, PurgeBatch)]) {
    for owed in journal.purges.values_mut() {
        let stays = |batch: &PurgeBatch| {
            let mut struck = batches.iter();
            !struck.any(|(_, old)| old.reference == batch.reference)
        };
        owed.batches.retain(stays);
    }
}
