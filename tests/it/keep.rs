//! `keep`: what deploys replace is copied, so that `unstale rollback` puts it back on a bucket without versions.

use std::collections::{BTreeMap, BTreeSet};
use std::future::IntoFuture;
use std::time::Duration;

use local_cloudfront::{Fault, Gate, OriginKind, RequestInfo, WebsiteConfiguration};

use crate::mishap::{Side, at_request, crash, crash_at, setting};
use crate::support::{BUCKET, Ran, Site, Terminal, Unstale, World};

const DAY: Duration = Duration::from_secs(86_400);

fn kept(command: Unstale, deploys: &str) -> Unstale {
    command.arg("--keep").arg(deploys)
}

fn deploy(world: &World, site: &Site) -> Unstale {
    let command = world.deploy(site).within(site.project());
    kept(command, "3 deploys").with("--retain 0s")
}

/// A rollback by which what leaves is deleted at once, too. Without `ids` to the deploy before the last.
fn rollback(world: &World, ids: &str) -> Unstale {
    let command = world.unstale("rollback").with(ids);
    let command = command.env("UNSTALE_RETAIN", "0s");
    command.env("UNSTALE_KEEP", "3 deploys")
}

/// All of the site's objects: bodies and all headers.
type Snapshot = BTreeMap<String, (Vec<u8>, String)>;

fn snapshot(world: &World) -> Snapshot {
    let bodies = world.objects("").into_iter();
    let described = bodies.map(|(key, body)| {
        let object = world.object(BUCKET, &key).unwrap();
        (key, (body, format!("{:?}", object.headers)))
    });
    described.collect()
}

/// The names of the kept copies.
fn copies(world: &World, bucket: &str, folder: &str) -> BTreeSet<String> {
    let keys = world.keys(bucket).into_iter();
    keys.filter_map(|key| Some(key.as_str().strip_prefix(folder)?.to_owned()))
        .collect()
}

fn beside(world: &World) -> BTreeSet<String> {
    copies(world, BUCKET, ".unstale/kept/")
}

