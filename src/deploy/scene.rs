//! All that was found, and the Plan that follows from it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Teller;
use super::ask::{self, KnownContent, ObjectAsker, Question};
use super::job::Job;
use super::names;
use super::pool::Level;
use super::source::Source;
use super::stop::Stop;
use super::survey::{Place, Remote};
use super::targets::{Function, Targets};
use super::wants::Wants;
use crate::aws::list::Listed;
use crate::domain::diff::{Answer, Ask};
use crate::domain::journal::TouchedKey;
use crate::domain::page;
use crate::domain::rules::Matched;
use crate::domain::{ETag, Headers, Key};
use crate::edge::critic::Critic;
use crate::edge::path::Dialect;
use crate::edge::{Distribution, Mode, Prices, Site, price};
use crate::error::Error;
use crate::plan::open::OpenRecords;
use crate::plan::{self, Answered, Facts, Object, OpenDeploys, Plan, Target, TargetPurge, Want};
use crate::scan::MULTIPART_FROM;
use crate::state::RECENT;

/// What this run has put so far, and with what headers.
pub(super) type WrittenKeys = HashMap<Key, (ETag, Arc<Headers>)>;

/// What was found, at one moment.
#[derive(Debug)]
pub struct Scene {
    pub place: Place,
    pub source: Source,
    pub targets: Targets,
    pub remote: Remote,
    pub(super) answers: HashMap<Key, Answered>,
    /// What deploys before left open.
    pub(super) open: OpenDeploys,
    /// Seconds since 1970, by the server's clock.
    pub(super) now: i64,
}

impl Scene {
    pub(super) fn new(
        place: Place,
        source: Source,
        targets: Targets,
        remote: Remote,
        job: &Job,
    ) -> Self {
        let ids: Vec<String> = targets
            .found
            .iter()
            .map(|found| found.id().to_owned())
            .collect();
        let open = OpenDeploys::new(&OpenRecords {
            journals: &remote.open.journals,
            unpaid: &remote.open.unpaid,
            suspects: &remote.open.suspects,
            targets: &ids,
            pays: job.prices.mode != Mode::None,
            dropped: &job.drop_debts,
        });
        let now = place.store.bucket.clock.server_now();
        Self {
            place,
            source,
            targets,
            remote,
            answers: HashMap::new(),
            open,
            now,
        }
    }

