//! Checks header rules: finds what S3 would refuse, or serve otherwise than meant, before anything is sent.

use std::collections::BTreeMap;

use super::globs::{BadGlob, Globs};
use super::header_rule::HeaderRule;
use super::presets::{Preset, closest};
use crate::object::Headers;
use crate::object::headers::essence;

/// The most bytes of all names and values of user metadata (S3 User Guide, "Working with object metadata").
const MAX_METADATA_BYTES: usize = 2048;
/// The most tags of an object (S3 User Guide, "Categorizing objects using tags").
const MAX_TAGS: usize = 10;
const STORAGE_CLASSES: [&str; 7] = [
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "REDUCED_REDUNDANCY",
    "EXPRESS_ONEZONE",
];

/// A rule, a redirect or another table that cannot be followed. The caller knows the file and the line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct RuleError<Problem> {
    /// Its index, from 0.
    pub rule: usize,
    /// The key of its table.
    pub field: &'static str,
    /// What is wrong, and what to write instead.
    pub problem: Problem,
}

impl<Problem> RuleError<Problem> {
    /// Makes the error of the rule of this index from a key of its table and what is wrong there.
    pub(super) fn of(rule: usize) -> impl Fn(FieldProblem<Problem>) -> Self {
        move |(field, problem)| Self {
            rule,
            field,
            problem,
        }
    }
}

/// A header rule's fault, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderProblem {
    #[error("there is no preset \"{name}\"{}; the presets are {}", meant(.suggestion), presets())]
    UnknownPreset {
        name: String,
        suggestion: Option<&'static str>,
    },
    #[error("preset and cache-control say the same thing: keep one of them")]
    PresetAndCacheControl,
    #[error("compress sets content-encoding by itself: keep one of them")]
    CompressAndEncoding,
    #[error(
        "every glob begins with \"!\", or none is given; write match = \"*.html\", or begin with \"**\" for every key"
    )]
    NoGlob,
    #[error("the glob \"{pattern}\" is not valid: {why}")]
    Glob { pattern: String, why: String },
    #[error("the rule sets nothing; add cache-control, preset, content-type or another header")]
    Empty,
    #[error("{value:?} holds a line break or another control character; write it in one line")]
    Control { value: String },
    #[error("{value:?} holds {character:?}, which no header can carry; {instead}")]
    NotAscii {
        value: String,
        character: char,
        instead: &'static str,
    },
    #[error("{value:?} begins or ends with a space, which is lost on the way")]
    Padded { value: String },
    #[error("{value:?} is not a type; write one such as \"text/html; charset=utf-8\"")]
    NotAType { value: String },
    #[error("{value:?}: {part:?} needs a number of seconds, as in \"max-age=60\"")]
    Seconds { value: String, part: String },
    #[error(
        "\"{name}\" is not a name for metadata; use letters, digits, \"-\", \"_\" and \".\", without \"x-amz-meta-\""
    )]
    MetadataName { name: String },
    #[error(
        "the metadata takes {bytes} bytes, and S3 takes {MAX_METADATA_BYTES} in all names and values; leave some out"
    )]
    MetadataSize { bytes: usize },
    #[error("\"{name}\" is not a header's name; write letters, digits and \"-\"")]
    HeaderName { name: String },
    #[error("S3 keeps {name} itself; write it as a key of the rule: {key} = \"...\"")]
    KeptHeader { name: String, key: String },
    #[error("{count} tags are set, and S3 takes {MAX_TAGS} for an object; leave some out")]
    TooManyTags { count: usize },
    #[error(
        "the tag \"{name}\" is refused by S3: a name has 1 to 128 characters, a value at most 256, of letters, digits, spaces and + - = . _ : / @; \"aws:\" is AWS's own"
    )]
    Tag { name: String },
    #[error("there is no storage class \"{name}\"{}; a site can be served from {}", meant(.suggestion), STORAGE_CLASSES.join(", "))]
    StorageClass {
        name: String,
        suggestion: Option<&'static str>,
    },
    #[error(
        "objects of \"{name}\" cannot be read until they are restored; for rarely read files write \"GLACIER_IR\""
    )]
    Archive { name: String },
}

fn meant(suggestion: &Option<&'static str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(" (did you mean \"{name}\"?)"))
}

fn presets() -> String {
    Preset::NAMED.map(Preset::name).join(", ")
}

