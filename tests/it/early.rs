//! A listing that begins beside the reading of the lock: when it stands, and when it has to be asked for again.

use std::time::Duration;

use aws_smithy_types::base64;
use md5::{Digest, Md5};
use serde_json::{Value, json};
use unstale::domain::Headers;
use unstale::local::{Fault, Gate, RequestInfo};

use crate::mishap::{assert_clean, deploy};
use crate::support::{BUCKET, Ran, Site, World};

type Which = fn(&RequestInfo) -> bool;

const LOCK: Which = |request| request.method == "GET" && request.key == ".unstale/lock";
const HEAD: Which = |request| request.method == "GET" && request.key == ".unstale/head";
const PAGE: Which = |request| request.operation == "ListObjectsV2";
const PAGE_WITH_LOCK: Which =
    |request| request.operation == "ListObjectsV2" && !request.query.contains("start-after");

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
    world.set_rule(
        move |request| match held.iter().any(|which| which(request)) {
            true => Fault::HoldBefore(door.clone()),
            false => Fault::None,
        },
    );
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
async fn a_listing_beside_the_lock_is_asked_for_once() {
    for (more, expected) in [(0, 1), (1_000, 2)] {
        let site = site("1", "1", more);
        let world = deployed(&site).await;
        // The lock's answer comes last.
        while_held(&world, &site, &[LOCK], &[(PAGE, expected)], async || {})
            .await
            .succeeds();
        assert_eq!(pages(&world), 0);
        // Whatever comes first.
        world.forget();
        deploy(&world, &site).await.succeeds();
        assert_eq!(pages(&world), expected);
        assert_eq!(world.count("GetObject"), 2, "lock and head");
        // What is changed is planned by it, too.
        site.write("a.html", "2");
        while_held(&world, &site, &[LOCK], &[(PAGE, expected)], async || {})
            .await
            .succeeds();
        assert_eq!(pages(&world), 0);
        assert_whole(&world, &site).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_from_before_a_deploy_that_ended_is_asked_for_again() {
    const HELD: [&[Which]; 2] = [&[LOCK], &[LOCK, HEAD]];
    for (more, read) in [(0, 1), (1_000, 2)] {
        for held in HELD {
            let world = deployed(&site("1", "1", more)).await;
            let (ours, theirs) = (site("1", "2", more), site("2", "1", more));
            let other = async || {
                deploy(&world, &theirs).await.succeeds();
                world.warm_urls(["/a.html", "/z.html"]).await;
            };
            while_held(&world, &ours, held, &[(PAGE, read)], other)
                .await
                .succeeds();
            assert_whole(&world, &ours).await;
        }
    }
}

/// Puts the manifest beside the head, as where it is too large to lie in it.
async fn take_out(world: &World) {
    let body = world.body(BUCKET, ".unstale/head").unwrap();
    let mut head: Value = serde_json::from_slice(&body).unwrap();
    let base = base64::decode(head["inline"].as_str().unwrap()).unwrap();
    let hex = |byte: u8| format!("{byte:02x}");
    let digest: String = Md5::digest(&base).into_iter().map(hex).collect();
    let name = format!("manifest/00000000000000000001-base-{digest}");
    head["base"] = json!({"name": name, "digest": digest, "bytes": base.len(), "entries": 1_003});
    head["inline"] = json!("");
    let head = serde_json::to_vec(&head).unwrap();
    for (key, body) in [
        (format!(".unstale/{name}"), base),
        (".unstale/head".into(), head),
    ] {
        let put = world.put_object(BUCKET, &key, body, Headers::default());
        put.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_manifest_beside_the_head_the_page_that_shows_the_lock_stands() {
    let world = deployed(&site("1", "1", 1_000)).await;
    take_out(&world).await;
    let ours = site("1", "2", 1_000);
    while_held(&world, &ours, &[LOCK], &[(PAGE, 2)], async || {})
        .await
        .succeeds()
        .never_says("warning");
    assert_eq!(pages(&world), 1, "the part of which nothing is known");
    assert_whole(&world, &ours).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_older_than_the_lock_is_read_again() {
    for more in [0, 2_000] {
        let world = deployed(&site("1", "1", more)).await;
        let (ours, theirs) = (site("2", "1", more), site("1", "2", more));
        let other = async || {
            deploy(&world, &theirs).await.succeeds();
            world.warm_urls(["/a.html", "/z.html"]).await;
        };
        // Many are listed after the lock was read in any case.
        let held: &[Which] = if more == 0 {
            &[LOCK, PAGE_WITH_LOCK]
        } else {
            &[LOCK]
        };
        while_held(&world, &ours, held, &[(HEAD, 1)], other)
            .await
            .succeeds();
        assert_whole(&world, &ours).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_older_than_the_page_that_shows_the_lock_is_asked_for_again() {
    type Case = (&'static [Which], &'static [(Which, usize)], usize);
    // What the head was before is as old as that part.
    const CASES: [Case; 2] = [
        (&[LOCK, HEAD, PAGE_WITH_LOCK], &[(PAGE, 1)], 1),
        (&[LOCK, PAGE_WITH_LOCK], &[(PAGE, 1), (HEAD, 1)], 2),
    ];
    for (held, others, again) in CASES {
        let world = deployed(&site("1", "1", 1_000)).await;
        let (ours, theirs) = (site("2", "1", 1_000), site("1", "2", 1_000));
        let other = async || {
            deploy(&world, &theirs).await.succeeds();
            world.warm_urls(["/a.html", "/z.html"]).await;
        };
        while_held(&world, &ours, held, others, other)
            .await
            .succeeds();
        assert_eq!(pages(&world), again, "besides the page that was held");
        assert_whole(&world, &ours).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_a_failed_deploy_left_open_is_asked_for_again() {
    let world = deployed(&site("1", "1", 1_000)).await;
    let (ours, theirs) = (site("2", "1", 1_000), site("1", "2", 1_000));
    let other = async || {
        world.set_rule(|request| {
            let head = request.key == ".unstale/head" && request.writes();
            match head || request.operation == "CreateInvalidation" {
                true => Fault::Fail(403, "AccessDenied"),
                false => Fault::None,
            }
        });
        let failed = deploy(&world, &theirs).await;
        assert_ne!(failed.exit, Some(0), "{failed}");
        world.clear_rule();
        world.warm_urls(["/a.html", "/z.html"]).await;
    };
    let held = &[LOCK, HEAD, PAGE_WITH_LOCK];
    while_held(&world, &ours, held, &[(PAGE, 1)], other)
        .await
        .succeeds();
    assert_whole(&world, &ours).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_under_a_lock_whose_holder_died_is_asked_for_again() {
    let site_1 = site("1", "1", 0);
    let world = deployed(&site_1).await;
    crate::races::lock_of(&world, "elsewhere", -40).await;
    let ours = site("1", "2", 0);
    let zombie = async || {
        let put = world.put_object(BUCKET, "a.html", "2", Headers::default());
        put.await.unwrap();
    };
    while_held(&world, &ours, &[LOCK], &[(PAGE, 1)], zombie)
        .await
        .succeeds();
    assert_whole(&world, &ours).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_first_page_does_not_show_the_lock_it_proves_nothing() {
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
    while_held(&world, &ours, &[LOCK], &[(PAGE, 1)], other)
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
    while_held(&world, &ours, &[LOCK], &[(PAGE, 1)], other)
        .await
        .succeeds();
    assert_whole(&world, &ours).await;
}
