//! Worlds asked from outside, over HTTP.

use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::function::INDEX_FUNCTION;
use super::*;
use crate::domain::Headers;

const BUCKET: &str = "bucket";

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// `request` is `METHOD PATH`, then a header a line. `None` where the connection was cut.
async fn try_send(url: &str, request: &str, body: &[u8]) -> Option<Reply> {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://"))
        .await
        .ok()?;
    let (first, rest) = request.split_once('\n').unwrap_or((request, ""));
    let mut head = format!("{first} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    head.push_str(&format!("content-length: {}\r\n", body.len()));
    for line in rest.lines() {
        head.push_str(&format!("{}\r\n", line.trim()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body).await.ok()?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.ok()?;
    let cut = all.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&all[..cut]).into_owned();
    let reply = Reply {
        status: head.split(' ').nth(1)?.parse().ok()?,
        body: all[cut + 4..].to_vec(),
        head,
    };
    let said = reply
        .header("content-length")
        .and_then(|length| length.parse().ok());
    let whole =
        first.starts_with("HEAD") || said.is_none_or(|length: usize| length == reply.body.len());
    whole.then_some(reply)
}

async fn send(world: &World, request: &str, body: &[u8]) -> Reply {
    try_send(&world.endpoint(), request, body)
        .await
        .expect("an answer")
}

async fn status(world: &World, request: &str) -> u16 {
    send(world, request, b"new").await.status
}

async fn world() -> World {
    world_with(Options::default()).await
}

async fn world_with(options: Options) -> World {
    let world = World::start(options).await.unwrap();
    world.create_bucket(BUCKET).unwrap();
    world
}

/// A world whose clock stands, with a distribution before its bucket.
async fn site() -> (World, Distribution) {
    let clock = Clock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
    let world = world_with(Options {
        clock,
        ..Options::default()
    })
    .await;
    let distribution = Distribution::for_bucket(BUCKET);
    world.set_distribution(distribution.clone());
    (world, distribution)
}

async fn put(world: &World, key: &str, body: &str, cache_control: &str) {
    let headers = Headers {
        cache_control: (!cache_control.is_empty()).then(|| cache_control.to_owned()),
        ..Headers::default()
    };
    world
        .put_object(BUCKET, key, body.to_owned(), headers)
        .await
        .unwrap();
}

fn later(world: &World, seconds: u64) {
    world.clock().advance(Duration::from_secs(seconds));
}

async fn invalidate(world: &World, id: &str, reference: &str, paths: &[&str]) -> Reply {
    let items: String = paths
        .iter()
        .map(|path| format!("<Path>{path}</Path>"))
        .collect();
    let body = format!(
        "<InvalidationBatch><Paths><Quantity>{}</Quantity><Items>{items}</Items></Paths><CallerReference>{reference}</CallerReference></InvalidationBatch>",
        paths.len()
    );
    let request = format!("POST /2020-05-31/distribution/{id}/invalidation");
    send(world, &request, body.as_bytes()).await
}

#[tokio::test]
async fn listings_are_in_byte_order_page_by_page() {
    let world = world().await;
    for key in ["z", "a/b", "a.html", "a/c", "é +", "b/d"] {
        put(&world, key, "", "").await;
    }
    let list = |query: &'static str| {
        let world = world.clone();
        async move {
            let text = send(&world, &format!("GET /bucket?list-type=2&{query}"), b"")
                .await
                .text();
            let xml = xml::Element::parse(&text).unwrap();
            let of = |element: &xml::Element, name| element.text_at(name).to_owned();
            let mut names: Vec<String> = Vec::new();
            for child in &xml.children {
                match child.name.as_str() {
                    "Contents" => names.push(of(child, "Key")),
                    "CommonPrefixes" => names.push(of(child, "Prefix")),
                    _ => {}
                }
            }
            (names, of(&xml, "NextContinuationToken"))
        }
    };
    let all = list("encoding-type=url").await.0;
    assert_eq!(all, ["a.html", "a/b", "a/c", "b/d", "z", "%C3%A9+%2B"]);
    assert_eq!(list("start-after=a/b&prefix=a").await.0, ["a/c"]);
    let (first, token) = list("max-keys=2&delimiter=/").await;
    assert_eq!(first, ["a.html", "a/"]);
    let query =
        format!("GET /bucket?list-type=2&max-keys=2&delimiter=/&continuation-token={token}");
    let second = send(&world, &query, b"").await.text();
    assert!(
        second.contains("<Key>z</Key>") && second.contains("<Prefix>b/</Prefix>"),
        "{second}"
    );
    assert!(!second.contains("<Prefix>a/</Prefix>"), "{second}");
}

#[tokio::test]
async fn conditional_writes_are_answered_as_s3_answers_them() {
    let world = world().await;
    put(&world, "k", "old", "").await;
    let etag = world.object(BUCKET, "k").unwrap().etag.quoted();
    for (request, expected) in [
        ("PUT /bucket/k\nif-none-match: *".to_owned(), 412),
        ("PUT /bucket/k\nif-match: \"00\"".to_owned(), 412),
        ("PUT /bucket/none\nif-match: \"00\"".to_owned(), 404),
        ("DELETE /bucket/k\nif-match: \"00\"".to_owned(), 412),
        ("PUT /bucket/c\nx-amz-copy-source: bucket/k\nx-amz-copy-source-if-match: \"00\"".to_owned(), 412),
        ("PUT /bucket/k\nx-amz-copy-source: bucket/k\nx-amz-metadata-directive: REPLACE\nif-match: \"00\"".to_owned(), 412),
        (format!("PUT /bucket/k\nif-match: {etag}"), 200),
        ("PUT /bucket/new\nif-none-match: *".to_owned(), 200),
        ("DELETE /bucket/k\nif-match: *".to_owned(), 204),
        ("PUT /nowhere/k".to_owned(), 404),
    ] {
        let before = world.body(BUCKET, "k");
        assert_eq!(status(&world, &request).await, expected, "{request}");
        if expected >= 400 {
            assert_eq!(world.body(BUCKET, "k"), before, "{request}");
        }
    }
    assert_eq!(world.keys(BUCKET).len(), 1);
}

#[tokio::test]
async fn a_bucket_can_be_without_conditional_writes_and_somebody_elses() {
    let world = world().await;
    let alter = |conditions| {
        world.alter_bucket(BUCKET, |options, _| {
            options.conditions = conditions;
            options.region = "eu-west-1".to_owned();
            options.strict_region = true;
        })
    };
    alter(Conditions::Refused).unwrap();
    assert_eq!(status(&world, "PUT /bucket/k\nif-none-match: *").await, 501);
    alter(Conditions::Ignored).unwrap();
    assert_eq!(status(&world, "PUT /bucket/k").await, 200);
    assert_eq!(status(&world, "PUT /bucket/k\nif-none-match: *").await, 200);
    assert_eq!(
        status(
            &world,
            "GET /bucket/k\nx-amz-expected-bucket-owner: 999999999999"
        )
        .await,
        403
    );
    assert_eq!(
        status(
            &world,
            "GET /bucket/k\nx-amz-expected-bucket-owner: 111122223333"
        )
        .await,
        200
    );
    assert_eq!(
        status(&world, "PUT /bucket/k\nx-amz-acl: public-read").await,
        400
    );
    let signed = |region: &str| {
        format!(
            "HEAD /bucket/k\nauthorization: AWS4-HMAC-SHA256 Credential=AK/20260101/{region}/s3/aws4_request, SignedHeaders=host, Signature=0"
        )
    };
    let moved = send(&world, &signed("us-east-1"), b"").await;
    assert_eq!(
        (moved.status, moved.header("x-amz-bucket-region")),
        (301, Some("eu-west-1"))
    );
    assert_eq!(send(&world, &signed("eu-west-1"), b"").await.status, 200);
}

#[tokio::test]
async fn bodies_are_checked_against_what_was_claimed_of_them() {
    let world = world().await;
    let chunked =
        |sum: &str| format!("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:{sum}\r\n\r\n").into_bytes();
    let request = "PUT /bucket/k\ncontent-encoding: gzip\ncontent-encoding: aws-chunked\nx-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nx-amz-decoded-content-length: 3\nx-amz-trailer: x-amz-checksum-crc32\nauthorization: AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    assert_eq!(
        send(&world, request, &chunked("AAAAAA==")).await.status,
        400
    );
    assert_eq!(world.keys(BUCKET).len(), 0);
    assert_eq!(
        send(&world, request, &chunked("NSRBwg==")).await.status,
        200
    );
    let object = world.object(BUCKET, "k").unwrap();
    assert_eq!(object.headers.content_encoding.as_deref(), Some("gzip"));
    assert_eq!(world.body(BUCKET, "k").unwrap(), "abc");
    let head = send(&world, "HEAD /bucket/k\nx-amz-checksum-mode: ENABLED", b"").await;
    assert_eq!(head.header("x-amz-checksum-crc32"), Some("NSRBwg=="));
    for header in [
        "content-md5: kAFQmDzST7DWlj99KOF/cg==",
        "x-amz-checksum-sha256: AAAA",
    ] {
        let refused = send(&world, &format!("PUT /bucket/k\n{header}"), b"abcd").await;
        assert!(refused.text().contains("BadDigest"), "{header}");
    }
    let plain = send(
        &world,
        "PUT /bucket/k\ncontent-md5: kAFQmDzST7DWlj99KOF/cg==",
        b"abc",
    )
    .await;
    assert_eq!(plain.status, 200);
    let head = send(&world, "HEAD /bucket/k\nx-amz-checksum-mode: ENABLED", b"").await;
    assert!(head.header("x-amz-checksum-crc64nvme").is_some());
}

