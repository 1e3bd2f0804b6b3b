//! The month's free paths: shared out over the deploys that are still expected, and not first come first served.

use std::time::Duration;

use crate::support::{Ran, Site, World};

const DAY: Duration = Duration::from_secs(86_400);
/// Every other page of a folder changes: exact paths alone leave the others alone.
const PAGES: usize = 120;

fn pages(site: &Site, day: usize) {
    for at in (0..PAGES).step_by(2) {
        site.write(&format!("posts/{at:03}.html"), format!("<p>{at} {day}"));
    }
}

/// A site of which half the posts change with every deploy.
fn site() -> Site {
    let site = Site::of(&[("index.html", "<p>home")]);
    for at in 0..PAGES {
        site.write(&format!("posts/{at:03}.html"), format!("<p>{at}"));
    }
    site
}

/// What the plan says of the purge.
async fn planned(world: &World, site: &Site, words: &str) -> serde_json::Value {
    let ran: Ran = world.plan(site).with("--json").with(words).await;
    let lines = ran.succeeds().json();
    let purge = lines.into_iter().find(|line| line["type"] == "purge");
    purge.expect("a purge")
}

#[tokio::test]
async fn a_month_of_deploys_shares_the_free_paths() {
    let (world, site) = (World::new().await, site());
    world.clock().set(month_begins());
    world.deploy(&site).await.succeeds();
    let mut paths = Vec::new();
    for day in 1..30 {
        world.clock().advance(DAY);
        pages(&site, day);
        world.forget();
        world.deploy(&site).await.succeeds();
        paths.push(world.purged().len());
    }
    let spent: usize = paths.iter().sum();
    // 60 exact paths a day would be gone after 16 days, and dear from then on.
    assert!(spent <= 1000, "{paths:?}");
    let first: usize = paths.iter().take(10).sum();
    assert!(first <= 400, "{paths:?}");
    // The share grows as the month ends with paths to spare.
    assert!(paths.iter().all(|paths| *paths >= 1), "{paths:?}");
}

#[tokio::test]
async fn a_few_days_of_history_are_no_quiet_month() {
    let (world, site) = (World::new().await, site());
    world.clock().set(month_begins());
    world.deploy(&site).await.succeeds();
    world.clock().advance(DAY);
    pages(&site, 1);
    let purge = planned(&world, &site, "").await;
    let taken = purge["paths"].as_u64().unwrap_or(u64::MAX);
    assert!(taken <= 34, "{purge}");
}

#[tokio::test]
async fn the_share_can_be_set_by_hand() {
    let (world, site) = (World::new().await, site());
    world.clock().set(month_begins());
    world.deploy(&site).await.succeeds();
    pages(&site, 1);
    let all = planned(&world, &site, "--free-paths 60").await;
    assert_eq!(all["paths"], 60, "{all}");
    let none = planned(&world, &site, "--free-paths 0").await;
    assert_eq!(none["paths"], 1, "{none}");
}

#[tokio::test]
async fn a_number_in_deploy_toml_overrides_the_history() {
    let (world, site) = (World::new().await, site());
    world.clock().set(month_begins());
    world.deploy(&site).await.succeeds();
    pages(&site, 1);
    for (left, most) in [(0, 1), (3000, 60)] {
        let file = site.project().join("deploy.toml");
        std::fs::write(file, format!("[purge]\nfree-paths = {left}\n")).unwrap();
        let ran = world.plan(&site).with("--json").within(site.project());
        let lines = ran.await.succeeds().json();
        let purge = lines.into_iter().find(|line| line["type"] == "purge");
        assert_eq!(purge.expect("a purge")["paths"], most);
    }
}

/// The first of November 2026.
fn month_begins() -> std::time::SystemTime {
    std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_491_200)
}
