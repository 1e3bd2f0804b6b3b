//! `plan --html`, `plan --markdown` and `deploy --report`: pages that ask nobody for anything, written whole or not at all.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use local_cloudfront::Fault;

use crate::support::{Ran, Site, World};

/// A page may not be longer, whatever it tells of.
const MAX_PAGE: usize = 300_000;
const HOSTILE: &str = "x<img src=y onerror=alert(1)>.html";

fn site() -> Site {
    Site::of(&[
        ("index.html", "<h1>Home</h1>"),
        ("style.css", "p {}"),
        ("posts/one.html", "<p>1"),
    ])
}

fn page_in(site: &Site) -> PathBuf {
    site.project().join("page.html")
}

/// Reads a page, which is whole, small and leads nowhere.
#[track_caller]
fn read(path: &Path) -> String {
    let page = fs::read_to_string(path).unwrap();
    assert!(page.ends_with("</html>\n"), "{page}");
    assert!(page.len() < MAX_PAGE, "{}", page.len());
    for sign in ["http:", "https:", "src=\"", "<img", "url("] {
        assert!(!page.contains(sign), "{sign}: {page}");
    }
    page
}

#[track_caller]
fn holds(page: &str, words: &[&str]) {
    for words in words {
        assert!(page.contains(words), "`{words}` is missing\n{page}");
    }
}

