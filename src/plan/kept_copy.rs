//! What a plan replaces and removes that `rollback` may want again, where no version of it stays.

use std::collections::{BTreeMap, HashSet};

use super::Plan;
use super::facts::{PlanFacts, is_alive};
use super::make::MAX_COPY;
use super::object::BucketObject;
use crate::edge::Money;
use crate::object::entry::{EntryLife, ManifestEntry};
use crate::object::{ETag, HeaderFingerprint, KeptName, Key, Md5};

/// What S3 charges for an upload or a copy in us-east-1 (Amazon S3 pricing, "PUT, COPY, POST, LIST requests": $0.005 per 1,000).
pub const COPY_PRICE: Money = Money(5_000);

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
        let (mut kept, mut warnings) = (KeptCopies::default(), Vec::new());
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
                if copy.size <= MAX_COPY {
                    kept.copies.push(copy);
                } else {
                    warnings.push(format!(
                        "{key} is not kept for rollback: S3 copies at most 5 GB at once"
                    ));
                }
            }
        }
        plan.warnings.extend(warnings);
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::object::manifest::{DeployId, DeployRef, Manifest, ServedHeaders};
    use crate::plan::{Deletion, OpenDeploys};

    const SINCE: i64 = 1_000;

    fn md5(seed: u8) -> Md5 {
        Md5([seed; 16])
    }

    /// Returns what is kept of one object that is deleted. `change`: its entry; `object`: its size and what it holds by now.
    fn keep(
        change: impl FnOnce(ManifestEntry) -> ManifestEntry,
        object: (u64, u8),
        since: Option<i64>,
    ) -> Plan {
        let mut manifest = Manifest::default();
        let served = manifest.tables.serve(ServedHeaders {
            redirect: Some("/x".into()),
            ..ServedHeaders::default()
        });
        let deploy = manifest.tables.deploy(DeployRef {
            id: DeployId::new("d"),
            at: SINCE,
        });
        let entry =
            ManifestEntry::new(ETag::Md5(md5(1)), HeaderFingerprint(5), served, [deploy; 2]);
        manifest.entries.insert(Key::new("a"), change(entry));
        let facts = PlanFacts {
            manifest: &manifest,
            open: &OpenDeploys::default(),
            answers: &HashMap::new(),
            targets: &[],
            now: SINCE,
            retain: 0,
            sweep: false,
            keep_since: since,
            delete: true,
            adopt: false,
            force: false,
            is_page: &|_| true,
            is_fingerprinted: &|_| false,
            is_asset: &|_| false,
        };
        let (size, content) = object;
        let etag = ETag::Md5(md5(content));
        let mut plan = Plan::default();
        plan.deletions.push(Deletion {
            key: Key::new("a"),
            etag: etag.clone(),
            size,
            page: true,
            fingerprinted: false,
            retained: false,
        });
        facts.keep(&mut plan, |_| {
            Some(BucketObject {
                key: "a",
                size,
                etag: &etag,
                modified: Some(SINCE),
            })
        });
        plan
    }

    #[test]
    fn what_goes_is_kept_under_a_name_of_content_and_headers() {
        let plan = keep(|entry| entry, (7, 1), Some(SINCE));
        let [copy] = &plan.kept_copies.copies[..] else {
            panic!("{plan:?}");
        };
        assert_eq!(copy.name, KeptName::new(md5(1), HeaderFingerprint(5)));
        assert_eq!(copy.action, KeepAction::Copy);
        assert_eq!(copy.redirect.as_deref(), Some("/x"));
        assert_eq!(
            (plan.kept_copies.bytes(), plan.kept_copies.requests()),
            (7, 1)
        );
        assert_eq!(plan.kept_copies.cost(), COPY_PRICE);
    }

    #[test]
    fn what_no_rollback_needs_is_not_kept() {
        let left =
            |since| move |entry: ManifestEntry| entry.with_life(EntryLife::Retained { since });
        let kept = |plan: Plan| plan.kept_copies.copies.len();
        assert_eq!(kept(keep(|entry| entry, (7, 1), None)), 0);
        assert_eq!(kept(keep(left(SINCE - 1), (7, 1), Some(SINCE))), 0);
        assert_eq!(kept(keep(left(SINCE), (7, 1), Some(SINCE))), 1);
        // Somebody else's.
        assert_eq!(kept(keep(|entry| entry, (7, 2), Some(SINCE))), 0);
    }

    #[test]
    fn a_version_needs_no_copy_and_5_gb_find_none() {
        let versioned =
            |entry: ManifestEntry| entry.with(|rare| rare.version_id = Some("v".into()));
        let plan = keep(versioned, (7, 1), Some(SINCE));
        assert_eq!(
            (plan.kept_copies.versioned, plan.kept_copies.copies.len()),
            (1, 0)
        );
        assert!(
            keep(|entry| entry, (MAX_COPY, 1), Some(SINCE))
                .warnings
                .is_empty()
        );
        let plan = keep(|entry| entry, (MAX_COPY + 1, 1), Some(SINCE));
        assert_eq!((plan.warnings.len(), plan.kept_copies.copies.len()), (1, 0));
    }

    #[test]
    fn the_same_is_copied_once_but_looked_for_each_time() {
        let copy = |seed, action| KeptCopy {
            name: KeptName::new(md5(seed), HeaderFingerprint(5)),
            key: Key::new("a"),
            etag: ETag::Md5(md5(seed)),
            size: 1,
            redirect: None,
            headers: HeaderFingerprint(5),
            action,
        };
        let (one, known) = (copy(1, KeepAction::Copy), copy(2, KeepAction::Copy));
        let mut kept = KeptCopies {
            copies: vec![copy(1, KeepAction::Look), one.clone(), one, known.clone()],
            versioned: 0,
        };
        kept.settle(|name| *name == known.name);
        let actions: Vec<KeepAction> = kept.copies.iter().map(|copy| copy.action).collect();
        let stay = KeepAction::Stay;
        // Where nothing is found for the first, the second copies all the same.
        assert_eq!(actions, [KeepAction::Look, KeepAction::Copy, stay, stay]);
    }
}
