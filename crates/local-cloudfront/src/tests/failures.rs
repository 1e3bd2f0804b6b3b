//! Stacks that fail, and what becomes of them.

use super::stacks::{TEMPLATE, apply, call, events, result, stack};
use super::*;

#[tokio::test]
async fn what_failed_goes_back_to_what_it_was() {
    let world = World::start(Options::default()).await.unwrap();
    world.fail_resource("Distribution", Some("not today"));
    let fields = [
        ("StackName", "site"),
        ("ChangeSetName", "c"),
        ("ChangeSetType", "CREATE"),
        ("TemplateBody", TEMPLATE),
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ("OnStackFailure", "DELETE"),
    ];
    result(&world, "CreateChangeSet", &fields).await;
    result(&world, "ExecuteChangeSet", &fields[..2]).await;
    assert_eq!(world.stacks()["site"], "DELETE_COMPLETE");
    assert_eq!(status(&world, "HEAD /made").await, 404);
    world.fail_resource("Distribution", None);
    apply(&world, "CREATE", TEMPLATE).await;
    let before = stack(&world).await;
    world.fail_resource("Distribution", Some("not today"));
    let other = TEMPLATE
        .replace("BucketName: made", "BucketName: other")
        .replace("Value: made", "Value: other");
    apply(&world, "UPDATE", &other).await;
    let told = events(&world, "site").await;
    let failed = ("Distribution", "UPDATE_FAILED", "not today");
    let failed = (
        failed.0.to_owned(),
        failed.1.to_owned(),
        failed.2.to_owned(),
    );
    assert!(told.contains(&failed), "{told:?}");
    let after = stack(&world).await;
    assert_eq!(after.0, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(after.1, before.1);
    assert_eq!(status(&world, "HEAD /other").await, 404);
    assert_eq!(world.headers_policies()[0].1.custom[0].value, "made");
    world.fail_resource("Distribution", None);
    apply(&world, "UPDATE", &other).await;
    let (status_now, outputs) = stack(&world).await;
    assert_eq!(
        (status_now.as_str(), outputs["BucketName"].as_str()),
        ("UPDATE_COMPLETE", "other")
    );
    // The old bucket is kept.
    assert_eq!(status(&world, "HEAD /made").await, 200);
    result(&world, "DeleteStack", &[("StackName", "site")]).await;
    assert_eq!(world.stacks()["site"], "DELETE_COMPLETE");
    assert_eq!(status(&world, "HEAD /other").await, 200);
    assert!(world.distributions().is_empty());
}

#[tokio::test]
async fn what_holds_objects_is_not_taken_back() {
    let (world, _) = site().await;
    world.cloud_options(|options| options.resource_time = Duration::from_secs(10));
    world.fail_resource("Distribution", Some("not today"));
    let fields = [
        ("StackName", "site"),
        ("ChangeSetName", "c"),
        ("ChangeSetType", "CREATE"),
        ("TemplateBody", TEMPLATE),
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
    ];
    result(&world, "CreateChangeSet", &fields).await;
    later(&world, 10);
    result(&world, "ExecuteChangeSet", &fields[..2]).await;
    let headers = Headers::default();
    world.put_object("made", "a", "x", headers).await.unwrap();
    later(&world, 1000);
    assert_eq!(stack(&world).await.0, "ROLLBACK_FAILED");
    let told = events(&world, "site").await;
    let left = told.iter().find(|(_, status, _)| status == "DELETE_FAILED");
    let (id, _, reason) = left.unwrap();
    assert_eq!(id, "Bucket");
    assert!(reason.contains("not empty"), "{reason}");
    // RetainExceptOnCreate keeps it from everything but the rollback.
    result(&world, "DeleteStack", &fields[..1]).await;
    later(&world, 1000);
    assert_eq!(world.stacks()["site"], "DELETE_COMPLETE");
    assert_eq!(status(&world, "HEAD /made").await, 200);
}

#[tokio::test]
async fn what_nobody_may_ask_for_is_refused_with_its_reason() {
    let world = World::start(Options::default()).await.unwrap();
    let ask = |name: &'static str| {
        let fields = [
            ("StackName", name),
            ("ChangeSetName", "c"),
            ("ChangeSetType", "CREATE"),
            ("TemplateBody", TEMPLATE),
        ];
        let world = &world;
        async move { call(world, "CreateChangeSet", &fields).await.text() }
    };
    assert!(
        ask("www.example.com")
            .await
            .contains("&apos;stackName&apos;")
            || ask("www.example.com").await.contains("'stackName'")
    );
    assert!(world.stacks().is_empty());
    let arn = "arn:aws:acm:eu-west-1:111122223333:certificate/c";
    world.set_certificate(Certificate::new(arn, "www.example.com"));
    let aliases = "        Aliases: [www.example.com]\n        Enabled: true\n";
    let certificate = format!(
        "{aliases}        ViewerCertificate: {{ AcmCertificateArn: '{arn}', SslSupportMethod: sni-only }}\n"
    );
    for (wish, expected) in [
        (aliases, "you must attach a trusted certificate"),
        (certificate.as_str(), "isn't in us-east-1"),
    ] {
        let template = TEMPLATE.replace("        Enabled: true\n", wish);
        apply(&world, "CREATE", &template).await;
        let told = events(&world, "site").await;
        let failed = told.iter().find(|(_, status, _)| status == "CREATE_FAILED");
        let (id, _, reason) = failed.unwrap();
        assert_eq!(id, "Distribution");
        assert!(reason.contains(expected), "{reason}");
        result(&world, "DeleteStack", &[("StackName", "site")]).await;
    }
    // A bucket that somebody has.
    world.create_bucket("made").unwrap();
    apply(&world, "CREATE", TEMPLATE).await;
    let told = events(&world, "site").await;
    let failed = told.iter().find(|(_, status, _)| status == "CREATE_FAILED");
    assert!(failed.unwrap().2.contains("made already exists"));
    assert_eq!(stack(&world).await.0, "ROLLBACK_COMPLETE");
    assert_eq!(status(&world, "HEAD /made").await, 200);
}

