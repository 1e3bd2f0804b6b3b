//! The Plan: a value that says what a deploy will do, in which order and why. Pure.

pub mod budget;
mod facts;
pub mod guard;
mod intended;
mod kept_copy;
mod leaving;
pub mod lost;
mod make;
mod object;
pub mod open;
pub mod order;
mod purge;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::edge::{self, HeadersPolicy, Money, PurgeChoice};
use crate::object::manifest::Manifest;
use crate::object::{ETag, HeaderFingerprint, Headers, Key, Md5};
use crate::rules::link_report::LinkReport;
use budget::BudgetLine;
use lost::LostUrl;
use order::UploadRank;

pub use facts::PlanFacts;
pub use kept_copy::{COPY_PRICE, KeepAction, KeptCopies, KeptCopy};
pub use make::{MAX_COPY, make};
pub use object::{BucketObject, HeadAnswer, ObjectVersion, PastContent, WantedObject};
pub use open::OpenDeploys;
pub use purge::TargetFacts;

/// Why an object is changed, in the order in which people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    New,
    Content,
    Forced,
    Headers,
    Removed,
}

impl Reason {
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Content => "content",
            Self::Headers => "headers",
            Self::Removed => "removed",
            Self::Forced => "forced",
        }
    }
}

/// How an object comes to be as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeAction {
    /// The build's file, or what stands for it, is uploaded.
    Upload,
    /// The object is copied onto itself with other headers; nothing is uploaded.
    SetHeaders,
    /// The same bytes lie in the bucket under another key: they are copied.
    CopyFrom { key: Key, etag: ETag },
    /// What the object was is copied back.
    Restore { from: PastContent, etag: ETag },
}

/// One object to put or copy.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    pub key: Key,
    pub action: ChangeAction,
    pub reason: Reason,
    /// Bytes of the body.
    pub size: u64,
    pub md5: Md5,
    pub headers: Arc<Headers>,
    #[serde(skip)]
    pub fingerprint: HeaderFingerprint,
    /// When it goes live.
    #[serde(skip)]
    pub rank: UploadRank,
    /// What the bucket holds under the key now, which must still be so when it is written.
    #[serde(skip)]
    pub before: Option<ETag>,
}

/// One object to delete.
#[derive(Clone, Debug, Serialize)]
pub struct Deletion {
    pub key: Key,
    #[serde(skip)]
    pub etag: ETag,
    pub size: u64,
    /// Whether it is a page, which goes before the purge; the rest go once no edge serves a page that needs them.
    pub page: bool,
    /// Whether its name holds a hash of its content.
    pub fingerprinted: bool,
    /// Whether it stayed for its time after it left the build.
    #[serde(skip)]
    pub retained: bool,
}

/// What one distribution or tenant will be sent.
#[derive(Clone, Debug)]
pub struct DistributionPurge {
    pub target: String,
    pub purge: PurgeChoice,
    /// The purge of removed assets, sent once the first has completed.
    pub after: PurgeChoice,
    pub resent: ResentPaths,
}

/// What a deploy that died recorded for a distribution, and what it costs to send it again.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResentPaths {
    pub count: u64,
    pub cost: Money,
}

impl DistributionPurge {
    /// Returns whether everything is owed since nobody knows what a function does.
    pub fn is_blind(&self) -> bool {
        let all = [&self.purge, &self.after].into_iter();
        let mut reasons = all.filter_map(|purge| purge.stale.whole());
        reasons.any(|reason| *reason == edge::OwedReason::UnknownRewrite)
    }

    pub fn is_empty(&self) -> bool {
        self.purge.cover.patterns.is_empty() && self.after.cover.patterns.is_empty()
    }

    /// Counts the paths that it is sent, those of a deploy that died among them.
    pub fn paths(&self) -> u64 {
        self.purge.cover.paths() + self.after.cover.paths() + self.resent.count
    }

