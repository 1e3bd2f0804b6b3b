//! What a viewer is answered at a path, by the distribution's configuration: [`urls`](super::urls) read forward, from the path to the
//! object.

use super::distribution::{Behavior, Distribution, Origin, UriRewrite};
use super::form::{UriForm, index_forms};
use super::path;
use super::rewrite::path_forms;
use super::urls::{IndexLookup, ShownSite};
use crate::object::key::file_name;
use crate::rules::edge_function::{EdgeFunction, FunctionAnswer, ViewerRequest};

/// What is answered at a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathAnswer {
    /// The object under this key of the site, from a website endpoint or not.
    Object { key: String, website: bool },
    /// A redirect by a function of ours, or by a website endpoint from a folder to its slash.
    Redirect { status: u16, to: String },
    /// An error, with the page under this key of the site in its place; `None`: with words that are none of the site's.
    Error { status: u16, page: Option<String> },
    /// Whatever redirect a function of somebody else's makes by itself.
    ForeignRedirect,
}

/// Answers for the paths of a site, by the name of the host that viewers ask.
pub struct ConfiguredAnswers<'a> {
    site: &'a ShownSite<'a>,
    /// Without its port.
    host: &'a str,
    /// Tells whether the site has an object under a key.
    has: &'a dyn Fn(&str) -> bool,
    /// What the function of each behavior does.
    changes: Vec<UriChange>,
}

/// What the function before a behavior does to URIs.
enum UriChange {
    /// It is ours, and all that it does is known. Whoever asks knows its password.
    Written(Box<EdgeFunction>),
    /// One of these, or nothing. Whether is not known: nothing here runs its code.
    Forms(Vec<UriForm>),
    Unknown,
}

impl<'a> ConfiguredAnswers<'a> {
    pub fn new(site: &'a ShownSite<'a>, host: &'a str, has: &'a dyn Fn(&str) -> bool) -> Self {
        let behaviors = site.distribution.behaviors.iter();
        Self {
            changes: behaviors
                .map(|behavior| UriChange::of(behavior, site.index))
                .collect(),
            site,
            host,
            has,
        }
    }

    /// Returns the functions of ours.
    pub fn functions(&self) -> impl Iterator<Item = &EdgeFunction> {
        self.changes.iter().filter_map(|change| match change {
            UriChange::Written(function) => Some(function.as_ref()),
            _ => None,
        })
    }

    /// Returns the behavior that a path falls to and all that may be answered there, the likeliest first; `None` where nobody here
    /// can tell, since another origin answers, or a function that is not understood.
    pub fn at(&self, path: &str) -> Option<(&'a Behavior, Vec<PathAnswer>)> {
        let distribution: &'a Distribution = self.site.distribution;
        let mut behaviors = distribution.behaviors.iter().zip(&self.changes);
        let (behavior, change) = behaviors.find(|(behavior, _)| behavior.matches(path))?;
        let request = ViewerRequest {
            uri: path.to_owned(),
            host: self.host.to_owned(),
            ..ViewerRequest::default()
        };
        let mut answers = match change {
            UriChange::Written(function) => match function.answer(&request) {
                FunctionAnswer::Pass(uri) => self.behind(behavior, &uri)?,
                FunctionAnswer::Redirect { status, location } => vec![PathAnswer::Redirect {
                    status,
                    to: location,
                }],
                FunctionAnswer::AskPassword => return None,
            },
            UriChange::Forms(forms) => self.rewritten(behavior, path, forms)?,
            UriChange::Unknown => {
                let mut answers = self.behind(behavior, path)?;
                answers.retain(|answer| !matches!(answer, PathAnswer::Error { .. }));
                answers
            }
        };
        if answers.is_empty() {
            return None;
        }
        if behavior.associated.is_some() && !matches!(change, UriChange::Written(_)) {
            answers.push(PathAnswer::ForeignRedirect);
        }
        Some((behavior, answers))
    }

