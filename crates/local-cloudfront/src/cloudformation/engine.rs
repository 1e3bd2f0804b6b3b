//! How a stack is brought to what is wished, one resource after the other, as far as its time has come. Nobody need ask meanwhile.

use std::time::{Duration, SystemTime};

use super::resources::{Making, Place, make, remove, take_in};
use super::stack::{Aim, Execution, Resource, Stack, Step};
use super::template::references;

/// What the engine works with.
pub(crate) struct Engine<'a> {
    pub making: Making<'a>,
    pub now: SystemTime,
    /// That each resource takes.
    pub pace: Duration,
}

impl Stack {
    /// Begins an execution.
    pub(crate) fn begin(&mut self, aim: Aim, (on_failure, token): (&str, &str), at: SystemTime) {
        let steps = self.steps(aim);
        let replaced = self.execution.take().map(|one| one.replaced);
        self.execution = Some(Execution {
            aim,
            steps,
            at,
            has_begun: false,
            on_failure: on_failure.to_owned(),
            token: token.to_owned(),
            replaced: replaced.unwrap_or_default(),
        });
    }

    pub(crate) fn begin_deletion(&mut self, token: &str, at: SystemTime) {
        self.change_sets.clear();
        self.turn("DELETE_IN_PROGRESS", "User Initiated", at);
        self.begin(Aim::Delete, ("", token), at);
    }

    /// What there is to do, the last of it first.
    fn steps(&self, aim: Aim) -> Vec<Step> {
        let order = self.wish.template().order().unwrap_or_default();
        let made = |id: &&String| self.resources.get(*id).is_some_and(Resource::is_there);
        let going = self.resources.keys().filter(|id| !order.contains(id));
        let going: Vec<Step> = going.filter(made).cloned().map(Step::Remove).collect();
        let mut steps: Vec<Step> = match aim {
            Aim::Create | Aim::Update => order.into_iter().map(Step::Make).collect(),
            Aim::UpdateRollback => {
                let back = order.iter().filter(made).cloned().map(Step::Make);
                let replaced = self.execution.iter().flat_map(|one| one.replaced.keys());
                let replaced = replaced.cloned().map(Step::Discard);
                back.chain(replaced).chain(going).collect()
            }
            Aim::Delete | Aim::Rollback => {
                let order = order.iter().rev().filter(made).cloned();
                order.map(Step::Remove).collect()
            }
            Aim::Cleanup => {
                let replaced = self.execution.iter().flat_map(|one| one.replaced.keys());
                let replaced = replaced.cloned().map(Step::Discard);
                replaced.chain(going).collect()
            }
        };
        steps.reverse();
        steps
    }
}

