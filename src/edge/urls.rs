//! From a key to the request paths that it answers at, by the distribution's own configuration.

use std::collections::BTreeSet;
use std::iter;

use serde::Deserialize;

use super::distribution::{Behavior, Distribution, Origin, UriRewrite};
use super::form::{UriForm, index_forms};
use super::path::{self, PathDialect};

/// How index documents below the root are found, which no API tells for certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IndexLookup {
    /// As website endpoints and the functions' code tell.
    #[default]
    Auto,
    /// A function rewrites `/dir/` and `/dir` to `/dir/index.html`, whatever can be read of it.
    Directory,
    /// Nothing does, whatever functions there are.
    None,
}

/// The site as one distribution shows it.
#[derive(Clone, Debug)]
pub struct ShownSite<'a> {
    pub distribution: &'a Distribution,
    /// The ids of the origins that are the site's bucket.
    pub ours: Vec<String>,
    /// Where the site's keys begin in the bucket; slashes at its ends do not matter.
    pub prefix: String,
    pub index: IndexLookup,
    /// The website's index document, such as `index.html`.
    pub index_document: String,
    /// The own path of the default root object.
    pub root: Option<String>,
    pub dialect: PathDialect,
    /// Whatever the distribution holds carries the cache tags that its object had.
    pub tagged: bool,
}

/// Why an object answers at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathKind {
    /// It is the object's own.
    Own,
    /// `/` for the default root object, `/dir/` for an index document, or what a function may rewrite to the object's own path; or that,
    /// for viewers who asked for such a path.
    Other,
    /// `/dir` at a website endpoint: a redirect to `/dir/` as long as the index document is there.
    FolderRedirect,
}

/// A path as a viewer asks for it, encoded. One that ends in `?` stands for all query strings behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPath<'a> {
    pub text: String,
    pub kind: PathKind,
    /// The behavior that it falls to.
    pub behavior: &'a Behavior,
}

impl RequestPath<'_> {
    /// Returns whether it stands for all query strings of a path, which a wildcard alone can purge.
    pub fn is_query(&self) -> bool {
        self.text.ends_with('?')
    }

    /// Returns the path as it is owed and shown: with a `*` where it stands for query strings.
    pub(super) fn owed(&self) -> String {
        let star = if self.is_query() { "*" } else { "" };
        format!("{}{star}", self.text)
    }
}

impl<'a> ShownSite<'a> {
    /// Returns the path that names a key.
    pub fn own_path(&self, key: &str) -> Option<String> {
        let paths = request_paths(self, key).into_iter();
        let mut paths = paths.map(|path| path.text);
        paths.find(|path| !path.ends_with(['/', '?']))
    }

    /// Makes a site at the root of its bucket, with what CloudFront and S3 take for granted.
    pub fn new(distribution: &'a Distribution, ours: Vec<String>) -> Self {
        let root = distribution.default_root_object.as_deref();
        let root = root.filter(|root| !root.is_empty());
        Self {
            root: root.map(|root| format!("/{}", path::encode(root.trim_start_matches('/')))),
            distribution,
            ours,
            prefix: String::new(),
            index: IndexLookup::Auto,
            index_document: "index.html".to_owned(),
            dialect: PathDialect::default(),
            tagged: false,
        }
    }

