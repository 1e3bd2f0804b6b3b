//! Commands of the AWS CLI in the lines of a shell, wherever those stand.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::json;

use super::value::ForeignValue;

/// Stands for the spaces inside of a word.
pub(super) const HARD_SPACE: &str = "\u{a0}";

/// Options of `aws s3 sync` and `cp` without a value (AWS CLI Command Reference).
const SWITCHES: &str = "--delete --recursive --size-only --exact-timestamps --quiet --only-show-errors --no-progress --dryrun \
    --follow-symlinks --no-follow-symlinks --no-guess-mime-type --debug --no-verify-ssl --no-paginate --no-sign-request";
const PREFIXES: [char; 4] = ['@', '-', '+', '('];
/// What follows these is told, not run.
const TELLERS: [&str; 4] = ["echo", "printf", "git", "name:"];

/// A command of the AWS CLI.
pub(super) struct AwsCommand {
    pub line: usize,
    /// The script of package.json that it is in.
    pub script: Option<String>,
    /// The script, target of a Makefile or job that it is in.
    pub scope: String,
    pub words: Vec<String>,
    pub options: Vec<(String, String)>,
}

impl AwsCommand {
    pub(super) fn all<'c>(&'c self, option: &'c str) -> impl Iterator<Item = &'c str> {
        let options = self.options.iter().filter(move |(name, _)| name == option);
        options.map(|(_, value)| value.as_str())
    }

    pub(super) fn has(&self, option: &str) -> bool {
        self.all(option).next().is_some()
    }
}

/// Finds the commands of the AWS CLI in a file.
pub(super) fn commands(text: &str, file: &ForeignValue) -> Vec<AwsCommand> {
    let known = assignments(text);
    let scopes = scopes(text);
    let mut commands = Vec::new();
    for (line, script, text) in shell_lines(text, file) {
        let scope = script.clone().or(scopes.get(line - 1).cloned());
        let mut words = shell_words(&joined(&text)).into_iter();
        let mut is_told = false;
        while let Some(word) = words.next() {
            // The prefixes are those of Make's lines and of a subshell.
            let word = word
                .as_deref()
                .map(|word| word.trim_start_matches(PREFIXES));
            is_told = word.is_some_and(|word| is_told || TELLERS.contains(&word));
            if word != Some("aws") || is_told {
                continue;
            }
            let own = words
                .by_ref()
                .map_while(|word| word)
                .map(|word| filled(&word, &known));
            let (words, options) = split_options(own.collect());
            commands.push(AwsCommand {
                line,
                script: script.clone(),
                scope: scope.clone().unwrap_or_default(),
                words,
                options,
            });
        }
    }
    commands
}

/// Returns the lines of a shell, put together where they go on, with their numbers, and the script of package.json that they are.
fn shell_lines(text: &str, file: &ForeignValue) -> Vec<(usize, Option<String>, String)> {
    if let Some(scripts) = file.get("scripts") {
        let line_of = |name: &str| {
            let begin = text
                .find(&format!("{}:", json!(name)))
                .or(text.find(&json!(name).to_string()));
            text[..begin.unwrap_or_default()].matches('\n').count() + 1
        };
        let scripts = scripts.entries().iter();
        return scripts
            .filter_map(|(name, script)| {
                Some((line_of(name), Some(name.clone()), script.as_text()?))
            })
            .collect();
    }
    let mut lines: Vec<(usize, Option<String>, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.starts_with('#') {
            continue;
        }
        let is_option = trimmed.starts_with("--") && trimmed.len() > 3;
        let (own, next) = match trimmed.strip_suffix(['\\', '`']) {
            Some(own) => (own, true),
            None => (trimmed, false),
        };
        match lines.last_mut().filter(|_| goes_on || is_option) {
            Some((_, _, whole)) => whole.extend([" ", own]),
            None => lines.push((number + 1, None, own.to_owned())),
        }
        goes_on = next;
    }
    lines
}

