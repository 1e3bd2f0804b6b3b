//! A header rule as deploy.toml and `_headers` write it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::unserved::{HeaderScope, UnkeptHeader};
use crate::object::encoding::Encoding;
use crate::object::key::file_name;

/// One `[[headers]]` table of deploy.toml. What is absent is left to earlier rules and defaults; an empty text removes a
/// header that they set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HeaderRule {
    /// Globs on keys as in a `.gitignore`: `*.html` anywhere, `/index.html` at the root alone, `posts/` a folder, `!` for
    /// what an earlier glob of the same rule took too much. One string or a list.
    #[serde(rename = "match", deserialize_with = "super::globs::one_or_many")]
    pub patterns: Vec<String>,
    /// A [`Preset`](super::presets::Preset) by name, in place of `cache-control`.
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
    /// Headers that S3 does not keep, by their names.
    #[serde(default)]
    pub others: BTreeMap<String, String>,
    /// The encodings to store it in, the best first; empty: as it is.
    #[serde(default)]
    pub compress: Option<Vec<Encoding>>,
    /// The name holds a hash of the content, where that cannot be seen, or only seems so.
    #[serde(default)]
    pub fingerprinted: Option<bool>,
    /// It goes live with the pages, after all assets.
    #[serde(default)]
    pub page: Option<bool>,
}

impl HeaderRule {
    /// Makes a rule for these globs that sets nothing.
    pub(super) fn empty(patterns: Vec<String>) -> Self {
        Self {
            patterns,
            ..Self::default()
        }
    }

    /// Returns the headers that S3 does not keep.
    pub fn unkept(&self) -> impl Iterator<Item = UnkeptHeader> + '_ {
        self.others.iter().map(|(name, value)| UnkeptHeader {
            scope: HeaderScope::Globs(self.patterns.clone()),
            name: name.clone(),
            value: value.clone(),
        })
    }

    /// Tells whether it is for a key by name, and not for many among which that is: one of its globs ends in the file's name.
    pub(super) fn names(&self, key: &str) -> bool {
        let is_name = |glob: &String| file_name(glob).replace('\\', "") == file_name(key);
        let mut globs = self.patterns.iter().filter(|glob| !glob.starts_with('!'));
        globs.any(is_name)
    }

    /// Tells whether it sets nothing.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::empty(self.patterns.clone())
    }

    /// Returns the headers of one value as deploy.toml names them, and what the rule says of each.
    pub(super) fn fields(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("cache-control", self.cache_control.as_deref()),
            ("content-type", self.content_type.as_deref()),
            ("content-disposition", self.content_disposition.as_deref()),
            ("content-language", self.content_language.as_deref()),
            ("content-encoding", self.content_encoding.as_deref()),
            ("storage-class", self.storage_class.as_deref()),
        ]
    }
}
