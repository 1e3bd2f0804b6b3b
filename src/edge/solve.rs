//! The exact optimum over the tree. Free paths make the cost of a path jump from nothing to its price, so the least cost of
//! each count of paths matters.
//!
//! There are three searches, each for what the one before leaves. (1) A price for each path between nothing and the full one,
//! chosen so that the count meets the free paths, gives a lower bound and a good answer, in a few passes over all nodes; mostly
//! they meet, and that is the optimum. (2) Where they do not, [`pareto`](super::pareto) looks at every count of paths, but only at
//! what loses no more than the gap between bound and answer: that is exact in one pass, and cheap as long as few nodes have a
//! second way within the gap. (3) Where one large folder goes over all at once at that price, the gap is wide and nearly all
//! nodes have one: then the problem is split into "this folder by its wildcard" and "not so", which narrows the gap of both halves.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use super::figures::{Figures, NodeOptions, PathPrice, Vector};
use super::pareto::ParetoFront;
use super::price::{PurgeMode, PurgePrices};
use super::tree::Tree;

/// What a wildcard counts beyond the path that it is, where sets of paths cost the same: CloudFront takes one wildcard a second, and
/// 150 paths.
const MORE_THAN_A_PATH: i128 = 9;

/// What things cost, in the order of what counts first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    /// A path past the free ones.
    paid: Vector,
    free: i128,
    /// Any path; a unit of needless weight; what a wildcard costs beyond a path.
    path: Vector,
    needless: Vector,
    wildcard: Vector,
}

impl Rates {
    /// Returns the rates of a mode that weighs: [`PurgeMode::Cheapest`] or [`PurgeMode::Exact`].
    pub(super) fn of(prices: &PurgePrices) -> Self {
        let (path, wait) = (prices.path.0.into(), prices.wait.0.into());
        let free = prices.free.into();
        if prices.mode == PurgeMode::Exact {
            Self {
                paid: Vector([0, path, 0, 0]),
                free,
                path: Vector([0, 0, 1, 0]),
                needless: Vector([1, 0, 0, 0]),
                wildcard: Vector([0, wait, MORE_THAN_A_PATH, 1]),
            }
        } else {
            Self {
                paid: Vector([path, 0, 0, 0]),
                free,
                path: Vector([0, 1, 0, 0]),
                needless: Vector([prices.refetch.0.into(), 0, 1, 0]),
                wildcard: Vector([wait, MORE_THAN_A_PATH, 0, 1]),
            }
        }
    }

    /// Returns the figures of so many paths, of which so many are wildcards that take so much needlessly.
    pub(super) fn figures(&self, count: usize, wildcards: u64, needless: u64) -> Figures {
        let count = count as i128;
        let wildcards = self.wildcard * i128::from(wildcards);
        let rest = self.path * count + wildcards + self.needless * i128::from(needless);
        Figures { count, rest }
    }

    /// Returns the whole cost of a set of patterns, with what is paid for paths past the free ones.
    pub(super) fn total(&self, figures: Figures) -> Vector {
        figures.rest + self.paid * (figures.count - self.free).max(0)
    }
}

/// The best set of patterns so far, and its cost.
struct BestCover {
    cost: Vector,
    takes_wildcard: Vec<bool>,
}

impl BestCover {
    /// Stands for none: whatever is offered first is cheaper.
    fn none() -> Self {
        Self {
            cost: Vector([i128::MAX, 0, 0, 0]),
            takes_wildcard: Vec::new(),
        }
    }

    /// Keeps what is cheaper.
    fn offer(&mut self, cost: Vector, takes_wildcard: Vec<bool>) {
        if cost < self.cost {
            *self = Self {
                cost,
                takes_wildcard,
            };
        }
    }
}

/// The cheapest choice for each node at a price for every path, and what all of it comes to.
struct Choices {
    price: PathPrice,
    options: Vec<NodeOptions>,
    whole: Figures,
}

impl Choices {
    fn takes_wildcard(&self) -> Vec<bool> {
        let options = self.options.iter();
        options.map(|options| options.takes_wildcard).collect()
    }

