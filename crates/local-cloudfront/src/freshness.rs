//! How long an edge keeps an answer (CloudFront Developer Guide, "Manage how long content stays in the cache").

use super::policy::CachePolicy;

/// Seconds: fresh, then stale but served while it is fetched again, and stale but served when the origin fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lifetime {
    pub fresh: u64,
    pub revalidate: u64,
    pub error: u64,
}

/// What a Cache-Control header says that edges heed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    /// s-maxage, else max-age.
    pub age: Option<u64>,
    /// no-store, no-cache or private.
    pub forbidden: bool,
    pub revalidate: u64,
    pub error: u64,
}

impl Directives {
    pub(crate) fn parse(text: &str) -> Self {
        let mut directives = Self::default();
        let (mut shared, mut age) = (None, None);
        for directive in text.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let seconds = value.trim().trim_matches('"').parse::<u64>().ok();
            match name.trim().to_ascii_lowercase().as_str() {
                "s-maxage" => shared = seconds,
                "max-age" => age = seconds,
                "no-store" | "no-cache" | "private" => directives.forbidden = true,
                "stale-while-revalidate" => directives.revalidate = seconds.unwrap_or(0),
                "stale-if-error" => directives.error = seconds.unwrap_or(0),
                _ => {}
            }
        }
        directives.age = shared.or(age);
        directives
    }
}

/// The lifetime of a good answer under a cache policy.
pub(crate) fn lifetime(cache_control: &str, policy: &CachePolicy) -> Lifetime {
    let said = Directives::parse(cache_control);
    let asked = if said.forbidden {
        0
    } else {
        said.age.unwrap_or(policy.default_ttl)
    };
    let fresh = asked.min(policy.max_ttl).max(policy.min_ttl);
    let stale = |window: u64| {
        if said.forbidden {
            return 0;
        }
        window.min(policy.max_ttl.saturating_sub(fresh))
    };
    Lifetime {
        fresh,
        revalidate: stale(said.revalidate),
        error: stale(said.error),
    }
}

/// How long an error is kept: the longer of ErrorCachingMinTTL and what the answer says of itself. A 403 is kept only
/// where something asks for it (Developer Guide, "How CloudFront caches HTTP 4xx and 5xx status codes").
pub(crate) fn error_lifetime(status: u16, cache_control: &str, configured: Option<u64>) -> u64 {
    let said = Directives::parse(cache_control);
    let age = said.age.filter(|_| !said.forbidden);
    match (status, age, configured) {
        (403, None, None) => 0,
        (_, age, configured) => configured.unwrap_or(10).max(age.unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_follows_cache_control_within_the_policy() {
        let policy = CachePolicy {
            min_ttl: 5,
            default_ttl: 50,
            max_ttl: 500,
            ..CachePolicy::optimized()
        };
        for (text, fresh, revalidate, error) in [
            ("", 50, 0, 0),
            ("max-age=100", 100, 0, 0),
            ("max-age=0, s-maxage=7", 7, 0, 0),
            ("public, max-age=31536000, immutable", 500, 0, 0),
            ("no-cache", 5, 0, 0),
            ("private, max-age=100", 5, 0, 0),
            (
                "max-age=10, stale-while-revalidate=20, stale-if-error=9999",
                10,
                20,
                490,
            ),
        ] {
            let expected = Lifetime {
                fresh,
                revalidate,
                error,
            };
            assert_eq!(lifetime(text, &policy), expected, "{text}");
        }
    }

    #[test]
    fn errors_are_kept_as_the_guide_says() {
        for (status, text, configured, kept) in [
            (404, "", None, 10),
            (404, "max-age=3600", Some(10), 3600),
            (404, "max-age=1", Some(300), 300),
            (404, "", Some(0), 0),
            (403, "", None, 0),
            (403, "max-age=60", None, 60),
            (403, "", Some(10), 10),
            (500, "no-store, max-age=9", None, 10),
        ] {
            assert_eq!(
                error_lifetime(status, text, configured),
                kept,
                "{status} {text}"
            );
        }
    }
}