    fn relative<'a>(&self, key: &'a str) -> &'a str {
        key.get(self.place.prefix.len()..).unwrap_or_default()
    }

    /// Whether a listing shows what this process wrote there before: then nothing needs to be asked.
    pub(super) fn remember(&mut self, written: &WrittenKeys) {
        for object in &self.remote.listing {
            let key = self.relative(&object.key);
            if let Some((key, (etag, headers))) = written.get_key_value(key)
                && *etag == object.etag
            {
                let answer = Answer {
                    same_content: Some(true),
                    same_headers: Some(true),
                };
                self.answers.insert(
                    key.clone(),
                    Answered {
                        answer,
                        headers: (**headers).clone(),
                        version_id: None,
                    },
                );
            }
        }
    }

    /// Whether no earlier deploy left anything open.
    pub(super) fn owes_nothing(&self) -> bool {
        self.remote.open.journals.is_empty() && self.remote.open.unpaid.is_empty()
    }

    /// A debt that is to be dropped must be there.
    pub(super) fn check_dropped(&self, job: &Job) -> Result<(), Error> {
        let open = self.remote.open.journals.iter().map(|open| &open.id);
        let unpaid = self.remote.open.unpaid.iter().map(|unpaid| &unpaid.id);
        let known: HashSet<&str> = open.chain(unpaid).map(|id| id.as_str()).collect();
        match job
            .drop_debts
            .iter()
            .find(|id| !known.contains(id.as_str()))
        {
            None => Ok(()),
            Some(id) => Err(Error::usage(format!("there is no open debt {id}"))
                .hint("`unstale state show` names the open ones")),
        }
    }

    /// No file of the build may lie where the state does.
    fn check_state_apart(&self) -> Result<(), Error> {
        let inside = self.place.holds_its_state();
        let own = |key: &Key| inside && self.place.store.is_own(&self.place.full(key.as_str()));
        let mut files = self.source.files().iter().map(|file| &file.key);
        match files.find(|key| own(key)) {
            None => Ok(()),
            Some(key) => Err(Error::usage(format!(
                "the build's {key} would lie where the state is kept: {}",
                self.place.store.bucket.url(&self.place.store.root)
            ))
            .hint("let `state` in deploy.toml name a folder of its own")),
        }
    }

    /// The object under a key of the site, as it was listed.
    pub(super) fn object(&self, key: &Key) -> Option<Object<'_>> {
        let found = self.remote.find(&self.place.prefix, key)?;
        Some(self.shown(found))
    }

    fn shown<'a>(&self, object: &'a Listed) -> Object<'a> {
        Object {
            key: object
                .key
                .get(self.place.prefix.len()..)
                .unwrap_or_default(),
            size: object.size,
            etag: &object.etag,
            modified: object.modified,
        }
    }

    /// The keys of dead deploys that were as before when they were listed.
    pub(super) fn unchanged_keys(&self) -> Vec<&TouchedKey> {
        self.open.unchanged_keys(|key| self.object(key))
    }

    /// Whole keys that dead deploys may have begun to upload in parts.
    pub(super) fn dead_uploads(&self) -> HashSet<String> {
        let journals = self.remote.open.journals.iter();
        let keys = journals.filter_map(|open| open.journal.as_ref().ok());
        let large = keys
            .flat_map(|journal| &journal.keys)
            .filter(|touched| touched.size >= MULTIPART_FROM);
        large
            .map(|touched| self.place.full(touched.key.as_str()))
            .collect()
    }

    /// Makes the Plan, asking S3 wherever nothing else tells.
    pub(super) async fn plan(
        &mut self,
        job: &Job,
        level: &mut Level,
        stop: &Stop,
        tell: &Teller,
    ) -> Result<Plan, Error> {
        Wants::new(job, &self.source, &self.targets).check_limits()?;
        self.check_state_apart()?;
        let mut asker = ObjectAsker {
            place: self.place.clone(),
            level,
            stop,
            tell,
        };
        loop {
            self.settle();
            match self.make(job, Dialect::default()) {
                Ok(mut plan) => {
                    let Source::Past(past) = &mut self.source else {
                        let told = names::broken_links(&self.source, job, &self.targets).await;
                        plan.warnings.extend(told);
                        return Ok(plan);
                    };
                    if !past.look_up(&plan, &mut asker).await? {
                        return Ok(plan);
                    }
                }
                Err(asks) if stop.is_set() => {
                    return Err(Error::interrupted(format!(
                        "interrupted with {} objects to ask about",
                        asks.len()
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

    /// Finds out which recorded batches are to be sent again.
    fn settle(&mut self) {
        let mut open = std::mem::take(&mut self.open);
        open.settle(|key| self.object(key), &self.answers);
        self.open = open;
    }

    /// The purges of a plan for these keys alone, or for all, at the distributions as they are now.
    pub(super) fn purges_of(
        &self,
        job: &Job,
        plan: &Plan,
        only: Option<&HashSet<Key>>,
        dialect: Dialect,
    ) -> Vec<TargetPurge> {
        let targets = self.plan_targets(job, dialect);
        plan.purges_of(&targets, &self.remote.loaded.manifest, only)
    }

    /// The Plan as far as it can be made.
    fn make(&self, job: &Job, dialect: Dialect) -> Result<Plan, Vec<(Key, Ask)>> {
        let wants = Wants::new(job, &self.source, &self.targets);
        let targets = self.plan_targets(job, dialect);
        let mut matched = Matched::default();
        let manifest = &self.remote.loaded.manifest;
        let is_page = |key: &Key| {
            // A key without an extension does not tell, but what it was served as does.
            let entry = manifest.entries.get(key);
            let served = entry.and_then(|entry| manifest.tables.served(entry.served));
            let was = served.and_then(|served| served.content_type.as_deref());
            was.is_some_and(page::is_page) || wants.served(key, &mut Matched::default()).page
        };
        let is_fingerprinted = |key: &Key| wants.served(key, &mut Matched::default()).fingerprinted;
        let facts = Facts {
            manifest: &self.remote.loaded.manifest,
            open: &self.open,
            answers: &self.answers,
            targets: &targets,
            now: self.now,
            retain: i64::try_from(job.retain.as_secs()).unwrap_or(i64::MAX),
            sweep: job.sweep,
            delete: job.delete,
            adopt: job.adopt,
            force: job.force,
            is_page: &is_page,
            is_fingerprinted: &is_fingerprinted,
        };
        let listing = self.remote.listing.iter().map(|object| self.shown(object));
        let sites: Vec<(String, Site)> = (self.targets.found.iter())
            .filter_map(|found| Some((found.id().to_owned(), found.site(job)?)))
            .collect();
        let mut critics: Vec<Critic> = sites.iter().map(|(_, site)| Critic::new(site)).collect();
        let wanted = wants.all(&mut matched).inspect(|want| {
            let key = want.key.as_str();
            let each = critics.iter_mut();
            each.for_each(|critic| critic.note(key, want.size, &want.headers));
        });
        let mut plan = plan::make(&facts, wanted, listing)?;
        let mut warnings = self.targets.warnings.clone();
        warnings.extend(self.open.warnings.iter().cloned());
        warnings.append(&mut plan.warnings);
        warnings.extend(wants.warnings.iter().cloned());
        for ((id, _), critic) in sites.iter().zip(critics) {
            let told = critic.warnings().into_iter();
            warnings.extend(told.map(|warning| format!("{id}: {warning}")));
        }
        warnings.extend(names::warning(self.source.files(), job, &self.targets));
        let idle = match self.source {
            Source::Build(_) => matched.idle(&job.rules),
            Source::Past(_) => Vec::new(),
        };
        let idle = idle.into_iter();
        warnings
            .extend(idle.map(|at| format!("the rule at {} matches nothing", (job.rule_name)(at))));
        let files = self.source.files();
        if !files.is_empty() {
            let idle = job
                .noise
                .idle(files.iter().map(|file| file.name().as_str()));
            warnings.extend(
                idle.map(|globs| format!("the [[noise]] rule for {globs} matches no file")),
            );
        }
        plan.noisy = files.iter().filter(|file| file.is_kept()).count();
        plan.warnings = warnings;
        plan.function = (self.targets.function.as_ref()).and_then(Function::change);
        Ok(plan)
    }

    fn plan_targets(&self, job: &Job, dialect: Dialect) -> Vec<Target<'_>> {
        let told = &self.remote.loaded.manifest.distributions;
        let prices = Prices {
            free: self.free_paths(job),
            ..job.prices
        };
        self.targets
            .found
            .iter()
            .map(|found| {
                let id = found.id().to_owned();
                let told = told.get(found.id());
                let tags = found.takes_tags(job.tags);
                let config = (found.distribution.as_ref()).map_or(0, Distribution::fingerprint);
                let tagged = tags && !dialect.quote_refused && self.open.are_paid();
                let known = told.is_some_and(|it| it.config == config && it.tags_since.is_some());
                let site = found.site(job).map(|site| Site {
                    dialect,
                    tagged: tagged && known,
                    ..site
                });
                let unreadable = found.distribution.as_ref().err().cloned();
                Target {
                    site,
                    unreadable,
                    config,
                    tags,
                    told,
                    owed: self.owed(&id),
                    resend: self.open.resend.contains_key(&id),
                    prices,
                    id,
                }
            })
            .collect()
    }

    /// What is owed to a target besides what changed objects make stale.
    fn owed(&self, id: &str) -> Vec<String> {
        let mut owed = self.open.owed.get(id).cloned().unwrap_or_default();
        let function = self.targets.function.iter();
        owed.extend(function.flat_map(|function| function.owed(id)).cloned());
        owed
    }

    /// What is left of the month's free paths, as far as this site's own deploys spent them.
    pub fn month_left(&self, job: &Job) -> u64 {
        let spent = self.remote.state.object.paths_in_month(self.now);
        job.month_left
            .unwrap_or(price::FREE_PATHS.saturating_sub(spent))
    }

    /// Which rule or default set what a key is served with, a line each.
    pub fn explain_headers(&self, job: &Job, key: &str) -> Vec<String> {
        Wants::new(job, &self.source, &self.targets).explain(&Key::new(key))
    }

    /// This deploy's share of what is left of the month's free paths.
    fn free_paths(&self, job: &Job) -> u64 {
        if let Some(free) = job.free_paths {
            return free;
        }
        let left = self.month_left(job);
        let date = jiff::Timestamp::from_second(self.now)
            .unwrap_or_default()
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date();
        let recent = &self.remote.state.object.recent;
        let ages = recent.iter().map(|deploy| self.now.abs_diff(deploy.at));
        let past = price::monthly_deploys(ages, RECENT);
        price::share(
            left,
            date.day().unsigned_abs().into(),
            date.days_in_month().unsigned_abs().into(),
            past,
        )
    }

    fn questions(&self, job: &Job, asks: Vec<(Key, Ask)>) -> Vec<Question> {
        let wants = Wants::new(job, &self.source, &self.targets);
        let question = |(key, ask): (Key, Ask)| {
            let object = self.object(&key)?;
            let content = match self.source.file(key.as_str()) {
                Some(file) => KnownContent::File(file.path(self.source.root())),
                // It is not in the build: only a deploy that died tells what it was meant to be.
                None => match self.open.possible_content(&object) {
                    Some(digest) => KnownContent::Digest(digest),
                    None => KnownContent::File(self.source.root().join(key.as_str())),
                },
            };
            Some(Question {
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

    /// The site's objects as they are wanted.
    pub fn wanted(&self, job: &Job) -> Vec<Want> {
        Self::wants(job, &self.source, &self.targets)
    }

    /// [`Scene::wanted`] of a source without a bucket.
    pub fn wants(job: &Job, source: &Source, targets: &Targets) -> Vec<Want> {
        Wants::new(job, source, targets)
            .all(&mut Matched::default())
            .collect()
    }
}
