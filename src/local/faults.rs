//! What can go wrong with a request, by rules that tests set, and the log of all requests.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Semaphore;

/// Which of the two services a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    S3,
    CloudFront,
}

/// A request as rules and the log see it.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// Counts from 1 over both services and never starts again.
    pub number: u64,
    pub service: Service,
    /// As AWS names it (`PutObject`, `CreateInvalidation`), or empty where it is none that is known.
    pub operation: &'static str,
    pub method: String,
    /// As sent, percent-encoded.
    pub path: String,
    /// As sent, without the `?`.
    pub query: String,
    /// Of S3; empty for CloudFront.
    pub bucket: String,
    /// Of S3, decoded; empty for a request about the bucket.
    pub key: String,
}

impl RequestInfo {
    /// True for what changes a bucket or begins an invalidation.
    pub fn writes(&self) -> bool {
        self.method != "GET" && self.method != "HEAD"
    }
}

/// What becomes of a request. "After" means that it took effect before its answer was lost.
#[derive(Clone, Default)]
pub enum Fault {
    #[default]
    None,
    /// An error answer, and no effect: HTTP status and AWS code.
    Fail(u16, &'static str),
    /// Takes effect, and answers an error all the same.
    FailAfter(u16, &'static str),
    /// The connection is cut without an answer and without effect.
    Reset,
    /// Takes effect; then the connection is cut.
    ResetAfter,
    /// No effect and no answer, as long as the client waits.
    Stall,
    /// Takes effect; no answer, as long as the client waits.
    StallAfter,
    /// Takes effect; half of the answer's body, then the connection is cut.
    TruncateAnswer,
    /// No effect; status 200 with an error in its body (CopyObject, CompleteMultipartUpload), or one error for each key
    /// (DeleteObjects).
    ErrorIn200(&'static str),
    /// Waits, then goes on.
    Delay(Duration),
    /// Stands at the gate before it takes effect. It has none if the client goes away meanwhile.
    HoldBefore(Gate),
    /// Stands at the gate and takes effect when that opens, even if the client is long gone: a request that the network
    /// delivers late.
    Late(Gate),
    /// Takes effect and stands at the gate before it answers.
    HoldAfter(Gate),
}

/// Where requests wait until a test lets them go.
#[derive(Clone)]
pub struct Gate(Arc<Doors>);

struct Doors {
    arrived: Semaphore,
    open: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    pub fn new() -> Self {
        Self(Arc::new(Doors {
            arrived: Semaphore::new(0),
            open: Semaphore::new(0),
        }))
    }

    /// Returns once one more request stands at the gate.
    pub async fn arrived(&self) {
        if let Ok(permit) = self.0.arrived.acquire().await {
            permit.forget();
        }
    }

    /// Lets everything go that stands or will come here.
    pub fn open(&self) {
        self.0.open.close();
    }

    pub(super) async fn pass(&self) {
        self.0.arrived.add_permits(1);
        // Never granted: it ends when the gate is opened for good.
        let _ = self.0.open.acquire().await;
    }
}

/// Decides for each request. It must not block.
pub type Rule = Arc<dyn Fn(&RequestInfo) -> Fault + Send + Sync>;

/// One line of the request log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    pub request: RequestInfo,
    pub at: SystemTime,
    /// `None` while it runs, and for one that was never answered.
    pub status: Option<u16>,
    /// Content-Length of the request, 0 without one.
    pub bytes_in: u64,
    /// Length of the answer's body, as far as it was known beforehand.
    pub bytes_out: u64,
}
