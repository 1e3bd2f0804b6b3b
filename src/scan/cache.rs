//! Digests remembered from earlier scans, so that an unchanged file is not read again. A file per build folder, outside the
//! build; whatever is wrong with it, it is as if it were not there.

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use aws_smithy_checksums::ChecksumAlgorithm;
use aws_smithy_checksums::http::HttpChecksum;
use md5::{Digest, Md5 as Hasher};

use super::file::{FileStamp, LocalFile};
use crate::domain::{ETag, Md5};

/// Another number for any change of the layout or of what [`super::part_size`] answers.
const MAGIC: &[u8; 16] = b"unstale hashes 1";
/// A file that was touched this shortly before it was read might be written again without its times telling.
const RACY_NS: i64 = 2_000_000_000;

/// What an earlier scan left: the entries as they lie in the file, sorted by key.
///
/// A file is MAGIC, entries, and the CRC-64 of both. An entry, in little endian: length of the key u16, size u64,
/// mtime i64, inode u64, ctime i64, MD5, number of parts u32 (0: none) and the MD5 of the parts' ETag, key.
#[derive(Debug, Default)]
pub(super) struct Cache {
    data: Vec<u8>,
    /// Where each entry begins.
    entries: Vec<u32>,
}

struct Entry<'a> {
    key: &'a [u8],
    stamp: FileStamp,
    md5: Md5,
    parts: Option<ETag>,
}