#[tokio::test]
async fn a_copy_onto_itself_changes_headers_and_never_keeps_the_redirect() {
    let world = world().await;
    let put = "PUT /bucket/k\ncontent-type: text/css\nx-amz-website-redirect-location: /there\nx-amz-tagging: a=b\nx-amz-meta-x: y";
    assert_eq!(send(&world, put, b"abc").await.status, 200);
    let copy = "PUT /bucket/k\nx-amz-copy-source: bucket/k";
    assert_eq!(send(&world, copy, b"").await.status, 400);
    let replace = format!("{copy}\nx-amz-metadata-directive: REPLACE\ncache-control: max-age=1");
    assert_eq!(send(&world, &replace, b"").await.status, 200);
    let headers = &world.object(BUCKET, "k").unwrap().headers;
    assert_eq!(headers.cache_control.as_deref(), Some("max-age=1"));
    assert_eq!(
        (
            &headers.redirect,
            headers.metadata.len(),
            headers.tags.len()
        ),
        (&None, 0, 1)
    );
}

#[tokio::test]
async fn multipart_uploads_have_the_etag_that_aws_computes() {
    let world = world().await;
    let begun = send(&world, "POST /bucket/m?uploads", b"").await.text();
    let id = xml::Element::parse(&begun)
        .unwrap()
        .text_at("UploadId")
        .to_owned();
    let big = vec![7; 5 * 1024 * 1024];
    for (number, body) in [(1, &big[..]), (2, &b"end"[..])] {
        let part = format!("PUT /bucket/m?partNumber={number}&uploadId={id}");
        assert_eq!(send(&world, &part, body).await.status, 200);
    }
    let complete = |numbers: &[u32]| {
        let parts = numbers
            .iter()
            .map(|number| format!("<Part><PartNumber>{number}</PartNumber></Part>"));
        format!(
            "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
            parts.collect::<String>()
        )
    };
    let request = format!("POST /bucket/m?uploadId={id}");
    for bad in [&[2, 1][..], &[1, 3]] {
        assert_eq!(
            send(&world, &request, complete(bad).as_bytes())
                .await
                .status,
            400
        );
    }
    put(&world, "m", "somebody else", "").await;
    let guarded = format!("{request}\nif-none-match: *");
    assert_eq!(
        send(&world, &guarded, complete(&[1, 2]).as_bytes())
            .await
            .status,
        412
    );
    assert_eq!(world.open_uploads(), 1);
    assert_eq!(
        send(&world, &request, complete(&[1, 2]).as_bytes())
            .await
            .status,
        200
    );
    let etag = world.object(BUCKET, "m").unwrap().etag.to_string();
    assert_eq!(etag, "6ed53a032abd3d6e7d9c650d3a0121e0-2");
    assert_eq!(
        (world.body(BUCKET, "m").unwrap().len(), world.open_uploads()),
        (big.len() + 3, 0)
    );
}

