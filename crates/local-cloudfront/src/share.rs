//! Several processes, one folder: the first serves it, the others talk to the first.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, Response};
use s3s::Body;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bucket::{BucketOptions, Versioning};
use super::distribution::Distribution;
use super::function::{Function, FunctionInterpreter};
use super::kept::{INDEX_FUNCTION_NAME, KeptFile};
use super::options::CloudOptions;
use super::world::{Error, Options, Shared, World};

/// Asked by other processes: who is there, and please have this bucket.
pub(super) const STATUS_PATH: &str = "/2020-05-31/.local-cloudfront";

/// How `--local` opens its folder.
#[derive(Clone)]
pub struct FolderOptions {
    /// Made where it is missing, with versions and with a distribution in front of it. `None`: whoever asks makes what there is to be.
    pub bucket: Option<String>,
    /// Of the S3 and CloudFront endpoint, if this process serves it; 0 picks one.
    pub port: u16,
    /// From acceptance of an invalidation to Completed.
    pub invalidation_time: Duration,
    /// Whether a function answers `/dir/` with `dir/index.html`, until a deploy associates another.
    pub index_documents: bool,
    /// As [`Options::interpreter`].
    pub interpreter: Option<Arc<FunctionInterpreter>>,
}

impl FolderOptions {
    /// Names the bucket. Any port, invalidations that take a second, and index documents.
    pub fn new(bucket: &str) -> Self {
        Self {
            bucket: Some(bucket.to_owned()),
            ..Self::default()
        }
    }
}

impl Default for FolderOptions {
    /// No bucket is made.
    fn default() -> Self {
        Self {
            bucket: None,
            port: 0,
            invalidation_time: Duration::from_secs(1),
            index_documents: true,
            interpreter: None,
        }
    }
}

/// A folder that is served, by this process or by another.
pub struct FolderSession {
    /// `None` where another process serves the folder.
    pub world: Option<World>,
    endpoint: String,
    /// The id of the distribution that shows the bucket: a stack's where one has made it. `None` without a bucket.
    pub distribution: Option<String>,
    /// The edges that the serving process shows, at the time of opening.
    pub edge_urls: Vec<String>,
}

impl FolderSession {
    /// Of S3 and CloudFront: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// True where this process serves.
    pub fn owns(&self) -> bool {
        self.world.is_some()
    }

    /// True as long as somebody serves, this process or the other.
    pub async fn is_served(&self) -> bool {
        let address = self.endpoint.trim_start_matches("http://");
        self.owns() || TcpStream::connect(address).await.is_ok()
    }
}

#[derive(Serialize, Deserialize)]
struct Status {
    bucket: Option<String>,
    distribution: Option<String>,
    edges: Vec<String>,
}

/// Serves `dir`, or attaches to the process that does. Never opens the store beside another process.
pub async fn open_or_attach(dir: &Path, local: FolderOptions) -> Result<FolderSession, Error> {
    let file = |path: &Path, cause: io::Error| Error::File {
        path: path.to_owned(),
        cause,
    };
    fs::create_dir_all(dir).map_err(|cause| file(dir, cause))?;
    keep_out_of_git(dir);
    let path = dir.join("lock");
    // A server that is going down holds the lock for a moment longer than its port answers.
    for _ in 0..ATTEMPTS {
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|cause| file(&path, cause))?;
        match lock.try_lock() {
            Ok(()) => return serve(dir, local, lock).await,
            Err(TryLockError::Error(cause)) => return Err(file(&path, cause)),
            Err(TryLockError::WouldBlock) => {}
        }
        if let Some(session) = attach(dir, &local).await? {
            return Ok(session);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Error::Locked(dir.to_owned()))
}

/// Tells git to pass over the folder. That is a convenience: where it cannot be written, or somebody wrote another, so be it.
fn keep_out_of_git(dir: &Path) {
    if let Ok(mut file) = File::create_new(dir.join(".gitignore")) {
        let _ = file.write_all(b"*\n");
    }
}

/// After the bucket's name, where nothing is to show index documents.
const NOT_INDEXED: &str = "&not-indexed";
/// So that what happens to a stack can be seen, and nobody waits for it.
const RESOURCE_TIME: Duration = Duration::from_millis(50);
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

async fn serve(dir: &Path, local: FolderOptions, lock: File) -> Result<FolderSession, Error> {
    let port_path = dir.join("port");
    let _ = fs::remove_file(&port_path);
    let options = Options {
        port: local.port,
        dir: Some(dir.to_owned()),
        cloud: CloudOptions {
            invalidation_time: local.invalidation_time,
            resource_time: RESOURCE_TIME,
            ..CloudOptions::default()
        },
        interpreter: local.interpreter.clone(),
        ..Options::default()
    };
    let world = World::start(options).await?;
    world.shared.hold(lock);
    let shared = &world.shared;
    let kept = shared.kept.as_ref().map(KeptFile::read).unwrap_or_default();
    for (name, function) in kept.functions {
        shared.cloud.keep_function(&name, function.into());
    }
    for (id, policy) in kept.headers_policies {
        shared.cloud.set_headers_policy(&id, policy);
    }
    shared.cloud.key_values(|stores| *stores = kept.key_values);
    let indexed = |bucket: &str| local.index_documents || local.bucket.as_deref() != Some(bucket);
    for mut known in kept.distributions {
        let bucket = known
            .bucket()
            .filter(|name| known.id == Distribution::for_bucket(name).id);
        if known.default.function.is_none() && bucket.is_some_and(indexed) {
            set_index(shared, &mut known);
        }
        shared.cloud.set(known, shared.edges);
    }
    *shared.account.lock() = kept.account;
    // After a restart every bucket has its distribution again.
    for bucket in shared.store.bucket_names() {
        if !shared.account.lock().has_made("AWS::S3::Bucket", &bucket) {
            prepare(shared, &bucket, indexed(&bucket))?;
        }
    }
    let bucket = local.bucket.as_deref();
    let distribution = bucket.map(|bucket| prepare(shared, bucket, indexed(bucket)));
    let distribution = distribution.transpose()?;
    for (id, invalidations) in kept.invalidations {
        shared.cloud.recall(&id, invalidations);
    }
    let endpoint = world.endpoint();
    write_port(&port_path, &endpoint)?;
    Ok(FolderSession {
        world: Some(world),
        endpoint,
        distribution,
        edge_urls: Vec::new(),
    })
}

