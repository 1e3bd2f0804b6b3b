//! The lease while it is held: renewed in the background, and every write of the state that is made under it. One writer in a
//! process: they queue.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::object::StateObject;
use super::swap::WrittenState;
use super::{StateError, StateStore, random};
use crate::aws::WriteCondition;
use crate::system::uptime;

/// Pause before a renewal that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct RenewalTask(JoinHandle<()>);

#[derive(Debug)]
pub(super) struct HeldLease {
    pub(super) store: StateStore,
    /// What was written last.
    pub(super) written: Mutex<WrittenState>,
    /// The uptime at which the lease runs out; zero once it is lost.
    until: watch::Sender<Duration>,
    /// Why the endpoint knows no conditions.
    pub(super) unguarded: Option<String>,
}

impl RenewalTask {
    pub(super) fn spawn(held: &Arc<HeldLease>) -> Self {
        Self(tokio::spawn(Arc::clone(held).renew_until_lost()))
    }
}

impl Drop for RenewalTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl HeldLease {
    /// Holds a lease that runs out at the uptime `until`.
    pub(super) fn new(store: &StateStore, written: WrittenState, until: Duration) -> Self {
        Self {
            store: store.clone(),
            written: Mutex::new(written),
            until: watch::Sender::new(until),
            unguarded: None,
        }
    }

    /// Holds none, since the endpoint knows no conditions: everything may be done at any time.
    pub(super) fn unguarded(store: &StateStore, written: WrittenState, why: String) -> Self {
        Self {
            unguarded: Some(why),
            ..Self::new(store, written, Duration::MAX)
        }
    }

    pub(super) fn left(&self) -> Duration {
        self.until.borrow().saturating_sub(uptime())
    }

    pub(super) fn stop_renewing(&self) {
        self.until.send_replace(Duration::ZERO);
    }

    /// Returns once the lease is lost or has run out.
    pub(super) async fn lapse(&self) {
        let mut until = self.until.subscribe();
        while !self.left().is_zero() {
            tokio::select! {
                _ = until.wait_for(Duration::is_zero) => return,
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

    pub(super) async fn object(&self) -> StateObject {
        self.written.lock().await.object.clone()
    }

    /// Writes the next state, which renews the lease unless the change frees it. [`StateError::Lost`]: it is another's.
    pub(super) async fn write(
        &self,
        change: impl FnOnce(&mut StateObject),
    ) -> Result<(), StateError> {
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
        let last = next.recent.last().map(|recent| &recent.id);
        let ended = last.filter(|ended| !written.object.has_ended(ended));
        // Where the lease is freed only the deploy's own record says that it took effect, also if another began since.
        let did = |seen: &StateObject| match next.lease {
            Some(_) => seen.write_id() == Some(fresh.as_str()),
            None => *seen == next || ended.is_some_and(|ended| seen.has_ended(ended)),
        };
        let condition = WriteCondition::Is(written.etag.clone());
        let Some(now) = self.store.swap(next.clone(), &condition, did).await? else {
            self.stop_renewing();
            return Err(StateError::Lost);
        };
        *written = now;
        self.extend(sent.saturating_add(self.store.timing.lease));
        Ok(())
    }

    /// Moves the end of the lease, but never from lost to held.
    fn extend(&self, later: Duration) {
        self.until.send_if_modified(|until| {
            let is_held = !until.is_zero();
            if is_held {
                *until = later.max(*until);
            }
            is_held
        });
    }
}
