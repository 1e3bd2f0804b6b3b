//! What the function of a site is to do: by the settings, the redirects, the build and the distributions. Pure.

use std::collections::HashSet;

use super::targets::ResolvedTargets;
use crate::edge::{Behavior, IndexLookup, path};
use crate::job::request::Job;
use crate::object::key::file_name;
use crate::plan::StoreChange;
use crate::rules::edge_function::{
    EdgeFunction, FunctionError, FunctionHeader, LEFT_ALONE, PathRewrite, left_alone,
};
use crate::rules::redirect::{Redirect, normal_path};
use crate::scan::LocalFile;

/// The most names without an extension that the code lists, so that they are not taken for folders.
const MAX_BARE: usize = 100;
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
        EdgeFunction {
            site: job.site_name(),
            password: job.password.clone(),
            redirects: self.answered(targets),
            stored: false,
            canonical_host: job.canonical_host.clone(),
            rewrite: self.rewrite(targets),
            headers,
        }
    }

    /// Returns how paths become keys: what has no extension by itself is no folder.
    fn rewrite(&self, targets: &ResolvedTargets) -> PathRewrite {
        let (index, endings) = (self.job.settings.index, &self.job.strip_extension);
        if !endings.is_empty() {
            return rewrite(index, endings, kept(self.job, targets));
        }
        let kept = self.paths_of(targets, is_bare);
        let bare_folders = kept.len() <= MAX_BARE;
        let rewrite = rewrite(index, endings, if bare_folders { kept } else { Vec::new() });
        PathRewrite {
            bare_folders: rewrite.bare_folders && bare_folders,
            ..rewrite
        }
    }

    /// Tells whether there is anything to do: folders alone are no reason to begin, and one not to end.
    pub(super) fn needs(&self, wanted: &EdgeFunction) -> bool {
        let ends = |file: &LocalFile| file.key.as_str().ends_with(&format!("/{INDEX}"));
        does_more_than_folders(wanted)
            || wanted.rewrite.index.is_some() && self.files.iter().any(ends)
    }

    /// Returns the redirects that it answers, in their order, the rewrite of a single-page app at the end. What shows a page under
    /// many URLs comes after the pages that those have.
    fn answered(&self, targets: &ResolvedTargets) -> Vec<Redirect> {
        let placed = self
            .job
            .redirects
            .iter()
            .map(|placed| placed.redirect.clone());
        let mut all: Vec<Redirect> = placed.collect();
        if self.job.settings.spa {
            let is_said = |app: &Redirect| all.iter().any(|redirect| redirect.from == app.from);
            let app: Vec<Redirect> = self.app(targets).filter(|app| !is_said(app)).collect();
            all.extend(app);
        }
        if !all.iter().any(|redirect| redirect.status == 200) {
            return all;
        }
        let paths = self.paths_of(targets, |_| true);
        all.retain(|redirect| !is_hidden(redirect, &paths));
        for redirect in all.iter_mut().filter(|redirect| redirect.spares_pages()) {
            // Where there is no file, none has to be spared.
            let prefix = path::encode(&redirect.literal_prefix());
            redirect.force = !paths.iter().any(|path| path.starts_with(&prefix));
        }
        if let Some(at) = all.iter().position(Redirect::spares_pages) {
            let after = all.split_off(at);
            let pages = self.paths_of(targets, |key| {
                key.ends_with(&format!("/{INDEX}")) || is_bare(key)
            });
            all.extend(pages.iter().flat_map(|path| own_pages(path)));
            all.extend(after);
        }
        all
    }

    /// Returns what shows a single-page app, where the distributions show its document.
    fn app(&self, targets: &ResolvedTargets) -> impl Iterator<Item = Redirect> {
        let documents = self.paths_of(targets, |key| key == INDEX).into_iter();
        documents.filter_map(|document| {
            let folder = document.strip_suffix(INDEX)?;
            Some(Redirect {
                status: 200,
                ..Redirect::new(format!("{folder}*"), document.as_str())
            })
        })
    }

    /// Returns the key that a file will have: without its ending, where that goes.
    fn key_of<'f>(&self, file: &'f LocalFile) -> &'f str {
        let key = file.key.as_str();
        let stems = self
            .job
            .strip_extension
            .iter()
            .filter_map(|end| key.strip_suffix(end.as_str()));
        let mut stems = stems.filter(|stem| !matches!(file_name(stem), "" | "index"));
        stems.next().unwrap_or(key)
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
            .map(|file| self.key_of(file))
            .filter(|key| fits(key));
        let mut paths: Vec<String> = keys
            .flat_map(|key| sites.iter().filter_map(move |site| site.own_path(key)))
            .collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// Tells whether a function does anything that shows: folders alone are found by others too.
fn does_more_than_folders(wanted: &EdgeFunction) -> bool {
    let EdgeFunction {
        password,
        redirects,
        canonical_host,
        rewrite,
        headers,
        ..
    } = wanted;
    password.is_some()
        || !redirects.is_empty()
        || canonical_host.is_some()
        || !rewrite.endings.is_empty()
        || !headers.is_empty()
}

/// Tells whether a file of the build goes before the page that would be shown in its place.
fn is_hidden(redirect: &Redirect, paths: &[String]) -> bool {
    let shown = redirect.status == 200 && redirect.is_exact() && !redirect.force;
    let own = normal_path(redirect.path());
    shown && paths.iter().any(|path| normal_path(path) == own)
}

/// Returns what leaves a page alone at the paths without a dot at which it answers: of `/d/index.html`, `/d` and `/d/`.
fn own_pages(path: &str) -> Vec<Redirect> {
    match path
        .strip_suffix(INDEX)
        .and_then(|folder| folder.strip_suffix('/'))
    {
        Some("") => Vec::new(),
        Some(folder) => vec![left_alone(folder), left_alone(&format!("{folder}/"))],
        None => vec![left_alone(path)],
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
    let name = file_name(key);
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
    let is_owed = |redirect: &&Redirect| redirect.status != 200 && redirect.status != LEFT_ALONE;
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
        let mut path = path::encode(&redirect.literal_prefix());
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
