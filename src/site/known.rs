//! What the bucket is known to hold already, so that it need not be made again.

use std::collections::HashSet;

use crate::aws::list::ListedObject;
use crate::object::encoding;
use crate::object::encoding::Encoding;
use crate::object::entry::{EntryLife, ManifestEntry};
use crate::object::manifest::Manifest;
use crate::object::{ETag, Md5};
use crate::rules::header_rules::RuledHeaders;
use crate::scan::LocalFile;
use crate::survey::{BucketSnapshot, SiteLocation};

/// What the bucket is known to hold.
pub(crate) struct KnownBodies<'a> {
    manifest: &'a Manifest,
    /// Sorted by whole keys; without it the manifest's word is taken.
    listing: Option<&'a [ListedObject]>,
    /// What a deploy that died may have touched.
    unsure: HashSet<&'a str>,
}

impl<'a> KnownBodies<'a> {
    /// Returns what the manifest alone says.
    pub(crate) fn by(manifest: &'a Manifest) -> Self {
        Self {
            manifest,
            listing: None,
            unsure: HashSet::new(),
        }
    }

    pub(crate) fn of(remote: &'a BucketSnapshot) -> Self {
        let mut unsure = HashSet::new();
        let mut listing = remote.listing.as_slice();
        for open in &remote.open.journals {
            match &open.journal {
                Ok(journal) => {
                    unsure.extend(journal.keys.iter().map(|touched| touched.key.as_str()))
                }
                // It may have touched anything: nothing is known.
                Err(_) => listing = &[],
            }
        }
        Self {
            manifest: &remote.loaded.manifest,
            listing: Some(listing),
            unsure,
        }
    }

    /// Returns the body under a key that the bucket holds as the manifest says.
    pub(crate) fn body(&self, place: &SiteLocation, key: &str) -> Option<StoredBody<'a>> {
        let entry = self.manifest.entries.get(key)?;
        let content = entry.content()?;
        let is_gone = matches!(entry.life, EntryLife::Tombstone { .. });
        if self.unsure.contains(key) || is_gone {
            return None;
        }
        let mut body = StoredBody {
            entry,
            content,
            size: 0,
        };
        if let Some(listing) = self.listing {
            let full = place.full(key);
            let position = listing.binary_search_by(|object| (*object.key).cmp(full.as_str()));
            let object = listing.get(position.ok()?)?;
            if object.etag != entry.etag {
                return None;
            }
            body.size = object.size;
        }
        Some(body)
    }
}

/// A body in the bucket.
#[derive(Clone, Copy)]
pub(crate) struct StoredBody<'a> {
    pub(crate) entry: &'a ManifestEntry,
    pub(crate) content: Md5,
    /// In bytes; 0 where only the manifest tells of it.
    size: u64,
}

impl StoredBody<'_> {
    /// Returns the encoding that it is in, where that is one which is wanted now.
    fn encoding(&self, served: &RuledHeaders, wanted: &[Encoding]) -> Option<Option<Encoding>> {
        match self.entry.source {
            None => wanted.is_empty().then_some(None),
            // An encoding was tried, and gained nothing.
            Some(source) if source == self.content => Some(None),
            Some(_) => {
                let mut headers = served.headers.clone();
                let mut wanted = wanted.iter().copied();
                let is = |encoding: &Encoding| {
                    headers.content_encoding = Some(encoding.name().to_owned());
                    headers.fingerprint() == self.entry.headers
                };
                wanted.find(is).map(Some)
            }
        }
    }

    /// Returns the file as what the bucket has of it, where that is in an encoding which is wanted now.
    pub(crate) fn in_place_of(&self, file: &LocalFile, served: &RuledHeaders) -> Option<LocalFile> {
        let encoding = self.encoding(served, encodings(file, served))?;
        let mut stored = file.clone();
        stored.md5 = self.content;
        stored.size = self.size;
        let etag = &self.entry.etag;
        stored.parts = matches!(etag, ETag::Multipart(..)).then(|| Box::new(etag.clone()));
        let made = stored.made();
        made.source = self.entry.source;
        made.encoding = encoding;
        Some(stored)
    }
}

/// Returns the encodings that a file may be stored in.
pub(crate) fn encodings<'a>(file: &LocalFile, served: &RuledHeaders<'a>) -> &'a [Encoding] {
    let content_type = served.headers.content_type.as_deref().unwrap_or_default();
    let is_plain = served.headers.content_encoding.is_none();
    if is_plain && encoding::is_compressible(content_type, file.stamp.size) {
        served.compress
    } else {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Headers;
    use crate::object::entry::{DeployNumber, ServedId};

    #[test]
    fn a_body_that_is_stored_need_not_be_made_again() {
        let (file, body) = (Md5([1; 16]), Md5([2; 16]));
        let headers = |encoding: Option<Encoding>| Headers {
            content_encoding: encoding.map(|encoding| encoding.name().to_owned()),
            ..Headers::default()
        };
        let served = RuledHeaders {
            headers: headers(None),
            fingerprinted: false,
            page: true,
            compress: &[],
        };
        let both = [Encoding::Br, Encoding::Gzip];
        let (br, gzip) = (Some(Encoding::Br), Some(Encoding::Gzip));
        for (source, content, set, wanted, expected) in [
            (None, file, None, &both[..0], Some(None)),
            (None, file, None, &both, None),
            (Some(file), file, None, &both, Some(None)),
            (Some(file), file, None, &both[..0], Some(None)),
            (Some(file), body, br, &both, Some(br)),
            (Some(file), body, gzip, &both, Some(gzip)),
            (Some(file), body, gzip, &both[..1], None),
            (Some(file), body, br, &both[..0], None),
        ] {
            let headers = headers(set).fingerprint();
            let entry = ManifestEntry::new(
                ETag::Md5(content),
                headers,
                ServedId(0),
                [DeployNumber(0); 2],
            )
            .with(|rare| rare.source = source);
            let body = StoredBody {
                entry: &entry,
                content,
                size: 0,
            };
            let encoding = body.encoding(&served, wanted);
            assert_eq!(encoding, expected, "{source:?} {set:?} {wanted:?}");
        }
    }
}
