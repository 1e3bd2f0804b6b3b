//! Finds the request paths that a site answers at, and what is to be seen there by a distribution's configuration: `verify` asks for
//! them.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::targets::{ResolvedDistribution, ResolvedTargets};
use super::wished_headers::WishedHeaders;
use crate::edge::added_headers::{AddedHeaders, HeaderValues};
use crate::edge::answers::{ConfiguredAnswers, PathAnswer, asked_path};
use crate::edge::expect::{ExpectedAnswer, ExpectedObject};
use crate::edge::{Behavior, Distribution, Origin, PathKind, ShownSite, request_paths};
use crate::job::request::Job;
use crate::object::manifest::Manifest;
use crate::object::{ETag, Key};
use crate::plan::WantedObject;
use crate::rules::edge_function::{EdgeFunction, LEFT_ALONE};
use crate::rules::redirect::{Redirect, normal_path};

/// One request path of one distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathQuestion {
    /// As a viewer asks for it, encoded.
    pub path: String,
    /// None for a redirect of a function.
    pub key: Option<Key>,
    /// It is the key's own path, not another that leads there.
    pub own: bool,
    /// All that may be answered there, the likeliest first.
    pub expected: Vec<ExpectedAnswer>,
    /// The headers that are to be seen besides the object's own.
    pub added: HeaderValues,
    /// Those that the function adds to what is no error.
    pub added_by_function: HeaderValues,
}

/// A distribution as it is asked.
pub(crate) struct AskedSite<'a> {
    /// Its id; none where there is no distribution.
    pub target: Option<&'a str>,
    pub domain: Option<&'a str>,
    /// A function rewrites URLs in a way that nothing tells: the keys' own paths alone are asked for.
    pub blind: bool,
    site: ShownSite<'a>,
    added: AddedHeaders,
    job: &'a Job,
}

/// The objects that are asked for.
#[derive(Clone, Copy)]
pub(crate) struct ExpectedObjects<'a> {
    pub manifest: &'a Manifest,
    /// All of the site.
    pub wants: &'a [WantedObject],
    /// The keys that are asked for, removed ones too; `None`: all of the site.
    pub only: Option<&'a HashSet<Key>>,
}

/// Returns the distributions that can be asked: of one whose configuration could not be read nobody knows what it answers. Where
/// none is known, the site is taken to be served by `plain`.
pub(crate) fn asked_sites<'a>(
    job: &'a Job,
    targets: &'a ResolvedTargets,
    plain: &'a Distribution,
) -> Vec<AskedSite<'a>> {
    let asked = |target: Option<&'a ResolvedDistribution>, site: ShownSite<'a>| AskedSite {
        target: target.map(ResolvedDistribution::id),
        // Other hosts lead to this one.
        domain: (job.canonical_host.as_deref())
            .or_else(|| target.and_then(ResolvedDistribution::domain)),
        blind: site.has_unknown_rewrite(),
        added: target
            .map(|target| WishedHeaders::added(job, target))
            .unwrap_or_default(),
        site,
        job,
    };
    if targets.found.is_empty() {
        let mut site = ShownSite::new(plain, vec![ORIGIN.to_owned()]);
        site.prefix.clone_from(&job.settings.prefix.0);
        site.index = job.settings.index;
        return vec![asked(None, site)];
    }
    let readable = targets.found.iter();
    let readable = readable.filter_map(|target| Some((target, target.site(job)?)));
    readable
        .map(|(target, site)| asked(Some(target), site))
        .collect()
}

const ORIGIN: &str = "bucket";

