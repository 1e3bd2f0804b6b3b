//! `unstale invalidate` and `unstale invalidations`: the purge by hand.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::connect::Link;
use super::{App, SiteCommand};
use crate::aws::cloudfront::PurgeTarget;
use crate::cli;
use crate::deploy::invalidator;
use crate::deploy::invalidator::{BatchOutcome, Invalidator, PendingInvalidation};
use crate::error::{Error, Exit};
use crate::object::journal::PurgeBatch;
use crate::report::invalidations::ShownInvalidation;
use crate::survey;

/// Invalidations that are listed of each distribution, at most.
const MAX_LISTED: usize = 100;

/// The invalidations of a command.
struct ManualPurge<'a> {
    app: &'a App,
    invalidator: Invalidator,
    pending: Vec<PendingInvalidation>,
}

pub(super) async fn invalidate(app: &App, flags: &cli::InvalidateArgs) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let job = app.job_for(&link, PathBuf::new())?;
    if let Some(path) = flags.paths.iter().find(|path| !path.starts_with('/')) {
        return Err(
            Error::usage(format!("the path {path} does not begin with a slash"))
                .hint(format!("unstale invalidate '/{path}'")),
        );
    }
    let deploy = crate::state::mint(link.aws.cloudfront().clock.server_now());
    let mut invalidations = ManualPurge::new(app, &link, job.settings.timeout.0);
    let (link, job) = (&link, &job);
    for target in targets(SiteCommand { app, link, job }).await? {
        let batches = invalidator::batches(&deploy, 0, &flags.paths);
        invalidations.send(&target, &batches).await?;
    }
    for sent in &invalidations.pending {
        app.printer
            .invalidated(sent.target.id(), &sent.id, sent.paths);
    }
    if job.settings.wait {
        invalidations.wait().await?;
    }
    Ok(Exit::Done)
}

pub(super) async fn invalidations(
    app: &App,
    flags: &cli::InvalidationsArgs,
) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let job = app.job_for(&link, PathBuf::new())?;
    let mut invalidations = ManualPurge::new(app, &link, job.settings.timeout.0);
    let (link, job) = (&link, &job);
    for target in targets(SiteCommand { app, link, job }).await? {
        match &flags.id {
            Some(id) => invalidations.show(&target, id).await?,
            None => invalidations.list(&target).await?,
        }
    }
    if flags.wait {
        invalidations.wait().await?;
    }
    Ok(Exit::Done)
}

async fn targets(command: SiteCommand<'_>) -> Result<Vec<PurgeTarget>, Error> {
    let targets = survey::find_targets(&command.link.aws, command.job).await?;
    command.app.printer.warnings(&targets.warnings);
    if targets.found.is_empty() {
        return Err(Error::usage("no distribution is known").hint("name one with --distribution"));
    }
    Ok(targets
        .found
        .into_iter()
        .map(|found| found.target)
        .collect())
}

impl<'a> ManualPurge<'a> {
    fn new(app: &'a App, link: &Link, timeout: Duration) -> Self {
        Self {
            app,
            invalidator: Invalidator {
                cloudfront: link.aws.cloudfront(),
                until: Instant::now() + timeout,
                stop: app.stop.clone(),
                tell: app.teller(),
            },
            pending: Vec::new(),
        }
    }

    async fn send(&mut self, target: &PurgeTarget, batches: &[PurgeBatch]) -> Result<(), Error> {
        for (index, batch) in batches.iter().enumerate() {
            if index > 0 {
                self.app.stop.sleep(Duration::from_secs(1)).await;
            }
            match self.invalidator.send(target, batch).await {
                BatchOutcome::Accepted(accepted) => self.pending.push(PendingInvalidation {
                    target: target.clone(),
                    id: accepted.id,
                    completed: accepted.completed,
                    paths: batch.paths.len() as u64,
                }),
                BatchOutcome::Refused(error) | BatchOutcome::Failed(error) => {
                    return Err(error.into());
                }
                BatchOutcome::TooLarge => {
                    let error = Error::failed("CloudFront refuses so many paths at once");
                    return Err(error.hint("send fewer"));
                }
                BatchOutcome::Stopped => return Err(Error::interrupted("interrupted")),
            }
        }
        Ok(())
    }

    async fn show(&mut self, target: &PurgeTarget, id: &str) -> Result<(), Error> {
        let shown = self.invalidator.cloudfront.invalidation(target, id).await?;
        let paths = shown.invalidation_batch.and_then(|batch| batch.paths);
        let paths = paths.and_then(|paths| paths.items);
        self.print(
            target,
            ShownInvalidation {
                distribution: target.id().to_owned(),
                id: shown.id,
                status: shown.status,
                created: shown.create_time.to_string(),
                paths: Some(paths.unwrap_or_default()),
            },
        );
        Ok(())
    }

    async fn list(&mut self, target: &PurgeTarget) -> Result<(), Error> {
        let enough = |seen: &[_]| seen.len() >= MAX_LISTED;
        let listed = self
            .invalidator
            .cloudfront
            .invalidations(target, enough)
            .await?;
        if listed.is_empty() {
            self.app.printer.no_invalidations(target.id());
        }
        for summary in listed.into_iter().take(MAX_LISTED) {
            self.print(
                target,
                ShownInvalidation {
                    distribution: target.id().to_owned(),
                    id: summary.id,
                    status: summary.status,
                    created: summary.create_time.to_string(),
                    paths: None,
                },
            );
        }
        Ok(())
    }

    /// Prints an invalidation, and keeps it to be waited for where it is not completed.
    fn print(&mut self, target: &PurgeTarget, shown: ShownInvalidation) {
        self.app.printer.invalidation(&shown);
        if !shown.status.eq_ignore_ascii_case("completed") {
            self.pending.push(PendingInvalidation {
                target: target.clone(),
                id: shown.id,
                completed: false,
                paths: 0,
            });
        }
    }

    async fn wait(&mut self) -> Result<(), Error> {
        let app = self.app;
        let done = self.invalidator.wait(&mut self.pending).await?;
        app.printer.finish();
        if done {
            return Ok(());
        }
        if app.stop.is_set() {
            return Err(Error::interrupted(
                "interrupted while waiting: the purge goes on",
            ));
        }
        let error = Error::new(Exit::Stale, "not completed in time: the purge goes on");
        Err(error.hint("--timeout gives it longer"))
    }
}
