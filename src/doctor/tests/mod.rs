//! Every right is tried, against the emulator.

use std::collections::{BTreeMap, BTreeSet};

use local_cloudfront::{Distribution, Options, World};

use crate::aws::cloudfront::PurgeTarget;
use crate::aws::tried_distributions::TriedResources;
use crate::aws::{AwsClients, AwsConnection};
use crate::rules::header_rule::HeaderRule;
use crate::rules::security_preset::SecurityPreset;
use crate::settings::Settings;
use crate::settings::list::Numbered;
use crate::settings::values::BucketAddress;
use crate::setup::rights::least_policy;

/// Would make something, or are tried on what is made first.
const UNTRIED: [&str; 7] = [
    "cloudfront-keyvaluestore:DescribeKeyValueStore",
    "cloudfront-keyvaluestore:ListKeys",
    "cloudfront-keyvaluestore:UpdateKeys",
    "cloudfront:CreateFunction",
    "cloudfront:CreateKeyValueStore",
    "cloudfront:CreateResponseHeadersPolicy",
    "cloudfront:GetDistributionTenantByDomain",
];

#[tokio::test]
async fn every_action_that_a_deploy_needs_is_tried_unless_that_would_make_something() {
    let rule = HeaderRule {
        tags: BTreeMap::from([("t".to_owned(), "x".to_owned())]),
        ..HeaderRule::default()
    };
    let settings = Settings {
        bucket: Some(BucketAddress::named("site")),
        spa: true,
        security: Some(SecurityPreset::Strict),
        headers: vec![Numbered { rule, line: 1 }],
        ..Settings::default()
    };
    let of_tenant = Settings {
        distribution_tenant: Some("dt_1".to_owned()),
        ..settings.clone()
    };
    let policies = [&settings, &of_tenant].map(|settings| least_policy(settings).unwrap());
    let statements = policies.iter().flat_map(|policy| &policy.statement);
    let needed: BTreeSet<&String> = statements
        .flat_map(|statement| statement.action.texts())
        .collect();

    let world = World::start(Options::default()).await.unwrap();
    world.create_bucket("site").unwrap();
    let distribution = Distribution::for_bucket("site");
    let target = PurgeTarget::Distribution(distribution.id.clone());
    world.set_distribution(distribution.clone());
    let connection = AwsConnection {
        endpoint_url: Some(world.endpoint()),
        local: true,
        ..AwsConnection::default()
    };
    let aws = AwsClients::connect(connection, None).await.unwrap();
    let on = TriedResources {
        target: &target,
        distribution: &distribution.id,
        function: Some("unstale-function"),
    };
    let mut untried = BTreeSet::new();
    for action in needed {
        let answer = if action.starts_with("s3:") {
            aws.bucket("site", None).try_action(action, "").await
        } else {
            aws.cloudfront().try_action(action, on).await
        };
        match answer {
            None => _ = untried.insert(action.as_str()),
            // There is no such tenant here.
            Some(answer) if action.contains("Tenant") => drop(answer),
            Some(answer) => assert!(answer.is_ok(), "{action}: {answer:?}"),
        }
    }
    assert_eq!(untried, BTreeSet::from(UNTRIED));
    assert_eq!(world.keys("site"), [""; 0]);
    assert_eq!(world.invalidations(&distribution.id).len(), 0);
}
