//! `unstale history` and `unstale rollback`.

use super::printer::Printer;
use super::text::{counted, shown};
use crate::object::entry::EntryLife;
use crate::object::manifest::DeployId;
use crate::state::HistoryRecord;

impl Printer {
    /// Prints a deploy of the history in short.
    pub fn past_deploy(&self, record: &HistoryRecord) {
        self.result(&in_short(record), record);
    }

    /// Prints a deploy of the history with all that it changed and purged.
    pub fn whole_past_deploy(&self, record: &HistoryRecord) {
        let lines: Vec<String> = [in_short(record)]
            .into_iter()
            .chain(details(record))
            .collect();
        self.result(&lines.join("\n"), record);
    }

    pub fn no_history(&self, url: &str) {
        self.line(&format!("Nothing was deployed to {url} yet."));
    }

    /// Tells which deploy a rollback goes back to.
    pub fn going_back(&self, deploy: &DeployId) {
        self.note(&format!("Back to the deploy {deploy}"));
    }
}

fn in_short(record: &HistoryRecord) -> String {
    let time = jiff::Timestamp::from_second(record.at).unwrap_or_default();
    let paths: usize = record.purges.iter().map(|purge| purge.paths.len()).sum();
    let (paths, changes) = (paths as u64, record.changes.len() as u64);
    let outcome = format!("{:?}", record.outcome).to_lowercase();
    let (changes, paths) = (counted(changes, "change"), counted(paths, "path"));
    let mut text = format!("{}  {time}  {}@{}", record.id, record.who, record.host);
    text.push_str(&format!("\n  {outcome}, {changes}, {paths} purged"));
    if let Some(commit) = &record.commit {
        text.push_str(&format!("  commit {}", commit.get(..12).unwrap_or(commit)));
    }
    if let Some(deploy) = &record.rollback_of {
        text.push_str(&format!("\n  back to the deploy {deploy}"));
    }
    text
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
