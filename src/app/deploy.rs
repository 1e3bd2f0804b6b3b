//! `unstale deploy` and `unstale plan`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;

use super::connect::Link;
use super::explain::PlanExplainer;
use super::page_file::PageFile;
use super::{App, SiteCommand, exposed, verify};
use crate::cli;
use crate::deploy;
use crate::deploy::PlanInputs;
use crate::edge::critic::trusted_functions;
use crate::error::{Error, Exit};
use crate::job::{DeployEvent, DeploySummary, EventSink, Job};
use crate::object::Key;
use crate::plan::{Plan, guard};
use crate::report::page::{PageSubject, ReportedDeploy, TimeLine, page};
use crate::report::{PlanContext, Printer, refusal};

/// A deploy that was carried out or refused, and what its events told.
struct DeployAttempt {
    result: Result<Option<(PlanInputs, Arc<Plan>)>, Error>,
    /// The last one.
    plan: Option<Arc<Plan>>,
    summary: Option<DeploySummary>,
    /// When it did what.
    line: TimeLine,
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
    let report = flags.report.as_deref();
    let report = report
        .map(|path| PageFile::at(path, &job.dir))
        .transpose()?;
    let at = Timestamp::now().as_second();
    let mut attempt = app.attempt(&link, &job).await;
    if let Some(deletes) = app.allow_deletes(&job, &attempt).await? {
        job.settings.max_delete = Some(deletes);
        attempt = app.attempt(&link, &job).await;
    }
    let (link, job) = (&link, &job);
    let ended = conclude(SiteCommand { app, link, job }, &attempt, flags).await;
    if let Some(report) = report {
        // What was done is done: a page that cannot be written is no failure.
        let written = report.write(&attempt.page(job, at, ended.as_ref().err()));
        if let Err(error) = written {
            app.printer.warn(
                &error
                    .causes
                    .iter()
                    .fold(error.message, |text, cause| format!("{text}: {cause}")),
            );
        }
    }
    ended
}

/// Finds out afterwards what is to be said of a deploy, and tells its end.
async fn conclude(
    command: SiteCommand<'_>,
    attempt: &DeployAttempt,
    flags: &cli::DeployArgs,
) -> Result<Exit, Error> {
    let SiteCommand { app, link, job } = command;
    let url = flags.url.as_ref().map(|url| url.0.as_str());
    let mut verified = Ok(Exit::Done);
    if let Ok(Some((scene, plan))) = &attempt.result {
        exposed::warn(command, scene, url).await?;
        if app.settings.verify {
            verified = verify::verify_deployed(command, scene, plan, url).await;
        }
    }
    if let Some(summary) = &attempt.summary {
        app.teller(link).tell(DeployEvent::Ended(summary.clone()));
        let session = link.session.as_ref();
        let session = session.filter(|_| attempt.result.is_ok());
        if session.is_some_and(|session| session.edge_urls.is_empty()) {
            let local = app.settings.local.as_deref();
            let flags = &app.settings.site_flags;
            app.printer.seen_by_preview(&job.dir, flags, local);
        }
    }
    attempt.result.as_ref().map_err(Error::clone)?;
    verified
}

impl DeployAttempt {
    /// Writes the page of what was done, by unix seconds when it began, and of the error that it ended with.
    fn page(&self, job: &Job, at: i64, error: Option<&Error>) -> String {
        let scene = self.result.as_ref().ok().and_then(Option::as_ref);
        // Of a deploy that failed nothing but the site's place is known.
        let context = scene.map_or_else(
            || PlanContext {
                bucket: job.bucket.clone(),
                prefix: job.settings.prefix.0.clone(),
                ..PlanContext::default()
            },
            |(scene, _)| context(job, scene),
        );
        page(&PageSubject {
            plan: self.plan.as_deref(),
            context: &context,
            at,
            commit: job.commit.as_deref(),
            deploy: Some(ReportedDeploy {
                summary: self.summary.as_ref(),
                error,
                line: &self.line,
            }),
        })
    }
}

