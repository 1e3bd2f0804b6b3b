//! `unstale doctor`: what keeps a deploy from working.

use std::path::Path;

use super::App;
use super::connect::{Link, read_password};
use super::{quota, remedy};
use crate::aws::AwsErrorKind;
use crate::aws::viewer::ViewerClient;
use crate::doctor::exposed::PATIENCE;
use crate::doctor::{self, CheckOutcome, CheckUp, ExaminedSite};
use crate::edge::price::FREE_PATHS;
use crate::error::{Error, Exit};
use crate::job::Job;
use crate::settings::{self, Settings};

/// Free paths from which on they are told to end.
const NEARLY_ALL: u64 = FREE_PATHS / 10 * 9;

/// Tells all that was found; the exit status says whether there are problems.
pub(super) async fn doctor(app: &App) -> Result<Exit, Error> {
    let mut check = CheckUp::default();
    doctor::examine_build(&mut check, &app.settings);
    if let Err(error) = read_password(&app.settings) {
        check.problem("settings", error);
    }
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
        job: job(app, link),
        viewer,
        official,
    };
    if doctor::examine(check, &site).await {
        quota(app, link, check).await;
    }
    Ok(())
}

/// Returns the job, with what the build says of headers and redirects, if there is one. Nothing here needs the password.
fn job(app: &App, link: &Link) -> Result<Job, Error> {
    let settings = &app.settings;
    let open = app.with(Settings {
        password: None,
        ..settings.clone()
    });
    let dir = settings::build_dir(settings, Path::new("")).unwrap_or_default();
    let job = open.job_for(Some(link), dir)?;
    Ok(Job {
        settings: settings.clone(),
        function: settings.function_name(),
        ..job
    })
}

/// Says what is left of the month's free paths. Nobody knows it without asking for each invalidation.
async fn quota(app: &App, link: &Link, check: &mut CheckUp) {
    const QUOTA: &str = "quota";
    let (quota, uncounted) = match quota::spent(app, link).await {
        Ok(quota) => quota,
        Err(error) if error.kind == Some(AwsErrorKind::AccessDenied) => {
            return check.unchecked(
                QUOTA,
                "needs cloudfront:ListDistributions, and ListInvalidations and GetInvalidation on all distributions; deploys do without",
            );
        }
        Err(error) => return check.unchecked(QUOTA, error.to_string()),
    };
    let spent = quota.spent.iter().map(|spent| spent.paths).sum::<u64>();
    let mut text = format!("{spent} of {FREE_PATHS} free invalidation paths used this month");
    if uncounted.is_some_and(|error| error.is(&AwsErrorKind::AccessDenied)) {
        text.push_str("; those of tenants need cloudfront:ListDistributionTenants");
    }
    if spent < NEARLY_ALL {
        check.fine(QUOTA, text);
    } else {
        let remedy = "each path past them costs $0.005 until the month ends; `unstale quota` says where they went";
        check.warn(QUOTA, text, remedy);
    }
}
