//! `unstale invalidate` and `unstale invalidations`: the purge by hand.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::connect::Link;
use super::{App, manual_paths};
use crate::aws::cloudfront::PurgeTarget;
use crate::aws::{AwsError, AwsErrorKind};
use crate::cli;
use crate::deploy::invalidator;
use crate::deploy::invalidator::{BatchOutcome, Invalidator, PendingInvalidation};
use crate::error::{Error, Exit};
use crate::job::event::EventSink;
use crate::object::journal::PurgeBatch;
use crate::report::invalidations::{ManualSummary, ShownCounts, ShownInvalidation, taken};
use crate::survey;

/// Invalidations that are listed of each distribution, at most.
const MAX_LISTED: usize = 100;

/// The invalidations of a command.
struct ManualPurge<'a> {
    app: &'a App,
    invalidator: Invalidator,
    pending: Vec<PendingInvalidation>,
}

/// Batches that CloudFront has not taken yet, and where they go.
type UnsentBatches = VecDeque<(PurgeTarget, PurgeBatch)>;

pub(super) async fn invalidate(app: &App, flags: &cli::InvalidateArgs) -> Result<Exit, Error> {
    let asked = manual_paths::read(app, flags).await?;
    let link = app.connect().await?;
    let mut purge = ManualPurge::new(app, &link);
    let targets = purge.targets(&link).await?;
    let pause = Duration::from_secs(u64::from(app.is_paced(&link)));
    purge.send(targets, &asked.paths, pause).await?;
    if app.settings.wait {
        purge.watch().await?;
    }
    let sent = purge.pending.iter().map(PendingInvalidation::summary);
    app.printer.purged_by_hand(&ManualSummary {
        left_out: asked.left_out as u64,
        invalidations: sent.collect(),
    });
    Ok(Exit::Done)
}

