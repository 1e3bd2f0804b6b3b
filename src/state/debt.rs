//! The journal: what a deploy is about to change and which purges that will owe, written before the first change and struck
//! after the last.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::codec::{self, Damage};
use super::{StateError, Store};
use crate::aws::Condition;
use crate::domain::manifest::DeployId;
use crate::domain::{ETag, HeaderFingerprint, Key};

/// What one deploy owes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    pub id: DeployId,
    /// Unix seconds by the server's clock.
    pub at: i64,
    /// For people: which build, from where.
    pub source: String,
    /// By the id of what is to be purged.
    pub targets: BTreeMap<String, Owed>,
    /// Until the debt is struck these count as ours, and their headers as unknown.
    pub keys: Vec<Touched>,
}

/// What is owed to one distribution.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// Request paths whose answers change.
    pub paths: Vec<String>,
    /// Patterns that are owed as they stand, such as `/*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whole: Vec<String>,
    /// Recorded before they are sent; a batch sent again goes under its own reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<Batch>,
}

/// One CreateInvalidation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    pub reference: String,
    /// In the order sent.
    pub paths: Vec<String>,
    /// For what is removed once the other batches have completed; never sent before all of that is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// The invalidation's id, once CloudFront has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

/// A key that a deploy puts, copies or deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    pub key: Key,
    /// What it will have; `None`: not known beforehand, or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<ETag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<HeaderFingerprint>,
    pub action: Action,
    /// It failed before the batches were recorded: they do not speak for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Put,
    Copy,
    Delete,
    /// Deleted once the first batches have completed.
    DeleteLate,
}

/// A debt as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Open(Debt),
    /// Counts as `/*` on every configured distribution.
    Unreadable {
        id: DeployId,
        why: String,
    },
}

impl Found {
    pub fn id(&self) -> &DeployId {
        match self {
            Self::Open(debt) => &debt.id,
            Self::Unreadable { id, .. } => id,
        }
    }
}

impl Store {
    /// Writes or writes over the debt of this id. Under the lock only.
    pub async fn write_debt(&self, debt: &Debt) -> Result<(), StateError> {
        let name = name(&debt.id);
        let body = codec::pack(debt).map_err(|error| self.unwritable(&name, error))?;
        self.put(&name, body.into(), &Condition::Always).await?;
        Ok(())
    }

    /// `None`: struck, or never was. Fails with [`StateError::Newer`] where a newer version wrote it.
    pub async fn read_debt(&self, id: &DeployId) -> Result<Option<Found>, StateError> {
        let name = name(id);
        let Some(fetched) = self.fetch(&name).await? else {
            return Ok(None);
        };
        let why = match codec::unpack::<Debt>(&fetched.body) {
            Ok(debt) if debt.id == *id => return Ok(Some(Found::Open(debt))),
            Ok(debt) => format!("it is the debt of {}", debt.id),
            Err(Damage::Corrupt(why)) => why,
            Err(newer) => return Err(self.damaged(&name, newer)),
        };
        Ok(Some(Found::Unreadable {
            id: id.clone(),
            why,
        }))
    }

    /// Every open debt, oldest first.
    pub async fn read_debts(&self) -> Result<Vec<Found>, StateError> {
        let names = self.list(FOLDER, None).await?;
        let ids = names
            .iter()
            .filter_map(|(name, _)| name.strip_prefix(FOLDER))
            .map(DeployId::new);
        let found: Vec<Option<Found>> = stream::iter(ids)
            .map(|id| async move { self.read_debt(&id).await })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Pays or drops it. One that is gone already is no error. Under the lock only.
    pub async fn strike_debt(&self, id: &DeployId) -> Result<(), StateError> {
        self.delete(&name(id)).await
    }
}

/// Relative to the state's root.
pub const FOLDER: &str = "debt/";
const AT_ONCE: usize = 8;

fn name(id: &DeployId) -> String {
    format!("{FOLDER}{id}")
}
