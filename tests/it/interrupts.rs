//! Ctrl-C, and SIGTERM as CI sends it.

use std::process::Command;
use std::time::Duration;

use local_cloudfront::{Fault, Gate, RequestInfo};

use crate::mishap::{
    as_deployed, assert_whole, at_request, builds, debts, deploy, deployed, lease_runs_out,
    lock_is_free,
};
use crate::support::{Site, World};

pub fn signal(name: &str, process: u32) {
    let kill = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .status();
    assert!(kill.unwrap().success());
}

fn puts_a_page(request: &RequestInfo) -> bool {
    request.operation == "PutObject" && request.key == "posts/a/index.html"
}

async fn said_to_stop(world: &World) {
    // The request that stands at the gate is in flight: it may end.
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.clear_rule();
}

#[tokio::test]
async fn the_first_signal_ends_in_order_and_the_next_deploy_completes() {
    let [a, b, _] = builds();
    let wanted = as_deployed(&b).await;
    for name in ["INT", "TERM"] {
        let world = deployed(&a).await;
        let gate = Gate::new();
        at_request(&world, 1, puts_a_page, Fault::HoldBefore(gate.clone()));
        let run = deploy(&world, &b).start();
        gate.arrived().await;
        signal(name, run.child.id());
        said_to_stop(&world).await;
        gate.open();
        let ran = run.ended().await.exits(130);
        ran.says("the next deploy makes it good");
        assert!(lock_is_free(&world));
        assert_eq!(debts(&world).len(), 1);
        let body = world.body(crate::support::BUCKET, "index.html").unwrap();
        assert_eq!(body, a.files()["index.html"], "nothing more was begun");
        world.clock().advance(Duration::from_secs(5));
        world.warm(&b).await;
        deploy(&world, &b).await.succeeds();
        assert_whole(&world, &b, &wanted).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_without_end_is_not_read_to_its_end() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    let endless = std::fs::File::create(site.dir().join("disk.img")).unwrap();
    endless.set_len(1 << 40).unwrap();
    let gate = Gate::new();
    at_request(&world, 1, |_| true, Fault::HoldBefore(gate.clone()));
    let run = deploy(&world, &site).start();
    gate.arrived().await;
    signal("INT", run.child.id());
    gate.open();
    run.ended().await.exits(130);
}

#[tokio::test]
async fn what_hangs_is_not_waited_for_longer_than_some_seconds() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    let gate = Gate::new();
    at_request(&world, 1, puts_a_page, Fault::HoldBefore(gate.clone()));
    let run = deploy(&world, &b).start();
    gate.arrived().await;
    signal("INT", run.child.id());
    run.ended().await.exits(130);
    // What was given up may take effect yet, so the lease runs out.
    assert!(!lock_is_free(&world));
    deploy(&world, &b).with("--lock-wait 1s").await.exits(6);
    gate.open();
    lease_runs_out(&world);
    world.warm(&b).await;
    deploy(&world, &b).await.succeeds();
    assert_whole(&world, &b, &as_deployed(&b).await).await;
}

#[tokio::test]
async fn the_second_signal_ends_it_at_once() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    let gate = Gate::new();
    at_request(&world, 1, puts_a_page, Fault::HoldBefore(gate.clone()));
    let run = deploy(&world, &b).start();
    gate.arrived().await;
    let begun = std::time::Instant::now();
    signal("INT", run.child.id());
    tokio::time::sleep(Duration::from_millis(300)).await;
    signal("INT", run.child.id());
    run.ended().await.exits(130);
    assert!(begun.elapsed() < Duration::from_secs(4), "patience is 5 s");
    world.clear_rule();
    gate.open();
    // What it had under way may take effect yet.
    deploy(&world, &b).with("--lock-wait 1s").await.exits(6);
    lease_runs_out(&world);
    deploy(&world, &b).with("--lock-wait 0s").await.succeeds();
    assert_whole(&world, &b, &as_deployed(&b).await).await;
}

#[tokio::test]
async fn interrupted_between_batches_it_says_that_something_is_owed() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    let gate = Gate::new();
    let asks = |request: &RequestInfo| request.operation == "CreateInvalidation";
    at_request(&world, 1, asks, Fault::HoldAfter(gate.clone()));
    let run = deploy(&world, &b).start();
    gate.arrived().await;
    signal("TERM", run.child.id());
    said_to_stop(&world).await;
    gate.open();
    run.ended().await.exits(130);
    assert!(lock_is_free(&world));
    world.clock().advance(Duration::from_secs(5));
    world.warm(&b).await;
    deploy(&world, &b).await.succeeds();
    assert_whole(&world, &b, &as_deployed(&b).await).await;
}

#[tokio::test]
async fn interrupted_while_it_waits_it_says_that_everything_is_live() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>1")]));
    world.deploy(&site).await.succeeds();
    world.cloud_options(|options| options.invalidation_time = Duration::from_secs(60));
    site.write("index.html", "<p>2");
    world.forget();
    let run = world.unstale("deploy").arg(site.dir()).start();
    let id = run.child.id();
    let run = tokio::spawn(run.ended());
    world
        .see(&run, || world.count("GetInvalidation") >= 1)
        .await;
    signal("INT", id);
    let ran = run.await.unwrap().exits(130);
    ran.says("Interrupted after ")
        .says("error: interrupted while waiting: everything is live");
}
