//! docs/settings.md and docs/messages.md are written from deploy.example.toml, the flags and the code, and may not differ from them.
//! `UNSTALE_WRITE_DOCS=1 cargo test documents::` writes them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::{Captures, Regex};

use crate::support::Unstale;

/// Settings whose flags have other names.
const OTHER_FLAGS: [(&str, &str); 4] = [
    ("purge.mode", "--purge"),
    ("delete", "--no-delete"),
    ("cache", "--no-cache"),
    ("dir", "DIR"),
];
/// Errors with a status of their own among those that are 1 otherwise: see `From<ScanError>` and `From<StateError>`.
const OTHER_EXITS: [(&str, &str); 9] = [
    ("Missing", "usage"),
    ("NotAFolder", "usage"),
    ("Pattern", "usage"),
    ("Reserved", "usage"),
    ("Private", "usage"),
    ("TooManyFiles", "usage"),
    ("OtherSite", "usage"),
    ("Budget", "changes"),
    ("Lost", "incomplete"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a page with what it has to be, or writes it.
fn keep(page: &str, text: &str) {
    let path = root().join(page);
    if std::env::var_os("UNSTALE_WRITE_DOCS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differs = kept
        .lines()
        .zip(text.lines())
        .find(|(kept, now)| kept != now);
    assert!(
        kept == text,
        "{page} is of before, first at {differs:?}: `UNSTALE_WRITE_DOCS=1 cargo test documents::` writes it anew"
    );
}

/// Returns the long flags of all commands.
async fn flags() -> BTreeSet<String> {
    let flag = Regex::new(r"--[a-z][a-z-]+").unwrap();
    let mut flags = BTreeSet::new();
    for command in ["deploy", "plan", "verify"] {
        let help = Unstale::new(command).with("--help").await.succeeds();
        flags.extend(
            flag.find_iter(&help.stdout)
                .map(|flag| flag.as_str().to_owned()),
        );
    }
    flags
}

/// Writes a setting: its line of the example, its variable and its flag.
fn setting(line: &str, table: &str, flags: &BTreeSet<String>) -> Option<String> {
    let (key, value) = line.trim_start_matches('#').split_once(" = ")?;
    let name = format!("{table}{key}");
    let mut words = vec![format!("**`{name}`** = `{value}`")];
    if line.starts_with('#') {
        words[0].push_str(" (an example: not set by itself)");
    }
    if !value.starts_with(['[', '{']) {
        let variable = name.replace(['-', '.'], "_").to_uppercase();
        words.push(format!("`UNSTALE_{variable}`"));
    }
    let other = OTHER_FLAGS.iter().find(|(other, _)| *other == name);
    let flag = other.map_or(format!("--{key}"), |(_, flag)| (*flag).to_owned());
    if flag == "DIR" || flags.contains(&flag) {
        words.push(format!("`{flag}`"));
    }
    Some(words.join(" · "))
}

#[tokio::test]
async fn the_page_of_settings_is_the_table() {
    let example = fs::read_to_string(root().join("deploy.example.toml")).unwrap();
    let (flags, key) = (flags().await, Regex::new(r"^#?[a-z][a-z-]* = ").unwrap());
    // What is a list of tables is shown as it is written.
    let lists = example.find("# Headers by key").unwrap();
    let mut text = "# Every setting\n\nWritten from [deploy.example.toml](../deploy.example.toml): each with its default, its variable and its flag.\n".to_owned();
    let (mut table, mut comment, mut after_key) = (String::new(), Vec::new(), false);
    for line in example[..lists].lines().chain([""]) {
        let is_key = key.is_match(line);
        if is_key {
            text += if after_key { "\\\n" } else { "\n" };
            text += &setting(line, &table, &flags).unwrap();
        } else if after_key || !line.starts_with("# ") {
            // What is said of a setting stands before it there, and after it here.
            let said = std::mem::take(&mut comment).join("\n");
            text += &if said.is_empty() {
                "\n".to_owned()
            } else {
                format!("\n\n{said}\n")
            };
        }
        if let Some(title) = line.strip_prefix("# --- ") {
            text += &format!("\n## {}\n", title.trim_end_matches(" ---"));
        } else if let Some(name) = line.strip_prefix('[') {
            table = format!("{}.", name.trim_end_matches(']'));
            text += &format!("\n## [{name}\n");
        } else if let Some(said) = line.strip_prefix("# ") {
            comment.push(said);
        }
        after_key = is_key;
    }
    let lists = example[lists..]
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(line) if !line.starts_with(' ') => format!("{line}\n"),
            _ => format!("{line}\n"),
        });
    text += &format!(
        "\n## Lists and environments\n\n```toml\n{}```\n",
        lists.collect::<String>()
    );
    keep("docs/settings.md", &text.replace("\n\n\n", "\n\n"));
}

/// Returns the files of `src/` without their tests.
fn sources() -> BTreeMap<PathBuf, String> {
    let files = walkdir::WalkDir::new(root().join("src"));
    let files = files.into_iter().map(|entry| entry.unwrap().into_path());
    let code = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let code = code.filter(|path| !path.components().any(|part| part.as_os_str() == "tests"));
    let texts = code.map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let text = text
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap()
            .to_owned();
        (path, text)
    });
    texts.collect()
}

