//! What an object is and what makes two of them differ. Pure: no clock, no environment, no I/O.

pub mod content_type;
pub mod diff;
pub mod encoding;
pub mod entries;
pub mod etag;
pub mod fingerprinted;
pub mod function;
pub mod globs;
pub mod headers;
pub mod headers_file;
pub mod journal;
pub mod key;
pub mod links;
pub mod manifest;
pub mod noise;
pub mod page;
pub mod presets;
pub mod redirects;
pub mod redirects_file;
pub mod rules;
pub mod tags;

pub use etag::{ETag, Md5};
pub use headers::{HeaderFingerprint, Headers};
pub use key::Key;
pub use tags::Sort;
