//! `head` names the files that make up the manifest, and holds the newest changes itself.

use std::collections::BTreeMap;

use aws_smithy_types::base64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::codec::{self, Damage};
use super::rescue::Known;
use super::{StateError, Store, VERSION, md5_of};
use crate::aws::{Condition, Kind};
use crate::domain::manifest::{Delta, DeployId, DeployRef, Entry, Manifest, Tables, Told};
use crate::domain::{ETag, Key, Md5};

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
    pub(super) mid: Delta,
    pub(super) inline: Delta,
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

    fn names(&self) -> impl Iterator<Item = &str> {
        [&self.base, &self.mid, &self.previous]
            .into_iter()
            .flatten()
            .map(|file| file.name.as_str())
    }
}

const NAME: &str = "head";
pub(super) const FOLDER: &str = "manifest/";
const MONTHS: usize = 3;
/// The most that `head` itself holds, in bytes of base64.
const MAX_INLINE: usize = 64 << 10;
/// So many entries never fit into [`MAX_INLINE`]: each has digests that do not compress.
const MAX_INLINE_ENTRIES: usize = 8192;
/// The base is written anew once what changed since is more than this part of it.
const COMPACT_AT: u64 = 4;

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
            _ => self.last_sequence().await?,
        } + 1;
        head.remember(&update);
        head.distributions = update.distributions.clone();
        loaded.manifest.distributions = update.distributions;
        loaded.manifest.apply(update.delta.clone());
        loaded.inline.merge(update.delta);
        head.live_digest = Some(loaded.manifest.live_digest());
        head.live = loaded.manifest.live().count() as u64;
        let files_were = (was.base.clone(), was.mid.clone());
        self.place(&mut head, loaded, update.deploy.at).await?;
        let etag = self.write_head(state.etag(), &head).await?;
        loaded.warnings.clear();
        if files_were != (head.base.clone(), head.mid.clone()) {
            // What is left over is swept next time: it is never read, so failing here harms nobody.
            let _ = self.sweep(&was, &head).await;
        }
        let head = Box::new(head);
        Ok(HeadState::Found { head, etag })
    }

    /// Decides where the changes go, and writes the file if they go into one.
    async fn place(&self, head: &mut Head, loaded: &mut Loaded, at: i64) -> Result<(), StateError> {
        let tables = &loaded.manifest.tables;
        let damaged = !loaded.warnings.is_empty();
        if !damaged && loaded.inline.changes.len() <= MAX_INLINE_ENTRIES {
            let inline = self.encode(tables, at, rows_of(&loaded.inline))?;
            let text = base64::encode(inline);
            if loaded.inline.is_empty() || text.len() <= MAX_INLINE {
                let empty = loaded.inline.is_empty();
                head.inline = if empty { String::new() } else { text };
                return Ok(());
            }
        }
        loaded.mid.merge(std::mem::take(&mut loaded.inline));
        head.inline.clear();
        let base_bytes = head.base.as_ref().map_or(0, |base| base.bytes);
        if !damaged && base_bytes > 0 {
            let mid = self.encode(tables, at, rows_of(&loaded.mid))?;
            if mid.len() as u64 * COMPACT_AT <= base_bytes {
                let entries = loaded.mid.changes.len();
                head.mid = Some(self.write_file(head, "mid", mid, entries).await?);
                return Ok(());
            }
        }
        let rows = loaded.manifest.entries.iter();
        let base = self.encode(tables, at, rows.map(|(key, entry)| (key, Some(entry))))?;
        let entries = loaded.manifest.entries.len();
        let file = self.write_file(head, "base", base, entries).await?;
        // A damaged base is no fallback: the one before stays.
        let before = head.base.replace(file);
        head.previous = if damaged {
            head.previous.take()
        } else {
            before
        };
        head.mid = None;
        loaded.mid = Delta::default();
        Ok(())
    }

    async fn write_file(
        &self,
        head: &Head,
        kind: &str,
        body: Vec<u8>,
        entries: usize,
    ) -> Result<File, StateError> {
        let digest = md5_of(&body);
        let file = File {
            name: format!("{FOLDER}{:020}-{kind}-{digest}", head.sequence),
            digest,
            bytes: body.len() as u64,
            entries: entries as u64,
        };
        self.put(&file.name, body.into(), &Condition::Always)
            .await?;
        Ok(file)
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

    /// Deletes the files that neither head names. Those of a later sequence may be another writer's.
    async fn sweep(&self, was: &Head, is: &Head) -> Result<(), StateError> {
        let kept: Vec<&str> = was.names().chain(is.names()).collect();
        for (name, _) in self.list(FOLDER, None).await? {
            let old = sequence_of(&name).is_some_and(|sequence| sequence < is.sequence);
            if old && !kept.contains(&name.as_str()) {
                self.delete(&name).await?;
            }
        }
        Ok(())
    }

    /// The highest sequence that a file of the manifest has.
    async fn last_sequence(&self) -> Result<u64, StateError> {
        let names = self.list(FOLDER, None).await?;
        let sequences = names.iter().filter_map(|(name, _)| sequence_of(name));
        Ok(sequences.max().unwrap_or_default())
    }

    fn encode<'a>(
        &self,
        tables: &Tables,
        at: i64,
        rows: impl Iterator<Item = (&'a Key, Option<&'a Entry>)> + Clone,
    ) -> Result<Vec<u8>, StateError> {
        codec::encode(tables, at, rows).map_err(|error| self.unwritable(FOLDER, error))
    }

    pub(super) async fn read_file(&self, file: Option<&File>) -> Result<Bytes, StateError> {
        let Some(file) = file else {
            return Ok(Bytes::new());
        };
        let corrupt = |why: &str| self.damaged(&file.name, Damage::Corrupt(why.to_owned()));
        let fetched = self.fetch(&file.name).await?;
        let body = fetched.ok_or_else(|| corrupt("it is gone"))?.body;
        if md5_of(&body) != file.digest {
            return Err(corrupt("its content is not what was written"));
        }
        Ok(body)
    }

    fn base_of(
        &self,
        head: &Head,
        bytes: Bytes,
        tables: &mut Tables,
    ) -> Result<BTreeMap<Key, Entry>, StateError> {
        let mut entries = BTreeMap::new();
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

fn rows_of(delta: &Delta) -> impl Iterator<Item = (&Key, Option<&Entry>)> + Clone {
    delta
        .changes
        .iter()
        .map(|(key, change)| (key, change.as_ref()))
}

pub(super) fn sequence_of(name: &str) -> Option<u64> {
    let (sequence, _) = name.strip_prefix(FOLDER)?.split_once('-')?;
    sequence.parse().ok()
}

fn month(at: i64) -> String {
    let at = jiff::Timestamp::from_second(at).unwrap_or_default();
    at.strftime("%Y-%m").to_string()
}
