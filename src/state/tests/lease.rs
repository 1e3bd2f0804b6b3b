use std::cell::Cell;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::server::{BEGIN, Conditions, Fault, Gate, Server};
use super::{STATE, begin, ending, id, journal, read, store, store_at};
use crate::state::{BeginOutcome, Lease, ObservedState, StateError, StateStore};

const LOST_ANSWERS: [Fault; 4] = [
    Fault::FailAfter(500, "InternalError"),
    Fault::FailAfter(409, "ConditionalRequestConflict"),
    Fault::FailAfter(412, "PreconditionFailed"),
    Fault::ResetAfter,
];

fn lose_an_answer(server: &Server, fault: &Fault) {
    server.faults_of_writes(STATE, vec![fault.clone()]);
}

async fn is_moved(store: &StateStore, observed: &ObservedState) -> bool {
    let begun = store.begin(observed, &id("b"), None).await.unwrap();
    matches!(begun, BeginOutcome::Moved)
}

async fn free(lease: &Lease) {
    lease.give_up(None, false).await.unwrap();
}

fn is_lost<T>(answer: Result<T, StateError>) -> bool {
    matches!(answer, Err(StateError::Lost))
}

#[tokio::test]
async fn the_lease_is_taken_once_and_given_back() {
    let (server, store) = store().await;
    let empty = read(&store).await;
    assert!(empty.etag.is_none() && empty.holder(&store).is_none());
    let lease = begin(&store, "a", None).await;
    assert!(lease.is_held() && lease.why_unguarded().is_none());
    assert!(is_moved(&store, &empty).await);
    let busy = read(&store).await;
    assert_eq!(busy.holder(&store).unwrap().deploy, id("a"));
    assert!(is_moved(&store, &busy).await);
    free(&lease).await;
    assert!(!lease.is_held());
    let freed = read(&store).await;
    assert!(freed.object.lease.is_none() && freed.holder(&store).is_none());
    // What was planned before the first deploy is no ground for a second one.
    assert!(is_moved(&store, &empty).await);
    free(&begin(&store, "b", None).await).await;
    assert_eq!(server.keys(""), [STATE]);
}

#[tokio::test]
async fn of_many_at_once_one_gets_it() {
    let (server, store) = store().await;
    for _ in 0..5 {
        let observed = read(&store).await;
        let mut tries = Vec::new();
        for number in 0..8 {
            let (store, observed) = (store_at(&server).await, observed.clone());
            tries.push(tokio::spawn(async move {
                store.begin(&observed, &id(&number.to_string()), None).await
            }));
        }
        let mut leases = Vec::new();
        for begun in tries {
            if let BeginOutcome::Held(lease) = begun.await.unwrap().unwrap() {
                leases.push(lease);
            }
        }
        assert_eq!(leases.len(), 1);
        free(&leases[0]).await;
    }
}

#[tokio::test]
async fn a_dead_owner_is_waited_for_by_the_servers_clock() {
    let (server, store) = store().await;
    drop(begin(&store, "a", Some(&journal(1))).await);
    for (after, is_free) in [(0, false), (60, false), (80, false), (120, true)] {
        server.set_now(after);
        // Its own clock is of no account: it never answered to the server before.
        let other = store_at(&server).await;
        let observed = read(&other).await;
        assert_eq!(observed.holder(&other).is_none(), is_free, "{after}");
    }
    let lease = begin(&store, "b", None).await;
    let state = read(&store).await.object;
    assert_eq!(state.open.len(), 1);
    assert_eq!(state.lease.unwrap().deploy, id("b"));
    free(&lease).await;
}

#[tokio::test]
async fn each_write_moves_the_deadline_and_the_counter() {
    let (server, store) = store().await;
    let lease = begin(&store, "a", Some(&journal(1))).await;
    let before = read(&store).await.object;
    server.advance(40);
    read(&store).await;
    lease.note(&id("a"), &journal(2)).await.unwrap();
    let after = read(&store).await.object;
    assert_eq!(after.counter, before.counter + 1);
    assert_eq!(after.lease.unwrap().deadline, BEGIN as i64 + 100);
}

