//! Finds the request paths that a site answers at, and what it answers there: `verify` asks for them.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::targets::{ResolvedDistribution, ResolvedTargets};
use super::wished_headers::WishedHeaders;
use crate::edge::added_headers::{AddedHeaders, HeaderValues};
use crate::edge::expect::ExpectedAnswer;
use crate::edge::{
    Behavior, Distribution, Origin, PathKind, RequestPath, ShownSite, request_paths,
};
use crate::job::request::Job;
use crate::object::manifest::Manifest;
use crate::object::{ETag, Key};
use crate::plan::WantedObject;
use crate::rules::edge_function::{EdgeFunction, FunctionAnswer, ViewerRequest};
use crate::rules::redirect::Redirect;

/// One request path of one distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathQuestion {
    /// As a viewer asks for it, encoded.
    pub path: String,
    pub key: Key,
    pub expected: ExpectedAnswer,
    /// What is to be seen besides the object's own headers.
    pub added: HeaderValues,
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
    let asked = |target: Option<&ResolvedDistribution>, site: &ShownSite| {
        let added = target.map(|target| WishedHeaders::added(job, target));
        let domain = target.and_then(ResolvedDistribution::domain);
        let mut all = of_site(site, objects, &added.unwrap_or_default());
        if target.is_some() && job.password.is_some() {
            all.insert(0, password_question(site));
        }
        DistributionQuestions {
            target: target.map(|target| target.id().to_owned()),
            // Other hosts lead to this one.
            domain: job
                .canonical_host
                .clone()
                .or_else(|| domain.map(str::to_owned)),
            all,
            blind: site.has_unknown_rewrite(),
        }
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

/// Returns what is asked by whoever does not know the password.
fn password_question(site: &ShownSite) -> PathQuestion {
    let root = site.distribution.default_root_object.as_deref();
    PathQuestion {
        path: "/".to_owned(),
        key: Key::new(root.unwrap_or(&site.index_document)),
        expected: ExpectedAnswer::AskPassword,
        added: HeaderValues::new(),
    }
}

/// Returns all questions about these objects at one distribution.
fn of_site(site: &ShownSite, objects: ExpectedObjects, added: &AddedHeaders) -> Vec<PathQuestion> {
    let functions = FunctionsByCode::of(site.distribution);
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
            let generated = functions.answer(path.behavior, &path.text);
            let expected = match (&generated, want) {
                (GeneratedAnswer::Uncertain, _) => continue,
                (GeneratedAnswer::Redirect(to), _) => ExpectedAnswer::Redirect(to.clone()),
                (GeneratedAnswer::None, Some(want)) => {
                    expected(want, path.kind, site, objects.manifest)
                }
                (GeneratedAnswer::None, None) => ExpectedAnswer::Gone,
            };
            let mut added_here = added.by_policy(&path.behavior.pattern);
            let is_seen = generated == GeneratedAnswer::None && expected != ExpectedAnswer::Gone;
            if is_seen && path.behavior.pattern == "*" {
                added_here.extend(added.by_function(&path.text));
            }
            // An object's own path is its own, whatever else would answer there.
            let other = asked.get(&path.text).map(|(kind, _)| *kind);
            if other.is_none_or(|kind| path.kind < kind) {
                let question = PathQuestion {
                    path: path.text.clone(),
                    key: key.clone(),
                    expected,
                    added: added_here,
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

/// What a function that this tool wrote answers by itself to who asks for a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum GeneratedAnswer {
    None,
    Redirect(String),
    /// It goes by the host, or is another object than the path names.
    Uncertain,
}

/// The functions of a distribution that this tool wrote, by their code.
struct FunctionsByCode<'a>(HashMap<&'a str, EdgeFunction>);

impl<'a> FunctionsByCode<'a> {
    fn of(distribution: &'a Distribution) -> Self {
        let codes = distribution.behaviors.iter();
        let codes = codes.filter_map(|behavior| behavior.function.as_deref());
        let read = |code| {
            let function = EdgeFunction {
                password: None,
                canonical_host: None,
                ..EdgeFunction::read(code)?
            };
            Some((code, function))
        };
        Self(codes.filter_map(read).collect())
    }

    fn answer(&self, behavior: &Behavior, path: &str) -> GeneratedAnswer {
        let function = behavior.function.as_deref();
        match function.and_then(|code| self.0.get(code)) {
            Some(function) => generated(function, path),
            None => GeneratedAnswer::None,
        }
    }
}

fn generated(function: &EdgeFunction, path: &str) -> GeneratedAnswer {
    let answer = |host: &str| {
        function.answer(&ViewerRequest {
            uri: path.to_owned(),
            host: host.to_owned(),
            ..ViewerRequest::default()
        })
    };
    let plain = answer("");
    let mut hosts = function.redirects.iter().filter_map(Redirect::host);
    if hosts.any(|host| answer(host) != plain) {
        return GeneratedAnswer::Uncertain;
    }
    match plain {
        FunctionAnswer::Redirect { location, .. } => GeneratedAnswer::Redirect(location),
        FunctionAnswer::Pass(uri) if uri != function.page_path(path) => GeneratedAnswer::Uncertain,
        FunctionAnswer::Pass(_) | FunctionAnswer::AskPassword => GeneratedAnswer::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::edge_function::{PathRewrite, left_alone};

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
    #[test]
    fn what_a_function_answers_is_known_or_not_asked() {
        let redirect = |from: &str, to: &str, status| Redirect {
            status,
            ..Redirect::new(from, to)
        };
        let function = EdgeFunction {
            redirects: vec![
                redirect("/old", "/new", 301),
                redirect("https://a.example/host/*", "/elsewhere", 301),
                Redirect {
                    force: true,
                    ..redirect("/forced/*", "/index.html", 200)
                },
                left_alone("/about"),
                left_alone("/about/"),
                redirect("/*", "/index.html", 200),
            ],
            rewrite: PathRewrite {
                index: Some("index.html".to_owned()),
                bare_folders: true,
                ..PathRewrite::default()
            },
            ..EdgeFunction::default()
        };
        for (path, right) in [
            ("/old", GeneratedAnswer::Redirect("/new".to_owned())),
            ("/host/a.css", GeneratedAnswer::Uncertain),
            ("/forced/a.css", GeneratedAnswer::Uncertain),
            ("/about/", GeneratedAnswer::None),
            ("/about", GeneratedAnswer::None),
            ("/a.css", GeneratedAnswer::None),
        ] {
            assert_eq!(generated(&function, path), right, "{path}");
        }
    }
}
