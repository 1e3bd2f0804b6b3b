//! How many paths distributions of all kinds are sent: no URL is stale, and no more than that takes is purged.

use std::time::Duration;

use local_cloudfront::{
    Behavior, CachePolicy, Caching, Distribution, ErrorResponse, Fault, Function, FunctionKind,
    Origin, OriginKind, QueryKey, WebsiteConfiguration,
};

use crate::support::{BUCKET, Ran, Setup, Site, World};

fn small() -> Site {
    Site::of(&[
        ("index.html", "<link rel=stylesheet href=/app.css><p>one"),
        ("about.html", "<p>about"),
        ("posts/a/index.html", "<p>a"),
        ("posts/b/index.html", "<p>b"),
        ("404.html", "<p>not here"),
        ("app.css", "p{color:red}"),
    ])
}

/// A world where the site is deployed and every URL is warm.
async fn warm_world(site: &Site, change: impl FnOnce(&mut Setup)) -> World {
    let world = World::with(change).await;
    world.deploy(site).await.succeeds();
    world.warm(site).await;
    world.forget();
    world
}

/// Deploys, and looks whether all is fresh and stays as it is.
async fn deployed(world: &World, site: &Site) -> Ran {
    let ran = world.deploy(site).await.succeeds();
    world.assert_fresh(site, "").await;
    ran
}

fn keeping(query: QueryKey) -> Caching {
    Caching::Legacy(CachePolicy {
        name: "legacy".to_owned(),
        min_ttl: 0,
        default_ttl: 86_400,
        max_ttl: 31_536_000,
        query,
    })
}

fn config(site: &Site, text: &str) {
    std::fs::write(site.project().join("deploy.toml"), text).unwrap();
}

#[tokio::test]
async fn an_app_whose_chunks_are_renamed_owes_its_root_alone() {
    let chunk = |name: &str, version: usize| format!("assets/{name}-Cx{version}kd9Qz.js");
    let build = |site: &Site, version: usize| {
        let names = ["index", "about", "posts", "user", "admin"];
        let scripts = names.map(|name| format!("<script src=/{}></script>", chunk(name, version)));
        site.write("index.html", scripts.concat());
        for name in names {
            site.write(&chunk(name, version), format!("{name} {version}"));
        }
    };
    let site = Site::of(&[("logo.svg", "<svg/>")]);
    build(&site, 1);
    let world = warm_world(&site, |_| ()).await;
    for name in ["index", "about", "posts", "user", "admin"] {
        site.remove(&chunk(name, 1));
    }
    build(&site, 2);
    deployed(&world, &site).await;
    assert_eq!(world.purged(), ["/", "/index.html"]);
}

