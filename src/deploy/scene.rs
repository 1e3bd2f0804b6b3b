//! All that was found, and the Plan that follows from it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Teller;
use super::ask::{self, Question};
use super::function::Function;
use super::job::Job;
use super::names;
use super::pool::Level;
use super::source::Source;
use super::stop::Stop;
use super::survey::{Place, Remote};
use super::targets::{Found, Targets};
use super::wants::Wants;
use super::waves;
use crate::domain::diff::{Answer, Ask};
use crate::domain::page;
use crate::domain::rules::Matched;
use crate::domain::{ETag, Headers, Key};
use crate::edge::critic::Critic;
use crate::edge::path::Dialect;
use crate::edge::{Distribution, Mode, Prices, Site, price};
use crate::error::Error;
use crate::plan::{
    self, Answered, Facts, Intended, Object, OpenDebts, Plan, Settled, Target, Want,
};
use crate::state::Debt;
use crate::state::debt::{self, Action};
use crate::state::head::RECENT;

/// What was found, at one moment.
#[derive(Debug)]
pub struct Scene {
    pub place: Place,
    pub source: Source,
    pub targets: Targets,
    pub remote: Remote,
    pub(super) answers: HashMap<Key, Answered>,
    pub(super) debts: Debts,
    /// Seconds since 1970, by the server's clock.
    pub(super) now: i64,
}

/// What deploys that died left open.
#[derive(Debug, Default)]
pub(super) struct Debts {
    pub(super) open: OpenDebts,
    /// Paths and patterns owed, by target.
    pub(super) owed: BTreeMap<String, Vec<String>>,
    /// Batches to be sent again, by target.
    pub(super) resend: BTreeMap<String, Vec<debt::Batch>>,
    /// What stays of debts when the rest of them is paid: what they owe to distributions that are not purged here.
    pub(super) kept: Vec<Debt>,
    pub(super) warnings: Vec<String>,
}

impl Debts {
    /// Whether nothing is left of what dead deploys did to the site.
    fn are_paid(&self) -> bool {
        self.open.ids.is_empty() && self.open.keys.is_empty() && !self.open.any_key
    }
}

impl Scene {
    pub(super) fn new(
        place: Place,
        source: Source,
        targets: Targets,
        remote: Remote,
        job: &Job,
    ) -> Self {
        let debts = debts(&remote, &targets, job);
        let now = place.bucket.watch.server_now();
        Self {
            place,
            source,
            targets,
            remote,
            answers: HashMap::new(),
            debts,
            now,
        }
    }

