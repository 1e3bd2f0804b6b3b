//! Finds the URLs that a plan loses, and reads what tells of the pages that they were.

use std::collections::{HashMap, HashSet};

use futures_util::stream::{self, StreamExt};

use super::plan_inputs::{DepartureNotes, PlanInputs};
use crate::edge::{Distribution, IndexLookup, ShownSite, WebsiteConfiguration};
use crate::job::request::Job;
use crate::object::Key;
use crate::object::encoding::{Encoding, decompress_start};
use crate::object::entry::EntryLife;
use crate::object::gone::GonePages;
use crate::plan::Plan;
use crate::plan::lost::{self, LostFacts, LostUrl};
use crate::rules::page_reader::read_page;
use crate::rules::redirect::Redirect;
use crate::site::redirects;
use crate::state::StateError;
use crate::survey::expect;

/// Pages whose titles are read, each by a request.
const MAX_TITLES: usize = 50;
/// Bytes in which a page is expected to say its title, and bytes of a title that is one.
const TITLE_WITHIN: u64 = 64 << 10;
const MAX_TITLE: usize = 300;
/// Requests at once.
const AT_ONCE: usize = 16;

impl PlanInputs {
    /// Finds the URLs that the plan loses, or that links ask for in vain. Where there are none nothing is asked for.
    pub(super) async fn find_lost(&mut self, job: &Job, plan: &mut Plan) {
        let plain = undistributed(job);
        let sites = self.viewed_sites(job, &plain);
        let redirects: Vec<_> = job.redirects.iter().map(|it| &it.redirect).collect();
        let facts = LostFacts {
            manifest: &self.remote.loaded.manifest,
            sites: &sites,
            redirects: &redirects,
            error_documents: &job.error_documents,
            now: self.now,
        };
        let mut notes = DepartureNotes::default();
        notes.pages.now = lost::leaving(plan, &facts);
        let links = plan.links.as_ref();
        let has_dead = links.is_some_and(|links| !links.dead.is_empty());
        if has_dead || !notes.pages.now.is_empty() {
            if let Err(error) = self.recall(plan, &mut notes).await {
                let warning = format!("which pages left earlier is not known: {error}");
                plan.warnings.push(warning);
            }
            plan.lost = lost::find(plan, &facts, &notes.pages);
            if self.read_titles(plan, &mut notes).await {
                plan.lost = lost::find(plan, &facts, &notes.pages);
            }
        }
        plan.warnings.extend(self.unanswered(job, plan));
        self.departed = notes;
    }

    /// Warns where nobody would answer the redirects that keep what is lost.
    fn unanswered(&self, job: &Job, plan: &Plan) -> Vec<String> {
        let kept: Vec<Redirect> = plan.lost.iter().filter_map(LostUrl::kept).collect();
        let kept: Vec<&Redirect> = kept.iter().collect();
        redirects::unanswered(&kept, &self.targets, job.function.is_some())
    }

