//! How a deploy is told to have gone, once its end stands in the state or never will.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::invalidator::PendingInvalidation;
use super::plan_inputs::PlanInputs;
use super::progress::{DeployProgress, HaltReason, PurgeOutcome};
use super::put_error::PutError;
use super::run::DeployRun;
use crate::aws::{AwsError, AwsErrorKind};
use crate::edge::Money;
use crate::error::{Error, Exit};
use crate::job::request::Job;
use crate::object::Key;
use crate::object::plural::count;
use crate::plan::DistributionPurge;
use crate::state::StateError;
use crate::state::history::PastOutcome;

/// Failures that are told, at most.
pub(super) const MAX_CAUSES: usize = 5;
const NEXT: &str = "the next deploy makes it good: what it owes is noted in the bucket";

const UNTIL_THEN: &str = "This does not heal by itself: what is owed is noted in the bucket, and each deploy ends like this until then";

impl DeployRun<'_> {
    /// Waits for the purge, where that is wanted, and says how the deploy went.
    pub(super) async fn conclude(
        &mut self,
        mut progress: DeployProgress,
        ended: Result<(), HaltReason>,
    ) -> Result<(), Error> {
        self.lease.take_if(|_| ended.is_ok());
        let (settings, stop) = (&self.context.job.settings, self.context.stop);
        let soonest = Instant::now() + Duration::from_millis(1);
        let until = self.begun + settings.timeout.0;
        let invalidator = self.invalidator(until.max(soonest));
        let summary = &mut self.summary;
        summary.failed = progress.failures.len() as u64;
        let costs = costs(&progress);
        summary.cost_usd = costs.values().copied().sum::<Money>().dollars();
        let costs = costs.into_iter();
        summary.costs_usd = costs.map(|(id, cost)| (id, cost.dollars())).collect();
        let trouble = trouble(&progress, ended);
        summary.paths_owed = progress.owed;
        let pending = &mut progress.sent.pending;
        let mut timed_out = matches!(progress.purge, PurgeOutcome::TimedOut);
        if trouble.is_none() && settings.wait {
            let waited = invalidator.wait(pending).await;
            timed_out |= !waited.map_err(|error| Error {
                exit: Exit::Stale,
                ..error.into()
            })?;
        }
        summary.invalidations = pending.iter().map(PendingInvalidation::summary).collect();
        if let Some(error) = trouble {
            return Err(error);
        }
        let waiting = pending.iter().filter(|pending| !pending.completed);
        let ids: Vec<&str> = waiting.map(|pending| pending.id.as_str()).collect();
        if stop.is_set() && !ids.is_empty() {
            return Err(Error::interrupted(
                "interrupted while waiting: everything is live, and every purge was accepted",
            ));
        }
        if timed_out {
            let text = format!(
                "the purge was accepted, but not completed in time: {}",
                ids.join(", ")
            );
            return Err(Error::new(Exit::Stale, text)
                .hint("`unstale invalidations --wait` waits on; --timeout gives it longer"));
        }
        Ok(())
    }
}

/// Returns what CloudFront charges for the paths of each distribution that took any, by its id.
fn costs(progress: &DeployProgress) -> BTreeMap<String, Money> {
    let cost = |purge: &DistributionPurge| {
        let pending = progress.sent.pending.iter();
        let taken = pending.filter(|pending| pending.target.id() == purge.target);
        let taken: u64 = taken.map(|pending| pending.paths).sum();
        (taken > 0).then(|| (purge.target.clone(), purge.cost_of(taken)))
    };
    progress.purges.iter().filter_map(cost).collect()
}