/// Returns a distribution that shows each key at its own path, and a root document.
pub(crate) fn plain() -> Distribution {
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

impl AskedSite<'_> {
    /// Returns the host that its function sends viewers of this one to.
    pub(crate) fn leads_to(&self, host: &str) -> Option<String> {
        let answers = ConfiguredAnswers::new(&self.site, host, &|_| false);
        let mut functions = answers.functions();
        let canonical = functions.find_map(|function| function.canonical_host.clone());
        canonical.filter(|canonical| !canonical.eq_ignore_ascii_case(host))
    }

    /// Returns all questions about these objects, sorted by path, for viewers who ask this host.
    pub(crate) fn questions(&self, host: &str, objects: ExpectedObjects) -> Vec<PathQuestion> {
        let wants: HashMap<&str, &WantedObject> = (objects.wants.iter())
            .map(|want| (want.key.as_str(), want))
            .collect();
        let has = |key: &str| wants.contains_key(key);
        let answers = ConfiguredAnswers::new(&self.site, host, &has);
        let mut questions = Vec::new();
        if self.target.is_some() && self.job.password.is_some() {
            questions.push(self.password_question());
        }
        for (path, asked) in self.paths(&answers, objects) {
            if answers
                .functions()
                .any(|function| self.is_stored(function, &path))
            {
                continue;
            }
            if let Some((behavior, possible)) = answers.at(&path) {
                let is_default = behavior.pattern == "*";
                let touched = self.is_touched(behavior);
                let object = |key: &str| {
                    let mut object = expected_object(wants.get(key)?, objects.manifest);
                    object.headers.take_if(|_| touched);
                    Some(Box::new(object))
                };
                let expectation = |answer| expectation(answer, &wants, object);
                questions.push(PathQuestion {
                    key: asked.map(|(_, key)| key.clone()),
                    own: asked.is_some_and(|(kind, _)| kind == PathKind::Own),
                    expected: possible.into_iter().filter_map(expectation).collect(),
                    added: self.added.by_policy(&behavior.pattern),
                    added_by_function: if is_default {
                        self.added.by_function(&path)
                    } else {
                        HeaderValues::new()
                    },
                    path,
                });
            }
        }
        questions
    }

    /// Returns the paths to ask for: those that lead to an object, with the one that comes first, and those of redirects.
    fn paths<'k>(
        &self,
        answers: &ConfiguredAnswers,
        objects: ExpectedObjects<'k>,
    ) -> BTreeMap<String, Option<(PathKind, &'k Key)>> {
        let mut asked: BTreeMap<String, Option<(PathKind, &Key)>> = BTreeMap::new();
        if objects.only.is_none() {
            let functions = answers.functions();
            let redirects = functions.flat_map(|function| &function.redirects);
            let plain = redirects.filter(|it| it.is_plain() && it.status != LEFT_ALONE);
            asked.extend(plain.map(|redirect| (asked_path(redirect.path()), None)));
        }
        let wanted = objects.wants.iter().map(|want| &want.key);
        let is_asked = |key: &&Key| objects.only.is_none_or(|only| only.contains(*key));
        for key in wanted
            .filter(is_asked)
            .chain(objects.only.into_iter().flatten())
        {
            for path in request_paths(&self.site, key.as_str()) {
                // An object's own path is its own, whatever else would answer there.
                let other = asked.get(&path.text).copied().flatten();
                if !path.is_query() && other.is_none_or(|(kind, _)| path.kind < kind) {
                    asked.insert(path.text, Some((path.kind, key)));
                }
            }
        }
        asked
    }

    /// Tells whether a redirect for the path may lie in the function's store, of which its code does not tell.
    fn is_stored(&self, function: &EdgeFunction, path: &str) -> bool {
        let redirects = self.job.redirects.iter().map(|placed| &placed.redirect);
        let mut plain = redirects.filter(|redirect| function.stored && redirect.is_plain());
        plain.any(|redirect: &Redirect| normal_path(redirect.path()) == normal_path(path))
    }

    /// Returns what is asked by whoever does not know the password.
    fn password_question(&self) -> PathQuestion {
        PathQuestion {
            path: "/".to_owned(),
            key: None,
            own: false,
            expected: vec![ExpectedAnswer::AskPassword],
            added: HeaderValues::new(),
            added_by_function: HeaderValues::new(),
        }
    }

    /// Tells whether a policy or a function that no setting asks for may change the headers of a behavior's answers.
    fn is_touched(&self, behavior: &Behavior) -> bool {
        behavior.origin_response.is_some()
            || behavior.headers_policy.is_some() && self.job.headers_policy.is_none()
            || behavior.answered_by.is_some() && self.job.function.is_none()
    }
}

/// Returns what a viewer is to see of an answer; `object` says how an object is to be seen.
fn expectation(
    answer: PathAnswer,
    wants: &HashMap<&str, &WantedObject>,
    object: impl Fn(&str) -> Option<Box<ExpectedObject>>,
) -> Option<ExpectedAnswer> {
    Some(match answer {
        PathAnswer::Object { key, website } => {
            let redirect = wants.get(key.as_str())?.headers.redirect.clone();
            match redirect.filter(|_| website) {
                Some(to) => ExpectedAnswer::Redirect { status: 301, to },
                None => ExpectedAnswer::Object(object(&key)?),
            }
        }
        PathAnswer::Redirect { status, to } => ExpectedAnswer::Redirect { status, to },
        PathAnswer::Error { status, page } => ExpectedAnswer::Error {
            status,
            page: page.and_then(|key| object(&key)),
        },
        PathAnswer::ForeignRedirect => ExpectedAnswer::ForeignRedirect,
    })
}

fn expected_object(want: &WantedObject, manifest: &Manifest) -> ExpectedObject {
    let entry = manifest.entries.get(&want.key);
    let etag = entry
        .filter(|entry| entry.content() == Some(want.md5))
        .map(|entry| entry.etag.clone());
    ExpectedObject {
        size: want.size,
        md5: want.md5,
        headers: Some((*want.headers).clone()),
        etag: etag.filter(|etag| !matches!(etag, ETag::Other(_))),
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
