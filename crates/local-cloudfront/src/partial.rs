//! What a viewer's conditions and ranges make of an answer (RFC 9110, 13.2.2 and 14; Developer Guide, "How CloudFront processes
//! partial requests for an object").

use std::ops::Range;

use bytes::Bytes;

use super::edge::Answer;

/// Parts the ranges of an answer that has several.
const BOUNDARY: &str = "local-cloudfront-3d6b6a416f9b5";

/// Headers that describe a body, which a 304 has none of.
const OF_A_BODY: [&str; 3] = ["content-type", "content-encoding", "content-language"];

/// The headers of a request that ask for less than the whole answer.
#[derive(Default)]
pub(super) struct PartialRequest {
    none_match: Option<String>,
    modified_since: Option<String>,
    /// Of a GET: RFC 9110 has ranges for nothing else.
    range: Option<String>,
    if_range: Option<String>,
}

impl PartialRequest {
    /// Reads a request's headers, whose names are in lower case.
    pub(super) fn of(method: &str, headers: &[(String, String)]) -> Self {
        let header = |name: &str| {
            let values = headers.iter().filter(|(known, _)| known == name);
            let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
            (!values.is_empty()).then(|| values.join(", "))
        };
        Self {
            none_match: header("if-none-match"),
            modified_since: header("if-modified-since"),
            range: header("range").filter(|_| method == "GET"),
            if_range: header("if-range"),
        }
    }

    /// Makes a 304, 206 or 416 of a whole answer, where that is what was asked for.
    pub(super) fn answered(&self, mut answer: Answer) -> Answer {
        let has_validator = ["etag", "last-modified"].map(|name| answer.header(name).is_some());
        // What a function generated is as it says.
        if answer.status != 200 || has_validator == [false, false] {
            return answer;
        }
        set(&mut answer, "accept-ranges", "bytes".to_owned());
        if self.is_known(&answer) {
            answer
                .headers
                .retain(|(name, _)| !OF_A_BODY.contains(&name.as_str()));
            return Answer {
                status: 304,
                body: Bytes::new(),
                ..answer
            };
        }
        let length = answer.body.len();
        let range = self.range.as_deref().filter(|_| self.is_same(&answer));
        match range.and_then(|range| ranges(range, length)) {
            None => answer,
            Some(ranges) => cut(answer, &ranges),
        }
    }

    /// Tells whether the viewer has the answer already. If-None-Match is compared weakly and hides If-Modified-Since.
    fn is_known(&self, answer: &Answer) -> bool {
        if let Some(known) = &self.none_match {
            let etag = answer.header("etag").unwrap_or_default();
            // What stands between quotes, with or without a `W/` before it.
            let opaque = etag.split('"').nth(1);
            let mut tags = known.split('"').skip(1).step_by(2);
            return known.trim() == "*" || tags.any(|tag| Some(tag) == opaque);
        }
        let since = self.modified_since.as_deref().and_then(moment);
        let modified = answer.header("last-modified").and_then(moment);
        since
            .zip(modified)
            .is_some_and(|(since, modified)| modified <= since)
    }

    /// Tells whether If-Range lets the range hold: by a strong ETag or the very time, or where there is none.
    fn is_same(&self, answer: &Answer) -> bool {
        let Some(same) = &self.if_range else {
            return true;
        };
        if same.contains('"') {
            return !same.starts_with("W/") && answer.header("etag") == Some(same);
        }
        let modified = answer.header("last-modified").and_then(moment);
        modified.is_some() && moment(same) == modified
    }
}

/// Reads a time as HTTP writes it.
fn moment(text: &str) -> Option<jiff::Timestamp> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(text).ok()
}

fn set(answer: &mut Answer, name: &str, value: String) {
    answer.headers.retain(|(known, _)| known != name);
    answer.headers.push((name.to_owned(), value));
}

