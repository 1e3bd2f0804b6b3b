//! Configurations, orders of events and names in which something once stayed stale, was purged for nothing or was told wrongly.

use std::sync::Arc;
use std::time::Duration;

use local_cloudfront::{
    Behavior, CachePolicy, Caching, Distribution, ErrorResponse, Fault, Function, FunctionKind,
    FunctionOutcome, Headers, Lambda, LambdaEvent, LambdaKind, LambdaResponse, Origin, OriginGroup,
    OriginKind, RequestInfo, RoutingRule, WebsiteConfiguration,
};

use crate::configurations::world_with_staging;
use crate::mishap::{Side, crash_at};
use crate::support::{BUCKET, Site, Unstale, World};

const DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";

fn rewriting(code: &str, does: impl Fn(&str) -> String + Send + Sync + 'static) -> Function {
    Function {
        code: code.to_owned(),
        does: FunctionKind::Custom(Arc::new(move |uri, _| FunctionOutcome::Uri(does(uri)))),
    }
}

fn fixed(id: &str) -> Origin {
    Origin {
        id: id.into(),
        path: String::new(),
        kind: OriginKind::Fixed {
            domain: format!("{id}.example.com"),
            status: 200,
            headers: Vec::new(),
            body: "another".into(),
        },
    }
}

fn by_website(it: &mut Distribution) {
    it.origins[0].kind = OriginKind::Website {
        bucket: BUCKET.into(),
    };
    it.root = None;
    it.errors.clear();
}

fn kept_for_a_day() -> Headers {
    Headers {
        cache_control: Some("max-age=86400".into()),
        content_type: Some("text/html; charset=utf-8".into()),
        ..Headers::default()
    }
}

/// Deploys, asks for these, edits, deploys again: what is stale.
async fn stale(
    world: &World,
    site: &Site,
    more: &str,
    urls: &[&str],
    edit: impl Fn(&Site),
) -> Vec<String> {
    let deploy = || deploy(world, site, more);
    let ran = deploy().await.succeeds();
    println!("{ran}");
    world.warm_urls(urls.iter().copied()).await;
    edit(site);
    world.forget();
    let ran = deploy().await.succeeds();
    println!("{ran}\n{:?}", world.purged());
    world.stale().await
}

fn deploy(world: &World, site: &Site, more: &str) -> Unstale {
    world.deploy(site).with("--purge exact").with(more)
}

async fn function_world(function: Function, change: impl FnOnce(&mut Distribution)) -> World {
    let world = World::with(|setup| {
        setup.distribution.default.function = Some("rewrite".to_owned());
        setup.distribution.cached_by_viewer_uri = true;
        change(&mut setup.distribution);
    })
    .await;
    world.set_function("rewrite", function);
    world
}

/// `docs/*` is ours by the function; all else is another origin's.
fn only_docs(it: &mut Distribution) {
    it.cached_by_viewer_uri = false;
    it.origins.push(fixed("api"));
    it.behaviors = vec![Behavior {
        function: it.default.function.take(),
        ..Behavior::new("docs/*", "site")
    }];
    it.default.origin = "api".into();
    it.errors.clear();
}

const NONE: [&str; 0] = [];

// Functions.

const STRIPS: &str = "function handler(event) {
    var request = event.request;
    request.uri = request.uri.replace(/^\\/docs/, '');
    return request;
}";

