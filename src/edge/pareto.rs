//! Every count of paths within a gap of the bound: for each node the ways to cover it that nothing beats in both count and
//! cost, except those that lose more than the gap, which are nearly all.

use std::iter;

use super::figures::{Figures, NodeOptions, PathPrice, Vector};
use super::tree::Tree;

/// One way to cover a subtree, told by where it departs from the decisions that are best at the price.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    /// What it has more than the best way.
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

/// The decisions that are best at a price, and how far each node may depart from them.
pub(super) struct ParetoFront<'p> {
    tree: &'p Tree<'p>,
    chosen: &'p [NodeOptions],
    price: PathPrice,
    /// How much each node's ways may lose. `None` where opening all that is above loses too much.
    budgets: Vec<Option<Vector>>,
    departures: Vec<Departure>,
}

impl<'p> ParetoFront<'p> {
    /// Gives each node its budget: the gap, less what it loses to open all that is above.
    pub(super) fn new(
        tree: &'p Tree<'p>,
        chosen: &'p [NodeOptions],
        price: PathPrice,
        gap: Vector,
    ) -> Self {
        let mut budgets = vec![None; chosen.len()];
        // What an open ancestor leaves, and the first node beneath it.
        let mut above: Vec<(Option<Vector>, usize)> = Vec::new();
        let nodes = tree.nodes.iter().zip(chosen).enumerate();
        for ((position, (node, options)), budget) in nodes.zip(&mut budgets).rev() {
            while above.last().is_some_and(|(_, first)| position < *first) {
                above.pop();
            }
            *budget = above.last().map_or(Some(gap), |(left, _)| *left);
            let left = budget.zip(options.opening_loss(price));
            let left = left.and_then(|(budget, loss)| (loss <= budget).then(|| budget - loss));
            above.push((left, position + 1 - node.size));
        }
        Self {
            tree,
            chosen,
            price,
            budgets,
            departures: Vec::new(),
        }
    }

    /// Counts the nodes that have more than one way within their budgets, about.
    pub(super) fn loose(&self) -> usize {
        let is_loose = |(options, budget): &(&NodeOptions, &Option<Vector>)| {
            let both = options.other.zip(**budget);
            both.is_some_and(|(other, budget)| (other - options.best).cost(self.price) <= budget)
        };
        let nodes = self.chosen.iter().zip(&self.budgets);
        nodes.filter(is_loose).count()
    }

    /// Finds the best way to cover the whole tree within the budgets, by the `total` of what it has more than the best way at the
    /// price. Returns that total and the decisions.
    pub(super) fn search(
        mut self,
        total: impl Fn(Figures) -> Vector,
    ) -> Option<(Vector, Vec<bool>)> {
        let mut stack: Vec<Vec<Way>> = Vec::new();
        let budgets = std::mem::take(&mut self.budgets);
        let nodes = self.tree.nodes.iter().zip(self.chosen).zip(budgets);
        for (position, ((node, options), budget)) in nodes.enumerate() {
            let mut children = stack.split_off(stack.len() - node.children);
            let Some(budget) = budget else {
                stack.push(vec![Way::default()]);
                continue;
            };
            // Small ones first: the product grows late.
            children.sort_by_key(Vec::len);
            let mut ways = vec![Way::default()];
            for child in &children {
                ways = self.both(&ways, child, budget);
            }
            let ways = self.at_node(position, options, &ways, budget);
            stack.push(ways);
        }
        let ways = stack.pop()?;
        let best = ways.into_iter().min_by_key(|way| total(way.figures))?;
        Some((total(best.figures), self.decisions(best.departure)))
    }

    /// Adds the node's wildcard to the ways that its children leave. The children's figures count departures alone: what the best
    /// way costs besides is in `options`.
    fn at_node(
        &mut self,
        position: usize,
        options: &NodeOptions,
        children: &[Way],
        budget: Vector,
    ) -> Vec<Way> {
        let mut ways = Vec::new();
        let best = (options.takes_wildcard, options.best);
        let other = options.other.map(|other| (!options.takes_wildcard, other));
        for (wildcard, figures) in iter::once(best).chain(other) {
            let figures = figures - options.best;
            let loss = figures.cost(self.price);
            let whole = [Way::default()];
            let beneath = if wildcard { &whole } else { children };
            for way in beneath {
                if loss + way.loss > budget {
                    continue;
                }
                let mut departure = way.departure;
                if wildcard != options.takes_wildcard {
                    departure = Some(self.depart(Departure::Decide(position, wildcard, departure)));
                }
                ways.push(Way {
                    figures: figures + way.figures,
                    loss: loss + way.loss,
                    departure,
                });
            }
        }
        prune(&mut ways, |way| way.figures);
        ways
    }

    /// Returns the ways to cover two subtrees that lie side by side.
    fn both(&mut self, a: &[Way], b: &[Way], budget: Vector) -> Vec<Way> {
        if let ([first], [second]) = (a, b)
            && first.departure.is_none()
            && second.departure.is_none()
        {
            return a.to_vec();
        }
        let pairs = a
            .iter()
            .flat_map(|first| b.iter().map(move |second| (first, second)));
        let mut pairs: Vec<(&Way, &Way)> = pairs
            .filter(|(first, second)| first.loss + second.loss <= budget)
            .collect();
        prune(&mut pairs, |(first, second)| first.figures + second.figures);
        let joined = pairs.into_iter().map(|(first, second)| Way {
            figures: first.figures + second.figures,
            loss: first.loss + second.loss,
            departure: match (first.departure, second.departure) {
                (None, departure) | (departure, None) => departure,
                (first, second) => Some(self.depart(Departure::Both(first, second))),
            },
        });
        joined.collect()
    }

    fn depart(&mut self, departure: Departure) -> usize {
        self.departures.push(departure);
        self.departures.len() - 1
    }

    /// Returns for each node whether its wildcard is taken, after these departures.
    fn decisions(&self, departure: Option<usize>) -> Vec<bool> {
        let mut takes_wildcard: Vec<bool> = Vec::new();
        takes_wildcard.extend(self.chosen.iter().map(|options| options.takes_wildcard));
        let mut todo = Vec::from_iter(departure);
        while let Some(departure) = todo.pop().and_then(|index| self.departures.get(index)) {
            match departure {
                Departure::Decide(node, wildcard, next) => {
                    if let Some(taken) = takes_wildcard.get_mut(*node) {
                        *taken = *wildcard;
                    }
                    todo.extend(next);
                }
                Departure::Both(first, second) => todo.extend(first.iter().chain(second)),
            }
        }
        takes_wildcard
    }
}

/// Keeps what nothing else beats in both count and cost.
fn prune<T>(ways: &mut Vec<T>, figures: impl Fn(&T) -> Figures) {
    ways.sort_by_key(&figures);
    let mut least: Option<Vector> = None;
    ways.retain(|way| {
        let rest = figures(way).rest;
        let keep = least.is_none_or(|least| rest < least);
        if keep {
            least = Some(rest);
        }
        keep
    });
}
