//! The one CloudFront Function of a site: all that S3 cannot say about requests, and what it adds to answers. It is data; `code`
//! writes it down as JavaScript, `answer` does the same in Rust.

mod answer;
mod code;
mod packed;
mod read;
mod samples;
mod text;

use serde::Deserialize;

use super::redirect::{Redirect, normal_path};

pub use answer::{FunctionAnswer, ViewerRequest};
pub use code::{FunctionError, is_ours};

/// The most bytes of a function's code (CloudFront Developer Guide, "Quotas on CloudFront Functions").
pub const MAX_FUNCTION_BYTES: usize = 10 * 1024;
/// The runtime that the code is written for.
pub const RUNTIME: &str = "cloudfront-js-2.0";

/// Instead of a redirect's status: a page of its own answers at the path.
pub const LEFT_ALONE: u16 = 0;

/// What the function does, in the order in which it does it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeFunction {
    /// Whose it is, as `s3://bucket/folder/`; empty: whoever takes it.
    pub site: String,
    /// Nobody gets anything without it.
    pub password: Option<PasswordDigest>,
    /// In the order in which they answer. Those with status 200 show a page of the site under another URL; those with
    /// [`LEFT_ALONE`] leave the path as it is, whatever comes after them.
    pub redirects: Vec<Redirect>,
    /// Exact redirects without conditions are looked up in the key value store of the function instead of its code.
    pub stored: bool,
    /// Other hosts are sent to this one.
    pub canonical_host: Option<String>,
    pub rewrite: PathRewrite,
    /// What it adds to answers, in order.
    pub headers: Vec<FunctionHeader>,
}

/// The ways in which a request path becomes the path of a key, besides by redirects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathRewrite {
    /// The document that stands for a folder, such as `index.html`; `None`: paths are left as they are.
    pub index: Option<String>,
    /// `/about`, whose last segment has no dot, means `/about/` too.
    pub bare_folders: bool,
    /// Endings that keys lost: what is asked for with one is redirected to the name without it.
    pub endings: Vec<String>,
    /// Request paths that stay as they are: ones that keep their ending, and objects without an extension, which are no folders.
    pub kept: Vec<String>,
}

/// A password as the function knows it. In its code the fields are a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PasswordDigest {
    pub salt: String,
    /// SHA-256 of salt and password, in hexadecimal digits.
    pub digest: String,
}

/// A header that the function adds to what viewers get. In its code the fields are a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FunctionHeader {
    /// A regular expression on the request path, which means the same in JavaScript and in Rust.
    pub pattern: String,
    /// In lower case.
    pub name: String,
    /// Empty: the header is taken away.
    pub value: String,
}

/// The most bytes of the comment of a function or a key value store.
const MAX_COMMENT_BYTES: usize = 128;

/// Returns the comment that a site's function and its key value store have: it tells whose they are.
pub fn comment(site: &str) -> String {
    let mut comment = format!("Written by unstale for {site}");
    comment.truncate(comment.floor_char_boundary(MAX_COMMENT_BYTES));
    comment
}

/// Returns what leaves a path alone.
pub fn left_alone(path: &str) -> Redirect {
    Redirect {
        status: LEFT_ALONE,
        ..Redirect::new(path, "")
    }
}

impl PasswordDigest {
    pub fn of(password: &str, salt: &str) -> Self {
        Self {
            salt: salt.to_owned(),
            digest: text::digest(salt, password.as_bytes()),
        }
    }
}

impl EdgeFunction {
    /// Tells whether it answers this redirect, as far as its code tells: what lies in a store is taken for granted.
    pub fn holds(&self, redirect: &Redirect) -> bool {
        let path = if redirect.is_plain() {
            normal_path(redirect.path())
        } else {
            redirect.path().to_owned()
        };
        let host = redirect.host().map(str::to_ascii_lowercase);
        let mut own = self.redirects.iter();
        let is_same = |own: &Redirect| {
            (own.path(), own.host(), &own.query)
                == (path.as_str(), host.as_deref(), &redirect.query)
                && (&own.to, own.status) == (&redirect.to, redirect.status)
        };
        redirect.is_plain() && self.stored || own.any(is_same)
    }

    /// Tells whether it sees answers too.
    pub fn sees_answers(&self) -> bool {
        !self.headers.is_empty()
    }
}

#[cfg(test)]
mod tests;
