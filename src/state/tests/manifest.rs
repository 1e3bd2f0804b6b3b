use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::server::Server;
use super::{
    STATE, all_said, alter, begin, deploy, entry, journal, read, recent, said, store, store_at,
};
use crate::object::manifest::{DeployId, Manifest, ManifestDelta, ToldDistribution};
use crate::object::{Headers, Key};
use crate::state::history::{HistoryRecord, KeyChange, PastObject, PastOutcome};
use crate::state::{
    EndOfDeploy, KeptNames, Lease, LoadedManifest, ManifestUpdate, RECENT, RecentDeploy,
    StateError, StateObject, StateStore, mint,
};

const MANIFEST: &str = "site/.unstale/manifest/";

fn key(number: u64) -> Key {
    Key::new(format!("posts/{number:06}/index.html"))
}

fn told(number: u64) -> BTreeMap<String, ToldDistribution> {
    let told = ToldDistribution {
        config: u64::MAX,
        since: number as i64,
        tags_since: None,
    };
    BTreeMap::from([("E1".to_owned(), told)])
}

/// Begins, reads, changes and ends as a deploy does.
async fn write(store: &StateStore, number: u64, changes: &[(u64, Option<u64>)]) -> StateObject {
    let (_, mut loaded) = load(store).await;
    let lease = begin(store, deploy(number).id.as_str(), Some(&journal(1))).await;
    write_under(&lease, number, &mut loaded, changes).await
}

async fn write_under(
    lease: &Lease,
    number: u64,
    loaded: &mut LoadedManifest,
    changes: &[(u64, Option<u64>)],
) -> StateObject {
    let end = end_of(lease, number, loaded, changes).await;
    lease.end(end).await.unwrap()
}

/// Writes the files of a deploy that makes these changes.
async fn end_of(
    lease: &Lease,
    number: u64,
    loaded: &mut LoadedManifest,
    changes: &[(u64, Option<u64>)],
) -> EndOfDeploy {
    let delta = delta(loaded, changes);
    let record = record(number, &loaded.manifest, &delta);
    let deploy = deploy(number);
    let update = ManifestUpdate {
        deploy: deploy.clone(),
        delta,
    };
    let written = lease.write_files(loaded, update, &record).await;
    let (manifest, counter) = written.unwrap();
    EndOfDeploy {
        recent: RecentDeploy {
            at: deploy.at,
            ..recent(deploy.id.as_str(), counter)
        },
        manifest,
        told: told(number),
        warned: Default::default(),
        struck: Vec::new(),
        left: None,
        unpaid: Vec::new(),
        suspects: Vec::new(),
        kept: KeptNames::default(),
        gone: None,
    }
}

fn delta(loaded: &mut LoadedManifest, changes: &[(u64, Option<u64>)]) -> ManifestDelta {
    let mut delta = ManifestDelta::default();
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

fn record(number: u64, manifest: &Manifest, delta: &ManifestDelta) -> HistoryRecord {
    let changes = delta.changes.iter().map(|(key, change)| KeyChange {
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
                crate::object::tags::add(&mut headers, key.as_str(), sort);
            }
            PastObject {
                etag: entry.etag.clone(),
                version_id: entry.version_id.clone(),
                digest: None,
                fingerprint: entry.headers,
                headers: Some(std::sync::Arc::new(headers)),
                life: entry.life,
            }
        }),
    });
    HistoryRecord {
        id: deploy(number).id,
        at: deploy(number).at,
        who: String::new(),
        host: String::new(),
        commit: None,
        dir: String::new(),
        rollback_of: None,
        changes: changes.collect(),
        purges: Vec::new(),
        outcome: PastOutcome::Done,
    }
}

async fn load(store: &StateStore) -> (StateObject, LoadedManifest) {
    let observed = read(store).await;
    let loaded = store.read_manifest(&observed, true).await.unwrap();
    (observed.object, loaded)
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

fn others(numbers: std::ops::Range<u64>) -> Vec<(u64, Option<u64>)> {
    numbers
        .map(|number| (number, Some(number + 2_000_000)))
        .collect()
}

/// Base, `mid` and inline changes, all with something in them.
async fn three_layers(server: &Server) -> StateStore {
    let store = store_at(server).await;
    write(&store, 1, &all(9000)).await;
    write(&store, 2, &[(3, Some(1_000_002)), (4, None)]).await;
    write(&store, 3, &others(100..1000)).await;
    write(&store, 4, &others(1000..1500)).await;
    let state = write(&store, 5, &[(5, Some(3_000_002)), (101, None)]).await;
    let files = state.manifest;
    assert!(files.base.is_some() && files.mid.is_some() && !files.inline.is_empty());
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
                write(&store, number as u64, &changes).await;
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
                prop_assert_eq!(&loaded.manifest.distributions, &told(number as u64));
            }
            Ok(())
        })
    });
    result.unwrap();
}

