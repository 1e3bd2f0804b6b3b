//! The layers of settings, each a table of what a file, the environment or the flags say, laid over each other.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::mistake::{closest, reword, unknown_key};
use super::place_variables::PlaceVariables;
use super::values::{BucketAddress, SitePrefix, read};
use super::{FILE, FlagSettings, FlagText, SettingPaths, Settings};
use crate::error::Error;

/// Settings by their keys in deploy.toml, as they were written.
pub(super) type Layer<'t> = DeTable<'t>;

/// Keys whose flags add to the list instead of replacing it.
const ADDED: [&str; 3] = ["exclude", "include", "allow"];
/// The table of deploy.toml whose keys variables and flags write as `purge-KEY`.
const PURGE: &str = "purge";
/// The other one, whose keys stand in deploy.toml alone.
const BUDGET: &str = "budget";
const ENV: &str = "env";

fn spanned<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

/// Reads the settings of a table. Bytes in errors and lines are of the text that the table was parsed from.
pub(super) fn read_settings(layer: Layer<'_>) -> Result<Settings, toml::de::Error> {
    Settings::deserialize(Deserializer::from(spanned(layer)))
}

/// Parses a settings file, with its `[env.NAME]` laid over it; and its paths, joined to its folder. Every table of it is
/// checked, whether it is asked for or not. A variable may be unset where `is_given` says that flags or variables overrule the
/// key that names it.
pub(super) fn from_file<'t>(
    places: &PlaceVariables<'t>,
    name: Option<&str>,
    is_given: impl Fn(&str) -> bool,
) -> Result<(Layer<'t>, SettingPaths), Error> {
    let path = places.path;
    let wrong = |error: toml::de::Error| {
        let message = misplaced(error.message()).unwrap_or_else(|| reword(error.message()));
        let place = places.place(error.span().map_or(0, |span| span.start));
        Error::usage(format!("{place}: {message}"))
    };
    let mut file = DeTable::parse(places.text).map_err(wrong)?.into_inner();
    let mut tables = env_tables(&mut file, places)?;
    for table in tables.values().chain([&file]) {
        let mut table = table.clone();
        places.fill(&mut table, |_| true)?;
        read_settings(table).map_err(wrong)?;
    }
    let place = format!("{}: `bucket` and `prefix`", path.display());
    let mut above = Layer::new();
    if let Some(name) = name {
        let Some(table) = tables.remove(name) else {
            return Err(unknown_env(path, name, tables.keys()));
        };
        above = table;
        places.fill(&mut above, &is_given)?;
        split_bucket(&mut above, &place)?;
    }
    places.fill(&mut file, |key| is_given(key) || is_overruled(key, &above))?;
    split_bucket(&mut file, &place)?;
    lay_over(&mut file, above);
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut path_of = |key: &str| match file.remove(key).map(Spanned::into_inner) {
        Some(DeValue::String(path)) => Some(folder.join(&*path)),
        _ => None,
    };
    let paths = SettingPaths {
        dir: path_of("dir"),
        local: path_of("local"),
        ca_bundle: path_of("ca-bundle"),
    };
    Ok((file, paths))
}

/// Tells whether a settings file has `json = true`, be the rest of it what it may.
pub(super) fn says_json(text: &str) -> bool {
    let (file, _) = DeTable::parse_recoverable(text);
    let json = file.get_ref().get("json").map(Spanned::get_ref);
    matches!(json, Some(DeValue::Boolean(true)))
}

/// Tells whether a layer says all that a key below it does. A bucket below may bring a folder, which outlives its name.
pub(super) fn is_overruled(key: &str, above: &Layer<'_>) -> bool {
    above.contains_key(key) && (key != "bucket" || above.contains_key("prefix"))
}

/// Takes the tables `[env.NAME]` out of a settings file.
fn env_tables<'t>(
    file: &mut Layer<'t>,
    places: &PlaceVariables<'_>,
) -> Result<BTreeMap<String, Layer<'t>>, Error> {
    let mut tables = BTreeMap::new();
    let Some(env) = file.remove(ENV) else {
        return Ok(tables);
    };
    let place = places.place(env.span().start);
    let DeValue::Table(env) = env.into_inner() else {
        return Err(Error::usage(format!(
            "{place}: `env` is a table of tables: [env.NAME] for each"
        )));
    };
    for (name, table) in env {
        let name = name.into_inner().into_owned();
        let place = places.place(table.span().start);
        let DeValue::Table(table) = table.into_inner() else {
            return Err(Error::usage(format!(
                "{place}: `env.{name}` is a table: [env.{name}]"
            )));
        };
        if table.contains_key(ENV) {
            return Err(Error::usage(format!(
                "{place}: [env.{name}] cannot hold another [env]"
            )));
        }
        tables.insert(name, table);
    }
    Ok(tables)
}

