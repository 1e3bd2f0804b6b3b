//! The bucket: that it is there, whose it is, and what its own configuration does to a site and to the state.

use super::finding::CheckUp;
use super::lifecycle;
use crate::aws::{AwsClients, AwsError, AwsErrorKind, CallerIdentity};
use crate::error::Error;
use crate::job::Job;
use crate::object::plural::counted;
use crate::survey::SiteLocation;

const BUCKET: &str = "bucket";

/// What else is looked at is looked at in the bucket.
pub(super) struct ReadableBucket {
    pub place: SiteLocation,
    /// JSON; `None`: there is none, or it may not be read.
    pub policy: Option<String>,
    /// The policy may be read, so that none means none.
    pub policy_is_known: bool,
}

/// Looks at the bucket, in the region where it is. `None`: nothing in it can be looked at.
pub(super) async fn examine(
    check: &mut CheckUp,
    aws: &AwsClients,
    job: &Job,
    identity: Option<&CallerIdentity>,
) -> Option<ReadableBucket> {
    let mut place = SiteLocation::new(aws, job, job.settings.region.as_deref());
    let mut listed = place.bucket.list_page(&place.prefix, None, None).await;
    if let Err(error) = &listed
        && let AwsErrorKind::WrongRegion(Some(region)) = &error.kind
    {
        check.warn(
            BUCKET,
            format!(
                "{} is in {region}, where each command has to follow it first",
                job.bucket
            ),
            format!("set `region = \"{region}\"` in deploy.toml"),
        );
        place = SiteLocation::new(aws, job, Some(region));
        listed = place.bucket.list_page(&place.prefix, None, None).await;
    }
    match listed {
        Ok(page) => {
            let more = if page.next.is_some() {
                "more than "
            } else {
                ""
            };
            let count = counted(page.objects.len() as u64, "object");
            check.fine(BUCKET, format!("{} holds {more}{count}", place.url()));
        }
        Err(error) => {
            check.problem(BUCKET, explained(error, &job.bucket));
            return None;
        }
    }
    owner(check, &place, identity).await;
    versions(check, &place, job).await;
    lifecycle::examine(check, &place, job).await;
    if let Err(error) = public_access(check, &place).await {
        check.unread(BUCKET, "public access", &error);
    }
    let policy = place.bucket.policy().await;
    if let Err(error) = &policy {
        check.unread(BUCKET, "its policy", error);
    }
    Some(ReadableBucket {
        // Edges of other endpoints may ask for none.
        policy_is_known: match &policy {
            Ok(policy) => job.official || policy.is_some(),
            Err(_) => false,
        },
        policy: policy.ok().flatten(),
        place,
    })
}

/// Says of an answer that has two meanings both.
fn explained(error: AwsError, bucket: &str) -> Error {
    if error.is(&AwsErrorKind::AccessDenied) {
        let hint = error.hint().unwrap_or_default();
        return Error::from(error).hint(format!(
            "{hint}. Names of buckets are taken world-wide: {bucket} may be somebody else's; `aws s3 ls` lists yours"
        ));
    }
    error.into()
}

async fn owner(check: &mut CheckUp, place: &SiteLocation, identity: Option<&CallerIdentity>) {
    let Some(identity) = identity else { return };
    match place.bucket.belongs_to(&identity.account, &place.prefix).await {
        Ok(true) => check.fine(BUCKET, format!("belongs to account {}", identity.account)),
        Ok(false) => check.warn(
            BUCKET,
            format!("is not of account {}, whose credentials these are", identity.account),
            "if that is not meant, check `bucket` and the profile; `expected-bucket-owner` in deploy.toml refuses other accounts' buckets",
        ),
        Err(error) => check.unread(BUCKET, "its owner", &error),
    }
}

async fn versions(check: &mut CheckUp, place: &SiteLocation, job: &Job) {
    match place.bucket.is_versioned().await {
        Ok(true) => check.fine(BUCKET, "keeps versions: `unstale rollback` works"),
        Ok(false) if job.settings.keep.0 > 0 => {
            check.fine(
                BUCKET,
                "keeps no versions: rollbacks use the copies of `keep`",
            );
        }
        Ok(false) => check.warn(
            BUCKET,
            "keeps no versions, so that `unstale rollback` has nothing to put back",
            "turn versions on, or set `keep = \"3 deploys\"`",
        ),
        // Among the rights, where it says what it is for.
        Err(error) => check.unchecked(BUCKET, format!("versions: {error}")),
    }
}

async fn public_access(check: &mut CheckUp, place: &SiteLocation) -> Result<(), AwsError> {
    if place.bucket.blocks_the_public().await? {
        check.fine(BUCKET, "is closed to the public");
    } else {
        check.warn(
            BUCKET,
            "does not block public access, so that one wrong policy or ACL opens it",
            "turn all four public access blocks on, unless a website endpoint is the origin",
        );
    }
    Ok(())
}
