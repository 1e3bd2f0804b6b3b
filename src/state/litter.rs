//! Files that the state does not name: swept once they are so old that nobody writes them any more.

use std::collections::HashSet;

use super::object::{NAME, StateObject};
use super::{StateError, StateStore, document, history, kept, manifest};
use crate::aws::list::ListedObject;
use crate::aws::s3::MAX_DELETES;
use crate::object::KeptName;

/// Seconds for which a file that nobody names is left alone: it may be about to be named, or being read.
const LEFT_ALONE: i64 = 86_400;

impl StateStore {
    /// Tells whether a key is the state's, or named as its files are: nothing else that lies there is ours.
    pub fn is_own(&self, key: &str) -> bool {
        key.strip_prefix(&self.root) == Some(NAME) || self.is_file(key)
    }

    fn is_file(&self, key: &str) -> bool {
        let name = key.strip_prefix(&self.root).unwrap_or_default();
        if let Some(copy) = name.strip_prefix(kept::FOLDER) {
            return KeptName::read(copy).is_some();
        }
        let folders = [document::FOLDER, manifest::FOLDER, history::FOLDER];
        let file = folders.iter().find_map(|folder| name.strip_prefix(folder));
        file.is_some_and(|file| {
            let numbered = file.split_once('-').is_some_and(|(number, _)| {
                number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit())
            });
            numbered || file.len() == 32 && file.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    }

    /// Deletes the files among these that are old, and neither named by the state nor kept copies in use. `now`: unix seconds by
    /// the server's clock.
    pub async fn sweep(
        &self,
        state: &StateObject,
        kept: impl Iterator<Item = &KeptName>,
        files: &[ListedObject],
        now: i64,
    ) -> Result<(), StateError> {
        let mut named: HashSet<String> = state.names().map(|name| self.key(&name)).collect();
        named.extend(kept.map(|name| self.kept_key(name)));
        let litter = files.iter().filter(|file| {
            let old = file
                .modified
                .is_some_and(|modified| now - modified > LEFT_ALONE);
            old && self.is_file(&file.key) && !named.contains(&*file.key)
        });
        let litter: Vec<_> = litter.map(|file| (file.key.to_string(), None)).collect();
        for chunk in litter.chunks(MAX_DELETES) {
            self.bucket.delete_many(chunk).await?;
        }
        Ok(())
    }
}
