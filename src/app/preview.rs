//! `unstale preview`: deploys to a local S3 and CloudFront and serves the site through an edge of it.

use std::path::PathBuf;

use super::App;
use crate::cli;
use crate::deploy;
use crate::error::{Error, Exit};
use crate::settings::LOCAL_DIR;
use crate::settings::values::BucketAddress;

pub(super) async fn preview(app: &App, flags: &cli::PreviewArgs) -> Result<Exit, Error> {
    let mut settings = app.settings.clone();
    settings
        .local
        .get_or_insert_with(|| PathBuf::from(LOCAL_DIR));
    settings
        .bucket
        .get_or_insert_with(|| BucketAddress::named("site"));
    let app = App {
        settings,
        printer: app.printer.clone(),
        stop: app.stop.clone(),
    };
    let link = app.connect().await?;
    let job = app.job(&link)?;
    deploy::deploy(&link.aws, &job, &app.stop, &app.teller()).await?;
    let Some(session) = &link.session else {
        return Ok(Exit::Done);
    };
    let Some(world) = &session.world else {
        app.printer.served_elsewhere(&session.edge_urls);
        return Ok(Exit::Done);
    };
    let url = world
        .serve_edge(&session.distribution, 0, flags.port.unwrap_or(0))
        .await
        .map_err(|error| {
            Error::failed("the site cannot be served")
                .because(error)
                .hint("--port 0 picks a free port")
        })?;
    app.printer.serving(&url);
    app.stop.wished().await;
    Ok(Exit::Done)
}