/// The key of the rule's table, and what is wrong there.
pub(super) type FieldProblem<Problem> = (&'static str, Problem);

/// Checks one rule and brings names into the case that S3 keeps.
pub(super) fn check(rule: &mut HeaderRule) -> Result<(), FieldProblem<HeaderProblem>> {
    check_together(rule)?;
    for (field, value) in rule.fields() {
        if let Some(value) = value.filter(|value| !value.is_empty() && field != "storage-class") {
            check_value(field, value).map_err(|problem| (field, problem))?;
        }
    }
    for (name, value) in &rule.others {
        check_other(rule, name, value).map_err(|problem| ("others", problem))?;
    }
    check_metadata_names(rule).map_err(|problem| ("metadata", problem))?;
    for (name, value) in &rule.tags {
        check_tag(name, value).map_err(|problem| ("tags", problem))?;
    }
    check_maps(&rule.metadata, &rule.tags)?;
    if let Some(class) = &mut rule.storage_class {
        *class = storage_class(class).map_err(|problem| ("storage-class", problem))?;
    }
    Ok(())
}

/// Checks what several rules gave together: each alone is within S3's limits, their sum may not be.
pub fn check_limits(headers: &Headers) -> Result<(), FieldProblem<HeaderProblem>> {
    check_maps(&headers.metadata, &headers.tags)
}

/// Checks and compiles the globs of a rule.
pub(super) fn compile_globs(patterns: &[String]) -> Result<Globs, HeaderProblem> {
    let problem = |pattern: &str, why: &str| HeaderProblem::Glob {
        pattern: pattern.to_owned(),
        why: why.to_owned(),
    };
    for pattern in patterns {
        if pattern.trim().is_empty() || pattern == "!" {
            return Err(problem(pattern, "it is empty; write \"**\" for every key"));
        }
        if pattern.starts_with('#') {
            return Err(problem(
                pattern,
                "\"#\" begins a comment; write \"\\\\#\" for a key that begins with it",
            ));
        }
        if pattern.chars().any(char::is_control) {
            return Err(problem(
                pattern,
                "it holds a line break or another control character; write one glob each, in single quotes, in which a backslash stays one",
            ));
        }
    }
    if patterns.iter().all(|pattern| pattern.starts_with('!')) {
        return Err(HeaderProblem::NoGlob);
    }
    Globs::compile(patterns.iter().map(String::as_str)).map_err(|BadGlob { glob, why }| {
        let why = format!("{why}; write a backslash before a character that is meant as itself");
        problem(&glob, &why)
    })
}

fn check_together(rule: &HeaderRule) -> Result<(), FieldProblem<HeaderProblem>> {
    let preset = rule.preset.as_deref();
    if let Some(name) = preset.filter(|name| Preset::from_name(name).is_none()) {
        let problem = HeaderProblem::UnknownPreset {
            name: name.to_owned(),
            suggestion: closest(name, Preset::NAMED.map(Preset::name)),
        };
        return Err(("preset", problem));
    }
    if preset.is_some() && rule.cache_control.is_some() {
        return Err(("preset", HeaderProblem::PresetAndCacheControl));
    }
    let encoded = (rule.content_encoding.as_deref()).is_some_and(|value| !value.is_empty());
    if encoded && rule.compress.as_ref().is_some_and(|list| !list.is_empty()) {
        return Err(("compress", HeaderProblem::CompressAndEncoding));
    }
    if rule.is_empty() {
        return Err(("match", HeaderProblem::Empty));
    }
    Ok(())
}

fn check_value(field: &'static str, value: &str) -> Result<(), HeaderProblem> {
    let owned = || value.to_owned();
    if value.chars().any(char::is_control) {
        return Err(HeaderProblem::Control { value: owned() });
    }
    if let Some(character) = value.chars().find(|c| !c.is_ascii()) {
        let instead = match field {
            "content-disposition" => "write filename*=UTF-8'' and the name percent-encoded",
            "metadata" => "percent-encode it",
            _ => "leave it out",
        };
        return Err(HeaderProblem::NotAscii {
            value: owned(),
            character,
            instead,
        });
    }
    if value.trim() != value {
        return Err(HeaderProblem::Padded { value: owned() });
    }
    match field {
        "content-type" => check_type(value),
        "cache-control" => check_cache_control(value),
        _ => Ok(()),
    }
}

fn check_other(rule: &HeaderRule, name: &str, value: &str) -> Result<(), HeaderProblem> {
    let folded = name.to_ascii_lowercase();
    let mut kept = rule.fields().into_iter().map(|(key, _)| key);
    let own = kept.find(|key| *key == folded).map(str::to_owned);
    let metadata = folded.strip_prefix("x-amz-meta-");
    let own = own.or_else(|| metadata.map(|name| format!("metadata.{name}")));
    match own {
        Some(key) => Err(HeaderProblem::KeptHeader {
            name: name.to_owned(),
            key,
        }),
        None if !is_header_name(name) => Err(HeaderProblem::HeaderName {
            name: name.to_owned(),
        }),
        None => check_value("others", value),
    }
}

/// Tells whether a header may be called so (RFC 9110, section 5.1).
pub fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token)
}

