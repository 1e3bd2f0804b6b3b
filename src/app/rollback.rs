//! `unstale rollback`: the site as it was after an earlier deploy, by copies of versions and of what was kept.

use std::path::PathBuf;

use super::{App, SiteCommand};
use crate::cli;
use crate::deploy;
use crate::error::{Error, Exit};
use crate::job::Job;
use crate::object::manifest::DeployId;
use crate::settings::values::KeptDeploys;
use crate::state::{RECENT, RecentDeploy};
use crate::survey;
use crate::survey::SiteLocation;

pub(super) async fn rollback(app: &App, flags: &cli::RollbackArgs) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let mut job = app.job_for(Some(&link), PathBuf::new())?;
    job.free_paths = flags.purge.free_paths;
    let opened = survey::open(&link.aws, &job, None).await?;
    let (place, state) = (opened.place, opened.state.object);
    let keeps = job.settings.keep.0 > 0;
    if !keeps && state.kept.is_none() && !place.bucket.is_versioned().await? {
        return Err(unversioned(place.bucket.name()));
    }
    if !keeps && state.kept.is_some() {
        // Not to lose what it goes back from, though the settings of this run do not say so.
        job.settings.keep = KeptDeploys(RECENT - 1);
    }
    let goal = find_goal(&place, state.recent, flags.id.as_deref())?;
    let deploy = goal.id.clone();
    app.printer.going_back(&deploy);
    // What is live then is that deploy's source.
    let record = place.store.read_history(&goal).await;
    let commit = record.ok().and_then(|record| record.commit);
    go_back(&mut job, deploy, commit);
    if flags.plan {
        let (link, job) = (&link, &job);
        super::deploy::show_plan(SiteCommand { app, link, job }).await?;
        return Ok(Exit::Done);
    }
    deploy::deploy(&link.aws, &job, &app.stop, &app.teller(&link)).await?;
    Ok(Exit::Done)
}

/// Everything that came later goes, and nothing else: that is what was asked for, and versions or copies keep it.
fn go_back(job: &mut Job, deploy: DeployId, commit: Option<String>) {
    job.commit = commit;
    job.dir = PathBuf::from(format!("rollback to {deploy}"));
    job.rollback = Some(deploy);
    job.settings.delete = true;
    job.settings.adopt = false;
    job.settings.max_delete = Some(usize::MAX);
}

fn unversioned(bucket: &str) -> Error {
    Error::failed(format!(
        "the bucket {bucket} keeps no versions, so that what was is gone"
    ))
    .hint(format!(
        "deploying the older build again does the same; for the next time: `keep = \"3 deploys\"` in deploy.toml, or versions: \
         aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled"
    ))
}

const LIST: &str = "`unstale history` lists them";

/// Finds the deploy whose id begins so, or the one before the last.
fn find_goal(
    place: &SiteLocation,
    recent: Vec<RecentDeploy>,
    id: Option<&str>,
) -> Result<RecentDeploy, Error> {
    if let Some(id) = id {
        return find_called(recent, id);
    }
    recent.into_iter().rev().nth(1).ok_or_else(|| {
        let url = place.url();
        Error::usage(format!("no deploy before the last to {url} is known")).hint(LIST)
    })
}

/// Finds the one deploy whose id begins so.
pub(super) fn find_called(recent: Vec<RecentDeploy>, id: &str) -> Result<RecentDeploy, Error> {
    let newest_first = recent.into_iter().rev();
    let mut called = newest_first.filter(|deploy| deploy.is_called(id));
    let Some(goal) = called.next() else {
        return Err(Error::usage(format!("no deploy's id begins with {id}")).hint(LIST));
    };
    let others: Vec<RecentDeploy> = called.collect();
    if others.is_empty() {
        return Ok(goal);
    }
    let count = others.len() + 1;
    let error = Error::usage(format!("{count} deploys have ids that begin with {id}"));
    let ids = [&goal].into_iter().chain(&others).map(|deploy| &deploy.id);
    Err(ids.fold(error.hint("write more of it"), Error::because))
}
