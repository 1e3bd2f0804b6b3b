//! `unstale quota`.

use serde::Serialize;
use serde_json::json;

use super::printer::Printer;
use super::text::{count, counted};
use crate::edge::price::FREE_PATHS;

/// What an account spent of a month's free paths.
#[derive(Debug)]
pub struct MonthlyQuota {
    /// When the month began.
    pub since: jiff::Timestamp,
    /// What spent something.
    pub spent: Vec<SpentPaths>,
    /// Ids of what is on a flat-rate plan, and is not counted.
    pub included: Vec<String>,
    /// How many others there are, whether they spent something or not.
    pub distributions: u64,
    pub tenants: u64,
}

/// What a distribution or a tenant spent.
#[derive(Debug, Serialize)]
pub struct SpentPaths {
    /// `distribution` or `tenant`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub id: String,
    pub name: String,
    pub invalidations: u64,
    pub paths: u64,
}

impl Printer {
    pub fn quota(&self, quota: &MonthlyQuota) {
        for spent in &quota.spent {
            self.spent(spent);
        }
        let used: u64 = quota.spent.iter().map(|spent| spent.paths).sum();
        let left = FREE_PATHS.saturating_sub(used);
        let mut places = counted(quota.distributions, "distribution");
        if quota.tenants > 0 {
            places.push_str(&format!(", {}", counted(quota.tenants, "tenant")));
        }
        if !quota.included.is_empty() {
            let included = quota.included.join(", ");
            places.push_str(&format!("; not {included}, on a flat-rate plan"));
        }
        let text = format!(
            "{} of {} free paths used since {}, {} left ({places})",
            count(used),
            count(FREE_PATHS),
            quota.since.strftime("%-d %B %Y"),
            count(left),
        );
        let object = json!({
            "type": "quota", "since": quota.since.to_string(), "used": used, "left": left, "free": FREE_PATHS,
            "over": used.saturating_sub(FREE_PATHS), "distributions": quota.distributions, "tenants": quota.tenants,
            "included-in-plan": quota.included,
        });
        self.result(&self.wrapped(&text, "", ""), &object);
    }

    fn spent(&self, spent: &SpentPaths) {
        let paths = counted(spent.paths, "path");
        let invalidations = counted(spent.invalidations, "invalidation");
        let text = format!("{}  {paths} in {invalidations}  ({})", spent.id, spent.name);
        self.result(&text, spent);
    }

    /// Tells how far the count got.
    pub fn counting(&self, done: usize, total: usize) {
        self.note(&format!("{done} of {total} invalidations counted"));
    }

    pub fn tenants_not_counted(&self, why: &str) {
        self.warn(&format!(
            "what tenants of multi-tenant distributions used is not counted: {why}"
        ));
    }
}
