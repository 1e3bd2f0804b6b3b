//! What a plan follows from, and what of that edges may hold.

use std::collections::HashMap;

use super::intended::CLOCK_SLACK;
use super::object::{BucketObject, HeadAnswer};
use super::open::OpenDeploys;
use super::purge::{self, TargetFacts};
use crate::edge::{self, PurgeMode};
use crate::object::Key;
use crate::object::entry::{EntryLife, ManifestEntry};
use crate::object::manifest::Manifest;

/// All that a plan follows from, besides the build and the listing.
pub struct PlanFacts<'a> {
    pub manifest: &'a Manifest,
    pub open: &'a OpenDeploys,
    pub answers: &'a HashMap<Key, HeadAnswer>,
    pub targets: &'a [TargetFacts<'a>],
    /// Seconds since 1970, by the server's clock.
    pub now: i64,
    /// Seconds that assets stay after they left the build.
    pub retain: i64,
    /// Delete retained assets whose time has come even if nothing else changes.
    pub sweep: bool,
    /// Since when (unix seconds) what leaves the site is kept for `rollback`; `None`: nothing is kept.
    pub keep_since: Option<i64>,
    pub delete: bool,
    pub adopt: bool,
    /// Upload everything, whatever is there.
    pub force: bool,
    /// Whether a key of the bucket that the build no longer has is a page.
    pub is_page: &'a dyn Fn(&Key) -> bool,
    /// Whether a rule or the name says that the content under a key can never change.
    pub is_fingerprinted: &'a dyn Fn(&Key) -> bool,
    /// Whether open pages may yet ask for a key of the bucket that the build no longer has.
    pub is_asset: &'a dyn Fn(&Key) -> bool,
}

impl<'f> PlanFacts<'f> {
    /// Tells whether edges hold pages of this site that no purge of this deploy takes from them: purging is off, or they are of a
    /// distribution that was told before, or is owed something, and is not purged now.
    pub(super) fn withholds(&self) -> bool {
        let is_purged = |target: &TargetFacts| target.prices.mode != PurgeMode::None;
        let mut told = self.manifest.distributions.keys();
        !self.targets.iter().all(is_purged)
            || !self.open.kept.is_empty()
            || !told.all(|id| self.targets.iter().any(|target| target.id == *id))
    }

    /// Returns what the manifest says of a key, tombstones included.
    pub(super) fn entry(&self, key: &str) -> Option<&'f ManifestEntry> {
        self.manifest.entries.get(key)
    }

    /// Returns whether the object is what the deploy that the entry tells of left there: nobody wrote over it since, the same bytes
    /// with other headers neither, as far as they were asked for.
    pub(super) fn is_ours(&self, entry: &ManifestEntry, object: &BucketObject) -> bool {
        let put = self.manifest.tables.deploy_at(entry.last);
        let is_later = match (put, object.modified) {
            (Some(put), Some(modified)) => modified > put.at.saturating_add(CLOCK_SLACK),
            _ => false,
        };
        let answered = self.answers.get(object.key);
        let set = answered.map(|answered| answered.headers.fingerprint());
        let as_set = set.is_none_or(|set| set == entry.headers);
        as_set && entry.etag == *object.etag && is_alive(entry) && !is_later
    }

    /// Returns how each answer that an edge may hold for a key differs from what the deploy leaves there, which is `left`. `object`
    /// is what lies in the bucket now.
    pub(super) fn moves(
        &self,
        object: Option<&BucketObject>,
        left: &edge::HeldAnswer,
    ) -> Vec<edge::HeldAnswer> {
        // Nobody to be told: then there may be a million that nobody asks for.
        if self.targets.is_empty() {
            return Vec::new();
        }
        let held = self.held(&left.key, object).into_iter();
        let moves = held.map(|before| edge::HeldAnswer {
            before,
            ..left.clone()
        });
        moves.filter(|moved| !moved.is_same()).collect()
    }

    /// Returns all that an edge may hold of a key (`None`: that there is nothing): what it was last told, what each deploy that
    /// died put or meant to put, and what lies in the bucket now if that is none of these.
    fn held(&self, key: &Key, object: Option<&BucketObject>) -> Vec<Option<edge::ServedAnswer>> {
        let entry = self.entry(key.as_str());
        let pair = entry.zip(object);
        let ours = pair.is_some_and(|(entry, object)| self.is_ours(entry, object));
        let mut held = Vec::with_capacity(1);
        let mut add = |served: Option<edge::ServedAnswer>| {
            if !held.contains(&served) {
                held.push(served);
            }
        };
        let settled = self.open.settled(key.as_str());
        if let Some(served) = settled {
            add(served.clone());
        } else {
            let certain = ours && !self.open.touches(key.as_str());
            add(entry.map(|entry| purge::last_served(self.manifest, entry, certain)));
            let unexplained = object.filter(|_| !ours);
            let meant = self.open.meant(key.as_str(), unexplained);
            meant.for_each(|intended| add(intended.served()));
        }
        let answered = self.answers.get(key.as_str());
        match object {
            Some(object) if !ours && self.open.explanation(object, answered).is_none() => {
                add(Some(purge::unknown(object.etag)));
            }
            Some(_) => {}
            // Since it went missing, edges may hold errors in its place.
            None if entry.is_some_and(is_alive) || settled.is_none() => add(None),
            None => {}
        }
        held
    }
}

pub(super) fn is_alive(entry: &ManifestEntry) -> bool {
    !matches!(entry.life, EntryLife::Tombstone { .. })
}
