//! Sites, settings and mishaps for which what the function and the headers policies say is wrong, stale or misleading.

use local_cloudfront::{Answer, Behavior, Fault, Gate, RequestInfo};

use super::mishap::{STATE, at_request};
use super::support::{Ran, Site, Unstale, World, url_of};

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

// Pages that worked break.

#[tokio::test(flavor = "multi_thread")]
async fn taking_the_password_off_breaks_every_page_that_redirects_stay_before() {
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
async fn a_header_that_no_function_may_touch_is_given_to_one() {
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
async fn an_apps_assets_become_its_page_where_the_site_lies_under_a_prefix() {
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
async fn an_app_under_a_prefix_is_not_shown_and_hides_what_lies_beside_it() {
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
async fn pages_that_stay_in_the_bucket_are_hidden_by_an_app() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "<p>app"), ("blog/index.html", "<p>blog")]);
    settings(&site, "redirect-function = \"f\"\ndelete = false\n");
    deploy(&world, &site).await.succeeds();
    site.remove("blog/index.html");
    settings(
        &site,
        "redirect-function = \"f\"\ndelete = false\nspa = true\n",
    );
    deploy(&world, &site).await.succeeds();
    assert_eq!(ask(&world, "/blog/index.html", &[]).await.text(), "<p>blog");
    assert_eq!(ask(&world, "/blog/", &[]).await.text(), "<p>blog");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_without_an_extension_end_deploys_that_one_redirect_is_for() {
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
async fn many_pages_of_their_own_end_the_deploy_of_an_app() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "<p>app")]);
    for number in 0..500 {
        site.write(&format!("posts/number-{number}/index.html"), "post");
    }
    settings(&site, "spa = true\n");
    deploy(&world, &site).await.succeeds();
}

// Something private is shown.

#[tokio::test(flavor = "multi_thread")]
async fn the_paths_of_other_behaviors_are_shown_without_the_password() {
    let world = with_behaviors(&["/img/*"]).await;
    let site = Site::of(&[("index.html", "<p>"), ("img/plan.png", "secret")]);
    settings(&site, "password = \"env:SITE_PASSWORD\"\n");
    let ran = deploy(&world, &site).await;
    let answer = ask(&world, "/img/plan.png", &[]).await;
    assert_ne!(answer.status, 200, "{ran}");
}

