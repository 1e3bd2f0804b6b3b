//! All request paths of a site that an edge may hold, before and after a deploy: which of them are owed, and which objects'
//! cache tags could purge them.

use std::collections::HashSet;

use super::cover::UniverseEntry;
use super::path;
use super::price::PurgePrices;
use super::reason::{HeldAnswer, OwedReason, SparedReason, StalePaths};
use super::urls::{PathKind, ShownSite, request_paths};
use super::wide::{CarriedPath, Carrier};
use crate::object::TagClass;

/// A request path, once for each reason to look at it.
#[derive(Default)]
struct HeldPath<'k> {
    text: String,
    changed: bool,
    exact: bool,
    /// Another origin's path, which weighs more.
    foreign: bool,
    /// No object answered there before: no edge holds anything of it.
    new: bool,
    by_tag: ByTag,
    /// The key that answers there, and by which sort's tags edges may hold it; only where tags may be of use.
    key: Option<(&'k str, Option<TagClass>)>,
}

/// Whether what is kept under a path carries the tags of the object that answers there.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum ByTag {
    #[default]
    Never,
    Partly,
    Wholly,
}

/// The request paths that an edge may hold.
pub(super) struct HeldPaths<'s, 'k> {
    site: &'s ShownSite<'s>,
    paths: Vec<HeldPath<'k>>,
}

impl<'s, 'k> HeldPaths<'s, 'k> {
    /// Takes every path of every key. A new path that an older key answered at is owed after all.
    pub(super) fn of(
        site: &'s ShownSite<'s>,
        changes: &[HeldAnswer],
        keys: impl IntoIterator<Item = (&'k str, Option<TagClass>)>,
        stale: &mut StalePaths,
    ) -> Self {
        let mut new: HashSet<&str> = changes.iter().map(|change| change.key.as_str()).collect();
        for old in changes.iter().filter(|change| change.before.is_some()) {
            new.remove(old.key.as_str());
        }
        let any_new = stale.spared.values().any(|why| *why == SparedReason::New);
        let is_spared = |path: &str| stale.spared.get(path) == Some(&SparedReason::New);
        let (mut held, mut answered) = (Vec::new(), Vec::new());
        for (key, sort) in keys {
            let is_older = any_new && !new.contains(key);
            for path in request_paths(site, key) {
                let behavior = path.behavior;
                let is_lost = behavior.origin_response.is_some();
                let by_tag = if path.kind == PathKind::FolderRedirect || is_lost {
                    // A redirect is no object's answer, and a Lambda may take the tags off.
                    ByTag::Never
                } else if behavior.origins.iter().all(|id| site.ours.contains(id)) {
                    ByTag::Wholly
                } else {
                    ByTag::Partly
                };
                if is_older && is_spared(&path.owed()) {
                    answered.push(path.owed());
                }
                held.push(HeldPath {
                    exact: !path.is_query() && path::is_exact(&path.text, site.dialect),
                    text: path.text,
                    new: new.contains(key),
                    by_tag,
                    key: site.tagged.then_some((key, sort)),
                    ..HeldPath::default()
                });
            }
        }
        for path in answered {
            stale.owe(path, OwedReason::Answered);
        }
        Self { site, paths: held }
    }

    /// Adds what is owed, and the single paths that other origins answer; sorts all of it. Nothing is added afterwards.
    pub(super) fn finish(&mut self, stale: &StalePaths) {
        for (owed, reason) in &stale.owed {
            let text = owed.strip_suffix('*').unwrap_or(owed);
            self.paths.push(HeldPath {
                text: text.into(),
                changed: true,
                exact: text == owed && path::is_exact(owed, self.site.dialect),
                by_tag: match reason {
                    OwedReason::Content | OwedReason::Headers | OwedReason::Removed => {
                        ByTag::Wholly
                    }
                    _ => ByTag::Never,
                },
                ..HeldPath::default()
            });
        }
        for behavior in &self.site.distribution.behaviors {
            if !self.site.is_ours(behavior) && !behavior.pattern.contains(['*', '?']) {
                self.paths.push(HeldPath {
                    text: behavior.literal_prefix(),
                    exact: true,
                    foreign: true,
                    ..HeldPath::default()
                });
            }
        }
        self.paths.sort_by(|a, b| a.text.cmp(&b.text));
    }

    fn runs(&self) -> impl Iterator<Item = &[HeldPath<'k>]> {
        self.paths.chunk_by(|a, b| a.text == b.text)
    }

    /// Returns each path once, sorted: changed if any of them is, and exact if all that changed are.
    pub(super) fn entries(&self, prices: &PurgePrices) -> Vec<UniverseEntry<'_>> {
        let entries = self.runs().filter_map(|run| {
            let changed = run.iter().any(|path| path.changed);
            let mut decide = run.iter().filter(|path| path.changed == changed);
            Some(UniverseEntry {
                text: &run.first()?.text,
                changed,
                exact: decide.all(|path| path.exact),
                weight: if run.iter().any(|path| path.foreign) {
                    prices.opaque
                } else if run.iter().all(|path| path.new) {
                    0
                } else {
                    prices.weight
                },
            })
        });
        entries.collect()
    }

