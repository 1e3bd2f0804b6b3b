//! Header rules of deploy.toml, as viewers meet them, and what is said of rules that cannot be followed.

use super::support::{BUCKET, Ran, Site, Unstale, World};

fn site(rules: &str) -> Site {
    let site = Site::of(&[
        ("index.html", "<p>one"),
        ("about.html", "<p>about"),
        ("docs/a.pdf", "%PDF"),
        ("docs/b.pdf", "%PDF b"),
        ("app.css", "p{}"),
    ]);
    set(&site, rules);
    site
}

fn set(site: &Site, rules: &str) {
    std::fs::write(site.project().join("deploy.toml"), rules).unwrap();
}

fn deploy(world: &World, site: &Site) -> Unstale {
    world.deploy(site).within(site.project())
}

/// What a deploy with these rules says that refuses them.
async fn refused(rules: &str) -> Ran {
    let world = World::new().await;
    let ran = deploy(&world, &site(rules)).await.exits(2);
    assert!(world.writes().is_empty(), "{ran}");
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_rule_lands_on_what_it_matches_and_nowhere_else() {
    let world = World::new().await;
    let site = site("[[headers]]\nmatch = \"*.pdf\"\ncache-control = \"max-age=60\"\n");
    deploy(&world, &site).await.succeeds();
    world.warm(&site).await;
    world.forget();
    set(
        &site,
        "[[headers]]\nmatch = \"*.pdf\"\ncache-control = \"max-age=90\"\ncontent-language = \"de\"\n",
    );
    deploy(&world, &site).await.succeeds();
    let mut writes = world.site_writes();
    writes.sort();
    assert_eq!(
        writes,
        [
            "CopyObject docs/a.pdf",
            "CopyObject docs/b.pdf",
            "CreateInvalidation"
        ]
    );
    assert_eq!(world.purged(), ["/docs/a.pdf", "/docs/b.pdf"]);
    world.assert_fresh(&site, "").await;
    let answer = world.edge(&world.distribution, 0).get("/docs/a.pdf").await;
    assert_eq!(answer.header("cache-control"), Some("max-age=90"));
    assert_eq!(answer.header("content-language"), Some("de"));
    assert_eq!(answer.header("content-type"), Some("application/pdf"));
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_header_arrives_and_stays() {
    let world = World::new().await;
    let site = site(
        r#"
[[headers]]
match = ["*.pdf", "!/docs/b.pdf"]
preset = "media"
content-disposition = "attachment"
content-language = "en"
metadata = { Author = "me" }
storage-class = "standard-ia"
tags = { team = "docs" }
[[headers]]
match = "about.html"
preset = "swr"
content-type = "text/html; charset=latin1"
[[headers]]
match = "app.css"
preset = "none"
"#,
    );
    deploy(&world, &site).await.succeeds();
    let pdf = world.object(BUCKET, "docs/a.pdf").unwrap().headers.clone();
    assert_eq!(pdf.content_disposition.as_deref(), Some("attachment"));
    assert_eq!(pdf.content_language.as_deref(), Some("en"));
    assert_eq!(pdf.metadata["author"], "me");
    assert_eq!(pdf.storage_class.as_deref(), Some("STANDARD_IA"));
    assert_eq!(pdf.tags["team"], "docs");
    let answer = world.cold("/docs/a.pdf").await;
    let long = Some("public, max-age=86400, s-maxage=2592000");
    assert_eq!(answer.header("cache-control"), long);
    assert_eq!(answer.header("content-disposition"), Some("attachment"));
    assert_ne!(
        world.cold("/docs/b.pdf").await.header("cache-control"),
        long
    );
    let about = world.cold("/about.html").await;
    let swr = Some("max-age=60, stale-while-revalidate=300");
    assert_eq!(about.header("cache-control"), swr);
    assert_eq!(
        about.header("content-type"),
        Some("text/html; charset=latin1")
    );
    assert_eq!(world.cold("/app.css").await.header("cache-control"), None);
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_forgot_the_manifest_asks_for_the_headers_and_writes_none() {
    let world = World::new().await;
    let site = site(
        "[[headers]]\nmatch = \"*.pdf\"\nmetadata = { a = \"b\" }\ntags = { team = \"docs\" }\nstorage-class = \"STANDARD_IA\"\n",
    );
    deploy(&world, &site).await.succeeds();
    for key in world.keys(BUCKET) {
        if key.as_str().starts_with(".unstale/") {
            world.delete_object(BUCKET, key.as_str()).unwrap();
        }
    }
    world.forget();
    deploy(&world, &site).with("--adopt").await.succeeds();
    let touched = world.site_writes();
    assert_eq!(touched, ["CreateInvalidation"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_does_is_explained() {
    let world = World::new().await;
    let site = site("# none\n[[headers]]\nmatch = \"*.pdf\"\npreset = \"media\"\n");
    world
        .plan(&site)
        .with("--explain docs/a.pdf")
        .within(site.project())
        .await
        .succeeds()
        .says("s-maxage=2592000  (deploy.toml:2)")
        .says("application/pdf  (default: type by name)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_matches_nothing_is_a_warning() {
    let world = World::new().await;
    let site = site("[[headers]]\nmatch = \"*.pfd\"\npreset = \"media\"\n");
    deploy(&world, &site)
        .await
        .succeeds()
        .says("the rule at deploy.toml:1 matches nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_rule_is_named_by_its_line() {
    for (rule, said) in [
        (
            "preset = \"imutable\"",
            "deploy.toml:2: preset: there is no preset \"imutable\" (did you mean \"immutable\"?)",
        ),
        (
            "cache-control = \"a\\nb\"",
            "deploy.toml:2: cache-control: \"a\\nb\" holds a line break",
        ),
        (
            "cache-control = \"max-age\"",
            "deploy.toml:2: cache-control: ",
        ),
        (
            "storage-class = \"GLACIER\"",
            "deploy.toml:2: storage-class: ",
        ),
        ("content-type = \"html\"", "deploy.toml:2: content-type: "),
        ("", "deploy.toml:2: match: the rule sets nothing"),
    ] {
        let rules = format!("\n[[headers]]\nmatch = \"*\"\n{rule}\n");
        refused(&rules).await.says(said);
    }
    refused("\n[[headers]]\nmatch = \"a[\"\npreset = \"page\"\n")
        .await
        .says("deploy.toml:2: match: the glob \"a[\" is not valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_for_what_rules_give_together() {
    let long = "x".repeat(1500);
    let rules = format!(
        "[[headers]]\nmatch = \"*.pdf\"\nmetadata = {{ a = \"{long}\" }}\n[[headers]]\nmatch = \"a.*\"\nmetadata = {{ b = \"{long}\" }}\n"
    );
    refused(&rules)
        .await
        .says("deploy.toml:4: metadata: with the rules before it, for docs/a.pdf: the metadata takes 3002 bytes");
    let tags = |from: u8| {
        let pairs: Vec<_> = (from..from + 6).map(|n| format!("t{n} = \"x\"")).collect();
        format!(
            "[[headers]]\nmatch = \"*.pdf\"\ntags = {{ {} }}\n",
            pairs.join(", ")
        )
    };
    refused(&(tags(0) + &tags(6)))
        .await
        .says("deploy.toml:4: tags: with the rules before it")
        .says("12 tags are set");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_for_all_pages_leaves_error_documents_alone_unless_it_names_them() {
    const FIRM: &str = "public, max-age=0, s-maxage=0, must-revalidate";
    const SWR: &str = "max-age=60, stale-while-revalidate=300";
    let world = World::new().await;
    let site = site("[[headers]]\nmatch = \"*.html\"\npreset = \"swr\"\n");
    site.write("404.html", "<p>gone");
    site.write("_headers", "/*\n  Cache-Control: max-age=60\n");
    deploy(&world, &site).await.succeeds();
    let header = async |path: &str| {
        let answer = world.cold(path).await;
        answer
            .header("cache-control")
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(header("/about.html").await, SWR);
    assert_eq!(header("/404.html").await, FIRM);
    assert_eq!(world.cold("/missing").await.status, 404);
    assert_eq!(header("/missing").await, FIRM);
    world
        .plan(&site)
        .with("--explain 404.html")
        .within(site.project())
        .await
        .succeeds()
        .says("(default: error document; deploy.toml:1 does not name this error document)");
    set(
        &site,
        "[[headers]]\nmatch = [\"*.html\", \"404.html\"]\npreset = \"swr\"\n",
    );
    deploy(&world, &site).await.succeeds();
    assert_eq!(header("/404.html").await, SWR);
}

#[tokio::test]
async fn what_settings_say_of_fingerprints_goes_before_names_and_siblings() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "<p>")]);
    let names = [
        ("assets/index-DFMMDfrA.js", true),
        ("assets/Card-C7I-YeB4.js", true),
        ("assets/About-CopprgNT.js", true),
        // Those that people wrote have no say.
        ("assets/app-services.js", false),
        ("assets/app-calendar.js", false),
        ("assets/Loose-D9d07Pxl.js", false),
        ("assets/Stray-CopprgNT.js", false),
        ("assets/app-settings.js", false),
        ("assets/app-homepage.js", true),
        ("lib/plain.js", true),
    ];
    for (name, _) in names {
        site.write(name, name);
    }
    set(
        &site,
        "fingerprinted = [\"lib/\", \"app-homepage.js\"]\nnot-fingerprinted = [\"Loose-*\", \"Stray-*\"]\n",
    );
    deploy(&world, &site).await.succeeds();
    for (name, expected) in names {
        let object = world.object(BUCKET, name).unwrap();
        let cached = object.headers.cache_control.as_deref().unwrap();
        let immutable = cached.contains("immutable");
        assert_eq!(immutable, expected, "{name}");
    }
}
