//! What is asked of CloudFront.

use std::collections::BTreeMap;

use aws_sdk_cloudfront::Client;
/// What other rooms read of a distribution's configuration.
pub use aws_sdk_cloudfront::types;
use aws_sdk_cloudfront::types::{
    CachePolicyConfig, DistributionConfig, DistributionSummary, Invalidation, InvalidationBatch,
    InvalidationSummary, Paths,
};

use super::error::{AwsError, failed};
use super::watch::ServerClock;

/// CloudFront's API. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CloudFront {
    pub(super) client: Client,
    /// What time it is by its answers.
    pub clock: ServerClock,
}

/// What is to be purged: a distribution, or one tenant of a multi-tenant distribution.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum PurgeTarget {
    Distribution(String),
    Tenant(String),
}

impl PurgeTarget {
    /// Returns the distribution's or tenant's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Distribution(id) | Self::Tenant(id) => id,
        }
    }
}

/// A distribution with its configuration.
#[derive(Debug, Clone)]
pub struct DescribedDistribution {
    pub id: String,
    /// `d111111abcdef8.cloudfront.net`, where the answer told it.
    pub domain_name: Option<String>,
    /// Some edges still answer by the configuration before this one.
    pub in_progress: bool,
    pub config: DistributionConfig,
}

impl DescribedDistribution {
    /// Puts a tenant's parameters, or else their default values, in the place of `{{name}}` in what origins are reached by.
    #[must_use]
    pub fn for_tenant(mut self, tenant: &DescribedTenant) -> Self {
        let definitions = (self.config.tenant_config.take())
            .and_then(|tenant| tenant.parameter_definitions)
            .unwrap_or_default();
        let default = definitions.into_iter().filter_map(|definition| {
            let schema = definition.definition?.string_schema?;
            Some((definition.name, schema.default_value?))
        });
        let mut parameters: BTreeMap<String, String> = default.collect();
        parameters.extend(tenant.parameters.clone());
        let fill = |text: &mut String| {
            for (name, value) in &parameters {
                *text = text.replace(&format!("{{{{{name}}}}}"), value);
            }
        };
        let origins = self.config.origins.iter_mut();
        for origin in origins.flat_map(|origins| &mut origins.items) {
            fill(&mut origin.domain_name);
            origin.origin_path.iter_mut().for_each(fill);
        }
        self
    }
}

/// A tenant of a multi-tenant distribution.
#[derive(Debug, Clone, Default)]
pub struct DescribedTenant {
    pub id: String,
    /// The id of the distribution whose configuration it has.
    pub distribution: Option<String>,
    pub domains: Vec<String>,
    /// What it sets of the distribution's parameters.
    pub parameters: BTreeMap<String, String>,
}

/// What became of an invalidation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedInvalidation {
    /// As AWS shows it: `I2J0I21PCUYOIK`.
    pub id: String,
    /// Unix seconds at which CloudFront first took it.
    pub at: i64,
    pub completed: bool,
}

impl From<Invalidation> for AcceptedInvalidation {
    fn from(answer: Invalidation) -> Self {
        // At least one imitation says COMPLETED.
        Self {
            at: answer.create_time.secs(),
            completed: answer.status.eq_ignore_ascii_case("completed"),
            id: answer.id,
        }
    }
}

/// A distribution of the account, as ListDistributions shows it.
#[derive(Debug, Clone)]
pub struct ListedDistribution {
    pub id: String,
    pub status: String,
    pub domain: String,
    pub aliases: Vec<String>,
    pub origins: Vec<ListedOrigin>,
    pub staging: bool,
}

#[derive(Debug, Clone)]
pub struct ListedOrigin {
    pub domain: String,
    /// Empty, or beginning with a slash.
    pub path: String,
}

impl From<DistributionSummary> for ListedDistribution {
    fn from(summary: DistributionSummary) -> Self {
        let aliases = summary.aliases.and_then(|list| list.items);
        let origins = summary.origins.map(|list| list.items);
        let origins = origins.into_iter().flatten().map(|origin| ListedOrigin {
            domain: origin.domain_name,
            path: origin.origin_path.unwrap_or_default(),
        });
        Self {
            id: summary.id,
            status: summary.status,
            domain: summary.domain_name,
            aliases: aliases.unwrap_or_default(),
            origins: origins.collect(),
            staging: summary.staging,
        }
    }
}

impl CloudFront {
    /// Lists all distributions of the account.
    pub async fn distributions(&self) -> Result<Vec<ListedDistribution>, AwsError> {
        let mut distributions = Vec::new();
        let mut marker = None;
        loop {
            let request = self.client.list_distributions().set_marker(marker);
            let answer = request.send().await;
            let answer = answer.map_err(failed("cloudfront:ListDistributions", "*"))?;
            let Some(list) = answer.distribution_list else {
                return Ok(distributions);
            };
            let items = list.items.unwrap_or_default().into_iter();
            distributions.extend(items.map(ListedDistribution::from));
            marker = list.next_marker.filter(|_| list.is_truncated);
            if marker.is_none() {
                return Ok(distributions);
            }
        }
    }

