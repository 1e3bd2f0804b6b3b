//! `unstale deploy` and `unstale plan`.

use std::sync::{Arc, Mutex, PoisonError};

use super::connect::Link;
use super::explain::PlanExplainer;
use super::{App, SiteCommand, exposed, verify};
use crate::cli;
use crate::deploy;
use crate::deploy::PlanInputs;
use crate::edge::critic::trusted_functions;
use crate::error::{Error, Exit};
use crate::job::{DeployEvent, DeploySummary, EventSink, Job};
use crate::object::Key;
use crate::plan::{Plan, guard};
use crate::report::PlanContext;

/// A deploy that was carried out or refused, and what its events told.
struct DeployAttempt {
    result: Result<Option<(PlanInputs, Arc<Plan>)>, Error>,
    /// The last one.
    plan: Option<Arc<Plan>>,
    summary: Option<DeploySummary>,
}

pub(super) async fn deploy(app: &App, flags: &cli::DeployArgs) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let mut job = with_flags(app.job(&link)?, &flags.change, &flags.purge);
    let accepting;
    let app = if flags.accept_redirects {
        accepting = app.accepting_redirects(&link, &job).await?;
        job = with_flags(accepting.job(&link)?, &flags.change, &flags.purge);
        &accepting
    } else {
        app
    };
    let url = flags.url.as_ref().map(|url| url.0.as_str());
    let mut attempt = app.attempt(&link, &job).await;
    if let Some(deletes) = app.allow_deletes(&job, &attempt).await? {
        job.settings.max_delete = Some(deletes);
        attempt = app.attempt(&link, &job).await;
    }
    let mut verified = Ok(Exit::Done);
    if let Ok(Some((scene, plan))) = &attempt.result {
        let (link, job) = (&link, &job);
        let command = SiteCommand { app, link, job };
        exposed::warn(command, scene, url).await?;
        if app.settings.verify {
            verified = verify::verify_deployed(command, scene, plan, url).await;
        }
    }
    if let Some(summary) = attempt.summary {
        app.teller(&link).tell(DeployEvent::Ended(summary));
        let session = link.session.as_ref();
        let session = session.filter(|_| attempt.result.is_ok());
        if session.is_some_and(|session| session.edge_urls.is_empty()) {
            let local = app.settings.local.as_deref();
            app.printer.seen_by_preview(&job.dir, local);
        }
    }
    attempt.result?;
    verified
}

impl App {
    /// Deploys, and holds the summary back: what is found out afterwards comes before it.
    async fn attempt(&self, link: &Link, job: &Job) -> DeployAttempt {
        let held = Arc::new(Mutex::new((None, None)));
        let (keep, printer) = (held.clone(), self.printer.clone());
        let tell = EventSink::new(move |event| {
            let mut held = keep.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                DeployEvent::Ended(summary) => return held.1 = Some(summary.clone()),
                DeployEvent::Planned(plan) => held.0 = Some(plan.clone()),
                _ => {}
            }
            printer.event(event);
        });
        let result = deploy::deploy(&link.aws, job, &self.stop, &tell).await;
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        let (plan, summary) = std::mem::take(&mut *held);
        DeployAttempt {
            result,
            plan,
            summary,
        }
    }

    /// Asks at a terminal whether so many objects may go as the guard has refused; returns their number if they may.
    async fn allow_deletes(
        &self,
        job: &Job,
        attempt: &DeployAttempt,
    ) -> Result<Option<usize>, Error> {
        let failed = attempt.result.is_err();
        let Some(plan) = attempt.plan.as_ref().filter(|_| failed) else {
            return Ok(None);
        };
        let Err(refused) = guard::check(plan, job.settings.max_delete) else {
            return Ok(None);
        };
        if !self.printer.can_ask() {
            return Ok(None);
        }
        let goes = plan.deletions.iter();
        let goes: Vec<Key> = goes.map(|deletion| deletion.key.clone()).collect();
        let (printer, text) = (self.printer.clone(), refused.to_string());
        let asking = tokio::task::spawn_blocking(move || printer.may_delete(&text, &goes));
        tokio::select! {
            answer = asking => Ok(matches!(answer, Ok(true)).then(|| refused.deletes())),
            () = self.stop.wished() => Err(Error::interrupted("nothing was changed")),
        }
    }
}

