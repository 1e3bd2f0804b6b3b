//! What a build's own files tell of its names: the manifest that a bundler writes, and the root document.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use crate::object::key::file_name;
use crate::rules::links::html_links;

/// Where bundlers write which file each source became: Vite, Create React App and webpack's plugins.
pub const BUNDLER_MANIFESTS: [&str; 2] = [".vite/manifest.json", "asset-manifest.json"];

/// What else a build tells of its names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameEvidence {
    /// Names of files that are their source's but for a hash, by a bundler's manifest.
    pub(super) listed: HashSet<String>,
    /// Keys that the root document refers to.
    pub(super) referenced: BTreeSet<String>,
}

impl NameEvidence {
    /// Takes what the root document refers to.
    pub fn read_root(&mut self, html: &[u8]) {
        self.referenced = html_links("index.html", html);
    }

    /// Takes what a manifest says; one that cannot be read says nothing.
    pub fn read_manifest(&mut self, json: &[u8]) {
        if let Ok(manifest) = serde_json::from_slice(json) {
            self.take(&manifest);
        }
    }

    fn take(&mut self, value: &Value) {
        for (source, made) in value.as_object().into_iter().flatten() {
            let name = made.get("name").and_then(Value::as_str);
            let is_made = |file: &&str| {
                is_hashed(stem(source), file) || name.is_some_and(|name| is_hashed(name, file))
            };
            let files = files(made).into_iter().map(file_name).filter(is_made);
            self.listed.extend(files.map(str::to_owned));
            self.take(made);
        }
    }
}

/// Returns the file that a source became: the text itself, or Vite's `file` and `css`.
fn files(made: &Value) -> Vec<&str> {
    let style_sheets = made.get("css").and_then(Value::as_array);
    let values = [Some(made), made.get("file")].into_iter().flatten();
    let values = values.chain(style_sheets.into_iter().flatten());
    values.filter_map(Value::as_str).collect()
}

/// Returns a source's name without folders and endings.
fn stem(source: &str) -> &str {
    let name = file_name(source);
    name.split_once('.').map_or(name, |(stem, _)| stem)
}

/// Tells whether a file's name is the source's and 8 or more characters of a hash: `main`, `main.8f3a2b1c.chunk.js`.
fn is_hashed(name: &str, file: &str) -> bool {
    let rest = file.strip_prefix(name).filter(|_| !name.is_empty());
    let rest = rest.and_then(|rest| rest.strip_prefix(['.', '-']));
    rest.is_some_and(|rest| {
        let is_hash = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let length = rest.bytes().take_while(is_hash).count();
        length >= 8 && rest.split_at(length).1.starts_with('.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_tells_a_source_from_what_it_became() {
        let vite = r#"{
            "_Card-DB4SG9-z.js": {"file": "assets/Card-DB4SG9-z.js", "name": "Card", "css": ["assets/Card-settings.css"]},
            "src/main.tsx": {"file": "assets/main-homepage.js", "src": "src/main.tsx", "imports": ["_Card-DB4SG9-z.js"]},
            "src/logo.svg": {"file": "assets/logo-facebook.svg", "src": "src/logo.svg"},
            "src/app-settings.ts": {"file": "assets/app-settings.js", "name": "app-settings"},
            "src/sw.ts": {"file": "sw.js", "name": "sw"}
        }"#;
        let react = r#"{
            "files": {"main.js": "/static/js/main.07062808.js", "static/js/787.12345678.chunk.js": "/static/js/787.12345678.chunk.js",
                "index.html": "/index.html", "static/media/logo.svg": "./static/media/logo.6ce24c58023cc2f8fd88.svg"},
            "entrypoints": ["static/js/main.07062808.js"]
        }"#;
        let mix = r#"{"/js/app.js": "/js/app.js?id=8f3a2b1c", "a": 1, "b": [{"c": null}]}"#;
        for (json, expected) in [
            (
                vite,
                "Card-DB4SG9-z.js Card-settings.css logo-facebook.svg main-homepage.js",
            ),
            (
                react,
                "787.12345678.chunk.js logo.6ce24c58023cc2f8fd88.svg main.07062808.js",
            ),
            (mix, ""),
            ("[1]", ""),
            ("{", ""),
        ] {
            let mut evidence = NameEvidence::default();
            evidence.read_manifest(json.as_bytes());
            let listed: BTreeSet<String> = evidence.listed.into_iter().collect();
            let listed: Vec<String> = listed.into_iter().collect();
            assert_eq!(listed.join(" "), expected, "{json}");
        }
    }

    #[test]
    fn the_root_document_tells_what_it_refers_to() {
        let mut evidence = NameEvidence::default();
        evidence.read_root(br#"<script type=module src="/assets/index-CkkOXYEE.js"></script>"#);
        let referenced: Vec<String> = evidence.referenced.into_iter().collect();
        assert_eq!(referenced, ["assets/index-CkkOXYEE.js"]);
    }
}
