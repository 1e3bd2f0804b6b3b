//! `unstale history` and `unstale rollback`.

use super::printer::Printer;
use super::text::{counted, in_unit, local_time, shown};
use crate::object::entry::EntryLife;
use crate::object::manifest::DeployId;
use crate::state::history::PastOutcome;
use crate::state::{HistoryRecord, owner};

impl Printer {
    /// Prints a deploy of the history in short.
    pub fn past_deploy(&self, record: &HistoryRecord) {
        self.result(&self.in_short(record), record);
    }

    /// Prints a deploy of the history with all that it changed and purged.
    pub fn whole_past_deploy(&self, record: &HistoryRecord) {
        let lines: Vec<String> = [self.in_short(record)]
            .into_iter()
            .chain(details(record))
            .collect();
        self.result(&lines.join("\n"), record);
    }

    pub fn no_history(&self, url: &str) {
        self.line(&format!("No deploy to {url} is known."));
    }

    /// Tells which deploy a rollback goes back to.
    pub fn going_back(&self, deploy: &DeployId) {
        self.note(&format!("Back to the deploy {deploy}"));
    }

    fn in_short(&self, record: &HistoryRecord) -> String {
        let now = jiff::Timestamp::now().as_second();
        let head = format!("{}  {}", record.id, when(record.at, now));
        let lines = [what(record), whence(record)];
        let lines = lines.map(|line| self.wrapped(&line, "  ", "    "));
        format!("{head}\n{}", lines.join("\n"))
    }
}

/// Says what a deploy did, and how it ended.
fn what(record: &HistoryRecord) -> String {
    let paths: usize = record.purges.iter().map(|purge| purge.paths.len()).sum();
    let (paths, changes) = (paths as u64, record.changes.len() as u64);
    let (changes, paths) = (counted(changes, "change"), counted(paths, "path"));
    let outcome = outcome(record.outcome);
    format!("{outcome}, {changes}, {paths} purged")
}

/// Says which build it was, and who deployed it.
fn whence(record: &HistoryRecord) -> String {
    let by = shown(&owner::place(&record.who, &record.host));
    let mut text = match &record.rollback_of {
        Some(deploy) => format!("back to the deploy {deploy}"),
        None => shown(&record.dir),
    };
    if let Some(commit) = &record.commit {
        let commit = shown(commit.get(..12).unwrap_or(commit));
        text.push_str(&format!(", commit {commit}"));
    }
    format!("{text}, by {by}")
}

/// Says how a deploy ended.
pub(super) fn outcome(outcome: PastOutcome) -> &'static str {
    match outcome {
        PastOutcome::Done => "done",
        PastOutcome::Owing => "owing",
        PastOutcome::Incomplete => "incomplete",
    }
}

/// Writes a time by the local clock, and how long ago that is; both in unix seconds.
pub(super) fn when(at: i64, now: i64) -> String {
    format!("{} ({})", local_time(at), age(now.saturating_sub(at)))
}

/// Writes `5 minutes ago`; clocks that differ by a little make it now.
fn age(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    let time = in_unit(seconds, |unit| seconds >= unit);
    time.map_or("just now".to_owned(), |time| format!("{time} ago"))
}

fn details(record: &HistoryRecord) -> Vec<String> {
    let mut lines = Vec::new();
    for change in &record.changes {
        let sign = match (&change.before, &change.after) {
            (None, _) => '+',
            (_, None) => '-',
            // It left the build, and stays for now.
            (_, Some(after)) if after.life != EntryLife::Live => '.',
            _ => '~',
        };
        lines.push(format!("  {sign} {}", shown(change.key.as_str())));
    }
    for purge in &record.purges {
        let ids = purge.invalidations.join(", ");
        lines.push(format!("  purged of {} ({ids}):", purge.target));
        lines.extend(purge.paths.iter().map(|path| format!("    {path}")));
    }
    lines
}
