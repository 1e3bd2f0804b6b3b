//! All request paths of a site that an edge may hold, before and after a deploy: which of them are owed, and which objects'
//! cache tags could purge them.

use std::collections::HashSet;

use super::cover::Entry;
use super::distribution::Behavior;
use super::path;
use super::price::Prices;
use super::stale::{Change, Reason, Spared, Stale};
use super::tagged::{Carrier, Kept};
use super::urls::{Kind, Site};
use crate::domain::Sort;

#[derive(Clone, Copy, Default)]
struct Item {
    start: usize,
    len: u32,
    changed: bool,
    exact: bool,
    /// Another origin's path, which weighs more.
    other: bool,
    by_tag: ByTag,
    /// The position of the key that it was added for in [`Universe::keys`].
    key: Option<u32>,
}

/// Whether what is kept under a path carries the tags of the object that answers there.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum ByTag {
    #[default]
    Never,
    Partly,
    Wholly,
}

/// All request paths, in one piece of memory.
#[derive(Default)]
pub(super) struct Universe<'k> {
    texts: String,
    items: Vec<Item>,
    /// Where tags may be of use: the keys, and by which sort's tags edges may hold them.
    keys: Vec<(&'k str, Option<Sort>)>,
}

impl<'k> Universe<'k> {
    fn text(&self, item: &Item) -> &str {
        let end = item.start + item.len as usize;
        self.texts.get(item.start..end).unwrap_or_default()
    }

    fn push(&mut self, text: &str, item: Item) {
        let start = self.texts.len();
        self.texts.push_str(text);
        let len = text.len() as u32;
        self.items.push(Item { start, len, ..item });
    }

