//! The lease on a site, and the steps of a deploy as writes of `state`: begin, renew, note, end. One writer in a process: they
//! queue.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

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
    /// Ids of writes that were given up since, and that may have taken effect.
    given_up: std::sync::Mutex<Vec<String>>,
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

/// What came of a conditional write.
enum SwapOutcome {
    Written(WrittenState),
    /// The condition does not hold; what is there instead.
    Refused(Option<WrittenState>),
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

/// Longest that one renewal may take, retries included.
const RENEWAL: Duration = Duration::from_secs(10);
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
            self.add_open(&mut next, deploy, source, journal).await?;
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
            Ok(SwapOutcome::Written(written)) => self.hold(deploy, written, sent).await,
            Ok(SwapOutcome::Refused(_)) => Ok(BeginOutcome::Moved),
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
            if matches!(swapped, SwapOutcome::Written(_)) {
                return Ok(Some(lease));
            }
        }
    }

    async fn add_open(
        &self,
        state: &mut StateObject,
        deploy: &DeployId,
        source: &str,
        journal: &Journal,
    ) -> Result<(), StateError> {
        let journal = self.store_document(journal, state).await?;
        state.open.push(OpenDeploy {
            id: deploy.clone(),
            at: self.bucket.clock.server_now(),
            source: source.to_owned(),
            journal,
        });
        Ok(())
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

    /// Writes if the condition holds. Where the answer leaves that open, or says no, the state is read: it says by `did` whether
    /// our first try had succeeded.
    async fn swap(
        &self,
        object: StateObject,
        condition: &Condition,
        did: impl Fn(&StateObject) -> bool,
    ) -> Result<SwapOutcome, StateError> {
        let body = object
            .to_bytes()
            .map_err(|error| self.unwritable(NAME, error))?;
        let error = match self.put(NAME, body, condition).await {
            Ok(written) => {
                let etag = written.etag;
                return Ok(SwapOutcome::Written(WrittenState { etag, object }));
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
        match there {
            Some(there) if did(&there.object) => Ok(SwapOutcome::Written(there)),
            there if refused => Ok(SwapOutcome::Refused(there)),
            _ => Err(error.into()),
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
        let mut changes = self.held.lost.subscribe();
        let mut lost = pin!(changes.wait_for(|lost| *lost));
        let mut request = pin!(request);
        poll_fn(|context| {
            if !self.is_held() || lost.as_mut().poll(context).is_ready() {
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
        let store = &self.held.store;
        self.held
            .write(async |next| {
                if let Some(lease) = &mut next.lease {
                    lease.deploy = deploy.clone();
                }
                store.add_open(next, deploy, source, journal).await
            })
            .await
    }

    /// Notes what the deploy of this id will do after all.
    pub async fn note(&self, deploy: &DeployId, journal: &Journal) -> Result<(), StateError> {
        let store = &self.held.store;
        self.held
            .write(async |next| {
                let document = store.store_document(journal, next).await?;
                for open in next.open.iter_mut().filter(|open| open.id == *deploy) {
                    open.journal = document.clone();
                }
                Ok(())
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
        let state = self.held.written.lock().await.object.clone();
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
        let id = end.recent.id.clone();
        self.held
            .write(async |next| {
                let unanswered = end.left.is_some();
                next.open
                    .retain(|open| !end.struck.contains(&open.id) && (open.id != id || unanswered));
                next.unpaid.clear();
                next.suspects.clear();
                next.manifest = end.manifest.clone();
                next.told = end.told.clone();
                next.remember(end.recent.clone());
                if let Some(left) = &end.left {
                    let document = store.store_document(left, next).await?;
                    for open in next.open.iter_mut().filter(|open| open.id == id) {
                        open.journal = document.clone();
                    }
                }
                for (id, source, owed) in &end.unpaid {
                    let unpaid = UnpaidDeploy {
                        id: id.clone(),
                        source: source.clone(),
                        owed: store.store_document(owed, next).await?,
                    };
                    next.unpaid.push(unpaid);
                }
                for (until, keys) in &end.suspects {
                    let keys = store.store_document(keys, next).await?;
                    next.suspects.push(SuspectKeys {
                        until: *until,
                        keys,
                    });
                }
                if !unanswered {
                    next.lease = None;
                }
                Ok(())
            })
            .await?;
        self.held.stop_renewing();
        Ok(self.held.written.lock().await.object.clone())
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
            .write(async |next| {
                next.open.retain(|open| Some(&open.id) != unused);
                next.lease = None;
                Ok(())
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
            given_up: std::sync::Mutex::default(),
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

    async fn renew_until_lost(self: Arc<Self>) {
        let mut pause = self.store.timing.renew;
        loop {
            sleep(pause.min(self.left())).await;
            if self.left().is_zero() {
                return self.stop_renewing();
            }
            pause = match timeout(RENEWAL.min(self.left()), self.write(async |_| Ok(()))).await {
                Ok(Ok(())) => self.store.timing.renew,
                Ok(Err(StateError::Aws(_))) | Err(_) => RETRY,
                Ok(Err(_)) => return self.stop_renewing(),
            };
        }
    }

    /// Writes the next state, which renews the lease unless the change frees it. [`StateError::Lost`]: it is another's.
    async fn write(
        &self,
        change: impl AsyncFnOnce(&mut StateObject) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut written = self.written.lock().await;
        let mut next = written.object.clone();
        next.counter += 1;
        if self.unguarded.is_some() {
            change(&mut next).await?;
            *written = self.store.write_always(next).await?;
            return Ok(());
        }
        if self.left().is_zero() {
            return Err(StateError::Lost);
        }
        let fresh = random();
        change(&mut next).await?;
        let ended = next.recent.last();
        let ended = ended.filter(|ended| !ends(&written.object, &ended.id));
        let ended = ended.map(|ended| ended.id.clone());
        loop {
            let sent = uptime();
            // Only now: the change may have taken long to write a file.
            if let Some(lease) = &mut next.lease {
                lease.write_id.clone_from(&fresh);
                lease.deadline = self.store.deadline();
            }
            // Where the lease is freed only the deploy's own record says that it took effect, also if another began since.
            let did = |there: &StateObject| match next.lease {
                Some(_) => write_id(there) == Some(fresh.as_str()),
                None => *there == next || ended.as_ref().is_some_and(|ended| ends(there, ended)),
            };
            let known = self.expect(&fresh);
            let condition = Condition::Is(written.etag.clone());
            match self.store.swap(next.clone(), &condition, did).await? {
                SwapOutcome::Written(now) => {
                    *written = now;
                    self.forget();
                    self.extend(sent.saturating_add(self.store.timing.lease));
                    return Ok(());
                }
                // A write of ours that was given up came through after all.
                SwapOutcome::Refused(Some(there))
                    if there.etag != written.etag
                        && write_id(&there.object)
                            .is_some_and(|id| known.iter().any(|one| one == id)) =>
                {
                    next.counter = there.object.counter + 1;
                    *written = there;
                }
                SwapOutcome::Refused(_) => {
                    self.stop_renewing();
                    return Err(StateError::Lost);
                }
            }
        }
    }

    /// Adds the id of a write that is about to be made to those that may take effect; answers with the others.
    fn expect(&self, write_id: &str) -> Vec<String> {
        let mut given_up = (self.given_up.lock()).unwrap_or_else(PoisonError::into_inner);
        let others = given_up.clone();
        given_up.push(write_id.to_owned());
        others
    }

    fn forget(&self) {
        let mut given_up = (self.given_up.lock()).unwrap_or_else(PoisonError::into_inner);
        given_up.clear();
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
