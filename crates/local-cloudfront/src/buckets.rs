//! The S3 operations that deal with buckets.

use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::bucket::{BucketOptions, Versioning};
use super::fields::timestamp;
use super::s3::Api;

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
}