impl Engine<'_> {
    /// Goes on with a stack as far as its time has come. True where anything happened.
    pub(crate) fn advance(&mut self, stack: &mut Stack) -> bool {
        let mut has_moved = false;
        while let Some(execution) = &stack.execution {
            let (step, at) = (execution.steps.last().cloned(), execution.at);
            if at > self.now {
                break;
            }
            match step {
                None => end(stack, at),
                Some(step) if !execution.has_begun => self.begin(stack, &step, at),
                Some(step) => {
                    if at + self.pace > self.now {
                        break;
                    }
                    if self.waits(stack, &step) {
                        // It will not have been over before now.
                        if let Some(execution) = &mut stack.execution {
                            execution.at = at.max(self.now - self.pace);
                        }
                        break;
                    }
                    complete(stack, &step, at + self.pace);
                }
            }
            has_moved = true;
        }
        has_moved
    }

    /// A certificate that is not valid yet.
    fn waits(&self, stack: &Stack, step: &Step) -> bool {
        let Step::Make(id) = step else { return false };
        let resource = stack.resources.get(id);
        resource.is_some_and(|one| self.making.is_pending(&one.physical_id))
    }

    fn begin(&mut self, stack: &mut Stack, step: &Step, at: SystemTime) {
        let done = match step {
            Step::Make(id) => self.make(stack, id, at),
            Step::Remove(id) => self.remove(stack, id, at),
            Step::Discard(id) => self.discard(stack, id, at),
        };
        match done {
            // Nothing to do.
            Ok(false) => skip(stack),
            Ok(true) => {
                if let Some(execution) = &mut stack.execution {
                    execution.has_begun = true;
                }
            }
            Err(reason) => fail(stack, step, (&reason, at)),
        }
    }

    /// Makes or changes a resource. False where it is already as it is to be.
    fn make(&mut self, stack: &mut Stack, id: &str, at: SystemTime) -> Result<bool, String> {
        let properties = stack.wished(&stack.wish, id);
        let known = stack.resources.get(id).filter(|known| known.is_there());
        let known = known.cloned();
        if known
            .as_ref()
            .is_some_and(|known| known.properties == properties)
        {
            return Ok(false);
        }
        let is_taken_in = known.is_none() && stack.imports.contains(id);
        let verb = match &known {
            Some(_) => "UPDATE",
            None if is_taken_in => "IMPORT",
            None => "CREATE",
        };
        let kind = stack.wish.template().kind(id).to_owned();
        let resource = stack.resources.entry(id.to_owned()).or_default();
        if known.is_none() {
            *resource = Resource::default();
        }
        kind.clone_into(&mut resource.kind);
        let progress = format!("{verb}_IN_PROGRESS");
        stack.turn_resource(id, (&progress, ""), at);
        let missing = references(&properties).into_iter().next();
        if let Some(missing) = missing {
            return Err(format!(
                "Template error: resource {missing} does not have what {id} refers to"
            ));
        }
        let place = Place {
            stack: stack.name.clone(),
            region: stack.region.clone(),
            id: id.to_owned(),
            kind,
        };
        let made = if is_taken_in {
            take_in(&mut self.making, &place, &properties)
        } else {
            make(&mut self.making, &place, (&properties, known.as_ref()))?
        };
        let is_replaced = known
            .as_ref()
            .is_some_and(|known| known.physical_id != made.physical_id);
        if let (Some(known), Some(execution)) =
            (known.filter(|_| is_replaced), &mut stack.execution)
        {
            execution.replaced.insert(id.to_owned(), known);
        }
        let resource = stack.resources.entry(id.to_owned()).or_default();
        resource.physical_id = made.physical_id;
        resource.attributes = made.attributes;
        resource.properties = properties;
        if verb == "CREATE" {
            stack.turn_resource(id, (&progress, "Resource creation Initiated"), at);
        } else if is_replaced {
            let said = "Requested update requires the creation of a new physical resource; hence creating one.";
            stack.turn_resource(id, (&progress, said), at);
        }
        for said in made.events {
            stack.turn_resource(id, (&progress, &said), at);
        }
        Ok(true)
    }

    /// Removes a resource, unless its policy keeps it: false.
    fn remove(&mut self, stack: &mut Stack, id: &str, at: SystemTime) -> Result<bool, String> {
        let aim = stack.execution.as_ref().map(|one| one.aim);
        let on_failure = stack.execution.as_ref().map(|one| one.on_failure.as_str());
        let takes_back = aim == Some(Aim::Rollback) || on_failure == Some("DELETE");
        let takes_back = takes_back || aim == Some(Aim::UpdateRollback);
        // A resource that is not in the template any more has its policy in the one before.
        let mut policy = stack
            .wish
            .template()
            .attribute(id, "DeletionPolicy")
            .to_owned();
        if policy.is_empty() {
            policy = stack
                .before
                .template()
                .attribute(id, "DeletionPolicy")
                .to_owned();
        }
        let stays = match policy.as_str() {
            "Retain" => true,
            // What was there before was not created (User Guide, "DeletionPolicy attribute").
            "RetainExceptOnCreate" => !takes_back || stack.imports.contains(id),
            _ => false,
        };
        if stays {
            stack.turn_resource(id, ("DELETE_SKIPPED", ""), at);
            return Ok(false);
        }
        stack.turn_resource(id, ("DELETE_IN_PROGRESS", ""), at);
        let resource = stack.resources.get(id).cloned().unwrap_or_default();
        remove(&mut self.making, &resource).map(|()| true)
    }

    /// Removes what was replaced, unless its policy keeps it: false.
    fn discard(&mut self, stack: &mut Stack, id: &str, at: SystemTime) -> Result<bool, String> {
        let replaced = |execution: &mut Execution| execution.replaced.remove(id);
        let Some(old) = stack.execution.as_mut().and_then(replaced) else {
            return Ok(false);
        };
        let is_update = stack.execution.as_ref().map(|one| one.aim) == Some(Aim::Cleanup);
        let policy = stack
            .wish
            .template()
            .attribute(id, "UpdateReplacePolicy")
            .to_owned();
        let keeps = is_update && policy == "Retain";
        let mut tell = |status: &str| {
            let current = stack.resources.insert(
                id.to_owned(),
                Resource {
                    status: status.to_owned(),
                    ..old.clone()
                },
            );
            stack.tell(id, &old.physical_id, at);
            stack
                .resources
                .extend(current.map(|current| (id.to_owned(), current)));
        };
        if keeps {
            tell("DELETE_SKIPPED");
            return Ok(false);
        }
        tell("DELETE_IN_PROGRESS");
        let removed = remove(&mut self.making, &old);
        tell(if removed.is_ok() {
            "DELETE_COMPLETE"
        } else {
            "DELETE_FAILED"
        });
        Ok(false)
    }
}

