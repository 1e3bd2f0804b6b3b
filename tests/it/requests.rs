//! How little is asked: pages of the listing, and a handful besides.

use unstale::domain::Headers;

use crate::support::{BUCKET, Site, World};

/// Besides the pages of the listing: the state, what it names, the distribution.
const LOOKS: usize = 3;

fn all(world: &World) -> Vec<String> {
    let log = world.log();
    let asked = log.iter().map(|entry| entry.request.operation.to_string());
    asked.collect()
}

#[tokio::test]
async fn a_deploy_asks_no_more_than_it_must() {
    let (world, site) = (World::new().await, Site::empty());
    let named = format!("--distribution {}", world.distribution);
    for number in 0..2_500 {
        site.write(&format!("posts/{number:04}.html"), format!("<p>{number}"));
    }
    site.write("index.html", "<p>");
    world.deploy(&site).await.succeeds();
    let pages = |count: usize| count.div_ceil(1_000) + count / 900;

    world.forget();
    world.deploy(&site).with(&named).await.succeeds();
    assert!(world.writes().is_empty(), "{:?}", world.writes());
    let lists = world.count("ListObjectsV2");
    assert!(lists <= pages(2_501), "{lists} pages");
    let asked = all(&world);
    assert!(asked.len() <= lists + LOOKS, "{asked:?}");

    world.forget();
    for number in 0..5 {
        site.write(&format!("posts/{number:04}.html"), format!("<b>{number}"));
    }
    site.remove("posts/0009.html");
    let edited = world.deploy(&site).with(&named).with("--no-wait");
    edited.await.succeeds();
    let lists = world.count("ListObjectsV2");
    let asked = all(&world);
    let changes = 5 + 1;
    assert!(asked.len() <= lists + changes + 8, "{asked:?}");
    world.assert_deployed(&site, "");
}

#[tokio::test]
async fn a_small_site_asks_for_the_listing_state_and_distribution() {
    for (files, pages) in [(10, 1), (850, 1), (1_000, 2)] {
        let (world, site) = (World::new().await, Site::empty());
        let named = format!("--distribution {}", world.distribution);
        for number in 0..files {
            site.write(&format!("posts/{number:04}.html"), format!("<p>{number}"));
        }
        world.deploy(&site).with(&named).await.succeeds();
        world.forget();
        world.deploy(&site).with(&named).await.succeeds();
        let mut asked = all(&world);
        asked.sort_unstable();
        let mut expected = vec!["GetDistribution", "GetObject"];
        expected.extend(vec!["ListObjectsV2"; pages]);
        assert_eq!(asked, expected, "{files} files");
    }
}

#[tokio::test]
async fn a_bucket_that_holds_more_than_the_build_is_listed_to_the_last_key() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    // Keys that a split between printable characters meets at every depth, and some that it cannot split between.
    let numbers = (0..4_000).map(|number| format!("backup/2020/{number:05}"));
    let letters = (0..1_500).map(|number| format!("é/{number:04}"));
    let deep = (0..2_500).map(|number| format!("backup/2020/00000/same/beginning/{number:04}~"));
    let keys: Vec<String> = numbers.chain(letters).chain(deep).collect();
    for key in &keys {
        world
            .put_object(BUCKET, key, "theirs", Headers::default())
            .await
            .unwrap();
    }
    world.forget();
    let planned = world.plan(&site).with("--json").await.succeeds();
    assert_eq!(planned.summary()["foreign"], keys.len());
    let lists = world.count("ListObjectsV2");
    let serial = (keys.len() + 1).div_ceil(1_000);
    assert!(lists <= 4 * serial, "{lists} pages for {serial}");
    world.deploy(&site).await.succeeds();
    assert_eq!(
        world.keys(BUCKET).len(),
        world.objects("").len() + state(&world)
    );
    assert_eq!(world.objects("").len(), keys.len() + 1);
}

fn state(world: &World) -> usize {
    let keys = world.keys(BUCKET);
    keys.iter()
        .filter(|key| key.as_str().starts_with(".unstale/"))
        .count()
}
