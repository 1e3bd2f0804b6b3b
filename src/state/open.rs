//! Reads what deploys left open: their journals, what they did not pay, and what they may change yet.

use futures_util::future::try_join_all;

use super::object::ObservedState;
use super::{StateError, StateStore};
use crate::object::journal::{Journal, OpenJournal, OwedPaths, TouchedKey, UnpaidPurge};

/// All that is left open.
#[derive(Clone, Debug, Default)]
pub struct LeftOpen {
    /// In the order in which they began.
    pub journals: Vec<OpenJournal>,
    pub unpaid: Vec<UnpaidPurge>,
    /// Until when (unix seconds) a dead deploy may change which keys.
    pub suspects: Vec<(i64, Vec<TouchedKey>)>,
    pub warnings: Vec<String>,
}

impl StateStore {
    pub async fn read_open(&self, observed: &ObservedState) -> Result<LeftOpen, StateError> {
        let state = &observed.object;
        let last = state.lease.as_ref().map(|lease| lease.deadline);
        let last = last.unwrap_or(observed.at);
        let ends = state.open.iter().skip(1).map(|open| open.at).chain([last]);
        let journals = try_join_all(state.open.iter().zip(ends).map(|(open, until)| async move {
            let journal = self.read_document::<Journal>(&open.journal).await?;
            Ok::<_, StateError>(OpenJournal {
                id: open.id.clone(),
                at: open.at,
                until,
                journal,
            })
        }));
        let unpaid = try_join_all(state.unpaid.iter().map(|unpaid| async {
            let owed = self.read_document::<OwedPaths>(&unpaid.owed).await?;
            Ok::<_, StateError>(UnpaidPurge {
                id: unpaid.id.clone(),
                source: unpaid.source.clone(),
                owed,
            })
        }));
        let current = state.suspects.iter();
        let current = current.filter(|suspects| suspects.until > observed.at);
        let suspects = try_join_all(current.map(|suspects| async {
            let keys = self.read_document::<Vec<TouchedKey>>(&suspects.keys);
            Ok::<_, StateError>((suspects.until, keys.await?))
        }));
        let (journals, unpaid, suspects) = tokio::try_join!(journals, unpaid, suspects)?;
        let mut left = LeftOpen {
            journals,
            unpaid,
            ..LeftOpen::default()
        };
        for (until, keys) in suspects {
            match keys {
                Ok(keys) => left.suspects.push((until, keys)),
                Err(why) => left.warnings.push(format!(
                    "what a deploy that died may have under way is not known: {why}"
                )),
            }
        }
        Ok(left)
    }
}
