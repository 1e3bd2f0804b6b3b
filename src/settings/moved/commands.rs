//! `aws s3 sync`, `aws s3 cp` and `aws cloudfront create-invalidation` in workflows, package.json, Makefiles and shell scripts.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use serde_json::json;

use super::carried::{CarriedKeys, CarriedSettings};
use super::pattern;
use super::value::{ForeignTable, ForeignValue, computed};

/// Options of `aws s3 sync` and `cp` without a value (AWS CLI Command Reference).
const SWITCHES: &str = "--delete --recursive --size-only --exact-timestamps --quiet --only-show-errors --no-progress --dryrun \
    --follow-symlinks --no-follow-symlinks --no-guess-mime-type --debug --no-verify-ssl --no-paginate --no-sign-request";
/// Options that are of headers.
const HEADERS: &str = "--cache-control --content-type --content-encoding --content-language --content-disposition --storage-class \
    --acl --grants --sse --sse-kms-key-id --expires";
/// Options of which deploy.toml has the same, and what is said of others.
const OPTIONS: [(&str, &str); 17] = [
    ("--region", "=region"),
    ("--profile", "=profile"),
    ("--endpoint-url", "=endpoint-url"),
    ("--recursive", ""),
    ("--delete", ""),
    ("--quiet", ""),
    ("--only-show-errors", ""),
    ("--no-progress", ""),
    ("--no-paginate", ""),
    ("--follow-symlinks", ""),
    (
        "--size-only",
        "what changed is told by content, so size and time do not matter",
    ),
    (
        "--exact-timestamps",
        "what changed is told by content, so size and time do not matter",
    ),
    (
        "--metadata-directive",
        "headers that differ are set by a copy in place",
    ),
    (
        "--no-follow-symlinks",
        "`symlinks = \"skip\"` leaves links out",
    ),
    (
        "--no-guess-mime-type",
        "content types are told by the name; [[headers]] sets others",
    ),
    ("--dryrun", "`unstale plan` shows what a deploy would do"),
    ("--metadata", "`metadata` in [[headers]] sets it"),
];

/// A command of the AWS CLI.
struct AwsCommand {
    line: usize,
    /// The script of package.json that it is in.
    script: Option<String>,
    words: Vec<String>,
    options: Vec<(String, String)>,
}

/// An upload to a folder of a bucket.
struct FolderUpload<'c> {
    command: &'c AwsCommand,
    /// Among all commands.
    place: usize,
    /// Without `./` and the last slash; empty for the current folder.
    source: String,
    bucket: String,
    prefix: String,
    is_file: bool,
}

/// Reads the commands of a file, and tells whether there are any that upload.
pub(super) fn read(
    text: &str,
    file: &ForeignValue,
    carried: &mut CarriedSettings,
) -> Option<&'static str> {
    let commands = commands(text, file);
    let uploads = commands.iter().enumerate();
    let uploads = uploads.filter_map(|(place, command)| upload((place, command), carried));
    let uploads: Vec<FolderUpload> = uploads.collect();
    let mut bases: Vec<&FolderUpload> = Vec::new();
    for upload in uploads.iter().filter(|upload| !upload.is_file) {
        let mut known = bases.iter_mut();
        match known.find(|base| base.bucket == upload.bucket) {
            // What is uploaded beside it is a part of it.
            Some(base) if is_whole(upload, base) => *base = upload,
            Some(_) => {}
            None => bases.push(upload),
        }
    }
    let mut begin = 0;
    for (number, base) in bases.iter().enumerate() {
        let end = bases
            .get(number + 1)
            .map_or(commands.len(), |next| next.place);
        let between = commands.get(begin..end).unwrap_or_default();
        let ids = between.iter().filter_map(distribution).collect();
        begin = end;
        if number == 0 {
            let parts = uploads.iter().filter(|part| part.bucket == base.bucket);
            first_target(base, ids, carried);
            parts_of(base, &parts.collect::<Vec<_>>(), carried);
        } else {
            other_target(base, ids, carried);
        }
    }
    let purge = |command: &&AwsCommand| {
        command
            .words
            .get(1)
            .is_some_and(|word| word == "create-invalidation")
    };
    if let Some(command) = commands.iter().find(purge) {
        let why =
            "each deploy purges exactly what changed, and waits for it: leave the command out";
        carried.leave(&format!("line {}, create-invalidation", command.line), why);
    }
    (!bases.is_empty()).then_some("aws s3")
}

/// Tells whether one upload's folder holds another's, in the build as in the bucket.
fn is_whole(upload: &FolderUpload, part: &FolderUpload) -> bool {
    upload.source.len() < part.source.len()
        && Path::new(&part.source).starts_with(&upload.source)
        && Path::new(&part.prefix).starts_with(&upload.prefix)
}

