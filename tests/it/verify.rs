//! `unstale verify` and `deploy --verify`: what an edge answers against the build.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use local_cloudfront::{
    Behavior, ErrorResponse, Function, FunctionKind, Headers, INDEX_FUNCTION, OriginKind,
    PolicyHeader, WebsiteConfiguration,
};

use super::sites;
use super::support::{BUCKET, Ran, Setup, Site, Unstale, World, fixture};

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
    let ran = verify().await.exits(5).never_says("Hit from");
    assert!(ran.stdout.contains("stale    "), "{ran}");
    assert!(
        ran.stdout
            .contains("5 of 7 request paths are fresh: 2 stale\n"),
        "{ran}"
    );
    let ran = verify().with("--verbose").await.exits(5);
    ran.says("Hit from cloudfront, age ")
        .says("answered by FRA");
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
    site.write("gone.html", "<p>");
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    site.remove("gone.html");
    world
        .deploy(&site)
        .with("--purge none --cache-control max-age=7")
        .await
        .succeeds();
    verify("--changed --cache-control max-age=7")
        .await
        .exits(5)
        .says("cache-control `")
        .says("/gone.html: 200 where nothing is")
        .says("1 stale, 6 wrong");
    world.unstale("invalidate /*").await.succeeds();
    verify("--changed --cache-control max-age=7")
        .await
        .succeeds();
    // What has a hash in its name is not purged when it goes, and nobody will miss that.
    world.warm(&site).await;
    site.remove("app.0a1b2c3d4e.js");
    let deploy = world
        .deploy(&site)
        .with("--retain 0s --cache-control max-age=7");
    deploy.await.succeeds();
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

