//! Objects that carry cache tags, and the tags of sorts and folders: which of them may make a purge cheaper.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::iter;

use super::cover::UniverseEntry;
use super::price::PurgeMode;
use crate::object::TagClass;
use crate::object::tags;
use crate::object::tags::folder_tag;

/// What edges may keep of one object that carries its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Carrier<'a> {
    pub(super) key: &'a str,
    pub(super) sort: TagClass,
    pub(super) paths: Vec<CarriedPath<'a>>,
}

/// A request path under which it may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CarriedPath<'a> {
    pub(super) entry: &'a UniverseEntry<'a>,
    /// The entry's position in the universe.
    pub(super) position: usize,
    /// Whether a tag takes all that is owed there: nothing else was answered there, and all of it carries the tags.
    pub(super) whole: bool,
}

impl<'a> Carrier<'a> {
    /// Returns the paths at which its tags take all that is owed.
    pub(super) fn owed(&self) -> impl Iterator<Item = &'a UniverseEntry<'a>> {
        let whole = self.paths.iter().filter(|path| path.whole);
        whole.map(|path| path.entry)
    }

    /// Returns the unchanged paths that its tags take.
    pub(super) fn unchanged(&self) -> impl Iterator<Item = &'a UniverseEntry<'a>> {
        let unchanged = self.paths.iter().filter(|path| !path.entry.changed);
        unchanged.map(|path| path.entry)
    }
}

/// The most that are looked at: those that take the most.
const MOST: usize = 32;

/// A tag of a sort, or of a sort in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WideTag<'a> {
    sort: TagClass,
    /// `None`: everywhere.
    folder: Option<&'a str>,
    /// Entries that it takes as they are owed; objects that they are of; and the weight of what it takes needlessly.
    changed: u64,
    objects: u64,
    pub(super) needless: u64,
}

impl WideTag<'_> {
    pub(super) fn tag(&self) -> String {
        match self.folder {
            Some(folder) => folder_tag(folder, self.sort),
            None => self.sort.tag().to_owned(),
        }
    }

    /// Returns what it stands for, as people read it.
    pub(super) fn of(&self) -> String {
        match self.folder {
            Some(folder) => format!("{}s in {folder}/", self.sort.tag()),
            None => format!("all {}s", self.sort.tag()),
        }
    }

    pub(super) fn takes(&self, carrier: &Carrier<'_>) -> bool {
        self.sort == carrier.sort && self.folder.is_none_or(|folder| is_in(carrier.key, folder))
    }

    /// Returns whether one of both takes all that the other does.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.holds(other) || other.holds(self)
    }

    fn holds(&self, other: &Self) -> bool {
        self.sort == other.sort
            && match (self.folder, other.folder) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(outer), Some(inner)) => inner == outer || is_in(inner, outer),
            }
    }
}

fn is_in(key: &str, folder: &str) -> bool {
    let rest = key.strip_prefix(folder);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// Returns the tags of sorts and folders that may do better than others, those that take the most first.
pub(super) fn wide_tags<'a>(carriers: &[Carrier<'a>], mode: PurgeMode) -> Vec<WideTag<'a>> {
    let mut tags: HashMap<(TagClass, Option<&'a str>), WideTag<'a>> = HashMap::new();
    for carrier in carriers {
        let (changed, sort) = (carrier.owed().count() as u64, carrier.sort);
        let needless: u64 = carrier.unchanged().map(|entry| entry.weight).sum();
        for folder in iter::once(None).chain(tags::folders(carrier.key).map(Some)) {
            let tag = tags.entry((sort, folder)).or_insert(WideTag {
                sort,
                folder,
                changed: 0,
                objects: 0,
                needless: 0,
            });
            tag.changed += changed;
            tag.objects += u64::from(changed > 0);
            tag.needless = tag.needless.saturating_add(needless);
        }
    }
    // A tag of one object takes no more than its key's.
    let tags = tags.into_values();
    let tags =
        tags.filter(|tag| tag.objects > 1 && (mode != PurgeMode::Exact || tag.needless == 0));
    best(tags.collect())
}

/// Leaves out what another takes for the same price, or all of what is owed for less, and all past the [`MOST`].
fn best(mut tags: Vec<WideTag<'_>>) -> Vec<WideTag<'_>> {
    let depth = |folder: &str| 1 + folder.matches('/').count();
    tags.sort_by_key(|tag| {
        (
            Reverse(tag.changed),
            tag.needless,
            tag.folder.map_or(0, depth),
            tag.sort,
            tag.folder,
        )
    });
    let mut kept: Vec<WideTag<'_>> = Vec::new();
    for tag in tags {
        let beaten = kept.iter().any(|better| {
            (better.holds(&tag) && better.needless == tag.needless)
                || (tag.holds(better) && better.changed == tag.changed)
        });
        if !beaten && kept.len() < MOST {
            kept.push(tag);
        }
    }
    kept
}
