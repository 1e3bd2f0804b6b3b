//! Options that a script spells out: the object literal behind a name. Whatever is no literal is kept as computed.

use super::value::{ForeignTable, ForeignValue, computed};
use serde_json::Value;

const MOST_BRACKETS: usize = 2000;

/// Returns the options that a script gives a plugin, read as far as they are literal; `Err` with the line where braces do not match.
pub(super) fn options_of(script: &str, plugin: &str) -> Option<Result<ForeignValue, usize>> {
    let script = without_comments(script);
    let named = script.find(plugin)?;
    let after = &script[named..];
    let begin = named + after.find("options")?;
    let begin = begin + script[begin..].find('{')?;
    let mut rest = &script[begin..];
    // Nobody writes options as deep as that.
    if rest.matches(['{', '[']).count() > MOST_BRACKETS {
        rest = &rest[..0];
    }
    let line = |rest: &str| script[..script.len() - rest.len()].matches('\n').count() + 1;
    Some(table(&mut rest).ok_or_else(|| line(rest)))
}

/// Blanks comments, so that lines stay what they are.
fn without_comments(script: &str) -> String {
    let mut clean = String::new();
    let mut rest = script;
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '"' | '\'' | '`' => quoted_length(rest),
            '/' if rest.starts_with("//") => 0,
            '/' if rest.starts_with("/*") => {
                let end = rest.find("*/").map_or(rest.len(), |end| end + 2);
                clean.extend(rest[..end].chars().filter(|letter| *letter == '\n'));
                rest = &rest[end..];
                continue;
            }
            letter => letter.len_utf8(),
        };
        clean.push_str(&rest[..length]);
        rest = &rest[length..];
        if length == 0 {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        }
    }
    clean
}

/// Returns how long a text in quotes is, with them.
fn quoted_length(text: &str) -> usize {
    let mut letters = text.char_indices();
    let quote = letters.next().map(|(_, quote)| quote);
    let mut is_escaped = false;
    for (at, letter) in letters {
        if !is_escaped && Some(letter) == quote {
            return at + letter.len_utf8();
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    text.len()
}

/// Reads `{ key: value, ... }`.
fn table(rest: &mut &str) -> Option<ForeignValue> {
    *rest = rest.strip_prefix('{')?;
    let mut entries = ForeignTable::new();
    loop {
        *rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            *rest = after;
            return Some(ForeignValue::Table(entries));
        }
        let end = match rest.chars().next()? {
            '"' | '\'' | '`' => quoted_length(rest),
            '.' => expression_length(rest)?,
            _ => rest.find([':', ',', '}'])?,
        };
        let key = rest[..end].trim().trim_matches(['"', '\'', '`']).to_owned();
        *rest = rest[end..].trim_start();
        let value = match rest.strip_prefix(':') {
            Some(after) => {
                *rest = after.trim_start();
                value(rest)?
            }
            // `...others`, or a name for itself.
            None => ForeignValue::text(computed(&key)),
        };
        entries.push((key, value));
        *rest = rest.trim_start();
        *rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

/// Reads a value up to the comma or the brace that ends it.
fn value(rest: &mut &str) -> Option<ForeignValue> {
    let begin = *rest;
    let whole = match begin.chars().next()? {
        '{' => table(rest),
        '[' => list(rest),
        _ => None,
    };
    if let Some(whole) = whole.filter(|_| rest.trim_start().starts_with([',', '}', ']'])) {
        return Some(whole);
    }
    let end = expression_length(begin).filter(|end| *end > 0)?;
    *rest = &begin[end..];
    let expression = begin[..end].trim();
    let inner = expression.trim_matches(['"', '\'', '`']);
    let is_text =
        expression.starts_with(['"', '\'', '`']) && quoted_length(expression) == expression.len();
    Some(match expression {
        _ if is_text && !(expression.starts_with('`') && inner.contains("${")) => {
            ForeignValue::text(inner.replace('\\', ""))
        }
        _ if is_text => match inner
            .strip_prefix("${")
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) => ForeignValue::text(computed(name)),
            None => ForeignValue::text(computed(expression)),
        },
        _ => match serde_json::from_str::<Value>(expression) {
            Ok(value) => ForeignValue::Single(value),
            Err(_) => ForeignValue::text(computed(expression)),
        },
    })
}

/// Reads `[ value, ... ]`.
fn list(rest: &mut &str) -> Option<ForeignValue> {
    *rest = rest.strip_prefix('[')?;
    let mut items = Vec::new();
    loop {
        *rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix(']') {
            *rest = after;
            return Some(ForeignValue::List(items));
        }
        items.push(value(rest)?);
        *rest = rest.trim_start();
        *rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

/// Returns where an expression ends: before a comma or a closing bracket that is none of its own.
fn expression_length(text: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(letter) = text[at..].chars().next() {
        match letter {
            '"' | '\'' | '`' => {
                at += quoted_length(&text[at..]);
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ',' if depth == 0 => return Some(at),
            ')' | ']' | '}' if depth == 0 => return Some(at),
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        at += letter.len_utf8();
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn literals_are_read_and_the_rest_is_computed() {
        let script = r#"
            // resolve: `gatsby-plugin-s3`, options: { old: 1 }
            module.exports = { plugins: [ 'a', ...(process.env.CI ? [{
              resolve: `gatsby-plugin-s3`, /* the bucket */
              options: {
                bucketName: process.env.BUCKET, region: 'eu-west-1', // where
                'a/b': { "CacheControl": "x, {y}" }, n: 5, acl: null, ...more, ...(on ? { x: 1 } : {}),
                remove: process.env.CI === "true" ? [1, 2] : false,
                url: `https://${host}`, prefix: `${process.env.PREFIX}`,
                list: ['a', "b",],
              },
            }] : []) ] }"#;
        let read = options_of(script, "gatsby-plugin-s3").unwrap().unwrap();
        let expected = json!({
            "bucketName": "<%= process.env.BUCKET %>", "region": "eu-west-1",
            "a/b": {"CacheControl": "x, {y}"}, "n": 5, "acl": null, "...more": "<%= ...more %>",
            "...(on ? { x: 1 } : {})": "<%= ...(on ? { x: 1 } : {}) %>",
            "remove": "<%= process.env.CI === \"true\" ? [1, 2] : false %>",
            "url": "<%= `https://${host}` %>", "prefix": "<%= process.env.PREFIX %>",
            "list": ["a", "b"],
        });
        assert_eq!(read.json(), expected);
        let broken = "x\n'gatsby-plugin-s3', options: {\n  a: [1,\n";
        assert_eq!(options_of(broken, "gatsby-plugin-s3"), Some(Err(4)));
        let odd = "'gatsby-plugin-s3', options: { a: [) }";
        let odd = options_of(odd, "gatsby-plugin-s3").unwrap().unwrap();
        assert_eq!(odd.json(), json!({"a": "<%= [) %>"}));
        assert_eq!(options_of("{}", "gatsby-plugin-s3"), None);
    }
}
