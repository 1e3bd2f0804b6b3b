//! What is looked at in the site itself, whatever it changes: its links, and what it comes to.

use std::collections::HashSet;

use super::plan_inputs::PlanInputs;
use crate::edge::Money;
use crate::job::request::Job;
use crate::object::Key;
use crate::plan::budget::{BudgetLine, BudgetUnit};
use crate::plan::{DistributionPurge, Plan};
use crate::rules::link_report::LinkReport;
use crate::settings::values::ByteSize;
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
        let mut warnings: Vec<String> =
            found.links.iter().filter_map(LinkReport::warning).collect();
        let over = plan.budget.iter().filter(|line| line.is_passed());
        warnings.extend(over.map(BudgetLine::warning));
        let known = self.remote.state.object.known_warnings(&warnings);
        plan.known_warnings.extend(known);
        plan.warnings.extend(warnings);
        plan.links = found.links;
    }

    /// Returns where each limit stands that the settings set; what is no build has the limits of its purge alone.
    fn budget(&self, job: &Job, plan: &Plan, heaviest: Option<(Key, u64)>) -> Vec<BudgetLine> {
        use BudgetUnit::{Bytes, Dollars, Files, Paths};
        let limits = &job.settings.budget;
        let files = self.source.files();
        let site = files.iter().map(|file| file.size).sum();
        let largest = files.iter().max_by_key(|file| file.size);
        let largest = largest.map(|file| (file.name().clone(), file.size));
        let paths: u64 = plan.purges.iter().map(DistributionPurge::paths).sum();
        let costs = plan.purges.iter().map(DistributionPurge::cost);
        let cost = costs.fold(Money::default(), |sum, cost| sum + cost);
        let bytes = |limit: Option<ByteSize>| limit.map(|limit| limit.0 as f64);
        let number = |limit: Option<u64>| limit.map(|limit| limit as f64);
        let by = |culprit: Option<(Key, u64)>| {
            let (key, bytes) = culprit.unzip();
            (bytes.unwrap_or(0) as f64, key)
        };
        let sole = |amount: u64| (amount as f64, None);
        let dollars = limits.purge_cost.map(|limit| limit.0);
        let lines = [
            ("page", Bytes, bytes(limits.page), by(heaviest)),
            ("site", Bytes, bytes(limits.site), sole(site)),
            ("file", Bytes, bytes(limits.file), by(largest)),
            (
                "files",
                Files,
                number(limits.files),
                sole(files.len() as u64),
            ),
            (
                "purge-paths",
                Paths,
                number(limits.purge_paths),
                sole(paths),
            ),
            ("purge-cost", Dollars, dollars, (cost.dollars(), None)),
        ];
        let is_build = matches!(self.source, SiteSource::Build(_));
        let is_meant = |unit: BudgetUnit| is_build || matches!(unit, Paths | Dollars);
        let lines = lines.into_iter().filter(|(_, unit, ..)| is_meant(*unit));
        let line = |(name, unit, limit, (actual, culprit)): (_, _, _, (f64, Option<Key>))| {
            Some(BudgetLine {
                name,
                unit,
                limit: limit?,
                actual,
                culprit: culprit.map(|key| key.to_string()),
            })
        };
        lines.filter_map(line).collect()
    }
}
