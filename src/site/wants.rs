//! The site as it is wanted: the content of each object, and by the rules its headers.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use md5::{Digest, Md5 as Hasher};

use super::serving::ServingRules;
use super::source::SiteSource;
use super::unserved;
use super::{redirects, root_page};
use crate::error::Error;
use crate::job::request::Job;
use crate::object::{ETag, HeaderFingerprint, Headers, Key, Md5, tags};
use crate::plan::WantedObject;
use crate::rules::header_rules::{HeaderExplanation, MatchedRules, RuledHeaders};
use crate::rules::rule_check::check_limits;
use crate::rules::{header_rules, tag_check};
use crate::scan::LocalFile;
use crate::survey::targets::ResolvedTargets;

/// Sets of headers that are kept to be shared; a site has a few by type.
const SHARED: usize = 64;

/// The objects that are wanted, and what is known of each.
pub(crate) struct WantedSite<'a> {
    job: &'a Job,
    source: &'a SiteSource,
    rules: ServingRules<'a>,
    /// What is no file: redirects, or objects known by their versions. Sorted by key; a file of the same key gives way.
    extras: Cow<'a, [WantedObject]>,
    /// Rules that were of use to `extras`.
    matched: MatchedRules,
    /// What the site asks for and nobody serves.
    pub unserved: Vec<String>,
    /// What else people should know.
    pub warnings: Vec<String>,
    /// Sets of headers that many objects have.
    shared: RefCell<Vec<(HeaderFingerprint, Arc<Headers>)>>,
}

impl<'a> WantedSite<'a> {
    pub(crate) fn new(job: &'a Job, source: &'a SiteSource, targets: &ResolvedTargets) -> Self {
        let mut wants = Self {
            job,
            source,
            rules: ServingRules::new(job, source.files(), source.root(), targets),
            extras: Cow::Borrowed(&[]),
            matched: MatchedRules::default(),
            unserved: Vec::new(),
            warnings: Vec::new(),
            shared: RefCell::default(),
        };
        match source {
            SiteSource::Build(_) => {
                wants.redirect(targets);
                let has = |key: &str| wants.extra(key).is_some() || source.file(key).is_some();
                let missing = root_page::warning(job, source.files(), targets, has);
                wants.warnings.extend(missing);
            }
            SiteSource::Past(past) => wants.extras = Cow::Borrowed(&past.wants),
        }
        if job.settings.tags && !wants.rules.tagged {
            wants.warnings.push(no_tags(targets));
        }
        wants
    }

    /// Adds the redirects that are objects.
    fn redirect(&mut self, targets: &ResolvedTargets) {
        let (job, source) = (self.job, self.source);
        let is_file = |key: &str| source.file(key).is_some();
        let folder = redirects::website_folder(job, targets);
        let mut outcome = redirects::objects(&job.redirects, targets, folder, is_file);
        let asked: Vec<_> = job.redirects.iter().map(|it| &it.redirect).collect();
        let unanswered = redirects::unanswered(&asked, targets, job.function.is_some());
        outcome.warnings.extend(unanswered);
        let own = outcome.objects.iter().map(|(key, _)| key.as_str());
        let own: HashSet<&str> = own.collect();
        let mut stripped = redirects::of_stripped_names(source.files(), job, targets);
        stripped.retain(|(key, _)| !own.contains(key.as_str()) && !is_file(key));
        outcome.objects.extend(stripped);
        outcome.objects.sort();
        let mut extras = Vec::new();
        for (key, to) in outcome.objects {
            extras.push(self.redirect_object(Key::new(key), to));
        }
        self.extras = Cow::Owned(extras);
        let mut unserved = job.unserved.clone();
        unserved
            .redirects
            .extend(redirects::without_function(&job.redirects, targets));
        self.unserved = unserved::warnings(
            &unserved,
            |header| targets.unsent(header),
            |redirect| unserved::is_answered_by_errors(redirect, targets),
        );
        self.unserved.extend(targets.unserved.iter().cloned());
        self.unserved.extend(outcome.warnings);
    }

    fn redirect_object(&mut self, key: Key, to: String) -> WantedObject {
        let served = self.rules.of_redirect(&key, &mut self.matched);
        let (mut headers, tags) = self.rules.with_tags(&key, served);
        headers.redirect = Some(to);
        WantedObject {
            size: 0,
            md5: Md5(Hasher::digest(b"").into()),
            parts: None,
            fingerprint: headers.fingerprint(),
            headers: Arc::new(headers),
            stage: self.rules.redirect_stage(&key),
            fingerprinted: false,
            asset: false,
            tags,
            version: None,
            key,
        }
    }

