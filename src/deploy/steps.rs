//! The order of a deploy. Each step keeps a promise to the one before: nothing is live before what it refers to, nothing is purged
//! before it is live, nothing is forgotten before it is purged.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::event::{Event, Teller};
use super::function::Step;
use super::job::Job;
use super::pool::{self, Level, PoolEnd};
use super::put::{PutError, Tools};
use super::record;
use super::scene::Scene;
use super::send;
use super::sender::{PurgeSender, SendFailure, SentPurge, texts};
use super::stop::Stop;
use super::survey;
use super::wants::Wants;
use crate::aws::s3::{MAX_DELETES, Written, attempt_timeout};
use crate::aws::{Aws, AwsError, Kind};
use crate::domain::journal::Journal;
use crate::domain::manifest::DeployId;
use crate::domain::{ETag, Key};
use crate::edge::Money;
use crate::edge::path::Dialect;
use crate::error::Error;
use crate::plan::{Change, Deletion, Plan, TargetPurge};
use crate::state::{Lease, StateError};

/// What a deploy works with.
pub(super) struct RunningDeploy<'a> {
    pub(super) aws: &'a Aws,
    pub(super) job: &'a Job,
    pub(super) scene: &'a mut Scene,
    pub(super) plan: Arc<Plan>,
    pub(super) id: DeployId,
    /// What the state says that it will do.
    pub(super) journal: Journal,
    pub(super) lease: Lease,
    pub(super) sender: PurgeSender,
    pub(super) level: &'a mut Level,
    pub(super) stop: &'a Stop,
    pub(super) tell: &'a Teller,
    pub(super) progress: DeployProgress,
}

/// What was brought about so far.
#[derive(Debug, Default)]
pub(super) struct DeployProgress {
    /// A first change was begun.
    pub(super) begun: bool,
    pub(super) put: HashMap<Key, Written>,
    pub(super) deleted: HashSet<Key>,
    /// Those of them that took so long that an attempt may have been given up, and may take effect yet.
    pub(super) slow: HashSet<Key>,
    /// Objects that are not as they should be, and why.
    pub(super) failures: Vec<(Key, PutError)>,
    /// Distributions stay configured otherwise than the plan took them to be.
    pub(super) reconfigured: bool,
    /// The purges for what was brought about.
    pub(super) purges: Vec<TargetPurge>,
    pub(super) sent: SentPurge,
    pub(super) purge: PurgeOutcome,
    pub(super) cost: Money,
}

/// What became of the purge.
#[derive(Debug, Default)]
pub(super) enum PurgeOutcome {
    /// CloudFront took all of it that was to be sent so far.
    #[default]
    Accepted,
    /// The time for the wait ran out before the assets could be removed.
    TimedOut,
    /// Not all of it was taken: the rest stays unpaid.
    Refused(AwsError),
}

/// Why a deploy stops before its end is noted.
#[derive(Debug)]
pub(super) enum Halt {
    /// Somebody else wrote this key since the listing: look and plan again.
    Race(Key),
    Interrupted,
    /// Interrupted, and changes were given up that may take effect yet.
    Abandoned,
    State(StateError),
}

impl From<StateError> for Halt {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl DeployProgress {
    fn has_failed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// Whether changes failed that may take effect yet.
    pub(super) fn leaves_open(&self) -> bool {
        self.failures.iter().any(|(_, error)| error.leaves_open())
    }

    fn did(&self, key: &Key) -> bool {
        self.put.contains_key(key) || self.deleted.contains(key)
    }
}

impl RunningDeploy<'_> {
    /// The journal stands in the state, and nothing else was written.
    pub(super) async fn carry_out(&mut self) -> Result<(), Halt> {
        self.abort_dead_uploads().await?;
        self.put_rank_by_rank().await?;
        self.publish_function().await?;
        self.delete_pages().await?;
        self.look_at_suspects().await?;
        self.note_what_differs().await?;
        if self.removes_assets() {
            self.send_purge().await?;
            self.wait_until_no_edge_needs_assets().await?;
            self.delete_assets().await?;
            self.note_what_differs().await?;
        }
        self.send_purge_and_end().await
    }

