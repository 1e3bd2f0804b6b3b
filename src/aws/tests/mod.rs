//! What is written at CloudFront comes back, whoever else writes there.

mod headers_policy;
mod unknown_field;

use local_cloudfront::{Fault, Options, World};

use super::{AwsClients, AwsConnection, CloudFront};

/// A world with a bucket behind a distribution, and a client of it.
async fn world() -> (World, CloudFront) {
    let (world, aws) = connected().await;
    (world, aws.cloudfront())
}

async fn connected() -> (World, AwsClients) {
    let world = World::start(Options::default()).await.unwrap();
    world.create_bucket("bucket").unwrap();
    let connection = AwsConnection {
        endpoint_url: Some(world.endpoint()),
        local: true,
        ..AwsConnection::default()
    };
    let aws = AwsClients::connect(connection, None).await.unwrap();
    (world, aws)
}

#[tokio::test]
async fn the_right_that_is_missing_for_tags_or_a_version_is_named() {
    let (world, aws) = connected().await;
    world.set_rule(|_| Fault::Fail(403, "AccessDenied"));
    let bucket = aws.bucket("bucket", None);
    for (version, action) in [
        (None, "s3:GetObjectTagging"),
        (Some("null"), "s3:GetObjectVersionTagging"),
    ] {
        let error = bucket.tags("missing", version).await.unwrap_err();
        assert_eq!(error.action, action);
    }
    for (version, action) in [
        (None, "s3:GetObject"),
        (Some("null"), "s3:GetObjectVersion"),
    ] {
        let error = bucket.head("missing", version).await.unwrap_err();
        assert_eq!(error.action, action);
    }
}
