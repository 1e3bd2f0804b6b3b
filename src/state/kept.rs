//! Copies of what deploys replaced and removed, for `rollback` where the bucket keeps no versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::object::StateObject;
use super::{StateError, StateStore};
use crate::aws::AwsError;
use crate::aws::read::ObjectHead;
use crate::aws::s3::CopySource;
use crate::object::KeptName;

pub(super) const FOLDER: &str = "kept/";

/// The copies that are kept: by name the counter, as in the name of its record, of the newest deploy that replaced such an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeptNames(BTreeMap<KeptName, u64>);

impl KeptNames {
    pub fn contains(&self, name: &KeptName) -> bool {
        self.0.contains_key(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &KeptName> + Clone {
        self.0.keys()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes what the deploy of this counter replaced.
    pub fn note(&mut self, names: impl IntoIterator<Item = KeptName>, counter: u64) {
        let names = names.into_iter().map(|name| (name, counter));
        self.0.extend(names);
    }

    /// Forgets what was replaced before the deploy of this counter, and by none since.
    pub fn forget_before(&mut self, counter: u64) {
        self.0.retain(|_, newest| *newest >= counter);
    }
}

impl StateStore {
    /// Reads which copies are kept; where that cannot be read, none, with a warning.
    pub async fn read_kept(
        &self,
        state: &StateObject,
    ) -> Result<(KeptNames, Option<String>), StateError> {
        let Some(kept) = &state.kept else {
            return Ok(Default::default());
        };
        Ok(match self.read_document(kept).await? {
            Ok(names) => (names, None),
            Err(why) => {
                let warning = format!("what was kept for rollback is not known: {why}");
                (KeptNames::default(), Some(warning))
            }
        })
    }

    /// Returns the whole key of a kept copy, in the state's bucket.
    pub fn kept_key(&self, name: &KeptName) -> String {
        self.key(&format!("{FOLDER}{name}"))
    }

    /// Keeps a copy of an object. S3 never copies its redirect.
    pub async fn keep(
        &self,
        source: CopySource<'_>,
        name: &KeptName,
        redirect: Option<String>,
    ) -> Result<(), AwsError> {
        let key = self.kept_key(name);
        self.bucket.copy_as_is(source, &key, redirect).await
    }

    /// Reads the headers of a kept copy; `None` where there is none.
    pub async fn kept_head(&self, name: &KeptName) -> Result<Option<ObjectHead>, AwsError> {
        self.bucket.head(&self.kept_key(name), None).await
    }
}
