//! What a purge costs, what is left of the month's free paths, and how long a purge takes.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// As how many paths a wildcard counts where sets of paths cost the same: CloudFront takes one wildcard a second, and 150 paths.
pub(super) const WILDCARD_IN_PATHS: u64 = 10;

/// An amount in billionths of a dollar, so that sums are exact. Saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub u64);

impl Money {
    /// From dollars; negative and unreadable amounts are nothing.
    pub fn from_dollars(dollars: f64) -> Self {
        // `as` saturates, and makes NaN nothing.
        Self((dollars * 1e9).round() as u64)
    }

    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for Money {
    type Output = Self;
    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self(0), Add::add)
    }
}

impl fmt::Display for Money {
    /// `$0`, cents and above with two digits or the four that matter, and less with two significant digits.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dollars = self.dollars();
        let digits = match self.0 {
            0 => return out.write_str("$0"),
            1_000_000_000.. => 2,
            10_000_000.. => 3,
            1_000_000.. => 4,
            100_000.. => 5,
            10_000.. => 6,
            _ => 7,
        };
        write!(out, "${dollars:.digits$}")
    }
}

// What stood at a variant, `--help` would show at length.
/// How invalidation paths are chosen. `Cheapest`: the cheapest set that covers what changed; `Exact`: nothing that did not
/// change, except where CloudFront cannot be told otherwise; `All`: `/*`; `None`: nothing now, it stays owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PurgeMode {
    #[default]
    Cheapest,
    Exact,
    All,
    None,
}

/// What the cheapest purge is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgePrices {
    pub mode: PurgeMode,
    /// One invalidation path past the free ones.
    pub path: Money,
    /// How many paths this deploy may take for free.
    pub free: u64,
    /// One unchanged request path of weight 1, purged for nothing.
    pub refetch: Money,
    /// One wildcard, for the time that it takes.
    pub wait: Money,
    /// What a request path weighs.
    pub weight: u64,
    /// What a path pattern of another origin's behavior weighs.
    pub opaque: u64,
}

/// Free invalidation paths a month, for the account (CloudFront Developer Guide, "Pay for file invalidation").
pub const FREE_PATHS: u64 = 1000;

impl Default for PurgePrices {
    fn default() -> Self {
        Self {
            mode: PurgeMode::Cheapest,
            path: Money(5_000_000),
            free: FREE_PATHS,
            refetch: Money(5_200),
            wait: Money(0),
            weight: 1,
            opaque: 10_000,
        }
    }
}

/// Returns this deploy's share of the month's free paths: what is left, by the deploys still expected, itself among them.
///
/// `day` counts from 1 in a month of `days`; `past` is how many deploys a month sees by [`monthly_deploys`].
pub fn share(left: u64, day: u32, days: u32, past: u32) -> u64 {
    let days = u64::from(days.max(1));
    let remaining = days.saturating_sub(u64::from(day.max(1))) + 1;
    let expected = (u64::from(past) * remaining).div_ceil(30).max(1);
    left / expected
}

/// Reckons how many deploys 30 days see, by those of the past 30: `ages` are the seconds that they
/// lie back, of the newest `most` at most. Days before the first deploy count for one each.
pub fn monthly_deploys(ages: impl Iterator<Item = u64>, most: usize) -> u32 {
    const DAY: u64 = 86_400;
    const MONTH: u64 = 30;
    let (mut count, mut past, mut oldest) = (0, 0, 0);
    for age in ages {
        count += 1;
        past += u64::from(age < MONTH * DAY);
        oldest = age.max(oldest);
    }
    let known_days = oldest.div_ceil(DAY).clamp(1, MONTH);
    let expected = match count {
        0 => MONTH,
        // Older ones are forgotten: what is known goes on as it went.
        _ if count >= most => (past * MONTH).div_ceil(known_days),
        _ => past + MONTH - known_days,
    };
    u32::try_from(expected).unwrap_or(u32::MAX)
}

/// Paths a second, and wildcards a second, that CloudFront takes (Developer Guide, "Quotas on invalidations").
pub const PATHS_PER_SECOND: u64 = 150;
pub const WILDCARDS_PER_SECOND: u64 = 1;

/// About what an invalidation needs to complete once it is accepted, in seconds (P95, 2026).
pub const COMPLETION_SECONDS: u64 = 25;

/// Returns how many seconds it takes to send so many paths, `wildcards` of them wildcards, at CloudFront's rates.
pub fn sending_seconds(paths: u64, wildcards: u64) -> u64 {
    let by_paths = paths.saturating_sub(1) / PATHS_PER_SECOND;
    let by_wildcards = wildcards.saturating_sub(1) / WILDCARDS_PER_SECOND;
    by_paths.max(by_wildcards)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_reads_well() {
        for (dollars, text) in [
            (0.0, "$0"),
            (12.5, "$12.50"),
            (0.015, "$0.015"),
            (0.005, "$0.0050"),
            (0.000_104, "$0.00010"),
            (0.000_005_2, "$0.0000052"),
            (-1.0, "$0"),
        ] {
            assert_eq!(Money::from_dollars(dollars).to_string(), text);
        }
    }

    #[test]
    fn the_month_is_shared_out() {
        for (left, day, days, past, part) in [
            (1000, 1, 30, 30, 33),
            (1000, 1, 31, 30, 32),
            (1000, 30, 30, 30, 1000),
            (1000, 16, 30, 10, 200),
            (1000, 31, 31, 1, 1000),
            (0, 3, 30, 5, 0),
            (1000, 40, 30, 0, 1000),
            (1000, 1, 31, 2000, 0),
        ] {
            assert_eq!(share(left, day, days, past), part, "{left} {day} {past}");
        }
    }

    #[test]
    fn a_month_sees_what_the_past_one_saw() {
        const DAY: u64 = 86_400;
        for (ages, most, expected) in [
            (vec![], 100, 30),
            (vec![DAY], 100, 30),
            (vec![0, 60, DAY], 100, 32),
            (vec![0, 9 * DAY, 20 * DAY], 100, 13),
            (vec![DAY, 31 * DAY], 100, 1),
            (vec![40 * DAY, 41 * DAY], 100, 0),
            (vec![0, DAY, 2 * DAY, 3 * DAY], 4, 40),
        ] {
            let monthly = monthly_deploys(ages.iter().copied(), most);
            assert_eq!(monthly, expected, "{ages:?}");
        }
    }

    #[test]
    fn sending_is_paced_by_the_slower_rate() {
        for (paths, wildcards, seconds) in [(0, 0, 0), (150, 1, 0), (151, 0, 1), (3, 3, 2)] {
            assert_eq!(sending_seconds(paths, wildcards), seconds);
        }
    }
}
