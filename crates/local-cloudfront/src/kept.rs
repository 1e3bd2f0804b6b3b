//! What a folder keeps from one process to the next besides buckets: distributions, functions, headers policies, invalidations and
//! stacks. Edges are cold after a restart.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::account::AccountState;
use super::distribution::Distribution;
use super::function::{Function, Stages};
use super::headers_policy::HeadersPolicy;
use super::invalidation::Invalidation;
use super::key_values::KeyValueStores;

/// The function that answers `/dir/` until a deploy associates another.
pub(crate) const INDEX_FUNCTION_NAME: &str = "index-documents";

/// What is kept, by names and ids.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    pub functions: BTreeMap<String, KeptFunction>,
    /// Without the function that answers `/dir/`, which the next process may not want.
    pub distributions: Vec<Distribution>,
    pub key_values: KeyValueStores,
    pub headers_policies: BTreeMap<String, HeadersPolicy>,
    pub invalidations: BTreeMap<String, Vec<Invalidation>>,
    pub account: AccountState,
}

#[derive(Serialize, Deserialize)]
pub(super) struct KeptFunction {
    development: String,
    live: Option<String>,
    comment: String,
    #[serde(default)]
    development_store: Option<String>,
    #[serde(default)]
    live_store: Option<String>,
}

impl From<&Stages> for KeptFunction {
    fn from(stages: &Stages) -> Self {
        Self {
            development: stages.development.code.clone(),
            live: stages.live.as_ref().map(|live| live.code.clone()),
            comment: stages.comment.clone(),
            development_store: stages.development_store.clone(),
            live_store: stages.live_store.clone(),
        }
    }
}

impl From<KeptFunction> for Stages {
    fn from(kept: KeptFunction) -> Self {
        Self {
            development: Function::of(kept.development),
            live: kept.live.map(Function::of),
            comment: kept.comment,
            development_store: kept.development_store,
            live_store: kept.live_store,
        }
    }
}

/// The file that it is kept in.
pub(super) struct KeptFile {
    path: PathBuf,
    /// So that writers do not take each other's new file.
    turn: Mutex<()>,
}

impl KeptFile {
    pub(crate) fn of(folder: &Path) -> Self {
        Self {
            path: folder.join("cloudfront.json"),
            turn: Mutex::new(()),
        }
    }

    /// Nothing where there is no file, or none that can be read.
    pub(crate) fn read(&self) -> Kept {
        let bytes = fs::read(&self.path).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Keeps what `now` gives. It is a convenience: where the disk is full the next process begins without.
    pub(crate) fn write(&self, now: impl FnOnce() -> Kept) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = self.path.with_extension("new");
        let bytes = serde_json::to_vec(&now()).unwrap_or_default();
        let _ = fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, &self.path));
    }
}
