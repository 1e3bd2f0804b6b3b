//! `unstale quota`: counts this month's invalidation paths over all distributions of the account and their tenants. No API tells the number:
//! each invalidation is asked for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_cloudfront::types::DistributionSummary;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::App;
use crate::aws::cloudfront::PurgeTarget;
use crate::aws::{AwsError, CloudFront, Kind};
use crate::edge::price::FREE_PATHS;
use crate::error::{Error, Exit};
use crate::report::text::{count, counted};

/// Requests at once: CloudFront's API throttles early.
const AT_ONCE: usize = 6;
/// Between two words about how far it is.
const PACE: Duration = Duration::from_secs(2);

/// An invalidation of this month: whose it is, and its id.
type Named = (PurgeTarget, String);

pub(super) async fn quota(app: &App) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let cloudfront = link.aws.cloudfront();
    let places = places(app, &cloudfront).await?;
    let begin = month_begin(link.aws.cloudfront().clock.server_now());
    let lists = stream::iter(places.iter().map(|(target, _)| target.clone()))
        .map(|target| this_month(&cloudfront, target, begin))
        .buffer_unordered(AT_ONCE);
    let all: Vec<Named> = lists.try_concat().await?;
    let counts = count_paths(app, &cloudfront, all).await?;
    let used: u64 = counts.values().map(|(_, paths)| paths).sum();
    let left = FREE_PATHS.saturating_sub(used);
    let since = jiff::Timestamp::from_second(begin).unwrap_or_default();
    for (target, name) in &places {
        let Some((invalidations, paths)) = counts.get(target) else {
            continue;
        };
        app.printer.line(&format!(
            "{}  {} in {}  ({name})",
            target.id(),
            counted(*paths, "path"),
            counted(*invalidations, "invalidation"),
        ));
        let kind = match target {
            PurgeTarget::Distribution(_) => "distribution",
            PurgeTarget::Tenant(_) => "tenant",
        };
        app.printer.json(&serde_json::json!({
            "type": kind, "id": target.id(), "name": name, "paths": paths, "invalidations": invalidations,
        }));
    }
    let tenants = places
        .iter()
        .filter(|(target, _)| matches!(target, PurgeTarget::Tenant(_)))
        .count();
    let distributions = places.len() - tenants;
    let and_tenants = match tenants {
        0 => String::new(),
        tenants => format!(", {}", counted(tenants as u64, "tenant")),
    };
    app.printer.prose(
        &format!(
            "{} of {} free paths used since {}, {} left ({}{and_tenants})",
            count(used),
            count(FREE_PATHS),
            since.strftime("%-d %B %Y"),
            count(left),
            counted(distributions as u64, "distribution"),
        ),
        "",
        "",
    );
    app.printer.json(&serde_json::json!({
        "type": "quota", "since": since.to_string(), "used": used, "left": left, "free": FREE_PATHS,
        "over": used.saturating_sub(FREE_PATHS), "distributions": distributions, "tenants": tenants,
    }));
    Ok(Exit::Done)
}

/// All that can be purged, and what it is called. Where tenants may not be listed, that is told.
async fn places(app: &App, cloudfront: &CloudFront) -> Result<Vec<(PurgeTarget, String)>, Error> {
    let named = |one: DistributionSummary| {
        let aliases = one.aliases.and_then(|list| list.items).unwrap_or_default();
        let name = aliases.into_iter().next().unwrap_or(one.domain_name);
        (PurgeTarget::Distribution(one.id), name)
    };
    let distributions = cloudfront.distributions().await?;
    let mut places: Vec<_> = distributions.into_iter().map(named).collect();
    match cloudfront.tenants().await {
        Ok(tenants) => {
            let tenants = tenants.into_iter();
            places.extend(tenants.map(|(id, name)| (PurgeTarget::Tenant(id), name)));
        }
        Err(error) if is_not_given(&error) => (app.printer).warn(&format!(
            "what tenants of multi-tenant distributions used is not counted: {error}"
        )),
        Err(error) => return Err(error.into()),
    }
    Ok(places)
}

/// Whether it is asked for in vain: no right to it, or an endpoint that does not know it.
fn is_not_given(error: &AwsError) -> bool {
    matches!(
        error.kind,
        Kind::AccessDenied | Kind::NotImplemented | Kind::NotTheService | Kind::NotFound
    )
}

/// When the month of a moment began, in seconds since 1970: AWS bills by UTC.
fn month_begin(now: i64) -> i64 {
    let utc = jiff::tz::TimeZone::UTC;
    let moment = jiff::Timestamp::from_second(now).unwrap_or_default();
    let first = moment.to_zoned(utc.clone()).date().first_of_month();
    let begin = first.to_zoned(utc).map(|zoned| zoned.timestamp());
    begin.map_or(now, jiff::Timestamp::as_second)
}

/// The invalidations since then. Their list has the newest first, so that its end needs no reading.
async fn this_month(
    cloudfront: &CloudFront,
    target: PurgeTarget,
    begin: i64,
) -> Result<Vec<Named>, AwsError> {
    let mut found = cloudfront
        .invalidations(&target, |seen| {
            seen.last()
                .is_some_and(|one| one.create_time.secs() < begin)
        })
        .await?;
    found.retain(|one| one.create_time.secs() >= begin);
    let named = |id| (target.clone(), id);
    Ok(found.into_iter().map(|one| named(one.id)).collect())
}

/// Invalidations and their paths.
async fn count_paths(
    app: &App,
    cloudfront: &CloudFront,
    all: Vec<Named>,
) -> Result<BTreeMap<PurgeTarget, (u64, u64)>, Error> {
    let total = all.len();
    let mut counts: BTreeMap<PurgeTarget, (u64, u64)> = BTreeMap::new();
    let mut told = Instant::now();
    let mut asked = stream::iter(all)
        .map(|(target, id)| async move {
            let one = cloudfront.invalidation(&target, &id).await?;
            let paths = one.invalidation_batch.and_then(|batch| batch.paths);
            let count = paths.map_or(0, |paths| u64::try_from(paths.quantity).unwrap_or(0));
            Ok::<_, AwsError>((target, count))
        })
        .buffer_unordered(AT_ONCE);
    let mut done = 0;
    loop {
        let next = tokio::select! {
            next = asked.next() => next,
            () = app.stop.wished() => return Err(Error::interrupted("interrupted while counting")),
        };
        let Some(next) = next else { break };
        let (target, paths) = next?;
        let sum = counts.entry(target).or_default();
        *sum = (sum.0 + 1, sum.1 + paths);
        done += 1;
        if told.elapsed() >= PACE {
            told = Instant::now();
            app.printer
                .note(&format!("{done} of {total} invalidations counted"));
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_at_midnight_in_utc() {
        let at = |text: &str| {
            text.parse::<jiff::Timestamp>()
                .map(jiff::Timestamp::as_second)
                .unwrap()
        };
        for (now, begin) in [
            ("2026-11-21T02:45:00Z", "2026-11-01T00:00:00Z"),
            ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"),
            ("2026-10-31T23:59:59Z", "2026-10-01T00:00:00Z"),
            ("2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z"),
        ] {
            assert_eq!(month_begin(at(now)), at(begin), "{now}");
        }
    }
}