#[tokio::test]
async fn a_plan_is_a_page_and_nothing_else_changes() {
    let (world, site) = (World::new().await, site());
    world.deploy(&site).await.succeeds();
    site.write("posts/two.html", "<p>2");
    site.write("index.html", "<h1>New</h1>");
    site.write(HOSTILE, "x");
    let path = page_in(&site);
    let plain = world.plan(&site).await.succeeds();
    let plan = || world.plan(&site).with("--html").arg(&path);
    let ran = plan().await.succeeds();
    assert_eq!(ran.stdout, plain.stdout);
    // The build and the bucket are read at once.
    let sorted = |ran: &Ran| {
        ran.stderr
            .lines()
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(sorted(&ran), sorted(&plain));
    let page = read(&path);
    let name = format!("\"{}\"", HOSTILE.replace('<', "\\u003c"));
    holds(
        &page,
        &[
            "<h1>Plan for s3://site</h1>",
            "\"posts/two.html\"",
            "/index.html",
            &name,
        ],
    );
    // At the same state the same, byte for byte.
    let json = plan().with("--json --check").await.exits(3);
    assert_eq!(json.summary()["outcome"], "planned", "{json}");
    assert_eq!(read(&path), page);
    assert_eq!(
        fs::read_dir(site.project()).unwrap().count(),
        2,
        "no litter"
    );
    plan()
        .with("--explain index.html")
        .await
        .succeeds()
        .says("index.html");
}

#[tokio::test]
async fn a_plan_is_markdown_for_a_comment() {
    let (world, site) = (World::new().await, site());
    let plan = || world.plan(&site).with("--markdown");
    let ran = plan().await.succeeds();
    assert!(
        ran.stdout
            .starts_with("### Plan for `s3://site`\n\n3 to upload"),
        "{ran}"
    );
    let ran = ran.says("| `posts/one.html` | new |").says("| `/*` |");
    let told = plan().with("--json").await.succeeds();
    assert_eq!(
        told.told("markdown")["text"].as_str().unwrap().trim_end(),
        ran.stdout.trim_end()
    );
    assert_eq!(told.summary()["uploads"], 3);
    world.deploy(&site).await.succeeds();
    plan()
        .await
        .succeeds()
        .says("### Nothing to deploy\n\n`s3://site` holds this build.");
}

#[tokio::test]
async fn what_is_found_is_told_once_and_alike_everywhere() {
    let (world, site) = (World::new().await, site());
    site.write("about/index.html", "<title>About</title>same");
    world.deploy(&site).await.succeeds();
    site.remove("about/index.html");
    site.write("me/index.html", "<title>About</title>same");
    let links = (10..22).map(|number| format!("<a href=/gone-{number}>"));
    site.write("posts/two.html", links.collect::<String>());
    let settings = "links = \"deny\"\n[budget]\nfiles = 2\n";
    fs::write(site.project().join("deploy.toml"), settings).unwrap();
    let page = page_in(&site);
    let plan = || world.plan(&site).within(site.project());
    let json = plan().with("--json --html").arg(&page).await.succeeds();
    let paths = json.summary()["paths"].to_string();
    let comment = plan().with("--markdown").await.succeeds();
    let comment = comment.says("deploy would refuse this: 12 links").stdout;
    let report = site.project().join("summary.md");
    let deploy = world.deploy(&site).within(site.project());
    let deploy = deploy
        .with("--links warn")
        .env("GITHUB_STEP_SUMMARY", &report);
    deploy.await.succeeds();
    let summary = fs::read_to_string(report).unwrap();
    let page = read(&page);
    let once = [
        "1 URL will be gone",
        "/about/index.html /me/index.html 301",
        "/gone-19",
        "<summary>12 links lead nowhere</summary>",
    ];
    for text in [&comment, &summary] {
        for words in once {
            assert_eq!(text.matches(words).count(), 1, "`{words}`\n{text}");
        }
        assert!(
            !text.contains("\\n") && !text.contains("is passed"),
            "{text}"
        );
        holds(
            text,
            &[
                "and 2 more addresses (2 links)",
                "| **over** |",
                "| `posts/two.html` | new |",
                "<summary>Size by type</summary>\n\n| type | new or changed | removed |",
                "\n| HTML | ",
            ],
        );
    }
    for words in [
        "1 URL will be gone",
        "/gone-21",
        "12 links lead nowhere</p>",
    ] {
        assert_eq!(page.matches(words).count(), 1, "`{words}`\n{page}");
    }
    holds(
        &page,
        &[
            "<li>deploy would refuse this: 12 links",
            "/about/index.html /me/index.html 301",
            "<summary>and 2 more</summary>",
            &format!("<dt>purge paths</dt><dd>{paths}</dd>"),
        ],
    );
}

#[tokio::test]
async fn a_deploy_is_reported_with_its_times() {
    let (world, site) = (World::new().await, site());
    let path = page_in(&site);
    let deploy = || world.deploy(&site).with("--report").arg(&path);
    let ran = deploy().with("--json").await.succeeds();
    let summary = ran.summary();
    let page = read(&path);
    holds(
        &page,
        &[
            "<h1>Deployed 3 files to s3://site in ",
            &format!("<li>deploy {}</li>", summary["deploy"].as_str().unwrap()),
            "<dt>uploaded</dt><dd>3 (",
            "<span>Read the build: 3 files, ",
            "<span>Assets: 1 object</span>",
            "<span>The root page: 1 object</span>",
            "sent: 1 path</span>",
        ],
    );
    deploy().await.succeeds();
    holds(
        &read(&path),
        &["<h1>Nothing to do: s3://site holds this build</h1>"],
    );
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn a_deploy_that_failed_is_reported_too() {
    let (world, site) = (World::new().await, site());
    let path = page_in(&site);
    let deploy = || world.deploy(&site).with("--report").arg(&path);
    world.set_rule(|request| match request.key.as_str() {
        "posts/one.html" if request.writes() => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    let failed = deploy().with("--json").await.exits(4);
    let message = failed.told("error")["message"].as_str().unwrap().to_owned();
    holds(
        &read(&path),
        &[
            "<h1>Deployed in part: ",
            "role=\"alert\"",
            &message.replace('\'', "&#39;"),
            "<dt>failed</dt><dd>1</dd>",
            "<span>Assets: 1 object</span>",
        ],
    );
    // Where nothing was begun the error is all.
    world.set_rule(|_| Fault::Fail(403, "AccessDenied"));
    deploy().await.exits(1);
    holds(
        &read(&path),
        &[
            "<h1>Nothing was changed in s3://site</h1>",
            "role=\"alert\"",
        ],
    );
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_before_anything_is_changed() {
    let (world, site) = (World::new().await, site());
    let places = [
        (
            site.project().join("none/page.html"),
            "No such file or directory",
        ),
        (site.project().to_owned(), "it is a folder"),
        (site.dir().join("page.html"), "it lies in the build"),
    ];
    for (path, why) in places {
        for (command, flag) in [("deploy", "--report"), ("plan", "--html")] {
            let run = world.unstale(command).arg(site.dir()).with(flag).arg(&path);
            let ran: Ran = run.await.exits(2).says("cannot write").says(why);
            assert_eq!(world.writes(), [""; 0], "{ran}");
        }
    }
    assert_eq!(fs::read_dir(site.dir()).unwrap().count(), 3, "no litter");
    let both = world
        .plan(&site)
        .with("--markdown --explain index.html")
        .await;
    both.exits(2).says("cannot be used with");
}

#[tokio::test]
async fn a_page_of_ten_thousand_files_stays_small() {
    let (world, site) = (World::new().await, Site::empty());
    for number in 0..10_000 {
        let path = format!("posts/{number:05}-a-title-of-usual-length/index.html");
        site.write(&path, format!("<h1>{number}</h1>"));
    }
    site.write("index.html", "<h1>Home</h1>");
    let path = page_in(&site);
    world.plan(&site).with("--html").arg(&path).await.succeeds();
    holds(&read(&path), &["<dt>new</dt><dd>10,001</dd>"]);
    let comment = world.plan(&site).with("--markdown").await.succeeds();
    assert!(comment.stdout.len() < 60_000, "{}", comment.stdout.len());
}
