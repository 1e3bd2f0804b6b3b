//! Cache tags: what an object is tagged with, so that it can be purged under every URL at once (CloudFront Developer Guide,
//! "Invalidate by cache tags").

use md5::{Digest, Md5};

/// CloudFront's limits: characters of a tag, and tags of an object.
pub const MAX_TAG: usize = 256;
pub const MAX_TAGS: usize = 50;

/// How many folders above an object it is tagged with, from the root down: S3's 2 KB of metadata hold them with room to spare.
pub const MAX_FOLDERS: usize = 8;

/// What sort of object it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    Page,
    Asset,
}

impl Sort {
    /// The tag that all objects of this sort carry.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Asset => "asset",
        }
    }
}

/// The tag of a key alone: 26 characters that no other key has, in lower case, since tags are told apart without regard to case.
pub fn key_tag(key: &str) -> String {
    named("k-", key)
}

/// The tag of all that lies beneath a folder, with or without its last `/`, and of that sort.
pub fn folder_tag(folder: &str, sort: Sort) -> String {
    let prefix = format!("{}-", sort.tag());
    named(&prefix, folder.trim_end_matches('/'))
}

/// All tags of an object: its own, its sort's, and its folders' from the root down.
pub fn tags(key: &str, sort: Sort) -> Vec<String> {
    let folders = key.match_indices('/').take(MAX_FOLDERS);
    let folders = folders.filter_map(|(at, _)| Some(folder_tag(key.get(..at)?, sort)));
    let own = [key_tag(key), sort.tag().to_owned()];
    own.into_iter().chain(folders).collect()
}

/// The value of the object's `cache-tag` metadata.
pub fn metadata(tags: &[String]) -> String {
    tags.join(",")
}

/// An item of an invalidation that purges a tag.
pub fn invalidation_item(tag: &str) -> String {
    format!("#{tag}")
}

/// All 128 bits of the MD5, five a character.
fn named(prefix: &str, name: &str) -> String {
    const DIGITS: [char; 32] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r',
        's', 't', 'u', 'v', 'w', 'x', 'y', 'z', '2', '3', '4', '5', '6', '7',
    ];
    let digest: [u8; 16] = Md5::digest(name).into();
    let bits = u128::from_be_bytes(digest);
    let digits = (0..26).filter_map(|at| DIGITS.get((bits >> (at * 5)) as usize & 31));
    prefix.chars().chain(digits.copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn tags_keep_the_limits() {
        for key in ["a".to_owned(), "é/~b*,c d".to_owned(), "a/".repeat(512)] {
            let found = tags(&key, Sort::Page);
            assert!(found.len() <= MAX_TAGS && metadata(&found).len() < 1024);
            for tag in &found {
                assert!(tag.len() <= MAX_TAG);
                assert!(
                    tag.bytes()
                        .all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7' | b'-'))
                );
            }
            assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len());
        }
    }

    #[test]
    fn keys_that_differ_have_different_tags() {
        let keys = ["a", "A", "a/", "b", "page", "", "é", "e\u{301}"];
        let found: HashSet<String> = keys.iter().map(|key| key_tag(key)).collect();
        assert_eq!(found.len(), keys.len());
        assert_ne!(folder_tag("a", Sort::Page), folder_tag("a", Sort::Asset));
        assert_eq!(folder_tag("a/", Sort::Page), folder_tag("a", Sort::Page));
        assert_eq!(
            tags("x/y/z", Sort::Asset).get(2),
            Some(&folder_tag("x", Sort::Asset))
        );
    }
}
