//! Drives a stack. Its state decides what comes next, so that a run that was killed anywhere is gone on with by another.

use std::time::Duration;

use super::failure::StackFailure;
use crate::aws::cloudformation::{
    ChangeSetKind, CloudFormation, ResourceEvent, SiteStack, StackChange, StackRequest,
};
use crate::error::Error;
use crate::job::StopSignal;

/// The state of a stack that somebody began to remove.
pub(crate) const HALF_REMOVED: &str = "DELETE_FAILED";

/// The state of a stack that was never made, only proposed.
pub(super) const REVIEWED: &str = "REVIEW_IN_PROGRESS";

/// What goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SetupEvent {
    /// Something happened to a resource.
    Resource(ResourceEvent),
    /// A certificate waits for this record of the domain's DNS.
    RecordAwaited { name: String, value: String },
    /// It does so for long, although this zone has the record.
    ZoneAwaited {
        name: String,
        value: String,
        zone: String,
    },
}

/// A stack at work.
pub(crate) struct StackRun<'a> {
    pub cloudformation: CloudFormation,
    pub region: String,
    pub request: StackRequest,
    /// The same for a stack that is not there yet, where a bucket is to be taken into it: the template says no more of that than its
    /// name, since CloudFormation takes in what is there as it is. The request then changes it.
    pub first: Option<StackRequest>,
    /// The zone that gets the certificate's record by itself.
    pub zone: Option<String>,
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
    /// Its first try, or its removal, failed: it can only be removed.
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

    /// Returns whether something that no stack had would be in this one.
    pub(crate) fn takes_in(&self) -> bool {
        self.changes.iter().any(|change| change.action == "Import")
    }

    /// Returns whether all that is there stays, and nothing is added. CloudFormation names what refers to a bucket along with it.
    pub(crate) fn only_modifies(&self) -> bool {
        let mut changes = self.changes.iter();
        changes.all(|change| change.action == "Modify") && !self.takes_away()
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
        let first = (self.first.as_ref()).filter(|_| kind == ChangeSetKind::Create);
        let request = first.unwrap_or(&self.request);
        let StackRequest { stack, name, .. } = request;
        self.cloudformation.create_change_set(request, kind).await?;
        let mut pause = self.pace.0;
        loop {
            let Some(set) = self.cloudformation.change_set(stack, name).await? else {
                let gone = Error::failed(format!("the change set {name} of {stack} is gone"));
                return Err(gone.hint("somebody else sets this up, too: run it again"));
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
                    self.discard(&set.stack_id, &set.id).await?;
                    return Err(self.refused(set.reason, refusals.unwrap_or_default()));
                }
                // It was overtaken by another, or was carried out before: an equal one is made.
                (
                    "CREATE_COMPLETE",
                    "OBSOLETE" | "UNAVAILABLE" | "EXECUTE_FAILED" | "EXECUTE_COMPLETE",
                ) => {
                    self.cloudformation.delete_change_set(stack, name).await?;
                    self.cloudformation.create_change_set(request, kind).await?;
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
    pub(crate) async fn withdraw(&self, proposal: &StackProposal) -> Result<(), Error> {
        self.discard(&proposal.stack_id, &proposal.change_set).await
    }

    async fn discard(&self, stack_id: &str, change_set: &str) -> Result<(), Error> {
        let deleted = self.cloudformation.delete_change_set(stack_id, change_set);
        match deleted.await {
            // Somebody else carries it out: it is theirs.
            Err(error) if error.message.starts_with("InvalidChangeSetStatus") => return Ok(()),
            deleted => deleted?,
        }
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
        let last = self.last_event(id).await?;
        self.cloudformation
            .execute(&self.request.stack, &proposal.change_set)
            .await?;
        self.follow(id, last).await
    }

    async fn last_event(&self, id: &str) -> Result<Option<String>, Error> {
        let events = self.cloudformation.events(id, |_| false).await?;
        Ok(events.into_iter().next_back().map(|event| event.id))
    }

    /// Removes what a failed first try left. A bucket with objects stays.
    pub(crate) async fn remove(&self, stack: &SiteStack) -> Result<(), Error> {
        let last = self.last_event(&stack.id).await?;
        self.cloudformation.delete_stack(&stack.id).await?;
        self.follow(&stack.id, last).await.map(|_| ())
    }

    /// Waits a while, each time a bit longer.
    pub(super) async fn sleep(&self, pause: &mut Duration) {
        self.stop.sleep(*pause).await;
        *pause = (*pause * 3 / 2).min(self.pace.1);
    }

    /// Does that where nothing is done to the stack yet.
    pub(super) async fn wait(&self, pause: &mut Duration) -> Result<(), Error> {
        self.sleep(pause).await;
        if self.stop.is_set() {
            return Err(Error::interrupted("interrupted: nothing was changed"));
        }
        Ok(())
    }
}

fn next_step(status: Option<&str>) -> NextStep {
    match status {
        None | Some(REVIEWED | "DELETE_COMPLETE") => NextStep::Propose(ChangeSetKind::Create),
        Some(status) if status.ends_with("_IN_PROGRESS") => NextStep::Follow,
        Some(status) if is_leftover(status) => NextStep::Remove,
        Some("UPDATE_ROLLBACK_FAILED" | "UPDATE_FAILED") => NextStep::GiveUp,
        Some(_) => NextStep::Propose(ChangeSetKind::Update),
    }
}

/// Tells whether a stack can only be removed: its first try failed, or its removal did.
pub(super) fn is_leftover(status: &str) -> bool {
    let ends = [
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "CREATE_FAILED",
        HALF_REMOVED,
    ];
    ends.contains(&status)
}

/// Tells whether a stack stands, or is on its way to, so that what it was made from counts.
pub(super) fn is_made(status: &str) -> bool {
    let unmade = ["REVIEW_", "ROLLBACK_", "CREATE_FAILED", "DELETE_"];
    !unmade.iter().any(|beginning| status.starts_with(beginning))
}

/// CloudFormation says by a failure that there is nothing to do (CloudFormation User Guide, "Change sets").
fn is_unchanged(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
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
            (Some("DELETE_FAILED"), Remove),
            (Some("CREATE_COMPLETE"), Propose(Update)),
            (Some("UPDATE_ROLLBACK_COMPLETE"), Propose(Update)),
            (Some("UPDATE_ROLLBACK_FAILED"), GiveUp),
        ] {
            assert_eq!(next_step(status), step, "{status:?}");
        }
    }
}
