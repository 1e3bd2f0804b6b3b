//! The lock: one object that says who deploys, until when, and that nobody has since a plan was made.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::codec::{self, Damage};
use super::held::Held;
use super::owner::Owner;
use super::{StateError, Store, VERSION};
use crate::aws::{Condition, Kind, uptime};
use crate::domain::manifest::DeployId;
use crate::domain::{ETag, Md5};

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

impl Observed {
    /// Whether it may be taken: free, or its holder is dead for sure.
    pub fn is_free(&self) -> bool {
        self.free
    }

    /// Whether its last holder gave it back, or nobody ever held it; not so if that holder is only known to be dead.
    pub fn is_given_back(&self) -> bool {
        let held = self
            .record
            .as_ref()
            .is_some_and(|it| it.state == State::Held);
        !held && self.damaged.is_none()
    }

    /// Who holds it: `user@host, process 123`.
    pub fn holder(&self) -> Option<String> {
        let record = self.record.as_ref()?;
        let Owner {
            user, host, pid, ..
        } = &record.owner;
        (record.state == State::Held).then(|| format!("{user}@{host}, process {pid}"))
    }

    /// Unix seconds after which it may be taken if its holder is dead.
    pub fn until(&self, timing: &Timing) -> Option<i64> {
        let record = self.record.as_ref()?;
        let grace = timing.grace.as_secs() as i64;
        (record.state == State::Held).then(|| record.deadline.saturating_add(grace))
    }
}

/// Relative to the state's root.
pub const NAME: &str = "lock";

impl Store {
    /// Fails with [`StateError::Newer`] where a newer version wrote it.
    pub async fn observe_lock(&self) -> Result<Observed, StateError> {
        let fetched = self.fetch(NAME).await?;
        let mut seen = Observed {
            etag: fetched.as_ref().map(|fetched| fetched.etag.clone()),
            record: None,
            damaged: None,
            at: self.bucket.watch.server_now(),
            free: true,
        };
        let Some(fetched) = fetched else {
            return Ok(seen);
        };
        match codec::from_json::<Record>(&fetched.body) {
            Ok(record) => seen.record = Some(record),
            Err(Damage::Corrupt(why)) => seen.damaged = Some(why),
            Err(newer) => return Err(self.damaged(NAME, newer)),
        }
        let over = seen.until(&self.timing).is_none_or(|until| seen.at > until);
        let dead = || {
            let record = seen.record.as_ref();
            record.is_some_and(|record| Owner::here().knows_dead(&record.owner))
        };
        seen.free = over || dead();
        Ok(seen)
    }

    /// Takes the lock if it is still as observed: success proves that nobody deployed since.
    pub async fn take_lock(&self, seen: &Observed, deploy: &DeployId) -> Result<Take, StateError> {
        if !seen.is_free() {
            return Ok(Take::Busy(seen.clone()));
        }
        let sent = uptime();
        let now = self.bucket.watch.server_now();
        let before = seen.record.as_ref();
        let record = Record {
            version: VERSION,
            epoch: before.map_or(0, |before| before.epoch).saturating_add(1),
            state: State::Held,
            owner: Owner::here(),
            nonce: nonce(),
            renewals: 0,
            deploy: deploy.clone(),
            taken_at: now,
            deadline: now.saturating_add(self.timing.lease.as_secs() as i64),
            conditional: self.official || before.is_some_and(|before| before.conditional),
        };
        let condition = match &seen.etag {
            Some(etag) => Condition::Is(etag.clone()),
            None => Condition::Absent,
        };
        match self.swap(NAME, body_of(&record), &condition).await {
            Ok(Some(etag)) => self.hold(Lease { etag, record }, sent).await,
            Ok(None) => Ok(Take::Moved(self.observe_lock().await?)),
            Err(StateError::Aws(error)) if error.is(&Kind::NotImplemented) => {
                Ok(Take::Unguarded { why: error.message })
            }
            Err(error) => Err(error),
        }
    }

    async fn hold(&self, mut lease: Lease, sent: Duration) -> Result<Take, StateError> {
        if !lease.record.conditional {
            match self.probe(&lease.record).await {
                Ok(None) => lease.record.conditional = true,
                Ok(Some(why)) => return Ok(Take::Unguarded { why }),
                Err(error) => {
                    // Not held in the background yet, so that it would stand until its deadline.
                    let _ = self.give_back(&mut lease).await;
                    return Err(error);
                }
            }
        }
        if sent.saturating_add(self.timing.lease) <= uptime() {
            // Taking it took longer than the lease.
            self.give_back(&mut lease).await?;
            return Ok(Take::Moved(self.observe_lock().await?));
        }
        Ok(Take::Held(Held::start(self.clone(), lease, sent)))
    }

