//! What each object is wanted to be: its content, and by the rules its headers.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use md5::{Digest, Md5 as Hasher};

use super::job::Job;
use super::names;
use super::redirects;
use super::source::Source as From;
use super::targets::{Found, Targets};
use crate::domain::content_type::content_type;
use crate::domain::rules::{Explanation, Facts, Matched, Served, Source, check_limits};
use crate::domain::{ETag, HeaderFingerprint, Headers, Key, Md5, Sort, tags};
use crate::edge::Site;
use crate::error::Error;
use crate::plan::Want;
use crate::plan::order::{Stage, stage};
use crate::scan::LocalFile;

/// Sets of headers that are kept to be shared; a site has a few by type.
const SHARED: usize = 64;
/// Bytes that are enough to tell HTML from other things.
const SNIFFED: usize = 1024;
/// What a redirect's object is served as.
const HTML: &str = "text/html; charset=utf-8";

/// Answers for any key what it is to be served with.
pub struct Wants<'a> {
    job: &'a Job,
    source: &'a From,
    /// What is no file: redirects, or objects known by their versions. Sorted by key; a file of the same key gives way.
    others: Cow<'a, [Want]>,
    /// Rules that were of use to `others`.
    matched: Matched,
    /// What people should know of the redirects.
    pub warnings: Vec<String>,
    /// Sets of headers that many objects have.
    shared: RefCell<Vec<(HeaderFingerprint, Arc<Headers>)>>,
    /// Folders that hold an HLS playlist.
    playlists: HashSet<&'a str>,
    error_documents: HashSet<String>,
    /// The key that `/` shows.
    root: String,
    /// Whether objects get cache tags.
    tagged: bool,
}

