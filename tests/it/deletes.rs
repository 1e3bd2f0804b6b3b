//! Nothing is lost: only what was put here goes, never more than expected, never because a build was empty.

use local_cloudfront::Headers;
use std::time::Duration;

use crate::support::{BUCKET, Site, World};

fn pages(count: usize) -> Site {
    let site = Site::of(&[("index.html", "<p>root")]);
    for number in 1..count {
        site.write(&format!("p{number}.html"), format!("<p>{number}"));
    }
    site
}

fn remove(site: &Site, count: usize) {
    (1..=count).for_each(|number| site.remove(&format!("p{number}.html")));
}

#[tokio::test]
async fn an_empty_or_missing_build_deletes_nothing() {
    let (world, site) = (World::new().await, pages(3));
    world.deploy(&site).await.succeeds();
    world.forget();
    let empty = Site::empty();
    for flags in ["", "--max-delete 100", "--adopt"] {
        world
            .deploy(&empty)
            .with(flags)
            .await
            .exits(2)
            .says("no files");
    }
    let missing = world.unstale("deploy").arg(site.project().join("dist"));
    missing.await.exits(2).says("there is no");
    assert_eq!(world.writes(), [""; 0]);
    world.assert_deployed(&site, "");
}

#[tokio::test]
async fn too_many_deletes_stop_before_anything_is_changed() {
    for (pages_before, removed, flags, refused) in [
        (30, 15, "", false),
        (30, 16, "", true),
        (30, 16, "--max-delete 15", true),
        (30, 16, "--max-delete 16", false),
        (30, 1, "--max-delete 0", true),
        (10, 9, "", false),
        (30, 29, "--no-delete", false),
    ] {
        let case = format!("{removed} of {pages_before} {flags}");
        let (world, site) = (World::new().await, pages(pages_before));
        world.deploy(&site).await.succeeds();
        let before = world.objects("");
        remove(&site, removed);
        site.write("index.html", format!("<p>{case}"));
        world.forget();
        let ran = world.deploy(&site).with(flags).await;
        if refused {
            ran.exits(1)
                .says(&format!("--max-delete {removed}"))
                .says("--no-delete");
            assert_eq!(world.writes(), [""; 0], "{case}");
            assert_eq!(world.objects(""), before, "{case}");
        } else {
            ran.succeeds();
            let left = if flags == "--no-delete" { 0 } else { removed };
            assert_eq!(world.objects("").len(), pages_before - left, "{case}");
        }
    }
}

