//! Single headers as the settings of a response headers policy that send them (Developer Guide, "Understand response headers
//! policies").

use super::unfit::{LONGEST_VALUE, Unfit, touchable};
use crate::rules::rule_check::is_header_name;

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
        // It would be read back as one that nobody asked for.
        let setting = setting.filter(|setting| !setting.is_unset());
        setting.ok_or_else(|| Unfit::Value(name, value.to_owned()))
    }

    /// `None`: no policy can send that.
    fn of(name: &str, value: &str) -> Option<Self> {
        let is = |word: &str| value.eq_ignore_ascii_case(word);
        match name {
            "content-security-policy" => {
                (!value.is_empty()).then(|| Self::ContentSecurityPolicy(value.to_owned()))
            }
            "x-content-type-options" => is("nosniff").then_some(Self::ContentTypeOptions),
            "x-frame-options" => {
                let is_known = is("DENY") || is("SAMEORIGIN");
                is_known.then(|| Self::FrameOptions(value.to_ascii_uppercase()))
            }
            "referrer-policy" => {
                let known = REFERRER_POLICIES.into_iter().find(|known| is(known))?;
                Some(Self::ReferrerPolicy(known.to_owned()))
            }
            "strict-transport-security" => strict_transport(value),
            "x-xss-protection" => xss_protection(value),
            "access-control-allow-origin" => list_of(value, is_origin).map(Self::AllowOrigins),
            "access-control-allow-methods" => {
                let is_method = |text: &str| text == "*" || METHODS.contains(&text);
                list_of(&value.to_ascii_uppercase(), is_method).map(Self::methods)
            }
            "access-control-allow-headers" => {
                list_of(value, is_header_name).map(Self::AllowHeaders)
            }
            "access-control-expose-headers" => {
                list_of(value, is_header_name).map(Self::ExposeHeaders)
            }
            "access-control-allow-credentials" => is("true").then_some(Self::AllowCredentials),
            "access-control-max-age" => seconds(value).map(Self::MaxAge),
            // CloudFront counts them among the CORS headers, which go by settings alone.
            other if other.starts_with("access-control-") => None,
            other => Some(Self::Custom(other.to_owned(), value.to_owned())),
        }
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

    /// Tells whether it stands for a CORS header that was not asked for.
    fn is_unset(&self) -> bool {
        let (list, unset) = match self {
            Self::AllowOrigins(list) => (list, UNSET_ORIGIN),
            Self::AllowMethods(list) => (list, UNSET_METHOD),
            Self::AllowHeaders(list) => (list, UNSET_HEADER),
            _ => return false,
        };
        matches!(list.as_slice(), [item] if item.eq_ignore_ascii_case(unset))
    }

    /// The items of a list that may be `*`.
    pub(super) fn names(&self) -> &[String] {
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
        let settings = [
            PolicySetting::AllowOrigins(self.origins),
            PolicySetting::methods(self.methods),
            PolicySetting::AllowHeaders(self.headers),
        ];
        let settings = settings.into_iter();
        settings.filter(|setting| !setting.is_unset()).collect()
    }
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
            let unfit = PolicySetting::read(name, value).unwrap_err();
            let expected = Unfit::Value(name.to_ascii_lowercase(), value.to_owned());
            assert_eq!(unfit, expected, "{name}: {value}");
        }
        for name in ["Content-Length", "Via", "X-Amz-Cf-Pop", "X-Edge-Location"] {
            let expected = Unfit::Untouchable(name.to_ascii_lowercase());
            assert_eq!(PolicySetting::read(name, "a"), Err(expected));
        }
        for name in ["", "a b", "caf\u{e9}"] {
            let unfit = PolicySetting::read(name, "a");
            assert_eq!(unfit, Err(Unfit::HeaderName(name.to_owned())));
        }
        let long = "a".repeat(1783);
        assert!(PolicySetting::read("Content-Security-Policy", &long).is_ok());
        let unfit = PolicySetting::read("X-A", &(long + "a"));
        assert_eq!(unfit, Err(Unfit::TooLong("x-a".to_owned())));
    }
}