#[tokio::test]
async fn a_new_page_owes_nothing() {
    let site = small();
    let world = warm_world(&site, |_| ()).await;
    world.warm_urls(["/new.html"]).await;
    site.write("new.html", "<p>new");
    deployed(&world, &site).await;
    assert_eq!(world.purged(), [""; 0]);
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn what_no_edge_keeps_owes_nothing() {
    let site = small();
    config(
        &site,
        "[[headers]]\nmatch = \"*.html\"\ncache-control = \"no-cache\"\n",
    );
    let world = World::with(|setup| {
        setup.distribution.default.caching = keeping(QueryKey::None);
    })
    .await;
    let deploy = || world.deploy(&site).within(site.project());
    deploy().await.succeeds();
    world.warm(&site).await;
    world.forget();
    site.write("about.html", "<p>other");
    deploy().await.succeeds();
    assert_eq!(world.purged(), [""; 0]);
    world.assert_fresh(&site, "").await;

    // Once MinTTL keeps it whatever it says, it is owed.
    let mut kept = world.distribution(&world.distribution).unwrap();
    kept.default.caching = Behavior::new("*", "site").caching;
    world.set_distribution(kept);
    site.write("about.html", "<p>yet another");
    deploy().await.succeeds();
    world.assert_fresh(&site, "").await;
    world.warm(&site).await;
    world.forget();
    site.write("about.html", "<p>the last");
    deploy().await.succeeds();
    assert_eq!(world.purged(), ["/about.html"]);
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn a_configuration_that_may_not_be_read_owes_everything_and_says_what_to_allow() {
    let site = small();
    let world = warm_world(&site, |_| ()).await;
    world.set_rule(|request| match request.operation {
        "GetDistribution" | "GetDistributionConfig" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    let deploy = || {
        let id = &world.distribution;
        world.deploy(&site).arg("--distribution").arg(id)
    };
    world.assert_idle(deploy()).await;
    site.write("about.html", "<p>other");
    let ran = deploy().await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    ran.says("cloudfront:GetDistribution");
    world.assert_fresh(&site, "").await;
    world.assert_idle(deploy()).await;
}

#[tokio::test]
async fn an_asset_that_goes_after_the_purge_is_owed_again_where_nothing_can_be_read() {
    let site = small();
    let world = warm_world(&site, |_| ()).await;
    world.set_rule(|request| match request.operation {
        "GetDistribution" | "GetDistributionConfig" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    site.remove("app.css");
    let deploy = world.deploy(&site).with("--retain 0s --distribution");
    deploy.arg(&world.distribution).await.succeeds();
    // What goes last of all is purged last of all.
    let writes = world.writes();
    let gone = writes.iter().position(|one| one == "DeleteObjects");
    let purged = writes.iter().rposition(|one| one == "CreateInvalidation");
    assert!(gone.is_some() && gone < purged, "{writes:?}");
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn a_distribution_configured_anew_owes_everything_once() {
    let site = small();
    let world = warm_world(&site, |_| ()).await;
    let mut moved = world.distribution(&world.distribution).unwrap();
    moved.root = Some("about.html".to_owned());
    world.set_distribution(moved);
    deployed(&world, &site).await.says("configured anew");
    assert_eq!(world.purged(), ["/*"]);
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn a_distribution_in_front_of_a_full_bucket_owes_everything_once() {
    let site = small();
    let world = World::new().await;
    world
        .deploy(&site)
        .with("--distribution none")
        .await
        .succeeds();
    world.warm(&site).await;
    world.forget();
    deployed(&world, &site).await;
    assert_eq!(world.purged(), ["/*"]);
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn several_distributions_have_paths_of_their_own() {
    let site = small();
    let world = World::new().await;
    let mut other = Distribution::for_bucket(BUCKET);
    other.id = "E2OTHER2OTHER2".to_owned();
    other.domain = "d2other.cloudfront.net".to_owned();
    other.origins[0].path = "/posts".to_owned();
    other.root = Some("a/index.html".to_owned());
    world.set_distribution(other.clone());
    let deploy = || {
        let deploy = world.deploy(&site).arg("--distribution");
        deploy
            .arg(&world.distribution)
            .arg("--distribution")
            .arg(&other.id)
    };
    deploy().await.succeeds();
    world.warm(&site).await;
    let edge = world.edge(&other.id, 0);
    for url in ["/", "/a/index.html", "/b/index.html"] {
        assert_eq!(edge.get(url).await.status, 200, "{url}");
    }
    world.forget();
    let before = world.invalidations(&other.id).len();
    site.write("posts/a/index.html", "<p>another a");
    site.write("about.html", "<p>another about");
    deploy().await.succeeds();
    assert_eq!(world.purged(), ["/about.html", "/posts/a/index.html"]);
    let all = world.invalidations(&other.id);
    let sent: Vec<_> = all
        .iter()
        .skip(before)
        .flat_map(|one| one.items.iter())
        .collect();
    assert_eq!(sent, ["/", "/a/index.html"]);
    world.assert_fresh(&site, "").await;
    assert_eq!(edge.get("/").await.text(), "<p>another a");
    world.assert_idle(deploy()).await;
}

#[tokio::test]
async fn query_strings_in_the_key_are_purged_with_their_path() {
    for query in [QueryKey::All, QueryKey::Only(vec!["page".to_owned()])] {
        let site = small();
        let world = warm_world(&site, |setup| {
            setup.distribution.default.caching = keeping(query)
        })
        .await;
        let urls = ["/about.html?page=1", "/about.html?page=2&x=1", "/?page=3"];
        world.warm_urls(urls).await;
        site.write("about.html", "<p>other");
        deployed(&world, &site).await;
        assert_eq!(world.purged(), ["/ab*"]);
    }
}

#[tokio::test]
async fn errors_that_are_kept_for_long_are_owed_with_a_new_page() {
    let site = small();
    let world = warm_world(&site, |setup| setup.distribution.errors[0].min_ttl = 300).await;
    world.warm_urls(["/new.html", "/never.html"]).await;
    site.write("new.html", "<p>new");
    deployed(&world, &site).await;
    assert_eq!(world.purged(), ["/new.html"]);

    world.forget();
    site.write("404.html", "<p>still not here");
    deployed(&world, &site).await;
    assert_eq!(world.purged(), ["/*"]);
}

#[tokio::test]
async fn an_app_that_answers_every_url_is_purged_whole_where_errors_are_kept() {
    for (min_ttl, purged) in [(10, &["/", "/index.html"][..]), (600, &["/*"])] {
        let site = Site::of(&[("index.html", "<p>one"), ("logo.svg", "<svg/>")]);
        let world = warm_world(&site, |setup| {
            setup.distribution.errors = vec![ErrorResponse {
                code: 404,
                page: Some("/index.html".to_owned()),
                response: Some(200),
                min_ttl,
            }];
        })
        .await;
        world.warm_urls(["/users/1", "/settings"]).await;
        site.write("index.html", "<p>two");
        deployed(&world, &site).await;
        assert_eq!(world.purged(), purged, "{min_ttl}");
    }
}

#[tokio::test]
async fn a_website_endpoint_answers_for_folders() {
    let site = small();
    let world = warm_world(&site, |setup| {
        setup.distribution.origins[0].kind = OriginKind::Website {
            bucket: BUCKET.to_owned(),
        };
        setup.bucket.website = Some(WebsiteConfiguration {
            error: Some("404.html".to_owned()),
            ..WebsiteConfiguration::new("index.html")
        });
    })
    .await;
    site.write("posts/a/index.html", "<p>another a");
    deployed(&world, &site).await;
    assert_eq!(world.purged(), ["/posts/a/", "/posts/a/index.html"]);
    // A folder that goes takes its redirect along.
    world.forget();
    site.remove("posts/b/index.html");
    deployed(&world, &site).await;
    assert_eq!(
        world.purged(),
        ["/posts/b", "/posts/b/", "/posts/b/index.html"]
    );
}

#[tokio::test]
async fn a_website_error_document_that_is_kept_is_owed_with_a_new_page() {
    let site = small();
    config(
        &site,
        "[[headers]]\nmatch = \"404.html\"\ncache-control = \"max-age=600\"\n",
    );
    let world = World::with(|setup| {
        setup.distribution.errors.clear();
        setup.distribution.origins[0].kind = OriginKind::Website {
            bucket: BUCKET.to_owned(),
        };
        setup.bucket.website = Some(WebsiteConfiguration {
            error: Some("404.html".to_owned()),
            ..WebsiteConfiguration::new("index.html")
        });
    })
    .await;
    let deploy = || world.deploy(&site).within(site.project());
    deploy().await.succeeds();
    world.warm(&site).await;
    world.warm_urls(["/new.html", "/never.html"]).await;
    world.forget();
    site.write("new.html", "<p>new");
    deploy().await.succeeds();
    assert_eq!(world.purged(), ["/new.html"]);
    world.assert_fresh(&site, "").await;

    world.forget();
    site.write("404.html", "<p>still not here");
    deploy().await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn a_function_that_finds_index_documents_is_read() {
    let indexed = |setup: &mut Setup| setup.distribution.default.function = Some("index".into());
    let code = local_cloudfront::INDEX_FUNCTION.to_owned();
    for by_viewer_uri in [false, true] {
        let site = small();
        let world = World::with(|setup| {
            indexed(setup);
            setup.distribution.cached_by_viewer_uri = by_viewer_uri;
        })
        .await;
        let does = FunctionKind::Index;
        let code = code.clone();
        world.set_function("index", Function { code, does });
        world.deploy(&site).await.succeeds();
        world.warm(&site).await;
        world.forget();
        site.write("posts/a/index.html", "<p>another a");
        deployed(&world, &site).await;
        let purged = world.purged();
        assert_eq!(purged, ["/posts/a", "/posts/a/", "/posts/a/index.html"]);
    }
}

#[tokio::test]
async fn a_function_that_nobody_can_read_owes_everything_unless_deploy_toml_speaks() {
    for (words, purged) in [
        ("", &["/*"][..]),
        (
            "index = \"directory\"",
            &["/posts/a", "/posts/a/", "/posts/a/index.html"],
        ),
    ] {
        let site = small();
        config(&site, words);
        let world =
            World::with(|setup| setup.distribution.default.function = Some("f".into())).await;
        let function = Function {
            code: "function handler(event) { event.request.uri = where(event.request.uri); }"
                .to_owned(),
            does: FunctionKind::Index,
        };
        world.set_function("f", function);
        let deploy = || world.deploy(&site).within(site.project());
        deploy().await.succeeds();
        world.warm(&site).await;
        world.assert_idle(deploy()).await;
        world.forget();
        site.write("posts/a/index.html", "<p>another a");
        deploy().await.succeeds();
        assert_eq!(world.purged(), purged, "{words}");
        world.assert_fresh(&site, "").await;
    }
}

#[tokio::test]
async fn what_other_origins_answer_is_left_in_the_cache() {
    let site = small();
    for at in 0..30 {
        site.write(&format!("posts/p{at}.html"), "<p>one");
    }
    let world = World::with(|setup| {
        setup.distribution.origins.push(Origin {
            id: "api".to_owned(),
            path: String::new(),
            kind: OriginKind::Fixed {
                domain: "api.example.com".to_owned(),
                status: 200,
                headers: vec![("cache-control".to_owned(), "max-age=86400".to_owned())],
                body: "{}".to_owned(),
            },
        });
        let api = Behavior::new("/api/*", "api");
        setup.distribution.behaviors.push(api);
    })
    .await;
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    let edge = world.edge(&world.distribution, 0);
    assert_eq!(edge.get("/api/users").await.text(), "{}");
    world.forget();
    for at in 0..30 {
        site.write(&format!("posts/p{at}.html"), "<p>two");
    }
    site.write("about.html", "<p>other");
    let deploy = world.deploy(&site).with("--free-paths 0");
    deploy.await.succeeds();
    assert_eq!(world.purged(), ["/about.html", "/posts/p*"]);
    assert!(edge.entries().iter().any(|key| key == "/api/users"));
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn names_that_cloudfront_cannot_purge_are_taken_by_a_wildcard() {
    for refuses in [false, true] {
        let site = Site::of(&[
            ("index.html", "<p>home"),
            ("a~b.html", "<p>1"),
            ("a/it's.html", "<p>1"),
            ("a/star*", "1"),
            ("가 나/100%.html", "<p>1"),
            ("z.html", "<p>1"),
        ]);
        let world = warm_world(&site, |setup| setup.cloud.refuses_apostrophe = refuses).await;
        for path in ["a~b.html", "a/it's.html", "a/star*", "가 나/100%.html"] {
            site.write(path, "<p>2");
        }
        deployed(&world, &site).await;
        let purged = world.purged();
        assert!(!purged.contains(&"/*".to_owned()), "{purged:?}");
        assert!(purged.len() <= 4, "{purged:?}");
        world.assert_settled(&site).await;
    }
}

#[tokio::test]
async fn a_plan_shows_what_each_path_takes_beside_what_else_there_was() {
    let site = small();
    let world = warm_world(&site, |_| ()).await;
    for path in ["posts/a/index.html", "posts/b/index.html", "about.html"] {
        site.write(path, "<p>other");
    }
    let lines = world.plan(&site).with("--json --free-paths 0").await;
    let lines = lines.succeeds().json();
    let purge = lines.iter().find(|line| line["type"] == "purge").unwrap();
    let pattern = &purge["patterns"][0];
    assert_eq!(pattern["changed"], 3, "{purge}");
    assert_eq!(pattern["unchanged"], 4, "{purge}");
    assert_eq!(purge["instead"]["exact"]["paths"], 2, "{purge}");
    assert_eq!(purge["instead"]["all"]["paths"], 1, "{purge}");
    world.clock().advance(Duration::from_secs(60));
    let told = world
        .plan(&site)
        .with("--explain /posts/a/index.html")
        .await;
    told.succeeds().says("its content changed");
    assert_eq!(world.purged(), [""; 0]);
}