    /// Returns what CloudFront charges where it took so many of the paths, the free ones first.
    pub fn cost_of(&self, taken: u64) -> Money {
        let paths = self.paths();
        let paid = paths.saturating_sub(self.purge.cover.free + self.after.cover.free);
        let price = self.cost().0 / paid.max(1);
        Money(price) * taken.min(paths).saturating_sub(paths - paid)
    }

    /// Returns what CloudFront charges for its paths.
    pub fn cost(&self) -> Money {
        self.purge.cover.path_cost + self.after.cover.path_cost + self.resent.cost
    }
}

/// An object that stands as the build has it, and that the manifest does not know so.
#[derive(Clone, Debug)]
pub struct LiveObject {
    pub key: Key,
    pub etag: ETag,
    pub md5: Md5,
    pub headers: Arc<Headers>,
    pub version_id: Option<String>,
}

impl LiveObject {
    /// Returns the content's MD5, where the ETag does not say it.
    pub fn digest(&self) -> Option<Md5> {
        (self.etag != ETag::Md5(self.md5)).then_some(self.md5)
    }
}

/// An object that a deploy which died put: ours, whether this deploy gets round to it or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedObject {
    pub key: Key,
    pub etag: ETag,
    pub headers: HeaderFingerprint,
    pub digest: Option<Md5>,
}

/// What a purge follows from: how the answers that edges may hold differ from what the deploy leaves.
#[derive(Clone, Debug, Default)]
pub struct KeyDifferences {
    pub now: Vec<edge::HeldAnswer>,
    /// The same of what goes only once the purge of all else has completed.
    pub late: Vec<edge::HeldAnswer>,
    /// All keys of the site, before and after.
    pub keys: Vec<Key>,
    /// Whether the deploy changes anything at all.
    pub changes: bool,
}

impl KeyDifferences {
    /// Returns those of these keys alone.
    fn only(&self, keys: &HashSet<Key>) -> Self {
        let only = |moves: &[edge::HeldAnswer]| {
            let kept = moves.iter().filter(|moved| keys.contains(&moved.key));
            kept.cloned().collect()
        };
        Self {
            now: only(&self.now),
            late: only(&self.late),
            keys: self.keys.clone(),
            changes: self.changes,
        }
    }
}

/// The CloudFront Function that answers redirects, where it is to be written or associated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FunctionChange {
    pub name: String,
    #[serde(skip)]
    pub code: Arc<str>,
    pub redirects: usize,
    /// Whether it is to be created.
    pub new: bool,
    /// Whether viewers are to meet other code than now.
    pub publish: bool,
    /// The distributions whose default behavior is to run it.
    pub associate: Vec<String>,
    /// The functions of this site, by their names, whose place it takes there.
    pub replaces: Vec<String>,
    /// Whether it runs for answers too, and not for requests alone.
    pub answers: bool,
    /// The distributions that it is taken off, since nothing is left for it to do.
    pub remove: Vec<String>,
    /// What changes in its key value store, where it has one.
    pub store: Option<StoreChange>,
}

/// What a deploy does to a response headers policy. Edges send its headers on the way out, so that nothing is purged for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HeadersPolicyChange {
    pub name: String,
    #[serde(skip)]
    pub policy: HeadersPolicy,
    /// How many headers it sends and takes away.
    pub headers: usize,
    /// Whether it is to be created.
    pub new: bool,
    /// Whether it is to be written, new or not.
    pub write: bool,
    /// By distribution the path patterns of the behaviors that are to have it.
    pub associate: BTreeMap<String, Vec<String>>,
    /// Of those that are to have none.
    pub remove: BTreeMap<String, Vec<String>>,
}

/// What a deploy does to a CloudFront KeyValueStore, which is called as its function is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreChange {
    /// Whether it is to be created.
    pub new: bool,
    #[serde(serialize_with = "count")]
    pub puts: BTreeMap<String, String>,
    #[serde(serialize_with = "count")]
    pub deletes: BTreeMap<String, String>,
}

/// Writes how many there are.
fn count<S: Serializer>(entries: &BTreeMap<String, String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(entries.len() as u64)
}

