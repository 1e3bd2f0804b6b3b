//! Under which keys files are stored: without their extension, and index documents under their folder's key too.

use super::job::Job;
use super::targets::Targets;
use super::wants::Wants;
use crate::domain::Key;
use crate::edge::{Index, Rewrite};
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
         `unstale redirects --function` prints a function that rewrites; `index = \"none\"` says that it is meant so",
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
