//! How a deploy is told to have gone, once its end stands in the state or never will.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::invalidator::{Invalidator, PendingInvalidation};
use super::plan_inputs::PlanInputs;
use super::progress::{DeployProgress, HaltReason, PurgeOutcome};
use super::put_error::PutError;
use crate::aws::{AwsError, AwsErrorKind};
use crate::edge::Money;
use crate::error::{Error, Exit};
use crate::job::event::DeploySummary;
use crate::job::request::Job;
use crate::object::Key;
use crate::object::plural::count;
use crate::state::StateError;
use crate::state::history::PastOutcome;

/// Failures that are told, at most.
pub(super) const MAX_CAUSES: usize = 5;
const NEXT: &str = "the next deploy makes it good: what it owes is noted in the bucket";

const UNTIL_THEN: &str = "This does not heal by itself: what is owed is noted in the bucket, and each deploy ends like this until then";

/// What is needed to wait for a purge and to tell of it.
pub(super) struct Conclusion<'a> {
    pub(super) invalidator: Invalidator,
    pub(super) waits: bool,
    pub(super) summary: &'a mut DeploySummary,
}

/// Waits for the purge, where that is wanted, and says how the deploy went.
pub(super) async fn conclude(
    conclusion: Conclusion<'_>,
    mut progress: DeployProgress,
    ended: Result<(), HaltReason>,
) -> Result<(), Error> {
    let Conclusion {
        mut invalidator,
        waits,
        summary,
    } = conclusion;
    summary.failed = progress.failures.len() as u64;
    summary.paths_owed = std::mem::take(&mut progress.owed);
    let costs = costs(&progress);
    summary.cost_usd = costs.values().copied().sum::<Money>().dollars();
    let costs = costs.into_iter();
    summary.costs_usd = costs.map(|(id, cost)| (id, cost.dollars())).collect();
    let trouble = trouble(&progress, ended);
    let pending = &mut progress.sent.pending;
    let mut timed_out = matches!(progress.purge, PurgeOutcome::TimedOut);
    if trouble.is_none() && waits {
        let soonest = Instant::now() + Duration::from_millis(1);
        invalidator.until = invalidator.until.max(soonest);
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
    let waiting = pending
        .iter()
        .filter(|invalidation| !invalidation.completed);
    let ids: Vec<_> = waiting
        .map(|invalidation| invalidation.id.as_str())
        .collect();
    if invalidator.stop.is_set() && !ids.is_empty() {
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
    summary.outcome = "done".into();
    Ok(())
}

/// Returns what CloudFront charges for the paths of each distribution that took any, by its id.
fn costs(progress: &DeployProgress) -> BTreeMap<String, Money> {
    let mut costs = BTreeMap::new();
    let mut taken: BTreeMap<&str, u64> = BTreeMap::new();
    for pending in &progress.sent.pending {
        *taken.entry(pending.target.id()).or_default() += pending.paths;
    }
    for (id, taken) in taken {
        let mut purges = progress.purges.iter();
        let purge = purges.find(|purge| purge.target == id);
        let cost = purge.map_or(Money::default(), |purge| purge.cost_of(taken));
        costs.insert(id.to_owned(), cost);
    }
    costs
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
        Err(HaltReason::Unprotected(causes)) => return Some(unprotected(progress, causes)),
        Err(HaltReason::NotKept(failures)) => return Some(not_kept(progress, &failures)),
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
    let mut errors = failures.iter().map(|(_, why)| Error::from(why.clone()));
    errors.find_map(|error| error.hint)
}

/// Says that nothing was uploaded, since what it would replace could not be kept.
fn not_kept(progress: &DeployProgress, failures: &[(Key, PutError)]) -> Error {
    let text = "nothing was uploaded, since what it replaces could not be copied for rollback";
    let error = Error {
        causes: causes(failures),
        ..Error::new(exit_before_uploads(progress), text)
    };
    let hint = "`keep = \"0 deploys\"` deploys without copies";
    error.hint(first_hint(failures).map_or(hint.to_owned(), |first| format!("{first}; {hint}")))
}

/// Once a function is live that asks for a password, the next deploy has to finish it.
fn exit_before_uploads(progress: &DeployProgress) -> Exit {
    if progress.begun {
        Exit::Incomplete
    } else {
        Exit::Failed
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

/// Says that nothing was uploaded, since not everybody would have been asked for the password.
fn unprotected(progress: &DeployProgress, causes: Vec<String>) -> Error {
    let text = "nothing was uploaded, since not everybody is asked for the password yet";
    let error = Error {
        causes,
        ..Error::new(exit_before_uploads(progress), text)
    };
    error.hint("see to what it says, and deploy again: the password goes first each time")
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
