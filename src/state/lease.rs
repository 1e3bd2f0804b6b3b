//! The lease on a site, and the steps of a deploy as writes of `state`: begin, renew, note, end. One writer in a process: they
//! queue.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::history::HistoryRecord;
use super::manifest::{LoadedManifest, ManifestFiles, ManifestUpdate};
use super::object::{
    LeaseRecord, NAME, ObservedState, OpenDeploy, RecentDeploy, StateObject, SuspectKeys,
    UnpaidDeploy,
};
use super::owner::ProcessOwner;
use super::{StateError, StateStore, random};
use crate::aws::{AwsError, Condition, Kind, uptime};
use crate::domain::journal::{Journal, OwedPaths, TouchedKey};
use crate::domain::manifest::{DeployId, Told};
use crate::domain::{ETag, Md5};

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

#[derive(Debug)]
struct RenewalTask(JoinHandle<()>);

#[derive(Debug)]
struct HeldLease {
    store: StateStore,
    /// What was written last.
    written: Mutex<WrittenState>,
    /// The uptime at which the lease runs out; zero once it is lost.
    until: watch::Sender<Duration>,
    lost: watch::Sender<bool>,
    /// Why the endpoint knows no conditions.
    unguarded: Option<String>,
}

#[derive(Debug, Clone)]
struct WrittenState {
    etag: ETag,
    object: StateObject,
}

/// What a deploy becomes in the state.
#[derive(Debug)]
pub struct EndOfDeploy {
    pub recent: RecentDeploy,
    pub manifest: ManifestFiles,
    pub told: BTreeMap<String, Told>,
    /// Deploys that are open no longer.
    pub struck: Vec<DeployId>,
    /// What stays open of this one: changes that nobody knows the outcome of.
    pub left: Option<Journal>,
    /// What deploys, this one among them, leave unpaid: id, source and paths. Others are forgotten.
    pub unpaid: Vec<(DeployId, String, OwedPaths)>,
    /// Keys that a dead deploy may change until then, in unix seconds.
    pub suspects: Vec<(i64, Vec<TouchedKey>)>,
}

