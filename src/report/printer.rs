//! [`Printer`], the only place that prints.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use super::bars::ProgressBars;
use super::markdown_parts::deployed;
use super::options::PrinterOptions;
use super::progress::UploadProgress;
use super::summary::{self, Completions};
use super::{error, event, findings, lost, text};
use crate::error::{Error, Exit};
use crate::job::{DeployEvent, DeploySummary};
use crate::plan::Plan;
use crate::rules::link_report::TOLD_LINKS;

/// Prints for whoever looks on. Clones print to the same terminal; a closed pipe ends the printing, not the work.
#[derive(Clone)]
pub struct Printer {
    pub(super) options: Arc<PrinterOptions>,
    state: Arc<Mutex<PrinterState>>,
}

struct PrinterState {
    began: Instant,
    bars: Option<ProgressBars>,
    progress: UploadProgress,
    completed: Completions,
    /// What is being deployed.
    planned: Option<Arc<Plan>>,
    /// Warnings said already.
    warned: HashSet<String>,
    /// Nothing is under way that could be waited for.
    idle: bool,
    /// A question stands open, which a signal ends at once.
    asks: bool,
    /// The last object, until the command has ended.
    summary: Option<Value>,
}

impl Printer {
    pub fn new(options: PrinterOptions) -> Self {
        let state = PrinterState {
            began: Instant::now(),
            bars: options.bars.then(|| ProgressBars::new(options.err)),
            progress: UploadProgress::default(),
            completed: Completions::new(),
            planned: None,
            warned: HashSet::new(),
            idle: false,
            asks: false,
            summary: None,
        };
        Self {
            options: Arc::new(options),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Tells an event, or how far that brings something.
    pub fn event(&self, event: &DeployEvent) {
        let mut state = self.state();
        state.progress.note(event);
        match event {
            DeployEvent::Warned(message) => return self.warn_once(&mut state, message),
            DeployEvent::Planned(plan) => {
                self.warn_of(&mut state, plan);
                self.lost(&mut state, plan);
                state.planned = Some(plan.clone());
            }
            DeployEvent::PurgeCompleted {
                invalidation,
                elapsed,
                ..
            } => {
                state.completed.insert(invalidation.clone(), *elapsed);
            }
            DeployEvent::Ended(summary) => return self.ended(&mut state, summary),
            _ => {}
        }
        if self.options.quiet {
            return;
        }
        if !self.options.json {
            return self.tell(&mut state, event);
        }
        let due = match event {
            DeployEvent::LockAwaited { waited, .. } => state.progress.is_lock_due(*waited),
            _ => true,
        };
        if due && let Some(object) = event::json(event) {
            print_json(&object);
        }
    }

    fn tell(&self, state: &mut PrinterState, event: &DeployEvent) {
        let now = state.began.elapsed();
        let PrinterState { bars, progress, .. } = state;
        let paced = match bars {
            Some(bars) => {
                bars.event(event, progress);
                None
            }
            None => progress.line(event, now),
        };
        let detail = self.options.verbose.then(|| event::detail(event)).flatten();
        let width = self.options.err.width;
        for line in [paced, event::notable(event)].into_iter().flatten() {
            state.to_stderr(&text::wrapped(&line, width, "", "  "));
        }
        // Keys are left whole, to be copied.
        detail.iter().for_each(|line| state.to_stderr(line));
    }

    fn ended(&self, state: &mut PrinterState, summary: &DeploySummary) {
        state.clear();
        if let Some(path) = &self.options.step_summary {
            let plan = state.planned.as_deref();
            append(path, &deployed(summary, &state.completed, plan));
        }
        if self.options.json {
            state.summary = Some(summary::json(summary));
        } else if !self.options.quiet {
            state.to_stdout(&summary::text(summary, &state.completed, self.options.out));
        }
    }

    /// Prints the error that the command ends with: on stderr, or as an object.
    pub fn error(&self, error: &Error) {
        let mut state = self.state();
        state.clear();
        if self.options.json {
            print_json(&error::json(error));
        } else {
            state.to_stderr(&error::text(error, self.options.err));
        }
    }

    /// Ends what programs are told, with the summary: the command's own, if it has one, with the exit status.
    pub fn conclude(&self, exit: Exit) {
        let held = self.state().summary.take();
        self.object(&summary::concluded(held, exit));
    }

    /// Prints a warning, once.
    pub fn warn(&self, message: &str) {
        self.warn_once(&mut self.state(), message);
    }

    /// Prints each of these warnings, once.
    pub fn warnings(&self, messages: &[String]) {
        for message in messages {
            self.warn(message);
        }
    }

    /// Prints the warnings of a plan; those that the last deploy gave, too, in a line each.
    pub(super) fn plan_warnings(&self, plan: &Plan) {
        self.warn_of(&mut self.state(), plan);
    }

    fn warn_of(&self, state: &mut PrinterState, plan: &Plan) {
        for message in &plan.warnings {
            let known = plan.known_warnings.contains(message) && !self.options.verbose;
            if known && !self.options.json && state.warned.insert(message.clone()) {
                state.to_stderr(&error::known_warning(message, self.options.err));
            }
            self.warn_once(state, message);
        }
        if self.options.json {
            let links = plan.links.iter().flat_map(findings::link_json);
            let objects = links.chain(findings::budget_json(&plan.budget));
            objects.for_each(|object| print_json(&object));
        } else if self.options.verbose {
            let reports = plan.links.iter();
            let links = reports.flat_map(|report| report.problems.iter().skip(TOLD_LINKS));
            links.for_each(|link| state.to_stderr(&text::shown(&link.to_string())));
        }
    }

    /// Tells which URLs a plan loses, once.
    fn lost(&self, state: &mut PrinterState, plan: &Plan) {
        if let Some(text) = lost::text(&plan.lost, self.options.err)
            && state.warned.insert(text.clone())
        {
            if self.options.json {
                lost::json(&plan.lost).for_each(|object| print_json(&object));
            } else {
                state.to_stderr(&text);
            }
        }
    }

    fn warn_once(&self, state: &mut PrinterState, message: &str) {
        if !state.warned.insert(message.to_owned()) {
            return;
        }
        if self.options.json {
            print_json(&error::warning_json(message));
        } else {
            state.to_stderr(&error::warning(message, self.options.err));
        }
    }

    /// Tells that the first signal was taken.
    pub fn stopping(&self) {
        let state = self.state();
        if state.idle || state.asks {
            return;
        }
        let when = if state.progress.is_uploading() {
            " after the uploads under way"
        } else {
            ""
        };
        drop(state);
        self.note(&format!(
            "Stopping{when}. Press Ctrl-C again to stop at once."
        ));
    }

    /// Says nothing more of a signal: nothing is waited for.
    pub(super) fn stops_silently(&self) {
        self.state().idle = true;
    }

    /// Takes the bars off the terminal.
    pub fn finish(&self) {
        self.state().clear();
    }

    /// Prints what was asked for: a text for people, or an object for programs.
    pub(super) fn result(&self, text: &str, object: &impl Serialize) {
        self.line(text);
        self.object(object);
    }

    /// Does so, but for people who want to hear of failures alone.
    pub(super) fn told(&self, text: &str, object: &impl Serialize) {
        if !self.options.quiet {
            self.line(text);
        }
        self.object(object);
    }

    /// Prints a text on stdout; nothing for programs.
    pub(super) fn line(&self, text: &str) {
        if !self.options.json {
            self.state().to_stdout(text);
        }
    }

    /// Prints an object for programs.
    pub(super) fn object(&self, object: &impl Serialize) {
        if self.options.json {
            print_json(object);
        }
    }

    /// Keeps an object for programs as the last.
    pub(super) fn summary(&self, object: Value) {
        self.state().summary = Some(object);
    }

    /// Breaks a text at the width of stdout, with `first` before its first line and `rest` before the others.
    pub(super) fn wrapped(&self, text: &str, first: &str, rest: &str) -> String {
        text::wrapped(text, self.options.out.width, first, rest)
    }

    /// Writes a text behind its label, in lines of stdout's width.
    pub(super) fn labelled(&self, label: &str, text: &str) -> String {
        text::labelled(label, text, self.options.out.width)
    }

    /// Prints a line for people about what goes on, on stderr.
    pub(super) fn note(&self, text: &str) {
        if !self.options.json && !self.options.quiet {
            let text = text::wrapped(text, self.options.err.width, "", "");
            self.state().to_stderr(&text);
        }
    }

    /// Asks for a line.
    ///
    /// # Errors
    /// Where stdin ends or cannot be read.
    pub(super) fn prompt(&self, text: &str) -> io::Result<String> {
        let mut state = self.state();
        state.asks = true;
        state.above_bars(|| {
            let mut err = io::stderr().lock();
            // Whoever cannot see it does not answer.
            let _ = write!(err, "{text}").and_then(|()| err.flush());
        });
        drop(state);
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        self.state().asks = false;
        match read? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line),
        }
    }

    fn state(&self) -> MutexGuard<'_, PrinterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PrinterState {
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

/// Writes a line. A reader that has gone away needs nothing more, and a deploy goes on without it.
fn write_line(mut out: impl Write, text: &str) {
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn print_json(object: &impl Serialize) {
    if let Ok(line) = serde_json::to_string(object) {
        write_line(io::stdout().lock(), &line);
    }
}

/// Appends to the CI job's page. That is a courtesy: where it cannot be written, the deploy has succeeded all the same.
fn append(path: &Path, text: &str) {
    let file = OpenOptions::new().append(true).create(true).open(path);
    let _ = file.and_then(|mut file| file.write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_for_every_thread() {
        fn shared<T: Clone + Send + Sync>(_: &T) {}
        shared(&Printer::new(PrinterOptions::default()));
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