#[tokio::test]
async fn renamed_bundles_are_no_accident() {
    let (world, site) = (World::new().await, pages(5));
    let bundle =
        |number: usize, build: &str| format!("assets/chunk{number}-{build}xK3{number:03}.js");
    (0..20).for_each(|number| site.write(&bundle(number, "B9"), "1"));
    world.deploy(&site).await.succeeds();
    (0..20).for_each(|number| site.remove(&bundle(number, "B9")));
    (0..20).for_each(|number| site.write(&bundle(number, "D4"), "2"));
    world.deploy(&site).with("--retain 0s").await.succeeds();
    world.assert_deployed(&site, "");
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn what_left_the_build_can_be_kept() {
    let (world, site) = (World::new().await, pages(4));
    world.deploy(&site).await.succeeds();
    site.remove("p1.html");
    world
        .assert_idle(world.deploy(&site).with("--no-delete"))
        .await;
    assert!(world.object(BUCKET, "p1.html").is_some());
    world.deploy(&site).await.succeeds();
    world.assert_deployed(&site, "");
}

/// Edges hold the page that loads them for as long as they were not told of the new one.
#[tokio::test]
async fn what_pages_load_stays_while_nobody_purges_the_pages() {
    for (flags, forgets) in [
        ("--purge none", false),
        ("--purge none --retain 0s", false),
        ("--distribution none --retain 0s", true),
    ] {
        let (world, site) = (World::new().await, pages(1));
        for (name, text) in [("report.json", "1"), ("app.js", "1"), ("old.html", "<p>")] {
            site.write(name, text);
        }
        site.write(
            "index.html",
            "<script src=/app.js></script><a href=/report.json>",
        );
        world.deploy(&site).await.succeeds();
        world.warm(&site).await;
        site.write("index.html", "<p>neither");
        for name in ["report.json", "app.js", "old.html"] {
            site.remove(name);
        }
        let unpurged = world.deploy(&site).with(flags).await.succeeds();
        let left = |key: &str| world.object(BUCKET, key).is_some();
        assert!(
            left("report.json") && left("app.js") && !left("old.html"),
            "{flags}"
        );
        if !forgets {
            unpurged
                .says("owed")
                .says("edges hold old pages there until a deploy");
            let again = world
                .deploy(&site)
                .with(flags)
                .with("--sweep")
                .await
                .succeeds();
            again.says("`purge` = \"none\" leaves there");
            for _ in 0..2 {
                let without = world.deploy(&site).with("--distribution none --sweep");
                without.with("--retain 0s").await.succeeds();
            }
            assert!(left("report.json") && left("app.js"), "{flags}");
        }
        world.deploy(&site).with("--retain 0s").await.succeeds();
        assert!(!left("report.json") && !left("app.js"), "{flags}");
        world.assert_fresh(&site, "").await;
        world.assert_settled(&site).await;
    }
}

/// That an asset stays is nothing to be done: since when is noted with the next change.
#[tokio::test]
async fn an_asset_that_stays_is_nothing_to_do() {
    let (world, site) = (World::new().await, pages(2));
    site.write("extra.css", "p {}");
    world.deploy(&site).await.succeeds();
    site.remove("extra.css");
    let check = world.plan(&site).with("--check").await;
    check.succeeds().says("Nothing to do");
    world.assert_idle(world.deploy(&site)).await;
    world
        .deploy(&site)
        .with("--sweep")
        .await
        .succeeds()
        .says("kept for open pages 1");
    site.write("index.html", "<p>next");
    world.deploy(&site).await.succeeds();
    assert!(world.object(BUCKET, "extra.css").is_some());
    site.write("index.html", "<p>after");
    world.deploy(&site).with("--retain 0s").await.succeeds();
    assert!(world.object(BUCKET, "extra.css").is_none());
}

/// `--adopt` at the top of a bucket does not take over the site in a folder below.
#[tokio::test]
async fn another_site_in_a_folder_below_is_never_adopted() {
    let (world, inner, outer) = (World::new().await, pages(2), pages(1));
    world.deploy(&inner).with("--prefix blog").await.succeeds();
    let put = world.put_object(BUCKET, "blog.html", "theirs", Headers::default());
    put.await.unwrap();
    let before = world.objects("blog/");
    let ran = world.deploy(&outer).with("--adopt").await.succeeds();
    ran.says("blog/ is another site, by its state");
    assert_eq!(world.objects("blog/"), before);
    assert!(world.object(BUCKET, "blog.html").is_none());
    world
        .deploy(&inner)
        .with("--prefix blog")
        .await
        .succeeds()
        .says("Nothing to do");
}

#[tokio::test]
async fn what_others_put_there_is_left_alone() {
    let (world, site) = (World::new().await, pages(3));
    world.deploy(&site).await.succeeds();
    for key in ["theirs.html", "reports/2026.pdf"] {
        let put = world.put_object(BUCKET, key, "theirs", Headers::default());
        put.await.unwrap();
    }
    site.write("index.html", "<p>changed");
    let ran = world.deploy(&site).with("--json").await.succeeds();
    assert_eq!(ran.summary()["foreign"], 2, "{ran}");
    assert_eq!(world.body(BUCKET, "theirs.html").unwrap(), "theirs");
    world.assert_settled(&site).await;

    world.deploy(&site).with("--adopt").await.succeeds();
    world.assert_deployed(&site, "");
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn what_others_put_in_place_of_ours_is_left_alone() {
    let (world, site) = (World::new().await, pages(3));
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    site.remove("p1.html");
    let put = world.put_object(BUCKET, "p1.html", "theirs", Headers::default());
    put.await.unwrap();
    world.deploy(&site).await.succeeds().says("left alone");
    assert_eq!(world.body(BUCKET, "p1.html").unwrap(), "theirs");
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn bundles_of_the_last_build_stay_for_open_pages() {
    let (world, site) = (World::new().await, pages(3));
    let (old, new) = ("assets/app-BEu5gne8.js", "assets/app-D9xK3f2a.js");
    site.write(old, "1");
    world.deploy(&site).await.succeeds();
    site.remove(old);
    site.write(new, "2");
    let ran = world.deploy(&site).with("--json").await.succeeds();
    assert_eq!(ran.summary()["retained"], 1, "{ran}");
    assert!(world.object(BUCKET, old).is_some());
    world.assert_settled(&site).await;

    world.clock().advance(Duration::from_hours(6 * 24));
    site.write("index.html", "<p>six days later");
    world.deploy(&site).await.succeeds();
    assert!(world.object(BUCKET, old).is_some());

    world.clock().advance(Duration::from_hours(2 * 24));
    // Alone it is nothing to do.
    world.assert_settled(&site).await;
    assert!(world.object(BUCKET, old).is_some());
    world.deploy(&site).with("--sweep").await.succeeds();
    world.assert_deployed(&site, "");
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn a_bundle_that_returns_is_no_longer_due() {
    let (world, site) = (World::new().await, pages(3));
    let bundle = "assets/app-BEu5gne8.js";
    site.write(bundle, "1");
    world.deploy(&site).await.succeeds();
    site.remove(bundle);
    site.write("index.html", "<p>without");
    world.deploy(&site).await.succeeds();
    site.write(bundle, "1");
    site.write("index.html", "<p>with");
    world.deploy(&site).await.succeeds();
    world.clock().advance(Duration::from_hours(8 * 24));
    site.write("index.html", "<p>later");
    world.deploy(&site).with("--sweep").await.succeeds();
    world.assert_deployed(&site, "");
}

#[tokio::test]
async fn assets_do_not_hide_how_many_pages_go() {
    let (world, site) = (World::new().await, pages(61));
    for number in 1..=200_u64 {
        let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24;
        site.write(&format!("assets/app.{hash:010x}.js"), "1");
    }
    world.deploy(&site).await.succeeds();
    remove(&site, 60);
    world.forget();
    let ran = world.deploy(&site).await.exits(1);
    ran.says("delete 60 of ");
    assert_eq!(world.writes(), [""; 0]);
}

/// S3 asks for one key again, in an answer that says 200.
#[tokio::test]
async fn a_key_that_s3_will_delete_later_is_asked_for_again() {
    let (world, site) = (World::new().await, pages(3));
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    remove(&site, 1);
    let slow = |request: &local_cloudfront::RequestInfo| request.operation == "DeleteObjects";
    let fault = local_cloudfront::Fault::ErrorIn200("SlowDown");
    crate::mishap::at_request(&world, 1, slow, fault);
    world.deploy(&site).await.succeeds();
    world.clear_rule();
    world.assert_deployed(&site, "");
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn a_key_that_xml_cannot_carry_takes_no_other_with_it() {
    let (world, site) = (World::new().await, pages(3));
    site.write("odd\u{1}.html", "<p>odd");
    world.deploy(&site).await.succeeds();
    site.remove("odd\u{1}.html");
    remove(&site, 1);
    world.deploy(&site).await.succeeds();
    world.assert_deployed(&site, "");
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn what_pages_load_stays_for_open_pages_whatever_its_name() {
    let (world, site) = (World::new().await, pages(3));
    let assets = [
        "style.css",
        "app.js",
        "app.js.map",
        "logo.svg",
        "font.woff2",
    ];
    let others = ["data.json", "guide.pdf", "feed.xml", "sw.js", "p1.html"];
    assets
        .iter()
        .chain(&others)
        .for_each(|name| site.write(name, format!("1 {name}")));
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    assets
        .iter()
        .chain(&others)
        .for_each(|name| site.remove(name));
    let ran = world.deploy(&site).with("--json").await.succeeds();
    assert_eq!(ran.summary()["retained"], assets.len(), "{ran}");
    assert!(assets.iter().all(|key| world.object(BUCKET, key).is_some()));
    assert!(others.iter().all(|key| world.object(BUCKET, key).is_none()));
    world.assert_settled(&site).await;

    // Their time has come: no guard asks about them, and the edges forget them, since their names promise nothing.
    world.clock().advance(Duration::from_hours(8 * 24));
    let ran = world.deploy(&site).with("--sweep --max-delete 0").await;
    ran.succeeds();
    world.assert_deployed(&site, "");
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn what_pages_load_goes_with_them_where_nothing_is_retained() {
    let (world, site) = (World::new().await, pages(3));
    site.write("style.css", "a {}");
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    site.remove("style.css");
    world
        .deploy(&site)
        .with("--retain 0s --max-delete 0")
        .await
        .exits(1);
    world.deploy(&site).with("--retain 0s").await.succeeds();
    world.assert_deployed(&site, "");
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn a_plan_says_why_a_name_is_not_taken_for_a_hash() {
    let (world, site) = (World::new().await, pages(2));
    site.write("js/app-CopprgNT.js", "1");
    site.write("assets/index-DiwrgTda.js", "1");
    site.write("assets/About-CopprgNT.js", "1");
    let ran = world.plan(&site).await.succeeds();
    ran.says("new; fingerprinted: no, `CopprgNT` has no digit");
    let explain = |key: &str| world.plan(&site).with("--explain").arg(key);
    let ran = explain("assets/About-CopprgNT.js").await.succeeds();
    ran.says("fingerprinted: yes  (default: as its sibling `index-DiwrgTda.js`)");
    let ran = explain("js/app-CopprgNT.js").await.succeeds();
    ran.says("fingerprinted: no  (default: `CopprgNT` has no digit)");
}
