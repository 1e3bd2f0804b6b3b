//! Reading the `state` object, and writing it by compare-and-swap.

use std::time::Duration;

use super::object::{LeaseRecord, NAME, ObservedState, StateObject};
use super::{StateError, StateStore};
use crate::aws::{AwsErrorKind, WriteCondition};
use crate::object::ETag;
use crate::system::uptime;

/// The state as it was written.
#[derive(Debug, Clone)]
pub(super) struct WrittenState {
    pub(super) etag: ETag,
    pub(super) object: StateObject,
}

impl ObservedState {
    /// Says who holds the lease, unless it has run out for certain.
    pub fn holder(&self, store: &StateStore) -> Option<&LeaseRecord> {
        let lease = self.object.lease.as_ref()?;
        let grace = store.timing.grace.as_secs() as i64;
        (self.at <= lease.deadline.saturating_add(grace)).then_some(lease)
    }
}

impl StateStore {
    /// Reads the state. Fails where it is damaged, of a newer version or of another site.
    pub async fn read_state(&self) -> Result<ObservedState, StateError> {
        let fetched = self.fetch(NAME).await?;
        let mut observed = self.no_state();
        let Some(fetched) = fetched else {
            return Ok(observed);
        };
        let object =
            StateObject::from_bytes(&fetched.body).map_err(|damage| self.damaged(NAME, damage))?;
        if (&object.bucket, &object.prefix) != (&self.site.0, &self.site.1) {
            return Err(StateError::OtherSite {
                object: self.url(NAME),
                bucket: object.bucket,
                prefix: object.prefix,
            });
        }
        observed.etag = Some(fetched.etag);
        observed.object = object;
        Ok(observed)
    }

    /// Returns the state of a site that was never deployed.
    pub fn no_state(&self) -> ObservedState {
        let (bucket, prefix) = self.site.clone();
        ObservedState {
            etag: None,
            object: StateObject {
                bucket,
                prefix,
                ..StateObject::default()
            },
            at: self.bucket.clock.server_now(),
        }
    }

    /// Waits up to `limit` for the lease to be free. Answers with what was seen last, free or not; `on_wait` is told of each
    /// look that found it held.
    pub async fn wait_for_lease(
        &self,
        mut seen: ObservedState,
        limit: Duration,
        mut on_wait: impl FnMut(&LeaseRecord),
    ) -> Result<ObservedState, StateError> {
        let end = uptime().saturating_add(limit);
        while let Some(holder) = seen.holder(self) {
            on_wait(holder);
            let left = end.saturating_sub(uptime());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.min(self.timing.poll)).await;
            seen = self.read_state().await?;
        }
        Ok(seen)
    }

    /// Writes the state if the condition holds; `None`: it does not. Where the answer leaves that open, or says no, the state is
    /// read, and `did` tells from it whether our first try had succeeded.
    pub(super) async fn swap(
        &self,
        object: StateObject,
        condition: &WriteCondition,
        did: impl Fn(&StateObject) -> bool,
    ) -> Result<Option<WrittenState>, StateError> {
        let error = match self.put_state(&object, condition).await {
            Ok(etag) => return Ok(Some(WrittenState { etag, object })),
            Err(StateError::Aws(error)) => error,
            Err(error) => return Err(error),
        };
        // A condition on an object that is gone is answered with 404.
        let is_refused = matches!(
            error.kind,
            AwsErrorKind::Precondition | AwsErrorKind::Conflict | AwsErrorKind::NotFound
        );
        if !is_refused && !error.is_passing() {
            return Err(error.into());
        }
        let Ok(ObservedState { etag, object, .. }) = self.read_state().await else {
            return Err(error.into());
        };
        match etag.filter(|_| did(&object)) {
            Some(etag) => Ok(Some(WrittenState { etag, object })),
            None if is_refused => Ok(None),
            None => Err(error.into()),
        }
    }

    /// Writes the state whatever lies there: for endpoints that know no conditions.
    pub(super) async fn write_always(
        &self,
        mut object: StateObject,
    ) -> Result<WrittenState, StateError> {
        object.counter += 1;
        let etag = self.put_state(&object, &WriteCondition::Always).await?;
        Ok(WrittenState { etag, object })
    }

    pub(super) async fn put_state(
        &self,
        object: &StateObject,
        condition: &WriteCondition,
    ) -> Result<ETag, StateError> {
        let body = object.to_bytes();
        let body = body.map_err(|error| self.unwritable(NAME, error))?;
        Ok(self.put(NAME, body, condition).await?.etag)
    }
}
