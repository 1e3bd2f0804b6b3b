//! ETags and the MD5 digests that most of them are.

use std::fmt;

use md5::{Digest, Md5 as Hasher};

/// The MD5 of an object's whole content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Md5(pub [u8; 16]);

/// The text by which S3 identifies an object's content, without its quotes.
///
/// It is the MD5 of the body for PUT and CopyObject with plaintext or SSE-S3 (Amazon S3 API Reference, "Object"), the MD5 of
/// the parts' MD5s and their count for a multipart upload, and otherwise says nothing of the content.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ETag {
    /// 32 hex digits: an MD5, unless the object is encrypted by KMS or a customer's key.
    Md5(Md5),
    /// `MD5-N`: N parts.
    Multipart(Md5, u32),
    /// Anything else, kept as it came.
    Other(Box<str>),
}

impl Md5 {
    /// Of no bytes.
    pub const EMPTY: Self = Self(0xd41d_8cd9_8f00_b204_e980_0998_ecf8_427e_u128.to_be_bytes());

    /// Reads 32 hex digits of either case.
    pub fn from_hex(text: &str) -> Option<Self> {
        let is_digest = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bits = u128::from_str_radix(text, 16).ok().filter(|_| is_digest)?;
        Some(Self(bits.to_be_bytes()))
    }
}

impl fmt::Display for Md5 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Md5 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl ETag {
    /// Reads an ETag with or without its quotes.
    pub fn parse(text: &str) -> Self {
        let bare = text.trim_matches('"');
        let lower_hex = |hex: &str| !hex.bytes().any(|byte| byte.is_ascii_uppercase());
        if let Some(digest) = Md5::from_hex(bare).filter(|_| lower_hex(bare)) {
            return Self::Md5(digest);
        }
        if let Some((hex, parts)) = bare.split_once('-')
            && let (Some(digest), Ok(count)) = (Md5::from_hex(hex), parts.parse::<u32>())
            && lower_hex(hex)
            && count.to_string() == parts
        {
            return Self::Multipart(digest, count);
        }
        Self::Other(bare.into())
    }

    /// Returns the MD5 that it is, where it looks like one.
    pub fn md5(&self) -> Option<Md5> {
        match self {
            Self::Md5(digest) => Some(*digest),
            Self::Multipart(..) | Self::Other(_) => None,
        }
    }

    /// Returns a digest that no content has, in place of that of a content which nobody knows.
    pub fn stand_in(&self) -> Md5 {
        Md5(Hasher::digest(format!("of {self}")).into())
    }

    /// Returns it as headers such as If-Match want it.
    pub fn quoted(&self) -> String {
        format!("\"{self}\"")
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Md5(digest) => digest.fmt(out),
            Self::Multipart(digest, parts) => write!(out, "{digest}-{parts}"),
            Self::Other(text) => out.write_str(text),
        }
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

macro_rules! serde_as_text {
    ($type:ty, $parse:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str>>::deserialize(input)?;
                let parsed: Option<Self> = $parse(text.as_ref());
                parsed.ok_or_else(|| {
                    serde::de::Error::custom(format!("not a {}: {text:?}", stringify!($type)))
                })
            }
        }
    };
}

serde_as_text!(Md5, Md5::from_hex);
serde_as_text!(ETag, |text| Some(ETag::parse(text)));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_reads_back_as_it_was_written() {
        let digest = "d41d8cd98f00b204e9800998ecf8427e";
        for text in [
            digest,
            &format!("{digest}-3"),
            &format!("{digest}-03"),
            "abc",
            "",
            &digest.to_uppercase(),
        ] {
            assert_eq!(ETag::parse(text).to_string(), text);
            assert_eq!(ETag::parse(&format!("\"{text}\"")), ETag::parse(text));
        }
        assert!(matches!(ETag::parse(digest), ETag::Md5(_)));
        assert!(matches!(
            ETag::parse(&format!("{digest}-3")),
            ETag::Multipart(_, 3)
        ));
        assert!(matches!(
            ETag::parse(&format!("{digest}-03")),
            ETag::Other(_)
        ));
    }
}
