//! Names of kept copies: what an object was, kept for `rollback`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{HeaderFingerprint, Md5};

/// The name of a kept copy, which says its content and its headers: what is alike is kept once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeptName(String);

impl KeptName {
    /// `content`: its MD5, or [`ETag::stand_in`](super::ETag::stand_in).
    pub fn new(content: Md5, headers: HeaderFingerprint) -> Self {
        Self(format!("{content}-{headers}"))
    }

    /// Reads a name, where it is one.
    pub fn read(text: &str) -> Option<Self> {
        let (content, headers) = text.split_once('-')?;
        let content = Md5::from_hex(content)?;
        let headers = HeaderFingerprint(u64::from_str_radix(headers, 16).ok()?);
        Some(Self::new(content, headers)).filter(|name| name.0 == text)
    }
}

impl fmt::Display for KeptName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_and_nothing_else_does() {
        let name = KeptName::new(Md5([0xab; 16]), HeaderFingerprint(7));
        let text = name.to_string();
        assert_eq!(text, format!("{}-0000000000000007", "ab".repeat(16)));
        assert_eq!(KeptName::read(&text), Some(name));
        for other in [&text[1..], &text[..48], &text.to_uppercase(), "README", ""] {
            assert_eq!(KeptName::read(other), None, "{other}");
        }
    }
}
