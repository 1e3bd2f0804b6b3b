//! Who one is to AWS.

use aws_config::Region;

use super::connect::AwsClients;
use super::error::{AwsError, failed};
use super::watch::ServerClock;

/// Whose credentials are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity {
    /// Twelve digits.
    pub account: String,
    /// Of the user or the assumed role.
    pub arn: String,
    /// Seconds by which the clock here is ahead of the service's.
    pub clock_ahead: i64,
}

impl AwsClients {
    /// Asks who the credentials are for. That needs no right.
    pub async fn identity(&self) -> Result<CallerIdentity, AwsError> {
        const ACTION: &str = "sts:GetCallerIdentity";
        let mut config = aws_sdk_sts::config::Builder::from(self.config());
        if self.config().region().is_none() {
            config = config.region(Region::from_static("us-east-1"));
        }
        let clock = ServerClock::default();
        let config = config.interceptor(self.watch.clone());
        let client = aws_sdk_sts::Client::from_conf(config.interceptor(clock.clone()).build());
        let answer = client.get_caller_identity().send().await;
        let answer = answer.map_err(failed(ACTION, "*"))?;
        let missing = |what: &str| AwsError::nonsense(ACTION, "*", what);
        Ok(CallerIdentity {
            account: answer
                .account
                .ok_or_else(|| missing("the answer has no account"))?,
            arn: answer.arn.ok_or_else(|| missing("the answer has no ARN"))?,
            clock_ahead: jiff::Timestamp::now().as_second() - clock.server_now(),
        })
    }
}
