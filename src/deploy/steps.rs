//! The order of a deploy. Each step keeps a promise to the one before: nothing is live before what it refers to, nothing is purged
//! before it is live, nothing is forgotten before it is purged.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::context::DeployContext;
use super::plan_inputs::PlanInputs;
use super::progress::{DeployProgress, HaltReason};
use super::purge_sender::PurgeSender;
use super::put::ObjectWriter;
use super::put_error::PutError;
use crate::aws::s3::{Written, attempt_timeout};
use crate::job::event::DeployEvent;
use crate::job::pool;
use crate::job::pool::{ConcurrencyLevel, PoolEnd};
use crate::object::Key;
use crate::object::journal::Journal;
use crate::plan::{Change, Plan};
use crate::site::wants::WantedSite;
use crate::state::{Lease, StateError};
use crate::survey;

/// What came of one put; the outer error: the lease was lost meanwhile.
type LeasedPut = Result<Result<Written, PutError>, StateError>;

/// A deploy that stands open in the state. Functions are in `publish`, deletions in `delete`, the purge and the end in `purge`.
pub(super) struct RunningDeploy<'a> {
    pub(super) context: DeployContext<'a>,
    pub(super) scene: &'a mut PlanInputs,
    pub(super) plan: Arc<Plan>,
    /// What the state says that it will do.
    pub(super) journal: Journal,
    pub(super) lease: Lease,
    pub(super) sender: PurgeSender,
    pub(super) level: &'a mut ConcurrencyLevel,
    pub(super) progress: DeployProgress,
}

impl RunningDeploy<'_> {
    /// Carries out the plan. The journal stands in the state, and nothing else was written.
    pub(super) async fn carry_out(&mut self) -> Result<(), HaltReason> {
        self.protect().await?;
        self.abort_dead_uploads().await?;
        self.keep_what_goes().await?;
        self.put_rank_by_rank().await?;
        self.publish_functions().await?;
        self.delete_pages().await?;
        self.look_at_suspects().await?;
        self.note_what_differs().await?;
        self.wait_until_deployed().await?;
        if self.removes_assets() {
            self.send_purge().await?;
            self.wait_until_no_edge_needs_assets().await?;
            self.delete_assets().await?;
            self.note_what_differs().await?;
        }
        self.send_purge_and_end().await
    }

    /// Fails where the next step may not begin.
    pub(super) fn go_on(&self) -> Result<(), HaltReason> {
        if self.context.stop.is_set() {
            return Err(HaltReason::Interrupted);
        }
        if !self.lease.is_held() {
            return Err(StateError::Lost.into());
        }
        Ok(())
    }

    /// Waits for what is under way, but once it was asked to stop no longer than some seconds.
    pub(super) async fn patiently<T>(
        &self,
        request: impl Future<Output = T>,
    ) -> Result<T, HaltReason> {
        tokio::select! {
            answer = request => Ok(answer),
            () = self.context.stop.expired() => Err(HaltReason::Abandoned),
        }
    }

    /// Gives up the uploads in parts that dead deploys began: nobody else pays for them, and none may complete later.
    async fn abort_dead_uploads(&mut self) -> Result<(), HaltReason> {
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
    async fn put_rank_by_rank(&mut self) -> Result<(), HaltReason> {
        let plan = self.plan.clone();
        self.go_on()?;
        if !plan.changes.is_empty() {
            self.context.tell.tell(DeployEvent::UploadsBegan {
                files: plan.changes.len() as u64,
                bytes: plan.upload_bytes(),
            });
        }
        let writer = ObjectWriter::new(self.context, self.scene, &self.lease);
        let writer = Arc::new(writer);
        let mut kept = self.scene.source.take_kept();
        for rank in plan.changes.chunk_by(|one, other| one.rank == other.rank) {
            self.go_on()?;
            self.put_all(&writer, &mut kept, rank).await?;
            if self.progress.has_failed() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Puts the changes of one rank.
    async fn put_all(
        &mut self,
        writer: &Arc<ObjectWriter>,
        kept: &mut HashMap<Key, Bytes>,
        changes: &[Change],
    ) -> Result<(), HaltReason> {
        let DeployContext {
            job, stop, tell, ..
        } = self.context;
        let wants = WantedSite::new(job, &self.scene.source, &self.scene.targets);
        let lease = &self.lease;
        let start = |change: Change| {
            let (writer, lease) = (writer.clone(), lease.clone());
            let file = wants.file(change.key.as_str()).cloned();
            let kept = kept.remove(&change.key);
            async move {
                let begun = Instant::now();
                let put = lease.within(writer.put(&change, file.as_ref(), kept)).await;
                (change, put, begun.elapsed())
            }
        };
        let progress = &mut self.progress;
        progress.begun = true;
        let mut halt = None;
        let done = |(change, put, took): (Change, LeasedPut, Duration)| {
            if took >= attempt_timeout(0) {
                progress.slow.insert(change.key.clone());
            }
            match put {
                Ok(Ok(written)) => {
                    tell.tell(DeployEvent::Changed {
                        key: change.key.clone(),
                        action: change.action,
                        reason: change.reason,
                        bytes: change.size,
                    });
                    progress.put.insert(change.key, written);
                }
                // It outweighs a race.
                Err(lost) => halt = Some(lost.into()),
                Ok(Err(error)) if error.is_race() => {
                    halt.get_or_insert(HaltReason::Race(change.key));
                }
                Ok(Err(error)) => progress.failures.push((change.key, error)),
            }
            halt.is_none()
        };
        let items = changes.iter().cloned();
        let end = pool::run(self.level, stop, items, start, done).await;
        if end == PoolEnd::Abandoned {
            return Err(HaltReason::Abandoned);
        }
        halt.map_or(Ok(()), Err)
    }

    /// Looks again, before the purge, at keys of dead deploys that were as before when they were listed, and that this deploy
    /// leaves so: a dead deploy may have had requests under way.
    async fn look_at_suspects(&mut self) -> Result<(), HaltReason> {
        self.go_on()?;
        let scene = &self.scene;
        let mut unchanged = scene.unchanged_keys();
        unchanged.retain(|touched| !self.progress.did(&touched.key));
        if unchanged.is_empty() {
            return Ok(());
        }
        let listed = survey::list_again(&scene.place, self.context.tell).await;
        let listed = listed.map_err(StateError::from)?;
        for touched in unchanged {
            let full = scene.place.full(touched.key.as_str());
            if survey::find_object(&listed, &full)
                != survey::find_object(&scene.remote.listing, &full)
            {
                return Err(HaltReason::Race(touched.key.clone()));
            }
        }
        Ok(())
    }
}