    /// Reads a distribution's configuration, by whichever of the two reads is allowed.
    pub async fn describe(&self, id: &str) -> Result<DescribedDistribution, AwsError> {
        const ACTION: &str = "cloudfront:GetDistribution";
        let missing = || AwsError::nonsense(ACTION, id, "the answer holds no distribution");
        let answer = self.client.get_distribution().id(id).send().await;
        match answer.map_err(failed(ACTION, id)) {
            Ok(answer) => {
                let distribution = answer.distribution.ok_or_else(missing)?;
                Ok(DescribedDistribution {
                    config: distribution.distribution_config.ok_or_else(missing)?,
                    id: distribution.id,
                    domain_name: Some(distribution.domain_name),
                    in_progress: !distribution.status.eq_ignore_ascii_case("deployed"),
                })
            }
            Err(error) if error.is_denied() => Ok(DescribedDistribution {
                id: id.to_owned(),
                domain_name: None,
                in_progress: false,
                config: self.config(id).await?.0,
            }),
            Err(error) => Err(error),
        }
    }

    /// Reads a distribution's configuration, and the ETag by which it is changed.
    pub(super) async fn config(
        &self,
        id: &str,
    ) -> Result<(DistributionConfig, Option<String>), AwsError> {
        const ACTION: &str = "cloudfront:GetDistributionConfig";
        let answer = self.client.get_distribution_config().id(id).send().await;
        let answer = answer.map_err(failed(ACTION, id))?;
        let missing = || AwsError::nonsense(ACTION, id, "the answer holds no distribution");
        let config = answer.distribution_config.ok_or_else(missing)?;
        Ok((config, answer.e_tag))
    }

    pub async fn cache_policy(&self, id: &str) -> Result<CachePolicyConfig, AwsError> {
        const ACTION: &str = "cloudfront:GetCachePolicy";
        let answer = self.client.get_cache_policy().id(id).send().await;
        let policy = answer.map_err(failed(ACTION, id))?.cache_policy;
        policy
            .and_then(|policy| policy.cache_policy_config)
            .ok_or_else(|| AwsError::nonsense(ACTION, id, "the answer holds no policy"))
    }

    /// Asks for a purge. The same reference with the same paths answers with the first invalidation.
    pub async fn invalidate(
        &self,
        target: &PurgeTarget,
        paths: &[String],
        reference: &str,
    ) -> Result<AcceptedInvalidation, AwsError> {
        const ACTION: &str = "cloudfront:CreateInvalidation";
        const OF_TENANT: &str = "cloudfront:CreateInvalidationForDistributionTenant";
        let count = i32::try_from(paths.len()).unwrap_or(i32::MAX);
        let paths = Paths::builder()
            .quantity(count)
            .set_items(Some(paths.to_vec()));
        let batch = paths.build().and_then(|paths| {
            let batch = InvalidationBatch::builder().paths(paths);
            batch.caller_reference(reference).build()
        });
        let nonsense = |what: &str| AwsError::nonsense(ACTION, target.id(), what);
        let batch = batch.map_err(|error| nonsense(&error.to_string()))?;
        let invalidation = match target {
            PurgeTarget::Distribution(id) => {
                let request = self.client.create_invalidation().distribution_id(id);
                let answer = request.invalidation_batch(batch).send().await;
                answer.map_err(failed(ACTION, id))?.invalidation
            }
            PurgeTarget::Tenant(id) => {
                let request = self.client.create_invalidation_for_distribution_tenant();
                let answer = request.id(id).invalidation_batch(batch).send().await;
                answer.map_err(failed(OF_TENANT, id))?.invalidation
            }
        };
        let missing = || nonsense("the answer holds no invalidation");
        invalidation
            .map(AcceptedInvalidation::from)
            .ok_or_else(missing)
    }

    /// Reads how an invalidation stands.
    pub async fn invalidation(
        &self,
        target: &PurgeTarget,
        id: &str,
    ) -> Result<Invalidation, AwsError> {
        const ACTION: &str = "cloudfront:GetInvalidation";
        const OF_TENANT: &str = "cloudfront:GetInvalidationForDistributionTenant";
        let resource = format!("{}/{id}", target.id());
        let invalidation = match target {
            PurgeTarget::Distribution(distribution) => {
                let request = self.client.get_invalidation().distribution_id(distribution);
                let answer = request.id(id).send().await;
                answer.map_err(failed(ACTION, &resource))?.invalidation
            }
            PurgeTarget::Tenant(tenant) => {
                let request = self.client.get_invalidation_for_distribution_tenant();
                let answer = request.distribution_tenant_id(tenant).id(id).send().await;
                answer.map_err(failed(OF_TENANT, &resource))?.invalidation
            }
        };
        invalidation
            .ok_or_else(|| AwsError::nonsense(ACTION, resource, "the answer holds no invalidation"))
    }

