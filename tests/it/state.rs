//! What is kept in the bucket: damaged, of a newer version, shared by several sites, kept elsewhere, and what it costs.

use local_cloudfront::Headers;
use serde_json::{Value, json};

use crate::mishap::{
    STATE, Side, as_deployed, assert_clean, assert_whole, builds, crash_at, debts, deploy,
    deployed, objects, put_state, state,
};
use crate::support::{BUCKET, Ran, Site, Unstale, World};

async fn put(world: &World, key: &str, body: Vec<u8>) {
    world
        .put_object(BUCKET, key, body, Headers::default())
        .await
        .unwrap();
}

/// All ways in which an object may be other than it was written; `None`: it is gone.
fn damages(body: &[u8]) -> [Option<Vec<u8>>; 4] {
    let mut flipped = body.to_vec();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    [
        Some(flipped),
        Some(body[..middle].to_vec()),
        Some(Vec::new()),
        None,
    ]
}

/// Damages the first state object whose key begins so; whether it has changed.
async fn damage(world: &World, prefix: &str, way: usize) {
    let keys = world.keys(BUCKET);
    let key = keys.iter().find(|key| key.as_str().starts_with(prefix));
    let key = key.unwrap_or_else(|| panic!("{prefix} is missing"));
    let body = world.body(BUCKET, key.as_str()).unwrap();
    match damages(&body)[way].clone() {
        Some(body) => put(world, key.as_str(), body).await,
        None => world.delete_object(BUCKET, key.as_str()).unwrap(),
    }
}