    /// Returns what is answered where one of the forms may be applied, objects first.
    fn rewritten(
        &self,
        behavior: &Behavior,
        path: &str,
        forms: &[UriForm],
    ) -> Option<Vec<PathAnswer>> {
        let last = file_name(path);
        let mut answers = Vec::new();
        for form in forms {
            let Some(uri) = form.made(path) else { continue };
            let behind = self.behind(behavior, &uri)?.into_iter();
            // What has an extension is a file: no function is taken to lead away from it to nowhere, unless it is about the ending.
            let may_miss = !last.contains('.') || form.takes_text();
            answers.extend(behind.filter(|it| may_miss || !matches!(it, PathAnswer::Error { .. })));
        }
        answers.extend(self.behind(behavior, path)?);
        answers.sort_by_key(|answer| match answer {
            PathAnswer::Object { .. } => 0,
            PathAnswer::Error { .. } => 2,
            _ => 1,
        });
        answers.dedup();
        Some(answers)
    }

    /// Returns what is answered once the function has made this URI; `None` where another origin may answer.
    fn behind(&self, behavior: &Behavior, uri: &str) -> Option<Vec<PathAnswer>> {
        let root = self.site.root.as_deref();
        let asked = root.filter(|_| uri == "/").unwrap_or(uri);
        let tried = if behavior.fails_over { 2 } else { 1 };
        for id in behavior.origins.iter().take(tried) {
            if let Some(answer) = self.in_bucket(self.origin(id)?, asked) {
                return Some(vec![answer]);
            }
        }
        let first = self.origin(behavior.origins.first()?)?;
        let website = self.site.distribution.website.as_ref();
        if first.website && website.is_none_or(|it| it.redirects_errors || !it.rules.is_empty()) {
            return None;
        }
        let codes: &[u16] = if first.website { &[404] } else { &[403, 404] };
        let errors = codes.iter().map(|code| self.error(*code, first));
        Some(errors.collect())
    }

    /// Returns the origin of this id, if it is the site's bucket.
    fn origin(&self, id: &str) -> Option<&'a Origin> {
        self.site.origins().find(|origin| origin.id == *id)
    }

    /// Returns what the bucket has for a path, if it has anything.
    fn in_bucket(&self, origin: &Origin, asked: &str) -> Option<PathAnswer> {
        // S3's REST endpoint takes a raw plus for a space.
        let spaced = asked.replace('+', " ");
        let written = if origin.website { asked } else { &spaced };
        let mut key = self.site.key_at(origin, written)?;
        let website = origin.website;
        let folder = website && asked.ends_with('/');
        if folder {
            key.push_str(&self.site.index_document);
        }
        if (self.has)(&key) {
            return Some(PathAnswer::Object { key, website });
        }
        let index = format!("{key}/{}", self.site.index_document);
        (website && !folder && (self.has)(&index)).then(|| PathAnswer::Redirect {
            status: 302,
            // The endpoint knows nothing of the folder that CloudFront adds.
            to: format!("{}{asked}/", origin.path),
        })
    }

    /// Returns what viewers see of an error that an origin of ours answers.
    fn error(&self, code: u16, origin: &Origin) -> PathAnswer {
        let distribution = self.site.distribution;
        let mut responses = distribution.error_responses.iter();
        let response = responses.find(|response| response.code == code);
        let page = response.and_then(|response| response.page.as_deref());
        if let Some(page) = page.filter(|page| !page.is_empty()) {
            let status = response.and_then(|response| response.response_code);
            let behavior = distribution.behavior_of(page);
            let origin = behavior.and_then(|behavior| self.origin(behavior.origins.first()?));
            let shown = origin.and_then(|origin| self.in_bucket(origin, page));
            let page = shown.and_then(|answer| match answer {
                PathAnswer::Object { key, .. } => Some(key),
                _ => None,
            });
            // Where the page is missing, viewers see the error itself.
            let is_missing = origin.is_some() && page.is_none();
            return PathAnswer::Error {
                status: status.filter(|_| !is_missing).unwrap_or(code),
                page,
            };
        }
        let document = self.site.error_document().filter(|_| origin.website);
        let document = document.and_then(|document| self.site.key_of(document));
        PathAnswer::Error {
            status: code,
            page: document.filter(|key| (self.has)(key)),
        }
    }
}

