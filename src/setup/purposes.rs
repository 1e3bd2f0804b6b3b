//! The least IAM policy for each thing that this tool is used for, apart from each other.

use super::design::{own_name, stack_name};
use super::policy::{IamPolicy, PolicyStatement, StringOrList};
use super::rights::{least_policy, partition, purging};
use crate::cli::{PolicyArgs, PolicyPurpose};
use crate::error::Error;
use crate::settings::{PurgeSettings, Settings};

/// Returns the policy of a purpose.
///
/// # Errors
/// `Exit::Usage` where it needs a bucket and none is named, and where nothing is purged.
pub(crate) fn policy_for(settings: &Settings, flags: &PolicyArgs) -> Result<IamPolicy, Error> {
    Ok(match flags.purpose {
        PolicyPurpose::Deploy => least_policy(settings)?,
        PolicyPurpose::Plan => least_policy(settings)?.only(is_planned),
        PolicyPurpose::Invalidate => IamPolicy::of(purging_by_hand(settings)?),
        PolicyPurpose::Setup => IamPolicy::of(making(settings, flags)?),
    })
}

/// Tells whether a plan looks so. An action that changes nothing has a verb for its name, throughout S3 and CloudFront; who makes no
/// change waits for no purge, and gives up no uploads.
fn is_planned(action: &str) -> bool {
    let name = action.split_once(':').map_or(action, |(_, name)| name);
    let is_read = ["Get", "List", "Describe"]
        .iter()
        .any(|verb| name.starts_with(verb));
    is_read && !name.starts_with("GetInvalidation") && name != "ListBucketMultipartUploads"
}

/// Returns what `invalidate`, `invalidations` and `quota` need, which go by the distributions alone.
fn purging_by_hand(settings: &Settings) -> Result<Vec<PolicyStatement>, Error> {
    let settings = Settings {
        purge: PurgeSettings::default(),
        ..settings.clone()
    };
    let partition = partition(settings.region.as_deref().unwrap_or_default());
    let mut policy = IamPolicy::of(purging(&settings, partition)).only(is_purge);
    for statement in &mut policy.statement {
        if let StringOrList::List(actions) = &mut statement.action {
            let listed: Vec<String> = actions
                .iter()
                .filter(|action| action.starts_with("cloudfront:GetInvalidation"))
                .map(|action| action.replace("GetInvalidation", "ListInvalidations"))
                .collect();
            actions.extend(listed);
        }
    }
    if policy.statement.is_empty() {
        return Err(Error::usage(
            "`distribution` is none: there is nothing to invalidate, and no right for it",
        ));
    }
    Ok(policy.statement)
}

/// Tells whether an action finds what is purged, purges it, or waits for that.
fn is_purge(action: &str) -> bool {
    action.contains("Invalidation")
        || action.contains("DistributionTenant")
        || action == "cloudfront:ListDistributions"
}

impl IamPolicy {
    /// Leaves out all other actions, and statements that are left with none.
    fn only(mut self, is_wanted: fn(&str) -> bool) -> Self {
        self.statement.retain_mut(|statement| {
            statement.action = match &statement.action {
                StringOrList::String(action) if is_wanted(action) => return true,
                StringOrList::String(_) => return false,
                StringOrList::List(actions) => {
                    let wanted = actions.iter().filter(|action| is_wanted(action));
                    StringOrList::List(wanted.cloned().collect())
                }
            };
            !matches!(&statement.action, StringOrList::List(actions) if actions.is_empty())
        });
        self
    }
}

/// Letters of a stack's name that stand in its role's as they are: behind them come the resource's name and 13 letters.
const MAX_ROLE_STACK: usize = 39;

/// Letters of a longer one that its role's name has for certain.
const MAX_ROLE_PREFIX: usize = 24;

