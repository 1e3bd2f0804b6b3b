use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::server::{Fault, Server};
use super::{all_said, deploy, entry, said, store, store_at};
use crate::domain::manifest::{Delta, Life, Manifest, Told};
use crate::domain::{Headers, Key};
use crate::state::head::{HeadState, Loaded, RECENT, Update};
use crate::state::history::{Change, Outcome, Past, Record};
use crate::state::{StateError, Store};

const HEAD: &str = "site/.unstale/head";

fn key(number: u64) -> Key {
    Key::new(format!("posts/{number:06}/index.html"))
}

fn update(number: u64, delta: Delta) -> Update {
    Update {
        deploy: deploy(number),
        paths: 3,
        delta,
        distributions: BTreeMap::from([(
            "E1".to_owned(),
            Told {
                config: u64::MAX,
                since: number as i64,
                tags_since: None,
            },
        )]),
    }
}

/// Reads, changes and writes as a deploy does, with its record in the history.
async fn write(store: &Store, number: u64, changes: &[(u64, Option<u64>)]) -> HeadState {
    let head = store.read_head().await.unwrap();
    let mut loaded = store.read_manifest(&head).await.unwrap();
    let delta = delta(&mut loaded, changes);
    let record = record(number, &loaded.manifest, &delta);
    let update = update(number, delta);
    let head = store.write_manifest(&head, &mut loaded, update).await;
    store.write_history(&record, 1).await.unwrap();
    head.unwrap()
}

fn delta(loaded: &mut Loaded, changes: &[(u64, Option<u64>)]) -> Delta {
    let mut delta = Delta::default();
    for (number, seed) in changes {
        match seed {
            Some(seed) => {
                let entry = entry(&mut loaded.manifest.tables, *seed);
                delta.upsert(key(*number), entry);
            }
            None => delta.remove(key(*number)),
        }
    }
    delta
}

fn record(number: u64, manifest: &Manifest, delta: &Delta) -> Record {
    let changes = delta.changes.iter().map(|(key, change)| Change {
        key: key.clone(),
        before: None,
        after: change.as_ref().map(|entry| {
            let served = manifest.tables.served(entry.served).unwrap();
            let mut headers = Headers {
                cache_control: served.cache_control.clone(),
                content_type: served.content_type.clone(),
                redirect: served.redirect.clone(),
                ..Headers::default()
            };
            if let Some(sort) = served.tags {
                crate::domain::tags::add(&mut headers, key.as_str(), sort);
            }
            Past {
                etag: entry.etag.clone(),
                version_id: entry.version_id.clone(),
                digest: None,
                fingerprint: entry.headers,
                headers: Some(std::sync::Arc::new(headers)),
                life: entry.life,
            }
        }),
    });
    Record {
        id: deploy(number).id,
        at: deploy(number).at,
        who: String::new(),
        host: String::new(),
        commit: None,
        dir: String::new(),
        rollback_of: None,
        changes: changes.collect(),
        purges: Vec::new(),
        outcome: Outcome::Done,
    }
}

async fn load(store: &Store) -> (HeadState, Loaded) {
    let head = store.read_head().await.unwrap();
    let loaded = store.read_manifest(&head).await.unwrap();
    (head, loaded)
}

/// What history can tell of a manifest.
fn essence(manifest: &Manifest) -> Vec<(Key, String)> {
    let entries = manifest.entries.iter();
    entries
        .map(|(key, entry)| {
            let (plain, served, _, _) = said(&manifest.tables, entry);
            let text = format!(
                "{} {} {:?} {:?} {served:?}",
                plain.etag, plain.headers, plain.life, plain.version_id
            );
            (key.clone(), text)
        })
        .collect()
}

fn all(count: u64) -> Vec<(u64, Option<u64>)> {
    (0..count).map(|number| (number, Some(number))).collect()
}

