//! Carries out one Plan, in the order that keeps its promises: journal, assets, pages, removed pages, purge, removed assets,
//! manifest, history, and only then is the journal struck.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Teller;
use super::event::Event;
use super::function::Step;
use super::job::Job;
use super::pool::{self, Level};
use super::put::{PutError, Tools};
use super::record::{self, Changes, Done};
use super::scene::Scene;
use super::send::{self, Pending};
use super::sender::{Outgoing, Sender};
use super::stop::Stop;
use crate::aws::s3::MAX_DELETES;
use crate::aws::{AwsError, Bucket, CloudFront, Kind};
use crate::domain::manifest::{DeployId, DeployRef};
use crate::domain::{ETag, Key};
use crate::edge::path::Dialect;
use crate::edge::{Mode, Money};
use crate::plan::{Change, Plan, TargetPurge};
use crate::state::debt::{self, Debt};
use crate::state::{Held, StateError, Update, history};

/// No request is begun that could outlast the lease by this.
const LONGEST: Duration = Duration::from_secs(15);

/// What a deploy works with.
pub(super) struct Apply<'a> {
    pub(super) job: &'a Job,
    pub(super) scene: &'a mut Scene,
    pub(super) plan: Arc<Plan>,
    pub(super) deploy: DeployId,
    pub(super) held: Option<&'a Held>,
    pub(super) hands: Hands,
    pub(super) level: &'a mut Level,
    pub(super) stop: &'a Stop,
    pub(super) tell: &'a Teller,
}

/// What changes go through.
#[derive(Clone)]
pub(super) struct Hands {
    pub(super) bucket: Bucket,
    pub(super) cloudfront: CloudFront,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) done: Done,
    /// Objects that are not as they should be, and why.
    pub(super) failed: Vec<(Key, PutError)>,
    /// Somebody else wrote an object since the listing: look and plan again.
    pub(super) race: Option<String>,
    pub(super) sent: Outgoing,
    pub(super) cost: Money,
    /// The time for the wait ran out before the assets could be removed.
    pub(super) late: bool,
    /// Something broke for good; the journal stands.
    pub(super) broken: Option<String>,
    /// Distributions stay configured otherwise than the plan took them to be.
    pub(super) otherwise: bool,
    /// Manifest and history say what was done.
    pub(super) recorded: bool,
    /// The lock was given back with the last of it.
    pub(super) released: bool,
}

impl Applied {
    /// What broke for good, if anything did.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.broken.as_deref().or(self.sent.broken.as_deref())
    }
}

