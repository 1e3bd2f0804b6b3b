//! What each deploy did, for `history`, `rollback`, and to make good a manifest that was lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};

use super::codec::{self, Damage};
use super::{StateError, StateStore, or_warning};
use crate::object::entry::{EntryLife, ManifestEntry};
use crate::object::manifest::DeployId;
use crate::object::{ETag, HeaderFingerprint, Headers, Key, Md5};

/// One deploy's record. Its changes are a list, or what makes one while it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRecord<C = Vec<KeyChange>> {
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
    pub purges: Vec<PastPurge>,
    /// Known once the purge has gone: `state` says it.
    #[serde(default)]
    pub outcome: PastOutcome,
}

/// One key before and after; `None`: there was or is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    #[serde(rename = "k")]
    pub key: Key,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub before: Option<PastObject>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub after: Option<PastObject>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastObject {
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
    pub life: EntryLife,
}

impl From<&ManifestEntry> for PastObject {
    fn from(entry: &ManifestEntry) -> Self {
        Self {
            etag: entry.etag.clone(),
            version_id: entry.version_id.clone(),
            digest: entry.digest,
            fingerprint: entry.headers,
            headers: None,
            life: entry.life,
        }
    }
}

/// What one distribution was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastPurge {
    /// The id of what was purged.
    pub target: String,
    /// The first few of its ids, as AWS shows them; `state` says them.
    #[serde(default)]
    pub invalidations: Vec<String>,
    pub paths: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PastOutcome {
    #[default]
    Done,
    /// Uploaded, with a debt left open.
    Owing,
    /// Some of it is live.
    Incomplete,
}

/// A deploy in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentDeploy {
    pub id: DeployId,
    /// Unix seconds.
    pub at: i64,
    /// Invalidation paths that were sent, none where the distribution's plan includes them.
    pub paths: u64,
    /// What its record of history is named by.
    pub counter: u64,
    pub outcome: PastOutcome,
    /// Ids of the first few invalidations, by target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub invalidations: BTreeMap<String, Vec<String>>,
}

pub(super) const FOLDER: &str = "history/";
/// Records read at once.
const AT_ONCE: usize = 16;

impl RecentDeploy {
    /// Returns the name of its record, relative to the state's root. Names sort as the deploys ended.
    pub(super) fn history_name(&self) -> String {
        name(self.counter, &self.id)
    }

    /// Tells whether its id, or the random part of it, begins so.
    pub fn is_called(&self, prefix: &str) -> bool {
        let id = self.id.as_str();
        let random = id.split_once('-').map_or("", |(_, random)| random);
        id.starts_with(prefix) || random.starts_with(prefix)
    }
}

impl StateStore {
    /// Writes the record of a deploy; `counter` is that of the state that the deploy is about to end.
    pub(super) async fn write_history<C: Serialize>(
        &self,
        record: &HistoryRecord<C>,
        counter: u64,
    ) -> Result<(), StateError> {
        let name = name(counter, &record.id);
        let body = codec::pack(record).map_err(|error| self.unwritable(&name, error))?;
        self.write_file(&name, body).await
    }

    /// Reads the record of a deploy. Fails with [`StateError::Corrupt`] where it is damaged or gone.
    pub async fn read_history(&self, deploy: &RecentDeploy) -> Result<HistoryRecord, StateError> {
        let mut record = self.read_record(&deploy.history_name()).await?;
        record.outcome = deploy.outcome;
        for purge in &mut record.purges {
            let ids = deploy.invalidations.get(&purge.target);
            purge.invalidations = ids.cloned().unwrap_or_default();
        }
        // What CloudFront did not take was not purged.
        record
            .purges
            .retain(|purge| !purge.invalidations.is_empty());
        Ok(record)
    }

    /// Reads the records of these names, in their order. Damaged ones are told and left out.
    pub(super) async fn read_records(
        &self,
        names: Vec<String>,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<HistoryRecord>, StateError> {
        let read: Vec<_> = stream::iter(&names)
            .map(|name| self.read_record(name))
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut records = Vec::new();
        for record in read {
            records.extend(or_warning(record, warnings)?);
        }
        Ok(records)
    }

    async fn read_record(&self, name: &str) -> Result<HistoryRecord, StateError> {
        let gone = || Damage::Corrupt("it is gone".into());
        let fetched = self.fetch(name).await?;
        fetched
            .ok_or_else(gone)
            .and_then(|fetched| codec::unpack(&fetched.body))
            .map_err(|damage| self.damaged(name, damage))
    }
}

fn name(counter: u64, id: &DeployId) -> String {
    format!("{FOLDER}{counter:012}-{id}")
}
