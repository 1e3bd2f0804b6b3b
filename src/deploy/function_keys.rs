//! Writes what a function looks up in its key value store: new entries before its code is live, old ones deleted after.

use std::time::{Duration, Instant};

use super::function::FunctionTools;
use crate::aws::key_values::{DescribedStore, EntryChange};
use crate::aws::{AwsError, AwsErrorKind};
use crate::job::event::DeployEvent;
use crate::rules::edge_function;
use crate::survey::targets::SiteFunction;
use crate::survey::wanted_function::{denied, store_not_ours};

/// Between two looks at a store that is being created, which takes some seconds.
const LOOK: Duration = Duration::from_secs(2);

impl SiteFunction {
    /// Writes the entries that the store lacks, and returns its ARN; `None` where there is to be no store.
    pub(super) async fn put_keys(
        &self,
        step: &FunctionTools<'_>,
    ) -> Result<Option<String>, String> {
        if !self.wanted.stored {
            return Ok(None);
        }
        let store = self.ready_store(step).await?;
        let puts = self.change.store.iter().flat_map(|change| &change.puts);
        let puts = puts.map(|(key, value)| (key.clone(), Some(value.clone())));
        self.write_keys(step, &store.arn, puts.collect()).await?;
        Ok(Some(store.arn))
    }

    /// Deletes the entries that the live code does not ask for any more.
    pub(super) async fn delete_keys(&self, step: &FunctionTools<'_>) -> Result<(), String> {
        let deletes = self.change.store.iter().flat_map(|change| &change.deletes);
        let deletes: Vec<EntryChange> = deletes.map(|(key, _)| (key.clone(), None)).collect();
        if deletes.is_empty() {
            return Ok(());
        }
        let store = self.ready_store(step).await?;
        self.write_keys(step, &store.arn, deletes).await
    }

    async fn write_keys(
        &self,
        step: &FunctionTools<'_>,
        arn: &str,
        changes: Vec<EntryChange>,
    ) -> Result<(), String> {
        let name = &self.change.name;
        let count = changes.len() as u64;
        if count == 0 {
            return Ok(());
        }
        let written = step.cloudfront.write_keys(arn, changes, step.may_go).await;
        if !written.map_err(|error| denied(name, &error))? {
            return Err(format!(
                "the key value store {name} is not written whole: the deploy was stopped"
            ));
        }
        let name = name.clone();
        step.tell.tell(DeployEvent::StoreWritten { name, count });
        Ok(())
    }

    /// Returns the store once it can be written to; where there is none, it is created.
    async fn ready_store(&self, step: &FunctionTools<'_>) -> Result<DescribedStore, String> {
        let (name, site) = (self.change.name.as_str(), &self.site);
        let told = |error: AwsError| denied(name, &error);
        let comment = edge_function::comment(site);
        let mut is_created = false;
        loop {
            step.go_on(name)?;
            let store = step.cloudfront.key_value_store(name).await;
            match store.map_err(told)? {
                Some(store) if store.comment != comment => return Err(store_not_ours(name, site)),
                Some(store) if store.ready => return Ok(store),
                None if !is_created => {
                    let created = step.cloudfront.create_key_value_store(name, &comment);
                    match created.await {
                        // A first attempt may have created it.
                        Err(error) if !error.is(&AwsErrorKind::Conflict) => {
                            return Err(told(error));
                        }
                        _ => is_created = true,
                    }
                    continue;
                }
                // It may take a moment until a new one is known everywhere.
                _ => {}
            }
            let left = step.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!(
                    "the key value store {name} was not ready in time: the next deploy goes on with it; --timeout gives it longer"
                ));
            }
            step.stop.sleep(LOOK.min(left)).await;
        }
    }
}
