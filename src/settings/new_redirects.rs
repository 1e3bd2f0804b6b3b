//! Writes redirects to where this deploy and the next build find them: `_redirects` and what it is made of, or deploy.toml. Changes
//! files.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::generator::expected_builds;
use super::list::Numbered;
use super::mistake::unreadable;
use super::site_files::{REDIRECTS_FILE, SiteFiles};
use super::{FILE, Settings};
use crate::error::Error;
use crate::rules::redirect::Redirect;
use crate::rules::redirects::Redirects;
use crate::system::replace_file;

/// Where projects keep what is copied to the root of their build, relative to themselves.
const SOURCES: [&str; 9] = [
    "static",
    "public",
    "source",
    "src",
    "content",
    "docs/public",
    "docs",
    "assets",
    "",
];

/// What was written, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WrittenRedirects {
    pub redirects: Vec<Redirect>,
    pub files: Vec<PathBuf>,
    /// The generator whose next build writes the file anew, without them.
    pub lost_with: Option<&'static str>,
    /// Redirects that were not written, and why.
    pub refused: Vec<(Redirect, String)>,
}

impl Settings {
    /// Writes those of these redirects that go with the ones that are there, and adds to the settings what went to deploy.toml.
    ///
    /// A `_redirects` file that equals the build's is its source, and gets them as the build's does. Where a generator makes the build
    /// and there is no such file, the build's would be lost: deploy.toml is where they stay.
    ///
    /// # Errors
    /// `Exit::Usage` where the files cannot be followed or are no plain files, `Exit::Failed` where they cannot be written.
    pub(crate) fn write_redirects(
        &mut self,
        dir: &Path,
        redirects: &[Redirect],
    ) -> Result<WrittenRedirects, Error> {
        let files = self.site_files(dir)?;
        let mut written = self.fitting(&files, redirects)?;
        if written.redirects.is_empty() {
            return Ok(written);
        }
        let built = dir.join(REDIRECTS_FILE);
        let sources = self.sources(&built)?;
        let generator = self.generator(dir).filter(|_| sources.is_empty());
        if generator.is_some()
            && let Some(path) = self.add_to_settings(&written.redirects)?
        {
            written.files.push(path);
            return Ok(written);
        }
        if self.leaves_out(REDIRECTS_FILE)? {
            let hint = format!("write the redirects as [[redirects]] in {FILE}");
            return Err(Error::usage(format!("`exclude` leaves {REDIRECTS_FILE} out")).hint(hint));
        }
        let targets: Vec<PathBuf> = [built].into_iter().chain(sources).collect();
        for target in &targets {
            check_plain(target)?;
        }
        for target in targets {
            let lines = |ending: &str| {
                let line = |it: &Redirect| format!("{} {} {}{ending}", it.from, it.to, it.status);
                written.redirects.iter().map(line).collect::<String>()
            };
            append(&target, lines)?;
            written.files.push(target);
        }
        written.lost_with = generator;
        Ok(written)
    }

    /// Returns those of the redirects that go with the ones that are there.
    fn fitting(
        &self,
        files: &SiteFiles,
        redirects: &[Redirect],
    ) -> Result<WrittenRedirects, Error> {
        let mut written = WrittenRedirects::default();
        let mut all = self.redirects_with(files)?.all().to_vec();
        let there = all.len();
        fit(&mut all, redirects, &mut written.refused);
        written.redirects = all.split_off(there);
        Ok(written)
    }

    /// Returns the folders that may be the project's.
    fn projects(&self, dir: &Path) -> Vec<PathBuf> {
        let settled = self.file.as_deref().and_then(Path::parent);
        let above = dir.parent().into_iter();
        let mut projects: Vec<PathBuf> = settled
            .into_iter()
            .chain(above)
            .map(Path::to_owned)
            .collect();
        projects.dedup();
        projects
    }

    /// Finds the files that the build's `_redirects` was copied from: those that equal it.
    fn sources(&self, built: &Path) -> Result<Vec<PathBuf>, Error> {
        let Ok(text) = fs::read(built) else {
            return Ok(Vec::new());
        };
        let whole = |path: &Path| path.canonicalize().map_err(|error| unreadable(path, error));
        let mut known = vec![whole(built)?];
        let mut sources = Vec::new();
        let dir = built.parent().unwrap_or(built);
        for project in self.projects(dir) {
            for folder in SOURCES {
                let path = project.join(folder).join(REDIRECTS_FILE);
                if fs::read(&path).is_ok_and(|source| source == text) {
                    let canonical = whole(&path)?;
                    if !known.contains(&canonical) {
                        known.push(canonical);
                        sources.push(path);
                    }
                }
            }
        }
        Ok(sources)
    }

