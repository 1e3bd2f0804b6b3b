//! Policies as IAM and S3 read them.

use std::collections::BTreeMap;

use serde::Serialize;

/// A policy as IAM reads it. Here as in what it holds, names are sorted.
#[derive(Clone, Debug, Serialize)]
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

impl IamPolicy {
    pub fn of(statement: Vec<PolicyStatement>) -> Self {
        Self {
            statement,
            version: "2012-10-17",
        }
    }
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

impl StringOrList {
    pub fn texts(&self) -> &[String] {
        match self {
            Self::String(text) => std::slice::from_ref(text),
            Self::List(texts) => texts,
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

impl<T: Into<String>> From<Vec<T>> for StringOrList {
    fn from(list: Vec<T>) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}
