//! The operations that deal with change sets.

use super::difference::{changes, has_other_outputs};
use super::stack::{Aim, ChangeSet, Stack, Wish};
use super::template::{Template, text};
use super::{Asked, Refusal, Result, blank, find, invalid};
use crate::account::AccountState;
use crate::form::Form;
use crate::identity::ACCOUNT;
use crate::xml::{Element, leaf, node};

/// What a failed change set says that would change nothing.
const NO_CHANGES: &str = "The submitted information didn't contain changes. Submit different information to create a change set.";

/// Of a template that a request holds (User Guide, "CloudFormation quotas").
const MOST_BYTES: usize = 51_200;

/// Types whose resources need CAPABILITY_IAM, and with a name of their own CAPABILITY_NAMED_IAM.
const IAM: [(&str, &str); 5] = [
    ("AWS::IAM::Role", "RoleName"),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"),
    ("AWS::IAM::User", "UserName"),
    ("AWS::IAM::Group", "GroupName"),
    ("AWS::IAM::InstanceProfile", "InstanceProfileName"),
];

pub(super) fn create(state: &mut AccountState, asked: &Asked<'_>) -> Result<Vec<Element>> {
    let form = asked.form;
    let (stack_name, name) = (form.text("StackName"), form.text("ChangeSetName"));
    check_name("stackName", stack_name)?;
    check_name("changeSetName", name)?;
    let wish = wish(state, asked)?;
    check_capabilities(&wish)?;
    let kind = match form.text("ChangeSetType") {
        "" => "UPDATE",
        "CREATE" => "CREATE",
        "UPDATE" => "UPDATE",
        other => return invalid(format!("ChangeSetType {other} is not served here")),
    };
    let known = find(state, asked.region, stack_name).ok();
    let known = match (kind, known) {
        ("CREATE", Some(stack)) if stack.status != "REVIEW_IN_PROGRESS" => {
            return invalid(format!(
                "Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
            ));
        }
        ("CREATE", None) => {
            state.stacks.push(blank(asked, stack_name));
            find(state, asked.region, stack_name)?
        }
        ("UPDATE", Some(stack)) if !is_updatable(stack) => {
            return invalid(format!(
                "Stack:{} is in {} state and can not be updated.",
                stack.id, stack.status
            ));
        }
        (_, Some(stack)) => stack,
        (_, None) => return invalid(format!("Stack [{stack_name}] does not exist")),
    };
    // What was executed makes room for another of its name.
    let is_over = |set: &ChangeSet| set.name == name && set.execution.starts_with("EXECUTE");
    if !known.is_busy() {
        known.change_sets.retain(|set| !is_over(set));
    }
    let ids = |id: &str, stack: &str| vec![leaf("Id", id), leaf("StackId", stack)];
    if let Some(other) = known.change_sets.iter().find(|other| other.name == name) {
        if !other.token.is_empty() && other.token == form.text("ClientToken") {
            return Ok(ids(&other.id, &known.id));
        }
        let said = format!(
            "ChangeSet {name} cannot be created due to a mismatch with existing attribute: it already exists"
        );
        return Err(Refusal(400, "AlreadyExistsException", said));
    }
    let changes = changes(known, &wish);
    let is_same = changes.is_empty() && kind == "UPDATE" && !has_other_outputs(known, &wish);
    let uuid = uuid::Uuid::new_v4();
    let region = asked.region;
    let set = ChangeSet {
        id: format!("arn:aws:cloudformation:{region}:{ACCOUNT}:changeSet/{name}/{uuid}"),
        name: name.to_owned(),
        kind: kind.to_owned(),
        wish,
        description: form.text("Description").to_owned(),
        token: form.text("ClientToken").to_owned(),
        on_failure: form.text("OnStackFailure").to_owned(),
        created: asked.now,
        failed: is_same.then(|| NO_CHANGES.to_owned()),
        executed_by: String::new(),
        execution: if is_same { "UNAVAILABLE" } else { "AVAILABLE" }.to_owned(),
        changes,
    };
    let answer = ids(&set.id, &known.id);
    known.change_sets.push(set);
    Ok(answer)
}

