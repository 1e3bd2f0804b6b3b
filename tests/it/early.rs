//! A listing that is asked for beside the state: when it counts, and when it has to be asked for again.

use std::time::Duration;

use local_cloudfront::{Fault, Gate, Headers, RequestInfo};

use crate::mishap::{STATE, assert_clean, deploy};
use crate::support::{BUCKET, Ran, Site, World};

type Which = fn(&RequestInfo) -> bool;

const READS: Which = |request| request.method == "GET" && request.key == STATE;
const PAGE: Which = |request| request.operation == "ListObjectsV2";

/// A page that nobody changes, and those named, with `more` beside them.
fn site(a: &str, z: &str, more: usize) -> Site {
    let site = Site::of(&[("a.html", a), ("m.html", "<p>"), ("z.html", z)]);
    for number in 0..more {
        site.write(&format!("n/{number:04}.html"), format!("<p>{number}"));
    }
    site
}

async fn deployed(site: &Site) -> World {
    let world = World::new().await;
    deploy(&world, site).await.succeeds();
    world.warm_urls(["/a.html", "/m.html", "/z.html"]).await;
    world.clock().advance(Duration::from_secs(5));
    world
}

fn answered(world: &World, which: Which) -> usize {
    let log = world.log();
    let answered = log.iter().filter(|entry| entry.status.is_some());
    answered.filter(|entry| which(&entry.request)).count()
}

fn pages(world: &World) -> usize {
    answered(world, PAGE)
}

/// A deploy of `site`, during which this is done while its requests of these sorts are held, and so
/// many others were answered.
async fn while_held(
    world: &World,
    site: &Site,
    held: &'static [Which],
    others: &[(Which, usize)],
    act: impl AsyncFnOnce(),
) -> Ran {
    let gate = Gate::new();
    let door = gate.clone();
    world.forget();
    world.set_rule(move |request| {
        if held.iter().any(|which| which(request)) {
            Fault::HoldBefore(door.clone())
        } else {
            Fault::None
        }
    });
    let run = deploy(world, site).start();
    for _ in held {
        gate.arrived().await;
    }
    let begun = std::time::Instant::now();
    while !others
        .iter()
        .all(|(which, count)| answered(world, *which) >= *count)
    {
        assert!(begun.elapsed() < Duration::from_secs(30), "not asked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.clear_rule();
    act().await;
    world.forget();
    gate.open();
    run.ended().await
}

async fn assert_whole(world: &World, site: &Site) {
    world.assert_deployed(site, "");
    assert_clean(world);
    world.assert_fresh(site, "").await;
    world.assert_idle(deploy(world, site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_beside_the_state_is_asked_for_once() {
    let site = site("1", "1", 0);
    let world = deployed(&site).await;
    // The state's answer comes last.
    while_held(&world, &site, &[READS], &[(PAGE, 1)], async || {})
        .await
        .succeeds();
    assert_eq!(pages(&world), 0);
    // Whatever comes first.
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(pages(&world), 1);
    assert_eq!(world.count("GetObject"), 1, "the state");
    // What is changed is planned by it, too.
    site.write("a.html", "2");
    while_held(&world, &site, &[READS], &[(PAGE, 1)], async || {})
        .await
        .succeeds();
    assert_eq!(pages(&world), 0);
    assert_whole(&world, &site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_from_before_a_deploy_that_ended_is_asked_for_again() {
    let world = deployed(&site("1", "1", 0)).await;
    let (ours, theirs) = (site("1", "2", 0), site("2", "1", 0));
    let other = async || {
        deploy(&world, &theirs).await.succeeds();
        world.warm_urls(["/a.html", "/z.html"]).await;
    };
    while_held(&world, &ours, &[READS], &[(PAGE, 1)], other)
        .await
        .succeeds();
    assert_eq!(pages(&world), 1);
    assert_whole(&world, &ours).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_from_before_a_deploy_that_ended_is_read_again() {
    let world = deployed(&site("1", "1", 0)).await;
    let (ours, theirs) = (site("2", "1", 0), site("1", "2", 0));
    let other = async || {
        deploy(&world, &theirs).await.succeeds();
        world.warm_urls(["/a.html", "/z.html"]).await;
    };
    while_held(&world, &ours, &[PAGE], &[(READS, 1)], other)
        .await
        .succeeds();
    assert_whole(&world, &ours).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_shows_more_than_the_manifest_is_asked_for_again() {
    let world = deployed(&site("1", "1", 0)).await;
    let put = world.put_object(BUCKET, "theirs.txt", "theirs", Headers::default());
    put.await.unwrap();
    let ours = site("1", "2", 0);
    while_held(&world, &ours, &[READS], &[(PAGE, 1)], async || {})
        .await
        .succeeds();
    assert_eq!(pages(&world), 1);
    let objects = world.objects("");
    assert_eq!(objects.len(), 4);
    world.assert_fresh(&ours, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_under_a_lease_whose_holder_died_is_asked_for_again() {
    let world = deployed(&site("1", "1", 0)).await;
    crate::races::lease_of(&world, "elsewhere", -40).await;
    let ours = site("1", "2", 0);
    let zombie = async || {
        let put = world.put_object(BUCKET, "a.html", "2", Headers::default());
        put.await.unwrap();
    };
    while_held(&world, &ours, &[READS], &[(PAGE, 1)], zombie)
        .await
        .succeeds();
    assert_whole(&world, &ours).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_one_page_is_not_all_it_proves_nothing() {
    let world = World::new().await;
    for number in 0..1_100 {
        let key = format!("!/{number}");
        let put = world.put_object(BUCKET, &key, "", Headers::default());
        put.await.unwrap();
    }
    deploy(&world, &site("1", "1", 0)).await.succeeds();
    world.warm_urls(["/a.html", "/m.html", "/z.html"]).await;
    let (ours, theirs) = (site("1", "2", 0), site("2", "1", 0));
    let other = async || {
        deploy(&world, &theirs).await.succeeds();
        world.warm_urls(["/a.html", "/z.html"]).await;
    };
    while_held(&world, &ours, &[READS], &[(PAGE, 1)], other)
        .await
        .succeeds();
    assert!(pages(&world) >= 2, "the second page alone is not enough");
    let objects = world.objects("");
    assert_eq!(objects.get("a.html").map(Vec::as_slice), Some(&b"1"[..]));
    assert_eq!(objects.get("z.html").map(Vec::as_slice), Some(&b"2"[..]));
    assert_clean(&world);
    world.assert_fresh(&ours, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_deploy_that_lost_the_race_for_an_empty_bucket_takes_nothing_for_empty() {
    let world = World::new().await;
    let (ours, theirs) = (site("1", "2", 0), site("2", "1", 0));
    let other = async || {
        deploy(&world, &theirs).await.succeeds();
        world.warm_urls(["/a.html", "/z.html"]).await;
    };
    while_held(&world, &ours, &[READS], &[(PAGE, 1)], other)
        .await
        .succeeds();
    assert_whole(&world, &ours).await;
}
