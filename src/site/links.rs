//! What the pages of a build refer to, against what is there once it is deployed.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};

use super::source::SiteSource;
use crate::edge::distribution::is_bucket_domain;
use crate::job::request::Job;
use crate::object::Key;
use crate::object::key::file_name;
use crate::rules::globs::Globs;
use crate::rules::link_check::{CheckedPage, check_links};
use crate::rules::link_report::{LinkPolicy, LinkReport};
use crate::rules::link_site::LinkSite;
use crate::rules::links::decoded_key;
use crate::rules::page_weight::heaviest_page;
use crate::rules::redirect::Redirect;
use crate::scan::{is_page_name, is_read_name};
use crate::settings::DistributionSetting;
use crate::survey::targets::{ResolvedDistribution, ResolvedTargets};

/// What is found in the pages of a site.
#[derive(Debug, Default)]
pub(crate) struct PageFindings {
    pub links: Option<LinkReport>,
    /// The page that comes to the most with what it loads, and its bytes.
    pub heaviest: Option<(Key, u64)>,
}

/// Returns what is wrong with the links of a build, and how large its pages are, each where that is asked for. `others` are keys that
/// are there besides the build's: what lies in the bucket and stays.
pub(crate) fn look<'a>(
    source: &'a SiteSource,
    job: &Job,
    targets: &ResolvedTargets,
    others: impl Iterator<Item = &'a str>,
) -> PageFindings {
    let Some(table) = source.pages() else {
        return PageFindings::default();
    };
    let mut keys: HashSet<&str> = others.collect();
    for file in source.files() {
        keys.extend([file.key.as_str(), file.name().as_str()]);
    }
    let files = source.files().iter();
    // A folder's key has a file of its own beside it, and what is no page may have the content of one.
    let pages = files.filter(|file| !file.key.as_str().ends_with('/') && is_read_name(file.name()));
    let pages: Vec<CheckedPage> = pages
        .map(|file| CheckedPage {
            key: &file.key,
            content: source.content(file),
            page: is_page_name(file.name()),
        })
        .collect();
    let settings = &job.settings;
    // Each was checked when it was read.
    let unjudged = Globs::compile(settings.links_except.0.iter().map(|glob| glob.0.as_str())).ok();
    let routes = routes(job, targets);
    let may_answer = |path: &str| {
        let (mut redirects, mut targets) = (job.redirects.iter(), targets.found.iter());
        unjudged.as_ref().is_some_and(|globs| names(globs, path))
            || redirects.any(|placed| may_redirect(&placed.redirect, path))
            || routes && !file_name(path).contains('.')
            || targets.any(|target| leads_elsewhere(target, path))
    };
    let is_bucket = |host: &str, path: &str| leads_to_bucket(&job.bucket, host, path);
    let site = LinkSite {
        mount: mount(job, targets),
        hosts: hosts(job, targets),
        keys,
        index: targets.index_document(),
        may_answer: &may_answer,
        is_bucket: &is_bucket,
        routes,
        forms: OnceCell::new(),
    };
    let judges = settings.links != LinkPolicy::Off;
    let size = |key: &str| source.file(key).map_or(0, |file| file.size);
    let weigh = || heaviest_page(&pages, table, &site, &size);
    let heaviest = settings.budget.page.and_then(|_| weigh());
    PageFindings {
        links: judges.then(|| check_links(&pages, table, &site)),
        heaviest: heaviest.map(|(key, bytes)| (key.clone(), bytes)),
    }
}

/// Returns whether globs name a request path; a folder by the document that it shows.
fn names(globs: &Globs, path: &str) -> bool {
    let path = decoded_key(path).unwrap_or_default();
    globs.matches(&path) || path.ends_with('/') && globs.matches(&format!("{path}index.html"))
}

/// Returns whether a redirect may answer a path; what else it asks for is not known here.
fn may_redirect(redirect: &Redirect, path: &str) -> bool {
    let last = file_name(path);
    let spares = redirect.spares_pages() && last.contains('.');
    !spares && redirect.values(path).is_some()
}

/// Returns whether unknown paths show an application, which routes by itself.
fn routes(job: &Job, targets: &ResolvedTargets) -> bool {
    let shows = |target: &ResolvedDistribution| {
        target.readable().is_some_and(|distribution| {
            let mut responses = distribution.error_responses.iter();
            responses.any(|response| {
                matches!(response.code, 403 | 404)
                    && response.page.is_some()
                    && response.response_code == Some(200)
            })
        })
    };
    job.settings.spa || targets.found.iter().any(shows)
}

/// Returns whether a distribution asks another origin for a path.
fn leads_elsewhere(target: &ResolvedDistribution, path: &str) -> bool {
    let mut behaviors = target.behaviors().iter();
    let behavior = behaviors.find(|behavior| behavior.matches(path));
    behavior.is_some_and(|behavior| !target.leads_here(behavior))
}

/// Returns the path at which the site's keys begin, where all distributions agree on it.
fn mount(job: &Job, targets: &ResolvedTargets) -> Option<String> {
    let whole = format!("/{}", job.settings.prefix.0);
    let mut mounts = BTreeSet::new();
    for origin in targets.found.iter().flat_map(ResolvedDistribution::origins) {
        let below = whole.strip_prefix(&origin.path);
        mounts.insert(
            below
                .filter(|below| below.starts_with('/'))
                .map(str::to_owned),
        );
    }
    match mounts.len() {
        0 => Some(whole),
        1 => mounts.pop_first().flatten(),
        _ => None,
    }
}

/// Returns the names under which viewers find the site.
fn hosts(job: &Job, targets: &ResolvedTargets) -> BTreeSet<String> {
    let found = targets
        .found
        .iter()
        .filter_map(ResolvedDistribution::readable);
    let named = found.flat_map(|distribution| {
        distribution
            .aliases
            .iter()
            .chain([&distribution.domain_name])
    });
    let settings = &job.settings;
    let canonical = settings.canonical_host.iter().map(|host| &host.0);
    // An id among them is no host's name.
    let meant = settings.distribution.0.iter().filter_map(|one| match one {
        DistributionSetting::Named(name) => Some(name),
        _ => None,
    });
    let names = named.chain(canonical).chain(meant);
    let names = names.filter(|name| !name.is_empty());
    names.map(|name| name.to_ascii_lowercase()).collect()
}

/// Returns whether a URL is one of the bucket's own, by its host or by the path on S3's.
fn leads_to_bucket(bucket: &str, host: &str, path: &str) -> bool {
    if bucket.is_empty() {
        return false;
    }
    let named = path.split('/').nth(1) == Some(bucket);
    is_bucket_domain(host, bucket) || named && is_bucket_domain(&format!("{bucket}.{host}"), bucket)
}
