//! Adds keys to a settings file, whose own stay as they are.

use serde_json::Value;
use toml::Table;

use super::values::{BucketAddress, read};
use crate::error::Error;

/// A settings file with what was added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AddedKeys {
    pub text: String,
    /// Lines.
    pub added: Vec<String>,
    /// Lines that were not added, since the file says something else.
    pub differing: Vec<String>,
    /// Lines that were not added, since the file names another bucket: they are of another site.
    pub foreign: Vec<String>,
}

impl AddedKeys {
    /// Tells whether the file says all that was wanted.
    pub(crate) fn says_all(&self) -> bool {
        self.differing.is_empty() && self.foreign.is_empty()
    }
}

/// A key with its value: a text or a truth value.
pub(crate) type SettingsKey = (&'static str, Value);

/// Adds keys to a file's top level, or to `[env.NAME]`: after what stands there. There, what the top level says holds, too.
///
/// # Errors
/// `Exit::Usage` where the file is no TOML, and where it has no place for them, such as `env = { NAME = {} }`.
pub(crate) fn with_keys(
    text: &str,
    env: Option<&str>,
    keys: &[SettingsKey],
) -> Result<AddedKeys, Error> {
    let file: Table = text.parse().map_err(|error: toml::de::Error| {
        Error::usage("the settings file cannot be read").because(error.message())
    })?;
    let own = part(&file, env);
    let bucket = own.and_then(|own| own.get("bucket")).or(file.get("bucket"));
    let has_folder = bucket.and_then(toml::Value::as_str).is_some_and(|bucket| {
        read::<BucketAddress>(bucket).is_ok_and(|bucket| bucket.prefix.is_some())
    });
    let mut written = AddedKeys::default();
    let mut wanted = Table::new();
    for (key, value) in keys {
        if *key == "prefix" && has_folder {
            continue;
        }
        let line = line(key, value);
        match own.and_then(|own| own.get(*key)) {
            Some(present) if is_same(key, present, value) => {}
            Some(_) if *key == "bucket" => {
                let foreign = keys.iter().map(|(key, value)| self::line(key, value));
                return Ok(AddedKeys {
                    text: text.to_owned(),
                    foreign: foreign.collect(),
                    ..AddedKeys::default()
                });
            }
            Some(_) => written.differing.push(line),
            None if file
                .get(*key)
                .is_some_and(|present| is_same(key, present, value)) => {}
            None => {
                let value = toml::Value::try_from(value);
                wanted.extend(value.map(|value| ((*key).to_owned(), value)));
                written.added.push(line);
            }
        }
    }
    written.text = if written.added.is_empty() {
        text.to_owned()
    } else {
        placed(text, env, (&written.added, &filled(file, env, wanted))).ok_or_else(|| {
            let lines = written.added.join("`, `");
            Error::usage(format!("the settings file has no place for `{lines}`"))
        })?
    };
    Ok(written)
}

/// Tells whether the settings, or this part of them, say a key.
pub(crate) fn says(text: &str, env: Option<&str>, key: &str) -> bool {
    let file: Table = text.parse().unwrap_or_default();
    let own = part(&file, env);
    file.contains_key(key) || own.is_some_and(|own| own.contains_key(key))
}

/// Returns the parts of the settings that have a bucket of their own, and would take the top level's distribution for theirs.
pub(crate) fn parts_of_others(text: &str) -> Vec<String> {
    let file: Table = text.parse().unwrap_or_default();
    let parts = file.get("env").and_then(toml::Value::as_table);
    let parts = parts.into_iter().flatten().filter(|(_, part)| {
        let has = |key: &str| part.get(key).is_some();
        has("bucket") && !has("distribution")
    });
    parts.map(|(name, _)| name.clone()).collect()
}

/// Tells whether a key of the settings, or of this part of them, is of another site: it stands with another bucket, or a part has it from
/// a top level without any.
pub(crate) fn is_of_another(text: &str, env: Option<&str>, key: &str, bucket: &str) -> bool {
    let file: Table = text.parse().unwrap_or_default();
    let has_key = |table: &&Table| table.contains_key(key);
    let own = part(&file, env).filter(has_key);
    let Some(place) = own.or(Some(&file).filter(has_key)) else {
        return false;
    };
    match place.get("bucket").or(file.get("bucket")) {
        Some(named) => !is_same("bucket", named, &bucket.into()),
        None => own.is_none(),
    }
}

/// Returns a key's line: TOML takes JSON's texts and truth values.
pub(crate) fn line(key: &str, value: &Value) -> String {
    format!("{key} = {value}")
}

/// Returns the header of a part of the settings.
pub(crate) fn env_header(env: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !env.is_empty() && env.bytes().all(is_bare) {
        format!("[env.{env}]")
    } else {
        format!("[env.{}]", Value::from(env))
    }
}

fn part<'a>(file: &'a Table, env: Option<&str>) -> Option<&'a Table> {
    match env {
        None => Some(file),
        Some(env) => file.get("env")?.get(env)?.as_table(),
    }
}

