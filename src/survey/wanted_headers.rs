//! The response headers policies that send what S3 does not keep: what each has to be, and which behaviors are to have it. Only
//! where the settings ask for one; never over somebody else's, never in the place of another.

use std::collections::{BTreeMap, BTreeSet};

use super::targets::{ResolvedDistribution, ResolvedTargets, SiteHeaders};
use super::wished_headers::WishedHeaders;
use crate::aws::cloudfront::PurgeTarget;
use crate::aws::headers_policy::StoredHeadersPolicy;
use crate::aws::{AwsError, CloudFront};
use crate::edge::{HeadersPolicy, Unfit};
use crate::job::request::Job;
use crate::plan::HeadersPolicyChange;
use crate::rules::edge_function::FunctionHeader;
use crate::rules::header_placement::PolicyHeaders;
use crate::rules::unserved::{UnkeptHeader, UnsentReason};

/// The most characters of a policy's comment.
const MAX_COMMENT: usize = 128;

/// Finds the policies that the settings ask for, and what functions are to add. What cannot be done is a warning.
pub(crate) async fn prepare(cloudfront: &CloudFront, job: &Job, targets: &mut ResolvedTargets) {
    let Some(name) = &job.headers_policy else {
        return;
    };
    if targets.found.is_empty() {
        let told = "`headers-policy` and `security` do nothing: no distribution is known that could have a headers policy";
        targets.unserved.push(told.to_owned());
    }
    let mut headers = SiteHeaders::default();
    let mut policies = BTreeMap::new();
    for target in &targets.found {
        let id = target.id();
        let wished = WishedHeaders::of(job, target);
        headers.unsent.extend(wished.unsent(job));
        headers
            .added
            .insert(id.to_owned(), wished.placement.function.clone());
        let others: Vec<&str> = target.other_behaviors().collect();
        if job.function.is_some() && !wished.placement.function.is_empty() && !others.is_empty() {
            let names: BTreeSet<&str> = wished
                .placement
                .function
                .iter()
                .map(|header| header.name.as_str())
                .collect();
            let names: Vec<&str> = names.into_iter().collect();
            targets.warnings.push(format!(
                "{id}: {} for some paths alone: the function adds that under the default behavior, and not under {}",
                names.join(", "),
                others.join(", ")
            ));
        }
        let name = name.for_distribution(id);
        let mut preparation = PolicyPreparation {
            cloudfront,
            job,
            target,
            told: Vec::new(),
            policies: &mut policies,
        };
        let prepared = preparation.prepare(&name, &wished).await;
        let told = preparation.told.into_iter();
        targets
            .warnings
            .extend(told.map(|told| format!("{id}: {told}")));
        if let Err(why) = prepared {
            targets.unserved.push(format!("{id}: {why}"));
            let all = job.unserved.headers.iter().map(|line| line.asked.clone());
            headers
                .unsent
                .extend(all.map(|header| (header, UnsentReason::Waiting)));
        }
    }
    let changes = policies
        .into_values()
        .filter(|change| change.write || !change.associate.is_empty() || !change.remove.is_empty());
    headers.changes = changes.collect();
    targets.headers = Some(headers);
}

/// What the policies of one distribution are prepared from.
struct PolicyPreparation<'a> {
    cloudfront: &'a CloudFront,
    job: &'a Job,
    target: &'a ResolvedDistribution,
    /// What people should know besides.
    told: Vec<String>,
    /// By their names.
    policies: &'a mut BTreeMap<String, HeadersPolicyChange>,
}

