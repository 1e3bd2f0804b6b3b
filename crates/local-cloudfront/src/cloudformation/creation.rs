//! CreateChangeSet: what it takes, what it refuses, and what comes of it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::difference::{changes, has_other_outputs};
use super::stack::{Aim, Change, ChangeSet, Stack, Wish};
use super::template::{Template, text};
use super::validation::{Known, problems, reason};
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

/// What a stack has to be to be updated.
const UPDATABLE: [&str; 3] = [
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
];

pub(super) fn create(state: &mut AccountState, asked: &Asked<'_>) -> Result<Vec<Element>> {
    let form = asked.form;
    let name = form.text("ChangeSetName");
    check_name("stackName", form.text("StackName"))?;
    check_name("changeSetName", name)?;
    let wish = wish(state, asked)?;
    check_capabilities(&wish)?;
    let others = state.resources.clone();
    let owned = owned_buckets(state);
    let stack = target(state, asked)?;
    // What was executed makes room for another of its name.
    let is_over = |set: &ChangeSet| set.name == name && set.execution.starts_with("EXECUTE");
    if !stack.is_busy() {
        stack.change_sets.retain(|set| !is_over(set));
    }
    let ids = |id: &str, stack: &str| vec![leaf("Id", id), leaf("StackId", stack)];
    if let Some(other) = stack.change_sets.iter().find(|other| other.name == name) {
        if !other.token.is_empty() && other.token == form.text("ClientToken") {
            return Ok(ids(&other.id, &stack.id));
        }
        let said = format!(
            "ChangeSet {name} cannot be created due to a mismatch with existing attribute: it already exists"
        );
        return Err(Refusal(400, "AlreadyExistsException", said));
    }
    let set = change_set(asked, stack, (wish, &others), &owned);
    let answer = ids(&set.id, &stack.id);
    stack.change_sets.push(set);
    Ok(answer)
}

/// The stack that a change set is for. One that is to be created begins here.
fn target<'a>(state: &'a mut AccountState, asked: &Asked<'_>) -> Result<&'a mut Stack> {
    let name = asked.form.text("StackName");
    let creates = asked.form.text("ChangeSetType") == "CREATE";
    if creates && find(state, asked.region, name).is_err() {
        state.stacks.push(blank(asked, name));
    }
    let Ok(stack) = find(state, asked.region, name) else {
        return invalid(format!("Stack [{name}] does not exist"));
    };
    let (id, status) = (&stack.id, stack.status.as_str());
    if creates && status != "REVIEW_IN_PROGRESS" {
        let set = asked.form.text("ChangeSetName");
        return invalid(format!(
            "Stack [{name}] already exists and cannot be created again with the changeSet [{set}]."
        ));
    }
    if !creates && !UPDATABLE.contains(&status) {
        return invalid(format!(
            "Stack:{id} is in {status} state and can not be updated."
        ));
    }
    Ok(stack)
}

/// The buckets that stacks have.
fn owned_buckets(state: &AccountState) -> BTreeSet<String> {
    let stacks = state.stacks.iter().filter(|stack| !stack.is_gone());
    let all = stacks.flat_map(|stack| stack.resources.values());
    let buckets = all.filter(|one| one.kind == "AWS::S3::Bucket" && one.is_there());
    buckets.map(|one| one.physical_id.clone()).collect()
}

/// Turns what would be made and is there already into what is taken in (User Guide, "Import AWS resources into a CloudFormation stack
/// automatically"): buckets of this account that the template names and no stack has. Returns why that cannot be.
fn take_in(
    asked: &Asked<'_>,
    wish: &Wish,
    (changes, owned): (&mut [Change], &BTreeSet<String>),
) -> Option<String> {
    if asked.form.text("ImportExistingResources") != "true" {
        return None;
    }
    let (template, store) = (wish.template(), &asked.shared.store);
    let mut unkept = Vec::new();
    let made = changes.iter_mut().filter(|change| change.action == "Add");
    for change in made.filter(|change| change.kind == "AWS::S3::Bucket") {
        let properties = template.properties(&change.id);
        let Some(name) = properties.get("BucketName").and_then(Value::as_str) else {
            continue;
        };
        let is_ours = store.read(name, |bucket| bucket.options.owner == ACCOUNT);
        if owned.contains(name) || !is_ours.unwrap_or_default() {
            continue;
        }
        let policy = template.attribute(&change.id, "DeletionPolicy");
        if !policy.starts_with("Retain") {
            unkept.push(format!("{} ({{BucketName={name}}})", change.id));
        }
        "Import".clone_into(&mut change.action);
        name.clone_into(&mut change.physical_id);
    }
    (!unkept.is_empty()).then(|| format!(
        "CloudFormation is attempting to import some resources because they already exist in your account. The resources must have the DeletionPolicy attribute set to 'Retain' or 'RetainExceptOnCreate' in the template for successful import. The affected resources are {}",
        unkept.join(", ")
    ))
}

fn change_set(
    asked: &Asked<'_>,
    stack: &Stack,
    (wish, others): (Wish, &Known),
    owned: &BTreeSet<String>,
) -> ChangeSet {
    let (form, shared) = (asked.form, asked.shared);
    let mut changes = changes(stack, &wish);
    let unkept = take_in(asked, &wish, (&mut changes, owned));
    let validates = shared.cloud.validates_early() && form.text("DisableValidation") != "true";
    let problems = if validates {
        problems((shared, others), (stack, &wish), &changes)
    } else {
        Vec::new()
    };
    let is_new = stack.status == "REVIEW_IN_PROGRESS";
    let is_same = changes.is_empty() && !is_new && !has_other_outputs(stack, &wish);
    let failed = if is_same {
        Some(NO_CHANGES.to_owned())
    } else {
        unkept.or_else(|| reason(&problems))
    };
    let execution = match failed {
        Some(_) => "UNAVAILABLE",
        None => "AVAILABLE",
    };
    let (name, uuid) = (form.text("ChangeSetName"), uuid::Uuid::new_v4());
    let region = asked.region;
    ChangeSet {
        id: format!("arn:aws:cloudformation:{region}:{ACCOUNT}:changeSet/{name}/{uuid}"),
        name: name.to_owned(),
        aim: if is_new { Aim::Create } else { Aim::Update },
        wish,
        description: form.text("Description").to_owned(),
        token: form.text("ClientToken").to_owned(),
        on_failure: form.text("OnStackFailure").to_owned(),
        created: asked.now,
        failed,
        executed_by: String::new(),
        execution: execution.to_owned(),
        changes,
        problems,
    }
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
