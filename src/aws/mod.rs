//! S3 and CloudFront: endpoint, credentials, retries, and one function per thing that is asked of them. `error` sorts the answers, `connect` says what is tried again.

mod bucket_facts;
mod certificate;
pub mod checksum;
pub mod cloudformation;
pub mod cloudfront;
pub mod configuration;
mod connect;
mod control;
mod credentials;
mod delete;
pub mod distribution_settings;
mod error;
pub mod function;
pub mod headers_policy;
mod identity;
pub mod key_values;
pub mod list;
pub mod multipart;
pub mod profiles;
pub mod read;
pub mod s3;
pub mod stack_drift;
mod tenant;
#[cfg(test)]
mod tests;
pub mod tried_distributions;
pub mod tried_objects;
mod unknown_field;
pub mod viewer;
mod watch;

pub use aws_smithy_types::base64;
pub use bucket_facts::{LifecycleEffect, LifecycleFact};
pub use certificate::CertificateFacts;
pub use cloudfront::CloudFront;
pub use connect::{AwsClients, AwsConnection, usual_region};
pub use credentials::CredentialFacts;
pub use error::{AwsError, AwsErrorKind, SIGN_IN};
pub use identity::CallerIdentity;
pub use s3::{Bucket, WriteCondition};
pub use watch::{RequestWatch, ServerClock};