/// Where something is, and the key of deploy.toml that says it, with its value.
type SaidKey = (String, &'static str, ForeignValue);

/// Returns what a command says of its place.
fn place(base: &FolderUpload) -> Vec<SaidKey> {
    let dir = if base.source.is_empty() {
        "."
    } else {
        &base.source
    };
    let keys = [
        ("dir", dir),
        ("bucket", &base.bucket),
        ("prefix", &base.prefix),
    ];
    let keys = keys.into_iter().filter(|(_, text)| !text.is_empty());
    let what = |key: &str| format!("line {}, {key}", base.command.line);
    keys.map(|(key, text)| (what(key), key, known(text)))
        .collect()
}

/// Returns the distribution that a command invalidates.
fn distribution(command: &AwsCommand) -> Option<SaidKey> {
    let id = command.all("--distribution-id").next()?;
    let what = format!("line {}, --distribution-id", command.line);
    Some((what, "distribution", known(id)))
}

/// Marks a text with variables of a shell, which nobody here knows, as computed.
fn known(text: &str) -> ForeignValue {
    if text.contains(['$', '`']) {
        ForeignValue::text(computed(text))
    } else {
        ForeignValue::text(text)
    }
}

/// Carries over where the first target is.
fn first_target(base: &FolderUpload, ids: Vec<SaidKey>, carried: &mut CarriedSettings) {
    for (what, key, value) in place(base).into_iter().chain(ids) {
        carried.carry(&what, key, &value);
    }
}

/// Writes another bucket down as a target of its own.
fn other_target(base: &FolderUpload, ids: Vec<SaidKey>, carried: &mut CarriedSettings) {
    let mut keys = CarriedKeys::new();
    for (what, key, value) in place(base).into_iter().chain(ids) {
        let value = carried.said(&what, key, &value);
        let is_same = carried.key(key) == value.as_ref();
        keys.extend(
            value
                .filter(|_| !is_same)
                .map(|value| (key.to_owned(), value)),
        );
    }
    let script = base.command.script.as_deref();
    let name = script.and_then(|script| script.rsplit(':').next());
    if !keys.is_empty() {
        carried.targets.push((name.map(str::to_owned), keys));
    }
}

/// Carries over what the uploads to the first target leave out, set and ask for.
fn parts_of(base: &FolderUpload, parts: &[&FolderUpload], carried: &mut CarriedSettings) {
    let folders: Vec<_> = parts.iter().filter(|part| !part.is_file).collect();
    for glob in base.command.all("--exclude") {
        // What another command uploads is not left out.
        let is_out =
            |part: &&&FolderUpload| part.command.all("--exclude").any(|other| other == glob);
        match pattern::of_flat_glob(glob).filter(|_| glob != "*") {
            _ if !folders.iter().all(is_out) => {}
            Some(glob) => carried.exclude(vec![glob]),
            None => {
                let what = format!("line {}, --exclude {glob}", base.command.line);
                carried.leave(
                    &what,
                    "only a part was uploaded: `exclude` names what stays out",
                );
            }
        }
    }
    for part in parts {
        let what = format!("line {}", part.command.line);
        match inner_folder(base, part) {
            Some(folder) => headers(&what, &folder, part, carried),
            None => {
                let why = "it goes to another folder of the bucket than it has in the build";
                carried.leave(&format!("{what}, {}", part.source), why);
            }
        }
        options(&what, part.command, carried);
    }
    if !folders.iter().any(|part| part.command.has("--delete")) {
        carried.carry("--delete", "delete", &ForeignValue::Single(json!(false)));
        let why = "it was not asked for: without `delete = false` what the build no longer has is removed";
        carried.leave("--delete", why);
    }
}

/// Returns the folder of a part inside of what the base uploads, with its slash; empty: the same.
fn inner_folder(base: &FolderUpload, part: &FolderUpload) -> Option<String> {
    let relative = |path: &str, base: &str| {
        let inner = Path::new(path).strip_prefix(base).ok()?;
        Some(inner.to_str()?.to_owned())
    };
    let inner = relative(&part.source, &base.source)?;
    let there = relative(&part.prefix, &base.prefix)?;
    if part.is_file {
        let is_same = there.is_empty() && !inner.contains('/') || inner == there;
        return is_same.then_some(inner);
    }
    let slash = if inner.is_empty() { "" } else { "/" };
    (inner == there).then(|| format!("{inner}{slash}"))
}

/// Carries over the headers that a command sets.
fn headers(what: &str, folder: &str, part: &FolderUpload, carried: &mut CarriedSettings) {
    let is_header = |name: &str| HEADERS.split_whitespace().any(|header| header == name);
    let set = part
        .command
        .options
        .iter()
        .filter(|(name, _)| is_header(name));
    let set: ForeignTable = set
        .map(|(name, value)| (name[2..].to_owned(), known(value)))
        .collect();
    let fields = carried.fields(what, &set);
    if fields.is_empty() {
        return;
    }
    let filters = part
        .command
        .options
        .iter()
        .filter(|(name, _)| name == "--exclude" || name == "--include");
    let mut filters: Vec<(bool, &str)> = filters
        .map(|(name, glob)| (name == "--include", glob.as_str()))
        .collect();
    if filters.first() == Some(&(false, "*")) {
        filters.remove(0);
    } else {
        filters.insert(0, (true, if part.is_file { "" } else { "*" }));
    }
    let globs = filters.iter().map(|(is_in, glob)| {
        let glob = pattern::of_flat_glob(&format!("{folder}{glob}"))?;
        Some(if *is_in { glob } else { format!("!{glob}") })
    });
    match globs.collect::<Option<Vec<_>>>() {
        Some(globs) => carried.rule(what, globs, fields),
        None => {
            let said: Vec<_> = fields
                .iter()
                .map(|(key, value)| super::carried::line(key, value))
                .collect();
            carried.leave(
                what,
                &format!("no glob says its filters; it had {}", said.join(", ")),
            );
        }
    }
}

/// Carries over what other options mean.
fn options(what: &str, command: &AwsCommand, carried: &mut CarriedSettings) {
    for (name, value) in &command.options {
        let is_said = [HEADERS, "--include --exclude"]
            .join(" ")
            .split_whitespace()
            .any(|said| said == name);
        let row = OPTIONS
            .iter()
            .find(|(option, _)| option == name)
            .map(|(_, ours)| *ours);
        let what = format!("{what}, {name}");
        match row.map(|ours| (ours.strip_prefix('='), ours)) {
            _ if is_said => {}
            Some((Some(key), _)) => carried.carry(&what, key, &known(value)),
            Some((None, "")) => {}
            Some((None, why)) => carried.leave(&what, why),
            None => carried.leave(&what, "this option is not known here"),
        }
    }
}

/// Returns what a command uploads and where to.
fn upload<'c>(
    (place, command): (usize, &'c AwsCommand),
    carried: &mut CarriedSettings,
) -> Option<FolderUpload<'c>> {
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let ["s3", verb @ ("sync" | "cp" | "mv"), source, target] = words[..] else {
        return None;
    };
    let Some(target) = target
        .strip_prefix("s3://")
        .filter(|_| !source.starts_with("s3://"))
    else {
        carried.leave(&format!("line {}", command.line), "it uploads nothing");
        return None;
    };
    let (bucket, prefix) = target.split_once('/').unwrap_or((target, ""));
    let source = source.trim_start_matches("./").trim_end_matches('/');
    Some(FolderUpload {
        command,
        place,
        source: if source == "." { "" } else { source }.to_owned(),
        bucket: bucket.to_owned(),
        prefix: prefix.trim_matches('/').to_owned(),
        is_file: verb != "sync" && !command.has("--recursive"),
    })
}