pub(super) async fn plan(app: &App, flags: &cli::PlanArgs) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let job = with_flags(app.job(&link)?, &flags.change, &flags.purge);
    let (link, job) = (&link, &job);
    let (scene, plan) = look(SiteCommand { app, link, job }).await?;
    if flags.suspect_noise {
        let suspects = deploy::noise_guess::suspects(&scene, &plan).await;
        app.printer.suspected_noise(&suspects);
        return Ok(Exit::Done);
    }
    if let Some(explained) = &flags.explain {
        let explainer = PlanExplainer {
            job,
            scene: &scene,
            plan: &plan,
        };
        explainer.explain(explained, &app.printer)?;
    } else {
        app.printer.plan(&plan, &context(job, &scene));
    }
    let refused = warn_if_refused(app, job, &plan);
    let changes = !plan.is_empty() || scene.unpaid_unlisted(job).is_some();
    if flags.check && (changes || refused || guard::check_budget(&plan).is_err()) {
        return Ok(Exit::Changes);
    }
    Ok(Exit::Done)
}

/// Plans, and shows the plan.
pub(super) async fn show_plan(command: SiteCommand<'_>) -> Result<(), Error> {
    let SiteCommand { app, job, .. } = command;
    let (scene, plan) = look(command).await?;
    app.printer.plan(&plan, &context(job, &scene));
    warn_if_refused(app, job, &plan);
    Ok(())
}

async fn look(command: SiteCommand<'_>) -> Result<(PlanInputs, Plan), Error> {
    let SiteCommand { app, link, job } = command;
    let looked = deploy::plan(&link.aws, job, &app.stop, &app.teller(link)).await?;
    app.printer.finish();
    Ok(looked)
}

/// Warns where a deploy would not carry the plan out; returns whether that is so.
fn warn_if_refused(app: &App, job: &Job, plan: &Plan) -> bool {
    let settings = &job.settings;
    let deletes = guard::check(plan, settings.max_delete).err();
    let deletes = deletes.map(|refused| (refused.to_string(), refused.hint()));
    let links = guard::check_links(plan, settings.links).err();
    let budget = guard::check_budget(plan).err().filter(|_| settings.strict);
    let site = links.into_iter().chain(budget);
    let site = site.map(|refused| (refused.to_string(), refused.hint().to_owned()));
    let refused: Vec<(String, String)> = deletes.into_iter().chain(site).collect();
    for (why, hint) in &refused {
        app.printer.refused(why, hint);
    }
    !refused.is_empty()
}

fn with_flags(mut job: Job, flags: &cli::ChangeArgs, purge: &cli::PurgeArgs) -> Job {
    job.free_paths = purge.free_paths;
    job.force = flags.force;
    job.sweep = flags.sweep;
    job.resume = flags.resume;
    job.drop_debts.clone_from(&flags.drop_debt);
    job
}

fn context(job: &Job, scene: &PlanInputs) -> PlanContext {
    let targets = scene.targets.found.iter();
    let named =
        targets.filter_map(|target| Some((target.id().to_owned(), target.domain()?.to_owned())));
    let sites = scene.targets.found.iter();
    let sites = sites.filter_map(|target| target.site(job));
    PlanContext {
        bucket: job.bucket.clone(),
        prefix: job.settings.prefix.0.clone(),
        names: named.collect(),
        free_left: scene.month_left(job),
        trusted: sites.flat_map(|site| trusted_functions(&site)).collect(),
    }
}
