//! Response headers policies as the API reads, writes and refuses them.

use std::collections::BTreeSet;

use hyper::HeaderMap;

use super::{Done, Failed, listed, missing, parameter, queried};
use crate::clock::iso_date;
use crate::distribution::code_of;
use crate::headers_policy::{
    CorsPolicy, HeadersPolicy, PolicyHeader, SECURITY_HEADERS, is_untouchable,
};
use crate::http::header;
use crate::world::Shared;
use crate::xml::{Element, leaf, list, node};

/// Developer Guide, "Quotas on policies" and "Quotas on headers"; lengths in characters.
const MOST_POLICIES: usize = 20;
const MOST_HEADERS: usize = 10;
const LONGEST_NAME: usize = 256;
const LONGEST_VALUE: usize = 1783;
/// Of a policy's name and of its comment.
const LONGEST_LABEL: usize = 128;

const METHODS: [&str; 8] = [
    "GET", "POST", "OPTIONS", "PUT", "DELETE", "HEAD", "PATCH", "ALL",
];
const REFERRERS: [&str; 8] = [
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
];

fn refused<T>(code: &'static str, said: impl Into<String>) -> Result<T, Failed> {
    let status = match code {
        "ResponseHeadersPolicyAlreadyExists" | "ResponseHeadersPolicyInUse" => 409,
        "PreconditionFailed" => 412,
        _ => 400,
    };
    Err(Failed(status, code, said.into()))
}

pub(super) fn no_such_policy() -> Failed {
    missing("NoSuchResponseHeadersPolicy", "response headers policy")
}

fn etag(policy: &HeadersPolicy) -> String {
    let config = config(policy).document("");
    format!("E{}", code_of(&String::from_utf8_lossy(&config)))
}

fn policy(shared: &Shared, id: &str) -> Result<HeadersPolicy, Failed> {
    shared.cloud.headers_policy(id).ok_or_else(no_such_policy)
}

pub(super) fn get(shared: &Shared, id: &str) -> Result<Done, Failed> {
    let policy = policy(shared, id)?;
    Ok(Done::ok(element(shared, id, &policy)).with("etag", etag(&policy)))
}

pub(super) fn get_config(shared: &Shared, id: &str) -> Result<Done, Failed> {
    let policy = policy(shared, id)?;
    Ok(Done::ok(config(&policy)).with("etag", etag(&policy)))
}

pub(super) fn create(shared: &Shared, body: &str) -> Result<Done, Failed> {
    let policy = sent(body)?;
    let id = uuid::Uuid::new_v4().to_string();
    shared.cloud.with_headers_policies(|known, _| {
        if known.values().any(|other| other.name == policy.name) {
            let said = "There is a response headers policy of that name.";
            return refused("ResponseHeadersPolicyAlreadyExists", said);
        }
        if known.values().filter(|other| !other.managed).count() >= MOST_POLICIES {
            let said = "The account has as many response headers policies as it may have.";
            return refused("TooManyResponseHeadersPolicies", said);
        }
        known.insert(id.clone(), policy.clone());
        Ok(())
    })?;
    let mut done = Done::ok(element(shared, &id, &policy));
    done.status = 201;
    let place = format!("https://cloudfront.amazonaws.com/2020-05-31/response-headers-policy/{id}");
    Ok(done.with("etag", etag(&policy)).with("location", place))
}

pub(super) fn update(
    shared: &Shared,
    id: &str,
    headers: &HeaderMap,
    body: &str,
) -> Result<Done, Failed> {
    let policy = sent(body)?;
    shared.cloud.with_headers_policies(|known, _| {
        if matching(known.get(id), headers)?.managed {
            return refused("IllegalUpdate", "The policy is managed by CloudFront.");
        }
        let mut others = known.iter().filter(|(other, _)| *other != id);
        if others.any(|(_, other)| other.name == policy.name) {
            let said = "There is a response headers policy of that name.";
            return refused("ResponseHeadersPolicyAlreadyExists", said);
        }
        known.insert(id.to_owned(), policy.clone());
        Ok(())
    })?;
    Ok(Done::ok(element(shared, id, &policy)).with("etag", etag(&policy)))
}