#[tokio::test]
async fn the_deadline_counts_from_the_write_and_not_from_the_file_before_it() {
    let (server, store) = store().await;
    let lease = begin(&store, "a", Some(&journal(1))).await;
    let gate = Gate::new();
    let held = gate.clone();
    server.faults(move |method, key| {
        if method == "PUT" && key != STATE {
            Fault::HoldBefore(held.clone())
        } else {
            Fault::None
        }
    });
    let deploy = id("a");
    let large = journal(2000);
    let (noted, ()) = tokio::join!(lease.note(&deploy, &large), async {
        gate.arrived().await;
        server.advance(30);
        gate.open();
    });
    noted.unwrap();
    let deadline = read(&store).await.object.lease.unwrap().deadline;
    assert_eq!(deadline, BEGIN as i64 + 90);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_has_succeeded() {
    let (server, store) = store().await;
    for fault in LOST_ANSWERS {
        lose_an_answer(&server, &fault);
        let lease = begin(&store, "a", Some(&journal(1))).await;
        lose_an_answer(&server, &fault);
        lease.note(&id("a"), &journal(2)).await.unwrap();
        lose_an_answer(&server, &fault);
        lease.begin(&id("b"), "public", &journal(3)).await.unwrap();
        let state = read(&store).await.object;
        let open: Vec<_> = state.open.iter().map(|open| open.id.clone()).collect();
        assert_eq!(open, [id("a"), id("b")]);
        assert_eq!(state.lease.as_ref().unwrap().deploy, id("b"));
        let mut end = ending(&state, "b");
        end.struck = vec![id("a")];
        lose_an_answer(&server, &fault);
        let ended = lease.end(end).await.unwrap();
        server.no_faults();
        let state = read(&store).await.object;
        assert_eq!(state, ended);
        assert!(state.open.is_empty() && state.lease.is_none());
        assert_eq!(state.recent.last().unwrap().id, id("b"));
        let lease = begin(&store, "c", None).await;
        lose_an_answer(&server, &fault);
        free(&lease).await;
    }
    assert_eq!(read(&store).await.object.recent.len(), LOST_ANSWERS.len());
}

#[tokio::test]
async fn an_end_whose_answer_was_lost_has_succeeded_though_another_began_meanwhile() {
    let (server, store) = store().await;
    let lease = begin(&store, "a", Some(&journal(1))).await;
    let end = ending(&read(&store).await.object, "a");
    let gate = Gate::new();
    let again = Fault::HoldBefore(gate.clone());
    server.faults_of_writes(STATE, vec![LOST_ANSWERS[0].clone(), again]);
    let other = store_at(&server).await;
    let (ended, _other) = tokio::join!(lease.end(end), async {
        gate.arrived().await;
        let lease = begin(&other, "b", None).await;
        gate.open();
        lease
    });
    ended.unwrap();
    let state = read(&store).await.object;
    assert_eq!(state.lease.unwrap().deploy, id("b"));
    assert_eq!(state.recent.len(), 1);
}

#[tokio::test]
async fn a_lease_is_given_back_though_the_answer_was_lost_and_the_deploy_before_is_open() {
    let (server, store) = store().await;
    let lease = begin(&store, "a", Some(&journal(2))).await;
    let mut end = ending(&read(&store).await.object, "a");
    end.left = Some(journal(1));
    lease.end(end).await.unwrap();
    server.set_now(200);
    let lease = begin(&store, "b", None).await;
    lose_an_answer(&server, &LOST_ANSWERS[0]);
    free(&lease).await;
}

#[tokio::test]
async fn after_an_unlock_by_force_every_write_of_the_holder_is_lost() {
    let (_server, store) = store().await;
    assert!(store.force_unlock().await.unwrap().is_none());
    for step in ["note", "begin", "end", "give up"] {
        let name = format!("before {step}");
        let lease = begin(&store, &name, Some(&journal(1))).await;
        let end = ending(&read(&store).await.object, &name);
        let freed = store.force_unlock().await.unwrap().unwrap();
        assert_eq!(freed.deploy, id(&name));
        assert!(store.force_unlock().await.unwrap().is_none());
        assert!(lease.is_held());
        let before = read(&store).await.etag;
        let lost = match step {
            "note" => is_lost(lease.note(&id(&name), &journal(2)).await),
            "begin" => is_lost(lease.begin(&id("x"), "public", &journal(2)).await),
            "end" => is_lost(lease.end(end).await),
            _ => is_lost(lease.give_up(Some(&id(&name)), false).await),
        };
        assert!(lost, "{step}");
        // It stays lost, and what is there stays.
        assert!(!lease.is_held());
        assert!(is_lost(lease.note(&id(&name), &journal(2)).await));
        assert!(is_lost(lease.give_up(None, false).await));
        let ran = Cell::new(false);
        assert!(is_lost(lease.within(async { ran.set(true) }).await));
        assert!(!ran.get());
        assert_eq!(read(&store).await.etag, before);
    }
}

#[tokio::test]
async fn a_request_is_dropped_when_the_lease_is_lost_in_the_middle_of_it() {
    struct Alive<'a>(&'a Cell<bool>);
    impl Drop for Alive<'_> {
        fn drop(&mut self) {
            self.0.set(false);
        }
    }
    let (_server, store) = store().await;
    let lease = begin(&store, "a", Some(&journal(1))).await;
    assert_eq!(lease.within(async { 5 }).await.unwrap(), 5);
    let alive = Cell::new(false);
    let request = lease.within(async {
        alive.set(true);
        let _alive = Alive(&alive);
        pending::<()>().await;
    });
    let (answer, ()) = tokio::join!(request, async {
        store.force_unlock().await.unwrap();
        assert!(alive.get());
        assert!(is_lost(lease.note(&id("a"), &journal(2)).await));
    });
    assert!(is_lost(answer) && !alive.get());
}