/// Base, `mid` and inline changes, all with something in them.
async fn three_layers(server: &Server) -> Store {
    let store = store_at(server).await;
    write(&store, 1, &all(9000)).await;
    write(&store, 2, &[(3, Some(1_000_002)), (4, None)]).await;
    let some: Vec<_> = (100..1000).map(|n| (n, Some(n + 2_000_000))).collect();
    write(&store, 3, &some).await;
    let more: Vec<_> = (1000..1500).map(|n| (n, Some(n + 2_000_000))).collect();
    write(&store, 4, &more).await;
    let head = write(&store, 5, &[(5, Some(3_000_002)), (101, None)]).await;
    let head = head.head().unwrap();
    assert!(head.base.is_some() && head.mid.is_some() && !head.inline.is_empty());
    store
}

#[test]
fn base_and_deltas_are_what_all_changes_in_order_are() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let change = (0..4000_u64, proptest::option::weighted(0.8, any::<u64>()));
    let deploys = proptest::collection::vec(proptest::collection::vec(change, 0..1500), 1..12);
    let mut runner = TestRunner::new(Config::with_cases(4));
    let result = runner.run(&(deploys, any::<bool>()), |(deploys, large)| {
        runtime.block_on(async {
            let (_server, store) = store().await;
            let mut model = BTreeMap::new();
            let first = if large { all(9000) } else { Vec::new() };
            for (number, changes) in [first].into_iter().chain(deploys).enumerate() {
                let head = write(&store, number as u64, &changes).await;
                model.extend(changes);
                let (_, loaded) = load(&store).await;
                let mut expected = Manifest::default();
                for (number, seed) in &model {
                    if let Some(seed) = seed {
                        let entry = entry(&mut expected.tables, *seed);
                        expected.entries.insert(key(*number), entry);
                    }
                }
                prop_assert!(loaded.warnings.is_empty());
                prop_assert!(all_said(&loaded.manifest) == all_said(&expected));
                let head = head.head().unwrap();
                prop_assert_eq!(head.live_digest, Some(expected.live_digest()));
                prop_assert_eq!(head.live, expected.live().count() as u64);
                prop_assert_eq!(&loaded.manifest.distributions, &head.distributions);
            }
            Ok(())
        })
    });
    result.unwrap();
}

#[tokio::test]
async fn one_change_in_a_hundred_thousand_writes_kilobytes() {
    let (server, store) = store().await;
    let mut head = write(&store, 0, &all(100_000)).await;
    let mut loaded = store.read_manifest(&head).await.unwrap();
    for number in 1..=RECENT as u64 + 1 {
        server.received();
        let delta = delta(&mut loaded, &[(number, Some(number + 1_000_000))]);
        let update = update(number, delta);
        head = store
            .write_manifest(&head, &mut loaded, update)
            .await
            .unwrap();
        let received = server.received();
        assert!(received < 32_000, "{received} bytes in deploy {number}");
        assert!(number > 1 || received < 2_000, "{received} bytes at first");
    }
    let head = head.head().unwrap();
    assert_eq!(head.recent.len(), RECENT);
    assert_eq!(head.paths_in_month(deploy(1).at), 3 * 102);
    let (_, read) = load(&store).await;
    assert!(all_said(&read.manifest) == all_said(&loaded.manifest));
}

