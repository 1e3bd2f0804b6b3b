//! `unstale plan --suspect-noise`.

use std::cmp::Reverse;

use serde_json::json;

use super::printer::Printer;
use crate::deploy::noise_guess::NoiseSuspects;

impl Printer {
    /// Prints rules for what seems to be noise, those that meet most pages first.
    pub fn suspected_noise(&self, suspects: &NoiseSuspects) {
        let mut rules: Vec<(&String, &usize)> = suspects.found.iter().collect();
        rules.sort_by_key(|(regex, pages)| (Reverse(*pages), *regex));
        for (regex, pages) in &rules {
            let quote = if regex.contains('\'') { "'''" } else { "'" };
            self.result(
                &format!(
                    "# on {pages} pages\n[[noise]]\nmatch = \"*.html\"\nregex = {quote}{regex}{quote}\n"
                ),
                &json!({"type": "noise", "match": "*.html", "regex": regex, "pages": pages}),
            );
        }
        let take = if rules.is_empty() {
            ""
        } else {
            "; deploy.toml takes the rules above, if you agree"
        };
        self.line(&format!(
            "{} of {} changed pages seem to differ by noise alone{take}",
            suspects.spared, suspects.changed
        ));
    }
}
