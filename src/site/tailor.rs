//! Makes what is stored of files that are not stored as they are: pages that stay but for noise, and compressed bodies.
//!
//! The manifest remembers of which file a stored body was made, so that nothing is compressed again that did not change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use md5::{Digest, Md5 as Hasher};
use tokio::task::spawn_blocking;

use super::known::{KnownBodies, StoredBody, encodings};
use super::names;
use super::serving::ServingRules;
use super::source::{BuiltSite, SiteSource};
use crate::error::Error;
use crate::job::request::Job;
use crate::object::encoding;
use crate::object::encoding::Encoding;
use crate::object::entry::{ManifestEntry, NoiselessDigest};
use crate::object::{Key, Md5};
use crate::rules::header_rules::MatchedRules;
use crate::rules::noise::NoiseRules;
use crate::scan::LocalFile;
use crate::survey::targets::ResolvedTargets;
use crate::survey::{BucketSnapshot, SiteLocation};

/// Pages looked at together: some of them wait for S3.
const PAGES_AT_ONCE: usize = 16;

impl SiteSource {
    /// Finds out what is to be stored, given what the bucket is known to hold.
    pub(crate) async fn look(
        &mut self,
        place: &SiteLocation,
        remote: &BucketSnapshot,
        targets: &ResolvedTargets,
        job: &Job,
    ) -> Result<(), Error> {
        match self {
            Self::Past(past) => past.look(place, remote, targets, job).await,
            Self::Build(_) => {
                self.tailor(place, &KnownBodies::of(remote), targets, job)
                    .await
            }
        }
    }

    /// [`SiteSource::look`] of a build: its keys, what stays but for noise, and what is compressed.
    pub(crate) async fn tailor(
        &mut self,
        place: &SiteLocation,
        known: &KnownBodies<'_>,
        targets: &ResolvedTargets,
        job: &Job,
    ) -> Result<(), Error> {
        let Self::Build(site) = self else {
            return Ok(());
        };
        let tailor = BuildTailoring {
            place,
            known,
            targets,
            job,
        };
        site.store(None);
        if names::are_given(job) {
            let named = names::named(site.files(), &tailor.rules(site), job)?;
            site.store(Some(named));
        }
        if !job.noise.is_empty() {
            let kept = tailor.keep(site).await;
            site.replace(kept);
        }
        if job.rules.compress() {
            let encoded = tailor.encode(site).await;
            site.replace(encoded);
        }
        Ok(())
    }
}

/// A page that noise rules are for.
struct NoisyPage<'a> {
    file: LocalFile,
    /// The rules, by half of their digest.
    rule: u64,
    /// What is live, where it may stay, and the file as it would be then.
    live: Option<(&'a ManifestEntry, LocalFile)>,
}

/// Makes of a build's files what is stored of them.
struct BuildTailoring<'a> {
    place: &'a SiteLocation,
    known: &'a KnownBodies<'a>,
    targets: &'a ResolvedTargets,
    job: &'a Job,
}

