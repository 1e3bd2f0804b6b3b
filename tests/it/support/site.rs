//! Built sites in temporary folders.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A built site. Its folder is gone when it is dropped.
pub struct Site {
    // Above the build, so that a build can be missing or a file.
    folder: TempDir,
}

impl Site {
    pub fn empty() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("public")).unwrap();
        Self { folder }
    }

    /// Of paths and contents.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let site = Self::empty();
        for (path, content) in files {
            site.write(path, content);
        }
        site
    }

    /// A copy of a folder, with fresh times.
    pub fn copy_of(folder: &Path) -> Self {
        let site = Self::empty();
        site.becomes(folder);
        site
    }

    /// Replaces all files by those of another folder, as a fresh checkout and build does.
    pub fn becomes(&self, folder: &Path) {
        fs::remove_dir_all(self.dir()).unwrap();
        fs::create_dir(self.dir()).unwrap();
        for (path, content) in files_of(folder) {
            self.write(&path, content);
        }
    }

    /// The build: an argument for the binary.
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("public")
    }

    /// The folder that the build lies in, where deploy.toml would be.
    pub fn project(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.dir().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.dir().join(path)).unwrap();
    }

    /// Paths with `/` and contents of all files.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        files_of(&self.dir())
    }
}

/// A small real site that comes with the project: a version of it.
pub fn fixture(site: &str, version: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    fixtures.join(site).join(version)
}

fn files_of(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            let path = entry.path().strip_prefix(folder).unwrap();
            let path = path.to_str().unwrap().to_owned();
            files.insert(path, fs::read(entry.path()).unwrap());
        }
    }
    files
}
