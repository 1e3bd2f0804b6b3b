//! Checks the cache tags that a rule sets by itself, beside those that `tags = true` sets.

use crate::object::tags::{MAX_TAG, MAX_TAGS, METADATA};
use crate::object::{Headers, TagClass};

/// A fault in the tags that a rule sets by itself.
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
    // An object of an earlier deploy may have none.
    let Some(value) = headers.metadata.get(METADATA) else {
        return Ok(());
    };
    let tags: Vec<&str> = value.split(',').map(str::trim).collect();
    if tags.len() > MAX_TAGS {
        return Err(TagError::TooMany { count: tags.len() });
    }
    let is_allowed = |tag: &str| {
        (1..=MAX_TAG).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if let Some(tag) = tags.iter().find(|tag| !is_allowed(tag)) {
        let tag = (*tag).to_owned();
        return Err(TagError::Refused { tag });
    }
    let is_sort = |tag: &&str| {
        [TagClass::Page, TagClass::Asset]
            .iter()
            .any(|sort| tag.eq_ignore_ascii_case(sort.tag()))
    };
    let mut sorts = tags.into_iter().filter(is_sort);
    // The object's own sort is the one that may be there.
    match (sorts.next(), sorts.next()) {
        (Some(tag), Some(_)) => Err(TagError::Taken {
            tag: tag.to_owned(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::tags;

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
            tags::add(&mut headers, "a", TagClass::Page);
            assert_eq!(check(&headers).is_ok(), fine, "{own}");
        }
        assert_eq!(
            check(&Headers::default()),
            Ok(()),
            "of a deploy before tags"
        );
    }
}
