//! URLs that are lost, links that lead nowhere, and the budget.

use super::html::{code, escaped, list, more, table};
use crate::plan::Plan;
use crate::plan::lost::LostUrl;
use crate::report::findings::amount;
use crate::report::fitting::fitting;
use crate::report::lost::fate;

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
        let suggestion = suggestion.map(|to| format!("; {} is there", code(to)));
        format!(
            "{}: {} {}{}",
            code(problem.page.as_str()),
            code(&problem.to),
            problem.sort.fault(),
            suggestion.unwrap_or_default()
        )
    })
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
