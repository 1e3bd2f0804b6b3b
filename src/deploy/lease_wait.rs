//! Waits for the lease that another deploy holds.

use std::time::{Duration, Instant};

use super::context::DeployContext;
use crate::error::{Error, Exit};
use crate::job::event::DeployEvent;
use crate::state::LeaseRecord;
use crate::survey::{OpenedSite, SiteLocation};

/// Returns once the lease is free, as far as anybody can see.
pub(super) async fn wait_for_lease(
    context: DeployContext<'_>,
    opened: OpenedSite,
) -> Result<OpenedSite, Error> {
    let OpenedSite { place, state, .. } = &opened;
    if state.holder(&place.store).is_none() {
        return Ok(opened);
    }
    let begun = Instant::now();
    let patience = context.job.settings.lock_wait.0;
    let on_wait = |holder: &LeaseRecord| {
        context.tell.tell(DeployEvent::LockAwaited {
            who: holder.owner.to_string(),
            until: timestamp(free_at(place, holder)),
            ends_in: ends_in(place, holder),
            waited: begun.elapsed(),
            patience,
        });
    };
    let waiting = (place.store).wait_for_lease(state.clone(), patience, on_wait);
    let state = tokio::select! {
        seen = waiting => seen?,
        () = context.stop.wished() => {
            return Err(Error::interrupted("interrupted while waiting for the lease"));
        }
    };
    if let Some(holder) = state.holder(&place.store) {
        let (owner, until) = (&holder.owner, timestamp(free_at(place, holder)));
        let text = format!("another deploy holds the lease: {owner}, until {until}");
        return Err(Error::new(Exit::Locked, text).hint(
            "wait for it, give --lock-wait longer, or, if it is dead for certain, `unstale unlock`",
        ));
    }
    Ok(OpenedSite {
        state,
        early: None,
        ..opened
    })
}

/// Returns when a lease may be taken if its holder renews it no more: unix seconds by the server's clock.
fn free_at(place: &SiteLocation, holder: &LeaseRecord) -> i64 {
    let grace = place.store.timing.grace.as_secs() as i64;
    holder.deadline.saturating_add(grace)
}

fn ends_in(place: &SiteLocation, holder: &LeaseRecord) -> Duration {
    let left = free_at(place, holder).saturating_sub(place.store.bucket.clock.server_now());
    Duration::from_secs(left.max(0).cast_unsigned())
}

/// Formats Unix seconds; what no calendar has is the epoch.
pub(super) fn timestamp(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.to_string()
}
