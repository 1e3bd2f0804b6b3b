//! What CloudFormation answers of stacks, their events and their resources.

use std::collections::BTreeMap;

use serde_json::Value;

use super::stack::{Change, ChangeDetail, Resource, ResourceDrift, Stack, StackEvent};
use crate::clock::iso_date;
use crate::xml::{Element, leaf, node};

/// A leaf, unless it is empty.
fn some(name: &str, text: &str) -> Option<Element> {
    (!text.is_empty()).then(|| leaf(name, text))
}

pub(super) fn tags(tags: &BTreeMap<String, String>) -> Element {
    let tags = tags.iter();
    node(
        "Tags",
        tags.map(|(key, value)| node("member", [leaf("Key", key), leaf("Value", value)])),
    )
}

pub(super) fn stack(stack: &Stack) -> Element {
    let mut parts = vec![
        leaf("StackId", &stack.id),
        leaf("StackName", &stack.name),
        leaf("CreationTime", iso_date(stack.created)),
        leaf("StackStatus", &stack.status),
        leaf("DisableRollback", false),
        leaf("EnableTerminationProtection", false),
    ];
    parts.extend(some("StackStatusReason", &stack.reason));
    let updated = stack.updated.map(iso_date);
    parts.extend(updated.map(|time| leaf("LastUpdatedTime", time)));
    let sets = stack.change_sets.iter();
    let executed = sets.filter(|set| set.execution.starts_with("EXECUTE"));
    parts.extend(executed.map(|set| leaf("ChangeSetId", &set.id)));
    let parameters = stack.wish.parameters.iter().map(|(key, value)| {
        node(
            "member",
            [leaf("ParameterKey", key), leaf("ParameterValue", value)],
        )
    });
    parts.push(node("Parameters", parameters));
    let capabilities = stack.wish.capabilities.iter();
    parts.push(node(
        "Capabilities",
        capabilities.map(|name| leaf("member", name)),
    ));
    let outputs = stack.outputs().into_iter().map(|(key, value, said)| {
        let output = [leaf("OutputKey", key), leaf("OutputValue", value)];
        node(
            "member",
            output.into_iter().chain(some("Description", &said)),
        )
    });
    parts.push(node("Outputs", outputs));
    parts.push(tags(&stack.wish.tags));
    let drift = stack
        .drift
        .as_ref()
        .map_or("NOT_CHECKED", super::drift::status);
    let mut said = vec![leaf("StackDriftStatus", drift)];
    let checked = stack.drift.as_ref();
    said.extend(checked.map(|drift| leaf("LastCheckTimestamp", iso_date(drift.at))));
    parts.push(node("DriftInformation", said));
    node("member", parts)
}

pub(super) fn event(stack: &Stack, event: &StackEvent) -> Element {
    let logical_id = match event.logical_id.as_str() {
        "" => &stack.name,
        id => id,
    };
    let mut parts = vec![
        leaf("StackId", &stack.id),
        leaf("EventId", &event.id),
        leaf("StackName", &stack.name),
        leaf("LogicalResourceId", logical_id),
        leaf("PhysicalResourceId", &event.physical_id),
        leaf("ResourceType", &event.kind),
        leaf("Timestamp", iso_date(event.at)),
        leaf("ResourceStatus", &event.status),
    ];
    parts.extend(some("ResourceStatusReason", &event.reason));
    parts.extend(some("ClientRequestToken", &event.token));
    node("member", parts)
}

/// A resource under the name that its list gives to its time.
pub(super) fn resource(stack: &Stack, (id, resource): (&String, &Resource), time: &str) -> Element {
    let mut parts = vec![
        leaf("StackId", &stack.id),
        leaf("StackName", &stack.name),
        leaf("LogicalResourceId", id),
        leaf("ResourceType", &resource.kind),
        leaf("ResourceStatus", &resource.status),
        leaf(time, iso_date(resource.at.unwrap_or(stack.created))),
    ];
    parts.extend(some("PhysicalResourceId", &resource.physical_id));
    parts.extend(some("ResourceStatusReason", &resource.reason));
    node("member", parts)
}

pub(super) fn change(change: &Change, has_values: bool) -> Element {
    let mut parts = vec![
        leaf("Action", &change.action),
        leaf("LogicalResourceId", &change.id),
        leaf("ResourceType", &change.kind),
    ];
    parts.extend(some("PhysicalResourceId", &change.physical_id));
    parts.extend(some("Replacement", &change.replacement));
    parts.extend(some("PolicyAction", &change.policy));
    let mut scope: Vec<&str> = Vec::new();
    for detail in &change.details {
        if !scope.contains(&detail.attribute.as_str()) {
            scope.push(&detail.attribute);
        }
    }
    parts.push(node("Scope", scope.iter().map(|name| leaf("member", name))));
    let details = change.details.iter().map(|one| detail(one, has_values));
    parts.push(node("Details", details));
    node("ResourceChange", parts)
}

fn detail(detail: &ChangeDetail, has_values: bool) -> Element {
    let mut target = vec![
        leaf("Attribute", &detail.attribute),
        leaf("RequiresRecreation", &detail.recreation),
    ];
    if !detail.name.is_empty() {
        target.push(leaf("Name", &detail.name));
        target.push(leaf("Path", &detail.path));
    }
    let kind = match (&detail.before, &detail.after) {
        (None, Some(_)) => "Add",
        (Some(_), None) => "Remove",
        _ => "Modify",
    };
    target.push(leaf("AttributeChangeType", kind));
    if has_values {
        target.extend(detail.before.iter().map(|text| leaf("BeforeValue", text)));
        target.extend(detail.after.iter().map(|text| leaf("AfterValue", text)));
    }
    let is_certain = detail.recreation != "Conditionally";
    let evaluation = if is_certain { "Static" } else { "Dynamic" };
    let source = if is_certain {
        "DirectModification"
    } else {
        "ResourceReference"
    };
    node(
        "member",
        [
            node("Target", target),
            leaf("Evaluation", evaluation),
            leaf("ChangeSource", source),
        ],
    )
}

pub(super) fn drift(stack: &Stack, drift: &ResourceDrift) -> Element {
    let known = stack.resources.get(&drift.id);
    let known = known.cloned().unwrap_or_default();
    let text = |value: &Value| super::template::text(value);
    let differences = drift.differences.iter().map(|(path, expected, actual)| {
        let kind = match (expected, actual) {
            (Value::Null, _) => "ADD",
            (_, Value::Null) => "REMOVE",
            _ => "NOT_EQUAL",
        };
        node(
            "member",
            [
                leaf("PropertyPath", path),
                leaf("ExpectedValue", text(expected)),
                leaf("ActualValue", text(actual)),
                leaf("DifferenceType", kind),
            ],
        )
    });
    let time = stack.drift.as_ref().map_or(stack.created, |drift| drift.at);
    node(
        "member",
        [
            leaf("StackId", &stack.id),
            leaf("LogicalResourceId", &drift.id),
            leaf("PhysicalResourceId", &known.physical_id),
            leaf("ResourceType", &known.kind),
            leaf("ExpectedProperties", &drift.expected),
            leaf("ActualProperties", &drift.actual),
            node("PropertyDifferences", differences),
            leaf("StackResourceDriftStatus", &drift.status),
            leaf("Timestamp", iso_date(time)),
        ],
    )
}
