//! `unstale deploy` and `unstale plan`.

use std::sync::{Arc, Mutex, PoisonError};

use super::App;
use super::connect::Link;
use crate::cli;
use crate::deploy::{self, Deployed, Event, Job, Scene, Teller};
use crate::error::{Error, Exit};
use crate::report;

pub(super) async fn deploy(app: &App, flags: &cli::Deploy) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let job = with_flags(app.job(&link)?, &flags.change, &flags.purge);
    let url = flags.url.as_ref().map(|url| url.0.as_str());
    let verifies = app.settings.verify;
    // The summary comes last, so what is found out afterwards has to come before it.
    let held = Arc::new(Mutex::new(None));
    let (keep, printer) = (held.clone(), app.printer.clone());
    let tell = Teller::new(move |event| match event {
        Event::Ended(_) if verifies => {
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(event.clone());
        }
        event => printer.event(event),
    });
    let result = deploy::deploy(&link.aws, &job, &app.stop, &tell).await;
    let mut verified = Ok(Exit::Done);
    if let Ok(Deployed {
        changed: Some((scene, plan)),
        ..
    }) = &result
    {
        super::exposed::warn(app, &link, &job, scene, url).await?;
        if verifies {
            verified = super::verify::verify_deployed(app, &link, &job, scene, plan, url).await;
        }
    }
    if let Some(ended) = &*held.lock().unwrap_or_else(PoisonError::into_inner) {
        app.printer.event(ended);
    }
    result?;
    verified
}

pub(super) async fn plan(app: &App, flags: &cli::Plan) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let job = with_flags(app.job(&link)?, &flags.change, &flags.purge);
    if flags.suspect_noise {
        return suspect_noise(app, &link, &job).await;
    }
    show(app, &link, &job, flags.check, flags.explain.as_deref()).await
}

/// Proposes noise rules by what is live.
async fn suspect_noise(app: &App, link: &Link, job: &Job) -> Result<Exit, Error> {
    let (scene, plan) = deploy::plan(&link.aws, job, &app.stop, &app.teller()).await?;
    let suspects = deploy::suspect::suspects(&scene, &plan).await;
    app.printer.finish();
    let mut found: Vec<_> = suspects.found.into_iter().collect();
    found.sort_by(|one, other| (other.1, &one.0).cmp(&(one.1, &other.0)));
    for (regex, pages) in &found {
        let quote = if regex.contains('\'') { "'''" } else { "'" };
        app.printer.line(&format!(
            "# on {pages} pages\n[[noise]]\nmatch = \"*.html\"\nregex = {quote}{regex}{quote}\n"
        ));
        app.printer.json(&serde_json::json!({
            "type": "noise", "match": "*.html", "regex": regex, "pages": pages,
        }));
    }
    app.printer.line(&format!(
        "{} of {} changed pages seem to differ by noise alone{}",
        suspects.spared,
        suspects.changed,
        if found.is_empty() {
            ""
        } else {
            "; deploy.toml takes the rules above, if you agree"
        }
    ));
    Ok(Exit::Done)
}

/// Plans and shows the plan, or what it has to do with a key or URL.
pub(super) async fn show(
    app: &App,
    link: &Link,
    job: &Job,
    check: bool,
    explained: Option<&str>,
) -> Result<Exit, Error> {
    let (scene, plan) = deploy::plan(&link.aws, job, &app.stop, &app.teller()).await?;
    app.printer.finish();
    match explained {
        Some(what) => super::explain::explain(app, job, &scene, &plan, what)?,
        None => app.printer.plan(&plan, &context(link, job, &scene)),
    }
    if let Err(refused) = crate::plan::guard::check(&plan, job.max_delete) {
        app.printer.warn(&format!(
            "deploy would refuse this: {refused}; {}",
            refused.hint()
        ));
    }
    Ok(if check && !plan.is_empty() {
        Exit::Changes
    } else {
        Exit::Done
    })
}

fn with_flags(mut job: Job, flags: &cli::ChangeArgs, purge: &cli::PurgeArgs) -> Job {
    job.free_paths = purge.free_paths;
    job.force = flags.force;
    job.sweep = flags.sweep;
    job.resume = flags.resume;
    job.drop_debts.clone_from(&flags.drop_debt);
    job
}

fn context(_: &Link, job: &Job, scene: &Scene) -> report::Context {
    let named = scene.targets.found.iter();
    let names = named.map(|found| {
        (
            found.id().to_owned(),
            found.domain().unwrap_or_default().to_owned(),
        )
    });
    report::Context {
        bucket: job.bucket.clone(),
        prefix: job.prefix.clone(),
        names: names.collect(),
        free_left: Some(scene.month_left(job)),
    }
}