#[tokio::test]
async fn it_is_renewed_in_the_background_and_lost_once_it_is_anothers() {
    let (server, mut store) = store().await;
    store.timing.renew = Duration::from_millis(1);
    let lease = begin(&store, "a", None).await;
    while read(&store).await.object.counter < 4 {}
    server.faults(|method, _| match method {
        "PUT" => Fault::Fail(412, "PreconditionFailed"),
        _ => Fault::None,
    });
    assert!(is_lost(lease.within(pending::<()>()).await));
    assert!(!lease.is_held());
}

#[tokio::test]
async fn it_is_lost_where_it_cannot_be_renewed_in_time() {
    let (server, mut store) = store().await;
    store.timing.lease = Duration::from_secs(1);
    store.timing.renew = Duration::from_millis(1);
    let lease = begin(&store, "a", None).await;
    server.faults(|method, _| match method {
        "PUT" => Fault::Stall,
        _ => Fault::None,
    });
    assert!(is_lost(lease.within(pending::<()>()).await));
    assert!(is_lost(lease.give_up(None, false).await));
}

#[tokio::test]
async fn a_lease_that_ran_out_before_it_was_taken_allows_nothing() {
    let (_server, mut store) = store().await;
    store.timing.lease = Duration::ZERO;
    let lease = begin(&store, "a", None).await;
    assert!(!lease.is_held());
    assert!(is_lost(lease.within(async {}).await));
    assert!(is_lost(lease.note(&id("a"), &journal(1)).await));
}

#[tokio::test]
async fn a_lease_that_is_dropped_is_renewed_no_more() {
    let (_server, mut store) = store().await;
    store.timing.renew = Duration::from_millis(1);
    let lease = begin(&store, "a", None).await;
    drop(lease.clone());
    while read(&store).await.object.counter < 4 {}
    drop(lease);
    // What was under way may end yet.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before = read(&store).await.etag;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(read(&store).await.etag, before);
}