    /// Returns the wildcards that are taken, not what lies beneath one, and could be opened: positions and options.
    fn wildcards(&self, tree: &Tree<'_>) -> Vec<(usize, &NodeOptions)> {
        let reached = tree.walk(&self.takes_wildcard());
        let wildcards = reached.into_iter().filter(|(.., wildcard)| *wildcard);
        let options = wildcards.filter_map(|(position, ..)| {
            let options = self.options.get(position)?;
            options.other.is_some().then_some((position, options))
        });
        options.collect()
    }

    /// Returns the wildcard that could as well be opened, of those the one that this gives the most paths.
    fn hinge(&self, tree: &Tree<'_>) -> Option<usize> {
        let wildcards = self.wildcards(tree).into_iter();
        let even = wildcards
            .filter(|(_, options)| options.opening_loss(self.price) == Some(Vector::default()));
        let widest = even
            .max_by_key(|(position, options)| (options.other.map(|open| open.count), *position));
        widest.map(|(position, _)| position)
    }
}

/// The tree with some choices made beforehand: by position, whether the node's wildcard is taken.
struct Problem<'t> {
    tree: &'t Tree<'t>,
    rates: &'t Rates,
    fixes: BTreeMap<usize, bool>,
}

/// Up to how many nodes with more than one way [`ParetoFront`] is left to look through them; past that the problem is split.
const LOOSE: usize = 20_000;

/// How often a problem is split at most, before [`ParetoFront`] must do.
const SPLITS: usize = 12;