/// Returns the ranges that a Range header asks of so many bytes: none if nothing lies there. `None` where the header does not
/// count: another unit, not to be read, or not as CloudFront wants it, in ascending order and apart from each other.
fn ranges(header: &str, length: usize) -> Option<Vec<Range<usize>>> {
    let (unit, list) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for text in list.split(',') {
        let range = range(text.trim(), length)?;
        if range.is_empty() {
            continue;
        }
        if ranges.last().is_some_and(|last| range.start < last.end) {
            return None;
        }
        ranges.push(range);
    }
    Some(ranges)
}

/// Reads `first-last`, `first-` or `-count`, last included. Empty where it lies past the end.
fn range(text: &str, length: usize) -> Option<Range<usize>> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(usize::MAX))
    };
    let (first, last) = text.split_once('-')?;
    if first.is_empty() {
        let count = number(last)?;
        return Some(length.saturating_sub(count)..length);
    }
    let first = number(first)?;
    let last = if last.is_empty() {
        usize::MAX
    } else {
        number(last)?
    };
    (first <= last).then(|| first.min(length)..last.saturating_add(1).min(length))
}

fn cut(mut answer: Answer, ranges: &[Range<usize>]) -> Answer {
    let length = answer.body.len();
    let place = |range: &Range<usize>| format!("bytes {}-{}/{length}", range.start, range.end - 1);
    match ranges {
        [] => {
            set(&mut answer, "content-range", format!("bytes */{length}"));
            answer.status = 416;
            answer.body = Bytes::new();
        }
        [range] => {
            set(&mut answer, "content-range", place(range));
            answer.status = 206;
            answer.body = answer.body.slice(range.clone());
        }
        _ => {
            let kind = answer.header("content-type").unwrap_or_default().to_owned();
            let mut body = Vec::new();
            for range in ranges {
                let place = place(range);
                let head = format!(
                    "--{BOUNDARY}\r\ncontent-type: {kind}\r\ncontent-range: {place}\r\n\r\n"
                );
                body.extend_from_slice(head.as_bytes());
                body.extend_from_slice(&answer.body[range.clone()]);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
            let kind = format!("multipart/byteranges; boundary={BOUNDARY}");
            set(&mut answer, "content-type", kind);
            answer.status = 206;
            answer.body = body.into();
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn answered(method: &str, etag: &str, headers: &[(&str, &str)]) -> Answer {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let told = [
            ("etag", etag),
            ("last-modified", MODIFIED),
            ("content-type", "text/plain"),
            ("cache-control", "max-age=1"),
        ];
        let headers: Vec<_> = headers.iter().map(owned).collect();
        PartialRequest::of(method, &headers).answered(Answer {
            status: 200,
            headers: told.iter().map(owned).collect(),
            body: Bytes::from_static(b"0123456789"),
            x_cache: "Hit from cloudfront",
        })
    }

    #[test]
    fn what_a_viewer_has_is_not_sent_again() {
        for (etag, name, value, status) in [
            ("\"a\"", "if-none-match", "\"a\"", 304),
            ("\"a\"", "if-none-match", "W/\"a\"", 304),
            ("W/\"a\"", "if-none-match", "\"a\"", 304),
            ("\"a\"", "if-none-match", "\"b\", W/\"a\"", 304),
            ("\"a,b\"", "if-none-match", "\"c\",\"a,b\"", 304),
            ("\"a\"", "if-none-match", "*", 304),
            ("\"a\"", "if-none-match", "\"b\"", 200),
            ("\"a\"", "if-none-match", "a", 200),
            ("\"a\"", "if-none-match", "", 200),
            ("\"a\"", "if-modified-since", MODIFIED, 304),
            (
                "\"a\"",
                "if-modified-since",
                "Sun, 06 Nov 1994 08:49:38 GMT",
                304,
            ),
            (
                "\"a\"",
                "if-modified-since",
                "Sun, 06 Nov 1994 08:49:36 GMT",
                200,
            ),
            ("\"a\"", "if-modified-since", "yesterday", 200),
        ] {
            for method in ["GET", "HEAD"] {
                let answer = answered(method, etag, &[(name, value)]);
                assert_eq!(answer.status, status, "{etag} {name}: {value}");
                assert_eq!(answer.body.is_empty(), status == 304);
                assert_eq!(answer.header("content-type").is_none(), status == 304);
                assert_eq!(answer.header("etag"), Some(etag));
                assert_eq!(answer.header("cache-control"), Some("max-age=1"));
            }
        }
        let both = [("if-none-match", "\"b\""), ("if-modified-since", MODIFIED)];
        assert_eq!(answered("GET", "\"a\"", &both).status, 200);
        let repeated = [("if-none-match", "\"b\""), ("if-none-match", "\"a\"")];
        assert_eq!(answered("GET", "\"a\"", &repeated).status, 304);
    }

    #[test]
    fn a_range_is_cut_out() {
        for (range, status, place, body) in [
            ("bytes=0-3", 206, Some("bytes 0-3/10"), "0123"),
            ("Bytes=4-", 206, Some("bytes 4-9/10"), "456789"),
            ("bytes=-3", 206, Some("bytes 7-9/10"), "789"),
            ("bytes=-30", 206, Some("bytes 0-9/10"), "0123456789"),
            (
                "bytes=8-99999999999999999999",
                206,
                Some("bytes 8-9/10"),
                "89",
            ),
            ("bytes=5-5, 20-", 206, Some("bytes 5-5/10"), "5"),
            ("bytes=10-", 416, Some("bytes */10"), ""),
            ("bytes=-0", 416, Some("bytes */10"), ""),
            ("bytes=3-2", 200, None, "0123456789"),
            ("bytes=-", 200, None, "0123456789"),
            ("bytes=+1-2", 200, None, "0123456789"),
            ("bytes=1--2", 200, None, "0123456789"),
            ("lines=0-3", 200, None, "0123456789"),
            ("bytes=4-5,0-1", 200, None, "0123456789"),
            ("bytes=0-4,4-5", 200, None, "0123456789"),
        ] {
            let answer = answered("GET", "\"a\"", &[("range", range)]);
            assert_eq!(
                (answer.status, answer.header("content-range")),
                (status, place),
                "{range}"
            );
            assert_eq!(answer.text(), body, "{range}");
            assert_eq!(answer.header("accept-ranges"), Some("bytes"));
            assert_eq!(answered("HEAD", "\"a\"", &[("range", range)]).status, 200);
        }
    }

    #[test]
    fn several_ranges_are_parts() {
        let answer = answered("GET", "\"a\"", &[("range", "bytes=0-1, 4-5,-1")]);
        assert_eq!(answer.status, 206);
        let kind = format!("multipart/byteranges; boundary={BOUNDARY}");
        assert_eq!(answer.header("content-type"), Some(kind.as_str()));
        assert_eq!(answer.header("content-range"), None);
        let part = |place: &str, body: &str| {
            format!(
                "--{BOUNDARY}\r\ncontent-type: text/plain\r\ncontent-range: bytes {place}/10\r\n\r\n{body}\r\n"
            )
        };
        let parts = [part("0-1", "01"), part("4-5", "45"), part("9-9", "9")];
        assert_eq!(
            answer.text(),
            format!("{}--{BOUNDARY}--\r\n", parts.concat())
        );
    }

    #[test]
    fn a_range_of_another_version_is_the_whole() {
        for (etag, if_range, status) in [
            ("\"a\"", "\"a\"", 206),
            ("\"a\"", "\"b\"", 200),
            ("W/\"a\"", "W/\"a\"", 200),
            ("\"a\"", MODIFIED, 206),
            ("\"a\"", "Sun, 06 Nov 1994 08:49:38 GMT", 200),
            ("\"a\"", "never", 200),
        ] {
            let asked = [("range", "bytes=0-1"), ("if-range", if_range)];
            assert_eq!(answered("GET", etag, &asked).status, status, "{if_range}");
        }
        let known = [("range", "bytes=0-1"), ("if-none-match", "\"a\"")];
        assert_eq!(answered("GET", "\"a\"", &known).status, 304);
    }
}
