//! The answers that edges may hold beside what a deploy leaves, and why a request path is owed a purge or not.

use std::collections::BTreeMap;
use std::fmt;

use crate::object::{HeaderFingerprint, Key, Md5, TagClass};

/// Names a body: equal for equal ones, different for different ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyName {
    Digest(Md5),
    /// Known by another name only.
    Named(Box<str>),
}

/// A Cache-Control for what nobody knows the real one of: edges may keep it for as long as they keep anything.
pub const KEPT_LONGEST: &str = "max-age=31536000000";

/// What an object was, or will be, served as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedAnswer {
    pub content: BodyName,
    pub headers: HeaderFingerprint,
    /// By which edges kept it; of what will be served, neither this nor `redirect` matters.
    pub cache_control: Option<Box<str>>,
    /// `x-amz-website-redirect-location`.
    pub redirect: Option<Box<str>>,
    /// The sort by which it carries its cache tags, where it is certain to.
    pub tags: Option<TagClass>,
}

/// One of the answers that an edge may hold for a key, none included, beside what the deploy leaves there. A key has as many of
/// these as there are such answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldAnswer {
    pub key: Key,
    pub before: Option<ServedAnswer>,
    pub after: Option<ServedAnswer>,
    /// Whether its name holds a hash of its content.
    pub fingerprinted: bool,
}

impl HeldAnswer {
    /// Returns what a deploy leaves under a key, to be held against each answer that edges may hold.
    pub fn left(key: &Key, after: Option<ServedAnswer>, fingerprinted: bool) -> Self {
        Self {
            key: key.clone(),
            before: None,
            after,
            fingerprinted,
        }
    }

    /// Returns whether the answer is what the deploy leaves there.
    pub fn is_same(&self) -> bool {
        match (&self.before, &self.after) {
            (None, None) => true,
            (Some(before), Some(after)) => {
                before.content == after.content && before.headers == after.headers
            }
            _ => false,
        }
    }
}

/// Why a request path is owed a purge. Times are seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwedReason {
    Content,
    Headers,
    Removed,
    /// It is new, and errors are kept there for so long.
    ErrorsKept {
        ttl: u64,
    },
    /// It is new, but another object answered there.
    Answered,
    /// The page shown for this error code changed, and copies of it are kept under every failing URL.
    ErrorPage {
        code: u16,
        ttl: u64,
    },
    /// The website's error document changed.
    ErrorDocument {
        ttl: u64,
    },
    /// A function rewrites URLs in a way that nothing tells.
    UnknownRewrite,
    /// Nothing tells what the website endpoint answers for folders and errors.
    UnknownWebsite,
    /// An earlier deploy left it, or a redirect that a function answers changed.
    Debt,
}

/// Why a request path of a changed object is not owed a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SparedReason {
    Unchanged,
    /// It is new: nothing but a short-lived error can be kept there.
    New,
    /// No edge answers from its copy without asking.
    NeverKept,
    /// Its name holds its content's hash, so that a copy that is left cannot be wrong.
    Fingerprinted,
}

impl fmt::Display for OwedReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content => write!(out, "its content changed"),
            Self::Headers => write!(out, "its headers changed"),
            Self::Removed => write!(out, "it is removed"),
            Self::ErrorsKept { ttl } => {
                write!(out, "it is new, and errors are kept there for {ttl} s")
            }
            Self::Answered => write!(out, "it is new, and something else answered there"),
            Self::ErrorPage { code, ttl } => write!(
                out,
                "the page for error {code} changed, and copies are kept for {ttl} s"
            ),
            Self::ErrorDocument { ttl } => write!(
                out,
                "the error document changed, and copies are kept for {ttl} s"
            ),
            Self::UnknownRewrite => write!(out, "a function rewrites URLs, and nothing tells how"),
            Self::UnknownWebsite => write!(
                out,
                "nothing tells what the website endpoint answers for folders and errors"
            ),
            Self::Debt => write!(
                out,
                "edges may hold what was there before this deploy, or a redirect changed"
            ),
        }
    }
}

impl fmt::Display for SparedReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Unchanged => "nothing changed there",
            Self::New => "it is new, and errors are not kept for long there",
            Self::NeverKept => "no edge answers from its copy without asking the origin",
            Self::Fingerprinted => {
                "its name holds its content's hash: a copy of it cannot be wrong"
            }
        })
    }
}

/// What is owed and what is not, by request path; those that end in `*` stand for all paths that begin so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StalePaths {
    pub owed: BTreeMap<String, OwedReason>,
    pub spared: BTreeMap<String, SparedReason>,
}

impl StalePaths {
    /// Owes `path` for `reason`, unless it is owed already.
    pub fn owe(&mut self, path: String, reason: OwedReason) {
        self.spared.remove(&path);
        self.owed.entry(path).or_insert(reason);
    }

    pub(super) fn spare(&mut self, path: String, why: SparedReason) {
        if !self.owed.contains_key(&path) {
            self.spared.insert(path, why);
        }
    }

    /// Returns why everything is owed, if it is.
    pub fn whole(&self) -> Option<&OwedReason> {
        self.owed.get("/*")
    }
}
