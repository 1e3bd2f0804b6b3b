//! URLs of pages that readers may have kept, and that will answer with an error.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::facts::is_alive;
use super::{Change, Plan};
use crate::edge::answers::{ConfiguredAnswers, PathAnswer};
use crate::edge::{PathKind, ShownSite, request_paths};
use crate::object::gone::GonePage;
use crate::object::manifest::Manifest;
use crate::object::{Key, Md5};
use crate::rules::content_type::content_type;
use crate::rules::page;
use crate::rules::redirect::{Redirect, normal_path};
use crate::rules::redirects::Redirects;

/// One URL that was live and is no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LostUrl {
    /// The shortest request path at which the page answered: `/about/`.
    pub path: String,
    pub key: Key,
    /// Unix seconds of the deploy that put it there first, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_since: Option<i64>,
    /// Unix seconds of the deploy that removed it; none where the one at hand does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_since: Option<i64>,
    /// Pages of the build that link there.
    pub linked_from: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<SuccessorPage>,
}

/// The page that a lost one has become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SuccessorPage {
    /// Its shortest request path.
    pub path: String,
    pub sameness: PageSameness,
}

/// By what a page is known to be another's successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageSameness {
    Content,
    /// No other page has it.
    Title,
}

/// Pages that are not there once the plan is carried out.
#[derive(Clone, Debug, Default)]
pub struct DepartedPages {
    /// Those that the plan deletes.
    pub now: BTreeMap<Key, GonePage>,
    /// Those that left with earlier deploys.
    pub earlier: BTreeMap<Key, GonePage>,
}

/// What lost URLs follow from, besides the plan.
pub struct LostFacts<'a> {
    pub manifest: &'a Manifest,
    /// The site as each distribution shows it, and the host that viewers ask.
    pub sites: &'a [(ShownSite<'a>, String)],
    /// Redirects that a function may have in its store, of which its code does not tell.
    pub redirects: &'a [&'a Redirect],
    /// Keys that errors are answered with, besides those that the distributions name.
    pub error_documents: &'a [String],
    /// Unix seconds.
    pub now: i64,
}

impl LostUrl {
    /// Returns the redirect that keeps it, where its successor is known. A path may be one that redirects cannot say: `/a/:b`.
    fn kept(&self) -> Option<Redirect> {
        let successor = self.successor.as_ref()?;
        let redirect = Redirect::new(&self.path, &successor.path);
        let is_sound = redirect.is_plain() && Redirects::compile(vec![redirect.clone()]).is_ok();
        is_sound.then_some(redirect)
    }

    /// Writes the line of `_redirects` that keeps it, where its successor is known: `/about/ /me/ 301`.
    pub fn redirect(&self) -> Option<String> {
        let Redirect {
            from, to, status, ..
        } = self.kept()?;
        Some(format!("{from} {to} {status}"))
    }
}

/// Returns the pages that a plan deletes and whose URLs readers may have kept: no assets, no error documents, no redirects.
pub fn leaving(plan: &Plan, facts: &LostFacts) -> BTreeMap<Key, GonePage> {
    let mut pages = BTreeMap::new();
    for deletion in plan.deletions.iter().filter(|it| !it.fingerprinted) {
        let key = &deletion.key;
        let entry = facts.manifest.entries.get(key);
        let served = entry.and_then(|entry| facts.manifest.tables.served(entry.served));
        let told = served.and_then(|served| served.content_type.as_deref());
        let is_redirect = served.is_some_and(|served| served.redirect.is_some());
        if is_redirect || !facts.is_bookmarked(key, told) {
            continue;
        }
        let first = entry.and_then(|entry| facts.manifest.tables.deploy_at(entry.first));
        let digest = match entry {
            Some(entry) => entry.content(),
            None => deletion.etag.md5(),
        };
        let page = GonePage {
            since: first.map(|deploy| deploy.at),
            at: facts.now,
            digest: digest.filter(|_| deletion.size > 0),
            title: None,
        };
        pages.insert(key.clone(), page);
    }
    pages
}

