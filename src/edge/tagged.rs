//! Cache tags beside paths and wildcards: which of them make the purge cheaper.
//!
//! A key's tag takes all that is kept of one object. Where everything kept of it is owed, no set of patterns that take nothing
//! else does better than its tag; so the object is either taken by wildcards that are there for others too, or by its tag. Its
//! paths nearly always all begin with the shortest of them, so that a wildcard takes them all or not that one: the tag is then
//! just a path that stands where the shortest does, and the tree's optimum is the optimum with such tags. The tags of sorts and
//! folders are sets chosen beforehand, each with the tree's optimum for what they leave: all such sets where there are few.

use std::collections::BTreeMap;

use super::cover::{self, Cover, Entry, Opaque, Pattern, Tag};
use super::path::Dialect;
use super::price::{Mode, Prices};
use super::wide::{Wide, wide};
use crate::domain::Sort;
use crate::domain::tags::{self, key_tag};

/// What edges may keep of one object that carries its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Carrier<'a> {
    pub(super) key: &'a str,
    pub(super) sort: Sort,
    pub(super) paths: Vec<Kept>,
}

/// One entry of the universe under which it may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// The entry's position.
    pub(super) entry: usize,
    /// Whether a tag takes all that is owed there: nothing else was answered there, and all of it carries the tags.
    pub(super) whole: bool,
}

/// Up to how many tags of sorts and folders every set is looked at.
const FEW: usize = 4;
/// How many entries all attempts together look at, about, past the first attempts.
const WORK: usize = 320_000;
const ATTEMPTS: std::ops::RangeInclusive<usize> = 4..=64;

/// The cheapest purge by paths, wildcards and tags, never dearer than [`cover::cover`]'s.
///
/// It is the optimum of those in which the tag of one object takes nothing unchanged, where what such a tag takes all begins with
/// the shortest of it, at most four tags of sorts and folders are worth a thought, and there are at most 20,000 entries. Past
/// that, sets of tags are improved one tag at a time. [`Mode::Exact`] takes no tag that something unchanged carries. The same
/// input always gives the same answer.
pub(super) fn cover(
    universe: &[Entry<'_>],
    carriers: &[Carrier<'_>],
    opaque: &[Opaque],
    prices: &Prices,
    dialect: Dialect,
) -> Cover {
    let plain = matches!(prices.mode, Mode::All | Mode::None) || carriers.is_empty();
    if plain || !universe.iter().any(|entry| entry.changed) {
        return cover::cover(universe, opaque, prices, dialect);
    }
    let problem = Problem {
        universe,
        carriers,
        opaque,
        prices,
        dialect,
        units: units(universe, carriers),
        wide: wide(universe, carriers, prices.mode),
    };
    problem.search()
}

/// By the position of the entry where it stands: the object whose tag is to be weighed as a path there; and what of it that
/// leaves out.
#[derive(Debug, Default)]
struct Units {
    heads: BTreeMap<usize, usize>,
    rest: Vec<bool>,
}

/// The objects for which a tag may do better than paths.
fn units(universe: &[Entry<'_>], carriers: &[Carrier<'_>]) -> Units {
    let mut units = Units {
        rest: vec![false; universe.len()],
        ..Units::default()
    };
    let at = |kept: &Kept| universe.get(kept.entry);
    for (number, carrier) in carriers.iter().enumerate() {
        let changed = |kept: &Kept| at(kept).is_some_and(|entry| entry.changed);
        if !carrier.paths.iter().all(changed) {
            continue;
        }
        let whole = || carrier.paths.iter().filter(|kept| kept.whole);
        let alone = |kept: &Kept| at(kept).is_some_and(|entry| entry.exact);
        if whole().count() < 2 && whole().all(alone) {
            continue;
        }
        // Entries are sorted, so that what begins with a head follows it.
        let mut head: Option<&str> = None;
        for kept in whole() {
            let text = at(kept).map_or("", |entry| entry.text);
            if head.is_some_and(|head| text.starts_with(head)) {
                if let Some(rest) = units.rest.get_mut(kept.entry) {
                    *rest = true;
                }
            } else {
                units.heads.insert(kept.entry, number);
                head = Some(text);
            }
        }
    }
    units
}

struct Problem<'p, 'a> {
    universe: &'p [Entry<'a>],
    carriers: &'p [Carrier<'a>],
    opaque: &'p [Opaque],
    prices: &'p Prices,
    dialect: Dialect,
    units: Units,
    wide: Vec<Wide<'a>>,
}

