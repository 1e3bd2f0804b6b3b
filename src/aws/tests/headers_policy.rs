//! Response headers policies against the emulator.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use local_cloudfront::{Behavior, Distribution, Fault, PolicyHeader};

use super::world;
use crate::aws::AwsErrorKind;
use crate::aws::configuration::{FunctionReading, read};
use crate::edge::{FunctionTrust, HeadersPolicy, IndexLookup};

fn policy(name: &str, sent: &[(&str, &str)], removed: &[&str]) -> HeadersPolicy {
    let texts = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let policy = HeadersPolicy {
        name: name.to_owned(),
        comment: "Written by a test".to_owned(),
        sent: sent.iter().map(texts).collect(),
        removed: removed.iter().map(|name| (*name).to_owned()).collect(),
    };
    policy.checked().unwrap()
}

fn attached(pairs: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
    let pairs = pairs.iter();
    pairs
        .map(|(pattern, id)| ((*pattern).to_owned(), id.map(str::to_owned)))
        .collect()
}

#[tokio::test]
async fn a_policy_is_read_as_it_was_written() {
    let (world, cloudfront) = world().await;
    world.cloud_options(|options| options.page = 2);
    let all = [
        ("strict-transport-security", "max-age=60; includeSubDomains"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("x-xss-protection", "1; report=/r"),
        ("referrer-policy", "unsafe-url"),
        ("content-security-policy", "default-src 'self' \"<&>"),
        (
            "access-control-allow-origin",
            "https://b.example, https://a.example",
        ),
        ("access-control-allow-methods", "*"),
        ("access-control-allow-headers", "x-b, X-A"),
        ("access-control-allow-credentials", "true"),
        ("access-control-expose-headers", "X-C"),
        ("access-control-max-age", "600"),
        ("permissions-policy", "camera=()"),
        ("x-empty", ""),
    ];
    let mut written = vec![policy("all", &all, &["etag", "x-amz-meta-cache-tag"])];
    written.push(policy("none", &[], &["server"]));
    for (number, (name, value)) in all.iter().enumerate() {
        if *name != "access-control-allow-credentials" {
            written.push(policy(&format!("one-{number}"), &[(name, value)], &[]));
        }
    }
    for (name, value) in [
        ("x-xss-protection", "0"),
        ("x-xss-protection", "1"),
        ("x-xss-protection", "1; mode=block"),
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
    ] {
        let name = (name, value);
        written.push(policy(&format!("more-{}", written.len()), &[name], &[]));
    }
    for wanted in &written {
        assert_eq!(cloudfront.headers_policy(&wanted.name).await.unwrap(), None);
        let id = cloudfront.write_headers_policy(wanted, None).await.unwrap();
        let stored = cloudfront.headers_policy(&wanted.name).await.unwrap();
        let stored = stored.unwrap();
        assert_eq!((&stored.id, &stored.policy), (&id, wanted));
    }
    // Nobody is allowed what was not asked for, and all win over objects' own.
    for (_, policy) in world.headers_policies() {
        let mut headers = policy.security.iter().chain(&policy.custom);
        assert!(headers.all(|header| header.overrides), "{policy:?}");
        assert!(policy.cors.as_ref().is_none_or(|cors| cors.overrides));
        let asks = policy.sent(Some("https://other.example"));
        let allows = asks
            .iter()
            .any(|(name, _)| name == "access-control-allow-origin");
        let is_for_all = policy.cors.is_some_and(|cors| cors.origins == ["*"]);
        assert_eq!(allows, is_for_all, "{asks:?}");
    }
}

#[tokio::test]
async fn a_policy_is_written_over_the_one_that_was_read() {
    let (world, cloudfront) = world().await;
    let first = policy(
        "site",
        &[("x-a", "1"), ("x-frame-options", "DENY")],
        &["etag"],
    );
    let id = cloudfront.write_headers_policy(&first, None).await.unwrap();
    let read = cloudfront.headers_policy("site").await.unwrap().unwrap();
    let second = policy("site", &[("x-b", "2")], &[]);
    let over = cloudfront.write_headers_policy(&second, Some(&read)).await;
    assert_eq!(over.unwrap(), id);
    let stored = cloudfront.headers_policy("site").await.unwrap().unwrap();
    assert_eq!(stored.policy, second);
    let late = cloudfront.write_headers_policy(&first, Some(&read)).await;
    assert!(late.unwrap_err().is(&AwsErrorKind::Precondition));
    let again = cloudfront.write_headers_policy(&first, None).await;
    assert!(again.unwrap_err().is(&AwsErrorKind::Conflict));
    assert_eq!(world.headers_policies().len(), 1);

    // A header that gives way to an object's own is not what a deploy writes.
    let (_, mut theirs) = world.headers_policies().remove(0);
    theirs.custom.push(PolicyHeader {
        overrides: false,
        ..PolicyHeader::new("X-C", "3")
    });
    theirs.custom[0].overrides = false;
    world.set_headers_policy(&id, theirs);
    let stored = cloudfront.headers_policy("site").await.unwrap().unwrap();
    assert!(stored.policy.sent.is_empty(), "{stored:?}");
    let unfit = policy("site", &[], &["etag"]);
    let unfit = HeadersPolicy {
        removed: ["via".to_owned()].into(),
        ..unfit
    };
    let refused = cloudfront.write_headers_policy(&unfit, Some(&stored)).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("nobody send or remove via"), "{refused}");
}

