//! URLs of pages that readers may have kept, and that will answer with an error.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::facts::is_alive;
use super::{Change, Plan};
use crate::edge::answers::{ConfiguredAnswers, PathAnswer};
use crate::edge::{PathKind, ShownSite, request_paths};
use crate::object::entry::ManifestEntry;
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
    /// Those that the plan deletes, or finds deleted.
    pub now: BTreeMap<Key, GonePage>,
    /// Those that left with earlier deploys.
    pub earlier: BTreeMap<Key, GonePage>,
}

/// What lost URLs follow from, besides the plan.
pub struct LostFacts<'a> {
    pub manifest: &'a Manifest,
    /// The site as each distribution shows it, and the host that viewers ask.
    pub sites: &'a [(ShownSite<'a>, String)],
    /// Those of the site: what a function has in its store, its code does not tell.
    pub redirects: &'a [&'a Redirect],
    /// Keys that errors are answered with, besides those that the distributions name.
    pub error_documents: &'a [String],
    /// Unix seconds.
    pub now: i64,
}

impl LostUrl {
    /// Returns the redirect that keeps it, where its successor is known. That may have a path that redirects cannot say: `/a/:b`.
    pub fn kept(&self) -> Option<Redirect> {
        let successor = self.successor.as_ref()?;
        // What means something in redirects means itself when it is encoded.
        let from = self.path.replace(':', "%3A").replace('*', "%2A");
        let redirect = Redirect::new(from, &successor.path);
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

/// Returns the pages that go with a plan, or went without one, and whose URLs readers may have kept: no assets, no error documents, no
/// redirects.
pub fn leaving(plan: &Plan, facts: &LostFacts) -> BTreeMap<Key, GonePage> {
    let tables = &facts.manifest.tables;
    let deleted = plan.deletions.iter().filter(|it| !it.fingerprinted);
    let deleted = deleted.map(|deletion| (&deletion.key, deletion.etag.md5()));
    // A deploy that died deleted them, or somebody else.
    let vanished = plan.vanished.iter().map(|key| (key, None));
    let mut pages = BTreeMap::new();
    for (key, etag) in deleted.chain(vanished) {
        let entry = facts.manifest.entries.get(key);
        let served = entry.and_then(|entry| tables.served(entry.served));
        let told = served.and_then(|served| served.content_type.as_deref());
        let is_redirect = served.is_some_and(|served| served.redirect.is_some());
        if is_redirect || !facts.is_bookmarked(key, told) {
            continue;
        }
        let first = entry.and_then(|entry| tables.deploy_at(entry.first));
        let digest = entry.map_or(etag, ManifestEntry::content);
        let page = GonePage {
            since: first.map(|deploy| deploy.at),
            at: facts.now,
            digest: digest.filter(|digest| *digest != Md5::EMPTY),
            title: None,
        };
        pages.insert(key.clone(), page);
    }
    pages
}

/// Finds the URLs of departed pages that will answer with an error. Those of pages that left earlier count only where a page of the
/// build links there. Those that are lost now come first; each sort by path.
pub fn find(plan: &Plan, facts: &LostFacts, departed: &DepartedPages) -> Vec<LostUrl> {
    if departed.now.is_empty() && departed.earlier.is_empty() {
        return Vec::new();
    }
    let has = keys_after(plan);
    let plain = facts.redirects.iter().filter(|it| it.is_plain());
    let redirected: HashSet<String> = plain.map(|it| normal_path(it.path())).collect();
    let views = facts.sites.iter().map(|(site, host)| ViewedSite {
        site,
        answers: ConfiguredAnswers::new(site, host, &has),
        redirected: &redirected,
    });
    let views: Vec<ViewedSite> = views.collect();
    let successors = Successors::new(plan, facts, &has, departed);
    let (mut lost, mut paths) = (Vec::new(), HashSet::new());
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
        if !paths.insert(path.clone()) {
            continue;
        }
        let successor = successors.of(key, gone).and_then(|(page, sameness)| {
            let path = view.path(page.as_str())?;
            // One that is led away from may lead back: a page that moved, and moves home.
            let stays = !redirected.contains(&normal_path(&path)) && !view.fails(&path);
            stays.then_some(SuccessorPage { path, sameness })
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
    lost.sort_by_cached_key(|url| (url.gone_since.is_some(), url.path.clone()));
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
        let key = key.as_str();
        page::is_bookmarked(key, &content_type)
            && !self.error_documents.iter().any(|error| error == key)
            && !(self.sites.iter()).any(|(site, _)| site.error_page_keys().contains(key))
    }
}

/// Returns what tells whether the site has a key once the plan is carried out.
fn keys_after(plan: &Plan) -> impl Fn(&str) -> bool {
    let deletions = plan.deletions.iter();
    let deleted: HashSet<&Key> = deletions.map(|deletion| &deletion.key).collect();
    move |key| {
        // The merge went through them in their order.
        let keys = &plan.moves.keys;
        let found = keys.binary_search_by(|other| other.as_str().cmp(key));
        let key = found.ok().and_then(|position| keys.get(position));
        key.is_some_and(|key| !deleted.contains(key))
    }
}

/// The site as viewers of one distribution find it.
struct ViewedSite<'a> {
    site: &'a ShownSite<'a>,
    answers: ConfiguredAnswers<'a>,
    /// The normal paths that redirects answer.
    redirected: &'a HashSet<String>,
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
        let is_stored = functions.any(|function| function.stored);
        if is_stored && self.redirected.contains(&normal_path(path)) {
            return false;
        }
        match self.answers.at(path) {
            // What somebody else's function does besides, nobody knows.
            Some((_, answers)) => !answers.iter().any(|answer| match answer {
                PathAnswer::Object { .. } | PathAnswer::Redirect { .. } => true,
                PathAnswer::Error { status, .. } => *status < 400,
                PathAnswer::ForeignRedirect => false,
            }),
            // Another origin may have it, or S3 sends viewers of errors elsewhere.
            None => {
                let distribution = self.site.distribution;
                let behavior = distribution.behavior_of(path);
                let website = distribution.website.as_ref();
                !behavior.is_some_and(|behavior| behavior.fails_over)
                    && !website.is_some_and(|website| website.redirects_errors)
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
    titles: Option<&'a HashMap<Box<str>, Key>>,
    /// Titles of departed pages that more than one had.
    common: HashSet<&'a str>,
}

impl<'a> Successors<'a> {
    fn new(
        plan: &'a Plan,
        facts: &'a LostFacts<'a>,
        has: impl Fn(&str) -> bool,
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
            by_digest: by_digest(plan, facts, has, digests),
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
    has: impl Fn(&str) -> bool,
    digests: HashSet<Md5>,
) -> HashMap<Md5, Vec<(&'a Key, bool)>> {
    let mut pages: HashMap<Md5, Vec<(&Key, bool)>> = HashMap::new();
    if digests.is_empty() {
        return pages;
    }
    let changes = plan.changes.iter();
    let changed: HashSet<&Key> = changes.clone().map(|change| &change.key).collect();
    let changes = changes.map(|change| {
        let told = change.headers.content_type.as_deref();
        (&change.key, Some(change.md5), told, is_new(change))
    });
    let claimed = plan.claimed.iter().map(|claimed| {
        let content = claimed.digest.or_else(|| claimed.etag.md5());
        (&claimed.key, content, None, true)
    });
    let tables = &facts.manifest.tables;
    let entries = facts.manifest.entries.iter();
    let live = entries.filter(|(_, entry)| is_alive(entry));
    let live = live.map(|(key, entry)| {
        let served = tables.served(entry.served);
        let told = served.and_then(|served| served.content_type.as_deref());
        (key, entry.content(), told, false)
    });
    let stay = claimed.chain(live);
    let stay = stay.filter(|(key, ..)| !changed.contains(key) && has(key.as_str()));
    for (key, content, told, new) in changes.chain(stay) {
        let content = content.filter(|content| digests.contains(content));
        if let Some(content) = content.filter(|_| facts.is_bookmarked(key, told)) {
            pages.entry(content).or_default().push((key, new));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::order::UploadRank;
    use super::super::{ChangeAction, Deletion, KeyDifferences, Reason};
    use super::*;
    use crate::edge::{Behavior, Distribution, ErrorResponse, Origin, WebsiteConfiguration};
    use crate::object::manifest::{DeployId, DeployRef, ServedHeaders};
    use crate::object::{ETag, Headers};
    use crate::rules::edge_function::EdgeFunction;
    use crate::rules::link_report::LinkReport;

    const NOW: i64 = 1_000;

    fn md5(content: u8) -> Md5 {
        match content {
            0 => Md5::EMPTY,
            content => Md5([content; 16]),
        }
    }

    /// A site, and a plan that changes it.
    struct Scene {
        plan: Plan,
        manifest: Manifest,
        distribution: Distribution,
        departed: DepartedPages,
        titles: Vec<(&'static str, &'static str)>,
    }

    impl Scene {
        /// `live` are keys with their contents and when they came, `built` keys with their contents.
        fn new(live: &[(&str, u8, i64)], built: &[(&str, u8)]) -> Self {
            let (mut plan, mut manifest) = (Plan::default(), Manifest::default());
            for (key, content, at) in live {
                let id = DeployId::new(format!("d{at}"));
                let deploy = manifest.tables.deploy(DeployRef { id, at: *at });
                let served = manifest.tables.serve(ServedHeaders {
                    content_type: Some(content_type(key, None, &[]).into_owned()),
                    ..ServedHeaders::default()
                });
                let etag = ETag::Md5(md5(*content));
                let headers = Headers::default().fingerprint();
                let entry = ManifestEntry::new(etag.clone(), headers, served, [deploy; 2]);
                manifest.entries.extend([(Key::new(key), entry)]);
                if !built.iter().any(|(other, _)| other == key) {
                    plan.deletions.push(Deletion {
                        key: Key::new(key),
                        etag,
                        size: u64::from(*content),
                        page: true,
                        fingerprinted: false,
                        retained: false,
                    });
                }
            }
            for (key, content) in built {
                let before = live.iter().find(|(other, ..)| other == key);
                let before = before.map(|(_, content, _)| ETag::Md5(md5(*content)));
                let md5 = md5(*content);
                if before != Some(ETag::Md5(md5)) {
                    plan.changes.push(change(key, md5, before));
                }
            }
            let keys = live.iter().map(|(key, ..)| key);
            let keys: BTreeSet<Key> = keys
                .chain(built.iter().map(|(key, _)| key))
                .map(Key::new)
                .collect();
            plan.moves = Arc::new(KeyDifferences {
                keys: keys.into_iter().collect(),
                ..KeyDifferences::default()
            });
            Self {
                plan,
                manifest,
                distribution: website(),
                departed: DepartedPages::default(),
                titles: Vec::new(),
            }
        }

        /// What pages of the bucket say their titles are.
        fn titled(mut self, titles: &[(&'static str, &'static str)]) -> Self {
            self.titles = titles.to_vec();
            self
        }

        /// Titles that one page of the build has, and what its pages link to in vain.
        fn links(mut self, titles: &[(&str, &str)], dead: &[(&str, &[&str])]) -> Self {
            let titles = titles
                .iter()
                .map(|(title, key)| ((*title).into(), Key::new(key)));
            let pages = |pages: &[&str]| pages.iter().map(Key::new).collect();
            self.plan.links = Some(LinkReport {
                titles: titles.collect(),
                dead: dead
                    .iter()
                    .map(|(to, from)| ((*to).to_owned(), pages(from)))
                    .collect(),
                ..LinkReport::default()
            });
            self
        }

        fn find(&mut self) -> Vec<LostUrl> {
            let site = ShownSite::new(&self.distribution, vec!["s3".to_owned()]);
            let sites = [(site, "www.example.com".to_owned())];
            let facts = LostFacts {
                manifest: &self.manifest,
                sites: &sites,
                redirects: &[],
                error_documents: &["404.html".to_owned()],
                now: NOW,
            };
            let mut departed = self.departed.clone();
            departed.now = leaving(&self.plan, &facts);
            for (key, title) in &self.titles {
                departed.now.get_mut(*key).unwrap().title = Some((*title).into());
            }
            find(&self.plan, &facts, &departed)
        }

        /// Each lost URL with what it has become: `/a/ = /b/` by content, `/a/ ~ /b/` by title.
        fn told(&mut self) -> Vec<String> {
            let told = |lost: LostUrl| {
                let successor = lost.successor.map(|it| match it.sameness {
                    PageSameness::Content => format!(" = {}", it.path),
                    PageSameness::Title => format!(" ~ {}", it.path),
                });
                format!("{}{}", lost.path, successor.unwrap_or_default())
            };
            self.find().into_iter().map(told).collect()
        }
    }

    fn change(key: &str, md5: Md5, before: Option<ETag>) -> Change {
        let headers = Headers {
            content_type: Some(content_type(key, None, &[]).into_owned()),
            ..Headers::default()
        };
        Change {
            key: Key::new(key),
            action: ChangeAction::Upload,
            reason: Reason::New,
            size: 1,
            md5,
            fingerprint: headers.fingerprint(),
            headers: Arc::new(headers),
            rank: UploadRank::Feed,
            before,
        }
    }

    fn rest() -> Distribution {
        Distribution {
            default_root_object: Some("index.html".to_owned()),
            origins: vec![Origin {
                id: "s3".to_owned(),
                ..Origin::default()
            }],
            behaviors: vec![Behavior {
                pattern: "*".to_owned(),
                origins: vec!["s3".to_owned()],
                ..Behavior::default()
            }],
            ..Distribution::default()
        }
    }

    fn website() -> Distribution {
        let mut distribution = rest();
        distribution.origins[0].website = true;
        distribution.website = Some(WebsiteConfiguration::default());
        distribution
    }

    #[test]
    fn a_move_is_known_by_its_content() {
        for (live, built, right) in [
            // A page alone, and one that moved.
            (&[("about/index.html", 1, 5)][..], &[][..], &["/about/"][..]),
            (
                &[("about/index.html", 1, 5)],
                &[("me/index.html", 1)],
                &["/about/ = /me/"],
            ),
            // One that has been there for long has the same content, and a new one goes before it.
            (
                &[("about/index.html", 1, 5), ("me/index.html", 1, 5)],
                &[("me/index.html", 1)],
                &["/about/ = /me/"],
            ),
            (
                &[("a/b/index.html", 1, 5), ("a/c/index.html", 1, 5)],
                &[("a/c/index.html", 1), ("z.html", 1)],
                &["/a/b/ = /z.html"],
            ),
            // Of several new ones the nearest name.
            (
                &[("blog/a/index.html", 1, 5)],
                &[("posts/b/index.html", 1), ("posts/a/index.html", 1)],
                &["/blog/a/ = /posts/a/"],
            ),
            // Its content is elsewhere as what is no page.
            (&[("a.html", 1, 5)], &[("a.txt", 1)], &["/a.html"]),
            // What was changed meanwhile has it no longer.
            (
                &[("a.html", 1, 5), ("b.html", 1, 5)],
                &[("b.html", 2)],
                &["/a.html"],
            ),
            // Papers and feeds, but no assets and no error documents.
            (
                &[
                    ("404.html", 1, 5),
                    ("app.js", 2, 5),
                    ("cv.pdf", 3, 5),
                    ("feed.xml", 4, 5),
                ],
                &[],
                &["/cv.pdf", "/feed.xml"],
            ),
            // Nothing is known by being empty.
            (&[("a.html", 0, 5)], &[("b.html", 0)], &["/a.html"]),
        ] {
            assert_eq!(Scene::new(live, built).told(), right, "{live:?} {built:?}");
        }
    }

    #[test]
    fn a_move_is_known_by_its_title_if_only_one_new_page_has_it() {
        let about = ("about/index.html", 1, 5);
        let both = [about, ("other/index.html", 2, 5)];
        let me = [("Me", "me/index.html")];
        for (live, built, titles, right) in [
            (
                &[about][..],
                &[("me/index.html", 2)][..],
                &me[..],
                &["/about/ ~ /me/"][..],
            ),
            // It has been there for long, beside the other.
            (
                &[about, ("me/index.html", 2, 5)],
                &[("me/index.html", 2)],
                &me,
                &["/about/"],
            ),
            // Its content counts before its title.
            (
                &[about],
                &[("me/index.html", 2), ("same.html", 1)],
                &me,
                &["/about/ = /same.html"],
            ),
            (&[about], &[("me/index.html", 2)], &[], &["/about/"]),
        ] {
            let scene = Scene::new(live, built).titled(&[("about/index.html", "Me")]);
            assert_eq!(scene.links(titles, &[]).told(), right, "{live:?} {built:?}");
        }
        // The common title of a site is nobody's.
        let scene = Scene::new(&both, &[("me/index.html", 3)])
            .titled(&[("about/index.html", "Me"), ("other/index.html", "Me")]);
        assert_eq!(scene.links(&me, &[]).told(), ["/about/", "/other/"]);
    }

    #[test]
    fn what_answers_all_the_same_is_not_lost() {
        let lost = |distribution: Distribution| {
            let mut scene = Scene::new(
                &[("about/index.html", 1, 5), ("index.html", 2, 5)],
                &[("index.html", 2)],
            );
            scene.distribution = distribution;
            scene.told()
        };
        let with_function = |function: EdgeFunction| {
            let mut distribution = rest();
            distribution.behaviors[0].function = Some(function.code().unwrap());
            distribution
        };
        let response = |code, response_code| ErrorResponse {
            code,
            page: Some("/index.html".to_owned()),
            response_code,
            ..ErrorResponse::default()
        };
        let mut spa = rest();
        spa.error_responses = vec![response(403, Some(200)), response(404, Some(200))];
        assert_eq!(lost(spa), [""; 0]);
        let mut with_page = rest();
        with_page.error_responses = vec![response(404, None)];
        assert_eq!(lost(with_page), ["/about/index.html"]);
        let redirecting = |redirects: &[(&str, &str)]| {
            let redirects = redirects.iter().map(|(from, to)| Redirect::new(*from, *to));
            with_function(EdgeFunction {
                redirects: redirects.collect(),
                ..EdgeFunction::default()
            })
        };
        assert_eq!(lost(redirecting(&[("/about/*", "/")])), [""; 0]);
        assert_eq!(
            lost(redirecting(&[("/other/*", "/")])),
            ["/about/index.html"]
        );
        let mut errors = website();
        errors.website.as_mut().unwrap().redirects_errors = true;
        assert_eq!(lost(errors), [""; 0]);
        let mut second = rest();
        second.behaviors[0].fails_over = true;
        second.behaviors[0].origins.push("other".to_owned());
        assert_eq!(lost(second), [""; 0]);
        // Another origin has those paths, and the site never had.
        let mut other = rest();
        other.behaviors[0].origins = vec!["other".to_owned()];
        assert_eq!(lost(other), [""; 0]);
    }

    #[test]
    fn a_redirect_in_the_store_of_a_function_answers() {
        let mut distribution = rest();
        let function = EdgeFunction {
            redirects: vec![Redirect::new("/about/index.html", "/")],
            stored: true,
            ..EdgeFunction::default()
        };
        distribution.behaviors[0].function = Some(function.code().unwrap());
        let mut scene = Scene::new(&[("about/index.html", 1, 5)], &[]);
        scene.distribution = distribution.clone();
        assert_eq!(scene.told(), ["/about/index.html"]);
        let site = ShownSite::new(&distribution, vec!["s3".to_owned()]);
        let facts = LostFacts {
            manifest: &scene.manifest,
            sites: &[(site, String::new())],
            redirects: &[&function.redirects[0]],
            error_documents: &[],
            now: NOW,
        };
        let departed = DepartedPages {
            now: leaving(&scene.plan, &facts),
            ..DepartedPages::default()
        };
        assert_eq!(departed.now.len(), 1);
        assert_eq!(find(&scene.plan, &facts, &departed), []);
    }

    #[test]
    fn since_when_it_was_live_and_who_links_there_is_told() {
        let mut scene = Scene::new(&[("about/index.html", 1, 5), ("b.html", 2, 6)], &[]).links(
            &[],
            &[
                ("about/", &["x.html", "y.html"]),
                ("about", &["y.html", "z.html"]),
                ("b", &["x.html"]),
                ("c.html", &["x.html"]),
            ],
        );
        let told = scene.find().into_iter();
        let told: Vec<_> = told
            .map(|lost| (lost.path, lost.live_since, lost.linked_from))
            .collect();
        assert_eq!(
            told,
            [
                ("/about/".to_owned(), Some(5), 3),
                ("/b.html".to_owned(), Some(6), 1)
            ]
        );
    }

    #[test]
    fn pages_that_left_earlier_count_where_a_link_asks_for_them() {
        let gone = |digest: Option<u8>, title: Option<&str>| GonePage {
            since: Some(1),
            at: 50,
            digest: digest.map(md5),
            title: title.map(Into::into),
        };
        // One page came with the deploy that removed the old ones, one was there before.
        let live = [("late.html", 1, 50), ("early.html", 2, 20)];
        let mut scene = Scene::new(&live, &[("late.html", 1), ("early.html", 2)]).links(
            &[("Late", "late.html"), ("Early", "early.html")],
            &[
                ("a/", &["late.html"]),
                ("b", &["late.html"]),
                ("c.html", &["late.html"]),
            ],
        );
        scene.departed.earlier = [
            ("a/index.html", gone(None, Some("Late"))),
            ("b.html", gone(None, Some("Early"))),
            ("c.html", gone(Some(2), None)),
            ("unasked.html", gone(None, None)),
            ("early.html", gone(None, None)),
        ]
        .map(|(key, page)| (Key::new(key), page))
        .into();
        assert_eq!(
            scene.told(),
            ["/a/ ~ /late.html", "/b.html", "/c.html = /early.html"]
        );
        let found = scene.find();
        assert!(
            found
                .iter()
                .all(|lost| lost.gone_since == Some(50) && lost.linked_from == 1)
        );
    }

    #[test]
    fn a_line_says_only_what_redirects_can_say() {
        let lost = |path: &str, to: Option<&str>| LostUrl {
            path: path.to_owned(),
            key: Key::new("x"),
            live_since: None,
            gone_since: None,
            linked_from: 0,
            successor: to.map(|path| SuccessorPage {
                path: path.to_owned(),
                sameness: PageSameness::Content,
            }),
        };
        for (path, to, line) in [
            ("/about/", Some("/me/"), Some("/about/ /me/ 301")),
            ("/a%20b", Some("/caf%C3%A9"), Some("/a%20b /caf%C3%A9 301")),
            ("/about/", None, None),
            ("/a/:b/", Some("/c/"), Some("/a/%3Ab/ /c/ 301")),
            ("/a/*", Some("/c/"), Some("/a/%2A /c/ 301")),
            ("/c/", Some("/a/:b/"), None),
        ] {
            assert_eq!(lost(path, to).redirect().as_deref(), line, "{path}");
        }
    }
}