/// What CloudFormation does in the name of whoever runs `setup` (CloudFormation User Guide, "Control access with IAM"); taking away
/// is for first tries that failed.
const BUCKET_ACTIONS: [&str; 31] = [
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:GetAccelerateConfiguration",
    "s3:GetAnalyticsConfiguration",
    "s3:GetBucketCORS",
    "s3:GetBucketLogging",
    "s3:GetBucketNotification",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetBucketWebsite",
    "s3:GetEncryptionConfiguration",
    "s3:GetIntelligentTieringConfiguration",
    "s3:GetInventoryConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetMetricsConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "s3:ListTagsForResource",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketTagging",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:TagResource",
];
const STACK_ACTIONS: [&str; 12] = [
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeEvents",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStackResourceDrifts",
    "cloudformation:DescribeStacks",
    "cloudformation:DetectStackDrift",
    "cloudformation:DetectStackResourceDrift",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:GetTemplate",
];
const DISTRIBUTION_ACTIONS: [&str; 12] = [
    "cloudfront:CreateDistribution",
    "cloudfront:CreateOriginAccessControl",
    "cloudfront:DeleteDistribution",
    "cloudfront:DeleteOriginAccessControl",
    "cloudfront:GetDistribution",
    "cloudfront:GetDistributionConfig",
    "cloudfront:GetOriginAccessControl",
    "cloudfront:ListTagsForResource",
    "cloudfront:TagResource",
    "cloudfront:UntagResource",
    "cloudfront:UpdateDistribution",
    "cloudfront:UpdateOriginAccessControl",
];
const FUNCTION_ACTIONS: [&str; 6] = [
    "cloudfront:CreateFunction",
    "cloudfront:DeleteFunction",
    "cloudfront:DescribeFunction",
    "cloudfront:GetFunction",
    "cloudfront:PublishFunction",
    "cloudfront:UpdateFunction",
];
const HEADERS_ACTIONS: [&str; 4] = [
    "cloudfront:CreateResponseHeadersPolicy",
    "cloudfront:DeleteResponseHeadersPolicy",
    "cloudfront:GetResponseHeadersPolicy",
    "cloudfront:UpdateResponseHeadersPolicy",
];
const CERTIFICATE_ACTIONS: [&str; 5] = [
    "acm:AddTagsToCertificate",
    "acm:DeleteCertificate",
    "acm:DescribeCertificate",
    "acm:ListTagsForCertificate",
    "acm:RequestCertificate",
];
const RECORD_ACTIONS: [&str; 7] = [
    "route53:ChangeResourceRecordSets",
    "route53:GetChange",
    "route53:GetHostedZone",
    "route53:ListHostedZones",
    "route53:ListQueryLoggingConfigs",
    "route53:ListResourceRecordSets",
    "route53:ListTagsForResource",
];
const ROLE_ACTIONS: [&str; 11] = [
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
];
const PROVIDER_ACTIONS: [&str; 4] = [
    "iam:CreateOpenIDConnectProvider",
    "iam:DeleteOpenIDConnectProvider",
    "iam:GetOpenIDConnectProvider",
    "iam:TagOpenIDConnectProvider",
];

