//! Lost URLs where something is odd: names, crashes, settings, redirects that are there.

use std::fs;

use local_cloudfront::RequestInfo;

use crate::lost::{deploy, moved, page, site, website};
use crate::mishap::{Side, crash_at};
use crate::support::{BUCKET, World, url_of};

/// A world whose bucket redirects, or whose function does by these settings.
async fn redirecting(settings: &str) -> World {
    if settings.contains("redirect-function") {
        World::new().await
    } else {
        website().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_a_dead_deploy_or_somebody_else_deleted_are_told_and_remembered() {
    for crashes in [true, false] {
        let (world, site) = (website().await, site());
        // With a link to nowhere all that left before is remembered, and history is not asked again.
        site.write("index.html", page("Home", "<a href='/never/'>x</a>"));
        deploy(&world, &site).await.succeeds();
        moved(&site, "post/index.html", "posts/post/index.html");
        if crashes {
            let deletes = |request: &RequestInfo| {
                request.operation.starts_with("DeleteObject") && !request.key.contains("unstale")
            };
            let run = deploy(&world, &site);
            crash_at(&world, run, 1, Side::After, deletes)
                .await
                .unwrap();
            assert!(world.object(BUCKET, "post/index.html").is_none());
        } else {
            world.delete_object(BUCKET, "post/index.html").unwrap();
        }
        deploy(&world, &site)
            .await
            .succeeds()
            .says("1 URL will be gone: /post/ (live since ")
            .says("\n  /post/ /posts/post/ 301\n");
        site.write("new.html", page("New", "<a href='/post/'>the old</a>"));
        deploy(&world, &site)
            .await
            .succeeds()
            .says("/post/ is gone since ")
            .says("\n  /post/ /posts/post/ 301\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_of_odd_names_answer() {
    let names = [
        "a b", "a+b", "100%", "é", "a*b", "a:b", ":b", "a#b", "a?b", "~x", "it's", "(x)", "a&b",
        "%41",
    ];
    for settings in ["", "redirect-function = \"r\"\n"] {
        for end in [".html", "/index.html"] {
            let (world, site) = (redirecting(settings).await, site());
            fs::write(site.project().join("deploy.toml"), settings).unwrap();
            let file = |name: &str| format!("{name}{end}");
            for name in names {
                site.write(&file(name), page(name, &format!("Of {name}.")));
            }
            deploy(&world, &site).await.succeeds();
            for (number, name) in names.iter().enumerate() {
                moved(&site, &file(name), &file(&format!("new/{number}")));
            }
            let ran = deploy(&world, &site).with("--accept-redirects --max-delete 20");
            ran.await
                .succeeds()
                .says("Wrote 14 redirects to ")
                .says("... and 4 more (--verbose shows all)");
            for (number, name) in names.iter().enumerate() {
                let url = url_of(&file(name)).replace("index.html", "");
                let answer = world.cold(&url).await;
                let to = format!("/new/{number}{end}").replace("index.html", "");
                assert_eq!(
                    (answer.status, answer.header("location")),
                    (301, Some(to.as_str())),
                    "{url} {settings}"
                );
                assert_eq!(world.cold(&to).await.status, 200, "{to}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_written_where_an_environment_has_others() {
    let (world, site) = (website().await, site());
    fs::write(site.project().join("hugo.toml"), "baseURL = 'x'\n").unwrap();
    let settings = "[[redirects]]\nfrom = \"/x\"\nto = \"/y\"\n\n[[env.prod.redirects]]\nfrom = \"/x\"\nto = \"/z\"\n";
    fs::write(site.project().join("deploy.toml"), settings).unwrap();
    let deploy = || deploy(&world, &site).with("--env prod");
    deploy().await.succeeds();
    moved(&site, "about/index.html", "me/index.html");
    let ran = deploy().with("--accept-redirects").await.succeeds();
    ran.says("public/_redirects:\n/about/ /me/ 301\n")
        .says("the next build by Hugo will not have");
    let kept = fs::read_to_string(site.project().join("deploy.toml")).unwrap();
    assert_eq!(kept, settings);
    deploy().await.succeeds();
    assert_eq!(world.cold("/about/").await.header("location"), Some("/me/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_moves_home_is_not_led_away_again() {
    let (world, site) = (website().await, site());
    deploy(&world, &site).await.succeeds();
    moved(&site, "about/index.html", "me/index.html");
    let accept = || deploy(&world, &site).with("--accept-redirects");
    accept().await.succeeds().says("Wrote 1 redirect");
    moved(&site, "me/index.html", "about/index.html");
    // A line that leads back would make a loop of the one that is there.
    accept()
        .await
        .succeeds()
        .says("1 URL will be gone: /me/ (live since")
        .never_says("/me/ /about/ 301")
        .never_says("loop");
    assert_eq!(world.cold("/about/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_of_a_site_in_a_folder_answer() {
    for settings in [
        "prefix = \"blog\"\n",
        "prefix = \"blog\"\nredirect-function = \"r\"\n",
    ] {
        let (world, site) = (redirecting(settings).await, site());
        fs::write(site.project().join("deploy.toml"), settings).unwrap();
        deploy(&world, &site).await.succeeds();
        moved(&site, "about/index.html", "me/index.html");
        let ran = deploy(&world, &site).with("--accept-redirects").await;
        ran.succeeds()
            .says("/blog/about/ /blog/me/ 301\n")
            .never_says("will be gone");
        let answer = world.cold("/blog/about/").await;
        assert_eq!(answer.header("location"), Some("/blog/me/"), "{settings}");
        let again = deploy(&world, &site).with("--accept-redirects");
        world.assert_idle(again).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_that_nobody_would_answer_is_told_before_it_is_written() {
    for (world, is_told) in [(World::new().await, true), (website().await, false)] {
        let site = site();
        site.write("old.html", page("Old", "Of its own."));
        deploy(&world, &site).await.succeeds();
        moved(&site, "old.html", "new.html");
        let ran = world.plan(&site).within(site.project()).await;
        let ran = ran.succeeds().says("/old.html /new.html 301");
        assert_eq!(
            ran.stderr
                .contains("nobody answers the redirect of /old.html"),
            is_told
        );
    }
}