impl BuildTailoring<'_> {
    fn rules<'s>(&'s self, site: &'s BuiltSite) -> ServingRules<'s> {
        ServingRules::new(self.job, site.files(), site.root(), self.targets)
    }

    /// Looks which pages differ from what is live by noise alone. Returns the files that are changed by it.
    async fn keep(&self, site: &BuiltSite) -> Vec<LocalFile> {
        let rules = self.rules(site);
        let (mut changed, mut pages) = (Vec::new(), Vec::new());
        for file in site.files() {
            let Some(digest) = self.job.noise.rules_for(file.name().as_str()) else {
                continue;
            };
            let body = self.known.body(self.place, file.key.as_str());
            if let Some(StoredBody { entry, content, .. }) = body
                && (content == file.md5 || entry.source == Some(file.md5))
            {
                if let Some(noise) = &entry.noise {
                    let mut same = file.clone();
                    same.made().noise = Some(**noise);
                    changed.push(same);
                }
                continue;
            }
            let live = body.filter(|_| !self.job.force).and_then(|body| {
                let served = rules.of_file(file, &mut MatchedRules::default());
                Some((body.entry, body.in_place_of(file, &served)?))
            });
            pages.push(NoisyPage {
                file: file.clone(),
                rule: short(digest),
                live,
            });
        }
        let looked = stream::iter(pages)
            .map(|page| self.look_at(page, site.root()))
            .buffer_unordered(PAGES_AT_ONCE);
        let looked: Vec<_> = looked.collect().await;
        changed.extend(looked.into_iter().flatten());
        changed
    }

    /// Returns the page with its noise, or what is live where it differs by noise alone.
    async fn look_at(&self, page: NoisyPage<'_>, root: &Path) -> Option<LocalFile> {
        let NoisyPage {
            mut file,
            rule,
            live,
        } = page;
        let (rules, name) = (&self.job.noise, file.name().clone());
        let bytes = read(file.path(root), file.md5).await?;
        let noise = digest(rules, &name, bytes, rule).await?;
        file.made().noise = Some(noise);
        let Some((entry, mut stored)) = live else {
            return Some(file);
        };
        let was = match &entry.noise {
            Some(was) if was.rule == rule => Some(**was),
            // Another rule's digest says nothing, so that what is live has to.
            _ => match self.fetch(entry, &stored).await {
                Some(body) => digest(rules, &name, body, rule).await,
                None => None,
            },
        };
        if was != Some(noise) {
            return Some(file);
        }
        let made = stored.made();
        made.noise = Some(noise);
        made.kept = true;
        Some(stored)
    }

    /// Fetches the live body, as it was before it was compressed.
    async fn fetch(&self, entry: &ManifestEntry, stored: &LocalFile) -> Option<Bytes> {
        let full = self.place.full(stored.key.as_str());
        let fetched = self.place.bucket.get(&full).await.ok()??;
        if fetched.etag != entry.etag {
            return None;
        }
        let body = fetched.body;
        let Some(encoding) = stored.made.as_ref().and_then(|made| made.encoding) else {
            return Some(body);
        };
        let plain = spawn_blocking(move || encoding::decompress(&body, encoding));
        plain.await.ok()?.ok().map(Bytes::from)
    }

    /// Compresses what the rules say. Returns the files that are changed by it.
    async fn encode(&self, site: &BuiltSite) -> Vec<LocalFile> {
        let rules = self.rules(site);
        let (mut changed, mut open) = (Vec::new(), Vec::new());
        for file in site.files().iter().filter(|file| !file.is_kept()) {
            let served = rules.of_file(file, &mut MatchedRules::default());
            let wanted = encodings(file, &served);
            if wanted.is_empty() {
                continue;
            }
            let body = self.known.body(self.place, file.key.as_str());
            let stored = body
                .filter(|body| body.entry.source == Some(file.md5))
                .and_then(|body| body.in_place_of(file, &served));
            match stored {
                Some(stored) => changed.push(stored),
                None => open.push((file.clone(), wanted.to_vec())),
            }
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let room = Arc::new(AtomicU64::new(self.job.settings.max_memory.0 / 2));
        let made = stream::iter(open)
            .map(|(file, wanted)| {
                let (path, room) = (file.path(site.root()), room.clone());
                async move {
                    let body = read(path, file.md5).await?;
                    let made = spawn_blocking(move || made_of(file, &body, &wanted, &room));
                    made.await.ok()?
                }
            })
            .buffer_unordered(cores);
        let made: Vec<_> = made.collect().await;
        changed.extend(made.into_iter().flatten());
        changed
    }
}

/// Returns half of the rules' digest, as the manifest keeps it.
fn short(digest: Md5) -> u64 {
    let (head, _) = digest.0.split_at(8);
    head.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

async fn digest(
    rules: &Arc<NoiseRules>,
    name: &Key,
    body: Bytes,
    rule: u64,
) -> Option<NoiselessDigest> {
    let (rules, name) = (rules.clone(), name.clone());
    let digest = spawn_blocking(move || rules.digest(name.as_str(), &body));
    let digest = digest.await.ok()??.digest;
    Some(NoiselessDigest { rule, digest })
}

/// Reads a file's content, unless it is no longer what was hashed: then its upload will say so.
async fn read(path: PathBuf, md5: Md5) -> Option<Bytes> {
    let read = spawn_blocking(move || {
        let bytes = std::fs::read(path).ok()?;
        (Md5(Hasher::digest(&bytes).into()) == md5).then_some(bytes)
    });
    read.await.ok()?.map(Bytes::from)
}

/// Returns the file in the first encoding that gains, or as it is. The body is kept for its upload as long as there is room.
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
