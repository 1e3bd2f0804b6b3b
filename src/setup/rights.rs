//! The least IAM policy that the settings need (Service Authorization Reference, "Actions, resources, and condition keys for
//! Amazon S3" and "... for Amazon CloudFront").

use std::collections::BTreeMap;

use super::policy::{IamPolicy, PolicyStatement};
use crate::edge::PurgeMode;
use crate::error::Error;
use crate::rules::edge_function::EdgeFunction;
use crate::settings::{DistributionSetting, Settings};

const OBJECT_ACTIONS: [&str; 5] = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
];
const TAG_ACTIONS: [&str; 3] = [
    "s3:GetObjectTagging",
    "s3:GetObjectVersionTagging",
    "s3:PutObjectTagging",
];

/// Returns what deploys by these settings need. Fails where no bucket is named.
pub(crate) fn least_policy(settings: &Settings) -> Result<IamPolicy, Error> {
    let partition = partition(settings.region.as_deref().unwrap_or_default());
    let bucket = settings.bucket()?;
    let site = BucketFolder {
        bucket: format!("arn:{partition}:s3:::{bucket}"),
        prefix: &settings.prefix.0,
    };
    let mut actions = OBJECT_ACTIONS.to_vec();
    if settings
        .headers
        .iter()
        .any(|header| !header.rule.tags.is_empty())
    {
        actions.extend(TAG_ACTIONS);
    }
    // Whether the bucket keeps versions, which `rollback` needs to know, and which uploads a deploy that died left under way.
    // How its website endpoint answers, where a distribution has that for its origin.
    let looks = vec![
        "s3:GetBucketVersioning",
        "s3:GetBucketWebsite",
        "s3:ListBucketMultipartUploads",
    ];
    let mut statement = vec![
        site.listing("List"),
        PolicyStatement::new("Bucket", looks, site.bucket.clone()),
        site.objects("Objects", actions.clone()),
    ];
    if let Some(state) = &settings.state {
        let inside = state.bucket == bucket && state.prefix.starts_with(&settings.prefix.0);
        if !inside {
            let folder = BucketFolder {
                bucket: format!("arn:{partition}:s3:::{}", state.bucket),
                prefix: &state.prefix,
            };
            statement.push(folder.listing("ListState"));
            // What is kept there has the tags that it had.
            let keeps = settings.keep.0 > 0;
            let actions = if keeps {
                actions
            } else {
                OBJECT_ACTIONS.to_vec()
            };
            statement.push(folder.objects("State", actions));
        }
    }
    statement.extend(purging(settings, partition));
    Ok(IamPolicy::of(statement))
}

pub(super) fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// A folder of a bucket, or all of it.
struct BucketFolder<'a> {
    /// The ARN.
    bucket: String,
    prefix: &'a str,
}

impl BucketFolder<'_> {
    fn listing(&self, sid: &'static str) -> PolicyStatement {
        // "IfExists": S3 asks for the same right, without a prefix, before it calls an object missing rather than forbidden.
        let prefix = BTreeMap::from([("s3:prefix", format!("{}*", self.prefix))]);
        let condition = BTreeMap::from([("StringLikeIfExists", prefix)]);
        PolicyStatement {
            condition: Some(condition).filter(|_| !self.prefix.is_empty()),
            ..PolicyStatement::new(sid, "s3:ListBucket", self.bucket.clone())
        }
    }

    fn objects(&self, sid: &'static str, actions: Vec<&str>) -> PolicyStatement {
        PolicyStatement::new(sid, actions, format!("{}/{}*", self.bucket, self.prefix))
    }
}

