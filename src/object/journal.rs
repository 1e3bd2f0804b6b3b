//! The journal: what a deploy says before it changes anything. It names the keys that it will put, copy or delete, and the
//! purges that it will owe for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::manifest::DeployId;
use super::{ETag, HeaderFingerprint, Key, Md5};

/// The journal of one deploy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    pub keys: Vec<TouchedKey>,
    /// By the id of what is to be purged; every distribution that the deploy purges stands here, with batches or without.
    pub purges: BTreeMap<String, JournaledPurge>,
}

/// A key that a deploy puts, copies or deletes, or that its purge speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TouchedKey {
    #[serde(rename = "k")]
    pub key: Key,
    #[serde(rename = "a")]
    pub action: TouchAction,
    /// The ETag that it will have: `None` where that is not known beforehand, or the key is deleted.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<ETag>,
    /// MD5 of the content, where the ETag does not say it.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Md5>,
    /// Bytes of the content; 0 where the key is deleted.
    #[serde(rename = "s", default)]
    pub size: u64,
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<HeaderFingerprint>,
    /// It failed before the batches were recorded: they do not speak for it.
    #[serde(rename = "f", default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TouchAction {
    Put,
    Copy,
    Delete,
    /// Deleted once the first batches have completed.
    DeleteLate,
    /// It is so already, or gone where it has no ETag.
    Keep,
}

impl TouchAction {
    /// Tells whether a request is made for it.
    pub fn changes(self) -> bool {
        self != Self::Keep
    }
}

impl TouchedKey {
    /// Tells whether there is to be nothing under the key.
    pub fn is_absent(&self) -> bool {
        match self.action {
            TouchAction::Delete | TouchAction::DeleteLate => true,
            TouchAction::Keep => self.etag.is_none(),
            TouchAction::Put | TouchAction::Copy => false,
        }
    }

    /// Returns the MD5 of the content that it will have, where it is known.
    pub fn content(&self) -> Option<Md5> {
        self.digest.or_else(|| self.etag.as_ref()?.md5())
    }
}

/// The purge that one distribution is owed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournaledPurge {
    /// Request paths that follow from no key: redirects that a function answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Recorded before they are sent; a batch sent again goes under its own reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<PurgeBatch>,
}

/// One CreateInvalidation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeBatch {
    pub reference: String,
    /// In the order sent.
    pub paths: Vec<String>,
    /// For what is removed once the other batches have completed; never sent before all of that is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

/// Invalidation paths by the id of what is purged.
pub type OwedPaths = BTreeMap<String, Vec<String>>;

/// A deploy that began and did not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenJournal {
    pub id: DeployId,
    /// Unix seconds by the server's clock at which it began.
    pub at: i64,
    /// Unix seconds after which it wrote nothing more.
    pub until: i64,
    /// Why it cannot be read: then any key may be among its keys.
    pub journal: Result<Journal, String>,
}

/// A deploy that ended with purges unpaid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpaidPurge {
    pub id: DeployId,
    /// For people: which build, from where.
    pub source: String,
    /// Why it cannot be read: then everything is owed.
    pub owed: Result<OwedPaths, String>,
}
