//! Redirects before an origin that does not redirect: the CloudFront Function that deploys write, publish and associate.

use std::collections::BTreeSet;
use std::process::Command;

use local_cloudfront::{Fault, Function, OriginKind, RequestInfo, WebsiteConfiguration};
use unstale::rules::edge_function::EdgeFunction;
use unstale::rules::links::html_links;

use crate::mishap::{Side, crash_at};
use crate::support::{BUCKET, Site, Unstale, World};

const NAME: &str = "site-redirects";
const REDIRECTS: &str = "/old /new.html
/for-now /new.html 302
/for-good /new.html 308
/caf%C3%A9 /new.html
/docs/* /guide/:splat
/news/:year/:slug /blog/:year-:slug.html
/away https://x.example/?a=b
";

fn site() -> Site {
    let site = Site::of(&[
        ("index.html", "<a href=new.html>"),
        ("new.html", "<p>new"),
        ("guide/a/index.html", "<p>guide"),
        ("404.html", "<p>gone"),
        ("_redirects", REDIRECTS),
    ]);
    settings(&site, "");
    site
}

/// deploy.toml with the function's name, and more.
fn settings(site: &Site, more: &str) {
    let text = format!("redirect-function = \"{NAME}\"\n{more}");
    std::fs::write(site.project().join("deploy.toml"), text).unwrap();
}

fn deploy(world: &World, site: &Site) -> Unstale {
    world.deploy(site).within(site.project())
}

/// Writes about functions and distributions.
fn cloud_writes(world: &World) -> Vec<String> {
    let mut writes = world.writes();
    writes.retain(|one| {
        one.contains("Function") || one.contains("Distribution") || one.contains("Invalidation")
    });
    // It changes nothing.
    writes.retain(|one| one != "TestFunction");
    writes
}

async fn assert_redirects(world: &World) {
    for (path, status, place) in [
        ("/old", 301, "/new.html"),
        ("/old?a=b&c", 301, "/new.html?a=b&c"),
        ("/for-now", 302, "/new.html"),
        ("/for-good", 308, "/new.html"),
        ("/caf%C3%A9", 301, "/new.html"),
        ("/docs/a/", 301, "/guide/a/"),
        ("/news/2026/x", 301, "/blog/2026-x.html"),
        ("/away?c=d", 301, "https://x.example/?a=b"),
    ] {
        let answer = world.cold(path).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, Some(place)),
            "{path}"
        );
    }
    for path in ["/new.html", "/guide/a/", "/guide/a", "/"] {
        assert_eq!(world.cold(path).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_writes_and_associates_it_and_purges_once() {
    let (world, site) = (World::new().await, site());
    world
        .deploy(&site)
        .await
        .succeeds()
        .says("redirect-function");
    world.warm(&site).await;
    world.warm_urls(["/old", "/docs/a/"]).await;
    world.forget();
    let plan = world.plan(&site).within(site.project());
    let words = "to create, test, publish, associate with the viewer requests";
    plan.await
        .succeeds()
        .says(&format!("Function {NAME} (7 redirects"))
        .says(words);
    assert_eq!(world.writes(), [""; 0]);

    site.write("new.html", "<p>newer");
    deploy(&world, &site).await.succeeds().never_says("By hand");
    let writes = cloud_writes(&world);
    assert_eq!(
        writes,
        [
            "CreateFunction",
            "PublishFunction",
            "UpdateDistribution",
            "CreateInvalidation"
        ]
    );
    assert_eq!(world.purged(), ["/*"]);
    let all = world.writes();
    let at = |words: &str| all.iter().position(|one| one == words);
    assert!(at("PutObject new.html") < at("CreateFunction"), "{all:?}");
    assert_redirects(&world).await;
    assert_eq!(world.stale().await, [""; 0]);
    world.assert_idle(deploy(&world, &site)).await;

    // Another target for one of them, and one more.
    world.forget();
    site.write(
        "_redirects",
        format!(
            "{}/more/* /\n",
            REDIRECTS.replace("/old /new.html", "/old /")
        ),
    );
    let explained = world.plan(&site).within(site.project());
    let explained = explained.with("--explain /old").await.succeeds();
    explained.says("purges /old").says("redirect");
    deploy(&world, &site).await.succeeds();
    assert_eq!(
        cloud_writes(&world),
        ["UpdateFunction", "PublishFunction", "CreateInvalidation"]
    );
    assert_eq!(world.purged(), ["/m*", "/old"]);
    assert_eq!(world.cold("/old").await.header("location"), Some("/"));
    world.assert_idle(deploy(&world, &site)).await;

    // None at all: it stays, and answers none.
    site.remove("_redirects");
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.cold("/old").await.status, 404);
    assert_eq!(world.cold("/guide/a/").await.status, 200);
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_stays_as_it_is() {
    let (world, site) = (World::new().await, site());
    let theirs = || Function::of("function handler(event) { return event.request; }\n".into());
    let untouched = |said: &'static str| {
        let (world, site) = (&world, &site);
        async move {
            world.forget();
            let ran = deploy(world, site).await.succeeds().says(said);
            let mut writes = cloud_writes(world);
            writes.retain(|one| one != "CreateInvalidation");
            assert_eq!(writes, [""; 0], "{ran}");
        }
    };
    world.set_function(NAME, theirs());
    untouched("was not written for s3://site/ by unstale").await;
    // Another site's.
    let other = EdgeFunction {
        site: "s3://other/".into(),
        ..EdgeFunction::default()
    };
    world.set_function(NAME, Function::of(other.code().unwrap()));
    untouched("was not written for s3://site/ by unstale").await;
    // Another function sees the requests.
    world.set_function("theirs", theirs());
    let mut distribution = world.distribution(&world.distribution).unwrap();
    distribution.default.function = Some("theirs".into());
    world.set_distribution(distribution);
    untouched("function/theirs sees its requests already").await;
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_told_and_the_deploy_goes_on() {
    for (operation, resource) in [
        ("GetFunction", NAME),
        ("CreateFunction", NAME),
        ("PublishFunction", NAME),
        ("UpdateDistribution", "E"),
    ] {
        let (world, site) = (World::new().await, site());
        world.deploy(&site).await.succeeds();
        world.warm(&site).await;
        let denied = move |request: &RequestInfo| {
            if request.operation == operation {
                Fault::Fail(403, "AccessDenied")
            } else {
                Fault::None
            }
        };
        world.set_rule(denied);
        site.write("new.html", format!("<p>{operation}"));
        world.forget();
        let ran = deploy(&world, &site).await.succeeds();
        ran.says(&format!("allow cloudfront:{operation} on {resource}"))
            .says("By hand");
        // What was not done owes nothing.
        assert_eq!(world.purged(), ["/new.html"], "{operation}");
        assert_eq!(world.stale().await, [""; 0]);
        world.clear_rule();
        world.warm_urls(["/guide/a/"]).await;
        deploy(&world, &site).await.succeeds().never_says("By hand");
        assert_redirects(&world).await;
        assert_eq!(world.stale().await, [""; 0]);
        world.assert_idle(deploy(&world, &site)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_dies_in_between_is_finished_by_the_next() {
    let writes = |request: &RequestInfo| {
        request.writes() && request.key.is_empty() && request.operation != "TestFunction"
    };
    for at in 1..=4 {
        for side in [Side::Before, Side::After] {
            let (world, site) = (World::new().await, site());
            world.deploy(&site).await.succeeds();
            world.warm(&site).await;
            world.warm_urls(["/old", "/docs/a/", "/guide/a/"]).await;
            crash_at(&world, deploy(&world, &site), at, side, writes)
                .await
                .unwrap();
            world.warm(&site).await;
            deploy(&world, &site).await.succeeds().never_says("By hand");
            assert_redirects(&world).await;
            assert_eq!(world.stale().await, [""; 0]);
            world.assert_idle(deploy(&world, &site)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_purge_waits_for_edges_that_do_not_know_the_function_yet() {
    let time = std::time::Duration::from_secs(200);
    let world = World::with(|setup| setup.cloud.deploy_time = time).await;
    let site = site();
    world.deploy(&site).await.succeeds();
    world.forget();
    let running = tokio::spawn(async move { (deploy(&world, &site).start(), world, site) });
    let (started, world, site) = running.await.unwrap();
    let running = tokio::spawn(started.ended());
    let asked = || {
        world
            .log()
            .iter()
            .any(|one| one.request.operation == "UpdateDistribution")
    };
    world.see(&running, asked).await;
    let waited = || world.count("GetDistribution") > 1;
    world.see(&running, waited).await;
    assert_eq!(world.purged(), [""; 0]);
    world.clock().advance(time);
    running
        .await
        .unwrap()
        .succeeds()
        .says("Waiting until all edges know");
    assert_eq!(world.purged(), ["/*"]);
    assert_redirects(&world).await;
    world.assert_idle(deploy(&world, &site)).await;
}

/// The code, run by node on each URI: status and Location, or the URI that comes of it.
fn run_by_node(code: &str, uris: &[&str]) -> Option<Vec<(u64, String)>> {
    let uris = serde_json::to_string(uris).unwrap();
    let script = format!(
        "{code}\nconsole.log(JSON.stringify({uris}.map(uri => {{
  const answer = handler({{ request: {{ uri: uri, querystring: {{ v: {{ value: '1' }} }} }} }});
  return answer.statusCode ? [answer.statusCode, answer.headers.location.value] : [0, answer.uri];
}})));"
    );
    let ran = Command::new("node").arg("-e").arg(script).output().ok()?;
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    Some(serde_json::from_slice(&ran.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn its_code_does_what_the_edges_here_take_it_to_do() {
    for more in ["", "index = \"none\"\n", "strip-extension = [\".html\"]\n"] {
        let (world, site) = (World::new().await, site());
        settings(&site, more);
        deploy(&world, &site).await.succeeds();
        let code = world.function(NAME).unwrap().code;
        let uris = [
            "/old",
            "/old/",
            "/for-now",
            "/for-good",
            "/caf%C3%A9",
            "/caf%c3%a9",
            "/docs",
            "/docs/",
            "/docs/a//b",
            "/news/2026/x",
            "/news//x",
            "/news/2026/x/",
            "/away",
            "/",
            "/guide/a/",
            "/guide/a",
            "/new.html",
            "/index.html",
            "/a/index.html",
            "/404.html",
            "/a/404.html",
            "/.html",
            "/new",
            "/a.css",
        ];
        let Some(by_node) = run_by_node(&code, &uris) else {
            println!("skipped: there is no node");
            return;
        };
        for (uri, (status, place)) in uris.iter().zip(by_node) {
            let edge = world.edge(&world.distribution, 0);
            edge.chill();
            let answer = edge.get(&format!("{uri}?v=1")).await;
            match answer.header("location") {
                Some(location) => {
                    assert_eq!((answer.status.into(), location), (status, &*place), "{uri}")
                }
                None => {
                    assert_eq!(status, 0, "{uri}");
                    assert!(
                        edge.entries().contains(&place),
                        "{uri}: {place} is not in {:?}",
                        edge.entries()
                    );
                }
            }
        }
    }
}

/// Every link of every page, followed as a browser would, and every name that a file had.
async fn assert_no_broken_visit(world: &World, site: &Site) {
    let mut links = BTreeSet::new();
    for (path, body) in site.files() {
        links.insert(path.clone());
        if path.ends_with(".html") {
            links.extend(html_links(&path, &body));
        }
    }
    for link in links {
        let mut url = format!("/{link}");
        for _ in 0..3 {
            let answer = world.cold(&url).await;
            match answer.header("location") {
                Some(next) => url = next.to_owned(),
                None => {
                    assert_eq!(answer.status, 200, "{link}: {url}");
                    break;
                }
            }
        }
    }
}

fn site_with_names() -> Site {
    let site = Site::of(&[
        (
            "index.html",
            "<a href=about.html><a href=/posts/a%20b.html><a href=posts/>",
        ),
        ("about.html", "<a href=/index.html>"),
        ("posts/index.html", "<a href='a b.html'><a href=../about>"),
        ("posts/a b.html", "<p>"),
        ("404.html", "<p>gone"),
    ]);
    std::fs::write(
        site.project().join("deploy.toml"),
        "strip-extension = [\".html\"]\n",
    )
    .unwrap();
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_lost_their_endings_are_redirected_at_a_website_endpoint() {
    let world = World::with(|setup| {
        setup.distribution.origins[0].kind = OriginKind::Website {
            bucket: BUCKET.into(),
        };
        setup.bucket.website = Some(WebsiteConfiguration {
            error: Some("404.html".into()),
            ..WebsiteConfiguration::new("index.html")
        });
    })
    .await;
    let site = site_with_names();
    // Before the endings went, browsers and edges knew other URLs.
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    deploy(&world, &site).await.succeeds().never_says("By hand");
    assert_eq!(world.stale().await, [""; 0]);
    assert_no_broken_visit(&world, &site).await;
    let answer = world.cold("/about.html").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (301, Some("/about"))
    );
    world.assert_idle(deploy(&world, &site)).await;
    // A page that goes takes its redirect along.
    site.remove("about.html");
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.cold("/about.html").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_lost_their_endings_are_redirected_by_the_function() {
    let (world, site) = (World::new().await, site_with_names());
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    // Without the function broken links are told.
    let plan = world.plan(&site).within(site.project()).await.succeeds();
    plan.says("3 links lead to pages")
        .says("/about.html in index.html");
    settings(&site, "strip-extension = [\".html\"]\n");
    deploy(&world, &site).await.succeeds().never_says("By hand");
    assert_eq!(world.stale().await, [""; 0]);
    assert_no_broken_visit(&world, &site).await;
    world.assert_idle(deploy(&world, &site)).await;
}
