//! What an account has already, by the Cloud Control API: one client for the resources of many services.

use serde_json::Value;

use super::connect::{API_TIMEOUT, AwsClients, timeouts};
use super::error::{AwsError, failed};

/// The Cloud Control API of the configured region.
#[derive(Debug, Clone)]
pub struct CloudControl {
    client: aws_sdk_cloudcontrol::Client,
}

impl AwsClients {
    pub fn cloud_control(&self) -> CloudControl {
        let config = aws_sdk_cloudcontrol::config::Builder::from(self.config())
            .timeout_config(timeouts(API_TIMEOUT))
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
        let request = self.client.list_resources().type_name(kind);
        let pages = request.into_paginator().items().send();
        let resources: Result<Vec<_>, _> = pages.collect().await;
        let resources = resources.map_err(failed(ACTION, kind))?.into_iter();
        let told =
            resources.filter_map(|found| Some((found.identifier?, properties(found.properties))));
        Ok(told.collect())
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
