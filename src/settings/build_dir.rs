//! Which folder is the build, and that it is not a project's root by mistake. Looks at the disk.

use std::path::{Path, PathBuf};

use super::{FILE, LOCAL_DIR, Settings};
use crate::error::Error;

/// Where generators put what they build.
const BUILD_FOLDERS: [&str; 10] = [
    "public",
    "_site",
    "dist",
    "build",
    "out",
    ".output/public",
    "site",
    "book",
    "_book",
    "docs/.vitepress/dist",
];

/// What lies at the top of a project, not of a build.
const ROOT_MARKS: [&str; 8] = [
    FILE,
    ".git",
    "Cargo.toml",
    "package.json",
    "_config.yml",
    "hugo.toml",
    "mkdocs.yml",
    LOCAL_DIR,
];

/// The folder to deploy. `here` is the current folder, or empty for that.
///
/// # Errors
/// `Exit::Usage` where none is given, where there is no such folder, and where it is no build.
pub(crate) fn build_dir(settings: &Settings, here: &Path) -> Result<PathBuf, Error> {
    let Some(given) = &settings.dir else {
        return Err(hinted(Error::usage("which folder is the build?"), here));
    };
    let dir = here.join(given);
    let shown = dir.display();
    if !dir.exists() {
        return Err(hinted(
            Error::usage(format!("there is no folder {shown}")),
            here,
        ));
    }
    if !dir.is_dir() {
        return Err(Error::usage(format!("{shown} is not a folder")));
    }
    if is_local_store(settings, &dir, here) {
        return Err(Error::usage(format!(
            "{shown} is where `--local` keeps its objects, not a build"
        )));
    }
    match what_makes_it_a_root(settings, &dir, here) {
        Some(mark) if !settings.allow_project_root => {
            let problem = format!("{shown} holds {mark}, so it is a project, not a build");
            Err(hinted_or(
                Error::usage(problem),
                here,
                "`--allow-project-root` deploys it all the same",
            ))
        }
        _ => Ok(dir),
    }
}

/// The build folders of a project, those that exist.
pub(crate) fn build_folders(here: &Path) -> impl Iterator<Item = &'static str> {
    let here = here.to_owned();
    BUILD_FOLDERS
        .into_iter()
        .filter(move |name| here.join(name).is_dir())
}

fn is_local_store(settings: &Settings, dir: &Path, here: &Path) -> bool {
    let within = |store: PathBuf| match (dir.canonicalize(), store.canonicalize()) {
        (Ok(dir), Ok(store)) => dir.starts_with(store),
        _ => false,
    };
    let stores = settings.local.iter().map(|local| here.join(local));
    stores.chain([here.join(LOCAL_DIR)]).any(within)
}

fn what_makes_it_a_root(settings: &Settings, dir: &Path, here: &Path) -> Option<String> {
    if let Some(mark) = ROOT_MARKS.iter().find(|mark| dir.join(mark).exists()) {
        return Some((*mark).to_owned());
    }
    let dir = dir.canonicalize().ok()?;
    let file = settings.file.as_ref();
    let file = file.and_then(|file| here.join(file).canonicalize().ok());
    if let Some(file) = file.filter(|file| file.parent() == Some(&dir)) {
        return Some(file.file_name()?.display().to_string());
    }
    let current = here.join(".").canonicalize().ok()?;
    (current != dir && current.starts_with(&dir)).then(|| "the current folder".to_owned())
}

fn hinted(error: Error, here: &Path) -> Error {
    hinted_or(error, here, "`unstale deploy DIR`, or `dir` in deploy.toml")
}

/// With the build folders that are there as the hint, else with the words given.
fn hinted_or(error: Error, here: &Path, otherwise: &str) -> Error {
    let commands: Vec<String> = build_folders(here)
        .map(|folder| format!("unstale deploy {folder}"))
        .collect();
    match commands.is_empty() {
        true => error.hint(otherwise),
        false => error.hint(commands.join(", or ")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn settings(dir: Option<&str>) -> Settings {
        Settings {
            dir: dir.map(PathBuf::from),
            ..Settings::default()
        }
    }

    #[test]
    fn without_a_folder_the_error_names_those_that_are_there() {
        let here = tempfile::tempdir().unwrap();
        let error = build_dir(&settings(None), here.path()).unwrap_err();
        assert!(error.hint.unwrap().contains("`dir` in deploy.toml"));
        fs::create_dir_all(here.path().join("public")).unwrap();
        fs::create_dir_all(here.path().join("docs/.vitepress/dist")).unwrap();
        for dir in [None, Some("missing")] {
            let error = build_dir(&settings(dir), here.path()).unwrap_err();
            assert_eq!(
                error.hint.as_deref(),
                Some("unstale deploy public, or unstale deploy docs/.vitepress/dist")
            );
        }
    }

    #[test]
    fn a_build_is_taken_and_a_project_refused() {
        let here = tempfile::tempdir().unwrap();
        let public = here.path().join("public");
        fs::create_dir(&public).unwrap();
        let judge = |dir: &str| build_dir(&settings(Some(dir)), here.path());
        assert_eq!(judge("public").unwrap(), public);
        fs::write(here.path().join("file"), "").unwrap();
        assert!(judge("file").is_err());
        for mark in ROOT_MARKS {
            fs::write(public.join(mark), "").unwrap();
            assert!(judge("public").is_err(), "{mark}");
            let allowed = Settings {
                allow_project_root: true,
                ..settings(Some("public"))
            };
            assert!(build_dir(&allowed, here.path()).is_ok(), "{mark}");
            fs::remove_file(public.join(mark)).unwrap();
        }
        assert!(judge("public").is_ok());
        let inside = Settings {
            file: Some("public/site.toml".into()),
            ..settings(Some("public"))
        };
        fs::write(public.join("site.toml"), "").unwrap();
        assert!(build_dir(&inside, here.path()).is_err());
        assert!(build_dir(&settings(Some("..")), &public).is_err());
        assert!(build_dir(&settings(Some(".")), &here.path().join("public")).is_ok());
    }

    #[test]
    fn the_local_store_is_never_deployed() {
        let here = tempfile::tempdir().unwrap();
        fs::create_dir_all(here.path().join(".unstale-local/x")).unwrap();
        fs::create_dir_all(here.path().join("kept")).unwrap();
        let at = |dir: &str| Settings {
            local: Some("kept".into()),
            allow_project_root: true,
            ..settings(Some(dir))
        };
        for dir in [".unstale-local", ".unstale-local/x", "kept"] {
            assert!(build_dir(&at(dir), here.path()).is_err(), "{dir}");
        }
    }
}
