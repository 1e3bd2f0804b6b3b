//! `plan --explain`, and what plans warn of.

use local_cloudfront::{CachePolicy, Caching, ErrorResponse};

use super::support::{BUCKET, Site, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_or_url_is_explained_and_nothing_else() {
    let world = World::new().await;
    let site = Site::of(&[
        ("index.html", "<p>1"),
        ("same.html", "<p>"),
        ("gone.html", "<p>"),
        ("a b.txt", "x"),
        ("app.0a1b2c3d4e.js", "one"),
    ]);
    let settings = |value: &str| {
        let text = format!("[[headers]]\nmatch = \"*.txt\"\ncache-control = \"{value}\"\n");
        std::fs::write(site.project().join("deploy.toml"), text).unwrap();
    };
    settings("max-age=1");
    let inside = |command: super::support::Unstale| command.within(site.project());
    inside(world.deploy(&site)).await.succeeds();
    world
        .put_object(BUCKET, "theirs.txt", "x", Default::default())
        .await
        .unwrap();
    site.write("index.html", "<p>2");
    site.write("new.html", "<p>");
    site.remove("gone.html");
    site.remove("app.0a1b2c3d4e.js");
    settings("max-age=2");
    world.forget();
    let explain = |what: &str| inside(world.plan(&site).with("--explain").arg(what));
    for (what, words) in [
        (
            "index.html",
            &[
                "content: the bucket has",
                "purges / by",
                "purges /index.html by",
            ][..],
        ),
        (
            "https://www.example.com/?x=1",
            &["index.html", "content", "purges / by"],
        ),
        (
            "/a%20b.txt",
            &[
                "was `max-age=1`, is `max-age=2`",
                "deploy.toml:1",
                "purges /a%20b.txt by",
            ],
        ),
        ("a b.txt", &["cache-control: max-age=2"]),
        ("same.html", &["unchanged", "does not purge /same.html"]),
        (
            "new.html",
            &[
                "new: the bucket has no such object",
                "does not purge /new.html: it is new",
            ],
        ),
        ("gone.html", &["removed", "purges /gone.html by"]),
        ("/app.0a1b2c3d4e.js", &["retained", "does not purge"]),
        ("theirs.txt", &["foreign"]),
    ] {
        let ran = explain(what).await.succeeds();
        for word in words {
            assert!(ran.stdout.contains(word), "`{word}` is missing\n{ran}");
        }
    }
    let ran = explain("https://www.example.com/").with("--json").await;
    let ran = ran.succeeds();
    let last = ran.told("explained");
    assert_eq!(last["key"], "index.html", "{ran}");
    assert_eq!(last["paths"], serde_json::json!(["/"]), "{ran}");
    for what in ["nosuch.html", "/nosuch/", "https://www.example.com/x"] {
        explain(what)
            .await
            .exits(2)
            .says("neither the build nor the bucket");
    }
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_the_distribution_defeats() {
    let world = World::with(|setup| {
        setup.distribution.default.caching = Caching::Policy("own".into());
        setup.distribution.default.compress = false;
        setup.distribution.errors = vec![ErrorResponse {
            code: 403,
            page: Some("/index.html".into()),
            response: Some(200),
            min_ttl: 86_400,
        }];
    })
    .await;
    let policy = CachePolicy {
        min_ttl: 60,
        max_ttl: 3600,
        ..CachePolicy::optimized()
    };
    world.set_policy("own", policy);
    let site = Site::of(&[("index.html", &"<p>".repeat(1000)), ("a.html", "<p>")]);
    let ran = world.plan(&site).await.succeeds();
    ran.says("3600 s at most")
        .says("does not compress")
        .says("error 403");
    let ran = world.plan(&site).with("--cache-control no-cache").await;
    ran.succeeds().says("in spite of");

    let usual = World::new().await;
    let ran = usual.plan(&site).await.succeeds();
    assert!(!ran.stderr.contains("warning"), "{ran}");
}