/// Pause before a renewal that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);

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
        let sent = uptime();
        next.lease = Some(self.lease_of(deploy));
        next.counter += 1;
        let condition = match &observed.etag {
            Some(etag) => Condition::Is(etag.clone()),
            None => Condition::Absent,
        };
        let write_id = write_id(&next);
        let began = |there: &StateObject| write_id.is_some() && self::write_id(there) == write_id;
        match self.swap(next.clone(), &condition, began).await {
            Ok(Some(written)) => self.hold(deploy, written, sent).await,
            Ok(None) => Ok(BeginOutcome::Moved),
            Err(StateError::Aws(error)) if error.is(&Kind::NotImplemented) => {
                next.lease = None;
                let written = self.write_always(next).await?;
                Ok(BeginOutcome::Held(Lease::unguarded(
                    self,
                    written,
                    error.message,
                )))
            }
            Err(error) => Err(error),
        }
    }

    async fn hold(
        &self,
        deploy: &DeployId,
        mut written: WrittenState,
        sent: Duration,
    ) -> Result<BeginOutcome, StateError> {
        if !written.object.conditional {
            match self.probe(&written.object).await {
                Ok(None) => written.object.conditional = true,
                Err(error) => {
                    // Nobody holds it in the background yet, so that it would stand until its deadline.
                    let lease = Lease::start(self, written, sent);
                    let _ = lease.give_up(Some(deploy), false).await;
                    return Err(error);
                }
                Ok(Some(why)) => {
                    written.object.lease = None;
                    let written = self.write_always(written.object).await?;
                    return Ok(BeginOutcome::Held(Lease::unguarded(self, written, why)));
                }
            }
        }
        Ok(BeginOutcome::Held(Lease::start(self, written, sent)))
    }

    /// Why the endpoint knows no conditions, if it takes a write whose condition does not hold.
    async fn probe(&self, object: &StateObject) -> Result<Option<String>, StateError> {
        let mut other = object.clone();
        other.counter += 1;
        let wrong = Condition::Is(ETag::Md5(Md5([0; 16])));
        let body = other
            .to_bytes()
            .map_err(|error| self.unwritable(NAME, error))?;
        match self.put(NAME, body, &wrong).await {
            Ok(_) => Ok(Some(
                "the endpoint ignores the conditions of conditional writes".to_owned(),
            )),
            Err(error) if matches!(error.kind, Kind::Precondition | Kind::Conflict) => Ok(None),
            Err(error) if error.is(&Kind::NotImplemented) => Ok(Some(error.message)),
            Err(error) => Err(error.into()),
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
            let freed = |there: &StateObject| there.lease.is_none();
            let swapped = self.swap(next, &Condition::Is(etag), freed).await?;
            if swapped.is_some() {
                return Ok(Some(lease));
            }
        }
    }

    /// How a deploy is noted in a state that is as large as `beside`.
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

    fn lease_of(&self, deploy: &DeployId) -> LeaseRecord {
        LeaseRecord {
            deploy: deploy.clone(),
            owner: ProcessOwner::here(),
            write_id: random(),
            deadline: self.deadline(),
        }
    }

    fn deadline(&self) -> i64 {
        let lease = self.timing.lease.as_secs() as i64;
        self.bucket.clock.server_now().saturating_add(lease)
    }

    /// Writes if the condition holds; `None`: it does not. Where the answer leaves that open, or says no, the state is read: it says by `did` whether
    /// our first try had succeeded.
    async fn swap(
        &self,
        object: StateObject,
        condition: &Condition,
        did: impl Fn(&StateObject) -> bool,
    ) -> Result<Option<WrittenState>, StateError> {
        let body = object
            .to_bytes()
            .map_err(|error| self.unwritable(NAME, error))?;
        let error = match self.put(NAME, body, condition).await {
            Ok(written) => {
                let etag = written.etag;
                return Ok(Some(WrittenState { etag, object }));
            }
            Err(error) => error,
        };
        let refused = is_refused(&error);
        if !refused && !error.is_passing() {
            return Err(error.into());
        }
        let Ok(ObservedState { etag, object, .. }) = self.read_state().await else {
            return Err(error.into());
        };
        let there = etag.map(|etag| WrittenState { etag, object });
        match there.filter(|there| did(&there.object)) {
            None if !refused => Err(error.into()),
            there => Ok(there),
        }
    }

    async fn write_always(&self, mut object: StateObject) -> Result<WrittenState, StateError> {
        object.counter += 1;
        let body = object
            .to_bytes()
            .map_err(|error| self.unwritable(NAME, error))?;
        let etag = self.put(NAME, body, &Condition::Always).await?.etag;
        Ok(WrittenState { etag, object })
    }
}

/// A condition on an object that is gone is answered with 404.
fn is_refused(error: &AwsError) -> bool {
    matches!(
        error.kind,
        Kind::Precondition | Kind::Conflict | Kind::NotFound
    )
}

fn write_id(object: &StateObject) -> Option<&str> {
    object.lease.as_ref().map(|lease| lease.write_id.as_str())
}

impl Lease {
    /// `sent`: the uptime just before the request that took it.
    fn start(store: &StateStore, written: WrittenState, sent: Duration) -> Self {
        let until = sent.saturating_add(store.timing.lease);
        let held = Arc::new(HeldLease::new(store, written, until, None));
        let renewals = tokio::spawn(Arc::clone(&held).renew_until_lost());
        Self {
            held,
            _renewals: Some(Arc::new(RenewalTask(renewals))),
        }
    }

    fn unguarded(store: &StateStore, written: WrittenState, why: String) -> Self {
        Self {
            held: Arc::new(HeldLease::new(store, written, Duration::MAX, Some(why))),
            _renewals: None,
        }
    }

    /// Why there is none: the endpoint knows no conditional writes.
    pub fn why_unguarded(&self) -> Option<&str> {
        self.held.unguarded.as_deref()
    }