/// Finds the URLs of departed pages that will answer with an error. Those of pages that left earlier count only where a page of the
/// build links there. Those that are lost now come first; each sort by path.
pub fn find(plan: &Plan, facts: &LostFacts, departed: &DepartedPages) -> Vec<LostUrl> {
    let after = KeysAfter::new(plan);
    let has = |key: &str| after.has(key);
    let views = facts.sites.iter().map(|(site, host)| ViewedSite {
        site,
        answers: ConfiguredAnswers::new(site, host, &has),
        redirects: facts.redirects,
    });
    let views: Vec<ViewedSite> = views.collect();
    let successors = Successors::new(plan, facts, &after, departed);
    let mut lost: Vec<LostUrl> = Vec::new();
    let earlier = departed.earlier.iter().map(|page| (page, true));
    for ((key, gone), is_earlier) in departed.now.iter().map(|page| (page, false)).chain(earlier) {
        let linked_from = linking_pages(plan, key.as_str()).len() as u64;
        if has(key.as_str()) || is_earlier && linked_from == 0 {
            continue;
        }
        let losing = views.iter().find_map(|view| {
            let path = view.path(key.as_str())?;
            view.fails(&path).then_some((view, path))
        });
        let Some((view, path)) = losing else { continue };
        // A folder's own key and its index document answer at one URL.
        if lost.iter().any(|lost| lost.path == path) {
            continue;
        }
        let successor = successors.of(key, gone).and_then(|(page, sameness)| {
            let path = view.path(page.as_str())?;
            (!view.fails(&path)).then_some(SuccessorPage { path, sameness })
        });
        lost.push(LostUrl {
            path,
            key: key.clone(),
            live_since: gone.since,
            gone_since: is_earlier.then_some(gone.at),
            linked_from,
            successor,
        });
    }
    lost.sort_by(|one, other| {
        let order = |url: &LostUrl| (url.gone_since.is_some(), url.path.clone());
        order(one).cmp(&order(other))
    });
    lost
}

/// Returns the pages of the build that link to a key, by any path that folders and endings give it.
fn linking_pages<'p>(plan: &'p Plan, key: &str) -> BTreeSet<&'p Key> {
    let dead = plan.links.iter().map(|links| &links.dead);
    let linked = dead.flat_map(|dead| link_forms(key).filter_map(|form| dead.get(form)));
    linked.flatten().collect()
}

/// Returns what a link to a key may name: `about/index.html`, `about/`, `about`; or `about.html`, `about`.
pub fn link_forms(key: &str) -> impl Iterator<Item = &str> {
    let folder = page::folder_of_index(key).filter(|folder| *folder != key);
    let bare = folder.map(|folder| folder.trim_end_matches('/'));
    let stem = key.strip_suffix(".html").filter(|_| folder.is_none());
    [Some(key), folder, bare, stem].into_iter().flatten()
}

impl LostFacts<'_> {
    fn is_bookmarked(&self, key: &Key, told: Option<&str>) -> bool {
        let by_name = || content_type(key.as_str(), None, &[]);
        let content_type = told.map_or_else(by_name, Into::into);
        let is_error = |site: &ShownSite| site.error_page_keys().contains(key.as_str());
        page::is_bookmarked(key.as_str(), &content_type)
            && !self
                .error_documents
                .iter()
                .any(|error| *error == key.as_str())
            && !self.sites.iter().any(|(site, _)| is_error(site))
    }
}

/// The keys of the site once a plan is carried out.
struct KeysAfter<'p> {
    plan: &'p Plan,
    deleted: HashSet<&'p Key>,
}

impl<'p> KeysAfter<'p> {
    fn new(plan: &'p Plan) -> Self {
        let deleted = plan.deletions.iter().map(|deletion| &deletion.key);
        Self {
            plan,
            deleted: deleted.collect(),
        }
    }

    fn has(&self, key: &str) -> bool {
        // The merge went through them in their order.
        let keys = &self.plan.moves.keys;
        let found = keys.binary_search_by(|other| other.as_str().cmp(key));
        let key = found.ok().and_then(|position| keys.get(position));
        key.is_some_and(|key| !self.deleted.contains(key))
    }
}

/// The site as viewers of one distribution find it.
struct ViewedSite<'a> {
    site: &'a ShownSite<'a>,
    answers: ConfiguredAnswers<'a>,
    redirects: &'a [&'a Redirect],
}

impl ViewedSite<'_> {
    /// Returns the shortest path that leads to a key, `/about/` before `/about`.
    fn path(&self, key: &str) -> Option<String> {
        let paths = request_paths(self.site, key).into_iter();
        let paths = paths.filter(|path| !path.is_query() && path.kind != PathKind::FolderRedirect);
        let paths: BTreeSet<String> = paths.map(|path| path.text).collect();
        let is_bare = |path: &str| paths.contains(&format!("{path}/"));
        let whole = paths.iter().filter(|path| !is_bare(path));
        // A plus that stands for a space reads like none.
        let shortest = whole.min_by_key(|path| (path.contains('+'), path.len()));
        shortest.cloned()
    }

    /// Tells whether a path of the site answers with an error, as far as that can be told.
    fn fails(&self, path: &str) -> bool {
        let mut functions = self.answers.functions();
        let mut stored = self.redirects.iter();
        if functions.any(|function| function.stored)
            && stored.any(|it| it.is_plain() && normal_path(it.path()) == normal_path(path))
        {
            return false;
        }
        match self.answers.at(path) {
            // What somebody else's function does besides, nobody knows.
            Some((_, answers)) => !answers.iter().any(|answer| match answer {
                PathAnswer::Object { .. } | PathAnswer::Redirect { .. } => true,
                PathAnswer::Error { status, .. } => *status < 400,
                PathAnswer::ForeignRedirect => false,
            }),
            None => {
                let website = self.site.distribution.website.as_ref();
                !website.is_some_and(|website| website.redirects_errors)
            }
        }
    }
}

