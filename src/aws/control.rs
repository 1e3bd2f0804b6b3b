//! What an account has already, by the Cloud Control API: one client for the resources of many services.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use serde_json::Value;

use super::connect::AwsClients;
use super::error::{AwsError, failed};

/// The Cloud Control API of the configured region.
#[derive(Debug, Clone)]
pub struct CloudControl {
    client: aws_sdk_cloudcontrol::Client,
}

impl AwsClients {
    pub fn cloud_control(&self) -> CloudControl {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(20));
        let config = aws_sdk_cloudcontrol::config::Builder::from(self.config())
            .timeout_config(timeouts.build())
            .interceptor(self.watch.clone());
        CloudControl {
            client: aws_sdk_cloudcontrol::Client::from_conf(config.build()),
        }
    }
}

impl CloudControl {
    /// Returns the resources of a type, such as `AWS::Route53::HostedZone`: their identifiers, and what the list tells of them.
    pub async fn list(&self, kind: &'static str) -> Result<Vec<(String, Value)>, AwsError> {
        const ACTION: &str = "cloudformation:ListResources";
        let (mut found, mut page) = (Vec::new(), None);
        loop {
            let request = self.client.list_resources().type_name(kind);
            let answer = request.set_next_token(page).send().await;
            let answer = answer.map_err(failed(ACTION, kind))?;
            let resources = answer.resource_descriptions.unwrap_or_default().into_iter();
            found.extend(resources.filter_map(|resource| {
                Some((resource.identifier?, properties(resource.properties)))
            }));
            page = answer.next_token;
            if page.is_none() {
                return Ok(found);
            }
        }
    }

    /// Returns the properties of a resource; `None`: there is none.
    pub async fn get(
        &self,
        kind: &'static str,
        identifier: &str,
    ) -> Result<Option<Value>, AwsError> {
        const ACTION: &str = "cloudformation:GetResource";
        let request = self
            .client
            .get_resource()
            .type_name(kind)
            .identifier(identifier);
        let answer = request.send().await.map_err(failed(ACTION, identifier));
        match answer {
            Err(error) if error.message.starts_with("ResourceNotFound") => Ok(None),
            answer => Ok(Some(properties(
                answer?
                    .resource_description
                    .and_then(|found| found.properties),
            ))),
        }
    }
}

/// Reads properties, which are JSON in a text. What cannot be read tells nothing.
fn properties(text: Option<String>) -> Value {
    let value = text.and_then(|text| serde_json::from_str(&text).ok());
    value.unwrap_or(Value::Null)
}
