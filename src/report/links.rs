//! What is wrong with the links of a site, a line for each.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::json::merged;
use super::printer::Printer;
use super::text::{counted, shown};
use crate::object::Key;
use crate::rules::link_report::{LinkProblem, LinkReport, ProblemSort};

impl Printer {
    /// Prints all that is wrong with the links as the result.
    pub fn links(&self, report: &LinkReport) {
        self.finish();
        for object in json(report) {
            self.object(&object);
        }
        for line in lines(report) {
            self.line(&line);
        }
        let read = format!(
            "Read {} with {}: {}",
            counted(report.pages, "page"),
            counted(report.links, "link"),
            summary(report)
        );
        self.line(&read);
        self.summary(json!({
            "type": "summary", "pages": report.pages, "links": report.links, "problems": report.problems.len(),
            "refused": report.refused().count(),
        }));
    }
}

/// Returns an object for each problem.
pub(super) fn json(report: &LinkReport) -> impl Iterator<Item = Value> {
    let problems = report.problems.iter();
    problems.map(|problem| merged(json!({"type": "link"}), problem))
}

/// Writes `3 links of 2 pages lead nowhere`, or `all lead somewhere`.
fn summary(report: &LinkReport) -> String {
    match report.problems.len() {
        0 => "all lead somewhere".to_owned(),
        number => format!("{} to mend", counted(number as u64, "link")),
    }
}

/// Writes a line for each problem, by page; one that several pages have stands with the first of them.
pub(super) fn lines(report: &LinkReport) -> Vec<String> {
    let mut pages: BTreeMap<(ProblemSort, &str), Vec<&Key>> = BTreeMap::new();
    for problem in &report.problems {
        let key = (problem.sort, problem.to.as_str());
        pages.entry(key).or_default().push(&problem.page);
    }
    let first = |problem: &&LinkProblem| {
        let pages = pages.get(&(problem.sort, problem.to.as_str()));
        pages.and_then(|pages| pages.first()) == Some(&&problem.page)
    };
    let line = |problem: &LinkProblem| {
        let others = pages.get(&(problem.sort, problem.to.as_str()));
        let more = match others.map_or(0, Vec::len).saturating_sub(1) {
            0 => String::new(),
            more => format!(" (and in {})", counted(more as u64, "more page")),
        };
        format!("{}: {}{more}", shown(problem.page.as_str()), told(problem))
    };
    report.problems.iter().filter(first).map(line).collect()
}

/// Says what is wrong with a link.
fn told(problem: &LinkProblem) -> String {
    let to = shown(&problem.to);
    let hint = problem.suggestion.as_deref().map(shown);
    let hint = hint.map(|right| format!("; {right} is there"));
    let hint = hint.unwrap_or_default();
    match problem.sort {
        ProblemSort::Dead => format!("{to} leads nowhere{hint}"),
        ProblemSort::Missing => format!("{to} is loaded and not there{hint}"),
        ProblemSort::Case => format!("{to} is spelled otherwise{hint}"),
        ProblemSort::Anchor => format!("{to} names a place that the page has not{hint}"),
        ProblemSort::Bucket => format!("{to} leads past CloudFront, to the bucket"),
        ProblemSort::Insecure => format!("{to} is not encrypted"),
    }
}