/// Returns for each line the target of a Makefile or the job of a workflow that it is in.
fn scopes(text: &str) -> Vec<String> {
    let (mut scope, mut in_jobs, mut depth) = (String::new(), false, None);
    let scope_of = |line: &str| {
        let name = line.trim_start();
        let indent = line.len() - name.len();
        let is_name = name.starts_with(|letter: char| letter.is_alphanumeric() || letter == '.');
        let begins = name.contains(": ") || name.trim_end().ends_with(':');
        if indent == 0 && is_name && begins {
            (in_jobs, depth) = (name.starts_with("jobs:"), None);
            scope = name.to_owned();
        } else if in_jobs && is_name && begins && *depth.get_or_insert(indent) == indent {
            scope = name.to_owned();
        }
        scope.clone()
    };
    text.lines().map(scope_of).collect()
}

/// Joins `${{ x }}`, which is one word, and hides what stands in `$(x y)` and backticks: it may be a secret. `$(NAME)` is Make's.
fn joined(text: &str) -> String {
    let mut joined = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let (length, shown) = if rest.starts_with("${{") {
            let length = rest.find("}}").map_or(rest.len(), |end| end + 2);
            (
                length,
                rest[..length].replace(char::is_whitespace, HARD_SPACE),
            )
        } else if rest.starts_with("$(") {
            let length = bracketed(rest);
            let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
            let inner = rest[2..length].trim_end_matches(')');
            let shown = if inner.chars().all(is_word) {
                &rest[..length]
            } else {
                "$(...)"
            };
            (length, shown.to_owned())
        } else if letter == '`' {
            let end = rest[1..].find('`');
            (end.map_or(rest.len(), |end| end + 2), "$(...)".to_owned())
        } else {
            (letter.len_utf8(), letter.to_string())
        };
        joined.push_str(&shown);
        rest = &rest[length..];
    }
    joined
}

/// Returns how long a text is up to the bracket that closes its first.
fn bracketed(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' if depth == 1 => return at + 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Splits a line into words as a shell does; `None` where one command ends.
fn shell_words(text: &str) -> Vec<Option<String>> {
    let mut words: Vec<Option<String>> = Vec::new();
    let (mut word, mut quote): (Option<String>, Option<char>) = (None, None);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, ';' | '|' | '&' | '>' | '<') => {
                words.extend(word.take().map(Some));
                words.push(None);
            }
            (None, letter) if letter.is_ascii_whitespace() => words.extend(word.take().map(Some)),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word.map(Some));
    // A whole command in quotes is a line of its own, unless it is told.
    let mut is_told = false;
    let inner = |word: Option<String>| {
        let plain = word
            .as_deref()
            .map(|word| word.trim_start_matches(PREFIXES));
        is_told = plain.is_some_and(|plain| is_told || TELLERS.contains(&plain));
        match word {
            Some(word)
                if !is_told && (word.contains("aws s3 ") || word.contains("aws cloudfront ")) =>
            {
                shell_words(&word)
            }
            word => vec![word],
        }
    };
    words.into_iter().flat_map(inner).collect()
}

/// Splits a command into its plain words and its options with their values.
fn split_options(words: Vec<String>) -> (Vec<String>, Vec<(String, String)>) {
    let (mut plain, mut options): (Vec<String>, Vec<(String, String)>) = (Vec::new(), Vec::new());
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        if !word.starts_with("--") {
            // Of more than one value, such as the paths of an invalidation.
            if plain.len() < 4 {
                plain.push(word);
            }
            continue;
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None if SWITCHES.split_whitespace().any(|switch| switch == word) => (word, None),
            None => (word, words.next_if(|word| !word.starts_with("--"))),
        };
        options.push((name, value.unwrap_or_default()));
    }
    (plain, options)
}

