//! What is written at CloudFront comes back, whoever else writes there.

mod headers_policy;
mod unknown_field;

use local_cloudfront::{Options, World};

use super::{AwsClients, AwsConnection, CloudFront};

/// A world with a bucket behind a distribution, and a client of it.
async fn world() -> (World, CloudFront) {
    let world = World::start(Options::default()).await.unwrap();
    world.create_bucket("bucket").unwrap();
    let connection = AwsConnection {
        endpoint_url: Some(world.endpoint()),
        local: true,
        ..AwsConnection::default()
    };
    let aws = AwsClients::connect(connection, None).await.unwrap();
    (world, aws.cloudfront())
}