impl Cache {
    pub(super) fn load(path: &Path) -> Self {
        fs::read(path)
            .ok()
            .and_then(Self::decode)
            .unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The digests of a file whose stamp is exactly as it was.
    pub(super) fn find(&self, key: &str, stamp: &FileStamp) -> Option<(Md5, Option<ETag>)> {
        let order = |start: &u32| match self.entry(*start) {
            Some((entry, _)) => entry.key.cmp(key.as_bytes()),
            None => Ordering::Less,
        };
        let at = self.entries.binary_search_by(order).ok()?;
        let (entry, _) = self.entry(*self.entries.get(at)?)?;
        (entry.stamp == *stamp).then_some((entry.md5, entry.parts))
    }

    fn decode(data: Vec<u8>) -> Option<Self> {
        let (content, sum) = data.split_last_chunk::<8>()?;
        let mut check = checksum();
        check.update(content);
        if !content.starts_with(MAGIC) || check.finalize()[..] != sum[..] {
            return None;
        }
        let mut cache = Self {
            data: content.to_vec(),
            entries: Vec::new(),
        };
        let mut at = MAGIC.len();
        let mut before: Option<Vec<u8>> = None;
        while at < cache.data.len() {
            let start = u32::try_from(at).ok()?;
            let (entry, length) = cache.entry(start)?;
            if before.as_deref().is_some_and(|before| before >= entry.key) {
                return None;
            }
            let mut key = before.take().unwrap_or_default();
            key.clear();
            key.extend_from_slice(entry.key);
            before = Some(key);
            at += length;
            cache.entries.push(start);
        }
        Some(cache)
    }

    /// The entry that begins at `start`, and its length in bytes.
    fn entry(&self, start: u32) -> Option<(Entry<'_>, usize)> {
        let all = self.data.get(usize::try_from(start).ok()?..)?;
        let (length, rest) = all.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let (mtime, rest) = rest.split_first_chunk()?;
        let (inode, rest) = rest.split_first_chunk()?;
        let (ctime, rest) = rest.split_first_chunk()?;
        let (md5, rest) = rest.split_first_chunk()?;
        let (count, mut rest) = rest.split_first_chunk()?;
        let count = u32::from_le_bytes(*count);
        let mut parts = None;
        if count > 0 {
            let (digest, after) = rest.split_first_chunk()?;
            parts = Some(ETag::Multipart(Md5(*digest), count));
            rest = after;
        }
        let (key, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        let stamp = FileStamp {
            size: u64::from_le_bytes(*size),
            mtime_ns: i64::from_le_bytes(*mtime),
            inode: u64::from_le_bytes(*inode),
            ctime_ns: i64::from_le_bytes(*ctime),
        };
        let entry = Entry {
            key,
            stamp,
            md5: Md5(*md5),
            parts,
        };
        Some((entry, all.len() - rest.len()))
    }
}

/// Where a scan's digests go when it is done.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    name: String,
    /// When the scan began, by the clock that stamps files.
    pub(super) began_ns: i64,
}

impl Store {
    /// Notes the time; to be called before the first file is read. `root` is the build's canonical path.
    pub(super) fn begin(folder: &Path, root: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let digest: [u8; 16] = Hasher::digest(root.as_os_str().as_bytes()).into();
        let mut store = Self {
            folder: folder.to_owned(),
            name: Md5(digest).to_string(),
            began_ns: 0,
        };
        let probe = store.temporary();
        let written = File::create_new(&probe).and_then(|mut file| {
            file.write_all(b"\n")?;
            file.metadata()
        });
        let _ = fs::remove_file(&probe);
        store.began_ns = FileStamp::of(&written?).mtime_ns;
        Ok(store)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Replaces the cache by these files, sorted by key, without those too young to be sure of. Other processes see the
    /// old cache or the new one, never a part.
    pub(super) fn write(&self, files: &[LocalFile]) -> io::Result<()> {
        let temporary = self.temporary();
        let settled = files.iter().filter(|file| self.is_settled(&file.stamp));
        let written = File::create_new(&temporary)
            .and_then(|file| encode(settled, BufWriter::new(file)))
            .and_then(|()| fs::rename(&temporary, self.path()));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    /// Whether the file was last touched well before the scan began.
    pub(super) fn is_settled(&self, stamp: &FileStamp) -> bool {
        stamp.mtime_ns.max(stamp.ctime_ns) < self.began_ns.saturating_sub(RACY_NS)
    }

    fn temporary(&self) -> PathBuf {
        let unique = uuid::Uuid::new_v4().simple();
        self.folder.join(format!("{}.{unique}.tmp", self.name))
    }
}

fn encode<'a>(files: impl Iterator<Item = &'a LocalFile>, mut out: impl Write) -> io::Result<()> {
    let mut check = checksum();
    let mut record = MAGIC.to_vec();
    for file in files {
        put(&mut record, file);
        if record.len() >= 64 * 1024 {
            check.update(&record);
            out.write_all(&record)?;
            record.clear();
        }
    }
    check.update(&record);
    out.write_all(&record)?;
    out.write_all(&check.finalize())?;
    out.flush()
}

fn put(record: &mut Vec<u8>, file: &LocalFile) {
    let key = file.key.as_str().as_bytes();
    let Ok(length) = u16::try_from(key.len()) else {
        return; // longer than any key: not remembered
    };
    record.extend_from_slice(&length.to_le_bytes());
    record.extend_from_slice(&file.stamp.size.to_le_bytes());
    record.extend_from_slice(&file.stamp.mtime_ns.to_le_bytes());
    record.extend_from_slice(&file.stamp.inode.to_le_bytes());
    record.extend_from_slice(&file.stamp.ctime_ns.to_le_bytes());
    record.extend_from_slice(&file.md5.0);
    match &file.parts {
        Some(ETag::Multipart(digest, count)) => {
            record.extend_from_slice(&count.to_le_bytes());
            record.extend_from_slice(&digest.0);
        }
        _ => record.extend_from_slice(&0_u32.to_le_bytes()),
    }
    record.extend_from_slice(key);
}

fn checksum() -> Box<dyn HttpChecksum> {
    ChecksumAlgorithm::Crc64Nvme.into_impl()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use proptest::strategy::ValueTree;

    use super::*;
    use crate::domain::Key;

    fn file() -> impl Strategy<Value = LocalFile> {
        let parts = proptest::option::of((any::<[u8; 16]>(), 1_u32..));
        let stamp = any::<(u64, i64, u64, i64)>();
        (stamp, any::<[u8; 16]>(), parts).prop_map(|(stamp, md5, parts)| LocalFile {
            key: Key::new(""),
            size: stamp.0,
            md5: Md5(md5),
            parts: parts.map(|(digest, count)| ETag::Multipart(Md5(digest), count)),
            stamp: FileStamp {
                size: stamp.0,
                mtime_ns: stamp.1,
                inode: stamp.2,
                ctime_ns: stamp.3,
            },
            made: None,
        })
    }

    fn files() -> impl Strategy<Value = Vec<LocalFile>> {
        proptest::collection::btree_map(any::<String>(), file(), 0..20).prop_map(|files| {
            let with_key = |(key, file): (String, LocalFile)| LocalFile {
                key: Key::new(key),
                ..file
            };
            BTreeMap::into_iter(files).map(with_key).collect()
        })
    }

    fn encoded(files: &[LocalFile]) -> Vec<u8> {
        let mut data = Vec::new();
        encode(files.iter(), &mut data).expect("memory takes it");
        data
    }

    fn sealed(content: &[u8]) -> Vec<u8> {
        let mut check = checksum();
        check.update(content);
        [content, &check.finalize()].concat()
    }

    proptest! {
        #[test]
        fn what_was_written_is_found(files in files()) {
            let cache = Cache::decode(encoded(&files)).expect("a cache");
            prop_assert_eq!(cache.len(), files.len());
            for file in &files {
                let found = cache.find(file.key.as_str(), &file.stamp);
                prop_assert_eq!(found, Some((file.md5, file.parts.clone())));
                for other in [
                    FileStamp { size: file.stamp.size ^ 1, ..file.stamp },
                    FileStamp { mtime_ns: file.stamp.mtime_ns ^ 1, ..file.stamp },
                    FileStamp { inode: file.stamp.inode ^ 1, ..file.stamp },
                    FileStamp { ctime_ns: file.stamp.ctime_ns ^ 1, ..file.stamp },
                ] {
                    prop_assert_eq!(cache.find(file.key.as_str(), &other), None);
                }
            }
        }

        #[test]
        fn one_wrong_byte_or_a_lost_end_is_noticed(
            files in files(), at in any::<prop::sample::Index>(), change in 1_u8..
        ) {
            let whole = encoded(&files);
            let at = at.index(whole.len());
            prop_assert!(Cache::decode(whole[..at].to_vec()).is_none());
            let mut wrong = whole;
            wrong[at] ^= change;
            prop_assert!(Cache::decode(wrong).is_none());
        }

        #[test]
        fn garbage_is_no_cache_and_no_panic(
            garbage in proptest::collection::vec(any::<u8>(), 1..300), files in files(), cut in any::<prop::sample::Index>()
        ) {
            prop_assert!(Cache::decode(garbage.clone()).is_none());
            // A right checksum over wrong entries: ours, cut anywhere and gone on with garbage.
            let whole = encoded(&files);
            let content = &whole[..whole.len() - 8];
            let cut = MAGIC.len() + cut.index(content.len() - MAGIC.len() + 1);
            let foreign = [&content[..cut], &garbage].concat();
            if let Some(cache) = Cache::decode(sealed(&foreign)) {
                for file in &files {
                    cache.find(file.key.as_str(), &file.stamp);
                }
            }
        }
    }

    #[test]
    fn keys_out_of_order_are_no_cache() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let file = file().new_tree(&mut runner).expect("a file").current();
        let named = |key: &str| LocalFile {
            key: Key::new(key),
            ..file.clone()
        };
        for (keys, good) in [(["a", "b"], true), (["b", "a"], false), (["a", "a"], false)] {
            let data = encoded(&keys.map(named));
            assert_eq!(Cache::decode(data).is_some(), good, "{keys:?}");
        }
    }

    #[test]
    fn only_what_was_touched_well_before_the_scan_is_settled() {
        let store = Store {
            folder: PathBuf::new(),
            name: String::new(),
            began_ns: 10 * RACY_NS,
        };
        let old = 9 * RACY_NS - 1;
        for (mtime_ns, ctime_ns, settled) in [
            (old, old, true),
            (old + 1, old, false),
            (old, old + 1, false),
            (old * 2, old, false),
            (-5, old, true),
        ] {
            let stamp = FileStamp {
                size: 1,
                mtime_ns,
                inode: 1,
                ctime_ns,
            };
            assert_eq!(store.is_settled(&stamp), settled, "{mtime_ns} {ctime_ns}");
        }
    }
}
