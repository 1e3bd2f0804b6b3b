//! What other tools' files say, in their order, whatever they are written in.

use std::fmt;

use regex::Regex;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// A value of YAML, TOML, JSON or a script.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ForeignValue {
    /// A text, number or truth value, as JSON has it.
    Single(Value),
    List(Vec<Self>),
    Table(ForeignTable),
}

/// The entries of a table.
pub(super) type ForeignTable = Vec<(String, ForeignValue)>;

impl ForeignValue {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Single(Value::String(text.into()))
    }

    /// Returns the entries of a table; none of anything else.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Table(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the elements of a list, or the value itself.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            value => std::slice::from_ref(value),
        }
    }

    /// Finds an entry, whatever its letters' case and its dashes are.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let mut entries = self.entries().iter();
        let entry = entries.find(|(key, _)| plain_name(key) == plain_name(name));
        entry.map(|(_, value)| value)
    }

    /// Returns the entries of the table that an entry is; none where it is none.
    pub(super) fn entries_of(&self, name: &str) -> &[(String, Self)] {
        self.get(name).map_or(&[], Self::entries)
    }

    /// Returns the elements of the list that an entry is, or the entry itself.
    pub(super) fn items_of(&self, name: &str) -> &[Self] {
        self.get(name).map_or(&[], Self::items)
    }

    /// Returns the text of an entry that is a single value.
    pub(super) fn text_of(&self, name: &str) -> Option<String> {
        self.get(name)?.as_text()
    }

    /// Returns a single value's text; nothing of lists, tables and null.
    pub(super) fn as_text(&self) -> Option<String> {
        match self {
            Self::Single(Value::String(text)) => Some(text.clone()),
            Self::Single(Value::Null) | Self::List(_) | Self::Table(_) => None,
            Self::Single(value) => Some(value.to_string()),
        }
    }

    pub(super) fn is(&self, truth: bool) -> bool {
        *self == Self::Single(truth.into())
    }

    /// Returns it as JSON, for deploy.toml and for comments.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Single(value) => value.clone(),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Table(entries) => {
                let entries = entries.iter();
                entries
                    .map(|(key, value)| (key.clone(), value.json()))
                    .collect()
            }
        }
    }
}

/// Returns a name without its case and dashes: `CacheControl` and `cache-control` are the same header.
pub(super) fn plain_name(name: &str) -> String {
    name.replace(['-', '_'], "").to_ascii_lowercase()
}

/// Writes a value that scripts and templates compute as such.
pub(super) fn computed(expression: &str) -> String {
    format!("<%= {} %>", expression.trim())
}

/// Returns a text with its variables of the environment as deploy.toml writes them, `${NAME}`; `None` where it is computed.
pub(super) fn literal(text: &str) -> Option<String> {
    let variable = r#"<%=\s*(?:ENV(?:\.fetch\(|\[)['"](\w+)['"][)\]]|process\.env\.(\w+))\s*%>|\$\{env:(\w+)\}"#;
    let text = Regex::new(variable).ok()?.replace_all(text, "$${$1$2$3}");
    let rest = Regex::new(r"\$\{\w+\}").ok()?.replace_all(&text, "");
    let is_computed = ["<%", "${", "$("].iter().any(|mark| rest.contains(mark));
    (!is_computed).then(|| text.into_owned())
}

/// Tells whether a text names variables of the environment.
pub(super) fn names_variables(text: &str) -> bool {
    text.contains("${")
}

struct ForeignVisitor;

impl<'de> Deserialize<'de> for ForeignValue {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(ForeignVisitor)
    }
}

impl<'de> Visitor<'de> for ForeignVisitor {
    type Value = ForeignValue;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<ForeignValue, E> {
        Ok(ForeignValue::Single(truth.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<ForeignValue, E> {
        Ok(ForeignValue::Single(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<ForeignValue, E> {
        Ok(ForeignValue::Single(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<ForeignValue, E> {
        let number = Number::from_f64(number).map_or(Value::Null, Value::Number);
        Ok(ForeignValue::Single(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<ForeignValue, E> {
        Ok(ForeignValue::text(text))
    }

    fn visit_unit<E>(self) -> Result<ForeignValue, E> {
        Ok(ForeignValue::Single(Value::Null))
    }

    fn visit_none<E>(self) -> Result<ForeignValue, E> {
        Ok(ForeignValue::Single(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<ForeignValue, D::Error> {
        ForeignValue::deserialize(input)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ForeignValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(ForeignValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<ForeignValue, A::Error> {
        let mut entries: ForeignTable = Vec::new();
        while let Some((key, value)) = table.next_entry::<String, _>()? {
            entries.retain(|(earlier, _)| *earlier != key);
            entries.push((key, value));
        }
        Ok(ForeignValue::Table(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn variables_of_the_environment_stay_and_what_is_computed_is_none() {
        for (text, expected) in [
            ("my-site", Some("my-site")),
            ("<%= ENV['BUCKET'] %>", Some("${BUCKET}")),
            ("<%= ENV.fetch(\"BUCKET\") %>", Some("${BUCKET}")),
            ("<%= process.env.BUCKET %>", Some("${BUCKET}")),
            ("site-${env:STAGE}", Some("site-${STAGE}")),
            ("${BUCKET}", Some("${BUCKET}")),
            ("<%= 60 * 60 %>", None),
            ("site-${self:custom.stage}", None),
            ("$(aws sts)", None),
        ] {
            assert_eq!(literal(text).as_deref(), expected, "{text}");
        }
    }
}
