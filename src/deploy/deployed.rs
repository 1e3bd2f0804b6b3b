//! Waits until all edges know a distribution as it is configured: one that does not yet may fill its cache again by the old
//! configuration once the purge has passed.

use std::time::{Duration, Instant};

use super::progress::HaltReason;
use super::steps::RunningDeploy;
use crate::aws::cloudfront::PurgeTarget;
use crate::job::event::DeployEvent;

/// Between two looks at a distribution, whose deployment takes minutes: longer each time, up to this.
const LOOK: Duration = Duration::from_secs(10);

impl RunningDeploy<'_> {
    /// Waits for the distributions that are to be purged. Those that are not deployed in time are purged all the same, and whole by the
    /// next deploy.
    pub(super) async fn wait_until_deployed(&mut self) -> Result<(), HaltReason> {
        for (target, id) in self.in_progress() {
            let owed = self.journal.purges.get(&target);
            if owed.is_none_or(|owed| owed.batches.is_empty()) {
                continue;
            }
            let until = if self.context.job.settings.wait {
                self.sender.invalidator.until
            } else {
                Instant::now()
            };
            if !self.is_deployed_in_time(&id, until).await? {
                self.context.tell.tell(DeployEvent::Warned(format!(
                    "{target}: edges that do not know its new configuration yet may keep what the old one answers: the next deploy purges \
                     /* once"
                )));
                self.progress.undeployed.insert(target);
            }
        }
        Ok(())
    }

    /// Waits for all distributions whose edges may not ask for the password yet, whether or not the purge is waited for.
    pub(super) async fn wait_until_protected(&mut self) -> Result<(), HaltReason> {
        let until = self.sender.invalidator.until;
        for (target, id) in self.in_progress() {
            if !self.is_deployed_in_time(&id, until).await? {
                return Err(HaltReason::Unprotected(vec![format!(
                    "{target}: its edges may not know the function yet that asks for the password; allow cloudfront:GetDistribution, \
                     which tells when they do, or give --timeout longer"
                )]));
            }
        }
        for target in &mut self.scene.targets.found {
            target.in_progress = false;
        }
        Ok(())
    }

    /// Returns what is purged and not known at all edges as it is configured, with the distribution whose configuration it has: a
    /// tenant has its distribution's.
    fn in_progress(&self) -> Vec<(String, String)> {
        let targets = self.scene.targets.found.iter();
        let in_progress = targets.filter(|target| target.in_progress);
        let configured = in_progress.filter_map(|target| {
            let id = match &target.target {
                PurgeTarget::Distribution(id) => id,
                PurgeTarget::Tenant(_) => &target.readable()?.id,
            };
            Some((target.id().to_owned(), id.clone()))
        });
        configured.collect()
    }

    /// Returns whether all edges know a distribution as it is configured, as soon as they do.
    async fn is_deployed_in_time(&self, id: &str, until: Instant) -> Result<bool, HaltReason> {
        let cloudfront = self.context.aws.cloudfront();
        let begun = Instant::now();
        let mut pause = Duration::ZERO;
        loop {
            let deployed = cloudfront.deployed(id).await;
            if matches!(deployed, Ok(Some(true))) {
                return Ok(true);
            }
            self.go_on()?;
            let waits = Instant::now() < until;
            // Where it may not be asked, nobody knows when it is.
            if !waits || matches!(deployed, Ok(None)) {
                return Ok(false);
            }
            self.context.tell.tell(DeployEvent::DeploymentAwaited {
                target: id.to_owned(),
                elapsed: begun.elapsed(),
            });
            pause = LOOK.min(pause + Duration::from_secs(1));
            let left = until.saturating_duration_since(Instant::now());
            self.context.stop.sleep(pause.min(left)).await;
        }
    }
}