#[tokio::test]
async fn versions_stay_until_they_are_deleted_by_name() {
    let world = world().await;
    put(&world, "k", "zero", "").await;
    world.enable_versions(BUCKET).unwrap();
    put(&world, "k", "one", "").await;
    assert_eq!(status(&world, "DELETE /bucket/k").await, 204);
    assert_eq!(send(&world, "GET /bucket/k", b"").await.status, 404);
    let versions = world.versions(BUCKET, "k");
    assert_eq!((versions.len(), versions[0].id.as_str()), (3, "null"));
    let first = send(&world, "GET /bucket/k?versionId=null", b"").await;
    assert_eq!(first.text(), "zero");
    let copy = format!(
        "PUT /bucket/k\nx-amz-copy-source: bucket/k?versionId={}",
        versions[1].id
    );
    assert_eq!(send(&world, &copy, b"").await.status, 200);
    assert_eq!(world.body(BUCKET, "k").unwrap(), "one");
    let marker = format!("DELETE /bucket/k?versionId={}", versions[2].id);
    assert_eq!(status(&world, &marker).await, 204);
    let list = send(&world, "GET /bucket?versions", b"").await.text();
    assert_eq!(list.matches("<Version>").count(), 3);
    assert!(!list.contains("DeleteMarker"));
}

