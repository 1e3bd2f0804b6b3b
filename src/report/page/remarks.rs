//! URLs that are lost, links that lead nowhere, and the budget.

use super::html::{code, escaped, list, more, table};
use crate::plan::Plan;
use crate::plan::budget::{BudgetLine, BudgetUnit};
use crate::plan::lost::{LostUrl, PageSameness};
use crate::report::fitting::fitting;
use crate::report::text::{bytes, counted, utc};
use crate::rules::link_report::{LinkProblem, ProblemSort};

/// Bytes of each list.
const BUDGET: usize = 12_000;

/// Writes the URLs that will be gone, with the lines of `_redirects` that keep them.
pub(super) fn lost(plan: &Plan) -> String {
    if plan.lost.is_empty() {
        return String::new();
    }
    let urls = list(&plan.lost, BUDGET, |lost| {
        format!("{}{}", code(&lost.path), escaped(&fate(lost)))
    });
    let lines = plan.lost.iter().filter_map(LostUrl::redirect);
    let (lines, left_out) = fitting(lines, BUDGET, |line| format!("{}\n", escaped(&line)));
    if lines.is_empty() {
        return urls;
    }
    let more = more(left_out);
    format!(
        "{urls}<p>These lines of <code>_redirects</code> keep them:</p>\n<pre tabindex=\"0\" class=\"copy\"><code>{lines}</code></pre>\n{more}"
    )
}

/// Says what is known of a URL that is lost: `: live since 2026-05-03, linked from 2 pages; /me/ has the same content`.
pub(in crate::report) fn fate(lost: &LostUrl) -> String {
    let mut parts = Vec::new();
    parts.extend(
        lost.live_since
            .map(|at| format!("live since {}", utc(at, "%Y-%m-%d"))),
    );
    parts.extend(
        lost.gone_since
            .map(|at| format!("gone since {}", utc(at, "%Y-%m-%d"))),
    );
    if lost.linked_from > 0 {
        parts.push(format!("linked from {}", counted(lost.linked_from, "page")));
    }
    let known = parts.join(", ");
    let successor = lost.successor.as_ref().map(|successor| {
        let sameness = match successor.sameness {
            PageSameness::Content => "content",
            PageSameness::Title => "title",
        };
        format!("{} has the same {sameness}", successor.path)
    });
    let parts = [Some(known).filter(|known| !known.is_empty()), successor];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!(": {}", parts.join("; ")),
    }
}

/// Writes the links that do not do what they seem to, by sort.
pub(super) fn links(plan: &Plan) -> String {
    let Some(report) = plan
        .links
        .as_ref()
        .filter(|report| !report.problems.is_empty())
    else {
        return String::new();
    };
    list(&report.problems, BUDGET, |problem| {
        let suggestion = problem.suggestion.as_deref();
        let suggestion = suggestion.map(|to| format!(", perhaps {}", code(to)));
        format!(
            "{}: {} {}{}",
            code(problem.page.as_str()),
            code(&problem.to),
            wrong(problem),
            suggestion.unwrap_or_default()
        )
    })
}

/// Says what is wrong with a link, after it.
pub(in crate::report) fn wrong(problem: &LinkProblem) -> &'static str {
    match problem.sort {
        ProblemSort::Dead => "leads nowhere",
        ProblemSort::Missing => "is not in the build",
        ProblemSort::Case => "is found only where upper and lower case are one",
        ProblemSort::Anchor => "is no place in that page",
        ProblemSort::Bucket => "leads past CloudFront, to the bucket",
        ProblemSort::Insecure => "is asked for without encryption",
    }
}

/// Writes where the site stands against `[budget]`.
pub(super) fn budget(plan: &Plan) -> String {
    if plan.budget.is_empty() {
        return String::new();
    }
    let heads = ["Limit", "Is", "May be", "", "Most by"];
    table(("The budget", &heads), &plan.budget, BUDGET, |line| {
        let verdict = match line.is_passed() {
            true => "<strong class=\"bad\">passed</strong>",
            false => "kept",
        };
        let culprit = line.culprit.as_deref().map(code);
        vec![
            escaped(line.name),
            amount(line, line.actual),
            amount(line, line.limit),
            verdict.to_owned(),
            culprit.unwrap_or_default(),
        ]
    })
}

/// Writes what a limit counts: `1.2 MB`, `12 paths`, `$0.50`.
pub(in crate::report) fn amount(line: &BudgetLine, number: f64) -> String {
    // `as` saturates, and makes NaN nothing.
    let whole = number.round() as u64;
    match line.unit {
        BudgetUnit::Bytes => bytes(whole),
        BudgetUnit::Files => counted(whole, "file"),
        BudgetUnit::Paths => counted(whole, "path"),
        BudgetUnit::Dollars => format!("${number:.2}"),
    }
}
