//! `unstale deploy` and `unstale plan`.

use std::sync::{Arc, Mutex, PoisonError};

use super::explain::PlanExplainer;
use super::{App, SiteCommand, exposed, verify};
use crate::cli;
use crate::deploy;
use crate::deploy::PlanInputs;
use crate::edge::critic::trusted_functions;
use crate::error::{Error, Exit};
use crate::job::{DeployEvent, EventSink, Job};
use crate::plan::{Plan, guard};
use crate::report::PlanContext;

pub(super) async fn deploy(app: &App, flags: &cli::DeployArgs) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let job = with_flags(app.job(&link)?, &flags.change, &flags.purge);
    let url = flags.url.as_ref().map(|url| url.0.as_str());
    // The summary comes last, so what is found out afterwards has to come before it.
    let held = Arc::new(Mutex::new(None));
    let (keep, printer) = (held.clone(), app.printer.clone());
    let tell = EventSink::new(move |event| match event {
        DeployEvent::Ended(summary) => {
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(summary.clone());
        }
        event => printer.event(event),
    });
    let result = deploy::deploy(&link.aws, &job, &app.stop, &tell).await;
    let mut verified = Ok(Exit::Done);
    if let Ok(Some((scene, plan))) = &result {
        let (link, job) = (&link, &job);
        let command = SiteCommand { app, link, job };
        exposed::warn(command, scene, url).await?;
        if app.settings.verify {
            verified = verify::verify_deployed(command, scene, plan, url).await;
        }
    }
    let held = held.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(mut summary) = held {
        if let Some(session) = &link.session {
            summary.url = session.edge_urls.first().cloned();
        }
        app.printer.event(&DeployEvent::Ended(summary));
        if link
            .session
            .as_ref()
            .is_some_and(|session| session.edge_urls.is_empty())
        {
            app.printer
                .seen_by_preview(&job.dir, app.settings.local.as_deref());
        }
    }
    result?;
    verified
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
    warn_if_refused(app, job, &plan);
    if flags.check && (!plan.is_empty() || scene.unpaid_unlisted(job).is_some()) {
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
    let looked = deploy::plan(&link.aws, job, &app.stop, &app.teller()).await?;
    app.printer.finish();
    Ok(looked)
}

fn warn_if_refused(app: &App, job: &Job, plan: &Plan) {
    if let Err(refused) = guard::check(plan, job.settings.max_delete) {
        app.printer.refused(&refused);
    }
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
