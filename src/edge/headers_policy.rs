//! A response headers policy as plain headers, and which headers CloudFront can send so (Developer Guide, "Understand response
//! headers policies", and its quotas).

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

/// What a response headers policy sends and takes away. Sending goes last: a header may be in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadersPolicy {
    pub name: String,
    pub comment: String,
    /// Headers with their values, names in lower case, sorted: security, CORS and custom ones alike, as viewers see them. CORS
    /// headers are sent to requests with an allowed Origin alone, and some of those to preflights alone.
    pub sent: BTreeMap<String, String>,
    /// Names in lower case.
    pub removed: BTreeSet<String>,
}

/// Why a policy cannot be as it is wanted. Sorted from what one header does wrong to what all do together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unfit {
    #[error("`{0}` is no name of a header")]
    HeaderName(String),
    #[error("CloudFront lets nobody send or remove {0}")]
    Untouchable(String),
    #[error("a response headers policy cannot send `{0}: {1}`")]
    Value(String, String),
    #[error("a response headers policy sends {0} with at most {LONGEST_VALUE} characters")]
    TooLong(String),
    #[error(
        "`{0}` is no name of a response headers policy: letters, digits, - and _, at most {LONGEST_LABEL}"
    )]
    PolicyName(String),
    #[error("the comment of a response headers policy has at most {LONGEST_LABEL} characters")]
    Comment,
    #[error(
        "a response headers policy sends at most {MOST_HEADERS} headers besides those for security and CORS, and these are {0}"
    )]
    TooManySent(usize),
    #[error(
        "a response headers policy sends at most {MOST_BYTES} characters of headers besides those for security and CORS"
    )]
    TooMuchSent,
    #[error("a response headers policy removes at most {MOST_HEADERS} headers, and these are {0}")]
    TooManyRemoved(usize),
    #[error("with access-control-allow-credentials, CloudFront takes no * in other CORS headers")]
    CredentialsForAll,
    #[error("a response headers policy has to send or remove something")]
    Empty,
}

/// Custom headers, and removed ones.
const MOST_HEADERS: usize = 10;
/// Names and values of all custom headers together.
const MOST_BYTES: usize = 10_240;
const LONGEST_NAME: usize = 256;
const LONGEST_VALUE: usize = 1783;
/// A policy's name, and its comment.
const LONGEST_LABEL: usize = 128;

/// What stands for CORS headers that were not asked for: CloudFront wants all three. An origin that nobody can have (RFC 2606)
/// allows nothing; the method and the header are allowed without being named (Fetch Standard, "CORS-safelisted method").
const UNSET_ORIGIN: &str = "https://unset.invalid";
const UNSET_METHOD: &str = "HEAD";
const UNSET_HEADER: &str = "Accept";

/// All that CloudFront's `ALL` stands for, sorted.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
const REFERRER_POLICIES: [&str; 8] = [
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
];

/// A header of a policy by the setting that sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySetting {
    ContentSecurityPolicy(String),
    ContentTypeOptions,
    /// `DENY` or `SAMEORIGIN`.
    FrameOptions(String),
    ReferrerPolicy(String),
    StrictTransportSecurity {
        /// Seconds.
        max_age: i32,
        subdomains: bool,
        preload: bool,
    },
    XssProtection {
        filter: bool,
        block: bool,
        report: Option<String>,
    },
    AllowOrigins(Vec<String>),
    AllowMethods(Vec<String>),
    AllowHeaders(Vec<String>),
    AllowCredentials,
    ExposeHeaders(Vec<String>),
    /// Seconds.
    MaxAge(i32),
    /// Any other header: its name and its value.
    Custom(String, String),
}

impl HeadersPolicy {
    /// Tells whether a policy can send a header so. Where it cannot, a function can, unless the name is [`Unfit::Untouchable`].
    pub fn fits(name: &str, value: &str) -> Result<(), Unfit> {
        PolicySetting::read(name, value).map(|_| ())
    }

