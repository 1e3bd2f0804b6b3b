//! Every fifth request fails, in every way that S3, CloudFront and networks fail.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_cloudfront::{Fault, RequestInfo};

use crate::mishap::{as_deployed, assert_whole, builds, deploy, deployed, lease_runs_out, setting};
use crate::support::World;

/// Numbers as if drawn by lot, the same for each seed (Marsaglia, "Xorshift RNGs").
pub struct Lots(u64);

impl Lots {
    pub fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

fn fault(lots: &mut Lots, request: &RequestInfo) -> Fault {
    if lots.below(5) != 0 {
        return Fault::None;
    }
    match lots.below(10) {
        0 => Fault::Fail(503, "SlowDown"),
        1 => Fault::Fail(500, "InternalError"),
        2 => Fault::FailAfter(503, "SlowDown"),
        3 => Fault::FailAfter(500, "InternalError"),
        4 => Fault::Reset,
        5 => Fault::ResetAfter,
        6 | 7 if matches!(request.operation, "CopyObject" | "DeleteObjects") => {
            Fault::ErrorIn200("InternalError")
        }
        6 => Fault::Fail(429, "Throttling"),
        7 | 8 => Fault::TruncateAnswer,
        _ => Fault::Delay(Duration::from_millis(30)),
    }
}

fn with_faults(world: &World, seed: u64) {
    let lots = Mutex::new(Lots::new(seed));
    world.set_rule(move |request| fault(&mut lots.lock().unwrap(), request));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_fifth_request_failing_it_ends_well_or_the_next_deploy_does() {
    let seeds = setting("UNSTALE_FAULT_SEEDS").and_then(|text| text.parse().ok());
    let [a, b, _] = builds();
    let wanted = as_deployed(&b).await;
    let mut incomplete = 0;
    let seeds = seeds.unwrap_or(3);
    for seed in 0..seeds {
        let world = deployed(&a).await;
        with_faults(&world, seed);
        let ran = deploy(&world, &b).await;
        world.clear_rule();
        assert!(matches!(ran.exit, Some(0 | 4)), "seed {seed}: {ran}");
        if ran.exit == Some(4) {
            incomplete += 1;
            lease_runs_out(&world);
            world.warm(&b).await;
            deploy(&world, &b).await.succeeds();
        }
        assert_whole(&world, &b, &wanted).await;
        world.assert_idle(deploy(&world, &b)).await;
    }
    eprintln!("{seeds} seeds of faults, {incomplete} ended incomplete");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_refused_keeps_back_the_pages_and_not_the_purge() {
    let [a, b, _] = builds();
    let wanted = as_deployed(&b).await;
    for refused in ["assets/logo.77aa01f3c2.svg", "posts/b/index.html"] {
        let world = deployed(&a).await;
        world.set_rule(move |request| match request.operation {
            "PutObject" if request.key == refused => Fault::Fail(403, "AccessDenied"),
            _ => Fault::None,
        });
        let ran = deploy(&world, &b).await.exits(4).says(refused);
        world.clear_rule();
        assert!(world.stale().await.is_empty(), "{ran}");
        if refused.starts_with("assets") {
            let index = world.body(crate::support::BUCKET, "index.html").unwrap();
            assert_eq!(index, a.files()["index.html"], "held back");
        }
        deploy(&world, &b).await.succeeds();
        assert_whole(&world, &b, &wanted).await;
    }
}

/// Somebody else's upload of the very content that the build has is never told to the edges by the one who made it.
#[tokio::test]
async fn what_is_adopted_is_purged_although_an_upload_fails() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    let theirs = b.files()["about.html"].clone();
    let headers = world
        .object(crate::support::BUCKET, "about.html")
        .unwrap()
        .headers
        .clone();
    let put = world.put_object(crate::support::BUCKET, "about.html", theirs, headers);
    put.await.unwrap();
    world.set_rule(|request| match request.operation {
        "PutObject" if request.key == "index.html" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    deploy(&world, &b).await.exits(4);
    world.clear_rule();
    deploy(&world, &b).await.succeeds();
    world.assert_fresh(&b, "").await;
}

#[tokio::test]
async fn deletes_that_are_refused_whole_do_not_keep_back_the_purge() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    world.set_rule(|request| match request.operation {
        "DeleteObjects" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    deploy(&world, &b).await.exits(4);
    world.clear_rule();
    assert_eq!(world.stale().await, [""; 0]);
    deploy(&world, &b).await.succeeds();
    assert_whole(&world, &b, &as_deployed(&b).await).await;
}

/// Batches that were recorded when an upload had failed say nothing of what it would have changed.
#[tokio::test]
async fn a_crash_after_a_failed_upload_owes_what_that_changes_later() {
    let site = crate::support::Site::of(&[("index.html", "<p>1"), ("x/a.html", "<p>a")]);
    let world = deployed(&site).await;
    site.write("index.html", "<p>2");
    site.write("x/a.html", "<p>b");
    let gate = local_cloudfront::Gate::new();
    let held = gate.clone();
    world.set_rule(move |request| match request.operation {
        "PutObject" if request.key == "index.html" => Fault::Fail(403, "AccessDenied"),
        "CreateInvalidation" => Fault::HoldAfter(held.clone()),
        _ => Fault::None,
    });
    let run = deploy(&world, &site).start();
    gate.arrived().await;
    run.killed().await;
    world.clear_rule();
    gate.open();
    lease_runs_out(&world);
    deploy(&world, &site).await.succeeds();
    world.assert_fresh(&site, "").await;
}

/// A connection over which nothing comes is given up after the time that one attempt may take.
#[tokio::test]
async fn an_answer_that_never_comes_is_asked_for_again() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    for fault in [Fault::Stall, Fault::StallAfter] {
        let puts = |request: &RequestInfo| request.key == "index.html";
        crate::mishap::at_request(&world, 1, puts, fault);
        let site = if world.body(crate::support::BUCKET, "new.txt").is_some() {
            &a
        } else {
            &b
        };
        deploy(&world, site).await.succeeds();
        world.clear_rule();
        assert_whole(&world, site, &as_deployed(site).await).await;
    }
}

/// On a slow line more at once would let every attempt run out of time, and with them the lock.
#[tokio::test]
async fn no_more_is_sent_at_once_than_a_slow_line_carries_until_it_is_known() {
    let site = crate::support::Site::of(&[("index.html", "<p>1")]);
    for number in 0..64 {
        site.write(&format!("{number}.bin"), format!("{number:40000}"));
    }
    let world = World::new().await;
    let gate = local_cloudfront::Gate::new();
    let (held, arrived) = (gate.clone(), Arc::new(AtomicUsize::new(0)));
    let count = arrived.clone();
    world.set_rule(move |request| {
        if request.key.ends_with(".bin") {
            count.fetch_add(1, Ordering::SeqCst);
            Fault::HoldBefore(held.clone())
        } else {
            Fault::None
        }
    });
    let run = deploy(&world, &site).start();
    gate.arrived().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let at_once = arrived.load(Ordering::SeqCst);
    assert!(at_once <= 8, "{at_once} of 40 kB at once");
    gate.open();
    run.ended().await.succeeds();
    assert_eq!(arrived.load(Ordering::SeqCst), 64);
    world.assert_fresh(&site, "").await;
}
