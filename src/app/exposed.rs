//! Whether viewers can read the state of the deploys through a distribution, and what ends that.

use std::time::Duration;

use serde_json::{Value, json};

use super::App;
use super::connect::Link;
use crate::aws::viewer::Viewer;
use crate::deploy::{Job, Scene};
use crate::edge::{Kind, Site, request_paths};
use crate::error::Error;

/// An edge that is slower is not asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks each distribution for one object of the state, and warns where it is handed out. Says nothing where nobody answers,
/// and asks nobody where the endpoint is not AWS's, unless it is told whom.
pub(super) async fn warn(
    app: &App,
    link: &Link,
    job: &Job,
    scene: &Scene,
    url: Option<&str>,
) -> Result<(), Error> {
    let real = job.official && link.session.is_none();
    let place = &scene.place;
    if (!real && url.is_none()) || place.store.bucket.name() != place.bucket.name() {
        return Ok(());
    }
    let viewer = Viewer::new(app.authorities()?.as_deref(), PATIENCE);
    let state = place.store.key(crate::state::NAME);
    for found in &scene.targets.found {
        let Some(site) = found.site(job) else {
            continue;
        };
        // The state's key is whole, wherever the site begins.
        let site = Site {
            prefix: String::new(),
            ..site
        };
        let base = match (url, found.domain()) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(domain)) => format!("https://{domain}"),
            (None, None) => continue,
        };
        let paths = request_paths(&site, &state);
        let Some(path) = paths.iter().find(|path| path.kind == Kind::Own) else {
            continue;
        };
        let asked = tokio::time::timeout(PATIENCE, is_handed_out(&viewer, &base, &path.text));
        if let Ok(true) = asked.await {
            let policy = statements(&job.bucket, &place.store.root);
            app.printer.warn(&format!(
                "anybody can read the state of these deploys at {base}{}: add these statements to the policy of the bucket {}\n{}",
                path.text,
                job.bucket,
                serde_json::to_string_pretty(&policy).unwrap_or_default()
            ));
        }
    }
    Ok(())
}

/// An app's page may be answered for whatever is missing: then a name that nobody has is answered alike.
async fn is_handed_out(viewer: &Viewer, base: &str, path: &str) -> bool {
    let Ok(seen) = viewer.get(&format!("{base}{path}")).await else {
        return false;
    };
    if seen.status != 200 {
        return false;
    }
    let other = viewer.get(&format!("{base}{path}-is-missing")).await;
    other.is_ok_and(|other| (other.status, other.md5) != (200, seen.md5))
}

/// Against CloudFront and anonymous readers; whoever deploys is neither (IAM User Guide, "AWS global condition context keys").
fn statements(bucket: &str, root: &str) -> Value {
    let resource = format!("arn:aws:s3:::{bucket}/{root}*");
    json!([
        {
            "Sid": "UnstaleStateNotThroughCloudFront", "Effect": "Deny",
            "Principal": { "Service": "cloudfront.amazonaws.com" },
            "Action": "s3:GetObject", "Resource": resource,
        },
        {
            "Sid": "UnstaleStateNotForAnybody", "Effect": "Deny", "Principal": "*",
            "Action": "s3:GetObject", "Resource": resource,
            "Condition": { "StringEquals": { "aws:PrincipalType": "Anonymous" } },
        },
    ])
}