#[tokio::test]
async fn an_encrypted_bucket_has_etags_that_are_no_md5() {
    let world = world().await;
    world
        .alter_bucket(BUCKET, |options, _| options.kms = true)
        .unwrap();
    put(&world, "k", "abc", "").await;
    let head = send(&world, "HEAD /bucket/k", b"").await;
    assert_eq!(head.header("x-amz-server-side-encryption"), Some("aws:kms"));
    let etag = head.header("etag").unwrap();
    assert_ne!(etag, "\"900150983cd24fb0d6963f7d28e17f72\"");
    assert_eq!(etag.len(), 34);
}

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

#[tokio::test]
async fn a_caller_reference_counts_once() {
    let (world, site) = site().await;
    world.cloud_options(|options| options.invalidation_time = Duration::from_secs(5));
    let first = invalidate(&world, &site.id, "ref", &["/a", "/b*"]).await;
    assert_eq!(first.status, 201);
    let id = xml::Element::parse(&first.text())
        .unwrap()
        .text_at("Id")
        .to_owned();
    assert!(
        invalidate(&world, &site.id, "ref", &["/a", "/b*"])
            .await
            .text()
            .contains(&id)
    );
    let other = invalidate(&world, &site.id, "ref", &["/c"]).await;
    assert_eq!(other.status, 400);
    assert!(
        other
            .text()
            .contains("<Code>InvalidationBatchAlreadyExists</Code>")
    );
    assert_eq!(world.invalidations(&site.id).len(), 1);
    let get = format!("GET /2020-05-31/distribution/{}/invalidation/{id}", site.id);
    assert!(
        send(&world, &get, b"")
            .await
            .text()
            .contains("<Status>InProgress</Status>")
    );
    later(&world, 5);
    assert!(
        send(&world, &get, b"")
            .await
            .text()
            .contains("<Status>Completed</Status>")
    );
    for (paths, status) in [
        (&["a"][..], 400),
        (&["/~a"], 400),
        (&["/a b"], 400),
        (&[], 400),
        (&["/a'b", "#tag"], 201),
    ] {
        let reference = format!("{paths:?}");
        assert_eq!(
            invalidate(&world, &site.id, &reference, paths).await.status,
            status,
            "{paths:?}"
        );
    }
    world.cloud_options(|options| options.most_in_progress = Some(1));
    let busy = invalidate(&world, &site.id, "busy", &["/a"]).await.text();
    assert!(busy.contains("TooManyInvalidationsInProgress"));
    assert_eq!(
        invalidate(&world, "EUNKNOWN", "x", &["/a"]).await.status,
        404
    );
}

