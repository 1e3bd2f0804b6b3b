//! Cache tags: what objects carry, from when on a distribution is purged by them, and what is sent then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use local_cloudfront::{CachePolicy, Caching, Distribution, Fault, Headers, QueryKey, RequestInfo};

use crate::mishap::{Objects, Side, assert_whole, crash, crash_at, deploy, objects};
use crate::support::{BUCKET, Site, World};

/// A distribution that reads tags, and whose cache key has query strings.
fn reads_tags(distribution: &mut Distribution) {
    distribution.tag_header = Some("x-amz-meta-cache-tag".into());
    distribution.default.caching = Caching::Legacy(CachePolicy {
        name: "queries".into(),
        min_ttl: 0,
        default_ttl: 86_400,
        max_ttl: 31_536_000,
        query: QueryKey::All,
    });
}

async fn world() -> World {
    World::with(|setup| reads_tags(&mut setup.distribution)).await
}

fn tagged(site: &Site, more: &str) {
    let text = format!("tags = true\n{more}");
    std::fs::write(site.project().join("deploy.toml"), text).unwrap();
}

fn site() -> Site {
    let site = Site::of(&[
        ("index.html", "<p>1"),
        ("about.html", "<p>about"),
        ("about2.html", "<p>another"),
        ("x/~tilde.html", "<p>tilde"),
        ("x/other.html", "<p>other"),
        ("style.css", "p{}"),
    ]);
    tagged(&site, "");
    site
}

/// Asks every URL with some query strings too.
async fn warm(world: &World, site: &Site) {
    world.warm(site).await;
    let queried = site.files().into_keys().flat_map(|path| {
        let url = crate::support::url_of(&path);
        [format!("{url}?a=1"), format!("{url}?b=2")]
    });
    world.warm_urls(queried.chain(["/?a=1".to_owned()])).await;
}

/// Deployed and warm, and nothing is owed.
async fn begun(site: &Site) -> World {
    let world = world().await;
    deploy(&world, site).await.succeeds();
    warm(&world, site).await;
    world.clock().advance(Duration::from_secs(60));
    world.forget();
    world
}

/// The item that purges what these keys' metadata have in common, by its place among the tags.
fn tag(world: &World, key: &str, place: usize) -> String {
    let object = world.object(BUCKET, key).unwrap();
    let value = object.headers.metadata.get("cache-tag").unwrap();
    format!("#{}", value.split(',').nth(place).unwrap())
}

#[tokio::test]
async fn a_changed_page_is_one_tag_under_all_its_urls() {
    let site = site();
    let world = begun(&site).await;
    assert_eq!(tag(&world, "about.html", 1), "#page");
    assert_eq!(tag(&world, "style.css", 1), "#asset");
    for (key, body) in [
        ("about.html", "<p>us"),
        ("index.html", "<p>2"),
        ("x/~tilde.html", "<p>t"),
    ] {
        site.write(key, body);
        let item = tag(&world, key, 0);
        let plan = world.plan(&site).within(site.project()).await.succeeds();
        plan.says(&item).says(&format!("({key})"));
        world.forget();
        deploy(&world, &site).await.succeeds();
        assert_eq!(world.purged(), [item], "{key}");
        world.assert_fresh(&site, "").await;
        world.assert_idle(deploy(&world, &site)).await;
        warm(&world, &site).await;
    }
}

#[tokio::test]
async fn a_url_that_a_tag_takes_is_explained_by_it() {
    let site = site();
    let world = begun(&site).await;
    site.write("about.html", "<p>us");
    let item = tag(&world, "about.html", 0);
    let plan = world.plan(&site).within(site.project());
    let ran = plan.with("--explain /about.html").await.succeeds();
    ran.says(&format!(
        "/about.html by {item} (about.html): its content changed"
    ))
    .says("cache tags: k-");
    let plan = world.plan(&site).within(site.project());
    let lines = plan.with("--json").await.succeeds().json();
    let purge = lines.iter().find(|line| line["type"] == "purge").unwrap();
    let pattern = &purge["patterns"][0];
    assert_eq!(pattern["path"], item.as_str());
    assert_eq!(pattern["tag-of"], "about.html");
    assert_eq!(
        (&pattern["changed"], &pattern["unchanged"]),
        (&2.into(), &0.into())
    );
}

