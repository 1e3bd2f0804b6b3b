//! Which rights there are: each action of the policy that `unstale policy` prints, tried by a request that changes nothing.

use super::bucket::ReadableBucket;
use super::finding::CheckUp;
use crate::aws::tried_distributions::TriedResources;
use crate::aws::{AwsClients, AwsError};
use crate::error::Error;
use crate::job::Job;
use crate::setup::policy::PolicyStatement;
use crate::setup::rights::least_policy;
use crate::survey::targets::ResolvedDistribution;

const RIGHTS: &str = "rights";

/// Deploys do without these, at a price that their warnings tell.
const SPARED: [&str; 11] = [
    "s3:GetBucketVersioning",
    "s3:GetBucketWebsite",
    "s3:GetObjectVersion",
    "s3:ListBucketMultipartUploads",
    "cloudfront:GetCachePolicy",
    "cloudfront:GetContinuousDeploymentPolicy",
    "cloudfront:GetDistribution",
    "cloudfront:GetDistributionConfig",
    "cloudfront:GetFunction",
    "cloudfront:ListInvalidations",
    "cloudfront:TestFunction",
];

/// What came of trying all actions.
#[derive(Debug, Default)]
struct TriedRights {
    allowed: Vec<String>,
    /// Each with what it is to be allowed on.
    denied: Vec<(String, String)>,
    /// Requests that failed otherwise.
    failed: Vec<AwsError>,
    untried: Vec<String>,
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
    let mut tried = TriedRights::default();
    for statement in &policy.statement {
        for action in statement.action.texts() {
            if action.starts_with("s3:") {
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
            return self.untried.push(action.to_owned());
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

    fn note(
        &mut self,
        (action, statement): (&str, &PolicyStatement),
        answer: Option<Result<(), AwsError>>,
    ) {
        match answer {
            None => self.untried.push(action.to_owned()),
            Some(Ok(())) => self.allowed.push(action.to_owned()),
            Some(Err(error)) if error.is_denied() => {
                let on = statement.resource.texts().join(", ");
                self.denied.push((action.to_owned(), on));
            }
            Some(Err(error)) => self.failed.push(error),
        }
    }

    fn tell(mut self, check: &mut CheckUp) {
        for list in [&mut self.allowed, &mut self.untried] {
            list.sort_unstable();
            list.dedup();
        }
        if !self.allowed.is_empty() {
            let count = self.allowed.len();
            check.fine(
                RIGHTS,
                format!("{count} actions tried by harmless requests and allowed"),
            );
        }
        self.denied.sort_unstable();
        self.denied.dedup();
        for (action, on) in self.denied {
            let text = format!("{action} is denied");
            let hint = format!("allow {action} on {on}: `unstale policy` prints what is needed");
            if SPARED.contains(&action.as_str()) {
                check.warn(RIGHTS, text, hint);
            } else {
                check.problem(RIGHTS, Error::failed(text).hint(hint));
            }
        }
        for error in self.failed {
            check.unchecked(RIGHTS, error.to_string());
        }
        if !self.untried.is_empty() {
            check.unchecked(
                RIGHTS,
                format!("nothing harmless tells: {}", self.untried.join(", ")),
            );
        }
    }
}
