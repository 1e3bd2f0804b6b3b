//! Bodies coming in and going out: hashed and checked on the way, in memory or as a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hyper::HeaderMap;
use md5::Digest;
use s3s::checksum::ChecksumHasher;
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Result, s3_error};

use super::bucket::{ContentId, Object};
use super::digest::Md5;
use super::store::{Staged, StagedData, Store};

/// What the client said of the body that it sends.
#[derive(Default)]
pub(crate) struct Claims {
    /// Base64.
    pub md5: Option<String>,
    /// Base64 by S3's name of the algorithm.
    pub checksums: BTreeMap<String, String>,
    pub length: Option<u64>,
    pub trailers: Option<Trailers>,
}

/// Headers that come after an aws-chunked body. Put into the request's extensions in front of the protocol layer.
#[derive(Clone, Default)]
pub(crate) struct Trailers(pub Arc<Mutex<HeaderMap>>);

pub(crate) const ALGORITHMS: [&str; 5] = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"];

impl Claims {
    /// Reads `x-amz-checksum-*` from headers or trailers.
    fn add(&mut self, headers: &HeaderMap) {
        for name in ALGORITHMS {
            let header = format!("x-amz-checksum-{}", name.to_lowercase());
            if let Some(value) = headers.get(header).and_then(|value| value.to_str().ok()) {
                self.checksums.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// From a request's headers and extensions.
    pub(crate) fn of(headers: &HeaderMap, extensions: &hyper::http::Extensions) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        let mut claims = Self {
            md5: text("content-md5"),
            length: text("content-length").and_then(|length| length.parse().ok()),
            trailers: extensions.get::<Trailers>().cloned(),
            checksums: BTreeMap::new(),
        };
        claims.add(headers);
        claims
    }
}

/// Hashes by every algorithm that S3 knows, as far as they are wanted.
struct Sums {
    md5: md5::Md5,
    size: u64,
    rest: ChecksumHasher,
}

impl Sums {
    fn new(wanted: &[String]) -> Self {
        let has = |name: &str| wanted.iter().any(|wanted| wanted == name);
        Self {
            md5: md5::Md5::new(),
            size: 0,
            rest: ChecksumHasher {
                crc32: has("CRC32").then(Default::default),
                crc32c: has("CRC32C").then(Default::default),
                sha1: has("SHA1").then(Default::default),
                sha256: has("SHA256").then(Default::default),
                crc64nvme: Some(Default::default()),
            },
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.size += bytes.len() as u64;
        self.rest.update(bytes);
    }

    fn finish(self) -> (ContentId, BTreeMap<String, String>) {
        let sums = by_name(&self.rest.finalize());
        let crc64 = sums.get("CRC64NVME").and_then(|text| unbase64(text));
        let crc64 = crc64.unwrap_or_default();
        let content = ContentId {
            md5: Md5(self.md5.finalize().into()),
            crc64: crc64
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            size: self.size,
        };
        (content, sums)
    }
}

/// S3's five fields as a map.
pub(crate) fn by_name(sums: &Checksum) -> BTreeMap<String, String> {
    let fields = [
        &sums.checksum_crc32,
        &sums.checksum_crc32c,
        &sums.checksum_crc64nvme,
        &sums.checksum_sha1,
        &sums.checksum_sha256,
    ];
    let pairs = ALGORITHMS.iter().zip(fields);
    pairs
        .filter_map(|(name, sum)| Some(((*name).to_owned(), sum.clone()?)))
        .collect()
}

/// Takes in a body and checks it against what the client claimed of it. `also` names algorithms wanted besides.
pub(crate) async fn stage(
    store: &Store,
    body: Option<StreamingBlob>,
    mut claims: Claims,
    also: &[String],
) -> S3Result<Staged> {
    let mut wanted: Vec<String> = claims.checksums.keys().cloned().collect();
    wanted.extend_from_slice(also);
    if claims.trailers.is_some() {
        // The body begins before it is known which one the trailer has.
        wanted.extend(ALGORITHMS.map(str::to_owned));
    }
    let mut sums = Sums::new(&wanted);
    let mut sink = Sink::new(store)?;
    let mut body = body;
    while let Some(chunk) = match &mut body {
        Some(body) => body.next().await,
        None => None,
    } {
        let chunk = chunk.map_err(|_| s3_error!(IncompleteBody))?;
        sums.update(&chunk);
        sink.write(&chunk)?;
    }
    if let Some(trailers) = claims.trailers.take() {
        let headers = trailers.0.lock().unwrap_or_else(PoisonError::into_inner);
        claims.add(&headers.clone());
    }
    let (content, sums) = sums.finish();
    check(&claims, &content, &sums)?;
    let mut kept: BTreeMap<String, String> = sums;
    let named = |name: &String| claims.checksums.contains_key(name) || also.contains(name);
    if kept.keys().any(named) {
        kept.retain(|name, _| named(name));
    } else {
        kept.retain(|name, _| name == "CRC64NVME");
    }
    Ok(Staged {
        content,
        checksums: kept,
        data: sink.finish(),
    })
}

fn check(claims: &Claims, content: &ContentId, sums: &BTreeMap<String, String>) -> S3Result<()> {
    if claims.length.is_some_and(|length| length != content.size) {
        return Err(s3_error!(IncompleteBody));
    }
    if let Some(md5) = &claims.md5 {
        let digest = unbase64(md5).filter(|bytes| bytes.len() == 16);
        let digest = digest.ok_or_else(|| s3_error!(InvalidDigest))?;
        if digest != content.md5.0 {
            return Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            ));
        }
    }
    for (name, claimed) in &claims.checksums {
        if sums.get(name) != Some(claimed) {
            return Err(s3_error!(
                BadDigest,
                "The {name} you specified did not match the calculated checksum."
            ));
        }
    }
    Ok(())
}

/// The base64 checksum of a few bytes; empty for an unknown algorithm.
pub(crate) fn sum_of(bytes: &[u8], algorithm: &str) -> String {
    let mut sums = Sums::new(&[algorithm.to_owned()]);
    sums.update(bytes);
    sums.finish().1.remove(algorithm).unwrap_or_default()
}

/// Joins contents into one, as CompleteMultipartUpload does.
pub(crate) fn join<'a>(
    store: &Store,
    parts: impl Iterator<Item = &'a StagedData>,
    algorithm: &str,
) -> S3Result<Staged> {
    let mut sums = Sums::new(&[algorithm.to_owned()]);
    let mut sink = Sink::new(store)?;
    for part in parts {
        match part {
            StagedData::Memory(bytes) => {
                sums.update(bytes);
                sink.write(bytes)?;
            }
            StagedData::File(file) => {
                let mut file = file.reopen().map_err(disk_error)?;
                let mut buffer = vec![0; CHUNK];
                loop {
                    let got = file.read(&mut buffer).map_err(io_error)?;
                    if got == 0 {
                        break;
                    }
                    sums.update(&buffer[..got]);
                    sink.write(&buffer[..got])?;
                }
            }
        }
    }
    let (content, checksums) = sums.finish();
    Ok(Staged {
        content,
        checksums,
        data: sink.finish(),
    })
}