fn unknown_env<'a>(file: &Path, name: &str, names: impl Iterator<Item = &'a String>) -> Error {
    let names: Vec<&str> = names.map(String::as_str).collect();
    let error = Error::usage(format!("{} has no [env.{name}]", file.display()));
    if names.is_empty() {
        return error.hint(format!("begin one: a line [env.{name}]"));
    }
    error.hint(format!("it has {}", names.join(", ")))
}

/// Reads the `UNSTALE_*` variables, those that are not empty; and a warning for each that is no setting. Lists have no
/// variables, but for `UNSTALE_DISTRIBUTION`, whose names are parted by commas.
pub(super) fn from_variables(
    variables: &BTreeMap<String, String>,
) -> Result<(Layer<'_>, Vec<String>), Error> {
    let (mut layer, mut warnings) = (Layer::new(), Vec::new());
    let names = variable_names();
    for (name, text) in variables {
        let Some(bare) = name.strip_prefix("UNSTALE_") else {
            continue;
        };
        if matches!(bare, "CONFIG" | "ENV") {
            continue;
        }
        let Some(key) = names.get(bare) else {
            let known: Vec<&str> = names
                .keys()
                .map(String::as_str)
                .chain(["CONFIG", "ENV"])
                .collect();
            warnings.push(match closest(bare, &known) {
                Some(meant) => format!("{name} is not a setting: did you mean UNSTALE_{meant}?"),
                None => format!("{name} is not a setting"),
            });
            continue;
        };
        if !text.is_empty() {
            let value = value_of(key, text);
            let value = value.map_err(|why| Error::usage(format!("{name}: {why}")))?;
            insert(&mut layer, key, value);
        }
    }
    split_bucket(&mut layer, "UNSTALE_BUCKET and UNSTALE_PREFIX")?;
    Ok((layer, warnings))
}

/// Returns the keys of the top level, or of `purge-`, as serde knows them.
fn keys_of(table: &str) -> Vec<String> {
    let why = fits(&format!("{table}no-such-key"), DeValue::Boolean(true));
    let why = why.err().unwrap_or_default();
    let keys = unknown_key(&why).map_or(Vec::new(), |(_, keys)| keys);
    let keys = keys.into_iter().map(|key| format!("{table}{key}"));
    keys.collect()
}

/// Says where an unknown key is a known one.
fn misplaced(message: &str) -> Option<String> {
    let (name, names) = unknown_key(message)?;
    if closest(name, &names).is_some() {
        return None;
    }
    let has = |table: &str| keys_of(table).contains(&format!("{table}{name}"));
    let place = if has("") {
        "above the first [table] of the file"
    } else if has("purge-") {
        "in the table [purge]"
    } else {
        return None;
    };
    Some(format!("`{name}` stands {place}, not here"))
}

/// Finds the settings that have a variable, by its name without `UNSTALE_`: all that are no lists, as serde knows them.
fn variable_names() -> BTreeMap<String, String> {
    let is_list = |key: &str| key != "distribution" && fits(key, array([].into_iter())).is_ok();
    let keys = keys_of("").into_iter().chain(keys_of("purge-"));
    keys.filter(|key| key != PURGE && key != BUDGET && !is_list(key))
        .map(|key| (key.to_uppercase().replace('-', "_"), key))
        .collect()
}

/// Returns the flags that say which site it is, as words.
pub(super) fn site_flags(flags: &FlagSettings) -> Vec<String> {
    let config = flags.config.iter();
    let config = config.map(|path| ("config", path.display().to_string()));
    let env = flags.env.iter().map(|name| ("env", name.clone()));
    let keys = flags.flags.iter();
    let keys = keys.filter(|flag| ["bucket", "prefix"].contains(&&*flag.key));
    let keys = keys.flat_map(|flag| flag.texts.iter().map(|text| (&*flag.key, text.clone())));
    let words = config.chain(env).chain(keys);
    let words = words.flat_map(|(key, text)| [format!("--{key}"), text]);
    words.collect()
}

/// Reads what the flags give.
pub(super) fn from_flags(flags: &[FlagText]) -> Result<Layer<'_>, Error> {
    let mut layer = Layer::new();
    for FlagText { key, texts } in flags {
        let values = texts.iter().map(|text| {
            let value = value_of(key, text);
            value.map_err(|why| Error::usage(format!("--{key}: {why}")))
        });
        let mut values = values.collect::<Result<Vec<_>, _>>()?;
        let value = match values.pop() {
            Some(value) if values.is_empty() && !ADDED.contains(&key.as_str()) => value,
            last => array(values.into_iter().chain(last)),
        };
        insert(&mut layer, key, value);
    }
    // `-v` overrules a `quiet` from below, and the other way round.
    for (key, other) in [("quiet", "verbose"), ("verbose", "quiet")] {
        if layer.contains_key(key) && !layer.contains_key(other) {
            insert(&mut layer, other, DeValue::Boolean(false));
        }
    }
    split_bucket(&mut layer, "--bucket and --prefix")?;
    Ok(layer)
}

