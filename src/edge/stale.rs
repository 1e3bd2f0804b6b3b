//! What a deploy makes stale: which request paths an edge may still answer with something else than what is now deployed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::distribution::{Behavior, DEFAULT_ERROR_TTL, ErrorResponse};
use super::ttl::{edge_ttl, stated_ttl};
use super::urls::{Kind, RequestPath, Site, request_paths};
use crate::domain::{HeaderFingerprint, Key, Md5, Sort};

/// Names a body: equal for equal ones, different for different ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Digest(Md5),
    /// Known by another name only.
    Named(Box<str>),
}

/// A Cache-Control for what nobody knows the real one of: edges may keep it for as long as they keep anything.
pub const KEPT_LONGEST: &str = "max-age=31536000000";

/// What an object was, or will be, served as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    pub content: Content,
    pub headers: HeaderFingerprint,
    /// By which edges kept it; of what will be served, neither this nor `redirect` matters.
    pub cache_control: Option<Box<str>>,
    /// `x-amz-website-redirect-location`.
    pub redirect: Option<Box<str>>,
    /// The sort by which it carries its cache tags, where it is certain to.
    pub tags: Option<Sort>,
}

/// One of the answers that an edge may hold for a key, none included, beside what the deploy leaves there. A key has as many of
/// these as there are such answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: Key,
    pub before: Option<Served>,
    pub after: Option<Served>,
    /// Whether its name holds a hash of its content.
    pub fingerprinted: bool,
}

impl Change {
    /// Whether the answer is what the deploy leaves there.
    pub fn is_same(&self) -> bool {
        match (&self.before, &self.after) {
            (None, None) => true,
            (Some(before), Some(after)) => {
                before.content == after.content && before.headers == after.headers
            }
            _ => false,
        }
    }
}

/// Why a request path is owed a purge. Times are seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    Content,
    Headers,
    Removed,
    /// It is new, and errors are kept there for so long.
    ErrorsKept {
        ttl: u64,
    },
    /// It is new, but another object answered there.
    Answered,
    /// The page shown for this error code changed, and copies of it are kept under every failing URL.
    ErrorPage {
        code: u16,
        ttl: u64,
    },
    /// The website's error document changed.
    ErrorDocument {
        ttl: u64,
    },
    /// A function rewrites URLs in a way that nothing tells.
    UnknownRewrite,
    /// An earlier deploy left it, or a redirect that a function answers changed.
    Debt,
}

/// Why a request path of a changed object is not owed a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spared {
    Unchanged,
    /// It is new: nothing but a short-lived error can be kept there.
    New,
    /// No edge answers from its copy without asking.
    NeverKept,
    /// Its name holds its content's hash, so that a copy that is left cannot be wrong.
    Fingerprinted,
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content => out.write_str("its content changed"),
            Self::Headers => out.write_str("its headers changed"),
            Self::Removed => out.write_str("it is removed"),
            Self::ErrorsKept { ttl } => {
                write!(out, "it is new, and errors are kept there for {ttl} s")
            }
            Self::Answered => out.write_str("it is new, and something else answered there"),
            Self::ErrorPage { code, ttl } => {
                write!(
                    out,
                    "the page for error {code} changed, and copies are kept for {ttl} s"
                )
            }
            Self::ErrorDocument { ttl } => {
                write!(
                    out,
                    "the error document changed, and copies are kept for {ttl} s"
                )
            }
            Self::UnknownRewrite => {
                out.write_str("a function rewrites URLs, and nothing tells how")
            }
            Self::Debt => {
                out.write_str("it is owed from before this deploy, or by a redirect that changed")
            }
        }
    }
}

impl fmt::Display for Spared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Unchanged => "nothing changed there",
            Self::New => "it is new, and errors are not kept for long there",
            Self::NeverKept => "no edge answers from its copy without asking the origin",
            Self::Fingerprinted => {
                "its name holds its content's hash: a copy of it cannot be wrong"
            }
        })
    }
}

/// What is owed and what is not, by request path; those that end in `*` stand for all paths that begin so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stale {
    pub owed: BTreeMap<String, Reason>,
    pub spared: BTreeMap<String, Spared>,
}

impl Stale {
    /// Owes `path` for `reason`, unless it is owed already.
    pub fn owe(&mut self, path: String, reason: Reason) {
        self.spared.remove(&path);
        self.owed.entry(path).or_insert(reason);
    }

