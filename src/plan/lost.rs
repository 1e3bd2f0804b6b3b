//! URLs of pages that readers may have kept, and that will answer with an error.

use serde::Serialize;

use crate::object::Key;

/// One URL that was live and is no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LostUrl {
    /// The shortest request path at which the page answered: `/about/`.
    pub path: String,
    pub key: Key,
    /// Unix seconds of the deploy that put it there first, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_since: Option<i64>,
    /// Unix seconds of the deploy that removed it; none where the one at hand does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_since: Option<i64>,
    /// Pages of the build that link there.
    pub linked_from: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<SuccessorPage>,
}

/// The page that a lost one has become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SuccessorPage {
    /// Its shortest request path.
    pub path: String,
    pub sameness: PageSameness,
}

/// By what a page is known to be another's successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageSameness {
    Content,
    /// No other page has it.
    Title,
}

impl LostUrl {
    /// Writes the line of `_redirects` that keeps it, where its successor is known: `/about/ /me/ 301`.
    pub fn redirect(&self) -> Option<String> {
        let successor = self.successor.as_ref()?;
        Some(format!("{} {} 301", self.path, successor.path))
    }
}