#[tokio::test]
async fn distributions_are_listed_page_by_page() {
    let (world, site) = site().await;
    world.set_distribution(Distribution {
        aliases: vec!["www.example.com".to_owned()],
        ..Distribution::for_bucket("other")
    });
    let list = |marker: String| {
        let request = format!("GET /2020-05-31/distribution?MaxItems=1&Marker={marker}");
        let world = world.clone();
        async move { xml::Element::parse(&send(&world, &request, b"").await.text()).unwrap() }
    };
    let first = list(String::new()).await;
    assert_eq!(
        (first.text_at("IsTruncated"), first.text_at("Quantity")),
        ("true", "1")
    );
    let second = list(first.text_at("NextMarker").to_owned()).await;
    assert_eq!(second.text_at("IsTruncated"), "false");
    let ids = [first, second].map(|page| page.text_at("Items/DistributionSummary/Id").to_owned());
    assert!(ids.contains(&site.id) && ids[0] != ids[1]);
    let config = format!("GET /2020-05-31/distribution/{}/config", site.id);
    let config = send(&world, &config, b"").await;
    assert!(config.header("etag").is_some());
    assert!(
        config
            .text()
            .contains("<DefaultRootObject>index.html</DefaultRootObject>")
    );
    let policy = format!(
        "GET /2020-05-31/cache-policy/{}",
        distribution::CACHING_OPTIMIZED
    );
    assert!(
        send(&world, &policy, b"")
            .await
            .text()
            .contains("<MaxTTL>31536000</MaxTTL>")
    );
}

#[tokio::test]
async fn an_edge_keeps_what_it_may_and_asks_again_then() {
    let (world, site) = site().await;
    put(&world, "index.html", "one", "max-age=60").await;
    let edge = world.edge(&site.id, 0);
    let ask = |expected: &'static str, x_cache: &'static str| {
        let edge = edge.clone();
        async move {
            let answer = edge.get("/").await;
            assert_eq!(
                (answer.text().as_str(), answer.x_cache),
                (expected, x_cache)
            );
            answer
        }
    };
    ask("one", "Miss from cloudfront").await;
    put(&world, "index.html", "two", "max-age=60").await;
    later(&world, 59);
    assert_eq!(
        ask("one", "Hit from cloudfront").await.header("age"),
        Some("59")
    );
    assert_eq!(world.edge(&site.id, 1).get("/").await.text(), "two");
    later(&world, 1);
    ask("two", "Miss from cloudfront").await;
    put(&world, "index.html", "two", "max-age=5").await;
    later(&world, 60);
    let kept = ask("two", "RefreshHit from cloudfront").await;
    assert_eq!(kept.header("cache-control"), Some("max-age=60"));
    world.delete_object(BUCKET, "index.html").unwrap();
    ask("two", "Hit from cloudfront").await;
    assert_eq!(
        invalidate(&world, &site.id, "1", &["/index.html"])
            .await
            .status,
        201
    );
    ask("two", "Hit from cloudfront").await;
    assert_eq!(invalidate(&world, &site.id, "2", &["/"]).await.status, 201);
    assert_eq!(edge.get("/").await.status, 404);
}

#[tokio::test]
async fn a_stale_answer_is_served_while_it_is_fetched_again() {
    let (world, site) = site().await;
    put(&world, "a", "one", "max-age=10, stale-while-revalidate=10").await;
    let edge = world.edge(&site.id, 0);
    edge.get("/a").await;
    put(&world, "a", "two", "max-age=10, stale-while-revalidate=10").await;
    later(&world, 15);
    assert_eq!(edge.get("/a").await.text(), "one");
    assert_eq!(edge.get("/a").await.text(), "two");
    put(&world, "a", "three", "").await;
    later(&world, 20);
    assert_eq!(edge.get("/a").await.text(), "three");
}

#[tokio::test]
async fn errors_are_kept_under_the_failing_url() {
    let (world, mut site) = site().await;
    put(&world, "404.html", "sorry", "").await;
    let edge = world.edge(&site.id, 0);
    let missing = edge.get("/a").await;
    assert_eq!(
        (missing.status, missing.text().as_str(), missing.x_cache),
        (404, "sorry", "Error from cloudfront")
    );
    put(&world, "a", "here", "").await;
    later(&world, 9);
    assert_eq!(edge.get("/a").await.status, 404);
    later(&world, 1);
    assert_eq!(edge.get("/a").await.text(), "here");
    // The error document's own s-maxage counts too.
    put(&world, "404.html", "sorry", "s-maxage=86400").await;
    edge.get("/b").await;
    later(&world, 3600);
    put(&world, "b", "here", "").await;
    assert_eq!(edge.get("/b").await.status, 404);
    // A single-page app: every unknown URL is a copy.
    site.errors[0] = ErrorResponse {
        code: 403,
        page: Some("/index.html".to_owned()),
        response: Some(200),
        min_ttl: 300,
    };
    site.origins[0].kind = OriginKind::S3 {
        bucket: BUCKET.to_owned(),
        may_list: false,
    };
    world.set_distribution(site.clone());
    put(&world, "index.html", "app 1", "").await;
    assert_eq!(edge.get("/deep/link").await.text(), "app 1");
    put(&world, "index.html", "app 2", "").await;
    invalidate(&world, &site.id, "1", &["/index.html", "/"]).await;
    assert_eq!(edge.get("/deep/link").await.text(), "app 1");
    invalidate(&world, &site.id, "2", &["/deep/link"]).await;
    let answer = edge.get("/deep/link").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "app 2"));
}

