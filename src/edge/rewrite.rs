//! Reads from a CloudFront Function's code whether it rewrites directories to their index documents.

use super::distribution::UriRewrite;

/// Tells what the function does to the URI. Only well-known shapes are told: every write to `uri` must append an index document
/// (as AWS's sample "Add index.html to request URLs" does) or merely copy the URI; anything else is
/// [`Unknown`](UriRewrite::Unknown). A function that never writes it rewrites nothing.
pub fn rewrite_of(source: &str) -> UriRewrite {
    let code = squeeze(source);
    // Ways to change the request that this reading would not see.
    let hidden = [
        "[\"uri\"]",
        "[`uri`]",
        "assign(",
        "...",
        "eval(",
        "cf.",
        "update",
        "createRequest",
        "uri:",
        "request=",
        "require(",
        "Reflect",
        "defineProperty",
    ];
    let plain_start = code.replace("request=event.request", "");
    if hidden.iter().any(|sign| plain_start.contains(sign)) || writes_by_name(&code) {
        return UriRewrite::Unknown;
    }
    let mut rewrite = UriRewrite::None;
    for value in assignments(&code) {
        match value {
            "event.request.uri" | "request.uri" | "uri" => {}
            "+\"index.html\"" | "+\"/index.html\"" => rewrite = UriRewrite::IndexDirectory,
            _ => return UriRewrite::Unknown,
        }
    }
    rewrite
}

/// Returns whether something of the request is named by what the code computes. `request`, and whatever else stands for it.
fn writes_by_name(code: &str) -> bool {
    let name_before = |end: usize| {
        let before = code.get(..end).unwrap_or_default();
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$');
        let start = before.trim_end_matches(is_part).len();
        // The white space is gone, and with it what parts a name from the word before it.
        let name = before.get(start..).unwrap_or_default();
        let words = ["const", "let", "var"].iter();
        words.fold(name, |name, word| name.strip_prefix(word).unwrap_or(name))
    };
    let bound = code.match_indices("=event.request");
    let names = bound.map(|(end, _)| name_before(end)).chain(["request"]);
    let mut brackets = code.match_indices('[').map(|(end, _)| name_before(end));
    let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    brackets.any(|name| names.contains(&name))
}

/// Without comments and white space, and with one kind of quotes.
fn squeeze(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    let mut quote = None;
    while let Some(next) = rest.chars().next() {
        let cut = if quote.is_none() && rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if quote.is_none() && rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            if quote == Some(next) {
                quote = None;
            } else if quote.is_none() && matches!(next, '"' | '\'' | '`') {
                quote = Some(next);
            }
            match next {
                '\'' => code.push('"'),
                '\n' if quote.is_none() => code.push(';'),
                _ if next.is_whitespace() && quote.is_none() => {}
                _ => code.push(next),
            }
            next.len_utf8()
        };
        rest = rest.get(cut..).unwrap_or_default();
    }
    code
}

/// The right-hand sides of all writes to something that ends in `uri`; of an appending one with a leading `+`.
fn assignments(code: &str) -> impl Iterator<Item = &str> {
    code.match_indices("uri").filter_map(|(start, name)| {
        let rest = code.get(start + name.len()..)?;
        let (value, append) = match rest.strip_prefix("+=") {
            Some(value) => (value, true),
            None => (rest.strip_prefix('=')?, false),
        };
        if value.starts_with('=') || value.starts_with('>') {
            return None;
        }
        let end = value.find([';', '}', ',', ')']).unwrap_or(value.len());
        let value = value.get(..end)?;
        if append {
            return Some(match value {
                "\"index.html\"" => "+\"index.html\"",
                "\"/index.html\"" => "+\"/index.html\"",
                _ => "?",
            });
        }
        let bare = ["event.request.uri", "request.uri", "uri"]
            .iter()
            .find_map(|name| {
                value
                    .strip_prefix(name)
                    .filter(|rest| rest.starts_with('+'))
            });
        Some(bare.unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r"
async function handler(event) {
    const request = event.request;
    const uri = request.uri;
    // Check whether the URI is missing a file name.
    if (uri.endsWith('/')) {
        request.uri += 'index.html';
    }
    /* or an extension: uri = 'x' */
    else if (!uri.includes('.')) {
        request.uri += '/index.html';
    }
    return request;
}";

    #[test]
    fn the_known_shapes_are_told() {
        let body = |code: &str| {
            format!("function handler(event){{var request=event.request;{code};return request}}")
        };
        for (code, rewrite) in [
            (SAMPLE.to_owned(), UriRewrite::IndexDirectory),
            (
                body("request.uri = request.uri + \"index.html\""),
                UriRewrite::IndexDirectory,
            ),
            (
                body("if (request.uri === '/') request.headers['x'] = {value:'1'}"),
                UriRewrite::None,
            ),
            (body("request.uri = '/app.html'"), UriRewrite::Unknown),
            (
                body("request.uri = request.uri.replace(/\\/$/, '/index.html')"),
                UriRewrite::Unknown,
            ),
            (body("request['uri'] = '/x'"), UriRewrite::Unknown),
            (body("request['u' + 'ri'] = '/x'"), UriRewrite::Unknown),
            (
                body("var r = event.request; r[name] = '/x'"),
                UriRewrite::Unknown,
            ),
            (body("require('./rest')(request)"), UriRewrite::Unknown),
            (body("request.uri += '.html'"), UriRewrite::Unknown),
            (body("var u = 1; request.uri += u"), UriRewrite::Unknown),
            (body("Object.assign(request, other)"), UriRewrite::Unknown),
            (
                "function handler(event){return {uri: '/x', method: 'GET'}}".to_owned(),
                UriRewrite::Unknown,
            ),
            (
                "function handler(e){var request=e.request;return request}".to_owned(),
                UriRewrite::Unknown,
            ),
        ] {
            assert_eq!(rewrite_of(&code), rewrite, "{code}");
        }
    }

    #[test]
    fn the_function_that_we_write_is_understood() {
        use crate::rules::function::{PathRewrite, generate};
        use crate::rules::redirect::Redirect;
        let redirect = Redirect {
            from: "/a/:b/*".into(),
            to: "https://x.example/:b/:splat".into(),
            status: 302,
            force: false,
        };
        for (index, bare_folders, right) in [
            (
                Some("index.html".to_owned()),
                true,
                UriRewrite::IndexDirectory,
            ),
            (None, false, UriRewrite::None),
        ] {
            let wanted = PathRewrite {
                index,
                bare_folders,
                endings: vec![".html".into()],
                kept: vec!["/404.html".into()],
            };
            let code = generate(std::slice::from_ref(&redirect), &wanted, "s3://b/").unwrap();
            assert_eq!(rewrite_of(&code), right);
        }
    }
}
