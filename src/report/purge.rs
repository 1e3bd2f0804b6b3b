//! What CloudFront will be sent, what each path takes, and what else it could have been. Pure.

use std::time::Duration;

use super::plan::{Context, Look};
use super::text::{columns, count, counted, elided, padded, shown, ticking, wrapped};
use crate::edge::price::{COMPLETION_SECONDS, sending_seconds};
use crate::edge::{Cover, Explanation, Money, Pattern, Purge};
use crate::plan::TargetPurge;

/// Paths shown where not all are asked for.
const MAX_PATHS: usize = 20;

/// What one target will be sent; nothing where it is owed nothing.
pub fn purge(one: &TargetPurge, context: &Context, look: Look) -> Option<String> {
    let (now, after) = (&one.purge.cover, &one.after.cover);
    let target = shown(&one.target);
    let title = |title: &str, cover: &Cover, left: Option<u64>| {
        let text = wrapped(&heading(title, cover, left), look.width, "", "  ");
        look.paint.bold(&text)
    };
    let mut lines = Vec::new();
    if !now.patterns.is_empty() {
        lines.push(title(&format!("Purge of {target}"), now, context.free_left));
        lines.extend(patterns(now, look));
        lines.extend(notes(&one.purge).map(|text| wrapped(&text, look.width, "  ", "  ")));
    }
    if !after.patterns.is_empty() {
        let left = context.free_left.map(|left| left.saturating_sub(now.free));
        lines.push(title(
            &format!("Purge of {target} for removed assets"),
            after,
            left,
        ));
        lines.extend(patterns(after, look));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Why a URL is purged or not, in one sentence.
pub fn explanation(target: &str, it: &Explanation) -> String {
    let (target, path) = (shown(target), shown(&it.path));
    match (&it.pattern, &it.reason) {
        (Some(pattern), Some(reason)) => {
            format!("{target} purges {path} by {}: {reason}.", named(pattern))
        }
        (Some(pattern), None) => {
            let kind = pattern.tag.as_ref().map_or("wildcard", |_| "tag");
            let unchanged =
                format!("it did not change, but one {kind} costs less than the exact paths");
            format!("{target} purges {path} by {}: {unchanged}.", named(pattern))
        }
        (None, Some(reason)) => {
            format!("{target} does not purge {path}, though {reason}: purging is off.")
        }
        (None, None) => {
            let why = it
                .spared
                .map_or("nothing changed there".to_owned(), |why| why.to_string());
            format!("{target} does not purge {path}: {why}.")
        }
    }
}

/// About how many seconds it takes until a purge has completed.
pub fn expected_seconds(cover: &Cover) -> u64 {
    if cover.patterns.is_empty() {
        return 0;
    }
    sending_seconds(cover.paths(), cover.wildcards) + COMPLETION_SECONDS
}

/// What a pattern's needless refetches cost: its part of them all.
pub fn refetch_cost(cover: &Cover, pattern: &Pattern) -> Money {
    let all: u128 = cover
        .patterns
        .iter()
        .map(|it| u128::from(it.needless))
        .sum();
    let part = u128::from(cover.refetch_cost.0) * u128::from(pattern.needless);
    Money(
        part.checked_div(all)
            .and_then(|part| u64::try_from(part).ok())
            .unwrap_or_default(),
    )
}

fn heading(title: &str, cover: &Cover, free_left: Option<u64>) -> String {
    let paths = counted(cover.paths(), "path");
    let left = free_left.map(|left| left.saturating_sub(cover.free));
    let left = left.map(|left| format!(" ({} of this month's left)", count(left)));
    let cost = match (cover.path_cost.0, cover.free) {
        (0, _) => format!("free{}", left.unwrap_or_default()),
        (_, 0) => cover.path_cost.to_string(),
        (_, free) => format!("{} ({} of them free)", cover.path_cost, count(free)),
    };
    let time = ticking(Duration::from_secs(expected_seconds(cover)));
    format!("{title}: {paths}, {cost}, about {time}")
}

fn patterns(cover: &Cover, look: Look) -> Vec<String> {
    let all = cover.patterns.len();
    // The last line is not spent on saying that there is one more.
    let most = if look.verbose || all == MAX_PATHS + 1 {
        all
    } else {
        MAX_PATHS
    };
    let shown_ones = cover.patterns.iter().take(most);
    let rows: Vec<(String, String)> = shown_ones.map(|it| (named(it), takes(cover, it))).collect();
    let widest = |texts: &mut dyn Iterator<Item = &String>| {
        texts.map(|text| columns(text)).max().unwrap_or_default()
    };
    let room = look
        .width
        .saturating_sub(4 + widest(&mut rows.iter().map(|row| &row.1)));
    let width = widest(&mut rows.iter().map(|row| &row.0)).min(room.max(20));
    let line = |(path, takes): &(String, String)| {
        format!("  {}  {takes}", padded(&elided(path, width), width))
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if all > most {
        let more = count((all - most) as u64);
        lines.push(
            look.paint
                .dim(&format!("  ... and {more} more (--verbose shows all)")),
        );
    }
    lines
}

/// An invalidation path; a cache tag with what it stands for.
fn named(pattern: &Pattern) -> String {
    match &pattern.tag {
        Some(tag) => format!("{} ({})", shown(&pattern.text), shown(&tag.of)),
        None => shown(&pattern.text),
    }
}

/// `12 changed, 3 unchanged ($0.000016)`.
fn takes(cover: &Cover, pattern: &Pattern) -> String {
    let mut text = format!("{:>5} changed", count(pattern.changed));
    if pattern.unchanged > 0 {
        text.push_str(&format!(", {} unchanged", count(pattern.unchanged)));
    } else if pattern.needless > 0 {
        text.push_str(", other origins' content");
    }
    let cost = refetch_cost(cover, pattern);
    if cost.0 > 0 {
        text.push_str(&format!(" ({cost})"));
    }
    text
}

/// Why everything is purged, if it is; and what exact paths and `/*` would have cost, where they are not what is sent.
fn notes(purge: &Purge) -> impl Iterator<Item = String> {
    let whole = purge
        .stale
        .whole()
        .map(|reason| format!("Everything is purged: {reason}."));
    whole
        .into_iter()
        .chain(otherwise(&purge.cover, &purge.exact, &purge.all))
}

fn otherwise(sent: &Cover, exact: &Cover, all: &Cover) -> Option<String> {
    let other = |cover: &Cover| cover.patterns != sent.patterns && !cover.patterns.is_empty();
    let exact = other(exact).then(|| {
        let paths = counted(exact.paths(), "path");
        format!("Exact paths would be {paths} for {}", exact.path_cost)
    });
    let all = other(all).then(|| {
        let refetches = match all.unchanged() {
            1 => "1 needless refetch".to_owned(),
            number => format!("{} needless refetches", count(number)),
        };
        let cost = match all.refetch_cost.0 {
            0 => String::new(),
            _ => format!(" ({})", all.refetch_cost),
        };
        format!(
            "/* would be 1 path for {}, with {refetches}{cost}",
            all.path_cost
        )
    });
    let others: Vec<String> = exact.into_iter().chain(all).collect();
    (!others.is_empty()).then(|| format!("{}.", others.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::{Reason, Spared};

    fn pattern(text: &str, changed: u64, unchanged: u64, needless: u64) -> Pattern {
        Pattern {
            text: text.to_owned(),
            changed,
            unchanged,
            needless,
            tag: None,
        }
    }

    #[test]
    fn a_paid_purge_tells_its_price() {
        let cover = Cover {
            patterns: vec![
                pattern("/a/*", 1200, 3, 3),
                pattern("/api*", 1, 0, 10_000),
                pattern("/b", 1, 0, 0),
            ],
            wildcards: 2,
            free: 1,
            path_cost: Money(10_000_000),
            refetch_cost: Money(5_200 * 10_003),
            ..Cover::default()
        };
        assert_eq!(
            heading("Purge of E1", &cover, Some(1)),
            "Purge of E1: 3 paths, $0.010 (1 of them free), about 26 s"
        );
        let told: Vec<String> = cover.patterns.iter().map(|it| takes(&cover, it)).collect();
        assert_eq!(
            told,
            [
                "1,200 changed, 3 unchanged ($0.000016)",
                "    1 changed, other origins' content ($0.052)",
                "    1 changed",
            ]
        );
    }

    #[test]
    fn alternatives_are_told_where_they_differ() {
        let one = Cover {
            patterns: vec![pattern("/*", 2, 1, 1)],
            ..Cover::default()
        };
        let two = Cover {
            patterns: vec![pattern("/a", 1, 0, 0), pattern("/b", 1, 0, 0)],
            ..Cover::default()
        };
        for (sent, exact, all, text) in [
            (&two, &two, &two, None),
            (
                &two,
                &two,
                &one,
                Some("/* would be 1 path for $0, with 1 needless refetch."),
            ),
            (
                &one,
                &two,
                &one,
                Some("Exact paths would be 2 paths for $0."),
            ),
        ] {
            assert_eq!(otherwise(sent, exact, all).as_deref(), text);
        }
    }

    #[test]
    fn a_url_is_explained() {
        let by = |text: &str| Some(pattern(text, 1, 1, 1));
        for (pattern, reason, spared, text) in [
            (
                by("/a/*"),
                Some(Reason::Content),
                None,
                "E1 purges /a/b by /a/*: its content changed.",
            ),
            (
                None,
                None,
                Some(Spared::Unchanged),
                "E1 does not purge /a/b: nothing changed there.",
            ),
            (
                None,
                None,
                None,
                "E1 does not purge /a/b: nothing changed there.",
            ),
            (
                None,
                Some(Reason::Removed),
                None,
                "E1 does not purge /a/b, though it is removed: purging is off.",
            ),
        ] {
            let path = "/a/b".to_owned();
            assert_eq!(
                explanation(
                    "E1",
                    &Explanation {
                        path,
                        pattern,
                        reason,
                        spared
                    }
                ),
                text
            );
        }
    }
}
