//! The manifest's files: which of them a change goes into, and what becomes of those that `head` no longer names.

use aws_smithy_types::base64;
use bytes::Bytes;

use super::codec::{self, Damage};
use super::head::{FOLDER, File, Head, Loaded};
use super::{StateError, Store, md5_of};
use crate::aws::Condition;
use crate::domain::Key;
use crate::domain::manifest::{Delta, Entry, Tables};

/// The most that `head` itself holds, in bytes of base64.
const MAX_INLINE: usize = 64 << 10;
/// So many entries never fit into [`MAX_INLINE`]: each has digests that do not compress.
pub(super) const MAX_INLINE_ENTRIES: usize = 8192;
/// The base is written anew once what changed since is more than this part of it.
const COMPACT_AT: u64 = 4;

impl Store {
    /// Decides where the changes go, and writes the file if they go into one.
    pub(super) async fn place(
        &self,
        head: &mut Head,
        loaded: &mut Loaded,
        at: i64,
        anew: bool,
    ) -> Result<(), StateError> {
        let tables = &loaded.manifest.tables;
        let damaged = !loaded.warnings.is_empty();
        if !damaged && !anew && loaded.inline.changes.len() <= MAX_INLINE_ENTRIES {
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

    /// Deletes the files that neither head names. Those of a later sequence may be another writer's.
    pub(super) async fn sweep(&self, was: &Head, is: &Head) -> Result<(), StateError> {
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
    pub(super) async fn last_sequence(&self) -> Result<u64, StateError> {
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
}

fn rows_of(delta: &Delta) -> impl Iterator<Item = (&Key, Option<&Entry>)> + Clone {
    delta
        .changes
        .iter()
        .map(|(key, change)| (key, change.as_ref()))
}

fn sequence_of(name: &str) -> Option<u64> {
    let (sequence, _) = name.strip_prefix(FOLDER)?.split_once('-')?;
    sequence.parse().ok()
}
