//! URLs that a deploy loses: told with what their pages have become, and kept by the redirects that `--accept-redirects` writes.

use std::fs;
use std::time::Duration;

use local_cloudfront::{Fault, Headers, OriginKind, WebsiteConfiguration};
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::support::{BUCKET, Ran, Site, Unstale, World};

const DAY: Duration = Duration::from_secs(86_400);
const STATE: &str = ".unstale/state";

/// A world whose distribution has the bucket's website endpoint for its origin.
pub async fn website() -> World {
    World::with(|setup| {
        setup.distribution.origins[0].kind = OriginKind::Website {
            bucket: BUCKET.into(),
        };
        setup.bucket.website = Some(WebsiteConfiguration::new("index.html"));
    })
    .await
}

pub fn page(title: &str, text: &str) -> String {
    format!("<!doctype html><title>{title}</title><p>{text}")
}

/// A page that links to /about/ and one that does not.
pub fn site() -> Site {
    let site = Site::empty();
    site.write("index.html", page("Home", "<a href=\"/about/\">about</a>"));
    site.write("about/index.html", page("About", "It is about this."));
    site.write("post/index.html", page("Post", "A post."));
    site
}

/// Moves a page, its content as it is.
pub fn moved(site: &Site, from: &str, to: &str) {
    let content = fs::read(site.dir().join(from)).unwrap();
    site.remove(from);
    site.write(to, content);
}

