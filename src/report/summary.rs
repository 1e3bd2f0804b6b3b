//! What a deploy came to: three lines for people, an object for programs. Pure.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::json::typed;
use super::options::TextLook;
use super::text::{
    bytes, count, counted, destination, first_names, labelled, seconds, shown, ticking, wrapped,
};
use crate::edge::Money;
use crate::error::Exit;
use crate::job::{DeploySummary, InvalidationSummary};

/// Invalidation ids shown of one distribution.
const MAX_IDS: usize = 3;

/// Outcomes of a deploy.
const DONE: &str = Exit::Done.word();
const STALE: &str = Exit::Stale.word();
const INTERRUPTED: &str = Exit::Interrupted.word();
const NOTHING: &str = "nothing to do";
const NO_DEBT: &str = "nothing to resume";

/// How long each invalidation took, by its id, as far as they completed.
pub(super) type Completions = HashMap<String, Duration>;

/// Writes the summary for people, without a line break at its end.
pub(super) fn text(summary: &DeploySummary, completed: &Completions, look: TextLook) -> String {
    let headline = headline(summary);
    if is_nothing(summary) || summary.outcome == NO_DEBT {
        return wrapped(&format!("{headline}."), look.width, "", "  ");
    }
    let headline = wrapped(&headline, look.width, "", "  ");
    let mut lines = vec![look.paint.bold(&headline)];
    lines.extend(columned(&parts(summary), look.width));
    let purges = purges(summary, completed).into_iter();
    let purges = purges.map(|line| ("purged", line));
    let owed = summary.paths_owed.iter().map(|(target, paths)| {
        let (paths, target) = (counted(*paths, "path"), shown(target));
        let edges = "edges hold old pages there until a deploy purges them";
        ("owed", format!("{paths} of {target}: {edges}"))
    });
    let live = live_at(summary).map(|url| ("live at", shown(url)));
    let rows = purges.chain(owed).chain(live);
    lines.extend(rows.map(|(label, text)| {
        let label = format!("  {label:<12} ");
        labelled(&label, &text, look.width)
    }));
    lines.join("\n")
}

/// Returns the summary as an object.
pub(super) fn json(summary: &DeploySummary) -> Value {
    typed("summary", summary)
}

/// Returns the last object of any command: its own summary, or an empty one, with the exit status.
pub(super) fn concluded(own: Option<Value>, exit: Exit) -> Value {
    let mut summary = own.unwrap_or_else(|| json!({"type": "summary"}));
    let told = summary["outcome"].as_str().unwrap_or_default();
    if told.is_empty() {
        summary["outcome"] = json!(exit.word());
    }
    summary["exit"] = json!(exit as i32);
    summary
}

/// Says that a deploy finds nothing to do.
pub(super) fn nothing_to_do(destination: &str) -> String {
    format!("Nothing to do: {destination} holds this build")
}

/// Returns where the site is to be seen, once all of it is there.
pub(super) fn live_at(summary: &DeploySummary) -> Option<&str> {
    summary.url.as_deref().filter(|_| is_done(summary))
}

pub(super) fn is_done(summary: &DeploySummary) -> bool {
    summary.outcome == DONE
}

pub(super) fn is_nothing(summary: &DeploySummary) -> bool {
    summary.outcome == NOTHING
}

fn acted(summary: &DeploySummary) -> bool {
    let done = [
        summary.uploaded,
        summary.copied,
        summary.deleted,
        summary.failed,
        summary.paths_purged,
    ];
    summary.outcome == DONE || summary.deploy.is_some() || done.iter().any(|number| *number > 0)
}

