//! `unstale rollback`: the site as it was after an earlier deploy, by copies from versions.

use std::path::PathBuf;

use super::App;
use crate::cli;
use crate::deploy::survey::{self, Place};
use crate::deploy::{self, Job};
use crate::domain::manifest::DeployId;
use crate::error::{Error, Exit};
use crate::state::RecentDeploy;

pub(super) async fn rollback(app: &App, flags: &cli::Rollback) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let mut job = app.job_for(&link, PathBuf::new())?;
    job.free_paths = flags.purge.free_paths;
    let place = survey::open(&link.aws, &job, None).await?.place;
    if !place.bucket.is_versioned().await? {
        return Err(unversioned(place.bucket.name()));
    }
    let wished = wished(&place, flags.id.as_deref()).await?;
    let deploy = wished.id.clone();
    app.printer.note(&format!("Back to the deploy {deploy}"));
    // What is live then is that deploy's source.
    let record = place.store.read_history(&wished).await;
    let commit = record.ok().and_then(|record| record.commit);
    go_back(&mut job, deploy, commit);
    if flags.plan {
        return super::deploy::show(app, &link, &job, false, None).await;
    }
    deploy::deploy(&link.aws, &job, &app.stop, &app.teller()).await?;
    Ok(Exit::Done)
}

/// Everything that came later goes, and nothing else: that is what was asked for, and versions keep it.
fn go_back(job: &mut Job, deploy: DeployId, commit: Option<String>) {
    job.commit = commit;
    job.dir = PathBuf::from(format!("rollback to {deploy}"));
    job.rollback = Some(deploy);
    job.delete = true;
    job.adopt = false;
    job.max_delete = Some(usize::MAX);
}

fn unversioned(bucket: &str) -> Error {
    Error::failed(format!(
        "the bucket {bucket} keeps no versions, so that what was is gone"
    ))
    .hint(format!(
        "deploying the older build again does the same; for the next time: aws s3api put-bucket-versioning --bucket {bucket} \
         --versioning-configuration Status=Enabled"
    ))
}

/// The deploy whose id begins so, or the one before the last.
async fn wished(place: &Place, id: Option<&str>) -> Result<RecentDeploy, Error> {
    const LIST: &str = "`unstale history` lists them";
    let mut recent = place.store.read_state().await?.object.recent;
    recent.reverse();
    let Some(id) = id else {
        let before = recent.into_iter().nth(1);
        return before.ok_or_else(|| {
            Error::usage(format!(
                "there is no deploy before the last to {}",
                place.url()
            ))
            .hint(LIST)
        });
    };
    let mut found = recent;
    found.retain(|deploy| deploy.is_called(id));
    match found.as_slice() {
        [_] => Ok(found.remove(0)),
        [] => Err(Error::usage(format!("no deploy's id begins with {id}")).hint(LIST)),
        several => {
            let mut error = Error::usage(format!(
                "{} deploys have ids that begin with {id}",
                several.len()
            ))
            .hint("write more of it");
            error.causes = several.iter().map(|one| one.id.to_string()).collect();
            Err(error)
        }
    }
}