    /// Returns the generator that makes a build, where one is known to.
    fn generator(&self, dir: &Path) -> Option<&'static str> {
        let whole = dir.canonicalize().ok()?;
        let is_here = |project: &Path, folder: &str| {
            let written = project.join(folder).canonicalize();
            written.is_ok_and(|written| written == whole)
        };
        self.projects(dir).iter().find_map(|project| {
            let builds = expected_builds(project).into_iter();
            let mut here = builds.filter(|build| is_here(project, &build.folder));
            here.next().map(|build| build.generator)
        })
    }

    /// Appends the redirects to the settings file as tables. `None`: there is none, or what it says of redirects is said elsewhere too,
    /// so that a table at its end would not count.
    fn add_to_settings(&mut self, redirects: &[Redirect]) -> Result<Option<PathBuf>, Error> {
        let Some(path) = self.file.clone() else {
            return Ok(None);
        };
        check_plain(&path)?;
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let tables = |ending: &str| {
            let table = |it: &Redirect| {
                let lines = [
                    String::new(),
                    "[[redirects]]".to_owned(),
                    format!("from = {}", quoted(&it.from)),
                    format!("to = {}", quoted(&it.to)),
                ];
                lines.map(|line| line + ending).concat()
            };
            redirects.iter().map(table).collect::<String>()
        };
        let before = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        let after = appended(&before, tables);
        let ours: Vec<Redirect> = self.redirects.iter().map(|it| it.rule.clone()).collect();
        let with_new = [&ours, redirects].concat();
        if tables_in(&before) != Some(ours) || tables_in(&after) != Some(with_new) {
            return Ok(None);
        }
        append(&path, tables)?;
        let line = before.lines().count() + 2;
        let added = redirects.iter().zip((line..).step_by(4));
        self.redirects
            .extend(added.map(|(redirect, line)| Numbered {
                line,
                rule: redirect.clone(),
            }));
        Ok(Some(path))
    }
}

/// Adds to redirects those that go with them.
fn fit(all: &mut Vec<Redirect>, new: &[Redirect], refused: &mut Vec<(Redirect, String)>) {
    let both = [all, new].concat();
    match (Redirects::compile(both.clone()), new) {
        (Ok(_), _) => *all = both,
        (Err(error), [one]) => refused.push((one.clone(), error.to_string())),
        // Thousands may go together, and few of them do not.
        (Err(_), _) => {
            let (some, others) = new.split_at(new.len() / 2);
            fit(all, some, refused);
            fit(all, others, refused);
        }
    }
}

/// Reads the `[[redirects]]` of a settings file, without those of its environments; `None` where it cannot be read.
fn tables_in(text: &str) -> Option<Vec<Redirect>> {
    let mut table: toml::Table = text.parse().ok()?;
    let redirects = table.remove("redirects");
    redirects.map_or_else(|| Some(Vec::new()), |redirects| redirects.try_into().ok())
}

/// Returns a text with what `more` makes, given how its lines end, behind it.
fn appended(text: &str, more: impl Fn(&str) -> String) -> String {
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let is_open = !text.is_empty() && !text.ends_with('\n');
    let end = if is_open { ending } else { "" };
    format!("{text}{end}{}", more(ending))
}

/// Appends to a file, or makes it; others see the old one or the new one, never a part.
fn append(path: &Path, more: impl Fn(&str) -> String) -> Result<(), Error> {
    let before = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.map_err(|error| unreadable(path, error))?,
    };
    let written = replace_file(path, |mut file| {
        file.write_all(appended(&before, more).as_bytes())?;
        file.sync_all()
    });
    written
        .map_err(|error| Error::failed(format!("cannot write {}", path.display())).because(error))
}

