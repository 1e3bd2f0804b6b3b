//! The `state` object: what it holds, how it is written, and what was seen of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::codec::{self, Damage};
use super::document::Document;
use super::history::PastOutcome;
use super::manifest::ManifestFiles;
use super::owner::ProcessOwner;
use super::{StateError, StateStore, VERSION, md5_of};
use crate::domain::ETag;
use crate::domain::manifest::{DeployId, Told};

/// Its name, relative to the state's root.
pub const NAME: &str = "state";
/// How many deploys it remembers, and how many records of history are kept.
pub const RECENT: usize = 100;
const MONTHS: usize = 3;

/// The whole truth about a site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateObject {
    /// One more with each write, so that no ETag of it ever comes back.
    pub counter: u64,
    /// The site that it speaks for.
    pub bucket: String,
    pub prefix: String,
    /// The endpoint was seen to heed conditions.
    #[serde(default)]
    pub conditional: bool,
    /// Who deploys, if anybody does.
    #[serde(default)]
    pub lease: Option<LeaseRecord>,
    /// The deploys that began and did not end, in the order in which they began.
    #[serde(default)]
    pub open: Vec<OpenDeploy>,
    /// Keys that a dead deploy may change yet.
    #[serde(default)]
    pub suspects: Vec<SuspectKeys>,
    /// Deploys that ended with purges unpaid.
    #[serde(default)]
    pub unpaid: Vec<UnpaidDeploy>,
    #[serde(default)]
    pub manifest: ManifestFiles,
    /// What each distribution was told, by its id.
    #[serde(default)]
    pub told: BTreeMap<String, Told>,
    /// Oldest first, the last [`RECENT`]. Each has its record of history.
    #[serde(default)]
    pub recent: Vec<RecentDeploy>,
    /// Invalidation paths sent, by month in UTC (`2026-11`), the last three months.
    #[serde(default)]
    pub paths_by_month: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    pub deploy: DeployId,
    #[serde(flatten)]
    pub owner: ProcessOwner,
    /// Of the last write under this lease: it says whether a write took effect whose answer was lost.
    pub write_id: String,
    /// Unix seconds by the server's clock.
    pub deadline: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenDeploy {
    pub id: DeployId,
    /// Unix seconds by the server's clock.
    pub at: i64,
    /// For people: which build, from where.
    pub source: String,
    pub journal: Document,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspectKeys {
    /// Unix seconds.
    pub until: i64,
    pub keys: Document,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpaidDeploy {
    pub id: DeployId,
    /// For people.
    pub source: String,
    /// Invalidation paths by target.
    pub owed: Document,
}

/// A deploy in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentDeploy {
    pub id: DeployId,
    /// Unix seconds.
    pub at: i64,
    /// Invalidation paths that were sent.
    pub paths: u64,
    /// What its record of history is named by.
    pub counter: u64,
    pub outcome: PastOutcome,
    /// Ids of the first few invalidations, by target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub invalidations: BTreeMap<String, Vec<String>>,
}

/// The state as it was read.
#[derive(Clone, Debug)]
pub struct ObservedState {
    /// `None`: there is none yet.
    pub etag: Option<ETag>,
    pub object: StateObject,
    /// Unix seconds by the server's clock.
    pub at: i64,
}

/// What every form of the object begins with.
#[derive(Serialize, Deserialize)]
struct Envelope {
    version: u64,
    /// MD5 of the text that follows it.
    #[serde(default)]
    checksum: String,
}

impl StateObject {
    /// The text that is written.
    pub(super) fn to_bytes(&self) -> Result<Bytes, serde_json::Error> {
        let rest = serde_json::to_string(self)?;
        let rest = rest.get(1..).unwrap_or_default();
        let checksum = md5_of(rest.as_bytes());
        Ok(format!("{{\"version\":{VERSION},\"checksum\":\"{checksum}\",{rest}").into())
    }

    pub(super) fn from_bytes(body: &[u8]) -> Result<Self, Damage> {
        codec::check_version(body)?;
        let corrupt = |why: &str| Damage::Corrupt(why.to_owned());
        let envelope: Envelope =
            serde_json::from_slice(body).map_err(|error| corrupt(&error.to_string()))?;
        let mark = format!("\"checksum\":\"{}\",", envelope.checksum);
        let text = std::str::from_utf8(body).map_err(|error| corrupt(&error.to_string()))?;
        let rest = text.split_once(&mark).map(|(_, rest)| rest);
        let sound =
            rest.is_some_and(|rest| md5_of(rest.as_bytes()).to_string() == envelope.checksum);
        if !sound {
            return Err(corrupt("its content is not what was written"));
        }
        serde_json::from_slice(body).map_err(|error| corrupt(&error.to_string()))
    }

    /// Invalidation paths sent in the month (UTC) of this time, in unix seconds.
    pub fn paths_in_month(&self, at: i64) -> u64 {
        let sent = self.paths_by_month.get(&month(at));
        sent.copied().unwrap_or_default()
    }

    pub(super) fn remember(&mut self, deploy: RecentDeploy) {
        *self.paths_by_month.entry(month(deploy.at)).or_default() += deploy.paths;
        while self.paths_by_month.len() > MONTHS {
            self.paths_by_month.pop_first();
        }
        self.recent.push(deploy);
        let excess = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..excess);
    }

    /// All files that it names.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let open = self.open.iter().map(|open| &open.journal);
        let suspects = self.suspects.iter().map(|suspects| &suspects.keys);
        let unpaid = self.unpaid.iter().map(|unpaid| &unpaid.owed);
        let documents = open.chain(suspects).chain(unpaid);
        let documents = documents.filter_map(Document::file_name);
        let files = documents.chain(self.manifest.names()).map(str::to_owned);
        files.chain(self.recent.iter().map(RecentDeploy::history_name))
    }
}

impl ObservedState {
    /// Who holds the lease, unless it has run out for certain.
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
        let at = self.bucket.clock.server_now();
        let Some(fetched) = fetched else {
            return Ok(self.no_state());
        };
        let (bucket, prefix) = self.site.clone();
        let object =
            StateObject::from_bytes(&fetched.body).map_err(|damage| self.damaged(NAME, damage))?;
        if (&object.bucket, &object.prefix) != (&bucket, &prefix) {
            return Err(StateError::OtherSite {
                object: self.url(NAME),
                bucket: object.bucket,
                prefix: object.prefix,
            });
        }
        Ok(ObservedState {
            etag: Some(fetched.etag),
            object,
            at,
        })
    }

    /// The state of a site that was never deployed.
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
        limit: std::time::Duration,
        mut on_wait: impl FnMut(&LeaseRecord),
    ) -> Result<ObservedState, StateError> {
        let end = crate::aws::uptime().saturating_add(limit);
        while let Some(holder) = seen.holder(self) {
            on_wait(holder);
            let left = end.saturating_sub(crate::aws::uptime());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.min(self.timing.poll)).await;
            seen = self.read_state().await?;
        }
        Ok(seen)
    }
}

fn month(at: i64) -> String {
    let time = jiff::Timestamp::from_second(at).unwrap_or_default();
    time.strftime("%Y-%m").to_string()
}