/// Returns what `setup` needs: a stack of the usual name, and what its template holds.
fn making(settings: &Settings, flags: &PolicyArgs) -> Result<Vec<PolicyStatement>, Error> {
    let partition = partition(settings.region.as_deref().unwrap_or_default());
    let account = settings.expected_bucket_owner.as_ref();
    let account = account.map_or("*", |account| account.0.as_str());
    let bucket = settings.bucket()?;
    let arn = |service: &str, what: &str| format!("arn:{partition}:{service}:{account}:{what}");
    let stack = stack_name(settings)?;
    let stacks = vec![
        arn("cloudformation:*", &format!("stack/{stack}/*")),
        arn("cloudformation:*", &format!("stack/{stack}-certificate/*")),
    ];
    let functions = functions(settings, &stack).into_iter();
    let functions: Vec<String> = functions.map(|name| arn("cloudfront:", &name)).collect();
    let mut looks = vec![
        "cloudformation:DescribeStackDriftDetectionStatus",
        "cloudfront:ListDistributions",
    ];
    if flags.domain || flags.github {
        // What the account has already is asked by Cloud Control.
        looks.extend(["cloudformation:GetResource", "cloudformation:ListResources"]);
    }
    let on = |sid, actions: &[&'static str], resource| {
        PolicyStatement::new(sid, actions.to_vec(), resource)
    };
    let shown = vec![
        arn("cloudfront:", "distribution/*"),
        arn("cloudfront:", "origin-access-control/*"),
    ];
    let mut statements = vec![
        PolicyStatement::new("Stack", STACK_ACTIONS.to_vec(), stacks),
        PolicyStatement::new("Look", looks, "*"),
        on(
            "Bucket",
            &BUCKET_ACTIONS,
            format!("arn:{partition}:s3:::{bucket}"),
        ),
        PolicyStatement::new("Distribution", DISTRIBUTION_ACTIONS.to_vec(), shown),
        PolicyStatement::new("EdgeFunction", FUNCTION_ACTIONS.to_vec(), functions),
    ];
    if settings.headers_policy().is_some() {
        let policies = arn("cloudfront:", "response-headers-policy/*");
        statements.push(on("HeadersPolicy", &HEADERS_ACTIONS, policies));
    }
    if flags.domain {
        let certificates = arn("acm:us-east-1", "certificate/*");
        statements.push(on("Certificate", &CERTIFICATE_ACTIONS, certificates));
        statements.push(on("DnsRecords", &RECORD_ACTIONS, "*".to_owned()));
    }
    if flags.github {
        let roles = arn("iam:", &roles(&stack));
        statements.push(on("DeployRole", &ROLE_ACTIONS, roles));
        let provider = arn("iam:", "oidc-provider/token.actions.githubusercontent.com");
        statements.push(on("GithubProvider", &PROVIDER_ACTIONS, provider));
    }
    Ok(statements)
}

/// Returns what the stack's function may be called: an earlier run may have made it by the stack's name.
fn functions(settings: &Settings, stack: &str) -> Vec<String> {
    let named = settings.redirect_function.as_ref();
    let named = own_name(named.map(|name| name.0.as_str()), stack);
    let mut names = vec![format!("function/{stack}"), format!("function/{named}")];
    names.dedup();
    names
}

