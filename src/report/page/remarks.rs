//! URLs that are lost, links that lead nowhere, and the budget.

use super::html::{code, escaped, folding_list, more, table};
use crate::plan::Plan;
use crate::plan::lost::LostUrl;
use crate::report::findings::{amount, faulty_links, link_text};
use crate::report::fitting::fitting;
use crate::report::lost::{fate, hint};

/// Bytes of each list.
const BUDGET: usize = 12_000;

/// Writes the URLs that will be gone, with the lines of `_redirects` that keep them.
pub(super) fn lost(plan: &Plan) -> String {
    let urls = folding_list(plan.lost.iter().collect(), BUDGET, |lost| {
        format!("{}{}", code(&lost.path), escaped(&fate(lost)))
    });
    let lines = plan.lost.iter().filter_map(LostUrl::redirect);
    let (lines, left_out) = fitting(lines, BUDGET, |line| format!("{}\n", escaped(&line)));
    let Some(hint) = hint(&plan.lost) else {
        return urls;
    };
    let (more, hint) = (more(left_out), escaped(hint));
    format!("{urls}<pre tabindex=\"0\"><code>{lines}</code></pre>\n{more}<p>{hint}</p>\n")
}

/// Writes the links that do not do what they seem to, by sort.
pub(super) fn links(plan: &Plan) -> String {
    let Some((report, summary)) = faulty_links(plan) else {
        return String::new();
    };
    let list = folding_list(report.problems.iter().collect(), BUDGET, |problem| {
        link_text(problem, code)
    });
    format!("<p>{}</p>\n{list}", escaped(&summary))
}

/// Writes where the site stands against `[budget]`.
pub(super) fn budget(plan: &Plan) -> String {
    if plan.budget.is_empty() {
        return String::new();
    }
    let heads = ["Limit", "Is", "May be", "", "Most by"];
    table(("The budget", &heads), &plan.budget, BUDGET, |line| {
        let verdict = if line.is_passed() {
            "<strong class=\"bad\">over</strong>"
        } else {
            "within"
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
