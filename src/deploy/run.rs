//! A whole deploy: look, plan, begin, carry out, and go round again where the world moved meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Teller;
use super::conclude::{self, Conclusion};
use super::event::{Event, Summary};
use super::job::Job;
use super::listing::Splits;
use super::past::Past;
use super::pool::Level;
use super::record;
use super::scene::{Scene, WrittenKeys};
use super::send;
use super::sender::{PurgeSender, texts};
use super::source::Source;
use super::steps::{DeployProgress, Halt, RunningDeploy, until};
use super::stop::Stop;
use super::survey::{self, Opened, Place, Remote};
use super::targets::Targets;
use super::wanted_function;
use crate::aws::Aws;
use crate::domain::Key;
use crate::domain::journal::Journal;
use crate::domain::manifest::DeployId;
use crate::edge::Mode;
use crate::edge::path::Dialect;
use crate::error::{Error, Exit};
use crate::plan::{Plan, guard};
use crate::state::{self, BeginOutcome, Lease, LeaseRecord, ObservedState};

/// Longest time that giving back the lease may take: else it runs out.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a plan is made anew because somebody else wrote to the bucket meanwhile.
const ROUNDS: usize = 6;

/// Looks and plans; changes nothing.
pub async fn plan(
    aws: &Aws,
    job: &Job,
    stop: &Stop,
    tell: &Teller,
) -> Result<(Scene, Plan), Error> {
    let splits = Arc::default();
    let look = async {
        let opened = survey::open_for_plan(aws, job, &splits, tell).await?;
        let place = opened.place.clone();
        let remote = survey::remote(opened, &splits, tell).await?;
        Ok((place, remote))
    };
    let (mut source, targets, (place, remote)) = tokio::try_join!(
        source(job, &splits, tell),
        wanted_function::find_targets(aws, job),
        look
    )?;
    if let Some(holder) = remote.state.holder(&place.store) {
        let until = timestamp(holder.deadline);
        tell.tell(Event::Warned(format!(
            "another deploy is under way ({}, until {until}): the bucket is moving",
            holder.owner
        )));
    }
    source.look(&place, &remote, &targets, job).await?;
    let mut scene = Scene::new(place, source, targets, remote, job);
    let mut level = Level::new(job.concurrency, aws.watch.clone());
    let plan = scene.plan(job, &mut level, stop, tell).await?;
    Ok((scene, plan))
}

/// What the site is to become.
async fn source(job: &Job, splits: &Arc<Splits>, tell: &Teller) -> Result<Source, Error> {
    Ok(match &job.rollback {
        None => Source::of(survey::build(job, splits, tell).await?),
        Some(deploy) => {
            splits.set(Vec::new());
            Source::Past(Past::after(deploy.clone()))
        }
    })
}

/// What a deploy came to.
#[derive(Debug)]
pub struct Deployed {
    pub summary: Summary,
    /// What was carried out; none where there was nothing to do.
    pub changed: Option<(Scene, Arc<Plan>)>,
}

/// Deploys. The summary is told and returned; an error says what is left to do.
pub async fn deploy(aws: &Aws, job: &Job, stop: &Stop, tell: &Teller) -> Result<Deployed, Error> {
    let begun = Instant::now();
    let splits = Arc::default();
    let look = async {
        let opened = survey::open(aws, job, Some(&splits)).await?;
        let opened = wait_for_lease(job, stop, tell, opened).await?;
        let place = opened.place.clone();
        let remote = survey::remote(opened, &splits, tell).await?;
        Ok((place, remote))
    };
    let (source, targets, (place, remote)) = tokio::try_join!(
        source(job, &splits, tell),
        wanted_function::find_targets(aws, job),
        look
    )?;
    let mut run = DeployRun {
        aws,
        job,
        stop,
        tell,
        begun,
        level: Level::new(job.concurrency, aws.watch.clone()),
        place,
        splits,
        lease: None,
        open: None,
        unanswered: false,
        written: WrittenKeys::new(),
        summary: Summary {
            bucket: job.bucket.clone(),
            prefix: job.prefix.clone(),
            ..Summary::default()
        },
    };
    let result = run.rounds(source, targets, remote).await;
    let untouched = run.open.is_some();
    run.give_back().await;
    let mut summary = run.summary;
    summary.seconds = begun.elapsed().as_secs_f64();
    summary.requests = aws.watch.requests();
    // Where nothing was begun the error says all.
    if result.is_ok() || summary.deploy.is_some() && !untouched {
        tell.tell(Event::Ended(summary.clone()));
    }
    result.map(|changed| Deployed { summary, changed })
}

struct DeployRun<'a> {
    aws: &'a Aws,
    job: &'a Job,
    stop: &'a Stop,
    tell: &'a Teller,
    begun: Instant,
    level: Level,
    place: Place,
    splits: Arc<Splits>,
    lease: Option<Lease>,
    /// The deploy that stands open in the state, while it has changed nothing.
    open: Option<DeployId>,
    /// Changes were given up that may take effect yet: the lease is not given back.
    unanswered: bool,
    written: WrittenKeys,
    summary: Summary,
}

