//! The distributions in front of the bucket, as they were found, and the function that is to run before them.

use std::collections::{BTreeMap, HashSet};

use crate::aws::AwsError;
use crate::aws::cloudfront::PurgeTarget;
use crate::edge::{Behavior, Distribution, Origin, ShownSite, request_paths};
use crate::job::request::Job;
use crate::object::manifest::ToldDistribution;
use crate::object::tags;
use crate::plan::{FunctionChange, HeadersPolicyChange};
use crate::rules::edge_function::{EdgeFunction, FunctionHeader};
use crate::rules::unserved::{UnkeptHeader, UnsentReason};

/// A distribution, or a tenant of one, as it was found.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedDistribution {
    pub target: PurgeTarget,
    /// `Err`: why its configuration could not be read.
    pub distribution: Result<Distribution, String>,
    /// The ids of its origins that are the bucket.
    pub ours: Vec<String>,
    /// Some edges still answer by an earlier configuration.
    pub in_progress: bool,
    /// It is the staging distribution of another one: purged where that is allowed.
    pub staging: bool,
}

impl ResolvedDistribution {
    pub(crate) fn unreadable(target: PurgeTarget, why: String) -> Self {
        Self {
            target,
            distribution: Err(why),
            ours: Vec::new(),
            in_progress: false,
            staging: false,
        }
    }

    pub(crate) fn id(&self) -> &str {
        self.target.id()
    }

    /// Returns the configuration, where it could be read.
    pub(crate) fn readable(&self) -> Option<&Distribution> {
        self.distribution.as_ref().ok()
    }

    /// Returns the site as this distribution shows it; none where its configuration could not be read.
    pub(crate) fn site(&self, job: &Job) -> Option<ShownSite<'_>> {
        let mut site = ShownSite::new(self.readable()?, self.ours.clone());
        site.prefix.clone_from(&job.settings.prefix.0);
        site.index = job.settings.index;
        if let Some(website) = &site.distribution.website {
            site.index_document.clone_from(&website.index);
        }
        Some(site)
    }

    /// Returns the origins that are the bucket.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &Origin> {
        let origins = self
            .readable()
            .into_iter()
            .flat_map(|distribution| &distribution.origins);
        origins.filter(|origin| self.ours.contains(&origin.id))
    }

    /// Returns whether an origin that is the bucket is its website endpoint.
    pub(crate) fn has_website(&self) -> bool {
        self.origins().any(|origin| origin.website)
    }

    /// Returns the behaviors, in the order of precedence, the default last.
    pub(crate) fn behaviors(&self) -> &[Behavior] {
        self.readable()
            .map_or(&[], |distribution| &distribution.behaviors)
    }

    pub(crate) fn default_behavior_mut(&mut self) -> Option<&mut Behavior> {
        self.distribution.as_mut().ok()?.behaviors.last_mut()
    }

    /// Returns whether a behavior leads to the bucket.
    pub(crate) fn leads_here(&self, behavior: &Behavior) -> bool {
        self.ours.iter().any(|id| behavior.leads_to(id))
    }

    /// Returns the behaviors that lead to the bucket, in the order of precedence.
    pub(crate) fn site_behaviors(&self) -> impl Iterator<Item = &Behavior> {
        let behaviors = self.behaviors().iter();
        behaviors.filter(|behavior| self.leads_here(behavior))
    }

    /// Returns the path patterns of the site's behaviors besides the default one, under which no function of ours runs.
    pub(crate) fn other_behaviors(&self) -> impl Iterator<Item = &str> {
        let patterns = self
            .site_behaviors()
            .map(|behavior| behavior.pattern.as_str());
        patterns.filter(|pattern| *pattern != "*")
    }

    /// Returns whether to purge it by cache tags: they are wanted, and it reads them from where an object in S3 has them.
    pub(crate) fn takes_tags(&self, wanted: bool) -> bool {
        let header = self
            .readable()
            .and_then(|distribution| distribution.cache_tag_header.as_deref());
        wanted && header.is_some_and(|header| header.eq_ignore_ascii_case(tags::HEADER))
    }

    /// Returns the host name at which a viewer finds it.
    pub(crate) fn domain(&self) -> Option<&str> {
        let distribution = self.readable()?;
        let mut aliases = distribution.aliases.iter();
        let alias = aliases.find(|alias| !alias.starts_with('*'));
        let name = alias.unwrap_or(&distribution.domain_name);
        Some(name.as_str()).filter(|name| !name.is_empty())
    }
}

