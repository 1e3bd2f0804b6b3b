//! Progress on a terminal: a spinner for each thing that runs, a bar for the uploads; all of it gone at the end.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::event::{awaited, milestone};
use super::options::TextLook;
use super::progress::UploadProgress;
use super::text::{bytes, count, counted, elided, of, shown, ticking};
use crate::job::DeployEvent;

const TICK: Duration = Duration::from_millis(100);
/// Columns from which the rate has room beside the bar.
const ROOMY: usize = 78;

/// As how many bytes a file counts besides its own: small ones take as long.
const REQUEST: u64 = 16 << 10;
/// Columns that the name of a file leaves to the rest of its bar.
const TIGHT: usize = 64;
/// Columns of a time and the gap before it.
const CLOCK: usize = 13;

/// What a bar is of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum BarKind {
    Scan,
    List,
    Lock,
    Upload,
    Purge,
}

/// The bars that are to be seen now.
#[derive(Default)]
pub(super) struct ProgressBars {
    drawn: MultiProgress,
    look: TextLook,
    bars: BTreeMap<BarKind, ProgressBar>,
    walked: u64,
    accepted: u64,
    completed: u64,
}

impl ProgressBars {
    /// Returns bars for stderr, which looks like that.
    pub(super) fn new(look: TextLook) -> Self {
        Self {
            look,
            ..Self::default()
        }
    }

    /// Shows what an event tells; `progress` has taken note of it already.
    pub(super) fn event(&mut self, event: &DeployEvent, progress: &UploadProgress) {
        if !matches!(event, DeployEvent::LockAwaited { .. }) {
            self.remove(BarKind::Lock);
        }
        match event {
            DeployEvent::Walked(files) => {
                self.walked = *files;
                let files = counted(*files, "file");
                self.spin(BarKind::Scan, format!("Reading the build: {files}"));
            }
            DeployEvent::Hashed { files, bytes: size } => {
                let walked = match self.walked {
                    0 => String::new(),
                    walked => format!(" of {}", count(walked)),
                };
                let (files, size) = (count(*files), bytes(*size));
                let text = format!("Reading the build: {files}{walked} files, {size}");
                self.spin(BarKind::Scan, text);
            }
            DeployEvent::Scanned { .. } => self.remove(BarKind::Scan),
            DeployEvent::Listed(objects) => {
                let objects = counted(*objects, "object");
                self.spin(BarKind::List, format!("Listing the bucket: {objects}"));
            }
            DeployEvent::Asked { done, total } => {
                let objects = of(*done, *total, "object");
                self.spin(
                    BarKind::List,
                    format!("Asking for the headers of {objects}"),
                );
            }
            DeployEvent::Kept { done, total } => {
                let objects = of(*done, *total, "object");
                self.spin(BarKind::List, format!("Keeping for rollback: {objects}"));
            }
            DeployEvent::ListingEnded(_) => self.remove(BarKind::List),
            DeployEvent::LockAwaited { .. } => {
                // Room is left for the spinner.
                let width = self.look.width.saturating_sub(3);
                if let Some(text) = milestone(event) {
                    let text = elided(&text, width);
                    self.spin(BarKind::Lock, text);
                }
            }
            DeployEvent::UploadsBegan { files, bytes } if *files > 0 => {
                self.begin_uploads(*files, *bytes);
            }
            DeployEvent::BytesSent { .. } | DeployEvent::Changed { .. } => {
                self.show_uploads(progress)
            }
            DeployEvent::PurgeAccepted { .. } => {
                self.accepted += 1;
                if let Some(text) = milestone(event) {
                    self.show_purge(&text);
                }
            }
            DeployEvent::PurgeCompleted { .. } => {
                self.completed += 1;
                if self.completed >= self.accepted {
                    self.remove(BarKind::Purge);
                } else {
                    let completed = of(self.completed, self.accepted, "invalidation");
                    self.show_purge(&format!("{completed} completed"));
                }
            }
            DeployEvent::PurgePaced { target, why, .. } => {
                let (target, why) = (shown(target), shown(why));
                self.show_purge(&format!("The purge of {target} waits: {why}"));
            }
            DeployEvent::Planned(_) | DeployEvent::PlannedAgain(_) | DeployEvent::Ended(_) => {
                self.clear()
            }
            _ => {
                if let Some((text, _)) = awaited(event) {
                    self.show_purge(&text);
                }
            }
        }
    }