#[tokio::test]
async fn giving_up_strikes_a_deploy_that_changed_nothing() {
    let (_server, store) = store().await;
    let lease = begin(&store, "a", Some(&journal(1))).await;
    lease.give_up(Some(&id("a")), false).await.unwrap();
    assert!(read(&store).await.object.open.is_empty());
    let lease = begin(&store, "b", Some(&journal(1))).await;
    free(&lease).await;
    assert_eq!(read(&store).await.object.open.len(), 1);
    let lease = begin(&store, "c", Some(&journal(1))).await;
    lease.give_up(Some(&id("c")), true).await.unwrap();
    let observed = read(&store).await;
    assert!(!lease.is_held() && observed.holder(&store).is_some());
    assert_eq!(observed.object.open.len(), 2);
}

#[tokio::test]
async fn an_endpoint_without_conditions_goes_without_a_lease() {
    let (server, store) = store().await;
    for (conditions, why) in [(Conditions::Ignored, "ignores"), (Conditions::Refused, "")] {
        server.conditions(conditions);
        for _ in 0..2 {
            let lease = begin(&store, "a", Some(&journal(1))).await;
            assert!(lease.why_unguarded().unwrap().contains(why));
            assert!(lease.is_held() && lease.within(async {}).await.is_ok());
            assert!(read(&store).await.object.lease.is_none());
            lease.note(&id("a"), &journal(2)).await.unwrap();
            let end = ending(&read(&store).await.object, "a");
            let ended = lease.end(end).await.unwrap();
            assert!(ended.open.is_empty() && !ended.conditional);
        }
    }
}

#[tokio::test]
async fn an_endpoint_is_probed_once_and_awss_own_never() {
    let (server, mut store) = store().await;
    let puts = Arc::new(Mutex::new(0));
    let count = Arc::clone(&puts);
    server.faults(move |method, _| {
        *count.lock().unwrap() += u32::from(method == "PUT");
        Fault::None
    });
    // Begin, probe, give up; then begin and give up.
    for expected in [3, 5, 7] {
        free(&begin(&store, "a", None).await).await;
        assert_eq!(*puts.lock().unwrap(), expected);
    }
    server.remove(STATE);
    store.official = true;
    free(&begin(&store, "a", None).await).await;
    assert_eq!(*puts.lock().unwrap(), 9);
}

#[tokio::test]
async fn a_probe_that_fails_leaves_nothing_behind() {
    let (server, store) = store().await;
    server.faults_of_writes(STATE, vec![Fault::None, Fault::Fail(403, "AccessDenied")]);
    let observed = read(&store).await;
    let (deploy, journal) = (id("a"), journal(1));
    let begun = store.begin(&observed, &deploy, Some(("public", &journal)));
    assert!(matches!(begun.await, Err(StateError::Aws(_))));
    let state = read(&store).await.object;
    assert!(state.lease.is_none() && state.open.is_empty());
}

#[tokio::test]
async fn waiting_ends_when_the_lease_is_free_or_time_is_up() {
    let (server, store) = store().await;
    let _lease = begin(&store, "a", None).await;
    let busy = read(&store).await;
    let mut looks = 0;
    let waited = store.wait_for_lease(busy.clone(), Duration::ZERO, |holder| {
        assert_eq!(holder.deploy, id("a"));
        looks += 1;
    });
    assert!(waited.await.unwrap().holder(&store).is_some());
    assert_eq!(looks, 1);
    looks = 0;
    let waited = store.wait_for_lease(busy, Duration::from_secs(60), |_| {
        looks += 1;
        server.advance(50);
    });
    assert!(waited.await.unwrap().holder(&store).is_none());
    assert_eq!(looks, 2);
}
