//! Parses, runs, and ends with the status that says how it went.

use std::process::ExitCode;

use clap::Parser;
use unstale::cli::Cli;
use unstale::error::{Error, Exit};
use unstale::report::{Printer, PrinterOptions};

/// Threads for files, each of which costs memory: the readers of a scan, 16 at most, its walk, and some for names and uploads.
const BLOCKING: usize = 24;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let common = &cli.common;
    let options = PrinterOptions {
        json: common.json,
        quiet: common.quiet,
        verbose: common.verbose,
        ..PrinterOptions::default()
    };
    let printer = Printer::new(options.detected());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(unstale::app::run(&cli, &printer));
            // Reads that nobody waits for any more must not hold up the end.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Error::failed("cannot start").because(error)),
    };
    printer.finish();
    let exit = match result {
        Ok(exit) => exit,
        Err(error) => {
            printer.error(&error);
            error.exit
        }
    };
    ExitCode::from(exit as u8)
}

const _: () = assert!(Exit::Interrupted as u8 == 130);
