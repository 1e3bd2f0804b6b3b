//! CloudFormation, and what it makes.

use super::identity::ask;
use super::*;

pub(super) const TEMPLATE: &str = include_str!("site.yaml");

pub(super) async fn call(world: &World, operation: &str, fields: &[(&str, &str)]) -> Reply {
    let mut form = format!("Action={operation}&Version=2010-05-15");
    for (name, value) in fields {
        let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        form.push_str(&format!("&{name}={value}"));
    }
    ask(world, "cloudformation", &form).await
}

/// The result's element of a call that succeeds.
pub(super) async fn result(
    world: &World,
    operation: &str,
    fields: &[(&str, &str)],
) -> xml::Element {
    let reply = call(world, operation, fields).await;
    assert_eq!(reply.status, 200, "{operation}: {}", reply.text());
    let whole = xml::Element::parse(&reply.text()).unwrap();
    whole.child(&format!("{operation}Result")).unwrap().clone()
}

/// Creates a change set and executes it.
pub(super) async fn apply(world: &World, kind: &str, template: &str) {
    let fields = [
        ("StackName", "site"),
        ("ChangeSetName", "c"),
        ("ChangeSetType", kind),
        ("TemplateBody", template),
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
    ];
    result(world, "CreateChangeSet", &fields).await;
    let describe = || result(world, "DescribeChangeSet", &fields[..2]);
    while describe().await.text_at("Status") == "CREATE_IN_PROGRESS" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    result(world, "ExecuteChangeSet", &fields[..2]).await;
}

/// Its status and its outputs.
pub(super) async fn stack(world: &World) -> (String, BTreeMap<String, String>) {
    let said = result(world, "DescribeStacks", &[("StackName", "site")]).await;
    let outputs = said.at("Stacks/member/Outputs").unwrap();
    let outputs = outputs.children.iter().map(|output| {
        let text = |name: &str| output.text_at(name).to_owned();
        (text("OutputKey"), text("OutputValue"))
    });
    let status = said.text_at("Stacks/member/StackStatus").to_owned();
    (status, outputs.collect())
}

/// Logical id, status and reason of each event, oldest first.
pub(super) async fn events(world: &World, name: &str) -> Vec<(String, String, String)> {
    let said = result(world, "DescribeStackEvents", &[("StackName", name)]).await;
    let events = said.child("StackEvents").unwrap().children.iter().rev();
    let event = |event: &xml::Element| {
        let text = |name: &str| event.text_at(name).to_owned();
        (
            text("LogicalResourceId"),
            text("ResourceStatus"),
            text("ResourceStatusReason"),
        )
    };
    events.map(event).collect()
}

#[tokio::test]
async fn a_stack_makes_a_site_with_its_error_pages() {
    let world = World::start(Options::default()).await.unwrap();
    apply(&world, "CREATE", TEMPLATE).await;
    let (status, outputs) = stack(&world).await;
    assert_eq!(
        status,
        "CREATE_COMPLETE",
        "{:?}",
        events(&world, "site").await
    );
    assert_eq!(outputs["BucketName"], "made");
    let id = &outputs["DistributionId"];
    let distribution = world.distribution(id).unwrap();
    assert_eq!(outputs["Url"], format!("https://{}", distribution.domain));
    assert_eq!(distribution.root.as_deref(), Some("index.html"));
    assert_eq!(
        distribution.tag_header.as_deref(),
        Some("x-amz-meta-cache-tag")
    );
    assert_eq!(distribution.price_class, "PriceClass_100");
    assert_eq!(
        distribution.default.function.as_deref(),
        Some("site-function")
    );
    for (key, body) in [("index.html", "home"), ("404.html", "lost")] {
        let headers = Headers::default();
        world.put_object("made", key, body, headers).await.unwrap();
    }
    let edge = world.edge(id, 0);
    assert_eq!(edge.get("/").await.text(), "home");
    let missing = edge.get("/missing").await;
    assert_eq!((missing.status, missing.text().as_str()), (404, "lost"));
    let versioning = send(&world, "GET /made?versioning", b"").await.text();
    assert!(versioning.contains("Enabled"));
    let roles = result(&world, "DescribeStackResources", &[("StackName", "site")]).await;
    let text = String::from_utf8(roles.document("")).unwrap();
    assert!(text.contains("<LogicalResourceId>DeployRole</LogicalResourceId>"));
    assert!(outputs["DeployRoleArn"].starts_with("arn:aws:iam::111122223333:role/"));
}

