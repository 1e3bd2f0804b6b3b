//! Events of a stack that say what is amiss or awaited, and what to do about it. Pure.

use crate::aws::cloudformation::ResourceEvent;
use crate::aws::stack_drift::ResourceDrift;

/// A resource that could not be made or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StackFailure {
    resource: String,
    kind: String,
    reason: String,
}

const BUCKET_TAKEN: &str = "the name of a bucket is the world's, and another account has this one: take another with --bucket NAME";
const BUCKET_THERE: &str = "--import-bucket takes the account's own bucket into the stack, with its objects; --bucket NAME names another";

/// Words of a resource's reason, and what to do.
const ADVICE: [(&str, &str, &str); 18] = [
    (
        "",
        "must be verified",
        "a new account has to be verified before it may have distributions: write to AWS Support, then run this again",
    ),
    ("AWS::S3::Bucket", "is not available", BUCKET_TAKEN),
    ("AWS::S3::Bucket", "already exists", BUCKET_THERE),
    ("AWS::S3::Bucket", "owned by you", BUCKET_THERE),
    ("AWS::S3::Bucket", "AlreadyExists", BUCKET_TAKEN),
    (
        "AWS::S3::Bucket",
        "cannot have ACLs",
        "the bucket's ACL lets others in, and would count no more: `aws s3api put-bucket-acl --bucket NAME --acl private` takes that off",
    ),
    (
        "AWS::S3::BucketPolicy",
        "already exists",
        "the bucket has a policy, which the stack's would replace: `aws s3api delete-bucket-policy --bucket NAME` takes it off",
    ),
    (
        "AWS::IAM::OIDCProvider",
        "already exists",
        "name the one that the account has: --github-provider arn:aws:iam::ACCOUNT:oidc-provider/token.actions.githubusercontent.com",
    ),
    (
        "AWS::CloudFront::Distribution",
        "already associated",
        "another distribution answers for this host, perhaps in another account: take the alias off there first",
    ),
    (
        "AWS::CloudFront::Distribution",
        "points to another CloudFront",
        "the domain's DNS leads to another distribution: take the alias off there, or the record away, first",
    ),
    (
        "AWS::Route53::RecordSetGroup",
        "already exists",
        "the zone has such a record: delete it first, or set it by hand with --hosted-zone none",
    ),
    (
        "AWS::CertificateManager::Certificate",
        "CAA",
        "the domain's CAA records have to allow amazon.com",
    ),
    (
        "AWS::CloudFront::Function",
        "already exists",
        "the account has a function of this name: name another with `redirect-function` in deploy.toml",
    ),
    (
        "AWS::CloudFront::ResponseHeadersPolicy",
        "already exists",
        "the account has a policy of this name: name another with `headers-policy` in deploy.toml",
    ),
    ("", "already exists", "take another name with --stack NAME"),
    (
        "",
        "not authorized",
        "`unstale policy` prints what is needed",
    ),
    (
        "",
        "Access Denied",
        "`unstale policy` prints what is needed",
    ),
    ("", "AccessDenied", "`unstale policy` prints what is needed"),
];

impl StackFailure {
    /// Returns the failure that an event tells of. What was given up since something else failed is none.
    pub(crate) fn of(event: &ResourceEvent) -> Option<Self> {
        let is_stack = event.kind == "AWS::CloudFormation::Stack";
        let is_given_up = event.reason.contains("cancelled");
        let failed = event.status.ends_with("_FAILED") && !is_stack && !is_given_up;
        failed.then(|| Self {
            resource: event.resource.clone(),
            kind: event.kind.clone(),
            reason: event.reason.clone(),
        })
    }

    pub(crate) fn text(&self) -> String {
        format!("{}: {}", self.resource, self.reason)
    }

    /// Says in a line what to do, where that is known.
    pub(crate) fn advice(&self) -> Option<String> {
        let fits = |(kind, words, _): &&(&str, &str, &str)| {
            (kind.is_empty() || self.kind == *kind) && self.reason.contains(words)
        };
        let advice = ADVICE.iter().find(fits)?;
        Some(advice.2.to_owned())
    }
}

/// Returns name and value of the CNAME record that a certificate waits for, which its event's reason holds: `Content of DNS Record
/// is: {Name: _x.example.com.,Type: CNAME,Value: _y.acm-validations.aws.}`.
pub(crate) fn dns_record(event: &ResourceEvent) -> Option<(String, String)> {
    let (_, record) = event.reason.split_once("Content of DNS Record is: {")?;
    let field = |name: &str| {
        let (_, rest) = record.split_once(name)?;
        let value = rest.split([',', '}']).next()?;
        Some(value.trim().to_owned())
    };
    Some((field("Name:")?, field("Value:")?))
}

