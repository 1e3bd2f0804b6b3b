//! `unstale verify` and `deploy --verify`: what an edge answers against the build.

use local_cloudfront::{Function, FunctionKind, OriginKind, WebsiteConfiguration};

use super::support::{BUCKET, Site, World};

fn site() -> Site {
    Site::of(&[
        ("index.html", "<p>1"),
        ("about/index.html", "<p>about"),
        ("naïve ~file.txt", "x"),
        ("empty.txt", ""),
        ("app.0a1b2c3d4e.js", "one"),
    ])
}

async fn served(world: &World) -> String {
    world.serve_edge(&world.distribution, 0, 0).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_site_is_fresh_and_a_stale_one_is_told() {
    let (world, site) = (World::new().await, site());
    let url = served(&world).await;
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    let verify = || {
        world
            .unstale("verify")
            .arg(site.dir())
            .with("--url")
            .arg(&url)
    };
    let ran = verify().with("--json").await.succeeds();
    let verified = ran.json().pop().unwrap();
    // A name with a space answers in two spellings.
    assert_eq!(verified["asked"], 7, "{ran}");
    assert_eq!(verified["fresh"], 7, "{ran}");
    assert_eq!(verified["edges"].as_object().unwrap().len(), 1, "{ran}");

    site.write("index.html", "<p>2");
    world.deploy(&site).with("--purge none").await.succeeds();
    let ran = verify().await.exits(5).says("x-cache: Hit").says("age: ");
    assert!(ran.stdout.contains("stale  "), "{ran}");
    assert!(
        ran.stdout.contains("5 of 7 request paths are fresh"),
        "{ran}"
    );
    verify().with("--changed").await.exits(5).says("0 of 2");
    world.unstale("invalidate / /index.html").await.succeeds();
    verify().await.succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_what_is_gone_count() {
    let (world, site) = (World::new().await, site());
    let url = served(&world).await;
    let verify = |words: &str| {
        world
            .unstale("verify")
            .arg(site.dir())
            .with("--url")
            .arg(&url)
            .with(words)
    };
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    site.remove("empty.txt");
    world
        .deploy(&site)
        .with("--purge none --cache-control max-age=7")
        .await
        .succeeds();
    verify("--changed --cache-control max-age=7")
        .await
        .exits(5)
        .says("cache-control `")
        .says("empty.txt: answers 200, and was removed");
    world.unstale("invalidate /*").await.succeeds();
    verify("--changed --cache-control max-age=7")
        .await
        .succeeds();
    verify("").await.exits(5).says("instead of");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_can_verify_itself() {
    let (world, site) = (World::new().await, site());
    let url = served(&world).await;
    let deploy = |words: &str| {
        world
            .deploy(&site)
            .with("--verify --json --url")
            .arg(&url)
            .with(words)
    };
    let ran = deploy("").await.succeeds();
    assert_eq!(ran.summary()["outcome"], "done");
    assert!(
        ran.json()
            .iter()
            .any(|line| line["type"] == "verified" && line["asked"] == 7)
    );
    world.warm(&site).await;
    world.clear_log();
    let ran = deploy("").await.succeeds();
    assert!(
        !ran.json().iter().any(|line| line["type"] == "verified"),
        "nothing changed"
    );
    site.write("index.html", "<p>2");
    let ran = deploy("--purge none").await.exits(5);
    let lines = ran.json();
    assert!(lines.iter().any(|line| line["type"] == "stale"), "{ran}");
    assert!(lines.iter().any(|line| line["type"] == "summary"), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_and_redirects_answer_as_they_should() {
    let world = World::with(|setup| {
        setup.distribution.origins[0].kind = OriginKind::Website {
            bucket: BUCKET.into(),
        };
        setup.bucket.website = Some(WebsiteConfiguration::new("index.html"));
    })
    .await;
    let site = site();
    site.write("_redirects", "/old /about/\n");
    let url = served(&world).await;
    let ran = world.deploy(&site).with("--verify --json --url").arg(&url);
    let ran = ran.await.succeeds();
    // Each file, the root, the folder with its slash and without, and the redirect.
    let asked = ran
        .json()
        .into_iter()
        .find(|line| line["type"] == "verified");
    assert_eq!(asked.unwrap()["asked"], 9, "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_answers_for_folders() {
    let world =
        World::with(|setup| setup.distribution.default.function = Some("index".into())).await;
    world.set_function(
        "index",
        Function {
            code: "function handler(event) { const request = event.request; if (request.uri.endsWith('/')) { request.uri += 'index.html'; } return request; }".into(),
            does: FunctionKind::Index,
        },
    );
    let site = site();
    let url = served(&world).await;
    world.deploy(&site).await.succeeds();
    let verify = world.unstale("verify").arg(site.dir()).with("--json --url");
    let ran = verify.arg(&url).await.succeeds();
    assert_eq!(ran.json().pop().unwrap()["asked"], 9, "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_answering_is_told_apart_from_stale() {
    let (world, site) = (World::new().await, site());
    world.deploy(&site).await.succeeds();
    let verify = world.unstale("verify").arg(site.dir());
    let ran = verify.with("--url http://127.0.0.1:1").await.exits(5);
    ran.says("gave no answer").says("127.0.0.1:1/index.html");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_readable_state_is_warned_of_after_a_deploy_alone() {
    let (world, site) = (World::new().await, site());
    let url = served(&world).await;
    let deploy = || world.deploy(&site).with("--url").arg(&url);
    deploy()
        .await
        .succeeds()
        .says("anybody can read the state")
        .says("arn:aws:s3:::site/.unstale/*")
        .says("cloudfront.amazonaws.com");
    deploy().await.succeeds().never_says("anybody can read");
    // Without a URL to ask, an endpoint that is not AWS's is left alone.
    site.write("index.html", "<p>2");
    world
        .deploy(&site)
        .await
        .succeeds()
        .never_says("anybody can read");
    // A page for whatever is missing is no state.
    let elsewhere = world
        .deploy(&site)
        .with("--state s3://site/elsewhere/ --url");
    site.write("index.html", "<p>3");
    let mut distribution = world.distribution(&world.distribution).unwrap();
    distribution.origins[0].kind = OriginKind::Fixed {
        domain: "x".into(),
        status: 200,
        headers: Vec::new(),
        body: "the app".into(),
    };
    world.set_distribution(distribution);
    elsewhere.arg(&url).await.never_says("anybody can read");
}
