//! A whole deploy: look, plan, begin, carry out, and go round again where the world moved meanwhile.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::DeployContext;
use super::invalidator;
use super::invalidator::Invalidator;
use super::journal;
use super::lease_wait::{timestamp, wait_for_lease};
use super::plan_inputs::{PlanInputs, WrittenKeys};
use super::progress::{DeployProgress, HaltReason, PurgeOutcome};
use super::purge_sender::{BatchNumbers, PurgeSender, texts};
use super::steps::RunningDeploy;
use crate::aws::AwsClients;
use crate::edge::PurgeMode;
use crate::edge::path::PathDialect;
use crate::error::{Error, Exit};
use crate::job::event::{DeployEvent, DeploySummary, EventSink};
use crate::job::pool::ConcurrencyLevel;
use crate::job::request::Job;
use crate::job::stop::StopSignal;
use crate::object::journal::Journal;
use crate::object::manifest::DeployId;
use crate::plan::guard::{self, PlanRefusal};
use crate::plan::{ChangeAction, Plan};
use crate::scan::LocalFile;
use crate::site::past::PastSite;
use crate::site::source::SiteSource;
use crate::state::{self, BeginOutcome, Lease};
use crate::survey;
use crate::survey::ListingSplits;
use crate::survey::targets::ResolvedTargets;
use crate::survey::{BucketSnapshot, OpenedSite, SiteLocation};
use crate::survey::{wanted_function, wanted_headers};

/// Longest time that giving back the lease may take: else it runs out.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a plan is made anew because somebody else wrote to the bucket meanwhile.
const ROUNDS: usize = 6;

/// Looks and plans; changes nothing.
pub(crate) async fn plan(
    aws: &AwsClients,
    job: &Job,
    stop: &StopSignal,
    tell: &EventSink,
) -> Result<(PlanInputs, Plan), Error> {
    let context = DeployContext {
        aws,
        job,
        stop,
        tell,
    };
    let splits = Arc::default();
    let opening = survey::open_for_plan(aws, job, &splits, tell);
    let mut scene = look(context, &splits, opening).await?;
    if let Some(holder) = scene.remote.state.holder(&scene.place.store) {
        let until = timestamp(holder.deadline);
        tell.tell(DeployEvent::Warned(format!(
            "another deploy is under way ({}, until {until}): the bucket is moving",
            holder.owner
        )));
    }
    let mut level = ConcurrencyLevel::new(job.concurrency, aws.watch.clone());
    let plan = scene.plan(context, &mut level).await?;
    Ok((scene, plan))
}

/// Looks at the build, the distributions and the bucket at once; `opening` finds the bucket.
async fn look(
    context: DeployContext<'_>,
    splits: &Arc<ListingSplits>,
    opening: impl Future<Output = Result<OpenedSite, Error>>,
) -> Result<PlanInputs, Error> {
    let remote = async { survey::remote(opening.await?, splits, context.tell).await };
    let (source, mut targets, (place, remote)) = tokio::try_join!(
        source(context, splits),
        survey::find_targets(context.aws, context.job),
        remote
    )?;
    complete_targets(context, &remote, source.files(), &mut targets).await?;
    PlanInputs::of((place, remote), source, targets, context.job).await
}

/// Adds the distributions that were told before to those that were found, and the headers policies and functions that the settings ask
/// for.
async fn complete_targets(
    context: DeployContext<'_>,
    remote: &BucketSnapshot,
    files: &[LocalFile],
    targets: &mut ResolvedTargets,
) -> Result<(), Error> {
    let (cloudfront, job) = (context.aws.cloudfront(), context.job);
    let told = &remote.state.object.told;
    targets.warn_of_left(told);
    survey::find_recorded(context.aws, job, told, targets).await?;
    if job.rollback.is_none() {
        wanted_headers::prepare(&cloudfront, job, targets).await;
    }
    wanted_function::prepare(&cloudfront, job, files, targets).await
}