pub(super) fn delete(shared: &Shared, id: &str, headers: &HeaderMap) -> Result<Done, Failed> {
    shared.cloud.with_headers_policies(|known, used| {
        if matching(known.get(id), headers)?.managed {
            return refused("IllegalDelete", "The policy is managed by CloudFront.");
        }
        if used.contains(id) {
            let said = "The policy is attached to a behavior.";
            return refused("ResponseHeadersPolicyInUse", said);
        }
        known.remove(id);
        Ok(())
    })?;
    Ok(Done {
        status: 204,
        document: None,
        raw: Vec::new(),
        headers: Vec::new(),
    })
}

/// Returns what is there, if the request's If-Match says so.
fn matching<'a>(
    policy: Option<&'a HeadersPolicy>,
    headers: &HeaderMap,
) -> Result<&'a HeadersPolicy, Failed> {
    let policy = policy.ok_or_else(no_such_policy)?;
    match header(headers, "if-match") {
        None => refused(
            "InvalidIfMatchVersion",
            "The If-Match version is missing or not valid.",
        ),
        Some(tag) if tag == etag(policy) => Ok(policy),
        Some(_) => refused("PreconditionFailed", "The policy was changed."),
    }
}

/// By ids, the managed ones too unless `Type` says which. There is no IsTruncated in this list.
pub(super) fn list_policies(shared: &Shared, query: &str) -> Done {
    let wanted = parameter(query, "Type");
    let mut policies = shared.cloud.headers_policies();
    policies.retain(|(_, policy)| wanted.as_deref().is_none_or(|kind| kind == kind_of(policy)));
    let page = shared.cloud.page();
    let (shown, mut head) = queried(policies, |(id, _)| id.as_str(), query, page);
    let named = |part: &Element| ["NextMarker", "MaxItems"].contains(&part.name.as_str());
    head.children.retain(named);
    let items = shown.iter().map(|(id, policy)| {
        node(
            "ResponseHeadersPolicySummary",
            [leaf("Type", kind_of(policy)), element(shared, id, policy)],
        )
    });
    Done::ok(listed("ResponseHeadersPolicyList", head, items.collect()))
}

fn kind_of(policy: &HeadersPolicy) -> &'static str {
    if policy.managed { "managed" } else { "custom" }
}

fn element(shared: &Shared, id: &str, policy: &HeadersPolicy) -> Element {
    node(
        "ResponseHeadersPolicy",
        [
            leaf("Id", id),
            leaf("LastModifiedTime", iso_date(shared.begun)),
            config(policy),
        ],
    )
}

/// Writes ResponseHeadersPolicyConfig.
fn config(policy: &HeadersPolicy) -> Element {
    let mut parts = vec![leaf("Comment", &policy.comment), leaf("Name", &policy.name)];
    parts.extend(policy.cors.as_ref().map(cors_config));
    if !policy.security.is_empty() {
        let headers = policy.security.iter().map(security);
        parts.push(node("SecurityHeadersConfig", headers));
    }
    if !policy.custom.is_empty() {
        let headers = policy.custom.iter().map(|header| {
            node(
                "ResponseHeadersPolicyCustomHeader",
                [
                    leaf("Header", &header.name),
                    leaf("Value", &header.value),
                    leaf("Override", header.overrides),
                ],
            )
        });
        parts.push(list("CustomHeadersConfig", headers));
    }
    if !policy.removed.is_empty() {
        let names = policy.removed.iter().map(|name| leaf("Header", name));
        let names = names.map(|name| node("ResponseHeadersPolicyRemoveHeader", [name]));
        parts.push(list("RemoveHeadersConfig", names));
    }
    node("ResponseHeadersPolicyConfig", parts)
}

