//! The deploy.toml that another tool's settings come to.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::carried::{CarriedKeys, CarriedSettings, line, table};
use crate::settings::added_keys::env_header;

/// The columns of comments, so that they fit a terminal.
const WIDTH: usize = 78;

/// What `unstale init` writes first, in its order.
const FIRST: [&str; 6] = [
    "dir",
    "bucket",
    "prefix",
    "region",
    "profile",
    "distribution",
];

impl CarriedSettings {
    /// Writes the file; `from` says what it was.
    pub(crate) fn text(mut self, from: &str) -> String {
        let place = |key: &str| FIRST.iter().position(|first| *first == key);
        self.keys
            .sort_by_key(|(key, _)| place(key).unwrap_or(FIRST.len()));
        let mut text = comment("", &format!("Taken over from {from}."));
        if self.key("bucket").is_none() {
            let at = self.keys.iter().take_while(|(key, _)| key == "dir").count();
            self.keys
                .insert(at, ("# bucket".to_owned(), json!("my-site")));
        }
        text.extend(self.keys.iter().map(|(key, value)| line(key, value) + "\n"));
        if !self.left.is_empty() {
            text.push_str("\n# Not carried over:\n");
        }
        let left = self.left.iter();
        text.extend(left.map(|(what, why)| comment("- ", &format!("{what}: {why}"))));
        let redirects = self.redirects.iter().map(|keys| ("[[redirects]]", keys));
        let rules = self.rules.iter().map(|keys| ("[[headers]]", keys));
        text.extend(
            redirects
                .chain(rules)
                .map(|(header, keys)| format!("\n{}", table(header, keys))),
        );
        // Those without a name are for somebody to name.
        self.targets
            .sort_by_key(|(name, _)| Reverse(name.is_some()));
        for (name, keys) in &self.targets {
            let keys = self.of_target(keys);
            text.push('\n');
            match name {
                Some(name) => text.push_str(&table(&env_header(name), &keys)),
                None => {
                    let lines = table("[env.NAME]", &keys);
                    text.extend(lines.lines().map(|line| format!("#{line}\n")));
                }
            }
        }
        text
    }

    /// Returns a target's keys, with those that it must not take from the top level.
    fn of_target(&self, keys: &CarriedKeys) -> CarriedKeys {
        let mut keys = keys.clone();
        for (key, none) in [("prefix", ""), ("distribution", "auto")] {
            if self.key(key).is_some() && !keys.iter().any(|(name, _)| name == key) {
                keys.push((key.to_owned(), Value::from(none)));
            }
        }
        keys
    }
}

/// Writes a comment, broken into lines.
fn comment(mark: &str, words: &str) -> String {
    let indent = " ".repeat(mark.len());
    let mut lines = vec![format!("# {mark}")];
    let words = words.split(|letter: char| letter.is_whitespace() || letter.is_control());
    for (number, word) in words.filter(|word| !word.is_empty()).enumerate() {
        let last = lines.pop().unwrap_or_default();
        let gap = if number == 0 || last.ends_with("  ") {
            ""
        } else {
            " "
        };
        if number > 0 && last.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.extend([last, format!("# {indent}{word}")]);
        } else {
            lines.push(format!("{last}{gap}{word}"));
        }
    }
    lines.join("\n") + "\n"
}
