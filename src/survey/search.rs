//! Finds the distributions that the settings ask for: by id, by alias, or by their origin.

use std::collections::BTreeMap;

use super::listed::{by_alias, by_bucket, is_id, unfound};
use super::targets::{ResolvedDistribution, ResolvedTargets};
use crate::aws::cloudfront::{DescribedDistribution, ListedDistribution, PurgeTarget};
use crate::aws::configuration::{self, FunctionReading};
use crate::aws::{AwsClients, AwsError, AwsErrorKind, CloudFront};
use crate::edge::distribution::is_access_point;
use crate::edge::{Distribution, Origin, WebsiteConfiguration};
use crate::error::Error;
use crate::job::request::{DistributionChoice, Job};
use crate::object::manifest::ToldDistribution;

/// Finds the distributions that the settings ask for, and reads their configuration.
pub(crate) async fn find_targets(aws: &AwsClients, job: &Job) -> Result<ResolvedTargets, Error> {
    let mut search = DistributionSearch::new(aws, job, ResolvedTargets::default());
    if let Some(name) = &job.settings.distribution_tenant {
        search.tenant(name).await?;
        return Ok(search.targets);
    }
    for wish in &job.wishes {
        if let Some(id) = search.id_of(wish).await? {
            search.distribution(&id).await?;
        }
    }
    search.staging().await?;
    Ok(search.targets)
}

/// Takes the distributions that earlier deploys purged for the one that `auto` means, where listing them is denied; says which, or that
/// there are none.
pub(crate) async fn find_recorded(
    aws: &AwsClients,
    job: &Job,
    told: &BTreeMap<String, ToldDistribution>,
    targets: &mut ResolvedTargets,
) -> Result<(), Error> {
    let Some(error) = targets.unlisted.take() else {
        return Ok(());
    };
    let mut search = DistributionSearch::new(aws, job, std::mem::take(targets));
    let mut taken = Vec::new();
    for id in told.keys().filter(|id| is_id(id)) {
        if search.has(id) {
            continue;
        }
        match search.describe(id).await {
            Err(gone) if gone.is(&AwsErrorKind::NoSuchDistribution) => continue,
            described => search.add(id, described?).await?,
        }
        taken.push(id.as_str());
    }
    search.staging().await?;
    *targets = search.targets;
    targets.warnings.push(if taken.is_empty() {
        format!("no distribution is purged: {error}; allow {}, name one with --distribution, or say --distribution none", error.action)
    } else {
        let ids = taken.join(", ");
        format!(
            "{ids}: purged as before, since no other can be looked up: {error}; allow {}, or say distribution = \"{}\"",
            error.action,
            taken.join("\", \"")
        )
    });
    targets.unlisted = taken.is_empty().then_some(error);
    Ok(())
}

struct DistributionSearch<'a> {
    aws: &'a AwsClients,
    cloudfront: CloudFront,
    job: &'a Job,
    /// All distributions of the account, once they were listed.
    summaries: Option<Vec<ListedDistribution>>,
    /// Primary distributions with their continuous deployment policies.
    policies: Vec<(String, String)>,
    targets: ResolvedTargets,
}

impl<'a> DistributionSearch<'a> {
    fn new(aws: &'a AwsClients, job: &'a Job, targets: ResolvedTargets) -> Self {
        Self {
            aws,
            cloudfront: aws.cloudfront(),
            job,
            summaries: None,
            policies: Vec::new(),
            targets,
        }
    }

    fn has(&self, id: &str) -> bool {
        self.targets.found.iter().any(|target| target.id() == id)
    }

    /// Adds a distribution, unless it is there.
    async fn distribution(&mut self, id: &str) -> Result<(), Error> {
        if self.has(id) {
            return Ok(());
        }
        let described = self.describe(id).await?;
        self.add(id, described).await
    }

