//! `unstale verify` and `deploy --verify`: what an edge answers against the build.

use local_cloudfront::{
    Behavior, Function, FunctionKind, OriginKind, PolicyHeader, WebsiteConfiguration,
};

use super::support::{BUCKET, Site, Unstale, World};

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
    let verified = ran.told("verified");
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
    assert_eq!(ran.told("verified")["asked"], 9, "{ran}");
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

/// Deploys with these settings, finds nothing amiss, and returns how `verify` is asked again.
async fn verified<'a>(world: &'a World, site: &'a Site, settings: &str) -> impl Fn() -> Unstale {
    std::fs::write(site.project().join("deploy.toml"), settings).unwrap();
    let url = served(world).await;
    let deploy = world.deploy(site).within(site.project());
    let deploy = deploy.env("SITE_PASSWORD", "s3cret");
    deploy.with("--verify --url").arg(&url).await.succeeds();
    let verify = move || {
        let verify = world.unstale("verify").within(site.project());
        let verify = verify.env("SITE_PASSWORD", "s3cret");
        verify.arg(site.dir()).with("--json --url").arg(&url)
    };
    verify().await.succeeds();
    verify
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_asked_for_its_own_paths() {
    let (world, site) = (World::new().await, site());
    site.write("_redirects", "/na%C3%AFve%20~file.txt /index.html 200!\n");
    let verify = verified(&world, &site, "spa = true\n").await;
    let ran = verify().await.succeeds();
    // The root, and each file but the one that another is shown for.
    assert_eq!(ran.told("verified")["asked"], 5, "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn added_headers_count() {
    const SETTINGS: &str =
        "redirect-function = \"site\"\nheaders-policy = \"site\"\nsecurity = \"strict\"\n";
    let (world, site) = (World::new().await, site());
    let mut distribution = world.distribution(&world.distribution).unwrap();
    let behavior = Behavior::new("*.js", "site");
    distribution.behaviors.push(behavior);
    world.set_distribution(distribution);
    site.write(
        "_headers",
        "/*\n  X-All: here\n  Access-Control-Allow-Origin: *\n/about/*\n  X-About: us\n  ! X-Frame-Options\n",
    );
    site.write(
        "_redirects",
        "/old /about/\n/empty.txt a=b /old\nhttps://127.0.0.1/app/* https://x.example/:splat\n",
    );
    let verify = verified(&world, &site, SETTINGS).await;
    let (id, mut policy) = world.headers_policies().pop().unwrap();
    let is_frame = |header: &PolicyHeader| header.name.eq_ignore_ascii_case("x-frame-options");
    let frame = policy.security.iter().position(is_frame).unwrap();
    policy.security[frame].value = "DENY".to_owned();
    policy.custom.clear();
    world.set_headers_policy(&id, policy);
    let ran = verify().await.exits(5);
    let stale: Vec<_> = ran
        .json()
        .into_iter()
        .filter(|line| line["type"] == "stale")
        .collect();
    let faults = |path: &str| {
        let mut lines = stale.iter();
        let line = lines.find(|line| line["url"].as_str().unwrap().ends_with(path));
        line.unwrap_or_else(|| panic!("{path}: {ran}"))["faults"].to_string()
    };
    let all = "x-all none instead of `here`";
    let frame = "x-frame-options `DENY` instead of `SAMEORIGIN`";
    assert_eq!(faults("/empty.txt"), format!("[\"{all}\",\"{frame}\"]"));
    assert_eq!(faults(".js"), format!("[\"{all}\",\"{frame}\"]"));
    // There the function has the last word.
    assert_eq!(faults("/about/"), format!("[\"{all}\"]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_adds_no_more_headers_is_told() {
    const SETTINGS: &str = "redirect-function = \"site\"\nheaders-policy = \"site\"\n";
    let (world, site) = (World::new().await, site());
    site.write("_headers", "/about/*\n  X-About: us\n");
    let verify = verified(&world, &site, SETTINGS).await;
    let mut distribution = world.distribution(&world.distribution).unwrap();
    distribution.default.response_function = None;
    world.set_distribution(distribution);
    let ran = verify().await.exits(5);
    let ran = ran.says("x-about none instead of `us`");
    assert_eq!(
        ran.json()
            .iter()
            .filter(|line| line["type"] == "stale")
            .count(),
        3,
        "{ran}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_sent_and_has_to_be_asked_for() {
    let (world, site) = (World::new().await, site());
    let verify = verified(&world, &site, "password = \"env:SITE_PASSWORD\"\n").await;
    let ran = verify().await.succeeds();
    assert_eq!(ran.told("verified")["asked"], 10, "{ran}");
    let wrong = verify().env("SITE_PASSWORD", "wrong").await.exits(5);
    wrong.says("answers 401 instead of 200");
    let mut distribution = world.distribution(&world.distribution).unwrap();
    distribution.default.function = None;
    world.set_distribution(distribution);
    let ran = verify().await.exits(5);
    ran.says("answers 200 without the password")
        .never_says("s3cret");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canonical_host_is_asked() {
    let (world, site) = (World::new().await, site());
    let verify = verified(&world, &site, "canonical-host = \"127.0.0.1\"\n").await;
    verify().await.succeeds();
    // Nobody answers by HTTPS there.
    let verify = world.unstale("verify").within(site.project());
    let ran = verify.arg(site.dir()).await.exits(5);
    ran.says("Asking https://127.0.0.1 for");
}
