//! One short function per command: settings in, an exit status out.

mod accept;
mod asked_url;
mod browser;
mod connect;
mod deploy;
mod distributions;
mod doctor;
mod existing;
mod explain;
mod exposed;
mod init;
mod interpreter;
mod invalidate;
mod links;
mod manual;
mod manual_paths;
mod page_file;
mod policy;
mod preview;
mod quota;
mod redirects;
mod remedy;
mod rollback;
mod setup;
mod setup_end;
mod show;
mod site_choice;
mod stacks;
mod verify;
mod watch;

use std::future::Future;
use std::time::Duration;

use crate::cli::{self, Cli, Command, CommonArgs};
use crate::error::{Error, Exit};
use crate::job::{Job, StopSignal};
use crate::report::{Printer, PrinterOptions};
use crate::settings::{self, Settings};
use crate::system::end_wished;
use connect::Link;

/// How long the summary may take to be read after a second Ctrl-C.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Runs a command to its end, and shows how it went.
pub async fn run(cli: &Cli) -> Exit {
    // The settings of `init` are those that it writes.
    let settings = match &cli.command {
        Command::Init(_) => None,
        command if command.needs_no_site() => None,
        _ => Some(cli.settings().and_then(|flags| settings::load(&flags))),
    };
    let resolved = settings
        .as_ref()
        .and_then(|settings| settings.as_ref().ok());
    let common = &cli.common;
    let options = PrinterOptions {
        json: match resolved {
            Some(settings) => settings.json,
            None => common.json || (!cli.command.needs_no_site() && wants_json(common)),
        },
        quiet: resolved.map_or(common.quiet, |settings| settings.quiet),
        verbose: resolved.map_or(common.verbose, |settings| settings.verbose),
        ..PrinterOptions::default()
    };
    let printer = Printer::new(options.detected());
    let result = match settings {
        None => run_without(cli, &printer).await,
        Some(Ok(settings)) => run_with(cli, settings, &printer).await,
        Some(Err(error)) => Err(error),
    };
    printer.finish();
    let exit = result.unwrap_or_else(|error| {
        printer.error(&error);
        error.exit
    });
    printer.conclude(exit);
    exit
}

/// Refuses a command line: for programs where the flags that can be told or the settings want that.
pub fn refuse(error: &clap::Error) -> Exit {
    use clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand as NoCommand;
    let common = CommonArgs {
        json: std::env::args_os().any(|argument| argument == "--json"),
        ..CommonArgs::default()
    };
    let options = PrinterOptions {
        json: wants_json(&common),
        ..PrinterOptions::default()
    };
    // Help is what was asked for, or all that helps.
    if error.exit_code() == 0 || (error.kind() == NoCommand && !options.json) {
        let _ = error.print();
        return if error.exit_code() == 0 {
            Exit::Done
        } else {
            Exit::Usage
        };
    }
    let printer = Printer::new(options.detected());
    printer.error(&cli::refusal(error));
    printer.conclude(Exit::Usage);
    Exit::Usage
}

/// Tells whether JSON is wanted, where the settings as a whole cannot be read.
fn wants_json(common: &CommonArgs) -> bool {
    common.json || settings::wants_json(common.config.as_deref())
}

/// Runs a command that reads no settings.
async fn run_without(cli: &Cli, printer: &Printer) -> Result<Exit, Error> {
    match &cli.command {
        Command::Completions(flags) => Ok(manual::completions(flags, printer)),
        Command::Man(flags) => manual::man(flags, printer),
        _ => init::init(cli, printer).await,
    }
}

async fn run_with(cli: &Cli, settings: Settings, printer: &Printer) -> Result<Exit, Error> {
    printer.warnings(&settings.warnings);
    let stop = StopSignal::default();
    listen(stop.clone(), printer.clone());
    let app = App {
        settings,
        printer: printer.clone(),
        stop,
    };
    let result = match &cli.command {
        Command::Deploy(flags) => deploy::deploy(&app, flags).await,
        Command::Plan(flags) => deploy::plan(&app, flags).await,
        Command::Preview(flags) => preview::preview(&app, flags).await,
        Command::Invalidate(flags) => invalidate::invalidate(&app, flags).await,
        Command::Invalidations(flags) => invalidate::invalidations(&app, flags).await,
        Command::Distributions(flags) => distributions::distributions(&app, cli, flags).await,
        Command::History(flags) => show::history(&app, flags).await,
        Command::State(_) => show::state(&app).await,
        Command::Unlock => show::unlock(&app).await,
        Command::Rollback(flags) => rollback::rollback(&app, flags).await,
        Command::Quota => quota::quota(&app).await,
        Command::Redirects(flags) => redirects::redirects(&app, flags),
        Command::Doctor => doctor::doctor(&app).await,
        Command::Policy(flags) => policy::policy(&app, flags),
        Command::Links(_) => links::links(&app).await,
        Command::Verify(flags) => verify::verify(&app, flags).await,
        Command::Setup(flags) if flags.is_for_existing(cli) => {
            existing::existing(&app, cli, flags).await
        }
        Command::Setup(flags) => setup::setup(&app, flags, cli.common.env.as_deref()).await,
        Command::Init(_) | Command::Completions(_) | Command::Man(_) => {
            run_without(cli, printer).await
        }
    };
    result.map_err(|error| remedy::remedied(error, &app.settings))
}

/// What every command has at hand.
struct App {
    settings: Settings,
    printer: Printer,
    stop: StopSignal,
}

impl App {
    /// Returns the same with other settings.
    fn with(&self, settings: Settings) -> Self {
        Self {
            settings,
            printer: self.printer.clone(),
            stop: self.stop.clone(),
        }
    }

    /// Waits for work, or until the user wants no more of it.
    ///
    /// # Errors
    /// `interrupted`, at once: the work is dropped.
    async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = T>,
        interrupted: Error,
    ) -> Result<T, Error> {
        tokio::select! {
            done = work => Ok(done),
            () = self.stop.wished() => Err(interrupted),
        }
    }

    /// Asks at a terminal before something is changed; elsewhere nobody agrees.
    ///
    /// # Errors
    /// `Exit::Interrupted`, at once: whoever reads the answer is left behind.
    async fn agrees(
        &self,
        question: impl FnOnce(&Printer) -> bool + Send + 'static,
    ) -> Result<bool, Error> {
        if !self.printer.can_ask() {
            return Ok(false);
        }
        let printer = self.printer.clone();
        let asking = tokio::task::spawn_blocking(move || question(&printer));
        let interrupted = Error::interrupted("interrupted: nothing was changed");
        let answer = self.unless_stopped(asking, interrupted).await;
        let answer = answer.inspect_err(|_| self.printer.withdraw_question())?;
        Ok(answer.unwrap_or_default())
    }
}

/// A command at work on a site.
#[derive(Clone, Copy)]
struct SiteCommand<'a> {
    app: &'a App,
    link: &'a Link,
    job: &'a Job,
}

/// Asks for an orderly end at the first Ctrl-C or SIGTERM, and ends at once at the second.
fn listen(stop: StopSignal, printer: Printer) {
    tokio::spawn(async move {
        if !end_wished().await {
            return;
        }
        stop.set();
        printer.stopping();
        if end_wished().await {
            // A reader that stalls must not hold up the end.
            let told = tokio::task::spawn_blocking(move || printer.conclude(Exit::Interrupted));
            let _ = tokio::time::timeout(LAST_WORDS, told).await;
            std::process::exit(Exit::Interrupted as i32);
        }
    });
}