    fn spare(&mut self, path: String, why: Spared) {
        if !self.owed.contains_key(&path) {
            self.spared.insert(path, why);
        }
    }

    /// Why everything is owed, if it is.
    pub fn whole(&self) -> Option<&Reason> {
        self.owed.get("/*")
    }
}

/// Errors that are kept no longer than this, in seconds, are borne.
pub const BORNE_ERROR_TTL: u64 = DEFAULT_ERROR_TTL;

/// What the changes make stale. `pages` says how the unchanged ones of [`Site::error_page_keys`] are served.
pub fn stale(site: &Site<'_>, changes: &[Change], pages: &[(Key, Served)]) -> Stale {
    let mut found = Stale::default();
    let errors = Errors::new(site, changes, pages);
    let mut rewritten = false;
    for change in changes {
        if change.is_same() {
            continue;
        }
        errors.owe_pages(site, change, &mut found);
        rewritten |= change.before.is_some() && !leaves_for_good(change);
        for path in request_paths(site, change.key.as_str()) {
            let Some(behavior) = site.behavior(path.behavior) else {
                continue;
            };
            match judge(change, &path, behavior, errors.ttl(site, behavior)) {
                Ok(reason) => found.owe(path.owed(), reason),
                Err(why) => found.spare(path.owed(), why),
            }
        }
    }
    if rewritten && site.has_unknown_rewrite() {
        found.owe("/*".to_owned(), Reason::UnknownRewrite);
    }
    found
}

fn leaves_for_good(change: &Change) -> bool {
    // Of what nobody here served the name promises nothing.
    let unknown = |before: &Served| before.cache_control.as_deref() == Some(KEPT_LONGEST);
    change.fingerprinted && change.after.is_none() && !change.before.as_ref().is_some_and(unknown)
}

/// The verdict on one path of a changed object.
fn judge(
    change: &Change,
    path: &RequestPath,
    behavior: &Behavior,
    error_ttl: u64,
) -> Result<Reason, Spared> {
    let Some(before) = &change.before else {
        return match error_ttl {
            ttl if ttl > BORNE_ERROR_TTL => Ok(Reason::ErrorsKept { ttl }),
            _ => Err(Spared::New),
        };
    };
    let redirects = path.kind == Kind::FolderRedirect;
    if leaves_for_good(change) {
        return Err(Spared::Fingerprinted);
    }
    if redirects && change.after.is_some() {
        return Err(Spared::Unchanged);
    }
    // A redirect is answered without the object's Cache-Control: the default TTL holds.
    let mut kept = !redirects && !edge_ttl(before.cache_control.as_deref(), behavior).is_zero();
    if redirects || before.redirect.is_some() {
        kept |= !edge_ttl(None, behavior).is_zero();
    }
    match &change.after {
        Some(after) if after.content == before.content => Ok(Reason::Headers),
        // Copies that came without their tags could be found valid later, and none of them be found by a tag.
        Some(after) if after.tags.is_some() && after.tags != before.tags => Ok(Reason::Headers),
        _ if !kept => Err(Spared::NeverKept),
        Some(_) => Ok(Reason::Content),
        None => Ok(Reason::Removed),
    }
}

/// How errors were kept before the deploy.
struct Errors<'a> {
    /// How error pages were served, by key.
    before: HashMap<&'a str, &'a Served>,
}

impl<'a> Errors<'a> {
    fn new(site: &Site<'_>, changes: &'a [Change], pages: &'a [(Key, Served)]) -> Self {
        let keys = site.error_page_keys();
        let mut before: HashMap<&str, &Served> = HashMap::new();
        for (key, served) in pages {
            before.insert(key.as_str(), served);
        }
        for change in changes {
            if !keys.contains(change.key.as_str()) {
                continue;
            }
            before.remove(change.key.as_str());
        }
        let ttl = |served: &Served| stated_ttl(served.cache_control.as_deref());
        for change in changes {
            if let Some(served) = &change.before
                && keys.contains(change.key.as_str())
            {
                let kept = before.entry(change.key.as_str()).or_insert(served);
                if ttl(served) > ttl(kept) {
                    *kept = served;
                }
            }
        }
        Self { before }
    }

    fn stated(&self, key: &str) -> u64 {
        let served = self.before.get(key);
        served.map_or(0, |served| stated_ttl(served.cache_control.as_deref()))
    }

