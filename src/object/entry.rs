//! The manifest's entry: what is known of one object.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{ETag, HeaderFingerprint, Md5};

/// One object. Two of them from different manifests compare only through their [`ManifestTables`](super::manifest::ManifestTables).
///
/// The fields that few entries have lie apart, so that a million of them fit in memory. They read as the entry's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestEntry {
    /// As S3 answered it.
    pub etag: ETag,
    /// The headers that were set.
    pub headers: HeaderFingerprint,
    /// The headers that it was last served with.
    pub served: ServedId,
    pub first: DeployNumber,
    pub last: DeployNumber,
    /// `None` for [`NOTHING`].
    rare: Option<Box<RareFields>>,
}

/// The fields that only some entries have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RareFields {
    /// Of the whole content, where it is known and the ETag does not say it.
    pub digest: Option<Md5>,
    /// Where the bucket keeps versions.
    pub version_id: Option<Box<str>>,
    pub noise: Option<Box<NoiselessDigest>>,
    /// Of the file, where an encoding of it was tried: what is stored may be that, or the file if nothing was gained.
    pub source: Option<Md5>,
    pub life: EntryLife,
}

static NOTHING: RareFields = RareFields {
    digest: None,
    version_id: None,
    noise: None,
    source: None,
    life: EntryLife::Live,
};

/// The life of an object: part of the site, or no longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "LifeFields", from = "LifeFields")]
pub enum EntryLife {
    #[default]
    Live,
    /// It left the build at `since` (unix seconds) and is kept for pages that are still open somewhere.
    Retained { since: i64 },
    /// It was deleted without a purge: until `until` (unix seconds) an edge may hold it.
    Tombstone { until: i64 },
}

#[derive(Default, Serialize, Deserialize)]
struct LifeFields {
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    retained: Option<i64>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    tombstone: Option<i64>,
}

impl From<EntryLife> for LifeFields {
    fn from(life: EntryLife) -> Self {
        let mut fields = Self::default();
        match life {
            EntryLife::Live => {}
            EntryLife::Retained { since } => fields.retained = Some(since),
            EntryLife::Tombstone { until } => fields.tombstone = Some(until),
        }
        fields
    }
}

impl From<LifeFields> for EntryLife {
    fn from(fields: LifeFields) -> Self {
        match (fields.tombstone, fields.retained) {
            (Some(until), _) => Self::Tombstone { until },
            (None, Some(since)) => Self::Retained { since },
            (None, None) => Self::Live,
        }
    }
}

/// A digest that leaves out what changes at every build, and the rule that says what that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiselessDigest {
    pub rule: u64,
    pub digest: Md5,
}

/// Points into [`ManifestTables`](super::manifest::ManifestTables).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServedId(pub u32);

/// Points into [`ManifestTables`](super::manifest::ManifestTables).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeployNumber(pub u32);

impl Deref for ManifestEntry {
    type Target = RareFields;

    fn deref(&self) -> &RareFields {
        self.rare.as_deref().unwrap_or(&NOTHING)
    }
}

impl ManifestEntry {
    /// Makes a live object of which nothing rare is known, with the deploys that put it there first and last.
    pub fn new(
        etag: ETag,
        headers: HeaderFingerprint,
        served: ServedId,
        [first, last]: [DeployNumber; 2],
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

    /// Changes what is rare.
    pub fn with(mut self, change: impl FnOnce(&mut RareFields)) -> Self {
        let mut rare = self.rare.unwrap_or_else(|| Box::new(NOTHING.clone()));
        change(&mut rare);
        self.rare = (*rare != NOTHING).then_some(rare);
        self
    }

    pub fn with_life(self, life: EntryLife) -> Self {
        self.with(|rare| rare.life = life)
    }

    /// Returns the MD5 of the whole content, where it is known. An ETag of 32 hex digits is taken for it only if nothing
    /// else is known: with KMS it is none.
    pub fn content(&self) -> Option<Md5> {
        self.digest.or_else(|| self.etag.md5())
    }
}
