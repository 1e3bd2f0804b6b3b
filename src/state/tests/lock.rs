use std::time::Duration;

use super::server::{Conditions, Fault};
use super::{store, store_at};
use crate::domain::manifest::DeployId;
use crate::state::lock::{Observed, State};
use crate::state::{Held, StateError, Store, Take};

const LOCK: &str = "site/.unstale/lock";

fn id(text: &str) -> DeployId {
    DeployId::new(text)
}

async fn take(store: &Store, seen: &Observed) -> Held {
    match store.take_lock(seen, &id("a")).await.unwrap() {
        Take::Held(held) => held,
        other => panic!("{other:?}"),
    }
}

async fn observe(store: &Store) -> Observed {
    store.observe_lock().await.unwrap()
}

#[tokio::test]
async fn a_lock_is_taken_once_and_given_back() {
    let (server, store) = store().await;
    let seen = observe(&store).await;
    let held = take(&store, &seen).await;
    assert!(held.may_start(Duration::from_secs(20)) && !held.may_start(Duration::from_secs(61)));
    let other = store.take_lock(&seen, &id("b")).await.unwrap();
    assert!(matches!(other, Take::Moved(now) if !now.is_free() && now.holder().is_some()));
    let busy = observe(&store).await;
    let other = store.take_lock(&busy, &id("b")).await.unwrap();
    assert!(matches!(other, Take::Busy(_)));
    let lost = held.lost();
    held.release().await.unwrap();
    assert!(!*lost.borrow());
    let free = observe(&store).await;
    let record = free.record.clone().unwrap();
    assert!(free.is_free() && free.holder().is_none());
    assert_eq!((record.state, record.epoch), (State::Free, 2));
    // What was planned before the first deploy is no ground for a second one.
    let other = store.take_lock(&seen, &id("b")).await.unwrap();
    assert!(matches!(other, Take::Moved(now) if now.is_free()));
    take(&store, &free).await.release().await.unwrap();
    assert!(server.keys(LOCK).len() == 1);
}

#[tokio::test]
async fn of_many_at_once_one_gets_it() {
    let (server, store) = store().await;
    for _ in 0..5 {
        let seen = observe(&store).await;
        let mut tries = Vec::new();
        for number in 0..8 {
            let (store, seen) = (store_at(&server).await, seen.clone());
            tries.push(tokio::spawn(async move {
                store.take_lock(&seen, &id(&number.to_string())).await
            }));
        }
        let mut held = Vec::new();
        for one in tries {
            if let Take::Held(one) = one.await.unwrap().unwrap() {
                held.push(one);
            }
        }
        assert_eq!(held.len(), 1);
        held.pop().unwrap().release().await.unwrap();
    }
}

#[tokio::test]
async fn a_dead_owner_elsewhere_is_waited_for_by_the_servers_clock() {
    let (server, store) = store().await;
    let seen = observe(&store).await;
    drop(take(&store, &seen).await);
    for (after, free) in [(0, false), (60, false), (90, false), (91, true)] {
        server.set_now(after);
        // Its own clock is of no account: it never answered to the server before.
        let other = store_at(&server).await;
        assert_eq!(observe(&other).await.is_free(), free, "{after}");
    }
    let stolen = observe(&store).await;
    let held = take(&store, &stolen).await;
    assert_eq!(
        observe(&store).await.record.unwrap().epoch,
        stolen.record.unwrap().epoch + 1
    );
    held.release().await.unwrap();
}

#[tokio::test]
async fn a_dead_process_of_this_host_is_not_waited_for() {
    let (server, store) = store().await;
    let seen = observe(&store).await;
    drop(take(&store, &seen).await);
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let own = std::process::id().to_string();
    let say = async |from: &str, to: &str| {
        let body = String::from_utf8(server.body(LOCK).to_vec()).unwrap();
        server.put(LOCK, body.replace(from, to)).await;
    };
    say(
        &format!("\"pid\":{own},"),
        &format!("\"pid\":{},", child.id()),
    )
    .await;
    assert_eq!(observe(&store).await.is_free(), cfg!(target_os = "linux"));
    // The same number on another boot says nothing.
    say("\"boot_id\":\"", "\"boot_id\":\"x").await;
    assert!(!observe(&store).await.is_free());
}

#[tokio::test]
async fn renewing_moves_the_deadline_and_ends_when_another_has_it() {
    let (server, store) = store().await;
    let seen = observe(&store).await;
    let held = take(&store, &seen).await;
    server.advance(40);
    observe(&store).await;
    held.renew().await.unwrap();
    let record = observe(&store).await.record.unwrap();
    assert_eq!(record.deadline, 1_800_000_100);
    let there = store.force_unlock().await.unwrap();
    assert!(!there.is_free());
    let lost = held.lost();
    assert!(!*lost.borrow());
    assert!(matches!(held.renew().await, Err(StateError::Lost)));
    assert!(*lost.borrow() && held.is_lost() && !held.may_start(Duration::ZERO));
    // It stays lost, and what the other wrote stays.
    let now = observe(&store).await;
    assert!(matches!(held.renew().await, Err(StateError::Lost)));
    assert!(matches!(held.release().await, Err(StateError::Lost)));
    assert_eq!(observe(&store).await.etag, now.etag);
}