    /// Lists the invalidations of a distribution or a tenant, newest first, until `enough` says so. A distribution's are not
    /// those of its tenants.
    pub async fn invalidations(
        &self,
        target: &PurgeTarget,
        enough: impl Fn(&[InvalidationSummary]) -> bool,
    ) -> Result<Vec<InvalidationSummary>, AwsError> {
        const ACTION: &str = "cloudfront:ListInvalidations";
        const OF_TENANT: &str = "cloudfront:ListInvalidationsForDistributionTenant";
        let mut invalidations = Vec::new();
        let mut marker = None;
        loop {
            let list = match target {
                PurgeTarget::Distribution(id) => {
                    let request = self.client.list_invalidations().distribution_id(id);
                    let answer = request.set_marker(marker).send().await;
                    answer.map_err(failed(ACTION, id))?.invalidation_list
                }
                PurgeTarget::Tenant(id) => {
                    let request = self.client.list_invalidations_for_distribution_tenant();
                    let answer = request.id(id).set_marker(marker).send().await;
                    answer.map_err(failed(OF_TENANT, id))?.invalidation_list
                }
            };
            let Some(list) = list else {
                return Ok(invalidations);
            };
            invalidations.extend(list.items.unwrap_or_default());
            marker = list.next_marker.filter(|_| list.is_truncated);
            if marker.is_none() || enough(&invalidations) {
                return Ok(invalidations);
            }
        }
    }

    /// Lists all tenants of the account's distributions: their ids, and what they are called.
    pub async fn tenants(&self) -> Result<Vec<(String, String)>, AwsError> {
        let mut tenants = Vec::new();
        let mut marker = None;
        loop {
            let request = self.client.list_distribution_tenants();
            let answer = request.set_marker(marker).send().await;
            let answer = answer.map_err(failed("cloudfront:ListDistributionTenants", "*"))?;
            let list = answer.distribution_tenant_list.unwrap_or_default();
            tenants.extend(list.into_iter().map(|tenant| {
                let domain = tenant.domains.into_iter().next().map(|first| first.domain);
                (tenant.id, domain.unwrap_or(tenant.name))
            }));
            marker = answer.next_marker.filter(|next| !next.is_empty());
            if marker.is_none() {
                return Ok(tenants);
            }
        }
    }

    /// Finds the tenant of this id or domain.
    pub async fn tenant(&self, name: &str) -> Result<DescribedTenant, AwsError> {
        const ACTION: &str = "cloudfront:GetDistributionTenant";
        const BY_DOMAIN: &str = "cloudfront:GetDistributionTenantByDomain";
        let tenant = if name.contains('.') {
            let request = self.client.get_distribution_tenant_by_domain().domain(name);
            let answer = request.send().await.map_err(failed(BY_DOMAIN, name))?;
            answer.distribution_tenant
        } else {
            let request = self.client.get_distribution_tenant().identifier(name);
            let answer = request.send().await.map_err(failed(ACTION, name))?;
            answer.distribution_tenant
        };
        let nonsense = |what| AwsError::nonsense(ACTION, name, what);
        let tenant = tenant.ok_or_else(|| nonsense("the answer holds no tenant"))?;
        let domains = tenant.domains.unwrap_or_default().into_iter();
        let parameters = tenant.parameters.unwrap_or_default().into_iter();
        Ok(DescribedTenant {
            id: tenant.id.ok_or_else(|| nonsense("the tenant has no id"))?,
            distribution: tenant.distribution_id,
            domains: domains.map(|result| result.domain).collect(),
            parameters: parameters.map(|set| (set.name, set.value)).collect(),
        })
    }

    /// Returns the domain names of the staging distributions that a continuous deployment policy sends viewers to; none while it is off.
    pub async fn staging_domains(&self, policy: &str) -> Result<Vec<String>, AwsError> {
        const ACTION: &str = "cloudfront:GetContinuousDeploymentPolicy";
        let request = self.client.get_continuous_deployment_policy().id(policy);
        let answer = request.send().await.map_err(failed(ACTION, policy))?;
        let config = (answer.continuous_deployment_policy)
            .and_then(|policy| policy.continuous_deployment_policy_config);
        let names = config
            .filter(|config| config.enabled)
            .and_then(|config| config.staging_distribution_dns_names?.items);
        Ok(names.unwrap_or_default())
    }
}
