//! What is stored of files that are not stored as they are: pages that stay but for noise, and compressed bodies.
//!
//! The manifest remembers of which file a stored body was made, so that nothing is compressed again that did not change.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use md5::{Digest, Md5 as Hasher};
use tokio::task::spawn_blocking;

use super::job::Job;
use super::source::Source;
use super::survey::{Place, Remote};
use super::targets::Targets;
use super::wants::Wants;
use crate::aws::list::Listed;
use crate::domain::encoding;
use crate::domain::manifest::{Entry, Life, Manifest, Noise};
use crate::domain::noise::NoiseRules;
use crate::domain::rules::{Encoding, Matched, Served};
use crate::domain::{ETag, Key, Md5};
use crate::scan::LocalFile;

/// Pages looked at together: some of them wait for S3.
const PAGES_AT_ONCE: usize = 16;

/// What the bucket is known to hold.
pub struct Known<'a> {
    manifest: &'a Manifest,
    /// Sorted by whole keys; without it the manifest's word is taken.
    listing: Option<&'a [Listed]>,
    /// What a deploy that died may have touched.
    unsure: HashSet<&'a str>,
    nothing: bool,
}

impl<'a> Known<'a> {
    /// By the manifest alone.
    pub fn by(manifest: &'a Manifest) -> Self {
        Self {
            manifest,
            listing: None,
            unsure: HashSet::new(),
            nothing: false,
        }
    }

    pub(super) fn of(remote: &'a Remote) -> Self {
        let mut known = Self::by(&remote.loaded.manifest);
        known.listing = Some(&remote.listing);
        for open in &remote.open.journals {
            match &open.journal {
                Ok(journal) => {
                    let keys = journal.keys.iter().map(|touched| touched.key.as_str());
                    known.unsure.extend(keys);
                }
                Err(_) => known.nothing = true,
            }
        }
        known
    }

    /// The entry of a key that the bucket holds as the manifest says, the digest of the body there, and its size.
    fn entry(&self, place: &Place, key: &str) -> Option<(&'a Entry, Md5, u64)> {
        let entry = self.manifest.entries.get(key)?;
        let content = entry.content()?;
        if self.nothing || self.unsure.contains(key) || matches!(entry.life, Life::Tombstone { .. })
        {
            return None;
        }
        let Some(listing) = self.listing else {
            return Some((entry, content, 0));
        };
        let full = place.full(key);
        let at = listing.binary_search_by(|object| object.key.as_ref().cmp(full.as_str()));
        let object = listing.get(at.ok()?)?;
        (object.etag == entry.etag).then_some((entry, content, object.size))
    }
}

/// The encodings that a file may be stored in.
fn encodings<'a>(file: &LocalFile, served: &Served<'a>) -> &'a [Encoding] {
    let content_type = served.headers.content_type.as_deref().unwrap_or_default();
    match served.headers.content_encoding.is_none()
        && encoding::is_compressible(content_type, file.stamp.size)
    {
        true => served.compress,
        false => &[],
    }
}

/// The encoding that the bucket has a body in, where that is one which is wanted now.
fn stored_in(
    entry: &Entry,
    content: Md5,
    served: &Served,
    wanted: &[Encoding],
) -> Option<Option<Encoding>> {
    match entry.source {
        None => wanted.is_empty().then_some(None),
        // An encoding was tried, and gained nothing.
        Some(source) if source == content => Some(None),
        Some(_) => {
            let mut headers = served.headers.clone();
            let mut wanted = wanted.iter().copied();
            let is = |encoding: &Encoding| {
                headers.content_encoding = Some(encoding.name().to_owned());
                headers.fingerprint() == entry.headers
            };
            wanted.find(is).map(Some)
        }
    }
}

/// The file as what the bucket has of it.
fn as_stored(
    file: &LocalFile,
    entry: &Entry,
    content: Md5,
    size: u64,
    encoding: Option<Encoding>,
) -> LocalFile {
    let mut stored = file.clone();
    stored.md5 = content;
    stored.size = size;
    stored.parts = Some(&entry.etag)
        .filter(|etag| matches!(etag, ETag::Multipart(..)))
        .map(|etag| Box::new(etag.clone()));
    let made = stored.made();
    made.source = entry.source;
    made.encoding = encoding;
    stored
}

