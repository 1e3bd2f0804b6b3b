//! Parses, runs, and ends with the status that says how it went.

use std::process::ExitCode;

use clap::Parser;
use unstale::cli::Cli;
use unstale::error::{Error, Exit};
use unstale::report::{Printer, PrinterOptions};

/// Threads for files, each of which costs memory: the readers of a scan, 16 at most, its walk, and some for names and uploads.
const BLOCKING: usize = 24;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(unstale::app::refuse(&error) as u8),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .build();
    let exit = match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(unstale::app::run(&cli));
            // Reads that nobody waits for any more must not hold up the end.
            runtime.shutdown_background();
            exit
        }
        Err(error) => {
            let error = Error::failed("cannot start").because(error);
            Printer::new(PrinterOptions::default()).error(&error);
            error.exit
        }
    };
    ExitCode::from(exit as u8)
}

const _: () = assert!(Exit::Interrupted as u8 == 130);