fn stripped(uri: &str) -> String {
    uri.strip_prefix("/docs").unwrap_or(uri).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_behind_a_prefix_that_is_taken() {
    for by_viewer in [false, true] {
        let world = function_world(rewriting(STRIPS, stripped), |it| {
            only_docs(it);
            it.cached_by_viewer_uri = by_viewer;
        });
        let world = world.await;
        let site = Site::of(&[("index.html", "<p>1"), ("a.html", "<p>a")]);
        let stale = stale(&world, &site, "", &["/docs/"], |site| {
            site.write("index.html", "<p>2");
        });
        assert_eq!(stale.await, NONE, "{by_viewer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_behind_a_prefix_that_is_taken_everywhere() {
    let world = function_world(rewriting(STRIPS, stripped), |_| ()).await;
    let site = Site::of(&[
        ("index.html", "<p>1"),
        ("a.html", "<p>a"),
        ("404.html", "x"),
    ]);
    let stale = stale(&world, &site, "", &["/docs/"], |site| {
        site.write("index.html", "<p>2");
    });
    assert_eq!(stale.await, NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websites_folders_behind_a_prefix_that_is_taken() {
    for by_viewer in [false, true] {
        let world = function_world(rewriting(STRIPS, stripped), |it| {
            by_website(it);
            only_docs(it);
            it.cached_by_viewer_uri = by_viewer;
        });
        let world = world.await;
        let website = WebsiteConfiguration::new("index.html");
        world.website(BUCKET, website).unwrap();
        let site = Site::of(&[("index.html", "<p>1"), ("a/index.html", "<p>1")]);
        let stale = stale(&world, &site, "", &["/docs/a/", "/docs/"], |site| {
            site.write("a/index.html", "<p>2");
            site.write("index.html", "<p>2");
        });
        assert_eq!(stale.await, NONE, "{by_viewer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_and_a_website_with_different_index_documents() {
    let function = Function {
        code: local_cloudfront::INDEX_FUNCTION.into(),
        does: FunctionKind::Index,
    };
    let world = function_world(function, by_website).await;
    let website = WebsiteConfiguration::new("default.htm");
    world.website(BUCKET, website).unwrap();
    let site = Site::of(&[("default.htm", "<p>1"), ("a/index.html", "<p>1")]);
    let stale = stale(&world, &site, "", &["/a/", "/a"], |site| {
        site.write("a/index.html", "<p>2");
    });
    assert_eq!(stale.await, NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_not_kept_by_their_own_behavior_but_by_the_functions() {
    let function = Function {
        code: local_cloudfront::INDEX_FUNCTION.into(),
        does: FunctionKind::Index,
    };
    let world = function_world(function, |it| {
        it.cached_by_viewer_uri = false;
        let mut pages = Behavior::new("*.html", "site");
        pages.caching = Caching::Policy(DISABLED.into());
        it.behaviors = vec![pages];
    })
    .await;
    let site = Site::of(&[
        ("index.html", "<p>1"),
        ("a/index.html", "<p>1"),
        ("404.html", "x"),
    ]);
    let stale = stale(&world, &site, "", &["/a/", "/a"], |site| {
        site.write("a/index.html", "<p>2");
    });
    assert_eq!(stale.await, NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_not_understood_is_not_told_as_another_folder() {
    let code = include_str!("../../fixtures/functions/segments.js");
    let world = function_world(rewriting(code, stripped), only_docs).await;
    let site = Site::of(&[("a.html", "<p>1"), ("b.html", "<p>b")]);
    deploy(&world, &site, "").await.succeeds();
    site.write("a.html", "<p>2");
    let ran = deploy(&world, &site, "").await.succeeds();
    ran.never_says("no URL of it shows the site");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_cannot_be_read_for_a_moment_purges_nothing() {
    let function = Function {
        code: local_cloudfront::INDEX_FUNCTION.into(),
        does: FunctionKind::Index,
    };
    let world = function_world(function, |_| ()).await;
    let site = Site::of(&[("index.html", "1"), ("404.html", "x")]);
    deploy(&world, &site, "").await.succeeds();
    world.forget();
    world.set_rule(|request| match request.operation {
        "GetFunction" => Fault::Fail(503, "ServiceUnavailable"),
        _ => Fault::None,
    });
    println!("{}", deploy(&world, &site, "").await);
    world.clear_rule();
    deploy(&world, &site, "").await.succeeds();
    assert_eq!(world.purged(), NONE);
}

// New pages.

#[tokio::test(flavor = "multi_thread")]
async fn a_new_page_behind_an_unknown_rewrite_where_errors_are_kept() {
    for event in [LambdaEvent::OriginRequest, LambdaEvent::ViewerRequest] {
        let world = World::with(|setup| {
            let it = &mut setup.distribution;
            it.errors[0].min_ttl = 86_400;
            it.cached_by_viewer_uri = event == LambdaEvent::ViewerRequest;
            it.default.lambdas = vec![Lambda {
                name: "pretty".into(),
                event,
                does: LambdaKind::Uri(Arc::new(|uri| {
                    if uri.ends_with('/') {
                        format!("{uri}index.html")
                    } else {
                        uri.to_owned()
                    }
                })),
            }];
        })
        .await;
        let site = Site::of(&[("index.html", "1"), ("404.html", "x")]);
        let stale = stale(&world, &site, "", &["/new/"], |site| {
            site.write("new/index.html", "<p>new");
        });
        assert_eq!(stale.await, NONE, "{event:?}");
    }
}

#[tokio::test]
async fn a_new_page_whose_folder_stands_in_for_another_of_the_same_bucket() {
    let world = World::with(|setup| {
        let it = &mut setup.distribution;
        it.origins[0].path = "/new".into();
        it.origins.push(Origin {
            id: "old".into(),
            path: "/old".into(),
            ..it.origins[0].clone()
        });
        it.origin_groups.push(OriginGroup {
            id: "both".into(),
            members: vec!["site".into(), "old".into()],
            failover: vec![403, 404],
        });
        it.default.origin = "both".into();
    })
    .await;
    let put = world.put_object(BUCKET, "old/x.html", "<p>old", kept_for_a_day());
    put.await.unwrap();
    let site = Site::of(&[("index.html", "1"), ("404.html", "x")]);
    let stale = stale(&world, &site, "--prefix new", &["/x.html"], |site| {
        site.write("x.html", "<p>new");
    });
    assert_eq!(stale.await, NONE);
}

// Error pages.

#[tokio::test]
async fn an_error_page_with_a_space() {
    let world = World::with(|setup| {
        setup.distribution.errors = vec![ErrorResponse {
            code: 404,
            page: Some("/not%20found.html".into()),
            response: Some(404),
            min_ttl: 86_400,
        }];
    })
    .await;
    let site = Site::of(&[("index.html", "1"), ("not found.html", "<p>1")]);
    let stale = stale(&world, &site, "", &["/nowhere"], |site| {
        site.write("not found.html", "<p>2");
    });
    assert_eq!(stale.await, NONE);
}

#[tokio::test]
async fn a_root_with_a_space() {
    let world = World::with(|setup| setup.distribution.root = Some("a home.html".into())).await;
    let site = Site::of(&[("a home.html", "<p>1"), ("404.html", "x")]);
    let stale = stale(&world, &site, "", &["/"], |site| {
        site.write("a home.html", "<p>2");
    });
    assert_eq!(stale.await, NONE);
}

#[tokio::test]
async fn a_websites_error_document_outside_of_the_sites_folder() {
    let world = World::with(|setup| {
        by_website(&mut setup.distribution);
        setup.distribution.origins[0].path = "/site".into();
    })
    .await;
    let website = WebsiteConfiguration {
        error: Some("error.html".into()),
        ..WebsiteConfiguration::new("index.html")
    };
    world.website(BUCKET, website).unwrap();
    let put = world.put_object(BUCKET, "error.html", "<p>error", kept_for_a_day());
    put.await.unwrap();
    let site = Site::of(&[("index.html", "1"), ("a.html", "x")]);
    let stale = stale(&world, &site, "--prefix site", &["/new.html"], |site| {
        site.write("new.html", "<p>new");
    });
    assert_eq!(stale.await, NONE);
}

fn keeps_all(response: &mut LambdaResponse) {
    let headers = &mut response.headers;
    headers.retain(|(name, _)| name != "cache-control" && !name.starts_with("x-amz-meta"));
    headers.push(("cache-control".into(), "max-age=86400".into()));
}

fn keeping() -> Vec<Lambda> {
    vec![Lambda {
        name: "headers".into(),
        event: LambdaEvent::OriginResponse,
        does: LambdaKind::Response(Arc::new(keeps_all)),
    }]
}

#[tokio::test]
async fn a_websites_error_document_that_a_lambda_makes_last() {
    let world = World::with(|setup| {
        by_website(&mut setup.distribution);
        setup.distribution.default.lambdas = keeping();
    })
    .await;
    let website = WebsiteConfiguration {
        error: Some("404.html".into()),
        ..WebsiteConfiguration::new("index.html")
    };
    world.website(BUCKET, website).unwrap();
    let site = Site::of(&[("index.html", "1"), ("404.html", "<p>1")]);
    let stale = stale(&world, &site, "", &["/nowhere"], |site| {
        site.write("404.html", "<p>2");
    });
    assert_eq!(stale.await, NONE);
}

#[tokio::test]
async fn tags_that_a_lambda_takes_away() {
    let world = World::with(|setup| {
        let it = &mut setup.distribution;
        it.tag_header = Some("x-amz-meta-cache-tag".into());
        it.default.lambdas = keeping();
        it.default.caching = Caching::Legacy(CachePolicy {
            query: local_cloudfront::QueryKey::All,
            ..CachePolicy::optimized()
        });
    })
    .await;
    let site = Site::of(&[
        ("index.html", "1"),
        ("about.html", "<p>1"),
        ("about2.html", "x"),
    ]);
    std::fs::write(site.project().join("deploy.toml"), "tags = true\n").unwrap();
    let run = || world.deploy(&site).within(site.project());
    run().await.succeeds();
    world.warm_urls(["/about.html", "/about.html?x=1"]).await;
    world.clock().advance(Duration::from_secs(60));
    site.write("about.html", "<p>2");
    world.forget();
    run().await.succeeds();
    println!("{:?}", world.purged());
    assert_eq!(world.stale().await, NONE);
}

#[tokio::test]
async fn a_routing_rule_that_goes() {
    let world = World::with(|setup| by_website(&mut setup.distribution)).await;
    let rule = RoutingRule {
        key_prefix: Some("old/".into()),
        replace_prefix: Some("new/".into()),
        ..RoutingRule::default()
    };
    let rules = WebsiteConfiguration {
        rules: vec![rule],
        ..WebsiteConfiguration::new("index.html")
    };
    world.website(BUCKET, rules).unwrap();
    let site = Site::of(&[
        ("index.html", "1"),
        ("old/a.html", "a"),
        ("new/a.html", "b"),
    ]);
    deploy(&world, &site, "").await.succeeds();
    world.warm_urls(["/old/a.html"]).await;
    let none = WebsiteConfiguration::new("index.html");
    world.website(BUCKET, none).unwrap();
    site.write("index.html", "2");
    deploy(&world, &site, "").await.succeeds();
    assert_eq!(world.stale().await, NONE);
}

#[tokio::test]
async fn a_routing_rule_that_leads_elsewhere() {
    let world = World::with(|setup| by_website(&mut setup.distribution)).await;
    let to = |page: &str| WebsiteConfiguration {
        rules: vec![RoutingRule {
            error_code: Some(404),
            replace_key: Some(page.into()),
            status: 302,
            ..RoutingRule::default()
        }],
        ..WebsiteConfiguration::new("index.html")
    };
    world.website(BUCKET, to("a.html")).unwrap();
    let site = Site::of(&[("index.html", "1"), ("a.html", "a"), ("b.html", "b")]);
    deploy(&world, &site, "").await.succeeds();
    world.warm_urls(["/nowhere"]).await;
    world.website(BUCKET, to("b.html")).unwrap();
    site.write("index.html", "2");
    deploy(&world, &site, "").await.succeeds();
    assert_eq!(world.stale().await, NONE);
}

// Rights and the order of things.

fn deny(world: &World, operation: &'static str, code: (u16, &'static str)) {
    world.set_rule(move |request| {
        if request.operation == operation {
            Fault::Fail(code.0, code.1)
        } else {
            Fault::None
        }
    });
}

#[tokio::test]
async fn an_endpoint_that_knows_no_websites() {
    let mut failed = Vec::new();
    for code in [
        (405, "MethodNotAllowed"),
        (400, "InvalidRequest"),
        (404, ""),
        (501, ""),
        (404, "NoSuchWebsiteConfiguration"),
    ] {
        let world = World::with(|setup| by_website(&mut setup.distribution)).await;
        let website = WebsiteConfiguration::new("index.html");
        world.website(BUCKET, website).unwrap();
        deny(&world, "GetBucketWebsite", code);
        let site = Site::of(&[("index.html", "1")]);
        let ran = deploy(&world, &site, "").await;
        println!("{code:?} {ran}");
        failed.extend((ran.exit != Some(0)).then_some(code));
    }
    assert_eq!(failed, []);
}

/// The site moves into a folder, which edges learn 300 s later.
async fn moved_meanwhile(world: &World, site: &Site) {
    world.cloud_options(|options| options.deploy_time = Duration::from_secs(300));
    let mut moved = world.distribution(&world.distribution).unwrap();
    moved.origins[0].path = "/new".into();
    world.reconfigure(moved);
    let ran = deploy(world, site, "--prefix new --no-wait").await;
    println!("{}", ran.succeeds());
    // Edges ask for what was there before.
    world.warm(site).await;
    world.clock().advance(Duration::from_secs(600));
    deploy(world, site, "--prefix new").await.succeeds();
}

#[tokio::test]
async fn a_distribution_whose_status_may_not_be_read() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "1"), ("a.html", "a"), ("404.html", "x")]);
    deny(&world, "GetDistribution", (403, "AccessDenied"));
    deploy(&world, &site, "").await.succeeds();
    world.warm(&site).await;
    site.write("a.html", "b");
    moved_meanwhile(&world, &site).await;
    assert_eq!(world.stale().await, NONE);
}

#[tokio::test]
async fn a_distribution_in_progress_whose_policy_may_not_be_read() {
    let world = World::with(|setup| {
        setup.distribution.default.caching = Caching::Policy("own".into());
    })
    .await;
    world.set_policy("own", CachePolicy::optimized());
    let site = Site::of(&[("index.html", "1"), ("a.html", "a"), ("404.html", "x")]);
    deny(&world, "GetCachePolicy", (403, "AccessDenied"));
    deploy(&world, &site, "").await.succeeds();
    world.warm(&site).await;
    site.write("a.html", "b");
    moved_meanwhile(&world, &site).await;
    assert_eq!(world.stale().await, NONE);
}

#[tokio::test]
async fn a_dead_deploys_purge_of_staging_that_is_denied() {
    let (world, _) = world_with_staging().await;
    let site = Site::of(&[("index.html", "1"), ("a.html", "a"), ("404.html", "x")]);
    let is_staging = |request: &RequestInfo| {
        request.path.contains("ESTAGING12345") && request.operation == "CreateInvalidation"
    };
    let deny = move |request: &RequestInfo| {
        if is_staging(request) {
            Fault::Fail(403, "AccessDenied")
        } else {
            Fault::None
        }
    };
    deploy(&world, &site, "").await.succeeds();
    site.write("a.html", "b");
    // Dies before its purge is sent.
    let is_purge = |request: &RequestInfo| request.operation == "CreateInvalidation";
    crash_at(&world, deploy(&world, &site, ""), 1, Side::Before, is_purge)
        .await
        .unwrap();
    world.clock().advance(Duration::from_secs(600));
    world.set_rule(deny);
    let ran = deploy(&world, &site, "").await;
    println!("{ran}");
    ran.succeeds().says("ESTAGING12345");
}

#[tokio::test]
async fn a_staging_distribution_that_is_named_before_its_primary() {
    let (world, staging) = world_with_staging().await;
    let site = Site::of(&[("index.html", "1"), ("a.html", "a"), ("404.html", "x")]);
    let primary = world.distribution.clone();
    let more = format!("--distribution {staging} --distribution {primary}");
    deploy(&world, &site, &more).await.succeeds();
    let before = world.invalidations(&staging).len();
    site.write("a.html", "b");
    deploy(&world, &site, &more).await.succeeds();
    let all = world.invalidations(&staging);
    let items: Vec<_> = all
        .iter()
        .skip(before)
        .flat_map(|one| one.items.iter())
        .collect();
    assert_eq!(items, ["/a.html"]);
}

#[tokio::test]
async fn the_policy_for_a_distribution_that_is_found_finds_its_staging_one() {
    let world = World::new().await;
    let ran = world.unstale("policy").await;
    ran.says("GetContinuousDeploymentPolicy")
        .says("ListDistributions");
    // Where ids are named, its own has to be, and the deploy says so.
    let ran = world.unstale("policy --distribution E1ABCDEF2GHIJK").await;
    ran.never_says("GetContinuousDeploymentPolicy");
}

#[tokio::test]
async fn a_warning_without_a_gap() {
    let world = World::with(|setup| by_website(&mut setup.distribution)).await;
    world
        .website(BUCKET, WebsiteConfiguration::new("index.html"))
        .unwrap();
    deny(&world, "GetBucketWebsite", (403, "AccessDenied"));
    let site = Site::of(&[("index.html", "1")]);
    let ran = deploy(&world, &site, "--json").await.succeeds();
    ran.never_says("change     ");
}

// Names.

#[tokio::test]
async fn an_origin_that_is_not_known_behind_another_behavior_than_the_default() {
    let world = World::with(|setup| {
        let it = &mut setup.distribution;
        it.origins[0].kind = OriginKind::AccessPoint {
            // As a proxy of one's own would be.
            alias: "assets".into(),
            bucket: BUCKET.into(),
            may_list: true,
        };
        it.origins.push(fixed("api"));
        it.default.origin = "api".into();
        it.behaviors = vec![Behavior::new("docs/*", "site")];
        it.errors.clear();
    })
    .await;
    let site = Site::of(&[("index.html", "1"), ("docs/a.html", "<p>1")]);
    let more = format!("--distribution {}", world.distribution);
    let stale = stale(&world, &site, &more, &["/docs/a.html"], |site| {
        site.write("docs/a.html", "<p>2");
    });
    assert_eq!(stale.await, NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websites_folder_that_redirects_under_another_behavior() {
    let function = Function {
        code: include_str!("../../fixtures/functions/docs.js").into(),
        does: FunctionKind::Custom(Arc::new(|uri, _| {
            let path = uri.strip_prefix("/docs").unwrap_or(uri);
            let index = if path.ends_with('/') {
                "index.html"
            } else {
                ""
            };
            FunctionOutcome::Uri(format!("{path}{index}"))
        })),
    };
    for by_viewer in [false, true] {
        let world = function_world(function.clone(), |it| {
            by_website(it);
            only_docs(it);
            it.cached_by_viewer_uri = by_viewer;
        })
        .await;
        let website = WebsiteConfiguration::new("index.html");
        world.website(BUCKET, website).unwrap();
        let site = Site::of(&[("index.html", "<p>1"), ("a/index.html", "<p>1")]);
        let stale = stale(
            &world,
            &site,
            "--max-delete 5",
            &["/docs/a", "/docs/a/"],
            |site| {
                site.remove("a/index.html");
            },
        );
        assert_eq!(stale.await, NONE, "{by_viewer}");
    }
}
