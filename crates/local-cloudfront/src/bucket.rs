//! Buckets, and what they hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::digest::Md5;
use super::headers::Headers;
use super::website::WebsiteConfiguration;

/// The version id of objects in a bucket without versions.
pub(crate) const NULL_VERSION: &str = "null";

/// What tells one content from another; also the name of its file on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContentId {
    /// Of the content.
    pub md5: Md5,
    /// CRC-64/NVME of the content.
    pub crc64: u64,
    /// In bytes.
    pub size: u64,
}

/// An object's content and all that is served with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Object {
    /// What its body is.
    pub content: ContentId,
    /// Here, unless it lies on disk.
    #[serde(skip)]
    pub memory: Option<Bytes>,
    /// Without its quotes: the MD5 of the content, `MD5-N` for N parts, and anything at all under KMS.
    pub etag: String,
    /// What it is served with.
    #[serde(default)]
    pub headers: Headers,
    /// The `Expires` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Base64 by S3's name of the algorithm (`CRC32`); what HEAD shows with ChecksumMode.
    pub checksums: BTreeMap<String, String>,
    /// True where the checksums are of the parts' checksums.
    #[serde(default)]
    pub composite: bool,
    /// Encrypted as by SSE-KMS: the ETag is no MD5.
    #[serde(default)]
    pub kms: bool,
}

/// One version of a key, or a delete marker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    /// `null` where it was put into a bucket without versions.
    pub id: String,
    /// Milliseconds since the epoch, by the world's clock.
    pub modified: i64,
    /// `None` for a delete marker.
    pub object: Option<Arc<Object>>,
}

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// As a bucket begins.
    #[default]
    Never,
    /// Each write adds a version.
    Enabled,
    /// Each write replaces the version `null`.
    Suspended,
}

/// How a bucket treats If-Match and If-None-Match on writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Conditions {
    /// As S3 does.
    #[default]
    Honoured,
    /// 501 NotImplemented.
    Refused,
    /// As if they had not been sent.
    Ignored,
}

/// How a bucket differs from the usual one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BucketOptions {
    /// The account that `x-amz-expected-bucket-owner` must name.
    pub owner: String,
    /// Such as `us-east-1`.
    pub region: String,
    /// Requests signed for another region get 301 PermanentRedirect.
    pub strict_region: bool,
    /// New objects are encrypted as by SSE-KMS, so that their ETags are no MD5.
    pub kms: bool,
    /// Whether writes can be conditional.
    pub conditions: Conditions,
    /// How its website endpoint answers; `None` for a bucket that is no website.
    pub website: Option<WebsiteConfiguration>,
    /// Its other settings by subresource, as they were put: `policy` in JSON; `publicAccessBlock`, `lifecycle`, `encryption` and
    /// `ownershipControls` in XML. Edges go by the policy; the rest is for those who ask.
    pub documents: BTreeMap<String, String>,
}

impl Default for BucketOptions {
    fn default() -> Self {
        Self {
            owner: super::identity::ACCOUNT.to_owned(),
            region: "us-east-1".to_owned(),
            strict_region: false,
            kms: false,
            conditions: Conditions::Honoured,
            website: None,
            documents: BTreeMap::new(),
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Bucket {
    pub options: BucketOptions,
    pub versioning: Versioning,
    /// Of each key the versions, oldest first; never empty.
    pub keys: BTreeMap<String, Vec<Version>>,
}

impl Bucket {
    /// Returns what a key holds now; `None` for no key and for a delete marker.
    pub(crate) fn latest(&self, key: &str) -> Option<(&Version, &Arc<Object>)> {
        let version = self.keys.get(key)?.last()?;
        Some((version, version.object.as_ref()?))
    }
}
