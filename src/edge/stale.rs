//! What a deploy makes stale: which request paths an edge may still answer with something else than what is now deployed.

use std::collections::HashMap;

use super::distribution::{Behavior, DEFAULT_ERROR_TTL, ErrorResponse};
use super::reason::{HeldAnswer, KEPT_LONGEST, OwedReason, ServedAnswer, SparedReason, StalePaths};
use super::ttl::{edge_ttl, stated_ttl};
use super::urls::{PathKind, RequestPath, ShownSite, request_paths};
use crate::object::Key;

/// Errors that are kept no longer than this, in seconds, are borne.
const BORNE_ERROR_TTL: u64 = DEFAULT_ERROR_TTL;

/// Seconds for which something may be kept of which nobody knows how long: CloudFront's own longest.
const LONGEST: u64 = 31_536_000;

/// Finds what the changes make stale. `pages` says how the unchanged ones of [`ShownSite::error_page_keys`] are served.
pub(super) fn stale(
    site: &ShownSite<'_>,
    changes: &[HeldAnswer],
    pages: &[(Key, ServedAnswer)],
) -> StalePaths {
    let mut stale = StalePaths::default();
    let errors = ErrorTtls::new(site, changes, pages);
    let (mut rewritten, mut changed) = (false, false);
    let lasting_errors = errors.last_behind_unknown_rewrites();
    for change in changes {
        if change.is_same() {
            continue;
        }
        changed = true;
        errors.owe_pages(change, &mut stale);
        rewritten |= lasting_errors || change.before.is_some() && !leaves_for_good(change);
        for path in request_paths(site, change.key.as_str()) {
            match judge(change, &path, &errors) {
                Ok(reason) => stale.owe(path.owed(), reason),
                Err(why) => stale.spare(path.owed(), why),
            }
        }
    }
    if rewritten && site.has_unknown_rewrite() {
        stale.owe("/*".to_owned(), OwedReason::UnknownRewrite);
    }
    if changed && site.has_unknown_website() {
        stale.owe("/*".to_owned(), OwedReason::UnknownWebsite);
    }
    stale
}

fn leaves_for_good(change: &HeldAnswer) -> bool {
    // Of what nobody here served the name promises nothing.
    let unknown = |before: &ServedAnswer| before.cache_control.as_deref() == Some(KEPT_LONGEST);
    change.fingerprinted && change.after.is_none() && !change.before.as_ref().is_some_and(unknown)
}

/// Judges one path of a changed object.
fn judge(
    change: &HeldAnswer,
    path: &RequestPath<'_>,
    errors: &ErrorTtls<'_>,
) -> Result<OwedReason, SparedReason> {
    let behavior = path.behavior;
    let Some(before) = &change.before else {
        let ttl = errors.missing(behavior);
        return if errors.may_be_answered(behavior) {
            Ok(OwedReason::Answered)
        } else if ttl > BORNE_ERROR_TTL {
            Ok(OwedReason::ErrorsKept { ttl })
        } else {
            Err(SparedReason::New)
        };
    };
    let redirects = path.kind == PathKind::FolderRedirect;
    if leaves_for_good(change) {
        return Err(SparedReason::Fingerprinted);
    }
    if redirects && change.after.is_some() {
        return Err(SparedReason::Unchanged);
    }
    let is_kept = |control: Option<&str>| {
        // What a Lambda made of the header nobody knows.
        let control = (behavior.origin_response.as_ref()).map_or(control, |_| Some(KEPT_LONGEST));
        edge_ttl(control, behavior) > 0
    };
    // A redirect is answered without the object's Cache-Control: the default TTL holds.
    let kept = !redirects && is_kept(before.cache_control.as_deref())
        || (redirects || before.redirect.is_some()) && is_kept(None);
    match &change.after {
        Some(after) if after.content == before.content => Ok(OwedReason::Headers),
        // Copies that came without their tags could be found valid later, and none of them be found by a tag.
        Some(after) if after.tags.is_some() && after.tags != before.tags => Ok(OwedReason::Headers),
        _ if !kept => Err(SparedReason::NeverKept),
        Some(_) => Ok(OwedReason::Content),
        None => Ok(OwedReason::Removed),
    }
}