    /// Returns the origins that are ours.
    pub fn origins(&self) -> impl Iterator<Item = &'a Origin> {
        let origins = self.distribution.origins.iter();
        origins.filter(|origin| self.ours.contains(&origin.id))
    }

    /// Returns whether a behavior leads to one of our origins.
    pub fn is_ours(&self, behavior: &Behavior) -> bool {
        self.ours.iter().any(|id| behavior.leads_to(id))
    }

    /// Returns whether a function that nobody could read stands before our objects, and no setting speaks for it: then nothing
    /// tells at which paths an object answers.
    pub fn has_unknown_rewrite(&self) -> bool {
        let is_unknown = |behavior: &Behavior| behavior.rewrite == UriRewrite::Unknown;
        let mut behaviors = self.distribution.behaviors.iter();
        self.index == IndexLookup::Auto
            && behaviors.any(|behavior| is_unknown(behavior) && self.is_ours(behavior))
    }

    /// Returns whether nobody knows what a website endpoint of ours answers for folders and errors.
    pub fn has_unknown_website(&self) -> bool {
        self.distribution.website.is_none() && self.origins().any(|origin| origin.website)
    }

    /// Returns the website endpoint's error document: a key of the bucket.
    pub(super) fn error_document(&self) -> Option<&'a str> {
        let website = self.distribution.website.as_ref()?;
        website.error.as_deref()
    }

    fn rewrites(&self, behavior: &Behavior) -> bool {
        match self.index {
            IndexLookup::Auto => behavior.rewrite == UriRewrite::IndexDirectory,
            IndexLookup::Directory => true,
            IndexLookup::None => false,
        }
    }

    /// Returns the key's path at an origin, not encoded, with its leading slash; none where it lies outside of OriginPath.
    fn path_at(&self, origin: &Origin, key: &str) -> Option<String> {
        let prefix = self.prefix.trim_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        let full = format!("{prefix}{slash}{key}");
        let root = origin.path.trim_matches('/');
        if root.is_empty() {
            return Some(format!("/{full}"));
        }
        let rest = full.strip_prefix(root)?;
        rest.starts_with('/').then(|| rest.to_owned())
    }

    /// Returns the ways in which a behavior's function may rewrite paths.
    fn forms(&self, behavior: &'a Behavior) -> &'a [UriForm] {
        match &behavior.rewrite {
            _ if self.rewrites(behavior) => index_forms(),
            UriRewrite::Forms(forms) if self.index == IndexLookup::Auto => forms,
            _ => &[],
        }
    }

    /// Adds the paths at which the object whose own path is `own` answers by way of one origin.
    fn add_at(&self, origin: &Origin, own: &str, paths: &mut Vec<RequestPath<'a>>) {
        self.add_kept(origin, own, PathKind::Own, paths);
        if self.root.as_deref() == Some(own) {
            self.add_kept(origin, "/", PathKind::Other, paths);
        }
        let folder = own.strip_suffix(self.index_document.as_str());
        let Some(folder) = folder.filter(|folder| origin.website && folder.ends_with('/')) else {
            return;
        };
        self.add_kept(origin, folder, PathKind::Other, paths);
        let bare = folder.trim_end_matches('/');
        if !bare.is_empty() {
            self.add_kept(origin, bare, PathKind::FolderRedirect, paths);
        }
    }

    /// Adds a path that the origin answers with an object, and what functions may rewrite to it. The behavior is chosen by what the
    /// viewer asked for, before the function runs: such a behavior keeps the path too.
    fn add_kept(
        &self,
        origin: &Origin,
        kept: &str,
        kind: PathKind,
        paths: &mut Vec<RequestPath<'a>>,
    ) {
        let mut add = |path: &str, kind: PathKind, behavior: &'a Behavior| {
            let query = behavior.keys_on_query().then(|| format!("{path}?"));
            for text in iter::once(path.to_owned()).chain(query) {
                let path = RequestPath {
                    text,
                    kind,
                    behavior,
                };
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        };
        let is_redirect = kind == PathKind::FolderRedirect;
        let rewritten = if is_redirect { kind } else { PathKind::Other };
        let chosen = self.distribution.behavior_of(kept);
        if let Some(behavior) = chosen.filter(|behavior| behavior.leads_to(&origin.id))
            && !(is_redirect && self.rewrites(behavior))
        {
            add(kept, kind, behavior);
        }
        for behavior in &self.distribution.behaviors {
            if !behavior.leads_to(&origin.id) {
                continue;
            }
            let falls_here = |path: &str| {
                let chosen = self.distribution.behavior_of(path);
                chosen.is_some_and(|chosen| std::ptr::eq(chosen, behavior))
            };
            let forms = self.forms(behavior);
            let viewers = forms.iter().filter_map(|form| form.viewer(kept));
            let viewers: Vec<String> = viewers.filter(|path| falls_here(path)).collect();
            for viewer in &viewers {
                add(viewer, rewritten, behavior);
            }
            let is_open = !viewers.is_empty() || forms.iter().any(|form| form.is_open(kept));
            if is_open && !falls_here(kept) {
                add(kept, rewritten, behavior);
            }
        }
    }

    /// Returns the keys of the site that stand behind error pages: custom error responses' and the website's error document.
    pub fn error_page_keys(&self) -> BTreeSet<String> {
        let pages = self.distribution.error_responses.iter();
        let pages = pages.filter_map(|response| response.page.as_deref());
        let from_pages = pages.flat_map(|page| self.origins().filter_map(|o| self.key_at(o, page)));
        let document = self.error_document().into_iter();
        let documents = document.flat_map(|document| self.key_of(document));
        from_pages.chain(documents).collect()
    }

    /// Returns the key of ours that a path names at an origin: [`path_at`](Self::path_at) backwards.
    pub(super) fn key_at(&self, origin: &Origin, page: &str) -> Option<String> {
        self.key_of(&full_key(origin, page))
    }

    /// Returns the site's key of a key of the bucket.
    pub(super) fn key_of(&self, full: &str) -> Option<String> {
        let full = full.trim_start_matches('/');
        let prefix = self.prefix.trim_matches('/');
        if prefix.is_empty() {
            return Some(full.to_owned());
        }
        let rest = full.strip_prefix(prefix)?.strip_prefix('/')?;
        Some(rest.to_owned())
    }

    /// Returns whether an error page, if there is one, is an object of the site.
    pub(super) fn shows_page(&self, page: &str) -> bool {
        let mut origins = self.origins_of_page(page);
        origins.any(|origin| self.key_at(origin, page).is_some())
    }

    /// Returns the bucket's keys that an error page is read from: one for each origin of ours that its path leads to.
    pub fn keys_of_page(&self, page: &str) -> impl Iterator<Item = String> {
        self.origins_of_page(page)
            .map(|origin| full_key(origin, page))
    }

    fn origins_of_page(&self, page: &str) -> impl Iterator<Item = &'a Origin> {
        let behavior = self.distribution.behavior_of(page);
        let leads = move |origin: &&Origin| behavior.is_some_and(|it| it.leads_to(&origin.id));
        self.origins().filter(leads)
    }

    /// Returns whether the key is the page of that error response.
    pub(super) fn is_error_page(&self, key: &str, page: &str) -> bool {
        self.origins()
            .any(|origin| self.key_at(origin, page).as_deref() == Some(key))
    }
}

