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

/// Judges whether a policy lets a distribution read an object, `BUCKET/KEY`: as a service under its ARN, as an origin access identity, or as
/// anybody (CloudFront Developer Guide, "Restrict access to an Amazon S3 origin").
pub(super) fn read_access(policy: &str, distribution: &str, object: &str) -> ReadAccess {
    let statements = about_reading(policy, object);
    let mut allowing = statements
        .iter()
        .filter(|allows| allows["Effect"] != "Deny");
    let is_public =
        |allows: &Value| is_anybody(&allows["Principal"]) && allows["Condition"].is_null();
    if is_denied(&statements, distribution) {
        ReadAccess::Missing
    } else if allowing.clone().any(is_public) {
        ReadAccess::Public
    } else if allowing.any(|allows| lets_read(allows, distribution)) {
        ReadAccess::Allowed
    } else {
        ReadAccess::Missing
    }
}

/// Tells whether a policy keeps an object, `BUCKET/KEY`, from a distribution's viewers.
pub(super) fn hides(policy: &str, distribution: &str, object: &str) -> bool {
    is_denied(&about_reading(policy, object), distribution)
}

/// Returns the statements about reading an object, `BUCKET/KEY`; none of what is no policy.
fn about_reading(policy: &str, object: &str) -> Vec<Value> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let reads = |statement: &&Value| {
        texts(&statement["Action"]).any(|action| {
            let action = action.to_ascii_lowercase();
            is_match(action.as_bytes(), b"s3:getobject")
        })
    };
    let reading = listed(&policy["Statement"]).filter(reads);
    reading
        .filter(|statement| takes_in(statement, object))
        .cloned()
        .collect()
}

fn is_denied(statements: &[Value], distribution: &str) -> bool {
    let mut denials = statements
        .iter()
        .filter(|denies| denies["Effect"] == "Deny");
    denials.any(|statement| denies(statement, distribution))
}

/// Tells whether a statement is for this distribution, as a service or by an origin access identity.
fn lets_read(statement: &Value, distribution: &str) -> bool {
    let (principal, condition) = (&statement["Principal"], &statement["Condition"]);
    let mut users = texts(&principal["AWS"]);
    let is_identity = users.any(|user| user.contains("CloudFront Origin Access Identity"))
        || !principal["CanonicalUser"].is_null();
    !is_anybody(principal)
        && (is_identity || is_cloudfront(principal) && is_for(condition, distribution))
}

fn is_cloudfront(principal: &Value) -> bool {
    texts(&principal["Service"]).any(|service| service == "cloudfront.amazonaws.com")
}

/// Tells whether the one whom a denial is for is CloudFront on behalf of this distribution, whatever else holds.
fn denies(statement: &Value, distribution: &str) -> bool {
    let (principal, condition) = (&statement["Principal"], &statement["Condition"]);
    is_cloudfront(principal) && is_for(condition, distribution)
        || is_anybody(principal) && condition.is_null()
}

/// Tells whether a statement is for an object, `BUCKET/KEY`: `*` stands for any text, `?` for a letter.
fn takes_in(statement: &Value, object: &str) -> bool {
    let mut resources = texts(&statement["Resource"]);
    resources.any(|resource| {
        let (_, pattern) = resource.rsplit_once(":::").unwrap_or(("", resource));
        is_match(pattern.as_bytes(), object.as_bytes())
    })
}

fn is_match(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skipped| is_match(rest, &text[skipped..])),
        Some((letter, rest)) => text.split_first().is_some_and(|(first, text)| {
            (*letter == b'?' || letter == first) && is_match(rest, text)
        }),
    }
}

fn is_anybody(principal: &Value) -> bool {
    principal == "*" || texts(&principal["AWS"]).any(|user| user == "*")
}

/// Tells whether a condition, if there is one, names the distribution. One for the account alone is for all of its distributions.
fn is_for(condition: &Value, distribution: &str) -> bool {
    let Value::Object(operators) = condition else {
        return true;
    };
    const SAME: [&str; 4] = ["StringEquals", "StringLike", "ArnEquals", "ArnLike"];
    if !operators
        .keys()
        .all(|operator| SAME.contains(&operator.as_str()))
    {
        return false;
    }
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
            (
                allow(SERVICE, "").replace("b/*", "b/other/*"),
                ReadAccess::Missing,
            ),
            (allow(SERVICE, "").replace("b/*", "b"), ReadAccess::Missing),
            (
                allow(SERVICE, "").replace("b/*", "?/*.html"),
                ReadAccess::Allowed,
            ),
            (
                allow(SERVICE, &arn("E1")).replace("StringEquals", "StringNotEquals"),
                ReadAccess::Missing,
            ),
            (
                allow(SERVICE, "").replacen(
                    "[{",
                    "[{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":\"*\"},{",
                    1,
                ),
                ReadAccess::Missing,
            ),
            ("{".to_owned(), ReadAccess::Missing),
        ] {
            assert_eq!(read_access(&text, "E1", "b/index.html"), access, "{text}");
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
            (deny(SERVICE, "*").replace("s3:GetObject", "s3:Get*"), true),
            (deny(SERVICE, "*").replace("GetObject", "GetObject*"), true),
            (deny(SERVICE, "*").replace("GetObject", "PutObject"), false),
            (
                deny(SERVICE, "*").replace(
                    "\"Action\"",
                    "\"Condition\":{\"StringEquals\":{\"aws:SourceArn\":\"x/E2\"}},\"Action\"",
                ),
                false,
            ),
            (deny(SERVICE, "docs/*"), false),
            (
                deny("{\"AWS\":\"arn:aws:iam::1:root\"}", ".unstale/*"),
                false,
            ),
            (deny(SERVICE, ".unstale/*").replace("Deny", "Allow"), false),
        ] {
            assert_eq!(hides(&text, "E1", "b/.unstale/state"), hidden, "{text}");
        }
    }
}
