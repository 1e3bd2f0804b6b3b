//! The cheapest set of invalidation paths that takes everything changed: the objective, its answer and what that costs.

use super::path::Dialect;
use super::price::{Mode, Money, Prices};
use super::solve::{self, Choice, Rates};
use super::tree::{self, Item, Tree};

/// A request path that an edge may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Encoded; no two entries have the same.
    pub text: &'a str,
    /// Whether its answer changed.
    pub changed: bool,
    /// Whether it can be purged alone. Where not, `text` is a prefix: if changed, a wildcard must take all that begins so.
    pub exact: bool,
    pub weight: u64,
}

/// What other origins answer: all paths with a prefix, except those that begin with a shield (an earlier behavior took them).
///
/// A wildcard that takes the prefix itself takes the region; each wildcard within it takes some of it, and is priced alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    pub prefix: String,
    pub weight: u64,
    pub shields: Vec<String>,
}

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
    /// Where it is a cache tag.
    pub tag: Option<Tag>,
}

/// What a cache tag stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// As people read it: a key, or which objects.
    pub of: String,
    /// The entries that it takes, sorted.
    pub takes: Vec<String>,
}

impl Pattern {
    pub fn is_wildcard(&self) -> bool {
        self.text.ends_with('*')
    }

    /// Whether it takes the request path (one that ends in `?` stands for all query strings).
    pub fn takes(&self, path: &str) -> bool {
        if let Some(tag) = &self.tag {
            let found = tag.takes.binary_search_by(|taken| taken.as_str().cmp(path));
            return found.is_ok();
        }
        match self.text.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == self.text,
        }
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
    pub wait_cost: Money,
}

impl Cover {
    pub fn paths(&self) -> u64 {
        self.patterns.len() as u64
    }

    pub fn total(&self) -> Money {
        self.path_cost + self.refetch_cost + self.wait_cost
    }

    /// How many unchanged request paths are purged.
    pub fn unchanged(&self) -> u64 {
        self.patterns.iter().map(|pattern| pattern.unchanged).sum()
    }

    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(|pattern| pattern.text.as_str())
    }
}

/// The cheapest purge under `prices`: exactly the least of `path × max(0, patterns − free) + refetch × Σ weight + wait × wildcards`,
/// then of patterns, then of what is purged needlessly, then of wildcards. In [`Mode::Exact`] what is purged needlessly counts
/// before all else. The same input always gives the same answer.
pub fn cover(
    universe: &[Entry<'_>],
    opaque: &[Opaque],
    prices: &Prices,
    dialect: Dialect,
) -> Cover {
    let modes = [prices.mode];
    let found = covers(universe, opaque, prices, dialect, &modes);
    found.into_iter().next().unwrap_or_default()
}

/// [`cover`] in several modes at once, in their order; the tree is built once.
pub fn covers(
    universe: &[Entry<'_>],
    opaque: &[Opaque],
    prices: &Prices,
    dialect: Dialect,
    modes: &[Mode],
) -> Vec<Cover> {
    let items = tree::items(universe, opaque);
    let tree = Tree::build(&items, opaque, dialect);
    let in_mode = |mode: &Mode| {
        let texts = patterns(&tree, *mode, prices);
        let weighed = texts.into_iter().map(|text| weigh(text, &items, opaque));
        price(weighed.collect(), prices)
    };
    modes.iter().map(in_mode).collect()
}

/// What [`cover`] consists of, unweighed.
pub(super) fn texts(
    universe: &[Entry<'_>],
    opaque: &[Opaque],
    prices: &Prices,
    dialect: Dialect,
) -> Vec<String> {
    let items = tree::items(universe, opaque);
    let tree = Tree::build(&items, opaque, dialect);
    patterns(&tree, prices.mode, prices)
}

/// These tags, and of these paths those that take something owed of what the tags leave.
pub(super) fn beside(
    tags: Vec<Pattern>,
    texts: Vec<String>,
    left: &[Entry<'_>],
    opaque: &[Opaque],
    prices: &Prices,
) -> Cover {
    let items = tree::items(left, opaque);
    let paths = texts.into_iter().map(|text| weigh(text, &items, opaque));
    let paths = paths.filter(|path| path.changed > 0);
    let mut patterns: Vec<Pattern> = tags.into_iter().chain(paths).collect();
    patterns.sort_by(|one, other| one.text.cmp(&other.text));
    price(patterns, prices)
}

fn patterns(tree: &Tree<'_>, mode: Mode, prices: &Prices) -> Vec<String> {
    let rates = match mode {
        Mode::None => return Vec::new(),
        Mode::All if tree.nodes.is_empty() => return Vec::new(),
        Mode::All => return vec!["/*".to_owned()],
        Mode::Cheapest => Rates::cheapest(prices),
        Mode::Exact => Rates::exact(prices),
    };
    let mut texts = Vec::new();
    for choice in solve::solve(tree, &rates) {
        match choice {
            Choice::Wildcard(node) => texts.extend(tree.nodes.get(node).map(|n| n.wildcard())),
            Choice::Own(node) => {
                let (first, end) = tree.nodes.get(node).map_or((0, 0), |n| n.own);
                let own = tree.exact.get(first..end).unwrap_or_default();
                texts.extend(own.iter().map(|text| (*text).to_owned()));
            }
        }
    }
    texts.sort();
    texts
}

/// Counts what a pattern takes of the sorted items.
fn weigh(text: String, items: &[Item<'_>], opaque: &[Opaque]) -> Pattern {
    let mut pattern = Pattern {
        text,
        changed: 0,
        unchanged: 0,
        needless: 0,
        tag: None,
    };
    let prefix = pattern.text.strip_suffix('*').unwrap_or(&pattern.text);
    let first = items.partition_point(|item| item.text < prefix);
    let rest = items.get(first..).unwrap_or_default();
    let end = rest.partition_point(|item| pattern.takes(item.text));
    for item in rest.get(..end).unwrap_or_default() {
        if item.changed {
            pattern.changed += 1;
        } else if item.counted || pattern.is_wildcard() {
            pattern.unchanged += u64::from(item.counted);
            pattern.needless = pattern.needless.saturating_add(item.weight);
        }
    }
    if let Some(prefix) = pattern.text.strip_suffix('*') {
        let (around, _) = tree::surroundings(prefix, opaque);
        pattern.needless = pattern.needless.saturating_add(around);
    }
    pattern
}

fn price(patterns: Vec<Pattern>, prices: &Prices) -> Cover {
    let mut cover = Cover {
        patterns,
        ..Cover::default()
    };
    let wild = cover
        .patterns
        .iter()
        .filter(|pattern| pattern.is_wildcard());
    cover.wildcards = wild.count() as u64;
    cover.free = cover.paths().min(prices.free);
    cover.path_cost = prices.path * (cover.paths() - cover.free);
    let needless = cover.patterns.iter().map(|pattern| pattern.needless);
    cover.refetch_cost = needless.map(|weight| prices.refetch * weight).sum();
    cover.wait_cost = prices.wait * cover.wildcards;
    cover
}