/// Fails where a path is there and no plain file: what a link leads to may be anybody's.
fn check_plain(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(Error::usage(format!(
            "{} is no plain file: nothing is written to it",
            path.display()
        ))
        .hint(format!("write the redirects as [[redirects]] in {FILE}"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A project with these files, and its settings.
    fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Settings) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("public")).unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let file = folder.path().join(FILE);
        let file = fs::read_to_string(&file).ok().map(|text| (file, text));
        let settings = Settings::resolve(file, &Default::default(), &Default::default());
        (folder, settings.unwrap())
    }

    /// The files that a redirect from /a to /b is written to, relative to the project, and what they hold then.
    fn written(files: &[(&str, &str)]) -> (Vec<(String, String)>, WrittenRedirects) {
        let (folder, mut settings) = project(files);
        let dir = folder.path().join("public");
        let redirect = Redirect::new("/a/", "/b/");
        let done = settings
            .write_redirects(&dir, std::slice::from_ref(&redirect))
            .unwrap();
        if !done.redirects.is_empty() {
            // They are in force, and a second time there is nothing to write.
            let site_files = settings.site_files(&dir).unwrap();
            let all = settings.redirects_with(&site_files).unwrap();
            assert!(all.all().contains(&redirect));
            let again = settings.write_redirects(&dir, &[redirect]).unwrap();
            assert_eq!((again.files.len(), again.refused.len()), (0, 1));
        }
        let texts = done.files.iter().map(|path| {
            let name = path.strip_prefix(folder.path()).unwrap();
            (
                name.display().to_string(),
                fs::read_to_string(path).unwrap(),
            )
        });
        (texts.collect(), done.clone())
    }

    #[test]
    fn a_plain_site_has_them_in_its_own_file() {
        for (before, after) in [
            ("", "/a/ /b/ 301\n"),
            ("/x /y\n", "/x /y\n/a/ /b/ 301\n"),
            ("/x /y", "/x /y\n/a/ /b/ 301\n"),
            ("/x /y\r\n", "/x /y\r\n/a/ /b/ 301\r\n"),
            ("# no\r\n/x /y", "# no\r\n/x /y\r\n/a/ /b/ 301\r\n"),
        ] {
            let (texts, done) = written(&[("public/_redirects", before)]);
            assert_eq!(texts, [("public/_redirects".to_owned(), after.to_owned())]);
            assert_eq!(done.lost_with, None);
        }
        let (texts, _) = written(&[]);
        assert_eq!(texts[0].1, "/a/ /b/ 301\n");
    }

    #[test]
    fn the_file_that_the_build_copied_has_them_too() {
        let hugo = ("hugo.toml", "baseURL = 'x'\n");
        let (texts, done) = written(&[
            hugo,
            ("public/_redirects", "/x /y\n"),
            ("static/_redirects", "/x /y\n"),
            ("content/_redirects", "/other /y\n"),
        ]);
        let names: Vec<&str> = texts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["public/_redirects", "static/_redirects"]);
        assert!(texts.iter().all(|(_, text)| text == "/x /y\n/a/ /b/ 301\n"));
        assert_eq!(done.lost_with, None);
    }

    #[test]
    fn what_a_generator_would_lose_goes_to_deploy_toml() {
        let hugo = ("hugo.toml", "baseURL = 'x'\n");
        let own = "dir = \"public\"\n\n[[redirects]]\nfrom = \"/x\"\nto = \"/y\"\n";
        let tables = "\n[[redirects]]\nfrom = \"/a/\"\nto = \"/b/\"\n";
        let (texts, done) = written(&[hugo, (FILE, own), ("public/_redirects", "/z /y\n")]);
        assert_eq!(texts, [(FILE.to_owned(), format!("{own}{tables}"))]);
        assert_eq!(done.lost_with, None);
        // Without one, and where a list leaves no room for tables.
        for file in [None, Some("redirects = [{ from = \"/x\", to = \"/y\" }]\n")] {
            let mut files = vec![hugo];
            files.extend(file.map(|text| (FILE, text)));
            let (texts, done) = written(&files);
            assert_eq!(texts[0].0, "public/_redirects");
            assert_eq!(done.lost_with, Some("Hugo"));
        }
    }

    #[test]
    fn what_does_not_go_with_the_others_is_not_written() {
        for there in ["/a/ /c\n", "/:x/ /c\n", "/b/ /a/\n"] {
            let (texts, done) = written(&[("public/_redirects", there)]);
            assert_eq!((texts.len(), done.refused.len()), (0, 1), "{there}");
        }
    }

    #[test]
    fn thousands_are_written_but_for_the_one_that_does_not_go_with_them() {
        let (folder, mut settings) = project(&[("public/_redirects", "/7 /x\n")]);
        let redirects: Vec<Redirect> = (0..2_000)
            .map(|number| Redirect::new(format!("/{number}"), format!("/to/{number}")))
            .collect();
        let dir = folder.path().join("public");
        let done = settings.write_redirects(&dir, &redirects).unwrap();
        assert_eq!((done.redirects.len(), done.refused.len()), (1_999, 1));
        assert_eq!(done.refused[0].0, redirects[7]);
    }

    #[test]
    fn a_file_that_is_left_out_is_not_written() {
        let (folder, mut settings) = project(&[(FILE, "exclude = \"_redirects\"\n")]);
        let dir = folder.path().join("public");
        let error = settings.write_redirects(&dir, &[Redirect::new("/a", "/b")]);
        assert!(error.unwrap_err().message.contains("`exclude`"));
        assert!(!dir.join(REDIRECTS_FILE).exists());
    }

    #[test]
    fn a_link_is_not_written_through() {
        let (folder, mut settings) = project(&[("mine", "/x /y\n")]);
        let dir = folder.path().join("public");
        let (mine, link) = (folder.path().join("mine"), dir.join(REDIRECTS_FILE));
        std::os::unix::fs::symlink(&mine, &link).unwrap();
        let error = settings.write_redirects(&dir, &[Redirect::new("/a", "/b")]);
        assert!(error.unwrap_err().message.contains("no plain file"));
        assert_eq!(fs::read_to_string(mine).unwrap(), "/x /y\n");
    }
}
