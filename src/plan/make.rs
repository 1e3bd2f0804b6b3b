//! From what the merge is given to the Plan: build, listing and manifest, key by key.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::facts::{PlanFacts, is_alive, is_state};
use super::object::{BucketObject, WantedObject};
use super::order::{self, rank};
use super::purge;
use super::{
    AdoptedObject, Change, ChangeAction, ClaimedObject, Deletion, KeyDifferences, Plan, Reason,
};
use crate::edge;
use crate::object::diff;
use crate::object::diff::{ComparisonVerdict, DeployedState, ListedState, OpenQuestions};
use crate::object::entry::{EntryLife, ManifestEntry};
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
    let mut maker = Maker::new(facts);
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

struct Maker<'f, 'a> {
    facts: &'f PlanFacts<'f>,
    plan: Plan,
    asks: Vec<(Key, OpenQuestions)>,
    /// What a purge follows from.
    moves: KeyDifferences,
    /// Edges hold pages that this deploy does not purge.
    withholds: bool,
    /// Folders of other sites, by their state.
    other_sites: Vec<&'a str>,
    /// Retained assets whose time has come.
    due: Vec<(Deletion, BucketObject<'a>)>,
    /// Manifest keys met, so that the rest is known to have vanished.
    met: usize,
    /// Objects of the listing that could be copied, by content.
    sources: HashMap<(Md5, u64), (&'a str, &'a ETag)>,
}

impl<'f, 'a> Maker<'f, 'a> {
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

