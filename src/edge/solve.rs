//! The exact optimum over the tree. Free paths make the cost of a path jump from nothing to its price, so the least cost of
//! each count of paths matters; a price between the two, chosen so that the count meets the free paths, leaves few to look at.

use std::cmp::Ordering;

use super::front;
use super::price::Prices;
use super::tree::Tree;
use super::vector::Vector;

/// What the optimum consists of, as nodes of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The node's wildcard.
    Wildcard(usize),
    /// The node's own paths, each by itself.
    Own(usize),
}

/// What things cost, in the order of what counts first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    /// A path past the free ones.
    paid: Vector,
    free: i128,
    /// Any path; a unit of needless weight; a wildcard.
    path: Vector,
    needless: Vector,
    wildcard: Vector,
}

impl Rates {
    pub(super) fn cheapest(prices: &Prices) -> Self {
        Self {
            paid: Vector([prices.path.0.into(), 0, 0, 0]),
            free: prices.free.into(),
            path: Vector([0, 1, 0, 0]),
            needless: Vector([prices.refetch.0.into(), 0, 1, 0]),
            wildcard: Vector([prices.wait.0.into(), 0, 0, 1]),
        }
    }

    pub(super) fn exact(prices: &Prices) -> Self {
        Self {
            paid: Vector([0, prices.path.0.into(), 0, 0]),
            free: prices.free.into(),
            path: Vector([0, 0, 1, 0]),
            needless: Vector([1, 0, 0, 0]),
            wildcard: Vector([0, prices.wait.0.into(), 0, 1]),
        }
    }

    fn wildcard_of(&self, needless: u64) -> Figures {
        Figures {
            count: 1,
            rest: self.path + self.wildcard + self.needless * i128::from(needless),
        }
    }

    /// The whole cost of `count` paths that cost `rest` besides what is paid for paths past the free ones.
    fn total(&self, count: i128, rest: Vector) -> Vector {
        rest + self.paid * (count - self.free).max(0)
    }
}

/// A price for each path: `sum` divided by `parts`.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathPrice {
    pub(super) sum: Vector,
    pub(super) parts: i128,
}

/// A set of patterns by its figures: how many, and what they cost besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) count: i128,
    pub(super) rest: Vector,
}

impl Figures {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            rest: self.rest + other.rest,
        }
    }

    /// The cost at a price for each path, times the price's `parts`.
    pub(super) fn at(self, price: PathPrice) -> Vector {
        self.rest * price.parts + price.sum * self.count
    }
}

/// The two ways to cover what is beneath a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) wildcard: Figures,
    pub(super) wildcard_allowed: bool,
    /// None where a wildcard is the only way.
    pub(super) open: Option<Figures>,
    pub(super) takes_wildcard: bool,
}

impl Options {
    pub(super) fn best(&self) -> Figures {
        match self.open {
            Some(open) if !self.takes_wildcard => open,
            _ => self.wildcard,
        }
    }
}

/// A choice made beforehand: the node, and whether its wildcard is taken.
type Fix = (usize, bool);

/// The tree with some choices made.
struct Problem<'t> {
    tree: &'t Tree<'t>,
    rates: &'t Rates,
    fixes: Vec<Fix>,
}

impl Problem<'_> {
    /// The cheapest choice for each node at a price for every path; ties go to fewer paths, or to more.
    fn choose(&self, price: PathPrice, more: bool) -> Vec<Options> {
        let mut chosen: Vec<Options> = Vec::with_capacity(self.tree.nodes.len());
        let mut stack: Vec<Figures> = Vec::new();
        let mut fixes = self.fixes.iter().peekable();
        for (at, node) in self.tree.nodes.iter().enumerate() {
            let own = (node.own.1 - node.own.0) as i128;
            let children = stack.split_off(stack.len() - node.children);
            let mine = Figures {
                count: own,
                rest: self.rates.path * own,
            };
            let open = children.into_iter().fold(mine, Figures::plus);
            let wildcard = self.rates.wildcard_of(node.needless);
            let fixed = fixes.next_if(|fix| fix.0 == at).map(|fix| fix.1);
            let takes_wildcard = match open.at(price).cmp(&wildcard.at(price)) {
                _ if node.forced => true,
                _ if fixed.is_some() => fixed == Some(true),
                Ordering::Equal if more => open.count < 1,
                Ordering::Equal => open.count > 1,
                order => order.is_gt(),
            };
            let options = Options {
                wildcard,
                wildcard_allowed: fixed != Some(false),
                open: (!node.forced && fixed != Some(true)).then_some(open),
                takes_wildcard,
            };
            stack.push(options.best());
            chosen.push(options);
        }
        chosen
    }

    /// The same with one more choice made.
    fn with(&self, fix: Fix) -> Self {
        let mut fixes = self.fixes.clone();
        fixes.push(fix);
        fixes.sort();
        Self { fixes, ..*self }
    }
}

