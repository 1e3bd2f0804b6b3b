//! Whether a stack is still as its template says.

use super::failure::unexpected;
use super::run::{REVIEWED, StackProposal, StackRun, is_leftover};
use crate::aws::stack_drift::{DriftedProperty, ResourceDrift};
use crate::error::Error;

impl StackRun<'_> {
    /// Returns what was changed by hand of the resources that a proposal changes: CloudFormation writes them anew as a whole.
    ///
    /// # Errors
    /// As [`Self::drifts`].
    pub(crate) async fn taken_back(
        &self,
        proposal: &StackProposal,
    ) -> Result<Vec<ResourceDrift>, Error> {
        let changes = |name: &str| {
            let mut changes = proposal.changes.iter();
            changes.any(|change| change.action == "Modify" && change.resource == name)
        };
        if proposal.is_new {
            return Ok(Vec::new());
        }
        // What it becomes anyway is not taken back.
        let becomes = |drift: &DriftedProperty| {
            let mut changed = proposal
                .changes
                .iter()
                .flat_map(|change| &change.properties);
            let path = drift.path.trim_start_matches('/');
            changed.any(|changed| {
                changed.path == path && changed.after.as_ref() == Some(&drift.actual)
            })
        };
        let mut drifts = self.drifts().await?;
        drifts.retain_mut(|drift| {
            let is_there = drift.differences.is_empty();
            drift.differences.retain(|difference| !becomes(difference));
            changes(&drift.resource) && (is_there || !drift.differences.is_empty())
        });
        Ok(drifts)
    }

    /// Compares the stack with its template by CloudFormation's own means, and returns what differs.
    ///
    /// # Errors
    /// Where it cannot be compared; `Exit::Interrupted`.
    pub(crate) async fn drifts(&self) -> Result<Vec<ResourceDrift>, Error> {
        let stack = &self.request.stack;
        let found = self.cloudformation.stack(stack).await?;
        let Some(found) = found.filter(|found| found.status != REVIEWED) else {
            return Err(Error::failed(format!("there is no stack {stack}"))
                .hint("`unstale setup` makes it; --stack NAME names another"));
        };
        if is_leftover(&found.status) {
            return Err(
                Error::failed(format!("the stack {stack} is {}", found.status))
                    .hint("`unstale setup` removes what is left of it, and makes it anew"),
            );
        }
        let detection = self.cloudformation.detect_drift(stack).await?;
        let mut pause = self.pace.0;
        loop {
            let (status, reason) = self.cloudformation.drift_detection(&detection).await?;
            match status.as_str() {
                "DETECTION_IN_PROGRESS" => self.wait(&mut pause).await?,
                "DETECTION_COMPLETE" => break,
                _ => {
                    return Err(Error::failed(format!(
                        "the stack {stack} cannot be compared with its template"
                    ))
                    .because(reason.unwrap_or(status)));
                }
            }
        }
        let drifts = self.cloudformation.drifts(stack).await?.into_iter();
        Ok(drifts.filter_map(unexpected).collect())
    }
}
