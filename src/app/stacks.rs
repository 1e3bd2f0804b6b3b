//! Brings stacks to where their templates have them: shown, agreed to, carried out.

use std::collections::BTreeMap;
use std::time::Duration;

use md5::{Digest, Md5};

use super::App;
use super::connect::Link;
use crate::aws::cloudformation::{SiteStack, StackChange, StackRequest};
use crate::cli::SetupArgs;
use crate::error::{Error, Exit};
use crate::report::Printer;
use crate::setup::design::CERTIFICATE_REGION;
use crate::setup::run::{HALF_REMOVED, SetupEvent, StackProposal, StackRun, StackStanding};

const BUCKET: &str = "AWS::S3::Bucket";

const REMOVES: &str = "something would be removed or replaced: --yes --remove agrees to that, too";

/// The stacks of one site.
pub(super) struct SetupStacks<'a> {
    pub app: &'a App,
    pub link: &'a Link,
    pub flags: &'a SetupArgs,
    /// The domain's, where the account has it.
    pub zone: Option<String>,
    pub tell: &'a (dyn Fn(SetupEvent) + Sync),
}

impl<'a> SetupStacks<'a> {
    pub(super) fn run(&self, region: &str, request: StackRequest) -> StackRun<'a> {
        StackRun {
            cloudformation: self.link.aws.cloudformation(Some(region)),
            region: region.to_owned(),
            request,
            first: None,
            zone: self.zone.clone(),
            pace: if self.link.is_official() {
                (Duration::from_millis(500), Duration::from_secs(5))
            } else {
                (Duration::from_millis(20), Duration::from_millis(200))
            },
            stop: &self.app.stop,
            tell: self.tell,
        }
    }

    /// Brings a stack to where its template has it, and returns it. `next` needs what this one gives: it is shown, and agreed to, before
    /// either is made. `agreed` are changes that were agreed to before: on return, those of `next`.
    pub(super) async fn stand(
        &self,
        run: &StackRun<'_>,
        next: Option<&StackRun<'_>>,
        agreed: &mut Vec<StackChange>,
    ) -> Result<SiteStack, Error> {
        let mut has_begun = false;
        loop {
            match run.standing().await? {
                StackStanding::Ready(stack) => {
                    self.app.printer.unchanged_stack(&run.request.stack);
                    return Ok(stack);
                }
                StackStanding::Leftover(stack) => {
                    self.app.printer.leftover(&run.request.stack, &stack);
                    let SetupArgs { yes, remove, .. } = *self.flags;
                    if stack.status == HALF_REMOVED && yes && !remove {
                        return Err(unanswered(&run.request.stack).hint(REMOVES));
                    }
                    self.agree(&run.request.stack).await?;
                    run.remove(&stack).await?;
                }
                StackStanding::Proposed(proposal) => {
                    let is_agreed = has_begun && proposal.only_modifies();
                    if !is_agreed && (agreed.is_empty() || *agreed != proposal.changes) {
                        let answer = self.propose(run, (&proposal, next), agreed).await;
                        if let Err(error) = answer {
                            run.withdraw(&proposal).await?;
                            return Err(error);
                        }
                    }
                    let stack = run.carry_out(&proposal).await?;
                    if run.first.is_none() || !proposal.is_new {
                        return Ok(stack);
                    }
                    // The bucket is in, as it was: now it becomes what was agreed to.
                    has_begun = true;
                }
            }
        }
    }

    /// Shows what would be done, and asks. An error: it is not to be.
    async fn propose(
        &self,
        run: &StackRun<'_>,
        (proposal, next): (&StackProposal, Option<&StackRun<'_>>),
        agreed: &mut Vec<StackChange>,
    ) -> Result<(), Error> {
        let takes_back = self.show(run, proposal).await?;
        let mut allowed = self.allows(proposal, takes_back);
        if let Some(next) = next
            && let StackStanding::Proposed(proposal) = next.standing().await?
        {
            let takes_back = self.show(next, &proposal).await;
            next.withdraw(&proposal).await?;
            allowed = allowed.and(self.allows(&proposal, takes_back?));
            *agreed = proposal.changes;
        }
        allowed?;
        self.agree(&run.request.stack).await
    }

    /// Shows what would be done; returns whether it takes back what was changed by hand.
    async fn show(&self, run: &StackRun<'_>, proposal: &StackProposal) -> Result<bool, Error> {
        let taken_back = run.taken_back(proposal).await?;
        let printer = &self.app.printer;
        printer.proposal(proposal, &run.region, &taken_back);
        Ok(!taken_back.is_empty())
    }

    /// Refuses what `--yes` alone does not agree to, and a bucket to take in that is not there.
    fn allows(&self, proposal: &StackProposal, takes_back: bool) -> Result<(), Error> {
        let SetupArgs {
            yes,
            remove,
            import_bucket,
            ..
        } = *self.flags;
        let unanswered = |hint| Err(unanswered(&proposal.stack).hint(hint));
        let makes = |change: &StackChange| change.kind == BUCKET && change.action == "Add";
        if import_bucket && proposal.changes.iter().any(makes) {
            return Err(Error::usage(
                "--import-bucket: the account has no such bucket outside of stacks",
            )
            .hint("without it, the bucket is made; --bucket NAME names another"));
        }
        if proposal.takes_in() && !import_bucket {
            return unanswered("a bucket would be taken in: --import-bucket agrees to that");
        }
        let unasked = yes && !remove;
        if unasked && proposal.takes_away() {
            return unanswered(REMOVES);
        }
        if unasked && takes_back {
            return unanswered(
                "what was changed by hand would be taken back: --yes --remove agrees to that, too",
            );
        }
        Ok(())
    }

    /// Asks whether this may be done to a stack. An error: it may not.
    async fn agree(&self, stack: &str) -> Result<(), Error> {
        let question = |printer: &Printer| printer.agrees("CloudFormation will do this.");
        if self.flags.yes || self.app.agrees(question).await? {
            Ok(())
        } else {
            Err(unanswered(stack))
        }
    }

    /// Compares a stack, and the certificate's own where there is one, with their templates.
    pub(super) async fn check(&self, stack: &str, region: &str) -> Result<Exit, Error> {
        let run =
            |region, stack: &str| self.run(region, request(stack, String::new(), BTreeMap::new()));
        let mut drifts = run(region, stack).drifts().await?;
        let certificate = run(CERTIFICATE_REGION, &certificate_stack(stack));
        let name = &certificate.request.stack;
        let has_own =
            region != CERTIFICATE_REGION && certificate.cloudformation.stack(name).await?.is_some();
        if has_own {
            drifts.extend(certificate.drifts().await?);
        }
        self.app.printer.drift(stack, &drifts);
        Ok(if drifts.is_empty() {
            Exit::Done
        } else {
            Exit::Changes
        })
    }
}

/// Returns the name of the stack that a site's certificate has where the site is elsewhere.
pub(super) fn certificate_stack(stack: &str) -> String {
    format!("{stack}-certificate")
}

/// Returns the request for a stack: its change set is named by what it is made from, so that an equal one is found again.
pub(super) fn request(
    stack: &str,
    template: String,
    parameters: BTreeMap<String, String>,
) -> StackRequest {
    let digest = Md5::digest(format!("{template}{parameters:?}"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    StackRequest {
        name: format!("unstale-{digest}"),
        stack: stack.to_owned(),
        template,
        parameters,
        imports: false,
    }
}

fn unanswered(stack: &str) -> Error {
    Error::usage(format!(
        "nothing was made of the stack {stack}: nobody agreed to it"
    ))
    .hint("--yes agrees")
}
