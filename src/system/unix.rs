//! Linux, macOS and the BSDs.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::time::ClockId;
use tokio::signal::unix::{SignalKind, signal};

use super::FileStamp;

/// What opens a URL.
pub(crate) const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else {
    "xdg-open"
};

#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
/// Elsewhere the monotonic clock counts suspend (macOS), or nothing better is at hand.
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Returns the time since the machine started, suspend included, so that a laptop that slept knows that its lease ran out.
pub(crate) fn uptime() -> Duration {
    let now = rustix::time::clock_gettime(CLOCK);
    Duration::new(now.tv_sec.max(0) as u64, now.tv_nsec.max(0) as u32)
}

pub(crate) fn host_name() -> String {
    let host = rustix::system::uname();
    host.nodename().to_string_lossy().into_owned()
}

impl FileStamp {
    pub fn of(file: &Metadata) -> Self {
        Self {
            size: file.len(),
            mtime_ns: nanoseconds(file.mtime(), file.mtime_nsec()),
            inode: file.ino(),
            ctime_ns: nanoseconds(file.ctime(), file.ctime_nsec()),
        }
    }
}

fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// Returns what a file is that holds no content of its own.
pub(crate) fn special_kind(kind: FileType) -> Option<&'static str> {
    if kind.is_fifo() {
        Some("named pipe")
    } else if kind.is_socket() {
        Some("socket")
    } else if kind.is_block_device() || kind.is_char_device() {
        Some("device")
    } else {
        None
    }
}

/// Opens a file to read it. A pipe that took its place does not hold the reader up.
pub(crate) fn open_at_once(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags).open(path)
}

/// Tells whether links lead to each other: ELOOP, whose kind of its own is not stable yet.
pub(crate) fn is_link_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// Starts a command so that Ctrl-C here does not end it.
pub(crate) fn in_group_of_its_own(command: &mut Command) -> &mut Command {
    command.process_group(0)
}

/// Waits for a signal to end. Returns false where none can be waited for.
pub(crate) async fn end_wished() -> bool {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return false;
    };
    tokio::select! {
        got = interrupt.recv() => got.is_some(),
        got = terminate.recv() => got.is_some(),
    }
}
