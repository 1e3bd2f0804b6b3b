//! What happens in a deploy, told to people and programs. Pure.

use std::time::Duration;

use serde_json::{Value, json};

use super::changes;
use super::error::warning_json;
use super::json::{merged, typed};
use super::left_out;
use super::text::{bytes, count as number, counted, duration, shown, ticking};
use crate::job::DeployEvent;
use crate::plan::{ChangeAction, Reason};

/// Returns what is said once, in CI.
pub(super) fn milestone(event: &DeployEvent) -> Option<String> {
    Some(match event {
        DeployEvent::Scanned { files, bytes: size } => {
            let files = counted(*files, "file");
            format!("Read the build: {files}, {}", bytes(*size))
        }
        DeployEvent::ListingEnded(objects) => {
            format!("Listed the bucket: {}", counted(*objects, "object"))
        }
        DeployEvent::Planned(plan) if plan.changes.is_empty() && plan.deletions.is_empty() => {
            return None;
        }
        DeployEvent::Planned(plan) => format!("To do: {}", changes::totals(plan).join(" · ")),
        DeployEvent::LockAwaited { who, ends_in, .. } => format!(
            "Waiting for {}; its lease ends in {}",
            shown(who),
            ticking(*ends_in)
        ),
        DeployEvent::PurgeAccepted {
            target,
            invalidation,
            paths,
        } => {
            let paths = counted(paths.len() as u64, "path");
            let (target, invalidation) = (shown(target), shown(invalidation));
            format!("Purging {paths} of {target} as {invalidation}")
        }
        DeployEvent::PurgePaced { target, why, wait } => {
            let (target, wait) = (shown(target), duration(*wait));
            format!("The purge of {target} goes on in {wait}: {}", shown(why))
        }
        DeployEvent::PurgeCompleted {
            invalidation,
            elapsed,
            ..
        } => {
            let invalidation = shown(invalidation);
            format!("{invalidation} completed after {}", duration(*elapsed))
        }
        _ => return None,
    })
}

/// Returns what CloudFront is waited for, and for how long already.
pub(super) fn awaited(event: &DeployEvent) -> Option<(String, Duration)> {
    match event {
        DeployEvent::PurgeAwaited {
            invalidation,
            elapsed,
            ..
        } => {
            let invalidation = shown(invalidation);
            let text = format!("Waiting for CloudFront to complete {invalidation}");
            Some((text, *elapsed))
        }
        DeployEvent::DeploymentAwaited { target, elapsed } => {
            let target = shown(target);
            let text = format!("Waiting until all edges know how {target} is configured");
            Some((text, *elapsed))
        }
        _ => None,
    }
}

/// Returns what is said even above bars.
pub(super) fn notable(event: &DeployEvent) -> Option<String> {
    Some(match event {
        DeployEvent::LeftOut(paths) => left_out::text(paths),
        DeployEvent::PlannedAgain(why) => format!("Planning again: {}", shown(why)),
        DeployEvent::FunctionPublished { name } => {
            format!("Published the function {}", shown(name))
        }
        DeployEvent::FunctionAssociated { name, target } => {
            let (name, target) = (shown(name), shown(target));
            format!("Associated the function {name} with {target}")
        }
        DeployEvent::HeadersPolicyWritten { name } => {
            format!(
                "Wrote the headers policy {}: viewers get it without a purge",
                shown(name)
            )
        }
        DeployEvent::HeadersPolicyAssociated { target } => {
            format!("Changed the headers policies of {}", shown(target))
        }
        DeployEvent::FunctionTakenOff { name, target } => {
            let (name, target) = (shown(name), shown(target));
            format!(
                "Took the function {name} off {target}: if nothing else runs it, it may be deleted"
            )
        }
        DeployEvent::StoreWritten { name, count } => {
            let entries = if *count == 1 { "entry" } else { "entries" };
            let (name, count) = (shown(name), number(*count));
            format!("Changed {count} {entries} of the key value store {name}")
        }
        _ => return None,
    })
}

/// Returns what is said of single objects with `--verbose`.
pub(super) fn detail(event: &DeployEvent) -> Option<String> {
    let line = |done: &str, name: &str, why: &str| format!("{done:<12}{}{why}", shown(name));
    let lines = |done: &str, names: &[String]| {
        let lines: Vec<String> = names.iter().map(|name| line(done, name, "")).collect();
        lines.join("\n")
    };
    match event {
        DeployEvent::Changed {
            key,
            action,
            reason,
            bytes: size,
        } => {
            let done = match action {
                ChangeAction::Upload => "uploaded",
                ChangeAction::SetHeaders => "headers set",
                ChangeAction::CopyFrom { .. } => "copied",
                ChangeAction::Restore { .. } => "restored",
            };
            let why = match (action, reason) {
                (ChangeAction::Upload, _) => format!("  ({}, {})", bytes(*size), reason.word()),
                (ChangeAction::SetHeaders, Reason::Headers) => String::new(),
                (_, reason) => format!("  ({})", reason.word()),
            };
            Some(line(done, key.as_str(), &why))
        }
        DeployEvent::LeftOut(paths) => Some(lines("left out", paths)),
        DeployEvent::Deleted { key } => Some(line("deleted", key.as_str(), "")),
        DeployEvent::PurgeAccepted { paths, .. } => Some(lines("purge", paths)),
        _ => None,
    }
}

