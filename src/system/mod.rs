//! What Unix and Windows do each in its own way.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    OPENER, end_wished, host_name, in_group_of_its_own, is_link_loop, open_at_once, special_kind,
    uptime,
};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    OPENER, end_wished, host_name, in_group_of_its_own, is_link_loop, open_at_once, special_kind,
    uptime,
};

/// Enough to notice a later change of a file without reading it: times in nanoseconds since 1970, of the file itself where a link
/// leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    pub size: u64,
    pub mtime_ns: i64,
    /// 0 on Windows.
    pub inode: u64,
    /// When it was made on Windows, when anything about it changed elsewhere.
    pub ctime_ns: i64,
}

/// Returns a path beside this one that no other process writes to.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unique = uuid::Uuid::new_v4().simple();
    path.with_file_name(format!(".{name}.{unique}.tmp"))
}

/// Writes a file beside its place, and then puts it there, with the permissions of the one that was there: others see the old file or the
/// new one, never a part.
pub(crate) fn replace_file(
    path: &Path,
    write: impl FnOnce(File) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = beside(path);
    let written = File::create_new(&temporary)
        .and_then(write)
        .and_then(|()| match fs::metadata(path) {
            Ok(before) => fs::set_permissions(&temporary, before.permissions()),
            Err(_) => Ok(()),
        })
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Returns a relative path with slashes, as keys have it. `None`: it is no UTF-8.
pub(crate) fn slashed(path: &Path) -> Option<Cow<'_, str>> {
    let text = path.to_str()?;
    // Elsewhere a backslash is a letter like others.
    Some(if MAIN_SEPARATOR == '/' {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.replace(MAIN_SEPARATOR, "/"))
    })
}
