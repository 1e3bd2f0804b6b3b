//! A bucket, a distribution and warm edges, which remember every URL that they were asked.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use local_cloudfront::{Answer, BucketOptions, Clock, CloudOptions, Distribution, Options};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{Ran, Site, Unstale};

pub const BUCKET: &str = "site";
/// Edges that are warmed. One more stays cold, to tell what the origin answers now.
const WARM: usize = 3;
/// Errors may be as old as CloudFront's usual ErrorCachingMinTTL.
const ERRORS: Duration = Duration::from_secs(11);

/// Files of a build that say how it is served, and are not part of it.
const INSTRUCTIONS: [&str; 2] = ["_headers", "_redirects"];

/// What differs from the usual world.
pub struct Setup {
    pub bucket: BucketOptions,
    pub distribution: Distribution,
    pub cloud: CloudOptions,
}

/// A world whose clock stands until it is moved. Derefs to the local world: buckets, rules, log, invalidations.
pub struct World {
    local: local_cloudfront::World,
    pub distribution: String,
    home: Arc<TempDir>,
    asked: Mutex<BTreeSet<String>>,
    forgotten: Mutex<usize>,
}

impl Deref for World {
    type Target = local_cloudfront::World;

    fn deref(&self) -> &local_cloudfront::World {
        &self.local
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup {
            bucket: BucketOptions::default(),
            distribution: Distribution::for_bucket(BUCKET),
            cloud: CloudOptions::default(),
        };
        change(&mut setup);
        let options = Options {
            clock: Clock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)),
            edges: WARM + 1,
            cloud: setup.cloud,
            ..Options::default()
        };
        let local = local_cloudfront::World::start(options).await.unwrap();
        local.create_bucket_with(BUCKET, setup.bucket).unwrap();
        let distribution = setup.distribution.id.clone();
        local.set_distribution(setup.distribution);
        Self {
            local,
            distribution,
            home: Arc::new(TempDir::new().unwrap()),
            asked: Mutex::default(),
            forgotten: Mutex::default(),
        }
    }

    // The binary.

    /// A command that reaches this world and its bucket.
    pub fn unstale(&self, command: &str) -> Unstale {
        Unstale::at_home(command, self.home.clone())
            .arg("--endpoint-url")
            .arg(self.endpoint())
            .with("--bucket")
            .arg(BUCKET)
    }

    pub fn deploy(&self, site: &Site) -> Unstale {
        self.unstale("deploy").arg(site.dir())
    }

    pub fn plan(&self, site: &Site) -> Unstale {
        self.unstale("plan").arg(site.dir())
    }

    // What was done.

    /// Returns once this has come about, and fails if the run that it is expected of ends before.
    pub async fn see(&self, running: &JoinHandle<Ran>, come_about: impl Fn() -> bool) {
        while !come_about() {
            assert!(!running.is_finished(), "ended: {:#?}", self.writes());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Makes [`World::writes`] and [`World::purged`] begin anew.
    pub fn forget(&self) {
        self.clear_log();
        *self.forgotten.lock().unwrap() = self.invalidations(&self.distribution).len();
    }

    /// Requests since [`World::forget`] that change something, in order: `PutObject KEY`, `CreateInvalidation`.
    pub fn writes(&self) -> Vec<String> {
        let log = self.log();
        let writes = log.iter().filter(|entry| entry.request.writes());
        writes
            .map(|entry| {
                format!("{} {}", entry.request.operation, entry.request.key)
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    /// The writes that concern the site, and not the tool's own state.
    pub fn site_writes(&self) -> Vec<String> {
        let mut writes = self.writes();
        writes.retain(|one| !one.contains(".unstale/"));
        writes
    }

    /// How many requests of this operation were made since [`World::forget`].
    pub fn count(&self, operation: &str) -> usize {
        let log = self.log();
        log.iter()
            .filter(|entry| entry.request.operation == operation)
            .count()
    }

    /// The paths of all invalidations since [`World::forget`], sorted.
    pub fn purged(&self) -> Vec<String> {
        let skipped = *self.forgotten.lock().unwrap();
        let all = self.invalidations(&self.distribution);
        let items = all.iter().skip(skipped).flat_map(|one| one.items.iter());
        let mut items: Vec<String> = items.cloned().collect();
        items.sort();
        items
    }

    // The bucket.

    /// Keys and bodies of the site's objects under a prefix (empty, or with a final `/`), without the tool's own state.
    pub fn objects(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let mut objects = BTreeMap::new();
        for key in self.keys(BUCKET) {
            let Some(relative) = key.as_str().strip_prefix(prefix) else {
                continue;
            };
            if !relative.starts_with(".unstale/") && !INSTRUCTIONS.contains(&relative) {
                let body = self.body(BUCKET, key.as_str()).unwrap();
                objects.insert(relative.to_owned(), body.to_vec());
            }
        }
        objects
    }

    /// The bucket holds the build, byte for byte, with right types, and nothing else.
    #[track_caller]
    pub fn assert_deployed(&self, site: &Site, prefix: &str) {
        let (objects, mut files) = (self.objects(prefix), site.files());
        files.retain(|path, _| !INSTRUCTIONS.contains(&path.as_str()));
        let names = |all: &BTreeMap<String, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&objects), names(&files));
        for (key, body) in &files {
            assert!(objects[key] == *body, "{key}: other bytes than the build's");
            let object = self.object(BUCKET, &format!("{prefix}{key}")).unwrap();
            let served = object.headers.content_type.as_deref().unwrap_or("nothing");
            if let Some(right) = right_type(key) {
                assert!(served.starts_with(right), "{key} is served as {served}");
            }
        }
    }

    // The edges.

    /// Asks every URL of the site at every edge: each file's own path, `/`, and each folder with and without its slash.
    pub async fn warm(&self, site: &Site) {
        let paths: Vec<String> = site.files().into_keys().collect();
        self.warm_urls(paths.iter().flat_map(|path| urls(path)))
            .await;
    }

    /// Asks these URLs at every edge, and remembers them for [`World::assert_fresh`].
    pub async fn warm_urls(&self, urls: impl IntoIterator<Item = impl Into<String>>) {
        self.asked
            .lock()
            .unwrap()
            .extend(urls.into_iter().map(Into::into));
        let asked = self.asked.lock().unwrap().clone();
        for url in &asked {
            for number in 0..WARM {
                self.edge(&self.distribution, number).get(url).await;
            }
        }
    }

    /// What an edge answers that holds nothing.
    pub async fn cold(&self, url: &str) -> Answer {
        let edge = self.edge(&self.distribution, WARM);
        edge.chill();
        edge.get(url).await
    }

    /// Asks every URL again, those of files that are gone included: each edge answers as the origin does now, and what the
    /// build holds as the build has it. Errors may be 10 s old. `folder`: where in URLs the build begins; empty or `docs/`.
    pub async fn assert_fresh(&self, site: &Site, folder: &str) {
        let mut asked = self.asked.lock().unwrap().clone();
        let mut files = site.files();
        files.retain(|path, _| !INSTRUCTIONS.contains(&path.as_str()));
        for (path, body) in &files {
            let url = url_of(&format!("{folder}{path}"));
            let answer = self.cold(&url).await;
            assert_eq!(answer.status, 200, "{url}");
            assert!(answer.body == body, "{url}: other bytes than the build's");
            asked.insert(url);
        }
        self.asked.lock().unwrap().clone_from(&asked);
        let stale = self.stale().await;
        assert!(stale.is_empty(), "stale: {stale:#?}");
    }

    /// The URLs that were asked and that some edge answers otherwise than the origin does, and how. Errors may be 10 s old.
    pub async fn stale(&self) -> Vec<String> {
        self.clock().advance(ERRORS);
        let asked = self.asked.lock().unwrap().clone();
        let mut stale = Vec::new();
        for url in asked {
            let right = self.cold(&url).await;
            for number in 0..WARM {
                let answer = self.edge(&self.distribution, number).get(&url).await;
                if is_stale(&answer, &right) {
                    let (is, was) = (seen(&right), seen(&answer));
                    stale.push(format!("{url} at edge {number}: {was:?} instead of {is:?}"));
                    break;
                }
            }
        }
        stale
    }

    /// Deploying again makes no write and no purge.
    pub async fn assert_settled(&self, site: &Site) {
        self.assert_idle(self.deploy(site)).await;
    }

    /// This command succeeds, and makes no write and no purge.
    pub async fn assert_idle(&self, command: Unstale) {
        self.forget();
        let ran = command.await.succeeds();
        assert_eq!(self.writes(), [""; 0], "{ran}");
        assert_eq!(self.purged(), [""; 0], "{ran}");
    }
}

fn is_stale(answer: &Answer, right: &Answer) -> bool {
    // A fingerprinted asset that is gone cannot be wrong: nothing else will ever have its name.
    let lasting = answer.header("cache-control");
    let lasting = lasting.is_some_and(|value| value.contains("immutable"));
    if right.status == 404 && answer.status == 200 && lasting {
        return false;
    }
    seen(answer) != seen(right) || answer.body != right.body
}

/// What a viewer sees of an answer, besides its body.
fn seen(answer: &Answer) -> (u16, Vec<Option<&str>>) {
    let names = [
        "content-type",
        "cache-control",
        "content-encoding",
        "content-disposition",
        "content-language",
        "location",
    ];
    let headers = names.map(|name| answer.header(name));
    (answer.status, headers.to_vec())
}

/// A path as browsers send it: all but letters, digits and what JavaScript's `encodeURI` leaves alone is escaped; the plus too, which
/// S3's REST endpoint takes for a space.
pub fn url_of(path: &str) -> String {
    let mut url = String::from("/");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b";,/:@&=$-_.!~*'()".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

/// The URLs that lead to a file, or may: its own, and those of all folders above it.
fn urls(path: &str) -> Vec<String> {
    let mut urls = vec![url_of(path), "/".to_owned()];
    let mut folder = path;
    while let Some((above, _)) = folder.rsplit_once('/') {
        urls.push(url_of(above));
        urls.push(url_of(&format!("{above}/")));
        folder = above;
    }
    urls
}

/// What must be served for these endings, as any browser wants it.
fn right_type(key: &str) -> Option<&'static str> {
    let (_, ending) = key.rsplit('/').next()?.rsplit_once('.')?;
    Some(match ending {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript",
        "json" | "map" => "application/json",
        "xml" => "application/xml",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}