/// Returns what the site is to become.
async fn source(
    context: DeployContext<'_>,
    splits: &Arc<ListingSplits>,
) -> Result<SiteSource, Error> {
    let DeployContext {
        job, tell, stop, ..
    } = context;
    let Some(deploy) = &job.rollback else {
        let build = tokio::select! {
            read = survey::build(job, splits, tell) => read?,
            () = stop.wished() => {
                return Err(Error::interrupted("interrupted while reading the build"));
            }
        };
        return Ok(SiteSource::read(build, job).await);
    };
    // No walk tells where to split the listing.
    drop(splits.set(Vec::new()));
    Ok(SiteSource::Past(PastSite::after(deploy.clone())))
}

/// Deploys. Returns what was carried out, nothing where there was nothing to do; an error says what is left to do.
pub(crate) async fn deploy(
    aws: &AwsClients,
    job: &Job,
    stop: &StopSignal,
    tell: &EventSink,
) -> Result<Option<(PlanInputs, Arc<Plan>)>, Error> {
    let begun = Instant::now();
    let context = DeployContext {
        aws,
        job,
        stop,
        tell,
    };
    let splits = Arc::default();
    let opening = async {
        let opened = survey::open(aws, job, Some(&splits)).await?;
        wait_for_lease(context, opened).await
    };
    let scene = look(context, &splits, opening).await?;
    let mut run = DeployRun {
        context,
        begun,
        level: ConcurrencyLevel::new(job.concurrency, aws.watch.clone()),
        splits,
        lease: None,
        open: None,
        unanswered: false,
        written: WrittenKeys::new(),
        summary: DeploySummary {
            bucket: job.bucket.clone(),
            prefix: job.settings.prefix.0.clone(),
            url: scene.targets.site_url(job),
            ..DeploySummary::default()
        },
    };
    let result = run.rounds(scene).await;
    let untouched = run.open.is_some();
    run.give_back().await;
    let mut summary = run.summary;
    summary.seconds = begun.elapsed().as_secs_f64();
    summary.requests = aws.watch.requests();
    if summary.outcome.is_empty() {
        let error = result.as_ref().err();
        let exit = error.map_or(Exit::Done, |error| error.exit);
        summary.outcome = exit.word().into();
    }
    // Where nothing was begun the error says all.
    if result.is_ok() || summary.deploy.is_some() && !untouched {
        tell.tell(DeployEvent::Ended(summary));
    }
    result
}

pub(super) struct DeployRun<'a> {
    pub(super) context: DeployContext<'a>,
    pub(super) begun: Instant,
    level: ConcurrencyLevel,
    splits: Arc<ListingSplits>,
    pub(super) lease: Option<Lease>,
    /// The deploy that stands open in the state, while it has changed nothing.
    open: Option<DeployId>,
    /// Changes were given up that may take effect yet: the lease is not given back.
    unanswered: bool,
    written: WrittenKeys,
    pub(super) summary: DeploySummary,
}

/// What is said before the first change.
struct DeployIntent {
    /// With the batches of the purge.
    journal: Journal,
    numbers: BatchNumbers,
}

