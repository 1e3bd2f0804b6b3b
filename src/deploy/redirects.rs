//! Which redirects become objects that a website endpoint answers with, and what to say of the others. Pure.

use super::targets::Targets;
use crate::domain::function;
use crate::domain::redirects::Redirect;
use crate::edge::Behavior;

/// The index document of website endpoints.
const INDEX: &str = "index.html";

/// A redirect and where it stands: `deploy.toml:12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub redirect: Redirect,
    pub place: String,
}

/// What comes of all of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Keys and where each leads, sorted by key.
    pub objects: Vec<(String, String)>,
    pub warnings: Vec<String>,
}

/// Sorts out the redirects. `is_file` says whether the build has a file under a key; `deploys` that the function for default
/// behaviors is the deploy's own business.
pub fn outcome(
    all: &[Placed],
    targets: &Targets,
    deploys: bool,
    is_file: impl Fn(&str) -> bool,
) -> Outcome {
    let mut outcome = Outcome::default();
    if all.is_empty() {
        return outcome;
    }
    if has_website(targets) {
        for one in all {
            match object(one, &is_file) {
                Ok(object) => outcome.objects.push(object),
                Err(why) => outcome.warnings.push(why),
            }
        }
        outcome.objects.sort();
        // The first of several that come to the same key answers.
        outcome.objects.dedup_by(|later, first| later.0 == first.0);
    }
    outcome.warnings.extend(unanswered(all, targets, deploys));
    outcome
}

/// Whether redirect objects are heeded: at a website endpoint, or where nothing is known and the bucket may be one. Elsewhere
/// S3 answers them with their empty body.
pub fn has_website(targets: &Targets) -> bool {
    let mut origins = targets.found.iter().flat_map(|found| {
        let distribution = found.distribution.as_ref().ok();
        let origins = distribution.map(|one| one.origins.as_slice());
        let ours = |id: &str| found.ours.iter().any(|one| one == id);
        origins
            .unwrap_or_default()
            .iter()
            .filter(move |origin| ours(&origin.id))
    });
    targets.found.is_empty() || origins.any(|origin| origin.website)
}

fn object(one: &Placed, is_file: impl Fn(&str) -> bool) -> Result<(String, String), String> {
    let Placed { redirect, place } = one;
    let (key, to) = redirect.as_object(INDEX).map_err(|why| {
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

/// A word for each distribution before a REST endpoint where no function answers all of them.
fn unanswered(all: &[Placed], targets: &Targets, deploys: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    for found in &targets.found {
        let Ok(distribution) = &found.distribution else {
            continue;
        };
        let origins = distribution.origins.iter();
        let mut ours = origins.filter(|origin| found.ours.contains(&origin.id));
        if ours.any(|origin| origin.website) {
            continue;
        }
        let behaviors = distribution.behaviors.iter();
        let leading = behaviors.filter(|one| found.ours.iter().any(|id| one.leads_to(id)));
        let leading = leading.filter(|one| !deploys || one.pattern != "*");
        let lacks = |behavior: &Behavior| {
            let all = all.iter().map(|one| &one.redirect);
            let mut meant = all.filter(|one| may_see(behavior, one));
            match &behavior.function {
                Some(code) => function::missing(code, meant),
                None => meant.next(),
            }
            .map(|one| &one.from)
        };
        if let Some(from) = leading.filter_map(lacks).next() {
            warnings.push(format!(
                "{}: nobody answers the redirect of {from}: its origin is S3's REST endpoint, which does not redirect, and no \
                 function that was read does; `redirect-function` in deploy.toml has deploys write one for the default behavior, \
                 and `unstale redirects --function` prints it, to be associated with viewer requests",
                found.id()
            ));
        }
    }
    warnings
}

/// Whether a path that is redirected may fall to a behavior.
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
    use super::super::targets::Found;
    use super::*;
    use crate::aws::cloudfront::PurgeTarget;
    use crate::domain::function::{Rewrite, generate};
    use crate::edge::{Distribution, Origin};

    fn placed(from: &str, to: &str, force: bool) -> Placed {
        let redirect = Redirect {
            from: from.into(),
            to: to.into(),
            status: 301,
            force,
        };
        Placed {
            redirect,
            place: "f:1".into(),
        }
    }

    fn targets(website: bool, function: Option<String>) -> Targets {
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
        let found = Found {
            target: PurgeTarget::Distribution("E1".into()),
            distribution: Ok(distribution),
            ours: vec!["o".into()],
        };
        Targets {
            found: vec![found],
            ..Targets::default()
        }
    }

    #[test]
    fn a_website_endpoint_answers_exact_ones_by_objects() {
        let all = [
            placed("/old/", "/new", false),
            placed("/a/*", "/b", false),
            placed("/file", "/x", false),
            placed("/forced", "/x", true),
        ];
        let is_file = |key: &str| key == "file" || key == "forced";
        for targets in [targets(true, None), Targets::default()] {
            let outcome = outcome(&all, &targets, false, is_file);
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
        let all = [placed("/old", "/new", false), placed("/é", "/x", false)];
        let told = |function| {
            let outcome = outcome(&all, &targets(false, function), false, |_| false);
            assert!(outcome.objects.is_empty());
            outcome.warnings
        };
        let code = |all: &[Placed]| {
            let all: Vec<Redirect> = all.iter().map(|one| one.redirect.clone()).collect();
            generate(&all, &Rewrite::default(), "").unwrap()
        };
        assert!(told(None)[0].contains("/old"));
        assert!(told(Some("other".into()))[0].contains("/old"));
        assert!(told(Some(code(&all[..1])))[0].contains("/é"));
        assert_eq!(told(Some(code(&all))), [""; 0]);
    }
}
