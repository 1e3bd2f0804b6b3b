//! What is stored comes back, whatever happens to it on the way.

mod codec;



mod server;

use super::{LeaseTiming, StateStore};
use crate::aws::{Aws, Connection};
use crate::domain::manifest::{
    DeployId, DeployRef, Entry, Life, Manifest, Noise, Served, ServedId, Tables,
};
use crate::domain::{ETag, HeaderFingerprint, Key, Md5};
use server::Server;

/// A store in a server of its own. Nothing is renewed unless a test says so.
async fn store() -> (Server, StateStore) {
    let server = Server::start().await;
    let store = store_at(&server).await;
    (server, store)
}

/// As another machine has it.
async fn store_at(server: &Server) -> StateStore {
    let connection = Connection {
        endpoint_url: Some(server.url()),
        local: true,
        ..Connection::default()
    };
    let aws = Aws::connect(connection, None).await.unwrap();
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
fn entry(tables: &mut Tables, seed: u64) -> Entry {
    let etag = match seed % 5 {
        0 => ETag::Multipart(digest(seed), 7),
        1 => ETag::Other(format!("odd\u{1}é\"{seed}.").into()),
        _ => ETag::Md5(digest(seed)),
    };
    let headers = HeaderFingerprint(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let served = served(tables, seed % 7);
    let deploys = [11, 13].map(|many| tables.deploy(deploy(seed % many)));
    Entry::new(etag, headers, served, deploys).with(|rare| {
        rare.digest = seed.is_multiple_of(2).then(|| digest(!seed));
        rare.version_id = seed.is_multiple_of(3).then(|| seed.to_string().into());
        rare.noise = seed.is_multiple_of(4).then(|| {
            Box::new(Noise {
                rule: !seed,
                digest: digest(seed ^ 1),
            })
        });
        rare.source = seed.is_multiple_of(3).then(|| digest(seed ^ 2));
        rare.life = match seed % 6 {
            0 => Life::Retained { since: seed as i64 },
            1 => Life::Tombstone {
                until: -(seed as i64),
            },
            _ => Life::Live,
        };
    })
}

fn served(tables: &mut Tables, seed: u64) -> ServedId {
    tables.serve(Served {
        cache_control: (seed != 1).then(|| format!("max-age={seed}")),
        content_type: (seed != 2).then(|| "text/html".to_owned()),
        redirect: (seed > 4).then(|| format!("/{seed}")),
        tags: (seed == 3).then_some(crate::domain::Sort::Page),
    })
}

/// An entry with its numbers resolved, so that it compares across tables.
type Said = (Entry, Option<Served>, Option<DeployRef>, Option<DeployRef>);

fn said(tables: &Tables, entry: &Entry) -> Said {
    let mut plain = entry.clone();
    let served = tables.served(entry.served).cloned();
    let first = tables.deploy_at(entry.first).cloned();
    let last = tables.deploy_at(entry.last).cloned();
    plain.served = ServedId(0);
    plain.first = crate::domain::manifest::DeployNo(0);
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
