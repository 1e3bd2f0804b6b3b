//! The distributions as the plan sees them: what each was told, what it is owed, and what its paths cost.

use super::plan_inputs::PlanInputs;
use crate::edge::path::PathDialect;
use crate::edge::{Distribution, PurgePrices, ShownSite, price};
use crate::job::request::Job;
use crate::plan::TargetFacts;
use crate::state::RECENT;

impl PlanInputs {
    /// Describes every distribution for the plan.
    pub(super) fn plan_targets(&self, job: &Job, dialect: PathDialect) -> Vec<TargetFacts<'_>> {
        let told = &self.remote.loaded.manifest.distributions;
        let prices = PurgePrices {
            free: self.free_paths(job),
            ..job.prices
        };
        let may_tag = !dialect.quote_refused && self.open.are_paid();
        let targets = self.targets.found.iter();
        let targets = targets.map(|target| {
            let id = target.id().to_owned();
            let told = told.get(&id);
            let tags = target.takes_tags(job.settings.tags);
            let config = (target.distribution.as_ref()).map_or(0, Distribution::fingerprint);
            let has_tags =
                told.is_some_and(|told| told.config == config && told.tags_since.is_some());
            let site = target.site(job).map(|site| ShownSite {
                dialect,
                tagged: tags && may_tag && has_tags,
                ..site
            });
            TargetFacts {
                site,
                unreadable: target.distribution.as_ref().err().cloned(),
                config,
                tags,
                told,
                owed: self.owed(&id),
                resend: self.open.resend.contains_key(&id),
                prices,
                id,
            }
        });
        targets.collect()
    }

    /// Returns what is owed to a target besides what changed objects make stale.
    fn owed(&self, id: &str) -> Vec<String> {
        let mut owed = self.open.owed.get(id).cloned().unwrap_or_default();
        let function = self.targets.function.iter();
        owed.extend(function.flat_map(|function| function.owed(id)).cloned());
        owed
    }

    /// Returns what is left of the month's free paths, as far as this site's own deploys spent them.
    pub(crate) fn month_left(&self, job: &Job) -> u64 {
        let spent = self.remote.state.object.paths_in_month(self.now);
        job.settings
            .purge
            .free_paths
            .unwrap_or(price::FREE_PATHS.saturating_sub(spent))
    }

    /// Returns this deploy's share of what is left of the month's free paths.
    fn free_paths(&self, job: &Job) -> u64 {
        if let Some(free) = job.free_paths {
            return free;
        }
        let now = jiff::Timestamp::from_second(self.now).unwrap_or_default();
        let date = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let recent = &self.remote.state.object.recent;
        let ages = recent.iter().map(|deploy| self.now.abs_diff(deploy.at));
        price::share(
            self.month_left(job),
            date.day().unsigned_abs().into(),
            date.days_in_month().unsigned_abs().into(),
            price::monthly_deploys(ages, RECENT),
        )
    }
}
