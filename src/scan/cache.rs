//! Digests remembered from earlier scans, so that an unchanged file is not read again. A file per build folder, outside the
//! build; whatever is wrong with it, it is as if it were not there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Crc;
use md5::{Digest, Md5 as Hasher};

use super::digest::{MULTIPART_FROM, part_size};
use super::file::LocalFile;
use crate::object::{ETag, Md5};
use crate::system::{FileStamp, beside, replace_file};

/// Another number for any change of the layout or of what [`part_size`] answers.
const MAGIC: &[u8; 16] = b"unstale hashes 3";
/// A file that was touched this shortly before it was read might be written again without its times telling.
const RACY_NS: i64 = 2_000_000_000;

/// What an earlier scan left, as it lies in the file: MAGIC, entries sorted by their names, and the CRC-32 of both.
#[derive(Debug, Default)]
pub(super) struct HashCache {
    data: Vec<u8>,
}

/// The name of what is remembered, and the digest. Of a file of a million only these 32 bytes are kept, not its key.
type CacheEntry = [u8; 32];

/// What is remembered of a file.
#[derive(Clone, Copy)]
enum DigestKind {
    Whole,
    /// The MD5 of the parts' ETag, for a file that is uploaded in parts.
    Parts,
}

/// Names a digest by all that must be as it was for the content to be as it was.
fn name(key: &str, stamp: &FileStamp, kind: DigestKind) -> [u8; 16] {
    let mut hasher = Hasher::new();
    hasher.update([kind as u8]);
    hasher.update(stamp.size.to_le_bytes());
    hasher.update(stamp.mtime_ns.to_le_bytes());
    hasher.update(stamp.inode.to_le_bytes());
    hasher.update(stamp.ctime_ns.to_le_bytes());
    hasher.update(key);
    hasher.finalize().into()
}

impl HashCache {
    pub(super) fn load(path: &Path) -> Self {
        let read = fs::read(path).ok();
        read.and_then(Self::decode).unwrap_or_default()
    }

    /// Returns how many entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries().len()
    }

    /// Finds the digests of a file whose stamp is exactly as it was.
    pub(super) fn find(&self, key: &str, stamp: &FileStamp) -> Option<(Md5, Option<ETag>)> {
        let whole = self.digest(name(key, stamp, DigestKind::Whole))?;
        if stamp.size < MULTIPART_FROM {
            return Some((whole, None));
        }
        let parts = self.digest(name(key, stamp, DigestKind::Parts))?;
        let count = u32::try_from(stamp.size.div_ceil(part_size(stamp.size))).ok()?;
        Some((whole, Some(ETag::Multipart(parts, count))))
    }

    fn digest(&self, name: [u8; 16]) -> Option<Md5> {
        let entries = self.entries();
        let index = entries.binary_search_by(|entry| entry[..16].cmp(&name));
        let (_, digest) = entries.get(index.ok()?)?.split_last_chunk()?;
        Some(Md5(*digest))
    }

    fn entries(&self) -> &[CacheEntry] {
        let content = self.data.get(MAGIC.len()..).unwrap_or_default();
        content.as_chunks().0
    }

    fn decode(mut data: Vec<u8>) -> Option<Self> {
        let (content, sum) = data.split_last_chunk()?;
        let mut crc = Crc::new();
        crc.update(content);
        let (_, rest) = content.strip_prefix(MAGIC)?.as_chunks::<32>();
        if crc.sum().to_le_bytes() != *sum || !rest.is_empty() {
            return None;
        }
        data.truncate(content.len());
        let cache = Self { data };
        let is_sorted = cache
            .entries()
            .is_sorted_by(|entry, next| entry[..16] < next[..16]);
        is_sorted.then_some(cache)
    }
}

/// Names what is remembered of a build, by its canonical path.
pub(super) fn name_of(root: &Path) -> String {
    Md5(Hasher::digest(root.as_os_str().as_encoded_bytes()).into()).to_string()
}

/// Where a scan's digests go when it is done.
#[derive(Debug)]
pub(super) struct CacheStore {
    folder: PathBuf,
    name: String,
    /// When the scan began, by the clock that stamps files.
    pub(super) began_ns: i64,
}

