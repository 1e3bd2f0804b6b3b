//! The connections to AWS, in pools that can be filled before they are asked for.
//!
//! A request that is given up before it has a connection leaves behind the one that it asked for, opened and idle. It would be sent
//! if there were an idle one already, so a pool is only ever filled while nothing was asked of it.

use std::collections::HashSet;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Poll;
use std::time::Duration;

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::pool::{Client, ConnectionPool, DriverSpawner, Partition, PartitionId};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
};
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::runtime::Handle;

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The pools. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    /// For what is asked of S3.
    pub(super) questions: Pool,
    /// For all else, CloudFront first of all, whose host may be the same: a pool that was asked already cannot be filled.
    pub(super) others: Pool,
    /// For what is put, and for purges.
    pub(super) changes: Pool,
}

/// One pool, and the hosts that connections of it were opened to ahead.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pub(super) http: SharedHttpClient,
    opened: Arc<Mutex<HashSet<String>>>,
    tasks: Arc<Tasks>,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs what a pool does in the background; not before its time.
#[derive(Default)]
struct Tasks(Mutex<Option<Vec<Task>>>);

impl Connections {
    /// `ca`: certificates in PEM that are trusted besides the system's.
    pub(super) fn new(ca: Option<&[u8]>) -> Result<Self, BoxError> {
        Ok(Self {
            questions: Pool::new(ca)?,
            others: Pool::new(ca)?,
            changes: Pool::new(ca)?,
        })
    }
}

impl Pool {
    fn new(ca: Option<&[u8]>) -> Result<Self, BoxError> {
        let mut builder = ConnectionPool::builder()
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        if let Some(pem) = ca {
            let trust = TrustStore::default().with_pem_certificate(pem);
            builder = builder.tls_context(TlsContext::builder().with_trust_store(trust).build()?);
        }
        let tasks = Arc::new(Tasks::default());
        let (runtime, held) = (Handle::current(), tasks.clone());
        let spawn = move |task: Task| held.run(task, &runtime);
        let id = PartitionId::from_index(0);
        let partition = Partition::new(id, DriverSpawner::from_fn(spawn));
        let pool = builder.partitions([partition]).build_https()?;
        Ok(Self {
            http: SharedHttpClient::new(Client::from_partition(&pool, id)?),
            opened: Arc::default(),
            tasks,
        })
    }

    /// Opens connections in the background, once to each host. What fails shows when a connection is needed.
    fn open(&self, host: &Host, count: usize) {
        let first = || {
            let opened = self.opened.lock();
            opened.is_ok_and(|mut opened| opened.insert(host.origin.clone()))
        };
        if count == 0 || !first() {
            return;
        }
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .build();
        let connector = self.http.http_connector(&settings, &host.components);
        let requests = (0..count).filter_map(|_| HttpRequest::get(host.origin.as_str()).ok());
        let mut calls: FuturesUnordered<_> = requests
            .map(|request| give_up(connector.call(request)))
            .collect();
        // All ask before a connection comes, or what one call leaves behind another would be given, and use.
        self.tasks.hold();
        let _ = calls.next().now_or_never();
        self.tasks.release();
        tokio::spawn(async move { while calls.next().await.is_some() {} });
    }
}

impl Tasks {
    fn hold(&self) {
        if let Ok(mut held) = self.0.lock() {
            *held = Some(Vec::new());
        }
    }

    fn release(&self) {
        let held = self.0.lock().ok().and_then(|mut held| held.take());
        for task in held.unwrap_or_default() {
            tokio::spawn(task);
        }
    }

    fn run(&self, task: Task, runtime: &Handle) {
        if let Ok(mut held) = self.0.lock()
            && let Some(held) = held.as_mut()
        {
            return held.push(task);
        }
        runtime.spawn(task);
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tasks")
    }
}

/// Asks for a connection, and gives it back when it comes.
async fn give_up(mut call: HttpConnectorFuture) {
    let mut asked = false;
    poll_fn(|context| match std::mem::replace(&mut asked, true) {
        false => call.poll_unpin(context).map(drop),
        true => Poll::Ready(()),
    })
    .await;
}

/// Learns a service's host from the first question to it, and opens connections there.
#[derive(Debug, Clone)]
pub(super) struct Ahead {
    connections: Connections,
    host: Arc<OnceLock<Host>>,
    /// How many go with the first question.
    first: usize,
}

#[derive(Debug)]
struct Host {
    /// `https://example.com`
    origin: String,
    components: RuntimeComponents,
}

impl Ahead {
    pub(super) fn new(connections: &Connections, first: usize) -> Self {
        Self {
            connections: connections.clone(),
            host: Arc::default(),
            first,
        }
    }

    /// Opens this many connections for changes, in the background. Before the first change only.
    pub(super) fn open(&self, count: usize) {
        if let Some(host) = self.host.get() {
            self.connections.changes.open(host, count);
        }
    }
}

#[dyn_dispatch_hint]
impl Intercept for Ahead {
    fn name(&self) -> &'static str {
        "Ahead"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.host.get().is_none()
            && let Some(origin) = origin(context.request().uri())
        {
            let components = components.clone();
            let host = self.host.get_or_init(|| Host { origin, components });
            self.connections.questions.open(host, self.first);
        }
        Ok(())
    }
}

/// A URI without its path.
fn origin(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://")?;
    let host = rest.split('/').next()?;
    Some(format!("{scheme}://{host}"))
}
