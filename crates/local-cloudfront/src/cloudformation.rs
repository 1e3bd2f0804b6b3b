//! CloudFormation's API of 2010-05-15: change sets, stacks, their events and their drift.

use std::time::{Duration, SystemTime};

use hyper::Response;
use s3s::Body;

use super::account::AccountState;
use super::form::{Form, answered, unknown};
use super::http::failure;
use super::identity::ACCOUNT;
use super::request::{RequestInfo, Service};
use super::world::Shared;
use super::xml::{Element, leaf, node};

mod buckets;
mod change_sets;
mod creation;
mod difference;
mod distributions;
mod documents;
mod drift;
mod engine;
mod resources;
mod schema;
mod stack;
mod template;
mod validation;

pub(super) use engine::Engine;
pub(super) use resources::Making;
pub(super) use stack::Stack;
use stack::{Aim, Drift, Wish};
pub(super) use template::text;

const OPERATIONS: [&str; 17] = [
    "CreateChangeSet",
    "DescribeChangeSet",
    "ExecuteChangeSet",
    "DeleteChangeSet",
    "ListChangeSets",
    "DescribeStacks",
    "DescribeEvents",
    "DescribeStackEvents",
    "DescribeStackResource",
    "DescribeStackResources",
    "ListStackResources",
    "GetTemplate",
    "DeleteStack",
    "ValidateTemplate",
    "DetectStackDrift",
    "DescribeStackDriftDetectionStatus",
    "DescribeStackResourceDrifts",
];
/// Events on a page.
const PAGE: usize = 100;

/// The operation that a request is for; empty for an unknown one.
pub(super) fn operation(form: &Form) -> &'static str {
    let mut known = OPERATIONS.into_iter();
    known
        .find(|name| *name == form.text("Action"))
        .unwrap_or_default()
}

/// Status, code and what is said.
struct Refusal(u16, &'static str, String);

type Result<T> = std::result::Result<T, Refusal>;

fn invalid<T>(said: impl Into<String>) -> Result<T> {
    Err(Refusal(400, "ValidationError", said.into()))
}

/// A request.
struct Asked<'a> {
    shared: &'a Shared,
    form: &'a Form,
    region: &'a str,
    now: SystemTime,
    pace: Duration,
}

/// Answers one request of the API.
pub(super) fn answer(shared: &Shared, info: &RequestInfo, body: &str) -> Response<Body> {
    let form = Form::parse(body.as_bytes());
    let asked = Asked {
        shared,
        form: &form,
        region: &info.region,
        now: shared.clock.now(),
        pace: shared.cloud.resource_time(),
    };
    let done = match info.operation {
        "" => return unknown(Service::CloudFormation),
        "DetectStackDrift" => detect(&asked),
        operation => route(&mut shared.account.lock(), operation, &asked),
    };
    // What takes no time is done before somebody looks.
    if info.writes() {
        shared.advance();
    }
    match done {
        Ok(result) => answered(info, result),
        Err(Refusal(status, code, said)) => {
            failure(Service::CloudFormation, status, code, &said, false)
        }
    }
}

fn route(state: &mut AccountState, operation: &str, asked: &Asked<'_>) -> Result<Vec<Element>> {
    let name = asked.form.text("StackName");
    let region = asked.region;
    match operation {
        "CreateChangeSet" => creation::create(state, asked),
        "DescribeEvents" => change_sets::events(state, asked),
        "DescribeChangeSet" => change_sets::describe(state, asked),
        "ExecuteChangeSet" => change_sets::execute(state, asked),
        "DeleteChangeSet" => change_sets::delete(state, asked),
        "ListChangeSets" => change_sets::list(state, asked),
        "ValidateTemplate" => creation::validate(asked),
        "DescribeStacks" if name.is_empty() => {
            let stacks = state.stacks.iter();
            let stacks = stacks.filter(|stack| stack.region == region && !stack.is_gone());
            Ok(vec![node("Stacks", stacks.map(documents::stack))])
        }
        "DescribeStacks" => {
            let stack = documents::stack(&find(state, region, name)?.seen());
            Ok(vec![node("Stacks", [stack])])
        }
        "DescribeStackEvents" => match find(state, region, name) {
            Ok(stack) => events(stack, asked),
            Err(_) => invalid(format!("Stack [{name}] does not exist")),
        },
        "DescribeStackResource" => {
            let stack = find(state, region, name)?;
            let id = asked.form.text("LogicalResourceId").to_owned();
            let Some(known) = stack.resources.get(&id) else {
                return invalid(format!("Resource {id} does not exist for stack {name}"));
            };
            let mut shown = documents::resource(stack, (&id, known), "LastUpdatedTimestamp");
            shown.name = "StackResourceDetail".to_owned();
            Ok(vec![shown])
        }
        "DescribeStackResources" => {
            let stack = find(state, region, name)?;
            let all = stack.resources.iter();
            let all = all.map(|known| documents::resource(stack, known, "Timestamp"));
            Ok(vec![node("StackResources", all)])
        }
        "ListStackResources" => {
            let stack = find(state, region, name)?;
            let all = stack.resources.iter();
            let all = all.map(|known| documents::resource(stack, known, "LastUpdatedTimestamp"));
            Ok(vec![node("StackResourceSummaries", all)])
        }
        "GetTemplate" => {
            let stack = find(state, region, name)?;
            let stages = ["Original", "Processed"].map(|stage| leaf("member", stage));
            let body = leaf("TemplateBody", &stack.wish.template);
            Ok(vec![body, node("StagesAvailable", stages)])
        }
        "DeleteStack" => delete(state, asked),
        "DescribeStackDriftDetectionStatus" => drift_status(state, asked),
        _ => drifts(find(state, region, name)?, asked),
    }
}

