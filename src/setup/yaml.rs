//! YAML in block style: texts with gaps to fill, and plain values.

use serde_json::Value;

use crate::settings::setup_values::ACCOUNT;

/// Fills the gaps of a text, `{{name}}`. One that is all of a line takes several lines, or none, in its own depth.
pub(super) fn filled(text: &str, values: &[(&str, String)]) -> String {
    let mut filled = String::new();
    for line in text.lines() {
        let bare = line.trim_start();
        let whole = bare
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("}}"));
        let value = |name: &str| values.iter().find(|(known, _)| *known == name);
        if let Some((_, value)) = whole.and_then(value) {
            let depth = &line[..line.len() - bare.len()];
            for line in value.lines() {
                let depth = if line.is_empty() { "" } else { depth };
                filled += &format!("{depth}{line}\n");
            }
            continue;
        }
        let gaps = values.iter().fold(line.to_owned(), |line, (name, value)| {
            line.replace(&format!("{{{{{name}}}}}"), value)
        });
        filled += &gaps;
        filled.push('\n');
    }
    filled
}

/// Writes a name as a scalar. One that holds the account's number gets it there.
pub(super) fn name(text: &str) -> String {
    if text.contains(ACCOUNT) {
        format!("{{ \"Fn::Sub\": {} }}", Value::from(text))
    } else {
        scalar(text)
    }
}

/// Writes a text as a scalar: in quotes wherever YAML might take it for something else.
pub(super) fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_plain = text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/')
        && !text.ends_with(':')
        && (text.bytes()).all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@*".contains(&byte))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        text.to_owned()
    } else {
        // YAML takes JSON's strings.
        Value::from(text).to_string()
    }
}

/// Writes a value as lines. Texts that name something of the stack, `${Bucket}`, are substituted there.
pub(super) fn block(value: &Value) -> Vec<String> {
    let nested = |lines: Vec<String>| lines.into_iter().map(|line| format!("  {line}"));
    match value {
        Value::String(text) if text.contains("${") => vec![format!("Fn::Sub: {}", scalar(text))],
        Value::String(text) => vec![scalar(text)],
        Value::Array(items) => items
            .iter()
            .flat_map(|item| {
                let lines = nested(block(item)).enumerate();
                lines.map(|(at, line)| match at {
                    0 => format!("- {}", line.trim_start()),
                    _ => line,
                })
            })
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| {
                let lines = block(value);
                match (value, lines.as_slice()) {
                    (Value::String(text), [line]) if !text.contains("${") => {
                        vec![format!("{name}: {line}")]
                    }
                    _ => [format!("{name}:")]
                        .into_iter()
                        .chain(nested(lines))
                        .collect(),
                }
            })
            .collect(),
        value => vec![value.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn gaps_take_words_lines_or_nothing() {
        let text = "a: {{a}}\n  {{b}}\n  {{c}}\nd: {{a}}\n";
        let values = [
            ("a", "1".to_owned()),
            ("b", "x:\n\n  - y".to_owned()),
            ("c", String::new()),
        ];
        assert_eq!(filled(text, &values), "a: 1\n  x:\n\n    - y\nd: 1\n");
    }

    #[test]
    fn values_are_what_they_were() {
        for (text, written) in [
            ("s3:GetObject", "s3:GetObject"),
            ("yes", "\"yes\""),
            ("2012-10-17", "\"2012-10-17\""),
            ("*", "\"*\""),
            ("a: b", "\"a: b\""),
            ("", "\"\""),
        ] {
            assert_eq!(scalar(text), written, "{text}");
        }
        let value = json!({"A": ["b", "${C}/*"], "D": {"E": "f"}});
        let lines = ["A:", "  - b", "  - Fn::Sub: \"${C}/*\"", "D:", "  E: f"];
        assert_eq!(block(&value), lines);
    }
}