    /// Adds every path of every key. A new path that an older key answered at is owed after all.
    pub(super) fn add_keys(
        &mut self,
        site: &Site<'_>,
        changes: &[Change],
        keys: impl IntoIterator<Item = (&'k str, Option<Sort>)>,
        stale: &mut Stale,
    ) {
        let keys_of = |which: fn(&&Change) -> bool| -> HashSet<&str> {
            let changes = changes.iter().filter(which);
            changes.map(|change| change.key.as_str()).collect()
        };
        let mut new = keys_of(|change| change.before.is_none());
        if !new.is_empty() {
            let older = keys_of(|change| change.before.is_some());
            new.retain(|key| !older.contains(key));
        }
        let any_new = stale.spared.values().any(|why| *why == Spared::New);
        let is_spared = |path: &str| stale.spared.get(path) == Some(&Spared::New);
        let ours: Vec<ByTag> = behaviors_by_tag(site);
        let mut answered = Vec::new();
        for (key, sort) in keys {
            let older = any_new && !new.contains(key);
            let number = site.tagged.then_some(self.keys.len() as u32);
            if site.tagged {
                self.keys.push((key, sort));
            }
            site.visit_paths(key, &mut |text, kind, behavior| {
                let by_tag = match kind {
                    // A redirect is no object's answer.
                    Kind::FolderRedirect => ByTag::Never,
                    _ => ours.get(behavior).copied().unwrap_or_default(),
                };
                let item = Item {
                    exact: !text.ends_with('?') && path::is_exact(text, site.dialect),
                    by_tag,
                    key: number,
                    ..Item::default()
                };
                self.push(text, item);
                if older {
                    let all = format!("{text}*");
                    answered.extend(
                        [text, &all]
                            .into_iter()
                            .find(|path| is_spared(path))
                            .map(str::to_owned),
                    );
                }
            });
        }
        for path in answered {
            stale.owe(path, Reason::Answered);
        }
    }

    pub(super) fn add_owed(&mut self, site: &Site<'_>, stale: &Stale) {
        for (owed, reason) in &stale.owed {
            let text = owed.strip_suffix('*').unwrap_or(owed);
            let item = Item {
                changed: true,
                exact: text == owed && path::is_exact(owed, site.dialect),
                by_tag: match reason {
                    Reason::Content | Reason::Headers | Reason::Removed => ByTag::Wholly,
                    _ => ByTag::Never,
                },
                ..Item::default()
            };
            self.push(text, item);
        }
    }

    /// Adds the single paths that other origins answer.
    pub(super) fn add_others(&mut self, site: &Site<'_>) {
        for behavior in &site.distribution.behaviors {
            if !site.is_ours(behavior) && !behavior.pattern.contains(['*', '?']) {
                let item = Item {
                    exact: true,
                    other: true,
                    ..Item::default()
                };
                self.push(&behavior.literal_prefix(), item);
            }
        }
    }

    pub(super) fn sort(&mut self) {
        let mut items = std::mem::take(&mut self.items);
        items.sort_by(|a, b| self.text(a).cmp(self.text(b)));
        self.items = items;
    }

    /// The objects that tags may purge, by the places that [`Universe::settle`] will leave the sorted paths at. None where
    /// nothing that changed is known to be held with its tags.
    pub(super) fn carriers<'c>(&self, changes: &'c [Change]) -> Vec<Carrier<'k>> {
        // A redirect's answer carries no tags.
        let tagged = |change: &Change| {
            let before = change.before.as_ref();
            before.is_some_and(|before| before.tags.is_some() && before.redirect.is_none())
        };
        let mut known: HashSet<&str> = HashSet::new();
        if !self.keys.is_empty() {
            let name = |change: &'c Change| change.key.as_str();
            known.extend(changes.iter().filter(|change| tagged(change)).map(name));
            // A tag finds none of the copies that came without it.
            for change in changes.iter().filter(|change| !tagged(change)) {
                known.remove(change.key.as_str());
            }
        }
        if known.is_empty() {
            return Vec::new();
        }
        let mut links: Vec<(u32, Kept)> = Vec::new();
        let runs = self.items.chunk_by(|a, b| self.text(a) == self.text(b));
        for (entry, run) in runs.enumerate() {
            self.link(entry, run, &known, &mut links);
        }
        links.sort_by_key(|(key, kept)| (*key, kept.entry));
        let of_one = links.chunk_by(|a, b| a.0 == b.0);
        let carrier = |links: &[(u32, Kept)]| {
            let (key, sort) = self.keys.get(links.first()?.0 as usize)?;
            Some(Carrier {
                key,
                sort: (*sort)?,
                paths: links.iter().map(|(_, kept)| *kept).collect(),
            })
        };
        of_one.filter_map(carrier).collect()
    }

    /// Notes which objects may be held under one path, and whether a tag takes all that is owed there.
    fn link(
        &self,
        entry: usize,
        run: &[Item],
        known: &HashSet<&str>,
        links: &mut Vec<(u32, Kept)>,
    ) {
        let name = |number: u32| self.keys.get(number as usize).map(|(key, _)| *key);
        let mut keys: Vec<(u32, ByTag)> = Vec::new();
        for item in run {
            if let Some(number) = item.key
                && !keys.iter().any(|(other, _)| name(*other) == name(number))
            {
                keys.push((number, item.by_tag));
            }
        }
        let wholly = |item: &Item| item.by_tag == ByTag::Wholly && !item.other;
        let alone =
            keys.len() == 1 && run.iter().any(|item| item.changed) && run.iter().all(wholly);
        for (number, by_tag) in keys {
            let tagged = self
                .keys
                .get(number as usize)
                .is_some_and(|(_, sort)| sort.is_some());
            if by_tag != ByTag::Never && tagged {
                let whole = alone && name(number).is_some_and(|key| known.contains(key));
                links.push((number, Kept { entry, whole }));
            }
        }
    }

    /// Leaves each of the sorted paths once: changed if any of them is, and exact if all that changed are.
    pub(super) fn settle(&mut self) {
        let mut items = std::mem::take(&mut self.items);
        items.dedup_by(|next, kept| {
            let same = self.text(next) == self.text(kept);
            if same {
                kept.exact = match (kept.changed, next.changed) {
                    (true, false) => kept.exact,
                    (false, true) => next.exact,
                    _ => kept.exact && next.exact,
                };
                kept.changed |= next.changed;
                kept.other |= next.other;
            }
            same
        });
        self.items = items;
    }

    pub(super) fn entries(&self, prices: &Prices) -> Vec<Entry<'_>> {
        let entry = |item: &Item| Entry {
            text: self.text(item),
            changed: item.changed,
            exact: item.exact,
            weight: if item.other {
                prices.opaque
            } else {
                prices.weight
            },
        };
        self.items.iter().map(entry).collect()
    }
}

