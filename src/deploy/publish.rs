//! When the functions of a deploy are published: after the uploads that they lead to, and where they ask for a password, before.

use super::function::FunctionTools;
use super::progress::HaltReason;
use super::steps::RunningDeploy;
use crate::aws::CloudFront;
use crate::job::event::DeployEvent;
use crate::survey::targets::SiteFunction;

impl RunningDeploy<'_> {
    /// Has every edge ask for the password before anything else becomes live. Nothing is uploaded where that fails.
    pub(super) async fn protect(&mut self) -> Result<(), HaltReason> {
        if self.context.job.password.is_none() {
            return Ok(());
        }
        let undone = self.publish_chosen(|function| function.protects).await?;
        if !undone.is_empty() {
            return Err(HaltReason::Unprotected(undone));
        }
        self.wait_until_protected().await
    }

    /// Lets the functions answer, whose redirects lead to what is live now. What cannot be done is told, and the purge is made for
    /// what is.
    pub(super) async fn publish_functions(&mut self) -> Result<(), HaltReason> {
        self.write_headers_policies().await?;
        let undone = self.publish_chosen(|function| !function.protects).await?;
        for why in undone {
            self.context.tell.tell(DeployEvent::Warned(why));
        }
        Ok(())
    }

    /// Lets edges send the headers that S3 does not keep.
    async fn write_headers_policies(&mut self) -> Result<(), HaltReason> {
        self.go_on()?;
        if self.progress.has_failed() {
            return Ok(());
        }
        if let Some(mut headers) = self.scene.targets.headers.take() {
            let cloudfront = self.context.aws.cloudfront();
            let may_go = || self.go_on().is_ok();
            let step = self.function_tools(&cloudfront, &may_go);
            let site = self.context.job.site_name();
            self.lease.within(headers.deploy(&step, &site)).await?;
            self.scene.targets.headers = Some(headers);
        }
        Ok(())
    }

    /// Returns what functions and policies are changed with.
    fn function_tools<'t>(
        &'t self,
        cloudfront: &'t CloudFront,
        may_go: &'t dyn Fn() -> bool,
    ) -> FunctionTools<'t> {
        FunctionTools {
            cloudfront,
            may_go,
            tell: self.context.tell,
            stop: self.context.stop,
            until: self.sender.invalidator.until,
        }
    }

    /// Returns why some of it was not done.
    async fn publish_chosen(
        &mut self,
        is_chosen: fn(&SiteFunction) -> bool,
    ) -> Result<Vec<String>, HaltReason> {
        let mut undone = Vec::new();
        for mut function in std::mem::take(&mut self.scene.targets.functions) {
            let published = if is_chosen(&function) {
                self.publish_function(&mut function).await
            } else {
                Ok(Vec::new())
            };
            self.scene.targets.functions.push(function);
            undone.extend(published?);
        }
        Ok(undone)
    }

    async fn publish_function(
        &mut self,
        function: &mut SiteFunction,
    ) -> Result<Vec<String>, HaltReason> {
        self.go_on()?;
        if self.progress.has_failed() {
            self.leave(function, &function.all());
            return Ok(Vec::new());
        }
        let cloudfront = self.context.aws.cloudfront();
        let may_go = || self.go_on().is_ok();
        let step = self.function_tools(&cloudfront, &may_go);
        let undone = self.lease.within(function.deploy(&step)).await?;
        self.progress.begun |= function.published || function.done;
        self.leave(function, &undone.ids);
        Ok(undone.why)
    }

    /// Takes these distributions for what they are without the function, and all others for changed.
    fn leave(&mut self, function: &mut SiteFunction, undone: &[String]) {
        self.progress.reconfigured |= !undone.is_empty();
        function.undo(undone, &mut self.scene.targets);
        for target in &mut self.scene.targets.found {
            let id = target.id().to_owned();
            let change = &function.change;
            let is_changed = change.associate.contains(&id) || change.remove.contains(&id);
            target.in_progress |= is_changed && !undone.contains(&id);
        }
    }
}
