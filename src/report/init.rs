//! `unstale init`.

use serde::Serialize;
use serde_json::json;

use super::json::merged;
use super::printer::Printer;

/// The settings that were written.
#[derive(Debug, Serialize)]
pub struct WrittenSettings<'a> {
    pub file: &'a str,
    pub dir: &'a str,
    /// Builds that lie here too.
    pub others: &'a [&'a str],
    pub text: &'a str,
    #[serde(skip)]
    pub names_bucket: bool,
}

impl Printer {
    pub fn wrote_settings(&self, written: &WrittenSettings) {
        let WrittenSettings {
            file, others, text, ..
        } = written;
        self.result(
            &format!("Wrote {file}:\n\n{}", text.trim_end()),
            &merged(json!({"type": "init"}), written),
        );
        if !others.is_empty() {
            self.note(&format!("also here: {}", others.join(", ")));
        }
        self.note(if written.names_bucket {
            "`unstale plan` shows what a deploy would do"
        } else {
            "set `bucket`, or try it without: `unstale deploy --local`"
        });
    }
}
