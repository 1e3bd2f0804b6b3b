//! Sends a deploy's purge: the recorded batches of deploys that died, then its own, each recorded before it is sent.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::Teller;
use super::send::{self, Pending, Sent};
use super::stop::Stop;
use crate::aws::CloudFront;
use crate::aws::cloudfront::PurgeTarget;
use crate::domain::manifest::DeployId;
use crate::state::debt::{Batch, Debt};
use crate::state::{StateError, Store};

/// Rounds of halving that a purge may need.
const ROUNDS: usize = 12;
/// Batches that may go at once: CloudFront's rates hold over time, and it says when it wants a pause.
const BURST: u64 = 2;

/// Invalidation paths by the target's id.
pub type Paths = Vec<(String, Vec<String>)>;

/// What is needed to send.
pub struct Sender {
    pub cloudfront: CloudFront,
    pub store: Store,
    pub deploy: DeployId,
    pub targets: Vec<PurgeTarget>,
    /// What deploys that died recorded, by target: sent again under its own references, so that what CloudFront took
    /// already it does not take, or charge, twice.
    pub resend: BTreeMap<String, Vec<Batch>>,
    /// What to send instead should CloudFront refuse the apostrophe or a tag.
    pub without_quotes: Option<Paths>,
    /// As much for the purge of removed assets.
    pub without_quotes_late: Option<Paths>,
    /// Keep to the rates that CloudFront documents.
    pub paced: bool,
    /// Batches noted so far: no reference is ever used for two.
    pub noted: usize,
    pub until: Instant,
    pub stop: Stop,
    pub tell: Teller,
}

/// What was sent so far.
#[derive(Debug, Default)]
pub struct Outgoing {
    pub pending: Vec<Pending>,
    pub paths: u64,
    /// Why it could not all be sent.
    pub broken: Option<String>,
}

enum Round {
    Done,
    Failed(String),
    Stopped,
    /// CloudFront took these as too much at once.
    Halves(Paths),
    /// CloudFront refuses the apostrophe or a tag.
    Quote(String),
}

impl Sender {
    /// Notes batches for these paths in the journal, which the caller writes; whether there are any. `late` ones are for what
    /// is removed once the others have completed.
    pub fn note(&mut self, journal: &mut Debt, paths: &Paths, late: bool) -> bool {
        let mut any = false;
        for (target, paths) in paths.iter().filter(|(_, paths)| !paths.is_empty()) {
            let owed = journal.targets.entry(target.clone()).or_default();
            let batches = send::batches(&self.deploy, self.noted, paths);
            self.noted += batches.len();
            owed.batches
                .extend(batches.into_iter().map(|batch| Batch { late, ..batch }));
            any = true;
        }
        any
    }

    /// Sends every noted batch, late or not, that CloudFront has not taken yet; whether it now has them all.
    pub async fn send(
        &mut self,
        journal: &mut Debt,
        late: bool,
        out: &mut Outgoing,
    ) -> Result<bool, StateError> {
        let old = std::mem::take(&mut self.resend);
        let old = old.into_iter().flat_map(|(target, batches)| {
            batches
                .into_iter()
                .map(move |batch| (target.clone(), batch))
        });
        match self.round(&mut old.collect::<Vec<_>>(), out, false).await {
            Round::Done => {}
            Round::Stopped => return Ok(false),
            Round::Failed(why) | Round::Quote(why) => return Ok(fail(out, why)),
            // The deploy died before it could say this otherwise.
            Round::Halves(anew) => {
                self.note(journal, &anew, late);
                self.store.write_debt(journal).await?;
            }
        }
        for _ in 0..ROUNDS {
            let mut batches = due(journal, late);
            let round = self.round(&mut batches, out, true).await;
            settle(journal, batches);
            match round {
                Round::Done => return Ok(true),
                Round::Stopped => return Ok(false),
                Round::Failed(why) => return Ok(fail(out, why)),
                Round::Halves(halves) => {
                    self.note(journal, &halves, late);
                }
                Round::Quote(why) => {
                    let otherwise = match late {
                        false => self.without_quotes.take(),
                        true => self.without_quotes_late.take(),
                    };
                    let Some(paths) = otherwise else {
                        return Ok(fail(out, why));
                    };
                    for owed in journal.targets.values_mut() {
                        owed.batches.retain(|batch| {
                            batch.late != late || batch.accepted.is_some() || batch.paths == ["/*"]
                        });
                    }
                    self.note(journal, &paths, late);
                }
            }
            self.store.write_debt(journal).await?;
        }
        Ok(fail(
            out,
            "CloudFront refuses every batch of the purge".into(),
        ))
    }

