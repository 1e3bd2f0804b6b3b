//! MD5 digests, which most ETags are, written as 32 hex digits.

use std::fmt;

use md5::Digest;
use serde::{Deserialize, Serialize};

/// The MD5 of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Md5(pub [u8; 16]);

impl Md5 {
    /// Hashes bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(md5::Md5::digest(bytes).into())
    }

    /// Reads 32 hex digits.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let number = u128::from_str_radix(text, 16).ok()?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for Md5 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Md5 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl From<Md5> for String {
    fn from(digest: Md5) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Md5 {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::from_hex(&text).ok_or("not 32 hex digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back() {
        let empty = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(Md5::of("").to_string(), empty);
        assert_eq!(Md5::from_hex(empty), Some(Md5::of("")));
        for bad in ["", "+41d8cd98f00b204e9800998ecf8427e", &empty[1..]] {
            assert_eq!(Md5::from_hex(bad), None, "{bad}");
        }
    }
}
