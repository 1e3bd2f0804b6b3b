//! Tries rights to distributions, and to what runs before them, by requests that change nothing where CloudFront
//! answers, whatever it answers.

use aws_sdk_cloudfront::primitives::Blob;
use aws_sdk_cloudfront::types::{
    FunctionConfig, FunctionRuntime, FunctionStage, InvalidationBatch, Paths,
    ResponseHeadersPolicyConfig,
};

use super::cloudfront::{CloudFront, PurgeTarget};
use super::error::{AwsError, failed};
use super::tried_objects::{TriedAction, allowed};

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
            "GetDistribution" => self.try_distribution(on.distribution).await,
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
            "GetResponseHeadersPolicy" => self.try_headers_policy().await,
            "UpdateResponseHeadersPolicy" => self.try_headers_update().await,
            action => self.try_function(action, on.function?).await?,
        };
        Some(allowed(tried, &LEAVE))
    }

    async fn try_distribution(&self, id: &str) -> Result<(), AwsError> {
        let answer = self.client.get_distribution().id(id).send().await;
        answer
            .map(drop)
            .map_err(failed("cloudfront:GetDistribution", id))
    }

    /// Sends the configuration back unchanged, under an ETag that it does not have.
    async fn try_update(&self, id: &str) -> Result<(), AwsError> {
        let (config, _) = self.changeable_config(id).await?;
        let request = self.client.update_distribution().id(id).if_match(NO_ETAG);
        let answer = request.distribution_config(config).send().await;
        answer
            .map(drop)
            .map_err(failed("cloudfront:UpdateDistribution", id))
    }

    /// Asks for the purge of what is no path, and of another number of paths than there are: either is refused (CloudFront API
    /// Reference, "CreateInvalidation": InvalidArgument, InconsistentQuantities).
    async fn try_purge(&self, target: &PurgeTarget) -> Result<(), AwsError> {
        const ACTION: &str = "cloudfront:CreateInvalidation";
        const OF_TENANT: &str = "cloudfront:CreateInvalidationForDistributionTenant";
        let paths = Paths::builder().quantity(2).items(NOBODY).build();
        let batch = paths.and_then(|paths| {
            let batch = InvalidationBatch::builder().paths(paths);
            batch.caller_reference(NOBODY).build()
        });
        let nonsense = |error: String| AwsError::nonsense(ACTION, target.id(), error);
        let batch = batch.map_err(|error| nonsense(error.to_string()))?;
        match target {
            PurgeTarget::Distribution(id) => {
                let request = self.client.create_invalidation().distribution_id(id);
                let answer = request.invalidation_batch(batch).send().await;
                answer.map(drop).map_err(failed(ACTION, id))
            }
            PurgeTarget::Tenant(id) => {
                let request = self.client.create_invalidation_for_distribution_tenant();
                let answer = request.id(id).invalidation_batch(batch).send().await;
                answer.map(drop).map_err(failed(OF_TENANT, id))
            }
        }
    }

    async fn try_headers_policy(&self) -> Result<(), AwsError> {
        let request = self.client.get_response_headers_policy().id(NOBODY);
        let answer = request.send().await.map(drop);
        answer.map_err(failed("cloudfront:GetResponseHeadersPolicy", NOBODY))
    }

    async fn try_headers_update(&self) -> Result<(), AwsError> {
        const ACTION: &str = "cloudfront:UpdateResponseHeadersPolicy";
        let config = ResponseHeadersPolicyConfig::builder().name(NOBODY).build();
        let nonsense = |error: String| AwsError::nonsense(ACTION, NOBODY, error);
        let config = config.map_err(|error| nonsense(error.to_string()))?;
        let request = self.client.update_response_headers_policy().id(NOBODY);
        let request = request
            .if_match(NO_ETAG)
            .response_headers_policy_config(config);
        request
            .send()
            .await
            .map(drop)
            .map_err(failed(ACTION, NOBODY))
    }

    /// Tries what is done with a function that is there; one that is not is answered as missing, which does as well.
    async fn try_function(&self, action: &str, name: &str) -> TriedAction {
        const UPDATE: &str = "cloudfront:UpdateFunction";
        const PUBLISH: &str = "cloudfront:PublishFunction";
        let code = Blob::new("function handler(event) { return event.request; }");
        Some(match action {
            "DescribeFunction" => {
                let request = self.client.describe_function().name(name);
                let answer = request.stage(FunctionStage::Live).send().await;
                answer
                    .map(drop)
                    .map_err(failed("cloudfront:DescribeFunction", name))
            }
            "UpdateFunction" => {
                let config = FunctionConfig::builder().comment(NOBODY);
                let config = config
                    .runtime(FunctionRuntime::CloudfrontJs20)
                    .build()
                    .ok()?;
                let request = self.client.update_function().name(name).if_match(NO_ETAG);
                let request = request.function_config(config).function_code(code);
                request.send().await.map(drop).map_err(failed(UPDATE, name))
            }
            "PublishFunction" => {
                let request = self.client.publish_function().name(name);
                let answer = request.if_match(NO_ETAG).send().await;
                answer.map(drop).map_err(failed(PUBLISH, name))
            }
            "TestFunction" => self.test_function(name, NO_ETAG, "{}").await.map(drop),
            _ => return None,
        })
    }
}
