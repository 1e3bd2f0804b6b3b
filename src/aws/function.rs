//! What is asked of CloudFront about functions: their code, its two stages, and the behaviors that run them.

use aws_sdk_cloudfront::primitives::Blob;
use aws_sdk_cloudfront::types::{
    DistributionConfig, EventType, FunctionAssociation, FunctionAssociations, FunctionConfig,
    FunctionRuntime, FunctionStage,
};

use super::cloudfront::{CloudFront, nonsense};
use super::error::{AwsError, Kind};

/// A function's code, and the ETag by which it is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    pub text: String,
    pub etag: String,
}

/// What became of an association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Association {
    Done,
    /// Requests go through this one already, by its ARN.
    Taken(String),
}

impl CloudFront {
    /// The code of a CloudFront Function: as viewers run it, or as it was last written. `None`: there is none.
    pub async fn function(&self, name: &str, live: bool) -> Result<Option<Code>, AwsError> {
        let stage = match live {
            true => FunctionStage::Live,
            false => FunctionStage::Development,
        };
        let answer = self.client.get_function().name(name).stage(stage);
        let answer = answer.send().await;
        match answer.map_err(|error| AwsError::new("cloudfront:GetFunction", name, error)) {
            Ok(answer) => {
                let code = answer.function_code.map(|blob| blob.into_inner());
                Ok(Some(Code {
                    text: String::from_utf8_lossy(&code.unwrap_or_default()).into_owned(),
                    etag: answer.e_tag.unwrap_or_default(),
                }))
            }
            Err(error) if error.is(&Kind::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
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
        let config = FunctionConfig::builder()
            .comment("Redirects, written by unstale")
            .runtime(FunctionRuntime::CloudfrontJs20)
            .build();
        let config = config.map_err(|error| nonsense(CREATE, name, &error.to_string()))?;
        let code = Blob::new(code.as_bytes());
        let etag = match over {
            None => {
                let request = self.client.create_function().name(name);
                let answer = request.function_config(config).function_code(code).send();
                let answer = answer.await;
                answer
                    .map_err(|error| AwsError::new(CREATE, name, error))?
                    .e_tag
            }
            Some(etag) => {
                let request = self.client.update_function().name(name).if_match(etag);
                let answer = request.function_config(config).function_code(code).send();
                let answer = answer.await;
                answer
                    .map_err(|error| AwsError::new("cloudfront:UpdateFunction", name, error))?
                    .e_tag
            }
        };
        etag.ok_or_else(|| nonsense(CREATE, name, "the answer has no ETag"))
    }

    /// Puts the code of this ETag before viewers, and answers the function's ARN.
    pub async fn publish_function(&self, name: &str, etag: &str) -> Result<String, AwsError> {
        const ACTION: &str = "cloudfront:PublishFunction";
        let request = self.client.publish_function().name(name).if_match(etag);
        let answer = request.send().await;
        let answer = answer.map_err(|error| AwsError::new(ACTION, name, error))?;
        let metadata = answer.function_summary.and_then(|it| it.function_metadata);
        metadata
            .map(|it| it.function_arn)
            .ok_or_else(|| nonsense(ACTION, name, "the answer has no ARN"))
    }

    /// The ARN of a function that is live.
    pub async fn function_arn(&self, name: &str) -> Result<String, AwsError> {
        const ACTION: &str = "cloudfront:DescribeFunction";
        let request = self.client.describe_function().name(name);
        let answer = request.stage(FunctionStage::Live).send().await;
        let answer = answer.map_err(|error| AwsError::new(ACTION, name, error))?;
        let metadata = answer.function_summary.and_then(|it| it.function_metadata);
        metadata
            .map(|it| it.function_arn)
            .ok_or_else(|| nonsense(ACTION, name, "the answer has no ARN"))
    }

    /// Has the default behavior's requests go through a function, where they go through none. All else stays as it is,
    /// whoever changes it meanwhile.
    pub async fn associate(&self, id: &str, function: &str) -> Result<Association, AwsError> {
        const ACTION: &str = "cloudfront:UpdateDistribution";
        let mut tries = 0;
        loop {
            let answer = self.client.get_distribution_config().id(id).send().await;
            let answer = answer
                .map_err(|error| AwsError::new("cloudfront:GetDistributionConfig", id, error))?;
            let mut config = answer
                .distribution_config
                .ok_or_else(|| nonsense(ACTION, id, "the answer holds no configuration"))?;
            match viewer_request(&config) {
                Some(arn) if arn == function => return Ok(Association::Done),
                Some(other) => return Ok(Association::Taken(other)),
                None => {}
            }
            add_function(&mut config, function)
                .map_err(|why| nonsense(ACTION, id, &format!("it cannot be changed: {why}")))?;
            let request = self.client.update_distribution().id(id);
            let request = request.set_if_match(answer.e_tag);
            let answer = request.distribution_config(config).send().await;
            match answer.map_err(|error| AwsError::new(ACTION, id, error)) {
                Ok(_) => return Ok(Association::Done),
                Err(error) if error.is(&Kind::Precondition) && tries < 3 => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether all edges know a distribution as it is configured.
    pub async fn is_deployed(&self, id: &str) -> Result<bool, AwsError> {
        let answer = self.client.get_distribution().id(id).send().await;
        let answer =
            answer.map_err(|error| AwsError::new("cloudfront:GetDistribution", id, error))?;
        let status = answer.distribution.map(|found| found.status);
        Ok(status.is_none_or(|status| status.eq_ignore_ascii_case("deployed")))
    }
}

/// What sees the default behavior's requests first, by its ARN.
fn viewer_request(config: &DistributionConfig) -> Option<String> {
    let default = config.default_cache_behavior.as_ref()?;
    let functions = default.function_associations.iter();
    let mut functions = functions.flat_map(FunctionAssociations::items);
    let lambdas = default.lambda_function_associations.iter();
    let mut lambdas = lambdas.flat_map(|list| list.items());
    let function = functions.find(|one| one.event_type == EventType::ViewerRequest);
    let lambda = lambdas.find(|one| one.event_type == EventType::ViewerRequest);
    function
        .map(|one| one.function_arn.clone())
        .or_else(|| lambda.map(|one| one.lambda_function_arn.clone()))
}

fn add_function(config: &mut DistributionConfig, arn: &str) -> Result<(), String> {
    let default = config.default_cache_behavior.as_mut();
    let default = default.ok_or("it has no default behavior")?;
    let ours = FunctionAssociation::builder()
        .function_arn(arn)
        .event_type(EventType::ViewerRequest)
        .build()
        .map_err(|error| error.to_string())?;
    let there = default.function_associations.take();
    let mut all = there.and_then(|list| list.items).unwrap_or_default();
    all.push(ours);
    let count = i32::try_from(all.len()).unwrap_or(i32::MAX);
    let all = FunctionAssociations::builder()
        .quantity(count)
        .set_items(Some(all))
        .build();
    default.function_associations = Some(all.map_err(|error| error.to_string())?);
    Ok(())
}
