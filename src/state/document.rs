//! A document that lies in `state` itself while it is small, and else in a file of its own.

use aws_smithy_types::base64;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::codec::{self, Damage};
use super::object::StateObject;
use super::{StateError, StateStore, md5_of, random};
use crate::domain::Md5;

pub(super) const FOLDER: &str = "journal/";
/// Bytes of base64 up to which a document lies in `state`.
const MAX_INLINE: usize = 24 << 10;
/// Bytes from which `state` takes no more documents in, so that it stays under 64 KB.
const FULL: usize = 52 << 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Document {
    /// Base64 of what would be the file's content.
    Inline(String),
    File(StateFile),
}

/// A file that `state` names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateFile {
    /// Relative to the state's root.
    pub name: String,
    pub digest: Md5,
    pub bytes: u64,
    /// How many entries it has, where it is one of the manifest's.
    #[serde(default)]
    pub entries: u64,
}

impl Document {
    pub(super) fn file_name(&self) -> Option<&str> {
        match self {
            Self::Inline(_) => None,
            Self::File(file) => Some(&file.name),
        }
    }
}

impl StateStore {
    /// Stores a document for a state that is as large as `beside`: in it, or in a file that is written now.
    pub(super) async fn store_document<T: Serialize>(
        &self,
        value: &T,
        beside: &StateObject,
    ) -> Result<Document, StateError> {
        let packed = codec::pack(value).map_err(|error| self.unwritable(FOLDER, error))?;
        if packed.len() < MAX_INLINE {
            let size = serde_json::to_vec(beside).map_or(FULL, |text| text.len());
            let text = base64::encode(&packed);
            if text.len() <= MAX_INLINE && size + text.len() <= FULL {
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
                Document::Inline(text) => {
                    let corrupt = |error: base64::DecodeError| Damage::Corrupt(error.to_string());
                    let packed = base64::decode(text).map_err(corrupt);
                    let name = super::NAME;
                    (
                        name,
                        Bytes::from(packed.map_err(|damage| self.damaged(name, damage))?),
                    )
                }
                Document::File(file) => (file.name.as_str(), self.read_file(file).await?),
            };
            codec::unpack(&packed).map_err(|damage| self.damaged(name, damage))
        };
        match read.await {
            Err(error @ StateError::Corrupt { .. }) => Ok(Err(error.to_string())),
            read => Ok(Ok(read?)),
        }
    }

    /// Reads a file that `state` names. Fails with [`StateError::Corrupt`] where it is damaged or gone.
    pub(super) async fn read_file(&self, file: &StateFile) -> Result<Bytes, StateError> {
        let corrupt = |why: &str| self.damaged(&file.name, Damage::Corrupt(why.to_owned()));
        let fetched = self.fetch(&file.name).await?;
        let body = fetched.ok_or_else(|| corrupt("it is gone"))?.body;
        if md5_of(&body) != file.digest {
            return Err(corrupt("its content is not what was written"));
        }
        Ok(body)
    }
}
