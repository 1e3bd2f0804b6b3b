//! STS.

use super::*;

/// Sends what the query protocol sends to a service of this name.
pub(super) async fn ask(world: &World, service: &str, form: &str) -> Reply {
    let request = format!(
        "POST /\nauthorization: AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    send(world, &request, form.as_bytes()).await
}

#[tokio::test]
async fn everybody_is_a_user_of_the_account_that_owns_the_buckets() {
    let world = world().await;
    let said = ask(&world, "sts", "Action=GetCallerIdentity&Version=2011-06-15").await;
    assert_eq!(said.status, 200);
    let said = xml::Element::parse(&said.text()).unwrap();
    let owner = BucketOptions::default().owner;
    assert_eq!(said.text_at("GetCallerIdentityResult/Account"), owner);
    let arn = said.text_at("GetCallerIdentityResult/Arn");
    assert_eq!(arn, format!("arn:aws:iam::{owner}:user/local"));
    let entry = &world.log()[0].request;
    assert_eq!(
        (entry.service, entry.operation, entry.region.as_str()),
        (Service::Sts, "GetCallerIdentity", "eu-central-1")
    );
    let unknown = ask(&world, "sts", "Action=AssumeRole").await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.text().contains("<Code>InvalidAction</Code>"));
}