    /// Returns the keys of all that is wanted, in no order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        let files = self.source.files().iter().map(|file| &file.key);
        files.chain(self.extras.iter().map(|want| &want.key))
    }

    /// Returns all that is wanted, sorted by key. `matched` gathers which rules are of use.
    pub(crate) fn all<'b>(
        &'b self,
        matched: &'b mut MatchedRules,
    ) -> impl Iterator<Item = WantedObject> + 'b {
        matched.merge(&self.matched);
        let mut files = self.source.files().iter().peekable();
        let mut extras = self.extras.iter().peekable();
        std::iter::from_fn(move || {
            let extra =
                extras.next_if(|extra| files.peek().is_none_or(|file| extra.key <= file.key));
            let Some(want) = extra else {
                return files.next().map(|file| self.want(file, matched));
            };
            files.next_if(|file| want.key == file.key);
            Some(want.clone())
        })
    }

    fn want(&self, file: &LocalFile, matched: &mut MatchedRules) -> WantedObject {
        let served = self.rules.of_file(file, matched);
        let stage = self.rules.stage(&file.key, &served);
        let fingerprinted = served.fingerprinted;
        let asset = self.rules.is_asset(&file.key, &served);
        let (headers, tags) = self.rules.with_tags(&file.key, served);
        let (fingerprint, headers) = self.share(encoded(headers, file));
        WantedObject {
            key: file.key.clone(),
            size: file.size,
            md5: file.md5,
            parts: file.parts.as_deref().cloned(),
            fingerprint,
            stage,
            fingerprinted,
            asset,
            tags,
            headers,
            version: None,
        }
    }

    /// Returns one copy of the headers for all objects that have them.
    fn share(&self, headers: Headers) -> (HeaderFingerprint, Arc<Headers>) {
        let mut shared = self.shared.borrow_mut();
        if let Some(same) = shared.iter().find(|(_, kept)| **kept == headers) {
            return same.clone();
        }
        let new = (headers.fingerprint(), Arc::new(headers));
        // No two objects have the same tags.
        if shared.len() < SHARED && !self.rules.tagged {
            shared.push(new.clone());
        }
        new
    }

    /// Returns what is no file, by its key.
    fn extra(&self, key: &str) -> Option<&WantedObject> {
        let extras = &self.extras;
        let position = extras.binary_search_by(|want| want.key.as_str().cmp(key));
        extras.get(position.ok()?)
    }

    /// Returns the file that a key is to hold.
    pub(crate) fn file(&self, key: &str) -> Option<&'a LocalFile> {
        match self.extra(key) {
            Some(_) => None,
            None => self.source.file(key),
        }
    }

    /// Returns the ETag that an upload will get, unless the bucket's encryption makes another of it.
    pub(crate) fn expected(&self, key: &str) -> Option<ETag> {
        let file = self.file(key)?;
        let parts = file.parts.as_deref().cloned();
        Some(parts.unwrap_or(ETag::Md5(file.md5)))
    }

    /// Fails where `strict` is set and nobody serves all that the site asks for.
    ///
    /// # Errors
    /// `Exit::Usage`, naming the lines.
    pub(crate) fn check_served(&self) -> Result<(), Error> {
        if self.job.settings.strict {
            return unserved::refuse(&self.unserved);
        }
        Ok(())
    }

    /// Returns what a key is served with; its name tells where it is no file's.
    pub(crate) fn served(&self, key: &Key, matched: &mut MatchedRules) -> RuledHeaders<'_> {
        match self.file(key.as_str()) {
            Some(file) => self.rules.of_file(file, matched),
            None => self.rules.of_name(key, matched),
        }
    }

    /// Returns why a script or style sheet whose name ends like a hash does not count as fingerprinted.
    pub(crate) fn doubt(&self, key: &Key) -> Option<String> {
        let doubt = self.rules.doubt(key)?;
        let by_name = |told: &HeaderExplanation| {
            let is_default = matches!(told.source, header_rules::HeaderSource::Default(_));
            told.header == "fingerprinted" && is_default
        };
        self.explanations(key).iter().any(by_name).then_some(doubt)
    }

    /// Returns whether pages that are still open may ask for a key that has left the build.
    pub(crate) fn is_asset(&self, key: &Key) -> bool {
        let served = self.served(key, &mut MatchedRules::default());
        self.rules.is_asset(key, &served)
    }

    /// Returns the headers that a key is wanted with.
    pub(crate) fn headers(&self, key: &Key) -> Headers {
        if let Some(want) = self.extra(key.as_str()) {
            return (*want.headers).clone();
        }
        let served = self.served(key, &mut MatchedRules::default());
        let (headers, _) = self.rules.with_tags(key, served);
        match self.file(key.as_str()) {
            Some(file) => encoded(headers, file),
            None => headers,
        }
    }

    /// Checks that what several rules give together, cache tags among it, is within S3's limits and CloudFront's, as each
    /// alone is.
    ///
    /// # Errors
    /// `Exit::Usage`, naming the last rule that adds to what is too much.
    pub(crate) fn check_limits(&self) -> Result<(), Error> {
        let rules = &self.job.rules;
        let tagged = self.rules.tagged && rules.set_metadata();
        if !tagged && !rules.may_exceed_limits() {
            return Ok(());
        }
        for want in self.all(&mut MatchedRules::default()) {
            let (field, problem) =
                match (check_limits(&want.headers), tag_check::check(&want.headers)) {
                    (Err((field, problem)), _) => (field, problem.to_string()),
                    (_, Err(problem)) if tagged => ("metadata", problem.to_string()),
                    _ => continue,
                };
            let explained = self.explanations(&want.key).into_iter();
            let adding = explained.filter(|explanation| explanation.header.starts_with(field));
            let indexes = adding.filter_map(|explanation| match explanation.source {
                header_rules::HeaderSource::Rule(index) => Some(index),
                header_rules::HeaderSource::Default(_) => None,
            });
            let last = indexes
                .max()
                .map(|index| self.job.rule_places[index].clone());
            // Defaults alone are within the limits.
            let place = last.unwrap_or_else(|| "the defaults".to_owned());
            return Err(Error::usage(format!(
                "{place}: {field}: with the rules before it, for {}: {problem}",
                want.key
            )));
        }
        Ok(())
    }

    /// Returns where each header of a key comes from; none for what is not wanted.
    fn explanations(&self, key: &Key) -> Vec<HeaderExplanation> {
        match (self.extra(key.as_str()), self.file(key.as_str())) {
            (Some(_), _) => self.rules.explain_redirect(key),
            (None, Some(file)) => self.rules.explain_file(file),
            (None, None) => Vec::new(),
        }
    }

    /// Returns which rule or default set what the key is served with, a line each; none for what is not wanted.
    pub(crate) fn explain(&self, key: &Key) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(want) = self.extra(key.as_str())
            && let Some(to) = &want.headers.redirect
        {
            lines.push(format!("redirect: {to}"));
        }
        let explained = self.explanations(key);
        let tagged = self.rules.tagged && !explained.is_empty();
        for explanation in explained {
            let by = match explanation.source {
                header_rules::HeaderSource::Default(name) => format!("default: {name}"),
                header_rules::HeaderSource::Rule(index) => self.job.rule_places[index].clone(),
            };
            let value = explanation.value.as_deref().unwrap_or("not set");
            let spared = explanation.spared.map(|index| {
                let rule = self.job.rule_places[index].clone();
                format!("; {rule} does not name this error document")
            });
            let spared = spared.unwrap_or_default();
            lines.push(format!("{}: {value}  ({by}{spared})", explanation.header));
        }
        if tagged {
            let value = self.headers(key).metadata.remove(tags::METADATA);
            let value = value.unwrap_or_default();
            lines.push(format!("cache tags: {value}  (tags = true)"));
        }
        lines
    }
}

/// Says why objects get no cache tags, though they are wanted.
fn no_tags(targets: &ResolvedTargets) -> String {
    let mut headers = targets.found.iter().filter_map(|target| {
        let header = target.readable()?.cache_tag_header.as_ref()?;
        Some((target.id(), header))
    });
    let why = match headers.next() {
        Some((id, header)) => format!("{id} reads cache tags from the header {header}"),
        None => "no distribution that is purged is known to read cache tags".to_owned(),
    };
    format!(
        "`tags = true` has no effect: {why}; set CacheTagConfig's HeaderName of the distribution to {}",
        tags::HEADER
    )
}

/// Returns the headers with the encoding that a file is stored in.
fn encoded(mut headers: Headers, file: &LocalFile) -> Headers {
    if let Some(encoding) = file.made.as_ref().and_then(|made| made.encoding) {
        headers.content_encoding = Some(encoding.name().to_owned());
    }
    headers
}
