//! What CloudFront is sent: to which distribution, which paths, once, and waited for.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use local_cloudfront::{Distribution, Fault};

use crate::support::{BUCKET, Site, World};

fn site() -> Site {
    Site::of(&[
        ("index.html", "<p>1"),
        ("about.html", "<p>about"),
        ("app.css", "p{}"),
    ])
}

/// Deployed, warm, and changed since.
async fn changed(world: &World) -> Site {
    let site = site();
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    site.write("about.html", "<p>us");
    world.forget();
    site
}

/// Fails the first `times` requests of an operation.
fn fail_first(world: &World, operation: &'static str, times: usize, fault: Fault) {
    let seen = AtomicUsize::new(0);
    world.set_rule(move |request| {
        if request.operation == operation && seen.fetch_add(1, Ordering::Relaxed) < times {
            return fault.clone();
        }
        Fault::None
    });
}

#[tokio::test]
async fn a_distribution_is_found_by_id_alias_domain_or_bucket() {
    let world = World::with(|setup| setup.distribution.aliases = vec!["www.example.com".into()]);
    let world = world.await;
    let domain = world.distribution(&world.distribution).unwrap().domain;
    let id = world.distribution.clone();
    let site = changed(&world).await;
    for (at, name) in [&id, "www.example.com", "WWW.Example.com", &domain, "auto"]
        .into_iter()
        .enumerate()
    {
        world.forget();
        site.write("about.html", format!("<p>{at}"));
        let deploy = world.deploy(&site).with("--distribution").arg(name);
        deploy.await.succeeds();
        assert_eq!(world.purged(), ["/about.html"], "{name}");
    }
}