impl Apply<'_> {
    /// `journal` stands in the bucket, and nothing else was written.
    pub(super) async fn run(mut self, mut journal: Debt) -> Applied {
        let mut applied = Applied::default();
        self.change_objects(&mut applied).await;
        if self.must_stop() || applied.race.is_some() {
            return applied;
        }
        self.deploy_function(&mut applied).await;
        if self.must_stop() {
            return applied;
        }
        if let Err(error) = self.purge_and_record(&mut journal, &mut applied).await {
            applied.broken = Some(error.to_string());
        }
        applied
    }

    /// Lets the function answer the redirects, whose targets are live now. What cannot be done is told, and the purge is made
    /// for what is.
    async fn deploy_function(&mut self, applied: &mut Applied) {
        let Some(mut function) = self.scene.targets.function.take() else {
            return;
        };
        let step = Step {
            cloudfront: &self.hands.cloudfront,
            may_go: &|| !self.must_stop(),
            wait: self.job.wait.then_some(self.job.timeout),
            stop: self.stop,
            tell: self.tell,
        };
        let undone = match applied.failed.is_empty() {
            true => function.deploy(&step).await,
            false => function.all(),
        };
        applied.otherwise = !undone.is_empty();
        function.undo(&undone, &mut self.scene.targets);
        self.scene.targets.function = Some(function);
    }

    fn must_stop(&self) -> bool {
        self.stop.is_set() || self.held.is_some_and(|held| !held.may_start(LONGEST))
    }

    /// Uploads and copies.
    async fn change_objects(&mut self, applied: &mut Applied) {
        let plan = self.plan.clone();
        if !plan.changes.is_empty() {
            self.tell.tell(Event::UploadsBegan {
                files: plan.changes.len() as u64,
                bytes: plan.upload_bytes(),
            });
        }
        let tools = Arc::new(Tools::new(
            self.scene.place.clone(),
            self.hands.bucket.clone(),
            self.scene.source.root(),
            self.tell.clone(),
            self.job,
            self.held.is_some(),
        ));
        let mut kept = self.scene.source.take_kept();
        let mut at = 0;
        for group in plan.changes.chunk_by(|one, other| one.rank == other.rank) {
            self.put_all(&tools, &mut kept, at, group, applied).await;
            at += group.len();
            // What was not begun is not live, so that what refers to it must not be either.
            if self.must_stop() || applied.race.is_some() || !applied.failed.is_empty() {
                return;
            }
        }
    }

    /// Puts the changes of one rank, the first of which is the plan's change `first`.
    async fn put_all(
        &mut self,
        tools: &Arc<Tools>,
        kept: &mut HashMap<Key, Bytes>,
        first: usize,
        group: &[Change],
        applied: &mut Applied,
    ) {
        let wants = super::wants::Wants::new(self.job, &self.scene.source, &self.scene.targets);
        let plan = self.plan.clone();
        let held = self.held;
        let start = |at: usize| {
            let (tools, plan) = (tools.clone(), plan.clone());
            let change = plan.changes.get(at);
            let file = change.and_then(|change| wants.file(change.key.as_str()).cloned());
            let kept = change.and_then(|change| kept.remove(&change.key));
            async move {
                match plan.changes.get(at) {
                    Some(change) => Some((at, tools.put(change, file.as_ref(), kept).await)),
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
            let mut failed = place.bucket.delete_many(&objects).await;
            if let Err(error) = &failed
                && error.is(&Kind::NotImplemented)
            {
                let plain: Vec<_> = objects.iter().map(|(key, _)| (key.clone(), None)).collect();
                failed = place.bucket.delete_many(&plain).await;
            }
            // What was refused whole is owed still, but no reason to keep back the purge of all else.
            let failed: HashMap<String, AwsError> = match failed {
                Ok(failed) => failed.into_iter().collect(),
                Err(error) => objects
                    .iter()
                    .map(|(key, _)| (key.clone(), error.clone()))
                    .collect(),
            };
            for at in chunk {
                let Some(deletion) = plan.deletions.get(*at) else {
                    continue;
                };
                let full = place.full(deletion.key.as_str());
                let error = match failed.get(&full) {
                    // Gone already: by a first try whose answer was lost, or by somebody else.
                    Some(error) if error.is(&Kind::NotFound) => None,
                    Some(error)
                        if error.is(&Kind::Precondition)
                            && place.bucket.head(&full, None).await?.is_none() =>
                    {
                        None
                    }
                    error => error,
                };
                match error {
                    None => {
                        self.tell.tell(Event::Deleted {
                            key: deletion.key.clone(),
                        });
                        applied.done.deleted.push(*at);
                    }
                    Some(error) if error.is(&Kind::Precondition) || error.is(&Kind::Conflict) => {
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

    /// Everything after the objects: removed pages, purge, removed assets, manifest, history, and the journal's end. What does
    /// not depend on each other rides side by side.
    async fn purge_and_record(
        &mut self,
        journal: &mut Debt,
        applied: &mut Applied,
    ) -> Result<(), StateError> {
        let until = Instant::now() + self.job.timeout;
        let store = self.scene.place.store.clone();
        let plan = self.plan.clone();
        let purges = self.purges(&plan, applied);
        self.mark(journal, applied);
        let mut sender = self.sender(&purges, until);
        let mut noted = sender.note(journal, &texts(&purges, |one| &one.purge), false);
        noted |= sender.note(journal, &texts(&purges, |one| &one.after), true);
        // Pages that go are stale like pages that changed, so their purge may be recorded meanwhile.
        let removing = async {
            // Pages that stay name them still, and the purge above was made without them.
            match applied.failed.is_empty() {
                true => self.delete(applied, true).await,
                false => Ok(()),
            }
        };
        let noting = async {
            // With no batch in it the journal says what it did before.
            match noted {
                true => store.write_debt(journal).await,
                false => Ok(()),
            }
        };
        let (deleted, written) = tokio::join!(removing, noting);
        deleted?;
        written?;
        if self.must_stop() || applied.race.is_some() {
            return Ok(());
        }
        let removes = self.plan.deletions.iter().any(|one| !one.page);
        if removes {
            if !sender.send(journal, false, &mut applied.sent).await? {
                return Ok(());
            }
            if applied.failed.is_empty() {
                let waited = send::wait(
                    &self.hands.cloudfront,
                    &mut applied.sent.pending,
                    until,
                    self.stop,
                    self.tell,
                );
                // Where nobody can tell that it has completed, the assets stay for the next deploy.
                applied.late = !waited.await.unwrap_or(false);
            }
            if self.must_stop() {
                return Ok(());
            }
            if applied.late || !applied.failed.is_empty() {
                return self.record(journal, applied, None).await;
            }
            self.delete(applied, false).await?;
            if self.must_stop() || applied.race.is_some() {
                return Ok(());
            }
        }
        applied.cost = cost(&purges);
        self.record(journal, applied, Some((sender, removes))).await
    }

    /// Notes in the journal what the batches do not speak for.
    fn mark(&self, journal: &mut Debt, applied: &Applied) {
        let failed: HashSet<Key> = match applied.failed.is_empty() {
            true => HashSet::new(),
            false => self.untouched(applied).collect(),
        };
        for touched in &mut journal.keys {
            touched.failed = failed.contains(&touched.key);
        }
    }

    fn sender(&self, purges: &[TargetPurge], until: Instant) -> Sender {
        let quoted = |one: &TargetPurge| {
            [&one.purge, &one.after]
                .into_iter()
                .any(|purge| purge.cover.texts().any(send::may_be_refused))
        };
        let refused = Dialect {
            quote_refused: true,
        };
        let alternative = purges
            .iter()
            .any(quoted)
            .then(|| self.solve(None, refused))
            .flatten();
        Sender {
            cloudfront: self.hands.cloudfront.clone(),
            store: self.scene.place.store.clone(),
            deploy: self.deploy.clone(),
            targets: self
                .scene
                .targets
                .found
                .iter()
                .map(|found| found.target.clone())
                .collect(),
            resend: match self.job.prices.mode {
                Mode::None => Default::default(),
                _ => self.scene.debts.resend.clone(),
            },
            without_quotes: alternative
                .as_deref()
                .map(|all| texts(all, |one| &one.purge)),
            without_quotes_late: alternative
                .as_deref()
                .map(|all| texts(all, |one| &one.after)),
            paced: self.job.paced,
            noted: 0,
            until,
            stop: self.stop.clone(),
            tell: self.tell.clone(),
        }
    }

    /// The purges for what was really changed.
    fn purges<'p>(&self, plan: &'p Plan, applied: &Applied) -> Cow<'p, [TargetPurge]> {
        let as_planned = Cow::Borrowed(plan.purges.as_slice());
        if applied.failed.is_empty() {
            let otherwise = applied.otherwise.then_some(None);
            let anew = otherwise.and_then(|only| self.solve(only, Dialect::default()));
            return anew.map_or(as_planned, Cow::Owned);
        }
        let unchanged: HashSet<Key> = self.untouched(applied).collect();
        let all = (plan.changes.iter())
            .map(|one| &one.key)
            .chain(plan.deletions.iter().map(|one| &one.key));
        // The manifest will say of these too that the edges were told.
        let others = plan.adopted.iter().map(|one| &one.key);
        let changed: HashSet<Key> = all
            .chain(others)
            .chain(&plan.vanished)
            .filter(|key| !unchanged.contains(*key))
            .cloned()
            .collect();
        self.solve(Some(&changed), Dialect::default())
            .map_or(as_planned, Cow::Owned)
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

    /// Writes the manifest while the sender, if there is one, sends the purge, or its late batches; then the history; and strikes
    /// the debts, or what of them is paid.
    async fn record(
        &mut self,
        journal: &mut Debt,
        applied: &mut Applied,
        sender: Option<(Sender, bool)>,
    ) -> Result<(), StateError> {
        let deploy = DeployRef {
            id: self.deploy.clone(),
            // Later than all that it wrote, so that what is written later was not written by it.
            at: self.scene.place.bucket.watch.server_now(),
        };
        let store = self.scene.place.store.clone();
        let rest = self.unpaid(journal, applied);
        let delta = record::delta(self.scene, &deploy, &self.plan, &applied.done);
        let before = record::before(self.scene, &delta);
        let paths = journal
            .targets
            .values()
            .flat_map(|owed| &owed.batches)
            // Late ones are not sent where assets had to stay.
            .filter(|batch| !batch.late || sender.is_some())
            .map(|batch| batch.paths.len() as u64)
            .sum();
        let distributions = record::told(self.scene, self.job, &self.plan);
        let update = Update {
            deploy,
            paths,
            delta,
            distributions,
        };
        let head = self.scene.remote.head.clone();
        let manifest = store.write_manifest(&head, &mut self.scene.remote.loaded, update);
        if let Some((mut sender, late)) = sender {
            let sending = sender.send(journal, late, &mut applied.sent);
            let (sent, written) = tokio::join!(sending, manifest);
            self.scene.remote.head = written?;
            if !sent? {
                return Ok(());
            }
        } else {
            self.scene.remote.head = manifest.await?;
        }
        let changes = Changes {
            before: &before,
            now: self.scene.now,
            plan: &self.plan,
            done: &applied.done,
        };
        let record = self.history(journal, applied, changes, rest.is_some());
        let strike = async {
            if let Some(rest) = &rest {
                store.write_debt(rest).await?;
            }
            // These first: until the own one is gone, what they owe is settled by its batches.
            for id in &self.plan.debts {
                let mut kept = self.scene.debts.kept.iter();
                match kept.find(|kept| kept.id.as_str() == id) {
                    Some(kept) => store.write_debt(kept).await?,
                    None => store.strike_debt(&DeployId::new(id)).await?,
                }
            }
            if rest.is_none() {
                store.strike_debt(&journal.id).await?;
            }
            Ok(())
        };
        let sequence = self
            .scene
            .remote
            .head
            .head()
            .map_or(0, |head| head.sequence);
        let history = store.write_history(&record, sequence);
        if rest.is_none() && self.scene.debts.kept.is_empty() {
            // Nothing is written over any more, so that the lock may go with the last of it: whoever takes it before the debts
            // are gone finds them paid.
            let release = async {
                if let Some(held) = self.held {
                    // Lost, it is somebody else's to give back.
                    let _ = held.release().await;
                }
            };
            let ((), written) = tokio::join!(release, async { tokio::try_join!(history, strike) });
            applied.released = true;
            written?;
        } else {
            tokio::try_join!(history, strike)?;
        }
        applied.recorded = true;
        Ok(())
    }

    fn history<C>(
        &self,
        journal: &Debt,
        applied: &Applied,
        changes: C,
        owing: bool,
    ) -> history::Record<C> {
        let batches = |one: &Pending| {
            let owed = journal.targets.get(one.target.id())?;
            let batch = owed
                .batches
                .iter()
                .find(|batch| batch.accepted.as_ref() == Some(&one.id))?;
            Some(history::Purge {
                target: one.target.id().to_owned(),
                invalidation: Some(one.id.clone()),
                paths: batch.paths.clone(),
            })
        };
        let owner = crate::state::Owner::here();
        history::Record {
            id: self.deploy.clone(),
            at: self.scene.now,
            who: owner.user,
            host: owner.host,
            commit: self.job.commit.clone(),
            dir: self.job.dir.display().to_string(),
            rollback_of: self.job.rollback.clone(),
            changes,
            purges: applied.sent.pending.iter().filter_map(batches).collect(),
            outcome: match (owing, applied.failed.is_empty()) {
                (_, false) => history::Outcome::Incomplete,
                (true, _) => history::Outcome::Owing,
                (false, _) => history::Outcome::Done,
            },
        }
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