impl AwsCommand {
    fn all<'c>(&'c self, option: &'c str) -> impl Iterator<Item = &'c str> {
        let options = self.options.iter().filter(move |(name, _)| name == option);
        options.map(|(_, value)| value.as_str())
    }

    fn has(&self, option: &str) -> bool {
        self.all(option).next().is_some()
    }
}

/// Finds the commands of the AWS CLI in a file.
fn commands(text: &str, file: &ForeignValue) -> Vec<AwsCommand> {
    let known = assignments(text);
    let mut commands = Vec::new();
    for (line, script, text) in shell_lines(text, file) {
        let mut words = shell_words(&joined(&text)).into_iter();
        while let Some(word) = words.find(|word| word.as_deref() == Some("aws")) {
            let _ = word;
            let own = words
                .by_ref()
                .map_while(|word| word)
                .map(|word| filled(&word, &known));
            let (words, options) = split_options(own.collect());
            commands.push(AwsCommand {
                line,
                script: script.clone(),
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

/// Takes the spaces out of `${{ x }}` and `$(x y)`, which are one word each.
fn joined(text: &str) -> String {
    let Ok(spaced) = Regex::new(r"\$\{\{[^}]*\}\}|\$\([^)]*\)") else {
        return text.to_owned();
    };
    let close = |found: &regex::Captures<'_>| found[0].split_whitespace().collect::<String>();
    spaced.replace_all(text, close).into_owned()
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
            (None, letter) if letter.is_whitespace() => words.extend(word.take().map(Some)),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word.map(Some));
    // A whole command in quotes is a line of its own.
    let inner = |word: Option<String>| match word {
        Some(word) if word.contains("aws s3 ") || word.contains("aws cloudfront ") => {
            shell_words(&word)
        }
        word => vec![word],
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
    let line = r#"(?m)^\s*(?:-\s+|export\s+|readonly\s+)?([A-Z][A-Z0-9_]+)\s*(?:[:?]?=|:)\s*["']?([\w./:@-]+)["']?\s*(?:#.*)?$"#;
    for found in Regex::new(line)
        .iter()
        .flat_map(|line| line.captures_iter(text))
    {
        let value = Some(found[2].to_owned());
        let kept = known
            .entry(found[1].to_owned())
            .or_insert_with(|| value.clone());
        // Of several environments nobody knows which is meant.
        if *kept != value {
            *kept = None;
        }
    }
    known
}

/// Fills in the variables of a word that are known.
fn filled(word: &str, known: &BTreeMap<String, Option<String>>) -> String {
    let variable = r"\$\{\{env\.(\w+)\}\}|\$\{(\w+)\}|\$\((\w+)\)|\$(\w+)";
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
                "s3 sync dist s3://${{env.B}}",
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
