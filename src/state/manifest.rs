//! The manifest: what lies of it in `state` itself and what in files, and which of them a change goes into.

use aws_smithy_types::base64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::codec::{self, Damage};
use super::document::StateFile;
use super::object::{ObservedState, StateObject};
use super::rescue::ReadableParts;
use super::{NAME, StateError, StateStore, md5_of};
use crate::domain::Key;
use crate::domain::entries::Entries;
use crate::domain::manifest::{Delta, DeployRef, Entry, Manifest, Tables};

/// The files that make up the manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFiles {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<StateFile>,
    /// What changed since the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid: Option<StateFile>,
    /// What changed since `mid`: base64 of a file's content.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub inline: String,
    /// The base before, kept in case this one is damaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<StateFile>,
}

/// The manifest, and what of it lies where.
#[derive(Clone, Debug, Default)]
pub struct LoadedManifest {
    pub manifest: Manifest,
    /// What was damaged and what was taken instead, for people. Not empty: the next write writes everything anew.
    pub warnings: Vec<String>,
    pub(super) mid: Delta,
    pub(super) inline: Delta,
}

/// What a deploy writes into the manifest. The entries of `delta` point into the tables of the loaded manifest.
#[derive(Clone, Debug)]
pub struct ManifestUpdate {
    pub deploy: DeployRef,
    pub delta: Delta,
}

pub(super) const FOLDER: &str = "manifest/";
/// The most that `state` itself holds, in bytes of base64.
const MAX_INLINE: usize = 36 << 10;
/// What `state` as a whole may grow to by the manifest, so that it stays under 64 KB.
const FULL: usize = 60 << 10;
/// So many entries never fit into [`MAX_INLINE`]: each has digests that do not compress.
const MAX_INLINE_ENTRIES: usize = 2048;
/// The base is written anew once what changed since is more than this part of it.
const COMPACT_AT: u64 = 4;

impl ManifestFiles {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.base, &self.mid, &self.previous]
            .into_iter()
            .flatten()
            .map(|file| file.name.as_str())
    }
}

