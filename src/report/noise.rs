//! `unstale plan --suspect-noise`.

use std::cmp::Reverse;

use serde_json::json;

use super::printer::Printer;
use super::text::counted;
use crate::deploy::noise_guess::NoiseSuspects;

impl Printer {
    /// Prints rules for what seems to be noise, those that meet most files first.
    pub fn suspected_noise(&self, suspects: &NoiseSuspects) {
        let mut rules: Vec<_> = suspects.found.iter().collect();
        rules.sort_by_key(|(rule, files)| (Reverse(*files), *rule));
        for ((glob, regex), files) in &rules {
            let quote = if regex.contains('\'') { "'''" } else { "'" };
            self.result(
                &format!(
                    "# in {}\n[[noise]]\nmatch = \"{glob}\"\nregex = {quote}{regex}{quote}\n",
                    counted(**files as u64, "file"),
                ),
                &json!({"type": "noise", "match": glob, "regex": regex, "files": files}),
            );
        }
        let take = if rules.is_empty() {
            ""
        } else {
            "; deploy.toml takes the rules above, if you agree"
        };
        self.line(&format!(
            "{} of {} changed texts seem to differ by noise alone{take}",
            suspects.spared, suspects.changed
        ));
    }
}