/// A page that noise rules are for.
struct Page {
    at: usize,
    file: LocalFile,
    rule: u64,
    /// What is live, where it may stay: its noise, and the file as it would be then.
    live: Option<(Entry, LocalFile)>,
}

/// Looks which pages differ from what is live by noise alone. Answers the files that are changed by it, by position.
pub(super) async fn keep(
    source: &Source,
    place: &Place,
    known: &Known<'_>,
    targets: &Targets,
    job: &Job,
) -> Vec<(usize, LocalFile)> {
    let wants = Wants::new(job, source, targets);
    let (mut changed, mut pages) = (Vec::new(), Vec::new());
    for (at, file) in source.files().iter().enumerate() {
        let Some(rules) = job.noise.rules_for(file.name().as_str()) else {
            continue;
        };
        let entry = known.entry(place, file.key.as_str());
        if let Some((entry, content, _)) = entry
            && (content == file.md5 || entry.source == Some(file.md5))
        {
            if let Some(noise) = &entry.noise {
                let mut same = file.clone();
                same.made().noise = Some(**noise);
                changed.push((at, same));
            }
            continue;
        }
        let live = entry
            .filter(|_| !job.force)
            .and_then(|(entry, content, size)| {
                let served = wants.served_file(file, &mut Matched::default());
                let encoding = stored_in(entry, content, &served, encodings(file, &served))?;
                Some((
                    entry.clone(),
                    as_stored(file, entry, content, size, encoding),
                ))
            });
        pages.push(Page {
            at,
            file: file.clone(),
            rule: short(rules),
            live,
        });
    }
    let looked = stream::iter(pages)
        .map(|page| look_at(page, source.root(), place, job.noise.clone()))
        .buffer_unordered(PAGES_AT_ONCE);
    let looked: Vec<_> = looked.collect().await;
    changed.extend(looked.into_iter().flatten());
    changed
}

