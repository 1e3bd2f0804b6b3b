//! What becomes of objects that the build has not: deleted, retained for pages that are open, or left alone.

use super::facts::is_alive;
use super::make::PlanMaker;
use super::object::BucketObject;
use super::{Deletion, purge};
use crate::edge;
use crate::object::diff::OpenQuestions;
use crate::object::entry::{EntryLife, ManifestEntry};
use crate::object::key::is_state;
use crate::object::{ETag, Key};

impl<'f, 'a> PlanMaker<'f, 'a> {
    /// Notes the sites in folders below, which are not adopted with this one's.
    pub(super) fn leave_sites(&mut self, listing: impl Iterator<Item = BucketObject<'a>>) {
        let folders = listing.filter_map(|object| object.key.strip_suffix(".unstale/state"));
        self.other_sites
            .extend(folders.filter(|folder| folder.ends_with('/')));
        let warnings = self.other_sites.iter().map(|folder| {
            format!("{folder} is another site, by its state: --adopt leaves it alone")
        });
        self.plan.warnings.extend(warnings);
    }

    /// Takes an object of the bucket that the build has not.
    pub(super) fn leaving(&mut self, object: BucketObject<'a>) {
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
        if let ETag::Md5(digest) = object.etag {
            self.offer(*digest, &object);
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
        !is_state(key) && !self.is_of_another(key)
    }

    fn is_of_another(&self, key: &str) -> bool {
        let mut others = self.other_sites.iter();
        others.any(|folder| key.starts_with(folder))
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
        if was_deployed || !self.is_of_another(key.as_str()) {
            self.plan.foreign.push(key);
        }
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
    pub(super) fn claims(&self, object: &BucketObject) -> bool {
        let last = self.plan.claimed.last();
        last.is_some_and(|claimed| claimed.key.as_str() == object.key)
    }

    pub(super) fn delete(&mut self, deletion: Deletion, object: &BucketObject) {
        let left = edge::HeldAnswer::left(&deletion.key, None, deletion.fingerprinted);
        let moves = self.facts.moves(Some(object), &left);
        if deletion.page {
            self.moves.now.extend(moves);
        } else {
            self.moves.late.extend(moves);
        }
        self.plan.deletions.push(deletion);
    }
}