impl PolicyPreparation<'_> {
    /// Adds what there is to do. `Err`: why nothing is.
    async fn prepare(&mut self, name: &str, wished: &WishedHeaders) -> Result<(), String> {
        let placement = &wished.placement;
        if self.target.readable().is_none() {
            return Err(
                "its configuration cannot be read, so that no headers policy is written for it"
                    .to_owned(),
            );
        }
        if matches!(self.target.target, PurgeTarget::Tenant(_)) {
            return Err("a tenant has no headers policy of its own: associate one with the distribution of all tenants".to_owned());
        }
        let is_left = |pattern: &str| {
            placement
                .policies
                .get(pattern)
                .is_none_or(|headers| *headers == PolicyHeaders::default())
        };
        self.take_off(name, is_left).await?;
        let default = placement
            .policies
            .get("*")
            .or(placement.policies.values().next());
        for (pattern, headers) in &placement.policies {
            let is_general = Some(headers) == default;
            let name = if is_general {
                name.to_owned()
            } else {
                format!("{name}-{}", slug(pattern))
            };
            if *headers != PolicyHeaders::default() {
                self.add(&name, pattern, headers).await?;
            }
        }
        Ok(())
    }

    /// Adds a policy for a behavior.
    async fn add(
        &mut self,
        name: &str,
        pattern: &str,
        headers: &PolicyHeaders,
    ) -> Result<(), String> {
        let policy = self.checked(name, headers)?;
        let stored = self.stored(name).await?;
        let id = stored.as_ref().map(|stored| stored.id.clone());
        let behavior = self
            .target
            .behaviors()
            .iter()
            .find(|behavior| behavior.pattern == pattern);
        let attached = behavior.and_then(|behavior| behavior.headers_policy.clone());
        let is_free = attached.is_none() || attached == id || self.is_ours_by_id(&attached).await?;
        if !is_free {
            let other = attached.unwrap_or_default();
            return Err(format!(
                "its behavior {pattern} has the response headers policy {other} already, which stays: add the headers to that one, or take it off"
            ));
        }
        let target = self.target.id().to_owned();
        let change = self
            .policies
            .entry(name.to_owned())
            .or_insert_with(|| HeadersPolicyChange {
                name: name.to_owned(),
                new: stored.is_none(),
                write: stored.as_ref().is_none_or(|stored| stored.policy != policy),
                headers: policy.sent.len() + policy.removed.len(),
                policy: policy.clone(),
                associate: BTreeMap::new(),
                remove: BTreeMap::new(),
            });
        if change.policy != policy {
            return Err(format!(
                "the headers policy {name} is another one's already: `headers-policy = \"{name}-{{id}}\"` tells them apart"
            ));
        }
        if attached.is_none() || attached != id {
            change
                .associate
                .entry(target)
                .or_default()
                .push(pattern.to_owned());
        }
        Ok(())
    }

    /// Returns the policy in CloudFront's own words. CORS headers that do not go together are left out, and told.
    fn checked(&mut self, name: &str, headers: &PolicyHeaders) -> Result<HeadersPolicy, String> {
        let policy = HeadersPolicy {
            name: name.to_owned(),
            comment: comment(self.job),
            sent: headers.sent.clone(),
            removed: headers.removed.clone(),
        };
        let mut checked = policy.clone().checked();
        if let Err(unfit @ Unfit::CredentialsForAll) = &checked {
            self.told.push(format!(
                "CORS headers are left out of the headers policy {name}: {unfit}"
            ));
            let mut policy = policy;
            let sent = &mut policy.sent;
            sent.retain(|name, _| !name.starts_with("access-control-"));
            checked = policy.checked();
        }
        checked.map_err(|unfit| format!("the headers policy {name} cannot be written: {unfit}"))
    }

    /// Tells whether a policy that a behavior has is one that deploys of this site wrote, under another name.
    async fn is_ours_by_id(&self, id: &Option<String>) -> Result<bool, String> {
        let Some(id) = id else { return Ok(false) };
        let named = self.cloudfront.headers_policy_by_id(id).await;
        let named = named.map_err(|error| denied(id, &error))?;
        Ok(named.is_some_and(|stored| stored.policy.comment == comment(self.job)))
    }

    /// Takes the policies off behaviors that deploys of this site attached: there is nothing left to send.
    async fn take_off(&mut self, name: &str, is_left: impl Fn(&str) -> bool) -> Result<(), String> {
        let ours = self.target.site_behaviors();
        for behavior in ours.filter(|behavior| is_left(&behavior.pattern)) {
            let attached = &behavior.headers_policy;
            if attached.is_none() || !self.is_ours_by_id(attached).await? {
                continue;
            }
            let change =
                self.policies
                    .entry(name.to_owned())
                    .or_insert_with(|| HeadersPolicyChange {
                        name: name.to_owned(),
                        ..HeadersPolicyChange::default()
                    });
            let patterns = change
                .remove
                .entry(self.target.id().to_owned())
                .or_default();
            patterns.push(behavior.pattern.clone());
        }
        Ok(())
    }

    /// Reads the policy of this name. `Err`: it is not ours, or it may not be read.
    async fn stored(&self, name: &str) -> Result<Option<StoredHeadersPolicy>, String> {
        let stored = self.cloudfront.headers_policy(name).await;
        let stored = stored.map_err(|error| denied(name, &error))?;
        match stored {
            Some(stored) if stored.policy.comment != comment(self.job) => {
                Err(not_ours(name, &self.job.site_name()))
            }
            stored => Ok(stored),
        }
    }
}

/// Returns the comment by which a policy is known as this site's.
fn comment(job: &Job) -> String {
    let whole = format!("Written by unstale for {}", job.site_name());
    whole.chars().take(MAX_COMMENT).collect()
}

/// Returns letters, digits and hyphens for a path pattern: `images` for `/images/*`.
fn slug(pattern: &str) -> String {
    let mut slug = String::new();
    for letter in pattern.trim_matches(['/', '*']).chars() {
        match letter {
            letter if letter.is_ascii_alphanumeric() || letter == '-' => slug.push(letter),
            '/' => slug.push('_'),
            letter => slug += &format!("_{:x}", u32::from(letter)),
        }
    }
    slug
}

pub(crate) fn not_ours(name: &str, site: &str) -> String {
    format!(
        "the headers policy {name} was not written for {site} by unstale, so that it stays as it is: name another in `headers-policy`"
    )
}

pub(crate) fn denied(name: &str, error: &AwsError) -> String {
    let hint = error.hint().map(|hint| format!("; {hint}"));
    format!(
        "headers wait for the headers policy {name}: {error}{}",
        hint.unwrap_or_default()
    )
}

impl ResolvedTargets {
    /// Returns why no viewer gets a header that S3 does not keep; `None`: viewers get it.
    pub(crate) fn unsent(&self, header: &UnkeptHeader) -> Option<UnsentReason> {
        let Some(headers) = self.headers.as_ref().filter(|_| !self.found.is_empty()) else {
            return Some(UnsentReason::Policy);
        };
        let mut unsent = headers.unsent.iter();
        unsent
            .find(|(unsent, _)| unsent == header)
            .map(|(_, reason)| *reason)
    }

    /// Returns what the function before a distribution adds to answers.
    pub(crate) fn added_headers(&self, id: &str) -> Vec<FunctionHeader> {
        let added = self
            .headers
            .as_ref()
            .and_then(|headers| headers.added.get(id));
        added.cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_a_name() {
        for (pattern, name) in [
            ("/images/*", "images"),
            ("*.css", "_2ecss"),
            ("/a-b/c", "a-b_c"),
        ] {
            assert_eq!(slug(pattern), name, "{pattern}");
        }
    }
}
