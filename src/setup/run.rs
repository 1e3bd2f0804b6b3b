//! Drives a stack. Its state decides what comes next, so that a run that was killed anywhere is gone on with by another.

use std::time::Duration;

use super::failure::{StackFailure, dns_record};
use crate::aws::AwsError;
use crate::aws::cloudformation::{
    ChangeSetKind, CloudFormation, ResourceEvent, SiteStack, StackChange, StackRequest,
};
use crate::error::Error;
use crate::job::StopSignal;

/// The state of a stack that was never made, only proposed.
const REVIEWED: &str = "REVIEW_IN_PROGRESS";

/// What goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SetupEvent {
    /// Something happened to a resource.
    Resource(ResourceEvent),
    /// A certificate waits for this record of the domain's DNS.
    RecordAwaited { name: String, value: String },
}

/// A stack at work.
pub(crate) struct StackRun<'a> {
    pub cloudformation: CloudFormation,
    pub request: StackRequest,
    /// Between two looks at first, and at most.
    pub pace: (Duration, Duration),
    pub stop: &'a StopSignal,
    pub tell: &'a (dyn Fn(SetupEvent) + Sync),
}

/// Where a stack stands, and so what can be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StackStanding {
    /// It is as the template says.
    Ready(SiteStack),
    /// This has to be agreed to.
    Proposed(StackProposal),
    /// Its first try failed: it can only be removed.
    Leftover(SiteStack),
}

/// What would be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StackProposal {
    pub stack: String,
    pub stack_id: String,
    /// The change set's ARN.
    pub change_set: String,
    pub is_new: bool,
    pub changes: Vec<StackChange>,
}

impl StackProposal {
    /// Returns whether something that is there would be gone afterwards, or another.
    pub(crate) fn takes_away(&self) -> bool {
        let mut changes = self.changes.iter();
        changes.any(|change| change.action == "Remove" || change.replacement == "True")
    }
}

/// What a stack's state asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NextStep {
    Propose(ChangeSetKind),
    Follow,
    Remove,
    /// Nobody but its owner can bring it back.
    GiveUp,
}

