//! What deploys that began and did not end mean for the next one: what they may have put, and what they owe.

use std::collections::{BTreeMap, HashMap};

use super::intended::{IntendedKey, is_as_meant};
use super::object::{BucketObject, HeadAnswer};
use super::purge;
use crate::edge::ServedAnswer;
use crate::object::journal::{
    Journal, OpenJournal, OwedPaths, PurgeBatch, TouchAction, TouchedKey, UnpaidPurge,
};
use crate::object::manifest::DeployId;
use crate::object::plural::counted;
use crate::object::{HeaderFingerprint, Key, Md5};

/// What deploys that did not end, or ended with purges unpaid, left behind.
#[derive(Clone, Debug, Default)]
pub struct OpenDeploys {
    /// Their ids, for people; `unpaid` ones among them.
    pub ids: Vec<String>,
    /// A journal cannot be read, so that any key may be among its keys.
    pub any_key: bool,
    /// Paths owed that follow from no key, by target.
    pub owed: OwedPaths,
    /// Recorded batches that are to be sent again, by target.
    pub resend: BTreeMap<String, Vec<ResentBatch>>,
    /// What stays unpaid, since it is owed to targets that are not purged: id, source and paths.
    pub kept: Vec<(DeployId, String, OwedPaths)>,
    pub warnings: Vec<String>,
    /// What they meant each key to become, the first to begin first.
    intended: BTreeMap<Key, Vec<IntendedKey>>,
    /// What edges hold of a key for certain, once the batches of its deploy are sent again.
    settled: HashMap<Key, Option<ServedAnswer>>,
    /// Some deploy died: what it did is unknown until it is looked at.
    dead: bool,
    /// What deploys whose batches may be sent again said, with the unix seconds after which they wrote nothing more.
    resendable: Vec<(i64, Journal)>,
}

/// A batch of a dead deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResentBatch {
    pub batch: PurgeBatch,
    /// Unix seconds at which the latest of the keys that it speaks for was written: an invalidation from before is none.
    pub newest: i64,
}

/// What there is to know of them.
#[derive(Debug, Default)]
pub struct OpenRecords<'a> {
    pub journals: &'a [OpenJournal],
    pub unpaid: &'a [UnpaidPurge],
    /// Until when they are suspects, and which.
    pub suspects: &'a [(i64, Vec<TouchedKey>)],
    /// The ids of what this deploy purges.
    pub targets: &'a [String],
    /// Purging is not off.
    pub pays: bool,
    /// Ids of deploys whose debts are to be forgotten, but for what this deploy can pay.
    pub dropped: &'a [String],
}

impl OpenDeploys {
    pub fn new(records: &OpenRecords) -> Self {
        let mut open = Self::default();
        for journal in records.journals {
            let id = journal.id.to_string();
            let may_drop = records.dropped.contains(&id);
            open.ids.push(id);
            let content = match &journal.journal {
                Ok(content) => content,
                Err(why) => {
                    open.lose(&journal.id, why, records.targets);
                    continue;
                }
            };
            let mut owing = content.purges.keys();
            let dropped = may_drop && !owing.any(|target| records.targets.contains(target));
            for touched in &content.keys {
                open.intend(touched, journal.until, dropped);
            }
            if dropped {
                continue;
            }
            for (target, owed) in &content.purges {
                if records.targets.contains(target) {
                    open.owe(target, &owed.paths);
                } else if !owed.batches.is_empty() {
                    open.warnings.push(format!(
                        "the deploy {} did not end, and what it owes to {target} is not purged here: all of {target} is, once it is \
                         named with --distribution again",
                        journal.id
                    ));
                }
            }
            open.dead = true;
            if records.pays && is_resendable(content, records.targets) {
                open.resendable.push((journal.until, content.clone()));
            }
        }
        for (until, keys) in records.suspects {
            for touched in keys {
                open.intend(touched, *until, true);
            }
        }
        for unpaid in records.unpaid {
            open.add_unpaid(unpaid, records);
        }
        open
    }

    fn intend(&mut self, touched: &TouchedKey, until: i64, suspect: bool) {
        let intended = self.intended.entry(touched.key.clone()).or_default();
        intended.push(IntendedKey {
            touched: touched.clone(),
            until,
            suspect,
        });
    }

    fn owe(&mut self, target: &str, paths: &[String]) {
        if !paths.is_empty() {
            let owed = self.owed.entry(target.to_owned()).or_default();
            owed.extend(paths.iter().cloned());
        }
    }

