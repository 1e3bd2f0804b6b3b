//! What deploys wrote into a stack: it goes into the next template as it stands, so that CloudFormation takes nothing of it back.

use super::run::is_made;
use crate::aws::distribution_settings::LiveBehavior;
use crate::aws::{AwsClients, AwsError};

/// A stack that was made before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StandingParts {
    /// What it was made from; empty where it is still to be made, or only to be removed.
    pub template: String,
    /// What its distribution runs and sends by default, but for the stack's own headers policy; `None`: there is no distribution.
    pub behavior: Option<LiveBehavior>,
}

impl StandingParts {
    /// Reads what stands of a stack.
    ///
    /// # Errors
    /// Where it, its template or its distribution cannot be read.
    pub(crate) async fn read(aws: &AwsClients, stack: &str) -> Result<Self, AwsError> {
        let cloudformation = aws.cloudformation(None);
        let found = cloudformation.stack(stack).await?;
        let Some(found) = found.filter(|found| is_made(&found.status)) else {
            return Ok(Self::default());
        };
        let template = cloudformation.template(stack).await?.unwrap_or_default();
        let mut behavior = match found.outputs.get("DistributionId") {
            Some(id) => aws.cloudfront().live_behavior(id).await?,
            None => None,
        };
        let own = found.outputs.get("HeadersPolicyId");
        if let Some(behavior) = &mut behavior
            && behavior.headers_policy.as_ref() == own
        {
            behavior.headers_policy = None;
        }
        Ok(Self { template, behavior })
    }

    /// Returns name and code of the stack's function, as it was made.
    pub(crate) fn function(&self) -> Option<(String, String)> {
        let name = self.name_of("EdgeFunction")?;
        let mut lines =
            (self.resource("EdgeFunction")).skip_while(|line| line.trim() != "FunctionCode: |");
        let depth = indent(lines.next()?) + 2;
        let code = lines.take_while(|line| line.is_empty() || indent(line) >= depth);
        let code: Vec<&str> = code
            .map(|line| line.get(depth..).unwrap_or_default())
            .collect();
        Some((name, code.join("\n").trim_end().to_owned() + "\n"))
    }

    /// Returns the name of the stack's headers policy.
    pub(crate) fn headers_policy(&self) -> Option<String> {
        self.name_of("HeadersPolicy")
    }

    /// Returns the site that the stack's distribution shows, as bucket and folder.
    pub(crate) fn site(&self) -> Option<(&str, &str)> {
        self.behavior.as_ref()?;
        let bucket = self.value_of("Bucket", "BucketName")?;
        let path = self.value_of("Distribution", "OriginPath");
        Some((bucket, path.unwrap_or_default().trim_start_matches('/')))
    }

    /// Returns the earlier template where this one differs in nothing but what deploys associate.
    pub(crate) fn unless_changed(&self, template: String) -> String {
        let is_same = without_associations(&template) == without_associations(&self.template);
        if is_same {
            self.template.clone()
        } else {
            template
        }
    }

    fn resource(&self, name: &str) -> impl Iterator<Item = &str> {
        let head = format!("  {name}:");
        let lines = self.template.lines().skip_while(move |line| *line != head);
        lines
            .skip(1)
            .take_while(|line| line.is_empty() || indent(line) > 2)
    }

    fn value_of(&self, resource: &str, property: &str) -> Option<&str> {
        let mut lines = self.resource(resource).map(str::trim);
        let value = lines.find_map(|line| line.strip_prefix(property)?.strip_prefix(": "))?;
        Some(value.trim_matches('"'))
    }

    fn name_of(&self, resource: &str) -> Option<String> {
        self.value_of(resource, "Name").map(str::to_owned)
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Leaves out of a template what says which functions run and which headers policy is sent.
fn without_associations(template: &str) -> Vec<&str> {
    let mut depth = None;
    let lines = template.lines().filter(|line| {
        if depth.is_some_and(|depth| indent(line) > depth) {
            return false;
        }
        let begins = ["FunctionAssociations:", "ResponseHeadersPolicyId:"];
        depth = begins
            .iter()
            .any(|name| line.trim().starts_with(name))
            .then(|| indent(line));
        depth.is_none()
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "a:\n  EdgeFunction:\n    Name: \"f\"\n      FunctionCode: |\n        // b\n\n          c\n\n  Distribution:\n    FunctionAssociations:\n      - EventType: viewer-request\n    ResponseHeadersPolicyId: x\n    PriceClass: y\n";

    fn parts(template: &str) -> StandingParts {
        StandingParts {
            template: template.to_owned(),
            behavior: None,
        }
    }

    #[test]
    fn the_function_of_an_earlier_run_is_found() {
        let function = ("f".to_owned(), "// b\n\n  c\n".to_owned());
        assert_eq!(parts(TEMPLATE).function(), Some(function));
        assert_eq!(parts("a: b\n").function(), None);
        assert_eq!(parts(TEMPLATE).headers_policy(), None);
    }

    #[test]
    fn associations_alone_change_no_template() {
        let live = TEMPLATE.replace("viewer-request", "viewer-response");
        let live = live.replace("PolicyId: x", "PolicyId: z");
        assert_eq!(parts(TEMPLATE).unless_changed(live.clone()), TEMPLATE);
        let dearer = live.replace("PriceClass: y", "PriceClass: z");
        assert_eq!(parts(TEMPLATE).unless_changed(dearer.clone()), dearer);
    }
}
