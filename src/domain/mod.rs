//! What an object is, what makes two of them differ, and the rules that say so. Pure: no clock, no environment, no I/O.

pub mod object;
pub mod rules;

// Until the other rooms' imports are rewritten.
pub use object::{ETag, HeaderFingerprint, Headers, Key, Md5, Sort};
pub use object::{diff, encoding, entries, journal, key};
pub use rules::{
    content_type, fingerprinted, function, globs, headers_file, links, page, redirects_file,
};

pub mod manifest {
    pub use super::object::entry::*;
    pub use super::object::manifest::*;
}

pub mod noise {
    pub use super::rules::noise::*;
    pub use super::rules::suspect::*;
}

pub mod redirects {
    pub use super::rules::redirect::*;
    pub use super::rules::redirects::*;
}

pub mod tags {
    pub use super::object::tags::*;
    pub use super::rules::tag_check::*;
}
