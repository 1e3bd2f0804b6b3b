//! What programs read: one object per line, each with a `type`; keys in kebab-case. Pure.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::plan::Context;
use super::purge::expected_seconds;
use crate::deploy::event::Event;
use crate::edge::Cover;
use crate::error::Error;
use crate::plan::{Action, Change, Plan, TargetPurge};

/// The event as an object; `None` for those that only say how far something got.
pub fn event(event: &Event) -> Option<Value> {
    Some(match event {
        Event::Scanned { files, bytes } => {
            json!({"type": "scanned", "files": files, "bytes": bytes})
        }
        Event::ListingEnded(objects) => json!({"type": "listed", "objects": objects}),
        Event::Warned(message) => warning(message),
        Event::Planned(plan) => tagged("planned", totals(plan)),
        Event::LockAwaited {
            who,
            until,
            waited,
            patience,
        } => json!({
            "type": "lock-awaited", "holder": who, "until": until,
            "waited-seconds": waited.as_secs_f64(), "patience-seconds": patience.as_secs_f64(),
        }),
        Event::Changed {
            key,
            action,
            reason,
            bytes,
        } => {
            let mut told = action_words(action);
            told.extend(object(
                json!({"key": key, "reason": reason, "bytes": bytes}),
            ));
            tagged("changed", told)
        }
        Event::Deleted { key } => json!({"type": "deleted", "key": key}),
        Event::PlannedAgain(why) => json!({"type": "planned-again", "why": why}),
        Event::PurgeAccepted {
            target,
            invalidation,
            paths,
        } => json!({
            "type": "purge-accepted", "target": target, "invalidation": invalidation, "paths": paths,
        }),
        Event::PurgePaced { target, why, wait } => json!({
            "type": "purge-paced", "target": target, "why": why, "wait-seconds": wait.as_secs_f64(),
        }),
        Event::PurgeCompleted {
            target,
            invalidation,
            elapsed,
        } => json!({
            "type": "purge-completed", "target": target, "invalidation": invalidation,
            "seconds": elapsed.as_secs_f64(),
        }),
        Event::Interrupted => json!({"type": "interrupted"}),
        Event::Ended(summary) => tagged("summary", object(value(summary))),
        _ => return None,
    })
}

/// The plan: `change`, `delete`, `foreign` and `purge` objects, warnings, and the `summary` last.
pub fn plan(plan: &Plan, context: &Context) -> Vec<Value> {
    let mut lines: Vec<Value> = plan.changes.iter().map(change).collect();
    lines.extend(
        plan.deletions
            .iter()
            .map(|deletion| tagged("delete", object(value(deletion)))),
    );
    lines.extend(
        plan.foreign
            .iter()
            .map(|key| json!({"type": "foreign", "key": key})),
    );
    lines.extend(plan.purges.iter().flat_map(purges));
    lines.extend(plan.warnings.iter().map(|message| warning(message)));
    let mut last = object(json!({
        "outcome": if plan.is_empty() { "nothing-to-do" } else { "planned" },
        "bucket": context.bucket, "prefix": context.prefix, "free-paths-left": context.free_left,
    }));
    last.extend(totals(plan));
    lines.push(tagged("summary", last));
    lines
}

pub fn warning(message: &str) -> Value {
    json!({"type": "warning", "message": message})
}

pub fn error(error: &Error) -> Value {
    json!({
        "type": "error", "message": error.message, "causes": error.causes, "hint": error.hint,
        "exit": error.exit as i32,
    })
}

fn change(change: &Change) -> Value {
    let mut told = action_words(&change.action);
    told.extend(object(json!({
        "key": change.key, "reason": change.reason, "size": change.size, "md5": change.md5,
        "headers": change.headers,
    })));
    tagged("change", told)
}

/// `action`, with `from` or `version` where it has one.
fn action_words(action: &Action) -> Map<String, Value> {
    object(match action {
        Action::Upload => json!({"action": "upload"}),
        Action::SetHeaders => json!({"action": "set-headers"}),
        Action::CopyFrom { key, .. } => json!({"action": "copy", "from": key}),
        Action::Restore { version, .. } => json!({"action": "restore", "version": version}),
    })
}

fn purges(one: &TargetPurge) -> Vec<Value> {
    let told = |phase: &str, cover: &Cover, exact: &Cover, all: &Cover| {
        let paths: Vec<Value> = cover.patterns.iter().map(|pattern| json!({
            "path": pattern.text, "changed": pattern.changed, "unchanged": pattern.unchanged,
            "needless-weight": pattern.needless,
        })).collect();
        let mut object = object(cost(cover));
        object.insert("target".to_owned(), json!(one.target));
        object.insert("phase".to_owned(), json!(phase));
        object.insert("patterns".to_owned(), json!(paths));
        object.insert(
            "expected-seconds".to_owned(),
            json!(expected_seconds(cover)),
        );
        object.insert(
            "instead".to_owned(),
            json!({"exact": cost(exact), "all": cost(all)}),
        );
        tagged("purge", object)
    };
    let phases = [("changed", &one.purge), ("removed-assets", &one.after)];
    let owed = phases
        .into_iter()
        .filter(|(_, purge)| !purge.cover.patterns.is_empty());
    owed.map(|(phase, it)| told(phase, &it.cover, &it.exact, &it.all))
        .collect()
}

fn cost(cover: &Cover) -> Value {
    json!({
        "paths": cover.paths(), "wildcards": cover.wildcards, "free-paths": cover.free,
        "unchanged": cover.unchanged(), "cost-usd": cover.path_cost.dollars(),
        "refetch-cost-usd": cover.refetch_cost.dollars(),
    })
}

fn totals(plan: &Plan) -> Map<String, Value> {
    let uploads = plan
        .changes
        .iter()
        .filter(|it| it.action == Action::Upload)
        .count();
    let covers = || {
        plan.purges
            .iter()
            .flat_map(|one| [&one.purge.cover, &one.after.cover])
    };
    let paths: u64 = covers().map(Cover::paths).sum();
    let cost: crate::edge::Money = covers().map(|cover| cover.path_cost).sum();
    let reasons: Map<String, Value> = plan
        .counts()
        .into_iter()
        .map(|(reason, number)| (reason.word().to_owned(), json!(number)))
        .collect();
    object(json!({
        "uploads": uploads, "upload-bytes": plan.upload_bytes(),
        "copies": plan.changes.len() - uploads, "deletes": plan.deletions.len(),
        "reasons": reasons,
        "unchanged": plan.unchanged, "unchanged-bytes": plan.unchanged_bytes,
        "retained": plan.retained.len(), "due": plan.due, "kept": plan.kept,
        "foreign": plan.foreign.len(), "adopted": plan.adopted.len(), "vanished": plan.vanished.len(),
        "debts": plan.debts, "paths": paths, "cost-usd": cost.dollars(),
    }))
}

fn value(of: &impl Serialize) -> Value {
    // Plain structs of text and numbers: serializing them cannot fail.
    serde_json::to_value(of).unwrap_or_default()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn tagged(kind: &str, mut object: Map<String, Value>) -> Value {
    object.insert("type".to_owned(), json!(kind));
    Value::Object(object)
}
