//! Tests: the cheapest purge against two answers found another way: every set of patterns on small inputs, and every count of
//! paths at every place on larger ones.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::cover::{Cover, ForeignRegion, PathUniverse, UniverseEntry, cover};
use super::path::{self, PathDialect};
use super::price::{Money, PurgeMode, PurgePrices};
use super::solve::{Rates, solve_within};

const DIALECT: PathDialect = PathDialect {
    quote_refused: true,
};

#[derive(Clone, Debug)]
struct Owned {
    text: String,
    changed: bool,
    exact: bool,
    weight: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Case {
    entries: Vec<Owned>,
    opaque: Vec<ForeignRegion>,
    pub(super) prices: PurgePrices,
}

impl Case {
    pub(super) fn entries(&self) -> Vec<UniverseEntry<'_>> {
        let entry = |it: &'_ Owned| (it.changed, it.exact, it.weight);
        let borrow = self.entries.iter().map(|it| (it.text.as_str(), entry(it)));
        borrow
            .map(|(text, (changed, exact, weight))| UniverseEntry {
                text,
                changed,
                exact,
                weight,
            })
            .collect()
    }

    fn solve(&self) -> Cover {
        let entries = self.entries();
        cover(self.universe(&entries), &self.prices)
    }

    pub(super) fn universe<'u>(&'u self, entries: &'u [UniverseEntry<'u>]) -> PathUniverse<'u> {
        PathUniverse {
            entries,
            regions: &self.opaque,
            dialect: DIALECT,
        }
    }

    /// What a wildcard pays for regions that it lies within.
    fn around(&self, prefix: &str) -> u64 {
        let within = |region: &&ForeignRegion| {
            prefix.len() > region.prefix.len()
                && prefix.starts_with(&region.prefix)
                && !region
                    .shields
                    .iter()
                    .any(|shield| prefix.starts_with(shield))
        };
        self.opaque
            .iter()
            .filter(within)
            .map(|region| region.weight)
            .sum()
    }

    /// The objective, of a set of patterns; `None` where something changed is left.
    fn cost(&self, patterns: &[String]) -> Option<[u64; 4]> {
        let [paths, needless, wildcards] = self.figures(patterns)?;
        Some(self.rank(paths, needless, wildcards))
    }

    /// How many a set of patterns has, what it takes needlessly, and its wildcards.
    pub(super) fn figures(&self, patterns: &[String]) -> Option<[u64; 3]> {
        let takes = |text: &str| {
            patterns
                .iter()
                .any(|pattern| match pattern.strip_suffix('*') {
                    Some(prefix) => text.starts_with(prefix),
                    None => pattern == text,
                })
        };
        let by_wildcard = |text: &str| {
            let mut prefixes = patterns
                .iter()
                .filter_map(|pattern| pattern.strip_suffix('*'));
            prefixes.any(|prefix| text.starts_with(prefix))
        };
        let mut needless = 0;
        for entry in &self.entries {
            match entry.changed {
                true if entry.exact && !takes(&entry.text) => return None,
                true if !entry.exact && !by_wildcard(&entry.text) => return None,
                false if takes(&entry.text) => needless += entry.weight,
                _ => {}
            }
        }
        let regions = self
            .opaque
            .iter()
            .filter(|region| by_wildcard(&region.prefix));
        needless += regions.map(|region| region.weight).sum::<u64>();
        let prefixes = patterns
            .iter()
            .filter_map(|pattern| pattern.strip_suffix('*'));
        needless += prefixes.map(|prefix| self.around(prefix)).sum::<u64>();
        let wildcards = patterns
            .iter()
            .filter(|pattern| pattern.ends_with('*'))
            .count() as u64;
        Some([patterns.len() as u64, needless, wildcards])
    }

    pub(super) fn rank(&self, paths: u64, needless: u64, wildcards: u64) -> [u64; 4] {
        let prices = &self.prices;
        let sent = prices.path.0 * paths.saturating_sub(prices.free) + prices.wait.0 * wildcards;
        match prices.mode {
            PurgeMode::Exact => [needless, sent, paths + 9 * wildcards, wildcards],
            _ => [
                sent + prices.refetch.0 * needless,
                paths + 9 * wildcards,
                needless,
                wildcards,
            ],
        }
    }

    /// All wildcards that can be sent, those that differ only in spelling once, and all exact paths of what changed.
    pub(super) fn candidates(&self) -> Vec<String> {
        let mut found: BTreeMap<(Vec<bool>, u64), String> = BTreeMap::new();
        for entry in &self.entries {
            for len in 1..=path::reach(&entry.text, DIALECT) {
                if !path::is_cut(entry.text.as_bytes(), len) {
                    continue;
                }
                let prefix = &entry.text[..len];
                let texts = self.entries.iter().map(|it| it.text.as_str());
                let texts = texts.chain(self.opaque.iter().map(|it| it.prefix.as_str()));
                let takes = texts.map(|text| text.starts_with(prefix)).collect();
                found
                    .entry((takes, self.around(prefix)))
                    .or_insert(format!("{prefix}*"));
            }
        }
        let exact = self.entries.iter().filter(|it| it.changed && it.exact);
        let exact: BTreeSet<String> = exact.map(|it| it.text.clone()).collect();
        found.into_values().chain(exact).collect()
    }

    /// The figures of all sets of candidates that take everything changed.
    pub(super) fn all_figures(&self, candidates: &[String]) -> BTreeSet<[u64; 3]> {
        let sets = (0u32..1 << candidates.len()).filter_map(|set| {
            let chosen = candidates.iter().enumerate();
            let chosen = chosen.filter(|(at, _)| set >> at & 1 == 1);
            let chosen: Vec<String> = chosen.map(|(_, text)| text.clone()).collect();
            self.figures(&chosen)
        });
        sets.collect()
    }

    /// The least cost of all sets of candidates.
    fn by_force(&self, candidates: &[String]) -> [u64; 4] {
        let sets = self.all_figures(candidates).into_iter();
        let ranks = sets.map(|[paths, needless, wildcards]| self.rank(paths, needless, wildcards));
        ranks.min().expect("everything is one candidate")
    }
}

