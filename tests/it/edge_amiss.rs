//! Corners of the function and the headers policies: settings that go, prefixes, other behaviors, deploys that overtake each other.

use local_cloudfront::{Answer, Behavior, Fault, Gate, RequestInfo};

use super::mishap::{STATE, at_request};
use super::support::{Ran, Site, Unstale, World};

fn settings(site: &Site, text: &str) {
    std::fs::write(site.project().join("deploy.toml"), text).unwrap();
}

fn deploy(world: &World, site: &Site) -> Unstale {
    world
        .deploy(site)
        .within(site.project())
        .env("SITE_PASSWORD", "s3cret")
}

/// A distribution that leads to the site by these patterns too.
async fn with_behaviors(patterns: &'static [&'static str]) -> World {
    World::with(|setup| {
        let behaviors = patterns
            .iter()
            .map(|pattern| Behavior::new(pattern, "site"));
        setup.distribution.behaviors.extend(behaviors);
    })
    .await
}

async fn ask(world: &World, path: &str, headers: &[(&str, &str)]) -> Answer {
    let edge = world.edge(&world.distribution, 3);
    edge.chill();
    edge.request(path, headers).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_taken_off_and_redirects_stay() {
    let site = Site::of(&[("index.html", "<p>"), ("_redirects", "/old /\n")]);
    let world = World::new().await;
    settings(
        &site,
        "redirect-function = \"f\"\npassword = \"env:SITE_PASSWORD\"\n",
    );
    deploy(&world, &site).await.succeeds();
    settings(&site, "redirect-function = \"f\"\n");
    deploy(&world, &site).await.succeeds();
    assert_eq!(ask(&world, "/", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_nobody_may_touch_is_given_to_nobody() {
    // CloudFront answers 502 where a function sets one of these (Developer Guide, "Restrictions on edge functions").
    let world = World::new().await;
    for name in [
        "Connection",
        "Via",
        "Transfer-Encoding",
        "X-Cache",
        "Content-Length",
    ] {
        let site = Site::of(&[("index.html", "<p>")]);
        site.write("_headers", format!("/*\n  {name}: a\n"));
        settings(
            &site,
            "redirect-function = \"f\"\nheaders-policy = \"site\"\n",
        );
        let ran = deploy(&world, &site).await;
        let code = world.function("f").map(|function| function.code);
        let code = code.unwrap_or_default();
        assert!(!code.contains(&name.to_lowercase()), "{name} {ran}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_paths_of_other_behaviors_are_not_shown_without_the_password() {
    let world = with_behaviors(&["/img/*"]).await;
    let site = Site::of(&[("index.html", "<p>"), ("img/plan.png", "secret")]);
    settings(&site, "password = \"env:SITE_PASSWORD\"\n");
    let ran = deploy(&world, &site).await;
    let answer = ask(&world, "/img/plan.png", &[]).await;
    assert_ne!(answer.status, 200, "{ran}");
}

/// Begins a deploy, has another one with other settings end before it takes the lease, and lets it go on.
async fn overtaken(world: &World, site: &Site, (own, others): (&str, &str)) -> Ran {
    let gate = Gate::new();
    let takes = |request: &RequestInfo| request.operation == "PutObject" && request.key == STATE;
    at_request(world, 1, takes, Fault::HoldBefore(gate.clone()));
    settings(site, own);
    let first = deploy(world, site).start();
    gate.arrived().await;
    world.clear_rule();
    settings(site, others);
    let other = Site::of(&[("index.html", "<p>others")]);
    let ran = world.deploy(&other).within(site.project()).await;
    ran.succeeds();
    gate.open();
    first.ended().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_another_deploy_took_off_is_back_before_the_uploads() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    let (own, others) = (
        "redirect-function = \"f\"\npassword = \"env:SITE_PASSWORD\"\n",
        "redirect-function = \"f\"\n",
    );
    settings(&site, own);
    deploy(&world, &site).await.succeeds();
    site.write("index.html", "<p>secret");
    let ran = overtaken(&world, &site, (own, others)).await;
    let answer = ask(&world, "/", &[]).await;
    assert_ne!(answer.text(), "<p>secret", "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_the_settings_lose_is_told() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    settings(&site, "password = \"env:SITE_PASSWORD\"\n");
    deploy(&world, &site).await.succeeds();
    settings(&site, "");
    site.write("index.html", "<p>for all");
    let ran = deploy(&world, &site).await.succeeds();
    ran.says("goes on as it is, since no settings ask for one");
    settings(&site, "redirect-function = \"unstale-{id}\"\n");
    deploy(&world, &site).await.succeeds();
    assert_eq!(ask(&world, "/", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apps_assets_stay_where_the_site_lies_under_a_prefix() {
    let site = Site::of(&[
        ("index.html", "<p>app"),
        ("main.js", "js"),
        ("about/index.html", "<p>about"),
        ("_redirects", "/app/* /app/index.html 200\n"),
    ]);
    let world = World::new().await;
    settings(&site, "redirect-function = \"f\"\nprefix = \"app\"\n");
    deploy(&world, &site).await.succeeds();
    for (path, text) in [
        ("/app/users/7", "<p>app"),
        ("/app/about/", "<p>about"),
        ("/app/main.js", "js"),
    ] {
        assert_eq!(ask(&world, path, &[]).await.text(), text, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_under_a_prefix_is_shown_there_alone() {
    let world = World::new().await;
    let other = Site::of(&[("index.html", "<p>home"), ("blog/index.html", "<p>blog")]);
    world.deploy(&other).with("--prefix home").await.succeeds();
    let site = Site::of(&[("index.html", "<p>app")]);
    settings(&site, "spa = true\nprefix = \"app\"\n");
    deploy(&world, &site).await.succeeds();
    for (path, text) in [
        ("/app/users/7", "<p>app"),
        ("/home/blog/", "<p>blog"),
        ("/home/", "<p>home"),
    ] {
        assert_eq!(ask(&world, path, &[]).await.text(), text, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_without_their_endings_are_shown_beside_an_app() {
    let world = World::new().await;
    let site = Site::of(&[
        ("index.html", "<p>app"),
        ("about.html", "<p>about"),
        ("blog/index.html", "<p>blog"),
        ("blog/post.html", "<p>post"),
    ]);
    settings(&site, "spa = true\nstrip-extension = [\".html\"]\n");
    deploy(&world, &site).await.succeeds();
    for (path, text) in [
        ("/about", "<p>about"),
        ("/blog/", "<p>blog"),
        ("/blog/post", "<p>post"),
        ("/users/7", "<p>app"),
        ("/", "<p>app"),
    ] {
        assert_eq!(ask(&world, path, &[]).await.text(), text, "{path}");
    }
    world.warm_urls(["/about", "/users/7", "/", "/blog/"]).await;
    site.write("index.html", "<p>newer");
    site.write("about.html", "<p>about newer");
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.stale().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_the_settings_lose_is_told() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>app")]));
    settings(&site, "spa = true\n");
    deploy(&world, &site).await.succeeds();
    settings(&site, "");
    site.write("new/index.html", "<p>new");
    let ran = deploy(&world, &site).await.succeeds();
    ran.says("goes on as it is, since no settings ask for one");
    settings(&site, "redirect-function = \"unstale-{id}\"\n");
    deploy(&world, &site).await.succeeds();
    assert_eq!(ask(&world, "/nowhere", &[]).await.status, 404);
    assert_eq!(ask(&world, "/new/", &[]).await.text(), "<p>new");
}

/// The function leaves a path alone that has a page, but not where a redirect comes first: its code and its test at CloudFront agree.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_of_a_page_that_is_there_answers_beside_an_app() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>app")]));
    site.write("noext", "hi");
    site.write("a/index.html", "<p>a");
    site.write("_redirects", "/noext /a/ 301!\n/a /b 302!\n");
    settings(&site, "spa = true\n");
    let ran = deploy(&world, &site).await.succeeds();
    ran.never_says("not published");
    for (path, to) in [("/noext", "/a/"), ("/a", "/b")] {
        let answer = ask(&world, path, &[]).await;
        assert_eq!(answer.header("location"), Some(to), "{path}");
    }
    assert_eq!(ask(&world, "/users/7", &[]).await.text(), "<p>app");
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_names_without_an_extension_find_room() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "<p>"), ("_redirects", "/old /\n")]);
    for number in 0..1000 {
        site.write(&format!("posts/number-{number}"), "post");
    }
    settings(&site, "redirect-function = \"f\"\n");
    let ran = deploy(&world, &site).await;
    ran.never_says("names 0 pages").succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_pages_of_their_own_find_room_beside_an_app() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "<p>app")]);
    for number in 0..500 {
        site.write(&format!("posts/number-{number}/index.html"), "post");
    }
    settings(&site, "spa = true\n");
    deploy(&world, &site).await.succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_one_behavior_loses_is_taken_off_there() {
    let world = with_behaviors(&["/img/*"]).await;
    let site = Site::of(&[("index.html", "<p>"), ("img/a.png", "png")]);
    site.write("_headers", "/*\n  X-All: one\n/img/*\n  X-Img: yes\n");
    settings(&site, "headers-policy = \"site\"\n");
    deploy(&world, &site).await.succeeds();
    site.write("_headers", "/img/*\n  X-Img: yes\n");
    deploy(&world, &site).await.succeeds();
    assert_eq!(
        ask(&world, "/img/a.png", &[]).await.header("x-img"),
        Some("yes")
    );
    assert_eq!(ask(&world, "/", &[]).await.header("x-all"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_paths_within_another_behavior_are_told() {
    let world = with_behaviors(&["/img/*"]).await;
    let site = Site::of(&[("index.html", "<p>"), ("img/a.png", "png")]);
    site.write("_headers", "/img/a.png\n  X-Img: yes\n");
    settings(
        &site,
        "headers-policy = \"site\"\nredirect-function = \"f\"\n",
    );
    let ran = deploy(&world, &site).await.succeeds();
    let answer = ask(&world, "/img/a.png", &[]).await;
    if answer.header("x-img") != Some("yes") {
        ran.says("x-img");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_and_headers_that_another_deploy_changed_are_put_right() {
    let redirect = |to: &str| {
        let headers = format!("[[headers]]\nmatch = \"**\"\nothers = {{ X-All = \"{to}\" }}\n");
        let redirect = format!("[[redirects]]\nfrom = \"/old\"\nto = \"{to}\"\n");
        format!("redirect-function = \"f\"\nheaders-policy = \"p\"\n{redirect}{headers}")
    };
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    settings(&site, &redirect("/own"));
    deploy(&world, &site).await.succeeds();
    site.write("index.html", "<p>newer");
    let ran = overtaken(&world, &site, (&redirect("/own"), &redirect("/others"))).await;
    let ran = ran.succeeds();
    let place = ask(&world, "/old", &[]).await;
    let header = ask(&world, "/", &[]).await;
    let seen = (place.header("location"), header.header("x-all"));
    assert_eq!(seen, (Some("/own"), Some("/own")), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_distribution_settings_that_need_one_are_told() {
    let mut silent = Vec::new();
    for setting in [
        "spa = true",
        "canonical-host = \"www.example.com\"",
        "security = \"strict\"",
    ] {
        let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
        settings(&site, &format!("{setting}\ndistribution = \"none\"\n"));
        let ran = deploy(&world, &site).await.succeeds();
        let strict = deploy(&world, &site).with("--strict").await;
        if !ran.stderr.contains("warning") || strict.exit == Some(0) {
            silent.push(setting);
        }
    }
    assert_eq!(silent, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_deploys_fail_without_a_right_to_read() {
    let mut lenient = Vec::new();
    for (operation, setting) in [
        ("GetFunction", "spa = true"),
        ("ListResponseHeadersPolicies", "security = \"strict\""),
    ] {
        let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
        settings(&site, &format!("{setting}\nstrict = true\n"));
        world.set_rule(move |request: &RequestInfo| {
            if request.operation == operation {
                Fault::Fail(403, "AccessDenied")
            } else {
                Fault::None
            }
        });
        if deploy(&world, &site).await.exit == Some(0) {
            lenient.push((operation, setting));
        }
    }
    assert_eq!(lenient, [("", ""); 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_of_two_behaviors_have_two_names() {
    let world = with_behaviors(&["/a-b/*", "/a/b/*"]).await;
    let site = Site::of(&[("a-b/x.txt", "x"), ("a/b/x.txt", "x")]);
    site.write("_headers", "/a-b/*\n  X-One: 1\n/a/b/*\n  X-Two: 2\n");
    settings(&site, "headers-policy = \"site\"\n");
    let ran = deploy(&world, &site).await.succeeds();
    let seen = ask(&world, "/a/b/x.txt", &[]).await;
    assert_eq!(seen.header("x-two"), Some("2"), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_header_that_does_not_go_with_others_leaves_them() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    let cors = "Access-Control-Allow-Origin: *\n  Access-Control-Allow-Credentials: true";
    site.write(
        "_headers",
        format!("/*\n  X-Frame-Options: DENY\n  {cors}\n"),
    );
    settings(
        &site,
        "headers-policy = \"site\"\nredirect-function = \"f\"\n",
    );
    let ran = deploy(&world, &site).await.succeeds();
    let seen = ask(&world, "/", &[]).await;
    assert_eq!(seen.header("x-frame-options"), Some("DENY"), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_redirects_than_a_store_takes_end_the_plan() {
    // 5 MB (Developer Guide, "Quotas on key value stores").
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    let long = "a".repeat(700);
    let line = |number: usize| format!("/old/{number} /new/{number}/{long}/{}\n", number * 7);
    site.write("_redirects", (0..8000).map(line).collect::<String>());
    settings(&site, "redirect-function = \"f\"\n");
    let plan = world.plan(&site).within(site.project()).await;
    assert_eq!(plan.exit, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_no_distribution_answers_for_is_told() {
    let world = World::with(|setup| {
        setup.distribution.aliases = vec!["www.example.com".into(), "example.com".into()];
    })
    .await;
    let site = Site::of(&[("index.html", "<p>")]);
    settings(&site, "canonical-host = \"wwww.example.com\"\n");
    let ran = deploy(&world, &site).await;
    if ran.exit == Some(0) {
        ran.says("wwww.example.com");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_knows_the_password() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    settings(&site, "password = \"env:SITE_PASSWORD\"\n");
    deploy(&world, &site).await.succeeds();
    let url = world.serve_edge(&world.distribution, 0, 0).await.unwrap();
    let verify = world
        .unstale("verify")
        .arg(site.dir())
        .with("--url")
        .arg(&url);
    let verify = verify.within(site.project()).env("SITE_PASSWORD", "s3cret");
    verify
        .await
        .succeeds()
        .says("3 of 3 request paths are fresh");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_the_site_under_another_name_gives_way() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    settings(&site, "canonical-host = \"www.example.com\"\n");
    deploy(&world, &site).await.succeeds();
    site.write("_redirects", "/old /\n");
    settings(
        &site,
        "canonical-host = \"www.example.com\"\nredirect-function = \"f\"\n",
    );
    let ran = deploy(&world, &site).await.succeeds();
    let answer = ask(&world, "/old", &[("host", "www.example.com")]).await;
    assert_eq!(answer.status, 301, "{ran}");
}