/// Names of stacks and change sets are letters, digits and hyphens.
fn check_name(member: &str, name: &str) -> Result<()> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic());
    if name.starts_with("arn:") || (begins && name.len() <= 128 && name.bytes().all(is_fine)) {
        return Ok(());
    }
    invalid(format!(
        "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
    ))
}

fn is_updatable(stack: &Stack) -> bool {
    let fine = [
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
    ];
    fine.contains(&stack.status.as_str())
}

/// What a request asks a stack to be.
fn wish(state: &mut AccountState, asked: &Asked<'_>) -> Result<Wish> {
    let form = asked.form;
    let before = find(state, asked.region, form.text("StackName"));
    let before = before.map(|stack| stack.wish.clone()).unwrap_or_default();
    let template = match form.text("UsePreviousTemplate") {
        "true" => before.template.clone(),
        _ => form.text("TemplateBody").to_owned(),
    };
    if template.len() > MOST_BYTES {
        return invalid(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200",
        );
    }
    let read = Template::parse(&template).or_else(invalid)?;
    let given = form.items("Parameters").into_iter().map(|parameter| {
        let key = parameter.text("ParameterKey").to_owned();
        let value = match parameter.text("UsePreviousValue") {
            "true" => before.parameters.get(&key).cloned().unwrap_or_default(),
            _ => parameter.text("ParameterValue").to_owned(),
        };
        (key, value)
    });
    let parameters = read.filled(&given.collect()).or_else(invalid)?;
    let tag = |tag: &Form| (tag.text("Key").to_owned(), tag.text("Value").to_owned());
    Ok(Wish {
        template,
        parameters,
        tags: form.items("Tags").iter().map(tag).collect(),
        capabilities: form.texts("Capabilities"),
    })
}

fn check_capabilities(wish: &Wish) -> Result<()> {
    let template = wish.template();
    let mut needed = None;
    for id in template.resources.keys() {
        let Some((_, name)) = IAM.iter().find(|(kind, _)| *kind == template.kind(id)) else {
            continue;
        };
        let is_named = template.properties(id).get(*name).is_some();
        needed = match (needed, is_named) {
            (_, true) | (Some("CAPABILITY_NAMED_IAM"), _) => Some("CAPABILITY_NAMED_IAM"),
            (_, false) => Some("CAPABILITY_IAM"),
        };
    }
    let given = |name: &str| wish.capabilities.iter().any(|known| known == name);
    match needed {
        Some(needed) if !given(needed) && !given("CAPABILITY_NAMED_IAM") => {
            let said = format!("Requires capabilities : [{needed}]");
            Err(Refusal(400, "InsufficientCapabilitiesException", said))
        }
        _ => Ok(()),
    }
}

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
    let aim = if chosen.kind == "CREATE" {
        Aim::Create
    } else {
        Aim::Update
    };
    stack.change_sets.retain(|other| other.id == chosen.id);
    for executed in &mut stack.change_sets {
        "EXECUTE_IN_PROGRESS".clone_into(&mut executed.execution);
        token.clone_into(&mut executed.executed_by);
    }
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
    parts.push(super::documents::tags(&set.wish.tags));
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
        let change = super::documents::change(change, has_values);
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

/// Capabilities that a template needs, and its parameters.
pub(super) fn validate(asked: &Asked<'_>) -> Result<Vec<Element>> {
    let template = Template::parse(asked.form.text("TemplateBody")).or_else(invalid)?;
    let parameters = template.parameters.iter().map(|(name, parameter)| {
        let default = parameter.get("Default").map(text);
        let mut parts = vec![leaf("ParameterKey", name), leaf("NoEcho", false)];
        parts.extend(default.map(|default| leaf("DefaultValue", default)));
        node("member", parts)
    });
    let mut parts = vec![node("Parameters", parameters)];
    let wish = Wish {
        template: asked.form.text("TemplateBody").to_owned(),
        ..Wish::default()
    };
    if let Err(Refusal(_, _, said)) = check_capabilities(&wish) {
        let name = said.trim_start_matches("Requires capabilities : [");
        let name = leaf("member", name.trim_end_matches(']'));
        parts.push(node("Capabilities", [name]));
    }
    Ok(parts)
}
