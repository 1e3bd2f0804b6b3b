//! The purge of one distribution, with its reasons, its price and what else it could have been.

use super::answers::asked_path;
use super::cover::{Cover, ForeignRegion, PathUniverse, Pattern, UniverseEntry};
use super::held::HeldPaths;
use super::price::{PurgeMode, PurgePrices};
use super::reason::{HeldAnswer, OwedReason, ServedAnswer, SparedReason, StalePaths};
use super::shared::{self, SharingPurge};
use super::stale::stale;
use super::urls::ShownSite;
use crate::object::{Key, TagClass};

/// What one distribution is to be sent, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PurgeChoice {
    pub stale: StalePaths,
    /// What is sent.
    pub cover: Cover,
    /// What [`PurgeMode::Exact`] and [`PurgeMode::All`] would have sent, without tags.
    pub exact: Cover,
    pub all: Cover,
    /// Unchanged request paths that wildcards take, the first of them by name; none where everything is owed.
    pub needless: Vec<String>,
}

/// Request paths that are named of those purged needlessly, at most.
const MAX_NEEDLESS: usize = 1000;

/// Why a URL is purged or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlExplanation {
    /// The URL's path, written as it is purged.
    pub path: String,
    /// What takes it.
    pub pattern: Option<Pattern>,
    /// Why it is owed. With a pattern but no reason it is purged needlessly.
    pub reason: Option<OwedReason>,
    pub spared: Option<SparedReason>,
}

/// What one distribution is owed, and all that its edges may hold.
pub struct OwedPurge<'s, 'k> {
    site: &'s ShownSite<'s>,
    changes: &'s [HeldAnswer],
    stale: StalePaths,
    held: HeldPaths<'s, 'k>,
}