/// Returns what the names of the stack's roles begin with: CloudFormation shortens its name there, since a role's has 64 letters at
/// most.
fn roles(stack: &str) -> String {
    if stack.len() <= MAX_ROLE_STACK {
        format!("role/{stack}-DeployRole-*")
    } else {
        format!("role/{}*", stack.get(..MAX_ROLE_PREFIX).unwrap_or(stack))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::edge::PurgeMode;
    use crate::rules::security_preset::SecurityPreset;
    use crate::settings::DistributionSetting;
    use crate::settings::list::List;
    use crate::settings::setup_values::StackName;
    use crate::settings::values::BucketAddress;

    fn settings() -> Settings {
        Settings {
            bucket: Some(BucketAddress::named("b")),
            spa: true,
            security: Some(SecurityPreset::Strict),
            ..Settings::default()
        }
    }

    fn actions(settings: &Settings, flags: PolicyArgs) -> BTreeSet<String> {
        let policy = policy_for(settings, &flags).unwrap();
        let statements = policy.statement.into_iter();
        let actions = statements.flat_map(|statement| match statement.action {
            StringOrList::String(action) => vec![action],
            StringOrList::List(actions) => actions,
        });
        actions.collect()
    }

    fn of(purpose: PolicyPurpose) -> PolicyArgs {
        PolicyArgs {
            purpose,
            ..PolicyArgs::default()
        }
    }

    fn has(actions: &BTreeSet<String>, words: &str) -> bool {
        actions.iter().any(|action| action.contains(words))
    }

    #[test]
    fn a_plan_reads_what_a_deploy_reads_and_writes_nothing() {
        let deploy = actions(&settings(), of(PolicyPurpose::Deploy));
        let plan = actions(&settings(), of(PolicyPurpose::Plan));
        assert!(plan.is_subset(&deploy));
        for verb in [
            "Put", "Delete", "Abort", "Create", "Update", "Publish", "Test", "Tagging",
        ] {
            assert!(!has(&plan, &format!(":{verb}")), "{verb}: {plan:?}");
        }
        let left: Vec<_> = deploy.difference(&plan).collect();
        assert!(left.iter().all(|action| !is_planned(action)), "{left:?}");
        for needless in ["GetInvalidation", "ListInvalidations", "MultipartUploads"] {
            assert!(!has(&plan, needless), "{needless}: {plan:?}");
        }
        assert!(!has(&deploy, "ListInvalidations"));
        for read in [
            "s3:GetObject",
            "s3:ListBucket",
            "cloudfront:GetDistribution",
        ] {
            assert!(plan.contains(read), "{read}");
        }
    }

    #[test]
    fn a_purge_by_hand_needs_no_bucket_and_no_configuration() {
        let named = Settings {
            distribution: List(vec![DistributionSetting::Named("E1".to_owned())]),
            ..Settings::default()
        };
        let purge = actions(&named, of(PolicyPurpose::Invalidate));
        let all = ["CreateInvalidation", "GetInvalidation", "ListInvalidations"];
        let all = all.map(|action| format!("cloudfront:{action}"));
        assert_eq!(purge, BTreeSet::from(all));
        let found = actions(&settings(), of(PolicyPurpose::Invalidate));
        assert!(found.contains("cloudfront:ListDistributions"));
        assert!(!has(&found, "s3:") && !has(&found, "Update"), "{found:?}");
        let never = PurgeSettings {
            mode: PurgeMode::None,
            ..PurgeSettings::default()
        };
        let never = Settings {
            purge: never,
            ..settings()
        };
        let by_hand = actions(&never, of(PolicyPurpose::Invalidate));
        assert!(has(&by_hand, "CreateInvalidation"));
        let tenant = Settings {
            distribution_tenant: Some("dt_1".to_owned()),
            ..settings()
        };
        let tenant = actions(&tenant, of(PolicyPurpose::Invalidate));
        assert!(has(&tenant, "ListInvalidationsForDistributionTenant"));
        let nothing = Settings {
            distribution: List(vec![DistributionSetting::None]),
            ..settings()
        };
        assert!(policy_for(&nothing, &of(PolicyPurpose::Invalidate)).is_err());
    }

    #[test]
    fn setup_is_apart_from_deploys_and_has_what_its_flags_ask_for() {
        let with = |domain: bool, github: bool| PolicyArgs {
            domain,
            github,
            ..of(PolicyPurpose::Setup)
        };
        let plain = actions(&settings(), with(false, false));
        assert!(has(&plain, "cloudformation:") && has(&plain, "s3:CreateBucket"));
        for others in [
            "s3:PutObject",
            "CreateInvalidation",
            "acm:",
            "route53:",
            "iam:",
        ] {
            assert!(!has(&plain, others), "{others}: {plain:?}");
        }
        let domain = actions(&settings(), with(true, false));
        assert!(has(&domain, "acm:") && has(&domain, "route53:") && !has(&domain, "iam:"));
        let github = actions(&settings(), with(false, true));
        assert!(has(&github, "iam:") && !has(&github, "acm:"));
        let renamed = Settings {
            stack: Some(StackName("mine".to_owned())),
            ..settings()
        };
        let renamed = policy_for(&renamed, &with(false, true)).unwrap().statement;
        let resource = |sid: &str| {
            let mut statements = renamed.iter().filter(|statement| statement.sid == sid);
            statements
                .next()
                .map(|statement| statement.resource.clone())
        };
        let role = "arn:aws:iam::*:role/mine-DeployRole-*";
        assert_eq!(resource("DeployRole"), Some(role.into()));
        let stacks =
            ["", "-certificate"].map(|end| format!("arn:aws:cloudformation:*:*:stack/mine{end}/*"));
        assert_eq!(resource("Stack"), Some(StringOrList::List(stacks.to_vec())));
    }
}
