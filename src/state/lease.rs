//! The lease on a site, and the steps of a deploy as writes of `state`: begin, renew, note, end.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde::Serialize;

use super::document::MAX_SELDOM;
use super::held::{HeldLease, RenewalTask};
use super::history::{HistoryRecord, RecentDeploy};
use super::kept::KeptNames;
use super::manifest::{LoadedManifest, ManifestUpdate};
use super::object::{
    LeaseRecord, ManifestFiles, ObservedState, OpenDeploy, StateObject, SuspectKeys, UnpaidDeploy,
    WarningDigest,
};
use super::owner::ProcessOwner;
use super::swap::WrittenState;
use super::{StateError, StateStore, random};
use crate::aws::{AwsErrorKind, WriteCondition};
use crate::object::gone::GonePages;
use crate::object::journal::{Journal, OwedPaths, TouchedKey};
use crate::object::manifest::{DeployId, ToldDistribution};
use crate::object::{ETag, Md5};
use crate::system::uptime;

/// What came of an attempt to begin.
#[derive(Debug)]
pub enum BeginOutcome {
    Held(Lease),
    /// Somebody wrote the state since it was read: look and plan again.
    Moved,
}

/// The lease, held. It is renewed in the background until it is given back or dropped. Where the endpoint knows no conditional
/// writes there is none: then everything may be done at any time.
#[derive(Debug, Clone)]
pub struct Lease {
    held: Arc<HeldLease>,
    _renewals: Option<Arc<RenewalTask>>,
}

/// What a deploy becomes in the state.
#[derive(Debug)]
pub struct EndOfDeploy {
    pub recent: RecentDeploy,
    pub manifest: ManifestFiles,
    pub told: BTreeMap<String, ToldDistribution>,
    pub warned: BTreeSet<WarningDigest>,
    /// Deploys that are open no longer.
    pub struck: Vec<DeployId>,
    /// What stays open of this one: changes that nobody knows the outcome of.
    pub left: Option<Journal>,
    /// What deploys, this one among them, leave unpaid: id, source and paths. Others are forgotten.
    pub unpaid: Vec<(DeployId, String, OwedPaths)>,
    /// Keys that a dead deploy may change until then, in unix seconds.
    pub suspects: Vec<(i64, Vec<TouchedKey>)>,
    pub kept: KeptNames,
    /// The pages that are remembered to have left, where that changes.
    pub gone: Option<GonePages>,
}

impl StateStore {
    /// Takes the lease and notes the deploy, in one write that succeeds only if the state is still as observed. Without a
    /// journal it only takes the lease.
    pub async fn begin(
        &self,
        observed: &ObservedState,
        deploy: &DeployId,
        journal: Option<(&str, &Journal)>,
    ) -> Result<BeginOutcome, StateError> {
        if observed.holder(self).is_some() {
            return Ok(BeginOutcome::Moved);
        }
        let mut next = observed.object.clone();
        next.conditional |= self.official;
        if let Some((source, journal)) = journal {
            let open = self.open_deploy(&next, deploy, source, journal).await?;
            next.open.push(open);
        }
        let (sent, write_id) = (uptime(), random());
        next.lease = Some(LeaseRecord {
            deploy: deploy.clone(),
            owner: ProcessOwner::here(),
            write_id: write_id.clone(),
            deadline: self.deadline(),
        });
        next.counter += 1;
        let condition = observed.etag.clone();
        let condition = condition.map_or(WriteCondition::Absent, WriteCondition::Is);
        let began = |seen: &StateObject| seen.write_id() == Some(&write_id);
        let why = match self.swap(next.clone(), &condition, began).await {
            Ok(None) => return Ok(BeginOutcome::Moved),
            Ok(Some(mut written)) => {
                let probed = self.probe(&written.object).await;
                if let Ok(Some(why)) = probed {
                    next = written.object;
                    why
                } else {
                    written.object.conditional |= probed.is_ok();
                    let lease = Lease::start(self, written, sent);
                    if probed.is_err() {
                        // Nobody else gives it back: it would stand until its deadline.
                        let _ = lease.give_up(Some(deploy), false).await;
                    }
                    return probed.map(|_| BeginOutcome::Held(lease));
                }
            }
            Err(StateError::Aws(error)) if error.is(&AwsErrorKind::NotImplemented) => error.message,
            Err(error) => return Err(error),
        };
        next.lease = None;
        let written = self.write_always(next).await?;
        Ok(BeginOutcome::Held(Lease {
            held: Arc::new(HeldLease::unguarded(self, written, why)),
            _renewals: None,
        }))
    }