/// Rules by half of their digest, as the manifest keeps it.
fn short(digest: Md5) -> u64 {
    let (head, _) = digest.0.split_at(8);
    head.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

async fn look_at(
    page: Page,
    root: &Path,
    place: &Place,
    rules: Arc<NoiseRules>,
) -> Option<(usize, LocalFile)> {
    let Page {
        at,
        mut file,
        rule,
        live,
    } = page;
    let name = file.name().clone();
    let bytes = read(file.path(root), file.md5).await?;
    let noise = digest(rules.clone(), name.clone(), bytes, rule).await?;
    file.made().noise = Some(noise);
    let Some((entry, mut stored)) = live else {
        return Some((at, file));
    };
    let was = match &entry.noise {
        Some(was) if was.rule == rule => Some(**was),
        // Another rule's digest says nothing, so that what is live has to.
        _ => {
            let body = fetch(place, &file.key, &entry, &stored).await;
            match body {
                Some(body) => digest(rules, name, body, rule).await,
                None => None,
            }
        }
    };
    if was != Some(noise) {
        return Some((at, file));
    }
    let made = stored.made();
    made.noise = Some(noise);
    made.kept = true;
    Some((at, stored))
}

/// The live body as it was before it was compressed.
async fn fetch(place: &Place, key: &Key, entry: &Entry, stored: &LocalFile) -> Option<Bytes> {
    let fetched = place.bucket.get(&place.full(key.as_str())).await.ok()??;
    if fetched.etag != entry.etag {
        return None;
    }
    let Some(encoding) = stored.made.as_ref().and_then(|made| made.encoding) else {
        return Some(fetched.body);
    };
    let body = fetched.body;
    let plain = spawn_blocking(move || encoding::decompress(&body, encoding));
    plain.await.ok()?.ok().map(Bytes::from)
}

async fn digest(rules: Arc<NoiseRules>, name: Key, body: Bytes, rule: u64) -> Option<Noise> {
    let digest = spawn_blocking(move || rules.digest(name.as_str(), &body));
    let digest = digest.await.ok()??.digest;
    Some(Noise { rule, digest })
}

/// A file's content, unless it is no longer what was hashed: then its upload will say so.
async fn read(path: PathBuf, md5: Md5) -> Option<Bytes> {
    let read = spawn_blocking(move || {
        let bytes = std::fs::read(path).ok()?;
        (Md5(Hasher::digest(&bytes).into()) == md5).then_some(bytes)
    });
    read.await.ok()?.map(Bytes::from)
}

/// Compresses what the rules say. Answers the files that are changed by it, by position.
pub(super) async fn encode(
    source: &Source,
    place: &Place,
    known: &Known<'_>,
    targets: &Targets,
    job: &Job,
) -> Vec<(usize, LocalFile)> {
    let wants = Wants::new(job, source, targets);
    let (mut changed, mut open) = (Vec::new(), Vec::new());
    let files = source.files().iter().enumerate();
    for (at, file) in files.filter(|(_, file)| !file.is_kept()) {
        let served = wants.served_file(file, &mut Matched::default());
        let wanted = encodings(file, &served);
        if wanted.is_empty() {
            continue;
        }
        let entry = known.entry(place, file.key.as_str());
        let stored = entry
            .filter(|(entry, ..)| entry.source == Some(file.md5))
            .and_then(|(entry, content, size)| {
                let encoding = stored_in(entry, content, &served, wanted)?;
                Some(as_stored(file, entry, content, size, encoding))
            });
        match stored {
            Some(stored) => changed.push((at, stored)),
            None => open.push((at, file.clone(), wanted.to_vec())),
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let room = Arc::new(AtomicU64::new(job.max_memory / 2));
    let made = stream::iter(open)
        .map(|(at, file, wanted)| {
            let (root, room) = (source.root().to_owned(), room.clone());
            async move {
                let body = read(file.path(&root), file.md5).await?;
                let made = spawn_blocking(move || made_of(file, &body, &wanted, &room));
                Some((at, made.await.ok()??))
            }
        })
        .buffer_unordered(cores);
    let made: Vec<_> = made.collect().await;
    changed.extend(made.into_iter().flatten());
    changed
}

/// The file in the first encoding that gains, or as it is. The body is kept for its upload as long as there is room.
fn made_of(
    mut file: LocalFile,
    body: &[u8],
    wanted: &[Encoding],
    room: &AtomicU64,
) -> Option<LocalFile> {
    let gained = encoding::first_that_gains(body, wanted).ok()?;
    let source = file.md5;
    file.made().source = Some(source);
    if let Some((encoding, body)) = gained {
        file.md5 = Md5(Hasher::digest(&body).into());
        file.size = body.len() as u64;
        file.parts = None;
        let take = |left: u64| left.checked_sub(body.len() as u64);
        let kept = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        let made = file.made();
        made.encoding = Some(encoding);
        made.body = kept.ok().map(|_| Bytes::from(body));
    }
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Headers;
    use crate::domain::manifest::{DeployNo, ServedId};

    #[test]
    fn a_body_that_is_stored_need_not_be_made_again() {
        let (file, body) = (Md5([1; 16]), Md5([2; 16]));
        let headers = |encoding: Option<Encoding>| Headers {
            content_encoding: encoding.map(|encoding| encoding.name().to_owned()),
            ..Headers::default()
        };
        let served = Served {
            headers: headers(None),
            fingerprinted: false,
            page: true,
            compress: &[],
        };
        let both = [Encoding::Br, Encoding::Gzip];
        let (br, gzip) = (Some(Encoding::Br), Some(Encoding::Gzip));
        for (source, content, set, wanted, expected) in [
            (None, file, None, &both[..0], Some(None)),
            (None, file, None, &both, None),
            (Some(file), file, None, &both, Some(None)),
            (Some(file), file, None, &both[..0], Some(None)),
            (Some(file), body, br, &both, Some(br)),
            (Some(file), body, gzip, &both, Some(gzip)),
            (Some(file), body, gzip, &both[..1], None),
            (Some(file), body, br, &both[..0], None),
        ] {
            let headers = headers(set).fingerprint();
            let entry = Entry::new(ETag::Md5(content), headers, ServedId(0), [DeployNo(0); 2])
                .with(|rare| rare.source = source);
            let found = stored_in(&entry, content, &served, wanted);
            assert_eq!(found, expected, "{source:?} {set:?} {wanted:?}");
        }
    }
}
