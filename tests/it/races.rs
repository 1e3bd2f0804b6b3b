//! Two deploys at once, clocks that disagree, owners that died elsewhere, and hands that meddle with the bucket.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use local_cloudfront::{Conditions, Fault, Gate, Headers, RequestInfo};
use serde_json::json;

use crate::mishap::{
    STATE, as_deployed, assert_clean, assert_whole, at_request, builds, debts, deploy, deployed,
    objects, put_state, setting, state,
};
use crate::support::{BUCKET, Site, World};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_deploys_at_once_one_wins_whole() {
    let rounds = setting("UNSTALE_RACES").and_then(|text| text.parse().ok());
    let [a, b, c] = builds();
    let (of_b, of_c) = (as_deployed(&b).await, as_deployed(&c).await);
    for round in 0..rounds.unwrap_or(4) {
        let world = deployed(&a).await;
        let first = deploy(&world, &b).start();
        tokio::time::sleep(Duration::from_millis(7 * (round % 8))).await;
        let second = deploy(&world, &c).start();
        let (first, second) = tokio::join!(first.ended(), second.ended());
        first.succeeds();
        second.succeeds();
        let (site, wanted) = if objects(&world) == of_b {
            (&b, &of_b)
        } else {
            (&c, &of_c)
        };
        assert_whole(&world, site, wanted).await;
        world.assert_idle(deploy(&world, site)).await;
    }
}

/// Puts a lease that somebody holds, with a deadline so many seconds from the world's now.
pub async fn lease_of(world: &World, host: &str, deadline: i64) {
    let mut state = state(world);
    let now = world.clock().now().duration_since(UNIX_EPOCH).unwrap();
    state["counter"] = json!(state["counter"].as_u64().unwrap() + 1);
    state["lease"] = json!({
        "deploy": "another", "user": "mallory", "host": host, "pid": 1, "write_id": "another",
        "deadline": now.as_secs() as i64 + deadline,
    });
    put_state(world, state).await;
}

#[tokio::test]
async fn held_by_another_it_waits_and_says_who_and_until_when() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    lease_of(&world, "elsewhere", 40).await;
    world.forget();
    let ran = deploy(&world, &b).with("--lock-wait 2s").await.exits(6);
    assert_eq!(world.writes(), [""; 0]);
    let until = world.clock().now() + Duration::from_secs(40 + 30);
    let until = local_cloudfront::iso_date(until);
    let awaited = ran.says("mallory@elsewhere").says(&until[..19]);
    let awaited = awaited.told("lock-awaited");
    // The world's clock stands while the tool's runs on.
    let ends_in = awaited["ends-in-seconds"].as_u64().unwrap();
    assert!((30..=70).contains(&ends_in), "{ends_in}");
}

#[tokio::test]
async fn a_dead_owner_elsewhere_is_waited_for_by_the_servers_clock() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    // Its lease ran out, but not the grace: 30 s past the deadline by the server's clock, however late it is here.
    lease_of(&world, "elsewhere", -10).await;
    deploy(&world, &b).with("--lock-wait 1s").await.exits(6);
    world.clock().advance(Duration::from_secs(25));
    deploy(&world, &b).with("--lock-wait 1s").await.succeeds();
    assert_whole(&world, &b, &as_deployed(&b).await).await;
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_changes_nothing() {
    let [a, b, c] = builds();
    for ahead in [false, true] {
        let world = World::new().await;
        let hour = Duration::from_secs(3600);
        let now = SystemTime::now();
        world
            .clock()
            .set(if ahead { now + hour } else { now - hour });
        crate::mishap::begin(&world, &a).await;
        lease_of(&world, "elsewhere", 40).await;
        deploy(&world, &b).with("--lock-wait 1s").await.exits(6);
        world.clock().advance(Duration::from_secs(75));
        deploy(&world, &b).with("--lock-wait 1s").await.succeeds();
        // Nor does one that this host's own dead process left.
        let gone = |request: &RequestInfo| request.key == "index.html";
        crate::mishap::crash_at(
            &world,
            deploy(&world, &c),
            1,
            crate::mishap::Side::After,
            gone,
        )
        .await
        .unwrap();
        deploy(&world, &c).with("--lock-wait 0s").await.succeeds();
        assert_whole(&world, &c, &as_deployed(&c).await).await;
    }
}

#[tokio::test]
async fn a_condition_that_our_own_first_try_broke_is_no_race() {
    let [a, b, _] = builds();
    let wanted = as_deployed(&b).await;
    for key in [STATE, "index.html", "posts/b/index.html"] {
        let world = deployed(&a).await;
        let puts =
            move |request: &RequestInfo| request.operation == "PutObject" && request.key == key;
        at_request(&world, 1, puts, Fault::ResetAfter);
        let ran = deploy(&world, &b).await.succeeds();
        world.clear_rule();
        assert!(!ran.stdout.contains("planned-again"), "{key}: {ran}");
        assert_whole(&world, &b, &wanted).await;
    }
    for operation in ["DeleteObjects", "CopyObject", "CreateInvalidation"] {
        let world = deployed(&a).await;
        at_request(
            &world,
            1,
            move |request| request.operation == operation,
            Fault::ResetAfter,
        );
        deploy(&world, &b).await.succeeds();
        world.clear_rule();
        assert_whole(&world, &b, &wanted).await;
    }
}

