//! What helps against an error of AWS's, by what this run was told: profile, proxy, endpoint.

use crate::aws::{AwsErrorKind, SIGN_IN, profiles};
use crate::error::Error;
use crate::settings::Settings;

/// Variables that give credentials where the profile of AWS_PROFILE gives none.
const OTHER_CREDENTIALS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// Refuses a profile that is nowhere. Where variables hold keys, those would be taken in silence in its place.
pub(super) fn check_profile(settings: &Settings) -> Result<(), Error> {
    let has_others = OTHER_CREDENTIALS
        .iter()
        .any(|name| variable(name).is_some());
    let by_variable = || variable("AWS_PROFILE").filter(|_| !has_others);
    let profile = (settings.profile.clone())
        .or_else(by_variable)
        .filter(|_| settings.local.is_none());
    let Some(profile) = profile else {
        return Ok(());
    };
    let names = profiles::names();
    if profile == "default" || names.contains(&profile) {
        return Ok(());
    }
    let error = Error::usage(format!("there is no AWS profile {profile}"));
    let names: Vec<String> = names.into_iter().collect();
    Err(error.hint(match names.as_slice() {
        [] => {
            format!("there are none at all: `aws configure sso --profile {profile}` makes this one")
        }
        names => format!(
            "there are {}; `aws configure sso --profile {profile}` makes this one",
            names.join(", ")
        ),
    }))
}

/// Names in an error's hint what this run was told that bears on it.
pub(super) fn remedied(mut error: Error, settings: &Settings) -> Error {
    let hint = error.hint.take();
    let profile = settings.profile.clone().or_else(|| variable("AWS_PROFILE"));
    error.hint = match (&error.kind, profile, hint) {
        (Some(AwsErrorKind::SignedOut | AwsErrorKind::BadCredentials), Some(profile), hint) => {
            let named = format!("`aws sso login --profile {profile}`");
            hint.map(|hint| hint.replace(SIGN_IN, &named))
        }
        (Some(AwsErrorKind::NoCredentials), Some(profile), _) => Some(format!(
            "the profile {profile} holds none: `aws configure --profile {profile}` or `aws configure sso --profile {profile}`"
        )),
        (Some(AwsErrorKind::AccessDenied), _, Some(hint))
            if settings.expected_bucket_owner.is_some() && hint.contains("arn:aws:s3:") =>
        {
            Some(format!(
                "{hint}. With --expected-bucket-owner it may also mean that somebody else owns the bucket"
            ))
        }
        (Some(AwsErrorKind::Unreachable | AwsErrorKind::TimedOut), _, hint) => {
            on_the_way(settings).or(hint)
        }
        (_, _, hint) => hint,
    };
    error
}

/// Names the proxy or the endpoint that does not answer, if one is set.
fn on_the_way(settings: &Settings) -> Option<String> {
    let endpoint = (settings.endpoint_url.as_ref())
        .map(|url| url.0.clone())
        .or_else(|| variable("AWS_ENDPOINT_URL_S3"))
        .or_else(|| variable("AWS_ENDPOINT_URL"))
        .filter(|_| settings.local.is_none());
    if let Some((variable, proxy)) = proxy(endpoint.as_deref()) {
        return Some(format!(
            "requests go by the proxy {proxy} ({variable}): check that it runs and lets them through, or name the host in NO_PROXY"
        ));
    }
    let endpoint = without_password(&endpoint?);
    Some(format!(
        "check that something answers at {endpoint} (--endpoint-url, `endpoint-url` in deploy.toml or AWS_ENDPOINT_URL)"
    ))
}

/// Returns the variable that names a proxy for requests to this endpoint, AWS's own where none is given, and the proxy.
fn proxy(endpoint: Option<&str>) -> Option<(&'static str, String)> {
    let names = match endpoint {
        Some(url) if url.starts_with("http://") => ["HTTP_PROXY", "http_proxy"],
        _ => ["HTTPS_PROXY", "https_proxy"],
    };
    let names = names.into_iter().chain(["ALL_PROXY", "all_proxy"]);
    let spared = variable("NO_PROXY").or_else(|| variable("no_proxy"));
    let host = host(endpoint.unwrap_or("https://amazonaws.com"));
    let is_spared = spared.unwrap_or_default().split(',').any(|part| {
        let part = part.trim().trim_start_matches('.');
        part == "*" || !part.is_empty() && host.ends_with(part)
    });
    let mut set = names.filter_map(|name| Some((name, without_password(&variable(name)?))));
    set.next().filter(|_| !is_spared)
}

/// Returns the host that a URL names, without its port and who signs in there.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    match host.rsplit_once(':') {
        Some((host, port)) if is_port(port) => host,
        _ => host,
    }
}

/// Leaves out who signs in there.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        _ => url.to_owned(),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_without_its_password() {
        for (url, told, name) in [
            ("http://proxy:3128", "http://proxy:3128", "proxy"),
            (
                "http://me:s3@cret@proxy:3128/",
                "http://proxy:3128/",
                "proxy",
            ),
            ("me:secret@proxy", "proxy", "proxy"),
            ("https://host/path", "https://host/path", "host"),
            ("http://[::1]:80/", "http://[::1]:80/", "[::1]"),
            ("http://[::1]", "http://[::1]", "[::1]"),
        ] {
            assert_eq!(without_password(url), told);
            assert_eq!(host(told), name, "{told}");
        }
    }
}
