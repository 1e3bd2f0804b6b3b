//! Chooses the purge for what was brought about, sends it, and notes the end of the deploy.

use std::collections::HashSet;

use super::delta;
use super::history;
use super::history::RecordedChanges;
use super::keep::sweep_litter;
use super::progress::{HaltReason, PurgeOutcome};
use super::purge_sender::{SendFailure, texts};
use super::steps::RunningDeploy;
use crate::edge::path::PathDialect;
use crate::object::Key;
use crate::object::journal::PurgeBatch;

impl RunningDeploy<'_> {
    /// Chooses the purge for what was brought about, and notes it, where that is less than planned or distributions stay as they
    /// were.
    pub(super) async fn note_what_differs(&mut self) -> Result<(), HaltReason> {
        self.go_on()?;
        let undone: HashSet<Key> = self.undone().collect();
        if undone.is_empty() && !self.progress.reconfigured {
            return Ok(());
        }
        let only = self.brought_about(&undone);
        let (job, plan, dialect) = (self.context.job, &self.plan, PathDialect::default());
        let chosen = self.scene.purges_of(job, plan, only.as_ref(), dialect);
        for touched in &mut self.journal.keys {
            touched.failed = undone.contains(&touched.key);
        }
        let accepted = &self.progress.sent.accepted;
        // Once some of a purge is sent, the rest of it is owed as it stands.
        let stands = |batch: &PurgeBatch| !batch.late && !accepted.is_empty();
        for owed in self.journal.purges.values_mut() {
            owed.batches
                .retain(|batch| stands(batch) || accepted.contains(&batch.reference));
        }
        let numbers = &mut self.sender.numbers;
        if accepted.is_empty() {
            numbers.note(&mut self.journal, texts(&chosen, false), false);
        }
        numbers.note(&mut self.journal, texts(&chosen, true), true);
        self.progress.purges = chosen;
        Ok(self.lease.note(&numbers.deploy, &self.journal).await?)
    }

    /// Returns the keys of the plan that were not brought about. Assets that go once the purge has completed are not meant while
    /// they may go yet.
    fn undone(&self) -> impl Iterator<Item = Key> {
        let late_too = self.progress.has_failed();
        let deletions = self.plan.deletions.iter();
        let deletions = deletions.filter(move |deletion| deletion.page || late_too);
        let changes = self.plan.changes.iter().map(|change| &change.key);
        let keys = changes.chain(deletions.map(|deletion| &deletion.key));
        keys.filter(|key| !self.progress.did(key)).cloned()
    }

    /// Returns the keys to purge for, or `None` for all of the plan's.
    fn brought_about(&self, undone: &HashSet<Key>) -> Option<HashSet<Key>> {
        if undone.is_empty() {
            return None;
        }
        let moves = &self.plan.moves;
        let moved = moves.now.iter().chain(&moves.late);
        // What a dead deploy left there becomes what the edges were told.
        let claimed = self.plan.claimed.iter().map(|claimed| &claimed.key);
        let claimed: HashSet<&Key> = claimed.collect();
        let keys = moved.map(|moved| &moved.key);
        let done = keys.filter(|key| !undone.contains(*key) || claimed.contains(key));
        Some(done.cloned().collect())
    }

    /// Sends the recorded batches that nothing has to wait for. What CloudFront refuses stays unpaid.
    pub(super) async fn send_purge(&mut self) -> Result<(), HaltReason> {
        self.go_on()?;
        let sent = &mut self.progress.sent;
        let outcome = self.sender.send(&mut self.journal, false, sent).await;
        self.take(outcome)
    }

    /// Keeps in mind that CloudFront refused something; anything else that failed ends the deploy.
    fn take(&mut self, outcome: Result<(), SendFailure>) -> Result<(), HaltReason> {
        if self.progress.sent.otherwise {
            let otherwise = self.sender.otherwise.iter();
            otherwise.for_each(|purges| self.progress.purges.clone_from(purges));
        }
        match outcome {
            Ok(()) => Ok(()),
            Err(SendFailure::Refused(error)) => {
                self.progress.purge = PurgeOutcome::Refused(error);
                Ok(())
            }
            Err(SendFailure::Stopped) => Err(self.go_on().err().unwrap_or(HaltReason::Interrupted)),
            Err(SendFailure::State(error)) => Err(error.into()),
        }
    }

    /// Waits for the purge of what needed the assets. Where nobody can tell that it has completed, they stay for the next deploy.
    pub(super) async fn wait_until_no_edge_needs_assets(&mut self) -> Result<(), HaltReason> {
        if self.may_remove_assets() {
            let pending = &mut self.progress.sent.pending;
            let waited = self.sender.invalidator.wait(pending).await;
            if !waited.unwrap_or(false) {
                self.progress.purge = PurgeOutcome::TimedOut;
            }
        }
        self.go_on()
    }

    /// Sends what is left of the purge beside the files that the end names, and notes the end.
    pub(super) async fn send_purge_and_end(&mut self) -> Result<(), HaltReason> {
        self.go_on()?;
        let late = self.removes_assets();
        let refused = matches!(self.progress.purge, PurgeOutcome::Refused(_));
        // Where assets stay nothing is owed for them.
        let sends = !refused && (!late || !self.progress.deleted.is_empty());
        let update = delta::update(
            self.scene,
            &self.plan,
            &self.sender.numbers.deploy,
            &self.progress,
        );
        let deploy = update.deploy.clone();
        let before = history::before(self.scene, &update.delta);
        let progress = &mut self.progress;
        let changes = RecordedChanges {
            before: &before,
            now: self.scene.now,
            plan: &self.plan,
            put: &progress.put,
            deleted: &progress.deleted,
        };
        let record = history::record(self.context.job, &deploy, &self.journal, changes);
        let (lease, journal, sent) = (&self.lease, &mut self.journal, &mut progress.sent);
        let files = lease.write_files(&mut self.scene.remote.loaded, update, &record);
        let sending = async {
            if sends {
                self.sender.send(journal, late, sent).await
            } else {
                Ok(())
            }
        };
        let kept = self.scene.kept.iter().chain(&progress.kept);
        let sweep = sweep_litter(lease, &self.scene.place, &self.scene.remote.files, kept);
        // What is left over is swept next time: it is never read, so failing here harms nobody.
        let sweeping = lease.within(sweep);
        let all = async { tokio::join!(sending, lease.within(files), sweeping) };
        let (outcome, files, _) = tokio::select! {
            all = all => all,
            () = self.context.stop.expired() => return Err(HaltReason::Interrupted),
        };
        let written = files??;
        self.take(outcome)?;
        let own_id = deploy.id.clone();
        let end = self.end(deploy, written);
        let own = end.unpaid.iter().filter(|(id, ..)| *id == own_id);
        let owed = own.flat_map(|(.., owed)| owed);
        let owed = owed.map(|(target, paths)| (target.clone(), paths.len() as u64));
        self.progress.owed = owed.collect();
        self.patiently(self.lease.end(end)).await??;
        Ok(())
    }
}
