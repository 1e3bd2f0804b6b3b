//! Purging by hand where something is amiss: what is refused, cut short, found elsewhere or left out.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use local_cloudfront::{Distribution, Fault};

use crate::support::{BUCKET, Ran, Site, Unstale, World};

#[tokio::test]
async fn quota_needs_no_bucket_on_a_flat_rate_plan_either() {
    let world = World::new().await;
    let quota = || {
        let quota = Unstale::new("quota --endpoint-url").arg(world.endpoint());
        quota.with("--distribution").arg(&world.distribution)
    };
    quota().await.succeeds();
    quota()
        .env("UNSTALE_PURGE_PLAN", "flat-rate")
        .await
        .succeeds();
}

fn second(world: &World) -> String {
    let id = "E2SECONDOFTWO".to_owned();
    world.set_distribution(Distribution {
        id: id.clone(),
        domain: "d2.cloudfront.net".to_owned(),
        ..Distribution::for_bucket(BUCKET)
    });
    id
}

#[tokio::test]
async fn an_invalidation_is_found_at_whichever_distribution_has_it() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>home")]));
    let id = second(&world);
    let both = format!("--distribution {} --distribution {id}", world.distribution);
    world.deploy(&site).with(&both).await.succeeds();
    let theirs = world.invalidations(&id).last().unwrap().id.clone();
    let ran = world
        .unstale("invalidations")
        .with(&both)
        .arg(&theirs)
        .await;
    ran.succeeds().says(&theirs);
    let nobodys = world.unstale("invalidations").with(&both).arg("INONE");
    nobodys.await.exits(1).says("NoSuchInvalidation");
}

#[tokio::test]
async fn a_list_of_several_distributions_says_whose_each_is() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>home")]));
    let id = second(&world);
    let both = format!("--distribution {} --distribution {id}", world.distribution);
    world.deploy(&site).with(&both).await.succeeds();
    let ran = world.unstale("invalidations").with(&both).await.succeeds();
    let ran = ran.says(&id).says(&world.distribution);
    ran.never_says("not shown");
}

#[tokio::test]
async fn a_url_without_a_host_is_refused() {
    let world = World::new().await;
    for url in ["https://", "http:///x", "https://:443/x"] {
        let ran = world.unstale("invalidate").arg(url).await.exits(2);
        ran.says("without a host");
    }
    assert_eq!(world.purged(), [""; 0]);
}

fn invalidate(world: &World) -> Unstale {
    let unstale = Unstale::new("invalidate --endpoint-url").arg(world.endpoint());
    unstale.with("--distribution").arg(&world.distribution)
}

fn list(site: &Site, text: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = site.project().join("paths.txt");
    std::fs::write(&path, text).unwrap();
    path
}

/// Lets CloudFront take so many of 50 wildcards, and deny the others.
async fn cut_short(after: usize) -> Ran {
    let (world, site) = (World::new().await, Site::empty());
    let taken = AtomicUsize::new(0);
    world.set_rule(move |request| match request.operation {
        "CreateInvalidation" if taken.fetch_add(1, SeqCst) >= after => {
            Fault::Fail(403, "AccessDenied")
        }
        _ => Fault::None,
    });
    let wildcards: String = (0..50).map(|at| format!("/{at}/*\n")).collect();
    let file = list(&site, wildcards);
    let ran = invalidate(&world).arg("--paths-from").arg(file);
    ran.await.exits(1)
}

#[tokio::test]
async fn one_path_is_no_paths() {
    let ran = cut_short(1).await.says(" took 1 path as ");
    ran.never_says("took 1 paths");
}

/// What was taken stands on stdout already.
#[tokio::test]
async fn an_error_is_not_as_long_as_the_purge() {
    let ran = cut_short(40).await;
    assert_eq!(ran.stderr.matches(" took ").count(), 1, "{ran}");
    ran.says("paths in 40 invalidations");
}

