//! How far a deploy got, and when to say so where there are no bars: seldom, so that a CI log stays readable. Pure: time is told
//! to it.

use std::time::Duration;

use super::event::{awaited, milestone};
use super::text::{bytes, of, shown, ticking};
use crate::job::DeployEvent;
use crate::object::Key;
use crate::plan::ChangeAction;

/// At least so long between two lines that say how far something got,
const PACE: Duration = Duration::from_secs(10);
/// and so long where it got no tenth further.
const SLOW_PACE: Duration = Duration::from_secs(60);
/// How often it is said that something is still awaited.
const PATIENCE: Duration = Duration::from_secs(30);

/// How far the uploads got, and when that was last told.
#[derive(Clone, Debug, Default)]
pub(super) struct UploadProgress {
    pub(super) files: u64,
    pub(super) total_files: u64,
    pub(super) bytes: u64,
    pub(super) total_bytes: u64,
    /// Told by [`DeployEvent::BytesSent`], and not yet by the file's own event.
    ahead: u64,
    /// The large file that was last told of, while it is under way.
    large: Option<Key>,
    told_at: Duration,
    told_percent: u64,
    lock_told: Option<Duration>,
    purge_told: Duration,
}

impl UploadProgress {
    /// Takes note of how far the uploads got.
    pub(super) fn note(&mut self, event: &DeployEvent) {
        match event {
            DeployEvent::UploadsBegan { files, bytes } => {
                let lock_told = self.lock_told;
                *self = Self {
                    total_files: *files,
                    total_bytes: *bytes,
                    lock_told,
                    ..Self::default()
                };
            }
            DeployEvent::BytesSent { key, bytes } => {
                self.ahead += bytes;
                self.bytes += bytes;
                self.large = Some(key.clone());
            }
            DeployEvent::Changed {
                key, bytes, action, ..
            } => {
                self.files += 1;
                self.large.take_if(|large| large == key);
                if *action == ChangeAction::Upload {
                    let before = self.ahead.min(*bytes);
                    self.ahead -= before;
                    self.bytes += bytes - before;
                }
            }
            _ => {}
        }
        // A part sent twice after a failure counts twice.
        self.bytes = self.bytes.min(self.total_bytes);
        self.files = self.files.min(self.total_files);
    }

    /// Returns the line for an event, if it is time for one; `now` counts from when the command began.
    pub(super) fn line(&mut self, event: &DeployEvent, now: Duration) -> Option<String> {
        match event {
            DeployEvent::UploadsBegan { .. } => {
                self.told_at = now;
                None
            }
            DeployEvent::BytesSent { .. } | DeployEvent::Changed { .. } => self.upload_line(now),
            DeployEvent::LockAwaited { waited, .. } if !self.is_lock_due(*waited) => None,
            DeployEvent::PurgeAccepted { .. } => {
                self.purge_told = now;
                milestone(event)
            }
            DeployEvent::DeploymentAwaited { elapsed, .. } if elapsed.as_secs() == 0 => {
                self.wait_line(event, now)
            }
            DeployEvent::PurgeAwaited { .. } | DeployEvent::DeploymentAwaited { .. } => {
                let due = now.saturating_sub(self.purge_told) >= PATIENCE;
                due.then(|| self.wait_line(event, now)).flatten()
            }
            _ => milestone(event),
        }
    }

    fn wait_line(&mut self, event: &DeployEvent, now: Duration) -> Option<String> {
        self.purge_told = now;
        let (text, elapsed) = awaited(event)?;
        Some(format!("{text}, {} so far", ticking(elapsed)))
    }

    /// Tells whether it is time to say again that the lease is waited for; if so, that is taken as said.
    pub(super) fn is_lock_due(&mut self, waited: Duration) -> bool {
        let due = match self.lock_told {
            None => true,
            // A smaller one is another wait.
            Some(told) => waited < told || waited - told >= PATIENCE,
        };
        if due {
            self.lock_told = Some(waited);
        }
        due
    }

    /// Returns the large file that the uploads end with.
    pub(super) fn finishing(&self) -> Option<&Key> {
        self.large
            .as_ref()
            .filter(|_| self.files + 1 >= self.total_files)
    }

