//! Which headers viewers get besides an object's own: what the policies of a distribution's behaviors and its function send.

use std::collections::BTreeMap;

use regex::Regex;

use super::policy_setting::PolicySetting;
use crate::rules::edge_function::FunctionHeader;
use crate::rules::header_placement::PolicyHeaders;

/// Header values by names in lower case; `None`: the header must not be there.
pub type HeaderValues = BTreeMap<String, Option<String>>;

/// The headers of one distribution.
#[derive(Debug, Default)]
pub struct AddedHeaders {
    /// By the path patterns of behaviors.
    policies: BTreeMap<String, HeaderValues>,
    /// What the function does, in order, where its expression fits the request path.
    function: Vec<(Regex, FunctionHeader)>,
}

impl AddedHeaders {
    /// Words values as CloudFront does. CORS headers are left out: only requests with an Origin get them.
    pub fn of(policies: &BTreeMap<String, PolicyHeaders>, function: Vec<FunctionHeader>) -> Self {
        let policies = policies.iter();
        let function = function.into_iter().filter(|header| !is_cors(&header.name));
        Self {
            policies: policies
                .map(|(pattern, policy)| (pattern.clone(), values(policy)))
                .collect(),
            function: function
                .filter_map(|header| Some((Regex::new(&header.pattern).ok()?, header)))
                .collect(),
        }
    }

    /// Returns what the policy of the behavior with this path pattern sends, with errors and redirects too.
    pub fn by_policy(&self, pattern: &str) -> HeaderValues {
        self.policies.get(pattern).cloned().unwrap_or_default()
    }

    /// Returns what the function does to the answer at a path, after the policy. It sees no error, and no answer of its own.
    pub fn by_function(&self, path: &str) -> HeaderValues {
        let fitting = self.function.iter();
        let fitting = fitting.filter(|(pattern, _)| pattern.is_match(path));
        fitting
            .map(|(_, header)| {
                let value = Some(&header.value).filter(|value| !value.is_empty());
                (header.name.clone(), value.cloned())
            })
            .collect()
    }
}

/// Sending goes last, as in [`HeadersPolicy`](super::HeadersPolicy).
fn values(policy: &PolicyHeaders) -> HeaderValues {
    let removed = policy.removed.iter().map(|name| (name.clone(), None));
    let sent = policy.sent.iter().map(|(name, value)| {
        let setting = PolicySetting::read(name, value);
        let value = setting.map_or_else(|_| value.clone(), |setting| setting.value());
        (name.clone(), Some(value))
    });
    let all = removed.chain(sent);
    all.filter(|(name, _)| !is_cors(name)).collect()
}

fn is_cors(name: &str) -> bool {
    name.starts_with("access-control-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(pattern: &str, name: &str, value: &str) -> FunctionHeader {
        FunctionHeader {
            pattern: pattern.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    fn shown(values: HeaderValues) -> String {
        let lines = values.into_iter().map(|(name, value)| {
            let value = value.map_or_else(|| "none".to_owned(), |value| format!("`{value}`"));
            format!("{name} {value}")
        });
        lines.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn policies_go_by_behavior_and_functions_by_path() {
        let policy = |sent: &[(&str, &str)], removed: &[&str]| PolicyHeaders {
            sent: sent
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            removed: removed.iter().map(|name| (*name).to_owned()).collect(),
        };
        let policies = BTreeMap::from([
            (
                "*".to_owned(),
                policy(
                    &[
                        ("x-frame-options", "deny"),
                        ("strict-transport-security", "preload;max-age=7"),
                        ("access-control-allow-origin", "*"),
                        ("x-both", "sent"),
                    ],
                    &["server", "x-both", "access-control-max-age"],
                ),
            ),
            ("/img/*".to_owned(), policy(&[("x-img", "yes")], &[])),
        ]);
        let added = AddedHeaders::of(
            &policies,
            vec![
                function("^/a", "x-a", "one"),
                function("^/a/b$", "x-a", "two"),
                function("^/a/c$", "x-a", ""),
                function("^", "access-control-allow-origin", "*"),
                function("^(", "x-odd", "no expression"),
            ],
        );
        for (pattern, right) in [
            (
                "*",
                "server none, strict-transport-security `max-age=7; preload`, x-both `sent`, x-frame-options `DENY`",
            ),
            ("/img/*", "x-img `yes`"),
            ("/other/*", ""),
        ] {
            assert_eq!(shown(added.by_policy(pattern)), right, "{pattern}");
        }
        for (path, right) in [
            ("/", ""),
            ("/a", "x-a `one`"),
            ("/a/b", "x-a `two`"),
            ("/a/c", "x-a none"),
        ] {
            assert_eq!(shown(added.by_function(path)), right, "{path}");
        }
    }
}