#[tokio::test]
async fn one_change_in_a_hundred_thousand_writes_kilobytes() {
    let (server, store) = store().await;
    write(&store, 0, &all(100_000)).await;
    let (_, mut loaded) = load(&store).await;
    for number in 1..=20 {
        server.received();
        let lease = begin(&store, deploy(number).id.as_str(), Some(&journal(1))).await;
        let changes = [(number, Some(number + 1_000_000))];
        write_under(&lease, number, &mut loaded, &changes).await;
        let received = server.received();
        assert!(received < 32_000, "{received} bytes in deploy {number}");
        assert!(number > 1 || received < 5_000, "{received} bytes at first");
    }
    let (_, read) = load(&store).await;
    assert!(all_said(&read.manifest) == all_said(&loaded.manifest));
}

#[tokio::test]
async fn the_last_hundred_deploys_are_remembered_and_all_their_paths() {
    let (_server, store) = store().await;
    for number in 0..RECENT as u64 + 2 {
        write(&store, number, &[]).await;
    }
    let state = read(&store).await.object;
    assert_eq!(state.recent.len(), RECENT);
    assert_eq!(state.recent[0].id, deploy(2).id);
    assert_eq!(state.paths_in_month(deploy(1).at), 3 * 102);
}

#[tokio::test]
async fn paths_are_counted_for_three_months() {
    let (_server, store) = store().await;
    let month = 31 * 86_400;
    for number in [0, 1, 2, 3].map(|months| months * month) {
        write(&store, number, &[]).await;
    }
    let state = read(&store).await.object;
    let sent = [0, 1, 2, 3].map(|months| state.paths_in_month(deploy(months * month).at));
    assert_eq!(sent, [0, 3, 3, 3]);
}

#[tokio::test]
async fn whatever_is_damaged_is_made_good_and_written_anew() {
    let (server, _) = store().await;
    let store = three_layers(&server).await;
    let (_, whole) = load(&store).await;
    let objects = server.objects();
    for broken in ["-base-", "-mid-", "state", "all", "inline", "gone"] {
        server.restore(&objects).await;
        let files = server.keys(MANIFEST);
        match broken {
            "state" => {
                server.damage(STATE).await;
                let damaged = store.read_state().await;
                assert!(matches!(damaged, Err(StateError::Corrupt { .. })));
                server.remove(STATE);
            }
            "inline" => {
                let damage = |state: &mut StateObject| state.manifest.inline.insert_str(0, "AAAA");
                alter(&server, damage).await;
            }
            "gone" => files.iter().for_each(|file| server.remove(file)),
            kind => {
                for file in &files {
                    if kind == "all" || file.contains(kind) {
                        server.damage(file).await;
                    }
                }
            }
        }
        let (_, loaded) = load(&store).await;
        assert!(!loaded.warnings.is_empty(), "{broken}");
        assert!(
            essence(&loaded.manifest) == essence(&whole.manifest),
            "{broken}: {:?}",
            loaded.warnings
        );
        write(&store, 6, &[(7, Some(4_000_002))]).await;
        let (_, again) = load(&store).await;
        assert_eq!(again.warnings, Vec::<String>::new(), "{broken}");
        assert_eq!(again.manifest.entries.len(), whole.manifest.entries.len());
    }
}

#[tokio::test]
async fn a_state_that_is_lost_twice_is_made_good_in_the_order_of_the_deploys() {
    let (server, store) = store().await;
    // So that the counter, which begins anew, lies behind that of the base.
    write(&store, 0, &[]).await;
    three_layers(&server).await;
    server.remove(STATE);
    write(&store, 6, &[(5, Some(4_000_002))]).await;
    let (_, whole) = load(&store).await;
    server.remove(STATE);
    let records = server.keys("site/.unstale/history/");
    assert!(records.last().unwrap().ends_with("deploy-5"));
    let (_, loaded) = load(&store).await;
    assert!(loaded.warnings[2].contains("history of 6 deploys"));
    assert!(essence(&loaded.manifest) == essence(&whole.manifest));
}