#[tokio::test]
async fn how_to_go_on_is_told_whatever_failed() {
    let ran = cut_short(1).await.says("--paths-from FILE");
    ran.says("allow cloudfront:CreateInvalidation")
        .never_says("--distribution ");
}

#[tokio::test]
async fn how_to_go_on_tells_the_distribution_that_is_left() {
    let (world, id) = (World::new().await, "E2SECONDOFTWO");
    second(&world);
    for (denied, whose) in [
        (vec![id], "--distribution E2SECONDOFTWO"),
        (vec![id, &world.distribution], "--distribution ID, for each"),
    ] {
        let seen = AtomicUsize::new(0);
        let last = 4 - denied.len();
        world.set_rule(move |request| match request.operation {
            "CreateInvalidation" if seen.fetch_add(1, SeqCst) >= last - 1 => {
                Fault::Fail(403, "AccessDenied")
            }
            _ => Fault::None,
        });
        let ran = invalidate(&world).with("/a/* /b/* --distribution").arg(id);
        ran.await.exits(1).says(whose);
    }
}

/// The owner of a bucket has nothing to do with CloudFront.
#[tokio::test]
async fn a_right_at_cloudfront_is_not_a_matter_of_buckets() {
    cut_short(1).await.never_says("--expected-bucket-owner");
}

#[tokio::test]
async fn a_refused_line_is_not_printed_whole() {
    let (world, site) = (World::new().await, Site::empty());
    let file = list(&site, format!("/{}\n", "x".repeat(1_000_000)));
    let ran = invalidate(&world).arg("--paths-from").arg(file);
    let ran = ran.await.exits(2);
    let length = ran.stderr.len();
    assert!(length < 20_000, "{length} bytes on stderr");
}

/// A pipe that nobody writes to.
#[tokio::test]
async fn a_signal_ends_the_reading_of_a_pipe() {
    let (world, site) = (World::new().await, Site::empty());
    let pipe = site.project().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let mut running = invalidate(&world).arg("--paths-from").arg(&pipe).start();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let id = running.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    let ended = running.child.try_wait().unwrap();
    running.child.kill().unwrap();
    assert_eq!(ended.and_then(|status| status.code()), Some(130));
}

/// At CloudFront's rate four wildcards take three seconds to send: the wait comes after that.
#[tokio::test]
async fn the_time_for_the_wait_is_not_spent_on_sending() {
    let world = World::new().await;
    world.cloud_options(|options| options.invalidation_time = Duration::from_secs(1));
    let clock = world.clock().clone();
    let ticking = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            clock.advance(Duration::from_millis(100));
        }
    });
    let ran = Unstale::new("invalidate /a* /b* /c* /d* --timeout 3s --distribution")
        .arg(&world.distribution)
        .env("AWS_ENDPOINT_URL_CLOUDFRONT", world.endpoint())
        .await;
    ticking.abort();
    ran.succeeds().says("Purged 4 paths");
}

#[tokio::test]
async fn a_list_that_is_cut_says_so() {
    let (world, site) = (World::new().await, Site::empty());
    let wildcards: String = (0..105).map(|at| format!("/{at}/*\n")).collect();
    let file = list(&site, wildcards);
    invalidate(&world)
        .arg("--paths-from")
        .arg(file)
        .await
        .succeeds();
    let ran = world.unstale("invalidations").await.succeeds();
    assert_eq!(ran.stdout.lines().count(), 100);
    ran.says(&format!("older ones of {}", world.distribution));
    let ran = world.unstale("invalidations --json").await.succeeds();
    let cut = serde_json::json!([world.distribution]);
    assert_eq!(ran.summary()["older-not-shown"], cut);
}

#[tokio::test]
async fn what_was_taken_is_told_once() {
    let world = World::new().await;
    let ran = invalidate(&world).arg("/x").await.succeeds();
    ran.says(" (1 path)").never_says("Purging");
    let ran = invalidate(&world).arg("www.example.com/x").await.exits(2);
    ran.says("unstale invalidate 'https://www.example.com/x'");
}
