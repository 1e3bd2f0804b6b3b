//! Tests: the cheapest purge with cache tags against every set of paths, wildcards and tags on small inputs.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::cover::{self, Cover, PathUniverse, UniverseEntry};
use super::path::{self, PathDialect};
use super::price::{Money, PurgeMode, PurgePrices};
use super::tagged;
use super::wide::{CarriedPath, Carrier};
use crate::object::TagClass;
use crate::object::tags::{invalidation_item, tags};

const DIALECT: PathDialect = PathDialect {
    quote_refused: false,
};

/// An object: whether it is tagged and as what, whether it changed, and whether its copies are known to carry the tags.
#[derive(Clone, Debug)]
struct Object {
    key: String,
    sort: Option<TagClass>,
    changed: bool,
    known: bool,
    /// One of its paths, by chance, did not change, or is not to be purged by tag.
    odd: Option<(usize, bool)>,
    weight: u64,
}

#[derive(Clone, Debug)]
struct Case {
    objects: Vec<Object>,
    query: bool,
    /// Objects answer under a second name, with which their paths do not all begin alike.
    twice: bool,
    prices: PurgePrices,
}

/// Where something may be kept, by its position, and whether a tag takes all that is owed there.
#[derive(Clone, Copy, Debug)]
struct Kept {
    entry: usize,
    whole: bool,
}

/// A case laid out: texts with what is known of them, and who carries what.
struct Laid {
    rows: Vec<(String, bool, u64)>,
    carriers: Vec<(String, TagClass, Vec<Kept>)>,
    prices: PurgePrices,
}

impl Case {
    fn paths(&self, key: &str) -> Vec<String> {
        let mut paths = vec![format!("/{key}")];
        if let Some(folder) = key.strip_suffix("index.html") {
            paths.push(format!("/{folder}"));
            let bare = folder.trim_end_matches('/');
            if !bare.is_empty() {
                paths.push(format!("/{bare}"));
            }
        }
        if self.twice {
            paths.push(format!("/q/{key}"));
        }
        if self.query {
            let with: Vec<String> = paths.iter().map(|path| format!("{path}?")).collect();
            paths.extend(with);
        }
        paths
    }

    fn lay(&self) -> Laid {
        let mut rows: BTreeMap<String, (bool, u64)> = BTreeMap::new();
        let mut carriers = Vec::new();
        for object in &self.objects {
            let mut carried = Vec::new();
            for (at, path) in self.paths(&object.key).into_iter().enumerate() {
                let odd = object.odd.filter(|(place, _)| *place == at);
                let changed = object.changed && odd.is_none_or(|(_, changed)| changed);
                rows.insert(path.clone(), (changed, object.weight));
                carried.push((path, changed && object.known && odd.is_none()));
            }
            if let Some(sort) = object.sort {
                carriers.push((object.key.clone(), sort, carried));
            }
        }
        let place = |path: &str| rows.keys().position(|text| text == path).unwrap();
        let carriers = carriers.into_iter().map(|(key, sort, paths)| {
            let paths: Vec<(String, bool)> = paths;
            let mut paths: Vec<Kept> = paths
                .into_iter()
                .map(|(path, whole)| Kept {
                    entry: place(&path),
                    whole,
                })
                .collect();
            paths.sort_by_key(|kept| kept.entry);
            (key, sort, paths)
        });
        let carriers = carriers.collect();
        let rows = rows.into_iter();
        Laid {
            carriers,
            rows: rows
                .map(|(text, (changed, weight))| (text, changed, weight))
                .collect(),
            prices: self.prices,
        }
    }
}