fn figures(chosen: &[Options]) -> Figures {
    chosen.last().map(Options::best).unwrap_or_default()
}

/// The best set of patterns that is known, and its cost.
struct Best {
    cost: Vector,
    takes_wildcard: Vec<bool>,
}

/// Keeps what is cheaper.
fn offer(best: &mut Option<Best>, cost: Vector, takes_wildcard: impl Iterator<Item = bool>) {
    if best.as_ref().is_none_or(|best| cost < best.cost) {
        let takes_wildcard = takes_wildcard.collect();
        *best = Some(Best {
            cost,
            takes_wildcard,
        });
    }
}

fn decisions(chosen: &[Options]) -> impl Iterator<Item = bool> + '_ {
    chosen.iter().map(|options| options.takes_wildcard)
}

/// Up to how many nodes with more than one way [`front`] is left to look through them; past that the problem is split.
const LOOSE: usize = 20_000;

/// How often a problem is split at most, before [`front`] must do.
const SPLITS: usize = 12;

/// The cheapest patterns.
pub(super) fn solve(tree: &Tree<'_>, rates: &Rates) -> Vec<Choice> {
    solve_within(tree, rates, LOOSE)
}

/// Exact: any price `y` between nothing and the full price bounds every answer from below by `min (rest + y × count) − y × free`.
/// An answer that meets the best such bound is the optimum. Otherwise the problem is split by a node on which the bound hangs, or
/// [`front`] looks through all that the gap leaves possible, where that leaves at most `loose` nodes.
pub(super) fn solve_within(tree: &Tree<'_>, rates: &Rates, loose: usize) -> Vec<Choice> {
    let mut best: Option<Best> = None;
    let mut todo = Vec::new();
    if !tree.nodes.is_empty() {
        let fixes = Vec::new();
        todo.push(Problem { tree, rates, fixes });
    }
    while let Some(problem) = todo.pop() {
        let Some(open) = problem.relax(&mut best) else {
            continue;
        };
        let Some(cost) = best.as_ref().map(|best| best.cost) else {
            continue;
        };
        let gap = cost * open.price.parts - open.bound;
        if gap <= Vector::default() {
            continue;
        }
        let budgets = front::budgets(tree, &open.chosen, open.price, gap);
        let few = front::loose(&open.chosen, &budgets, open.price) <= loose;
        match open.hinge(tree) {
            Some(node) if !few && problem.fixes.len() < SPLITS => {
                todo.push(problem.with((node, false)));
                todo.push(problem.with((node, true)));
            }
            _ => {
                let total = |it: Figures| rates.total(it.count, it.rest);
                let found = front::search(tree, &open.chosen, open.price, &budgets, total);
                if let Some((cost, takes_wildcard)) = found {
                    offer(&mut best, cost, takes_wildcard.into_iter());
                }
            }
        }
    }
    best.map_or(Vec::new(), |best| walk(tree, &best.takes_wildcard))
}

/// What is left of a problem whose bound no answer meets yet.
struct Relaxed {
    price: PathPrice,
    /// Times the price's parts.
    bound: Vector,
    /// The best choices at the price, of the fewest paths.
    chosen: Vec<Options>,
}

