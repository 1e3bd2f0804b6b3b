//! Whether a distribution can run the site's function, and what people should know of the one that it runs.

use super::site_function;
use super::targets::{ResolvedDistribution, ResolvedTargets};
use crate::aws::cloudfront::PurgeTarget;
use crate::edge::{Behavior, Distribution};
use crate::job::request::Job;
use crate::rules::edge_function::EdgeFunction;

/// Whether a distribution needs the function, and can have it.
pub(super) enum FunctionFit {
    NotNeeded,
    Runs,
    Free,
    /// Why it cannot.
    Taken(String),
}

/// Tells whether a distribution needs a function that is `resource`, and can have it.
pub(super) fn fit(
    target: &ResolvedDistribution,
    resource: &str,
    wanted: &EdgeFunction,
) -> FunctionFit {
    use FunctionFit::{Free, NotNeeded, Runs, Taken};
    if target.readable().is_none() {
        return Taken("its configuration cannot be read".into());
    }
    let Some(default) = target.behaviors().last() else {
        return NotNeeded;
    };
    let mut origins = target.origins();
    let is_website = origins.any(|origin| origin.website && default.leads_to(&origin.id));
    if is_website && site_function::is_for_objects(wanted) {
        return NotNeeded;
    }
    let former = former_function(default, &wanted.site);
    let former = former.map(|name| format!("function/{name}"));
    let is_anothers = |other: &String| other != resource && former.as_ref() != Some(other);
    if wanted.sees_answers() && default.answered_by.as_ref().is_some_and(is_anothers) {
        return Taken("another one sees its answers already".into());
    }
    if wanted.password.is_some()
        && let Some(open) = target.other_behaviors().next()
    {
        return Taken(format!(
            "its behavior {open} leads to the site too, and the function would not ask there: take that behavior off"
        ));
    }
    match &default.associated {
        Some(other) if other == resource => Runs,
        Some(_) if former.is_some() => Free,
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

/// Warns of a function of this site that no settings ask for any more: it goes on with what it does.
pub(super) fn left_function(job: &Job, target: &ResolvedDistribution) -> Option<String> {
    let default = target.behaviors().last()?;
    let name = former_function(default, &job.site_name())?;
    Some(format!(
        "{}: the function {name}, which deploys of this site wrote, goes on as it is, since no settings ask for one; a password that it asks for, too: \
             `redirect-function = \"{name}\"` keeps it up to date, or takes it off where nothing is left to do",
        target.id()
    ))
}

/// Warns where viewers would be sent to a host that a distribution does not answer for.
pub(super) fn unanswered_host(job: &Job, targets: &ResolvedTargets) -> Option<String> {
    let host = job.canonical_host.as_deref()?;
    let answers = |distribution: &Distribution| {
        let mut aliases = distribution.aliases.iter();
        let is_alias = |alias: &String| {
            let alias = alias.to_ascii_lowercase();
            let wild = alias.strip_prefix('*');
            alias == host || wild.is_some_and(|end| host.ends_with(end))
        };
        distribution.domain_name.eq_ignore_ascii_case(host) || aliases.any(is_alias)
    };
    let mut known = targets
        .found
        .iter()
        .filter_map(|target| Some((target, target.readable()?)));
    let (target, _) = known
        .find(|(_, distribution)| !distribution.aliases.is_empty() && !answers(distribution))?;
    Some(format!(
        "{}: `canonical-host` sends viewers to {host}, which is none of its alternate domain names",
        target.id()
    ))
}

/// Returns the name of the function of this site that sees a behavior's requests.
pub(super) fn former_function(behavior: &Behavior, site: &str) -> Option<String> {
    let function = EdgeFunction::read(behavior.function.as_deref()?)?;
    let name = behavior.associated.as_deref()?.strip_prefix("function/")?;
    (function.site == site).then(|| name.to_owned())
}
