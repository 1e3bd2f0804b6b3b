//! Policies that distributions name: how answers are cached, and how a change is tried on some viewers first.

use serde::{Deserialize, Serialize};

/// CloudFront's managed cache policies (Developer Guide, "Use managed cache policies").
pub(crate) const CACHING_OPTIMIZED: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";
pub(crate) const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";
pub(crate) const ORIGIN_HEADERS: &str = "83da9c7e-98b4-4e11-a168-04f0df8e2c65";
pub(crate) const ORIGIN_HEADERS_QUERIES: &str = "4cc15a8a-d715-48a4-82b8-cc0b614638fe";

/// How a behavior caches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Caching {
    /// A cache policy by its id.
    Policy(String),
    /// ForwardedValues of old.
    Legacy(CachePolicy),
}

/// Times in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachePolicy {
    /// As the API shows it.
    pub name: String,
    /// Kept at least so long.
    pub min_ttl: u64,
    /// Kept so long where the origin says nothing.
    pub default_ttl: u64,
    /// Kept at most so long.
    pub max_ttl: u64,
    /// Whether the query string belongs to the cache key.
    pub query: QueryKey,
}

/// Which query strings belong to the cache key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueryKey {
    /// No parameter.
    None,
    /// The whole of it.
    All,
    /// These parameters.
    Only(Vec<String>),
    /// All but these parameters.
    Except(Vec<String>),
}

/// A continuous deployment policy: how many of a distribution's viewers see a staging distribution instead.
#[derive(Clone, Debug, PartialEq)]
pub struct ContinuousDeployment {
    /// False: the staging distribution sees nobody.
    pub enabled: bool,
    /// Domain names of staging distributions, `dxxxxxxxxxxxxx.cloudfront.net`. CloudFront takes one.
    pub staging_domains: Vec<String>,
    /// The share of the viewers, at most 0.15.
    pub weight: f32,
}

impl CachePolicy {
    /// Query strings are not in the key; 1 s, a day, a year.
    pub fn optimized() -> Self {
        Self {
            name: "Managed-CachingOptimized".to_owned(),
            min_ttl: 1,
            default_ttl: 86_400,
            max_ttl: 31_536_000,
            query: QueryKey::None,
        }
    }

    /// UseOriginCacheControlHeaders: what says nothing of caching is kept for no time, the rest for up to a year.
    pub fn origin_headers() -> Self {
        Self {
            name: "UseOriginCacheControlHeaders".to_owned(),
            min_ttl: 0,
            default_ttl: 0,
            ..Self::optimized()
        }
    }

    /// UseOriginCacheControlHeaders-QueryStrings: the same, by query string.
    pub fn origin_headers_and_queries() -> Self {
        Self {
            name: "UseOriginCacheControlHeaders-QueryStrings".to_owned(),
            query: QueryKey::All,
            ..Self::origin_headers()
        }
    }

    /// Nothing is kept.
    pub fn disabled() -> Self {
        Self {
            name: "Managed-CachingDisabled".to_owned(),
            min_ttl: 0,
            default_ttl: 0,
            max_ttl: 0,
            query: QueryKey::None,
        }
    }

    /// The part of a query string (without `?`) that belongs to the cache key.
    pub fn key_query(&self, query: &str) -> String {
        let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        let kept = |pair: &&str| match &self.query {
            QueryKey::None => false,
            QueryKey::All => true,
            QueryKey::Only(names) => names.contains(&name(pair)),
            QueryKey::Except(names) => !names.contains(&name(pair)),
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs.filter(kept).collect::<Vec<_>>().join("&")
    }
}
