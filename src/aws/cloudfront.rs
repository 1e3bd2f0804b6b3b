//! What is asked of CloudFront.

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types::{
    CachePolicyConfig, DistributionConfig, DistributionSummary, Invalidation, InvalidationBatch,
    InvalidationSummary, Paths,
};

use super::error::{AwsError, Kind};
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
    /// The distribution's or tenant's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Distribution(id) | Self::Tenant(id) => id,
        }
    }
}

/// A distribution with its configuration.
#[derive(Debug, Clone)]
pub struct Described {
    pub id: String,
    /// `d111111abcdef8.cloudfront.net`, where the answer told it.
    pub domain_name: Option<String>,
    pub config: DistributionConfig,
}

/// What became of an invalidation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// As AWS shows it: `I2J0I21PCUYOIK`.
    pub id: String,
    /// Unix seconds at which CloudFront first took it.
    pub at: i64,
    pub completed: bool,
}

impl From<Invalidation> for Accepted {
    fn from(answer: Invalidation) -> Self {
        // At least one imitation says COMPLETED.
        Self {
            at: answer.create_time.secs(),
            completed: answer.status.eq_ignore_ascii_case("completed"),
            id: answer.id,
        }
    }
}

pub(super) fn nonsense(action: &'static str, resource: &str, what: &str) -> AwsError {
    AwsError {
        action,
        resource: resource.to_owned(),
        kind: Kind::NotTheService,
        status: 200,
        message: what.to_owned(),
    }
}

impl CloudFront {
    /// All distributions of the account, as their list shows them.
    pub async fn distributions(&self) -> Result<Vec<DistributionSummary>, AwsError> {
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            let answer = self
                .client
                .list_distributions()
                .set_marker(marker)
                .send()
                .await
                .map_err(|error| AwsError::new("cloudfront:ListDistributions", "*", error))?;
            let Some(list) = answer.distribution_list else {
                break;
            };
            found.extend(list.items.unwrap_or_default());
            marker = list.next_marker.filter(|_| list.is_truncated);
            if marker.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// A distribution's configuration, by whichever of the two reads is allowed.
    pub async fn describe(&self, id: &str) -> Result<Described, AwsError> {
        const NOTHING: &str = "the answer holds no distribution";
        let whole = self.client.get_distribution().id(id).send().await;
        match whole.map_err(|error| AwsError::new("cloudfront:GetDistribution", id, error)) {
            Ok(answer) => {
                let found = answer
                    .distribution
                    .ok_or_else(|| nonsense("cloudfront:GetDistribution", id, NOTHING))?;
                let config = found
                    .distribution_config
                    .ok_or_else(|| nonsense("cloudfront:GetDistribution", id, NOTHING))?;
                Ok(Described {
                    id: found.id,
                    domain_name: Some(found.domain_name),
                    config,
                })
            }
            Err(error) if matches!(error.kind, Kind::AccessDenied | Kind::NotImplemented) => {
                let answer = self
                    .client
                    .get_distribution_config()
                    .id(id)
                    .send()
                    .await
                    .map_err(|error| {
                        AwsError::new("cloudfront:GetDistributionConfig", id, error)
                    })?;
                let config = answer
                    .distribution_config
                    .ok_or_else(|| nonsense("cloudfront:GetDistributionConfig", id, NOTHING))?;
                Ok(Described {
                    id: id.to_owned(),
                    domain_name: None,
                    config,
                })
            }
            Err(error) => Err(error),
        }
    }

    pub async fn cache_policy(&self, id: &str) -> Result<CachePolicyConfig, AwsError> {
        let answer = self
            .client
            .get_cache_policy()
            .id(id)
            .send()
            .await
            .map_err(|error| AwsError::new("cloudfront:GetCachePolicy", id, error))?;
        answer
            .cache_policy
            .and_then(|policy| policy.cache_policy_config)
            .ok_or_else(|| {
                nonsense(
                    "cloudfront:GetCachePolicy",
                    id,
                    "the answer holds no policy",
                )
            })
    }

    /// Asks for a purge. The same reference with the same paths answers with the first invalidation.
    pub async fn invalidate(
        &self,
        target: &PurgeTarget,
        paths: &[String],
        reference: &str,
    ) -> Result<Accepted, AwsError> {
        const ACTION: &str = "cloudfront:CreateInvalidation";
        let count = i32::try_from(paths.len()).unwrap_or(i32::MAX);
        let items = Paths::builder()
            .quantity(count)
            .set_items(Some(paths.to_vec()))
            .build();
        let batch = items.and_then(|items| {
            InvalidationBatch::builder()
                .paths(items)
                .caller_reference(reference)
                .build()
        });
        let batch = batch.map_err(|error| nonsense(ACTION, target.id(), &error.to_string()))?;
        let invalidation = match target {
            PurgeTarget::Distribution(id) => {
                let request = self.client.create_invalidation().distribution_id(id);
                let answer = request.invalidation_batch(batch).send().await;
                answer
                    .map_err(|error| AwsError::new(ACTION, id, error))?
                    .invalidation
            }
            PurgeTarget::Tenant(id) => {
                let request = self
                    .client
                    .create_invalidation_for_distribution_tenant()
                    .id(id);
                let answer = request.invalidation_batch(batch).send().await;
                answer
                    .map_err(|error| {
                        AwsError::new(
                            "cloudfront:CreateInvalidationForDistributionTenant",
                            id,
                            error,
                        )
                    })?
                    .invalidation
            }
        };
        let missing = || nonsense(ACTION, target.id(), "the answer holds no invalidation");
        invalidation.map(Accepted::from).ok_or_else(missing)
    }

    /// How an invalidation stands.
    pub async fn invalidation(
        &self,
        target: &PurgeTarget,
        id: &str,
    ) -> Result<Invalidation, AwsError> {
        const ACTION: &str = "cloudfront:GetInvalidation";
        let resource = format!("{}/{id}", target.id());
        let answer = match target {
            PurgeTarget::Distribution(distribution) => {
                let request = self
                    .client
                    .get_invalidation()
                    .distribution_id(distribution)
                    .id(id);
                let answer = request.send().await;
                answer
                    .map_err(|error| AwsError::new(ACTION, &resource, error))?
                    .invalidation
            }
            PurgeTarget::Tenant(tenant) => {
                let request = self.client.get_invalidation_for_distribution_tenant();
                let answer = request.distribution_tenant_id(tenant).id(id).send().await;
                answer
                    .map_err(|error| {
                        AwsError::new(
                            "cloudfront:GetInvalidationForDistributionTenant",
                            &resource,
                            error,
                        )
                    })?
                    .invalidation
            }
        };
        answer.ok_or_else(|| nonsense(ACTION, &resource, "the answer holds no invalidation"))
    }

    /// The invalidations of a distribution or a tenant, newest first, until `enough` says so. A distribution's are not those of
    /// its tenants.
    pub async fn invalidations(
        &self,
        target: &PurgeTarget,
        enough: impl Fn(&[InvalidationSummary]) -> bool,
    ) -> Result<Vec<InvalidationSummary>, AwsError> {
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            let list = match target {
                PurgeTarget::Distribution(id) => {
                    let request = self.client.list_invalidations().distribution_id(id);
                    let answer = request.set_marker(marker).send().await;
                    let failed = |error| AwsError::new("cloudfront:ListInvalidations", id, error);
                    answer.map_err(failed)?.invalidation_list
                }
                PurgeTarget::Tenant(id) => {
                    const ACTION: &str = "cloudfront:ListInvalidationsForDistributionTenant";
                    let request = self.client.list_invalidations_for_distribution_tenant();
                    let answer = request.id(id).set_marker(marker).send().await;
                    let failed = |error| AwsError::new(ACTION, id, error);
                    answer.map_err(failed)?.invalidation_list
                }
            };
            let Some(list) = list else { break };
            found.extend(list.items.unwrap_or_default());
            marker = list.next_marker.filter(|_| list.is_truncated);
            if marker.is_none() || enough(&found) {
                break;
            }
        }
        Ok(found)
    }

