//! How little is asked: pages of the listing, and a handful besides.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_cloudfront::{Fault, Gate, Headers};

use crate::support::{BUCKET, Site, Unstale, World};

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

/// How often a command has to wait for answers, one round trip after the other: all that it asks is held until it asks nothing
/// more, and then answered at once. The waiting for CloudFront is left out.
async fn round_trips(world: &World, command: Unstale) -> Vec<Vec<String>> {
    let door = Arc::new(Mutex::new((Gate::new(), Vec::new())));
    let held = door.clone();
    world.set_rule(move |request| {
        let mut held = held.lock().unwrap();
        held.1
            .push(format!("{} {}", request.operation, request.key));
        Fault::HoldBefore(held.0.clone())
    });
    let run = tokio::spawn(command.into_future());
    let (mut trips, mut asked) = (Vec::new(), 0);
    while !run.is_finished() {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let mut door = door.lock().unwrap();
        // Until all that could be asked for is.
        if door.1.is_empty() || door.1.len() != asked {
            asked = door.1.len();
            continue;
        }
        asked = 0;
        let (gate, trip) = std::mem::replace(&mut *door, (Gate::new(), Vec::new()));
        if trip
            .iter()
            .any(|asked| !asked.starts_with("GetInvalidation"))
        {
            trips.push(trip);
        }
        gate.open();
    }
    run.await.unwrap().succeeds();
    world.clear_rule();
    trips
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_takes_few_round_trips_and_a_no_op_fewer() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>1")]));
    for number in 0..40 {
        site.write(
            &format!("posts/{number}/index.html"),
            format!("<p>{number}"),
        );
    }
    site.write("feed.xml", "<feed>1</feed>");
    let named = format!("--distribution {}", world.distribution);
    world.deploy(&site).with(&named).await.succeeds();

    let trips = round_trips(&world, world.deploy(&site).with(&named)).await;
    assert!(trips.len() <= 2, "{trips:#?}");
    // A page alone: look, begin, upload, purge beside history, end.
    site.write("posts/7/index.html", "<p>changed");
    let trips = round_trips(&world, world.deploy(&site).with(&named)).await;
    assert_eq!(trips.len(), 5, "{trips:#?}");
    // With all that a blog changes with it.
    site.write("posts/7/index.html", "<p>changed again");
    site.write("posts/new/index.html", "<p>new");
    site.write("new.png", "new");
    site.write("feed.xml", "<feed>2</feed>");
    site.write("index.html", "<p>2");
    let trips = round_trips(&world, world.deploy(&site).with(&named)).await;
    assert!(trips.len() <= 9, "{trips:#?}");
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
