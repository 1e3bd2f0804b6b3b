//! What the function of a site is to do: by the settings, the redirects, the build and the distributions. Pure.

use std::collections::HashSet;

use super::targets::ResolvedTargets;
use crate::edge::{Behavior, IndexLookup, path};
use crate::job::request::Job;
use crate::plan::StoreChange;
use crate::rules::edge_function::{EdgeFunction, FunctionError, FunctionHeader, PathRewrite};
use crate::rules::redirect::{Redirect, decoded};
use crate::scan::LocalFile;

/// The document that stands for a folder.
const INDEX: &str = "index.html";

/// What decides about a function: the site, and the distributions that it is for.
#[derive(Clone)]
pub(super) struct FunctionWish<'a> {
    pub(super) job: &'a Job,
    pub(super) files: &'a [LocalFile],
    pub(super) ids: Vec<String>,
}

impl FunctionWish<'_> {
    /// Returns what the function is to do.
    pub(super) fn function(&self, targets: &ResolvedTargets) -> EdgeFunction {
        let job = self.job;
        let mut headers: Vec<FunctionHeader> = Vec::new();
        for id in &self.ids {
            let added = targets.added_headers(id).into_iter();
            let added: Vec<_> = added.filter(|header| !headers.contains(header)).collect();
            headers.extend(added);
        }
        headers.extend(unindexed(job));
        let redirects = self.answered();
        let own = if redirects.iter().any(Redirect::spares_pages) {
            self.own_pages(targets)
        } else {
            Vec::new()
        };
        EdgeFunction {
            site: job.site_name(),
            password: job.password.clone(),
            redirects,
            stored: false,
            own,
            canonical_host: job.canonical_host.clone(),
            rewrite: self.rewrite(targets),
            headers,
        }
    }

    /// Returns how paths become keys: what has no extension by itself is no folder.
    fn rewrite(&self, targets: &ResolvedTargets) -> PathRewrite {
        let (index, endings) = (self.job.settings.index, &self.job.strip_extension);
        let kept = match endings.is_empty() {
            true => self.paths_of(targets, is_bare),
            false => kept(self.job, targets),
        };
        rewrite(index, endings, kept)
    }

    /// Returns how many redirects it answers.
    pub(super) fn redirects(&self) -> usize {
        self.answered().len()
    }

    /// Tells whether there is anything to do: folders alone are no reason to begin, and one not to end.
    pub(super) fn needs(&self, wanted: &EdgeFunction) -> bool {
        let folders = EdgeFunction {
            rewrite: PathRewrite {
                endings: Vec::new(),
                kept: Vec::new(),
                ..wanted.rewrite.clone()
            },
            site: wanted.site.clone(),
            ..EdgeFunction::default()
        };
        let ends = |file: &LocalFile| file.key.as_str().ends_with(&format!("/{INDEX}"));
        let asked = EdgeFunction {
            own: Vec::new(),
            rewrite: PathRewrite {
                kept: Vec::new(),
                ..wanted.rewrite.clone()
            },
            ..wanted.clone()
        };
        asked != folders || wanted.rewrite.index.is_some() && self.files.iter().any(ends)
    }

    /// Returns the redirects that it answers, in their order, the rewrite of a single-page app at the end.
    fn answered(&self) -> Vec<Redirect> {
        let placed = self
            .job
            .redirects
            .iter()
            .map(|placed| placed.redirect.clone());
        let mut all: Vec<Redirect> = placed
            .filter(|redirect| !self.is_hidden(redirect))
            .collect();
        let app = Redirect {
            status: 200,
            ..Redirect::new("/*", format!("/{INDEX}"))
        };
        if self.job.settings.spa
            && !all
                .iter()
                .any(|redirect| redirect.from == app.from && !redirect.has_conditions())
        {
            all.push(app);
        }
        for redirect in &mut all {
            // Where there is no file, none has to be spared.
            redirect.force |= redirect.spares_pages() && !self.has_files(redirect);
            redirect.force &= redirect.status == 200 && !redirect.is_exact();
        }
        all
    }

    /// Tells whether a file of the build goes before the page that would be shown in its place.
    fn is_hidden(&self, redirect: &Redirect) -> bool {
        let path = decoded(redirect.path());
        let is_file = |file: &LocalFile| file.key.as_str() == path.trim_start_matches('/');
        redirect.status == 200
            && redirect.is_exact()
            && !redirect.force
            && self.files.iter().any(is_file)
    }

    fn has_files(&self, redirect: &Redirect) -> bool {
        let prefix = redirect.literal_prefix();
        let prefix = prefix.trim_start_matches('/');
        self.files
            .iter()
            .any(|file| file.key.as_str().starts_with(prefix))
    }

    /// Returns the paths without a dot at which pages answer, decoded and without a last slash: of folders with an index document, and
    /// of names without an extension.
    fn own_pages(&self, targets: &ResolvedTargets) -> Vec<String> {
        let page = |path: String| {
            let folder = path
                .strip_suffix(INDEX)
                .and_then(|path| path.strip_suffix('/'));
            let page = folder.map_or_else(|| path.clone(), str::to_owned);
            decoded(&page)
        };
        let is_page = |key: &str| key.ends_with(&format!("/{INDEX}")) || is_bare(key);
        self.paths_of(targets, is_page)
            .into_iter()
            .map(page)
            .collect()
    }

    /// Returns the request paths of the keys that fit, sorted.
    fn paths_of(&self, targets: &ResolvedTargets, fits: impl Fn(&str) -> bool) -> Vec<String> {
        let ours = targets
            .found
            .iter()
            .filter(|target| self.ids.iter().any(|id| id == target.id()));
        let sites: Vec<_> = ours.filter_map(|target| target.site(self.job)).collect();
        let keys = self
            .files
            .iter()
            .map(|file| file.key.as_str())
            .filter(|key| fits(key));
        let mut paths: Vec<String> = keys
            .flat_map(|key| sites.iter().filter_map(move |site| site.own_path(key)))
            .collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// Returns what keeps a site with a password out of search engines.
pub(super) fn unindexed(job: &Job) -> Option<FunctionHeader> {
    job.password.as_ref().map(|_| FunctionHeader {
        pattern: "^".to_owned(),
        name: "x-robots-tag".to_owned(),
        value: "noindex".to_owned(),
    })
}

/// Tells whether a key's name has no extension.
fn is_bare(key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or_default();
    !name.is_empty() && !name.contains('.')
}

/// Returns what the function is to do besides redirects. `kept` are request paths that keep their endings.
pub(crate) fn rewrite(index: IndexLookup, endings: &[String], kept: Vec<String>) -> PathRewrite {
    let folders = index != IndexLookup::None;
    PathRewrite {
        index: folders.then(|| INDEX.to_owned()),
        // Where keys lost their endings, a name without a dot is a page.
        bare_folders: folders && endings.is_empty(),
        kept: if folders || !endings.is_empty() {
            kept
        } else {
            Vec::new()
        },
        endings: endings.to_vec(),
    }
}

/// Tells whether a website endpoint does by its objects all that the function would.
pub(super) fn is_for_objects(wanted: &EdgeFunction) -> bool {
    let EdgeFunction {
        password,
        canonical_host,
        headers,
        redirects,
        ..
    } = wanted;
    let mut redirects = redirects.iter();
    password.is_none()
        && canonical_host.is_none()
        && headers.is_empty()
        && redirects.all(|redirect| redirect.status != 200 && !redirect.has_conditions())
}

/// Writes the code; redirects for which there is no room in it go to the key value store.
pub(super) fn code(wanted: &mut EdgeFunction) -> Result<String, FunctionError> {
    let code = wanted.code();
    let may_store = wanted.redirects.iter().any(Redirect::is_plain);
    match code {
        Err(FunctionError::TooLarge { .. }) if may_store => {
            wanted.stored = true;
            wanted.code()
        }
        code => code,
    }
}

/// Returns the paths of redirects that a store gets or loses.
pub(super) fn store_paths(store: &StoreChange, behavior: &Behavior) -> Vec<String> {
    let gone = store.deletes.iter().chain(&store.puts);
    let redirects = gone.map(|(from, value)| {
        let words: Vec<&str> = value.split(' ').collect();
        let status = words.first().and_then(|word| word.parse().ok());
        Redirect {
            status: status.unwrap_or(301),
            ..Redirect::new(from.as_str(), "/")
        }
    });
    owed_paths(&redirects.collect::<Vec<_>>(), &[], behavior)
}

/// Returns the request paths of what keeps its ending: the root document and error pages.
fn kept(job: &Job, targets: &ResolvedTargets) -> Vec<String> {
    let mut kept = Vec::new();
    for site in targets.found.iter().filter_map(|target| target.site(job)) {
        let mut keys = site.error_page_keys();
        keys.extend(job.error_documents.iter().cloned());
        keys.extend(site.distribution.default_root_object.clone());
        keys.retain(|key| job.strip_extension.iter().any(|end| key.ends_with(end)));
        kept.extend(keys.iter().flat_map(|key| site.own_path(key)));
    }
    kept.sort();
    kept.dedup();
    kept
}

/// Returns the paths and patterns of redirects that are in one list alone, or lead elsewhere in the other. Edges ask the
/// function each time, so that this is for copies from before that nobody vouches for.
pub(super) fn owed_paths(
    before: &[Redirect],
    after: &[Redirect],
    behavior: &Behavior,
) -> Vec<String> {
    let (known, wanted): (HashSet<_>, HashSet<_>) =
        (before.iter().collect(), after.iter().collect());
    // What is shown under other URLs is kept under its own.
    let is_owed = |redirect: &&Redirect| redirect.status != 200;
    let gone = before
        .iter()
        .filter(|redirect| !wanted.contains(redirect))
        .filter(is_owed);
    let new = after
        .iter()
        .filter(|redirect| !known.contains(redirect))
        .filter(is_owed);
    let mut owed = Vec::new();
    for redirect in gone.chain(new) {
        let mut path = String::new();
        path::encode(&redirect.literal_prefix(), &mut path);
        if !redirect.is_exact() {
            owed.push(format!("{path}*"));
            // "/docs/*" is for "/docs" too.
            path.truncate(path.trim_end_matches('/').len());
        }
        if path.is_empty() {
            continue;
        }
        if behavior.keys_on_query() {
            owed.push(format!("{path}?*"));
        }
        owed.push(path);
    }
    owed.sort();
    owed.dedup();
    owed
}
