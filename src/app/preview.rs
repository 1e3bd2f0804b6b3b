//! `unstale preview`: deploys to a local S3 and CloudFront and serves the site through an edge of it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use local_cloudfront::{EdgeOptions, Error as LocalError, FolderSession, World};

use super::{App, SiteCommand, browser, watch};
use crate::cli;
use crate::deploy;
use crate::error::{Error, Exit};
use crate::object::encoding::{Encoding, decompress};
use crate::report::preview::ServedSite;
use crate::settings::{LOCAL_DIR, Settings};

/// Where it listens unless told otherwise, and how many ports after that are tried.
const PORT: u16 = 8080;
const MORE_PORTS: u16 = 20;
/// Where it shows its edges: no build that holds this name is deployed.
const PANEL: &str = "/.unstale/";

pub(super) async fn preview(app: &App, flags: &cli::PreviewArgs) -> Result<Exit, Error> {
    let app = app.with(unguarded(&app.settings));
    let link = app.connect().await?;
    let mut job = app.job(&link)?;
    job.is_preview = true;
    let mut build = None;
    if flags.watch {
        build = Some(watch::look(&job).await);
    }
    deploy::deploy(&link.aws, &job, &app.stop, &app.teller(&link)).await?;
    let Some(session) = &link.session else {
        return Ok(Exit::Done);
    };
    if let Some(world) = &session.world {
        let url = serve(world, session, flags).await?;
        let site = ServedSite {
            is_second_choice: flags.port.is_none() && !url.ends_with(&format!(":{PORT}")),
            panel: format!("{url}{PANEL}"),
            url: format!("{url}/{}", app.settings.prefix.0),
            dir: &job.dir,
            flags: &app.settings.site_flags,
            store: app.settings.local.as_deref(),
            is_watched: flags.watch,
        };
        app.printer.serving(&site);
        app.show(flags, &site.url);
    } else {
        let url = session.edge_urls.last().ok_or_else(nobody_shows_it)?;
        app.printer.served_elsewhere(url);
        if flags.watch {
            app.printer.watched();
        }
        app.show(flags, url);
    }
    let (app, link, job) = (&app, &link, &job);
    match build {
        Some(build) => watch::watch(SiteCommand { app, link, job }, build).await?,
        None if session.owns() => app.stop.wished().await,
        None => {}
    }
    Ok(Exit::Done)
}

impl App {
    /// Opens a browser where that is asked for. Without one there is the URL to click on.
    fn show(&self, flags: &cli::PreviewArgs, url: &str) {
        if flags.open && !browser::open(url) {
            self.printer.no_browser();
        }
    }
}

/// Lifts what refuses a deploy: a mistake is what a preview is to show, and nobody else sees it.
fn unguarded(settings: &Settings) -> Settings {
    let mut settings = Settings {
        allow_project_root: true,
        max_delete: Some(usize::MAX),
        adopt: true,
        strict: false,
        ..settings.clone()
    };
    let store = settings.local.take();
    settings.stay_local(store.unwrap_or_else(|| PathBuf::from(LOCAL_DIR)));
    // Nobody else can look, so that a password which is set nowhere here need not be known.
    let has_password = |name: &str| std::env::var_os(name).is_some_and(|word| !word.is_empty());
    settings.password = (settings.password).filter(|place| has_password(&place.variable));
    settings
}

/// Serves an edge on the port that is asked for, or else on the first that is free. Returns its URL.
async fn serve(
    world: &World,
    session: &FolderSession,
    flags: &cli::PreviewArgs,
) -> Result<String, Error> {
    let distribution = session.distribution.as_deref().unwrap_or_default();
    let (port, last) = (flags.port, PORT + MORE_PORTS);
    let ports = port.map_or(PORT..=last, |port| port..=port);
    let mut taken = None;
    for port in ports {
        let options = EdgeOptions {
            port,
            panel: Some(PANEL.to_owned()),
            reloads: flags.watch,
            decoder: Some(Arc::new(decoded)),
        };
        let served = world.serve_edge_with(distribution, 0, options);
        match served.await {
            Ok(url) => return Ok(url),
            Err(error) if is_taken(&error) => taken = Some(error),
            Err(error) => {
                return Err(Error::failed("the site cannot be served").because(error));
            }
        }
    }
    let message = match port {
        Some(port) => format!("port {port} is taken"),
        None => format!("the ports {PORT} to {last} are all taken"),
    };
    let error = Error::failed(message).hint("--port 0 picks a free one");
    Err(taken.into_iter().fold(error, Error::because))
}

/// Returns what lies compressed as it was; `None` for an encoding that is not one of ours.
fn decoded(encoding: &str, body: &[u8]) -> Option<Vec<u8>> {
    let known = [Encoding::Br, Encoding::Gzip, Encoding::Zstd];
    let encoding = known.into_iter().find(|known| known.name() == encoding)?;
    decompress(body, encoding).ok()
}

fn is_taken(error: &LocalError) -> bool {
    matches!(error, LocalError::Listen { cause, .. } if cause.kind() == io::ErrorKind::AddrInUse)
}

fn nobody_shows_it() -> Error {
    Error::failed("another process uses this folder and shows no site")
        .hint("once that has ended, `unstale preview` serves it")
}