/// The deploys' ids, the newest first.
async fn ids(command: Unstale) -> Vec<String> {
    let ran = command.with("--json").await.succeeds();
    let records = ran.records();
    let ids = records.iter().map(|one| one["id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

fn rule(site: &Site, value: &str) {
    let text = format!(
        "[[headers]]\nmatch = \"a.txt\"\ncache-control = \"max-age={value}\"\nmetadata = {{ x = \"{value}\" }}\n\
         tags = {{ t = \"{value}\" }}\n[[headers]]\nmatch = \"cold.txt\"\nstorage-class = \"STANDARD_IA\"\n"
    );
    std::fs::write(site.project().join("deploy.toml"), text).unwrap();
}

/// What the site is in each of its rounds, from 1: content and headers change, objects come and go.
fn becomes(site: &Site, round: usize) {
    site.write("index.html", format!("<p>{round}"));
    site.write("cold.txt", format!("cold {}", round / 2));
    site.write(&format!("only-{round}.html"), "<p>the same in each");
    site.write(&format!("app.{round}a1b2c3d4e.js"), format!("{round}"));
    site.write("a.txt", "a");
    rule(site, &round.to_string());
    if round > 1 {
        let last = round - 1;
        site.remove(&format!("only-{last}.html"));
        site.remove(&format!("app.{last}a1b2c3d4e.js"));
    }
}

/// Deploys so many rounds. Returns the snapshots after each.
async fn rounds(world: &World, site: &Site, number: usize) -> Vec<Snapshot> {
    let mut snapshots = Vec::new();
    for round in 1..=number {
        becomes(site, round);
        deploy(world, site).await.succeeds();
        world.warm(site).await;
        world.clock().advance(Duration::from_secs(60));
        snapshots.push(snapshot(world));
    }
    snapshots
}

#[track_caller]
fn assert_same(now: &Snapshot, then: &Snapshot, ran: &Ran) {
    let keys = |all: &Snapshot| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(now), keys(then), "{ran}");
    assert_eq!(now, then, "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_the_last_deploys_is_put_back_with_its_headers_and_forward_again() {
    let (world, site) = (World::new().await, Site::empty());
    let then = rounds(&world, &site, 4).await;
    let names = ids(world.unstale("history")).await;
    // Back as far as that goes, and forward to the last. A rollback is a deploy, and can be undone as one.
    for round in [1, 4, 3, 1] {
        world.forget();
        let ran = rollback(&world, &names[4 - round]).await.succeeds();
        assert_same(&snapshot(&world), &then[round - 1], &ran);
        assert_eq!(world.stale().await, [""; 0], "{ran}");
        let uploads = world.site_writes();
        let uploads = uploads.iter().filter(|write| write.starts_with("Put"));
        assert_eq!(uploads.count(), 0, "{ran}");
        world.clock().advance(Duration::from_secs(60));
    }
    // The manifest says what is there.
    rollback(&world, &names[0]).await.succeeds();
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test]
async fn what_is_kept_is_shown_and_the_plan_says_where_it_comes_from() {
    let (world, site) = (World::new().await, Site::empty());
    rounds(&world, &site, 1).await;
    becomes(&site, 2);
    let gate = Gate::new();
    let copies = |request: &RequestInfo| request.operation == "CopyObject";
    at_request(&world, 2, copies, Fault::HoldBefore(gate.clone()));
    let terminal = Terminal::new();
    let run = deploy(&world, &site).env("TERM", "xterm").at(&terminal);
    let run = run.start();
    terminal.shows("Keeping for rollback: ").await;
    gate.open();
    run.ended().await.succeeds();
    let plan = rollback(&world, "").with("--plan").await.succeeds();
    plan.says("content, copied from what was kept\n")
        .never_says("an earlier version");
}

#[tokio::test]
async fn what_was_replaced_too_long_ago_is_refused_with_what_can_be_put_back() {
    let (world, site) = (World::new().await, Site::empty());
    rounds(&world, &site, 5).await;
    let names = ids(world.unstale("history")).await;
    world.forget();
    let ran = rollback(&world, &names[4]).await.exits(1);
    ran.says("nothing was changed")
        .says("app.1a1b2c3d4e.js")
        .says(&names[1..4].join(", "))
        .never_says(&format!("{}, {}", names[3], names[4]))
        .says("keep =");
    assert_eq!(world.writes(), [""; 0]);
    rollback(&world, &names[3]).await.succeeds();
}

#[tokio::test]
async fn without_keep_nothing_is_copied_and_the_hint_names_it() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "<p>1")]);
    world.deploy(&site).await.succeeds();
    site.write("index.html", "<p>2");
    world.forget();
    kept(world.deploy(&site), "0 deploys").await.succeeds();
    assert_eq!(
        world.site_writes(),
        ["PutObject index.html", "CreateInvalidation"]
    );
    assert!(beside(&world).is_empty());
    let ran = world.unstale("rollback").await.exits(1);
    ran.says("keep = \"3 deploys\"")
        .says("put-bucket-versioning");
}

