//! `unstale doctor`: a line for each check, and what to do where something is amiss.

use serde_json::{Value, json};

use super::printer::Printer;
use super::text::{counted, padded};
use crate::doctor::{CheckOutcome, Finding};

/// Columns of the outcome and the subject.
const OUTCOME: usize = 13;
const SUBJECT: usize = 14;

impl Printer {
    /// Prints what was found, for programs as one object. Returns how many problems there are.
    pub(crate) fn check_up(&self, findings: &[Finding]) -> usize {
        let count = |word: &str| findings.iter().filter(|it| it.word() == word).count();
        let (problems, warnings) = (count("problem"), count("warning"));
        for finding in findings {
            if !self.options.quiet || matches!(finding.word(), "problem" | "warning") {
                self.finding(finding);
            }
        }
        let text = match problems {
            0 => "No problem was found".to_owned(),
            problems => counted(problems as u64, "problem"),
        };
        let text = format!("{text}, {}.", counted(warnings as u64, "warning"));
        let object = json!({
            "type": "doctor", "problems": problems, "warnings": warnings,
            "findings": findings.iter().map(json).collect::<Vec<_>>(),
        });
        self.told(&text, &object);
        problems
    }

    fn finding(&self, finding: &Finding) {
        let paint = self.options.out.paint;
        let outcome = padded(finding.word(), OUTCOME);
        let first = format!("{outcome}{}", padded(finding.subject, SUBJECT));
        let rest = " ".repeat(OUTCOME + SUBJECT);
        let text = self.wrapped(&finding.text(), &first, &rest);
        let painted = match finding.outcome {
            CheckOutcome::Fine(_) => paint.green(&outcome),
            CheckOutcome::Warning(..) => paint.yellow(&outcome),
            CheckOutcome::Problem(_) => paint.red(&outcome),
            CheckOutcome::Unchecked(_) => paint.dim(&outcome),
        };
        // Colours have no columns.
        self.line(&text.replacen(&outcome, &painted, 1));
        if let Some(remedy) = finding.remedy() {
            self.line(&self.wrapped(remedy, &rest, &rest));
        }
    }
}

impl Finding {
    fn word(&self) -> &'static str {
        match self.outcome {
            CheckOutcome::Fine(_) => "ok",
            CheckOutcome::Warning(..) => "warning",
            CheckOutcome::Problem(_) => "problem",
            CheckOutcome::Unchecked(_) => "not checked",
        }
    }

    fn text(&self) -> String {
        match &self.outcome {
            CheckOutcome::Fine(text)
            | CheckOutcome::Warning(text, _)
            | CheckOutcome::Unchecked(text) => text.clone(),
            CheckOutcome::Problem(error) => {
                let causes = error.causes.iter().map(|cause| format!(": {cause}"));
                format!("{error}{}", causes.collect::<String>())
            }
        }
    }

    fn remedy(&self) -> Option<&str> {
        let remedy = match &self.outcome {
            CheckOutcome::Warning(_, remedy) => Some(remedy.as_str()),
            CheckOutcome::Problem(error) => error.hint.as_deref(),
            CheckOutcome::Fine(_) | CheckOutcome::Unchecked(_) => None,
        };
        remedy.filter(|remedy| !remedy.is_empty())
    }
}

fn json(finding: &Finding) -> Value {
    json!({
        "subject": finding.subject, "outcome": finding.word(), "text": finding.text(), "remedy": finding.remedy(),
    })
}
