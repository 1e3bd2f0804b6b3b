//! What a site asks for and its objects cannot give: headers that S3 does not keep, and redirects that ask for more than a path.

use super::redirect::Redirect;

/// A header that S3 does not keep with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnkeptHeader {
    pub scope: HeaderScope,
    /// As it was written. One that is given twice in a block of `_headers` is sent with both values, joined by a comma.
    pub name: String,
    /// Empty: the header is to be taken away.
    pub value: String,
}

/// What a header is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderScope {
    /// A path of `_headers`, or a URL with its host.
    Path(String),
    /// Globs on keys, as deploy.toml has them.
    Globs(Vec<String>),
}

impl HeaderScope {
    /// Tells whether it names a host, which no object can tell from others.
    pub fn has_host(&self) -> bool {
        matches!(self, Self::Path(path) if path.contains("://"))
    }
}

/// A redirect that neither an object nor the written function answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnservedRedirect {
    pub redirect: Redirect,
    /// Besides the path, as it was written: `Country=de`, `id=:id`.
    pub conditions: Vec<String>,
    pub reason: UnservedReason,
}

/// Why a redirect is not answered; in this order they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnservedReason {
    /// Visitors without a role are to be kept out.
    Role,
    /// It depends on who asks: country, language, cookie.
    Visitor,
    /// It depends on the query.
    Query,
    /// It is for one host.
    Host,
    /// 200: what another server says is to be shown.
    Proxy,
    /// 200: one page is to be shown under another URL.
    Rewrite,
    /// 401, 404 or 410, with a page of its own.
    ErrorPage,
}

impl UnservedReason {
    pub const ALL: [Self; 7] = [
        Self::Role,
        Self::Visitor,
        Self::Query,
        Self::Host,
        Self::Proxy,
        Self::Rewrite,
        Self::ErrorPage,
    ];

    /// Returns why a redirect without conditions is not answered; `None`: it can be.
    pub fn of(redirect: &Redirect) -> Option<Self> {
        let is_url = |text: &str| text.starts_with("https://") || text.starts_with("http://");
        match redirect.status {
            _ if is_url(&redirect.from) => Some(Self::Host),
            200 if is_url(&redirect.to) => Some(Self::Proxy),
            200 => Some(Self::Rewrite),
            401 | 404 | 410 => Some(Self::ErrorPage),
            _ => None,
        }
    }

    /// Returns why a condition of `_redirects` cannot be heeded; `None`: there is no such condition.
    pub(super) fn of_condition(condition: &str) -> Option<Self> {
        let name = condition.split('=').next().unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "role" => Some(Self::Role),
            "country" | "language" | "cookie" => Some(Self::Visitor),
            _ => None,
        }
    }
}