    /// Whether the endpoint refuses a write whose condition does not hold; else why the lock is none, after freeing it.
    async fn probe(&self, record: &Record) -> Result<Option<String>, StateError> {
        let mut other = record.clone();
        other.renewals += 1;
        let wrong = Condition::Is(ETag::Md5(Md5([0; 16])));
        let why = match self.put(NAME, body_of(&other), &wrong).await {
            Ok(_) => "the endpoint ignores the conditions of conditional writes".to_owned(),
            Err(error) if matches!(error.kind, Kind::Precondition | Kind::Conflict) => {
                return Ok(None);
            }
            Err(error) if error.is(&Kind::NotImplemented) => error.message,
            Err(error) => return Err(error.into()),
        };
        let free = freed(&other);
        self.put(NAME, body_of(&free), &Condition::Always).await?;
        Ok(Some(why))
    }

    /// Waits up to `limit` for the lock to be free. Answers with what was seen last, free or not; `on_wait` is told of each
    /// look that found it held.
    pub async fn wait_for_lock(
        &self,
        mut seen: Observed,
        limit: Duration,
        mut on_wait: impl FnMut(&Observed),
    ) -> Result<Observed, StateError> {
        let end = uptime().saturating_add(limit);
        while !seen.is_free() {
            on_wait(&seen);
            let left = end.saturating_sub(uptime());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.min(self.timing.poll)).await;
            seen = self.observe_lock().await?;
        }
        Ok(seen)
    }

    /// Frees the lock whoever holds it, who then stops at the next renewal. Answers with what was there.
    pub async fn force_unlock(&self) -> Result<Observed, StateError> {
        loop {
            let seen = self.observe_lock().await?;
            let Some(etag) = seen.etag.clone() else {
                return Ok(seen);
            };
            let free = Record {
                version: VERSION,
                epoch: seen.record.as_ref().map_or(1, |record| record.epoch + 1),
                state: State::Free,
                owner: Owner::here(),
                nonce: nonce(),
                renewals: 0,
                deploy: DeployId::new(""),
                taken_at: seen.at,
                deadline: seen.at,
                conditional: seen
                    .record
                    .as_ref()
                    .is_some_and(|record| record.conditional),
            };
            let body = body_of(&free);
            match self.swap(NAME, body.clone(), &Condition::Is(etag)).await {
                Ok(Some(_)) => return Ok(seen),
                // Renewed meanwhile.
                Ok(None) => {}
                Err(StateError::Aws(error)) if error.is(&Kind::NotImplemented) => {
                    self.put(NAME, body, &Condition::Always).await?;
                    return Ok(seen);
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) async fn give_back(&self, lease: &mut Lease) -> Result<(), StateError> {
        let free = freed(&lease.record);
        self.advance(lease, free).await
    }

    /// Writes the next record of a lock that is ours. [`StateError::Lost`]: it is not any more.
    pub(super) async fn advance(
        &self,
        lease: &mut Lease,
        mut next: Record,
    ) -> Result<(), StateError> {
        for _ in 0..3 {
            let condition = Condition::Is(lease.etag.clone());
            if let Some(etag) = self.swap(NAME, body_of(&next), &condition).await? {
                lease.etag = etag;
                lease.record = next;
                return Ok(());
            }
            // One of our own writes may have come through after we had given it up.
            let seen = self.observe_lock().await?;
            match (seen.etag, seen.record) {
                (Some(etag), Some(record))
                    if record.nonce == next.nonce && record.state == State::Held =>
                {
                    next.renewals = record.renewals.max(next.renewals) + 1;
                    *lease = Lease { etag, record };
                }
                _ => return Err(StateError::Lost),
            }
        }
        Err(StateError::Lost)
    }
}

/// What the holder last wrote.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) etag: ETag,
    pub(super) record: Record,
}

fn freed(record: &Record) -> Record {
    Record {
        state: State::Free,
        epoch: record.epoch.saturating_add(1),
        renewals: record.renewals + 1,
        ..record.clone()
    }
}

fn body_of(record: &Record) -> Bytes {
    // A record has no map with keys other than text, nor anything else that JSON cannot say.
    serde_json::to_vec(record).unwrap_or_default().into()
}

fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