/// Returns what purging needs. Distributions can be named in a policy; their list, and who owns an alias, cannot.
pub(super) fn purging(settings: &Settings, partition: &str) -> Vec<PolicyStatement> {
    let none = settings.distribution.0 == [DistributionSetting::None];
    let tenant = settings.distribution_tenant.as_deref();
    if settings.purge.mode == PurgeMode::None || none && tenant.is_none() {
        return Vec::new();
    }
    let account = settings
        .expected_bucket_owner
        .as_ref()
        .map(|account| account.0.as_str())
        .unwrap_or("*");
    let arn = |what: &str| format!("arn:{partition}:cloudfront::{account}:{what}");
    let ids: Option<Vec<&str>> = settings.distribution.0.iter().map(id).collect();
    let ids = ids.filter(|_| tenant.is_none());
    let function = settings.function_name();
    let mut actions = vec![
        "cloudfront:GetDistribution",
        "cloudfront:GetDistributionConfig",
    ];
    if tenant.is_none() {
        actions.extend([
            "cloudfront:CreateInvalidation",
            "cloudfront:GetInvalidation",
        ]);
    }
    let headers = settings.headers_policy();
    if function.is_some() || headers.is_some() {
        actions.push("cloudfront:UpdateDistribution");
    }
    actions.sort_unstable();
    let distributions = ids.clone().unwrap_or_else(|| vec!["*"]).into_iter();
    let distributions = distributions.map(|id| arn(&format!("distribution/{id}")));
    let distributions: Vec<String> = distributions.collect();
    let mut statements = vec![
        PolicyStatement::new("Distributions", actions, distributions),
        PolicyStatement::new(
            "WhatDecides",
            vec!["cloudfront:GetCachePolicy", "cloudfront:GetFunction"],
            vec![arn("cache-policy/*"), arn("function/*")],
        ),
    ];
    if let Some(name) = function {
        let actions = vec![
            "cloudfront:CreateFunction",
            "cloudfront:DescribeFunction",
            "cloudfront:PublishFunction",
            "cloudfront:TestFunction",
            "cloudfront:UpdateFunction",
        ];
        let names = ids.clone().unwrap_or_else(|| vec!["*"]).into_iter();
        let names = names.map(|id| arn(&format!("function/{}", name.for_distribution(id))));
        let mut functions: Vec<String> = names.collect();
        functions.dedup();
        statements.push(PolicyStatement::new("EdgeFunction", actions, functions));
        statements.extend(needs_store(settings).then(|| key_values(arn("key-value-store/*"))));
    }
    if headers.is_some() {
        statements.extend(headers_policy(arn("response-headers-policy/*")));
    }
    if let Some(tenant) = tenant {
        let actions = vec![
            "cloudfront:CreateInvalidationForDistributionTenant",
            "cloudfront:GetDistributionTenant",
            "cloudfront:GetDistributionTenantByDomain",
            "cloudfront:GetInvalidationForDistributionTenant",
        ];
        let name = if tenant.contains('.') { "*" } else { tenant };
        let tenant = arn(&format!("distribution-tenant/{name}"));
        statements.push(PolicyStatement::new("Tenant", actions, tenant));
    } else if ids.is_none() {
        // A staging distribution is found by its primary's policy; where ids are named, its own has to be.
        let actions = vec![
            "cloudfront:GetContinuousDeploymentPolicy",
            "cloudfront:ListDistributions",
        ];
        statements.push(PolicyStatement::new("FindDistribution", actions, "*"));
    }
    statements
}

/// Tells whether a key value store may be needed: what the function holds is more than there is room for, or nobody knows how
/// many pages an app has.
fn needs_store(settings: &Settings) -> bool {
    let files = settings
        .dir
        .as_ref()
        .and_then(|dir| settings.site_files(dir).ok());
    let redirects = settings.redirects_with(&files.unwrap_or_default());
    let function = EdgeFunction {
        redirects: redirects.map_or_else(|_| Vec::new(), |redirects| redirects.all().to_vec()),
        ..EdgeFunction::default()
    };
    settings.spa || function.code().is_err()
}

/// Returns what a key value store needs. Its ARN ends in an id that nobody knows before there is one.
fn key_values(stores: String) -> PolicyStatement {
    let actions = vec![
        "cloudfront-keyvaluestore:DescribeKeyValueStore",
        "cloudfront-keyvaluestore:ListKeys",
        "cloudfront-keyvaluestore:UpdateKeys",
        "cloudfront:CreateKeyValueStore",
        "cloudfront:DescribeKeyValueStore",
    ];
    PolicyStatement::new("KeyValueStore", actions, stores)
}

