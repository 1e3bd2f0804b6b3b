//! `unstale init`.

use serde::Serialize;
use serde_json::json;

use super::json::merged;
use super::printer::Printer;
use super::text::shown;
use crate::aws::AwsError;

/// The settings that were written.
#[derive(Debug, Serialize)]
pub struct WrittenSettings<'a> {
    pub file: &'a str,
    pub dir: &'a str,
    /// Builds that lie here too.
    pub others: &'a [String],
    pub text: &'a str,
    #[serde(skip)]
    pub names_bucket: bool,
}

impl Printer {
    /// Says why there is nothing to choose from.
    pub fn cannot_list(&self, what: &str, error: &AwsError) {
        self.note(&format!(
            "The {what} cannot be listed: {}",
            shown(&error.to_string())
        ));
    }

    /// Says which distribution `auto` finds.
    pub fn found_distribution(&self, distribution: &str) {
        self.note(&format!(
            "Distribution, by its origin: {}",
            shown(distribution)
        ));
    }

    pub fn wrote_settings(&self, written: &WrittenSettings) {
        let WrittenSettings {
            file, others, text, ..
        } = written;
        self.result(
            &format!("Wrote {file}:\n\n{}", text.trim_end()),
            &merged(json!({"type": "init"}), written),
        );
        if !others.is_empty() {
            self.note(&format!("Also here: {}", others.join(", ")));
        }
        self.note(if written.names_bucket {
            "`unstale plan` shows what a deploy would do"
        } else {
            "It names no bucket yet: set `bucket`, or try it without: `unstale deploy --local`"
        });
    }
}