/// Finds the cheapest invalidation paths for trees that share the free paths: those of each, sorted. Joined, the trees are one of
/// which the root is never taken whole: what is exact for one is so for them all.
pub(super) fn solve(trees: &[&Tree<'_>], rates: &Rates) -> Vec<Vec<String>> {
    solve_within(trees, rates, LOOSE)
}

/// Finds the same as [`solve`], splitting the problem where more than `loose` nodes have a second way.
pub(super) fn solve_within(trees: &[&Tree<'_>], rates: &Rates, loose: usize) -> Vec<Vec<String>> {
    let tree = &Tree::join(trees);
    let fixes = BTreeMap::from([(tree.nodes.len() - 1, false)]);
    let mut taken = search(Problem { tree, rates, fixes }, loose).into_iter();
    let paths = trees.iter().map(|tree| {
        let taken: Vec<bool> = taken.by_ref().take(tree.nodes.len()).collect();
        tree.paths(&taken)
    });
    paths.collect()
}

/// Exact: any price `y` between nothing and the full price bounds every answer from below by `min (rest + y × count) − y × free`.
/// An answer that meets the best such bound is the optimum. Otherwise the problem is split by a node on which the bound hangs, or
/// [`ParetoFront`] looks through all that the gap leaves possible, where that leaves at most `loose` nodes.
fn search(whole: Problem<'_>, loose: usize) -> Vec<bool> {
    let (tree, rates) = (whole.tree, whole.rates);
    let mut best = BestCover::none();
    let mut todo = vec![whole];
    while let Some(problem) = todo.pop() {
        let Some(choices) = problem.relax(&mut best) else {
            continue;
        };
        let price = choices.price;
        let bound = choices.whole.cost(price) - price.sum * rates.free;
        let gap = best.cost * price.parts - bound;
        if gap <= Vector::default() {
            continue;
        }
        let front = ParetoFront::new(tree, &choices.options, price, gap);
        if front.loose() > loose
            && problem.fixes.len() < SPLITS
            && let Some(node) = choices.hinge(tree)
        {
            todo.push(problem.with(node, false));
            todo.push(problem.with(node, true));
        } else if let Some((cost, takes_wildcard)) =
            front.search(|more| rates.total(choices.whole + more))
        {
            best.offer(cost, takes_wildcard);
        }
    }
    best.takes_wildcard
}

impl Problem<'_> {
    /// Returns the same with one more choice made.
    fn with(&self, node: usize, takes_wildcard: bool) -> Self {
        let mut fixes = self.fixes.clone();
        fixes.insert(node, takes_wildcard);
        Self { fixes, ..*self }
    }

    /// Makes the best choices at a price, of the fewest paths.
    fn choose(&self, price: PathPrice) -> Choices {
        let mut options: Vec<NodeOptions> = Vec::with_capacity(self.tree.nodes.len());
        let mut stack: Vec<Figures> = Vec::new();
        for (position, node) in self.tree.nodes.iter().enumerate() {
            let mut open = self.rates.figures(node.own.len(), 0, 0);
            for child in stack.drain(stack.len() - node.children..) {
                open = open + child;
            }
            let wildcard = self.rates.figures(1, 1, node.needless);
            let fixed = self.fixes.get(&position).copied();
            let is_cheaper = || {
                let saved = (open - wildcard).cost(price);
                // Of two ways that cost the same, the one of fewer paths.
                (saved, open.count) > (Vector::default(), 1)
            };
            let takes_wildcard = node.forced || fixed.unwrap_or_else(is_cheaper);
            let (best, other) = if takes_wildcard {
                (wildcard, open)
            } else {
                (open, wildcard)
            };
            stack.push(best);
            options.push(NodeOptions {
                best,
                takes_wildcard,
                other: (!node.forced && fixed.is_none()).then_some(other),
            });
        }
        Choices {
            price,
            options,
            whole: stack.into_iter().fold(Figures::default(), |a, b| a + b),
        }
    }

    fn offer(&self, best: &mut BestCover, choices: &Choices) {
        best.offer(self.rates.total(choices.whole), choices.takes_wildcard());
    }

    /// Offers good answers. Returns the best choices at the price on which the bound hangs, of the fewest paths; `None` where the
    /// best answer is the optimum.
    fn relax(&self, best: &mut BestCover) -> Option<Choices> {
        let parts = 1;
        let sum = Vector::default();
        let many = self.choose(PathPrice { sum, parts });
        self.offer(best, &many);
        if many.whole.count <= self.rates.free {
            return None;
        }
        let sum = self.rates.paid;
        let few = self.choose(PathPrice { sum, parts });
        self.offer(best, &few);
        if few.whole.count >= self.rates.free {
            return None;
        }
        self.between(best, few.whole, many.whole)
    }

    /// Finds the price at which fewer paths than are free do as well as more.
    fn between(
        &self,
        best: &mut BestCover,
        mut few: Figures,
        mut many: Figures,
    ) -> Option<Choices> {
        loop {
            let price = PathPrice {
                sum: few.rest - many.rest,
                parts: many.count - few.count,
            };
            let choices = self.choose(price);
            self.offer(best, &choices);
            let whole = choices.whole;
            if whole.cost(price) == few.cost(price) {
                self.fill(best, &choices);
                return Some(choices);
            }
            match whole.count.cmp(&self.rates.free) {
                Ordering::Equal => return None,
                Ordering::Less => few = whole,
                Ordering::Greater => many = whole,
            }
        }
    }

    /// Opens wildcards as long as free paths are left, those first that lose least by it, and offers what comes of it.
    fn fill(&self, best: &mut BestCover, choices: &Choices) {
        let wildcards = choices.wildcards(self.tree).into_iter();
        let mut gains: Vec<(Vector, Reverse<i128>, usize, Figures)> = wildcards
            .filter_map(|(position, options)| {
                let gain = options.other? - options.best;
                let loss = gain.cost(choices.price);
                Some((loss, Reverse(gain.count), position, gain))
            })
            .collect();
        gains.sort();
        let mut whole = choices.whole;
        let mut opened = BTreeSet::new();
        for (_, _, position, gain) in gains {
            if gain.count > 0 && whole.count + gain.count <= self.rates.free {
                whole = whole + gain;
                opened.insert(position);
            }
        }
        let decisions = choices.takes_wildcard().into_iter().enumerate();
        let decisions = decisions.map(|(position, taken)| taken && !opened.contains(&position));
        best.offer(self.rates.total(whole), decisions.collect());
    }
}
