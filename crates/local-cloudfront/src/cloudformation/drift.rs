//! Drift: how what is there differs from what a stack made, in the properties that the template names.

use serde_json::{Map, Value, json};

use super::buckets;
use super::distributions::{blank, described};
use super::stack::{Drift, Resource, ResourceDrift, Stack};
use super::template::text;
use crate::bucket::Versioning;
use crate::distribution::{Behavior, Distribution};
use crate::world::Shared;
use crate::xml::Element;

/// Looks at all resources of a stack whose types are looked at.
pub(super) fn detect(shared: &Shared, stack: &Stack) -> Vec<ResourceDrift> {
    let there = stack.resources.iter().filter(|(_, known)| known.is_there());
    let drifts = there.filter_map(|(id, known)| {
        let expected = expected(known)?;
        Some(match actual(shared, known) {
            None => ResourceDrift {
                id: id.clone(),
                status: "DELETED".to_owned(),
                actual: Value::Null,
                expected,
                differences: Vec::new(),
            },
            Some(actual) => {
                let mut differences = Vec::new();
                compare("", (&expected, &actual), &mut differences);
                let status = if differences.is_empty() {
                    "IN_SYNC"
                } else {
                    "MODIFIED"
                };
                ResourceDrift {
                    id: id.clone(),
                    status: status.to_owned(),
                    expected,
                    actual,
                    differences,
                }
            }
        })
    });
    drifts.collect()
}

/// Of the whole stack.
pub(super) fn status(drift: &Drift) -> &'static str {
    if drift.resources.iter().any(|one| one.status != "IN_SYNC") {
        "DRIFTED"
    } else {
        "IN_SYNC"
    }
}

/// What is compared of a resource. `None` for a type that is not looked at.
fn expected(known: &Resource) -> Option<Value> {
    let properties = &known.properties;
    Some(match known.kind.as_str() {
        "AWS::S3::Bucket" => {
            let mut facts = Map::new();
            if let Some(versions) = properties.get("VersioningConfiguration") {
                facts.insert("VersioningConfiguration".to_owned(), versions.clone());
            }
            for (name, document) in buckets::documents(properties) {
                facts.insert(name.to_owned(), facts_of(&document));
            }
            Value::Object(facts)
        }
        "AWS::S3::BucketPolicy" => json!({ "PolicyDocument": properties.get("PolicyDocument") }),
        "AWS::CloudFront::Distribution" => {
            let wished = described(&blank(&known.physical_id, ""), properties).ok()?;
            distribution(&wished)
        }
        "AWS::CloudFront::Function" => json!({ "FunctionCode": properties.get("FunctionCode") }),
        _ => return None,
    })
}

/// What is there of it. `None` where it is gone.
fn actual(shared: &Shared, known: &Resource) -> Option<Value> {
    let id = known.physical_id.as_str();
    let bucket = |name: &str| {
        let read = shared
            .store
            .read(id, |bucket| bucket.options.documents.get(name).cloned());
        read.ok().flatten()
    };
    match known.kind.as_str() {
        "AWS::S3::Bucket" => {
            let versions = shared.store.read(id, |bucket| bucket.versioning).ok()?;
            let versions = match versions {
                Versioning::Enabled => "Enabled",
                Versioning::Never | Versioning::Suspended => "Suspended",
            };
            let mut facts = Map::new();
            if known.properties.get("VersioningConfiguration").is_some() {
                facts.insert(
                    "VersioningConfiguration".to_owned(),
                    json!({ "Status": versions }),
                );
            }
            for (name, _) in buckets::documents(&known.properties) {
                let document = bucket(name).as_deref().and_then(Element::parse);
                let document = document.map_or(Value::Null, |document| facts_of(&document));
                facts.insert(name.to_owned(), document);
            }
            Some(Value::Object(facts))
        }
        "AWS::S3::BucketPolicy" => {
            let policy = bucket("policy")?;
            let policy: Value = serde_json::from_str(&policy).ok()?;
            Some(json!({ "PolicyDocument": policy }))
        }
        "AWS::CloudFront::Function" => {
            let stages = shared.cloud.stages(id.rsplit('/').next()?)?;
            Some(json!({ "FunctionCode": stages.development.code }))
        }
        _ => shared
            .cloud
            .distribution(id)
            .map(|known| distribution(&known)),
    }
}

/// Text, or an object of the children; several of one name are numbered.
fn facts_of(element: &Element) -> Value {
    if element.children.is_empty() {
        return json!(element.text);
    }
    let children = element.children.iter().enumerate().map(|(number, child)| {
        let is_one = |other: &&Element| other.name == child.name;
        let name = match element.children.iter().filter(is_one).count() {
            1 => child.name.clone(),
            _ => format!("{}{number}", child.name),
        };
        (name, facts_of(child))
    });
    Value::Object(children.collect())
}

fn distribution(known: &Distribution) -> Value {
    let behavior = |behavior: &Behavior| {
        json!({
            "TargetOriginId": behavior.origin,
            "Compress": behavior.compress,
            "FunctionAssociations": behavior.functions().map(|(name, event)| json!({
                "EventType": event, "FunctionARN": crate::function::function_arn(name),
            })).collect::<Vec<_>>(),
            "ResponseHeadersPolicyId": behavior.headers_policy,
        })
    };
    let errors = known.errors.iter().map(|error| {
        json!({
            "ErrorCode": error.code,
            "ResponsePagePath": error.page,
            "ResponseCode": error.response,
            "ErrorCachingMinTTL": error.min_ttl,
        })
    });
    let origins = known.origins.iter();
    let origins = origins
        .map(|one| json!({ "Id": one.id, "DomainName": one.host(), "OriginPath": one.path }));
    let behaviors: Vec<Value> = known.behaviors.iter().map(behavior).collect();
    json!({ "DistributionConfig": {
        "Aliases": known.aliases,
        "Comment": known.comment,
        "Enabled": known.enabled,
        "DefaultRootObject": known.root,
        "PriceClass": known.price_class,
        "CacheTagConfig": known.tag_header.as_ref().map(|name| json!({ "HeaderName": name })),
        "CustomErrorResponses": errors.collect::<Vec<_>>(),
        "Origins": origins.collect::<Vec<_>>(),
        "DefaultCacheBehavior": behavior(&known.default),
        "CacheBehaviors": behaviors,
    } })
}

/// Collects where two values differ, by paths such as `/DistributionConfig/DefaultRootObject`.
pub(super) fn compare(
    path: &str,
    (expected, actual): (&Value, &Value),
    differences: &mut Vec<(String, Value, Value)>,
) {
    match (expected, actual) {
        (Value::Object(one), Value::Object(other)) => {
            let more = other.keys().filter(|name| !one.contains_key(*name));
            for name in one.keys().chain(more) {
                let value = |of: &Map<String, Value>| of.get(name).cloned().unwrap_or_default();
                let path = format!("{path}/{name}");
                compare(&path, (&value(one), &value(other)), differences);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for number in 0..one.len().max(other.len()) {
                let value = |of: &[Value]| of.get(number).cloned().unwrap_or_default();
                let path = format!("{path}/{number}");
                compare(&path, (&value(one), &value(other)), differences);
            }
        }
        // Templates write numbers and booleans as texts, too.
        _ if text(expected) != text(actual) => {
            differences.push((path.to_owned(), expected.clone(), actual.clone()));
        }
        _ => {}
    }
}
