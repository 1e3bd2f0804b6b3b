//! What Unix and Windows do each in its own way.

use std::borrow::Cow;
use std::path::{MAIN_SEPARATOR, Path};

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
