//! What each deploy did, for `history`, `rollback`, and to make good a manifest that was lost.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codec::{self, Damage};
use super::{StateError, Store};
use crate::aws::Condition;
use crate::domain::manifest::{DeployId, Life};
use crate::domain::{ETag, HeaderFingerprint, Headers, Key, Md5};

/// One deploy's record. Its changes are a list, or what makes one while it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record<C = Vec<Change>> {
    pub id: DeployId,
    /// Unix seconds by the server's clock.
    pub at: i64,
    pub who: String,
    pub host: String,
    /// Commit, if git or CI says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The build's folder.
    pub dir: String,
    /// The deploy that this one rolled back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<DeployId>,
    pub changes: C,
    pub purges: Vec<Purge>,
    pub outcome: Outcome,
}

/// One key before and after; `None`: there was or is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    #[serde(rename = "k")]
    pub key: Key,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Past>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Past>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    #[serde(rename = "e")]
    pub etag: ETag,
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<Box<str>>,
    /// Of the content, where the ETag does not say it.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Md5>,
    #[serde(rename = "h")]
    pub fingerprint: HeaderFingerprint,
    /// In full, where they are known.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Arc<Headers>>,
    #[serde(flatten)]
    pub life: Life,
}

/// One invalidation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// The id of what was purged.
    pub target: String,
    pub invalidation: Option<String>,
    pub paths: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Done,
    /// Uploaded, with a debt left open.
    Owing,
    /// Some of it is live.
    Incomplete,
}

/// A record's name, as listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: DeployId,
    /// Milliseconds since 1970.
    pub at_millis: i64,
    pub bytes: u64,
    /// Relative to the state's root.
    name: String,
}

impl Store {
    /// Writes or writes over the record of this deploy. `sequence` is the manifest's, so that its name sorts after those of
    /// deploys of the same second, too.
    pub async fn write_history<C: Serialize>(
        &self,
        record: &Record<C>,
        sequence: u64,
    ) -> Result<(), StateError> {
        let millis = record.at.max(0).saturating_mul(1000) + (sequence % 1000) as i64;
        let name = format!("{FOLDER}{millis:020}-{}", record.id);
        let body = codec::pack(record).map_err(|error| self.unwritable(&name, error))?;
        self.put(&name, body.into(), &Condition::Always).await?;
        Ok(())
    }

    /// Newest first.
    pub async fn list_history(&self) -> Result<Vec<Listed>, StateError> {
        let names = self.list(FOLDER, None).await?;
        Ok(names.into_iter().rev().filter_map(listed).collect())
    }

    /// The records whose id, or the random part of it, begins with `prefix`, newest first.
    pub async fn find_history(&self, prefix: &str) -> Result<Vec<Listed>, StateError> {
        let mut found = self.list_history().await?;
        found.retain(|listed| {
            let id = listed.id.as_str();
            let random = id.split_once('-').map_or("", |(_, random)| random);
            id.starts_with(prefix) || random.starts_with(prefix)
        });
        Ok(found)
    }

    /// Fails with [`StateError::Corrupt`] where it is damaged or gone.
    pub async fn read_history(&self, listed: &Listed) -> Result<Record, StateError> {
        let name = &listed.name;
        let gone = || Damage::Corrupt("it is gone".into());
        let fetched = self.fetch(name).await?;
        fetched
            .ok_or_else(gone)
            .and_then(|fetched| codec::unpack(&fetched.body))
            .map_err(|damage| self.damaged(name, damage))
    }
}

const FOLDER: &str = "history/";

fn listed((name, bytes): (String, u64)) -> Option<Listed> {
    let (millis, id) = name.strip_prefix(FOLDER)?.split_once('-')?;
    Some(Listed {
        id: DeployId::new(id),
        at_millis: millis.parse().ok()?,
        bytes,
        name,
    })
}
