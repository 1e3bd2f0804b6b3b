//! The properties of the types that are known here, and which of them cannot be changed without a new resource.

use serde_json::Value;

/// A type, its properties, and those whose change makes another (CloudFormation's "Update requires: Replacement").
pub(crate) struct Kind {
    pub name: &'static str,
    properties: &'static [&'static str],
    pub replacing: &'static [&'static str],
}

const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::S3::Bucket",
        properties: &[
            "BucketName",
            "PublicAccessBlockConfiguration",
            "VersioningConfiguration",
            "LifecycleConfiguration",
            "BucketEncryption",
            "OwnershipControls",
            "Tags",
        ],
        replacing: &["BucketName"],
    },
    Kind {
        name: "AWS::S3::BucketPolicy",
        properties: &["Bucket", "PolicyDocument"],
        replacing: &["Bucket"],
    },
    Kind {
        name: "AWS::CloudFront::OriginAccessControl",
        properties: &["OriginAccessControlConfig"],
        replacing: &[],
    },
    Kind {
        name: "AWS::CloudFront::Distribution",
        properties: &["DistributionConfig", "Tags"],
        replacing: &[],
    },
    Kind {
        name: "AWS::CloudFront::Function",
        properties: &[
            "Name",
            "FunctionCode",
            "FunctionConfig",
            "AutoPublish",
            "FunctionMetadata",
            "Tags",
        ],
        replacing: &["Name"],
    },
    Kind {
        name: "AWS::CloudFront::KeyValueStore",
        properties: &["Name", "Comment", "ImportSource", "Tags"],
        replacing: &["Name"],
    },
    Kind {
        name: "AWS::CloudFront::ResponseHeadersPolicy",
        properties: &["ResponseHeadersPolicyConfig"],
        replacing: &[],
    },
    Kind {
        name: "AWS::CertificateManager::Certificate",
        properties: &[
            "DomainName",
            "SubjectAlternativeNames",
            "ValidationMethod",
            "DomainValidationOptions",
            "CertificateTransparencyLoggingPreference",
            "KeyAlgorithm",
            "CertificateExport",
            "Tags",
        ],
        replacing: &[
            "DomainName",
            "SubjectAlternativeNames",
            "ValidationMethod",
            "DomainValidationOptions",
            "KeyAlgorithm",
        ],
    },
    Kind {
        name: "AWS::Route53::RecordSetGroup",
        properties: &["Comment", "HostedZoneId", "HostedZoneName", "RecordSets"],
        replacing: &["HostedZoneId", "HostedZoneName"],
    },
    Kind {
        name: "AWS::Route53::RecordSet",
        properties: &[
            "HostedZoneId",
            "HostedZoneName",
            "Name",
            "Type",
            "AliasTarget",
            "TTL",
            "ResourceRecords",
            "Comment",
        ],
        replacing: &["HostedZoneId", "HostedZoneName", "Name"],
    },
    Kind {
        name: "AWS::IAM::OIDCProvider",
        properties: &["Url", "ClientIdList", "ThumbprintList", "Tags"],
        replacing: &["Url"],
    },
    Kind {
        name: "AWS::IAM::Role",
        properties: &[
            "RoleName",
            "Path",
            "Description",
            "AssumeRolePolicyDocument",
            "Policies",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "PermissionsBoundary",
            "Tags",
        ],
        replacing: &["RoleName", "Path"],
    },
];

const CONFIG: &[&str] = &[
    "Aliases",
    "CNAMEs",
    "CacheBehaviors",
    "CacheTagConfig",
    "Comment",
    "ContinuousDeploymentPolicyId",
    "CustomErrorResponses",
    "DefaultCacheBehavior",
    "DefaultRootObject",
    "Enabled",
    "HttpVersion",
    "IPV6Enabled",
    "Logging",
    "OriginGroups",
    "Origins",
    "PriceClass",
    "Restrictions",
    "Staging",
    "ViewerCertificate",
    "WebACLId",
];
const BEHAVIOR: &[&str] = &[
    "AllowedMethods",
    "CachePolicyId",
    "CachedMethods",
    "Compress",
    "DefaultTTL",
    "FieldLevelEncryptionId",
    "ForwardedValues",
    "FunctionAssociations",
    "GrpcConfig",
    "LambdaFunctionAssociations",
    "MaxTTL",
    "MinTTL",
    "OriginRequestPolicyId",
    "PathPattern",
    "RealtimeLogConfigArn",
    "ResponseHeadersPolicyId",
    "SmoothStreaming",
    "TargetOriginId",
    "TrustedKeyGroups",
    "TrustedSigners",
    "ViewerProtocolPolicy",
];
const ORIGIN: &[&str] = &[
    "ConnectionAttempts",
    "ConnectionTimeout",
    "CustomOriginConfig",
    "DomainName",
    "Id",
    "OriginAccessControlId",
    "OriginCustomHeaders",
    "OriginPath",
    "OriginShield",
    "ResponseCompletionTimeout",
    "S3OriginConfig",
    "VpcOriginConfig",
];
const ERROR_RESPONSE: &[&str] = &[
    "ErrorCachingMinTTL",
    "ErrorCode",
    "ResponseCode",
    "ResponsePagePath",
];
const CERTIFICATE: &[&str] = &[
    "AcmCertificateArn",
    "CloudFrontDefaultCertificate",
    "IamCertificateId",
    "MinimumProtocolVersion",
    "SslSupportMethod",
];

pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Refuses a type or a property that nobody knows.
pub(crate) fn check(name: &str, properties: &Value) -> Result<&'static Kind, String> {
    let kind = kind(name).ok_or_else(|| format!("Resource type {name} is not made here"))?;
    known(properties, kind.properties, "#")?;
    if let Some(config) = properties.get("DistributionConfig") {
        let at = "#/DistributionConfig";
        known(config, CONFIG, at)?;
        for (part, names) in [
            ("DefaultCacheBehavior", BEHAVIOR),
            ("CacheBehaviors", BEHAVIOR),
            ("Origins", ORIGIN),
            ("CustomErrorResponses", ERROR_RESPONSE),
            ("ViewerCertificate", CERTIFICATE),
            ("CacheTagConfig", &["HeaderName"]),
        ] {
            let at = format!("{at}/{part}");
            match config.get(part) {
                Some(Value::Array(items)) => {
                    items.iter().try_for_each(|item| known(item, names, &at))?;
                }
                Some(one) => known(one, names, &at)?,
                None => {}
            }
        }
    }
    Ok(kind)
}

fn known(value: &Value, names: &[&str], at: &str) -> Result<(), String> {
    let mut keys = value
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys());
    match keys.find(|key| !names.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(format!(
            "Properties validation failed for resource with message: [{at}: extraneous key [{key}] is not permitted]"
        )),
    }
}
