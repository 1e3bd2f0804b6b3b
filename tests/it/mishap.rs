//! For the tests of what goes wrong: builds that differ in every way that matters, deploys that die at a given request, and
//! what must hold once a later deploy has ended.

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use local_cloudfront::{Fault, Gate, Headers, RequestInfo};
use md5::{Digest, Md5};
use serde_json::Value;

use crate::support::{BUCKET, Ran, Site, Unstale, World};

/// An object that nobody here deployed.
pub const FOREIGN: &str = "somebody/elses.txt";

/// Pages, fingerprinted assets, a header rule; what the three have, lose and change differs.
pub fn builds() -> [Site; 3] {
    [build_a(), build_b(), build_c()]
}

fn page(asset: &str, text: &str) -> String {
    format!(
        "<link rel=stylesheet href=/assets/{asset}><script src=/plain.js></script><p>{text}<a href=/about.html>"
    )
}

fn build_a() -> Site {
    let old = "app.3f9d02c8b1.css";
    let site = Site::of(&[
        ("index.html", &page(old, "one")),
        ("about.html", &page(old, "about")),
        ("posts/a/index.html", &page(old, "a")),
        ("leaves.html", &page(old, "leaves with B")),
        ("404.html", "<p>not here"),
        ("assets/app.3f9d02c8b1.css", "p{color:red}"),
        ("plain.js", "1"),
        ("gone.txt", "an asset that leaves with B"),
        ("feed.json", "[1]"),
        ("data/same.json", "[2]"),
    ]);
    rule(&site, "");
    site
}

fn build_b() -> Site {
    let new = "app.91c0e4d7aa.css";
    let site = Site::of(&[
        ("index.html", &page(new, "two")),
        ("about.html", &page(new, "about")),
        ("posts/a/index.html", &page(new, "a")),
        ("posts/b/index.html", &page(new, "new with B")),
        ("404.html", "<p>not here"),
        ("assets/app.91c0e4d7aa.css", "p{color:blue}"),
        ("assets/logo.77aa01f3c2.svg", "<svg/>"),
        ("plain.js", "2"),
        ("new.txt", "an asset that is new with B"),
        ("feed.json", "[1]"),
        ("data/same.json", "[2]"),
    ]);
    rule(&site, "max-age=3600");
    site
}

fn build_c() -> Site {
    let new = "app.91c0e4d7aa.css";
    let site = Site::of(&[
        ("index.html", &page(new, "three")),
        ("about.html", &page(new, "about, anew")),
        ("posts/a/index.html", &page(new, "a")),
        ("leaves.html", &page(new, "is back with C")),
        ("404.html", "<p>nothing here"),
        ("assets/app.91c0e4d7aa.css", "p{color:blue}"),
        ("plain.js", "1"),
        ("gone.txt", "is back with C"),
        ("data/same.json", "[2]"),
    ]);
    rule(&site, "max-age=5400");
    site
}

/// Says how JSON may be kept, in the deploy.toml beside the build.
pub fn rule(site: &Site, cache_control: &str) {
    let text = match cache_control {
        "" => String::new(),
        value => format!("[[headers]]\nmatch = \"*.json\"\ncache-control = \"{value}\"\n"),
    };
    std::fs::write(site.project().join("deploy.toml"), text).unwrap();
}

/// `unstale deploy` with the build's own deploy.toml, by which what leaves is deleted at once.
pub fn deploy(world: &World, site: &Site) -> Unstale {
    let command = world.deploy(site).within(site.project());
    command.with("--retain 0s --json")
}

/// A world with this build deployed, somebody else's object beside it, and warm edges.
pub async fn deployed(site: &Site) -> World {
    let world = World::new().await;
    begin(&world, site).await;
    world
}