    /// False once it is lost, given back or has run out, for good.
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

    /// The state as it is under this lease.
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
            .write(|next| {
                if let Some(open) = next.open.iter_mut().find(|open| open.id == *deploy) {
                    open.journal = journal;
                }
            })
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
        ended.remember(end.recent);
        if let Some(left) = &end.left {
            let journal = store.store_document(left, &ended).await?;
            if let Some(open) = ended.open.iter_mut().find(|open| open.id == id) {
                open.journal = journal;
            }
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
        // Renewals meanwhile moved nothing but the lease and the counter.
        let end = |next: &mut StateObject| {
            let lease = ended.lease.take().and(next.lease.take());
            *next = StateObject {
                counter: next.counter,
                lease,
                ..ended
            };
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

impl Drop for RenewalTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl HeldLease {
    fn new(
        store: &StateStore,
        written: WrittenState,
        until: Duration,
        unguarded: Option<String>,
    ) -> Self {
        Self {
            store: store.clone(),
            written: Mutex::new(written),
            until: watch::Sender::new(until),
            lost: watch::Sender::new(false),
            unguarded,
        }
    }

    fn left(&self) -> Duration {
        self.until.borrow().saturating_sub(uptime())
    }

    fn stop_renewing(&self) {
        self.until.send_replace(Duration::ZERO);
        self.lost.send_replace(true);
    }

    /// Returns once the lease is lost or has run out.
    async fn lapse(&self) {
        let mut lost = self.lost.subscribe();
        while !self.left().is_zero() {
            tokio::select! {
                _ = lost.wait_for(|lost| *lost) => return,
                () = sleep(self.left()) => {}
            }
        }
    }

    async fn renew_until_lost(self: Arc<Self>) {
        let mut pause = self.store.timing.renew;
        while !self.left().is_zero() {
            sleep(pause.min(self.left())).await;
            pause = match self.write(|_| ()).await {
                Ok(()) => self.store.timing.renew,
                Err(StateError::Aws(_)) => RETRY,
                Err(_) => break,
            };
        }
        self.stop_renewing();
    }

    async fn object(&self) -> StateObject {
        self.written.lock().await.object.clone()
    }

    /// Writes the next state, which renews the lease unless the change frees it. [`StateError::Lost`]: it is another's.
    async fn write(&self, change: impl FnOnce(&mut StateObject)) -> Result<(), StateError> {
        let mut written = self.written.lock().await;
        let mut next = written.object.clone();
        next.counter += 1;
        change(&mut next);
        if self.unguarded.is_some() {
            *written = self.store.write_always(next).await?;
            return Ok(());
        }
        if self.left().is_zero() {
            return Err(StateError::Lost);
        }
        let (sent, fresh) = (uptime(), random());
        if let Some(lease) = &mut next.lease {
            lease.write_id.clone_from(&fresh);
            lease.deadline = self.store.deadline();
        }
        let ended = next.recent.last().map(|ended| ended.id.clone());
        let ended = ended.filter(|ended| !ends(&written.object, ended));
        // Where the lease is freed only the deploy's own record says that it took effect, also if another began since.
        let did = |there: &StateObject| match next.lease {
            Some(_) => write_id(there) == Some(fresh.as_str()),
            None => *there == next || ended.as_ref().is_some_and(|ended| ends(there, ended)),
        };
        let condition = Condition::Is(written.etag.clone());
        let Some(now) = self.store.swap(next.clone(), &condition, did).await? else {
            self.stop_renewing();
            return Err(StateError::Lost);
        };
        *written = now;
        self.extend(sent.saturating_add(self.store.timing.lease));
        Ok(())
    }

    /// Never from lost to held.
    fn extend(&self, until: Duration) {
        self.until.send_if_modified(|there| {
            let later = !there.is_zero() && until > *there;
            if later {
                *there = until;
            }
            later
        });
    }
}

fn ends(there: &StateObject, deploy: &DeployId) -> bool {
    there.recent.iter().any(|recent| recent.id == *deploy)
}