#[tokio::test]
async fn what_is_alike_is_kept_once_and_nothing_is_asked_where_nothing_changes() {
    let world = World::new().await;
    let site = Site::of(&[
        ("index.html", "<p>1"),
        ("a.txt", "x"),
        ("b.txt", "x"),
        ("c.txt", "c"),
    ]);
    world.deploy(&site).await.succeeds();
    for name in ["a.txt", "b.txt"] {
        site.write(name, "y");
    }
    site.remove("c.txt");
    let plan = kept(world.plan(&site), "3 deploys").await.succeeds();
    plan.says("Kept for rollback: 3 objects, 3 B; 2 copies, $0.00001");
    let plan = kept(world.plan(&site).with("--json"), "3 deploys").await;
    let said = &plan.succeeds().summary()["kept-for-rollback"];
    assert_eq!(said["objects"], 3);
    assert_eq!(
        (&said["copies"], &said["cost-usd"]),
        (&2.into(), &0.00001.into())
    );
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(world.count("CopyObject"), 2);
    let first = beside(&world);
    assert_eq!(first.len(), 2);
    // Back by hand: "y" is kept, and what was kept is not copied again when it is replaced once more.
    for body in ["x", "y"] {
        world.forget();
        site.write("a.txt", body);
        site.write("b.txt", body);
        deploy(&world, &site).await.succeeds();
        let copied = usize::from(body == "x");
        assert_eq!(world.count("CopyObject"), copied, "{body}");
    }
    assert_eq!(beside(&world).len(), 3);
    let asked = |world: &World| world.log().len();
    world.forget();
    world.deploy(&site).await.succeeds();
    let without = asked(&world);
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(asked(&world), without);
}

#[tokio::test]
async fn copies_that_no_rollback_needs_are_swept_once_they_are_a_day_old() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "<p>1")]);
    let put = world.put_object(BUCKET, ".unstale/kept/README", "mine", Default::default());
    put.await.unwrap();
    let next = |round: usize| {
        site.write("index.html", format!("<p>{round}"));
        kept(world.deploy(&site), "1 deploy")
    };
    for round in [1, 2, 3, 1] {
        next(round).await.succeeds();
    }
    // All that was replaced, of which the state names what the last deploy replaced.
    assert_eq!(beside(&world).len(), 4);
    world.clock().advance(DAY + Duration::from_secs(60));
    let before = beside(&world);
    // "1" lies there, old and unnamed, and is kept anew by the deploy that sweeps: only "2" goes.
    next(9).await.succeeds();
    let after = beside(&world);
    let gone: Vec<&String> = before.difference(&after).collect();
    assert_eq!(gone.len(), 1, "{before:?} {after:?}");
    assert!(after.contains("README") && after.is_subset(&before));
    // A rollback that is not told to keep anything can be undone all the same.
    for body in ["<p>1", "<p>9"] {
        let ran = world.unstale("rollback").await.succeeds();
        assert_eq!(world.body(BUCKET, "index.html").unwrap(), body, "{ran}");
    }
}

#[tokio::test]
async fn what_has_versions_is_not_copied() {
    let world = World::new().await;
    world.enable_versions(BUCKET).unwrap();
    let site = Site::empty();
    let then = rounds(&world, &site, 2).await;
    assert!(beside(&world).is_empty());
    becomes(&site, 3);
    let plan = kept(world.plan(&site), "3 deploys").with("-v");
    plan.await.succeeds().says("versions in the bucket");
    let ran = rollback(&world, "").await.succeeds();
    assert_same(&snapshot(&world), &then[0], &ran);
    assert!(beside(&world).is_empty());
}

#[tokio::test]
async fn the_state_and_its_copies_may_lie_in_another_bucket() {
    let world = World::new().await;
    world.create_bucket("elsewhere").unwrap();
    let site = Site::empty();
    let there = |command: Unstale| {
        let command = command.with("--prefix docs/").within(site.project());
        let command = command.env("UNSTALE_KEEP", "1 deploy");
        command.env("UNSTALE_STATE", "s3://elsewhere/my site")
    };
    for round in 1..=3 {
        becomes(&site, round);
        there(world.deploy(&site))
            .with("--retain 0s")
            .await
            .succeeds();
        world.clock().advance(DAY * 2);
    }
    assert!(beside(&world).is_empty());
    let before = copies(&world, "elsewhere", "my site/kept/");
    assert!(before.len() > 4, "{before:?}");
    let ran = there(world.unstale("rollback")).await.succeeds();
    assert_eq!(
        world.body(BUCKET, "docs/index.html").unwrap(),
        "<p>2",
        "{ran}"
    );
    let object = world.object(BUCKET, "docs/a.txt").unwrap();
    assert_eq!(object.headers.cache_control.as_deref(), Some("max-age=2"));
    // What the second deploy replaced is in no reach any more.
    let after = copies(&world, "elsewhere", "my site/kept/");
    assert!(before.difference(&after).count() > 0, "{after:?}");
}