impl StackRun<'_> {
    /// Waits for what is under way, then finds out what there is to do.
    ///
    /// # Errors
    /// What AWS does not do; what failed of what was under way; `Exit::Interrupted`.
    pub(crate) async fn standing(&self) -> Result<StackStanding, Error> {
        let name = &self.request.stack;
        loop {
            let stack = self.cloudformation.stack(name).await?;
            let is_theirs = |stack: &SiteStack| !stack.is_ours && stack.status != REVIEWED;
            if stack.as_ref().is_some_and(is_theirs) {
                return Err(Error::failed(format!(
                    "the stack {name} is not one that `setup` made"
                ))
                .hint("--stack NAME names another"));
            }
            match (
                next_step(stack.as_ref().map(|stack| stack.status.as_str())),
                stack,
            ) {
                (NextStep::Propose(kind), stack) => match self.propose(kind).await? {
                    Some(proposal) => return Ok(StackStanding::Proposed(proposal)),
                    None => return Ok(StackStanding::Ready(stack.unwrap_or_default())),
                },
                (NextStep::Follow, Some(stack)) => {
                    self.follow(&stack.id, None).await?;
                }
                (NextStep::Remove, Some(stack)) => return Ok(StackStanding::Leftover(stack)),
                (_, stack) => {
                    let status = stack.map(|stack| stack.status).unwrap_or_default();
                    return Err(Error::failed(format!("the stack {name} is {status}"))
                        .hint("`aws cloudformation continue-update-rollback` brings it back"));
                }
            }
        }
    }

    /// Has a change set made. `None`: there is nothing to change.
    async fn propose(&self, kind: ChangeSetKind) -> Result<Option<StackProposal>, Error> {
        let StackRequest { stack, name, .. } = &self.request;
        self.cloudformation
            .create_change_set(&self.request, kind)
            .await?;
        let mut pause = self.pace.0;
        loop {
            let Some(set) = self.cloudformation.change_set(stack, name).await? else {
                return Err(Error::failed(format!(
                    "the change set {name} of {stack} is gone"
                )));
            };
            match (set.status.as_str(), set.execution.as_str()) {
                ("CREATE_COMPLETE", "AVAILABLE") => {
                    return Ok(Some(StackProposal {
                        stack: stack.clone(),
                        stack_id: set.stack_id,
                        change_set: set.id,
                        is_new: kind == ChangeSetKind::Create,
                        changes: set.changes,
                    }));
                }
                ("FAILED", _) if is_unchanged(&set.reason) => {
                    self.cloudformation.delete_change_set(stack, name).await?;
                    return Ok(None);
                }
                ("FAILED", _) => {
                    let refusals = self.cloudformation.refusals(&set.id).await;
                    self.withdraw(&set.stack_id).await?;
                    return Err(self.refused(set.reason, refusals.unwrap_or_default()));
                }
                // It was overtaken by another, or was carried out before: an equal one is made.
                (
                    "CREATE_COMPLETE",
                    "OBSOLETE" | "UNAVAILABLE" | "EXECUTE_FAILED" | "EXECUTE_COMPLETE",
                ) => {
                    self.cloudformation.delete_change_set(stack, name).await?;
                    self.cloudformation
                        .create_change_set(&self.request, kind)
                        .await?;
                }
                _ => {}
            }
            self.wait(&mut pause).await?;
        }
    }

    /// Says why there is no change set.
    fn refused(&self, reason: String, refusals: Vec<ResourceEvent>) -> Error {
        let problem = format!(
            "CloudFormation cannot plan the stack {}",
            self.request.stack
        );
        let failures: Vec<_> = refusals.iter().filter_map(StackFailure::of).collect();
        let mut error = Error::failed(problem);
        error.causes = failures.iter().map(StackFailure::text).collect();
        error.hint = failures.first().and_then(StackFailure::advice);
        if failures.is_empty() {
            error.causes = vec![reason];
        }
        error
    }

    /// Leaves no trace of a proposal: neither it, nor the stack, by its ARN, where nobody carried out another.
    pub(crate) async fn withdraw(&self, stack_id: &str) -> Result<(), Error> {
        let name = &self.request.name;
        self.cloudformation
            .delete_change_set(stack_id, name)
            .await?;
        let stack = self.cloudformation.stack(stack_id).await?;
        if stack.is_some_and(|stack| stack.status == REVIEWED) {
            self.cloudformation.delete_stack(stack_id).await?;
        }
        Ok(())
    }

    /// Carries a proposal out.
    ///
    /// # Errors
    /// What failed, by the resource's own words, with what to do.
    pub(crate) async fn carry_out(&self, proposal: &StackProposal) -> Result<SiteStack, Error> {
        let id = &proposal.stack_id;
        let before = self.cloudformation.events(id, |_| false).await?;
        let last = before.last().map(|event| event.id.clone());
        self.cloudformation
            .execute(&self.request.stack, &proposal.change_set)
            .await?;
        self.follow(id, last).await
    }

    /// Removes what a failed first try left. A bucket with objects stays.
    pub(crate) async fn remove(&self, stack: &SiteStack) -> Result<(), Error> {
        self.cloudformation.delete_stack(&stack.id).await?;
        self.follow(&stack.id, None).await.map(|_| ())
    }

    /// Tells what happens to a stack until nothing does. `last` is the id of the last event that is known; without it, the events
    /// of what is under way are told.
    async fn follow(&self, id: &str, mut last: Option<String>) -> Result<SiteStack, Error> {
        let mut failures: Vec<StackFailure> = Vec::new();
        let mut pause = self.pace.0;
        loop {
            let stack = self.cloudformation.stack(id).await?.unwrap_or_default();
            let is_known =
                |event: &ResourceEvent| last.as_ref().is_some_and(|last| *last == event.id);
            let mut events = self.cloudformation.events(id, is_known).await?;
            if last.is_none() {
                let begun = events
                    .iter()
                    .rposition(|event| event.physical_id == id && event.reason == "User Initiated");
                events.drain(..begun.unwrap_or_default());
            }
            last = events.last().map(|event| event.id.clone()).or(last);
            for event in events {
                if let Some((name, value)) = dns_record(&event) {
                    (self.tell)(SetupEvent::RecordAwaited { name, value });
                }
                failures.extend(StackFailure::of(&event));
                (self.tell)(SetupEvent::Resource(event));
            }
            if !stack.status.ends_with("_IN_PROGRESS") {
                return self.outcome(stack, failures);
            }
            self.wait(&mut pause).await?;
        }
    }

    fn outcome(&self, stack: SiteStack, failures: Vec<StackFailure>) -> Result<SiteStack, Error> {
        let is_well = matches!(
            stack.status.as_str(),
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "DELETE_COMPLETE"
        );
        let Some(first) = failures.first() else {
            return if is_well {
                Ok(stack)
            } else {
                let reason = stack.reason.clone().unwrap_or_default();
                Err(Error::failed(format!(
                    "the stack {} is {}",
                    self.request.stack, stack.status
                ))
                .because(reason))
            };
        };
        if is_well && stack.status != "DELETE_COMPLETE" {
            return Ok(stack);
        }
        let mut error = Error::failed(format!(
            "the stack {} could not be made: {}",
            self.request.stack,
            first.text()
        ));
        error.causes = failures.iter().skip(1).map(StackFailure::text).collect();
        error.hint = first.advice();
        Err(error)
    }

    /// Waits a while, each time a bit longer.
    async fn wait(&self, pause: &mut Duration) -> Result<(), Error> {
        self.stop.sleep(*pause).await;
        *pause = (*pause * 3 / 2).min(self.pace.1);
        if self.stop.is_set() {
            return Err(Error::interrupted(format!(
                "interrupted: CloudFormation goes on with the stack {} by itself",
                self.request.stack
            ))
            .hint("`unstale setup` again, with the same flags, goes on from there"));
        }
        Ok(())
    }
}