pub async fn begin(world: &World, site: &Site) {
    let foreign = world.put_object(BUCKET, FOREIGN, "mine", Headers::default());
    foreign.await.unwrap();
    deploy(world, site).await.succeeds();
    world.warm(site).await;
    world.clock().advance(Duration::from_secs(5));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

/// Counts requests from now on, and does this to the one of this number, from 1; those for which `which` is false are not
/// counted.
pub fn at_request(
    world: &World,
    number: usize,
    which: impl Fn(&RequestInfo) -> bool + Send + Sync + 'static,
    fault: Fault,
) {
    let count = Arc::new(AtomicUsize::new(0));
    world.set_rule(move |request| {
        if which(request) && count.fetch_add(1, Ordering::SeqCst) + 1 == number {
            fault.clone()
        } else {
            Fault::None
        }
    });
}

/// Runs the command until its request of this number has arrived, or was carried out, and kills it there. `None`: it ended
/// before.
pub async fn crash(world: &World, command: Unstale, number: usize, side: Side) -> Option<()> {
    crash_at(world, command, number, side, |_| true).await
}

pub async fn crash_at(
    world: &World,
    command: Unstale,
    number: usize,
    side: Side,
    which: impl Fn(&RequestInfo) -> bool + Send + Sync + 'static,
) -> Option<()> {
    let gate = Gate::new();
    let fault = match side {
        Side::Before => Fault::HoldBefore(gate.clone()),
        Side::After => Fault::HoldAfter(gate.clone()),
    };
    at_request(world, number, which, fault);
    let mut run = command.start();
    let arrived = loop {
        tokio::select! {
            () = gate.arrived() => break true,
            () = tokio::time::sleep(Duration::from_millis(5)) => {
                if run.child.try_wait().unwrap().is_some() {
                    break false;
                }
            }
        }
    };
    if arrived {
        run.killed().await;
    } else {
        run.ended().await;
    }
    world.clear_rule();
    // The gate stays shut: what stood before it went down with its process, and must not take effect during a later run.
    lease_runs_out(world);
    arrived.then_some(())
}

/// Runs the command while viewers ask for everything of these builds before each of its removals.
pub async fn visited(world: &World, command: Unstale, builds: [&Site; 2]) -> Ran {
    let gates: Vec<Gate> = (0..8).map(|_| Gate::new()).collect();
    let (held, count) = (gates.clone(), AtomicUsize::new(0));
    world.set_rule(move |request| {
        let gate = (request.operation == "DeleteObjects")
            .then(|| held.get(count.fetch_add(1, Ordering::SeqCst)));
        match gate.flatten() {
            Some(gate) => Fault::HoldBefore(gate.clone()),
            None => Fault::None,
        }
    });
    let visits = async {
        for gate in &gates {
            gate.arrived().await;
            for site in builds {
                world.warm(site).await;
            }
            gate.open();
        }
        std::future::pending::<()>().await;
    };
    let ran = tokio::select! {
        ran = command.into_future() => ran,
        () = visits => unreachable!("visits go on for ever"),
    };
    world.clear_rule();
    ran
}

/// What a site's objects are: content type, Cache-Control and ETag by key.
pub type Objects = BTreeMap<String, (Option<String>, Option<String>, String)>;

/// The bucket's objects, without the state.
pub fn objects(world: &World) -> Objects {
    let keys = world.keys(BUCKET).into_iter();
    let keys = keys.filter(|key| !key.as_str().contains(".unstale/"));
    keys.filter_map(|key| {
        let object = world.object(BUCKET, key.as_str())?;
        let headers = &object.headers;
        Some((
            key.to_string(),
            (
                headers.content_type.clone(),
                headers.cache_control.clone(),
                object.etag.to_string(),
            ),
        ))
    })
    .collect()
}

/// What the bucket is after a deploy of the build that nothing disturbed.
pub async fn as_deployed(site: &Site) -> Objects {
    objects(&deployed(site).await)
}

/// The deploy ended well: no URL stale at any edge, the bucket as if nothing had happened, no debt, the lock free, nothing of
/// others touched.
pub async fn assert_whole(world: &World, site: &Site, wanted: &Objects) {
    assert_eq!(objects(world), *wanted);
    assert_clean(world);
    world.assert_fresh(site, "").await;
}

/// No debt is left, and the lock is free.
#[track_caller]
pub fn assert_clean(world: &World) {
    assert_eq!(debts(world), [""; 0]);
    assert!(lock_is_free(world));
    assert_eq!(world.open_uploads(), 0);
}

/// The state object of the site at the bucket's root.
pub const STATE: &str = ".unstale/state";

/// The state, as it is written.
pub fn state(world: &World) -> Value {
    let body = world.body(BUCKET, STATE).expect("a state");
    serde_json::from_slice(&body).unwrap()
}

/// Puts another state, as it would be written.
pub async fn put_state(world: &World, mut state: Value) {
    let fields = state.as_object_mut().unwrap();
    let version = fields.remove("version").unwrap();
    fields.remove("checksum");
    let rest = state.to_string();
    let checksum = Md5::digest(&rest[1..]);
    let checksum: String = checksum.iter().map(|byte| format!("{byte:02x}")).collect();
    let body = format!(
        "{{\"version\":{version},\"checksum\":\"{checksum}\",{}",
        &rest[1..]
    );
    let put = world.put_object(BUCKET, STATE, body, Headers::default());
    put.await.unwrap();
}

/// The ids of deploys that left something open.
pub fn debts(world: &World) -> Vec<String> {
    let state = state(world);
    let lists = ["open", "unpaid"].map(|name| state[name].as_array().unwrap().clone());
    let ids = lists
        .iter()
        .flatten()
        .map(|open| open["id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

pub fn lock_is_free(world: &World) -> bool {
    state(world)["lease"].is_null()
}

/// Lets so much time pass that a lease which nobody renews has run out, its grace too.
pub fn lease_runs_out(world: &World) {
    world.clock().advance(Duration::from_secs(100));
}

/// A bound in seconds, or a choice, from outside.
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Versions of a real site: folders v1, v2, ...
pub fn versions(folder: &Path) -> Vec<std::path::PathBuf> {
    (1..)
        .map(|at| folder.join(format!("v{at}")))
        .take_while(|folder| folder.is_dir())
        .collect()
}
