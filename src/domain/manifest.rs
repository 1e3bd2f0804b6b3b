//! The manifest: what the last deploys left live and what they set, so that the next one knows what differs.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entries::Entries;
use super::{ETag, HeaderFingerprint, Headers, Key, Md5, Sort, tags};

/// Names one run of a deploy: its time and random bits, never derived from content. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct DeployId(Arc<str>);

/// All that is known of a site's objects. A million entries fit in memory.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    pub entries: Entries,
    pub tables: Tables,
    /// By the id of what is purged.
    pub distributions: BTreeMap<String, Told>,
}

/// One object. Two of them from different manifests compare only through their [`Tables`]. What few have lies apart and reads as if
/// it were the entry's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As S3 answered it.
    pub etag: ETag,
    /// What was set.
    pub headers: HeaderFingerprint,
    /// What it was last served with.
    pub served: ServedId,
    pub first: DeployNo,
    pub last: DeployNo,
    /// `None` for [`NOTHING`].
    rare: Option<Box<Rare>>,
}

/// What only some entries have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rare {
    /// Of the whole content, where it is known and the ETag does not say it.
    pub digest: Option<Md5>,
    /// Where the bucket keeps versions.
    pub version_id: Option<Box<str>>,
    pub noise: Option<Box<Noise>>,
    /// Of the file, where an encoding of it was tried: what is stored may be that, or the file if nothing was gained.
    pub source: Option<Md5>,
    pub life: Life,
}

static NOTHING: Rare = Rare {
    digest: None,
    version_id: None,
    noise: None,
    source: None,
    life: Life::Live,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "LifeFields", from = "LifeFields")]
pub enum Life {
    #[default]
    Live,
    /// It left the build at `since` (unix seconds) and is kept for pages that are still open somewhere.
    Retained { since: i64 },
    /// It was deleted without a purge: until `until` (unix seconds) an edge may hold it.
    Tombstone { until: i64 },
}

#[derive(Serialize, Deserialize)]
struct LifeFields {
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    retained: Option<i64>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    tombstone: Option<i64>,
}

impl From<Life> for LifeFields {
    fn from(life: Life) -> Self {
        let (retained, tombstone) = match life {
            Life::Live => (None, None),
            Life::Retained { since } => (Some(since), None),
            Life::Tombstone { until } => (None, Some(until)),
        };
        Self {
            retained,
            tombstone,
        }
    }
}

impl From<LifeFields> for Life {
    fn from(fields: LifeFields) -> Self {
        match fields {
            LifeFields {
                tombstone: Some(until),
                ..
            } => Self::Tombstone { until },
            LifeFields {
                retained: Some(since),
                ..
            } => Self::Retained { since },
            _ => Self::Live,
        }
    }
}

/// A digest that leaves out what changes at every build, and the rule that says what that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    pub rule: u64,
    pub digest: Md5,
}

/// Points into [`Tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServedId(pub u32);

/// Points into [`Tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeployNo(pub u32);

/// The headers that decide how long and as what an edge keeps an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Served {
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// The sort by which it carries its cache tags, if it does.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Sort>,
}

impl Served {
    /// What of an object's headers decides it.
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

/// What many entries share. Rows are only ever added.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    served: Interner<Served>,
    deploys: Interner<DeployRef>,
}

/// What a distribution was told of this manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
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

/// What a deploy changes: `None` removes the entry. Its entries point into the tables of the manifest that it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    pub changes: BTreeMap<Key, Option<Entry>>,
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

impl Tables {
    pub fn serve(&mut self, served: Served) -> ServedId {
        ServedId(self.served.number(served))
    }

    pub fn deploy(&mut self, deploy: DeployRef) -> DeployNo {
        DeployNo(self.deploys.number(deploy))
    }

    /// `None` for a number of other tables.
    pub fn served(&self, id: ServedId) -> Option<&Served> {
        self.served.rows.get(id.0 as usize)
    }

    /// `None` for a number of other tables.
    pub fn deploy_at(&self, number: DeployNo) -> Option<&DeployRef> {
        self.deploys.rows.get(number.0 as usize)
    }
}

impl Manifest {
    pub fn apply(&mut self, delta: Delta) {
        self.entries.apply(delta.changes);
    }
}

impl Deref for Entry {
    type Target = Rare;

    fn deref(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NOTHING)
    }
}

impl Entry {
    /// A live object of which nothing rare is known, with the deploys that put it there first and last.
    pub fn new(
        etag: ETag,
        headers: HeaderFingerprint,
        served: ServedId,
        [first, last]: [DeployNo; 2],
    ) -> Self {
        Self {
            etag,
            headers,
            served,
            first,
            last,
            rare: None,
        }
    }

    /// With what is rare changed.
    pub fn with(mut self, change: impl FnOnce(&mut Rare)) -> Self {
        let mut rare = self
            .rare
            .take()
            .unwrap_or_else(|| Box::new(NOTHING.clone()));
        change(&mut rare);
        self.rare = (*rare != NOTHING).then_some(rare);
        self
    }

    pub fn with_life(self, life: Life) -> Self {
        self.with(|rare| rare.life = life)
    }

    /// The MD5 of the whole content, where it is known. An ETag of 32 hex digits is taken for it only if nothing else is
    /// known: with KMS it is none.
    pub fn content(&self) -> Option<Md5> {
        match (&self.digest, &self.etag) {
            (Some(digest), _) => Some(*digest),
            (None, ETag::Md5(digest)) => Some(*digest),
            _ => None,
        }
    }
}

impl Delta {
    pub fn upsert(&mut self, key: Key, entry: Entry) {
        self.changes.insert(key, Some(entry));
    }

    pub fn remove(&mut self, key: Key) {
        self.changes.insert(key, None);
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// This delta and then `later`, as one.
    pub fn merge(&mut self, later: Delta) {
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

impl From<String> for DeployId {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<DeployId> for String {
    fn from(id: DeployId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for DeployId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// 64 bits as JSON cannot lose them: 16 hex digits.
pub mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &u64, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&format_args!("{value:016x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(input)?;
        u64::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}