/// The least (needless and waiting cost, wildcards, needless) for each count of paths beneath a prefix.
type Table = BTreeMap<u64, [u64; 3]>;

fn offer(table: &mut Table, count: u64, cost: [u64; 3]) {
    let least = table.entry(count).or_insert(cost);
    *least = cost.min(*least);
}

impl Case {
    fn table(&self, texts: &[&Owned], len: usize) -> Table {
        let mut table = Table::new();
        let prefix = &texts[0].text[..len];
        let unchanged = texts.iter().filter(|it| !it.changed);
        let regions = self
            .opaque
            .iter()
            .filter(|it| it.prefix.starts_with(prefix));
        let needless = unchanged.map(|it| it.weight).sum::<u64>()
            + regions.map(|it| it.weight).sum::<u64>()
            + self.around(prefix);
        if texts.iter().all(|it| !it.changed) {
            offer(&mut table, 0, [0; 3]);
            return table;
        }
        let mut open = Table::from([(0, [0; 3])]);
        let mut groups: BTreeMap<&str, Vec<&Owned>> = BTreeMap::new();
        let mut own = BTreeSet::new();
        for it in texts {
            let reach = path::reach(&it.text, DIALECT).max(1);
            if reach > len {
                let next = path::cut_after(it.text.as_bytes(), len, reach);
                groups.entry(&it.text[..next]).or_default().push(it);
            } else if it.changed && it.exact {
                own.insert(&it.text);
            } else if it.changed {
                open.clear();
            }
        }
        for (next, group) in groups {
            let beneath = self.table(&group, next.len());
            open = product(&open, &beneath);
        }
        for (count, cost) in open {
            offer(&mut table, count + own.len() as u64, cost);
        }
        let cost = match self.prices.mode {
            PurgeMode::Exact => [needless, self.prices.wait.0, 1],
            _ => [
                self.prices.refetch.0 * needless + self.prices.wait.0,
                1,
                needless,
            ],
        };
        offer(&mut table, 1, cost);
        table
    }

    fn by_table(&self) -> [u64; 4] {
        let texts: Vec<&Owned> = self.entries.iter().collect();
        let prices = &self.prices;
        let ranked = self.table(&texts, 1).into_iter().map(|(count, [a, b, c])| {
            let sent = prices.path.0 * count.saturating_sub(prices.free);
            match prices.mode {
                PurgeMode::Exact => [a, sent + b, count + 9 * c, c],
                _ => [sent + a, count + 9 * b, c, b],
            }
        });
        ranked.min().expect("everything is one way")
    }
}

fn product(a: &Table, b: &Table) -> Table {
    let mut found = Table::new();
    for (count, [x, y, z]) in a {
        for (more, [u, v, w]) in b {
            offer(&mut found, count + more, [x + u, y + v, z + w]);
        }
    }
    found
}

