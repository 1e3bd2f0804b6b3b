//! What is told of a purge's price is what CloudFront charges.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use local_cloudfront::Fault;

use crate::support::{Site, World};

fn config(site: &Site, text: &str) {
    std::fs::write(site.project().join("deploy.toml"), text).unwrap();
}

/// A site of which half the posts change with `change`, so that exact paths are many.
fn posts(pages: usize) -> Site {
    let site = Site::of(&[("index.html", "<p>home")]);
    for at in 0..pages {
        site.write(&format!("posts/{at:03}.html"), format!("<p>{at}"));
    }
    site
}

fn change(site: &Site, pages: usize) {
    for at in (0..pages).step_by(2) {
        site.write(&format!("posts/{at:03}.html"), format!("<p>{at} again"));
    }
}

/// The month has 999 free paths left and the deploy takes 100: CloudFront charges nothing.
#[tokio::test]
async fn what_the_month_pays_for_is_told_as_free() {
    let (world, site) = (World::new().await, posts(200));
    // The first of November 2026.
    let november = Duration::from_secs(1_793_491_200);
    world.clock().set(SystemTime::UNIX_EPOCH + november);
    world.deploy(&site).await.succeeds();
    change(&site, 200);
    let ran = world
        .plan(&site)
        .with("--purge exact --json")
        .await
        .succeeds();
    let summary = ran.summary();
    assert_eq!(summary["free-paths-left"], 999);
    assert_eq!(summary["paths"], 100);
    assert_eq!(summary["cost-usd"], 0.0, "{summary}");
    let ran = world
        .deploy(&site)
        .with("--purge exact --json")
        .await
        .succeeds();
    assert_eq!(ran.summary()["cost-usd"], 0.0, "{ran}");
}

#[tokio::test]
async fn no_number_of_free_paths_panics() {
    let (world, site) = (World::new().await, posts(2));
    for part in ["9223372036854775807", "6148914691236517206"] {
        config(&site, &format!("[purge]\nfree-paths-per-month = {part}\n"));
        world.plan(&site).within(site.project()).await.succeeds();
    }
}

/// What a deploy that died at its end had purged is charged all the same.
#[tokio::test]
async fn paths_of_a_deploy_that_died_count_in_the_month() {
    let (world, site) = (World::new().await, posts(20));
    world.deploy(&site).await.succeeds();
    change(&site, 20);
    let taken = AtomicBool::new(false);
    world.set_rule(move |request| match request.operation {
        "CreateInvalidation" => {
            taken.store(true, SeqCst);
            Fault::None
        }
        "PutObject" if taken.load(SeqCst) => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    world.deploy(&site).with("--purge exact").await.exits(4);
    world.clear_rule();
    world.clock().advance(Duration::from_secs(120));
    world.deploy(&site).with("--purge exact").await.succeeds();
    let all = world.invalidations(&world.distribution);
    let charged: usize = all.iter().map(|one| one.items.len()).sum();
    site.write("new.html", "n");
    let plan = world.plan(&site).with("--json").await.succeeds().summary();
    assert_eq!(plan["free-paths-left"], 1000 - charged, "{plan}");
}

/// What a dead deploy had noted and never sent is sent, and charged, by the next.
#[tokio::test]
async fn the_price_of_a_dead_deploys_purge_is_told() {
    let (world, site) = (World::new().await, posts(20));
    world.deploy(&site).await.succeeds();
    change(&site, 20);
    world.set_rule(|request| match request.operation {
        "CreateInvalidation" => Fault::Stall,
        _ => Fault::None,
    });
    let words = "--purge exact --free-paths 0 --json";
    let dying = world.deploy(&site).with(words).start();
    while world.count("CreateInvalidation") < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    dying.killed().await;
    world.clear_rule();
    world.clock().advance(Duration::from_secs(120));
    world.forget();
    let plan = world.plan(&site).with(words).await.succeeds().summary();
    let ran = world.deploy(&site).with(words).await.succeeds();
    let charged = 0.005 * world.purged().len() as f64;
    assert_eq!(world.purged().len(), 10);
    assert_eq!(
        (&plan["cost-usd"], &ran.summary()["cost-usd"]),
        (&charged.into(), &charged.into()),
        "{ran}"
    );
}

/// Where CloudFront refuses the apostrophe, one wildcard goes in the place of two paths.
#[tokio::test]
async fn the_price_is_that_of_what_was_sent() {
    let world = World::with(|setup| setup.cloud.refuses_apostrophe = true).await;
    let names = ["a/it's 1.html", "a/it's 2.html", "a/it's 3.html"];
    let site = Site::of(&[("index.html", "<p>home")]);
    names.iter().for_each(|name| site.write(name, "1"));
    world.deploy(&site).await.succeeds();
    names[..2].iter().for_each(|name| site.write(name, "2"));
    world.forget();
    let ran = world
        .deploy(&site)
        .with("--purge exact --free-paths 0 --json")
        .await
        .succeeds();
    let charged = 0.005 * world.purged().len() as f64;
    assert_eq!(
        ran.summary()["cost-usd"],
        charged,
        "{:?} {ran}",
        world.purged()
    );
}
