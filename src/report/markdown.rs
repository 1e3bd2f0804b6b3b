//! A plan in short as Markdown, for a comment on a pull request. Pure.
//!
//! GitHub takes comments of up to 65,536 characters; the budgets come to less.

use serde_json::json;

use super::changes::totals;
use super::fitting::fitting;
use super::markdown_parts::{
    BUDGET, cell, changes, code, folded, found, more, nothing, prose, sizes,
};
use super::plan::{PlanContext, remarks};
use super::printer::Printer;
use super::purge::{heading, named, otherwise, phases, takes};
use crate::edge::PurgeChoice;
use crate::plan::Plan;

/// Invalidation paths listed of one purge.
const MAX_PATHS: usize = 20;

impl Printer {
    /// Prints a plan in short as Markdown; programs get it in an object, besides the plan.
    pub fn plan_as_markdown(&self, plan: &Plan, context: &PlanContext) {
        if self.options.json {
            self.plan(plan, context);
        } else {
            self.finish();
            self.plan_warnings(plan);
        }
        let text = markdown(plan, context);
        self.result(text.trim_end(), &json!({"type": "markdown", "text": text}));
    }
}

/// Writes the whole of it, with a line break at its end.
pub(in crate::report) fn markdown(plan: &Plan, context: &PlanContext) -> String {
    let place = code(&context.destination());
    if plan.is_empty() {
        return format!("{}{}", nothing(&place), found(plan, &context.refused));
    }
    let totals = totals(plan).join(" · ");
    let head = format!("### Plan for {place}\n\n{totals}\n");
    let parts = [
        head,
        found(plan, &context.refused),
        changes(plan),
        sizes(plan),
        purges(plan, context),
        notes(plan, context),
    ];
    parts.concat()
}

fn purges(plan: &Plan, context: &PlanContext) -> String {
    let mut free_left = context.free_left;
    let mut parts = Vec::new();
    for purge in &plan.purges {
        let target = context.title(&purge.target);
        for (phase, choice) in phases(purge) {
            parts.push((
                heading(&target, phase, &choice.cover, &mut free_left),
                choice,
            ));
        }
    }
    let (text, left_out) = fitting(parts, 2 * BUDGET, purge_text);
    format!("{text}{}", more(left_out))
}

fn purge_text((heading, choice): (String, &PurgeChoice)) -> String {
    let cover = &choice.cover;
    let first = cover.patterns.iter().take(MAX_PATHS);
    let (rows, left_out) = fitting(first, BUDGET / 2, |pattern| {
        let takes = prose(takes(cover, pattern).trim());
        format!("| {} | {takes} |\n", cell(&named(pattern)))
    });
    let more = more(left_out + cover.patterns.len().saturating_sub(MAX_PATHS));
    let table = format!("| path | takes |\n|---|---|\n{rows}{more}");
    let otherwise = otherwise(choice).map(|otherwise| format!("\n{}\n", prose(&otherwise)));
    format!(
        "{}{}",
        folded(&heading, &table),
        otherwise.unwrap_or_default()
    )
}

fn notes(plan: &Plan, context: &PlanContext) -> String {
    let notes = remarks(plan, context);
    let (lines, left_out) = fitting(notes, BUDGET, |note| format!("- {}\n", prose(&note)));
    if lines.is_empty() {
        return String::new();
    }
    format!("\n{lines}{}", more(left_out))
}
