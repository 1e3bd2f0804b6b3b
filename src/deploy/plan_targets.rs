//! The distributions as the plan sees them: what each was told, what it is owed, and what its paths cost.

use super::plan_inputs::PlanInputs;
use crate::edge::path::PathDialect;
use crate::edge::price::DeployForecast;
use crate::edge::{Distribution, PurgePrices, ShownSite};
use crate::job::request::Job;
use crate::plan::TargetFacts;
use crate::plan::open::ResentBatch;
use crate::state::RECENT;

impl PlanInputs {
    /// Describes every distribution for the plan.
    pub(super) fn plan_targets(&self, job: &Job, dialect: PathDialect) -> Vec<TargetFacts<'_>> {
        let told = &self.remote.loaded.manifest.distributions;
        // What dead deploys recorded goes first.
        let resent = |batches: &Vec<ResentBatch>| {
            let paths = batches.iter().map(|resent| resent.batch.paths.len() as u64);
            paths.sum::<u64>()
        };
        let all_resent: u64 = self.open.resend.values().map(resent).sum();
        let left = job.free_paths.or(self.month_left(job));
        let prices = PurgePrices {
            free: self.free_paths(job).saturating_sub(all_resent),
            uncharged: left,
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
                resend: self.open.resend.get(&id).map_or(0, resent),
                prices,
                id,
            }
        });
        targets.collect()
    }

    /// Returns what is owed to a target besides what changed objects make stale.
    fn owed(&self, id: &str) -> Vec<String> {
        let mut owed = self.open.owed.get(id).cloned().unwrap_or_default();
        let function = self.targets.functions.iter();
        owed.extend(function.flat_map(|function| function.owed(id)).cloned());
        owed
    }

    /// Returns what is left of the free paths that this site may use in a month, after what its own deploys spent; none where the
    /// distribution's plan includes them all.
    pub(crate) fn month_left(&self, job: &Job) -> Option<u64> {
        let purge = &job.settings.purge;
        let spent = self.remote.state.object.paths_in_month(self.now);
        let left = purge.free_paths_per_month.saturating_sub(spent);
        (!purge.plan.includes_paths()).then_some(left)
    }

    /// Returns how many paths this deploy may take for free.
    fn free_paths(&self, job: &Job) -> u64 {
        let Some(left) = self.month_left(job) else {
            return u64::MAX;
        };
        if let Some(free) = job.free_paths {
            return free;
        }
        let now = jiff::Timestamp::from_second(self.now).unwrap_or_default();
        let date = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let recent = self.remote.state.object.recent.iter();
        let recent = recent.map(|deploy| (self.now.abs_diff(deploy.at), deploy.paths));
        let forecast = DeployForecast::new(recent, RECENT);
        forecast.share(
            left,
            date.day().unsigned_abs().into(),
            date.days_in_month().unsigned_abs().into(),
        )
    }
}
