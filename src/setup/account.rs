//! What the account has already that a stack would otherwise make or miss.

use super::design::AccountParts;
use crate::aws::{AwsClients, AwsError, CallerIdentity};
use crate::cli::SetupArgs;

const ZONE: &str = "AWS::Route53::HostedZone";
const PROVIDER: &str = "AWS::IAM::OIDCProvider";

/// Looks for what the flags leave open; `template` is what the stack was made from before, if it was. The texts say what is assumed of what nobody may see.
pub(crate) async fn account_parts(
    aws: &AwsClients,
    flags: &SetupArgs,
    (identity, template): (&CallerIdentity, &str),
) -> (AccountParts, Vec<String>) {
    let (mut parts, mut told) = (AccountParts::said(flags), Vec::new());
    if let (Some(domain), None) = (&flags.domain, &flags.hosted_zone) {
        match zone_of(aws, domain).await {
            Ok(zone) => parts.zone = zone,
            Err(error) => told.push(format!(
                "whether the account has the domain's zone cannot be seen, so that its records are left to you: {error}; --hosted-zone ID names it"
            )),
        }
    }
    if flags.github.is_some() && flags.github_provider.is_none() {
        match provider(aws, identity, template).await {
            Ok(provider) => parts.provider = provider,
            Err(error) => told.push(format!(
                "whether the account knows GitHub already cannot be seen, so that it is taken not to: {error}; --github-provider ARN names what it has"
            )),
        }
    }
    (parts, told)
}

/// Returns the id of the zone that the domain lies in: the innermost.
async fn zone_of(aws: &AwsClients, domain: &str) -> Result<Option<String>, AwsError> {
    let control = aws.cloud_control();
    let mut zones = Vec::new();
    for (id, mut zone) in control.list(ZONE).await? {
        // A list may have the ids alone.
        if zone["Name"].is_null() {
            zone = control.get(ZONE, &id).await?.unwrap_or_default();
        }
        let is_private = zone["VPCs"]
            .as_array()
            .is_some_and(|networks| !networks.is_empty());
        if let Some(name) = zone["Name"].as_str().filter(|_| !is_private) {
            zones.push((id, name.to_owned()));
        }
    }
    Ok(innermost(zones, domain))
}

fn innermost(mut zones: Vec<(String, String)>, domain: &str) -> Option<String> {
    let domain = format!(".{}", domain.to_ascii_lowercase());
    zones.retain(|(_, name)| domain.ends_with(&format!(".{}", name.trim_end_matches('.'))));
    let zone = zones.into_iter().max_by_key(|(_, name)| name.len());
    zone.map(|(id, _)| id)
}

/// Returns the ARN of the account's provider for GitHub, unless this very stack made it.
async fn provider(
    aws: &AwsClients,
    identity: &CallerIdentity,
    template: &str,
) -> Result<Option<String>, AwsError> {
    if template.lines().any(|line| line == "  GithubProvider:") {
        return Ok(None);
    }
    let partition = identity.arn.split(':').nth(1).unwrap_or("aws");
    let arn = format!(
        "arn:{partition}:iam::{}:oidc-provider/token.actions.githubusercontent.com",
        identity.account
    );
    let found = aws.cloud_control().get(PROVIDER, &arn).await?;
    Ok(found.map(|_| arn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_lies_in_the_innermost_zone() {
        let zones = || {
            [
                "example.com.",
                "www.example.com",
                "ample.com.",
                "other.org.",
            ]
            .map(|name| (format!("Z-{name}"), name.to_owned()))
            .to_vec()
        };
        for (domain, zone) in [
            ("example.com", Some("Z-example.com.")),
            ("a.example.com", Some("Z-example.com.")),
            ("a.WWW.example.com", Some("Z-www.example.com")),
            ("example.net", None),
        ] {
            assert_eq!(innermost(zones(), domain).as_deref(), zone, "{domain}");
        }
    }
}
