//! Header rules: what each object is served with, by globs on its key; later rules win header by header.

mod check;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::Headers;
use super::fingerprinted::is_fingerprinted;
use super::globs::Globs;
use super::page::is_page;
use super::presets::Preset;

pub use check::{Found, Problem, RuleError, check_limits};

/// One `[[headers]]` table of deploy.toml. What is absent is left to earlier rules and defaults; an empty text removes a
/// header that they set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HeaderRule {
    /// Globs on keys as in a `.gitignore`: `*.html` anywhere, `/index.html` at the root alone, `posts/` a folder, `!` for
    /// what an earlier glob of the same rule took too much. One string or a list.
    #[serde(rename = "match", deserialize_with = "one_or_many")]
    pub patterns: Vec<String>,
    /// A [`Preset`] by name, in place of `cache-control`.
    #[serde(default)]
    pub preset: Option<String>,
    #[serde(default)]
    pub cache_control: Option<String>,
    #[serde(default)]
    pub content_type: Option<String>,
    #[serde(default)]
    pub content_disposition: Option<String>,
    #[serde(default)]
    pub content_language: Option<String>,
    #[serde(default)]
    pub content_encoding: Option<String>,
    /// `x-amz-meta-*`, without that prefix; joined with that of earlier rules.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub storage_class: Option<String>,
    /// Object tags, joined with those of earlier rules.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The encodings to store it in, the best first; empty: as it is.
    #[serde(default)]
    pub compress: Option<Vec<Encoding>>,
    /// Whether the name holds a hash of the content, where that cannot be seen, or only seems so.
    #[serde(default)]
    pub fingerprinted: Option<bool>,
    /// Whether it goes live with the pages, after all assets.
    #[serde(default)]
    pub page: Option<bool>,
}

/// An encoding to store objects in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    Br,
    Gzip,
    Zstd,
}

impl Encoding {
    /// As Content-Encoding has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Br => "br",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Rules ready to be asked about many keys.
pub struct HeaderRules {
    rules: Vec<Compiled>,
}

struct Compiled {
    globs: Globs,
    /// With `preset` resolved and names in their canonical case.
    rule: HeaderRule,
    cache_control: Option<Cow<'static, str>>,
}

/// What is known of an object besides its key.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// By [`super::content_type`].
    pub content_type: &'a str,
    /// The distribution answers errors with it.
    pub error_document: bool,
}

/// What an object is served with, and what follows from the rules besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served<'a> {
    /// Without the Content-Encoding of `compress`, which depends on what compression gains.
    pub headers: Headers,
    pub fingerprinted: bool,
    pub page: bool,
    pub compress: &'a [Encoding],
}

/// Where a header comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A default, by what it is for.
    Default(&'static str),
    /// The rule's index, from 0.
    Rule(usize),
}

/// Why an object is served with a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// `cache-control`, `metadata.NAME`, `fingerprinted`: as deploy.toml names it.
    pub header: Cow<'static, str>,
    /// `None`: removed by a rule.
    pub value: Option<String>,
    pub source: Source,
}

/// Which rules matched anything so far.
#[derive(Clone, Debug, Default)]
pub struct Matched {
    seen: Vec<bool>,
    matching: Vec<usize>,
}

impl Matched {
    /// The indexes of rules that matched nothing.
    pub fn idle(&self, rules: &HeaderRules) -> Vec<usize> {
        let seen = |at: &usize| self.seen.get(*at).copied().unwrap_or_default();
        (0..rules.rules.len()).filter(|at| !seen(at)).collect()
    }

    /// Adds what another found, so that several threads can share the work.
    pub fn merge(&mut self, other: &Self) {
        self.seen
            .resize(self.seen.len().max(other.seen.len()), false);
        for (seen, also) in self.seen.iter_mut().zip(&other.seen) {
            *seen |= also;
        }
    }
}