#[tokio::test]
async fn what_cannot_be_made_may_be_found_out_before() {
    let world = World::start(Options::default()).await.unwrap();
    world.cloud_options(|options| options.validates_early = true);
    world.create_bucket("made").unwrap();
    let wrong = TEMPLATE.replace("PriceClass: P", "PriseClass: P");
    let fields = [
        ("StackName", "site"),
        ("ChangeSetName", "c"),
        ("ChangeSetType", "CREATE"),
        ("TemplateBody", wrong.as_str()),
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
    ];
    result(&world, "CreateChangeSet", &fields).await;
    let said = result(&world, "DescribeChangeSet", &fields[..2]).await;
    assert_eq!(said.text_at("Status"), "FAILED");
    let reason = said.text_at("StatusReason");
    assert!(reason.contains("ResourceExistenceCheck"), "{reason}");
    assert_eq!(
        call(&world, "ExecuteChangeSet", &fields[..2]).await.status,
        400
    );
    let told = result(&world, "DescribeEvents", &fields[..2]).await;
    let told = &told.child("OperationEvents").unwrap().children;
    let told: Vec<_> = told
        .iter()
        .map(|event| {
            (
                event.text_at("LogicalResourceId"),
                event.text_at("ValidationStatusReason"),
            )
        })
        .collect();
    let (ids, reasons): (Vec<&str>, Vec<&str>) = told.into_iter().unzip();
    assert_eq!(ids, ["Bucket", "Distribution"]);
    assert!(
        reasons[0].contains("'made' already exists"),
        "{}",
        reasons[0]
    );
    assert!(reasons[1].contains("[PriseClass]"), "{}", reasons[1]);
    // What another account has is not seen.
    let theirs = |options: &mut BucketOptions, _: &mut Versioning| {
        options.owner = "444455556666".to_owned();
    };
    world.alter_bucket("made", theirs).unwrap();
    result(&world, "DeleteStack", &[("StackName", "site")]).await;
    apply(&world, "CREATE", TEMPLATE).await;
    assert_eq!(stack(&world).await.0, "ROLLBACK_COMPLETE");
}

#[tokio::test]
async fn a_bucket_that_is_there_is_taken_in_only_where_that_is_asked_for() {
    let world = World::start(Options::default()).await.unwrap();
    world.create_bucket("made").unwrap();
    world
        .put_object("made", "a", "x", Headers::default())
        .await
        .unwrap();
    let planned = async |name: &'static str, template: &str| {
        let fields = [
            ("StackName", "site"),
            ("ChangeSetName", name),
            ("ChangeSetType", "CREATE"),
            ("TemplateBody", template),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
            ("ImportExistingResources", "true"),
        ];
        result(&world, "CreateChangeSet", &fields).await;
        result(&world, "DescribeChangeSet", &fields[..2]).await
    };
    let unkept = TEMPLATE.replace("DeletionPolicy: Retain", "Metadata: Retain");
    let said = planned("unkept", &unkept).await;
    let reason = said.text_at("StatusReason");
    assert!(reason.contains("({BucketName=made})"), "{reason}");
    let said = planned("kept", TEMPLATE).await;
    let changes = &said.child("Changes").unwrap().children;
    let bucket = changes
        .iter()
        .find(|change| change.text_at("ResourceChange/LogicalResourceId") == "Bucket");
    assert_eq!(bucket.unwrap().text_at("ResourceChange/Action"), "Import");
    let fields = [("StackName", "site"), ("ChangeSetName", "kept")];
    world.fail_resource("Distribution", Some("not today"));
    result(&world, "ExecuteChangeSet", &fields).await;
    assert_eq!(stack(&world).await.0, "ROLLBACK_COMPLETE");
    assert_eq!(status(&world, "HEAD /made/a").await, 200);
    result(&world, "DeleteStack", &fields[..1]).await;
    world.fail_resource("Distribution", None);
    planned("kept", TEMPLATE).await;
    result(&world, "ExecuteChangeSet", &fields).await;
    assert_eq!(stack(&world).await.0, "CREATE_COMPLETE");
    let told = events(&world, "site").await;
    let is_taken =
        |(id, status, _): &(String, String, String)| id == "Bucket" && status == "IMPORT_COMPLETE";
    assert!(told.iter().any(is_taken));
    assert_eq!(status(&world, "HEAD /made/a").await, 200);
}
