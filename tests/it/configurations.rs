//! Distributions as people have them: what each kind makes stale, and what is purged for it. The rows of docs/purging.md.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use local_cloudfront::{
    Behavior, CachePolicy, Caching, ContinuousDeployment, Distribution, ErrorResponse, Fault,
    Headers, Lambda, LambdaEvent, LambdaKind, LambdaResponse, Origin, OriginGroup, OriginKind,
    RequestInfo, RoutingRule, Tenant, WebsiteConfiguration,
};

use crate::edges::{BESIDES, becomes_second, first, never_stale};
use crate::mishap::{Side, crash_at};
use crate::support::{BUCKET, Site, World};

/// The managed policy UseOriginCacheControlHeaders: what carries no header is not kept.
const BY_HEADERS: &str = "83da9c7e-98b4-4e11-a168-04f0df8e2c65";

fn by_headers() -> Caching {
    Caching::Policy(BY_HEADERS.to_owned())
}

async fn by_headers_world() -> World {
    World::with(|setup| setup.distribution.default.caching = by_headers()).await
}

fn kept_for_a_day() -> Headers {
    Headers {
        cache_control: Some("max-age=86400".into()),
        content_type: Some("text/html; charset=utf-8".into()),
        ..Headers::default()
    }
}

async fn put_by_hand(world: &World, key: &str, body: &'static str) {
    // Later than the deploy before it by more than clocks may differ.
    world.clock().advance(Duration::from_secs(60));
    let put = world.put_object(BUCKET, key, body, kept_for_a_day());
    put.await.unwrap();
}

fn website(world: &World, index: &str, error: Option<&str>) {
    let website = WebsiteConfiguration {
        error: error.map(str::to_owned),
        ..WebsiteConfiguration::new(index)
    };
    world.website(BUCKET, website).unwrap();
}

/// A world whose distribution stands before the bucket's website endpoint.
async fn website_world(index: &str, error: Option<&str>) -> World {
    let world = World::with(|setup| by_website(&mut setup.distribution)).await;
    website(&world, index, error);
    world
}

fn by_website(distribution: &mut Distribution) {
    distribution.origins[0].kind = OriginKind::Website {
        bucket: BUCKET.into(),
    };
    distribution.root = None;
    distribution.errors.clear();
}

fn deny(world: &World, operation: &'static str) {
    world.set_rule(move |request| {
        if request.operation == operation {
            Fault::Fail(403, "AccessDenied")
        } else {
            Fault::None
        }
    });
}

/// What is purged where one page changes.
async fn purged_for_an_edit(world: &World, site: &Site) -> Vec<String> {
    world.deploy(site).await.succeeds();
    world.warm_urls(BESIDES).await;
    world.warm(site).await;
    site.write("about.html", "<p>about 2");
    world.forget();
    world.deploy(site).await.succeeds();
    let purged = world.purged();
    world.assert_fresh(site, "").await;
    purged
}

// Unknown copies, where what carries no header is not kept.

#[tokio::test]
async fn by_the_origins_headers() {
    never_stale("by headers", |_, it| it.default.caching = by_headers()).await;
}