/// Finds variables that the file itself sets to one literal text.
fn assignments(text: &str) -> BTreeMap<String, Option<String>> {
    let mut known: BTreeMap<String, Option<String>> = BTreeMap::new();
    // Whatever else sets it, nobody knows which is meant.
    let any = r"\b(?:(?:for|read(?: -r)?)\s+([A-Z]\w+)|([A-Z][A-Z0-9_]+)\s*(?:[:?+]?=|:(?:\s|$)))";
    let line = r#"(?m)^\s*(?:-\s+|export\s+|readonly\s+)?([A-Z][A-Z0-9_]+)\s*(?:[:?]?=|:)\s*["']?([\w./:@-]+)["']?\s*(?:#.*)?$"#;
    let (Ok(any), Ok(line)) = (Regex::new(any), Regex::new(line)) else {
        return known;
    };
    for found in line.captures_iter(text) {
        known.insert(found[1].to_owned(), Some(found[2].to_owned()));
    }
    let mut seen = BTreeSet::new();
    for found in any.captures_iter(text) {
        let name = found
            .get(1)
            .or(found.get(2))
            .map_or("", |name| name.as_str());
        if !seen.insert(name) {
            known.insert(name.to_owned(), None);
        }
    }
    known
}

/// Fills in the variables of a word that are known.
fn filled(word: &str, known: &BTreeMap<String, Option<String>>) -> String {
    if !word.contains('$') {
        return word.to_owned();
    }
    let variable = r"\$\{\{\s*env\.(\w+)\s*\}\}|\$\{(\w+)\}|\$\((\w+)\)|\$(\w+)";
    let Ok(variable) = Regex::new(variable) else {
        return word.to_owned();
    };
    let value = |found: &regex::Captures<'_>| {
        let name = found
            .iter()
            .skip(1)
            .flatten()
            .next()
            .map(|name| name.as_str());
        let value = name.and_then(|name| known.get(name)?.clone());
        value.unwrap_or_else(|| found[0].to_owned())
    };
    variable.replace_all(word, value).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn commands_are_found_wherever_they_stand() {
        let empty = ForeignValue::Single(Value::Null);
        for (text, words) in [
            ("aws s3 sync dist s3://b", "s3 sync dist s3://b"),
            (
                "  - run: aws s3 sync \"dist\" s3://b # x",
                "s3 sync dist s3://b",
            ),
            ("- 'aws s3 sync dist s3://b'", "s3 sync dist s3://b"),
            (
                "a && aws --profile x s3 sync dist s3://b; c",
                "s3 sync dist s3://b",
            ),
            (
                "aws s3 sync dist \\\n  s3://b --delete",
                "s3 sync dist s3://b",
            ),
            (
                "run: >\n aws s3 sync dist s3://b\n --delete",
                "s3 sync dist s3://b",
            ),
            (
                "B: my-site\naws s3 sync dist s3://${{ env.B }}",
                "s3 sync dist s3://${{\u{a0}env.B\u{a0}}}",
            ),
            (
                "BU=my-site\naws s3 sync dist s3://$BU/x",
                "s3 sync dist s3://my-site/x",
            ),
            (
                "BU=a\nBU=b\naws s3 sync dist s3://$BU",
                "s3 sync dist s3://$BU",
            ),
            ("# aws s3 sync dist s3://b", ""),
            ("\t@-aws s3 sync dist s3://b", "s3 sync dist s3://b"),
            ("(aws s3 sync dist s3://b; x)", "s3 sync dist s3://b"),
            ("echo aws s3 sync dist s3://b", ""),
            ("git commit -m 'x; aws s3 sync dist s3://b'", ""),
            (
                "BU=a\nif x; then BU=b; fi\naws s3 sync dist s3://$BU",
                "s3 sync dist s3://$BU",
            ),
            (
                "aws s3 sync dist s3://$(x $(y secret) z)/a",
                "s3 sync dist s3://$(...)/a",
            ),
            ("aws s3 sync `secret x`/a s3://b", "s3 sync $(...)/a s3://b"),
        ] {
            let found = commands(text, &empty);
            let found: Vec<_> = found
                .iter()
                .map(|command| command.words.join(" "))
                .collect();
            assert_eq!(found.join("|"), words, "{text}");
        }
    }
}
