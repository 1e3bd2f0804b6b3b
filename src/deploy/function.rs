//! Writes, publishes and associates the CloudFront Function that answers redirects.

use std::time::{Duration, Instant};

use crate::aws::function::{AssociationOutcome, FunctionCode};
use crate::aws::{AwsError, CloudFront};
use crate::job::EventSink;
use crate::job::event::DeployEvent;
use crate::job::stop::StopSignal;
use crate::rules::function;
use crate::survey::targets::SiteFunction;
use crate::survey::wanted_function::{denied, not_ours};

/// Between two looks at whether a distribution is deployed, which takes minutes: longer each time, up to this.
const LOOK: Duration = Duration::from_secs(10);

/// What it is done with.
pub(super) struct FunctionTools<'a> {
    pub(super) cloudfront: &'a CloudFront,
    pub(super) may_go: &'a dyn Fn() -> bool,
    /// How long edges are waited for that do not know of an association yet.
    pub(super) wait: Option<Duration>,
    pub(super) stop: &'a StopSignal,
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
        self.settle(step, &undone).await;
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
                let ours = |code: &FunctionCode| function::is_ours(&code.text, &self.site);
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

    /// Waits until the edges know of what was associated, so that none keeps what it answered before.
    async fn settle(&self, step: &FunctionTools<'_>, undone: &[String]) {
        let Some(patience) = step.wait else { return };
        let until = Instant::now() + patience;
        let associated = self.change.associate.iter();
        for id in associated.filter(|id| !undone.contains(id)) {
            let mut pause = Duration::ZERO;
            while let Ok(false) = step.cloudfront.is_deployed(id).await {
                if !(step.may_go)() {
                    return;
                }
                if Instant::now() >= until {
                    let text = format!(
                        "{id} is not deployed at all edges yet: until then some do not redirect"
                    );
                    step.tell.tell(DeployEvent::Warned(text));
                    break;
                }
                if pause.is_zero() {
                    let target = id.clone();
                    step.tell.tell(DeployEvent::DeploymentAwaited { target });
                }
                pause = LOOK.min(pause + Duration::from_secs(1));
                step.stop.sleep(pause).await;
            }
        }
    }
}
