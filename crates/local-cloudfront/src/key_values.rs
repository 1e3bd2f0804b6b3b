//! KeyValueStores: what functions look up, by keys of up to 512 bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::distribution::code_of;

/// The most bytes of a key, of a value, and of both in a store (Developer Guide, "Quotas on key value stores").
const MOST_KEY: usize = 512;
const MOST_VALUE: usize = 1024;
const MOST_STORE: usize = 5 * 1024 * 1024;
/// The most changes in one UpdateKeys, and the most bytes of them.
const MOST_CHANGES: usize = 50;
const MOST_CHANGED: usize = 3 * 1024 * 1024;

/// All stores by name.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct KeyValueStores(BTreeMap<String, KeyValueStore>);

/// One store.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeyValueStore {
    pub name: String,
    /// The last part of its ARN.
    pub id: String,
    pub comment: String,
    /// Until somebody has asked for it, it is being made.
    pub ready: bool,
    pub created: SystemTime,
    pub modified: SystemTime,
    pub values: Arc<BTreeMap<String, String>>,
    /// Counts its changes, so that each has an ETag of its own.
    changes: u64,
}

/// The store that a function is associated with, as it stands when it runs.
#[derive(Clone, Debug)]
pub(crate) struct BoundStore {
    /// The last part of its ARN, which `cf.kvs(id)` may name.
    #[cfg_attr(not(feature = "javascript"), expect(dead_code))]
    pub id: String,
    pub values: Arc<BTreeMap<String, String>>,
}

/// What is to become of one key: a value, or `None` to delete it.
pub(crate) type KeyChange = (String, Option<String>);

/// Why changes are refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyProblem {
    #[error(
        "A key is empty or longer than 512 bytes, or a value is longer than 1,024, or a key is named twice."
    )]
    Invalid,
    #[error("The store or the request would be too large.")]
    TooMuch,
    #[error("The key does not exist.")]
    NotFound,
}

impl KeyValueStores {
    pub(crate) fn all(&self) -> impl Iterator<Item = &KeyValueStore> {
        self.0.values()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&KeyValueStore> {
        self.0.get(name)
    }

    /// Adds an empty one. `None` where there is one of that name.
    pub(crate) fn create(
        &mut self,
        name: &str,
        comment: &str,
        now: SystemTime,
    ) -> Option<&KeyValueStore> {
        if self.0.contains_key(name) {
            return None;
        }
        let store = KeyValueStore {
            name: name.to_owned(),
            id: uuid::Uuid::new_v4().to_string(),
            comment: comment.to_owned(),
            ready: false,
            created: now,
            modified: now,
            values: Arc::default(),
            changes: 0,
        };
        Some(self.0.entry(name.to_owned()).or_insert(store))
    }

    pub(crate) fn named(&mut self, name: &str) -> Option<&mut KeyValueStore> {
        self.0.get_mut(name)
    }

    pub(crate) fn by_arn(&mut self, arn: &str) -> Option<&mut KeyValueStore> {
        self.0.values_mut().find(|store| store.arn() == arn)
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(crate) fn bound(&self, arn: &str) -> Option<BoundStore> {
        let store = self.0.values().find(|store| store.arn() == arn)?;
        Some(BoundStore {
            id: store.id.clone(),
            values: store.values.clone(),
        })
    }
}

impl KeyValueStore {
    pub(crate) fn arn(&self) -> String {
        format!(
            "arn:aws:cloudfront::111122223333:key-value-store/{}",
            self.id
        )
    }

    /// Changes whenever a key does.
    pub(crate) fn etag(&self) -> String {
        format!("KV{}", code_of(&format!("{}{}", self.id, self.changes)))
    }

    /// Bytes of all keys and values.
    pub(crate) fn size(&self) -> usize {
        size(&self.values)
    }

    /// Changes keys, all or none.
    pub(crate) fn change(
        &mut self,
        changes: Vec<KeyChange>,
        now: SystemTime,
    ) -> Result<(), KeyProblem> {
        let length = |(key, value): &KeyChange| key.len() + value.as_ref().map_or(0, String::len);
        let invalid = |(key, value): &KeyChange| {
            key.is_empty()
                || key.len() > MOST_KEY
                || value.as_ref().is_some_and(|value| value.len() > MOST_VALUE)
        };
        let keys: BTreeMap<&str, ()> = changes.iter().map(|(key, _)| (key.as_str(), ())).collect();
        if keys.len() < changes.len() || changes.iter().any(invalid) {
            return Err(KeyProblem::Invalid);
        }
        if changes.len() > MOST_CHANGES || changes.iter().map(length).sum::<usize>() > MOST_CHANGED
        {
            return Err(KeyProblem::TooMuch);
        }
        let mut values = (*self.values).clone();
        for (key, value) in changes {
            match value {
                Some(value) => _ = values.insert(key, value),
                None => _ = values.remove(&key).ok_or(KeyProblem::NotFound)?,
            }
        }
        if size(&values) > MOST_STORE {
            return Err(KeyProblem::TooMuch);
        }
        self.values = Arc::new(values);
        self.changes += 1;
        self.modified = now;
        Ok(())
    }
}

fn size(values: &BTreeMap<String, String>) -> usize {
    values
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum()
}