impl CacheStore {
    /// Notes the time; to be called before the first file is read. `root` is the build's canonical path.
    pub(super) fn begin(folder: &Path, root: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut store = Self {
            folder: folder.to_owned(),
            name: name_of(root),
            began_ns: 0,
        };
        let probe = beside(&store.path());
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

    /// Replaces the cache by these files, without those too young to be sure of. Other processes see the old cache or the
    /// new one, never a part.
    pub(super) fn write(&self, files: &[LocalFile]) -> io::Result<()> {
        let settled = files.iter().filter(|file| self.is_settled(&file.stamp));
        replace_file(&self.path(), |file| encode(&entries(settled), file))
    }

    /// Tells whether the file was last touched well before the scan began.
    pub(super) fn is_settled(&self, stamp: &FileStamp) -> bool {
        stamp.mtime_ns.max(stamp.ctime_ns) < self.began_ns.saturating_sub(RACY_NS)
    }
}

/// Counts the entries that these files have once all of them are settled.
pub(super) fn entries_of(files: &[LocalFile]) -> usize {
    let parts = files.iter().filter(|file| file.parts.is_some());
    files.len() + parts.count()
}

fn entries<'a>(files: impl Iterator<Item = &'a LocalFile>) -> Vec<CacheEntry> {
    let mut entries = Vec::new();
    for file in files {
        let mut add = |kind, digest: Md5| {
            let mut entry = [0; 32];
            entry[..16].copy_from_slice(&name(file.key.as_str(), &file.stamp, kind));
            entry[16..].copy_from_slice(&digest.0);
            entries.push(entry);
        };
        add(DigestKind::Whole, file.md5);
        if let Some(ETag::Multipart(digest, _)) = file.parts.as_deref() {
            add(DigestKind::Parts, *digest);
        }
    }
    entries.sort_unstable();
    entries
}

fn encode(entries: &[CacheEntry], mut out: impl Write) -> io::Result<()> {
    let mut crc = Crc::new();
    for bytes in [&MAGIC[..], entries.as_flattened()] {
        crc.update(bytes);
        out.write_all(bytes)?;
    }
    out.write_all(&crc.sum().to_le_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::object::Key;

    fn file() -> impl Strategy<Value = LocalFile> {
        let size = prop_oneof![0..MULTIPART_FROM, MULTIPART_FROM..u64::MAX >> 2];
        let stamp = (size, any::<(i64, u64, i64)>());
        (stamp, any::<[[u8; 16]; 2]>()).prop_map(|((size, stamp), [md5, parts])| LocalFile {
            key: Key::new(""),
            size,
            md5: Md5(md5),
            parts: (size >= MULTIPART_FROM).then(|| {
                let count = size.div_ceil(part_size(size));
                let count = u32::try_from(count).expect("10,000 at most");
                Box::new(ETag::Multipart(Md5(parts), count))
            }),
            stamp: FileStamp {
                size,
                mtime_ns: stamp.0,
                inode: stamp.1,
                ctime_ns: stamp.2,
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
        encode(&entries(files.iter()), &mut data).expect("memory takes it");
        data
    }

    fn sealed(content: &[u8]) -> Vec<u8> {
        let mut crc = Crc::new();
        crc.update(content);
        [content, &crc.sum().to_le_bytes()].concat()
    }

    proptest! {
        #[test]
        fn what_was_written_is_found(files in files()) {
            let cache = HashCache::decode(encoded(&files)).expect("a cache");
            prop_assert_eq!(cache.len(), entries_of(&files));
            for file in &files {
                let digests = cache.find(file.key.as_str(), &file.stamp);
                prop_assert_eq!(digests, Some((file.md5, file.parts.as_deref().cloned())));
                for stale in [
                    FileStamp { size: file.stamp.size ^ 1, ..file.stamp },
                    FileStamp { mtime_ns: file.stamp.mtime_ns ^ 1, ..file.stamp },
                    FileStamp { inode: file.stamp.inode ^ 1, ..file.stamp },
                    FileStamp { ctime_ns: file.stamp.ctime_ns ^ 1, ..file.stamp },
                ] {
                    prop_assert_eq!(cache.find(file.key.as_str(), &stale), None);
                }
            }
        }

        #[test]
        fn one_wrong_byte_or_a_lost_end_is_noticed(
            files in files(), place in any::<prop::sample::Index>(), change in 1_u8..
        ) {
            let whole = encoded(&files);
            let place = place.index(whole.len());
            prop_assert!(HashCache::decode(whole[..place].to_vec()).is_none());
            let mut wrong = whole;
            wrong[place] ^= change;
            prop_assert!(HashCache::decode(wrong).is_none());
        }

        #[test]
        fn garbage_is_no_cache_and_no_panic(
            garbage in proptest::collection::vec(any::<u8>(), 1..300), files in files(), cut in any::<prop::sample::Index>()
        ) {
            prop_assert!(HashCache::decode(garbage.clone()).is_none());
            // A right checksum over wrong entries: ours, cut anywhere and gone on with garbage.
            let whole = encoded(&files);
            let content = &whole[..whole.len() - 4];
            let cut = MAGIC.len() + cut.index(content.len() - MAGIC.len() + 1);
            let foreign = [&content[..cut], &garbage].concat();
            if let Some(cache) = HashCache::decode(sealed(&foreign)) {
                for file in &files {
                    cache.find(file.key.as_str(), &file.stamp);
                }
            }
        }
    }

    #[test]
    fn entries_out_of_order_are_no_cache() {
        for (names, good) in [([1, 2], true), ([2, 1], false), ([1, 1], false)] {
            let content = [&MAGIC[..], &[names[0]; 32], &[names[1]; 32]].concat();
            assert_eq!(
                HashCache::decode(sealed(&content)).is_some(),
                good,
                "{names:?}"
            );
        }
    }

    #[test]
    fn only_what_was_touched_well_before_the_scan_is_settled() {
        let store = CacheStore {
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
