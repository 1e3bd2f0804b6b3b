//! The lock: one object that says who deploys, until when, and that nobody has since a plan was made.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{StateError, Store};
use crate::domain::ETag;
use crate::domain::manifest::DeployId;

/// The lock object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub version: u64,
    /// Counts takes and releases.
    pub epoch: u64,
    pub state: State,
    #[serde(flatten)]
    pub owner: Owner,
    /// Random: tells our own first try from somebody else's success.
    pub nonce: String,
    /// Counts renewals, so that no two writes have one ETag.
    pub renewals: u64,
    pub deploy: DeployId,
    /// Unix seconds by the server's clock.
    pub taken_at: i64,
    /// Unix seconds by the server's clock.
    pub deadline: i64,
    /// The endpoint was seen to heed conditions.
    #[serde(default)]
    pub conditional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Free,
    Held,
}

/// The process that holds a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owner {
    pub user: String,
    pub host: String,
    pub boot_id: String,
    /// The process ids of containers on one host are told apart by it.
    pub pid_space: String,
    pub pid: u32,
}

/// How long the lock is held and waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    pub lease: Duration,
    pub renew: Duration,
    /// After a dead holder's deadline.
    pub grace: Duration,
    pub poll: Duration,
}

/// The lock as it was read, before the listing.
#[derive(Clone, Debug)]
pub struct Observed {
    pub etag: Option<ETag>,
    /// `None`: there is no lock object, or it is damaged.
    pub record: Option<Record>,
    /// The object cannot be read; it counts as free.
    pub damaged: Option<String>,
    /// Unix seconds by the server's clock.
    pub at: i64,
    free: bool,
}

/// What came of an attempt to take the lock.
#[derive(Debug)]
pub enum Take {
    Held(Held),
    /// Somebody holds it.
    Busy(Observed),
    /// Somebody had it since it was observed: list and plan again.
    Moved(Observed),
    /// The endpoint knows no conditional writes: go on without, and say so.
    Unguarded {
        why: String,
    },
}

/// The lock, held. It is renewed in the background until released or dropped.
#[derive(Debug)]
pub struct Held {
    lost: watch::Receiver<bool>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
            renew: Duration::from_secs(15),
            grace: Duration::from_secs(30),
            poll: Duration::from_millis(1500),
        }
    }
}

impl Owner {
    /// This process.
    pub fn here() -> Self {
        todo!()
    }
}

impl Observed {
    /// Whether it may be taken: free, or its holder is dead for sure.
    pub fn is_free(&self) -> bool {
        self.free
    }
}

impl Held {
    /// Whether a request that takes at most `longest` would end within the lease.
    pub fn may_start(&self, longest: Duration) -> bool {
        todo!()
    }

    /// True once the lock is lost, for good.
    pub fn is_lost(&self) -> bool {
        todo!()
    }

    /// Becomes true once the lock is lost.
    pub fn lost(&self) -> watch::Receiver<bool> {
        self.lost.clone()
    }

    /// Gives it back. Whatever this answers, nothing may be written any more.
    pub async fn release(self) -> Result<(), StateError> {
        todo!()
    }
}

impl Store {
    /// Fails with [`StateError::Newer`] where a newer version wrote it.
    pub async fn observe_lock(&self) -> Result<Observed, StateError> {
        todo!()
    }

    /// Takes the lock if it is still as observed: success proves that nobody deployed since.
    pub async fn take_lock(&self, seen: &Observed, deploy: &DeployId) -> Result<Take, StateError> {
        todo!()
    }

    /// Waits up to `limit` for the lock to be free. Answers with what was seen last, free or not; `on_wait` is told of each
    /// look that found it held.
    pub async fn wait_for_lock(
        &self,
        seen: Observed,
        limit: Duration,
        on_wait: impl FnMut(&Observed),
    ) -> Result<Observed, StateError> {
        todo!()
    }

    /// Frees the lock whoever holds it, who then stops at the next renewal. Answers with what was there.
    pub async fn force_unlock(&self) -> Result<Observed, StateError> {
        todo!()
    }
}
