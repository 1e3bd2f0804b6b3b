//! What the build wants each object to be: its content, and by the rules its headers.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use super::job::Job;
use super::targets::Targets;
use crate::domain::content_type::content_type;
use crate::domain::page::stage;
use crate::domain::rules::{Explanation, Facts, Matched, Served, Source};
use crate::domain::{ETag, Key};
use crate::edge::Site;
use crate::plan::Want;
use crate::scan::{Build, LocalFile};

/// Bytes that are enough to tell HTML from other things.
const SNIFFED: usize = 1024;

/// Answers for any key what it is to be served with.
pub struct Wants<'a> {
    job: &'a Job,
    build: &'a Build,
    /// Folders that hold an HLS playlist.
    playlists: HashSet<&'a str>,
    error_documents: HashSet<String>,
    /// The key that `/` shows.
    root: String,
}

fn folder(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl<'a> Wants<'a> {
    pub fn new(job: &'a Job, build: &'a Build, targets: &Targets) -> Self {
        let playlists = build.files.iter().map(|file| file.key.as_str());
        let playlists = playlists
            .filter(|key| key.ends_with(".m3u8"))
            .map(folder)
            .collect();
        let mut error_documents: HashSet<String> = job.error_documents.iter().cloned().collect();
        let mut root = "index.html".to_owned();
        for found in &targets.found {
            if let Ok(distribution) = &found.distribution {
                let site = Site {
                    prefix: job.prefix.clone(),
                    ..Site::new(distribution, found.ours.clone())
                };
                error_documents.extend(site.error_page_keys());
                root = distribution.default_root_object.clone().unwrap_or(root);
            }
        }
        Self {
            job,
            build,
            playlists,
            error_documents,
            root,
        }
    }

    /// All of the build, sorted by key. `matched` gathers which rules are of use.
    pub fn all<'b>(&'b self, matched: &'b mut Matched) -> impl Iterator<Item = Want> + 'b {
        self.build.files.iter().map(|file| self.want(file, matched))
    }

    fn want(&self, file: &LocalFile, matched: &mut Matched) -> Want {
        let served = self.served(&file.key, Some(&self.build.root), matched);
        Want {
            key: file.key.clone(),
            size: file.size,
            md5: file.md5,
            parts: file.parts.clone(),
            fingerprint: served.headers.fingerprint(),
            stage: stage(
                file.key.as_str(),
                served.page,
                served.fingerprinted,
                &self.root,
            ),
            fingerprinted: served.fingerprinted,
            headers: served.headers,
        }
    }

    /// What a key is served with; without a root the content of what it names is not looked at.
    pub fn served(&self, key: &Key, root: Option<&Path>, matched: &mut Matched) -> Served<'_> {
        let beside_playlist =
            key.extension() == Some("ts") && self.playlists.contains(folder(key.as_str()));
        let first = match (key.extension(), root) {
            (None, Some(root)) => first_bytes(&root.join(key.as_str())),
            _ => Vec::new(),
        };
        let content_type = content_type(key.as_str(), beside_playlist, &first);
        let facts = Facts {
            content_type: &content_type,
            error_document: self.error_documents.contains(key.as_str()),
        };
        self.job.rules.headers_for(key.as_str(), &facts, matched)
    }

    /// Which rule or default set what the key is served with, a line each.
    pub fn explain(&self, key: &Key) -> Vec<String> {
        if self.file(key.as_str()).is_none() {
            return Vec::new();
        }
        let first = first_bytes(&self.build.root.join(key.as_str()));
        let content_type = content_type(
            key.as_str(),
            self.playlists.contains(folder(key.as_str())),
            &first,
        );
        let error_document = self.error_documents.contains(key.as_str());
        let facts = Facts {
            content_type: &content_type,
            error_document,
        };
        let explained = self.job.rules.explain(key.as_str(), &facts).into_iter();
        let line = |one: Explanation| {
            let by = match one.source {
                Source::Default(name) => format!("default: {name}"),
                Source::Rule(at) => (self.job.rule_name)(at),
            };
            format!(
                "{}: {}  ({by})",
                one.header,
                one.value.as_deref().unwrap_or("not set")
            )
        };
        explained.map(line).collect()
    }

    /// The file of a key of the build.
    pub fn file(&self, key: &str) -> Option<&'a LocalFile> {
        let at = self
            .build
            .files
            .binary_search_by(|file| file.key.as_str().cmp(key))
            .ok()?;
        self.build.files.get(at)
    }

    /// The ETag that an upload will get, unless the bucket's encryption makes another of it.
    pub fn expected(&self, key: &str) -> Option<ETag> {
        let file = self.file(key)?;
        Some(file.parts.clone().unwrap_or(ETag::Md5(file.md5)))
    }
}

/// A file that cannot be read now will fail when it is uploaded.
fn first_bytes(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        let _ = file.take(SNIFFED as u64).read_to_end(&mut bytes);
    }
    bytes
}