impl DeployRun<'_> {
    async fn rounds(
        &mut self,
        mut source: Source,
        mut targets: Targets,
        mut remote: Remote,
    ) -> Result<Option<(Scene, Arc<Plan>)>, Error> {
        for _ in 0..ROUNDS {
            source
                .look(&self.place, &remote, &targets, self.job)
                .await?;
            let mut scene = Scene::new(self.place.clone(), source, targets, remote, self.job);
            scene.remember(&self.written);
            scene.check_dropped(self.job)?;
            let Some(plan) = self.plan(&mut scene).await? else {
                self.summary.outcome = if self.job.resume {
                    "nothing to resume".into()
                } else {
                    "nothing to do".into()
                };
                return Ok(None);
            };
            let id = state::mint(scene.now);
            let (mut sender, journal) = self.prepare(&scene, &plan, &id);
            let why = match self.begin(&scene, &id, &journal).await? {
                None => "another deploy ended meanwhile".to_owned(),
                Some(lease) => {
                    sender.lease = Some(lease.clone());
                    let (progress, halt) = self
                        .carry_out(&mut scene, &plan, &id, journal, lease, sender)
                        .await;
                    match halt {
                        Err(Halt::Race(key)) if !self.stop.is_set() => {
                            self.keep(&plan, progress);
                            format!("somebody else wrote {key} meanwhile")
                        }
                        ended => {
                            self.conclude(progress, ended).await?;
                            return Ok(Some((scene, plan)));
                        }
                    }
                }
            };
            self.tell.tell(Event::PlannedAgain(why));
            remote = self.look_again().await?;
            (source, targets) = (scene.source, scene.targets);
        }
        Err(
            Error::incomplete("somebody else keeps writing to the bucket")
                .hint("deploy again once it is quiet"),
        )
    }

    /// `None`: there is nothing to do.
    async fn plan(&mut self, scene: &mut Scene) -> Result<Option<Arc<Plan>>, Error> {
        if self.job.resume && self.summary.deploy.is_none() && scene.owes_nothing() {
            return Ok(None);
        }
        let (job, stop, tell) = (self.job, self.stop, self.tell);
        let plan = Arc::new(scene.plan(job, &mut self.level, stop, tell).await?);
        tell.tell(Event::Planned(plan.clone()));
        guard::check(&plan, job.max_delete)
            .map_err(|refused| Error::failed(refused.to_string()).hint(refused.hint()))?;
        self.summary.unchanged = plan.unchanged as u64;
        self.summary.retained = plan.retained.len() as u64;
        self.summary.foreign = plan.foreign.len() as u64;
        Ok((!plan.is_empty()).then_some(plan))
    }

    /// What will be said before the first change: the journal, with the batches of the purge.
    fn prepare(&self, scene: &Scene, plan: &Plan, id: &DeployId) -> (PurgeSender, Journal) {
        let refused = Dialect {
            quote_refused: true,
        };
        let mut covers = plan.purges.iter().flat_map(|one| [&one.purge, &one.after]);
        let quoted = covers.any(|purge| purge.cover.texts().any(send::may_be_refused));
        let found = scene.targets.found.iter();
        let mut sender = PurgeSender {
            cloudfront: self.aws.cloudfront(),
            lease: None,
            deploy: id.clone(),
            targets: found.map(|found| found.target.clone()).collect(),
            resend: match self.job.prices.mode {
                Mode::None => Default::default(),
                _ => scene.open.resend.clone(),
            },
            otherwise: quoted.then(|| scene.purges_of(self.job, plan, None, refused)),
            paced: self.job.paced,
            noted: 0,
            until: until(self.job),
            stop: self.stop.clone(),
            tell: self.tell.clone(),
        };
        let mut journal = record::journal(scene, self.job, plan);
        sender.note(&mut journal, &texts(&plan.purges, false), false);
        sender.note(&mut journal, &texts(&plan.purges, true), true);
        (sender, journal)
    }

    /// Notes the deploy in the state, and takes the lease with that unless it is held. `None`: somebody deployed since the state
    /// was read, and the lease is taken now.
    async fn begin(
        &mut self,
        scene: &Scene,
        id: &DeployId,
        journal: &Journal,
    ) -> Result<Option<Lease>, Error> {
        let source = self.job.dir.display().to_string();
        if let Some(lease) = &self.lease {
            lease.begin(id, &source, journal).await?;
        } else {
            let store = &self.place.store;
            let noted = Some((source.as_str(), journal));
            let BeginOutcome::Held(lease) = store.begin(&scene.remote.state, id, noted).await?
            else {
                self.take_lease(id).await?;
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
            self.tell.tell(Event::Warned(format!(
                "no lease is taken, since the endpoint knows no conditional writes ({why}): see to it that no two deploys meet"
            )));
        }
        self.lease = Some(lease);
    }

    /// Takes the lease before anything else is looked at.
    async fn take_lease(&mut self, id: &DeployId) -> Result<(), Error> {
        loop {
            let opened = Opened {
                place: self.place.clone(),
                state: self.place.store.read_state().await?,
                early: None,
            };
            let opened = wait_for_lease(self.job, self.stop, self.tell, opened).await?;
            let begun = self.place.store.begin(&opened.state, id, None).await?;
            if let BeginOutcome::Held(lease) = begun {
                self.hold(lease);
                return Ok(());
            }
        }
    }

    async fn carry_out(
        &mut self,
        scene: &mut Scene,
        plan: &Arc<Plan>,
        id: &DeployId,
        journal: Journal,
        lease: Lease,
        sender: PurgeSender,
    ) -> (DeployProgress, Result<(), Halt>) {
        let mut running = RunningDeploy {
            aws: self.aws,
            job: self.job,
            scene,
            plan: plan.clone(),
            id: id.clone(),
            journal,
            lease,
            sender,
            level: &mut self.level,
            stop: self.stop,
            tell: self.tell,
            progress: DeployProgress {
                purges: plan.purges.clone(),
                ..DeployProgress::default()
            },
        };
        let halt = running.carry_out().await;
        let progress = running.progress;
        self.unanswered |= matches!(halt, Err(Halt::Abandoned)) || progress.leaves_open();
        self.open.take_if(|_| progress.begun);
        self.count(plan, &progress);
        (progress, halt)
    }

    /// Keeps in mind what this run wrote, for the next round.
    fn keep(&mut self, plan: &Plan, mut progress: DeployProgress) {
        let changes = plan.changes.iter();
        self.written.extend(changes.filter_map(|change| {
            let written = progress.put.remove(&change.key)?;
            Some((change.key.clone(), (written.etag, change.headers.clone())))
        }));
    }

    fn count(&mut self, plan: &Plan, progress: &DeployProgress) {
        let done = |key: &Key| progress.put.contains_key(key);
        for change in plan.changes.iter().filter(|change| done(&change.key)) {
            if change.action == crate::plan::Action::Upload {
                self.summary.uploaded += 1;
                self.summary.uploaded_bytes += change.size;
            } else {
                self.summary.copied += 1;
            }
        }
        self.summary.deleted += progress.deleted.len() as u64;
        self.summary.paths_purged += progress.sent.paths;
    }

    /// Waits for the purge, where that is wanted, and says how it went.
    async fn conclude(
        &mut self,
        progress: DeployProgress,
        ended: Result<(), Halt>,
    ) -> Result<(), Error> {
        self.lease.take_if(|_| ended.is_ok());
        let cloudfront = self.aws.cloudfront();
        let conclusion = Conclusion {
            cloudfront: &cloudfront,
            job: self.job,
            until: self.begun + self.job.timeout,
            stop: self.stop,
            tell: self.tell,
            summary: &mut self.summary,
        };
        conclude::conclude(conclusion, progress, ended).await
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
    async fn look_again(&self) -> Result<Remote, Error> {
        let state = match &self.lease {
            Some(lease) => lease.state().await?,
            None => self.place.store.read_state().await?,
        };
        let opened = Opened {
            place: self.place.clone(),
            state,
            early: None,
        };
        survey::remote(opened, &self.splits, self.tell).await
    }
}

/// Returns once the lease is free, as far as anybody can see.
async fn wait_for_lease(
    job: &Job,
    stop: &Stop,
    tell: &Teller,
    opened: Opened,
) -> Result<Opened, Error> {
    let Opened { place, state, .. } = &opened;
    if state.holder(&place.store).is_none() {
        return Ok(opened);
    }
    let begun = Instant::now();
    let on_wait = |holder: &LeaseRecord| {
        tell.tell(Event::LockAwaited {
            who: holder.owner.to_string(),
            until: timestamp(free_at(place, holder)),
            waited: begun.elapsed(),
            patience: job.lock_wait,
        });
    };
    let waiting = place
        .store
        .wait_for_lease(state.clone(), job.lock_wait, on_wait);
    let state: ObservedState = tokio::select! {
        seen = waiting => seen?,
        () = stop.wished() => return Err(Error::interrupted("interrupted while waiting for the lease")),
    };
    match state.holder(&place.store) {
        None => Ok(Opened {
            state,
            early: None,
            ..opened
        }),
        Some(holder) => Err(Error::new(
            Exit::Locked,
            format!(
                "another deploy holds the lease: {}, until {}",
                holder.owner,
                timestamp(free_at(place, holder))
            ),
        )
        .hint(
            "wait for it, give --lock-wait longer, or, if it is dead for certain, `unstale unlock`",
        )),
    }
}

/// When a lease may be taken if its holder renews it no more, in unix seconds.
fn free_at(place: &Place, holder: &LeaseRecord) -> i64 {
    let grace = place.store.timing.grace.as_secs() as i64;
    holder.deadline.saturating_add(grace)
}

fn timestamp(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.to_string()
}
