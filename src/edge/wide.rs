//! The tags of sorts and folders: which of them may make a purge cheaper.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::cover::Entry;
use super::price::Mode;
use super::tagged::Carrier;
use crate::domain::Sort;
use crate::domain::tags::{self, folder_tag};

/// The most that are looked at: those that take the most.
const MOST: usize = 32;

/// A tag of a sort, or of a sort in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wide<'a> {
    sort: Sort,
    /// None: everywhere.
    folder: Option<&'a str>,
    /// Entries that it takes as they are owed; objects that they are of; and the weight of what it takes needlessly.
    changed: u64,
    objects: u64,
    pub(super) needless: u64,
}

impl Wide<'_> {
    pub(super) fn tag(&self) -> String {
        match self.folder {
            Some(folder) => folder_tag(folder, self.sort),
            None => self.sort.tag().to_owned(),
        }
    }

    /// What it stands for.
    pub(super) fn of(&self) -> String {
        match self.folder {
            Some(folder) => format!("{}s in {folder}/", self.sort.tag()),
            None => format!("all {}s", self.sort.tag()),
        }
    }

    pub(super) fn takes(&self, carrier: &Carrier<'_>) -> bool {
        self.sort == carrier.sort && self.folder.is_none_or(|folder| is_in(carrier.key, folder))
    }

    /// Whether it takes all that the other does.
    pub(super) fn holds(&self, other: &Self) -> bool {
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

/// The tags of sorts and folders that may do better than others, those that take the most first.
pub(super) fn wide<'a>(
    universe: &[Entry<'_>],
    carriers: &[Carrier<'a>],
    mode: Mode,
) -> Vec<Wide<'a>> {
    let mut found: Vec<Wide<'a>> = Vec::new();
    let mut places: HashMap<(Sort, Option<&'a str>), usize> = HashMap::new();
    let owed =
        |carrier: &Carrier<'_>| carrier.paths.iter().filter(|kept| kept.whole).count() as u64;
    for carrier in carriers.iter().filter(|carrier| owed(carrier) > 0) {
        for folder in names(carrier.key) {
            let sort = carrier.sort;
            let place = *places.entry((sort, folder)).or_insert(found.len());
            if place == found.len() {
                found.push(Wide {
                    sort,
                    folder,
                    changed: 0,
                    objects: 0,
                    needless: 0,
                });
            }
            if let Some(wide) = found.get_mut(place) {
                wide.changed += owed(carrier);
                wide.objects += 1;
            }
        }
    }
    // Neighbours share their folder.
    let mut last: Option<(Sort, &str)> = None;
    let mut above: Vec<usize> = Vec::new();
    for carrier in carriers {
        let place = (carrier.sort, folder_of(carrier.key));
        if last != Some(place) {
            last = Some(place);
            let known = names(carrier.key).map(|folder| places.get(&(carrier.sort, folder)));
            above = known.flatten().copied().collect();
        }
        let entries = carrier
            .paths
            .iter()
            .filter_map(|kept| universe.get(kept.entry));
        let unchanged = entries.filter(|entry| !entry.changed);
        let needless: u64 = unchanged.map(|entry| entry.weight).sum();
        for place in above.iter().filter(|_| needless > 0) {
            if let Some(wide) = found.get_mut(*place) {
                wide.needless = wide.needless.saturating_add(needless);
            }
        }
    }
    // A tag of one object takes no more than its key's.
    found.retain(|wide| wide.objects > 1 && (mode != Mode::Exact || wide.needless == 0));
    best(found)
}

/// Leaves out what another takes for the same price, or all of what is owed for less, and all past the [`MOST`].
fn best(mut found: Vec<Wide<'_>>) -> Vec<Wide<'_>> {
    let depth = |wide: &Wide<'_>| {
        wide.folder
            .map_or(0, |folder| 1 + folder.matches('/').count())
    };
    found.sort_by_key(|it| {
        (
            Reverse(it.changed),
            it.needless,
            depth(it),
            it.sort,
            it.folder,
        )
    });
    let mut kept: Vec<Wide<'_>> = Vec::new();
    for wide in found {
        let beaten = kept.iter().any(|other| {
            (other.holds(&wide) && other.needless == wide.needless)
                || (wide.holds(other) && other.changed == wide.changed)
        });
        if !beaten && kept.len() < MOST {
            kept.push(wide);
        }
    }
    kept
}

/// The folders by which a key is tagged, and everywhere.
fn names(key: &str) -> impl Iterator<Item = Option<&str>> {
    [None].into_iter().chain(tags::folders(key).map(Some))
}

fn folder_of(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _)| folder)
}