    /// Finds out why the endpoint knows no conditions, where that is not known yet: it takes a write whose condition does not
    /// hold.
    async fn probe(&self, object: &StateObject) -> Result<Option<String>, StateError> {
        if object.conditional {
            return Ok(None);
        }
        let mut probe = object.clone();
        probe.counter += 1;
        let wrong = WriteCondition::Is(ETag::Md5(Md5([0; 16])));
        match self.put_state(&probe, &wrong).await {
            Ok(_) => Ok(Some(
                "the endpoint ignores the conditions of conditional writes".to_owned(),
            )),
            Err(StateError::Aws(error)) => match error.kind {
                AwsErrorKind::Precondition | AwsErrorKind::Conflict => Ok(None),
                AwsErrorKind::NotImplemented => Ok(Some(error.message)),
                _ => Err(error.into()),
            },
            Err(error) => Err(error),
        }
    }

    /// Frees the lease whoever holds it, who then stops at the next renewal. Answers with what was there.
    pub async fn force_unlock(&self) -> Result<Option<LeaseRecord>, StateError> {
        loop {
            let seen = self.read_state().await?;
            let (Some(etag), Some(lease)) = (seen.etag, seen.object.lease.clone()) else {
                return Ok(None);
            };
            let mut next = seen.object;
            next.lease = None;
            next.counter += 1;
            let freed = |seen: &StateObject| seen.lease.is_none();
            let swapped = self.swap(next, &WriteCondition::Is(etag), freed).await?;
            if swapped.is_some() {
                return Ok(Some(lease));
            }
        }
    }

    /// Stores the journal of a deploy that is noted in a state as large as `beside`.
    async fn open_deploy(
        &self,
        beside: &StateObject,
        deploy: &DeployId,
        source: &str,
        journal: &Journal,
    ) -> Result<OpenDeploy, StateError> {
        Ok(OpenDeploy {
            id: deploy.clone(),
            at: self.bucket.clock.server_now(),
            source: source.to_owned(),
            journal: self.store_document(journal, beside).await?,
        })
    }

    /// Returns the deadline of a lease that is taken or renewed now.
    pub(super) fn deadline(&self) -> i64 {
        let lease = self.timing.lease.as_secs() as i64;
        self.bucket.clock.server_now().saturating_add(lease)
    }
}

impl Lease {
    /// Holds a lease from now on. `sent`: the uptime just before the request that took it.
    fn start(store: &StateStore, written: WrittenState, sent: Duration) -> Self {
        let until = sent.saturating_add(store.timing.lease);
        let held = Arc::new(HeldLease::new(store, written, until));
        let renewals = RenewalTask::spawn(&held);
        Self {
            held,
            _renewals: Some(Arc::new(renewals)),
        }
    }

    /// Says why there is none: the endpoint knows no conditional writes.
    pub fn why_unguarded(&self) -> Option<&str> {
        self.held.unguarded.as_deref()
    }

    /// Tells whether it is held: false once it is lost, given back or has run out, for good.
    pub fn is_held(&self) -> bool {
        !self.held.left().is_zero()
    }

