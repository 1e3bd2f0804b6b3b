//! Finds the distributions that the settings ask for: by id, by alias, or by their origin.

use super::targets::{ResolvedDistribution, ResolvedTargets};
use crate::aws::cloudfront::{ListedDistribution, PurgeTarget};
use crate::aws::configuration::{self, FunctionReading};
use crate::aws::{AwsClients, AwsError, AwsErrorKind, CloudFront};
use crate::edge::distribution::is_bucket_domain;
use crate::error::Error;
use crate::job::request::{DistributionChoice, Job};

/// Finds the distributions that the settings ask for, and reads their configuration.
pub(crate) async fn find_targets(aws: &AwsClients, job: &Job) -> Result<ResolvedTargets, Error> {
    let mut search = DistributionSearch {
        cloudfront: aws.cloudfront(),
        job,
        summaries: None,
        targets: ResolvedTargets::default(),
    };
    if let Some(name) = &job.settings.distribution_tenant {
        let tenant = search.tenant(name).await?;
        search.targets.found.push(tenant);
        return Ok(search.targets);
    }
    for wish in &job.wishes {
        if let Some(id) = search.id_of(wish).await?
            && !search.targets.found.iter().any(|target| target.id() == id)
        {
            let distribution = search.read(&id).await?;
            search.targets.found.push(distribution);
        }
    }
    Ok(search.targets)
}

struct DistributionSearch<'a> {
    cloudfront: CloudFront,
    job: &'a Job,
    /// All distributions of the account, once they were listed.
    summaries: Option<Vec<ListedDistribution>>,
    targets: ResolvedTargets,
}

impl DistributionSearch<'_> {
    /// Reads the distribution of a tenant, which answers at the tenant's domains.
    async fn tenant(&mut self, name: &str) -> Result<ResolvedDistribution, Error> {
        let (id, distribution, domains) = self.cloudfront.tenant(name).await?;
        let target = PurgeTarget::Tenant(id);
        let Some(distribution) = distribution else {
            return Ok(ResolvedDistribution::unreadable(
                target,
                "it has no distribution".into(),
            ));
        };
        let mut tenant = self.read(&distribution).await?;
        tenant.target = target;
        if let Ok(distribution) = &mut tenant.distribution {
            distribution.aliases = domains;
        }
        Ok(tenant)
    }

    /// Returns the id of the distribution that is wished for; none where `auto` finds none, which is warned of.
    async fn id_of(&mut self, wish: &DistributionChoice) -> Result<Option<String>, Error> {
        match wish {
            DistributionChoice::Named(name) if is_id(name) => Ok(Some(name.clone())),
            DistributionChoice::Named(alias) => Ok(Some(by_alias(self.list().await?, alias)?)),
            DistributionChoice::Auto => {
                let job = self.job;
                let problem = match self.list().await {
                    Ok(list) => match by_bucket(list, &job.bucket, &job.endpoints)? {
                        Some(id) => return Ok(Some(id)),
                        None => format!(
                            "no distribution has the bucket {} as its origin: nothing is purged (name one with --distribution, or say none)",
                            job.bucket
                        ),
                    },
                    Err(error) if may_be_denied(&error) => format!(
                        "no distribution is purged: {error}; name it with --distribution, or say --distribution none"
                    ),
                    Err(error) => return Err(error.into()),
                };
                self.targets.warnings.push(problem);
                Ok(None)
            }
        }
    }

    /// Lists the distributions of the account, once.
    async fn list(&mut self) -> Result<&[ListedDistribution], AwsError> {
        let list = match self.summaries.take() {
            Some(list) => list,
            None => self.cloudfront.distributions().await?,
        };
        Ok(self.summaries.insert(list))
    }

    /// Reads a distribution and finds the origins of it that are the bucket.
    async fn read(&mut self, id: &str) -> Result<ResolvedDistribution, Error> {
        let target = PurgeTarget::Distribution(id.to_owned());
        let unreadable = |what: &str, error: AwsError| {
            let action = error.action;
            let why = format!("its {what} cannot be read ({error}; allow {action} on it)");
            Ok(ResolvedDistribution::unreadable(target.clone(), why))
        };
        let described = match self.cloudfront.describe(id).await {
            Ok(described) => described,
            Err(error) if may_be_denied(&error) => return unreadable("configuration", error),
            Err(error) => return Err(error.into()),
        };
        let reading = FunctionReading {
            index: self.job.settings.index,
            redirects: !self.job.redirects.is_empty() || self.job.redirect_function.is_some(),
        };
        let distribution = match configuration::read(&self.cloudfront, described, reading).await {
            Ok(distribution) => distribution,
            Err(error) => return unreadable("cache policy", error),
        };
        let mut ours = distribution.bucket_origins(&self.job.bucket, &self.job.endpoints);
        if ours.is_empty() {
            // Named by hand, so it is the site's, whatever its origin is called.
            let default = distribution.behaviors.last().into_iter();
            ours.extend(default.flat_map(|default| default.origins.clone()));
            let domains = distribution.origins.iter();
            let domains: Vec<_> = domains.map(|origin| origin.domain.as_str()).collect();
            self.targets.warnings.push(format!(
                "no origin of {id} is known to be the bucket {} ({}): its default behavior's is taken for it",
                self.job.bucket,
                domains.join(", ")
            ));
        }
        Ok(ResolvedDistribution {
            target,
            distribution: Ok(distribution),
            ours,
        })
    }
}

