//! The exact optimum over the tree. Free paths make the cost of a path jump from nothing to its price, so the least cost of
//! each count of paths matters; a price between the two, chosen so that the count meets the free paths, leaves few to look at.

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
    /// None where something at the node can be purged by a wildcard alone.
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

/// The cheapest choice for each node at a price for every path; ties go to fewer paths, or to more.
fn choose(tree: &Tree<'_>, rates: &Rates, price: PathPrice, more: bool) -> Vec<Options> {
    let mut chosen: Vec<Options> = Vec::with_capacity(tree.nodes.len());
    let mut stack: Vec<Figures> = Vec::new();
    for node in &tree.nodes {
        let own = (node.own.1 - node.own.0) as i128;
        let children = stack.split_off(stack.len() - node.children);
        let mine = Figures {
            count: own,
            rest: rates.path * own,
        };
        let open = children.into_iter().fold(mine, Figures::plus);
        let wildcard = Figures {
            count: 1,
            rest: rates.path + rates.wildcard + rates.needless * i128::from(node.needless),
        };
        let takes_wildcard = match open.at(price).cmp(&wildcard.at(price)) {
            _ if node.forced => true,
            std::cmp::Ordering::Equal if more => open.count < 1,
            std::cmp::Ordering::Equal => open.count > 1,
            order => order.is_gt(),
        };
        let options = Options {
            wildcard,
            open: (!node.forced).then_some(open),
            takes_wildcard,
        };
        stack.push(options.best());
        chosen.push(options);
    }
    chosen
}

fn figures(chosen: &[Options]) -> Figures {
    chosen.last().map(Options::best).unwrap_or_default()
}

/// The best set of patterns that is known, and its cost.
struct Best {
    cost: Vector,
    takes_wildcard: Vec<bool>,
}

impl Best {
    fn offer(&mut self, cost: Vector, takes_wildcard: impl Iterator<Item = bool>) {
        if cost < self.cost {
            *self = Self {
                cost,
                takes_wildcard: takes_wildcard.collect(),
            };
        }
    }
}

fn decisions(chosen: &[Options]) -> impl Iterator<Item = bool> + '_ {
    chosen.iter().map(|options| options.takes_wildcard)
}

/// The cheapest patterns. Exact: any price `y` between nothing and the full price bounds every answer from below by
/// `min (rest + y × count) − y × free`; an answer that meets the best such bound is the optimum, and otherwise [`front`]
/// looks through all that the gap leaves possible.
pub(super) fn solve(tree: &Tree<'_>, rates: &Rates) -> Vec<Choice> {
    if tree.nodes.is_empty() {
        return Vec::new();
    }
    let nothing = PathPrice {
        sum: Vector::default(),
        parts: 1,
    };
    let full = PathPrice {
        sum: rates.paid,
        parts: 1,
    };
    let many = choose(tree, rates, nothing, false);
    if figures(&many).count <= rates.free || rates.paid == Vector::default() {
        return walk(tree, &decisions(&many).collect::<Vec<_>>());
    }
    let few = choose(tree, rates, full, true);
    if figures(&few).count >= rates.free {
        return walk(tree, &decisions(&few).collect::<Vec<_>>());
    }
    walk(tree, &between(tree, rates, figures(&few), figures(&many)))
}

/// The optimum where the full price makes fewer paths than are free, and no price more.
fn between(tree: &Tree<'_>, rates: &Rates, mut few: Figures, mut many: Figures) -> Vec<bool> {
    let (price, chosen) = loop {
        let price = PathPrice {
            sum: few.rest - many.rest,
            parts: many.count - few.count,
        };
        let chosen = choose(tree, rates, price, false);
        let found = figures(&chosen);
        if found.at(price) == few.at(price) {
            break (price, chosen);
        }
        match found.count.cmp(&rates.free) {
            std::cmp::Ordering::Equal => return decisions(&chosen).collect(),
            std::cmp::Ordering::Less => few = found,
            std::cmp::Ordering::Greater => many = found,
        }
    };
    let bound = few.at(price) - price.sum * rates.free;
    let found = figures(&chosen);
    let mut best = Best {
        cost: rates.total(found.count, found.rest),
        takes_wildcard: decisions(&chosen).collect(),
    };
    let most = choose(tree, rates, price, true);
    let found = figures(&most);
    best.offer(rates.total(found.count, found.rest), decisions(&most));
    let (filled, opened) = fill(tree, rates, price, &chosen);
    best.offer(rates.total(filled.count, filled.rest), opened.into_iter());
    let gap = best.cost * price.parts - bound;
    if gap == Vector::default() {
        return best.takes_wildcard;
    }
    let better = front::search(tree, &chosen, price, gap, |it| {
        rates.total(it.count, it.rest)
    });
    match better {
        Some((cost, takes_wildcard)) if cost < best.cost => takes_wildcard,
        _ => best.takes_wildcard,
    }
}

/// Opens wildcards as long as free paths are left, those first that lose least by it.
fn fill(
    tree: &Tree<'_>,
    rates: &Rates,
    price: PathPrice,
    chosen: &[Options],
) -> (Figures, Vec<bool>) {
    let mut takes_wildcard: Vec<bool> = decisions(chosen).collect();
    let mut total = figures(chosen);
    let mut closed: Vec<(Vector, i128, usize, Figures)> = Vec::new();
    for choice in walk(tree, &takes_wildcard) {
        if let Choice::Wildcard(at) = choice
            && let Some(Options {
                wildcard,
                open: Some(open),
                ..
            }) = chosen.get(at)
        {
            let loss = open.at(price) - wildcard.at(price);
            closed.push((loss, -open.count, at, *open));
        }
    }
    closed.sort_by_key(|(loss, count, at, _)| (*loss, *count, *at));
    for (_, _, at, open) in closed {
        let wider = open.count - 1;
        if wider > 0 && total.count + wider <= rates.free {
            let wildcard = chosen.get(at).map(|it| it.wildcard).unwrap_or_default();
            total.count += wider;
            total.rest = total.rest + open.rest - wildcard.rest;
            if let Some(taken) = takes_wildcard.get_mut(at) {
                *taken = false;
            }
        }
    }
    (total, takes_wildcard)
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
