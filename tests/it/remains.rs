//! What deploys that died, or that were stopped, leave behind, and what hands do to it before the next deploy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use local_cloudfront::{Fault, Gate, Headers, RequestInfo};

use crate::interrupts::signal;
use crate::mishap::{
    Side, as_deployed, assert_clean, assert_whole, at_request, builds, crash_at, debts, deploy,
    deployed, lease_runs_out, lock_is_free, objects, state,
};
use crate::support::{BUCKET, Site, Unstale, World};

fn puts(key: &'static str) -> impl Fn(&RequestInfo) -> bool + Send + Sync {
    move |request| request.operation == "PutObject" && request.key == key
}

fn invalidates(request: &RequestInfo) -> bool {
    request.operation == "CreateInvalidation"
}

async fn put(world: &World, key: &str, body: &str) {
    let put = world.put_object(BUCKET, key, body.to_owned(), Headers::default());
    put.await.unwrap();
}

/// Kills a deploy whose upload of this key the network delivers when the gate opens.
async fn killed_with_upload_under_way(world: &World, site: &Site, key: &'static str) -> Gate {
    let gate = Gate::new();
    at_request(world, 1, puts(key), Fault::Late(gate.clone()));
    let run = deploy(world, site).start();
    gate.arrived().await;
    run.killed().await;
    world.clear_rule();
    gate
}

/// Opens the gate and waits until what stood there has come about.
async fn delivered(world: &World, gate: &Gate, key: &str, body: &[u8]) {
    gate.open();
    while world.body(BUCKET, key).as_deref() != Some(body) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_a_killed_deploy_are_waited_for() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    let gate = killed_with_upload_under_way(&world, &b, "index.html").await;
    deploy(&world, &a).with("--lock-wait 1s").await.exits(6);
    delivered(&world, &gate, "index.html", &b.files()["index.html"]).await;
    lease_runs_out(&world);
    world.warm(&b).await;
    deploy(&world, &a).await.succeeds();
    assert_whole(&world, &a, &as_deployed(&a).await).await;
}