    /// Adds a distribution as it was described; `Err` where its configuration may not be read, and why.
    async fn add(
        &mut self,
        id: &str,
        described: Result<DescribedDistribution, String>,
    ) -> Result<(), Error> {
        let target = PurgeTarget::Distribution(id.to_owned());
        let found = match described {
            Err(why) => ResolvedDistribution::unreadable(target, why),
            Ok(described) => {
                let staging = described.config.staging.unwrap_or_default();
                let policy = described.config.continuous_deployment_policy_id.clone();
                let policy = policy.filter(|policy| !staging && !policy.is_empty());
                self.policies
                    .extend(policy.map(|policy| (id.to_owned(), policy)));
                let found = self.read(target, described).await?;
                ResolvedDistribution { staging, ..found }
            }
        };
        self.targets.found.push(found);
        Ok(())
    }

    /// Adds the staging distributions that continuous deployments send viewers to, unless one is named: their edges keep copies of
    /// their own. Says so where they cannot be found.
    async fn staging(&mut self) -> Result<(), Error> {
        if self.targets.found.iter().any(|target| target.staging) {
            return Ok(());
        }
        for (primary, policy) in std::mem::take(&mut self.policies) {
            match self.staging_ids(&policy).await {
                Ok(ids) => {
                    for id in ids {
                        self.distribution(&id).await?;
                    }
                }
                Err(error) if error.is_denied() => self.targets.warnings.push(format!(
                    "{primary}: some of its viewers may meet a staging distribution, which is not purged: {error}; allow {} on it, or \
                     name that one in `distribution` too",
                    error.action
                )),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn staging_ids(&mut self, policy: &str) -> Result<Vec<String>, AwsError> {
        let domains = self.cloudfront.staging_domains(policy).await?;
        if domains.is_empty() {
            return Ok(Vec::new());
        }
        let listed = self.list().await?.iter();
        let staging = listed.filter(|listed| domains.contains(&listed.domain));
        Ok(staging.map(|listed| listed.id.clone()).collect())
    }

    /// Adds a tenant, which answers at its own domains.
    async fn tenant(&mut self, name: &str) -> Result<(), Error> {
        let tenant = self.cloudfront.tenant(name).await?;
        let target = PurgeTarget::Tenant(tenant.id.clone());
        let described = match &tenant.distribution {
            None => Err("it has no distribution".to_owned()),
            Some(id) => self.describe(id).await?,
        };
        let found = match described {
            Err(why) => ResolvedDistribution::unreadable(target, why),
            Ok(described) => {
                let mut found = self.read(target, described.for_tenant(&tenant)).await?;
                if let Ok(distribution) = &mut found.distribution {
                    distribution.aliases = tenant.domains;
                }
                found
            }
        };
        self.targets.found.push(found);
        Ok(())
    }

    /// Returns the id of the distribution that is wished for; none where `auto` finds none, which is warned of.
    async fn id_of(&mut self, wish: &DistributionChoice) -> Result<Option<String>, Error> {
        match wish {
            DistributionChoice::Named(name) if is_id(name) => Ok(Some(name.clone())),
            DistributionChoice::Named(alias) => Ok(Some(by_alias(self.list().await?, alias)?)),
            DistributionChoice::Auto => {
                let job = self.job;
                let list = match self.list().await {
                    Err(error) if error.is_denied() => {
                        self.targets.unlisted = Some(error);
                        return Ok(None);
                    }
                    list => list?,
                };
                let id = by_bucket(list, &job.bucket, &job.endpoints)?;
                if id.is_none() {
                    let problem = unfound(list, &job.bucket);
                    self.targets.warnings.push(problem);
                }
                Ok(id)
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

    /// Reads a distribution; `Err` where that is denied, and why.
    async fn describe(
        &mut self,
        id: &str,
    ) -> Result<Result<DescribedDistribution, String>, AwsError> {
        let mut described = match self.cloudfront.describe(id).await {
            Ok(described) => described,
            Err(error) if error.is_denied() => return Ok(Err(unread("configuration", &error))),
            Err(error) => return Err(error),
        };
        if described.deployed.is_none() {
            described.deployed = match self.list().await {
                Ok(list) => list
                    .iter()
                    .find(|it| it.id == id)
                    .map(ListedDistribution::is_deployed),
                Err(error) if error.is_denied() => None,
                Err(error) => return Err(error),
            };
        }
        Ok(Ok(described))
    }

    /// Reads what a distribution names besides, and finds its origins that are the bucket.
    async fn read(
        &mut self,
        target: PurgeTarget,
        described: DescribedDistribution,
    ) -> Result<ResolvedDistribution, Error> {
        let in_progress = described.deployed == Some(false);
        let unreadable = |why: String| ResolvedDistribution {
            in_progress,
            ..ResolvedDistribution::unreadable(target.clone(), why)
        };
        let reading = FunctionReading {
            index: self.job.settings.index,
            redirects: !self.job.redirects.is_empty() || self.job.function.is_some(),
            trust: self.job.settings.functions,
        };
        let mut distribution = match configuration::read(&self.cloudfront, described, reading).await
        {
            Ok(distribution) => distribution,
            Err(error) if error.is_denied() => {
                return Ok(unreadable(unread("cache policy", &error)));
            }
            Err(error) => return Err(error.into()),
        };
        let ours = self.bucket_origins(&distribution);
        let is_website = |origin: &Origin| origin.website && ours.contains(&origin.id);
        if distribution.origins.iter().any(is_website) {
            distribution.website = self.website(&distribution.id).await?;
        }
        Ok(ResolvedDistribution {
            target,
            distribution: Ok(distribution),
            ours,
            in_progress,
            staging: false,
        })
    }

    /// Finds the origins that are the bucket, or that may be: what is not known for another's is purged too.
    fn bucket_origins(&mut self, distribution: &Distribution) -> Vec<String> {
        let (job, id) = (self.job, &distribution.id);
        let mut ours = distribution.bucket_origins(&job.bucket, &job.endpoints);
        if job.settings.origin_domains.0.is_empty() {
            let points = distribution.origins.iter();
            for origin in points.filter(|origin| is_access_point(&origin.domain)) {
                ours.push(origin.id.clone());
                self.targets.warnings.push(format!(
                    "{id}: the access point {} is taken for one of the bucket {}: `origin-domains` in deploy.toml names those that are",
                    origin.domain, job.bucket
                ));
            }
        }
        if ours.is_empty() {
            // Named by hand, so it is the site's, whatever its origin is called.
            let origins = distribution.origins.iter();
            ours.extend(origins.map(|origin| origin.id.clone()));
            let domains = distribution.origins.iter();
            let domains: Vec<_> = domains.map(|origin| origin.domain.as_str()).collect();
            self.targets.warnings.push(format!(
                "no origin of {id} is known to be the bucket {} ({}): each is taken for it, unless `origin-domains` in deploy.toml names those \
                 that are",
                job.bucket,
                domains.join(", ")
            ));
        }
        ours
    }

    /// Reads how the bucket's website endpoint answers; where that is denied, the settings tell. `None` where nothing does.
    async fn website(&mut self, id: &str) -> Result<Option<WebsiteConfiguration>, Error> {
        let job = self.job;
        let name = &job.bucket;
        let mut read = self.aws.bucket(name, None).website().await;
        if let Err(error) = &read
            && let AwsErrorKind::WrongRegion(region) = &error.kind
        {
            read = self.aws.bucket(name, region.as_deref()).website().await;
        }
        let error = match read {
            Ok(website) => return Ok(Some(website.unwrap_or_default())),
            // Other servers than S3 know no such thing, and say so in many ways.
            Err(error) if error.is_refused() => error,
            Err(error) => return Err(error.into()),
        };
        let (index, document) = (&job.settings.website_index, &job.settings.website_error);
        if index.is_none() && document.is_none() {
            self.targets.warnings.push(format!(
                "{id}: what the website endpoint of {name} answers for folders and errors cannot be read ({error}), so that each change purges /*: allow {} on it, or say it by website-index and website-error in deploy.toml",
                error.action
            ));
            return Ok(None);
        }
        let known = WebsiteConfiguration::default();
        Ok(Some(WebsiteConfiguration {
            index: index.clone().unwrap_or(known.index),
            error: document.clone(),
            ..known
        }))
    }
}

fn unread(what: &str, error: &AwsError) -> String {
    let action = error.action;
    format!("its {what} cannot be read ({error}; allow {action} on it)")
}