fn folder(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl<'a> Wants<'a> {
    pub fn new(job: &'a Job, source: &'a From, targets: &Targets) -> Self {
        let playlists = source.files().iter().map(|file| file.key.as_str());
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
        let mut wants = Self {
            job,
            source,
            others: Cow::Borrowed(&[]),
            matched: Matched::default(),
            warnings: Vec::new(),
            shared: RefCell::default(),
            playlists,
            error_documents,
            root,
            tagged: targets.found.iter().any(|found| found.takes_tags(job.tags)),
        };
        match source {
            From::Build(_) => wants.redirect(targets),
            From::Past(past) => wants.others = Cow::Borrowed(&past.wants),
        }
        if job.tags && !wants.tagged {
            wants.warnings.push(no_tags(targets));
        }
        wants
    }

    /// Adds the redirects that are objects.
    fn redirect(&mut self, targets: &Targets) {
        let is_file = |key: &str| self.file(key).is_some();
        let deploys = self.job.redirect_function.is_some();
        let mut outcome = redirects::outcome(&self.job.redirects, targets, deploys, is_file);
        let own: HashSet<&str> = outcome
            .objects
            .iter()
            .map(|(key, _)| key.as_str())
            .collect();
        let mut stripped = names::redirects(self.source.files(), self.job, targets);
        stripped.retain(|(key, _)| !own.contains(key.as_str()) && !is_file(key));
        outcome.objects.extend(stripped);
        outcome.objects.sort();
        let mut matched = Matched::default();
        let wants = outcome.objects.into_iter().map(|(key, to)| {
            let key = Key::new(key);
            // A browser that does not follow it shows it as a page.
            let served = self.served_as(&key, HTML, &mut matched);
            let (mut headers, tags) = self.with_tags(&key, served);
            headers.redirect = Some(to);
            Want {
                size: 0,
                md5: Md5(Hasher::digest(b"").into()),
                parts: None,
                fingerprint: headers.fingerprint(),
                headers: Arc::new(headers),
                // What it leads to is live before it.
                stage: if *key.as_str() == self.root {
                    Stage::Root
                } else {
                    Stage::Feed
                },
                fingerprinted: false,
                tags,
                version: None,
                key,
            }
        });
        let wants: Vec<Want> = wants.collect();
        self.others = Cow::Owned(wants);
        self.matched = matched;
        self.warnings = outcome.warnings;
    }

    /// All that is wanted, sorted by key. `matched` gathers which rules are of use.
    pub fn all<'b>(&'b self, matched: &'b mut Matched) -> impl Iterator<Item = Want> + 'b {
        matched.merge(&self.matched);
        let mut files = self.source.files().iter().peekable();
        let mut others = self.others.iter().peekable();
        std::iter::from_fn(move || {
            let other = match (files.peek(), others.peek()) {
                (Some(file), Some(other)) => other.key <= file.key,
                (_, other) => other.is_some(),
            };
            if !other {
                return files.next().map(|file| self.want(file, matched));
            }
            let want = others.next().cloned();
            files.next_if(|file| want.as_ref().is_some_and(|want| want.key == file.key));
            want
        })
    }

    /// When a key goes live that is served so.
    pub fn stage(&self, key: &Key, served: &Served) -> Stage {
        stage(key.as_str(), served.page, served.fingerprinted, &self.root)
    }

    /// What is no file, by its key.
    pub fn other(&self, key: &str) -> Option<&Want> {
        let at = self
            .others
            .binary_search_by(|want| want.key.as_str().cmp(key));
        self.others.get(at.ok()?)
    }

    /// The headers that a key is wanted with.
    pub fn headers(&self, key: &Key) -> Headers {
        match self.other(key.as_str()) {
            Some(want) => (*want.headers).clone(),
            None => {
                let served = self.served(key, &mut Matched::default());
                let (headers, _) = self.with_tags(key, served);
                match self.file(key.as_str()) {
                    Some(file) => encoded(headers, file),
                    None => headers,
                }
            }
        }
    }

    fn want(&self, file: &LocalFile, matched: &mut Matched) -> Want {
        let served = self.served_file(file, matched);
        let stage = self.stage(&file.key, &served);
        let fingerprinted = served.fingerprinted;
        let (headers, tags) = self.with_tags(&file.key, served);
        let (fingerprint, headers) = self.share(encoded(headers, file));
        Want {
            key: file.key.clone(),
            size: file.size,
            md5: file.md5,
            parts: file.parts.as_deref().cloned(),
            fingerprint,
            stage,
            fingerprinted,
            tags,
            headers,
            version: None,
        }
    }

    /// One copy of the headers for all objects that have them.
    fn share(&self, headers: Headers) -> (HeaderFingerprint, Arc<Headers>) {
        let mut shared = self.shared.borrow_mut();
        let mut others = shared.iter().filter(|_| !self.tagged);
        if let Some(known) = others.find(|(_, known)| **known == headers) {
            return known.clone();
        }
        let known = (headers.fingerprint(), Arc::new(headers));
        // No two objects have the same tags.
        if shared.len() < SHARED && !self.tagged {
            shared.push(known.clone());
        }
        known
    }

    /// What a key is served with; its name tells where it is no file's.
    pub fn served(&self, key: &Key, matched: &mut Matched) -> Served<'_> {
        match self.file(key.as_str()) {
            Some(file) => self.served_file(file, matched),
            None => {
                let content_type = content_type(key.as_str(), self.beside_playlist(key), &[]);
                self.served_as(key, &content_type, matched)
            }
        }
    }

    /// What a file is served with, but for the encoding that it is stored in. Rules are about its path in the build.
    pub fn served_file(&self, file: &LocalFile, matched: &mut Matched) -> Served<'_> {
        let content_type = self.type_of(file);
        let facts = self.facts(&content_type, [&file.key, file.name()]);
        let name = file.name().as_str();
        self.job.rules.headers_for(name, &facts, matched)
    }

    fn type_of(&self, file: &LocalFile) -> Cow<'static, str> {
        let name = file.name();
        let first = match name.extension() {
            None => first_bytes(&file.path(self.source.root())),
            Some(_) => Vec::new(),
        };
        content_type(name.as_str(), self.beside_playlist(name), &first)
    }

    fn beside_playlist(&self, key: &Key) -> bool {
        key.extension() == Some("ts") && self.playlists.contains(folder(key.as_str()))
    }

    fn facts<'t>(&self, content_type: &'t str, names: [&Key; 2]) -> Facts<'t> {
        let is_error = |name: &Key| self.error_documents.contains(name.as_str());
        Facts {
            content_type,
            error_document: names.into_iter().any(is_error),
        }
    }

    /// The files as they are stored, sorted by key.
    pub fn files(&self) -> &'a [LocalFile] {
        self.source.files()
    }

    /// Whether something outside of the build goes by a key: the distribution's root and its error pages.
    pub fn is_named_elsewhere(&self, key: &str) -> bool {
        key == self.root || self.error_documents.contains(key)
    }

    fn served_as(&self, key: &Key, content_type: &str, matched: &mut Matched) -> Served<'_> {
        let facts = self.facts(content_type, [key, key]);
        self.job.rules.headers_for(key.as_str(), &facts, matched)
    }

    /// The headers with the object's cache tags, where it is to have them.
    fn with_tags(&self, key: &Key, served: Served) -> (Headers, Option<Sort>) {
        let mut headers = served.headers;
        let sort = self.tagged.then(|| Sort::of(served.page));
        if let Some(sort) = sort {
            tags::add(&mut headers, key.as_str(), sort);
        }
        (headers, sort)
    }

    /// What several rules give together, cache tags among it, is within S3's limits and CloudFront's, as each alone is.
    ///
    /// # Errors
    /// `Exit::Usage`, naming the last rule that adds to what is too much.
    pub fn check_limits(&self) -> Result<(), Error> {
        let rules = &self.job.rules;
        let tagged = self.tagged && rules.set_metadata();
        if !tagged && !rules.may_exceed_limits() {
            return Ok(());
        }
        for want in self.all(&mut Matched::default()) {
            let (field, problem) = match (check_limits(&want.headers), tags::check(&want.headers)) {
                (Err((field, problem)), _) => (field, problem.to_string()),
                (_, Err(problem)) if tagged => ("metadata", problem.to_string()),
                _ => continue,
            };
            let explained = self.explanations(&want.key).into_iter();
            let adding = explained.filter(|one| one.header.starts_with(field));
            let rules = adding.filter_map(|one| match one.source {
                Source::Rule(at) => Some(at),
                Source::Default(_) => None,
            });
            let place = (self.job.rule_name)(rules.max().unwrap_or_default());
            return Err(Error::usage(format!(
                "{place}: {field}: with the rules before it, for {}: {problem}",
                want.key
            )));
        }
        Ok(())
    }

    /// Where each header of a key comes from; none for what is not wanted.
    fn explanations(&self, key: &Key) -> Vec<Explanation> {
        let (content_type, name) = match (self.other(key.as_str()), self.file(key.as_str())) {
            (Some(_), _) => (HTML.into(), key),
            (None, None) => return Vec::new(),
            (None, Some(file)) => (self.type_of(file), file.name()),
        };
        let facts = self.facts(&content_type, [key, name]);
        self.job.rules.explain(name.as_str(), &facts)
    }

    /// Which rule or default set what the key is served with, a line each; none for what is not wanted.
    pub fn explain(&self, key: &Key) -> Vec<String> {
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
        let redirect = (self.other(key.as_str()))
            .and_then(|want| Some(format!("redirect: {}", want.headers.redirect.as_ref()?)));
        let explained = self.explanations(key);
        let tags = (!explained.is_empty() && self.tagged).then(|| {
            let mut headers = self.headers(key);
            let value = headers.metadata.remove(tags::METADATA);
            format!("cache tags: {}  (tags = true)", value.unwrap_or_default())
        });
        let explained = explained.into_iter().map(line);
        redirect.into_iter().chain(explained).chain(tags).collect()
    }

    /// The file that a key is to hold.
    pub fn file(&self, key: &str) -> Option<&'a LocalFile> {
        if self.other(key).is_some() {
            return None;
        }
        self.source.file(key)
    }

    /// The ETag that an upload will get, unless the bucket's encryption makes another of it.
    pub fn expected(&self, key: &str) -> Option<ETag> {
        let file = self.file(key)?;
        Some(
            file.parts
                .as_deref()
                .cloned()
                .unwrap_or(ETag::Md5(file.md5)),
        )
    }
}

/// Why objects get no cache tags, though they are wanted.
fn no_tags(targets: &Targets) -> String {
    let header = |found: &Found| found.distribution.as_ref().ok()?.cache_tag_header.clone();
    let mut others = targets
        .found
        .iter()
        .filter_map(|found| Some((found.id(), header(found)?)));
    let why = match others.next() {
        Some((id, header)) => format!("{id} reads cache tags from the header {header}"),
        None => "no distribution that is purged is known to read cache tags".to_owned(),
    };
    format!(
        "`tags = true` has no effect: {why}; set CacheTagConfig's HeaderName of the distribution to {}",
        tags::HEADER
    )
}

/// With the encoding that a file is stored in.
fn encoded(mut headers: Headers, file: &LocalFile) -> Headers {
    if let Some(encoding) = file.made.as_ref().and_then(|made| made.encoding) {
        headers.content_encoding = Some(encoding.name().to_owned());
    }
    headers
}

/// A file that cannot be read now will fail when it is uploaded.
fn first_bytes(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        let _ = file.take(SNIFFED as u64).read_to_end(&mut bytes);
    }
    bytes
}
