//! The state of the deploys: that it can be read, what it says is open, who holds the lease.

use super::finding::CheckUp;
use crate::object::plural::counted;
use crate::state::ObservedState;
use crate::survey::SiteLocation;

const STATE: &str = "state";

/// Reads the state. `None`: it cannot be read.
pub(super) async fn examine(check: &mut CheckUp, place: &SiteLocation) -> Option<ObservedState> {
    let state = match place.store.read_state().await {
        Ok(state) => state,
        Err(error) => {
            check.problem(STATE, error);
            return None;
        }
    };
    let url = place.store.bucket.url(&place.store.root);
    match state.object.recent.len() {
        _ if state.etag.is_none() => check.fine(
            STATE,
            format!("none yet at {url}: the first deploy writes it"),
        ),
        deploys => check.fine(
            STATE,
            format!("{url} knows {}", counted(deploys as u64, "deploy")),
        ),
    }
    if let Some(holder) = state.holder(&place.store) {
        check.warn(
            STATE,
            format!(
                "{} deploys, or died less than a minute and a half ago",
                holder.owner
            ),
            "other deploys wait for it; `unstale unlock` spares that where it is dead for certain",
        );
    }
    match state.object.open.len() + state.object.unpaid.len() {
        0 => {}
        debts => check.warn(
            STATE,
            format!("{} left something open", counted(debts as u64, "deploy")),
            "the next deploy pays it; `unstale deploy --resume` does just that",
        ),
    }
    Some(state)
}