    /// Returns it as viewers will see it and as it is read back: values in CloudFront's own words, lists sorted.
    pub fn checked(self) -> Result<Self, Unfit> {
        let settings = self.settings()?.into_iter();
        let sent = settings.map(|setting| (setting.name().to_owned(), setting.value()));
        let removed = self.removed.iter().map(|name| name.to_ascii_lowercase());
        Ok(Self {
            sent: sent.collect(),
            removed: removed.collect(),
            comment: self.comment,
            name: self.name,
        })
    }

    /// Reads each header that it sends as the setting that does, and holds all to CloudFront's limits.
    pub fn settings(&self) -> Result<Vec<PolicySetting>, Unfit> {
        let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !(1..=LONGEST_LABEL).contains(&self.name.len()) || !self.name.bytes().all(in_name) {
            return Err(Unfit::PolicyName(self.name.clone()));
        }
        if self.comment.chars().count() > LONGEST_LABEL {
            return Err(Unfit::Comment);
        }
        let settings = self.sent.iter();
        let settings = settings.map(|(name, value)| PolicySetting::read(name, value));
        let settings = settings.collect::<Result<Vec<_>, _>>()?;
        for name in &self.removed {
            touchable(&name.to_ascii_lowercase())?;
        }
        let custom = settings.iter().filter_map(|setting| match setting {
            PolicySetting::Custom(name, value) => Some(name.len() + value.len()),
            _ => None,
        });
        let custom: Vec<usize> = custom.collect();
        let has_all = |setting: &PolicySetting| setting.names().iter().any(|name| name == "*");
        if custom.len() > MOST_HEADERS {
            return Err(Unfit::TooManySent(custom.len()));
        }
        if custom.iter().sum::<usize>() > MOST_BYTES {
            return Err(Unfit::TooMuchSent);
        }
        if self.removed.len() > MOST_HEADERS {
            return Err(Unfit::TooManyRemoved(self.removed.len()));
        }
        if settings.contains(&PolicySetting::AllowCredentials) && settings.iter().any(has_all) {
            return Err(Unfit::CredentialsForAll);
        }
        if settings.is_empty() && self.removed.is_empty() {
            return Err(Unfit::Empty);
        }
        Ok(settings)
    }
}

impl PolicySetting {
    /// Reads a header, whose name may be in any case.
    pub fn read(name: &str, value: &str) -> Result<Self, Unfit> {
        let name = name.to_ascii_lowercase();
        touchable(&name)?;
        let value = value.trim();
        if value.len() > LONGEST_VALUE {
            return Err(Unfit::TooLong(name));
        }
        let is_text = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let setting = is_text.then(|| Self::of(&name, value)).flatten();
        setting.ok_or_else(|| Unfit::Value(name, value.to_owned()))
    }