/// Says in a line how a deploy went.
pub(super) fn headline(summary: &DeploySummary) -> String {
    let place = destination(&summary.bucket, &summary.prefix);
    let files = summary.uploaded + summary.copied + summary.unchanged;
    let files = counted(files, "file");
    let time = seconds(summary.seconds);
    match summary.outcome.as_str() {
        NOTHING => nothing_to_do(&place),
        NO_DEBT => format!("Nothing to resume: no deploy left anything open at {place}"),
        _ if !acted(summary) => format!("Nothing was changed in {place}"),
        // All of it is there, and the purge goes on.
        DONE | STALE => format!("Deployed {files} to {place} in {time}"),
        INTERRUPTED => format!("Interrupted after {time}, with {files} of the build in {place}"),
        _ => format!("Deployed in part: {files} of the build to {place} in {time}"),
    }
}

/// Returns the counts; what there is none of is left out.
pub(super) fn parts(summary: &DeploySummary) -> Vec<(&'static str, String)> {
    let uploaded = format!(" ({})", bytes(summary.uploaded_bytes));
    let counts = [
        ("failed", summary.failed, ""),
        ("uploaded", summary.uploaded, uploaded.as_str()),
        ("copied", summary.copied, ""),
        ("deleted", summary.deleted, ""),
        ("unchanged", summary.unchanged, ""),
        ("kept for open pages", summary.retained, ""),
        ("not ours", summary.foreign, ""),
    ];
    let some = counts.into_iter().filter(|(_, number, _)| *number > 0);
    some.map(|(what, number, size)| (what, format!("{}{size}", count(number))))
        .collect()
}

