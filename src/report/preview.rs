//! `unstale preview`.

use serde_json::json;

use super::printer::Printer;

impl Printer {
    pub fn serving(&self, url: &str) {
        self.result(
            &format!(
                "Serving {url}  (Ctrl-C ends it; `unstale deploy --local` here reaches the same bucket)"
            ),
            &json!({"type": "serving", "url": url}),
        );
    }

    /// Tells that another process serves the site already.
    pub fn served_elsewhere(&self, urls: &[String]) {
        let urls = urls.join(" ");
        self.line(&format!("Another process serves this site already: {urls}"));
    }
}
