//! Deploys that are killed before and after each of their requests, and the deploys that make it good.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::Path;
use std::time::{Duration, Instant};

use local_cloudfront::LogEntry;

use crate::mishap::{
    FOREIGN, Objects, STATE, Side, as_deployed, assert_clean, assert_whole, begin, builds, crash,
    crash_at, debts, deploy, deployed, objects, rule, setting, versions, visited,
};
use crate::support::{BUCKET, Site, World};

/// Kills the deploy from one build to the next at one request, deploys `then`, and sees that all is well. `None`: the deploy
/// has fewer requests.
async fn point(
    (from, to): (&Site, &Site),
    (then, wanted): (&Site, &Objects),
    at: usize,
    side: Side,
) -> Option<()> {
    let world = deployed(from).await;
    crash(&world, deploy(&world, to), at, side).await?;
    // Viewers ask while it lies there half done, and while it is made good.
    world.warm(to).await;
    let made_good = visited(&world, deploy(&world, then), [from, to]);
    made_good.await.succeeds();
    assert_whole(&world, then, wanted).await;
    world.assert_idle(deploy(&world, then)).await;
    Some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_killed_at_any_request_is_made_good_by_the_next() {
    let full = setting("UNSTALE_CRASH").is_some();
    let [a, b, c] = builds();
    let wanted = [
        as_deployed(&a).await,
        as_deployed(&b).await,
        as_deployed(&c).await,
    ];
    let sites = [&a, &b, &c];
    // B again, a third build, and back.
    let nexts = [1, 2, 0];
    let mut tried = 0;
    let step = if full { 1 } else { 3 };
    for (at, round) in (1..).step_by(step).zip(0..) {
        let mut ended = false;
        for side in [Side::Before, Side::After] {
            let chosen: Vec<usize> = if full {
                nexts.to_vec()
            } else {
                vec![nexts[(round + side as usize) % 3]]
            };
            for next in chosen {
                let then = (sites[next], &wanted[next]);
                let Some(()) = point((&a, &b), then, at, side).await else {
                    ended = true;
                    break;
                };
                tried += 1;
            }
        }
        if ended {
            break;
        }
    }
    eprintln!("{tried} crash points tried with small builds");
    assert!(tried > 8, "only {tried}");
}

#[tokio::test]
async fn new_headers_are_not_kept_when_the_rule_is_reverted_after_a_crash() {
    let site = Site::of(&[("index.html", "<p>1"), ("feed.json", "[]")]);
    rule(&site, "");
    let before = as_deployed(&site).await;
    let world = deployed(&site).await;
    rule(&site, "max-age=3600");
    let copies = |request: &local_cloudfront::RequestInfo| request.operation == "CopyObject";
    crash_at(&world, deploy(&world, &site), 1, Side::After, copies)
        .await
        .unwrap();
    assert_ne!(objects(&world), before, "the copy took effect");
    world.warm(&site).await;
    rule(&site, "");
    deploy(&world, &site).await.succeeds();
    assert_whole(&world, &site, &before).await;
}

#[tokio::test]
async fn a_page_that_a_dead_deploy_brought_goes_with_the_next_build() {
    let site = Site::of(&[("index.html", "<p>1")]);
    let before = as_deployed(&site).await;
    let world = deployed(&site).await;
    site.write("extra/index.html", "<p>extra");
    let puts = |request: &local_cloudfront::RequestInfo| request.key == "extra/index.html";
    crash_at(&world, deploy(&world, &site), 1, Side::After, puts)
        .await
        .unwrap();
    world.warm(&site).await;
    site.remove("extra/index.html");
    deploy(&world, &site).await.succeeds();
    assert_whole(&world, &site, &before).await;
}

#[tokio::test]
async fn builds_in_turn_each_crashing_leave_nothing_stale() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    let writes = |request: &local_cloudfront::RequestInfo| request.writes();
    for (round, site) in [&b, &a, &b, &a, &b].into_iter().enumerate() {
        let side = [Side::Before, Side::After][round % 2];
        crash_at(&world, deploy(&world, site), 3 + round, side, writes)
            .await
            .unwrap_or_else(|| panic!("round {round} ended before it could crash"));
        world.warm(site).await;
    }
    let wanted = as_deployed(&a).await;
    deploy(&world, &a).await.succeeds();
    assert_whole(&world, &a, &wanted).await;
}

fn invalidates(request: &local_cloudfront::RequestInfo) -> bool {
    request.operation == "CreateInvalidation"
}

