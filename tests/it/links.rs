//! Links of the build's own pages: told, refused, or not looked at.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use local_cloudfront::{Behavior, ErrorResponse, Headers, Origin, OriginKind};
use tempfile::TempDir;

use crate::sites::whole_sites;
use crate::support::{BUCKET, Ran, Site, Unstale, World};

/// Three pages, of which two have a link that leads nowhere.
fn broken_site() -> Site {
    Site::of(&[
        (
            "index.html",
            "<title>Home</title><a href=/about>a</a> <a href=/gone/>b</a> <img src=/no.png>",
        ),
        (
            "about.html",
            "<title>About</title><a href=/gone/>b</a> <a href=/#nowhere>c</a>",
        ),
        ("style.css", "body { background: url(no.woff2) }"),
    ])
}

fn set(site: &Site, settings: &str) {
    fs::write(site.project().join("deploy.toml"), settings).unwrap();
}

/// The problems that `--json` told, as `sort page to`.
fn problems(ran: &Ran) -> Vec<String> {
    let mut objects = ran.json();
    objects.retain(|object| object["type"] == "link");
    let text = |object: &serde_json::Value, key: &str| object[key].as_str().unwrap().to_owned();
    let line = |object: &serde_json::Value| {
        ["sort", "page", "to"]
            .map(|key| text(object, key))
            .join(" ")
    };
    objects.iter().map(line).collect()
}

const BROKEN: [&str; 5] = [
    "dead about.html /gone/",
    "dead index.html /gone/",
    "missing index.html /no.png",
    "missing style.css no.woff2",
    "anchor about.html /#nowhere",
];

