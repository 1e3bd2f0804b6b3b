//! Finds the request paths that a site answers at, and what it answers there: `verify` asks for them.

use std::collections::{BTreeMap, HashSet};

use super::targets::{ResolvedDistribution, ResolvedTargets};
use crate::edge::expect::ExpectedAnswer;
use crate::edge::{
    Behavior, Distribution, Origin, PathKind, RequestPath, ShownSite, request_paths,
};
use crate::job::request::Job;
use crate::object::manifest::Manifest;
use crate::object::{ETag, Key};
use crate::plan::WantedObject;
use crate::rules::edge_function::{EdgeFunction, FunctionAnswer, ViewerRequest};

/// One request path of one distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathQuestion {
    /// As a viewer asks for it, encoded.
    pub path: String,
    pub key: Key,
    pub expected: ExpectedAnswer,
}

/// What is to be asked of a distribution.
#[derive(Debug)]
pub(crate) struct DistributionQuestions {
    /// Its id; none where there is no distribution.
    pub target: Option<String>,
    pub domain: Option<String>,
    /// Sorted by path.
    pub all: Vec<PathQuestion>,
    /// A function rewrites URLs in a way that nothing tells: the keys' own paths alone are asked for.
    pub blind: bool,
}

/// The objects that are asked for.
#[derive(Clone, Copy)]
pub(crate) struct ExpectedObjects<'a> {
    pub manifest: &'a Manifest,
    pub wants: &'a [WantedObject],
    /// Keys that were removed.
    pub gone: &'a [Key],
}

/// Returns all questions about these objects, by distribution. Where no distribution is known, the site is taken to be served
/// by a plain one.
pub(crate) fn questions(
    job: &Job,
    targets: &ResolvedTargets,
    objects: ExpectedObjects,
) -> Vec<DistributionQuestions> {
    let asked = |target: Option<&ResolvedDistribution>, site: &ShownSite| DistributionQuestions {
        target: target.map(|target| target.id().to_owned()),
        domain: target
            .and_then(ResolvedDistribution::domain)
            .map(str::to_owned),
        all: of_site(site, objects),
        blind: site.has_unknown_rewrite(),
    };
    if targets.found.is_empty() {
        let plain = plain();
        let mut site = ShownSite::new(&plain, vec![ORIGIN.to_owned()]);
        site.prefix.clone_from(&job.settings.prefix.0);
        site.index = job.settings.index;
        return vec![asked(None, &site)];
    }
    // Of a distribution whose configuration could not be read nobody knows what it answers.
    let readable = targets.found.iter();
    let readable = readable.filter_map(|target| Some((target, target.site(job)?)));
    readable
        .map(|(target, site)| asked(Some(target), &site))
        .collect()
}

const ORIGIN: &str = "bucket";

/// Returns a distribution that shows each key at its own path, and a root document.
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

/// Returns all questions about these objects at one distribution.
fn of_site(site: &ShownSite, objects: ExpectedObjects) -> Vec<PathQuestion> {
    let wanted: HashSet<&Key> = objects.wants.iter().map(|want| &want.key).collect();
    // A page shown for errors with a status of 200 hides what is gone.
    let mut responses = site.distribution.error_responses.iter();
    let hidden = responses.any(|response| response.response_code == Some(200));
    let gone = objects.gone.iter();
    let gone = gone.filter(|key| !hidden && !wanted.contains(key));
    let wants = objects.wants.iter().map(|want| (&want.key, Some(want)));
    let mut asked: BTreeMap<String, (PathKind, PathQuestion)> = BTreeMap::new();
    for (key, want) in wants.chain(gone.map(|key| (key, None))) {
        let paths = request_paths(site, key.as_str()).into_iter();
        // What a function may rewrite, it may leave alone as well.
        let is_certain = |path: &RequestPath| !path.is_query() && path.kind != PathKind::Rewritten;
        for path in paths.filter(is_certain) {
            let redirect = answered_by_function(path.behavior, &path.text);
            let expected = match (redirect, want) {
                (Some(to), _) => ExpectedAnswer::Redirect(to),
                (None, Some(want)) => expected(want, path.kind, site, objects.manifest),
                (None, None) => ExpectedAnswer::Gone,
            };
            // An object's own path is its own, whatever else would answer there.
            let other = asked.get(&path.text).map(|(kind, _)| *kind);
            if other.is_none_or(|kind| path.kind < kind) {
                let question = PathQuestion {
                    path: path.text.clone(),
                    key: key.clone(),
                    expected,
                };
                asked.insert(path.text, (path.kind, question));
            }
        }
    }
    asked.into_values().map(|(_, question)| question).collect()
}

/// Returns what a viewer is to see of an object at a path of this kind.
fn expected(
    want: &WantedObject,
    kind: PathKind,
    site: &ShownSite,
    manifest: &Manifest,
) -> ExpectedAnswer {
    let website = site.origins().any(|origin| origin.website);
    if let Some(to) = want.headers.redirect.as_ref().filter(|_| website) {
        return ExpectedAnswer::Redirect(to.clone());
    }
    if kind == PathKind::FolderRedirect {
        let mut paths = request_paths(site, want.key.as_str()).into_iter();
        let folder = paths.find(|path| path.kind == PathKind::Folder);
        let folder = folder.map_or_else(|| format!("/{}/", folder_of(&want.key)), |path| path.text);
        return ExpectedAnswer::Redirect(folder);
    }
    let entry = manifest.entries.get(&want.key);
    let etag = entry
        .filter(|entry| entry.content() == Some(want.md5))
        .map(|entry| entry.etag.clone());
    ExpectedAnswer::Object {
        size: want.size,
        md5: Some(want.md5),
        headers: Box::new((*want.headers).clone()),
        etag: etag.filter(|etag| !matches!(etag, ETag::Other(_))),
    }
}

fn folder_of(key: &Key) -> &str {
    let folder = key.as_str().rsplit_once('/');
    folder.map_or("", |(folder, _)| folder)
}

/// Returns where a function that this tool wrote sends this path, whatever host is asked.
fn answered_by_function(behavior: &Behavior, path: &str) -> Option<String> {
    let function = EdgeFunction {
        password: None,
        canonical_host: None,
        ..EdgeFunction::read(behavior.function.as_ref()?)?
    };
    let request = ViewerRequest {
        uri: path.to_owned(),
        ..ViewerRequest::default()
    };
    match function.answer(&request) {
        FunctionAnswer::Redirect { location, .. } => Some(location),
        FunctionAnswer::Pass(_) | FunctionAnswer::AskPassword => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_distribution_the_root_and_each_key_answer() {
        let plain = plain();
        let site = ShownSite::new(&plain, vec![ORIGIN.to_owned()]);
        let paths = |key| -> Vec<String> {
            let paths = request_paths(&site, key).into_iter();
            paths.map(|path| path.text).collect()
        };
        assert_eq!(paths("index.html"), ["/index.html", "/"]);
        assert_eq!(
            paths("a b/index.html"),
            ["/a%20b/index.html", "/a+b/index.html"]
        );
    }
}
