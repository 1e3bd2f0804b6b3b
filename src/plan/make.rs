//! From what was found to the Plan: a merge of build, listing and manifest, key by key.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::open::{CLOCK_SLACK, OpenDeploys};
use super::order::{self, Stage, rank};
use super::purge::{self, Target};
use super::{Action, Adopted, Change, ClaimedObject, Deletion, KeyMoves, Plan, Reason};
use crate::domain::diff::{self, Answer, Ask, Found, Known, Verdict};
use crate::domain::manifest::{Entry, Life, Manifest};
use crate::domain::{ETag, HeaderFingerprint, Headers, Key, Md5, Sort};
use crate::edge::{self, Change as Moved};

/// Bytes from which an object that lies in the bucket under another key is copied rather than uploaded.
const MIN_COPY: u64 = 64 << 10;
/// Bytes up to which CopyObject works (Amazon S3 API Reference, "CopyObject").
pub const MAX_COPY: u64 = 5_000_000_000;

/// An object as the build wants it.
#[derive(Clone, Debug)]
pub struct Want {
    pub key: Key,
    pub size: u64,
    pub md5: Md5,
    pub parts: Option<ETag>,
    pub headers: Arc<Headers>,
    pub fingerprint: HeaderFingerprint,
    pub stage: Stage,
    /// Whether its name holds a hash of its content.
    pub fingerprinted: bool,
    /// The sort by which its headers give it its cache tags.
    pub tags: Option<Sort>,
    /// Where the content lies, if it is no file.
    pub version: Option<Version>,
}

/// A version of an object, to be copied back. Its size and its headers are known once somebody asked for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// As S3 names it; `null` where it was put before the bucket kept versions.
    pub id: String,
    pub etag: ETag,
}

impl Want {
    /// How the content gets there.
    fn action(&self) -> Action {
        match &self.version {
            None => Action::Upload,
            Some(Version { id, etag }) => Action::Restore {
                version: id.clone(),
                etag: etag.clone(),
            },
        }
    }
}

/// An object of the listing, its key relative to the site's prefix.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    pub key: &'a str,
    pub size: u64,
    pub etag: &'a ETag,
    /// When it was last written, in seconds since 1970.
    pub modified: Option<i64>,
}

/// What HEAD told of an object, and what follows from it.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    pub answer: Answer,
    /// The headers that it has.
    pub headers: Headers,
    pub version_id: Option<String>,
}

/// All that a plan follows from, besides the build and the listing.
pub struct Facts<'a> {
    pub manifest: &'a Manifest,
    pub open: &'a OpenDeploys,
    pub answers: &'a HashMap<Key, Answered>,
    pub targets: &'a [Target<'a>],
    /// Seconds since 1970, by the server's clock.
    pub now: i64,
    /// Seconds that fingerprinted assets stay after they left the build.
    pub retain: i64,
    /// Delete retained assets whose time has come even if nothing else changes.
    pub sweep: bool,
    pub delete: bool,
    pub adopt: bool,
    /// Upload everything, whatever is there.
    pub force: bool,
    /// Whether a key of the bucket that the build no longer has is a page.
    pub is_page: &'a dyn Fn(&Key) -> bool,
    /// Whether a rule or the name says that the content under a key can never change.
    pub is_fingerprinted: &'a dyn Fn(&Key) -> bool,
}

/// Makes the Plan, or says which objects must be asked about first. `wants` and `listing` are sorted by key.
pub fn make<'a>(
    facts: &Facts,
    wants: impl Iterator<Item = Want>,
    listing: impl Iterator<Item = Object<'a>>,
) -> Result<Plan, Vec<(Key, Ask)>> {
    let mut maker = Maker::new(facts);
    let (mut wants, mut listing) = (wants.peekable(), listing.peekable());
    loop {
        let order = match (wants.peek(), listing.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(want), Some(object)) => want.key.as_str().cmp(object.key),
        };
        match order {
            std::cmp::Ordering::Less => wants
                .next()
                .into_iter()
                .for_each(|want| maker.missing(want)),
            std::cmp::Ordering::Greater => listing
                .next()
                .into_iter()
                .for_each(|object| maker.leaving(object)),
            std::cmp::Ordering::Equal => {
                if let (Some(want), Some(object)) = (wants.next(), listing.next()) {
                    maker.present(want, object);
                }
            }
        }
    }
    maker.finish()
}