fn array<'t>(values: impl Iterator<Item = DeValue<'t>>) -> DeValue<'t> {
    DeValue::Array(values.map(spanned).collect())
}

/// Finds the value that a text stands for: itself, a number, a truth or names parted by commas, whichever the key takes.
fn value_of<'t>(key: &str, text: &'t str) -> Result<DeValue<'t>, String> {
    let string = |text: &'t str| DeValue::String(text.into());
    let why = match fits(key, string(text)) {
        Ok(value) => return Ok(value),
        Err(why) => why,
    };
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| {
        let significant = digits.trim_start_matches('0');
        let text = if significant.is_empty() {
            "0"
        } else {
            significant
        };
        DeValue::parse(text).ok().map(Spanned::into_inner)
    });
    let truth = match text {
        "true" | "1" => Some(DeValue::Boolean(true)),
        "false" | "0" => Some(DeValue::Boolean(false)),
        _ => None,
    };
    let others = number.into_iter().chain(truth);
    let mut others = others.map(|value| fits(key, value));
    if let Some(value) = others.find_map(Result::ok) {
        return Ok(value);
    }
    match fits(key, array(text.split(',').map(|name| string(name.trim())))) {
        // A list of names is judged by its names.
        Err(why) if text.contains(',') && !why.starts_with("invalid type") => Err(reword(&why)),
        Err(_) => Err(reword(&why)),
        value => value,
    }
}

/// The value, if the key takes it; else serde's message.
fn fits<'t>(key: &str, value: DeValue<'t>) -> Result<DeValue<'t>, String> {
    let mut layer = Layer::new();
    insert(&mut layer, key, value.clone());
    match read_settings(layer) {
        Ok(_) => Ok(value),
        Err(error) => Err(error.message().to_owned()),
    }
}

/// Puts a setting under its key, `purge-mode` under `mode` of the table `purge`.
fn insert<'t>(layer: &mut Layer<'t>, key: &str, value: DeValue<'t>) {
    let Some(inner) = key.strip_prefix("purge-") else {
        layer.insert(spanned(key.to_owned().into()), spanned(value));
        return;
    };
    let mut table = Layer::new();
    insert(&mut table, inner, value);
    let mut purge = Layer::new();
    let table = spanned(DeValue::Table(table));
    purge.insert(spanned(PURGE.into()), table);
    lay_over(layer, purge);
}

/// Lays `above` over `below`, key by key; of `[purge]` too.
pub(super) fn lay_over<'t>(below: &mut Layer<'t>, above: Layer<'t>) {
    for (key, value) in above {
        let existing = below.get_mut(&**key.get_ref()).map(Spanned::get_mut);
        match (existing, value.get_ref()) {
            (Some(DeValue::Table(below)), DeValue::Table(above)) => lay_over(below, above.clone()),
            _ => {
                below.insert(key, value);
            }
        }
    }
}

/// Adds what flags add to the lists below them, and lays the rest over.
pub(super) fn lay_flags_over<'t>(below: &mut Layer<'t>, mut flags: Layer<'t>) {
    for key in ADDED {
        let Some((key, added)) = flags.remove_entry(key) else {
            continue;
        };
        let mut listed = match below.remove(&**key.get_ref()).map(Spanned::into_inner) {
            Some(DeValue::Array(listed)) => listed,
            Some(value) => DeArray::from_iter([spanned(value)]),
            None => DeArray::new(),
        };
        if let DeValue::Array(added) = added.into_inner() {
            added.into_iter().for_each(|value| listed.push(value));
        }
        below.insert(key, spanned(DeValue::Array(listed)));
    }
    lay_over(below, flags);
}

/// Parts `bucket = "s3://NAME/FOLDER"` into bucket and prefix.
fn split_bucket(layer: &mut Layer<'_>, place: &str) -> Result<(), Error> {
    let text = |key: &str| layer.get(key)?.get_ref().as_str().map(str::to_owned);
    let Some(Ok(BucketAddress {
        name,
        prefix: Some(inside),
    })) = text("bucket").map(|bucket| read(&bucket))
    else {
        return Ok(());
    };
    let given = text("prefix").map(|prefix| read::<SitePrefix>(&prefix));
    if let Some(Ok(prefix)) = given.filter(|prefix| prefix.as_ref() != Ok(&inside)) {
        return Err(Error::usage(format!(
            "{place} name two folders: `{}` and `{}`",
            inside.0, prefix.0
        )));
    }
    insert(layer, "bucket", DeValue::String(name.into()));
    insert(layer, "prefix", DeValue::String(inside.0.into()));
    Ok(())
}

/// The error where `--env` is given and there is no file.
pub(super) fn no_file_for(name: &str) -> Error {
    Error::usage(format!(
        "`--env {name}` needs a {FILE} with [env.{name}], and there is no {FILE} here"
    ))
}
