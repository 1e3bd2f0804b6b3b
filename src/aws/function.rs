//! What is asked of CloudFront about functions: their code, its two stages, and the behaviors that run them.

use std::ops::ControlFlow;

use aws_sdk_cloudfront::primitives::Blob;
use aws_sdk_cloudfront::types::{
    DistributionConfig, EventType, FunctionAssociation, FunctionAssociations, FunctionConfig,
    FunctionRuntime, FunctionStage, FunctionSummary,
};

use super::cloudfront::CloudFront;
use super::error::{AwsError, failed};

/// A function's code, and the ETag by which it is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionCode {
    pub text: String,
    pub etag: String,
}

/// What became of an association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssociationOutcome {
    Done,
    /// Requests go through this one already, by its ARN.
    Taken(String),
}

impl CloudFront {
    /// Reads the code of a CloudFront Function: as viewers run it, or as it was last written. `None`: there is none.
    pub async fn function(&self, name: &str, live: bool) -> Result<Option<FunctionCode>, AwsError> {
        let stage = if live {
            FunctionStage::Live
        } else {
            FunctionStage::Development
        };
        let answer = self.client.get_function().name(name).stage(stage);
        let answer = answer.send().await;
        let answer = AwsError::if_there(answer.map_err(failed("cloudfront:GetFunction", name)))?;
        Ok(answer.map(|answer| {
            let code = answer.function_code.map(Blob::into_inner);
            FunctionCode {
                text: String::from_utf8_lossy(&code.unwrap_or_default()).into_owned(),
                etag: answer.e_tag.unwrap_or_default(),
            }
        }))
    }

    /// Writes a function's code, over the one of this ETag or as a new one, and answers the ETag that it has now. No viewer
    /// meets it yet.
    pub async fn write_function(
        &self,
        name: &str,
        code: &str,
        over: Option<&str>,
    ) -> Result<String, AwsError> {
        const CREATE: &str = "cloudfront:CreateFunction";
        const UPDATE: &str = "cloudfront:UpdateFunction";
        let nonsense = |what: &str| AwsError::nonsense(CREATE, name, what);
        let config = FunctionConfig::builder()
            .comment("Redirects, written by unstale")
            .runtime(FunctionRuntime::CloudfrontJs20)
            .build();
        let config = config.map_err(|error| nonsense(&error.to_string()))?;
        let code = Blob::new(code.as_bytes());
        let etag = if let Some(etag) = over {
            let request = self.client.update_function().name(name).if_match(etag);
            let request = request.function_config(config).function_code(code);
            request.send().await.map_err(failed(UPDATE, name))?.e_tag
        } else {
            let request = self.client.create_function().name(name);
            let request = request.function_config(config).function_code(code);
            request.send().await.map_err(failed(CREATE, name))?.e_tag
        };
        etag.ok_or_else(|| nonsense("the answer has no ETag"))
    }

    /// Puts the code of this ETag before viewers, and answers the function's ARN.
    pub async fn publish_function(&self, name: &str, etag: &str) -> Result<String, AwsError> {
        const ACTION: &str = "cloudfront:PublishFunction";
        let request = self.client.publish_function().name(name).if_match(etag);
        let answer = request.send().await.map_err(failed(ACTION, name))?;
        arn(ACTION, name, answer.function_summary)
    }

    /// Reads the ARN of a function that is live.
    pub async fn function_arn(&self, name: &str) -> Result<String, AwsError> {
        const ACTION: &str = "cloudfront:DescribeFunction";
        let request = self.client.describe_function().name(name);
        let answer = request.stage(FunctionStage::Live).send().await;
        let answer = answer.map_err(failed(ACTION, name))?;
        arn(ACTION, name, answer.function_summary)
    }

    /// Has the default behavior's requests go through a function, where they go through none. All else stays as it is,
    /// whoever changes it meanwhile.
    pub async fn associate(
        &self,
        id: &str,
        function: &str,
    ) -> Result<AssociationOutcome, AwsError> {
        let change = |config: &mut DistributionConfig| match viewer_request(config) {
            Some(arn) if arn == function => Ok(ControlFlow::Break(AssociationOutcome::Done)),
            Some(arn) => Ok(ControlFlow::Break(AssociationOutcome::Taken(arn))),
            None => {
                add_function(config, function)?;
                Ok(ControlFlow::Continue(AssociationOutcome::Done))
            }
        };
        self.reconfigure(id, change).await
    }
}

fn arn(
    action: &'static str,
    name: &str,
    summary: Option<FunctionSummary>,
) -> Result<String, AwsError> {
    let metadata = summary.and_then(|summary| summary.function_metadata);
    metadata
        .map(|metadata| metadata.function_arn)
        .ok_or_else(|| AwsError::nonsense(action, name, "the answer has no ARN"))
}

/// Finds what sees the default behavior's requests first, by its ARN.
fn viewer_request(config: &DistributionConfig) -> Option<String> {
    let default = config.default_cache_behavior.as_ref()?;
    let functions = default.function_associations.iter();
    let mut functions = functions.flat_map(|list| list.items());
    let lambdas = default.lambda_function_associations.iter();
    let mut lambdas = lambdas.flat_map(|list| list.items());
    let function = functions.find(|function| function.event_type == EventType::ViewerRequest);
    let lambda = lambdas.find(|lambda| lambda.event_type == EventType::ViewerRequest);
    function
        .map(|function| function.function_arn.clone())
        .or_else(|| lambda.map(|lambda| lambda.lambda_function_arn.clone()))
}

fn add_function(config: &mut DistributionConfig, arn: &str) -> Result<(), String> {
    let default = config.default_cache_behavior.as_mut();
    let default = default.ok_or("it has no default behavior")?;
    let ours = FunctionAssociation::builder()
        .function_arn(arn)
        .event_type(EventType::ViewerRequest)
        .build()
        .map_err(|error| error.to_string())?;
    let present = default.function_associations.take();
    let mut functions = present.and_then(|list| list.items).unwrap_or_default();
    functions.push(ours);
    let count = i32::try_from(functions.len()).unwrap_or(i32::MAX);
    let list = FunctionAssociations::builder()
        .quantity(count)
        .set_items(Some(functions))
        .build();
    default.function_associations = Some(list.map_err(|error| error.to_string())?);
    Ok(())
}