#[tokio::test]
async fn redirects_come_back() {
    let world = World::with(|setup| {
        setup.distribution.origins[0].kind = OriginKind::Website {
            bucket: BUCKET.into(),
        };
        setup.bucket.website = Some(WebsiteConfiguration::new("index.html"));
    })
    .await;
    let site = Site::of(&[("index.html", "<p>"), ("_redirects", "/old /1\n")]);
    deploy(&world, &site).await.succeeds();
    let then = snapshot(&world);
    site.write("_redirects", "/old /2\n");
    deploy(&world, &site).await.succeeds();
    let ran = rollback(&world, "").await.succeeds();
    assert_same(&snapshot(&world), &then, &ran);
    assert_eq!(world.cold("/old").await.header("location"), Some("/1"));
}

#[tokio::test]
async fn bodies_under_kms_come_back_though_their_etags_say_nothing() {
    let world = World::with(|setup| setup.bucket.kms = true).await;
    let site = Site::empty();
    let then = rounds(&world, &site, 2).await;
    let ran = rollback(&world, "").await.succeeds();
    assert_same(&snapshot(&world), &then[0], &ran);
}

#[tokio::test]
async fn nothing_is_uploaded_where_a_copy_fails() {
    let (world, site) = (World::new().await, Site::empty());
    let then = rounds(&world, &site, 1).await;
    becomes(&site, 2);
    let copies = |request: &RequestInfo| request.operation == "CopyObject";
    at_request(&world, 2, copies, Fault::Fail(403, "AccessDenied"));
    world.forget();
    let ran = deploy(&world, &site).await.exits(1);
    let ran = ran.says("nothing was uploaded").says("AccessDenied");
    assert_same(&snapshot(&world), &then[0], &ran);
    assert!(world.purged().is_empty());
    world.clear_rule();
    // What was copied is taken as it is.
    world.forget();
    deploy(&world, &site).await.succeeds();
    assert_eq!(beside(&world).len() as u64, 5);
    let ran = rollback(&world, "").await.succeeds();
    assert_same(&snapshot(&world), &then[0], &ran);
}

