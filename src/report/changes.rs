//! The objects that a plan changes and deletes, and what they come to. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::json::merged;
use super::options::TextLook;
use super::text::{Paint, bytes, columns, count, elided, padded, shown};
use crate::edge::Money;
use crate::plan::{Change, ChangeAction, DistributionPurge, PastContent, Plan, Reason};

/// Changes shown where not all are asked for.
const MAX_CHANGES: usize = 30;

/// An object that is changed or deleted.
pub(super) struct ChangeRow<'a> {
    pub(super) key: &'a str,
    pub(super) reason: Reason,
    pub(super) size: u64,
    /// None where it is deleted.
    pub(super) action: Option<&'a ChangeAction>,
    /// The reason's word, and what else is to be said.
    pub(super) why: String,
}

impl<'a> ChangeRow<'a> {
    /// Returns what changes, then what is deleted.
    pub(super) fn all(plan: &'a Plan) -> impl Iterator<Item = Self> {
        let changes = plan.changes.iter();
        let deleted = plan.deletions.iter().map(|deletion| Self {
            key: deletion.key.as_str(),
            reason: Reason::Removed,
            size: deletion.size,
            action: None,
            why: Reason::Removed.word().to_owned(),
        });
        changes.map(|change| Self::of(change, plan)).chain(deleted)
    }

    fn of(change: &'a Change, plan: &Plan) -> Self {
        let mut why = change.reason.word().to_owned();
        if let Some(doubt) = plan.doubts.get(&change.key) {
            why.push_str(&format!("; fingerprinted: no, {}", shown(doubt)));
        }
        let from = match &change.action {
            ChangeAction::Upload | ChangeAction::SetHeaders => None,
            ChangeAction::CopyFrom { key, .. } => Some(shown(key.as_str())),
            ChangeAction::Restore { from, .. } => Some(match from {
                PastContent::Version(_) => "an earlier version".to_owned(),
                PastContent::Kept(_) => "what was kept".to_owned(),
            }),
        };
        let from = from.map(|from| format!(", copied from {from}"));
        why.push_str(&from.unwrap_or_default());
        Self {
            key: change.key.as_str(),
            reason: change.reason,
            size: change.size,
            action: Some(&change.action),
            why,
        }
    }

    fn line(&self, key_width: usize, why_width: usize, paint: Paint) -> String {
        let sign = match (self.action, self.reason) {
            (None, _) => paint.red("-"),
            (_, Reason::New) => paint.green("+"),
            (Some(ChangeAction::SetHeaders), _) => paint.cyan("="),
            _ => paint.yellow("~"),
        };
        let key = padded(&elided(&shown(self.key), key_width), key_width);
        let size = match self.action {
            Some(ChangeAction::Upload) => bytes(self.size),
            _ => String::new(),
        };
        let why = elided(&self.why, why_width);
        format!("  {sign} {key}  {size:>8}  {why}")
    }
}

/// Lists the changes by reason and key: some of each reason where they are many and not all are asked for.
pub(super) fn list(plan: &Plan, look: TextLook) -> Option<String> {
    let (rows, left_out) = rows(plan, look.most(MAX_CHANGES));
    let key = rows.iter().map(|row| columns(&shown(row.key))).max()?;
    let why = rows.iter().map(|row| columns(&row.why)).max()?;
    // Sign, size and gaps take 16; a long key leaves at least 20 to the reason, and a long reason 20 to the key.
    let room = look.width.saturating_sub(16);
    let key_width = key.min(room.saturating_sub(why).max(20));
    let why_width = room.saturating_sub(key_width).max(20);
    let line = |row: &ChangeRow| row.line(key_width, why_width, look.paint);
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.extend(more(left_out, look));
    Some(lines.join("\n"))
}

/// Says that so many lines are left out.
pub(super) fn more(left_out: usize, look: TextLook) -> Option<String> {
    let number = count(left_out as u64);
    let text = format!("  ... and {number} more (--verbose shows all)");
    (left_out > 0).then(|| look.paint.dim(&text))
}

/// Returns the rows to show, `most` at most, and how many are left out.
fn rows<'a>(plan: &'a Plan, most: usize) -> (Vec<ChangeRow<'a>>, usize) {
    let mut rows: Vec<ChangeRow> = ChangeRow::all(plan).collect();
    rows.sort_by_key(|row| (row.reason, row.key));
    let left_out = rows.len().saturating_sub(most);
    if left_out > 0 {
        // The reasons take turns.
        let mut turns = BTreeMap::new();
        let turn = |row: ChangeRow<'a>| {
            let turn: &mut usize = turns.entry(row.reason).or_default();
            *turn += 1;
            (*turn, row)
        };
        let mut in_turn: Vec<(usize, ChangeRow)> = rows.into_iter().map(turn).collect();
        in_turn.sort_by_key(|(turn, row)| (*turn, row.reason));
        in_turn.truncate(most);
        rows = in_turn.into_iter().map(|(_, row)| row).collect();
        rows.sort_by_key(|row| (row.reason, row.key));
    }
    (rows, left_out)
}

