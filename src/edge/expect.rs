//! What a request path has to answer, and how an answer differs from that.

use super::added_headers::HeaderValues;
use crate::object::{ETag, Headers, Md5};

/// What a viewer has to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedAnswer {
    Object {
        size: u64,
        /// `None`: nobody knows it.
        md5: Option<Md5>,
        headers: Box<Headers>,
        /// As S3 answered it, where that is known.
        etag: Option<ETag>,
    },
    /// A redirect to there.
    Redirect(String),
    /// Nothing is there any more: an error.
    Gone,
    /// The password, by whoever comes without it.
    AskPassword,
}

/// What a viewer saw, as far as it counts.
#[derive(Clone, Debug)]
pub struct SeenAnswer<'a> {
    pub status: u16,
    pub size: u64,
    pub md5: Md5,
    /// By names in lower case.
    pub headers: &'a [(String, String)],
}

impl SeenAnswer<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let header = headers.find(|(listed, _)| listed == name)?;
        Some(header.1.as_str())
    }
}

/// Returns in which ways the answer is not what is expected; none where it is.
pub fn faults(expected: &ExpectedAnswer, answer: &SeenAnswer) -> Vec<String> {
    match expected {
        ExpectedAnswer::Gone if answer.status >= 400 => Vec::new(),
        ExpectedAnswer::Gone => vec![format!("answers {}, and was removed", answer.status)],
        ExpectedAnswer::AskPassword if answer.status == 401 => Vec::new(),
        ExpectedAnswer::AskPassword => {
            vec![format!("answers {} without the password", answer.status)]
        }
        ExpectedAnswer::Redirect(to) => redirect(to, answer),
        ExpectedAnswer::Object { .. } if answer.status != 200 => {
            vec![format!("answers {} instead of 200", answer.status)]
        }
        ExpectedAnswer::Object {
            size,
            md5,
            headers,
            etag,
        } => {
            let mut faults = Vec::new();
            let differs = md5.is_some_and(|md5| md5 != answer.md5);
            // What was kept or stored compressed is known by its digest alone.
            if differs && *size == 0 {
                faults.push("other content".to_owned());
            } else if answer.size != *size && (differs || md5.is_none()) {
                faults.push(format!("{} bytes instead of {size}", answer.size));
            } else if differs {
                faults.push("other content of the same size".to_owned());
            }
            faults.extend(differing(headers, answer));
            if let (Some(etag), Some(seen)) = (etag, answer.header("etag")) {
                // An edge that compresses weakens it.
                let seen = ETag::parse(seen.trim_start_matches("W/"));
                if seen != *etag {
                    faults.push(format!("etag {seen} instead of {etag}"));
                }
            }
            faults
        }
    }
}

fn redirect(to: &str, answer: &SeenAnswer) -> Vec<String> {
    if !(300..400).contains(&answer.status) {
        return vec![format!("answers {} instead of redirecting", answer.status)];
    }
    // S3 puts its own host before a path.
    let ends_so = |seen: &str| seen == to || to.starts_with('/') && past_host(seen) == Some(to);
    match answer.header("location") {
        Some(seen) if ends_so(seen) => Vec::new(),
        seen => vec![format!(
            "redirects to {} instead of {to}",
            seen.unwrap_or("nowhere")
        )],
    }
}

fn past_host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.find('/').and_then(|start| rest.get(start..))
}

fn differing(headers: &Headers, answer: &SeenAnswer) -> Vec<String> {
    let wanted = [
        ("cache-control", headers.cache_control.as_deref()),
        (
            "content-type",
            Some(headers.content_type.as_deref()).map(|set| set.unwrap_or("binary/octet-stream")),
        ),
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

    fn page() -> ExpectedAnswer {
        ExpectedAnswer::Object {
            size: 5,
            md5: Some(THIS),
            headers: Box::new(Headers {
                cache_control: Some("max-age=1".into()),
                content_type: Some("text/html".into()),
                ..Headers::default()
            }),
            etag: Some(ETag::Md5(THIS)),
        }
    }

    fn headers_of(text: &str) -> Vec<(String, String)> {
        let headers = text.split(';');
        let headers = headers.filter_map(|header| header.split_once(": "));
        headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn told(expected: &ExpectedAnswer, status: u16, size: u64, md5: u8, headers: &str) -> String {
        let headers = headers_of(headers);
        let answer = SeenAnswer {
            status,
            size,
            md5: Md5([md5; 16]),
            headers: &headers,
        };
        faults(expected, &answer).join(", ")
    }

    #[test]
    fn an_answer_is_right_or_told() {
        const RIGHT: &str = "cache-control: max-age=1;content-type: text/html";
        for (status, size, md5, headers, right) in [
            (200, 5, 1, RIGHT, ""),
            (404, 5, 1, RIGHT, "answers 404 instead of 200"),
            (200, 6, 2, RIGHT, "6 bytes instead of 5"),
            (200, 5, 2, RIGHT, "other content of the same size"),
            (
                200,
                5,
                1,
                "cache-control: max-age=2;content-type: text/html",
                "cache-control `max-age=2` instead of `max-age=1`",
            ),
            (
                200,
                5,
                1,
                "content-type: text/html",
                "cache-control none instead of `max-age=1`",
            ),
        ] {
            assert_eq!(told(&page(), status, size, md5, headers), right);
        }
        let etag = |value: &str| told(&page(), 200, 5, 1, &format!("{RIGHT};etag: {value}"));
        let right = "01010101010101010101010101010101";
        assert_eq!(etag(&format!("\"{right}\"")), "");
        assert_eq!(etag(&format!("W/\"{right}\"")), "");
        assert!(etag("\"x\"").starts_with("etag x instead of"));
    }

    #[test]
    fn redirects_and_what_is_gone() {
        let to = ExpectedAnswer::Redirect("/new".into());
        for (status, location, right) in [
            (301, "location: /new", ""),
            (302, "location: http://b.s3-website/new", ""),
            (301, "location: /old", "redirects to /old instead of /new"),
            (301, "", "redirects to nowhere instead of /new"),
            (200, "", "answers 200 instead of redirecting"),
        ] {
            assert_eq!(told(&to, status, 0, 0, location), right);
        }
        assert_eq!(told(&ExpectedAnswer::Gone, 404, 0, 0, ""), "");
        assert_eq!(
            told(&ExpectedAnswer::Gone, 200, 0, 0, ""),
            "answers 200, and was removed"
        );
        assert_eq!(told(&ExpectedAnswer::AskPassword, 401, 0, 0, ""), "");
        assert_eq!(
            told(&ExpectedAnswer::AskPassword, 200, 0, 0, ""),
            "answers 200 without the password"
        );
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
            let headers = headers_of(headers);
            let answer = SeenAnswer {
                status: 200,
                size: 0,
                md5: THIS,
                headers: &headers,
            };
            assert_eq!(header_faults(&added, &answer).join(", "), right);
        }
    }
}
