//! Environment variables in the settings that say where: `prefix = "previews/${PR}"`.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::position;
use crate::error::Error;

/// The keys whose values may name variables. Everywhere else a `$` is itself: globs, expressions and headers have many.
pub(super) const PLACES: [&str; 14] = [
    "dir",
    "bucket",
    "prefix",
    "state",
    "distribution",
    "distribution-tenant",
    "local",
    "profile",
    "region",
    "endpoint-url",
    "ca-bundle",
    "expected-bucket-owner",
    "redirect-function",
    "headers-policy",
];

/// Why variables cannot be put into a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum VariableProblem {
    #[error("a `${{` is not closed: write `${{NAME}}`, or `$${{` where it is meant as it is")]
    Unclosed,
    #[error(
        "`${{{0}}}` is not a variable: its name has letters, digits and `_`; write `$${{` where it is meant as it is"
    )]
    Name(String),
    #[error("the environment variable {0} is not set, or is empty")]
    Unset(String),
}

/// A settings file, and the variables that its places may name.
pub(super) struct PlaceVariables<'a> {
    pub path: &'a Path,
    pub text: &'a str,
    pub variables: &'a BTreeMap<String, String>,
}

impl PlaceVariables<'_> {
    /// Puts the variables into a table of the file. A value of which one is unset is taken out where it `is_overruled`.
    ///
    /// # Errors
    /// `Exit::Usage`, naming file, line, column, key and variable.
    pub(super) fn fill(
        &self,
        layer: &mut DeTable<'_>,
        is_overruled: impl Fn(&str) -> bool,
    ) -> Result<(), Error> {
        for key in PLACES {
            let Some(value) = layer.get_mut(key) else {
                continue;
            };
            match self.fill_value(value) {
                Ok(()) => {}
                Err((_, VariableProblem::Unset(_))) if is_overruled(key) => {
                    layer.remove(key);
                }
                Err((byte, problem)) => {
                    let place = self.place(byte);
                    return Err(Error::usage(format!("{place}: `{key}`: {problem}")));
                }
            }
        }
        Ok(())
    }

    /// Returns where a byte of the file stands: its path, line and column.
    pub(super) fn place(&self, byte: usize) -> String {
        let (line, column) = position(self.text, byte);
        format!("{}:{line}:{column}", self.path.display())
    }

    /// Fills one value, or each of a list. The error has the byte at which it begins.
    fn fill_value(&self, value: &mut Spanned<DeValue<'_>>) -> Result<(), (usize, VariableProblem)> {
        let byte = value.span().start;
        match value.get_mut() {
            DeValue::String(text) if text.contains('$') => {
                let filled = filled(text, self.variables).map_err(|problem| (byte, problem))?;
                *text = filled.into();
                Ok(())
            }
            DeValue::Array(values) => values
                .iter_mut()
                .try_for_each(|value| self.fill_value(value)),
            _ => Ok(()),
        }
    }
}

/// Replaces each `${NAME}` by the variable, whose own text stays as it is, and `$${` by `${`.
fn filled(text: &str, variables: &BTreeMap<String, String>) -> Result<String, VariableProblem> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            filled.extend([before, "${"]);
            rest = after;
            continue;
        }
        let (name, after) = after.split_once('}').ok_or(VariableProblem::Unclosed)?;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_part) {
            return Err(VariableProblem::Name(name.to_owned()));
        }
        // A lone slash would make the folder above of "previews/${PR}".
        let is_said = |value: &&String| !value.trim_matches('/').is_empty();
        let value = variables.get(name).filter(is_said);
        let value = value.ok_or_else(|| VariableProblem::Unset(name.to_owned()))?;
        filled.extend([before, value]);
        rest = after;
    }
    Ok(filled + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_stands_in_braces() {
        let variables = [
            ("PR", "12"),
            ("a_1", "x/y"),
            ("EMPTY", ""),
            ("SLASH", "/"),
            ("ODD", "${PR}$"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = BTreeMap::from(variables);
        let unset = |name: &str| Err(VariableProblem::Unset(name.to_owned()));
        let bad = |name: &str| Err(VariableProblem::Name(name.to_owned()));
        for (text, expected) in [
            ("previews/${PR}", Ok("previews/12")),
            ("${PR}${a_1}/${PR}", Ok("12x/y/12")),
            ("${ODD}", Ok("${PR}$")),
            ("$PR $ $$ $", Ok("$PR $ $$ $")),
            ("$${PR}", Ok("${PR}")),
            ("$$${PR}}", Ok("$${PR}}")),
            ("$${PR}/${PR}", Ok("${PR}/12")),
            ("${NONE}", unset("NONE")),
            ("${pr}", unset("pr")),
            ("a${EMPTY}", unset("EMPTY")),
            ("a/${SLASH}", unset("SLASH")),
            ("a${PR", Err(VariableProblem::Unclosed)),
            ("${", Err(VariableProblem::Unclosed)),
            ("${}", bad("")),
            ("${PR:-1}", bad("PR:-1")),
            ("${ PR }", bad(" PR ")),
            ("${a${PR}}", bad("a${PR")),
            ("${é}", bad("é")),
        ] {
            assert_eq!(
                filled(text, &variables),
                expected.map(str::to_owned),
                "{text}"
            );
        }
    }
}
