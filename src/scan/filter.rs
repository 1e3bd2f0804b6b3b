//! Which files of the build are left out, by patterns as in a .gitignore file.

use std::path::Path;

use ignore::Match;
use ignore::gitignore::Glob;

use super::error::ScanError;
use crate::domain::globs::{BadGlob, Globs};

/// What is left out unless `include` names it: what file managers, editors and git leave behind, secrets, and what belongs to
/// the deploy itself. Other dot files, such as `.well-known/`, `.nojekyll` and `.htaccess`, are deployed.
pub const DEFAULT_EXCLUDES: [&str; 19] = [
    ".DS_Store",
    "._*",
    "Thumbs.db",
    "desktop.ini",
    ".git",
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".hg/",
    ".svn/",
    ".env*",
    "*~",
    "!*~/", // a folder of the site rather than an editor's copy
    "*.swp",
    "*.swo",
    ".#*",
    r"\#*#",
    ".unstale-local/",
    "/deploy.toml",
];

/// What one pattern left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// As it was written.
    pub pattern: String,
    /// One of [`DEFAULT_EXCLUDES`].
    pub by_default: bool,
    /// Files, and folders that were not even looked into.
    pub entries: u64,
}

/// The rules. The nearest rule decides: one that matches the path itself, else its folder, and so on; at the same level
/// `include` wins over `exclude`, a later `exclude` over an earlier one, and these over the defaults. So a folder that is
/// included comes without its `.env`, while `folder/**` brings that too. As in git, `!` in `exclude` brings nothing back
/// from a folder that is left out; `include` does.
pub(super) struct PathFilter {
    exclude: Globs,
    include: Globs,
    /// For each pattern of `include`, the folders that it names before its first wildcard.
    reach: Vec<Vec<String>>,
    counts: Vec<LeftOut>,
}

/// Left out by `counts[.0]` of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExcludeRule(usize);

impl PathFilter {
    pub(super) fn new(exclude: &[String], include: &[String]) -> Result<Self, ScanError> {
        let mut counts: Vec<LeftOut> = Vec::new();
        for (by_default, pattern) in (DEFAULT_EXCLUDES.iter().map(|pattern| (true, *pattern)))
            .chain(exclude.iter().map(|pattern| (false, pattern.as_str())))
        {
            counts.push(LeftOut {
                pattern: pattern.to_owned(),
                by_default,
                entries: 0,
            });
        }
        let patterns = counts.iter().map(|rule| rule.pattern.as_str());
        Ok(Self {
            exclude: matcher(patterns)?,
            include: matcher(include.iter().map(String::as_str))?,
            reach: include.iter().filter_map(|line| reach(line)).collect(),
            counts,
        })
    }

    /// Whether an entry is left out, given what became of its folder.
    pub(super) fn judge(
        &self,
        path: &Path,
        is_dir: bool,
        folder: Option<ExcludeRule>,
    ) -> Option<ExcludeRule> {
        if self
            .include
            .as_gitignore()
            .matched(path, is_dir)
            .is_ignore()
        {
            return None;
        }
        match self.exclude.as_gitignore().matched(path, is_dir) {
            Match::Ignore(glob) => Some(self.rule_of(glob)),
            Match::None | Match::Whitelist(_) => folder,
        }
    }

    /// Whether `include` might bring back something from inside a folder.
    pub(super) fn may_include_below(&self, folder: &Path) -> bool {
        self.reach.iter().any(|named| {
            let mut parts = folder.iter();
            named
                .iter()
                .all(|name| parts.next().is_none_or(|part| part == name.as_str()))
        })
    }

    pub(super) fn count(&mut self, rule: ExcludeRule) {
        if let Some(counted) = self.counts.get_mut(rule.0) {
            counted.entries += 1;
        }
    }

    /// The patterns that left something out.
    pub(super) fn left_out(self) -> Vec<LeftOut> {
        let used = |rule: &LeftOut| rule.entries > 0;
        self.counts.into_iter().filter(used).collect()
    }

    fn rule_of(&self, glob: &Glob) -> ExcludeRule {
        let at = (self.counts.iter()).rposition(|rule| rule.pattern.trim_end() == glob.original());
        ExcludeRule(at.unwrap_or(usize::MAX))
    }
}

fn matcher<'a>(patterns: impl Iterator<Item = &'a str>) -> Result<Globs, ScanError> {
    Globs::compile(patterns)
        .map_err(|BadGlob { glob, why }| ScanError::Pattern { pattern: glob, why })
}

