//! What may be shown, and how: flags, the terminal and the environment.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use super::text::Paint;
use terminal_size::terminal_size;

/// Columns where no terminal says how many there are: lines are left whole, to be searched and copied.
const NO_TERMINAL: usize = 10_000;
/// Columns of a terminal that does not tell.
const USUAL_WIDTH: usize = 80;

/// What may be shown, and where.
#[derive(Clone, Debug, Default)]
pub struct PrinterOptions {
    /// One JSON object per line on stdout, and nothing else anywhere.
    pub json: bool,
    /// Errors, warnings and what was asked for alone.
    pub quiet: bool,
    /// Every object by name.
    pub verbose: bool,
    /// Bars on stderr.
    pub bars: bool,
    /// Of stdout.
    pub out: TextLook,
    /// Of stderr.
    pub err: TextLook,
    /// The file that a CI job's page is made of: GITHUB_STEP_SUMMARY.
    pub step_summary: Option<PathBuf>,
}

/// How a text is to look.
#[derive(Clone, Copy, Debug)]
pub struct TextLook {
    /// Columns.
    pub width: usize,
    pub paint: Paint,
    /// Nothing is left out.
    pub verbose: bool,
}

impl Default for TextLook {
    fn default() -> Self {
        Self {
            width: NO_TERMINAL,
            paint: Paint(false),
            verbose: false,
        }
    }
}

impl PrinterOptions {
    /// Adds what the terminal and the environment say: NO_COLOR, TERM, CI, COLUMNS, GITHUB_STEP_SUMMARY.
    #[must_use]
    pub fn detected(self) -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let plain = self.json || dumb || is_set("NO_COLOR");
        let terminal = io::stderr().is_terminal();
        let path = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
        Self {
            bars: terminal && !self.json && !self.quiet && !dumb && !is_set("CI"),
            out: TextLook {
                verbose: self.verbose,
                ..TextLook::of(io::stdout(), plain)
            },
            err: TextLook::of(io::stderr(), plain),
            step_summary: path.map(PathBuf::from),
            ..self
        }
    }
}

impl TextLook {
    /// Returns how many things of a list are shown: all, where that is asked for.
    pub(super) fn most(self, usual: usize) -> usize {
        if self.verbose { usize::MAX } else { usual }
    }

    fn of(stream: impl IsTerminal, plain: bool) -> Self {
        if !stream.is_terminal() {
            return Self::default();
        }
        Self {
            width: terminal_width(),
            paint: Paint(!plain),
            ..Self::default()
        }
    }
}

fn terminal_width() -> usize {
    let told = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    told.or_else(|| Some(terminal_size()?.0.0.into()))
        .filter(|width| *width > 0)
        .unwrap_or(USUAL_WIDTH)
}
