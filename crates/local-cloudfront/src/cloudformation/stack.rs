//! A stack, what was made for it, and what happened to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::template::{Template, resolve};
use super::validation::Problem;
use crate::identity::ACCOUNT;

/// What a stack is made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Wish {
    /// The template's text.
    pub template: String,
    /// Every parameter's value.
    pub parameters: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub capabilities: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Stack {
    /// Its ARN.
    pub id: String,
    pub name: String,
    pub region: String,
    pub status: String,
    pub reason: String,
    pub created: SystemTime,
    pub updated: Option<SystemTime>,
    pub wish: Wish,
    /// What it goes back to where an update fails.
    pub before: Wish,
    /// By logical ids. What is gone is there too, with its last status.
    pub resources: BTreeMap<String, Resource>,
    /// Oldest first.
    pub events: Vec<StackEvent>,
    pub change_sets: Vec<ChangeSet>,
    pub execution: Option<Execution>,
    pub drift: Option<Drift>,
    /// Logical ids of what is there without this stack and is to be taken into it.
    #[serde(default)]
    pub imports: BTreeSet<String>,
    /// How often the state of before is still told, and that state.
    #[serde(default)]
    pub stale: (usize, String),
}

/// One thing that a stack made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Resource {
    /// Such as `AWS::S3::Bucket`.
    pub kind: String,
    pub physical_id: String,
    pub attributes: BTreeMap<String, String>,
    /// As it was made, functions resolved.
    pub properties: Value,
    pub status: String,
    pub reason: String,
    pub at: Option<SystemTime>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct StackEvent {
    pub id: String,
    /// Empty logical id: of the stack itself.
    pub logical_id: String,
    pub physical_id: String,
    pub kind: String,
    pub status: String,
    pub reason: String,
    pub at: SystemTime,
    pub token: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ChangeSet {
    /// Its ARN.
    pub id: String,
    pub name: String,
    /// `Create` or `Update`.
    pub aim: Aim,
    pub wish: Wish,
    pub description: String,
    pub token: String,
    /// `ROLLBACK`, `DELETE`, `DO_NOTHING`, or empty.
    pub on_failure: String,
    pub created: SystemTime,
    /// Why it failed.
    pub failed: Option<String>,
    /// `AVAILABLE`, and what comes after.
    pub execution: String,
    /// The ClientRequestToken of who executed it.
    pub executed_by: String,
    pub changes: Vec<Change>,
    /// Why it failed, resource by resource.
    pub problems: Vec<Problem>,
}

/// What becomes of one resource.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Change {
    /// `Add`, `Import`, `Modify` or `Remove`.
    pub action: String,
    pub id: String,
    pub physical_id: String,
    pub kind: String,
    /// `True`, `False` or `Conditional`; empty unless it is modified.
    pub replacement: String,
    /// Of what goes: `Delete` or `Retain`.
    pub policy: String,
    pub details: Vec<ChangeDetail>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ChangeDetail {
    /// `Properties`, or such as `DeletionPolicy`.
    pub attribute: String,
    pub name: String,
    /// `/Properties/DistributionConfig/PriceClass`.
    #[serde(default)]
    pub path: String,
    /// `Never`, `Conditionally` or `Always`.
    pub recreation: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What a stack is being brought to.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Execution {
    pub aim: Aim,
    /// The last is next.
    pub steps: Vec<Step>,
    /// When the next began, or the one before ended.
    pub at: SystemTime,
    pub has_begun: bool,
    pub on_failure: String,
    pub token: String,
    /// What an update replaced.
    pub replaced: BTreeMap<String, Resource>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Aim {
    Create,
    Update,
    /// After an update: what is not needed any more.
    Cleanup,
    Delete,
    Rollback,
    UpdateRollback,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    /// It is made, or changed where it is there.
    Make(String),
    Remove(String),
    /// Removes what an update replaced.
    Discard(String),
}

/// What the last drift detection found.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Drift {
    pub id: String,
    pub at: SystemTime,
    pub resources: Vec<ResourceDrift>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ResourceDrift {
    pub id: String,
    /// `IN_SYNC`, `MODIFIED` or `DELETED`.
    pub status: String,
    pub expected: Value,
    pub actual: Value,
    /// Path, expected and actual.
    pub differences: Vec<(String, Value, Value)>,
}

impl Aim {
    /// As statuses begin.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Cleanup => "UPDATE_COMPLETE_CLEANUP",
            Self::Delete => "DELETE",
            Self::Rollback => "ROLLBACK",
            Self::UpdateRollback => "UPDATE_ROLLBACK",
        }
    }
}

impl Wish {
    /// Stacks have templates that were read before.
    pub(crate) fn template(&self) -> Template {
        Template::parse(&self.template).unwrap_or_default()
    }
}

impl Resource {
    pub(crate) fn is_there(&self) -> bool {
        !self.physical_id.is_empty()
            && !self.status.starts_with("DELETE_COMPLETE")
            && self.status != "DELETE_SKIPPED"
    }
}

impl Stack {
    pub(crate) fn is_gone(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.execution.is_some()
    }

    /// The stack as DescribeStacks knows it by now.
    pub(crate) fn seen(&mut self) -> Self {
        let mut seen = self.clone();
        if let Some(left) = self.stale.0.checked_sub(1) {
            self.stale.0 = left;
            self.stale.1.clone_into(&mut seen.status);
        }
        seen
    }

    /// Sets the stack's status and tells of it.
    pub(crate) fn turn(&mut self, status: &str, reason: &str, at: SystemTime) {
        status.clone_into(&mut self.status);
        reason.clone_into(&mut self.reason);
        let physical_id = self.id.clone();
        self.tell("", &physical_id, at);
    }

    /// Adds an event: the status that a resource has, or the stack itself.
    pub(crate) fn tell(&mut self, id: &str, physical_id: &str, at: SystemTime) {
        let (kind, status, reason) = match self.resources.get(id) {
            Some(resource) => (
                resource.kind.clone(),
                resource.status.clone(),
                resource.reason.clone(),
            ),
            None => (
                "AWS::CloudFormation::Stack".to_owned(),
                self.status.clone(),
                self.reason.clone(),
            ),
        };
        let execution = self.execution.as_ref();
        self.events.push(StackEvent {
            id: uuid::Uuid::new_v4().to_string(),
            logical_id: id.to_owned(),
            physical_id: physical_id.to_owned(),
            kind,
            status,
            reason,
            at,
            token: execution.map(|one| one.token.clone()).unwrap_or_default(),
        });
    }

    /// Sets a resource's status and tells of it.
    pub(crate) fn turn_resource(
        &mut self,
        id: &str,
        (status, reason): (&str, &str),
        at: SystemTime,
    ) {
        let resource = self.resources.entry(id.to_owned()).or_default();
        status.clone_into(&mut resource.status);
        reason.clone_into(&mut resource.reason);
        resource.at = Some(at);
        let physical_id = resource.physical_id.clone();
        self.tell(id, &physical_id, at);
    }

    /// What a name in a template stands for. The parameters are those of `wish`.
    pub(crate) fn lookup(
        &self,
        wish: &Wish,
        name: &str,
        attribute: Option<&str>,
    ) -> Option<String> {
        if let Some(resource) = self.resources.get(name).filter(|known| known.is_there()) {
            return match attribute {
                None => Some(resource.physical_id.clone()),
                Some(attribute) => resource.attributes.get(attribute).cloned(),
            };
        }
        self.known(wish, name)
    }

    /// What a name stands for that needs no resource.
    pub(crate) fn known(&self, wish: &Wish, name: &str) -> Option<String> {
        Some(match name {
            "AWS::Region" => self.region.clone(),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::StackName" => self.name.clone(),
            "AWS::StackId" => self.id.clone(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            _ => return wish.parameters.get(name).cloned(),
        })
    }

    /// A resource's properties by a wish, as far as they are known by now.
    pub(crate) fn wished(&self, wish: &Wish, id: &str) -> Value {
        let lookup = |name: &str, attribute: Option<&str>| self.lookup(wish, name, attribute);
        resolve(&wish.template().properties(id), &lookup)
    }

    /// Outputs: key, value, description.
    pub(crate) fn outputs(&self) -> Vec<(String, String, String)> {
        let lookup = |name: &str, attribute: Option<&str>| self.lookup(&self.wish, name, attribute);
        let outputs = self.wish.template().outputs;
        let outputs = outputs.iter().map(|(key, output)| {
            let value = output.get("Value").unwrap_or(&Value::Null);
            let value = super::template::text(&resolve(value, &lookup));
            let description = output.get("Description").map(super::template::text);
            (key.clone(), value, description.unwrap_or_default())
        });
        let is_made = [
            "CREATE_COMPLETE",
            "UPDATE_COMPLETE",
            "UPDATE_ROLLBACK_COMPLETE",
        ];
        if is_made.iter().any(|status| self.status.starts_with(status)) {
            outputs.collect()
        } else {
            Vec::new()
        }
    }
}
