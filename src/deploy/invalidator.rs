//! Sends batches of invalidation paths at CloudFront's pace, and waits for them.

use std::time::{Duration, Instant};

use crate::aws::cloudfront::{AcceptedInvalidation, PurgeTarget};
use crate::aws::{AwsError, AwsErrorKind, CloudFront};
use crate::edge::batch;
use crate::job::event::{DeployEvent, EventSink, InvalidationSummary};
use crate::job::stop::StopSignal;
use crate::object::journal::PurgeBatch;
use crate::object::manifest::DeployId;

/// First and longest pause while CloudFront has too much to do.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How often a pending invalidation is asked about, at first and later.
const POLLS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Returns the batches of a purge, each under a reference of its own, never derived from content: CloudFront answers a reference
/// that it knows with the old invalidation, and purges nothing.
pub(crate) fn batches(deploy: &DeployId, first: usize, paths: &[String]) -> Vec<PurgeBatch> {
    let numbered = batch::batches(paths).into_iter().enumerate();
    numbered
        .map(|(at, paths)| PurgeBatch {
            reference: format!("unstale-{deploy}-{}", first + at + 1),
            paths,
            late: false,
        })
        .collect()
}

/// Tells whether CloudFront may refuse a path, though something else would do: one with an apostrophe, or a tag.
pub(crate) fn may_be_refused(path: &str) -> bool {
    path.contains('\'') || path.starts_with('#')
}

/// What became of sending one batch.
#[derive(Debug)]
pub(crate) enum BatchOutcome {
    Accepted(AcceptedInvalidation),
    /// More than CloudFront takes at once: to be sent in halves.
    TooLarge,
    /// CloudFront refuses a path.
    Refused(AwsError),
    Failed(AwsError),
    Stopped,
}

/// An invalidation under way.
#[derive(Debug, Clone)]
pub(crate) struct PendingInvalidation {
    pub target: PurgeTarget,
    pub id: String,
    pub completed: bool,
    pub paths: u64,
}

impl PendingInvalidation {
    pub(crate) fn new(target: PurgeTarget, accepted: AcceptedInvalidation, paths: u64) -> Self {
        Self {
            target,
            id: accepted.id,
            completed: accepted.completed,
            paths,
        }
    }

    pub(crate) fn summary(&self) -> InvalidationSummary {
        let status = if self.completed {
            "Completed"
        } else {
            "InProgress"
        };
        InvalidationSummary {
            distribution: self.target.id().to_owned(),
            id: self.id.clone(),
            paths: self.paths,
            status: status.into(),
        }
    }
}

/// Sends batches to CloudFront, and waits for their invalidations.
#[derive(Debug, Clone)]
pub(crate) struct Invalidator {
    pub cloudfront: CloudFront,
    /// When what is sent must have been taken, and what is awaited completed.
    pub until: Instant,
    pub stop: StopSignal,
    pub tell: EventSink,
}

impl Invalidator {
    /// Sends one batch, waiting for as long as CloudFront says that it has too much to do.
    pub(crate) async fn send(&self, target: &PurgeTarget, batch: &PurgeBatch) -> BatchOutcome {
        let mut pause = PAUSES.0;
        loop {
            if self.stop.is_set() {
                return BatchOutcome::Stopped;
            }
            let answer = (self.cloudfront)
                .invalidate(target, &batch.paths, &batch.reference)
                .await;
            let error = match answer {
                Ok(accepted) => {
                    self.tell.tell(DeployEvent::PurgeAccepted {
                        target: target.id().to_owned(),
                        invalidation: accepted.id.clone(),
                        paths: batch.paths.clone(),
                    });
                    return BatchOutcome::Accepted(accepted);
                }
                Err(error) => error,
            };
            let in_time = Instant::now() + pause < self.until;
            match error.kind {
                AwsErrorKind::BatchTooLarge if batch.paths.len() > 1 => {
                    return BatchOutcome::TooLarge;
                }
                AwsErrorKind::InvalidArgument => return BatchOutcome::Refused(error),
                AwsErrorKind::TooManyInvalidations | AwsErrorKind::Throttled if in_time => {
                    self.tell.tell(DeployEvent::PurgePaced {
                        target: target.id().to_owned(),
                        why: error.message,
                        wait: pause,
                    });
                    self.stop.sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
                _ => return BatchOutcome::Failed(error),
            }
        }
    }

    /// Waits until all are completed; answers whether they are when the time is up or it is stopped.
    pub(crate) async fn wait(&self, pending: &mut [PendingInvalidation]) -> Result<bool, AwsError> {
        let begun = Instant::now();
        let mut pause = POLLS.0;
        loop {
            for invalidation in pending.iter_mut().filter(|awaited| !awaited.completed) {
                self.look_at(invalidation, begun).await?;
            }
            if pending.iter().all(|invalidation| invalidation.completed) {
                return Ok(true);
            }
            if self.stop.is_set() || Instant::now() >= self.until {
                return Ok(false);
            }
            let left = self.until.saturating_duration_since(Instant::now());
            self.stop.sleep(pause.min(left)).await;
            pause = (pause * 3 / 2).min(POLLS.1);
        }
    }

    /// Asks how far one invalidation is, and tells.
    async fn look_at(
        &self,
        pending: &mut PendingInvalidation,
        begun: Instant,
    ) -> Result<(), AwsError> {
        let asked = (self.cloudfront)
            .invalidation(&pending.target, &pending.id)
            .await;
        let (target, invalidation) = (pending.target.id().to_owned(), pending.id.clone());
        let elapsed = begun.elapsed();
        match asked.map(AcceptedInvalidation::from) {
            Ok(answer) if answer.completed => {
                pending.completed = true;
                self.tell.tell(DeployEvent::PurgeCompleted {
                    target,
                    invalidation,
                    elapsed,
                });
            }
            Ok(_) => self.tell.tell(DeployEvent::PurgeAwaited {
                target,
                invalidation,
                elapsed,
            }),
            Err(error) if error.is_passing() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