/// The folders that a pattern names before its first wildcard: empty where it matches at any depth, `None` where it
/// brings nothing back.
fn reach(line: &str) -> Option<Vec<String>> {
    let pattern = line.trim_end();
    if pattern.is_empty() || pattern.starts_with(['#', '!']) {
        return None;
    }
    let pattern = pattern.trim_end_matches('/');
    if !pattern.contains('/') {
        return Some(Vec::new());
    }
    let literal = |part: &&str| !part.contains(['*', '?', '[', '\\', '{']);
    let parts = pattern.trim_start_matches('/').split('/');
    Some(parts.take_while(literal).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(exclude: &[&str], include: &[&str]) -> PathFilter {
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let (exclude, include): (Vec<String>, Vec<String>) = (owned(exclude), owned(include));
        PathFilter::new(&exclude, &include).expect("patterns")
    }

    /// As the walk does it: a folder's verdict is handed down to what it holds.
    fn keeps(filter: &PathFilter, key: &str) -> bool {
        let mut verdict = None;
        let ends = key.match_indices('/').map(|(at, _)| (at, true));
        for (end, is_dir) in ends.chain([(key.len(), false)]) {
            let path = Path::new(&key[..end]);
            verdict = filter.judge(path, is_dir, verdict);
            if is_dir && verdict.is_some() && !filter.may_include_below(path) {
                return false;
            }
        }
        verdict.is_none()
    }

    #[test]
    fn defaults_leave_out_droppings_and_secrets_alone() {
        let filter = filter(&[], &[]);
        for key in [
            ".DS_Store",
            "a/.DS_Store",
            "a/._b.png",
            "Thumbs.db",
            "desktop.ini",
            ".git/config",
            "sub/.git",
            ".gitignore",
            ".env",
            ".env.local",
            "a/.env.production",
            "index.html~",
            "a/.index.html.swp",
            ".#index.html",
            "#index.html#",
            ".unstale-local/b/1",
            "deploy.toml",
            ".svn/entries",
        ] {
            assert!(!keeps(&filter, key), "{key}");
        }
        for key in [
            ".well-known/security.txt",
            ".nojekyll",
            ".htaccess",
            "docs/deploy.toml",
            "env",
            "a.env",
            "#a",
            "a#",
            "vendors~main.js",
            "index.html",
            ".gitlab/x",
            "with\nnewline.html",
            "!a",
            " a ",
        ] {
            assert!(keeps(&filter, key), "{key}");
        }
    }

    #[test]
    fn patterns_mean_what_they_mean_in_a_gitignore() {
        for (exclude, include, key, kept) in [
            (&["*.map"][..], &[][..], "a/b.js.map", false),
            (&["/a.html"], &[], "a.html", false),
            (&["/a.html"], &[], "b/a.html", true),
            (&["drafts/"], &[], "x/drafts/a.html", false),
            (&["drafts/"], &[], "drafts", true),
            (&["a/**/z"], &[], "a/b/c/z", false),
            (&["*.html", "!index.html"], &[], "a/index.html", true),
            (&["!index.html", "*.html"], &[], "index.html", false),
            (&["drafts/", "!a.html"], &[], "drafts/a.html", false),
            (&["!.env.example"], &[], ".env.example", true),
            (&["*.{js,css}"], &[], "a.css", false),
            (&["# a comment", ""], &[], "a", true),
            (&["*\n*"], &[], "a\nb", false),
            (&["drafts/"], &["drafts/a.html"], "drafts/a.html", true),
            (&["drafts/"], &["drafts/a.html"], "drafts/b.html", false),
            (&["drafts/"], &["a.html"], "x/drafts/y/a.html", true),
            (&["a/b/"], &["/a/*/c"], "a/b/c", true),
            (&["*"], &["*.html"], "x/a.html", true),
            (&["*"], &["*.html"], "x/a.js", false),
            (&[], &[".env"], ".env", true),
            (&[], &[".git/"], ".git/config", true),
            (&["drafts/"], &["drafts/"], "drafts/.env", false),
            (&["drafts/"], &["drafts/**"], "drafts/.env", true),
            (&["drafts/"], &["drafts/", "!drafts/a"], "drafts/a", true),
            (&["*.js"], &["*.js", "!b.js"], "b.js", false),
        ] {
            let filter = filter(exclude, include);
            assert_eq!(keeps(&filter, key), kept, "{exclude:?} {include:?} {key}");
        }
    }

    #[test]
    fn folders_are_looked_into_only_where_something_may_come_back() {
        for (include, folder, looked) in [
            (&[][..], ".git", false),
            (&["a.html"][..], ".git", true),
            (&["/drafts/*.html"], ".git", false),
            (&["drafts/x/*.html"], "drafts", true),
            (&["drafts/x/*.html"], "drafts/y", false),
            (&["drafts/x/"], "drafts/x/deep", true),
            (&["**/a.html"], "any", true),
            (&["!a.html"], "any", false),
        ] {
            let filter = filter(&[], include);
            let path = Path::new(folder);
            assert_eq!(
                filter.may_include_below(path),
                looked,
                "{include:?} {folder}"
            );
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_named() {
        for pattern in ["a[", "{a", "[z-a]"] {
            let error = PathFilter::new(&[pattern.to_owned()], &[])
                .map(|_| ())
                .unwrap_err();
            assert!(
                error.to_string().contains(&format!("{pattern:?}")),
                "{error}"
            );
        }
    }
}
