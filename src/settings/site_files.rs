//! The `_headers` and `_redirects` files of a build, which are read and not uploaded, and how they join deploy.toml's rules.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::Settings;
use super::list::{List, Numbered};
use super::mistake::unreadable;
use super::values::GlobPattern;
use crate::error::Error;
use crate::rules::globs::Globs;
use crate::rules::header_rule::HeaderRule;
use crate::rules::header_rules::HeaderRules;
use crate::rules::redirect::Redirect;
use crate::rules::redirects::Redirects;
use crate::rules::unserved::{UnkeptHeader, UnservedReason, UnservedRedirect};
use crate::rules::{headers_file, redirects, redirects_file};

/// Their names, at the root of a build.
pub(crate) const HEADERS_FILE: &str = "_headers";
pub(crate) const REDIRECTS_FILE: &str = "_redirects";

/// What the two files of a build say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SiteFiles {
    dir: PathBuf,
    pub headers: Vec<Numbered<HeaderRule>>,
    pub redirects: Vec<Numbered<Redirect>>,
    unkept: Vec<Numbered<UnkeptHeader>>,
    unserved: Vec<Numbered<UnservedRedirect>>,
}

/// What is asked for in a line of a file, and nobody serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnservedLine<T> {
    pub file: String,
    pub line: usize,
    pub asked: T,
}

/// All that deploy.toml and the two files ask for and no object serves. Headers are in the order that counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UnservedRules {
    pub headers: Vec<UnservedLine<UnkeptHeader>>,
    pub redirects: Vec<UnservedLine<UnservedRedirect>>,
}

impl Settings {
    /// Tells whether a file at the root of a build is left out.
    pub(super) fn leaves_out(&self, name: &str) -> Result<bool, Error> {
        Ok(names(&self.exclude, name)? && !names(&self.include, name)?)
    }

    /// Reads those files of a build that are there and not left out.
    ///
    /// # Errors
    /// `Exit::Usage`, naming file and line of all that cannot be followed.
    pub(crate) fn site_files(&self, dir: &Path) -> Result<SiteFiles, Error> {
        let read = |name: &str| -> Result<String, Error> {
            if self.leaves_out(name)? {
                return Ok(String::new());
            }
            text(&dir.join(name))
        };
        let place = |name: &str| dir.join(name).display().to_string();
        let headers = parsed(
            &place(HEADERS_FILE),
            headers_file::parse(&read(HEADERS_FILE)?),
        )?;
        let redirects = redirects_file::parse(&read(REDIRECTS_FILE)?);
        let redirects = parsed(&place(REDIRECTS_FILE), redirects)?;
        Ok(SiteFiles {
            dir: dir.to_owned(),
            headers: numbered(headers.rules),
            redirects: numbered(redirects.redirects),
            unkept: numbered(headers.unkept),
            unserved: numbered(redirects.unserved),
        })
    }
}

impl SiteFiles {
    fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn place(&self, name: &str, line: usize) -> String {
        format!("{}:{line}", self.path(name))
    }
}

fn numbered<T>(rules: Vec<(usize, T)>) -> Vec<Numbered<T>> {
    let numbered = |(line, rule)| Numbered { line, rule };
    rules.into_iter().map(numbered).collect()
}

/// Tells whether globs name a file at the root of a build.
fn names(globs: &List<GlobPattern>, name: &str) -> Result<bool, Error> {
    let texts = globs.0.iter().map(|glob| glob.0.as_str());
    let globs = Globs::compile(texts);
    let globs = globs.map_err(|bad| Error::usage(format!("`{}`: {}", bad.glob, bad.why)))?;
    Ok(globs.matches(name))
}

/// Reads a file; one that is not there says nothing.
fn text(path: &Path) -> Result<String, Error> {
    let failed = |error: io::Error| {
        let hint = match error.kind() {
            ErrorKind::NotFound => "it is a link to nothing: remove it, or what it says is lost",
            ErrorKind::InvalidData => "write it in UTF-8",
            ErrorKind::InvalidInput => "it has to be a file",
            _ => "whoever runs this needs to read the build, its folders too",
        };
        unreadable(path, error).hint(hint)
    };
    let metadata = match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {
            return Ok(String::new());
        }
        metadata => metadata.map_err(failed)?,
    };
    if metadata.is_dir() || metadata.is_file() {
        return std::fs::read_to_string(path).map_err(failed);
    }
    Err(failed(io::Error::new(
        ErrorKind::InvalidInput,
        "not a file",
    )))
}