/// What departed pages may have become.
struct Successors<'a> {
    facts: &'a LostFacts<'a>,
    /// The pages that stay or come, by what is stored, and whether they are new.
    by_digest: HashMap<Md5, Vec<(&'a Key, bool)>>,
    new: HashSet<&'a Key>,
    /// Of the build, each with its only page.
    titles: Option<&'a BTreeMap<Box<str>, Key>>,
    /// Titles of departed pages that more than one had.
    common: HashSet<&'a str>,
}

impl<'a> Successors<'a> {
    fn new(
        plan: &'a Plan,
        facts: &'a LostFacts<'a>,
        after: &KeysAfter,
        departed: &'a DepartedPages,
    ) -> Self {
        let pages = || departed.now.values().chain(departed.earlier.values());
        let (mut titles, mut common) = (HashSet::new(), HashSet::new());
        for title in pages().filter_map(|page| page.title.as_deref()) {
            common.extend((!titles.insert(title)).then_some(title));
        }
        let new = plan.changes.iter().filter(|change| is_new(change));
        let digests = pages().filter_map(|page| page.digest).collect();
        Self {
            facts,
            by_digest: by_digest(plan, facts, after, digests),
            new: new.map(|change| &change.key).collect(),
            titles: plan.links.as_ref().map(|links| &links.titles),
            common,
        }
    }

    /// Returns what a page has become: the page with its content, a new one before others and then the one whose name is the most
    /// like its own; or else the one with its title.
    fn of(&self, key: &Key, gone: &GonePage) -> Option<(&'a Key, PageSameness)> {
        let same = gone.digest.and_then(|digest| self.by_digest.get(&digest));
        let nearest = same.into_iter().flatten().max_by_key(|(page, is_new)| {
            let likeness = likeness(page.as_str(), key.as_str());
            (*is_new, likeness, std::cmp::Reverse(page.as_str()))
        });
        if let Some((page, _)) = nearest {
            return Some((page, PageSameness::Content));
        }
        let title = gone.title.as_deref()?;
        let page = self.titles?.get(title)?;
        let is_own = !self.common.contains(title) && self.came_since(page, gone.at);
        is_own.then_some((page, PageSameness::Title))
    }

    /// Tells whether a page came when another left, or later. One that was there before had that title beside it.
    fn came_since(&self, page: &Key, left: i64) -> bool {
        let manifest = self.facts.manifest;
        let first = || manifest.tables.deploy_at(manifest.entries.get(page)?.first);
        self.new.contains(page) || first().is_some_and(|deploy| deploy.at >= left)
    }
}

fn is_new(change: &Change) -> bool {
    change.before.is_none()
}

/// Returns the pages that hold these contents once a plan is carried out, and whether they are new.
fn by_digest<'a>(
    plan: &'a Plan,
    facts: &'a LostFacts<'a>,
    after: &KeysAfter,
    digests: HashSet<Md5>,
) -> HashMap<Md5, Vec<(&'a Key, bool)>> {
    let mut pages: HashMap<Md5, Vec<(&Key, bool)>> = HashMap::new();
    if digests.is_empty() {
        return pages;
    }
    let mut changed: HashSet<&Key> = HashSet::new();
    for change in &plan.changes {
        changed.insert(&change.key);
        let told = change.headers.content_type.as_deref();
        if digests.contains(&change.md5) && facts.is_bookmarked(&change.key, told) {
            let page = (&change.key, is_new(change));
            pages.entry(change.md5).or_default().push(page);
        }
    }
    for (key, entry) in &facts.manifest.entries {
        let content = entry.content().filter(|content| digests.contains(content));
        let stays = is_alive(entry) && !changed.contains(key) && after.has(key.as_str());
        let served = facts.manifest.tables.served(entry.served);
        let told = served.and_then(|served| served.content_type.as_deref());
        if let Some(content) = content.filter(|_| stays && facts.is_bookmarked(key, told)) {
            pages.entry(content).or_default().push((key, false));
        }
    }
    pages
}

/// Counts the letters in which two names begin and end alike.
fn likeness(one: &str, other: &str) -> usize {
    let ahead = one.bytes().zip(other.bytes());
    let behind = one.bytes().rev().zip(other.bytes().rev());
    ahead.take_while(|(one, other)| one == other).count()
        + behind.take_while(|(one, other)| one == other).count()
}
