//! A whole deploy: look, plan, take the lock, apply, and go round again where the world moved meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Teller;
use super::apply::{Applied, Apply, Hands};
use super::event::{Event, Invalidated, Summary};
use super::function;
use super::job::Job;
use super::listing::Splits;
use super::past::Past;
use super::pool::Level;
use super::record;
use super::scene::Scene;
use super::send;
use super::source::Source;
use super::stop::Stop;
use super::survey::{self, Opened, Place, Remote};
use super::targets::Targets;
use crate::aws::Aws;
use crate::domain::{ETag, Key};
use crate::edge::batch;
use crate::error::{Error, Exit};
use crate::plan::{Action, Plan, guard};
use crate::state::lock::Observed;
use crate::state::{self, Held, Take};

/// How often a plan is made anew because somebody else wrote to the bucket meanwhile.
const ROUNDS: usize = 6;
/// Connections opened to CloudFront before the purge, at most.
const BATCHES_AHEAD: usize = 16;

/// Looks and plans; changes nothing.
pub async fn plan(
    aws: &Aws,
    job: &Job,
    stop: &Stop,
    tell: &Teller,
) -> Result<(Scene, Plan), Error> {
    let splits = Arc::default();
    let look = async {
        let opened = survey::open(aws, job, Some(&splits)).await?;
        let place = opened.place.clone();
        let remote = survey::remote(opened, &splits, tell).await?;
        Ok((place, remote))
    };
    let (mut source, targets, (place, remote)) = tokio::try_join!(
        source(job, &splits, tell),
        function::find_targets(aws, job),
        look
    )?;
    if let Some((who, until)) = busy(&remote.lock) {
        tell.tell(Event::Warned(format!(
            "another deploy is under way ({who}, until {until}): the bucket is moving"
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

/// Who holds the lock, and until when.
fn busy(lock: &Observed) -> Option<(String, String)> {
    let record = lock.record.as_ref().filter(|_| !lock.is_free())?;
    let owner = &record.owner;
    let until = jiff::Timestamp::from_second(record.deadline).unwrap_or_default();
    Some((
        format!("{}@{} (process {})", owner.user, owner.host, owner.pid),
        until.to_string(),
    ))
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
    let mut level = Level::new(job.concurrency, aws.watch.clone());
    let splits = Arc::default();
    let look = async {
        let opened = survey::open(aws, job, Some(&splits)).await?;
        let opened = wait_for_lock(job, stop, tell, opened).await?;
        let place = opened.place.clone();
        let remote = survey::remote(opened, &splits, tell).await?;
        Ok((place, remote))
    };
    let (source, targets, (place, remote)) = tokio::try_join!(
        source(job, &splits, tell),
        function::find_targets(aws, job),
        look
    )?;
    let mut run = Run {
        aws,
        job,
        stop,
        tell,
        begun,
        level: &mut level,
        place,
        splits,
        hands: None,
        held: None,
        written: HashMap::new(),
        summary: Summary {
            bucket: job.bucket.clone(),
            prefix: job.prefix.clone(),
            ..Summary::default()
        },
    };
    let result = run.rounds(source, targets, remote).await;
    if let Some(held) = run.held.take() {
        // A lock that is lost is somebody else's to give back.
        let _ = held.release().await;
    }
    let mut summary = std::mem::take(&mut run.summary);
    summary.seconds = begun.elapsed().as_secs_f64();
    summary.requests = aws.watch.requests();
    // Where nothing was begun the error says all.
    if result.is_ok() || summary.deploy.is_some() {
        tell.tell(Event::Ended(summary.clone()));
    }
    result.map(|changed| Deployed { summary, changed })
}

struct Run<'a> {
    aws: &'a Aws,
    job: &'a Job,
    stop: &'a Stop,
    tell: &'a Teller,
    begun: Instant,
    level: &'a mut Level,
    place: Place,
    splits: Arc<Splits>,
    /// What changes go through; opened with the first.
    hands: Option<Hands>,
    held: Option<Held>,
    /// What this run has put so far.
    written: HashMap<Key, ETag>,
    summary: Summary,
}

enum Lock {
    Held,
    /// Somebody deployed since: look and plan again.
    Moved(Box<Observed>),
    /// The endpoint knows no conditional writes.
    Unguarded,
}

impl Run<'_> {
    async fn rounds(
        &mut self,
        source: Source,
        targets: Targets,
        mut remote: Remote,
    ) -> Result<Option<(Scene, Arc<Plan>)>, Error> {
        let (mut source, mut targets) = (Some(source), Some(targets));
        let mut unguarded = false;
        for _ in 0..ROUNDS {
            let (Some(mut wanted), Some(found)) = (source.take(), targets.take()) else {
                break;
            };
            let lock = remote.lock.clone();
            wanted.look(&self.place, &remote, &found, self.job).await?;
            let mut scene = Scene::new(self.place.clone(), wanted, found, remote, self.job);
            scene.remember(&self.written);
            scene.check_dropped(self.job)?;
            if self.job.resume && self.summary.deploy.is_none() && scene.owes_nothing() {
                self.summary.outcome = "nothing to do".into();
                return Ok(None);
            }
            let plan = Arc::new(
                scene
                    .plan(self.job, self.level, self.stop, self.tell)
                    .await?,
            );
            self.tell.tell(Event::Planned(plan.clone()));
            guard::check(&plan, self.job.max_delete)
                .map_err(|refused| Error::failed(refused.to_string()).hint(refused.hint()))?;
            self.count(&plan);
            if plan.is_empty() {
                self.summary.outcome = "nothing to do".into();
                if self.held.is_none() && lock.holder().is_some() {
                    // Its holder is dead: other hosts need not wait for its deadline.
                    self.take_lock(&lock, &state::mint(scene.now)).await?;
                }
                return Ok(None);
            }
            let deploy = state::mint(scene.now);
            let hands = self.hands(&plan);
            let journal = record::journal(&deploy, &scene, self.job, &plan);
            let store = self.place.store.clone();
            if self.held.is_some() || unguarded {
                store.write_debt(&journal).await?;
            } else {
                // The journal rides along: nothing is changed before both are in.
                let noting = store.write_debt(&journal);
                let (taken, noted) = tokio::join!(self.take_lock(&lock, &deploy), noting);
                if noted.is_err() || !matches!(taken, Ok(Lock::Held | Lock::Unguarded)) {
                    // It speaks of nothing; left behind it would cost the next deploy a purge.
                    let _ = store.strike_debt(&deploy).await;
                }
                let taken = taken?;
                noted?;
                match taken {
                    Lock::Held => {}
                    Lock::Unguarded => unguarded = true,
                    Lock::Moved(seen) => {
                        remote = self.look_again(*seen).await?;
                        self.tell
                            .tell(Event::PlannedAgain("another deploy ended meanwhile".into()));
                        (source, targets) = (Some(scene.source), Some(scene.targets));
                        continue;
                    }
                }
            }
            self.summary.deploy = Some(deploy.to_string());
            let apply = Apply {
                job: self.job,
                scene: &mut scene,
                plan: plan.clone(),
                deploy,
                held: self.held.as_ref(),
                hands,
                level: self.level,
                stop: self.stop,
                tell: self.tell,
            };
            let applied = apply.run(journal).await;
            if let Some(key) = &applied.race
                && !self.stop.is_set()
            {
                self.tell.tell(Event::PlannedAgain(format!(
                    "somebody else wrote {key} meanwhile"
                )));
                self.tally(&plan, &applied);
                let written = applied.done.written.into_iter();
                self.written.extend(written.filter_map(|(at, written)| {
                    Some((plan.changes.get(at)?.key.clone(), written.etag))
                }));
                remote = self.look_again(lock).await?;
                (source, targets) = (Some(scene.source), Some(scene.targets));
                continue;
            }
            self.end(&plan, applied).await?;
            return Ok(Some((scene, plan)));
        }
        Err(
            Error::incomplete("somebody else keeps writing to the bucket")
                .hint("deploy again once it is quiet"),
        )
    }

    /// What a plan is carried out with. Connections are opened while the lock is taken.
    fn hands(&mut self, plan: &Plan) -> Hands {
        let level = &mut *self.level;
        let open = || {
            let ranks = plan.changes.chunk_by(|one, other| one.rank == other.rank);
            let widest = ranks.map(<[_]>::len).max().unwrap_or_default();
            let batches = plan.purges.iter().map(|one| {
                let paths: Vec<String> = one.purge.cover.texts().map(str::to_owned).collect();
                batch::batches(&paths).len()
            });
            let batches: usize = batches.sum();
            Hands {
                bucket: self.place.bucket.for_changes(level.begin(widest)),
                cloudfront: self
                    .aws
                    .cloudfront()
                    .for_changes(batches.min(BATCHES_AHEAD)),
            }
        };
        self.hands.get_or_insert_with(open).clone()
    }

    fn count(&mut self, plan: &Plan) {
        self.summary.unchanged = plan.unchanged as u64;
        self.summary.retained = plan.retained.len() as u64;
        self.summary.foreign = plan.foreign.len() as u64;
    }

    fn tally(&mut self, plan: &Plan, applied: &Applied) {
        for at in applied.done.written.keys() {
            let Some(change) = plan.changes.get(*at) else {
                continue;
            };
            match change.action {
                Action::Upload => {
                    self.summary.uploaded += 1;
                    self.summary.uploaded_bytes += change.size;
                }
                _ => self.summary.copied += 1,
            }
        }
        self.summary.deleted += applied.done.deleted.len() as u64;
        self.summary.paths_purged += applied.sent.paths;
    }

    /// Waits for the purge, where that is wanted, and says how it went.
    async fn end(&mut self, plan: &Plan, mut applied: Applied) -> Result<(), Error> {
        self.tally(plan, &applied);
        self.summary.failed = applied.failed.len() as u64;
        self.summary.cost_usd = applied.cost.dollars();
        let lost = !applied.released && self.held.as_ref().is_some_and(Held::is_lost);
        if let Some(held) = self.held.take()
            && !applied.released
        {
            let _ = held.release().await;
        }
        let trouble = self.trouble(&applied, lost);
        let mut timed_out = applied.late;
        if trouble.is_none() && self.job.wait {
            let until = self.begun + self.job.timeout;
            let until = until.max(Instant::now() + Duration::from_millis(1));
            let cloudfront = self.aws.cloudfront();
            let waited = send::wait(
                &cloudfront,
                &mut applied.sent.pending,
                until,
                self.stop,
                self.tell,
            )
            .await;
            timed_out |= !waited.map_err(|error| Error {
                exit: Exit::Stale,
                ..error.into()
            })?;
        }
        self.summary.invalidations = applied
            .sent
            .pending
            .iter()
            .map(|one| Invalidated {
                distribution: one.target.id().to_owned(),
                id: one.id.clone(),
                paths: one.paths,
                status: if one.completed {
                    "Completed"
                } else {
                    "InProgress"
                }
                .into(),
            })
            .collect();
        match trouble {
            Some(error) => Err(error),
            None if self.stop.is_set() => Err(Error::interrupted(
                "interrupted while waiting: everything is live, and every purge was accepted",
            )),
            None if timed_out => {
                let ids: Vec<_> = applied
                    .sent
                    .pending
                    .iter()
                    .filter(|one| !one.completed)
                    .map(|one| one.id.as_str())
                    .collect();
                Err(Error::new(
                    Exit::Stale,
                    format!(
                        "the purge was accepted, but not completed in time: {}",
                        ids.join(", ")
                    ),
                )
                .hint("`unstale invalidations --wait` waits on; --timeout gives it longer"))
            }
            None => {
                self.summary.outcome = "done".into();
                Ok(())
            }
        }
    }

    /// What kept the deploy from being whole.
    fn trouble(&self, applied: &Applied, lost: bool) -> Option<Error> {
        const NEXT: &str = "the next deploy makes it good: what it owes is noted in the bucket";
        if self.stop.is_set() && !applied.recorded {
            return Some(Error::interrupted("interrupted: some of it is live").hint(NEXT));
        }
        if lost && !applied.recorded {
            return Some(
                Error::incomplete("the lock was lost, so nothing more was written").hint(NEXT),
            );
        }
        if let Some(why) = applied.trouble() {
            return Some(Error::incomplete(format!("not all is done: {why}")).hint(NEXT));
        }
        if !applied.recorded && applied.failed.is_empty() {
            return Some(
                Error::incomplete("the lock could not be renewed, so nothing more was written")
                    .hint(NEXT),
            );
        }
        let (_, first) = applied.failed.first()?;
        let mut error = Error::incomplete(format!(
            "{} objects are not as they should be",
            applied.failed.len()
        ))
        .hint(NEXT);
        if let super::put::PutError::Aws(first) = first
            && let Some(hint) = first.hint()
        {
            error.hint = Some(format!("{hint}; {NEXT}"));
        }
        error.causes = applied
            .failed
            .iter()
            .take(5)
            .map(|(key, why)| format!("{key}: {why}"))
            .collect();
        Some(error)
    }

    async fn take_lock(
        &mut self,
        seen: &Observed,
        deploy: &crate::domain::manifest::DeployId,
    ) -> Result<Lock, Error> {
        Ok(match self.place.store.take_lock(seen, deploy).await? {
            Take::Held(held) => {
                let (mut lost, stop) = (held.lost(), self.stop.clone());
                tokio::spawn(async move {
                    // Given back, it is not lost.
                    if lost.wait_for(|lost| *lost).await.is_ok() {
                        stop.lose();
                    }
                });
                self.held = Some(held);
                Lock::Held
            }
            Take::Busy(seen) | Take::Moved(seen) => Lock::Moved(Box::new(seen)),
            Take::Unguarded { why } => {
                self.tell.tell(Event::Warned(format!(
                    "no lock is taken, since the endpoint knows no conditional writes ({why}): see to it that no two deploys meet"
                )));
                Lock::Unguarded
            }
        })
    }

    /// Looks at the bucket for another round, once the lock is known.
    async fn look_again(&self, lock: Observed) -> Result<Remote, Error> {
        let mut opened = Opened {
            place: self.place.clone(),
            head: self.place.store.read_head().await?,
            lock,
            early: None,
        };
        if self.held.is_none() {
            opened = wait_for_lock(self.job, self.stop, self.tell, opened).await?;
        }
        survey::remote(opened, &self.splits, self.tell).await
    }
}

/// Returns once the lock is free, as far as anybody can see.
async fn wait_for_lock(
    job: &Job,
    stop: &Stop,
    tell: &Teller,
    opened: Opened,
) -> Result<Opened, Error> {
    if opened.lock.is_free() {
        return Ok(opened);
    }
    let Opened { place, lock, .. } = opened;
    let begun = Instant::now();
    let on_wait = |seen: &Observed| {
        if let Some((who, until)) = busy(seen) {
            let (waited, patience) = (begun.elapsed(), job.lock_wait);
            tell.tell(Event::LockAwaited {
                who,
                until,
                waited,
                patience,
            });
        }
    };
    let waiting = place.store.wait_for_lock(lock, job.lock_wait, on_wait);
    let lock = tokio::select! {
        seen = waiting => seen?,
        () = stop.wished() => return Err(Error::interrupted("interrupted while waiting for the lock")),
    };
    match busy(&lock) {
        None => Ok(Opened {
            head: place.store.read_head().await?,
            place,
            lock,
            early: None,
        }),
        Some((who, until)) => Err(Error::new(
            Exit::Locked,
            format!("another deploy holds the lock: {who}, until {until}"),
        )
        .hint(
            "wait for it, give --lock-wait longer, or, if it is dead for certain, `unstale unlock`",
        )),
    }
}