impl HeaderRules {
    /// Checks and compiles the rules. The error names the rule by its index and the key of its table.
    pub fn compile(rules: Vec<HeaderRule>) -> Result<Self, RuleError> {
        let compiled = rules.into_iter().enumerate().map(|(at, mut rule)| {
            check::check(&mut rule).map_err(|(field, problem)| RuleError {
                rule: at,
                field,
                problem,
            })?;
            let patterns = rule.patterns.iter().map(String::as_str);
            let globs = Globs::compile(patterns).map_err(|bad| RuleError {
                rule: at,
                field: "match",
                problem: check::bad_glob(bad),
            })?;
            let preset = rule.preset.as_deref().and_then(Preset::from_name);
            let cache_control = match preset {
                Some(preset) => Some(Cow::Borrowed(preset.cache_control().unwrap_or_default())),
                None => rule.cache_control.clone().map(Cow::Owned),
            };
            Ok(Compiled {
                globs,
                rule,
                cache_control,
            })
        });
        Ok(Self {
            rules: compiled.collect::<Result<_, _>>()?,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether any rule asks for compression.
    pub fn compress(&self) -> bool {
        let asked = |one: &Compiled| {
            one.rule
                .compress
                .as_ref()
                .is_some_and(|list| !list.is_empty())
        };
        self.rules.iter().any(asked)
    }

    /// Whether any rule sets metadata.
    pub fn set_metadata(&self) -> bool {
        self.rules.iter().any(|one| !one.rule.metadata.is_empty())
    }

    /// Whether rules that each are within S3's limits may exceed them together.
    pub fn may_exceed_limits(&self) -> bool {
        let mut sum = Headers::default();
        for one in &self.rules {
            // Names that a later rule sets again count twice: a doubt costs a look, and no more.
            let at = sum.metadata.len();
            let renamed =
                |(name, value): (&String, &String)| (format!("{at}{name}"), value.clone());
            sum.metadata.extend(one.rule.metadata.iter().map(renamed));
            sum.tags.extend(one.rule.tags.clone());
        }
        check_limits(&sum).is_err()
    }

    /// What an object is served with. `matched` gathers which rules are of use.
    pub fn headers_for(&self, key: &str, facts: &Facts<'_>, matched: &mut Matched) -> Served<'_> {
        matched.seen.resize(self.rules.len(), false);
        matched.matching.clear();
        for (at, rule) in self.rules.iter().enumerate() {
            if rule.globs.matches(key) {
                matched.matching.push(at);
                if let Some(seen) = matched.seen.get_mut(at) {
                    *seen = true;
                }
            }
        }
        let matching = || matched.matching.iter().filter_map(|at| self.rules.get(*at));
        self.resolve(key, facts, matching, &mut |_, _, _| ())
    }

    /// Each header of [`Self::headers_for`] with where it comes from, the last word on each alone.
    pub fn explain(&self, key: &str, facts: &Facts<'_>) -> Vec<Explanation> {
        let indexes: Vec<usize> = (0..self.rules.len())
            .filter(|at| self.rules[*at].globs.matches(key))
            .collect();
        let mut last: BTreeMap<Cow<'static, str>, (Option<String>, Source)> = BTreeMap::new();
        let mut note = |header: Cow<'static, str>, value: &str, by: Option<usize>| {
            let source = match by.and_then(|nth| indexes.get(nth)) {
                Some(rule) => Source::Rule(*rule),
                None => Source::Default(default_name(&header, value)),
            };
            last.insert(
                header,
                ((!value.is_empty()).then(|| value.to_owned()), source),
            );
        };
        self.resolve(
            key,
            facts,
            || indexes.iter().filter_map(|at| self.rules.get(*at)),
            &mut note,
        );
        last.into_iter()
            .map(|(header, (value, source))| Explanation {
                header,
                value,
                source,
            })
            .collect()
    }

    /// Goes through the defaults and the matching rules in turn, telling `note` of each header set, by the how-manieth
    /// of them.
    fn resolve<'a, I: Iterator<Item = &'a Compiled>>(
        &'a self,
        key: &str,
        facts: &Facts<'_>,
        matching: impl Fn() -> I,
        note: &mut Note<'_>,
    ) -> Served<'a> {
        let last = |pick: fn(&HeaderRule) -> Option<bool>| {
            let said = matching()
                .enumerate()
                .filter_map(|(nth, one)| Some((pick(&one.rule)?, nth)));
            said.last()
        };
        let said_fingerprinted = last(|rule| rule.fingerprinted);
        let said_page = last(|rule| rule.page);
        let fingerprinted = said_fingerprinted.map_or_else(|| is_fingerprinted(key), |(is, _)| is);
        let preset = Preset::default_for(key, fingerprinted, facts.error_document);
        let mut headers = Headers {
            cache_control: preset.cache_control().map(str::to_owned),
            content_type: Some(facts.content_type.to_owned()),
            ..Headers::default()
        };
        note(
            "cache-control".into(),
            preset.cache_control().unwrap_or_default(),
            None,
        );
        note("content-type".into(), facts.content_type, None);
        let mut compress: &[Encoding] = &[];
        for (nth, one) in matching().enumerate() {
            one.apply(&mut headers, &mut |header, value| {
                note(header, value, Some(nth))
            });
            if let Some(encodings) = &one.rule.compress {
                compress = encodings;
                let names: Vec<_> = encodings.iter().map(|encoding| encoding.name()).collect();
                note("compress".into(), &names.join(", "), Some(nth));
            }
        }
        let by_type = headers.content_type.as_deref().is_some_and(is_page);
        let page = said_page.map_or(by_type, |(is, _)| is);
        let yes = |is: bool| if is { "yes" } else { "no" };
        note(
            "fingerprinted".into(),
            yes(fingerprinted),
            said_fingerprinted.map(|(_, nth)| nth),
        );
        note("page".into(), yes(page), said_page.map(|(_, nth)| nth));
        Served {
            headers,
            fingerprinted,
            page,
            compress,
        }
    }
}

impl Compiled {
    fn apply(&self, headers: &mut Headers, note: &mut dyn FnMut(Cow<'static, str>, &str)) {
        let rule = &self.rule;
        let fields = [
            (
                "cache-control",
                self.cache_control.as_deref(),
                &mut headers.cache_control,
            ),
            (
                "content-type",
                rule.content_type.as_deref(),
                &mut headers.content_type,
            ),
            (
                "content-disposition",
                rule.content_disposition.as_deref(),
                &mut headers.content_disposition,
            ),
            (
                "content-language",
                rule.content_language.as_deref(),
                &mut headers.content_language,
            ),
            (
                "content-encoding",
                rule.content_encoding.as_deref(),
                &mut headers.content_encoding,
            ),
            (
                "storage-class",
                rule.storage_class.as_deref(),
                &mut headers.storage_class,
            ),
        ];
        for (name, said, field) in fields {
            if let Some(value) = said {
                *field = (!value.is_empty()).then(|| value.to_owned());
                note(name.into(), value);
            }
        }
        for (group, said, map) in [
            ("metadata", &rule.metadata, &mut headers.metadata),
            ("tags", &rule.tags, &mut headers.tags),
        ] {
            for (name, value) in said {
                match value.is_empty() && group == "metadata" {
                    true => map.remove(name),
                    false => map.insert(name.clone(), value.clone()),
                };
                note(format!("{group}.{name}").into(), value);
            }
        }
    }
}

/// Told of a header, its value, and by the how-manieth of the matching rules it is set; `None`: a default.
type Note<'a> = dyn FnMut(Cow<'static, str>, &str, Option<usize>) + 'a;

fn default_name(header: &str, value: &str) -> &'static str {
    const ALL: [Preset; 4] = [
        Preset::Immutable,
        Preset::Error,
        Preset::Playlist,
        Preset::Page,
    ];
    match header {
        "cache-control" => {
            let preset = ALL
                .into_iter()
                .find(|preset| preset.cache_control() == Some(value));
            preset.map_or("page", Preset::name)
        }
        "content-type" => "type by name",
        "page" => "by content-type",
        _ => "by name",
    }
}

/// Reads one string or a list of them.
pub fn one_or_many<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a glob or a list of globs, such as \"*.html\"")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(input)? {
        OneOrMany::One(pattern) => vec![pattern],
        OneOrMany::Many(patterns) => patterns,
    })
}

#[cfg(test)]
mod tests;
