//! `unstale setup`.

use serde_json::json;

use super::printer::Printer;
use crate::setup::template::StackDesign;

impl Printer {
    /// Prints the template; where the certificate has a stack of its own, that one's first.
    pub(crate) fn template(&self, design: &StackDesign) {
        let (certificate, site) = (design.certificate_template(), design.template());
        let object = json!({"type": "template", "stack": design.stack, "template": site, "certificate_template": certificate});
        let texts = [certificate, Some(site)];
        let texts: Vec<String> = texts.into_iter().flatten().collect();
        self.result(texts.join("---\n").trim_end(), &object);
    }
}
