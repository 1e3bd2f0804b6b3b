//! What a deploy came to as Markdown, for a CI job's page, and the parts that it shares with a plan's. Pure.
//!
//! Names stand in code spans, where nothing is a mention, a link or markup.

use super::changes::ChangeRow;
use super::findings::{amount, faulty_links, link_text, other_warnings};
use super::fitting::fitting;
use super::lost::{fate, hint, title};
use super::sizes::by_type;
use super::summary::{self, Completions};
use super::text::{bytes, count, counted, destination, shown};
use crate::job::DeploySummary;
use crate::plan::Plan;
use crate::plan::lost::LostUrl;

/// Changes listed.
const MAX_CHANGES: usize = 20;

/// Links listed.
const MAX_LINKS: usize = 10;

/// Bytes of each part, of which there are seven, and the purges together are one.
pub(super) const BUDGET: usize = 8_000;

/// Writes what a deploy came to, and what was found in its plan, if there was one; with a line break at its end.
pub(super) fn deployed(
    done: &DeploySummary,
    completed: &Completions,
    plan: Option<&Plan>,
) -> String {
    let found = plan.map(|plan| found(plan, &[])).unwrap_or_default();
    let place = destination(&done.bucket, &done.prefix);
    if summary::is_nothing(done) {
        return format!("{}{found}", nothing(&code(&place)));
    }
    let url = summary::live_at(done).map(|url| ("live at", format!("<{url}>")));
    let purges = summary::purges(done, completed);
    let purges = purges.iter().map(|line| ("purged", prose(line)));
    let rows = summary::parts(done).into_iter().chain(url).chain(purges);
    let rows: String = rows
        .map(|(what, text)| format!("| {what} | {text} |\n"))
        .collect();
    let head = prose(&summary::headline(done));
    let changes = plan.map(|plan| changes(plan) + &sizes(plan));
    let changes = changes.unwrap_or_default();
    format!("### {head}\n\n| | |\n|---|---|\n{rows}{found}{changes}")
}

pub(super) fn nothing(place: &str) -> String {
    format!("### Nothing to deploy\n\n{place} holds this build.\n")
}

/// Writes what is to be known before anything is changed.
pub(super) fn found(plan: &Plan, refused: &[String]) -> String {
    [
        lost(plan),
        warnings(plan, refused),
        budget(plan),
        links(plan),
    ]
    .concat()
}

fn lost(plan: &Plan) -> String {
    let text = block(&title(&plan.lost), &plan.lost, |lost| {
        format!("- {}{}\n", code(&lost.path), prose(&fate(lost)))
    });
    let lines = plan.lost.iter().filter_map(LostUrl::redirect);
    let (lines, left_out) = fitting(lines, BUDGET, |line| format!("{}\n", shown(&line)));
    let Some(hint) = hint(&plan.lost) else {
        return text;
    };
    let (more, hint) = (more(left_out), prose(hint));
    format!("{text}\n```\n{lines}```\n{more}\n{hint}\n")
}

fn warnings(plan: &Plan, refused: &[String]) -> String {
    let warnings: Vec<&String> = refused.iter().chain(other_warnings(plan)).collect();
    block("Warnings", &warnings, |warning| {
        format!("- {}\n", prose(warning))
    })
}

pub(super) fn changes(plan: &Plan) -> String {
    let number = plan.changes.len() + plan.deletions.len();
    let first = ChangeRow::all(plan).take(MAX_CHANGES);
    let (rows, left_out) = fitting(first, BUDGET, |row| {
        let (key, why) = (cell(row.key), prose(&row.why));
        format!("| {key} | {why} | {} |\n", bytes(row.size))
    });
    if number == 0 {
        return String::new();
    }
    let more = more(left_out + number.saturating_sub(MAX_CHANGES));
    let table = format!("| object | why | size |\n|---|---|---:|\n{rows}{more}");
    folded(&counted(number as u64, "change"), &table)
}

/// Writes how much changes of each type.
pub(super) fn sizes(plan: &Plan) -> String {
    let rows: String = by_type(plan)
        .map(|(name, [changed, removed])| format!("| {name} | {changed} | {removed} |\n"))
        .collect();
    if rows.is_empty() {
        return rows;
    }
    let head = "| type | new or changed | removed |\n|---|---:|---:|\n";
    folded("Size by type", &format!("{head}{rows}"))
}

fn budget(plan: &Plan) -> String {
    if plan.budget.is_empty() {
        return String::new();
    }
    let (rows, left_out) = fitting(&plan.budget, BUDGET, |line| {
        let verdict = if line.is_passed() {
            "**over**"
        } else {
            "within"
        };
        let (actual, limit) = (amount(line, line.actual), amount(line, line.limit));
        let culprit = line.culprit.as_deref().map(cell).unwrap_or_default();
        let name = prose(line.name);
        format!("| {name} | {actual} | {limit} | {verdict} | {culprit} |\n")
    });
    let head = "| limit | is | may be | | most by |\n|---|---|---|---|---|\n";
    format!("\n#### Budget\n\n{head}{rows}{}", more(left_out))
}

fn links(plan: &Plan) -> String {
    let Some((report, summary)) = faulty_links(plan) else {
        return String::new();
    };
    let problems = &report.problems;
    let first = problems.iter().take(MAX_LINKS);
    let (lines, left_out) = fitting(first, BUDGET, |problem| {
        format!("- {}\n", link_text(problem, code))
    });
    let more = report.more(problems.len().min(MAX_LINKS) - left_out);
    let more = more.map(|more| format!("\n{more}\n")).unwrap_or_default();
    folded(&summary, &format!("{lines}{more}"))
}

/// Writes a line for each item below a heading, where there are any.
fn block<T>(title: &str, items: &[T], write: impl Fn(&T) -> String) -> String {
    if items.is_empty() {
        return String::new();
    }
    let (lines, left_out) = fitting(items, BUDGET, write);
    format!("\n#### {title}\n\n{lines}{}", more(left_out))
}

/// Writes what unfolds.
pub(super) fn folded(title: &str, text: &str) -> String {
    let title = prose(title);
    format!("\n<details><summary>{title}</summary>\n\n{text}\n</details>\n")
}

pub(super) fn more(left_out: usize) -> String {
    if left_out == 0 {
        return String::new();
    }
    format!("\nand {} more\n", count(left_out as u64))
}

/// Writes a name as a code span, with a fence that it does not hold (CommonMark, "Code spans").
pub(super) fn code(text: &str) -> String {
    let text = shown(text);
    let runs = text.split(|letter| letter != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or_default() + 1);
    let touches = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let pad = if touches || text.is_empty() { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Writes a name in a table, where a bar ends the cell even in a code span (GitHub Flavored Markdown, "Tables").
pub(super) fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// Escapes a sentence: nothing in it is markup, a mention, an issue, a link or a formula; in HTML neither, where a backslash would show.
pub(super) fn prose(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in shown(text).chars() {
        match letter {
            '@' | '#' | ':' => {
                safe.push(letter);
                safe.push_str("<!-- -->");
            }
            '$' => safe.push_str("<span>$</span>"),
            '&' | '<' | '>' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '\\' | '!' => {
                safe.push_str(&format!("&#{};", u32::from(letter)));
            }
            letter => safe.push(letter),
        }
    }
    // A colon before a space begins no link.
    safe.replace(":<!-- --> ", ": ")
        .replace("www.", "www<!-- -->.")
}
