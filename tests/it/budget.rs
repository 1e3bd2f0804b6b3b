//! `[budget]`: what a site may come to.

use std::fs;

use serde_json::Value;

use crate::support::{Ran, Site, World};

/// A page of 1,000 bytes that loads 3,200 more, and one that loads nothing.
fn site() -> Site {
    let page = "<link rel=stylesheet href=/a.css><script src=b.js></script><img src=/c.png srcset='/big.png 2x'>\
                <a href=/big.png>x</a><img src=https://other.example/x.png><script src=b.js></script>";
    Site::of(&[
        ("index.html", &format!("{page:<1000}")),
        (
            "a.css",
            &format!(
                "{:<1000}",
                "@import 'd.css'; @font-face { src: url(e.woff2), url(big.png) } p { x: url(big.png) }"
            ),
        ),
        ("d.css", &format!("{:<200}", "@import 'a.css';")),
        ("b.js", &"x".repeat(300)),
        ("c.png", &"x".repeat(700)),
        ("e.woff2", &"x".repeat(1000)),
        ("big.png", &"x".repeat(5000)),
        ("plain.html", &"x".repeat(2000)),
    ])
}

fn set(site: &Site, budget: &str) {
    fs::write(
        site.project().join("deploy.toml"),
        format!("[budget]\n{budget}"),
    )
    .unwrap();
}

/// Each limit that `--json` told: name, what it comes to, whether it is passed, and by which file.
fn limits(ran: &Ran) -> Vec<(String, f64, bool, Value)> {
    let mut objects = ran.json();
    objects.retain(|object| object["type"] == "budget");
    let limit = |object: &Value| {
        (
            object["name"].as_str().unwrap().to_owned(),
            object["actual"].as_f64().unwrap(),
            object["passed"].as_bool().unwrap(),
            object["culprit"].clone(),
        )
    };
    objects.iter().map(limit).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_where_each_limit_stands() {
    let (world, site) = (World::new().await, site());
    set(
        &site,
        "page = '4200 B'\nsite = '11kB'\nfile = '5kB'\nfiles = 7\npurge-paths = 0\npurge-cost = 0.01\n",
    );
    let plan = || world.plan(&site).within(site.project());
    let ran = plan().with("--json").await.succeeds();
    // It was never deployed: the distribution is purged whole, by one path that is free.
    let expected = [
        ("page", 4200.0, false, Value::from("index.html")),
        ("site", 11_200.0, true, Value::Null),
        ("file", 5000.0, false, Value::from("big.png")),
        ("files", 8.0, true, Value::Null),
        ("purge-paths", 1.0, true, Value::Null),
        ("purge-cost", 0.0, false, Value::Null),
    ];
    let expected = expected.map(|(name, actual, passed, by)| (name.to_owned(), actual, passed, by));
    assert_eq!(limits(&ran), expected);
    let ran = plan().on_terminal().await.succeeds();
    ran.says(
        "Budget\n  page         4.2 kB of 4.2 kB  index.html\n  site         11.2 kB of 11.0 kB\n",
    )
    .says("warning: `site` of [budget] is passed")
    .never_says("`page` of [budget]");
    plan().with("--check").await.exits(3);
    // Without one, nothing is said.
    set(&site, "");
    plan().await.succeeds().never_says("udget");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passed_limit_is_a_warning_but_for_strict() {
    let (world, site) = (World::new().await, site());
    set(&site, "page = '4kB'\n");
    let deploy = || world.deploy(&site).within(site.project());
    let ran = deploy().with("--strict").await.exits(3);
    ran.says("error: over the budget: page")
        .says("hint: `unstale plan`");
    assert!(world.writes().is_empty());
    deploy()
        .await
        .succeeds()
        .says("warning: `page` of [budget] is passed: index.html");
    // Nothing to do, and still too large.
    let plan = || world.plan(&site).within(site.project()).with("--check");
    plan().await.exits(3);
    plan().with("--links off").await.exits(3);
    site.write("c.png", "x".repeat(500));
    deploy().with("--strict").await.succeeds();
    plan().await.succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_counted_as_they_are_stored() {
    let (world, site) = (
        World::new().await,
        Site::of(&[("index.html", &"word ".repeat(1000))]),
    );
    let plan = || world.plan(&site).within(site.project()).with("--json");
    let settings = |compress: &str| {
        let text = format!("{compress}\n[budget]\npage = '1kB'\nsite = '1kB'\n");
        fs::write(site.project().join("deploy.toml"), text).unwrap();
    };
    for (compress, passed) in [("", true), ("compress = 'gzip'", false)] {
        settings(compress);
        let limits = limits(&plan().await.succeeds());
        let each: Vec<bool> = limits.iter().map(|limit| limit.2).collect();
        assert_eq!(each, [passed; 2], "{limits:?}");
    }
}
