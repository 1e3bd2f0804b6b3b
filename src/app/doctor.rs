//! `unstale doctor`: what keeps a deploy from working.

use std::path::Path;

use super::App;
use super::connect::Link;
use super::{quota, remedy};
use crate::aws::viewer::ViewerClient;
use crate::doctor::exposed::PATIENCE;
use crate::doctor::{self, CheckOutcome, CheckUp, ExaminedSite};
use crate::edge::price::FREE_PATHS;
use crate::error::{Error, Exit};
use crate::settings;

/// Tells all that was found; the exit status says whether there are problems.
pub(super) async fn doctor(app: &App) -> Result<Exit, Error> {
    let mut check = CheckUp::default();
    doctor::examine_build(&mut check, &app.settings);
    match app.connect().await {
        Ok(link) => examine(app, &link, &mut check).await?,
        Err(error) => check.findings.extend(doctor::unconnected(error).findings),
    }
    for finding in &mut check.findings {
        if let CheckOutcome::Problem(error) = &mut finding.outcome {
            *error = remedy::remedied(error.clone(), &app.settings);
        }
    }
    let problems = app.printer.check_up(&check.findings);
    Ok(if problems == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

async fn examine(app: &App, link: &Link, check: &mut CheckUp) -> Result<(), Error> {
    let official = link.is_official();
    let authorities = app.authorities()?;
    let viewer = (official && link.session.is_none())
        .then(|| ViewerClient::new(authorities.as_deref(), PATIENCE));
    let site = ExaminedSite {
        aws: &link.aws,
        // With what the build says of headers and redirects, if there is one.
        job: app.job_for(
            Some(link),
            settings::build_dir(&app.settings, Path::new("")).unwrap_or_default(),
        ),
        viewer,
        official,
    };
    if doctor::examine(check, &site).await {
        quota(app, link, check).await;
    }
    Ok(())
}

/// Says what is left of the month's free paths. Nobody knows it without asking for each invalidation.
async fn quota(app: &App, link: &Link, check: &mut CheckUp) {
    const QUOTA: &str = "quota";
    let spent = match quota::spent(app, link).await {
        Ok(quota) => quota.spent.iter().map(|spent| spent.paths).sum::<u64>(),
        Err(error) => return check.unchecked(QUOTA, error.to_string()),
    };
    let text = format!("{spent} of {FREE_PATHS} free invalidation paths used this month");
    if spent < FREE_PATHS {
        check.fine(QUOTA, text);
    } else {
        let remedy = "each further path costs $0.005 until the month ends; `unstale quota` says where they went";
        check.warn(QUOTA, text, remedy);
    }
}