/// What a deploy will do.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In the order of upload: assets, pages, the root last.
    pub changes: Vec<Change>,
    pub deletions: Vec<Deletion>,
    /// Assets that left the build with this deploy, kept for pages that are still open.
    pub retained: Vec<Key>,
    /// Retained assets that the build has again.
    pub returned: Vec<Key>,
    /// Retained assets whose time has come, to go with the next deploy that changes something.
    pub due: usize,
    /// Objects that nobody here put there: never touched.
    pub foreign: Vec<Key>,
    /// Removed from the build, but kept by `--no-delete`.
    pub kept: usize,
    /// Objects that are as they should be already.
    pub adopted: Vec<LiveObject>,
    pub claimed: Vec<ClaimedObject>,
    /// Manifest entries whose object is gone.
    pub vanished: Vec<Key>,
    /// What it replaces or removes, for `rollback`.
    pub kept_copies: KeptCopies,
    /// Of the unchanged, pages that differ from the build's by noise alone.
    pub noisy: usize,
    pub unchanged: usize,
    pub unchanged_bytes: u64,
    pub purges: Vec<DistributionPurge>,
    pub moves: Arc<KeyDifferences>,
    pub functions: Vec<FunctionChange>,
    pub headers_policies: Vec<HeadersPolicyChange>,
    /// Deploys that died, whose debts this one pays.
    pub debts: Vec<String>,
    /// Whether a target is known by a configuration that the manifest has not seen.
    pub news: bool,
    pub warnings: Vec<String>,
    /// Those of them that the last deploy gave, too.
    pub known_warnings: HashSet<String>,
    /// URLs of pages that answer no longer, once this is carried out.
    pub lost: Vec<LostUrl>,
    /// What the pages' links lead to; none where that is not looked at.
    pub links: Option<LinkReport>,
    pub budget: Vec<BudgetLine>,
    /// Why changed scripts and style sheets whose names end like a hash are not taken for fingerprinted.
    pub doubts: BTreeMap<Key, String>,
    /// Objects of ours in the bucket before the deploy that would be deleted at once if they left the build.
    pub objects_before: usize,
}

impl Plan {
    /// Returns whether there is nothing to do: nothing is written, nothing purged.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.deletions.is_empty()
            && self.retained.is_empty()
            && self.returned.is_empty()
            && self.adopted.is_empty()
            && self.vanished.is_empty()
            && self.debts.is_empty()
            && !self.news
            && self.functions.is_empty()
            && self.headers_policies.is_empty()
            && self.purges.iter().all(DistributionPurge::is_empty)
    }

    /// Returns the purges for these keys alone, or for all, at the targets as they are now.
    pub fn purges_of(
        &self,
        targets: &[TargetFacts],
        manifest: &Manifest,
        only: Option<&HashSet<Key>>,
    ) -> Vec<DistributionPurge> {
        let some = only.map(|keys| self.moves.only(keys));
        purge::purges(targets, manifest, some.as_ref().unwrap_or(&self.moves)).targets
    }

    /// Returns the keys that are gone already, and that edges may hold all the same.
    pub fn gone(&self) -> impl Iterator<Item = &Key> {
        let gone = self.moves.now.iter().filter(|moved| moved.after.is_none());
        let mut gone: BTreeSet<&Key> = gone.map(|moved| &moved.key).collect();
        for deletion in &self.deletions {
            gone.remove(&deletion.key);
        }
        gone.into_iter()
    }

    /// Counts the bytes that will be sent to the bucket.
    pub fn upload_bytes(&self) -> u64 {
        let uploads = self
            .changes
            .iter()
            .filter(|change| change.action == ChangeAction::Upload);
        uploads.map(|change| change.size).sum()
    }

    /// Counts the changes of each reason, deletions among them.
    pub fn counts(&self) -> BTreeMap<Reason, usize> {
        let mut counts = BTreeMap::new();
        for change in &self.changes {
            *counts.entry(change.reason).or_default() += 1;
        }
        if !self.deletions.is_empty() {
            counts.insert(Reason::Removed, self.deletions.len());
        }
        counts
    }
}

#[cfg(test)]
mod tests;