/// Returns what writing a response headers policy needs. Its own id comes with it, and their list cannot be named.
fn headers_policy(policies: String) -> [PolicyStatement; 2] {
    let actions = vec![
        "cloudfront:CreateResponseHeadersPolicy",
        "cloudfront:GetResponseHeadersPolicy",
        "cloudfront:UpdateResponseHeadersPolicy",
    ];
    [
        PolicyStatement::new("HeadersPolicy", actions, policies),
        PolicyStatement::new(
            "FindHeadersPolicy",
            "cloudfront:ListResponseHeadersPolicies",
            "*",
        ),
    ]
}

/// Returns the id, where it is one: `auto` and aliases have to be looked up.
fn id(setting: &DistributionSetting) -> Option<&str> {
    match setting {
        DistributionSetting::Named(name) if !name.contains('.') => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::rules::header_rule::HeaderRule;
    use crate::rules::redirect::Redirect;
    use crate::rules::security_preset::SecurityPreset;
    use crate::settings::StatePlace;
    use crate::settings::list::{List, Numbered};
    use crate::settings::values::{
        AccountId, BucketAddress, FunctionName, KeptDeploys, PolicyName, SitePrefix,
    };

    fn settings() -> Settings {
        Settings {
            bucket: Some(BucketAddress::named("b")),
            ..Settings::default()
        }
    }

    /// Returns the policy as it is printed.
    fn least(settings: &Settings) -> Value {
        serde_json::to_value(least_policy(settings).unwrap()).unwrap()
    }

    fn statement(policy: &Value, sid: &str) -> Option<Value> {
        let mut statements = policy["Statement"].as_array().unwrap().iter();
        statements
            .find(|statement| statement["Sid"] == sid)
            .cloned()
    }

    #[test]
    fn without_a_bucket_there_is_no_policy() {
        assert!(least_policy(&Settings::default()).is_err());
    }

    #[test]
    fn only_what_is_deployed_may_be_touched() {
        let policy = least(&Settings {
            prefix: SitePrefix("docs/".into()),
            state: Some(StatePlace {
                bucket: "s".into(),
                prefix: "x/".into(),
            }),
            region: Some("cn-north-1".into()),
            ..settings()
        });
        let objects = statement(&policy, "Objects").unwrap();
        assert_eq!(objects["Resource"], "arn:aws-cn:s3:::b/docs/*");
        let list = statement(&policy, "List").unwrap();
        assert_eq!(
            list["Condition"]["StringLikeIfExists"]["s3:prefix"],
            "docs/*"
        );
        let state = statement(&policy, "State").unwrap();
        assert_eq!(state["Resource"], "arn:aws-cn:s3:::s/x/*");
        let inside = least(&Settings {
            state: Some(StatePlace {
                bucket: "b".into(),
                prefix: "x/".into(),
            }),
            ..settings()
        });
        assert_eq!(statement(&inside, "State"), None);
    }

    #[test]
    fn copies_that_are_kept_elsewhere_have_their_tags() {
        let allows = |keep| {
            let rule = HeaderRule {
                tags: BTreeMap::from([("t".to_owned(), "x".to_owned())]),
                ..HeaderRule::default()
            };
            let policy = least(&Settings {
                state: Some(StatePlace {
                    bucket: "s".into(),
                    prefix: "x/".into(),
                }),
                headers: vec![Numbered { rule, line: 1 }],
                keep: KeptDeploys(keep),
                ..settings()
            });
            let actions = statement(&policy, "State").unwrap()["Action"].to_string();
            actions.contains("s3:PutObjectTagging")
        };
        assert_eq!((allows(3), allows(0)), (true, false));
    }

    #[test]
    fn distributions_are_named_as_narrowly_as_the_settings_do() {
        let granted = |names: &[&str]| {
            let named = |name: &&str| match *name {
                "auto" => DistributionSetting::Auto,
                "none" => DistributionSetting::None,
                name => DistributionSetting::Named(name.to_owned()),
            };
            let distributions = names.iter().map(named).collect();
            let policy = least(&Settings {
                distribution: List(distributions),
                ..settings()
            });
            let resource =
                statement(&policy, "Distributions").map(|statement| statement["Resource"].clone());
            (resource, statement(&policy, "FindDistribution").is_some())
        };
        let every = Some(json!(["arn:aws:cloudfront::*:distribution/*"]));
        assert_eq!(granted(&["auto"]), (every.clone(), true));
        assert_eq!(granted(&["www.example.com"]), (every, true));
        assert_eq!(granted(&["none"]), (None, false));
        let two = json!([
            "arn:aws:cloudfront::*:distribution/E1",
            "arn:aws:cloudfront::*:distribution/E2"
        ]);
        assert_eq!(granted(&["E1", "E2"]), (Some(two), false));
    }

    #[test]
    fn a_function_is_written_only_where_the_settings_name_one() {
        let with_function = |function: Option<&str>| {
            least(&Settings {
                redirect_function: function.map(|name| FunctionName(name.to_owned())),
                ..settings()
            })
        };
        let policy = with_function(Some("r"));
        let function = statement(&policy, "EdgeFunction").unwrap();
        assert_eq!(
            function["Resource"],
            json!(["arn:aws:cloudfront::*:function/r"])
        );
        assert_eq!(statement(&policy, "KeyValueStore"), None);
        let app = least(&Settings {
            spa: true,
            distribution: List(vec![DistributionSetting::Named("E1".to_owned())]),
            ..settings()
        });
        let function = statement(&app, "EdgeFunction").unwrap();
        assert_eq!(
            function["Resource"],
            json!(["arn:aws:cloudfront::*:function/unstale-E1"])
        );
        assert!(statement(&app, "KeyValueStore").is_some());
        let mut many = settings();
        many.redirect_function = Some(FunctionName("r".to_owned()));
        many.redirects = (0..3000)
            .map(|number| Numbered {
                line: number,
                rule: Redirect::new(format!("/{number}/a"), format!("/b/{}", number * 7)),
            })
            .collect();
        assert!(statement(&least(&many), "KeyValueStore").is_some());
        let distributions = statement(&policy, "Distributions").unwrap().to_string();
        assert!(distributions.contains("UpdateDistribution"));
        let without = with_function(None).to_string();
        for action in ["UpdateDistribution", "CreateFunction", "PublishFunction"] {
            assert!(!without.contains(action), "{without}");
        }
    }

    #[test]
    fn a_headers_policy_is_written_only_where_the_settings_ask_for_one() {
        let named = Settings {
            headers_policy: Some(PolicyName("h".into())),
            ..settings()
        };
        let preset = Settings {
            security: Some(SecurityPreset::Strict),
            ..settings()
        };
        for asked in [named, preset] {
            let policy = least(&asked);
            let headers = statement(&policy, "HeadersPolicy").unwrap();
            assert_eq!(
                headers["Resource"],
                "arn:aws:cloudfront::*:response-headers-policy/*"
            );
            assert_eq!(
                headers["Action"],
                json!([
                    "cloudfront:CreateResponseHeadersPolicy",
                    "cloudfront:GetResponseHeadersPolicy",
                    "cloudfront:UpdateResponseHeadersPolicy"
                ])
            );
            let find = statement(&policy, "FindHeadersPolicy").unwrap();
            assert_eq!(find["Action"], "cloudfront:ListResponseHeadersPolicies");
            let distributions = statement(&policy, "Distributions").unwrap().to_string();
            assert!(distributions.contains("cloudfront:UpdateDistribution"));
        }
        let without = least(&settings()).to_string();
        for action in ["UpdateDistribution", "ResponseHeadersPolic"] {
            assert!(!without.contains(action), "{without}");
        }
    }

    #[test]
    fn a_tenant_is_purged_by_itself() {
        let policy = least(&Settings {
            distribution_tenant: Some("dt_1".into()),
            expected_bucket_owner: Some(AccountId("123456789012".into())),
            ..settings()
        });
        let tenant = statement(&policy, "Tenant").unwrap();
        assert_eq!(
            tenant["Resource"],
            "arn:aws:cloudfront::123456789012:distribution-tenant/dt_1"
        );
        let distributions = statement(&policy, "Distributions").unwrap().to_string();
        assert!(
            !distributions.contains("CreateInvalidation"),
            "{distributions}"
        );
    }
}