/// Returns what the file is to say.
fn filled(mut file: Table, env: Option<&str>, wanted: Table) -> Table {
    let Some(env) = env else {
        file.extend(wanted);
        return file;
    };
    let empty = || toml::Value::Table(Table::new());
    let envs = file.entry("env").or_insert_with(empty).as_table_mut();
    let own = envs.map(|envs| envs.entry(env).or_insert_with(empty));
    if let Some(own) = own.and_then(toml::Value::as_table_mut) {
        own.extend(wanted);
    }
    file
}

/// Puts lines where the file then says what it is to say: before a table, at the end, or under a header of their own.
fn placed(text: &str, env: Option<&str>, (lines, wanted): (&[String], &Table)) -> Option<String> {
    let begin = text.len() - text.trim_start_matches('\u{feff}').len();
    let starts = text.match_indices('\n').map(|(at, _)| at + 1);
    let is_table = |at: &usize| text[*at..].trim_start_matches([' ', '\t']).starts_with('[');
    let tables = [begin].into_iter().chain(starts).filter(is_table);
    let ends = tables.map(|at| begin + end_before_comment(&text[begin..at]));
    let ends = ends.chain([text.trim_end().len()]);
    let under_header = env.map(|env| {
        let header = [env_header(env)].into_iter();
        let lines: Vec<String> = header.chain(lines.iter().cloned()).collect();
        spliced((text, text.trim_end().len()), &lines)
    });
    let mut texts = ends
        .map(|at| spliced((text, at), lines))
        .chain(under_header);
    texts.find(|text| text.parse::<Table>().is_ok_and(|said| said == *wanted))
}

/// Returns where a text ends before empty lines and the comment of what begins behind it.
fn end_before_comment(text: &str) -> usize {
    let lines = text.split_inclusive('\n').rev();
    let comment = lines.take_while(|line| line.trim_start().starts_with('#'));
    let length: usize = comment.map(str::len).sum();
    text[..text.len() - length].trim_end().len()
}

/// Puts lines behind what stands before `at`, with the file's own ends of lines.
fn spliced((text, at): (&str, usize), lines: &[String]) -> String {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let (before, after) = text.split_at(at);
    let is_first = before.trim_start_matches('\u{feff}').is_empty();
    let is_header = lines.first().is_some_and(|line| line.starts_with('['));
    let gap = match (is_first, is_header) {
        (true, _) => String::new(),
        (false, false) => newline.to_owned(),
        (false, true) => newline.repeat(2),
    };
    let lines = lines.join(newline);
    let rest = after.trim_start();
    let apart = after[..after.len() - rest.len()].matches('\n').count();
    let after = match (rest, apart) {
        ("", 0) => newline.to_owned(),
        ("", _) | (_, 2..) => after.to_owned(),
        _ => newline.repeat(2) + rest,
    };
    format!("{before}{gap}{lines}{after}")
}

