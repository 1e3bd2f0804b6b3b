//! Commands that show what there is: distributions, history, the manifest, and the lock, which can be taken away.

use std::path::PathBuf;

use super::App;
use crate::cli;
use crate::deploy::survey::{self, Place};
use crate::domain::manifest::Life;
use crate::error::{Error, Exit};
use crate::report::text::{counted, shown};
use crate::state::{ObservedState, RecentDeploy, StateError};

pub(super) async fn distributions(app: &App) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let all = link.aws.cloudfront().distributions().await?;
    if all.is_empty() {
        app.printer.line("This account has no distributions.");
    }
    for one in all {
        let aliases = one
            .aliases
            .map(|aliases| aliases.items.unwrap_or_default())
            .unwrap_or_default();
        let origins = one.origins.map(|origins| origins.items).unwrap_or_default();
        let origins: Vec<String> = origins
            .into_iter()
            .map(|origin| {
                format!(
                    "{}{}",
                    origin.domain_name,
                    origin.origin_path.unwrap_or_default()
                )
            })
            .collect();
        app.printer
            .line(&format!("{}  {}  {}", one.id, one.status, one.domain_name));
        if !aliases.is_empty() {
            app.printer.line(&format!("  {}", aliases.join(", ")));
        }
        origins
            .iter()
            .for_each(|origin| app.printer.line(&format!("  from {origin}")));
        app.printer.json(&serde_json::json!({
            "type": "distribution", "id": one.id, "status": one.status, "domain": one.domain_name,
            "aliases": aliases, "origins": origins,
        }));
    }
    Ok(Exit::Done)
}

async fn place(app: &App) -> Result<(super::connect::Link, Place), Error> {
    let link = app.connect().await?;
    let job = app.job_for(&link, PathBuf::new())?;
    let place = survey::open(&link.aws, &job, None).await?.place;
    Ok((link, place))
}

