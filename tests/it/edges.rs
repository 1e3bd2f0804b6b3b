//! No URL is stale, however the distribution answers: every kind of it, asked for every URL beforehand, deployed to and asked
//! again.

use std::collections::BTreeMap;

use local_cloudfront::INDEX_FUNCTION;
use local_cloudfront::{
    Behavior, CachePolicy, Caching, Distribution, ErrorResponse, Function, FunctionKind, Origin,
    OriginKind, QueryKey, WebsiteConfiguration,
};

use crate::support::{BUCKET, Site, World};

pub fn first() -> Site {
    Site::of(&[
        ("index.html", "<p>1"),
        ("about.html", "<p>about 1"),
        ("posts/index.html", "<p>posts 1"),
        ("posts/a/index.html", "<p>a 1"),
        ("posts/b/index.html", "<p>b"),
        ("posts/gone/index.html", "<p>gone"),
        ("gone.html", "<p>gone"),
        ("404.html", "<p>not here 1"),
        ("app.css", "p{}"),
        ("api/data.json", "{}"),
        ("assets/app-BEu5gne8.js", "1"),
    ])
}

pub fn becomes_second(site: &Site) {
    for (path, content) in [
        ("index.html", "<p>2"),
        ("about.html", "<p>about 2"),
        ("posts/index.html", "<p>posts 2"),
        ("posts/a/index.html", "<p>a 2"),
        ("posts/new/index.html", "<p>new"),
        ("new.html", "<p>new"),
        ("404.html", "<p>not here 2"),
        ("api/data.json", "{\"v\":2}"),
        ("assets/app-D9xK3f2a.js", "2"),
    ] {
        site.write(path, content);
    }
    for path in [
        "gone.html",
        "posts/gone/index.html",
        "assets/app-BEu5gne8.js",
    ] {
        site.remove(path);
    }
}

/// What viewers ask for besides the files themselves.
pub const BESIDES: [&str; 14] = [
    "/nowhere",
    "/nowhere/at/all.html",
    "/new.html",
    "/posts/new/",
    "/posts/new",
    "/posts/new/index.html",
    "/?utm=1",
    "/about.html?utm=1",
    "/about.html?lang=ko&utm=2",
    "/posts/a/?page=2",
    "/posts/a?page=2",
    "/nowhere?x=1",
    "/about",
    "/index.html?x",
];

pub async fn never_stale(what: &str, change: impl Fn(&World, &mut Distribution)) {
    never_stale_by(&["cheapest"], what, change).await;
}

async fn never_stale_by(modes: &[&str], what: &str, change: impl Fn(&World, &mut Distribution)) {
    for mode in modes {
        let world = World::new().await;
        let mut distribution = Distribution::for_bucket(BUCKET);
        change(&world, &mut distribution);
        world.set_distribution(distribution);
        let site = first();
        let deploy = || world.deploy(&site).with("--purge").arg(mode);
        println!("{what}, {mode}");
        deploy().await.succeeds();
        world.warm_urls(BESIDES).await;
        world.warm(&site).await;
        becomes_second(&site);
        deploy().await.succeeds();
        world.assert_fresh(&site, "").await;
        world.assert_idle(deploy()).await;
        // And back again, from what the edges hold by now.
        let back = first();
        world
            .deploy(&back)
            .with("--purge")
            .arg(mode)
            .await
            .succeeds();
        world.assert_fresh(&back, "").await;
    }
}

fn policy(query: QueryKey) -> CachePolicy {
    CachePolicy {
        query,
        ..CachePolicy::optimized()
    }
}

fn error(code: u16, page: &str, min_ttl: u64) -> ErrorResponse {
    ErrorResponse {
        code,
        page: Some(page.into()),
        response: Some(200),
        min_ttl,
    }
}

#[tokio::test]
async fn of_the_usual_kind() {
    let modes = ["cheapest", "exact", "all"];
    never_stale_by(&modes, "usual", |_, _| ()).await;
}

#[tokio::test]
async fn of_the_usual_kind_with_query_strings() {
    // One wildcard a second is CloudFront's pace: exact purges of query strings take their time.
    never_stale_by(&["exact"], "exact queries", |world, it| {
        world.set_policy("queries", policy(QueryKey::All));
        let mut posts = Behavior::new("posts/a*", "site");
        posts.caching = Caching::Policy("queries".into());
        it.behaviors = vec![posts];
    })
    .await;
}

