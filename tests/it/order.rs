//! No broken visit: between any two requests of a deploy, no page that an edge gives refers to an asset that it does not, and
//! no page that was live before leads to a new one that is not.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use local_cloudfront::{EdgeHandle, Fault, TakesEffect};
use unstale::rules::links::html_links;

use crate::mishap::{Side, assert_clean, begin, builds, crash, deploy, setting, versions};
use crate::support::{Site, World, fixture, url_of};

type Files = BTreeMap<String, Vec<u8>>;

/// What the builds before and after hold.
struct Probe {
    builds: [Files; 2],
    /// By page: what it refers to, where its own build has that.
    links: BTreeMap<Vec<u8>, BTreeSet<String>>,
    broken: Mutex<Vec<String>>,
    looks: Mutex<usize>,
}

impl Probe {
    fn new(before: &Site, after: &Site) -> Self {
        let builds = [before.files(), after.files()];
        let mut links = BTreeMap::new();
        for (number, build) in builds.iter().enumerate() {
            // Pages that go are taken from under older ones, and nobody finds new ones before something live leads there.
            let lead = |key: &str| number == 1 && builds[0].contains_key(key);
            for (key, body) in build {
                let found = match key.rsplit('.').next() {
                    Some("html") => html_links(key, body),
                    Some("css") => {
                        html_links(key, &[b"<style>".as_slice(), body.as_slice()].concat())
                    }
                    _ => continue,
                };
                let index = |link: String| {
                    if link.ends_with('/') {
                        link + "index.html"
                    } else {
                        link
                    }
                };
                let theirs = found.into_iter().map(index).filter(|link| {
                    build.contains_key(link) && (lead(key) || !link.ends_with(".html"))
                });
                links.insert(body.clone(), theirs.collect());
            }
        }
        Self {
            builds,
            links,
            broken: Mutex::default(),
            looks: Mutex::default(),
        }
    }

    /// Asks an edge for all pages, and for all that these refer to.
    fn look(&self, edge: &EdgeHandle, when: &str) {
        let get = |path: &str| edge.get(&url_of(path)).now_or_never().expect("at once");
        let keys = self.builds.iter().flat_map(|build| build.keys());
        let pages: BTreeSet<&String> = keys.filter(|key| key.ends_with(".html")).collect();
        for page in pages {
            let answer = get(page);
            if answer.status != 200 {
                continue;
            }
            let links = self.links.get(answer.body.as_ref());
            for link in links.into_iter().flatten() {
                *self.looks.lock().unwrap() += 1;
                let asset = get(link);
                if asset.status != 200 {
                    self.broken.lock().unwrap().push(format!(
                        "{when}: {page} at edge {} refers to {link}, which is {}",
                        edge.number, asset.status
                    ));
                }
            }
        }
    }
}

/// Looks before each request: at a warm edge, at one that forgets all now and then, and at a cold one.
fn watch(world: &World, probe: &Arc<Probe>) {
    let inner: local_cloudfront::World = (**world).clone();
    let (distribution, probe) = (world.distribution.clone(), probe.clone());
    let count = Mutex::new(0_u32);
    world.set_rule(move |request| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let when = format!("before {} {}", request.operation, request.key);
        for number in 0..3 {
            let edge = inner.edge(&distribution, number);
            if number == 2 || number == 1 && (*count).is_multiple_of(4) {
                edge.chill();
            }
            probe.look(&edge, &when);
        }
        inner.clock().advance(Duration::from_secs(1));
        Fault::None
    });
}