fn universe<'u>(entries: &'u [UniverseEntry<'u>]) -> PathUniverse<'u> {
    PathUniverse {
        entries,
        regions: &[],
        dialect: DIALECT,
    }
}

impl Laid {
    fn entries(&self) -> Vec<UniverseEntry<'_>> {
        let entry = |(text, changed, weight): &'_ (String, bool, u64)| {
            (*changed, *weight, text.ends_with('?'))
        };
        let rows = self.rows.iter().map(|row| (row.0.as_str(), entry(row)));
        rows.map(|(text, (changed, weight, query))| UniverseEntry {
            text,
            changed,
            exact: !query && path::is_exact(text, DIALECT),
            weight,
        })
        .collect()
    }

    fn carriers<'e>(&'e self, entries: &'e [UniverseEntry<'e>]) -> Vec<Carrier<'e>> {
        let path = |kept: &Kept| CarriedPath {
            entry: &entries[kept.entry],
            position: kept.entry,
            whole: kept.whole,
        };
        let carriers = self.carriers.iter().map(|(key, sort, paths)| Carrier {
            key,
            sort: *sort,
            paths: paths.iter().map(path).collect(),
        });
        carriers.collect()
    }

    fn solve(&self) -> Cover {
        let entries = self.entries();
        tagged::cover(universe(&entries), &self.carriers(&entries), &self.prices)
    }

    /// The objective, of a set of items as they are sent; `None` where something changed is left.
    fn cost(&self, items: &[String]) -> Option<[u64; 4]> {
        let entries = self.entries();
        let carriers = self.carriers(&entries);
        let mut covered: BTreeSet<usize> = BTreeSet::new();
        let mut needless: BTreeSet<usize> = BTreeSet::new();
        for (at, entry) in entries.iter().enumerate() {
            let takes = |item: &String| match item.strip_suffix('*') {
                Some(prefix) => entry.text.starts_with(prefix),
                None => item == entry.text && entry.exact,
            };
            if items.iter().any(takes) {
                covered.insert(at);
                needless.insert(at);
            }
        }
        for carrier in &carriers {
            let own: Vec<String> = tags(carrier.key, carrier.sort)
                .iter()
                .map(|tag| invalidation_item(tag))
                .collect();
            if items.iter().any(|item| own.contains(item)) {
                for kept in &carrier.paths {
                    needless.insert(kept.position);
                    if kept.whole {
                        covered.insert(kept.position);
                    }
                }
            }
        }
        let left =
            |(at, entry): (usize, &UniverseEntry<'_>)| entry.changed && !covered.contains(&at);
        if entries.iter().enumerate().any(left) {
            return None;
        }
        let weight = |at: &usize| entries[*at].weight;
        let needless = needless
            .iter()
            .filter(|at| !entries[**at].changed)
            .map(weight)
            .sum();
        let wild = items.iter().filter(|item| item.ends_with('*')).count() as u64;
        Some(self.rank(items.len() as u64, needless, wild))
    }

    fn rank(&self, paths: u64, needless: u64, wildcards: u64) -> [u64; 4] {
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

    /// Everything that may be sent, alike things once: but no tag of one object, and in [`PurgeMode::Exact`] none at all, that something
    /// unchanged carries.
    fn candidates(&self) -> Vec<String> {
        let entries = self.entries();
        let mut wild: BTreeMap<Vec<bool>, String> = BTreeMap::new();
        for entry in &entries {
            for len in 1..=path::reach(entry.text, DIALECT) {
                if path::is_cut(entry.text.as_bytes(), len) {
                    let prefix = &entry.text[..len];
                    let takes = entries
                        .iter()
                        .map(|it| it.text.starts_with(prefix))
                        .collect();
                    wild.entry(takes).or_insert(format!("{prefix}*"));
                }
            }
        }
        wild.retain(|takes, _| {
            takes
                .iter()
                .zip(&entries)
                .any(|(takes, entry)| *takes && entry.changed)
        });
        let exact = entries.iter().filter(|it| it.changed && it.exact);
        let exact = exact.map(|it| it.text.to_owned());
        let carriers = self.carriers(&entries);
        let mut tagged: BTreeMap<Vec<bool>, String> = BTreeMap::new();
        let names = carriers
            .iter()
            .flat_map(|carrier| tags(carrier.key, carrier.sort));
        for tag in names.collect::<BTreeSet<String>>() {
            let carries = |carrier: &Carrier<'_>| tags(carrier.key, carrier.sort).contains(&tag);
            let carries: Vec<bool> = carriers.iter().map(carries).collect();
            let all = || {
                carriers
                    .iter()
                    .zip(&carries)
                    .filter(|(_, is)| **is)
                    .flat_map(|(it, _)| &it.paths)
            };
            let spares = all().all(|kept| kept.entry.changed);
            let whole = |it: &Carrier<'_>| it.paths.iter().any(|kept| kept.whole);
            let owed = carriers
                .iter()
                .zip(&carries)
                .filter(|(it, is)| **is && whole(it));
            let one = owed.count() < 2;
            let weighs = |kept: &CarriedPath<'_>| !kept.entry.changed && kept.entry.weight > 0;
            let strict = one || (self.prices.mode == PurgeMode::Exact && all().any(weighs));
            if all().any(|kept| kept.whole) && (spares || !strict) {
                tagged.entry(carries).or_insert(invalidation_item(&tag));
            }
        }
        wild.into_values()
            .chain(exact)
            .chain(tagged.into_values())
            .collect()
    }

    /// Whether what a tag takes of each object all begins with the shortest of it.
    fn is_nested(&self) -> bool {
        self.carriers.iter().all(|(_, _, paths)| {
            let whole = paths.iter().filter(|kept| kept.whole);
            let texts: Vec<&str> = whole.map(|kept| self.rows[kept.entry].0.as_str()).collect();
            let first = texts.first().copied().unwrap_or_default();
            texts.iter().all(|text| text.starts_with(first))
        })
    }

    fn by_force(&self, candidates: &[String]) -> [u64; 4] {
        let sets = (0u32..1 << candidates.len()).filter_map(|set| {
            let chosen = candidates.iter().enumerate();
            let chosen = chosen.filter(|(at, _)| set >> at & 1 == 1);
            let chosen: Vec<String> = chosen.map(|(_, text)| text.clone()).collect();
            self.cost(&chosen)
        });
        sets.min().expect("everything is one candidate")
    }

    /// What must hold of any answer; its cost.
    fn check(&self) -> Result<[u64; 4], TestCaseError> {
        let found = self.solve();
        prop_assert_eq!(&found, &self.solve());
        let texts: Vec<String> = found.texts().map(str::to_owned).collect();
        let cost = self.cost(&texts);
        prop_assert!(cost.is_some(), "{:?} leaves something", texts);
        let needless = found.patterns.iter().map(|it| it.needless).sum();
        let ranked = self.rank(found.paths(), needless, found.wildcards);
        prop_assert_eq!(cost, Some(ranked), "the cover's own figures: {:?}", texts);
        let changed = self.rows.iter().filter(|row| row.1).count() as u64;
        let told: u64 = found.patterns.iter().map(|it| it.changed).sum();
        prop_assert_eq!(
            told,
            changed,
            "each changed path is told of once: {:?}",
            found
        );
        let plain = cover::cover(universe(&self.entries()), &self.prices);
        let needless = plain.patterns.iter().map(|it| it.needless).sum();
        let without = self.rank(plain.paths(), needless, plain.wildcards);
        prop_assert!(ranked <= without, "{:?} {:?}", texts, plain);
        for pattern in &found.patterns {
            prop_assert!(pattern.changed > 0, "{:?}", found);
            let Some(tag) = &pattern.tag else { continue };
            let names = tag.takes.iter().filter(|text| {
                let mut counted = self.rows.iter().filter(|row| row.1 || row.2 > 0);
                counted.any(|row| row.0 == **text)
            });
            prop_assert_eq!(names.count() as u64, pattern.changed + pattern.unchanged);
            prop_assert!(tag.takes.iter().all(|text| pattern.takes(text)));
        }
        Ok(ranked)
    }
}

fn object() -> impl Strategy<Value = Object> {
    let folder = prop::sample::select(&["", "a/", "a/b/", "b/"][..]);
    let name = prop::sample::select(&["x", "y", "~z", "index.html"][..]);
    let sort = prop::sample::select(
        &[
            Some(TagClass::Page),
            Some(TagClass::Page),
            Some(TagClass::Asset),
            None,
        ][..],
    );
    let odd = prop::option::weighted(0.15, (0usize..4, any::<bool>()));
    let flags = (prop::bool::weighted(0.7), prop::bool::weighted(0.85));
    (folder, name, sort, odd, flags, 0u64..4).prop_map(
        |(folder, name, sort, odd, (changed, known), weight)| Object {
            key: format!("{folder}{name}"),
            sort,
            changed,
            known,
            odd,
            weight,
        },
    )
}

fn prices() -> impl Strategy<Value = PurgePrices> {
    let mode = prop::sample::select(vec![
        PurgeMode::Cheapest,
        PurgeMode::Cheapest,
        PurgeMode::Exact,
    ]);
    (mode, 0u64..12, 0u64..=4, 0u64..4, 0u64..4).prop_map(|(mode, path, free, refetch, wait)| {
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

fn case(objects: usize, twice: f64) -> impl Strategy<Value = Case> {
    let objects = prop::collection::vec(object(), 1..=objects);
    let flags = (any::<bool>(), prop::bool::weighted(twice));
    (objects, flags, prices()).prop_map(|(mut objects, (query, twice), prices)| {
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        objects.dedup_by(|a, b| a.key == b.key);
        Case {
            objects,
            query,
            twice,
            prices,
        }
    })
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_global_rejects: 200_000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn no_set_of_paths_and_tags_is_cheaper(case in case(4, 0.0)) {
        let laid = case.lay();
        let candidates = laid.candidates();
        prop_assume!(!candidates.is_empty() && candidates.len() <= 11 && laid.is_nested());
        prop_assert_eq!(laid.check()?, laid.by_force(&candidates), "{:?}", laid.solve());
    }
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn with_tags_it_is_never_dearer(case in case(14, 0.3)) {
        case.lay().check()?;
    }
}

/// What is sent for objects `+` changed, `-` unchanged, when everything is tagged as a page, but `.css` as an asset.
fn sent(keys: &[&str], query: bool, prices: PurgePrices) -> Vec<String> {
    let object = |text: &&str| Object {
        key: text[1..].to_owned(),
        sort: Some(TagClass::of(!text.ends_with(".css"))),
        changed: text.starts_with('+'),
        known: true,
        odd: None,
        weight: 1,
    };
    let case = Case {
        objects: keys.iter().map(object).collect(),
        query,
        twice: false,
        prices,
    };
    let laid = case.lay();
    let found = laid.solve();
    let name = |pattern: &cover::Pattern| match &pattern.tag {
        Some(tag) => format!("#{}", tag.of),
        None => pattern.text.clone(),
    };
    found.patterns.iter().map(name).collect()
}

#[test]
fn tags_are_taken_where_they_serve() {
    let (free, exact) = (
        PurgePrices::default(),
        PurgePrices {
            mode: PurgeMode::Exact,
            free: 0,
            ..PurgePrices::default()
        },
    );
    for (keys, query, prices, items) in [
        (&["+a", "-b"][..], false, free, &["/a"][..]),
        (&["+a", "-ab"], true, free, &["#a"]),
        (&["+a~b", "-ac"], false, free, &["#a~b"]),
        (&["+d/index.html", "-d/x"], false, free, &["#d/index.html"]),
        (&["+a", "+b", "+c", "-x.css"], false, exact, &["#all pages"]),
        (
            &["+a", "+d/b", "+d/c", "-e", "-d/x.css"],
            false,
            exact,
            &["#pages in d/", "/a"],
        ),
        (&["+a", "+b", "-c", "-x.css"], false, exact, &["/a", "/b"]),
    ] {
        let mut found = sent(keys, query, prices);
        found.sort();
        assert_eq!(found, items, "{keys:?}");
    }
}
