//! What is wrong with the links of a site.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::object::Key;

/// What was found in all pages of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkReport {
    /// What leads nowhere first; each sort by page.
    pub problems: Vec<LinkProblem>,
    /// How many pages were read.
    pub pages: u64,
    /// Titles that one page alone has, with that page.
    pub titles: BTreeMap<Box<str>, Key>,
    /// The keys or folders (`about/`) below the site's prefix that links lead to and where nothing is, with the pages that link there.
    pub dead: BTreeMap<String, BTreeSet<Key>>,
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