fn billed(world: &World) -> usize {
    let all = world.invalidations(&world.distribution);
    all.iter().map(|one| one.items.len()).sum()
}

#[tokio::test]
async fn an_accepted_batch_is_not_billed_again() {
    let site = Site::of(&[("index.html", "<p>1"), ("a.html", "<p>a")]);
    let world = deployed(&site).await;
    let before = billed(&world);
    site.write("a.html", "<p>b");
    crash_at(&world, deploy(&world, &site), 1, Side::After, invalidates)
        .await
        .unwrap();
    assert_eq!(billed(&world), before + 1);
    world.warm(&site).await;
    // Nothing is left to upload, but the debt is.
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.site_writes(), ["CreateInvalidation"]);
    assert_eq!(billed(&world), before + 1);
    world.assert_fresh(&site, "").await;
    assert_clean(&world);
}

#[tokio::test]
async fn what_is_uploaded_after_an_accepted_batch_is_purged_anew() {
    let site = Site::of(&[
        ("index.html", "<p>1"),
        ("a.html", "<p>a"),
        ("c.html", "<p>c"),
    ]);
    let world = deployed(&site).await;
    let before = billed(&world);
    site.write("a.html", "<p>b");
    crash_at(&world, deploy(&world, &site), 1, Side::After, invalidates)
        .await
        .unwrap();
    world.warm(&site).await;
    site.write("c.html", "<p>d");
    deploy(&world, &site).await.succeeds();
    world.assert_fresh(&site, "").await;
    assert_eq!(billed(&world), before + 2, "/a.html once, /c.html once");

    site.write("a.html", "<p>e");
    crash_at(&world, deploy(&world, &site), 1, Side::After, invalidates)
        .await
        .unwrap();
    world.warm(&site).await;
    site.write("a.html", "<p>f");
    deploy(&world, &site).await.succeeds();
    world.assert_fresh(&site, "").await;
    assert_eq!(billed(&world), before + 4, "the same page, changed twice");
    assert_clean(&world);
}

#[tokio::test]
async fn a_crash_at_the_end_bills_nothing_twice() {
    let [a, b, _] = builds();
    let ends = |request: &local_cloudfront::RequestInfo| {
        request.operation == "PutObject" && request.key == STATE
    };
    // The second write of the state is the end.
    for side in [Side::Before, Side::After] {
        let world = deployed(&a).await;
        let puts = |request: &local_cloudfront::RequestInfo| request.key == "index.html";
        crash_at(&world, deploy(&world, &b), 1, Side::After, puts)
            .await
            .unwrap();
        world.warm(&b).await;
        crash_at(&world, deploy(&world, &b), 2, side, ends)
            .await
            .unwrap();
        let before = billed(&world);
        deploy(&world, &b).await.succeeds();
        world.assert_fresh(&b, "").await;
        assert_clean(&world);
        assert_eq!(billed(&world), before, "{side:?}");
    }
}

#[tokio::test]
async fn a_deploy_without_purge_leaves_a_debt_that_the_next_pays() {
    let site = Site::of(&[("index.html", "<p>1"), ("a.html", "<p>a")]);
    let world = deployed(&site).await;
    site.write("a.html", "<p>b");
    world.forget();
    deploy(&world, &site).with("--purge none").await.succeeds();
    assert_eq!(world.purged(), [""; 0]);
    assert_eq!(debts(&world).len(), 1);
    world
        .assert_idle(deploy(&world, &site).with("--purge none"))
        .await;
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), ["/a.html"]);
    world.assert_fresh(&site, "").await;
    assert_clean(&world);
}

#[tokio::test]
async fn without_purge_after_a_crash_the_debt_stays_too() {
    let [a, b, c] = builds();
    for at in [1, 2] {
        let world = deployed(&a).await;
        let which = move |request: &local_cloudfront::RequestInfo| match at {
            1 => invalidates(request),
            _ => request.key == "index.html",
        };
        crash_at(&world, deploy(&world, &b), 1, Side::Before, which)
            .await
            .unwrap();
        world.warm(&b).await;
        deploy(&world, &c).with("--purge none").await.succeeds();
        world.warm(&c).await;
        deploy(&world, &c).await.succeeds();
        assert_whole(&world, &c, &as_deployed(&c).await).await;
    }
}