/// A deploy is killed at its requests, the same or another build is deployed, and the first is put back.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_where_a_deploy_dies() {
    let [first, dying, next] = [1, 2, 3].map(|last| {
        let site = Site::empty();
        (1..=last).for_each(|round| becomes(&site, round));
        site
    });
    let points = [
        (Side::Before, &next),
        (Side::After, &dying),
        (Side::After, &next),
    ];
    let full = setting("UNSTALE_CRASH").is_some();
    for at in 1.. {
        // All at each request take half a minute.
        let chosen = points.iter().enumerate();
        let chosen = chosen.filter(|(number, _)| full || at % 3 == *number);
        for (_, (side, then)) in chosen {
            let world = World::new().await;
            deploy(&world, &first).await.succeeds();
            world.warm(&first).await;
            let was = snapshot(&world);
            let died = crash(&world, deploy(&world, &dying), at, *side).await;
            if died.is_none() {
                assert!(at > 15, "only {at}");
                return;
            }
            world.warm(&dying).await;
            deploy(&world, then).await.succeeds();
            world.warm(then).await;
            let oldest = ids(world.unstale("history")).await.pop().unwrap();
            let ran = rollback(&world, &oldest).await.succeeds();
            assert_same(&snapshot(&world), &was, &ran);
            assert_eq!(world.stale().await, [""; 0], "killed at {at} {side:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_dies_is_made_good_by_the_next() {
    let site = Site::empty();
    for at in [1, 2, 4, 7, 10] {
        let world = World::new().await;
        let then = rounds(&world, &site, 2).await;
        let oldest = ids(world.unstale("history")).await.pop().unwrap();
        let writes = |request: &RequestInfo| request.writes();
        let back = || rollback(&world, &oldest);
        crash_at(&world, back(), at, Side::After, writes)
            .await
            .unwrap();
        let ran = back().await.succeeds();
        assert_same(&snapshot(&world), &then[0], &ran);
        assert_eq!(world.stale().await, [""; 0], "killed at {at}");
        let newest = &ids(world.unstale("history")).await[1];
        let ran = rollback(&world, newest).await.succeeds();
        assert_same(&snapshot(&world), &then[1], &ran);
        site.remove("only-2.html");
        site.remove("app.2a1b2c3d4e.js");
    }
}

/// What left the build stays for open pages, and goes with a later deploy: whether a rollback may want it then depends on how
/// long ago it left.
#[tokio::test]
async fn an_asset_that_left_long_ago_needs_no_copy() {
    for (deploys, copied) in [("1 deploy", false), ("3 deploys", true)] {
        let world = World::new().await;
        let site = Site::of(&[("index.html", "<p>1"), ("app.1a1b2c3d4e.js", "1")]);
        let deploy = || kept(world.deploy(&site), deploys).with("--retain 1h");
        deploy().await.succeeds();
        let was = snapshot(&world);
        site.remove("app.1a1b2c3d4e.js");
        for round in 2..=4 {
            site.write("index.html", format!("<p>{round}"));
            deploy().await.succeeds();
            world.clock().advance(Duration::from_secs(2000));
        }
        assert!(world.body(BUCKET, "app.1a1b2c3d4e.js").is_none());
        let bodies = beside(&world).into_iter();
        let mut bodies = bodies.map(|name| world.body(BUCKET, &format!(".unstale/kept/{name}")));
        assert_eq!(bodies.any(|body| body.unwrap() == "1"), copied, "{deploys}");
        if copied {
            let oldest = ids(world.unstale("history")).await.pop().unwrap();
            let ran = rollback(&world, &oldest).await.succeeds();
            assert_same(&snapshot(&world), &was, &ran);
        }
    }
}

#[tokio::test]
async fn what_somebody_else_writes_before_it_is_copied_is_no_copy_of_ours() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "<p>1")]);
    deploy(&world, &site).await.succeeds();
    site.write("index.html", "<p>2");
    let gate = Gate::new();
    let copies = |request: &RequestInfo| request.operation == "CopyObject";
    at_request(&world, 1, copies, Fault::HoldBefore(gate.clone()));
    let running = tokio::spawn(deploy(&world, &site).into_future());
    gate.arrived().await;
    let put = world.put_object(BUCKET, "index.html", "<p>theirs", Default::default());
    put.await.unwrap();
    gate.open();
    running.await.unwrap().succeeds().says("meanwhile");
    world.assert_deployed(&site, "");
    assert_eq!(beside(&world), BTreeSet::new());
    rollback(&world, "").await.exits(1).says("are gone");
}

/// What a run replaced before it had to plan anew is kept as what it replaces afterwards.
#[tokio::test]
async fn what_was_replaced_before_another_plan_is_kept_too() {
    let world = World::new().await;
    let site = Site::of(&[("a.css", "a1"), ("index.html", "<p>1"), ("z.html", "<p>z1")]);
    deploy(&world, &site).await.succeeds();
    let then = snapshot(&world);
    for (name, body) in [("a.css", "a2"), ("index.html", "<p>2"), ("z.html", "<p>z2")] {
        site.write(name, body);
    }
    let gate = Gate::new();
    let last = |request: &RequestInfo| {
        request.operation == "PutObject" && request.key.ends_with("index.html")
    };
    at_request(&world, 1, last, Fault::HoldBefore(gate.clone()));
    let running = tokio::spawn(deploy(&world, &site).into_future());
    gate.arrived().await;
    let put = world.put_object(BUCKET, "index.html", "<p>theirs", Default::default());
    put.await.unwrap();
    gate.open();
    running.await.unwrap().succeeds().says("meanwhile");
    world.assert_deployed(&site, "");
    world.clock().advance(DAY * 2);
    site.write("z.html", "<p>z3");
    deploy(&world, &site).await.succeeds();
    let oldest = ids(world.unstale("history")).await.pop().unwrap();
    let ran = rollback(&world, &oldest).await.succeeds();
    assert_same(&snapshot(&world), &then, &ran);
}

