//! Which redirects become objects that a website endpoint answers with, and what to say of the others. Pure.

use crate::edge::{Behavior, path};
use crate::job::request::{Job, PlacedRedirect};
use crate::rules::edge_function::EdgeFunction;
use crate::rules::redirect::Redirect;
use crate::rules::unserved::{UnservedReason, UnservedRedirect};
use crate::scan::LocalFile;
use crate::settings::UnservedLine;
use crate::survey::targets::{ResolvedDistribution, ResolvedTargets};

/// The redirects that are objects, and what is wrong with the others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RedirectObjects {
    /// Keys and where each leads, sorted by key.
    pub objects: Vec<(String, String)>,
    pub warnings: Vec<String>,
}

/// Returns the objects that a website endpoint answers with. `is_file` says whether the build has a file under a key; `folder` is
/// where in URLs the build begins: empty or `docs/`.
pub(crate) fn objects(
    redirects: &[PlacedRedirect],
    targets: &ResolvedTargets,
    folder: &str,
    is_file: impl Fn(&str) -> bool,
) -> RedirectObjects {
    let mut outcome = RedirectObjects::default();
    if !has_website(targets) {
        return outcome;
    }
    let by_path =
        |placed: &&PlacedRedirect| UnservedReason::without_function(&placed.redirect).is_none();
    for placed in redirects.iter().filter(by_path) {
        let own = |key: &str| key.strip_prefix(folder).unwrap_or(key).to_owned();
        let is_own = |key: &str| is_file(&own(key));
        match object(placed, targets.index_document(), is_own) {
            Ok((key, to)) => outcome.objects.push((own(&key), to)),
            Err(why) => outcome.warnings.push(why),
        }
    }
    outcome.objects.sort();
    // The first of several that come to the same key answers.
    outcome.objects.dedup_by(|later, first| later.0 == first.0);
    outcome
}

/// Returns where in a website endpoint's URLs the build begins: its prefix, but for what the origin adds to paths.
pub(crate) fn website_folder<'j>(job: &'j Job, targets: &ResolvedTargets) -> &'j str {
    let prefix = &job.settings.prefix.0;
    let origins = targets.found.iter().flat_map(ResolvedDistribution::origins);
    let mut websites = origins.filter(|origin| origin.website);
    let added = websites
        .next()
        .map_or("", |origin| origin.path.trim_matches('/'));
    let shown = prefix.strip_prefix(added).unwrap_or(prefix);
    shown.trim_start_matches('/')
}

/// Returns whether redirect objects are heeded: at a website endpoint, or where nothing is known and the bucket may be one.
/// Elsewhere S3 answers them with their empty body.
pub(crate) fn has_website(targets: &ResolvedTargets) -> bool {
    targets.found.is_empty() || targets.found.iter().any(ResolvedDistribution::has_website)
}

fn object(
    placed: &PlacedRedirect,
    index: &str,
    is_file: impl Fn(&str) -> bool,
) -> Result<(String, String), String> {
    let PlacedRedirect { redirect, place } = placed;
    let (key, to) = redirect.as_object(index).map_err(|why| {
        format!(
            "{place}: the redirect of {} does nothing at a website endpoint: {why}",
            redirect.from
        )
    })?;
    if is_file(&key) && !redirect.force {
        return Err(format!(
            "{place}: the redirect of {} does nothing, since the build has the file {key}; `force` lets it go before the file",
            redirect.from
        ));
    }
    Ok((key, to))
}

/// Returns the objects that lead from the names that files had to the keys that they are stored under, where a website
/// endpoint heeds them.
pub(crate) fn of_stripped_names(
    files: &[LocalFile],
    job: &Job,
    targets: &ResolvedTargets,
) -> Vec<(String, String)> {
    if job.strip_extension.is_empty() || !has_website(targets) {
        return Vec::new();
    }
    let mut websites = targets.found.iter().filter(|target| target.has_website());
    let site = websites.next().and_then(|target| target.site(job));
    let leading = |file: &LocalFile| {
        let key = file.key.as_str();
        let path = match &site {
            Some(site) => site.own_path(key)?,
            None => format!(
                "/{}",
                path::encode(&format!("{}{key}", job.settings.prefix.0))
            ),
        };
        Some((file.name().as_str().to_owned(), path))
    };
    let stripped = files.iter().filter(|file| is_stripped(file));
    stripped.filter_map(leading).collect()
}

/// Returns whether a file is stored without its ending.
pub(crate) fn is_stripped(file: &LocalFile) -> bool {
    let (name, key) = (file.name().as_str(), file.key.as_str());
    name.len() > key.len() && name.starts_with(key) && !key.ends_with('/')
}

/// Warns of each distribution before a REST endpoint where no function answers all redirects. `writes`: deploys write the default
/// behavior's function themselves.
pub(crate) fn unanswered(
    redirects: &[&Redirect],
    targets: &ResolvedTargets,
    writes: bool,
) -> Vec<String> {
    let written = |behavior: &Behavior| writes && behavior.pattern == "*";
    let lacks = |behavior: &Behavior| {
        let redirects = redirects.iter().copied();
        let redirects =
            redirects.filter(|redirect| UnservedReason::without_function(redirect).is_none());
        let mut meant = redirects.filter(|redirect| may_see(behavior, redirect));
        match &behavior.function {
            Some(code) => missing(code, meant),
            None => meant.next(),
        }
    };
    let mut warnings = Vec::new();
    for target in targets.found.iter().filter(|target| !target.has_website()) {
        let mut leading = target
            .site_behaviors()
            .filter(|behavior| !written(behavior));
        if let Some(redirect) = leading.find_map(lacks) {
            warnings.push(format!(
                "{}: nobody answers the redirect of {}: its origin is S3's REST endpoint, which does not redirect, and no \
                 function that was read does; `redirect-function` in deploy.toml has deploys write one for the default behavior, \
                 and `unstale redirects --function` prints it, to be associated with viewer requests",
                target.id(),
                redirect.from
            ));
        }
    }
    warnings
}

