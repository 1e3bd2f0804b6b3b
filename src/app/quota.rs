//! `unstale quota`: counts this month's invalidation paths over all distributions of the account and their tenants. No API tells the
//! number: each invalidation is asked for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::App;
use super::connect::Link;
use crate::aws::cloudfront::PurgeTarget;
use crate::aws::{AwsError, AwsErrorKind, CloudFront};
use crate::error::{Error, Exit};
use crate::report::quota::{MonthlyQuota, SpentPaths};
use crate::survey::find_named;

/// Requests at once: CloudFront's API throttles early.
const AT_ONCE: usize = 6;
/// Between two words about how far it is.
const PACE: Duration = Duration::from_secs(2);

/// Invalidations, and their paths.
type SpentCounts = (u64, u64);

pub(super) async fn quota(app: &App) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let (quota, uncounted) = spent(app, &link).await?;
    if let Some(error) = uncounted {
        app.printer.tenants_not_counted(&error.to_string());
    }
    app.printer.quota(&quota);
    Ok(Exit::Done)
}

/// Counts what the account spent this month, and says why tenants are not among it.
pub(super) async fn spent(
    app: &App,
    link: &Link,
) -> Result<(MonthlyQuota, Option<AwsError>), Error> {
    let cloudfront = link.aws.cloudfront();
    let (mut names, uncounted) = targets(&cloudfront).await?;
    let included = included(app, link).await?;
    names.retain(|(target, _)| !included.contains(&target.id().to_owned()));
    let since = month_begin(cloudfront.clock.server_now());
    let lists = stream::iter(names.iter().map(|(target, _)| target.clone()))
        .map(|target| this_month(&cloudfront, target, since.as_second()))
        .buffer_unordered(AT_ONCE);
    let invalidations = lists.try_concat().await?;
    let counts = count_paths(app, &cloudfront, invalidations).await?;
    let quota = monthly(since, names, &counts);
    Ok((MonthlyQuota { included, ..quota }, uncounted))
}

/// Returns the ids of what is on a flat-rate plan: the site's own distributions, where the settings say so. No list of CloudFront's
/// tells.
async fn included(app: &App, link: &Link) -> Result<Vec<String>, Error> {
    let names = app.target_names(link);
    let is_none = names.tenant.is_none() && names.wishes.is_empty();
    if is_none || !app.settings.purge.plan.includes_paths() {
        return Ok(Vec::new());
    }
    let targets = find_named(&link.aws.cloudfront(), &names).await?;
    Ok(targets
        .iter()
        .map(|target| target.id().to_owned())
        .collect())
}

/// Finds all that can be purged, and what it is called; and why tenants may not be listed.
async fn targets(
    cloudfront: &CloudFront,
) -> Result<(Vec<(PurgeTarget, String)>, Option<AwsError>), Error> {
    let mut targets = Vec::new();
    for distribution in cloudfront.distributions().await? {
        let alias = distribution.aliases.into_iter().next();
        let name = alias.unwrap_or(distribution.domain);
        targets.push((PurgeTarget::Distribution(distribution.id), name));
    }
    let uncounted = match cloudfront.tenants().await {
        Ok(tenants) => {
            let tenants = tenants.into_iter();
            targets.extend(tenants.map(|(id, name)| (PurgeTarget::Tenant(id), name)));
            None
        }
        Err(error) if is_not_given(&error) => Some(error),
        Err(error) => return Err(error.into()),
    };
    Ok((targets, uncounted))
}

/// Tells whether it is asked for in vain: no right to it, or an endpoint that does not know it.
fn is_not_given(error: &AwsError) -> bool {
    matches!(
        error.kind,
        AwsErrorKind::AccessDenied
            | AwsErrorKind::NotImplemented
            | AwsErrorKind::NotTheService
            | AwsErrorKind::NotFound
    )
}

/// Returns when the month of a moment (unix seconds) began: AWS bills by UTC.
fn month_begin(now: i64) -> jiff::Timestamp {
    let utc = jiff::tz::TimeZone::UTC;
    let moment = jiff::Timestamp::from_second(now).unwrap_or_default();
    let first = moment.to_zoned(utc.clone()).date().first_of_month();
    let begin = first.to_zoned(utc).map(|zoned| zoned.timestamp());
    begin.unwrap_or(moment)
}