/// Returns the request paths at which a key answers, each once for every behavior that keeps it, and for a redirect by itself.
pub fn request_paths<'a>(site: &ShownSite<'a>, key: &str) -> Vec<RequestPath<'a>> {
    let mut paths = Vec::new();
    for origin in site.origins() {
        let Some(path) = site.path_at(origin, key) else {
            continue;
        };
        let mut own = path::encode(&path);
        // S3's REST endpoint takes a raw plus for a space, its website endpoint for a plus.
        if path.contains('+') {
            if origin.website {
                site.add_at(origin, &own, &mut paths);
            }
            own = own.replace('+', "%2B");
        }
        site.add_at(origin, &own, &mut paths);
        if path.contains(' ') && !origin.website {
            site.add_at(origin, &own.replace("%20", "+"), &mut paths);
        }
    }
    paths
}

/// Returns the bucket's key that a path is read from at an origin.
fn full_key(origin: &Origin, path: &str) -> String {
    let root = origin.path.trim_matches('/');
    let path = path::decode(path.trim_start_matches('/'));
    let slash = if root.is_empty() { "" } else { "/" };
    format!("{root}{slash}{path}")
}

#[cfg(test)]
mod tests {
    use super::super::distribution::QueryKey;
    use super::*;

    fn origin(id: &str, path: &str, website: bool) -> Origin {
        Origin {
            id: id.to_owned(),
            path: path.to_owned(),
            website,
            ..Origin::default()
        }
    }

