//! The manifest: what lies of it in `state` itself and what in files, and which of them a change goes into.

use bytes::Bytes;

use super::codec;
use super::object::{ManifestFiles, NAME, ObservedState, StateFile, StateObject};
use super::{StateError, StateStore, md5_of, or_warning};
use crate::aws::base64;
use crate::object::Key;
use crate::object::entries::ManifestEntries;
use crate::object::entry::ManifestEntry;
use crate::object::manifest::{DeployRef, Manifest, ManifestDelta, ManifestTables};

/// The manifest, and what of it lies where.
#[derive(Clone, Debug, Default)]
pub struct LoadedManifest {
    pub manifest: Manifest,
    /// What was damaged and what was taken instead, for people. Not empty: the next write writes everything anew.
    pub warnings: Vec<String>,
    pub(super) mid: ManifestDelta,
    pub(super) inline: ManifestDelta,
}

/// What a deploy writes into the manifest. The entries of `delta` point into the tables of the loaded manifest.
#[derive(Clone, Debug)]
pub struct ManifestUpdate {
    pub deploy: DeployRef,
    pub delta: ManifestDelta,
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

/// A part of the manifest as it is stored: its name and its bytes.
type StoredLayer<'a> = Option<(&'a str, Bytes)>;

impl StateStore {
    /// Reads the whole manifest. What is damaged is made good from the base before and from history. `found_more`: something
    /// lies where the state is kept, though there is no state.
    pub async fn read_manifest(
        &self,
        observed: &ObservedState,
        found_more: bool,
    ) -> Result<LoadedManifest, StateError> {
        let files = &observed.object.manifest;
        let mut loaded = LoadedManifest::default();
        if observed.etag.is_none() {
            if found_more {
                self.rescue(observed, &mut loaded, i64::MAX).await?;
            }
            if !loaded.warnings.is_empty() {
                let warning = format!("{} is gone", self.url(NAME));
                loaded.warnings.insert(0, warning);
            }
            return Ok(loaded);
        }
        let (base, mid) = tokio::join!(self.layer(&files.base), self.layer(&files.mid));
        let inline = match files.inline.as_str() {
            "" => Ok(None),
            text => self.decode_inline(text).map(|bytes| Some((NAME, bytes))),
        };
        loaded.manifest.distributions = observed.object.told.clone();
        let (tables, warnings) = (&mut loaded.manifest.tables, &mut loaded.warnings);
        let base = base.and_then(|layer| self.base_of(files, layer, tables));
        let mid = mid.and_then(|layer| self.delta_of(layer, tables));
        let inline = inline.and_then(|layer| self.delta_of(layer, tables));
        loaded.manifest.entries = or_warning(base, warnings)?.unwrap_or_default();
        // Where there is no `mid` all of history comes before it.
        let no_mid = (ManifestDelta::default(), i64::MAX);
        let (mid, mid_at) = or_warning(mid, warnings)?.flatten().unwrap_or(no_mid);
        let inline = or_warning(inline, warnings)?.flatten();
        loaded.mid = mid;
        loaded.inline = inline.map(|(delta, _)| delta).unwrap_or_default();
        if loaded.warnings.is_empty() {
            loaded.manifest.apply(loaded.mid.clone());
            loaded.manifest.apply(loaded.inline.clone());
        } else {
            self.rescue(observed, &mut loaded, mid_at).await?;
        }
        Ok(loaded)
    }