#[tokio::test]
async fn it_is_renewed_in_the_background_and_lost_where_that_fails() {
    let (server, mut store) = store().await;
    store.timing.renew = Duration::from_millis(1);
    let seen = observe(&store).await;
    let held = take(&store, &seen).await;
    while observe(&store).await.record.unwrap().renewals < 3 {}
    server.faults(|method, _| match method {
        "PUT" => Fault::Fail(412, "PreconditionFailed"),
        _ => Fault::None,
    });
    held.lost().wait_for(|lost| *lost).await.unwrap();
    assert!(!held.may_start(Duration::ZERO));
}

#[tokio::test]
async fn a_lease_that_ran_out_before_it_was_taken_is_none() {
    let (_server, mut store) = store().await;
    store.timing.lease = Duration::ZERO;
    let seen = observe(&store).await;
    let taken = store.take_lock(&seen, &id("a")).await.unwrap();
    assert!(matches!(taken, Take::Moved(now) if now.is_free()));
}

#[tokio::test]
async fn a_412_by_our_own_first_try_is_success() {
    let (server, store) = store().await;
    for absent in [true, false] {
        let seen = observe(&store).await;
        assert_eq!(seen.etag.is_none(), absent);
        let mut left = 1;
        server.faults(move |method, key| {
            if method == "PUT" && key == LOCK && left > 0 {
                left -= 1;
                return Fault::FailAfter(500, "InternalError");
            }
            Fault::None
        });
        let held = take(&store, &seen).await;
        let mut left = 2;
        server.faults(move |method, key| {
            if method == "PUT" && key == LOCK && left > 0 {
                left -= 1;
                return Fault::FailAfter(409, "ConditionalRequestConflict");
            }
            Fault::None
        });
        held.renew().await.unwrap();
        server.no_faults();
        held.release().await.unwrap();
        assert!(observe(&store).await.is_free());
    }
}

#[tokio::test]
async fn a_renewal_given_up_that_came_through_late_is_our_own() {
    let (server, store) = store().await;
    let seen = observe(&store).await;
    let held = take(&store, &seen).await;
    let late = {
        let body = String::from_utf8(server.body(LOCK).to_vec()).unwrap();
        body.replace("\"renewals\":0", "\"renewals\":1")
    };
    server.put(LOCK, late).await;
    held.renew().await.unwrap();
    assert_eq!(observe(&store).await.record.unwrap().renewals, 2);
    held.release().await.unwrap();
}

#[tokio::test]
async fn an_endpoint_without_conditions_goes_unlocked() {
    let (server, store) = store().await;
    server.conditions(Conditions::Ignored);
    for _ in 0..2 {
        let seen = observe(&store).await;
        let taken = store.take_lock(&seen, &id("a")).await.unwrap();
        assert!(matches!(taken, Take::Unguarded { why } if why.contains("ignores")));
        assert!(observe(&store).await.is_free());
    }
    server.conditions(Conditions::Refused);
    let seen = observe(&store).await;
    let taken = store.take_lock(&seen, &id("a")).await.unwrap();
    assert!(matches!(taken, Take::Unguarded { .. }));
}

#[tokio::test]
async fn an_endpoint_is_probed_once() {
    let (server, store) = store().await;
    let puts = std::sync::Arc::new(std::sync::Mutex::new(0));
    let count = puts.clone();
    server.faults(move |method, _| {
        *count.lock().unwrap() += u32::from(method == "PUT");
        Fault::None
    });
    // Take, probe, release; then take and release.
    for expected in [3, 5, 7] {
        let seen = observe(&store).await;
        take(&store, &seen).await.release().await.unwrap();
        assert_eq!(*puts.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn a_damaged_lock_is_taken_by_what_was_seen_and_a_newer_one_refused() {
    let (server, store) = store().await;
    let put = async |body: &'static str| server.put(LOCK, body).await;
    put("{\"version\":1,\"epo").await;
    let seen = observe(&store).await;
    assert!(seen.is_free() && seen.damaged.is_some());
    put("").await;
    let taken = store.take_lock(&seen, &id("a")).await.unwrap();
    assert!(matches!(taken, Take::Moved(_)));
    let seen = observe(&store).await;
    take(&store, &seen).await.release().await.unwrap();
    put("{\"version\":2}").await;
    let newer = store.observe_lock().await;
    assert!(matches!(newer, Err(StateError::Newer { version: 2, .. })));
}

#[tokio::test]
async fn waiting_ends_when_it_is_free_or_time_is_up() {
    let (server, store) = store().await;
    let seen = observe(&store).await;
    let held = take(&store, &seen).await;
    let busy = observe(&store).await;
    let mut looks = 0;
    let seen = store
        .wait_for_lock(busy.clone(), Duration::ZERO, |seen| {
            assert!(seen.holder().is_some());
            looks += 1;
        })
        .await
        .unwrap();
    assert!(!seen.is_free() && looks == 1);
    let mut looks = 0;
    let seen = store
        .wait_for_lock(busy, Duration::from_secs(60), |_| {
            looks += 1;
            server.advance(50);
        })
        .await
        .unwrap();
    assert!(seen.is_free() && looks == 2);
    drop(held);
}
