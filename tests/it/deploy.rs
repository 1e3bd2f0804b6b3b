//! The main job: what changed is uploaded and purged, nothing else, and in the order that breaks no visit.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_cloudfront::{Fault, Headers, OriginKind, WebsiteConfiguration};

use crate::support::{BUCKET, Site, World};

fn small() -> Site {
    Site::of(&[
        ("index.html", "<link rel=stylesheet href=/app.css><p>one"),
        ("about.html", "<p>about"),
        ("posts/a/index.html", "<p>a"),
        ("posts/b/index.html", "<p>b"),
        ("404.html", "<p>not here"),
        ("app.css", "p{color:red}"),
        ("logo.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
    ])
}

#[tokio::test]
async fn a_change_is_uploaded_and_purged_and_nothing_else() {
    let (world, site) = (World::new().await, small());
    world.deploy(&site).await.succeeds();
    world.assert_deployed(&site, "");
    world.warm(&site).await;

    site.write("index.html", "<link rel=stylesheet href=/app.css><p>two!");
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(
        world.site_writes(),
        ["PutObject index.html", "CreateInvalidation"]
    );
    assert_eq!(world.purged(), ["/", "/index.html"]);
    world.assert_deployed(&site, "");
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

/// The usual way to move a site here: its distribution is warm from an old origin, the bucket is empty.
#[tokio::test]
async fn a_first_deploy_purges_everything_once_though_the_bucket_is_empty() {
    let (world, site) = (World::new().await, small());
    world.create_bucket("old").unwrap();
    let here = world.distribution(&world.distribution).unwrap();
    let mut before = local_cloudfront::Distribution::for_bucket("old");
    before.id.clone_from(&here.id);
    let old = world.put_object("old", "index.html", "<p>from long ago", Headers::default());
    old.await.unwrap();
    world.set_distribution(before);
    world.warm(&site).await;
    world.set_distribution(here);
    world.deploy(&site).await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn same_size_and_other_content_is_found() {
    let (world, site) = (World::new().await, small());
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    site.write("posts/a/index.html", "<p>A");
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(world.purged(), ["/posts/a/index.html"]);
    world.assert_deployed(&site, "");
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn fresh_times_change_nothing() {
    let (world, site) = (World::new().await, small());
    world.deploy(&site).await.succeeds();
    let checkout = Site::copy_of(&site.dir());
    world.assert_settled(&checkout).await;
    world
        .assert_idle(world.deploy(&checkout).with("--no-cache"))
        .await;
}

#[tokio::test]
async fn a_prefix_is_a_folder() {
    let world = World::with(|setup| setup.distribution.origins[0].path = "/docs".into()).await;
    for key in ["docs-old/index.html", "docs", "other.html"] {
        let put = world.put_object(BUCKET, key, "theirs", Headers::default());
        put.await.unwrap();
    }
    let site = small();
    let deploy = || world.deploy(&site).with("--prefix docs");
    deploy().await.succeeds();
    world.assert_deployed(&site, "docs/");
    world.warm(&site).await;

    site.write("about.html", "<p>us");
    site.remove("posts/b/index.html");
    world.forget();
    deploy().await.succeeds();
    assert_eq!(world.purged(), ["/about.html", "/posts/b/index.html"]);
    world.assert_deployed(&site, "docs/");
    world.assert_fresh(&site, "").await;
    for key in ["docs-old/index.html", "docs", "other.html"] {
        assert_eq!(world.body(BUCKET, key).unwrap(), "theirs", "{key}");
    }
    world.assert_idle(deploy()).await;
}

#[tokio::test]
async fn each_file_has_the_type_that_browsers_want() {
    let cases = [
        ("index.html", "text/html; charset=utf-8", "<p>"),
        ("a.css", "text/css; charset=utf-8", ""),
        ("a.js", "text/javascript; charset=utf-8", ""),
        ("a.mjs", "text/javascript; charset=utf-8", ""),
        ("a.js.map", "application/json", "{}"),
        ("a.wasm", "application/wasm", ""),
        ("site.webmanifest", "application/manifest+json", "{}"),
        ("a.avif", "image/avif", ""),
        ("a.woff2", "font/woff2", ""),
        ("hls/a.m3u8", "application/vnd.apple.mpegurl", ""),
        ("hls/0.ts", "video/mp2t", ""),
        ("src/0.ts", "text/", ""),
        ("a.txt", "text/plain; charset=utf-8", ""),
        ("page", "text/html; charset=utf-8", "<!doctype html><p>"),
        ("data", "application/octet-stream", "\u{1}\u{2}"),
    ];
    let world = World::new().await;
    let files: Vec<_> = cases.iter().map(|(path, _, body)| (*path, *body)).collect();
    let site = Site::of(&files);
    world.deploy(&site).await.succeeds();
    for (path, right, _) in cases {
        let answer = world.cold(&format!("/{path}")).await;
        let served = answer.header("content-type").unwrap_or_default();
        assert!(served.starts_with(right), "{path}: {served}");
    }
}

#[tokio::test]
async fn a_website_endpoint_answers_folders_too() {
    let world = World::with(|setup| {
        setup.distribution.origins[0].kind = OriginKind::Website {
            bucket: BUCKET.into(),
        };
        setup.bucket.website = Some(WebsiteConfiguration {
            error: Some("404.html".into()),
            ..WebsiteConfiguration::new("index.html")
        });
        setup.distribution.root = None;
    });
    let (world, site) = (world.await, small());
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    site.write("posts/a/index.html", "<p>another");
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(world.purged(), ["/posts/a/", "/posts/a/index.html"]);
    world.assert_fresh(&site, "").await;

    site.remove("posts/a/index.html");
    site.write("new/index.html", "<p>new");
    world.deploy(&site).await.succeeds();
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

/// What stood in the bucket when requests of these operations arrived.
fn watch(world: &World, operations: &'static [&'static str]) -> Arc<Mutex<Vec<Vec<String>>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (list, local) = (seen.clone(), (**world).clone());
    world.set_rule(move |request| {
        if operations.contains(&request.operation) {
            let keys = local.keys(BUCKET).into_iter().map(|key| key.to_string());
            list.lock().unwrap().push(keys.collect());
        }
        Fault::None
    });
    seen
}

#[tokio::test]
async fn assets_come_before_pages_and_the_root_last() {
    let (world, site) = (World::new().await, small());
    site.write("posts/index.html", "<p>posts");
    world.deploy(&site).with("--concurrency 8").await.succeeds();
    let writes = world.site_writes();
    let at = |key: &str| {
        let put = format!("PutObject {key}");
        let found = writes.iter().position(|write| *write == put);
        found.unwrap_or_else(|| panic!("{key} in {writes:?}"))
    };
    for (first, second) in [
        ("logo.svg", "posts/a/index.html"),
        ("app.css", "posts/a/index.html"),
        ("app.css", "about.html"),
        ("posts/a/index.html", "index.html"),
        ("posts/b/index.html", "posts/index.html"),
        ("about.html", "index.html"),
        ("404.html", "index.html"),
    ] {
        assert!(at(first) < at(second), "{first}, {second} in {writes:?}");
    }
}

#[tokio::test]
async fn pages_go_before_the_purge_and_assets_after_its_completion() {
    let (world, site) = (World::new().await, small());
    world.deploy(&site).await.succeeds();
    world.cloud_options(|options| options.invalidation_time = Duration::from_secs(30));
    world.warm(&site).await;

    site.remove("logo.svg");
    site.remove("posts/b/index.html");
    site.write("index.html", "<p>no logo");
    world.forget();
    let seen = watch(&world, &["CreateInvalidation"]);
    let deploy = world.deploy(&site).with("--retain 0s");
    let running = tokio::spawn(deploy.into_future());
    // The clock stands: the purge is under way until it is moved.
    world
        .see(&running, || world.count("GetInvalidation") >= 2)
        .await;
    assert!(world.object(BUCKET, "logo.svg").is_some());
    assert!(world.object(BUCKET, "posts/b/index.html").is_none());
    assert_eq!(world.purged(), ["/", "/index.html", "/posts/b/index.html"]);
    world.clock().advance(Duration::from_secs(31));
    world.see(&running, || world.purged().len() >= 4).await;
    world.clock().advance(Duration::from_secs(31));
    running.await.unwrap().succeeds();
    world.clear_rule();

    let seen = seen.lock().unwrap().clone();
    let held = |at: usize, key: &str| seen[at].iter().any(|known| known == key);
    assert_eq!(seen.len(), 2, "a purge of its own for the removed asset");
    assert!(held(0, "logo.svg") && !held(1, "logo.svg"));
    assert!(!held(0, "posts/b/index.html"));
    world.assert_deployed(&site, "");
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn what_lies_in_an_archive_is_uploaded_rather_than_copied() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    world.deploy(&site).await.succeeds();
    world.set_rule(|request| match request.operation {
        "CopyObject" => Fault::Fail(403, "InvalidObjectState"),
        _ => Fault::None,
    });
    let deploy = world.deploy(&site).with("--cache-control max-age=7");
    deploy.await.succeeds();
    let index = world.object(BUCKET, "index.html").unwrap();
    assert_eq!(index.headers.cache_control.as_deref(), Some("max-age=7"));
    assert_eq!(world.body(BUCKET, "index.html").unwrap(), "<p>");
}
