//! `unstale policy`: the least IAM policy that the settings need (Service Authorization Reference, "Actions, resources, and
//! condition keys for Amazon S3" and "... for Amazon CloudFront").

use serde_json::{Value, json};

use super::App;
use crate::edge::Mode;
use crate::error::{Error, Exit};
use crate::settings::{DistributionSetting, Settings};

pub(super) fn policy(app: &App) -> Result<Exit, Error> {
    let policy = least(&app.settings)?;
    if app.settings.json {
        app.printer.json(&policy);
    } else {
        let text = serde_json::to_string_pretty(&policy).unwrap_or_default();
        app.printer.line(&text);
    }
    Ok(Exit::Done)
}

/// The policy as IAM reads it.
fn least(settings: &Settings) -> Result<Value, Error> {
    let partition = partition(settings.region.as_deref().unwrap_or_default());
    let bucket = settings.bucket()?;
    let mut statements = vec![
        listing(partition, bucket, &settings.prefix.0, "List"),
        bucket_itself(partition, bucket),
        objects(
            partition,
            bucket,
            &settings.prefix.0,
            "Objects",
            uses_tags(settings),
        ),
    ];
    if let Some(state) = &settings.state {
        let inside = state.bucket == bucket && state.prefix.starts_with(&settings.prefix.0);
        if !inside {
            let (bucket, prefix) = (&state.bucket, &state.prefix);
            statements.push(listing(partition, bucket, prefix, "ListState"));
            statements.push(objects(partition, bucket, prefix, "State", false));
        }
    }
    statements.extend(purging(settings, partition));
    Ok(json!({ "Version": "2012-10-17", "Statement": statements }))
}

fn partition(region: &str) -> &'static str {
    match region.split('-').take(2).collect::<Vec<_>>().as_slice() {
        ["cn", ..] => "aws-cn",
        ["us", "gov"] => "aws-us-gov",
        _ => "aws",
    }
}

fn uses_tags(settings: &Settings) -> bool {
    settings
        .headers
        .iter()
        .any(|numbered| !numbered.rule.tags.is_empty())
}

fn listing(partition: &str, bucket: &str, prefix: &str, sid: &str) -> Value {
    let mut statement = json!({
        "Sid": sid, "Effect": "Allow", "Action": "s3:ListBucket",
        "Resource": format!("arn:{partition}:s3:::{bucket}"),
    });
    if !prefix.is_empty()
        && let Some(statement) = statement.as_object_mut()
    {
        // "IfExists": S3 asks for the same right, without a prefix, before it calls an object missing rather than forbidden.
        let condition = json!({ "StringLikeIfExists": { "s3:prefix": format!("{prefix}*") } });
        statement.insert("Condition".into(), condition);
    }
    statement
}

/// Whether the bucket keeps versions, which `rollback` needs to know, and which uploads a deploy that died left under way.
fn bucket_itself(partition: &str, bucket: &str) -> Value {
    json!({
        "Sid": "Bucket", "Effect": "Allow",
        "Action": ["s3:GetBucketVersioning", "s3:ListBucketMultipartUploads"],
        "Resource": format!("arn:{partition}:s3:::{bucket}"),
    })
}

fn objects(partition: &str, bucket: &str, prefix: &str, sid: &str, tags: bool) -> Value {
    let mut actions = vec![
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:PutObject",
    ];
    if tags {
        actions.extend([
            "s3:GetObjectTagging",
            "s3:GetObjectVersionTagging",
            "s3:PutObjectTagging",
        ]);
    }
    json!({
        "Sid": sid, "Effect": "Allow", "Action": actions,
        "Resource": format!("arn:{partition}:s3:::{bucket}/{prefix}*"),
    })
}