pub(super) async fn history(app: &App, flags: &cli::History) -> Result<Exit, Error> {
    let (_link, place) = place(app).await?;
    let store = &place.store;
    let recent = store.read_state().await?.object.recent;
    let called = |deploy: &&RecentDeploy| match &flags.id {
        Some(id) => deploy.is_called(id),
        None => true,
    };
    let listed: Vec<&RecentDeploy> = recent.iter().rev().filter(called).collect();
    if listed.is_empty() {
        return match &flags.id {
            Some(id) => Err(Error::usage(format!("no deploy's id begins with {id}"))
                .hint("`unstale history` lists them")),
            None => {
                app.printer
                    .line(&format!("Nothing was deployed to {} yet.", place.url()));
                Ok(Exit::Done)
            }
        };
    }
    let most = if flags.id.is_some() { 1 } else { 50 };
    for deploy in listed.into_iter().take(most) {
        let record = match store.read_history(deploy).await {
            Err(error @ StateError::Corrupt { .. }) => {
                app.printer.warn(&format!("{}: {error}", deploy.id));
                continue;
            }
            record => record?,
        };
        app.printer.json(&record);
        let at = jiff::Timestamp::from_second(record.at).unwrap_or_default();
        let paths: usize = record.purges.iter().map(|purge| purge.paths.len()).sum();
        let outcome = format!("{:?}", record.outcome).to_lowercase();
        app.printer.line(&format!(
            "{}  {at}  {}@{}",
            record.id, record.who, record.host
        ));
        let commit = record
            .commit
            .as_deref()
            .map(|sha| format!("  commit {}", sha.get(..12).unwrap_or(sha)));
        app.printer.line(&format!(
            "  {outcome}, {}, {} purged{}",
            counted(record.changes.len() as u64, "change"),
            counted(paths as u64, "path"),
            commit.unwrap_or_default()
        ));
        if let Some(deploy) = &record.rollback_of {
            app.printer.line(&format!("  back to the deploy {deploy}"));
        }
        if flags.id.is_some() {
            for change in &record.changes {
                let sign = match (&change.before, &change.after) {
                    (None, _) => '+',
                    (_, None) => '-',
                    // It left the build, and stays for now.
                    (_, Some(after)) if after.life != Life::Live => '.',
                    _ => '~',
                };
                app.printer
                    .line(&format!("  {sign} {}", shown(change.key.as_str())));
            }
            for purge in &record.purges {
                let id = purge.invalidations.join(", ");
                app.printer
                    .line(&format!("  purged of {} ({id}):", purge.target));
                purge
                    .paths
                    .iter()
                    .for_each(|path| app.printer.line(&format!("    {path}")));
            }
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn state(app: &App, flags: &cli::State) -> Result<Exit, Error> {
    let cli::StateCommand::Show = flags.command;
    let (_link, place) = place(app).await?;
    let observed = place.store.read_state().await?;
    let loaded = place.store.read_manifest(&observed, true).await?;
    loaded
        .warnings
        .iter()
        .for_each(|warning| app.printer.warn(warning));
    let manifest = &loaded.manifest;
    for (key, entry) in &manifest.entries {
        let served = manifest
            .tables
            .served(entry.served)
            .cloned()
            .unwrap_or_default();
        let deploy = |number| {
            manifest
                .tables
                .deploy_at(number)
                .map(|deploy| deploy.id.to_string())
        };
        let life = match entry.life {
            Life::Live => "live",
            Life::Retained { .. } => "retained",
            Life::Tombstone { .. } => "deleted",
        };
        let line = format!(
            "{}  {life}  {}  headers {}  {}",
            shown(key.as_str()),
            entry.etag,
            entry.headers,
            served.cache_control.as_deref().unwrap_or("-"),
        );
        app.printer.prose(&line, "", "    ");
        app.printer.json(&serde_json::json!({
            "type": "object", "key": key, "life": life, "etag": entry.etag, "content": entry.content(),
            "headers": entry.headers, "cache-control": served.cache_control, "content-type": served.content_type,
            "redirect": served.redirect, "first": deploy(entry.first), "last": deploy(entry.last),
            "version-id": entry.version_id,
        }));
    }
    for text in debts(&place, &observed).await? {
        app.printer.line(&text);
        app.printer
            .json(&serde_json::json!({ "type": "debt", "text": text }));
    }
    if manifest.entries.is_empty() {
        app.printer.line(&format!(
            "Nothing is known of {}: nothing was deployed there yet.",
            place.url()
        ));
    }
    Ok(Exit::Done)
}

/// What deploys left open, a line each.
async fn debts(place: &Place, observed: &ObservedState) -> Result<Vec<String>, Error> {
    let open = place.store.read_open(observed).await?;
    let journals = open.journals.iter().map(|open| match &open.journal {
        Ok(journal) => {
            let keys = counted(journal.keys.len() as u64, "key");
            format!("debt {}: {keys}, began and did not end", open.id)
        }
        Err(why) => format!("debt {}: unreadable ({why})", open.id),
    });
    let unpaid = open.unpaid.iter().map(|unpaid| match &unpaid.owed {
        Ok(owed) => {
            let paths: usize = owed.values().map(Vec::len).sum();
            let paths = counted(paths as u64, "path");
            format!("debt {}: {paths}, from {}", unpaid.id, unpaid.source)
        }
        Err(why) => format!("debt {}: unreadable ({why})", unpaid.id),
    });
    Ok(journals.chain(unpaid).collect())
}

pub(super) async fn unlock(app: &App) -> Result<Exit, Error> {
    let (_link, place) = place(app).await?;
    let text = match place.store.force_unlock().await? {
        Some(lease) => format!("The lease of {} is gone.", shown(&lease.owner.to_string())),
        None => "Nobody held the lease.".to_owned(),
    };
    app.printer.line(&text);
    app.printer
        .json(&serde_json::json!({ "type": "unlock", "text": text }));
    Ok(Exit::Done)
}