#[tokio::test]
async fn a_change_set_says_what_would_change() {
    let world = World::start(Options::default()).await.unwrap();
    apply(&world, "CREATE", TEMPLATE).await;
    let describe = |template: String| {
        let world = world.clone();
        async move {
            let fields = [
                ("StackName", "site"),
                ("ChangeSetName", "n"),
                ("TemplateBody", &template),
                ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
            ];
            result(&world, "CreateChangeSet", &fields).await;
            let said = result(&world, "DescribeChangeSet", &fields[..2]).await;
            result(&world, "DeleteChangeSet", &fields[..2]).await;
            said
        }
    };
    let same = describe(TEMPLATE.to_owned()).await;
    assert_eq!(same.text_at("Status"), "FAILED");
    assert!(
        same.text_at("StatusReason")
            .contains("didn't contain changes")
    );
    let other = TEMPLATE
        .replace("BucketName: made", "BucketName: other")
        .replace(
            "DefaultRootObject: index.html",
            "DefaultRootObject: home.html",
        )
        .replace("  HeadersPolicy:", "  Renamed:")
        .replace("Ref: HeadersPolicy", "Ref: Renamed");
    let said = describe(other).await;
    assert_eq!(said.text_at("Status"), "CREATE_COMPLETE");
    let changes = &said.child("Changes").unwrap().children;
    let change = |id: &str| {
        let mut changes = changes
            .iter()
            .map(|one| one.child("ResourceChange").unwrap());
        changes.find(|one| one.text_at("LogicalResourceId") == id)
    };
    assert_eq!(change("Bucket").unwrap().text_at("Replacement"), "True");
    let distribution = change("Distribution").unwrap();
    assert_eq!(distribution.text_at("Replacement"), "False");
    let name = distribution.text_at("Details/member/Target/Name");
    assert_eq!(name, "DistributionConfig");
    assert_eq!(change("Renamed").unwrap().text_at("Action"), "Add");
    assert_eq!(change("HeadersPolicy").unwrap().text_at("Action"), "Remove");
    assert!(change("DeployRole").is_none());
}

#[tokio::test]
async fn a_property_that_nobody_knows_takes_all_back() {
    let world = World::start(Options::default()).await.unwrap();
    let wrong = TEMPLATE.replace("PriceClass: P", "PriseClass: P");
    apply(&world, "CREATE", &wrong).await;
    assert_eq!(stack(&world).await.0, "ROLLBACK_COMPLETE");
    let events = events(&world, "site").await;
    let failed = events
        .iter()
        .find(|(_, status, _)| status == "CREATE_FAILED");
    let (id, _, reason) = failed.unwrap();
    assert_eq!(id, "Distribution");
    assert!(reason.contains("extraneous key [PriseClass]"), "{reason}");
    assert!(events.contains(&(
        "Bucket".to_owned(),
        "DELETE_COMPLETE".to_owned(),
        String::new()
    )));
    assert_eq!(status(&world, "HEAD /made").await, 404);
    // There is no way on from here but to delete it.
    let again = call(
        &world,
        "CreateChangeSet",
        &[
            ("StackName", "site"),
            ("ChangeSetName", "n"),
            ("ChangeSetType", "CREATE"),
            ("TemplateBody", TEMPLATE),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ],
    );
    let again = again.await;
    assert_eq!(again.status, 400);
    assert!(again.text().contains("already exists"));
    result(&world, "DeleteStack", &[("StackName", "site")]).await;
    let gone = call(&world, "DescribeStacks", &[("StackName", "site")]).await;
    assert!(gone.text().contains("Stack with id site does not exist"));
    apply(&world, "CREATE", TEMPLATE).await;
    assert_eq!(stack(&world).await.0, "CREATE_COMPLETE");
}