fn text(tokens: &'static [&'static str], length: usize) -> impl Strategy<Value = String> {
    let token = prop::sample::select(tokens);
    prop::collection::vec(token, 0..=length).prop_map(|tokens| format!("/{}", tokens.concat()))
}

const TOKENS: &[&str] = &[
    "a", "b", "c", "/", "/", "~", "'", "*", "%C3%A9", "%C3%A8", "?",
];

fn entry(length: usize, changed: f64) -> impl Strategy<Value = Owned> {
    let chance = prop::bool::weighted(changed);
    let forced = prop::bool::weighted(0.1);
    (text(TOKENS, length), chance, forced, 0u64..4).prop_map(|(text, changed, forced, weight)| {
        Owned {
            exact: path::is_exact(&text, DIALECT) && !text.contains('?') && !forced,
            text,
            changed,
            weight,
        }
    })
}

fn region() -> impl Strategy<Value = ForeignRegion> {
    let plain = &["a", "b", "/", "~"];
    let shields = prop::collection::vec(text(plain, 3), 0..2);
    (text(plain, 2), 0u64..6, shields).prop_map(|(prefix, weight, shields)| ForeignRegion {
        pattern: format!("{prefix}*"),
        prefix,
        weight,
        shields,
    })
}

fn prices(free: u64) -> impl Strategy<Value = PurgePrices> {
    let mode = prop::sample::select(vec![
        PurgeMode::Cheapest,
        PurgeMode::Cheapest,
        PurgeMode::Exact,
    ]);
    (mode, 0u64..12, 0..=free, 0u64..4, 0u64..4).prop_map(|(mode, path, free, refetch, wait)| {
        PurgePrices {
            mode,
            path: Money(path),
            free,
            refetch: Money(refetch),
            wait: Money(wait),
            ..PurgePrices::default()
        }
    })
}

pub(super) fn case(
    entries: usize,
    length: usize,
    changed: f64,
    free: u64,
) -> impl Strategy<Value = Case> {
    let entries = prop::collection::vec(entry(length, changed), 1..=entries);
    let opaque = prop::collection::vec(region(), 0..=2);
    (entries, opaque, prices(free)).prop_map(|(mut entries, opaque, prices)| {
        entries.sort_by(|a, b| a.text.cmp(&b.text));
        entries.dedup_by(|a, b| a.text == b.text);
        Case {
            entries,
            opaque,
            prices,
        }
    })
}