pub fn lost(ran: &Ran) -> Vec<Value> {
    let mut objects = ran.json();
    objects.retain(|object| object["type"] == "lost-url");
    objects
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_moved_is_told_with_the_line_that_keeps_it() {
    let (world, site) = (website().await, site());
    world.deploy(&site).await.succeeds().never_says("gone");
    moved(&site, "about/index.html", "me/index.html");
    let plan = world.plan(&site).await.succeeds();
    plan.says("1 URL will be gone: /about/ (live since 2026-09-")
        .says(", linked from 1 page); /me/ has the same content\n")
        .says("\n  /about/ /me/ 301\n")
        .says("--accept-redirects");
    world.forget();
    let narrow = world.plan(&site).on_terminal().await.succeeds();
    narrow.says("1 URL will be gone: /about/");
    // Nothing had to be read for that.
    let asked = world
        .log()
        .iter()
        .filter(|it| it.request.operation == "GetObject")
        .count();
    assert_eq!(asked, 1, "the state alone");
    let planned = world.plan(&site).with("--json").await.succeeds();
    let told = lost(&planned);
    let since = told[0]["live-since"].as_i64().unwrap();
    assert!((1_790_000_000..1_790_100_000).contains(&since));
    let expected = json!({
        "type": "lost-url", "path": "/about/", "key": "about/index.html", "live-since": since, "linked-from": 1,
        "successor": {"path": "/me/", "sameness": "content"}, "redirect": "/about/ /me/ 301",
    });
    assert_eq!(told, std::slice::from_ref(&expected));
    let deployed = world.deploy(&site).with("--json").await.succeeds();
    assert_eq!(lost(&deployed), [expected]);
    world.assert_deployed(&site, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_written_anew_is_known_by_its_title() {
    for compressed in [false, true] {
        let (world, site) = (website().await, site());
        let settings = if compressed {
            "compress = [\"gzip\"]\n"
        } else {
            ""
        };
        fs::write(site.project().join("deploy.toml"), settings).unwrap();
        let long = "About this and that. ".repeat(100);
        site.write("about/index.html", page("About &amp; all", &long));
        let deploy = || world.deploy(&site).within(site.project());
        deploy().await.succeeds();
        let stored = world.object(BUCKET, "about/index.html").unwrap();
        assert_eq!(stored.headers.content_encoding.is_some(), compressed);
        site.remove("about/index.html");
        site.write("me/index.html", page("About  &amp; all", "Written anew."));
        let deployed = deploy().await.succeeds();
        deployed
            .says("1 URL will be gone: /about/ (")
            .says("; /me/ has its title\n")
            .says("\n  /about/ /me/ 301\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_title_may_not_be_read_nothing_fails() {
    let (world, site) = (website().await, site());
    world.deploy(&site).await.succeeds();
    site.remove("about/index.html");
    site.write("me/index.html", page("About", "Written anew."));
    world.set_rule(|request| match request.key.as_str() {
        "about/index.html" if request.operation == "GetObject" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    let deployed = world.deploy(&site).await.succeeds();
    deployed
        .says("1 URL will be gone: /about/ (")
        .never_says("has its title");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_for_good_is_told_ten_at_a_time() {
    let (world, site) = (website().await, site());
    for number in 0..12 {
        site.write(
            &format!("old/{number:02}.html"),
            page("Old", &number.to_string()),
        );
    }
    site.write("app.js", "1");
    site.write("404.html", page("Not found", "None."));
    world.deploy(&site).await.succeeds();
    for number in 0..12 {
        site.remove(&format!("old/{number:02}.html"));
    }
    site.remove("app.js");
    site.remove("404.html");
    let plan = world.plan(&site).with("--max-delete 20");
    plan.await
        .succeeds()
        .says("12 URLs will be gone:\n  /old/00.html (live since 2026-")
        .says("... and 2 more (--verbose shows all)")
        .never_says("/old/10.html (")
        .never_says("/404.html (")
        .never_says("/app.js (");
    let plan = world.plan(&site).with("--max-delete 20 --verbose");
    plan.await.succeeds().says("/old/11.html (");
    // What stays is not lost.
    let stays = world.plan(&site).with("--no-delete");
    stays.await.succeeds().never_says("will be gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_all_the_same_is_not_told() {
    let (world, site) = (website().await, site());
    world.deploy(&site).await.succeeds();
    moved(&site, "about/index.html", "me/index.html");
    site.write("_redirects", "/about/ /me/ 301\n");
    world
        .deploy(&site)
        .await
        .succeeds()
        .never_says("will be gone");
    assert_eq!(world.cold("/about/").await.header("location"), Some("/me/"));
    // A redirect that goes is no page that goes.
    site.remove("_redirects");
    site.write("index.html", page("Home", "Nothing."));
    world
        .plan(&site)
        .await
        .succeeds()
        .never_says("will be gone");

    // An application shows a page at every URL.
    let (world, site) = (World::new().await, self::site());
    let settings = "spa = true\n";
    fs::write(site.project().join("deploy.toml"), settings).unwrap();
    let deploy = || world.deploy(&site).within(site.project());
    deploy().await.succeeds();
    site.remove("about/index.html");
    deploy().await.succeeds().never_says("will be gone");
}

/// Ends with `deploy --accept-redirects` in a project with this deploy.toml.
async fn accepted(world: &World, site: &Site, settings: &str) -> Ran {
    fs::write(site.project().join("deploy.toml"), settings).unwrap();
    deploy(world, site).await.succeeds();
    moved(site, "about/index.html", "me/index.html");
    deploy(world, site)
        .with("--accept-redirects")
        .await
        .succeeds()
}

pub fn deploy(world: &World, site: &Site) -> Unstale {
    world.deploy(site).within(site.project())
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_redirects_are_written_and_answer() {
    for settings in ["", "redirect-function = \"site-redirects\"\n"] {
        let (world, site) = match settings {
            "" => (website().await, site()),
            _ => (World::new().await, site()),
        };
        let ran = accepted(&world, &site, settings).await;
        ran.says("Wrote 1 redirect to ")
            .says("public/_redirects:\n/about/ /me/ 301\n")
            .never_says("will be gone");
        let written = || fs::read_to_string(site.dir().join("_redirects")).unwrap();
        assert_eq!(written(), "/about/ /me/ 301\n");
        let answer = world.cold("/about/").await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (301, Some("/me/"))
        );
        // Again there is nothing to write, neither here nor there.
        world
            .assert_idle(deploy(&world, &site).with("--accept-redirects"))
            .await;
        assert_eq!(written(), "/about/ /me/ 301\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_redirects_outlast_the_next_build() {
    let (world, site) = (website().await, site());
    fs::write(site.project().join("hugo.toml"), "baseURL = 'x'\n").unwrap();
    let ran = accepted(&world, &site, "verbose = false\n").await;
    ran.says("deploy.toml:\n/about/ /me/ 301\n")
        .never_says("will be gone");
    let settings = fs::read_to_string(site.project().join("deploy.toml")).unwrap();
    let expected = "verbose = false\n\n[[redirects]]\nfrom = \"/about/\"\nto = \"/me/\"\n";
    assert_eq!(settings, expected);
    assert!(!site.dir().join("_redirects").exists());
    assert_eq!(world.cold("/about/").await.header("location"), Some("/me/"));

    // Where nothing keeps it, that is told.
    let (world, site) = (website().await, self::site());
    fs::write(site.project().join("hugo.toml"), "baseURL = 'x'\n").unwrap();
    world.deploy(&site).await.succeeds();
    moved(&site, "about/index.html", "me/index.html");
    let ran = world
        .deploy(&site)
        .with("--accept-redirects --json")
        .await
        .succeeds();
    assert_eq!(
        ran.told("redirects-written")["lines"],
        json!(["/about/ /me/ 301"])
    );
    assert!(lost(&ran).is_empty());
    ran.says("the next build by Hugo will not have");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_to_pages_that_left_earlier_are_told_once_a_page_has_them() {
    let (world, site) = (website().await, site());
    world.deploy(&site).await.succeeds();
    world.clock().advance(DAY);
    site.write("index.html", page("Home", "Nothing."));
    moved(&site, "post/index.html", "posts/post/index.html");
    world
        .deploy(&site)
        .await
        .succeeds()
        .says("/post/ (live since");
    world
        .deploy(&site)
        .await
        .succeeds()
        .never_says("/post/ is gone");
    world.clock().advance(DAY);
    // Three weeks later somebody writes of it.
    site.write(
        "new/index.html",
        page("New", "<a href='/post/'>the old</a>"),
    );
    let ran = world.deploy(&site).with("--json").await.succeeds();
    let told = lost(&ran);
    assert_eq!(told.len(), 1, "{ran}");
    let (since, gone) = (&told[0]["live-since"], &told[0]["gone-since"]);
    let between = gone.as_i64().unwrap() - since.as_i64().unwrap();
    assert!((86_400..86_500).contains(&between), "{between}");
    let expected = json!({
        "type": "lost-url", "path": "/post/", "key": "post/index.html", "live-since": since, "gone-since": gone,
        "linked-from": 1, "successor": {"path": "/posts/post/", "sameness": "content"},
        "redirect": "/post/ /posts/post/ 301",
    });
    assert_eq!(told, [expected]);
    world
        .plan(&site)
        .await
        .succeeds()
        .says("/post/ is gone since 2026-09-")
        .says(", linked from 1 page; /posts/post/ has the")
        .says("\n  /post/ /posts/post/ 301\n");
    // Once it is there again nothing is told.
    site.write("post/index.html", page("Post", "A post."));
    world.deploy(&site).await.succeeds().never_says("is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_does_not_redirect_says_so() {
    let (world, site) = (World::new().await, site());
    let ran = accepted(&world, &site, "").await;
    ran.says("1 URL will be gone: /about/index.html (")
        .says("unstale redirects --function");
    let written = fs::read_to_string(site.dir().join("_redirects")).unwrap();
    assert_eq!(written, "/about/index.html /me/index.html 301\n");
}

/// Counts the records of history that were read since [`World::forget`].
fn records_read(world: &World) -> usize {
    let log = world.log();
    let reads = log.iter().filter(|it| it.request.operation == "GetObject");
    reads
        .filter(|it| it.request.key.contains("history/"))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_never_led_anywhere_cost_no_request() {
    let (world, site) = (website().await, site());
    site.write("index.html", page("Home", "<a href='/never/'>there</a>"));
    world.deploy(&site).await.succeeds();
    world.forget();
    world.deploy(&site).await.succeeds().never_says("is gone");
    assert_eq!(records_read(&world), 0);
}

/// Takes what the state remembers of pages that left, as an unstale does that does not know it.
async fn forget_gone(world: &World) -> bool {
    let body = world.body(BUCKET, STATE).unwrap();
    let mut state: Value = serde_json::from_slice(&body).unwrap();
    let fields = state.as_object_mut().unwrap();
    let remembered = fields.remove("gone").is_some();
    let version = fields.remove("version").unwrap();
    fields.remove("checksum");
    let rest = state.to_string().split_off(1);
    let digest = Md5::digest(rest.as_bytes());
    let checksum: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!("{{\"version\":{version},\"checksum\":\"{checksum}\",{rest}");
    world
        .put_object(BUCKET, STATE, text, Headers::default())
        .await
        .unwrap();
    remembered
}

#[tokio::test(flavor = "multi_thread")]
async fn history_tells_of_pages_that_left_before_any_were_remembered() {
    let (world, site) = (website().await, site());
    world.deploy(&site).await.succeeds();
    site.write("index.html", page("Home", "Nothing."));
    moved(&site, "post/index.html", "posts/post/index.html");
    world.deploy(&site).await.succeeds();
    assert!(forget_gone(&world).await);
    // No link asks for it: no record is read.
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(records_read(&world), 0);
    site.write(
        "new/index.html",
        page("New", "<a href='/post/'>the old</a>"),
    );
    world
        .deploy(&site)
        .await
        .succeeds()
        .says("/post/ is gone since");
    assert_eq!(records_read(&world), 2);
    // From then on the state remembers, whatever else links lead to.
    site.write(
        "newer/index.html",
        page("Newer", "<a href='/never/'>there</a>"),
    );
    world.forget();
    let ran = world.deploy(&site).await.succeeds();
    ran.says("/post/ is gone since")
        .never_says("/never/ is gone");
    assert_eq!(records_read(&world), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_tells_what_it_loses() {
    let world = website().await;
    world.enable_versions(BUCKET).unwrap();
    let site = site();
    world.deploy(&site).await.succeeds();
    moved(&site, "post/index.html", "posts/post/index.html");
    world.deploy(&site).await.succeeds();
    let plan = world.unstale("rollback --plan").await.succeeds();
    plan.says("1 URL will be gone: /posts/post/ (live since 2026-")
        .says("/post/ has the same content");
    let ran = world.unstale("rollback").await.succeeds();
    ran.says("1 URL will be gone: /posts/post/");
}