    /// Takes every bar off the terminal.
    pub(super) fn clear(&mut self) {
        for bar in std::mem::take(&mut self.bars).values() {
            bar.finish_and_clear();
        }
    }

    /// Does something while the bars are off the terminal, then draws them again.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        self.drawn.suspend(print);
    }

    fn remove(&mut self, kind: BarKind) {
        if let Some(bar) = self.bars.remove(&kind) {
            bar.finish_and_clear();
        }
    }

    /// Shows a text behind a spinner.
    fn spin(&mut self, kind: BarKind, text: String) {
        let bar = self.bars.entry(kind).or_insert_with(|| {
            let text = match kind {
                BarKind::Purge => "{msg}  {took}",
                _ => "{wide_msg}",
            };
            let took = |state: &ProgressState, out: &mut dyn Write| {
                let _ = out.write_str(&ticking(state.elapsed()));
            };
            let template = format!("{} {text}", spinner_key(self.look));
            let bar = self.drawn.add(ProgressBar::new_spinner());
            bar.set_style(style(&template).with_key("took", took));
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_message(text);
    }

    /// Shows what the purge is at, and for how long already.
    fn show_purge(&mut self, text: &str) {
        self.remove(BarKind::Upload);
        let text = elided(text, self.look.width.saturating_sub(3 + CLOCK));
        self.spin(BarKind::Purge, text);
    }

    fn begin_uploads(&mut self, files: u64, bytes: u64) {
        self.remove(BarKind::List);
        self.remove(BarKind::Upload);
        let bar = self.drawn.add(ProgressBar::new(bytes + files * REQUEST));
        bar.set_style(upload_style(self.look));
        bar.set_prefix("Uploading");
        bar.enable_steady_tick(TICK);
        self.bars.insert(BarKind::Upload, bar);
    }

    fn show_uploads(&mut self, progress: &UploadProgress) {
        let Some(bar) = self.bars.get(&BarKind::Upload) else {
            return;
        };
        let (files, total_files) = (count(progress.files), count(progress.total_files));
        let files = format!("{files}/{total_files} files");
        bar.set_position(progress.bytes + progress.files * REQUEST);
        if progress.total_bytes > 0 {
            let (sent, total) = (bytes(progress.bytes), bytes(progress.total_bytes));
            let seconds = bar.elapsed().as_secs_f64().max(0.1);
            let rate = bytes((progress.bytes as f64 / seconds) as u64);
            let rate = (self.look.width >= ROOMY).then(|| format!(" {rate}/s"));
            bar.set_message(format!(
                "{files} {sent}/{total}{}",
                rate.unwrap_or_default()
            ));
            if let Some(key) = progress.finishing() {
                // Of the bar itself a little stays.
                let room = self.look.width.saturating_sub(TIGHT);
                bar.set_prefix(format!("Finishing {}", elided(&shown(key.as_str()), room)));
            }
        } else {
            bar.set_message(files);
        }
        if progress.files >= progress.total_files {
            self.remove(BarKind::Upload);
        }
    }
}

fn spinner_key(look: TextLook) -> &'static str {
    if look.paint.0 {
        "{spinner:.cyan}"
    } else {
        "{spinner}"
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours; one that could not be read would give the plain bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn upload_style(look: TextLook) -> ProgressStyle {
    let bar = if look.paint.0 {
        "{wide_bar:.cyan/dim}"
    } else {
        "{wide_bar}"
    };
    style(&format!("{{prefix}} {bar} {{msg}} {{left}}"))
        .progress_chars("━╸─")
        .with_key("left", |state: &ProgressState, out: &mut dyn Write| {
            let left = state.eta();
            // A bar is drawn again soon: what cannot be written now is left out.
            if !left.is_zero() {
                let _ = write!(out, "{} left", ticking(left));
            }
        })
}
