//! `head` names the files that make up the manifest, and holds the newest changes itself.

use std::collections::BTreeMap;

use aws_smithy_types::base64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::codec::{self, Damage};
use super::rescue::Known;
use super::{StateError, Store, VERSION};
use crate::aws::{Condition, Kind};
use crate::domain::entries::Entries;
use crate::domain::manifest::{Delta, DeployId, DeployRef, Manifest, Tables, Told};
use crate::domain::{ETag, Md5};

/// One file of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Relative to the state's root.
    pub name: String,
    pub digest: Md5,
    pub bytes: u64,
    pub entries: u64,
}

/// The `head` object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub version: u64,
    /// Counts the writes.
    pub sequence: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<File>,
    /// What changed since the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid: Option<File>,
    /// What changed since `mid`: base64 of a file's content.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub inline: String,
    /// The base before, kept in case this one is damaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<File>,
    #[serde(default)]
    pub distributions: BTreeMap<String, Told>,
    /// Over all live entries: equal means that nothing differs, without reading the manifest.
    pub live_digest: Option<Md5>,
    /// How many live entries there are.
    #[serde(default)]
    pub live: u64,
    /// Oldest first, the last [`RECENT`].
    #[serde(default)]
    pub recent: Vec<Recent>,
    /// Paths purged, by month in UTC (`2026-11`), the last three months.
    #[serde(default)]
    pub paths_by_month: BTreeMap<String, u64>,
}

/// How many deploys `head` remembers.
pub const RECENT: usize = 100;

/// A deploy in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    pub id: DeployId,
    /// Unix seconds.
    pub at: i64,
    /// Invalidation paths that were sent.
    pub paths: u64,
}

/// What was found where `head` lies.
#[derive(Clone, Debug)]
pub enum HeadState {
    Absent,
    Found {
        head: Box<Head>,
        etag: ETag,
    },
    /// Not to be read: the manifest has to be made good from what else there is.
    Damaged {
        etag: ETag,
        why: String,
    },
}

/// The manifest, and what of it lies in which file.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub manifest: Manifest,
    /// What was damaged and what was taken instead, for people. Not empty: the next write writes everything anew.
    pub warnings: Vec<String>,
    /// Nothing at all lies where the state is kept.
    pub(super) fresh: bool,
    pub(super) mid: Delta,
    pub(super) inline: Delta,
}

impl Loaded {
    /// Of a place where nothing at all lies.
    pub fn fresh() -> Self {
        Self {
            fresh: true,
            ..Self::default()
        }
    }
}

/// What a deploy writes into the manifest. The entries of `delta` point into the tables of the loaded manifest.
#[derive(Clone, Debug)]
pub struct Update {
    pub deploy: DeployRef,
    /// Invalidation paths that were sent.
    pub paths: u64,
    pub delta: Delta,
    /// All of them as they are to stand.
    pub distributions: BTreeMap<String, Told>,
}

impl HeadState {
    pub fn head(&self) -> Option<&Head> {
        match self {
            Self::Found { head, .. } => Some(head),
            _ => None,
        }
    }

    pub fn etag(&self) -> Option<&ETag> {
        match self {
            Self::Absent => None,
            Self::Found { etag, .. } | Self::Damaged { etag, .. } => Some(etag),
        }
    }
}

impl Head {
    /// Invalidation paths sent in the month (UTC) of this time, in unix seconds.
    pub fn paths_in_month(&self, at: i64) -> u64 {
        self.paths_by_month
            .get(&month(at))
            .copied()
            .unwrap_or_default()
    }

    fn remember(&mut self, update: &Update) {
        self.recent.push(Recent {
            id: update.deploy.id.clone(),
            at: update.deploy.at,
            paths: update.paths,
        });
        let excess = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..excess);
        *self
            .paths_by_month
            .entry(month(update.deploy.at))
            .or_default() += update.paths;
        while self.paths_by_month.len() > MONTHS {
            self.paths_by_month.pop_first();
        }
    }

    /// Whether the manifest lies in it whole.
    pub fn is_all(&self) -> bool {
        self.base.is_none() && self.mid.is_none()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.base, &self.mid, &self.previous]
            .into_iter()
            .flatten()
            .map(|file| file.name.as_str())
    }
}