    fn relative<'a>(&self, key: &'a str) -> &'a str {
        key.get(self.place.prefix.len()..).unwrap_or_default()
    }

    /// Whether a listing shows what this process wrote there before: then nothing needs to be asked.
    pub(super) fn remember(&mut self, written: &HashMap<Key, ETag>) {
        for object in &self.remote.listing {
            let key = self.relative(&object.key);
            if let Some((key, etag)) = written.get_key_value(key)
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
                        headers: Headers::default(),
                        version_id: None,
                    },
                );
            }
        }
    }

    /// Whether no earlier deploy left anything open.
    pub(super) fn owes_nothing(&self) -> bool {
        self.remote.debts.is_empty()
    }

    /// A debt that is to be dropped must be there.
    pub(super) fn check_dropped(&self, job: &Job) -> Result<(), Error> {
        let known = |id: &&String| {
            self.remote.debts.iter().any(|found| match found {
                debt::Found::Open(debt) => debt.id.as_str() == id.as_str(),
                debt::Found::Unreadable { id: other, .. } => other.as_str() == id.as_str(),
            })
        };
        match job.drop_debts.iter().find(|id| !known(id)) {
            None => Ok(()),
            Some(id) => Err(Error::usage(format!("there is no open debt {id}"))
                .hint("`unstale state show` names the open ones")),
        }
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
        loop {
            match self.make(job, None, Dialect::default()) {
                Ok(mut plan) => {
                    let Source::Past(past) = &mut self.source else {
                        waves::order(&mut plan, &self.source, &self.place.prefix).await;
                        let told = names::broken_links(&self.source, job, &self.targets).await;
                        plan.warnings.extend(told);
                        return Ok(plan);
                    };
                    if !past.look_up(&plan, &self.place, level, stop, tell).await? {
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
                    let answers = ask::ask(&self.place, level, stop, tell, questions).await?;
                    self.answers.extend(answers);
                }
            }
        }
    }

    /// The Plan as far as it can be made; `only`: with the purge for what moves at these keys alone.
    pub(super) fn make(
        &self,
        job: &Job,
        only: Option<&HashSet<Key>>,
        dialect: Dialect,
    ) -> Result<Plan, Vec<(Key, Ask)>> {
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
            debts: &self.debts.open,
            answers: &self.answers,
            targets: &targets,
            now: self.now,
            retain: i64::try_from(job.retain.as_secs()).unwrap_or(i64::MAX),
            sweep: job.sweep,
            delete: job.delete,
            adopt: job.adopt,
            force: job.force,
            only,
            is_page: &is_page,
            is_fingerprinted: &is_fingerprinted,
        };
        let listing = self.remote.listing.iter().map(|object| Object {
            key: self.relative(&object.key),
            size: object.size,
            etag: &object.etag,
            modified: object.modified,
        });
        let sites: Vec<(String, Site)> = (self.targets.found.iter())
            .filter_map(|found| Some((found.id().to_owned(), site(job, found)?)))
            .collect();
        let mut critics: Vec<Critic> = sites.iter().map(|(_, site)| Critic::new(site)).collect();
        let wanted = wants.all(&mut matched).inspect(|want| {
            let key = want.key.as_str();
            let each = critics.iter_mut();
            each.for_each(|critic| critic.note(key, want.size, &want.headers));
        });
        let mut plan = plan::make(&facts, wanted, listing)?;
        let mut warnings = self.targets.warnings.clone();
        warnings.extend(self.debts.warnings.iter().cloned());
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
                let tagged = tags && !dialect.quote_refused && self.debts.are_paid();
                let known = told.is_some_and(|it| it.config == config && it.tags_since.is_some());
                let site = site(job, found).map(|site| Site {
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
                    resend: self.debts.resend.contains_key(&id),
                    prices,
                    id,
                }
            })
            .collect()
    }

    /// What is owed to a target besides what changed objects make stale.
    fn owed(&self, id: &str) -> Vec<String> {
        let mut owed = self.debts.owed.get(id).cloned().unwrap_or_default();
        let function = self.targets.function.iter();
        owed.extend(function.flat_map(|function| function.owed(id)).cloned());
        owed
    }

    /// What is left of the month's free paths, as far as this site's own deploys spent them.
    pub fn month_left(&self, job: &Job) -> u64 {
        let spent = self
            .remote
            .head
            .head()
            .map_or(0, |head| head.paths_in_month(self.now));
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
        let recent = self.remote.head.head().map_or(&[][..], |head| &head.recent);
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
        let listed: HashMap<&str, usize> = match asks.len() {
            0 => HashMap::new(),
            _ => self
                .remote
                .listing
                .iter()
                .enumerate()
                .map(|(at, object)| (self.relative(&object.key), at))
                .collect(),
        };
        let question = |(key, ask): (Key, Ask)| {
            let object = self.remote.listing.get(*listed.get(key.as_str())?)?;
            Some(Question {
                ask,
                etag: object.etag.clone(),
                size: object.size,
                file: match self.source.file(key.as_str()) {
                    Some(file) => file.path(self.source.root()),
                    None => self.source.root().join(key.as_str()),
                },
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

/// The site as a distribution shows it; none where its configuration could not be read.
pub fn site<'a>(job: &Job, found: &'a Found) -> Option<Site<'a>> {
    let distribution = found.distribution.as_ref().ok()?;
    let mut site = Site::new(distribution, found.ours.clone());
    site.prefix.clone_from(&job.prefix);
    site.index = job.index;
    site.error_documents.clone_from(&job.error_documents);
    Some(site)
}

/// Sorts out what open debts mean for this deploy.
fn debts(remote: &Remote, targets: &Targets, job: &Job) -> Debts {
    let mut debts = Debts::default();
    let pays = job.prices.mode != Mode::None;
    let known = |id: &str| targets.found.iter().any(|found| found.id() == id);
    for found in &remote.debts {
        let debt = match found {
            debt::Found::Unreadable { id, why } => {
                debts.warnings.push(format!(
                    "the debt {id} cannot be read ({why}): /* is purged, and headers are looked up"
                ));
                debts.open.ids.push(id.to_string());
                debts.open.any_key = true;
                for target in &targets.found {
                    debts
                        .owed
                        .entry(target.id().to_owned())
                        .or_default()
                        .push("/*".to_owned());
                }
                continue;
            }
            debt::Found::Open(debt) => debt,
        };
        let id = debt.id.to_string();
        // Dropped is what it owes to the edges; what it did to the bucket is as unknown as before.
        let dropped = job.drop_debts.contains(&id);
        let mut payable = dropped || !debt.keys.is_empty();
        let mut settled = pays && !dropped && !debt.targets.is_empty();
        settled &= targets
            .found
            .iter()
            .all(|found| debt.targets.contains_key(found.id()));
        // Late batches go when all that they are for is gone: while all of it is there, none went, and none is owed.
        let late = debt.keys.iter().any(|touched| {
            touched.action == Action::DeleteLate && !remote.lists(&job.prefix, &touched.key)
        });
        let mut elsewhere = BTreeMap::new();
        for (target, owed) in debt.targets.iter().filter(|_| !dropped) {
            if !known(target) {
                elsewhere.insert(target.clone(), owed.clone());
                let count = owed.paths.len() + owed.whole.len();
                debts.warnings.push(format!(
                    "the deploy {id} owes {count} paths to {target}, which is not purged here: name it with --distribution, or forget it with --drop-debt {id}"
                ));
                settled = false;
                continue;
            }
            payable |= pays;
            // A tag finds no copy of what somebody put there after it was recorded.
            let tagged = |batch: &debt::Batch| batch.paths.iter().any(|path| path.starts_with('#'));
            if owed.batches.is_empty() || owed.batches.iter().any(tagged) {
                settled = false;
                let paths = debts.owed.entry(target.clone()).or_default();
                paths.extend(owed.paths.iter().chain(&owed.whole).cloned());
            } else {
                let due = owed.batches.iter().filter(|batch| !batch.late || late);
                debts
                    .resend
                    .entry(target.clone())
                    .or_default()
                    .extend(due.cloned());
            }
        }
        if payable {
            debts.open.ids.push(id);
        }
        if !elsewhere.is_empty() {
            debts.kept.push(Debt {
                targets: elsewhere,
                keys: Vec::new(),
                ..debt.clone()
            });
        }
        for touched in &debt.keys {
            debts.open.keys.insert(
                touched.key.clone(),
                Intended {
                    etag: touched.etag.clone(),
                },
            );
            if settled && !touched.failed {
                debts
                    .open
                    .settled
                    .insert(touched.key.clone(), settled_as(touched));
            } else {
                debts.open.settled.remove(&touched.key);
            }
        }
    }
    debts
}

fn settled_as(touched: &debt::Touched) -> Settled {
    match (touched.action, touched.headers) {
        (Action::Put | Action::Copy, Some(headers)) => {
            let md5 = match &touched.etag {
                Some(ETag::Md5(md5)) => Some(*md5),
                _ => None,
            };
            Settled::Put { md5, headers }
        }
        _ => Settled::Deleted,
    }
}
