//! Progress on a terminal: a spinner for each thing that runs, a bar for the uploads; all of it gone at the end.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::lines::{self, Progress};
use super::text::{bytes, count, counted, elided, shown, ticking};
use crate::deploy::event::Event;

const TICK: Duration = Duration::from_millis(100);
/// Columns from which the rate has room beside the bar.
const ROOMY: usize = 78;

/// Columns of a time and the gap before it.
const CLOCK: usize = 13;

/// The bars that are to be seen now.
pub struct Bars {
    all: MultiProgress,
    color: bool,
    width: usize,
    scan: Option<ProgressBar>,
    list: Option<ProgressBar>,
    lock: Option<ProgressBar>,
    upload: Option<ProgressBar>,
    purge: Option<ProgressBar>,
    walked: u64,
    accepted: u64,
    completed: u64,
}

impl Bars {
    pub fn new(color: bool, width: usize, target: ProgressDrawTarget) -> Self {
        Self {
            all: MultiProgress::with_draw_target(target),
            color,
            width,
            scan: None,
            list: None,
            lock: None,
            upload: None,
            purge: None,
            walked: 0,
            accepted: 0,
            completed: 0,
        }
    }

    /// Shows what an event tells; `progress` has taken note of it already.
    pub fn event(&mut self, event: &Event, progress: &Progress) {
        if !matches!(event, Event::LockAwaited { .. }) {
            clear(&mut self.lock);
        }
        match event {
            Event::Walked(files) => {
                self.walked = *files;
                self.scan(format!("Reading the build: {}", counted(*files, "file")));
            }
            Event::Hashed { files, bytes: size } => {
                let of = match self.walked {
                    0 => String::new(),
                    walked => format!(" of {}", count(walked)),
                };
                self.scan(format!(
                    "Reading the build: {}{of} files, {}",
                    count(*files),
                    bytes(*size)
                ));
            }
            Event::Scanned { .. } => clear(&mut self.scan),
            Event::Listed(objects) => {
                self.list(format!(
                    "Listing the bucket: {}",
                    counted(*objects, "object")
                ));
            }
            Event::Asked { done, total } => {
                let total = counted(*total, "object");
                self.list(format!(
                    "Asking for the headers of {} of {total}",
                    count(*done)
                ));
            }
            Event::ListingEnded(_) => clear(&mut self.list),
            Event::Planned(_) | Event::PlannedAgain(_) => self.clear(),
            Event::LockAwaited { .. } => {
                let text = self.fitting(lines::lock(event).unwrap_or_default());
                spin(&self.all, &mut self.lock, self.color, &text);
            }
            Event::UploadsBegan { files, bytes } if *files > 0 => {
                self.begin_uploads(*files, *bytes)
            }
            Event::BytesSent(_) | Event::Changed { .. } => self.show_uploads(progress),
            Event::PurgeAccepted { .. }
            | Event::PurgeCompleted { .. }
            | Event::PurgeAwaited { .. } => self.purged(event),
            Event::PurgePaced { target, why, .. } => {
                let text = format!("The purge of {} waits: {}", shown(target), shown(why));
                self.purge(text);
            }
            Event::Ended(_) => self.clear(),
            _ => {}
        }
    }

    /// Takes every bar off the terminal.
    pub fn clear(&mut self) {
        for bar in [
            &mut self.scan,
            &mut self.list,
            &mut self.lock,
            &mut self.upload,
            &mut self.purge,
        ] {
            clear(bar);
        }
    }

    /// Does something while the bars are off the terminal, then draws them again.
    pub fn suspend(&self, print: impl FnOnce()) {
        self.all.suspend(print);
    }

    fn scan(&mut self, text: String) {
        spin(&self.all, &mut self.scan, self.color, &text);
    }

    fn list(&mut self, text: String) {
        spin(&self.all, &mut self.list, self.color, &text);
    }

