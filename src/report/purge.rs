//! What CloudFront will be sent, what each path takes, and what else it could have been. Pure.

use std::slice::from_ref;
use std::time::Duration;

use serde_json::{Value, json};

use super::changes::more;
use super::json::merged;
use super::options::TextLook;
use super::text::{columns, count, counted, elided, padded, shown, ticking, wrapped};
use crate::edge::price::{COMPLETION_SECONDS, sending_seconds};
use crate::edge::{Cover, Money, Pattern, PurgeChoice};
use crate::plan::DistributionPurge;

/// The phase that is sent at once.
const CHANGED: &str = "changed";
/// Paths shown where not all are asked for.
const MAX_PATHS: usize = 20;

/// Returns what a target is sent, first for what changed, then for removed assets; what sends nothing is left out.
pub(super) fn phases(
    purge: &DistributionPurge,
) -> impl Iterator<Item = (&'static str, &PurgeChoice)> {
    let phases = [(CHANGED, &purge.purge), ("removed-assets", &purge.after)];
    let phases = phases.into_iter();
    phases.filter(|(_, choice)| !choice.cover.patterns.is_empty())
}

/// Writes what one target will be sent; nothing where it is owed nothing.
pub(super) fn text(
    purge: &DistributionPurge,
    free_left: &mut Option<u64>,
    look: TextLook,
) -> Option<String> {
    let target = shown(&purge.target);
    let mut lines = Vec::new();
    for (phase, choice) in phases(purge) {
        let heading = heading(&target, phase, &choice.cover, free_left);
        let heading = wrapped(&heading, look.width, "", "  ");
        lines.push(look.paint.bold(&heading));
        lines.extend(patterns(&choice.cover, look));
        if phase == CHANGED {
            let notes = notes(choice);
            lines.extend(notes.map(|note| wrapped(&note, look.width, "  ", "  ")));
        }
    }
    if purge.resent.count > 0 {
        let paths = counted(purge.resent.count, "path");
        let text = format!(
            "{paths} that a deploy recorded which died are sent to {target} again: {}",
            purge.resent.cost
        );
        lines.push(wrapped(&text, look.width, "", "  "));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Returns an object for each purge that one target will be sent.
pub(super) fn json(purge: &DistributionPurge) -> impl Iterator<Item = Value> {
    phases(purge).map(|(phase, sent)| {
        let cover = &sent.cover;
        let patterns = cover.patterns.iter();
        let patterns: Vec<Value> = patterns
            .map(|pattern| pattern_json(cover, pattern))
            .collect();
        let object = json!({
            "type": "purge", "target": purge.target, "phase": phase, "patterns": patterns,
            "expected-seconds": expected_seconds(cover),
            "instead": { "exact": cost_json(&sent.exact), "all": cost_json(&sent.all) },
        });
        merged(object, cost_json(cover))
    })
}

fn pattern_json(cover: &Cover, pattern: &Pattern) -> Value {
    json!({
        "path": pattern.text, "tag-of": pattern.tag.as_ref().map(|tag| &tag.of),
        "changed": pattern.changed, "unchanged": pattern.unchanged, "needless-weight": pattern.needless,
        "refetch-cost-usd": refetch_cost(cover, from_ref(pattern)).dollars(), "empties": pattern.empties,
    })
}

fn cost_json(cover: &Cover) -> Value {
    json!({
        "paths": cover.paths(), "wildcards": cover.wildcards, "free-paths": cover.free,
        "unchanged": cover.unchanged(), "cost-usd": cover.path_cost.dollars(),
        "refetch-cost-usd": refetch_cost(cover, &cover.patterns).dollars(),
    })
}

/// Returns about how many seconds it takes until a purge has completed.
pub(super) fn expected_seconds(cover: &Cover) -> u64 {
    if cover.patterns.is_empty() {
        return 0;
    }
    sending_seconds(cover.paths(), cover.wildcards) + COMPLETION_SECONDS
}

/// Returns what the needless refetches of objects by some patterns cost: their part of all that is needless. What other origins
/// answer is weighed and not counted, so that it has no price.
pub(super) fn refetch_cost(cover: &Cover, some: &[Pattern]) -> Money {
    let own = some.iter();
    let own: u128 = own
        .map(|pattern| u128::from(pattern.needless.saturating_sub(pattern.foreign)))
        .sum();
    let patterns = cover.patterns.iter();
    let total: u128 = patterns.map(|pattern| u128::from(pattern.needless)).sum();
    let cost = (u128::from(cover.refetch_cost.0) * own).checked_div(total);
    // A part is no more than the whole, which fits.
    Money(cost.and_then(|cost| u64::try_from(cost).ok()).unwrap_or(0))
}

/// Writes what a purge comes to, and takes its free paths off `free_left`: what is left of the month's; none where the plan includes
/// them.
pub(super) fn heading(
    target: &str,
    phase: &str,
    cover: &Cover,
    free_left: &mut Option<u64>,
) -> String {
    let paths = counted(cover.paths(), "path");
    *free_left = free_left.map(|left| left.saturating_sub(cover.free));
    let cost = match (cover.path_cost.0, cover.free) {
        (0, _) => match *free_left {
            None => "included in the plan".to_owned(),
            Some(left) => format!("free ({} of this month's left)", count(left)),
        },
        (_, 0) => cover.path_cost.to_string(),
        (_, free) => format!("{} ({} of them free)", cover.path_cost, count(free)),
    };
    let time = ticking(Duration::from_secs(expected_seconds(cover)));
    let late = if phase == CHANGED {
        ""
    } else {
        " for removed assets"
    };
    format!("Purge of {target}{late}: {paths}, {cost}, about {time}")
}

fn patterns(cover: &Cover, look: TextLook) -> Vec<String> {
    let total = cover.patterns.len();
    // The last line is not spent on saying that there is one more.
    let most = if look.verbose || total == MAX_PATHS + 1 {
        total
    } else {
        MAX_PATHS
    };
    let patterns = cover.patterns.iter().take(most);
    let rows = patterns.map(|pattern| (named(pattern), takes(cover, pattern)));
    let rows: Vec<(String, String)> = rows.collect();
    let widest_path = rows.iter().map(|(path, _)| columns(path)).max();
    let widest_takes = rows.iter().map(|(_, takes)| columns(takes)).max();
    let room = look.width.saturating_sub(4 + widest_takes.unwrap_or(0));
    let width = widest_path.unwrap_or(0).min(room.max(20));
    let line = |(path, takes): &(String, String)| {
        format!("  {}  {takes}", padded(&elided(path, width), width))
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.extend(more(total.saturating_sub(most), look));
    lines
}

/// Writes an invalidation path; a cache tag with what it stands for.
pub(super) fn named(pattern: &Pattern) -> String {
    match &pattern.tag {
        Some(tag) => format!("{} ({})", shown(&pattern.text), shown(&tag.of)),
        None => shown(&pattern.text),
    }
}

/// Writes `12 changed, 3 unchanged ($0.000016)`.
pub(super) fn takes(cover: &Cover, pattern: &Pattern) -> String {
    let mut text = format!("{:>5} changed", count(pattern.changed));
    if pattern.unchanged > 0 {
        text.push_str(&format!(", {} unchanged", count(pattern.unchanged)));
    }
    let cost = refetch_cost(cover, from_ref(pattern));
    if cost.0 > 0 {
        text.push_str(&format!(" ({cost})"));
    }
    if !pattern.empties.is_empty() {
        text.push_str(&format!(", empties {}", shown(&pattern.empties.join(" "))));
    }
    text
}

/// Says why everything is purged, if it is; and what exact paths and `/*` would have cost, where they are not what is sent.
fn notes(purge: &PurgeChoice) -> impl Iterator<Item = String> {
    let whole = purge.stale.whole();
    let whole = whole.map(|reason| format!("Everything is purged: {reason}."));
    whole.into_iter().chain(otherwise(purge))
}

/// Says what exact paths and `/*` would have cost, where they are not what is sent.
pub(super) fn otherwise(purge: &PurgeChoice) -> Option<String> {
    let (sent, exact, whole) = (&purge.cover, &purge.exact, &purge.all);
    let differs = |cover: &Cover| cover.patterns != sent.patterns && !cover.patterns.is_empty();
    let mut others = Vec::new();
    if differs(exact) {
        let (paths, cost) = (counted(exact.paths(), "path"), exact.path_cost);
        others.push(format!("Exact paths would be {paths} for {cost}"));
    }
    if differs(whole) {
        let refetches = match whole.unchanged() {
            1 => "1 needless refetch".to_owned(),
            number => format!("{} needless refetches", count(number)),
        };
        let patterns = whole.patterns.iter();
        let refetch_cost = match refetch_cost(whole, &whole.patterns) {
            Money(0) => String::new(),
            cost => format!(" ({cost})"),
        };
        let empties: Vec<String> = patterns.flat_map(|all| all.empties.clone()).collect();
        let empties = match empties.as_slice() {
            [] => String::new(),
            regions => format!(", and would empty {}", shown(&regions.join(" "))),
        };
        let cost = whole.path_cost;
        others.push(format!(
            "/* would be 1 path for {cost}, with {refetches}{refetch_cost}{empties}"
        ));
    }
    (!others.is_empty()).then(|| format!("{}.", others.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::purge;

    fn pattern(text: &str, changed: u64, unchanged: u64, needless: u64) -> Pattern {
        Pattern {
            text: text.to_owned(),
            changed,
            unchanged,
            needless,
            foreign: 0,
            empties: Vec::new(),
            tag: None,
        }
    }

    #[test]
    fn a_paid_purge_tells_its_price() {
        let cover = Cover {
            patterns: vec![
                pattern("/a/*", 1200, 3, 3),
                Pattern {
                    foreign: 10_000,
                    empties: vec!["/api/*".to_owned()],
                    ..pattern("/api*", 1, 0, 10_000)
                },
                pattern("/b", 1, 0, 0),
            ],
            wildcards: 2,
            free: 1,
            path_cost: Money(10_000_000),
            refetch_cost: Money(5_200 * 10_003),
        };
        assert_eq!(
            heading("E1", CHANGED, &cover, &mut Some(1)),
            "Purge of E1: 3 paths, $0.010 (1 of them free), about 26 s"
        );
        let told: Vec<String> = cover
            .patterns
            .iter()
            .map(|pattern| takes(&cover, pattern))
            .collect();
        assert_eq!(
            told,
            [
                "1,200 changed, 3 unchanged ($0.000016)",
                "    1 changed, empties /api/*",
                "    1 changed",
            ]
        );
    }

    #[test]
    fn alternatives_are_told_where_they_differ() {
        let wide = Cover {
            patterns: vec![pattern("/*", 2, 1, 1)],
            ..Cover::default()
        };
        let narrow = Cover {
            patterns: vec![pattern("/a", 1, 0, 0), pattern("/b", 1, 0, 0)],
            ..Cover::default()
        };
        for (sent, exact, whole, text) in [
            (&narrow, &narrow, &narrow, None),
            (
                &narrow,
                &narrow,
                &wide,
                Some("/* would be 1 path for $0, with 1 needless refetch."),
            ),
            (
                &wide,
                &narrow,
                &wide,
                Some("Exact paths would be 2 paths for $0."),
            ),
        ] {
            let choice = purge(sent.clone(), exact.clone(), whole.clone());
            assert_eq!(otherwise(&choice).as_deref(), text);
        }
    }
}
