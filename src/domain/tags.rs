//! Cache tags: what an object is tagged with, so that it can be purged under every URL at once (CloudFront Developer Guide,
//! "Invalidate by cache tags").

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::Headers;

/// The name of the metadata that holds an object's tags, and of the header that CloudFront is to read them from.
pub const METADATA: &str = "cache-tag";
pub const HEADER: &str = "x-amz-meta-cache-tag";

/// CloudFront's limits: characters of a tag, and tags of an object.
pub const MAX_TAG: usize = 256;
pub const MAX_TAGS: usize = 50;

/// How many folders above an object it is tagged with, from the root down: S3's 2 KB of metadata hold them with room to spare.
pub const MAX_FOLDERS: usize = 8;

/// What sort of object it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    Page,
    Asset,
}

impl Sort {
    pub fn of(page: bool) -> Self {
        if page { Self::Page } else { Self::Asset }
    }

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

/// The folders by which a key is tagged, from the root down, without their last `/`.
pub fn folders(key: &str) -> impl Iterator<Item = &str> {
    let slashes = key.match_indices('/').take(MAX_FOLDERS);
    slashes.filter_map(|(at, _)| key.get(..at))
}

/// All tags of an object: its own, its sort's, and its folders' from the root down.
pub fn tags(key: &str, sort: Sort) -> Vec<String> {
    let own = [key_tag(key), sort.tag().to_owned()];
    let folders = folders(key).map(|folder| folder_tag(folder, sort));
    own.into_iter().chain(folders).collect()
}

/// Gives an object its tags, behind those that a rule gave it.
pub fn add(headers: &mut Headers, key: &str, sort: Sort) {
    let value = headers.metadata.entry(METADATA.to_owned()).or_default();
    for tag in tags(key, sort) {
        if !value.is_empty() {
            value.push(',');
        }
        value.push_str(&tag);
    }
}

/// The sort by which an object is tagged; none where it does not carry its own tags.
pub fn sort_of(key: &str, headers: &Headers) -> Option<Sort> {
    let value = headers.metadata.get(METADATA)?;
    let has = |tag: &str| value.split(',').any(|known| known.trim() == tag);
    let sorts = [Sort::Page, Sort::Asset].into_iter();
    let mut sorts = sorts.filter(|sort| tags(key, *sort).iter().all(|tag| has(tag)));
    sorts.next()
}

/// What is wrong with the tags that a rule sets by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    #[error(
        "CloudFront takes no cache tag {tag:?}: a tag has 1 to {MAX_TAG} characters of ASCII without spaces, and commas stand between tags"
    )]
    Refused { tag: String },
    #[error("the cache tag {tag:?} is one that `tags = true` sets itself; name it otherwise")]
    Taken { tag: String },
    #[error(
        "it makes {count} cache tags with those that `tags = true` sets, and CloudFront takes {MAX_TAGS} of an object; leave some out"
    )]
    TooMany { count: usize },
}

/// Checks the tags of an object that has been given its own: those before them are a rule's.
///
/// # Errors
/// Where CloudFront would not take them, or could not tell them from ours (Developer Guide, "Specify cache tags").
pub fn check(headers: &Headers) -> Result<(), TagError> {
    let value = headers.metadata.get(METADATA).map(String::as_str);
    let all: Vec<&str> = value
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .collect();
    if all.len() > MAX_TAGS {
        return Err(TagError::TooMany { count: all.len() });
    }
    let allowed = |tag: &str| {
        (1..=MAX_TAG).contains(&tag.len()) && tag.bytes().all(|byte| (33..=126).contains(&byte))
    };
    let owned = |tag: &&str| {
        let sort = |sort: Sort| tag.eq_ignore_ascii_case(sort.tag());
        sort(Sort::Page) || sort(Sort::Asset)
    };
    if let Some(tag) = all.iter().find(|tag| !allowed(tag)) {
        let tag = (*tag).to_owned();
        return Err(TagError::Refused { tag });
    }
    // Its own sort's is the one that may be there.
    match all.iter().filter(|tag| owned(tag)).count() {
        0 | 1 => Ok(()),
        _ => Err(TagError::Taken {
            tag: all.iter().find(|tag| owned(tag)).unwrap_or(&"").to_string(),
        }),
    }
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
            assert!(found.len() <= MAX_TAGS && found.join(",").len() < 1024);
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

    #[test]
    fn an_object_tells_what_it_carries() {
        for sort in [Sort::Page, Sort::Asset] {
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

    #[test]
    fn tags_of_rules_are_checked() {
        let many = vec!["x"; 48].join(",");
        for (own, fine) in [
            ("", true),
            ("mine, yours", true),
            ("k-mine", true),
            ("a b", false),
            ("a,,b", false),
            ("é", false),
            ("Asset", false),
            ("page", false),
            (&"x".repeat(256), true),
            (&"x".repeat(257), false),
            (&many, true),
            (&format!("x,{many}"), false),
        ] {
            let mut headers = Headers::default();
            if !own.is_empty() {
                headers.metadata.insert(METADATA.into(), own.into());
            }
            add(&mut headers, "a", Sort::Page);
            assert_eq!(check(&headers).is_ok(), fine, "{own}");
        }
    }
}
