//! What is asked of CloudFormation about stacks that are no longer as they were made.

use aws_sdk_cloudformation::types::{PropertyDifference, StackResourceDriftStatus};
use serde::Serialize;

use super::cloudformation::{CloudFormation, word};
use super::error::{AwsError, failed};

/// How a resource differs from its template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceDrift {
    pub resource: String,
    /// `MODIFIED`, `DELETED`.
    pub status: String,
    pub differences: Vec<DriftedProperty>,
}

/// A property that is not as it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriftedProperty {
    /// `/DistributionConfig/HttpVersion`.
    pub path: String,
    pub expected: String,
    pub actual: String,
}

impl CloudFormation {
    /// Begins to compare a stack with its template, and returns the id of that.
    pub async fn detect_drift(&self, stack: &str) -> Result<String, AwsError> {
        const ACTION: &str = "cloudformation:DetectStackDrift";
        let answer = self
            .client
            .detect_stack_drift()
            .stack_name(stack)
            .send()
            .await;
        let id = answer
            .map_err(failed(ACTION, stack))?
            .stack_drift_detection_id;
        id.ok_or_else(|| AwsError::nonsense(ACTION, stack, "the answer has no id"))
    }

    /// Returns how far such a comparison is: `DETECTION_IN_PROGRESS`, and why it failed, if it did.
    pub async fn drift_detection(&self, id: &str) -> Result<(String, Option<String>), AwsError> {
        const ACTION: &str = "cloudformation:DescribeStackDriftDetectionStatus";
        let request = self.client.describe_stack_drift_detection_status();
        let answer = request.stack_drift_detection_id(id).send().await;
        let answer = answer.map_err(failed(ACTION, id))?;
        let status = word(answer.detection_status);
        Ok((status, answer.detection_status_reason))
    }

    /// Returns the resources that are not as they were made.
    pub async fn drifts(&self, stack: &str) -> Result<Vec<ResourceDrift>, AwsError> {
        const ACTION: &str = "cloudformation:DescribeStackResourceDrifts";
        let request = self.client.describe_stack_resource_drifts();
        let mut pages = request
            .stack_name(stack)
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Modified)
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Deleted)
            .into_paginator()
            .send();
        let mut drifts = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed(ACTION, stack))?;
            let found = page.stack_resource_drifts.unwrap_or_default().into_iter();
            drifts.extend(found.map(|drift| {
                let differences = drift.property_differences.unwrap_or_default();
                ResourceDrift {
                    resource: drift.logical_resource_id.unwrap_or_default(),
                    status: word(drift.stack_resource_drift_status),
                    differences: differences.into_iter().map(difference).collect(),
                }
            }));
        }
        Ok(drifts)
    }
}

fn difference(difference: PropertyDifference) -> DriftedProperty {
    DriftedProperty {
        path: difference.property_path.unwrap_or_default(),
        expected: difference.expected_value.unwrap_or_default(),
        actual: difference.actual_value.unwrap_or_default(),
    }
}
