//! What is wrong with the links of a site.

use serde_json::json;

use super::findings::link_json;
use super::printer::Printer;
use super::text::{counted, shown};
use crate::rules::link_report::LinkReport;

impl Printer {
    /// Prints all that is wrong with the links as the result.
    pub fn links(&self, report: &LinkReport) {
        self.finish();
        link_json(report).for_each(|object| self.object(&object));
        let problems = report.problems.iter();
        let texts = problems.map(|problem| shown(&problem.to_string()));
        texts.for_each(|text| self.line(&self.wrapped(&text, "", "  ")));
        let counts = report.counts();
        self.line(&format!(
            "Read {} with {}: {}",
            counted(report.pages, "page"),
            counted(report.links, "link"),
            counts.as_deref().unwrap_or("all lead somewhere")
        ));
        self.summary(json!({
            "type": "summary", "pages": report.pages, "links": report.links, "problems": report.faulty(),
            "refused": report.refused(),
        }));
    }
}
