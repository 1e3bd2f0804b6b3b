//! Buckets and their policies as templates describe them.

use serde_json::Value;

use super::resources::{Made, Making, Place, property};
use super::stack::Resource;
use crate::bucket::{Bucket, BucketOptions, Versioning};
use crate::identity::ACCOUNT;
use crate::xml::{Element, leaf, node};

pub(crate) fn make(
    making: &Making<'_>,
    place: &Place,
    (properties, known): (&Value, Option<&Resource>),
) -> Result<Made, String> {
    let store = &making.shared.store;
    let name = property(properties, "/BucketName").unwrap_or_else(|| {
        known.map_or_else(
            || place.name().to_lowercase(),
            |known| known.physical_id.clone(),
        )
    });
    if !s3s::path::check_bucket_name(&name) {
        return Err(place.refused("The specified bucket is not valid.", "InvalidRequest"));
    }
    if known.is_none() {
        let options = BucketOptions {
            region: place.region.clone(),
            ..BucketOptions::default()
        };
        let made = store
            .create(&name, options)
            .map_err(|error| error.to_string())?;
        if !made && !is_left_over(making, &name) {
            let is_ours = store.read(&name, |bucket| bucket.options.owner == ACCOUNT);
            let said = match is_ours {
                Ok(true) => format!("{name} already exists"),
                _ => "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.".to_owned(),
            };
            return Err(place.refused(&said, "AlreadyExists"));
        }
    }
    let versions = property(properties, "/VersioningConfiguration/Status");
    let versions = match versions.as_deref() {
        Some("Enabled") => Some(Versioning::Enabled),
        Some(_) => Some(Versioning::Suspended),
        None => None,
    };
    let kms = property(
        properties,
        "/BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/SSEAlgorithm",
    );
    let change = |options: &mut BucketOptions, versioning: &mut Versioning| {
        *versioning = versions.unwrap_or(*versioning);
        options.kms = kms.is_some_and(|name| name.starts_with("aws:kms"));
        for (subresource, document) in documents(properties) {
            let text = String::from_utf8_lossy(&document.document("")).into_owned();
            options.documents.insert(subresource.to_owned(), text);
        }
    };
    store
        .alter(&name, change)
        .map_err(|error| error.to_string())?;
    Ok(made(name, &place.region))
}

/// A bucket as others in its template refer to it.
pub(crate) fn made(name: String, region: &str) -> Made {
    let attributes = [
        ("Arn", format!("arn:aws:s3:::{name}")),
        ("DomainName", format!("{name}.s3.amazonaws.com")),
        (
            "RegionalDomainName",
            format!("{name}.s3.{region}.amazonaws.com"),
        ),
        (
            "WebsiteURL",
            format!("http://{}", crate::website::host(&name)),
        ),
    ];
    Made::new(name, &attributes)
}

/// Whether a folder has an empty bucket that no stack has made: the folder was opened with it, or its process ended in the midst of
/// making it, for buckets and stacks are not kept in one file.
fn is_left_over(making: &Making<'_>, name: &str) -> bool {
    let is_empty = making
        .shared
        .store
        .read(name, |bucket| bucket.keys.is_empty());
    let is_ours = making.account.has_made("AWS::S3::Bucket", name);
    making.shared.kept.is_some() && !is_ours && is_empty.is_ok_and(|empty| empty)
}

