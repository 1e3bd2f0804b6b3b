//! Response headers policies: what edges add to answers on their way out, and what they take away. Nothing of it is cached.

use serde::{Deserialize, Serialize};

/// Headers that a policy sends by settings of their own, never as custom ones (Developer Guide, "Understand response headers
/// policies").
pub(crate) const SECURITY_HEADERS: [&str; 6] = [
    "content-security-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
];

/// The managed policies that are known here (Developer Guide, "Use managed response headers policies").
pub(crate) const SECURITY_HEADERS_POLICY: &str = "67f7725c-6f97-4210-82d7-5512b31e9d03";
pub(crate) const SIMPLE_CORS: &str = "60669652-455b-4ae9-85a4-c4c02393f86c";

/// A response headers policy. Server-Timing is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadersPolicy {
    /// By which no other policy of the account goes.
    pub name: String,
    /// As the API shows it.
    pub comment: String,
    /// True: CloudFront's own, which nobody changes.
    pub managed: bool,
    /// Content-Security-Policy, Referrer-Policy, Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options and
    /// X-XSS-Protection, as viewers see them.
    pub security: Vec<PolicyHeader>,
    /// What other sites' scripts may do.
    pub cors: Option<CorsPolicy>,
    /// All other headers.
    pub custom: Vec<PolicyHeader>,
    /// Names of the origin's headers that viewers do not see.
    pub removed: Vec<String>,
}

/// A header that a policy sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyHeader {
    /// In any case.
    pub name: String,
    /// May be empty.
    pub value: String,
    /// Override: whether it replaces the origin's header of that name.
    pub overrides: bool,
}

/// CorsConfig.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsPolicy {
    /// `*`, or such as `https://example.com` and `https://*.example.com`.
    pub origins: Vec<String>,
    /// Of preflights, which no edge here answers.
    pub methods: Vec<String>,
    /// Of preflights.
    pub headers: Vec<String>,
    /// Names of headers that scripts may read.
    pub exposed: Vec<String>,
    /// Whether Access-Control-Allow-Credentials is sent.
    pub credentials: bool,
    /// Of preflights, in seconds.
    pub max_age: Option<i32>,
    /// OriginOverride.
    pub overrides: bool,
}

impl PolicyHeader {
    /// A header that replaces the origin's.
    pub fn new(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
            overrides: true,
        }
    }

    fn unless_there(name: &str, value: &str) -> Self {
        Self {
            overrides: false,
            ..Self::new(name, value)
        }
    }
}

impl CorsPolicy {
    /// Returns what a script of an origin is answered; nothing where it is not allowed.
    fn answered(&self, origin: &str) -> Vec<PolicyHeader> {
        let any = self.origins.iter().any(|known| known == "*");
        let allowed = if any && !self.credentials {
            "*"
        } else if any || self.origins.iter().any(|known| is_of(origin, known)) {
            origin
        } else {
            return Vec::new();
        };
        let header = |name: &str, value: &str| PolicyHeader {
            overrides: self.overrides,
            ..PolicyHeader::new(name, value)
        };
        let mut headers = vec![header("access-control-allow-origin", allowed)];
        if self.credentials {
            headers.push(header("access-control-allow-credentials", "true"));
        }
        if !self.exposed.is_empty() {
            let names = self.exposed.join(", ");
            headers.push(header("access-control-expose-headers", &names));
        }
        headers
    }
}

/// Says whether an origin is this one, whose leftmost label may be `*`, of any scheme where none is named.
fn is_of(origin: &str, known: &str) -> bool {
    let origin = if known.contains("://") {
        origin
    } else {
        origin.split_once("://").map_or(origin, |(_, host)| host)
    };
    match known.split_once('*') {
        None => origin == known,
        Some((before, after)) => {
            let middle = origin.strip_prefix(before);
            middle.is_some_and(|rest| rest.len() > after.len() && rest.ends_with(after))
        }
    }
}

