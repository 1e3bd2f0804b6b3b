//! What a request path has to answer, and how an answer differs from that.

use std::collections::HashSet;

use serde::Serialize;

use super::added_headers::HeaderValues;
use super::distribution::DEFAULT_ERROR_TTL;
use super::path::decode;
use crate::object::{ETag, Headers, Md5};

/// What a viewer has to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedAnswer {
    Object(Box<ExpectedObject>),
    /// A redirect to there.
    Redirect {
        status: u16,
        to: String,
    },
    /// An error, with an object in its place or without.
    Error {
        status: u16,
        page: Option<Box<ExpectedObject>>,
    },
    /// Any redirect, made by a function.
    ForeignRedirect,
    /// The password, by whoever comes without it.
    AskPassword,
}

/// An object as viewers have to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedObject {
    pub size: u64,
    pub md5: Md5,
    /// `None`: somebody else's policy or function may have the last word on them.
    pub headers: Option<Headers>,
    /// As S3 answered it, where that is known.
    pub etag: Option<ETag>,
}

/// What a viewer saw, without the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenAnswer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body.
    pub size: u64,
    pub md5: Md5,
}

/// How an answer is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Another content of the site's: an earlier one, or another object's.
    Stale,
    /// An error, or nothing, where there should be something.
    Missing,
    /// Another status, header or location, or a body that is none of the site's.
    Wrong,
}

/// What the site has or had, to tell a stale answer from a foreign one.
#[derive(Clone, Debug, Default)]
pub struct OwnContents {
    pub digests: HashSet<Md5>,
    /// As S3 writes them.
    pub etags: HashSet<ETag>,
}

impl OwnContents {
    fn has(&self, answer: &SeenAnswer) -> bool {
        let etag = answer.etag();
        // That nothing is in it says nothing.
        answer.size > 0 && self.digests.contains(&answer.md5)
            || etag.is_some_and(|etag| self.etags.contains(&etag))
    }
}

impl SeenAnswer {
    /// Finds the first header of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let header = headers.find(|(listed, _)| listed == name)?;
        Some(header.1.as_str())
    }

    /// Returns its ETag. An edge that compresses weakens it.
    fn etag(&self) -> Option<ETag> {
        let etag = self.header("etag")?;
        Some(ETag::parse(etag.trim_start_matches("W/")))
    }

    /// Returns whether an edge may bear it as an error for a while, whatever was deployed since.
    fn is_young(&self) -> bool {
        let age = self.header("age").and_then(|age| age.parse().ok());
        age.is_some_and(|age: u64| age <= DEFAULT_ERROR_TTL)
    }
}

impl ExpectedAnswer {
    /// Returns in which ways an answer is not what is expected; none where it is.
    pub fn faults(&self, answer: &SeenAnswer) -> Vec<String> {
        let SeenAnswer { status, .. } = *answer;
        let wrong_status =
            |right: u16| (status != right).then(|| format!("{status} instead of {right}"));
        let is_redirect = (300..400).contains(&status);
        let fault = match self {
            Self::Object(object) if status == 200 => return object.faults(answer),
            Self::Object(_) => wrong_status(200),
            Self::Error {
                status: right,
                page: Some(page),
            } if status == *right && !answer.is_young() => return page.faults(answer),
            Self::Error {
                status: right,
                page: None,
            } if status != *right && status < 300 => Some(format!("{status} where nothing is")),
            Self::Error { status: right, .. } => wrong_status(*right),
            Self::Redirect { status: right, to } => {
                let place = redirect_fault(to, answer).filter(|_| is_redirect);
                return wrong_status(*right).into_iter().chain(place).collect();
            }
            Self::ForeignRedirect => {
                let cache = answer.header("x-cache").unwrap_or_default();
                let is_made = cache.contains("GeneratedResponse from cloudfront");
                let is_wrong = !is_made || !is_redirect;
                is_wrong.then(|| format!("{status}, and no function redirects"))
            }
            Self::AskPassword => (status != 401).then(|| format!("{status} without the password")),
        };
        fault.into_iter().collect()
    }

    /// Says what kind of fault an answer has that is not what is expected.
    pub fn kind(&self, answer: &SeenAnswer, own: &OwnContents) -> FaultKind {
        let content = match self {
            Self::Object(object) => Some(object.md5),
            Self::Error { page, .. } => page.as_ref().map(|page| page.md5),
            Self::Redirect { .. } | Self::ForeignRedirect => None,
            Self::AskPassword => return FaultKind::Wrong,
        };
        let is_error = matches!(self, Self::Error { .. });
        if answer.status >= 400 && !is_error {
            FaultKind::Missing
        } else if content != Some(answer.md5) && own.has(answer) {
            FaultKind::Stale
        } else {
            FaultKind::Wrong
        }
    }

