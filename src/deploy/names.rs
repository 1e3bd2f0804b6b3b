//! Under which keys files are stored: without their extension, and index documents under their folder's key too.

use std::collections::HashSet;
use std::path::Path;

use tokio::task::spawn_blocking;

use super::function::own_path;
use super::job::Job;
use super::redirects::has_website;
use super::scene::site;
use super::source::Source;
use super::targets::{Found, Targets};
use super::wants::Wants;
use crate::domain::links::html_links;
use crate::domain::{Key, function};
use crate::edge::{Index, Rewrite, path};
use crate::error::Error;
use crate::scan::LocalFile;

/// What a folder shows.
const INDEX: &str = "index.html";

/// Whether any file is stored under another key than its path.
pub fn are_given(job: &Job) -> bool {
    job.directory_objects || !job.strip_extension.is_empty()
}

/// The files under their keys, sorted by them.
///
/// # Errors
/// `Exit::Usage`, naming two files that come to one key.
pub fn named(wants: &Wants, job: &Job) -> Result<Vec<LocalFile>, Error> {
    let mut files = Vec::new();
    for file in wants.files() {
        let stripped = job
            .strip_extension
            .iter()
            .find_map(|end| strip(file.key.as_str(), end))
            .filter(|_| !wants.is_named_elsewhere(file.key.as_str()));
        if job.directory_objects
            && let Some(folder) = folder_of(file.key.as_str())
        {
            files.push(under(file, folder));
        }
        files.push(match stripped {
            Some(key) => under(file, key),
            None => file.clone(),
        });
    }
    files.sort_by(|one, other| one.key.cmp(&other.key));
    match files.windows(2).find(|pair| pair[0].key == pair[1].key) {
        None => Ok(files),
        Some(pair) => Err(Error::usage(format!(
            "{} and {} would both be stored as {}",
            pair[0].name(),
            pair[1].name(),
            pair[0].key
        ))
        .hint("rename one of them, or take its ending out of strip-extension")),
    }
}

fn under(file: &LocalFile, key: &str) -> LocalFile {
    let mut file = file.clone();
    file.made();
    file.key = Key::new(key);
    file
}

/// Objects that lead from the names that files had to the keys that they are stored under, where a website endpoint heeds them.
pub fn redirects(files: &[LocalFile], job: &Job, targets: &Targets) -> Vec<(String, String)> {
    if job.strip_extension.is_empty() || !has_website(targets) {
        return Vec::new();
    }
    let mut sites = targets.found.iter().filter_map(|found| site(job, found));
    let site = sites.find(|site| site.origins().any(|origin| origin.website));
    let leading = |file: &LocalFile| {
        let (name, key) = (file.name().as_str(), file.key.as_str());
        let path = match &site {
            Some(site) => own_path(site, key)?,
            None => format!("/{}", encoded(&format!("{}{key}", job.prefix))),
        };
        is_stripped(file).then(|| (name.to_owned(), path))
    };
    files.iter().filter_map(leading).collect()
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    path::encode(text, &mut encoded);
    encoded
}

/// Whether a file is stored without its ending.
fn is_stripped(file: &LocalFile) -> bool {
    let (name, key) = (file.name().as_str(), file.key.as_str());
    name.len() > key.len() && name.starts_with(key) && !key.ends_with('/')
}

/// What to say where pages link to names that lost their endings, and nobody redirects those.
pub async fn broken_links(source: &Source, job: &Job, targets: &Targets) -> Option<String> {
    if job.strip_extension.is_empty() || has_website(targets) {
        return None;
    }
    let bare = targets
        .found
        .iter()
        .find(|found| !redirects_endings(found, job))?;
    let files = source.files().to_vec();
    let (root, prefix) = (source.root().to_owned(), job.prefix.clone());
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

/// Whether the function before a distribution's default behavior redirects names that lost their endings, or may.
fn redirects_endings(found: &Found, job: &Job) -> bool {
    let Ok(distribution) = &found.distribution else {
        return true;
    };
    let default = distribution.behaviors.last();
    match default.map(|default| (&default.associated, &default.function)) {
        Some((Some(_), Some(code))) => match function::read(code) {
            Some((_, rewrite)) => job
                .strip_extension
                .iter()
                .all(|it| rewrite.endings.contains(it)),
            None => true,
        },
        Some((associated, _)) => associated.is_some(),
        None => true,
    }
}

/// Each page, and each of its links to a file under its full name.
fn links_to_stripped(files: &[LocalFile], root: &Path, prefix: &str) -> Vec<(Key, String)> {
    let stripped = files.iter().filter(|file| is_stripped(file));
    let stripped: HashSet<&str> = stripped.map(|file| file.name().as_str()).collect();
    let mut found = Vec::new();
    for file in files
        .iter()
        .filter(|file| !file.key.as_str().ends_with('/'))
    {
        let name = file.name();
        if !matches!(name.extension(), Some("html" | "htm" | "xhtml")) {
            continue;
        }
        let Ok(html) = std::fs::read(file.path(root)) else {
            continue;
        };
        for link in html_links(name.as_str(), &html) {
            let bare = link.strip_prefix(prefix).unwrap_or(&link);
            if stripped.contains(bare) || stripped.contains(link.as_str()) {
                found.push((name.clone(), link));
            }
        }
    }
    found
}

/// The key without this ending; an index document keeps it, since servers look for it by that name.
fn strip<'a>(key: &'a str, end: &str) -> Option<&'a str> {
    let stem = key.strip_suffix(end)?;
    let name = stem.rsplit('/').next().unwrap_or_default();
    (!name.is_empty() && name != "index").then_some(stem)
}

/// `posts/` of `posts/index.html`.
fn folder_of(key: &str) -> Option<&str> {
    key.strip_suffix(INDEX)
        .filter(|folder| folder.ends_with('/'))
}

/// What to say where folders of the site answer with errors: nothing rewrites their URLs, and S3's REST endpoint looks for
/// no index documents.
pub fn warning(files: &[LocalFile], job: &Job, targets: &Targets) -> Option<String> {
    if job.directory_objects || job.index != Index::Auto {
        return None;
    }
    let index = files
        .iter()
        .find(|file| folder_of(file.key.as_str()).is_some())?;
    let bare = targets.found.iter().find(|found| {
        let Ok(distribution) = &found.distribution else {
            return false;
        };
        let ours = |id: &String| found.ours.contains(id);
        let website = distribution
            .origins
            .iter()
            .any(|origin| ours(&origin.id) && origin.website);
        // A page for errors with another status is an application that routes by itself.
        let routed = distribution.error_responses.iter().any(|response| {
            matches!(response.code, 403 | 404)
                && response.page.is_some()
                && response.response_code == Some(200)
        });
        let rewritten = distribution.behaviors.iter().any(|behavior| {
            found.ours.iter().any(|id| behavior.leads_to(id)) && behavior.rewrite != Rewrite::None
        });
        !website && !routed && !rewritten
    })?;
    let folder = folder_of(index.key.as_str())?;
    Some(format!(
        "{}: nothing shows {} at /{folder}; `directory-objects = true` stores index documents under their folders too, and \
         `unstale redirects --function` prints a function that rewrites (`redirect-function` has deploys write it); `index = \"none\"` says that it is meant so",
        bare.id(),
        index.key
    ))
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
