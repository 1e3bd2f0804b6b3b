//! CloudFormation, and what it makes.

use super::identity::ask;
use super::*;

pub(super) const TEMPLATE: &str = include_str!("site.yaml");

async fn call(world: &World, operation: &str, fields: &[(&str, &str)]) -> Reply {
    let mut form = format!("Action={operation}&Version=2010-05-15");
    for (name, value) in fields {
        let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        form.push_str(&format!("&{name}={value}"));
    }
    ask(world, "cloudformation", &form).await
}

/// The result's element of a call that succeeds.
async fn result(world: &World, operation: &str, fields: &[(&str, &str)]) -> xml::Element {
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
async fn events(world: &World, name: &str) -> Vec<(String, String, String)> {
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