fn check_type(value: &str) -> Result<(), HeaderProblem> {
    let token = |part: &str| !part.is_empty() && part.bytes().all(is_token);
    match essence(value).split_once('/') {
        Some((major, minor)) if token(major) && token(minor) => Ok(()),
        _ => Err(HeaderProblem::NotAType {
            value: value.to_owned(),
        }),
    }
}

/// Tells whether tokens may hold it (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Checks that directives that need seconds have them: a cache ignores the ones that it cannot read.
fn check_cache_control(value: &str) -> Result<(), HeaderProblem> {
    const TIMED: [&str; 4] = [
        "max-age",
        "s-maxage",
        "stale-while-revalidate",
        "stale-if-error",
    ];
    for part in value.split(',').map(str::trim) {
        let (name, seconds) = part.split_once('=').unwrap_or((part, ""));
        let name = name.trim().to_ascii_lowercase();
        let begins = TIMED
            .iter()
            .any(|timed| name == *timed || name.starts_with(&format!("{timed} ")));
        let digits = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
        if begins && !digits {
            return Err(HeaderProblem::Seconds {
                value: value.to_owned(),
                part: part.to_owned(),
            });
        }
    }
    Ok(())
}

fn check_metadata_names(rule: &mut HeaderRule) -> Result<(), HeaderProblem> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let mut lower = BTreeMap::new();
    for (name, value) in std::mem::take(&mut rule.metadata) {
        let folded = name.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(allowed) || folded.starts_with("x-amz-") {
            return Err(HeaderProblem::MetadataName { name });
        }
        check_value("metadata", &value)?;
        lower.insert(folded, value);
    }
    rule.metadata = lower;
    Ok(())
}

fn check_tag(name: &str, value: &str) -> Result<(), HeaderProblem> {
    let allowed = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
    let fits = (1..=128).contains(&name.chars().count()) && value.chars().count() <= 256;
    let reserved = name.to_ascii_lowercase().starts_with("aws:");
    if fits && !reserved && name.chars().chain(value.chars()).all(allowed) {
        return Ok(());
    }
    Err(HeaderProblem::Tag {
        name: name.to_owned(),
    })
}

fn check_maps(
    metadata: &BTreeMap<String, String>,
    tags: &BTreeMap<String, String>,
) -> Result<(), FieldProblem<HeaderProblem>> {
    let sizes = metadata
        .iter()
        .map(|(name, value)| name.len() + value.len());
    let bytes = sizes.sum();
    if bytes > MAX_METADATA_BYTES {
        return Err(("metadata", HeaderProblem::MetadataSize { bytes }));
    }
    let count = tags.len();
    if count > MAX_TAGS {
        return Err(("tags", HeaderProblem::TooManyTags { count }));
    }
    Ok(())
}

/// Spells it as S3 does; STANDARD is what an object has without any.
fn storage_class(name: &str) -> Result<String, HeaderProblem> {
    let folded = name.to_ascii_uppercase().replace('-', "_");
    match folded.as_str() {
        "" | "STANDARD" => Ok(String::new()),
        "GLACIER" | "DEEP_ARCHIVE" => Err(HeaderProblem::Archive {
            name: name.to_owned(),
        }),
        class if STORAGE_CLASSES.contains(&class) => Ok(folded),
        other => Err(HeaderProblem::StorageClass {
            name: name.to_owned(),
            suggestion: closest(other, STORAGE_CLASSES),
        }),
    }
}
