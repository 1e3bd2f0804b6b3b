//! What programs read: one object per line, each with a `type`; keys in kebab-case. Pure.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::plan::Context;
use super::purge::{expected_seconds, refetch_cost};
use crate::deploy::event::Event;
use crate::edge::{Cover, Explanation};
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
        Event::FunctionPublished { name } => json!({"type": "function-published", "name": name}),
        Event::FunctionAssociated { name, target } => {
            json!({"type": "function-associated", "name": name, "target": target})
        }
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

/// The plan: `change`, `delete`, `foreign`, `function` and `purge` objects, and the `summary` last; its warnings are told before.
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
    let function = plan.function.iter();
    lines.extend(function.map(|change| tagged("function", object(value(change)))));
    lines.extend(plan.purges.iter().flat_map(purges));
    let mut last = object(json!({
        "outcome": if plan.is_empty() { "nothing to do" } else { "planned" },
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

/// Why a URL is purged or not.
pub fn explanation(target: &str, it: &Explanation) -> Value {
    let owed = it.reason.as_ref().map(ToString::to_string);
    json!({
        "type": "explanation", "target": target, "path": it.path,
        "purged-by": it.pattern.as_ref().map(|pattern| &pattern.text),
        "tag-of": it.pattern.as_ref().and_then(|pattern| Some(&pattern.tag.as_ref()?.of)),
        "owed-because": owed, "spared-because": it.spared.map(|why| why.to_string()),
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
        let paths: Vec<Value> = cover
            .patterns
            .iter()
            .map(|pattern| {
                json!({
                    "path": pattern.text, "tag-of": pattern.tag.as_ref().map(|tag| &tag.of),
                    "changed": pattern.changed, "unchanged": pattern.unchanged,
                    "needless-weight": pattern.needless,
                            "refetch-cost-usd": refetch_cost(cover, pattern).dollars(),
                })
            })
            .collect();
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
        "retained": plan.retained.len(), "due": plan.due, "kept": plan.kept, "noise": plan.noisy,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::event::Summary;
    use std::collections::BTreeSet;
    use std::time::Duration;

    #[test]
    fn a_plan_is_a_line_for_each_thing_and_the_summary_last() {
        let small = super::super::plan::tests::small();
        let lines = plan(&small, &Context::default());
        let kinds: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.get("type")?.as_str())
            .collect();
        let expected = [
            vec!["change"; 5],
            vec!["delete"],
            vec!["foreign"; 4],
            vec!["purge"; 2],
            vec!["summary"],
        ];
        assert_eq!(kinds, expected.concat());
        let last = lines.last().cloned().unwrap_or_default();
        for (name, value) in [
            ("outcome", json!("planned")),
            ("uploads", json!(3)),
            ("upload-bytes", json!(1_216_200)),
            ("copies", json!(2)),
            ("deletes", json!(1)),
            ("paths", json!(3)),
            ("cost-usd", json!(0.005)),
            (
                "reasons",
                json!({"new": 2, "content": 2, "headers": 1, "removed": 1}),
            ),
        ] {
            assert_eq!(last.get(name), Some(&value), "{name}");
        }
        let copied = lines
            .iter()
            .find(|line| line["key"] == "img/b.png")
            .cloned()
            .unwrap_or_default();
        assert_eq!(
            (&copied["action"], &copied["from"]),
            (&json!("copy"), &json!("img/a.png"))
        );
    }

    #[test]
    fn events_that_matter_are_told() {
        let (target, invalidation) = ("E1".to_owned(), "I1".to_owned());
        for (told, expected) in [
            (Event::Walked(3), None),
            (Event::BytesSent(3), None),
            (
                Event::Scanned { files: 3, bytes: 4 },
                Some(json!({"type": "scanned", "files": 3, "bytes": 4})),
            ),
            (
                Event::Changed {
                    key: "a\n".into(),
                    action: Action::Upload,
                    reason: crate::plan::Reason::New,
                    bytes: 1,
                },
                Some(
                    json!({"type": "changed", "key": "a\n", "action": "upload", "reason": "new", "bytes": 1}),
                ),
            ),
            (
                Event::PurgeCompleted {
                    target,
                    invalidation,
                    elapsed: Duration::from_millis(1500),
                },
                Some(
                    json!({"type": "purge-completed", "target": "E1", "invalidation": "I1", "seconds": 1.5}),
                ),
            ),
        ] {
            assert_eq!(event(&told), expected);
        }
        let ended = event(&Event::Ended(Summary {
            bucket: "b".to_owned(),
            ..Summary::default()
        }));
        let ended = ended.unwrap_or_default();
        assert_eq!(
            (&ended["type"], &ended["uploaded-bytes"]),
            (&json!("summary"), &json!(0))
        );
    }

    #[test]
    fn an_error_tells_how_the_process_ends() {
        let told = error(&Error::usage("bad").because("why").hint("do"));
        let expected =
            json!({"type": "error", "message": "bad", "causes": ["why"], "hint": "do", "exit": 2});
        assert_eq!(told, expected);
    }

    /// Names of every object's keys, in depth, except reasons and headers.
    fn names(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    found.insert(name.clone());
                    names(value, found);
                }
            }
            Value::Array(all) => all.iter().for_each(|value| names(value, found)),
            _ => {}
        }
    }

    #[test]
    fn names_are_in_kebab_case() {
        let small = super::super::plan::tests::small();
        let mut found = BTreeSet::new();
        plan(&small, &Context::default())
            .iter()
            .for_each(|line| names(line, &mut found));
        names(
            &event(&Event::Ended(Summary::default())).unwrap_or_default(),
            &mut found,
        );
        let odd = |name: &&String| {
            !name
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        assert_eq!(
            found.iter().filter(odd).collect::<Vec<_>>(),
            Vec::<&String>::new()
        );
        assert!(found.contains("refetch-cost-usd"));
    }
}