    /// All tenants of the account's distributions: their ids, and what they are called.
    pub async fn tenants(&self) -> Result<Vec<(String, String)>, AwsError> {
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            let request = self.client.list_distribution_tenants();
            let answer = request.set_marker(marker).send().await;
            let answer = answer
                .map_err(|error| AwsError::new("cloudfront:ListDistributionTenants", "*", error))?;
            let list = answer.distribution_tenant_list.unwrap_or_default();
            found.extend(list.into_iter().map(|one| {
                let domain = one.domains.into_iter().next().map(|one| one.domain);
                (one.id, domain.unwrap_or(one.name))
            }));
            marker = answer.next_marker.filter(|next| !next.is_empty());
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    /// The tenant of this id or domain: its id, its distribution's id and its domains.
    pub async fn tenant(
        &self,
        name: &str,
    ) -> Result<(String, Option<String>, Vec<String>), AwsError> {
        const ACTION: &str = "cloudfront:GetDistributionTenant";
        let found = if name.contains('.') {
            let answer = self
                .client
                .get_distribution_tenant_by_domain()
                .domain(name)
                .send()
                .await;
            answer
                .map_err(|error| {
                    AwsError::new("cloudfront:GetDistributionTenantByDomain", name, error)
                })?
                .distribution_tenant
        } else {
            let answer = self
                .client
                .get_distribution_tenant()
                .identifier(name)
                .send()
                .await;
            answer
                .map_err(|error| AwsError::new(ACTION, name, error))?
                .distribution_tenant
        };
        let found = found.ok_or_else(|| nonsense(ACTION, name, "the answer holds no tenant"))?;
        let id = found
            .id
            .ok_or_else(|| nonsense(ACTION, name, "the tenant has no id"))?;
        let domains = found
            .domains
            .unwrap_or_default()
            .into_iter()
            .map(|one| one.domain);
        Ok((id, found.distribution_id, domains.collect()))
    }
}
