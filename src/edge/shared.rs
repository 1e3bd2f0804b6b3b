//! Several purges that share the free paths: of several distributions, or of one before and after assets are removed. They are
//! chosen together, so that what all of them cost is the least.

use super::cover::{self, Cover, PathUniverse};
use super::price::{PurgeMode, PurgePrices};
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
        if self.carriers.is_empty() {
            self.plain(&prices)
        } else {
            tagged::cover(self.universe, &self.carriers, &prices)
        }
    }
}

/// Returns the covers that cost the least in all, in the order of the purges: exactly so without tags; with tags, never more than
/// without.
///
/// As long as the free paths suffice for what each does best with all of them, that is the optimum: nothing is paid for paths, and
/// nothing else could be less. Otherwise [`cover::paths_together`] finds it.
pub(super) fn covers(purges: &[SharingPurge<'_>], prices: &PurgePrices) -> Vec<Cover> {
    let alone = purges.iter().map(|purge| purge.alone(prices.free, prices));
    let mut covers: Vec<Cover> = alone.collect();
    let weighs = matches!(prices.mode, PurgeMode::Cheapest | PurgeMode::Exact);
    if weighs && purges.len() > 1 && paths(&covers) > prices.free {
        let trees: Vec<&Tree<'_>> = purges.iter().map(|purge| &purge.tree).collect();
        let together = cover::paths_together(&trees, prices).into_iter();
        let together = purges.iter().zip(together);
        let together = together.map(|(purge, paths)| purge.universe.cover_of(paths, prices));
        covers = together.collect();
        if purges.iter().any(|purge| !purge.carriers.is_empty()) {
            add_tags(purges, prices, &mut covers);
        }
    }
    let mut free = prices.free;
    let paid = covers.into_iter().map(|cover| {
        let cover = cover.paid(&PurgePrices { free, ..*prices });
        free -= cover.free;
        cover
    });
    paid.collect()
}

fn paths(covers: &[Cover]) -> u64 {
    covers.iter().map(Cover::paths).sum()
}

/// Chooses each anew with tags, where the others stay as they are.
fn add_tags(purges: &[SharingPurge<'_>], prices: &PurgePrices, covers: &mut [Cover]) {
    let mut sent = paths(covers);
    for (purge, cover) in purges.iter().zip(covers) {
        let others = sent - cover.paths();
        *cover = purge.alone(prices.free.saturating_sub(others), prices);
        sent = others + cover.paths();
    }
}
