//! Purging by hand: which distribution, how paths are written, what is sent, and what is said of it.

use std::fs;
use std::time::Duration;

use local_cloudfront::{
    Behavior, CachePolicy, Caching, Distribution, ErrorResponse, Fault, Function, Origin,
    OriginKind, QueryKey, RequestInfo,
};

use crate::support::{Ran, Site, Unstale, World};

const ALIAS: &str = "www.example.com";

/// A world whose distribution has an alias and keeps a copy for each query string, and which was deployed and visited.
async fn world() -> (World, Site) {
    let world = World::with(|setup| {
        setup.distribution.aliases.push(ALIAS.into());
        setup.distribution.default.caching = Caching::Policy("each-query".into());
        setup.distribution.tag_header = Some("x-amz-meta-cache-tag".into());
    })
    .await;
    let policy = CachePolicy {
        query: QueryKey::All,
        ..CachePolicy::optimized()
    };
    world.set_policy("each-query", policy);
    let site = Site::of(&[
        ("index.html", "<p>1"),
        ("a/b c.html", "<p>b"),
        ("a/é.html", "<p>e"),
        ("posts/1.html", "<p>p1"),
        ("posts/2.html", "<p>p2"),
        ("x.html", "<p>x"),
    ]);
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    world.forget();
    (world, site)
}

/// A command that knows no bucket.
fn bare(world: &World, command: &str) -> Unstale {
    let unstale = Unstale::new("--endpoint-url").arg(world.endpoint());
    unstale.with(command)
}

fn invalidate(world: &World) -> Unstale {
    bare(world, "invalidate --distribution").arg(&world.distribution)
}

fn denies(operation: &'static str) -> impl Fn(&RequestInfo) -> Fault {
    move |request| match request.operation {
        name if name == operation => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    }
}

/// Writes a file beside a site.
fn list(site: &Site, text: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = site.project().join("paths.txt");
    fs::write(&path, text).unwrap();
    path
}

/// Whether the edges that were warmed still hold a copy of this.
async fn is_held(world: &World, url: &str) -> bool {
    let answer = world.edge(&world.distribution, 0).get(url).await;
    answer
        .header("x-cache")
        .is_some_and(|word| word.starts_with("Hit"))
}

#[tokio::test]
async fn a_distribution_is_enough() {
    for flag in [None, Some(ALIAS)] {
        let (world, _site) = world().await;
        let name = flag.unwrap_or(&world.distribution).to_owned();
        let ran = bare(&world, "invalidate /x.html --distribution")
            .arg(&name)
            .without_env("AWS_REGION")
            .await
            .succeeds();
        ran.says("1 path").never_says("bucket");
        assert_eq!(world.purged(), ["/x.html"]);
        // Only an alias has to be looked up, and no configuration is of use.
        let operations = world.log();
        let operations: Vec<_> = operations
            .iter()
            .map(|entry| entry.request.operation)
            .collect();
        let lists = operations
            .iter()
            .filter(|name| **name == "ListDistributions")
            .count();
        assert_eq!(lists, usize::from(flag.is_some()), "{operations:?}");
        assert!(!operations.contains(&"GetDistribution"), "{operations:?}");
        assert!(!is_held(&world, "/x.html").await);
        assert!(is_held(&world, "/posts/1.html").await);
    }
}

#[tokio::test]
async fn the_bucket_finds_it_as_well() {
    let (world, _site) = world().await;
    world.unstale("invalidate /x.html").await.succeeds();
    assert_eq!(world.purged(), ["/x.html"]);
    let elsewhere = bare(&world, "invalidate /x.html --bucket other");
    elsewhere
        .await
        .exits(2)
        .says("the bucket other")
        .says("--distribution");
}

#[tokio::test]
async fn without_either_it_says_what_to_name() {
    let (world, _site) = world().await;
    for command in ["invalidate /x.html", "invalidations", "invalidations I1"] {
        let ran = bare(&world, command).await.exits(2);
        ran.says("no distribution is named")
            .says("--distribution www.example.com")
            .says("--bucket");
    }
    let none = bare(&world, "invalidate /x.html --distribution none");
    none.await.exits(2).says("no distribution is named");
    let unknown = bare(&world, "invalidate /x.html --distribution www.example.org");
    unknown
        .await
        .exits(2)
        .says("no distribution of this account has the alias");
    assert_eq!(world.writes(), [""; 0]);
    // Where a bucket is needed, that is said as ever.
    bare(&world, "history")
        .await
        .exits(2)
        .says("no bucket is given");
}