/// How long errors were kept before the deploy.
struct ErrorTtls<'a> {
    site: &'a ShownSite<'a>,
    /// The longest lifetime in seconds that each error page stated, by its key.
    stated: HashMap<&'a str, u64>,
    /// What a Lambda may have made of it.
    by_lambda: u64,
}

impl<'a> ErrorTtls<'a> {
    fn new(
        site: &'a ShownSite<'a>,
        changes: &'a [HeldAnswer],
        pages: &'a [(Key, ServedAnswer)],
    ) -> Self {
        let keys = site.error_page_keys();
        let is_page = |change: &&HeldAnswer| keys.contains(change.key.as_str());
        let unchanged = pages.iter().map(|(key, served)| (key, served));
        let changed = changes.iter().filter(is_page);
        let before = changed.filter_map(|change| Some((&change.key, change.before.as_ref()?)));
        let mut stated: HashMap<&str, u64> = HashMap::new();
        for (key, served) in unchanged.chain(before) {
            let ttl = stated_ttl(served.cache_control.as_deref()).min(LONGEST);
            let longest = stated.entry(key.as_str()).or_default();
            *longest = ttl.max(*longest);
        }
        let behaviors = site.distribution.behaviors.iter();
        let by_lambda = behaviors
            .filter(|behavior| behavior.origin_response.is_some() && site.is_ours(behavior))
            .map(|behavior| behavior.max_ttl)
            .max();
        Self {
            site,
            stated,
            by_lambda: by_lambda.unwrap_or(0),
        }
    }

    /// Returns how long an error response is kept: ErrorCachingMinTTL, or longer by the page's own Cache-Control.
    fn response(&self, response: &ErrorResponse) -> u64 {
        let page = response.page.as_deref().unwrap_or_default();
        let pages = self.stated.iter();
        let stated = pages.filter(|(key, _)| self.site.is_error_page(key, page));
        let longest = stated.map(|(_, ttl)| *ttl).max();
        let foreign = !page.is_empty() && !self.site.shows_page(page);
        let unknown = if foreign { LONGEST } else { 0 };
        let longest = longest.unwrap_or(0).max(self.by_lambda).max(unknown);
        response.ttl().max(longest)
    }

    /// Returns how long a behavior keeps the answer for a key that is not there: 403 or 404, or a routing rule's redirect.
    fn missing(&self, behavior: &Behavior) -> u64 {
        let responses = self.site.distribution.error_responses.iter();
        let missing = responses.filter(|response| matches!(response.code, 403 | 404));
        let longest = missing.map(|response| self.response(response)).max();
        let longest = longest.unwrap_or(DEFAULT_ERROR_TTL);
        if !is_website(self.site, behavior) {
            return longest;
        }
        let website = self.site.distribution.website.as_ref();
        let redirected = website.is_some_and(|website| website.redirects_errors);
        let redirect = redirected.then(|| edge_ttl(None, behavior));
        let document = self.site.error_document();
        let stated = document.and_then(|key| match self.site.key_of(key) {
            Some(key) => self.stated.get(key.as_str()).copied(),
            // It is not the site's: nobody knows what it says.
            None => Some(LONGEST),
        });
        let longest = longest.max(self.by_lambda).max(stated.unwrap_or(0));
        longest.max(redirect.unwrap_or(0))
    }

    /// Returns whether something is kept for long where there is no object, at paths that nothing tells.
    fn last_behind_unknown_rewrites(&self) -> bool {
        let mut behaviors = self.site.distribution.behaviors.iter();
        self.site.has_unknown_rewrite()
            && behaviors.any(|behavior| {
                let is_long = self.missing(behavior) > BORNE_ERROR_TTL;
                self.site.is_ours(behavior) && (is_long || self.may_be_answered(behavior))
            })
    }

    /// Returns whether something else than an error may be kept where there was no object: another origin's answer, or a Lambda's.
    fn may_be_answered(&self, behavior: &Behavior) -> bool {
        // Another folder of the same bucket is another origin as well.
        let by_another = behavior.fails_over && behavior.origins.len() > 1;
        let is_kept = edge_ttl(Some(KEPT_LONGEST), behavior) > 0;
        (by_another || behavior.origin_response.is_some()) && is_kept
    }