    /// `None`: no policy can send that. CORS headers that the policy would not be told apart from by what stands for none are
    /// among those.
    fn of(name: &str, value: &str) -> Option<Self> {
        let is = |word: &str| value.eq_ignore_ascii_case(word);
        Some(match name {
            "content-security-policy" if !value.is_empty() => {
                Self::ContentSecurityPolicy(value.to_owned())
            }
            "x-content-type-options" if is("nosniff") => Self::ContentTypeOptions,
            "x-frame-options" if is("DENY") || is("SAMEORIGIN") => {
                Self::FrameOptions(value.to_ascii_uppercase())
            }
            "referrer-policy" => {
                let known = REFERRER_POLICIES.into_iter().find(|known| is(known))?;
                Self::ReferrerPolicy(known.to_owned())
            }
            "strict-transport-security" => strict_transport(value)?,
            "x-xss-protection" => xss_protection(value)?,
            "access-control-allow-origin" => {
                let origins = list_of(value, is_origin)?;
                Self::AllowOrigins((origins != [UNSET_ORIGIN]).then_some(origins)?)
            }
            "access-control-allow-methods" => {
                let methods = value.to_ascii_uppercase();
                let is_method = |text: &str| text == "*" || METHODS.contains(&text);
                let methods = list_of(&methods, is_method)?;
                Self::methods((methods != [UNSET_METHOD]).then_some(methods)?)
            }
            "access-control-allow-headers" => {
                let names = list_of(value, is_token)?;
                let is_unset = names.len() == 1 && names.iter().all(|name| name == UNSET_HEADER);
                Self::AllowHeaders((!is_unset).then_some(names)?)
            }
            "access-control-expose-headers" => Self::ExposeHeaders(list_of(value, is_token)?),
            "access-control-allow-credentials" if is("true") => Self::AllowCredentials,
            "access-control-max-age" => Self::MaxAge(seconds(value)?),
            "content-security-policy"
            | "x-content-type-options"
            | "x-frame-options"
            | "access-control-allow-credentials" => return None,
            // CloudFront counts them among the CORS headers, which go by settings alone.
            other if other.starts_with("access-control-") => return None,
            other => Self::Custom(other.to_owned(), value.to_owned()),
        })
    }

    /// Returns the methods that CloudFront has in a list, where `*` and `ALL` are all of them.
    pub fn methods(methods: Vec<String>) -> Self {
        let all = methods
            .iter()
            .any(|method| method == "*" || method == "ALL");
        Self::AllowMethods(if all {
            METHODS.map(str::to_owned).to_vec()
        } else {
            methods
        })
    }

    /// Returns the header's name in lower case.
    pub fn name(&self) -> &str {
        match self {
            Self::ContentSecurityPolicy(_) => "content-security-policy",
            Self::ContentTypeOptions => "x-content-type-options",
            Self::FrameOptions(_) => "x-frame-options",
            Self::ReferrerPolicy(_) => "referrer-policy",
            Self::StrictTransportSecurity { .. } => "strict-transport-security",
            Self::XssProtection { .. } => "x-xss-protection",
            Self::AllowOrigins(_) => "access-control-allow-origin",
            Self::AllowMethods(_) => "access-control-allow-methods",
            Self::AllowHeaders(_) => "access-control-allow-headers",
            Self::AllowCredentials => "access-control-allow-credentials",
            Self::ExposeHeaders(_) => "access-control-expose-headers",
            Self::MaxAge(_) => "access-control-max-age",
            Self::Custom(name, _) => name,
        }
    }

    /// Returns the header's value as CloudFront words it.
    pub fn value(&self) -> String {
        match self {
            Self::ContentTypeOptions => "nosniff".to_owned(),
            Self::AllowCredentials => "true".to_owned(),
            Self::MaxAge(seconds) => seconds.to_string(),
            Self::ContentSecurityPolicy(value)
            | Self::FrameOptions(value)
            | Self::ReferrerPolicy(value)
            | Self::Custom(_, value) => value.clone(),
            Self::StrictTransportSecurity {
                max_age,
                subdomains,
                preload,
            } => {
                let subdomains = if *subdomains {
                    "; includeSubDomains"
                } else {
                    ""
                };
                let preload = if *preload { "; preload" } else { "" };
                format!("max-age={max_age}{subdomains}{preload}")
            }
            Self::XssProtection { filter: false, .. } => "0".to_owned(),
            Self::XssProtection { block, report, .. } => {
                let block = if *block { "; mode=block" } else { "" };
                let report = report.iter().map(|uri| format!("; report={uri}"));
                format!("1{block}{}", report.collect::<String>())
            }
            Self::AllowOrigins(list)
            | Self::AllowMethods(list)
            | Self::AllowHeaders(list)
            | Self::ExposeHeaders(list) => sorted(list.clone()).join(", "),
        }
    }

