//! `unstale policy`, and statements that a bucket's policy lacks.

use serde::Serialize;

use super::printer::Printer;
use crate::setup::policy::{IamPolicy, PolicyStatement};

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
