//! `unstale completions` and `unstale man`.

use std::path::Path;

use clap_complete::Shell;
use serde_json::json;

use super::printer::Printer;
use super::text::shown;

impl Printer {
    pub fn completions(&self, shell: Shell, script: &str) {
        let object = json!({"type": "completions", "shell": shell.to_string(), "script": script});
        self.result(script.trim_end(), &object);
    }

    pub fn wrote_man_pages(&self, dir: &Path) {
        let dir = shown(&dir.to_string_lossy());
        self.note(&format!("Wrote the man pages to {dir}"));
    }
}
