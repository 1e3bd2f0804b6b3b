//! Whether viewers can read the state of the deploys through a distribution.

use std::time::Duration;

use crate::aws::viewer::ViewerClient;
use crate::edge::{PathKind, ShownSite, request_paths};
use crate::job::Job;
use crate::state;
use crate::survey::SiteLocation;
use crate::survey::targets::ResolvedDistribution;

/// An edge that is slower is not asked.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Asks a distribution for one object of the state, at this address or else at its own. Returns the URL where it is handed out;
/// nothing where nobody answers.
pub(crate) async fn handed_out(
    viewer: &ViewerClient,
    (place, job): (&SiteLocation, &Job),
    target: &ResolvedDistribution,
    address: Option<&str>,
) -> Option<String> {
    if place.store.bucket.name() != place.bucket.name() {
        return None;
    }
    let base = match address {
        Some(address) => address.trim_end_matches('/').to_owned(),
        None => format!("https://{}", target.domain()?),
    };
    // The state's key is whole, wherever the site begins.
    let site = ShownSite {
        prefix: String::new(),
        ..target.site(job)?
    };
    let paths = request_paths(&site, &place.store.key(state::NAME));
    let path = paths.iter().find(|path| path.kind == PathKind::Own)?;
    let url = format!("{base}{}", path.text);
    let asked = tokio::time::timeout(PATIENCE, is_handed_out(viewer, &url));
    matches!(asked.await, Ok(true)).then_some(url)
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
