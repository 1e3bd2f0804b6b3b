//! What is looked at in the site itself, whatever it changes: its links.

use std::collections::HashSet;

use super::plan_inputs::PlanInputs;
use crate::job::request::Job;
use crate::plan::Plan;
use crate::site::links;

impl PlanInputs {
    /// Adds to the plan what is wrong with the site as it will be.
    pub(super) fn check_site(&self, job: &Job, plan: &mut Plan) {
        let deletions = plan.deletions.iter();
        let goes: HashSet<&str> = deletions.map(|deletion| deletion.key.as_str()).collect();
        let prefix = self.place.prefix.len();
        let listing = self.remote.listing.iter();
        let others = listing.filter_map(|object| object.key.get(prefix..));
        let others = others.filter(|key| !goes.contains(key));
        plan.links = links::judged(&self.source, job, &self.targets, others);
    }
}
