//! What a check came to.

use crate::aws::AwsError;
use crate::error::Error;

/// What was found of one subject, such as `bucket`.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub subject: &'static str,
    pub outcome: CheckOutcome,
}

#[derive(Debug, Clone)]
pub(crate) enum CheckOutcome {
    Fine(String),
    /// Deploys work, but not as they could: what is amiss, and what to do.
    Warning(String, String),
    /// Deploys fail, or viewers do not see what was deployed.
    Problem(Error),
    /// Why it could not be looked at.
    Unchecked(String),
}

/// The findings so far, in the order in which things break.
#[derive(Debug, Default)]
pub(crate) struct CheckUp {
    pub findings: Vec<Finding>,
}

impl CheckUp {
    pub(crate) fn fine(&mut self, subject: &'static str, text: impl Into<String>) {
        self.add(subject, CheckOutcome::Fine(text.into()));
    }

    pub(crate) fn warn(
        &mut self,
        subject: &'static str,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(subject, CheckOutcome::Warning(text.into(), remedy.into()));
    }

    pub(crate) fn problem(&mut self, subject: &'static str, error: impl Into<Error>) {
        self.add(subject, CheckOutcome::Problem(error.into()));
    }

    pub(crate) fn unchecked(&mut self, subject: &'static str, why: impl Into<String>) {
        self.add(subject, CheckOutcome::Unchecked(why.into()));
    }

    /// Says of a look that deploys do not need why it was not possible.
    pub(super) fn unread(&mut self, subject: &'static str, what: &str, error: &AwsError) {
        let why = if error.is_denied() {
            format!("{what}: needs {}, which deploys do without", error.action)
        } else {
            format!("{what}: {error}")
        };
        self.unchecked(subject, why);
    }

    fn add(&mut self, subject: &'static str, outcome: CheckOutcome) {
        self.findings.push(Finding { subject, outcome });
    }
}
