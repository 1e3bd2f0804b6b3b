//! Finds what is purged by hand: by name, or by the bucket where one is known.

use super::listed::{by_alias, by_bucket, is_id};
use crate::aws::CloudFront;
use crate::aws::cloudfront::PurgeTarget;
use crate::error::Error;
use crate::job::request::DistributionChoice;

/// What tells which distributions are meant.
#[derive(Debug)]
pub(crate) struct TargetNames {
    pub tenant: Option<String>,
    pub wishes: Vec<DistributionChoice>,
    pub bucket: Option<String>,
    /// Host names, besides S3's own, by which the bucket is known as an origin.
    pub endpoints: Vec<String>,
}

/// Finds them by as little as will do: an id is asked nobody, and no configuration is read.
///
/// # Errors
/// `Exit::Usage` where nothing tells which are meant.
pub(crate) async fn find_named(
    cloudfront: &CloudFront,
    names: &TargetNames,
) -> Result<Vec<PurgeTarget>, Error> {
    if let Some(name) = &names.tenant {
        let tenant = cloudfront.tenant(name).await?;
        return Ok(vec![PurgeTarget::Tenant(tenant.id)]);
    }
    let needs_bucket = names.wishes.contains(&DistributionChoice::Auto);
    if names.wishes.is_empty() || needs_bucket && names.bucket.is_none() {
        return Err(Error::usage("no distribution is named")
            .hint("name it by id or alias, as --distribution www.example.com, or give the bucket behind it with --bucket; `distribution = \"none\"` names none"));
    }
    let is_known =
        |wish: &DistributionChoice| matches!(wish, DistributionChoice::Named(name) if is_id(name));
    let list = if names.wishes.iter().all(is_known) {
        Vec::new()
    } else {
        cloudfront.distributions().await.map_err(|error| {
            let hint = error.hint().unwrap_or_default();
            let separator = if hint.is_empty() { "" } else { "; or " };
            Error::from(error).hint(format!(
                "{hint}{separator}name the distribution by its id: that needs no list"
            ))
        })?
    };
    let mut targets = Vec::new();
    for wish in &names.wishes {
        let id = match wish {
            DistributionChoice::Named(id) if is_id(id) => id.clone(),
            DistributionChoice::Named(alias) => by_alias(&list, alias)?,
            DistributionChoice::Auto => {
                let bucket = names.bucket.as_deref().unwrap_or_default();
                by_bucket(&list, bucket, &names.endpoints)?.ok_or_else(|| {
                    let problem = format!("no distribution has the bucket {bucket} as its origin");
                    Error::usage(problem).hint("name it by id or alias with --distribution")
                })?
            }
        };
        let target = PurgeTarget::Distribution(id);
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    Ok(targets)
}
