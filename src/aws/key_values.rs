//! What is asked of CloudFront KeyValueStores: of CloudFront that there is one, of an API of their own what is in it.

use std::collections::BTreeMap;

use aws_sdk_cloudfront::types::KeyValueStore;
use aws_sdk_cloudfrontkeyvaluestore::config::endpoint::{
    DefaultResolver, Endpoint, EndpointFuture, Params, ResolveEndpoint,
};
use aws_sdk_cloudfrontkeyvaluestore::types::{DeleteKeyRequestListItem, PutKeyRequestListItem};

use super::cloudfront::CloudFront;
use super::error::{AwsError, AwsErrorKind, failed};

/// The most keys that one request changes or lists. With the longest keys and values that is 77 kB of the 3 MB that UpdateKeys takes
/// (CloudFront Developer Guide, "Quotas on key value stores").
const MAX_KEYS: usize = 50;
/// How often others may get in between before a write is given up.
const MAX_CONFLICTS: usize = 3;

/// What is to become of a key: its value, or nothing.
pub type EntryChange = (String, Option<String>);

/// A key value store, without what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedStore {
    pub arn: String,
    pub comment: String,
    /// Whether it can be written to; one that was created a moment ago cannot.
    pub ready: bool,
}

/// A key value store, with all that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKeyValues {
    pub store: DescribedStore,
    pub entries: BTreeMap<String, String>,
}

impl From<KeyValueStore> for DescribedStore {
    fn from(store: KeyValueStore) -> Self {
        let status = store.status;
        Self {
            arn: store.arn,
            comment: store.comment,
            ready: status.is_none_or(|status| status.eq_ignore_ascii_case("ready")),
        }
    }
}

impl CloudFront {
    /// Finds the store of this name. `None`: there is none.
    pub async fn key_value_store(&self, name: &str) -> Result<Option<DescribedStore>, AwsError> {
        const ACTION: &str = "cloudfront:DescribeKeyValueStore";
        let answer = self.client.describe_key_value_store().name(name).send();
        let answer = AwsError::if_there(answer.await.map_err(failed(ACTION, name)))?;
        let store = answer.and_then(|answer| answer.key_value_store);
        Ok(store.map(DescribedStore::from))
    }

    /// Reads the store of this name. `None`: there is none.
    pub async fn key_values(&self, name: &str) -> Result<Option<StoredKeyValues>, AwsError> {
        let Some(store) = self.key_value_store(name).await? else {
            return Ok(None);
        };
        let entries = if store.ready {
            self.entries(&store.arn).await?
        } else {
            BTreeMap::new()
        };
        Ok(Some(StoredKeyValues { store, entries }))
    }

    /// Creates an empty store. It takes some seconds to become ready.
    pub async fn create_key_value_store(&self, name: &str, comment: &str) -> Result<(), AwsError> {
        const ACTION: &str = "cloudfront:CreateKeyValueStore";
        let request = self.client.create_key_value_store().name(name);
        let answer = request.comment(comment).send().await;
        answer.map_err(failed(ACTION, name)).map(drop)
    }

    /// Changes keys, [`MAX_KEYS`] at a time: 10,000 are 200 requests, one after the other. Where others wrote meanwhile, what is still
    /// to be done is done over what they left. Tells whether all was written: `may_go` is asked before each request.
    pub async fn write_keys(
        &self,
        arn: &str,
        changes: Vec<EntryChange>,
        may_go: &dyn Fn() -> bool,
    ) -> Result<bool, AwsError> {
        let mut left = changes;
        let mut conflicts = 0;
        let mut etag = self.keys_etag(arn).await?;
        while !left.is_empty() {
            if !may_go() {
                return Ok(false);
            }
            let rest = left.split_off(left.len().min(MAX_KEYS));
            match self.update_keys(arn, &etag, &left).await {
                Ok(next) => {
                    etag = next;
                    left = rest;
                }
                // It may be a first attempt of ours whose answer was lost. A key that is gone cannot be deleted.
                Err(error)
                    if conflicts < MAX_CONFLICTS
                        && matches!(
                            error.kind,
                            AwsErrorKind::Conflict | AwsErrorKind::NotFound
                        ) =>
                {
                    conflicts += 1;
                    left.extend(rest);
                    etag = self.keys_etag(arn).await?;
                    let known = self.entries(arn).await?;
                    left.retain(|(key, value)| known.get(key) != value.as_ref());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Changes keys, all or none, and answers the ETag of all keys then.
    async fn update_keys(
        &self,
        arn: &str,
        etag: &str,
        changes: &[EntryChange],
    ) -> Result<String, AwsError> {
        const ACTION: &str = "cloudfront-keyvaluestore:UpdateKeys";
        let mut request = self.keys.update_keys().kvs_arn(arn).if_match(etag);
        let nonsense =
            |error: &dyn std::error::Error| AwsError::nonsense(ACTION, arn, error.to_string());
        for (key, value) in changes {
            request = if let Some(value) = value {
                let put = PutKeyRequestListItem::builder().key(key).value(value);
                request.puts(put.build().map_err(|error| nonsense(&error))?)
            } else {
                let delete = DeleteKeyRequestListItem::builder().key(key).build();
                request.deletes(delete.map_err(|error| nonsense(&error))?)
            };
        }
        let answer = request.send().await.map_err(failed(ACTION, arn))?;
        Ok(answer.e_tag)
    }

    /// Reads the ETag that the next change has to name.
    async fn keys_etag(&self, arn: &str) -> Result<String, AwsError> {
        const ACTION: &str = "cloudfront-keyvaluestore:DescribeKeyValueStore";
        let answer = self.keys.describe_key_value_store().kvs_arn(arn).send();
        Ok(answer.await.map_err(failed(ACTION, arn))?.e_tag)
    }

    async fn entries(&self, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
        const ACTION: &str = "cloudfront-keyvaluestore:ListKeys";
        let most = i32::try_from(MAX_KEYS).unwrap_or(i32::MAX);
        let request = self.keys.list_keys().kvs_arn(arn).max_results(most);
        let pages = request.into_paginator().items().send();
        let items: Result<Vec<_>, _> = pages.collect().await;
        let items = items.map_err(failed(ACTION, arn))?.into_iter();
        Ok(items.map(|item| (item.key, item.value)).collect())
    }
}

/// Where a store's own API is: at the account's host, as the SDK has it from the ARN, or at the endpoint that was given. The SDK would put
/// the account before that one's host, which then has no address.
#[derive(Debug, Default)]
pub(super) struct KeysEndpoint(DefaultResolver);

impl ResolveEndpoint for KeysEndpoint {
    fn resolve_endpoint<'a>(&'a self, params: &'a Params) -> EndpointFuture<'a> {
        match params.endpoint() {
            Some(url) => EndpointFuture::ready(Ok(Endpoint::builder().url(url.to_owned()).build())),
            None => ResolveEndpoint::resolve_endpoint(&self.0, params),
        }
    }
}
