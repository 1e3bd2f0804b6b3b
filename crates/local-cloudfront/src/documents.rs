//! A bucket's settings that are kept as they were put: its policy, public access block, lifecycle, encryption and owners.

use hyper::Response;
use s3s::Body;

use super::bucket::BucketOptions;
use super::bucket_policy::is_public;
use super::http::{failure, xml};
use super::request::{RequestInfo, Service};
use super::world::Shared;
use super::xml::{Element, leaf, node};

/// One setting: its subresource, the ends of its operations' names, and the error where there is none.
struct Setting {
    subresource: &'static str,
    operations: [&'static str; 3],
    missing: &'static str,
}

const SETTINGS: [Setting; 5] = [
    Setting {
        subresource: "policy",
        operations: ["GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"],
        missing: "NoSuchBucketPolicy",
    },
    Setting {
        subresource: "publicAccessBlock",
        operations: [
            "GetPublicAccessBlock",
            "PutPublicAccessBlock",
            "DeletePublicAccessBlock",
        ],
        missing: "NoSuchPublicAccessBlockConfiguration",
    },
    Setting {
        subresource: "lifecycle",
        operations: [
            "GetBucketLifecycleConfiguration",
            "PutBucketLifecycleConfiguration",
            "DeleteBucketLifecycle",
        ],
        missing: "NoSuchLifecycleConfiguration",
    },
    Setting {
        subresource: "encryption",
        operations: [
            "GetBucketEncryption",
            "PutBucketEncryption",
            "DeleteBucketEncryption",
        ],
        missing: "ServerSideEncryptionConfigurationNotFoundError",
    },
    Setting {
        subresource: "ownershipControls",
        operations: [
            "GetBucketOwnershipControls",
            "PutBucketOwnershipControls",
            "DeleteBucketOwnershipControls",
        ],
        missing: "OwnershipControlsNotFoundError",
    },
];

/// The operation that a request about a bucket is for, by the names in its query string. `None` where it is none of these.
pub(super) fn operation(method: &str, query: &str) -> Option<&'static str> {
    let asks = |name: &str| {
        let mut pairs = query.split('&');
        pairs.any(|pair| pair.split('=').next() == Some(name))
    };
    if method == "GET" && asks("policyStatus") {
        return Some("GetBucketPolicyStatus");
    }
    let setting = SETTINGS.iter().find(|known| asks(known.subresource))?;
    let place = ["GET", "PUT", "DELETE"]
        .iter()
        .position(|known| *known == method)?;
    Some(setting.operations[place])
}

/// The setting that an operation is about.
fn setting(operation: &str) -> Option<&'static Setting> {
    let asked = match operation {
        "GetBucketPolicyStatus" => "GetBucketPolicy",
        other => other,
    };
    SETTINGS
        .iter()
        .find(|known| known.operations.contains(&asked))
}

pub(super) fn is_setting(operation: &str) -> bool {
    setting(operation).is_some()
}

/// Answers one of these operations.
pub(super) fn answer(shared: &Shared, info: &RequestInfo, body: &str) -> Response<Body> {
    let refused =
        |status: u16, code: &str, said: &str| failure(Service::S3, status, code, said, false);
    let Some(setting) = setting(info.operation) else {
        return refused(501, "NotImplemented", "This is not served here");
    };
    if info.writes() {
        return change(shared, info, (setting, body))
            .unwrap_or_else(|(status, code, said)| refused(status, code, &said));
    }
    let read = shared.store.read(&info.bucket, |bucket| {
        bucket.options.documents.get(setting.subresource).cloned()
    });
    let known = match read {
        Ok(known) => known.or_else(|| usual(setting.subresource)),
        Err(error) => return refused(404, "NoSuchBucket", &error.to_string()),
    };
    match known.filter(|document| !document.is_empty()) {
        None => refused(404, setting.missing, "The bucket has no such configuration"),
        Some(policy) if info.operation == "GetBucketPolicyStatus" => {
            let public = leaf("IsPublic", is_public(&policy));
            xml(200, node("PolicyStatus", [public]).document(""))
        }
        Some(document) => xml(200, document.into_bytes()),
    }
}

/// Puts a setting, or takes it away: then an empty one stands in its place.
fn change(
    shared: &Shared,
    info: &RequestInfo,
    (setting, body): (&Setting, &str),
) -> Result<Response<Body>, (u16, &'static str, String)> {
    let puts = info.method == "PUT";
    let refused = |code, said: &str| Err((400, code, said.to_owned()));
    let is_json = serde_json::from_str::<serde_json::Value>(body).is_ok();
    match setting.subresource {
        "policy" if puts && !is_json => {
            return refused("MalformedPolicy", "Policies must be valid JSON");
        }
        "policy" => {}
        _ if puts && Element::parse(body).is_none() => {
            return refused("MalformedXML", "The XML you provided was not well-formed");
        }
        _ => {}
    }
    let text = if puts { body } else { "" };
    let set = |options: &mut BucketOptions| {
        let documents = &mut options.documents;
        documents.insert(setting.subresource.to_owned(), text.to_owned());
    };
    let done = shared.store.alter(&info.bucket, |options, _| set(options));
    done.map_err(|error| (404, "NoSuchBucket", error.to_string()))?;
    Ok(xml(if puts { 200 } else { 204 }, Vec::new()))
}
/// What new buckets have since 2023 (S3 User Guide, "Default settings for new S3 buckets").
fn usual(subresource: &str) -> Option<String> {
    let text = match subresource {
        "publicAccessBlock" => {
            "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>\
             <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
        }
        "encryption" => {
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
             </ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
        }
        "ownershipControls" => {
            "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>"
        }
        _ => return None,
    };
    Some(text.to_owned())
}