#[tokio::test]
async fn without_a_distribution_it_is_a_warning_and_stays_owed() {
    let (world, site) = (World::new().await, site());
    let distribution = world.distribution(&world.distribution).unwrap();
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    world.remove_distribution(&distribution.id);
    site.write("about.html", "<p>us");
    let ran = world.deploy(&site).await.succeeds();
    ran.says("warning:").says("nothing is purged");
    world.assert_deployed(&site, "");

    world.set_distribution(distribution);
    world.warm(&site).await;
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(world.purged(), ["/*"], "nobody knows what it was told");
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn none_is_no_warning() {
    let (world, site) = (World::new().await, site());
    let deploy = || world.deploy(&site).with("--distribution none");
    deploy().await.succeeds().never_says("warning");
    site.write("about.html", "<p>us");
    deploy().await.succeeds().never_says("warning");
    assert_eq!(world.purged(), [""; 0]);
    world.assert_idle(deploy()).await;
}

#[tokio::test]
async fn of_several_distributions_nobody_guesses_one() {
    let (world, site) = (World::new().await, site());
    let mut second = Distribution::for_bucket(BUCKET);
    second.id = "E2SECOND000000".into();
    second.aliases = vec!["second.example.com".into()];
    world.set_distribution(second);
    let ran = world.deploy(&site).await.exits(2);
    ran.says(&world.distribution)
        .says("E2SECOND000000")
        .says("second.example.com")
        .says("--distribution");
    assert_eq!(world.writes(), [""; 0]);

    let both = || {
        let deploy = world
            .deploy(&site)
            .with("--distribution second.example.com");
        deploy.with("--distribution").arg(&world.distribution)
    };
    both().await.succeeds();
    site.write("about.html", "<p>us");
    both().await.succeeds();
    for id in [world.distribution.as_str(), "E2SECOND000000"] {
        let sent = world.invalidations(id);
        assert_eq!(sent.len(), 2, "{id}");
        assert_eq!(*sent[0].items, ["/*"], "{id}");
        assert_eq!(*sent[1].items, ["/about.html"], "{id}");
    }
    world.assert_idle(both()).await;
}

#[tokio::test]
async fn a_lost_answer_is_not_paid_twice() {
    let world = World::new().await;
    let site = changed(&world).await;
    let faults = [
        Fault::ResetAfter,
        Fault::FailAfter(503, "ServiceUnavailable"),
        Fault::TruncateAnswer,
    ];
    for (at, fault) in faults.into_iter().enumerate() {
        world.forget();
        site.write("about.html", format!("<p>{at}"));
        fail_first(&world, "CreateInvalidation", 1, fault);
        world.deploy(&site).await.succeeds();
        assert!(world.count("CreateInvalidation") > 1, "asked again");
        assert_eq!(world.purged(), ["/about.html"], "and accepted once");
        world.assert_fresh(&site, "").await;
    }
}

#[tokio::test]
async fn cloudfronts_pace_is_kept() {
    for code in ["TooManyInvalidationsInProgress", "Throttling"] {
        let world = World::new().await;
        let site = changed(&world).await;
        fail_first(&world, "CreateInvalidation", 1, Fault::Fail(400, code));
        world.deploy(&site).await.succeeds();
        assert_eq!(world.purged(), ["/about.html"], "{code}");
        world.assert_fresh(&site, "").await;
    }
}

#[tokio::test]
async fn each_deploy_has_references_of_its_own() {
    let world = World::new().await;
    let site = changed(&world).await;
    for text in ["<p>1", "<p>2", "<p>1", "<p>2"] {
        site.write("about.html", text);
        world.deploy(&site).await.succeeds();
        world.assert_fresh(&site, "").await;
    }
    let sent = world.invalidations(&world.distribution);
    assert_eq!(sent.len(), 1 + 4, "the same content again is purged again");
}

#[tokio::test]
async fn a_refused_apostrophe_is_solved_again() {
    let world = World::with(|setup| setup.cloud.refuses_apostrophe = true).await;
    let site = site();
    site.write("posts/it's.html", "<p>1");
    site.write("posts/other.html", "<p>");
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    site.write("posts/it's.html", "<p>2");
    site.write("about.html", "<p>us");
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(world.purged(), ["/about.html", "/posts/i*"]);
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_split() {
    let world = World::with(|setup| setup.cloud.most_paths = 2).await;
    let site = Site::of(&[("index.html", "<p>")]);
    let write = |text: &str| {
        for name in ["a", "b", "c", "d"] {
            site.write(&format!("{name}.html"), text);
        }
    };
    write("<p>1");
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    write("<p>2");
    world.forget();
    let deploy = world.deploy(&site).with("--purge exact");
    deploy.await.succeeds();
    assert_eq!(world.purged(), ["/a.html", "/b.html", "/c.html", "/d.html"]);
    assert_eq!(world.count("CreateInvalidation"), 1 + 2);
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

/// A world whose purges from now on complete when its clock is moved.
fn slow_down(world: &World) {
    world.cloud_options(|options| options.invalidation_time = Duration::from_secs(60));
}

#[tokio::test]
async fn it_waits_until_the_purge_is_completed() {
    let world = World::new().await;
    let site = changed(&world).await;
    slow_down(&world);
    let running = tokio::spawn(world.deploy(&site).into_future());
    world
        .see(&running, || world.count("GetInvalidation") >= 2)
        .await;
    assert!(!running.is_finished());
    world.clock().advance(Duration::from_secs(61));
    running.await.unwrap().succeeds();
}

#[tokio::test]
async fn or_not() {
    let world = World::new().await;
    let site = changed(&world).await;
    slow_down(&world);
    world.deploy(&site).with("--no-wait").await.succeeds();
    assert_eq!(world.count("GetInvalidation"), 0);
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn or_not_for_ever() {
    let world = World::new().await;
    let site = changed(&world).await;
    slow_down(&world);
    let ran = world.deploy(&site).with("--timeout 1s").await.exits(5);
    let id = world.invalidations(&world.distribution)[1].id.clone();
    ran.says(&id).says("unstale invalidations --wait");
    world.assert_deployed(&site, "");
    world.clock().advance(Duration::from_secs(61));
    let wait = world.unstale("invalidations --wait");
    wait.await.succeeds().says(&id);
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn new_headers_land_without_an_upload() {
    let world = World::new().await;
    let site = site();
    let rule = |value: &str| {
        let toml = format!("[[headers]]\nmatch = \"*.css\"\ncache-control = \"{value}\"");
        fs::write(site.project().join("deploy.toml"), toml).unwrap();
    };
    let deploy = || world.deploy(&site).within(site.project());
    rule("max-age=60");
    deploy().await.succeeds();
    world.warm(&site).await;
    rule("max-age=120");
    world.forget();
    deploy().await.succeeds();
    assert_eq!(
        world.site_writes(),
        ["CopyObject app.css", "CreateInvalidation"]
    );
    assert_eq!(world.purged(), ["/app.css"]);
    let served = world.cold("/app.css").await;
    assert_eq!(served.header("cache-control"), Some("max-age=120"));
    assert_eq!(
        served.header("content-type"),
        Some("text/css; charset=utf-8"),
        "the other headers stay"
    );
    world.assert_fresh(&site, "").await;
    world.assert_idle(deploy()).await;
}

#[tokio::test]
async fn a_distribution_that_was_changed_is_purged_whole_once() {
    type Change = fn(&mut Distribution);
    let changes: [(&str, Change); 3] = [
        ("the root", |it| it.root = Some("about.html".into())),
        ("error pages", |it| it.errors.clear()),
        ("the origin's path", |it| it.origins[0].path = "/x".into()),
    ];
    for (what, change) in changes {
        let world = World::new().await;
        let site = changed(&world).await;
        world.deploy(&site).await.succeeds();
        let mut distribution = world.distribution(&world.distribution).unwrap();
        change(&mut distribution);
        world.set_distribution(distribution);
        world.forget();
        world.deploy(&site).await.succeeds();
        assert_eq!(world.purged(), ["/*"], "{what}");
        world.assert_settled(&site).await;
    }
}

#[tokio::test]
async fn purging_off_leaves_it_owed() {
    let world = World::new().await;
    let site = changed(&world).await;
    world.deploy(&site).with("--purge none").await.succeeds();
    assert_eq!(world.purged(), [""; 0]);
    assert_eq!(world.stale().await.len(), 1);
    world
        .assert_idle(world.deploy(&site).with("--purge none"))
        .await;
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(world.purged(), ["/about.html"]);
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

/// Has CloudFront refuse all invalidations but the first.
fn take_one_alone(world: &World) {
    let asked = AtomicUsize::new(0);
    world.set_rule(move |request| {
        let is_next =
            request.operation == "CreateInvalidation" && asked.fetch_add(1, Ordering::Relaxed) > 0;
        if is_next {
            Fault::Fail(403, "AccessDenied")
        } else {
            Fault::None
        }
    });
}

#[tokio::test]
async fn what_was_taken_of_a_purge_is_not_sent_and_paid_again() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    let write = |page: usize, text: &str| {
        site.write(&format!("{page:03}.html"), format!("<p>{text} {page}"));
    };
    (0..400).for_each(|page| write(page, "one"));
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    (0..400).step_by(2).for_each(|page| write(page, "two"));
    world.forget();
    take_one_alone(&world);
    let deploy = || world.deploy(&site).with("--purge exact --free-paths 0");
    let first = deploy().await.exits(4);
    first.says("$0.75").says("owed         50 paths");
    world.clear_rule();
    let next = deploy().with("--json").await.succeeds();
    assert_eq!(next.summary()["paths-purged"], 50, "{next}");
    assert_eq!(world.purged().len(), 200);
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

/// A page that cannot be deleted has the purge chosen anew, and what was refused of it stays owed.
#[tokio::test]
async fn what_was_refused_of_a_purge_is_owed_though_an_object_failed_too() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    let write = |page: usize, text: &str| {
        site.write(&format!("{page:03}.html"), format!("<p>{text} {page}"));
    };
    (0..400).for_each(|page| write(page, "one"));
    site.write("gone.css", "p {}");
    site.write("z.html", "<p>old");
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    (0..400).step_by(2).for_each(|page| write(page, "two"));
    site.remove("z.html");
    site.remove("gone.css");
    let asked = AtomicUsize::new(0);
    world.set_rule(move |request| {
        let is_next =
            request.operation == "CreateInvalidation" && asked.fetch_add(1, Ordering::Relaxed) > 0;
        let is_denied = request.operation == "DeleteObjects";
        if is_next || is_denied {
            Fault::Fail(403, "AccessDenied")
        } else {
            Fault::None
        }
    });
    let deploy = || {
        world
            .deploy(&site)
            .with("--purge exact --free-paths 0 --retain 0s")
    };
    deploy().await.exits(4).says("owed");
    world.clear_rule();
    deploy().await.succeeds();
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn the_purge_before_removed_assets_is_not_sent_again() {
    let (world, site) = (
        World::new().await,
        Site::of(&[("index.html", "<link href=a.css>")]),
    );
    site.write("a.css", "p {}");
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    site.write("index.html", "<p>");
    site.remove("a.css");
    world.forget();
    take_one_alone(&world);
    let deploy = || world.deploy(&site).with("--retain 0s --purge exact");
    deploy().await.exits(4).says("owed         1 path");
    world.clear_rule();
    deploy().await.succeeds();
    let purged: Vec<String> = world.purged();
    assert_eq!(
        purged.iter().filter(|path| *path == "/a.css").count(),
        1,
        "{purged:?}"
    );
    assert_eq!(
        purged.iter().filter(|path| *path == "/").count(),
        1,
        "{purged:?}"
    );
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn all_is_one_path() {
    let world = World::new().await;
    let site = changed(&world).await;
    world.deploy(&site).with("--purge all").await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    world.forget();
    world
        .assert_idle(world.deploy(&site).with("--purge all"))
        .await;
}

#[tokio::test]
async fn a_bucket_that_was_filled_by_others_is_purged_whole_once() {
    let (world, site) = (World::new().await, site());
    let headers = local_cloudfront::Headers::default();
    let put = world.put_object(BUCKET, "index.html", "<p>old", headers);
    put.await.unwrap();
    world.warm(&site).await;
    world.deploy(&site).await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn throttled_uploads_arrive_all_the_same() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    for number in 0..40 {
        site.write(&format!("p{number}.html"), "<p>");
    }
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    world.set_rule(move |request| {
        let put = request.operation == "PutObject" && request.key.ends_with(".html");
        if put && count.fetch_add(1, Ordering::Relaxed) % 7 == 3 {
            Fault::Fail(503, "SlowDown")
        } else {
            Fault::None
        }
    });
    world.deploy(&site).await.succeeds();
    assert!(seen.load(Ordering::Relaxed) > 41, "some were sent again");
    world.clear_rule();
    world.assert_deployed(&site, "");
    world.assert_settled(&site).await;
}
