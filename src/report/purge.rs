//! What CloudFront will be sent, what each path takes, and what else it could have been. Pure.

use super::plan::{Context, Look};
use super::text::{columns, count, counted, elided, padded, shown, wrapped};
use crate::edge::price::{COMPLETION_SECONDS, sending_seconds};
use crate::edge::{Cover, Pattern};
use crate::plan::TargetPurge;

/// Paths shown where not all are asked for.
const MAX_PATHS: usize = 20;

/// What one target will be sent; nothing where it is owed nothing.
pub fn purge(one: &TargetPurge, context: &Context, look: Look) -> Option<String> {
    let (now, after) = (&one.purge.cover, &one.after.cover);
    let target = shown(&one.target);
    let mut lines = Vec::new();
    if !now.patterns.is_empty() {
        lines.push(look.paint.bold(&heading(
            &format!("Purge of {target}"),
            now,
            context.free_left,
        )));
        lines.extend(patterns(now, look));
        lines.extend(otherwise(now, &one.purge.exact, &one.purge.all, look.width));
    }
    if !after.patterns.is_empty() {
        let left = context.free_left.map(|left| left.saturating_sub(now.free));
        let title = format!("Purge of {target} once what is removed is gone");
        lines.push(look.paint.bold(&heading(&title, after, left)));
        lines.extend(patterns(after, look));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// About how many seconds it takes until a purge has completed.
pub fn expected_seconds(cover: &Cover) -> u64 {
    if cover.patterns.is_empty() {
        return 0;
    }
    sending_seconds(cover.paths(), cover.wildcards) + COMPLETION_SECONDS
}

fn heading(title: &str, cover: &Cover, free_left: Option<u64>) -> String {
    let paths = counted(cover.paths(), "path");
    let left = free_left.map(|left| left.saturating_sub(cover.free));
    let left = left.map(|left| format!("{} of this month's left", count(left)));
    let cost = match (cover.path_cost.0, cover.free, left) {
        (0, _, Some(left)) => format!("free ({left})"),
        (0, _, None) => "free".to_owned(),
        (_, 0, _) => cover.path_cost.to_string(),
        (_, free, _) => format!("{} ({} free)", cover.path_cost, count(free)),
    };
    let time = super::text::ticking(std::time::Duration::from_secs(expected_seconds(cover)));
    format!("{title}: {paths}, {cost}, about {time}")
}

fn patterns(cover: &Cover, look: Look) -> Vec<String> {
    let most = if look.verbose {
        cover.patterns.len()
    } else {
        MAX_PATHS
    };
    // The last line is not spent on saying that there is one more.
    let most = if cover.patterns.len() == most + 1 {
        most + 1
    } else {
        most
    };
    let rows: Vec<(String, String)> = cover.patterns.iter().take(most).map(row).collect();
    let takes = rows
        .iter()
        .map(|(_, takes)| columns(takes))
        .max()
        .unwrap_or_default();
    let longest = rows
        .iter()
        .map(|(path, _)| columns(path))
        .max()
        .unwrap_or_default();
    let path_width = longest.min(look.width.saturating_sub(4 + takes).max(20));
    let line = |(path, takes): &(String, String)| {
        format!(
            "  {}  {takes}",
            padded(&elided(path, path_width), path_width)
        )
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    let more = cover.patterns.len().saturating_sub(most);
    if more > 0 {
        let more = count(more as u64);
        lines.push(
            look.paint
                .dim(&format!("  ... and {more} more (--verbose shows all)")),
        );
    }
    lines
}

fn row(pattern: &Pattern) -> (String, String) {
    let mut takes = format!("{:>5} changed", count(pattern.changed));
    if pattern.unchanged > 0 {
        takes.push_str(&format!(", {} unchanged", count(pattern.unchanged)));
    }
    if pattern.needless > pattern.unchanged {
        takes.push_str(", other origins' too");
    }
    (shown(&pattern.text), takes)
}

/// What exact paths and `/*` would have cost, where they are not what is sent.
fn otherwise(sent: &Cover, exact: &Cover, all: &Cover, width: usize) -> Option<String> {
    let mut others = Vec::new();
    if exact.patterns != sent.patterns && !exact.patterns.is_empty() {
        others.push(format!(
            "exact paths would be {} for {}",
            count(exact.paths()),
            exact.path_cost
        ));
    }
    if all.patterns != sent.patterns && !all.patterns.is_empty() {
        let needless = counted(all.unchanged(), "needless refetch");
        let needless = needless.replace("refetchs", "refetches");
        others.push(format!(
            "/* would be {} for {}, with {needless}",
            counted(all.paths(), "path"),
            all.path_cost
        ));
    }
    let mut text = others.join("; ");
    let first = text.get(..1)?.to_uppercase();
    text.replace_range(..1, &first);
    Some(wrapped(&format!("{text}."), width, "  ", "  "))
}
