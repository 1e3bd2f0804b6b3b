//! What a deploy brought about so far, and why it stops.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::purge_sender::SentPurge;
use super::put_error::PutError;
use crate::aws::AwsError;
use crate::aws::s3::Written;
use crate::edge::PurgeMode;
use crate::job::request::Job;
use crate::object::{KeptName, Key};
use crate::plan::DistributionPurge;
use crate::state::StateError;
use crate::survey::targets::ResolvedTargets;

/// What was brought about so far.
#[derive(Debug, Default)]
pub(super) struct DeployProgress {
    /// A first change was begun.
    pub(super) begun: bool,
    /// Copies of what is replaced and removed.
    pub(super) kept: BTreeSet<KeptName>,
    pub(super) put: HashMap<Key, Written>,
    pub(super) deleted: HashSet<Key>,
    /// Those of them that took so long that an attempt may have been given up, and may take effect yet.
    pub(super) slow: HashSet<Key>,
    /// Objects that are not as they should be, and why.
    pub(super) failures: Vec<(Key, PutError)>,
    /// Distributions stay configured otherwise than the plan took them to be.
    pub(super) reconfigured: bool,
    /// Distributions, by id, of which some edges did not know the configuration yet when they were purged.
    pub(super) undeployed: HashSet<String>,
    /// The purges for what was brought about.
    pub(super) purges: Vec<DistributionPurge>,
    pub(super) sent: SentPurge,
    pub(super) purge: PurgeOutcome,
    /// How many paths stay unpaid, by distribution.
    pub(super) owed: BTreeMap<String, u64>,
}

/// What became of the purge.
#[derive(Debug, Default)]
pub(super) enum PurgeOutcome {
    /// CloudFront took all of it that was to be sent so far.
    #[default]
    Accepted,
    /// The time for the wait ran out before the assets could be removed.
    TimedOut,
    /// Not all of it was taken: the rest stays unpaid.
    Refused(AwsError),
    /// Nobody knows which distribution is to be sent it. The state says of none that it was told, so that it is owed everything.
    Unlisted(AwsError),
}

impl PurgeOutcome {
    /// Returns what is known before anything is sent.
    pub(super) fn foreseen(job: &Job, targets: &ResolvedTargets) -> Self {
        let wanted = job.prices.mode != PurgeMode::None;
        let unlisted = targets.unlisted.clone().filter(|_| wanted);
        unlisted.map_or(Self::Accepted, Self::Unlisted)
    }
}

/// Why a deploy stops before its end is noted.
#[derive(Debug)]
pub(super) enum HaltReason {
    /// Somebody else wrote this key since the listing: look and plan again.
    Race(Key),
    Interrupted,
    /// Interrupted, and changes were given up that may take effect yet.
    Abandoned,
    State(StateError),
    /// Not everybody is asked for the password yet, and why: nothing was uploaded.
    Unprotected(Vec<String>),
    /// Not all that goes could be kept: nothing was uploaded.
    NotKept(Vec<(Key, PutError)>),
}

impl From<StateError> for HaltReason {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl DeployProgress {
    pub(super) fn has_failed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// Tells whether changes failed that may take effect yet.
    pub(super) fn leaves_open(&self) -> bool {
        self.failures.iter().any(|(_, error)| error.leaves_open())
    }

    pub(super) fn did(&self, key: &Key) -> bool {
        self.put.contains_key(key) || self.deleted.contains(key)
    }
}
