//! The cheapest set of invalidation paths that takes everything changed: the objective, its answer and what that costs.

use super::path::PathDialect;
use super::price::{Money, PurgeMode, PurgePrices};
use super::solve::{Rates, solve};
use super::tree::{self, Tree};

pub use super::tree::{ForeignRegion, UniverseEntry};

/// One invalidation path or tag, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// As CloudFront is sent it.
    pub text: String,
    /// Changed and unchanged entries that it takes.
    pub changed: u64,
    pub unchanged: u64,
    /// What it takes needlessly, weighed, regions of other origins included.
    pub needless: u64,
    /// The part of that for regions of other origins,
    pub foreign: u64,
    /// and their path patterns.
    pub empties: Vec<String>,
    /// Where it is a cache tag.
    pub tag: Option<CacheTag>,
}

/// What a cache tag stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheTag {
    /// As people read it: a key, or which objects.
    pub of: String,
    /// The entries that it takes, sorted.
    pub takes: Vec<String>,
}

impl Pattern {
    /// Makes a pattern that takes nothing yet, of no tag.
    pub(super) fn new(text: String) -> Self {
        Self {
            text,
            changed: 0,
            unchanged: 0,
            needless: 0,
            foreign: 0,
            empties: Vec::new(),
            tag: None,
        }
    }

    pub fn is_wildcard(&self) -> bool {
        self.text.ends_with('*')
    }

    /// Returns whether it takes the request path (one that ends in `?` stands for all query strings).
    pub fn takes(&self, path: &str) -> bool {
        if let Some(tag) = &self.tag {
            let place = tag.takes.binary_search_by(|taken| taken.as_str().cmp(path));
            return place.is_ok();
        }
        match self.text.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == self.text,
        }
    }

    /// Counts an entry as one that it takes.
    pub(super) fn count(&mut self, entry: &UniverseEntry<'_>) {
        if entry.changed {
            self.changed += 1;
        } else if entry.weight > 0 {
            self.unchanged += 1;
            self.add_needless(entry.weight);
        }
    }

    fn empty(&mut self, region: &ForeignRegion) {
        self.add_needless(region.weight);
        self.foreign = self.foreign.saturating_add(region.weight);
        self.empties.push(region.pattern.clone());
    }

    fn add_needless(&mut self, weight: u64) {
        self.needless = self.needless.saturating_add(weight);
    }
}

/// A purge and its price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    /// Sorted; none takes what another takes.
    pub patterns: Vec<Pattern>,
    pub wildcards: u64,
    /// Paths that the free ones pay for.
    pub free: u64,
    pub path_cost: Money,
    pub refetch_cost: Money,
}

impl Cover {
    pub fn paths(&self) -> u64 {
        self.patterns.len() as u64
    }

    /// Counts the unchanged request paths that are purged.
    pub fn unchanged(&self) -> u64 {
        self.patterns.iter().map(|pattern| pattern.unchanged).sum()
    }

    pub(super) fn needless(&self) -> u64 {
        self.patterns.iter().map(|pattern| pattern.needless).sum()
    }

    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(|pattern| pattern.text.as_str())
    }

    /// Prices patterns.
    pub(super) fn new(mut patterns: Vec<Pattern>, prices: &PurgePrices) -> Self {
        patterns.sort_by(|a, b| a.text.cmp(&b.text));
        let wildcards = patterns.iter().filter(|pattern| pattern.is_wildcard());
        let wildcards = wildcards.count() as u64;
        let needless = patterns.iter().map(|pattern| pattern.needless);
        let cover = Self {
            wildcards,
            refetch_cost: needless.map(|weight| prices.refetch * weight).sum(),
            patterns,
            ..Self::default()
        };
        cover.paid(prices)
    }

    /// Pays for the paths: with the free ones, as far as they go.
    pub(super) fn paid(self, prices: &PurgePrices) -> Self {
        let uncharged = prices.uncharged.unwrap_or(prices.free);
        let free = self.paths().min(uncharged);
        let path_cost = prices.path * (self.paths() - free);
        Self {
            free,
            path_cost,
            ..self
        }
    }
}

