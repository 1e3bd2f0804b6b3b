//! From what was found to the Plan: a merge of build, listing and manifest, key by key.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::purge::{self, Target};
use super::{Action, Adopted, Change, Deletion, Plan, Reason};
use crate::domain::diff::{self, Answer, Ask, Found, Known, Verdict};
use crate::domain::manifest::{Entry, Life, Manifest};
use crate::domain::page::{Rank, Stage, rank};
use crate::domain::waves::heights;
use crate::domain::{ETag, HeaderFingerprint, Headers, Key, Md5, Sort};
use crate::edge::{self, Change as Moved};

/// Bytes from which an object that lies in the bucket under another key is copied rather than uploaded.
const MIN_COPY: u64 = 64 << 10;
/// Bytes up to which CopyObject works (Amazon S3 API Reference, "CopyObject").
pub const MAX_COPY: u64 = 5_000_000_000;

/// Seconds by which the server's clock, as it is reckoned from its answers, may be late.
const CLOCK_SLACK: i64 = 2;

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

/// What stands open from deploys that died.
#[derive(Clone, Debug, Default)]
pub struct OpenDebts {
    pub ids: Vec<String>,
    /// Keys that those deploys put or copied, or meant to: ours, with headers that nobody knows.
    pub keys: BTreeMap<Key, Intended>,
    /// One of them cannot be read, so that any key may be among them.
    pub any_key: bool,
    /// What those deploys told the edges, where the batches that say so will be sent again: it counts for more than what the
    /// manifest says.
    pub settled: HashMap<Key, Settled>,
}

/// What a key was meant to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intended {
    /// `None`: not known beforehand.
    pub etag: Option<ETag>,
}

/// What the edges were told of a key by a deploy that died afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Put {
        md5: Option<Md5>,
        headers: HeaderFingerprint,
    },
    Deleted,
}

/// All that a plan follows from, besides the build and the listing.
pub struct Facts<'a> {
    pub manifest: &'a Manifest,
    pub debts: &'a OpenDebts,
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
    /// Only what moves at these keys is purged; `None`: at all.
    pub only: Option<&'a HashSet<Key>>,
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
    /// What a purge follows from: how each key's answer moves, from what the edges were last told to what the deploy leaves.
    moved: Vec<Moved>,
    /// The same of what goes only once the purge of all else has completed.
    moved_late: Vec<Moved>,
    /// Retained assets whose time has come.
    due: Vec<Deletion>,
    /// Manifest keys met, so that the rest is known to have vanished.
    met: usize,
    /// Objects of the listing that could be copied, by content.
    sources: HashMap<(Md5, u64), (&'a str, &'a ETag)>,
    all: Vec<Key>,
    listed: usize,
}