/// No wait bounds what may still be under way.
#[tokio::test(flavor = "multi_thread")]
async fn what_lands_after_the_next_deploys_end_is_ours_and_put_right() {
    let [a, b, _] = builds();
    let wanted = as_deployed(&a).await;
    for key in ["index.html", "assets/logo.77aa01f3c2.svg", "new.txt"] {
        let world = deployed(&a).await;
        let gate = killed_with_upload_under_way(&world, &b, key).await;
        lease_runs_out(&world);
        deploy(&world, &a).await.succeeds();
        delivered(&world, &gate, key, &b.files()[key]).await;
        world.warm(&b).await;
        world.clock().advance(Duration::from_secs(5));
        deploy(&world, &a).await.succeeds();
        assert_whole(&world, &a, &wanted).await;
        world.assert_idle(deploy(&world, &a)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lands_during_the_next_deploy_is_noticed_before_its_purge() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    let late = killed_with_upload_under_way(&world, &b, "index.html").await;
    lease_runs_out(&world);
    // The dead deploy brought assets, which go again, so that this one has something to do.
    let gate = Gate::new();
    let deletes = |request: &RequestInfo| request.operation == "DeleteObjects";
    at_request(&world, 1, deletes, Fault::HoldBefore(gate.clone()));
    a.write("other.html", "<p>something to do");
    b.write("other.html", "<p>something to do");
    a.remove("leaves.html");
    let run = deploy(&world, &a).start();
    gate.arrived().await;
    world.clear_rule();
    delivered(&world, &late, "index.html", &b.files()["index.html"]).await;
    world.warm(&b).await;
    gate.open();
    run.ended().await.succeeds().says("index.html meanwhile");
    assert_whole(&world, &a, &as_deployed(&a).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_single_interrupt_gave_up_is_waited_for() {
    let [a, b, c] = builds();
    let world = deployed(&a).await;
    let gate = Gate::new();
    at_request(&world, 1, puts("index.html"), Fault::Late(gate.clone()));
    let run = deploy(&world, &b).start();
    gate.arrived().await;
    signal("INT", run.child.id());
    run.ended().await.exits(130);
    world.clear_rule();
    deploy(&world, &c).with("--lock-wait 1s").await.exits(6);
    delivered(&world, &gate, "index.html", &b.files()["index.html"]).await;
    lease_runs_out(&world);
    world.warm(&b).await;
    deploy(&world, &c).await.succeeds();
    assert_whole(&world, &c, &as_deployed(&c).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_before_the_first_change_leaves_nothing() {
    let [a, b, _] = builds();
    let before = as_deployed(&a).await;
    for side in [Side::Before, Side::After] {
        let world = deployed(&a).await;
        let gate = Gate::new();
        let fault = match side {
            Side::Before => Fault::HoldBefore(gate.clone()),
            Side::After => Fault::HoldAfter(gate.clone()),
        };
        at_request(&world, 1, puts(crate::mishap::STATE), fault);
        let run = deploy(&world, &b).start();
        gate.arrived().await;
        signal("INT", run.child.id());
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.clear_rule();
        gate.open();
        run.ended().await.exits(130);
        assert_eq!(debts(&world), [""; 0]);
        assert!(lock_is_free(&world));
        assert_eq!(objects(&world), before);
        world.assert_idle(deploy(&world, &a)).await;
    }
}

/// The lease is taken away while S3 asks a deploy to delete more slowly: its retries must not outlive the lease.
#[tokio::test(flavor = "multi_thread")]
async fn a_delete_is_dropped_with_the_lease() {
    let site = Site::of(&[("index.html", "<p>1"), ("goes.html", "<p>goes")]);
    let world = World::new().await;
    deploy(&world, &site).await.succeeds();
    let slow = Arc::new(AtomicUsize::new(0));
    let asked = slow.clone();
    world.set_rule(move |request| match request.operation {
        "DeleteObjects" => {
            asked.fetch_add(1, Ordering::SeqCst);
            Fault::Fail(503, "SlowDown")
        }
        _ => Fault::None,
    });
    site.remove("goes.html");
    let run = deploy(&world, &site).start();
    while slow.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.unstale("unlock").await.succeeds();
    site.write("goes.html", "<p>goes");
    deploy(&world, &site).await.succeeds();
    run.ended().await.exits(4).says("lease was lost");
    let asked = slow.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(slow.load(Ordering::SeqCst), asked);
    world.clear_rule();
    world.assert_deployed(&site, "");
    assert_clean(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_finds_no_gap_where_a_deploy_died() {
    let history = |request: &RequestInfo| request.key.contains(".unstale/history/");
    type Which = fn(&RequestInfo) -> bool;
    let deaths: [(Which, Side); 3] = [
        (invalidates, Side::Before),
        (history, Side::Before),
        (history, Side::After),
    ];
    for (which, side) in deaths {
        for third in ["<p>2", "<p>3"] {
            let world = World::new().await;
            world.enable_versions(BUCKET).unwrap();
            let site = Site::of(&[("index.html", "<p>1"), ("a.html", "<p>a1")]);
            deploy(&world, &site).await.succeeds();
            let first = site.files();
            world.warm(&site).await;
            world.clock().advance(Duration::from_secs(5));
            site.write("a.html", "<p>2");
            site.write("new.html", "<p>new");
            crash_at(&world, deploy(&world, &site), 1, side, which)
                .await
                .unwrap();
            site.write("a.html", third);
            site.write("index.html", "<p>3");
            deploy(&world, &site).await.succeeds();
            world.warm(&site).await;
            world.clock().advance(Duration::from_secs(5));
            world.unstale("rollback").await.succeeds();
            assert_eq!(world.objects(""), first, "{third}");
            assert!(world.stale().await.is_empty());
        }
    }
}

#[tokio::test]
async fn what_a_hand_wrote_over_a_dead_deploys_page_is_purged() {
    let site = Site::of(&[("index.html", "<p>1"), ("a.html", "<p>a")]);
    let world = deployed(&site).await;
    site.write("a.html", "<p>b");
    crash_at(&world, deploy(&world, &site), 1, Side::After, invalidates)
        .await
        .unwrap();
    put(&world, "a.html", "theirs").await;
    world.warm(&site).await;
    world.clock().advance(Duration::from_secs(5));
    deploy(&world, &site).await.succeeds();
    world.assert_fresh(&site, "").await;
    assert_clean(&world);
}

/// Written over by hand, seen, and put back by hand: the purge that CloudFront took is from before.
#[tokio::test]
async fn an_accepted_batch_speaks_for_nothing_that_was_written_later() {
    let site = Site::of(&[("index.html", "<p>1"), ("a.html", "<p>a")]);
    let world = deployed(&site).await;
    site.write("a.html", "<p>b");
    crash_at(&world, deploy(&world, &site), 1, Side::After, invalidates)
        .await
        .unwrap();
    let right = world.object(BUCKET, "a.html").unwrap().headers.clone();
    put(&world, "a.html", "theirs").await;
    world.warm(&site).await;
    let back = world.put_object(BUCKET, "a.html", "<p>b", right);
    back.await.unwrap();
    world.clock().advance(Duration::from_secs(5));
    deploy(&world, &site).await.succeeds();
    world.assert_fresh(&site, "").await;
    assert_clean(&world);
}

#[tokio::test]
async fn a_page_that_a_dead_deploy_brought_and_a_hand_took_away_is_purged() {
    let site = Site::of(&[("index.html", "<p>1")]);
    let before = as_deployed(&site).await;
    let world = deployed(&site).await;
    site.write("extra/index.html", "<p>extra");
    crash_at(
        &world,
        deploy(&world, &site),
        1,
        Side::After,
        puts("extra/index.html"),
    )
    .await
    .unwrap();
    world.warm(&site).await;
    world.delete_object(BUCKET, "extra/index.html").unwrap();
    site.remove("extra/index.html");
    deploy(&world, &site).await.succeeds();
    assert_whole(&world, &site, &before).await;
}

#[tokio::test]
async fn what_a_dead_deploy_put_into_an_encrypted_bucket_is_ours() {
    let world = World::with(|setup| setup.bucket.kms = true).await;
    let site = Site::of(&[("index.html", "<p>1")]);
    deploy(&world, &site).await.succeeds();
    world.warm(&site).await;
    for name in ["x.html", "y.html"] {
        site.write(name, format!("<p>{name}"));
    }
    // The second write of the state is the end.
    let ends = puts(crate::mishap::STATE);
    crash_at(&world, deploy(&world, &site), 2, Side::Before, ends)
        .await
        .unwrap();
    world.warm(&site).await;
    site.remove("x.html");
    // Of the same size, but somebody else's.
    put(&world, "y.html", "<p>theirs").await;
    site.remove("y.html");
    deploy(&world, &site).await.succeeds();
    assert!(world.object(BUCKET, "x.html").is_none());
    assert_eq!(world.body(BUCKET, "y.html").unwrap(), "<p>theirs");
    world.assert_fresh(&site, "").await;
    assert_clean(&world);
}

#[tokio::test]
async fn assets_of_a_dead_deploys_page_stay_for_open_tabs() {
    const ASSET: &str = "assets/app.91c0e4d7aa.css";
    let site = Site::of(&[("index.html", "<p>1")]);
    let world = World::new().await;
    world.deploy(&site).await.succeeds();
    site.write(ASSET, "p{}");
    site.write(
        "index.html",
        "<link rel=stylesheet href=/assets/app.91c0e4d7aa.css>",
    );
    let dies = puts("index.html");
    crash_at(&world, world.deploy(&site), 1, Side::After, dies)
        .await
        .unwrap();
    site.remove(ASSET);
    site.write("index.html", "<p>2");
    world.deploy(&site).await.succeeds();
    assert!(world.object(BUCKET, ASSET).is_some(), "it stays for a week");
    world.clock().advance(Duration::from_secs(8 * 86_400));
    site.write("index.html", "<p>3");
    world.deploy(&site).await.succeeds();
    assert!(world.object(BUCKET, ASSET).is_none());
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn other_headers_on_the_same_bytes_are_put_right_and_purged() {
    let site = Site::of(&[("index.html", "<p>1"), ("a.html", "<p>a")]);
    let world = World::new().await;
    deploy(&world, &site).await.succeeds();
    world.clock().advance(Duration::from_secs(5));
    let wrong = Headers {
        content_type: Some("text/plain".into()),
        cache_control: Some("max-age=31536000".into()),
        ..Headers::default()
    };
    let over = world.put_object(BUCKET, "a.html", "<p>a", wrong);
    over.await.unwrap();
    world.warm(&site).await;
    world.clock().advance(Duration::from_secs(5));
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(
        world.site_writes(),
        ["CopyObject a.html", "CreateInvalidation"]
    );
    world.assert_deployed(&site, "");
    world.assert_fresh(&site, "").await;
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test]
async fn uploads_in_parts_of_a_dead_deploy_are_given_up() {
    let site = Site::of(&[("index.html", "<p>1")]);
    let world = deployed(&site).await;
    site.write("video.mp4", vec![7; 17 << 20]);
    let parts = |request: &RequestInfo| request.operation == "UploadPart";
    crash_at(&world, deploy(&world, &site), 2, Side::Before, parts)
        .await
        .unwrap();
    assert_eq!(world.open_uploads(), 1);
    site.remove("video.mp4");
    deploy(&world, &site).await.succeeds();
    assert_clean(&world);
}

#[tokio::test]
async fn a_denied_purge_says_what_to_allow_and_is_paid_by_the_next() {
    let site = Site::of(&[("index.html", "<p>1"), ("a.html", "<p>a")]);
    let world = deployed(&site).await;
    site.write("a.html", "<p>b");
    world.set_rule(|request| match request.operation {
        "CreateInvalidation" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    let ran = deploy(&world, &site).await.exits(4);
    ran.says("allow cloudfront:CreateInvalidation");
    world.clear_rule();
    assert_eq!(debts(&world).len(), 1);
    assert!(lock_is_free(&world));
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), ["/a.html"]);
    world.assert_fresh(&site, "").await;
    assert_clean(&world);
}

/// CloudFront's clock may be another than the bucket's: the lease goes by the bucket's alone.
#[tokio::test(flavor = "multi_thread")]
async fn another_endpoint_s_date_does_not_set_the_lease_s_clock() {
    let [a, _, _] = builds();
    let (world, ahead) = (World::new().await, World::new().await);
    ahead.clock().advance(Duration::from_hours(24));
    let gate = Gate::new();
    at_request(
        &world,
        1,
        puts("index.html"),
        Fault::HoldBefore(gate.clone()),
    );
    let run = Unstale::new("deploy --bucket")
        .arg(BUCKET)
        .arg(a.dir())
        .with("--distribution")
        .arg(&*ahead.distribution)
        .env("AWS_ENDPOINT_URL_S3", world.endpoint())
        .env("AWS_ENDPOINT_URL_CLOUDFRONT", ahead.endpoint())
        .start();
    gate.arrived().await;
    assert_eq!(ahead.count("GetDistribution"), 1);
    let now = world.clock().now().duration_since(UNIX_EPOCH).unwrap();
    let deadline = state(&world)["lease"]["deadline"].as_i64().unwrap();
    // The server's clock stands while the tool's runs on.
    let left = deadline - now.as_secs() as i64;
    assert!((60..3600).contains(&left), "{left}");
    gate.open();
    run.ended().await.succeeds();
}