/// The best purge that is known, the tags of sorts and folders in it, and its cost.
struct Best {
    cost: [u64; 4],
    chosen: Vec<usize>,
    /// The objects whose own tags are in it.
    objects: Vec<usize>,
    cover: Cover,
}

impl Problem<'_, '_> {
    fn search(&self) -> Cover {
        let first = self.attempt(Vec::new());
        let attempts =
            (WORK / self.universe.len().max(1)).clamp(*ATTEMPTS.start(), *ATTEMPTS.end());
        let count = self.wide.len();
        let best = match count {
            0 => first,
            1..=FEW if 1 << count <= attempts => self.all(first),
            _ => self.improve(first, attempts),
        };
        self.name(best)
    }

    /// Looks at every set.
    fn all(&self, mut best: Best) -> Best {
        for set in 1u32..1 << self.wide.len() {
            let chosen = (0..self.wide.len()).filter(|at| set >> at & 1 == 1);
            self.try_set(chosen.collect(), &mut best);
        }
        best
    }

    /// Adds, takes away and exchanges one tag after the other, as long as that makes it cheaper.
    fn improve(&self, mut best: Best, mut attempts: usize) -> Best {
        let pure =
            (0..self.wide.len()).filter(|at| self.wide.get(*at).is_some_and(|it| it.needless == 0));
        let mut try_set = |chosen: Vec<usize>, best: &mut Best| {
            attempts = attempts.saturating_sub(1);
            attempts > 0 && self.try_set(chosen, best)
        };
        try_set(pure.collect(), &mut best);
        loop {
            let mut better = false;
            for at in 0..self.wide.len() {
                let mut chosen = best.chosen.clone();
                match chosen.iter().position(|other| *other == at) {
                    Some(place) => {
                        chosen.remove(place);
                    }
                    None => {
                        chosen.retain(|other| !self.overlap(*other, at));
                        chosen.push(at);
                    }
                }
                better |= try_set(chosen, &mut best);
            }
            if !better {
                return best;
            }
        }
    }

    fn overlap(&self, one: usize, other: usize) -> bool {
        match (self.wide.get(one), self.wide.get(other)) {
            (Some(one), Some(other)) => one.holds(other) || other.holds(one),
            _ => false,
        }
    }

    /// Keeps what these tags make of the purge, if that is better.
    fn try_set(&self, chosen: Vec<usize>, best: &mut Best) -> bool {
        let pairs = || chosen.iter().enumerate();
        let doubled = pairs().any(|(at, one)| {
            let mut others = chosen.iter().skip(at + 1);
            others.any(|other| self.overlap(*one, *other))
        });
        let wide = chosen.iter().filter_map(|at| self.wide.get(*at));
        let needless = wide.map(|it| it.needless).sum();
        // Whatever comes of it costs as much as the tags themselves.
        let least = self.cost(chosen.len() as u64, needless, 0);
        if doubled || least >= best.cost {
            return false;
        }
        let found = self.attempt(chosen);
        let better = found.cost < best.cost;
        if better {
            *best = found;
        }
        better
    }

    /// The objective, in the order of what counts first.
    fn cost(&self, paths: u64, needless: u64, wildcards: u64) -> [u64; 4] {
        let prices = self.prices;
        let sent = prices.path * paths.saturating_sub(prices.free) + prices.wait * wildcards;
        match prices.mode {
            Mode::Exact => [needless, sent.0, paths, wildcards],
            _ => {
                let whole = sent + prices.refetch * needless;
                [whole.0, paths, needless, wildcards]
            }
        }
    }