pub(super) async fn invalidations(
    app: &App,
    flags: &cli::InvalidationsArgs,
) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let mut invalidations = ManualPurge::new(app, &link);
    let (mut shown, mut missing) = (ShownCounts::default(), None);
    for target in invalidations.targets(&link).await? {
        let answer = match &flags.id {
            Some(id) => invalidations.show(&target, id).await,
            None => invalidations.list(&target, &mut shown).await,
        };
        match answer {
            Ok(count) => shown.shown += count,
            Err(error) if error.is(&AwsErrorKind::NotFound) => missing = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    if let (Some(error), 0) = (missing, shown.shown) {
        return Err(error.into());
    }
    if flags.wait {
        invalidations.wait().await?;
    }
    let pending = invalidations.pending.iter();
    shown.in_progress = pending.filter(|awaited| !awaited.completed).count();
    app.printer.invalidations_shown(&shown);
    Ok(Exit::Done)
}

impl<'a> ManualPurge<'a> {
    fn new(app: &'a App, link: &Link) -> Self {
        let printer = app.printer.clone();
        Self {
            app,
            invalidator: Invalidator {
                cloudfront: link.aws.cloudfront(),
                until: Instant::now() + app.settings.timeout.0,
                stop: app.stop.clone(),
                tell: EventSink::new(move |event| printer.event_by_hand(event)),
            },
            pending: Vec::new(),
        }
    }

    /// Gives what is next its full time: what came before has spent of it.
    fn begin_time(&mut self) {
        self.invalidator.until = Instant::now() + self.app.settings.timeout.0;
    }

    async fn targets(&self, link: &Link) -> Result<Vec<PurgeTarget>, Error> {
        let names = self.app.target_names(link);
        survey::find_named(&self.invalidator.cloudfront, &names).await
    }

    /// Sends the paths to every target, with a pause between batches. Where CloudFront does not take them all, tells what is left.
    async fn send(
        &mut self,
        targets: Vec<PurgeTarget>,
        paths: &[String],
        pause: Duration,
    ) -> Result<(), Error> {
        let deploy = crate::state::mint(self.invalidator.cloudfront.clock.server_now());
        let batches = invalidator::batches(&deploy, 0, paths);
        let mut noted = batches.len();
        let mut unsent: UnsentBatches = targets
            .into_iter()
            .flat_map(|target| {
                batches
                    .iter()
                    .map(move |batch| (target.clone(), batch.clone()))
            })
            .collect();
        while let Some((target, batch)) = unsent.pop_front() {
            let error = match self.invalidator.send(&target, &batch).await {
                BatchOutcome::Accepted(accepted) => {
                    let sent = batch.paths.len() as u64;
                    self.app
                        .printer
                        .invalidated(target.id(), &accepted.id, sent);
                    let pending = PendingInvalidation::new(target, accepted, sent);
                    self.pending.push(pending);
                    self.begin_time();
                    if !unsent.is_empty() {
                        self.app.stop.sleep(pause).await;
                    }
                    continue;
                }
                BatchOutcome::TooLarge => {
                    let (left, right) = batch.paths.split_at(batch.paths.len() / 2);
                    for half in [right, left] {
                        for batch in invalidator::batches(&deploy, noted, half) {
                            noted += 1;
                            unsent.push_front((target.clone(), batch));
                        }
                    }
                    continue;
                }
                BatchOutcome::Refused(error) => refused(error.into(), &batch),
                BatchOutcome::Failed(error) => error.into(),
                BatchOutcome::Stopped => Error::interrupted("interrupted"),
            };
            unsent.push_front((target, batch));
            return Err(self.cut_short(error, unsent));
        }
        Ok(())
    }

    /// Says what CloudFront took before the error, and prints what it did not.
    fn cut_short(&self, error: Error, unsent: UnsentBatches) -> Error {
        if self.pending.is_empty() {
            return error;
        }
        let mut left: BTreeMap<PurgeTarget, Vec<String>> = BTreeMap::new();
        for (target, batch) in unsent {
            left.entry(target).or_default().extend(batch.paths);
        }
        for (target, paths) in &left {
            self.app.printer.unsent(target.id(), paths);
        }
        let accepted: u64 = self.pending.iter().map(|sent| sent.paths).sum();
        let total = accepted + left.values().map(|paths| paths.len() as u64).sum::<u64>();
        let mut sent: BTreeMap<&PurgeTarget, Vec<_>> = BTreeMap::new();
        for invalidation in &self.pending {
            let target = &invalidation.target;
            sent.entry(target).or_default().push(invalidation.summary());
        }
        let mut lefts = left.keys();
        let whose = match (lefts.next(), lefts.next()) {
            (Some(target), None) if sent.keys().all(|sent| *sent == target) => String::new(),
            (Some(target), None) => format!(" --distribution {}", target.id()),
            _ => " --distribution ID, for each by itself".to_owned(),
        };
        let first = error.hint.map(|hint| format!("{hint}; then "));
        let hint = format!(
            "{}put what is left into a file, a path a line, and go on with --paths-from FILE{whose}",
            first.unwrap_or_default()
        );
        Error {
            message: format!(
                "{accepted} of {total} paths were sent, and then: {}",
                error.message
            ),
            causes: sent.into_values().map(|sent| taken(&sent)).collect(),
            hint: Some(hint),
            ..error
        }
    }

    /// Shows one; answers how many that are.
    async fn show(&mut self, target: &PurgeTarget, id: &str) -> Result<usize, AwsError> {
        let shown = self.invalidator.cloudfront.invalidation(target, id).await?;
        let paths = shown.invalidation_batch.and_then(|batch| batch.paths);
        let paths = paths.and_then(|paths| paths.items);
        let shown = ShownInvalidation {
            distribution: target.id().to_owned(),
            id: shown.id,
            status: shown.status,
            created: shown.create_time.to_string(),
            paths: Some(paths.unwrap_or_default()),
        };
        self.print(target, shown);
        Ok(1)
    }

    async fn list(
        &mut self,
        target: &PurgeTarget,
        counts: &mut ShownCounts,
    ) -> Result<usize, AwsError> {
        // One more tells that there are more.
        let enough = |seen: &[_]| seen.len() > MAX_LISTED;
        let cloudfront = &self.invalidator.cloudfront;
        let mut listed = cloudfront.invalidations(target, enough).await?;
        if listed.len() > MAX_LISTED {
            counts.older_not_shown.push(target.id().to_owned());
            listed.truncate(MAX_LISTED);
        }
        let shown = listed.len();
        if listed.is_empty() {
            self.app.printer.no_invalidations(target.id());
        }
        for summary in listed {
            let shown = ShownInvalidation {
                distribution: target.id().to_owned(),
                id: summary.id,
                status: summary.status,
                created: summary.create_time.to_string(),
                paths: None,
            };
            self.print(target, shown);
        }
        Ok(shown)
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

    /// Waits until what was sent is completed, where that may be asked: the purge goes on all the same.
    async fn watch(&mut self) -> Result<(), Error> {
        match self.invalidator.wait(&mut self.pending).await {
            Err(error) if error.is_denied() => {
                self.app.printer.finish();
                self.app.printer.unwatched(&error);
                Ok(())
            }
            done => self.waited(done?),
        }
    }

    async fn wait(&mut self) -> Result<(), Error> {
        self.begin_time();
        let done = self.invalidator.wait(&mut self.pending).await?;
        self.waited(done)
    }

    /// Says how a wait ended: all are `done`, or not.
    fn waited(&self, done: bool) -> Result<(), Error> {
        self.app.printer.finish();
        if done {
            return Ok(());
        }
        if self.app.stop.is_set() {
            return Err(Error::interrupted(
                "interrupted while waiting: the purge goes on",
            ));
        }
        let error = Error::new(Exit::Stale, "not completed in time: the purge goes on");
        Err(error.hint("--timeout gives it longer"))
    }
}

/// Adds what CloudFront may have meant where the error names no path.
fn refused(error: Error, batch: &PurgeBatch) -> Error {
    let mut paths = batch.paths.iter();
    match paths.find(|path| invalidator::may_be_refused(path)) {
        Some(path) => error.hint(format!(
            "it may be {path}: CloudFront refuses an apostrophe at times, and tags where a plan has none; a wildcard before it does both"
        )),
        None => error,
    }
}
