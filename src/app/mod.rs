//! One short function per command: settings in, an exit status out.

mod connect;
mod deploy;
mod explain;
mod exposed;
mod init;
mod invalidate;
mod policy;
mod preview;
mod quota;
mod redirects;
mod rollback;
mod show;
mod verify;

use crate::cli::{Cli, Command};
use crate::deploy::Stop;
use crate::error::{Error, Exit};
use crate::report::Printer;
use crate::settings::{self, Settings};

/// Runs a command to its end. Errors are for the caller to show.
pub async fn run(cli: &Cli, printer: &Printer) -> Result<Exit, Error> {
    if let Command::Init = &cli.command {
        // Its settings are those that it writes.
        return init::init(cli, printer);
    }
    let settings = settings::load(&cli.settings()?)?;
    for warning in &settings.warnings {
        printer.warn(warning);
    }
    let stop = Stop::default();
    listen(stop.clone(), printer.clone());
    let app = App {
        settings,
        printer: printer.clone(),
        stop,
    };
    match &cli.command {
        Command::Deploy(flags) => deploy::deploy(&app, flags).await,
        Command::Plan(flags) => deploy::plan(&app, flags).await,
        Command::Preview(flags) => preview::preview(&app, flags).await,
        Command::Invalidate(flags) => invalidate::invalidate(&app, flags).await,
        Command::Invalidations(flags) => invalidate::invalidations(&app, flags).await,
        Command::Distributions => show::distributions(&app).await,
        Command::History(flags) => show::history(&app, flags).await,
        Command::State(flags) => show::state(&app, flags).await,
        Command::Unlock => show::unlock(&app).await,
        Command::Rollback(flags) => rollback::rollback(&app, flags).await,
        Command::Quota => quota::quota(&app).await,
        Command::Redirects(flags) => redirects::redirects(&app, flags),
        Command::Policy => policy::policy(&app),
        Command::Verify(flags) => verify::verify(&app, flags).await,
        Command::Init => init::init(cli, printer),
    }
}

/// What every command has at hand.
struct App {
    settings: Settings,
    printer: Printer,
    stop: Stop,
}

/// The first Ctrl-C or SIGTERM asks for an orderly end, the second ends at once.
fn listen(stop: Stop, printer: Printer) {
    tokio::spawn(async move {
        let mut seen = false;
        loop {
            if !signal().await {
                return;
            }
            if seen {
                std::process::exit(Exit::Interrupted as i32);
            }
            seen = true;
            stop.set();
            printer.note("stopping: what is under way may end (again to stop at once)");
        }
    });
}

/// Waits for a signal; false where none can be waited for.
async fn signal() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return false;
    };
    tokio::select! {
        got = interrupt.recv() => got.is_some(),
        got = terminate.recv() => got.is_some(),
    }
}
