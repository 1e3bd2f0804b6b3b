//! Lost URLs where something is odd: names, crashes, settings, redirects that are there.

use std::fs;
use std::time::{Duration, Instant};

use crate::lost::{deploy, lost, moved, page, site, website};
use crate::mishap::{Side, crash_at};
use crate::support::{BUCKET, Site, World, url_of};

#[tokio::test(flavor = "multi_thread")]
async fn p1_crash() {
    let (world, site) = (website().await, site());
    deploy(&world, &site).await.succeeds();
    site.write("index.html", page("Home", "Nothing."));
    moved(&site, "post/index.html", "posts/post/index.html");
    let deletes = |request: &local_cloudfront::RequestInfo| request.operation.starts_with("DeleteObject") && !request.key.contains("unstale");
    crash_at(&world, deploy(&world, &site), 1, Side::After, deletes).await.unwrap();
    assert!(world.object(BUCKET, "post/index.html").is_none());
    let ran = deploy(&world, &site).await.succeeds();
    println!("AFTER CRASH {ran}");
    site.write("new/index.html", page("New", "<a href='/post/'>the old</a>"));
    let ran = deploy(&world, &site).await.succeeds();
    println!("LATER {ran}");
}

const NAMES: [&str; 14] = ["a b", "a+b", "100%", "é", "a*b", "a:b", ":b", "a#b", "a?b", "~x", "it's", "(x)", "a&b", "%41"];