/// Returns the redirects that ask for more than a path, where some distribution has no function that does it.
pub(crate) fn without_function(
    redirects: &[PlacedRedirect],
    targets: &ResolvedTargets,
) -> Vec<UnservedLine<UnservedRedirect>> {
    let answers = |target: &ResolvedDistribution, redirect: &Redirect| {
        let code = target
            .behaviors()
            .last()
            .and_then(|default| default.function.as_deref());
        let function = code.and_then(EdgeFunction::read);
        function.is_some_and(|function| function.holds(redirect))
    };
    let unserved = redirects
        .iter()
        .filter_map(|PlacedRedirect { redirect, place }| {
            let reason = UnservedReason::without_function(redirect)?;
            let mut found = targets.found.iter();
            let is_served =
                !targets.found.is_empty() && found.all(|target| answers(target, redirect));
            let (file, line) = place.rsplit_once(':')?;
            (!is_served).then(|| UnservedLine {
                file: file.to_owned(),
                line: line.parse().unwrap_or_default(),
                asked: UnservedRedirect {
                    redirect: redirect.clone(),
                    reason,
                },
            })
        });
    unserved.collect()
}

/// Returns the first of these redirects that a function does not answer, if it is one that this tool wrote.
fn missing<'a>(
    code: &str,
    mut redirects: impl Iterator<Item = &'a Redirect>,
) -> Option<&'a Redirect> {
    let function = EdgeFunction::read(code).unwrap_or_default();
    redirects.find(|redirect| !function.holds(redirect))
}

/// Returns whether a path that is redirected may fall to a behavior.
fn may_see(behavior: &Behavior, redirect: &Redirect) -> bool {
    let prefix = redirect.literal_prefix();
    if redirect.is_exact() {
        return behavior.matches(&prefix);
    }
    let own = behavior.literal_prefix();
    own.starts_with(&prefix) || prefix.starts_with(&own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::cloudfront::PurgeTarget;
    use crate::edge::{Distribution, Origin};

    fn placed(from: &str, to: &str, force: bool) -> PlacedRedirect {
        let redirect = Redirect {
            force,
            ..Redirect::new(from, to)
        };
        PlacedRedirect {
            redirect,
            place: "f:1".into(),
        }
    }

    fn targets(website: bool, function: Option<String>) -> ResolvedTargets {
        let distribution = Distribution {
            origins: vec![Origin {
                id: "o".into(),
                website,
                ..Origin::default()
            }],
            behaviors: vec![Behavior {
                origins: vec!["o".into()],
                function,
                ..Behavior::default()
            }],
            ..Distribution::default()
        };
        let target = ResolvedDistribution {
            target: PurgeTarget::Distribution("E1".into()),
            distribution: Ok(distribution),
            ours: vec!["o".into()],
            in_progress: false,
            staging: false,
        };
        ResolvedTargets {
            found: vec![target],
            ..ResolvedTargets::default()
        }
    }

    #[test]
    fn a_website_endpoint_answers_exact_ones_by_objects() {
        let redirects = [
            placed("/old/", "/new", false),
            placed("/a/*", "/b", false),
            placed("/file", "/x", false),
            placed("/forced", "/x", true),
        ];
        let is_file = |key: &str| key == "file" || key == "forced";
        for targets in [targets(true, None), ResolvedTargets::default()] {
            let outcome = objects(&redirects, &targets, "", is_file);
            let keys: Vec<_> = outcome
                .objects
                .iter()
                .map(|(key, _)| key.as_str())
                .collect();
            assert_eq!(keys, ["forced", "old/index.html"]);
            assert_eq!(outcome.warnings.len(), 2, "{:?}", outcome.warnings);
            assert!(outcome.warnings[1].contains("`force`"));
        }
    }

    #[test]
    fn a_rest_endpoint_needs_a_function_that_knows_them() {
        let redirects = [placed("/old", "/new", false), placed("/é", "/x", false)];
        let told = |function| {
            let targets = targets(false, function);
            let outcome = objects(&redirects, &targets, "", |_| false);
            assert_eq!(outcome, RedirectObjects::default());
            unanswered(
                &redirects.each_ref().map(|it| &it.redirect),
                &targets,
                false,
            )
        };
        let code = |redirects: &[PlacedRedirect]| {
            let plain = redirects.iter().map(|placed| placed.redirect.clone());
            let function = EdgeFunction {
                redirects: plain.collect(),
                ..EdgeFunction::default()
            };
            function.code().unwrap()
        };
        assert!(told(None)[0].contains("/old"));
        assert!(told(Some("other".into()))[0].contains("/old"));
        assert!(told(Some(code(&redirects[..1])))[0].contains("/é"));
        assert_eq!(told(Some(code(&redirects))), [""; 0]);
    }
}
