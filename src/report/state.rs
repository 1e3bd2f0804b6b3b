//! `unstale state` and `unstale unlock`.

use serde_json::json;

use super::history::{outcome, when};
use super::printer::Printer;
use super::text::{count, counted, local_time, shown};
use crate::object::entry::EntryLife;
use crate::object::journal::{OpenJournal, UnpaidPurge};
use crate::object::manifest::Manifest;
use crate::state::history::PastOutcome;
use crate::state::{LeaseRecord, ObservedState};

/// What is known of the live site.
pub struct KnownState<'a> {
    pub url: &'a str,
    pub observed: &'a ObservedState,
    /// Who deploys, if anybody does.
    pub holder: Option<&'a LeaseRecord>,
    pub manifest: &'a Manifest,
    /// How many deploys left something open.
    pub debts: usize,
}

impl Printer {
    /// Prints what is known in five lines; each object before them where all is wanted.
    pub fn known_state(&self, known: &KnownState) {
        if self.options.json || self.options.verbose {
            self.manifest(known.manifest);
        }
        let lines = [
            ("Objects", objects(known)),
            ("Deployed", last_deploy(known.observed)),
            ("Lease", lease(known)),
            ("Purged", told(known)),
            ("Owed", owed(known)),
        ];
        for (label, text) in lines {
            self.line(&self.labelled(&format!("{label:<10}"), &text));
        }
    }

    fn manifest(&self, manifest: &Manifest) {
        let tables = &manifest.tables;
        for (key, entry) in &manifest.entries {
            let served = tables.served(entry.served);
            let cache_control = served.and_then(|served| served.cache_control.as_deref());
            let deploy = |number| Some(tables.deploy_at(number)?.id.to_string());
            let life = match entry.life {
                EntryLife::Live => "live",
                EntryLife::Retained { .. } => "retained",
                EntryLife::Tombstone { .. } => "deleted",
            };
            let line = format!(
                "{}  {life}  {}  headers {}  {}",
                shown(key.as_str()),
                entry.etag,
                entry.headers,
                cache_control.unwrap_or("-"),
            );
            let object = json!({
                "type": "object", "key": key, "life": life, "etag": entry.etag, "content": entry.content(),
                "headers": entry.headers, "cache-control": cache_control,
                "content-type": served.map(|served| &served.content_type),
                "redirect": served.map(|served| &served.redirect),
                "first": deploy(entry.first), "last": deploy(entry.last), "version-id": entry.version_id,
            });
            self.result(&self.wrapped(&line, "", "    "), &object);
        }
    }

    /// Prints what deploys left open, a line each.
    pub fn debts(&self, journals: &[OpenJournal], unpaid: &[UnpaidPurge]) {
        let journals = journals.iter().map(|open| match &open.journal {
            Ok(journal) => {
                let keys = counted(journal.keys.len() as u64, "key");
                format!("debt {}: {keys}, began and did not end", open.id)
            }
            Err(why) => format!("debt {}: unreadable ({why})", open.id),
        });
        let unpaid = unpaid.iter().map(|unpaid| match &unpaid.owed {
            Ok(owed) => {
                let paths: usize = owed.values().map(Vec::len).sum();
                let paths = counted(paths as u64, "path");
                format!("debt {}: {paths}, from {}", unpaid.id, unpaid.source)
            }
            Err(why) => format!("debt {}: unreadable ({why})", unpaid.id),
        });
        for text in journals.chain(unpaid) {
            let line = self.wrapped(&text, "", "  ");
            self.result(&line, &json!({"type": "debt", "text": text}));
        }
    }

    /// Tells whose lease was taken away.
    pub fn unlocked(&self, owner: Option<&str>) {
        let text = match owner {
            Some(owner) => format!(
                "The lease of {} is gone. If it runs still, end it: two deploys at once mix their builds.",
                shown(owner)
            ),
            None => "Nobody held the lease.".to_owned(),
        };
        let line = self.wrapped(&text, "", "  ");
        self.result(&line, &json!({"type": "unlock", "text": text}));
    }
}

fn objects(known: &KnownState) -> String {
    let entries = known.manifest.entries.iter();
    let (mut live, mut retained) = (0, 0);
    for (_, entry) in entries {
        match entry.life {
            EntryLife::Live => live += 1,
            EntryLife::Retained { .. } => retained += 1,
            EntryLife::Tombstone { .. } => {}
        }
    }
    let mut text = format!("{} in {}", counted(live, "object"), known.url);
    if retained > 0 {
        text.push_str(&format!(", {} kept for open pages", count(retained)));
    }
    text
}

fn last_deploy(observed: &ObservedState) -> String {
    let Some(last) = observed.object.recent.last() else {
        return "never".to_owned();
    };
    let when = when(last.at, observed.at);
    format!("{when}: {} ({})", last.id, outcome(last.outcome))
}

fn lease(known: &KnownState) -> String {
    known.holder.map_or("nobody deploys".to_owned(), |holder| {
        let until = local_time(holder.deadline);
        format!(
            "{} deploys, until {until} for now",
            shown(&holder.owner.to_string())
        )
    })
}

fn told(known: &KnownState) -> String {
    let told = known.observed.object.told.iter();
    let told = told.map(|(id, told)| {
        format!(
            "every change since {} at {}",
            local_time(told.since),
            shown(id)
        )
    });
    let told: Vec<String> = told.collect();
    match told.as_slice() {
        [] => "nothing yet".to_owned(),
        told if known.debts > 0 => format!("{}, but for what is owed", told.join(", ")),
        told => told.join(", "),
    }
}

fn owed(known: &KnownState) -> String {
    let last = known.observed.object.recent.last();
    match known.debts {
        0 if last.is_some_and(|last| last.outcome == PastOutcome::Owing) => {
            "the last deploy's purge, of a distribution that nobody could name".to_owned()
        }
        0 => "nothing".to_owned(),
        debts => {
            let deploys = counted(debts as u64, "deploy");
            format!("{deploys} left something open: the next pays it")
        }
    }
}
