//! What a bucket is configured to do that a deploy never changes: who may read it, what of it expires, whose it is.

use aws_sdk_s3::types::{
    ExpirationStatus, LifecycleRule, LifecycleRuleFilter, TransitionStorageClass,
};

use super::error::{AwsError, AwsErrorKind};
use super::s3::Bucket;

/// What a lifecycle rule does to current objects after a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleFact {
    /// The rule's id, which may be empty.
    pub name: String,
    /// Of the keys that it is about; empty for all.
    pub prefix: String,
    /// Those that an object has to have, all of them, by name and value.
    pub tags: Vec<(String, String)>,
    pub effect: LifecycleEffect,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LifecycleEffect {
    Deletes,
    /// Moves them to this storage class, from which they have to be restored.
    Archives(String),
}

impl Bucket {
    /// Tells whether the bucket is this account's, for who may list this folder: the right to list may be for it alone.
    pub async fn belongs_to(&self, account: &str, folder: &str) -> Result<bool, AwsError> {
        let request = self.client.list_objects_v2().bucket(&self.name);
        let request = request.prefix(folder).max_keys(1);
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

    /// Reads what lifecycle rules in force do to current objects.
    pub async fn lifecycle(&self) -> Result<Vec<LifecycleFact>, AwsError> {
        let request = self.client.get_bucket_lifecycle_configuration();
        let request = request.bucket(&self.name);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let answer = request.send().await;
        let answer = answer.map_err(self.failed("s3:GetLifecycleConfiguration", ""));
        let answer = AwsError::if_there(answer)?;
        let rules = answer.and_then(|answer| answer.rules).unwrap_or_default();
        Ok(rules.into_iter().flat_map(effects).collect())
    }
}

/// Returns what a rule does to current objects: nothing, one thing, or both.
fn effects(rule: LifecycleRule) -> Vec<LifecycleFact> {
    if rule.status != ExpirationStatus::Enabled {
        return Vec::new();
    }
    let expires = rule
        .expiration
        .is_some_and(|expiration| expiration.days.is_some() || expiration.date.is_some());
    let transitions = rule.transitions.unwrap_or_default().into_iter();
    let classes = transitions.filter_map(|transition| transition.storage_class);
    // What has to be restored before it can be read (Amazon S3 User Guide, "Understanding S3 Glacier storage classes").
    let mut archives = classes.filter(|class| {
        matches!(
            class,
            TransitionStorageClass::Glacier | TransitionStorageClass::DeepArchive
        )
    });
    let archives = archives.next().map(|class| class.as_str().to_owned());
    #[allow(deprecated)]
    let whole = rule.prefix;
    let (prefix, tags) = match rule.filter {
        None => (whole, Vec::new()),
        Some(LifecycleRuleFilter { and: Some(and), .. }) => {
            (and.prefix, and.tags.unwrap_or_default())
        }
        Some(filter) => (filter.prefix, filter.tag.into_iter().collect()),
    };
    let tags = tags.into_iter().map(|tag| (tag.key, tag.value));
    let fact = LifecycleFact {
        name: rule.id.unwrap_or_default(),
        prefix: prefix.unwrap_or_default(),
        tags: tags.collect(),
        effect: LifecycleEffect::Deletes,
    };
    let archives = archives.map(LifecycleEffect::Archives);
    let effects = expires.then_some(LifecycleEffect::Deletes);
    let effects = effects.into_iter().chain(archives);
    effects
        .map(|effect| LifecycleFact {
            effect,
            ..fact.clone()
        })
        .collect()
}