#[tokio::test]
async fn whatever_is_damaged_is_made_good_and_written_anew() {
    let (server, _) = store().await;
    let store = three_layers(&server).await;
    let (_, whole) = load(&store).await;
    let objects = server.objects();
    for broken in ["head", "-base-", "-mid-", "gone", "all", "inline"] {
        server.restore(&objects).await;
        let files = server.keys("site/.unstale/manifest/");
        match broken {
            "gone" => server.remove(HEAD),
            "head" => {
                let head = server.body(HEAD);
                server.put(HEAD, head.slice(..head.len() / 2)).await;
            }
            "inline" => {
                let text = String::from_utf8(server.body(HEAD).to_vec()).unwrap();
                let text = text.replace("\"inline\":\"", "\"inline\":\"AAAA");
                server.put(HEAD, text).await;
            }
            kind => {
                for file in &files {
                    if kind == "all" || file.contains(kind) {
                        server.damage(file).await;
                    }
                }
            }
        }
        let (head, loaded) = load(&store).await;
        assert!(!loaded.warnings.is_empty(), "{broken}");
        assert!(
            essence(&loaded.manifest) == essence(&whole.manifest),
            "{broken}: {:?}",
            loaded.warnings
        );
        drop((head, loaded));
        write(&store, 6, &[(7, Some(4_000_002))]).await;
        let (_, again) = load(&store).await;
        assert_eq!(again.warnings, Vec::<String>::new(), "{broken}");
        assert_eq!(again.manifest.entries.len(), whole.manifest.entries.len());
    }
}

#[tokio::test]
async fn only_what_head_names_counts_and_the_rest_is_swept() {
    let (server, _) = store().await;
    let store = three_layers(&server).await;
    let left = "site/.unstale/manifest/00000000000000000001-base-x".to_owned();
    server.put(&left, "left over").await;
    let (_, loaded) = load(&store).await;
    assert!(loaded.warnings.is_empty());
    let some: Vec<_> = (0..8000).map(|n| (n, Some(n + 5_000_000))).collect();
    write(&store, 6, &some).await;
    let head = write(&store, 7, &[]).await;
    let head = head.head().unwrap();
    assert!(head.previous.is_some() && head.mid.is_none());
    assert!(!server.keys("").contains(&left));
}

#[tokio::test]
async fn a_head_that_moved_is_not_overwritten() {
    let (server, store) = store().await;
    write(&store, 1, &all(3)).await;
    let (head, mut loaded) = load(&store).await;
    let (absent, mut empty) = (HeadState::Absent, Loaded::default());
    write(&store, 2, &[(9, Some(2))]).await;
    let late = store.write_manifest(&head, &mut loaded, update(3, Delta::default()));
    assert!(matches!(late.await, Err(StateError::Moved { .. })));
    let late = store.write_manifest(&absent, &mut empty, update(3, Delta::default()));
    assert!(matches!(late.await, Err(StateError::Moved { .. })));
    let (_, loaded) = load(&store).await;
    assert_eq!(loaded.manifest.entries.len(), 4);
    assert_eq!(server.keys("site/.unstale/manifest/").len(), 0);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_has_succeeded() {
    let (server, store) = store().await;
    let mut left = 1;
    server.faults(move |method, key| {
        if method == "PUT" && key.ends_with("/head") && left > 0 {
            left -= 1;
            return Fault::FailAfter(500, "InternalError");
        }
        Fault::None
    });
    write(&store, 1, &all(3)).await;
    let (_, loaded) = load(&store).await;
    assert_eq!(loaded.manifest.entries.len(), 3);
}

#[tokio::test]
async fn a_head_of_a_newer_version_is_refused() {
    let (server, store) = store().await;
    let body = "{\"version\":2,\"everything\":\"else\"}";
    server.put(HEAD, body).await;
    let error = store.read_head().await.unwrap_err();
    assert!(matches!(error, StateError::Newer { version: 2, .. }));
}

#[tokio::test]
async fn tombstones_and_kept_assets_are_not_live() {
    let mut manifest = Manifest::default();
    for seed in 0..12 {
        let entry = entry(&mut manifest.tables, seed);
        manifest.entries.insert(key(seed), entry);
    }
    let before = manifest.live_digest();
    assert_eq!(manifest.live().count(), 8);
    let entry = manifest.entries.get(key(2).as_str()).unwrap().clone();
    let retained = entry.with_life(Life::Retained { since: 1 });
    manifest.entries.insert(key(2), retained);
    assert_ne!(manifest.live_digest(), before);
}