#[tokio::test]
async fn links_are_looked_at_without_aws() {
    let site = broken_site();
    let links = || {
        Unstale::new("links")
            .without_env("AWS_ACCESS_KEY_ID")
            .without_env("AWS_SECRET_ACCESS_KEY")
            .without_env("AWS_REGION")
            .within(site.project())
            .arg(site.dir())
    };
    let ran = links().with("--json").await.exits(1);
    assert_eq!(problems(&ran), BROKEN);
    assert_eq!(ran.summary()["refused"], 5);
    assert_eq!(ran.summary()["pages"], 2);
    let ran = links().on_terminal().await.exits(1);
    ran.says("about.html: /gone/ leads nowhere (and in 1 more page)")
        .says("Read 2 pages with 6 links: 4 lead nowhere, 1 names no place of its page");
    // Neither a bucket nor a password that is not set matters.
    set(
        &site,
        "password = \"env:NOT_SET\"\nlinks = \"off\"\nlinks-except = [\"/gone/\", \"no.*\"]\n",
    );
    let ran = links().with("--json").await.exits(1);
    assert_eq!(problems(&ran), BROKEN[4..]);
    site.write("about.html", "<a href=http://other.example/>x</a>");
    let ran = links().with("--json").await.succeeds();
    assert_eq!(
        problems(&ran),
        ["insecure about.html http://other.example/"]
    );
    site.write("about.html", "");
    links()
        .await
        .succeeds()
        .says("Read 2 pages with 4 links: all lead somewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_tells_of_links_once_at_length() {
    let (world, site) = (World::new().await, broken_site());
    let ran = world.plan(&site).with("--json").await.succeeds();
    assert_eq!(problems(&ran), BROKEN);
    let ran = world.deploy(&site).on_terminal().await.succeeds();
    let told = "warning: 5 links: 4 lead nowhere, 1 names no place of its page; `unstale links`";
    let ran = ran
        .says(told)
        .says("index.html: /no.png is loaded and not there");
    assert!(ran.stdout.contains("`unstale links`"), "{ran}");
    // As before: one line.
    site.write("new.html", "x");
    let ran = world.deploy(&site).on_terminal().await.succeeds();
    ran.says("5 links: 4 lead nowhere").never_says("/no.png");
    world
        .plan(&site)
        .with("-v")
        .await
        .succeeds()
        .says("/no.png");
    // And at length again once there is another.
    site.write("new.html", "<a href=/lost>");
    world
        .deploy(&site)
        .await
        .succeeds()
        .says("new.html: /lost leads nowhere")
        .says("/no.png");
    world
        .plan(&site)
        .with("--links off")
        .await
        .succeeds()
        .never_says("lead nowhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_links_are_counted() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "x")]));
    let links = (0..25).map(|number| format!("<a href=/gone-{number:02}>"));
    site.write("many.html", links.collect::<String>());
    let ran = world.plan(&site).await.succeeds();
    let ran = ran
        .says("25 links lead nowhere")
        .says("/gone-09")
        .says("and 15 more addresses (15 links)");
    ran.never_says("/gone-10");
    world
        .plan(&site)
        .with("-v")
        .await
        .succeeds()
        .says("many.html: /gone-24 leads nowhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_links_change_nothing() {
    let (world, site) = (World::new().await, broken_site());
    let ran = world.deploy(&site).with("--links deny").await.exits(1);
    ran.says("error: 5 links: 4 lead nowhere")
        .says("hint: `unstale links` lists them");
    assert!(world.writes().is_empty());
    let ran = world.plan(&site).with("--links deny").await.succeeds();
    ran.says("deploy would refuse this: 5 links");
    world.deploy(&site).await.succeeds();
    world.plan(&site).with("--check").await.succeeds();
    world
        .plan(&site)
        .with("--check --links deny")
        .await
        .exits(3);
    // Another site's to mend.
    let site = Site::of(&[("index.html", "<a href=http://other.example/>")]);
    let ran = world.deploy(&site).with("--links deny").await.succeeds();
    ran.says("1 link is not encrypted");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bucket_and_others_answer_is_there() {
    let world = World::with(|setup| {
        let distribution = &mut setup.distribution;
        distribution.aliases = vec!["www.example.com".to_owned()];
        distribution.origins.push(Origin {
            id: "api".to_owned(),
            path: String::new(),
            kind: OriginKind::Fixed {
                domain: "api.example.com".to_owned(),
                status: 200,
                headers: Vec::new(),
                body: "x".into(),
            },
        });
        distribution.behaviors = vec![Behavior::new("/api/*", "api")];
    })
    .await;
    let site = Site::of(&[
        ("_redirects", "/old /new.html\n/wiki/* /new.html\n"),
        ("new.html", "x"),
        (
            "index.html",
            "<a href=/api/x><a href=/old><a href=/wiki/a/b><a href=/theirs.pdf><a href=/leaving.html>\
             <a href=https://www.example.com/gone><a href=http://site.s3.amazonaws.com/x>",
        ),
        ("leaving.html", "x"),
    ]);
    let put = world.put_object(BUCKET, "theirs.pdf", "x", Headers::default());
    put.await.unwrap();
    world.deploy(&site).await.succeeds();
    let both = [
        "dead index.html https://www.example.com/gone",
        "bucket index.html http://site.s3.amazonaws.com/x",
    ];
    let plan = || world.plan(&site).with("--json");
    assert_eq!(problems(&plan().await.succeeds()), both);
    site.remove("leaving.html");
    assert_eq!(problems(&plan().with("--no-delete").await.succeeds()), both);
    let ran = plan().await.succeeds();
    assert_eq!(
        problems(&ran),
        ["dead index.html /leaving.html", both[0], both[1]]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_routes_by_itself() {
    let page = "<a href=/users/7#tab><a href=/gone.png><a href=#later>";
    let site = Site::of(&[("index.html", page)]);
    let expected = ["dead index.html /gone.png"];
    let world = World::with(|setup| {
        setup.distribution.errors = vec![ErrorResponse {
            code: 404,
            page: Some("/index.html".into()),
            response: Some(200),
            min_ttl: 0,
        }];
    })
    .await;
    assert_eq!(problems(&world.plan(&site).with("--json").await), expected);
    set(&site, "spa = true\n");
    let ran = Unstale::new("links --json")
        .within(site.project())
        .arg(site.dir())
        .await;
    assert_eq!(problems(&ran), expected);
}

#[tokio::test]
async fn what_looks_like_a_link_to_nowhere_is_told_only_if_it_is_one() {
    let site = Site::of(&[
        ("index.html", "<p id=here>"),
        // A query is no place.
        (
            "query.html",
            "<p id=x><a href='?a=b'><a href='?a=b#x'><a href='#'>",
        ),
        (
            "base.html",
            "<base href=/sub/><a href='#y'><a href='#gone'>",
        ),
        ("sub/index.html", "<p id=y>"),
        ("dots.html", "<a href='sub/%2e%2E/index.html#here'>"),
        ("button.html", "<a href='#next' onclick='next()'>"),
        (
            "names.css",
            "@namespace svg url(http://www.w3.org/2000/svg);",
        ),
        // No place of a page with the same content is one of these.
        ("empty.html", ""),
        ("empty.pdf", ""),
        ("copy.html", "<a href=/gone>"),
        ("copy.txt", "<a href=/gone>"),
        ("own.html", "<a href=https://www.example.com/gone>"),
    ]);
    site.write("old.html", b"<p id=gr\xfc\xdfe>");
    site.write(
        "link.html",
        "<a href='old.html#gr%C3%BC%C3%9Fe'><a href='empty.pdf#page=2'>",
    );
    set(&site, "distribution = \"www.example.com\"\n");
    let ran = Unstale::new("links --json")
        .within(site.project())
        .arg(site.dir());
    let expected = [
        "dead copy.html /gone",
        "dead own.html https://www.example.com/gone",
        "anchor base.html #gone",
    ];
    assert_eq!(problems(&ran.await.exits(1)), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_the_bucket_is_a_folder_of_urls() {
    let (world, site) = (World::new().await, Site::empty());
    site.write(
        "index.html",
        "<a href=/docs/about.html><a href=/elsewhere><a href=/docs/gone><a href=about.html>",
    );
    site.write("about.html", "x");
    let plan = |world: &World| world.plan(&site).with("--json --prefix docs");
    assert_eq!(
        problems(&plan(&world).await.succeeds()),
        ["dead index.html /docs/gone"]
    );
    // With an origin path the folder is the root.
    let world = World::with(|setup| setup.distribution.origins[0].path = "/docs".to_owned()).await;
    let ran = plan(&world).await.succeeds();
    assert_eq!(
        problems(&ran),
        ["/docs/about.html", "/elsewhere", "/docs/gone"].map(|to| format!("dead index.html {to}"))
    );
}

#[tokio::test]
async fn what_was_read_is_remembered_by_content() {
    let (home, site) = (Arc::new(TempDir::new().unwrap()), broken_site());
    let links = || Unstale::at_home("links --json", home.clone()).arg(site.dir());
    let cache = home.path().join("cache/unstale");
    assert_eq!(problems(&links().await), BROKEN);
    let tables = || {
        let entries = fs::read_dir(&cache)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let tables = entries.filter(|path| path.extension().is_some_and(|end| end == "pages"));
        tables.collect::<Vec<_>>()
    };
    let [table] = tables().try_into().unwrap();
    let (written, before) = (
        || fs::metadata(&table).unwrap().modified().unwrap(),
        fs::read(&table).unwrap(),
    );
    let time = written();
    assert_eq!(problems(&links().await), BROKEN);
    assert_eq!(written(), time);
    // A page that is gone is forgotten, one that is new is read.
    site.write("about.html", "<a href=/gone2>");
    assert!(problems(&links().await).contains(&"dead about.html /gone2".to_owned()));
    assert_ne!(fs::read(&table).unwrap(), before);
    // Whatever is wrong with it, it is as if it were not there.
    for broken in [&b""[..], b"unstale pages 1\n", &before[..before.len() - 1]] {
        fs::write(&table, broken).unwrap();
        assert!(problems(&links().await).contains(&"dead about.html /gone2".to_owned()));
    }
    assert_eq!(problems(&links().with("--no-cache").await).len(), 4);
}

/// All that there is to find in the whole sites, each looked at by hand: hexo writes the `#` of a post's name as it is, so that the
/// browser asks for `/posts/what-is-c`.
#[tokio::test]
async fn no_link_of_a_real_site_is_told_without_reason() {
    for site in whole_sites() {
        let name = site.file_name().unwrap().to_string_lossy().into_owned();
        for version in 1.. {
            let folder = site.join(format!("v{version}"));
            if !folder.is_dir() {
                break;
            }
            let ran = Unstale::new("links --json").arg(&folder).await;
            let targets = problems(&ran).into_iter();
            let targets: BTreeSet<String> = targets
                .filter_map(|line| Some(line.rsplit_once(' ')?.1.to_owned()))
                .collect();
            let expected: &[&str] = match name.as_str() {
                "hexo-plain" => &["/posts/what-is-c#/", "/posts/what-is-c#/#more"],
                _ => &[],
            };
            assert_eq!(
                targets.iter().map(String::as_str).collect::<Vec<_>>(),
                expected,
                "{}",
                folder.display()
            );
        }
    }
}
