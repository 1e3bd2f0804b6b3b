//! The ETags of uploads in parts. Streamed; these calls block.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use md5::{Digest, Md5 as Hasher};

use crate::object::{ETag, Md5};

pub(super) const BUFFER: usize = 128 * 1024;
const MIB: u64 = 1024 * 1024;
/// The most parts that an upload may have (S3 User Guide, "Amazon S3 multipart upload limits").
const MAX_PARTS: u64 = 10_000;

/// Files of at least this many bytes are uploaded in parts.
pub const MULTIPART_FROM: u64 = 16 * MIB;

/// Returns the size in bytes of the parts that a file of `size` bytes is uploaded in: 8 MiB, and for files that would need more
/// than 10,000 of these the next whole number of MiB that does with 10,000.
pub fn part_size(size: u64) -> u64 {
    let needed = size.div_ceil(MAX_PARTS).div_ceil(MIB) * MIB;
    needed.max(8 * MIB)
}

/// Lists the part sizes in bytes, among those that tools use, of which a file of `size` bytes makes exactly `parts` parts:
/// our own first.
pub fn candidate_part_sizes(size: u64, parts: u32) -> Vec<u64> {
    if parts == 0 {
        return Vec::new();
    }
    if parts == 1 {
        return vec![size.max(1)]; // whatever the size was, the one part is the whole
    }
    const COMMON_MIB: [u64; 18] = [
        8, 5, 16, 15, 50, 64, 10, 100, 25, 20, 32, 6, 7, 12, 30, 40, 128, 512,
    ];
    let doubled = |start: u64| (1..10).map(move |times| (start * MIB) << times);
    // The web console's, and what Go's and Java's managers fall back on for many parts.
    let odd = [17_179_870, size / MAX_PARTS + 1, size.div_ceil(MAX_PARTS)];
    let candidates = [part_size(size)]
        .into_iter()
        .chain(COMMON_MIB.map(|mib| mib * MIB))
        .chain(doubled(8))
        .chain(doubled(5))
        .chain(odd);
    let mut fitting = Vec::new();
    for candidate in candidates {
        let fits = candidate > 0 && size.div_ceil(candidate) == u64::from(parts);
        if fits && !fitting.contains(&candidate) {
            fitting.push(candidate);
        }
    }
    fitting
}

/// Computes the ETag that a file gets when it is uploaded in parts of `part_size` bytes.
///
/// # Errors
/// When the file cannot be read, or `part_size` is 0.
pub fn multipart_etag(path: &Path, part_size: u64) -> io::Result<ETag> {
    if part_size == 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut parts = PartsHasher::new(part_size);
    let mut file = File::open(path)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match fill(&mut file, &mut buffer)? {
            [] => return Ok(parts.finish()),
            chunk => parts.update(chunk),
        }
    }
}

/// Reads until the buffer is full or the file ends.
pub(super) fn fill<'a>(file: &mut File, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let (read, _) = buffer.split_at(filled);
    Ok(read)
}

/// Computes the ETag of an upload in parts: the MD5 of the parts' MD5s and how many they are.
pub(super) struct PartsHasher {
    size: u64,
    left: u64,
    part: Hasher,
    whole: Hasher,
    count: u32,
}

impl PartsHasher {
    pub(super) fn new(size: u64) -> Self {
        Self {
            size,
            left: size,
            part: Hasher::new(),
            whole: Hasher::new(),
            count: 0,
        }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let now = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (head, rest) = bytes.split_at(now);
            self.part.update(head);
            self.left -= now as u64;
            bytes = rest;
            if self.left == 0 {
                self.end_part();
            }
        }
    }

    pub(super) fn finish(mut self) -> ETag {
        if self.left < self.size || self.count == 0 {
            self.end_part();
        }
        ETag::Multipart(Md5(self.whole.finalize().into()), self.count)
    }

    fn end_part(&mut self) {
        self.whole.update(self.part.finalize_reset());
        self.count += 1;
        self.left = self.size;
    }
}
