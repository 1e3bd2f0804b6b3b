//! Commands that show what there is: history, the manifest, and the lease, which can be taken away.

use std::path::PathBuf;

use super::App;
use super::connect::Link;
use super::rollback::find_called;
use crate::cli;
use crate::error::{Error, Exit};
use crate::report::state::KnownState;
use crate::state::{HistoryRecord, RecentDeploy, StateError};
use crate::survey;
use crate::survey::SiteLocation;

/// Deploys that `history` shows, at most.
const MAX_DEPLOYS: usize = 50;

/// Finds the site. The link has to live as long as requests are made: with `--local` it serves them.
async fn open(app: &App) -> Result<(Link, SiteLocation), Error> {
    let link = app.connect().await?;
    let job = app.job_for(Some(&link), PathBuf::new())?;
    let place = survey::open(&link.aws, &job, None).await?.place;
    Ok((link, place))
}

pub(super) async fn history(app: &App, flags: &cli::HistoryArgs) -> Result<Exit, Error> {
    let (_link, place) = open(app).await?;
    let recent = place.store.read_state().await?.object.recent;
    if let Some(id) = &flags.id {
        let deploy = find_called(recent, id)?;
        if let Some(record) = read_record(app, &place, &deploy).await? {
            app.printer.whole_past_deploy(&record);
        }
        return Ok(Exit::Done);
    }
    if recent.is_empty() {
        app.printer.no_history(&place.url());
    }
    for deploy in recent.iter().rev().take(MAX_DEPLOYS) {
        if let Some(record) = read_record(app, &place, deploy).await? {
            app.printer.past_deploy(&record);
        }
    }
    Ok(Exit::Done)
}

/// Reads what a deploy did. Warns of a damaged record, since the others can be read all the same.
async fn read_record(
    app: &App,
    place: &SiteLocation,
    deploy: &RecentDeploy,
) -> Result<Option<HistoryRecord>, Error> {
    match place.store.read_history(deploy).await {
        Err(error @ StateError::Corrupt { .. }) => {
            app.printer.warn(&format!("{}: {error}", deploy.id));
            Ok(None)
        }
        record => Ok(Some(record?)),
    }
}

pub(super) async fn state(app: &App) -> Result<Exit, Error> {
    let (_link, place) = open(app).await?;
    let observed = place.store.read_state().await?;
    let loaded = place.store.read_manifest(&observed, true).await?;
    app.printer.warnings(&loaded.warnings);
    let open = place.store.read_open(&observed).await?;
    app.printer.known_state(&KnownState {
        url: &place.url(),
        observed: &observed,
        holder: observed.holder(&place.store),
        manifest: &loaded.manifest,
        debts: open.journals.len() + open.unpaid.len(),
    });
    app.printer.debts(&open.journals, &open.unpaid);
    Ok(Exit::Done)
}

pub(super) async fn unlock(app: &App) -> Result<Exit, Error> {
    let (_link, place) = open(app).await?;
    let lease = place.store.force_unlock().await?;
    let owner = lease.map(|lease| lease.owner.to_string());
    app.printer.unlocked(owner.as_deref());
    Ok(Exit::Done)
}