impl StateStore {
    /// The whole manifest. What is damaged is made good from the base before and from history. `found_more`: something lies where
    /// the state is kept, though there is no state.
    pub async fn read_manifest(
        &self,
        observed: &ObservedState,
        found_more: bool,
    ) -> Result<LoadedManifest, StateError> {
        let files = &observed.object.manifest;
        if observed.etag.is_none() {
            if !found_more {
                return Ok(LoadedManifest::default());
            }
            let mut loaded = self
                .rescue(observed, ReadableParts::default(), Vec::new())
                .await?;
            if !loaded.warnings.is_empty() {
                let warning = format!("{} is gone", self.url(NAME));
                loaded.warnings.insert(0, warning);
            }
            return Ok(loaded);
        }
        let read = async |file: &Option<StateFile>| match file {
            Some(file) => self.read_file(file).await,
            None => Ok(Bytes::new()),
        };
        let (base, mid) = tokio::join!(read(&files.base), read(&files.mid));
        let mut manifest = Manifest {
            distributions: observed.object.told.clone(),
            ..Manifest::default()
        };
        let tables = &mut manifest.tables;
        let base = or_warning(base.and_then(|bytes| self.base_of(files, bytes, tables)))?;
        let mid = or_warning(mid.and_then(|bytes| self.mid_of(files, bytes, tables)))?;
        let inline = or_warning(self.inline_of(files, tables))?;
        match (base, mid, inline) {
            (Ok(base), Ok(mid), Ok(inline)) => {
                manifest.entries = base;
                let mid = mid.map(|(delta, _)| delta).unwrap_or_default();
                manifest.apply(mid.clone());
                manifest.apply(inline.clone());
                Ok(LoadedManifest {
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
                let readable = ReadableParts {
                    manifest,
                    mid: mid.ok().flatten(),
                    inline: inline.unwrap_or_default(),
                };
                self.rescue(observed, readable, warnings).await
            }
        }
    }

    /// Applies the update to `loaded`, writes the file that it goes into, if it goes into one, and answers with what `state` is
    /// to say of the manifest.
    pub(super) async fn update_manifest(
        &self,
        state: &StateObject,
        loaded: &mut LoadedManifest,
        update: ManifestUpdate,
    ) -> Result<ManifestFiles, StateError> {
        let mut files = state.manifest.clone();
        let changes = update.delta.changes.len();
        // Where there is nothing to add a large change to, all of it is written as a base.
        let anew = files.base.is_none() && changes > MAX_INLINE_ENTRIES;
        if !anew {
            loaded.inline.merge(update.delta.clone());
        }
        loaded.manifest.apply(update.delta);
        let size = serde_json::to_vec(state).map_or(FULL, |text| text.len());
        let rest = size.saturating_sub(state.manifest.inline.len());
        let place = ManifestPlace {
            store: self,
            counter: state.counter,
            at: update.deploy.at,
            room: FULL.saturating_sub(rest).min(MAX_INLINE),
        };
        place.put(&mut files, loaded, anew).await?;
        loaded.warnings.clear();
        Ok(files)
    }

    fn base_of(
        &self,
        files: &ManifestFiles,
        bytes: Bytes,
        tables: &mut Tables,
    ) -> Result<Entries, StateError> {
        let count = files.base.as_ref().map_or(0, |base| base.entries);
        // No entry takes less than a byte, whatever `state` says.
        let count = usize::try_from(count).unwrap_or_default().min(bytes.len());
        let mut entries = Entries::with_capacity(count);
        if let Some(file) = &files.base {
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
        files: &ManifestFiles,
        bytes: Bytes,
        tables: &mut Tables,
    ) -> Result<Option<(Delta, i64)>, StateError> {
        let file = files.mid.as_ref();
        file.map(|file| self.delta_of(&file.name, &bytes, tables))
            .transpose()
    }

    fn inline_of(&self, files: &ManifestFiles, tables: &mut Tables) -> Result<Delta, StateError> {
        if files.inline.is_empty() {
            return Ok(Delta::default());
        }
        let bytes = base64::decode(&files.inline)
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

/// Where a change of the manifest goes.
struct ManifestPlace<'a> {
    store: &'a StateStore,
    /// Of the state that the change is made to: files of later deploys sort behind those of earlier ones.
    counter: u64,
    /// Unix seconds of the last deploy in it.
    at: i64,
    /// The most that `state` takes of it, in bytes of base64.
    room: usize,
}

impl ManifestPlace<'_> {
    async fn put(
        &self,
        files: &mut ManifestFiles,
        loaded: &mut LoadedManifest,
        anew: bool,
    ) -> Result<(), StateError> {
        let tables = &loaded.manifest.tables;
        let damaged = !loaded.warnings.is_empty();
        if !damaged && !anew && loaded.inline.changes.len() <= MAX_INLINE_ENTRIES {
            let inline = self.encode(tables, rows_of(&loaded.inline))?;
            let text = base64::encode(inline);
            if loaded.inline.is_empty() || text.len() <= self.room {
                let empty = loaded.inline.is_empty();
                files.inline = if empty { String::new() } else { text };
                return Ok(());
            }
        }
        loaded.mid.merge(std::mem::take(&mut loaded.inline));
        files.inline.clear();
        let base_bytes = files.base.as_ref().map_or(0, |base| base.bytes);
        if !damaged && base_bytes > 0 {
            let mid = self.encode(tables, rows_of(&loaded.mid))?;
            if mid.len() as u64 * COMPACT_AT <= base_bytes {
                let entries = loaded.mid.changes.len();
                files.mid = Some(self.write("mid", mid, entries).await?);
                return Ok(());
            }
        }
        let rows = loaded.manifest.entries.iter();
        let base = self.encode(tables, rows.map(|(key, entry)| (key, Some(entry))))?;
        let entries = loaded.manifest.entries.len();
        let file = self.write("base", base, entries).await?;
        let before = files.base.replace(file);
        // A damaged base is no fallback: the one before stays.
        if !damaged {
            files.previous = before;
        }
        files.mid = None;
        loaded.mid = Delta::default();
        Ok(())
    }

    fn encode<'a>(
        &self,
        tables: &Tables,
        rows: impl Iterator<Item = (&'a Key, Option<&'a Entry>)> + Clone,
    ) -> Result<Vec<u8>, StateError> {
        let encoded = codec::encode(tables, self.at, rows);
        encoded.map_err(|error| self.store.unwritable(FOLDER, error))
    }

    async fn write(
        &self,
        kind: &str,
        body: Vec<u8>,
        entries: usize,
    ) -> Result<StateFile, StateError> {
        let digest = md5_of(&body);
        let file = StateFile {
            name: format!("{FOLDER}{:012}-{kind}-{digest}", self.counter),
            digest,
            bytes: body.len() as u64,
            entries: entries as u64,
        };
        self.store.write_file(&file.name, body).await?;
        Ok(file)
    }
}

fn rows_of(delta: &Delta) -> impl Iterator<Item = (&Key, Option<&Entry>)> + Clone {
    delta
        .changes
        .iter()
        .map(|(key, change)| (key, change.as_ref()))
}

/// Damage is something to tell, anything else ends it.
fn or_warning<T>(read: Result<T, StateError>) -> Result<Result<T, String>, StateError> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(error @ StateError::Corrupt { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}
