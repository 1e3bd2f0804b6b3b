//! KeyValueStores: what functions look up.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The store that a function is associated with, as it stands when it runs.
#[derive(Clone, Debug)]
pub(crate) struct BoundStore {
    /// The last part of its ARN, which `cf.kvs(id)` may name.
    pub id: String,
    pub values: Arc<BTreeMap<String, String>>,
}