impl<'s, 'k> OwedPurge<'s, 'k> {
    /// Finds what is owed for what changed.
    ///
    /// `pages` says how the unchanged ones of [`ShownSite::error_page_keys`] are served. `keys` are all keys that the site has before or
    /// after the deploy, in any order, repeated or not, each with the sort by whose tags edges may hold it; sorted ones are faster.
    pub fn new(
        site: &'s ShownSite<'s>,
        changes: &'s [HeldAnswer],
        pages: &[(Key, ServedAnswer)],
        keys: impl IntoIterator<Item = (&'k str, Option<TagClass>)>,
    ) -> Self {
        let mut stale = stale(site, changes, pages);
        Self {
            site,
            changes,
            held: HeldPaths::of(site, changes, keys, &mut stale),
            stale,
        }
    }

    /// Adds request paths and patterns that earlier deploys owe, as [`StalePaths::owed`] names them.
    pub fn with_debts(mut self, debts: &[String]) -> Self {
        for debt in debts {
            self.stale.owe(debt.clone(), OwedReason::Debt);
        }
        self
    }
}

/// Finds the cheapest purge of what one distribution is owed.
pub fn purge(owed: OwedPurge<'_, '_>, prices: &PurgePrices) -> PurgeChoice {
    let choices = purge_together(vec![owed], prices);
    choices.into_iter().next().unwrap_or_default()
}

/// Finds the purges that are the cheapest together, since they share the free paths: one for each, in their order.
pub fn purge_together(mut owed: Vec<OwedPurge<'_, '_>>, prices: &PurgePrices) -> Vec<PurgeChoice> {
    let finish = |owed: &mut OwedPurge<'_, '_>| {
        owed.held.finish(&owed.stale);
        std::mem::take(&mut owed.stale)
    };
    let stale: Vec<StalePaths> = owed.iter_mut().map(finish).collect();
    let entries = owed.iter().map(|owed| owed.held.entries(prices));
    let entries: Vec<Vec<UniverseEntry<'_>>> = entries.collect();
    let regions = owed.iter().map(|owed| foreign_regions(owed.site, prices));
    let regions: Vec<Vec<ForeignRegion>> = regions.collect();
    let problems = owed.iter().zip(entries.iter().zip(&regions));
    let problems = problems.map(|(owed, (entries, regions))| {
        let universe = PathUniverse {
            entries,
            regions,
            dialect: owed.site.dialect,
        };
        SharingPurge::new(universe, owed.held.carriers(owed.changes, entries))
    });
    let problems: Vec<SharingPurge<'_>> = problems.collect();
    let covers = shared::covers(&problems, prices);
    let taken: u64 = covers.iter().map(|cover| cover.free).sum();
    let choices = problems.iter().zip(covers).zip(stale);
    let choices = choices.map(|((problem, cover), stale)| {
        // What the others leave is what another way would find.
        let others = taken - cover.free;
        let in_mode = |mode| {
            problem.plain(&PurgePrices {
                mode,
                free: prices.free.saturating_sub(others),
                uncharged: prices.uncharged.map(|left| left.saturating_sub(others)),
                ..*prices
            })
        };
        let mut needless = Vec::new();
        if stale.whole().is_none() {
            needless = problem.universe.needless(&cover, MAX_NEEDLESS);
            needless.retain(|path| !stale.owed.contains_key(path));
        }
        PurgeChoice {
            needless,
            stale,
            exact: in_mode(PurgeMode::Exact),
            all: in_mode(PurgeMode::All),
            cover,
        }
    });
    choices.collect()
}

impl PurgeChoice {
    /// Explains why a URL (whole, or its path alone) is purged or not.
    pub fn explain(&self, url: &str) -> UrlExplanation {
        let mut path = canonical(url);
        let is_judged =
            |owed: &str| self.stale.owed.contains_key(owed) || self.stale.spared.contains_key(owed);
        // A REST endpoint takes a plus for a space, so that a key's own is escaped there.
        let escaped = path.replace('+', "%2B");
        if !is_judged(&path) && is_judged(&escaped) {
            path = escaped;
        }
        // Where query strings are no part of the cache key, the bare path is what an edge holds.
        if path.ends_with('?') && !is_judged(&format!("{path}*")) {
            path.pop();
        }
        let star = if path.ends_with('?') { "*" } else { "" };
        let owed = format!("{path}{star}");
        let takes = |pattern: &&Pattern| pattern.takes(&path);
        let holds = |owed: &str| {
            let prefix = owed.strip_suffix('*');
            prefix.is_some_and(|prefix| path.starts_with(prefix))
        };
        let mut wildcards = self.stale.owed.iter().filter(|(owed, _)| holds(owed));
        let reason = self.stale.owed.get(&owed);
        let reason = reason.or_else(|| Some(wildcards.next()?.1)).cloned();
        UrlExplanation {
            pattern: self.cover.patterns.iter().find(takes).cloned(),
            spared: self.stale.spared.get(&owed).copied(),
            reason,
            path,
        }
    }
}

/// Writes a URL's path as it is purged: without scheme, host and fragment, escaped as we escape, and a `?` for any query string.
fn canonical(url: &str) -> String {
    let rest = match url.split_once("://") {
        Some((_, rest)) => rest
            .find(['/', '?', '#'])
            .and_then(|start| rest.get(start..)),
        None => Some(url),
    };
    let rest = rest.unwrap_or("/");
    let rest = rest.split_once('#').map_or(rest, |(head, _)| head);
    let (path, query) = match rest.split_once('?') {
        Some((path, _)) => (path, "?"),
        None => (rest, ""),
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{slash}{}{query}", asked_path(path))
}

/// Returns the regions that other origins answer; whatever an earlier behavior takes whole is shielded from a later one.
fn foreign_regions(site: &ShownSite<'_>, prices: &PurgePrices) -> Vec<ForeignRegion> {
    let mut shields = Vec::new();
    let mut regions = Vec::new();
    for behavior in &site.distribution.behaviors {
        let prefix = behavior.literal_prefix();
        if !site.is_ours(behavior) && behavior.pattern.contains(['*', '?']) {
            regions.push(ForeignRegion {
                pattern: behavior.pattern.clone(),
                prefix: prefix.clone(),
                weight: prices.opaque,
                shields: shields.clone(),
            });
        }
        if behavior.is_whole_prefix() {
            shields.push(prefix);
        }
    }
    regions
}

#[cfg(test)]
mod tests {
    use super::super::distribution::{Behavior, Distribution, Origin, WebsiteConfiguration};
    use super::super::price::Money;
    use super::super::reason::BodyName;
    use super::*;
    use crate::object::HeaderFingerprint;

    fn distribution() -> Distribution {
        let behavior = |pattern: &str, origin: &str| Behavior {
            pattern: pattern.to_owned(),
            origins: vec![origin.to_owned()],
            ..Behavior::default()
        };
        let origin = |id: &str| Origin {
            id: id.to_owned(),
            website: id == "s3",
            ..Origin::default()
        };
        Distribution {
            origins: vec![origin("s3"), origin("api")],
            behaviors: vec![behavior("/api/*", "api"), behavior("*", "s3")],
            website: Some(WebsiteConfiguration::default()),
            ..Distribution::default()
        }
    }

    fn served(content: &str) -> Option<ServedAnswer> {
        Some(ServedAnswer {
            content: BodyName::Named(content.into()),
            headers: HeaderFingerprint(0),
            cache_control: None,
            redirect: None,
            tags: None,
        })
    }

    fn change(key: &str, before: Option<ServedAnswer>, after: Option<ServedAnswer>) -> HeldAnswer {
        HeldAnswer {
            key: Key::new(key),
            before,
            after,
            fingerprinted: false,
        }
    }

    fn run(
        changes: &[HeldAnswer],
        keys: &[&str],
        debts: &[&str],
        prices: PurgePrices,
    ) -> PurgeChoice {
        let distribution = distribution();
        let site = ShownSite::new(&distribution, vec!["s3".to_owned()]);
        let debts: Vec<String> = debts.iter().map(|debt| (*debt).to_owned()).collect();
        let keys = keys.iter().map(|key| (*key, None));
        let owed = OwedPurge::new(&site, changes, &[], keys).with_debts(&debts);
        purge(owed, &prices)
    }

    fn texts(purge: &PurgeChoice) -> Vec<&str> {
        purge.cover.texts().collect()
    }

    #[test]
    fn a_purge_is_priced_beside_what_it_could_have_been() {
        let keys = ["a", "b", "c", "x/1", "x/2", "x/3"];
        let changes = ["a", "x/1", "x/2"].map(|key| change(key, served("1"), served("2")));
        let paid = PurgePrices {
            free: 0,
            ..PurgePrices::default()
        };
        let result = run(&changes, &keys, &[], paid);
        // `/*` would empty the other origin's region, which weighs more than another path costs.
        assert_eq!(texts(&result), ["/a", "/x/*"]);
        assert_eq!(result.needless, ["/x/3"]);
        assert_eq!(
            result.cover.path_cost + result.cover.refetch_cost,
            Money(10_005_200)
        );
        assert_eq!(result.exact.paths(), 3);
        assert_eq!(result.exact.path_cost, Money(15_000_000));
        let [all] = result.all.patterns.as_slice() else {
            panic!("one path");
        };
        assert_eq!((all.changed, all.unchanged, all.needless), (3, 3, 10_003));
        let free = run(&changes, &keys, &[], PurgePrices::default());
        assert_eq!(texts(&free), ["/a", "/x/1", "/x/2"]);
    }

    #[test]
    fn what_else_there_was_is_priced_beside_the_others() {
        let distribution = distribution();
        let site = ShownSite::new(&distribution, vec!["s3".to_owned()]);
        let keys = ["a", "b", "c", "d"];
        let changes = ["a", "b", "c"].map(|key| change(key, served("1"), served("2")));
        let owed = || OwedPurge::new(&site, &changes, &[], keys.map(|key| (key, None)));
        let prices = PurgePrices {
            mode: PurgeMode::Exact,
            uncharged: Some(4),
            ..PurgePrices::default()
        };
        for choice in purge_together(vec![owed(), owed()], &prices) {
            assert_eq!(choice.exact, choice.cover);
        }
    }

    #[test]
    fn debts_are_paid_with_the_rest() {
        let result = run(&[], &["a", "b"], &["/gone", "/x/*"], PurgePrices::default());
        assert_eq!(texts(&result), ["/gone", "/x/*"]);
        let result = run(&[], &["a", "b"], &["/a", "/*"], PurgePrices::default());
        assert_eq!(texts(&result), ["/*"]);
        assert!(texts(&run(&[], &["a"], &[], PurgePrices::default())).is_empty());
    }

    #[test]
    fn a_new_key_where_another_answered_is_owed() {
        // `/x` was a redirect to `/x/`.
        let new = [change("x", None, served("1"))];
        let result = run(&new, &["x", "x/index.html"], &[], PurgePrices::default());
        assert_eq!(texts(&result), ["/x"]);
        assert_eq!(result.stale.owed.get("/x"), Some(&OwedReason::Answered));
        let result = run(&new, &["x", "y/index.html"], &[], PurgePrices::default());
        assert!(texts(&result).is_empty());
    }

    #[test]
    fn a_url_is_explained_however_it_is_written() {
        let changes = [
            change("é/a", served("1"), served("2")),
            change("n", None, served("1")),
        ];
        let result = run(&changes, &["é/a", "n", "b"], &[], PurgePrices::default());
        for url in ["/é/a", "https://example.com/%c3%a9/a#x", "é/a"] {
            let told = result.explain(url);
            assert_eq!(told.path, "/%C3%A9/a");
            assert_eq!(told.reason, Some(OwedReason::Content));
            assert!(told.pattern.is_some());
        }
        assert_eq!(result.explain("/n").spared, Some(SparedReason::New));
        assert_eq!(result.explain("/b").reason, None);
        assert_eq!(result.explain("https://example.com").path, "/");
        assert_eq!(result.explain("/b?x=1").path, "/b");
    }
}