#[tokio::test]
async fn a_footer_in_every_page_is_one_tag_that_spares_the_assets() {
    let site = site();
    let world = begun(&site).await;
    for key in [
        "index.html",
        "about.html",
        "about2.html",
        "x/~tilde.html",
        "x/other.html",
    ] {
        site.write(key, format!("<p>{key}<footer>2027"));
    }
    site.write("new.html", "<p>new");
    deploy(&world, &site).with("--purge exact").await.succeeds();
    assert_eq!(world.purged(), ["#page"]);
    world.assert_fresh(&site, "").await;
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test]
async fn turned_on_the_metadata_land_by_copies_and_everything_is_purged_once() {
    let site = site();
    tagged(&site, "");
    std::fs::write(site.project().join("deploy.toml"), "").unwrap();
    let world = begun(&site).await;
    let object = world.object(BUCKET, "about.html").unwrap();
    assert!(object.headers.metadata.is_empty());
    tagged(&site, "");
    let copies = world.deploy(&site).within(site.project()).await.succeeds();
    copies.says("may hold copies without cache tags");
    assert_eq!(world.count("CopyObject"), site.files().len());
    let uploads = world.site_writes();
    assert!(
        !uploads.iter().any(|one| one.starts_with("PutObject")),
        "{uploads:?}"
    );
    assert_eq!(world.purged(), ["/*"]);
    world.assert_fresh(&site, "").await;
    world.assert_idle(deploy(&world, &site)).await;
    warm(&world, &site).await;

    site.write("about.html", "<p>us");
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), [tag(&world, "about.html", 0)]);
    world.assert_fresh(&site, "").await;

    // Turned off, they leave as they came, and on again they are not trusted.
    std::fs::write(site.project().join("deploy.toml"), "").unwrap();
    deploy(&world, &site).await.succeeds();
    let object = world.object(BUCKET, "about.html").unwrap();
    assert!(object.headers.metadata.is_empty());
    warm(&world, &site).await;
    world.assert_idle(deploy(&world, &site)).await;
    site.write("about.html", "<p>them");
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), ["/about.*"]);
    warm(&world, &site).await;
    tagged(&site, "");
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn a_distribution_that_reads_tags_anew_is_purged_whole_once() {
    let site = site();
    let world = begun(&site).await;
    let mut distribution = world.distribution(&world.distribution).unwrap();
    distribution.tag_header = None;
    world.set_distribution(distribution.clone());
    let ran = world.deploy(&site).within(site.project()).await.succeeds();
    ran.says("`tags = true` has no effect")
        .says("x-amz-meta-cache-tag");
    let object = world.object(BUCKET, "about.html").unwrap();
    assert!(object.headers.metadata.is_empty());
    warm(&world, &site).await;

    distribution.tag_header = Some("Cache-Tag".into());
    world.set_distribution(distribution.clone());
    let ran = world.deploy(&site).within(site.project()).await.succeeds();
    ran.says("reads cache tags from the header Cache-Tag");
    warm(&world, &site).await;

    reads_tags(&mut distribution);
    world.set_distribution(distribution);
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    warm(&world, &site).await;
    site.write("about.html", "<p>us");
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), [tag(&world, "about.html", 0)]);
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn what_somebody_wrote_over_a_page_is_purged_by_its_paths() {
    let site = site();
    let world = begun(&site).await;
    // The same bytes, and other ones, without tags.
    for body in ["<p>about", "<p>theirs"] {
        let before = world.object(BUCKET, "about.html").unwrap();
        let headers = Headers {
            metadata: Default::default(),
            ..before.headers.clone()
        };
        world
            .put_object(BUCKET, "about.html", body, headers)
            .await
            .unwrap();
        for number in 0..3 {
            world.edge(&world.distribution, number).chill();
        }
        warm(&world, &site).await;
        site.write("about.html", format!("<p>ours after {body}"));
        world.forget();
        deploy(&world, &site).await.succeeds();
        assert_eq!(world.purged(), ["/about.*"], "{body}");
        world.assert_fresh(&site, "").await;
        warm(&world, &site).await;
        world.clock().advance(Duration::from_secs(60));
        site.write("about.html", "<p>about");
        world.forget();
        deploy(&world, &site).await.succeeds();
        assert_eq!(
            world.purged(),
            [tag(&world, "about.html", 0)],
            "known again"
        );
        world.assert_fresh(&site, "").await;
        warm(&world, &site).await;
        world.clock().advance(Duration::from_secs(60));
    }
}

