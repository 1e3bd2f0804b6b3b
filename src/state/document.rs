//! A document that lies in `state` itself while it is small, and else in a file of its own.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{self, Damage};
use super::object::{Document, NAME, StateFile, StateObject};
use super::{StateError, StateStore, md5_of, random};
use crate::aws::base64;

pub(super) const FOLDER: &str = "journal/";
/// Bytes of base64 up to which a document lies in `state`.
const MAX_INLINE: usize = 24 << 10;
/// The same of one that is seldom read, and that every write of `state` would carry along.
pub(super) const MAX_SELDOM: usize = 2 << 10;
/// Bytes from which `state` takes no more documents in, so that it stays under 64 KB.
const FULL: usize = 52 << 10;

impl StateStore {
    /// Stores a document for a state that is as large as `beside`: in it, or in a file that is written now.
    pub(super) async fn store_document<T: Serialize>(
        &self,
        value: &T,
        beside: &StateObject,
    ) -> Result<Document, StateError> {
        self.store_up_to(MAX_INLINE, value, beside).await
    }

    /// Stores a document, in the state if it takes at most `most` bytes of base64 there.
    pub(super) async fn store_up_to<T: Serialize>(
        &self,
        most: usize,
        value: &T,
        beside: &StateObject,
    ) -> Result<Document, StateError> {
        let packed = codec::pack(value).map_err(|error| self.unwritable(FOLDER, error))?;
        if packed.len() < most {
            let text = base64::encode(&packed);
            if text.len() <= most && beside.size().saturating_add(text.len()) <= FULL {
                return Ok(Document::Inline(text));
            }
        }
        let file = StateFile {
            name: format!("{FOLDER}{}", random()),
            digest: md5_of(&packed),
            bytes: packed.len() as u64,
            entries: 0,
        };
        self.write_file(&file.name, packed).await?;
        Ok(Document::File(file))
    }

    /// Reads a document. What is damaged or gone is answered in words; other failures are errors.
    pub(super) async fn read_document<T: DeserializeOwned>(
        &self,
        document: &Document,
    ) -> Result<Result<T, String>, StateError> {
        let read = async {
            let (name, packed) = match document {
                Document::Inline(text) => (NAME, self.decode_inline(text)?),
                Document::File(file) => (file.name.as_str(), self.read_file(file).await?),
            };
            codec::unpack(&packed).map_err(|damage| self.damaged(name, damage))
        };
        match read.await {
            Err(error @ StateError::Corrupt { .. }) => Ok(Err(error.to_string())),
            read => Ok(Ok(read?)),
        }
    }

    /// Decodes what lies in `state` itself, in base64.
    pub(super) fn decode_inline(&self, text: &str) -> Result<Bytes, StateError> {
        base64::decode(text)
            .map(Bytes::from)
            .map_err(|error| self.damaged(NAME, Damage::corrupt(error)))
    }

    /// Reads a file that `state` names. Fails with [`StateError::Corrupt`] where it is damaged or gone.
    pub(super) async fn read_file(&self, file: &StateFile) -> Result<Bytes, StateError> {
        let corrupt = |why: &str| self.damaged(&file.name, Damage::corrupt(why));
        let fetched = self.fetch(&file.name).await?;
        let body = fetched.ok_or_else(|| corrupt("it is gone"))?.body;
        if md5_of(&body) != file.digest {
            return Err(corrupt("its content is not what was written"));
        }
        Ok(body)
    }
}