#[tokio::test]
async fn an_endpoint_without_conditions_gets_a_warning_and_no_lock() {
    let [a, b, _] = builds();
    for conditions in [Conditions::Refused, Conditions::Ignored] {
        let world = World::with(|setup| setup.bucket.conditions = conditions).await;
        deploy(&world, &a)
            .await
            .succeeds()
            .says("no conditional writes");
        world.warm(&a).await;
        deploy(&world, &b).await.succeeds();
        world.assert_deployed(&b, "");
        world.assert_fresh(&b, "").await;
        assert_eq!(crate::mishap::debts(&world), [""; 0]);
    }
}

#[tokio::test]
async fn a_lock_that_moved_after_the_plan_makes_it_plan_again() {
    let [a, b, c] = builds();
    let world = deployed(&a).await;
    let gate = Gate::new();
    let takes = |request: &RequestInfo| request.operation == "PutObject" && request.key == STATE;
    at_request(&world, 1, takes, Fault::HoldBefore(gate.clone()));
    let first = deploy(&world, &b).start();
    gate.arrived().await;
    world.clear_rule();
    deploy(&world, &c).await.succeeds();
    world.warm(&c).await;
    gate.open();
    let ran = first.ended().await.succeeds();
    ran.says("another deploy ended meanwhile");
    assert_whole(&world, &b, &as_deployed(&b).await).await;
}

#[tokio::test]
async fn a_deploy_that_lost_the_race_and_may_not_wait_leaves_nothing_behind() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    let gate = Gate::new();
    let takes = |request: &RequestInfo| request.operation == "PutObject" && request.key == STATE;
    at_request(&world, 1, takes, Fault::HoldBefore(gate.clone()));
    world.forget();
    let run = deploy(&world, &b).with("--lock-wait 0s").start();
    gate.arrived().await;
    world.clear_rule();
    lease_of(&world, "elsewhere", 3600).await;
    gate.open();
    run.ended().await.exits(6);
    assert_eq!(debts(&world), [""; 0]);
    assert_eq!(world.site_writes(), [""; 0]);
}

/// Lets somebody meddle just before the first write of the site.
async fn meddled(site: &Site, next: &Site, meddle: impl AsyncFn(&World)) -> World {
    let world = deployed(site).await;
    let gate = Gate::new();
    let begins = |request: &RequestInfo| request.operation == "PutObject" && request.key == STATE;
    at_request(&world, 1, begins, Fault::HoldAfter(gate.clone()));
    let run = deploy(&world, next).start();
    gate.arrived().await;
    world.clear_rule();
    meddle(&world).await;
    gate.open();
    run.ended().await.succeeds();
    world
}

#[tokio::test]
async fn what_somebody_else_wrote_meanwhile_is_noticed_and_planned_again() {
    let [a, b, _] = builds();
    let theirs = async |world: &World, key: &str| {
        let put = world.put_object(BUCKET, key, "theirs", Headers::default());
        put.await.unwrap();
    };
    // The build has it: in the second plan it is theirs that is overwritten, knowingly.
    for key in ["index.html", "new.txt", "feed.json"] {
        let world = meddled(&a, &b, async |world| theirs(world, key).await).await;
        assert_whole(&world, &b, &as_deployed(&b).await).await;
    }
    // The build has lost it: theirs is left.
    for key in ["gone.txt", "leaves.html"] {
        let world = meddled(&a, &b, async |world| theirs(world, key).await).await;
        assert_eq!(world.body(BUCKET, key).unwrap(), "theirs", "{key}");
        assert_clean(&world);
        world.assert_fresh(&b, "").await;
    }
    // Somebody deleted it.
    for key in ["index.html", "gone.txt", "feed.json"] {
        let delete = async |world: &World| world.delete_object(BUCKET, key).unwrap();
        let world = meddled(&a, &b, delete).await;
        assert_whole(&world, &b, &as_deployed(&b).await).await;
    }
}

#[tokio::test]
async fn somebody_who_keeps_writing_ends_it_incomplete() {
    let site = Site::of(&[("index.html", "<p>1")]);
    let world = std::sync::Arc::new(deployed(&site).await);
    site.write("index.html", "<p>2");
    let count = AtomicUsize::new(0);
    let (inner, handle) = (
        std::sync::Arc::downgrade(&world),
        tokio::runtime::Handle::current(),
    );
    world.set_rule(move |request| {
        if request.operation == "PutObject" && request.key == "index.html" {
            let text = format!("theirs {}", count.fetch_add(1, Ordering::SeqCst));
            if let Some(world) = inner.upgrade() {
                handle.spawn(async move {
                    let put = world.put_object(BUCKET, "index.html", text, Headers::default());
                    put.await.unwrap();
                });
            }
            return Fault::Delay(Duration::from_millis(100));
        }
        Fault::None
    });
    deploy(&world, &site).await.exits(4);
    world.clear_rule();
    assert!(crate::mishap::lock_is_free(&world));
    world.clock().advance(Duration::from_secs(5));
    deploy(&world, &site).await.succeeds();
    world.assert_fresh(&site, "").await;
    assert_clean(&world);
}
