//! How a deploy is told to have gone, once its end stands in the state or never will.

use std::time::{Duration, Instant};

use super::Teller;
use super::event::{Invalidated, Summary};
use super::job::Job;
use super::send::{self, Pending};
use super::steps::{DeployProgress, Halt, PurgeOutcome};
use super::stop::Stop;
use crate::aws::CloudFront;
use crate::error::{Error, Exit};
use crate::state::StateError;

const NEXT: &str = "the next deploy makes it good: what it owes is noted in the bucket";

/// What is needed to wait for a purge and to tell of it.
pub(super) struct Conclusion<'a> {
    pub(super) cloudfront: &'a CloudFront,
    pub(super) job: &'a Job,
    pub(super) until: Instant,
    pub(super) stop: &'a Stop,
    pub(super) tell: &'a Teller,
    pub(super) summary: &'a mut Summary,
}

/// Waits for the purge, where that is wanted, and says how the deploy went.
pub(super) async fn conclude(
    conclusion: Conclusion<'_>,
    mut progress: DeployProgress,
    ended: Result<(), Halt>,
) -> Result<(), Error> {
    let Conclusion {
        cloudfront,
        job,
        until,
        stop,
        tell,
        summary,
    } = conclusion;
    summary.failed = progress.failures.len() as u64;
    summary.cost_usd = progress.cost.dollars();
    let trouble = trouble(&progress, ended);
    let pending = &mut progress.sent.pending;
    let mut timed_out = matches!(progress.purge, PurgeOutcome::TimedOut);
    if trouble.is_none() && job.wait {
        let until = until.max(Instant::now() + Duration::from_millis(1));
        let waited = send::wait(cloudfront, pending, until, stop, tell).await;
        timed_out |= !waited.map_err(|error| Error {
            exit: Exit::Stale,
            ..error.into()
        })?;
    }
    summary.invalidations = pending.iter().map(invalidated).collect();
    if let Some(error) = trouble {
        return Err(error);
    }
    if stop.is_set() && pending.iter().any(|one| !one.completed) {
        return Err(Error::interrupted(
            "interrupted while waiting: everything is live, and every purge was accepted",
        ));
    }
    if timed_out {
        let waiting = pending.iter().filter(|one| !one.completed);
        let ids: Vec<_> = waiting.map(|one| one.id.as_str()).collect();
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

fn invalidated(pending: &Pending) -> Invalidated {
    let status = if pending.completed {
        "Completed"
    } else {
        "InProgress"
    };
    Invalidated {
        distribution: pending.target.id().to_owned(),
        id: pending.id.clone(),
        paths: pending.paths,
        status: status.into(),
    }
}

/// What kept the deploy from being whole.
fn trouble(progress: &DeployProgress, ended: Result<(), Halt>) -> Option<Error> {
    match ended {
        Ok(()) => {}
        Err(Halt::Interrupted | Halt::Race(_)) if !progress.begun => {
            return Some(Error::interrupted(
                "interrupted before anything was changed",
            ));
        }
        Err(Halt::Interrupted | Halt::Abandoned | Halt::Race(_)) => {
            return Some(Error::interrupted("interrupted: some of it is live").hint(NEXT));
        }
        Err(Halt::State(StateError::Lost)) => {
            let text = "the lease was lost, so nothing more was written";
            return Some(Error::incomplete(text).hint(NEXT));
        }
        Err(Halt::State(error)) => return Some(unfinished(error.into())),
    }
    if progress.failures.is_empty() {
        return match &progress.purge {
            PurgeOutcome::Refused(error) => Some(unfinished(error.clone().into())),
            PurgeOutcome::Accepted | PurgeOutcome::TimedOut => None,
        };
    }
    let failures = &progress.failures;
    let mut error = Error::incomplete(format!(
        "{} objects are not as they should be",
        failures.len()
    ));
    let hints = failures
        .iter()
        .map(|(_, why)| Error::from(why.clone()).hint);
    let first = hints.flatten().next();
    error.hint = Some(first.map_or(NEXT.to_owned(), |hint| format!("{hint}; {NEXT}")));
    let shown = failures.iter().take(5);
    error.causes = shown.map(|(key, why)| format!("{key}: {why}")).collect();
    Some(error)
}

/// An error after which something is live already. Its own hint comes first.
fn unfinished(error: Error) -> Error {
    let hint = error
        .hint
        .map_or(NEXT.to_owned(), |hint| format!("{hint}; {NEXT}"));
    Error {
        exit: Exit::Incomplete,
        message: format!("not all is done: {}", error.message),
        hint: Some(hint),
        ..error
    }
}
