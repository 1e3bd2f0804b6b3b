//! The month's free paths: shared out over the deploys that are still expected, and not first come first served.

use std::time::Duration;

use local_cloudfront::Distribution;

use crate::support::{BUCKET, Ran, Site, World};

const DAY: Duration = Duration::from_secs(86_400);
/// Every other page of a folder changes: exact paths alone leave the others alone.
const PAGES: usize = 200;

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
    // 100 exact paths a day would be gone after 10 days, and dear from then on.
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
    assert!(taken <= 80, "{purge}");
}

#[tokio::test]
async fn a_quiet_site_takes_what_would_lapse() {
    let (world, site) = (World::new().await, site());
    world.clock().set(month_begins());
    world.deploy(&site).await.succeeds();
    for day in 1..8 {
        world.clock().advance(DAY);
        site.write("index.html", format!("<p>{day}"));
        world.deploy(&site).await.succeeds();
    }
    pages(&site, 8);
    let purge = planned(&world, &site, "").await;
    // Equal shares of what is left would be 43 paths, and wildcards for the rest.
    assert_eq!(
        (&purge["paths"], &purge["unchanged"]),
        (&100.into(), &0.into()),
        "{purge}"
    );
}

#[tokio::test]
async fn the_share_can_be_set_by_hand() {
    let (world, site) = (World::new().await, site());
    world.clock().set(month_begins());
    world.deploy(&site).await.succeeds();
    pages(&site, 1);
    let all = planned(&world, &site, "--free-paths 100").await;
    assert_eq!(all["paths"], 100, "{all}");
    let none = planned(&world, &site, "--free-paths 0").await;
    assert_eq!(none["paths"], 1, "{none}");
}

fn config(site: &Site, text: &str) {
    std::fs::write(site.project().join("deploy.toml"), text).unwrap();
}

/// The objects that the plan tells by this deploy.toml.
async fn planned_by(world: &World, site: &Site, text: &str, words: &str) -> Vec<serde_json::Value> {
    config(site, text);
    let plan = world.plan(site).within(site.project()).with("--json");
    plan.with(words).await.succeeds().json()
}

fn sum(lines: &[serde_json::Value], field: &str) -> u64 {
    let purges = lines.iter().filter(|line| line["type"] == "purge");
    purges.map(|purge| purge[field].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn a_site_may_have_a_part_of_the_month_and_spends_it() {
    let (world, site) = (World::new().await, site());
    world.clock().set(month_begins());
    world.deploy(&site).await.succeeds();
    pages(&site, 1);
    for (part, paths, left) in [(0, 1, 0), (1, 1, 0), (10_000, 100, 9_999)] {
        let text = format!("[purge]\nfree-paths-per-month = {part}\n");
        let lines = planned_by(&world, &site, &text, "").await;
        assert_eq!(sum(&lines, "paths"), paths, "{part}");
        assert_eq!(lines.last().unwrap()["free-paths-left"], left, "{part}");
    }
    config(&site, "[purge]\nfree-paths = 5\n");
    let ran = world.plan(&site).within(site.project()).await;
    ran.exits(2)
        .says("unknown key `free-paths`: did you mean `free-paths-per-month`?");
}

#[tokio::test]
async fn removed_assets_share_the_free_paths_with_the_pages() {
    let (world, site) = (World::new().await, site());
    (0..60).for_each(|at| site.write(&format!("img/{at:02}.png"), "png"));
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    pages(&site, 1);
    (0..60)
        .step_by(2)
        .for_each(|at| site.remove(&format!("img/{at:02}.png")));
    // What is told is what is charged, whatever is free; where the free paths suffice for wildcards, nothing is paid.
    for (free, charged) in [
        (0, true),
        (1, true),
        (20, false),
        (129, false),
        (130, false),
    ] {
        let lines = planned_by(
            &world,
            &site,
            "",
            &format!("--retain 0s --free-paths {free}"),
        )
        .await;
        let paths = sum(&lines, "paths");
        assert_eq!(sum(&lines, "free-paths"), paths.min(free), "{free}");
        let cost = 0.005 * paths.saturating_sub(free) as f64;
        let told = lines.last().unwrap()["cost-usd"].as_f64().unwrap();
        assert!((told - cost).abs() < 1e-9, "{free}: {told} for {paths}");
        assert_eq!(cost > 0.0, charged, "{free}: {paths}");
    }
    let told = world
        .plan(&site)
        .with("--retain 0s --free-paths 20")
        .await
        .succeeds();
    told.says("free (980 of this month's left)")
        .says("for removed assets");
    world.forget();
    let ran = world
        .deploy(&site)
        .with("--retain 0s --free-paths 20 --json")
        .await
        .succeeds();
    assert_eq!(ran.summary()["cost-usd"], 0.0);
    assert_eq!(world.purged().len(), 19);
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn two_distributions_share_the_free_paths() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>home")]));
    let ids = [world.distribution.clone(), "E2SECONDOFTWO".to_owned()];
    world.set_distribution(Distribution {
        id: ids[1].clone(),
        domain: "d2.cloudfront.net".to_owned(),
        ..Distribution::for_bucket(BUCKET)
    });
    (0..8).for_each(|at| site.write(&format!("posts/{at}.html"), "<p>1"));
    let both = ids.map(|id| format!("--distribution {id}")).join(" ");
    world.deploy(&site).with(&both).await.succeeds();
    (0..4).for_each(|at| site.write(&format!("posts/{}.html", at * 2), "<p>2"));
    // Each wants four. One after the other, the first would take all that are free, and the second would pay.
    for (free, paths) in [(2, 2), (4, 2), (5, 5), (8, 8), (100, 8)] {
        let lines = planned_by(&world, &site, "", &format!("{both} --free-paths {free}")).await;
        let summary = lines.last().unwrap();
        assert_eq!(
            (&summary["paths"], &summary["cost-usd"]),
            (&paths.into(), &0.0.into())
        );
    }
}

#[tokio::test]
async fn a_flat_rate_plan_includes_all_paths() {
    let (world, site) = (World::new().await, site());
    world.clock().set(month_begins());
    config(&site, "[purge]\nplan = \"flat-rate\"\n");
    let deploy = || world.deploy(&site).within(site.project());
    deploy().await.succeeds();
    pages(&site, 1);
    let told = world
        .plan(&site)
        .within(site.project())
        .with("--free-paths 0");
    told.await
        .succeeds()
        .says("100 paths, included in the plan, about 25 s");
    deploy().await.succeeds();
    let quota = || world.unstale("quota").within(site.project());
    quota()
        .await
        .succeeds()
        .says("1,000 left")
        .says("on a flat-rate plan");
    // None of them counts as one of the month's, once the plan is left.
    pages(&site, 2);
    let lines = planned_by(&world, &site, "", "").await;
    assert_eq!(lines.last().unwrap()["free-paths-left"], 1000);
    quota().await.succeeds().says("899 left");
}

#[tokio::test]
async fn the_free_plan_has_no_tags() {
    let (world, site) = (World::new().await, site());
    for (plan, code) in [
        ("flat-rate-free", 2),
        ("flat-rate", 0),
        ("pay-as-you-go", 0),
    ] {
        config(&site, &format!("tags = true\n[purge]\nplan = \"{plan}\"\n"));
        let ran = world.plan(&site).within(site.project()).await.exits(code);
        if code == 2 {
            ran.says("tags = true")
                .says("flat-rate-free")
                .says("no cache tags");
        }
    }
}

/// The first of November 2026.
fn month_begins() -> std::time::SystemTime {
    std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_491_200)
}