/// Relative to the state's root.
pub const NAME: &str = "head";
pub(super) const FOLDER: &str = "manifest/";
const MONTHS: usize = 3;

impl Store {
    /// Fails with [`StateError::Newer`] where a newer version wrote it.
    pub async fn read_head(&self) -> Result<HeadState, StateError> {
        let Some(fetched) = self.fetch(NAME).await? else {
            return Ok(HeadState::Absent);
        };
        let etag = fetched.etag;
        match codec::from_json(&fetched.body) {
            Ok(head) => Ok(HeadState::Found { head, etag }),
            Err(Damage::Corrupt(why)) => Ok(HeadState::Damaged { etag, why }),
            Err(newer) => Err(self.damaged(NAME, newer)),
        }
    }

    /// The whole manifest; empty where there is none. What is damaged is made good from the base before and from history.
    pub async fn read_manifest(&self, state: &HeadState) -> Result<Loaded, StateError> {
        let head = match state {
            HeadState::Found { head, .. } => head,
            HeadState::Absent => {
                let mut loaded = self
                    .rescue(&Head::default(), Known::default(), Vec::new())
                    .await?;
                if !loaded.warnings.is_empty() {
                    let warning = format!("{} is gone", self.url(NAME));
                    loaded.warnings.insert(0, warning);
                }
                return Ok(loaded);
            }
            HeadState::Damaged { why, .. } => {
                let warning = format!("{} is damaged: {why}", self.url(NAME));
                return self
                    .rescue(&Head::default(), Known::default(), vec![warning])
                    .await;
            }
        };
        let (base, mid) = tokio::join!(
            self.read_file(head.base.as_ref()),
            self.read_file(head.mid.as_ref())
        );
        let mut manifest = Manifest {
            distributions: head.distributions.clone(),
            ..Manifest::default()
        };
        let tables = &mut manifest.tables;
        let base = or_warning(base.and_then(|bytes| self.base_of(head, bytes, tables)))?;
        let mid = or_warning(mid.and_then(|bytes| self.mid_of(head, bytes, tables)))?;
        let inline = or_warning(self.inline_of(head, tables))?;
        match (base, mid, inline) {
            (Ok(base), Ok(mid), Ok(inline)) => {
                manifest.entries = base;
                let mid = mid.map(|(delta, _)| delta).unwrap_or_default();
                manifest.apply(mid.clone());
                manifest.apply(inline.clone());
                Ok(Loaded {
                    fresh: false,
                    manifest,
                    warnings: Vec::new(),
                    mid,
                    inline,
                })
            }
            (base, mid, inline) => {
                let mut warnings = Vec::new();
                warnings.extend(base.as_ref().err().cloned());
                warnings.extend(mid.as_ref().err().cloned());
                warnings.extend(inline.as_ref().err().cloned());
                manifest.entries = base.unwrap_or_default();
                let known = Known {
                    manifest,
                    mid: mid.ok().flatten(),
                    inline: inline.unwrap_or_default(),
                };
                self.rescue(head, known, warnings).await
            }
        }
    }