/// Returns what kept the deploy from being whole.
fn trouble(progress: &DeployProgress, ended: Result<(), HaltReason>) -> Option<Error> {
    match ended {
        Ok(()) => {}
        Err(HaltReason::Interrupted | HaltReason::Race(_)) if !progress.begun => {
            return Some(Error::interrupted(
                "interrupted before anything was changed",
            ));
        }
        Err(HaltReason::Interrupted | HaltReason::Abandoned | HaltReason::Race(_)) => {
            return Some(Error::interrupted("interrupted: some of it is live").hint(NEXT));
        }
        Err(HaltReason::State(StateError::Lost)) => {
            let text = "the lease was lost, so nothing more was written";
            return Some(Error::incomplete(text).hint(NEXT));
        }
        Err(HaltReason::State(error)) => return Some(unfinished(error.into())),
        Err(HaltReason::Unprotected(causes)) => {
            let text = "nothing was uploaded, since not everybody is asked for the password yet";
            let hint = "see to what it says, and deploy again: the password goes first each time";
            return Some(nothing_uploaded(progress, text, causes).hint(hint));
        }
        Err(HaltReason::NotKept(failures)) => {
            let text =
                "nothing was uploaded, since what it replaces could not be copied for rollback";
            let without = "`keep = \"0 deploys\"` deploys without copies".to_owned();
            let hints: Vec<String> = first_hint(&failures).into_iter().chain([without]).collect();
            let error = nothing_uploaded(progress, text, causes(&failures));
            return Some(error.hint(hints.join("; ")));
        }
    }
    if progress.failures.is_empty() {
        return match &progress.purge {
            PurgeOutcome::Refused(error) => Some(unfinished(error.clone().into())),
            PurgeOutcome::Unlisted(error) => Some(unlisted(error)),
            PurgeOutcome::Accepted | PurgeOutcome::TimedOut => None,
        };
    }
    let failures = &progress.failures;
    let error = Error {
        causes: causes(failures),
        ..Error::incomplete(not_as_wanted(failures.len() as u64))
    };
    Some(error.hint(with_next(first_hint(failures))))
}

fn causes(failures: &[(Key, PutError)]) -> Vec<String> {
    let some = failures.iter().take(MAX_CAUSES);
    some.map(|(key, why)| format!("{key}: {why}")).collect()
}

fn first_hint(failures: &[(Key, PutError)]) -> Option<String> {
    failures.iter().find_map(|(_, why)| why.hint())
}

/// Says why nothing was uploaded. Once a function is live that asks for a password, the next deploy has to finish it.
fn nothing_uploaded(progress: &DeployProgress, text: &str, causes: Vec<String>) -> Error {
    let exit = if progress.begun {
        Exit::Incomplete
    } else {
        Exit::Failed
    };
    Error {
        causes,
        ..Error::new(exit, text)
    }
}

fn not_as_wanted(objects: u64) -> String {
    match objects {
        1 => "1 object is not as it should be".to_owned(),
        more => format!("{} objects are not as they should be", count(more)),
    }
}

impl PlanInputs {
    /// Returns the error that a run ends with which has nothing to do but the last one's purge, and does not know where.
    pub(crate) fn unpaid_unlisted(&self, job: &Job) -> Option<Error> {
        let last = self.remote.state.object.recent.last()?;
        match PurgeOutcome::foreseen(job, &self.targets) {
            PurgeOutcome::Unlisted(error) if last.outcome == PastOutcome::Owing => {
                Some(unlisted(&error))
            }
            _ => None,
        }
    }
}

/// Says that everything is live and nothing purged, since nobody knows where.
fn unlisted(error: &AwsError) -> Error {
    let text = format!("nothing was purged: {error}");
    Error::incomplete(text).hint(format!(
        "allow {}, or name the distribution: distribution = \"ID\" in deploy.toml (\"none\" if there is none); then the next deploy purges it",
        error.action
    ))
}

/// Adds what the next deploy does to a hint.
fn with_next(hint: Option<String>) -> String {
    hint.map_or(NEXT.to_owned(), |hint| format!("{hint}; {NEXT}"))
}

/// Makes it an error after which something is live already. Its own hint comes first.
fn unfinished(error: Error) -> Error {
    let hint = match (&error.kind, error.hint) {
        // Trying again is in vain.
        (Some(AwsErrorKind::AccessDenied), Some(hint)) => format!("{hint}. {UNTIL_THEN}"),
        (_, hint) => with_next(hint),
    };
    Error {
        exit: Exit::Incomplete,
        message: format!("not all is done: {}", error.message),
        hint: Some(hint),
        ..error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_names_its_key_once() {
        let failures = [(Key::new("a.html"), PutError::Changed)];
        let told = "a.html: the file changed after it was read for the plan";
        assert_eq!(causes(&failures), [told]);
    }
}