    /// Whether the next step may begin.
    fn go_on(&self) -> Result<(), Halt> {
        if self.stop.is_set() {
            return Err(Halt::Interrupted);
        }
        match self.lease.is_held() {
            true => Ok(()),
            false => Err(StateError::Lost.into()),
        }
    }

    /// Waits for what is under way, but once it was asked to stop no longer than some seconds.
    async fn patiently<T>(&self, request: impl Future<Output = T>) -> Result<T, Halt> {
        tokio::select! {
            answer = request => Ok(answer),
            () = self.stop.expired() => Err(Halt::Abandoned),
        }
    }

    /// Gives up the uploads in parts that dead deploys began: nobody else pays for them, and none may complete later.
    async fn abort_dead_uploads(&mut self) -> Result<(), Halt> {
        let place = &self.scene.place;
        let dead = self.scene.dead_uploads();
        if dead.is_empty() {
            return Ok(());
        }
        // Whoever may not list them leaves them to a rule of the bucket.
        let Ok(uploads) = place.bucket.uploads(&place.prefix).await else {
            return Ok(());
        };
        for (upload, begun) in uploads {
            if dead.contains(&upload.key) && begun <= self.scene.now {
                let abort = self.lease.within(place.bucket.abort_upload(&upload));
                let _ = abort.await?;
            }
        }
        Ok(())
    }

