//! What the merge compares: objects as the build wants them, as the bucket lists them, and as S3 answered for them.

use std::sync::Arc;

use serde::Serialize;

use super::ChangeAction;
use super::order::LiveStage;
use crate::object::diff::ComparisonAnswer;
use crate::object::{ETag, HeaderFingerprint, Headers, KeptName, Key, Md5, TagClass};

/// An object as the build wants it.
#[derive(Clone, Debug)]
pub struct WantedObject {
    pub key: Key,
    pub size: u64,
    pub md5: Md5,
    pub parts: Option<ETag>,
    pub headers: Arc<Headers>,
    pub fingerprint: HeaderFingerprint,
    pub stage: LiveStage,
    /// Whether its name holds a hash of its content.
    pub fingerprinted: bool,
    /// Whether pages that are still open may ask for it once it has left the build.
    pub asset: bool,
    /// The sort by which its headers give it its cache tags.
    pub tags: Option<TagClass>,
    /// Where the content lies, if it is no file.
    pub version: Option<ObjectVersion>,
}

/// What an object was, to be copied back. Its size and its headers are known once somebody asked for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectVersion {
    pub from: PastContent,
    pub etag: ETag,
}

/// Where the content of an earlier deploy lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PastContent {
    /// A version as S3 names it; `null` where it was put before the bucket kept versions.
    Version(String),
    /// A kept copy.
    Kept(KeptName),
}

impl WantedObject {
    /// Returns how the content gets there.
    pub(super) fn action(&self) -> ChangeAction {
        match &self.version {
            None => ChangeAction::Upload,
            Some(ObjectVersion { from, etag }) => ChangeAction::Restore {
                from: from.clone(),
                etag: etag.clone(),
            },
        }
    }
}

/// An object of the listing, its key relative to the site's prefix.
#[derive(Clone, Copy, Debug)]
pub struct BucketObject<'a> {
    pub key: &'a str,
    pub size: u64,
    pub etag: &'a ETag,
    /// When it was last written, in seconds since 1970.
    pub modified: Option<i64>,
}

/// What HEAD told of an object, and what follows from it.
#[derive(Clone, Debug, Default)]
pub struct HeadAnswer {
    pub answer: ComparisonAnswer,
    /// The headers that it has.
    pub headers: Headers,
    pub version_id: Option<String>,
}
