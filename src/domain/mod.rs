//! What an object is and what makes two of them differ. Pure: no clock, no environment, no I/O.

pub mod etag;
pub mod headers;
pub mod key;

pub use etag::{ETag, Md5};
pub use headers::{HeaderFingerprint, Headers};
pub use key::Key;
