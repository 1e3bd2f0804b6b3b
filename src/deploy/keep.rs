//! Keeps what a deploy replaces and removes, before it does, for `rollback` where no version of it stays.

use std::collections::BTreeSet;

use super::conclude::MAX_CAUSES;
use super::plan_inputs::PlanInputs;
use super::progress::HaltReason;
use super::put_error::PutError;
use super::steps::RunningDeploy;
use crate::aws::list::ListedObject;
use crate::aws::s3::CopySource;
use crate::error::Error;
use crate::job::DeployEvent;
use crate::job::pool;
use crate::job::pool::PoolEnd;
use crate::job::request::Job;
use crate::object::KeptName;
use crate::plan::{KeepAction, KeptCopy, Plan};
use crate::state::{KeptNames, Lease, StateError};
use crate::survey::SiteLocation;
use crate::survey::ask::full_head;

impl PlanInputs {
    /// Returns since when (unix seconds) what leaves the site is kept: since the oldest deploy that can be undone after this one.
    /// `None`: nothing is kept.
    pub(super) fn keep_since(&self, job: &Job) -> Option<i64> {
        let before = job.settings.keep.0.checked_sub(1)?;
        let recent = self.remote.state.object.recent.iter().rev();
        let oldest = recent.map(|deploy| deploy.at).nth(before);
        Some(oldest.unwrap_or(i64::MIN))
    }

    /// Finds out which of a plan's copies are kept already. Where nothing is to be done nothing is read.
    pub(super) async fn settle_kept(&mut self, plan: &mut Plan) -> Result<(), Error> {
        if !plan.is_empty() {
            let store = &self.place.store;
            let (kept, warning) = store.read_kept(&self.remote.state.object).await?;
            plan.warnings.extend(warning);
            self.kept = kept;
        }
        plan.kept_copies.settle(|name| self.kept.contains(name));
        Ok(())
    }

    /// Returns what is kept once a deploy has ended that replaced `replaced`. `counter`: what its record is named by.
    pub(super) fn kept_after(
        &self,
        job: &Job,
        counter: u64,
        replaced: &BTreeSet<KeptName>,
    ) -> KeptNames {
        let Some(before) = job.settings.keep.0.checked_sub(1) else {
            return KeptNames::default();
        };
        let mut kept = self.kept.clone();
        kept.note(replaced.iter().cloned(), counter);
        let recent = self.remote.state.object.recent.iter().rev();
        let counters = [counter]
            .into_iter()
            .chain(recent.map(|deploy| deploy.counter));
        kept.forget_before(counters.take(before + 1).last().unwrap_or_default());
        kept
    }
}

impl RunningDeploy<'_> {
    /// Copies what the plan replaces and removes. Nothing is changed where a copy fails.
    pub(super) async fn keep_what_goes(&mut self) -> Result<(), HaltReason> {
        self.go_on()?;
        let copies = &self.plan.kept_copies.copies;
        let (stay, wanted): (Vec<&KeptCopy>, Vec<&KeptCopy>) = copies
            .iter()
            .partition(|copy| copy.action == KeepAction::Stay);
        let kept = &mut self.progress.kept;
        kept.extend(stay.into_iter().map(|copy| copy.name.clone()));
        let (place, lease) = (&self.scene.place, &self.lease);
        let start = |copy: KeptCopy| {
            let (place, lease) = (place.clone(), lease.clone());
            async move {
                let done = lease.within(keep(&place, &copy)).await;
                (copy, done)
            }
        };
        let (mut halt, mut failures) = (None, Vec::new());
        let (tell, total, mut count) = (self.context.tell, wanted.len() as u64, 0);
        let done = |(copy, done): (KeptCopy, Result<Result<bool, PutError>, StateError>)| {
            count += 1;
            tell.tell(DeployEvent::Kept { done: count, total });
            match done {
                Err(lost) => halt = Some(lost.into()),
                Ok(Err(error)) if error.is_race() => halt = Some(HaltReason::Race(copy.key)),
                Ok(Err(error)) => failures.push((copy.key, error)),
                Ok(Ok(true)) => drop(kept.insert(copy.name)),
                Ok(Ok(false)) => {}
            }
            halt.is_none() && failures.len() < MAX_CAUSES
        };
        let wanted = wanted.into_iter().cloned();
        let end = pool::run(self.level, self.context.stop, wanted, start, done).await;
        match halt {
            _ if end == PoolEnd::Abandoned => Err(HaltReason::Abandoned),
            Some(halt) => Err(halt),
            None if failures.is_empty() => self.go_on(),
            None => Err(HaltReason::NotKept(failures)),
        }
    }
}

/// Keeps one copy. Returns whether there is one.
async fn keep(place: &SiteLocation, copy: &KeptCopy) -> Result<bool, PutError> {
    let key = place.full(copy.key.as_str());
    if copy.action == KeepAction::Look {
        // Whoever changed the object kept it before.
        if place.store.kept_head(&copy.name).await?.is_some() {
            return Ok(true);
        }
        let head = full_head(&place.bucket, &key, None, copy.headers).await?;
        let same = head.filter(|head| head.etag == copy.etag);
        if same.is_none_or(|head| head.headers.fingerprint() != copy.headers) {
            return Ok(false);
        }
    }
    let source = CopySource {
        bucket: place.bucket.name(),
        key: &key,
        version: None,
        etag: &copy.etag,
    };
    let redirect = copy.redirect.clone();
    place.store.keep(source, &copy.name, redirect).await?;
    Ok(true)
}

/// Deletes the state's files that nobody names. It happens under the lease: the next deploy may keep anew what nobody names now.
/// `listed`: the state's files, where they lie among what was listed. `kept`: what earlier deploys kept, and what this one did.
pub(super) async fn sweep_litter(
    lease: &Lease,
    place: &SiteLocation,
    listed: &[ListedObject],
    kept: impl Iterator<Item = &KeptName> + Clone,
) -> Result<(), StateError> {
    // Where nothing is kept, what is left over of a state elsewhere is not worth a listing.
    let elsewhere = !place.holds_its_state() && kept.clone().next().is_some();
    let state = lease.state().await?;
    let files = if elsewhere {
        &place.store.list_files().await?
    } else {
        listed
    };
    place
        .store
        .sweep(&state.object, kept, files, state.at)
        .await
}
