//! Header rules: what each object is served with, by globs on its key; later rules win header by header.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::fingerprinted::siblings::NameVerdict;
use super::globs::Globs;
use super::header_rule::HeaderRule;
use super::media::StreamPart;
use super::page::is_page;
use super::presets::Preset;
use super::rule_check::{
    FieldProblem, HeaderProblem, RuleError, check, check_limits, compile_globs,
};
use crate::object::Headers;
use crate::object::encoding::Encoding;

const CACHE_CONTROL: &str = "cache-control";

/// Rules ready to be asked about many keys.
pub struct HeaderRules {
    rules: Vec<CompiledRule>,
}

struct CompiledRule {
    globs: Globs,
    /// With its preset written out, and names in their canonical case.
    rule: HeaderRule,
}

/// The facts that rules are asked with, besides the key.
#[derive(Clone, Debug)]
pub struct ObjectFacts<'a> {
    /// By [`super::content_type`].
    pub content_type: &'a str,
    /// The distribution answers errors with it.
    pub error_document: bool,
    /// What it is to a stream.
    pub part: Option<StreamPart>,
    /// Whether its name counts as fingerprinted.
    pub name: NameVerdict<'a>,
}

impl ObjectFacts<'_> {
    fn preset(&self, key: &str, fingerprinted: bool) -> Preset {
        Preset::default_for(key, fingerprinted, self.error_document, self.part)
    }
}

/// The headers that an object is served with, and what follows from the rules besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuledHeaders<'a> {
    /// Without the Content-Encoding of `compress`, which depends on what compression gains.
    pub headers: Headers,
    pub fingerprinted: bool,
    pub page: bool,
    pub compress: &'a [Encoding],
}

/// Where a header comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderSource {
    /// A default, by what it is for.
    Default(Cow<'static, str>),
    /// The rule's index, from 0.
    Rule(usize),
}

/// Why an object is served with a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderExplanation {
    /// `cache-control`, `metadata.NAME`, `fingerprinted`: as deploy.toml names it.
    pub header: Cow<'static, str>,
    /// `None`: removed by a rule.
    pub value: Option<String>,
    pub source: HeaderSource,
    /// The last rule whose Cache-Control is not for this error document, which it does not name.
    pub spared: Option<usize>,
}

/// The rules that matched anything so far, by their indexes.
#[derive(Clone, Debug, Default)]
pub struct MatchedRules(BTreeSet<usize>);

impl MatchedRules {
    /// Returns the indexes of rules that matched nothing.
    pub fn idle(&self, rules: &HeaderRules) -> Vec<usize> {
        let indexes = 0..rules.rules.len();
        indexes.filter(|index| !self.0.contains(index)).collect()
    }

    /// Adds what another found, so that several threads can share the work.
    pub fn merge(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }
}

impl HeaderRules {
    /// Checks and compiles the rules. The error names the rule by its index and the key of its table.
    pub fn compile(rules: Vec<HeaderRule>) -> Result<Self, RuleError<HeaderProblem>> {
        let rules = rules.into_iter().enumerate();
        let rules =
            rules.map(|(index, rule)| CompiledRule::compile(rule).map_err(RuleError::of(index)));
        let rules = rules.collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// Tells whether any rule asks for compression.
    pub fn compress(&self) -> bool {
        let mut asked = (self.rules.iter()).filter_map(|rule| rule.rule.compress.as_ref());
        asked.any(|encodings| !encodings.is_empty())
    }

    /// Tells whether any rule sets metadata.
    pub fn set_metadata(&self) -> bool {
        self.rules.iter().any(|rule| !rule.rule.metadata.is_empty())
    }

    /// Tells whether rules that each are within S3's limits may exceed them together.
    pub fn may_exceed_limits(&self) -> bool {
        let mut sum = Headers::default();
        for (index, CompiledRule { rule, .. }) in self.rules.iter().enumerate() {
            // Names that a later rule sets again count twice: a doubt costs a look, and no more.
            let metadata = rule.metadata.clone().into_iter();
            sum.metadata
                .extend(metadata.map(|(name, value)| (format!("{index}.{name}"), value)));
            sum.tags.extend(rule.tags.clone());
        }
        check_limits(&sum).is_err()
    }

    /// Returns what an object is served with. `matched` gathers which rules are of use.
    pub fn headers_for(
        &self,
        key: &str,
        facts: &ObjectFacts<'_>,
        matched: &mut MatchedRules,
    ) -> RuledHeaders<'_> {
        let mut matching = Vec::new();
        for (index, rule) in self.matching(key) {
            matching.push(rule);
            matched.0.insert(index);
        }
        resolve(key, facts, &matching)
    }

    fn matching(&self, key: &str) -> impl Iterator<Item = (usize, &HeaderRule)> {
        let rules = self.rules.iter().enumerate();
        let matching = rules.filter(move |(_, rule)| rule.globs.matches(key));
        matching.map(|(index, rule)| (index, &rule.rule))
    }

