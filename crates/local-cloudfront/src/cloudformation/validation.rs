//! What CloudFormation finds out about a change set before it is executed (User Guide, "Validate stack deployments"): properties that
//! nobody knows, and names that are taken in the account.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::resources::property;
use super::schema;
use super::stack::{Change, ChangeSet, Stack, Wish};
use crate::clock::iso_date;
use crate::identity::ACCOUNT;
use crate::world::Shared;
use crate::xml::{Element, leaf, node};

/// One thing that is wrong with one resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Problem {
    /// Logical.
    pub id: String,
    pub kind: String,
    /// `NAME_CONFLICT_VALIDATION` or `PROPERTY_VALIDATION`.
    pub name: String,
    /// Such as `/Resources/Bucket/Properties/BucketName`.
    pub path: String,
    pub reason: String,
}

/// The account's resources by type and physical id.
pub(super) type Known = BTreeMap<String, BTreeMap<String, Value>>;

/// All problems of what is to be made or changed.
pub(super) fn problems(
    (shared, others): (&Shared, &Known),
    (stack, wish): (&Stack, &Wish),
    changes: &[Change],
) -> Vec<Problem> {
    let made = changes.iter().filter(|change| change.action != "Remove");
    let found = made.flat_map(|change| {
        let properties = stack.wished(wish, &change.id);
        let problem = |name: &str, path: &str, reason: String| Problem {
            id: change.id.clone(),
            kind: change.kind.clone(),
            name: name.to_owned(),
            path: format!("/Resources/{}/Properties{path}", change.id),
            reason,
        };
        let unknown = schema::check(&change.kind, &properties).err();
        let unknown = unknown.map(|said| problem("PROPERTY_VALIDATION", "", said));
        let is_new = change.action == "Add";
        let taken = is_new.then(|| taken((shared, others), &change.kind, &properties));
        let taken = taken.flatten().map(|(path, id)| {
            let kind = &change.kind;
            let said = format!("Resource of type '{kind}' with identifier '{id}' already exists.");
            problem("NAME_CONFLICT_VALIDATION", path, said)
        });
        unknown.into_iter().chain(taken)
    });
    found.collect()
}

/// The property that names what the account has already, and its identifier. What others have is not seen from here.
fn taken(
    (shared, others): (&Shared, &Known),
    kind: &str,
    properties: &Value,
) -> Option<(&'static str, String)> {
    let has = |id: &str| others.get(kind).is_some_and(|all| all.contains_key(id));
    let (path, id, is_taken) = match kind {
        "AWS::S3::Bucket" => {
            let name = property(properties, "/BucketName")?;
            let owner = shared
                .store
                .read(&name, |bucket| bucket.options.owner.clone());
            (
                "/BucketName",
                name,
                owner.is_ok_and(|owner| owner == ACCOUNT),
            )
        }
        "AWS::CloudFront::Function" => {
            let name = property(properties, "/Name")?;
            let is_taken = shared.cloud.stages(&name).is_some();
            ("/Name", name, is_taken)
        }
        "AWS::IAM::Role" => {
            let name = property(properties, "/RoleName")?;
            let is_taken = has(&name);
            ("/RoleName", name, is_taken)
        }
        "AWS::IAM::OIDCProvider" => {
            let url = property(properties, "/Url")?;
            let host = url.trim_start_matches("https://");
            let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{host}");
            let is_taken = has(&arn);
            ("/Url", arn, is_taken)
        }
        _ => return None,
    };
    is_taken.then_some((path, id))
}

/// Why a change set failed that has problems.
pub(super) fn reason(problems: &[Problem]) -> Option<String> {
    let mut names: Vec<&str> = problems.iter().map(Problem::check).collect();
    names.dedup();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!(
            "The following hook(s)/validation failed: [{names}]. To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information."
        )
    })
}

impl Problem {
    fn check(&self) -> &'static str {
        match self.name.as_str() {
            "NAME_CONFLICT_VALIDATION" => "AWS::EarlyValidation::ResourceExistenceCheck",
            _ => "AWS::EarlyValidation::PropertyValidation",
        }
    }
}

/// What DescribeEvents says of a change set.
pub(super) fn events(stack: &Stack, set: &ChangeSet) -> Vec<Element> {
    let events = set.problems.iter().map(|problem| {
        node(
            "member",
            [
                leaf("EventId", uuid::Uuid::new_v4()),
                leaf("StackId", &stack.id),
                leaf("OperationId", set.id.rsplit('/').next().unwrap_or_default()),
                leaf("OperationType", "CREATE_CHANGESET"),
                leaf("EventType", "VALIDATION_ERROR"),
                leaf("LogicalResourceId", &problem.id),
                leaf("ResourceType", &problem.kind),
                leaf("Timestamp", iso_date(set.created)),
                leaf("ValidationFailureMode", "FAIL"),
                leaf("ValidationName", &problem.name),
                leaf("ValidationStatus", "FAILED"),
                leaf("ValidationStatusReason", &problem.reason),
                leaf("ValidationPath", &problem.path),
            ],
        )
    });
    vec![node("OperationEvents", events)]
}
