//! Whom a bucket's policy lets read: the distribution the site, nobody the state. Pure; JSON in, by what IAM says of it.

use serde_json::Value;

/// What a distribution needs of the policy of the bucket behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadAccess {
    Allowed,
    /// Nothing lets this distribution read.
    Missing,
    /// Anybody may read, not viewers of the distribution alone.
    Public,
}

/// Judges whether a policy lets a distribution read objects: as a service under its ARN, as an origin access identity, or as
/// anybody (CloudFront Developer Guide, "Restrict access to an Amazon S3 origin").
pub(super) fn read_access(policy: &str, distribution: &str) -> ReadAccess {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else {
        return ReadAccess::Missing;
    };
    let mut access = ReadAccess::Missing;
    for statement in listed(&policy["Statement"]) {
        let reads = texts(&statement["Action"]).any(|action| {
            let action = action.to_ascii_lowercase();
            matches!(action.as_str(), "*" | "s3:*" | "s3:get*" | "s3:getobject")
        });
        if statement["Effect"] != "Allow" || !reads {
            continue;
        }
        let principal = &statement["Principal"];
        if is_anybody(principal) {
            if statement["Condition"].is_null() {
                return ReadAccess::Public;
            }
            continue;
        }
        let mut services = texts(&principal["Service"]);
        let is_service = services.any(|service| service == "cloudfront.amazonaws.com");
        let mut users = texts(&principal["AWS"]);
        let is_identity = users.any(|user| user.contains("CloudFront Origin Access Identity"))
            || !principal["CanonicalUser"].is_null();
        if is_identity || is_service && is_for(&statement["Condition"], distribution) {
            access = ReadAccess::Allowed;
        }
    }
    access
}

/// Tells whether a policy keeps the state from CloudFront: a denial of s3:GetObject that takes in its folder.
pub(super) fn hides(policy: &str, folder: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else {
        return false;
    };
    listed(&policy["Statement"]).any(|statement| {
        let principal = &statement["Principal"];
        let mut services = texts(&principal["Service"]);
        let is_cloudfront = services.any(|service| service == "cloudfront.amazonaws.com");
        let mut actions = texts(&statement["Action"]);
        let reads = actions.any(|action| matches!(action, "s3:GetObject" | "s3:*" | "*"));
        let mut resources = texts(&statement["Resource"]);
        let is_within = resources.any(|resource| {
            let key = resource.split_once('/').map_or("*", |(_, key)| key);
            let start = key.strip_suffix('*');
            start.is_some_and(|start| folder.starts_with(start))
        });
        statement["Effect"] == "Deny"
            && reads
            && is_within
            && (is_cloudfront || is_anybody(principal) && statement["Condition"].is_null())
    })
}

fn is_anybody(principal: &Value) -> bool {
    principal == "*" || texts(&principal["AWS"]).any(|user| user == "*")
}

/// Tells whether a condition, if there is one, names the distribution. One for the account alone is for all of its distributions.
fn is_for(condition: &Value, distribution: &str) -> bool {
    let Value::Object(operators) = condition else {
        return true;
    };
    let mut arns = operators.values().flat_map(|operands| {
        let operands = operands.as_object().into_iter().flatten();
        let arns = operands.filter(|(key, _)| key.eq_ignore_ascii_case("aws:SourceArn"));
        arns.flat_map(|(_, value)| texts(value)).collect::<Vec<_>>()
    });
    let is_named = |arn: &str| match arn.rsplit_once('/') {
        Some((_, id)) => id == distribution || id == "*",
        None => arn.ends_with('*'),
    };
    match arns.next() {
        None => true,
        Some(first) => is_named(first) || arns.any(is_named),
    }
}

/// A list, or the one thing that stands in its place.
fn listed(value: &Value) -> impl Iterator<Item = &Value> {
    let list = value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    listed(value).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(statement: &str) -> String {
        format!("{{\"Version\":\"2012-10-17\",\"Statement\":{statement}}}")
    }

    const SERVICE: &str = "{\"Service\":\"cloudfront.amazonaws.com\"}";

    #[test]
    fn who_may_read_is_told() {
        let allow = |principal: &str, condition: &str| {
            policy(&format!(
                "[{{\"Effect\":\"Allow\",\"Principal\":{principal},\"Action\":[\"s3:GetObject\"],\"Resource\":\"arn:aws:s3:::b/*\"{condition}}}]"
            ))
        };
        let arn = |id: &str| {
            format!(
                ",\"Condition\":{{\"StringEquals\":{{\"AWS:SourceArn\":\"arn:aws:cloudfront::1:distribution/{id}\"}}}}"
            )
        };
        let identity =
            "{\"AWS\":\"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E9\"}";
        let other = ",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"}}";
        for (text, access) in [
            (allow(SERVICE, &arn("E1")), ReadAccess::Allowed),
            (allow(SERVICE, &arn("*")), ReadAccess::Allowed),
            (allow(SERVICE, ""), ReadAccess::Allowed),
            (allow(SERVICE, &arn("E2")), ReadAccess::Missing),
            (allow(identity, ""), ReadAccess::Allowed),
            (allow("\"*\"", ""), ReadAccess::Public),
            (allow("{\"AWS\":\"*\"}", ""), ReadAccess::Public),
            (allow("\"*\"", other), ReadAccess::Missing),
            (
                allow("{\"AWS\":\"arn:aws:iam::1:root\"}", ""),
                ReadAccess::Missing,
            ),
            (policy("[]"), ReadAccess::Missing),
            ("{".to_owned(), ReadAccess::Missing),
        ] {
            assert_eq!(read_access(&text, "E1"), access, "{text}");
        }
    }

    #[test]
    fn a_denial_hides_the_state_where_it_takes_in_its_folder() {
        let deny = |principal: &str, key: &str| {
            policy(&format!(
                "{{\"Effect\":\"Deny\",\"Principal\":{principal},\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/{key}\"}}"
            ))
        };
        for (text, hidden) in [
            (deny(SERVICE, ".unstale/*"), true),
            (deny("\"*\"", "*"), true),
            (deny(SERVICE, "docs/*"), false),
            (
                deny("{\"AWS\":\"arn:aws:iam::1:root\"}", ".unstale/*"),
                false,
            ),
            (deny(SERVICE, ".unstale/*").replace("Deny", "Allow"), false),
        ] {
            assert_eq!(hides(&text, ".unstale/"), hidden, "{text}");
        }
    }
}