pub(crate) fn set_policy(
    making: &Making<'_>,
    place: &Place,
    (properties, known): (&Value, Option<&Resource>),
) -> Result<Made, String> {
    let bucket = property(properties, "/Bucket").unwrap_or_default();
    let has_one = |bucket: &Bucket| {
        let policy = bucket.options.documents.get("policy");
        policy.is_some_and(|policy| !policy.is_empty())
    };
    let has_one = making.shared.store.read(&bucket, has_one);
    // A folder's process may have ended after it was set.
    if known.is_none() && making.shared.kept.is_none() && has_one.unwrap_or_default() {
        let said = format!("The bucket policy already exists on bucket {bucket}.");
        return Err(place.refused(&said, "AlreadyExists"));
    }
    let policy = properties
        .get("PolicyDocument")
        .cloned()
        .unwrap_or_default();
    let text = policy.to_string();
    let set = |options: &mut BucketOptions| {
        options.documents.insert("policy".to_owned(), text);
    };
    let done = making
        .shared
        .store
        .alter(&bucket, |options, _| set(options));
    done.map_err(|error| place.refused(&error.to_string(), "NotFound"))?;
    Ok(Made::new(bucket, &[]))
}

/// S3's own form of a bucket's settings, by subresource.
pub(crate) fn documents(properties: &Value) -> Vec<(&'static str, Element)> {
    let list = |path: &str| {
        let items = properties.pointer(path).and_then(Value::as_array);
        items.cloned().unwrap_or_default()
    };
    let mut documents = Vec::new();
    if let Some(block) = properties.get("PublicAccessBlockConfiguration") {
        let names = [
            "BlockPublicAcls",
            "IgnorePublicAcls",
            "BlockPublicPolicy",
            "RestrictPublicBuckets",
        ];
        let flags = names.map(|name| {
            let value = property(block, &format!("/{name}"));
            leaf(name, value.unwrap_or_else(|| "false".to_owned()))
        });
        documents.push((
            "publicAccessBlock",
            node("PublicAccessBlockConfiguration", flags),
        ));
    }
    if properties.get("LifecycleConfiguration").is_some() {
        let rules = list("/LifecycleConfiguration/Rules");
        let rules = rules
            .iter()
            .enumerate()
            .map(|(number, rule)| lifecycle(number, rule));
        documents.push(("lifecycle", node("LifecycleConfiguration", rules)));
    }
    if properties.get("BucketEncryption").is_some() {
        let rules = list("/BucketEncryption/ServerSideEncryptionConfiguration");
        let rules = rules.iter().map(|rule| {
            let name = property(rule, "/ServerSideEncryptionByDefault/SSEAlgorithm");
            let name = leaf("SSEAlgorithm", name.unwrap_or_default());
            node("Rule", [node("ApplyServerSideEncryptionByDefault", [name])])
        });
        documents.push((
            "encryption",
            node("ServerSideEncryptionConfiguration", rules),
        ));
    }
    if properties.get("OwnershipControls").is_some() {
        let rules = list("/OwnershipControls/Rules");
        let rules = rules.iter().map(|rule| {
            let owner = property(rule, "/ObjectOwnership").unwrap_or_default();
            node("Rule", [leaf("ObjectOwnership", owner)])
        });
        documents.push(("ownershipControls", node("OwnershipControls", rules)));
    }
    documents
}

fn lifecycle(number: usize, rule: &Value) -> Element {
    let id = property(rule, "/Id").unwrap_or_else(|| format!("rule-{number}"));
    let prefix = property(rule, "/Prefix").unwrap_or_default();
    let mut parts = vec![
        leaf("ID", id),
        node("Filter", [leaf("Prefix", prefix)]),
        leaf("Status", property(rule, "/Status").unwrap_or_default()),
    ];
    for (path, outer, inner) in [
        ("/ExpirationInDays", "Expiration", "Days"),
        (
            "/NoncurrentVersionExpiration/NoncurrentDays",
            "NoncurrentVersionExpiration",
            "NoncurrentDays",
        ),
        (
            "/NoncurrentVersionExpirationInDays",
            "NoncurrentVersionExpiration",
            "NoncurrentDays",
        ),
        (
            "/AbortIncompleteMultipartUpload/DaysAfterInitiation",
            "AbortIncompleteMultipartUpload",
            "DaysAfterInitiation",
        ),
    ] {
        let days = property(rule, path);
        parts.extend(days.map(|days| node(outer, [leaf(inner, days)])));
    }
    node("Rule", parts)
}
