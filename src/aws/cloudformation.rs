//! What is asked of CloudFormation: stacks, change sets, events.

use std::collections::BTreeMap;

use aws_config::Region;
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetType, OperationEvent, Output, Parameter, ResourceChange, StackEvent, Tag,
    ValidationStatus,
};
use serde::Serialize;

use super::connect::{API_TIMEOUT, AwsClients, timeouts};
use super::error::{AwsError, failed};

/// The tag by which all that a stack makes tells its site.
pub const SITE_TAG: &str = "unstale:site";

/// CloudFormation in one region.
#[derive(Debug, Clone)]
pub struct CloudFormation {
    pub(super) client: aws_sdk_cloudformation::Client,
}

/// A stack as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SiteStack {
    /// The ARN: of several stacks of a name, one after the other, this one.
    pub id: String,
    /// As CloudFormation writes it: `CREATE_COMPLETE`.
    pub status: String,
    pub reason: Option<String>,
    /// Whether its tags say that `setup` made it.
    pub is_ours: bool,
    pub outputs: BTreeMap<String, String>,
}

/// What is to become of a stack.
#[derive(Debug, Clone)]
pub struct StackRequest {
    pub stack: String,
    pub template: String,
    pub parameters: BTreeMap<String, String>,
    /// Names the change set: the same for the same content.
    pub name: String,
    /// Whether what the template names and the account has without a stack is taken in.
    pub imports: bool,
}

/// Whether a stack is there for a change set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeSetKind {
    Create,
    Update,
}

/// What CloudFormation would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackChangeSet {
    /// Its ARN.
    pub id: String,
    pub stack_id: String,
    /// `CREATE_COMPLETE`, `FAILED`.
    pub status: String,
    pub reason: String,
    /// Whether it can be carried out: `AVAILABLE`.
    pub execution: String,
    pub changes: Vec<StackChange>,
}

/// What would become of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackChange {
    /// `Add`, `Import`, `Modify`, `Remove`.
    pub action: String,
    pub resource: String,
    /// `AWS::S3::Bucket`.
    pub kind: String,
    /// `True`, `False`, `Conditional`, or empty.
    pub replacement: String,
    /// What differs.
    pub properties: Vec<ChangedProperty>,
}

/// What would become of a property.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ChangedProperty {
    /// `DistributionConfig/PriceClass`.
    pub path: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Something that happened to a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceEvent {
    pub id: String,
    pub resource: String,
    pub kind: String,
    pub physical_id: String,
    /// `CREATE_IN_PROGRESS`.
    pub status: String,
    pub reason: String,
}

impl AwsClients {
    /// Returns CloudFormation in this region, or in the configured one.
    pub fn cloudformation(&self, region: Option<&str>) -> CloudFormation {
        let mut config = aws_sdk_cloudformation::config::Builder::from(self.config())
            .timeout_config(timeouts(API_TIMEOUT))
            .interceptor(self.watch.clone());
        if let Some(region) = region {
            config = config.region(Region::new(region.to_owned()));
        }
        CloudFormation {
            client: aws_sdk_cloudformation::Client::from_conf(config.build()),
        }
    }

    /// Returns the region that is configured, if one is.
    pub fn region(&self) -> Option<String> {
        self.config().region().map(|region| region.to_string())
    }
}

impl CloudFormation {
    /// Returns a stack by its name or its id. By its id, one that was deleted, too.
    pub async fn stack(&self, stack: &str) -> Result<Option<SiteStack>, AwsError> {
        const ACTION: &str = "cloudformation:DescribeStacks";
        let answer = self.client.describe_stacks().stack_name(stack).send().await;
        let answer = match answer.map_err(failed(ACTION, stack)) {
            Err(error) if is_missing(&error) => return Ok(None),
            answer => answer?,
        };
        let found = answer.stacks.unwrap_or_default().into_iter().next();
        Ok(found.map(|found| SiteStack {
            id: found.stack_id.unwrap_or_default(),
            status: word(found.stack_status),
            reason: found.stack_status_reason,
            is_ours: (found.tags.iter().flatten()).any(|tag| tag.key.as_deref() == Some(SITE_TAG)),
            outputs: found
                .outputs
                .unwrap_or_default()
                .into_iter()
                .filter_map(output)
                .collect(),
        }))
    }

