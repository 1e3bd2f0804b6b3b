//! Which folder is the build, and that it is not a project's root by mistake. Looks at the disk.

use std::path::{Path, PathBuf};

use super::generator::build_folders;
use super::{FILE, LOCAL_DIR, Settings};
use crate::error::Error;

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

/// Folders of the system, whole: what lies in them may be a build.
const SYSTEM: [&str; 9] = [
    "/dev", "/etc", "/home", "/opt", "/proc", "/root", "/sys", "/usr", "/var",
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
    match why_no_build(settings, &dir, here) {
        Some(why) if !settings.allow_project_root => Err(hinted_or(
            Error::usage(format!("{shown} {why}, not a build")),
            (here, given),
            "`--allow-project-root` deploys it all the same",
        )),
        _ => Ok(dir),
    }
}

/// Fails where `--local` would keep its objects in the build, and deploy them the next time.
pub(crate) fn check_store(settings: &Settings, store: &Path) -> Result<(), Error> {
    let place = |path: &Path| {
        path.canonicalize()
            .or_else(|_| std::path::absolute(path))
            .ok()
    };
    let inside = || {
        let (store, dir) = (place(store)?, place(settings.dir.as_ref()?)?);
        let is_left_out = store.iter().any(|name| name == LOCAL_DIR);
        Some(store.starts_with(dir) && !is_left_out)
    };
    if inside() != Some(true) {
        return Ok(());
    }
    let text = format!(
        "--local={} lies in the build, which is deployed",
        store.display()
    );
    Err(Error::usage(text).hint("name a folder beside it"))
}

fn is_local_store(settings: &Settings, dir: &Path, here: &Path) -> bool {
    let within = |store: PathBuf| match (dir.canonicalize(), store.canonicalize()) {
        (Ok(dir), Ok(store)) => dir.starts_with(store),
        _ => false,
    };
    let stores = settings.local.iter().map(|local| here.join(local));
    stores.chain([here.join(LOCAL_DIR)]).any(within)
}

/// Says what a folder is, where it is no build.
fn why_no_build(settings: &Settings, dir: &Path, here: &Path) -> Option<String> {
    let whole = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    if let Some(why) = why_too_much(&whole, std::env::home_dir().as_deref()) {
        return Some(why.to_owned());
    }
    let mark = what_makes_it_a_root(settings, dir, here)?;
    Some(format!("holds {mark}, so it is a project"))
}

/// Says what a folder is where it is somebody's home, holds one, or is the system's.
fn why_too_much(dir: &Path, home: Option<&Path>) -> Option<&'static str> {
    let home = home.and_then(|home| home.canonicalize().ok());
    match home {
        Some(home) if home == dir => Some("is your home folder"),
        Some(home) if home.starts_with(dir) => {
            Some("holds your home folder, so it is the system's")
        }
        _ if dir.parent().is_none() || SYSTEM.iter().any(|name| dir == Path::new(name)) => {
            Some("is a folder of the system")
        }
        _ => None,
    }
}

fn what_makes_it_a_root(settings: &Settings, dir: &Path, here: &Path) -> Option<String> {
    let is_mark = |mark: &&&str| {
        let path = dir.join(mark);
        path.exists() && !is_copied_settings(settings, &path, here)
    };
    if let Some(mark) = ROOT_MARKS.iter().find(is_mark) {
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

/// Tells whether it is the settings file that was read, as a generator such as Jekyll copies it into the build, where it is left out.
fn is_copied_settings(settings: &Settings, path: &Path, here: &Path) -> bool {
    let Some(own) = settings.file.as_ref().map(|file| here.join(file)) else {
        return false;
    };
    let text = |path: &Path| std::fs::read(path).ok();
    let is_itself = own.canonicalize().ok() == path.canonicalize().ok();
    path.ends_with(FILE) && !is_itself && text(path).is_some() && text(path) == text(&own)
}

fn hinted(error: Error, here: &Path) -> Error {
    hinted_or(
        error,
        (here, Path::new("")),
        "`unstale deploy DIR`, or `dir` in deploy.toml",
    )
}

/// With the build folders that are there as the hint, but for the one that was tried, else with the words given.
fn hinted_or(error: Error, (here, tried): (&Path, &Path), otherwise: &str) -> Error {
    let folders: Vec<String> = build_folders(here)
        .into_iter()
        .filter(|folder| here.join(folder) != here.join(tried))
        .map(|folder| format!("`{folder}`"))
        .collect();
    if folders.is_empty() {
        error.hint(otherwise)
    } else {
        error.hint(format!(
            "name {}, as an argument or by `dir` in deploy.toml",
            folders.join(" or ")
        ))
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
        for folder in ["public", "dist"] {
            fs::create_dir_all(here.path().join(folder)).unwrap();
            fs::write(here.path().join(folder).join("index.html"), "").unwrap();
        }
        for dir in [None, Some("missing")] {
            let error = build_dir(&settings(dir), here.path()).unwrap_err();
            assert_eq!(
                error.hint.as_deref(),
                Some("name `public` or `dist`, as an argument or by `dir` in deploy.toml")
            );
        }
    }

    #[test]
    fn what_local_keeps_is_no_part_of_the_build() {
        let here = tempfile::tempdir().unwrap();
        let build = here.path().join("public");
        fs::create_dir(&build).unwrap();
        let settings = settings(build.to_str());
        for (store, is_apart) in [
            ("public", false),
            ("public/store", false),
            ("public/.unstale-local", true),
            ("public-store", true),
            ("store", true),
        ] {
            let checked = check_store(&settings, &here.path().join(store));
            assert_eq!(checked.is_ok(), is_apart, "{store}");
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
        fs::remove_file(public.join("site.toml")).unwrap();
        // Jekyll copies it. One that says something else is of another project.
        let beside = Settings {
            file: Some(FILE.into()),
            ..settings(Some("public"))
        };
        fs::write(here.path().join(FILE), "dir = \"public\"\n").unwrap();
        for (copy, is_taken) in [("dir = \"public\"\n", true), ("dir = \".\"\n", false)] {
            fs::write(public.join(FILE), copy).unwrap();
            assert_eq!(build_dir(&beside, here.path()).is_ok(), is_taken, "{copy}");
        }
        fs::remove_file(public.join(FILE)).unwrap();
        assert!(build_dir(&settings(Some("..")), &public).is_err());
        assert!(build_dir(&settings(Some(".")), &here.path().join("public")).is_ok());
    }

    #[test]
    fn homes_and_the_system_are_no_builds() {
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().canonicalize().unwrap();
        let home = users.join("me");
        fs::create_dir_all(home.join("site/public")).unwrap();
        let judge = |dir: &Path| why_too_much(dir, Some(&home));
        assert_eq!(judge(&home), Some("is your home folder"));
        assert!(judge(&users).is_some() && judge(Path::new("/")).is_some());
        assert_eq!(judge(&home.join("site/public")), None);
        for (dir, refused) in [
            ("/", true),
            ("/usr", true),
            ("/usr/share/doc", false),
            ("/srv", false),
        ] {
            let why = why_too_much(Path::new(dir), None);
            assert_eq!(why.is_some(), refused, "{dir}");
        }
        let settings = |allow_project_root| Settings {
            allow_project_root,
            ..settings(Some("/"))
        };
        assert!(build_dir(&settings(false), &home).is_err());
        assert!(build_dir(&settings(true), &home).is_ok());
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