pub(super) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn check(case: &Case, least: [u64; 4]) -> Result<(), TestCaseError> {
    let found = case.solve();
    let texts: Vec<String> = found.texts().map(str::to_owned).collect();
    prop_assert_eq!(case.cost(&texts), Some(least), "{:?}", texts);
    prop_assert_eq!(&found, &case.solve());
    let needless = found.patterns.iter().map(|it| it.needless).sum();
    let ranked = case.rank(found.paths(), needless, found.wildcards);
    prop_assert_eq!(ranked, least, "the cover's own figures");
    for pattern in &found.patterns {
        let others = found.patterns.iter().filter(|other| *other != pattern);
        let subsumed = others.filter(|other| {
            let bare = pattern.text.strip_suffix('*').unwrap_or(&pattern.text);
            other.is_wildcard() && other.takes(bare)
        });
        prop_assert_eq!(subsumed.count(), 0, "{:?}", texts);
        let bare = pattern.text.strip_suffix('*').unwrap_or(&pattern.text);
        prop_assert!(!bare.contains(['~', '\'']) && !bare.ends_with('*'));
        prop_assert!(path::is_cut(bare.as_bytes(), bare.len()));
        prop_assert!(pattern.changed > 0);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn no_set_of_patterns_is_cheaper(case in case(7, 4, 0.5, 4)) {
        let candidates = case.candidates();
        prop_assume!(candidates.len() <= 10);
        check(&case, case.by_force(&candidates))?;
    }
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn no_count_of_paths_is_cheaper(case in case(60, 6, 0.5, 25)) {
        check(&case, case.by_table())?;
    }

    /// Paths so dear that the free ones are all that is used: where the least cost of each count of paths is least even.
    #[test]
    fn the_free_paths_are_used_best(
        mut case in case(90, 9, 0.4, 0),
        free in 2u64..25,
        weights in prop::collection::vec(1u64..40, 90),
    ) {
        case.prices.path = Money(500);
        case.prices.free = free;
        case.prices.refetch = Money(1);
        for (entry, weight) in case.entries.iter_mut().zip(weights) {
            entry.weight = weight;
        }
        check(&case, case.by_table())?;
    }

    #[test]
    fn splitting_finds_the_same(case in case(60, 6, 0.5, 25)) {
        let entries = case.entries();
        let tree = case.universe(&entries).tree();
        let patterns = solve_within(&[&tree], &Rates::of(&case.prices), 0).concat();
        prop_assert_eq!(case.cost(&patterns), Some(case.by_table()));
    }

    #[test]
    fn both_ways_of_looking_agree(case in case(6, 4, 0.5, 4)) {
        let candidates = case.candidates();
        prop_assume!(candidates.len() <= 9);
        prop_assert_eq!(case.by_table(), case.by_force(&candidates));
    }
}

#[test]
fn all_and_none_do_as_they_are_told() {
    let mut case = Case {
        entries: vec![Owned {
            text: "/a".to_owned(),
            changed: true,
            exact: true,
            weight: 1,
        }],
        opaque: Vec::new(),
        prices: PurgePrices {
            mode: PurgeMode::All,
            ..PurgePrices::default()
        },
    };
    assert_eq!(case.solve().texts().collect::<Vec<_>>(), ["/*"]);
    case.prices.mode = PurgeMode::None;
    assert!(case.solve().patterns.is_empty());
    case.prices.mode = PurgeMode::All;
    case.entries[0].changed = false;
    assert!(case.solve().patterns.is_empty());
}

/// What is sent for changed (`+`) and unchanged (`-`) paths when a path costs 5 and a refetch 1, with nothing free.
fn sent(paths: &[&str]) -> Vec<String> {
    let entries = paths.iter().map(|text| {
        let (changed, text) = (text.starts_with('+'), &text[1..]);
        let exact = path::is_exact(text, DIALECT) && !text.ends_with('?');
        Owned {
            text: text.to_owned(),
            changed,
            exact,
            weight: 1,
        }
    });
    let prices = PurgePrices {
        path: Money(5),
        refetch: Money(1),
        free: 0,
        ..PurgePrices::default()
    };
    let mut entries: Vec<Owned> = entries.collect();
    entries.sort_by(|a, b| a.text.cmp(&b.text));
    let case = Case {
        entries,
        opaque: Vec::new(),
        prices,
    };
    case.solve().texts().map(str::to_owned).collect()
}

#[test]
fn wildcards_read_well() {
    for (paths, patterns) in [
        (
            &["+/posts/2023", "+/posts/2024", "-/x"][..],
            &["/posts/*"][..],
        ),
        (
            &[
                "+/p/2023", "+/p/2024", "-/p/1", "-/p/3", "-/p/4", "-/p/5", "-/p/6", "-/p/7",
            ],
            &["/p/2*"],
        ),
        (&["+/a/b/c/d1", "+/a/b/c/d2", "-/b"], &["/a/b/c/*"]),
        (&["+/a", "+/a?", "-/b", "-/c"], &["/a*"]),
        (&["-/a", "+/a?"], &["/a?*"]),
        (&["+/x/a~b", "-/x/a~c", "-/x/b", "-/y"], &["/x/a*"]),
        (&["+/x/it's", "-/x/in", "-/y"], &["/x/it*"]),
        (&["+/x/a*", "-/x/b", "-/y"], &["/x/a*"]),
        (&["+/%C3%A9", "+/%C3%A8", "-/b"], &["/*"]),
        (
            &[
                "+/%C3%A91",
                "+/%C3%A92",
                "-/%C3%A81",
                "-/%C3%A82",
                "-/%C3%A83",
                "-/4",
                "-/5",
            ],
            &["/%C3%A9*"],
        ),
        (&["+/a", "-/b"], &["/a"]),
    ] {
        assert_eq!(sent(paths), patterns, "{paths:?}");
    }
}

#[test]
fn deep_keys_do_not_overflow_the_stack() {
    let deep: Vec<String> = (1..400)
        .map(|depth| format!("/{}", "a/".repeat(depth)))
        .collect();
    let entries: Vec<UniverseEntry<'_>> = deep
        .iter()
        .enumerate()
        .map(|(at, text)| UniverseEntry {
            text,
            changed: at % 2 == 0,
            exact: true,
            weight: 1,
        })
        .collect();
    let prices = PurgePrices {
        free: 50,
        ..PurgePrices::default()
    };
    let universe = PathUniverse {
        entries: &entries,
        regions: &[],
        dialect: PathDialect::default(),
    };
    let found = cover(universe, &prices);
    assert!(found.paths() <= 50);
    assert!(
        entries
            .iter()
            .all(|it| !it.changed || found.patterns.iter().any(|p| p.takes(it.text)))
    );
}
