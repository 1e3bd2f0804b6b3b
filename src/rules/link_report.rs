//! What is wrong with the links of a site.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::object::Key;
use crate::object::plural::{count, counted};

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

/// Links that a warning names; all are told where all are asked for.
pub const TOLD_LINKS: usize = 10;

/// What was found in all pages of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkReport {
    /// What leads nowhere first; each sort by the first page that has it.
    pub problems: Vec<LinkProblem>,
    /// How many pages were read, style sheets aside.
    pub pages: u64,
    /// How many links and other references of theirs were followed.
    pub links: u64,
    /// Titles that one page alone has, with that page.
    pub titles: HashMap<Box<str>, Key>,
    /// The keys or folders (`about/`) below the site's prefix that links lead to and where nothing is, with the pages that link there.
    pub dead: HashMap<String, Vec<Key>>,
}

impl LinkReport {
    /// Returns how many links of pages do not do what they seem to.
    pub fn faulty(&self) -> u64 {
        self.problems.iter().map(LinkProblem::links).sum()
    }

    /// Returns how many of them `links = "deny"` refuses a deploy for.
    pub fn refused(&self) -> u64 {
        let refused = self.problems.iter().filter(|problem| problem.refused);
        refused.map(LinkProblem::links).sum()
    }

    /// Writes `12 links: 9 lead nowhere, 3 are not encrypted`, or `9 links lead nowhere`; `None` where there is nothing to tell.
    pub fn summary(&self) -> Option<String> {
        let all = counted(self.faulty(), "link");
        match self.numbers().as_slice() {
            [] => None,
            [(sort, number)] => Some(format!("{all} {}", sort.faults(*number))),
            _ => Some(format!("{all}: {}", self.counts()?)),
        }
    }

    /// Writes `9 lead nowhere, 1 is not encrypted`; `None` where there is nothing to tell.
    pub fn counts(&self) -> Option<String> {
        let numbers = self.numbers().into_iter();
        let parts =
            numbers.map(|(sort, number)| format!("{} {}", count(number), sort.faults(number)));
        let parts: Vec<String> = parts.collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// Returns how many links have a problem of each sort; what leads nowhere is one.
    fn numbers(&self) -> Vec<(ProblemSort, u64)> {
        let mut numbers = BTreeMap::new();
        for problem in &self.problems {
            let sort = match problem.sort {
                ProblemSort::Missing | ProblemSort::Case => ProblemSort::Dead,
                sort => sort,
            };
            *numbers.entry(sort).or_default() += problem.links();
        }
        numbers.into_iter().collect()
    }

    /// Warns of links, the first few by their pages; `None` where there is nothing to tell.
    pub fn warning(&self) -> Option<String> {
        let first = self.problems.iter().take(TOLD_LINKS);
        let mut told = vec![format!("{}; `unstale links` lists all", self.summary()?)];
        told.extend(first.map(LinkProblem::to_string));
        told.extend(self.more(TOLD_LINKS));
        Some(told.join("\n"))
    }

    /// Says what there is beside the first problems, of which this many are told: `and 40 more addresses (61 links)`.
    pub fn more(&self, told: usize) -> Option<String> {
        let left = self.problems.get(told..).filter(|left| !left.is_empty())?;
        let links = left.iter().map(LinkProblem::links).sum();
        let addresses = match left.len() {
            1 => "1 more address".to_owned(),
            number => format!("{} more addresses", count(number as u64)),
        };
        Some(format!("and {addresses} ({})", counted(links, "link")))
    }
}

/// A link that does not do what it seems to, in all pages that have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LinkProblem {
    pub sort: ProblemSort,
    /// As the pages write it.
    pub to: String,
    /// What it may have meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// Whether `links = "deny"` refuses a deploy for it: all but what another site has to mend.
    pub refused: bool,
    /// By key.
    #[serde(skip)]
    pub pages: Vec<Key>,
}

impl LinkProblem {
    fn links(&self) -> u64 {
        self.pages.len() as u64
    }

    /// Returns the page that it is told of.
    pub fn page(&self) -> &str {
        self.pages.first().map_or("", Key::as_str)
    }

    /// Says what there is of the other pages: ` (and in 3 more pages)`.
    pub fn elsewhere(&self) -> String {
        match self.links() {
            0 | 1 => String::new(),
            links => format!(" (and in {})", counted(links - 1, "more page")),
        }
    }
}

impl fmt::Display for LinkProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} {}", self.page(), self.to, self.sort.fault())?;
        if let Some(suggestion) = &self.suggestion {
            write!(out, "; {suggestion} is there")?;
        }
        out.write_str(&self.elsewhere())
    }
}

impl ProblemSort {
    /// Says what one link does, behind it.
    pub fn fault(self) -> &'static str {
        match self {
            Self::Dead => "leads nowhere",
            Self::Missing => "is loaded and not there",
            Self::Case => "is there in other letters alone",
            Self::Anchor => "names a place that the page has not",
            Self::Bucket => "leads past CloudFront",
            Self::Insecure => "is not encrypted",
        }
    }

    /// Says what so many links do.
    fn faults(self, number: u64) -> &'static str {
        let (one, several) = match self {
            Self::Dead | Self::Missing | Self::Case => ("leads nowhere", "lead nowhere"),
            Self::Anchor => ("names no place of its page", "name no place of their page"),
            Self::Bucket => ("leads past CloudFront", "lead past CloudFront"),
            Self::Insecure => ("is not encrypted", "are not encrypted"),
        };
        if number == 1 { one } else { several }
    }
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
