//! Tries rights to distributions, and to what runs before them, by requests that change nothing where CloudFront
//! answers, whatever it answers.

use std::collections::BTreeSet;

use aws_sdk_cloudfront::types::Paths;

use super::cloudfront::{CloudFront, PurgeTarget};
use super::error::AwsError;
use super::function::FunctionDraft;
use super::headers_policy::StoredHeadersPolicy;
use super::tried_objects::{TriedAction, allowed};
use crate::edge::HeadersPolicy;

/// An id that nothing of CloudFront's has.
const NOBODY: &str = "EUNSTALEDOCTOR";
/// An ETag that no configuration has.
const NO_ETAG: &str = "E0UNSTALEDOCTOR";
/// CachingOptimized, which every account has.
const MANAGED_POLICY: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";

/// What CloudFront says of what is not there, or of an ETag or a batch that it does not take, only to those who may ask for it (Amazon
/// CloudFront API Reference, "Errors" of each action).
const LEAVE: [&str; 9] = [
    "EntityNotFound",
    "InconsistentQuantities",
    "InvalidArgument",
    "InvalidIfMatchVersion",
    "NoSuchContinuousDeploymentPolicy",
    "NoSuchFunctionExists",
    "NoSuchInvalidation",
    "NoSuchResponseHeadersPolicy",
    "PreconditionFailed",
];

/// What actions are tried on.
#[derive(Debug, Clone, Copy)]
pub struct TriedResources<'a> {
    pub target: &'a PurgeTarget,
    /// The distribution that is, or has, the target.
    pub distribution: &'a str,
    /// The function that deploys write.
    pub function: Option<&'a str>,
}

impl CloudFront {
    /// Tries an action, as IAM names it. `None`: what would make something, or needs what is not there yet.
    pub async fn try_action(&self, action: &str, on: TriedResources<'_>) -> TriedAction {
        let tried = match action.strip_prefix("cloudfront:")? {
            "GetDistribution" => self.distribution(on.distribution).await.map(drop),
            "GetDistributionConfig" => self.config(on.distribution).await.map(drop),
            "UpdateDistribution" => self.try_update(on.distribution).await,
            "CreateInvalidation" | "CreateInvalidationForDistributionTenant" => {
                self.try_purge(on.target).await
            }
            "GetInvalidation" | "GetInvalidationForDistributionTenant" => {
                self.invalidation(on.target, NOBODY).await.map(drop)
            }
            "ListDistributions" => self.distributions().await.map(drop),
            "GetContinuousDeploymentPolicy" => self.staging_domains(NOBODY).await.map(drop),
            "GetDistributionTenant" => self.tenant(on.target.id()).await.map(drop),
            "GetCachePolicy" => self.cache_policy(MANAGED_POLICY).await.map(drop),
            "GetFunction" => self.function(NOBODY, true).await.map(drop),
            "DescribeKeyValueStore" => self.key_value_store(NOBODY).await.map(drop),
            "ListResponseHeadersPolicies" => self.headers_policy(NOBODY).await.map(drop),
            "GetResponseHeadersPolicy" => self.headers_policy_by_id(NOBODY).await.map(drop),
            "UpdateResponseHeadersPolicy" => self.try_headers_update().await,
            "DescribeFunction" => self.function_arn(on.function?).await.map(drop),
            "UpdateFunction" => self.try_function_update(on.function?).await,
            "PublishFunction" => {
                let published = self.publish_function(on.function?, NO_ETAG).await;
                published.map(drop)
            }
            "TestFunction" => {
                let tested = self.test_function(on.function?, NO_ETAG, "{}").await;
                tested.map(drop)
            }
            _ => return None,
        };
        Some(allowed(tried, &LEAVE))
    }

    /// Sends the configuration back unchanged, under an ETag that it does not have.
    async fn try_update(&self, id: &str) -> Result<(), AwsError> {
        let mut edited = self.editable_configuration(id).await?;
        edited.etag = Some(NO_ETAG.to_owned());
        self.write_configuration(edited).await
    }

    /// Asks for the purge of what is no path, and of another number of paths than there are: either is refused (CloudFront API
    /// Reference, "CreateInvalidation": InvalidArgument, InconsistentQuantities).
    async fn try_purge(&self, target: &PurgeTarget) -> Result<(), AwsError> {
        let paths = Paths::builder().quantity(2).items(NOBODY);
        self.send_batch(target, paths, NOBODY).await.map(drop)
    }

    async fn try_headers_update(&self) -> Result<(), AwsError> {
        let over = StoredHeadersPolicy {
            id: NOBODY.to_owned(),
            etag: NO_ETAG.to_owned(),
            policy: HeadersPolicy::default(),
        };
        let policy = HeadersPolicy {
            name: NOBODY.to_owned(),
            removed: BTreeSet::from([NOBODY.to_ascii_lowercase()]),
            ..HeadersPolicy::default()
        };
        let answer = self.write_headers_policy(&policy, Some(&over)).await;
        answer.map(drop)
    }

    async fn try_function_update(&self, name: &str) -> Result<(), AwsError> {
        let draft = FunctionDraft {
            code: "function handler(event) { return event.request; }",
            comment: NOBODY,
            store: None,
        };
        let answer = self.write_function(name, draft, Some(NO_ETAG)).await;
        answer.map(drop)
    }
}