#[tokio::test]
async fn the_policy_of_the_bucket_says_what_viewers_see() {
    let world = World::start(Options::default()).await.unwrap();
    let plain = TEMPLATE
        .split("        CustomErrorResponses:")
        .next()
        .unwrap();
    let plain =
        format!("{plain}Outputs: {{ DistributionId: {{ Value: {{ Ref: Distribution }} }} }}\n");
    apply(&world, "CREATE", &plain).await;
    let id = stack(&world).await.1["DistributionId"].clone();
    for key in ["a", ".unstale/state.json"] {
        let headers = Headers::default();
        world.put_object("made", key, "x", headers).await.unwrap();
    }
    let edge = world.edge(&id, 0);
    let seen = |path: &'static str| async { edge.get(path).await.status };
    assert_eq!(seen("/a").await, 200);
    assert_eq!(seen("/.unstale/state.json").await, 403);
    assert_eq!(seen("/missing").await, 403);
    // Another distribution is not named by it.
    let other = Distribution::for_bucket("made");
    world.set_distribution(other.clone());
    assert_eq!(world.edge(&other.id, 0).get("/a").await.status, 403);
    let policy = send(&world, "GET /made?policy", b"").await.text();
    assert!(policy.contains(&format!("distribution/{id}")), "{policy}");
    let listed = policy
        .replace("\"s3:GetObject\"", "\"s3:*\"")
        .replace("/*\"", "*\"");
    assert_eq!(
        send(&world, "PUT /made?policy", listed.as_bytes())
            .await
            .status,
        200
    );
    assert_eq!(world.edge(&id, 1).get("/missing").await.status, 404);
    assert_eq!(status(&world, "DELETE /made?policy").await, 204);
    assert_eq!(world.edge(&id, 2).get("/a").await.status, 403);
    assert_eq!(status(&world, "GET /made?policy").await, 404);
}

#[tokio::test]
async fn drift_is_found_where_somebody_changed_what_a_stack_made() {
    let world = World::start(Options::default()).await.unwrap();
    apply(&world, "CREATE", TEMPLATE).await;
    let detect = || async {
        let started = result(&world, "DetectStackDrift", &[("StackName", "site")]).await;
        let id = started.text_at("StackDriftDetectionId");
        let fields = [("StackDriftDetectionId", id)];
        result(&world, "DescribeStackDriftDetectionStatus", &fields).await
    };
    let same = detect().await;
    assert_eq!(same.text_at("DetectionStatus"), "DETECTION_COMPLETE");
    let drifts = result(
        &world,
        "DescribeStackResourceDrifts",
        &[("StackName", "site")],
    )
    .await;
    assert_eq!(same.text_at("StackDriftStatus"), "IN_SYNC", "{drifts:?}");
    let id = stack(&world).await.1["DistributionId"].clone();
    let mut distribution = world.distribution(&id).unwrap();
    distribution.root = Some("other.html".to_owned());
    world.set_distribution(distribution);
    let suspend = |_: &mut BucketOptions, versions: &mut Versioning| {
        *versions = Versioning::Suspended;
    };
    world.alter_bucket("made", suspend).unwrap();
    let differs = detect().await;
    assert_eq!(differs.text_at("StackDriftStatus"), "DRIFTED");
    assert_eq!(differs.text_at("DriftedStackResourceCount"), "2");
    let fields = [
        ("StackName", "site"),
        ("StackResourceDriftStatusFilters.member.1", "MODIFIED"),
    ];
    let drifts = result(&world, "DescribeStackResourceDrifts", &fields).await;
    let drifts = &drifts.child("StackResourceDrifts").unwrap().children;
    let found: Vec<_> = drifts
        .iter()
        .map(|one| {
            let difference = one.at("PropertyDifferences/member").unwrap();
            let text = |name: &str| difference.text_at(name).to_owned();
            (
                text("PropertyPath"),
                text("ExpectedValue"),
                text("ActualValue"),
            )
        })
        .collect();
    let expected = [
        ("/VersioningConfiguration/Status", "Enabled", "Suspended"),
        (
            "/DistributionConfig/DefaultRootObject",
            "index.html",
            "other.html",
        ),
    ];
    let expected =
        expected.map(|(path, one, other)| (path.to_owned(), one.to_owned(), other.to_owned()));
    assert_eq!(found, expected);
}