/// Makes a literal of the code readable: what is filled in stands in braces.
fn readable(literal: &str) -> String {
    let joined = Regex::new(r"\\\n\s*").unwrap().replace_all(literal, "");
    let filled = Regex::new(r"\{([a-z_]*)[^{}]*\}").unwrap();
    let named = filled.replace_all(&joined, |of: &Captures| match &of[1] {
        "" => "…".to_owned(),
        name => format!("<{}>", name.replace('_', " ")),
    });
    let plain = named
        .replace("\\\"", "\"")
        .replace("{{", "{")
        .replace("}}", "}");
    plain.replace("\\n", " ")
}

#[test]
fn every_message_is_in_the_page_of_messages() {
    const TEXT: &str = r#"(?:format!\(\s*)?"((?:[^"\\]|\\[\s\S])*)""#;
    let made = Regex::new(&format!(
        r"Error::(?:(usage|failed|incomplete|interrupted)\(|new\(\s*Exit::(\w+),)\s*(?:{TEXT}|(\w+)\))"
    ))
    .unwrap();
    let hint = Regex::new(&format!(r"^[^;]*?\.hint\(\s*{TEXT}")).unwrap();
    let variant = Regex::new(r#"#\[error\(\s*"((?:[^"\\]|\\[\s\S])*)"[^\]]*\)\]\s*(\w+)"#).unwrap();
    let mut messages: BTreeMap<(u8, &str), BTreeSet<String>> = BTreeMap::new();
    let exits = [
        ("usage", (2, "2: usage or configuration. Nothing was done")),
        ("failed", (1, "1: it failed")),
        ("changes", (3, "3: there are changes, or a limit is passed")),
        (
            "incomplete",
            (4, "4: some of it is live; the next deploy finishes it"),
        ),
        ("stale", (5, "5: verification failed, or the wait ran out")),
        ("locked", (6, "6: another deploy holds the lease")),
        ("interrupted", (130, "130: interrupted")),
    ];
    let exits = BTreeMap::from(exits);
    for (path, code) in sources() {
        for found in made.captures_iter(&code) {
            let word = found
                .get(1)
                .or(found.get(2))
                .unwrap()
                .as_str()
                .to_lowercase();
            let (before, rest) = code.split_at(found.get(0).unwrap().end());
            // Some are made a line before.
            let text = found
                .get(3)
                .map(|text| text.as_str().to_owned())
                .or_else(|| {
                    let made = format!(r"let {} = {TEXT}", found.get(4)?.as_str());
                    let last = Regex::new(&made).unwrap().captures_iter(before).last()?;
                    Some(last[1].to_owned())
                });
            let Some(text) = text else { continue };
            let rest = rest.split("Error::").next().unwrap();
            let mut line = format!("**{}**", readable(&text));
            if let Some(advice) = hint.captures(rest) {
                line += &format!("\\\n  {}", readable(&advice[1]));
            }
            messages
                .entry(exits[word.as_str()])
                .or_default()
                .insert(line);
        }
        let is_setting = ["rules", "settings", "edge"]
            .iter()
            .any(|room| path.starts_with(root().join("src").join(room)));
        let word = if is_setting { "usage" } else { "failed" };
        for found in variant
            .captures_iter(&code)
            .filter(|found| found[1].contains(' '))
        {
            let arm = format!(
                r"(?:Self::{name}\b|\| Self::{name}\b)[^=>]*=>\s*(?:\{{\s*)?{TEXT}",
                name = &found[2]
            );
            let mut line = format!("**{}**", readable(&found[1]));
            if let Some(advice) = Regex::new(&arm).unwrap().captures(&code) {
                line += &format!("\\\n  {}", readable(&advice[1]));
            }
            let other = OTHER_EXITS.iter().find(|(name, _)| *name == &found[2]);
            let word = other.map_or(word, |(_, word)| word);
            messages.entry(exits[word]).or_default().insert(line);
        }
    }
    let mut text = "# Every message, with its exit status\n\nWritten from the code. `<name>` and … stand for what is filled in; the second line says what to do. AWS's own errors come\nwith the action that failed and, where one is known, the way out. `unstale doctor` looks for what is amiss by itself.\n".to_owned();
    for ((_, title), lines) in &messages {
        text += &format!("\n## {title}\n\n");
        for line in lines {
            text += &format!("- {line}\n");
        }
    }
    assert!(messages.values().map(BTreeSet::len).sum::<usize>() > 150);
    keep("docs/messages.md", &text);
}
