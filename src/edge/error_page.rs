//! Which page a distribution answers an error with.

use std::fmt;
use std::str::FromStr;

/// The codes that CloudFront has pages for (CloudFront API Reference, "CustomErrorResponse").
const CODES: [u16; 11] = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];
/// Seconds for which an edge keeps an error where nothing is said: CloudFront's own default.
const USUAL_TTL: u32 = 10;

/// A page for an error, as `CODE=/PATH[:RESPONSE_CODE][@TTL]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    pub code: u16,
    /// A request path, with its slash.
    pub path: String,
    pub response_code: u16,
    /// Seconds for which an edge keeps the answer at least.
    pub ttl: u32,
}

impl ErrorPage {
    pub fn new(code: u16, path: &str, response_code: u16) -> Self {
        Self {
            code,
            path: path.to_owned(),
            response_code,
            ttl: USUAL_TTL,
        }
    }

    /// Returns the pages of an app whose every unknown URL shows its root.
    pub fn of_app() -> Vec<Self> {
        [403, 404]
            .map(|code| Self::new(code, "/index.html", 200))
            .into()
    }
}

impl fmt::Display for ErrorPage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            path,
            response_code,
            ttl,
        } = self;
        write!(out, "{code}={path}:{response_code}@{ttl}")
    }
}

impl FromStr for ErrorPage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let odd = || {
            format!(
                "`{text}` is no error page: write it as 404=/404.html, 403=/404.html:404 or 404=/404.html@60"
            )
        };
        let (code, rest) = text.split_once('=').ok_or_else(odd)?;
        let (rest, ttl) = match rest.rsplit_once('@') {
            Some((rest, ttl)) => (rest, ttl.parse().map_err(|_| odd())?),
            None => (rest, USUAL_TTL),
        };
        let code: u16 = code.parse().map_err(|_| odd())?;
        let (path, response_code) = match rest.rsplit_once(':') {
            Some((path, code)) => (path, code.parse().map_err(|_| odd())?),
            None => (rest, code),
        };
        if !CODES.contains(&code) {
            let codes = CODES.map(|code| code.to_string()).join(", ");
            return Err(format!(
                "CloudFront has pages for {codes} and not for {code}"
            ));
        }
        if response_code != 200 && !CODES.contains(&response_code) {
            return Err(format!(
                "CloudFront does not answer an error with {response_code}"
            ));
        }
        if !path.starts_with('/') || !path.is_ascii() || path.contains(char::is_whitespace) {
            return Err(format!(
                "`{path}` is no path of a page: write it as /404.html"
            ));
        }
        Ok(Self {
            code,
            path: path.to_owned(),
            response_code,
            ttl,
        })
    }
}

/// Adds for each page of 404 one of 403, unless that is there: S3 answers 403 for what is missing to whoever may not list the
/// bucket (S3 API Reference, "GetObject"). Sorted by code.
pub fn with_denied(mut pages: Vec<ErrorPage>) -> Vec<ErrorPage> {
    let missing = pages.iter().find(|page| page.code == 404).cloned();
    if let Some(page) = missing
        && !pages.iter().any(|page| page.code == 403)
    {
        pages.push(ErrorPage { code: 403, ..page });
    }
    pages.sort_by_key(|page| page.code);
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_it_is_written() {
        let page = |code, path: &str, response_code, ttl| ErrorPage {
            ttl,
            ..ErrorPage::new(code, path, response_code)
        };
        for (text, expected) in [
            ("404=/404.html", Some(page(404, "/404.html", 404, 10))),
            ("403=/e/x.html:404@0", Some(page(403, "/e/x.html", 404, 0))),
            (
                "404=/index.html:200",
                Some(page(404, "/index.html", 200, 10)),
            ),
            ("404=404.html", None),
            ("404", None),
            ("418=/tea.html", None),
            ("404=/a.html:302", None),
            ("404=/a.html@soon", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_denied_by_s3() {
        let codes = |pages: &[&str]| {
            let pages = pages.iter().map(|text| text.parse().unwrap()).collect();
            let pages = with_denied(pages).into_iter();
            pages
                .map(|page| (page.code, page.response_code))
                .collect::<Vec<_>>()
        };
        assert_eq!(codes(&["404=/404.html"]), [(403, 404), (404, 404)]);
        assert_eq!(codes(&["404=/a", "403=/b"]), [(403, 403), (404, 404)]);
        assert_eq!(codes(&["500=/500.html"]), [(500, 500)]);
    }
}
