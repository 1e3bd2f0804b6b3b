//! `unstale distributions`.

use serde::Serialize;
use serde_json::json;

use super::json::merged;
use super::printer::Printer;

/// One distribution of the account.
#[derive(Debug, Serialize)]
pub struct ListedDistribution {
    pub id: String,
    pub status: String,
    pub domain: String,
    pub aliases: Vec<String>,
    pub origins: Vec<String>,
}

impl Printer {
    pub fn distributions(&self, distributions: &[ListedDistribution]) {
        if distributions.is_empty() {
            self.line("This account has no distributions.");
        }
        for distribution in distributions {
            self.result(
                &text(distribution),
                &merged(json!({"type": "distribution"}), distribution),
            );
        }
    }
}

fn text(distribution: &ListedDistribution) -> String {
    let ListedDistribution {
        id, status, domain, ..
    } = distribution;
    let mut text = format!("{id}  {status}  {domain}");
    if !distribution.aliases.is_empty() {
        text.push_str(&format!("\n  {}", distribution.aliases.join(", ")));
    }
    for origin in &distribution.origins {
        text.push_str(&format!("\n  from {origin}"));
    }
    text
}
