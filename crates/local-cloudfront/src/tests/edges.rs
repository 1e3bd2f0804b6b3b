//! Edges, in process and over HTTP.

use super::*;

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
    };
    let website = WebsiteConfiguration {
        error: Some("v1/404.html".to_owned()),
        ..WebsiteConfiguration::new("index.html")
    };
    world.website(BUCKET, website).unwrap();
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
    assert_eq!(known.header("content-length"), None);
    let modified = second.header("last-modified").unwrap();
    let since = format!("GET /\nif-modified-since: {modified}");
    assert_eq!(try_send(&url, &since, b"").await.unwrap().status, 304);
    let part = try_send(&url, "GET /\nrange: bytes=1-2", b"").await;
    let part = part.unwrap();
    assert_eq!((part.status, part.text().as_str()), (206, "om"));
    assert_eq!(part.header("content-range"), Some("bytes 1-2/4"));
    assert_eq!(part.header("content-length"), Some("2"));
    let past = try_send(&url, "GET /\nrange: bytes=4-", b"").await;
    assert_eq!(past.unwrap().status, 416);
    let head = try_send(&url, "HEAD /\nrange: bytes=1-2", b"").await;
    let head = head.unwrap();
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("4"))
    );
    // Errors are whole, whatever is asked of them.
    let missing = try_send(&url, "GET /none\nrange: bytes=0-1\nif-none-match: *", b"").await;
    assert_eq!(missing.unwrap().status, 404);
    assert_eq!(try_send(&url, "POST /", b"").await.unwrap().status, 403);
}

#[tokio::test]
async fn a_rest_endpoint_takes_a_raw_plus_for_a_space() {
    let (world, site) = site().await;
    for key in ["a b.html", "a+b.html", "c++.html"] {
        put(&world, key, key, "").await;
    }
    let edge = world.edge(&site.id, 0);
    for (path, status, text) in [
        ("/a%20b.html", 200, "a b.html"),
        ("/a+b.html", 200, "a b.html"),
        ("/a%2Bb.html", 200, "a+b.html"),
        ("/c++.html", 404, ""),
        ("/c%2B%2B.html", 200, "c++.html"),
    ] {
        let answer = edge.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(text.is_empty() || answer.text() == text, "{path}");
    }
    assert_eq!(
        edge.entries(),
        [
            "/a%20b.html",
            "/a%2Bb.html",
            "/a+b.html",
            "/c%2B%2B.html",
            "/c++.html"
        ]
    );
}

#[tokio::test]
async fn by_the_origins_headers_only_what_says_so_is_kept() {
    let (world, mut site) = site().await;
    for (policy, entries) in [
        (policy::ORIGIN_HEADERS, vec!["/dated"]),
        (policy::ORIGIN_HEADERS_QUERIES, vec!["/dated", "/dated?a=1"]),
    ] {
        site.default.caching = Caching::Policy(policy.to_owned());
        world.set_distribution(site.clone());
        put(&world, "plain", "one", "").await;
        put(&world, "dated", "one", "max-age=60").await;
        let edge = world.edge(&site.id, 0);
        edge.chill();
        for path in ["/plain", "/dated", "/dated?a=1"] {
            assert_eq!(edge.get(path).await.text(), "one");
        }
        put(&world, "plain", "two", "").await;
        put(&world, "dated", "two", "max-age=60").await;
        assert_eq!(edge.get("/plain").await.text(), "two");
        assert_eq!(edge.get("/dated").await.text(), "one");
        let mut kept = edge.entries();
        kept.retain(|key| key.starts_with("/dated"));
        assert_eq!(kept, entries);
        let get = format!("GET /2020-05-31/cache-policy/{policy}");
        let said = send(&world, &get, b"").await.text();
        assert!(said.contains("<DefaultTTL>0</DefaultTTL><MaxTTL>31536000</MaxTTL>"));
    }
}

#[tokio::test]
async fn an_origin_group_fails_over_and_keeps_what_it_got() {
    let (world, mut site) = site().await;
    world.create_bucket("other").unwrap();
    site.origins.push(Origin {
        id: "other".to_owned(),
        path: String::new(),
        kind: OriginKind::S3 {
            bucket: "other".to_owned(),
            may_list: true,
        },
    });
    site.origin_groups = vec![OriginGroup {
        id: "both".to_owned(),
        members: vec!["site".to_owned(), "other".to_owned()],
        failover: vec![403, 404],
    }];
    site.default.origin = "both".to_owned();
    world.set_distribution(site.clone());
    put(&world, "a", "first", "").await;
    for key in ["a", "b"] {
        let headers = Headers::default();
        world
            .put_object("other", key, "second", headers)
            .await
            .unwrap();
    }
    let edge = world.edge(&site.id, 0);
    assert_eq!(edge.get("/a").await.text(), "first");
    assert_eq!(edge.fetches(), 1);
    assert_eq!(edge.get("/b").await.text(), "second");
    assert_eq!(edge.fetches(), 3);
    assert_eq!(edge.get("/c").await.status, 404);
    // What the second answered stands when the first could answer.
    put(&world, "b", "first", "").await;
    later(&world, 3600);
    assert_eq!(edge.get("/b").await.text(), "second");
    invalidate(&world, &site.id, "1", &["/b"]).await;
    assert_eq!(edge.get("/b").await.text(), "first");
    // A status that is not listed is the answer.
    site.origin_groups[0].failover = vec![500];
    site.errors.clear();
    world.set_distribution(site.clone());
    world.delete_object(BUCKET, "b").unwrap();
    assert_eq!(world.edge(&site.id, 1).get("/b").await.status, 404);
    let config = format!("GET /2020-05-31/distribution/{}/config", site.id);
    let config = send(&world, &config, b"").await.text();
    let config = xml::Element::parse(&config).unwrap();
    let group = &config.items("OriginGroups")[0];
    let codes = group.items("FailoverCriteria/StatusCodes");
    assert_eq!(codes[0].text, "500");
    let members = group.items("Members").iter();
    let members: Vec<_> = members.map(|member| member.text_at("OriginId")).collect();
    assert_eq!(members, ["site", "other"]);
}

#[tokio::test]
async fn an_access_point_answers_as_its_bucket_does() {
    let (world, mut site) = site().await;
    site.origins[0].kind = OriginKind::AccessPoint {
        alias: "site-abc-s3alias".to_owned(),
        bucket: BUCKET.to_owned(),
        may_list: false,
    };
    site.errors.clear();
    world.set_distribution(site.clone());
    put(&world, "a b", "here", "").await;
    let edge = world.edge(&site.id, 0);
    assert_eq!(edge.get("/a+b").await.text(), "here");
    assert_eq!(edge.get("/none").await.status, 403);
    let config = format!("GET /2020-05-31/distribution/{}/config", site.id);
    let config = xml::Element::parse(&send(&world, &config, b"").await.text()).unwrap();
    let origin = &config.items("Origins")[0];
    assert_eq!(
        origin.text_at("DomainName"),
        "site-abc-s3alias.s3.us-east-1.amazonaws.com"
    );
    assert!(origin.child("S3OriginConfig").is_some());
    assert!(!origin.text_at("OriginAccessControlId").is_empty());
}