impl UriChange {
    fn of(behavior: &Behavior, index: IndexLookup) -> Self {
        let code = behavior.function.as_deref();
        if let Some(function) = code.and_then(EdgeFunction::read) {
            return Self::Written(Box::new(EdgeFunction {
                password: None,
                ..function
            }));
        }
        match (index, &behavior.rewrite) {
            (IndexLookup::None, _) | (IndexLookup::Auto, UriRewrite::None) => {
                Self::Forms(Vec::new())
            }
            (IndexLookup::Directory, _) => Self::Forms(index_forms().to_vec()),
            // The code tells more than what is purged by: which of both it is.
            (_, UriRewrite::IndexDirectory) => {
                let read = code.and_then(|code| path_forms(code).ok());
                Self::Forms(read.unwrap_or_else(|| index_forms().to_vec()))
            }
            (_, UriRewrite::Forms(forms)) if !forms.contains(&UriForm::Any) => {
                Self::Forms(forms.clone())
            }
            _ => Self::Unknown,
        }
    }
}

/// Returns a path as it is asked for, however it is written.
pub fn asked_path(written: &str) -> String {
    path::encode(&path::decode(written))
}

#[cfg(test)]
mod tests {
    use super::super::distribution::{ErrorResponse, WebsiteConfiguration};
    use super::*;
    use crate::rules::edge_function::PathRewrite;
    use crate::rules::redirect::Redirect;

    const KEYS: [&str; 6] = [
        "index.html",
        "about/index.html",
        "a b.css",
        "LICENSE",
        "404.html",
        "api/x",
    ];

    fn distribution() -> Distribution {
        let behavior = |pattern: &str, origin: &str| Behavior {
            pattern: pattern.to_owned(),
            origins: vec![origin.to_owned()],
            ..Behavior::default()
        };
        let origin = |id: &str| Origin {
            id: id.to_owned(),
            ..Origin::default()
        };
        Distribution {
            default_root_object: Some("index.html".to_owned()),
            origins: vec![origin("s3"), origin("api")],
            behaviors: vec![behavior("/api/*", "api"), behavior("*", "s3")],
            ..Distribution::default()
        }
    }

    /// What is answered at each path, in short.
    fn told(distribution: &Distribution, host: &str, paths: &[&str]) -> Vec<String> {
        let site = ShownSite::new(distribution, vec!["s3".to_owned()]);
        let has = |key: &str| KEYS.contains(&key);
        let answers = ConfiguredAnswers::new(&site, host, &has);
        let short = |answer: &PathAnswer| match answer {
            PathAnswer::Object { key, .. } => key.clone(),
            PathAnswer::Redirect { status, to } => format!("{status} {to}"),
            PathAnswer::Error { status, page } => {
                format!("{status} {}", page.as_deref().unwrap_or("-"))
            }
            PathAnswer::ForeignRedirect => "a redirect".to_owned(),
        };
        let at = |path: &&str| match answers.at(path) {
            Some((_, answers)) => answers.iter().map(short).collect::<Vec<_>>().join(", "),
            None => "?".to_owned(),
        };
        paths.iter().map(at).collect()
    }

