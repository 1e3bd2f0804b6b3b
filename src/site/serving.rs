//! Finds what each key is served with, by its type and by the rules.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use crate::job::request::Job;
use crate::object::key::file_name;
use crate::object::{Headers, Key, TagClass, tags};
use crate::plan::order::{LiveStage, stage};
use crate::rules::content_type::content_type;
use crate::rules::fingerprinted::evidence::{BUNDLER_MANIFESTS, NameEvidence};
use crate::rules::fingerprinted::siblings::{FingerprintedNames, NameVerdict};
use crate::rules::header_rules::{HeaderExplanation, MatchedRules, ObjectFacts, RuledHeaders};
use crate::rules::media::StreamFolders;
use crate::rules::page::is_asset;
use crate::scan::LocalFile;
use crate::survey::targets::ResolvedTargets;

/// Bytes that are enough to tell HTML from other things.
const SNIFFED: u64 = 1024;
/// What a redirect's object is served as: a browser that does not follow it shows it as a page.
const REDIRECT_TYPE: &str = "text/html; charset=utf-8";

/// The rules, with all that they hang on besides a key.
pub(crate) struct ServingRules<'a> {
    job: &'a Job,
    /// The build's folder.
    dir: &'a Path,
    streams: StreamFolders<'a>,
    names: FingerprintedNames<'a>,
    error_documents: HashSet<String>,
    /// The key that `/` shows.
    root: String,
    /// The file that a website endpoint shows for its folder.
    index: String,
    /// Objects get cache tags.
    pub tagged: bool,
}

impl<'a> ServingRules<'a> {
    /// Returns the rules for these files, which lie in the folder `dir`.
    pub(crate) fn new(
        job: &'a Job,
        files: &'a [LocalFile],
        dir: &'a Path,
        targets: &ResolvedTargets,
    ) -> Self {
        let mut error_documents: HashSet<String> = job.error_documents.iter().cloned().collect();
        let mut root = "index.html".to_owned();
        for site in targets.found.iter().filter_map(|target| target.site(job)) {
            error_documents.extend(site.error_page_keys());
            root = site
                .distribution
                .default_root_object
                .clone()
                .unwrap_or(root);
        }
        Self {
            job,
            dir,
            streams: StreamFolders::of(files.iter().map(|file| file.name().as_str())),
            names: FingerprintedNames::of(
                files.iter().map(|file| file.name().as_str()),
                name_evidence(dir),
            ),
            error_documents,
            root,
            index: targets.index_document().to_owned(),
            tagged: targets
                .found
                .iter()
                .any(|target| target.takes_tags(job.settings.tags)),
        }
    }

