//! `head` names the files that make up the manifest, and holds the newest changes itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{StateError, Store};
use crate::domain::manifest::{Delta, DeployId, DeployRef, Manifest, Told};
use crate::domain::{ETag, Md5};

/// One file of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Relative to the state's root.
    pub name: String,
    pub digest: Md5,
    pub bytes: u64,
    pub entries: u64,
    /// Unix seconds of the last deploy that is in it.
    pub at: i64,
}

/// The `head` object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub version: u64,
    /// Counts the writes.
    pub sequence: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<File>,
    /// What changed since the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid: Option<File>,
    /// What changed since `mid`: base64 of a file's content.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub inline: String,
    /// The base before, kept in case this one is damaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<File>,
    #[serde(default)]
    pub distributions: BTreeMap<String, Told>,
    /// Over all live entries: equal means that nothing differs, without reading the manifest.
    pub live_digest: Option<Md5>,
    /// How many live entries there are.
    #[serde(default)]
    pub live: u64,
    /// Oldest first, the last [`RECENT`].
    #[serde(default)]
    pub recent: Vec<Recent>,
    /// Paths purged, by month in UTC (`2026-11`), the last three months.
    #[serde(default)]
    pub paths_by_month: BTreeMap<String, u64>,
}

/// How many deploys `head` remembers.
pub const RECENT: usize = 100;

/// A deploy in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    pub id: DeployId,
    /// Unix seconds.
    pub at: i64,
    /// Invalidation paths that were sent.
    pub paths: u64,
}

/// What was found where `head` lies.
#[derive(Clone, Debug)]
pub enum HeadState {
    Absent,
    Found {
        head: Head,
        etag: ETag,
    },
    /// Not to be read: the manifest has to be made good from what else there is.
    Damaged {
        etag: ETag,
        why: String,
    },
}

/// The manifest, and what of it lies in which file.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub manifest: Manifest,
    /// What was damaged and what was taken instead, for people. Not empty: the next write writes everything anew.
    pub warnings: Vec<String>,
    mid: Delta,
    inline: Delta,
}

/// What a deploy writes into the manifest. The entries of `delta` point into the tables of the loaded manifest.
#[derive(Clone, Debug)]
pub struct Update {
    pub deploy: DeployRef,
    /// Invalidation paths that were sent.
    pub paths: u64,
    pub delta: Delta,
    /// All of them as they are to stand.
    pub distributions: BTreeMap<String, Told>,
}

impl HeadState {
    pub fn head(&self) -> Option<&Head> {
        match self {
            Self::Found { head, .. } => Some(head),
            _ => None,
        }
    }

    pub fn etag(&self) -> Option<&ETag> {
        match self {
            Self::Absent => None,
            Self::Found { etag, .. } | Self::Damaged { etag, .. } => Some(etag),
        }
    }
}

impl Store {
    /// Fails with [`StateError::Newer`] where a newer version wrote it.
    pub async fn read_head(&self) -> Result<HeadState, StateError> {
        todo!()
    }

    /// The whole manifest; empty where there is none. What is damaged is made good from the base before and from history.
    pub async fn read_manifest(&self, head: &HeadState) -> Result<Loaded, StateError> {
        todo!()
    }

    /// Writes what changed, if `head` is still as it was read; else [`StateError::Moved`]. Afterwards `loaded` is what was
    /// written. Under the lock only.
    pub async fn write_manifest(
        &self,
        head: &HeadState,
        loaded: &mut Loaded,
        update: Update,
    ) -> Result<HeadState, StateError> {
        todo!()
    }
}
