//! How long an edge keeps an answer (CloudFront Developer Guide, "Manage how long content stays in the cache").

use super::distribution::Behavior;

/// What of a Cache-Control header decides how long an edge keeps an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CacheControl {
    max_age: Option<u64>,
    pub(super) s_maxage: Option<u64>,
    stale: u64,
    /// no-cache, no-store or private.
    pub(super) uncached: bool,
}

impl CacheControl {
    /// Reads a header. Repeated directives count by their longest; a number that cannot be read counts as forever.
    pub(super) fn parse(text: &str) -> Self {
        let mut control = Self::default();
        for directive in text.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let seconds = || value.trim().trim_matches('"').parse().unwrap_or(u64::MAX);
            match name.trim().to_ascii_lowercase().as_str() {
                "max-age" => control.max_age = control.max_age.max(Some(seconds())),
                "s-maxage" => control.s_maxage = control.s_maxage.max(Some(seconds())),
                "stale-while-revalidate" | "stale-if-error" => {
                    control.stale = control.stale.max(seconds());
                }
                "no-cache" | "no-store" | "private" => control.uncached = true,
                _ => {}
            }
        }
        control
    }

    fn lifetime(&self) -> Option<u64> {
        if self.uncached {
            Some(0)
        } else {
            self.s_maxage.or(self.max_age)
        }
    }
}

/// Returns for how many seconds an edge may answer from its copy of an object with this Cache-Control under a behavior: without asking
/// the origin, and beyond that by stale-while-revalidate or stale-if-error. MinTTL overrides no-cache, no-store and
/// private; without an age the default TTL holds; stale allowances are capped by MaxTTL.
pub(super) fn edge_ttl(cache_control: Option<&str>, behavior: &Behavior) -> u64 {
    let control = CacheControl::parse(cache_control.unwrap_or_default());
    let wanted = control.lifetime().unwrap_or(behavior.default_ttl);
    let fresh = wanted.min(behavior.max_ttl).max(behavior.min_ttl);
    fresh.saturating_add(control.stale.min(behavior.max_ttl))
}

/// Returns the lifetime that the header itself states, 0 where it states none: what an error document adds to an error's TTL.
pub fn stated_ttl(cache_control: Option<&str>) -> u64 {
    let control = CacheControl::parse(cache_control.unwrap_or_default());
    control.lifetime().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_reading_of_a_header_holds() {
        const DAY: u64 = 86_400;
        for (header, min, max, kept) in [
            (None, 0, 10 * DAY, DAY),
            (Some(""), 0, 10 * DAY, DAY),
            (Some("public"), 0, 10 * DAY, DAY),
            (Some("public, max-age=0, must-revalidate"), 0, DAY, 0),
            (Some("max-age=0, s-maxage=60"), 0, DAY, 60),
            (Some("S-MaxAge=\"60\" , Max-Age=5"), 0, DAY, 60),
            (Some("max-age=99999999"), 0, DAY, DAY),
            (Some("max-age=1, max-age=7"), 0, DAY, 7),
            (Some("max-age=soon"), 0, DAY, DAY),
            (Some("no-cache"), 0, DAY, 0),
            (Some("no-store, max-age=60"), 0, DAY, 0),
            (Some("private"), 30, DAY, 30),
            (Some("no-cache"), 30, DAY, 30),
            (Some("max-age=0, stale-while-revalidate=90"), 0, DAY, 90),
            (Some("max-age=0, stale-if-error=99999999"), 0, DAY, DAY),
            (Some("max-age=60, stale-if-error=9"), 0, 0, 0),
        ] {
            let behavior = Behavior {
                min_ttl: min,
                default_ttl: DAY,
                max_ttl: max,
                ..Behavior::default()
            };
            assert_eq!(edge_ttl(header, &behavior), kept, "{header:?} {min} {max}");
        }
    }

    #[test]
    fn only_a_stated_age_counts_for_errors() {
        assert_eq!(stated_ttl(None), 0);
        assert_eq!(stated_ttl(Some("no-cache")), 0);
        assert_eq!(stated_ttl(Some("s-maxage=86400")), 86_400);
    }
}
