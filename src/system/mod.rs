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

/// Returns a path beside this one that no other process writes to. Its name is short, however long the other's is.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let unique = uuid::Uuid::new_v4().simple();
    path.with_file_name(format!(".unstale.{unique}.tmp"))
}

/// Writes a file beside its place, and then puts it there, with the permissions of the one that was there: others see the old file or the
/// new one, never a part. What a link leads to is written, and the link stays.
pub(crate) fn replace_file(
    path: &Path,
    write: impl FnOnce(File) -> io::Result<()>,
) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_stays() {
        let folder = tempfile::tempdir().unwrap();
        // No name can be longer.
        let path = folder.path().join("a".repeat(255));
        let full = |mut file: File| {
            file.write_all(b"a part")?;
            Err(io::ErrorKind::StorageFull.into())
        };
        assert!(replace_file(&path, full).is_err());
        assert!(!path.exists());
        replace_file(&path, |mut file| file.write_all(b"before")).unwrap();
        assert!(replace_file(&path, full).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        replace_file(&path, |mut file| file.write_all(b"after")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_replaced_file_keeps_its_permissions_and_the_links_to_it() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&path, "before").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&path, &link).unwrap();
        replace_file(&link, |mut file| file.write_all(b"after")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
}