    /// The best that can be done beside these tags.
    fn attempt(&self, chosen: Vec<usize>) -> Best {
        let mut taken = vec![false; self.universe.len()];
        let mut patterns: Vec<Pattern> = Vec::new();
        for wide in chosen.iter().filter_map(|at| self.wide.get(*at)) {
            let carriers = self.carriers.iter().filter(|carrier| wide.takes(carrier));
            patterns.push(self.take(&wide.tag(), wide.of(), carriers, &mut taken));
        }
        let flags = taken.iter().zip(&self.units.rest);
        let left = self.universe.iter().zip(flags).enumerate();
        let left: Vec<Entry<'_>> = left
            .filter(|(_, (_, (taken, rest)))| !**taken && !**rest)
            .map(|(at, (entry, _))| Entry {
                exact: entry.exact || self.units.heads.contains_key(&at),
                ..*entry
            })
            .collect();
        let prices = Prices {
            free: self.prices.free.saturating_sub(chosen.len() as u64),
            ..*self.prices
        };
        let texts = cover::texts(&left, self.opaque, &prices, self.dialect);
        let (own, texts): (Vec<_>, Vec<_>) = texts
            .into_iter()
            .partition(|text| self.unit(text).is_some());
        let mut objects: Vec<usize> = own.iter().filter_map(|text| self.unit(text)).collect();
        objects.sort_unstable();
        objects.dedup();
        for carrier in objects.iter().filter_map(|at| self.carriers.get(*at)) {
            let tag = key_tag(carrier.key);
            let of = carrier.key.to_owned();
            patterns.push(self.take(&tag, of, [carrier].into_iter(), &mut taken));
        }
        let rest = self
            .universe
            .iter()
            .zip(&taken)
            .filter(|(_, taken)| !**taken);
        let rest: Vec<Entry<'_>> = rest.map(|(entry, _)| *entry).collect();
        let cover = cover::beside(patterns, texts, &rest, self.opaque, self.prices);
        let needless = cover.patterns.iter().map(|it| it.needless).sum();
        Best {
            cost: self.cost(cover.paths(), needless, cover.wildcards),
            chosen,
            objects,
            cover,
        }
    }

    /// The object whose tag stands for this text.
    fn unit(&self, text: &str) -> Option<usize> {
        let found = self.universe.binary_search_by(|entry| entry.text.cmp(text));
        self.units.heads.get(&found.ok()?).copied()
    }

    /// A tag, with what it takes of what none before it took.
    fn take<'c>(
        &self,
        tag: &str,
        of: String,
        carriers: impl Iterator<Item = &'c Carrier<'c>>,
        taken: &mut [bool],
    ) -> Pattern {
        let mut pattern = Pattern {
            text: tags::invalidation_item(tag),
            changed: 0,
            unchanged: 0,
            needless: 0,
            tag: Some(Tag {
                of,
                takes: Vec::new(),
            }),
        };
        for kept in carriers.flat_map(|carrier| &carrier.paths) {
            let place = (self.universe.get(kept.entry), taken.get_mut(kept.entry));
            let (Some(entry), Some(taken)) = place else {
                continue;
            };
            // What it does not take whole is left to others.
            if *taken || (entry.changed && !kept.whole) {
                continue;
            }
            *taken = true;
            if entry.changed {
                pattern.changed += 1;
            } else {
                pattern.unchanged += 1;
                pattern.needless = pattern.needless.saturating_add(entry.weight);
            }
        }
        pattern
    }

    /// Notes with each tag which entries it takes.
    fn name(&self, best: Best) -> Cover {
        let mut carriers: BTreeMap<String, Vec<&Carrier<'_>>> = BTreeMap::new();
        for wide in best.chosen.iter().filter_map(|at| self.wide.get(*at)) {
            let taken = self.carriers.iter().filter(|carrier| wide.takes(carrier));
            carriers.insert(tags::invalidation_item(&wide.tag()), taken.collect());
        }
        for carrier in best.objects.iter().filter_map(|at| self.carriers.get(*at)) {
            carriers.insert(
                tags::invalidation_item(&key_tag(carrier.key)),
                vec![carrier],
            );
        }
        let mut cover = best.cover;
        for pattern in &mut cover.patterns {
            let (Some(tag), Some(carriers)) = (&mut pattern.tag, carriers.get(&pattern.text))
            else {
                continue;
            };
            let kept = carriers.iter().flat_map(|carrier| &carrier.paths);
            let entries = kept.filter_map(|kept| {
                let entry = self.universe.get(kept.entry)?;
                (kept.whole || !entry.changed).then(|| entry.text.to_owned())
            });
            tag.takes = entries.collect();
            tag.takes.sort();
            tag.takes.dedup();
        }
        cover
    }
}
