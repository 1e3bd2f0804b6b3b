//! From what the merge is given to the Plan: build, listing and manifest, key by key.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::facts::{PlanFacts, is_alive};
use super::object::{BucketObject, WantedObject};
use super::order::{self, rank};
use super::purge;
use super::{
    Change, ChangeAction, ClaimedObject, Deletion, KeyDifferences, LiveObject, Plan, Reason,
};
use crate::edge;
use crate::object::diff;
use crate::object::diff::{ComparisonVerdict, DeployedState, ListedState, OpenQuestions};
use crate::object::entry::EntryLife;
use crate::object::{ETag, Key, Md5};

/// Bytes from which an object that lies in the bucket under another key is copied rather than uploaded.
const MIN_COPY: u64 = 64 << 10;
/// Bytes up to which CopyObject works (Amazon S3 API Reference, "CopyObject").
pub const MAX_COPY: u64 = 5_000_000_000;

/// Makes the Plan, or says which objects must be asked about first. `wants` and `listing` are sorted by key.
pub fn make<'a>(
    facts: &PlanFacts,
    wants: impl Iterator<Item = WantedObject>,
    listing: impl Iterator<Item = BucketObject<'a>> + Clone,
) -> Result<Plan, Vec<(Key, OpenQuestions)>> {
    let mut maker = PlanMaker::new(facts);
    if facts.adopt {
        maker.leave_sites(listing.clone());
    }
    let (mut wants, mut listing) = (wants.peekable(), listing.peekable());
    loop {
        let order = match (wants.peek(), listing.peek()) {
            (Some(want), Some(object)) => want.key.as_str().cmp(object.key),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return maker.finish(),
        };
        let want = wants.next_if(|_| order.is_le());
        let object = listing.next_if(|_| order.is_ge());
        match (want, object) {
            (Some(want), Some(object)) => maker.present(want, object),
            (Some(want), None) => maker.missing(want),
            (None, Some(object)) => maker.leaving(object),
            (None, None) => {}
        }
    }
}

/// A plan in the making.
pub(super) struct PlanMaker<'f, 'a> {
    pub(super) facts: &'f PlanFacts<'f>,
    pub(super) plan: Plan,
    pub(super) asks: Vec<(Key, OpenQuestions)>,
    /// What a purge follows from.
    pub(super) moves: KeyDifferences,
    /// Edges hold pages that this deploy does not purge.
    pub(super) withholds: bool,
    /// Folders of other sites, by their state.
    pub(super) other_sites: Vec<&'a str>,
    /// Retained assets whose time has come.
    pub(super) due: Vec<(Deletion, BucketObject<'a>)>,
    /// Manifest keys met, so that the rest is known to have vanished.
    pub(super) met: usize,
    /// Objects of the listing that could be copied, by content.
    pub(super) sources: HashMap<(Md5, u64), (&'a str, &'a ETag)>,
}

impl<'f, 'a> PlanMaker<'f, 'a> {
    fn new(facts: &'f PlanFacts<'f>) -> Self {
        Self {
            facts,
            plan: Plan::default(),
            asks: Vec::new(),
            moves: KeyDifferences::default(),
            withholds: facts.withholds(),
            other_sites: Vec::new(),
            due: Vec::new(),
            met: 0,
            sources: HashMap::new(),
        }
    }

    /// Takes an object of the build that the bucket has not.
    fn missing(&mut self, want: WantedObject) {
        let reason = if self.facts.force {
            Reason::Forced
        } else {
            Reason::New
        };
        let action = want.action();
        self.change(want, None, reason, action);
    }

    /// Takes an object of the build that the bucket has.
    fn present(&mut self, want: WantedObject, object: BucketObject<'a>) {
        let alive = self.facts.entry(object.key).filter(|entry| is_alive(entry));
        let touched = self.facts.open.touches(object.key);
        if touched && self.facts.open.put(&object) {
            self.claim(&object);
        }
        let answered = self.facts.answers.get(object.key);
        let noted = !touched && alive.is_some_and(|entry| self.facts.is_ours(entry, &object));
        let sure = noted && !self.facts.open.may_touch(object.key);
        let known = alive.map(|entry| DeployedState {
            etag: &entry.etag,
            digest: entry.content(),
            headers: sure.then_some(entry.headers),
        });
        let verdict = diff::compare(
            diff::WantedState {
                // A version's size is not known yet, and its digest tells enough.
                size: want.version.as_ref().map_or(want.size, |_| object.size),
                md5: want.md5,
                parts: want.parts.as_ref(),
                headers: want.fingerprint,
            },
            ListedState {
                size: object.size,
                etag: object.etag,
            },
            known,
            answered.map(|answered| answered.answer),
        );
        let stays = want.fingerprinted || want.asset && self.facts.retain > 0;
        self.plan.objects_before += usize::from((alive.is_some() || touched) && !stays);
        if self.facts.force {
            return self.change(want, Some(object), Reason::Forced, ChangeAction::Upload);
        }
        let action = want.action();
        match verdict {
            // What somebody else may have written is no better than what lies in the version.
            ComparisonVerdict::Ask(_) if want.version.is_some() => {
                self.change(want, Some(object), Reason::Content, action)
            }
            ComparisonVerdict::Ask(ask) => self.asks.push((want.key, ask)),
            ComparisonVerdict::Content => self.change(want, Some(object), Reason::Content, action),
            ComparisonVerdict::Headers => self.change(
                want,
                Some(object),
                Reason::Headers,
                ChangeAction::SetHeaders,
            ),
            ComparisonVerdict::Same => {
                self.same(&want, &object);
                let life = alive.map(|entry| entry.life);
                if !noted {
                    self.adopt(want, &object);
                } else if matches!(life, Some(EntryLife::Retained { .. })) {
                    self.plan.returned.push(want.key);
                }
            }
        }
    }