impl<'f, 'a> Maker<'f, 'a> {
    fn new(facts: &'f Facts<'f>) -> Self {
        Self {
            facts,
            plan: Plan::default(),
            asks: Vec::new(),
            moved: Vec::new(),
            moved_late: Vec::new(),
            due: Vec::new(),
            met: 0,
            sources: HashMap::new(),
            all: Vec::new(),
            listed: 0,
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
        self.listed += 1;
        let entry = self.entry(object.key);
        let in_debt = self.facts.debts.any_key || self.facts.debts.keys.contains_key(object.key);
        let alive = entry.filter(|entry| !matches!(entry.life, Life::Tombstone { .. }));
        let known = alive.filter(|_| !in_debt).map(|entry| Known {
            etag: &entry.etag,
            digest: entry.content(),
            headers: entry.headers,
        });
        let answered = self.facts.answers.get(object.key);
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
        if alive.is_some() || in_debt {
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
            Verdict::Same => self.same(want, object, known.is_some()),
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
        self.shift(&want, Some(&object));
        self.all.push(want.key.clone());
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
        self.shift(&want, before.as_ref());
        self.all.push(want.key.clone());
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

    /// How what the edges were last told of a key differs from what the build has. What stands there now (`object`) may have
    /// been seen too, if it is not what was told.
    fn shift(&mut self, want: &Want, object: Option<&Object>) {
        let entry = self.entry(want.key.as_str());
        self.met += usize::from(entry.is_some());
        let told = self.facts.debts.settled.get(&want.key);
        let same = match (told, entry, object) {
            (Some(told), ..) => {
                let md5 = Some(want.md5);
                let headers = want.fingerprint;
                *told == Settled::Put { md5, headers }
            }
            (None, Some(entry), Some(object)) if is_other(entry, object) => false,
            (None, Some(entry), _) => {
                entry.content() == Some(want.md5) && entry.headers == want.fingerprint
            }
            (None, None, _) => false,
        };
        // Since it went missing, edges may hold errors in its place.
        let missing = same && object.is_none();
        if same && !missing {
            return;
        }
        let before = match (told, entry, object) {
            _ if missing => None,
            // What the deploy that died told counts for more than what the manifest says.
            (Some(_), ..) => Some(purge::unknown(&ETag::Md5(want.md5))),
            (None, Some(entry), Some(object)) if is_other(entry, object) => {
                Some(purge::unknown(object.etag))
            }
            (None, Some(entry), Some(object)) => Some(self.last_served(entry, object)),
            // A tombstone's copies may still be there; what else is gone from the bucket leaves errors.
            (None, Some(entry), None) => Some(purge::last_served(self.facts.manifest, entry)),
            (None, None, Some(object)) => Some(purge::unknown(object.etag)),
            (None, None, None) => None,
        };
        let change = Moved {
            key: want.key.clone(),
            before,
            after: Some(purge::served(want.md5, want.fingerprint, want.tags)),
            fingerprinted: want.fingerprinted,
        };
        self.push(change, false);
    }

    /// What edges hold of an object that is as the manifest says: with its tags, unless somebody may have written the same bytes
    /// over it without them.
    fn last_served(&self, entry: &Entry, object: &Object) -> edge::Served {
        let (manifest, debts) = (self.facts.manifest, self.facts.debts);
        let put = manifest
            .tables
            .deploy_at(entry.last)
            .map(|deploy| deploy.at);
        let touched = debts.any_key || debts.keys.contains_key(object.key);
        let ours = match (put, object.modified) {
            (Some(put), Some(modified)) => modified <= put.saturating_add(CLOCK_SLACK),
            _ => false,
        };
        let served = manifest.tables.served(entry.served);
        let tags = served.and_then(|served| served.tags);
        edge::Served {
            tags: tags.filter(|_| ours && !touched && !is_other(entry, object)),
            ..purge::last_served(manifest, entry)
        }
    }

    fn push(&mut self, moved: Moved, late: bool) {
        let wanted = self.facts.only.is_none_or(|only| only.contains(&moved.key));
        // Nobody to be told: then there may be a million that nobody asks for.
        if wanted && !self.facts.targets.is_empty() {
            match late {
                true => self.moved_late.push(moved),
                false => self.moved.push(moved),
            }
        }
    }

    /// In the bucket, not in the build.
    fn leaving(&mut self, object: Object<'a>) {
        self.listed += 1;
        let key = Key::new(object.key);
        self.all.push(key.clone());
        let entry = self.entry(object.key);
        self.met += usize::from(entry.is_some());
        let alive = entry.filter(|entry| !matches!(entry.life, Life::Tombstone { .. }));
        let in_debt = match self.facts.debts.keys.get(&key) {
            Some(Intended { etag: Some(etag) }) => etag == object.etag,
            // A copy's ETag is not known beforehand, but what was copied was ours.
            Some(Intended { etag: None }) => alive.is_some(),
            None => false,
        };
        let ours =
            in_debt || alive.is_some_and(|entry| entry.etag == *object.etag) || self.facts.adopt;
        if !ours {
            // Somebody else wrote it, or wrote over it: what the edges hold may be either.
            if let Some(entry) = alive {
                self.plan.warnings.push(format!(
                    "{key} was deployed from here and then changed by somebody else: it is left alone"
                ));
                let before = purge::last_served(self.facts.manifest, entry);
                self.push(overwritten(&key, before, object.etag), false);
                self.plan.vanished.push(key.clone());
            }
            self.plan.foreign.push(key);
            return;
        }
        self.plan.objects_before += 1;
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
        self.remove(key, object, alive);
    }

    fn remove(&mut self, key: Key, object: Object<'a>, entry: Option<&'f Entry>) {
        let fingerprinted = (self.facts.is_fingerprinted)(&key);
        let page = (self.facts.is_page)(&key);
        let deletion = Deletion {
            etag: object.etag.clone(),
            size: object.size,
            page,
            fingerprinted,
            key: key.clone(),
        };
        let since = match entry.map(|entry| entry.life) {
            Some(Life::Retained { since }) => Some(since),
            _ => None,
        };
        if fingerprinted && self.facts.retain > 0 {
            match since {
                None if entry.is_some() => return self.plan.retained.push(key),
                Some(since) if self.facts.now - since < self.facts.retain => return,
                Some(_) => return self.due.push(deletion),
                None => {}
            }
        }
        let tags = entry.and_then(|entry| self.last_served(entry, &object).tags);
        self.delete(deletion, tags);
    }

    fn delete(&mut self, deletion: Deletion, tags: Option<Sort>) {
        let before = match self.entry(deletion.key.as_str()) {
            Some(entry) => edge::Served {
                tags,
                ..purge::last_served(self.facts.manifest, entry)
            },
            // Only a deploy that died, or --adopt, tells of it: what an edge may hold of it is unknown.
            None => purge::unknown(&deletion.etag),
        };
        let gone = gone(&deletion.key, before, deletion.fingerprinted);
        self.push(gone, !deletion.page);
        self.plan.deletions.push(deletion);
    }

    fn finish(mut self) -> Result<Plan, Vec<(Key, Ask)>> {
        if !self.asks.is_empty() {
            return Err(self.asks);
        }
        self.vanished();
        self.plan.debts = self.facts.debts.ids.clone();
        self.copies();
        self.order();
        self.plan.changes.shrink_to_fit();
        self.plan.due = self.due.len();
        let owed = self.facts.targets.iter().any(|target| target.is_owed());
        let moves = !self.plan.is_empty() || owed || self.facts.sweep;
        if moves && !self.due.is_empty() {
            self.plan.due = 0;
            for deletion in std::mem::take(&mut self.due) {
                self.delete(deletion, None);
            }
        }
        let empty_before = self.listed == 0;
        let changes = !self.plan.is_empty();
        let purges = purge::purges(
            self.facts.targets,
            self.facts.manifest,
            [&self.moved, &self.moved_late],
            &self.all,
            empty_before,
            changes,
        );
        self.plan.news = purges.news;
        self.plan.purges = purges.targets;
        self.plan.warnings.extend(purges.warnings);
        Ok(self.plan)
    }

    /// Puts the changes in their order by names.
    fn order(&mut self) {
        let is_step = |change: &&mut Change| matches!(change.rank, Rank::Page(_));
        self.plan.sort();
        let changes = &mut self.plan.changes;
        let steps = changes.iter_mut().filter(is_step);
        let heights = heights(steps.map(|change| change.key.as_str()));
        let steps = changes.iter_mut().filter(is_step);
        for (change, height) in steps.zip(heights) {
            change.rank = Rank::Page(height);
        }
        self.plan.sort();
    }

    /// Entries whose object somebody else deleted; those that the build has are uploaded anyway.
    fn vanished(&mut self) {
        let manifest = self.facts.manifest;
        if self.met == manifest.entries.len() {
            return;
        }
        let present: BTreeSet<Key> = self.all.iter().cloned().collect();
        for (key, entry) in &manifest.entries {
            if !present.contains(key.as_str()) && !matches!(entry.life, Life::Tombstone { .. }) {
                let fingerprinted = (self.facts.is_fingerprinted)(key);
                self.plan.vanished.push(key.clone());
                if self.facts.debts.settled.get(key) == Some(&Settled::Deleted) {
                    continue;
                }
                let before = purge::last_served(manifest, entry);
                self.push(gone(key, before, fingerprinted), false);
            }
        }
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

fn gone(key: &Key, before: edge::Served, fingerprinted: bool) -> Moved {
    Moved {
        key: key.clone(),
        before: Some(before),
        after: None,
        fingerprinted,
    }
}

/// Somebody else's object stands where ours stood.
fn overwritten(key: &Key, before: edge::Served, now: &ETag) -> Moved {
    Moved {
        key: key.clone(),
        before: Some(before),
        after: Some(purge::unknown(now)),
        fingerprinted: false,
    }
}

/// Whether the object is another than the manifest says, or a deleted one's successor.
fn is_other(entry: &Entry, object: &Object) -> bool {
    entry.etag != *object.etag
}
