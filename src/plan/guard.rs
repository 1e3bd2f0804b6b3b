//! What stops a deploy before anything is changed.

use super::Plan;
use crate::object::plural::counted;
use crate::rules::link_report::LinkPolicy;

/// Deletions up to which nobody is asked.
const FEW: usize = 10;

/// Why a plan is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanRefusal {
    #[error("this would delete {deletes} of {}, more than half", counted(*.objects as u64, "object"))]
    Half { deletes: usize, objects: usize },
    #[error("this would delete {}, more than --max-delete {limit}", counted(*.deletes as u64, "object"))]
    Limit { deletes: usize, limit: usize },
    #[error("{}", .summary)]
    Links { summary: String },
    #[error("over the budget: {}", .names.join(", "))]
    Budget { names: Vec<&'static str> },
}

impl PlanRefusal {
    /// Returns how many objects would go, where that is why.
    pub fn deletes(&self) -> Option<usize> {
        match self {
            Self::Half { deletes, .. } | Self::Limit { deletes, .. } => Some(*deletes),
            Self::Links { .. } | Self::Budget { .. } => None,
        }
    }

    pub fn hint(&self) -> String {
        match self {
            Self::Half { deletes, .. } | Self::Limit { deletes, .. } => format!(
                "if the build is right, allow it with --max-delete {deletes}, or keep everything with --no-delete; `unstale plan` lists what would go"
            ),
            Self::Links { .. } => {
                "`unstale links` lists them; `links-except` in deploy.toml names paths of which nothing is said, and `--links warn` deploys".to_owned()
            }
            Self::Budget { .. } => {
                "`unstale plan` shows where each limit of [budget] stands; without --strict it is a warning".to_owned()
            }
        }
    }
}

/// Refuses a plan that deletes more than anybody is likely to mean: more than `max_delete` objects, or where no number is
/// given, ten and more that are more than half. Fingerprinted assets count neither here nor there, since an ordinary build
/// renames half of its files, nor do those that stayed for their time.
pub fn check(plan: &Plan, max_delete: Option<usize>) -> Result<(), PlanRefusal> {
    let counted = plan
        .deletions
        .iter()
        .filter(|deletion| !deletion.fingerprinted && !deletion.retained);
    let deletes = counted.count();
    match max_delete {
        Some(limit) if deletes > limit => Err(PlanRefusal::Limit { deletes, limit }),
        Some(_) => Ok(()),
        None if deletes >= FEW && deletes * 2 > plan.objects_before => Err(PlanRefusal::Half {
            deletes,
            objects: plan.objects_before,
        }),
        None => Ok(()),
    }
}

/// Refuses a site whose links the policy denies.
pub fn check_links(plan: &Plan, policy: LinkPolicy) -> Result<(), PlanRefusal> {
    let report = plan.links.as_ref().filter(|_| policy == LinkPolicy::Deny);
    let refused = report.filter(|report| report.refused() > 0);
    match refused.and_then(|report| report.summary()) {
        Some(summary) => Err(PlanRefusal::Links { summary }),
        None => Ok(()),
    }
}

/// Refuses a plan that passes a limit of the budget.
pub fn check_budget(plan: &Plan) -> Result<(), PlanRefusal> {
    let passed = plan.budget.iter().filter(|line| line.is_passed());
    let names: Vec<&str> = passed.map(|line| line.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(PlanRefusal::Budget { names })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{ETag, Key};
    use crate::plan::Deletion;

    fn plan(plain: usize, fingerprinted: usize, objects: usize) -> Plan {
        let deletion = |fingerprinted| Deletion {
            key: Key::new("x"),
            etag: ETag::parse("x"),
            size: 1,
            page: false,
            fingerprinted,
            retained: false,
        };
        let mut deletions = vec![deletion(false); plain];
        deletions.extend(vec![deletion(true); fingerprinted]);
        Plan {
            deletions,
            objects_before: objects,
            ..Plan::default()
        }
    }

    #[test]
    fn more_than_half_is_refused_from_ten_on() {
        for (plain, fingerprinted, objects, limit, allowed) in [
            (9, 0, 9, None, true),
            (10, 0, 19, None, false),
            (10, 0, 20, None, true),
            (0, 50, 60, None, true),
            (9, 50, 59, None, true),
            (10, 0, 10, Some(10), true),
            (11, 0, 1000, Some(10), false),
            (1, 0, 1000, Some(0), false),
            (0, 7, 1000, Some(0), true),
        ] {
            let plan = plan(plain, fingerprinted, objects);
            assert_eq!(
                check(&plan, limit).is_ok(),
                allowed,
                "{plain} {fingerprinted} {objects}"
            );
        }
    }
}
