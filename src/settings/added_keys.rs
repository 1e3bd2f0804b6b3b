//! Adds keys to a settings file, whose own stay as they are.

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
}

/// Adds keys with their texts to a file's top level: after what stands there, before the first table.
///
/// # Errors
/// `Exit::Usage` where the file is no TOML.
pub(crate) fn with_keys(text: &str, keys: &[(&str, String)]) -> Result<AddedKeys, Error> {
    let file: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Error::usage("the settings file cannot be read").because(error.message())
    })?;
    let mut written = AddedKeys::default();
    for (key, value) in keys {
        // TOML takes JSON's strings.
        let line = format!("{key} = {}", serde_json::Value::from(value.as_str()));
        match file.get(*key) {
            None => written.added.push(line),
            Some(present) if is_same(key, present, value) => {}
            Some(_) => written.differing.push(line),
        }
    }
    let is_table = |line: &str| line.trim_start().starts_with('[');
    let (mut top, mut rest) = (String::new(), String::new());
    for line in text.split_inclusive('\n') {
        let part = if rest.is_empty() && !is_table(line) {
            &mut top
        } else {
            &mut rest
        };
        part.push_str(line);
    }
    let gap = &top[top.trim_end().len()..];
    let gap = if gap.is_empty() { "\n" } else { gap }.to_owned();
    top.truncate(top.trim_end().len());
    for line in &written.added {
        if !top.is_empty() {
            top.push('\n');
        }
        top += line;
    }
    written.text = if top.is_empty() {
        rest
    } else {
        format!("{top}{gap}{rest}")
    };
    Ok(written)
}

fn is_same(key: &str, present: &toml::Value, value: &str) -> bool {
    let texts = match present {
        toml::Value::Array(items) => items.iter().filter_map(toml::Value::as_str).collect(),
        present => Vec::from_iter(present.as_str()),
    };
    match texts.as_slice() {
        // `s3://NAME/FOLDER` names the bucket too.
        [text] if key == "bucket" => {
            read::<BucketAddress>(text).is_ok_and(|bucket| bucket.name == value)
        }
        [text] => *text == value,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_added_before_the_first_table() {
        let keys = [
            ("bucket", "b".to_owned()),
            ("distribution", "E1".to_owned()),
        ];
        for (before, after, added, differing) in [
            ("", "bucket = \"b\"\ndistribution = \"E1\"\n", 2, 0),
            (
                "# mine\ndir = \"d\"\n\n[purge]\nmode = \"all\"\n",
                "# mine\ndir = \"d\"\nbucket = \"b\"\ndistribution = \"E1\"\n\n[purge]\nmode = \"all\"\n",
                2,
                0,
            ),
            (
                "bucket = \"s3://b/docs\"\ndistribution = \"auto\"",
                "bucket = \"s3://b/docs\"\ndistribution = \"auto\"\n",
                0,
                1,
            ),
            (
                "[env.x]\nbucket = \"c\"\n",
                "bucket = \"b\"\ndistribution = \"E1\"\n[env.x]\nbucket = \"c\"\n",
                2,
                0,
            ),
        ] {
            let written = with_keys(before, &keys).unwrap();
            assert_eq!(written.text, after);
            assert_eq!(
                (written.added.len(), written.differing.len()),
                (added, differing),
                "{before}"
            );
        }
        assert!(with_keys("= 1", &keys).is_err());
    }
}
