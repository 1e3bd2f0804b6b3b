//! What a plan or a deploy comes to: the page's head.

use std::collections::HashSet;

use super::html::{escaped, list, section};
use super::subject::{PageSubject, ReportedDeploy};
use crate::edge::Money;
use crate::error::Error;
use crate::object::plural::count;
use crate::plan::{COPY_PRICE, DistributionPurge, Plan, Reason};
use crate::report::findings::other_warnings;
use crate::report::plan::{PlanContext, remarks};
use crate::report::summary;
use crate::report::text::{bytes, counted, shown, utc};

/// Bytes of a list.
const BUDGET: usize = 10_000;

/// Returns the page's name: what is planned or was done, and where.
pub(super) fn title(subject: &PageSubject<'_>) -> String {
    let place = subject.context.destination();
    match &subject.deploy {
        None => format!("Plan for {place}"),
        Some(deploy) => match (deploy.summary, deploy.error) {
            (Some(done), _) => summary::headline(done),
            (None, Some(_)) => format!("Nothing was changed in {place}"),
            (None, None) => format!("Deploy to {place}"),
        },
    }
}

/// Writes when, by whom and how it went.
pub(super) fn head(subject: &PageSubject<'_>) -> String {
    let mut facts = vec![utc(subject.at, "%-d %B %Y, %H:%M UTC")];
    let purges = subject.plan.iter().flat_map(|plan| &plan.purges);
    let purges = purges.take(5);
    facts.extend(purges.map(|purge| subject.context.title(&purge.target)));
    if let Some(done) = subject.deploy.as_ref().and_then(|deploy| deploy.summary) {
        facts.extend(done.deploy.iter().map(|id| format!("deploy {id}")));
    }
    if let Some(commit) = subject.commit {
        let short = shown(commit.get(..12).unwrap_or(commit));
        facts.push(format!("commit {short}"));
    }
    let facts = facts.iter();
    let facts: String = facts
        .map(|fact| format!("<li>{}</li>", escaped(fact)))
        .collect();
    let failure = subject.deploy.as_ref().and_then(|deploy| deploy.error);
    format!(
        "<h1>{}</h1>\n<ul class=\"facts\">{facts}</ul>\n{}",
        escaped(&title(subject)),
        failure.map(failed).unwrap_or_default()
    )
}

fn failed(error: &Error) -> String {
    let causes = list(&error.causes, BUDGET, |cause| escaped(cause));
    let hint = error.hint.as_ref();
    let hint = hint.map(|hint| format!("<p>{}</p>\n", escaped(hint)));
    format!(
        "<div class=\"failure\" role=\"alert\"><p><strong>{}</strong></p>\n{causes}{}</div>\n",
        escaped(&error.message),
        hint.unwrap_or_default()
    )
}

/// Writes what a plan comes to in figures, what else is to be known of it, and what a deploy of it did.
pub(super) fn sections(subject: &PageSubject<'_>) -> String {
    let deployed = subject.deploy.as_ref().map(done).unwrap_or_default();
    // What went as planned is not told twice.
    let done = subject.deploy.as_ref().and_then(|deploy| deploy.summary);
    let is_done = done.is_some_and(summary::is_done);
    let figures = subject.plan.filter(|_| !is_done).map(figures);
    let figures = figures.unwrap_or_default();
    let remarks = subject.plan.map(|plan| remarks(plan, subject.context));
    let remarks = remarks.unwrap_or_default();
    let remarks = list(remarks, BUDGET, |remark| escaped(&remark));
    let told = subject.deploy.as_ref().map(|deploy| deploy.line.warnings());
    let planned = subject.plan.map(other_warnings);
    let warnings = subject.context.refused.iter();
    let warnings = warnings.chain(planned.unwrap_or_default());
    let warnings = warnings.chain(told.unwrap_or_default());
    let mut told_already = HashSet::new();
    let warnings = warnings.filter(|warning| told_already.insert(*warning));
    let warnings = list(warnings, BUDGET, |warning| escaped(warning));
    let totals = match &subject.deploy {
        None => "In all",
        Some(_) if is_done => "Besides",
        Some(_) => "What was planned",
    };
    [
        section("done", "What was done", &deployed),
        section("totals", totals, &format!("{figures}{remarks}")),
        section("warnings", "Warnings", &warnings),
    ]
    .concat()
}

/// Writes a list of names and figures.
fn terms(terms: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let terms = terms.into_iter();
    let terms = terms.map(|(name, text)| {
        format!(
            "<div><dt>{}</dt><dd>{}</dd></div>",
            escaped(name),
            escaped(&text)
        )
    });
    let terms: String = terms.collect();
    if terms.is_empty() {
        return terms;
    }
    format!("<dl class=\"figures\">{terms}</dl>\n")
}

fn done(deploy: &ReportedDeploy<'_>) -> String {
    let Some(done) = deploy.summary else {
        return String::new();
    };
    let purges = summary::purges(done, deploy.line.completed());
    let purges = list(purges, BUDGET, |line| format!("Purged {}", escaped(&line)));
    let url = done.url.as_ref().filter(|_| deploy.error.is_none());
    // Without its scheme: the page leads nowhere.
    let url = url.map(|url| url.split_once("://").map_or(url.as_str(), |(_, host)| host));
    let url = url.map(|url| format!("<p>Live at {}</p>\n", escaped(url)));
    format!(
        "{}{purges}{}",
        terms(summary::parts(done)),
        url.unwrap_or_default()
    )
}

fn figures(plan: &Plan) -> String {
    let counts = plan.counts();
    let counted = |reason: Reason| counts.get(&reason).copied().unwrap_or_default() as u64;
    let paths: u64 = plan.purges.iter().map(DistributionPurge::paths).sum();
    let price: Money = plan.purges.iter().map(DistributionPurge::cost).sum();
    let forced = counted(Reason::Forced);
    let figures = [
        ("new", count(counted(Reason::New))),
        ("changed", count(counted(Reason::Content))),
        ("headers only", count(counted(Reason::Headers))),
        ("removed", count(counted(Reason::Removed))),
        ("unchanged", count(plan.unchanged as u64)),
        ("to send", bytes(plan.upload_bytes())),
        ("purge paths", count(paths)),
        ("purge price", price.to_string()),
    ];
    let forced = (forced > 0).then(|| ("forced", count(forced)));
    terms(figures.into_iter().chain(forced))
}

/// Says what the deploy asks of S3 and CloudFront, and what is left of the month's free paths.
pub(super) fn price(plan: &Plan, context: &PlanContext) -> String {
    let writes = plan.changes.len() as u64 + plan.kept_copies.requests();
    let free = plan.purges.iter();
    let free: u64 = free
        .map(|purge| purge.purge.cover.free + purge.after.cover.free)
        .sum();
    let paths: u64 = plan.purges.iter().map(DistributionPurge::paths).sum();
    let price: Money = plan.purges.iter().map(DistributionPurge::cost).sum();
    let mut lines = Vec::new();
    if writes > 0 {
        let cost = COPY_PRICE * writes;
        let writes = counted(writes, "upload");
        lines.push(format!("{writes} or copies at S3's usual price: {cost}"));
    }
    if paths > 0 {
        let paths = counted(paths, "path");
        lines.push(format!("{paths} purged: {price}"));
    }
    if let Some(left) = context.free_left.filter(|_| paths > 0) {
        let (after, left) = (count(left.saturating_sub(free)), count(left));
        lines.push(format!(
            "Free paths of this month: {left} left before, {after} after"
        ));
    }
    list(lines, BUDGET, |line| escaped(&line))
}
