//! What is found in the site itself: links that lead nowhere, and where the limits of `[budget]` stand. Pure.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::json::merged;
use super::options::TextLook;
use super::text::{bytes, columns, count, elided, padded, shown};
use crate::edge::Money;
use crate::plan::Plan;
use crate::plan::budget::{BudgetLine, BudgetUnit};
use crate::rules::link_report::{LinkProblem, LinkReport};

/// Writes a line for each limit; nothing where there are none.
pub(super) fn budget_text(lines: &[BudgetLine], look: TextLook) -> String {
    let mut rows = Vec::new();
    for line in lines {
        let row = format!(
            "  {} {} of {}",
            padded(line.name, 12),
            amount(line, line.actual),
            amount(line, line.limit)
        );
        let culprit = line.culprit.as_deref().map(shown).unwrap_or_default();
        let room = look.width.saturating_sub(columns(&row) + 2);
        let row = format!("{row}  {}", elided(&culprit, room));
        let row = row.trim_end();
        rows.push(if line.is_passed() {
            look.paint.red(row)
        } else {
            row.to_owned()
        });
    }
    if rows.is_empty() {
        return String::new();
    }
    format!("Budget\n{}", rows.join("\n"))
}

/// Returns a plan's warnings but those of links and limits, which have lists of their own.
pub(super) fn other_warnings(plan: &Plan) -> Vec<&String> {
    let links = plan.links.iter().filter_map(LinkReport::warning);
    let limits = plan.budget.iter().map(BudgetLine::warning);
    let listed: HashSet<String> = links.chain(limits).collect();
    let warnings = plan.warnings.iter();
    warnings
        .filter(|warning| !listed.contains(*warning))
        .collect()
}

/// Returns the links that have a problem, and what they come to, where there are any.
pub(super) fn faulty_links(plan: &Plan) -> Option<(&LinkReport, String)> {
    let report = plan.links.as_ref()?;
    Some((report, report.summary()?))
}

/// Writes a link that has a problem, its names by `code`.
pub(super) fn link_text(problem: &LinkProblem, code: fn(&str) -> String) -> String {
    let suggestion = problem.suggestion.as_deref();
    let suggestion = suggestion.map(|to| format!("; {} is there", code(to)));
    format!(
        "{}: {} {}{}{}",
        code(problem.page()),
        code(&problem.to),
        problem.sort.fault(),
        suggestion.unwrap_or_default(),
        problem.elsewhere()
    )
}

/// Returns an object for each link of a page that has a problem.
pub(super) fn link_json(report: &LinkReport) -> impl Iterator<Item = Value> {
    report.problems.iter().flat_map(|problem| {
        let pages = problem.pages.iter();
        pages.map(move |page| merged(json!({"type": "link", "page": page}), problem))
    })
}

/// Returns an object for each limit.
pub(super) fn budget_json(lines: &[BudgetLine]) -> impl Iterator<Item = Value> {
    lines
        .iter()
        .map(|line| merged(json!({"type": "budget", "passed": line.is_passed()}), line))
}

/// Writes what a limit counts.
pub(super) fn amount(line: &BudgetLine, amount: f64) -> String {
    // `as` saturates.
    let whole = amount as u64;
    match line.unit {
        BudgetUnit::Bytes => bytes(whole),
        BudgetUnit::Files | BudgetUnit::Paths => count(whole),
        BudgetUnit::Dollars => Money::from_dollars(amount).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::text::Paint;

    #[test]
    fn each_limit_is_a_line_of_the_width() {
        let line = |name, unit, limit, actual| BudgetLine {
            name,
            unit,
            limit,
            actual,
            culprit: None,
        };
        let lines = [
            BudgetLine {
                culprit: Some(format!("posts/{}/index.html", "long-".repeat(20))),
                ..line("page", BudgetUnit::Bytes, 500_000.0, 612_000.0)
            },
            line("files", BudgetUnit::Files, 20_000.0, 1234.0),
            line("purge-cost", BudgetUnit::Dollars, 1.0, 0.5),
        ];
        let look = TextLook {
            width: 80,
            paint: Paint(false),
            ..TextLook::default()
        };
        insta::assert_snapshot!(budget_text(&lines, look), @r"
        Budget
          page         612 kB of 500 kB  posts/long-long…long-long-long-long-/index.html
          files        1,234 of 20,000
          purge-cost   $0.500 of $1.00
        ");
        assert_eq!(budget_text(&[], look), "");
        let passed: Vec<Value> = budget_json(&lines)
            .map(|line| line["passed"].clone())
            .collect();
        assert_eq!(passed, [true, false, false]);
    }
}