/// Distributions can be named in a policy; their list, and who owns an alias, cannot.
fn purging(settings: &Settings, partition: &str) -> Vec<Value> {
    let none = settings.distribution.0 == [DistributionSetting::None];
    let tenant = settings.distribution_tenant.as_deref();
    if settings.purge.mode == Mode::None || none && tenant.is_none() {
        return Vec::new();
    }
    let account =
        (settings.expected_bucket_owner.as_ref()).map_or("*", |account| account.0.as_str());
    let arn = |what: &str| format!("arn:{partition}:cloudfront::{account}:{what}");
    let ids: Option<Vec<&str>> = settings.distribution.0.iter().map(id).collect();
    let ids = ids.filter(|_| tenant.is_none());
    let resources: Vec<String> = match &ids {
        Some(ids) => ids
            .iter()
            .map(|id| arn(&format!("distribution/{id}")))
            .collect(),
        None => vec![arn("distribution/*")],
    };
    let mut reads = vec![
        "cloudfront:GetDistribution",
        "cloudfront:GetDistributionConfig",
    ];
    if tenant.is_none() {
        reads.extend([
            "cloudfront:CreateInvalidation",
            "cloudfront:GetInvalidation",
            "cloudfront:ListInvalidations",
        ]);
    }
    let function = settings
        .redirect_function
        .as_ref()
        .map(|name| name.0.as_str());
    if function.is_some() {
        reads.push("cloudfront:UpdateDistribution");
    }
    reads.sort_unstable();
    let mut statements = vec![
        json!({ "Sid": "Distributions", "Effect": "Allow", "Action": reads, "Resource": resources }),
        json!({
            "Sid": "CacheKeysAndRewrites", "Effect": "Allow",
            "Action": ["cloudfront:GetCachePolicy", "cloudfront:GetFunction"],
            "Resource": [arn("cache-policy/*"), arn("function/*")],
        }),
    ];
    if let Some(name) = function {
        statements.push(json!({
            "Sid": "RedirectFunction", "Effect": "Allow",
            "Action": [
                "cloudfront:CreateFunction", "cloudfront:DescribeFunction", "cloudfront:PublishFunction",
                "cloudfront:UpdateFunction",
            ],
            "Resource": arn(&format!("function/{name}")),
        }));
    }
    if let Some(tenant) = tenant {
        let name = if tenant.contains('.') { "*" } else { tenant };
        statements.push(json!({
            "Sid": "Tenant", "Effect": "Allow",
            "Action": [
                "cloudfront:CreateInvalidationForDistributionTenant", "cloudfront:GetDistributionTenant",
                "cloudfront:GetDistributionTenantByDomain", "cloudfront:GetInvalidationForDistributionTenant",
            ],
            "Resource": arn(&format!("distribution-tenant/{name}")),
        }));
    } else if ids.is_none() {
        statements.push(json!({
            "Sid": "FindDistribution", "Effect": "Allow", "Action": "cloudfront:ListDistributions", "Resource": "*",
        }));
    }
    statements
}

/// The id, where it is one: `auto` and aliases have to be looked up.
fn id(setting: &DistributionSetting) -> Option<&str> {
    match setting {
        DistributionSetting::Named(name) if !name.contains('.') => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::StatePlace;
    use crate::settings::values::{Account, Bucket, FunctionName, List, Prefix};

    fn settings() -> Settings {
        Settings {
            bucket: Some(Bucket::named("b")),
            ..Settings::default()
        }
    }

    fn statement(policy: &Value, sid: &str) -> Option<Value> {
        let all = policy["Statement"].as_array().unwrap();
        all.iter().find(|one| one["Sid"] == sid).cloned()
    }

    #[test]
    fn without_a_bucket_there_is_no_policy() {
        assert!(least(&Settings::default()).is_err());
    }

    #[test]
    fn only_what_is_deployed_may_be_touched() {
        let policy = least(&Settings {
            prefix: Prefix("docs/".into()),
            state: Some(StatePlace {
                bucket: "s".into(),
                prefix: "x/".into(),
            }),
            region: Some("cn-north-1".into()),
            ..settings()
        })
        .unwrap();
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
        assert_eq!(statement(&inside.unwrap(), "State"), None);
    }

    #[test]
    fn distributions_are_named_as_narrowly_as_the_settings_do() {
        let of = |names: &[&str]| {
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
            let policy = policy.unwrap();
            let resource = statement(&policy, "Distributions").map(|one| one["Resource"].clone());
            (resource, statement(&policy, "FindDistribution").is_some())
        };
        let every = Some(json!(["arn:aws:cloudfront::*:distribution/*"]));
        assert_eq!(of(&["auto"]), (every.clone(), true));
        assert_eq!(of(&["www.example.com"]), (every, true));
        assert_eq!(of(&["none"]), (None, false));
        let two = json!([
            "arn:aws:cloudfront::*:distribution/E1",
            "arn:aws:cloudfront::*:distribution/E2"
        ]);
        assert_eq!(of(&["E1", "E2"]), (Some(two), false));
    }

    #[test]
    fn a_function_is_written_only_where_the_settings_name_one() {
        let of = |function: Option<&str>| {
            least(&Settings {
                redirect_function: function.map(|name| FunctionName(name.to_owned())),
                ..settings()
            })
            .unwrap()
        };
        let policy = of(Some("r"));
        let function = statement(&policy, "RedirectFunction").unwrap();
        assert_eq!(function["Resource"], "arn:aws:cloudfront::*:function/r");
        let distributions = statement(&policy, "Distributions").unwrap().to_string();
        assert!(distributions.contains("UpdateDistribution"));
        let without = of(None).to_string();
        for action in ["UpdateDistribution", "CreateFunction", "PublishFunction"] {
            assert!(!without.contains(action), "{without}");
        }
    }

    #[test]
    fn a_tenant_is_purged_by_itself() {
        let policy = least(&Settings {
            distribution_tenant: Some("dt_1".into()),
            expected_bucket_owner: Some(Account("123456789012".into())),
            ..settings()
        });
        let policy = policy.unwrap();
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
