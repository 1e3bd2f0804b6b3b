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
    /// Lets an HTML answer load the script at its end, wherever its host is not that of its `<base>` and whatever its
    /// Content-Security-Policy allows besides. S3's own errors become HTML, as what is missing may come. Validators change with
    /// `number`, so that 304 and ranges stay right: no browser goes on with a page that listens for what has happened already.
    pub(super) fn added_to(&self, mut answer: Answer, host: &str, number: u64) -> Answer {
        let content_type = answer.header("content-type").unwrap_or_default();
        let is_error = answer.status >= 400 && content_type == "application/xml";
        let is_html = content_type.to_ascii_lowercase().starts_with("text/html");
        if !(is_html || is_error) || answer.body.is_empty() {
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
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".:-[]".contains(letter);
        let host = Some(host).filter(|host| !host.is_empty() && host.chars().all(is_plain));
        let url = host.map_or(String::new(), |host| format!("//{host}")) + &self.url;
        // A parser moves what comes after `</html>` into the body.
        body.extend(format!("<script src=\"{url}?{number}\"></script>").bytes());
        answer.body = Bytes::from(body);
        (answer.headers)
            .retain(|(name, _)| !["content-encoding", "last-modified"].contains(&name.as_str()));
        for (name, value) in &mut answer.headers {
            match name.as_str() {
                "content-type" if is_error => "text/html".clone_into(value),
                "content-security-policy" => *value = allowing(value, &url),
                "etag" => {
                    let opaque = value.split('"').nth(1).unwrap_or_default();
                    *value = format!("W/\"{opaque}-{number}\"");
                }
                _ => {}
            }
        }
        answer
    }
}

/// Lets policies allow a script and what it listens to in the same folder (CSP Level 3, 6.8.3: what a directive falls back to).
fn allowing(policies: &str, url: &str) -> String {
    let folder = url.rsplit_once('/').map_or(url, |(folder, _)| folder);
    let source = format!("{}/", folder.trim_start_matches("//"));
    let allowing = |policy: &str| {
        let directives = policy.split(';').map(str::trim);
        let mut directives: Vec<(&str, String)> = directives
            .map(|text| text.split_once(' ').unwrap_or((text, "")))
            .map(|(name, sources)| (name, sources.to_owned()))
            .collect();
        for names in [
            &["script-src-elem", "script-src", "default-src"][..],
            &["connect-src", "default-src"],
        ] {
            let find = |wanted: &&str| {
                let mut known = directives.iter();
                known.find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            };
            if let Some((_, sources)) = names.iter().find_map(find) {
                let sources = sources.replace("'none'", "") + " " + &source;
                directives.retain(|(name, _)| !name.eq_ignore_ascii_case(names[0]));
                directives.push((names[0], sources));
            }
        }
        let directives = directives.iter();
        let directives: Vec<String> = directives
            .map(|(name, sources)| format!("{name} {sources}"))
            .collect();
        directives.join("; ")
    };
    let policies: Vec<String> = policies.split(',').map(allowing).collect();
    policies.join(", ")
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
        script.added_to(answer, "host:1", 3)
    }

    #[test]
    fn a_script_stands_at_the_end_of_html() {
        const SCRIPT: &str = "<script src=\"//host:1/p/r.js?3\"></script>";
        for (content_type, encoding, body, expected) in [
            ("text/html; charset=utf-8", None, "a</body>", "a</body>"),
            ("Text/HTML", Some("identity"), "a", "a"),
            ("text/html", Some("reversed"), "ba", "ab"),
        ] {
            let expected = format!("{expected}{SCRIPT}");
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

    #[test]
    fn a_policy_allows_the_script_and_nothing_else_besides() {
        for (policy, expected) in [
            ("img-src x", "img-src x"),
            (
                "default-src 'none'",
                "default-src 'none'; script-src-elem  h/p/; connect-src  h/p/",
            ),
            (
                "Script-Src a 'unsafe-inline'; connect-src b,default-src c",
                "Script-Src a 'unsafe-inline'; script-src-elem a 'unsafe-inline' h/p/; connect-src b h/p/, \
                 default-src c; script-src-elem c h/p/; connect-src c h/p/",
            ),
        ] {
            assert_eq!(allowing(policy, "//h/p/r.js"), expected);
        }
    }
}