fn cors_config(cors: &CorsPolicy) -> Element {
    let items = |name: &str, item: &str, texts: &[String]| {
        list(name, texts.iter().map(|text| leaf(item, text)))
    };
    let mut parts = vec![
        items("AccessControlAllowOrigins", "Origin", &cors.origins),
        items("AccessControlAllowHeaders", "Header", &cors.headers),
        items("AccessControlAllowMethods", "Method", &cors.methods),
        leaf("AccessControlAllowCredentials", cors.credentials),
    ];
    if !cors.exposed.is_empty() {
        parts.push(items("AccessControlExposeHeaders", "Header", &cors.exposed));
    }
    let age = cors.max_age;
    parts.extend(age.map(|age| leaf("AccessControlMaxAgeSec", age)));
    parts.push(leaf("OriginOverride", cors.overrides));
    node("CorsConfig", parts)
}

/// Writes a security header as the setting that sends it.
fn security(header: &PolicyHeader) -> Element {
    let value = header.value.as_str();
    let mut directives = value.split(';').map(str::trim);
    let first = directives.next().unwrap_or_default();
    let rest: Vec<&str> = directives.collect();
    let (name, mut parts) = match header.name.to_ascii_lowercase().as_str() {
        "content-security-policy" => (
            "ContentSecurityPolicy",
            vec![leaf("ContentSecurityPolicy", value)],
        ),
        "referrer-policy" => ("ReferrerPolicy", vec![leaf("ReferrerPolicy", value)]),
        "x-frame-options" => ("FrameOptions", vec![leaf("FrameOption", value)]),
        "x-content-type-options" => ("ContentTypeOptions", Vec::new()),
        "strict-transport-security" => {
            let age = first.trim_start_matches("max-age=");
            let parts = vec![
                leaf("AccessControlMaxAgeSec", age),
                leaf("IncludeSubdomains", rest.contains(&"includeSubDomains")),
                leaf("Preload", rest.contains(&"preload")),
            ];
            ("StrictTransportSecurity", parts)
        }
        _ => {
            let mut parts = vec![
                leaf("Protection", first == "1"),
                leaf("ModeBlock", rest.contains(&"mode=block")),
            ];
            let report = rest.iter().find_map(|text| text.strip_prefix("report="));
            parts.extend(report.map(|uri| leaf("ReportUri", uri)));
            ("XSSProtection", parts)
        }
    };
    parts.push(leaf("Override", header.overrides));
    node(name, parts)
}

/// Reads and checks the policy of a request.
fn sent(body: &str) -> Result<HeadersPolicy, Failed> {
    let config = Element::parse(body);
    let Some(config) = config.filter(|config| config.name == "ResponseHeadersPolicyConfig") else {
        return refused("MalformedXML", "The XML is not well formed.");
    };
    read(&config)
}

/// The policy that a configuration describes, or what is wrong with it.
pub(crate) fn read_headers_policy(config: &Element) -> Result<HeadersPolicy, String> {
    read(config).map_err(|Failed(_, _, said)| said)
}

fn read(config: &Element) -> Result<HeadersPolicy, Failed> {
    if config.text_at("ServerTimingHeadersConfig/Enabled") == "true" {
        let said = "Server-Timing is not sent here".to_owned();
        return Err(Failed(501, "NotImplemented", said));
    }
    let custom = items(config, "CustomHeadersConfig")?;
    let removed = items(config, "RemoveHeadersConfig")?.iter();
    let policy = HeadersPolicy {
        name: config.text_at("Name").to_owned(),
        comment: config.text_at("Comment").to_owned(),
        managed: false,
        security: match config.child("SecurityHeadersConfig") {
            Some(settings) => read_security(settings)?,
            None => Vec::new(),
        },
        cors: config.child("CorsConfig").map(read_cors).transpose()?,
        custom: custom.iter().map(read_custom).collect(),
        removed: removed
            .map(|item| item.text_at("Header").to_owned())
            .collect(),
    };
    check(&policy)?;
    Ok(policy)
}