impl App {
    /// Deploys, and holds the summary back: what is found out afterwards comes before it.
    async fn attempt(&self, link: &Link, job: &Job) -> DeployAttempt {
        let held = Arc::new(Mutex::new((None, None, TimeLine::default())));
        let (keep, printer, begun) = (held.clone(), self.printer.clone(), Instant::now());
        let tell = EventSink::new(move |event| {
            let mut held = keep.lock().unwrap_or_else(PoisonError::into_inner);
            held.2.note(begun.elapsed(), event);
            match event {
                DeployEvent::Ended(summary) => return held.1 = Some(summary.clone()),
                DeployEvent::Planned(plan) => held.0 = Some(plan.clone()),
                _ => {}
            }
            printer.event(event);
        });
        let result = deploy::deploy(&link.aws, job, &self.stop, &tell).await;
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        let (plan, summary, line) = std::mem::take(&mut *held);
        DeployAttempt {
            result,
            plan,
            summary,
            line,
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
        let goes = plan.deletions.iter();
        let goes: Vec<Key> = goes.map(|deletion| deletion.key.clone()).collect();
        let text = refused.to_string();
        let question = move |printer: &Printer| printer.may_delete(&text, &goes);
        let may = self.agrees(question).await?;
        Ok(refused.deletes().filter(|_| may))
    }
}

pub(super) async fn plan(app: &App, flags: &cli::PlanArgs) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let job = with_flags(app.job(&link)?, &flags.change, &flags.purge);
    let file = flags.html.as_deref();
    let file = file.map(|path| PageFile::at(path, &job.dir)).transpose()?;
    let (link, job) = (&link, &job);
    let (scene, plan) = look(SiteCommand { app, link, job }).await?;
    if flags.suspect_noise {
        let suspects = deploy::noise_guess::suspects(&scene, &plan).await;
        app.printer.suspected_noise(&suspects);
        return Ok(Exit::Done);
    }
    let context = PlanContext {
        refused: refusals(job, &plan),
        ..context(job, &scene)
    };
    if let Some(file) = file {
        file.write(&page(&PageSubject {
            plan: Some(&plan),
            context: &context,
            at: scene.now,
            commit: job.commit.as_deref(),
            deploy: None,
        }))?;
    }
    if let Some(explained) = &flags.explain {
        let explainer = PlanExplainer {
            job,
            scene: &scene,
            plan: &plan,
        };
        explainer.explain(explained, &app.printer)?;
    } else if flags.markdown {
        app.printer.plan_as_markdown(&plan, &context);
    } else {
        app.printer.plan(&plan, &context);
    }
    app.printer.warnings(&context.refused);
    let changes = !plan.is_empty() || scene.unpaid_unlisted(job).is_some();
    if flags.check
        && (changes || !context.refused.is_empty() || guard::check_budget(&plan).is_err())
    {
        return Ok(Exit::Changes);
    }
    Ok(Exit::Done)
}

/// Plans, and shows the plan.
pub(super) async fn show_plan(command: SiteCommand<'_>) -> Result<(), Error> {
    let SiteCommand { app, job, .. } = command;
    let (scene, plan) = look(command).await?;
    app.printer.plan(&plan, &context(job, &scene));
    app.printer.warnings(&refusals(job, &plan));
    Ok(())
}

async fn look(command: SiteCommand<'_>) -> Result<(PlanInputs, Plan), Error> {
    let SiteCommand { app, link, job } = command;
    let looked = deploy::plan(&link.aws, job, &app.stop, &app.teller(link)).await?;
    app.printer.finish();
    Ok(looked)
}

/// Says why a deploy would not carry the plan out, a sentence each.
fn refusals(job: &Job, plan: &Plan) -> Vec<String> {
    let settings = &job.settings;
    let deletes = guard::check(plan, settings.max_delete).err();
    let links = guard::check_links(plan, settings.links).err();
    let budget = guard::check_budget(plan).err().filter(|_| settings.strict);
    let refused = deletes.into_iter().chain(links).chain(budget);
    refused
        .map(|refused| refusal(&refused, &refused.hint()))
        .collect()
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
        refused: Vec::new(),
    }
}
