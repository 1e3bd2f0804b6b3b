//! Cache tags, by which an object can be purged under every URL at once (CloudFront Developer Guide, "Invalidate by cache
//! tags").

use md5::Digest;
use serde::{Deserialize, Serialize};

use super::Headers;

/// The name of the metadata that holds an object's tags, and of the header that CloudFront is to read them from.
pub const METADATA: &str = "cache-tag";
pub const HEADER: &str = "x-amz-meta-cache-tag";

/// CloudFront's limits: characters of a tag, and tags of an object.
pub const MAX_TAG: usize = 256;
pub const MAX_TAGS: usize = 50;

/// The most folders above an object that it is tagged with, from the root down: S3's 2 KB of metadata hold them with room to spare.
const MAX_FOLDERS: usize = 8;

/// The two sorts of objects that are purged by a tag each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagClass {
    Page,
    Asset,
}

impl TagClass {
    pub fn of(page: bool) -> Self {
        if page { Self::Page } else { Self::Asset }
    }

    /// Returns the tag that all objects of this sort carry.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Asset => "asset",
        }
    }
}

/// Returns the tag of a key alone: 26 characters that no other key has, in lower case, since tags are told apart without regard to case.
pub fn key_tag(key: &str) -> String {
    named("k-", key)
}

/// Returns the tag of all that lies beneath a folder, with or without its last `/`, and of that sort.
pub fn folder_tag(folder: &str, sort: TagClass) -> String {
    let prefix = format!("{}-", sort.tag());
    named(&prefix, folder.trim_end_matches('/'))
}

/// Returns the folders by which a key is tagged, from the root down, without their last `/`.
pub fn folders(key: &str) -> impl Iterator<Item = &str> {
    let slashes = key.match_indices('/').take(MAX_FOLDERS);
    slashes.map(|(slash, _)| key.split_at(slash).0)
}

/// Returns all tags of an object: its own, its sort's, and its folders' from the root down.
pub fn tags(key: &str, sort: TagClass) -> Vec<String> {
    let own = [key_tag(key), sort.tag().to_owned()];
    let folders = folders(key).map(|folder| folder_tag(folder, sort));
    own.into_iter().chain(folders).collect()
}

/// Gives an object its tags, behind those that a rule gave it.
pub fn add(headers: &mut Headers, key: &str, sort: TagClass) {
    let value = headers.metadata.entry(METADATA.to_owned()).or_default();
    for tag in tags(key, sort) {
        if !value.is_empty() {
            value.push(',');
        }
        value.push_str(&tag);
    }
}

/// Returns the sort by which an object is tagged, or `None` where it does not carry its own tags.
pub fn sort_of(key: &str, headers: &Headers) -> Option<TagClass> {
    let value = headers.metadata.get(METADATA)?;
    let has = |tag: &String| value.split(',').any(|carried| carried.trim() == tag);
    let mut sorts = [TagClass::Page, TagClass::Asset].into_iter();
    sorts.find(|sort| tags(key, *sort).iter().all(has))
}

/// Returns the item of an invalidation that purges a tag.
pub fn invalidation_item(tag: &str) -> String {
    format!("#{tag}")
}

/// Writes all 128 bits of the MD5, five a character: `a` to `z`, then `2` to `7`.
fn named(prefix: &str, name: &str) -> String {
    let bits = u128::from_be_bytes(md5::Md5::digest(name).into());
    let digits = (0..26).map(|place| match (bits >> (place * 5)) as u8 & 31 {
        letter @ 0..26 => b'a' + letter,
        digit => b'2' + (digit - 26),
    });
    prefix.chars().chain(digits.map(char::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn tags_keep_the_limits() {
        for key in ["a".to_owned(), "é/~b*,c d".to_owned(), "a/".repeat(512)] {
            let tags = tags(&key, TagClass::Page);
            assert!(tags.len() <= MAX_TAGS && tags.join(",").len() < 1024);
            for tag in &tags {
                assert!(tag.len() <= MAX_TAG);
                assert!(
                    tag.bytes()
                        .all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7' | b'-'))
                );
            }
            assert_eq!(tags.iter().collect::<HashSet<_>>().len(), tags.len());
        }
    }

    #[test]
    fn keys_that_differ_have_different_tags() {
        let keys = ["a", "A", "a/", "b", "page", "", "é", "e\u{301}"];
        let tagged: HashSet<String> = keys.iter().map(|key| key_tag(key)).collect();
        assert_eq!(tagged.len(), keys.len());
        assert_ne!(
            folder_tag("a", TagClass::Page),
            folder_tag("a", TagClass::Asset)
        );
        assert_eq!(
            folder_tag("a/", TagClass::Page),
            folder_tag("a", TagClass::Page)
        );
        assert_eq!(
            tags("x/y/z", TagClass::Asset).get(2),
            Some(&folder_tag("x", TagClass::Asset))
        );
    }

    #[test]
    fn an_object_tells_what_it_carries() {
        for sort in [TagClass::Page, TagClass::Asset] {
            let mut headers = Headers::default();
            assert_eq!(sort_of("a/b", &headers), None);
            headers.metadata.insert(METADATA.into(), "mine".into());
            assert_eq!(sort_of("a/b", &headers), None);
            add(&mut headers, "a/b", sort);
            assert!(headers.metadata[METADATA].starts_with("mine,k-"));
            assert_eq!(sort_of("a/b", &headers), Some(sort));
            assert_eq!(sort_of("a/c", &headers), None);
            assert_eq!(sort_of("b/b", &headers), None);
        }
    }
}