/// The items of a list, which are as many as its Quantity says.
fn items<'a>(element: &'a Element, name: &str) -> Result<&'a [Element], Failed> {
    let items = element.items(name);
    let quantity = element.at(name).map(|list| list.text_at("Quantity"));
    if quantity.is_some_and(|quantity| quantity.parse() != Ok(items.len())) {
        let said = "The value of Quantity and the size of Items don't match.";
        return refused("InconsistentQuantities", said);
    }
    Ok(items)
}

fn texts(element: &Element, name: &str) -> Result<Vec<String>, Failed> {
    let items = items(element, name)?.iter();
    Ok(items.map(|item| item.text.clone()).collect())
}

fn read_custom(item: &Element) -> PolicyHeader {
    PolicyHeader {
        name: item.text_at("Header").to_owned(),
        value: item.text_at("Value").to_owned(),
        overrides: item.text_at("Override") == "true",
    }
}

fn read_cors(config: &Element) -> Result<CorsPolicy, Failed> {
    let age = config.at("AccessControlMaxAgeSec");
    Ok(CorsPolicy {
        origins: texts(config, "AccessControlAllowOrigins")?,
        methods: texts(config, "AccessControlAllowMethods")?,
        headers: texts(config, "AccessControlAllowHeaders")?,
        exposed: texts(config, "AccessControlExposeHeaders")?,
        credentials: config.text_at("AccessControlAllowCredentials") == "true",
        max_age: age.map(seconds).transpose()?,
        overrides: config.text_at("OriginOverride") == "true",
    })
}

fn seconds(element: &Element) -> Result<i32, Failed> {
    let seconds = element.text.trim().parse::<i32>().ok();
    match seconds.filter(|seconds| *seconds >= 0) {
        Some(seconds) => Ok(seconds),
        None => refused("InvalidArgument", "The number of seconds is not valid."),
    }
}

/// Reads each setting as the header that it sends.
fn read_security(settings: &Element) -> Result<Vec<PolicyHeader>, Failed> {
    let mut headers = Vec::new();
    for setting in &settings.children {
        let is = |name: &str| setting.text_at(name) == "true";
        let (name, value) = match setting.name.as_str() {
            "ContentSecurityPolicy" => (
                "content-security-policy",
                setting.text_at("ContentSecurityPolicy").to_owned(),
            ),
            "ReferrerPolicy" => {
                let value = one_of(&REFERRERS, setting.text_at("ReferrerPolicy"))?;
                ("referrer-policy", value)
            }
            "FrameOptions" => {
                let value = one_of(&["DENY", "SAMEORIGIN"], setting.text_at("FrameOption"))?;
                ("x-frame-options", value)
            }
            "ContentTypeOptions" => ("x-content-type-options", "nosniff".to_owned()),
            "StrictTransportSecurity" => {
                let age = setting.child("AccessControlMaxAgeSec").cloned();
                let mut value = format!("max-age={}", seconds(&age.unwrap_or_default())?);
                if is("IncludeSubdomains") {
                    value.push_str("; includeSubDomains");
                }
                if is("Preload") {
                    value.push_str("; preload");
                }
                ("strict-transport-security", value)
            }
            "XSSProtection" => {
                let value = match (setting.text_at("ReportUri"), is("ModeBlock")) {
                    ("", _) if !is("Protection") => "0".to_owned(),
                    ("", true) => "1; mode=block".to_owned(),
                    ("", false) => "1".to_owned(),
                    (uri, false) if is("Protection") => format!("1; report={uri}"),
                    _ => return refused("InvalidArgument", "ReportUri goes without ModeBlock."),
                };
                ("x-xss-protection", value)
            }
            _ => return refused("MalformedXML", "The XML is not well formed."),
        };
        headers.push(PolicyHeader {
            overrides: is("Override"),
            ..PolicyHeader::new(name, &value)
        });
    }
    Ok(headers)
}

