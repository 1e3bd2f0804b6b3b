//! Redirects and headers from `_redirects`, `_headers` and deploy.toml, as viewers meet them.

use local_cloudfront::{Function, FunctionKind, OriginKind, WebsiteConfiguration};

use super::support::{BUCKET, Site, World};

/// A world whose distribution has the bucket's website endpoint for its origin.
async fn website() -> World {
    World::with(|setup| {
        setup.distribution.origins[0].kind = OriginKind::Website {
            bucket: BUCKET.into(),
        };
        setup.bucket.website = Some(WebsiteConfiguration::new("index.html"));
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_website_endpoint_redirects() {
    let world = website().await;
    let site = Site::of(&[
        ("index.html", "<p>"),
        ("new.html", "<p>new"),
        ("_redirects", "/old /new.html\n/gone/ https://x.example/\n"),
    ]);
    world.deploy(&site).await.succeeds();
    let answer = world.cold("/old").await;
    assert_eq!(answer.status, 301);
    assert_eq!(answer.header("location"), Some("/new.html"));
    let answer = world.cold("/gone/").await;
    assert_eq!(answer.header("location"), Some("https://x.example/"));
    assert!(world.object(BUCKET, "_redirects").is_none());
    world.assert_settled(&site).await;

    // A changed redirect is uploaded and purged, and nothing else.
    world.warm_urls(["/old", "/gone/", "/"]).await;
    world.forget();
    site.write("_redirects", "/old /\n/gone/ https://x.example/\n");
    world.deploy(&site).await.succeeds();
    assert_eq!(world.purged(), ["/old"]);
    assert_eq!(world.stale().await, [""; 0]);

    // One that goes leaves no object, and no copy at an edge.
    world.forget();
    site.remove("_redirects");
    world.deploy(&site).await.succeeds();
    assert!(world.object(BUCKET, "old").is_none());
    assert_eq!(world.stale().await, [""; 0]);
    assert_eq!(world.cold("/old").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_website_endpoint_cannot_do_is_told() {
    let world = website().await;
    let site = Site::of(&[
        ("index.html", "<p>"),
        ("file", "x"),
        (
            "_redirects",
            "/a/* /b/:splat\n/file /\n/now / 302\n/docs/.unstale/state /\n",
        ),
    ]);
    world
        .deploy(&site)
        .await
        .succeeds()
        .says("_redirects:1")
        .says("_redirects:2")
        .says("`force`")
        .says("_redirects:3")
        .says("_redirects:4: the redirect of /docs/.unstale/state does nothing");
    assert!(world.object(BUCKET, "docs/.unstale/state").is_none());
    assert_eq!(world.body(BUCKET, "file").unwrap(), "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rest_origin_needs_the_function() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "<p>"), ("_redirects", "/old /new\n")]);
    world
        .deploy(&site)
        .await
        .succeeds()
        .says("unstale redirects --function");
    assert!(world.object(BUCKET, "old").is_none());
    std::fs::write(site.project().join("deploy.toml"), "dir = \"public\"\n").unwrap();
    let printed = world
        .unstale("redirects --function")
        .within(site.project())
        .await
        .succeeds();
    let mut distribution = world.distribution(&world.distribution).unwrap();
    distribution.default.function = Some("redirects".into());
    world.set_function(
        "redirects",
        Function {
            code: printed.stdout.clone(),
            does: FunctionKind::Index,
        },
    );
    world.set_distribution(distribution);
    world
        .deploy(&site)
        .await
        .succeeds()
        .never_says("--function");
    site.write("_redirects", "/old /new\n/older /new\n");
    world.plan(&site).await.succeeds().says("/older");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_the_build_go_before_those_of_deploy_toml() {
    let world = World::new().await;
    let site = Site::of(&[
        ("index.html", "<p>"),
        ("a.txt", "a"),
        ("b.txt", "b"),
        ("_headers", "/*.txt\n  Cache-Control: max-age=5\n"),
    ]);
    std::fs::write(
        site.project().join("deploy.toml"),
        "[[headers]]\nmatch = \"b.txt\"\ncache-control = \"max-age=6\"\n",
    )
    .unwrap();
    let deploy = || world.deploy(&site).within(site.project());
    deploy().await.succeeds();
    let served = |key: &str| {
        let object = world.object(BUCKET, key).unwrap();
        object.headers.cache_control.clone().unwrap()
    };
    assert_eq!(
        (served("a.txt"), served("b.txt")),
        ("max-age=5".into(), "max-age=6".into())
    );
    assert!(world.object(BUCKET, "_headers").is_none());
    world.forget();
    site.write("_headers", "/*.txt\n  Cache-Control: max-age=7\n");
    deploy().await.succeeds();
    assert_eq!(
        world.site_writes(),
        ["CopyObject a.txt", "CreateInvalidation"]
    );
    assert_eq!(world.purged(), ["/a.txt"]);
    world.assert_idle(deploy()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told_by_file_and_line() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "<p>"), ("_redirects", "/a /b\n/b /a\n")]);
    world.deploy(&site).await.exits(2).says("_redirects:1");
    site.write("_redirects", "/a /b\n/c\n");
    world.deploy(&site).await.exits(2).says("_redirects:2");
    site.remove("_redirects");
    site.write("_headers", "/*\n  Cache-Control: a\u{7}\n");
    world.deploy(&site).await.exits(2).says("_headers:2");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_listed_with_where_they_work() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "<p>"), ("_redirects", "/x/* /y\n")]);
    let settings = "dir = \"public\"\n[[redirects]]\nfrom = \"/old\"\nto = \"/new\"\n";
    std::fs::write(site.project().join("deploy.toml"), settings).unwrap();
    let listed = world.unstale("redirects --json").within(site.project());
    let listed = listed.await.succeeds().json();
    assert_eq!(listed[0]["from"], "/old");
    assert_eq!(listed[0]["website-endpoint"], true);
    assert_eq!(listed[0]["place"], "deploy.toml:2");
    assert_eq!(listed[1]["from"], "/x/*");
    assert_eq!(listed[1]["website-endpoint"], false);
}
