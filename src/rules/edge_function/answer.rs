//! What the function does, in Rust: for tests of the code, and where nothing runs JavaScript.

use super::text::digest;
use super::{EdgeFunction, LEFT_ALONE, PasswordDigest};
use crate::object::key::file_name;
use crate::rules::redirect::{Redirect, decoded, normal_path};

/// What the function sees of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewerRequest {
    /// The path, percent-encoded as it came.
    pub uri: String,
    /// Names and values as they came, in their order; without a value: an empty one.
    pub query: Vec<(String, String)>,
    /// Without its port.
    pub host: String,
    pub authorization: Option<String>,
}

/// What the function makes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionAnswer {
    /// It goes on under this path.
    Pass(String),
    Redirect {
        status: u16,
        location: String,
    },
    /// 401.
    AskPassword,
}

impl EdgeFunction {
    /// Returns what the function makes of a request.
    pub fn answer(&self, request: &ViewerRequest) -> FunctionAnswer {
        let header = request.authorization.as_deref();
        if let Some(password) = &self.password
            && !password.lets_in(header)
        {
            return FunctionAnswer::AskPassword;
        }
        let mut redirects = self.redirects.iter();
        let redirect = redirects.find_map(|redirect| target(redirect, request));
        let redirect = redirect.filter(|(redirect, _)| redirect.status != LEFT_ALONE);
        if let Some((redirect, to)) = &redirect
            && redirect.status != 200
        {
            let status = redirect.status;
            return request
                .redirected(status, to.clone(), |name| redirect.query.contains_key(name));
        }
        if let Some(host) = &self.canonical_host
            && !host.eq_ignore_ascii_case(&request.host)
        {
            return request.redirected(301, format!("https://{host}{}", request.uri), |_| false);
        }
        let shown = redirect.map(|(_, page)| page);
        if shown.is_none()
            && let Some(name) = self.stripped(&request.uri)
        {
            return request.redirected(301, name, |_| false);
        }
        FunctionAnswer::Pass(self.indexed(shown.unwrap_or_else(|| request.uri.clone())))
    }

    /// Returns the path without an ending that its key lost.
    fn stripped(&self, uri: &str) -> Option<String> {
        let last = file_name(uri);
        let loses = |ending: &&String| {
            let stem = last.strip_suffix(ending.as_str());
            stem.is_some_and(|stem| !stem.is_empty() && stem != "index")
        };
        let ending = self.rewrite.endings.iter().find(loses)?;
        let is_kept = self.rewrite.kept.iter().any(|kept| kept == uri);
        let name = uri.strip_suffix(ending.as_str()).filter(|_| !is_kept);
        name.map(str::to_owned)
    }

    fn indexed(&self, uri: String) -> String {
        let last = file_name(&uri);
        match &self.rewrite.index {
            Some(index) if last.is_empty() => uri + index,
            Some(index)
                if self.rewrite.bare_folders
                    && !last.contains('.')
                    && !self.rewrite.kept.contains(&uri) =>
            {
                format!("{uri}/{index}")
            }
            _ => uri,
        }
    }
}

/// Returns where a redirect sends a request, if it is for it.
fn target<'a>(redirect: &'a Redirect, request: &ViewerRequest) -> Option<(&'a Redirect, String)> {
    if redirect.is_plain() {
        let same = normal_path(redirect.path()) == normal_path(&request.uri);
        return same.then(|| (redirect, redirect.to.clone()));
    }
    let mut hosts = redirect.host().into_iter();
    if hosts.any(|host| !host.eq_ignore_ascii_case(&request.host)) {
        return None;
    }
    let mut values = Vec::new();
    for (name, wanted) in &redirect.query {
        let mut asked = request.query.iter().filter(|(asked, _)| asked == name);
        let (_, value) = asked.next()?;
        match wanted.strip_prefix(':') {
            Some(name) => values.push((name, value.as_str())),
            None if decoded(wanted) == decoded(value) => {}
            None => return None,
        }
    }
    // A name of the path goes before the same one of the query.
    let mut all = redirect.values(&request.uri)?;
    all.append(&mut values);
    let may = !redirect.spares_pages() || is_bare(&request.uri);
    may.then(|| (redirect, redirect.filled(&all)))
}

/// Tells whether the last segment of a path has no extension.
fn is_bare(uri: &str) -> bool {
    !file_name(uri).contains('.')
}

impl PasswordDigest {
    /// Tells whether an `Authorization` header has the password: as `NAME:PASSWORD`, or for any name.
    fn lets_in(&self, header: Option<&str>) -> bool {
        let Some((scheme, pair)) = header.and_then(|header| header.split_once(' ')) else {
            return false;
        };
        let pair = base64_simd::forgiving_decode_to_vec(pair.as_bytes());
        let pair = pair.ok().filter(|_| scheme.eq_ignore_ascii_case("basic"));
        let Some(pair) = pair else { return false };
        let behind = pair
            .iter()
            .position(|byte| *byte == b':')
            .map_or(0, |colon| colon + 1);
        let (_, password) = pair.split_at(behind);
        [pair.as_slice(), password]
            .iter()
            .any(|text| digest(&self.salt, text) == self.digest)
    }
}

impl ViewerRequest {
    /// Redirects with the query string, where the target has none, but for what the redirect used.
    fn redirected(
        &self,
        status: u16,
        to: String,
        is_used: impl Fn(&str) -> bool,
    ) -> FunctionAnswer {
        let own = self.query.iter().filter(|(name, _)| !is_used(name));
        let mut own: Vec<&(String, String)> = own.collect();
        // All values of a name stand together, as the function has them.
        own.sort_by_key(|(name, _)| self.query.iter().position(|(asked, _)| asked == name));
        let parts = own.iter().map(|(name, value)| match value.as_str() {
            "" => name.clone(),
            value => format!("{name}={value}"),
        });
        let parts: Vec<String> = parts.collect();
        let takes_query = !parts.is_empty() && !to.contains(['?', '#']);
        let query = if takes_query {
            format!("?{}", parts.join("&"))
        } else {
            String::new()
        };
        FunctionAnswer::Redirect {
            status,
            location: to + &query,
        }
    }
}