    /// Returns the objects that tags may purge, with the entries that they are held under. None where nothing that changed is
    /// known to be held with its tags.
    pub(super) fn carriers<'e>(
        &self,
        changes: &[HeldAnswer],
        entries: &'e [UniverseEntry<'e>],
    ) -> Vec<Carrier<'e>>
    where
        'k: 'e,
    {
        // A redirect's answer carries no tags.
        let is_tagged = |change: &&HeldAnswer| {
            let before = change.before.as_ref();
            before.is_some_and(|before| before.tags.is_some() && before.redirect.is_none())
        };
        let (tagged, untagged): (Vec<&HeldAnswer>, Vec<&HeldAnswer>) =
            changes.iter().partition(is_tagged);
        let mut known: HashSet<&str> = tagged.iter().map(|change| change.key.as_str()).collect();
        // A tag finds none of the copies that came without it.
        for change in untagged {
            known.remove(change.key.as_str());
        }
        if known.is_empty() || !self.site.tagged {
            return Vec::new();
        }
        let mut carried: Vec<(&'k str, TagClass, CarriedPath<'e>)> = Vec::new();
        for (position, (run, entry)) in self.runs().zip(entries).enumerate() {
            let mut keys: Vec<(&'k str, Option<TagClass>, ByTag)> = Vec::new();
            for path in run {
                if let Some((key, sort)) = path.key
                    && !keys.iter().any(|(listed, ..)| *listed == key)
                {
                    keys.push((key, sort, path.by_tag));
                }
            }
            let is_wholly = |path: &HeldPath<'_>| path.by_tag == ByTag::Wholly && !path.foreign;
            let alone = keys.len() == 1 && entry.changed && run.iter().all(is_wholly);
            for (key, sort, by_tag) in keys {
                if let Some(sort) = sort.filter(|_| by_tag != ByTag::Never) {
                    let path = CarriedPath {
                        entry,
                        position,
                        whole: alone && known.contains(key),
                    };
                    carried.push((key, sort, path));
                }
            }
        }
        // Stable: an object's paths stay sorted.
        carried.sort_by_key(|(key, ..)| *key);
        let objects = carried.chunk_by(|a, b| a.0 == b.0);
        let carriers = objects.filter_map(|paths| {
            let (key, sort, _) = *paths.first()?;
            let paths = paths.iter().map(|(.., path)| *path).collect();
            Some(Carrier { key, sort, paths })
        });
        carriers.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::distribution::{Behavior, Distribution, Origin, WebsiteConfiguration};
    use super::super::purge::{OwedPurge, purge};
    use super::super::reason::{BodyName, ServedAnswer};
    use super::*;
    use crate::object::{HeaderFingerprint, Key};

    fn served(content: &str, tags: Option<TagClass>) -> ServedAnswer {
        ServedAnswer {
            content: BodyName::Named(content.into()),
            headers: HeaderFingerprint(0),
            cache_control: None,
            redirect: None,
            tags,
        }
    }

    fn changed(key: &str, before: ServedAnswer) -> HeldAnswer {
        HeldAnswer {
            key: Key::new(key),
            after: Some(served("after", before.tags)),
            before: Some(before),
            fingerprinted: false,
        }
    }

    fn site(distribution: &Distribution) -> ShownSite<'_> {
        let mut site = ShownSite::new(distribution, vec!["web".to_owned()]);
        site.tagged = true;
        site
    }

    fn distribution(origins: &[&str]) -> Distribution {
        Distribution {
            default_root_object: Some("index.html".to_owned()),
            origins: vec![Origin {
                id: "web".to_owned(),
                website: true,
                ..Origin::default()
            }],
            behaviors: vec![Behavior {
                origins: origins.iter().map(|id| (*id).to_owned()).collect(),
                ..Behavior::default()
            }],
            website: Some(WebsiteConfiguration::default()),
            ..Distribution::default()
        }
    }

    /// What is sent for one change, by tag as what the tag stands for.
    fn sent(site: &ShownSite<'_>, change: HeldAnswer, keys: &[&str]) -> Vec<String> {
        let keys = keys.iter().map(|key| (*key, Some(TagClass::Page)));
        let changes = [change];
        let owed = OwedPurge::new(site, &changes, &[], keys);
        let purge = purge(owed, &PurgePrices::default());
        let name = |pattern: &super::super::Pattern| match &pattern.tag {
            Some(tag) => format!("#{}", tag.of),
            None => pattern.text.clone(),
        };
        purge.cover.patterns.iter().map(name).collect()
    }

    #[test]
    fn a_tag_takes_only_what_is_certain_to_carry_it() {
        let page = || served("before", Some(TagClass::Page));
        let (key, index) = ("d/index.html", ["d/index.html"]);
        let plain = distribution(&["web"]);
        assert_eq!(
            sent(&site(&plain), changed(key, page()), &index),
            ["#d/index.html"]
        );
        let paths = ["/d/", "/d/index.html"];
        // Not known to carry it; a redirect; copies from before tags; another origin that answers at times.
        let unknown = ServedAnswer {
            tags: None,
            ..page()
        };
        assert_eq!(sent(&site(&plain), changed(key, unknown), &index), paths);
        let redirect = ServedAnswer {
            redirect: Some("/".into()),
            ..page()
        };
        let sent_for = sent(&site(&plain), changed(key, redirect), &index);
        let is_tag = |item: &String| item.starts_with('#');
        assert!(!sent_for.iter().any(is_tag), "{sent_for:?}");
        let mut untagged = site(&plain);
        untagged.tagged = false;
        assert_eq!(sent(&untagged, changed(key, page()), &index), paths);
        let mixed = distribution(&["web", "other"]);
        assert_eq!(sent(&site(&mixed), changed(key, page()), &index), paths);
        // Another object may have answered at /d/.
        let both = ["d/", "d/index.html"];
        assert_eq!(sent(&site(&plain), changed(key, page()), &both), paths);
        // The redirect from /d to /d/ carries no object's tags.
        let gone = HeldAnswer {
            after: None,
            ..changed(key, page())
        };
        assert_eq!(
            sent(&site(&plain), gone, &["d/index.html", "dx"]),
            ["#d/index.html", "/d"]
        );
    }

    /// Free paths for all: what is sent for so many changed posts, beside pages that stay and new ones.
    fn sent_for_posts(changed_posts: usize, stays: &[&str], new: &[&str]) -> Vec<String> {
        let plain = distribution(&["web"]);
        let mut site = site(&plain);
        site.tagged = false;
        let posts: Vec<String> = (0..changed_posts)
            .map(|post| format!("posts/{post:02}.html"))
            .collect();
        let mut changes: Vec<HeldAnswer> = posts
            .iter()
            .map(|post| changed(post, served("before", None)))
            .collect();
        changes.extend(new.iter().map(|key| HeldAnswer {
            before: None,
            ..changed(key, served("before", None))
        }));
        let keys = posts
            .iter()
            .map(String::as_str)
            .chain(stays.iter().chain(new).copied());
        let keys = keys.map(|key| (key, None));
        let owed = OwedPurge::new(&site, &changes, &[], keys);
        let purge = purge(owed, &PurgePrices::default());
        purge.cover.texts().map(str::to_owned).collect()
    }

    #[test]
    fn a_wildcard_counts_as_ten_paths_where_money_does_not_decide() {
        assert_eq!(sent_for_posts(9, &["x.html"], &[]).len(), 9);
        assert_eq!(sent_for_posts(12, &["x.html"], &[]), ["/posts/*"]);
    }

    #[test]
    fn a_new_page_does_not_break_a_wildcard() {
        assert_eq!(
            sent_for_posts(12, &["x.html"], &["posts/06-new.html"]),
            ["/posts/*"]
        );
        assert_eq!(
            sent_for_posts(12, &["x.html", "posts/06-old.html"], &[]).len(),
            12
        );
    }
}
