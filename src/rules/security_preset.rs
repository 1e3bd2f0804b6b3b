//! Headers that make browsers more careful, for all of a site at once.

use serde::Deserialize;

use super::unserved::{HeaderScope, UnkeptHeader};

/// The names that a response headers policy has fields of their own for (CloudFront API Reference,
/// "ResponseHeadersPolicySecurityHeadersConfig"), in lower case. No origin of a site sends them by itself.
pub const SECURITY_HEADERS: [&str; 6] = [
    "content-security-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
];

/// Headers by one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecurityPreset {
    /// What does no harm to a site that is served by HTTPS alone. No Content-Security-Policy: each site has its own.
    Strict,
}

impl SecurityPreset {
    /// Returns its headers, to be put before all rules, each of which wins over them.
    pub fn headers(self) -> Vec<UnkeptHeader> {
        let headers = match self {
            Self::Strict => [
                (
                    "Strict-Transport-Security",
                    "max-age=31536000; includeSubDomains",
                ),
                ("X-Content-Type-Options", "nosniff"),
                ("X-Frame-Options", "SAMEORIGIN"),
                ("Referrer-Policy", "strict-origin-when-cross-origin"),
            ],
        };
        let everywhere = |(name, value)| for_all(name, value);
        headers.into_iter().map(everywhere).collect()
    }
}

/// Returns what takes a header of S3 away from all answers, such as that of cache tags.
pub fn taken_away(name: &str) -> UnkeptHeader {
    for_all(name, "")
}

fn for_all(name: &str, value: &str) -> UnkeptHeader {
    UnkeptHeader {
        scope: HeaderScope::Globs(vec!["**".to_owned()]),
        name: name.to_owned(),
        value: value.to_owned(),
    }
}