fn parsed<T>(path: &str, parsed: Result<T, Vec<headers_file::LineError>>) -> Result<T, Error> {
    parsed.map_err(|errors| {
        let mut all = errors
            .iter()
            .map(|error| format!("{path}:{}: {}", error.line, error.problem));
        let first = all.next().unwrap_or_default();
        let mut error = Error::usage(first);
        error.causes = all.collect();
        error
    })
}

impl Settings {
    /// Every rule about headers with where it stands, `deploy.toml:12` or the key that it comes from, in the order that counts: what
    /// holds for all first, then `_headers`, `[[headers]]` last.
    fn placed_rules(&self, files: &SiteFiles) -> Vec<(String, HeaderRule)> {
        let general = self.general_rules().into_iter();
        let general = general.map(|(key, rule)| (format!("`{key}`"), rule));
        let read = files.headers.iter();
        let read = read.map(|read| (files.place(HEADERS_FILE, read.line), read.rule.clone()));
        let own = self.headers.iter();
        let own = own.map(|own| (self.place(own.line), own.rule.clone()));
        general.chain(read).chain(own).collect()
    }

    /// Every rule about headers.
    ///
    /// # Errors
    /// `Exit::Usage`, naming the file and line of the rule that cannot be followed.
    pub(crate) fn header_rules_with(&self, files: &SiteFiles) -> Result<HeaderRules, Error> {
        let (places, rules): (Vec<_>, _) = self.placed_rules(files).into_iter().unzip();
        HeaderRules::compile(rules)
            .map_err(|error| at(&places[error.rule], error.field, &error.problem))
    }

    /// Where the rules of [`Settings::header_rules_with`] stand, by their index.
    pub(crate) fn rule_places(&self, files: &SiteFiles) -> Vec<String> {
        let placed = self.placed_rules(files).into_iter();
        placed.map(|(place, _)| place).collect()
    }

    /// The redirects with where they stand: `[[redirects]]` that can be answered, then those of `_redirects`.
    fn placed_redirects(&self, files: &SiteFiles) -> Vec<(String, Redirect)> {
        let own = self.redirects.iter();
        let own = own.filter(|own| UnservedReason::of(&own.rule).is_none());
        let own = own.map(|own| (self.place(own.line), own.rule.clone()));
        let read = files.redirects.iter();
        let read = read.map(|read| (files.place(REDIRECTS_FILE, read.line), read.rule.clone()));
        own.chain(read).collect()
    }

    /// The redirects, of which the first that matches answers.
    ///
    /// # Errors
    /// `Exit::Usage`, naming the file and line of the one that cannot be followed.
    pub(crate) fn redirects_with(&self, files: &SiteFiles) -> Result<Redirects, Error> {
        for unserved in &self.unserved_with(files).redirects {
            redirects::check_unserved(&unserved.asked).map_err(|(field, problem)| {
                let place = format!("{}:{}", unserved.file, unserved.line);
                at(&place, field, &problem)
            })?;
        }
        let (places, redirects): (Vec<_>, _) = self.placed_redirects(files).into_iter().unzip();
        Redirects::compile(redirects)
            .map_err(|error| at(&places[error.rule], error.field, &error.problem))
    }

    /// Where the redirects of [`Settings::redirects_with`] stand, by their index.
    pub(crate) fn redirect_places(&self, files: &SiteFiles) -> Vec<String> {
        let placed = self.placed_redirects(files).into_iter();
        placed.map(|(place, _)| place).collect()
    }

    /// What deploy.toml and the build's files ask for and nobody serves.
    pub(crate) fn unserved_with(&self, files: &SiteFiles) -> UnservedRules {
        let own_headers = self.headers.iter().flat_map(|numbered| {
            let unkept = numbered.rule.unkept();
            unkept.map(|asked| UnservedLine {
                file: self.file_name(),
                line: numbered.line,
                asked,
            })
        });
        let own_redirects = self.redirects.iter().filter_map(|numbered| {
            Some(UnservedLine {
                file: self.file_name(),
                line: numbered.line,
                asked: UnservedRedirect {
                    reason: UnservedReason::of(&numbered.rule)?,
                    redirect: numbered.rule.clone(),
                },
            })
        });
        UnservedRules {
            headers: (files.lines(HEADERS_FILE, &files.unkept))
                .chain(own_headers)
                .collect(),
            redirects: own_redirects
                .chain(files.lines(REDIRECTS_FILE, &files.unserved))
                .collect(),
        }
    }
}

impl SiteFiles {
    fn lines<T: Clone>(
        &self,
        name: &str,
        asked: &[Numbered<T>],
    ) -> impl Iterator<Item = UnservedLine<T>> {
        let file = self.path(name);
        asked.iter().map(move |numbered| UnservedLine {
            file: file.clone(),
            line: numbered.line,
            asked: numbered.rule.clone(),
        })
    }
}