/// Returns the event as an object; `None` for those that only say how far something got, and the last, which is a summary.
pub(super) fn json(event: &DeployEvent) -> Option<Value> {
    Some(match event {
        DeployEvent::Scanned { files, bytes } => {
            json!({"type": "scanned", "files": files, "bytes": bytes})
        }
        DeployEvent::LeftOut(paths) => json!({"type": "left-out", "paths": paths}),
        DeployEvent::ListingEnded(objects) => json!({"type": "listed", "objects": objects}),
        DeployEvent::Warned(message) => warning_json(message),
        DeployEvent::Planned(plan) => typed("planned", changes::totals_json(plan)),
        DeployEvent::LockAwaited {
            who,
            until,
            ends_in,
            waited,
            patience,
        } => json!({
            "type": "lock-awaited", "holder": who, "until": until, "ends-in-seconds": ends_in.as_secs(),
            "waited-seconds": waited.as_secs_f64(), "patience-seconds": patience.as_secs_f64(),
        }),
        DeployEvent::Changed {
            key,
            action,
            reason,
            bytes,
        } => merged(
            json!({"type": "changed", "key": key, "reason": reason, "bytes": bytes}),
            changes::action_json(action),
        ),
        DeployEvent::Deleted { key } => json!({"type": "deleted", "key": key}),
        DeployEvent::FunctionPublished { name } => {
            json!({"type": "function-published", "name": name})
        }
        DeployEvent::FunctionAssociated { name, target } => {
            json!({"type": "function-associated", "name": name, "target": target})
        }
        DeployEvent::FunctionTakenOff { name, target } => {
            json!({"type": "function-taken-off", "name": name, "target": target})
        }
        DeployEvent::HeadersPolicyWritten { name } => {
            json!({"type": "headers-policy-written", "name": name})
        }
        DeployEvent::HeadersPolicyAssociated { target } => {
            json!({"type": "headers-policy-associated", "target": target})
        }
        DeployEvent::StoreWritten { name, count } => {
            json!({"type": "store-written", "name": name, "entries": count})
        }
        DeployEvent::PlannedAgain(why) => json!({"type": "planned-again", "why": why}),
        DeployEvent::PurgeAccepted {
            target,
            invalidation,
            paths,
        } => json!({
            "type": "purge-accepted", "target": target, "invalidation": invalidation, "paths": paths,
        }),
        DeployEvent::PurgePaced { target, why, wait } => json!({
            "type": "purge-paced", "target": target, "why": why, "wait-seconds": wait.as_secs_f64(),
        }),
        DeployEvent::PurgeCompleted {
            target,
            invalidation,
            elapsed,
        } => json!({
            "type": "purge-completed", "target": target, "invalidation": invalidation,
            "seconds": elapsed.as_secs_f64(),
        }),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn changed(bytes: u64) -> DeployEvent {
        DeployEvent::Changed {
            key: "a\n.html".into(),
            action: ChangeAction::Upload,
            reason: Reason::New,
            bytes,
        }
    }

    #[test]
    fn single_objects_are_told_with_their_reason() {
        assert_eq!(
            detail(&changed(4200)).as_deref(),
            Some("uploaded    a\\n.html  (4.2 kB, new)")
        );
        let deleted = DeployEvent::Deleted { key: "a\nb".into() };
        assert_eq!(detail(&deleted).as_deref(), Some("deleted     a\\nb"));
        assert_eq!(detail(&DeployEvent::Listed(3)), None);
    }

    #[test]
    fn events_that_matter_are_objects() {
        let completed = DeployEvent::PurgeCompleted {
            target: "E1".to_owned(),
            invalidation: "I1".to_owned(),
            elapsed: Duration::from_millis(1500),
        };
        for (event, object) in [
            (DeployEvent::Walked(3), Value::Null),
            (
                DeployEvent::Scanned { files: 3, bytes: 4 },
                json!({"type": "scanned", "files": 3, "bytes": 4}),
            ),
            (
                changed(1),
                json!({"type": "changed", "key": "a\n.html", "action": "upload", "reason": "new", "bytes": 1}),
            ),
            (
                completed,
                json!({"type": "purge-completed", "target": "E1", "invalidation": "I1", "seconds": 1.5}),
            ),
        ] {
            assert_eq!(json(&event).unwrap_or_default(), object);
        }
    }
}
