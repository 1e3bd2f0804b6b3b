//! What a bucket is configured to do that a deploy never changes: who may read it, what of it expires, whose it is.

use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule, LifecycleRuleFilter};

use super::error::{AwsError, AwsErrorKind};
use super::s3::Bucket;

/// A rule that deletes objects after a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryRule {
    /// Its id, which may be empty.
    pub name: String,
    /// Of the keys that it is about; empty for all.
    pub prefix: String,
}

impl Bucket {
    /// Tells whether the bucket is this account's, for who may list it.
    pub async fn belongs_to(&self, account: &str) -> Result<bool, AwsError> {
        let request = self.client.head_bucket().bucket(&self.name);
        let answer = request.expected_bucket_owner(account).send().await;
        match answer.map_err(self.failed("s3:ListBucket", "")) {
            Ok(_) => Ok(true),
            Err(error) if error.is(&AwsErrorKind::AccessDenied) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Tells whether all four public access blocks are on.
    pub async fn blocks_the_public(&self) -> Result<bool, AwsError> {
        let request = self.client.get_public_access_block().bucket(&self.name);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await;
        let answer = answer.map_err(self.failed("s3:GetBucketPublicAccessBlock", ""));
        let answer = AwsError::if_there(answer)?;
        let blocks = answer.and_then(|answer| answer.public_access_block_configuration);
        Ok(blocks.is_some_and(|blocks| {
            let all = [
                blocks.block_public_acls,
                blocks.ignore_public_acls,
                blocks.block_public_policy,
                blocks.restrict_public_buckets,
            ];
            all.iter().all(|block| *block == Some(true))
        }))
    }

    /// Reads the bucket's policy, as JSON; `None`: it has none.
    pub async fn policy(&self) -> Result<Option<String>, AwsError> {
        let request = self.client.get_bucket_policy().bucket(&self.name);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await;
        let answer = answer.map_err(self.failed("s3:GetBucketPolicy", ""));
        Ok(AwsError::if_there(answer)?.and_then(|answer| answer.policy))
    }

    /// Reads the rules in force that delete current objects. A rule for tags is none: the state has no tags.
    pub async fn expiry_rules(&self) -> Result<Vec<ExpiryRule>, AwsError> {
        let request = self.client.get_bucket_lifecycle_configuration();
        let request = request.bucket(&self.name);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await;
        let answer = answer.map_err(self.failed("s3:GetLifecycleConfiguration", ""));
        let answer = AwsError::if_there(answer)?;
        let rules = answer.and_then(|answer| answer.rules).unwrap_or_default();
        Ok(rules.into_iter().filter_map(expiry).collect())
    }
}

fn expiry(rule: LifecycleRule) -> Option<ExpiryRule> {
    let deletes = rule
        .expiration
        .is_some_and(|expiration| expiration.days.is_some() || expiration.date.is_some());
    if rule.status != ExpirationStatus::Enabled || !deletes {
        return None;
    }
    #[allow(deprecated)]
    let whole = rule.prefix;
    let prefix = match rule.filter {
        None => whole,
        Some(LifecycleRuleFilter { tag: Some(_), .. }) => return None,
        Some(LifecycleRuleFilter { and: Some(and), .. }) => {
            let is_tagged = and.tags.is_some_and(|tags| !tags.is_empty());
            if is_tagged {
                return None;
            }
            and.prefix
        }
        Some(filter) => filter.prefix,
    };
    Some(ExpiryRule {
        name: rule.id.unwrap_or_default(),
        prefix: prefix.unwrap_or_default(),
    })
}