fn may_be_denied(error: &AwsError) -> bool {
    matches!(
        error.kind,
        AwsErrorKind::AccessDenied | AwsErrorKind::NotImplemented
    )
}

/// Returns whether a name is an id: 13 or 14 capitals and digits that begin with an E; imitations have shorter ones.
pub(crate) fn is_id(name: &str) -> bool {
    let is_capital_or_digit = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    name.bytes().all(is_capital_or_digit)
}

pub(super) fn by_alias(list: &[ListedDistribution], alias: &str) -> Result<String, Error> {
    let named = |summary: &&ListedDistribution| {
        let mut names = summary.aliases.iter().chain([&summary.domain]);
        names.any(|name| name.eq_ignore_ascii_case(alias))
    };
    let summary = list.iter().find(named).ok_or_else(|| {
        Error::usage(format!("no distribution of this account has the alias {alias}"))
            .hint("`unstale distributions` lists them; --distribution takes an id, an alias, auto or none")
    })?;
    Ok(summary.id.clone())
}

/// Returns the id of the only distribution with the bucket as an origin. `endpoints` are further host names by which it is known.
///
/// # Errors
/// `Exit::Usage`, naming them, where there are several.
pub(super) fn by_bucket(
    list: &[ListedDistribution],
    bucket: &str,
    endpoints: &[String],
) -> Result<Option<String>, Error> {
    let is_bucket =
        |domain: &String| is_bucket_domain(domain, bucket) || endpoints.contains(domain);
    let leads_here = |listed: &&ListedDistribution| {
        !listed.staging
            && listed
                .origins
                .iter()
                .any(|origin| is_bucket(&origin.domain))
    };
    let leading: Vec<_> = list.iter().filter(leads_here).collect();
    match leading.as_slice() {
        [] => Ok(None),
        [summary] => Ok(Some(summary.id.clone())),
        several => {
            let names = several
                .iter()
                .map(|summary| match summary.aliases.as_slice() {
                    [] => format!("{} ({})", summary.id, summary.domain),
                    aliases => format!("{} ({})", summary.id, aliases.join(", ")),
                });
            let mut error = Error::usage(format!(
                "{} distributions have the bucket {} as their origin",
                several.len(),
                bucket
            ))
            .hint("name those to purge with --distribution, once for each");
            error.causes = names.collect();
            Err(error)
        }
    }
}