// A deploy says that all is well.

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_the_settings_lose_is_asked_for_forever() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    settings(&site, "password = \"env:SITE_PASSWORD\"\n");
    deploy(&world, &site).await.succeeds();
    settings(&site, "");
    site.write("index.html", "<p>for all");
    let ran = deploy(&world, &site).await.succeeds();
    let answer = ask(&world, "/", &[]).await;
    assert_eq!(answer.status, 200, "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_hidden_by_an_app_that_the_settings_lost() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>app")]));
    settings(&site, "spa = true\n");
    deploy(&world, &site).await.succeeds();
    settings(&site, "");
    site.write("new/index.html", "<p>new");
    let ran = deploy(&world, &site).await.succeeds();
    let answer = ask(&world, "/nowhere", &[]).await;
    assert_eq!(answer.status, 404, "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_one_behavior_loses_is_sent_there_forever() {
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
async fn headers_of_paths_within_another_behavior_are_dropped_silently() {
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
        ran.says("X-Img");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_of_paths_within_another_behavior_are_dropped_silently() {
    let world = with_behaviors(&["/img/*"]).await;
    let site = Site::of(&[("index.html", "<p>"), ("img/a.png", "png")]);
    site.write("_redirects", "/img/old.png /img/a.png\n");
    settings(&site, "redirect-function = \"f\"\n");
    let ran = deploy(&world, &site).await.succeeds();
    if ask(&world, "/img/old.png", &[]).await.status != 301 {
        ran.says("/img/old.png");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_distribution_settings_that_need_one_are_dropped_silently() {
    for setting in [
        "spa = true",
        "canonical-host = \"www.example.com\"",
        "security = \"strict\"",
    ] {
        let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
        settings(&site, &format!("{setting}\ndistribution = \"none\"\n"));
        let name = setting.split(' ').next().unwrap_or_default();
        deploy(&world, &site).await.succeeds().says(name);
        let strict = deploy(&world, &site).with("--strict").await;
        assert_eq!(strict.exit, Some(2), "{setting} {strict}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_deploys_succeed_without_what_a_right_is_missing_for() {
    for (operation, setting) in [
        ("GetFunction", "spa = true"),
        ("CreateFunction", "canonical-host = \"www.example.com\""),
        ("GetFunction", "canonical-host = \"www.example.com\""),
        ("ListResponseHeadersPolicies", "security = \"strict\""),
        ("CreateResponseHeadersPolicy", "security = \"strict\""),
        ("UpdateDistribution", "security = \"strict\""),
    ] {
        let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
        settings(&site, &format!("{setting}\nstrict = true\n"));
        world.set_rule(
            move |request: &RequestInfo| match request.operation == operation {
                true => Fault::Fail(403, "AccessDenied"),
                false => Fault::None,
            },
        );
        let ran = deploy(&world, &site).await;
        assert_ne!(ran.exit, Some(0), "{operation} {setting} {ran}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_of_two_behaviors_get_one_name() {
    let world = with_behaviors(&["/a-b/*", "/a/b/*"]).await;
    let site = Site::of(&[("a-b/x.txt", "x"), ("a/b/x.txt", "x")]);
    site.write("_headers", "/a-b/*\n  X-One: 1\n/a/b/*\n  X-Two: 2\n");
    settings(&site, "headers-policy = \"site\"\n");
    let ran = deploy(&world, &site).await.succeeds();
    let seen = ask(&world, "/a/b/x.txt", &[]).await;
    assert_eq!(seen.header("x-two"), Some("2"), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_header_that_does_not_go_with_others_takes_all_with_it() {
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
async fn more_redirects_than_a_store_takes_are_told_after_the_uploads() {
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
async fn viewers_are_sent_to_a_host_that_no_distribution_answers() {
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
async fn verify_finds_fault_with_every_page_behind_a_password() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    settings(&site, "password = \"env:SITE_PASSWORD\"\n");
    deploy(&world, &site).await.succeeds();
    let url = format!("--url {}", world.endpoint());
    let verify = world.unstale("verify").arg(site.dir()).with(&url);
    let verify = verify.within(site.project()).env("SITE_PASSWORD", "s3cret");
    verify.await.says("password");
}

#[tokio::test(flavor = "multi_thread")]
async fn places_are_given_to_browsers_as_no_url_has_them() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    site.write("_redirects", "/cafe /café/\n/tea/* /thé/:splat\n");
    let spaced = "[[redirects]]\nfrom = \"/a\"\nto = \"/b c\"\n";
    settings(&site, &format!("redirect-function = \"f\"\n{spaced}"));
    let ran = deploy(&world, &site).await;
    println!("{ran}");
    for (path, place) in [
        ("/cafe", "/caf%C3%A9/"),
        ("/tea/a", "/th%C3%A9/a"),
        ("/a", "/b%20c"),
    ] {
        assert_eq!(ask(&world, path, &[]).await.header("location"), Some(place));
    }
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
async fn a_deploy_uploads_for_all_to_see_where_another_took_the_password_off_meanwhile() {
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
async fn a_deploy_leaves_the_redirects_and_headers_that_another_changed_meanwhile() {
    let redirect = |to: &str| {
        let headers = format!("[[headers]]\nmatch = \"**\"\nX-All = \"{to}\"\n");
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
async fn a_host_that_browsers_spell_otherwise_leads_to_itself_forever() {
    for (host, asked) in [
        ("WWW.Example.com", "www.example.com"),
        ("www.bücher.example", "www.xn--bcher-kva.example"),
        ("www.example.com.", "www.example.com"),
    ] {
        let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
        settings(&site, &format!("canonical-host = \"{host}\"\n"));
        let ran = deploy(&world, &site).await;
        let answer = ask(&world, "/", &[("host", asked)]).await;
        assert_eq!(answer.status, 200, "{host} {ran}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_odd_names_are_hidden_by_an_app() {
    let odd = [
        "a+b", "100%", "é", "a b", "v1.2", "x'y(z)", "q?", "h#", "A%2FB",
    ];
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>app")]));
    for name in odd {
        site.write(&format!("{name}/index.html"), name);
    }
    settings(&site, "spa = true\n");
    deploy(&world, &site).await.succeeds();
    for name in odd {
        for end in ["", "/"] {
            let path = format!("{}{end}", url_of(name));
            assert!(
                name == "v1.2" || ask(&world, &path, &[]).await.text() == name,
                "{path}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_without_their_endings_are_hidden_by_an_app() {
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
async fn a_page_is_stale_where_the_distribution_changed_while_a_deploy_waited() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "<p>"), ("about/index.html", "<p>about")]);
    deploy(&world, &site).await.succeeds();
    let gate = Gate::new();
    let held = gate.clone();
    at_request(
        &world,
        1,
        |request| request.operation == "CreateFunction",
        Fault::HoldBefore(held),
    );
    settings(&site, "spa = true\n");
    let first = deploy(&world, &site).start();
    gate.arrived().await;
    // One of the branch before, whose settings know no function, waits for it.
    settings(&site, "");
    let other = Site::of(&[("index.html", "<p>newer"), ("about/index.html", "<p>newer")]);
    let waiting = world.deploy(&other).within(site.project()).start();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let second = Gate::new();
    let held = second.clone();
    at_request(
        &world,
        1,
        |request| request.operation == "PutObject" && request.key == "about/index.html",
        Fault::HoldBefore(held),
    );
    gate.open();
    first.ended().await.succeeds();
    second.arrived().await;
    world
        .warm_urls(["/about/", "/about", "/users/7", "/"])
        .await;
    second.open();
    waiting.ended().await.succeeds();
    assert_eq!(world.stale().await, [""; 0]);
}
