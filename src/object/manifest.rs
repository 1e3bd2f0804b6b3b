//! The manifest: what the last deploys left live and what they set, so that the next one knows what differs.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entries::ManifestEntries;
use super::entry::{DeployNumber, ManifestEntry, ServedId};
use super::headers::hex;
use super::{Headers, Key, TagClass, tags};

/// Names one run of a deploy: its time and random bits, never derived from content. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeployId(Arc<str>);

/// All that is known of a site's objects.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    pub entries: ManifestEntries,
    pub tables: ManifestTables,
    /// By the id of what is purged.
    pub distributions: BTreeMap<String, ToldDistribution>,
}

/// The headers that decide how long and as what an edge keeps an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServedHeaders {
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// The sort by which it carries its cache tags, if it does.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagClass>,
}

impl ServedHeaders {
    /// Takes those of all headers of an object.
    pub fn of(key: &Key, headers: &Headers) -> Self {
        Self {
            cache_control: headers.cache_control.clone(),
            content_type: headers.content_type.clone(),
            redirect: headers.redirect.clone(),
            tags: tags::sort_of(key.as_str(), headers),
        }
    }
}

/// A deploy as entries refer to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeployRef {
    pub id: DeployId,
    /// Unix seconds by the server's clock.
    pub at: i64,
}

/// The tables of what many entries share. Rows are only ever added.
#[derive(Clone, Debug, Default)]
pub struct ManifestTables {
    served: Interner<ServedHeaders>,
    deploys: Interner<DeployRef>,
}

/// The state of this manifest that a distribution was told by purges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldDistribution {
    /// Fingerprint of the distribution's configuration.
    #[serde(with = "hex")]
    pub config: u64,
    /// Unix seconds of the first deploy since which every change was purged.
    pub since: i64,
    /// Unix seconds of the deploy whose purge left no copy from before cache tags: whatever it holds since carries the tags that
    /// its object had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags_since: Option<i64>,
}

/// The entries that a deploy changes: `None` removes the entry. They point into the tables of the manifest that it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestDelta {
    pub changes: BTreeMap<Key, Option<ManifestEntry>>,
}

#[derive(Clone, Debug)]
struct Interner<T> {
    rows: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            numbers: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    fn number(&mut self, row: T) -> u32 {
        if let Some(number) = self.numbers.get(&row) {
            return *number;
        }
        let number = self.rows.len() as u32;
        self.rows.push(row.clone());
        self.numbers.insert(row, number);
        number
    }
}

impl ManifestTables {
    pub fn serve(&mut self, served: ServedHeaders) -> ServedId {
        ServedId(self.served.number(served))
    }

    pub fn deploy(&mut self, deploy: DeployRef) -> DeployNumber {
        DeployNumber(self.deploys.number(deploy))
    }

    /// Returns `None` for a number of other tables.
    pub fn served(&self, id: ServedId) -> Option<&ServedHeaders> {
        self.served.rows.get(id.0 as usize)
    }

    /// Returns `None` for a number of other tables.
    pub fn deploy_at(&self, number: DeployNumber) -> Option<&DeployRef> {
        self.deploys.rows.get(number.0 as usize)
    }
}

impl Manifest {
    pub fn apply(&mut self, delta: ManifestDelta) {
        self.entries.apply(delta.changes);
    }
}

impl ManifestDelta {
    pub fn upsert(&mut self, key: Key, entry: ManifestEntry) {
        self.changes.insert(key, Some(entry));
    }

    pub fn remove(&mut self, key: Key) {
        self.changes.insert(key, None);
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Makes this delta and then `later` one.
    pub fn merge(&mut self, later: ManifestDelta) {
        self.changes.extend(later.changes);
    }
}

impl DeployId {
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeployId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