/// Keys that need care in a copy's source and in URLs.
#[tokio::test]
async fn keys_of_any_characters_come_back() {
    let world = World::new().await;
    let site = Site::empty();
    let names = [
        "100%.txt",
        "a%20b.txt",
        "a+b.txt",
        "a b.txt",
        "~t.txt",
        "o'c (1) [2] {3}, !$&=@;:^`|.txt",
        "s*.txt",
        "q?versionId=x.txt",
        "h#.txt",
        "q\".txt",
        "b\\s.txt",
        "nai\u{308}ve.txt",
        "naïve-nfc.txt",
        "LICENSE",
        "empty.txt",
        "\u{1f600}.txt",
    ];
    let write = |body: &str| {
        for name in names {
            let body = if name == "empty.txt" { "" } else { body };
            site.write(
                name,
                format!("{body}{}", if body.is_empty() { "" } else { name }),
            );
        }
    };
    write("1");
    let with = |command: Unstale| command.with("--prefix").arg("pre+fix %41/");
    with(deploy(&world, &site)).await.succeeds();
    let then = snapshot(&world);
    write("2");
    site.remove("empty.txt");
    with(deploy(&world, &site)).await.succeeds();
    let ran = with(rollback(&world, "")).await.succeeds();
    let visible = |all: &Snapshot| -> Snapshot {
        let all = all.iter().filter(|(key, _)| !key.contains("/.unstale/"));
        all.map(|(key, object)| (key.clone(), object.clone()))
            .collect()
    };
    assert_same(&visible(&snapshot(&world)), &visible(&then), &ran);
}

/// What is kept of a body stays, though somebody else changed its object between.
#[tokio::test]
async fn what_is_kept_stays_though_somebody_else_writes_between() {
    let world = World::new().await;
    let site = Site::of(&[("a.txt", "1"), ("b.txt", "1")]);
    let next = async |body: &str| {
        site.write("a.txt", body);
        site.write("b.txt", body);
        deploy(&world, &site).await.succeeds();
        world.clock().advance(Duration::from_secs(60));
    };
    next("1").await;
    next("2").await;
    // As the first, of which a copy lies there.
    next("1").await;
    let then = snapshot(&world);
    let put = world.put_object(BUCKET, "a.txt", "theirs", Default::default());
    put.await.unwrap();
    next("4").await;
    next("5").await;
    next("6").await;
    let names = ids(world.unstale("history")).await;
    let ran = rollback(&world, &names[3]).await.succeeds();
    assert_same(&snapshot(&world), &then, &ran);
}

/// Off and on, lowered and raised, with sweeps between: the deploy before the last comes back wherever something is kept.
#[tokio::test]
async fn keep_may_change_from_deploy_to_deploy() {
    let world = World::new().await;
    let site = Site::of(&[("a.txt", "0")]);
    world.deploy(&site).await.succeeds();
    for (round, keep) in [3, 0, 3, 1, 2, 0, 1].into_iter().enumerate() {
        site.write("a.txt", format!("{}", round + 1));
        let deploy = kept(world.deploy(&site), &format!("{keep} deploys"));
        deploy.await.succeeds();
        world.clock().advance(DAY * 2);
        if keep == 0 {
            rollback(&world, "").await.exits(1).says("are gone");
            continue;
        }
        for body in [round, round + 1] {
            let ran = rollback(&world, "").await.succeeds();
            let now = world.body(BUCKET, "a.txt").unwrap();
            assert_eq!(now, body.to_string(), "{round} {ran}");
            world.clock().advance(DAY * 2);
        }
    }
}