/// What there is to cover: the request paths of a site, and what other origins answer beside them.
#[derive(Clone, Copy, Debug)]
pub struct PathUniverse<'u> {
    /// Sorted by text; no two entries of one kind have the same.
    pub entries: &'u [UniverseEntry<'u>],
    pub regions: &'u [ForeignRegion],
    pub dialect: PathDialect,
}

/// Finds the cheapest purge under `prices`: exactly the least of `path × max(0, patterns − free) + refetch × Σ weight + wait ×
/// wildcards`, then of patterns, where a wildcard counts as ten, then of what is purged needlessly, then of wildcards. In [`PurgeMode::Exact`] what is purged needlessly
/// counts before all else. The same input always gives the same answer.
pub fn cover(universe: PathUniverse<'_>, prices: &PurgePrices) -> Cover {
    universe.cover(&universe.tree(), prices)
}

impl<'u> PathUniverse<'u> {
    pub(super) fn tree(self) -> Tree<'u> {
        Tree::build(self.entries, self.regions, self.dialect)
    }

    /// Returns the cheapest purge, with the tree of the universe.
    pub(super) fn cover(self, tree: &Tree<'_>, prices: &PurgePrices) -> Cover {
        self.cover_of(paths(tree, prices), prices)
    }

    /// Returns the purge by these invalidation paths.
    pub(super) fn cover_of(self, paths: Vec<String>, prices: &PurgePrices) -> Cover {
        let paths = paths.into_iter();
        Cover::new(paths.map(|path| self.weigh(path)).collect(), prices)
    }

    /// Returns the entries that an invalidation path takes.
    fn taken(self, pattern: &Pattern) -> impl Iterator<Item = &'u UniverseEntry<'u>> {
        let prefix = pattern.text.trim_end_matches('*');
        let first = self.entries.partition_point(|entry| entry.text < prefix);
        let entries = self.entries.iter().skip(first);
        entries.take_while(|entry| pattern.takes(entry.text))
    }

    /// Names the unchanged entries that wildcards take, `most` at most, each once.
    pub(super) fn needless(self, cover: &Cover, most: usize) -> Vec<String> {
        let patterns = cover.patterns.iter();
        let wasteful = patterns.filter(|pattern| pattern.unchanged > 0 && pattern.tag.is_none());
        let taken = wasteful.flat_map(|pattern| self.taken(pattern));
        let unchanged = taken.filter(|entry| !entry.changed && entry.weight > 0);
        let mut paths: Vec<String> = unchanged
            .take(most)
            .map(|entry| entry.text.to_owned())
            .collect();
        paths.dedup();
        paths
    }

    /// Counts what an invalidation path takes.
    pub(super) fn weigh(self, path: String) -> Pattern {
        let mut pattern = Pattern::new(path);
        let prefix = pattern.text.trim_end_matches('*').to_owned();
        let taken: Vec<_> = self.taken(&pattern).collect();
        taken.into_iter().for_each(|entry| pattern.count(entry));
        if pattern.is_wildcard() {
            let beneath = self.regions.iter();
            let beneath = beneath.filter(|region| region.prefix.starts_with(&prefix));
            let around = tree::around(&prefix, self.regions);
            let around = around.filter(|(_, shield)| shield.is_none());
            let regions = beneath.chain(around.map(|(region, _)| region));
            regions.for_each(|region| pattern.empty(region));
        }
        pattern
    }
}

/// Chooses the invalidation paths, sorted.
pub(super) fn paths(tree: &Tree<'_>, prices: &PurgePrices) -> Vec<String> {
    match prices.mode {
        PurgeMode::None => Vec::new(),
        PurgeMode::All if tree.nodes.is_empty() => Vec::new(),
        PurgeMode::All => vec!["/*".to_owned()],
        PurgeMode::Cheapest | PurgeMode::Exact => solve(&[tree], &Rates::of(prices)).concat(),
    }
}
