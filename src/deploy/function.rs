//! Writes, publishes and associates the CloudFront Function that answers redirects.

use crate::aws::function::{AssociationOutcome, FunctionCode};
use crate::aws::{AwsError, CloudFront};
use crate::job::EventSink;
use crate::job::event::DeployEvent;
use crate::rules::edge_function;
use crate::survey::targets::SiteFunction;
use crate::survey::wanted_function::{denied, not_ours};

/// What it is done with.
pub(super) struct FunctionTools<'a> {
    pub(super) cloudfront: &'a CloudFront,
    pub(super) may_go: &'a dyn Fn() -> bool,
    pub(super) tell: &'a EventSink,
}

impl SiteFunction {
    /// Writes, publishes and associates it. Returns the distributions that stay as they were; why is told.
    pub(super) async fn deploy(&mut self, step: &FunctionTools<'_>) -> Vec<String> {
        if self.done {
            return Vec::new();
        }
        let arn = match self.publish(step).await {
            Ok(arn) => arn,
            Err(why) => {
                step.tell.tell(DeployEvent::Warned(why));
                return self.all();
            }
        };
        let mut undone = Vec::new();
        for id in &self.change.associate {
            if !(step.may_go)() {
                undone.push(id.clone());
            } else if let Err(why) = self.associate(step, id, &arn).await {
                step.tell.tell(DeployEvent::Warned(why));
                undone.push(id.clone());
            }
        }
        self.done = undone.is_empty();
        undone
    }

    /// Has viewers meet the code, and returns the function's ARN.
    async fn publish(&self, step: &FunctionTools<'_>) -> Result<String, String> {
        let change = &self.change;
        let name = change.name.as_str();
        let told = |error: AwsError| denied(name, &error);
        if !change.publish {
            return step.cloudfront.function_arn(name).await.map_err(told);
        }
        let written = step.cloudfront.function(name, false).await.map_err(told)?;
        let etag = match written {
            // A deploy that died wrote it: it is not written again.
            Some(written) if written.text == *change.code => written.etag,
            written => {
                let ours = |code: &FunctionCode| edge_function::is_ours(&code.text, &self.site);
                if !written.as_ref().is_none_or(ours) {
                    return Err(not_ours(name, &self.site));
                }
                let over = written.as_ref().map(|written| written.etag.as_str());
                let code = &change.code;
                let etag = step.cloudfront.write_function(name, code, over).await;
                etag.map_err(told)?
            }
        };
        if !(step.may_go)() {
            return Err(format!(
                "the function {name} was not published: the deploy was stopped"
            ));
        }
        let arn = step.cloudfront.publish_function(name, &etag).await;
        let arn = arn.map_err(told)?;
        let name = name.to_owned();
        step.tell.tell(DeployEvent::FunctionPublished { name });
        Ok(arn)
    }

    /// Has the default behavior of a distribution run it. `Err`: why it does not.
    async fn associate(&self, step: &FunctionTools<'_>, id: &str, arn: &str) -> Result<(), String> {
        let name = &self.change.name;
        match step.cloudfront.associate(id, arn).await {
            Ok(AssociationOutcome::Done) => {
                let (name, target) = (name.clone(), id.to_owned());
                step.tell
                    .tell(DeployEvent::FunctionAssociated { name, target });
                Ok(())
            }
            Ok(AssociationOutcome::Taken(other)) => Err(format!(
                "{id}: the function {name} is not associated, since {other} sees its requests by now"
            )),
            Err(error) => Err(denied(name, &error)),
        }
    }
}