struct Maker<'f, 'a> {
    facts: &'f Facts<'f>,
    plan: Plan,
    asks: Vec<(Key, Ask)>,
    /// What a purge follows from.
    moves: KeyMoves,
    /// Retained assets whose time has come.
    due: Vec<(Deletion, Object<'a>)>,
    /// Manifest keys met, so that the rest is known to have vanished.
    met: usize,
    /// Objects of the listing that could be copied, by content.
    sources: HashMap<(Md5, u64), (&'a str, &'a ETag)>,
}

impl<'f, 'a> Maker<'f, 'a> {
    fn new(facts: &'f Facts<'f>) -> Self {
        Self {
            facts,
            plan: Plan::default(),
            asks: Vec::new(),
            moves: KeyMoves::default(),
            due: Vec::new(),
            met: 0,
            sources: HashMap::new(),
        }
    }

    fn entry(&self, key: &str) -> Option<&'f Entry> {
        self.facts.manifest.entries.get(key)
    }

    /// In the build, not in the bucket.
    fn missing(&mut self, want: Want) {
        let reason = if self.facts.force {
            Reason::Forced
        } else {
            Reason::New
        };
        let action = want.action();
        self.change(want, None, reason, action);
    }

    /// In both.
    fn present(&mut self, want: Want, object: Object<'a>) {
        let alive = self.entry(object.key).filter(|entry| is_alive(entry));
        let touched = self.facts.open.touches(object.key);
        if touched && self.facts.open.put(&object) {
            self.claim(&object);
        }
        let answered = self.facts.answers.get(object.key);
        let noted = alive.is_some_and(|entry| {
            let set = answered.map(|answered| answered.headers.fingerprint());
            let as_set = set.is_none_or(|set| set == entry.headers);
            as_set && !touched && self.is_ours(entry, &object)
        });
        let sure = noted && !self.facts.open.may_touch(object.key);
        let known = alive.map(|entry| Known {
            etag: &entry.etag,
            digest: entry.content(),
            headers: sure.then_some(entry.headers),
        });
        let verdict = diff::compare(
            diff::Wanted {
                // A version's size is not known yet, and its digest tells enough.
                size: want.version.as_ref().map_or(want.size, |_| object.size),
                md5: want.md5,
                parts: want.parts.as_ref(),
                headers: want.fingerprint,
            },
            Found {
                size: object.size,
                etag: object.etag,
            },
            known,
            answered.map(|answered| answered.answer),
        );
        if (alive.is_some() || touched) && !want.fingerprinted {
            self.plan.objects_before += 1;
        }
        if self.facts.force {
            return self.change(want, Some(object), Reason::Forced, Action::Upload);
        }
        let action = want.action();
        match verdict {
            // What somebody else may have written is no better than what lies in the version.
            Verdict::Ask(_) if want.version.is_some() => {
                self.change(want, Some(object), Reason::Content, action)
            }
            Verdict::Ask(ask) => self.asks.push((want.key, ask)),
            Verdict::Content => self.change(want, Some(object), Reason::Content, action),
            Verdict::Headers => {
                self.change(want, Some(object), Reason::Headers, Action::SetHeaders)
            }
            Verdict::Same => self.same(want, object, noted),
        }
    }

    fn same(&mut self, want: Want, object: Object<'a>, known: bool) {
        self.plan.unchanged += 1;
        self.plan.unchanged_bytes += object.size;
        if object.size >= MIN_COPY && matches!(object.etag, ETag::Md5(_)) {
            self.sources
                .insert((want.md5, object.size), (object.key, object.etag));
        }
        let entry = self.entry(object.key);
        if entry.is_some_and(|entry| matches!(entry.life, Life::Retained { .. })) {
            self.plan.returned.push(want.key.clone());
        }
        self.becomes(&want, Some(&object));
        if !known {
            let version_id = self
                .facts
                .answers
                .get(object.key)
                .and_then(|answered| answered.version_id.clone());
            self.plan.adopted.push(Adopted {
                etag: object.etag.clone(),
                md5: want.md5,
                key: want.key,
                headers: want.headers,
                version_id,
            });
        }
    }

