//! Deploy's events, plans and errors, told to people and programs: bars on a terminal, few lines in CI, JSON where asked for.
//!
//! [`Printer`] is the only place that prints. What it prints is written by pure functions: [`text`] numbers and layout,
//! [`plan`] and [`purge`] plans, [`summary`] what a deploy came to, [`error`] errors, [`lines`] events, [`json`] all of it for
//! programs; [`bars`] draws progress.

pub mod bars;
pub mod error;
pub mod json;
pub mod lines;
pub mod plan;
pub mod purge;
pub mod summary;
pub mod text;

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use indicatif::ProgressDrawTarget;
use serde::Serialize;

use crate::deploy::event::{Event, Summary};
use crate::edge::Explanation;
use crate::error::Error;
use crate::plan::Plan;
use bars::Bars;
use lines::Progress;
pub use plan::Context;
use plan::Look;
use summary::Completions;
use text::Paint;

/// Columns where no terminal says how many there are: lines are left whole, to be searched and copied.
pub const NO_TERMINAL: usize = 10_000;
/// Columns of a terminal that does not tell.
const USUAL_WIDTH: usize = 80;

/// What may be shown, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// One JSON object per line on stdout, and nothing else anywhere.
    pub json: bool,
    /// Errors, warnings and what was asked for alone.
    pub quiet: bool,
    /// Every object by name.
    pub verbose: bool,
    /// Bars on stderr.
    pub bars: bool,
    /// Colour on stdout.
    pub color: bool,
    /// Colour on stderr.
    pub color_err: bool,
    /// Columns of stdout.
    pub width: usize,
    /// Columns of stderr.
    pub width_err: usize,
    /// The file that a CI job's page is made of: GITHUB_STEP_SUMMARY.
    pub step_summary: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            json: false,
            quiet: false,
            verbose: false,
            bars: false,
            color: false,
            color_err: false,
            width: NO_TERMINAL,
            width_err: NO_TERMINAL,
            step_summary: None,
        }
    }
}

impl Options {
    /// Reads the terminal and the environment: NO_COLOR, TERM, CI, COLUMNS, GITHUB_STEP_SUMMARY.
    pub fn detect(json: bool, quiet: bool, verbose: bool) -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let plain = json || dumb || is_set("NO_COLOR");
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let path = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
        Self {
            json,
            quiet,
            verbose,
            bars: err && !json && !quiet && !dumb && !is_set("CI"),
            color: out && !plain,
            color_err: err && !plain,
            width: if out {
                terminal_width(io::stdout())
            } else {
                NO_TERMINAL
            },
            width_err: if err {
                terminal_width(io::stderr())
            } else {
                NO_TERMINAL
            },
            step_summary: path.map(PathBuf::from),
        }
    }
}

fn terminal_width(terminal: impl std::os::fd::AsFd) -> usize {
    let told = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    let asked = || {
        rustix::termios::tcgetwinsize(terminal)
            .ok()
            .map(|size| usize::from(size.ws_col))
    };
    told.or_else(asked)
        .filter(|width| *width > 0)
        .unwrap_or(USUAL_WIDTH)
}

/// The only place that prints. Clones print to the same terminal; a closed pipe ends the printing, not the work.
#[derive(Clone)]
pub struct Printer {
    options: Arc<Options>,
    state: Arc<Mutex<State>>,
}

struct State {
    began: Instant,
    bars: Option<Bars>,
    progress: Progress,
    completed: Completions,
    /// Warnings said already.
    warned: HashSet<String>,
}