fn is_same(key: &str, present: &toml::Value, value: &Value) -> bool {
    let Some(value) = value.as_str() else {
        return toml::Value::try_from(value).is_ok_and(|value| *present == value);
    };
    let texts = match present {
        toml::Value::Array(items) => items.iter().filter_map(toml::Value::as_str).collect(),
        present => Vec::from_iter(present.as_str()),
    };
    match texts.as_slice() {
        // `s3://NAME/FOLDER` names the bucket too.
        [text] if key == "bucket" => {
            // What a variable holds is where this value comes from.
            let is_variable = text.contains("${");
            is_variable || read::<BucketAddress>(text).is_ok_and(|bucket| bucket.name == value)
        }
        [text] => text.trim_end_matches('/') == value,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> [SettingsKey; 2] {
        [("bucket", "b".into()), ("distribution", "E1".into())]
    }

    fn text(before: &str, env: Option<&str>) -> String {
        with_keys(before, env, &keys()).unwrap().text
    }

    #[test]
    fn keys_are_added_before_the_first_table() {
        let lines = "bucket = \"b\"\ndistribution = \"E1\"";
        for (before, after) in [
            ("", format!("{lines}\n")),
            ("# mine", format!("# mine\n{lines}\n")),
            (
                "# mine\ndir = \"d\"\n\n[purge]\nmode = \"all\"\n",
                format!("# mine\ndir = \"d\"\n{lines}\n\n[purge]\nmode = \"all\"\n"),
            ),
            (
                "dir = \"d\"\n\n# Which.\n [purge] # all\nmode = \"all\"",
                format!("dir = \"d\"\n{lines}\n\n# Which.\n [purge] # all\nmode = \"all\""),
            ),
            (
                "[env.x]\nbucket = \"c\"\n",
                format!("{lines}\n\n[env.x]\nbucket = \"c\"\n"),
            ),
            // What looks like a table is none.
            (
                "exclude = [\n  \"a\",\n]\nredirects = [\n[],\n]\n",
                format!("exclude = [\n  \"a\",\n]\nredirects = [\n[],\n]\n{lines}\n"),
            ),
            (
                "dir = \"d\"\r\n[purge]\r\n",
                format!("dir = \"d\"\n{lines}\n\n[purge]\n").replace('\n', "\r\n"),
            ),
            ("\u{feff}[purge]\n", format!("\u{feff}{lines}\n\n[purge]\n")),
        ] {
            assert_eq!(text(before, None), after);
            let again = with_keys(&after, None, &keys()).unwrap();
            assert!(again.added.is_empty() && again.text == after);
        }
        assert!(with_keys("= 1", None, &keys()).is_err());
    }

    #[test]
    fn a_part_gets_its_own_keys_or_is_begun() {
        let lines = "bucket = \"b\"\ndistribution = \"E1\"";
        for (before, after) in [
            ("", format!("[env.x]\n{lines}\n")),
            (
                "dir = \"d\"\n",
                format!("dir = \"d\"\n\n[env.x]\n{lines}\n"),
            ),
            (
                "[env.x] # live\nwait = false\n\n[env.y]\nbucket = \"c\"\n",
                format!("[env.x] # live\nwait = false\n{lines}\n\n[env.y]\nbucket = \"c\"\n"),
            ),
            (
                "bucket = \"c\"\n[env.x.purge]\nmode = \"all\"\n",
                format!("bucket = \"c\"\n[env.x.purge]\nmode = \"all\"\n\n[env.x]\n{lines}\n"),
            ),
            (
                "bucket = \"b\"\n[env.x]\n",
                "bucket = \"b\"\n[env.x]\ndistribution = \"E1\"\n".to_owned(),
            ),
        ] {
            assert_eq!(text(before, Some("x")), after);
        }
        assert_eq!(text("", Some("a b")), format!("[env.\"a b\"]\n{lines}\n"));
        let inline = "env = { x = { wait = false } }\n";
        assert!(with_keys(inline, Some("x"), &keys()).is_err());
    }

    #[test]
    fn what_the_file_says_stays() {
        let same = "bucket = \"s3://b/docs\"\ndistribution = [\"E1\"]\n";
        let written = with_keys(same, None, &keys()).unwrap();
        assert_eq!(written.text, same);
        let differs = with_keys("distribution = \"auto\"\n", None, &keys()).unwrap();
        assert_eq!(differs.differing, ["distribution = \"E1\""]);
        assert_eq!(differs.added, ["bucket = \"b\""]);
        let app = [("spa", true.into())];
        let said = with_keys("spa = false\n", None, &app).unwrap();
        assert_eq!(said.differing, ["spa = true"]);
        assert_eq!(with_keys("", None, &app).unwrap().text, "spa = true\n");
        // Nothing of one site is written into the settings of another.
        for (env, other) in [
            (None, "bucket = \"c\"\n"),
            (Some("x"), "[env.x]\nbucket = \"c\"\n"),
        ] {
            let written = with_keys(other, env, &keys()).unwrap();
            assert_eq!(written.text, other);
            assert_eq!((written.added.len(), written.foreign.len()), (0, 2));
        }
    }
}
