//! The CloudFront Function that answers redirects before an origin that does not: what it has to be, and where it is to run.
//! Only with `redirect-function`; never over code that somebody else wrote, never in the place of another function.

use std::collections::BTreeMap;

use super::search;
use super::targets::{ResolvedDistribution, ResolvedTargets, SiteFunction};
use crate::aws::cloudfront::PurgeTarget;
use crate::aws::{AwsClients, AwsError, CloudFront};
use crate::edge::{Behavior, IndexLookup, UnreadFunction, UriRewrite, path, rewrite_of};
use crate::error::Error;
use crate::job::request::Job;
use crate::plan::FunctionChange;
use crate::rules::function;
use crate::rules::function::PathRewrite;
use crate::rules::redirect::Redirect;

/// The document that stands for a folder.
const INDEX: &str = "index.html";

/// Finds the distributions that the settings ask for, as they will be once the function that the settings ask for is live.
pub(crate) async fn find_targets(aws: &AwsClients, job: &Job) -> Result<ResolvedTargets, Error> {
    let mut targets = search::find_targets(aws, job).await?;
    if let Some(name) = &job.redirect_function
        && job.rollback.is_none()
    {
        match prepare(&aws.cloudfront(), name, job, &mut targets).await {
            Ok(function) => targets.function = function,
            Err(why) => targets.warnings.push(why),
        }
    }
    Ok(targets)
}

/// Returns what the function is to do besides redirects. `kept` are request paths that keep their endings.
pub(crate) fn rewrite(index: IndexLookup, endings: &[String], kept: Vec<String>) -> PathRewrite {
    let folders = index != IndexLookup::None;
    PathRewrite {
        index: folders.then(|| INDEX.to_owned()),
        // Where keys lost their endings, a name without a dot is a page.
        bare_folders: folders && endings.is_empty(),
        kept,
        endings: endings.to_vec(),
    }
}

/// Finds out what there is to do, and changes the model of the distributions as if it were done. `Err`: why nothing is done,
/// and what to do about it.
async fn prepare(
    cloudfront: &CloudFront,
    name: &str,
    job: &Job,
    targets: &mut ResolvedTargets,
) -> Result<Option<SiteFunction>, String> {
    let resource = format!("function/{name}");
    let wanted = !job.redirects.is_empty() || !job.strip_extension.is_empty();
    let (mut running, mut bare) = (Vec::new(), Vec::new());
    for target in &targets.found {
        match fit(target, &resource) {
            FunctionFit::Runs => running.push(target.id().to_owned()),
            FunctionFit::Free if wanted => bare.push(target.id().to_owned()),
            FunctionFit::Taken(why) if wanted => targets.warnings.push(format!(
                "{}: the function {name} is not associated, since {why}",
                target.id()
            )),
            FunctionFit::Free | FunctionFit::Taken(_) | FunctionFit::NotNeeded => {}
        }
    }
    if running.is_empty() && bare.is_empty() {
        return Ok(None);
    }
    let redirects = job.redirects.iter().map(|placed| placed.redirect.clone());
    let redirects: Vec<Redirect> = redirects.collect();
    let site = format!("s3://{}/{}", job.bucket, job.settings.prefix.0);
    let rewrite = rewrite(job.settings.index, &job.strip_extension, kept(job, targets));
    let code = function::generate(&redirects, &rewrite, &site).map_err(|why| why.to_string())?;
    let live = live(cloudfront, name, &site).await?;
    let change = FunctionChange {
        name: name.to_owned(),
        redirects: redirects.len(),
        new: live.is_none(),
        publish: live.as_deref() != Some(&code),
        associate: bare,
        code: code.into(),
    };
    if !change.publish && change.associate.is_empty() {
        return Ok(None);
    }
    let (mut before, mut owed) = (BTreeMap::new(), BTreeMap::new());
    let live = live.as_deref().and_then(function::read);
    let live_redirects = live.map_or_else(Vec::new, |(redirects, _)| redirects);
    for target in &mut targets.found {
        let id = target.id().to_owned();
        let runs = running.contains(&id);
        let runs_then = runs || change.associate.contains(&id);
        let Some(default) = target.default_behavior_mut().filter(|_| runs_then) else {
            continue;
        };
        before.insert(id.clone(), default.clone());
        if runs {
            owed.insert(id, owed_paths(&live_redirects, &redirects, default));
        }
        if job.settings.index == IndexLookup::Auto {
            let read = rewrite_of(&change.code);
            default.unread = read.clone().err().map(UnreadFunction::Piece);
            default.rewrite = read.unwrap_or(UriRewrite::Unknown);
        }
        default.associated = Some(resource.clone());
        default.function = Some(change.code.to_string());
    }
    Ok(Some(SiteFunction {
        change,
        site,
        before,
        owed,
        done: false,
    }))
}