    /// Returns whether a function of the site's own sees the answer on its way out.
    pub fn is_seen_by_functions(&self) -> bool {
        matches!(self, Self::Object(_))
    }
}

impl ExpectedObject {
    fn faults(&self, answer: &SeenAnswer) -> Vec<String> {
        let mut faults = Vec::new();
        if self.md5 != answer.md5 {
            // What was kept or stored compressed is known by its digest alone.
            faults.push(if self.size == 0 {
                "other content".to_owned()
            } else if answer.size == self.size {
                "other content of the same size".to_owned()
            } else {
                format!("{} bytes instead of {}", answer.size, self.size)
            });
        } else if let (Some(etag), Some(seen)) = (&self.etag, answer.etag())
            && seen != *etag
        {
            faults.push(format!("etag {seen} instead of {etag}"));
        }
        let headers = self.headers.iter();
        faults.extend(headers.flat_map(|headers| differing(headers, answer)));
        faults
    }
}

fn redirect_fault(to: &str, answer: &SeenAnswer) -> Option<String> {
    // S3 puts its own host before a path, and escapes what it likes.
    let is_same = |seen: &str| decode(seen) == decode(to);
    let ends_so =
        |seen: &str| is_same(seen) || to.starts_with('/') && past_host(seen).is_some_and(is_same);
    match answer.header("location") {
        Some(seen) if ends_so(seen) => None,
        seen => Some(format!(
            "redirects to {} instead of {to}",
            seen.unwrap_or("nowhere")
        )),
    }
}

fn past_host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.find('/').and_then(|start| rest.get(start..))
}

fn differing(headers: &Headers, answer: &SeenAnswer) -> Vec<String> {
    let content_type = headers.content_type.as_deref();
    let wanted = [
        ("cache-control", headers.cache_control.as_deref()),
        ("content-type", content_type.or(Some("binary/octet-stream"))),
        ("content-encoding", headers.content_encoding.as_deref()),
        (
            "content-disposition",
            headers.content_disposition.as_deref(),
        ),
        ("content-language", headers.content_language.as_deref()),
    ];
    let wanted = wanted.into_iter();
    wanted
        .filter_map(|(name, wanted)| header_fault(name, wanted, answer))
        .collect()
}

/// Returns in which ways the headers are not what policies and the function are to make of them.
pub fn header_faults(added: &HeaderValues, answer: &SeenAnswer) -> Vec<String> {
    let added = added.iter();
    added
        .filter_map(|(name, wanted)| header_fault(name, wanted.as_deref(), answer))
        .collect()
}