enum Sink {
    Memory(Vec<u8>),
    File(super::disk::Temporary),
}

impl Sink {
    fn new(store: &Store) -> S3Result<Self> {
        match &store.disk {
            Some(disk) => disk.temporary().map(Self::File).map_err(disk_error),
            None => Ok(Self::Memory(Vec::new())),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> S3Result<()> {
        match self {
            Self::Memory(all) => all.extend_from_slice(bytes),
            Self::File(file) => file.write(bytes).map_err(disk_error)?,
        }
        Ok(())
    }

    fn finish(self) -> StagedData {
        match self {
            Self::Memory(all) => StagedData::Memory(Bytes::from(all)),
            Self::File(file) => StagedData::File(file),
        }
    }
}

/// 500 with the system's own words, `No space left on device` among them.
pub(crate) fn disk_error(error: super::disk::DiskError) -> s3s::S3Error {
    io_error(error.cause)
}

fn io_error(cause: std::io::Error) -> s3s::S3Error {
    s3_error!(InternalError, "the local store failed: {cause}")
}

const CHUNK: usize = 256 * 1024;

/// Bytes `from..to` of an object.
pub(crate) fn serve(store: &Store, object: &Object, from: u64, to: u64) -> S3Result<StreamingBlob> {
    match (&object.memory, &store.disk) {
        (None, Some(disk)) => {
            let mut file = disk.open_content(&object.content).map_err(disk_error)?;
            file.seek(SeekFrom::Start(from)).map_err(io_error)?;
            let left = to - from;
            Ok(StreamingBlob::wrap(FileStream { file, left }))
        }
        _ => {
            let bytes = object.memory.clone().unwrap_or_default();
            let bytes = bytes.slice(from as usize..to as usize);
            Ok(StreamingBlob::from(s3s::Body::from(bytes)))
        }
    }
}

/// Reads a file piece by piece. Local disks are quick enough to be read where the connection is served.
struct FileStream {
    file: File,
    left: u64,
}

impl Stream for FileStream {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut buffer = vec![0; CHUNK.min(self.left as usize)];
        let got = self.file.read(&mut buffer);
        Poll::Ready(Some(got.and_then(|got| {
            if got == 0 {
                self.left = 0;
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            buffer.truncate(got);
            self.left -= got as u64;
            Ok(Bytes::from(buffer))
        })))
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = (group >> (18 - 6 * place)) as usize & 63;
            let shown = place <= chunk.len();
            text.push(if shown { DIGITS[digit] as char } else { '=' });
        }
    }
    text
}

pub(crate) fn unbase64(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - bare.len() > 2 {
        return None;
    }
    let mut bytes = Vec::new();
    for group in bare.as_bytes().chunks(4) {
        let mut value = 0u32;
        for place in 0..4 {
            let digit = match group.get(place) {
                Some(byte) => DIGITS.iter().position(|digit| digit == byte)?,
                None => 0,
            };
            value = value << 6 | digit as u32;
        }
        let whole = value.to_be_bytes();
        bytes.extend_from_slice(&whole[1..group.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_reads_back() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"a", "YQ=="),
            (b"ab", "YWI="),
            (b"abc", "YWJj"),
            (&[255, 254, 253, 252], "//79/A=="),
        ] {
            assert_eq!(base64(bytes), text);
            assert_eq!(unbase64(text).as_deref(), Some(bytes));
        }
        assert_eq!(unbase64("a b="), None);
        assert_eq!(unbase64("abc"), None);
    }
}
