//! Distributions and response headers policies as templates describe them: the API's own form under other names.

use serde_json::Value;

use super::resources::{Made, Making, Place, fresh};
use super::stack::Resource;
use super::template::text;
use crate::cloudfront::{read_distribution, read_headers_policy};
use crate::distribution::{Behavior, Distribution};
use crate::xml::{Element, leaf, list, node};

/// Names that CloudFormation writes in another way than the API.
const NAMES: &[(&str, &str)] = &[
    ("IPV6Enabled", "IsIPV6Enabled"),
    ("AcmCertificateArn", "ACMCertificateArn"),
    ("IamCertificateId", "IAMCertificateId"),
    ("SslSupportMethod", "SSLSupportMethod"),
];

/// Writes properties as the API's XML: arrays are lists with a quantity.
pub(crate) fn xml_of(name: &str, value: &Value) -> Element {
    let renamed = NAMES.iter().find(|(known, _)| *known == name);
    let name = renamed.map_or(name, |(_, other)| other);
    match value {
        Value::Object(object) => {
            let parts = object.iter().flat_map(|(key, value)| match value {
                // Templates write some lists as the API does.
                Value::Array(items) if key == "Items" => list("", items.iter().map(item)).children,
                value => vec![xml_of(key, value)],
            });
            node(name, parts)
        }
        Value::Array(items) => list(name, items.iter().map(item)),
        other => leaf(name, text(other)),
    }
}

fn item(value: &Value) -> Element {
    xml_of("member", value)
}

/// The distribution that properties describe, on the ground of one that is there.
pub(crate) fn described(base: &Distribution, properties: &Value) -> Result<Distribution, String> {
    let config = properties.get("DistributionConfig").unwrap_or(&Value::Null);
    read_distribution(base, &xml_of("DistributionConfig", config))
}

/// A distribution that nobody has yet.
pub(crate) fn blank(id: &str, domain: &str) -> Distribution {
    Distribution {
        id: id.to_owned(),
        domain: domain.to_owned(),
        origins: Vec::new(),
        errors: Vec::new(),
        root: None,
        ..Distribution::for_bucket("")
    }
}

pub(crate) fn make(
    making: &Making<'_>,
    place: &Place,
    (properties, known): (&Value, Option<&Resource>),
) -> Result<Made, String> {
    let (cloud, now) = (&making.shared.cloud, making.shared.clock.now());
    let base = known.and_then(|known| cloud.distribution(&known.physical_id));
    let code = fresh();
    let base = base.unwrap_or_else(|| {
        let domain = format!("d{}.cloudfront.net", code.to_lowercase());
        blank(&format!("E{code}"), &domain)
    });
    let wished = described(&base, properties)?;
    let refused = |said: &str| Err(place.refused(said, "InvalidRequest"));
    if !wished.aliases.is_empty() && wished.certificate.is_none() {
        return refused(
            "To add an alternate domain name (CNAME) to a CloudFront distribution, you must attach a trusted certificate that validates your authorization to use the domain name.",
        );
    }
    let others = cloud.distributions();
    let mut others = others.iter().filter(|other| other.id != wished.id);
    if others.any(|other| {
        other
            .aliases
            .iter()
            .any(|name| wished.aliases.contains(name))
    }) {
        return refused(
            "One or more of the CNAMEs you provided are already associated with a different resource.",
        );
    }
    let is_usable = |arn: &String| {
        let known = making.account.certificates.get(arn);
        known.is_some_and(|known| known.status == "ISSUED")
            && arn.split(':').nth(3) == Some("us-east-1")
    };
    if !wished.certificate.iter().all(is_usable) {
        return refused(
            "The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or doesn't include a valid certificate chain.",
        );
    }
    let behaviors = wished.behaviors.iter().chain([&wished.default]);
    let is_missing = |(name, _): (&str, _)| cloud.function(name).is_none();
    if behaviors.flat_map(Behavior::functions).any(is_missing) {
        return refused("The function does not exist or was never published.");
    }
    let policies = wished.headers_policies();
    if policies.iter().any(|id| cloud.headers_policy(id).is_none()) {
        return refused("The specified response headers policy does not exist.");
    }
    let attributes = [
        ("Id", wished.id.clone()),
        ("DomainName", wished.domain.clone()),
    ];
    let made = Made::new(wished.id.clone(), &attributes);
    cloud.reconfigure(wished, making.shared.edges, now);
    Ok(made)
}

pub(crate) fn headers_policy(
    making: &Making<'_>,
    place: &Place,
    (properties, known): (&Value, Option<&Resource>),
) -> Result<Made, String> {
    let config = properties.get("ResponseHeadersPolicyConfig");
    let config = xml_of(
        "ResponseHeadersPolicyConfig",
        config.unwrap_or(&Value::Null),
    );
    let policy =
        read_headers_policy(&config).map_err(|said| place.refused(&said, "InvalidRequest"))?;
    let id = known.map_or_else(
        || uuid::Uuid::new_v4().to_string(),
        |known| known.physical_id.clone(),
    );
    making.shared.cloud.with_headers_policies(|policies, _| {
        let mut others = policies.iter().filter(|(other, _)| **other != id);
        if others.any(|(_, other)| other.name == policy.name) {
            let said = format!("The policy {} already exists", policy.name);
            return Err(place.refused(&said, "AlreadyExists"));
        }
        policies.insert(id.clone(), policy);
        Ok(())
    })?;
    Ok(Made::new(id.clone(), &[("Id", id)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_become_lists_with_a_quantity() {
        let value = serde_json::json!({
            "Aliases": ["a", "b"],
            "IPV6Enabled": true,
            "Cors": { "Origins": { "Items": ["x"] } },
        });
        let written = xml_of("C", &value);
        assert_eq!(written.text_at("Aliases/Quantity"), "2");
        assert_eq!(written.items("Aliases")[1].text, "b");
        assert_eq!(written.text_at("IsIPV6Enabled"), "true");
        assert_eq!(written.items("Cors/Origins")[0].text, "x");
    }
}