    /// Applies the update to `loaded`, writes the file that it goes into, if it goes into one, and answers with what `state` is
    /// to say of the manifest.
    pub(super) async fn update_manifest(
        &self,
        state: &StateObject,
        loaded: &mut LoadedManifest,
        update: ManifestUpdate,
    ) -> Result<ManifestFiles, StateError> {
        let files = &state.manifest;
        let writer = ManifestWriter {
            store: self,
            counter: state.counter,
            at: update.deploy.at,
        };
        let damaged = !loaded.warnings.is_empty();
        // Where there is nothing to add a large change to, all of it is written as a base.
        let anew =
            damaged || files.base.is_none() && update.delta.changes.len() > MAX_INLINE_ENTRIES;
        if !anew {
            loaded.inline.merge(update.delta.clone());
        }
        loaded.manifest.apply(update.delta);
        let tables = &loaded.manifest.tables;
        if !anew && loaded.inline.changes.len() <= MAX_INLINE_ENTRIES {
            let inline = writer.inline(tables, &loaded.inline)?;
            if inline.len() <= room_in(state) {
                return Ok(ManifestFiles {
                    inline,
                    ..files.clone()
                });
            }
        }
        loaded.mid.merge(std::mem::take(&mut loaded.inline));
        let base_bytes = files.base.as_ref().map_or(0, |base| base.bytes);
        if !anew && base_bytes > 0 {
            let mid = writer.encode(tables, rows_of(&loaded.mid))?;
            if mid.len() as u64 * COMPACT_AT <= base_bytes {
                let entries = loaded.mid.changes.len();
                return Ok(ManifestFiles {
                    mid: Some(writer.write("mid", mid, entries).await?),
                    inline: String::new(),
                    ..files.clone()
                });
            }
        }
        let base = writer.base(&loaded.manifest).await?;
        loaded.mid = ManifestDelta::default();
        loaded.warnings.clear();
        // A damaged base is no fallback: the one before stays.
        let before = if damaged {
            &files.previous
        } else {
            &files.base
        };
        Ok(ManifestFiles {
            base: Some(base),
            mid: None,
            inline: String::new(),
            previous: before.clone(),
        })
    }

    async fn layer<'a>(&self, file: &'a Option<StateFile>) -> Result<StoredLayer<'a>, StateError> {
        match file {
            Some(file) => Ok(Some((&file.name, self.read_file(file).await?))),
            None => Ok(None),
        }
    }

    fn base_of(
        &self,
        files: &ManifestFiles,
        layer: StoredLayer<'_>,
        tables: &mut ManifestTables,
    ) -> Result<ManifestEntries, StateError> {
        let Some((name, bytes)) = layer else {
            return Ok(ManifestEntries::default());
        };
        let count = files.base.as_ref().map_or(0, |base| base.entries);
        // No entry takes less than a byte, whatever `state` says.
        let count = count.min(bytes.len() as u64) as usize;
        let mut entries = ManifestEntries::with_capacity(count);
        let read = codec::decode(&bytes, tables, |key, entry| {
            entries.extend(entry.map(|entry| (key, entry)));
        });
        read.map_err(|damage| self.damaged(name, damage))?;
        Ok(entries)
    }

    /// Reads changes, with the time of the last deploy in them.
    fn delta_of(
        &self,
        layer: StoredLayer<'_>,
        tables: &mut ManifestTables,
    ) -> Result<Option<(ManifestDelta, i64)>, StateError> {
        let Some((name, bytes)) = layer else {
            return Ok(None);
        };
        let mut delta = ManifestDelta::default();
        let read = codec::decode(&bytes, tables, |key, entry| {
            delta.changes.insert(key, entry);
        });
        let last_deploy = read.map_err(|damage| self.damaged(name, damage))?;
        Ok(Some((delta, last_deploy)))
    }
}

/// Writes a change of the manifest.
struct ManifestWriter<'a> {
    store: &'a StateStore,
    /// Of the state that the change is made to: files of later deploys sort behind those of earlier ones.
    counter: u64,
    /// Unix seconds of the last deploy in it.
    at: i64,
}

impl ManifestWriter<'_> {
    fn inline(&self, tables: &ManifestTables, delta: &ManifestDelta) -> Result<String, StateError> {
        if delta.is_empty() {
            return Ok(String::new());
        }
        Ok(base64::encode(self.encode(tables, rows_of(delta))?))
    }

    async fn base(&self, manifest: &Manifest) -> Result<StateFile, StateError> {
        let rows = manifest.entries.iter();
        let rows = rows.map(|(key, entry)| (key, Some(entry)));
        let base = self.encode(&manifest.tables, rows)?;
        self.write("base", base, manifest.entries.len()).await
    }

    fn encode<'a>(
        &self,
        tables: &ManifestTables,
        rows: impl Iterator<Item = (&'a Key, Option<&'a ManifestEntry>)> + Clone,
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

/// Returns the most that `state` takes of the manifest, in bytes of base64.
fn room_in(state: &StateObject) -> usize {
    let rest = state.size().saturating_sub(state.manifest.inline.len());
    FULL.saturating_sub(rest).min(MAX_INLINE)
}

fn rows_of(delta: &ManifestDelta) -> impl Iterator<Item = (&Key, Option<&ManifestEntry>)> + Clone {
    let changes = delta.changes.iter();
    changes.map(|(key, change)| (key, change.as_ref()))
}
