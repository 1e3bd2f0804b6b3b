//! All that was found, and the Plan that follows from it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::context::DeployContext;
use crate::aws::list::ListedObject;
use crate::edge::critic;
use crate::edge::critic::DistributionCritic;
use crate::edge::path::PathDialect;
use crate::edge::{PurgeMode, ShownSite};
use crate::error::Error;
use crate::job::pool::ConcurrencyLevel;
use crate::job::request::Job;
use crate::object::diff::{ComparisonAnswer, OpenQuestions};
use crate::object::gone::GonePages;
use crate::object::journal::TouchedKey;
use crate::object::plural::counted;
use crate::object::{ETag, Headers, Key};
use crate::plan::lost::DepartedPages;
use crate::plan::open::OpenRecords;
use crate::plan::{
    self, BucketObject, DistributionPurge, HeadAnswer, OpenDeploys, Plan, PlanFacts, WantedObject,
};
use crate::rules::header_rules::MatchedRules;
use crate::rules::page;
use crate::scan::MULTIPART_FROM;
use crate::site::names;
use crate::site::source::SiteSource;
use crate::site::wants::WantedSite;
use crate::state::KeptNames;
use crate::survey::ask;
use crate::survey::ask::{KnownContent, ObjectAsker, ObjectQuestion};
use crate::survey::targets::{ResolvedTargets, SiteFunction};
use crate::survey::{BucketSnapshot, SiteLocation};

/// What this run has put so far, and with what headers.
pub(super) type WrittenKeys = HashMap<Key, (ETag, Arc<Headers>)>;

/// What was found, at one moment.
#[derive(Debug)]
pub(crate) struct PlanInputs {
    pub place: SiteLocation,
    pub source: SiteSource,
    pub targets: ResolvedTargets,
    pub remote: BucketSnapshot,
    pub(super) answers: HashMap<Key, HeadAnswer>,
    /// What deploys before left open.
    pub(super) open: OpenDeploys,
    /// What earlier deploys kept, where this one changes anything.
    pub(super) kept: KeptNames,
    /// Pages that leave with this deploy, or left earlier, as far as it is about them.
    pub(super) departed: DepartureNotes,
    /// Seconds since 1970, by the server's clock.
    pub now: i64,
}

/// What is known of the pages that are not there any more.
#[derive(Debug, Default)]
pub(super) struct DepartureNotes {
    pub(super) pages: DepartedPages,
    /// As the state remembers them; `None`: nobody asked, or nobody knows.
    pub(super) remembered: Option<GonePages>,
    /// History was asked too, which the state is to remember.
    pub(super) is_completed: bool,
}

impl PlanInputs {
    /// Finds out what of the source is to be stored, and what earlier deploys left open.
    pub(super) async fn of(
        (place, remote): (SiteLocation, BucketSnapshot),
        mut source: SiteSource,
        targets: ResolvedTargets,
        job: &Job,
    ) -> Result<Self, Error> {
        source.look(&place, &remote, &targets, job).await?;
        let ids = targets.found.iter().map(|target| target.id().to_owned());
        let open = OpenDeploys::new(&OpenRecords {
            journals: &remote.open.journals,
            unpaid: &remote.open.unpaid,
            suspects: &remote.open.suspects,
            targets: &ids.collect::<Vec<_>>(),
            pays: job.prices.mode != PurgeMode::None,
            dropped: &job.drop_debts,
        });
        Ok(Self {
            now: place.store.bucket.clock.server_now(),
            place,
            source,
            targets,
            remote,
            answers: HashMap::new(),
            open,
            kept: KeptNames::default(),
            departed: DepartureNotes::default(),
        })
    }