    /// How long an error response is kept: ErrorCachingMinTTL, or longer by the page's own Cache-Control.
    fn response_ttl(&self, site: &Site<'_>, response: &ErrorResponse) -> u64 {
        let page = response.page.as_deref().unwrap_or_default();
        let ours = self
            .before
            .keys()
            .filter(|key| site.is_error_page(key, page));
        let stated = ours.map(|key| self.stated(key)).max();
        response.ttl().max(stated.unwrap_or(0))
    }

    /// How long a behavior keeps the answer for a key that is not there: 403 or 404.
    fn ttl(&self, site: &Site<'_>, behavior: &Behavior) -> u64 {
        let responses = site.distribution.error_responses.iter();
        let missing = responses.filter(|response| matches!(response.code, 403 | 404));
        let told = missing
            .map(|response| self.response_ttl(site, response))
            .max();
        let documents = site.error_documents.iter();
        let documents = documents.filter(|_| is_website(site, behavior));
        let stated = documents.map(|key| self.stated(key)).max();
        told.unwrap_or(DEFAULT_ERROR_TTL).max(stated.unwrap_or(0))
    }

    /// Owes the copies of an error page that changed.
    fn owe_pages(&self, site: &Site<'_>, change: &Change, found: &mut Stale) {
        let key = change.key.as_str();
        for response in &site.distribution.error_responses {
            let page = response.page.as_deref().unwrap_or_default();
            let ttl = self.response_ttl(site, response);
            if !page.is_empty() && site.is_error_page(key, page) && ttl > BORNE_ERROR_TTL {
                let code = response.code;
                found.owe("/*".to_owned(), Reason::ErrorPage { code, ttl });
            }
        }
        if !site.error_documents.iter().any(|document| document == key) {
            return;
        }
        for behavior in &site.distribution.behaviors {
            let ttl = self.ttl(site, behavior);
            if is_website(site, behavior) && ttl > BORNE_ERROR_TTL {
                let pattern = format!("{}*", behavior.literal_prefix());
                found.owe(pattern, Reason::ErrorDocument { ttl });
            }
        }
    }
}