#[tokio::test]
async fn without_the_list_an_id_is_asked_for() {
    let (world, _site) = world().await;
    world.set_rule(denies("ListDistributions"));
    let ran = bare(&world, "invalidate /x.html --distribution").arg(ALIAS);
    ran.await
        .exits(1)
        .says("cloudfront:ListDistributions")
        .says("name the distribution by its id");
    invalidate(&world).arg("/x.html").await.succeeds();
    assert_eq!(world.purged(), ["/x.html"]);
}

#[tokio::test]
async fn what_is_pasted_empties_the_edges() {
    let (world, _site) = world().await;
    let held = [
        "/a/b%20c.html",
        "/a/b%20c.html?x=1",
        "/a/%C3%A9.html",
        "/posts/1.html",
        "/posts/2.html",
        "/x.html",
        "/x.html?q=1",
        "/x.html?q=2",
    ];
    world.warm_urls(held).await;
    let ran = invalidate(&world)
        .arg("https://www.example.com/a/b c.html?x=1#frag")
        .arg("/a/%c3%a9.html")
        .arg("/posts/*")
        .arg("/x.html?q=1")
        .arg("#some-tag")
        .await
        .succeeds();
    ran.says("5 paths")
        .says("the query string of a URL is left out")
        .says("'/a/b%20c.html?*'");
    let sent = [
        "#some-tag",
        "/a/%C3%A9.html",
        "/a/b%20c.html",
        "/posts/*",
        "/x.html?q=1",
    ];
    assert_eq!(world.purged(), sent);
    for (url, held) in held
        .iter()
        .zip([false, true, false, false, false, true, false, true])
    {
        assert_eq!(is_held(&world, url).await, held, "{url}");
    }
}

#[tokio::test]
async fn a_tag_empties_what_carries_it() {
    let (world, site) = world().await;
    let deploy = || world.deploy(&site).env("UNSTALE_TAGS", "true");
    deploy().await.succeeds();
    world.warm(&site).await;
    world.forget();
    invalidate(&world).arg("#page").await.succeeds();
    assert_eq!(world.purged(), ["#page"]);
    assert!(!is_held(&world, "/x.html").await);
}

