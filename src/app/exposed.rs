//! Warns where viewers can read the state of the deploys through a distribution, and says what ends that.

use std::collections::BTreeMap;

use super::SiteCommand;
use crate::aws::viewer::ViewerClient;
use crate::deploy::PlanInputs;
use crate::doctor::exposed::{PATIENCE, handed_out};
use crate::error::Error;
use crate::setup::policy::{PolicyStatement, Principal};

/// Asks each distribution for one object of the state. Asks nobody where the endpoint is not AWS's, unless it is told whom.
pub(super) async fn warn(
    command: SiteCommand<'_>,
    scene: &PlanInputs,
    url: Option<&str>,
) -> Result<(), Error> {
    let SiteCommand { app, link, job } = command;
    let real = job.official && link.session.is_none();
    if !real && url.is_none() {
        return Ok(());
    }
    let viewer = ViewerClient::new(app.authorities()?.as_deref(), PATIENCE);
    let place = &scene.place;
    for target in &scene.targets.found {
        if let Some(url) = handed_out(&viewer, (place, job), target, url).await {
            let statements = statements(&job.bucket, &place.store.root);
            app.printer.state_is_public(&url, &job.bucket, &statements);
        }
    }
    Ok(())
}
/// Returns what keeps out CloudFront and anonymous readers; whoever deploys is neither (IAM User Guide, "AWS global condition
/// context keys").
fn statements(bucket: &str, root: &str) -> [PolicyStatement; 2] {
    let cloudfront = PolicyStatement {
        principal: Some(Principal::Service("cloudfront.amazonaws.com")),
        effect: "Deny",
        ..PolicyStatement::new(
            "UnstaleStateNotThroughCloudFront",
            "s3:GetObject",
            format!("arn:aws:s3:::{bucket}/{root}*"),
        )
    };
    let anonymous = BTreeMap::from([("aws:PrincipalType", "Anonymous".to_owned())]);
    let anybody = PolicyStatement {
        sid: "UnstaleStateNotForAnybody",
        principal: Some(Principal::Anybody),
        condition: Some(BTreeMap::from([("StringEquals", anonymous)])),
        ..cloudfront.clone()
    };
    [cloudfront, anybody]
}
