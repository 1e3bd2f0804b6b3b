//! Every count of paths within a gap of the bound: for each node the ways to cover it that nothing beats in both count and
//! cost, except those that lose more than the gap, which are nearly all.

use super::solve::{Figures, Options, PathPrice};
use super::tree::Tree;
use super::vector::Vector;

/// One way to cover a subtree, told by where it departs from the decisions that are best at the price.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    figures: Figures,
    /// What it costs beyond the best way at the price.
    loss: Vector,
    departure: Option<usize>,
}

/// Where ways depart, shared among them.
enum Departure {
    Decide(usize, bool, Option<usize>),
    Both(Option<usize>, Option<usize>),
}

/// The best way to cover the whole tree, by its `total`, among those within the [`budgets`] at the price: its cost and decisions.
pub(super) fn search(
    tree: &Tree<'_>,
    chosen: &[Options],
    price: PathPrice,
    budgets: &[Option<Vector>],
    total: impl Fn(Figures) -> Vector,
) -> Option<(Vector, Vec<bool>)> {
    let mut departures: Vec<Departure> = Vec::new();
    let mut stack: Vec<Vec<Way>> = Vec::new();
    let nodes = tree.nodes.iter().zip(chosen).zip(budgets);
    for (at, ((node, options), budget)) in nodes.enumerate() {
        let mut children = stack.split_off(stack.len() - node.children);
        let Some(budget) = *budget else {
            stack.push(vec![Way::default()]);
            continue;
        };
        // Small ones first: the product grows late.
        children.sort_by_key(Vec::len);
        let mut ways = vec![Way::default()];
        for child in &children {
            ways = both(&ways, child, budget, &mut departures);
        }
        let ways = at_node(at, options, ways, price, budget, &mut departures);
        stack.push(ways);
    }
    let ways = stack.pop()?;
    let base = chosen.last()?.best();
    let whole = |way: &Way| total(base.plus(way.figures));
    let best = ways.into_iter().min_by_key(whole)?;
    let mut takes_wildcard: Vec<bool> = chosen.iter().map(|it| it.takes_wildcard).collect();
    depart(best.departure, &departures, &mut takes_wildcard);
    Some((whole(&best), takes_wildcard))
}

/// How much each node's ways may lose: the gap, less what it loses to open all that is above. `None` where that is too much.
pub(super) fn budgets(
    tree: &Tree<'_>,
    chosen: &[Options],
    price: PathPrice,
    gap: Vector,
) -> Vec<Option<Vector>> {
    let mut budgets = vec![None; chosen.len()];
    // What an open ancestor leaves, and the first node beneath it.
    let mut above: Vec<(Option<Vector>, usize)> = Vec::new();
    let nodes = tree.nodes.iter().zip(chosen).enumerate();
    for ((at, (node, options)), budget) in nodes.zip(&mut budgets).rev() {
        while above.last().is_some_and(|(_, first)| at < *first) {
            above.pop();
        }
        *budget = above.last().map_or(Some(gap), |(left, _)| *left);
        let left = budget.zip(options.open).and_then(|(budget, open)| {
            let loss = open.at(price) - options.best().at(price);
            (loss <= budget).then(|| budget - loss)
        });
        above.push((left, at + 1 - node.size));
    }
    budgets
}

/// How many nodes have more than one way within their budgets, about.
pub(super) fn loose(chosen: &[Options], budgets: &[Option<Vector>], price: PathPrice) -> usize {
    let is_loose = |(options, budget): &(&Options, &Option<Vector>)| {
        let (Some(budget), Some(open)) = (budget, options.open) else {
            return false;
        };
        let other = match options.takes_wildcard {
            true => open,
            false => options.wildcard,
        };
        let allowed = options.takes_wildcard || options.wildcard_allowed;
        allowed && other.at(price) - options.best().at(price) <= *budget
    };
    chosen.iter().zip(budgets).filter(is_loose).count()
}

/// The node's wildcard beside the ways that its children leave. The children's figures count departures alone: what the best
/// way costs besides is in `options`.
fn at_node(
    at: usize,
    options: &Options,
    children: Vec<Way>,
    price: PathPrice,
    gap: Vector,
    departures: &mut Vec<Departure>,
) -> Vec<Way> {
    let best = options.best();
    let mut ways = Vec::new();
    let difference = |from: Figures| Figures {
        count: from.count - best.count,
        rest: from.rest - best.rest,
    };
    let wild = difference(options.wildcard);
    let loss = wild.at(price);
    if options.wildcard_allowed && loss <= gap {
        let departure = (!options.takes_wildcard).then(|| {
            departures.push(Departure::Decide(at, true, None));
            departures.len() - 1
        });
        ways.push(Way {
            figures: wild,
            loss,
            departure,
        });
    }
    if let Some(open) = options.open {
        let figures = difference(open);
        let loss = figures.at(price);
        for way in children {
            if loss + way.loss > gap {
                continue;
            }
            let mut departure = way.departure;
            if options.takes_wildcard {
                departures.push(Departure::Decide(at, false, departure));
                departure = Some(departures.len() - 1);
            }
            ways.push(Way {
                figures: figures.plus(way.figures),
                loss: loss + way.loss,
                departure,
            });
        }
    }
    prune(ways)
}

fn both(a: &[Way], b: &[Way], gap: Vector, departures: &mut Vec<Departure>) -> Vec<Way> {
    if let ([first], [second]) = (a, b)
        && first.departure.is_none()
        && second.departure.is_none()
    {
        return a.to_vec();
    }
    let mut ways = Vec::new();
    for first in a {
        for second in b {
            let loss = first.loss + second.loss;
            if loss <= gap {
                ways.push((
                    first.figures.plus(second.figures),
                    loss,
                    first.departure,
                    second.departure,
                ));
            }
        }
    }
    let ways = prune_by(ways, |way| way.0);
    let joined = ways.into_iter().map(|(figures, loss, first, second)| {
        let departure = match (first, second) {
            (None, other) | (other, None) => other,
            _ => {
                departures.push(Departure::Both(first, second));
                Some(departures.len() - 1)
            }
        };
        Way {
            figures,
            loss,
            departure,
        }
    });
    joined.collect()
}

fn prune(ways: Vec<Way>) -> Vec<Way> {
    prune_by(ways, |way| way.figures)
}

/// Keeps what nothing else beats in both count and cost.
fn prune_by<T>(mut ways: Vec<T>, figures: impl Fn(&T) -> Figures) -> Vec<T> {
    ways.sort_by_key(|way| {
        let it = figures(way);
        (it.count, it.rest)
    });
    let mut least: Option<Vector> = None;
    ways.retain(|way| {
        let rest = figures(way).rest;
        let keep = least.is_none_or(|least| rest < least);
        if keep {
            least = Some(rest);
        }
        keep
    });
    ways
}

fn depart(from: Option<usize>, departures: &[Departure], takes_wildcard: &mut [bool]) {
    let mut todo = Vec::from_iter(from);
    while let Some(at) = todo.pop() {
        match departures.get(at) {
            Some(Departure::Decide(node, wildcard, next)) => {
                if let Some(taken) = takes_wildcard.get_mut(*node) {
                    *taken = *wildcard;
                }
                todo.extend(next);
            }
            Some(Departure::Both(first, second)) => todo.extend(first.iter().chain(second)),
            None => {}
        }
    }
}
