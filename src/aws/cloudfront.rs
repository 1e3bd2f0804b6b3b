//! What is asked of CloudFront.

use aws_sdk_cloudfront::Client;
/// What other rooms read of a distribution's configuration.
pub use aws_sdk_cloudfront::types;
use aws_sdk_cloudfront::types::builders::PathsBuilder;
use aws_sdk_cloudfront::types::{
    CachePolicyConfig, Distribution, DistributionConfig, DistributionSummary, Invalidation,
    InvalidationBatch, InvalidationSummary, Paths,
};

use super::error::{AwsError, failed};
use super::watch::ServerClock;

/// CloudFront's API. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CloudFront {
    pub(super) client: Client,
    /// What is in key value stores.
    pub(super) keys: aws_sdk_cloudfrontkeyvaluestore::Client,
    /// What time it is by its answers.
    pub clock: ServerClock,
}

const READ: &str = "cloudfront:GetDistribution";

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
    /// Whether all edges know this configuration; `None` where the answer did not tell.
    pub deployed: Option<bool>,
    pub config: DistributionConfig,
}

impl DescribedDistribution {
    /// Returns the ids of the origins that are buckets and whose requests are not signed: no private bucket answers them.
    pub fn unsigned_origins(&self) -> Vec<&str> {
        let origins = self.config.origins.iter().flat_map(|list| &list.items);
        let unsigned = origins.filter(|origin| {
            let control = origin.origin_access_control_id.as_deref();
            let bucket = origin.s3_origin_config.as_ref();
            let is_empty = |id: &str| id.is_empty();
            bucket.is_some_and(|bucket| is_empty(&bucket.origin_access_identity))
                && control.is_none_or(is_empty)
        });
        unsigned.map(|origin| origin.id.as_str()).collect()
    }
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

/// Tells whether a status says that all edges know the configuration; anything else is `InProgress`.
fn is_deployed(status: &str) -> bool {
    status.eq_ignore_ascii_case("deployed")
}

impl ListedDistribution {
    /// Tells whether all edges know it as it is configured.
    pub fn is_deployed(&self) -> bool {
        is_deployed(&self.status)
    }
}

impl CloudFront {
    /// Tells whether all edges know a distribution as it is configured, by whichever of the reads is allowed; `None` where none is.
    pub async fn deployed(&self, id: &str) -> Result<Option<bool>, AwsError> {
        match self.distribution(id).await {
            Ok(distribution) => return Ok(Some(is_deployed(&distribution.status))),
            Err(error) if error.is_denied() => {}
            Err(error) => return Err(error),
        }
        match self.distributions().await {
            Ok(listed) => {
                let listed = listed.iter().find(|listed| listed.id == id);
                Ok(listed.map(ListedDistribution::is_deployed))
            }
            Err(error) if error.is_denied() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists all distributions of the account.
    pub async fn distributions(&self) -> Result<Vec<ListedDistribution>, AwsError> {
        let pages = self.client.list_distributions().into_paginator();
        let listed: Result<Vec<_>, _> = pages.items().send().collect().await;
        let listed = listed.map_err(failed("cloudfront:ListDistributions", "*"))?;
        Ok(listed.into_iter().map(ListedDistribution::from).collect())
    }

    pub(super) async fn distribution(&self, id: &str) -> Result<Distribution, AwsError> {
        let answer = self.client.get_distribution().id(id).send().await;
        let distribution = answer.map_err(failed(READ, id))?.distribution;
        distribution.ok_or_else(|| AwsError::nonsense(READ, id, "the answer holds no distribution"))
    }

    /// Reads a distribution's configuration, by whichever of the two reads is allowed.
    pub async fn describe(&self, id: &str) -> Result<DescribedDistribution, AwsError> {
        match self.distribution(id).await {
            Ok(distribution) => Ok(DescribedDistribution {
                config: distribution.distribution_config.ok_or_else(|| {
                    let what = "the distribution has no configuration";
                    AwsError::nonsense(READ, id, what)
                })?,
                id: distribution.id,
                domain_name: Some(distribution.domain_name),
                deployed: Some(is_deployed(&distribution.status)),
            }),
            Err(error) if error.is_denied() => Ok(DescribedDistribution {
                id: id.to_owned(),
                domain_name: None,
                deployed: None,
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
        let count = i32::try_from(paths.len()).unwrap_or(i32::MAX);
        let items = Some(paths.to_vec());
        let paths = Paths::builder().quantity(count).set_items(items);
        self.send_batch(target, paths, reference).await
    }

    pub(super) async fn send_batch(
        &self,
        target: &PurgeTarget,
        paths: PathsBuilder,
        reference: &str,
    ) -> Result<AcceptedInvalidation, AwsError> {
        const ACTION: &str = "cloudfront:CreateInvalidation";
        const OF_TENANT: &str = "cloudfront:CreateInvalidationForDistributionTenant";
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
