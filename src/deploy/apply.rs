//! Carries out one Plan, in the order that keeps its promises: journal, assets, pages, removed pages, purge, removed assets,
//! manifest, history, and only then is the journal struck.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Teller;
use super::event::Event;
use super::job::Job;
use super::pool::{self, Level};
use super::put::{PutError, Tools};
use super::record::{self, Done};
use super::scene::Scene;
use super::send::{self, Pending, Sent};
use super::stop::Stop;
use crate::aws::s3::MAX_DELETES;
use crate::aws::{AwsError, CloudFront, Kind};
use crate::domain::manifest::{DeployId, DeployRef};
use crate::domain::page::{Stage, is_folder_index};
use crate::domain::{ETag, Key};
use crate::edge::path::Dialect;
use crate::edge::{Mode, Money};
use crate::plan::{Change, Plan, TargetPurge};
use crate::state::debt::{self, Debt};
use crate::state::{Held, StateError, Update, history};

/// No request is begun that could outlast the lease by this.
const LONGEST: Duration = Duration::from_secs(15);
/// Rounds of solving and halving that a purge may need.
const ROUNDS: usize = 12;

/// What a deploy works with.
pub(super) struct Apply<'a> {
    pub(super) job: &'a Job,
    pub(super) scene: &'a mut Scene,
    pub(super) plan: Arc<Plan>,
    pub(super) deploy: DeployId,
    pub(super) held: Option<&'a Held>,
    pub(super) cloudfront: CloudFront,
    pub(super) level: &'a mut Level,
    pub(super) stop: &'a Stop,
    pub(super) tell: &'a Teller,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) done: Done,
    /// Objects that are not as they should be, and why.
    pub(super) failed: Vec<(Key, PutError)>,
    /// Somebody else wrote an object since the listing: look and plan again.
    pub(super) race: Option<String>,
    pub(super) pending: Vec<Pending>,
    pub(super) paths: u64,
    pub(super) cost: Money,
    /// The time for the wait ran out before the assets could be removed.
    pub(super) late: bool,
    /// Something broke for good; the journal stands.
    pub(super) broken: Option<String>,
    /// ETags of what was written, for the next look.
    pub(super) written: HashMap<Key, ETag>,
}