fn next_step(status: Option<&str>) -> NextStep {
    match status {
        None | Some(REVIEWED | "DELETE_COMPLETE") => NextStep::Propose(ChangeSetKind::Create),
        Some(status) if status.ends_with("_IN_PROGRESS") => NextStep::Follow,
        Some("ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_FAILED") => {
            NextStep::Remove
        }
        Some("UPDATE_ROLLBACK_FAILED" | "UPDATE_FAILED") => NextStep::GiveUp,
        Some(_) => NextStep::Propose(ChangeSetKind::Update),
    }
}

/// CloudFormation says by a failure that there is nothing to do (CloudFormation User Guide, "Change sets").
fn is_unchanged(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

/// Compares a stack with its template by CloudFormation's own means, and returns what differs.
///
/// # Errors
/// Where it cannot be compared; `Exit::Interrupted`.
pub(crate) async fn drifts(
    run: &StackRun<'_>,
) -> Result<Vec<crate::aws::stack_drift::ResourceDrift>, Error> {
    let stack = &run.request.stack;
    let found = run.cloudformation.stack(stack).await?;
    if found.is_none_or(|found| found.status == REVIEWED) {
        return Err(Error::failed(format!("there is no stack {stack}"))
            .hint("`unstale setup` makes it; --stack NAME names another"));
    }
    let detection = run.cloudformation.detect_drift(stack).await?;
    let mut pause = run.pace.0;
    loop {
        let (status, reason) = run.cloudformation.drift_detection(&detection).await?;
        match status.as_str() {
            "DETECTION_IN_PROGRESS" => run.wait(&mut pause).await?,
            "DETECTION_COMPLETE" => break,
            _ => {
                return Err(Error::failed(format!(
                    "the stack {stack} cannot be compared with its template"
                ))
                .because(reason.unwrap_or(status)));
            }
        }
    }
    let drifts: Result<_, AwsError> = run.cloudformation.drifts(stack).await;
    Ok(drifts?
        .into_iter()
        .filter_map(super::failure::unexpected)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_stack_decides() {
        use ChangeSetKind::{Create, Update};
        use NextStep::{Follow, GiveUp, Propose, Remove};
        for (status, step) in [
            (None, Propose(Create)),
            (Some("REVIEW_IN_PROGRESS"), Propose(Create)),
            (Some("DELETE_COMPLETE"), Propose(Create)),
            (Some("CREATE_IN_PROGRESS"), Follow),
            (Some("ROLLBACK_IN_PROGRESS"), Follow),
            (Some("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), Follow),
            (Some("ROLLBACK_COMPLETE"), Remove),
            (Some("CREATE_FAILED"), Remove),
            (Some("CREATE_COMPLETE"), Propose(Update)),
            (Some("UPDATE_ROLLBACK_COMPLETE"), Propose(Update)),
            (Some("UPDATE_ROLLBACK_FAILED"), GiveUp),
        ] {
            assert_eq!(next_step(status), step, "{status:?}");
        }
    }
}