#[tokio::test]
async fn without_a_root() {
    never_stale("no root", |_, it| it.root = None).await;
}

#[tokio::test]
async fn with_query_strings_in_the_key() {
    for query in [
        QueryKey::All,
        QueryKey::Only(vec!["lang".into()]),
        QueryKey::Except(vec!["utm".into()]),
    ] {
        never_stale("queries", |world, it| {
            world.set_policy("queries", policy(query.clone()));
            it.default.caching = Caching::Policy("queries".into());
        })
        .await;
    }
}

#[tokio::test]
async fn with_forwarded_values_of_old() {
    never_stale("legacy", |_, it| {
        it.default.caching = Caching::Legacy(CachePolicy {
            min_ttl: 600,
            ..policy(QueryKey::All)
        });
    })
    .await;
}

#[tokio::test]
async fn of_an_app_whose_errors_are_its_page() {
    for min_ttl in [0, 10, 300] {
        never_stale("an app", |_, it| {
            it.errors = vec![
                error(404, "/index.html", min_ttl),
                error(403, "/index.html", min_ttl),
            ];
        })
        .await;
    }
}

#[tokio::test]
async fn that_keeps_errors_for_long() {
    never_stale("long errors", |_, it| it.errors[0].min_ttl = 86_400).await;
}

#[tokio::test]
async fn a_new_page_is_purged_only_where_errors_are_kept_for_long() {
    for (min_ttl, purged) in [(0, vec![]), (10, vec![]), (300, vec!["/new.html"])] {
        let world = World::with(|setup| setup.distribution.errors[0].min_ttl = min_ttl).await;
        let site = first();
        world.deploy(&site).await.succeeds();
        world.warm(&site).await;
        world.warm_urls(["/new.html"]).await;
        site.write("new.html", "<p>new");
        world.forget();
        world.deploy(&site).await.succeeds();
        assert_eq!(world.purged(), purged, "{min_ttl} s");
        world.assert_fresh(&site, "").await;
    }
}

#[tokio::test]
async fn that_may_not_list_the_bucket() {
    never_stale("403", |_, it| {
        it.origins[0].kind = OriginKind::S3 {
            bucket: BUCKET.into(),
            may_list: false,
        };
        it.errors = vec![error(403, "/404.html", 60)];
    })
    .await;
}

#[tokio::test]
async fn with_a_function_that_finds_index_documents() {
    for by_viewer in [false, true] {
        never_stale("a function", |world, it| {
            let index = Function {
                code: INDEX_FUNCTION.into(),
                does: FunctionKind::Index,
            };
            world.set_function("index", index);
            it.default.function = Some("index".into());
            it.cached_by_viewer_uri = by_viewer;
        })
        .await;
    }
}

#[tokio::test]
async fn with_a_function_that_redirects() {
    never_stale("redirects", |world, it| {
        let to = BTreeMap::from([("/about".to_owned(), "/about.html".to_owned())]);
        let redirects = Function {
            code: "function handler(event) { return event.request; }".into(),
            does: FunctionKind::Redirects(to),
        };
        world.set_function("redirects", redirects);
        it.default.function = Some("redirects".into());
    })
    .await;
}

#[tokio::test]
async fn on_a_website_endpoint() {
    for errors in [false, true] {
        never_stale("website", |world, it| {
            it.origins[0].kind = OriginKind::Website {
                bucket: BUCKET.into(),
            };
            let website = WebsiteConfiguration {
                error: Some("404.html".into()),
                ..WebsiteConfiguration::new("index.html")
            };
            world.website(BUCKET, website).unwrap();
            it.root = None;
            if !errors {
                it.errors.clear();
            }
        })
        .await;
    }
}

#[tokio::test]
async fn beside_other_origins() {
    never_stale("an API", |world, it| {
        it.origins.push(Origin {
            id: "api".into(),
            path: String::new(),
            kind: OriginKind::Fixed {
                domain: "api.example.com".into(),
                status: 200,
                headers: Vec::new(),
                body: "api".into(),
            },
        });
        world.set_policy("queries", policy(QueryKey::All));
        let mut posts = Behavior::new("posts/*", "site");
        posts.caching = Caching::Policy("queries".into());
        it.behaviors = vec![Behavior::new("live/*", "api"), posts];
    })
    .await;
}