    fn change(&mut self, want: Want, before: Option<Object<'a>>, reason: Reason, action: Action) {
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
    fn becomes(&mut self, want: &Want, object: Option<&Object>) {
        self.met += usize::from(self.entry(want.key.as_str()).is_some());
        self.moves.keys.push(want.key.clone());
        let after = purge::served(want.md5, want.fingerprint, want.tags);
        let fingerprinted = want.fingerprinted;
        self.note_moves(&want.key, object, Some(after), fingerprinted, false);
    }

    /// Notes how each answer that an edge may hold for a key differs from what the deploy leaves there.
    fn note_moves(
        &mut self,
        key: &Key,
        object: Option<&Object>,
        after: Option<edge::Served>,
        fingerprinted: bool,
        late: bool,
    ) {
        // Nobody to be told: then there may be a million that nobody asks for.
        if self.facts.targets.is_empty() {
            return;
        }
        let moves = if late {
            &mut self.moves.late
        } else {
            &mut self.moves.now
        };
        for before in held(self.facts, key, object) {
            let moved = Moved {
                key: key.clone(),
                before,
                after: after.clone(),
                fingerprinted,
            };
            if !moved.is_same() {
                moves.push(moved);
            }
        }
    }

    fn is_ours(&self, entry: &Entry, object: &Object) -> bool {
        is_ours(self.facts.manifest, entry, object)
    }

    /// In the bucket, not in the build.
    fn leaving(&mut self, object: Object<'a>) {
        let key = Key::new(object.key);
        self.moves.keys.push(key.clone());
        let entry = self.entry(object.key);
        self.met += usize::from(entry.is_some());
        let alive = entry.filter(|entry| is_alive(entry));
        let open = self.facts.open;
        let mut ours = open.put(&object)
            || alive.is_some_and(|entry| entry.etag == *object.etag)
            || self.facts.adopt && !is_state(object.key);
        if !ours && open.possible_content(&object).is_some() {
            let answered = self.facts.answers.get(object.key);
            let Some(answered) = answered else {
                let (content, headers) = (true, false);
                return self.asks.push((key, Ask { content, headers }));
            };
            ours = answered.answer.same_content == Some(true);
        }
        if !ours {
            // Somebody else wrote it, or wrote over it: what the edges hold may be either.
            if alive.is_some() {
                self.plan.warnings.push(format!(
                    "{key} was deployed from here and then changed by somebody else: it is left alone"
                ));
                self.plan.vanished.push(key.clone());
            }
            if alive.is_some() || open.touches(object.key) {
                let after = purge::unknown(object.etag);
                self.note_moves(&key, Some(&object), Some(after), false, false);
            }
            self.plan.foreign.push(key);
            return;
        }
        if alive.is_none_or(|entry| entry.etag != *object.etag) {
            self.claim(&object);
        }
        let fingerprinted = (self.facts.is_fingerprinted)(&key);
        let retained = alive.is_some_and(|entry| matches!(entry.life, Life::Retained { .. }));
        if !fingerprinted && !retained {
            self.plan.objects_before += 1;
        }
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
            key,
        };
        self.remove(deletion, object, alive);
    }

    fn remove(&mut self, deletion: Deletion, object: Object<'a>, entry: Option<&'f Entry>) {
        let since = match entry.map(|entry| entry.life) {
            Some(Life::Retained { since }) => Some(since),
            _ => None,
        };
        if !deletion.fingerprinted || self.facts.retain <= 0 {
            return self.delete(deletion, &object);
        }
        match since {
            // The pages of a deploy that died may have asked for it until a moment ago.
            Some(_) if self.facts.open.any_dead() => self.plan.retained.push(deletion.key),
            Some(since) if self.facts.now - since < self.facts.retain => {}
            Some(_) => self.due.push((deletion, object)),
            None if entry.is_some() => self.plan.retained.push(deletion.key),
            None if self.claims(&object) => self.plan.retained.push(deletion.key),
            None => self.delete(deletion, &object),
        }
    }

    /// Whether a deploy that died put the object, and the manifest does not know it so.
    fn claims(&self, object: &Object) -> bool {
        let last = self.plan.claimed.last();
        last.is_some_and(|claimed| claimed.key.as_str() == object.key)
    }