    fn behavior(pattern: &str, origin: &str) -> Behavior {
        Behavior {
            pattern: pattern.to_owned(),
            origins: vec![origin.to_owned()],
            ..Behavior::default()
        }
    }

    fn paths(
        distribution: &Distribution,
        edit: impl Fn(&mut ShownSite<'_>),
        key: &str,
    ) -> Vec<String> {
        let mut site = ShownSite::new(distribution, vec!["s3".to_owned(), "web".to_owned()]);
        edit(&mut site);
        let found = request_paths(&site, key);
        found.iter().map(RequestPath::owed).collect()
    }

    fn rest() -> Distribution {
        Distribution {
            default_root_object: Some("index.html".to_owned()),
            origins: vec![origin("s3", "", false), origin("api", "", false)],
            behaviors: vec![behavior("/api/*", "api"), behavior("*", "s3")],
            ..Distribution::default()
        }
    }

    #[test]
    fn a_key_answers_where_the_configuration_says() {
        let plain = |_: &mut ShownSite<'_>| {};
        let all = rest();
        assert_eq!(paths(&all, plain, "index.html"), ["/index.html", "/"]);
        assert_eq!(paths(&all, plain, "a/index.html"), ["/a/index.html"]);
        assert_eq!(paths(&all, plain, "é/~x"), ["/%C3%A9/~x"]);
        assert_eq!(paths(&all, plain, "a b.html"), ["/a%20b.html", "/a+b.html"]);
        assert_eq!(paths(&all, plain, "c++.html"), ["/c%2B%2B.html"]);
        assert!(paths(&all, plain, "api/x").is_empty());
        let directory = |site: &mut ShownSite<'_>| site.index = IndexLookup::Directory;
        assert_eq!(
            paths(&all, directory, "a/index.html"),
            ["/a/index.html", "/a/", "/a"]
        );
        assert_eq!(paths(&all, directory, "index.html"), ["/index.html", "/"]);
        assert_eq!(paths(&all, directory, "xindex.html"), ["/xindex.html"]);
        let none = |site: &mut ShownSite<'_>| site.index = IndexLookup::None;
        let mut rewritten = rest();
        rewritten.behaviors[1].rewrite = UriRewrite::IndexDirectory;
        assert_eq!(
            paths(&rewritten, plain, "a/index.html"),
            ["/a/index.html", "/a/", "/a"]
        );
        assert_eq!(paths(&rewritten, none, "a/index.html"), ["/a/index.html"]);
    }

    #[test]
    fn what_functions_rewrite_is_found_by_the_behavior_of_the_viewers_path() {
        let plain = |_: &mut ShownSite<'_>| {};
        let mut all = rest();
        let html = UriForm::ending("", ".html");
        let app = UriForm::Literal("/api/app.html".to_owned());
        all.behaviors[1].rewrite = UriRewrite::Forms(vec![app, html.clone()]);
        assert_eq!(paths(&all, plain, "é.html"), ["/%C3%A9.html", "/%C3%A9"]);
        assert_eq!(paths(&all, plain, "a.css"), ["/a.css"]);
        // Another origin's behavior takes its own path; what viewers of ours were given is kept under it all the same.
        assert_eq!(paths(&all, plain, "api/app.html"), ["/", "/api/app.html"]);
        assert!(paths(&all, plain, "api/b.html").is_empty());
        all.behaviors[1].query = QueryKey::All;
        assert_eq!(
            paths(&all, plain, "api/app.html"),
            ["/", "/?", "/api/app.html", "/api/app.html?"].map(|path| path.replace('?', "?*"))
        );
        let mut taken = rest();
        let docs = ("/api/docs".to_owned(), String::new());
        let put = (String::new(), String::new());
        taken.behaviors[0].rewrite = UriRewrite::Forms(vec![UriForm::Edit { taken: docs, put }]);
        assert_eq!(paths(&taken, plain, "a"), ["/a"], "another origin's");
        taken.behaviors[0].origins = vec!["s3".to_owned()];
        let found = request_paths(&ShownSite::new(&taken, vec!["s3".to_owned()]), "a");
        let found: Vec<(&str, PathKind, &str)> = found
            .iter()
            .map(|path| {
                (
                    path.text.as_str(),
                    path.kind,
                    path.behavior.pattern.as_str(),
                )
            })
            .collect();
        let docs = taken.behaviors[0].pattern.as_str();
        assert_eq!(
            found,
            [
                ("/a", PathKind::Own, "*"),
                ("/api/docs/a", PathKind::Other, docs),
                ("/a", PathKind::Other, docs),
            ]
        );
        all.behaviors[1].rewrite = UriRewrite::Forms(vec![UriForm::Any]);
        let none = |site: &mut ShownSite<'_>| site.index = IndexLookup::None;
        all.behaviors[1].query = QueryKey::None;
        assert_eq!(paths(&all, plain, "api/b.html"), ["/api/b.html"]);
        assert!(paths(&all, none, "api/b.html").is_empty());
    }

    #[test]
    fn origin_path_and_prefix_are_taken_off() {
        let mut distribution = rest();
        distribution.origins[0].path = "/site/en".to_owned();
        for (prefix, key, found) in [
            ("site/en", "index.html", &["/index.html", "/"][..]),
            ("site", "en/a", &["/a"]),
            ("/site/", "en/a", &["/a"]),
            ("site", "english/a", &[]),
            ("site", "de/a", &[]),
            ("", "site/en/a", &["/a"]),
            ("site/en/blog", "a", &["/blog/a"]),
        ] {
            let edit = |site: &mut ShownSite<'_>| site.prefix = prefix.to_owned();
            assert_eq!(paths(&distribution, edit, key), found, "{prefix} {key}");
        }
    }

    #[test]
    fn query_strings_and_websites() {
        let mut distribution = rest();
        distribution.behaviors[1].query = QueryKey::All;
        let plain = |_: &mut ShownSite<'_>| {};
        assert_eq!(paths(&distribution, plain, "a"), ["/a", "/a?*"]);
        distribution.origins.push(origin("web", "", true));
        distribution.behaviors[1] = behavior("*", "web");
        assert_eq!(
            paths(&distribution, plain, "c++ d"),
            ["/c++%20d", "/c%2B%2B%20d"]
        );
        let site = ShownSite::new(&distribution, vec!["web".to_owned()]);
        let kinds: Vec<(String, PathKind)> = request_paths(&site, "a/index.html")
            .into_iter()
            .map(|path| (path.text, path.kind))
            .collect();
        assert_eq!(
            kinds,
            [
                ("/a/index.html".to_owned(), PathKind::Own),
                ("/a/".to_owned(), PathKind::Other),
                ("/a".to_owned(), PathKind::FolderRedirect)
            ]
        );
    }

    #[test]
    fn error_pages_are_known_by_their_keys() {
        let mut distribution = rest();
        distribution.origins[0].path = "/site".to_owned();
        distribution
            .error_responses
            .push(super::super::ErrorResponse {
                code: 404,
                page: Some("/e/404.html".to_owned()),
                ..super::super::ErrorResponse::default()
            });
        let mut site = ShownSite::new(&distribution, vec!["s3".to_owned()]);
        site.prefix = "site".to_owned();
        assert_eq!(Vec::from_iter(site.error_page_keys()), ["e/404.html"]);
        assert!(site.is_error_page("e/404.html", "/e/404.html"));
        assert!(!site.is_error_page("404.html", "/e/404.html"));
    }
}
