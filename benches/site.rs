//! How long it takes to look at a site: the scan of a folder, the comparison of objects, and the plan of a deploy of which one object in a hundred changed.
//! `cargo bench --bench site`.

use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use unstale::object::diff::{ComparisonVerdict, DeployedState, ListedState, WantedState, compare};
use unstale::object::entry::ManifestEntry;
use unstale::object::manifest::{DeployId, DeployRef, Manifest, ServedHeaders as Kept};
use unstale::object::{ETag, Headers, Key, Md5};
use unstale::plan::order::LiveStage;
use unstale::plan::{BucketObject, OpenDeploys, PlanFacts, WantedObject, make};
use unstale::scan::{ScanOptions, scan};

fn main() {
    divan::main();
}

const FILES: usize = 10_000;
const FILE_BYTES: usize = 8 << 10;

/// Without the cache of hashes, as the first deploy on a machine sees a build.
#[divan::bench(sample_count = 3)]
fn scan_a_folder(bencher: Bencher) {
    let folder = tempfile::tempdir().expect("a folder");
    for at in 0..FILES {
        let below = folder.path().join(format!("{:03}", at / 100));
        fs::create_dir_all(&below).expect("a folder");
        let content = format!("{at:08}").repeat(FILE_BYTES / 8);
        fs::write(below.join(format!("{at}.html")), content).expect("a file");
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    bencher
        .counter(ItemsCount::new(FILES))
        .counter(BytesCount::new(FILES * FILE_BYTES))
        .bench_local(|| {
            let build = runtime.block_on(scan(folder.path(), &ScanOptions::default(), |_| ()));
            assert_eq!(build.map(|build| build.files.len()).ok(), Some(FILES));
        });
}

fn md5(number: usize) -> Md5 {
    Md5((number as u128).to_be_bytes())
}

fn headers() -> Headers {
    Headers {
        content_type: Some("text/html; charset=utf-8".to_owned()),
        cache_control: Some("no-cache".to_owned()),
        ..Headers::default()
    }
}

struct Site {
    keys: Vec<Key>,
    etags: Vec<ETag>,
    manifest: Manifest,
}

impl Site {
    fn of(count: usize) -> Self {
        let mut manifest = Manifest::default();
        let deploy = manifest.tables.deploy(DeployRef {
            id: DeployId::new("first"),
            at: 0,
        });
        let headers = headers();
        let served = manifest.tables.serve(Kept {
            cache_control: headers.cache_control.clone(),
            content_type: headers.content_type.clone(),
            redirect: None,
            tags: None,
        });
        let key = |at| Key::new(format!("posts/{at:07}/index.html"));
        let keys: Vec<Key> = (0..count).map(key).collect();
        let etags: Vec<ETag> = (0..count).map(|at| ETag::Md5(md5(at))).collect();
        let fingerprint = headers.fingerprint();
        let entry =
            |etag: &ETag| ManifestEntry::new(etag.clone(), fingerprint, served, [deploy; 2]);
        let entries = keys.iter().cloned().zip(etags.iter().map(entry));
        manifest.entries = entries.collect();
        Self {
            keys,
            etags,
            manifest,
        }
    }

    /// The build: every hundredth object is another.
    fn wants(&self) -> impl Iterator<Item = WantedObject> {
        let headers = Arc::new(headers());
        let fingerprint = headers.fingerprint();
        self.keys
            .iter()
            .enumerate()
            .map(move |(at, key)| WantedObject {
                key: key.clone(),
                size: 8192,
                md5: md5(if at % 100 == 0 { !at } else { at }),
                parts: None,
                headers: Arc::clone(&headers),
                fingerprint,
                stage: LiveStage::Page,
                version: None,
                fingerprinted: false,
                asset: false,
                tags: None,
            })
    }

    fn listing(&self) -> impl Iterator<Item = BucketObject<'_>> + Clone {
        let objects = self.keys.iter().zip(&self.etags);
        objects.map(|(key, etag)| BucketObject {
            key: key.as_str(),
            size: 8192,
            etag,
            modified: None,
        })
    }
}

/// Whether each object is as wanted, by what the listing and the manifest say.
#[divan::bench(sample_count = 3)]
fn diff_of_a_million(bencher: Bencher) {
    const COUNT: usize = 1_000_000;
    let etags: Vec<ETag> = (0..COUNT).map(|at| ETag::Md5(md5(at))).collect();
    let headers = headers().fingerprint();
    let verdict = |(at, etag): (usize, &ETag)| {
        let wanted = WantedState {
            size: 8192,
            md5: md5(if at % 100 == 0 { !at } else { at }),
            parts: None,
            headers,
        };
        let known = DeployedState {
            etag,
            digest: None,
            headers: Some(headers),
        };
        compare(wanted, ListedState { size: 8192, etag }, Some(known), None)
    };
    bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
        let verdicts = black_box(&etags).iter().enumerate().map(verdict);
        verdicts
            .filter(|one| *one == ComparisonVerdict::Same)
            .count()
    });
}

/// The merge of build, listing and manifest into a plan.
#[divan::bench(args = [100_000, 1_000_000], sample_count = 3)]
fn plan_a_deploy(bencher: Bencher, count: usize) {
    let site = Site::of(count);
    let (open, answers) = (OpenDeploys::default(), HashMap::new());
    let facts = PlanFacts {
        manifest: &site.manifest,
        open: &open,
        answers: &answers,
        targets: &[],
        now: 0,
        retain: 0,
        sweep: false,
        keep_since: None,
        delete: true,
        adopt: false,
        force: false,
        is_page: &|_| true,
        is_fingerprinted: &|_| false,
        is_asset: &|_| false,
    };
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let plan = make(black_box(&facts), site.wants(), site.listing());
        assert_eq!(plan.map(|plan| plan.changes.len()).ok(), Some(count / 100));
    });
}
