//! What keeps a deploy from working, or viewers from what was deployed: looked at in the order in which things break. Changes nothing.

mod access;
mod account;
mod bucket;
mod distribution;
pub(crate) mod exposed;
mod finding;
mod lifecycle;
mod rights;
mod state;
#[cfg(test)]
mod tests;
mod viewers;

use std::fs;
use std::path::Path;

use crate::aws::viewer::ViewerClient;
use crate::aws::{AwsClients, CallerIdentity};
use crate::error::Error;
use crate::job::Job;
use crate::settings::{self, Settings};
pub(crate) use account::unconnected;
pub(crate) use finding::{CheckOutcome, CheckUp, Finding};

/// What is to be looked at.
pub(crate) struct ExaminedSite<'a> {
    pub aws: &'a AwsClients,
    /// `Err`: the settings name no bucket, or are wrong otherwise.
    pub job: Result<Job, Error>,
    /// Asks as viewers do; `None` where no viewer could meet the site.
    pub viewer: Option<ViewerClient>,
    /// The endpoint is AWS's own.
    pub official: bool,
}

/// Looks at everything that can be reached. Returns whether AWS answers at all.
pub(crate) async fn examine(check: &mut CheckUp, site: &ExaminedSite<'_>) -> bool {
    let Ok(identity) = account::examine(check, site.aws, site.official).await else {
        account::end_here(check);
        return false;
    };
    examine_site(check, site, identity.as_ref()).await;
    true
}

async fn examine_site(
    check: &mut CheckUp,
    site: &ExaminedSite<'_>,
    identity: Option<&CallerIdentity>,
) {
    let job = match &site.job {
        Ok(job) => job,
        Err(error) => {
            check.problem("settings", error.clone());
            return check.unchecked(
                "the rest",
                "state, distributions and rights: once that is right",
            );
        }
    };
    let bucket = bucket::examine(check, site.aws, job, identity).await;
    let Some(bucket) = bucket else {
        return check.unchecked(
            "the rest",
            "state, distributions and rights can be looked at once the bucket can be listed",
        );
    };
    let state = state::examine(check, &bucket.place).await;
    let targets = distribution::examine(check, site.aws, (job, &bucket), state.as_ref()).await;
    for target in &targets {
        let reach = (site.aws, site.viewer.as_ref());
        viewers::examine(check, reach, (job, &bucket), target).await;
    }
    rights::examine(check, site.aws, (job, &bucket), &targets).await;
}

/// Looks at the folder that would be deployed.
pub(crate) fn examine_build(check: &mut CheckUp, settings: &Settings) {
    const BUILD: &str = "build";
    match settings::build_dir(settings, Path::new("")) {
        // Deploys may be told it each time.
        Err(_) if settings.dir.is_none() => check.warn(
            BUILD,
            "deploy.toml does not say which folder it is",
            "a line `dir = \"public\"`; or name it at each deploy: `unstale deploy public`",
        ),
        Err(error) => check.problem(BUILD, error),
        Ok(dir) if is_empty(&dir) => check.problem(
            BUILD,
            Error::failed(format!("the folder {} is empty", dir.display()))
                .hint("build the site first, or name the folder that the build writes to"),
        ),
        Ok(dir) if !dir.join("index.html").is_file() => check.warn(
            BUILD,
            format!("{} has no index.html", dir.display()),
            "build the site first, or name the folder that the build writes to",
        ),
        Ok(dir) => check.fine(BUILD, format!("{} has an index.html", dir.display())),
    }
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}
