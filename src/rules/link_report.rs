//! What is wrong with the links of a site.

use std::collections::{BTreeMap, BTreeSet};
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

    /// Writes `12 links: 9 lead nowhere, 3 are not encrypted`, or `9 links lead nowhere`; `None` where there is nothing to tell.
    pub fn summary(&self) -> Option<String> {
        let all = counted(self.problems.len() as u64, "link");
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

    /// Returns how many problems there are of each sort; what leads nowhere is one.
    fn numbers(&self) -> Vec<(ProblemSort, u64)> {
        let mut numbers = BTreeMap::new();
        for problem in &self.problems {
            let sort = match problem.sort {
                ProblemSort::Missing | ProblemSort::Case => ProblemSort::Dead,
                sort => sort,
            };
            *numbers.entry(sort).or_default() += 1;
        }
        numbers.into_iter().collect()
    }

    /// Warns of links, the first few by their pages; `None` where there is nothing to tell.
    pub fn warning(&self) -> Option<String> {
        let problems = self.by_page();
        let more = problems.len().saturating_sub(TOLD_LINKS);
        let first = problems.iter().take(TOLD_LINKS);
        let mut told = vec![format!("{}; `unstale links` lists all", self.summary()?)];
        told.extend(first.map(|(problem, elsewhere)| format!("{problem}{elsewhere}")));
        if more > 0 {
            told.push(format!("and {} more", count(more as u64)));
        }
        Some(told.join("\n"))
    }

    /// Writes a line for each problem; one that several pages have stands with the first of them.
    pub fn lines(&self) -> Vec<String> {
        let lines = self.by_page().into_iter();
        lines
            .map(|(problem, elsewhere)| format!("{problem}{elsewhere}"))
            .collect()
    }

    /// Returns each problem with the first page that has it, and what is said of the others: ` (and in 3 more pages)`.
    pub fn by_page(&self) -> Vec<(&LinkProblem, String)> {
        let mut pages: BTreeMap<(ProblemSort, &str), u64> = BTreeMap::new();
        for problem in &self.problems {
            *pages.entry((problem.sort, &problem.to)).or_default() += 1;
        }
        let problems = self.problems.iter().filter_map(|problem| {
            let number = pages.remove(&(problem.sort, problem.to.as_str()))?;
            let elsewhere = match number {
                0 | 1 => String::new(),
                more => format!(" (and in {})", counted(more - 1, "more page")),
            };
            Some((problem, elsewhere))
        });
        problems.collect()
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

impl fmt::Display for LinkProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} {}", self.page, self.to, self.sort.fault())?;
        match &self.suggestion {
            Some(suggestion) => write!(out, "; {suggestion} is there"),
            None => Ok(()),
        }
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