    /// Notes that a deploy which died put the object.
    fn claim(&mut self, object: &Object) {
        if let Some((headers, digest)) = self.facts.open.headers(object) {
            self.plan.claimed.push(ClaimedObject {
                key: Key::new(object.key),
                etag: object.etag.clone(),
                headers,
                digest,
            });
        }
    }

    fn delete(&mut self, deletion: Deletion, object: &Object) {
        let (fingerprinted, late) = (deletion.fingerprinted, !deletion.page);
        self.note_moves(&deletion.key, Some(object), None, fingerprinted, late);
        self.plan.deletions.push(deletion);
    }

    fn finish(mut self) -> Result<Plan, Vec<(Key, Ask)>> {
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

    /// Keys that are neither in the build nor in the bucket: entries whose object somebody deleted, and what deploys that died
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
        let others = open.into_iter().filter(|key| !present.contains(*key));
        let others: Vec<&Key> = others.filter(|key| !listed.contains(key)).collect();
        for key in vanished.iter().chain(others) {
            let fingerprinted = (self.facts.is_fingerprinted)(key);
            self.note_moves(key, None, None, fingerprinted, false);
        }
        self.plan.vanished.extend(vanished);
    }

    /// New objects whose bytes the bucket has already are copied there.
    fn copies(&mut self) {
        let written: BTreeMap<&str, ()> = self
            .plan
            .changes
            .iter()
            .map(|change| (change.key.as_str(), ()))
            .collect();
        self.sources
            .retain(|_, (key, _)| !written.contains_key(*key));
        for change in &mut self.plan.changes {
            let source = self.sources.get(&(change.md5, change.size));
            if let Some((key, etag)) = source
                && change.action == Action::Upload
                && change.reason != Reason::Forced
                && (MIN_COPY..=MAX_COPY).contains(&change.size)
            {
                change.action = Action::CopyFrom {
                    key: Key::new(key),
                    etag: (*etag).clone(),
                };
            }
        }
    }
}

/// Whether a key is the state of some site, which nobody takes over.
fn is_state(key: &str) -> bool {
    key.split('/').any(|segment| segment == ".unstale")
}

fn is_alive(entry: &Entry) -> bool {
    !matches!(entry.life, Life::Tombstone { .. })
}

/// Whether the object is what the deploy that the entry tells of left there: nobody wrote the same bytes over it since.
fn is_ours(manifest: &Manifest, entry: &Entry, object: &Object) -> bool {
    let put = manifest.tables.deploy_at(entry.last);
    let later = match (put, object.modified) {
        (Some(put), Some(modified)) => modified > put.at.saturating_add(CLOCK_SLACK),
        _ => false,
    };
    entry.etag == *object.etag && is_alive(entry) && !later
}

/// All that an edge may hold of a key (`None`: that there is nothing): what it was last told, what each deploy that died put or
/// meant to put, and what lies in the bucket now (`object`) if that is none of these.
fn held(facts: &Facts, key: &Key, object: Option<&Object>) -> Vec<Option<edge::Served>> {
    let entry = facts.manifest.entries.get(key.as_str());
    let answered = facts.answers.get(key.as_str());
    let ours = match (entry, object) {
        (Some(entry), Some(object)) => {
            let set = answered.map(|answered| answered.headers.fingerprint());
            let as_set = set.is_none_or(|set| set == entry.headers);
            as_set && is_ours(facts.manifest, entry, object)
        }
        _ => false,
    };
    let mut held = Vec::with_capacity(1);
    let mut add = |served: Option<edge::Served>| {
        if !held.contains(&served) {
            held.push(served);
        }
    };
    let settled = facts.open.settled(key.as_str());
    match settled {
        Some(intended) => add(intended.served()),
        None => {
            let touched = facts.open.touches(key.as_str());
            let certain = ours && !touched;
            add(entry.map(|entry| purge::last_served(facts.manifest, entry, certain)));
            let unexplained = object.filter(|_| !ours);
            let meant = facts.open.meant(key.as_str(), unexplained);
            meant.for_each(|intended| add(intended.served()));
        }
    }
    match object {
        Some(object) if !ours && facts.open.explanation(object, answered).is_none() => {
            add(Some(purge::unknown(object.etag)));
        }
        Some(_) => {}
        // Since it went missing, edges may hold errors in its place.
        None if entry.is_some_and(is_alive) || settled.is_none() => add(None),
        None => {}
    }
    held
}