    /// Nobody knows what this one did.
    fn lose(&mut self, id: &DeployId, why: &str, targets: &[String]) {
        self.warnings.push(format!(
            "what the deploy {id} did cannot be read ({why}): /* is purged, and headers are looked up"
        ));
        self.any_key = true;
        let whole = ["/*".to_owned()];
        targets.iter().for_each(|target| self.owe(target, &whole));
    }

    fn add_unpaid(&mut self, unpaid: &UnpaidPurge, records: &OpenRecords) {
        let id = unpaid.id.to_string();
        let dropped = records.dropped.contains(&id);
        let owed = match &unpaid.owed {
            Ok(owed) => owed,
            Err(why) => {
                self.ids.push(id);
                return self.lose(&unpaid.id, why, records.targets);
            }
        };
        let mut kept = OwedPaths::new();
        for (target, paths) in owed {
            if !records.targets.contains(target) {
                if dropped {
                    continue;
                }
                self.warnings.push(format!(
                    "the deploy {id} owes {} to {target}, which is not purged here: name it with --distribution, or forget \
                     it with --drop-debt {id}",
                    counted(paths.len() as u64, "path")
                ));
            } else if records.pays {
                self.owe(target, paths);
                continue;
            } else {
                self.warnings.push(format!(
                    "the deploy {id} owes {} to {target}: its edges may hold old pages, which `purge` = \"none\" leaves there",
                    counted(paths.len() as u64, "path")
                ));
            }
            kept.insert(target.clone(), paths.clone());
        }
        if kept.len() < owed.len() {
            self.ids.push(id);
        }
        if !kept.is_empty() {
            let source = unpaid.source.clone();
            self.kept.push((unpaid.id.clone(), source, kept));
        }
    }

    /// Returns whether a deploy died: then what it did is unknown until it is looked at.
    pub fn any_dead(&self) -> bool {
        self.any_key || self.dead
    }

    /// Returns whether nothing is left of what dead deploys did to the site.
    pub fn are_paid(&self) -> bool {
        let mut intended = self.intended.values().flatten();
        self.ids.is_empty() && intended.all(|intended| intended.suspect)
    }

    /// Returns whether nobody knows what the key's object was given last.
    pub fn touches(&self, key: &str) -> bool {
        let sure = |intended: &IntendedKey| !intended.suspect;
        self.any_key || self.intentions(key).iter().any(sure)
    }

    /// Returns whether a struck deploy may give the key's object other headers yet, which its ETag would not tell.
    pub fn may_touch(&self, key: &str) -> bool {
        let copies = |intended: &IntendedKey| intended.touched.action == TouchAction::Copy;
        self.intentions(key)
            .iter()
            .any(|intended| intended.suspect && copies(intended))
    }