/// The distributions that the settings ask for, with what people should be warned of.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResolvedTargets {
    pub found: Vec<ResolvedDistribution>,
    pub warnings: Vec<String>,
    /// Why nobody knows which distribution `auto` means: listing them is denied, and no earlier deploy purged one.
    pub unlisted: Option<AwsError>,
    /// What the settings ask for and nobody serves.
    pub unserved: Vec<String>,
    /// What sends the headers that S3 does not keep; `None`: the settings ask for nobody.
    pub headers: Option<SiteHeaders>,
    /// The functions that are to run before them; `found` is as if that were done.
    pub functions: Vec<SiteFunction>,
}

impl ResolvedTargets {
    /// Returns where viewers find the site's first page, by the first distribution that shows it.
    pub(crate) fn site_url(&self, job: &Job) -> Option<String> {
        let mut found = self.found.iter().filter(|target| !target.staging);
        found.find_map(|target| {
            let host = job.canonical_host.as_deref().or(target.domain())?;
            let site = target.site(job)?;
            let paths = request_paths(&site, &site.index_document).into_iter();
            let shortest = paths.map(|path| path.text).min_by_key(String::len)?;
            Some(format!("https://{host}{shortest}"))
        })
    }

    /// Warns of distributions that were told of every change until now, where others are purged by now. What could not be listed may
    /// be found yet.
    pub(crate) fn warn_of_left(&mut self, told: &BTreeMap<String, ToldDistribution>) {
        let found: HashSet<&str> = self.found.iter().map(ResolvedDistribution::id).collect();
        let left = told.keys().filter(|id| !found.contains(id.as_str()));
        let left: Vec<&str> = left.map(String::as_str).collect();
        if self.unlisted.is_none() && !found.is_empty() && !left.is_empty() {
            self.warnings.push(format!(
                "{}: purged until now, and no more: where it still shows this site its edges keep old pages; `distribution` names it too",
                left.join(", ")
            ));
        }
    }

    /// Returns what a website endpoint answers folders with.
    pub(crate) fn index_document(&self) -> &str {
        let mut websites = self.found.iter();
        let website = websites.find_map(|target| target.readable()?.website.as_ref());
        website.map_or("index.html", |website| &website.index)
    }
}

/// What sends the headers that S3 does not keep.
#[derive(Debug, Clone, Default)]
pub(crate) struct SiteHeaders {
    pub changes: Vec<HeadersPolicyChange>,
    /// What the function before each distribution adds, by the distribution's id.
    pub added: BTreeMap<String, Vec<FunctionHeader>>,
    /// Headers that some distribution does not send.
    pub unsent: Vec<(UnkeptHeader, UnsentReason)>,
}

/// A function of the site, and how to take it back where it cannot be published.
#[derive(Debug, Clone)]
pub(crate) struct SiteFunction {
    pub change: FunctionChange,
    /// What it is to do.
    pub wanted: EdgeFunction,
    /// The site that it is for: `s3://bucket/folder/`.
    pub site: String,
    /// The default behaviors as they are configured now, by distribution.
    pub before: BTreeMap<String, Behavior>,
    /// The paths that changed redirects owe, by distribution.
    pub owed: BTreeMap<String, Vec<String>>,
    /// Not everybody is asked for its password yet, so that it goes before the uploads.
    pub protects: bool,
    /// Viewers meet its new code.
    pub published: bool,
    /// Every distribution runs it.
    pub done: bool,
}

impl SiteFunction {
    /// Returns what a plan shows of it; nothing once it is done.
    pub(crate) fn change(&self) -> Option<FunctionChange> {
        (!self.done).then(|| self.change.clone())
    }

    /// Returns the paths that changed redirects owe to a distribution.
    pub(crate) fn owed(&self, id: &str) -> impl Iterator<Item = &String> {
        self.owed.get(id).into_iter().flatten()
    }

    /// Returns the ids of all distributions that it is for.
    pub(crate) fn all(&self) -> Vec<String> {
        self.before.keys().cloned().collect()
    }

    /// Takes these distributions for what they are without it.
    pub(crate) fn undo(&mut self, ids: &[String], targets: &mut ResolvedTargets) {
        for target in &mut targets.found {
            let id = target.id().to_owned();
            if ids.contains(&id)
                && let Some(before) = self.before.get(&id)
                && let Some(default) = target.default_behavior_mut()
            {
                *default = before.clone();
                self.owed.remove(&id);
            }
        }
    }
}
