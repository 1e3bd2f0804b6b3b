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

/// Why no viewer gets a header that S3 does not keep; in this order they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnsentReason {
    /// No settings ask for a policy.
    Policy,
    /// It takes a function, and the settings ask for none.
    Function,
    /// Neither can tell the paths that it is for.
    Pattern,
    /// What would send it may not be written.
    Waiting,
    /// CloudFront lets nobody set it.
    Reserved,
}

impl UnsentReason {
    pub const ALL: [Self; 5] = [
        Self::Policy,
        Self::Function,
        Self::Pattern,
        Self::Waiting,
        Self::Reserved,
    ];
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

    /// Returns why nobody answers a redirect; `None`: a function can.
    pub fn of(redirect: &Redirect) -> Option<Self> {
        match redirect.status {
            200 if redirect.to.contains("://") => Some(Self::Proxy),
            401 | 404 | 410 => Some(Self::ErrorPage),
            _ => None,
        }
    }

    /// Returns why nobody but a function answers a redirect; `None`: an object can, as far as it is for a path alone.
    pub fn without_function(redirect: &Redirect) -> Option<Self> {
        if redirect.host().is_some() {
            return Some(Self::Host);
        }
        if !redirect.query.is_empty() {
            return Some(Self::Query);
        }
        (redirect.status == 200).then_some(Self::Rewrite)
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