/// Leaves out of a drift what deploys change: code and data of the function, headers, and what the default behavior runs.
pub(crate) fn unexpected(mut drift: ResourceDrift) -> Option<ResourceDrift> {
    if drift.status == "DELETED" {
        return Some(drift);
    }
    if ["EdgeFunction", "HeadersPolicy"].contains(&drift.resource.as_str()) {
        return None;
    }
    const BEHAVIOR: &str = "/DistributionConfig/DefaultCacheBehavior/";
    drift.differences.retain(|difference| {
        let part = difference.path.strip_prefix(BEHAVIOR).unwrap_or_default();
        !part.starts_with("FunctionAssociations") && part != "ResponseHeadersPolicyId"
    });
    (!drift.differences.is_empty()).then_some(drift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::stack_drift::DriftedProperty;

    fn event(kind: &str, status: &str, reason: &str) -> ResourceEvent {
        ResourceEvent {
            resource: "R".to_owned(),
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            ..ResourceEvent::default()
        }
    }

    #[test]
    fn a_failure_comes_with_what_to_do() {
        for (kind, reason, advice) in [
            ("AWS::S3::Bucket", "b already exists", "--import-bucket"),
            (
                "AWS::S3::Bucket",
                "The requested bucket name is not available. (HandlerErrorCode: AlreadyExists)",
                "another account",
            ),
            (
                "AWS::S3::BucketPolicy",
                "The bucket policy already exists on bucket b.",
                "delete-bucket-policy",
            ),
            (
                "AWS::IAM::OIDCProvider",
                "Provider with url https://t already exists.",
                "--github-provider",
            ),
            (
                "AWS::CloudFront::Distribution",
                "One or more of the CNAMEs you provided are already associated with a different resource.",
                "alias",
            ),
            (
                "AWS::CloudFront::Function",
                "unstale-b already exists",
                "redirect-function",
            ),
            (
                "AWS::CloudFront::OriginAccessControl",
                "unstale-b already exists",
                "--stack",
            ),
            (
                "AWS::S3::Bucket",
                "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
                "put-bucket-acl",
            ),
            (
                "AWS::S3::Bucket",
                "User: x is not authorized to perform: s3:CreateBucket",
                "unstale policy",
            ),
        ] {
            let failure = StackFailure::of(&event(kind, "CREATE_FAILED", reason)).unwrap();
            let told = failure.advice().unwrap();
            assert!(told.contains(advice), "{reason}: {told}");
        }
        let cancelled = event(
            "AWS::S3::Bucket",
            "CREATE_FAILED",
            "Resource creation cancelled",
        );
        assert_eq!(StackFailure::of(&cancelled), None);
        let unknown = event("AWS::S3::Bucket", "CREATE_FAILED", "?");
        assert_eq!(StackFailure::of(&unknown).unwrap().advice(), None);
    }

    #[test]
    fn the_record_of_a_certificate_is_in_its_event() {
        let reason = "Content of DNS Record is: {Name: _a.www.example.com.,Type: CNAME,Value: _b.acm-validations.aws.}";
        let waits = event(
            "AWS::CertificateManager::Certificate",
            "CREATE_IN_PROGRESS",
            reason,
        );
        let record = (
            "_a.www.example.com.".to_owned(),
            "_b.acm-validations.aws.".to_owned(),
        );
        assert_eq!(dns_record(&waits), Some(record));
        assert_eq!(
            dns_record(&event("", "", "Resource creation Initiated")),
            None
        );
    }

    #[test]
    fn what_deploys_change_has_not_drifted() {
        let drift = |resource: &str, status: &str, paths: &[&str]| ResourceDrift {
            resource: resource.to_owned(),
            status: status.to_owned(),
            differences: (paths.iter())
                .map(|path| DriftedProperty {
                    path: (*path).to_owned(),
                    expected: String::new(),
                    actual: String::new(),
                })
                .collect(),
        };
        let kept = |drift| unexpected(drift).map(|drift| drift.differences.len());
        let behavior = |part: &str| format!("/DistributionConfig/DefaultCacheBehavior/{part}");
        let (runs, sends) = (
            behavior("FunctionAssociations/0"),
            behavior("ResponseHeadersPolicyId"),
        );
        assert_eq!(
            kept(drift("Distribution", "MODIFIED", &[&runs, &sends])),
            None
        );
        let version = "/DistributionConfig/HttpVersion";
        assert_eq!(
            kept(drift("Distribution", "MODIFIED", &[&runs, version])),
            Some(1)
        );
        assert_eq!(
            kept(drift("EdgeFunction", "MODIFIED", &["/FunctionCode"])),
            None
        );
        assert_eq!(kept(drift("EdgeFunction", "DELETED", &[])), Some(0));
    }
}
