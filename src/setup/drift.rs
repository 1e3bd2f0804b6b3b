//! Whether a stack is still as its template says.

use super::failure::unexpected;
use super::run::{REVIEWED, StackRun};
use crate::aws::stack_drift::ResourceDrift;
use crate::error::Error;

impl StackRun<'_> {
    /// Compares the stack with its template by CloudFormation's own means, and returns what differs.
    ///
    /// # Errors
    /// Where it cannot be compared; `Exit::Interrupted`.
    pub(crate) async fn drifts(&self) -> Result<Vec<ResourceDrift>, Error> {
        let stack = &self.request.stack;
        let found = self.cloudformation.stack(stack).await?;
        if found.is_none_or(|found| found.status == REVIEWED) {
            return Err(Error::failed(format!("there is no stack {stack}"))
                .hint("`unstale setup` makes it; --stack NAME names another"));
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
