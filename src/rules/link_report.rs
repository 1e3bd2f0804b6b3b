//! What is wrong with the links of a site.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::object::Key;

// What stood at a variant, `--help` would show at length.
/// What is made of links that lead nowhere. `Warn`: they are told; `Deny`: nothing is deployed with them; `Off`: pages are not read
/// for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LinkPolicy {
    #[default]
    Warn,
    Deny,
    Off,
}

/// What was found in all pages of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkReport {
    /// What leads nowhere first; each sort by page.
    pub problems: Vec<LinkProblem>,
    /// How many pages were read, style sheets aside.
    pub pages: u64,
    /// How many links and other references of theirs were followed.
    pub links: u64,
    /// Titles that one page alone has, with that page.
    pub titles: BTreeMap<Box<str>, Key>,
    /// The keys or folders (`about/`) below the site's prefix that links lead to and where nothing is, with the pages that link there.
    pub dead: BTreeMap<String, BTreeSet<Key>>,
}

impl LinkReport {
    /// Returns what `links = "deny"` refuses a deploy for.
    pub fn refused(&self) -> impl Iterator<Item = &LinkProblem> {
        self.problems.iter().filter(|problem| problem.refused)
    }
}

/// One link that does not do what it seems to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LinkProblem {
    pub sort: ProblemSort,
    pub page: Key,
    /// As the page writes it.
    pub to: String,
    /// What it may have meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// Whether `links = "deny"` refuses a deploy for it: all but what another site has to mend.
    pub refused: bool,
}

/// Why a link is told of; the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemSort {
    /// No page, file or redirect is there.
    Dead,
    /// What the page loads was not built.
    Missing,
    /// Only a file system that folds case finds it.
    Case,
    /// The page is there, the place in it is not.
    Anchor,
    /// It leads past CloudFront, to the bucket's own address.
    Bucket,
    /// It is asked for without encryption.
    Insecure,
}
