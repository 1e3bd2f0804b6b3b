//! Sends batches of invalidation paths at CloudFront's pace, and waits for them.

use std::time::{Duration, Instant};

use super::Teller;
use super::event::Event;
use super::stop::Stop;
use crate::aws::cloudfront::{Accepted, PurgeTarget};
use crate::aws::{AwsError, CloudFront, Kind};
use crate::domain::journal::PurgeBatch;
use crate::domain::manifest::DeployId;
use crate::edge::batch;

/// First and longest pause while CloudFront has too much to do.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How often a pending invalidation is asked about, at first and later.
const POLLS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// The batches of a purge, each under a reference of its own, never derived from content: CloudFront answers a reference
/// that it knows with the old invalidation, and purges nothing.
pub fn batches(deploy: &DeployId, first: usize, paths: &[String]) -> Vec<PurgeBatch> {
    let numbered = batch::batches(paths).into_iter().enumerate();
    numbered
        .map(|(at, paths)| PurgeBatch {
            reference: format!("unstale-{deploy}-{}", first + at + 1),
            paths,
            late: false,
        })
        .collect()
}

/// Whether CloudFront may not take it, though something else would do: an apostrophe, or a tag.
pub fn may_be_refused(path: &str) -> bool {
    path.contains('\'') || path.starts_with('#')
}

/// What became of sending one batch.
#[derive(Debug)]
pub enum Sent {
    Accepted(Accepted),
    /// More than CloudFront takes at once: to be sent in halves.
    TooLarge,
    /// CloudFront refuses a path.
    Refused(AwsError),
    Failed(AwsError),
    Stopped,
}

/// Sends one batch, waiting for as long as CloudFront says that it has too much to do, `until` at most.
pub async fn send(
    cloudfront: &CloudFront,
    target: &PurgeTarget,
    batch: &PurgeBatch,
    until: Instant,
    stop: &Stop,
    tell: &Teller,
) -> Sent {
    let mut pause = PAUSES.0;
    loop {
        if stop.is_set() {
            return Sent::Stopped;
        }
        let error = match cloudfront
            .invalidate(target, &batch.paths, &batch.reference)
            .await
        {
            Ok(accepted) => {
                tell.tell(Event::PurgeAccepted {
                    target: target.id().to_owned(),
                    invalidation: accepted.id.clone(),
                    paths: batch.paths.clone(),
                });
                return Sent::Accepted(accepted);
            }
            Err(error) => error,
        };
        match error.kind {
            Kind::BatchTooLarge if batch.paths.len() > 1 => return Sent::TooLarge,
            Kind::InvalidArgument => return Sent::Refused(error),
            Kind::TooManyInvalidations | Kind::Throttled if Instant::now() + pause < until => {
                tell.tell(Event::PurgePaced {
                    target: target.id().to_owned(),
                    why: error.message,
                    wait: pause,
                });
                stop.sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
            _ => return Sent::Failed(error),
        }
    }
}

/// An invalidation under way.
#[derive(Debug, Clone)]
pub struct Pending {
    pub target: PurgeTarget,
    pub id: String,
    pub completed: bool,
    pub paths: u64,
}

impl Pending {
    /// `paths`: how many of the deploy's own it is for.
    pub fn new(target: PurgeTarget, accepted: Accepted, paths: u64) -> Self {
        Self {
            target,
            id: accepted.id,
            completed: accepted.completed,
            paths,
        }
    }
}

/// Waits until all are completed; answers whether they are when the time is up or it is stopped.
pub async fn wait(
    cloudfront: &CloudFront,
    pending: &mut [Pending],
    until: Instant,
    stop: &Stop,
    tell: &Teller,
) -> Result<bool, AwsError> {
    let begun = Instant::now();
    let mut pause = POLLS.0;
    loop {
        for one in pending.iter_mut().filter(|one| !one.completed) {
            let found = cloudfront
                .invalidation(&one.target, &one.id)
                .await
                .map(Accepted::from);
            let target = one.target.id().to_owned();
            match found {
                Ok(found) if found.completed => {
                    one.completed = true;
                    tell.tell(Event::PurgeCompleted {
                        target,
                        invalidation: one.id.clone(),
                        elapsed: begun.elapsed(),
                    });
                }
                Ok(_) => tell.tell(Event::PurgeAwaited {
                    target,
                    invalidation: one.id.clone(),
                    elapsed: begun.elapsed(),
                }),
                Err(error) if error.is_passing() => {}
                Err(error) => return Err(error),
            }
        }
        if pending.iter().all(|one| one.completed) {
            return Ok(true);
        }
        if stop.is_set() || Instant::now() >= until {
            return Ok(false);
        }
        stop.sleep(pause.min(until.saturating_duration_since(Instant::now())))
            .await;
        pause = (pause * 3 / 2).min(POLLS.1);
    }
}
