//! Cache tags beside paths and wildcards: which of them make the purge cheaper.
//!
//! A key's tag takes all that is kept of one object. Where everything kept of it is owed, no set of patterns that take nothing
//! else does better than its tag; so the object is either taken by wildcards that are there for others too, or by its tag. Its
//! paths nearly always all begin with the shortest of them, so that a wildcard takes them all or not that one: the tag is then
//! just a path that stands where the shortest does, and the tree's optimum is the optimum with such tags. The tags of sorts and
//! folders are sets chosen beforehand, each with the tree's optimum for what they leave: all such sets where there are few.

use std::collections::{HashMap, HashSet};

use super::cover::{self, CacheTag, Cover, PathUniverse, Pattern, UniverseEntry};
use super::figures::Vector;
use super::price::PurgePrices;
use super::solve::Rates;
use super::wide::{Carrier, WideTag, wide_tags};
use crate::object::tags;
use crate::object::tags::key_tag;

/// Up to how many tags of sorts and folders every set is looked at.
const FEW: usize = 4;
/// How many entries all attempts together look at, about, past the first attempts.
const WORK: usize = 320_000;
const ATTEMPTS: std::ops::RangeInclusive<usize> = 4..=64;

/// Finds the cheapest purge by paths, wildcards and tags in a mode that weighs, never dearer than [`cover::cover`]'s.
///
/// It is the optimum of those in which the tag of one object takes nothing unchanged, where what such a tag takes all begins with
/// the shortest of it, at most four tags of sorts and folders are worth a thought, and there are at most 20,000 entries. Past
/// that, sets of tags are improved one tag at a time. [`PurgeMode::Exact`] takes no tag that something unchanged carries. The same
/// input always gives the same answer.
pub(super) fn cover(
    universe: PathUniverse<'_>,
    carriers: &[Carrier<'_>],
    prices: &PurgePrices,
) -> Cover {
    let mut search = TagSearch {
        universe,
        carriers,
        prices,
        rates: Rates::of(prices),
        heads: HashMap::new(),
        units: Vec::new(),
        wide: wide_tags(carriers, prices.mode),
    };
    search.add_units();
    search.best().cover
}

/// The tags of objects, folders and sorts that a purge may choose from.
struct TagSearch<'p, 'a> {
    universe: PathUniverse<'p>,
    carriers: &'p [Carrier<'a>],
    prices: &'p PurgePrices,
    rates: Rates,
    /// The objects for which a tag may do better than paths, by the path where their tag is weighed as a path.
    heads: HashMap<&'p str, &'p Carrier<'a>>,
    /// The entries with such a path for what the tag takes, and their positions.
    units: Vec<(usize, UniverseEntry<'p>)>,
    wide: Vec<WideTag<'a>>,
}

/// The best purge so far, its cost, and the tags of sorts and folders in it.
struct BestPurge<'p, 'a> {
    cost: Vector,
    wide: Vec<&'p WideTag<'a>>,
    cover: Cover,
}

impl<'p, 'a: 'p> TagSearch<'p, 'a> {
    /// Finds the objects for which a tag may do better than paths.
    fn add_units(&mut self) {
        let mut rest: HashSet<usize> = HashSet::new();
        for carrier in self.carriers {
            let alone = carrier.owed().count() < 2 && carrier.owed().all(|entry| entry.exact);
            if alone || carrier.unchanged().next().is_some() {
                continue;
            }
            // Paths are sorted, so that what begins with a head follows it.
            let mut head: Option<&str> = None;
            for path in carrier.paths.iter().filter(|path| path.whole) {
                let text = path.entry.text;
                if head.is_some_and(|head| text.starts_with(head)) {
                    rest.insert(path.position);
                } else {
                    self.heads.insert(text, carrier);
                    head = Some(text);
                }
            }
        }
        let entries = self.universe.entries.iter().enumerate();
        let entries = entries.filter(|(position, _)| !rest.contains(position));
        let unit = |entry: &UniverseEntry<'p>| UniverseEntry {
            exact: entry.exact || self.heads.contains_key(entry.text),
            ..*entry
        };
        self.units = entries
            .map(|(position, entry)| (position, unit(entry)))
            .collect();
    }

    fn best(&'p self) -> BestPurge<'p, 'a> {
        let first = self.attempt(Vec::new());
        let attempts = WORK / self.universe.entries.len().max(1);
        let attempts = attempts.clamp(*ATTEMPTS.start(), *ATTEMPTS.end());
        match self.wide.len() {
            0 => first,
            count @ 1..=FEW if 1 << count <= attempts => self.try_all(first),
            _ => self.improve(first, attempts),
        }
    }

    /// Looks at every set.
    fn try_all(&'p self, mut best: BestPurge<'p, 'a>) -> BestPurge<'p, 'a> {
        for set in 1u32..1 << self.wide.len() {
            let chosen = self.wide.iter().enumerate();
            let chosen = chosen.filter(|(bit, _)| set >> bit & 1 == 1);
            self.try_set(chosen.map(|(_, tag)| tag).collect(), &mut best);
        }
        best
    }

    /// Adds, takes away and exchanges one tag after the other, as long as that makes it cheaper.
    fn improve(&'p self, mut best: BestPurge<'p, 'a>, mut attempts: usize) -> BestPurge<'p, 'a> {
        let mut try_set = |chosen: Vec<&'p WideTag<'a>>, best: &mut BestPurge<'p, 'a>| {
            attempts = attempts.saturating_sub(1);
            attempts > 0 && self.try_set(chosen, best)
        };
        let pure = self.wide.iter().filter(|tag| tag.needless == 0);
        try_set(pure.collect(), &mut best);
        loop {
            let mut better = false;
            for tag in &self.wide {
                let mut chosen = best.wide.clone();
                if chosen.contains(&tag) {
                    chosen.retain(|kept| *kept != tag);
                } else {
                    chosen.retain(|kept| !kept.overlaps(tag));
                    chosen.push(tag);
                }
                better |= try_set(chosen, &mut best);
            }
            if !better {
                return best;
            }
        }
    }

    /// Keeps what these tags make of the purge, if that is better.
    fn try_set(&'p self, chosen: Vec<&'p WideTag<'a>>, best: &mut BestPurge<'p, 'a>) -> bool {
        let needless = chosen.iter().map(|tag| tag.needless).sum();
        // Whatever comes of it costs as much as the tags themselves.
        let least = self.rates.figures(chosen.len(), 0, needless);
        if self.rates.total(least) >= best.cost {
            return false;
        }
        let purge = self.attempt(chosen);
        let better = purge.cost < best.cost;
        if better {
            *best = purge;
        }
        better
    }

    /// Finds the best that can be done beside these tags.
    fn attempt(&'p self, wide: Vec<&'p WideTag<'a>>) -> BestPurge<'p, 'a> {
        let mut taken = vec![false; self.universe.entries.len()];
        let mut patterns = Vec::new();
        for wide in &wide {
            let carriers = self.carriers.iter().filter(|carrier| wide.takes(carrier));
            patterns.push(tag_pattern(&wide.tag(), wide.of(), carriers, &mut taken));
        }
        let is_left = |position: usize| taken.get(position) == Some(&false);
        let left = self.units.iter().filter(|(position, _)| is_left(*position));
        let left: Vec<UniverseEntry<'_>> = left.map(|(_, entry)| *entry).collect();
        let prices = PurgePrices {
            free: self.prices.free.saturating_sub(wide.len() as u64),
            ..*self.prices
        };
        let left = PathUniverse {
            entries: &left,
            ..self.universe
        };
        let mut paths = cover::paths(&left.tree(), &prices);
        let mut keys = HashSet::new();
        paths.retain(|path| {
            let Some(carrier) = self.heads.get(path.as_str()) else {
                return true;
            };
            if keys.insert(carrier.key) {
                let (tag, of) = (key_tag(carrier.key), carrier.key.to_owned());
                patterns.push(tag_pattern(&tag, of, [*carrier], &mut taken));
            }
            false
        });
        let rest = self.universe.entries.iter().zip(&taken);
        let rest = rest.filter(|(_, taken)| !**taken).map(|(entry, _)| *entry);
        let rest: Vec<UniverseEntry<'_>> = rest.collect();
        let rest = PathUniverse {
            entries: &rest,
            ..self.universe
        };
        let paths = paths.into_iter().map(|path| rest.weigh(path));
        // What the tags take already needs no path.
        patterns.extend(paths.filter(|path| path.changed > 0));
        let cover = Cover::new(patterns, self.prices);
        let figures = (self.rates).figures(cover.patterns.len(), cover.wildcards, cover.needless());
        BestPurge {
            cost: self.rates.total(figures),
            wide,
            cover,
        }
    }
}

/// Returns the pattern of a tag that these objects carry: counted is what none before it took. `of`: what it stands for, as people
/// read it.
fn tag_pattern<'c, 'a: 'c>(
    tag: &str,
    of: String,
    carriers: impl IntoIterator<Item = &'c Carrier<'a>>,
    taken: &mut [bool],
) -> Pattern {
    let mut pattern = Pattern::new(tags::invalidation_item(tag));
    let mut takes = Vec::new();
    for path in carriers.into_iter().flat_map(|carrier| &carrier.paths) {
        // What it does not take whole is left to others.
        if !path.whole && path.entry.changed {
            continue;
        }
        takes.push(path.entry.text.to_owned());
        if let Some(taken) = taken.get_mut(path.position).filter(|taken| !**taken) {
            *taken = true;
            pattern.count(path.entry);
        }
    }
    takes.sort();
    takes.dedup();
    pattern.tag = Some(CacheTag { of, takes });
    pattern
}
