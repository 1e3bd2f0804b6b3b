//! The objects that a plan changes and deletes, and what they come to. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::json::merged;
use super::options::TextLook;
use super::text::{Paint, bytes, columns, count, elided, padded, shown};
use crate::edge::{Cover, Money};
use crate::plan::{Change, ChangeAction, DistributionPurge, PastContent, Plan, Reason};

/// Changes shown where not all are asked for.
const MAX_CHANGES: usize = 30;

/// One line of the list.
pub(super) struct ChangeRow {
    reason: Reason,
    sign: char,
    key: String,
    /// Empty where nothing is sent.
    size: String,
    pub(super) why: String,
}

impl ChangeRow {
    pub(super) fn of(change: &Change, plan: &Plan) -> Self {
        let doubt = plan.doubts.get(&change.key);
        let doubt = doubt.map(|doubt| format!("; fingerprinted: no, {}", shown(doubt)));
        let reason = format!("{}{}", change.reason.word(), doubt.unwrap_or_default());
        let (sign, size, why) = match &change.action {
            ChangeAction::Upload => ('~', bytes(change.size), reason),
            ChangeAction::SetHeaders => ('=', String::new(), reason),
            ChangeAction::CopyFrom { key, .. } => {
                let why = format!("{reason}, copied from {}", shown(key.as_str()));
                ('~', String::new(), why)
            }
            ChangeAction::Restore { from, .. } => {
                let from = match from {
                    PastContent::Version(_) => "an earlier version",
                    PastContent::Kept(_) => "what was kept",
                };
                ('~', String::new(), format!("{reason}, copied from {from}"))
            }
        };
        let is_new = change.reason == Reason::New;
        Self {
            reason: change.reason,
            sign: if is_new { '+' } else { sign },
            key: shown(change.key.as_str()),
            size,
            why,
        }
    }

    /// Returns its place in the list.
    fn order(&self) -> (u8, &str) {
        (rank(self.reason), &self.key)
    }

    fn line(&self, key_width: usize, why_width: usize, paint: Paint) -> String {
        let sign = self.sign.to_string();
        let sign = match self.sign {
            '+' => paint.green(&sign),
            '-' => paint.red(&sign),
            '=' => paint.cyan(&sign),
            _ => paint.yellow(&sign),
        };
        let key = padded(&elided(&self.key, key_width), key_width);
        let why = elided(&self.why, why_width);
        format!("  {sign} {key}  {:>8}  {why}", self.size)
    }
}

/// Lists the changes by reason and key: some of each reason where they are many and not all are asked for.
pub(super) fn list(plan: &Plan, look: TextLook) -> Option<String> {
    let most = if look.verbose {
        usize::MAX
    } else {
        MAX_CHANGES
    };
    let (rows, left_out) = rows(plan, most);
    let widest = |text: fn(&ChangeRow) -> &str| rows.iter().map(|row| columns(text(row))).max();
    let (key, why) = (widest(|row| &row.key)?, widest(|row| &row.why)?);
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
fn rows(plan: &Plan, most: usize) -> (Vec<ChangeRow>, usize) {
    let changes = plan.changes.iter();
    let mut rows: Vec<ChangeRow> = changes.map(|change| ChangeRow::of(change, plan)).collect();
    rows.extend(plan.deletions.iter().map(|deletion| ChangeRow {
        reason: Reason::Removed,
        sign: '-',
        key: shown(deletion.key.as_str()),
        size: String::new(),
        why: Reason::Removed.word().to_owned(),
    }));
    rows.sort_by(|one, other| one.order().cmp(&other.order()));
    let left_out = rows.len().saturating_sub(most);
    if left_out > 0 {
        // The reasons take turns.
        let mut turns = BTreeMap::new();
        let turn = |row: ChangeRow| {
            let turn: &mut usize = turns.entry(rank(row.reason)).or_default();
            *turn += 1;
            (*turn, row)
        };
        let mut in_turn: Vec<(usize, ChangeRow)> = rows.into_iter().map(turn).collect();
        in_turn.sort_by_key(|(turn, row)| (*turn, rank(row.reason)));
        in_turn.truncate(most);
        rows = in_turn.into_iter().map(|(_, row)| row).collect();
        rows.sort_by(|one, other| one.order().cmp(&other.order()));
    }
    (rows, left_out)
}

fn rank(reason: Reason) -> u8 {
    match reason {
        Reason::New => 0,
        Reason::Content => 1,
        Reason::Forced => 2,
        Reason::Headers => 3,
        Reason::Removed => 4,
    }
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
    let mut counts: BTreeMap<u8, (Reason, u64)> = BTreeMap::new();
    for change in changes {
        let (_, number) = counts
            .entry(rank(change.reason))
            .or_insert((change.reason, 0));
        *number += 1;
    }
    let single = counts.len() == 1;
    let part = |(reason, number): &(Reason, u64)| {
        if single {
            return reason.word().to_owned();
        }
        format!("{} {}", count(*number), reason.word())
    };
    let parts: Vec<String> = counts.values().map(part).collect();
    parts.join(", ")
}

/// Returns what the plan comes to as fields of an object.
pub(super) fn totals_json(plan: &Plan) -> Value {
    let (uploads, copies) = uploads_and_copies(plan);
    let purges = plan.purges.iter();
    let covers: Vec<&Cover> = purges
        .flat_map(|purge| [&purge.purge.cover, &purge.after.cover])
        .collect();
    let paths: u64 = covers.iter().map(|cover| cover.paths()).sum();
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
        "debts": plan.debts, "paths": paths, "resent-paths": resent, "cost-usd": cost.dollars(),
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
