//! The S3 operations that deal with buckets.

use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::bucket::{BucketOptions, Versioning};
use super::fields::timestamp;
use super::s3::Api;
use super::website;

impl Api {
    pub(super) async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<HeadBucketOutput> {
        let bucket = &request.input.bucket;
        let region = self
            .store
            .read(bucket, |bucket| bucket.options.region.clone())?;
        Ok(HeadBucketOutput {
            bucket_region: Some(region),
            ..HeadBucketOutput::default()
        })
    }

    pub(super) async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<CreateBucketOutput> {
        let input = request.input;
        let mut options = BucketOptions::default();
        let region = input.create_bucket_configuration;
        if let Some(region) = region.and_then(|given| given.location_constraint) {
            options.region = region.as_str().to_owned();
        }
        if !self.store.create(&input.bucket, options)? {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        Ok(CreateBucketOutput {
            location: Some(format!("/{}", input.bucket)),
        })
    }

    pub(super) async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<DeleteBucketOutput> {
        self.store.remove_bucket(&request.input.bucket)?;
        Ok(DeleteBucketOutput::default())
    }

    pub(super) async fn list_buckets(
        &self,
        _: S3Request<ListBucketsInput>,
    ) -> S3Result<ListBucketsOutput> {
        let names = self.store.bucket_names().into_iter();
        let buckets = names.map(|name| Bucket {
            name: Some(name),
            creation_date: Some(timestamp(0)),
            ..Bucket::default()
        });
        Ok(ListBucketsOutput {
            buckets: Some(buckets.collect()),
            ..ListBucketsOutput::default()
        })
    }

    pub(super) async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<GetBucketLocationOutput> {
        let bucket = &request.input.bucket;
        let region = self
            .store
            .read(bucket, |bucket| bucket.options.region.clone())?;
        let constraint = (region != "us-east-1").then(|| BucketLocationConstraint::from(region));
        Ok(GetBucketLocationOutput {
            location_constraint: constraint,
        })
    }

    pub(super) async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<GetBucketVersioningOutput> {
        let versioning = self
            .store
            .read(&request.input.bucket, |bucket| bucket.versioning)?;
        let status = match versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some("Enabled"),
            Versioning::Suspended => Some("Suspended"),
        };
        Ok(GetBucketVersioningOutput {
            status: status.map(|name| BucketVersioningStatus::from(name.to_owned())),
            ..GetBucketVersioningOutput::default()
        })
    }

    pub(super) async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<PutBucketVersioningOutput> {
        let input = request.input;
        let status = input.versioning_configuration.status;
        let wanted = match status.as_ref().map(BucketVersioningStatus::as_str) {
            Some("Enabled") => Versioning::Enabled,
            Some("Suspended") => Versioning::Suspended,
            _ => return Err(s3_error!(IllegalVersioningConfigurationException)),
        };
        self.store
            .alter(&input.bucket, |_, versioning| *versioning = wanted)?;
        Ok(PutBucketVersioningOutput::default())
    }

    pub(super) async fn get_bucket_website(
        &self,
        request: S3Request<GetBucketWebsiteInput>,
    ) -> S3Result<GetBucketWebsiteOutput> {
        let website = self
            .store
            .read(&request.input.bucket, |bucket| {
                bucket.options.website.clone()
            })?
            .ok_or_else(|| s3_error!(NoSuchWebsiteConfiguration))?;
        let rules: Vec<RoutingRule> = website.rules.into_iter().map(Into::into).collect();
        // Where everything is redirected, S3 shows nothing else.
        let all = website.redirect_all.map(|target| {
            let (protocol, host) = match target.split_once("://") {
                Some((protocol, host)) => (Some(protocol), host),
                None => (None, target.as_str()),
            };
            RedirectAllRequestsTo {
                host_name: host.to_owned(),
                protocol: protocol.map(|name| Protocol::from(name.to_owned())),
            }
        });
        let shows = all.is_none();
        let index = IndexDocument {
            suffix: website.index,
        };
        let error = website.error.map(|key| ErrorDocument { key });
        Ok(GetBucketWebsiteOutput {
            index_document: shows.then_some(index),
            error_document: error.filter(|_| shows),
            routing_rules: (shows && !rules.is_empty()).then_some(rules),
            redirect_all_requests_to: all,
        })
    }

    pub(super) async fn put_bucket_website(
        &self,
        request: S3Request<PutBucketWebsiteInput>,
    ) -> S3Result<PutBucketWebsiteOutput> {
        let input = request.input;
        let sent = input.website_configuration;
        let index = sent.index_document.map(|index| index.suffix);
        let all = sent.redirect_all_requests_to.map(|all| {
            let scheme = all
                .protocol
                .map(|protocol| format!("{}://", protocol.as_str()));
            format!("{}{}", scheme.unwrap_or_default(), all.host_name)
        });
        let is_suffix = |index: &String| !index.is_empty() && !index.contains('/');
        if index.as_ref().is_some_and(|index| !is_suffix(index)) || index.is_some() == all.is_some()
        {
            return Err(s3_error!(InvalidArgument));
        }
        let rules = sent.routing_rules.unwrap_or_default().into_iter();
        let website = website::WebsiteConfiguration {
            error: sent.error_document.map(|document| document.key),
            rules: rules.map(TryInto::try_into).collect::<S3Result<_>>()?,
            redirect_all: all,
            ..website::WebsiteConfiguration::new(&index.unwrap_or_default())
        };
        self.store
            .alter(&input.bucket, |options, _| options.website = Some(website))?;
        Ok(PutBucketWebsiteOutput::default())
    }

    pub(super) async fn delete_bucket_website(
        &self,
        request: S3Request<DeleteBucketWebsiteInput>,
    ) -> S3Result<DeleteBucketWebsiteOutput> {
        self.store
            .alter(&request.input.bucket, |options, _| options.website = None)?;
        Ok(DeleteBucketWebsiteOutput::default())
    }
}

impl From<website::RoutingRule> for RoutingRule {
    fn from(rule: website::RoutingRule) -> Self {
        let condition = Condition {
            key_prefix_equals: rule.key_prefix,
            http_error_code_returned_equals: rule.error_code.map(|code| code.to_string()),
        };
        Self {
            condition: (condition != Condition::default()).then_some(condition),
            redirect: Redirect {
                host_name: rule.host,
                http_redirect_code: (rule.status != 301).then(|| rule.status.to_string()),
                protocol: rule.protocol.map(Protocol::from),
                replace_key_prefix_with: rule.replace_prefix,
                replace_key_with: rule.replace_key,
            },
        }
    }
}

impl TryFrom<RoutingRule> for website::RoutingRule {
    type Error = s3s::S3Error;

    fn try_from(rule: RoutingRule) -> S3Result<Self> {
        let (condition, redirect) = (rule.condition.unwrap_or_default(), rule.redirect);
        let number = |text: String| text.parse::<u16>().map_err(|_| s3_error!(InvalidArgument));
        let code = condition.http_error_code_returned_equals;
        let status = redirect.http_redirect_code.map(number).transpose()?;
        if redirect.replace_key_with.is_some() && redirect.replace_key_prefix_with.is_some() {
            return Err(s3_error!(InvalidRequest));
        }
        Ok(Self {
            key_prefix: condition.key_prefix_equals,
            error_code: code.map(number).transpose()?,
            host: redirect.host_name,
            replace_key: redirect.replace_key_with,
            replace_prefix: redirect.replace_key_prefix_with,
            status: status.unwrap_or(301),
            protocol: redirect.protocol.map(|name| name.as_str().to_owned()),
        })
    }
}