impl Apply<'_> {
    /// Fails only where nothing but the journal was written.
    pub(super) async fn run(mut self) -> Result<Applied, StateError> {
        let mut journal = record::journal(&self.deploy, self.scene, self.job, &self.plan);
        self.scene.place.store.write_debt(&journal).await?;
        let mut applied = Applied::default();
        match self.change_objects(&mut applied).await {
            Ok(()) => {}
            Err(error) => {
                applied.broken = Some(error.to_string());
                return Ok(applied);
            }
        }
        if self.must_stop() || applied.race.is_some() {
            return Ok(applied);
        }
        if let Err(error) = self.purge_and_record(&mut journal, &mut applied).await {
            applied.broken = Some(error.to_string());
        }
        Ok(applied)
    }

    fn must_stop(&self) -> bool {
        self.stop.is_set() || self.held.is_some_and(|held| !held.may_start(LONGEST))
    }

    /// Uploads, copies, and removes the pages.
    async fn change_objects(&mut self, applied: &mut Applied) -> Result<(), AwsError> {
        let plan = self.plan.clone();
        if !plan.changes.is_empty() {
            self.tell.tell(Event::UploadsBegan {
                files: plan.changes.len() as u64,
                bytes: plan.upload_bytes(),
            });
        }
        let mut at = 0;
        for group in plan.changes.chunk_by(|one, other| rank(one) == rank(other)) {
            self.put_all(at, group, applied).await;
            at += group.len();
            // What was not begun is not live, so that what refers to it must not be either.
            if self.must_stop() || applied.race.is_some() || !applied.failed.is_empty() {
                return Ok(());
            }
        }
        self.delete(applied, true).await
    }

    /// Puts the changes of one rank, the first of which is the plan's change `first`.
    async fn put_all(&mut self, first: usize, group: &[Change], applied: &mut Applied) {
        let tools = Tools::new(
            self.scene.place.clone(),
            &self.scene.build.root,
            self.tell.clone(),
            self.job,
            self.held.is_some(),
        );
        let wants = super::wants::Wants::new(self.job, &self.scene.build, &self.scene.targets);
        let plan = self.plan.clone();
        let held = self.held;
        let start = |at: usize| {
            let (tools, plan) = (tools.clone(), plan.clone());
            let parts = plan
                .changes
                .get(at)
                .and_then(|change| wants.file(change.key.as_str())?.parts.clone());
            async move {
                match plan.changes.get(at) {
                    Some(change) => Some((at, tools.put(change, parts.as_ref()).await)),
                    None => None,
                }
            }
        };
        let tell = self.tell;
        let done = |result: Option<(usize, Result<crate::aws::s3::Written, PutError>)>| {
            let Some((at, result)) = result else {
                return true;
            };
            let Some(change) = plan.changes.get(at) else {
                return true;
            };
            match result {
                Ok(written) => {
                    tell.tell(Event::Changed {
                        key: change.key.clone(),
                        action: change.action.clone(),
                        reason: change.reason,
                        bytes: change.size,
                    });
                    applied
                        .written
                        .insert(change.key.clone(), written.etag.clone());
                    applied.done.written.insert(at, written);
                }
                Err(error) if error.is_race() => applied.race = Some(change.key.to_string()),
                Err(error) => applied.failed.push((change.key.clone(), error)),
            }
            applied.race.is_none() && held.is_none_or(|held| held.may_start(LONGEST))
        };
        pool::run(
            self.level,
            self.stop,
            first..first + group.len(),
            start,
            done,
        )
        .await;
    }

    /// Deletes the pages, or else the assets, of the plan.
    async fn delete(&mut self, applied: &mut Applied, pages: bool) -> Result<(), AwsError> {
        let plan = self.plan.clone();
        let which: Vec<usize> = plan
            .deletions
            .iter()
            .enumerate()
            .filter(|(_, one)| one.page == pages)
            .map(|(at, _)| at)
            .collect();
        for chunk in which.chunks(MAX_DELETES) {
            if self.must_stop() {
                return Ok(());
            }
            let place = &self.scene.place;
            let objects: Vec<(String, Option<ETag>)> = chunk
                .iter()
                .filter_map(|at| plan.deletions.get(*at))
                .map(|one| {
                    (
                        place.full(one.key.as_str()),
                        self.held.map(|_| one.etag.clone()),
                    )
                })
                .collect();
            let failed = match place.bucket.delete_many(&objects).await {
                Err(error) if error.is(&Kind::NotImplemented) => {
                    let plain: Vec<_> =
                        objects.iter().map(|(key, _)| (key.clone(), None)).collect();
                    place.bucket.delete_many(&plain).await?
                }
                failed => failed?,
            };
            let failed: HashMap<String, AwsError> = failed.into_iter().collect();
            for at in chunk {
                let Some(deletion) = plan.deletions.get(*at) else {
                    continue;
                };
                match failed.get(&place.full(deletion.key.as_str())) {
                    None => {
                        self.tell.tell(Event::Deleted {
                            key: deletion.key.clone(),
                        });
                        applied.done.deleted.push(*at);
                    }
                    Some(error) if error.is(&Kind::Precondition) => {
                        applied.race = Some(deletion.key.to_string());
                    }
                    Some(error) => applied
                        .failed
                        .push((deletion.key.clone(), error.clone().into())),
                }
            }
        }
        Ok(())
    }

    /// Everything after the objects: purge, removed assets, manifest, history, and the journal's end.
    async fn purge_and_record(
        &mut self,
        journal: &mut Debt,
        applied: &mut Applied,
    ) -> Result<(), StateError> {
        let until = Instant::now() + self.job.timeout;
        let purges = self.purges(applied);
        let now: Vec<(String, Vec<String>)> = texts(&purges, |one| &one.purge);
        let sent =
            self.resend(applied, until).await && self.send(journal, now, applied, until).await?;
        let assets = self.plan.deletions.iter().any(|one| !one.page);
        if sent && assets && applied.failed.is_empty() && !self.must_stop() {
            let waited = send::wait(
                &self.cloudfront,
                &mut applied.pending,
                until,
                self.stop,
                self.tell,
            )
            .await?;
            applied.late = !waited;
            if waited {
                self.delete(applied, false).await?;
                let after = texts(&purges, |one| &one.after);
                if !self.send(journal, after, applied, until).await? {
                    return Ok(());
                }
            }
        }
        if !sent || self.must_stop() || applied.race.is_some() {
            return Ok(());
        }
        applied.cost = cost(&purges);
        self.record(journal, applied).await
    }

    /// The purges for what was really changed.
    fn purges(&self, applied: &Applied) -> Vec<TargetPurge> {
        if applied.failed.is_empty() {
            return self.plan.purges.clone();
        }
        let unchanged: HashSet<Key> = self.untouched(applied).collect();
        let all = self
            .plan
            .changes
            .iter()
            .map(|one| &one.key)
            .chain(self.plan.deletions.iter().map(|one| &one.key));
        let changed: HashSet<Key> = all
            .filter(|key| !unchanged.contains(*key))
            .cloned()
            .collect();
        self.solve(Some(&changed), Dialect::default())
            .unwrap_or_else(|| self.plan.purges.clone())
    }

    /// The keys of the plan that were not brought about.
    fn untouched<'b>(&'b self, applied: &'b Applied) -> impl Iterator<Item = Key> + 'b {
        let deleted: HashSet<usize> = applied.done.deleted.iter().copied().collect();
        let changes = self.plan.changes.iter().enumerate();
        let changes = changes
            .filter(|(at, _)| !applied.done.written.contains_key(at))
            .map(|(_, one)| one.key.clone());
        let deletions = self.plan.deletions.iter().enumerate();
        changes.chain(
            deletions
                .filter(move |(at, _)| !deleted.contains(at))
                .map(|(_, one)| one.key.clone()),
        )
    }

    fn solve(&self, only: Option<&HashSet<Key>>, dialect: Dialect) -> Option<Vec<TargetPurge>> {
        self.scene
            .make(self.job, only, dialect)
            .ok()
            .map(|plan| plan.purges)
    }

    /// Sends the recorded batches of deploys that died once more, under their own references: what CloudFront took already
    /// it does not take, or charge, twice.
    async fn resend(&mut self, applied: &mut Applied, until: Instant) -> bool {
        if self.job.prices.mode == Mode::None {
            return true;
        }
        for found in self.scene.targets.found.clone() {
            for batch in self
                .scene
                .debts
                .resend
                .get(found.id())
                .into_iter()
                .flatten()
            {
                match send::send(
                    &self.cloudfront,
                    &found.target,
                    batch,
                    until,
                    self.stop,
                    self.tell,
                )
                .await
                {
                    Sent::Accepted(accepted) => applied.pending.push(Pending {
                        target: found.target.clone(),
                        id: accepted.id,
                        completed: accepted.completed,
                        paths: 0,
                    }),
                    Sent::Stopped => return false,
                    Sent::Refused(error) | Sent::Failed(error) => {
                        applied.broken = Some(error.to_string());
                        return false;
                    }
                    Sent::TooLarge => {
                        applied.broken =
                            Some("CloudFront refuses a batch that it took before".into());
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Records and sends batches; answers whether CloudFront took them all.
    async fn send(
        &mut self,
        journal: &mut Debt,
        mut purges: Vec<(String, Vec<String>)>,
        applied: &mut Applied,
        until: Instant,
    ) -> Result<bool, StateError> {
        purges.retain(|(_, paths)| !paths.is_empty());
        let mut dialect = Dialect::default();
        for _ in 0..ROUNDS {
            if purges.is_empty() {
                return Ok(true);
            }
            let mut rest = Vec::new();
            for (target, paths) in &purges {
                let owed = journal.targets.entry(target.clone()).or_default();
                let batches = send::batches(&self.deploy, owed.batches.len(), paths);
                rest.push((target.clone(), owed.batches.len(), batches.len()));
                owed.batches.extend(batches);
            }
            self.scene.place.store.write_debt(journal).await?;
            match self.send_recorded(journal, &rest, applied, until).await {
                Round::Done => return Ok(true),
                Round::Failed => return Ok(false),
                Round::Halves(halves) => purges = halves,
                Round::Quote if dialect.quote_refused => return Ok(false),
                Round::Quote => {
                    dialect = Dialect {
                        quote_refused: true,
                    };
                    let Some(solved) = self.solve(None, dialect) else {
                        return Ok(false);
                    };
                    journal
                        .targets
                        .values_mut()
                        .for_each(|owed| owed.batches.retain(|one| one.accepted.is_some()));
                    purges = texts(&solved, |one| &one.purge);
                }
            }
        }
        applied.broken = Some("CloudFront refuses every batch of the purge".into());
        Ok(false)
    }

    async fn send_recorded(
        &mut self,
        journal: &mut Debt,
        rest: &[(String, usize, usize)],
        applied: &mut Applied,
        until: Instant,
    ) -> Round {
        let begun = Instant::now();
        let mut halves: Vec<(String, Vec<String>)> = Vec::new();
        for (target, from, count) in rest {
            let Some(found) = self
                .scene
                .targets
                .found
                .iter()
                .find(|one| one.id() == target)
                .cloned()
            else {
                continue;
            };
            for at in 0..*count {
                // One batch a second keeps both of CloudFront's rates.
                let due = begun + Duration::from_secs(at as u64);
                self.stop
                    .sleep(due.saturating_duration_since(Instant::now()))
                    .await;
                let owed = journal
                    .targets
                    .get_mut(target)
                    .and_then(|owed| owed.batches.get_mut(from + at));
                let Some(batch) = owed else { continue };
                match send::send(
                    &self.cloudfront,
                    &found.target,
                    batch,
                    until,
                    self.stop,
                    self.tell,
                )
                .await
                {
                    Sent::Accepted(accepted) => {
                        batch.accepted = Some(accepted.id.clone());
                        applied.paths += batch.paths.len() as u64;
                        applied.pending.push(Pending {
                            target: found.target.clone(),
                            id: accepted.id,
                            completed: accepted.completed,
                            paths: batch.paths.len() as u64,
                        });
                    }
                    Sent::TooLarge => {
                        let (head, tail) = batch.paths.split_at(batch.paths.len() / 2);
                        halves.push((target.clone(), head.to_vec()));
                        halves.push((target.clone(), tail.to_vec()));
                        batch.paths.clear();
                    }
                    Sent::Refused(_) if batch.paths.iter().any(|path| path.contains('\'')) => {
                        return Round::Quote;
                    }
                    Sent::Refused(error) | Sent::Failed(error) => {
                        applied.broken = Some(error.to_string());
                        return Round::Failed;
                    }
                    Sent::Stopped => return Round::Failed,
                }
            }
        }
        journal
            .targets
            .values_mut()
            .for_each(|owed| owed.batches.retain(|batch| !batch.paths.is_empty()));
        if halves.is_empty() {
            Round::Done
        } else {
            Round::Halves(halves)
        }
    }

    /// Writes manifest and history, then strikes the debts, or what of them is paid.
    async fn record(&mut self, journal: &Debt, applied: &mut Applied) -> Result<(), StateError> {
        let deploy = DeployRef {
            id: self.deploy.clone(),
            at: self.scene.now,
        };
        let store = self.scene.place.store.clone();
        let changes = record::changes(self.scene, &self.plan, &applied.done);
        let delta = record::delta(self.scene, &deploy, &self.plan, &applied.done);
        let update = Update {
            deploy,
            paths: applied.paths,
            delta,
            distributions: record::told(self.scene, self.job, true),
        };
        let head = self.scene.remote.head.clone();
        let rest = self.unpaid(journal, applied);
        let purges = applied
            .pending
            .iter()
            .filter(|one| one.paths > 0)
            .map(|one| history::Purge {
                target: one.target.id().to_owned(),
                invalidation: Some(one.id.clone()),
                paths: journal
                    .targets
                    .get(one.target.id())
                    .and_then(|owed| {
                        owed.batches
                            .iter()
                            .find(|batch| batch.accepted.as_ref() == Some(&one.id))
                    })
                    .map(|batch| batch.paths.clone())
                    .unwrap_or_default(),
            });
        let owner = crate::state::Owner::here();
        let record = history::Record {
            id: self.deploy.clone(),
            at: self.scene.now,
            who: owner.user,
            host: owner.host,
            commit: self.job.commit.clone(),
            dir: self.job.dir.display().to_string(),
            rollback_of: None,
            changes,
            purges: purges.collect(),
            outcome: match (&rest, applied.failed.is_empty()) {
                (_, false) => history::Outcome::Incomplete,
                (Some(_), _) => history::Outcome::Owing,
                (None, _) => history::Outcome::Done,
            },
        };
        let (written, _) = tokio::try_join!(
            store.write_manifest(&head, &mut self.scene.remote.loaded, update),
            store.write_history(&record)
        )?;
        self.scene.remote.head = written;
        if let Some(rest) = &rest {
            store.write_debt(rest).await?;
        } else {
            store.strike_debt(&journal.id).await?;
        }
        for id in &self.plan.debts {
            store.strike_debt(&DeployId::new(id)).await?;
        }
        Ok(())
    }

    /// What stays owed: paths where purging is off, and whatever may still come of changes that failed.
    fn unpaid(&self, journal: &Debt, applied: &Applied) -> Option<Debt> {
        let off = self.job.prices.mode == Mode::None;
        let failed: HashSet<Key> = if applied.failed.is_empty() {
            HashSet::new()
        } else {
            self.untouched(applied).collect()
        };
        let mut rest = Debt {
            keys: Vec::new(),
            targets: Default::default(),
            ..journal.clone()
        };
        if off {
            rest.targets.clone_from(&journal.targets);
            for (target, paths) in &self.scene.debts.owed {
                rest.targets
                    .entry(target.clone())
                    .or_default()
                    .paths
                    .extend(paths.iter().cloned());
            }
            for (target, batches) in &self.scene.debts.resend {
                let paths = batches.iter().flat_map(|batch| batch.paths.iter().cloned());
                rest.targets
                    .entry(target.clone())
                    .or_default()
                    .paths
                    .extend(paths);
            }
        }
        if !failed.is_empty() {
            rest.keys = journal
                .keys
                .iter()
                .filter(|touched| failed.contains(&touched.key))
                .cloned()
                .collect();
            if let Some(purges) = self.solve(Some(&failed), Dialect::default()) {
                let plan = Plan {
                    purges,
                    ..Plan::default()
                };
                for (target, owed) in record::owed(&plan) {
                    rest.targets
                        .entry(target)
                        .or_default()
                        .paths
                        .extend(owed.paths);
                }
            }
        }
        for owed in rest.targets.values_mut() {
            owed.batches.clear();
            owed.paths.sort();
            owed.paths.dedup();
        }
        rest.targets
            .retain(|_, owed: &mut debt::Owed| !owed.paths.is_empty() || !owed.whole.is_empty());
        (!rest.targets.is_empty() || !rest.keys.is_empty()).then_some(rest)
    }
}

enum Round {
    Done,
    Failed,
    /// CloudFront took these as too much at once.
    Halves(Vec<(String, Vec<String>)>),
    /// CloudFront refuses the apostrophe.
    Quote,
}

/// Changes of one rank may go at once; the next rank waits for them. Deeper pages come before what lists them.
fn rank(change: &Change) -> (Stage, std::cmp::Reverse<usize>, bool) {
    match change.stage {
        Stage::Page | Stage::Root => (
            change.stage,
            std::cmp::Reverse(change.key.depth()),
            is_folder_index(change.key.as_str()),
        ),
        stage => (stage, std::cmp::Reverse(0), false),
    }
}

fn texts(
    purges: &[TargetPurge],
    which: impl Fn(&TargetPurge) -> &crate::edge::Purge,
) -> Vec<(String, Vec<String>)> {
    let of = |one: &TargetPurge| {
        (
            one.target.clone(),
            which(one).cover.texts().map(str::to_owned).collect(),
        )
    };
    purges.iter().map(of).collect()
}

fn cost(purges: &[TargetPurge]) -> Money {
    let of = |one: &TargetPurge| one.purge.cover.path_cost + one.after.cover.path_cost;
    purges.iter().map(of).sum()
}
