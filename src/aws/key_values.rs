//! What is asked of CloudFront KeyValueStores.

use std::collections::BTreeMap;

use super::cloudfront::CloudFront;
use super::error::{AwsError, failed};

/// A key value store, with all that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKeyValues {
    pub arn: String,
    pub entries: BTreeMap<String, String>,
}

impl CloudFront {
    /// Reads the store of this name. `None`: there is none.
    pub async fn key_values(&self, name: &str) -> Result<Option<StoredKeyValues>, AwsError> {
        const ACTION: &str = "cloudfront:DescribeKeyValueStore";
        let answer = self.client.describe_key_value_store().name(name).send();
        let answer = AwsError::if_there(answer.await.map_err(failed(ACTION, name)))?;
        let store = answer.and_then(|answer| answer.key_value_store);
        Ok(store.map(|store| StoredKeyValues {
            arn: store.arn,
            entries: BTreeMap::new(),
        }))
    }
}
