//! Who one is to AWS, where that is, and what time it is there.

use super::finding::CheckUp;
use crate::aws::{AwsClients, AwsError, AwsErrorKind, CallerIdentity};
use crate::error::Error;

const CREDENTIALS: &str = "credentials";
const ENDPOINT: &str = "endpoint";
const CLOCK: &str = "clock";

/// Seconds for which credentials should hold: a deploy's, with its wait.
const ENOUGH: i64 = 15 * 60;
/// Seconds that a clock may be wrong: AWS refuses what is signed more than 15 minutes off (Signature Version 4, "Troubleshooting").
const TOLERATED: i64 = 5 * 60;

/// Looks at all three. Returns who one is, or nothing where an S3 that is not AWS's cannot say; `Err`: nothing else can be asked.
pub(super) async fn examine(
    check: &mut CheckUp,
    aws: &AwsClients,
    official: bool,
) -> Result<Option<CallerIdentity>, ()> {
    let identity = match aws.identity().await {
        Ok(identity) => Some(identity),
        Err(error) if !official && is_not_served(&error) => None,
        Err(error) => {
            let subject = match error.kind {
                AwsErrorKind::ClockSkewed(_) => CLOCK,
                AwsErrorKind::Unreachable
                | AwsErrorKind::TimedOut
                | AwsErrorKind::NotTheService => ENDPOINT,
                _ => CREDENTIALS,
            };
            let said = error.message.clone();
            let mut problem = Error::from(error);
            // Whoever has no credentials asked nobody anything.
            if subject == CREDENTIALS {
                problem.message = said;
            }
            check.problem(subject, problem);
            return Err(());
        }
    };
    credentials(check, aws, identity.as_ref()).await;
    endpoint(check, aws);
    if let Some(identity) = &identity {
        clock(check, identity.clock_ahead);
    }
    Ok(identity)
}

/// Tells whether it is no STS that answered.
fn is_not_served(error: &AwsError) -> bool {
    error.status > 0 && (error.is_refused() || error.is(&AwsErrorKind::NotTheService))
}

async fn credentials(check: &mut CheckUp, aws: &AwsClients, identity: Option<&CallerIdentity>) {
    let who = identity.map_or_else(
        || "nobody here says whose they are".to_owned(),
        |identity| format!("account {}, {}", identity.account, identity.arn),
    );
    let Some(facts) = aws.credentials().await else {
        return check.fine(CREDENTIALS, who);
    };
    let text = format!("{who}, from {}", facts.source);
    let left = facts
        .expires
        .map(|at| at - jiff::Timestamp::now().as_second());
    match left {
        None => check.fine(CREDENTIALS, text),
        Some(left) if left < ENOUGH => check.warn(
            CREDENTIALS,
            format!("{text}; they expire in {}", span(left)),
            "sign in again before a deploy that may take longer",
        ),
        Some(left) => check.fine(
            CREDENTIALS,
            format!("{text}; they expire in {}", span(left)),
        ),
    }
}

fn endpoint(check: &mut CheckUp, aws: &AwsClients) {
    let region = aws.region();
    let region = region.as_deref().unwrap_or("us-east-1, since none is set");
    let place = aws.s3_endpoint();
    let place = place.as_deref().unwrap_or("AWS's own");
    check.fine(ENDPOINT, format!("{place}, region {region}"));
}

/// Says how far the clock here is from the service's, by the seconds that it is ahead.
fn clock(check: &mut CheckUp, ahead: i64) {
    if ahead.abs() < TOLERATED {
        return check.fine(CLOCK, "agrees with the service's");
    }
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let off = format!("{} {side} the service's", span(ahead.abs()));
    check.warn(
        CLOCK,
        off,
        "set the clock of this machine: from 15 minutes on AWS refuses what is signed by it",
    );
}

/// Writes seconds to the minute.
fn span(seconds: i64) -> String {
    match seconds.max(0) / 60 {
        minutes if minutes >= 48 * 60 => format!("{} days", minutes / (24 * 60)),
        minutes if minutes >= 120 => format!("{} hours", minutes / 60),
        minutes => format!("{minutes} minutes"),
    }
}

/// Says that nothing more can be asked.
pub(super) fn end_here(check: &mut CheckUp) {
    check.unchecked(
        "the rest",
        "bucket, state, distributions and rights can be looked at once AWS answers",
    );
}

/// Makes the error of a connection that could not be set up a finding of the credentials, which are what it needs first.
pub(crate) fn unconnected(error: Error) -> CheckUp {
    let mut check = CheckUp::default();
    check.problem(CREDENTIALS, error);
    end_here(&mut check);
    check
}

#[cfg(test)]
mod tests {
    use super::super::finding::CheckOutcome;
    use super::*;

    #[test]
    fn a_clock_is_told_by_its_side() {
        for (skew, told) in [
            (299, None),
            (-299, None),
            (300, Some("5 minutes ahead of")),
            (-7500, Some("2 hours behind")),
            (400_000, Some("4 days ahead of")),
        ] {
            let mut check = CheckUp::default();
            clock(&mut check, skew);
            match (&check.findings[0].outcome, told) {
                (CheckOutcome::Fine(_), None) => {}
                (CheckOutcome::Warning(text, _), Some(told)) => assert!(text.starts_with(told)),
                (other, _) => panic!("{skew}: {other:?}"),
            }
        }
    }
}
