//! When the certificate ends that a distribution shows its viewers.

use aws_config::Region;

use super::cloudformation::word;
use super::cloudfront::DescribedDistribution;
use super::connect::AwsClients;
use super::error::{AwsError, failed};

/// A certificate, as ACM has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// As ACM says it: `ISSUED`, `PENDING_VALIDATION`.
    pub status: String,
    /// Unix seconds; `None` until it is issued.
    pub ends: Option<i64>,
    /// ACM renews it by itself, as long as its DNS record stands.
    pub is_renewed: bool,
}

impl DescribedDistribution {
    /// Returns the ARN of its own certificate; none where it has CloudFront's.
    pub fn certificate(&self) -> Option<&str> {
        let certificate = self.config.viewer_certificate.as_ref()?;
        certificate.acm_certificate_arn.as_deref()
    }
}

impl AwsClients {
    /// Reads a certificate. Those of distributions live in us-east-1.
    pub async fn certificate(&self, arn: &str) -> Result<CertificateFacts, AwsError> {
        const ACTION: &str = "acm:DescribeCertificate";
        let config = aws_sdk_acm::config::Builder::from(self.config())
            .region(Region::from_static("us-east-1"))
            .interceptor(self.watch.clone());
        let client = aws_sdk_acm::Client::from_conf(config.build());
        let answer = client.describe_certificate().certificate_arn(arn);
        let answer = answer.send().await.map_err(failed(ACTION, arn))?;
        let missing = || AwsError::nonsense(ACTION, arn, "the answer holds no certificate");
        let certificate = answer.certificate.ok_or_else(missing)?;
        let eligibility = certificate.renewal_eligibility;
        Ok(CertificateFacts {
            status: word(certificate.status),
            ends: certificate.not_after.map(|time| time.secs()),
            is_renewed: eligibility.is_some_and(|word| word.as_str() == "ELIGIBLE"),
        })
    }
}
