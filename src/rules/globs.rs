//! Globs over keys and paths, as gitignore means them (git's documentation, "gitignore", PATTERN FORMAT).

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::{Deserialize, Deserializer};

/// Compiled globs, later ones with the last word.
#[derive(Clone, Debug)]
pub struct Globs(Gitignore);

/// A glob that is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadGlob {
    pub glob: String,
    pub why: String,
}

impl Globs {
    pub fn compile<'a>(globs: impl IntoIterator<Item = &'a str>) -> Result<Self, BadGlob> {
        let bad = |glob: &str, error: &ignore::Error| BadGlob {
            glob: glob.to_owned(),
            why: why(error),
        };
        let mut builder = GitignoreBuilder::new("");
        builder.allow_unclosed_class(false);
        for glob in globs {
            let added = builder.add_line(None, glob);
            added.map_err(|error| bad(glob, &error))?;
        }
        Ok(Self(builder.build().map_err(|error| bad("", &error))?))
    }

    /// Tells whether they name this key, or a folder that it lies in.
    pub fn matches(&self, key: &str) -> bool {
        let path = key.trim_start_matches('/');
        let named = || self.0.matched_path_or_any_parents(path, false);
        !path.is_empty() && named().is_ignore()
    }

    /// Returns them for what walks folders itself.
    pub fn as_gitignore(&self) -> &Gitignore {
        &self.0
    }
}

fn why(error: &ignore::Error) -> String {
    match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        ignore::Error::WithLineNumber { err, .. }
        | ignore::Error::WithPath { err, .. }
        | ignore::Error::WithDepth { err, .. } => why(err),
        other => other.to_string(),
    }
}

/// Reads one glob or a list of them.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a glob or a list of globs, such as \"*.html\"")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(input)? {
        OneOrMany::One(glob) => vec![glob],
        OneOrMany::Many(globs) => globs,
    })
}