#[tokio::test]
async fn what_is_owed_to_a_distribution_that_is_gone_is_told_and_purged_once_it_is_back() {
    let site = Site::of(&[
        ("index.html", "<p>1"),
        ("a.html", "<p>a"),
        ("feed.json", "[]"),
    ]);
    rule(&site, "");
    let world = deployed(&site).await;
    let mut other = local_cloudfront::Distribution::for_bucket("other");
    other.origins = world.distribution(&world.distribution).unwrap().origins;
    let id = other.id.clone();
    world.set_distribution(other);
    let both = |command: crate::support::Unstale| {
        command
            .with("--distribution")
            .arg(&world.distribution)
            .with("--distribution")
            .arg(&id)
    };
    let own =
        |command: crate::support::Unstale| command.with("--distribution").arg(&world.distribution);
    both(deploy(&world, &site)).await.succeeds();

    site.write("a.html", "<p>b");
    rule(&site, "max-age=3600");
    let command = both(deploy(&world, &site));
    crash_at(&world, command, 1, Side::Before, invalidates)
        .await
        .unwrap();
    let back = world.distribution(&id).unwrap();
    world.remove_distribution(&id);
    own(deploy(&world, &site)).await.succeeds().says(&id);
    assert_clean(&world);
    world.assert_fresh(&site, "").await;
    world.assert_idle(own(deploy(&world, &site))).await;
    // Nobody knows any more what it holds.
    world.set_distribution(back);
    let before = world.invalidations(&id).len();
    both(deploy(&world, &site)).await.succeeds();
    let sent = world.invalidations(&id);
    assert_eq!(sent.len(), before + 1);
    assert_eq!(*sent[before].items, ["/*"]);
    world.assert_idle(both(deploy(&world, &site))).await;
}

#[tokio::test]
async fn a_debt_that_can_be_paid_is_paid_rather_than_dropped() {
    let site = Site::of(&[("index.html", "<p>1"), ("a.html", "<p>a")]);
    let world = deployed(&site).await;
    world.warm(&site).await;
    site.write("a.html", "<p>b");
    deploy(&world, &site).with("--purge none").await.succeeds();
    site.write("index.html", "<p>2");
    let dies = crash_at(&world, deploy(&world, &site), 1, Side::Before, invalidates);
    dies.await.unwrap();
    let debts = debts(&world);
    assert_eq!(debts.len(), 2);
    let dropping = debts.iter().fold(deploy(&world, &site), |command, debt| {
        command.with("--drop-debt").arg(debt)
    });
    dropping.await.succeeds();
    world.assert_fresh(&site, "").await;
    assert_clean(&world);
}

#[tokio::test]
async fn a_dropped_debt_forgets_no_headers() {
    let site = Site::of(&[("index.html", "<p>1"), ("feed.json", "[]")]);
    rule(&site, "");
    let before = as_deployed(&site).await;
    let world = deployed(&site).await;
    rule(&site, "max-age=3600");
    let copies = |request: &local_cloudfront::RequestInfo| request.operation == "CopyObject";
    crash_at(&world, deploy(&world, &site), 1, Side::After, copies)
        .await
        .unwrap();
    rule(&site, "");
    let debt = debts(&world)[0].clone();
    deploy(&world, &site)
        .with("--drop-debt")
        .arg(&debt)
        .await
        .succeeds();
    assert_eq!(objects(&world), before);
    assert_clean(&world);
}

#[tokio::test]
async fn a_recorded_batch_that_cloudfront_will_not_take_is_said_otherwise() {
    let site = Site::of(&[("index.html", "<p>1"), ("it's.html", "<p>a")]);
    let world = deployed(&site).await;
    world.cloud_options(|options| options.refuses_apostrophe = true);
    site.write("it's.html", "<p>b");
    crash_at(&world, deploy(&world, &site), 1, Side::Before, invalidates)
        .await
        .unwrap();
    deploy(&world, &site).await.succeeds();
    world.assert_fresh(&site, "").await;
    assert_clean(&world);
}

#[tokio::test]
async fn an_apostrophe_in_a_removed_asset_is_purged_by_another_way() {
    let site = Site::of(&[("index.html", "<p>1"), ("it's.txt", "a")]);
    let world = deployed(&site).await;
    world.cloud_options(|options| options.refuses_apostrophe = true);
    site.remove("it's.txt");
    deploy(&world, &site).await.succeeds();
    world.assert_fresh(&site, "").await;
    assert_clean(&world);
}

#[tokio::test]
async fn an_apostrophe_in_a_page_and_in_a_removed_asset_are_each_purged_by_another_way() {
    let files = [
        ("index.html", "<p>1"),
        ("it's.html", "<p>a"),
        ("it's.txt", "a"),
    ];
    let site = Site::of(&files);
    let world = deployed(&site).await;
    world.cloud_options(|options| options.refuses_apostrophe = true);
    site.write("it's.html", "<p>b");
    site.remove("it's.txt");
    deploy(&world, &site).await.succeeds();
    world.assert_fresh(&site, "").await;
    assert_clean(&world);
}