/// Lists a target's invalidations since then, each with the target. Their list has the newest first, so that its end needs no
/// reading.
async fn this_month(
    cloudfront: &CloudFront,
    target: PurgeTarget,
    since: i64,
) -> Result<Vec<(PurgeTarget, String)>, AwsError> {
    let mut listed = cloudfront
        .invalidations(&target, |listed| {
            let oldest = listed.last();
            oldest.is_some_and(|oldest| oldest.create_time.secs() < since)
        })
        .await?;
    listed.retain(|invalidation| invalidation.create_time.secs() >= since);
    let listed = listed.into_iter();
    Ok(listed
        .map(|invalidation| (target.clone(), invalidation.id))
        .collect())
}

/// Asks for each invalidation, and sums up by target.
async fn count_paths(
    app: &App,
    cloudfront: &CloudFront,
    invalidations: Vec<(PurgeTarget, String)>,
) -> Result<BTreeMap<PurgeTarget, SpentCounts>, Error> {
    let total = invalidations.len();
    let mut counts: BTreeMap<PurgeTarget, SpentCounts> = BTreeMap::new();
    let mut told = Instant::now();
    let asked = stream::iter(invalidations).map(|(target, id)| async move {
        let invalidation = cloudfront.invalidation(&target, &id).await?;
        let paths = invalidation
            .invalidation_batch
            .and_then(|batch| batch.paths);
        let count = paths.map_or(0, |paths| u64::try_from(paths.quantity).unwrap_or(0));
        Ok::<_, AwsError>((target, count))
    });
    let mut asked = asked.buffer_unordered(AT_ONCE).enumerate();
    while let Some((index, answer)) = app
        .unless_stopped(
            asked.next(),
            Error::interrupted("interrupted while counting"),
        )
        .await?
    {
        let (target, paths) = answer?;
        let (invalidations, sum) = counts.entry(target).or_default();
        *invalidations += 1;
        *sum += paths;
        if told.elapsed() >= PACE {
            told = Instant::now();
            app.printer.counting(index + 1, total);
        }
    }
    Ok(counts)
}

/// Sums up the account. What spent nothing is left out.
fn monthly(
    since: jiff::Timestamp,
    names: Vec<(PurgeTarget, String)>,
    counts: &BTreeMap<PurgeTarget, SpentCounts>,
) -> MonthlyQuota {
    let mut quota = MonthlyQuota {
        since,
        spent: Vec::new(),
        included: Vec::new(),
        distributions: 0,
        tenants: 0,
    };
    for (target, name) in names {
        let kind = match target {
            PurgeTarget::Distribution(_) => {
                quota.distributions += 1;
                "distribution"
            }
            PurgeTarget::Tenant(_) => {
                quota.tenants += 1;
                "tenant"
            }
        };
        if let Some((invalidations, paths)) = counts.get(&target) {
            quota.spent.push(SpentPaths {
                kind,
                id: target.id().to_owned(),
                name,
                invalidations: *invalidations,
                paths: *paths,
            });
        }
    }
    quota
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_at_midnight_in_utc() {
        let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        for (now, begin) in [
            ("2026-11-21T02:45:00Z", "2026-11-01T00:00:00Z"),
            ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"),
            ("2026-10-31T23:59:59Z", "2026-10-01T00:00:00Z"),
            ("2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z"),
        ] {
            assert_eq!(month_begin(time(now).as_second()), time(begin), "{now}");
        }
    }

    #[test]
    fn what_spent_nothing_counts_among_its_kind_alone() {
        let target = |id: &str| PurgeTarget::Distribution(id.to_owned());
        let tenant = PurgeTarget::Tenant("dt_1".to_owned());
        let names = vec![target("E1"), target("E2"), tenant];
        let names = names.into_iter().map(|target| (target, "name".to_owned()));
        let counts = BTreeMap::from([(target("E2"), (2, 7))]);
        let quota = monthly(jiff::Timestamp::default(), names.collect(), &counts);
        assert_eq!((quota.distributions, quota.tenants), (2, 1));
        let spent: Vec<_> = quota
            .spent
            .iter()
            .map(|spent| (&*spent.id, spent.paths))
            .collect();
        assert_eq!(spent, [("E2", 7)]);
    }
}