/// Lays out the first on the left, the others after it, going to the next line where the width ends.
fn columned(parts: &[(&'static str, String)], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (what, number) in parts {
        let next = format!("   {what} {number}");
        match lines.last_mut() {
            Some(line) if line.len() + next.len() <= width => line.push_str(&next),
            _ => lines.push(format!("  {what:<12} {number}")),
        }
    }
    lines
}

/// Returns a line for each distribution, with what it cost.
pub(super) fn purges(summary: &DeploySummary, completed: &Completions) -> Vec<String> {
    let mut targets: Vec<(&str, Vec<&InvalidationSummary>)> = Vec::new();
    for invalidation in &summary.invalidations {
        let name = &invalidation.distribution;
        match targets.iter_mut().find(|(target, _)| target == name) {
            Some((_, sent)) => sent.push(invalidation),
            None => targets.push((name, vec![invalidation])),
        }
    }
    let line = |(target, sent): &(&str, Vec<&InvalidationSummary>)| {
        let cost = summary.costs_usd.get(*target).copied();
        let cost = match Money::from_dollars(cost.unwrap_or_default()) {
            Money(0) => "free".to_owned(),
            cost => cost.to_string(),
        };
        format!("{}, {cost}", target_line(target, sent, completed))
    };
    targets.iter().map(line).collect()
}

fn target_line(target: &str, sent: &[&InvalidationSummary], completed: &Completions) -> String {
    let paths = counted(sent.iter().map(|sent| sent.paths).sum(), "path");
    let ids = first_names(sent.iter().map(|sent| sent.id.as_str()), MAX_IDS);
    let is_done = |sent: &&InvalidationSummary| sent.status.eq_ignore_ascii_case("completed");
    let longest = sent.iter().filter_map(|sent| completed.get(&sent.id)).max();
    let state = match longest {
        _ if !sent.iter().all(is_done) => "still in progress".to_owned(),
        Some(time) => format!("completed in {}", ticking(*time)),
        None => "completed".to_owned(),
    };
    format!("{paths} of {} ({ids}), {state}", shown(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> DeploySummary {
        let sent = |id: &str| InvalidationSummary {
            distribution: "E123".to_owned(),
            id: id.to_owned(),
            paths: 4,
            status: "Completed".to_owned(),
        };
        DeploySummary {
            deploy: Some("d1".to_owned()),
            outcome: "done".to_owned(),
            bucket: "site".to_owned(),
            uploaded: 12,
            uploaded_bytes: 1_300_000,
            copied: 2,
            deleted: 1,
            unchanged: 12_298,
            retained: 3,
            paths_purged: 4,
            invalidations: vec![sent("I2J0I21PCUYOIK")],
            seconds: 2.14,
            ..DeploySummary::default()
        }
    }

    fn look(width: usize) -> TextLook {
        TextLook {
            width,
            ..TextLook::default()
        }
    }

    fn text(summary: &DeploySummary) -> String {
        let completed = Completions::from([("I2J0I21PCUYOIK".to_owned(), Duration::from_secs(3))]);
        super::text(summary, &completed, look(80))
    }

    #[test]
    fn a_summary_tells_what_was_done() {
        insta::assert_snapshot!(text(&site()), @r#"
        Deployed 12,312 files to s3://site in 2.1 s
          uploaded     12 (1.3 MB)   copied 2   deleted 1   unchanged 12,298
          kept for open pages 3
          purged       4 paths of E123 (I2J0I21PCUYOIK), completed in 3 s, free
        "#);
    }

    #[test]
    fn a_summary_of_nothing_says_so() {
        let idle = DeploySummary {
            bucket: "site".to_owned(),
            prefix: "docs/".to_owned(),
            unchanged: 300,
            outcome: NOTHING.to_owned(),
            ..DeploySummary::default()
        };
        insta::assert_snapshot!(text(&idle), @"Nothing to do: s3://site/docs/ holds this build.");
    }

    #[test]
    fn a_summary_of_a_part_says_what_follows() {
        let mut part = site();
        part.outcome = "incomplete".to_owned();
        part.failed = 2;
        part.cost_usd = 0.015;
        part.costs_usd = [("E123".to_owned(), 0.015)].into();
        let first = part.invalidations[0].clone();
        for id in ["I2", "I3", "I4"] {
            part.invalidations.push(InvalidationSummary {
                id: id.to_owned(),
                status: "InProgress".to_owned(),
                ..first.clone()
            });
        }
        insta::assert_snapshot!(text(&part), @r#"
        Deployed in part: 12,312 files of the build to s3://site in 2.1 s
          failed       2   uploaded 12 (1.3 MB)   copied 2   deleted 1
          unchanged    12,298   kept for open pages 3
          purged       16 paths of E123 (I2J0I21PCUYOIK, I2, I3 and 1 more), still in
                       progress, $0.015
        "#);
    }

    #[test]
    fn only_what_was_told_done_is_called_so() {
        for (outcome, deploy, head) in [
            ("done", true, "Deployed 0 files"),
            ("stale", true, "Deployed 0 files"),
            ("", true, "Deployed in part"),
            ("interrupted", true, "Interrupted after"),
            ("", false, "Nothing was changed"),
            (NOTHING, false, "Nothing to do"),
        ] {
            let text = text(&DeploySummary {
                outcome: outcome.to_owned(),
                deploy: deploy.then(String::new),
                ..DeploySummary::default()
            });
            assert!(text.starts_with(head), "{outcome} {text}");
        }
    }

    #[test]
    fn the_last_object_tells_how_it_ended() {
        for (own, exit, expected) in [
            (
                None,
                Exit::Stale,
                json!({"type": "summary", "outcome": "stale", "exit": 5}),
            ),
            (
                Some(json!({"type": "summary", "outcome": "", "uploaded": 1})),
                Exit::Failed,
                json!({"type": "summary", "outcome": "failed", "uploaded": 1, "exit": 1}),
            ),
            (
                Some(json!({"type": "summary", "outcome": NOTHING})),
                Exit::Done,
                json!({"type": "summary", "outcome": NOTHING, "exit": 0}),
            ),
        ] {
            assert_eq!(concluded(own, exit), expected);
        }
    }

    #[test]
    fn lines_end_at_the_width() {
        for width in [50, 60, 80] {
            let text = super::text(&site(), &Completions::new(), look(width));
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(width), "{text}");
        }
    }
}
