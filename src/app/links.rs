//! `unstale links`: what the pages of a build lead to, without AWS.

use std::path::Path;
use std::sync::Arc;

use super::App;
use crate::error::{Error, Exit};
use crate::job::EventSink;
use crate::rules::link_report::LinkPolicy;
use crate::settings::values::BucketAddress;
use crate::settings::{self, Settings};
use crate::site::{SiteSource, links as site_links};
use crate::survey;
use crate::survey::targets::ResolvedTargets;

pub(super) async fn links(app: &App) -> Result<Exit, Error> {
    let app = app.with(Settings {
        // Whatever deploys do with them, it is asked for here.
        links: LinkPolicy::Deny,
        bucket: (app.settings.bucket.clone()).or_else(|| Some(BucketAddress::named(""))),
        password: None,
        ..app.settings.clone()
    });
    let dir = settings::build_dir(&app.settings, Path::new(""))?;
    let job = app.job_for(None, dir)?;
    let printer = app.printer.clone();
    let tell = EventSink::new(move |event| printer.event(event));
    let build = survey::build(&job, &Arc::default(), &tell).await?;
    let source = SiteSource::read(build, &job).await;
    let found = site_links::look(
        &source,
        &job,
        &ResolvedTargets::default(),
        std::iter::empty(),
    );
    let report = found.links.unwrap_or_default();
    app.printer.links(&report);
    Ok(match report.refused() {
        0 => Exit::Done,
        _ => Exit::Failed,
    })
}
