//! `unstale distributions`.

use serde_json::json;

use super::printer::Printer;
use crate::aws::cloudfront::{ListedDistribution, ListedOrigin};

impl Printer {
    pub fn distributions(&self, distributions: &[ListedDistribution]) {
        if distributions.is_empty() {
            self.line("This account has no distributions.");
        }
        for distribution in distributions {
            let origins: Vec<String> = distribution.origins.iter().map(place).collect();
            let json = json!({
                "type": "distribution",
                "id": distribution.id,
                "status": distribution.status,
                "domain": distribution.domain,
                "aliases": distribution.aliases,
                "origins": origins,
            });
            self.result(&text(distribution), &json);
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
        text.push_str(&format!("\n  from {}", place(origin)));
    }
    text
}

fn place(origin: &ListedOrigin) -> String {
    format!("{}{}", origin.domain, origin.path)
}