impl Stack {
    /// Puts what was replaced in its place again.
    fn take_back(&mut self) {
        let Some(execution) = &mut self.execution else {
            return;
        };
        for (id, old) in std::mem::take(&mut execution.replaced) {
            let new = self.resources.insert(id.clone(), old);
            execution.replaced.extend(new.map(|new| (id, new)));
        }
    }
}

fn skip(stack: &mut Stack) {
    if let Some(execution) = &mut stack.execution {
        execution.steps.pop();
        execution.has_begun = false;
    }
}

fn complete(stack: &mut Stack, step: &Step, at: SystemTime) {
    let (Step::Make(id) | Step::Remove(id) | Step::Discard(id)) = step;
    let status = stack.resources.get(id).map(|one| one.status.clone());
    let verb = status
        .unwrap_or_default()
        .replace("_IN_PROGRESS", "_COMPLETE");
    stack.turn_resource(id, (&verb, ""), at);
    if let Some(execution) = &mut stack.execution {
        execution.at = at;
    }
    skip(stack);
}

/// A resource failed. What that means for the stack is for its aim to say.
fn fail(stack: &mut Stack, step: &Step, (reason, at): (&str, SystemTime)) {
    let (Step::Make(id) | Step::Remove(id) | Step::Discard(id)) = step;
    let status = stack.resources.get(id).map(|one| one.status.clone());
    let status = status
        .unwrap_or_default()
        .replace("_IN_PROGRESS", "_FAILED");
    stack.turn_resource(id, (&status, reason), at);
    skip(stack);
    let Some(execution) = &stack.execution else {
        return;
    };
    let (aim, token) = (execution.aim, execution.token.clone());
    let on_failure = execution.on_failure.clone();
    let verb = if status.starts_with("CREATE") {
        "create"
    } else {
        "update"
    };
    let said = format!("The following resource(s) failed to {verb}: [{id}]. ");
    match (aim, on_failure.as_str()) {
        (Aim::Create, "DO_NOTHING") => {
            stack.execution = None;
            stack.turn("CREATE_FAILED", said.trim_end(), at);
        }
        (Aim::Create, "DELETE") => {
            stack.turn(
                "DELETE_IN_PROGRESS",
                &format!("{said}Delete requested by user."),
                at,
            );
            stack.begin(Aim::Delete, ("DELETE", &token), at);
        }
        (Aim::Create, _) => {
            stack.turn(
                "ROLLBACK_IN_PROGRESS",
                &format!("{said}Rollback requested by user."),
                at,
            );
            stack.begin(Aim::Rollback, ("", &token), at);
        }
        (Aim::Update, _) => {
            stack.turn("UPDATE_ROLLBACK_IN_PROGRESS", said.trim_end(), at);
            std::mem::swap(&mut stack.wish, &mut stack.before);
            stack.take_back();
            stack.begin(Aim::UpdateRollback, ("", &token), at);
        }
        // These go on, and say at their end what is left.
        _ => {}
    }
}

/// Every step is done.
fn end(stack: &mut Stack, at: SystemTime) {
    let Some(execution) = &stack.execution else {
        return;
    };
    let (aim, token) = (execution.aim, execution.token.clone());
    let left = stack.resources.values();
    let left = left.filter(|one| one.status == "DELETE_FAILED").count();
    let status = match aim {
        Aim::Create => "CREATE_COMPLETE",
        Aim::Update => {
            stack.turn("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", at);
            return stack.begin(Aim::Cleanup, ("", &token), at);
        }
        Aim::Cleanup => "UPDATE_COMPLETE",
        Aim::Delete if left > 0 => "DELETE_FAILED",
        Aim::Delete => "DELETE_COMPLETE",
        Aim::Rollback if left > 0 => "ROLLBACK_FAILED",
        Aim::Rollback => "ROLLBACK_COMPLETE",
        Aim::UpdateRollback => "UPDATE_ROLLBACK_COMPLETE",
    };
    stack.turn(status, "", at);
    stack.execution = None;
    let executed = stack.change_sets.iter_mut();
    for one in executed.filter(|one| one.execution == "EXECUTE_IN_PROGRESS") {
        let is_done = matches!(aim, Aim::Create | Aim::Cleanup);
        let outcome = if is_done {
            "EXECUTE_COMPLETE"
        } else {
            "EXECUTE_FAILED"
        };
        outcome.clone_into(&mut one.execution);
    }
}
