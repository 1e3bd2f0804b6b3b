//! `unstale state show` and `unstale unlock`.

use serde_json::json;

use super::printer::Printer;
use super::text::{counted, shown};
use crate::object::entry::EntryLife;
use crate::object::journal::{OpenJournal, UnpaidPurge};
use crate::object::manifest::Manifest;

impl Printer {
    /// Prints each object that the manifest knows.
    pub fn manifest(&self, manifest: &Manifest) {
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
            self.result(&text, &json!({"type": "debt", "text": text}));
        }
    }

    pub fn no_manifest(&self, url: &str) {
        self.line(&format!(
            "Nothing is known of {url}: nothing was deployed there yet."
        ));
    }

    /// Tells whose lease was taken away.
    pub fn unlocked(&self, owner: Option<&str>) {
        let text = match owner {
            Some(owner) => format!("The lease of {} is gone.", shown(owner)),
            None => "Nobody held the lease.".to_owned(),
        };
        self.result(&text, &json!({"type": "unlock", "text": text}));
    }
}
