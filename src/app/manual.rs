//! `unstale completions` and `unstale man`: the command line, written for shells and for `man`.

use std::path::Path;
use std::{fs, io};

use clap::CommandFactory;
use clap_mangen::Man;

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
    write_pages(dir).map_err(|error| {
        Error::failed(format!("cannot write man pages to {}", dir.display())).because(error)
    })?;
    printer.wrote_man_pages(dir);
    Ok(Exit::Done)
}

fn write_pages(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut whole = Cli::command().disable_help_subcommand(true);
    whole.build();
    let commands = whole
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    for command in commands.chain([&whole]) {
        let page = Man::new(command.clone());
        let mut text = Vec::new();
        page.render(&mut text)?;
        // What follows the flags in `--help` is examples, for which `man` has a heading.
        let text = String::from_utf8_lossy(&text).replace(".SH EXTRA\nExamples:", ".SH EXAMPLES");
        fs::write(dir.join(page.get_filename()), text)?;
    }
    Ok(())
}
