//! `unstale rollback`: the site as it was, from versions.

use super::support::{BUCKET, Ran, Site, World};

/// A world whose bucket keeps versions.
async fn versioned() -> World {
    let world = World::new().await;
    world.enable_versions(BUCKET).unwrap();
    world
}

fn first() -> Site {
    Site::of(&[
        ("index.html", "<p>1<script src=app.0a1b2c3d4e.js></script>"),
        ("app.0a1b2c3d4e.js", "one"),
        ("about/index.html", "<p>about"),
        ("kept.txt", "kept"),
        ("only-first.txt", "first"),
    ])
}

/// The first site and then another one.
async fn two_deploys(world: &World) -> (Site, Site) {
    let (one, two) = (first(), first());
    world.deploy(&one).await.succeeds();
    world.warm(&one).await;
    two.write("index.html", "<p>2<script src=app.f9e8d7c6b5.js></script>");
    two.write("app.f9e8d7c6b5.js", "two");
    two.remove("app.0a1b2c3d4e.js");
    two.write("new.html", "<p>new");
    two.remove("only-first.txt");
    world.deploy(&two).await.succeeds();
    world.warm(&two).await;
    (one, two)
}

fn deploys(ran: &Ran) -> Vec<String> {
    let records = ran.records();
    let ids = records.iter().map(|one| one["id"].as_str().unwrap().into());
    ids.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_is_put_back_without_an_upload_and_purged_cheaply() {
    let world = versioned().await;
    let (one, _) = two_deploys(&world).await;
    world.forget();
    let ran = world.unstale("rollback").await.succeeds();
    // The asset of the second deploy stays for pages that are still open.
    let mut objects = world.objects("");
    assert_eq!(objects.remove("app.f9e8d7c6b5.js"), Some(b"two".to_vec()));
    assert_eq!(objects, one.files(), "{ran}");
    assert_eq!(
        world.site_writes(),
        [
            "CopyObject only-first.txt",
            "CopyObject index.html",
            "DeleteObjects",
            "CreateInvalidation"
        ],
        "{ran}"
    );
    world.assert_fresh(&one, "").await;
    assert!(
        world
            .purged()
            .iter()
            .all(|path| path != "/*" && path != "/kept.txt")
    );
    world.assert_settled(&one).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_plan_changes_nothing() {
    let world = versioned().await;
    two_deploys(&world).await;
    let plan = world.unstale("rollback --plan --verbose");
    world.forget();
    plan.await
        .succeeds()
        .says("only-first.txt")
        .says("new.html");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_can_be_rolled_back() {
    let world = versioned().await;
    let (one, two) = two_deploys(&world).await;
    world.unstale("rollback").await.succeeds();
    world.warm(&one).await;
    world.unstale("rollback").await.succeeds();
    let mut objects = world.objects("");
    objects.remove("app.0a1b2c3d4e.js");
    assert_eq!(objects, two.files());
    world.assert_fresh(&two, "").await;
    world.assert_settled(&two).await;
    let history = world.unstale("history --json").await.succeeds();
    let of: Vec<bool> = (history.records().iter())
        .map(|one| one.get("rollback_of").is_some())
        .collect();
    assert_eq!(of, [true, true, false, false], "{history}");
    let shown = world.unstale("history").await.succeeds();
    shown.says("back to the deploy");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_deploy_can_be_gone_back_to_over_several() {
    let world = versioned().await;
    let (one, site) = two_deploys(&world).await;
    for round in 3..6 {
        site.write("index.html", format!("<p>{round}"));
        site.write(&format!("round{round}.html"), "<p>");
        world.deploy(&site).await.succeeds();
        world.warm(&site).await;
    }
    let history = world.unstale("history --json").await.succeeds();
    let oldest = deploys(&history).pop().unwrap();
    world.unstale("rollback").arg(&oldest).await.succeeds();
    let mut objects = world.objects("");
    objects.remove("app.f9e8d7c6b5.js");
    assert_eq!(objects, one.files());
    world.assert_fresh(&one, "").await;
    // Already as it was then: nothing to do.
    world
        .assert_idle(world.unstale("rollback").arg(&oldest))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_come_back_too() {
    let world = versioned().await;
    let site = Site::of(&[("a.txt", "a"), ("index.html", "<p>")]);
    let rule = |value: &str| {
        format!(
            "[[headers]]\nmatch = \"*.txt\"\ncache-control = \"{value}\"\nmetadata = {{ x = \"{value}\" }}\ntags = {{ t = \"{value}\" }}\n"
        )
    };
    for value in ["max-age=1", "max-age=2"] {
        std::fs::write(site.project().join("deploy.toml"), rule(value)).unwrap();
        world.deploy(&site).within(site.project()).await.succeeds();
    }
    world.forget();
    world.unstale("rollback").await.succeeds();
    let object = world.object(BUCKET, "a.txt").unwrap();
    assert_eq!(object.headers.cache_control.as_deref(), Some("max-age=1"));
    assert_eq!(object.headers.metadata["x"], "max-age=1");
    assert_eq!(object.headers.tags["t"], "max-age=1");
    assert_eq!(world.purged(), ["/a.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_put_back_is_told_and_nothing_changed() {
    let world = World::new().await;
    let (_, two) = two_deploys(&world).await;
    world.forget();
    world
        .unstale("rollback")
        .await
        .exits(1)
        .says("put-bucket-versioning");
    assert_eq!(world.writes(), [""; 0]);
    // Versions from now on, but those of the first deploy are gone.
    world.enable_versions(BUCKET).unwrap();
    world
        .unstale("rollback")
        .await
        .exits(1)
        .says("only-first.txt")
        .says("nothing was changed");
    assert_eq!(world.site_writes(), [""; 0]);
    world.unstale("rollback nosuch").await.exits(2);
    world.assert_settled(&two).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_says_of_which_commit_the_site_is_again() {
    let world = versioned().await;
    let site = first();
    for (variable, commit, page) in [
        ("GITHUB_SHA", "0123abcd", "<p>1"),
        ("CODEBUILD_RESOLVED_SOURCE_VERSION", "4567cdef", "<p>2"),
    ] {
        site.write("index.html", page);
        let deploy = world.deploy(&site).env(variable, commit);
        deploy.await.succeeds();
    }
    world.unstale("rollback").await.succeeds();
    let history = world.unstale("history --json").await.succeeds().records();
    let commits: Vec<&str> = history
        .iter()
        .map(|one| one["commit"].as_str().unwrap_or("none"))
        .collect();
    assert_eq!(commits, ["0123abcd", "4567cdef", "0123abcd"]);
}

/// It lies there still, and goes with no sweep.
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_asset_that_stayed_for_open_pages_is_the_sites_again() {
    let world = versioned().await;
    let site = Site::of(&[("index.html", "<p>1"), ("style.css", "a {}")]);
    world.deploy(&site).await.succeeds();
    site.write("index.html", "<p>2");
    site.remove("style.css");
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    world.forget();
    world.unstale("rollback").await.succeeds();
    assert_eq!(
        world.site_writes(),
        ["CopyObject index.html", "CreateInvalidation"]
    );
    site.write("index.html", "<p>1");
    site.write("style.css", "a {}");
    world
        .clock()
        .advance(std::time::Duration::from_hours(8 * 24));
    world.assert_settled(&site).await;
    world.deploy(&site).with("--sweep").await.succeeds();
    world.assert_deployed(&site, "");
    world.assert_fresh(&site, "").await;
}

/// The record says so once: of the records a damaged manifest is made again.
#[tokio::test(flavor = "multi_thread")]
async fn an_asset_that_stayed_and_was_written_over_comes_back_as_it_lies_there() {
    let world = versioned().await;
    let site = Site::of(&[("index.html", "<p>1"), ("style.css", "a {}")]);
    world.deploy(&site).await.succeeds();
    site.write("index.html", "<p>2");
    site.remove("style.css");
    world.deploy(&site).await.succeeds();
    let headers = world.object(BUCKET, "style.css").unwrap().headers.clone();
    let theirs = world.put_object(BUCKET, "style.css", "b {}", headers);
    theirs.await.unwrap();
    site.write("index.html", "<p>3");
    site.write("style.css", "b {}");
    world.deploy(&site).await.succeeds();
    let history = world.unstale("history --json").await.succeeds();
    let last = deploys(&history).remove(0);
    let shown = world.unstale("history").arg(&last).with("--json").await;
    let record = shown.succeeds().records().remove(0);
    let changes = record["changes"].as_array().unwrap().iter();
    let styles = changes.filter(|change| change["k"] == "style.css");
    let left: Vec<&str> = styles
        .map(|change| change["a"]["e"].as_str().unwrap())
        .collect();
    assert_eq!(left, ["6cc28514f123430f88d1caffd345fb61"]);
}