fn header_fault(name: &str, wanted: Option<&str>, answer: &SeenAnswer) -> Option<String> {
    let shown = |value: Option<&str>| value.map_or("none".to_owned(), |text| format!("`{text}`"));
    let seen = answer.header(name);
    (seen != wanted).then(|| format!("{name} {} instead of {}", shown(seen), shown(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIS: Md5 = Md5([1; 16]);
    const EARLIER: Md5 = Md5([2; 16]);

    fn object() -> Box<ExpectedObject> {
        Box::new(ExpectedObject {
            size: 5,
            md5: THIS,
            headers: Some(Headers {
                cache_control: Some("max-age=1".into()),
                content_type: Some("text/html".into()),
                ..Headers::default()
            }),
            etag: Some(ETag::Md5(THIS)),
        })
    }

    fn headers_of(text: &str) -> Vec<(String, String)> {
        let headers = text.split(';');
        let headers = headers.filter_map(|header| header.split_once(": "));
        headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// The kind of fault and the faults; nothing where the answer is right.
    fn told(expected: &ExpectedAnswer, status: u16, size: u64, md5: u8, headers: &str) -> String {
        let answer = SeenAnswer {
            status,
            size,
            md5: Md5([md5; 16]),
            headers: headers_of(headers),
        };
        let own = OwnContents {
            digests: HashSet::from([THIS, EARLIER]),
            etags: HashSet::from([ETag::parse("\"e-2\"")]),
        };
        let faults = expected.faults(&answer);
        if faults.is_empty() {
            return String::new();
        }
        let kind = expected.kind(&answer, &own);
        format!("{kind:?}: {}", faults.join(", "))
    }

    const RIGHT: &str = "cache-control: max-age=1;content-type: text/html";

    #[test]
    fn an_answer_is_right_or_told() {
        let page = ExpectedAnswer::Object(object());
        for (status, size, md5, headers, right) in [
            (200, 5, 1, RIGHT, ""),
            (404, 9, 9, "", "Missing: 404 instead of 200"),
            // Though what is shown for errors is the site's, too.
            (404, 6, 2, RIGHT, "Missing: 404 instead of 200"),
            (200, 6, 2, RIGHT, "Stale: 6 bytes instead of 5"),
            (200, 6, 9, RIGHT, "Wrong: 6 bytes instead of 5"),
            (200, 5, 9, RIGHT, "Wrong: other content of the same size"),
            (301, 0, 9, "location: /x", "Wrong: 301 instead of 200"),
            (
                200,
                5,
                1,
                "content-type: text/html",
                "Wrong: cache-control none instead of `max-age=1`",
            ),
        ] {
            assert_eq!(told(&page, status, size, md5, headers), right);
        }
        let etag = |md5, value: &str| told(&page, 200, 5, md5, &format!("{RIGHT};etag: {value}"));
        let right = "01010101010101010101010101010101";
        assert_eq!(etag(1, &format!("\"{right}\"")), "");
        assert_eq!(etag(1, &format!("W/\"{right}\"")), "");
        assert!(etag(1, "\"x\"").starts_with("Wrong: etag x instead of"));
        assert!(etag(9, "\"e-2\"").starts_with("Stale: other content"));
    }

    #[test]
    fn redirects_have_their_status_and_place() {
        let to = ExpectedAnswer::Redirect {
            status: 301,
            to: "/new".into(),
        };
        for (status, md5, headers, right) in [
            (301, 0, "location: /new", ""),
            (301, 0, "location: http://b.s3-website/new", ""),
            (301, 0, "location: /%6Eew", ""),
            (302, 0, "location: /new", "Wrong: 302 instead of 301"),
            (
                301,
                0,
                "location: /old",
                "Wrong: redirects to /old instead of /new",
            ),
            (301, 0, "", "Wrong: redirects to nowhere instead of /new"),
            (200, 0, "", "Wrong: 200 instead of 301"),
            (200, 1, "", "Stale: 200 instead of 301"),
            (404, 0, "", "Missing: 404 instead of 301"),
        ] {
            assert_eq!(told(&to, status, 5, md5, headers), right);
        }
        let any = ExpectedAnswer::ForeignRedirect;
        let made = "x-cache: FunctionGeneratedResponse from cloudfront";
        assert_eq!(told(&any, 302, 0, 0, made), "");
        assert_ne!(told(&any, 302, 0, 0, "x-cache: Hit from cloudfront"), "");
        assert_ne!(told(&any, 403, 0, 0, made), "");
    }

    #[test]
    fn errors_are_right_where_nothing_is() {
        let bare = ExpectedAnswer::Error {
            status: 404,
            page: None,
        };
        let with_page = ExpectedAnswer::Error {
            status: 404,
            page: Some(object()),
        };
        let young = format!("{RIGHT};age: 10");
        let old = format!("{RIGHT};age: 11");
        for (expected, status, md5, headers, right) in [
            (&bare, 404, 9, "", ""),
            (&bare, 503, 9, "", "Wrong: 503 instead of 404"),
            (&bare, 200, 9, "", "Wrong: 200 where nothing is"),
            (&bare, 200, 2, "", "Stale: 200 where nothing is"),
            (&with_page, 404, 1, RIGHT, ""),
            (
                &with_page,
                404,
                2,
                &old,
                "Stale: other content of the same size",
            ),
            (&with_page, 404, 2, &young, ""),
            (
                &with_page,
                404,
                9,
                RIGHT,
                "Wrong: other content of the same size",
            ),
        ] {
            assert_eq!(told(expected, status, 5, md5, headers), right);
        }
        let ask = ExpectedAnswer::AskPassword;
        assert_eq!(told(&ask, 401, 0, 0, ""), "");
        assert_eq!(told(&ask, 200, 0, 1, ""), "Wrong: 200 without the password");
    }

    #[test]
    fn added_headers_are_there_and_removed_ones_are_not() {
        let added = HeaderValues::from([
            ("x-frame-options".to_owned(), Some("DENY".to_owned())),
            ("server".to_owned(), None),
        ]);
        for (headers, right) in [
            ("x-frame-options: DENY", ""),
            ("", "x-frame-options none instead of `DENY`"),
            (
                "x-frame-options: SAMEORIGIN;server: x",
                "server `x` instead of none, x-frame-options `SAMEORIGIN` instead of `DENY`",
            ),
        ] {
            let answer = SeenAnswer {
                status: 200,
                size: 0,
                md5: THIS,
                headers: headers_of(headers),
            };
            assert_eq!(header_faults(&added, &answer).join(", "), right);
        }
    }
}
