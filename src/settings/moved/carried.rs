//! What another tool's settings come to here, and what of them is left. Nothing gets in that deploy.toml could not say.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::pattern;
use super::tables::{HEADERS, row};
use super::value::{ForeignValue, literal, names_variables};
use crate::settings::place_variables::PLACES;
use crate::settings::{FILE, FlagSettings, Settings};

/// Keys with their values, as deploy.toml says them.
pub(crate) type CarriedKeys = Vec<(String, Value)>;

/// What another tool's settings come to.
#[derive(Debug, Default)]
pub(crate) struct CarriedSettings {
    /// Those of the top level.
    pub(super) keys: CarriedKeys,
    /// Those of other targets, by the name of their `[env.NAME]` where they have one.
    pub(super) targets: Vec<(Option<String>, CarriedKeys)>,
    pub(super) rules: Vec<CarriedKeys>,
    pub(super) redirects: Vec<CarriedKeys>,
    /// What is not carried over, and why.
    pub(super) left: Vec<(String, String)>,
}

/// A rule of a tool whose first match decides.
pub(super) struct FirstMatch {
    pub what: String,
    pub pattern: String,
    /// `None`: no globs name the same.
    pub globs: Option<Vec<String>>,
    pub fields: CarriedKeys,
}

impl CarriedSettings {
    /// Says what is not carried over, once.
    pub(super) fn leave(&mut self, what: &str, why: &str) {
        let said = (what.to_owned(), why.to_owned());
        if !self.left.contains(&said) {
            self.left.push(said);
        }
    }

    /// Carries a value over to a key of the top level, unless it is computed or not what that key takes.
    pub(super) fn carry(&mut self, what: &str, key: &str, value: &ForeignValue) {
        if let Some(value) = self.said(what, key, value)
            && !self.keys.iter().any(|(earlier, _)| earlier == key)
        {
            self.keys.push((key.to_owned(), value));
        }
    }

    /// Returns a value as a key takes it; otherwise says why it does not.
    pub(super) fn said(&mut self, what: &str, key: &str, value: &ForeignValue) -> Option<Value> {
        let value = match self.known(what, value)? {
            Value::String(dir) if key == "dir" => json!(dir.trim_start_matches("./")),
            value => value,
        };
        if names_variables(&value.to_string()) && !PLACES.contains(&key) {
            self.leave(what, &format!("`{key}` takes no variable: {}", value));
            return None;
        }
        match check(&line(key, &value)) {
            Ok(()) => Some(value),
            Err(problem) => {
                self.leave(what, &format!("`{key}` does not take it: {problem}"));
                None
            }
        }
    }

    /// Returns a value whose texts are literal or variables of the environment.
    pub(super) fn known(&mut self, what: &str, value: &ForeignValue) -> Option<Value> {
        let literal = match value {
            ForeignValue::Single(Value::Null) => return None,
            ForeignValue::Single(Value::String(text)) => literal(text).map(Value::String),
            ForeignValue::List(items) => {
                let items = items
                    .iter()
                    .map(|item| literal(&item.as_text()?).map(Value::String));
                items.collect::<Option<Vec<_>>>().map(Value::Array)
            }
            value => Some(value.json()),
        };
        if literal.is_none() {
            let shown = value
                .json()
                .to_string()
                .replace("<%= ", "")
                .replace(" %>", "");
            self.leave(
                what,
                &format!("{shown} is computed there, so it is not known here"),
            );
        }
        literal
    }

    /// Leaves files out of the deploy.
    pub(super) fn exclude(&mut self, globs: Vec<String>) {
        let (key, globs) = ("exclude".to_owned(), globs.into_iter().map(Value::String));
        match self.keys.iter_mut().find(|(name, _)| *name == key) {
            Some((_, Value::Array(items))) => items.extend(globs),
            _ => self.keys.push((key, globs.collect())),
        }
    }

    /// Returns the fields of a rule for these headers.
    pub(super) fn fields(&mut self, what: &str, headers: &[(String, ForeignValue)]) -> CarriedKeys {
        let mut fields = CarriedKeys::new();
        let (mut others, mut metadata) = (json!({}), json!({}));
        for (name, value) in headers {
            let what = format!("{what}, {name}");
            let ours = row(HEADERS, name);
            if let Some(why) = ours.filter(|ours| !ours.starts_with('=')) {
                self.leave(&what, why);
                continue;
            }
            let Some(value) = self.known(&what, value) else {
                continue;
            };
            let lower = name.to_ascii_lowercase();
            match (ours, lower.strip_prefix("x-amz-meta-")) {
                (Some(ours), _) => fields.push((ours.replace('=', ""), value)),
                (None, Some(custom)) => metadata[custom] = value,
                (None, None) => others[name] = value,
            }
        }
        let tables = [("metadata", metadata), ("others", others)].into_iter();
        let tables = tables.filter(|(_, table)| *table != json!({}));
        fields.extend(tables.map(|(key, table)| (key.to_owned(), table)));
        fields
    }

