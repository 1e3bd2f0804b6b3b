//! What is kept in the bucket between deploys: the lock, the debts, the manifest and the history.
//!
//! All of it lies under one root, which is not part of the site. What is written is versioned: a newer version is refused, what
//! is damaged is told apart from what is missing.

mod codec;
pub mod debt;
mod files;
pub mod head;
mod held;
pub mod history;
pub mod lock;
mod owner;
mod rescue;

use std::time::Duration;

use bytes::Bytes;
use md5::{Digest, Md5 as Hasher};

use crate::aws::s3::{Fetched, Written};
use crate::aws::{AwsError, Bucket, Condition, Kind};
use crate::domain::manifest::DeployId;
use crate::domain::{ETag, Headers, Md5};
use crate::error::{Error, Exit};
use codec::Damage;

pub use debt::Debt;
pub use head::{Head, HeadState, Loaded, Update};
pub use held::Held;
pub use lock::{Observed, Take, Timing};
pub use owner::Owner;

/// The version of every format here. Older ones are read.
pub const VERSION: u64 = 1;

/// Where the state lies.
#[derive(Clone, Debug)]
pub struct Store {
    pub bucket: Bucket,
    /// `PREFIX/.unstale/` or another, with its final `/`.
    pub root: String,
    /// The endpoint is AWS's own, which heeds conditions: it is not probed.
    pub official: bool,
    pub timing: Timing,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum StateError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("{object} is damaged: {why}")]
    Corrupt { object: String, why: String },
    #[error("{object} was written by a newer unstale (format {version}, this one knows {VERSION})")]
    Newer { object: String, version: u64 },
    /// Somebody else wrote it meanwhile.
    #[error("{object} was changed by somebody else meanwhile")]
    Moved { object: String },
    #[error("the lock was lost to another deploy, or could not be renewed in time")]
    Lost,
    #[error("{object} cannot be written: {why}")]
    Unwritable { object: String, why: String },
}

impl Store {
    pub fn new(bucket: Bucket, root: impl Into<String>, official: bool) -> Self {
        Self {
            bucket,
            root: root.into(),
            official,
            timing: Timing::default(),
        }
    }

    /// The whole key of a state object.
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.root)
    }

    fn url(&self, name: &str) -> String {
        self.bucket.url(&self.key(name))
    }

    /// Reads an object whole; an answer that broke off is asked for again.
    async fn fetch(&self, name: &str) -> Result<Option<Fetched>, StateError> {
        let mut tries = 0;
        loop {
            match self.bucket.get(&self.key(name)).await {
                Err(error) if error.is_passing() && tries < 4 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(100 << tries)).await;
                }
                answer => return Ok(answer?),
            }
        }
    }

    async fn put(
        &self,
        name: &str,
        body: Bytes,
        condition: &Condition,
    ) -> Result<Written, AwsError> {
        let headers = Headers {
            cache_control: Some("no-store".into()),
            content_type: Some(content_type(&body).into()),
            ..Headers::default()
        };
        let digest = md5_of(&body);
        self.bucket
            .put(&self.key(name), body, digest, &headers, condition)
            .await
    }

    /// Writes if the condition holds; `None`: it does not. Where the answer leaves it open, or says no, the object is read:
    /// our own body there means that our first try had succeeded. No two bodies of one object may be equal.
    async fn swap(
        &self,
        name: &str,
        body: Bytes,
        condition: &Condition,
    ) -> Result<Option<ETag>, StateError> {
        let error = match self.put(name, body.clone(), condition).await {
            Ok(written) => return Ok(Some(written.etag)),
            Err(error) => error,
        };
        let refused = matches!(
            error.kind,
            Kind::Precondition | Kind::Conflict | Kind::NotFound
        );
        if !refused && !error.is_passing() {
            return Err(error.into());
        }
        match self.fetch(name).await {
            Ok(Some(there)) if there.body == body => Ok(Some(there.etag)),
            Ok(_) if refused => Ok(None),
            _ => Err(error.into()),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), StateError> {
        let key = self.key(name);
        Ok(self.bucket.delete(&key, &Condition::Always).await?)
    }

    /// The names under `folder` and their sizes in bytes, sorted, relative to the root.
    async fn list(
        &self,
        folder: &str,
        after: Option<&str>,
    ) -> Result<Vec<(String, u64)>, StateError> {
        let after = after.map(|after| self.key(after));
        let (listed, _) = self
            .bucket
            .list_range(
                &self.key(folder),
                after.as_deref(),
                None,
                usize::MAX,
                |_| {},
            )
            .await?;
        let name = |key: &str| key.strip_prefix(&self.root).map(str::to_owned);
        Ok(listed
            .into_iter()
            .filter_map(|object| Some((name(&object.key)?, object.size)))
            .collect())
    }

    fn damaged(&self, name: &str, damage: Damage) -> StateError {
        let object = self.url(name);
        match damage {
            Damage::Newer(version) => StateError::Newer { object, version },
            Damage::Corrupt(why) => StateError::Corrupt { object, why },
        }
    }

    fn unwritable(&self, name: &str, error: impl ToString) -> StateError {
        StateError::Unwritable {
            object: self.url(name),
            why: error.to_string(),
        }
    }
}

/// A new deploy's id: its time (unix seconds by the server's clock) and 48 random bits.
pub fn mint(now: i64) -> DeployId {
    let at = jiff::Timestamp::from_second(now).unwrap_or_default();
    let random = uuid::Uuid::new_v4().simple().to_string();
    let tail = random.get(20..).unwrap_or(&random);
    DeployId::new(format!("{}-{tail}", at.strftime("%Y%m%dT%H%M%SZ")))
}

fn md5_of(body: &[u8]) -> Md5 {
    Md5(Hasher::digest(body).into())
}

fn content_type(body: &[u8]) -> &'static str {
    if body.starts_with(b"{") {
        "application/json"
    } else {
        "application/zstd"
    }
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        let message = error.to_string();
        match error {
            StateError::Aws(error) => error.into(),
            StateError::Newer { .. } => {
                Error::failed(message).hint("install the newest unstale here too")
            }
            StateError::Corrupt { .. } | StateError::Unwritable { .. } => Error::failed(message),
            StateError::Moved { .. } | StateError::Lost => Error::new(Exit::Incomplete, message)
                .hint("deploy again: the next deploy finishes what this one began"),
        }
    }
}

#[cfg(test)]
mod tests;