    /// Strips the prefix from a whole key, which was listed under it.
    fn relative<'a>(&self, key: &'a str) -> &'a str {
        key.get(self.place.prefix.len()..).unwrap_or_default()
    }

    /// Answers for what the listing shows as this process wrote it before: nothing needs to be asked of that.
    pub(super) fn remember(&mut self, written: &WrittenKeys) {
        for object in &self.remote.listing {
            let key = self.relative(&object.key);
            if let Some((key, (etag, headers))) = written.get_key_value(key)
                && *etag == object.etag
            {
                let answered = HeadAnswer {
                    answer: ComparisonAnswer {
                        same_content: Some(true),
                        same_headers: Some(true),
                    },
                    headers: (**headers).clone(),
                    version_id: None,
                };
                self.answers.insert(key.clone(), answered);
            }
        }
    }

    /// Tells whether no earlier deploy left anything open.
    pub(super) fn owes_nothing(&self) -> bool {
        self.remote.open.journals.is_empty() && self.remote.open.unpaid.is_empty()
    }

    /// Fails where a debt that is to be dropped is not there.
    pub(super) fn check_dropped(&self, job: &Job) -> Result<(), Error> {
        let open = self.remote.open.journals.iter().map(|open| &open.id);
        let unpaid = self.remote.open.unpaid.iter().map(|unpaid| &unpaid.id);
        let debts: HashSet<&str> = open.chain(unpaid).map(|id| id.as_str()).collect();
        let mut dropped = job.drop_debts.iter();
        let Some(id) = dropped.find(|id| !debts.contains(id.as_str())) else {
            return Ok(());
        };
        Err(Error::usage(format!("there is no open debt {id}"))
            .hint("`unstale state` names the open ones"))
    }

    /// Fails where something of the site would lie where the state does.
    fn check_state_apart(&self, wants: &WantedSite<'_>) -> Result<(), Error> {
        let (place, store) = (&self.place, &self.place.store);
        let Some(key) = wants
            .keys()
            .find(|key| store.is_own(&place.full(key.as_str())))
        else {
            return Ok(());
        };
        if !place.holds_its_state() {
            return Ok(());
        }
        Err(Error::usage(format!(
            "the build's {key} would lie where the state is kept: {}",
            store.bucket.url(&store.root)
        ))
        .hint("let `state` in deploy.toml name a folder of its own"))
    }

    /// Finds the object under a key of the site, as it was listed.
    pub(super) fn object(&self, key: &Key) -> Option<BucketObject<'_>> {
        let object = self.remote.find(&self.place.prefix, key)?;
        Some(self.shown(object))
    }

    fn shown<'a>(&self, object: &'a ListedObject) -> BucketObject<'a> {
        BucketObject {
            key: self.relative(&object.key),
            size: object.size,
            etag: &object.etag,
            modified: object.modified,
        }
    }

    /// Returns the keys of dead deploys that were as before when they were listed.
    pub(super) fn unchanged_keys(&self) -> Vec<&TouchedKey> {
        self.open.unchanged_keys(|key| self.object(key))
    }

    /// Returns the whole keys that dead deploys may have begun to upload in parts.
    pub(super) fn dead_uploads(&self) -> HashSet<String> {
        let journals = self.remote.open.journals.iter();
        let keys = journals.flat_map(|open| open.journal.iter().flat_map(|journal| &journal.keys));
        let large = keys.filter(|touched| touched.size >= MULTIPART_FROM);
        large
            .map(|touched| self.place.full(touched.key.as_str()))
            .collect()
    }

    /// Makes the Plan, asking S3 wherever nothing else tells.
    pub(super) async fn plan(
        &mut self,
        context: DeployContext<'_>,
        level: &mut ConcurrencyLevel,
    ) -> Result<Plan, Error> {
        let DeployContext {
            job, stop, tell, ..
        } = context;
        let wants = WantedSite::new(job, &self.source, &self.targets);
        wants.check_limits()?;
        wants.check_served()?;
        self.check_state_apart(&wants)?;
        let mut asker = ObjectAsker {
            place: self.place.clone(),
            level,
            stop,
            tell,
        };
        loop {
            // Which recorded batches are to be sent again.
            let mut open = std::mem::take(&mut self.open);
            open.settle(|key| self.object(key), &self.answers);
            self.open = open;
            match self.make(job, PathDialect::default()) {
                Ok(mut plan) => {
                    if let SiteSource::Past(past) = &mut self.source {
                        if past.look_up(&plan, &mut asker).await? {
                            continue;
                        }
                    } else {
                        let told = names::broken_links(&self.source, job, &self.targets).await;
                        plan.warnings.extend(told);
                    }
                    self.settle_kept(&mut plan).await?;
                    self.check_site(job, &mut plan);
                    self.find_lost(job, &mut plan).await;
                    return Ok(plan);
                }
                Err(asks) if stop.is_set() => {
                    return Err(Error::interrupted(format!(
                        "interrupted with {} to ask about",
                        counted(asks.len() as u64, "object")
                    )));
                }
                Err(asks) => {
                    let questions = self.questions(job, asks);
                    let answers = asker.each(questions, ask::compare).await?;
                    self.answers.extend(answers);
                }
            }
        }
    }

    /// Returns the purges of a plan for these keys alone, or for all, at the distributions as they are now.
    pub(super) fn purges_of(
        &self,
        job: &Job,
        plan: &Plan,
        only: Option<&HashSet<Key>>,
        dialect: PathDialect,
    ) -> Vec<DistributionPurge> {
        let targets = self.plan_targets(job, dialect);
        plan.purges_of(&targets, &self.remote.loaded.manifest, only)
    }

    /// Makes the Plan as far as that can be done; fails with what has to be asked first.
    fn make(&self, job: &Job, dialect: PathDialect) -> Result<Plan, Vec<(Key, OpenQuestions)>> {
        let wants = WantedSite::new(job, &self.source, &self.targets);
        let targets = self.plan_targets(job, dialect);
        let mut matched = MatchedRules::default();
        let manifest = &self.remote.loaded.manifest;
        let is_page = |key: &Key| {
            // A key without an extension does not tell, but what it was served as does.
            let entry = manifest.entries.get(key);
            let served = entry.and_then(|entry| manifest.tables.served(entry.served));
            let was = served.and_then(|served| served.content_type.as_deref());
            was.is_some_and(page::is_page) || wants.served(key, &mut MatchedRules::default()).page
        };
        let is_fingerprinted = |key: &Key| {
            wants
                .served(key, &mut MatchedRules::default())
                .fingerprinted
        };
        let is_asset = |key: &Key| wants.is_asset(key);
        let facts = PlanFacts {
            manifest,
            open: &self.open,
            answers: &self.answers,
            targets: &targets,
            now: self.now,
            retain: i64::try_from(job.settings.retain.0.as_secs()).unwrap_or(i64::MAX),
            sweep: job.sweep,
            keep_since: self.keep_since(job),
            delete: job.settings.delete,
            adopt: job.settings.adopt,
            force: job.force,
            is_page: &is_page,
            is_fingerprinted: &is_fingerprinted,
            is_asset: &is_asset,
        };
        let listing = self.remote.listing.iter().map(|object| self.shown(object));
        let sites: Vec<(String, ShownSite)> = (self.targets.found.iter())
            .filter_map(|found| Some((found.id().to_owned(), found.site(job)?)))
            .collect();
        let mut critics: Vec<DistributionCritic> = sites
            .iter()
            .map(|(_, site)| DistributionCritic::new(site))
            .collect();
        let wanted = wants.all(&mut matched).inspect(|want| {
            for critic in &mut critics {
                critic.note(want.key.as_str(), want.size, &want.headers);
            }
        });
        let mut plan = plan::make(&facts, wanted, listing)?;
        facts.keep(&mut plan, |key| self.object(key));
        let mut warnings = self.targets.warnings.clone();
        warnings.extend(self.open.warnings.iter().cloned());
        warnings.append(&mut plan.warnings);
        warnings.extend(wants.unserved.iter().chain(&wants.warnings).cloned());
        for ((id, site), critic) in sites.iter().zip(critics) {
            let mut told = critic.warnings();
            let mut purges = plan.purges.iter();
            if purges.any(|purge| purge.target == *id && purge.is_blind()) {
                told.extend(critic::unknown_functions(site));
            }
            let told = told.into_iter();
            warnings.extend(told.map(|warning| format!("{id}: {warning}")));
        }
        warnings.extend(names::warning(self.source.files(), job, &self.targets));
        warnings.extend(self.idle_rules(job, &matched));
        plan.known_warnings = self.remote.state.object.known_warnings(&warnings);
        plan.warnings = warnings;
        let changed = plan.changes.iter().map(|change| &change.key);
        plan.doubts = changed
            .filter_map(|key| Some((key.clone(), wants.doubt(key)?)))
            .collect();
        let files = self.source.files().iter();
        plan.noisy = files.filter(|file| file.is_kept()).count();
        let policies = self.targets.headers.iter();
        plan.headers_policies = policies.flat_map(|all| all.changes.clone()).collect();
        plan.functions = (self.targets.functions.iter())
            .filter_map(SiteFunction::change)
            .collect();
        Ok(plan)
    }

    /// Warns of rules of the settings that match nothing in the build.
    fn idle_rules(&self, job: &Job, matched: &MatchedRules) -> Vec<String> {
        let mut warnings = Vec::new();
        if let SiteSource::Build(_) = self.source {
            let places = (matched.idle(&job.rules).into_iter()).map(|at| &job.rule_places[at]);
            warnings.extend(places.map(|place| format!("the rule at {place} matches nothing")));
        }
        let files = self.source.files();
        if !files.is_empty() {
            let names = files.iter().map(|file| file.name().as_str());
            let idle = job.noise.idle(names);
            warnings.extend(
                idle.map(|globs| format!("the [[noise]] rule for {globs} matches no file")),
            );
        }
        warnings
    }

    /// Explains which rule or default set what a key is served with, a line each.
    pub(crate) fn explain_headers(&self, job: &Job, key: &str) -> Vec<String> {
        WantedSite::new(job, &self.source, &self.targets).explain(&Key::new(key))
    }

    fn questions(&self, job: &Job, asks: Vec<(Key, OpenQuestions)>) -> Vec<ObjectQuestion> {
        let wants = WantedSite::new(job, &self.source, &self.targets);
        let question = |(key, ask): (Key, OpenQuestions)| {
            let object = self.object(&key)?;
            let content = if let Some(file) = self.source.file(key.as_str()) {
                KnownContent::File(file.path(self.source.root()))
            } else if let Some(digest) = self.open.possible_content(&object) {
                // It is not in the build: only a deploy that died tells what it was meant to be.
                KnownContent::Digest(digest)
            } else {
                KnownContent::File(self.source.root().join(key.as_str()))
            };
            Some(ObjectQuestion {
                ask,
                etag: object.etag.clone(),
                size: object.size,
                content,
                headers: wants.headers(&key),
                key,
            })
        };
        asks.into_iter().filter_map(question).collect()
    }

    /// Returns the site's objects as they are wanted.
    pub(crate) fn wanted(&self, job: &Job) -> Vec<WantedObject> {
        Self::wants(job, &self.source, &self.targets)
    }

    /// Returns [`PlanInputs::wanted`] of a source without a bucket.
    pub(crate) fn wants(
        job: &Job,
        source: &SiteSource,
        targets: &ResolvedTargets,
    ) -> Vec<WantedObject> {
        WantedSite::new(job, source, targets)
            .all(&mut MatchedRules::default())
            .collect()
    }
}