impl Relaxed {
    /// The wildcard that could as well be opened, of those the one that this gives the most paths.
    fn hinge(&self, tree: &Tree<'_>) -> Option<usize> {
        let takes_wildcard: Vec<bool> = decisions(&self.chosen).collect();
        let mut widest: Option<(i128, usize)> = None;
        for choice in walk(tree, &takes_wildcard) {
            if let Choice::Wildcard(at) = choice
                && let Some(options) = self.chosen.get(at)
                && let Some(open) = options.open
                && open.at(self.price) == options.wildcard.at(self.price)
            {
                widest = widest.max(Some((open.count, at)));
            }
        }
        widest.map(|(_, at)| at)
    }
}

impl Problem<'_> {
    fn offer(&self, best: &mut Option<Best>, chosen: &[Options]) {
        let found = figures(chosen);
        let cost = self.rates.total(found.count, found.rest);
        offer(best, cost, decisions(chosen));
    }

    /// Offers good answers; `None` where the best of them is the optimum.
    fn relax(&self, best: &mut Option<Best>) -> Option<Relaxed> {
        let parts = 1;
        let sum = Vector::default();
        let many = self.choose(PathPrice { sum, parts }, false);
        self.offer(best, &many);
        if figures(&many).count <= self.rates.free {
            return None;
        }
        let sum = self.rates.paid;
        let few = self.choose(PathPrice { sum, parts }, true);
        self.offer(best, &few);
        if figures(&few).count >= self.rates.free {
            return None;
        }
        self.between(best, figures(&few), figures(&many))
    }

    /// Finds the price at which fewer paths than are free do as well as more.
    fn between(
        &self,
        best: &mut Option<Best>,
        mut few: Figures,
        mut many: Figures,
    ) -> Option<Relaxed> {
        let free = self.rates.free;
        loop {
            let price = PathPrice {
                sum: few.rest - many.rest,
                parts: many.count - few.count,
            };
            let chosen = self.choose(price, false);
            self.offer(best, &chosen);
            let found = figures(&chosen);
            if found.at(price) == few.at(price) {
                self.offer(best, &self.choose(price, true));
                self.fill(best, price, &chosen);
                let bound = found.at(price) - price.sum * free;
                return Some(Relaxed {
                    price,
                    bound,
                    chosen,
                });
            }
            match found.count.cmp(&free) {
                Ordering::Equal => return None,
                Ordering::Less => few = found,
                Ordering::Greater => many = found,
            }
        }
    }

    /// Opens wildcards as long as free paths are left, those first that lose least by it, and offers what comes of it.
    fn fill(&self, best: &mut Option<Best>, price: PathPrice, chosen: &[Options]) {
        let mut takes_wildcard: Vec<bool> = decisions(chosen).collect();
        let mut total = figures(chosen);
        let mut closed: Vec<(Vector, i128, usize)> = Vec::new();
        for choice in walk(self.tree, &takes_wildcard) {
            if let Choice::Wildcard(at) = choice
                && let Some(options) = chosen.get(at)
                && let Some(open) = options.open
            {
                let loss = open.at(price) - options.wildcard.at(price);
                closed.push((loss, -open.count, at));
            }
        }
        closed.sort();
        for (_, _, at) in closed {
            let Some(options) = chosen.get(at) else {
                continue;
            };
            let open = options.open.unwrap_or(options.wildcard);
            if open.count > 1 && total.count + open.count - 1 <= self.rates.free {
                total.count += open.count - 1;
                total.rest = total.rest + open.rest - options.wildcard.rest;
                if let Some(taken) = takes_wildcard.get_mut(at) {
                    *taken = false;
                }
            }
        }
        let cost = self.rates.total(total.count, total.rest);
        offer(best, cost, takes_wildcard.into_iter());
    }
}

/// The patterns that decisions amount to: from the root down, nothing beneath a wildcard.
fn walk(tree: &Tree<'_>, takes_wildcard: &[bool]) -> Vec<Choice> {
    let mut choices = Vec::new();
    let mut end = tree.nodes.len();
    while let Some(at) = end.checked_sub(1) {
        let (Some(node), Some(wildcard)) = (tree.nodes.get(at), takes_wildcard.get(at)) else {
            break;
        };
        if *wildcard {
            choices.push(Choice::Wildcard(at));
            end = end.saturating_sub(node.size);
        } else {
            choices.push(Choice::Own(at));
            end = at;
        }
    }
    choices
}
