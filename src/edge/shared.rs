//! Several purges that share the free paths: of several distributions, or of one before and after assets are removed. They are
//! chosen together, so that what all of them cost is the least.

use super::cover::{Cover, PathUniverse};
use super::price::PurgePrices;
use super::solve::{Rates, solve};
use super::tagged;
use super::tree::Tree;
use super::wide::Carrier;

/// One of the purges: what there is to cover, and what carries tags.
pub(super) struct SharingPurge<'u> {
    pub(super) universe: PathUniverse<'u>,
    tree: Tree<'u>,
    carriers: Vec<Carrier<'u>>,
}

impl<'u> SharingPurge<'u> {
    pub(super) fn new(universe: PathUniverse<'u>, carriers: Vec<Carrier<'u>>) -> Self {
        Self {
            tree: universe.tree(),
            universe,
            carriers,
        }
    }

    /// Returns the cheapest purge without tags.
    pub(super) fn plain(&self, prices: &PurgePrices) -> Cover {
        self.universe.cover(&self.tree, prices)
    }

    /// Returns the cheapest purge where the others leave so many free paths.
    fn alone(&self, free: u64, prices: &PurgePrices) -> Cover {
        let prices = PurgePrices { free, ..*prices };
        if self.carriers.is_empty() || !prices.mode.weighs() {
            self.plain(&prices)
        } else {
            tagged::cover(self.universe, &self.carriers, &prices)
        }
    }
}

/// Returns the covers that cost the least in all, in the order of the purges: exactly so without tags; with tags, never more than
/// without.
///
/// As long as the free paths suffice for what each does best where all are free, that is the optimum: nothing is paid for paths, and
/// nothing else could be less. Otherwise they are solved together, and then each anew with tags, where the others stay as they are.
pub(super) fn covers(purges: &[SharingPurge<'_>], prices: &PurgePrices) -> Vec<Cover> {
    let covers = purges.iter().map(|purge| purge.alone(u64::MAX, prices));
    let mut covers: Vec<Cover> = covers.collect();
    if prices.mode.weighs() && paths(&covers) > prices.free {
        let trees: Vec<&Tree<'_>> = purges.iter().map(|purge| &purge.tree).collect();
        let together = solve(&trees, &Rates::of(prices)).into_iter().zip(purges);
        let together = together.map(|(paths, purge)| purge.universe.cover_of(paths, prices));
        covers = together.collect();
        let mut sent = paths(&covers);
        for (purge, cover) in purges.iter().zip(&mut covers) {
            if !purge.carriers.is_empty() {
                let others = sent - cover.paths();
                *cover = purge.alone(prices.free.saturating_sub(others), prices);
                sent = others + cover.paths();
            }
        }
    }
    let mut left = prices.uncharged.unwrap_or(prices.free);
    let paid = covers.into_iter().map(|cover| {
        let uncharged = Some(left);
        let cover = cover.paid(&PurgePrices {
            uncharged,
            ..*prices
        });
        left -= cover.free;
        cover
    });
    paid.collect()
}

fn paths(covers: &[Cover]) -> u64 {
    covers.iter().map(Cover::paths).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::cover::UniverseEntry;
    use super::super::oracle::{Case, case, cases};
    use super::super::price::Money;
    use super::*;

    /// The least cost of all sets of patterns for all of them.
    fn by_force(several: &[Case], candidates: &[Vec<String>]) -> [u64; 4] {
        let mut sums = BTreeSet::from([[0; 3]]);
        for (case, candidates) in several.iter().zip(candidates) {
            let figures = case.all_figures(candidates);
            let add = |sum: &[u64; 3], more: &[u64; 3]| [0, 1, 2].map(|at| sum[at] + more[at]);
            let pairs = sums
                .iter()
                .flat_map(|sum| figures.iter().map(move |more| add(sum, more)));
            sums = pairs.collect();
        }
        let ranks = sums
            .iter()
            .map(|[paths, needless, wildcards]| several[0].rank(*paths, *needless, *wildcards));
        ranks.min().expect("everything is one way")
    }

    fn covers_of(several: &[Case], prices: &PurgePrices) -> Vec<Cover> {
        let entries: Vec<Vec<UniverseEntry<'_>>> = several.iter().map(Case::entries).collect();
        let purges = several.iter().zip(&entries);
        let purges =
            purges.map(|(case, entries)| SharingPurge::new(case.universe(entries), Vec::new()));
        covers(&purges.collect::<Vec<_>>(), prices)
    }

    proptest! {
        #![proptest_config(cases(2000))]

        #[test]
        fn no_sets_of_patterns_are_cheaper_together(
            mut several in prop::collection::vec(case(5, 4, 0.6, 8), 1..=3),
            path in 0u64..12,
        ) {
            let prices = PurgePrices { path: Money(path), ..several[0].prices };
            several.iter_mut().for_each(|case| case.prices = prices);
            let candidates: Vec<Vec<String>> = several.iter().map(Case::candidates).collect();
            prop_assume!(candidates.iter().all(|candidates| candidates.len() <= 8));
            let covers = covers_of(&several, &prices);
            let mut sums = [0; 3];
            for (case, cover) in several.iter().zip(&covers) {
                let texts: Vec<String> = cover.texts().map(str::to_owned).collect();
                let figures = case.figures(&texts).expect("everything changed is taken");
                prop_assert_eq!(figures, [cover.paths(), cover.needless(), cover.wildcards]);
                (0..3).for_each(|at| sums[at] += figures[at]);
            }
            let [paths, needless, wildcards] = sums;
            prop_assert_eq!(several[0].rank(paths, needless, wildcards), by_force(&several, &candidates), "{:?}", covers);
            let free: u64 = covers.iter().map(|cover| cover.free).sum();
            let paid: Money = covers.iter().map(|cover| cover.path_cost).sum();
            prop_assert_eq!(free, paths.min(prices.free));
            prop_assert_eq!(paid, prices.path * (paths - free));
        }
    }
}
