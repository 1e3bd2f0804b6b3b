//! Bucket policies, as far as they say what CloudFront may read.

use serde_json::Value;

/// What CloudFront asks of a bucket for a distribution.
pub(crate) struct Access<'a> {
    /// Such as `s3:GetObject`.
    pub action: &'a str,
    /// An ARN.
    pub resource: &'a str,
    /// The distribution's ARN.
    pub source: &'a str,
}

const SERVICE: &str = "cloudfront.amazonaws.com";

/// True where a statement allows it and none denies it.
pub(crate) fn allows(policy: &str, access: &Access<'_>) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let says = |effect: &str| {
        let mut statements = items(policy.get("Statement"));
        statements.any(|one| one["Effect"] == effect && applies(one, access))
    };
    says("Allow") && !says("Deny")
}

/// True where a statement allows everybody something, unconditionally (S3 User Guide, "The meaning of public").
pub(crate) fn is_public(policy: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    items(policy.get("Statement")).any(|one| {
        let everybody = &one["Principal"];
        let everybody = everybody == "*" || everybody["AWS"] == "*";
        one["Effect"] == "Allow" && everybody && one.get("Condition").is_none()
    })
}

/// One or several of something.
fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let (one, several) = match value {
        Some(Value::Array(several)) => (None, several.as_slice()),
        one => (one, &[][..]),
    };
    one.into_iter().chain(several)
}

fn names(value: Option<&Value>, text: &str) -> bool {
    let mut patterns = items(value).filter_map(Value::as_str);
    patterns.any(|pattern| is_like(pattern, text))
}

/// `*` for any characters, `?` for one.
fn is_like(pattern: &str, text: &str) -> bool {
    // A leading slash means nothing to what matches paths.
    super::distribution::matches(&format!("/{pattern}"), &format!("/{text}"))
}

fn applies(statement: &Value, access: &Access<'_>) -> bool {
    let principal = statement.get("Principal");
    let is_us = match principal {
        Some(Value::String(everybody)) => everybody == "*",
        Some(by_kind) => names(by_kind.get("Service"), SERVICE) || names(by_kind.get("AWS"), "*"),
        None => false,
    };
    let conditions = statement.get("Condition").and_then(Value::as_object);
    is_us
        && names(statement.get("Action"), access.action)
        && names(statement.get("Resource"), access.resource)
        && conditions
            .into_iter()
            .flatten()
            .all(|(operator, keys)| holds(operator, keys, access))
}

/// Whether a condition holds; one that is not known here does not.
fn holds(operator: &str, keys: &Value, access: &Access<'_>) -> bool {
    let keys = keys.as_object();
    keys.into_iter().flatten().all(|(key, wanted)| {
        let actual = match key.to_ascii_lowercase().as_str() {
            "aws:sourcearn" => access.source,
            "aws:sourceaccount" => super::identity::ACCOUNT,
            // Edges speak TLS with the origin.
            "aws:securetransport" => "true",
            _ => return false,
        };
        let mut wanted = items(Some(wanted)).map(super::cloudformation::text);
        match operator {
            "StringEquals" | "ArnEquals" | "Bool" => wanted.any(|text| text == actual),
            "StringLike" | "ArnLike" => wanted.any(|text| is_like(&text, actual)),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{ "Statement": [
        { "Effect": "Allow", "Principal": { "Service": "cloudfront.amazonaws.com" }, "Action": "s3:GetObject",
          "Resource": "arn:aws:s3:::b/*", "Condition": { "StringEquals": { "AWS:SourceArn": "arn:d" } } },
        { "Effect": "Deny", "Principal": { "Service": ["cloudfront.amazonaws.com"] }, "Action": ["s3:Get*"],
          "Resource": ["arn:aws:s3:::b/.unstale/*"] },
        { "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
          "Condition": { "Bool": { "aws:SecureTransport": "false" } } }
    ] }"#;

    #[test]
    fn a_statement_counts_by_who_what_where_and_when() {
        for (action, resource, source, expected) in [
            ("s3:GetObject", "arn:aws:s3:::b/a/b", "arn:d", true),
            ("s3:GetObject", "arn:aws:s3:::b/a", "arn:other", false),
            (
                "s3:GetObject",
                "arn:aws:s3:::b/.unstale/state",
                "arn:d",
                false,
            ),
            ("s3:GetObject", "arn:aws:s3:::other/a", "arn:d", false),
            ("s3:ListBucket", "arn:aws:s3:::b", "arn:d", false),
        ] {
            let access = Access {
                action,
                resource,
                source,
            };
            assert_eq!(
                allows(POLICY, &access),
                expected,
                "{action} {resource} {source}"
            );
        }
        assert!(!is_public(POLICY));
        let public = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:GetObject","Resource":"*"}}"#;
        assert!(is_public(public));
    }
}
