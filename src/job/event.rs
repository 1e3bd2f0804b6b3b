//! What happens in a deploy, told in the past tense to whoever listens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::object::Key;
use crate::plan::{ChangeAction, Plan, Reason};

/// Told while a command runs. Whoever reports them decides what of it is shown.
#[derive(Clone, Debug)]
pub enum DeployEvent {
    /// So many files found in the build so far.
    Walked(u64),
    /// So much hashed so far.
    Hashed {
        files: u64,
        bytes: u64,
    },
    /// Left out of the build without having been asked for: paths in it, sorted, a folder's with a final slash.
    LeftOut(Vec<String>),
    /// The build is known.
    Scanned {
        files: u64,
        bytes: u64,
    },
    /// So many objects listed so far.
    Listed(u64),
    /// The listing is known.
    ListingEnded(u64),
    /// So many of `total` objects asked about that somebody else may have changed.
    Asked {
        done: u64,
        total: u64,
    },
    /// So many of `total` objects kept that the deploy replaces or removes.
    Kept {
        done: u64,
        total: u64,
    },
    Warned(String),
    Planned(Arc<Plan>),
    /// Another deploy holds the lease.
    LockAwaited {
        who: String,
        /// Until then, by the server's clock, nobody else takes it, unless it is renewed.
        until: String,
        /// How long that is.
        ends_in: Duration,
        waited: Duration,
        patience: Duration,
    },
    /// What is about to be put and copied.
    UploadsBegan {
        files: u64,
        bytes: u64,
    },
    /// So many more bytes of a large file were taken by S3.
    BytesSent {
        key: Key,
        bytes: u64,
    },
    /// An object is live. Bytes that [`DeployEvent::BytesSent`] told already are in `bytes` too.
    Changed {
        key: Key,
        action: ChangeAction,
        reason: Reason,
        bytes: u64,
    },
    Deleted {
        key: Key,
    },
    /// Viewers meet this code from now on.
    FunctionPublished {
        name: String,
    },
    /// The distribution's default behavior runs it.
    FunctionAssociated {
        name: String,
        target: String,
    },
    /// It does no more. What runs nowhere may be deleted.
    FunctionTakenOff {
        name: String,
        target: String,
    },
    /// Viewers get its headers from now on, wherever it is associated.
    HeadersPolicyWritten {
        name: String,
    },
    /// Behaviors of the distribution have other response headers policies now.
    HeadersPolicyAssociated {
        target: String,
    },
    /// So many entries of a key value store were put or deleted.
    StoreWritten {
        name: String,
        count: u64,
    },
    /// Not all edges know of a distribution's new configuration yet.
    DeploymentAwaited {
        target: String,
        elapsed: Duration,
    },
    /// The bucket's owner of the moment changed something under us: the plan is made anew.
    PlannedAgain(String),
    /// CloudFront took a batch.
    PurgeAccepted {
        target: String,
        invalidation: String,
        paths: Vec<String>,
    },
    /// CloudFront wants us to wait before the next batch.
    PurgePaced {
        target: String,
        why: String,
        wait: Duration,
    },
    /// Not completed yet.
    PurgeAwaited {
        target: String,
        invalidation: String,
        elapsed: Duration,
    },
    PurgeCompleted {
        target: String,
        invalidation: String,
        elapsed: Duration,
    },
    /// Last of a command that deployed.
    Ended(DeploySummary),
}

/// Whom events are told. Cheap to clone.
#[derive(Clone)]
pub(crate) struct EventSink(Arc<dyn Fn(&DeployEvent) + Send + Sync>);

impl EventSink {
    pub(crate) fn new(listener: impl Fn(&DeployEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    pub(crate) fn tell(&self, event: DeployEvent) {
        (self.0)(&event);
    }
}

impl std::fmt::Debug for EventSink {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Teller")
    }
}

/// What a deploy came to.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeploySummary {
    /// The deploy's id; none where there was nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy: Option<String>,
    pub outcome: String,
    pub bucket: String,
    pub prefix: String,
    pub uploaded: u64,
    pub uploaded_bytes: u64,
    /// Copied in the bucket, with new headers or from another key.
    pub copied: u64,
    pub deleted: u64,
    pub unchanged: u64,
    /// Assets that left the build and stay for now.
    pub retained: u64,
    /// Objects that are not ours and were left alone.
    pub foreign: u64,
    pub failed: u64,
    /// Invalidation paths that CloudFront took.
    pub paths_purged: u64,
    pub invalidations: Vec<InvalidationSummary>,
    /// Paths that this deploy owes, by distribution: they were not purged.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub paths_owed: BTreeMap<String, u64>,
    /// What the purge cost, in US dollars, after the free allowance.
    pub cost_usd: f64,
    /// The same by distribution.
    pub costs_usd: BTreeMap<String, f64>,
    /// Where viewers see the site, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    pub seconds: f64,
    pub requests: u64,
}

/// One invalidation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct InvalidationSummary {
    pub distribution: String,
    /// As AWS shows it.
    pub id: String,
    pub paths: u64,
    /// `Completed` or `InProgress`.
    pub status: String,
}