#[tokio::test]
async fn policies_are_attached_at_once_whoever_changes_the_distribution_meanwhile() {
    let (world, cloudfront) = world().await;
    let mut site = Distribution::for_bucket("bucket");
    site.behaviors = ["/images/*", "/fonts/*"]
        .map(|pattern| Behavior::new(pattern, "site"))
        .to_vec();
    world.set_distribution(site.clone());
    let mut ids = Vec::new();
    for name in ["a", "b"] {
        let policy = policy(name, &[("x-a", name)], &[]);
        ids.push(
            cloudfront
                .write_headers_policy(&policy, None)
                .await
                .unwrap(),
        );
    }
    let (a, b) = (ids[0].as_str(), ids[1].as_str());
    // The first update meets a distribution that somebody else changed.
    let (updates, other) = (AtomicUsize::new(0), world.clone());
    let (id, commented) = (site.id.clone(), site.clone());
    world.set_rule(move |request| {
        let is_update = request.operation == "UpdateDistribution";
        if is_update && updates.fetch_add(1, Ordering::SeqCst) == 0 {
            other.set_distribution(Distribution {
                comment: "changed".to_owned(),
                ..commented.clone()
            });
        }
        Fault::None
    });
    let wanted = attached(&[("*", Some(a)), ("/images/*", Some(b))]);
    let associate = || cloudfront.associate_headers_policies(&id, &wanted);
    assert!(associate().await.unwrap());
    let updates = || {
        let log = world.log().into_iter();
        log.filter(|entry| entry.request.operation == "UpdateDistribution")
            .count()
    };
    assert_eq!(updates(), 2);
    let now = world.distribution(&id).unwrap();
    assert_eq!(now.comment, "changed");
    assert_eq!(now.default.headers_policy.as_deref(), Some(a));
    let others = now.behaviors.iter().map(|it| it.headers_policy.as_deref());
    assert_eq!(others.collect::<Vec<_>>(), [Some(b), None]);
    assert!(!associate().await.unwrap());
    assert_eq!(updates(), 2, "nothing to change, nothing to send");

    // What is attached is read, and owes no purge.
    let reading = FunctionReading {
        index: IndexLookup::Auto,
        redirects: false,
        trust: FunctionTrust::Read,
    };
    let described = cloudfront.describe(&id).await.unwrap();
    let with = read(&cloudfront, described, reading).await.unwrap();
    let read_ids = with.behaviors.iter().map(|it| it.headers_policy.as_deref());
    assert_eq!(read_ids.collect::<Vec<_>>(), [Some(b), None, Some(a)]);
    let nothing = attached(&[("*", None), ("/images/*", None)]);
    let taken = cloudfront.associate_headers_policies(&id, &nothing).await;
    assert!(taken.unwrap());
    let described = cloudfront.describe(&id).await.unwrap();
    let without = read(&cloudfront, described, reading).await.unwrap();
    assert!(
        without
            .behaviors
            .iter()
            .all(|it| it.headers_policy.is_none())
    );
    assert_eq!(with.fingerprint(), without.fingerprint());

    for (wanted, said) in [
        (attached(&[("/none/*", Some(a))]), "no behavior for /none/*"),
        (attached(&[("*", Some("x"))]), "does not exist"),
    ] {
        let refused = cloudfront.associate_headers_policies(&id, &wanted).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
}
