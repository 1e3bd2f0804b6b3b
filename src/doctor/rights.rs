//! Which rights there are: each action of the policy that `unstale policy` prints, tried by a request that changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::bucket::ReadableBucket;
use super::finding::CheckUp;
use crate::aws::tried_distributions::TriedResources;
use crate::aws::tried_objects::{TriedAction, is_read};
use crate::aws::{AwsClients, AwsError, AwsErrorKind};
use crate::error::Error;
use crate::job::Job;
use crate::setup::policy::PolicyStatement;
use crate::setup::rights::least_policy;
use crate::survey::targets::ResolvedDistribution;

const RIGHTS: &str = "rights";

/// Deploys do without these, at a price that their warnings tell.
const SPARED: [&str; 10] = [
    "s3:GetBucketVersioning",
    "s3:GetBucketWebsite",
    "s3:GetObjectVersion",
    "s3:ListBucketMultipartUploads",
    "cloudfront:GetCachePolicy",
    "cloudfront:GetContinuousDeploymentPolicy",
    "cloudfront:GetDistribution",
    "cloudfront:GetDistributionConfig",
    "cloudfront:GetFunction",
    "cloudfront:TestFunction",
];

/// Why actions were not tried, in the order in which it is told.
const NO_DISTRIBUTION: &str = "once there is a distribution to try them on";
const NOT_SERVED: &str = "this server does not do it";
const NOT_AWS: &str = "tried at AWS alone, since other servers may do what it refuses";
const MAKES_SOMETHING: &str = "nothing harmless tells";

const READ: &str = "cloudfront:GetDistributionConfig";

/// What came of trying all actions.
#[derive(Debug, Default)]
struct TriedRights {
    allowed: BTreeSet<String>,
    /// Each with what it is to be allowed on.
    denied: BTreeSet<(String, String)>,
    /// Actions, with what was answered.
    unknown: BTreeSet<(String, String)>,
    /// Actions by the reason why they were not tried.
    untried: BTreeMap<&'static str, BTreeSet<String>>,
}

/// Tries what deploys by these settings need.
pub(super) async fn examine(
    check: &mut CheckUp,
    aws: &AwsClients,
    (job, bucket): (&Job, &ReadableBucket),
    targets: &[ResolvedDistribution],
) {
    let policy = match least_policy(&job.settings) {
        Ok(policy) => policy,
        Err(error) => return check.problem(RIGHTS, error),
    };
    let is_strict = job.settings.local.is_some() || aws.are_official();
    let mut tried = TriedRights::default();
    for statement in &policy.statement {
        for action in statement.action.texts() {
            if !is_strict && !is_read(action) {
                tried.leave_out(NOT_AWS, action);
            } else if action.starts_with("s3:") {
                tried.object_action(action, statement, bucket).await;
            } else {
                tried
                    .distribution_action((action, statement), aws, (job, targets))
                    .await;
            }
        }
    }
    tried.tell(check);
}

impl TriedRights {
    async fn object_action(
        &mut self,
        action: &str,
        statement: &PolicyStatement,
        bucket: &ReadableBucket,
    ) {
        let place = &bucket.place;
        // The statements of a state that lies elsewhere.
        let is_state = statement.sid.ends_with("State");
        let (bucket, folder) = if is_state {
            (&place.store.bucket, &place.store.root)
        } else {
            (&place.bucket, &place.prefix)
        };
        let answer = bucket.try_action(action, folder).await;
        self.note((action, statement), answer);
    }

    /// Tries an action on each distribution.
    async fn distribution_action(
        &mut self,
        (action, statement): (&str, &PolicyStatement),
        aws: &AwsClients,
        (job, targets): (&Job, &[ResolvedDistribution]),
    ) {
        if targets.is_empty() {
            return self.leave_out(NO_DISTRIBUTION, action);
        }
        for target in targets {
            let distribution = target.readable();
            let id = distribution.map_or(target.id(), |distribution| distribution.id.as_str());
            let function = job.function.as_ref();
            let function = function.map(|name| name.for_distribution(id));
            let on = TriedResources {
                target: &target.target,
                distribution: id,
                function: function.as_deref(),
            };
            let answer = aws.cloudfront().try_action(action, on).await;
            self.note((action, statement), answer);
        }
    }

    fn leave_out(&mut self, why: &'static str, action: &str) {
        let actions = self.untried.entry(why).or_default();
        actions.insert(action.to_owned());
    }