#[tokio::test(flavor = "multi_thread")]
async fn p2_names() {
    for settings in ["", "redirect-function = \"r\"\n"] {
        for form in ["", "/index"] {
            let world = if settings.is_empty() { website().await } else { World::new().await };
            let site = site();
            fs::write(site.project().join("deploy.toml"), settings).unwrap();
            for name in NAMES { site.write(&format!("{name}{form}.html"), page(name, &format!("of {name}"))); }
            deploy(&world, &site).await.succeeds();
            for name in NAMES { moved(&site, &format!("{name}{form}.html"), &format!("new/{name}{form}.html")); }
            let plan = world.plan(&site).within(site.project()).with("--verbose --max-delete 50").await;
            println!("PLAN {plan}");
            let ran = deploy(&world, &site).with("--accept-redirects --max-delete 50").await;
            println!("ACCEPT {ran}");
            for name in NAMES {
                let url = url_of(&format!("{name}{form}.html"));
                let url = if form.is_empty() { url } else { url.replace("index.html", "") };
                let answer = world.cold(&url).await;
                let to = answer.header("location").unwrap_or_default().to_owned();
                let then = if to.is_empty() { 0 } else { world.cold(&to).await.status };
                println!("URL {settings:?} {url} {} {to:?} {then}", answer.status);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_env() {
    let (world, site) = (website().await, site());
    fs::write(site.project().join("hugo.toml"), "baseURL = 'x'\n").unwrap();
    let text = "verbose = false\n\n[[redirects]]\nfrom = \"/x\"\nto = \"/y\"\n\n[[env.prod.redirects]]\nfrom = \"/x\"\nto = \"/z\"\n";
    fs::write(site.project().join("deploy.toml"), text).unwrap();
    deploy(&world, &site).with("--env prod").await.succeeds();
    moved(&site, "about/index.html", "me/index.html");
    let ran = deploy(&world, &site).with("--env prod --accept-redirects").await;
    println!("{ran}{}", fs::read_to_string(site.project().join("deploy.toml")).unwrap());
    let ran = deploy(&world, &site).with("--env prod").await;
    println!("AGAIN {ran}");
    println!("cold {} {:?}", world.cold("/about/").await.status, world.cold("/about/").await.header("location"));
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_guard() {
    let (world, site) = (website().await, site());
    for n in 0..30 { site.write(&format!("p/{n}.html"), page(&format!("{n}"), &format!("n {n}"))); }
    deploy(&world, &site).await.succeeds();
    for n in 0..30 { moved(&site, &format!("p/{n}.html"), &format!("q/{n}.html")); }
    let ran = deploy(&world, &site).with("--accept-redirects --max-delete 3").await;
    println!("{ran}{:?}", fs::read_to_string(site.dir().join("_redirects")));
    let ran = deploy(&world, &site).with("--accept-redirects --max-delete 50 --quiet").await;
    println!("QUIET {ran}");
    println!("cold {}", world.cold("/p/1.html").await.status);
}

#[tokio::test(flavor = "multi_thread")]
async fn p5_back() {
    for settings in ["", "redirect-function = \"r\"\n"] {
        let world = if settings.is_empty() { website().await } else { World::new().await };
        let site = site();
        fs::write(site.project().join("deploy.toml"), settings).unwrap();
        deploy(&world, &site).await.succeeds();
        moved(&site, "about/index.html", "me/index.html");
        deploy(&world, &site).with("--accept-redirects").await.succeeds();
        moved(&site, "me/index.html", "about/index.html");
        let ran = world.plan(&site).within(site.project()).await;
        println!("PLAN BACK {ran}");
        let ran = deploy(&world, &site).with("--accept-redirects").await;
        println!("BACK {ran}{:?}", fs::read_to_string(site.dir().join("_redirects")));
        for url in ["/about/", "/me/"] { let a = world.cold(url).await; println!("{url} {} {:?}", a.status, a.header("location")); }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_prefix() {
    for settings in ["prefix = \"blog\"\n", "prefix = \"blog\"\nredirect-function = \"r\"\n"] {
        let world = if settings.contains("func") { World::new().await } else { website().await };
        let site = site();
        fs::write(site.project().join("deploy.toml"), settings).unwrap();
        deploy(&world, &site).await.succeeds();
        moved(&site, "about/index.html", "me/index.html");
        let ran = deploy(&world, &site).with("--accept-redirects").await;
        println!("PREFIX {settings}{ran}{:?}", fs::read_to_string(site.dir().join("_redirects")));
        for url in ["/blog/about/", "/about/"] { let a = world.cold(url).await; println!("{url} {} {:?}", a.status, a.header("location")); }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_forms() {
    for settings in ["strip-extension = [\"html\"]\n", "directory-objects = true\n", "strip-extension = [\"html\"]\nredirect-function = \"r\"\n", "spa = true\nredirect-function = \"r\"\n", "canonical-host = \"www.x.example\"\nredirect-function = \"r\"\n"] {
        let world = if settings.contains("func") { World::new().await } else { website().await };
        let site = site();
        site.write("plain.html", page("Plain", "plain text"));
        fs::write(site.project().join("deploy.toml"), settings).unwrap();
        deploy(&world, &site).await.succeeds();
        moved(&site, "about/index.html", "me/index.html");
        moved(&site, "plain.html", "simple.html");
        let ran = deploy(&world, &site).with("--accept-redirects").await;
        println!("FORM {settings}{ran}{:?}", fs::read_to_string(site.dir().join("_redirects")));
        for url in ["/about/", "/about", "/plain", "/plain.html"] { let a = world.cold(url).await; println!("{url} {} {:?}", a.status, a.header("location")); }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p8_rest() {
    let (world, site) = (World::new().await, site());
    site.write("index.html", page("Home", "<a href=\"/about/index.html\">about</a>"));
    deploy(&world, &site).await.succeeds();
    moved(&site, "about/index.html", "me/index.html");
    for _ in 0..3 {
        let ran = deploy(&world, &site).with("--accept-redirects").await;
        println!("REST {ran}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p10_misc() {
    let (world, site) = (website().await, site());
    for n in 0..10 { site.write(&format!("tag/{n}/index.html"), page("Tag", "same")); }
    site.write("Upper/index.html", page("Upper", "upper"));
    site.write("jp.html", b"<title>\x93\xfa\x96\x7b</title>one");
    site.write("fr/index.html", page("Home", "accueil"));
    site.write("empty.html", page("", "accueil 2"));
    deploy(&world, &site).await.succeeds();
    site.remove("tag/3/index.html");
    moved(&site, "Upper/index.html", "upper/index.html");
    site.remove("jp.html");
    site.write("jp2.html", b"<title>\x8c\xea\x8c\xea</title>two");
    site.remove("fr/index.html");
    site.remove("empty.html");
    site.write("empty2.html", page("", "accueil 3"));
    let ran = world.plan(&site).within(site.project()).await;
    println!("MISC {ran}");
    let ran = world.plan(&site).within(site.project()).on_terminal().await;
    println!("TERM {ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_target() {
    for settings in ["", "redirect-function = \"r\"\n"] {
        let world = if settings.is_empty() { website().await } else { World::new().await };
        let site = site();
        fs::write(site.project().join("deploy.toml"), settings).unwrap();
        deploy(&world, &site).await.succeeds();
        moved(&site, "about/index.html", "me/index.html");
        deploy(&world, &site).with("--accept-redirects").await.succeeds();
        moved(&site, "me/index.html", "who/index.html");
        let ran = world.plan(&site).within(site.project()).await;
        println!("TARGET {ran}");
        site.write("post/index.html", page("Post", "p"));
        site.write("_redirects", "/about/ /nowhere/ 301\n/post/ /nowhere/ 301\n");
        site.remove("post/index.html");
        let ran = world.plan(&site).within(site.project()).await;
        println!("NOWHERE {ran}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p14_many() {
    let (world, site) = (website().await, site());
    for n in 0..3000 { site.write(&format!("p/{n}/index.html"), page(&format!("{n}"), &format!("n {n}"))); }
    deploy(&world, &site).await.succeeds();
    fs::rename(site.dir().join("p"), site.dir().join("q")).unwrap();
    let at = Instant::now();
    let ran = world.plan(&site).within(site.project()).await.succeeds();
    println!("PLAN {:?} {}", at.elapsed(), ran.stdout.len());
    let at = Instant::now();
    let ran = deploy(&world, &site).with("--accept-redirects --max-delete 5000").await;
    println!("ACCEPT {:?} {} {}", at.elapsed(), ran.stderr.len(), &ran.stderr[ran.stderr.len().saturating_sub(2000)..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn p15_vanished() {
    let (world, site) = (website().await, site());
    deploy(&world, &site).await.succeeds();
    world.delete_object(BUCKET, "post/index.html").unwrap();
    site.remove("post/index.html");
    let ran = deploy(&world, &site).await;
    println!("VANISHED {ran}");
    site.write("index.html", page("Home", "<a href=/post/>x</a><a href=/about/>x</a>"));
    let ran = world.plan(&site).await;
    println!("LATER {ran}");
    let _ = (lost(&ran), Duration::ZERO, Site::empty());
}