/// Whether the answers under each behavior carry tags: all of them where it leads to our origins alone.
fn behaviors_by_tag(site: &Site<'_>) -> Vec<ByTag> {
    let by_tag =
        |behavior: &Behavior| match behavior.origins.iter().all(|id| site.ours.contains(id)) {
            true => ByTag::Wholly,
            false => ByTag::Partly,
        };
    site.distribution.behaviors.iter().map(by_tag).collect()
}

#[cfg(test)]
mod tests {
    use super::super::distribution::{Distribution, Origin};
    use super::super::purge::purge;
    use super::super::stale::{Change, Content, Served};
    use super::*;
    use crate::domain::{HeaderFingerprint, Key};

    fn served(content: &str, tags: Option<Sort>) -> Served {
        Served {
            content: Content::Named(content.into()),
            headers: HeaderFingerprint(0),
            cache_control: None,
            redirect: None,
            tags,
        }
    }

    fn changed(key: &str, before: Served) -> Change {
        Change {
            key: Key::new(key),
            after: Some(served("after", before.tags)),
            before: Some(before),
            fingerprinted: false,
        }
    }

    fn site(distribution: &Distribution) -> Site<'_> {
        let mut site = Site::new(distribution, vec!["web".to_owned()]);
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
            ..Distribution::default()
        }
    }

    /// What is sent for one change, by tag as what the tag stands for.
    fn sent(site: &Site<'_>, change: Change, keys: &[&str]) -> Vec<String> {
        let keys = keys.iter().map(|key| (*key, Some(Sort::Page)));
        let found = purge(site, &[change], &[], keys, &[], &Prices::default());
        let name = |it: &super::super::Pattern| match &it.tag {
            Some(tag) => format!("#{}", tag.of),
            None => it.text.clone(),
        };
        found.cover.patterns.iter().map(name).collect()
    }

    #[test]
    fn a_tag_takes_only_what_is_certain_to_carry_it() {
        let page = || served("before", Some(Sort::Page));
        let (key, index) = ("d/index.html", ["d/index.html"]);
        let plain = distribution(&["web"]);
        assert_eq!(
            sent(&site(&plain), changed(key, page()), &index),
            ["#d/index.html"]
        );
        let paths = ["/d/*"];
        // Not known to carry it; a redirect; copies from before tags; another origin that answers at times.
        let unknown = Served {
            tags: None,
            ..page()
        };
        assert_eq!(sent(&site(&plain), changed(key, unknown), &index), paths);
        let redirect = Served {
            redirect: Some("/".into()),
            ..page()
        };
        let found = sent(&site(&plain), changed(key, redirect), &index);
        assert!(!found.iter().any(|item| item.starts_with('#')), "{found:?}");
        let mut untagged = site(&plain);
        untagged.tagged = false;
        assert_eq!(sent(&untagged, changed(key, page()), &index), paths);
        let mixed = distribution(&["web", "other"]);
        assert_eq!(sent(&site(&mixed), changed(key, page()), &index), paths);
        // Another object may have answered at /d/.
        let both = ["d/", "d/index.html"];
        assert_eq!(sent(&site(&plain), changed(key, page()), &both), paths);
        // The redirect from /d to /d/ carries no object's tags.
        let gone = Change {
            after: None,
            ..changed(key, page())
        };
        assert_eq!(
            sent(&site(&plain), gone, &["d/index.html", "dx"]),
            ["#d/index.html", "/d"]
        );
    }
}
