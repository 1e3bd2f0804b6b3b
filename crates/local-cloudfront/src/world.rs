//! A world: the endpoints, the edges, and what tests look at and turn.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use hyper::Request;
use hyper::body::Incoming;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::account::Account;
use super::bucket::{BucketOptions, Object, Version, Versioning};
use super::clock::Clock;
use super::cloud::{Cloud, Tenant};
use super::content::{self, Claims};
use super::disk::{Disk, DiskError};
use super::distribution::Distribution;
#[cfg(feature = "faults")]
use super::faults::{Fault, Rule};
use super::function::{Function, FunctionInterpreter};
use super::headers::Headers;
use super::headers_policy::HeadersPolicy;
use super::http::{self, Cut};
use super::invalidation::Invalidation;
use super::kept::KeptFile;
use super::options::CloudOptions;
use super::panel::Panel;
use super::policy::{CachePolicy, ContinuousDeployment};
use super::reload::{BodyDecoder, PageScript};
use super::request::{LogEntry, RequestInfo};
use super::s3::Api;
use super::store::{Expect, Store, StoreError};
use super::uploads::Uploads;
use super::viewer::EdgeHandle;
use super::website::WebsiteConfiguration;

/// How a world begins.
#[derive(Clone)]
pub struct Options {
    /// On 127.0.0.1; 0 picks one.
    pub port: u16,
    /// Where objects are kept; in memory without it. The caller must hold its lock: see [`super::share`].
    pub dir: Option<PathBuf>,
    /// What objects, edges and answers go by.
    pub clock: Clock,
    /// How many edges each distribution has.
    pub edges: usize,
    /// How CloudFront's API behaves.
    pub cloud: CloudOptions,
    /// Says what functions do whose sources nothing else here can run.
    pub interpreter: Option<Arc<FunctionInterpreter>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            dir: None,
            clock: Clock::default(),
            edges: 3,
            cloud: CloudOptions::default(),
            interpreter: None,
        }
    }
}

/// How an edge is served.
#[derive(Clone, Default)]
pub struct EdgeOptions {
    /// On 127.0.0.1; 0 picks one.
    pub port: u16,
    /// The path under which a page shows what the edges hold and what happens there, such as `/.edges/`. Nothing beneath it is asked of
    /// the edge.
    pub panel: Option<String>,
    /// Whether HTML loads a script of the panel's, which loads the page again at [`World::reload_pages`].
    pub reloads: bool,
    /// Makes that possible for HTML that lies there compressed.
    pub decoder: Option<Arc<BodyDecoder>>,
}

/// Why a world does not begin.
#[allow(missing_docs)] // each is told by its message
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
pub(crate) struct Shared {
    pub(super) store: Arc<Store>,
    pub(super) uploads: Arc<Uploads>,
    pub(super) s3: S3Service,
    pub(super) cloud: Cloud,
    pub(super) account: Account,
    /// `None` in memory.
    pub(super) kept: Option<KeptFile>,
    pub(super) clock: Clock,
    pub(super) begun: SystemTime,
    pub(super) edges: usize,
    count: AtomicU64,
    control: Mutex<Control>,
}

struct Control {
    #[cfg(feature = "faults")]
    rule: Option<Rule>,
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
        let cloud = Cloud::new(options.interpreter.clone());
        cloud.options(|current| *current = options.cloud.clone());
        Ok(Self {
            store,
            uploads,
            s3: S3ServiceBuilder::new(api).build(),
            cloud,
            account: Account::default(),
            kept: options.dir.as_deref().map(KeptFile::of),
            clock: options.clock.clone(),
            begun: options.clock.now(),
            edges: options.edges,
            count: AtomicU64::new(0),
            control: Mutex::new(Control {
                #[cfg(feature = "faults")]
                rule: None,
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

    #[cfg(feature = "faults")]
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

    /// The clock that everything here goes by.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    // Buckets.

    /// Creates a bucket of the usual kind. One that is there stays as it is.
    pub fn create_bucket(&self, name: &str) -> Result<(), StoreError> {
        self.create_bucket_with(name, BucketOptions::default())
    }

    /// Creates a bucket that differs. One that is there stays as it is.
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

    /// Makes a bucket a website, or changes how it answers as one.
    pub fn website(
        &self,
        bucket: &str,
        configuration: WebsiteConfiguration,
    ) -> Result<(), StoreError> {
        self.alter_bucket(bucket, |options, _| options.website = Some(configuration))
    }

    /// The keys that hold an object, in S3's order. Empty for a bucket that is not there.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let keys = self.shared.store.read(bucket, |bucket| {
            let keys = bucket.keys.keys();
            let keys = keys.filter(|key| bucket.latest(key).is_some());
            keys.cloned().collect()
        });
        keys.unwrap_or_default()
    }

    /// Returns what a key holds now, with its version id and time.
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
            .read(bucket, |bucket| bucket.keys.get(key).cloned());
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
            etag: staged.content.md5.to_string(),
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
        let deleted = self
            .shared
            .store
            .delete(bucket, key, None, &Expect::default());
        deleted.map(|_| ())
    }

