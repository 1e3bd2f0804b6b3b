//! The `state` object: what it holds, and its form.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::codec::{self, Damage};
use super::history::RecentDeploy;
use super::owner::ProcessOwner;
use super::{PLAIN_VERSION, VERSION, md5_of};
use crate::object::manifest::{DeployId, ToldDistribution};
use crate::object::{ETag, Md5};

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
    pub told: BTreeMap<String, ToldDistribution>,
    /// Oldest first, the last [`RECENT`]. Each has its record of history.
    #[serde(default)]
    pub recent: Vec<RecentDeploy>,
    /// Digests of the warnings that the last deploy gave.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub warned: BTreeSet<WarningDigest>,
    /// Invalidation paths that count as the account's, by month in UTC (`2026-11`), the last three months.
    #[serde(default)]
    pub paths_by_month: BTreeMap<String, u64>,
    /// [`KeptNames`](super::KeptNames), where copies are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Document>,
    /// [`GonePages`](crate::object::gone::GonePages), where pages left. An unstale that does not know them forgets them, which costs
    /// nothing but what is told of links to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Document>,
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

/// Says which warning was given: eight bytes of the MD5 of its text, in hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WarningDigest(String);

impl WarningDigest {
    pub fn of(text: &str) -> Self {
        let mut digest = md5_of(text.as_bytes()).to_string();
        digest.truncate(16);
        Self(digest)
    }
}

/// The files that make up the manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFiles {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<StateFile>,
    /// What changed since the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid: Option<StateFile>,
    /// What changed since `mid`: base64 of a file's content.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub inline: String,
    /// The base before, kept in case this one is damaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<StateFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Document {
    /// Base64 of what would be the file's content.
    Inline(String),
    File(StateFile),
}

/// A file that `state` names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateFile {
    /// Relative to the state's root.
    pub name: String,
    pub digest: Md5,
    pub bytes: u64,
    /// How many entries it has, where it is one of the manifest's.
    #[serde(default)]
    pub entries: u64,
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
struct StateEnvelope {
    version: u64,
    /// MD5 of the text that follows it.
    #[serde(default)]
    checksum: String,
}

impl StateObject {
    /// Returns the text that is written.
    pub(super) fn to_bytes(&self) -> Result<Bytes, serde_json::Error> {
        let rest = serde_json::to_string(self)?;
        let rest = rest.get(1..).unwrap_or_default();
        let checksum = md5_of(rest.as_bytes());
        let version = match self.kept {
            Some(_) => VERSION,
            None => PLAIN_VERSION,
        };
        Ok(format!("{{\"version\":{version},\"checksum\":\"{checksum}\",{rest}").into())
    }

    pub(super) fn from_bytes(body: &[u8]) -> Result<Self, Damage> {
        codec::check_version(body)?;
        let envelope: StateEnvelope = serde_json::from_slice(body).map_err(Damage::corrupt)?;
        let mark = format!("\"checksum\":\"{}\",", envelope.checksum);
        let text = std::str::from_utf8(body).map_err(Damage::corrupt)?;
        let checked = text
            .split_once(&mark)
            .map(|(_, rest)| md5_of(rest.as_bytes()));
        if checked.is_none_or(|digest| digest.to_string() != envelope.checksum) {
            return Err(Damage::corrupt("its content is not what was written"));
        }
        serde_json::from_slice(body).map_err(Damage::corrupt)
    }

    /// Returns the bytes that it takes. One that cannot be written has no room for more.
    pub(super) fn size(&self) -> usize {
        serde_json::to_vec(self).map_or(usize::MAX, |text| text.len())
    }

    /// Returns the id of the last write under the lease, where somebody holds it.
    pub(super) fn write_id(&self) -> Option<&str> {
        self.lease.as_ref().map(|lease| lease.write_id.as_str())
    }

    /// Tells whether it remembers the end of a deploy.
    pub(super) fn has_ended(&self, deploy: &DeployId) -> bool {
        self.recent.iter().any(|recent| recent.id == *deploy)
    }

    /// Gives an open deploy another journal.
    pub(super) fn replace_journal(&mut self, deploy: &DeployId, journal: Document) {
        if let Some(open) = self.open.iter_mut().find(|open| open.id == *deploy) {
            open.journal = journal;
        }
    }

    /// Returns those of these warnings that the last deploy gave.
    pub fn known_warnings(&self, texts: &[String]) -> HashSet<String> {
        let known = |text: &&String| self.warned.contains(&WarningDigest::of(text));
        texts.iter().filter(known).cloned().collect()
    }

    /// Returns the number of invalidation paths sent in the month (UTC) of this time, in unix seconds.
    pub fn paths_in_month(&self, time: i64) -> u64 {
        let sent = self.paths_by_month.get(&month(time));
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

    /// Lists all files that it names.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let open = self.open.iter().map(|open| &open.journal);
        let suspects = self.suspects.iter().map(|suspects| &suspects.keys);
        let unpaid = self.unpaid.iter().map(|unpaid| &unpaid.owed);
        let documents = open.chain(suspects).chain(unpaid);
        let documents = documents.chain(&self.kept).chain(&self.gone);
        let documents = documents.filter_map(|document| match document {
            Document::Inline(_) => None,
            Document::File(file) => Some(file.name.as_str()),
        });
        let files = documents.chain(self.manifest.names()).map(str::to_owned);
        files.chain(self.recent.iter().map(RecentDeploy::history_name))
    }
}

impl ManifestFiles {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.base, &self.mid, &self.previous]
            .into_iter()
            .flatten()
            .map(|file| file.name.as_str())
    }
}

fn month(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.strftime("%Y-%m").to_string()
}
