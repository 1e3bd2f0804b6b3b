//! `unstale invalidate` and `unstale invalidations`.

use serde::Serialize;
use serde_json::json;

use super::json::merged;
use super::printer::Printer;

/// An invalidation as CloudFront shows it.
#[derive(Debug, Serialize)]
pub struct ShownInvalidation {
    pub distribution: String,
    pub id: String,
    pub status: String,
    pub created: String,
    /// None in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
}

impl Printer {
    /// Tells of a batch that CloudFront took.
    pub fn invalidated(&self, distribution: &str, id: &str, paths: u64) {
        self.result(
            &format!("{distribution} {id} ({paths} paths)"),
            &json!({"type": "invalidation", "distribution": distribution, "id": id, "paths": paths}),
        );
    }

    pub fn invalidation(&self, invalidation: &ShownInvalidation) {
        let ShownInvalidation {
            id,
            status,
            created,
            ..
        } = invalidation;
        let text = match &invalidation.paths {
            None => format!("{id}  {status:<10}  {created}"),
            Some(paths) => {
                let head = format!("{id}  {status}  {created}  {} paths", paths.len());
                let paths = paths.iter().map(|path| format!("\n  {path}"));
                [head].into_iter().chain(paths).collect()
            }
        };
        self.result(
            &text,
            &merged(json!({"type": "invalidation"}), invalidation),
        );
    }

    pub fn no_invalidations(&self, distribution: &str) {
        self.line(&format!("{distribution} has no invalidations"));
    }
}