#[tokio::test]
async fn query_strings_and_functions_make_entries_of_their_own() {
    let (world, mut site) = site().await;
    let policy = CachePolicy {
        query: QueryKey::Only(vec!["v".to_owned()]),
        ..CachePolicy::optimized()
    };
    world.set_policy("policy", policy);
    site.default.caching = Caching::Policy("policy".to_owned());
    site.default.function = Some("index".to_owned());
    world.set_function(
        "index",
        Function {
            code: INDEX_FUNCTION.to_owned(),
            does: FunctionKind::Index,
        },
    );
    world.set_distribution(site.clone());
    put(&world, "dir/index.html", "one", "").await;
    let edge = world.edge(&site.id, 0);
    for path in ["/dir/", "/dir", "/dir/index.html", "/dir/?v=1&w=2"] {
        assert_eq!(edge.get(path).await.text(), "one", "{path}");
    }
    assert_eq!(edge.entries(), ["/dir/index.html", "/dir/index.html?v=1"]);
    invalidate(&world, &site.id, "1", &["/dir/", "/dir"]).await;
    edge.get("/dir/?w=3").await;
    assert_eq!(edge.fetches(), 2);
    invalidate(&world, &site.id, "2", &["/dir/index.html"]).await;
    edge.get("/dir/").await;
    assert_eq!(edge.fetches(), 3);
    edge.get("/dir/?v=1").await;
    assert_eq!(edge.fetches(), 3);
    let get = "GET /2020-05-31/function/index?Stage=LIVE";
    assert_eq!(send(&world, get, b"").await.text(), INDEX_FUNCTION);
}

