//! What viewers meet: the names of a distribution and their addresses, its certificate, and the state if they can read it.

use super::bucket::ReadableBucket;
use super::distribution::DISTRIBUTION;
use super::exposed::{PATIENCE, handed_out};
use super::finding::CheckUp;
use crate::aws::viewer::ViewerClient;
use crate::aws::{AwsClients, CertificateFacts};
use crate::edge::expect::SeenAnswer;
use crate::error::Error;
use crate::job::Job;
use crate::survey::targets::ResolvedDistribution;

/// Days before its end at which a certificate is told: ACM renews 60 days before, and writes to the owner 45 days before ("Managed
/// certificate renewal").
const SOON: i64 = 30;

/// Looks at a distribution's certificate, and asks for its names as viewers do.
pub(super) async fn examine(
    check: &mut CheckUp,
    (aws, viewer): (&AwsClients, Option<&ViewerClient>),
    (job, bucket): (&Job, &ReadableBucket),
    target: &ResolvedDistribution,
) {
    let Some(distribution) = target.readable() else {
        return;
    };
    if !distribution.aliases.is_empty()
        && let Ok(described) = aws.cloudfront().describe(&distribution.id).await
        && let Some(arn) = described.certificate()
    {
        match aws.certificate(arn).await {
            Ok(facts) => certificate(check, target.id(), (&facts, now())),
            Err(error) => check.unread(DISTRIBUTION, "its certificate", &error),
        }
    }
    let Some(viewer) = viewer else { return };
    for alias in &distribution.aliases {
        let leads_to = &distribution.domain_name;
        match seen(viewer, alias).await {
            NameAnswer::CloudFront => {
                check.fine(DISTRIBUTION, format!("{alias} leads to CloudFront"));
            }
            NameAnswer::Wrong(why) => check.problem(
                DISTRIBUTION,
                Error::failed(format!("{alias} {why}")).hint(format!(
                    "its DNS needs a CNAME or alias record that names {leads_to}"
                )),
            ),
            NameAnswer::None => {
                check.unchecked(DISTRIBUTION, format!("{alias}: nothing answered in time"));
            }
        }
    }
    if let Some(url) = handed_out(viewer, (&bucket.place, job), target, None).await {
        check.warn(
            "state",
            format!("anybody can read it at {url}"),
            "`unstale plan` prints the statements for the bucket's policy that end that",
        );
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Says how long a certificate holds, by the time that it is (unix seconds).
fn certificate(check: &mut CheckUp, id: &str, (facts, now): (&CertificateFacts, i64)) {
    let days = facts.ends.map(|ends| (ends - now).div_euclid(24 * 60 * 60));
    let renewal = if facts.is_renewed {
        "ACM renews it by itself"
    } else {
        "nobody renews it by itself"
    };
    let hint = "keep the DNS record by which ACM validates it, or give the distribution another certificate";
    match days {
        Some(days) if days < 0 => check.problem(
            DISTRIBUTION,
            Error::failed(format!("{id}: its certificate ended")).hint(hint),
        ),
        Some(days) if days < SOON => check.warn(
            DISTRIBUTION,
            format!("{id}: its certificate ends in {days} days; {renewal}"),
            hint,
        ),
        Some(days) => check.fine(
            DISTRIBUTION,
            format!("{id}: its certificate holds for {days} days; {renewal}"),
        ),
        None => check.warn(
            DISTRIBUTION,
            format!("{id}: its certificate is {}", facts.status),
            hint,
        ),
    }
}

/// What a name of a distribution is answered by.
#[derive(Debug, PartialEq, Eq)]
enum NameAnswer {
    CloudFront,
    /// What is wrong, as what the name is followed by.
    Wrong(String),
    /// Nothing in time: it may be the network here.
    None,
}

/// Asks a name for its first page, by the names that this machine resolves.
async fn seen(viewer: &ViewerClient, name: &str) -> NameAnswer {
    // A wildcard is no name that one could ask.
    if name.starts_with('*') {
        return NameAnswer::CloudFront;
    }
    let lookup = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 443)));
    let Ok(addresses) = lookup.await else {
        return NameAnswer::None;
    };
    if addresses.into_iter().flatten().next().is_none() {
        return NameAnswer::Wrong("has no address".to_owned());
    }
    let url = format!("https://{name}/");
    match tokio::time::timeout(PATIENCE, viewer.get(&url)).await {
        Ok(Ok(answer)) if is_cloudfront(&answer) => NameAnswer::CloudFront,
        Ok(Ok(_)) => NameAnswer::Wrong("is answered by somebody else than CloudFront".to_owned()),
        Ok(Err(missing)) => NameAnswer::Wrong(format!("does not answer: {}", missing.why)),
        Err(_) => NameAnswer::None,
    }
}

/// Every answer of an edge has its id.
fn is_cloudfront(answer: &SeenAnswer) -> bool {
    answer.header("x-amz-cf-id").is_some()
}

#[cfg(test)]
mod tests {
    use super::super::finding::CheckOutcome;
    use super::*;

    #[test]
    fn a_certificate_is_told_before_it_ends() {
        const DAY: i64 = 24 * 60 * 60;
        let told = |ends: Option<i64>| {
            let facts = CertificateFacts {
                status: "PENDING_VALIDATION".to_owned(),
                ends,
                is_renewed: true,
            };
            let mut check = CheckUp::default();
            certificate(&mut check, "E1", (&facts, 1000 * DAY));
            match check.findings.remove(0).outcome {
                CheckOutcome::Fine(text) => format!("fine {text}"),
                CheckOutcome::Warning(text, _) => format!("warning {text}"),
                CheckOutcome::Problem(error) => format!("problem {error}"),
                CheckOutcome::Unchecked(text) => format!("unchecked {text}"),
            }
        };
        for (days, start) in [
            (-1, "problem"),
            (0, "warning"),
            (29, "warning"),
            (30, "fine"),
        ] {
            let text = told(Some((1000 + days) * DAY));
            assert!(text.starts_with(start), "{days}: {text}");
        }
        assert!(told(None).starts_with("warning E1: its certificate is PENDING"));
    }
    #[tokio::test]
    async fn a_name_is_judged_by_its_address_and_who_answers_there() {
        let viewer = ViewerClient::new(None, PATIENCE);
        for (name, expected) in [
            ("*.example.com", "CloudFront"),
            ("nowhere.invalid", "Wrong(\"has no address\")"),
            ("localhost", "Wrong(\"does not answer"),
        ] {
            let answer = format!("{:?}", seen(&viewer, name).await);
            assert!(answer.starts_with(expected), "{name}: {answer}");
        }
    }
}