/// Writes `12 to upload (1.3 MB): 1 new, 11 content`, `1 to delete`, ...: what there is none of is left out.
pub(super) fn totals(plan: &Plan) -> Vec<String> {
    let (uploads, copies) = uploads_and_copies(plan);
    let mut parts = Vec::new();
    if !uploads.is_empty() {
        let (number, size) = (count(uploads.len() as u64), bytes(plan.upload_bytes()));
        let reasons = by_reason(&uploads);
        parts.push(format!("{number} to upload ({size}): {reasons}"));
    }
    if !copies.is_empty() {
        let (number, reasons) = (count(copies.len() as u64), by_reason(&copies));
        parts.push(format!("{number} to copy ({reasons})"));
    }
    for (number, what) in [
        (plan.deletions.len(), "to delete"),
        (plan.unchanged, "unchanged"),
    ] {
        if number > 0 {
            parts.push(format!("{} {what}", count(number as u64)));
        }
    }
    parts
}

fn uploads_and_copies(plan: &Plan) -> (Vec<&Change>, Vec<&Change>) {
    let changes = plan.changes.iter();
    changes.partition(|change| change.action == ChangeAction::Upload)
}

/// Writes `1 new, 11 content`, or the word alone where there is one reason.
fn by_reason(changes: &[&Change]) -> String {
    let mut counts: BTreeMap<Reason, u64> = BTreeMap::new();
    for change in changes {
        *counts.entry(change.reason).or_default() += 1;
    }
    if let [reason] = counts.keys().collect::<Vec<_>>()[..] {
        return reason.word().to_owned();
    }
    let parts = counts.iter();
    let parts = parts.map(|(reason, number)| format!("{} {}", count(*number), reason.word()));
    parts.collect::<Vec<_>>().join(", ")
}

/// Returns what the plan comes to as fields of an object.
pub(super) fn totals_json(plan: &Plan) -> Value {
    let (uploads, copies) = uploads_and_copies(plan);
    let all_paths: u64 = plan.purges.iter().map(DistributionPurge::paths).sum();
    let resent: u64 = plan.purges.iter().map(|purge| purge.resent.count).sum();
    let cost: Money = plan.purges.iter().map(DistributionPurge::cost).sum();
    let reasons = plan.counts().into_iter();
    let reasons: BTreeMap<&str, usize> = reasons
        .map(|(reason, number)| (reason.word(), number))
        .collect();
    json!({
        "uploads": uploads.len(), "upload-bytes": plan.upload_bytes(),
        "copies": copies.len(), "deletes": plan.deletions.len(),
        "reasons": reasons,
        "unchanged": plan.unchanged, "unchanged-bytes": plan.unchanged_bytes,
        "retained": plan.retained.len(), "due": plan.due, "kept": plan.kept, "noise": plan.noisy,
        "foreign": plan.foreign.len(), "adopted": plan.adopted.len(), "vanished": plan.vanished.len(),
        "kept-for-rollback": {
            "objects": plan.kept_copies.copies.len(), "bytes": plan.kept_copies.bytes(),
            "copies": plan.kept_copies.requests(), "cost-usd": plan.kept_copies.cost().dollars(),
        },
        "debts": plan.debts, "paths": all_paths - resent, "resent-paths": resent, "cost-usd": cost.dollars(),
    })
}

/// Returns one changed object.
pub(super) fn json(change: &Change) -> Value {
    let object = json!({
        "type": "change", "key": change.key, "reason": change.reason, "size": change.size,
        "md5": change.md5, "headers": change.headers,
    });
    merged(object, action_json(&change.action))
}

/// Returns `action`, with `from` or `version` where it has one.
pub(super) fn action_json(action: &ChangeAction) -> Value {
    match action {
        ChangeAction::Upload => json!({"action": "upload"}),
        ChangeAction::SetHeaders => json!({"action": "set-headers"}),
        ChangeAction::CopyFrom { key, .. } => json!({"action": "copy", "from": key}),
        ChangeAction::Restore { from, .. } => merged(json!({"action": "restore"}), from),
    }
}