#[tokio::test]
async fn a_website_endpoint_has_index_documents_and_redirects() {
    let (world, mut site) = site().await;
    site.origins[0].path = "/v1".to_owned();
    site.origins[0].kind = OriginKind::Website {
        bucket: BUCKET.to_owned(),
        index: "index.html".to_owned(),
        error: Some("v1/404.html".to_owned()),
    };
    site.root = None;
    site.errors.clear();
    world.set_distribution(site.clone());
    put(&world, "v1/a/index.html", "index", "").await;
    put(&world, "v1/404.html", "sorry", "").await;
    let headers = Headers {
        redirect: Some("/a/".to_owned()),
        ..Headers::default()
    };
    world
        .put_object(BUCKET, "v1/old", "", headers)
        .await
        .unwrap();
    let edge = world.edge(&site.id, 0);
    for (path, status, text) in [
        ("/a/", 200, "index"),
        ("/a/index.html", 200, "index"),
        ("/a", 302, ""),
        ("/old", 301, ""),
        ("/none", 404, "sorry"),
    ] {
        let answer = edge.get(path).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (status, text),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_invalidation_can_take_effect_late_and_by_tag() {
    let (world, mut site) = site().await;
    site.tag_header = Some("x-amz-meta-cache-tag".to_owned());
    world.set_distribution(site.clone());
    world.cloud_options(|options| {
        options.invalidation_time = Duration::from_secs(5);
        options.takes_effect = TakesEffect::WhenCompleted;
    });
    let headers = Headers {
        metadata: [("cache-tag".to_owned(), "Blog, news".to_owned())].into(),
        ..Headers::default()
    };
    world
        .put_object(BUCKET, "a", "1", headers.clone())
        .await
        .unwrap();
    for edge in world.edges(&site.id) {
        edge.get("/a").await;
    }
    world.put_object(BUCKET, "a", "2", headers).await.unwrap();
    assert_eq!(
        invalidate(&world, &site.id, "1", &["#blog"]).await.status,
        201
    );
    for (wait, text) in [(4, "1"), (1, "2")] {
        later(&world, wait);
        for edge in world.edges(&site.id) {
            assert_eq!(edge.get("/a").await.text(), text);
        }
    }
}

#[tokio::test]
async fn an_edge_listens_as_viewers_know_it() {
    let (world, site) = site().await;
    put(&world, "index.html", "home", "").await;
    let url = world.serve_edge(&site.id, 2, 0).await.unwrap();
    let first = try_send(&url, "HEAD /", b"").await.unwrap();
    assert_eq!(
        (first.header("content-length"), first.body.len()),
        (Some("4"), 0)
    );
    let second = try_send(&url, "GET /", b"").await.unwrap();
    assert_eq!(
        (second.text().as_str(), second.header("x-cache")),
        ("home", Some("Hit from cloudfront"))
    );
    assert_eq!(second.header("date"), Some("Mon, 12 Jan 1970 13:46:40 GMT"));
    let etag = second.header("etag").unwrap();
    let known = try_send(&url, &format!("GET /\nif-none-match: {etag}"), b"")
        .await
        .unwrap();
    assert_eq!((known.status, known.body.len()), (304, 0));
    assert_eq!(try_send(&url, "POST /", b"").await.unwrap().status, 403);
}

#[tokio::test]
async fn a_second_process_attaches_and_a_later_one_finds_everything() {
    let dir = tempfile::tempdir().unwrap();
    let first = open_or_attach(dir.path(), Local::new(BUCKET))
        .await
        .unwrap();
    let served = first.world.clone().unwrap();
    let url = served.serve_edge(&first.distribution, 0, 0).await.unwrap();
    let second = open_or_attach(dir.path(), Local::new("second"))
        .await
        .unwrap();
    assert!(first.owns() && !second.owns());
    assert_eq!(
        (second.endpoint(), &second.edge_urls[..]),
        (first.endpoint(), &[url][..])
    );
    for (bucket, key) in [
        (BUCKET, "../../a%00b"),
        ("second", "k"),
        (BUCKET, "gone"),
        (BUCKET, "same"),
    ] {
        let request = format!("PUT /{bucket}/{key}\ncache-control: max-age=1");
        assert_eq!(
            try_send(second.endpoint(), &request, b"x")
                .await
                .unwrap()
                .status,
            200
        );
    }
    assert_eq!(status(&served, "DELETE /bucket/gone").await, 204);
    served.stop();
    drop((first, served));
    // What a crash in the middle of a write leaves.
    let journal = dir.path().join("journal");
    let mut text = std::fs::read(&journal).unwrap();
    text.extend_from_slice(b"{\"Put\":[\"bucket\",\"torn");
    std::fs::write(&journal, text).unwrap();
    let third = open_or_attach(dir.path(), Local::new(BUCKET))
        .await
        .unwrap();
    let world = third.world.unwrap();
    let keys: Vec<String> = world.keys(BUCKET).iter().map(ToString::to_string).collect();
    assert_eq!(keys, ["../../a\0b", "same"]);
    assert_eq!(world.body("second", "k").unwrap(), "x");
    let headers = &world.object(BUCKET, "same").unwrap().headers;
    assert_eq!(headers.cache_control.as_deref(), Some("max-age=1"));
    assert_eq!(world.distributions().len(), 2);
}

#[tokio::test]
async fn contents_on_disk_go_when_nothing_uses_them() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        dir: Some(dir.path().to_owned()),
        ..Options::default()
    };
    let world = world_with(options).await;
    let files = || {
        let folders = std::fs::read_dir(dir.path().join("content")).unwrap();
        let inside = |folder: std::fs::DirEntry| std::fs::read_dir(folder.path()).unwrap().count();
        folders.map(|folder| inside(folder.unwrap())).sum::<usize>()
    };
    put(&world, "a", "same", "").await;
    put(&world, "b", "same", "").await;
    assert_eq!(files(), 1);
    put(&world, "a", "other", "").await;
    assert_eq!(files(), 2);
    world.delete_object(BUCKET, "b").unwrap();
    assert_eq!(files(), 1);
    let range = send(&world, "GET /bucket/a\nrange: bytes=1-2", b"").await;
    assert_eq!((range.status, range.text().as_str()), (206, "th"));
    assert_eq!(
        std::fs::read_dir(dir.path().join("incoming"))
            .unwrap()
            .count(),
        0
    );
}
