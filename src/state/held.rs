//! The lock while it is held: renewed in the background, and given up for good once it may be another's.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::lock::{Lease, Record};
use super::{StateError, Store};
use crate::aws::uptime;

/// The lock, held. It is renewed in the background until released or dropped.
#[derive(Debug)]
pub struct Held {
    shared: Arc<Shared>,
    renewals: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    lease: Mutex<Lease>,
    /// The uptime at which the lease runs out; zero once the lock is lost.
    until: watch::Sender<Duration>,
    lost: watch::Sender<bool>,
}

/// Longest that one renewal may take, retries included.
const RENEWAL: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(500);

impl Held {
    /// `sent`: the uptime just before the request that took it.
    pub(super) fn start(store: Store, lease: Lease, sent: Duration) -> Self {
        let shared = Arc::new(Shared {
            until: watch::Sender::new(sent.saturating_add(store.timing.lease)),
            lost: watch::Sender::new(false),
            lease: Mutex::new(lease),
            store,
        });
        Self {
            renewals: tokio::spawn(Arc::clone(&shared).renew_until_lost()),
            shared,
        }
    }

    /// Whether a request that takes at most `longest` would end within the lease.
    pub fn may_start(&self, longest: Duration) -> bool {
        !*self.shared.lost.borrow()
            && uptime().saturating_add(longest) < *self.shared.until.borrow()
    }

    /// True once the lock is lost, for good.
    pub fn is_lost(&self) -> bool {
        !self.may_start(Duration::ZERO)
    }

    /// Becomes true once the lock is lost; closed without that once it is released.
    pub fn lost(&self) -> watch::Receiver<bool> {
        self.shared.lost.subscribe()
    }

    /// Renews it now, besides what is done in the background. [`StateError::Lost`]: it is another's.
    pub async fn renew(&self) -> Result<(), StateError> {
        self.shared.renew().await
    }

    /// Gives it back. Whatever this answers, nothing may be written any more.
    pub async fn release(&self) -> Result<(), StateError> {
        self.renewals.abort();
        if *self.shared.lost.borrow() {
            return Err(StateError::Lost);
        }
        self.shared.until.send_replace(Duration::ZERO);
        let mut lease = self.shared.lease.lock().await;
        self.shared.store.give_back(&mut lease).await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewals.abort();
    }
}

impl Shared {
    async fn renew_until_lost(self: Arc<Self>) {
        let mut pause = self.store.timing.renew;
        loop {
            sleep(pause.min(self.left())).await;
            if self.left().is_zero() {
                return self.give_up();
            }
            pause = match timeout(RENEWAL.min(self.left()), self.renew()).await {
                Ok(Ok(())) => self.store.timing.renew,
                Ok(Err(StateError::Lost | StateError::Newer { .. })) => return self.give_up(),
                Ok(Err(_)) | Err(_) => RETRY,
            };
        }
    }

    fn left(&self) -> Duration {
        self.until.borrow().saturating_sub(uptime())
    }

    fn give_up(&self) {
        self.until.send_replace(Duration::ZERO);
        self.lost.send_replace(true);
    }

    async fn renew(&self) -> Result<(), StateError> {
        let mut lease = self.lease.lock().await;
        let sent = uptime();
        if *self.lost.borrow() || self.left().is_zero() {
            return Err(StateError::Lost);
        }
        let now = self.store.bucket.watch.server_now();
        let next = Record {
            renewals: lease.record.renewals + 1,
            deadline: now.saturating_add(self.store.timing.lease.as_secs() as i64),
            ..lease.record.clone()
        };
        match self.store.advance(&mut lease, next).await {
            Ok(()) => {
                let until = sent.saturating_add(self.store.timing.lease);
                // Never from lost to held.
                self.until.send_if_modified(|there| {
                    let later = !there.is_zero() && until > *there;
                    if later {
                        *there = until;
                    }
                    later
                });
                Ok(())
            }
            Err(StateError::Lost) => {
                self.give_up();
                Err(StateError::Lost)
            }
            Err(error) => Err(error),
        }
    }
}
