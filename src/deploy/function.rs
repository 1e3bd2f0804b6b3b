//! Writes, tests, publishes and associates the CloudFront Function of a site, or takes it off.

use std::time::Instant;

use crate::aws::function::{AssociationOutcome, FunctionCode, FunctionDraft, FunctionEvents};
use crate::aws::{AwsError, CloudFront};
use crate::job::EventSink;
use crate::job::event::DeployEvent;
use crate::job::stop::StopSignal;
use crate::rules::edge_function;
use crate::survey::targets::SiteFunction;
use crate::survey::wanted_function::{denied, not_ours};

/// What it is done with.
pub(super) struct FunctionTools<'a> {
    pub(super) cloudfront: &'a CloudFront,
    pub(super) may_go: &'a dyn Fn() -> bool,
    pub(super) tell: &'a EventSink,
    pub(super) stop: &'a StopSignal,
    /// How long the deploy has patience.
    pub(super) until: Instant,
}

impl FunctionTools<'_> {
    /// Fails where the next step of this function may not begin.
    pub(super) fn go_on(&self, name: &str) -> Result<(), String> {
        if (self.may_go)() {
            return Ok(());
        }
        Err(format!(
            "the function {name} was not published: the deploy was stopped"
        ))
    }
}

/// What was not done.
#[derive(Debug, Default)]
pub(super) struct UndoneFunction {
    /// The distributions that stay as they were.
    pub(super) ids: Vec<String>,
    pub(super) why: Vec<String>,
}

impl SiteFunction {
    /// Brings it about: first what its key value store lacks, then the code, then where it runs, then what the store has no more. Viewers
    /// never meet code that asks for what is not there; where a deploy dies in between, the next plan finds the rest.
    pub(super) async fn deploy(&mut self, step: &FunctionTools<'_>) -> UndoneFunction {
        if self.done {
            return UndoneFunction::default();
        }
        let arn = match self.publish(step).await {
            Ok(arn) => arn,
            Err(why) => {
                return UndoneFunction {
                    ids: self.all(),
                    why: vec![why],
                };
            }
        };
        let mut undone = UndoneFunction::default();
        for (id, events) in self.placements() {
            let placed = match step.go_on(&self.change.name) {
                Ok(()) => self.associate(step, (&id, events), &arn).await,
                stopped => stopped,
            };
            if let Err(why) = placed {
                undone.ids.push(id);
                undone.why.push(why);
            }
        }
        self.done = undone.ids.is_empty();
        // Without this the store holds more than it needs to: the function is live all the same.
        if let Err(why) = self.delete_keys(step).await {
            step.tell.tell(DeployEvent::Warned(why));
        }
        undone
    }

    /// Returns where what it sees changes.
    fn placements(&self) -> Vec<(String, FunctionEvents)> {
        let change = &self.change;
        let events = if change.answers {
            FunctionEvents::RequestsAndAnswers
        } else {
            FunctionEvents::Requests
        };
        let associate = change.associate.iter().map(|id| (id.clone(), events));
        let remove = change.remove.iter();
        let remove = remove.map(|id| (id.clone(), FunctionEvents::Nothing));
        associate.chain(remove).collect()
    }

    /// Has viewers meet the code, and returns the function's ARN.
    async fn publish(&mut self, step: &FunctionTools<'_>) -> Result<String, String> {
        let store = self.put_keys(step).await?;
        let name = self.change.name.as_str();
        let told = |error: AwsError| denied(name, &error);
        if !self.change.publish {
            return step.cloudfront.function_arn(name).await.map_err(told);
        }
        let etag = self.write(step, store.as_deref()).await?;
        self.try_out(step, &etag).await?;
        step.go_on(name)?;
        let arn = step.cloudfront.publish_function(name, &etag).await;
        let arn = arn.map_err(told)?;
        let name = name.to_owned();
        step.tell.tell(DeployEvent::FunctionPublished { name });
        self.published = true;
        Ok(arn)
    }

    /// Writes the code where it is not written yet, and returns its ETag.
    async fn write(&self, step: &FunctionTools<'_>, store: Option<&str>) -> Result<String, String> {
        let (change, site) = (&self.change, &self.site);
        let name = change.name.as_str();
        let told = |error: AwsError| denied(name, &error);
        let written = step.cloudfront.function(name, false).await.map_err(told)?;
        if let Some(written) = &written {
            // A deploy that died wrote it: it is not written again.
            if written.text == *change.code {
                return Ok(written.etag.clone());
            }
            if !edge_function::is_ours(&written.text, site) {
                return Err(not_ours(name, site));
            }
        }
        let over = written.map(|FunctionCode { etag, .. }| etag);
        let draft = FunctionDraft {
            code: &change.code,
            comment: &edge_function::comment(site),
            store,
        };
        let etag = step.cloudfront.write_function(name, draft, over.as_deref());
        etag.await.map_err(told)
    }

    /// Has the default behavior of a distribution run it for these events alone. `Err`: why it does not.
    async fn associate(
        &self,
        step: &FunctionTools<'_>,
        (id, events): (&str, FunctionEvents),
        arn: &str,
    ) -> Result<(), String> {
        let name = &self.change.name;
        match step
            .cloudfront
            .associate(id, (arn, &self.change.replaces), events)
            .await
        {
            Ok(AssociationOutcome::Done) => {
                let (name, target) = (name.clone(), id.to_owned());
                step.tell.tell(match events {
                    FunctionEvents::Nothing => DeployEvent::FunctionTakenOff { name, target },
                    _ => DeployEvent::FunctionAssociated { name, target },
                });
                Ok(())
            }
            Ok(AssociationOutcome::Taken(other)) => Err(format!(
                "{id}: the function {name} is not associated, since {other} sees its requests or answers by now"
            )),
            Err(error) => Err(denied(name, &error)),
        }
    }
}