    /// The items of a list that may be `*`.
    fn names(&self) -> &[String] {
        match self {
            Self::AllowOrigins(list) | Self::AllowHeaders(list) | Self::ExposeHeaders(list) => list,
            _ => &[],
        }
    }
}

/// The three lists that CloudFront wants where a policy sends any CORS header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsLists {
    pub origins: Vec<String>,
    pub methods: Vec<String>,
    pub headers: Vec<String>,
}

impl Default for CorsLists {
    /// What adds nothing to what is allowed anyway.
    fn default() -> Self {
        Self {
            origins: vec![UNSET_ORIGIN.to_owned()],
            methods: vec![UNSET_METHOD.to_owned()],
            headers: vec![UNSET_HEADER.to_owned()],
        }
    }
}

impl CorsLists {
    /// Returns those of the lists that say something.
    pub fn settings(self) -> Vec<PolicySetting> {
        let unset = Self::default();
        let origins = (self.origins != unset.origins).then_some(self.origins);
        let methods = (self.methods != unset.methods).then_some(self.methods);
        let headers = (self.headers != unset.headers).then_some(self.headers);
        let origins = origins.map(PolicySetting::AllowOrigins);
        let methods = methods.map(PolicySetting::methods);
        let headers = headers.map(PolicySetting::AllowHeaders);
        [origins, methods, headers].into_iter().flatten().collect()
    }
}

/// Refuses what is no name of a header and what no policy may send or remove ("Headers that you can't remove"). `name` is in lower
/// case.
fn touchable(name: &str) -> Result<(), Unfit> {
    const PREFIXES: [&str; 2] = ["x-amz-cf-", "x-edge-"];
    const NAMES: &[&str] = &[
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
    if !is_token(name) || name.len() > LONGEST_NAME {
        return Err(Unfit::HeaderName(name.to_owned()));
    }
    if NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(Unfit::Untouchable(name.to_owned()));
    }
    Ok(())
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let mut bytes = text.bytes();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && bytes.all(is_part)
}

/// `*`, or scheme, host and perhaps a port; the leftmost label of the host may be `*`.
fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = host.map(|host| host.strip_prefix("*.").unwrap_or(host));
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
    text == "*" || host.is_some_and(|host| !host.is_empty() && host.bytes().all(is_part))
}

/// Reads a list of what `is_item` takes, sorted, each once; `*` stands for all others.
fn list_of(value: &str, is_item: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    let items = value.split(',').map(str::trim);
    let items: Vec<String> = items
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect();
    if items.is_empty() || !items.iter().all(|item| is_item(item)) {
        return None;
    }
    Some(sorted(items))
}

/// In one order, whichever CloudFront gives them back in.
fn sorted(mut items: Vec<String>) -> Vec<String> {
    items.sort_by_key(|item| item.to_ascii_lowercase());
    items.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
    items
}

fn seconds(text: &str) -> Option<i32> {
    text.parse().ok().filter(|seconds| *seconds >= 0)
}

/// RFC 6797, section 6.1.
fn strict_transport(value: &str) -> Option<PolicySetting> {
    let (mut max_age, mut subdomains, mut preload) = (None, false, false);
    for directive in value.split(';').map(str::trim) {
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        match (name.trim().to_ascii_lowercase().as_str(), argument.trim()) {
            ("max-age", seconds_text) => max_age = Some(seconds(seconds_text.trim_matches('"'))?),
            ("includesubdomains", "") => subdomains = true,
            ("preload", "") => preload = true,
            ("", "") => {}
            _ => return None,
        }
    }
    Some(PolicySetting::StrictTransportSecurity {
        max_age: max_age?,
        subdomains,
        preload,
    })
}

