//! `unstale preview --watch`: deploys to the local S3 whenever the build has changed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::connect::Link;
use super::{App, SiteCommand, remedy};
use crate::deploy;
use crate::error::{Error, Exit};
use crate::job::{DeployEvent, DeploySummary, EventSink, Job};
use crate::scan;
use crate::settings::{HEADERS_FILE, REDIRECTS_FILE};

/// The least time between two looks at the build, which is also how long it has to be quiet.
const PAUSE: Duration = Duration::from_millis(300);
/// How many times as long as a look takes nobody looks.
const REST: u32 = 10;

/// The build as it is deployed: the digest of its content, or why there is none to deploy.
pub(super) type BuildLook = Result<u64, String>;

/// Looks until Ctrl-C, or until the other process ends that serves the site. `deployed` is the build that was deployed already.
///
/// Looking beats being told: generators delete a folder and make it anew, which loses whoever listens to it, and mounts of containers and
/// networks tell nothing. As unchanged files are not read again, a look costs little.
pub(super) async fn watch(command: SiteCommand<'_>, deployed: BuildLook) -> Result<(), Error> {
    let SiteCommand { app, link, job } = command;
    let (mut handled, mut before) = (deployed.clone(), deployed);
    let mut pause = PAUSE;
    loop {
        tokio::select! {
            () = app.stop.wished() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        if let Some(session) = &link.session
            && !session.is_served().await
        {
            return Err(Error::failed("the process that served this site has ended")
                .hint("the same command again serves it from here"));
        }
        let began = Instant::now();
        let now = tokio::select! {
            () = app.stop.wished() => return Ok(()),
            now = look(job) => now,
        };
        pause = PAUSE.max(began.elapsed() * REST);
        // A build that is being written differs from one look to the next.
        if now == before && now != handled {
            match &now {
                Ok(_) => redeploy(app, link).await,
                Err(why) => app.printer.waits_for_build(why),
            }
            handled = now.clone();
        }
        before = now;
    }
}

/// Looks at the build and at the files in it that say how it is served.
pub(super) async fn look(job: &Job) -> BuildLook {
    let scanned = scan::scan(&job.dir, &job.scan, |_| ()).await;
    let build = scanned.map_err(|error| error.to_string())?;
    if build.files.is_empty() {
        return Err(format!("{:?} is empty", job.dir));
    }
    let mut digest = DefaultHasher::new();
    for file in &build.files {
        (file.key.as_str(), file.md5.0).hash(&mut digest);
    }
    for name in [REDIRECTS_FILE, HEADERS_FILE] {
        std::fs::read(job.dir.join(name)).ok().hash(&mut digest);
    }
    Ok(digest.finish())
}

/// Deploys, tells in one line, and has the open pages loaded again, even where somebody else was quicker to deploy the build.
async fn redeploy(app: &App, link: &Link) {
    match deployed(app, link).await {
        Ok(summary) => {
            let session = link.session.as_ref();
            if let Some(world) = session.and_then(|session| session.world.as_ref()) {
                world.reload_pages();
            }
            if summary.deploy.is_some() {
                app.printer.redeployed(&summary);
            }
        }
        Err(error) if error.exit == Exit::Interrupted => {}
        // The next change may be its remedy.
        Err(error) => (app.printer).error(&remedy::remedied(error, &app.settings)),
    }
}

async fn deployed(app: &App, link: &Link) -> Result<DeploySummary, Error> {
    // Whatever says how the build is served is read again.
    let mut job = app.job(link)?;
    job.is_preview = true;
    // The local edges forget at once.
    job.settings.wait = false;
    let kept = Arc::new(Mutex::new(DeploySummary::default()));
    let (keep, printer) = (kept.clone(), app.printer.clone());
    let tell = EventSink::new(move |event| match event {
        DeployEvent::Ended(summary) => {
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = summary.clone();
        }
        DeployEvent::Planned(plan) => printer.warnings(&plan.warnings),
        DeployEvent::Warned(_) => printer.event(event),
        _ => {}
    });
    deploy::deploy(&link.aws, &job, &app.stop, &tell).await?;
    let summary = kept.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(summary.clone())
}
