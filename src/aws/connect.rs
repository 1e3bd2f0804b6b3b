//! One SDK configuration for both clients, so that credentials are fetched once.

use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_s3::config::{
    Credentials, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::pool::{Client, ConnectionPool, DriverSpawner, Partition, PartitionId};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::box_error::BoxError;
use tokio::runtime::Handle;

use super::cloudfront::CloudFront;
use super::key_values::KeysEndpoint;
use super::s3::{Bucket, SMALL, attempt_timeout};
use super::watch::{RequestWatch, ServerClock};

/// How to reach AWS, as the settings say.
#[derive(Debug, Clone, Default)]
pub struct AwsConnection {
    pub profile: Option<String>,
    pub region: Option<String>,
    /// For both services; without it the standard AWS_ENDPOINT_URL variables and profile settings hold.
    pub endpoint_url: Option<String>,
    /// Path-style addressing; `None`: wherever an endpoint is given that is not AWS's.
    pub path_style: Option<bool>,
    pub expected_bucket_owner: Option<String>,
    /// Fixed keys that open nothing, for an endpoint in this process.
    pub local: bool,
}

/// Returns the region that the environment or the profile names, without asking anybody.
pub async fn usual_region(profile: Option<&str>) -> Option<String> {
    let variables = EnvironmentVariableRegionProvider::new();
    let mut file = ProfileFileRegionProvider::builder();
    if let Some(profile) = profile {
        file = file.profile_name(profile);
    }
    let chain = RegionProviderChain::first_try(variables).or_else(file.build());
    chain.region().await.map(|region| region.to_string())
}

/// Attempts at each request, the first included.
const ATTEMPTS: u32 = 8;
const MAX_BACKOFF: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time that one attempt may take where no content is sent.
pub(super) const API_TIMEOUT: Duration = Duration::from_secs(20);

/// Both clients.
#[derive(Debug, Clone)]
pub struct AwsClients {
    config: SdkConfig,
    cloudfront: CloudFront,
    connection: AwsConnection,
    pub watch: RequestWatch,
}

impl AwsClients {
    /// Reads the environment and the profile; asks nothing of AWS yet. `ca` is the content of the PEM file, if there is one;
    /// fails where that holds no certificates.
    pub async fn connect(connection: AwsConnection, ca: Option<&[u8]>) -> Result<Self, BoxError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(ATTEMPTS)
                    .with_max_backoff(MAX_BACKOFF),
            )
            .http_client(http_client(ca)?)
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .build(),
            )
            // Each attempt has its own limit.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            // Content-MD5 goes with every body, and some S3-compatible servers refuse the SDK's trailers.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(profile) = &connection.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &connection.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(url) = &connection.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if connection.local {
            loader = loader
                .region(Region::from_static("us-east-1"))
                .credentials_provider(Credentials::new("local", "local", None, None, "local"));
        }
        let config = loader.load().await;
        let watch = RequestWatch::default();
        Ok(Self {
            cloudfront: cloudfront(&config, &watch),
            config,
            connection,
            watch,
        })
    }

    /// Returns the endpoint of S3 that the environment, the profile or a flag gives: none for AWS's own.
    pub fn s3_endpoint(&self) -> Option<String> {
        let variable = std::env::var("AWS_ENDPOINT_URL_S3").ok();
        variable
            .filter(|url| !url.is_empty())
            .or_else(|| self.config.endpoint_url().map(str::to_owned))
    }

    /// Returns the bucket of this name, in the given region or the configured one.
    pub fn bucket(&self, name: &str, region: Option<&str>) -> Bucket {
        let region = region
            .map(|region| Region::new(region.to_owned()))
            .or_else(|| self.config.region().cloned())
            .unwrap_or(Region::from_static("us-east-1"));
        let path_style = self.connection.path_style.unwrap_or_else(|| {
            let endpoint = self.s3_endpoint();
            name.contains('.') || endpoint.is_some_and(|url| !url.contains(".amazonaws.com"))
        });
        let clock = ServerClock::default();
        let config = aws_sdk_s3::config::Builder::from(&self.config)
            .region(region)
            .force_path_style(path_style)
            .retry_partition(unbounded_retries("s3"))
            .timeout_config(timeouts(attempt_timeout(SMALL)))
            .interceptor(self.watch.clone())
            .interceptor(clock.clone());
        Bucket {
            client: aws_sdk_s3::Client::from_conf(config.build()),
            clock,
            name: name.to_owned(),
            owner: self.connection.expected_bucket_owner.clone(),
        }
    }

    pub fn cloudfront(&self) -> CloudFront {
        self.cloudfront.clone()
    }

    /// The configuration that further services' clients are made from; those of one region name it.
    pub(super) fn config(&self) -> &SdkConfig {
        &self.config
    }
}

/// Makes the client for both services. It trusts the certificates in `ca`, in PEM, besides the system's.
fn http_client(ca: Option<&[u8]>) -> Result<SharedHttpClient, BoxError> {
    let mut builder = ConnectionPool::builder()
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    if let Some(pem) = ca {
        let trust = TrustStore::default().with_pem_certificate(pem);
        builder = builder.tls_context(TlsContext::builder().with_trust_store(trust).build()?);
    }
    let (runtime, id) = (Handle::current(), PartitionId::from_index(0));
    let spawner = DriverSpawner::from_fn(move |task| drop(runtime.spawn(task)));
    let pool = builder
        .partitions([Partition::new(id, spawner)])
        .build_https()?;
    Ok(SharedHttpClient::new(Client::from_partition(&pool, id)?))
}

/// Makes CloudFront's clients. Its API lives in us-east-1 whatever the bucket's region.
fn cloudfront(config: &SdkConfig, watch: &RequestWatch) -> CloudFront {
    let region = Region::from_static("us-east-1");
    let timeouts = timeouts(API_TIMEOUT);
    let clock = ServerClock::default();
    let keys = aws_sdk_cloudfrontkeyvaluestore::config::Builder::from(config)
        .region(region.clone())
        .endpoint_resolver(KeysEndpoint::default())
        .retry_partition(unbounded_retries("cloudfront-keyvaluestore"))
        .timeout_config(timeouts.clone())
        .interceptor(watch.clone());
    let config = aws_sdk_cloudfront::config::Builder::from(config)
        .region(region)
        .retry_partition(unbounded_retries("cloudfront"))
        .timeout_config(timeouts)
        .interceptor(watch.clone())
        .interceptor(clock.clone());
    CloudFront {
        client: aws_sdk_cloudfront::Client::from_conf(config.build()),
        keys: aws_sdk_cloudfrontkeyvaluestore::Client::from_conf(keys.build()),
        clock,
    }
}

pub(super) fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .build()
}

/// Lifts the bound on all retries together. The SDK's shared bucket of retry tokens empties in a burst of 5xx, and then failures
/// surface at once; each request has its own bound already.
fn unbounded_retries(name: &'static str) -> RetryPartition {
    RetryPartition::custom(name)
        .token_bucket(TokenBucket::unlimited())
        .build()
}
