//! What AWS refuses: each error says what failed and what helps, and ends with the status that fits.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use local_cloudfront::{Distribution, Fault, RequestInfo};

use crate::mishap::{Side, crash_at};
use crate::support::{BUCKET, Site, Unstale, World};

fn site() -> Site {
    Site::of(&[("index.html", "<p>1"), ("app.css", "p{}")])
}

#[tokio::test]
async fn a_bucket_is_followed_to_its_region() {
    let world = World::with(|setup| {
        setup.bucket.region = "ap-northeast-2".into();
        setup.bucket.strict_region = true;
    });
    let (world, site) = (world.await, site());
    world.deploy(&site).await.succeeds();
    world.assert_deployed(&site, "");
    let right = world.deploy(&site).with("--region ap-northeast-2");
    world.assert_idle(right).await;
    assert!(world.log().iter().all(|entry| entry.status != Some(301)));
    world
        .assert_idle(world.deploy(&site).with("--region eu-west-1"))
        .await;
}

#[tokio::test]
async fn somebody_elses_bucket_is_refused() {
    let (world, site) = (World::new().await, site());
    let deploy = |owner: &str| {
        let deploy = world.deploy(&site).with("--expected-bucket-owner");
        deploy.arg(owner)
    };
    let ran = deploy("999999999999").await.exits(1);
    ran.says("AccessDenied")
        .says("somebody else owns the bucket");
    world.set_rule(|_| Fault::Fail(403, "AccessDenied"));
    let ran = world.deploy(&site).await.exits(1);
    ran.never_says("expected-bucket-owner");
    world.clear_rule();
    assert_eq!(world.keys(BUCKET).len(), 0);
    deploy("111122223333").await.succeeds();
    world.assert_deployed(&site, "");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named() {
    let (world, site) = (World::new().await, site());
    let ran = Unstale::new("deploy --bucket nowhere --distribution none --endpoint-url")
        .arg(world.endpoint())
        .arg(site.dir());
    let ran = ran.await.exits(1);
    ran.says("NoSuchBucket").says("nowhere").says("hint: check");
}

#[tokio::test]
async fn a_denied_read_stops_before_anything_is_changed() {
    for (operation, action) in [
        ("GetObject", "s3:GetObject"),
        ("ListObjectsV2", "s3:ListBucket"),
    ] {
        let (world, site) = (World::new().await, site());
        world.set_rule(move |request| {
            if request.operation == operation {
                Fault::Fail(403, "AccessDenied")
            } else {
                Fault::None
            }
        });
        let ran = world.deploy(&site).await.exits(1);
        ran.says(&format!("hint: allow {action} on arn:aws:s3:::site"));
        assert_eq!(world.writes(), [""; 0], "{operation}");
    }
}

#[tokio::test]
async fn a_denied_change_is_finished_by_the_next_deploy() {
    for (operation, action) in [
        ("PutObject", "s3:PutObject"),
        ("DeleteObjects", "s3:DeleteObject"),
        ("CreateInvalidation", "cloudfront:CreateInvalidation"),
        ("GetInvalidation", "cloudfront:GetInvalidation"),
    ] {
        let (world, site) = (World::new().await, site());
        site.write("old.html", "<p>");
        world.deploy(&site).await.succeeds();
        world.cloud_options(|options| {
            options.invalidation_time = std::time::Duration::from_secs(5);
        });
        world.warm(&site).await;
        site.write("index.html", "<p>2");
        site.remove("old.html");
        world.set_rule(move |request| {
            let state = request.key.starts_with(".unstale/");
            if request.operation == operation && !state {
                Fault::Fail(403, "AccessDenied")
            } else {
                Fault::None
            }
        });
        println!("{operation} denied");
        let ran = world.deploy(&site).await;
        let exit = if operation == "GetInvalidation" { 5 } else { 4 };
        ran.exits(exit).says(action);
        if operation == "PutObject" {
            let kept = world.object(BUCKET, "old.html").is_some();
            assert!(kept, "pages that stayed old name it still");
        }
        world.clear_rule();
        world.clock().advance(std::time::Duration::from_secs(6));
        let deploy = tokio::spawn(world.deploy(&site).into_future());
        while !deploy.is_finished() {
            world.clock().advance(std::time::Duration::from_secs(6));
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        deploy.await.unwrap().succeeds();
        world.assert_deployed(&site, "");
        world.assert_fresh(&site, "").await;
        world.assert_settled(&site).await;
    }
}

#[tokio::test]
async fn a_distribution_that_may_not_be_read_is_purged_whole() {
    let (world, site) = (World::new().await, site());
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    site.write("index.html", "<p>2");
    world.set_rule(|request| match request.operation {
        "GetDistribution" | "GetDistributionConfig" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    world.forget();
    let ran = world.deploy(&site).await.succeeds();
    ran.says("warning:").says("cloudfront:GetDistribution");
    assert_eq!(world.purged(), ["/*"]);
    world.assert_fresh(&site, "").await;
}

/// Denies these operations.
fn deny(world: &World, operations: &'static [&'static str]) {
    world.set_rule(move |request| {
        if operations.contains(&request.operation) {
            Fault::Fail(403, "AccessDenied")
        } else {
            Fault::None
        }
    });
}

const LIST: &str = "ListDistributions";

#[tokio::test]
async fn where_no_distribution_is_known_the_purge_stays_owed() {
    let (world, site) = (World::new().await, site());
    world.warm(&site).await;
    deny(&world, &[LIST]);
    let ran = world.deploy(&site).await.exits(4);
    ran.says("warning:")
        .says("nothing was purged")
        .says("cloudfront:ListDistributions")
        .says("distribution = \"ID\"");
    world.assert_deployed(&site, "");
    // Trying again does not make it good, and says so.
    let again = world.deploy(&site).await.exits(4);
    again.says("nothing was purged");
    let state = world.unstale("state").await.succeeds();
    state.says("Owed      the last deploy's purge");
    world.plan(&site).with("--check").await.exits(3);
    let none = world.deploy(&site).with("--distribution none");
    none.await.succeeds().says("Nothing to do");
    world.clear_rule();
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn a_site_that_nothing_stands_before_owes_nothing() {
    let (world, site) = (World::new().await, site());
    deny(&world, &[LIST]);
    let deploy = world.deploy(&site).with("--distribution none");
    deploy.await.succeeds().never_says("ListDistributions");
    site.write("index.html", "<p>2");
    world.deploy(&site).with("--purge none").await.succeeds();
    site.write("index.html", "<p>3");
    world.deploy(&site).await.exits(4);
}

#[tokio::test]
async fn assets_stay_while_nobody_knows_what_to_purge() {
    let (world, site) = (World::new().await, site());
    site.write("app.0a1b2c3d4e.js", "1");
    deny(&world, &[LIST]);
    let deploy = || world.deploy(&site).with("--retain 0s");
    deploy().await.exits(4);
    site.remove("app.0a1b2c3d4e.js");
    deploy().await.exits(4);
    assert!(world.objects("").contains_key("app.0a1b2c3d4e.js"));
    world.clear_rule();
    deploy().await.succeeds();
    world.assert_deployed(&site, "");
}

#[tokio::test]
async fn what_was_purged_before_is_purged_though_it_may_not_be_listed() {
    let (world, site) = (World::new().await, site());
    world.deploy(&site).await.succeeds();
    for (body, denied, purged) in [
        ("<p>2", &[LIST][..], &["/", "/index.html"][..]),
        (
            "<p>3",
            &[LIST, "GetDistribution", "GetDistributionConfig"],
            &["/*"],
        ),
    ] {
        world.warm(&site).await;
        site.write("index.html", body);
        deny(&world, denied);
        world.forget();
        let ran = world.deploy(&site).with("-v").await.succeeds();
        ran.says("warning:")
            .says(&world.distribution)
            .says("cloudfront:ListDistributions");
        assert_eq!(world.purged(), purged);
        world.assert_fresh(&site, "").await;
    }
    world.clear_rule();
    world.deploy(&site).await.succeeds();
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn a_distribution_of_before_that_is_gone_is_no_record() {
    let (world, site) = (World::new().await, site());
    world.deploy(&site).await.succeeds();
    site.write("index.html", "<p>2");
    world.set_rule(|request| match request.operation {
        "ListDistributions" => Fault::Fail(403, "AccessDenied"),
        "GetDistribution" => Fault::Fail(404, "NoSuchDistribution"),
        _ => Fault::None,
    });
    world
        .deploy(&site)
        .await
        .exits(4)
        .says("nothing was purged");
}

#[tokio::test]
async fn keys_that_are_missing_or_expired_are_told_apart() {
    let (world, site) = (World::new().await, site());
    let ran = world
        .deploy(&site)
        .without_env("AWS_ACCESS_KEY_ID")
        .without_env("AWS_SECRET_ACCESS_KEY");
    let ran = ran.await.exits(1);
    ran.says("no AWS credentials").says("--local");
    world.set_rule(|_| Fault::Fail(400, "ExpiredToken"));
    let ran = world.deploy(&site).await.exits(1);
    ran.says("ExpiredToken").says("aws sso login");
    assert_eq!(world.keys(BUCKET).len(), 0);
}

#[tokio::test]
async fn a_distribution_that_is_not_there_is_named() {
    let (world, site) = (World::new().await, site());
    for (name, exit, words) in [
        ("E00000000000000", 1, "NoSuchDistribution"),
        ("www.example.org", 2, "no distribution of this account"),
    ] {
        let ran = world.deploy(&site).with("--distribution").arg(name);
        let ran = ran.await.exits(exit);
        ran.says(words).says(name).says("an id").says("an alias");
    }
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn nobody_at_the_endpoint() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let site = site();
    let ran = Unstale::new("deploy --bucket site --endpoint-url")
        .arg(format!("http://{address}"))
        .arg(site.dir());
    let ran = ran.await.exits(1);
    ran.says("onnection refused").says("--endpoint-url");
}

/// Answers everything with these bytes; returns its URL and how often it was asked.
fn impostor(answer: &'static [u8]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            count.fetch_add(1, Ordering::Relaxed);
            let _ = stream.write_all(answer);
        }
    });
    (url, asked)
}

#[tokio::test]
async fn what_answers_is_not_s3() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 22\r\nconnection: close\r\n\r\n<html><p>Welcome</html>"[..],
        b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<p>not here\r\n",
        b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\ncontent-length: 10\r\nconnection: close\r\n\r\n<xml <xml>",
    ] {
        let site = site();
        let (url, asked) = impostor(answer);
        let ran = Unstale::new("deploy --bucket site --endpoint-url").arg(url).arg(site.dir());
        let ran = ran.await.exits(1);
        assert!(asked.load(Ordering::Relaxed) > 0);
        ran.says("error: ").says("--endpoint-url");
    }
}

