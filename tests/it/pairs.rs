//! Two distributions that show one bucket, each in its own way: what one of them keeps under a URL is another object, or an error, at
//! the other.

use std::fmt::Debug;
use std::time::Duration;

use local_cloudfront::{Distribution, ErrorResponse, OriginKind};

use crate::faults::Lots;
use crate::mishap::setting;
use crate::support::{BUCKET, Site, Unstale, World, url_of};

const IDS: [&str; 2] = ["E1AAAAAAAAAAAA", "E2BBBBBBBBBBBB"];

const PATHS: [&str; 14] = [
    "404.html",
    "a.html",
    "a/index.html",
    "docs/404.html",
    "docs/a.html",
    "docs/app.js",
    "docs/b c/index.html",
    "docs/b c/ü+.html",
    "docs/index.htm",
    "docs/index.html",
    "docs/sub/index.html",
    "docs/sub/x.html",
    "index.html",
    "style.css",
];

/// Edges that keep what they were asked, and the number of one that does not.
const WARM: usize = 2;
const COLD: usize = 3;

fn pick<T: Clone>(lots: &mut Lots, from: &[T]) -> T {
    from[lots.below(from.len() as u64) as usize].clone()
}

fn distribution(lots: &mut Lots, id: &str) -> Distribution {
    let mut made = Distribution::for_bucket(BUCKET);
    made.id = id.to_owned();
    made.domain = format!("{}.cloudfront.net", id.to_lowercase());
    let bucket = BUCKET.to_owned();
    let rest = |may_list| OriginKind::S3 {
        bucket: bucket.clone(),
        may_list,
    };
    let website = OriginKind::Website {
        bucket: bucket.clone(),
    };
    let origin = &mut made.origins[0];
    origin.kind = pick(lots, &[rest(false), rest(true), website]);
    origin.path = pick(lots, &["", "/docs", "/docs/sub", "/docs/b%20c"]).to_owned();
    let roots = [None, Some("index.html"), Some("a.html"), Some("x.html")];
    made.root = pick(lots, &roots).map(str::to_owned);
    let pages = ["/404.html", "/index.html", "/a.html", "/x.html"];
    let error = ErrorResponse {
        code: 403,
        page: Some(pick(lots, &pages).to_owned()),
        response: pick(lots, &[None, Some(200), Some(404)]),
        min_ttl: pick(lots, &[0, 10, 86_400]),
    };
    let missing = ErrorResponse {
        code: 404,
        ..error.clone()
    };
    made.errors = pick(lots, &[vec![], vec![error, missing]]);
    made
}

/// Changes, adds and removes files, and leaves an `index.html`.
fn edit(lots: &mut Lots, site: &Site, number: u64) {
    for path in PATHS {
        match lots.below(6) {
            0 => site.write(path, format!("<title>{path}</title>{number}")),
            1 if path != "index.html" && site.dir().join(path).exists() => site.remove(path),
            _ => {}
        }
    }
}

/// What viewers may ask of a distribution for what there ever was.
fn urls_at(distribution: &Distribution) -> Vec<String> {
    let folder = distribution.origins[0].path.replace("%20", " ");
    let inside = PATHS.iter().filter_map(|path| {
        let path = format!("/{path}");
        let inside = path.strip_prefix(&folder)?.strip_prefix('/')?;
        Some(url_of(inside))
    });
    let forms = inside.flat_map(|url| {
        let folder = url.strip_suffix("index.html").unwrap_or(&url);
        let bare = folder.trim_end_matches('/');
        [folder, bare, &url, &format!("{url}?q=1")].map(str::to_owned)
    });
    let others = ["/", "/nothing", "/?x=1"].map(str::to_owned);
    forms.filter(|url| !url.is_empty()).chain(others).collect()
}

async fn assert_fresh(world: &World, told: &dyn Debug) {
    for id in IDS {
        for url in urls_at(&world.distribution(id).unwrap()) {
            let cold = world.edge(id, COLD);
            cold.chill();
            let right = cold.get(&url).await;
            for number in 0..WARM {
                let answer = world.edge(id, number).get(&url).await;
                let (is, was) = ((right.status, &right.body), (answer.status, &answer.body));
                assert_eq!(was, is, "{id} {url}: {told:#?}");
            }
        }
    }
}

fn deploy(world: &World, site: &Site) -> Unstale {
    let flags = IDS.map(|id| format!("--distribution {id}"));
    world.deploy(site).with(&flags.join(" "))
}

async fn pair(seed: u64) {
    let mut lots = Lots::new(seed);
    let both = IDS.map(|id| distribution(&mut lots, id));
    let told = (seed, &both);
    let world = World::with(|setup| setup.distribution = both[0].clone()).await;
    world.set_distribution(both[1].clone());
    let site = Site::empty();
    for path in PATHS {
        site.write(path, path);
    }
    for number in 0..5 {
        let ran = deploy(&world, &site).await;
        assert_eq!(ran.exit, Some(0), "{ran} {told:#?}");
        // Errors may be 10 s old.
        world.clock().advance(Duration::from_secs(11));
        assert_fresh(&world, &told).await;
        world.assert_idle(deploy(&world, &site)).await;
        world.clock().advance(Duration::from_secs(3600));
        edit(&mut lots, &site, number);
    }
}

/// `UNSTALE_PAIRS=200 UNSTALE_PAIRS_FROM=5 cargo test --test it pairs::`
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_stale_at_either_of_two_distributions_that_differ() {
    let number = |name| setting(name).and_then(|text| text.parse().ok());
    let first: u64 = number("UNSTALE_PAIRS_FROM").unwrap_or(0);
    for seed in first..first + number("UNSTALE_PAIRS").unwrap_or(4) {
        pair(seed).await;
    }
}

#[tokio::test]
async fn one_that_is_purged_no_more_is_told_and_purged_whole_once_it_is_back() {
    let world = World::with(|setup| setup.distribution.id = IDS[0].to_owned()).await;
    let mut other = Distribution::for_bucket(BUCKET);
    other.id = IDS[1].to_owned();
    world.set_distribution(other);
    let site = Site::of(&[("index.html", "one"), ("a.html", "one")]);
    deploy(&world, &site).await.succeeds();
    world.warm(&site).await;

    let alone = format!("--distribution {}", IDS[1]);
    site.write("a.html", "two");
    let ran = world.deploy(&site).with(&alone).await.succeeds();
    ran.says(&format!("{}: purged until now, and no more", IDS[0]));
    let ran = world.deploy(&site).with(&alone).await.succeeds();
    ran.never_says("purged until now");

    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    world.assert_fresh(&site, "").await;
}