impl DeployRun<'_> {
    async fn rounds(
        &mut self,
        mut scene: PlanInputs,
    ) -> Result<Option<(PlanInputs, Arc<Plan>)>, Error> {
        let DeployContext {
            job, stop, tell, ..
        } = self.context;
        for _ in 0..ROUNDS {
            scene.remember(&self.written);
            scene.check_dropped(job)?;
            let Some(plan) = self.plan(&mut scene).await? else {
                if let Some(error) = scene.unpaid_unlisted(job) {
                    return Err(error);
                }
                let action = if job.resume { "resume" } else { "do" };
                self.summary.outcome = format!("nothing to {action}");
                return Ok(None);
            };
            let intent = intend(&scene, job, &plan);
            let why = if let Some(lease) = self.begin(&scene, &intent).await? {
                let standing = (intent, lease);
                let (progress, ended) = self.carry_out(&mut scene, plan.clone(), standing).await;
                match ended {
                    Err(HaltReason::Race(key)) if !stop.is_set() => {
                        self.keep(&plan, progress);
                        format!("somebody else wrote {key} meanwhile")
                    }
                    ended => {
                        self.conclude(progress, ended).await?;
                        return Ok(Some((scene, plan)));
                    }
                }
            } else {
                "another deploy ended meanwhile".to_owned()
            };
            tell.tell(DeployEvent::PlannedAgain(why));
            scene = self.look_again(scene).await?;
        }
        Err(
            Error::incomplete("somebody else keeps writing to the bucket")
                .hint("deploy again once it is quiet"),
        )
    }

    /// Makes the plan; `None` where there is nothing to do.
    async fn plan(&mut self, scene: &mut PlanInputs) -> Result<Option<Arc<Plan>>, Error> {
        let DeployContext { job, tell, .. } = self.context;
        if job.resume && self.summary.deploy.is_none() && scene.owes_nothing() {
            return Ok(None);
        }
        let plan = Arc::new(scene.plan(self.context, &mut self.level).await?);
        tell.tell(DeployEvent::Planned(plan.clone()));
        let settings = &job.settings;
        let refuse =
            |exit, refused: PlanRefusal| Error::new(exit, refused.to_string()).hint(refused.hint());
        guard::check(&plan, settings.max_delete)
            .and_then(|()| guard::check_links(&plan, settings.links))
            .map_err(|refused| refuse(Exit::Failed, refused))?;
        if settings.strict && job.rollback.is_none() {
            guard::check_budget(&plan).map_err(|refused| refuse(Exit::Changes, refused))?;
        }
        self.summary.unchanged = plan.unchanged as u64;
        self.summary.retained = plan.retained.len() as u64;
        self.summary.foreign = plan.foreign.len() as u64;
        Ok((!plan.is_empty()).then_some(plan))
    }

    /// Notes the deploy in the state, and takes the lease with that unless it is held. `None`: somebody deployed since the state
    /// was read, and the lease is taken now.
    async fn begin(
        &mut self,
        scene: &PlanInputs,
        intent: &DeployIntent,
    ) -> Result<Option<Lease>, Error> {
        let (id, journal) = (&intent.numbers.deploy, &intent.journal);
        let source = self.context.job.dir.display().to_string();
        if let Some(lease) = &self.lease {
            lease.begin(id, &source, journal).await?;
        } else {
            let noted = Some((source.as_str(), journal));
            let begun = (scene.place.store).begin(&scene.remote.state, id, noted);
            let BeginOutcome::Held(lease) = begun.await? else {
                self.take_lease(&scene.place, id).await?;
                return Ok(None);
            };
            self.hold(lease);
        }
        self.open = Some(id.clone());
        self.summary.deploy = Some(id.to_string());
        Ok(self.lease.clone())
    }

    fn hold(&mut self, lease: Lease) {
        if let Some(why) = lease.why_unguarded() {
            self.context.tell.tell(DeployEvent::Warned(format!(
                "no lease is taken, since the endpoint knows no conditional writes ({why}): see to it that no two deploys meet"
            )));
        }
        self.lease = Some(lease);
    }

    /// Takes the lease before anything else is looked at.
    async fn take_lease(&mut self, place: &SiteLocation, id: &DeployId) -> Result<(), Error> {
        loop {
            let opened = OpenedSite {
                place: place.clone(),
                state: place.store.read_state().await?,
                early: None,
            };
            let opened = wait_for_lease(self.context, opened).await?;
            let begun = place.store.begin(&opened.state, id, None).await?;
            if let BeginOutcome::Held(lease) = begun {
                self.hold(lease);
                return Ok(());
            }
        }
    }

    async fn carry_out(
        &mut self,
        scene: &mut PlanInputs,
        plan: Arc<Plan>,
        (intent, lease): (DeployIntent, Lease),
    ) -> (DeployProgress, Result<(), HaltReason>) {
        let progress = DeployProgress {
            purge: PurgeOutcome::foreseen(self.context.job, &scene.targets),
            purges: plan.purges.clone(),
            ..DeployProgress::default()
        };
        let mut running = RunningDeploy {
            context: self.context,
            sender: self.sender(scene, &plan, &lease, intent.numbers),
            scene,
            plan: plan.clone(),
            journal: intent.journal,
            lease,
            level: &mut self.level,
            progress,
        };
        let ended = running.carry_out().await;
        let progress = running.progress;
        self.unanswered |= matches!(ended, Err(HaltReason::Abandoned)) || progress.leaves_open();
        self.open.take_if(|_| progress.begun);
        self.count(&plan, &progress);
        (progress, ended)
    }

    /// Prepares to send the purge of a plan.
    fn sender(
        &self,
        scene: &PlanInputs,
        plan: &Plan,
        lease: &Lease,
        numbers: BatchNumbers,
    ) -> PurgeSender {
        let job = self.context.job;
        let refused = PathDialect {
            quote_refused: true,
        };
        let mut covers = (plan.purges.iter()).flat_map(|target| [&target.purge, &target.after]);
        let quoted = covers.any(|purge| purge.cover.texts().any(invalidator::may_be_refused));
        let targets = scene.targets.found.iter();
        PurgeSender {
            invalidator: self.invalidator(Instant::now() + job.settings.timeout.0),
            lease: lease.clone(),
            numbers,
            targets: targets
                .map(|target| (target.id().to_owned(), target.target.clone()))
                .collect(),
            staging: (scene.targets.found.iter())
                .filter(|target| target.staging)
                .map(|target| target.id().to_owned())
                .collect(),
            resend: match job.prices.mode {
                PurgeMode::None => Default::default(),
                _ => scene.open.resend.clone(),
            },
            otherwise: quoted.then(|| scene.purges_of(job, plan, None, refused)),
            paced: job.paced,
        }
    }

    pub(super) fn invalidator(&self, until: Instant) -> Invalidator {
        Invalidator {
            cloudfront: self.context.aws.cloudfront(),
            until,
            stop: self.context.stop.clone(),
            tell: self.context.tell.clone(),
        }
    }

    /// Keeps in mind what this run wrote, for the next round.
    fn keep(&mut self, plan: &Plan, mut progress: DeployProgress) {
        for change in &plan.changes {
            if let Some(written) = progress.put.remove(&change.key) {
                let object = (written.etag, change.headers.clone());
                self.written.insert(change.key.clone(), object);
            }
        }
    }

    fn count(&mut self, plan: &Plan, progress: &DeployProgress) {
        let summary = &mut self.summary;
        let changes = plan.changes.iter();
        for change in changes.filter(|change| progress.put.contains_key(&change.key)) {
            if change.action == ChangeAction::Upload {
                summary.uploaded += 1;
                summary.uploaded_bytes += change.size;
            } else {
                summary.copied += 1;
            }
        }
        summary.deleted += progress.deleted.len() as u64;
        summary.paths_purged += progress.sent.paths;
    }

    /// Gives back a lease that no end gave back.
    async fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            // One that is lost is somebody else's to give back.
            let giving = lease.give_up(self.open.as_ref(), self.unanswered);
            let _ = tokio::time::timeout(PATIENCE, giving).await;
        }
    }

    /// Looks at the bucket for another round, under the lease.
    async fn look_again(&self, scene: PlanInputs) -> Result<PlanInputs, Error> {
        let state = match &self.lease {
            Some(lease) => lease.state().await?,
            None => scene.place.store.read_state().await?,
        };
        let opened = OpenedSite {
            place: scene.place,
            state,
            early: None,
        };
        let (place, remote) = survey::remote(opened, &self.splits, self.context.tell).await?;
        let DeployContext { aws, job, .. } = self.context;
        let mut targets = scene.targets;
        // Whoever deployed meanwhile may have changed what this one writes, and a password may be gone.
        if job.function.is_some() || job.headers_policy.is_some() {
            targets = survey::find_targets(aws, job).await?;
            let files = scene.source.files();
            complete_targets(self.context, &remote, files, &mut targets).await?;
        }
        PlanInputs::of((place, remote), scene.source, targets, job).await
    }
}

/// Writes down what will be done: the journal, with the batches of the purge.
fn intend(scene: &PlanInputs, job: &Job, plan: &Plan) -> DeployIntent {
    let mut journal = journal::journal(scene, job, plan);
    let mut numbers = BatchNumbers {
        deploy: state::mint(scene.now),
        noted: 0,
    };
    numbers.note(&mut journal, texts(&plan.purges, false), false);
    numbers.note(&mut journal, texts(&plan.purges, true), true);
    DeployIntent { journal, numbers }
}