/// Which requests of a deploy are worth dying at: all that concern the state and CloudFront, a spread over the rest.
fn worth(log: &[LogEntry], spread: usize) -> Vec<usize> {
    let of_state = |entry: &LogEntry| {
        let request = &entry.request;
        request.key.contains(".unstale/") || request.key.is_empty()
    };
    let (state, rest): (Vec<usize>, Vec<usize>) =
        (0..log.len()).partition(|at| of_state(&log[*at]));
    let step = rest.len().div_ceil(spread).max(1);
    let mut all: Vec<usize> = state;
    all.extend(rest.iter().step_by(step).chain(rest.last()));
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(|at| at + 1).collect()
}

/// As [`deploy`], however much of the site is another's.
fn deploy_any(world: &World, site: &Site) -> crate::support::Unstale {
    deploy(world, site).with("--max-delete 10000")
}

/// Makes the site this version, without what no deploy takes along.
fn become_version(site: &Site, version: &Path) {
    site.becomes(version);
    for left_out in [".DS_Store", ".env"] {
        let _ = std::fs::remove_file(site.dir().join(left_out));
    }
}

/// All transitions of one site's versions in one world: killed, made good, put back, killed at the next request.
async fn site_points(folder: &Path, until: Instant) -> usize {
    let versions = versions(folder);
    let mut tried = 0;
    let site = Site::empty();
    for at in 0..versions.len().saturating_sub(1) {
        let (from, to) = (&versions[at], &versions[at + 1]);
        let third = versions.get(at + 2).unwrap_or(&versions[0]);
        become_version(&site, from);
        let world = World::new().await;
        begin(&world, &site).await;
        let mut whole = Vec::new();
        for version in [to, from, third] {
            become_version(&site, version);
            whole.push((version, as_deployed(&site).await));
        }
        become_version(&site, to);
        world.forget();
        deploy_any(&world, &site).await.succeeds();
        let points = worth(&world.log(), 6);
        for (round, number) in points.into_iter().enumerate() {
            for side in [Side::Before, Side::After] {
                // On a slow machine, too, one is tried.
                if tried > 0 && Instant::now() > until {
                    return tried;
                }
                become_version(&site, from);
                deploy_any(&world, &site).await.succeeds();
                world.warm(&site).await;
                become_version(&site, to);
                let killed = crash(&world, deploy_any(&world, &site), number, side).await;
                world.warm(&site).await;
                let (then, wanted) = &whole[(round + side as usize) % whole.len()];
                become_version(&site, then);
                deploy_any(&world, &site).await.succeeds();
                assert_whole(&world, &site, wanted).await;
                tried += usize::from(killed.is_some());
            }
        }
    }
    tried
}

/// `UNSTALE_CRASH=full UNSTALE_SITES=FOLDER UNSTALE_CRASH_SECONDS=600 cargo test crash:: -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn deploys_of_real_sites_killed_at_any_request_are_made_good() {
    let Some(folder) = setting("UNSTALE_SITES") else {
        eprintln!("UNSTALE_SITES names no folder: no real sites");
        return;
    };
    let seconds = setting("UNSTALE_CRASH_SECONDS").and_then(|text| text.parse().ok());
    let mut folders: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("v2").is_dir())
        .collect();
    folders.sort();
    let share = Duration::from_secs(seconds.unwrap_or(600)) / folders.len().max(1) as u32;
    for folder in folders {
        let tried = site_points(&folder, Instant::now() + share).await;
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        eprintln!("{tried} crash points tried with {name}");
        assert!(tried > 0, "{name}");
    }
}

#[tokio::test]
async fn what_others_put_there_stays_whatever_happens() {
    let [a, b, c] = builds();
    let world = deployed(&a).await;
    for (round, site) in [&b, &c, &a].into_iter().enumerate() {
        crash(&world, deploy(&world, site), 20 + round, Side::After).await;
        world
            .put_object(
                BUCKET,
                &format!("theirs-{round}.html"),
                "x",
                Default::default(),
            )
            .await
            .unwrap();
    }
    deploy(&world, &c).await.succeeds();
    let left = objects(&world);
    for key in [FOREIGN, "theirs-0.html", "theirs-1.html", "theirs-2.html"] {
        assert!(left.contains_key(key), "{key}");
    }
}
