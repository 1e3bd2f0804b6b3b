//! A world: the endpoints, the edges, and what tests look at and turn.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response};
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::clock::{Clock, http_date};
use super::cloud::{Cloud, CloudOptions, Invalidation, Tenant};
use super::content::{self, Claims};
use super::disk::{Disk, DiskError};
use super::distribution::{CachePolicy, Distribution};
use super::edge::Answer;
use super::faults::{Fault, LogEntry, RequestInfo, Rule};
use super::function::Function;
use super::http::{self, Cut};
use super::kept::KeptFile;
use super::s3::Api;
use super::store::{BucketOptions, Expect, Object, Store, StoreError, Version, Versioning};
use super::uploads::Uploads;
use crate::domain::{ETag, Headers, Key};

/// How a world begins.
#[derive(Clone)]
pub struct Options {
    /// On 127.0.0.1; 0 picks one.
    pub port: u16,
    /// Where objects are kept; in memory without it. The caller must hold its lock: see [`super::share`].
    pub dir: Option<PathBuf>,
    pub clock: Clock,
    /// How many edges each distribution has.
    pub edges: usize,
    pub cloud: CloudOptions,
    /// Waited before each answer of S3 and CloudFront.
    pub rtt: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            dir: None,
            clock: Clock::default(),
            edges: 3,
            cloud: CloudOptions::default(),
            rtt: Duration::ZERO,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on 127.0.0.1:{port}: {cause}")]
    Listen { port: u16, cause: std::io::Error },
    #[error("the store cannot be opened: {0}")]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}: {cause}", path.display())]
    File {
        path: PathBuf,
        cause: std::io::Error,
    },
    #[error("{} is in use by another process, which does not answer", .0.display())]
    Locked(PathBuf),
    #[error("the process that serves {} answered: {said}", dir.display())]
    Refused { dir: PathBuf, said: String },
}

/// What all connections see.
pub struct Shared {
    pub(super) store: Arc<Store>,
    pub(super) uploads: Arc<Uploads>,
    pub(super) s3: S3Service,
    pub(super) cloud: Cloud,
    /// `None` in memory.
    pub(super) kept: Option<KeptFile>,
    pub(super) clock: Clock,
    pub(super) begun: SystemTime,
    pub(super) edges: usize,
    count: AtomicU64,
    control: Mutex<Control>,
}

struct Control {
    rule: Option<Rule>,
    rtt: Duration,
    log: Vec<LogEntry>,
    served: Vec<String>,
    /// Let go when the last connection is gone, so that no other process opens the store beside it.
    lock: Option<std::fs::File>,
}

/// A running world. It ends when its last clone goes, or by [`World::stop`].
#[derive(Clone)]
pub struct World {
    pub(super) shared: Arc<Shared>,
    stop: Arc<watch::Sender<bool>>,
    address: SocketAddr,
}

