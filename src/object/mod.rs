//! What an object is and what makes two of them differ. Pure: no clock, no environment, no I/O.

pub mod diff;
pub mod encoding;
pub mod entries;
pub mod entry;
pub mod etag;
pub mod gone;
pub mod headers;
pub mod journal;
pub mod kept_name;
pub mod key;
pub mod manifest;
pub mod plural;
pub mod tags;

pub use etag::{ETag, Md5};
pub use headers::{HeaderFingerprint, Headers};
pub use kept_name::KeptName;
pub use key::Key;
pub use tags::TagClass;