async fn no_visit_breaks(before: &Site, after: &Site, effect: TakesEffect, flags: &str) -> usize {
    let world = World::new().await;
    begin(&world, before).await;
    world.cloud_options(|options| {
        options.invalidation_time = Duration::from_secs(2);
        options.takes_effect = effect;
    });
    let probe = Arc::new(Probe::new(before, after));
    watch(&world, &probe);
    let ran = deploy(&world, after).with(flags).await;
    world.clear_rule();
    ran.succeeds();
    for edge in world.edges(&world.distribution) {
        probe.look(&edge, "at the end");
    }
    let broken = probe.broken.lock().unwrap().clone();
    assert!(
        broken.is_empty(),
        "{} broken: {:#?}",
        broken.len(),
        &broken[..broken.len().min(5)]
    );
    assert_clean(&world);
    let looks = *probe.looks.lock().unwrap();
    assert!(looks > 0);
    looks
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_is_live_without_what_it_refers_to() {
    let [a, b, c] = builds();
    for effect in [TakesEffect::WhenAccepted, TakesEffect::WhenCompleted] {
        for flags in ["", "--no-wait", "--purge all"] {
            no_visit_breaks(&a, &b, effect, flags).await;
        }
        no_visit_breaks(&b, &c, effect, "").await;
        no_visit_breaks(&c, &a, effect, "").await;
    }
}

/// A site before and after an edit: new pages of which a deep one leads to one that is not, live pages that lead to them and
/// that do not.
fn edit() -> [Site; 2] {
    let before = Site::of(&[
        ("index.html", "<p>1"),
        ("alone.html", "<p>1"),
        ("list.html", "<p>1"),
        ("new/index.html", "<p>1"),
        ("feed.xml", "<feed>1</feed>"),
    ]);
    let list = "<a href=\"https://www.example.org/new/deep/\">";
    let after = Site::of(&[
        ("index.html", "<p>2"),
        ("alone.html", "<p>2<a href=list.html>"),
        ("list.html", list),
        ("new/index.html", "<p>2, by a script"),
        ("feed.xml", "<feed>2</feed>"),
        ("flat.html", "<p>2"),
        ("new/deep/index.html", "<a href=../../flat.html>"),
    ]);
    [before, after]
}

#[tokio::test(flavor = "multi_thread")]
async fn live_pages_follow_new_ones_and_the_root_comes_last() {
    let [before, after] = edit();
    no_visit_breaks(&before, &after, TakesEffect::WhenCompleted, "").await;
    let world = World::new().await;
    begin(&world, &before).await;
    world.forget();
    deploy(&world, &after).await.succeeds();
    let writes = world.site_writes();
    let of = |keys: &[&str]| -> Vec<usize> {
        let at = |key: &&str| {
            writes
                .iter()
                .position(|one| *one == format!("PutObject {key}"))
        };
        keys.iter().map(|key| at(key).unwrap()).collect()
    };
    let steps = [
        of(&["flat.html", "new/deep/index.html"]),
        // A script may lead to a new page where no link does.
        of(&["alone.html", "list.html", "new/index.html"]),
        of(&["feed.xml"]),
        of(&["index.html"]),
    ];
    for pair in steps.windows(2) {
        assert!(pair[0].iter().max() < pair[1].iter().min(), "{writes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_in_the_deploy_after_a_crash() {
    let [a, b, c] = builds();
    for number in [7, 10, 13, 16] {
        for then in [&c, &a] {
            let world = World::new().await;
            begin(&world, &a).await;
            let killed = crash(&world, deploy(&world, &b), number, Side::After).await;
            killed.unwrap();
            world.warm(&b).await;
            for (before, after) in [(&a, then), (&b, then)] {
                let probe = Arc::new(Probe::new(before, after));
                watch(&world, &probe);
                let ran = deploy(&world, then).await;
                world.clear_rule();
                ran.succeeds();
                assert_eq!(
                    *probe.broken.lock().unwrap(),
                    [""; 0],
                    "after request {number}"
                );
            }
        }
    }
}

async fn version_after_version(folder: &Path) {
    let all = versions(folder);
    for pair in all.windows(2) {
        let [before, after] = [Site::copy_of(&pair[0]), Site::copy_of(&pair[1])];
        let flags = "--max-delete 10000";
        let looks = no_visit_breaks(&before, &after, TakesEffect::WhenCompleted, flags).await;
        println!("{}: {looks} references followed", pair[1].display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_between_versions_of_real_sites() {
    for name in ["hexo", "jekyll", "vite"] {
        version_after_version(fixture(name, "v1").parent().unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn nor_between_versions_of_whole_sites() {
    let Some(folder) = setting("UNSTALE_SITES") else {
        return;
    };
    for entry in std::fs::read_dir(folder).unwrap() {
        version_after_version(&entry.unwrap().path()).await;
    }
}
