//! Writes response headers policies, and associates them with the behaviors of distributions. Edges add such headers on the way
//! out: nothing is purged for them.

use std::collections::BTreeMap;

use super::function::FunctionTools;
use crate::job::event::DeployEvent;
use crate::plan::HeadersPolicyChange;
use crate::survey::targets::SiteHeaders;
use crate::survey::wanted_headers::{denied, not_ours};

impl SiteHeaders {
    /// Writes each policy, then changes each distribution once. What cannot be done is told.
    pub(super) async fn deploy(&mut self, step: &FunctionTools<'_>, site: &str) {
        let mut behaviors: BTreeMap<String, BTreeMap<String, Option<String>>> = BTreeMap::new();
        for change in std::mem::take(&mut self.changes) {
            let id = match write(&change, step, site).await {
                Ok(id) => id,
                Err(why) => {
                    step.tell.tell(DeployEvent::Warned(why));
                    continue;
                }
            };
            for (targets, id) in [(change.remove, None), (change.associate, id)] {
                for (target, patterns) in targets {
                    let policies = patterns.into_iter().map(|pattern| (pattern, id.clone()));
                    behaviors.entry(target).or_default().extend(policies);
                }
            }
        }
        for (target, policies) in behaviors {
            if (step.may_go)() {
                associate(&target, &policies, step).await;
            }
        }
    }
}

/// Writes a policy where it has to be, and returns its id, if there is to be one.
async fn write(
    change: &HeadersPolicyChange,
    step: &FunctionTools<'_>,
    site: &str,
) -> Result<Option<String>, String> {
    let name = change.name.as_str();
    if change.associate.is_empty() && !change.write {
        return Ok(None);
    }
    step.go_on(name)?;
    let stored = step.cloudfront.headers_policy(name).await;
    let stored = stored.map_err(|error| denied(name, &error))?;
    match stored {
        Some(stored) if stored.policy.comment != change.policy.comment => Err(not_ours(name, site)),
        Some(stored) if stored.policy == change.policy => Ok(Some(stored.id)),
        stored => {
            let written = step
                .cloudfront
                .write_headers_policy(&change.policy, stored.as_ref());
            let id = written.await.map_err(|error| denied(name, &error))?;
            let name = name.to_owned();
            step.tell.tell(DeployEvent::HeadersPolicyWritten { name });
            Ok(Some(id))
        }
    }
}

/// Gives behaviors of a distribution their policies.
async fn associate(
    target: &str,
    policies: &BTreeMap<String, Option<String>>,
    step: &FunctionTools<'_>,
) {
    let target = target.to_owned();
    let changed = step
        .cloudfront
        .associate_headers_policies(&target, policies)
        .await;
    step.tell.tell(match changed {
        Ok(false) => return,
        Ok(true) => DeployEvent::HeadersPolicyAssociated { target },
        Err(error) => DeployEvent::Warned(denied(&format!("of {target}"), &error)),
    });
}
