//! `unstale completions` and `unstale man`: the command line, written for shells and for `man`.

use std::fs;

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::error::{Error, Exit};
use crate::report::Printer;

pub(super) fn completions(flags: &CompletionsArgs, printer: &Printer) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut Cli::command(), "unstale", &mut script);
    printer.completions(flags.shell, &String::from_utf8_lossy(&script));
    Exit::Done
}

/// Writes a page for the whole and one for each command.
pub(super) fn man(flags: &ManArgs, printer: &Printer) -> Result<Exit, Error> {
    let dir = &flags.dir;
    fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .map_err(|error| {
            Error::failed(format!("cannot write man pages to {}", dir.display())).because(error)
        })?;
    printer.wrote_man_pages(dir);
    Ok(Exit::Done)
}
