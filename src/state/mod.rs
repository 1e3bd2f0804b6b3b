//! What is kept in the bucket between deploys: one object, `state`, that holds everything, or names the files that hold the rest.
//!
//! `state` is changed by compare-and-swap alone, and every step of a deploy is one write of it. The files that it names are
//! written once, before the write that names them, and never changed. What it does not name does not exist.

mod codec;
mod document;
mod gone;
mod held;
pub mod history;
mod kept;
mod lease;
mod litter;
mod manifest;
mod object;
mod open;
pub mod owner;
mod rescue;
mod swap;

use std::time::Duration;

use bytes::Bytes;
use md5::{Digest, Md5 as Hasher};

use crate::aws::list::{KeyRange, ListedObject};
use crate::aws::read::FetchedObject;
use crate::aws::s3::{CheckedBody, Written};
use crate::aws::{AwsError, Bucket, WriteCondition};
use crate::error::{Error, Exit};
use crate::object::manifest::DeployId;
use crate::object::{Headers, Md5};
use codec::Damage;

pub use history::{HistoryRecord, RecentDeploy};
pub use kept::KeptNames;
pub use lease::{BeginOutcome, EndOfDeploy, Lease};
pub use manifest::{LoadedManifest, ManifestUpdate};
pub use object::{
    LeaseRecord, ManifestFiles, NAME, ObservedState, RECENT, StateObject, WarningDigest,
};
pub use open::LeftOpen;
pub use owner::ProcessOwner;

/// The newest version of the formats here. Older ones are read.
pub const VERSION: u64 = 2;
/// The version of every format but that of a `state` that names kept copies: an unstale that does not know them would forget them.
const PLAIN_VERSION: u64 = 1;

/// Where the state of one site lies.
#[derive(Clone, Debug)]
pub struct StateStore {
    pub bucket: Bucket,
    /// `PREFIX/.unstale/` or another, with its final `/`.
    pub root: String,
    /// The bucket and the prefix of the site that the state is of.
    pub site: (String, String),
    /// The endpoint is AWS's own, which heeds conditions: it is not probed.
    pub official: bool,
    pub timing: LeaseTiming,
}

/// How long the lease is held and waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTiming {
    pub lease: Duration,
    pub renew: Duration,
    /// After the deadline of a holder that did not give the lease back. A request that was under way when the holder died may
    /// take effect for as long as its kernel still sends: at most 4 MB (Linux, `tcp_wmem`) over a line of 64 KB/s, 64 s. The
    /// deadline lies at least 45 s after the death, so that 75 s have passed.
    pub grace: Duration,
    pub poll: Duration,
}

impl Default for LeaseTiming {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
            renew: Duration::from_secs(15),
            grace: Duration::from_secs(30),
            poll: Duration::from_millis(1500),
        }
    }
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum StateError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("{object} is damaged: {why}")]
    Corrupt { object: String, why: String },
    #[error("{object} was written by a newer unstale (format {version}, this one knows {VERSION})")]
    Newer { object: String, version: u64 },
    #[error("{object} is the state of another site: of s3://{bucket}/{prefix}")]
    OtherSite {
        object: String,
        bucket: String,
        prefix: String,
    },
    #[error("the lease was lost to another deploy, or could not be renewed in time")]
    Lost,
    #[error("{object} cannot be written: {why}")]
    Unwritable { object: String, why: String },
}

impl StateStore {
    /// Returns the whole key of a state object.
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.root)
    }

    fn url(&self, name: &str) -> String {
        self.bucket.url(&self.key(name))
    }

    /// Reads an object whole; an answer that broke off is asked for again.
    async fn fetch(&self, name: &str) -> Result<Option<FetchedObject>, StateError> {
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
        condition: &WriteCondition,
    ) -> Result<Written, AwsError> {
        let headers = Headers {
            cache_control: Some("no-store".into()),
            content_type: Some(content_type(&body).into()),
            ..Headers::default()
        };
        let body = CheckedBody {
            md5: md5_of(&body),
            bytes: body,
        };
        self.bucket
            .put(&self.key(name), body, &headers, condition)
            .await
    }

    /// Writes a file, which nobody changes afterwards.
    async fn write_file(&self, name: &str, body: Vec<u8>) -> Result<(), StateError> {
        self.put(name, body.into(), &WriteCondition::Always).await?;
        Ok(())
    }

    /// Lists the files that lie where the state is kept.
    pub async fn list_files(&self) -> Result<Vec<ListedObject>, StateError> {
        self.list_folder("").await
    }

    async fn list_folder(&self, folder: &str) -> Result<Vec<ListedObject>, StateError> {
        let range = KeyRange {
            prefix: &self.key(folder),
            ..KeyRange::default()
        };
        let (files, _) = self.bucket.list_range(range, usize::MAX, |_| {}).await?;
        Ok(files)
    }

    /// Lists the names under `folder`, sorted, relative to the root.
    async fn list(&self, folder: &str) -> Result<Vec<String>, StateError> {
        let files = self.list_folder(folder).await?;
        let names = files.iter().map(|file| {
            let name = file.key.strip_prefix(self.root.as_str());
            name.unwrap_or(&file.key).to_owned()
        });
        Ok(names.collect())
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

/// Takes damage for `None` and tells of it once; anything else ends it.
fn or_warning<T>(
    read: Result<T, StateError>,
    warnings: &mut Vec<String>,
) -> Result<Option<T>, StateError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error @ StateError::Corrupt { .. }) => {
            let warning = error.to_string();
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Mints a new deploy's id: its time (unix seconds by the server's clock) and 48 random bits.
pub fn mint(now: i64) -> DeployId {
    let time = jiff::Timestamp::from_second(now).unwrap_or_default();
    let time = time.strftime("%Y%m%dT%H%M%SZ");
    DeployId::new(format!("{time}-{:.12}", random()))
}

/// Returns 122 random bits in hex.
fn random() -> String {
    uuid::Uuid::new_v4().simple().to_string()
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
            StateError::Corrupt { object, .. } if object.ends_with(&format!("/{NAME}")) => Error::failed(message).hint(format!(
                "put an earlier version of it back, or delete it (aws s3 rm {object}): what is known is then made good from the \
                 history, and every distribution is purged once"
            )),
            StateError::Corrupt { .. } | StateError::Unwritable { .. } => Error::failed(message),
            StateError::OtherSite { .. } => Error::usage(message)
                .hint("give each site a place of its own: `state` in deploy.toml, or UNSTALE_STATE"),
            StateError::Lost => Error::new(Exit::Incomplete, message)
                .hint("deploy again: the next deploy finishes what this one began"),
        }
    }
}

#[cfg(test)]
mod tests;
