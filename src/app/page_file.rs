//! A file that a page is written to.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::system::{beside, replace_file};

/// A place that can be written to, as far as was tried.
#[derive(Debug)]
pub(super) struct PageFile {
    path: PathBuf,
    /// Not where it is another thing, such as /dev/stdout.
    is_file: bool,
}

impl PageFile {
    /// Tries a path, before anything is changed. `build` is the folder of the build.
    ///
    /// # Errors
    /// `Exit::Usage` where nothing can be written there, or where it would be deployed with the build.
    pub(super) fn at(path: &Path, build: &Path) -> Result<Self, Error> {
        let refused = |error: &dyn std::fmt::Display| {
            Error::usage(format!("cannot write {}", path.display())).because(error)
        };
        // What a link leads to is written, and the link stays.
        let path_given = path;
        let path = fs::canonicalize(path_given).unwrap_or_else(|_| path_given.to_owned());
        let kind = fs::metadata(&path).map(|data| data.file_type()).ok();
        if kind.is_some_and(|kind| kind.is_dir()) {
            return Err(refused(&"it is a folder"));
        }
        let is_file = kind.is_none_or(|kind| kind.is_file());
        if is_file {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")));
            let folder = folder.map_err(|error| refused(&error))?;
            if fs::canonicalize(build).is_ok_and(|build| folder.starts_with(build)) {
                return Err(
                    refused(&"it lies in the build, and would be deployed with it")
                        .hint("name a file in another folder"),
                );
            }
            let near = beside(&path);
            let tried = fs::write(&near, "").and_then(|()| fs::remove_file(near));
            tried.map_err(|error| refused(&error))?;
        }
        Ok(Self { path, is_file })
    }

    /// Writes it whole.
    ///
    /// # Errors
    /// `Exit::Failed` where that has become impossible meanwhile.
    pub(super) fn write(&self, text: &str) -> Result<(), Error> {
        let written = if self.is_file {
            replace_file(&self.path, |mut file| file.write_all(text.as_bytes()))
        } else {
            fs::write(&self.path, text)
        };
        written.map_err(|error| {
            Error::failed(format!("cannot write {}", self.path.display())).because(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    #[test]
    fn a_page_is_written_whole_or_refused_before() {
        let folder = tempfile::tempdir().unwrap();
        let (site, nowhere) = (
            folder.path().join("site"),
            folder.path().join("none/a.html"),
        );
        fs::create_dir(&site).unwrap();
        for (path, why) in [
            (nowhere.as_path(), "No such file"),
            (folder.path(), "it is a folder"),
            (&site.join("plan.html"), "it lies in the build"),
            (Path::new("/proc/none.html"), "No such file"),
        ] {
            let error = PageFile::at(path, &site).unwrap_err();
            assert_eq!(error.exit, Exit::Usage);
            assert!(error.causes[0].contains(why), "{path:?}: {error:?}");
        }
        let path = folder.path().join("plan.html");
        let page = PageFile::at(&path, &site).unwrap();
        assert!(!path.exists(), "it was only tried");
        for text in ["one", "two"] {
            page.write(text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let link = folder.path().join("link.html");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        PageFile::at(&link, &site).unwrap().write("three").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        PageFile::at(Path::new("/dev/null"), &site)
            .unwrap()
            .write("x")
            .unwrap();
    }
}
