//! `aws s3 sync`, `aws s3 cp` and `aws cloudfront create-invalidation` in workflows, package.json, Makefiles and shell scripts.

use std::path::Path;

use regex::Regex;
use serde_json::json;

use super::carried::{CarriedKeys, CarriedSettings, had};
use super::pattern;
use super::shell::{AwsCommand, HARD_SPACE, commands};
use super::tables::{HEADERS, OPTIONS, row};
use super::uploads::{FolderUpload, inner_folder, left_out};
use super::value::{ForeignTable, ForeignValue, computed};

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
        let ids = distributions(base, between, carried);
        begin = end;
        if number == 0 {
            let parts = uploads.iter().filter(|part| part.bucket == base.bucket);
            first_target(base, ids, carried);
            parts_of(base, &parts.collect::<Vec<_>>(), carried);
        } else {
            other_target(base, ids, carried);
        }
    }
    let is_elsewhere =
        |part: &&FolderUpload| bases.first().is_none_or(|base| base.bucket != part.bucket);
    for part in uploads.iter().filter(is_elsewhere) {
        unsaid(part, &bases, carried);
    }
    if bases.is_empty() {
        return None;
    }
    others(&commands, carried);
    if changes_folder(text) {
        let why =
            "a command before leads to another folder: see that `dir` leads to the build from here";
        carried.leave("cd, working-directory", why);
    }
    Some("aws s3")
}

/// Tells of what is no upload: the first purge, and each of the rest.
fn others(commands: &[AwsCommand], carried: &mut CarriedSettings) {
    let mut is_purged = false;
    for command in commands {
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        let (name, why) = match words[..] {
            ["s3", "sync" | "cp" | "mv" | "ls" | "presign", ..] => continue,
            ["s3", verb @ ("rm" | "rb"), ..] => (
                format!("aws s3 {verb}"),
                "a deploy removes what it put there and the build no longer has, and nothing else",
            ),
            [service @ ("s3" | "s3api"), verb, ..] => (
                format!("aws {service} {verb}"),
                "no deploy does that: it stays as it is, or `unstale setup` makes it",
            ),
            [_, "create-invalidation", ..] if !is_purged => {
                is_purged = true;
                (
                    "create-invalidation".to_owned(),
                    "each deploy purges exactly what changed, and waits for it: leave the command out",
                )
            }
            _ => continue,
        };
        carried.leave(&format!("line {}, {name}", command.line), why);
    }
}

/// Tells whether anything of a file runs in another folder than its own.
fn changes_folder(text: &str) -> bool {
    let changes = r#"(?m)^\s*(?:-\s+)?working-directory:\s*(?:\./)?[^.\s]|(?:^|[;&|("]|run:|^\s*-)\s*(?:cd|pushd)\s+[^-\s]"#;
    Regex::new(changes).is_ok_and(|changes| changes.is_match(text))
}

/// Says what of an upload to another bucket than the first is not carried over.
fn unsaid(part: &FolderUpload, bases: &[&FolderUpload], carried: &mut CarriedSettings) {
    let what = format!("line {}", part.command.line);
    if !bases.iter().any(|base| base.bucket == part.bucket) {
        let why = "only files go to that bucket, and a deploy is of a folder";
        return carried.leave(&what, why);
    }
    // These ask for what every deploy does.
    let is_told = |name: &&str| row(OPTIONS, name) == Some("");
    let names = part.command.options.iter().map(|(name, _)| name.as_str());
    let mut names: Vec<_> = names.filter(|name| !is_told(name)).collect();
    names.dedup();
    if !names.is_empty() {
        let why = format!(
            "{} of the other bucket: write them into its [env.NAME]",
            names.join(", ")
        );
        carried.leave(&what, &why);
    }
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

/// Returns the distributions that are invalidated where a base is uploaded; of others nobody knows whether they are its own.
fn distributions(
    base: &FolderUpload,
    between: &[AwsCommand],
    carried: &mut CarriedSettings,
) -> Vec<SaidKey> {
    let mut ids: Vec<SaidKey> = Vec::new();
    for command in between {
        let Some((what, key, id)) = distribution(command) else {
            continue;
        };
        if command.scope != base.command.scope {
            let why = "it is not where the upload is: say `distribution` if it is the site's";
            carried.leave(&what, why);
        } else if let Some((_, _, earlier)) = ids.first_mut() {
            let mut items = earlier.items().to_vec();
            if !items.contains(&id) {
                items.push(id);
                *earlier = ForeignValue::List(items);
            }
        } else {
            ids.push((what, key, id));
        }
    }
    ids
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
        ForeignValue::text(computed(&text.replace(HARD_SPACE, " ")))
    } else {
        ForeignValue::text(text)
    }
}

/// Carries over where the first target is.
fn first_target(base: &FolderUpload, ids: Vec<SaidKey>, carried: &mut CarriedSettings) {
    if base.source.is_empty() {
        let why = "it is the project's own folder, unless a `cd` came before: say `dir`";
        carried.leave(&format!("line {}, dir", base.command.line), why);
    }
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
    left_out(base, parts, carried);
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
    let is_whole = |part: &&&FolderUpload| part.is_all_of(base) && part.command.has("--delete");
    if !folders.iter().any(is_whole) {
        carried.carry("--delete", "delete", &ForeignValue::Single(json!(false)));
        let why = "it was not asked for the whole: without `delete = false` what the build no longer has is removed";
        carried.leave("--delete", why);
    }
}

/// Carries over the headers that a command sets.
fn headers(what: &str, folder: &str, part: &FolderUpload, carried: &mut CarriedSettings) {
    let set = part.command.options.iter();
    let set = set.filter(|(name, _)| is_header(name));
    let set: ForeignTable = set
        .map(|(name, value)| (name[2..].to_owned(), known(value)))
        .collect();
    let fields = carried.fields(what, &set);
    if fields.is_empty() {
        return;
    }
    let mut filters: Vec<_> = part.filters().collect();
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
        None => carried.leave(what, &format!("no glob says its filters{}", had(&fields))),
    }
}

/// Tells whether an option sets a header. That of `--metadata` is written in another way.
fn is_header(option: &str) -> bool {
    row(OPTIONS, option).is_none() && row(HEADERS, option).is_some()
}

/// Carries over what other options mean.
fn options(what: &str, command: &AwsCommand, carried: &mut CarriedSettings) {
    for (name, value) in &command.options {
        let what = format!("{what}, {name}");
        match row(OPTIONS, name) {
            Some("") => {}
            Some(ours) => match ours.strip_prefix('=') {
                Some(key) => carried.carry(&what, key, &known(value)),
                None => carried.leave(&what, ours),
            },
            None if is_header(name) || ["--include", "--exclude"].contains(&name.as_str()) => {}
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