    /// Returns the keys that dead deploys touched, or meant to.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.intended.keys()
    }

    fn intentions(&self, key: &str) -> &[IntendedKey] {
        self.intended.get(key).map_or(&[], Vec::as_slice)
    }

    pub(super) fn settled(&self, key: &str) -> Option<&Option<ServedAnswer>> {
        self.settled.get(key)
    }

    /// Returns what edges may have seen of a key by dead deploys. What suspects meant counts once it is there: `object` is what lies
    /// there, unless it is as the edges were told.
    pub(super) fn meant<'a>(
        &'a self,
        key: &str,
        object: Option<&'a BucketObject<'a>>,
    ) -> impl Iterator<Item = &'a IntendedKey> {
        let there =
            move |intended: &IntendedKey| object.is_some_and(|object| intended.explains(object));
        let intentions = self.intentions(key).iter();
        intentions.filter(move |intended| !intended.suspect || there(intended))
    }

    /// Returns the dead deploy's intention that the object is, if one is.
    pub(super) fn explanation(
        &self,
        object: &BucketObject,
        answered: Option<&HeadAnswer>,
    ) -> Option<&IntendedKey> {
        let same_content = answered.and_then(|answered| answered.answer.same_content);
        let headers = answered.map(|answered| answered.headers.fingerprint());
        self.intentions(object.key).iter().rev().find(|intended| {
            let encrypted = same_content == Some(true) && intended.may_be(object);
            let there = intended.explains(object) || encrypted && intended.in_time(object);
            let set = intended.touched.headers;
            // Whoever may have put it long ago may not have been the last.
            let unasked = headers.is_none() && !intended.suspect;
            there && (unasked || set.is_none() || headers == set)
        })
    }

    /// Returns the content that a dead deploy meant an object to have which may be its, though its ETag is another.
    pub fn possible_content(&self, object: &BucketObject) -> Option<Md5> {
        let intentions = self.intentions(object.key).iter().rev();
        let mut possible = intentions.filter(|intended| intended.may_be(object));
        possible.find_map(|intended| intended.touched.content())
    }

    /// Returns whether a dead deploy put the object, by its ETag.
    pub(super) fn put(&self, object: &BucketObject) -> bool {
        let etag = Some(object.etag);
        let put = |intended: &IntendedKey| {
            !intended.touched.is_absent() && intended.touched.etag.as_ref() == etag
        };
        self.intentions(object.key).iter().any(put)
    }

    /// Returns what the dead meant the key to have, as far as the journals say: for an object that is taken over.
    pub(super) fn headers(
        &self,
        object: &BucketObject,
    ) -> Option<(HeaderFingerprint, Option<Md5>)> {
        let mut intentions = self.intentions(object.key).iter().rev();
        let meant =
            intentions.find(|intended| intended.explains(object) || intended.may_be(object));
        let touched = &meant?.touched;
        Some((touched.headers?, touched.content()))
    }

    /// Returns the keys that dead deploys may change yet, by what they had under way: those that are not as they meant them to be, and
    /// those that more than one of them named, since only one of them was it then.
    pub fn unchanged_keys<'a>(
        &self,
        find: impl Fn(&Key) -> Option<BucketObject<'a>>,
    ) -> Vec<&TouchedKey> {
        let as_meant = |intended: &IntendedKey| match find(&intended.touched.key) {
            None => intended.touched.is_absent(),
            Some(object) => {
                intended.touched.action != TouchAction::Copy && intended.explains(&object)
            }
        };
        let mut unchanged = Vec::new();
        for intentions in self.intended.values() {
            let dead = intentions.iter().filter(|intended| !intended.suspect);
            let changes = dead.filter(|intended| intended.touched.action.changes());
            let changes: Vec<&IntendedKey> = changes.collect();
            let alone = changes.len() == 1;
            let open = changes.into_iter();
            let open = open.filter(|intended| !alone || !as_meant(intended));
            unchanged.extend(open.map(|intended| &intended.touched));
        }
        unchanged
    }

    /// Finds out which recorded batches are to be sent again: those of deploys all of whose keys are as intended, where no later
    /// one names any of them. `find` is what lies in the bucket.
    pub fn settle<'a>(
        &mut self,
        find: impl Fn(&Key) -> Option<BucketObject<'a>>,
        answers: &HashMap<Key, HeadAnswer>,
    ) {
        self.settled.clear();
        self.resend.clear();
        let last = |key: &Key, until: i64| {
            let intentions = self.intentions(key.as_str()).iter();
            let mut dead = intentions.filter(|intended| !intended.suspect);
            dead.all(|intended| intended.until <= until)
        };
        let mut settled = HashMap::new();
        let mut resend: BTreeMap<String, Vec<ResentBatch>> = BTreeMap::new();
        for (until, journal) in self.resendable.iter().filter(|_| !self.any_key) {
            let spoken = journal.keys.iter().filter(|touched| !touched.failed);
            let (late, soon): (Vec<&TouchedKey>, Vec<&TouchedKey>) =
                spoken.partition(|touched| touched.action == TouchAction::DeleteLate);
            let mut newest = i64::MIN;
            let mut as_meant = |touched: &TouchedKey| {
                let object = find(&touched.key);
                newest = newest.max(object.and_then(|object| object.modified).unwrap_or(newest));
                last(&touched.key, *until) && is_as_meant(touched, object, answers)
            };
            if !soon.iter().all(|touched| as_meant(touched)) {
                continue;
            }
            let late_too = !late.is_empty() && late.iter().all(|touched| as_meant(touched));
            for (target, owed) in &journal.purges {
                let due = owed.batches.iter().filter(|batch| !batch.late || late_too);
                let batches = due.map(|batch| ResentBatch {
                    batch: batch.clone(),
                    newest,
                });
                resend.entry(target.clone()).or_default().extend(batches);
            }
            let late = late.into_iter().filter(|_| late_too);
            for touched in soon.into_iter().chain(late) {
                settled.insert(touched.key.clone(), purge::intended(touched));
            }
        }
        resend.retain(|_, batches| !batches.is_empty());
        (self.settled, self.resend) = (settled, resend);
    }
}

/// Returns whether recorded batches could be sent again at all: each target is spoken for, and no tag is among them, which would find no
/// copy of what somebody put there afterwards.
fn is_resendable(journal: &Journal, targets: &[String]) -> bool {
    let tagged = |batch: &PurgeBatch| batch.paths.iter().any(|path| path.starts_with('#'));
    let batches = || journal.purges.values().flat_map(|owed| &owed.batches);
    batches().next().is_some()
        && !batches().any(tagged)
        && targets
            .iter()
            .all(|target| journal.purges.contains_key(target))
        && journal.purges.keys().all(|target| targets.contains(target))
}