#[tokio::test]
async fn nothing_is_made_good_where_nothing_was_ever_written() {
    let (_server, store) = store().await;
    for found_more in [false, true] {
        let observed = read(&store).await;
        let loaded = store.read_manifest(&observed, found_more).await.unwrap();
        assert!(loaded.warnings.is_empty() && loaded.manifest.entries.is_empty());
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_not_made_good() {
    let (server, _) = store().await;
    let store = three_layers(&server).await;
    let body = zstd::encode_all(&b"{\"version\":9}\n"[..], 3).unwrap();
    let digest = crate::state::md5_of(&body);
    let objects = server.objects();
    for kind in ["-base-", "-mid-"] {
        server.restore(&objects).await;
        let mut files = server.keys(MANIFEST);
        files.retain(|file| file.contains(kind));
        for file in &files {
            server.put(file, body.clone()).await;
        }
        alter(&server, |state| {
            let files = &mut state.manifest;
            for file in [&mut files.base, &mut files.mid].into_iter().flatten() {
                if file.name.contains(kind) {
                    file.digest = digest;
                }
            }
        })
        .await;
        let read = store.read_manifest(&read(&store).await, true).await;
        assert!(matches!(read, Err(StateError::Newer { version: 9, .. })));
    }
}

#[tokio::test]
async fn only_what_the_state_names_counts() {
    let (server, _) = store().await;
    let store = three_layers(&server).await;
    let left = format!("{MANIFEST}999999999999-base-x");
    server.put(&left, "left over").await;
    let (_, loaded) = load(&store).await;
    assert!(loaded.warnings.is_empty());
    write(&store, 6, &others(0..8000)).await;
    let state = write(&store, 7, &[]).await;
    let files = &state.manifest;
    assert!(files.previous.is_some() && files.mid.is_none());
    server.set_now(100_000);
    let all = store.list_files().await.unwrap();
    let now = read(&store).await.at;
    store.sweep(&state, [].iter(), &all, now).await.unwrap();
    let mut named: Vec<_> = files.names().map(|name| store.key(name)).collect();
    named.sort();
    assert_eq!(server.keys(MANIFEST), named);
    let (_, loaded) = load(&store).await;
    assert_eq!(loaded.manifest.entries.len(), 9000);
}

#[tokio::test]
async fn a_state_that_moved_is_not_overwritten() {
    let (server, store) = store().await;
    write(&store, 1, &all(3)).await;
    let lease = begin(&store, "late", Some(&journal(1))).await;
    let (_, mut loaded) = load(&store).await;
    store.force_unlock().await.unwrap();
    write(&store, 2, &[(9, Some(2))]).await;
    let update = ManifestUpdate {
        deploy: deploy(3),
        delta: delta(&mut loaded, &[(1, None)]),
    };
    let record = record(3, &loaded.manifest, &update.delta);
    let written = lease.write_files(&mut loaded, update, &record).await;
    let (manifest, counter) = written.unwrap();
    let mut end = super::ending(&read(&store).await.object, "late");
    end.manifest = manifest;
    end.recent.counter = counter;
    assert!(matches!(lease.end(end).await, Err(StateError::Lost)));
    let (_, loaded) = load(&store).await;
    assert_eq!(loaded.manifest.entries.len(), 4);
    assert_eq!(server.keys(MANIFEST).len(), 0);
}

/// The most that a deploy of two distributions leaves: three ids for each of them.
fn long_recent(number: u64) -> RecentDeploy {
    let ids = vec![format!("I{number:025}"); 3];
    RecentDeploy {
        id: mint(deploy(number).at),
        at: deploy(number).at,
        paths: 3000,
        counter: 100_000 + number,
        outcome: PastOutcome::Incomplete,
        invalidations: ["E", "F"]
            .map(|target| (format!("{target}{number:013}"), ids.clone()))
            .into(),
    }
}

#[tokio::test]
async fn the_state_stays_small_however_much_it_holds() {
    let (server, store) = store().await;
    let limit = 64 << 10;
    write(&store, 0, &all(9000)).await;
    alter(&server, |state| {
        state.recent = (0..RECENT as u64).map(long_recent).collect();
    })
    .await;
    let (mut inline, mut number) = (0, 0);
    loop {
        number += 1;
        // Several deploys die, with journals large and small.
        for keys in [1, 20, 100, 150, 3000] {
            let name = format!("20261121T150000Z-{number:06x}{keys:06x}");
            begin(&store, &name, Some(&journal(keys))).await;
            store.force_unlock().await.unwrap();
        }
        let (state, mut loaded) = load(&store).await;
        assert!(server.body(STATE).len() < limit);
        let open = store.read_open(&read(&store).await).await.unwrap();
        assert_eq!(open.journals.len(), 5);
        assert!(open.journals.iter().all(|open| open.journal.is_ok()));
        let lease = begin(&store, "last", Some(&journal(100))).await;
        let changes = others(number * 50..(number + 1) * 50);
        let mut end = end_of(&lease, number, &mut loaded, &changes).await;
        end.recent = long_recent(number);
        end.struck = state.open.iter().map(|open| open.id.clone()).collect();
        end.struck.push(DeployId::new("last"));
        // All that can be is left unpaid and suspect.
        for seed in 0..6 {
            let paths = (0..100).map(|path| format!("/{}", super::digest(path)));
            let owed = BTreeMap::from([("E1".to_owned(), paths.collect())]);
            end.unpaid.push((super::id("x"), "public".to_owned(), owed));
            end.suspects.push((seed, journal(100).keys));
        }
        let state = lease.end(end).await.unwrap();
        assert!(server.body(STATE).len() < limit);
        if state.manifest.mid.is_some() {
            break;
        }
        inline = state.manifest.inline.len();
    }
    assert!(inline > 8 << 10, "{inline} bytes");
}
