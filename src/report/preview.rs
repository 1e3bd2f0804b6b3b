//! `unstale preview`.

use std::path::Path;

use serde_json::json;

use super::printer::Printer;
use super::text::shown;
use crate::settings::LOCAL_DIR;

impl Printer {
    pub fn serving(&self, url: &str) {
        self.result(
            &format!(
                "Serving {url}  (Ctrl-C ends it; `unstale deploy --local` here reaches the same bucket)"
            ),
            &json!({"type": "serving", "url": url}),
        );
    }

    /// Tells how to see what was deployed with `--local`.
    pub fn seen_by_preview(&self, dir: &Path, local: Option<&Path>) {
        let local = local.filter(|folder| *folder != Path::new(LOCAL_DIR));
        let local = local.map_or(String::new(), |folder| format!(" --local={}", word(folder)));
        self.note(&format!("`unstale preview {}{local}` shows it.", word(dir)));
    }

    /// Tells that another process serves the site already.
    pub fn served_elsewhere(&self, urls: &[String]) {
        let urls = urls.join(" ");
        self.line(&format!("Another process serves this site already: {urls}"));
    }
}

/// Writes a folder as a shell takes it for one word.
fn word(folder: &Path) -> String {
    let text = folder.display().to_string();
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+@%:,=".contains(letter);
    match text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", shown(&text).replace('\'', "'\\''")),
    }
}
