//! `unstale invalidate` and `unstale invalidations`: the purge by hand.

use std::path::PathBuf;
use std::time::Instant;

use super::App;
use super::connect::Link;
use crate::cli;
use crate::deploy::send::{self, Invalidator, Pending, Sent};
use crate::deploy::targets::Found;
use crate::deploy::{Job, survey};
use crate::domain::manifest::DeployId;
use crate::error::{Error, Exit};

pub(super) async fn invalidate(app: &App, flags: &cli::Invalidate) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let job = app.job_for(&link, PathBuf::new())?;
    if let Some(path) = flags.paths.iter().find(|path| !path.starts_with('/')) {
        return Err(
            Error::usage(format!("the path {path} does not begin with a slash"))
                .hint(format!("unstale invalidate '/{path}'")),
        );
    }
    let deploy = crate::state::mint(link.aws.cloudfront().clock.server_now());
    let until = Instant::now() + job.timeout;
    let mut pending = Vec::new();
    for found in targets(app, &link, &job).await? {
        pending.extend(send_all(app, &link, &found, &deploy, &flags.paths, until).await?);
    }
    for one in &pending {
        app.printer.line(&format!(
            "{} {} ({} paths)",
            one.target.id(),
            one.id,
            one.paths
        ));
        app.printer.json(&serde_json::json!({ "type": "invalidation", "distribution": one.target.id(), "id": one.id, "paths": one.paths }));
    }
    if job.wait {
        return wait(app, &link, pending, until).await;
    }
    Ok(Exit::Done)
}

async fn send_all(
    app: &App,
    link: &Link,
    found: &Found,
    deploy: &DeployId,
    paths: &[String],
    until: Instant,
) -> Result<Vec<Pending>, Error> {
    let mut pending = Vec::new();
    for (at, batch) in send::batches(deploy, 0, paths).iter().enumerate() {
        if at > 0 {
            app.stop.sleep(std::time::Duration::from_secs(1)).await;
        }
        let invalidator = Invalidator {
            cloudfront: link.aws.cloudfront(),
            until,
            stop: app.stop.clone(),
            tell: app.teller(),
        };
        match invalidator.send(&found.target, batch).await {
            Sent::Accepted(accepted) => pending.push(Pending {
                target: found.target.clone(),
                id: accepted.id,
                completed: accepted.completed,
                paths: batch.paths.len() as u64,
            }),
            Sent::Refused(error) | Sent::Failed(error) => return Err(error.into()),
            Sent::TooLarge => {
                return Err(
                    Error::failed("CloudFront refuses so many paths at once").hint("send fewer")
                );
            }
            Sent::Stopped => return Err(Error::interrupted("interrupted")),
        }
    }
    Ok(pending)
}

async fn targets(app: &App, link: &Link, job: &Job) -> Result<Vec<Found>, Error> {
    let targets = survey::find_targets(&link.aws, job).await?;
    targets
        .warnings
        .iter()
        .for_each(|warning| app.printer.warn(warning));
    if targets.found.is_empty() {
        return Err(Error::usage("no distribution is known").hint("name one with --distribution"));
    }
    Ok(targets.found)
}

async fn wait(
    app: &App,
    link: &Link,
    mut pending: Vec<Pending>,
    until: Instant,
) -> Result<Exit, Error> {
    let invalidator = Invalidator {
        cloudfront: link.aws.cloudfront(),
        until,
        stop: app.stop.clone(),
        tell: app.teller(),
    };
    let done = invalidator.wait(&mut pending).await?;
    app.printer.finish();
    if app.stop.is_set() && !done {
        return Err(Error::interrupted(
            "interrupted while waiting: the purge goes on",
        ));
    }
    if !done {
        return Err(
            Error::new(Exit::Stale, "not completed in time: the purge goes on")
                .hint("--timeout gives it longer"),
        );
    }
    Ok(Exit::Done)
}

pub(super) async fn invalidations(app: &App, flags: &cli::Invalidations) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let job = app.job_for(&link, PathBuf::new())?;
    let until = Instant::now() + job.timeout;
    let mut pending = Vec::new();
    for found in targets(app, &link, &job).await? {
        match &flags.id {
            Some(id) => pending.extend(show(app, &link, &found, id).await?),
            None => pending.extend(list(app, &link, &found).await?),
        }
    }
    if flags.wait {
        return wait(app, &link, pending, until).await;
    }
    Ok(Exit::Done)
}

async fn show(app: &App, link: &Link, found: &Found, id: &str) -> Result<Option<Pending>, Error> {
    let one = link
        .aws
        .cloudfront()
        .invalidation(&found.target, id)
        .await?;
    let paths = one
        .invalidation_batch
        .and_then(|batch| batch.paths)
        .and_then(|paths| paths.items)
        .unwrap_or_default();
    app.printer.line(&format!(
        "{}  {}  {}  {} paths",
        one.id,
        one.status,
        one.create_time,
        paths.len()
    ));
    paths
        .iter()
        .for_each(|path| app.printer.line(&format!("  {path}")));
    app.printer.json(&serde_json::json!({
        "type": "invalidation", "distribution": found.id(), "id": one.id, "status": one.status,
        "created": one.create_time.to_string(), "paths": paths,
    }));
    let completed = one.status.eq_ignore_ascii_case("completed");
    Ok(Some(Pending {
        target: found.target.clone(),
        id: one.id,
        completed,
        paths: 0,
    }))
}

async fn list(app: &App, link: &Link, found: &Found) -> Result<Vec<Pending>, Error> {
    const SHOWN: usize = 100;
    let all = link
        .aws
        .cloudfront()
        .invalidations(&found.target, |seen| seen.len() >= SHOWN)
        .await?;
    if all.is_empty() {
        app.printer
            .line(&format!("{} has no invalidations", found.id()));
    }
    let mut pending = Vec::new();
    for one in all.into_iter().take(SHOWN) {
        app.printer.line(&format!(
            "{}  {:<10}  {}",
            one.id, one.status, one.create_time
        ));
        app.printer.json(&serde_json::json!({
            "type": "invalidation", "distribution": found.id(), "id": one.id, "status": one.status,
            "created": one.create_time.to_string(),
        }));
        if !one.status.eq_ignore_ascii_case("completed") {
            pending.push(Pending {
                target: found.target.clone(),
                id: one.id,
                completed: false,
                paths: 0,
            });
        }
    }
    Ok(pending)
}