    /// Returns what a file is served with, but for the encoding that it is stored in. Rules are about its path in the build.
    pub(crate) fn of_file(&self, file: &LocalFile, matched: &mut MatchedRules) -> RuledHeaders<'a> {
        let content_type = self.type_of(file);
        let facts = self.facts(&content_type, [&file.key, file.name()]);
        let name = file.name().as_str();
        self.job.rules.headers_for(name, &facts, matched)
    }

    /// Returns what a key is served with that is no file's, as far as its name tells.
    pub(crate) fn of_name(&self, key: &Key, matched: &mut MatchedRules) -> RuledHeaders<'a> {
        let content_type = content_type(key.as_str(), self.streams.part(key.as_str()), &[]);
        self.of_type(key, &content_type, matched)
    }

    /// Returns what a redirect's object is served with.
    pub(crate) fn of_redirect(&self, key: &Key, matched: &mut MatchedRules) -> RuledHeaders<'a> {
        self.of_type(key, REDIRECT_TYPE, matched)
    }

    fn of_type(
        &self,
        key: &Key,
        content_type: &str,
        matched: &mut MatchedRules,
    ) -> RuledHeaders<'a> {
        let facts = self.facts(content_type, [key, key]);
        self.job.rules.headers_for(key.as_str(), &facts, matched)
    }

    /// Returns where each header of a file comes from.
    pub(crate) fn explain_file(&self, file: &LocalFile) -> Vec<HeaderExplanation> {
        let content_type = self.type_of(file);
        let facts = self.facts(&content_type, [&file.key, file.name()]);
        self.job.rules.explain(file.name().as_str(), &facts)
    }

    /// Returns where each header of a redirect's object comes from.
    pub(crate) fn explain_redirect(&self, key: &Key) -> Vec<HeaderExplanation> {
        let facts = self.facts(REDIRECT_TYPE, [key, key]);
        self.job.rules.explain(key.as_str(), &facts)
    }

    /// Returns the headers with the object's cache tags, where it is to have them.
    pub(crate) fn with_tags(&self, key: &Key, served: RuledHeaders) -> (Headers, Option<TagClass>) {
        let mut headers = served.headers;
        let sort = self.tagged.then(|| TagClass::of(served.page));
        if let Some(sort) = sort {
            tags::add(&mut headers, key.as_str(), sort);
        }
        (headers, sort)
    }

    /// Returns when a key goes live that is served so.
    pub(crate) fn stage(&self, key: &Key, served: &RuledHeaders) -> LiveStage {
        stage(key.as_str(), served.page, served.fingerprinted, &self.root)
    }

    /// Returns whether pages that are still open may ask for a key, served so, that has left the build. A feed or service worker is
    /// asked for by its name alone.
    pub(crate) fn is_asset(&self, key: &Key, served: &RuledHeaders) -> bool {
        let content_type = served.headers.content_type.as_deref().unwrap_or_default();
        let is_loaded = || is_asset(content_type) || key.extension() == Some("map");
        served.fingerprinted || self.stage(key, served) <= LiveStage::Linking && is_loaded()
    }

    /// Returns why the name of a script or style sheet that ends like a hash does not count as fingerprinted.
    pub(crate) fn doubt(&self, key: &Key) -> Option<String> {
        let verdict = self.names.judge(key.as_str());
        let is_code = matches!(key.extension(), Some("js" | "mjs" | "cjs" | "css"));
        (is_code && matches!(verdict, NameVerdict::Doubtful(_))).then(|| verdict.to_string())
    }

    /// Returns when a redirect goes live: what it leads to is live before it.
    pub(crate) fn redirect_stage(&self, key: &Key) -> LiveStage {
        if *key.as_str() == self.root {
            LiveStage::Root
        } else {
            LiveStage::Feed
        }
    }

    /// Returns whether something outside of the build goes by a key: the distribution's root and its error pages, and index documents.
    pub(crate) fn is_named_elsewhere(&self, key: &str) -> bool {
        key == self.root || self.error_documents.contains(key) || file_name(key) == self.index
    }

    fn type_of(&self, file: &LocalFile) -> Cow<'static, str> {
        let name = file.name();
        let first = match name.extension() {
            None => first_bytes(&file.path(self.dir)),
            Some(_) => Vec::new(),
        };
        content_type(name.as_str(), self.streams.part(name.as_str()), &first)
    }

    /// Returns the facts of an object by its key and its path in the build.
    fn facts<'t>(&'t self, content_type: &'t str, names: [&'t Key; 2]) -> ObjectFacts<'t> {
        let [_, name] = names;
        let is_error = |name: &Key| self.error_documents.contains(name.as_str());
        ObjectFacts {
            content_type,
            error_document: names.into_iter().any(is_error),
            part: self.streams.part(name.as_str()),
            name: self.names.judge(name.as_str()),
        }
    }
}

/// Returns what a build's own files tell of its names. One that is not there tells nothing.
fn name_evidence(dir: &Path) -> NameEvidence {
    let mut evidence = NameEvidence::default();
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap_or_default();
    for manifest in BUNDLER_MANIFESTS {
        evidence.read_manifest(&read(manifest));
    }
    evidence.read_root(&read("index.html"));
    evidence
}

/// Reads the start of a file. One that cannot be read now will fail when it is uploaded.
fn first_bytes(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        let _ = file.take(SNIFFED).read_to_end(&mut bytes);
    }
    bytes
}