    fn same(&mut self, want: &WantedObject, object: &BucketObject<'a>) {
        self.plan.unchanged += 1;
        self.plan.unchanged_bytes += object.size;
        if matches!(object.etag, ETag::Md5(_)) {
            self.offer(want.md5, object);
        }
        self.becomes(want, Some(object));
    }

    /// Notes an object that others may be copied of.
    pub(super) fn offer(&mut self, content: Md5, object: &BucketObject<'a>) {
        if object.size >= MIN_COPY {
            let content = (content, object.size);
            self.sources.insert(content, (object.key, object.etag));
        }
    }

    /// Notes an object that is as it should be, but that the manifest does not know so.
    fn adopt(&mut self, want: WantedObject, object: &BucketObject) {
        let answered = self.facts.answers.get(object.key);
        self.plan.adopted.push(LiveObject {
            etag: object.etag.clone(),
            md5: want.md5,
            key: want.key,
            headers: want.headers,
            version_id: answered.and_then(|answered| answered.version_id.clone()),
        });
    }

    fn change(
        &mut self,
        want: WantedObject,
        before: Option<BucketObject<'a>>,
        reason: Reason,
        action: ChangeAction,
    ) {
        self.becomes(&want, before.as_ref());
        self.plan.changes.push(Change {
            action,
            reason,
            size: want.size,
            md5: want.md5,
            fingerprint: want.fingerprint,
            rank: rank(want.key.as_str(), want.stage, before.is_none()),
            before: before.map(|object| object.etag.clone()),
            headers: want.headers,
            key: want.key,
        });
    }

    /// Notes that a key will be as the build has it.
    fn becomes(&mut self, want: &WantedObject, object: Option<&BucketObject>) {
        self.met += usize::from(self.facts.entry(want.key.as_str()).is_some());
        self.moves.keys.push(want.key.clone());
        let left = edge::HeldAnswer::left(
            &want.key,
            Some(purge::served(want.md5, want.fingerprint, want.tags)),
            want.fingerprinted,
        );
        self.moves.now.extend(self.facts.moves(object, &left));
    }

    /// Notes that a deploy which died put the object.
    pub(super) fn claim(&mut self, object: &BucketObject) {
        if let Some((headers, digest)) = self.facts.open.headers(object) {
            self.plan.claimed.push(ClaimedObject {
                key: Key::new(object.key),
                etag: object.etag.clone(),
                headers,
                digest,
            });
        }
    }

    fn finish(mut self) -> Result<Plan, Vec<(Key, OpenQuestions)>> {
        if !self.asks.is_empty() {
            return Err(self.asks);
        }
        self.vanished();
        self.plan.debts = self.facts.open.ids.clone();
        self.copies();
        order::sort(&mut self.plan.changes);
        self.plan.changes.shrink_to_fit();
        self.plan.due = self.due.len();
        let owed = self.facts.targets.iter().any(|target| target.is_owed());
        let retained = std::mem::take(&mut self.plan.retained);
        let moves = !self.plan.is_empty() || owed || self.facts.sweep;
        // Since when an asset stays is noted with the next change.
        if moves {
            self.plan.retained = retained;
        }
        if moves && !self.due.is_empty() {
            self.plan.due = 0;
            for (deletion, object) in std::mem::take(&mut self.due) {
                self.delete(deletion, &object);
            }
        }
        self.moves.changes = !self.plan.is_empty();
        let purges = purge::purges(self.facts.targets, self.facts.manifest, &self.moves);
        self.plan.moves = Arc::new(self.moves);
        self.plan.news = purges.news;
        self.plan.purges = purges.targets;
        self.plan.warnings.extend(purges.warnings);
        Ok(self.plan)
    }

    /// Takes the keys that are neither in the build nor in the bucket: entries whose object somebody deleted, and what deploys that died
    /// put, or meant to, and that is gone again.
    fn vanished(&mut self) {
        let manifest = self.facts.manifest;
        let open: Vec<&Key> = self.facts.open.keys().collect();
        if self.met == manifest.entries.len() && open.is_empty() {
            return;
        }
        let present: HashSet<Key> = self.moves.keys.iter().cloned().collect();
        let entries = manifest.entries.iter();
        let alive = entries.filter(|(_, entry)| is_alive(entry));
        let vanished = alive.map(|(key, _)| key.clone());
        let vanished: Vec<Key> = vanished.filter(|key| !present.contains(key)).collect();
        let listed: HashSet<&Key> = vanished.iter().collect();
        let open = open.into_iter().filter(|key| !present.contains(*key));
        let others: Vec<&Key> = open.filter(|key| !listed.contains(key)).collect();
        for key in vanished.iter().chain(others) {
            let left = edge::HeldAnswer::left(key, None, (self.facts.is_fingerprinted)(key));
            self.moves.now.extend(self.facts.moves(None, &left));
        }
        self.plan.vanished.extend(vanished);
    }

    /// Copies new objects there whose bytes the bucket has already.
    fn copies(&mut self) {
        let changes = self.plan.changes.iter();
        let written: HashSet<&str> = changes.map(|change| change.key.as_str()).collect();
        self.sources.retain(|_, (key, _)| !written.contains(*key));
        for change in &mut self.plan.changes {
            let source = self.sources.get(&(change.md5, change.size));
            if let Some((key, etag)) = source
                && change.action == ChangeAction::Upload
                && change.reason != Reason::Forced
                && (MIN_COPY..=MAX_COPY).contains(&change.size)
            {
                change.action = ChangeAction::CopyFrom {
                    key: Key::new(key),
                    etag: (*etag).clone(),
                };
            }
        }
    }
}
