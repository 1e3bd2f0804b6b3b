//! Keys: the names of objects, relative to the site's prefix.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The most bytes that S3 takes in a key (S3 User Guide, "Naming Amazon S3 objects").
pub const MAX_KEY_BYTES: usize = 1024;

/// The folder of a site's state: what has it anywhere in its key belongs to the deploys of some site.
pub const STATE_FOLDER: &str = ".unstale";

/// Returns where a site's state is kept, unless it has a place of its own.
pub fn state_root(prefix: &str) -> String {
    format!("{prefix}{STATE_FOLDER}/")
}

/// A key: UTF-8, `/` between folders, compared by its bytes as S3 sorts them. Relative to the site's prefix wherever it
/// stands for an object of the site. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Arc<str>);

impl Key {
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what follows the last `.` of the file name, unless that dot begins it; as written, not folded.
    pub fn extension(&self) -> Option<&str> {
        let (stem, extension) = file_name(&self.0).rsplit_once('.')?;
        (!stem.is_empty()).then_some(extension)
    }
}

/// Returns what follows the last `/` of a key or path.
pub fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Tells whether a key is of the state of some site, which nobody writes over or takes over.
pub fn is_state(key: &str) -> bool {
    key.split('/').any(|segment| segment == STATE_FOLDER)
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, out)
    }
}

impl std::borrow::Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_what_follows_the_last_dot_of_the_name() {
        for (key, extension) in [
            ("a/b.html", Some("html")),
            ("a.b/c", None),
            (".htaccess", None),
            ("x.tar.gz", Some("gz")),
            ("x.", Some("")),
            ("dir/", None),
        ] {
            assert_eq!(Key::new(key).extension(), extension, "{key}");
        }
    }

    #[test]
    fn keys_sort_by_their_bytes() {
        let mut keys = ["a/b", "a.html", "a", "é", "z"].map(Key::new);
        keys.sort();
        assert_eq!(
            keys.map(|key| key.to_string()),
            ["a", "a.html", "a/b", "z", "é"]
        );
    }
}
