//! Deletes removed pages, and removed assets once no edge needs them any more.

use std::collections::HashMap;

use super::progress::{HaltReason, PurgeOutcome};
use super::steps::RunningDeploy;
use crate::aws::s3::MAX_DELETES;
use crate::aws::{AwsError, AwsErrorKind};
use crate::job::event::DeployEvent;
use crate::object::ETag;
use crate::plan::Deletion;
use crate::state::StateError;

impl RunningDeploy<'_> {
    pub(super) async fn delete_pages(&mut self) -> Result<(), HaltReason> {
        self.go_on()?;
        // Pages that stay name them still.
        if self.progress.has_failed() {
            return Ok(());
        }
        self.delete(|deletion| deletion.page).await
    }

    pub(super) async fn delete_assets(&mut self) -> Result<(), HaltReason> {
        if !self.may_remove_assets() {
            return Ok(());
        }
        self.delete(|deletion| !deletion.page).await
    }

    pub(super) fn removes_assets(&self) -> bool {
        self.plan.deletions.iter().any(|deletion| !deletion.page)
    }

    pub(super) fn may_remove_assets(&self) -> bool {
        let accepted = matches!(self.progress.purge, PurgeOutcome::Accepted);
        accepted && !self.progress.has_failed()
    }

    async fn delete(&mut self, is_chosen: fn(&Deletion) -> bool) -> Result<(), HaltReason> {
        let plan = self.plan.clone();
        let mut chosen: Vec<&Deletion> = plan.deletions.iter().collect();
        chosen.retain(|deletion| is_chosen(deletion));
        for chunk in chosen.chunks(MAX_DELETES) {
            self.go_on()?;
            self.progress.begun = true;
            let mut errors = self.delete_chunk(chunk).await?;
            for deletion in chunk {
                let full = self.scene.place.full(deletion.key.as_str());
                let error = errors.remove(&full);
                self.judge_deletion(deletion, &full, error).await?;
            }
        }
        Ok(())
    }

    /// Returns why objects were not deleted, by whole keys.
    async fn delete_chunk(
        &self,
        chunk: &[&Deletion],
    ) -> Result<HashMap<String, AwsError>, HaltReason> {
        let place = &self.scene.place;
        let guarded = self.lease.why_unguarded().is_none();
        let object = |deletion: &&Deletion| {
            let etag = guarded.then(|| deletion.etag.clone());
            (place.full(deletion.key.as_str()), etag)
        };
        let objects: Vec<(String, Option<ETag>)> = chunk.iter().map(object).collect();
        let deleting = async {
            match place.bucket.delete_many(&objects).await {
                Err(error) if error.is(&AwsErrorKind::NotImplemented) => {
                    let plain = objects.iter().map(|(key, _)| (key.clone(), None));
                    place.bucket.delete_many(&plain.collect::<Vec<_>>()).await
                }
                answer => answer,
            }
        };
        // What was refused whole is owed still, but no reason to keep back the purge of all else.
        Ok(match self.patiently(self.lease.within(deleting)).await?? {
            Ok(errors) => errors.into_iter().collect(),
            Err(error) => {
                let each = objects.into_iter().map(|(key, _)| (key, error.clone()));
                each.collect()
            }
        })
    }

    /// Notes one deletion as done or failed, by what S3 answered.
    async fn judge_deletion(
        &mut self,
        deletion: &Deletion,
        full: &str,
        error: Option<AwsError>,
    ) -> Result<(), HaltReason> {
        let key = deletion.key.clone();
        // What is not found is gone by a first try whose answer was lost, or by somebody else.
        if let Some(error) = error.filter(|error| !error.is(&AwsErrorKind::NotFound)) {
            let moved = error.is(&AwsErrorKind::Precondition);
            let head = self.scene.place.bucket.head(full, None);
            let gone = moved && head.await.map_err(StateError::from)?.is_none();
            if !gone && (moved || error.is(&AwsErrorKind::Conflict)) {
                return Err(HaltReason::Race(key));
            }
            if !gone {
                self.progress.failures.push((key, error.into()));
                return Ok(());
            }
        }
        self.context
            .tell
            .tell(DeployEvent::Deleted { key: key.clone() });
        self.progress.deleted.insert(key);
        Ok(())
    }
}