    /// Returns each header of [`Self::headers_for`] with where it comes from, the last word on each alone.
    pub fn explain(&self, key: &str, facts: &ObjectFacts<'_>) -> Vec<HeaderExplanation> {
        let served = self.headers_for(key, facts, &mut MatchedRules::default());
        let preset = facts.preset(key, served.fingerprinted);
        let cache_control = preset.cache_control().unwrap_or_default();
        let fingerprinted = (yes(facts.name.is_fingerprinted()), facts.name.to_string());
        let defaults: [(&str, &str, Cow<'static, str>); 4] = [
            (CACHE_CONTROL, cache_control, preset.name().into()),
            ("content-type", facts.content_type, "type by name".into()),
            ("fingerprinted", fingerprinted.0, fingerprinted.1.into()),
            ("page", yes(served.page), "by content-type".into()),
        ];
        let defaults = defaults.into_iter().map(|(header, value, name)| {
            (
                header.into(),
                (value.to_owned(), HeaderSource::Default(name)),
            )
        });
        let mut last: BTreeMap<Cow<'static, str>, (String, HeaderSource)> = defaults.collect();
        let mut spared = None;
        for (index, rule) in self.matching(key) {
            for (header, value) in said(rule) {
                if header == CACHE_CONTROL {
                    let is_heeded = keeps(rule, preset, key);
                    spared = Some(index).filter(|_| !is_heeded);
                    if !is_heeded {
                        continue;
                    }
                }
                last.insert(header, (value, HeaderSource::Rule(index)));
            }
        }
        let explained = last
            .into_iter()
            .map(|(header, (value, source))| HeaderExplanation {
                spared: spared.filter(|_| header == CACHE_CONTROL),
                header,
                value: Some(value).filter(|value| !value.is_empty()),
                source,
            });
        explained.collect()
    }
}

impl CompiledRule {
    fn compile(mut rule: HeaderRule) -> Result<Self, FieldProblem<HeaderProblem>> {
        let globs = compile_globs(&rule.patterns).map_err(|problem| ("match", problem))?;
        check(&mut rule)?;
        if let Some(preset) = rule.preset.as_deref().and_then(Preset::from_name) {
            // An empty text removes the header.
            rule.cache_control = Some(preset.cache_control().unwrap_or_default().to_owned());
        }
        Ok(Self { globs, rule })
    }
}

/// Goes through the defaults and the matching rules in turn.
fn resolve<'a>(
    key: &str,
    facts: &ObjectFacts<'_>,
    matching: &[&'a HeaderRule],
) -> RuledHeaders<'a> {
    let last =
        |said: fn(&HeaderRule) -> Option<bool>| (matching.iter().rev()).find_map(|rule| said(rule));
    let fingerprinted =
        last(|rule| rule.fingerprinted).unwrap_or_else(|| facts.name.is_fingerprinted());
    let preset = facts.preset(key, fingerprinted);
    let mut headers = Headers {
        content_type: Some(facts.content_type.to_owned()),
        ..Headers::default()
    };
    for rule in matching {
        apply(rule, &mut headers);
    }
    let mut keeping = matching
        .iter()
        .rev()
        .filter(|rule| keeps(rule, preset, key));
    let cache_control = keeping.find_map(|rule| rule.cache_control.as_deref());
    let cache_control = cache_control.or(preset.cache_control());
    headers.cache_control = cache_control
        .filter(|value| !value.is_empty())
        .map(str::to_owned);
    let by_type = || headers.content_type.as_deref().is_some_and(is_page);
    let compress = (matching.iter().rev()).find_map(|rule| rule.compress.as_deref());
    RuledHeaders {
        fingerprinted,
        page: last(|rule| rule.page).unwrap_or_else(by_type),
        compress: compress.unwrap_or_default(),
        headers,
    }
}

/// Tells whether a rule says how long a key is kept. Copies of error documents sit under URLs that nobody can list, so that a
/// rule for many keys leaves theirs alone.
fn keeps(rule: &HeaderRule, preset: Preset, key: &str) -> bool {
    preset != Preset::Error || rule.names(key)
}

/// Sets the headers that a rule names, and removes those that it empties.
fn apply(rule: &HeaderRule, headers: &mut Headers) {
    let slots = [
        &mut headers.cache_control,
        &mut headers.content_type,
        &mut headers.content_disposition,
        &mut headers.content_language,
        &mut headers.content_encoding,
        &mut headers.storage_class,
    ];
    for ((_, said), slot) in rule.fields().into_iter().zip(slots) {
        if let Some(value) = said {
            *slot = (!value.is_empty()).then(|| value.to_owned());
        }
    }
    headers.metadata.extend(rule.metadata.clone());
    headers.metadata.retain(|_, value| !value.is_empty());
    headers.tags.extend(rule.tags.clone());
}

/// Returns all that a rule says, as deploy.toml names it; an empty text is for what it removes.
fn said(rule: &HeaderRule) -> Vec<(Cow<'static, str>, String)> {
    let fields = rule.fields().into_iter();
    let mut said: Vec<(Cow<'static, str>, String)> = fields
        .filter_map(|(name, value)| Some((name.into(), value?.to_owned())))
        .collect();
    for (group, values) in [("metadata", &rule.metadata), ("tags", &rule.tags)] {
        let named =
            |(name, value): (&String, &String)| (format!("{group}.{name}").into(), value.clone());
        said.extend(values.iter().map(named));
    }
    if let Some(encodings) = &rule.compress {
        let names: Vec<_> = encodings.iter().map(|encoding| encoding.name()).collect();
        said.push(("compress".into(), names.join(", ")));
    }
    for (name, is) in [("fingerprinted", rule.fingerprinted), ("page", rule.page)] {
        said.extend(is.map(|is| (name.into(), yes(is).to_owned())));
    }
    said
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

#[cfg(test)]
mod tests;