    /// What the purge is at, and for how long already.
    fn purge(&mut self, text: String) {
        clear(&mut self.upload);
        let text = elided(&text, self.width.saturating_sub(3 + CLOCK));
        let bar = self.purge.get_or_insert_with(|| {
            let spinner = spinner_key(self.color);
            let style = style(&format!("{spinner} {{msg}}  {{took}}"));
            let bar = self.all.add(ProgressBar::new_spinner());
            bar.set_style(
                style.with_key("took", |state: &ProgressState, out: &mut dyn Write| {
                    let _ = out.write_str(&ticking(state.elapsed()));
                }),
            );
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_message(text);
    }

    fn begin_uploads(&mut self, files: u64, bytes: u64) {
        clear(&mut self.upload);
        let bar = self
            .all
            .add(ProgressBar::new(if bytes > 0 { bytes } else { files }));
        bar.set_style(upload_style(bytes > 0 && self.width >= ROOMY, self.color));
        bar.enable_steady_tick(TICK);
        self.upload = Some(bar);
    }

    fn show_uploads(&mut self, progress: &Progress) {
        let Some(bar) = &self.upload else { return };
        let done = progress.files >= progress.total_files;
        bar.set_position(if progress.total_bytes > 0 {
            progress.bytes
        } else {
            progress.files
        });
        let files = format!(
            "{}/{} files",
            count(progress.files),
            count(progress.total_files)
        );
        bar.set_message(match progress.total_bytes {
            0 => files,
            total => format!("{files} {}/{}", bytes(progress.bytes), bytes(total)),
        });
        if done {
            clear(&mut self.upload);
        }
    }

    fn purged(&mut self, event: &Event) {
        let text = match event {
            Event::PurgeAccepted {
                target,
                invalidation,
                paths,
            } => {
                self.accepted += 1;
                let paths = counted(paths.len() as u64, "path");
                format!(
                    "Purging {paths} of {} as {}",
                    shown(target),
                    shown(invalidation)
                )
            }
            Event::PurgeCompleted { .. } => {
                self.completed += 1;
                format!(
                    "{} of {} completed",
                    count(self.completed),
                    counted(self.accepted, "invalidation")
                )
            }
            Event::PurgeAwaited { invalidation, .. } => {
                format!("Waiting for CloudFront to complete {}", shown(invalidation))
            }
            _ => return,
        };
        if self.accepted > 0 && self.completed >= self.accepted {
            clear(&mut self.purge);
        } else {
            self.purge(text);
        }
    }

    /// Room is left for the spinner.
    fn fitting(&self, text: String) -> String {
        elided(&text, self.width.saturating_sub(3))
    }
}

fn clear(slot: &mut Option<ProgressBar>) {
    if let Some(bar) = slot.take() {
        bar.finish_and_clear();
    }
}

fn spin(all: &MultiProgress, slot: &mut Option<ProgressBar>, color: bool, text: &str) {
    let bar = slot.get_or_insert_with(|| {
        let bar = all.add(ProgressBar::new_spinner());
        bar.set_style(style(&format!("{} {{wide_msg}}", spinner_key(color))));
        bar.enable_steady_tick(TICK);
        bar
    });
    bar.set_message(text.to_owned());
}

fn spinner_key(color: bool) -> &'static str {
    if color {
        "{spinner:.cyan}"
    } else {
        "{spinner}"
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours; one that could not be read would give the plain bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn upload_style(roomy: bool, color: bool) -> ProgressStyle {
    let bar = if color {
        "{wide_bar:.cyan/dim}"
    } else {
        "{wide_bar}"
    };
    let rate = if roomy { " {rate}" } else { "" };
    style(&format!("Uploading {bar} {{msg}}{rate} {{left}}"))
        .progress_chars("━╸─")
        .with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            // A bar is drawn again soon: what cannot be written now is left out.
            let _ = write!(out, "{}/s", bytes(state.per_sec() as u64));
        })
        .with_key("left", |state: &ProgressState, out: &mut dyn Write| {
            let left = state.eta();
            let _ = match left.is_zero() {
                true => Ok(()),
                false => write!(out, "{} left", ticking(left)),
            };
        })
}
