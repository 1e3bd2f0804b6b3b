//! The operations that deal with change sets which are there.

use super::stack::{Aim, ChangeSet, Stack};
use super::{Asked, Refusal, Result, documents, find, validation};
use crate::account::AccountState;
use crate::xml::{Element, leaf, node};

/// A change set by its name and its stack's, or by its ARN: the places of both.
fn found(state: &AccountState, asked: &Asked<'_>) -> Result<(usize, usize)> {
    let name = asked.form.text("ChangeSetName");
    let is_named = |set: &ChangeSet| set.id == name || set.name == name;
    let stack_name = asked.form.text("StackName");
    let mut stacks = state.stacks.iter().enumerate().filter(|(_, stack)| {
        stack.region == asked.region
            && match stack_name {
                "" => stack.change_sets.iter().any(|set| set.id == name),
                _ => stack.id == stack_name || (stack.name == stack_name && !stack.is_gone()),
            }
    });
    let place = stacks.find_map(|(at, stack)| {
        let set = stack.change_sets.iter().position(is_named)?;
        Some((at, set))
    });
    place.ok_or_else(|| {
        let said = format!("ChangeSet [{name}] does not exist");
        Refusal(404, "ChangeSetNotFound", said)
    })
}

pub(super) fn events(state: &AccountState, asked: &Asked<'_>) -> Result<Vec<Element>> {
    let (stack, set) = found(state, asked)?;
    let stack = &state.stacks[stack];
    Ok(validation::events(stack, &stack.change_sets[set]))
}

pub(super) fn execute(state: &mut AccountState, asked: &Asked<'_>) -> Result<Vec<Element>> {
    let (stack, set) = found(state, asked)?;
    let stack = &mut state.stacks[stack];
    let token = asked.form.text("ClientRequestToken");
    let chosen = stack.change_sets[set].clone();
    // The same request once more.
    if !token.is_empty() && chosen.executed_by == token {
        return Ok(Vec::new());
    }
    let status = chosen.status(asked);
    if status != "CREATE_COMPLETE" || chosen.execution != "AVAILABLE" {
        let said = format!(
            "ChangeSet [{}] cannot be executed in its current status of [{status}]",
            chosen.id
        );
        return Err(Refusal(400, "InvalidChangeSetStatus", said));
    }
    let aim = chosen.aim;
    stack.change_sets.retain(|other| other.id == chosen.id);
    for executed in &mut stack.change_sets {
        "EXECUTE_IN_PROGRESS".clone_into(&mut executed.execution);
        token.clone_into(&mut executed.executed_by);
    }
    let imports = chosen.changes.iter();
    let imports = imports.filter(|change| change.action == "Import");
    stack.imports = imports.map(|change| change.id.clone()).collect();
    stack.stale = (asked.shared.cloud.stale_stacks(), stack.status.clone());
    stack.before = std::mem::replace(&mut stack.wish, chosen.wish);
    if aim == Aim::Update {
        stack.updated = Some(asked.now);
    }
    stack.drift = None;
    stack.begin(aim, (&chosen.on_failure, token), asked.now);
    let status = format!("{}_IN_PROGRESS", aim.verb());
    stack.turn(&status, "User Initiated", asked.now);
    Ok(Vec::new())
}

pub(super) fn delete(state: &mut AccountState, asked: &Asked<'_>) -> Result<Vec<Element>> {
    // One that is not there is as good as deleted.
    if let Ok((stack, set)) = found(state, asked) {
        let sets = &mut state.stacks[stack].change_sets;
        if sets[set].execution == "EXECUTE_IN_PROGRESS" {
            let said = "The change set is being executed".to_owned();
            return Err(Refusal(400, "InvalidChangeSetStatus", said));
        }
        sets.remove(set);
    }
    Ok(Vec::new())
}

pub(super) fn list(state: &mut AccountState, asked: &Asked<'_>) -> Result<Vec<Element>> {
    let stack = find(state, asked.region, asked.form.text("StackName"))?;
    let sets = stack.change_sets.iter().map(|set| {
        let parts = set.head(stack, asked);
        node("member", parts)
    });
    Ok(vec![node("Summaries", sets)])
}

pub(super) fn describe(state: &AccountState, asked: &Asked<'_>) -> Result<Vec<Element>> {
    let (stack, set) = found(state, asked)?;
    let stack = &state.stacks[stack];
    let set = &stack.change_sets[set];
    let mut parts = set.head(stack, asked);
    let parameters = set.wish.parameters.iter().map(|(key, value)| {
        node(
            "member",
            [leaf("ParameterKey", key), leaf("ParameterValue", value)],
        )
    });
    parts.push(node("Parameters", parameters));
    parts.push(documents::tags(&set.wish.tags));
    let capabilities = set.wish.capabilities.iter();
    parts.push(node(
        "Capabilities",
        capabilities.map(|name| leaf("member", name)),
    ));
    if !set.on_failure.is_empty() {
        parts.push(leaf("OnStackFailure", &set.on_failure));
    }
    let has_values = asked.form.text("IncludePropertyValues") == "true";
    let changes = set.changes.iter().map(|change| {
        let change = documents::change(change, has_values);
        node("member", [leaf("Type", "Resource"), change])
    });
    if set.status(asked) == "CREATE_COMPLETE" {
        parts.push(node("Changes", changes));
    }
    Ok(parts)
}

impl ChangeSet {
    fn status(&self, asked: &Asked<'_>) -> &'static str {
        match &self.failed {
            _ if self.created + asked.pace > asked.now => "CREATE_IN_PROGRESS",
            Some(_) => "FAILED",
            None => "CREATE_COMPLETE",
        }
    }

    /// What lists and descriptions say alike.
    fn head(&self, stack: &Stack, asked: &Asked<'_>) -> Vec<Element> {
        let status = self.status(asked);
        let execution = match status {
            "CREATE_IN_PROGRESS" => "UNAVAILABLE",
            _ => &self.execution,
        };
        let mut parts = vec![
            leaf("ChangeSetName", &self.name),
            leaf("ChangeSetId", &self.id),
            leaf("StackId", &stack.id),
            leaf("StackName", &stack.name),
            leaf("CreationTime", crate::clock::iso_date(self.created)),
            leaf("ExecutionStatus", execution),
            leaf("Status", status),
            leaf("IncludeNestedStacks", false),
        ];
        if status == "FAILED" {
            parts.extend(self.failed.iter().map(|said| leaf("StatusReason", said)));
        }
        if !self.description.is_empty() {
            parts.push(leaf("Description", &self.description));
        }
        parts
    }
}
