//! What is looked at in the site itself, whatever it changes: its links, and what it comes to.

use std::collections::HashSet;

use super::plan_inputs::PlanInputs;
use crate::edge::Money;
use crate::job::request::Job;
use crate::object::Key;
use crate::object::plural::count;
use crate::plan::budget::{BudgetLine, BudgetUnit};
use crate::plan::{DistributionPurge, Plan, TOLD_LINKS};
use crate::rules::link_report::LinkReport;
use crate::scan::LocalFile;
use crate::site::links;
use crate::site::source::SiteSource;

impl PlanInputs {
    /// Adds to the plan what is wrong with the site as it will be.
    pub(super) fn check_site(&self, job: &Job, plan: &mut Plan) {
        let deletions = plan.deletions.iter();
        let goes: HashSet<&str> = deletions.map(|deletion| deletion.key.as_str()).collect();
        let prefix = self.place.prefix.len();
        let listing = self.remote.listing.iter();
        let others = listing.filter_map(|object| object.key.get(prefix..));
        let others = others.filter(|key| !goes.contains(key));
        let found = links::look(&self.source, job, &self.targets, others);
        plan.budget = self.budget(job, plan, found.heaviest);
        let mut warnings: Vec<String> = found.links.iter().filter_map(warning).collect();
        warnings.extend(
            plan.budget
                .iter()
                .filter(|line| line.is_passed())
                .map(passed),
        );
        let known = self.remote.state.object.known_warnings(&warnings);
        plan.known_warnings.extend(known);
        plan.warnings.extend(warnings);
        plan.links = found.links;
    }

    /// Returns where each limit stands that the settings set. A rollback is held to those of its purge alone.
    fn budget(&self, job: &Job, plan: &Plan, heaviest: Option<(Key, u64)>) -> Vec<BudgetLine> {
        let limits = &job.settings.budget;
        let files = self.source.files();
        let largest = files.iter().max_by_key(|file| file.size);
        let site: u64 = files.iter().map(|file| file.size).sum();
        let largest = largest.map(|file: &LocalFile| (file.name().clone(), file.size));
        let mut lines = Vec::new();
        if let SiteSource::Build(_) = self.source {
            for (name, limit, (culprit, bytes)) in [
                ("page", limits.page, heaviest.unzip()),
                ("site", limits.site, (None, Some(site))),
                ("file", limits.file, largest.unzip()),
            ] {
                lines.extend(limit.map(|limit| BudgetLine {
                    name,
                    unit: BudgetUnit::Bytes,
                    limit: limit.0 as f64,
                    actual: bytes.unwrap_or(0) as f64,
                    culprit: culprit.map(|key| key.to_string()),
                }));
            }
            let files = files.len() as f64;
            lines.extend(
                limits
                    .files
                    .map(|limit| line("files", BudgetUnit::Files, (limit as f64, files))),
            );
        }
        let paths: u64 = plan.purges.iter().map(DistributionPurge::paths).sum();
        let limit = limits.purge_paths;
        lines.extend(limit.map(|limit| {
            line(
                "purge-paths",
                BudgetUnit::Paths,
                (limit as f64, paths as f64),
            )
        }));
        let costs = plan.purges.iter().map(DistributionPurge::cost);
        let cost = costs
            .fold(Money::default(), |sum, cost| sum + cost)
            .dollars();
        let limit = limits.purge_cost;
        lines.extend(limit.map(|limit| line("purge-cost", BudgetUnit::Dollars, (limit.0, cost))));
        lines
    }
}

fn line(name: &'static str, unit: BudgetUnit, (limit, actual): (f64, f64)) -> BudgetLine {
    BudgetLine {
        name,
        unit,
        limit,
        actual,
        culprit: None,
    }
}

/// Warns of links, the first few by their pages.
fn warning(report: &LinkReport) -> Option<String> {
    let lines = report.lines();
    let more = lines.len().saturating_sub(TOLD_LINKS);
    let mut told: Vec<String> = vec![format!("{}; `unstale links` lists all", report.summary()?)];
    told.extend(lines.into_iter().take(TOLD_LINKS));
    if more > 0 {
        told.push(format!("and {} more", count(more as u64)));
    }
    Some(told.join("\n"))
}

/// Warns of a limit that is passed.
fn passed(line: &BudgetLine) -> String {
    let BudgetLine { name, culprit, .. } = line;
    let by = culprit.as_ref().map(|culprit| format!(": {culprit}"));
    format!("`{name}` of [budget] is passed{}", by.unwrap_or_default())
}