    /// Tells whether uploads began and did not end.
    pub(super) fn is_uploading(&self) -> bool {
        self.files < self.total_files
    }

    fn upload_line(&mut self, now: Duration) -> Option<String> {
        let percent = self.percent();
        let since = now.saturating_sub(self.told_at);
        let further = percent >= self.told_percent + 10;
        if since < PACE || self.files == self.total_files || (!further && since < SLOW_PACE) {
            return None;
        }
        (self.told_at, self.told_percent) = (now, percent);
        let finishing = self
            .finishing()
            .map(|key| format!(", finishing {}", shown(key.as_str())));
        let finishing = finishing.unwrap_or_default();
        Some(format!(
            "Uploading: {} ({percent} %){finishing}",
            self.so_far()
        ))
    }

    fn percent(&self) -> u64 {
        let (done, total) = match self.total_bytes {
            0 => (self.files, self.total_files),
            total => (self.bytes, total),
        };
        done.saturating_mul(100).checked_div(total).unwrap_or(100)
    }

    /// `12 of 1,234 files, 1.3 MB of 45 MB`.
    fn so_far(&self) -> String {
        let files = of(self.files, self.total_files, "file");
        match self.total_bytes {
            0 => files,
            total => format!("{files}, {} of {}", bytes(self.bytes), bytes(total)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Reason;

    fn changed(bytes: u64) -> DeployEvent {
        DeployEvent::Changed {
            key: "a.html".into(),
            action: ChangeAction::Upload,
            reason: Reason::New,
            bytes,
        }
    }

    fn began(files: u64, bytes: u64) -> UploadProgress {
        let mut progress = UploadProgress::default();
        progress.note(&DeployEvent::UploadsBegan { files, bytes });
        progress
    }

    fn part(bytes: u64) -> DeployEvent {
        DeployEvent::BytesSent {
            key: "film.mp4".into(),
            bytes,
        }
    }

    #[test]
    fn the_last_large_file_is_named() {
        let mut progress = began(3, 100);
        for (event, named) in [
            (changed(10), false),
            (part(40), false),
            (changed(10), true),
            (part(40), true),
        ] {
            progress.note(&event);
            assert_eq!(progress.finishing().is_some(), named, "{event:?}");
        }
        let line = progress.upload_line(PACE).unwrap();
        assert!(line.ends_with("(90 %), finishing film.mp4"), "{line}");
    }

    #[test]
    fn bytes_told_twice_count_once() {
        let mut progress = began(3, 100);
        for (event, bytes) in [
            (part(40), 40),
            (changed(10), 40),
            (part(40), 80),
            (changed(80), 90),
            (changed(10), 100),
            (changed(10), 100),
        ] {
            progress.note(&event);
            assert_eq!(progress.bytes, bytes);
        }
        assert_eq!(progress.so_far(), "3 of 3 files, 100 B of 100 B");
    }

    #[test]
    fn a_log_gets_few_lines() {
        let mut progress = began(1000, 1000);
        let mut told = Vec::new();
        // Ten a second for 50 s, then a file each 20 s.
        let quick = (1..=500).map(|number| number * 100);
        let slow = (1..=20).map(|number| 50_000 + number * 20_000);
        for millis in quick.chain(slow) {
            let event = changed(1);
            progress.note(&event);
            told.extend(progress.line(&event, Duration::from_millis(millis)));
        }
        assert_eq!(
            told.first().map(String::as_str),
            Some("Uploading: 100 of 1,000 files, 100 B of 1.0 kB (10 %)")
        );
        assert_eq!(told.len(), 5 + 6);
    }

    #[test]
    fn waiting_is_told_now_and_then() {
        let mut progress = UploadProgress::default();
        let mut lines = Vec::new();
        for second in 0..=60 {
            let waited = Duration::from_secs(second);
            let patience = Duration::from_secs(90);
            let event = DeployEvent::LockAwaited {
                who: "ci@runner".to_owned(),
                until: "12:00:30".to_owned(),
                ends_in: Duration::from_secs(58),
                waited,
                patience,
            };
            lines.extend(progress.line(&event, waited));
        }
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1], "Waiting for ci@runner; its lease ends in 58 s");
    }
}
