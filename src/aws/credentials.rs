//! Where the credentials come from, and until when they hold. Never what they are.

use std::time::SystemTime;

use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_sdk_s3::config::ProvideCredentials;

use super::connect::AwsClients;

/// What is known of the credentials without asking a service for a right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFacts {
    /// For people, such as `environment variables`.
    pub source: &'static str,
    /// Unix seconds; `None`: they hold until somebody takes them back.
    pub expires: Option<i64>,
}

impl AwsClients {
    /// Finds the credentials as a request would. `None`: there are none, or they cannot be had; what is asked with them says why.
    pub async fn credentials(&self) -> Option<CredentialFacts> {
        let provider = self.config().credentials_provider()?;
        let credentials = provider.provide_credentials().await.ok()?;
        let features = credentials.get_property::<Vec<AwsCredentialFeature>>();
        let source = features.into_iter().flatten().find_map(source);
        let since_1970 = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
        let expires = credentials.expiry().and_then(since_1970);
        Some(CredentialFacts {
            source: source.unwrap_or("the SDK's usual places"),
            expires: expires.and_then(|time| i64::try_from(time.as_secs()).ok()),
        })
    }
}

/// Names the source that a step of finding credentials stands for; the steps come in order, the one that counts first.
fn source(feature: &AwsCredentialFeature) -> Option<&'static str> {
    use AwsCredentialFeature as Step;
    Some(match feature {
        Step::CredentialsEnvVars => "environment variables",
        Step::CredentialsStsAssumeRole => "a role that the profile assumes",
        Step::CredentialsEnvVarsStsWebIdToken
        | Step::CredentialsProfileStsWebIdToken
        | Step::CredentialsStsAssumeRoleWebId => "a web identity token",
        Step::CredentialsProfileSso | Step::CredentialsSso => "SSO",
        Step::CredentialsProfileProcess | Step::CredentialsProcess => "the profile's process",
        Step::CredentialsHttp => "the container",
        Step::CredentialsImds => "the instance's metadata",
        Step::CredentialsProfileLogin | Step::CredentialsLogin => "`aws login`",
        Step::CredentialsProfile => "the profile's keys",
        _ => return None,
    })
}