#[tokio::test]
async fn one_of_several_that_is_gone_is_left_out_and_a_dead_deploys_purge_is_sent() {
    const SECOND: &str = "ESECOND1234567";
    let (world, site) = (World::new().await, site());
    world.set_distribution(Distribution {
        id: SECOND.into(),
        domain: "dsecond.cloudfront.net".into(),
        ..Distribution::for_bucket(BUCKET)
    });
    let both = || {
        let deploy = world.deploy(&site).with("--distribution");
        deploy
            .arg(&world.distribution)
            .with("--distribution")
            .arg(SECOND)
    };
    both().await.succeeds();
    world.warm(&site).await;
    site.write("index.html", "<p>2");
    world.set_rule(|request| match request.operation {
        LIST => Fault::Fail(403, "AccessDenied"),
        _ if request.path.contains(SECOND) => Fault::Fail(404, "NoSuchDistribution"),
        _ => Fault::None,
    });
    let ran = world.deploy(&site).await.succeeds();
    ran.never_says(SECOND);
    world.assert_fresh(&site, "").await;
    site.write("index.html", "<p>3");
    let purges = |request: &RequestInfo| request.operation == "CreateInvalidation";
    let died = crash_at(&world, both(), 1, Side::Before, purges).await;
    died.unwrap();
    world.clock().advance(Duration::from_secs(600));
    deny(&world, &[LIST]);
    world.plan(&site).with("--check").await.exits(3);
    world.deploy(&site).await.succeeds().says(SECOND);
    world.assert_fresh(&site, "").await;
}
