//! A site without a page at its root may be another folder than the build.

use std::path::{Path, PathBuf};

use crate::job::request::Job;
use crate::scan::LocalFile;
use crate::settings;
use crate::survey::targets::ResolvedTargets;

const INDEX: &str = "index.html";

/// Says that nothing answers at the site's root, and which folder may be the build instead. `has` tells whether a key is wanted.
pub(super) fn warning(
    job: &Job,
    files: &[LocalFile],
    targets: &ResolvedTargets,
    has: impl Fn(&str) -> bool,
) -> Option<String> {
    let readable = targets.found.iter().filter_map(|target| target.readable());
    let roots = readable.filter_map(|distribution| distribution.default_root_object.as_deref());
    let mut roots = roots.chain([INDEX, targets.index_document()]);
    let mut redirects = job.redirects.iter();
    if roots.any(has) || redirects.any(|placed| matches!(&*placed.redirect.from, "/" | "/*")) {
        return None;
    }
    let dir = job.dir.display();
    let other = sole_page(files)
        .map(|folder| job.dir.join(folder))
        .or_else(|| other_build(job));
    Some(match other {
        Some(other) => format!(
            "{dir} has no {INDEX}: is {} the build instead?",
            other.display()
        ),
        None => format!("{dir} has no {INDEX}: is it the build?"),
    })
}

/// Returns the only folder of those nearest to the root that has a page.
fn sole_page(files: &[LocalFile]) -> Option<&str> {
    let pages = files.iter().filter_map(|file| {
        let folder = file.key.as_str().strip_suffix(INDEX)?;
        folder.strip_suffix('/')
    });
    let mut pages: Vec<&str> = pages.collect();
    let depth = |folder: &&str| folder.matches('/').count();
    pages.sort_by_key(depth);
    match pages.as_slice() {
        [sole] => Some(sole),
        [first, second, ..] if depth(first) < depth(second) => Some(first),
        _ => None,
    }
}

/// Returns another build of the same project.
fn other_build(job: &Job) -> Option<PathBuf> {
    let file = job.settings.file.as_deref();
    let project = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let folders = settings::build_folders(project).into_iter();
    let mut folders = folders.map(|folder| project.join(folder));
    folders.find(|folder| folder.join(INDEX).is_file() && *folder != job.dir)
}