/// Has `/dir/` answered with the index document there.
fn set_index(shared: &Shared, distribution: &mut Distribution) {
    let function = Function::folders();
    shared.cloud.set_function(INDEX_FUNCTION_NAME, function);
    distribution.default.function = Some(INDEX_FUNCTION_NAME.to_owned());
}

/// The distribution that shows a bucket, of those that a stack made before any other.
fn standing(shared: &Shared, bucket: &str) -> Option<String> {
    let account = shared.account.lock();
    let mut all = shared.cloud.distributions();
    all.retain(|known| known.bucket() == Some(bucket));
    all.sort_by_key(|known| !account.has_made("AWS::CloudFront::Distribution", &known.id));
    all.into_iter().next().map(|known| known.id)
}

/// Makes a bucket that keeps versions and a distribution in front of it, where they are missing. Returns the distribution's id.
fn prepare(shared: &Shared, bucket: &str, indexed: bool) -> Result<String, Error> {
    shared.store.create(bucket, BucketOptions::default())?;
    // One that somebody suspended stays so.
    if shared.store.read(bucket, |bucket| bucket.versioning)? == Versioning::Never {
        let enable = |_: &mut BucketOptions, versioning: &mut Versioning| {
            *versioning = Versioning::Enabled;
        };
        shared.store.alter(bucket, enable)?;
    }
    if let Some(id) = standing(shared, bucket) {
        return Ok(id);
    }
    let mut distribution = Distribution::for_bucket(bucket);
    // So that tags can be tried.
    distribution.tag_header = Some("x-amz-meta-cache-tag".to_owned());
    if indexed {
        set_index(shared, &mut distribution);
    }
    let id = distribution.id.clone();
    shared.cloud.set(distribution, shared.edges);
    Ok(id)
}

/// Makes room for a function of the site's own.
fn take_index_off(shared: &Shared, id: &str) {
    if let Some(mut distribution) = shared.cloud.distribution(id)
        && distribution.default.function.as_deref() == Some(INDEX_FUNCTION_NAME)
    {
        distribution.default.function = None;
        shared.cloud.set(distribution, shared.edges);
    }
}

fn write_port(path: &Path, endpoint: &str) -> Result<(), Error> {
    let fresh = path.with_extension("new");
    let port = endpoint.rsplit(':').next().unwrap_or_default();
    let written = fs::write(&fresh, port).and_then(|()| fs::rename(&fresh, path));
    written.map_err(|cause| Error::File {
        path: PathBuf::from(path),
        cause,
    })
}

/// `None` where nobody answers yet.
async fn attach(dir: &Path, local: &FolderOptions) -> Result<Option<FolderSession>, Error> {
    let Ok(port) = fs::read_to_string(dir.join("port")) else {
        return Ok(None);
    };
    let Ok(port) = port.trim().parse::<u16>() else {
        return Ok(None);
    };
    let Ok((code, body)) = tokio::time::timeout(PAUSE * 20, ask(port, local))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    else {
        return Ok(None);
    };
    match serde_json::from_str::<Status>(&body) {
        Ok(status) if code == 200 => Ok(Some(FolderSession {
            world: None,
            endpoint: format!("http://127.0.0.1:{port}"),
            distribution: status.distribution,
            edge_urls: status.edges,
        })),
        _ => Err(Error::Refused {
            dir: dir.to_owned(),
            said: format!("{code} {body}"),
        }),
    }
}

/// One request by hand: a client crate would be a lot for it.
async fn ask(port: u16, local: &FolderOptions) -> io::Result<(u16, String)> {
    let bucket = local.bucket.as_deref().unwrap_or_default();
    let indexed = if local.index_documents {
        ""
    } else {
        NOT_INDEXED
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!(
        "PUT {STATUS_PATH}?{bucket}{indexed} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let code = code.ok_or(io::ErrorKind::InvalidData)?;
    Ok((code, body.to_owned()))
}

/// Answers [`STATUS_PATH`].
pub(super) fn status(shared: &Shared, method: &Method, query: Option<&str>) -> Response<Body> {
    let query = query.unwrap_or_default();
    let plain = query.strip_suffix(NOT_INDEXED);
    let bucket = plain.unwrap_or(query);
    let valid = bucket.is_empty() || s3s::path::check_bucket_name(bucket);
    if method != Method::PUT || !valid {
        return super::http::xml(400, b"not a bucket's name".to_vec());
    }
    let bucket = (!bucket.is_empty()).then_some(bucket);
    let distribution = bucket.map(|bucket| prepare(shared, bucket, plain.is_none()));
    match distribution.transpose() {
        Err(error) => super::http::xml(500, error.to_string().into_bytes()),
        Ok(distribution) => {
            if let (Some(id), Some(_)) = (&distribution, plain) {
                take_index_off(shared, id);
            }
            let status = Status {
                bucket: bucket.map(str::to_owned),
                distribution,
                edges: shared.served(),
            };
            let text = serde_json::to_vec(&status).unwrap_or_default();
            super::http::xml(200, text)
        }
    }
}