impl HeadersPolicy {
    /// The managed SecurityHeadersPolicy.
    pub(crate) fn security_headers() -> Self {
        let unless_there = PolicyHeader::unless_there;
        Self {
            name: "Managed-SecurityHeadersPolicy".to_owned(),
            managed: true,
            security: vec![
                unless_there("referrer-policy", "strict-origin-when-cross-origin"),
                unless_there("strict-transport-security", "max-age=31536000"),
                PolicyHeader::new("x-content-type-options", "nosniff"),
                unless_there("x-frame-options", "SAMEORIGIN"),
                unless_there("x-xss-protection", "1; mode=block"),
            ],
            ..Self::default()
        }
    }

    /// The managed SimpleCORS.
    pub(crate) fn simple_cors() -> Self {
        let all = || vec!["*".to_owned()];
        Self {
            name: "Managed-SimpleCORS".to_owned(),
            managed: true,
            cors: Some(CorsPolicy {
                origins: all(),
                methods: vec!["GET".to_owned()],
                headers: all(),
                ..CorsPolicy::default()
            }),
            ..Self::default()
        }
    }

    /// What viewers are sent, by names in lower case; CORS headers only where the request has an Origin, which must be allowed.
    pub fn sent(&self, origin: Option<&str>) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        self.apply(&mut headers, origin);
        headers
    }

    /// Changes an answer's headers, whose names are in lower case: what is to be removed goes first. `origin` is the request's Origin.
    pub(crate) fn apply(&self, headers: &mut Vec<(String, String)>, origin: Option<&str>) {
        let is_removed = |name: &str| {
            let mut removed = self.removed.iter();
            removed.any(|known| known.eq_ignore_ascii_case(name))
        };
        headers.retain(|(name, _)| !is_removed(name));
        let cors = self.cors.iter().zip(origin);
        let cors = cors.flat_map(|(cors, origin)| cors.answered(origin));
        let fixed = self.security.iter().chain(&self.custom).cloned();
        for header in cors.chain(fixed) {
            let name = header.name.to_ascii_lowercase();
            let is_there = headers.iter().any(|(known, _)| *known == name);
            if header.overrides || !is_there {
                headers.retain(|(known, _)| *known != name);
                headers.push((name, header.value));
            }
        }
    }
}

/// Says whether nobody may send or remove a header (Developer Guide, "Headers that you can't remove"); `name` in lower case.
pub(crate) fn is_untouchable(name: &str) -> bool {
    const PREFIXES: [&str; 2] = ["x-amz-cf-", "x-edge-"];
    const NAMES: [&str; 31] = [
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "warning",
        "x-accel-buffering",
        "x-accel-charset",
        "x-accel-limit-rate",
        "x-accel-redirect",
        "x-amzn-auth",
        "x-amzn-cf-billing",
        "x-amzn-cf-id",
        "x-amzn-cf-xff",
        "x-amzn-errortype",
        "x-amzn-fle-profile",
        "x-amzn-header-count",
        "x-amzn-header-order",
        "x-amzn-lambda-integration-tag",
        "x-amzn-requestid",
        "x-cache",
        "x-forwarded-proto",
        "x-real-ip",
    ];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_allowed_as_the_guide_says() {
        for (known, origin, allowed) in [
            ("https://example.com", "https://example.com", true),
            ("https://example.com", "http://example.com", false),
            ("https://example.com", "https://example.com:8080", false),
            ("example.com", "http://example.com", true),
            ("*.example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://.example.com", false),
        ] {
            assert_eq!(is_of(origin, known), allowed, "{origin} of {known}");
        }
    }

    #[test]
    fn what_is_removed_goes_before_anything_is_sent() {
        let policy = HeadersPolicy {
            custom: vec![
                PolicyHeader::new("X-A", "ours"),
                PolicyHeader::unless_there("X-B", "ours"),
                PolicyHeader::unless_there("X-C", "ours"),
                PolicyHeader::unless_there("X-D", "ours"),
            ],
            removed: vec!["X-D".to_owned(), "X-E".to_owned()],
            ..HeadersPolicy::default()
        };
        let theirs = ["x-a", "x-a", "x-b", "x-d", "x-e"];
        let mut headers = theirs
            .map(|name| (name.to_owned(), "theirs".to_owned()))
            .to_vec();
        policy.apply(&mut headers, None);
        headers.sort();
        let shown: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        assert_eq!(shown, ["x-a ours", "x-b theirs", "x-c ours", "x-d ours"]);
    }
}