    /// Counts the multipart uploads that were begun and neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.shared.uploads.open()
    }

    // CloudFront.

    /// Adds a distribution with cold edges, or changes one and leaves its edges as they are.
    pub fn set_distribution(&self, distribution: Distribution) {
        self.shared.cloud.set(distribution, self.shared.edges);
    }

    /// Changes a distribution as UpdateDistribution does: the API shows it at once, `InProgress`, and the edges go by the old one
    /// until [`CloudOptions::deploy_time`] has passed.
    pub fn reconfigure(&self, distribution: Distribution) {
        let now = self.shared.clock.now();
        let edges = self.shared.edges;
        self.shared.cloud.reconfigure(distribution, edges, now);
    }

    /// Adds a tenant of a distribution with cold edges of its own, or changes one. It is asked and listed by its id.
    pub fn set_tenant(&self, tenant: Tenant) {
        self.shared.cloud.set_tenant(tenant, self.shared.edges);
    }

    /// Removes a distribution or a tenant with its edges.
    pub fn remove_distribution(&self, id: &str) {
        self.shared.cloud.remove(id);
    }

    /// All distributions, by id.
    pub fn distributions(&self) -> Vec<Distribution> {
        self.shared.cloud.distributions()
    }

    /// The distribution of this id, as the API shows it.
    pub fn distribution(&self, id: &str) -> Option<Distribution> {
        self.shared.cloud.distribution(id)
    }

    /// Adds or changes a cache policy.
    pub fn set_policy(&self, id: &str, policy: CachePolicy) {
        self.shared.cloud.set_policy(id, policy);
    }

    /// Adds or changes a response headers policy, whatever it holds. Edges go by it at once.
    pub fn set_headers_policy(&self, id: &str, policy: HeadersPolicy) {
        self.shared.cloud.set_headers_policy(id, policy);
    }

    /// The account's own response headers policies with their ids, by which they are sorted.
    pub fn headers_policies(&self) -> Vec<(String, HeadersPolicy)> {
        let mut policies = self.shared.cloud.headers_policies();
        policies.retain(|(_, policy)| !policy.managed);
        policies
    }

    /// Adds or changes a continuous deployment policy. No viewer is sent elsewhere by it: ask the staging distribution's edges.
    pub fn set_continuous_deployment(&self, id: &str, policy: ContinuousDeployment) {
        self.shared.cloud.set_deployment(id, policy);
    }

    /// Sets a function in both stages.
    pub fn set_function(&self, name: &str, function: Function) {
        self.shared.cloud.set_function(name, function);
    }

    /// Returns what edges run under this name.
    pub fn function(&self, name: &str) -> Option<Function> {
        self.shared.cloud.function(name)
    }

    /// Returns what a KeyValueStore of this name holds. Empty for an unknown one.
    pub fn key_values(&self, name: &str) -> BTreeMap<String, String> {
        let store = self
            .shared
            .cloud
            .key_values(|stores| stores.get(name).cloned());
        store
            .map(|store| (*store.values).clone())
            .unwrap_or_default()
    }

    /// Changes how CloudFront's API behaves from now on.
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
            script: None,
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
        let options = EdgeOptions {
            port,
            ..EdgeOptions::default()
        };
        self.serve_edge_with(distribution, number, options).await
    }

    /// Serves an edge on 127.0.0.1 with what else is wanted there, and returns its URL.
    pub async fn serve_edge_with(
        &self,
        distribution: &str,
        number: usize,
        options: EdgeOptions,
    ) -> Result<String, Error> {
        let (listener, address) = listen(options.port).await?;
        let mut edge = self.edge(distribution, number);
        let panel = options.panel.map(|path| {
            let feed = &self.shared.cloud.feed;
            feed.turn_on(self.shared.clock.millis().unsigned_abs());
            edge.script = options.reloads.then(|| {
                let url = format!("{path}reload.js");
                let decoder = options.decoder;
                Arc::new(PageScript { url, decoder })
            });
            let edge = self.edge(distribution, number);
            Arc::new(Panel { path, edge })
        });
        let handle = move |request: Request<Incoming>| {
            let (edge, panel) = (edge.clone(), panel.clone());
            async move {
                let shown = panel.and_then(|panel| panel.answer(&request));
                Ok::<_, Cut>(shown.unwrap_or_else(|| edge.answer(&request)))
            }
        };
        tokio::spawn(http::accept(listener, self.stop.subscribe(), handle));
        let url = format!("http://{address}");
        self.shared.control().served.push(url.clone());
        Ok(url)
    }

    /// Has every open page loaded again that an edge with [`EdgeOptions::reloads`] served.
    pub fn reload_pages(&self) {
        self.shared.cloud.feed.reload();
    }

    // Faults and the log.

    /// Asks this rule for each request from now on.
    #[cfg(feature = "faults")]
    pub fn set_rule(&self, rule: impl Fn(&RequestInfo) -> Fault + Send + Sync + 'static) {
        self.shared.control().rule = Some(Arc::new(rule));
    }

    /// Lets every request be from now on.
    #[cfg(feature = "faults")]
    pub fn clear_rule(&self) {
        self.shared.control().rule = None;
    }

    /// All requests since the start or the last [`World::clear_log`].
    pub fn log(&self) -> Vec<LogEntry> {
        self.shared.control().log.clone()
    }

    /// Makes [`World::log`] begin anew.
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
