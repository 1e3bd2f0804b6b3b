//! What a plan replaces and removes that `rollback` may want again, where no version of it stays.

use std::collections::{BTreeMap, HashSet};

use super::Plan;
use super::facts::{PlanFacts, is_alive};
use super::make::MAX_COPY;
use super::object::BucketObject;
use crate::edge::Money;
use crate::object::entry::{EntryLife, ManifestEntry};
use crate::object::{ETag, HeaderFingerprint, KeptName, Key, Md5};

/// What S3 charges for a copy in us-east-1 (Amazon S3 pricing, "PUT, COPY, POST, LIST requests": $0.005 per 1,000).
const COPY_PRICE: Money = Money(5_000);

/// What a deploy keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptCopies {
    /// One for each object.
    pub copies: Vec<KeptCopy>,
    /// Objects that need no copy, since the bucket has them as versions.
    pub versioned: usize,
}

/// An object as its last deploy left it, and the copy that is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCopy {
    pub name: KeptName,
    pub key: Key,
    pub etag: ETag,
    pub size: u64,
    /// The one of its headers that no copy takes along.
    pub redirect: Option<String>,
    pub headers: HeaderFingerprint,
    pub action: KeepAction,
}

/// What it takes to have the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAction {
    /// The object is as its deploy left it: it is copied.
    Copy,
    /// A deploy that died, or somebody else, may have changed it: it is copied where there is no copy yet and it is as it was.
    Look,
    /// The same is kept already, or copied for another key.
    Stay,
}

impl KeptCopies {
    /// Marks what needs no copy since `is_kept` knows its name, or since it is copied for another key.
    pub fn settle(&mut self, is_kept: impl Fn(&KeptName) -> bool) {
        let mut copied = HashSet::new();
        for copy in &mut self.copies {
            let again = copy.action == KeepAction::Copy && !copied.insert(copy.name.clone());
            if again || is_kept(&copy.name) {
                copy.action = KeepAction::Stay;
            }
        }
    }

    /// Counts the bytes of what is kept.
    pub fn bytes(&self) -> u64 {
        self.copies.iter().map(|copy| copy.size).sum()
    }

    /// Counts the copies that may be made.
    pub fn requests(&self) -> u64 {
        let copies = self.copies.iter();
        copies
            .filter(|copy| copy.action != KeepAction::Stay)
            .count() as u64
    }

    /// Returns what S3 charges for the copies.
    pub fn cost(&self) -> Money {
        COPY_PRICE * self.requests()
    }
}

/// Returns the name of the copy of an object with this entry.
fn name(entry: &ManifestEntry) -> KeptName {
    let content = entry.content().unwrap_or_else(|| entry.etag.stand_in());
    KeptName::new(content, entry.headers)
}

impl PlanFacts<'_> {
    /// Adds to a plan what is kept of what it replaces and removes; `find` finds objects of the listing.
    pub fn keep<'a>(&self, plan: &mut Plan, find: impl Fn(&Key) -> Option<BucketObject<'a>>) {
        let Some(since) = self.keep_since else {
            return;
        };
        let mut kept = KeptCopies::default();
        for (key, becomes) in touched(plan) {
            let entry = self.entry(key.as_str()).filter(|entry| is_alive(entry));
            // What left the site so long ago is in no deploy that one can go back to.
            let entry = entry.filter(
                |entry| !matches!(entry.life, EntryLife::Retained { since: left } if left < since),
            );
            let Some(entry) = entry.filter(|entry| becomes != Some(name(entry))) else {
                continue;
            };
            if entry.version_id.is_some() {
                kept.versioned += 1;
            } else if let Some(copy) = self.kept_copy(key, entry, find(key)) {
                kept.copies.push(copy);
            }
        }
        let (copies, large) = kept
            .copies
            .into_iter()
            .partition(|copy| copy.size <= MAX_COPY);
        kept.copies = copies;
        let large: Vec<KeptCopy> = large;
        plan.warnings.extend(large.iter().map(|copy| {
            format!(
                "{} is not kept for rollback: S3 copies at most 5 GB at once",
                copy.key
            )
        }));
        plan.kept_copies = kept;
    }

    /// Returns the copy to keep of an object of ours, if there may be any.
    fn kept_copy(
        &self,
        key: &Key,
        entry: &ManifestEntry,
        object: Option<BucketObject>,
    ) -> Option<KeptCopy> {
        let action = self.keep_action(key, entry, object.as_ref())?;
        let served = self.manifest.tables.served(entry.served);
        Some(KeptCopy {
            name: name(entry),
            key: key.clone(),
            etag: entry.etag.clone(),
            size: object.map_or(0, |object| object.size),
            redirect: served.and_then(|served| served.redirect.clone()),
            headers: entry.headers,
            action,
        })
    }

    /// `None`: the object is not what its deploy left there, and nobody of us changed it.
    fn keep_action(
        &self,
        key: &Key,
        entry: &ManifestEntry,
        object: Option<&BucketObject>,
    ) -> Option<KeepAction> {
        let dead = self.open.touches(key.as_str()) || self.open.may_touch(key.as_str());
        let same = object.is_some_and(|object| entry.etag == *object.etag);
        let ours = object.is_some_and(|object| self.is_ours(entry, object));
        match (dead, ours) {
            (false, true) => Some(KeepAction::Copy),
            _ if dead || same => Some(KeepAction::Look),
            _ => None,
        }
    }
}

/// Returns the keys of which the manifest will say something else, with the name of what they become where that is known.
fn touched(plan: &Plan) -> BTreeMap<&Key, Option<KeptName>> {
    let name = |md5: Md5, headers| Some(KeptName::new(md5, headers));
    let gone = plan.deletions.iter().map(|deletion| &deletion.key);
    let gone = gone.chain(&plan.vanished).map(|key| (key, None));
    let claimed = plan.claimed.iter().map(|claimed| (&claimed.key, None));
    let adopted = plan.adopted.iter();
    let adopted = adopted.map(|adopted| {
        (
            &adopted.key,
            name(adopted.md5, adopted.headers.fingerprint()),
        )
    });
    let changes = plan.changes.iter();
    let changes = changes.map(|change| (&change.key, name(change.md5, change.fingerprint)));
    // A key that is claimed and changed becomes what the change makes of it.
    gone.chain(claimed).chain(adopted).chain(changes).collect()
}
