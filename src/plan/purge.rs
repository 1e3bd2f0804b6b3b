//! What each distribution is owed: what the edges were last told against what the deploy leaves.

use std::collections::BTreeSet;

use super::{DistributionPurge, KeyDifferences, ResentPaths};
use crate::edge::reason::KEPT_LONGEST;
use crate::edge::{
    self, BodyName, Distribution, HeldAnswer, OwedPurge, PurgeMode, PurgePrices, ServedAnswer,
    ShownSite,
};
use crate::object::entry::ManifestEntry;
use crate::object::journal::TouchedKey;
use crate::object::manifest::{Manifest, ToldDistribution};
use crate::object::{ETag, HeaderFingerprint, Key, Md5, TagClass};

/// A distribution, or a tenant of one, as the plan needs to know it.
#[derive(Clone, Debug)]
pub struct TargetFacts<'a> {
    pub id: String,
    /// `None`: its configuration could not be read, for the reason in `unreadable`.
    pub site: Option<ShownSite<'a>>,
    pub unreadable: Option<String>,
    /// Fingerprint of the configuration.
    pub config: u64,
    /// Copies of its objects are to carry cache tags.
    pub tags: bool,
    /// What the manifest says that it was told.
    pub told: Option<&'a ToldDistribution>,
    /// Request paths and patterns that deploys that died left owed, without the batches that will be sent again.
    pub owed: Vec<String>,
    /// How many paths deploys that died recorded for it, which are to be sent again.
    pub resend: u64,
    pub prices: PurgePrices,
}

impl TargetFacts<'_> {
    /// Returns whether it is owed a purge whatever the build has changed.
    pub fn is_owed(&self) -> bool {
        let moved = self.told.is_none() || self.has_moved();
        self.prices.mode != PurgeMode::None && (!self.owed.is_empty() || self.resend > 0 || moved)
    }

    /// Returns whether it was configured otherwise when it was last told something.
    fn has_moved(&self) -> bool {
        self.site.is_some() && self.told.is_some_and(|told| told.config != self.config)
    }

    /// Returns whether it may hold copies from before cache tags, which no tag finds.
    fn lacks_tags(&self) -> bool {
        self.tags && self.told.is_some_and(|told| told.tags_since.is_none())
    }
}

/// Returns the sort by which edges may hold a key's object with its cache tags.
fn carried(manifest: &Manifest, key: &Key) -> Option<TagClass> {
    let entry = manifest.entries.get(key)?;
    manifest.tables.served(entry.served)?.tags
}

/// Returns what the manifest says that a key was last served as; `certain`: that nobody wrote over it without its tags.
pub(super) fn last_served(
    manifest: &Manifest,
    entry: &ManifestEntry,
    certain: bool,
) -> ServedAnswer {
    let served = manifest.tables.served(entry.served);
    let text = |text: &Option<String>| text.as_deref().map(Into::into);
    ServedAnswer {
        content: match entry.content() {
            Some(md5) => BodyName::Digest(md5),
            None => BodyName::Named(entry.etag.to_string().into()),
        },
        headers: entry.headers,
        cache_control: served.and_then(|served| text(&served.cache_control)),
        redirect: served.and_then(|served| text(&served.redirect)),
        tags: served.filter(|_| certain).and_then(|served| served.tags),
    }
}

/// Returns what an object will be served as.
pub(super) fn served(
    md5: Md5,
    fingerprint: HeaderFingerprint,
    tags: Option<TagClass>,
) -> ServedAnswer {
    ServedAnswer {
        content: BodyName::Digest(md5),
        headers: fingerprint,
        cache_control: None,
        redirect: None,
        tags,
    }
}

/// Returns what stands for an object that nobody here described: it differs from everything.
pub(super) fn unknown(etag: &ETag) -> ServedAnswer {
    let content = BodyName::Named(format!("unknown:{etag}").into());
    kept_longest(content, HeaderFingerprint(0))
}

/// Returns what a deploy that died put, or meant to (`None`: nothing); its journal does not say how long edges keep that.
pub(super) fn intended(touched: &TouchedKey) -> Option<ServedAnswer> {
    if touched.is_absent() {
        return None;
    }
    let name = touched.etag.as_ref().map(ETag::to_string);
    let content = match touched.content() {
        Some(md5) => BodyName::Digest(md5),
        None => BodyName::Named(name.unwrap_or_default().into()),
    };
    let headers = touched.headers.unwrap_or(HeaderFingerprint(0));
    Some(kept_longest(content, headers))
}

/// Returns an answer of which nobody knows how long edges keep it.
fn kept_longest(content: BodyName, headers: HeaderFingerprint) -> ServedAnswer {
    ServedAnswer {
        content,
        headers,
        cache_control: Some(KEPT_LONGEST.into()),
        redirect: None,
        tags: None,
    }
}

#[derive(Default)]
pub(super) struct Purges {
    pub(super) targets: Vec<DistributionPurge>,
    pub(super) news: bool,
    pub(super) warnings: Vec<String>,
}