#[tokio::test]
async fn what_would_purge_nothing_is_refused_before_anything_is_sent() {
    let (world, _site) = world().await;
    let long = format!("/{}", "x".repeat(4000));
    for (path, why, instead) in [
        (
            "/a/*/b",
            "only as the last character",
            "unstale invalidate '/a/*'",
        ),
        (
            "a b.html",
            "does not begin with a slash",
            "unstale invalidate '/a b.html'",
        ),
        ("/it's/~me/x", "`~`", "unstale invalidate '/it'\\''s/*'"),
        ("/a/%7eb", "`~`", "unstale invalidate '/a/*'"),
        ("/a/%2A", "escaped `*`", "unstale invalidate '/a/*'"),
        (&long, "4001 characters", "unstale invalidate '/xxx"),
        ("#a b", "not a cache tag", ""),
        ("", "does not begin with a slash", ""),
    ] {
        let ran = invalidate(&world).arg("/x.html").arg(path).await.exits(2);
        ran.says(why).says(instead);
    }
    let several = invalidate(&world).with("/x.html b /a/*/b").await.exits(2);
    several
        .says("2 of 3 paths")
        .says("`b` does not begin with a slash: write /b")
        .says("write /a/*");
    invalidate(&world).await.exits(2).says("PATH");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn nothing_is_sent_twice() {
    let (world, _site) = world().await;
    let ran = invalidate(&world)
        .with("/x.html /posts/1.html /x.html /posts/* /posts/2* https://www.example.com/x.html");
    let ran = ran.arg("--json").await.succeeds();
    assert_eq!(world.purged(), ["/posts/*", "/x.html"]);
    let summary = ran.summary();
    assert_eq!(
        (&summary["paths-purged"], &summary["left-out"]),
        (&2.into(), &4.into())
    );
    assert_eq!(summary["invalidations"][0]["status"], "Completed");
    assert_eq!(
        summary["invalidations"][0]["distribution"],
        world.distribution
    );
    let ran = invalidate(&world).with("/a /a https://www.example.com/*?x=1");
    ran.await
        .succeeds()
        .says("2 paths left out")
        .never_says("query");
}

#[tokio::test]
async fn paths_come_from_files_and_stdin() {
    let (world, site) = world().await;
    let text = "\u{feff}/x.html\r\n\r\n# what changed\n#\n#tag\n  /a/b c.html  \n";
    let sent = ["#tag", "/a/b%20c.html", "/x.html"];
    let file = list(&site, text);
    invalidate(&world)
        .arg("--paths-from")
        .arg(&file)
        .await
        .succeeds();
    assert_eq!(world.purged(), sent);
    for words in ["-", "--paths-from -"] {
        world.forget();
        let input = fs::File::open(&file).unwrap();
        invalidate(&world).with(words).stdin(input).await.succeeds();
        assert_eq!(world.purged(), sent, "{words}");
    }
    world.forget();
    let both = invalidate(&world).arg("/y").arg("--paths-from").arg(&file);
    both.await.succeeds();
    assert_eq!(world.purged(), ["#tag", "/a/b%20c.html", "/x.html", "/y"]);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let (world, site) = world().await;
    let from = |file: &std::path::Path| invalidate(&world).arg("/y").arg("--paths-from").arg(file);
    let missing = site.project().join("none.txt");
    from(&missing).await.exits(2).says("none.txt");
    let file = list(&site, b"/a\n\xe9\n");
    from(&file)
        .await
        .exits(2)
        .says("paths.txt:2: this line is not UTF-8");
    let file = list(&site, "/a\n/a/*/b\n");
    from(&file)
        .await
        .exits(2)
        .says("paths.txt:2: `/a/*/b`")
        .says("write /a/*");
    let file = list(&site, "\n# nothing\n");
    let empty = invalidate(&world).arg("--paths-from").arg(&file);
    empty.await.exits(2).says("no path is given");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn too_many_at_once_go_in_halves() {
    let (world, site) = world().await;
    world.cloud_options(|options| options.most_paths = 40);
    let paths: Vec<String> = (0..160).map(|number| format!("/{number:03}")).collect();
    let file = list(&site, paths.join("\n"));
    let ran = invalidate(&world)
        .arg("--json")
        .arg("--paths-from")
        .arg(file);
    assert_eq!(ran.await.succeeds().summary()["paths-purged"], 160);
    assert_eq!(world.purged(), paths);
    let sent = world.invalidations(&world.distribution);
    let references: std::collections::BTreeSet<_> =
        sent.iter().map(|one| &one.caller_reference).collect();
    assert_eq!(references.len(), sent.len());
}

/// Lets CloudFront take one batch of two.
async fn half_sent(world: &World, site: &Site, extra: &str) -> (Ran, String) {
    let taken = std::sync::atomic::AtomicBool::new(false);
    world.set_rule(move |request| match request.operation {
        "CreateInvalidation" if taken.swap(true, std::sync::atomic::Ordering::SeqCst) => {
            Fault::Fail(403, "AccessDenied")
        }
        _ => Fault::None,
    });
    let file = list(site, "/posts/*\n/a/*\n/x.html\n");
    let ran = invalidate(world)
        .with(extra)
        .arg("--paths-from")
        .arg(file)
        .await
        .exits(1);
    world.clear_rule();
    let id = world
        .invalidations(&world.distribution)
        .last()
        .unwrap()
        .id
        .clone();
    (ran, id)
}

#[tokio::test]
async fn what_is_left_after_a_failure_is_told() {
    let (world, site) = world().await;
    let (ran, id) = half_sent(&world, &site, "").await;
    assert_eq!(world.purged(), ["/a/*", "/x.html"]);
    let ran = ran
        .says("2 of 3 paths were sent")
        .says("cloudfront:CreateInvalidation")
        .says(&format!("{} took 2 paths as {id}", world.distribution));
    assert!(
        ran.stdout.ends_with("was not sent 1 path:\n  /posts/*\n"),
        "{ran}"
    );
    // As it is printed, it can be sent.
    let left = ran.stdout.lines().last().unwrap();
    let file = list(&site, format!("{left}\n"));
    invalidate(&world)
        .arg("--paths-from")
        .arg(file)
        .await
        .succeeds();
    assert_eq!(world.purged(), ["/a/*", "/posts/*", "/x.html"]);

    let (ran, id) = half_sent(&world, &site, "--json").await;
    let lines = ran.json();
    let of = |kind: &str| lines.iter().find(|line| line["type"] == kind).unwrap();
    assert_eq!(of("unsent")["paths"], serde_json::json!(["/posts/*"]));
    assert_eq!(of("invalidation")["id"], id);
    let last: Vec<_> = lines.iter().rev().map(|line| &line["type"]).collect();
    assert_eq!(last[..2], ["summary", "error"]);
}

#[tokio::test]
async fn it_waits_unless_told_not_to() {
    let (world, _site) = world().await;
    world.cloud_options(|options| options.invalidation_time = Duration::from_secs(60));
    let ran = invalidate(&world)
        .with("/x.html --no-wait")
        .await
        .succeeds();
    ran.says("CloudFront took 1 path");
    assert_eq!(world.count("GetInvalidation"), 0);
    let ran = invalidate(&world)
        .with("/x.html --timeout 1s")
        .await
        .exits(5);
    ran.says("not completed in time");
    assert!(world.count("GetInvalidation") > 0);
    let listed = bare(&world, "invalidations --json --distribution").arg(ALIAS);
    let listed = listed.await.succeeds().summary();
    assert_eq!(
        (&listed["shown"], &listed["in-progress"]),
        (&3.into(), &2.into())
    );
    world.clock().advance(Duration::from_secs(61));
    let wait = bare(&world, "invalidations --wait --json --distribution").arg(ALIAS);
    assert_eq!(wait.await.succeeds().summary()["in-progress"], 0);
}

#[tokio::test]
async fn a_purge_that_may_not_be_watched_has_succeeded() {
    let (world, _site) = world().await;
    world.cloud_options(|options| options.invalidation_time = Duration::from_secs(60));
    world.set_rule(denies("GetInvalidation"));
    let ran = invalidate(&world).arg("/x.html").await.succeeds();
    ran.says("warning:")
        .says("allow cloudfront:GetInvalidation")
        .says("CloudFront took 1 path");
    assert!(!is_held(&world, "/x.html").await);
    world.set_rule(denies("ListInvalidations"));
    let ran = bare(&world, "invalidations --distribution").arg(ALIAS);
    ran.await.exits(1).says("cloudfront:ListInvalidations");
}

/// A distribution that has something of everything.
fn rich() -> Distribution {
    let mut distribution = Distribution::for_bucket("rich");
    distribution.aliases = vec!["rich.example.com".into(), "*.example.net".into()];
    distribution.origins.push(Origin {
        id: "api".into(),
        path: "/v1".into(),
        kind: OriginKind::Fixed {
            domain: "api.example.com".into(),
            status: 200,
            headers: Vec::new(),
            body: String::new(),
        },
    });
    distribution.origins.push(Origin {
        id: "web".into(),
        path: String::new(),
        kind: OriginKind::Website {
            bucket: "media".into(),
        },
    });
    distribution.behaviors = vec![
        Behavior {
            caching: Caching::Legacy(CachePolicy {
                query: QueryKey::Only(vec!["page".into(), "q".into()]),
                max_ttl: 300,
                default_ttl: 60,
                min_ttl: 0,
                ..CachePolicy::optimized()
            }),
            ..Behavior::new("/api/*", "api")
        },
        Behavior::new("/media/*", "web"),
    ];
    distribution.default.function = Some("strange".into());
    distribution.errors.push(ErrorResponse {
        code: 403,
        page: Some("/index.html".into()),
        response: Some(200),
        min_ttl: 300,
    });
    distribution
}

#[tokio::test]
async fn distributions_are_found_by_any_name() {
    let (world, _site) = world().await;
    let rich = rich();
    let (ours, theirs) = (world.distribution.clone(), rich.id.clone());
    world.set_distribution(rich);
    let all = bare(&world, "distributions").await.succeeds();
    all.says(&ours)
        .says(&theirs)
        .says("  from site.s3.")
        .never_says("behavior");
    assert_eq!(world.count("GetDistribution"), 0);
    for filter in [
        theirs.as_str(),
        "rich.example.com",
        "docs.example.net",
        "s3://rich",
        "rich",
        "api.example",
        "--distribution rich.example.com",
        "--bucket rich",
    ] {
        let ran = bare(&world, "distributions --json")
            .with(filter)
            .await
            .succeeds();
        assert_eq!(ran.summary()["distributions"], 1, "{ran}");
        assert_eq!(ran.json()[0]["id"], theirs, "{ran}");
    }
    let both = bare(&world, "distributions .s3.").await.succeeds();
    both.says(&ours).says(&theirs).never_says("behavior");
    let neither = bare(&world, "distributions rich.example.com --bucket site");
    neither
        .await
        .exits(2)
        .says("`unstale distributions` lists them all");
}

#[tokio::test]
async fn of_one_distribution_it_says_what_is_understood() {
    let (world, _site) = world().await;
    world.set_distribution(rich());
    world.set_function(
        "strange",
        Function::of("function handler(event) { return eval('event.request'); }".into()),
    );
    let ran = bare(&world, "distributions rich.example.com")
        .await
        .succeeds();
    for line in [
        "the bucket rich, by its REST endpoint",
        "the bucket media, by its website endpoint",
        "no S3 bucket by its name",
        "/ is answered with index.html",
        "/api/* from api.example.com/v1",
        "kept 0 s to 5 minutes as Cache-Control says, 1 minute without one",
        "each value of page, q in the query string makes a copy of its own",
        "kept 1 s to 1 year",
        "function/strange is not understood",
        "404 is answered with /404.html as 404, kept 10 s",
        "purges /* at each change of a page, since function/strange",
        "purges /* when /index.html changes, and each new path, since error 403 is kept 5 minutes",
    ] {
        assert!(ran.stdout.contains(line), "{line}\n{ran}");
    }
    let plain = bare(&world, "distributions").arg(ALIAS).await.succeeds();
    plain
        .says("purges exactly what it changed")
        .says("each query string");
    let object = bare(&world, "distributions rich --json")
        .await
        .succeeds()
        .json();
    assert_eq!(object[0]["behaviors"][2]["rewrite"], "unknown");
    assert_eq!(object[0]["origin-details"][0]["bucket"], "rich");
    let verbose = bare(&world, "distributions --verbose").await.succeeds();
    assert_eq!(verbose.stdout.matches("  cache tags").count(), 2);
}

#[tokio::test]
async fn what_may_not_be_read_is_told_with_what_follows() {
    let (world, _site) = world().await;
    world.set_rule(denies("ListDistributions"));
    let by_id = bare(&world, "distributions").arg(&world.distribution);
    by_id
        .await
        .succeeds()
        .says(ALIAS)
        .says("by its REST endpoint");
    bare(&world, "distributions")
        .await
        .exits(1)
        .says("cloudfront:ListDistributions");
    bare(&world, "distributions")
        .arg(ALIAS)
        .await
        .exits(1)
        .says("cloudfront:ListDistributions");
    world.set_rule(denies("GetCachePolicy"));
    let ran = bare(&world, "distributions").arg(ALIAS).await.succeeds();
    ran.says("purges /* at each change")
        .says("allow cloudfront:GetCachePolicy");
}

#[tokio::test]
async fn it_waits_where_the_command_line_says_so() {
    let world =
        World::with(|setup| setup.cloud.invalidation_time = Duration::from_secs(3600)).await;
    let settings = Site::of(&[("deploy.toml", "wait = false\n")]);
    let purge = |words: &str| {
        let purge = world.unstale(&format!("invalidate /a {words}"));
        purge.within(settings.dir())
    };
    purge("").await.succeeds();
    purge("--wait --timeout 1s").await.exits(5);
    purge("--wait --no-wait").await.succeeds();
}