impl Shared {
    fn new(options: &Options) -> Result<Self, Error> {
        let disk = options.dir.as_deref().map(Disk::open).transpose()?;
        let store = Arc::new(Store::open(options.clock.clone(), disk)?);
        let uploads = Arc::new(Uploads::default());
        let api = Api {
            store: store.clone(),
            uploads: uploads.clone(),
        };
        let cloud = Cloud::new();
        cloud.options(|all| *all = options.cloud.clone());
        Ok(Self {
            store,
            uploads,
            s3: S3ServiceBuilder::new(api).build(),
            cloud,
            kept: options.dir.as_deref().map(KeptFile::of),
            clock: options.clock.clone(),
            begun: options.clock.now(),
            edges: options.edges,
            count: AtomicU64::new(0),
            control: Mutex::new(Control {
                rule: None,
                rtt: options.rtt,
                log: Vec::new(),
                served: Vec::new(),
                lock: None,
            }),
        })
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_number(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn rtt(&self) -> Duration {
        self.control().rtt
    }

    pub(super) fn fault(&self, info: &RequestInfo) -> Fault {
        let rule = self.control().rule.clone();
        rule.map(|rule| rule(info)).unwrap_or_default()
    }

    pub(super) fn log_begin(&self, info: &RequestInfo, bytes_in: u64) {
        let entry = LogEntry {
            request: info.clone(),
            at: self.clock.now(),
            status: None,
            bytes_in,
            bytes_out: 0,
        };
        self.control().log.push(entry);
    }

    pub(super) fn log_end(&self, number: u64, status: u16, bytes_out: u64) {
        let mut control = self.control();
        let mut log = control.log.iter_mut().rev();
        if let Some(entry) = log.find(|entry| entry.request.number == number) {
            entry.status = Some(status);
            entry.bytes_out = bytes_out;
        }
    }

    /// Holds a folder's lock for as long as anything can write there.
    pub(super) fn hold(&self, lock: std::fs::File) {
        self.control().lock = Some(lock);
    }

    /// The URLs of the edges that listen, in the order in which they were begun.
    pub(super) fn served(&self) -> Vec<String> {
        self.control().served.clone()
    }
}

impl World {
    /// Starts the listener. Must be called on a tokio runtime; everything runs on it.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let shared = Arc::new(Shared::new(&options)?);
        let (listener, address) = listen(options.port).await?;
        let (stop, stopped) = watch::channel(false);
        let handle = {
            let shared = shared.clone();
            move |request| http::answer(shared.clone(), request)
        };
        tokio::spawn(http::accept(listener, stopped, handle));
        Ok(Self {
            shared,
            stop: Arc::new(stop),
            address,
        })
    }

    /// Ends all listeners and connections, whatever clones there are.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// For `--endpoint-url`: `http://127.0.0.1:PORT`, of S3 and CloudFront alike.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    // Buckets.

    pub fn create_bucket(&self, name: &str) -> Result<(), StoreError> {
        self.create_bucket_with(name, BucketOptions::default())
    }

    pub fn create_bucket_with(&self, name: &str, options: BucketOptions) -> Result<(), StoreError> {
        self.shared.store.create(name, options).map(|_| ())
    }

    /// Changes a bucket's options or its versioning.
    pub fn alter_bucket(
        &self,
        name: &str,
        change: impl FnOnce(&mut BucketOptions, &mut Versioning),
    ) -> Result<(), StoreError> {
        self.shared.store.alter(name, change)
    }

    /// Turns versions on.
    pub fn enable_versions(&self, bucket: &str) -> Result<(), StoreError> {
        self.alter_bucket(bucket, |_, versioning| *versioning = Versioning::Enabled)
    }

    /// The keys that hold an object, in S3's order. Empty for a bucket that is not there.
    pub fn keys(&self, bucket: &str) -> Vec<Key> {
        let keys = self.shared.store.read(bucket, |found| {
            let there = found.keys.keys();
            let there = there.filter(|key| found.latest(key.as_str()).is_some());
            there.cloned().collect()
        });
        keys.unwrap_or_default()
    }

    /// What a key holds now, with its version id and time.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Arc<Object>> {
        self.shared
            .store
            .get(bucket, key)
            .ok()
            .map(|(_, object)| object)
    }

    /// A key's content. `None` where there is no object.
    pub fn body(&self, bucket: &str, key: &str) -> Option<Bytes> {
        let object = self.object(bucket, key)?;
        self.shared.store.bytes(&object).ok()
    }

    /// All versions of a key, oldest first.
    pub fn versions(&self, bucket: &str, key: &str) -> Vec<Version> {
        let versions = self
            .shared
            .store
            .read(bucket, |found| found.keys.get(key).cloned());
        versions.ok().flatten().unwrap_or_default()
    }

