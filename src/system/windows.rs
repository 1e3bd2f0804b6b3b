//! Windows.

use std::fs::{File, FileType, Metadata};
use std::io;
use std::os::windows::fs::MetadataExt;
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};

use super::FileStamp;

/// What opens a URL.
pub(crate) const OPENER: &str = "explorer";

/// Returns the time since this was first asked, suspend included, which the performance counter behind `Instant` counts (Windows,
/// "QueryPerformanceCounter"), so that a laptop that slept knows that its lease ran out.
pub(crate) fn uptime() -> Duration {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(Instant::now).elapsed()
}

pub(crate) fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "windows".to_owned())
}

impl FileStamp {
    pub fn of(file: &Metadata) -> Self {
        Self {
            size: file.len(),
            mtime_ns: nanoseconds(file.last_write_time()),
            inode: 0,
            ctime_ns: nanoseconds(file.creation_time()),
        }
    }
}

/// Windows counts steps of 100 nanoseconds from 1601 (Windows, "FILETIME").
fn nanoseconds(steps: u64) -> i64 {
    const UNTIL_1970: i64 = 116_444_736_000_000_000;
    let steps = i64::try_from(steps).unwrap_or(i64::MAX);
    steps.saturating_sub(UNTIL_1970).saturating_mul(100)
}

/// Returns what a file is that holds no content of its own: pipes and devices have no paths in folders.
pub(crate) fn special_kind(_: FileType) -> Option<&'static str> {
    None
}

/// Opens a file to read it.
pub(crate) fn open_at_once(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Tells whether links lead to each other (Windows, "System Error Codes", ERROR_CANT_RESOLVE_FILENAME).
pub(crate) fn is_link_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(1921)
}

/// Starts a command so that Ctrl-C here does not end it (Windows, "Process Creation Flags", CREATE_NEW_PROCESS_GROUP).
pub(crate) fn in_group_of_its_own(command: &mut Command) -> &mut Command {
    command.creation_flags(0x200)
}

/// Waits for Ctrl-C, Ctrl-Break or the window's end. Returns false where none can be waited for.
pub(crate) async fn end_wished() -> bool {
    let (Ok(mut interrupt), Ok(mut pause), Ok(mut close)) = (ctrl_c(), ctrl_break(), ctrl_close())
    else {
        return false;
    };
    tokio::select! {
        got = interrupt.recv() => got.is_some(),
        got = pause.recv() => got.is_some(),
        got = close.recv() => got.is_some(),
    }
}