#[tokio::test]
async fn a_page_edited_by_hand_may_be_kept_for_as_long_as_anything() {
    let world = by_headers_world().await;
    let site = first();
    world.deploy(&site).await.succeeds();
    put_by_hand(&world, "about.html", "<p>by hand").await;
    world.warm(&site).await;
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(world.purged(), ["/about.html"]);
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn a_page_of_a_dead_deploy_is_unknown_until_it_is_written_anew() {
    let world = by_headers_world().await;
    let site = first();
    world.deploy(&site).await.succeeds();
    // A deploy puts a page that edges keep, and dies.
    let other = first();
    other.write("dead.html", "<p>dead");
    let is_purge = |request: &RequestInfo| request.operation == "CreateInvalidation";
    let other = &other;
    other.write("about.html", "<p>dead");
    crash_at(&world, world.deploy(other), 1, Side::Before, is_purge)
        .await
        .unwrap();
    world.clock().advance(Duration::from_secs(600));
    world.warm(other).await;
    // The next leaves it as it lies, and the one after removes it.
    world.deploy(&site).with("--no-delete").await.succeeds();
    world.warm(other).await;
    world.deploy(&site).await.succeeds();
    world.warm_urls(["/dead.html"]).await;
    assert!(world.object(BUCKET, "dead.html").is_none());
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn an_error_page_that_others_put_there_may_be_kept_for_long() {
    let world = World::with(|setup| {
        setup.distribution.default.caching = by_headers();
        setup.distribution.errors = vec![ErrorResponse {
            code: 404,
            page: Some("/sorry.html".into()),
            response: Some(404),
            min_ttl: 0,
        }];
    })
    .await;
    put_by_hand(&world, "sorry.html", "<p>sorry").await;
    let site = first();
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    world.warm_urls(["/new.html"]).await;
    site.write("new.html", "<p>new");
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(world.purged(), ["/new.html"]);
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn an_error_page_of_another_origin_may_be_kept_for_long() {
    never_stale("another's error page", |_, it| {
        it.origins.push(fixed("errors", 200, "<p>sorry"));
        it.behaviors.push(Behavior::new("errors/*", "errors"));
        it.errors = vec![ErrorResponse {
            code: 404,
            page: Some("/errors/404.html".into()),
            response: Some(404),
            min_ttl: 0,
        }];
    })
    .await;
}

fn fixed(id: &str, status: u16, body: &str) -> Origin {
    Origin {
        id: id.into(),
        path: String::new(),
        kind: OriginKind::Fixed {
            domain: format!("{id}.example.com"),
            status,
            headers: vec![("cache-control".into(), "max-age=86400".into())],
            body: body.into(),
        },
    }
}

// Website endpoints, by the bucket's own configuration.

#[tokio::test]
async fn a_website_with_another_index_document() {
    let world = website_world("default.htm", Some("404.html")).await;
    let site = Site::of(&[
        ("default.htm", "<p>1"),
        ("posts/default.htm", "<p>posts"),
        ("posts/index.html", "<p>no index"),
        ("404.html", "<p>not here"),
        ("about.html", "<p>about"),
    ]);
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    site.write("default.htm", "<p>2");
    site.write("posts/default.htm", "<p>posts 2");
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(
        world.purged(),
        ["/", "/default.htm", "/posts/", "/posts/default.htm"]
    );
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn a_website_whose_errors_are_kept_for_a_day() {
    let world = website_world("index.html", Some("error.html")).await;
    let site = first();
    site.write("error.html", "<p>error 1");
    let settings = Site::of(&[(
        "deploy.toml",
        "[[headers]]\nmatch = \"error.html\"\ncache-control = \"max-age=86400\"\n",
    )]);
    let deploy = || world.deploy(&site).within(settings.dir());
    deploy().await.succeeds();
    world.warm(&site).await;
    world.warm_urls(BESIDES).await;
    // A new page where an error is kept.
    site.write("new.html", "<p>new");
    world.forget();
    deploy().await.succeeds();
    assert_eq!(world.purged(), ["/new.html"]);
    world.assert_fresh(&site, "").await;
    // The error document itself.
    world.warm_urls(BESIDES).await;
    site.write("error.html", "<p>error 2");
    world.forget();
    deploy().await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn a_website_whose_error_document_is_the_app() {
    let world = website_world("index.html", Some("index.html")).await;
    let site = Site::of(&[
        ("index.html", "<p>app 1"),
        ("a.js", "1"),
        ("b.html", "<p>b"),
    ]);
    let settings = Site::of(&[("deploy.toml", "cache-control = \"max-age=600\"\n")]);
    let deploy = || world.deploy(&site).within(settings.dir());
    deploy().await.succeeds();
    world.warm_urls(BESIDES).await;
    world.warm(&site).await;
    site.write("index.html", "<p>app 2");
    deploy().await.succeeds();
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn a_website_whose_routing_rules_redirect_errors() {
    let world = World::with(|setup| by_website(&mut setup.distribution)).await;
    let rule = RoutingRule {
        key_prefix: None,
        error_code: Some(404),
        host: None,
        replace_key: Some("about.html".into()),
        replace_prefix: None,
        status: 302,
        protocol: None,
    };
    let rules = WebsiteConfiguration {
        rules: vec![rule],
        ..WebsiteConfiguration::new("index.html")
    };
    world.website(BUCKET, rules).unwrap();
    let site = first();
    world.deploy(&site).await.succeeds();
    world.warm_urls(BESIDES).await;
    world.warm(&site).await;
    becomes_second(&site);
    world.deploy(&site).await.succeeds();
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn a_website_that_may_not_be_read_is_purged_whole_or_by_the_settings() {
    let world = website_world("index.html", Some("404.html")).await;
    deny(&world, "GetBucketWebsite");
    let site = first();
    assert_eq!(purged_for_an_edit(&world, &site).await, ["/*"]);
    site.write("about.html", "<p>about 3");
    let ran = world.plan(&site).await.succeeds();
    ran.says("s3:GetBucketWebsite").says("website-index");

    let world = website_world("index.html", Some("404.html")).await;
    deny(&world, "GetBucketWebsite");
    let site = first();
    let settings = Site::of(&[(
        "deploy.toml",
        "website-index = \"index.html\"\nwebsite-error = \"404.html\"\n",
    )]);
    let deploy = || world.deploy(&site).within(settings.dir());
    deploy().await.succeeds();
    world.warm(&site).await;
    site.write("about.html", "<p>about 2");
    world.forget();
    deploy().await.succeeds().never_says("GetBucketWebsite");
    assert_eq!(world.purged(), ["/about.html"]);
    world.assert_fresh(&site, "").await;
}

// Edges that do not know the configuration yet.

/// Lets the clock run as soon as the deploy asks for a distribution again.
async fn edges_learn_meanwhile(world: &World) {
    let asked = world.count("GetDistribution");
    for _ in 0..3_000 {
        if world.count("GetDistribution") > asked + 2 {
            world.clock().advance(Duration::from_secs(600));
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_distribution_in_progress_is_purged_once_it_is_deployed() {
    let world = World::with(|setup| setup.cloud.deploy_time = Duration::from_secs(300)).await;
    let site = Site::of(&[
        ("index.html", "<p>1"),
        ("a.html", "<p>a"),
        ("404.html", "<p>404"),
    ]);
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    // From now on the site lies in a folder, but edges ask for what was there before.
    let mut moved = world.distribution(&world.distribution).unwrap();
    moved.origins[0].path = "/new".into();
    world.reconfigure(moved);
    let deploy = || world.deploy(&site).with("--prefix new");
    world.forget();
    let ran = {
        let deploying = async { deploy().with("-v").await };
        let (ran, ()) = tokio::join!(deploying, edges_learn_meanwhile(&world));
        ran
    };
    ran.succeeds().says("Waiting until all edges know");
    world.assert_fresh(&site, "").await;
    world.assert_idle(deploy()).await;
}

#[tokio::test]
async fn without_waiting_a_distribution_in_progress_is_purged_once_more() {
    let world = World::with(|setup| setup.cloud.deploy_time = Duration::from_secs(300)).await;
    let site = first();
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    let mut changed = world.distribution(&world.distribution).unwrap();
    changed.errors[0].min_ttl = 60;
    world.reconfigure(changed);
    site.write("about.html", "<p>about 2");
    let ran = world.deploy(&site).with("--no-wait").await.succeeds();
    ran.says("the next deploy purges /* once");
    world.clock().advance(Duration::from_secs(600));
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    world.assert_settled(&site).await;
}

// Tenants.

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_parameters_say_where_it_looks() {
    const OURS: &str = "dt_2wjDZi3hD1ivOXf6rpZJO1";
    let mut world = World::with(|setup| {
        let it = &mut setup.distribution;
        it.parameters = vec![
            ("bucket".into(), None),
            ("folder".into(), Some("none".into())),
        ];
        it.origins[0].kind = OriginKind::S3 {
            bucket: "{{bucket}}".into(),
            may_list: true,
        };
        it.origins[0].path = "/{{folder}}".into();
    })
    .await;
    world.set_tenant(Tenant {
        id: OURS.into(),
        name: "ours".into(),
        distribution: world.distribution.clone(),
        domains: vec!["ours.example.com".into()],
        parameters: BTreeMap::from([
            ("bucket".into(), BUCKET.into()),
            ("folder".into(), "sites/ours".into()),
        ]),
    });
    world.distribution = OURS.into();
    let site = first();
    let deploy = || {
        let deploy = world.deploy(&site).with("--prefix sites/ours");
        deploy.with("--distribution-tenant ours.example.com")
    };
    deploy().await.succeeds();
    world.warm(&site).await;
    site.write("about.html", "<p>about 2");
    world.forget();
    deploy().await.succeeds();
    assert_eq!(world.purged(), ["/about.html"]);
    world.assert_fresh(&site, "").await;
    world.assert_idle(deploy()).await;
}

// Origins that stand in for each other.

#[tokio::test]
async fn an_origin_group_that_goes_on_where_an_object_is_missing() {
    for failover in [vec![403, 404], vec![500, 502]] {
        never_stale("an origin group", |_, it| {
            it.origins.push(fixed("old", 200, "<p>the old site"));
            it.origin_groups.push(OriginGroup {
                id: "both".into(),
                members: vec!["site".into(), "old".into()],
                failover: failover.clone(),
            });
            it.default.origin = "both".into();
        })
        .await;
    }
}

// Continuous deployment.

pub async fn world_with_staging() -> (World, String) {
    let world = World::with(|setup| {
        setup.distribution.continuous_deployment = Some("policy".into());
    })
    .await;
    let staging = Distribution {
        staging: true,
        id: "ESTAGING12345".into(),
        domain: "dstaging12345.cloudfront.net".into(),
        ..Distribution::for_bucket(BUCKET)
    };
    let policy = ContinuousDeployment {
        enabled: true,
        staging_domains: vec![staging.domain.clone()],
        weight: 0.1,
    };
    let id = staging.id.clone();
    world.set_distribution(staging);
    world.set_continuous_deployment("policy", policy);
    (world, id)
}

#[tokio::test]
async fn a_staging_distribution_is_purged_with_its_primary() {
    let (world, staging) = world_with_staging().await;
    let site = first();
    world.deploy(&site).await.succeeds();
    let edge = world.edge(&staging, 0);
    assert_eq!(edge.get("/about.html").await.text(), "<p>about 1");
    site.write("about.html", "<p>about 2");
    world.deploy(&site).await.succeeds();
    assert_eq!(edge.get("/about.html").await.text(), "<p>about 2");
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn a_staging_distribution_that_may_not_be_purged_is_told() {
    let (world, _) = world_with_staging().await;
    let site = first();
    world.deploy(&site).await.succeeds();
    for operation in ["GetContinuousDeploymentPolicy", "ListDistributions"] {
        deny(&world, operation);
        site.write("about.html", operation);
        let primary = world.distribution.clone();
        let ran = world.deploy(&site).with("--distribution").arg(primary);
        ran.await.succeeds().says(operation);
    }
    world.set_rule(|request| {
        let staging = request.path.contains("ESTAGING12345");
        if staging && request.operation == "CreateInvalidation" {
            Fault::Fail(403, "AccessDenied")
        } else {
            Fault::None
        }
    });
    site.write("about.html", "<p>about 3");
    let ran = world.deploy(&site).await.succeeds();
    ran.says("ESTAGING12345")
        .says("cloudfront:CreateInvalidation");
    assert_eq!(world.stale().await, [""; 0]);
    // What it was not sent stays owed.
    world.clear_rule();
    world.deploy(&site).await.succeeds();
    let edge = world.edge("ESTAGING12345", 0);
    assert_eq!(edge.get("/about.html").await.text(), "<p>about 3");
    world.assert_settled(&site).await;
}

// Folders that do not meet.

#[tokio::test]
async fn a_site_that_no_url_shows_is_told_and_purged_whole() {
    let world = World::with(|setup| setup.distribution.origins[0].path = "/site".into()).await;
    let site = first();
    let deploy = || world.deploy(&site).with("--prefix blog");
    deploy().await.succeeds();
    site.write("about.html", "<p>about 2");
    world.forget();
    let ran = deploy().await.succeeds();
    ran.says("`site`").says("`blog/`");
    assert_eq!(world.purged(), ["/*"]);
}

// Names that S3 reads otherwise.

#[tokio::test]
async fn plus_signs_and_spaces_at_a_rest_endpoint() {
    let world = World::new().await;
    let site = first();
    site.write("c++.html", "<p>c 1");
    site.write("a b/x y.html", "<p>a 1");
    world.deploy(&site).await.succeeds();
    let urls = ["/c%2B%2B.html", "/a%20b/x%20y.html", "/a+b/x+y.html"];
    world.warm(&site).await;
    world.warm_urls(urls).await;
    for url in urls {
        assert_eq!(world.cold(url).await.status, 200, "{url}");
    }
    site.write("c++.html", "<p>c 2");
    site.write("a b/x y.html", "<p>a 2");
    world.deploy(&site).await.succeeds();
    assert_eq!(world.stale().await, [""; 0]);
    world.assert_settled(&site).await;
    for path in ["c++.html", "a b/x y.html"] {
        site.remove(path);
    }
    world.deploy(&site).await.succeeds();
    assert_eq!(world.stale().await, [""; 0]);
}

#[tokio::test]
async fn an_access_point_is_taken_for_the_buckets() {
    let alias = "ap-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias";
    let world = World::with(|setup| {
        setup.distribution.origins[0].kind = OriginKind::AccessPoint {
            alias: alias.into(),
            bucket: BUCKET.into(),
            may_list: true,
        };
        // Only a behavior that is not the default leads there.
        setup.distribution.origins.push(fixed("app", 200, "app"));
        setup.distribution.default.origin = "app".into();
        setup.distribution.behaviors = vec![Behavior::new("docs/*", "site")];
    })
    .await;
    let site = Site::of(&[("docs/a.html", "<p>1"), ("docs/b.html", "<p>b")]);
    let deploy = || {
        let id = world.distribution.clone();
        world.deploy(&site).with("--distribution").arg(id)
    };
    deploy().await.succeeds().says("origin-domains");
    world.warm(&site).await;
    site.write("docs/a.html", "<p>2");
    world.forget();
    deploy().await.succeeds();
    assert_eq!(world.purged(), ["/docs/a.html"]);
    world.assert_fresh(&site, "").await;
    let domain = format!("origin-domains = \"{alias}.s3.us-east-1.amazonaws.com\"\n");
    let settings = Site::of(&[("deploy.toml", domain.as_str())]);
    site.write("docs/a.html", "<p>3");
    // Then it is found by itself too.
    let ran = world.deploy(&site).within(settings.dir()).await.succeeds();
    ran.never_says("origin-domains");
    world.assert_fresh(&site, "").await;
}

// Lambdas behind the cache.

#[tokio::test]
async fn a_lambda_that_changes_what_the_origin_answers() {
    let does = |response: &mut LambdaResponse| {
        let headers = &mut response.headers;
        headers.retain(|(name, _)| name != "cache-control");
        headers.push(("cache-control".into(), "max-age=86400".into()));
        if response.status == 404 {
            response.status = 200;
            response.body = "<p>made up".into();
        }
    };
    for by_headers_alone in [false, true] {
        never_stale("an origin response Lambda", |_, it| {
            it.default.lambdas = vec![Lambda {
                name: "headers".into(),
                event: LambdaEvent::OriginResponse,
                does: LambdaKind::Response(Arc::new(does)),
            }];
            if by_headers_alone {
                it.default.caching = Caching::Legacy(CachePolicy {
                    default_ttl: 0,
                    min_ttl: 0,
                    ..CachePolicy::optimized()
                });
            }
        })
        .await;
    }
    let world = World::with(|setup| {
        setup.distribution.default.lambdas = vec![Lambda {
            name: "headers".into(),
            event: LambdaEvent::OriginResponse,
            does: LambdaKind::Response(Arc::new(does)),
        }];
    })
    .await;
    world.plan(&first()).await.succeeds().says("headers");
}