fn at(place: &str, field: &str, problem: &dyn Display) -> Error {
    Error::usage(format!("{place}: {field}: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::super::values::FieldValue;
    use super::*;

    fn build(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    fn redirect(from: &str, to: &str) -> Redirect {
        Redirect::new(from, to)
    }

    #[test]
    fn a_build_without_them_says_nothing() {
        let dir = build(&[]);
        let files = Settings::default().site_files(dir.path()).unwrap();
        assert!(files.headers.is_empty() && files.redirects.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_an_error_and_not_waited_for() {
        let dir = build(&[]);
        let path = dir.path().join(HEADERS_FILE);
        for (target, said) in [("nowhere", "a link to nothing"), ("/dev/null", "a file")] {
            std::os::unix::fs::symlink(target, &path).unwrap();
            let error = Settings::default().site_files(dir.path()).unwrap_err();
            assert!(error.hint.as_ref().unwrap().contains(said), "{error:?}");
            std::fs::remove_file(&path).unwrap();
        }
        std::fs::write(&path, [0xFF]).unwrap();
        let error = Settings::default().site_files(dir.path()).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("write it in UTF-8"));
    }

    #[test]
    fn what_is_left_out_is_not_read() {
        let dir = build(&[
            (HEADERS_FILE, "/*\n  Cache-Control: max-age=1\n"),
            (REDIRECTS_FILE, "/a /b\n"),
        ]);
        let globs = |texts: &[&str]| {
            let globs = texts.iter().map(|text| GlobPattern((*text).to_owned()));
            List(globs.collect())
        };
        for (exclude, include, headers, redirects) in [
            (&[][..], &[][..], 1, 1),
            (&["_headers"], &[], 0, 1),
            (&["/_redirects"], &[], 1, 0),
            (&["_*"], &[], 0, 0),
            (&["_*", "!_headers"], &[], 1, 0),
            (&["_*"], &["/_redirects"], 0, 1),
            (&["/sub/_headers"], &[], 1, 1),
        ] {
            let settings = Settings {
                exclude: globs(exclude),
                include: globs(include),
                ..Settings::default()
            };
            let files = settings.site_files(dir.path()).unwrap();
            let read = (files.headers.len(), files.redirects.len());
            assert_eq!(read, (headers, redirects), "{exclude:?} {include:?}");
        }
    }

    #[test]
    fn what_deploy_toml_says_of_headers_comes_last_and_of_redirects_first() {
        let dir = build(&[
            (HEADERS_FILE, "# c\n/*\n  Cache-Control: max-age=1\n"),
            (REDIRECTS_FILE, "\n/a /b\n"),
        ]);
        let files = Settings::default().site_files(dir.path()).unwrap();
        let own = HeaderRule {
            patterns: vec!["*.html".into()],
            ..HeaderRule::default()
        };
        let settings = Settings {
            cache_control: Some(FieldValue("no-cache".into())),
            headers: vec![Numbered { line: 7, rule: own }],
            redirects: vec![Numbered {
                line: 9,
                rule: redirect("/x", "/y"),
            }],
            ..Settings::default()
        };
        let names = settings.rule_places(&files);
        assert_eq!(names[0], "`cache-control`");
        assert!(names[1].ends_with("_headers:2"), "{}", names[1]);
        assert_eq!(names[2], "deploy.toml:7");
        let redirects = settings.redirects_with(&files).unwrap();
        let from: Vec<_> = redirects.all().iter().map(|one| &one.from).collect();
        assert_eq!(from, ["/x", "/a"]);
        let places = settings.redirect_places(&files);
        assert_eq!(places[0], "deploy.toml:9");
        assert!(places[1].ends_with("_redirects:2"));
    }

    #[test]
    fn what_is_wrong_is_told_with_file_and_line() {
        let told = |name: &str, text: &str| {
            let dir = build(&[(name, text)]);
            let settings = Settings::default();
            let files = settings.site_files(dir.path());
            let result = files.and_then(|files| {
                settings.header_rules_with(&files)?;
                settings.redirects_with(&files)
            });
            let error = result.map(|_| ()).unwrap_err();
            assert_eq!(error.exit, crate::error::Exit::Usage);
            error.message
        };
        for (name, text, place) in [
            (
                REDIRECTS_FILE,
                "/a /b\n/c /d 999\n",
                "_redirects:2: status: ",
            ),
            (REDIRECTS_FILE, "/a /b\n/c d 200\n", "_redirects:2: to: "),
            (REDIRECTS_FILE, "/a /b\n/b /a\n", "_redirects:1: to: "),
            (HEADERS_FILE, "  X: y\n", "_headers:1: "),
        ] {
            let message = told(name, text);
            assert!(message.contains(place), "{message}");
        }
    }
}