#[tokio::test]
async fn several_urls_of_one_object_are_one_tag() {
    let site = Site::of(&[
        ("index.html", "<p>1"),
        ("docs/index.html", "<p>docs"),
        ("docs/a.html", "<p>a"),
        ("docs/gone/index.html", "<p>leaves"),
    ]);
    tagged(&site, "index = \"directory\"\n");
    let world = World::with(|setup| {
        setup.distribution.tag_header = Some("X-Amz-Meta-Cache-Tag".into());
    })
    .await;
    deploy(&world, &site).await.succeeds();
    world.warm(&site).await;
    let items = [
        tag(&world, "docs/gone/index.html", 0),
        tag(&world, "docs/index.html", 0),
    ];
    site.write("docs/index.html", "<p>docs 2");
    site.remove("docs/gone/index.html");
    world.forget();
    deploy(&world, &site)
        .with("--max-delete 9")
        .await
        .succeeds();
    let mut expected = items.to_vec();
    expected.sort();
    assert_eq!(world.purged(), expected);
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn tags_of_rules_stay_and_are_checked() {
    let site = site();
    let rule = |tag: &str| {
        let rule =
            format!("[[headers]]\nmatch = \"*.html\"\nmetadata = {{ cache-tag = \"{tag}\" }}\n");
        tagged(&site, &rule);
    };
    rule("mine, yours");
    let world = begun(&site).await;
    let object = world.object(BUCKET, "about.html").unwrap();
    assert!(object.headers.metadata["cache-tag"].starts_with("mine, yours,k-"));
    site.write("about.html", "<p>us");
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), [tag(&world, "about.html", 2)]);
    for (tag, words) in [
        ("asset", "is one that `tags = true` sets itself"),
        ("a b", "CloudFront takes no cache tag"),
        (&vec!["x"; 49].join(","), "51 cache tags"),
        (&["y".repeat(250).as_str(); 8].join(","), "S3 takes 2048"),
    ] {
        rule(tag);
        let ran = deploy(&world, &site).await.exits(2);
        ran.says("deploy.toml:2: metadata:").says(words);
    }
}

#[tokio::test]
async fn what_cloudfront_will_not_purge_by_tag_is_purged_by_paths() {
    let site = site();
    let world = begun(&site).await;
    let once = AtomicBool::new(true);
    world.set_rule(move |request| {
        let purges = request.operation == "CreateInvalidation";
        if purges && once.swap(false, Ordering::SeqCst) {
            Fault::Fail(400, "InvalidArgument")
        } else {
            Fault::None
        }
    });
    site.write("about.html", "<p>us");
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), ["/about.*"]);
    world.assert_fresh(&site, "").await;
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test]
async fn pages_kept_for_noise_carry_tags_and_are_purged_by_them() {
    let site = site();
    let noise = "[[noise]]\nmatch = \"*.html\"\nregex = 'data-id=\"([^\"]*)\"'\n";
    let stamp = |at: u32| {
        for key in ["about.html", "about2.html"] {
            site.write(key, format!("<p data-id=\"{at}\">{key}"));
        }
    };
    stamp(1);
    std::fs::write(site.project().join("deploy.toml"), noise).unwrap();
    let world = world().await;
    deploy(&world, &site).await.succeeds();
    warm(&world, &site).await;
    // The kept page gets its tags in place, and its old body stays.
    stamp(2);
    tagged(&site, noise);
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    assert!(
        world
            .site_writes()
            .contains(&"CopyObject about.html".to_owned())
    );
    assert_eq!(world.stale().await, [""; 0]);
    warm(&world, &site).await;
    stamp(3);
    site.write("about.html", "<p>us");
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), [tag(&world, "about.html", 0)]);
    assert_eq!(world.stale().await, [""; 0]);
}

