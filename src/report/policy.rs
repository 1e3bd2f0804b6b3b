//! `unstale policy`, and statements that a bucket's policy lacks.

use std::collections::BTreeMap;

use serde::Serialize;

use super::printer::Printer;

/// A policy as IAM reads it. Here as in what it holds, names are sorted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct IamPolicy {
    pub statement: Vec<PolicyStatement>,
    pub version: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyStatement {
    pub action: StringOrList,
    /// Operators, and what they compare with what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<BTreeMap<&'static str, BTreeMap<&'static str, String>>>,
    pub effect: &'static str,
    /// Whom a bucket's policy is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
    pub resource: StringOrList,
    pub sid: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum StringOrList {
    String(String),
    List(Vec<String>),
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub enum Principal {
    Service(&'static str),
    #[serde(rename = "*")]
    Anybody,
}

impl PolicyStatement {
    /// Returns a statement that allows something.
    pub fn new(
        sid: &'static str,
        action: impl Into<StringOrList>,
        resource: impl Into<StringOrList>,
    ) -> Self {
        Self {
            action: action.into(),
            condition: None,
            effect: "Allow",
            principal: None,
            resource: resource.into(),
            sid,
        }
    }
}

impl From<&str> for StringOrList {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for StringOrList {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Vec<String>> for StringOrList {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

impl From<Vec<&str>> for StringOrList {
    fn from(list: Vec<&str>) -> Self {
        Self::List(list.into_iter().map(str::to_owned).collect())
    }
}

impl Printer {
    pub fn policy(&self, policy: &IamPolicy) {
        self.result(&pretty(policy), policy);
    }

    /// Warns that viewers are handed out the state of the deploys, and says what ends that.
    pub fn state_is_public(&self, url: &str, bucket: &str, statements: &[PolicyStatement]) {
        let statements = pretty(&statements);
        self.warn(&format!(
            "anybody can read the state of these deploys at {url}: add these statements to the policy of the bucket {bucket}\n{statements}"
        ));
    }
}

fn pretty(object: &impl Serialize) -> String {
    // Plain structs of text: serializing them cannot fail.
    serde_json::to_string_pretty(object).unwrap_or_default()
}