    /// Notes the sites in folders below, which are not adopted with this one's.
    fn leave_sites(&mut self, listing: impl Iterator<Item = BucketObject<'a>>) {
        let folders = listing.filter_map(|object| object.key.strip_suffix(".unstale/state"));
        self.other_sites
            .extend(folders.filter(|folder| folder.ends_with('/')));
        let warnings = self.other_sites.iter().map(|folder| {
            format!("{folder} is another site, by its state: --adopt leaves it alone")
        });
        self.plan.warnings.extend(warnings);
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
                if !noted {
                    self.adopt(want, &object);
                }
            }
        }
    }

    fn same(&mut self, want: &WantedObject, object: &BucketObject<'a>) {
        self.plan.unchanged += 1;
        self.plan.unchanged_bytes += object.size;
        if object.size >= MIN_COPY && matches!(object.etag, ETag::Md5(_)) {
            let content = (want.md5, object.size);
            self.sources.insert(content, (object.key, object.etag));
        }
        let entry = self.facts.entry(object.key);
        if entry.is_some_and(|entry| matches!(entry.life, EntryLife::Retained { .. })) {
            self.plan.returned.push(want.key.clone());
        }
        self.becomes(want, Some(object));
    }

    /// Notes an object that is as it should be, but that the manifest does not know so.
    fn adopt(&mut self, want: WantedObject, object: &BucketObject) {
        let answered = self.facts.answers.get(object.key);
        self.plan.adopted.push(AdoptedObject {
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
            rank: rank(want.stage, before.is_none()),
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

    /// Takes an object of the bucket that the build has not.
    fn leaving(&mut self, object: BucketObject<'a>) {
        let key = Key::new(object.key);
        self.moves.keys.push(key.clone());
        let entry = self.facts.entry(object.key);
        self.met += usize::from(entry.is_some());
        let alive = entry.filter(|entry| is_alive(entry));
        let open = self.facts.open;
        let mut ours = open.put(&object)
            || alive.is_some_and(|entry| entry.etag == *object.etag)
            || self.facts.adopt && self.may_adopt(object.key);
        if !ours && open.possible_content(&object).is_some() {
            let Some(answered) = self.facts.answers.get(object.key) else {
                let (content, headers) = (true, false);
                return self.asks.push((key, OpenQuestions { content, headers }));
            };
            ours = answered.answer.same_content == Some(true);
        }
        if !ours {
            return self.leave(key, &object, alive.is_some());
        }
        if alive.is_none_or(|entry| entry.etag != *object.etag) {
            self.claim(&object);
        }
        let fingerprinted = (self.facts.is_fingerprinted)(&key);
        let retained = alive.is_some_and(|entry| matches!(entry.life, EntryLife::Retained { .. }));
        let stays = self.facts.retain > 0 && (fingerprinted || (self.facts.is_asset)(&key));
        self.plan.objects_before += usize::from(!fingerprinted && !retained && !stays);
        if object.size >= MIN_COPY
            && let ETag::Md5(digest) = object.etag
        {
            self.sources
                .insert((*digest, object.size), (object.key, object.etag));
        }
        if !self.facts.delete {
            self.plan.kept += 1;
            return;
        }
        let deletion = Deletion {
            etag: object.etag.clone(),
            size: object.size,
            page: (self.facts.is_page)(&key),
            fingerprinted,
            retained,
            key,
        };
        if stays || self.withholds && !deletion.page {
            self.retain(deletion, object, alive);
        } else {
            self.delete(deletion, &object);
        }
    }

    fn may_adopt(&self, key: &str) -> bool {
        let mut others = self.other_sites.iter();
        !is_state(key) && !others.any(|folder| key.starts_with(folder))
    }

    /// Leaves alone what somebody else wrote, or wrote over: what the edges hold may be either.
    fn leave(&mut self, key: Key, object: &BucketObject, was_deployed: bool) {
        if was_deployed {
            self.plan.warnings.push(format!(
                "{key} was deployed from here and then changed by somebody else: it is left alone"
            ));
            self.plan.vanished.push(key.clone());
        }
        if was_deployed || self.facts.open.touches(object.key) {
            let left = edge::HeldAnswer::left(&key, Some(purge::unknown(object.etag)), false);
            self.moves.now.extend(self.facts.moves(Some(object), &left));
        }
        self.plan.foreign.push(key);
    }

    /// Keeps what pages that are still open, or that edges hold unpurged, may ask for, until its time has come.
    fn retain(
        &mut self,
        deletion: Deletion,
        object: BucketObject<'a>,
        entry: Option<&'f ManifestEntry>,
    ) {
        let since = match entry.map(|entry| entry.life) {
            Some(EntryLife::Retained { since }) => Some(since),
            _ => None,
        };
        match since {
            Some(_) if self.withholds => {}
            // The pages of a deploy that died may have asked for it until a moment ago.
            Some(_) if self.facts.open.any_dead() => self.plan.retained.push(deletion.key),
            Some(since) if self.facts.now - since < self.facts.retain => {}
            Some(_) => self.due.push((deletion, object)),
            None if entry.is_some() => self.plan.retained.push(deletion.key),
            None if self.claims(&object) => self.plan.retained.push(deletion.key),
            None if self.withholds => self.plan.foreign.push(deletion.key),
            // Taken over from others, of whom no page is open.
            None => {
                self.plan.objects_before += usize::from(!deletion.fingerprinted);
                self.delete(deletion, &object);
            }
        }
    }

    /// Returns whether a deploy that died put the object, and the manifest does not know it so.
    fn claims(&self, object: &BucketObject) -> bool {
        let last = self.plan.claimed.last();
        last.is_some_and(|claimed| claimed.key.as_str() == object.key)
    }

    /// Notes that a deploy which died put the object.
    fn claim(&mut self, object: &BucketObject) {
        if let Some((headers, digest)) = self.facts.open.headers(object) {
            self.plan.claimed.push(ClaimedObject {
                key: Key::new(object.key),
                etag: object.etag.clone(),
                headers,
                digest,
            });
        }
    }

    fn delete(&mut self, deletion: Deletion, object: &BucketObject) {
        let left = edge::HeldAnswer::left(&deletion.key, None, deletion.fingerprinted);
        let moves = self.facts.moves(Some(object), &left);
        if deletion.page {
            self.moves.now.extend(moves);
        } else {
            self.moves.late.extend(moves);
        }
        self.plan.deletions.push(deletion);
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
        let moves = !self.plan.is_empty() || owed || self.facts.sweep;
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