    /// Returns the site as each distribution shows it, with the host that viewers ask.
    fn viewed_sites<'a>(
        &'a self,
        job: &Job,
        plain: &'a Distribution,
    ) -> Vec<(ShownSite<'a>, String)> {
        let found = self.targets.found.iter().filter(|target| !target.staging);
        let mut sites: Vec<_> = found
            .filter_map(|target| {
                let host = job.canonical_host.as_deref().or(target.domain());
                Some((target.site(job)?, host.unwrap_or_default().to_owned()))
            })
            .collect();
        if sites.is_empty() {
            let ours = plain.origins.iter().map(|origin| origin.id.clone());
            let mut site = ShownSite::new(plain, ours.collect());
            site.prefix.clone_from(&job.settings.prefix.0);
            site.index = job.settings.index;
            sites.push((site, String::new()));
        }
        sites
    }

    /// Reads which pages left earlier. History is asked only where the build links to what nobody remembers, and from then on the
    /// state remembers that, too: the records of a hundred deploys are as many requests.
    async fn recall(&self, plan: &Plan, notes: &mut DepartureNotes) -> Result<(), StateError> {
        let (store, state) = (&self.place.store, &self.remote.state.object);
        let mut gone = store.read_gone(state).await?;
        let keys = notes.pages.now.keys().chain(gone.pages.keys());
        let known: HashSet<&str> = keys
            .flat_map(|key| lost::link_forms(key.as_str()))
            .collect();
        let dead = plan.links.iter().flat_map(|links| links.dead.keys());
        let dead: HashSet<&str> = dead.map(String::as_str).collect();
        let is_open = dead.iter().any(|link| !known.contains(link));
        if is_open && gone.from > 0 {
            store.add_from_history(&mut gone, state).await?;
            notes.is_completed = true;
        }
        let asked = |key: &Key| lost::link_forms(key.as_str()).any(|form| dead.contains(form));
        let earlier = gone.pages.iter().filter(|(key, _)| asked(key));
        notes.pages.earlier = earlier
            .map(|(key, page)| (key.clone(), page.clone()))
            .collect();
        notes.remembered = Some(gone);
        Ok(())
    }

    /// Reads the titles of lost pages of which nothing else tells what they have become. Returns whether any was read; what cannot be
    /// read has none.
    async fn read_titles(&self, plan: &Plan, notes: &mut DepartureNotes) -> bool {
        let has_titles = plan
            .links
            .as_ref()
            .is_some_and(|links| !links.titles.is_empty());
        let deletions = plan.deletions.iter().filter(|deletion| deletion.page);
        let pages: HashSet<&Key> = deletions.map(|deletion| &deletion.key).collect();
        let unknown = |lost: &&LostUrl| lost.successor.is_none() && pages.contains(&lost.key);
        let keys = plan.lost.iter().filter(|_| has_titles).filter(unknown);
        let keys: Vec<Key> = keys.map(|lost| lost.key.clone()).take(MAX_TITLES).collect();
        let titles: HashMap<Key, Box<str>> = stream::iter(keys)
            .map(async |key| Some((key.clone(), self.title(&key).await?)))
            .buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await;
        let is_any = !titles.is_empty();
        for (key, title) in titles {
            if let Some(page) = notes.pages.now.get_mut(&key) {
                page.title = Some(title);
            }
        }
        is_any
    }

    /// Reads the title of a page in the bucket.
    async fn title(&self, key: &Key) -> Option<Box<str>> {
        let full = self.place.full(key.as_str());
        let start = self.place.bucket.start(&full, TITLE_WITHIN).await;
        let (body, encoding) = start.ok()?;
        let html = match encoding.as_deref() {
            None | Some("") => body.to_vec(),
            Some(name) => decompress_start(&body, Encoding::named(name)?, TITLE_WITHIN),
        };
        let title = read_page(&html).title;
        title.filter(|title| title.len() <= MAX_TITLE)
    }

    /// Returns the pages that the state is to remember after a deploy that deleted `deleted`, where that changes; `vanished` were
    /// gone before it. `counter`: what its record is named by.
    pub(super) fn gone_after(
        &self,
        counter: u64,
        deleted: &HashSet<Key>,
        vanished: &[Key],
    ) -> Option<GonePages> {
        let mut gone = self.departed.remembered.clone()?;
        let mut left = self.departed.pages.now.clone();
        let vanished: HashSet<&Key> = vanished.iter().collect();
        left.retain(|key, _| deleted.contains(key) || vanished.contains(key));
        if left.is_empty() && !self.departed.is_completed {
            return None;
        }
        let entries = &self.remote.loaded.manifest.entries;
        let life = |key: &Key| entries.get(key).map(|entry| entry.life);
        gone.pages
            .retain(|key, _| life(key) != Some(EntryLife::Live));
        gone.add(left);
        gone.from = gone.from.min(counter);
        Some(gone)
    }
}

/// Returns what viewers meet where no distribution tells: the bucket's website endpoint, unless `index` says otherwise.
fn undistributed(job: &Job) -> Distribution {
    let mut plain = expect::plain();
    if job.settings.index == IndexLookup::Auto {
        plain.website = Some(WebsiteConfiguration::default());
        plain
            .origins
            .iter_mut()
            .for_each(|origin| origin.website = true);
    }
    plain
}