fn one_of(known: &[&str], value: &str) -> Result<String, Failed> {
    if known.contains(&value) {
        Ok(value.to_owned())
    } else {
        refused("InvalidArgument", format!("{value} is none of {known:?}."))
    }
}

/// Refuses what CloudFront does.
fn check(policy: &HeadersPolicy) -> Result<(), Failed> {
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let name = &policy.name;
    if name.is_empty() || name.len() > LONGEST_LABEL || !name.bytes().all(in_name) {
        return refused("InvalidArgument", "The policy's name is not valid.");
    }
    if policy.comment.len() > LONGEST_LABEL {
        return refused("InvalidArgument", "The policy's comment is too long.");
    }
    if policy.sent(Some("https://a")).is_empty()
        && policy.cors.is_none()
        && policy.removed.is_empty()
    {
        return refused("InvalidArgument", "The policy does nothing.");
    }
    let mut security = policy.security.iter();
    if security.any(|header| header.value.chars().count() > LONGEST_VALUE) {
        let said = "The Content-Security-Policy is too long.";
        return refused("TooLongCSPInResponseHeadersPolicy", said);
    }
    if policy.custom.len() > MOST_HEADERS {
        let said = "There are too many custom headers.";
        return refused("TooManyCustomHeadersInResponseHeadersPolicy", said);
    }
    if policy.removed.len() > MOST_HEADERS {
        let said = "There are too many headers to remove.";
        return refused("TooManyRemoveHeadersInResponseHeadersPolicy", said);
    }
    let custom = policy.custom.iter().map(|header| &header.name);
    check_names("CustomHeaders", custom.collect())?;
    check_names("RemoveHeaders", policy.removed.iter().collect())?;
    for header in &policy.custom {
        check_custom(header)?;
    }
    policy.cors.as_ref().map_or(Ok(()), check_cors)
}

/// Takes names that are header names, are there once and may be touched.
fn check_names(list: &str, names: Vec<&String>) -> Result<(), Failed> {
    let mut known = BTreeSet::new();
    for name in names {
        let lower = name.to_ascii_lowercase();
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_name = !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(is_token);
        if !is_name || is_untouchable(&lower) || !known.insert(lower) {
            let said = format!("The parameter {list} contains {name} that is not allowed.");
            return refused("InvalidArgument", said);
        }
    }
    Ok(())
}

fn check_custom(header: &PolicyHeader) -> Result<(), Failed> {
    let name = header.name.to_ascii_lowercase();
    let kind = if SECURITY_HEADERS.contains(&name.as_str()) {
        "security"
    } else if name.starts_with("access-control-") {
        "CORS"
    } else {
        let is_text = |byte: u8| byte == b'\t' || byte >= b' ' && byte != 0x7f;
        return if header.value.bytes().all(is_text) && header.value.len() <= LONGEST_VALUE {
            Ok(())
        } else {
            refused(
                "InvalidArgument",
                format!("The value of {name} is not valid."),
            )
        };
    };
    let said = format!(
        "The parameter CustomHeaders contains {name} that is a {kind} header and cannot be set as custom header."
    );
    refused("InvalidArgument", said)
}

fn check_cors(cors: &CorsPolicy) -> Result<(), Failed> {
    let required = [&cors.origins, &cors.methods, &cors.headers];
    if required.iter().any(|items| items.is_empty()) {
        let said = "Origins, methods and headers are needed.";
        return refused("InvalidArgument", said);
    }
    for method in &cors.methods {
        one_of(&METHODS, method)?;
    }
    let names_all = |items: &[String]| items.iter().any(|item| item == "*");
    if cors.credentials
        && required
            .into_iter()
            .chain([&cors.exposed])
            .any(|items| names_all(items))
    {
        let said = "Nothing can contain * when allowCredentials is true.";
        return refused("InvalidArgument", said);
    }
    Ok(())
}