impl Printer {
    pub fn new(options: Options) -> Self {
        let bars = options.bars.then(|| {
            Bars::new(
                options.color_err,
                options.width_err,
                ProgressDrawTarget::stderr(),
            )
        });
        let state = State {
            began: Instant::now(),
            bars,
            progress: Progress::default(),
            completed: Completions::new(),
            warned: HashSet::new(),
        };
        Self {
            options: Arc::new(options),
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Tells an event, or how far that brings something.
    pub fn event(&self, event: &Event) {
        let mut state = self.state();
        state.progress.note(event);
        match event {
            Event::Warned(message) => return self.warn_once(&mut state, message),
            Event::Planned(plan) => {
                for message in &plan.warnings {
                    self.warn_once(&mut state, message);
                }
            }
            Event::PurgeCompleted {
                invalidation,
                elapsed,
                ..
            } => {
                state.completed.insert(invalidation.clone(), *elapsed);
            }
            Event::Ended(summary) => return self.ended(&mut state, event, summary),
            _ => {}
        }
        if self.options.quiet {
            return;
        }
        if self.options.json {
            let silent = match event {
                Event::LockAwaited { waited, .. } => !state.progress.is_lock_due(*waited),
                _ => false,
            };
            json::event(event)
                .filter(|_| !silent)
                .iter()
                .for_each(print_json);
            return;
        }
        self.tell(&mut state, event);
    }

    fn tell(&self, state: &mut State, event: &Event) {
        let now = state.began.elapsed();
        let State { bars, progress, .. } = state;
        let paced = match bars {
            Some(bars) => {
                bars.event(event, progress);
                None
            }
            None => progress.line(event, now),
        };
        let detail = self.options.verbose.then(|| lines::detail(event)).flatten();
        for line in [paced, lines::notable(event), detail].into_iter().flatten() {
            state.to_stderr(&line);
        }
    }

    fn ended(&self, state: &mut State, event: &Event, summary: &Summary) {
        state.clear();
        if let Some(path) = &self.options.step_summary {
            append(path, &summary::markdown(summary, &state.completed));
        }
        if self.options.json {
            if let Some(line) = json::event(event) {
                print_json(&line);
            }
        } else if !self.options.quiet {
            let paint = Paint(self.options.color);
            state.to_stdout(&summary::summary(
                summary,
                &state.completed,
                self.options.width,
                paint,
            ));
        }
    }

    /// The error that the command ends with: on stderr, or as the last object.
    pub fn error(&self, error: &Error) {
        let mut state = self.state();
        state.clear();
        if self.options.json {
            print_json(&json::error(error));
        } else {
            let paint = Paint(self.options.color_err);
            state.to_stderr(&error::error(error, self.options.width_err, paint));
        }
    }

    /// A warning, once.
    pub fn warn(&self, message: &str) {
        self.warn_once(&mut self.state(), message);
    }

    fn warn_once(&self, state: &mut State, message: &str) {
        if !state.warned.insert(message.to_owned()) {
            return;
        }
        if self.options.json {
            print_json(&json::warning(message));
        } else {
            let paint = Paint(self.options.color_err);
            state.to_stderr(&error::warning(message, self.options.width_err, paint));
        }
    }

    /// A line of what was asked for, on stdout; not with JSON, where [`Printer::json`] tells it.
    pub fn line(&self, text: &str) {
        if !self.options.json {
            self.state().to_stdout(text);
        }
    }

    /// As [`Printer::line`], broken at the terminal's width, with `first` before its first line and `rest` before the others.
    pub fn prose(&self, text: &str, first: &str, rest: &str) {
        self.line(&text::wrapped(text, self.options.width, first, rest));
    }

    /// A line for people about what goes on, on stderr.
    pub fn note(&self, text: &str) {
        if !self.options.json && !self.options.quiet {
            self.state()
                .to_stderr(&text::wrapped(text, self.options.width_err, "", ""));
        }
    }

    /// An object of what was asked for, if JSON is wanted.
    pub fn json<T: Serialize>(&self, object: &T) {
        if self.options.json {
            print_json(object);
        }
    }

    /// A plan, as a result.
    pub fn plan(&self, plan: &Plan, context: &Context) {
        let mut state = self.state();
        state.clear();
        for message in &plan.warnings {
            self.warn_once(&mut state, message);
        }
        if self.options.json {
            json::plan(plan, context).iter().for_each(print_json);
            return;
        }
        let look = Look {
            width: self.options.width,
            paint: Paint(self.options.color),
            verbose: self.options.verbose,
        };
        state.to_stdout(&plan::plan(plan, context, look));
    }

    /// Why a URL is purged or not, by each target.
    pub fn explain(&self, target: &str, explanation: &Explanation) {
        if self.options.json {
            print_json(&json::explanation(target, explanation));
        } else {
            self.prose(&purge::explanation(target, explanation), "", "  ");
        }
    }

    /// Takes the bars off the terminal.
    pub fn finish(&self) {
        self.state().clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn clear(&mut self) {
        if let Some(bars) = &mut self.bars {
            bars.clear();
        }
    }

    fn to_stdout(&self, text: &str) {
        self.above_bars(|| write_line(io::stdout().lock(), text));
    }

    fn to_stderr(&self, text: &str) {
        self.above_bars(|| write_line(io::stderr().lock(), text));
    }

    fn above_bars(&self, print: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }
}

/// A reader that has gone away needs nothing more, and a deploy goes on without it.
fn write_line(mut out: impl Write, text: &str) {
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn print_json(object: &impl Serialize) {
    if let Ok(line) = serde_json::to_string(object) {
        write_line(io::stdout().lock(), &line);
    }
}

/// The CI job's page is a courtesy: where it cannot be written, the deploy has succeeded all the same.
fn append(path: &PathBuf, text: &str) {
    let file = OpenOptions::new().append(true).create(true).open(path);
    let _ = file.and_then(|mut file| file.write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_for_every_thread() {
        fn shared<T: Clone + Send + Sync>(_: &T) {}
        shared(&Printer::new(Options::default()));
    }

    #[test]
    fn a_ci_page_is_appended_to_and_never_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.md");
        append(&path, "a\n");
        append(&path, "b\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\n");
        append(&folder.path().join("none/page.md"), "a");
    }

    #[test]
    fn a_closed_pipe_is_quiet() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        write_line(Closed, "text");
    }
}
