//! `unstale distributions`: which there are, and what of one is understood.

use super::App;
use crate::aws::cloudfront::{ListedDistribution, ListedOrigin};
use crate::aws::configuration::{self, FunctionReading};
use crate::aws::{AwsError, CloudFront};
use crate::cli::{Cli, DistributionsArgs};
use crate::edge::distribution::is_bucket_domain;
use crate::edge::{Distribution, FunctionTrust, IndexLookup};
use crate::error::{Error, Exit};
use crate::survey;

/// Words of which a distribution has to meet one of each list.
struct DistributionFilter(Vec<Vec<String>>);

pub(super) async fn distributions(
    app: &App,
    cli: &Cli,
    flags: &DistributionsArgs,
) -> Result<Exit, Error> {
    let filter = DistributionFilter::new(cli, flags);
    let is_filtered = !filter.0.is_empty();
    let link = app.connect().await?;
    let cloudfront = link.aws.cloudfront();
    let mut listed = match (cloudfront.distributions().await, filter.id()) {
        (Err(error), Some(id)) if error.is_denied() => return unlisted(app, &cloudfront, id).await,
        (listed, _) => listed?,
    };
    listed.retain(|distribution| filter.takes(distribution));
    if listed.is_empty() && is_filtered {
        return Err(Error::usage("no distribution of this account is that one")
            .hint("`unstale distributions` lists them all; it takes an id, an alias, a domain, s3://BUCKET or a part of an origin's name"));
    }
    let in_full = app.settings.verbose || is_filtered && listed.len() == 1;
    for distribution in &listed {
        let details = if in_full {
            Some(details(&cloudfront, &distribution.id).await?)
        } else {
            None
        };
        app.printer.distribution(distribution, details.as_ref());
    }
    app.printer.distributions_listed(listed.len());
    Ok(Exit::Done)
}

/// Shows the distribution of this id without a list, which would have told no more of it than its status.
async fn unlisted(app: &App, cloudfront: &CloudFront, id: &str) -> Result<Exit, Error> {
    let distribution = details(cloudfront, id).await??;
    let origins = distribution.origins.iter().map(|origin| ListedOrigin {
        domain: origin.domain.clone(),
        path: origin.path.clone(),
    });
    let listed = ListedDistribution {
        id: id.to_owned(),
        status: String::new(),
        domain: distribution.domain_name.clone(),
        aliases: distribution.aliases.clone(),
        origins: origins.collect(),
        staging: false,
    };
    app.printer.distribution(&listed, Some(&Ok(distribution)));
    app.printer.distributions_listed(1);
    Ok(Exit::Done)
}

/// Reads a configuration as a deploy reads it where no setting speaks for it; within, why it may not be read.
async fn details(
    cloudfront: &CloudFront,
    id: &str,
) -> Result<Result<Distribution, AwsError>, AwsError> {
    let reading = FunctionReading {
        index: IndexLookup::Auto,
        redirects: false,
        trust: FunctionTrust::Read,
    };
    let read = match cloudfront.describe(id).await {
        Ok(described) => configuration::read(cloudfront, described, reading).await,
        Err(error) => Err(error),
    };
    match read {
        Err(error) if !error.is_denied() => Err(error),
        read => Ok(read),
    }
}

impl DistributionFilter {
    /// Takes the word and the flags of the command line. What deploy.toml says is no filter: by default all are listed.
    fn new(cli: &Cli, flags: &DistributionsArgs) -> Self {
        let named = cli.common.distribution.iter().cloned();
        let named = named.filter(|name| !matches!(name.as_str(), "auto" | "none"));
        let bucket = cli.common.bucket.iter();
        let bucket = bucket.map(|bucket| match bucket.strip_prefix("s3://") {
            Some(_) => bucket.clone(),
            None => format!("s3://{bucket}"),
        });
        let lists = [
            flags.filter.iter().cloned().collect(),
            named.collect(),
            bucket.collect::<Vec<String>>(),
        ];
        let given = lists.into_iter().filter(|words| !words.is_empty());
        Self(given.collect())
    }

    fn takes(&self, distribution: &ListedDistribution) -> bool {
        let mut lists = self.0.iter();
        lists.all(|words| words.iter().any(|word| is_meant(distribution, word)))
    }

    /// Returns the id that it names.
    fn id(&self) -> Option<&str> {
        let mut words = self.0.iter().flatten();
        words.find(|word| survey::is_id(word)).map(String::as_str)
    }
}

/// Returns whether a word names a distribution: its id, domain or alias, the bucket behind it, or a part of an origin's name.
fn is_meant(distribution: &ListedDistribution, word: &str) -> bool {
    let mut origins = distribution.origins.iter();
    if let Some(place) = word.strip_prefix("s3://") {
        let bucket = place.split('/').next().unwrap_or_default();
        return origins.any(|origin| is_bucket_domain(&origin.domain, bucket));
    }
    let word = word.to_ascii_lowercase();
    let answers = |name: &String| {
        let name = name.to_ascii_lowercase();
        let is_under = |suffix| word.ends_with(suffix);
        name == word || name.strip_prefix('*').is_some_and(is_under)
    };
    let names = [&distribution.id, &distribution.domain];
    names.into_iter().chain(&distribution.aliases).any(answers)
        || origins.any(|origin| origin.domain.to_ascii_lowercase().contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_meant_by_any_name_of_it() {
        let distribution = ListedDistribution {
            id: "E1ABC".into(),
            status: "Deployed".into(),
            domain: "d1.cloudfront.net".into(),
            aliases: vec!["www.example.com".into(), "*.example.org".into()],
            origins: vec![ListedOrigin {
                domain: "my-site.s3.eu-west-1.amazonaws.com".into(),
                path: String::new(),
            }],
            staging: false,
        };
        for (word, meant) in [
            ("E1ABC", true),
            ("e1abc", true),
            ("E1AB", false),
            ("WWW.example.com", true),
            ("example.com", false),
            ("docs.example.org", true),
            ("*.example.org", true),
            ("d1.cloudfront.net", true),
            ("s3://my-site", true),
            ("s3://my-site/docs", true),
            ("s3://my", false),
            ("my-site", true),
            ("other", false),
        ] {
            assert_eq!(is_meant(&distribution, word), meant, "{word}");
        }
    }
}
