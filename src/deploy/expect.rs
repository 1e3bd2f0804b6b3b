//! Which request paths a site answers at, and with what: what `verify` asks for.

use std::collections::{BTreeMap, HashSet};

use super::job::Job;
use super::survey;
use super::targets::{Found, Targets};
use crate::domain::function;
use crate::domain::manifest::Manifest;
use crate::domain::{ETag, Key};
use crate::edge::expect::Expected;
use crate::edge::{Behavior, Distribution, Kind, Origin, Site, request_paths};
use crate::plan::Want;

/// One request path of one distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// As a viewer asks for it, encoded.
    pub path: String,
    pub key: Key,
    pub expected: Expected,
}

/// What is to be asked of a distribution.
#[derive(Debug)]
pub struct Questions {
    /// Its id; none where there is no distribution.
    pub target: Option<String>,
    pub domain: Option<String>,
    /// Sorted by path.
    pub all: Vec<Question>,
    /// A function rewrites URLs in a way that nothing tells: the keys' own paths alone are asked for.
    pub blind: bool,
}

/// All questions about these objects, by distribution. `gone` were removed. Where no distribution is known, the site is taken
/// to be served by a plain one.
pub fn questions(
    job: &Job,
    targets: &Targets,
    manifest: &Manifest,
    wants: &[Want],
    gone: &[Key],
) -> Vec<Questions> {
    let of = |found: Option<&Found>, site: &Site| Questions {
        target: found.map(|found| found.id().to_owned()),
        domain: found.and_then(Found::domain).map(str::to_owned),
        all: of_site(job, site, manifest, wants, gone),
        blind: site.has_unknown_rewrite(),
    };
    if targets.found.is_empty() {
        let plain = plain();
        let mut site = Site::new(&plain, vec![ORIGIN.to_owned()]);
        site.prefix.clone_from(&job.prefix);
        site.index = job.index;
        return vec![of(None, &site)];
    }
    let sites = targets.found.iter();
    sites
        .filter_map(|found| Some(of(Some(found), &survey::site(job, found)?)))
        .collect()
}

const ORIGIN: &str = "bucket";

fn plain() -> Distribution {
    Distribution {
        default_root_object: Some("index.html".to_owned()),
        origins: vec![Origin {
            id: ORIGIN.to_owned(),
            ..Origin::default()
        }],
        behaviors: vec![Behavior {
            origins: vec![ORIGIN.to_owned()],
            ..Behavior::default()
        }],
        ..Distribution::default()
    }
}

fn of_site(
    job: &Job,
    site: &Site,
    manifest: &Manifest,
    wants: &[Want],
    gone: &[Key],
) -> Vec<Question> {
    let mut asked: BTreeMap<String, (Kind, Question)> = BTreeMap::new();
    let mut ask = |key: &Key, expected: &dyn Fn(Kind) -> Expected| {
        for path in request_paths(site, key.as_str()) {
            if path.is_query() {
                continue;
            }
            let expected = match answered_by_function(job, site, path.behavior, &path.text) {
                Some(to) => Expected::Redirect(to),
                None => expected(path.kind),
            };
            let question = Question {
                path: path.text.clone(),
                key: key.clone(),
                expected,
            };
            // An object's own path is its own, whatever else would answer there.
            let known = asked.get(&path.text).map(|(kind, _)| *kind);
            if known.is_none_or(|known| path.kind < known) {
                asked.insert(path.text, (path.kind, question));
            }
        }
    };
    for want in wants {
        ask(&want.key, &|kind| wanted(want, kind, site, manifest));
    }
    let wanted: HashSet<&Key> = wants.iter().map(|want| &want.key).collect();
    // A page shown for errors with a status of 200 hides what is gone.
    let hidden = (site.distribution.error_responses.iter())
        .any(|response| response.response_code == Some(200));
    for key in gone {
        if !hidden && !wanted.contains(key) {
            ask(key, &|_| Expected::Gone);
        }
    }
    asked.into_values().map(|(_, question)| question).collect()
}

fn wanted(want: &Want, kind: Kind, site: &Site, manifest: &Manifest) -> Expected {
    let website = site.origins().any(|origin| origin.website);
    if let Some(to) = want.headers.redirect.as_ref().filter(|_| website) {
        return Expected::Redirect(to.clone());
    }
    if kind == Kind::FolderRedirect {
        let folder = want.key.as_str().rsplit_once('/');
        let folder = request_paths(site, want.key.as_str())
            .into_iter()
            .find(|path| path.kind == Kind::Folder)
            .map_or_else(
                || format!("/{}/", folder.map_or("", |(folder, _)| folder)),
                |path| path.text,
            );
        return Expected::Redirect(folder);
    }
    let entry = manifest.entries.get(&want.key);
    let etag = entry
        .filter(|entry| entry.content() == Some(want.md5))
        .map(|entry| entry.etag.clone());
    Expected::Object {
        size: want.size,
        md5: Some(want.md5),
        headers: Box::new((*want.headers).clone()),
        etag: etag.filter(|etag| !matches!(etag, ETag::Other(_))),
    }
}

/// Where a function that `redirects --function` wrote sends this path.
fn answered_by_function(job: &Job, site: &Site, behavior: usize, path: &str) -> Option<String> {
    let code = site.behavior(behavior)?.function.as_ref()?;
    let redirects = job.redirects.iter().map(|placed| &placed.redirect);
    redirects
        .filter(|one| function::missing(code, [*one]).is_none())
        .find_map(|one| one.location(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_distribution_the_root_and_each_key_answer() {
        let plain = plain();
        let site = Site::new(&plain, vec![ORIGIN.to_owned()]);
        let paths = |key| -> Vec<String> {
            let all = request_paths(&site, key).into_iter();
            all.map(|path| path.text).collect()
        };
        assert_eq!(paths("index.html"), ["/index.html", "/"]);
        assert_eq!(paths("a b/index.html"), ["/a%20b/index.html"]);
    }
}