    /// Sets headers of the objects that globs name. What is said of all is a key of the top level.
    pub(super) fn rule(&mut self, what: &str, globs: Vec<String>, mut fields: CarriedKeys) {
        if fields.is_empty() || globs.is_empty() {
            return;
        }
        if let [(key, value)] = fields.as_slice()
            && key == "cache-control"
            && globs == ["*"]
            && self.rules.is_empty()
        {
            let value = ForeignValue::Single(value.clone());
            return self.carry(what, "cache-control", &value);
        }
        fields.insert(0, ("match".to_owned(), globs.into()));
        match check(&table("[[headers]]", &fields)) {
            Ok(()) => self.rules.push(fields),
            Err(problem) => self.leave(what, &problem),
        }
    }

    /// Writes rules of which the first that matches decides, so that no key has two.
    pub(super) fn first_matches(&mut self, rules: Vec<FirstMatch>) {
        let mut earlier: Vec<String> = Vec::new();
        for rule in rules {
            let Some(globs) = rule.globs else {
                let had = had(&rule.fields);
                self.leave(&rule.what, &format!("no glob says `{}`{had}", rule.pattern));
                continue;
            };
            let is_new = |glob: &&String| !earlier.contains(glob);
            let mut own: Vec<String> = globs.iter().filter(is_new).cloned().collect();
            let taken = earlier
                .iter()
                .filter(|glob| own.iter().any(|own| !pattern::are_apart(own, glob)));
            let taken: Vec<_> = taken.map(|glob| format!("!{glob}")).collect();
            if !own.is_empty() {
                own.extend(taken);
            }
            self.rule(&rule.what, own, rule.fields);
            earlier.extend(globs);
        }
    }

    /// Leads an old path elsewhere.
    pub(super) fn redirect(&mut self, what: &str, (from, to): (&str, &str), status: u16) {
        let to = if to.contains("://") {
            to.to_owned()
        } else {
            format!("/{}", to.trim_start_matches('/'))
        };
        let from = format!("/{}", from.trim_start_matches('/'));
        let mut keys = vec![
            ("from".to_owned(), json!(from)),
            ("to".to_owned(), json!(to)),
        ];
        if status != 301 {
            keys.push(("status".to_owned(), json!(status)));
        }
        match check(&table("[[redirects]]", &keys)) {
            Ok(()) => self.redirects.push(keys),
            Err(problem) => self.leave(what, &problem),
        }
    }

    /// Returns what the top level says of a key.
    pub(crate) fn key(&self, key: &str) -> Option<&Value> {
        let mut keys = self.keys.iter();
        keys.find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Says a key of the top level, whatever was carried over.
    pub(crate) fn overrule(&mut self, key: &str, value: Value) {
        self.keys.retain(|(name, _)| name != key);
        self.keys.push((key.to_owned(), value));
    }
}

/// Returns the line of a key: TOML takes JSON's values, but for tables.
pub(super) fn line(key: &str, value: &Value) -> String {
    let Value::Object(entries) = value else {
        return format!("{key} = {value}").replace('\u{7f}', "\\u007f");
    };
    let entries = entries.iter();
    let entries: Vec<_> = entries
        .map(|(key, value)| line(&json!(key).to_string(), value))
        .collect();
    format!("{key} = {{ {} }}", entries.join(", "))
}

/// Says which fields a rule had that is not carried over.
pub(super) fn had(fields: &[(String, Value)]) -> String {
    let said: Vec<_> = fields.iter().map(|(key, value)| line(key, value)).collect();
    let begin = if said.is_empty() { "" } else { "; it had " };
    format!("{begin}{}", said.join(", "))
}

/// Returns a table's lines.
pub(super) fn table(header: &str, keys: &[(String, Value)]) -> String {
    let lines = keys.iter().map(|(key, value)| line(key, value) + "\n");
    format!("{header}\n{}", lines.collect::<String>())
}

/// Reads settings as a deploy would, variables of the environment aside.
fn check(text: &str) -> Result<(), String> {
    let names = text
        .split("${")
        .skip(1)
        .filter_map(|part| part.split_once('}'));
    let variables: BTreeMap<_, _> = names
        .map(|(name, _)| (name.to_owned(), "x".to_owned()))
        .collect();
    let file = Some((FILE.into(), text.to_owned()));
    let settings = Settings::resolve(file, &variables, &FlagSettings::default());
    let said = |error: crate::error::Error| {
        let said = error.to_string();
        let place = said
            .starts_with(FILE)
            .then(|| said.split_once(": "))
            .flatten();
        place.map_or(said.clone(), |(_, problem)| problem.to_owned())
    };
    settings.map(drop).map_err(said)
}