const CERTIFICATE: &str = "
Resources:
  Certificate:
    Type: AWS::CertificateManager::Certificate
    Properties:
      DomainName: www.example.com
      ValidationMethod: DNS
Outputs:
  Arn: { Value: { Ref: Certificate } }
";

#[tokio::test]
async fn a_certificate_waits_for_its_record() {
    let (world, _) = site().await;
    world.cloud_options(|options| options.certificates_wait = true);
    apply(&world, "CREATE", CERTIFICATE).await;
    later(&world, 3600);
    assert_eq!(stack(&world).await.0, "CREATE_IN_PROGRESS");
    let certificate = world.certificates().remove(0);
    assert_eq!(certificate.status, "PENDING_VALIDATION");
    let (name, value) = certificate.record("www.example.com");
    let expected = format!("Content of DNS Record is: {{Name: {name},Type: CNAME,Value: {value}}}");
    let last = events(&world, "site").await.pop().unwrap();
    assert_eq!(last.2, expected);
    later(&world, 3600);
    world.issue_certificates();
    let (status, outputs) = stack(&world).await;
    assert_eq!(
        (status.as_str(), &outputs["Arn"]),
        ("CREATE_COMPLETE", &certificate.arn)
    );
}

#[tokio::test]
async fn each_resource_takes_its_time_though_nobody_asks() {
    let (world, _) = site().await;
    world.cloud_options(|options| options.resource_time = Duration::from_secs(10));
    let fields = [
        ("StackName", "site"),
        ("ChangeSetName", "c"),
        ("ChangeSetType", "CREATE"),
        ("TemplateBody", TEMPLATE),
    ];
    let refused = call(&world, "CreateChangeSet", &fields).await;
    assert!(refused.text().contains("InsufficientCapabilitiesException"));
    let capability = ("Capabilities.member.1", "CAPABILITY_NAMED_IAM");
    let token = ("ClientToken", "t");
    let all: Vec<_> = fields.into_iter().chain([capability, token]).collect();
    let first = result(&world, "CreateChangeSet", &all).await;
    let second = result(&world, "CreateChangeSet", &all).await;
    assert_eq!(first, second);
    assert_eq!(stack(&world).await.0, "REVIEW_IN_PROGRESS");
    let early = call(&world, "ExecuteChangeSet", &fields[..2]).await;
    assert!(early.text().contains("InvalidChangeSetStatus"));
    later(&world, 10);
    let execute = [fields[0], fields[1], ("ClientRequestToken", "e")];
    result(&world, "ExecuteChangeSet", &execute).await;
    // Its answer was lost.
    result(&world, "ExecuteChangeSet", &execute).await;
    let again = call(&world, "ExecuteChangeSet", &fields[..2]).await;
    assert_eq!(again.status, 400);
    let began = world.clock().now();
    later(&world, 15);
    assert_eq!(world.stacks()["site"], "CREATE_IN_PROGRESS");
    later(&world, 10_000);
    assert_eq!(world.stacks()["site"], "CREATE_COMPLETE");
    let told = result(&world, "DescribeStackEvents", &[("StackName", "site")]).await;
    let newest = &told.child("StackEvents").unwrap().children[0];
    let ended = clock::iso_date(began + Duration::from_secs(70));
    assert_eq!(newest.text_at("Timestamp"), ended);
    assert_eq!(newest.text_at("LogicalResourceId"), "site");
}
