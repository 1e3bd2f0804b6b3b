//! Asks at a terminal which bucket and which distribution a site is for.

use std::io;

use super::App;
use crate::aws::AwsClients;
use crate::aws::cloudfront::ListedDistribution;
use crate::edge::distribution::is_bucket_domain;
use crate::error::Error;
use crate::report::prompt::{PromptChoice, PromptQuestion};
use crate::settings::DistributionSetting;
use crate::settings::values::{BucketAddress, checked, read};

/// What was chosen, as deploy.toml writes it.
#[derive(Debug, Default)]
pub(super) struct SiteChoice {
    pub(super) bucket: Option<String>,
    pub(super) distribution: Option<String>,
}

impl App {
    /// Asks for what the settings leave open.
    ///
    /// # Errors
    /// `Exit::Interrupted` where the answers end.
    pub(super) async fn choose_site(&self) -> Result<SiteChoice, Error> {
        let settings = &self.settings;
        let mut choice = SiteChoice::default();
        if settings.local.is_some() {
            return Ok(choice);
        }
        let aws = self.connect().await?.aws;
        let mut bucket = settings.bucket.as_ref().map(|bucket| bucket.name.clone());
        if bucket.is_none() {
            choice.bucket = self.choose_bucket(&aws).await?;
            let address = choice.bucket.as_deref().map(read::<BucketAddress>);
            bucket = address.and_then(Result::ok).map(|address| address.name);
        }
        let is_open = settings.distribution.0 == [DistributionSetting::Auto];
        if let Some(bucket) = bucket.filter(|_| is_open) {
            choice.distribution = self.choose_distribution(&aws, &bucket).await?;
        }
        Ok(choice)
    }

    async fn choose_bucket(&self, aws: &AwsClients) -> Result<Option<String>, Error> {
        let names = aws.bucket_names().await.unwrap_or_else(|error| {
            self.printer.cannot_list("buckets", &error);
            Vec::new()
        });
        let choice = |name: String| PromptChoice {
            shown: name.clone(),
            value: name,
        };
        self.answer(&PromptQuestion {
            title: "Which bucket?",
            kind: if names.is_empty() {
                "Name"
            } else {
                "Number or name"
            },
            choices: names.into_iter().map(choice).collect(),
            empty: Some("none yet"),
            accept: |text| checked::<BucketAddress>(text).map(drop),
        })
    }

    /// Asks for nothing where the bucket is the origin of one distribution alone, which every deploy finds by itself.
    async fn choose_distribution(
        &self,
        aws: &AwsClients,
        bucket: &str,
    ) -> Result<Option<String>, Error> {
        let mut listed = match aws.cloudfront().distributions().await {
            Ok(listed) => listed,
            Err(error) => {
                self.printer.cannot_list("distributions", &error);
                Vec::new()
            }
        };
        listed.retain(|distribution| !distribution.staging);
        let is_ours = |distribution: &ListedDistribution| {
            let mut origins = distribution.origins.iter();
            origins.any(|origin| is_bucket_domain(&origin.domain, bucket))
        };
        let is_origin_of_some = listed.iter().any(is_ours);
        if is_origin_of_some {
            listed.retain(is_ours);
            if let [sole] = listed.as_slice() {
                self.printer.found_distribution(&shown(sole));
                return Ok(None);
            }
        }
        let choice = |distribution: &ListedDistribution| PromptChoice {
            value: distribution.id.clone(),
            shown: shown(distribution),
        };
        self.answer(&PromptQuestion {
            title: "Which distribution?",
            kind: if listed.is_empty() {
                "Id or alias"
            } else {
                "Number, id or alias"
            },
            choices: listed.iter().map(choice).collect(),
            // Which of several it would be, no deploy can tell.
            empty: (!is_origin_of_some).then_some("found by its origin"),
            accept: |text| {
                let is_small = |letter: char| letter.is_ascii_lowercase();
                match read::<DistributionSetting>(text)? {
                    // An id is of capital letters, and an alias has a dot.
                    DistributionSetting::Named(name)
                        if !name.contains('.') && name.contains(is_small) =>
                    {
                        Err(format!("`{name}` is neither an id nor an alias"))
                    }
                    _ => Ok(()),
                }
            },
        })
    }

    fn answer(&self, question: &PromptQuestion<'_>) -> Result<Option<String>, Error> {
        self.printer.ask(question).map_err(|error| {
            let ended = Error::interrupted("no answer: nothing is written");
            match error.kind() {
                io::ErrorKind::UnexpectedEof => ended,
                _ => ended.because(error),
            }
        })
    }
}

/// Writes `E1ABC  www.example.com  from my-site.s3.amazonaws.com`.
fn shown(distribution: &ListedDistribution) -> String {
    let aliases = distribution.aliases.iter().map(String::as_str);
    let names: Vec<&str> = aliases.collect();
    let names = match names.as_slice() {
        [] => distribution.domain.clone(),
        names => names.join(", "),
    };
    let origins = distribution.origins.iter();
    let origins = origins.map(|origin| format!("{}{}", origin.domain, origin.path));
    let origins: Vec<String> = origins.collect();
    format!("{}  {names}  from {}", distribution.id, origins.join(", "))
}