    #[test]
    fn objects_errors_and_other_origins() {
        let mut distribution = distribution();
        let paths = ["/", "/a+b.css", "/a%20b.css", "/about/", "/api/x"];
        let right = ["index.html", "a b.css", "a b.css", "403 -, 404 -", "?"];
        assert_eq!(told(&distribution, "", &paths), right);
        let page = |page: &str, response_code| ErrorResponse {
            code: 404,
            page: Some(page.to_owned()),
            response_code,
            ..ErrorResponse::default()
        };
        for (response, right) in [
            (page("/404.html", None), "403 -, 404 404.html"),
            (page("/index.html", Some(200)), "403 -, 200 index.html"),
            (page("/none.html", Some(200)), "403 -, 404 -"),
            (page("/api/404.html", Some(410)), "403 -, 410 -"),
        ] {
            distribution.error_responses = vec![response];
            assert_eq!(told(&distribution, "", &["/about/"]), [right]);
        }
    }

    #[test]
    fn a_website_answers_for_folders() {
        let mut distribution = distribution();
        distribution.origins[0].website = true;
        let paths = ["/about", "/about/", "/a+b.css", "/none"];
        assert_eq!(told(&distribution, "", &paths)[3], "?", "nothing was read");
        distribution.website = Some(WebsiteConfiguration {
            error: Some("404.html".to_owned()),
            ..WebsiteConfiguration::default()
        });
        let right = [
            "302 /about/",
            "about/index.html",
            "404 404.html",
            "404 404.html",
        ];
        assert_eq!(told(&distribution, "", &paths), right);
    }

    #[test]
    fn what_a_function_may_do_is_all_that_may_be_seen() {
        let paths = ["/about/", "/about", "/LICENSE", "/index.html"];
        let behind = |code: &str, rewrite: UriRewrite| {
            let mut distribution = distribution();
            let behavior = &mut distribution.behaviors[1];
            behavior.function = Some(code.to_owned());
            behavior.rewrite = rewrite;
            told(&distribution, "", &paths)
        };
        let slash = "function handler(event) { var r = event.request; if (r.uri.endsWith('/')) { r.uri += 'index.html'; } return r; }";
        let right = [
            "about/index.html, 403 -, 404 -",
            "403 -, 404 -",
            "LICENSE",
            "index.html",
        ];
        assert_eq!(behind(slash, UriRewrite::IndexDirectory), right);
        // Whether the code has both ways is not known.
        let right = [
            "about/index.html, 403 -, 404 -",
            "about/index.html, 403 -, 404 -",
            "LICENSE, 403 -, 404 -",
            "index.html",
        ];
        assert_eq!(behind("", UriRewrite::IndexDirectory), right);
        let html = UriRewrite::Forms(vec![UriForm::ending(".html", "")]);
        assert_eq!(behind("", html)[3], "index.html, 403 -, 404 -");
        assert_eq!(behind("", UriRewrite::Unknown)[..2], ["?", "?"]);
    }

    #[test]
    fn what_our_function_does_is_certain() {
        let mut distribution = distribution();
        let function = EdgeFunction {
            site: "s3://b/".to_owned(),
            canonical_host: Some("www.example.com".to_owned()),
            redirects: vec![Redirect::new("/old", "/about/")],
            rewrite: PathRewrite {
                index: Some("index.html".to_owned()),
                bare_folders: true,
                kept: vec!["/LICENSE".to_owned()],
                ..PathRewrite::default()
            },
            ..EdgeFunction::default()
        };
        let behavior = &mut distribution.behaviors[1];
        behavior.function = Some(function.code().unwrap());
        behavior.associated = Some("function/site".to_owned());
        let paths = ["/about", "/LICENSE", "/none", "/old"];
        let right = ["about/index.html", "LICENSE", "403 -, 404 -", "301 /about/"];
        assert_eq!(told(&distribution, "www.example.com", &paths), right);
        let elsewhere = told(&distribution, "d1.cloudfront.net", &paths);
        assert_eq!(elsewhere[0], "301 https://www.example.com/about");
        // Of another's function nobody knows what it redirects.
        distribution.behaviors[1].function = None;
        assert_eq!(
            told(&distribution, "", &["/LICENSE"]),
            ["LICENSE, a redirect"]
        );
    }
}
