//! Pages that load themselves again: HTML answers of an edge get a script that listens.

use std::sync::Arc;

use bytes::Bytes;

use super::edge::Answer;

/// Turns a body around that has a `content-encoding`; `None` for an encoding that it does not know, or a damaged body.
pub type BodyDecoder = dyn Fn(&str, &[u8]) -> Option<Vec<u8>> + Send + Sync;

/// The script that pages load.
pub(crate) struct PageScript {
    pub url: String,
    pub decoder: Option<Arc<BodyDecoder>>,
}

impl PageScript {
    /// Lets an HTML answer load the script, before `</body>` or else at its end. Its validators change with `number`, so that 304
    /// and ranges stay right: no browser goes on with a page that listens for what has happened already.
    pub(super) fn added_to(&self, answer: Answer, number: u64) -> Answer {
        let content_type = answer.header("content-type").unwrap_or_default();
        if !content_type.to_ascii_lowercase().starts_with("text/html") || answer.body.is_empty() {
            return answer;
        }
        let decoded = match answer.header("content-encoding") {
            None | Some("" | "identity") => Some(answer.body.to_vec()),
            Some(encoding) => {
                (self.decoder.as_ref()).and_then(|decoder| decoder(encoding, &answer.body))
            }
        };
        let Some(mut body) = decoded else {
            return answer;
        };
        let script = format!("<script src=\"{}?{number}\"></script>", self.url);
        let end = last_body_end(&body).unwrap_or(body.len());
        body.splice(end..end, script.into_bytes());
        let mut answer = Answer {
            body: Bytes::from(body),
            ..answer
        };
        (answer.headers)
            .retain(|(name, _)| !["content-encoding", "last-modified"].contains(&name.as_str()));
        for (name, value) in &mut answer.headers {
            if name == "etag" {
                let opaque = value.split('"').nth(1).unwrap_or_default();
                *value = format!("W/\"{opaque}-{number}\"");
            }
        }
        answer
    }
}

fn last_body_end(body: &[u8]) -> Option<usize> {
    const END: &[u8] = b"</body";
    body.windows(END.len())
        .rposition(|window| window.eq_ignore_ascii_case(END))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dressed(content_type: &str, encoding: Option<&str>, body: &str) -> Answer {
        let mut headers = vec![
            ("content-type".to_owned(), content_type.to_owned()),
            ("etag".to_owned(), "\"abc\"".to_owned()),
            ("last-modified".to_owned(), "then".to_owned()),
        ];
        headers.extend(encoding.map(|name| ("content-encoding".to_owned(), name.to_owned())));
        let answer = Answer {
            status: 200,
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
            x_cache: "",
        };
        let decoder = |encoding: &str, body: &[u8]| {
            let reversed = body.iter().rev().copied().collect();
            (encoding == "reversed").then_some(reversed)
        };
        let script = PageScript {
            url: "/p/r.js".to_owned(),
            decoder: Some(Arc::new(decoder)),
        };
        script.added_to(answer, 3)
    }

    #[test]
    fn a_script_stands_at_the_end_of_html() {
        const SCRIPT: &str = "<script src=\"/p/r.js?3\"></script>";
        for (content_type, encoding, body, expected) in [
            (
                "text/html; charset=utf-8",
                None,
                "a</body></html>",
                format!("a{SCRIPT}</body></html>"),
            ),
            (
                "Text/HTML",
                Some("identity"),
                "a</BODY>",
                format!("a{SCRIPT}</BODY>"),
            ),
            ("text/html", None, "no end", format!("no end{SCRIPT}")),
            ("text/html", Some("reversed"), "ba", format!("ab{SCRIPT}")),
        ] {
            let answer = dressed(content_type, encoding, body);
            assert_eq!(answer.text(), expected);
            assert_eq!(answer.header("etag"), Some("W/\"abc-3\""));
            assert_eq!(answer.header("last-modified"), None);
            assert_eq!(answer.header("content-encoding"), None);
        }
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for (content_type, encoding, body) in [
            ("text/css", None, "a</body>"),
            ("text/html", Some("unknown"), "a</body>"),
            ("text/html", None, ""),
        ] {
            let answer = dressed(content_type, encoding, body);
            assert_eq!(answer.text(), body);
            assert_eq!(answer.header("etag"), Some("\"abc\""));
            assert_eq!(answer.headers.len(), 3 + usize::from(encoding.is_some()));
        }
    }
}