#[tokio::test]
async fn tags_taken_away_without_a_purge_are_not_trusted_afterwards() {
    let site = site();
    let world = begun(&site).await;
    std::fs::write(site.project().join("deploy.toml"), "").unwrap();
    deploy(&world, &site).with("--purge none").await.succeeds();
    world.edge(&world.distribution, 0).chill();
    warm(&world, &site).await;
    tagged(&site, "");
    site.write("about.html", "<p>us");
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn a_recorded_tag_is_not_trusted_with_what_somebody_wrote_since() {
    let site = site();
    let world = begun(&site).await;
    site.write("about.html", "<p>us");
    let purges = |request: &RequestInfo| request.operation == "CreateInvalidation";
    for side in [Side::Before, Side::After] {
        crash_at(&world, deploy(&world, &site), 1, side, purges)
            .await
            .unwrap();
        world
            .put_object(BUCKET, "about.html", "<p>theirs", Headers::default())
            .await
            .unwrap();
        for number in 0..3 {
            world.edge(&world.distribution, number).chill();
        }
        warm(&world, &site).await;
        world.forget();
        deploy(&world, &site).await.succeeds();
        assert!(!world.purged().iter().any(|item| item.starts_with('#')));
        world.assert_fresh(&site, "").await;
        world.assert_idle(deploy(&world, &site)).await;
        warm(&world, &site).await;
        site.write("about.html", format!("<p>us {side:?}"));
    }
}

/// Two builds of which the second changes pages and assets, loses some and has new ones.
fn builds() -> [Site; 2] {
    let [one, two] = [site(), site()];
    for key in ["index.html", "about.html", "x/~tilde.html"] {
        two.write(key, format!("<p>{key} 2"));
    }
    two.remove("x/other.html");
    two.write("style.css", "p{color:red}");
    two.write("y/new.html", "<p>new");
    [one, two]
}

async fn as_tagged(site: &Site) -> Objects {
    objects(&begun(site).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tagged_deploy_killed_at_any_request_is_made_good_by_the_next() {
    let [from, to] = builds();
    let wanted = [as_tagged(&to).await, as_tagged(&from).await];
    let mut tried = 0;
    for at in 1.. {
        let side = if at % 2 == 0 {
            Side::Before
        } else {
            Side::After
        };
        let world = begun(&from).await;
        if crash(&world, deploy(&world, &to), at, side).await.is_none() {
            break;
        }
        warm(&world, &to).await;
        let (then, wanted) = match at % 3 {
            0 => (&from, &wanted[1]),
            _ => (&to, &wanted[0]),
        };
        deploy(&world, then).await.succeeds();
        assert_whole(&world, then, wanted).await;
        world.assert_idle(deploy(&world, then)).await;
        // And the one after that may trust the tags again.
        warm(&world, then).await;
        then.write("about2.html", format!("<p>{at}"));
        deploy(&world, then).await.succeeds();
        assert_eq!(world.purged(), [tag(&world, "about2.html", 0)], "{at}");
        world.assert_fresh(then, "").await;
        then.write("about2.html", "<p>another");
        tried += 1;
    }
    assert!(tried > 8, "only {tried}");
}
