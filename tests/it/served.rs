//! What S3 cannot say, said by the function and the headers policies that deploys write: redirects with conditions, pages under
//! other URLs, headers, a password, one host.

use local_cloudfront::{Answer, Behavior, ErrorResponse, Fault, HeadersPolicy, Origin, OriginKind};

use super::support::{Site, Unstale, World};
use super::unserved::{CLOUDFLARE, HEADERS, NETLIFY};

const BOTH: &str = "redirect-function = \"site-{id}\"\nheaders-policy = \"site\"\n";

fn settings(site: &Site, text: &str) {
    std::fs::write(site.project().join("deploy.toml"), text).unwrap();
}

fn deploy(world: &World, site: &Site) -> Unstale {
    world.deploy(site).within(site.project())
}

/// What a viewer sees who sends these headers.
async fn ask(world: &World, path: &str, headers: &[(&str, &str)]) -> Answer {
    let edge = world.edge(&world.distribution, 3);
    edge.chill();
    edge.request(path, headers).await
}

fn place(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.header("location"))
}

#[tokio::test(flavor = "multi_thread")]
async fn documented_redirects_are_answered() {
    let (world, site) = (World::new().await, Site::empty());
    for page in [
        "index.html",
        "best-pets/cats.html",
        "blog/index.html",
        "about.txt",
    ] {
        site.write(page, page);
    }
    site.write("_redirects", NETLIFY);
    settings(&site, BOTH);
    let ran = deploy(&world, &site).await.succeeds();
    // What nobody can serve is told.
    ran.says("nobody asks visitors for a role")
        .says("country, language or cookies")
        .never_says("goes by the query");
    for (path, host, expected) in [
        ("/home", "x.example", (301, Some("/"))),
        (
            "/blog/my-post.php",
            "x.example",
            (301, Some("/blog/my-post")),
        ),
        (
            "/authors/c%C3%A9line",
            "x.example",
            (301, Some("/authors/about-c%C3%A9line")),
        ),
        ("/my-redirect?a=b", "x.example", (302, Some("/?a=b"))),
        (
            "/news/02/12/2004/story",
            "x.example",
            (301, Some("/blog/2004/02/12/story")),
        ),
        ("/news/x/y", "x.example", (301, Some("/blog/x/y"))),
        ("/store?id=7", "x.example", (301, Some("/blog/7"))),
        ("/store?id=7&b=c", "x.example", (301, Some("/blog/7?b=c"))),
        (
            "/articles?id=1&tag=t",
            "x.example",
            (301, Some("/posts/t/1")),
        ),
        (
            "/a/b",
            "blog.yoursite.com",
            (301, Some("https://www.yoursite.com/blog/a/b")),
        ),
        ("/pass-through", "x.example", (200, None)),
        ("/best-pets/dogs", "x.example", (200, None)),
        ("/store", "x.example", (200, None)),
        ("/any/thing", "x.example", (200, None)),
        ("/blog/", "x.example", (200, None)),
        ("/gone.txt", "x.example", (404, None)),
    ] {
        let answer = ask(&world, path, &[("host", host)]).await;
        assert_eq!(place(&answer), expected, "{path}");
    }
    for (path, page) in [
        ("/pass-through", "index.html"),
        ("/best-pets/dogs", "best-pets/cats.html"),
        ("/any/thing", "index.html"),
        ("/blog/", "blog/index.html"),
        ("/blog", "blog/index.html"),
        ("/about.txt", "about.txt"),
    ] {
        assert_eq!(ask(&world, path, &[]).await.text(), page, "{path}");
    }
    world.assert_idle(deploy(&world, &site)).await;
    site.write("_redirects", CLOUDFLARE);
    deploy(&world, &site).await.succeeds();
    for (path, expected) in [
        ("/querystrings", (301, Some("/?query=string"))),
        ("/trailing", (301, Some("/trailing/"))),
        ("/page/", (301, Some("/page2/#fragment"))),
        ("/blog/a", (301, Some("https://blog.my.domain/a"))),
        ("/products/1/n", (301, Some("/products?code=1&name=n"))),
        ("/home", (404, None)),
    ] {
        assert_eq!(place(&ask(&world, path, &[]).await), expected, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documented_headers_are_sent() {
    let (world, site) = (World::new().await, Site::empty());
    for page in [
        "index.html",
        "templates/index.html",
        "templates/index2.html",
        "secure/page",
        "static/a.css",
        "a.jpg",
        "movies/x",
        "about/faq/y.html",
        "404.html",
    ] {
        site.write(page, page);
    }
    site.write(
        "_headers",
        format!("{HEADERS}\n/*\n  X-Frame-Options: SAMEORIGIN\n  X-All: here\n"),
    );
    settings(&site, BOTH);
    let ran = deploy(&world, &site).await.succeeds();
    ran.says("one bucket does not tell hosts apart")
        .never_says("S3 does not keep");
    let seen = async |path: &str, name: &str| {
        let answer = ask(&world, path, &[("origin", "https://other.example")]).await;
        answer.header(name).map(str::to_owned)
    };
    for (path, name, value) in [
        ("/templates/", "x-xss-protection", Some("1; mode=block")),
        (
            "/templates/index.html",
            "x-xss-protection",
            Some("1; mode=block"),
        ),
        // A later line for all paths wins.
        ("/templates/", "x-frame-options", Some("SAMEORIGIN")),
        ("/secure/page", "referrer-policy", Some("no-referrer")),
        ("/secure/page", "x-content-type-options", Some("nosniff")),
        ("/static/a.css", "access-control-allow-origin", Some("*")),
        ("/static/a.css", "x-robots-tag", Some("nosnippet")),
        (
            "/movies/x",
            "x-movie-name",
            Some("You are watching \":title\""),
        ),
        (
            "/about/faq/y.html",
            "link",
            Some("</about/faqs>; rel=\"canonical\""),
        ),
        ("/index.html", "referrer-policy", None),
        ("/", "x-all", Some("here")),
        // A policy is for errors too.
        ("/missing.html", "x-all", Some("here")),
        ("/missing.html", "x-frame-options", Some("SAMEORIGIN")),
    ] {
        assert_eq!(seen(path, name).await.as_deref(), value, "{path} {name}");
    }
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_headers_policy_purges_nothing() {
    let (world, site) = (
        World::new().await,
        Site::of(&[("index.html", "<p>"), ("img/a.png", "png")]),
    );
    world.deploy(&site).await.succeeds();
    let mut distribution = world.distribution(&world.distribution).unwrap();
    distribution.behaviors.push(Behavior::new("/img/*", "site"));
    world.set_distribution(distribution);
    site.write("_headers", "/*\n  X-All: one\n/img/*\n  X-Img: yes\n");
    settings(&site, "headers-policy = \"site\"\nsecurity = \"strict\"\n");
    deploy(&world, &site)
        .await
        .succeeds()
        .says("Wrote the headers policy site");
    world.warm(&site).await;
    let plan = world.plan(&site).within(site.project());
    plan.await.succeeds().says("othing to do");
    for (path, all, img) in [
        ("/", Some("one"), None),
        ("/img/a.png", Some("one"), Some("yes")),
        ("/no", Some("one"), None),
    ] {
        let answer = ask(&world, path, &[]).await;
        assert_eq!(
            (answer.header("x-all"), answer.header("x-img")),
            (all, img),
            "{path}"
        );
        for name in [
            "strict-transport-security",
            "x-content-type-options",
            "x-frame-options",
            "referrer-policy",
        ] {
            assert!(answer.header(name).is_some(), "{path} {name}");
        }
    }
    world.forget();
    site.write(
        "_headers",
        "/*\n  X-All: two\n  ! X-Frame-Options\n/img/*\n  X-Img: yes\n",
    );
    let plan = world.plan(&site).within(site.project()).await.succeeds();
    plan.says("Headers policy site (")
        .says("nothing is purged for it");
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), [""; 0]);
    assert_eq!(world.count("UpdateDistribution"), 0);
    // The warm edges send it at once.
    let answer = world.edge(&world.distribution, 0).get("/").await;
    assert_eq!(
        (answer.x_cache, answer.header("x-all")),
        ("Hit from cloudfront", Some("two"))
    );
    assert_eq!(answer.header("x-frame-options"), None);
    world.assert_idle(deploy(&world, &site)).await;
    // Nothing is left to send: it is taken off.
    site.remove("_headers");
    settings(&site, "headers-policy = \"site\"\n");
    deploy(&world, &site).await.succeeds();
    let distribution = world.distribution(&world.distribution).unwrap();
    assert_eq!(distribution.default.headers_policy, None);
    assert_eq!(distribution.behaviors[0].headers_policy, None);
    assert_eq!(ask(&world, "/", &[]).await.header("x-all"), None);
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_headers_policy_stays() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    site.write("_headers", "/*\n  X-All: one\n");
    settings(&site, "headers-policy = \"site\"\n");
    world.set_headers_policy(
        "id-1",
        HeadersPolicy {
            name: "site".into(),
            ..HeadersPolicy::default()
        },
    );
    let ran = deploy(&world, &site).await.succeeds();
    ran.says("was not written for s3://site/ by unstale")
        .says("no viewer gets it");
    assert_eq!(
        world.count("UpdateResponseHeadersPolicy") + world.count("CreateResponseHeadersPolicy"),
        0
    );
    settings(&site, "headers-policy = \"mine\"\n");
    let mut distribution = world.distribution(&world.distribution).unwrap();
    distribution.default.headers_policy = Some("id-1".into());
    world.set_distribution(distribution);
    let ran = deploy(&world, &site).await.succeeds();
    ran.says("has the response headers policy id-1 already");
    let distribution = world.distribution(&world.distribution).unwrap();
    assert_eq!(distribution.default.headers_policy.as_deref(), Some("id-1"));
    let strict = deploy(&world, &site).with("--strict").await.exits(2);
    strict.says("X-All");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_shown_where_no_page_is() {
    let world = World::with(|setup| {
        setup.distribution.origins.push(Origin {
            id: "api".into(),
            path: String::new(),
            kind: OriginKind::Fixed {
                domain: "api.example".into(),
                status: 400,
                headers: Vec::new(),
                body: "no such thing".into(),
            },
        });
        setup
            .distribution
            .behaviors
            .push(Behavior::new("/api/*", "api"));
    })
    .await;
    let site = Site::of(&[
        ("index.html", "<p>app"),
        ("about/index.html", "<p>about"),
        ("assets/app-0a1b2c3d.js", "js"),
        ("404.html", "<p>gone"),
    ]);
    settings(&site, "spa = true\n");
    deploy(&world, &site).await.succeeds();
    for (path, status, text) in [
        ("/", 200, "<p>app"),
        ("/users/7", 200, "<p>app"),
        ("/users/", 200, "<p>app"),
        ("/about/", 200, "<p>about"),
        ("/about", 200, "<p>about"),
        ("/about/team", 200, "<p>app"),
        ("/assets/app-0a1b2c3d.js", 200, "js"),
        ("/assets/gone.js", 404, "<p>gone"),
        ("/api/x", 400, "no such thing"),
    ] {
        let answer = ask(&world, path, &[]).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (status, text),
            "{path}"
        );
    }
    world.warm(&site).await;
    world
        .warm_urls(["/users/7", "/users/", "/about/team"])
        .await;
    world.forget();
    site.write("index.html", "<p>newer app");
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), ["/", "/index.html"]);
    assert_eq!(world.stale().await, [""; 0]);
    assert_eq!(ask(&world, "/users/7", &[]).await.text(), "<p>newer app");
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apps_error_page_is_told_to_go() {
    let world = World::with(|setup| {
        setup.distribution.errors = vec![ErrorResponse {
            code: 404,
            page: Some("/index.html".into()),
            response: Some(200),
            min_ttl: 10,
        }];
    })
    .await;
    let site = Site::of(&[
        ("index.html", "<p>app"),
        ("_redirects", "/* /index.html 200\n"),
    ]);
    // Without a function the error page serves the line.
    deploy(&world, &site)
        .await
        .succeeds()
        .never_says("S3 shows no page");
    settings(&site, "spa = true\n");
    deploy(&world, &site)
        .await
        .succeeds()
        .says("take the custom error response for 404 off");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_answers_and_the_others_lead_to_it() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    settings(&site, "canonical-host = \"www.example.com\"\n");
    deploy(&world, &site).await.succeeds();
    for (host, path, expected) in [
        ("www.example.com", "/", (200, None)),
        ("WWW.example.com", "/", (200, None)),
        ("example.com", "/", (301, Some("https://www.example.com/"))),
        (
            "example.com",
            "/a/b?c=d",
            (301, Some("https://www.example.com/a/b?c=d")),
        ),
    ] {
        assert_eq!(
            place(&ask(&world, path, &[("host", host)]).await),
            expected,
            "{host}{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_everywhere() {
    let (world, site) = (
        World::new().await,
        Site::of(&[("index.html", "<p>"), ("a.css", "p{}")]),
    );
    settings(&site, "password = \"env:SITE_PASSWORD\"\n");
    let unset = deploy(&world, &site)
        .without_env("SITE_PASSWORD")
        .await
        .exits(2);
    unset.says("SITE_PASSWORD, which is not set");
    assert_eq!(world.writes(), [""; 0]);
    let ran = deploy(&world, &site)
        .env("SITE_PASSWORD", "s3cret")
        .await
        .succeeds();
    ran.never_says("s3cret");
    let basic = |text: &str| [("authorization".to_owned(), format!("Basic {text}"))];
    // "any:s3cret" and "any:wrong"
    for (path, header, status) in [
        ("/", None, 401),
        ("/a.css", None, 401),
        ("/", Some("YW55OnMzY3JldA=="), 200),
        ("/", Some("YW55Ondyb25n"), 401),
    ] {
        let headers = header.map(basic).into_iter().flatten().collect::<Vec<_>>();
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = ask(&world, path, &headers).await;
        assert_eq!(answer.status, status, "{path} {header:?}");
        assert_eq!(answer.header("x-robots-tag"), Some("noindex"));
    }
    let code = world
        .function(&format!("unstale-{}", world.distribution))
        .unwrap()
        .code;
    assert!(!code.contains("s3cret"));
    world
        .assert_idle(deploy(&world, &site).env("SITE_PASSWORD", "s3cret"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_some_behavior_would_not_ask_for_is_refused() {
    let world = World::with(|setup| {
        let images = Behavior::new("/img/*", "site");
        setup.distribution.behaviors.push(images);
    })
    .await;
    let site = Site::of(&[("index.html", "<p>"), ("img/a.png", "png")]);
    settings(&site, "password = \"env:SITE_PASSWORD\"\n");
    let refused = deploy(&world, &site)
        .env("SITE_PASSWORD", "s3cret")
        .await
        .exits(2);
    refused
        .says("nobody would ask for the password")
        .says("/img/*");
    let none = deploy(&world, &site)
        .env("SITE_PASSWORD", "s3cret")
        .with("--distribution none");
    none.await
        .exits(2)
        .says("nobody would ask for the password");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_for_headers_that_is_missing_is_told() {
    for (operation, action) in [
        ("ListResponseHeadersPolicies", "ListResponseHeadersPolicies"),
        ("CreateResponseHeadersPolicy", "CreateResponseHeadersPolicy"),
        ("UpdateDistribution", "UpdateDistribution"),
    ] {
        let world = World::new().await;
        let site = Site::of(&[("index.html", "<p>"), ("_headers", "/*\n  X-All: one\n")]);
        settings(&site, "headers-policy = \"site\"\n");
        world.set_rule(move |request| {
            if request.operation == operation {
                Fault::Fail(403, "AccessDenied")
            } else {
                Fault::None
            }
        });
        let ran = deploy(&world, &site).await.succeeds();
        ran.says("headers wait for the headers policy")
            .says(&format!("allow cloudfront:{action}"));
        world.clear_rule();
        deploy(&world, &site).await.succeeds();
        assert_eq!(
            ask(&world, "/", &[]).await.header("x-all"),
            Some("one"),
            "{operation}"
        );
        world.assert_idle(deploy(&world, &site)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fits_nowhere_ends_the_deploy_before_anything_is_uploaded() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    settings(&site, "redirect-function = \"site\"\n");
    let patterns = |count: usize| {
        let lines = (0..count)
            .map(|number| format!("/old/section-{number}/* /new/section-{number}/:splat\n"));
        lines.collect::<String>()
    };
    site.write("_redirects", patterns(400));
    let refused = deploy(&world, &site).await.exits(2);
    refused
        .says("10240")
        .says("400 redirects")
        .says("/folder/*");
    assert_eq!(world.writes(), [""; 0]);
    site.write("_redirects", patterns(40));
    deploy(&world, &site).await.succeeds();
    assert_eq!(
        place(&ask(&world, "/old/section-7/a", &[]).await),
        (301, Some("/new/section-7/a"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cache_tags_are_kept_from_viewers() {
    let world = World::with(|setup| {
        setup.distribution.tag_header = Some("x-amz-meta-cache-tag".into());
    })
    .await;
    let site = Site::of(&[("index.html", "<p>")]);
    settings(&site, "tags = true\n");
    deploy(&world, &site).await.succeeds();
    let tag = async |world: &World| {
        let answer = ask(world, "/", &[]).await;
        answer.header("x-amz-meta-cache-tag").map(str::to_owned)
    };
    assert!(tag(&world).await.is_some());
    settings(&site, "tags = true\nheaders-policy = \"site\"\n");
    deploy(&world, &site).await.succeeds();
    assert_eq!(tag(&world).await, None);
    // The edges heed them all the same.
    world.warm(&site).await;
    site.write("index.html", "<p>newer");
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.stale().await, [""; 0]);
}