/// `0`, `1`, `1; mode=block` and `1; report=URI`.
fn xss_protection(value: &str) -> Option<PolicySetting> {
    let (filter, rest) = value.split_once(';').unwrap_or((value, ""));
    let rest = rest.trim();
    let report = rest.strip_prefix("report=").map(str::trim);
    let report = report.filter(|uri| !uri.is_empty() && !uri.contains(';'));
    let block = rest.replace(' ', "").eq_ignore_ascii_case("mode=block");
    let filter = match filter.trim() {
        "0" if rest.is_empty() => false,
        "1" if rest.is_empty() || block || report.is_some() => true,
        _ => return None,
    };
    Some(PolicySetting::XssProtection {
        filter,
        block,
        report: report.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(sent: &[(&str, &str)]) -> HeadersPolicy {
        let sent = sent.iter();
        HeadersPolicy {
            name: "site".to_owned(),
            sent: sent
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..HeadersPolicy::default()
        }
    }

    #[test]
    fn what_fits_is_sent_in_cloudfronts_words() {
        for (name, value, sent) in [
            ("X-Frame-Options", "sameorigin", "SAMEORIGIN"),
            ("X-Content-Type-Options", " NoSniff ", "nosniff"),
            ("Referrer-Policy", "Same-Origin", "same-origin"),
            (
                "Strict-Transport-Security",
                "preload;max-age=\"60\" ;includesubdomains;",
                "max-age=60; includeSubDomains; preload",
            ),
            ("Strict-Transport-Security", "max-age=0", "max-age=0"),
            ("X-XSS-Protection", "0", "0"),
            ("X-XSS-Protection", "1", "1"),
            ("X-XSS-Protection", "1;mode=block", "1; mode=block"),
            ("X-XSS-Protection", "1; report=/r", "1; report=/r"),
            (
                "Content-Security-Policy",
                "default-src 'self'; img-src *",
                "default-src 'self'; img-src *",
            ),
            ("Access-Control-Allow-Origin", "*", "*"),
            (
                "Access-Control-Allow-Origin",
                "https://b.example:8080,https://*.a.example",
                "https://*.a.example, https://b.example:8080",
            ),
            ("Access-Control-Allow-Methods", "get, PUT,GET", "GET, PUT"),
            (
                "Access-Control-Allow-Methods",
                "*",
                "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
            ),
            ("Access-Control-Allow-Headers", "X-B, X-A", "X-A, X-B"),
            ("Access-Control-Expose-Headers", "*", "*"),
            ("Access-Control-Allow-Credentials", "true", "true"),
            ("Access-Control-Max-Age", "600", "600"),
            ("Cache-Control", "no-cache", "no-cache"),
            ("Permissions-Policy", "camera=()", "camera=()"),
            ("X-Empty", "", ""),
        ] {
            let setting = PolicySetting::read(name, value).unwrap();
            assert_eq!(setting.value(), sent, "{name}: {value}");
            assert_eq!(setting.name(), name.to_ascii_lowercase());
            // What is read back is the same again.
            assert_eq!(PolicySetting::read(name, sent).unwrap().value(), sent);
        }
    }

    #[test]
    fn what_no_policy_can_send_is_left_to_a_function() {
        for (name, value) in [
            ("X-Frame-Options", "ALLOW-FROM https://a.example"),
            ("X-Frame-Options", ""),
            ("X-Content-Type-Options", "sniff"),
            (
                "Referrer-Policy",
                "no-referrer, strict-origin-when-cross-origin",
            ),
            ("Strict-Transport-Security", "includeSubDomains"),
            ("Strict-Transport-Security", "max-age=-1"),
            ("Strict-Transport-Security", "max-age=1; other"),
            ("X-XSS-Protection", "1; mode=block; report=/r"),
            ("X-XSS-Protection", "0; mode=block"),
            ("Content-Security-Policy", ""),
            ("Access-Control-Allow-Origin", "null"),
            ("Access-Control-Allow-Origin", "https://a.*.example"),
            ("Access-Control-Allow-Origin", "https://a.example/"),
            ("Access-Control-Allow-Origin", UNSET_ORIGIN),
            ("Access-Control-Allow-Methods", "HEAD"),
            ("Access-Control-Allow-Methods", "GET, BREW"),
            ("Access-Control-Allow-Headers", "Accept"),
            ("Access-Control-Allow-Headers", "a b"),
            ("Access-Control-Allow-Credentials", "false"),
            ("Access-Control-Max-Age", "-1"),
            ("Access-Control-Allow-Private-Network", "true"),
            ("X-A", "caf\u{e9}"),
            ("X-A", "a\nb"),
        ] {
            let unfit = HeadersPolicy::fits(name, value).unwrap_err();
            let expected = Unfit::Value(name.to_ascii_lowercase(), value.to_owned());
            assert_eq!(unfit, expected, "{name}: {value}");
        }
        for name in ["Content-Length", "Via", "X-Amz-Cf-Pop", "X-Edge-Location"] {
            let expected = Unfit::Untouchable(name.to_ascii_lowercase());
            assert_eq!(HeadersPolicy::fits(name, "a"), Err(expected));
        }
        for name in ["", "a b", "caf\u{e9}"] {
            let unfit = HeadersPolicy::fits(name, "a");
            assert_eq!(unfit, Err(Unfit::HeaderName(name.to_owned())));
        }
        let long = "a".repeat(1783);
        assert_eq!(
            HeadersPolicy::fits("Content-Security-Policy", &long),
            Ok(())
        );
        let unfit = HeadersPolicy::fits("X-A", &(long + "a"));
        assert_eq!(unfit, Err(Unfit::TooLong("x-a".to_owned())));
    }

    #[test]
    fn a_policy_keeps_to_the_limits() {
        let names: Vec<String> = (0..11).map(|number| format!("x-{number}")).collect();
        let long = "a".repeat(1100);
        let all = |value| {
            let names = names.iter().map(|name| (name.as_str(), value));
            names.collect::<Vec<_>>()
        };
        let mut removing = policy(&[]);
        removing.removed = names.iter().cloned().collect();
        let mut via = policy(&[]);
        via.removed.insert("Via".to_owned());
        let mut unnamed = policy(&[("x-a", "b")]);
        unnamed.name = "a b".to_owned();
        let mut chatty = policy(&[("x-a", "b")]);
        chatty.comment = "c".repeat(129);
        for (policy, unfit) in [
            (policy(&all("v")), Unfit::TooManySent(11)),
            (policy(&all(&long)[..10]), Unfit::TooMuchSent),
            (removing.clone(), Unfit::TooManyRemoved(11)),
            (via, Unfit::Untouchable("via".to_owned())),
            (unnamed, Unfit::PolicyName("a b".to_owned())),
            (chatty, Unfit::Comment),
            (policy(&[]), Unfit::Empty),
            (
                policy(&[
                    ("access-control-allow-credentials", "true"),
                    ("access-control-allow-headers", "*"),
                ]),
                Unfit::CredentialsForAll,
            ),
        ] {
            assert_eq!(policy.checked(), Err(unfit));
        }
        // Security and CORS headers do not count.
        let mut most = all("v");
        most.truncate(10);
        most.extend([("x-frame-options", "DENY"), ("access-control-max-age", "1")]);
        assert_eq!(policy(&most).checked().map(|most| most.sent.len()), Ok(12));
        removing.removed.pop_last();
        assert_eq!(removing.clone().checked(), Ok(removing));
    }

    #[test]
    fn checking_settles_names_and_values() {
        let mut wanted = policy(&[("X-Frame-Options", "deny"), ("X-A", "b")]);
        wanted.removed.insert("ETag".to_owned());
        let checked = wanted.checked().unwrap();
        let mut expected = policy(&[("x-frame-options", "DENY"), ("x-a", "b")]);
        expected.removed.insert("etag".to_owned());
        assert_eq!(checked, expected);
        assert_eq!(checked.clone().checked(), Ok(checked));
    }
}