/// A stack by its name, or by its ARN even if it is gone.
fn find<'a>(state: &'a mut AccountState, region: &str, name: &str) -> Result<&'a mut Stack> {
    let is_it = |stack: &&mut Stack| {
        stack.id == name || (stack.name == name && stack.region == region && !stack.is_gone())
    };
    match state.stacks.iter_mut().find(is_it) {
        Some(stack) => Ok(stack),
        None => invalid(format!("Stack with id {name} does not exist")),
    }
}

/// A stack that a change set is to create.
fn blank(asked: &Asked<'_>, name: &str) -> Stack {
    let (region, uuid) = (asked.region, uuid::Uuid::new_v4());
    let mut stack = Stack {
        id: format!("arn:aws:cloudformation:{region}:{ACCOUNT}:stack/{name}/{uuid}"),
        name: name.to_owned(),
        region: region.to_owned(),
        status: String::new(),
        reason: String::new(),
        created: asked.now,
        updated: None,
        wish: Wish::default(),
        before: Wish::default(),
        resources: Default::default(),
        events: Vec::new(),
        change_sets: Vec::new(),
        execution: None,
        drift: None,
        imports: Default::default(),
        stale: Default::default(),
    };
    stack.turn("REVIEW_IN_PROGRESS", "User Initiated", asked.now);
    stack
}

/// The newest first, page by page.
fn events(stack: &Stack, asked: &Asked<'_>) -> Result<Vec<Element>> {
    let from: usize = asked.form.text("NextToken").parse().unwrap_or_default();
    let page = stack.events.iter().rev().skip(from).take(PAGE);
    let page = page.map(|event| documents::event(stack, event));
    let mut parts = vec![node("StackEvents", page)];
    if stack.events.len() > from + PAGE {
        parts.push(leaf("NextToken", from + PAGE));
    }
    Ok(parts)
}

/// A stack that is not there is as good as deleted.
fn delete(state: &mut AccountState, asked: &Asked<'_>) -> Result<Vec<Element>> {
    let Ok(stack) = find(state, asked.region, asked.form.text("StackName")) else {
        return Ok(Vec::new());
    };
    let runs = stack.execution.as_ref().map(|one| one.aim);
    if stack.is_gone() || runs == Some(Aim::Delete) {
        return Ok(Vec::new());
    }
    stack.stale = (asked.shared.cloud.stale_stacks(), stack.status.clone());
    stack.begin_deletion(asked.form.text("ClientRequestToken"), asked.now);
    Ok(Vec::new())
}

fn detect(asked: &Asked<'_>) -> Result<Vec<Element>> {
    let shared = asked.shared;
    let mut state = shared.account.lock();
    let stack = find(&mut state, asked.region, asked.form.text("StackName"))?;
    // API Reference, "DetectStackDrift".
    let allowed = [
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_ROLLBACK_FAILED",
    ];
    if !allowed.contains(&stack.status.as_str()) {
        return invalid(format!(
            "Drift detection cannot be performed on stack [{}] in status {}",
            stack.id, stack.status
        ));
    }
    let drift = Drift {
        id: uuid::Uuid::new_v4().to_string(),
        at: asked.now,
        resources: drift::detect(shared, stack),
    };
    let id = leaf("StackDriftDetectionId", &drift.id);
    stack.drift = Some(drift);
    Ok(vec![id])
}

fn drift_status(state: &AccountState, asked: &Asked<'_>) -> Result<Vec<Element>> {
    let id = asked.form.text("StackDriftDetectionId");
    let mut found = state.stacks.iter().filter_map(|stack| {
        let drift = stack.drift.as_ref().filter(|drift| drift.id == id)?;
        Some((stack, drift))
    });
    let Some((stack, drift)) = found.next() else {
        return invalid(format!("DriftDetectionId {id} does not exist"));
    };
    let mut parts = vec![
        leaf("StackId", &stack.id),
        leaf("StackDriftDetectionId", id),
        leaf("Timestamp", super::clock::iso_date(drift.at)),
    ];
    if drift.at + asked.pace > asked.now {
        parts.push(leaf("DetectionStatus", "DETECTION_IN_PROGRESS"));
        return Ok(parts);
    }
    let drifted = drift.resources.iter().filter(|one| one.status != "IN_SYNC");
    parts.extend([
        leaf("DetectionStatus", "DETECTION_COMPLETE"),
        leaf("StackDriftStatus", drift::status(drift)),
        leaf("DriftedStackResourceCount", drifted.count()),
    ]);
    Ok(parts)
}

fn drifts(stack: &Stack, asked: &Asked<'_>) -> Result<Vec<Element>> {
    let wanted = asked.form.texts("StackResourceDriftStatusFilters");
    let drifts = stack.drift.iter().flat_map(|drift| &drift.resources);
    let drifts = drifts.filter(|one| wanted.is_empty() || wanted.contains(&one.status));
    let drifts = drifts.map(|one| documents::drift(stack, one));
    Ok(vec![node("StackResourceDrifts", drifts)])
}