/// Nobody purges an error that edges keep for seconds, so it is no fault of a deploy either.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_from_before_a_page_was_there_is_asked_for_again() {
    let (world, site) = (World::new().await, site());
    let url = served(&world).await;
    world.deploy(&site).await.succeeds();
    world.forget();
    site.write("new.html", "<p>new");
    world.warm_urls(["/new.html"]).await;
    let deploy = world.deploy(&site).with("--verify --url").arg(&url);
    let running = tokio::spawn(async move { deploy.await });
    // It asks within the eleven seconds that it waits.
    let is_live = || world.object(BUCKET, "new.html").is_some();
    world.see(&running, is_live).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.clock().advance(Duration::from_secs(11));
    let ran = running.await.unwrap().succeeds();
    ran.says("1 path answered with an error that an edge had kept: asking again in 11 s");
    assert_eq!(world.purged(), [""; 0]);
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
    // Each file, the root, the folder with its slash and without, and the redirect: 301, and 302 for the folder.
    let asked = ran
        .json()
        .into_iter()
        .find(|line| line["type"] == "verified");
    assert_eq!(asked.unwrap()["asked"], 9, "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_answers_for_folders() {
    let world = World::with(by_folders).await;
    world.set_function("folders", folders());
    let site = site();
    let url = served(&world).await;
    world.deploy(&site).await.succeeds();
    let verify = world.unstale("verify").arg(site.dir()).with("--json --url");
    let ran = verify.arg(&url).await.succeeds();
    assert_eq!(ran.told("verified")["asked"], 9, "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_dead_is_one_line() {
    let (world, site) = (World::new().await, site());
    world.deploy(&site).await.succeeds();
    // A listener that says nothing of TLS.
    let plain = served(&world).await.replace("http:", "https:");
    for url in [
        "http://127.0.0.1:1",
        "https://no-such-name.invalid",
        plain.as_str(),
    ] {
        let verify = || world.unstale("verify").arg(site.dir()).with("--url");
        let ran = verify().arg(url).await.exits(5);
        assert_eq!(ran.stdout, "", "{ran}");
        assert_eq!(ran.stderr.matches("does not answer").count(), 1, "{ran}");
        let ran = verify().arg(url).with("--json").await.exits(5);
        let lines = ran.json();
        let of = |name: &str| lines.iter().filter(|line| line["type"] == name).count();
        assert_eq!((of("unreachable"), of("missing")), (1, 0), "{ran}");
        let verified = lines.iter().find(|line| line["type"] == "verified");
        assert_eq!(verified.unwrap()["unasked"], 7, "{ran}");
    }
}

/// The kind of each path that is not as it should be, as `--json` tells it.
async fn kinds(verify: Unstale) -> BTreeMap<String, String> {
    let ran = verify.with("--json").await;
    let lines = ran.json();
    let faulty = lines.iter().filter(|line| line.get("faults").is_some());
    faulty
        .map(|line| {
            let url = line["url"].as_str().unwrap();
            let path = url.splitn(4, '/').last().unwrap_or_default();
            let kind = line["type"].as_str().unwrap();
            (format!("/{path}"), kind.to_owned())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_missing_and_wrong_are_told_apart() {
    let (world, site) = (World::new().await, site());
    let url = served(&world).await;
    let verify = || {
        let verify = world.unstale("verify").arg(site.dir());
        verify.with("--url").arg(&url)
    };
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    // Twice, so that what edges hold is in the history alone.
    for body in ["<p>2", "<p>3"] {
        site.write("index.html", body);
        world.deploy(&site).with("--purge none").await.succeeds();
    }
    let other = world.put_object(BUCKET, "empty.txt", "somebody else's", Headers::default());
    other.await.unwrap();
    world.delete_object(BUCKET, "about/index.html").unwrap();
    world
        .unstale("invalidate /empty.txt /about/*")
        .await
        .succeeds();
    let told = kinds(verify()).await;
    let told: Vec<(&str, &str)> = (told.iter())
        .map(|(path, kind)| (path.as_str(), kind.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("/", "stale"),
            ("/about/index.html", "missing"),
            ("/empty.txt", "wrong"),
            ("/index.html", "stale"),
        ]
    );
    let ran = verify().await.exits(5);
    ran.says("4 of 7 request paths are not as they should be")
        .says("3 of 7 request paths are fresh: 2 stale, 1 missing, 1 wrong");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_faults_are_shown_one_by_one() {
    let (world, site) = (World::new().await, Site::empty());
    for number in 0..30 {
        site.write(&format!("{number}.html"), "x");
    }
    let url = served(&world).await;
    world.deploy(&site).await.succeeds();
    let verify = || {
        let verify = world.unstale("verify --cache-control max-age=7");
        verify.arg(site.dir()).with("--url").arg(&url)
    };
    let ran = verify().await.exits(5);
    let shown = |ran: &Ran| ran.stdout.matches("wrong    ").count();
    assert_eq!(shown(&ran), 20, "{ran}");
    assert!(ran.stdout.contains("... and 10 more"), "{ran}");
    assert_eq!(shown(&verify().with("-v").await), 30);
}

/// What stands between viewers and the bucket.
fn by_website(setup: &mut Setup) {
    setup.distribution.origins[0].kind = OriginKind::Website {
        bucket: BUCKET.into(),
    };
    setup.bucket.website = Some(WebsiteConfiguration {
        error: Some("404.html".into()),
        ..WebsiteConfiguration::new("index.html")
    });
}

fn by_folders(setup: &mut Setup) {
    setup.distribution.default.function = Some("folders".into());
}

/// Deploys each version in turn, and finds nothing amiss, nor at what each left behind.
async fn stays_fresh(versions: &[PathBuf], change: fn(&mut Setup), function: Option<Function>) {
    let world = World::with(change).await;
    if let Some(function) = function {
        world.set_function("folders", function);
    }
    let (site, url) = (Site::empty(), served(&world).await);
    for version in versions {
        site.becomes(version);
        let deploy = world.deploy(&site).with("--retain 0s --max-delete 10000");
        deploy.with("--verify --url").arg(&url).await.succeeds();
        let verify = world.unstale("verify").arg(site.dir()).with("--url");
        let ran = verify.arg(&url).with("--json").await.succeeds();
        let verified = ran.told("verified");
        // Files such as `.env` are left out of a build.
        let lines = ran.json();
        let scanned = lines.iter().find(|line| line["type"] == "scanned").unwrap();
        assert!(
            verified["asked"].as_u64() >= scanned["files"].as_u64(),
            "{ran}"
        );
    }
}

/// `/dir/` and `/dir` get the document, or whatever else has no dot.
fn bare_folders() -> Function {
    Function {
        code: INDEX_FUNCTION.to_owned(),
        does: FunctionKind::Index,
    }
}

/// `/dir/` gets the document.
fn folders() -> Function {
    Function {
        code: "function handler(event) { const request = event.request; if (request.uri.endsWith('/')) { request.uri += 'index.html'; } return request; }".to_owned(),
        does: FunctionKind::Folders,
    }
}

async fn stays_fresh_behind_all(versions: &[PathBuf]) {
    tokio::join!(
        stays_fresh(versions, |_| (), None),
        stays_fresh(versions, by_website, None),
        stays_fresh(versions, by_folders, Some(folders())),
        stays_fresh(versions, by_folders, Some(bare_folders())),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn small_sites_are_fresh_behind_any_distribution() {
    for name in ["hexo", "jekyll", "vite"] {
        let [v1, v2] = ["v1", "v2"].map(|version| fixture(name, version));
        stays_fresh_behind_all(&[v1.clone(), v2, v1]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_sites_are_fresh_behind_any_distribution() {
    for site in sites::whole_sites() {
        let versions = sites::versions_of(&site).into_iter();
        stays_fresh_behind_all(&versions.step_by(4).collect::<Vec<_>>()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_behind_a_function_is_missing() {
    let world = World::with(by_folders).await;
    world.set_function("folders", bare_folders());
    let (site, url) = (site(), served(&world).await);
    world.deploy(&site).await.succeeds();
    world.delete_object(BUCKET, "about/index.html").unwrap();
    let verify = world.unstale("verify").arg(site.dir()).with("--url");
    let told = kinds(verify.arg(&url)).await;
    let paths: Vec<&str> = told.keys().map(String::as_str).collect();
    assert_eq!(paths, ["/about", "/about/", "/about/index.html"]);
    assert!(told.values().all(|kind| kind == "missing"), "{told:?}");
}

/// Shows a page of the site, with this status, and keeps it for so many seconds, for whatever S3 says of a missing key.
fn shows_for_errors(setup: &mut Setup, page: &str, (status, min_ttl): (u16, u64)) {
    let response = |code| ErrorResponse {
        code,
        page: Some(page.to_owned()),
        response: Some(status),
        min_ttl,
    };
    setup.distribution.errors = [403, 404].map(response).to_vec();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_for_errors_are_as_they_should_be() {
    let world = World::with(|setup| {
        shows_for_errors(setup, "/404.html", (404, 300));
        by_folders(setup);
    })
    .await;
    world.set_function("folders", folders());
    let (site, url) = (site(), served(&world).await);
    site.write("404.html", "<p>nothing");
    world.deploy(&site).await.succeeds();
    let verify = || {
        let verify = world.unstale("verify").arg(site.dir());
        verify.with("--url").arg(&url)
    };
    verify().await.succeeds();
    site.write("404.html", "<p>nothing at all");
    world.deploy(&site).with("--purge none").await.succeeds();
    // An error of some seconds is borne.
    assert!(!kinds(verify()).await.contains_key("/about"));
    world.clock().advance(Duration::from_secs(20));
    assert_eq!(kinds(verify()).await["/about"], "stale");
    verify().await.says("/about: 10 bytes instead of 17\n");
    world.unstale("invalidate /*").await.succeeds();
    verify().await.succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_shown_for_errors_is_right() {
    let world = World::with(|setup| {
        shows_for_errors(setup, "/index.html", (200, 0));
        by_folders(setup);
    })
    .await;
    world.set_function("folders", folders());
    let (site, url) = (site(), served(&world).await);
    let deploy = || world.deploy(&site).with("--retain 0s --verify --url");
    deploy().arg(&url).await.succeeds();
    // The app's page answers in the place of what is gone.
    site.remove("empty.txt");
    deploy().arg(&url).await.succeeds();
    world.delete_object(BUCKET, "about/index.html").unwrap();
    world.unstale("invalidate /*").await.succeeds();
    let verify = world.unstale("verify").arg(site.dir()).with("--url");
    let told = kinds(verify.arg(&url)).await;
    assert_eq!(told["/about/index.html"], "stale");
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
    // The root, the folder in both ways, and each file, one of them in two spellings: at the one another page is shown.
    assert_eq!(ran.told("verified")["asked"], 9, "{ran}");
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
        .filter(|line| line["type"] == "wrong")
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
            .filter(|line| line["type"] == "wrong")
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
    wrong.says("401 instead of 200");
    let mut distribution = world.distribution(&world.distribution).unwrap();
    distribution.default.function = None;
    world.set_distribution(distribution);
    let ran = verify().await.exits(5);
    ran.says("200 without the password").never_says("s3cret");
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

#[tokio::test(flavor = "multi_thread")]
async fn another_host_leads_to_the_canonical_one() {
    let (world, site) = (World::new().await, site());
    let verify = verified(&world, &site, "canonical-host = \"www.example.com\"\n").await;
    let ran = verify().await.succeeds();
    ran.says("127.0.0.1 leads to www.example.com");
    let mut distribution = world.distribution(&world.distribution).unwrap();
    distribution.default.function = None;
    world.set_distribution(distribution);
    // Without the function nothing leads there, and pages are all that is to be seen.
    verify().await.succeeds().never_says("leads to");
}
