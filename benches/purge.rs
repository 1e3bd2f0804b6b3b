//! How long it takes to say what to purge: `cargo bench --bench purge`; with names of benchmarks, those alone.

use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use unstale::edge::cover::{PathUniverse, UniverseEntry, cover};
use unstale::edge::path::PathDialect;
use unstale::edge::{
    Behavior, BodyName, Distribution, HeldAnswer, Origin, OwedPurge, PurgePrices, QueryKey,
    ServedAnswer, ShownSite, purge,
};
use unstale::object::{HeaderFingerprint, Key, TagClass};

fn main() {
    divan::main();
}

/// Paths of a site of this size, sorted, as blogs have them: by year, month and number.
fn paths(count: usize) -> Vec<String> {
    let path = |at| format!("/{}/{:02}/post-{at:07}.html", 2000 + at % 25, 1 + at % 12);
    let mut paths: Vec<String> = (0..count).map(path).collect();
    paths.sort();
    paths
}

/// Whether the `at`th one changed: `percent` of all, at random but always the same ones.
fn changed(at: usize, percent: u64) -> bool {
    let mut mixed = at as u64 + 0x9e37_79b9_7f4a_7c15;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % 100 < percent
}

/// Paths, and how many of a hundred changed.
const SIZES: [(usize, u64); 2] = [(100_000, 10), (1_000_000, 1)];

#[divan::bench(args = SIZES, sample_count = 5)]
fn cheapest_cover(bencher: Bencher, (count, percent): (usize, u64)) {
    let paths = paths(count);
    let entry = |(at, text)| UniverseEntry {
        text,
        changed: changed(at, percent),
        exact: true,
        weight: 1,
    };
    let texts = paths.iter().map(String::as_str).enumerate();
    let entries: Vec<UniverseEntry<'_>> = texts.map(entry).collect();
    let universe = PathUniverse {
        entries: &entries,
        regions: &[],
        dialect: PathDialect::default(),
    };
    let prices = PurgePrices::default();
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| cover(black_box(universe), &prices));
}

fn distribution() -> Distribution {
    Distribution {
        default_root_object: Some("index.html".to_owned()),
        origins: vec![Origin {
            id: "bucket".to_owned(),
            ..Origin::default()
        }],
        behaviors: vec![Behavior {
            origins: vec!["bucket".to_owned()],
            ..Behavior::default()
        }],
        ..Distribution::default()
    }
}

fn served(content: &str) -> Option<ServedAnswer> {
    Some(ServedAnswer {
        content: BodyName::Named(content.into()),
        headers: HeaderFingerprint(0),
        cache_control: None,
        redirect: None,
        tags: None,
    })
}

/// The same with cache tags to choose from, and query strings in the cache key.
#[divan::bench(args = SIZES, sample_count = 5)]
fn tagged_purge(bencher: Bencher, (count, percent): (usize, u64)) {
    let paths = paths(count);
    let keys = || paths.iter().filter_map(|path| path.get(1..));
    let tags = |served: Option<ServedAnswer>| {
        served.map(|served| ServedAnswer {
            tags: Some(TagClass::Page),
            ..served
        })
    };
    let moved = |(_, key): (usize, &str)| HeldAnswer {
        key: Key::new(key),
        before: tags(served("old")),
        after: tags(served("new")),
        fingerprinted: false,
    };
    let some = keys().enumerate().filter(|(at, _)| changed(*at, percent));
    let changes: Vec<HeldAnswer> = some.map(moved).collect();
    let mut distribution = distribution();
    distribution.behaviors[0].query = QueryKey::All;
    let mut site = ShownSite::new(&distribution, vec!["bucket".to_owned()]);
    site.tagged = true;
    let prices = PurgePrices::default();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let keys = keys().map(|key| (key, Some(TagClass::Page)));
        purge(
            OwedPurge::new(&site, black_box(&changes), &[], keys),
            &prices,
        )
    });
}

/// From changed objects to the purge in all its modes, with reasons and prices.
#[divan::bench(args = SIZES, sample_count = 5)]
fn whole_purge(bencher: Bencher, (count, percent): (usize, u64)) {
    let paths = paths(count);
    let keys = || paths.iter().filter_map(|path| path.get(1..));
    let moved = |(_, key): (usize, &str)| HeldAnswer {
        key: Key::new(key),
        before: served("old"),
        after: served("new"),
        fingerprinted: false,
    };
    let some = keys().enumerate().filter(|(at, _)| changed(*at, percent));
    let changes: Vec<HeldAnswer> = some.map(moved).collect();
    let distribution = distribution();
    let site = ShownSite::new(&distribution, vec!["bucket".to_owned()]);
    let prices = PurgePrices::default();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let keys = keys().map(|key| (key, None));
        purge(
            OwedPurge::new(&site, black_box(&changes), &[], keys),
            &prices,
        )
    });
}
