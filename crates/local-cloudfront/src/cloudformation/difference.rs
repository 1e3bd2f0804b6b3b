//! What a change set says: how a wish differs from what a stack is.

use std::collections::BTreeSet;

use serde_json::Value;

use super::drift::compare;
use super::schema;
use super::stack::{Change, ChangeDetail, Resource, Stack, Wish};
use super::template::{Template, references, resolve, text};

/// Attributes of resources besides their properties.
const ATTRIBUTES: [&str; 3] = ["DeletionPolicy", "UpdateReplacePolicy", "Metadata"];

/// The changes that bring a stack to a wish: what is made or changed in the order of its making, then what goes.
pub(crate) fn changes(stack: &Stack, wish: &Wish) -> Vec<Change> {
    let (old, new) = (stack.wish.template(), wish.template());
    let order = new.order().unwrap_or_default();
    let mut replaced = BTreeSet::new();
    let mut changes = Vec::new();
    for id in &order {
        let Some(known) = stack.resources.get(id).filter(|known| known.is_there()) else {
            changes.push(change("Add", id, new.kind(id)));
            continue;
        };
        let mut details = property_details(stack, (wish, &new), (id, known));
        let refers = references(&new.properties(id));
        details.extend(
            refers
                .intersection(&replaced)
                .map(|name: &String| ChangeDetail {
                    attribute: "Properties".to_owned(),
                    name: name.clone(),
                    path: format!("/Properties/{name}"),
                    recreation: "Conditionally".to_owned(),
                    before: None,
                    after: None,
                }),
        );
        details.extend(attribute_details(&old, &new, id));
        if details.is_empty() {
            continue;
        }
        let replacement = if details.iter().any(|detail| detail.recreation == "Always") {
            "True"
        } else {
            "False"
        };
        if replacement == "True" {
            replaced.insert(id.clone());
        }
        changes.push(Change {
            physical_id: known.physical_id.clone(),
            replacement: replacement.to_owned(),
            details,
            ..change("Modify", id, new.kind(id))
        });
    }
    let gone = stack.resources.iter().filter(|(id, _)| !order.contains(id));
    let gone = gone.filter(|(_, known)| known.is_there());
    changes.extend(gone.map(|(id, known)| {
        let keeps = old.attribute(id, "DeletionPolicy").starts_with("Retain");
        let policy = if keeps { "Retain" } else { "Delete" };
        Change {
            physical_id: known.physical_id.clone(),
            policy: policy.to_owned(),
            ..change("Remove", id, &known.kind)
        }
    }));
    changes
}

/// Whether the outputs differ, which is a change too.
pub(crate) fn has_other_outputs(stack: &Stack, wish: &Wish) -> bool {
    stack.wish.template().outputs != wish.template().outputs
}

fn change(action: &str, id: &str, kind: &str) -> Change {
    Change {
        action: action.to_owned(),
        id: id.to_owned(),
        physical_id: String::new(),
        kind: kind.to_owned(),
        replacement: String::new(),
        policy: String::new(),
        details: Vec::new(),
    }
}

fn property_details(
    stack: &Stack,
    (wish, new): (&Wish, &Template),
    (id, known): (&str, &Resource),
) -> Vec<ChangeDetail> {
    let lookup = |name: &str, attribute: Option<&str>| stack.lookup(wish, name, attribute);
    let after = resolve(&new.properties(id), &lookup);
    let names = |value: &Value| -> BTreeSet<String> {
        let object = value.as_object();
        object
            .into_iter()
            .flat_map(|all| all.keys().cloned())
            .collect()
    };
    let replacing = schema::kind(&known.kind).map_or(&[][..], |kind| kind.replacing);
    let all = &names(&known.properties) | &names(&after);
    let all = all.into_iter().flat_map(|name| {
        let value = |of: &Value| of.get(&name).cloned().unwrap_or_default();
        let (before, after) = (value(&known.properties), value(&after));
        let mut leaves = Vec::new();
        if before != after {
            let path = format!("/Properties/{name}");
            compare(&path, (&before, &after), &mut leaves);
        }
        let recreation = if replacing.contains(&name.as_str()) {
            "Always"
        } else {
            "Never"
        };
        let there = |value: &Value| (!value.is_null()).then(|| text(value));
        let details = leaves
            .into_iter()
            .map(|(path, before, after)| ChangeDetail {
                attribute: "Properties".to_owned(),
                recreation: recreation.to_owned(),
                before: there(&before),
                after: there(&after),
                name: name.clone(),
                path,
            });
        details.collect::<Vec<_>>()
    });
    all.collect()
}

fn attribute_details(old: &Template, new: &Template, id: &str) -> Vec<ChangeDetail> {
    let value = |template: &Template, name: &str| {
        let resource = template.resources.get(id);
        resource.and_then(|resource| resource.get(name)).map(text)
    };
    let changed = ATTRIBUTES.into_iter().filter_map(|name| {
        let (before, after) = (value(old, name), value(new, name));
        (before != after).then(|| ChangeDetail {
            attribute: name.to_owned(),
            name: String::new(),
            path: String::new(),
            recreation: "Never".to_owned(),
            before,
            after,
        })
    });
    changed.collect()
}
