//! What is stored comes back, whatever happens to it on the way.

mod codec;
mod document;
mod gone;
mod kept;
mod lease;
mod manifest;
mod server;

use std::collections::BTreeMap;

use super::history::PastOutcome;
use super::{
    BeginOutcome, EndOfDeploy, KeptNames, Lease, LeaseTiming, ObservedState, RecentDeploy,
    StateObject, StateStore,
};
use crate::aws::{AwsClients, AwsConnection};
use crate::object::entry::{EntryLife, ManifestEntry, NoiselessDigest, ServedId};
use crate::object::journal::{Journal, JournaledPurge, PurgeBatch, TouchAction, TouchedKey};
use crate::object::manifest::{DeployId, DeployRef, Manifest, ManifestTables, ServedHeaders};
use crate::object::{ETag, HeaderFingerprint, Key, Md5};
use server::Server;

const STATE: &str = "site/.unstale/state";

/// A store in a server of its own, whose clock it knows. Nothing is renewed unless a test says so.
async fn store() -> (Server, StateStore) {
    let server = Server::start().await;
    let store = store_at(&server).await;
    store.list_files().await.unwrap();
    (server, store)
}

/// As another machine has it.
async fn store_at(server: &Server) -> StateStore {
    let connection = AwsConnection {
        endpoint_url: Some(server.url()),
        local: true,
        ..AwsConnection::default()
    };
    let aws = AwsClients::connect(connection, None).await.unwrap();
    StateStore {
        bucket: aws.bucket(server::BUCKET, None),
        root: "site/.unstale/".to_owned(),
        site: (server::BUCKET.to_owned(), "site/".to_owned()),
        official: false,
        timing: LeaseTiming {
            poll: std::time::Duration::from_millis(5),
            ..LeaseTiming::default()
        },
    }
}

fn id(name: &str) -> DeployId {
    DeployId::new(name)
}

async fn read(store: &StateStore) -> ObservedState {
    store.read_state().await.unwrap()
}

/// Takes the lease of a state as it is, for a deploy that says what it will do, or for none.
async fn begin(store: &StateStore, name: &str, journal: Option<&Journal>) -> Lease {
    let observed = read(store).await;
    let journal = journal.map(|journal| ("public", journal));
    match store.begin(&observed, &id(name), journal).await.unwrap() {
        BeginOutcome::Held(lease) => lease,
        BeginOutcome::Moved => panic!("the state moved"),
    }
}

/// The end of a deploy that changed nothing.
fn ending(state: &StateObject, name: &str) -> EndOfDeploy {
    EndOfDeploy {
        recent: recent(name, state.counter),
        manifest: state.manifest.clone(),
        told: BTreeMap::new(),
        warned: Default::default(),
        struck: Vec::new(),
        left: None,
        unpaid: Vec::new(),
        suspects: Vec::new(),
        kept: KeptNames::default(),
        gone: None,
    }
}

fn recent(name: &str, counter: u64) -> RecentDeploy {
    RecentDeploy {
        id: id(name),
        at: deploy(0).at,
        paths: 3,
        counter,
        outcome: PastOutcome::Done,
        invalidations: BTreeMap::new(),
    }
}

/// A journal of so many keys, whose digests do not compress.
fn journal(keys: u64) -> Journal {
    let batch = PurgeBatch {
        reference: "r".to_owned(),
        paths: vec!["/".to_owned(), "/a b".to_owned()],
        late: true,
    };
    let purge = JournaledPurge {
        paths: vec!["/old".to_owned()],
        batches: vec![batch],
    };
    Journal {
        keys: (0..keys).map(touched).collect(),
        purges: BTreeMap::from([("E1".to_owned(), purge)]),
    }
}

fn touched(seed: u64) -> TouchedKey {
    TouchedKey {
        key: Key::new(format!("posts/{seed}/a b.html")),
        action: [TouchAction::Put, TouchAction::DeleteLate, TouchAction::Keep][seed as usize % 3],
        etag: Some(ETag::Md5(digest(seed))),
        digest: seed.is_multiple_of(2).then(|| digest(!seed)),
        size: seed,
        headers: Some(HeaderFingerprint(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
        failed: seed.is_multiple_of(5),
    }
}

/// Changes the stored state behind everybody's back.
async fn alter(server: &Server, change: impl FnOnce(&mut StateObject)) {
    let mut state = StateObject::from_bytes(&server.body(STATE)).unwrap();
    change(&mut state);
    server.put(STATE, state.to_bytes().unwrap()).await;
}

fn digest(seed: u64) -> Md5 {
    super::md5_of(&seed.to_le_bytes())
}

fn deploy(seed: u64) -> DeployRef {
    DeployRef {
        id: DeployId::new(format!("deploy-{seed}")),
        at: 1_800_000_000 + seed as i64,
    }
}

/// An entry that is another for each seed, and of every kind over a few of them.
fn entry(tables: &mut ManifestTables, seed: u64) -> ManifestEntry {
    let etag = match seed % 5 {
        0 => ETag::Multipart(digest(seed), 7),
        1 => ETag::Other(format!("odd\u{1}é\"{seed}.").into()),
        _ => ETag::Md5(digest(seed)),
    };
    let headers = HeaderFingerprint(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let served = served(tables, seed % 7);
    let deploys = [11, 13].map(|many| tables.deploy(deploy(seed % many)));
    ManifestEntry::new(etag, headers, served, deploys).with(|rare| {
        rare.digest = seed.is_multiple_of(2).then(|| digest(!seed));
        rare.version_id = seed.is_multiple_of(3).then(|| seed.to_string().into());
        rare.noise = seed.is_multiple_of(4).then(|| {
            Box::new(NoiselessDigest {
                rule: !seed,
                digest: digest(seed ^ 1),
            })
        });
        rare.source = seed.is_multiple_of(3).then(|| digest(seed ^ 2));
        rare.life = match seed % 6 {
            0 => EntryLife::Retained { since: seed as i64 },
            1 => EntryLife::Tombstone {
                until: -(seed as i64),
            },
            _ => EntryLife::Live,
        };
    })
}

fn served(tables: &mut ManifestTables, seed: u64) -> ServedId {
    tables.serve(ServedHeaders {
        cache_control: (seed != 1).then(|| format!("max-age={seed}")),
        content_type: (seed != 2).then(|| "text/html".to_owned()),
        redirect: (seed > 4).then(|| format!("/{seed}")),
        tags: (seed == 3).then_some(crate::object::TagClass::Page),
    })
}

/// An entry with its numbers resolved, so that it compares across tables.
type Said = (
    ManifestEntry,
    Option<ServedHeaders>,
    Option<DeployRef>,
    Option<DeployRef>,
);

fn said(tables: &ManifestTables, entry: &ManifestEntry) -> Said {
    let mut plain = entry.clone();
    let served = tables.served(entry.served).cloned();
    let first = tables.deploy_at(entry.first).cloned();
    let last = tables.deploy_at(entry.last).cloned();
    plain.served = ServedId(0);
    plain.first = crate::object::entry::DeployNumber(0);
    plain.last = plain.first;
    (plain, served, first, last)
}

fn all_said(manifest: &Manifest) -> Vec<(Key, Said)> {
    manifest
        .entries
        .iter()
        .map(|(key, entry)| (key.clone(), said(&manifest.tables, entry)))
        .collect()
}
