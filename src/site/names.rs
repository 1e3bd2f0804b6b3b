//! Gives files the keys that they are stored under: without their extension, and index documents under their folder's key too.

use std::collections::HashSet;
use std::path::Path;

use tokio::task::spawn_blocking;

use super::redirects::{has_website, is_stripped};
use super::serving::ServingRules;
use super::source::SiteSource;
use crate::edge::{Behavior, IndexLookup, UriRewrite};
use crate::error::Error;
use crate::job::request::Job;
use crate::object::Key;
use crate::object::key::file_name;
use crate::rules::edge_function::EdgeFunction;
use crate::rules::links::html_links;
use crate::scan::LocalFile;
use crate::survey::targets::{ResolvedDistribution, ResolvedTargets};

/// The document that a folder shows.
const INDEX: &str = "index.html";

/// Returns whether any file is stored under another key than its path.
pub(crate) fn are_given(job: &Job) -> bool {
    job.settings.directory_objects || !job.strip_extension.is_empty()
}

/// Returns the files under their keys, sorted by them.
///
/// # Errors
/// `Exit::Usage`, naming two files that come to one key.
pub(crate) fn named(
    files: &[LocalFile],
    rules: &ServingRules,
    job: &Job,
) -> Result<Vec<LocalFile>, Error> {
    let mut named = Vec::new();
    for file in files {
        let path = file.key.as_str();
        if job.settings.directory_objects
            && let Some(folder) = folder_of(path)
        {
            named.push(under(file, folder));
        }
        let mut stripped = job
            .strip_extension
            .iter()
            .filter_map(|end| strip(path, end));
        named.push(match stripped.next() {
            Some(key) if !rules.is_named_elsewhere(path) => under(file, key),
            _ => file.clone(),
        });
    }
    named.sort_by(|file, other| file.key.cmp(&other.key));
    let twins = named
        .iter()
        .zip(named.iter().skip(1))
        .find(|(file, next)| file.key == next.key);
    if let Some((file, next)) = twins {
        return Err(Error::usage(format!(
            "{} and {} would both be stored as {}",
            file.name(),
            next.name(),
            file.key
        ))
        .hint("rename one of them, or take its ending out of strip-extension"));
    }
    Ok(named)
}

fn under(file: &LocalFile, key: &str) -> LocalFile {
    let mut file = file.clone();
    file.made();
    file.key = Key::new(key);
    file
}

/// Warns where pages link to names that lost their endings, and nobody redirects those.
pub(crate) async fn broken_links(
    source: &SiteSource,
    job: &Job,
    targets: &ResolvedTargets,
) -> Option<String> {
    if job.strip_extension.is_empty() || has_website(targets) {
        return None;
    }
    let mut targets = targets.found.iter();
    let bare = targets.find(|target| !redirects_endings(target, job))?;
    let files = source.files().to_vec();
    let (root, prefix) = (source.root().to_owned(), job.settings.prefix.0.clone());
    let links = spawn_blocking(move || links_to_stripped(&files, &root, &prefix)).await;
    let links = links.ok()?;
    let (page, link) = links.first()?;
    Some(format!(
        "{}: {} links lead to pages under the names that strip-extension takes from them, and nobody redirects those, such as \
         /{link} in {page}: link without the ending, or let `redirect-function` in deploy.toml redirect them",
        bare.id(),
        links.len()
    ))
}

/// Returns whether the function before a distribution's default behavior redirects names that lost their endings, or may.
fn redirects_endings(target: &ResolvedDistribution, job: &Job) -> bool {
    let Some(default) = target.behaviors().last() else {
        return true;
    };
    let Some(code) = default.function.as_deref() else {
        return default.associated.is_some();
    };
    let mut endings = job.strip_extension.iter();
    EdgeFunction::read(code)
        .is_none_or(|function| endings.all(|end| function.rewrite.endings.contains(end)))
}

/// Returns each page with each of its links to a file under its full name. A page that cannot be read will fail when it is
/// uploaded.
fn links_to_stripped(files: &[LocalFile], root: &Path, prefix: &str) -> Vec<(Key, String)> {
    let stripped = files.iter().filter(|file| is_stripped(file));
    let stripped: HashSet<&str> = stripped.map(|file| file.name().as_str()).collect();
    let is_stripped = |link: &str| {
        stripped.contains(link.strip_prefix(prefix).unwrap_or(link)) || stripped.contains(link)
    };
    let is_page = |file: &&LocalFile| {
        let is_html = matches!(file.name().extension(), Some("html" | "htm" | "xhtml"));
        // A folder's key has a file of its own beside it.
        is_html && !file.key.as_str().ends_with('/')
    };
    let mut links = Vec::new();
    for file in files.iter().filter(is_page) {
        let html = std::fs::read(file.path(root)).unwrap_or_default();
        for link in html_links(file.name().as_str(), &html) {
            if is_stripped(&link) {
                links.push((file.name().clone(), link));
            }
        }
    }
    links
}

/// Returns the key without this ending; an index document keeps it, since servers look for it by that name.
fn strip<'a>(key: &'a str, end: &str) -> Option<&'a str> {
    let stem = key.strip_suffix(end)?;
    let name = file_name(stem);
    (!name.is_empty() && name != "index").then_some(stem)
}

/// Returns `posts/` of `posts/index.html`.
fn folder_of(key: &str) -> Option<&str> {
    key.strip_suffix(INDEX)
        .filter(|folder| folder.ends_with('/'))
}

/// Warns where folders of the site answer with errors: nothing rewrites their URLs, and S3's REST endpoint looks for no index
/// documents.
pub(crate) fn warning(files: &[LocalFile], job: &Job, targets: &ResolvedTargets) -> Option<String> {
    if job.settings.directory_objects || job.settings.index != IndexLookup::Auto {
        return None;
    }
    let mut keys = files.iter().map(|file| file.key.as_str());
    let (index, folder) = keys.find_map(|key| Some((key, folder_of(key)?)))?;
    let bare = targets.found.iter().find(|target| fails_folders(target))?;
    Some(format!(
        "{}: nothing shows {index} at /{folder}; `directory-objects = true` stores index documents under their folders too, and \
         `unstale redirects --function` prints a function that rewrites (`redirect-function` has deploys write it); `index = \"none\"` says that it is meant so",
        bare.id()
    ))
}

/// Returns whether nothing shows index documents: no website endpoint, no function, and no application.
fn fails_folders(target: &ResolvedDistribution) -> bool {
    let Some(distribution) = target.readable() else {
        return false;
    };
    // A page for errors with another status is an application that routes by itself.
    let routed = distribution.error_responses.iter().any(|response| {
        matches!(response.code, 403 | 404)
            && response.page.is_some()
            && response.response_code == Some(200)
    });
    let rewritten = |behavior: &Behavior| behavior.rewrite != UriRewrite::None;
    !target.has_website() && !routed && !target.site_behaviors().any(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_go_but_from_index_documents() {
        for (key, end, expected) in [
            ("about.html", ".html", Some("about")),
            ("a/b.html", ".html", Some("a/b")),
            ("index.html", ".html", None),
            ("a/index.html", ".html", None),
            ("a/.html", ".html", None),
            ("a.htm", ".html", None),
        ] {
            assert_eq!(strip(key, end), expected, "{key}");
        }
    }

    #[test]
    fn index_documents_stand_for_their_folders() {
        for (key, expected) in [
            ("posts/index.html", Some("posts/")),
            ("index.html", None),
            ("xindex.html", None),
            ("a/b/index.html", Some("a/b/")),
        ] {
            assert_eq!(folder_of(key), expected, "{key}");
        }
    }
}
