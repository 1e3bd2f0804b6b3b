//! The manifest's entries: a sorted table, since most runs only read it and a million of them have to fit in memory.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::slice;

use super::Key;
use super::entry::ManifestEntry;

/// Entries by key, sorted; each key once.
#[derive(Clone, Debug, Default)]
pub struct ManifestEntries(Vec<(Key, ManifestEntry)>);

type Iter<'a> = std::iter::Map<
    slice::Iter<'a, (Key, ManifestEntry)>,
    fn(&(Key, ManifestEntry)) -> (&Key, &ManifestEntry),
>;

impl ManifestEntries {
    /// Makes an empty table with room for so many.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> Iter<'_> {
        self.0.iter().map(|(key, entry)| (key, entry))
    }

    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Key> + Clone {
        self.0.iter().map(|(key, _)| key)
    }

    pub fn get<K: Borrow<str> + ?Sized>(&self, key: &K) -> Option<&ManifestEntry> {
        let index = self.position(key.borrow()).ok()?;
        self.0.get(index).map(|(_, entry)| entry)
    }

    /// Inserts or replaces an entry. Quick at the end, slow elsewhere: many belong into one [`ManifestEntries::apply`].
    pub fn insert(&mut self, key: Key, entry: ManifestEntry) {
        if self.0.last().is_none_or(|(last, _)| *last < key) {
            return self.0.push((key, entry));
        }
        match self.position(key.as_str()) {
            Ok(index) => self.0[index].1 = entry,
            Err(index) => self.0.insert(index, (key, entry)),
        }
    }

    /// Puts the entries, and removes those of `None`. Each key must come once, in any order.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = (Key, Option<ManifestEntry>)>) {
        let mut added = Vec::new();
        let mut removed = HashSet::new();
        for (key, change) in changes {
            match (self.position(key.as_str()), change) {
                (Ok(index), Some(entry)) => self.0[index].1 = entry,
                (Ok(_), None) => drop(removed.insert(key)),
                (Err(_), Some(entry)) => added.push((key, entry)),
                (Err(_), None) => {}
            }
        }
        if !removed.is_empty() {
            self.0.retain(|(key, _)| !removed.contains(key));
        }
        if self.0.is_empty() {
            self.0 = added;
        } else {
            self.0.append(&mut added);
        }
        // Two runs at most, which a stable sort merges.
        self.0.sort_by(|(key, _), (other, _)| key.cmp(other));
    }

    fn position(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(own, _)| own.as_str().cmp(key))
    }
}

impl Extend<(Key, ManifestEntry)> for ManifestEntries {
    fn extend<I: IntoIterator<Item = (Key, ManifestEntry)>>(&mut self, entries: I) {
        entries
            .into_iter()
            .for_each(|(key, entry)| self.insert(key, entry));
    }
}

impl FromIterator<(Key, ManifestEntry)> for ManifestEntries {
    fn from_iter<I: IntoIterator<Item = (Key, ManifestEntry)>>(entries: I) -> Self {
        let mut table = Self::default();
        table.extend(entries);
        table
    }
}

impl IntoIterator for ManifestEntries {
    type Item = (Key, ManifestEntry);
    type IntoIter = std::vec::IntoIter<(Key, ManifestEntry)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a ManifestEntries {
    type Item = (&'a Key, &'a ManifestEntry);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::object::entry::{DeployNumber, ServedId};
    use crate::object::{ETag, HeaderFingerprint, Md5};

    fn entry(seed: u8) -> ManifestEntry {
        let etag = ETag::Md5(Md5([seed; 16]));
        ManifestEntry::new(
            etag,
            HeaderFingerprint(0),
            ServedId(0),
            [DeployNumber(0); 2],
        )
    }

    fn key(number: u8) -> Key {
        Key::new(number.to_string())
    }

    type Changes = BTreeMap<u8, Option<u8>>;

    proptest! {
        /// A map is the model.
        #[test]
        fn they_are_a_sorted_map(first: Vec<(u8, u8)>, changes: Vec<Changes>) {
            let mut model: BTreeMap<Key, ManifestEntry> = BTreeMap::new();
            model.extend(first.iter().map(|(number, seed)| (key(*number), entry(*seed))));
            let mut entries: ManifestEntries = first.iter().map(|(number, seed)| (key(*number), entry(*seed))).collect();
            for changes in changes {
                entries.apply(changes.iter().map(|(number, seed)| (key(*number), seed.map(entry))));
                for (number, seed) in changes {
                    match seed {
                        Some(seed) => model.insert(key(number), entry(seed)),
                        None => model.remove(&key(number)),
                    };
                }
                prop_assert!(entries.iter().eq(&model));
                for number in 0..=u8::MAX {
                    prop_assert_eq!(entries.get(key(number).as_str()), model.get(&key(number)));
                }
            }
            prop_assert!(entries.into_iter().eq(model));
        }
    }
}