#[track_caller]
fn says_that_something_is_wrong(ran: &Ran, what: &str) {
    assert!(ran.stdout.contains("\"warning\""), "{what}: {ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_is_refused_and_deleted_it_is_made_good_from_history() {
    let [a, b, _] = builds();
    let wanted = as_deployed(&b).await;
    for way in 0..4 {
        let world = deployed(&a).await;
        let before = objects(&world);
        damage(&world, STATE, way).await;
        if way < 3 {
            world.forget();
            let ran = deploy(&world, &b).await.exits(1);
            ran.says("is damaged").says("delete it");
            assert_eq!(world.writes(), [""; 0], "way {way}");
            assert_eq!(objects(&world), before);
            let planned = world.plan(&b).await.succeeds();
            planned.says("takes the state for lost").says("/*");
            assert_eq!(world.writes(), [""; 0], "way {way}");
            world.delete_object(BUCKET, STATE).unwrap();
        }
        let ran = deploy(&world, &b).await.succeeds();
        says_that_something_is_wrong(&ran, &format!("way {way}"));
        assert_whole(&world, &b, &wanted).await;
        world.assert_idle(deploy(&world, &b)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_state_what_is_there_is_adopted_or_left_alone() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    for key in world.keys(BUCKET) {
        if key.as_str().starts_with(".unstale/") {
            world.delete_object(BUCKET, key.as_str()).unwrap();
        }
    }
    deploy(&world, &b).await.succeeds();
    // Nobody can know any more whose these are.
    for key in ["gone.txt", "leaves.html", "assets/app.3f9d02c8b1.css"] {
        assert!(world.body(BUCKET, key).is_some(), "{key}");
    }
    world.assert_fresh(&b, "").await;
    assert_clean(&world);
}

/// A deploy whose journal does not fit into the state dies before its purge; the journal or the history is damaged then.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_or_record_of_history_loses_nothing() {
    let invalidates =
        |request: &local_cloudfront::RequestInfo| request.operation == "CreateInvalidation";
    for name in [".unstale/journal/", ".unstale/history/"] {
        for way in 0..4 {
            let site = Site::of(&[("index.html", "<p>1")]);
            // Names that do not compress.
            let pages = |site: &Site, text: &str| {
                for number in 1..400u128 {
                    let folder = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
                    let name = folder.wrapping_mul(folder);
                    site.write(
                        &format!("{folder:x}/{name:x}.html"),
                        format!("{text} {number}"),
                    );
                }
            };
            pages(&site, "one");
            let world = World::new().await;
            deploy(&world, &site).await.succeeds();
            world.warm(&site).await;
            pages(&site, "two");
            let run = deploy(&world, &site);
            crash_at(&world, run, 1, Side::Before, invalidates)
                .await
                .unwrap();
            world.warm(&site).await;
            let journal = state(&world)["open"][0]["journal"]["file"]["name"].clone();
            let journal = format!(".unstale/{}", journal.as_str().expect("a file"));
            let damaged = if name.contains("journal") {
                &journal
            } else {
                name
            };
            damage(&world, damaged, way).await;
            let ran = deploy(&world, &site).await.succeeds();
            if name.contains("journal") {
                says_that_something_is_wrong(&ran, &format!("{name} {way}"));
            }
            world.assert_deployed(&site, "");
            assert_clean(&world);
            world.assert_fresh(&site, "").await;
            world.assert_idle(deploy(&world, &site)).await;
        }
    }
}

/// A site whose manifest does not fit into the state.
fn large() -> Site {
    let site = Site::of(&[("index.html", "<p>1"), ("goes.html", "<p>goes")]);
    for number in 0..2500 {
        site.write(&format!("n/{number}.html"), format!("<p>{number}"));
    }
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_base_falls_back_and_a_small_change_writes_kilobytes() {
    let site = large();
    let world = World::new().await;
    world.deploy(&site).await.succeeds();
    world
        .warm_urls(["/index.html", "/goes.html", "/n/7.html"])
        .await;

    site.write("n/7.html", "<p>changed");
    world.forget();
    world.deploy(&site).await.succeeds();
    let log = world.log();
    let of_state = log.iter().filter(|entry| {
        entry.request.method == "PUT" && entry.request.key.starts_with(".unstale/")
    });
    let bytes: u64 = of_state.map(|entry| entry.bytes_in).sum();
    assert!(
        bytes < 16_000,
        "{bytes} bytes of state for one page of 2502"
    );

    for way in 0..4 {
        let base = state(&world)["manifest"]["base"]["name"].clone();
        let base = base.as_str().expect("a base");
        damage(&world, &format!(".unstale/{base}"), way).await;
        site.write("index.html", format!("<p>way {way}"));
        if way == 1 {
            site.remove("goes.html");
        }
        let ran = world.deploy(&site).with("--json").await.succeeds();
        says_that_something_is_wrong(&ran, &format!("way {way}"));
        world.assert_deployed(&site, "");
        world.assert_fresh(&site, "").await;
        assert_clean(&world);
        world.assert_settled(&site).await;
    }
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_refused_clearly() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    let mut newer = state(&world);
    newer["version"] = json!(999);
    put_state(&world, newer).await;
    world.forget();
    let ran = deploy(&world, &b).await.exits(1);
    ran.says("newer unstale").says("install the newest unstale");
    assert_eq!(world.writes(), [""; 0]);
}

/// The state of one site is no other's, wherever it lies.
#[tokio::test]
async fn one_place_for_the_state_of_two_sites_is_refused() {
    let [a, b, _] = builds();
    let world = World::new().await;
    world.create_bucket("elsewhere").unwrap();
    let deploy = |site: &Site, prefix: &str| {
        let command = deploy(&world, site).env("UNSTALE_STATE", "s3://elsewhere/state");
        command.with("--distribution none --prefix").arg(prefix)
    };
    deploy(&a, "a/").await.succeeds();
    world.forget();
    let ran = deploy(&b, "b/").await.exits(2);
    ran.says("the state of another site").says("s3://site/a/");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn state_show_is_for_people() {
    let [a, b, _] = builds();
    let world = deployed(&a).await;
    world
        .unstale("state")
        .with("-v")
        .await
        .succeeds()
        .says("posts/a/index.html  live")
        .says("feed.json  live");
    let short = world.unstale("state").await.succeeds();
    let lines: Vec<&str> = short.stdout.lines().collect();
    let labels: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(labels, ["Objects", "Deployed", "Lease", "Purged", "Owed"]);
    assert!(
        lines[2].ends_with("nobody deploys") && lines[4].ends_with("nothing"),
        "{lines:?}"
    );
    let puts = |request: &local_cloudfront::RequestInfo| request.key == "index.html";
    crash_at(&world, deploy(&world, &b), 1, Side::Before, puts)
        .await
        .unwrap();
    let debt = debts(&world)[0].clone();
    world
        .unstale("state")
        .await
        .succeeds()
        .says("1 deploy left something open")
        .says(&format!("debt {debt}"));
}

#[tokio::test]
async fn several_sites_share_a_bucket() {
    let world = World::new().await;
    let site = |name: &str| Site::of(&[("index.html", name), ("x.html", name)]);
    let (root, docs, blog) = (site("root"), site("docs"), site("blog"));
    let under = |site: &Site, prefix: &str| {
        let command = world.deploy(site).with("--distribution none --prefix");
        command.arg(prefix)
    };
    under(&docs, "docs/").await.succeeds();
    under(&blog, "docsblog").await.succeeds();
    world
        .deploy(&root)
        .with("--distribution none")
        .await
        .succeeds();
    let all = |world: &World| world.keys(BUCKET).len();
    let before = all(&world);
    for (site, prefix) in [(&docs, "docs/"), (&blog, "docsblog/")] {
        site.remove("x.html");
        world.forget();
        under(site, prefix).await.succeeds();
        world.assert_deployed(site, prefix);
        let writes = world.writes();
        let foreign = writes.iter().filter(|one| {
            !one.contains(&format!(" {prefix}")) && !one.starts_with("DeleteObjects")
        });
        assert_eq!(foreign.collect::<Vec<_>>(), [""; 0]);
    }
    // The root's site leaves what others have below it, their state too.
    root.remove("x.html");
    world
        .deploy(&root)
        .with("--distribution none --max-delete 1")
        .await
        .succeeds();
    for key in [
        "docs/index.html",
        "docsblog/index.html",
        "docs/.unstale/state",
    ] {
        assert!(world.body(BUCKET, key).is_some(), "{key}");
    }
    // Three pages went, three records of history came.
    assert_eq!(all(&world), before);
}

#[tokio::test]
async fn nothing_of_the_site_may_lie_where_the_state_does() {
    for (name, text) in [("foo/state", "<p>"), ("_redirects", "/foo/state /x\n")] {
        let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
        site.write(name, text);
        let ran = Unstale::new("deploy --bucket site --distribution none --endpoint-url")
            .arg(world.endpoint())
            .arg(site.dir())
            .env("UNSTALE_STATE", "s3://site/foo");
        let told = "the build's foo/state would lie where the state is kept: s3://site/foo/";
        ran.await.exits(2).says(told);
        assert_eq!(world.keys(BUCKET), [""; 0]);
    }
}

#[tokio::test]
async fn state_may_lie_elsewhere() {
    let [a, b, _] = builds();
    let world = World::new().await;
    world.create_bucket("elsewhere").unwrap();
    let deploy = |site: &Site| deploy(&world, site).env("UNSTALE_STATE", "s3://elsewhere/my/site");
    deploy(&a).await.succeeds();
    world.warm(&a).await;
    assert_eq!(world.objects("").len(), world.keys(BUCKET).len());
    let keys = world.keys("elsewhere");
    assert!(keys.iter().all(|key| key.as_str().starts_with("my/site/")));
    let puts = |request: &local_cloudfront::RequestInfo| request.key == "index.html";
    crash_at(&world, deploy(&b), 1, Side::After, puts)
        .await
        .unwrap();
    deploy(&b).await.succeeds();
    world.assert_deployed(&b, "");
    world.assert_fresh(&b, "").await;
    let left = world.body("elsewhere", "my/site/state").unwrap();
    let left: Value = serde_json::from_slice(&left).unwrap();
    assert_eq!((&left["open"], &left["lease"]), (&json!([]), &Value::Null));
    world.assert_idle(deploy(&b)).await;
}