    /// Carries out a request only while the lease is held: it is dropped with it, and no attempt of it begins afterwards, even
    /// where the machine slept meanwhile.
    pub async fn within<T>(&self, request: impl Future<Output = T>) -> Result<T, StateError> {
        let mut lapse = pin!(self.held.lapse());
        let mut request = pin!(request);
        poll_fn(|context| {
            if !self.is_held() || lapse.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(StateError::Lost));
            }
            request.as_mut().poll(context).map(Ok)
        })
        .await
    }

    /// Returns the state as it is under this lease.
    pub async fn state(&self) -> Result<ObservedState, StateError> {
        let written = self.held.written.lock().await.clone();
        Ok(ObservedState {
            etag: Some(written.etag),
            object: written.object,
            at: self.held.store.bucket.clock.server_now(),
        })
    }

    /// Notes one more deploy under this lease.
    pub async fn begin(
        &self,
        deploy: &DeployId,
        source: &str,
        journal: &Journal,
    ) -> Result<(), StateError> {
        let beside = self.held.object().await;
        let open = (self.held.store)
            .open_deploy(&beside, deploy, source, journal)
            .await?;
        self.held
            .write(|next| {
                if let Some(lease) = &mut next.lease {
                    lease.deploy = deploy.clone();
                }
                next.open.push(open);
            })
            .await
    }

    /// Notes what the deploy of this id will do after all.
    pub async fn note(&self, deploy: &DeployId, journal: &Journal) -> Result<(), StateError> {
        let beside = self.held.object().await;
        let journal = self.held.store.store_document(journal, &beside).await?;
        self.held
            .write(|next| next.replace_journal(deploy, journal))
            .await
    }

    /// Writes the files that the end of a deploy will name, and answers with what [`Lease::end`] needs of them.
    pub async fn write_files<C: Serialize>(
        &self,
        loaded: &mut LoadedManifest,
        update: ManifestUpdate,
        record: &HistoryRecord<C>,
    ) -> Result<(ManifestFiles, u64), StateError> {
        let state = self.held.object().await;
        let store = &self.held.store;
        let (files, ()) = tokio::try_join!(
            store.update_manifest(&state, loaded, update),
            store.write_history(record, state.counter)
        )?;
        Ok((files, state.counter))
    }

    /// Ends a deploy, and gives the lease back unless changes of it are left unanswered: then it runs out.
    pub async fn end(&self, end: EndOfDeploy) -> Result<StateObject, StateError> {
        let store = &self.held.store;
        let mut ended = self.held.object().await;
        let id = end.recent.id.clone();
        ended.open.retain(|open| !end.struck.contains(&open.id));
        ended.unpaid.clear();
        ended.suspects.clear();
        ended.manifest = end.manifest;
        ended.told = end.told;
        ended.warned = end.warned;
        ended.remember(end.recent);
        if let Some(left) = &end.left {
            let journal = store.store_document(left, &ended).await?;
            ended.replace_journal(&id, journal);
        } else {
            ended.open.retain(|open| open.id != id);
            ended.lease = None;
        }
        for (id, source, owed) in end.unpaid {
            let owed = store.store_document(&owed, &ended).await?;
            ended.unpaid.push(UnpaidDeploy { id, source, owed });
        }
        for (until, keys) in end.suspects {
            let keys = store.store_document(&keys, &ended).await?;
            ended.suspects.push(SuspectKeys { until, keys });
        }
        ended.kept = None;
        if !end.kept.is_empty() {
            ended.kept = Some(store.store_document(&end.kept, &ended).await?);
        }
        if let Some(gone) = &end.gone {
            ended.gone = Some(store.store_up_to(MAX_SELDOM, gone, &ended).await?);
        }
        let end = |next: &mut StateObject| {
            // Renewals meanwhile moved nothing but the lease and the counter.
            ended.counter = next.counter;
            ended.lease = ended.lease.and(next.lease.take());
            *next = ended;
        };
        self.held.write(end).await?;
        self.held.stop_renewing();
        Ok(self.held.object().await)
    }

    /// Gives the lease back without an end. A deploy that changed nothing (`unused`) is open no longer. Where changes are left
    /// `unanswered` the lease is not given back: it runs out.
    pub async fn give_up(
        &self,
        unused: Option<&DeployId>,
        unanswered: bool,
    ) -> Result<(), StateError> {
        if unanswered {
            self.held.stop_renewing();
            return Ok(());
        }
        if !self.is_held() {
            return Err(StateError::Lost);
        }
        let wrote = self
            .held
            .write(|next| {
                next.open.retain(|open| Some(&open.id) != unused);
                next.lease = None;
            })
            .await;
        self.held.stop_renewing();
        wrote
    }
}
