//! Which files of the build are left out, by patterns as in a .gitignore file.

use std::path::Path;

use super::error::ScanError;
use crate::rules::globs::Globs;

/// What is left out unless `include` names it: what file managers, editors and git leave behind, secrets, and what belongs to
/// the deploy itself. Other dot files, such as `.well-known/`, `.nojekyll` and `.htaccess`, are deployed.
pub(super) const DEFAULT_EXCLUDES: [&str; 19] = [
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

/// The rules. The nearest rule decides: one that matches the path itself, else its folder, and so on; at the same level
/// `include` wins over `exclude`, a later `exclude` over an earlier one, and these over the defaults. So a folder that is
/// included comes without its `.env`, while `folder/**` brings that too. As in git, `!` in `exclude` brings nothing back
/// from a folder that is left out; `include` does.
pub(super) struct PathFilter {
    exclude: Globs,
    /// What of it was asked for, and needs no word.
    asked: Globs,
    include: Globs,
    /// For each pattern of `include`, the folders that it names before its first wildcard.
    reach: Vec<Vec<String>>,
}

impl PathFilter {
    pub(super) fn new(exclude: &[String], include: &[String]) -> Result<Self, ScanError> {
        let asked = exclude.iter().map(String::as_str);
        Ok(Self {
            exclude: Globs::compile(DEFAULT_EXCLUDES.into_iter().chain(asked.clone()))?,
            asked: Globs::compile(asked)?,
            include: Globs::compile(include.iter().map(String::as_str))?,
            reach: include.iter().filter_map(|line| reach(line)).collect(),
        })
    }

    /// Tells whether an entry is left out, given whether its folder is.
    pub(super) fn leaves_out(&self, path: &Path, is_dir: bool, folder: bool) -> bool {
        let matched = |globs: &Globs| globs.as_gitignore().matched(path, is_dir).is_ignore();
        !matched(&self.include) && (folder || matched(&self.exclude))
    }

    /// Tells whether an entry that is left out is so because `exclude` names it.
    pub(super) fn is_asked(&self, path: &Path, is_dir: bool) -> bool {
        let asked = self.asked.as_gitignore();
        asked.matched(path, is_dir).is_ignore()
    }

    /// Tells whether `include` might bring back something from inside a folder.
    pub(super) fn may_include_below(&self, folder: &Path) -> bool {
        self.reach.iter().any(|named| {
            let mut parts = folder.iter();
            named
                .iter()
                .all(|name| parts.next().is_none_or(|part| part == name.as_str()))
        })
    }
}

/// Returns the folders that a pattern names before its first wildcard: empty where it matches at any depth, `None` where it
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
        let mut left_out = false;
        let ends = key.match_indices('/').map(|(end, _)| (end, true));
        for (end, is_dir) in ends.chain([(key.len(), false)]) {
            let path = Path::new(&key[..end]);
            left_out = filter.leaves_out(path, is_dir, left_out);
            if is_dir && left_out && !filter.may_include_below(path) {
                return false;
            }
        }
        !left_out
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
    fn only_what_exclude_names_is_asked_for() {
        for (exclude, path, asked) in [
            (&[][..], ".env", false),
            (&[".env"][..], ".env", true),
            (&[".env*"], "a/.env.local", true),
            (&["*.map"], ".env", false),
            (&["*"], ".env", true),
        ] {
            let filter = filter(exclude, &[]);
            let path = Path::new(path);
            assert!(filter.leaves_out(path, false, false));
            assert_eq!(filter.is_asked(path, false), asked, "{exclude:?} {path:?}");
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
