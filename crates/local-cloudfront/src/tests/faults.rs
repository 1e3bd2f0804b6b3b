//! Requests that go wrong, and worlds that end.

use super::*;

#[tokio::test]
async fn faults_take_effect_or_not_as_they_say() {
    let world = world().await;
    for (fault, answered, effect) in [
        (Fault::Fail(503, "SlowDown"), Some(503), false),
        (Fault::FailAfter(500, "InternalError"), Some(500), true),
        (Fault::Reset, None, false),
        (Fault::ResetAfter, None, true),
        (Fault::ErrorIn200("InternalError"), Some(200), false),
        (Fault::Delay(Duration::from_millis(1)), Some(200), true),
    ] {
        world.set_rule(move |request| match request.operation {
            "PutObject" if request.key == "a b" => fault.clone(),
            _ => Fault::None,
        });
        let reply = try_send(&world.endpoint(), "PUT /bucket/a%20b", b"x").await;
        assert_eq!(reply.map(|reply| reply.status), answered);
        assert_eq!(world.object(BUCKET, "a b").is_some(), effect);
        world.delete_object(BUCKET, "a b").unwrap();
    }
    let log = world.log();
    assert_eq!(log.len(), 6);
    assert_eq!(
        (log[0].status, log[2].status, log[0].bytes_in),
        (Some(503), None, 1)
    );
    world.clear_rule();
    put(&world, "k", "content", "").await;
    world.set_rule(|_| Fault::TruncateAnswer);
    assert!(
        try_send(&world.endpoint(), "GET /bucket/k", b"")
            .await
            .is_none()
    );
    world.set_rule(|_| Fault::ErrorIn200("InternalError"));
    let body = b"<Delete><Object><Key>k</Key></Object></Delete>";
    let reply = send(&world, "POST /bucket?delete", body).await.text();
    assert!(
        reply.contains("<Error><Key>k</Key><Code>InternalError</Code>"),
        "{reply}"
    );
    assert!(world.object(BUCKET, "k").is_some());
}

#[tokio::test]
async fn a_client_can_die_before_or_after_its_request_took_effect() {
    let world = world().await;
    type Hold = fn(Gate) -> Fault;
    for (hold, at_once, in_the_end) in [
        (Fault::HoldBefore as Hold, false, false),
        (Fault::HoldAfter as Hold, true, true),
        (Fault::Late as Hold, false, true),
    ] {
        let gate = Gate::new();
        let held = gate.clone();
        world.set_rule(move |_| hold(held.clone()));
        let url = world.endpoint();
        let client = tokio::spawn(async move {
            try_send(&url, "PUT /bucket/k", &[7; 100_000])
                .await
                .is_some()
        });
        gate.arrived().await;
        assert_eq!(world.object(BUCKET, "k").is_some(), at_once);
        client.abort();
        assert!(client.await.is_err());
        world.clear_rule();
        // Served after the connection's end was, as both go through the same runtime.
        assert_eq!(status(&world, "GET /bucket/none").await, 404);
        gate.open();
        for _ in 0..20 {
            assert_eq!(status(&world, "GET /bucket/none").await, 404);
        }
        while in_the_end && world.object(BUCKET, "k").is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.object(BUCKET, "k").is_some(), in_the_end);
        world.delete_object(BUCKET, "k").unwrap();
    }
}

#[tokio::test]
async fn a_stopped_world_is_gone() {
    let world = world().await;
    world.set_rule(|_| Fault::Stall);
    let url = world.endpoint();
    let stalled = tokio::spawn({
        let url = url.clone();
        async move { try_send(&url, "GET /bucket/k", b"").await.is_none() }
    });
    while world.log().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(world);
    assert!(stalled.await.unwrap());
    while TcpStream::connect(url.trim_start_matches("http://"))
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
}