fn is_website(site: &Site<'_>, behavior: &Behavior) -> bool {
    let mut ours = site.origins();
    ours.any(|origin| origin.website && behavior.leads_to(&origin.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::distribution::{Distribution, Origin};

    const DAY: &str = "max-age=86400";

    fn served(content: &str, cache_control: &str) -> Option<Served> {
        Some(Served {
            content: Content::Named(content.into()),
            headers: HeaderFingerprint(cache_control.len() as u64),
            cache_control: Some(cache_control.into()),
            redirect: None,
            tags: None,
        })
    }

    fn change(key: &str, before: Option<Served>, after: Option<Served>) -> Change {
        Change {
            key: Key::new(key),
            before,
            after,
            fingerprinted: key.contains("hash"),
        }
    }

    fn plain() -> Distribution {
        Distribution {
            default_root_object: Some("index.html".to_owned()),
            origins: vec![Origin {
                id: "s3".to_owned(),
                ..Origin::default()
            }],
            behaviors: vec![Behavior {
                origins: vec!["s3".to_owned()],
                ..Behavior::default()
            }],
            ..Distribution::default()
        }
    }

    fn owed(distribution: &Distribution, changes: &[Change]) -> Vec<String> {
        let mut site = Site::new(distribution, vec!["s3".to_owned()]);
        site.error_documents = vec!["404.html".to_owned()];
        let found = stale(&site, changes, &[]);
        found.owed.into_keys().collect()
    }

    fn app(error_ttl: Option<u64>) -> Distribution {
        let response = ErrorResponse {
            code: 403,
            page: Some("/index.html".to_owned()),
            response_code: Some(200),
            caching_min_ttl: error_ttl,
        };
        Distribution {
            error_responses: vec![response],
            ..plain()
        }
    }

    #[test]
    fn only_what_can_be_stale_is_owed() {
        let none: [&str; 0] = [];
        for (one, paths) in [
            (change("a", None, served("1", DAY)), &none[..]),
            (change("a", served("1", DAY), served("2", DAY)), &["/a"]),
            (change("a", served("1", DAY), served("1", DAY)), &none),
            (change("a", served("1", DAY), None), &["/a"]),
            (change("hash.js", served("1", DAY), None), &none),
            (
                change("hash.js", served("1", DAY), served("2", DAY)),
                &["/hash.js"],
            ),
            (
                change("a", served("1", "no-cache"), served("2", DAY)),
                &none,
            ),
            (change("a", served("1", "no-cache"), None), &none),
            (
                change("a", served("1", "no-cache"), served("1", DAY)),
                &["/a"],
            ),
            (
                change("a", served("1", DAY), served("2", "no-cache")),
                &["/a"],
            ),
            (
                change(
                    "a",
                    served("1", "max-age=0, stale-if-error=60"),
                    served("2", DAY),
                ),
                &["/a"],
            ),
            (
                change("index.html", served("1", DAY), served("2", DAY)),
                &["/", "/index.html"],
            ),
        ] {
            assert_eq!(owed(&plain(), std::slice::from_ref(&one)), paths, "{one:?}");
        }
    }

    #[test]
    fn what_gets_its_tags_is_purged_though_no_edge_keeps_it() {
        let mut change = change("a", served("1", "no-cache"), served("2", "no-cache"));
        let mut tag = |before, after| {
            let tags =
                |served: &mut Option<Served>, sort| served.iter_mut().for_each(|it| it.tags = sort);
            tags(&mut change.before, before);
            tags(&mut change.after, after);
            owed(&plain(), std::slice::from_ref(&change)).len()
        };
        let (page, asset) = (Some(Sort::Page), Some(Sort::Asset));
        assert_eq!((tag(None, page), tag(asset, page)), (1, 1));
        assert_eq!((tag(page, page), tag(page, None)), (0, 0));
    }

    #[test]
    fn a_min_ttl_keeps_what_says_no_cache() {
        let mut distribution = plain();
        distribution.behaviors[0].min_ttl = 1;
        let one = change("a", served("1", "no-cache"), served("2", "no-cache"));
        assert_eq!(owed(&distribution, &[one]), ["/a"]);
    }

    #[test]
    fn an_app_owes_everything_where_its_page_is_kept_for_errors() {
        let page = |control| change("index.html", served("1", control), served("2", control));
        for (ttl, control, whole) in [
            (Some(300), "no-cache", true),
            (None, "no-cache", false),
            (Some(0), "max-age=60", true),
            (Some(10), "max-age=10", false),
        ] {
            let found = owed(&app(ttl), &[page(control)]);
            assert_eq!(found.contains(&"/*".to_owned()), whole, "{ttl:?} {control}");
            let new = change("new", None, served("1", DAY));
            let found = owed(&app(ttl), &[page(control), new]);
            assert_eq!(
                found.contains(&"/new".to_owned()),
                whole,
                "{ttl:?} {control}"
            );
        }
    }

    #[test]
    fn a_website_answers_for_folders_and_their_redirects() {
        let mut distribution = plain();
        distribution.origins[0].website = true;
        let doc = |before, after| owed(&distribution, &[change("a/index.html", before, after)]);
        let (one, two) = (served("1", DAY), served("2", DAY));
        assert_eq!(doc(one.clone(), two.clone()), ["/a/", "/a/index.html"]);
        assert_eq!(doc(one, None), ["/a", "/a/", "/a/index.html"]);
        assert!(doc(None, two).is_empty());
    }

    #[test]
    fn a_website_error_document_owes_what_it_is_kept_under() {
        let mut distribution = plain();
        distribution.origins[0].website = true;
        let page = |control| {
            [change(
                "404.html",
                served("1", control),
                served("2", control),
            )]
        };
        assert_eq!(owed(&distribution, &page("no-cache")), Vec::<String>::new());
        assert_eq!(owed(&distribution, &page(DAY)), ["/*", "/404.html"]);
        let new = [change("a", None, served("1", DAY)), page(DAY)[0].clone()];
        assert_eq!(owed(&distribution, &new), ["/*", "/404.html", "/a"]);
    }

    #[test]
    fn a_function_that_nobody_can_read_owes_everything_once_something_changes() {
        let mut distribution = plain();
        distribution.behaviors[0].rewrite = crate::edge::Rewrite::Unknown;
        let changed = change("a", served("1", "no-cache"), served("2", DAY));
        assert_eq!(owed(&distribution, &[changed]), ["/*"]);
        let new = change("a", None, served("2", DAY));
        assert_eq!(owed(&distribution, &[new]), Vec::<String>::new());
    }
}