    fn note(&mut self, (action, statement): (&str, &PolicyStatement), answer: TriedAction) {
        match answer {
            None => self.leave_out(MAKES_SOMETHING, action),
            Some(Ok(())) => _ = self.allowed.insert(action.to_owned()),
            Some(Err(error)) if error.is(&AwsErrorKind::NotImplemented) => {
                self.leave_out(NOT_SERVED, action);
            }
            // What is changed is read before.
            Some(Err(error)) if error.is_denied() && error.action == READ && action != READ => {
                let answer = (action.to_owned(), format!("it needs {READ} first"));
                self.unknown.insert(answer);
            }
            // A key's own refusal is no word about the action.
            Some(Err(error)) if error.is_denied() && !error.code().starts_with("KMS.") => {
                let on = statement.resource.texts().join(", ");
                self.denied.insert(
                    other_action(&error, action).unwrap_or_else(|| (action.to_owned(), on)),
                );
            }
            Some(Err(error)) => {
                let answer = (action.to_owned(), error.code().to_owned());
                self.unknown.insert(answer);
            }
        }
    }

    fn tell(self, check: &mut CheckUp) {
        if !self.allowed.is_empty() {
            let count = self.allowed.len();
            check.fine(
                RIGHTS,
                format!("{count} actions tried by harmless requests and allowed"),
            );
        }
        for (action, on) in self.denied {
            let text = format!("{action} is denied");
            let hint = format!("allow {action} on {on}: `unstale policy` prints what is needed");
            if SPARED.contains(&action.as_str()) {
                check.warn(RIGHTS, text, hint);
            } else {
                check.problem(RIGHTS, Error::failed(text).hint(hint));
            }
        }
        for (action, answer) in self.unknown {
            check.unchecked(RIGHTS, format!("{action} is not known: {answer}"));
        }
        for (why, actions) in self.untried {
            let actions: Vec<String> = actions.into_iter().collect();
            check.unchecked(RIGHTS, format!("{why}: {}", actions.join(", ")));
        }
    }
}

/// Returns the action that a refusal names where it is another than was tried, such as one of KMS, and on what it is missing.
fn other_action(error: &AwsError, tried: &str) -> Option<(String, String)> {
    let (_, rest) = error.message.split_once("not authorized to perform: ")?;
    let mut words = rest.split_whitespace();
    let action = words.next().filter(|action| *action != tried)?;
    let resource = words.skip_while(|word| *word != "resource:").nth(1)?;
    Some((action.to_owned(), resource.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::finding::CheckOutcome;
    use super::*;

    fn answered(kind: AwsErrorKind, message: &str) -> TriedAction {
        Some(Err(AwsError {
            action: "s3:PutObject",
            resource: "s3://b/x".to_owned(),
            kind,
            status: 403,
            message: message.to_owned(),
        }))
    }

    #[test]
    fn an_answer_is_leave_or_denial_only_where_it_says_so() {
        const KEY: &str = "AccessDenied: User: arn:aws:iam::1:user/u is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:r:1:key/k because no";
        const SAME: &str = "AccessDenied: User: u is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::b/x\"";
        for (answer, told) in [
            (Some(Ok(())), "fine 1 actions tried by harmless requests"),
            (None, "unchecked nothing harmless tells: s3:PutObject"),
            (
                answered(AwsErrorKind::AccessDenied, "AccessDenied: Access Denied"),
                "problem s3:PutObject is denied -> allow s3:PutObject on b/*",
            ),
            (
                answered(AwsErrorKind::AccessDenied, SAME),
                "problem s3:PutObject is denied -> allow s3:PutObject on b/*",
            ),
            (
                answered(AwsErrorKind::AccessDenied, KEY),
                "problem kms:GenerateDataKey is denied -> allow kms:GenerateDataKey on arn:aws:kms:r:1:key/k",
            ),
            (
                answered(AwsErrorKind::AccessDenied, "KMS.DisabledException: off"),
                "unchecked s3:PutObject is not known: KMS.DisabledException",
            ),
            (
                answered(AwsErrorKind::Other, "InvalidRequest: no"),
                "unchecked s3:PutObject is not known: InvalidRequest",
            ),
            (
                answered(AwsErrorKind::NotImplemented, "NotImplemented: no"),
                "unchecked this server does not do it: s3:PutObject",
            ),
        ] {
            let mut tried = TriedRights::default();
            let statement = PolicyStatement::new("Objects", "s3:PutObject", "b/*");
            tried.note(("s3:PutObject", &statement), answer);
            let mut check = CheckUp::default();
            tried.tell(&mut check);
            let text = match check.findings.remove(0).outcome {
                CheckOutcome::Fine(text) => format!("fine {text}"),
                CheckOutcome::Warning(text, _) => format!("warning {text}"),
                CheckOutcome::Problem(error) => {
                    let hint = error.hint.clone().unwrap_or_default();
                    format!("problem {error} -> {hint}")
                }
                CheckOutcome::Unchecked(text) => format!("unchecked {text}"),
            };
            assert!(text.starts_with(told), "{text}");
        }
    }
}
