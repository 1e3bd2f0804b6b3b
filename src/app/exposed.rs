//! Finds out whether viewers can read the state of the deploys through a distribution, and says what ends that.

use std::collections::BTreeMap;
use std::time::Duration;

use super::SiteCommand;
use crate::aws::viewer::ViewerClient;
use crate::deploy::PlanInputs;
use crate::edge::{PathKind, ShownSite, request_paths};
use crate::error::Error;
use crate::setup::policy::{PolicyStatement, Principal};

/// An edge that is slower is not asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks each distribution for one object of the state, and warns where it is handed out. Says nothing where nobody answers,
/// and asks nobody where the endpoint is not AWS's, unless it is told whom.
pub(super) async fn warn(
    command: SiteCommand<'_>,
    scene: &PlanInputs,
    url: Option<&str>,
) -> Result<(), Error> {
    let SiteCommand { app, link, job } = command;
    let real = job.official && link.session.is_none();
    let place = &scene.place;
    if (!real && url.is_none()) || place.store.bucket.name() != place.bucket.name() {
        return Ok(());
    }
    let viewer = ViewerClient::new(app.authorities()?.as_deref(), PATIENCE);
    let state = place.store.key(crate::state::NAME);
    for target in &scene.targets.found {
        let own = url.map(|url| url.trim_end_matches('/').to_owned());
        let base = own.or_else(|| Some(format!("https://{}", target.domain()?)));
        let (Some(site), Some(base)) = (target.site(job), base) else {
            continue;
        };
        // The state's key is whole, wherever the site begins.
        let site = ShownSite {
            prefix: String::new(),
            ..site
        };
        let paths = request_paths(&site, &state);
        let Some(path) = paths.iter().find(|path| path.kind == PathKind::Own) else {
            continue;
        };
        let url = format!("{base}{}", path.text);
        let asked = tokio::time::timeout(PATIENCE, is_handed_out(&viewer, &url));
        if let Ok(true) = asked.await {
            let statements = statements(&job.bucket, &place.store.root);
            app.printer.state_is_public(&url, &job.bucket, &statements);
        }
    }
    Ok(())
}

/// Tells whether there is such an object. An app's page may be answered for whatever is missing: then a name that nobody has is
/// answered alike.
async fn is_handed_out(viewer: &ViewerClient, url: &str) -> bool {
    let Ok(seen) = viewer.get(url).await else {
        return false;
    };
    if seen.status != 200 {
        return false;
    }
    let other = viewer.get(&format!("{url}-is-missing")).await;
    other.is_ok_and(|other| (other.status, other.md5) != (200, seen.md5))
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
