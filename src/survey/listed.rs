//! Finds the distribution that is meant among those that ListDistributions shows: by its alias or by its origin. Pure.

use crate::aws::cloudfront::ListedDistribution;
use crate::edge::distribution::{is_access_point, is_bucket_domain};
use crate::error::Error;

/// Says that no distribution is the bucket's, and which may be by an access point.
pub(super) fn unfound(list: &[ListedDistribution], bucket: &str) -> String {
    let mut text = format!(
        "no distribution has the bucket {bucket} as its origin: nothing is purged (name one with --distribution, or say none)"
    );
    let by_point = list.iter().filter(|listed| {
        let mut origins = listed.origins.iter();
        origins.any(|origin| is_access_point(&origin.domain))
    });
    let ids: Vec<&str> = by_point.map(|listed| listed.id.as_str()).collect();
    if !ids.is_empty() {
        text.push_str(&format!(
            "; {} may reach it by an access point, which does not tell its bucket",
            ids.join(", ")
        ));
    }
    text
}

/// Returns whether a name is an id: 13 or 14 capitals and digits that begin with an E; imitations have shorter ones.
pub(crate) fn is_id(name: &str) -> bool {
    let is_capital_or_digit = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    name.bytes().all(is_capital_or_digit)
}

pub(super) fn by_alias(list: &[ListedDistribution], alias: &str) -> Result<String, Error> {
    let named = |summary: &&ListedDistribution| {
        let mut names = summary.aliases.iter().chain([&summary.domain]);
        names.any(|name| name.eq_ignore_ascii_case(alias))
    };
    let summary = list.iter().find(named).ok_or_else(|| {
        Error::usage(format!("no distribution of this account has the alias {alias}"))
            .hint("`unstale distributions` lists them; --distribution takes an id, an alias, auto or none")
    })?;
    Ok(summary.id.clone())
}

/// Returns the id of the only distribution with the bucket as an origin. `endpoints` are further host names by which it is known.
///
/// # Errors
/// `Exit::Usage`, naming them, where there are several.
pub(super) fn by_bucket(
    list: &[ListedDistribution],
    bucket: &str,
    endpoints: &[String],
) -> Result<Option<String>, Error> {
    let is_bucket =
        |domain: &String| is_bucket_domain(domain, bucket) || endpoints.contains(domain);
    let leads_here = |listed: &&ListedDistribution| {
        !listed.staging
            && listed
                .origins
                .iter()
                .any(|origin| is_bucket(&origin.domain))
    };
    let leading: Vec<_> = list.iter().filter(leads_here).collect();
    match leading.as_slice() {
        [] => Ok(None),
        [summary] => Ok(Some(summary.id.clone())),
        several => {
            let names = several
                .iter()
                .map(|summary| match summary.aliases.as_slice() {
                    [] => format!("{} ({})", summary.id, summary.domain),
                    aliases => format!("{} ({})", summary.id, aliases.join(", ")),
                });
            let mut error = Error::usage(format!(
                "{} distributions have the bucket {} as their origin",
                several.len(),
                bucket
            ))
            .hint("name those to purge with --distribution, once for each");
            error.causes = names.collect();
            Err(error)
        }
    }
}
