//! How long it takes to read what a bucket holds: its listing, and the manifest, written and read back. The bucket is the emulator's in
//! this process, whose own share of the time is in the figures. `cargo bench --bench bucket`.

use divan::Bencher;
use divan::counter::ItemsCount;
use local_cloudfront::{Headers, Options, World};
use tokio::runtime::Runtime;
use unstale::aws::list::KeyRange;
use unstale::aws::{AwsClients, AwsConnection, Bucket};
use unstale::object::entry::ManifestEntry;
use unstale::object::manifest::{DeployId, DeployRef, Manifest, ServedHeaders};
use unstale::object::{ETag, HeaderFingerprint, Key, Md5};
use unstale::state::history::{HistoryRecord, KeyChange, PastOutcome};
use unstale::state::{
    BeginOutcome, EndOfDeploy, LeaseTiming, LoadedManifest, ManifestUpdate, ObservedState,
    RecentDeploy, StateError, StateStore,
};

fn main() {
    divan::main();
}

const BUCKET: &str = "site";

async fn bucket() -> (World, Bucket) {
    let world = World::start(Options::default()).await.expect("a world");
    world.create_bucket(BUCKET).expect("a bucket");
    let connection = AwsConnection {
        endpoint_url: Some(world.endpoint()),
        local: true,
        ..AwsConnection::default()
    };
    let aws = AwsClients::connect(connection, None)
        .await
        .expect("a client");
    (world, aws.bucket(BUCKET, None))
}

fn key(at: usize) -> Key {
    Key::new(format!("posts/{at:07}/index.html"))
}

/// Page after page, as a listing without parts is.
#[divan::bench(args = [10_000], sample_count = 3)]
fn listing(bencher: Bencher, count: usize) {
    let runtime = Runtime::new().expect("a runtime");
    let (_world, bucket) = runtime.block_on(async {
        let (world, bucket) = bucket().await;
        for at in 0..count {
            let key = key(at);
            let put = world.put_object(BUCKET, key.as_str(), "x", Headers::default());
            put.await.expect("an object");
        }
        (world, bucket)
    });
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let listed = runtime.block_on(bucket.list_range(KeyRange::default(), usize::MAX, |_| ()));
        assert_eq!(listed.map(|(listed, _)| listed.len()).ok(), Some(count));
    });
}

/// What a first deploy of so many objects leaves.
fn update(loaded: &mut LoadedManifest, count: usize) -> ManifestUpdate {
    let tables = &mut loaded.manifest.tables;
    let deploy = DeployRef {
        id: DeployId::new("first"),
        at: 0,
    };
    let served = tables.serve(ServedHeaders {
        cache_control: Some("no-cache".to_owned()),
        content_type: Some("text/html; charset=utf-8".to_owned()),
        redirect: None,
        tags: None,
    });
    let number = tables.deploy(deploy.clone());
    let mut update = ManifestUpdate {
        deploy,
        delta: Default::default(),
    };
    for at in 0..count {
        // As little alike as digests are.
        let mixed = (at as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let etag = ETag::Md5(Md5(mixed.to_be_bytes()));
        let entry = ManifestEntry::new(etag, HeaderFingerprint(7), served, [number; 2]);
        update.delta.upsert(key(at), entry);
    }
    update
}

fn store(bucket: Bucket) -> StateStore {
    StateStore {
        bucket,
        root: ".unstale/".to_owned(),
        site: (BUCKET.to_owned(), String::new()),
        official: true,
        timing: LeaseTiming::default(),
    }
}

/// A deploy's three writes: its begin, its files, its end.
async fn write(
    store: &StateStore,
    mut loaded: LoadedManifest,
    update: ManifestUpdate,
) -> Result<ObservedState, StateError> {
    let deploy = update.deploy.clone();
    let state = store.read_state().await?;
    let BeginOutcome::Held(lease) = store.begin(&state, &deploy.id, None).await? else {
        return Err(StateError::Lost);
    };
    let record = HistoryRecord {
        id: deploy.id.clone(),
        at: deploy.at,
        who: String::new(),
        host: String::new(),
        commit: None,
        dir: String::new(),
        rollback_of: None,
        changes: Vec::<KeyChange>::new(),
        purges: Vec::new(),
        outcome: PastOutcome::Done,
    };
    let (manifest, counter) = lease.write_files(&mut loaded, update, &record).await?;
    let recent = RecentDeploy {
        id: deploy.id,
        at: deploy.at,
        paths: 0,
        counter,
        outcome: PastOutcome::Done,
        invalidations: Default::default(),
    };
    let end = EndOfDeploy {
        recent,
        manifest,
        told: Default::default(),
        struck: Vec::new(),
        left: None,
        unpaid: Vec::new(),
        suspects: Vec::new(),
        kept: Default::default(),
        gone: None,
        warned: Default::default(),
    };
    lease.end(end).await?;
    store.read_state().await
}

const SIZES: [usize; 2] = [10_000, 100_000];

#[divan::bench(args = SIZES, sample_count = 3)]
fn write_a_manifest(bencher: Bencher, count: usize) {
    let runtime = Runtime::new().expect("a runtime");
    bencher
        .counter(ItemsCount::new(count))
        .with_inputs(|| {
            let (world, bucket) = runtime.block_on(bucket());
            let mut loaded = LoadedManifest::default();
            let update = update(&mut loaded, count);
            (world, store(bucket), loaded, update)
        })
        .bench_local_values(|(world, store, loaded, update)| {
            assert!(runtime.block_on(write(&store, loaded, update)).is_ok());
            world
        });
}

#[divan::bench(args = SIZES, sample_count = 3)]
fn read_a_manifest(bencher: Bencher, count: usize) {
    let runtime = Runtime::new().expect("a runtime");
    let (_world, bucket) = runtime.block_on(bucket());
    let store = store(bucket);
    let mut loaded = LoadedManifest::default();
    let update = update(&mut loaded, count);
    let written = runtime.block_on(write(&store, loaded, update));
    let state = written.expect("a state");
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let manifest: Option<Manifest> = runtime
            .block_on(store.read_manifest(&state, true))
            .map(|loaded| loaded.manifest)
            .ok();
        assert_eq!(manifest.map(|manifest| manifest.entries.len()), Some(count));
    });
}