    /// Uploads and copies. A failure keeps later ranks back.
    async fn put_rank_by_rank(&mut self) -> Result<(), Halt> {
        let plan = self.plan.clone();
        self.go_on()?;
        if !plan.changes.is_empty() {
            self.tell.tell(Event::UploadsBegan {
                files: plan.changes.len() as u64,
                bytes: plan.upload_bytes(),
            });
        }
        let tools = Arc::new(Tools::new(
            self.scene.place.clone(),
            self.scene.source.root(),
            self.tell.clone(),
            self.job,
            self.lease.why_unguarded().is_none(),
        ));
        let mut kept = self.scene.source.take_kept();
        for rank in plan.changes.chunk_by(|one, other| one.rank == other.rank) {
            self.go_on()?;
            self.put_all(&tools, &mut kept, rank).await?;
            if self.progress.has_failed() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Puts the changes of one rank.
    async fn put_all(
        &mut self,
        tools: &Arc<Tools>,
        kept: &mut HashMap<Key, Bytes>,
        changes: &[Change],
    ) -> Result<(), Halt> {
        let wants = Wants::new(self.job, &self.scene.source, &self.scene.targets);
        let lease = &self.lease;
        let start = |change: Change| {
            let (tools, lease) = (tools.clone(), lease.clone());
            let file = wants.file(change.key.as_str()).cloned();
            let kept = kept.remove(&change.key);
            async move {
                let begun = Instant::now();
                let put = lease.within(tools.put(&change, file.as_ref(), kept)).await;
                let put = put.unwrap_or_else(|lost| Err(lost.into()));
                (change, put, begun.elapsed())
            }
        };
        let (tell, progress) = (self.tell, &mut self.progress);
        progress.begun = true;
        let (mut race, mut lost) = (None, None);
        let done = |(change, put, took): (Change, Result<Written, PutError>, Duration)| {
            if took >= attempt_timeout(0) {
                progress.slow.insert(change.key.clone());
            }
            match put {
                Ok(written) => {
                    tell.tell(Event::Changed {
                        key: change.key.clone(),
                        action: change.action,
                        reason: change.reason,
                        bytes: change.size,
                    });
                    progress.put.insert(change.key, written);
                }
                Err(PutError::Lost(error)) => lost = Some(error),
                Err(error) if error.is_race() => race = Some(change.key),
                Err(error) => progress.failures.push((change.key, error)),
            }
            race.is_none() && lost.is_none()
        };
        let items = changes.iter().cloned();
        let end = pool::run(self.level, self.stop, items, start, done).await;
        match (lost, race) {
            _ if end == PoolEnd::Abandoned => Err(Halt::Abandoned),
            (Some(lost), _) => Err(lost.into()),
            (None, Some(key)) => Err(Halt::Race(key)),
            (None, None) => Ok(()),
        }
    }

    /// Lets the function answer the redirects, whose targets are live now. What cannot be done is told, and the purge is made
    /// for what is.
    async fn publish_function(&mut self) -> Result<(), Halt> {
        self.go_on()?;
        let Some(mut function) = self.scene.targets.function.take() else {
            return Ok(());
        };
        let cloudfront = self.aws.cloudfront();
        let step = Step {
            cloudfront: &cloudfront,
            may_go: &|| self.go_on().is_ok(),
            wait: self.job.wait.then_some(self.job.timeout),
            stop: self.stop,
            tell: self.tell,
        };
        let undone = match self.progress.has_failed() {
            true => function.all(),
            false => self.lease.within(function.deploy(&step)).await?,
        };
        self.progress.reconfigured = !undone.is_empty();
        function.undo(&undone, &mut self.scene.targets);
        self.scene.targets.function = Some(function);
        Ok(())
    }

    async fn delete_pages(&mut self) -> Result<(), Halt> {
        self.go_on()?;
        // Pages that stay name them still.
        match self.progress.has_failed() {
            true => Ok(()),
            false => self.delete(|deletion| deletion.page).await,
        }
    }

    fn removes_assets(&self) -> bool {
        self.plan.deletions.iter().any(|deletion| !deletion.page)
    }

    async fn delete_assets(&mut self) -> Result<(), Halt> {
        match self.may_remove_assets() {
            true => self.delete(|deletion| !deletion.page).await,
            false => Ok(()),
        }
    }

    fn may_remove_assets(&self) -> bool {
        let accepted = matches!(self.progress.purge, PurgeOutcome::Accepted);
        accepted && !self.progress.has_failed()
    }

    async fn delete(&mut self, which: fn(&Deletion) -> bool) -> Result<(), Halt> {
        let plan = self.plan.clone();
        let chosen: Vec<&Deletion> = plan.deletions.iter().filter(|it| which(it)).collect();
        for chunk in chosen.chunks(MAX_DELETES) {
            self.go_on()?;
            self.progress.begun = true;
            let failed = self.delete_chunk(chunk).await?;
            for deletion in chunk {
                self.judge_deletion(deletion, &failed).await?;
            }
        }
        Ok(())
    }

    /// Answers what was not deleted, by whole keys.
    async fn delete_chunk(&self, chunk: &[&Deletion]) -> Result<HashMap<String, AwsError>, Halt> {
        let place = &self.scene.place;
        let guarded = self.lease.why_unguarded().is_none();
        let object = |deletion: &&Deletion| {
            let etag = guarded.then(|| deletion.etag.clone());
            (place.full(deletion.key.as_str()), etag)
        };
        let objects: Vec<(String, Option<ETag>)> = chunk.iter().map(object).collect();
        let deleting = async {
            match place.bucket.delete_many(&objects).await {
                Err(error) if error.is(&Kind::NotImplemented) => {
                    let plain = objects.iter().map(|(key, _)| (key.clone(), None));
                    place.bucket.delete_many(&plain.collect::<Vec<_>>()).await
                }
                answer => answer,
            }
        };
        // What was refused whole is owed still, but no reason to keep back the purge of all else.
        Ok(match self.patiently(self.lease.within(deleting)).await?? {
            Ok(failed) => failed.into_iter().collect(),
            Err(error) => {
                let each = objects.into_iter().map(|(key, _)| (key, error.clone()));
                each.collect()
            }
        })
    }

    async fn judge_deletion(
        &mut self,
        deletion: &Deletion,
        failed: &HashMap<String, AwsError>,
    ) -> Result<(), Halt> {
        let place = &self.scene.place;
        let full = place.full(deletion.key.as_str());
        let gone = match failed.get(&full) {
            None => true,
            // By a first try whose answer was lost, or by somebody else.
            Some(error) if error.is(&Kind::NotFound) => true,
            Some(error) if error.is(&Kind::Precondition) => {
                let head = place.bucket.head(&full, None).await;
                head.map_err(StateError::from)?.is_none()
            }
            Some(_) => false,
        };
        let key = deletion.key.clone();
        match failed.get(&full) {
            Some(error) if !gone => {
                if error.is(&Kind::Precondition) || error.is(&Kind::Conflict) {
                    return Err(Halt::Race(key));
                }
                self.progress.failures.push((key, error.clone().into()));
            }
            _ => {
                self.tell.tell(Event::Deleted { key: key.clone() });
                self.progress.deleted.insert(key);
            }
        }
        Ok(())
    }

    /// A dead deploy may have had requests under way: its keys that were as before when they were listed, and that this deploy
    /// leaves so, are looked at once more before the purge.
    async fn look_at_suspects(&mut self) -> Result<(), Halt> {
        self.go_on()?;
        let unchanged = self.scene.unchanged_keys();
        let unchanged: Vec<_> = (unchanged.iter())
            .filter(|touched| !self.progress.did(&touched.key))
            .collect();
        if unchanged.is_empty() {
            return Ok(());
        }
        let scene = &self.scene;
        let listed = survey::list_again(&scene.place, self.tell).await;
        let listed = listed.map_err(StateError::from)?;
        for touched in unchanged {
            let full = scene.place.full(touched.key.as_str());
            let at = listed.binary_search_by(|object| (*object.key).cmp(full.as_str()));
            let now = at.ok().and_then(|at| listed.get(at));
            if now != scene.remote.find(&scene.place.prefix, &touched.key) {
                return Err(Halt::Race(touched.key.clone()));
            }
        }
        Ok(())
    }

    /// Where less was brought about than planned, or distributions stay as they were: chooses the purge for what was, and notes it.
    async fn note_what_differs(&mut self) -> Result<(), Halt> {
        self.go_on()?;
        let undone: HashSet<Key> = self.undone().collect();
        if undone.is_empty() && !self.progress.reconfigured {
            return Ok(());
        }
        let only = self.brought_about(&undone);
        let (job, plan) = (self.job, &self.plan);
        let chosen = self
            .scene
            .purges_of(job, plan, only.as_ref(), Dialect::default());
        for touched in &mut self.journal.keys {
            touched.failed = undone.contains(&touched.key);
        }
        let accepted = &self.progress.sent.accepted;
        for owed in self.journal.purges.values_mut() {
            owed.batches
                .retain(|batch| accepted.contains_key(&batch.reference));
        }
        if accepted.is_empty() {
            self.sender
                .note(&mut self.journal, &texts(&chosen, false), false);
        }
        self.sender
            .note(&mut self.journal, &texts(&chosen, true), true);
        self.progress.purges = chosen;
        Ok(self.lease.note(&self.id, &self.journal).await?)
    }

    /// The keys of the plan that were not brought about. Assets that go once the purge has completed are not meant while they may
    /// go yet.
    fn undone(&self) -> impl Iterator<Item = Key> {
        let changes = self.plan.changes.iter().map(|change| &change.key);
        let all_that_go = self.progress.has_failed();
        let deletions = self.plan.deletions.iter();
        let deletions = deletions.filter(move |deletion| deletion.page || all_that_go);
        let all = changes.chain(deletions.map(|deletion| &deletion.key));
        let undone = all.filter(|key| !self.progress.did(key));
        undone.cloned()
    }

    /// The keys to purge for; `None`: all of the plan's.
    fn brought_about(&self, undone: &HashSet<Key>) -> Option<HashSet<Key>> {
        let moves = &self.plan.moves;
        let all = moves.now.iter().chain(&moves.late).map(|moved| &moved.key);
        // What a dead deploy left there becomes what the edges were told.
        let claimed = self.plan.claimed.iter().map(|claimed| &claimed.key);
        let claimed: HashSet<&Key> = claimed.collect();
        let done = all.filter(|key| !undone.contains(*key) || claimed.contains(key));
        (!undone.is_empty()).then(|| done.cloned().collect())
    }

    /// Sends the recorded batches that nothing has to wait for. What CloudFront refuses stays unpaid.
    async fn send_purge(&mut self) -> Result<(), Halt> {
        self.go_on()?;
        let sent = &mut self.progress.sent;
        let outcome = self.sender.send(&mut self.journal, false, sent).await;
        self.take(outcome)
    }

    fn take(&mut self, outcome: Result<(), SendFailure>) -> Result<(), Halt> {
        match outcome {
            Ok(()) => Ok(()),
            Err(SendFailure::Refused(error)) => {
                self.progress.purge = PurgeOutcome::Refused(error);
                Ok(())
            }
            Err(SendFailure::Stopped) => Err(self.go_on().err().unwrap_or(Halt::Interrupted)),
            Err(SendFailure::State(error)) => Err(error.into()),
        }
    }

    /// Where nobody can tell that the purge has completed, the assets stay for the next deploy.
    async fn wait_until_no_edge_needs_assets(&mut self) -> Result<(), Halt> {
        if self.may_remove_assets() {
            let cloudfront = self.aws.cloudfront();
            let waited = send::wait(
                &cloudfront,
                &mut self.progress.sent.pending,
                self.sender.until,
                self.stop,
                self.tell,
            );
            if !waited.await.unwrap_or(false) {
                self.progress.purge = PurgeOutcome::TimedOut;
            }
        }
        self.go_on()
    }

    /// Sends what is left of the purge beside the files that the end names, and notes the end.
    async fn send_purge_and_end(&mut self) -> Result<(), Halt> {
        self.go_on()?;
        let late = self.removes_assets();
        // Where assets stay nothing is owed for them.
        let refused = matches!(self.progress.purge, PurgeOutcome::Refused(_));
        let stay = refused || late && self.progress.deleted.is_empty();
        let update = record::update(self.scene, &self.plan, &self.id, &self.progress);
        let before = record::before(self.scene, &update.delta);
        let deploy = update.deploy.clone();
        let progress = &mut self.progress;
        let changes = record::RecordedChanges {
            before: &before,
            now: self.scene.now,
            plan: &self.plan,
            put: &progress.put,
            deleted: &progress.deleted,
        };
        let record = record::history(self.job, &deploy, &self.journal, changes);
        let (lease, journal, sent) = (&self.lease, &mut self.journal, &mut progress.sent);
        let files = lease.write_files(&mut self.scene.remote.loaded, update, &record);
        let sending = async {
            match stay {
                true => Ok(()),
                false => self.sender.send(journal, late, sent).await,
            }
        };
        let both = async { tokio::join!(sending, lease.within(files)) };
        let (outcome, files) = tokio::select! {
            both = both => both,
            () = self.stop.expired() => return Err(Halt::Interrupted),
        };
        let (manifest, counter) = files??;
        self.take(outcome)?;
        self.progress.cost = record::cost(&self.progress);
        let end = record::end(
            self.scene,
            self.job,
            record::WrittenFiles {
                deploy,
                manifest,
                counter,
                journal: &self.journal,
                progress: &self.progress,
            },
        );
        let now = self.scene.place.store.bucket.clock.server_now();
        let state = self.patiently(self.lease.end(end)).await??;
        // What is left over is swept next time: it is never read, so failing here harms nobody.
        let store = &self.scene.place.store;
        let _ = store.sweep(&state, &self.scene.remote.files, now).await;
        Ok(())
    }
}

/// When a purge must have been taken.
pub(super) fn until(job: &Job) -> Instant {
    Instant::now() + job.timeout
}

impl From<PutError> for Error {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Aws(error) => error.into(),
            PutError::Lost(error) => error.into(),
            other => Error::failed(other.to_string()),
        }
    }
}