    /// Owes the copies of an error page that changed.
    fn owe_pages(&self, change: &HeldAnswer, stale: &mut StalePaths) {
        let key = change.key.as_str();
        for response in &self.site.distribution.error_responses {
            let page = response.page.as_deref().unwrap_or_default();
            let ttl = self.response(response);
            if !page.is_empty() && self.site.is_error_page(key, page) && ttl > BORNE_ERROR_TTL {
                let code = response.code;
                stale.owe("/*".to_owned(), OwedReason::ErrorPage { code, ttl });
            }
        }
        let document = self.site.error_document();
        let document = document.and_then(|document| self.site.key_of(document));
        let is_document = document.as_deref() == Some(key);
        let behaviors = self.site.distribution.behaviors.iter();
        for behavior in behaviors.filter(|it| is_document && is_website(self.site, it)) {
            let ttl = self.missing(behavior);
            if ttl > BORNE_ERROR_TTL {
                let pattern = format!("{}*", behavior.literal_prefix());
                stale.owe(pattern, OwedReason::ErrorDocument { ttl });
            }
        }
    }
}

fn is_website(site: &ShownSite<'_>, behavior: &Behavior) -> bool {
    let mut origins = site.origins();
    origins.any(|origin| origin.website && behavior.leads_to(&origin.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::UriForm;
    use crate::edge::distribution::{Distribution, Origin, UriRewrite, WebsiteConfiguration};
    use crate::edge::reason::BodyName;
    use crate::object::{HeaderFingerprint, TagClass};

    const DAY: &str = "max-age=86400";

    fn served(content: &str, cache_control: &str) -> Option<ServedAnswer> {
        Some(ServedAnswer {
            content: BodyName::Named(content.into()),
            headers: HeaderFingerprint(cache_control.len() as u64),
            cache_control: Some(cache_control.into()),
            redirect: None,
            tags: None,
        })
    }

    fn change(key: &str, before: Option<ServedAnswer>, after: Option<ServedAnswer>) -> HeldAnswer {
        HeldAnswer {
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

    fn owed(distribution: &Distribution, changes: &[HeldAnswer]) -> Vec<String> {
        let site = ShownSite::new(distribution, vec!["s3".to_owned()]);
        let found = stale(&site, changes, &[]);
        found.owed.into_keys().collect()
    }

    fn website() -> Distribution {
        let mut website = plain();
        website.origins[0].website = true;
        website.website = Some(WebsiteConfiguration {
            error: Some("404.html".to_owned()),
            ..WebsiteConfiguration::default()
        });
        website
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
            let tags = |served: &mut Option<ServedAnswer>, sort| {
                served.iter_mut().for_each(|it| it.tags = sort)
            };
            tags(&mut change.before, before);
            tags(&mut change.after, after);
            owed(&plain(), std::slice::from_ref(&change)).len()
        };
        let (page, asset) = (Some(TagClass::Page), Some(TagClass::Asset));
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
    fn a_folders_redirect_is_judged_by_itself_though_a_function_may_lead_there_too() {
        let mut distribution = website();
        let forms = [".html", "/index.html"].map(|end| UriForm::ending("", end));
        distribution.behaviors[0].rewrite = UriRewrite::Forms(forms.into());
        // What is removed was never kept; the redirect to its folder was.
        let removed = change("d/index.html", served("1", "no-cache"), None);
        assert_eq!(owed(&distribution, &[removed]), ["/d"]);
    }

    #[test]
    fn a_website_answers_for_folders_and_their_redirects() {
        let distribution = website();
        let doc = |before, after| owed(&distribution, &[change("a/index.html", before, after)]);
        let (one, two) = (served("1", DAY), served("2", DAY));
        assert_eq!(doc(one.clone(), two.clone()), ["/a/", "/a/index.html"]);
        assert_eq!(doc(one, None), ["/a", "/a/", "/a/index.html"]);
        assert!(doc(None, two).is_empty());
    }

    #[test]
    fn a_website_error_document_owes_what_it_is_kept_under() {
        let distribution = website();
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
        distribution.behaviors[0].rewrite = crate::edge::UriRewrite::Unknown;
        let changed = change("a", served("1", "no-cache"), served("2", DAY));
        assert_eq!(owed(&distribution, &[changed]), ["/*"]);
        let new = change("a", None, served("2", DAY));
        assert_eq!(owed(&distribution, &[new]), Vec::<String>::new());
    }
}
