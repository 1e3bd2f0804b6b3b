//! What is stored of a file otherwise than as it is: compressed, under another key, or not at all since it differs by noise alone.

use std::collections::BTreeSet;
use std::io::Read;

use super::support::{BUCKET, Site, Unstale, World};

fn set(site: &Site, settings: &str) {
    std::fs::write(site.project().join("deploy.toml"), settings).unwrap();
}

fn deploy(world: &World, site: &Site) -> Unstale {
    world.deploy(site).within(site.project())
}

fn decoded(encoding: &str, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match encoding {
        "br" => brotli::Decompressor::new(body, 4096)
            .read_to_end(&mut out)
            .unwrap(),
        "gzip" => flate2::read::GzDecoder::new(body)
            .read_to_end(&mut out)
            .unwrap(),
        "zstd" => zstd::Decoder::new(body)
            .unwrap()
            .read_to_end(&mut out)
            .unwrap(),
        other => panic!("{other}"),
    };
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_stored_in_the_encoding_that_a_rule_says() {
    let page = format!("<!doctype html><p>{}", "words and words ".repeat(200));
    let css = "p { color: red }\n".repeat(100);
    let site = Site::of(&[
        ("index.html", &page),
        ("app.css", &css),
        ("data.json", &"[1,2,3,4],".repeat(100)),
        ("small.txt", "too small"),
        ("raw.bin", &css),
        ("image.png", &css),
    ]);
    set(
        &site,
        "compress = [\"br\", \"gzip\"]\n[[headers]]\nmatch = \"*.json\"\ncompress = [\"zstd\"]\n[[headers]]\nmatch = \"*.css\"\ncompress = [\"gzip\"]\n",
    );
    let world = World::new().await;
    deploy(&world, &site).await.succeeds();
    for (path, encoding) in [
        ("index.html", Some("br")),
        ("app.css", Some("gzip")),
        ("data.json", Some("zstd")),
        ("small.txt", None),
        ("raw.bin", None),
        ("image.png", None),
    ] {
        let answer = world.cold(&format!("/{path}")).await;
        assert_eq!(answer.header("content-encoding"), encoding, "{path}");
        let body = match encoding {
            Some(encoding) => decoded(encoding, &answer.body),
            None => answer.body.to_vec(),
        };
        assert_eq!(body, site.files()[path], "{path}");
        if encoding.is_some() {
            assert!(answer.body.len() * 2 < body.len(), "{path}");
        }
    }
    world.assert_idle(deploy(&world, &site)).await;

    // One word: that page alone, and whoever holds its old body is told.
    world
        .warm_urls(["/", "/index.html", "/app.css", "/data.json"])
        .await;
    world.forget();
    site.write("index.html", page.replace("<p>", "<p>new "));
    deploy(&world, &site).await.succeeds();
    assert_eq!(
        world.site_writes(),
        ["PutObject index.html", "CreateInvalidation"]
    );
    assert_eq!(world.purged(), ["/", "/index.html"]);
    assert_eq!(world.stale().await, [""; 0]);

    // Headers alone do not compress again; no compression is another body.
    world.forget();
    set(
        &site,
        "compress = [\"br\", \"gzip\"]\n[[headers]]\nmatch = \"*.json\"\ncompress = []\n[[headers]]\nmatch = \"*.css\"\ncompress = [\"gzip\"]\ncache-control = \"max-age=1\"\n",
    );
    deploy(&world, &site).await.succeeds();
    let writes: BTreeSet<_> = world.site_writes().into_iter().collect();
    let expected = [
        "CopyObject app.css",
        "CreateInvalidation",
        "PutObject data.json",
    ];
    assert_eq!(writes, expected.map(str::to_owned).into());
    assert_eq!(world.stale().await, [""; 0]);
    let answer = world.cold("/data.json").await;
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(answer.body.to_vec(), site.files()["data.json"]);
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endings_go_and_types_stay() {
    let site = Site::of(&[
        ("index.html", "<a href=/about>about</a>"),
        ("about.html", "no tag tells that this is HTML"),
        ("posts/index.html", "<p>posts"),
        ("posts/one.html", "<p>one"),
        ("404.html", "<p>not here"),
    ]);
    set(
        &site,
        "strip-extension = [\".html\"]\n[[headers]]\nmatch = \"about.html\"\ncontent-language = \"en\"\n",
    );
    let world = World::new().await;
    deploy(&world, &site).await.succeeds();
    let keys: Vec<_> = world.objects("").into_keys().collect();
    assert_eq!(
        keys,
        [
            "404.html",
            "about",
            "index.html",
            "posts/index.html",
            "posts/one"
        ]
    );
    let about = world.cold("/about").await;
    assert_eq!(
        about.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(about.header("content-language"), Some("en"));
    world
        .warm_urls(["/", "/about", "/about.html", "/posts/one"])
        .await;
    world.assert_idle(deploy(&world, &site)).await;

    world.forget();
    site.write("about.html", "changed");
    site.remove("posts/one.html");
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), ["/about", "/posts/one"]);
    assert_eq!(world.stale().await, [""; 0]);

    site.write("about", "another");
    deploy(&world, &site)
        .await
        .exits(2)
        .says("about and about.html would both be stored as about");
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_answer_without_a_function() {
    let site = Site::of(&[
        ("index.html", "<a href=posts/>posts</a>"),
        ("posts/index.html", "<p>posts"),
        ("posts/a/index.html", "<p>a"),
    ]);
    let world = World::new().await;
    deploy(&world, &site)
        .await
        .succeeds()
        .says("nothing shows posts/a/index.html at /posts/a/; `directory-objects = true`");
    assert_ne!(world.cold("/posts/").await.status, 200);

    set(&site, "directory-objects = true\n");
    deploy(&world, &site)
        .await
        .succeeds()
        .never_says("nothing shows");
    let answer = world.cold("/posts/").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(answer.body.to_vec(), b"<p>posts");
    world.warm(&site).await;
    world.assert_idle(deploy(&world, &site)).await;

    world.forget();
    site.write("posts/index.html", "<p>more posts");
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.purged(), ["/posts/", "/posts/index.html"]);
    assert_eq!(world.stale().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn video_in_segments_is_served_as_such() {
    const SEGMENT: &str = "public, max-age=3600, s-maxage=2592000";
    const PLAYLIST: &str = "public, max-age=5, s-maxage=86400";
    const PAGE: &str = "public, max-age=0, s-maxage=86400, must-revalidate";
    let site = Site::of(&[
        ("index.html", "<video src=/live/list.m3u8>"),
        ("live/list.m3u8", "#EXTM3U\n360p.m3u8\n"),
        ("live/360p/list.m3u8", "#EXTM3U\n#EXTINF:4,\n0.ts\n"),
        ("live/360p/0.ts", "G"),
        ("live/0.8f3a2b1c0d.ts", "G"),
        ("live/de/0.vtt", "WEBVTT"),
        ("dash/a.mpd", "<MPD/>"),
        ("dash/init.mp4", "ftyp"),
        ("dash/0.m4s", "moof"),
        ("src/app.ts", "export const a = 1"),
        ("intro.mp4", "ftyp"),
    ]);
    let world = World::new().await;
    world.deploy(&site).await.succeeds();
    for (url, content_type, cache_control) in [
        ("/live/list.m3u8", "application/vnd.apple.mpegurl", PLAYLIST),
        ("/live/360p/0.ts", "video/mp2t", SEGMENT),
        (
            "/live/0.8f3a2b1c0d.ts",
            "video/mp2t",
            "public, max-age=31536000, immutable",
        ),
        ("/live/de/0.vtt", "text/vtt; charset=utf-8", SEGMENT),
        ("/dash/a.mpd", "application/dash+xml", PLAYLIST),
        ("/dash/init.mp4", "video/mp4", SEGMENT),
        ("/dash/0.m4s", "video/iso.segment", SEGMENT),
        ("/src/app.ts", "text/plain; charset=utf-8", PAGE),
        ("/intro.mp4", "video/mp4", PAGE),
    ] {
        let answer = world.cold(url).await;
        assert_eq!(answer.header("content-type"), Some(content_type), "{url}");
        assert_eq!(answer.header("cache-control"), Some(cache_control), "{url}");
    }
    world.warm(&site).await;
    world.forget();

    // No playlist goes live before what it names, and no page before the playlist.
    site.write("live/list.m3u8", "#EXTM3U\n360p.m3u8\n720p.m3u8\n");
    site.write("live/720p/list.m3u8", "#EXTM3U\n#EXTINF:4,\nseg.ts\n");
    site.write("live/720p/seg.ts", "H");
    site.write("a.html", "<video src=/live/list.m3u8>");
    world.deploy(&site).await.succeeds();
    assert_eq!(
        world.site_writes(),
        [
            "PutObject live/720p/seg.ts",
            "PutObject live/720p/list.m3u8",
            "PutObject live/list.m3u8",
            "PutObject a.html",
            "CreateInvalidation",
        ]
    );
    assert_eq!(world.purged(), ["/live/list.m3u8"]);
    world.assert_fresh(&site, "").await;
}

const STAMPED: &str = "[[noise]]\nmatch = \"*.html\"\nregex = 'data-id=\"([^\"]*)\"'\n";

fn page(id: &str, text: &str) -> String {
    format!("<link rel=stylesheet href=app.css><a data-id=\"{id}\"></a><p>{text}")
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_differ_by_noise_stay() {
    let site = Site::of(&[
        ("index.html", &page("1", "home")),
        ("about.html", &page("2", "about")),
        ("app.css", "p{}"),
    ]);
    set(&site, STAMPED);
    let world = World::new().await;
    deploy(&world, &site).await.succeeds();
    world.warm(&site).await;

    site.write("index.html", page("3", "home"));
    site.write("about.html", page("4", "about"));
    let rules = format!("{STAMPED}\n{}", STAMPED.replace("*.html", "*.htm"));
    set(&site, &rules);
    let plan = world.plan(&site).within(site.project()).await.succeeds();
    let plan = plan.says("2 pages of the unchanged: other than live by noise alone");
    plan.says("the [[noise]] rule for *.htm matches no file");
    set(&site, STAMPED);
    world.assert_idle(deploy(&world, &site)).await;

    site.write("about.html", page("5", "more about"));
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(
        world.site_writes(),
        ["PutObject about.html", "CreateInvalidation"]
    );
    assert_eq!(world.purged(), ["/about.html"]);
    assert_eq!(world.stale().await, [""; 0]);
    let live = world.body(BUCKET, "index.html").unwrap().to_vec();
    assert_eq!(live, page("1", "home").into_bytes());
    world.assert_idle(deploy(&world, &site)).await;

    // Headers of a kept page change without its body, and it is still known for what it is.
    set(
        &site,
        &format!("{STAMPED}[[headers]]\nmatch = \"index.html\"\npreset = \"swr\"\n"),
    );
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(
        world.site_writes(),
        ["CopyObject index.html", "CreateInvalidation"]
    );
    site.write("index.html", page("6", "home"));
    world.assert_idle(deploy(&world, &site)).await;

    // By force everything goes up.
    world.forget();
    deploy(&world, &site).with("--force").await.succeeds();
    assert!(
        world
            .site_writes()
            .contains(&"PutObject index.html".to_owned())
    );
    let live = world.body(BUCKET, "index.html").unwrap().to_vec();
    assert_eq!(live, page("6", "home").into_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_rule_looks_at_what_is_live() {
    let site = Site::of(&[
        ("index.html", &page("1", "home")),
        ("about.html", &page("2", "about")),
        ("same.html", &page("3", "same")),
    ]);
    let world = World::new().await;
    deploy(&world, &site).await.succeeds();
    set(&site, STAMPED);
    site.write("index.html", page("4", "home"));
    site.write("about.html", page("5", "more about"));
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(
        world.site_writes(),
        ["PutObject about.html", "CreateInvalidation"]
    );
    let log = world.log();
    let read = |key: &str| {
        log.iter()
            .filter(|one| one.request.operation == "GetObject" && one.request.key == key)
            .count()
    };
    assert_eq!((read("index.html"), read("same.html")), (1, 0));
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.site_writes(), [""; 0]);
    assert_eq!(world.purged(), [""; 0]);
    let again = world.log();
    let again = again.iter().filter(|one| one.request.key == "index.html");
    assert_eq!(again.count(), 0, "what was seen is remembered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_assets_changed_name_never_stays() {
    let rule = "[[noise]]\nmatch = \"*.html\"\nregex = 'app-[0-9a-f]+'\n";
    let page = |hash: &str| {
        format!("<script src=/app-{hash}.js></script><script>load(\"/app-{hash}.css\")</script>")
    };
    let inline = |hash: &str| format!("<script>load(\"/app-{hash}.css\")</script>");
    let site = Site::of(&[
        ("index.html", &page("0011aabb")),
        ("inline.html", &inline("0011aabb")),
        ("app-0011aabb.js", "1"),
        ("app-0011aabb.css", "1"),
    ]);
    set(&site, rule);
    let world = World::new().await;
    deploy(&world, &site).with("--retain 0s").await.succeeds();
    site.write("index.html", page("2233ccdd"));
    site.write("inline.html", inline("2233ccdd"));
    for end in ["js", "css"] {
        site.remove(&format!("app-0011aabb.{end}"));
        site.write(&format!("app-2233ccdd.{end}"), "2");
    }
    deploy(&world, &site).with("--retain 0s").await.succeeds();
    world.assert_deployed(&site, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_taken_off_compressed_pages_too() {
    let page = |id: u32, text: &str| page(&id.to_string(), &text.repeat(100));
    let site = Site::of(&[
        ("index.html", &page(1, "home ")),
        ("a.html", &page(2, "a ")),
    ]);
    set(&site, &format!("compress = [\"br\"]\n{STAMPED}"));
    let world = World::new().await;
    deploy(&world, &site).await.succeeds();
    site.write("index.html", page(3, "home "));
    world.assert_idle(deploy(&world, &site)).await;

    set(
        &site,
        &format!("compress = [\"br\"]\n{STAMPED}").replace("data-id", "ata-id"),
    );
    site.write("a.html", page(4, "b "));
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(
        world.site_writes(),
        ["PutObject a.html", "CreateInvalidation"]
    );
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_noise_rule_is_named_by_its_line() {
    let site = Site::of(&[("index.html", "<p>")]);
    let world = World::new().await;
    for (rule, said) in [
        ("regex = '('", "deploy.toml:2: regex: "),
        (
            "regex = 'x*'",
            "deploy.toml:2: regex: \"x*\" matches the empty text",
        ),
    ] {
        set(&site, &format!("\n[[noise]]\nmatch = \"*\"\n{rule}\n"));
        deploy(&world, &site).await.exits(2).says(said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn suspected_noise_is_proposed_and_then_spares_the_pages() {
    let site = Site::of(&[
        ("index.html", &page("a1", "home")),
        ("about.html", &page("b2", "about")),
        ("other.html", &page("c3", "other")),
        ("feed.xml", "<updated>2026-01-02T03:04:05Z</updated>"),
        ("app.js", "built(1)"),
    ]);
    let world = World::new().await;
    deploy(&world, &site).await.succeeds();
    site.write("index.html", page("d4", "home"));
    site.write("about.html", page("e5", "about"));
    site.write("other.html", page("f6", "quite another"));
    site.write("feed.xml", "<updated>2026-01-03T04:05:06Z</updated>");
    site.write("app.js", "built(2)");
    let plan = || world.plan(&site).within(site.project());
    world.forget();
    let ran = plan().with("--suspect-noise").await.succeeds();
    let ran = ran.says("3 of 4 changed texts seem to differ by noise alone");
    assert_eq!(world.writes(), [""; 0]);
    set(&site, &ran.stdout[..ran.stdout.find("3 of 4").unwrap()]);
    deploy(&world, &site).await.succeeds();
    assert_eq!(
        world.site_writes(),
        [
            "PutObject app.js",
            "PutObject other.html",
            "CreateInvalidation"
        ]
    );
}

/// hexo's landscape writes other random ids and the time into half of the pages at every build.
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_spares_a_real_site_its_stamps() {
    let Some(folder) = std::env::var_os("UNSTALE_SITES") else {
        println!("skipped: UNSTALE_SITES names no folder of sites");
        return;
    };
    let versions = std::path::Path::new(&folder).join("hexo-plain");
    let site = Site::copy_of(&versions.join("v8"));
    let time = "[[noise]]\nmatch = \"*.html\"\nregex = '[0-9]{4}(?:-[0-9]{2}){2}T[0-9:.]+Z'\n";
    set(&site, &format!("{STAMPED}{time}"));
    let world = World::new().await;
    deploy(&world, &site).await.succeeds();
    site.becomes(&versions.join("v9"));
    world.forget();
    deploy(&world, &site).await.succeeds();
    let mut writes = world.site_writes();
    writes.retain(|one| one.ends_with(".html"));
    assert_eq!(writes, [""; 0]);
    world.assert_idle(deploy(&world, &site)).await;
}