/// Finds the purges of all targets for what moved; what moves late goes only once the purge of the rest has completed.
pub(super) fn purges(
    targets: &[TargetFacts],
    manifest: &Manifest,
    moves: &KeyDifferences,
) -> Purges {
    let mut purges = Purges::default();
    let changes = moves.changes || !moves.now.is_empty() || !moves.late.is_empty();
    // For what is purged whole, whatever the distribution is like.
    let nowhere = Distribution::default();
    let nowhere = ShownSite::new(&nowhere, Vec::new());
    let everything = || OwedPurge::new(&nowhere, &[], &[], []).with_debts(&["/*".to_owned()]);
    let (mut first, mut after) = (Vec::new(), Vec::new());
    for target in targets {
        let pays = target.prices.mode != PurgeMode::None;
        purges.news |= pays && (target.told.is_none() || target.has_moved());
        let site = target.site.as_ref().unwrap_or(&nowhere);
        let purge = |changes, debts: &[String]| owed(site, manifest, (moves, changes), debts);
        let whole = whole(target, moves, changes);
        purges.warnings.extend(whole.iter().flatten().cloned());
        first.push(match whole {
            // Nothing is left to be weighed.
            Some(_) => everything(),
            None => purge(&moves.now, &target.owed),
        });
        // What goes after the purge is stale again from then on, whatever the purge took.
        after.push(match target.site {
            None if !moves.late.is_empty() => everything(),
            _ => purge(&moves.late, &[]),
        });
    }
    purges.targets = choose(targets, first, after);
    purges
}

/// Chooses what each target is sent, before and after assets are removed. The prices are the account's, and so are the free paths:
/// all purges share them, and what dead deploys recorded takes its part first.
fn choose<'s>(
    targets: &[TargetFacts],
    mut first: Vec<OwedPurge<'s, 's>>,
    after: Vec<OwedPurge<'s, 's>>,
) -> Vec<DistributionPurge> {
    let prices = targets.first().map(|target| target.prices);
    let mut prices = prices.unwrap_or_default();
    let mut left = prices.uncharged.unwrap_or(prices.free);
    let mut resend = |count: u64| {
        let charged = count.saturating_sub(left);
        left -= count - charged;
        let cost = prices.path * charged;
        ResentPaths { count, cost }
    };
    let resent: Vec<ResentPaths> = targets.iter().map(|it| resend(it.resend)).collect();
    prices.uncharged = Some(left);
    first.extend(after);
    let mut first = edge::purge_together(first, &prices);
    let after = first.split_off(targets.len());
    let chosen = targets.iter().zip(resent).zip(first.into_iter().zip(after));
    let chosen = chosen.map(|((target, resent), (purge, after))| DistributionPurge {
        target: target.id.clone(),
        purge,
        after,
        resent,
    });
    chosen.collect()
}

/// Finds what a target is owed for some of the moves.
fn owed<'s>(
    site: &'s ShownSite<'s>,
    manifest: &Manifest,
    (moves, changes): (&'s KeyDifferences, &'s [HeldAnswer]),
    debts: &[String],
) -> OwedPurge<'s, 's> {
    let pages = error_pages(site, manifest, moves, changes);
    let sort = |key: &Key| carried(manifest, key).filter(|_| site.tagged);
    let keys = moves.keys.iter().map(|key| (key.as_str(), sort(key)));
    // Where nothing is owed, nobody asks what edges hold.
    let keys = keys.filter(|_| !changes.is_empty() || !debts.is_empty());
    OwedPurge::new(site, changes, &pages, keys).with_debts(debts)
}

/// Returns whether a target is owed everything, and what to say of it.
fn whole(target: &TargetFacts, moves: &KeyDifferences, changes: bool) -> Option<Option<String>> {
    let id = &target.id;
    let shows_none = |site: &ShownSite| {
        let mut keys = moves.keys.iter();
        !moves.keys.is_empty()
            && !site.has_unknown_rewrite()
            && !keys.any(|key| site.own_path(key.as_str()).is_some())
    };
    if let Some(site) = target
        .site
        .as_ref()
        .filter(|site| changes && shows_none(site))
    {
        return Some(Some(format!("{id}: {}; so /* is purged", unseen(site))));
    }
    if let Some(why) = &target.unreadable {
        return changes.then(|| Some(format!("{id}: {why}; so /* is purged")));
    }
    match target.told {
        // Whatever its edges hold is from before the first deploy: from another origin, say.
        None => Some(None),
        Some(_) if target.has_moved() => Some(Some(format!(
            "{id} was configured anew since the last deploy: /* is purged once"
        ))),
        Some(_) if target.lacks_tags() => Some(Some(format!(
            "{id} may hold copies without cache tags: /* is purged once"
        ))),
        Some(_) if target.owed.iter().any(|owed| owed == "/*") => Some(None),
        Some(_) => None,
    }
}

/// Says why a distribution shows nothing of the site.
fn unseen(site: &ShownSite) -> String {
    let mut origins = site.origins();
    let Some(origin) = origins.next() else {
        return "none of its origins is the bucket".to_owned();
    };
    if !site
        .distribution
        .behaviors
        .iter()
        .any(|it| site.is_ours(it))
    {
        return format!(
            "no behavior leads to its origin {}, which is the bucket",
            origin.id
        );
    }
    format!(
        "no URL of it shows the site: its origin {} begins at `{}` in the bucket, and the site lies at `{}` (`prefix`)",
        origin.id,
        origin.path.trim_start_matches('/'),
        site.prefix
    )
}

/// Returns how the unchanged error pages are served. Of what others put there nobody knows.
fn error_pages(
    site: &ShownSite,
    manifest: &Manifest,
    moves: &KeyDifferences,
    changes: &[HeldAnswer],
) -> Vec<(Key, ServedAnswer)> {
    let changed: BTreeSet<&str> = changes.iter().map(|change| change.key.as_str()).collect();
    let keys = site.error_page_keys().into_iter().map(|key| Key::new(&key));
    let unchanged = keys.filter(|key| !changed.contains(key.as_str()));
    let pages = unchanged.filter_map(|key| {
        let served = match manifest.entries.get(&key) {
            Some(entry) => last_served(manifest, entry, false),
            None if moves.keys.contains(&key) => unknown(&ETag::Other("".into())),
            None => return None,
        };
        Some((key, served))
    });
    pages.collect()
}