/// Whether a distribution needs the function, and can have it.
enum FunctionFit {
    NotNeeded,
    Runs,
    Free,
    /// Why it cannot.
    Taken(String),
}

fn fit(target: &ResolvedDistribution, resource: &str) -> FunctionFit {
    use FunctionFit::{Free, NotNeeded, Runs, Taken};
    if target.readable().is_none() {
        return Taken("its configuration cannot be read".into());
    }
    let Some(default) = target.behaviors().last() else {
        return NotNeeded;
    };
    let mut origins = target.origins();
    if origins.any(|origin| origin.website && default.leads_to(&origin.id)) {
        return NotNeeded;
    }
    match &default.associated {
        Some(other) if other == resource => Runs,
        Some(other) => Taken(format!(
            "{other} sees its requests already: add to that one what `unstale redirects --function` prints, or take it off"
        )),
        None if matches!(target.target, PurgeTarget::Tenant(_)) => Taken(
            "a tenant has no functions of its own: associate it with the distribution of all tenants by hand".into(),
        ),
        None if !target.leads_here(default) => Taken(
            "its default behavior leads to another origin: associate it with the site's behaviors by hand".into(),
        ),
        None => Free,
    }
}

/// Returns the request paths of what keeps its ending: the root document and error pages.
fn kept(job: &Job, targets: &ResolvedTargets) -> Vec<String> {
    let mut kept = Vec::new();
    for site in targets.found.iter().filter_map(|target| target.site(job)) {
        let mut keys = site.error_page_keys();
        keys.extend(job.error_documents.iter().cloned());
        keys.extend(site.distribution.default_root_object.clone());
        keys.retain(|key| job.strip_extension.iter().any(|end| key.ends_with(end)));
        kept.extend(keys.iter().flat_map(|key| site.own_path(key)));
    }
    kept.sort();
    kept.dedup();
    kept
}

/// Reads the code that viewers meet, where there is any. `Err`: somebody else wrote it, or what was last written under the name.
async fn live(cloudfront: &CloudFront, name: &str, site: &str) -> Result<Option<String>, String> {
    for live in [true, false] {
        let code = cloudfront.function(name, live).await;
        if let Some(code) = code.map_err(|error| denied(name, &error))? {
            if !function::is_ours(&code.text, site) {
                return Err(not_ours(name, site));
            }
            return Ok(live.then_some(code.text));
        }
    }
    Ok(None)
}

pub(crate) fn not_ours(name: &str, site: &str) -> String {
    format!(
        "the function {name} was not written for {site} by unstale, so that it stays as it is: name another in \
         `redirect-function`, or add to it what `unstale redirects --function` prints"
    )
}

pub(crate) fn denied(name: &str, error: &AwsError) -> String {
    let hint = error.hint().map(|hint| format!("; {hint}"));
    let hint = hint.unwrap_or_default();
    format!(
        "redirects wait for the function {name}: {error}{hint}. By hand: make it of what `unstale redirects --function` prints, \
         publish it, and associate it with the viewer requests of the default behavior"
    )
}

/// Returns the paths and patterns of redirects that are in one list alone, or lead elsewhere in the other. Edges ask the
/// function each time, so that this is for copies from before that nobody vouches for.
fn owed_paths(before: &[Redirect], after: &[Redirect], behavior: &Behavior) -> Vec<String> {
    let same = |redirect: &Redirect, listed: &Redirect| {
        (&redirect.from, &redirect.to, redirect.status) == (&listed.from, &listed.to, listed.status)
    };
    let absent =
        |redirect: &Redirect, list: &[Redirect]| !list.iter().any(|listed| same(redirect, listed));
    let gone = before.iter().filter(|redirect| absent(redirect, after));
    let new = after.iter().filter(|redirect| absent(redirect, before));
    let mut owed = Vec::new();
    for redirect in gone.chain(new) {
        let mut path = String::new();
        path::encode(&redirect.literal_prefix(), &mut path);
        if !redirect.is_exact() {
            owed.push(format!("{path}*"));
            // "/docs/*" is for "/docs" too.
            path.truncate(path.trim_end_matches('/').len());
        }
        if path.is_empty() {
            continue;
        }
        if behavior.keys_on_query() {
            owed.push(format!("{path}?*"));
        }
        owed.push(path);
    }
    owed.sort();
    owed.dedup();
    owed
}
