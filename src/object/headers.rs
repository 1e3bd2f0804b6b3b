//! Headers: all that an object is served with besides its body.

use std::collections::BTreeMap;
use std::fmt;

use md5::Digest;
use serde::{Deserialize, Serialize};

/// The headers that S3 keeps beside an object's body and sends with it. `None` and empty mean: not set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Headers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `x-amz-website-redirect-location`: heeded by website endpoints alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// `x-amz-meta-*`, by name in lower case.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// As S3 names it; `None` is STANDARD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Object tags, which no viewer sees.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Tells two sets of headers apart: 64 bits of an MD5 over their canonical form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HeaderFingerprint(#[serde(with = "hex")] pub u64);

impl Headers {
    /// Returns the fingerprint of all that an upload sets.
    pub fn fingerprint(&self) -> HeaderFingerprint {
        let mut hasher = md5::Md5::new();
        let mut field = |name: &str, value: &str| {
            for text in [name, value] {
                hasher.update((text.len() as u64).to_le_bytes());
                hasher.update(text);
            }
        };
        for (name, value) in [
            ("cache-control", &self.cache_control),
            ("content-type", &self.content_type),
            ("content-disposition", &self.content_disposition),
            ("content-language", &self.content_language),
            ("content-encoding", &self.content_encoding),
            ("redirect", &self.redirect),
            ("storage-class", &self.storage_class),
        ] {
            if let Some(value) = value {
                field(name, value);
            }
        }
        for (name, value) in &self.metadata {
            field(&format!("meta:{name}"), value);
        }
        for (name, value) in &self.tags {
            field(&format!("tag:{name}"), value);
        }
        let digest: [u8; 16] = hasher.finalize().into();
        let (head, _) = digest.split_at(8);
        HeaderFingerprint(head.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for HeaderFingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

impl fmt::Debug for HeaderFingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Returns the type that a Content-Type names, without parameters such as the charset; in the case that it was written in.
pub fn essence(content_type: &str) -> &str {
    let (essence, _) = content_type.split_once(';').unwrap_or((content_type, ""));
    essence.trim()
}

/// 64 bits as JSON cannot lose them: 16 hex digits.
pub(super) mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(value: &u64, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&format_args!("{value:016x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(input)?;
        u64::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_counts() {
        let text = || Some("x".to_owned());
        let pair = || BTreeMap::from([("x".to_owned(), "x".to_owned())]);
        let sets = [
            Headers::default(),
            Headers {
                cache_control: text(),
                ..Headers::default()
            },
            Headers {
                content_type: text(),
                ..Headers::default()
            },
            Headers {
                content_disposition: text(),
                ..Headers::default()
            },
            Headers {
                content_language: text(),
                ..Headers::default()
            },
            Headers {
                content_encoding: text(),
                ..Headers::default()
            },
            Headers {
                redirect: text(),
                ..Headers::default()
            },
            Headers {
                storage_class: text(),
                ..Headers::default()
            },
            Headers {
                metadata: pair(),
                ..Headers::default()
            },
            Headers {
                tags: pair(),
                ..Headers::default()
            },
        ];
        for (index, headers) in sets.iter().enumerate() {
            for other in &sets[index + 1..] {
                assert_ne!(
                    headers.fingerprint(),
                    other.fingerprint(),
                    "{headers:?} {other:?}"
                );
            }
        }
    }
}