    /// Writes what changed, if `head` is still as it was read; else [`StateError::Moved`]. Afterwards `loaded` is what was
    /// written. Under the lock only.
    pub async fn write_manifest(
        &self,
        state: &HeadState,
        loaded: &mut Loaded,
        update: Update,
    ) -> Result<HeadState, StateError> {
        let was = state.head().cloned().unwrap_or_default();
        let mut head = was.clone();
        head.version = VERSION;
        head.sequence = match state {
            HeadState::Found { head, .. } => head.sequence,
            HeadState::Absent if loaded.fresh => 0,
            _ => self.last_sequence().await?,
        } + 1;
        head.remember(&update);
        head.distributions = update.distributions.clone();
        loaded.manifest.distributions = update.distributions;
        // Where there is nothing to add a large change to, all of it is written as a base.
        let anew =
            was.base.is_none() && update.delta.changes.len() > super::files::MAX_INLINE_ENTRIES;
        if !anew {
            loaded.inline.merge(update.delta.clone());
        }
        loaded.manifest.apply(update.delta);
        head.live_digest = Some(loaded.manifest.live_digest());
        head.live = loaded.manifest.live().count() as u64;
        let files_were = (was.base.clone(), was.mid.clone());
        self.place(&mut head, loaded, update.deploy.at, anew)
            .await?;
        let etag = self.write_head(state.etag(), &head).await?;
        loaded.warnings.clear();
        if files_were != (head.base.clone(), head.mid.clone()) {
            // What is left over is swept next time: it is never read, so failing here harms nobody.
            let _ = self.sweep(&was, &head).await;
        }
        let head = Box::new(head);
        Ok(HeadState::Found { head, etag })
    }

    async fn write_head(&self, was: Option<&ETag>, head: &Head) -> Result<ETag, StateError> {
        let body = serde_json::to_vec(head).map_err(|error| self.unwritable(NAME, error))?;
        let body = Bytes::from(body);
        let condition = was.map_or(Condition::Absent, |etag| Condition::Is(etag.clone()));
        match self.swap(NAME, body.clone(), &condition).await {
            Ok(Some(etag)) => Ok(etag),
            Ok(None) => Err(StateError::Moved {
                object: self.url(NAME),
            }),
            // The lock has warned of it already.
            Err(StateError::Aws(error)) if error.is(&Kind::NotImplemented) => {
                Ok(self.put(NAME, body, &Condition::Always).await?.etag)
            }
            Err(error) => Err(error),
        }
    }

    fn base_of(
        &self,
        head: &Head,
        bytes: Bytes,
        tables: &mut Tables,
    ) -> Result<Entries, StateError> {
        let count = head.base.as_ref().map_or(0, |base| base.entries);
        // No entry takes less than a byte, whatever `head` says.
        let count = usize::try_from(count).unwrap_or_default().min(bytes.len());
        let mut entries = Entries::with_capacity(count);
        if let Some(file) = &head.base {
            codec::decode(&bytes, tables, |key, entry| {
                entries.extend(entry.map(|entry| (key, entry)));
            })
            .map_err(|damage| self.damaged(&file.name, damage))?;
        }
        Ok(entries)
    }

    /// With the time of the last deploy in it.
    fn mid_of(
        &self,
        head: &Head,
        bytes: Bytes,
        tables: &mut Tables,
    ) -> Result<Option<(Delta, i64)>, StateError> {
        let file = head.mid.as_ref();
        file.map(|file| self.delta_of(&file.name, &bytes, tables))
            .transpose()
    }

    fn inline_of(&self, head: &Head, tables: &mut Tables) -> Result<Delta, StateError> {
        if head.inline.is_empty() {
            return Ok(Delta::default());
        }
        let bytes = base64::decode(&head.inline)
            .map_err(|error| self.damaged(NAME, Damage::Corrupt(error.to_string())))?;
        Ok(self.delta_of(NAME, &bytes, tables)?.0)
    }

    fn delta_of(
        &self,
        name: &str,
        bytes: &[u8],
        tables: &mut Tables,
    ) -> Result<(Delta, i64), StateError> {
        let mut delta = Delta::default();
        let read = codec::decode(bytes, tables, |key, entry| {
            delta.changes.insert(key, entry);
        });
        let at = read.map_err(|damage| self.damaged(name, damage))?;
        Ok((delta, at))
    }
}

/// Damage is something to tell, anything else ends it.
fn or_warning<T>(read: Result<T, StateError>) -> Result<Result<T, String>, StateError> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(error @ StateError::Corrupt { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

fn month(at: i64) -> String {
    let at = jiff::Timestamp::from_second(at).unwrap_or_default();
    at.strftime("%Y-%m").to_string()
}