    /// Returns the template that a stack was made from, as it was written.
    pub async fn template(&self, stack: &str) -> Result<Option<String>, AwsError> {
        const ACTION: &str = "cloudformation:GetTemplate";
        let answer = self.client.get_template().stack_name(stack).send().await;
        match answer.map_err(failed(ACTION, stack)) {
            Err(error) if is_missing(&error) => Ok(None),
            answer => Ok(answer?.template_body),
        }
    }

    /// Has a change set made. One of this name that is there already is taken for it.
    pub async fn create_change_set(
        &self,
        request: &StackRequest,
        kind: ChangeSetKind,
    ) -> Result<(), AwsError> {
        const ACTION: &str = "cloudformation:CreateChangeSet";
        let StackRequest {
            stack,
            template,
            parameters,
            name,
            imports,
        } = request;
        let parameters = parameters.iter().map(|(name, value)| {
            Parameter::builder()
                .parameter_key(name)
                .parameter_value(value)
                .build()
        });
        let answer = self
            .client
            .create_change_set()
            .stack_name(stack)
            .change_set_name(name)
            .change_set_type(match kind {
                ChangeSetKind::Create => ChangeSetType::Create,
                ChangeSetKind::Update => ChangeSetType::Update,
            })
            .template_body(template)
            .set_parameters(Some(parameters.collect()))
            .capabilities(Capability::CapabilityIam)
            .set_import_existing_resources(imports.then_some(true))
            .tags(Tag::builder().key(SITE_TAG).value(stack).build())
            .send()
            .await;
        match answer.map_err(failed(ACTION, stack)) {
            Err(error) if error.message.starts_with("AlreadyExists") => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// Returns a change set with all its changes.
    pub async fn change_set(
        &self,
        stack: &str,
        name: &str,
    ) -> Result<Option<StackChangeSet>, AwsError> {
        const ACTION: &str = "cloudformation:DescribeChangeSet";
        let request = self.client.describe_change_set().stack_name(stack);
        let request = request.change_set_name(name).include_property_values(true);
        let mut pages = request.into_paginator().send();
        let mut whole: Option<StackChangeSet> = None;
        while let Some(page) = pages.next().await {
            let page = match page.map_err(failed(ACTION, stack)) {
                Err(error) if is_missing(&error) => return Ok(None),
                page => page?,
            };
            let changes = page.changes.unwrap_or_default().into_iter();
            let changes = changes.filter_map(|change| change.resource_change.map(change_of));
            let set = whole.get_or_insert_with(|| StackChangeSet {
                id: page.change_set_id.unwrap_or_default(),
                stack_id: page.stack_id.unwrap_or_default(),
                status: word(page.status),
                reason: page.status_reason.unwrap_or_default(),
                execution: word(page.execution_status),
                changes: Vec::new(),
            });
            set.changes.extend(changes);
        }
        Ok(whole)
    }

    /// Returns what kept a change set from being made, by the resources that it is about.
    pub async fn refusals(&self, change_set: &str) -> Result<Vec<ResourceEvent>, AwsError> {
        const ACTION: &str = "cloudformation:DescribeEvents";
        let request = self.client.describe_events().change_set_name(change_set);
        let answer = request.send().await;
        let answer = answer.map_err(failed(ACTION, change_set))?;
        let events = answer.operation_events.unwrap_or_default().into_iter();
        Ok(events.filter_map(refusal_of).collect())
    }

    /// Carries a change set out, by its ARN.
    pub async fn execute(&self, stack: &str, change_set: &str) -> Result<(), AwsError> {
        const ACTION: &str = "cloudformation:ExecuteChangeSet";
        let request = self.client.execute_change_set().change_set_name(change_set);
        let answer = request.send().await;
        answer.map_err(failed(ACTION, stack)).map(|_| ())
    }

    pub async fn delete_change_set(&self, stack: &str, name: &str) -> Result<(), AwsError> {
        const ACTION: &str = "cloudformation:DeleteChangeSet";
        let request = self.client.delete_change_set().stack_name(stack);
        let answer = request.change_set_name(name).send().await;
        answer.map_err(failed(ACTION, stack)).map(drop)
    }

    pub async fn delete_stack(&self, stack: &str) -> Result<(), AwsError> {
        const ACTION: &str = "cloudformation:DeleteStack";
        let answer = self.client.delete_stack().stack_name(stack).send().await;
        answer.map_err(failed(ACTION, stack)).map(drop)
    }

    /// Returns the events of a stack, the first first, as far back as `is_known` lets it look.
    pub async fn events(
        &self,
        stack: &str,
        is_known: impl Fn(&ResourceEvent) -> bool,
    ) -> Result<Vec<ResourceEvent>, AwsError> {
        const ACTION: &str = "cloudformation:DescribeStackEvents";
        let request = self.client.describe_stack_events().stack_name(stack);
        let mut found = request.into_paginator().items().send();
        let mut events = Vec::new();
        while let Some(event) = found.next().await {
            let event = event_of(event.map_err(failed(ACTION, stack))?);
            if is_known(&event) {
                break;
            }
            events.push(event);
        }
        events.reverse();
        Ok(events)
    }
}

/// Tells whether there is no such stack or change set. CloudFormation has no code of its own for the first.
fn is_missing(error: &AwsError) -> bool {
    error.message.starts_with("ChangeSetNotFound")
        || error.message.starts_with("ValidationError") && error.message.ends_with("does not exist")
}

/// Writes one of the service's words, such as `CREATE_COMPLETE`; nothing where it said none.
pub(super) fn word(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn output(output: Output) -> Option<(String, String)> {
    Some((output.output_key?, output.output_value?))
}

fn change_of(change: ResourceChange) -> StackChange {
    let details = change.details.unwrap_or_default().into_iter();
    let changed = details.filter_map(|detail| {
        let target = detail.target?;
        // One that is changed for another resource's sake has its name alone.
        let path = target.path.as_deref();
        let path = path.and_then(|path| path.strip_prefix("/Properties/"));
        Some(ChangedProperty {
            path: path.map(str::to_owned).or(target.name)?,
            before: target.before_value,
            after: target.after_value,
        })
    });
    let mut properties: Vec<ChangedProperty> = changed.collect();
    properties.sort();
    properties.dedup();
    StackChange {
        action: word(change.action),
        resource: change.logical_resource_id.unwrap_or_default(),
        kind: change.resource_type.unwrap_or_default(),
        replacement: word(change.replacement),
        properties,
    }
}

/// A validation that failed tells more than the change set (CloudFormation User Guide, "Validate stack deployments").
fn refusal_of(event: OperationEvent) -> Option<ResourceEvent> {
    let failed = event.validation_status? == ValidationStatus::Failed;
    failed.then(|| ResourceEvent {
        resource: event.logical_resource_id.unwrap_or_default(),
        kind: event.resource_type.unwrap_or_default(),
        status: "CREATE_FAILED".to_owned(),
        reason: event.validation_status_reason.unwrap_or_default(),
        ..ResourceEvent::default()
    })
}

fn event_of(event: StackEvent) -> ResourceEvent {
    ResourceEvent {
        id: event.event_id.unwrap_or_default(),
        resource: event.logical_resource_id.unwrap_or_default(),
        kind: event.resource_type.unwrap_or_default(),
        physical_id: event.physical_resource_id.unwrap_or_default(),
        status: word(event.resource_status),
        reason: event.resource_status_reason.unwrap_or_default(),
    }
}