    /// Puts an object as somebody else would.
    pub async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        body: impl Into<Bytes>,
        headers: Headers,
    ) -> Result<Version, StoreError> {
        let store = &self.shared.store;
        let body = s3s::dto::StreamingBlob::from(s3s::Body::from(body.into()));
        let staged = content::stage(store, Some(body), Claims::default(), &[]).await;
        let staged = staged.map_err(|_| StoreError::PreconditionFailed)?;
        let object = Object {
            content: staged.content,
            memory: None,
            etag: ETag::Md5(staged.content.md5),
            headers,
            expires: None,
            checksums: staged.checksums,
            composite: false,
            kms: false,
        };
        store.put(bucket, key, object, Some(staged.data), &Expect::default())
    }

    /// Deletes a key as somebody else would.
    pub fn delete_object(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        let done = self
            .shared
            .store
            .delete(bucket, key, None, &Expect::default());
        done.map(|_| ())
    }

    /// How many multipart uploads were begun and neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.shared.uploads.open()
    }

    // CloudFront.

    /// Adds a distribution with cold edges, or changes one and leaves its edges as they are.
    pub fn set_distribution(&self, distribution: Distribution) {
        self.shared.cloud.set(distribution, self.shared.edges);
    }

    /// Adds a tenant of a distribution with cold edges of its own, or changes one. It is asked and listed by its id.
    pub fn set_tenant(&self, tenant: Tenant) {
        self.shared.cloud.set_tenant(tenant, self.shared.edges);
    }

    pub fn remove_distribution(&self, id: &str) {
        self.shared.cloud.remove(id);
    }

    pub fn distributions(&self) -> Vec<Distribution> {
        self.shared.cloud.distributions()
    }

    pub fn distribution(&self, id: &str) -> Option<Distribution> {
        self.shared.cloud.distribution(id)
    }

    pub fn set_policy(&self, id: &str, policy: CachePolicy) {
        self.shared.cloud.set_policy(id, policy);
    }

    /// Sets a function in both stages.
    pub fn set_function(&self, name: &str, function: Function) {
        self.shared.cloud.set_function(name, function);
    }

    /// What edges run under this name.
    pub fn function(&self, name: &str) -> Option<Function> {
        self.shared.cloud.function(name)
    }

    pub fn cloud_options(&self, change: impl FnOnce(&mut CloudOptions)) {
        self.shared.cloud.options(change);
    }

    /// Of a distribution or a tenant, in the order of acceptance; empty for an unknown one.
    pub fn invalidations(&self, distribution: &str) -> Vec<Invalidation> {
        self.shared
            .cloud
            .invalidations(distribution)
            .unwrap_or_default()
    }

    // Edges.

    /// An edge of a distribution or a tenant, counted from 0.
    pub fn edge(&self, distribution: &str, number: usize) -> EdgeHandle {
        EdgeHandle {
            shared: self.shared.clone(),
            distribution: distribution.to_owned(),
            number,
        }
    }

    /// All edges of a distribution.
    pub fn edges(&self, distribution: &str) -> Vec<EdgeHandle> {
        let count = self.shared.cloud.edges(distribution);
        (0..count)
            .map(|number| self.edge(distribution, number))
            .collect()
    }

    /// Serves an edge on 127.0.0.1 and returns its URL. Port 0 picks one.
    pub async fn serve_edge(
        &self,
        distribution: &str,
        number: usize,
        port: u16,
    ) -> Result<String, Error> {
        let (listener, address) = listen(port).await?;
        let edge = self.edge(distribution, number);
        let handle = move |request: Request<Incoming>| {
            let edge = edge.clone();
            async move { Ok::<_, Cut>(edge.answer(&request)) }
        };
        tokio::spawn(http::accept(listener, self.stop.subscribe(), handle));
        let url = format!("http://{address}");
        self.shared.control().served.push(url.clone());
        Ok(url)
    }

    // Faults and the log.

    /// Asks this rule for each request from now on.
    pub fn set_rule(&self, rule: impl Fn(&RequestInfo) -> Fault + Send + Sync + 'static) {
        self.shared.control().rule = Some(Arc::new(rule));
    }

    pub fn clear_rule(&self) {
        self.shared.control().rule = None;
    }

    pub fn set_rtt(&self, rtt: Duration) {
        self.shared.control().rtt = rtt;
    }

    /// All requests since the start or the last [`World::clear_log`].
    pub fn log(&self) -> Vec<LogEntry> {
        self.shared.control().log.clone()
    }

    pub fn clear_log(&self) {
        self.shared.control().log.clear();
    }
}

async fn listen(port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |cause| Error::Listen { port, cause };
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// One edge, asked in process.
#[derive(Clone)]
pub struct EdgeHandle {
    shared: Arc<Shared>,
    distribution: String,
    pub number: usize,
}

impl EdgeHandle {
    /// What a viewer gets for a path with or without a query string, percent-encoded as a browser sends it.
    pub async fn get(&self, path_and_query: &str) -> Answer {
        self.ask(path_and_query)
    }

    fn ask(&self, path: &str) -> Answer {
        let shared = &self.shared;
        shared
            .cloud
            .get(&shared.store, &self.distribution, self.number, path)
    }

    /// What it keeps: paths with their query strings where those belong to the key.
    pub fn entries(&self) -> Vec<String> {
        let cache = self.shared.cloud.cache(&self.distribution, self.number);
        cache.map(|cache| cache.keys()).unwrap_or_default()
    }

    /// How often it asked an origin.
    pub fn fetches(&self) -> u64 {
        let cache = self.shared.cloud.cache(&self.distribution, self.number);
        cache.map_or(0, |cache| cache.fetches())
    }

    /// Forgets everything, as an edge does that has not been asked for long.
    pub fn chill(&self) {
        if let Some(cache) = self.shared.cloud.cache(&self.distribution, self.number) {
            cache.clear();
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<s3s::Body> {
        let head = request.method() == Method::HEAD;
        if !head && request.method() != Method::GET {
            return http::xml(403, Vec::new());
        }
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let answer = self.ask(target);
        let etag = answer.header("etag").unwrap_or_default();
        let known = http::header(request.headers(), "if-none-match").unwrap_or_default();
        let same =
            answer.status == 200 && !etag.is_empty() && known.split(", ").any(|one| one == etag);
        let length = answer.body.len();
        let body = if head || same {
            Bytes::new()
        } else {
            answer.body
        };
        let mut response = Response::new(s3s::Body::from(body));
        let status = if same { 304 } else { answer.status };
        *response.status_mut() = status.try_into().unwrap_or_default();
        let headers = response.headers_mut();
        for (name, value) in &answer.headers {
            let name = hyper::header::HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
        if !same {
            headers.insert("content-length", HeaderValue::from(length));
        }
        if let Ok(date) = HeaderValue::from_str(&http_date(self.shared.clock.now())) {
            headers.insert("date", date);
        }
        response
    }
}