    /// Sends batches at CloudFront's pace; those that it takes learn their id, those to be halved lose their paths. Old ones
    /// that it refuses become `/*`.
    async fn round(
        &self,
        batches: &mut [(String, Batch)],
        out: &mut Outgoing,
        counts: bool,
    ) -> Round {
        let begun = Instant::now();
        let sending = batches
            .iter()
            .enumerate()
            .map(|(at, (target, batch))| async move {
                let target = self.targets.iter().find(|one| one.id() == target)?;
                let pause = (at as u64 + 1).saturating_sub(BURST) * u64::from(self.paced);
                let due = begun + Duration::from_secs(pause);
                self.stop
                    .sleep(due.saturating_duration_since(Instant::now()))
                    .await;
                let sent = send::send(
                    &self.cloudfront,
                    target,
                    batch,
                    self.until,
                    &self.stop,
                    &self.tell,
                )
                .await;
                Some((target.clone(), sent))
            });
        let sent = join_all(sending).await;
        let (mut round, mut halves) = (Round::Done, Vec::new());
        for ((id, batch), sent) in batches.iter_mut().zip(sent) {
            let Some((target, sent)) = sent else { continue };
            match sent {
                Sent::Accepted(accepted) => {
                    let paths = if counts { batch.paths.len() as u64 } else { 0 };
                    batch.accepted = Some(accepted.id.clone());
                    out.paths += paths;
                    out.pending.push(Pending {
                        target,
                        id: accepted.id,
                        completed: accepted.completed,
                        paths,
                    });
                }
                Sent::TooLarge | Sent::Refused(_) if !counts => {
                    halves.push((id.clone(), vec!["/*".to_owned()]));
                }
                Sent::TooLarge => {
                    let (head, tail) = batch.paths.split_at(batch.paths.len() / 2);
                    halves.extend([(id.clone(), head.to_vec()), (id.clone(), tail.to_vec())]);
                    batch.paths.clear();
                }
                Sent::Refused(error)
                    if batch.paths.iter().any(|path| send::may_be_refused(path)) =>
                {
                    round = Round::Quote(error.to_string());
                }
                Sent::Refused(error) | Sent::Failed(error) => {
                    round = Round::Failed(error.to_string())
                }
                Sent::Stopped => round = Round::Stopped,
            }
        }
        match round {
            Round::Done if !halves.is_empty() => {
                halves.dedup();
                Round::Halves(halves)
            }
            round => round,
        }
    }
}

fn fail(out: &mut Outgoing, why: String) -> bool {
    out.broken = Some(why);
    false
}

/// Batches that are noted and not taken.
fn due(journal: &Debt, late: bool) -> Vec<(String, Batch)> {
    let of = |(target, owed): (&String, &crate::state::debt::Owed)| {
        let open =
            (owed.batches.iter()).filter(|batch| batch.accepted.is_none() && batch.late == late);
        open.map(|batch| (target.clone(), batch.clone()))
            .collect::<Vec<_>>()
    };
    journal.targets.iter().flat_map(of).collect()
}

/// Notes in the journal what became of them.
fn settle(journal: &mut Debt, batches: Vec<(String, Batch)>) {
    for (target, done) in batches {
        let Some(owed) = journal.targets.get_mut(&target) else {
            continue;
        };
        if let Some(batch) = owed
            .batches
            .iter_mut()
            .find(|batch| batch.reference == done.reference)
        {
            *batch = done;
        }
    }
    for owed in journal.targets.values_mut() {
        owed.batches.retain(|batch| !batch.paths.is_empty());
    }
}
